"""Signal against the charge of the photodiode."""

from __future__ import annotations

import numpy as np
import pytest
from curve_tables import curve_of

from harness.metrics.ptc.linearity import linearity


def test_scatter_is_that_of_the_ratio_below_the_turnoff() -> None:
    """Pairs past the turnoff, without a charge or without a variance do not count; the scatter is relative."""
    mean = np.linspace(1000, 50_000, 50)
    ratio = 1 + 0.002 * np.random.default_rng(1).standard_normal(50)
    charge = 1e-12 * mean / ratio
    variance = mean / 1.5
    charge[45:] *= 3
    charge[3], charge[5], variance[7] = np.nan, 0, -1
    found = linearity(curve_of(mean, variance, photo_charge=charge), 45_500)
    kept = np.delete(ratio[:45], [3, 5, 7])
    assert found.n_pairs == 42
    assert found.scatter == pytest.approx(np.std(kept, ddof=1) / np.mean(kept))


@pytest.mark.parametrize("turnoff", [np.nan, 10.0, 1500.0])
def test_fewer_than_two_pairs_have_no_scatter(turnoff: float) -> None:
    """Without a turnoff, or with one pair below it, nothing is said, without a warning."""
    curve = curve_of([1000.0, 2000.0], [700.0, 1400.0], photo_charge=[1e-9, 2e-9])
    found = linearity(curve, turnoff)
    assert np.isnan(found.scatter)
    assert found.n_pairs == (1 if turnoff == 1500 else 0)
