"""Which figures belong to a rerun: those of every analysis that it holds the input of."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.drawing import Drawing
    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["figures_of"]

#: What is stored beside the measurements, the analysis it belongs to, and the module whose ``drawings(session, ref,
#: tables)`` are made of it.  Each of them imports matplotlib: a rerun without figures does without.
_PROVIDERS = (
    ("curves", "Photon transfer", "harness.report.ptc_figures"),
    ("subtractions", "Templates", "harness.report.template_figures"),
    ("backgrounds", "Backgrounds", "harness.report.background_figures"),
    ("alerts", "Alerts", "harness.report.alert_figures"),
    ("injections", "Flavors of the subtraction", "harness.report.flavor_figures"),
)


def figures_of(session: Session, ref: RerunRef) -> Iterator[tuple[str, Drawing]]:
    """Yield the figures of one rerun, drawn from what is stored beside its measurements, each with its analysis.

    Parameters
    ----------
    session
        With the rerun, measured.
    ref
        The rerun.
    """
    for table, analysis, module in _PROVIDERS:
        if stored := session.tables(ref, table):
            for drawing in import_module(module).drawings(session, ref, stored):
                yield analysis, drawing
