"""`harness.exchange.own`: the harness's own measurements, for the reader of `lsst.verify`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from verify_reader import accept

from harness.errors import UsageError
from harness.exchange.judged import judge_job
from harness.exchange.own import exchanged_name, job_of
from harness.exchange.verify_job import read_verify_job, write_verify_job
from harness.judge import Quantity, above, agrees_with, below, unchanged, within
from harness.judge.accepted import Accepted
from harness.measure.catalogue import all_metrics
from harness.metrics.settings import Settings
from harness.model import DataId, Metric, VerdictState

CENSUS = Metric("dia.numBad", "ct", "Rows that are bad.", "dia_sanity", census=True)
SIZE = Metric("template.psfFwhm.good", "pixel", "Size of a template.", "template", reduce="ratio")
METRICS = {metric.name: metric for metric in (CENSUS, SIZE)}


def count(value, rerun="new"):
    """Return a complete count over two visits."""
    return Quantity(CENSUS, rerun, np.array([1, 2]), np.array([value, 0.0]))


def size(values, rerun="new"):
    """Return a mean over visits, which has an uncertainty."""
    return Quantity(SIZE, rerun, np.arange(len(values)), np.array(values, float), np.ones(len(values)))


def written(job, tmp_path):
    """Return a job after it was written, accepted and read."""
    content = write_verify_job(job)
    accept(content)
    path = tmp_path / "a.verify.json"
    path.write_bytes(content)
    return read_verify_job(path)


def test_goes_out_and_comes_in(tmp_path):
    """Names have two parts; values, units, metadata and what belongs to a number are there again."""
    quantities = [count(3.0), size([4.0, 4.5, 5.0])]
    verdict = within(quantities[0], 0, 5)
    job = written(job_of([q.measurement() for q in quantities], METRICS, [verdict], meta={"dataset": "demo"}), tmp_path)
    assert {name: (each.value, each.unit) for name, each in job.measurements.items()} == {
        "dia.numBad": (3.0, "ct"),
        "template.psfFwhm_good": (4.5, "pixel"),
    }
    assert job.meta == {"rerun": "new", "dataset": "demo"}
    assert job.metrics["template.psfFwhm_good"].description == "Size of a template."
    blob = job.blobs[job.measurements["template.psfFwhm_good"].blobs[0]]
    assert blob["name"] == "template.psfFwhm_good"
    assert blob["data"]["name"]["value"] == "template.psfFwhm.good"
    assert blob["data"]["uncertainty"]["value"] == pytest.approx(math.sqrt(1 / 12))
    assert blob["data"]["uncertainty"]["unit"] == "pixel"
    assert blob["data"]["n_units"]["value"] == 3
    other = job.blobs[job.measurements["dia.numBad"].blobs[0]]
    assert other["data"]["verdicts"]["value"] == f"PASS: {verdict.sentence}"
    assert "name" not in other["data"]
    identifiers = [*job.blobs, *(each.identifier for each in job.measurements.values())]
    assert len(set(identifiers)) == 4
    assert all(len(identifier) == 32 and int(identifier, 16) for identifier in identifiers)


def test_same_measurements_same_bytes():
    """Identifiers are no chance: the same content is the same file."""
    first, second = (
        write_verify_job(job_of([count(3.0).measurement()], METRICS, [within(count(3.0), 0, 5)])) for _ in range(2)
    )
    assert first == second
    assert set(job_of([count(3.0).measurement()], METRICS).blobs).isdisjoint(
        job_of([count(4.0).measurement()], METRICS).blobs
    )


@pytest.mark.parametrize("value", [0.0, 1.0, 2.0, 3.0, 4.0])
@pytest.mark.parametrize(
    ("rule", "bounds"),
    [
        (lambda quantity: within(quantity, 1, 3), {"within_low": (">=", 1.0), "within_high": ("<=", 3.0)}),
        (lambda quantity: below(quantity, 2.0), {"below_high": ("<", 2.0)}),
        (lambda quantity: above(quantity, 2.0), {"above_low": (">", 2.0)}),
        (
            lambda quantity: unchanged(quantity, count(2.0, "old"), atol=1.0),
            {"unchanged_low": (">=", 1.0), "unchanged_high": ("<=", 3.0)},
        ),
        (
            lambda quantity: unchanged(quantity, count(2.0, "old"), rtol=0.5, direction="lower_is_better"),
            {"unchanged_high": ("<=", 3.0)},
        ),
        (
            lambda quantity: unchanged(quantity, Accepted(2.0, 0.0, "ct", CENSUS.definition_digest), atol=1.0),
            {"unchanged_low": (">=", 1.0), "unchanged_high": ("<=", 3.0)},
        ),
    ],
)
def test_bounds_decide_as_the_verdict_does(tmp_path, value, rule, bounds):
    """The specifications of an exact number, judged after their journey, hold where the harness's own verdict did."""
    quantity = count(value)
    verdict = rule(quantity)
    job = written(job_of([quantity.measurement()], METRICS, [verdict]), tmp_path)
    assert {s.name.split(".")[2]: (s.operator, s.threshold) for s in job.specifications} == bounds
    states = {again.state for again in judge_job(job, "again")}
    assert (states == {VerdictState.PASS}) == (verdict.state is VerdictState.PASS)


