"""Verdicts about amplifiers: one by one, against a reference, a baseline, or another estimate."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from acceptances import acceptance

from harness.baseline.amplifiers import amplifier_key
from harness.baseline.model import (
    AgreesWith,
    AmplifierValue,
    Baseline,
    Entry,
    Original,
    Unchanged,
)
from harness.measure.measurements import Measurements
from harness.measure.store import Manifest
from harness.metrics.ptc.catalogue import ptc_catalogue
from harness.metrics.rows import rows_schema
from harness.model import DataId
from harness.verification import Verification

CATALOGUE = ptc_catalogue()
STORY = acceptance(16)
NAMES = [f"C{i}{j}" for i in (1, 0) for j in range(8)]
GAINS = dict(zip(NAMES, np.linspace(1.3, 1.7, 16).tolist(), strict=True))
C06 = DataId(detector=94, amplifier="C06")


def _measured(rerun="new", *, error=0.001, **metrics):
    """Return measurements of one detector: by default its gains, else what is given by metric and amplifier."""
    rows = [
        {
            "metric": name.replace("_", "."),
            "detector": 94,
            "amplifier": amplifier,
            "numerator": value,
            "denominator": 1.0,
            "uncertainty": error,
        }
        for name, values in (metrics or {"ptc_gain": GAINS}).items()
        for amplifier, value in values.items()
    ]
    manifest = Manifest(rerun, f"/repo/{rerun}", "own", {}, (), rerun, rerun, "0.1.0", datasets={"t": rerun})
    return Measurements(rerun, manifest, pa.Table.from_pylist(rows, schema=rows_schema()), CATALOGUE, {})


def _baseline(expectation, name="ptc.gain", amplifiers=None):
    metric = CATALOGUE[name]
    kept = {amplifier_key({"detector": 94, "amplifier": at}): value for at, value in (amplifiers or {}).items()}
    entry = Entry(
        value=1.5,
        uncertainty=0.001,
        unit=metric.unit,
        definition=metric.definition_digest,
        expectation=expectation,
        direction="both",
        accepted="story",
        original=Original(value=1.5, accepted="story"),
        amplifiers={key: AmplifierValue(value=value, uncertainty=0.001) for key, value in kept.items()},
    )
    return Baseline(dataset="mine", acceptances={"story": STORY}, metrics={name: entry})


def test_units_are_amplifiers():
    """Amplifiers are paired by detector and name, whatever order their rows have."""
    new, old = _measured(), _measured("old", ptc_gain=dict(reversed(GAINS.items())))
    assert new["ptc.gain"].n_units == 16
    np.testing.assert_array_equal(new["ptc.gain"].units, old["ptc.gain"].units)
    np.testing.assert_array_equal(new["ptc.gain"].numerator, old["ptc.gain"].numerator)
    assert [str(place) for place in new.amplifiers][:2] == ["detector 94, amplifier C00", "detector 94, amplifier C01"]


def test_detectors_keep_their_amplifiers_apart():
    """C06 of one detector is another amplifier than C06 of the next."""
    rows = [
        {"metric": "ptc.gain", "detector": detector, "amplifier": "C06", "numerator": 1.5, "denominator": 1.0}
        for detector in (94, 95, None)
    ]
    table = pa.Table.from_pylist(rows, schema=rows_schema())
    some = Measurements("new", None, table, CATALOGUE, {})
    assert some["ptc.gain"].n_units == 3
    assert [dict(place) for place in some.amplifiers] == [
        {"amplifier": "C06"},
        {"detector": 94, "amplifier": "C06"},
        {"detector": 95, "amplifier": "C06"},
    ]


@pytest.mark.parametrize(("factor", "state"), [(1.0, "PASS"), (1.01, "FAIL")])
def test_one_amplifier_is_held_against_itself(factor, state):
    """A percent in one of 16 amplifiers is seen there, by its stated uncertainty."""
    new = _measured(ptc_gain=GAINS | {"C06": GAINS["C06"] * factor})
    verification = Verification(new, _measured("old"), _baseline(Unchanged(rtol=0.005, atol=0.0)), "mine")
    verdict = verification.as_baselined(new["ptc.gain", C06])
    assert verdict.state == state
    assert verdict.place == "detector 94, amplifier C06"
    assert verification.as_baselined(new["ptc.gain"]).state != "FAIL"


def test_baseline_keeps_each_amplifier():
    """Without the reference rerun, the accepted value of the amplifier remains."""
    new = _measured()
    swapped = GAINS | {"C06": GAINS["C07"], "C07": GAINS["C06"]}
    for accepted, state in ((GAINS, "PASS"), (swapped, "FAIL")):
        baseline = _baseline(Unchanged(rtol=0.01, atol=0.0), amplifiers=accepted)
        verdict = Verification(new, None, baseline, "mine").as_baselined(new["ptc.gain", C06])
        assert verdict.state == state


def test_amplifier_that_no_reference_has_is_not_comparable():
    """Absence is no agreement."""
    new = _measured()
    verdict = Verification(new, None, _baseline(Unchanged(rtol=1.0, atol=0.0)), "mine").as_baselined(
        new["ptc.gain", C06]
    )
    assert verdict.state == "NOT_COMPARABLE"
    assert "no reference rerun that has detector 94, amplifier C06" in verdict.sentence


def test_estimates_agree_after_their_predicted_offset():
    """A slope is held against the gain of the same amplifier, freed of the offset that its own metric predicts."""
    offset = dict.fromkeys(NAMES, 0.09)
    slope = {name: gain * 1.09 for name, gain in GAINS.items()}
    metrics = {"ptc_gain": GAINS, "ptc_gainSlope": slope, "ptc_offset_gainSlope": offset}
    new = _measured(**metrics)
    baseline = _baseline(AgreesWith(metric="ptc.gain", rtol=0.005), "ptc.gainSlope")
    verification = Verification(new, None, baseline, "mine")
    assert verification.as_baselined(new["ptc.gainSlope"]).state == "PASS"
    verdict = verification.as_baselined(new["ptc.gainSlope", C06])
    assert verdict.state == "PASS"
    wrong = _measured(**metrics | {"ptc_gainSlope": slope | {"C06": slope["C06"] * 1.01}})
    verdict = Verification(wrong, None, baseline, "mine").as_baselined(wrong["ptc.gainSlope", C06])
    assert verdict.state == "FAIL"
    assert "+9.0 % predicted, +1.00 % unexplained" in verdict.sentence


HALVES_SWAPPED = dict(zip(NAMES, [*list(GAINS.values())[8:], *list(GAINS.values())[:8]], strict=True))


def _noisy(gains, seed=1):
    """Return the same gains with noise of 0.001."""
    noise = np.random.default_rng(seed).normal(0, 0.001, len(gains))
    return {name: value + each for (name, value), each in zip(gains.items(), noise, strict=True)}


@pytest.mark.parametrize(("gains", "state"), [(GAINS, "PASS"), (HALVES_SWAPPED, "FAIL")], ids=["same", "permuted"])
class TestOrder:
    """A permutation keeps every mean, and is found against whatever there is to hold it against."""

    def test_against_the_reference(self, gains, state):
        """The reference's amplifiers tell, and the verdict names who holds whose values."""
        new = _measured(ptc_gain=_noisy(gains))
        verdict = Verification(new, _measured("old"), None, "").in_order(new["ptc.gain"])
        assert verdict.state == state
        assert verdict.against == "old"
        if state == "FAIL":
            assert verdict.sentence == (
                "ptc.gain: amplifiers have changed places against old: in detector 94 "
                "C00..C07 hold the values of C10..C17, C10..C17 those of C00..C07"
            )

    def test_against_the_baseline(self, gains, state):
        """Without a reference, the accepted values of single amplifiers do."""
        new = _measured(ptc_gain=_noisy(gains))
        baseline = _baseline(Unchanged(rtol=0.5, atol=0.0), amplifiers=GAINS)
        verdict = Verification(new, None, baseline, "mine").in_order(new["ptc.gain"])
        assert (verdict.state, verdict.against) == (state, "baseline mine")
        assert Verification(new, None, baseline, "mine").as_baselined(new["ptc.gain"]).state == "PASS"

    def test_reference_goes_before_the_baseline(self, gains, state):
        """Where there are both, the order is the reference's."""
        new = _measured(ptc_gain=_noisy(gains))
        baseline = _baseline(Unchanged(rtol=0.5, atol=0.0), amplifiers=dict(zip(NAMES, GAINS.values(), strict=True)))
        verdict = Verification(new, _measured("old", ptc_gain=gains), baseline, "mine").in_order(new["ptc.gain"])
        assert (verdict.state, verdict.against) == ("PASS", "old")

    def test_against_what_it_has_to_agree_with(self, gains, state):
        """A metric expected to agree with another one is held against that, with a common factor between them."""
        record = {name: 1.05 * value for name, value in GAINS.items()}
        new = _measured(ptc_gain=_noisy(gains), eotest_ptcGain=record)
        baseline = _baseline(AgreesWith(metric="eotest.ptcGain", rtol=0.01))
        old = _measured("old", ptc_gain=gains)
        verdict = Verification(new, old, baseline, "mine").in_order(new["ptc.gain"])
        assert (verdict.state, verdict.against) == (state, "eotest.ptcGain")


