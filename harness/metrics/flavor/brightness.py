"""How bright injections are: flux, magnitude and signal-to-noise, from whatever their catalogue says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["with_brightness"]

_ZERO_POINT = 31.4  # AB magnitude of 1 nJy
_NO_MAGNITUDE = 90.0  # amounts from here on stand for "none": 99, -99, -999, 1e6
_ENOUGH_ERRORS = 10


def with_brightness(injections: pl.DataFrame, sources: pl.DataFrame) -> pl.DataFrame:
    """Return the injections with ``flux`` (as expected in the difference), ``mag`` and ``snr``, NaN where not known.

    Where the catalogue has no flux, the magnitude tells it, and the other way round.  Where it has neither
    signal-to-noise nor flux error, the error is the median of the PSF flux errors of the DIA sources of the same visit
    and detector, or of the whole visit when these are fewer than ten.

    Parameters
    ----------
    injections : `polars.DataFrame`
        ``key`` (of the visit and detector), ``visit``, ``flux`` and ``fluxErr`` (nJy, without sign), ``mag``, ``snr``
        and ``inTemplate``.
    sources : `polars.DataFrame`
        ``key``, ``visit`` and ``fluxErr`` (nJy).
    """
    import polars as pl

    def finite(name: str) -> pl.Expr:
        return pl.when(pl.col(name).is_finite()).then(pl.col(name))

    def positive(name: str) -> pl.Expr:
        return pl.when(pl.col(name).is_finite() & (pl.col(name) > 0)).then(pl.col(name))

    stated_mag = pl.when(pl.col("mag").abs() < _NO_MAGNITUDE).then(pl.col("mag"))
    amount = pl.coalesce(finite("flux").abs(), 10 ** ((_ZERO_POINT - stated_mag) / 2.5))
    mag = pl.coalesce(stated_mag, _ZERO_POINT - 2.5 * positive("amount").log10())
    snr = pl.coalesce(
        finite("snr").abs(), pl.col("amount") / positive("fluxErr"), pl.col("amount") / pl.col("typicalError")
    )
    return (
        _with_typical_errors(injections, sources)
        .with_columns(amount.alias("amount"))
        .with_columns(mag.fill_null(float("nan")), snr.fill_null(float("nan")).alias("snr"))
        .with_columns(
            pl.when("inTemplate").then(-pl.col("amount")).otherwise("amount").fill_null(float("nan")).alias("flux")
        )
        .drop("amount", "typicalError")
    )


def _with_typical_errors(injections: pl.DataFrame, sources: pl.DataFrame) -> pl.DataFrame:
    """Return the injections with ``typicalError``, null where their visit has no DIA source with a flux error."""
    import polars as pl

    error = pl.col("fluxErr")
    sources = sources.filter(error.is_finite() & (error > 0))
    of_detector = sources.group_by("key").agg(error.median().alias("ofDetector"), pl.len().alias("n"))
    of_visit = sources.group_by("visit").agg(error.median().alias("ofVisit"))
    is_enough = pl.col("n").fill_null(0) >= _ENOUGH_ERRORS
    return (
        injections.join(of_detector, on="key", how="left", maintain_order="left")
        .join(of_visit, on="visit", how="left", maintain_order="left")
        .with_columns(pl.when(is_enough).then("ofDetector").otherwise("ofVisit").alias("typicalError"))
        .drop("ofDetector", "ofVisit", "n")
    )
