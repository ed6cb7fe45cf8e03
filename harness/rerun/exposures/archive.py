"""The object archive of an afw file: persisted objects, found through an index by number."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, final

import numpy as np

from harness.errors import BrokenFileError, HarnessError, first_line
from harness.rerun.exposures.headers import Keywords

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from astropy.io.fits import FITS_rec, HDUList, Header

__all__ = ["Archive", "blob", "point", "require_whole", "text"]

_AGAIN = "fetch the file again or leave it out"

#: Components that older files name by ``<NAME>_ID``; keywords of catalogues and cameras end in ``_ID`` too.
_COMPONENTS = frozenset(
    {
        "AP_CORR_MAP",
        "COADD_INPUTS",
        "DETECTOR",
        "FILTER",
        "PHOTOCALIB",
        "PSF",
        "SKYWCS",
        "SUMMARY_STATS",
        "TRANSMISSION_CURVE",
        "VALID_POLYGON",
        "WCS",
    }
)


class _Row(NamedTuple):
    """A row of the index: where one table of one object lies."""

    order: int
    table: int
    first: int
    n_rows: int
    name: str


@final
class Archive:
    """Objects that `lsst.afw.table.io` wrote into a file; only the index is read until one is asked for.

    Tables are read from ``hdus``, which must stay open.

    Attributes
    ----------
    path : `pathlib.Path`
        The file, for messages.
    components : mapping of `str` to `int`
        Object number of each component of the exposure, by its name in upper case (``PSF``, ``SKYWCS``,
        ``COADD_INPUTS``, ``SUMMARY_STATS``, ``PHOTOCALIB``, ``FILTER``); older files call the WCS ``WCS``.
    """

    def __init__(self, hdus: HDUList, path: Path, index: int, components: Mapping[str, int]) -> None:
        self.path = path
        self.components = MappingProxyType(dict(components))
        self._hdus = hdus
        self._index = index
        self._rows = self._read_index()

    @classmethod
    def of(cls, hdus: HDUList, path: Path, keyword_header: Header | None = None) -> Self | None:
        """Return the archive of an open file, or None when it has none.

        Parameters
        ----------
        hdus
            The open file.
        path
            The same, for messages.
        keyword_header
            The header that says where the archive is: of an exposure the primary one (the default), of a catalogue that
            of its own table.

        Raises
        ------
        harness.errors.BrokenFileError
            When there should be one, and its index is not there or cannot be read.
        """
        header = hdus[0].header if keyword_header is None else keyword_header
        if "AR_HDU" not in header:
            return None
        return cls(hdus, path, (Keywords(header).integer("AR_HDU") or 0) - 1, _component_numbers(header))

    def class_name(self, object_id: int) -> str:
        """Return the class that an object was stored as, such as ``PsfexPsf``.

        Raises
        ------
        harness.errors.BrokenFileError
            When the index has no such object.
        """
        return self._rows_of(object_id)[0].name

    def tables(self, object_id: int) -> list[FITS_rec | None]:
        """Return the rows that belong to an object, of each of its tables in the order it wrote them.

        An object that keeps nothing has one table, None.

        Raises
        ------
        harness.errors.BrokenFileError
            When the index has no such object, or points to what is not there or cannot be read.
        """
        return [self._records(object_id, row) for row in self._rows_of(object_id)]

    @contextmanager
    def reading(self, object_id: int) -> Iterator[None]:
        """Turn whatever goes wrong while an object's tables are taken apart into an error that names it.

        Raises
        ------
        harness.errors.BrokenFileError
            Instead of any exception but those of the harness.
        """
        try:
            yield
        except HarnessError:
            raise
        except Exception as fault:  # noqa: BLE001 - a damaged object breaks whoever takes it apart in any way
            raise BrokenFileError(
                f"{self.class_name(object_id)} (object {object_id} of the archive) in {self.path} cannot be read "
                f"({type(fault).__name__}: {first_line(fault)}); {_AGAIN}"
            ) from None

    def _rows_of(self, object_id: int) -> list[_Row]:
        if object_id not in self._rows:
            names = [name for name, number in self.components.items() if number == object_id]
            what = f"object {object_id}" + (f", which should be its {names[0]}" if names else "")
            raise BrokenFileError(f"the archive of {self.path} has no {what}; {_AGAIN}")
        return self._rows[object_id]

    def _read_index(self) -> dict[int, list[_Row]]:
        hdu = self._hdu(self._index, "the index of its archive")
        if Keywords(hdu.header).text("EXTTYPE") != "ARCHIVE_INDEX":
            raise BrokenFileError(
                f"AR_HDU of {self.path} points to HDU {self._index + 1}, which is not the index of an archive; {_AGAIN}"
            )
        rows: dict[int, list[_Row]] = {}
        try:
            with warnings.catch_warnings(action="ignore"):
                index = hdu.data
                column = {name.lower().replace(".", "_"): index[name].tolist() for name in index.names}
            fields = ("cat_persistable", "cat_archive", "row0", "nrows", "name")
            column["name"] = [name.strip() for name in column["name"]]  # afw fills them up with blanks
            for number, *row in zip(*(column[name] for name in ("id", *fields)), strict=True):
                rows.setdefault(number, []).append(_Row(*row))
        except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged table
            raise BrokenFileError(
                f"the index of the archive of {self.path} cannot be read "
                f"({type(fault).__name__}: {first_line(fault)}); {_AGAIN}"
            ) from None
        return {number: sorted(of_object) for number, of_object in rows.items()}

    def _records(self, object_id: int, row: _Row) -> FITS_rec | None:
        if row.table <= 0:
            return None
        what = f"{row.name} (object {object_id})"
        hdu = self._hdu(self._index + row.table, what)
        number = Keywords(hdu.header).integer("AR_CATN")
        if number != row.table:
            raise BrokenFileError(
                f"the archive of {self.path} has table {number} where table {row.table} of {what} should be; {_AGAIN}"
            )
        first, last = row.first, row.first + row.n_rows
        try:
            with warnings.catch_warnings(action="ignore"):
                table = hdu.data
                n_rows = len(table)
                # Slices of FITS_rec take astropy as long as reading, and most tables belong to one object.
                records = table if (first, last) == (0, n_rows) else table[first:last]
        except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged table
            raise BrokenFileError(
                f"the table of {what} in {self.path} cannot be read ({type(fault).__name__}: {first_line(fault)}); "
                f"{_AGAIN}"
            ) from None
        if not 0 <= first <= last <= n_rows:
            raise BrokenFileError(
                f"the archive of {self.path} promises rows {first} to {last} of table {row.table} to {what}, "
                f"and it has {n_rows}; {_AGAIN}"
            )
        return records

    def _hdu(self, number: int, what: str) -> Any:
        """Return an HDU by its number from 0, when it is all there."""
        try:
            with warnings.catch_warnings(action="ignore"):  # of what is cut off, which is told in our own words
                hdu = self._hdus[number] if number > 0 else None
        except Exception:  # noqa: BLE001 - astropy raises of every kind on a damaged file
            hdu = None
        if hdu is None:
            raise BrokenFileError(f"{self.path} has no HDU {number + 1}, where {what} should be; {_AGAIN}")
        require_whole(hdu, self.path, what)
        return hdu


def require_whole(hdu: Any, path: Path, what: str) -> None:
    """Do nothing when the file reaches to the end of an HDU.

    Raises
    ------
    harness.errors.BrokenFileError
        When it does not.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # of cards that it puts right
            end, size = hdu.fileinfo()["datLoc"] + hdu.size, path.stat().st_size
    except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged header
        raise BrokenFileError(
            f"the header of {what} in {path} cannot be read ({first_line(fault)}); {_AGAIN}"
        ) from None
    if end > size and path.suffix != ".gz":  # inside which places are not places on the disk
        raise BrokenFileError(f"{path} is cut off: it ends at byte {size}, and {what} at byte {end}; {_AGAIN}")


def blob(record: Any, name: str) -> bytes:
    """Return a field that holds bytes."""
    return np.asarray(record[name]).astype(np.uint8).tobytes()


def text(cell: Any) -> str:
    """Return what a field of text holds; of variable length, astropy gives single characters and no blanks."""
    return str(cell) if isinstance(cell, str) else "".join(str(character) or " " for character in cell)


def point(record: Any, name: str) -> tuple[float, float]:
    """Return a field that holds a point: two columns ``_x`` and ``_y``, before table version 2 one of two elements."""
    x, y = record[name] if name in record.array.names else (record[f"{name}_x"], record[f"{name}_y"])
    return float(x), float(y)


def _component_numbers(header: Header) -> dict[str, int]:
    """Return the object numbers that a header gives its components; 0 stands for none."""
    named = {name: name[:-3] for name in header if name.endswith("_ID") and name[:-3] in _COMPONENTS}
    named |= {name: name.removeprefix("ARCHIVE_ID_") for name in header if name.startswith("ARCHIVE_ID_")}
    keywords = Keywords(header)
    numbers = {component: keywords.integer(name) for name, component in named.items()}
    return {component: number for component, number in numbers.items() if number}
