"""One object of an archive, its fields checked as they are read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.archive import blob, point, text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.rerun.exposures.archive import Archive

__all__ = ["ArchivedObject"]

#: No PSF and no kernel is larger, pixels: what is says so of a damaged file.
_LARGEST = 10_000


@final
class ArchivedObject:
    """An object of an archive: fields of its tables, each of the size that it should have.

    Parameters
    ----------
    archive, object_id
        The archive and the number of the object in it.
    n_tables
        How many tables an object of its class has.

    Raises
    ------
    harness.errors.BrokenFileError
        When the archive has no such object, or the object another number of tables; so do all methods when a field is
        missing, or is not what was asked for.
    """

    def __init__(self, archive: Archive, object_id: int, n_tables: int = 1) -> None:
        self.archive = archive
        self.object_id = object_id
        self.class_name = archive.class_name(object_id)
        self._tables = [table for table in archive.tables(object_id) if table is not None]
        if len(self._tables) != n_tables:
            raise self.broken(f"has {len(self._tables)} tables instead of {n_tables}")

    def broken(self, what: str) -> BrokenFileError:
        """Return the error for what is wrong with the object, such as ``has sigma = 0``."""
        return BrokenFileError(f"{self._name} {what}; fetch the file again or leave it out")

    def not_evaluated(self, what: str) -> NotMeasuredError:
        """Return the error for what keeps the object from being evaluated, such as ``varies with colour``."""
        return NotMeasuredError(f"{self._name} {what}; use a recorded size, or leave the file out")

    def has(self, field: str) -> bool:
        """Tell whether the first table has a field with anything in it."""
        records: Any = self._tables[0]
        return field in records.names and np.size(records[field]) > 0

    def column(self, field: str, table: int = 0) -> NDArray[Any]:
        """Return a field of all rows of a table."""
        with self.archive.reading(self.object_id):
            return np.asarray(self._tables[table][field])

    def points(self, field: str, table: int = 0) -> NDArray[np.float64]:
        """Return the points in a field of all rows of a table, (2, rows)."""
        with self.archive.reading(self.object_id):
            return np.array([point(record, field) for record in self._tables[table]], np.float64).reshape(-1, 2).T

    def point(self, field: str) -> tuple[float, float]:
        """Return the point in the first table's only row; its coordinates are finite."""
        with self.archive.reading(self.object_id):
            x, y = point(self._record(), field)
        if not (math.isfinite(x) and math.isfinite(y)):
            raise self.broken(f"has a point in its field {field} that is not finite")
        return x, y

    def dimensions(self) -> tuple[int, int]:
        """Return rows and columns of the image, whose width and height are stored."""
        width, height = self.point("dimensions")
        if not (1 <= width <= _LARGEST and 1 <= height <= _LARGEST):
            raise self.broken(f"has the dimensions {width:g} × {height:g}")
        return int(height), int(width)

    def numbers(self, field: str, size: int | None = None, table: int = 0) -> NDArray[np.float64]:
        """Return the array in a table's only row, float64; all its numbers are finite."""
        with self.archive.reading(self.object_id):
            numbers = np.asarray(self._record(table)[field], np.float64).reshape(-1)
        if size is not None and numbers.size != size:
            raise self.broken(f"has {numbers.size} numbers in its field {field} instead of {size}")
        if not np.isfinite(numbers).all():
            raise self.broken(f"has a number in its field {field} that is not finite")
        return numbers

    def number(self, field: str, table: int = 0) -> float:
        """Return the number in a table's only row."""
        return float(self.numbers(field, 1, table)[0])

    def ids(self, field: str, size: int | None = None) -> list[int]:
        """Return the numbers of the objects that the first table's only row refers to."""
        return [int(number) for number in self.numbers(field, size)]

    def text(self, field: str) -> str:
        """Return the text in the first table's only row, without blanks at its end."""
        with self.archive.reading(self.object_id):
            return text(self._record()[field]).rstrip()

    def blob(self, field: str) -> bytes:
        """Return the bytes in the first table's only row."""
        with self.archive.reading(self.object_id):
            return blob(self._record(), field)

    def _record(self, table: int = 0) -> Any:
        (record,) = self._tables[table]
        return record

    @property
    def _name(self) -> str:
        return f"{self.class_name} (object {self.object_id} of the archive) in {self.archive.path}"
