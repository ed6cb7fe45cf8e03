"""What is known about where a rerun's change comes from, put together once and told with every failure."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, final

from harness.diagnose.environment import environment_difference
from harness.diagnose.injections import configuration_line, injection_lines
from harness.diagnose.localise import Localisation, localise
from harness.diagnose.stages import STAGES, first_stage_that_differs

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from harness.measure.measurements import Measurements
    from harness.metrics.settings import Settings
    from harness.model import Metric, Verdict

__all__ = ["Story"]

#: Groups whose metrics count or describe DIA sources, so that lost and gained sources explain them.
_OF_SOURCES = frozenset({"dia_count", "dia_ratio", "dia_flags", "churn"})

#: What the groups of metrics begin with that depend on which injections were found.
_OF_INJECTIONS = ("injected_", "flavor_")


@final
class Story:
    """Churn, place, stage and environment of a rerun against a reference.

    Parameters
    ----------
    rerun, reference
        Stored measurements of both; those of the rerun hold the churn.
    settings
        What they were measured with.
    regions
        Returns detector sizes, or None; called once, when there is a failure to explain.
    """

    def __init__(
        self,
        rerun: Measurements,
        reference: Measurements,
        settings: Settings,
        regions: Callable[[], pa.Table | None],
    ) -> None:
        self._rerun = rerun
        self._reference = reference
        self._settings = settings
        self._regions = regions
        self._stage: str | None = None

    def clauses(self, metric: Metric, judge: Callable[[str], Verdict]) -> tuple[str, ...]:
        """Return what belongs into a failure's first line.

        Parameters
        ----------
        metric
            The metric that failed.
        judge
            Judges another metric of the rerun by the baseline, for the stages before this one.
        """
        if metric.group not in _OF_SOURCES:
            return ()
        if self._stage is None:
            judged = {name: judge(name) for stage in STAGES for name in stage.sentinels if name in self._rerun}
            self._stage = first_stage_that_differs({name: verdict.state for name, verdict in judged.items()})
        where = "" if self._churn is None else self._churn.headline
        is_known = self._stage and not self._stage.startswith("not determined")
        return tuple(filter(None, (where, f"first stage that differs: {self._stage}" if is_known else "")))

    def lines(self, metric: Metric | None = None) -> list[str]:
        """Return the lines below a failure: churn, bookkeeping, columns, environment.

        Parameters
        ----------
        metric
            The metric that failed; None tells everything.
        """
        lines: list[str] = []
        if metric is None or metric.group in _OF_SOURCES:
            lines += self._of_sources()
            if self._stage and self._stage.startswith("not determined"):
                lines.append(f"stage      {self._stage}")
        if metric is None or metric.group.startswith(_OF_INJECTIONS):
            lines += [*injection_lines(self._rerun), *filter(None, [configuration_line(self._rerun)])]
        manifests = (self._rerun.manifest, self._reference.manifest)
        if manifests[0] is not None and manifests[1] is not None:
            lines.append(f"software   {environment_difference(manifests[0], manifests[1]).text()}")
        return lines

    def _of_sources(self) -> list[str]:
        lines = []
        if self._churn is not None:
            matched = self._rerun["churn.numMatched"].value
            lost, gained = self._churn.n_lost, self._churn.n_gained
            lines.append(f"churn      {matched:.0f} matched, {lost} lost, {gained} gained")
            lines.append(f"where      {self._churn.text}")
        return [*lines, *filter(None, (self._bookkeeping(), self._columns()))]

    @cached_property
    def _churn(self) -> Localisation | None:
        if "churn.numMatched" not in self._rerun:
            return None
        return localise(self._rerun.rows, self._settings, self._regions())

    def _bookkeeping(self) -> str:
        """Say when objects grew by more than sources: additional sources alone cannot create more objects."""
        sources, objects = (
            self._rerun[name].value - self._reference[name].value for name in ("dia.numSources", "dia.numObjects")
        )
        if not objects > max(sources, 0):
            return ""
        return (
            f"objects    grew by {objects:.0f}, sources by {sources:.0f}: more than additional sources can create, "
            "so sources were lost, moved or associated differently as well"
        )

    def _columns(self) -> str:
        if "columns.numChanged" not in self._rerun:
            return ""
        changed = self._rerun["columns.numChanged"]
        if not changed.value > 0:
            return ""
        return f"columns    {changed.value:.0f} differ in rows that both have: {changed.detail}"
