"""Raw camera files: one image extension per amplifier, plain or tile-compressed."""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from astropy.io import fits

from harness.errors import BrokenFileError, first_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Amplifier", "RawFile"]

_SEGMENT = re.compile(r"SEGMENT\s*(\d\d)", re.IGNORECASE)
_SECTION = re.compile(r"\[\s*(\d+)\s*:\s*(\d+)\s*,\s*(\d+)\s*:\s*(\d+)\s*\]")
_AGAIN = "fetch the file again or leave it out"

#: Imaging columns and rows of a segment, by the vendor as in CCD_MANU.
_IMAGING = {"E2V": (512, 2002), "ITL": (509, 2000)}
#: Serial prescan columns, by the imaging columns of a segment.
_PRESCAN = {512: 10, 509: 3}


@final
@dataclass(frozen=True, slots=True)
class Amplifier:
    """Geometry of the segment that one amplifier reads; slices are zero-based, (rows, columns).

    Attributes
    ----------
    name
        As in ``lsst/obs_lsst``: ``C10`` for the extension ``Segment10``.
    data
        Imaging pixels within the segment.
    overscan
        Serial overscan next to the imaging rows; no columns wide where the segment has none.
    detsec
        Limits x0, x1, y0, y1 of the imaging pixels on the detector as in ``DETSEC``: counted from 1, inclusive,
        reversed where the segment is flipped; None when the file does not say.
    """

    name: str
    data: tuple[slice, slice]
    overscan: tuple[slice, slice]
    detsec: tuple[int, int, int, int] | None


@final
class RawFile:
    """A raw exposure of one detector; a context manager.

    Headers are read at once and pixels on demand.  What keeps an amplifier from being read stands in `problems`, and
    the others stay readable.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    harness.errors.BrokenFileError
        When the file is missing, not FITS, or without any segment.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._amplifiers: dict[str, Amplifier] = {}
        self._problems: dict[str, str] = {}
        self._index: dict[str, int] = {}
        self._size, self._hdus = _open(self.path)
        with warnings.catch_warnings(action="ignore"):
            for index, hdu in enumerate(self._hdus):
                self._add(index, hdu)
        if not self._index:
            self.close()
            raise BrokenFileError(
                f"{self.path} has no amplifier: no extension is named Segment10 or alike; it is cut off, or no raw "
                "file of this camera: fetch it again or leave it out"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._hdus.close()
        if "_images" in self.__dict__:
            self._images.close()

    @property
    def amplifiers(self) -> Mapping[str, Amplifier]:
        """The amplifiers whose geometry is known, by name in the order of the file; see also `problems`."""
        return self._amplifiers

    @property
    def problems(self) -> Mapping[str, str]:
        """Why amplifiers cannot be read, by name: cut off, without geometry, or twice there."""
        return self._problems

    @cached_property
    def header(self) -> Mapping[str, Any]:
        """The primary header; a card that holds nonsense is left out, and of repeated ones the last counts."""
        cards = {}
        with warnings.catch_warnings(action="ignore"):
            for card in self._hdus[0].header.cards:
                try:
                    cards[card.keyword] = card.value
                except fits.VerifyError:
                    continue
        return cards

    def segment(self, name: str) -> NDArray[Any]:
        """Return all pixels of a segment, overscan included, in the type they are stored in.

        Raises
        ------
        harness.errors.BrokenFileError
            When the file has no such amplifier, or it cannot be read.
        """
        if name in self._problems:
            raise BrokenFileError(self._problems[name])
        if name not in self._index:
            there = ", ".join(self._index)
            raise BrokenFileError(f"{self.path} has no amplifier {name} (there are: {there}); {_AGAIN}")
        try:
            with warnings.catch_warnings(action="ignore"):
                return self._read(self._index[name])
        except Exception as fault:  # noqa: BLE001 - astropy and its decoders raise of every kind on damaged pixels
            raise BrokenFileError(
                f"the pixels of Segment{name[1:]} in {self.path} cannot be read ({first_line(fault)}); {_AGAIN}"
            ) from None

    def _add(self, index: int, hdu: Any) -> None:
        """Take an extension in, if it is a segment."""
        match = _SEGMENT.fullmatch(_text(hdu.header, "EXTNAME"))
        if match is None:
            return
        name = f"C{match[1]}"
        if name in self._index:
            self._problems[name] = f"{self.path} has two extensions Segment{match[1]}; leave it out"
            return
        self._index[name] = index
        try:
            self._amplifiers[name] = _amplifier(name, hdu.header, _text(self._hdus[0].header, "CCD_MANU"))
        except ValueError as fault:
            self._problems[name] = f"Segment{match[1]} in {self.path} {fault}"
        end = hdu.fileinfo()["datLoc"] + hdu.size
        if end > self._size:
            self._problems[name] = (
                f"Segment{match[1]} in {self.path} is cut off: the file ends at byte {self._size} and the segment at "
                f"{end}; {_AGAIN}"
            )

    def _read(self, index: int) -> NDArray[Any]:
        hdu = self._hdus[index]
        if not hdu.header.get("ZIMAGE", False):
            return _native(hdu)
        from harness.rerun import rice  # compiled: not for whoever wants headers

        if rice.can_decode(hdu.header) and not _is_compressed(self.path):
            return rice.decode(hdu.header, np.fromfile(self.path, np.uint8, hdu.size, offset=hdu.fileinfo()["datLoc"]))
        return _native(self._images[index])

    @cached_property
    def _images(self) -> Any:
        """The file once more, with compressed images opened by astropy."""
        return fits.open(self.path)


def _open(path: Path) -> tuple[int, Any]:
    """Return the size of a file and its extensions; compressed images stay tables, which takes a fifth of the time."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of what is cut off: problems are told in our own words
            hdus = fits.open(path, disable_image_compression=True)
            try:
                len(hdus)  # looks for all of them
            except BaseException:
                hdus.close()
                raise
    except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged file
        raise BrokenFileError(f"{path} cannot be read as FITS ({first_line(fault)}); {_AGAIN}") from None
    return sys.maxsize if _is_compressed(path) else path.stat().st_size, hdus


