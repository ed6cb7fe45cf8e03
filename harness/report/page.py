"""The report: one self-contained HTML page with what does not hold first, then everything, then the figures."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

from harness.model import VerdictState
from harness.report.content import labelled, report_content
from harness.report.figures import figures_of
from harness.report.interval_drawing import interval_drawing
from harness.report.page_tables import acknowledged_listing, side_listing, software_listing, verdict_table
from harness.report.published import published_listing
from harness.report.unit_drawing import HEIGHT, WIDTH, unit_drawing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from jinja2 import Environment
    from matplotlib.figure import Figure

    from harness.history.trend import Trend
    from harness.report.content import Content, Finding
    from harness.report.interval_drawing import IntervalDrawing
    from harness.report.trend_drawing import TrendDrawing
    from harness.report.unit_drawing import UnitDrawing
    from harness.session import Session
    from harness.verify import Outcome

__all__ = ["report_page"]

#: Sharp on a screen of twice the usual density: figures are ten inches wide, and the page 72 rem.
_DOTS_PER_INCH = 150
#: So many failures are told in full, the rest folded away: they are ranked, and a page of all would hide the rest.
_IN_FULL = 20
#: With more figures than this, those of each analysis are folded away.
_FEW_FIGURES = 6

#: Sections of what was not judged, by the name of the section.
_UNJUDGED = {
    "unmeasured": ("Not measured", VerdictState.NOT_MEASURED),
    "incomparable": ("Not comparable", VerdictState.NOT_COMPARABLE),
    "inconclusive": ("Inconclusive", VerdictState.INCONCLUSIVE),
}


@final
@dataclass(frozen=True)
class _Shown:
    """A failure as the page shows it; ``rank`` counts from 0."""

    finding: Finding
    session: Session
    rank: int
    heading: str
    trend: TrendDrawing | None = None

    @property
    def name(self) -> str:
        return f"failure-{self.rank + 1}"

    @property
    def is_full(self) -> bool:
        return self.rank < _IN_FULL

    @cached_property
    def interval(self) -> IntervalDrawing | None:
        return interval_drawing(self.finding.verdict)

    @cached_property
    def units(self) -> UnitDrawing | None:
        verdict, session = self.finding.verdict, self.session
        if not self.is_full or verdict.place:
            return None
        ref = next((ref for ref in session.refs if ref.name == verdict.rerun), None)
        if ref is None or verdict.metric not in (ours := session.measurements(ref)):
            return None
        theirs = None if session.reference is None else session.measurements(session.reference)
        if theirs is None or verdict.metric not in theirs or verdict.reference != theirs[verdict.metric].value:
            return unit_drawing(ours[verdict.metric], None)
        return unit_drawing(ours[verdict.metric], theirs[verdict.metric])


def report_page(
    session: Session,
    outcome: Outcome,
    notes: Sequence[str] = (),
    *,
    trends: Mapping[str, Trend] | None = None,
    at: datetime | None = None,
) -> str:
    """Return the report of what was judged, as HTML that needs nothing beside it.

    Parameters
    ----------
    session
        What was judged against what.
    outcome
        The verdicts, and the checks that went wrong by themselves.
    notes
        Further lines, such as what was not judged.
    trends
        Metrics through time, by name; None where no history is kept.
    at
        When it was judged; None is now.
    """
    from markupsafe import Markup

    environment = _environment()
    content = report_content(session, outcome, notes, at=at)
    drawn = _trends(trends or {})
    several = len(session.refs) > 1
    failed = [
        _Shown(
            finding,
            session,
            rank,
            f"{finding.subject} in {finding.verdict.rerun}" if several else finding.subject,
            None if finding.verdict.place else drawn.get(finding.verdict.metric),
        )
        for rank, finding in enumerate(content.of(VerdictState.FAIL))
    ]
    figures = _figures(session)
    # These two files are ours: they go into the page as they are, and the policy allows nothing else to run.
    style, script = (_source(environment, name) for name in ("report.css", "report.js"))
    return environment.get_template("report.html").render(
        content=content,
        policy=f"default-src 'none'; img-src data:; style-src {_allowed(style)}; script-src {_allowed(script)}; "
        "base-uri 'none'; form-action 'none'",
        style=Markup(style),  # noqa: S704 - no data in it
        script=Markup(script),  # noqa: S704 - no data in it
        sections=_sections(content, session, trends=bool(drawn), figures=bool(figures)),
        sides=side_listing(content),
        software=software_listing(content),
        failed=failed,
        unjudged={name: stories for name, (_, state) in _UNJUDGED.items() if (stories := content.stories(state))},
        acknowledged=acknowledged_listing(content),
        context={rerun: list(labelled(lines)) for rerun, lines in content.context.items()},
        table=verdict_table(content),
        trends=list(drawn.values()),
        figures=figures,
        are_many=sum(map(len, figures.values())) > _FEW_FIGURES,
        published=published_listing(session.baseline),
        width=WIDTH,
        height=HEIGHT,
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("harness.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _source(environment: Environment, name: str) -> str:
    if environment.loader is None:
        raise AssertionError("an environment without templates")
    return environment.loader.get_source(environment, name)[0]


def _allowed(source: str) -> str:
    """Return a source as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _sections(content: Content, session: Session, *, trends: bool, figures: bool) -> dict[str, str]:
    """Return the headings of the sections that there are, in order, by their names."""
    counts = content.counts
    found = {
        "problems": ("Checks that went wrong by themselves", len(content.problems)),
        "failed": ("Failed", counts.get(VerdictState.FAIL, 0)),
        **{name: (heading, counts.get(state, 0)) for name, (heading, state) in _UNJUDGED.items()},
        "acknowledged": ("Acknowledged", counts.get(VerdictState.ACKNOWLEDGED, 0)),
    }
    sections = {name: f"{heading} ({count})" for name, (heading, count) in found.items() if count}
    if content.context:
        sections["context"] = "Reruns as a whole"
    if content.notes:
        sections["notes"] = "Notes"
    sections["all"] = "All that was judged"
    if trends:
        sections["trends"] = "Trends"
    if figures:
        sections["figures"] = "Figures"
    if published_listing(session.baseline) is not None:
        sections["published"] = "What was published"
    return sections


def _trends(trends: Mapping[str, Trend]) -> dict[str, TrendDrawing]:
    if not trends:
        return {}
    from harness.report.trend_drawing import trend_drawing

    drawn = {name: trend_drawing(trend) for name, trend in trends.items()}
    return {name: drawing for name, drawing in drawn.items() if drawing is not None}


def _figures(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Return the figures of all reruns by their analysis."""
    found: dict[str, list[dict[str, Any]]] = {}
    for ref in session.refs:
        for analysis, drawing in figures_of(session, ref):
            width, height = drawing.figure.get_size_inches() * 96  # an inch of CSS
            found.setdefault(analysis, []).append(
                {
                    "title": drawing.title,
                    "description": drawing.description,
                    "source": _inline(drawing.figure),
                    "width": round(width),
                    "height": round(height),
                    "table": drawing.table,
                }
            )
    return found


def _inline(figure: Figure) -> str:
    """Return a figure as a data URL: the page is one file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS_PER_INCH)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
