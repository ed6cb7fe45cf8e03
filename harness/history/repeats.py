"""Reruns whose values repeat another one's: the same data under two names, or a column copied into the wrong place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Repeat", "repeats"]

#: Chance below which equal values are told, for all comparisons together.
_CHANCE = 1e-3
_VALUE = ("metric", "unit", "definition")
_ENTRY = ("sequence", "key", "rerun", "source")


@final
@dataclass(frozen=True, slots=True)
class Repeat:
    """One rerun that has the values of another.

    Attributes
    ----------
    dataset, group
        Where: the dataset, and the metrics whose names begin so.
    rerun, source, other, other_source
        The later of the two in the history, the earlier, and where both come from.
    equal, compared
        How many values are equal, of how many that both have.
    chance
        Probability that so many are equal by chance.
    """

    dataset: str
    group: str
    rerun: str
    source: str
    other: str
    other_source: str
    equal: int
    compared: int
    chance: float

    def __str__(self) -> str:
        return (
            f"{self.dataset}: {self.equal} of {self.compared} values of {self.group} in {self.rerun} ({self.source}) "
            f"are those of {self.other} ({self.other_source}); by chance that would be so with a probability of "
            f"{self.chance:.0e}"
        )


def repeats(frame: pl.DataFrame) -> list[Repeat]:
    """Find reruns that have the values of another rerun in suspiciously many metrics.

    Two reruns of different names are compared in each group of metrics (what stands before the first dot of the name).
    How often each metric repeats itself is learnt from all other pairs, by Laplace's rule, so that counts that are
    always 0 or numbers printed with two digits are no evidence; the probability of at least so many equal values is
    Poisson-binomial, and told when, times the number of comparisons, it is below 0.001.

    Parameters
    ----------
    frame
        The history (`harness.history.store.HistoryStore.read`).

    Returns
    -------
    found : `list` [`Repeat`]
        In the order of the history; each rerun with the one that it is most like.
    """
    named = frame.filter(pl.col("value").is_finite()).with_columns(
        group=pl.col("metric").str.split(".").list.first(), n=pl.struct(_VALUE).rank("dense") - 1
    )
    found = []
    for (dataset, group), rows in named.group_by(["dataset", "group"], maintain_order=True):
        found += _in_group(str(dataset), str(group), rows)
    return found


def _in_group(dataset: str, group: str, rows: pl.DataFrame) -> list[Repeat]:
    entries = rows.select(_ENTRY).unique(maintain_order=True)
    metrics, columns = np.unique(rows["n"].to_numpy(), return_inverse=True)
    values = np.full((entries.height, metrics.size), np.nan)
    values[_positions(rows, entries), columns] = rows["value"].to_numpy()
    names = entries["rerun"].to_numpy()
    before = [np.flatnonzero(names[:later] != names[later]) for later in range(len(names))]
    n_pairs = sum(earlier.size for earlier in before)
    n_equal, n_both = np.zeros(metrics.size), np.zeros(metrics.size)
    for later, earlier in enumerate(before):
        n_equal += (values[earlier] == values[later]).sum(axis=0)
        n_both += np.isfinite(values[earlier] + values[later]).sum(axis=0)
    found = []
    for later, earlier in enumerate(before):
        best, least = None, _CHANCE / max(n_pairs, 1)
        for other in earlier.tolist():
            equal, both = values[other] == values[later], np.isfinite(values[other] + values[later])
            usual = ((n_equal - equal + 1) / (n_both - both + 2))[both]
            if equal.sum() <= usual.sum():
                continue
            chance = _at_least(int(equal.sum()), usual)
            if chance < least:
                best, least = (other, int(equal.sum()), int(both.sum())), chance
        if best is not None:
            this, that = entries.row(later, named=True), entries.row(best[0], named=True)
            found.append(
                Repeat(
                    dataset=dataset,
                    group=group,
                    rerun=this["rerun"],
                    source=this["source"],
                    other=that["rerun"],
                    other_source=that["source"],
                    equal=best[1],
                    compared=best[2],
                    chance=least,
                )
            )
    return found


def _positions(rows: pl.DataFrame, entries: pl.DataFrame) -> NDArray[np.intp]:
    order = {key: index for index, key in enumerate(entries["key"].to_list())}
    return np.array([order[key] for key in rows["key"].to_list()], np.intp)


def _at_least(count: int, probabilities: NDArray[np.float64]) -> float:
    """Return the probability of at least so many successes in independent trials, each with its own probability."""
    distribution = np.array([1.0])
    for probability in probabilities.tolist():
        distribution = np.convolve(distribution, [1 - probability, probability])
    return float(distribution[count:].sum())
