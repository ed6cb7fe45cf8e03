"""DIA sources of each side, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.metrics.rows import rows_schema
from harness.metrics.template.dia_sources import DiaSources, dia_source_rows


def drawn(rng: np.random.Generator, n: int = 500) -> DiaSources:
    """Return sources of both signs in 3 visits and 2 detectors, out of order."""
    error = rng.uniform(50, 150, n)
    return DiaSources(
        rng.integers(100, 103, n), rng.integers(0, 2, n), rng.normal(100, 600, n), error, rng.random(n) < 0.2
    )


def values(table) -> dict[tuple[str, int, int], tuple[float, float | None]]:
    """Return numerator and denominator by metric and data ID; no two rows are of the same."""
    found = {
        (row["metric"], row["visit"], row["detector"]): (row["numerator"], row["denominator"])
        for row in table.to_pylist()
    }
    assert len(found) == table.num_rows
    return found


def test_numbers_are_those_of_a_table_grouped_by_data_id() -> None:
    """Counts, medians of both signs and the negative ones agree with pandas, for each side."""
    rng = np.random.default_rng(1)
    sources = {"good": drawn(rng), "deep": drawn(rng, 300)}
    table = dia_source_rows(sources, "LATISS", [], {100: "r"})
    assert table.schema == rows_schema()
    found = values(table)
    for side, own in sources.items():
        frame = pd.DataFrame({name: getattr(own, name) for name in DiaSources.__slots__})
        frame = frame[~frame["is_flagged"]]
        frame["snr"] = np.abs(frame["flux"]) / frame["error"]
        for (visit, detector), group in frame.groupby(["visit", "detector"]):
            at = int(visit), int(detector)
            assert found[f"difference.numSources.{side}", *at] == (len(group), None)
            assert found[f"difference.medianSnr.{side}", *at] == (pytest.approx(group["snr"].median()), 1)
            assert found[f"difference.medianFluxError.{side}", *at] == (pytest.approx(group["error"].median()), 1)
            assert found[f"difference.fracNegative.{side}", *at] == ((group["flux"] < 0).sum(), len(group))
    assert {row["band"] for row in table.to_pylist() if row["visit"] == 100} == {"r"}


def test_negative_sources_are_kept() -> None:
    """Half of the sources negative: the median significance is that of all, and half are counted as negative."""
    flux = np.array([100.0, -300.0, 500.0, -700.0])
    one = DiaSources(np.full(4, 7), np.zeros(4, int), flux, np.full(4, 100.0), np.zeros(4, bool))
    found = values(dia_source_rows({"": one}, "LATISS", []))
    assert found["difference.medianSnr", 7, 0] == (4.0, 1)
    assert found["difference.fracNegative", 7, 0] == (2, 4)


def test_a_data_id_without_sources_counts_none() -> None:
    """One that was searched, or whose sources are all flagged, has 0 sources, and no part in medians."""
    one = DiaSources(np.array([7]), np.array([0]), np.array([1.0]), np.array([1.0]), np.array([True]))
    found = values(dia_source_rows({"deep": one}, "LATISS", [(8, 1)]))
    for at in ((7, 0), (8, 1)):
        assert found["difference.numSources.deep", *at] == (0, None)
        for name in ("medianSnr", "medianFluxError", "fracNegative"):
            assert found[f"difference.{name}.deep", *at] == (0, 0)


@pytest.mark.parametrize(("flux", "error"), [(np.nan, 1.0), (1.0, np.nan), (1.0, 0.0), (np.inf, 1.0), (1.0, -2.0)])
def test_sources_without_flux_or_error_enter_no_median(flux: float, error: float) -> None:
    """They are counted as sources, and leave the medians to the others."""
    three = DiaSources(
        np.full(3, 7),
        np.zeros(3, int),
        np.array([10.0, flux, -20.0]),
        np.array([2.0, error, 2.0]),
        np.zeros(3, bool),
    )
    found = values(dia_source_rows({"": three}, "LATISS", []))
    assert found["difference.numSources", 7, 0] == (3, None)
    assert found["difference.medianSnr", 7, 0] == (7.5, 1)
    assert found["difference.fracNegative", 7, 0] == (1, 2)


def test_rows_do_not_depend_on_the_order_of_sources() -> None:
    """Shuffled sources give the same table."""
    rng = np.random.default_rng(2)
    sources = drawn(rng)
    shuffled = sources.over(rng.permutation(500))
    assert dia_source_rows({"": shuffled}, "X", []) == dia_source_rows({"": sources}, "X", [])


def test_no_sources_at_all_are_no_fault() -> None:
    """Empty columns give no rows; columns of unequal length are refused."""
    empty = DiaSources(*(np.empty(0, kind) for kind in (int, int, float, float, bool)))
    assert dia_source_rows({"good": empty}, "X", []).num_rows == 0
    with pytest.raises(ValueError, match="equally long"):
        DiaSources(np.empty(1, int), *(np.empty(0, kind) for kind in (int, float, float, bool)))
