"""The photon transfer curve of one amplifier, and the table that curves are stored in."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["MAX_LAG", "Curve", "curve_schema", "curves_of", "curves_table"]

MAX_LAG = 8
"""Covariances are measured at lags 0 to this in each direction."""

_NUMBERS = {
    "exposure_time": "exposureTime",
    "photo_charge": "photoCharge",
    "mean": "mean",
    "delta": "delta",
    "variance": "variance",
    "rhl": "rhl",
    "overscan_noise": "overscanNoise",
    "n_pixels": "nPixels",
}


@final
@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The photon transfer curve of one amplifier: one element per pair of flats, in order of the mean signal.

    Whatever order the pairs are given in, they are sorted; a result cannot depend on how exposures were listed.

    Attributes
    ----------
    instrument, detector, detector_name, amplifier
        What was measured; the detector is None where it is known by its name alone.
    exposures : (n, 2) int64
        The two exposures of each pair.
    exposure_time : (n,) float64
        Exposure time, s.
    photo_charge : (n,) float64
        Charge of the monitoring photodiode, C; NaN where unknown.
    mean : (n,) float64
        Mean signal of the two, adu; NaN for a pair that was left out.
    delta : (n,) float64
        Mean of the second minus mean of the first (lamp mismatch), adu.
    variance : (n,) float64
        Variance of one image: half that of the difference, adu².
    rhl : (n,) float64
        Mean of (I1 - I2)² / (I1 + I2), adu.
    overscan_noise : (n,) float64
        Read noise from the overscan, adu.
    n_pixels : (n,) float64
        Pixels that the variance rests on; NaN where unknown.
    covariance, covariance_error : (n, MAX_LAG + 1, MAX_LAG + 1) float64 or None
        Covariance of one image at each lag (serial, parallel) and its standard error, adu².
    status : (n,) object
        Why a pair was left out; an empty string where it was measured.
    measured : (n,) bool
        Pairs with a finite positive mean and a finite positive variance.
    """

    instrument: str
    detector: int | None
    detector_name: str
    amplifier: str
    exposures: NDArray[np.int64]
    exposure_time: NDArray[np.float64]
    photo_charge: NDArray[np.float64]
    mean: NDArray[np.float64]
    delta: NDArray[np.float64]
    variance: NDArray[np.float64]
    rhl: NDArray[np.float64]
    overscan_noise: NDArray[np.float64]
    n_pixels: NDArray[np.float64]
    status: NDArray[np.object_]
    covariance: NDArray[np.float64] | None = None
    covariance_error: NDArray[np.float64] | None = None
    measured: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        # The exposures break ties, so that any order of the same pairs is the same curve to the last bit.
        order = np.lexsort((self.exposures[:, 1], self.exposures[:, 0], self.mean))
        for item in fields(self):
            if not item.init:
                continue
            values = getattr(self, item.name)
            if isinstance(values, np.ndarray):
                if len(values) != len(order):
                    raise ValueError(f"{item.name} has {len(values)} elements for {len(order)} pairs")
                object.__setattr__(self, item.name, values[order])
        with np.errstate(invalid="ignore"):
            good = np.isfinite(self.mean) & np.isfinite(self.variance) & (self.mean > 0) & (self.variance > 0)
        object.__setattr__(self, "measured", good & (self.status == ""))

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def name(self) -> str:
        """What people call the amplifier, such as ``R22_S11 C06``."""
        place = self.detector_name or ("" if self.detector is None else f"detector {self.detector}")
        return f"{place} {self.amplifier}".strip()

    @property
    def variance_error(self) -> NDArray[np.float64]:
        """Standard error of the variance, adu²: ``V sqrt(2 / n_pixels)``; NaN where the number is unknown."""
        return np.asarray(self.variance * np.sqrt(2 / self.n_pixels))


