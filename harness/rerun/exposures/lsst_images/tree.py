"""The tree of an ``lsst.images`` file: JSON that holds arrays itself, or says in which HDU of the file they are.

Layout and schemas are those of ``lsst/images`` (schema versions 1.x, https://images.lsst.io/schemas).
"""

from __future__ import annotations

import json
import re
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from harness.errors import BrokenFileError, HarnessError, first_line
from harness.rerun.exposures import headers, tiles
from harness.rerun.exposures.archive import blob, require_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from astropy.io.fits import Header
    from numpy.typing import NDArray

__all__ = ["Tree", "schema_name"]

_AGAIN: Final = "fetch the file again or leave it out"
#: The reader that this is: major version of all schemas, and version of the layout of FITS files.
_READER: Final = 1
#: ``fits:NAME``, ``fits:NAME,VERSION``, and for a column of a table ``fits:NAME[2]``.
_SOURCE: Final = re.compile(r"fits:(?P<name>[^,\[]+)(?:,(?P<version>\d+))?(?:\[\d+\])?")


@final
class Tree:
    """The tree of a file, FITS or JSON; arrays in HDUs are read when they are asked for.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    path
        The file, for messages.
    root
        The tree itself.

    Raises
    ------
    harness.errors.BrokenFileError
        When the file cannot be read, is cut off, or needs a newer reader.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hdus: Any = None
        try:
            self.root = self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        if self._hdus is not None:
            self._hdus.close()

    def check(self, node: Mapping[str, Any]) -> None:
        """Do nothing when a node can be read.

        Raises
        ------
        harness.errors.BrokenFileError
            When its ``min_read_version`` asks for a newer reader.
        """
        needed = node.get("min_read_version", _READER)
        if needed > _READER:
            raise self._too_new(f"{schema_name(node)} {node.get('schema_version', '')}".strip(), needed)

    def node(self, name: str) -> Mapping[str, Any] | None:
        """Return a part of the root, or None when it is not there; a newer one than known is refused."""
        node: Mapping[str, Any] | None = self.root.get(name)
        if node is not None:
            with self.reading(name):
                self.check(node)
        return node

    @contextmanager
    def reading(self, what: str) -> Iterator[None]:
        """Tell any error while something is read in our own words, with its name and the file."""
        try:
            with warnings.catch_warnings(action="ignore"):
                yield
        except HarnessError:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever a damaged tree or HDU makes astropy or numpy raise
            raise BrokenFileError(
                f"the {what} of {self.path} cannot be read ({type(fault).__name__}: {first_line(fault)}); {_AGAIN}"
            ) from None

    def shape(self, node: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the shape of an array without reading it."""
        return tuple(node["shape"]) if "source" in node else np.shape(node["data"])

    def array(self, node: Mapping[str, Any]) -> NDArray[Any]:
        """Return an array, held in the tree or in an HDU, of the type that the tree says."""
        if "source" not in node:
            return np.array(node["data"], node["datatype"])
        pixels = np.asarray(self._pixels(self._hdu(node)), node["datatype"])
        if list(pixels.shape) != list(node["shape"]):
            raise ValueError(f"{node['source']} has the shape {pixels.shape}, and its entry {tuple(node['shape'])}")
        return pixels

    def header(self, node: Mapping[str, Any]) -> Header | None:
        """Return the header of the HDU that an array is in, or None when the tree itself holds it."""
        return self._hdu(node).header if "source" in node else None

    def columns(self, node: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Return the columns of a table by name."""
        columns = {}
        for column in node["columns"]:
            data = column["data"]
            stored = self._hdu(data).data[column["name"]] if "source" in data else data["data"]
            columns[column["name"]] = np.asarray(stored, data["datatype"])
        return columns

    def _read(self) -> Mapping[str, Any]:
        """Return the root of the tree."""
        try:
            with self.path.open("rb") as file:
                is_fits = file.read(6) == b"SIMPLE"
            root = json.loads(self._json_of_fits() if is_fits else self.path.read_bytes())
        except HarnessError:
            raise
        except FileNotFoundError:
            raise BrokenFileError(f"{self.path} is missing; {_AGAIN}") from None
        except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged file
            raise BrokenFileError(f"{self.path} cannot be read ({first_line(fault)}); {_AGAIN}") from None
        if not isinstance(root, dict) or not schema_name(root):
            raise BrokenFileError(f"{self.path} is no file of lsst.images: its JSON names no schema; leave it out")
        self.check(root)
        return root

    def _json_of_fits(self) -> bytes:
        """Open a FITS file, and return the first row of its table JSON; compressed images stay tables."""
        from astropy.io import fits

        with warnings.catch_warnings(action="ignore"):  # of what is cut off: it is told in our own words
            self._hdus = fits.open(self.path, disable_image_compression=True)
            version = self._hdus[0].header.get("FMTVER", _READER)
            if version > _READER:
                raise self._too_new(f"layout of FITS files, version {version}", version)
            for name in ("JSON", "INDEX"):
                if name not in self._hdus:
                    raise BrokenFileError(f"{self.path} is cut off: it has no table {name} at its end; {_AGAIN}")
                require_whole(self._hdus[name], self.path, name)
            return blob(self._hdus["JSON"].data[0], "JSON")

    def _hdu(self, node: Mapping[str, Any]) -> Any:
        """Return the HDU that a node refers to."""
        match = _SOURCE.fullmatch(str(node["source"]))
        if match is None or self._hdus is None:
            raise ValueError(f"its source {node['source']!r} is no HDU of this file")
        return self._hdus[match["name"], int(match["version"] or 1)]

    def _pixels(self, hdu: Any) -> NDArray[Any]:
        """Return the pixels of an HDU, in the type and byte order they are stored in."""
        from astropy.io import fits

        if not headers.is_compressed(hdu.header):
            return np.asarray(hdu.data)
        if tiles.can_decode(hdu.header):
            place = hdu.fileinfo()["datLoc"]
            return tiles.decode(hdu.header, np.fromfile(self.path, np.uint8, hdu.size, offset=place))
        with fits.open(self.path) as hdus:
            return np.asarray(hdus[self._hdus.index(hdu)].data)

    def _too_new(self, what: str, needed: int) -> BrokenFileError:
        return BrokenFileError(
            f"{self.path} was written by a newer lsst.images (its {what} asks for reader {needed}, known up to "
            f"{_READER}); install a newer rerun-harness"
        )


def schema_name(node: Mapping[str, Any]) -> str:
    """Return the name of a node's schema (``visit_image``) from its URL; empty when it has none."""
    return str(node.get("schema_url", "")).rpartition("/")[2].rpartition("-")[0]
