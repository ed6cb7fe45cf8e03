"""Confidence limits of shares against the binomial law itself."""

from __future__ import annotations

import pytest
from scipy.stats import binom, binomtest

from harness.metrics.template.limits import share_limits, stated_uncertainty


def test_nothing_seen_is_an_upper_limit() -> None:
    """The published 0 of 105 visits means less than 2.8 % at 95 %: that share would show none in 5 % of cases."""
    low, high = share_limits(0, 105)
    assert low == 0
    assert high == pytest.approx(0.0281, abs=1e-4)
    assert binom.pmf(0, 105, high) == pytest.approx(0.05, rel=1e-9)


def test_everything_seen_is_a_lower_limit() -> None:
    """105 of 105 is the mirror image of 0 of 105."""
    assert share_limits(105, 105) == (pytest.approx(1 - share_limits(0, 105)[1], rel=1e-12), 1.0)


@pytest.mark.parametrize(("count", "trials"), [(55, 105), (43, 105), (1, 105), (7, 14)])
def test_limits_are_those_of_scipy(count: int, trials: int) -> None:
    """The published 0.524 and 0.409 have the exact limits that scipy gives."""
    expected = binomtest(count, trials).proportion_ci(0.95, method="exact")
    assert share_limits(count, trials) == (pytest.approx(expected.low), pytest.approx(expected.high))


@pytest.mark.parametrize(("count", "trials"), [(0, 0), (3, 2), (-1, 2)])
def test_an_impossible_share_is_refused(count: int, trials: int) -> None:
    """No trials, or more counts than trials, are no share."""
    with pytest.raises(ValueError, match="at least one trial"):
        share_limits(count, trials)


def test_a_stated_uncertainty_covers_the_wider_side() -> None:
    """The normal interval of 99 % around the value reaches the farther limit."""
    assert stated_uncertainty(1.0, 0.8, 1.1) == pytest.approx(0.2 / 2.5758293, rel=1e-6)
