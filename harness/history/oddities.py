"""What is odd about a history as a whole: told, and nothing of it left out."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    import polars as pl

__all__ = ["oddities"]

#: Clocks of several computers, and writers at the same time, may differ by so much.
_SAME_TIME = timedelta(minutes=1)
_NAMED = 5


def oddities(frame: pl.DataFrame) -> list[str]:
    """Return what is odd about a history, a sentence each.

    Reruns of one name that are several, clocks that jumped, metrics that changed their unit or definition.

    Parameters
    ----------
    frame
        The history, in its order (`harness.history.store.HistoryStore.read`).
    """
    entries = frame.unique(["dataset", "key"], keep="first", maintain_order=True)
    found: list[str] = []
    for (dataset,), of_dataset in entries.group_by(["dataset"], maintain_order=True):
        rows = of_dataset.rows(named=True)
        found += [f"{dataset}: {text}" for text in (*_of_one_name(rows), *_clock_jumps(rows))]
    return [*found, *_redefinitions(frame)]


def _of_one_name(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    by_name: dict[str, list[dict[str, Any]]] = {}
    for entry in entries:
        by_name.setdefault(entry["rerun"], []).append(entry)
    for name, same in by_name.items():
        if len(same) > 1:
            several = len({entry["inputs"] for entry in same}) > 1
            how = "from different inputs" if several else "measured with different settings"
            sources = ", ".join(dict.fromkeys(entry["source"] for entry in same))
            yield f"{name} is there {len(same)} times, {how} ({sources}); all are kept"


def _clock_jumps(entries: Sequence[dict[str, Any]]) -> Iterator[str]:
    for before, after in pairwise(entries):
        if after["at"] < before["at"] - _SAME_TIME:
            yield (
                f"{after['rerun']} is dated {_date(after)}, before {before['rerun']} ({_date(before)}) which was there "
                "first: a clock was wrong; the order is that of writing"
            )


def _date(entry: dict[str, Any]) -> str:
    return f"{entry['at']:%Y-%m-%d %H:%M}"


def _redefinitions(frame: pl.DataFrame) -> Iterator[str]:
    """Tell which metrics became another quantity, those of one entry together."""
    series = frame.unique(["dataset", "metric", "unit", "definition"], keep="first", maintain_order=True)
    changed: dict[tuple[str, str, str], list[str]] = {}
    for (dataset, metric), kinds in series.group_by(["dataset", "metric"], maintain_order=True):
        for before, after in pairwise(kinds.rows(named=True)):
            what = "definition"
            if after["unit"] != before["unit"]:
                what = f"unit from {before['unit'] or 'none'} to {after['unit'] or 'none'}"
            changed.setdefault((str(dataset), after["rerun"], what), []).append(str(metric))
    for (dataset, rerun, what), metrics in changed.items():
        more = f" and {len(metrics) - _NAMED} more" if len(metrics) > _NAMED else ""
        names = f"{', '.join(metrics[:_NAMED])}{more}"
        one = "its" if len(metrics) == 1 else "their"
        yield f"{dataset}: {names} changed {one} {what} with {rerun}; before and after are series of their own"
