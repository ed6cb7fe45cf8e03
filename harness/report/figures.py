"""Which figures belong to a rerun: those of every analysis that it holds the input of."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["figures_of"]

#: A focal plane has 200 detectors: nobody looks at more than a few of them, and a page has to open.
_MAX_DETECTORS = 4


def figures_of(session: Session, ref: RerunRef) -> Iterator[tuple[str, Figure]]:
    """Yield the titles and figures of one rerun, drawn from what is stored beside its measurements.

    Parameters
    ----------
    session
        With the rerun, measured.
    ref
        The rerun.
    """
    yield from _photon_transfer(session, ref)


def _photon_transfer(session: Session, ref: RerunRef) -> Iterator[tuple[str, Figure]]:
    tables = session.tables(ref, "curves")
    if not tables:
        return
    from harness.metrics.ptc.curve import curves_of
    from harness.report import ptc_figures

    yield f"{ref.name}: gain by method and amplifier", ptc_figures.gain_by_method(session.measurements(ref))
    curves = sorted((curve for table in tables for curve in curves_of(table)), key=_detector)
    for number, (_, group) in enumerate(groupby(curves, key=_detector)):
        if number == _MAX_DETECTORS:
            return
        amplifiers = list(group)
        place = amplifiers[0].name.removesuffix(amplifiers[0].amplifier).strip()
        for what, draw in (
            ("photon transfer", ptc_figures.ptc_panels),
            ("residuals", ptc_figures.residual_panels),
            ("gain against flux", ptc_figures.gain_against_flux),
        ):
            yield ", ".join(filter(None, (ref.name, place))) + f": {what}", draw(amplifiers)


def _detector(curve: object) -> tuple[int, str]:
    number = getattr(curve, "detector", None)
    return (-1 if number is None else number), getattr(curve, "detector_name", "")
