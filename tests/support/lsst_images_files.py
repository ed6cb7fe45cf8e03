"""Files in the layout of ``lsst.images``, FITS and JSON, from one tree; written from the published schemas."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SCHEMAS = "https://images.lsst.io/schemas"


def node(schema: str, version: str = "1.0.0", **content: Any) -> dict[str, Any]:
    """Return a node with the marks that each one has."""
    return {"schema_version": version, "min_read_version": 1, **content, "schema_url": f"{SCHEMAS}/{schema}-{version}"}


@dataclass(frozen=True)
class Inline:
    """An array that the tree holds itself in FITS too."""

    values: NDArray[Any]


@dataclass(frozen=True)
class Table:
    """A table of columns by name."""

    columns: dict[str, NDArray[Any]]


@dataclass
class Compression:
    """How images are compressed in FITS, by upper-case name; and cards of their headers."""

    of: dict[str, dict[str, Any]] = field(default_factory=dict)
    cards: dict[str, fits.Header] = field(default_factory=dict)


def write_json(path: Path, tree: Any) -> Path:
    """Write a tree with all arrays within it."""
    path.write_text(json.dumps(_inline(tree), indent=1), encoding="utf-8")
    return path


def write_fits(path: Path, tree: Any, compression: Compression | None = None, **primary: Any) -> Path:
    """Write a tree with arrays in HDUs: those first, then the tree as bytes in a table, then an index."""
    hdus = fits.HDUList([fits.PrimaryHDU()])
    hdus[0].header.update({"DATAMODL": tree.get("schema_url", ""), "FMTVER": 1} | primary)
    text = json.dumps(_hoisted(tree, "", hdus, compression or Compression())).encode()
    tables = [fits.Column("JSON", "PB()", array=np.array([np.frombuffer(text, np.uint8)], object))]
    hdus.append(fits.BinTableHDU.from_columns(tables, name="JSON"))
    names = [hdu.name for hdu in hdus]
    hdus.append(fits.BinTableHDU.from_columns([fits.Column("EXTNAME", "64A", array=names)], name="INDEX"))
    hdus.writeto(path)
    return path


def _inline(tree: Any) -> Any:
    match tree:
        case Inline(values):
            return _inline(values)
        case np.ndarray():
            return {"data": tree.tolist(), "datatype": tree.dtype.name}
        case Table(columns):
            return {"columns": [{"data": _inline(values), "name": name} for name, values in columns.items()]}
        case dict():
            return {name: _inline(value) for name, value in tree.items()}
        case list():
            return [_inline(value) for value in tree]
        case _:
            return tree


def _hoisted(tree: Any, name: str, hdus: fits.HDUList, compression: Compression) -> Any:
    match tree:
        case Inline(values):
            return _inline(values)
        case np.ndarray():
            if name in compression.of:
                hdu = fits.CompImageHDU(tree, name=name, **compression.of[name])
            else:
                hdu = fits.ImageHDU(tree, name=name)
            hdu.header.update(compression.cards.get(name, {}))
            hdus.append(hdu)
            return {"source": f"fits:{name}", "shape": list(tree.shape), "datatype": tree.dtype.name}
        case Table(columns):
            types = [(column, values.dtype, values.shape[1:]) for column, values in columns.items()]
            rows = np.empty(len(next(iter(columns.values()))), types)
            for column, values in columns.items():
                rows[column] = values
            hdus.append(fits.BinTableHDU(rows, name=name))
            return {
                "columns": [
                    {
                        "data": {
                            "source": f"fits:{name}[{number}]",
                            "shape": list(values.shape),
                            "datatype": values.dtype.name,
                        },
                        "name": column,
                    }
                    for number, (column, values) in enumerate(columns.items(), 1)
                ]
            }
        case dict():
            # Arrays are named after the node they belong to: IMAGE, PSF/PARAMETERS, PROVENANCE/INPUTS.
            skipped = {"data", "value", "array", "objects", "tables", "table"}
            return {
                key: _hoisted(value, name if key in skipped else f"{name}/{key.upper()}".strip("/"), hdus, compression)
                for key, value in tree.items()
            }
        case list():
            return [_hoisted(value, name, hdus, compression) for value in tree]
        case _:
            return tree