def _order(new, old, **baseline):
    return Verification(new, old, baseline.get("baseline"), "mine").in_order(new["ptc.gain"])


def test_order_of_amplifiers_that_are_alike_is_unknown():
    """Gains that differ by less than their noise do not tell in which order they stand: that is no pass."""
    alike = dict.fromkeys(NAMES, 1.5)
    verdict = _order(_measured(ptc_gain=_noisy(alike)), _measured("old", ptc_gain=_noisy(alike, 2)))
    assert verdict.state == "INCONCLUSIVE"
    assert "cannot tell whether amplifiers have changed places in detector 94: " in verdict.sentence


def test_noise_decides_what_an_order_can_be_told_from():
    """The same gains with a larger stated error tell nothing."""
    new, old = (_measured(name, error=0.2) for name in ("new", "old"))
    assert _order(new, old).state == "INCONCLUSIVE"


def test_single_amplifier_is_in_order():
    """One amplifier has nobody to change places with."""
    new, old = (_measured(name, ptc_gain={"C06": 1.5}) for name in ("new", "old"))
    assert _order(new, old).state == "PASS"


def test_amplifiers_without_a_value_are_left_out():
    """What one side could not measure, or is not positive, says nothing; the others still tell."""
    for bad in (float("nan"), 0.0, -1.5):
        new = _measured(ptc_gain=_noisy(HALVES_SWAPPED) | {"C06": bad})
        assert _order(new, _measured("old")).state == "FAIL"
        nothing = _measured(ptc_gain=dict.fromkeys(NAMES, bad))
        assert _order(nothing, _measured("old")).state == "NOT_MEASURED"


