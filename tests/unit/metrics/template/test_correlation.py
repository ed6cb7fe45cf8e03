"""Correlation of sizes, against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import pearsonr

from harness.metrics.template.correlation import correlation
from harness.metrics.template.known import Number


def pairs(rng: np.random.Generator, n_visits: int, detectors: int = 1, truth: float = 0.9):
    """Return visit and two numbers of each image; detectors of a visit are all alike."""
    both = rng.multivariate_normal([5, 5], [[1, truth], [truth, 1]], n_visits)
    return [(visit, Number(x), Number(y)) for visit, (x, y) in enumerate(both.tolist()) for _ in range(detectors)]


def test_value_and_uncertainty_are_those_of_scipy() -> None:
    """Pearson's r, and an uncertainty whose 99 % interval reaches the farther of Fisher's limits."""
    listed = pairs(np.random.default_rng(1), 30)
    found, uncertainty, detail = correlation(listed)
    expected = pearsonr(*np.array([(a.value, b.value) for _, a, b in listed]).T)
    assert found.value == pytest.approx(expected.statistic, rel=1e-12)
    low = expected.confidence_interval(0.99).low
    assert found.value - 2.5758293 * uncertainty == pytest.approx(low, rel=1e-6)
    assert detail == "30 images of 30 visits"


def test_detectors_of_a_visit_are_no_visits_of_their_own() -> None:
    """Nine detectors that say the same leave value and uncertainty as they are."""
    one, nine = (correlation(pairs(np.random.default_rng(2), 20, detectors)) for detectors in (1, 9))
    assert nine[0].value == pytest.approx(one[0].value)
    assert nine[1] == pytest.approx(one[1])


def test_images_without_both_sizes_are_left_out_and_told() -> None:
    """They do not make the whole unknown; when none is left, the reason is theirs."""
    listed = pairs(np.random.default_rng(3), 20)
    broken = (99, Number(5.0), Number(math.nan, "no PSF"))
    found, _, detail = correlation([broken, *listed])
    assert found == correlation(listed)[0]
    assert detail == "20 images of 20 visits; 1 without both sizes are left out"
    assert correlation([broken])[0].reason == "no PSF"


def test_too_little_has_no_correlation_or_no_uncertainty() -> None:
    """Two images, or one size for all, have no correlation; three visits have one whose uncertainty is unknown."""
    listed = pairs(np.random.default_rng(4), 3)
    assert correlation(listed[:2])[0].reason
    assert correlation([(visit, Number(5.0), second) for visit, _, second in listed])[0].reason
    value, uncertainty, _ = correlation(listed)
    assert math.isfinite(value.value)
    assert math.isnan(uncertainty)


def test_the_same_sizes_are_fully_correlated() -> None:
    """The correlation is 1 and never above it."""
    listed = [(visit, first, first) for visit, first, _ in pairs(np.random.default_rng(5), 20)]
    value, uncertainty, _ = correlation(listed)
    assert value.value == pytest.approx(1, abs=1e-12)
    assert value.value <= 1
    assert uncertainty == pytest.approx(0, abs=1e-9)


@pytest.mark.slow
def test_the_uncertainty_covers() -> None:
    """Over 2000 draws of 15 visits the 99 % interval holds the true correlation in 98.5 % or more."""
    rng = np.random.default_rng(6)
    found = [correlation(pairs(rng, 15, truth=0.8)) for _ in range(2000)]
    assert np.mean([abs(value.value - 0.8) <= 2.5758 * error for value, error, _ in found]) >= 0.985
