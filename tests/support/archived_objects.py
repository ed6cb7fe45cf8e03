"""Archives of PSFs and world coordinates, as afw stores them, from plain values."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from afw_files import AfwFile, Stored
from astropy.io import fits

from harness.rerun.exposures.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_FORMATS = {"i": "J", "f": "D", "u": "B"}


def row(**fields: Any) -> list[fits.Column]:
    """Return a table of one row: numbers, arrays of them, text, or bytes; a point is a pair of numbers."""
    return rows(**{name: [value] for name, value in fields.items()})


def rows(**fields: Sequence[Any]) -> list[fits.Column]:
    """Return a table, from the values of each field by row."""
    columns: list[fits.Column] = []
    for name, values in fields.items():
        match values[0]:
            case tuple():
                for number, axis in enumerate("xy"):
                    columns += rows(**{f"{name}_{axis}": [value[number] for value in values]})
            case str():
                columns.append(fits.Column(name, "32A", array=values))
            case bytes():
                cells = np.empty(len(values), object)
                cells[:] = [np.frombuffer(value, np.uint8) for value in values]
                columns.append(fits.Column(name, "QB", array=cells))
            case _:
                array = np.array(values)
                repeat = array[0].size
                columns.append(fits.Column(name, f"{repeat}{_FORMATS[array.dtype.kind]}", array=array))
    return columns


@contextmanager
def archive_of(path: Path, *objects: tuple[str, Sequence[Sequence[fits.Column]]]) -> Iterator[Archive]:
    """Write objects, numbered from 1, each a class and its tables, and give their archive while the file is open."""
    stored = [Stored(name, tables) for name, tables in objects]
    AfwFile(image=None, mask=None, variance=None, objects=stored).write(path)
    with fits.open(path) as hdus:
        archive = Archive.of(hdus, path)
        assert archive is not None
        yield archive


def fixed_kernel(image: NDArray[np.float64]) -> tuple[str, list[list[fits.Column]]]:
    """Return a FixedKernel of an image."""
    height, width = image.shape
    columns = row(dimensions=(width, height), center=(width // 2, height // 2), image=image.ravel())
    return "FixedKernel", [columns]


def tan_wcs(
    crval: Any, crpix: Any, cd: NDArray[np.float64], **sip: NDArray[np.float64]
) -> tuple[str, list[list[fits.Column]]]:
    """Return a TanWcs; its reference pixel is counted from 0, its matrices are stored by columns.

    Points are tuples, or arrays as they were before version 2 of tables.
    """
    table = row(
        crval=crval,
        crpix=crpix,
        cd=cd.ravel(order="F"),
        ctype1="RA---TAN",
        ctype2="DEC--TAN",
        equinox=2000.0,
        radesys="ICRS",
        cunit1="deg",
        cunit2="deg",
    )
    distortion = {name: matrix.ravel(order="F") for name, matrix in sip.items()}
    return "TanWcs", [table, row(**distortion)] if sip else [table]
