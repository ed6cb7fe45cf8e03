"""The numbers of one alert packet: what is left of it once its pixels are forgotten."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.metrics.alerts.catalogue import PSF_KIND
from harness.metrics.alerts.psf_flux import psf_flux

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from harness.rerun.alerts import Cutout, CutoutKind

__all__ = ["AlertNumbers", "alert_numbers"]


@final
@dataclass(frozen=True, slots=True)
class AlertNumbers:
    """What one alert packet gives; NaN where it does not.

    Attributes
    ----------
    place
        The packet in words.
    flux_ratio, error_ratio
        PSF flux of the difference pixels, and its error, over ``psfFlux`` and ``psfFluxErr``.
    pull
        Their difference over ``psfFluxErr``.
    unclean
        Why the alert is left out where fluxes are compared; empty when it is clean.
    additivity
        Median over pixels of the variance of the difference over those of science image and template.
    fwhm
        PSF FWHM of each cutout that could be read, pixels.
    equal_psf
        Whether difference and science image have the same PSF; None when one of them could not be read.
    n_cutouts, n_pixels, n_nan, n_nonpositive
        Cutouts that could be read, their pixels, those of them that are not finite, those without positive variance.
    empty
        Cutouts without a finite pixel.
    shapes
        Shapes of the cutouts, where they differ; else empty.
    """

    place: str
    flux_ratio: float = math.nan
    error_ratio: float = math.nan
    pull: float = math.nan
    unclean: str = ""
    additivity: float = math.nan
    fwhm: Mapping[CutoutKind, float] = field(default_factory=dict)
    equal_psf: bool | None = None
    n_cutouts: int = 0
    n_pixels: int = 0
    n_nan: int = 0
    n_nonpositive: int = 0
    empty: tuple[CutoutKind, ...] = ()
    shapes: str = ""


def alert_numbers(place: str, source: Mapping[str, Any], cutouts: Mapping[CutoutKind, Cutout]) -> AlertNumbers:
    """Measure one alert packet.

    Parameters
    ----------
    place
        The packet in words.
    source
        Its DIA source, by canonical names of columns.
    cutouts
        Those that could be read.
    """
    shapes = {kind: cutout.image.shape for kind, cutout in cutouts.items()}
    alike = len(set(shapes.values())) <= 1
    finite = {kind: np.isfinite(each.image) & np.isfinite(each.variance) for kind, each in cutouts.items()}
    science, difference = cutouts.get("science"), cutouts.get("difference")
    return AlertNumbers(
        place,
        **_flux(source, difference),
        additivity=_additivity(cutouts) if alike and len(cutouts) == 3 else math.nan,
        fwhm={kind: _fwhm(cutout.psf) for kind, cutout in cutouts.items()},
        equal_psf=None if science is None or difference is None else np.array_equal(science.psf, difference.psf),
        n_cutouts=len(cutouts),
        n_pixels=sum(each.size for each in finite.values()),
        n_nan=sum(int(each.size - each.sum()) for each in finite.values()),
        n_nonpositive=sum(int((each.variance <= 0).sum()) for each in cutouts.values()),
        empty=tuple(kind for kind, each in finite.items() if not each.any()),
        shapes="" if alike else ", ".join(f"{kind} {rows} × {columns}" for kind, (rows, columns) in shapes.items()),
    )


def _flux(source: Mapping[str, Any], difference: Cutout | None) -> dict[str, Any]:
    if difference is None:
        return {"unclean": "there is no difference image"}
    told, error = _number(source.get("psfFlux")), _number(source.get("psfFluxErr"))
    ours = psf_flux(difference.image, difference.variance, difference.psf, difference.x, difference.y)
    if not (math.isfinite(told) and math.isfinite(error) and error > 0):
        unclean = "psfFlux or psfFluxErr says nothing"
    elif source.get("psfFlux_flag"):
        unclean = "psfFlux_flag is set"
    elif ours.n_missing or not math.isfinite(ours.flux):
        unclean = "pixels under the PSF have no value"
    else:
        unclean = ""
    with np.errstate(divide="ignore", invalid="ignore"):
        flux_ratio, error_ratio, pull = np.divide(
            (ours.flux, ours.error, ours.flux - told), (told, error, error), dtype=float
        ).tolist()
    return {"flux_ratio": flux_ratio, "error_ratio": error_ratio, "pull": pull, "unclean": unclean}


def _additivity(cutouts: Mapping[CutoutKind, Cutout]) -> float:
    """Return the median ratio of variances over pixels that are finite in all three."""
    expected = cutouts["science"].variance.astype(float) + cutouts["template"].variance
    found = cutouts["difference"].variance
    good = np.isfinite(expected) & np.isfinite(found) & (expected > 0)
    return float(np.median(found[good] / expected[good])) if good.any() else math.nan


def _fwhm(psf: NDArray[np.float64]) -> float:
    from harness.metrics.psf_size import psf_fwhm
    from harness.rerun.exposures.protocol import KernelImage

    rows, columns = psf.shape
    return psf_fwhm(KernelImage(psf, -(columns // 2), -(rows // 2)), PSF_KIND)


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
