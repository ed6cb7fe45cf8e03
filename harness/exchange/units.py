"""Units as other tools write them."""

from __future__ import annotations

import math
import re
import warnings
from functools import lru_cache
from typing import Any

__all__ = ["convert", "parse_unit"]

#: astropy would take minutes to raise ten to such a power.
_ABSURD_POWER = re.compile(r"(?:\*\*|\^)\s*\(?\s*[+-]?\s*\d{4}")


@lru_cache(maxsize=256)
def parse_unit(text: str) -> Any:
    """Return the `astropy.units` unit of that name.

    Raises
    ------
    ValueError
        When astropy knows no such unit.
    """
    from astropy import units

    if _ABSURD_POWER.search(text):
        raise ValueError("no unit has such a power")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", units.UnitsWarning)  # of spelling that is understood all the same
        unit = units.Unit(text)
    if not math.isfinite(getattr(unit, "scale", 1.0)):
        raise ValueError("no unit has such a scale")
    return unit


def convert(value: float, unit: str, target: str) -> float:
    """Return a value in another unit; the very same number when the units are alike.

    Parameters
    ----------
    value
        A number in ``unit``.
    unit, target
        Units as `astropy.units` strings.

    Raises
    ------
    ValueError
        When the one cannot be converted into the other.
    """
    from astropy.units import UnitConversionError

    try:
        return float(parse_unit(unit).to(parse_unit(target), value))
    except UnitConversionError:
        raise ValueError(f"{unit!r} cannot be converted into {target!r}") from None
