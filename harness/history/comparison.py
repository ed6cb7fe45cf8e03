"""Two reruns of the history, metric by metric: what a release note claims in one sentence, counted again."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["relative_changes", "summary_of_changes"]

_SAME = ("metric", "unit", "definition")


def relative_changes(earlier: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """Compare two reruns in what both measured in the same unit and by the same definition.

    Parameters
    ----------
    earlier, later
        Rows of the history, of one rerun each.

    Returns
    -------
    changes : `polars.DataFrame`
        ``metric, unit, definition, earlier, later`` and ``change``, relative to the earlier value (infinite where that
        is 0 and the later is not).
    """
    sides = [
        side.filter(pl.col("value").is_finite()).select(*_SAME, pl.col("value").alias(name))
        for side, name in ((earlier, "earlier"), (later, "later"))
    ]
    changes = sides[0].join(sides[1], on=_SAME, how="inner", maintain_order="left")
    moved = pl.col("later") - pl.col("earlier")
    return changes.with_columns(change=pl.when(moved == 0).then(0.0).otherwise(moved / pl.col("earlier").abs()))


def summary_of_changes(changes: pl.DataFrame, limits: Sequence[float] = (0.025,)) -> str:
    """Return in one line how many metrics changed by how much, and the median of absolute changes.

    Parameters
    ----------
    changes
        See `relative_changes`.
    limits
        Between classes of absolute relative change, increasing.

    Raises
    ------
    harness.errors.UsageError
        When nothing could be compared.
    """
    if changes.is_empty():
        raise UsageError("the two reruns have no metric in common that was measured in both in the same way")
    sizes = np.abs(changes["change"].to_numpy())
    parts = [f"{np.sum(sizes == 0)} unchanged"]
    for low, high in pairwise([0.0, *limits]):
        parts.append(f"{np.sum((sizes > low) & (sizes <= high))} by up to {100 * high:g} %")
    beyond = sizes[sizes > max(limits, default=0.0)]
    if beyond.size:
        parts.append(f"{beyond.size} by {100 * beyond.min():.3g} to {100 * beyond.max():.3g} %")
    return f"{sizes.size} compared: {', '.join(parts)}; median {100 * np.median(sizes):.3g} %"
