"""Metric rows from columns that hold one value for each visit and detector."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from harness.metrics.rows import rows_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

    Values: TypeAlias = pl.Series | NDArray[np.float64]

__all__ = ["keyed_rows", "rows_table"]


def keyed_rows(
    metric: str,
    keys: pl.DataFrame,
    numerator: Values,
    denominator: Values | None = None,
    detail: Sequence[str | None] | None = None,
) -> pl.DataFrame:
    """Return the rows of one metric.

    Parameters
    ----------
    metric
        Name of the metric.
    keys
        Frame with ``visit``, ``detector`` and ``band``, n rows.
    numerator, denominator : shape (n,)
        Values in the order of the keys; the denominator is null for a plain sum.
    detail
        What there is to say of each value.
    """
    import polars as pl

    def column(
        name: str, values: Values | Sequence[str | None] | None, dtype: type[pl.DataType]
    ) -> pl.Series | pl.Expr:
        return pl.lit(None, dtype).alias(name) if values is None else pl.Series(name, values).cast(dtype)

    return keys.select(
        pl.lit(metric).alias("metric"),
        pl.col("visit").cast(pl.Int64),
        pl.col("detector").cast(pl.Int32),
        pl.col("band").cast(pl.String),
        column("numerator", numerator, pl.Float64),
        column("denominator", denominator, pl.Float64),
        column("detail", detail, pl.String),
    )


def rows_table(rows: Sequence[pl.DataFrame], instrument: str | None) -> pa.Table:
    """Join the rows of several metrics into one table of the schema that all metric functions return."""
    import polars as pl

    schema = rows_schema()
    frame = pl.concat(rows).with_columns(
        pl.lit(instrument, pl.String).alias("instrument"),
        pl.lit(None, pl.String).alias("amplifier"),
        pl.lit(None, pl.String).alias("coadd"),
        pl.lit(None, pl.Float64).alias("uncertainty"),
        pl.lit(None, pl.String).alias("sample"),
    )
    return frame.select(schema.names).to_arrow().cast(schema)
