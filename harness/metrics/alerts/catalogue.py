"""All metrics of alert packets: what each is, in which unit, by whose definition."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.metrics.settings import Settings

__all__ = ["ALERT_GROUPS", "alert_catalogue"]

#: Groups of these metrics.
ALERT_GROUPS = frozenset({"alert_flux", "alert_ladder", "alert_psf", "alert_sanity", "alert_variance"})

#: An alert is clean where the pipeline had the pixels that its packet holds, and trusts its own flux.  The mask is not
#: in the packet, so that a pixel without a value cannot be treated as the pipeline did; other flags (saturated, cosmic
#: ray, dipole) tell about the source, whose flux was measured in the same way all the same.
_CLEAN = (
    "psfFlux and psfFluxErr are finite, the latter positive",
    "psfFlux_flag is not set",
    "every pixel of the difference under the PSF has a value and a positive variance",
)
_FLUX: Mapping[str, Any] = MappingProxyType(
    {
        "clean": _CLEAN,
        "fit": "PSF of the packet, pixels weighted alike (base_PsfFlux of lsst/meas_base)",
        "place": "CRPIX of the cutout, Lanczos 5",
        "variance": "UNCERT",
    }
)


def alert_catalogue(settings: Settings) -> Mapping[str, Metric]:
    """Return the definitions of all metrics of alert packets by name, in the order they are listed in.

    Parameters
    ----------
    settings
        What the definitions depend on.
    """
    metrics = (*_fluxes(), *_variance(), *_psfs(settings.psf_size), *_ladder(), *_sanity())
    return MappingProxyType({metric.name: metric for metric in metrics})


def _ratio(name: str, unit: str, doc: str, group: str, /, *, census: bool = False, **definition: Any) -> Metric:
    return Metric(f"alert.{name}", unit, doc, group, "ratio", definition, census=census)


def _fluxes() -> Iterator[Metric]:
    yield _ratio(
        "fracFluxWithinOneSigma",
        "",
        "Clean alerts whose psfFlux is found again in their difference pixels, within psfFluxErr, over all clean ones.",
        "alert_flux",
        **_FLUX,
    )
    yield _ratio(
        "fluxRatio",
        "",
        "PSF flux of the difference pixels over psfFlux: mean over visits of the median over clean alerts.",
        "alert_flux",
        **_FLUX,
    )
    yield _ratio(
        "fluxErrRatio",
        "",
        "Error of that flux over psfFluxErr: mean over visits of the median over clean alerts.",
        "alert_flux",
        **_FLUX,
    )


def _variance() -> Iterator[Metric]:
    yield _ratio(
        "varianceAdditivity",
        "",
        "Variance of the difference over the sum of those of science image and template, 1 where their noise is "
        "independent: mean over visits of the median over alerts of the median over pixels.",
        "alert_variance",
        variance="UNCERT",
        pixels="finite in all three",
    )


def _psfs(size: str) -> Iterator[Metric]:
    for kind, of in (("science", "science image"), ("template", "template"), ("difference", "difference")):
        yield _ratio(
            f"psfFwhm.{kind}",
            "pixel",
            f"FWHM of the PSF of the {of}: mean over visits and detectors of the median over alerts.",
            "alert_psf",
            size=size,
        )
    yield _ratio(
        "fracTemplateSharper",
        "",
        "Alerts whose template has a smaller PSF than their science image, over all that have both.",
        "alert_psf",
        size=size,
    )
    # Two copies of one array are equal or not: there is nothing to sample.
    yield _ratio(
        "fracEqualPsf",
        "",
        "Alerts that hold the same PSF for difference and science image, to the last bit, over all that have both.",
        "alert_psf",
        census=True,
    )


def _ladder() -> Iterator[Metric]:
    for name, doc in (
        ("numPackets", "Alert packets that could be read."),
        ("numCutouts", "Cutouts that could be read, three to a packet."),
        ("numUnclean", "Alerts that are left out where fluxes are compared."),
    ):
        definition = {"clean": _CLEAN} if name == "numUnclean" else {}
        yield Metric(f"alert.{name}", "ct", doc, "alert_ladder", definition=definition, census=True)
    # Pixels without data are by design; what matters is that they do not become more.
    yield _ratio(
        "fracNanPixels",
        "",
        "Pixels of the cutouts whose value or variance is not finite, over all.",
        "alert_ladder",
        census=True,
    )


def _sanity() -> Iterator[Metric]:
    for name, doc in (
        ("numUnreadablePackets", "Places at which a file of alerts cannot be read on, or a packet has no visit."),
        ("numMissingCutouts", "Cutouts that packets were sent without."),
        ("numBrokenCutouts", "Cutouts that are no FITS, lack an extension, or say that UNCERT is no variance."),
        ("numEmptyCutouts", "Cutouts without a single finite pixel."),
        ("numUnequalShapes", "Packets whose cutouts are not of one shape."),
        ("numNonPositiveVariances", "Pixels of cutouts whose variance is zero or negative."),
    ):
        yield Metric(f"alert.{name}", "ct", doc, "alert_sanity", census=True)
