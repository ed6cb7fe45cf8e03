"""Background records as metric rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, final

from harness.metrics.background.catalogue import STATISTICS, background_catalogue
from harness.metrics.rows import rows_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from harness.metrics.background.record import Background

__all__ = ["background_rows", "change_rows"]

_PREFIX = {"visit": "visitBackground", "coadd": "coaddBackground"}


def background_rows(backgrounds: Iterable[Background]) -> pa.Table:
    """Return the metrics of backgrounds, a row each per background.

    Parameters
    ----------
    backgrounds
        In any order.

    Returns
    -------
    rows : `pyarrow.Table`
        Of `harness.metrics.rows.rows_schema`.
    """
    rows = _Rows()
    found = sorted(backgrounds, key=lambda each: (each.of, each.visit, each.detector, each.coadd))
    for of in _PREFIX:
        n_backgrounds = sum(each.of == of for each in found)
        if n_backgrounds:
            rows.count(of, n_backgrounds)
        else:
            rows.nothing(of)
    for each in found:
        _levels(rows, each)
        _shapes(rows, each)
        _closures(rows, each)
        _sanity(rows, each)
    return rows.table()


def change_rows(changes: Iterable[tuple[Background, int, float]]) -> pa.Table:
    """Return by how much backgrounds differ from those of a reference.

    Parameters
    ----------
    changes
        The background, how many of its pixels differ, and the largest difference in units in the last place; NaN, with
        the reason in ``problems["change"]``, where the two cannot be compared.
    """
    rows = _Rows()
    for each, pixels, largest in changes:
        reason = each.problems.get("change", "")
        there = f"in {each.place}" if pixels else ""
        rows.add(each, "numChangedPixels", math.nan if reason else pixels, reason or there)
        if not reason and math.isnan(largest):
            reason = f"the pixels of the background of {each.place} that differ are finite in one rerun alone"
        rows.add(each, "largestChange", largest, reason or there)
    return rows.table()


def _levels(rows: _Rows, each: Background) -> None:
    held = each.background
    reason = _why(each, "background")
    empty = reason or f"the background of {each.place} has no finite pixel"
    for name in STATISTICS:
        rows.mean(each, name, getattr(held, name), empty)
    invalid = (held.n_nan + held.n_inf) / held.n_pixels if held.n_pixels else math.nan
    rows.mean(each, "fracInvalid", invalid, reason)
    rows.mean(each, "numPixels", held.n_pixels or math.nan, reason)


def _shapes(rows: _Rows, each: Background) -> None:
    held = each.background
    reason = _why(each, "background")
    empty = reason or f"the background of {each.place} has no finite pixel"
    rows.mean(each, "gradient", held.gradient, empty)
    rows.mean(each, "numComponents", math.nan if reason else each.n_components, reason)
    extent = held.maximum - held.minimum
    if each.of == "visit":
        rows.mean(each, "range", extent, empty)
        reason = _why(each, "background", "after", "differing") or f"no pixel of {each.place} is finite in both planes"
        rows.mean(each, "restoredMaximum", each.restored_maximum, reason)
    else:
        rows.add(each, "range", extent, f"in {each.place}" if extent > 0 else "" if extent == 0 else empty)
        reason = (
            _why(each, "before", "after", "variance_ratio") or f"a variance plane of {each.place} has no median > 0"
        )
        rows.mean(each, "varianceRatio", each.variance_ratio, reason)


def _closures(rows: _Rows, each: Background) -> None:
    closing = each.closing
    reason = _why(each, "background", "before", "after", "differing")
    apart = f"{closing.n_pattern} pixels of {each.place} are finite in one plane and not in another"
    if not reason and not closing.n_compared:
        reason = f"the planes of {each.place} have no pixel in common that is finite"
    worst = f"row {closing.worst_row}, column {closing.worst_column} of {each.place}" if closing.n_unclosed else ""
    unclear = reason or (apart if closing.n_pattern else "")
    rows.add(each, "largestResidual", math.nan if unclear else closing.largest, unclear or worst)
    said = f"{closing.n_unclosed} in {each.place}" if closing.n_unclosed else ""
    rows.add(each, "numUnclosedPixels", math.nan if reason else closing.n_unclosed, reason or said)


def _sanity(rows: _Rows, each: Background) -> None:
    lacks = f"{each.place} lacks {' and '.join(each.missing)}" if each.missing else ""
    rows.add(each, "numMissing", len(each.missing), lacks)
    rows.add(each, "numUnreadable", len(each.problems), "; ".join(each.problems.values()))
    rows.add(each, "numMismatched", bool(each.differing), "; ".join(each.differing.values()))
    pattern = each.closing.n_pattern
    rows.add(each, "numPatternPixels", pattern, f"{pattern} in {each.place}" if pattern else "")


def _why(each: Background, *parts: str) -> str:
    """Say why something that needs some parts could not be measured; empty when they are all there."""
    for part in parts:
        if part in each.missing:
            return f"{each.place} has no {part}"
        if part in each.problems:
            return each.problems[part]
    return "; ".join(each.differing.values()) if "differing" in parts else ""


@final
class _Rows:
    """Collects metric rows of backgrounds."""

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def mean(self, each: Background, name: str, value: float, reason: str) -> None:
        """Add one background's part of a mean."""
        self._append(each, name, value, 1.0, "" if math.isfinite(value) else reason)

    def add(self, each: Background, name: str, value: float, detail: str) -> None:
        """Add one background's part of a sum, or of what the largest is taken of."""
        self._append(each, name, value, None, detail)

    def count(self, of: str, n_backgrounds: int) -> None:
        """Count the backgrounds of a kind in the whole rerun: what is paired by place cannot miss one."""
        self._rows.append(
            {"metric": f"{_PREFIX[of]}.numBackgrounds", "numerator": float(n_backgrounds), "denominator": 1.0}
        )

    def nothing(self, of: str) -> None:
        """Say that nothing is wrong with backgrounds of a kind that the rerun does not have."""
        for metric in background_catalogue().values():
            if metric.group == "background_sanity" and metric.name.startswith(_PREFIX[of]):
                self._rows.append({"metric": metric.name, "numerator": 0.0})

    def _append(self, each: Background, name: str, value: float, denominator: float | None, detail: str) -> None:
        self._rows.append(
            {
                "metric": f"{_PREFIX[each.of]}.{name}",
                "instrument": each.instrument or None,
                "visit": None if each.visit < 0 else each.visit,
                "detector": None if each.detector < 0 else each.detector,
                "coadd": each.coadd or None,
                "band": each.band or None,
                "numerator": float(value),
                "denominator": denominator,
                "detail": detail or None,
            }
        )

    def table(self) -> pa.Table:
        """Return the rows."""
        import pyarrow as pa

        return pa.Table.from_pylist(self._rows, rows_schema())
