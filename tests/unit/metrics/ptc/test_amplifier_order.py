"""Permutations of amplifiers: found where they are, not found in noise, and said to be unknowable where they are."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.metrics.ptc.amplifier_order import (
    describe_mapping,
    judge_order,
    likely_orders,
    median,
    recognise_permutation,
    robust_scatter,
)

NAMES = [f"C1{i}" for i in range(8)] + [f"C0{i}" for i in range(7, -1, -1)]
"""In the order of readout, as real files have them."""

WRITTEN = {f"C0{i}": f"C1{i}" for i in range(8)} | {f"C1{i}": f"C0{7 - i}" for i in range(8)}
"""The defect of the LSSTCam description of March 2020: the order of readout written beside sorted names."""


def order_of(mapping: dict[str, str]) -> np.ndarray:
    """Return the index into the old values of each new one."""
    return np.array([NAMES.index(mapping.get(name, name)) for name in NAMES])


def mapping_of(order: np.ndarray) -> dict[str, str]:
    """Return the mapping of names for an order."""
    return {NAMES[i]: NAMES[j] for i, j in enumerate(order) if i != j}


def sensor(rng: np.random.Generator, order: np.ndarray, scatter: float, noise: float, quantities: int = 1):
    """Return old and new values, both measured; ``noise`` is that of their ratio."""
    shape = (len(order), quantities)
    truth = 1.5 * np.exp(scatter * rng.normal(size=shape))
    old, new = (truth[index] * np.exp(noise / 2**0.5 * rng.normal(size=shape)) for index in (slice(None), order))
    return old, new


@pytest.mark.parametrize("error", [None, 0.001])
@pytest.mark.parametrize("factor", [1.0, 0.64])
def test_recognises_the_defect_of_2020(error: float | None, factor: float) -> None:
    """Names written in another order than their values are mapped one by one, whatever factor is common to all."""
    old, new = sensor(np.random.default_rng(1), order_of(WRITTEN), 0.02, 0.001)
    assert recognise_permutation(old, factor * new, NAMES, error=error) == WRITTEN


@settings(deadline=None, max_examples=50)
@given(st.permutations(range(16)), st.integers(0, 2**32 - 1))
def test_recognises_any_order_of_precise_values(order: list[int], seed: int) -> None:
    """Three quantities that are known to a hundredth of their scatter tell every order, and the same order as such."""
    old, new = sensor(np.random.default_rng(seed), np.array(order), 0.05, 0.0005, quantities=3)
    assert recognise_permutation(old, new, NAMES, error=0.0005) == (mapping_of(np.array(order)) or None)


def test_equal_tables_are_in_the_same_order() -> None:
    """Where nothing differs, the order is known, unless there is nothing to tell the amplifiers by."""
    old, _ = sensor(np.random.default_rng(2), np.arange(16), 0.02, 0)
    assert judge_order(old, old, NAMES).known
    alike = judge_order(np.full(16, 1.7), np.full(16, 1.7), NAMES)
    assert (dict(alike.mapping), alike.known, alike.reason) == ({}, False, "its amplifiers are too alike")


def test_amplifiers_that_changed_are_no_permutation() -> None:
    """One amplifier repaired and two others changed leave the rest where it was."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        old, new = sensor(rng, np.arange(16), 0.02, 0.002)
        old[0] = 0.345
        new[5:7] *= 1 + rng.normal(0, 0.03, (2, 1))
        assert recognise_permutation(old, new, NAMES, error=0.002) is None
        assert recognise_permutation(old, new, NAMES) is None


def test_a_changed_amplifier_does_not_hide_a_permutation() -> None:
    """The others still tell the order, with one that was not measured and one that is wild."""
    old, new = sensor(np.random.default_rng(4), order_of(WRITTEN), 0.02, 0.001)
    old[3], new[9], new[12] = np.nan, 40, 0
    for error in (0.001, None):
        assert recognise_permutation(old, new, NAMES, error=error) == WRITTEN


def test_what_was_not_measured_fits_nothing() -> None:
    """Amplifiers measured for the first time are no place to put those that changed."""
    rng = np.random.default_rng(13)
    for _ in range(50):
        old, new = sensor(rng, np.arange(16), 0.05, 0.0005)
        old[8:] = np.nan
        new[:6] *= np.exp(rng.normal(0, 0.1, (6, 1)))
        assert recognise_permutation(old, new, NAMES, error=0.0005) is None


def test_another_sensor_is_no_permutation() -> None:
    """Values drawn anew can be sorted to resemble the old ones; that is not taken for another order."""
    rng = np.random.default_rng(5)
    reasons = []
    for _ in range(50):
        old, _ = sensor(rng, np.arange(16), 0.02, 0)
        new, _ = sensor(rng, np.arange(16), 0.02, 0)
        order = judge_order(old, new, NAMES, error=0.005)
        assert not order.mapping
        assert not order.known
        reasons.append(order.reason)
    assert reasons.count("most amplifiers changed, and no order explains it") > 45


