"""A digest of the rows of a DIA source table, whatever they are stored in.

It is the same for any order of rows, any split into files, and any storage (Parquet, FITS, a database), so that two
names for the same rows are found out.  It guards against accidents and not against forgery.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.metrics._content_kernel import mix_identifiers, mix_numbers, total_and_parity
from harness.metrics.columns import floats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["CONTENT_COLUMNS", "ContentDigest", "combine_digests"]

#: What the digest is formed of.  Fluxes are single precision in the APDB schema, and are compared as such.
CONTENT_COLUMNS: Mapping[str, str] = MappingProxyType(
    {"diaSourceId": "i8", "visit": "i8", "detector": "i8", "ra": "f8", "dec": "f8", "psfFlux": "f4"}
)

_SEED = np.uint64(0x9E3779B97F4A7C15)
_NAN = np.uint64(0x7FF8000000000000)
_DIGITS = 16
_MODULUS = 1 << 64


@final
class ContentDigest:
    """Accumulates the digest of a table batch by batch."""

    __slots__ = ("_parity", "_rows", "_total")

    def __init__(self) -> None:
        self._rows = 0
        self._total = 0
        self._parity = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take note of rows, and of those columns of `CONTENT_COLUMNS` that are there."""
        states = np.full(batch.num_rows, _SEED, np.uint64)
        for name, kind in CONTENT_COLUMNS.items():
            if name not in batch.schema.names:
                # Mixed in nevertheless: the next column must not take the place of a missing one.
                mix_identifiers(states, _read_only(np.zeros(batch.num_rows, np.int64)))
            elif kind == "i8":
                mix_identifiers(states, _identifiers(batch[name]))
            else:
                numbers = _read_only(floats(batch[name]).astype(kind, copy=False))
                mix_numbers(states, numbers, numbers.view(f"u{numbers.itemsize}"), _NAN)
        total, parity = total_and_parity(states)
        self._rows += batch.num_rows
        self._total = (self._total + int(total)) % _MODULUS
        self._parity ^= int(parity)

    @property
    def hexdigest(self) -> str:
        """Number of rows, sum and exclusive or of their hashes, in 48 hexadecimal digits."""
        return "".join(f"{number:0{_DIGITS}x}" for number in (self._rows, self._total, self._parity))


def combine_digests(digests: Iterable[str]) -> str:
    """Return the digest of all rows together, from those of disjoint parts of a table, in any order."""
    whole = ContentDigest()
    for digest in digests:
        rows, total, parity = (int(digest[at : at + _DIGITS], 16) for at in range(0, 3 * _DIGITS, _DIGITS))
        whole._rows += rows
        whole._total = (whole._total + total) % _MODULUS
        whole._parity ^= parity
    return whole.hexdigest


def _identifiers(array: pa.Array) -> NDArray[np.int64]:
    """Return whole numbers, 0 where null: the APDB's way to say that there is none."""
    import pyarrow.compute as pc

    filled = pc.fill_null(array, 0) if array.null_count else array
    return _read_only(filled.cast("int64").to_numpy(zero_copy_only=False))


def _read_only(values: NDArray[Any]) -> NDArray[Any]:
    """Make an array what Arrow's own are, so that a kernel is compiled once."""
    values.setflags(write=False)
    return values
