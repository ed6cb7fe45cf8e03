"""Numbers that were put in the place of measured ones, in tables of any precision."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.ptc.placeholders import copies, not_measured, placeholders


def gains(seed: int = 1) -> np.ndarray:
    """Return the gains of 20 detectors, in full precision."""
    return 1.5 * np.exp(np.random.default_rng(seed).normal(0, 0.02, (20, 16)))


@pytest.mark.parametrize("precision", [np.float64, np.float32])
def test_numbers_written_by_hand_stand_out(precision: type) -> None:
    """1.6 among computed numbers was not computed, in either precision."""
    values = gains()
    values[3, 4] = 1.6
    values = values.astype(precision).astype(float)
    assert np.argwhere(placeholders(values)).tolist() == [[3, 4]]


def test_rounded_tables_may_hold_round_numbers() -> None:
    """Among numbers of five decimals one in a thousand has two by chance: it is not told, and exactly 1 is."""
    values = np.round(gains(), 5)
    values[3, 4], values[5, 6] = 1.6, 1
    assert np.argwhere(placeholders(values)).tolist() == [[5, 6]]
    assert not copies(values).any()


def test_half_a_detector_does_not_agree_by_chance() -> None:
    """A number that eight of sixteen amplifiers share is a placeholder, one that seven share may be rounding."""
    values = np.round(gains(), 2)
    values[3, :8], values[4, :7] = 1.7, 1.7
    found = placeholders(values)
    assert found[3, :8].all()
    assert found.sum() == 8


def test_large_numbers_in_single_precision_are_left_alone() -> None:
    """Saturations in single precision have few decimals, and may coincide."""
    values = (2e4 * gains()).astype(np.float32).astype(float)
    values[3, 4] = values[3, 5]
    assert not placeholders(values).any()
    assert not copies(values).any()


def test_copies_are_found_within_a_detector() -> None:
    """Both of two amplifiers with the same sixteen digits are told; in different detectors they are not compared."""
    values = gains()
    values[3, 4] = values[3, 5] = values[6, 5]
    assert np.argwhere(copies(values)).tolist() == [[3, 4], [3, 5]]
    assert copies(np.hstack([values, values])).all()


def test_sentinels_were_not_measured() -> None:
    """Zero, negative, infinite and missing values, placeholders and copies; nothing else."""
    values = gains()
    values[0, :6] = 0, -1, np.nan, np.inf, 1, -np.inf
    values[1, 0] = values[1, 1]
    found = not_measured(values)
    assert found[0, :6].all()
    assert found[1, :2].all()
    assert found.sum() == 8
