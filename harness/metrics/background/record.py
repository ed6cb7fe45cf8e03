"""The record that all background metrics are formed of: one background and what it was subtracted from, in numbers."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

__all__ = ["Background", "Closing", "Statistics", "backgrounds_of", "backgrounds_table"]


@final
@dataclass(frozen=True, slots=True)
class Statistics:
    """What the pixels of a plane are; of the finite ones, NaN where there is none.

    Attributes
    ----------
    n_pixels, n_nan, n_inf
        All pixels, and those that are NaN or infinite.
    minimum, maximum, mean, median, std
        In the unit of the plane.
    gradient
        How much a plane fitted to them rises from its lowest to its highest corner.
    """

    n_pixels: int = 0
    n_nan: int = 0
    n_inf: int = 0
    minimum: float = math.nan
    maximum: float = math.nan
    mean: float = math.nan
    median: float = math.nan
    std: float = math.nan
    gradient: float = math.nan


@final
@dataclass(frozen=True, slots=True)
class Closing:
    """How well before − after − background closes.

    Attributes
    ----------
    largest
        Largest residual, in units in the last place of the largest of the three in that pixel.
    n_compared, n_unclosed
        Pixels that are finite in all three, and those of them that do not close to half a unit.
    n_pattern
        Pixels that are finite in one of the three and not in another.
    worst_row, worst_column
        Where the largest residual is; -1 when there is none.
    rms
        Of the residual, in the unit of the planes.
    """

    largest: float = math.nan
    n_compared: int = 0
    n_unclosed: int = 0
    n_pattern: int = 0
    worst_row: int = -1
    worst_column: int = -1
    rms: float = math.nan


@final
@dataclass(frozen=True, slots=True)
class Background:
    """One background of a visit-detector or of a coadd.

    Attributes
    ----------
    of
        What it is the background of.
    instrument, visit, detector, band
        Data ID; -1 for numbers that it has not.
    coadd
        Name of the coadd; empty for a visit.
    unit
        Unit of a pixel value; empty when no file says.
    background
        What it holds.
    restored_maximum
        Largest pixel of a visit image with its background.
    closing
        How well before − after − background closes.
    variance_ratio
        Median variance after over before the subtraction, of a coadd.
    n_components
        Models that it is the sum of; 0 for a plain image.
    bins
        Bins of each, such as ``1x1, 8x8``.
    differing
        In what the planes differ so that they cannot be compared, by what (``box``, ``unit``).
    missing
        What the rerun does not have and should (``background``, ``after``, and ``before`` of a coadd).
    problems
        Why something could not be measured, by name.
    edges, counts
        Histogram of the background: n + 1 edges of half-open bins, n counts.
    thumbnail, thumbnail_rows
        Means of blocks of pixels, row by row, and how many rows of them there are.
    """

    of: Literal["visit", "coadd"]
    instrument: str
    visit: int
    detector: int
    band: str
    coadd: str
    unit: str = ""
    background: Statistics = Statistics()
    restored_maximum: float = math.nan
    closing: Closing = Closing()
    variance_ratio: float = math.nan
    n_components: int = 0
    bins: str = ""
    differing: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    thumbnail: tuple[float, ...] = ()
    thumbnail_rows: int = 0

    @property
    def place(self) -> str:
        """What it is the background of, in words."""
        return self.coadd or f"visit {self.visit}, detector {self.detector}"


@cache
def _schema() -> pa.Schema:
    import pyarrow as pa

    texts = [(name, pa.string()) for name in ("of", "instrument", "band", "coadd", "unit", "bins")]
    whole = [(name, pa.int64()) for name in ("visit", "detector", "n_components", "thumbnail_rows")]
    real = [(name, pa.float64()) for name in ("restored_maximum", "variance_ratio")]
    maps = [(name, pa.map_(pa.string(), pa.string())) for name in ("differing", "problems")]
    lists = [("edges", pa.list_(pa.float64())), ("counts", pa.list_(pa.int64())), ("thumbnail", pa.list_(pa.float32()))]
    structs = [
        (
            name,
            pa.struct(
                [(key, pa.int64() if kind == "int" else pa.float64()) for key, kind in part.__annotations__.items()]
            ),
        )
        for name, part in (("background", Statistics), ("closing", Closing))
    ]
    return pa.schema([*texts, *whole, *real, *structs, ("missing", pa.list_(pa.string())), *maps, *lists])


def backgrounds_table(backgrounds: Iterable[Background]) -> pa.Table:
    """Return backgrounds as a table, a row each: what is stored beside the measurements, and drawn from."""
    import pyarrow as pa

    rows = [
        asdict(each) | {name: list(getattr(each, name).items()) for name in ("differing", "problems")}
        for each in backgrounds
    ]
    return pa.Table.from_pylist(rows, _schema())


def backgrounds_of(table: pa.Table) -> list[Background]:
    """Return what `backgrounds_table` made a table of."""
    return [
        Background(
            **row
            | {"background": Statistics(**row["background"]), "closing": Closing(**row["closing"])}
            | {name: dict(row[name]) for name in ("differing", "problems")}
            | {name: tuple(row[name]) for name in ("missing", "edges", "counts", "thumbnail")}
        )
        for row in table.to_pylist()
    ]
