"""What FITS headers of an exposure say: keywords, geometry, mask planes, world coordinates, and when it was taken."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, final

import numpy as np
from astropy.io.fits import VerifyError
from astropy.io.fits.card import Undefined

from harness.rerun.exposures.protocol import VisitInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.io.fits import Header
    from astropy.wcs import WCS

__all__ = [
    "Keywords",
    "is_compressed",
    "is_quantised",
    "mask_planes",
    "origin",
    "shape",
    "visit_info",
    "world_coordinates",
]

#: Seconds of a day, and MJD of 1970-01-01, which afw writes (as TAI) for a date that it does not know.
_DAY, _EPOCH = 86400.0, 40587.0


@final
class Keywords:
    """Keywords of one or several headers, the first that has one counts; a card that holds nonsense is none.

    Parameters
    ----------
    *headers
        In order of precedence.  afw writes the metadata of an exposure into the primary header, and did so into that of
        the image before it wrote ``INHERIT``.
    """

    def __init__(self, *headers: Header) -> None:
        self._headers = headers

    def _value(self, name: str) -> Any:
        for header in self._headers:
            try:
                with warnings.catch_warnings(action="ignore"):  # of cards that are not quite right
                    value = header.get(name)
            except VerifyError:
                continue
            if value is not None and not isinstance(value, Undefined):
                return value
        return None

    def text(self, name: str) -> str:
        """Return a value as text without blanks around it; empty when there is none."""
        value = self._value(name)
        return "" if value is None else str(value).strip()

    def number(self, name: str) -> float:
        """Return a value as a number; NaN when there is none."""
        try:
            return float(self._value(name))
        except (TypeError, ValueError):
            return math.nan

    def integer(self, name: str) -> int | None:
        """Return an integral value (written as 5 or as 5.0); None when there is none."""
        value = self.number(name)
        return int(value) if value.is_integer() else None


def is_compressed(header: Header) -> bool:
    """Whether a table holds a tile-compressed image."""
    return Keywords(header).text("ZIMAGE") == "True"


def shape(header: Header) -> tuple[int, int]:
    """Return rows and columns of an image, plain or tile-compressed; zeros when it is none of two dimensions."""
    keywords, prefix = Keywords(header), "Z" if is_compressed(header) else ""
    if keywords.integer(f"{prefix}NAXIS") != 2:
        return 0, 0
    return keywords.integer(f"{prefix}NAXIS2") or 0, keywords.integer(f"{prefix}NAXIS1") or 0


def origin(header: Header) -> tuple[int, int]:
    """Return the parent pixel (x, y) of the first element: from the WCS "A" of afw, else from ``LTV``."""
    keywords = Keywords(header)
    corner = keywords.integer("CRVAL1A"), keywords.integer("CRVAL2A")
    at_first = keywords.integer("CRPIX1A") == keywords.integer("CRPIX2A") == 1
    if at_first and corner[0] is not None and corner[1] is not None:
        return corner[0], corner[1]
    return -(keywords.integer("LTV1") or 0), -(keywords.integer("LTV2") or 0)


def is_quantised(header: Header) -> bool:
    """Whether floating-point pixels are stored as scaled integers.

    ``ZQUANTIZ`` does not tell: lossless planes have it too.  A scale does, in a column or a keyword.
    """
    keywords = Keywords(header)
    columns = {keywords.text(f"TTYPE{n}") for n in range(1, 1 + (keywords.integer("TFIELDS") or 0))}
    scaled = not columns.isdisjoint({"ZSCALE", "ZZERO"}) or "ZSCALE" in header
    return is_compressed(header) and keywords.number("ZBITPIX") < 0 and scaled


def mask_planes(header: Header) -> Mapping[str, int]:
    """Return the bit number of each mask plane by its name; empty when the header has no dictionary of them.

    Raises
    ------
    ValueError
        When a bit number is none of an int32.
    """
    keywords, planes = Keywords(header), {}
    for name in header:
        if name.startswith("MP_"):
            bit = keywords.integer(name)
            if bit is None or not 0 <= bit < 32:
                raise ValueError(f"{name} = {keywords.text(name) or 'nothing'} is not the number of a bit")
            planes[name.removeprefix("MP_")] = bit
    return planes


def world_coordinates(header: Header) -> WCS | None:
    """Return the celestial WCS of the stored array, or None when the header has none."""
    from astropy.wcs import WCS

    if not Keywords(header).text("CTYPE1").startswith(("RA-", "DEC-")):
        return None
    cards = header.copy()
    if is_compressed(header):  # it describes a table: let it describe the image in it
        for name in ("NAXIS", "NAXIS1", "NAXIS2"):
            cards[name] = header[f"Z{name}"]
        for name in [name for name in cards if name.startswith(("TTYPE", "TFORM", "TUNIT"))]:
            del cards[name]
    with warnings.catch_warnings(action="ignore"):  # of deprecated spellings that it puts right
        return WCS(cards)


def visit_info(keywords: Keywords) -> VisitInfo:
    """Return when and where an exposure was taken, as afw writes it since 2016; angles are degrees in a header."""
    return VisitInfo(
        exposure_time=keywords.number("EXPTIME"),
        mjd_tai=_mjd_tai(keywords),
        ra=keywords.number("BORE-RA"),
        dec=keywords.number("BORE-DEC"),
        airmass=keywords.number("BORE-AIRMASS"),
    )


def _mjd_tai(keywords: Keywords) -> float:
    """Return the middle of the exposure: ``DATE-AVG`` in the scale ``TIMESYS``, in older files ``TIME-MID`` (UTC)."""
    date, scale = keywords.text("DATE-AVG"), keywords.text("TIMESYS") or "UTC"
    if not date:
        date, scale = keywords.text("TIME-MID"), "UTC"
    try:
        mjd = _mjd(date.removesuffix("Z"), scale)
    except ValueError:
        return math.nan
    return math.nan if abs(mjd - _EPOCH) * _DAY < 1e-3 else mjd


def _mjd(date: str, scale: str) -> float:
    """Return the MJD TAI of a date; NaN when its time scale is neither TAI nor UTC."""
    if scale == "TAI":  # as in all current files, which need not wait for astropy.time
        return _EPOCH + int(np.datetime64(date, "ns").astype(np.int64)) / (1e9 * _DAY)
    if scale != "UTC":
        return math.nan
    from astropy.time import Time

    with warnings.catch_warnings(action="ignore"):  # of years before UTC had leap seconds
        return float(Time(date, scale="utc", format="isot").tai.mjd)
