"""The report: one self-contained HTML page with what does not hold first, then everything, then the figures."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

from harness.report.figures import figures_of
from harness.report.published import published_listing
from harness.report.verdicts import summary, verdict_listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from matplotlib.figure import Figure

    from harness.session import Session
    from harness.verify import Outcome

__all__ = ["report_page"]

#: Sharp on a screen of twice the usual density: figures are ten inches wide, and the page 70 rem.
_DOTS_PER_INCH = 150


def report_page(session: Session, outcome: Outcome, notes: Sequence[str] = ()) -> str:
    """Return the report of what was judged, as HTML that needs nothing beside it.

    Parameters
    ----------
    session
        What was judged against what.
    outcome
        The verdicts, and the checks that went wrong by themselves.
    notes
        Further lines, such as what was not judged.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("harness.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    listing = verdict_listing(outcome.verdicts, session.describe())
    failing = [row for row in listing.rows if row["state"] not in session.tolerated]
    return environment.get_template("report.html").render(
        title=", ".join(ref.name for ref in session.refs),
        against=session.describe(),
        summary=summary(outcome.verdicts),
        problems=outcome.problems,
        failing=failing,
        context=_context(failing),
        notes=notes,
        columns=listing.columns,
        rows=listing.rows,
        published=published_listing(session.baseline),
        figures=[
            {
                "title": drawing.title,
                "description": drawing.description,
                "source": _inline(drawing.figure),
                "table": drawing.table,
            }
            for ref in session.refs
            for drawing in figures_of(session, ref)
        ],
    )


def _context(failing: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return what is known of each rerun as a whole, once, with the command to run next at the end."""
    known: dict[str, dict[str, None]] = {}
    for row in failing:
        if row["context"]:
            known.setdefault(row["rerun"], {}).update(dict.fromkeys(row["context"]))
    return {rerun: sorted(lines, key=lambda line: line.startswith("next")) for rerun, lines in known.items()}


def _inline(figure: Figure) -> str:
    """Return a figure as a data URL: the page is one file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
