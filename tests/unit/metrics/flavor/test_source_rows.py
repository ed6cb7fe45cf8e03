"""What the DIA sources of a flavor are like, against numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from injected_frames import detectors, measured, sources

from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.source_rows import source_rows
from harness.metrics.flavor.stages import STAGES, Stage
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

ALL = (Stage(""),)
METRICS = ("flavor.fracNegative", "flavor.medianSnr", "flavor.medianFlux", "flavor.medianFluxErr")


def numbers(frame, *visits, stages=ALL):
    """Return the value of every metric."""
    quantities = measured(source_rows(frame, detectors(*visits), stages, "HSC"))
    return {name: quantities[name].value for name in quantities}


def test_every_metric_of_its_group_has_rows_at_every_stage():
    """The names are those of the catalogue, each with one row for a visit and detector."""
    rows = source_rows(sources(), detectors(1), [Stage(name) for name in STAGES], "HSC")
    wanted = [m.name for m in flavor_catalogue(Settings()).values() if m.group == "flavor_source"]
    assert rows.schema == rows_schema()
    assert sorted(rows["metric"].to_pylist()) == sorted(wanted)
    assert {(row["instrument"], row["visit"], row["detector"], row["band"]) for row in rows.to_pylist()} == {
        ("HSC", 1, 0, "g")
    }


def test_medians_and_shares_are_numpys():
    """Medians of amounts, averaged over detectors; a share of all sources."""
    rng = np.random.default_rng(3)
    visit = rng.choice([1, 2, 3], 1000, p=[0.6, 0.3, 0.1])
    flux, error = rng.normal(30, 100, 1000) * visit, rng.uniform(5, 10, 1000) * visit
    frame = sources(visit=visit, flux=flux, fluxErr=error, snr=flux / error)
    of_each = [
        [np.median(values[visit == each]) for each in (1, 2, 3)] for values in (abs(flux / error), abs(flux), error)
    ]
    found = numbers(frame, 1, 2, 3)
    assert found["flavor.fracNegative"] == (flux < 0).mean()
    assert [found[metric] for metric in METRICS[1:]] == pytest.approx(np.mean(of_each, axis=1))


def test_a_detector_without_sources_has_no_median():
    """It neither counts in the mean of medians nor is it left out of the rows."""
    rows = source_rows(sources(visit=2), detectors(1, 2), ALL, "HSC").to_pylist()
    for metric in METRICS:
        assert [(r["visit"], r["denominator"]) for r in rows if r["metric"] == metric] == [(1, 0), (2, 1)]
    assert numbers(sources(visit=2), 1, 2)["flavor.medianFlux"] == 100


def test_unknown_numbers_count_in_nothing_that_needs_them():
    """A source without a finite flux is neither positive nor negative, and moves no median of fluxes."""
    frame = sources(
        flux=[-3.0, 5, 7, np.nan, -np.inf, 0], fluxErr=[1.0, 2, 6, np.nan, np.inf, 3], snr=[2.0, *[np.nan] * 5]
    )
    assert numbers(frame, 1) == {
        "flavor.fracNegative": 1 / 4,
        "flavor.medianSnr": 2,
        "flavor.medianFlux": 4,
        "flavor.medianFluxErr": 2.5,
    }


def test_a_number_that_no_source_has_is_named():
    """A column that is empty throughout is not measured, and the reason names it."""
    frame = sources(fluxErr=np.nan, snr=np.nan)
    rows = {row["metric"]: row for row in source_rows(frame, detectors(1), ALL, "HSC").to_pylist()}
    assert rows["flavor.medianFluxErr"]["detail"] == "no DIA source has a flux error"
    assert rows["flavor.medianSnr"]["detail"] == "no DIA source has a signal-to-noise"
    assert rows["flavor.medianFlux"]["detail"] is None
    assert math.isnan(numbers(frame, 1)["flavor.medianFluxErr"])


def test_no_source_is_no_reason():
    """A visit without any source has rows of zeros without a remark, since others may have some."""
    for frame in (sources().clear(), sources(good_S6=False)):
        for row in source_rows(frame, detectors(1), [Stage("S6")], "HSC").to_pylist():
            assert (row["numerator"], row["denominator"], row["detail"]) == (0, 0, None)


def test_each_stage_has_the_sources_that_it_leaves():
    """Every list of flags has its own numbers; one whose flags are missing says so once."""
    stages = [Stage(""), Stage("S6"), Stage("A5", "flag list A5 needs nodata")]
    frame = sources(flux=[-1.0, 2, 6], good_S6=[False, True, None])
    found = numbers(frame, 1, stages=stages)
    assert (found["flavor.fracNegative"], found["flavor.medianFlux"]) == (1 / 3, 2)
    assert (found["flavor.fracNegative.S6"], found["flavor.medianFlux.S6"]) == (0, 2)
    rows = source_rows(frame, detectors(1, 2), stages, "HSC").to_pylist()
    missing = [row for row in rows if row["metric"].endswith(".A5")]
    assert sorted(row["metric"] for row in missing) == sorted(f"{metric}.A5" for metric in METRICS)
    for row in missing:
        assert (row["visit"], row["detail"]) == (None, "flag list A5 needs nodata")
        assert math.isnan(row["numerator"])


def test_the_order_of_the_rows_does_not_matter():
    """Shuffled sources give the very same numbers."""
    flux = np.random.default_rng(2).normal(0, 100, 500)
    frame = sources(flux=flux, visit=1 + np.arange(500) % 3)
    one, other = (
        source_rows(each, detectors(1, 2, 3), ALL, "HSC")
        for each in (frame, frame.sample(fraction=1, shuffle=True, seed=1))
    )
    assert one.equals(other)
