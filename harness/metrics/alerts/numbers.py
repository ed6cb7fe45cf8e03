"""The numbers of one alert packet: what is left of it once its pixels are forgotten."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.alerts.psf_flux import psf_flux

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.rerun.alerts import Cutout, CutoutKind
    from harness.rerun.exposures.protocol import PsfSizeKind

__all__ = ["alert_numbers", "alerts_schema", "unreadable_packet"]


@cache
def alerts_schema() -> pa.Schema:
    """Return the Arrow schema of a table of alerts, one row per packet.

    ``place`` is the packet in words, and ``unreadable`` why it could not be read: all else is null then.

    ``fluxRatio`` and ``errorRatio`` are the PSF flux of the difference pixels, and its error, over ``psfFlux`` and
    ``psfFluxErr``; ``pull`` is the difference of the two fluxes over ``psfFluxErr``.  ``unclean`` says why the alert is
    left out where fluxes are compared, and is empty when it is clean.  ``additivity`` is the median over pixels of the
    variance of the difference over those of science image and template.  The FWHM are in pixels.  What could not be
    measured is null.

    ``numNan`` counts pixels whose value or variance is not finite, ``numNonPositive`` those whose variance is zero or
    negative, both of ``numPixels``.  ``missing``, ``broken`` and ``empty`` say which cutouts are not there, cannot be
    read or have no finite pixel; ``shapes`` gives those of the cutouts where they differ, and is empty otherwise.
    """
    import pyarrow as pa

    numbers = ("fluxRatio", "errorRatio", "pull", "additivity", "scienceFwhm", "templateFwhm", "differenceFwhm")
    counts = ("numCutouts", "numPixels", "numNan", "numNonPositive")
    return pa.schema(
        [
            ("place", pa.string()),
            ("unreadable", pa.string()),
            ("visit", pa.int64()),
            ("detector", pa.int32()),
            ("band", pa.string()),
            ("unclean", pa.string()),
            ("equalPsf", pa.bool_()),
            ("shapes", pa.string()),
            *((name, pa.float64()) for name in numbers),
            *((name, pa.int64()) for name in counts),
            *((name, pa.list_(pa.string())) for name in ("missing", "broken", "empty")),
        ]
    )


def unreadable_packet(reason: str) -> dict[str, Any]:
    """Return the row of a packet, or of the rest of a file, that cannot be read."""
    return {"unreadable": reason}


def alert_numbers(
    place: str,
    source: Mapping[str, Any],
    cutouts: Mapping[CutoutKind, Cutout],
    missing: Sequence[str] = (),
    broken: Sequence[str] = (),
    *,
    psf_size: PsfSizeKind = "determinant",
) -> dict[str, Any]:
    """Measure one alert packet.

    Parameters
    ----------
    place
        The packet in words.
    source
        Its DIA source, by canonical names of columns.
    cutouts
        Those that could be read.
    missing, broken
        What there is to say of those that are not there, and of those that could not be read.
    psf_size
        Which size of a PSF is meant.

    Returns
    -------
    row : `dict`
        Of `alerts_schema`.
    """
    for name in ("visit", "detector"):
        if source.get(name) is None:
            return unreadable_packet(f"{place} has no {name}")
    shapes = {kind: cutout.image.shape for kind, cutout in cutouts.items()}
    alike = len(set(shapes.values())) <= 1
    finite = {kind: np.isfinite(each.image) & np.isfinite(each.variance) for kind, each in cutouts.items()}
    science, difference = cutouts.get("science"), cutouts.get("difference")
    return {
        "place": place,
        "visit": source["visit"],
        "detector": source["detector"],
        "band": source.get("band"),
        **_flux(source, difference),
        "additivity": _additivity(cutouts) if alike and len(cutouts) == 3 else None,
        **{f"{kind}Fwhm": _fwhm(cutout.psf, psf_size) for kind, cutout in cutouts.items()},
        "equalPsf": None if science is None or difference is None else np.array_equal(science.psf, difference.psf),
        "numCutouts": len(cutouts),
        "numPixels": sum(each.size for each in finite.values()),
        "numNan": sum(int(each.size - each.sum()) for each in finite.values()),
        "numNonPositive": sum(int((each.variance <= 0).sum()) for each in cutouts.values()),
        "missing": list(missing),
        "broken": list(broken),
        "empty": [f"the {kind} cutout of {place} has no finite pixel" for kind in finite if not finite[kind].any()],
        "shapes": "" if alike else ", ".join(f"{kind} {rows} × {columns}" for kind, (rows, columns) in shapes.items()),
    }


def _flux(source: Mapping[str, Any], difference: Cutout | None) -> dict[str, Any]:
    """Return what the difference pixels say of ``psfFlux``, and whether the pipeline had the same ones."""
    if difference is None:
        return {"unclean": "there is no difference image"}
    ours = psf_flux(difference.image, difference.variance, difference.psf, difference.x, difference.y)
    flux, error = (math.nan if source.get(name) is None else source[name] for name in ("psfFlux", "psfFluxErr"))
    if not (math.isfinite(flux) and math.isfinite(error) and error > 0):
        return {"unclean": "psfFlux or psfFluxErr says nothing"}
    if source.get("psfFlux_flag"):
        unclean = "psfFlux_flag is set"
    elif ours.n_missing:
        unclean = "pixels under the PSF have no value"
    else:
        unclean = ""
    return {
        "unclean": unclean,
        "fluxRatio": _or_none(ours.flux / flux if flux else math.nan),
        "errorRatio": _or_none(ours.error / error),
        "pull": _or_none((ours.flux - flux) / error),
    }


def _additivity(cutouts: Mapping[CutoutKind, Cutout]) -> float | None:
    """Return the median ratio of variances over pixels that are finite in all three."""
    expected = cutouts["science"].variance.astype(float) + cutouts["template"].variance
    found = cutouts["difference"].variance
    good = np.isfinite(expected) & np.isfinite(found) & (expected > 0)
    return float(np.median(found[good] / expected[good])) if good.any() else None


def _fwhm(psf: NDArray[np.float64], kind: PsfSizeKind) -> float | None:
    from harness.metrics.psf_size import psf_fwhm
    from harness.rerun.exposures.protocol import KernelImage

    rows, columns = psf.shape
    return _or_none(psf_fwhm(KernelImage(psf, -(columns // 2), -(rows // 2)), kind))


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
