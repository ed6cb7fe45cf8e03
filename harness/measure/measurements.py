"""Stored measurements of one rerun, ready to be judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.errors import UsageError
from harness.judge.quantity import WHOLE_RERUN, Quantity, amplifier_units, coadd_units
from harness.measure.catalogue import OF_OTHER_TABLES
from harness.metrics.ptc.amplifier_rows import BETWEEN
from harness.model import DataId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from harness.measure.store import Manifest
    from harness.model import Metric

__all__ = ["Measurements"]

_DIMENSIONS = ("instrument", "visit", "detector", "amplifier", "coadd", "band")


@final
class Measurements:
    """The metrics of one rerun by name: ``measurements["dia.numSources"]`` is a `Quantity`.

    A second index narrows it down: ``measurements["dia.numSources", DataId(visit=411371)]``.

    Parameters
    ----------
    rerun
        Name of the rerun.
    manifest
        What was measured, of what, with which settings; None when the rerun has not been measured.
    rows
        Metric rows (`harness.metrics.rows`) of all shards.
    catalogue
        Definitions of the metrics that may be there.
    ratios
        Metrics formed of two others, as (numerator, denominator) names.
    """

    def __init__(
        self,
        rerun: str,
        manifest: Manifest | None,
        rows: pa.Table,
        catalogue: Mapping[str, Metric],
        ratios: Mapping[str, tuple[str, str]],
    ) -> None:
        self.rerun = rerun
        self.manifest = manifest
        self.catalogue = catalogue
        self.rows = rows
        self._ratios = ratios
        self._by_metric = _split_by_metric(rows, catalogue)
        self._known: dict[str, Quantity] = {}

    def __iter__(self) -> Iterator[str]:
        for name, metric in self.catalogue.items():
            if metric.is_part:
                continue
            if name in self._by_metric or all(part in self._by_metric for part in self._ratios.get(name, (None,))):
                yield name

    def __contains__(self, key: object) -> bool:
        return any(key == name for name in self)

    def __getitem__(self, key: str | tuple[str, Mapping[str, int | str]]) -> Quantity:
        __tracebackhide__ = True  # a check that misspells a metric shows its own line, not ours
        if isinstance(key, str):
            if key not in self._known:
                self._known[key] = self._quantity(key, DataId())
            return self._known[key]
        name, data_id = key
        return self._quantity(name, DataId(**data_id))

    def by(self, name: str, *dimensions: str) -> Iterator[Quantity]:
        """Yield a metric for each value of some dimensions: ``by("dia.numSources", "visit", "detector")``.

        Raises
        ------
        harness.errors.UsageError
            When the metric or a dimension is unknown.
        """
        for dimension in dimensions:
            if dimension not in _DIMENSIONS:
                raise UsageError(f"unknown dimension {dimension!r}; choose from {', '.join(_DIMENSIONS)}")
        base = self._ratios.get(name, (name,))[0]
        columns = self._by_metric.get(base, _EMPTY)
        values = sorted({tuple(row) for row in zip(*(columns[each].tolist() for each in dimensions), strict=True)})
        for value in values:
            yield self[name, dict(zip(dimensions, value, strict=True))]

    @property
    def amplifiers(self) -> list[DataId]:
        """The amplifiers that anything was measured of, each by its detector (where that has a number) and name."""
        found = {
            place
            for rows in self._by_metric.values()
            for place in zip(rows["detector"].tolist(), rows["amplifier"].tolist(), strict=True)
            if place[1]
        }
        return [
            DataId(amplifier=name) if detector == WHOLE_RERUN else DataId(detector=detector, amplifier=name)
            for detector, name in sorted(found)
        ]

    def _quantity(self, name: str, data_id: DataId) -> Quantity:
        __tracebackhide__ = True
        try:
            metric = self.catalogue[name]
        except KeyError:
            from difflib import get_close_matches

            near = get_close_matches(name, self.catalogue, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(f"there is no metric {name!r}{hint}") from None
        uncertainty = samples = None
        if name in self._ratios:
            units, numerator, denominator, detail = self._ratio(*self._ratios[name], data_id)
        else:
            rows = _select(self._by_metric.get(name, _EMPTY), data_id)
            units, (numerator, denominator) = _by_unit(rows["unit"], rows["numerator"], rows["denominator"])
            if metric.reduce == "max":
                numerator = _largest_by_unit(rows["unit"], rows["numerator"])
                rows = _telling_of_the_largest(rows)
            uncertainty = _stated_uncertainty(rows, denominator if metric.reduce == "ratio" else None)
            samples = _samples(rows)
            between = BETWEEN if metric.per == "amplifier" else "; "
            detail = _detail(rows, name in self._by_metric, data_id, between)
            if metric.reduce != "ratio":
                denominator = None
        inputs = digest = ""
        if self.manifest is None:
            detail = f"{self.rerun} has not been measured; run rerun-harness measure"
        else:
            inputs = self.manifest.inputs
            digest = "" if name in OF_OTHER_TABLES else self.manifest.rows
        return Quantity(
            metric,
            self.rerun,
            units,
            numerator,
            denominator,
            inputs,
            data_id,
            detail=detail,
            uncertainty=uncertainty,
            rows=digest if metric.per == "visit" else "",
            samples=samples,
        )

    def _ratio(self, over: str, under: str, data_id: DataId) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
        """Join two metrics on the data IDs both have: a ratio of sums over different data IDs means nothing."""
        above, below = (_select(self._by_metric.get(part, _EMPTY), data_id) for part in (over, under))
        keys = [rows["unit"] * 4096 + rows["detector"] for rows in (above, below)]
        is_split = all(rows["unit"].size and rows["unit"][0] != WHOLE_RERUN for rows in (above, below))
        apart = f"{over} and {under} have no data ID in common"
        if is_split and not np.array_equal(*keys):
            both = np.intersect1d(*keys)
            if not both.size:
                return np.empty(0, np.int64), np.empty(0), np.empty(0), apart
            above, below = (
                {column: values[np.isin(key, both)] for column, values in rows.items()}
                for key, rows in zip(keys, (above, below), strict=True)
            )
        details = [_detail(rows, part in self._by_metric, data_id) for rows, part in ((above, over), (below, under))]
        units, (numerator,) = _by_unit(above["unit"], above["numerator"])
        others, (denominator,) = _by_unit(below["unit"], below["numerator"])
        if not np.array_equal(units, others):
            units, numerator, denominator = np.empty(0, np.int64), np.empty(0), np.empty(0)
            details.append(apart)
        return units, numerator, denominator, next(filter(None, details), "")


_EMPTY: dict[str, np.ndarray] = {
    "instrument": np.empty(0, object),
    "visit": np.empty(0, np.int64),
    "detector": np.empty(0, np.int64),
    "amplifier": np.empty(0, object),
    "coadd": np.empty(0, object),
    "unit": np.empty(0, np.int64),
    "band": np.empty(0, object),
    "numerator": np.empty(0),
    "denominator": np.empty(0),
    "uncertainty": np.empty(0),
    "sample": np.empty(0, object),
    "detail": np.empty(0, object),
}


def _split_by_metric(rows: pa.Table, catalogue: Mapping[str, Metric]) -> dict[str, dict[str, np.ndarray]]:
    """Turn the rows into numpy columns per metric, once, so that every later look-up is a slice."""
    import pyarrow.compute as pc

    encoded = rows["metric"].combine_chunks().dictionary_encode()
    names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(names) + 1))
    columns: dict[str, np.ndarray] = {}
    for name in ("visit", "detector"):
        columns[name] = pc.fill_null(rows[name].cast("int64"), WHOLE_RERUN).to_numpy()[order]
    for name in ("instrument", "amplifier", "coadd", "band", "sample", "detail"):
        columns[name] = pc.fill_null(rows[name], "").to_numpy()[order]
    for name in ("numerator", "denominator", "uncertainty"):
        columns[name] = rows[name].to_numpy()[order]
    split = {
        name: {column: values[bounds[i] : bounds[i + 1]] for column, values in columns.items()}
        for i, name in enumerate(names)
    }
    for name, own in split.items():
        metric = catalogue.get(name)  # a store may hold metrics of another version of the harness
        own["unit"] = _units(own, metric.per if metric is not None else "visit")
    return split


def _units(columns: Mapping[str, np.ndarray], per: str) -> np.ndarray:
    """Return numbers of units, alike in every rerun: a visit by its own number, an amplifier or coadd by its name."""
    if per == "coadd":
        return coadd_units(columns["coadd"])
    units = columns["visit"].copy()
    at = np.flatnonzero((columns["amplifier"] != "") & (units == WHOLE_RERUN))
    units[at] = amplifier_units(columns["detector"][at], columns["amplifier"][at])
    return units


def _select(rows: dict[str, np.ndarray], data_id: DataId) -> dict[str, np.ndarray]:
    if not data_id:
        return rows
    chosen = np.ones(rows["visit"].size, bool)
    for dimension, value in data_id.items():
        if dimension not in _DIMENSIONS:
            raise UsageError(f"unknown dimension {dimension!r}; choose from {', '.join(_DIMENSIONS)}")
        chosen &= rows[dimension] == value
    return {column: values[chosen] for column, values in rows.items()}


def _by_unit(unit: np.ndarray, *columns: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Sum columns over the rows of each independent unit."""
    units, index = np.unique(unit, return_inverse=True)
    return units, [np.bincount(index, weights=column, minlength=units.size) for column in columns]


