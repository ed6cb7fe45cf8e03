"""Confidence limits of shares, and what is stated of a number whose interval is not symmetric."""

from __future__ import annotations

__all__ = ["CONFIDENCE", "share_limits", "stated_uncertainty"]

#: Coverage of the interval that a stated uncertainty stands for.
CONFIDENCE = 0.99


def share_limits(count: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact limits of a share (Clopper & Pearson 1934).

    Where nothing or everything was counted, only one limit is open and gets all of the error allowed: 0 of 105 is no
    zero, but less than 2.8 % at 95 %.

    Parameters
    ----------
    count, trials
        How many of how many, which have to be independent: of visits that share a template there are less of those
        than visits.
    confidence
        Coverage of the interval.

    Raises
    ------
    ValueError
        When there are no trials, or more counts than trials.
    """
    from scipy.special import betaincinv

    if not 0 <= count <= trials or trials == 0:
        raise ValueError(f"a share is of at least one trial (got {count} of {trials})")
    tail = (1 - confidence) / (1 if count in (0, trials) else 2)
    low = float(betaincinv(count, trials - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, trials - count, 1 - tail)) if count < trials else 1.0
    return low, high


def stated_uncertainty(value: float, low: float, high: float) -> float:
    """Return the standard uncertainty whose normal interval holds one of coverage `CONFIDENCE`.

    Metric rows state one number for both sides; it is that of the wider one.
    """
    from scipy.special import ndtri

    return max(value - low, high - value) / float(ndtri((1 + CONFIDENCE) / 2))
