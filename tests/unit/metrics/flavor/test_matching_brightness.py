"""Flux, magnitude and signal-to-noise of injections, from whatever a catalogue says."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from harness.metrics.flavor.brightness import with_brightness

NAN = float("nan")


def brightness(sources: dict[str, list] | None = None, **columns: list) -> pl.DataFrame:
    """Return the brightness of injections on detector 0 of visit 1, unless columns say otherwise."""
    n = len(next(iter(columns.values())))
    absent = {name: [None] * n for name in ("flux", "fluxErr", "mag", "snr")}
    fixed = {"key": [0] * n, "visit": [1] * n, "inTemplate": [False] * n}
    frame = pl.DataFrame({**absent, **fixed, **columns}, schema_overrides=dict.fromkeys(absent, pl.Float64))
    found = sources or {"key": [], "visit": [], "fluxErr": []}
    return with_brightness(
        frame, pl.DataFrame(found, schema={"key": pl.Int64, "visit": pl.Int64, "fluxErr": pl.Float64})
    )


def test_magnitudes_are_those_of_astropy():
    """Flux follows from magnitude and magnitude from flux as in astropy, with the AB zero point."""
    from astropy import units as u

    mags = np.linspace(16, 30, 15)
    fluxes = (mags * u.ABmag).to_value(u.nJy)
    # 31.4 is the zero point of the tables, 31.40006 what 3631 Jy gives.
    np.testing.assert_allclose(brightness(mag=mags.tolist())["flux"], fluxes, rtol=1e-4)
    np.testing.assert_allclose(brightness(flux=fluxes.tolist())["mag"], mags, atol=1e-4)


def test_a_stated_flux_comes_before_the_magnitude():
    """Where both are there, each is what the catalogue says; a gap in one is filled by the other."""
    frame = brightness(flux=[100.0, NAN, None], mag=[20.0, 26.4, 26.4])
    np.testing.assert_allclose(frame["flux"], [100, 100, 100])
    np.testing.assert_allclose(frame["mag"], [20, 26.4, 26.4])


@pytest.mark.parametrize("mag", [NAN, None, float("inf"), -float("inf"), 99.0, -99.0, -999.0])
def test_no_magnitude_is_no_flux(mag):
    """Placeholders and missing magnitudes make flux, magnitude and signal-to-noise NaN, never a number."""
    frame = brightness(mag=[mag], fluxErr=[10.0])
    assert np.isnan(frame.select("flux", "mag", "snr").to_numpy()).all()


def test_a_template_injection_is_negative_in_the_difference():
    """The flux of an injection into the template changes its sign; magnitude and signal-to-noise are of its amount."""
    frame = brightness(mag=[21.4, 21.4], inTemplate=[False, True], fluxErr=[100.0, 100.0])
    np.testing.assert_allclose(frame["flux"], [1e4, -1e4])
    np.testing.assert_allclose(frame["mag"], 21.4)
    np.testing.assert_allclose(frame["snr"], 100)


def test_signal_to_noise_is_the_best_that_is_known():
    """The catalogue's own, then its flux error, then the errors of sources of the detector, or of the visit."""
    sources = {
        "key": [0] * 11 + [1] * 9 + [2],
        "visit": [1] * 20 + [2],
        "fluxErr": [10.0] * 5 + [40.0] * 6 + [5.0] * 9 + [NAN],
    }
    frame = brightness(
        sources,
        flux=[100.0] * 7,
        fluxErr=[4.0, 4.0, 0.0, NAN, None, None, None],
        snr=[-7.0, NAN, None, None, None, None, None],
        key=[0, 0, 0, 0, 0, 1, 2],
        visit=[1, 1, 1, 1, 1, 1, 2],
    )
    # 11 errors of detector 0: median 40; 9 of detector 1 are too few: 10 of the visit's 20; none in visit 2.
    np.testing.assert_allclose(frame["snr"], [7, 25, 2.5, 2.5, 2.5, 10, NAN])