def test_order_without_anything_to_hold_it_against_is_not_comparable():
    """Neither reference nor entry: absence is no agreement."""
    verdict = _order(_measured(), None)
    assert verdict.state == "NOT_COMPARABLE"
    assert "there is no baseline mine" in verdict.sentence


def test_order_by_an_entry_without_amplifiers_is_not_measured():
    """A mean has no order."""
    assert _order(_measured(), None, baseline=_baseline(Unchanged(rtol=0.5, atol=0.0))).state == "NOT_MEASURED"


def test_each_detector_has_an_order_of_its_own():
    """An amplifier is paired with the one of its own detector, and the one that was permuted is named."""
    rows = {"metric": "ptc.gain", "denominator": 1.0, "uncertainty": 0.001}

    def measured(rerun, *sensors):
        table = [
            rows | {"detector": None if name else 94 + i, "amplifier": f"{name}{amplifier}", "numerator": value}
            for i, (name, gains) in enumerate(sensors)
            for amplifier, value in gains.items()
        ]
        return Measurements(rerun, _measured().manifest, pa.Table.from_pylist(table, rows_schema()), CATALOGUE, {})

    old = measured("old", ("", GAINS), ("", GAINS), ("R22_S11_", GAINS))
    new = measured("new", ("", GAINS), ("", HALVES_SWAPPED), ("R22_S11_", HALVES_SWAPPED))
    verdict = _order(new, old)
    assert verdict.state == "FAIL"
    assert (verdict.estimate, verdict.n_units) == (2, 3)
    assert " R22_S11, detector 95 C00..C07 hold " in verdict.sentence


def test_verdict_says_whose_values_an_amplifier_holds():
    """Shifted by one, each holds what the next one had, and not the other way round."""
    by_name = sorted(NAMES)
    shifted = {name: GAINS[by_name[i - 15]] for i, name in enumerate(by_name)}
    sentence = _order(_measured(ptc_gain=_noisy(shifted)), _measured("old")).sentence
    assert sentence.endswith(
        "C00..C06 hold the values of C01..C07, C07 those of C10, C10..C16 those of C11..C17, C17 those of C00"
    )
