"""From stored columns to canonical ones: names, types, units of time and angle, unpacked flags and data IDs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.rerun.aliases import canonical_name
from harness.rerun.flags import PACKED_FLAGS, is_flag, packed_bits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

__all__ = [
    "CCD_VISIT_STRIDE",
    "Column",
    "as_flag",
    "canonical_batch",
    "canonical_columns",
    "canonical_type",
    "merged_types",
    "stored_names",
]

CCD_VISIT_STRIDE = {"DECam": 100, "HSC": 200}
"""How visit and detector were packed into ``ccdVisitId`` by instrument: visit × stride + detector."""

_CCD_VISIT = "ccdVisitId"

_TYPES = {
    "visit": pa.int64(),
    "detector": pa.int32(),
    "diaSourceId": pa.int64(),
    "diaObjectId": pa.int64(),
    "parentDiaSourceId": pa.int64(),
    "sourceId": pa.int64(),
    "ssObjectId": pa.int64(),
    "injectionId": pa.int64(),
}

_POSITIONS = ("ra", "dec")

#: Columns that are computed with: text in them is read as numbers, or refused with its place.
_NUMBERS = frozenset(
    {
        *_POSITIONS,
        *("x", "y", "psfFlux", "psfFluxErr", "scienceFlux", "scienceFluxErr", "snr", "reliability"),
        *("ixxPSF", "iyyPSF", "ixyPSF", "midpointMjdTai"),
    }
)


@final
@dataclass(frozen=True, slots=True)
class Column:
    """How one canonical column comes out of what is stored.

    Attributes
    ----------
    type
        Canonical Arrow type; ``null`` while nothing tells it (a column that is missing throughout).
    stored
        Name of the stored column; None for a column that the data ID gives.
    convert
        Makes the canonical array of the stored ones; None when a cast is all there is to do.
    others
        Further stored columns that ``convert`` takes, in this order.
    """

    type: pa.DataType
    stored: str | None
    convert: Callable[..., pa.Array] | None = None
    others: tuple[str, ...] = ()


def canonical_columns(
    schema: pa.Schema, table: str, instrument: str, constants: Collection[str] = ()
) -> dict[str, Column]:
    """Work out the canonical columns of a stored table.

    Parameters
    ----------
    schema
        Stored names and types; fields may carry a ``unit``.
    table
        Canonical name of the table.
    instrument
        Short name of the instrument; tells how ``ccdVisitId`` was packed.
    constants
        Names of the columns that the data ID gives where the table does not have them.

    Returns
    -------
    columns : `dict` [`str`, `Column`]
        By canonical name, in stored order.  Of two stored columns for one canonical name, the one that already bears
        it counts, and the other keeps its own name.  Index columns that pandas left behind are skipped.
    """
    fields = [field for field in schema if not field.name.startswith("__")]
    stored = {field.name for field in fields}
    columns: dict[str, Column] = {}
    for field in fields:
        name = canonical_name(field.name, table)
        if name in columns or (name != field.name and name in stored):
            name = field.name
        columns[name] = _plain_column(name, field)
        if field.name == PACKED_FLAGS and pa.types.is_integer(field.type):
            for flag, bit in packed_bits(stored).items():
                columns.setdefault(flag, Column(pa.bool_(), PACKED_FLAGS, _Bit(bit)))
    for name in constants:
        columns.setdefault(name, Column(_TYPES.get(name, pa.int64()), None))
    stride = CCD_VISIT_STRIDE.get(instrument)
    if _CCD_VISIT in stored and stride is not None:
        columns.setdefault("visit", Column(_TYPES["visit"], _CCD_VISIT, _Visit(stride)))
        columns.setdefault("detector", Column(_TYPES["detector"], _CCD_VISIT, _Detector(stride)))
    return columns


def canonical_type(name: str, stored: pa.DataType) -> pa.DataType:
    """Return the Arrow type of a canonical column that is stored with the given type.

    Identifiers are int64, detectors int32, flags bool, times float64 (MJD TAI), as are numbers stored as text; other
    types stay what they are, float32 included.
    """
    if name in _TYPES:
        return _TYPES[name]
    if name in _NUMBERS and _is_text(stored):
        return pa.float64()
    if is_flag(name) and not _is_text(stored):
        return pa.bool_()
    if _is_time(stored):
        return pa.float64()
    if pa.types.is_dictionary(stored):
        return canonical_type(name, stored.value_type)
    return pa.string() if _is_text(stored) else stored


def merged_types(types: Iterable[pa.DataType]) -> pa.DataType:
    """Return the type that holds all of several types; ``null`` gives way to anything.

    Raises
    ------
    pyarrow.ArrowException
        When no type holds them all.
    """
    schemas = [pa.schema([("column", kind)]) for kind in dict.fromkeys(types)]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type


def canonical_batch(
    batch: pa.RecordBatch,
    columns: Mapping[str, Column],
    schema: pa.Schema,
    constants: Mapping[str, int | str] | None = None,
) -> pa.RecordBatch:
    """Convert a batch of stored columns.

    Parameters
    ----------
    batch
        Stored columns, at least those that are needed.
    columns
        How each canonical column comes about.
    schema
        Canonical names and types wanted.
    constants
        What the data ID gives.

    Returns
    -------
    batch : `pyarrow.RecordBatch`
        The same rows; arrays that are canonical already are not copied.

    Raises
    ------
    pyarrow.ArrowException
        When a value does not fit the canonical type.
    """
    if not schema.names:
        return batch.select([])
    arrays = []
    for field in schema:
        column = columns[field.name]
        if column.stored is None:
            arrays.append(pa.repeat(pa.scalar((constants or {})[field.name], field.type), batch.num_rows))
        else:
            others = [batch.column(name) for name in column.others]
            try:
                arrays.append(_array(batch.column(column.stored), others, column, field.type))
            except pa.ArrowException as fault:
                raise type(fault)(f"{field.name}: {fault}") from None
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def stored_names(columns: Mapping[str, Column], names: Sequence[str]) -> list[str]:
    """Return the stored columns that canonical ones are made of, each once."""
    chosen = (columns[name] for name in names)
    stored = (name for column in chosen for name in (column.stored, *column.others))
    return list(dict.fromkeys(name for name in stored if name is not None))


def _array(array: pa.Array, others: Sequence[pa.Array], column: Column, kind: pa.DataType) -> pa.Array:
    if column.convert is not None:
        array = column.convert(array, *others)
    if array.type == kind:
        return array
    if pa.types.is_floating(array.type) and pa.types.is_integer(kind):
        array = _nan_to_null(array)  # pandas stores integers with gaps as floats
    return array.cast(kind)


def _plain_column(name: str, field: pa.Field) -> Column:
    """Return the column that is one stored column, perhaps converted."""
    kind = canonical_type(name, field.type)
    convert: Callable[[pa.Array], pa.Array] | None = None
    if pa.types.is_boolean(kind):
        convert = as_flag
    elif _is_time(field.type):
        convert = _mjd_tai
    elif name in _POSITIONS and (field.metadata or {}).get(b"unit") == b"rad":
        convert = _degrees
    return Column(kind, field.name, convert)


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _nan_to_null(array: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_nan(array), None, array)


def as_flag(array: pa.Array) -> pa.Array:
    """Return a flag as bool; what is missing is False, as `lsst/analysis_ap` counts it."""
    if pa.types.is_null(array.type):
        return pa.repeat(pa.scalar(value=False), len(array))
    if pa.types.is_floating(array.type):
        array = _nan_to_null(array)
    if not pa.types.is_boolean(array.type):
        array = pc.not_equal(array, 0)
    return pc.fill_null(array, fill_value=False) if array.null_count else array


def _mjd_tai(array: pa.Array) -> pa.Array:
    """Return naive UTC timestamps (or their text, as SQLite stores them) as MJD TAI.

    Schema 9.0 of the same rows holds exactly ``Time(timestamp, scale="utc").tai.mjd``.
    """
    from astropy.time import Time

    if pa.types.is_null(array.type):
        return array.cast(pa.float64())
    if not _is_time(array.type):
        array = array.cast(pa.timestamp("us"))
    present = pc.unique(array.drop_null())  # few: one per visit or store
    moments = present.cast(pa.timestamp("ns"), safe=False).to_numpy(zero_copy_only=False)
    mjd = Time(moments, scale="utc").tai.mjd if len(moments) else np.empty(0)
    return pa.array(mjd, pa.float64()).take(pc.index_in(array, present))


def _packed(array: pa.Array) -> pa.Array:
    return (_nan_to_null(array) if pa.types.is_floating(array.type) else array).cast(pa.int64())


def _degrees(array: pa.Array) -> pa.Array:
    return pa.array(np.degrees(array.to_numpy(zero_copy_only=False)))


@final
@dataclass(frozen=True, slots=True)
class _Bit:
    """Unpacks one flag."""

    bit: int

    def __call__(self, array: pa.Array) -> pa.Array:
        packed = pc.fill_null(array.cast(pa.int64()), 0)
        return pc.not_equal(pc.bit_wise_and(packed, pa.scalar(1 << self.bit, pa.int64())), 0)


@final
@dataclass(frozen=True, slots=True)
class _Visit:
    """Unpacks the visit from ``ccdVisitId``."""

    stride: int

    def __call__(self, array: pa.Array) -> pa.Array:
        return pc.divide(_packed(array), self.stride)


@final
@dataclass(frozen=True, slots=True)
class _Detector:
    """Unpacks the detector from ``ccdVisitId``."""

    stride: int

    def __call__(self, array: pa.Array) -> pa.Array:
        packed = _packed(array)
        return pc.subtract(packed, pc.multiply(pc.divide(packed, self.stride), self.stride))
