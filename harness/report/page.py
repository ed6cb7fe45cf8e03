"""The report: one self-contained HTML page with what does not hold first, then everything, then the figures."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from harness.report.figures import figures_of
from harness.report.verdicts import summary, verdict_listing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.session import Session
    from harness.verify import Outcome

__all__ = ["report_page"]


@final
@dataclass(frozen=True, slots=True)
class _Drawn:
    """A figure as the page holds it."""

    title: str
    source: str


def report_page(session: Session, outcome: Outcome, notes: Sequence[str] = ()) -> str:
    """Return the report of what was judged.

    Parameters
    ----------
    session
        What was judged against what.
    outcome
        The verdicts.
    notes
        Further lines, such as checks that went wrong by themselves.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("harness.report", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    listing = verdict_listing(outcome.verdicts, session.describe())
    rows = [
        {
            "state": str(row["state"]),
            "cells": [(column.show(row[column.key]), column.numeric) for column in listing.columns],
        }
        for row in listing.rows
    ]
    failing: list[Any] = [verdict for verdict in outcome.verdicts if verdict.state not in session.tolerated]
    figures = [_Drawn(title, _inline(figure)) for ref in session.refs for title, figure in figures_of(session, ref)]
    return environment.get_template("report.html").render(
        title=", ".join(ref.name for ref in session.refs),
        against=session.describe(),
        summary=summary(outcome.verdicts),
        failing=failing,
        context=list(dict.fromkeys(line for verdict in failing for line in verdict.context)),
        notes=[*outcome.problems, *notes],
        headings=[(column.heading, column.numeric) for column in listing.columns],
        rows=rows,
        figures=figures,
    )


def _inline(figure: Any) -> str:
    """Return a figure as a data URL: the page is one file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
