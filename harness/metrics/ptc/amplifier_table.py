"""A table of amplifiers, as an EO test or a camera description gives it, and what is wrong in it by itself."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, final

import numpy as np

from harness.metrics.ptc.amplifier_order import median
from harness.metrics.ptc.placeholders import copies, placeholders

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = [
    "GAINS",
    "QUANTITIES",
    "DetectorTable",
    "Finding",
    "Kind",
    "Place",
    "detector_tables",
    "merge",
    "table_defects",
]

QUANTITIES: Final = {
    "ptcGain": ("PTC gain", "e-/adu"),
    "gain": ("gain", "e-/adu"),
    "readNoise": ("read noise", "e-"),
    "saturation": ("saturation", "adu"),
    "fullWell": ("full well", "e-"),
    "turnoff": ("turnoff", "adu"),
}
"""What an amplifier has that must be positive: column, name in words and unit."""

GAINS: Final = ("ptcGain", "gain")

_KINDS = {"S": "science ", "SG": "guider ", "SW": "wavefront "}
_APART = 0.2
"""In ln(gain).  Within all LSSTCam CCDs, no measured gain is further than 0.17 from the nearest one of its CCD."""
_LISTED = 12


class Kind(StrEnum):
    """What a finding is about."""

    PLACEHOLDER = "placeholder"
    COPIED = "copied"
    UNMEASURED = "unmeasured"
    ZERO_SATURATION = "zero saturation"
    OUTLYING = "outlying"
    UNPHYSICAL = "unphysical"
    MISSING = "missing amplifiers"
    REPEATED = "repeated amplifiers"
    # Between two tables
    PERMUTED = "permuted amplifiers"
    UNKNOWN_ORDER = "unknown order"
    EXCHANGED = "exchanged detectors"
    COMMON_FACTOR = "common factor"
    CHANGED = "changed"
    REPLACED = "replaced placeholder"
    LOST = "lost"
    ADDED = "added amplifiers"


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Amplifiers of one detector.

    Attributes
    ----------
    detector, detector_name
        Number (None where it is unknown) and full name of the detector.
    amplifiers
        Names of the amplifiers.
    """

    detector: int | None
    detector_name: str
    amplifiers: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be in a table of amplifiers, or not as it was.

    Attributes
    ----------
    kind
        What it is.
    column
        The column it is about; empty when it is about the amplifiers themselves.
    places
        Where it is: all detectors that have the same, in the order of their names.
    sentence
        What it is, with the value and the place.
    """

    kind: Kind
    column: str
    places: tuple[Place, ...]
    sentence: str

    @property
    def n_amplifiers(self) -> int:
        """Number of amplifiers it is found in."""
        return sum(len(place.amplifiers) for place in self.places)


@final
@dataclass(frozen=True, slots=True, eq=False)
class DetectorTable:
    """The amplifiers of all detectors of one kind.

    Attributes
    ----------
    kind
        Such as ``science``, with a blank behind it, or empty.
    detectors
        Number (or None) by full name of each detector, in the order of the names.
    amplifiers
        Names that occur, in order.
    present : (n_detectors, n_amplifiers) int
        How often each amplifier occurs.
    values : dict of (n_detectors, n_amplifiers) float64
        By column, as they stand in the (last) row of the amplifier; NaN for null.
    """

    kind: str
    detectors: dict[str, int | None]
    amplifiers: tuple[str, ...]
    present: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]

    def places(self, where: NDArray[np.bool_]) -> list[Place]:
        """Return the places where a (n_detectors, n_amplifiers) condition holds."""
        names = np.array(self.amplifiers)
        return [
            Place(number, name, tuple(names[row].tolist()))
            for (name, number), row in zip(self.detectors.items(), where, strict=True)
            if row.any()
        ]

    def aligned(self, detectors: Sequence[str], amplifiers: Sequence[str]) -> DetectorTable:
        """Return the same with these detectors and amplifiers, in this order."""
        rows = [list(self.detectors).index(name) for name in detectors]
        columns = [self.amplifiers.index(name) for name in amplifiers]
        grid = np.ix_(rows, columns)
        return DetectorTable(
            self.kind,
            {name: self.detectors[name] for name in detectors},
            tuple(amplifiers),
            self.present[grid],
            {column: values[grid] for column, values in self.values.items()},
        )


def detector_tables(table: pa.Table) -> dict[str, DetectorTable]:
    """Arrange a table of amplifiers (`harness.rerun.protocol.Rerun.amplifiers`) by kind of detector.

    Detectors are of one kind when their places in the raft are named alike: S00 to S22 (science), SG0 and SG1
    (guiders), SW0 and SW1 (wavefront sensors, which have half of the amplifiers).
    """
    columns = {name: table[name].to_pylist() for name in ("detector", "detectorName", "amplifier")}
    labels = [
        name or f"detector {number}" for name, number in zip(columns["detectorName"], columns["detector"], strict=True)
    ]
    rows: dict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        rows[_kind_of(label)].append(row)
    values = {
        column: np.array(table[column].cast("float64").to_numpy(), float)
        for column in (*QUANTITIES, "a00")
        if column in table.column_names and table[column].null_count < len(table)
    }
    tables = {}
    for kind, indices in rows.items():
        detectors = sorted({labels[row]: columns["detector"][row] for row in indices}.items())
        amplifiers = sorted({columns["amplifier"][row] for row in indices})
        row_of = {name: i for i, (name, _) in enumerate(detectors)}
        column_of = {name: i for i, name in enumerate(amplifiers)}
        at = (
            np.array([row_of[labels[row]] for row in indices]),
            np.array([column_of[columns["amplifier"][row]] for row in indices]),
        )
        present = np.zeros((len(detectors), len(amplifiers)), np.int64)
        np.add.at(present, at, 1)
        grids = {column: np.full(present.shape, np.nan) for column in values}
        for column, grid in grids.items():
            grid[at] = values[column][indices]
        tables[kind] = DetectorTable(_KINDS.get(kind, ""), dict(detectors), tuple(amplifiers), present, grids)
    return tables


def table_defects(table: pa.Table) -> list[Finding]:
    """Find what is wrong in one table of amplifiers, without another one to compare with.

    Parameters
    ----------
    table
        As `harness.rerun.protocol.Rerun.amplifiers` returns it.

    Returns
    -------
    findings : `list` [`Finding`]
        Placeholders (exactly 1, a number that half of the detector's amplifiers share, one written by hand among
        measured ones); values that are not there (null where others are known, NaN, 0 or -1); zero saturation;
        gains that are a copy of another amplifier's,
        or further than 20 % from any of the bulk of their detector; negative and infinite values;
        amplifiers that are missing or there twice.
    """
    findings = []
    for rows in detector_tables(table).values():
        findings += _amplifiers(rows)
        for column in rows.values:
            findings += _values(rows, column)
    return findings


def merge(kind: Kind, column: str, rows: DetectorTable, told: Iterable[tuple[str, Place]]) -> list[Finding]:
    """Make one finding of each thing that is told of several places.

    Parameters
    ----------
    kind, column
        Of the findings.
    rows
        The detectors that it could be told of.
    told
        What is the matter, without the place, and the place.
    """
    amplifiers: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for what, place in told:
        amplifiers[what][place.detector_name] += place.amplifiers
    findings = []
    for what, by_detector in amplifiers.items():
        places = tuple(Place(rows.detectors[name], name, tuple(sorted(found))) for name, found in by_detector.items())
        findings.append(Finding(kind, column, places, f"{what} in {_where(places, rows)}"))
    return findings


def _kind_of(name: str) -> str:
    return re.sub(r"\d+", "", name.rpartition("_")[2])


def _amplifiers(rows: DetectorTable) -> list[Finding]:
    """Find amplifiers that most detectors of the kind have and one has not, and those that are there twice."""
    expected = 2 * (rows.present > 0).sum(0) > len(rows.detectors)
    missing = rows.places(expected & (rows.present == 0))
    return [
        *merge(
            Kind.MISSING,
            "",
            rows,
            (
                (f"{_count(place.amplifiers)} missing of the {expected.sum()} of such a detector", place)
                for place in missing
            ),
        ),
        *merge(
            Kind.REPEATED,
            "",
            rows,
            (("rows are there more than once", place) for place in rows.places(rows.present > 1)),
        ),
    ]


def _values(rows: DetectorTable, column: str) -> list[Finding]:
    """Find what is wrong with the numbers of one column."""
    values = rows.values[column]
    word, unit = QUANTITIES.get(column, (column, "1/e-"))
    there = rows.present > 0
    findings = []

    def tell(kind: Kind, what: str, where: NDArray[np.bool_]) -> None:
        findings.extend(merge(kind, column, rows, ((what, place) for place in rows.places(where & there))))

    if column == "saturation":
        tell(Kind.ZERO_SATURATION, "saturation is 0", values == 0)
    else:
        tell(Kind.UNMEASURED, f"{word} is 0 (not measured)", values == 0)
    tell(Kind.UNMEASURED, f"{word} is -1 (not measured)", values == -1)
    tell(Kind.UNMEASURED, f"{word} is missing or NaN (not measured)", np.isnan(values))
    if column not in QUANTITIES:
        return findings
    unphysical = np.isinf(values) | ((values < 0) & (values != -1))
    for value in np.unique(values[unphysical]):
        tell(Kind.UNPHYSICAL, f"{word} is {value:g} {unit}, which nothing has,", values == value)
    if column in GAINS:
        found = placeholders(values)
        for value in np.unique(values[found]):
            tell(Kind.PLACEHOLDER, f"{word} is {value:.7g} {unit}, a placeholder,", found & (values == value))
        tell(Kind.COPIED, f"{word} is the same to the last digit as that of another amplifier", copies(values))
        findings += _outlying(rows, column, found)
    return findings


def _outlying(rows: DetectorTable, column: str, known: NDArray[np.bool_]) -> list[Finding]:
    """Find gains apart from the bulk of their detector, those known to be wrong by another finding excluded."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.where(np.isfinite(rows.values[column]), np.log(rows.values[column]), np.nan)
    logarithms[~np.isfinite(logarithms)] = np.nan
    usual = float(median(median(logarithms, 1), 0))
    word, unit = QUANTITIES[column]
    told = []
    for (name, number), row, exclude in zip(rows.detectors.items(), logarithms, known, strict=True):
        bulk = _bulk(row, usual)
        inside = np.exp(row[bulk])
        for i in np.flatnonzero(np.isfinite(row) & ~bulk & ~exclude):
            others = f"the bulk of its detector has {inside.min():.4g} to {inside.max():.4g}"
            what = f"{word} is {np.exp(row[i]):.4g} {unit} where {others},"
            told.append((what, Place(number, name, (rows.amplifiers[i],))))
    return merge(Kind.OUTLYING, column, rows, told)


