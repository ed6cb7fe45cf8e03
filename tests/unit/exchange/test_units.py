"""`harness.exchange.units`: astropy decides what a unit is, and what it is in another."""

from __future__ import annotations

import pytest

from harness.exchange.units import convert, parse_unit


def test_converts_as_astropy_does():
    """Numbers in like units are left alone to the last bit, others are converted."""
    assert convert(0.1 + 0.2, "mmag", "mmag") == 0.1 + 0.2
    assert convert(8.0, "mmag", "mag") == pytest.approx(0.008, rel=1e-15)
    assert convert(20.0, "%", "") == pytest.approx(0.2, rel=1e-15)
    assert convert(5.0, "arcmin", "marcsec") == pytest.approx(3e5, rel=1e-15)


def test_unlike_units_have_no_conversion():
    """Magnitudes are no angles."""
    with pytest.raises(ValueError, match=r"^'mmag' cannot be converted into 'marcsec'$"):
        convert(8.0, "mmag", "marcsec")


def test_odd_spellings():
    """What astropy merely frowns at is a unit; powers that would take it minutes and infinite scales are none."""
    assert parse_unit("m/s/kg").is_equivalent("m / (s kg)")
    for absurd in ("10**99999999", "10^+99999999", "10 ** (99999999)"):
        with pytest.raises(ValueError, match=r"^no unit has such a power$"):
            parse_unit(absurd)
    with pytest.raises(ValueError, match=r"^no unit has such a scale$"):
        parse_unit("1e400 mmag")
