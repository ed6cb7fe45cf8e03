"""What injected sources and DIA sources are to the metrics of a flavor: three frames, each with its schema."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from harness.metrics.flavor.stages import STAGES, good_column

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MIN_SNR", "detectors_schema", "injections_schema", "sources_schema"]

MIN_SNR = 10.0
"""Injections at least so significant are measured without the bias of having just been found (well above any
threshold); residuals are theirs alone."""


def _goods() -> dict[str, Any]:
    import polars as pl

    return {good_column(stage): pl.Boolean for stage in STAGES if stage}


def _numbers(*names: str) -> dict[str, Any]:
    import polars as pl

    return dict.fromkeys(names, pl.Float64)


@cache
def detectors_schema() -> pl.Schema:
    """Return the schema of detectors: one row for each visit and detector that was subtracted.

    ``area`` (deg²), ``width`` and ``height`` (pixel) are null where they are not known.
    """
    import polars as pl

    return pl.Schema(
        {
            "visit": pl.Int64,
            "detector": pl.Int32,
            "band": pl.String,
            "area": pl.Float64,
            "width": pl.Float64,
            "height": pl.Float64,
        }
    )


@cache
def injections_schema() -> pl.Schema:
    """Return the schema of injections: one row for each injection, visit and detector, found or not.

    What is not known is NaN.

    - ``injectionId``: the same in every visit, and in every flavor.
    - ``ra``, ``dec`` (degrees), ``x``, ``y`` (pixel); ``margin``: distance from the nearest edge of the detector in
      pixels.
    - ``flux``: nJy as expected in the difference, so that it is negative for an injection into the template
      (``inTemplate``); ``mag``: AB, of its amount.
    - ``snr``: amount of the flux over the error of a PSF flux at the place.
    - ``nearStar``: within reach of a bright star; null when no catalogue of stars says so.
    - ``diaSourceId``: of the source that was matched, 0 when it was not found; ``diaObjectId``: of its object, 0 for
      none.
    - ``sourceFlux``, ``sourceFluxErr`` (nJy), ``separation`` (arcsec), ``offsetRa``, ``offsetDec`` (mas, measured less
      true, the first times cos(dec)), ``sourceRa``, ``sourceDec`` (degrees): NaN when it was not found.
    - ``good_S3`` ...: whether the list of flags leaves the source; False when it was not found, or when the list
      cannot be applied (`harness.metrics.flavor.stages`).
    """
    import polars as pl

    return pl.Schema(
        {
            "injectionId": pl.Int64,
            "visit": pl.Int64,
            "detector": pl.Int32,
            "band": pl.String,
            **_numbers("ra", "dec", "x", "y", "margin", "flux", "mag", "snr"),
            "inTemplate": pl.Boolean,
            "nearStar": pl.Boolean,
            "diaSourceId": pl.Int64,
            "diaObjectId": pl.Int64,
            **_numbers("sourceFlux", "sourceFluxErr", "sourceRa", "sourceDec", "separation", "offsetRa", "offsetDec"),
            **_goods(),
        }
    )


@cache
def sources_schema() -> pl.Schema:
    """Return the schema of DIA sources.

    What is not known is NaN.

    - ``ra``, ``dec`` (degrees), ``x``, ``y``, ``margin`` (pixel), ``flux``, ``fluxErr`` (nJy); ``snr``: flux over its
      error, with its sign.
    - ``kind``: ``injected`` (matched), ``known`` (a variable or transient of a catalogue), ``solarSystem``, or
      ``unmatched``.
    - ``nearInjection``: within reach of an injection without being it, so that it may be there because of it.
    - ``nearStar``: as for injections.
    - ``good_S3`` ...: whether the list of flags leaves it.
    """
    import polars as pl

    return pl.Schema(
        {
            "diaSourceId": pl.Int64,
            "diaObjectId": pl.Int64,
            "visit": pl.Int64,
            "detector": pl.Int32,
            "band": pl.String,
            **_numbers("ra", "dec", "x", "y", "margin", "flux", "fluxErr", "snr"),
            "isNegative": pl.Boolean,
            "kind": pl.String,
            "nearInjection": pl.Boolean,
            "nearStar": pl.Boolean,
            **_goods(),
        }
    )
