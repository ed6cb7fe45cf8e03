"""How the PSF of a visit compares with those of both templates: five classes, one of which always applies."""

from __future__ import annotations

import math
from enum import StrEnum

__all__ = ["Order", "order_of"]


class Order(StrEnum):
    """Orders of the FWHM of visit, good and deep template."""

    GOOD_VISIT_DEEP = "goodVisitDeep"
    VISIT_BELOW_BOTH = "visitBelowBoth"
    DEEP_VISIT_GOOD = "deepVisitGood"
    VISIT_ABOVE_BOTH = "visitAboveBoth"
    TIES_OR_MISSING = "tiesOrMissing"


def order_of(visit: float, good: float, deep: float) -> Order:
    """Return the one class that a visit belongs to.

    Parameters
    ----------
    visit, good, deep
        FWHM of the visit and of both templates, of one kind, in one unit; not finite, zero or negative when missing.
    """
    if not all(math.isfinite(size) and size > 0 for size in (visit, good, deep)) or visit in (good, deep):
        return Order.TIES_OR_MISSING
    if visit > good:
        return Order.GOOD_VISIT_DEEP if visit < deep else Order.VISIT_ABOVE_BOTH
    return Order.VISIT_BELOW_BOTH if visit < deep else Order.DEEP_VISIT_GOOD
