"""The table in which the DIA sources of either side are kept beside the measurements."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.flag_sets import good_mask
from harness.metrics.template.dia_sources import DiaSources

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from harness.metrics.flag_sets import FlagSet

__all__ = ["NEEDED_COLUMNS", "SOURCE_COLUMNS", "sources_of", "sources_schema", "sources_table"]

NEEDED_COLUMNS = ("visit", "detector", "psfFlux", "psfFluxErr")
"""What a table of DIA sources must have to be measured, besides flags."""

SOURCE_COLUMNS = (*NEEDED_COLUMNS, "ra", "dec")
"""What is kept of a DIA source, besides its side and whether it is flagged."""


@cache
def sources_schema() -> pa.Schema:
    """Return the Arrow schema of the table; positions in degrees, fluxes in nJy."""
    import pyarrow as pa

    numbers = [(name, pa.float64()) for name in ("ra", "dec", "psfFlux", "psfFluxErr")]
    return pa.schema(
        [("side", pa.string()), ("visit", pa.int64()), ("detector", pa.int64()), *numbers, ("flagged", pa.bool_())]
    )


def sources_table(read: pa.Table, side: str, flags: FlagSet) -> pa.Table:
    """Return the DIA sources of one side as the table.

    Parameters
    ----------
    read
        With the columns of ``flags``, `NEEDED_COLUMNS`, and positions if there are any; else they become null.
    side
        Which template they were found with.
    flags
        Which of them count.
    """
    import pyarrow as pa

    columns = {name: read[name] for name in SOURCE_COLUMNS if name in read.column_names}
    columns["flagged"] = pa.array(~good_mask(read, flags))
    columns["side"] = pa.repeat(pa.scalar(side), read.num_rows)
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(read.num_rows, field.type)
        for field in sources_schema()
    ]
    return pa.Table.from_arrays(arrays, schema=sources_schema())


def sources_of(tables: Iterable[pa.Table], sides: Iterable[str]) -> Mapping[str, DiaSources]:
    """Return the DIA sources of each of some sides from such tables; a side that no row is of has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    together = pa.concat_tables([sources_schema().empty_table(), *tables])
    return {side: _sources(together.filter(pc.equal(together["side"], side))) for side in sides}


def _sources(table: pa.Table) -> DiaSources:
    names = ("visit", "detector", "psfFlux", "psfFluxErr", "flagged")
    return DiaSources(*(np.asarray(table[name].to_numpy()) for name in names))
