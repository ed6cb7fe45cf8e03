"""`harness.exchange.verify_job`: all of a job file comes in, all of it goes out again."""

from __future__ import annotations

import json
import math
import re

import pytest
from verify_reader import accept

from harness.errors import BrokenFileError, UsageError
from harness.exchange.verify_job import read_verify_job, write_verify_job


def test_reads_everything(write, document):
    """Measurements, metrics, specifications, blobs and metadata come in as they are written."""
    job = read_verify_job(write(document))
    measured = job.measurements["demo.PA1"]
    assert (measured.value, measured.unit, measured.blobs) == (16.5, "mmag", ("c" * 32,))
    assert measured.identifier == "a" * 32
    assert job.metrics["demo.AM1"].description == "demo.AM1 of stars."
    assert job.metrics["demo.AM1"].reference["page"] == 21
    bound = job.specifications[2]
    assert (bound.name, bound.metric, bound.operator) == ("demo.PA1.loose", "demo.PA1", "<")
    assert (bound.threshold, bound.unit, bound.tags) == (0.02, "mag", {"minimum"})
    assert job.specifications[3].metric == "demo.AM1"
    assert job.meta == document["meta"]
    assert job.blobs["c" * 32]["data"]["rms"]["label"] == "RMS"


@pytest.mark.parametrize("nothing", [None, math.nan, "NaN", math.inf])
def test_no_number_is_nan_with_its_reason(write, document, nothing):
    """Null and NaN come in as unmeasured and say so; a measurement without a unit has that of its metric."""
    document["measurements"][1]["value"] = nothing
    absent = read_verify_job(write(document)).measurements["demo.AM1"]
    assert not absent.is_measured
    assert absent.unit == "marcsec"
    assert absent.detail.startswith("its value is ")


def test_a_job_needs_no_more_than_measurements(write, document):
    """A job that was dispatched without its metrics and specifications is a job."""
    job = read_verify_job(write({"measurements": document["measurements"]}))
    assert set(job.measurements) == {"demo.PA1", "demo.AM1"}
    assert not any((job.specifications, job.metrics, job.meta, job.blobs))


def test_comes_back_the_same(write, document):
    """What was read goes out for lsst.verify to read, and comes in again as it was, with the same bytes each time."""
    job = read_verify_job(write(document))
    content = write_verify_job(job)
    again = accept(content)
    assert again["measurements"][0] == document["measurements"][0]
    assert {**again["measurements"][1], "value": None, "unit": None} == document["measurements"][1]
    assert repr(again["blobs"]) == repr(document["blobs"])  # in which NaN is NaN
    assert all(again[key] == document[key] for key in ("metrics", "specs", "meta"))
    assert write_verify_job(read_verify_job(write(content.decode()))) == content


def test_notes_are_kept(write, document):
    """Annotations of a measurement go out again."""
    document["measurements"][0]["notes"] = {"demo.PA1.cut": 5}
    job = read_verify_job(write(document))
    assert json.loads(write_verify_job(job))["measurements"][0]["notes"] == {"demo.PA1.cut": 5}


FAULTS = {
    "unknown operator": (
        ("specs", 0, "threshold", "operator"),
        "=<",
        "specs[0].threshold.operator must be one of <=, <, >=, >, ==, != (got '=<')",
    ),
    "operator of another type": (
        ("specs", 0, "threshold", "operator"),
        ["<"],
        "specs[0].threshold.operator must be text (got ['<'])",
    ),
    "unknown unit": (
        ("measurements", 0, "unit"),
        "millimagg",
        "measurements[0].unit must be a unit that astropy knows (got 'millimagg')",
    ),
    "unit of a threshold": (
        ("specs", 1, "threshold", "unit"),
        "10**99999999",
        "specs[1].threshold.unit must be a unit that astropy knows (got '10**99999999')",
    ),
    "text for a number": (
        ("measurements", 0, "value"),
        "many",
        "measurements[0].value must be a number (got 'many')",
    ),
    "truth for a number": (("measurements", 0, "value"), True, "measurements[0].value must be a number (got True)"),
    "array for a number": (("measurements", 0, "value"), [1.0], "measurements[0].value must be a number (got [1.0])"),
    "absurd number": (
        ("measurements", 0, "value"),
        10**400,
        "measurements[0].value is larger than any floating-point number",
    ),
    "threshold without a number": (
        ("specs", 0, "threshold", "value"),
        None,
        "specs[0].threshold.value must be a finite number, or nothing can be judged by it",
    ),
    "kind of specification": (
        ("specs", 0, "type"),
        "range",
        "specs[0].type must be 'threshold', the only one there is (got 'range')",
    ),
    "short name": (
        ("specs", 0, "name"),
        "demo.PA1",
        "specs[0].name must be package.metric.specification (got 'demo.PA1')",
    ),
    "empty name": (("measurements", 0, "metric"), "demo.", "measurements[0].metric must be a name (got 'demo.')"),
    "line break": (("measurements", 0, "metric"), "a.b\nc", "measurements[0].metric must be a name (got 'a.b\\nc')"),
    "surrogate": (
        ("measurements", 0, "metric"),
        "\ud800",
        "measurements[0].metric holds half of a surrogate pair, which is no character",
    ),
    "measured twice": (
        ("measurements", 1, "metric"),
        "demo.PA1",
        "measurements[1] has the same metric 'demo.PA1' as measurements[0]; keep one of them",
    ),
    "specified twice": (
        ("specs", 2, "name"),
        "demo.PA1.minimum_r",
        "specs[2] has the same name 'demo.PA1.minimum_r' as specs[0]; keep one of them",
    ),
    "described twice": (
        ("metrics", 1, "name"),
        "demo.PA1",
        "metrics[1] has the same name 'demo.PA1' as metrics[0]; keep one of them",
    ),
    "not an array": (("specs",), {"a": 1}, "specs must be an array (got {'a': 1})"),
    "not an object": (("specs", 3), "demo", "specs[3] must be an object (got 'demo')"),
    "blob without data": (("blobs", 0), {"identifier": "d", "name": "e"}, "blobs[0] lacks the key 'data'"),
    "measurement without a value": (
        ("measurements", 0),
        {"metric": "demo.PA1", "unit": ""},
        "measurements[0] lacks the key 'value'",
    ),
    "foreign key": (
        ("results",),
        [],
        "the top level has the unknown key 'results'; a job has measurements, blobs, metrics, specs, meta",
    ),
    "metadata of another type": (("meta",), [1], "meta must be an object (got [1])"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_with_its_place(write, document, fault):
    """What cannot be is refused in one sentence that names the file and the place in it."""
    (*way, last), value, told = FAULTS[fault]
    node = document
    for key in way:
        node = node[key]
    node[last] = value
    path = write(document)
    with pytest.raises(BrokenFileError, match=f"^{re.escape(f'{path}: {told}')}$"):
        read_verify_job(path)


def test_other_json_is_no_job(write):
    """An object without measurements, and JSON that is no object, are refused."""
    with pytest.raises(BrokenFileError, match=r"the top level lacks the key 'measurements'$"):
        read_verify_job(write({}))
    with pytest.raises(BrokenFileError, match=r"the top level must be an object \(got \[1\]\)$"):
        read_verify_job(write([1]))


def test_a_file_that_is_not_there(tmp_path):
    """A name that was mistyped is a mistake in the command."""
    with pytest.raises(UsageError, match=r"^there is no file .*none\.json$"):
        read_verify_job(tmp_path / "none.json")