def _largest_by_unit(unit: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the largest over the rows of each independent unit; NaN where one of them is."""
    order = np.lexsort((column, unit))  # NaN is sorted last
    return np.asarray(column[order][np.flatnonzero(np.diff(unit[order], append=WHOLE_RERUN - 1))])


def _telling_of_the_largest(rows: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep what is said of the largest alone, and of what has no number."""
    numerator = rows["numerator"]
    known = np.isfinite(numerator)
    largest = numerator == np.max(numerator, where=known, initial=-np.inf)
    return {**rows, "detail": np.where(largest | ~known, rows["detail"], "")}


def _stated_uncertainty(rows: dict[str, np.ndarray], denominator: np.ndarray | None) -> np.ndarray | None:
    """Combine what the rows of each unit state of their own uncertainty; None when they state nothing."""
    if not rows["unit"].size or np.isnan(rows["uncertainty"]).all():
        return None
    if denominator is None:
        _, (variance,) = _by_unit(rows["unit"], rows["uncertainty"] ** 2)
        return np.asarray(np.sqrt(variance))
    _, (variance,) = _by_unit(rows["unit"], (rows["uncertainty"] * rows["denominator"]) ** 2)
    error = np.full(denominator.shape, np.nan)
    np.divide(np.sqrt(variance), denominator, out=error, where=denominator != 0)
    return error


def _samples(rows: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return what was observed of each unit; None when the rows do not say."""
    if not (rows["sample"] != "").any():
        return None
    _, first = np.unique(rows["unit"], return_index=True)
    return np.asarray(rows["sample"][first])


def _detail(rows: Mapping[str, Any], measured: bool, data_id: DataId, between: str = "; ") -> str:
    """Return what the rows say beside their numbers: why one could not be measured, or which columns are meant."""
    if not measured:
        return "not measured: no task of this rerun gives it"
    if not rows["unit"].size:
        return f"not measured for {data_id}" if data_id else "no rows"
    said = rows["detail"] != ""
    broken = said & ~np.isfinite(rows["numerator"])
    if broken.any():
        first = int(np.flatnonzero(broken)[0])
        where = _place(rows, first)
        more = f", and {int(broken.sum()) - 1} more like it" if broken.sum() > 1 else ""
        return f"{rows['detail'][first]}{where}{more}"
    return between.join(dict.fromkeys(part for detail in rows["detail"][said] for part in detail.split(between)))


def _place(rows: Mapping[str, Any], at: int) -> str:
    """Say what a row is for, in parentheses; nothing when it is for the whole rerun."""
    if rows["visit"][at] != WHOLE_RERUN:
        return f" (visit {rows['visit'][at]})"
    if rows["coadd"][at]:
        return f" ({rows['coadd'][at]})"
    detector, amplifier = rows["detector"][at], rows["amplifier"][at]
    names = [f"detector {detector}"] if detector != WHOLE_RERUN else []
    names += [f"amplifier {amplifier}"] if amplifier else []
    return f" ({', '.join(names)})" if names else ""