def test_what_bounds_no_value_is_no_specification():
    """Ratios, shares of visits, and changes over some visits only are about something else than the value."""
    ours, theirs = size([4.0, 4.5, 5.0]), size([4.1, 4.6, 5.2], "old")
    other = Quantity(SIZE, "old", np.arange(1, 4), np.array([4.5, 5.0, 9.0]), np.ones(3))
    verdicts = [
        agrees_with(ours, theirs, rtol=0.1),
        agrees_with(ours, size([4.5, 4.5, 4.5], "old"), rtol=0.1),  # whose ratio and difference are alike: none
        below(ours, theirs, for_at_least=0.5),
        above(ours, 3.5, for_at_least=0.5),  # in all visits: a share of 1, and 1 more
        unchanged(ours, other, rtol=0.5),
        within(size([math.nan]), 0, 1),
    ]
    assert len({verdict.state for verdict in verdicts}) > 1
    assert job_of([ours.measurement()], METRICS, verdicts).specifications == ()


def test_several_verdicts_have_names_of_their_own():
    """Bounds of the same kind are numbered, as a name is given once."""
    quantity = count(2.0)
    job = job_of([quantity.measurement()], METRICS, [within(quantity, 0, 3), within(quantity, 1, 5)])
    names = [specification.name.split(".")[2] for specification in job.specifications]
    assert names == ["within_low", "within_high", "within_low2", "within_high2"]


def test_verdicts_about_others_are_left_out():
    """A verdict of another rerun or data ID, or of another metric, bounds nothing here."""
    job = job_of(
        [size([4.0, 5.0]).measurement()], METRICS, [within(count(2.0), 0, 3), within(size([4.0], "old"), 0, 9)]
    )
    assert job.specifications == ()
    assert not any("verdicts" in blob["data"] for blob in job.blobs.values())


def test_a_number_that_is_not_there(tmp_path):
    """What was not measured goes out as NaN, which the reader takes, and comes in as not measured."""
    job = written(job_of([size([math.nan]).measurement()], METRICS), tmp_path)
    absent = job.measurements["template.psfFwhm_good"]
    assert not absent.is_measured
    assert absent.unit == "pixel"
    extras = job.blobs[absent.blobs[0]]["data"]
    assert "not finite" in extras["detail"]["value"]
    assert "uncertainty" not in extras


def test_a_data_id_is_in_the_metadata(tmp_path):
    """A job of one visit says so."""
    quantity = Quantity(CENSUS, "new", np.array([7]), np.array([1.0]), data_id=DataId(instrument="DECam", visit=7))
    verdicts = [within(quantity, 0, 3), within(count(2.0), 0, 9)]
    job = written(job_of([quantity.measurement()], METRICS, verdicts), tmp_path)
    assert job.meta == {"rerun": "new", "instrument": "DECam", "visit": 7}
    assert [specification.threshold for specification in job.specifications] == [0.0, 3.0]


def test_one_job_one_subject():
    """Several reruns do not fit into one job."""
    with pytest.raises(UsageError, match=r"^a job holds one rerun, or one data ID of it, and not new, old$"):
        job_of([count(1.0).measurement(), size([1.0, 2.0], "old").measurement()], METRICS)


def test_names_that_fall_together():
    """Two metrics whose names become one are refused."""
    twin = Metric("template.psfFwhm_good", "pixel", "Another.", "template", census=True)
    other = Quantity(twin, "new", np.array([1]), np.array([1.0]))
    with pytest.raises(UsageError, match=r"^template\.psfFwhm\.good and template\.psfFwhm_good are both called"):
        job_of([size([1.0]).measurement(), other.measurement()], {**METRICS, twin.name: twin})


def test_every_metric_of_the_harness_can_go_out(tmp_path):
    """No two names fall together, every unit is one, and the reader takes them all."""
    catalogue = all_metrics(Settings())
    assert len({exchanged_name(name) for name in catalogue}) == len(catalogue)
    measurements = [
        Quantity(
            metric, "new", np.array([1]), np.array([1.5]), np.array([2.0]) if metric.reduce == "ratio" else None
        ).measurement()
        for metric in catalogue.values()
    ]
    assert len(written(job_of(measurements, catalogue), tmp_path).measurements) == len(catalogue)
