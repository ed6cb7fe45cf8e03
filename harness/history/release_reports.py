r"""Published reports of release metrics as a history (Rubin's DMTR-141, 191, 251, 281, 311 and 351, and their like).

The tables of several reports stand in one CSV file, a row for each metric and report, as ``report, release, section,
Metric, Unit`` and a column for each heading of theirs.  Values are in columns such as ``Value (RC2)``, of the report's
own release, or ``Release 21 Value (RC2)``; ``RC2-\texttt{faro}`` says that another program measured them, by
another definition.  A report repeats the release before its own, to be compared with: that is kept apart, as what was
printed later and elsewhere, and shows what a table was really compared with.
"""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, final

from harness.errors import BrokenFileError, first_line
from harness.history.entry import Entry, Row
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["ReleaseReports", "read_release_reports"]

_HEADING = re.compile(r"(?:Release (?P<release>\d+) )?Value(?: \((?P<of>[^()]+)\))?")
_NUMBER = re.compile(r"(?P<number>\d+(?:[.,]\d+)?)(?: ?x ?10\^\{(?P<power>-?\d+)\})?")
_SECTIONS = {
    "Photometric Performance": "photometry",
    "Astrometric Performance": "astrometry",
    "Ellipticity Correlations": "ellipticity",
}
#: The sky of a column; the earliest reports had one only, and did not say which.
_DATASETS = {"": "validation_data_hsc", "validation data": "validation_data_hsc", "RC2": "hsc_rc2"}
_Place: TypeAlias = tuple[str, str, str]  # dataset, group of metrics, release
_NEEDED = ("report", "release", "section", "Metric", "Unit")


@final
@dataclass(frozen=True, slots=True)
class ReleaseReports:
    """What some reports say.

    Attributes
    ----------
    releases
        Each release as its own report gives it, in the order of the releases: the history.
    repeated
        Earlier releases as a later report repeats them.
    problems
        What could not be read, or not as it was printed.
    """

    releases: tuple[Entry, ...]
    repeated: tuple[Entry, ...]
    problems: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class _Printed:
    """One number in one table."""

    report: str
    release: str
    of: str
    dataset: str
    row: Row

    @property
    def is_own(self) -> bool:
        return self.release == self.of

    @property
    def group(self) -> str:
        return self.row.metric.partition(".")[0]


def read_release_reports(path: Path) -> ReleaseReports:
    """Read the tables of release reports.

    Parameters
    ----------
    path
        The CSV file.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is none, or has a section or data set that is unknown.
    """
    problems: list[str] = []
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            table = list(csv.DictReader(stream, strict=True))
    except (OSError, ValueError, csv.Error) as fault:
        raise BrokenFileError(f"release reports {path} cannot be read ({first_line(fault)})") from None
    if not table or not set(_NEEDED) <= set(table[0]):
        raise BrokenFileError(f"{path} holds no release reports: it needs the columns {', '.join(_NEEDED)}")
    for number, line in enumerate(table, start=2):
        if None in line or None in line.values():
            raise BrokenFileError(f"{path}: row {number} has not as many cells as there are headings")
    printed = [each for line in table for each in _numbers(path, line, problems)]
    nameless = Counter(f"{line['report']}, {line['section']}" for line in table if not line["Metric"])
    problems += [f"{where}: {count} rows have neither metric nor value; left out" for where, count in nameless.items()]
    printed = _with_definitions(printed)
    own, repeated = ([each for each in printed if each.is_own is whose] for whose in (True, False))
    return ReleaseReports(_entries(own), _entries(repeated), tuple(problems))


def _numbers(path: Path, line: Mapping[str, str], problems: list[str]) -> Iterable[_Printed]:
    """Yield the numbers of one row of a table."""
    if not line["Metric"]:
        return
    report, name = line["report"], line["Metric"].replace(": ", ".")
    try:
        group = _SECTIONS[line["section"]]
    except KeyError:
        raise BrokenFileError(f"{path}: {report} has the section {line['section']!r}, which is unknown") from None
    for heading, text in line.items():
        match = _HEADING.fullmatch(heading)
        if match is None or text in {"", "---"}:
            continue
        sky, _, definition = re.sub(r"\\texttt\{(.*)\}", r"\1", match["of"] or "").partition("-")
        if sky not in _DATASETS:
            raise BrokenFileError(f"{path}: {report} has values of {sky!r}, which is unknown")
        value = _number(text)
        where = f"{report}, {name}, {heading}"
        if math.isnan(value):
            problems.append(f"{where}: {text!r} is no number")
        elif "," in text:
            problems.append(f"{where}: {text!r} is read as {value:g}")
        release = f"{match['release']}.0.0" if match["release"] else line["release"]
        unit = "" if line["Unit"] == "---" else line["Unit"]
        row = Row(f"{group}.{name}", unit, definition, value, detail="" if _is_plain(text) else f"printed as {text}")
        yield _Printed(report, release, line["release"], _DATASETS[sky], row)


def _number(text: str) -> float:
    """Read ``14.3``, or ``1.2x10^{-6}``, with a comma where the point should be; NaN when it is none."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return math.nan
    return float(f"{match['number'].replace(',', '.')}e{match['power'] or 0}")


def _is_plain(text: str) -> bool:
    return "," not in text and not math.isnan(_number(text))


def _with_definitions(printed: list[_Printed]) -> list[_Printed]:
    """Give columns that do not say their definition that of the numbers which they repeat.

    The report on release 23 compares with a release 22 whose photometry is that of another program in the report on
    release 22, without a word: its own numbers go on from there.
    """
    known: dict[_Place, dict[str, dict[str, float]]] = {}
    resolved = []
    for report in dict.fromkeys(each.report for each in printed):
        ours = [each for each in printed if each.report == report]
        meant = _meant(ours, known)
        for each in ours:
            definition = each.row.definition or meant.get((each.dataset, each.group), "")
            resolved.append(replace(each, row=replace(each.row, definition=definition)))
            if each.is_own:
                of_place = known.setdefault((each.dataset, each.group, each.release), {})
                of_place.setdefault(definition, {})[each.row.metric] = each.row.value
    return resolved


def _meant(
    ours: list[_Printed], known: Mapping[_Place, Mapping[str, Mapping[str, float]]]
) -> dict[tuple[str, str], str]:
    """Return by dataset and group which definition a report's columns are of: that of most numbers they repeat."""
    agreeing: dict[tuple[str, str], Counter[str]] = {}
    for each in ours:
        if not each.is_own:
            count = agreeing.setdefault((each.dataset, each.group), Counter())
            for definition, values in known.get((each.dataset, each.group, each.release), {}).items():
                count[definition] += values.get(each.row.metric) == each.row.value
    return {place: max(count, key=count.__getitem__, default="") for place, count in agreeing.items()}


def _entries(printed: list[_Printed]) -> tuple[Entry, ...]:
    rows: dict[tuple[str, str, str], list[Row]] = {}
    for each in printed:
        rows.setdefault((each.release, each.dataset, each.report), []).append(each.row)
    return tuple(
        Entry(dataset, release, report, inputs=digest_of([report, release]), rows=tuple(own))
        for (release, dataset, report), own in sorted(rows.items(), key=lambda item: item[0])
    )