def test_few_amplifiers_tell_nothing() -> None:
    """Three amplifiers, or three with values, are too few."""
    assert judge_order([1, 2, 3], [3, 2, 1], ["a", "b", "c"]).reason == "too few amplifiers have values"
    some = np.where(np.arange(16) < 3, np.arange(16) + 1.0, np.nan)
    assert judge_order(some, some, NAMES).reason == "too few amplifiers have values"


def test_lengths_must_agree() -> None:
    """Values without a name are a mistake of the caller."""
    with pytest.raises(ValueError, match="15 values for 16 amplifiers"):
        recognise_permutation(np.ones(15), np.ones(16), NAMES)


@pytest.mark.parametrize("quantities", [1, 3])
@pytest.mark.parametrize("error", [None, 0.005])
@pytest.mark.parametrize("scatter", [0.0, 0.005, 0.02])
def test_noise_is_seldom_a_permutation(scatter: float, error: float | None, quantities: int) -> None:
    """Of 100 detectors with noise alone, hardly one is called permuted, however alike their amplifiers are."""
    rng = np.random.default_rng(6)
    pairs = (sensor(rng, np.arange(16), scatter, 0.005, quantities) for _ in range(100))
    assert sum(recognise_permutation(old, new, NAMES, error=error) is not None for old, new in pairs) <= 1


@pytest.mark.slow
@pytest.mark.parametrize(("scatter", "error"), [(0.0, 0.005), (0.02, 0.005), (0.02, None)])
def test_false_alarms_are_below_one_in_a_thousand(scatter: float, error: float | None) -> None:
    """Of 10,000 detectors with noise alone, fewer than ten are called permuted."""
    rng = np.random.default_rng(7)
    pairs = (sensor(rng, np.arange(16), scatter, 0.005) for _ in range(10_000))
    assert sum(recognise_permutation(old, new, NAMES, error=error) is not None for old, new in pairs) < 10


@pytest.mark.slow
def test_the_defect_is_found_in_99_of_100_detectors() -> None:
    """At a scatter of 2 % and a noise of 0.5 % the gains alone tell, whether or not the noise is known."""
    rng = np.random.default_rng(8)
    for error in (0.005, None):
        pairs = (sensor(rng, order_of(WRITTEN), 0.02, 0.005) for _ in range(1000))
        assert sum(recognise_permutation(old, new, NAMES, error=error) == WRITTEN for old, new in pairs) > 990


@pytest.mark.slow
def test_an_arbitrary_order_is_found_by_three_quantities() -> None:
    """At that scatter and noise, gain, noise and saturation together find 99 of 100 arbitrary orders."""
    rng = np.random.default_rng(9)
    pairs = (sensor(rng, rng.permutation(16), 0.02, 0.005, quantities=3) for _ in range(1000))
    assert sum(recognise_permutation(old, new, NAMES, error=0.005) is not None for old, new in pairs) > 985


def test_likely_orders_are_those_of_tables() -> None:
    """Each is a permutation of its own; the defect of 2020 and its inverse are among them."""
    orders = likely_orders(NAMES)
    assert len({tuple(order) for order in orders}) == len(orders) == 11
    assert all(sorted(order) == list(range(16)) for order in orders)
    found = [mapping_of(order) for order in orders]
    assert WRITTEN in found
    assert {held: name for name, held in WRITTEN.items()} in found
    assert mapping_of(np.arange(16)) not in found


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (WRITTEN, "C00..C07 hold the values of C10..C17, C10..C17 those of C07..C00"),
        ({"C03": "C05", "C05": "C03"}, "C03 holds the values of C05, C05 those of C03"),
        (
            dict(pairwise(["C00", "C01", "C02", "C00"])),
            "C00..C01 hold the values of C01..C02, C02 those of C00",
        ),
        ({"A": "B", "B": "A"}, "A holds the values of B, B those of A"),
    ],
)
def test_names_a_mapping(mapping: dict[str, str], words: str) -> None:
    """Runs of names are ranges, in either direction."""
    assert describe_mapping(mapping) == words


def test_median_and_scatter_leave_out_nan() -> None:
    """They are numpy's, along either axis, and NaN only where there is nothing."""
    values = np.random.default_rng(10).normal(size=(5, 7))
    values[1, 3] = values[2] = np.nan
    with warnings.catch_warnings(action="ignore"):  # of numpy, about what is all NaN
        for axis in (0, 1):
            expected = np.nanmedian(values, axis, keepdims=True)
            np.testing.assert_array_equal(median(values, axis), expected.squeeze(axis))
            deviation = 1.4826 * np.nanmedian(abs(values - expected), axis)
            np.testing.assert_allclose(robust_scatter(values, axis), deviation)