def _bulk(logarithms: NDArray[np.float64], usual: float) -> NDArray[np.bool_]:
    """Return which values belong to the largest group without a gap; of equally large ones the most usual.

    Groups, since half of the amplifiers share electronics and may all differ from the other half by some percent,
    and since a median is not safe when most amplifiers of a detector are wrong, each in its own way.
    """
    order = np.argsort(logarithms)[: int(np.isfinite(logarithms).sum())]
    groups = np.split(order, np.flatnonzero(np.diff(logarithms[order]) > _APART) + 1)
    bulk = np.zeros(len(logarithms), bool)
    if len(order):
        bulk[max(groups, key=lambda group: (len(group), -abs(np.mean(logarithms[group]) - usual)))] = True
    return bulk


def _where(places: Sequence[Place], rows: DetectorTable) -> str:
    n_amplifiers = sum(len(place.amplifiers) for place in places)
    if len(places) > 1 and len(places) == len(rows.detectors):
        many = "" if n_amplifiers == (rows.present > 0).sum() else f"{n_amplifiers} amplifiers of "
        return f"{many}all {len(places)} {rows.kind}detectors"
    sizes = dict(zip(rows.detectors, (rows.present > 0).sum(1).tolist(), strict=True))
    words = []
    for place in places[:_LISTED]:
        whole = len(place.amplifiers) == sizes[place.detector_name] > 1
        words.append(f"{place.detector_name} {'(all)' if whole else ', '.join(place.amplifiers)}")
    if len(places) == 1:
        return words[0]
    more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    return f"{n_amplifiers} amplifiers of {len(places)} detectors: {'; '.join(words)}{more}"


def _count(amplifiers: Sequence[str]) -> str:
    return f"{len(amplifiers)} amplifier{'' if len(amplifiers) == 1 else 's'}"
