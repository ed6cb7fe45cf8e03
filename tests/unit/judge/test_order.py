"""Verdicts about the order of amplifiers."""

from __future__ import annotations

import pytest

from harness.judge.order import in_order
from harness.metrics.ptc.amplifier_order import Order
from harness.model import Interval

SAME = Order({}, known=True, evidence=-40.0)
ALIKE = Order({}, known=False, evidence=-3.0, reason="its amplifiers are too alike")


def moved(*names):
    """Return what is shown of a detector in which each amplifier holds the next one's values."""
    return Order(dict(zip(names, (*names[1:], names[0]), strict=True)), known=True, evidence=50.0)


@pytest.fixture
def gain(quantity):
    """Return a gain of sixteen amplifiers."""
    return quantity([1.5] * 16, [1.0] * 16, name="ptc.gain", unit="electron / adu")


def test_order_of_the_reference_passes(gain):
    """Nothing moved, and no detector is unclear."""
    verdict = in_order(gain, "run_1", {"detector 94": SAME, "detector 95": SAME})
    assert verdict.state == "PASS"
    assert verdict.sentence == "ptc.gain: the amplifiers of 2 detectors stand in the order of run_1"
    assert (verdict.estimate, verdict.interval, verdict.acceptable) == (0, Interval(0, 0), Interval(0, 0))
    assert (verdict.n_units, verdict.against) == (2, "run_1")
    one = in_order(gain, "run_1", {"detector 94": SAME})
    assert one.sentence == "ptc.gain: the amplifiers of 1 detector stand in the order of run_1"


def test_moved_amplifiers_fail_with_their_names(gain):
    """One detector of three is enough, and an unclear one beside it may be another."""
    orders = {"detector 93": ALIKE, "detector 94": SAME, "detector 95": moved("C00", "C10")}
    verdict = in_order(gain, "run_1", orders)
    assert verdict.state == "FAIL"
    assert verdict.sentence == (
        "ptc.gain: amplifiers have changed places against run_1: "
        "in detector 95 C00 holds the values of C10, C10 those of C00"
    )
    assert (verdict.estimate, verdict.interval, verdict.n_units) == (1, Interval(1, 2), 3)


def test_what_happened_alike_is_told_once(gain):
    """The same permutation of many detectors is one clause, the most frequent one first, and few are spelt out."""
    orders = {"detector 1": moved("C00", "C10")} | {f"detector {i}": moved("C01", "C11") for i in range(10, 15)}
    told = in_order(gain, "run_1", orders).sentence.partition("run_1: ")[2]
    assert told == (
        "in detector 10, detector 11, detector 12 and 2 more C01 holds the values of C11, C11 those of C01; "
        "in detector 1 C00 holds the values of C10, C10 those of C00"
    )
    all_apart = {f"detector {i}": moved(f"C0{i}", f"C1{i}") for i in range(6)}
    assert in_order(gain, "run_1", all_apart).sentence.endswith("; and 3 other ways")


def test_what_cannot_be_told_is_inconclusive(gain):
    """Amplifiers that are alike do not pass; the first place is named, with the reason."""
    verdict = in_order(gain, "run_1", {"detector 94": SAME, "detector 95": ALIKE, "detector 96": ALIKE})
    assert verdict.state == "INCONCLUSIVE"
    assert verdict.sentence == (
        "ptc.gain: cannot tell whether amplifiers have changed places in detector 95 and in 1 more: "
        "its amplifiers are too alike"
    )
    assert verdict.interval == Interval(0, 2)
    assert " more" not in in_order(gain, "run_1", {"detector 95": ALIKE}).sentence


def test_nothing_in_common_is_not_measured(gain):
    """Without an amplifier that both have there is no order, and no number."""
    verdict = in_order(gain, "run_1", {})
    assert verdict.state == "NOT_MEASURED"
    assert "no amplifier in common with run_1" in verdict.sentence
    assert verdict.interval is None
