"""The one shape in which every metric function returns its numbers: a row per metric and data ID."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["rows_schema"]


@cache
def rows_schema() -> pa.Schema:
    """Return the Arrow schema of metric rows.

    What a row is not for is null: an amplifier has no visit, and a source none of the amplifiers.  ``coadd`` names the
    coadd that a row is about, or that a visit was compared with.

    ``numerator`` and ``denominator`` add over data IDs (see `harness.model.Metric`); the denominator is null for a
    plain sum, the uncertainty (of the row's own value) null where the data themselves give it by resampling.
    ``sample`` is a digest of what was observed, the raw exposures, where the uncertainty is that of their noise: two
    numbers of one sample share it.  A NaN numerator means that the value could not be measured; ``detail`` then says
    why.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("metric", pa.string()),
            ("instrument", pa.string()),
            ("visit", pa.int64()),
            ("detector", pa.int32()),
            ("amplifier", pa.string()),
            ("coadd", pa.string()),
            ("band", pa.string()),
            ("numerator", pa.float64()),
            ("denominator", pa.float64()),
            ("uncertainty", pa.float64()),
            ("sample", pa.string()),
            ("detail", pa.string()),
        ]
    )
