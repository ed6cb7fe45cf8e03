"""``rerun-harness export`` and ``import``: what other tools read, and what they wrote."""

from __future__ import annotations

import json

import pytest
from embedded_survey import APRIL, JUNE, MAY

SPECIFIED = {
    "measurements": [
        {"metric": "val.AM1", "identifier": "a" * 32, "value": 12.1, "unit": "marcsec", "blob_refs": []},
        {"metric": "val.PA1", "identifier": "b" * 32, "value": None, "unit": "mmag", "blob_refs": []},
        {"metric": "val.TE1", "identifier": "c" * 32, "value": 1.0, "unit": "", "blob_refs": []},
    ],
    "blobs": [],
    "metrics": [],
    "specs": [
        {
            "name": f"val.{metric}.design",
            "type": "threshold",
            "threshold": {"value": limit, "unit": unit, "operator": "<="},
            "metadata_query": {},
            "tags": ["design"],
        }
        for metric, limit, unit in (("AM1", 10.0, "marcsec"), ("PA1", 5.0, "mmag"))
    ],
    "meta": {},
}


def test_a_job_that_goes_out_comes_in_judged_alike(measured):
    """Bounds go with the values: what failed here fails there."""
    measured("export", JUNE, "--reference", MAY, "--out", "june.json")
    assert set(measured("import", "june.json", "--format", "json").states.values()) == {"PASS"}
    measured("export", MAY, "--reference", APRIL, "--out", "may.json", code=1)
    answer = measured("import", "may.json", "--format", "json", code=1)
    judged = [(row["state"], row["value"]) for row in answer.json["rows"] if row["metric"] == "dia.numSources"]
    assert judged == [("FAIL", 19141), ("PASS", 19141)]  # above the upper bound, and so above the lower one


def test_lines_for_a_database(measured):
    """Each metric is a line, with its verdict, on standard output."""
    out = measured("export", JUNE, "--reference", MAY, "--as", "influx").out
    (line,) = [line for line in out.splitlines() if line.startswith("dia.numSources,")]
    assert line.startswith(f"dia.numSources,dataset=hits2015,rerun={JUNE} value=")
    assert 'verdict="PASS"' in line


def test_another_tools_measurements_are_judged_by_their_own_specifications(run):
    """A value beyond its bound fails, null is not measured, and what nothing is said of is named."""
    (run.folder / "job.json").write_text(json.dumps(SPECIFIED))
    answer = run("import", "job.json", "--tag", "design", "--format", "json", code=1)
    assert answer.states == {"val.AM1": "FAIL", "val.PA1": "NOT_MEASURED"}
    assert "not judged of job.json, as no specification applies to them: val.TE1" in answer.json["notes"]


def test_a_bundle_and_a_single_measurement_have_no_specifications(run):
    """They are read, and nothing can be judged of them."""
    (run.folder / "bundle.json").write_text(json.dumps({"dia": SPECIFIED["measurements"][:1]}))
    answer = run("import", "bundle.json", code=3)
    assert "no specification applies to them: dia.val.AM1" in answer.out
    one = "metric: val.AM1\nidentifier: 0123456789abcdef0123456789abcdef\nunit: marcsec\nvalue: 1.0\n"
    (run.folder / "one.yaml").write_text(one)
    assert "no specification applies to them: val.AM1" in run("import", "one.yaml", code=3).out


@pytest.mark.parametrize(
    ("name", "content", "code", "told"),
    [
        ("none.json", None, 2, "there is no file none.json"),
        ("job.txt", "", 2, "job.txt is neither .json (a job or a bundle) nor .yaml (one measurement)"),
        ("job.json", '{"measurements": 1}', 4, "job.json"),
        ("job.json", "{", 4, "job.json is not JSON"),
    ],
)
def test_what_is_no_job_is_named(run, name, content, code, told):
    """One sentence, with file and place."""
    if content is not None:
        (run.folder / name).write_text(content)
    answer = run("import", name, code=code)
    assert told in answer.err
    assert len(answer.err.splitlines()) == 1
