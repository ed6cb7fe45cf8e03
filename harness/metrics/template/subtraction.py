"""The record that all template metrics are formed of: one visit-detector, subtracted with one template, in numbers."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

__all__ = [
    "EXPOSURES",
    "SIDES",
    "ExposureName",
    "ExposureSummary",
    "Subtraction",
    "subtractions_of",
    "subtractions_table",
]

ExposureName = Literal["science", "template", "difference"]

EXPOSURES: tuple[ExposureName, ...] = ("science", "template", "difference")

#: Which template: the only one of a rerun, that of good-seeing visits, or that of nearly all visits.
SIDES = ("", "good", "deep")


@final
@dataclass(frozen=True, slots=True)
class ExposureSummary:
    """One exposure in numbers; NaN where a number is not known.

    A size or variance of 0 or less stands for one that could not be measured, as pipelines write it.

    Attributes
    ----------
    variance
        Median of the variance plane over valid pixels (neither masked nor NaN nor infinite), pixel unit squared.
    fwhm
        FWHM of the PSF, pixels.
    psf_kind
        Which size of a PSF that is (`harness.rerun.exposures.protocol.PsfSizeKind`); empty when there is none.
    source
        Where the size is from: ``summary statistics`` (the pipeline's own) or ``evaluated``.
    nea
        Noise-equivalent area of the PSF, pixel².
    n_pixels
        Pixels of the variance plane; 0 when no exposure was read, as for a table of sizes.
    n_masked
        Of these, how many are masked.
    n_nan, n_inf
        How many of the unmasked ones are NaN, or infinite.
    n_nonpositive
        How many of the valid ones are zero or negative.
    zero_point
        AB magnitude of one pixel unit.
    """

    variance: float = math.nan
    fwhm: float = math.nan
    psf_kind: str = ""
    source: str = ""
    nea: float = math.nan
    n_pixels: int = 0
    n_masked: int = 0
    n_nan: int = 0
    n_inf: int = 0
    n_nonpositive: int = 0
    zero_point: float = math.nan

    @property
    def is_known(self) -> bool:
        """Whether anything was measured of it."""
        return self.n_pixels > 0 or any(map(math.isfinite, (self.variance, self.fwhm, self.nea)))


@final
@dataclass(frozen=True, slots=True)
class Subtraction:
    """One visit-detector, subtracted with one template.

    Attributes
    ----------
    instrument, visit, detector, band
        Data ID.
    side
        Which template: one of `SIDES`.
    coadd
        Name of the template that visits share (``455/33 r``); empty when unknown.
    science, template, difference
        The three exposures.
    input_visits
        Visits that the template was made of; None when they are not on record.
    coverage
        Fraction of the template's pixels that have data.
    science_digest
        Digest of the science image's pixels; empty when it was not formed.
    missing
        Which of the exposures the rerun does not have.
    problems
        Why something could not be measured, by exposure (``template``), or by exposure and what of it
        (``template.fwhm``, ``template.coverage``, ``template.input_visits``).

    Raises
    ------
    ValueError
        When the side is none of `SIDES`, or something is missing that is no exposure.
    """

    instrument: str
    visit: int
    detector: int
    band: str
    side: str
    coadd: str = ""
    science: ExposureSummary = ExposureSummary()
    template: ExposureSummary = ExposureSummary()
    difference: ExposureSummary = ExposureSummary()
    input_visits: tuple[int, ...] | None = None
    coverage: float = math.nan
    science_digest: str = ""
    missing: tuple[str, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise ValueError(f"'side' must be in {SIDES!r} (got {self.side!r})")
        if not set(self.missing) <= set(EXPOSURES):
            raise ValueError(f"'missing' must be of {EXPOSURES!r} (got {self.missing!r})")

    @property
    def data_id(self) -> tuple[str, int, int]:
        """Instrument, visit and detector: what the two sides are joined by."""
        return self.instrument, self.visit, self.detector

    def summary(self, exposure: ExposureName) -> ExposureSummary:
        """Return one of the three exposures."""
        found: ExposureSummary = getattr(self, exposure)
        return found


@cache
def _schema() -> pa.Schema:
    import pyarrow as pa

    arrow = {"float": pa.float64(), "int": pa.int64(), "str": pa.string()}
    summary = pa.struct([(each.name, arrow[str(each.type)]) for each in fields(ExposureSummary)])
    return pa.schema(
        [
            ("instrument", pa.string()),
            ("visit", pa.int64()),
            ("detector", pa.int32()),
            ("band", pa.string()),
            ("side", pa.string()),
            ("coadd", pa.string()),
            *((exposure, summary) for exposure in EXPOSURES),
            ("input_visits", pa.list_(pa.int64())),
            ("coverage", pa.float64()),
            ("science_digest", pa.string()),
            ("missing", pa.list_(pa.string())),
            ("problems", pa.map_(pa.string(), pa.string())),
        ]
    )


def subtractions_table(subtractions: Iterable[Subtraction]) -> pa.Table:
    """Return subtractions as a table, a row each: what is stored beside the measurements, and drawn from."""
    import pyarrow as pa

    rows = [asdict(each) | {"problems": list(each.problems.items())} for each in subtractions]
    return pa.Table.from_pylist(rows, _schema())


def subtractions_of(table: pa.Table) -> list[Subtraction]:
    """Return what `subtractions_table` made a table of."""

    def restored(row: dict[str, Any]) -> Subtraction:
        inputs = row["input_visits"]
        return Subtraction(
            **row
            | {exposure: ExposureSummary(**row[exposure]) for exposure in EXPOSURES}
            | {
                "input_visits": None if inputs is None else tuple(inputs),
                "missing": tuple(row["missing"]),
                "problems": dict(row["problems"]),
            }
        )

    return [restored(row) for row in table.to_pylist()]
