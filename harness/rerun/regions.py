"""Geometry of detectors on the sky: areas of spherical polygons, and visit tables as regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from harness.rerun.aliases import older_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["as_regions", "corners_array", "polygon_area", "regions_from_table", "regions_schema"]

_CORNERS = ("llc", "lrc", "urc", "ulc")
_SQUARE_DEGREES = np.degrees(1.0) ** 2


def regions_schema() -> pa.Schema:
    """Return the Arrow schema of `harness.rerun.protocol.Rerun.regions`."""
    return pa.schema(
        [
            ("instrument", pa.string()),
            ("visit", pa.int64()),
            ("detector", pa.int32()),
            ("band", pa.string()),
            ("area", pa.float64()),
            ("width", pa.float64()),
            ("height", pa.float64()),
            ("corners", pa.list_(pa.float64())),
        ]
    )


def polygon_area(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return areas of convex spherical polygons, by their spherical excess.

    Each polygon is cut into triangles from its first corner; the excess E of a triangle of unit vectors a, b, c follows
    tan(E/2) = a·(b×c) / (1 + a·b + b·c + c·a) (van Oosterom & Strackee 1983, IEEE Trans. Biomed. Eng. 30, 125), which
    stays accurate for triangles as small as a detector.

    Parameters
    ----------
    ra, dec : `numpy.ndarray`, (..., n)
        Corners in order, in degrees.

    Returns
    -------
    area : `numpy.ndarray`, (...)
        In square degrees; NaN where a corner is.
    """
    lon, lat = np.radians(ra), np.radians(dec)
    corner = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    a, b, c = corner[..., :1, :], corner[..., 1:-1, :], corner[..., 2:, :]
    # The volume spanned by nearly equal vectors is that of their small differences.
    volume = np.sum(a * np.cross(b - a, c - a), axis=-1)
    sides = np.sum(a * b, axis=-1) + np.sum(b * c, axis=-1) + np.sum(c * a, axis=-1)
    excess = 2 * np.arctan2(volume, 1 + sides)
    return np.asarray(np.abs(excess.sum(axis=-1)) * _SQUARE_DEGREES)


def regions_from_table(table: pa.Table, instrument: str) -> pa.Table:
    """Return regions from a visit table of `lsst/pipe_tasks`, or from one that has the columns of regions already.

    Parameters
    ----------
    table : `pyarrow.Table`
        ``visit`` and ``detector``, and what there is of ``band``, ``area`` (deg²), ``width`` and ``height`` (or
        ``xSize`` and ``ySize``; pixels), ``corners`` (or ``llcra``, ``llcdec`` … ``ulcdec``; degrees).
    instrument
        Name to put into the rows.
    """
    columns: dict[str, Any] = {}
    for name in regions_schema().names:
        stored = next((known for known in (name, *older_names(name, "")) if known in table.column_names), None)
        if stored is not None:
            columns[name] = table[stored]
    if all(f"{corner}{axis}" in table.column_names for corner in _CORNERS for axis in ("ra", "dec")):
        ra, dec = (np.stack([_floats(table[f"{corner}{axis}"]) for corner in _CORNERS], 1) for axis in ("ra", "dec"))
        columns.setdefault("corners", corners_array(ra, dec))
        columns.setdefault("area", pa.array(polygon_area(ra, dec), from_pandas=True))
    columns.setdefault("instrument", pa.repeat(pa.scalar(instrument), table.num_rows))
    return as_regions(columns, table.num_rows)


def corners_array(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> pa.Array:
    """Return the corners of quadrangles as (ra, dec) pairs, flat; ``ra`` and ``dec`` have shape (n, 4), in degrees."""
    flat = np.stack([ra, dec], axis=-1).reshape(len(ra), -1)
    rows = [row.tolist() if np.isfinite(row).all() else None for row in flat]
    return pa.array(rows, pa.list_(pa.float64()))


def as_regions(columns: dict[str, Any], rows: int) -> pa.Table:
    """Return columns as a regions table; those that are not given are null."""
    schema = regions_schema()
    arrays = [columns[field.name] if field.name in columns else pa.nulls(rows, field.type) for field in schema]
    arrays = [array.cast(field.type) for array, field in zip(arrays, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy())