@cache
def curve_schema() -> pa.Schema:
    """Return the Arrow schema of curves: a row per detector, amplifier and pair.

    The covariances are lists of ``(MAX_LAG + 1)²`` numbers, the parallel lag running fastest; null where not measured.
    """
    import pyarrow as pa

    return pa.schema(
        [
            ("instrument", pa.string()),
            ("detector", pa.int32()),
            ("detectorName", pa.string()),
            ("amplifier", pa.string()),
            ("exposure1", pa.int64()),
            ("exposure2", pa.int64()),
            *((column, pa.float64()) for column in _NUMBERS.values()),
            ("covariance", pa.list_(pa.float64())),
            ("covarianceError", pa.list_(pa.float64())),
            ("status", pa.string()),
        ]
    )


def curves_table(curves: Iterable[Curve]) -> pa.Table:
    """Store curves as a table of `curve_schema`."""
    import pyarrow as pa

    schema = curve_schema()
    tables = []
    for curve in curves:
        n = len(curve)
        columns: dict[str, object] = {
            "instrument": [curve.instrument] * n,
            "detector": [curve.detector] * n,
            "detectorName": [curve.detector_name] * n,
            "amplifier": [curve.amplifier] * n,
            "exposure1": curve.exposures[:, 0],
            "exposure2": curve.exposures[:, 1],
            **{column: getattr(curve, name) for name, column in _NUMBERS.items()},
            "covariance": _lists(curve.covariance, n),
            "covarianceError": _lists(curve.covariance_error, n),
            "status": list(curve.status),
        }
        tables.append(pa.table(columns, schema))
    return pa.concat_tables(tables) if tables else schema.empty_table()


def curves_of(table: pa.Table) -> list[Curve]:
    """Read curves back, one per detector and amplifier, in the order of their names.

    Parameters
    ----------
    table
        Rows of `curve_schema`; columns that are missing are taken as unknown.  ``amplifier``, ``mean`` and
        ``variance`` have to be there.
    """
    import polars as pl

    frame = pl.DataFrame(pl.from_arrow(table))
    schema = pl.DataFrame(pl.from_arrow(curve_schema().empty_table())).schema
    frame = frame.with_columns(
        *(pl.lit(None, kind).alias(name) for name, kind in schema.items() if name not in frame.columns)
    )
    groups = frame.group_by("detectorName", "detector", "amplifier", maintain_order=True)
    return [_curve(rows) for _, rows in sorted(groups, key=lambda group: _sortable(group[0]))]


def _sortable(key: tuple[object, ...]) -> tuple[str, int, str]:
    name, detector, amplifier = key
    return str(name or ""), -1 if detector is None else int(str(detector)), str(amplifier)


def _curve(rows: object) -> Curve:
    import polars as pl

    if not isinstance(rows, pl.DataFrame):
        raise TypeError("rows of one amplifier are a polars frame")
    n = len(rows)
    side = MAX_LAG + 1

    def exposures(name: str) -> NDArray[np.int64]:
        return rows[name].fill_null(-1).to_numpy().astype(np.int64)

    def cube(name: str) -> NDArray[np.float64] | None:
        values = rows[name]
        if values.null_count() == n:
            return None
        filled = np.full((n, side, side), np.nan)
        for i, numbers in enumerate(values.to_list()):
            if numbers is not None:
                filled[i] = np.reshape(numbers, (side, side))
        return filled

    first = rows.row(0, named=True)
    numbers = {
        name: rows[column].cast(pl.Float64).fill_null(np.nan).to_numpy().astype(np.float64)
        for name, column in _NUMBERS.items()
    }
    numbers["n_pixels"][numbers["n_pixels"] <= 0] = np.nan  # a variance rests on some: nobody knows on how many
    return Curve(
        instrument=first["instrument"] or "",
        detector=first["detector"],
        detector_name=first["detectorName"] or "",
        amplifier=first["amplifier"],
        exposures=np.stack([exposures("exposure1"), exposures("exposure2")], axis=1),
        **numbers,
        status=np.array(rows["status"].fill_null("").to_list(), object),
        covariance=cube("covariance"),
        covariance_error=cube("covarianceError"),
    )


def _lists(values: NDArray[np.float64] | None, n: int) -> list[list[float] | None]:
    """Flatten each pair's matrix; null for a pair without one."""
    if values is None:
        return [None] * n
    return [None if np.isnan(matrix).all() else matrix.ravel().tolist() for matrix in values]
