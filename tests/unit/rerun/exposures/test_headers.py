"""What FITS headers of an exposure say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from astropy.io.fits import Card, Header

from harness.rerun.exposures import headers
from harness.rerun.exposures.headers import Keywords

A_WCS = {"CRPIX1A": 1.0, "CRPIX2A": 1.0, "CRVAL1A": 12.0, "CRVAL2A": -7.0}


def test_the_first_header_counts() -> None:
    """Keywords are looked for in one header after the other."""
    keywords = Keywords(Header({"A": 1}), Header({"A": 2, "B": 3.5}))
    assert (keywords.integer("A"), keywords.number("B")) == (1, 3.5)


def test_what_is_not_there_has_no_value() -> None:
    """No card, a card without a value, text for a number and a broken number for an integer are no values."""
    keywords = Keywords(Header([Card("EMPTY", None), ("WORD", "NAN-ish"), ("HALF", 0.5)]))
    assert keywords.text("EMPTY") == keywords.text("GONE") == ""
    assert all(math.isnan(keywords.number(name)) for name in ("EMPTY", "GONE", "WORD"))
    assert keywords.integer("WORD") is keywords.integer("HALF") is keywords.integer("GONE") is None


def test_a_card_that_holds_nonsense_is_passed_over() -> None:
    """A card that astropy cannot read does not hide that of the next header."""
    broken = Header.fromstring("EXPTIME = 3,5 seconds".ljust(80) + "END".ljust(80))
    assert math.isnan(Keywords(broken).number("EXPTIME"))
    assert Keywords(broken, Header({"EXPTIME": 30.0})).number("EXPTIME") == 30.0


@pytest.mark.parametrize(
    ("cards", "shape"),
    [
        ({"NAXIS": 2, "NAXIS1": 40, "NAXIS2": 30}, (30, 40)),
        ({"NAXIS": 2, "NAXIS1": 8, "NAXIS2": 30, "ZIMAGE": True, "ZNAXIS": 2, "ZNAXIS1": 40, "ZNAXIS2": 30}, (30, 40)),
        ({"NAXIS": 3, "NAXIS1": 40, "NAXIS2": 30, "NAXIS3": 2}, (0, 0)),
        ({"NAXIS": 0}, (0, 0)),
    ],
    ids=["plain", "compressed", "cube", "no pixels"],
)
def test_the_shape_is_rows_and_columns(cards: dict[str, Any], shape: tuple[int, int]) -> None:
    """Rows come first, of the image and not of the table that it is compressed in; a cube is no image."""
    assert headers.shape(Header(cards)) == shape


@pytest.mark.parametrize(
    ("cards", "xy0"),
    [
        (A_WCS | {"LTV1": 99.0, "LTV2": 99.0}, (12, -7)),
        ({"LTV1": -100, "LTV2": 30.0}, (100, -30)),
        (A_WCS | {"CRPIX1A": 2.0, "LTV1": -3, "LTV2": -4}, (3, 4)),
        ({}, (0, 0)),
    ],
    ids=["WCS A", "LTV", "WCS A of another pixel", "nothing"],
)
def test_the_origin_is_that_of_afw(cards: dict[str, Any], xy0: tuple[int, int]) -> None:
    """The WCS "A" counts where it describes the first pixel, and the negative LTV otherwise."""
    assert headers.origin(Header(cards)) == xy0


def test_mask_planes_have_the_bits_of_this_file() -> None:
    """Names of any length keep the number that the header gives."""
    cards = Header([("MP_BAD", 0), ("HIERARCH MP_NO_DATA", 9), ("MPOTHER", 3)])
    assert headers.mask_planes(cards) == {"BAD": 0, "NO_DATA": 9}


@pytest.mark.parametrize("bit", [32, -1, 1.5, "x"])
def test_a_mask_plane_has_the_number_of_a_bit(bit: object) -> None:
    """Anything but 0 to 31 is refused."""
    with pytest.raises(ValueError, match=f"MP_BAD = {bit} is not the number of a bit"):
        headers.mask_planes(Header({"MP_BAD": bit}))


@pytest.mark.parametrize(
    ("cards", "mjd"),
    [
        ({"DATE-AVG": "2016-01-01T12:00:00.000000000", "TIMESYS": "TAI"}, 57388.5),
        ({"DATE-AVG": "2016-01-01T12:00:00.000", "TIMESYS": "UTC"}, 57388.5 + 36 / 86400),
        ({"TIME-MID": "2016-01-01T12:00:00.000000000Z", "TIMESYS": "TAI"}, 57388.5 + 36 / 86400),
        ({"TIME-MID": "1969-12-31T23:59:51.999918240Z"}, math.nan),
        ({"DATE-AVG": "1970-01-01T00:00:00.000000000", "TIMESYS": "TAI"}, math.nan),
        ({"DATE-AVG": "yesterday", "TIMESYS": "TAI"}, math.nan),
        ({"DATE-AVG": "2016-01-01T12:00:00", "TIMESYS": "LOCAL"}, math.nan),
        ({}, math.nan),
    ],
    ids=["TAI", "UTC", "old", "old unknown", "unknown", "no date", "no scale", "nothing"],
)
def test_the_time_is_tai(cards: dict[str, Any], mjd: float) -> None:
    """TAI was 36 s ahead of UTC in 2016; what afw writes for no date, and what is no date or in no scale, is NaN."""
    found = headers.visit_info(Keywords(Header(cards))).mjd_tai
    assert found == pytest.approx(mjd, abs=1e-9, nan_ok=True)


def test_a_visit_has_its_boresight() -> None:
    """Exposure time, boresight and airmass are taken as they are written."""
    cards = {"EXPTIME": 30.0, "BORE-RA": 151.25, "BORE-DEC": -2.5, "HIERARCH BORE-AIRMASS": 1.25}
    visit = headers.visit_info(Keywords(Header(cards)))
    assert (visit.exposure_time, visit.ra, visit.dec, visit.airmass) == (30.0, 151.25, -2.5, 1.25)
    assert np.isnan(visit.mjd_tai)


def test_without_a_projection_there_are_no_world_coordinates() -> None:
    """Linear coordinates are none of the sky."""
    assert headers.world_coordinates(Header({"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"})) is None
    assert headers.world_coordinates(Header({"CRPIX1": 1.0})) is None
