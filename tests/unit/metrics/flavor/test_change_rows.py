"""Two flavors side by side, injection by injection, against simulations whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from injected_frames import detectors, injections, measured
from scipy import stats

from harness.judge import level, within
from harness.judge.counting import exchange_interval
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.change_rows import change_rows, pair_injections, why_incomparable
from harness.metrics.flavor.stages import STAGES, Stage
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings
from harness.model import VerdictState

ALL = (Stage(""),)
MEASURED = ("flavor.pullChange", "flavor.absolutePullChange", "flavor.magChange", "flavor.separationChange")


def rows_of(ours, theirs, visits=(1,), stages=ALL):
    """Return the rows of two frames of injections."""
    return change_rows(pair_injections(ours, theirs), detectors(*visits), stages, Settings(), "HSC")


def numbers(ours, theirs, visits=(1,), stages=ALL):
    """Return the metrics of two frames of injections as the judge sees them."""
    return measured(rows_of(ours, theirs, visits, stages))


def said(ours, theirs, **more):
    """Return all numerators and details."""
    return [(row["metric"], row["numerator"], row["detail"]) for row in rows_of(ours, theirs, **more).to_pylist()]


def test_every_metric_of_the_group_has_rows_at_every_stage():
    """The names are those of the catalogue but for curves and configurations, one row for a visit and detector each."""
    rows = rows_of(injections(), injections(), stages=[Stage(name) for name in STAGES])
    wanted = [
        metric.name
        for metric in flavor_catalogue(Settings()).values()
        if metric.group == "flavor_change" and not ("50Change" in metric.name or "Config" in metric.name)
    ]
    assert rows.schema == rows_schema()
    assert sorted(rows["metric"].to_pylist()) == sorted(wanted)
    assert {(row["instrument"], row["visit"], row["detector"], row["band"]) for row in rows.to_pylist()} == {
        ("HSC", 1, 0, "g")
    }


def test_injections_are_paired_by_visit_detector_and_number():
    """What only one side has is left out, and the same number in another visit is another injection."""
    ours = injections(injectionId=[1, 2, 3, 1], visit=[1, 1, 1, 2], sourceFlux=[11.0, 12, 13, 21])
    theirs = injections(injectionId=[4, 3, 1, 1], visit=[1, 1, 1, 3], sourceFlux=[14.0, 33, 31, 99])
    pairs = pair_injections(ours, theirs).sort("injectionId")
    assert pairs.select("visit", "injectionId", "sourceFlux", "sourceFlux_reference").rows() == [
        (1, 1, 11, 31),
        (1, 3, 13, 33),
    ]
    assert numbers(ours, theirs, visits=(1, 2))["flavor.numCommon"].value == 2


def test_gained_and_lost_are_those_that_one_side_found():
    """Found by both, by neither, by either: each is counted where it belongs, by visit."""
    ours = injections(visit=[1, 1, 1, 1, 2, 2], diaSourceId=[5, 5, 0, 0, 5, 5])
    theirs = injections(visit=[1, 1, 1, 1, 2, 2], diaSourceId=[7, 0, 7, 0, 0, 0])
    result = numbers(ours, theirs, visits=(1, 2, 3))
    assert result["flavor.numCommon"].numerator.tolist() == [4, 2, 0]
    assert result["flavor.numGained"].numerator.tolist() == [1, 2, 0]
    assert result["flavor.numLost"].numerator.tolist() == [1, 0, 0]
    change = result["flavor.efficiencyChange"]
    assert change.units.tolist() == [1, 2]
    assert change.numerator.tolist() == [0, 2]
    assert change.denominator.tolist() == [4, 2]
    assert change.value == pytest.approx(2 / 6)


def test_at_a_stage_found_means_found_and_left():
    """A source that the flags of one side reject is lost there, although both found it."""
    frame = injections(diaSourceId=[5, 5, 5, 0])
    ours = frame.with_columns(good_S6=pl.Series([True, True, False, False]))
    theirs = frame.with_columns(good_S6=pl.Series([True, False, False, False]))
    result = numbers(ours, theirs, stages=(Stage(""), Stage("S6")))
    assert result["flavor.numGained"].value == 0
    assert result["flavor.numGained.S6"].value == 1
    assert result["flavor.numLost.S6"].value == 0
    assert result["flavor.efficiencyChange.S6"].value == 0.25
    assert result["flavor.pullChange.S6"].denominator.tolist() == [1]
    assert result["flavor.pullChange"].denominator.tolist() == [3]


def test_uncertainty_tells_gained_and_lost():
    """One visit of two detectors: net and uncertainty give back gained and lost, whose law the interval is."""
    found = np.array([True] * 40 + [False] * 60)
    ours, theirs = np.zeros(100, int), np.zeros(100, int)
    ours[:20], theirs[14:25] = 1, 1  # 14 gained, 5 lost
    detector = np.where(found, 0, 1)
    frames = (injections(diaSourceId=ids, detector=detector) for ids in (ours, theirs))
    places = pl.concat([detectors(1), detectors(1).with_columns(detector=pl.lit(1, pl.Int32))])
    rows = change_rows(pair_injections(*frames), places, ALL, Settings(), "HSC")
    (quantity,) = (measured(rows)["flavor.efficiencyChange"],)
    assert quantity.uncertainty[0] == pytest.approx(math.sqrt(19) / 100)
    law = exchange_interval(14, 5, 0.99)
    estimate = level(quantity)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((law.low / 100, law.high / 100))
    assert estimate.method == "injections, each seen by both"


def test_changes_of_what_was_measured():
    """Signs are those of rerun less reference, of sources and of their negative twins in the template."""
    ours = injections(flux=[1000.0, -1000], sourceFlux=[1020.0, -1020], sourceFluxErr=10.0, separation=0.2)
    theirs = injections(flux=[1000.0, -1000], sourceFlux=[990.0, -990], sourceFluxErr=20.0, separation=0.05)
    result = numbers(ours, theirs)
    assert result["flavor.pullChange"].value == pytest.approx(((2 + 0.5) + (-2 - 0.5)) / 2)
    assert result["flavor.absolutePullChange"].value == pytest.approx(math.sqrt(math.pi / 2) * 1.5)
    assert result["flavor.magChange"].value == pytest.approx(-2.5 * math.log10(1020 / 990))
    assert result["flavor.separationChange"].value == pytest.approx(150)


def test_only_bright_injections_that_both_found_are_measured():
    """Faint by the reference, or found by one side alone: no part of a change."""
    ours = injections(snr=[9.9, 100, 100, 100], diaSourceId=[1, 1, 0, 1], sourceFlux=[1010.0, 0, 0, 0])
    theirs = injections(snr=[10.0, 9, 100, 100], diaSourceId=[1, 1, 1, 0])
    result = numbers(ours, theirs)
    for name in MEASURED:
        assert result[name].denominator.tolist() == [1], name
    assert result["flavor.pullChange"].value == 1


def test_without_bright_injections_nothing_is_measured():
    """Every row says why, and which injections were found is told all the same."""
    ours, theirs = injections(snr=5.0), injections(snr=5.0)
    reasons = {name: detail for name, _, detail in said(ours, theirs, stages=(Stage("S6"),))}
    for name in MEASURED:
        assert reasons[f"{name}.S6"] == (
            "both reruns found no injection of signal-to-noise 10 or more whose source S6 leaves"
        )
        assert math.isnan(numbers(ours, theirs)[name].value)
    assert numbers(ours, theirs)["flavor.efficiencyChange"].value == 0


def test_what_one_side_did_not_measure_has_no_change():
    """A NaN flux leaves the changes of the others; how many there are is counted of each rerun by itself."""
    ours = injections(sourceFlux=[1000.0, math.nan], separation=[0.1, 0.1])
    result = numbers(ours, injections(injectionId=[1, 2]))
    assert result["flavor.pullChange"].denominator.tolist() == [1]
    assert result["flavor.magChange"].denominator.tolist() == [1]
    assert result["flavor.separationChange"].value == pytest.approx(100)
    assert result["flavor.numCommon"].value == 2


def test_what_one_side_measured_of_none_is_named():
    """Without any flux there is no change, and the reason is told."""
    ours = injections(sourceFlux=[math.nan, math.nan], separation=[0.1, 0.1])
    reasons = {name: detail for name, value, detail in said(ours, injections(injectionId=[1, 2])) if math.isnan(value)}
    assert reasons == {
        **dict.fromkeys(
            ("flavor.pullChange", "flavor.absolutePullChange"),
            "all 2 injections have no finite flux with a finite error above 0 in one of the reruns",
        ),
        "flavor.magChange": "all 2 injections have no finite flux in one of the reruns",
    }


def test_a_source_of_the_wrong_sign_has_no_magnitude():
    """A negative measurement of a positive injection changes its pull, and no magnitude."""
    result = numbers(injections(sourceFlux=[-1000.0, 1000]), injections(injectionId=[1, 2]))
    assert result["flavor.magChange"].denominator.tolist() == [1]
    assert result["flavor.magChange"].value == 0
    assert result["flavor.pullChange"].value == -100


def test_a_stage_that_is_not_available_says_why():
    """One row of the whole rerun for each of its metrics, and none of the others changes."""
    rows = said(injections(), injections(), stages=(Stage(""), Stage("A5", "flag list A5 needs nodata")))
    missing = [(name, detail) for name, value, detail in rows if math.isnan(value)]
    assert len(missing) == 7
    assert all(name.endswith(".A5") and detail == "flag list A5 needs nodata" for name, detail in missing)


def test_without_a_common_injection_nothing_is_measured():
    """Other numbers, other visits, or none at all: every metric says so."""
    for ours, theirs in (
        (injections(injectionId=[1]), injections(injectionId=[2])),
        (injections(visit=1), injections(visit=2)),
        (injections().clear(), injections().clear()),
    ):
        rows = said(ours, theirs)
        assert len(rows) == 8
        assert all(math.isnan(value) and "have no injection in common" in detail for _, value, detail in rows)


@pytest.mark.parametrize(
    ("change", "how"),
    [
        ({"dec": [2.0, 2.0 + 0.6 / 3600]}, "0.6 arcsec from that of the reference"),
        ({"ra": [150.0, 150.01]}, "36 arcsec from"),
        ({"flux": [1000.0, 1011.0]}, "of 1000 nJy, and of 1011 nJy in the reference"),
        ({"flux": [1000.0, -1000.0]}, "of 1000 nJy, and of -1000 nJy in the reference"),
    ],
)
def test_other_injections_of_the_same_numbers_are_never_compared(change, how):
    """Two catalogues that number different injections alike are named, and nothing is measured."""
    rows = said(injections(injectionId=[1, 2]), injections(**change))
    assert len(rows) == 8
    for _, value, detail in rows:
        assert math.isnan(value)
        assert "are not the same: 1 of 2 differ, such as injection 2 of visit 1, detector 0, " in detail
        assert how in detail


def test_the_same_injections_may_differ_by_rounding():
    """Across the origin of right ascension, in the last digits, and with a flux that neither knows: the same."""
    ours = injections(ra=[1e-6, 150.0], flux=[1000.0, math.nan])
    theirs = injections(ra=[360 - 1e-6, 150.0 + 1e-8], flux=[1001.0, math.nan])
    assert why_incomparable(pair_injections(ours, theirs), 0.5) == ""


def flavor_pair(rng, *, n_visits=12, per_visit=150, shared=0.8, better=0.0, scatter=0.2):
    """Return injections of two flavors that see the same sky: noise partly shared, each visit favouring one."""
    n = n_visits * per_visit
    visit = np.repeat(np.arange(1, n_visits + 1), per_visit)
    snr, common = rng.uniform(2, 9, n), rng.normal(0, math.sqrt(shared), n)
    shift = better + rng.normal(0, scatter, n_visits)[visit - 1]
    ours, theirs = (snr + common + rng.normal(0, math.sqrt(1 - shared), n) for _ in range(2))
    return (injections(visit=visit, snr=snr, diaSourceId=found.astype(int)) for found in (ours + shift > 5, theirs > 5))


@pytest.mark.slow
def test_equal_flavors_fail_no_more_often_than_promised():
    """From frames to verdict, with nothing allowed: at most 1 % fail."""
    rng = np.random.default_rng(21)
    visits = range(1, 13)
    failed = sum(
        within(numbers(*flavor_pair(rng), visits)["flavor.efficiencyChange"], 0, 0).state is VerdictState.FAIL
        for _ in range(300)
    )
    assert failed <= stats.binom.isf(1e-3, 300, 0.01)


@pytest.mark.slow
def test_a_better_flavor_is_told_apart():
    """One that sees everything 0.7 sigma deeper is outside of one per cent nearly always."""
    rng = np.random.default_rng(22)
    visits = range(1, 13)
    shown = [
        within(numbers(*flavor_pair(rng, better=0.7), visits)["flavor.efficiencyChange"], -0.01, 0.01).state
        for _ in range(60)
    ]
    assert shown.count(VerdictState.FAIL) >= 54
