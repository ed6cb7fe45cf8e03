"""Mask planes by their names of all times."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.mask_planes import EXCLUDED_PLANES, NO_DATA_PLANES, count_masked, mask_bits
from harness.metrics.planes import plane_statistics


def test_bits_are_those_of_the_planes_that_are_there():
    """By the file's own numbers; planes that it does not have, or that are not asked for, give none."""
    planes = {"BAD": 0, "SAT": 1, "DETECTED": 5, "NO_DATA": 8, "VIGNETTED": 30}
    assert mask_bits(planes, EXCLUDED_PLANES) == 1 + 2 + 256
    assert mask_bits(planes, NO_DATA_PLANES) == 256
    assert mask_bits({}, EXCLUDED_PLANES) == 0


def test_the_highest_plane_of_a_mask_is_a_bit_like_others():
    """The 32nd plane is the sign of a 32-bit mask: numpy has to take its bit."""
    bits = mask_bits({"BAD": 31}, EXCLUDED_PLANES)
    mask = np.array([[0, np.iinfo(np.int32).min]], np.int32)
    assert plane_statistics(np.ones((1, 2), np.float32), (mask, bits)).n_masked == 1
    assert count_masked(mask, bits) == 1


def test_old_and_new_names_are_excluded_alike():
    """SAT became SATURATED, and EDGE became DETECTION_EDGE; sources that were detected count as sky does."""
    old = mask_bits({"SAT": 1, "EDGE": 4, "DETECTED": 5}, EXCLUDED_PLANES)
    assert old == mask_bits({"SATURATED": 1, "DETECTION_EDGE": 4, "DETECTED": 5}, EXCLUDED_PLANES) == 0b10010


@pytest.mark.parametrize("dtype", ["<i4", ">i4", ">i2"])
def test_pixels_are_counted_once_whichever_bits_they_have(dtype):
    """Pixels with one of the bits, or several; of masks in any byte order, higher than a block."""
    mask = np.random.default_rng(2).integers(0, 16, (300, 700)).astype(dtype)
    assert count_masked(mask, 0b1010) == np.isin(mask, (2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)).sum()
    assert count_masked(mask, 0) == 0
