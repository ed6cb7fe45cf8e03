"""Which figures belong to a rerun: those of every analysis that it holds the input of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from harness.metrics.ptc.curve import Curve
    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["Drawing", "figures_of"]

#: A focal plane has 200 detectors: nobody looks at more than a few of them, and a page has to open.
_MAX_DETECTORS = 4


@final
@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure, its title, and what it shows in words for who cannot see it."""

    title: str
    description: str
    figure: Figure


def figures_of(session: Session, ref: RerunRef) -> Iterator[Drawing]:
    """Yield the figures of one rerun, drawn from what is stored beside its measurements.

    Parameters
    ----------
    session
        With the rerun, measured.
    ref
        The rerun.
    """
    yield from _photon_transfer(session, ref)


def _photon_transfer(session: Session, ref: RerunRef) -> Iterator[Drawing]:
    tables = session.tables(ref, "curves")
    if not tables:
        return
    from harness.metrics.ptc.curve import curves_of
    from harness.report import ptc_figures

    measurements = session.measurements(ref)
    curves = sorted((curve for table in tables for curve in curves_of(table)), key=_detector)
    detectors = [list(group) for _, group in groupby(curves, key=_detector)]
    for amplifiers in detectors[:_MAX_DETECTORS]:
        first = amplifiers[0]
        place = first.name.removesuffix(first.amplifier).strip()
        if len(detectors) > _MAX_DETECTORS:
            place += f" (drawn are {_MAX_DETECTORS} of {len(detectors)} detectors)"
        where = ", ".join(filter(None, (ref.name, place)))
        count = f"{len(amplifiers)} amplifier{'' if len(amplifiers) == 1 else 's'}"
        places = [known for known in measurements.amplifiers if known.get("detector") == first.detector]
        yield Drawing(
            f"{where}: gain by method and amplifier",
            f"Gain of {count} by each method, with standard errors; hollow markers have the predicted offset removed.",
            ptc_figures.gain_by_method(measurements, places),
        )
        yield Drawing(
            f"{where}: photon transfer curves",
            f"Variance against mean signal of {count}, a panel each, with the fits; pairs left out are grey crosses.",
            ptc_figures.ptc_panels(amplifiers),
        )
        yield Drawing(
            f"{where}: residuals",
            f"What the EXPAPPROXIMATION fit leaves of the variance of {count}, a panel each, in percent.",
            ptc_figures.residual_panels(amplifiers),
        )
        yield Drawing(
            f"{where}: gain against flux",
            f"Gain that each pair of flats gives, against its signal, of {count}, with what is expected of the fit.",
            ptc_figures.gain_against_flux(amplifiers),
        )


def _detector(curve: Curve) -> tuple[int, str]:
    return (-1 if curve.detector is None else curve.detector), curve.detector_name
