"""Which columns of a table differ between two reruns, value by value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.model import Metric

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.rerun.protocol import Table

__all__ = ["ColumnChange", "changed_columns", "column_catalogue", "column_rows"]

#: Columns read at a time: a table of a hundred columns need not be in memory twice.
_AT_ONCE = 16

#: Columns named in a detail before it says how many more there are.
_NAMED = 3


@final
@dataclass(frozen=True, slots=True)
class ColumnChange:
    """How much one column differs between two reruns.

    Attributes
    ----------
    name
        Canonical name of the column.
    n_compared
        Rows compared.
    n_changed
        Rows whose values differ.
    largest
        Largest absolute difference; 0 without a change, NaN where no two numbers differ (a value became missing).
    """

    name: str
    n_compared: int
    n_changed: int
    largest: float

    def __str__(self) -> str:
        by = f", by up to {self.largest:.3g}" if math.isfinite(self.largest) else ""
        return f"{self.name} ({self.n_changed} of {self.n_compared}{by})"


def changed_columns(rerun: pa.Table, reference: pa.Table, key: str = "diaSourceId") -> tuple[ColumnChange, ...]:
    """Compare every column that two tables share, row by row.

    Rows are paired by ``key``, never by their order; of rows that repeat it, the first counts.  How a value is stored
    makes no difference: NaN and null are the same missing number, a null flag is False, and a float32 is compared with
    a float64 rounded to float32.

    Parameters
    ----------
    rerun, reference : `pyarrow.Table`
        Tables with canonical column names.
    key
        Column of unique integers in both.

    Returns
    -------
    changes : `tuple` [`ColumnChange`]
        One for each shared column but the key, in the rerun's order.
    """
    pairs = _pair_rows(rerun.select([key]), reference.select([key]))
    names = [name for name in rerun.column_names if name in reference.column_names and name != key]
    return _compare(rerun.select(names), reference.select(names), pairs)


def column_catalogue(key: str = "diaSourceId") -> dict[str, Metric]:
    """Return the definitions of the column metrics, by name."""
    definition = {"rows": f"equal {key}", "missing": "null equals NaN, null flag equals False"}

    def count(name: str, doc: str) -> Metric:
        return Metric(f"columns.{name}", "ct", doc, "columns", definition=definition, census=True)

    metrics = (
        count("numCompared", "Columns that both reruns' tables have."),
        count("numChanged", "Columns with a value that differs between the reruns."),
    )
    return {metric.name: metric for metric in metrics}


def column_rows(rerun: Table, reference: Table, instrument: str | None = None, key: str = "diaSourceId") -> pa.Table:
    """Count the columns of one table that differ between two reruns.

    Parameters
    ----------
    rerun, reference
        The table of both sides; columns are read a few at a time.
    instrument
        Name to put into the rows.
    key
        Column that rows are paired by.

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows (`harness.metrics.rows`) for the whole rerun; NaN when the two share no row.
    """
    import pyarrow as pa

    from harness.metrics.rows import rows_schema

    pairs = _pair_rows(rerun.read((key,)), reference.read((key,)))
    names = [name for name in rerun.columns if name in reference.columns and name != key]
    if not pairs[0].size:
        counts = dict.fromkeys(("numCompared", "numChanged"), (math.nan, f"the two reruns have no {key} in common"))
    else:
        changes: list[ColumnChange] = []
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            changes += _compare(rerun.read(some), reference.read(some), pairs)
        worst = sorted((each for each in changes if each.n_changed), key=lambda each: -each.n_changed)
        counts = {
            "numCompared": (len(names), f"{pairs[0].size} rows of equal {key}{_one_sided(rerun, reference)}"),
            "numChanged": (len(worst), _some_of([str(each) for each in worst])),
        }
    rows: list[dict[str, Any]] = [
        {"metric": f"columns.{name}", "instrument": instrument, "numerator": float(value), "detail": detail or None}
        for name, (value, detail) in counts.items()
    ]
    return pa.Table.from_pylist(rows, schema=rows_schema())


def _one_sided(rerun: Table, reference: Table) -> str:
    """Say which columns only one side has."""
    sides = (("rerun", rerun, reference), ("reference", reference, rerun))
    only = {where: [name for name in one.columns if name not in other.columns] for where, one, other in sides}
    return "".join(f"; only in the {where}: {_some_of(names)}" for where, names in only.items() if names)


def _some_of(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _pair_rows(rerun: pa.Table, reference: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the rows that both one-column tables have, in the rerun's order."""
    import polars as pl

    def frame(table: pa.Table, place: str) -> pl.DataFrame:
        keys = pl.DataFrame({"key": pl.from_arrow(table.column(0))})
        return keys.with_row_index(place).filter(pl.col("key").is_first_distinct() & pl.col("key").is_not_null())

    both = frame(rerun, "rerun").join(frame(reference, "reference"), on="key", maintain_order="left")
    return both["rerun"].to_numpy().astype(np.int64), both["reference"].to_numpy().astype(np.int64)


def _compare(
    rerun: pa.Table, reference: pa.Table, pairs: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> tuple[ColumnChange, ...]:
    import polars as pl

    changes = []
    for name in rerun.column_names:
        one, other = (pl.Series(pl.from_arrow(table[name])) for table in (rerun, reference))
        changed, difference = _differing(one[pairs[0]], other[pairs[1]])
        sizes = difference[changed]
        sizes = sizes[~np.isnan(sizes)]
        largest = float(sizes.max()) if sizes.size else math.nan if changed.any() else 0.0
        changes.append(ColumnChange(name, changed.size, int(changed.sum()), largest))
    return tuple(changes)


def _differing(one: pl.Series, other: pl.Series) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which values differ, and by how much (NaN where a difference has no size)."""
    import polars as pl

    one, other = (a.cast(b.dtype) if a.dtype == pl.Null else a for a, b in ((one, other), (other, one)))
    if pl.Boolean in (one.dtype, other.dtype):
        one, other = (_as_int(each) for each in (one, other))
    if one.dtype.is_integer() and other.dtype.is_integer():
        changed = one.ne_missing(other).to_numpy()
        return changed, np.abs(_as_float(one) - _as_float(other))
    if one.dtype.is_numeric() and other.dtype.is_numeric():
        a, b = _as_float(one), _as_float(other)
        if {one.dtype, other.dtype} == {pl.Float32, pl.Float64}:
            with np.errstate(over="ignore"):
                a, b = (each.astype(np.float32).astype(np.float64) for each in (a, b))
        with np.errstate(invalid="ignore"):
            return (a != b) & ~(np.isnan(a) & np.isnan(b)), np.abs(a - b)
    one, other = (each.cast(pl.String) if each.dtype == pl.Categorical else each for each in (one, other))
    nowhere = np.full(len(one), np.nan)
    if one.dtype == other.dtype:
        return one.ne_missing(other).to_numpy(), nowhere
    # Two kinds of value that cannot be compared (text and number, say) differ wherever there is one.
    return (one.is_not_null() | other.is_not_null()).to_numpy(), nowhere


def _as_int(series: pl.Series) -> pl.Series:
    """Return flags as 0 and 1, a missing one as 0; anything else as it is."""
    import polars as pl

    if series.dtype == pl.Boolean:
        return series.fill_null(value=False).cast(pl.Int8)
    return series.fill_null(0) if series.dtype.is_integer() else series


def _as_float(series: pl.Series) -> NDArray[np.float64]:
    import polars as pl

    return series.cast(pl.Float64).fill_null(np.nan).to_numpy()
