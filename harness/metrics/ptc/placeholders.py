"""Numbers that stand in the place of measured ones: placeholders, copies and sentinels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["copies", "not_measured", "placeholders"]


def placeholders(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which numbers were put in the place of a measured one.

    Exactly 1; a number that half of the detector's amplifiers (at least four) have; and, among numbers with more than
    six decimals, one with two at most.

    Parameters
    ----------
    values : (n_detectors, n_amplifiers)
        One quantity; NaN where it is not known.
    """
    shared = (values[:, :, None] == values[:, None, :]).sum(2)
    found = (values == 1) | ((shared >= 4) & (2 * shared >= np.isfinite(values).sum(1)[:, None]))
    if _has_all_digits(values[~found]):
        stored = np.float32 if _are_single(values) else np.float64
        found |= values == np.round(values, 2).astype(stored)
    return np.asarray(found & (values > 0) & np.isfinite(values))


def copies(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which numbers repeat another amplifier's of the detector to the last of more than six decimals.

    Parameters
    ----------
    values : (n_detectors, n_amplifiers)
        One quantity; NaN where it is not known.
    """
    if not _has_all_digits(values):
        return np.zeros(values.shape, bool)
    shared = (values[:, :, None] == values[:, None, :]).sum(2)
    return np.asarray((shared > 1) & (values > 0) & ~placeholders(values))


def not_measured(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which numbers of a positive quantity, (n_detectors, n_amplifiers), cannot have been measured."""
    return ~(values > 0) | np.isinf(values) | placeholders(values) | copies(values)


def _has_all_digits(values: NDArray[np.float64]) -> bool:
    """Tell whether numbers have more than six decimals: given as computed, instead of rounded."""
    values = values[np.isfinite(values)]
    if not len(values) or (_are_single(values) and np.spacing(np.float32(np.median(values))) > 1e-6):
        return False
    millionths = values * 1e6
    return bool(np.mean(np.abs(millionths - np.rint(millionths)) > 0.05) > 0.5)


def _are_single(values: NDArray[np.float64]) -> bool:
    """Tell whether numbers were stored in single precision."""
    with np.errstate(over="ignore"):
        return bool(np.all((values.astype(np.float32) == values) | np.isnan(values)))
