"""Real job files of `lsst.verify`: one of CFHT, with its published report, and one with NaN.

``CfhtQuick_output_r.json`` and its report on minimum requirements and the release targets of 2018 are from
``lsst/validate_drp`` 107f81d, ``verify_job_with_nan.json`` from ``lsst-sqre/squash-api`` c79a490.
"""

from __future__ import annotations

import json
import math
import operator

import pytest
from verify_reader import accept

from harness.exchange.judged import applicable, judge_job
from harness.exchange.verify_job import read_verify_job, write_verify_job
from harness.model import VerdictState

SIZES = {
    # measurements, specifications, metrics, blobs, and measurements without a number
    "CfhtQuick_output_r": (42, 1672, 48, 45, 14),
    "verify_job_with_nan": (30, 628, 62, 33, 7),
}
COMPARE = {"<=": operator.le, "==": operator.eq}


@pytest.fixture(params=SIZES)
def path(real_data, request):
    """Return each of the two files."""
    return real_data / "verify_jobs" / f"{request.param}.json"


def test_all_of_it_comes_in(path):
    """Every measurement, specification, metric and blob is read."""
    job = read_verify_job(path)
    read = (len(job.measurements), len(job.specifications), len(job.metrics), len(job.blobs))
    unmeasured = [measurement for measurement in job.measurements.values() if not measurement.is_measured]
    assert (*read, len(unmeasured)) == SIZES[path.stem]
    assert all(measurement.detail == "its value is nan" for measurement in unmeasured)


def test_all_of_it_goes_out(path):
    """What is written is what was read, but for the order of tags, and the reader of lsst.verify takes it."""
    original = json.loads(path.read_text())
    for tagged in (*original["specs"], *original["metrics"]):
        tagged["tags"].sort()
    again = accept(write_verify_job(read_verify_job(path)))
    assert set(again) == set(original)
    for key, value in original.items():
        assert json.dumps(again[key], sort_keys=True) == json.dumps(value, sort_keys=True), key  # NaN is NaN here


def test_every_specification_is_judged_as_it_says(path):
    """All that applies is judged: by plain comparison where there is a number, NOT_MEASURED elsewhere."""
    document = json.loads(path.read_text())
    values = {measurement["metric"]: measurement["value"] for measurement in document["measurements"]}
    expected = {}
    for specification in document["specs"]:
        if all(document["meta"].get(key) == value for key, value in specification["metadata_query"].items()):
            bound = specification["threshold"]
            value = values.get(".".join(specification["name"].split(".")[:2]), math.nan)
            holds = COMPARE[bound["operator"]](value, bound["value"])
            state = VerdictState.PASS if holds else VerdictState.FAIL
            expected[specification["name"]] = VerdictState.NOT_MEASURED if math.isnan(value) else state
    job = read_verify_job(path)
    names = [specification.name for specification in applicable(job)]
    verdicts = judge_job(job, path.stem)
    assert {name: verdict.state for name, verdict in zip(names, verdicts, strict=True)} == expected
    assert len(set(expected.values())) == 3


def published(folder):
    """Yield the rows of the published report: metric, requirement, release target and value, None where it has none."""
    lines = (folder / "CfhtQuick_output_r_report_minimum_FY18.rst").read_text().splitlines()
    edges = [0]
    for width in map(len, lines[0].split()):
        edges.append(edges[-1] + width + 1)

    def number(text):
        return None if text in ("**", "nan") else float(text)

    for line in lines[3:-1]:
        cells = [line[low:high].strip() for low, high in zip(edges, [*edges[1:-1], None], strict=False)]
        metric, band, unit, sign, requirement, target, value, _ = cells
        assert (band, sign) == ("r", "<=")
        yield metric, unit, number(requirement), number(target), number(value)


def test_the_published_report(real_data):
    """Each row of the report has its value, its two bounds, and the verdicts that follow from them."""
    folder = real_data / "verify_jobs"
    job = read_verify_job(folder / "CfhtQuick_output_r.json")
    by_name = {
        specification.name: verdict
        for specification, verdict in zip(applicable(job), judge_job(job, "CfhtQuick_output_r"), strict=True)
    }
    told = {"requirement": [], "target": []}
    rows = list(published(folder))
    for metric, unit, requirement, target, value in rows:
        # Some metrics are measured once for each requirement: AD1_minimum, PA2_minimum_gri.
        names = [f"validate_drp.{metric}{suffix}" for suffix in ("", "_minimum", "_minimum_gri")]
        bounds = {
            "requirement": (requirement, [*(f"{name}.srd" for name in names), f"{names[0]}.minimum"]),
            "target": (target, [f"{name}.FY18" for name in names]),
        }
        for kind, (bound, candidates) in bounds.items():
            names = [f"{name}{of_band}" for name in candidates for of_band in ("", "_gri", "_r")]
            found = [by_name[name] for name in names if name in by_name]
            if bound is None:
                assert not found, metric
                continue
            assert found, (metric, kind)
            for verdict in found:
                assert verdict.unit == unit
                if value is None:
                    assert verdict.state is VerdictState.NOT_MEASURED, metric
                    continue
                assert verdict.value == pytest.approx(value, rel=0.02), metric  # three digits are printed
                assert verdict.acceptable.high == bound, metric
                assert verdict.state is (VerdictState.PASS if value <= bound else VerdictState.FAIL), metric
            told[kind].append(found[0].state)
    assert len(rows) == 26
    assert {
        kind: [states.count(state) for state in ("PASS", "FAIL", "NOT_MEASURED")] for kind, states in told.items()
    } == {
        "requirement": [3, 17, 6],
        "target": [3, 3, 6],
    }