def _is_compressed(path: Path) -> bool:
    """Whether a file is compressed as a whole, so that places in it are not places on the disk."""
    return path.suffix in {".gz", ".bz2", ".xz"}


def _native(hdu: Any) -> NDArray[Any]:
    """Return the pixels, which the extension does not keep."""
    data = hdu.section[:, :]
    return np.ascontiguousarray(data, data.dtype.newbyteorder("="))


def _amplifier(name: str, header: Any, vendor: str) -> Amplifier:
    """Return the geometry of a segment.

    Raises
    ------
    ValueError
        When it is not an image, or its header contradicts itself or leaves the geometry open.
    """
    prefix = "Z" if header.get("ZIMAGE", False) else ""
    if header.get(f"{prefix}NAXIS") != 2:
        raise ValueError("is not an image of rows and columns; leave the file out")
    columns, rows = header[f"{prefix}NAXIS1"], header[f"{prefix}NAXIS2"]
    detsec = _section(header, "DETSEC")
    x0, x1, y0, y1 = _section(header, "DATASEC") or _imaging(detsec, vendor)
    if not (1 <= x0 <= x1 <= columns and 1 <= y0 <= y1 <= rows):
        raise ValueError(
            f"has {columns}x{rows} pixels, and its imaging pixels are [{x0}:{x1},{y0}:{y1}]; correct its DATASEC"
        )
    data = (slice(y0 - 1, y1), slice(x0 - 1, x1))
    overscan = slice(x1, columns)
    bias = _section(header, "BIASSEC")
    # Templates of another geometry are about: what overlaps the imaging pixels is no overscan.
    if bias is not None and x1 < bias[0] <= bias[1] <= columns:
        overscan = slice(bias[0] - 1, bias[1])
    return Amplifier(name, data, (data[0], overscan), detsec)


def _imaging(detsec: tuple[int, int, int, int] | None, vendor: str) -> tuple[int, int, int, int]:
    """Return the limits of the imaging pixels in a segment whose header has no DATASEC."""
    if detsec is not None:
        width, height = abs(detsec[1] - detsec[0]) + 1, abs(detsec[3] - detsec[2]) + 1
    else:
        width, height = _IMAGING.get(vendor.upper(), (0, 0))
    if width not in _PRESCAN:
        raise ValueError("has no DATASEC, and neither DETSEC nor CCD_MANU tells e2v or ITL; add one to the header")
    prescan = _PRESCAN[width]
    return prescan + 1, prescan + width, 1, height


def _section(header: Any, key: str) -> tuple[int, int, int, int] | None:
    """Return the four limits of an image section; None when there is none.

    Raises
    ------
    ValueError
        When it is not written as a section.
    """
    text = _text(header, key)
    if not text:
        return None
    match = _SECTION.fullmatch(text)
    if match is None:
        raise ValueError(f"has {key} = {text!r}, which is not a section such as [11:522,1:2002]; correct the header")
    x0, x1, y0, y1 = map(int, match.groups())
    return x0, x1, y0, y1


def _text(header: Any, key: str) -> str:
    """Return a value as text; empty when there is none, or none that can be read."""
    try:
        return str(header.get(key, "")).strip()
    except fits.VerifyError:
        return ""
