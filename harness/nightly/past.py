"""What the history knows already: which reruns were judged, and what failed in the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from harness.model import VerdictState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from harness.history.entry import Entry
    from harness.model import Verdict

__all__ = ["TROUBLES", "Past"]

TROUBLES: Final = frozenset({VerdictState.FAIL, VerdictState.NOT_COMPARABLE, VerdictState.NOT_MEASURED})
"""States of which people are told: what was shown to fail, and what is absent."""


@final
class Past:
    """The reruns in a history.

    Parameters
    ----------
    frame
        The history, in its order (`harness.history.store.HistoryStore.read`).
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self._known: set[tuple[str, str, str]] = set()
        self._states: dict[str, dict[str, dict[str, str]]] = {}
        for (dataset, _), rows in frame.group_by(["dataset", "key"], maintain_order=True):
            rerun, inputs = rows["rerun"][0], rows["inputs"][0]
            self._add(str(dataset), rerun, inputs, dict(zip(rows["metric"], rows["state"], strict=True)))

    def __contains__(self, rerun: tuple[str, str, str]) -> bool:
        """Return whether a rerun is known, by dataset, name and digest of its inputs."""
        return rerun in self._known

    def add(self, entry: Entry) -> None:
        """Take note of a rerun that has entered the history."""
        self._add(entry.dataset, entry.rerun, entry.inputs, {row.metric: row.state for row in entry.rows})

    def _add(self, dataset: str, rerun: str, inputs: str, states: Mapping[str, str]) -> None:
        self._known.add((dataset, rerun, inputs))
        of_dataset = self._states.setdefault(dataset, {})
        of_dataset.pop(rerun, None)  # the same name once more is the newest one
        of_dataset[rerun] = dict(states)

    def before(self, dataset: str, rerun: str) -> str:
        """Return the name of the rerun that entered the history last, other than this one; empty without any."""
        return next((name for name in reversed(self._states.get(dataset, {})) if name != rerun), "")

    def new_troubles(self, dataset: str, rerun: str, verdicts: Iterable[Verdict]) -> frozenset[str]:
        """Return the metrics that do not hold, and were not the same way in the rerun before.

        Parameters
        ----------
        dataset, rerun
            What was judged.
        verdicts
            The verdicts on it.
        """
        states = self._states.get(dataset, {}).get(self.before(dataset, rerun), {})
        return frozenset(
            verdict.metric
            for verdict in verdicts
            if verdict.state in TROUBLES and states.get(verdict.metric) != verdict.state
        )
