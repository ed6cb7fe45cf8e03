"""Stored rows become quantities: by metric, by data ID, joined where a ratio needs two of them."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from harness.errors import UsageError
from harness.judge.quantity import WHOLE_RERUN
from harness.measure.measurements import Measurements
from harness.measure.store import Manifest
from harness.metrics.rows import rows_schema
from harness.model import Metric

CATALOGUE = {
    metric.name: metric
    for metric in (
        Metric("x.numAll", "ct", "All.", "x_count"),
        Metric("x.numGood", "ct", "Good ones.", "x_count"),
        Metric("x.fracGood", "", "Good ones of all.", "x_ratio", "ratio"),
        Metric("x.area", "deg2", "Area.", "x_parts"),
        Metric("x.seeing", "arcsec", "Mean seeing.", "x_mean", "ratio"),
        Metric("x.numMissing", "ct", "Nothing gives it.", "x_count"),
        Metric("x.sharper", "", "Sharper than the template.", "x_coadd", "ratio", per="coadd"),
        Metric("x.largest", "pix", "Largest excess.", "x_mean", "max", census=True),
    )
}
MANIFEST = Manifest("new", "/repo", "dia", {}, (), "inputs", "content", "0.1.0")
RATIOS = {"x.fracGood": ("x.numGood", "x.numAll")}


def _row(metric, numerator, *, visit=1, detector=1, band="g", **rest):
    return {
        "metric": metric,
        "instrument": "DECam",
        "visit": visit,
        "detector": detector,
        "band": band,
        "numerator": numerator,
        **rest,
    }


def _measurements(*rows):
    return Measurements("new", MANIFEST, pa.Table.from_pylist(list(rows), schema=rows_schema()), CATALOGUE, RATIOS)


@pytest.fixture
def some():
    """Two visits with two detectors each."""
    counts = {(1, 1): (10, 4), (1, 2): (20, 5), (2, 1): (30, 6), (2, 2): (40, 7)}
    rows = []
    for (visit, detector), (total, good) in counts.items():
        place = {"visit": visit, "detector": detector, "band": "gr"[visit - 1]}
        rows += [_row("x.numAll", total, **place), _row("x.numGood", good, **place)]
    return _measurements(*rows)


def test_visits_are_the_units(some):
    """Rows of one visit are added up."""
    quantity = some["x.numAll"]
    assert quantity.units.tolist() == [1, 2]
    assert quantity.numerator.tolist() == [30, 70]
    assert quantity.value == 100


def test_ratio_is_one_of_sums(some):
    """Numerators over denominators of all data IDs, not the mean of their ratios."""
    assert some["x.fracGood"].value == 22 / 100


@pytest.mark.parametrize(
    ("data_id", "value"),
    [({"visit": 1}, 30), ({"visit": 2, "detector": 1}, 30), ({"band": "r"}, 70), ({"instrument": "DECam"}, 100)],
)
def test_data_id_selects(some, data_id, value):
    """A second index narrows it down by any dimension."""
    quantity = some["x.numAll", data_id]
    assert quantity.value == value
    assert dict(quantity.data_id) == data_id


def test_by_yields_each_value_once(some):
    """Split by dimensions, every combination that is there comes once, in order."""
    split = {tuple(each.data_id.values()): each.value for each in some.by("x.numAll", "detector", "visit")}
    assert list(split.items()) == [((1, 1), 10), ((1, 2), 30), ((2, 1), 20), ((2, 2), 40)]
    assert [each.value for each in some.by("x.fracGood", "visit")] == [9 / 30, 13 / 70]


def test_parts_are_of_no_interest_by_themselves(some):
    """Iterating gives what was measured, ratios included; parts and absent metrics are left out."""
    assert list(some) == ["x.numAll", "x.numGood", "x.fracGood"]
    assert "x.fracGood" in some
    assert "x.area" not in _measurements(_row("x.area", 3.0))


def test_ratio_joins_on_data_ids_both_have():
    """Sums over different data IDs would be no ratio: what only one side has is left out."""
    measured = _measurements(
        _row("x.numAll", 10, detector=1),
        _row("x.numAll", 1000, detector=2),
        _row("x.numGood", 5, detector=1),
        _row("x.numGood", 7, visit=2),
    )
    quantity = measured["x.fracGood"]
    assert quantity.units.tolist() == [1]
    assert quantity.value == 0.5


def test_ratio_of_nothing_in_common_says_so():
    """Two metrics of different visits have no ratio, and the reason names both."""
    quantity = _measurements(_row("x.numAll", 10), _row("x.numGood", 5, visit=2))["x.fracGood"]
    assert math.isnan(quantity.value)
    assert quantity.why_unmeasured == "x.numGood and x.numAll have no data ID in common"


def test_number_of_the_whole_rerun_has_no_visit():
    """A row without a visit is the rerun's own."""
    quantity = _measurements(_row("x.numAll", 7, visit=None, detector=None))["x.numAll"]
    assert quantity.inputs == "inputs"
    assert quantity.units.tolist() == [WHOLE_RERUN]
    assert quantity.is_whole


def test_stated_uncertainties_add_in_quadrature():
    """Rows that state their own uncertainty give a visit the root of the sum of their squares."""
    measured = _measurements(
        _row("x.seeing", 2.0, denominator=2.0, uncertainty=0.3),
        _row("x.seeing", 4.0, denominator=2.0, detector=2, uncertainty=0.4),
    )
    quantity = measured["x.seeing"]
    assert quantity.value == 1.5
    assert quantity.uncertainty == pytest.approx([math.hypot(2 * 0.3, 2 * 0.4) / 4])


def test_no_uncertainty_is_stated():
    """Where no row states one, none is made up."""
    assert _measurements(_row("x.numAll", 1))["x.numAll"].uncertainty is None


def test_reason_of_a_nan_is_told():
    """A number that could not be formed carries its reason, its visit and how many more there are."""
    rows = [_row("x.numAll", math.nan, visit=visit, detail="no such column") for visit in (3, 4, 5)]
    quantity = _measurements(*rows, _row("x.numAll", 1))["x.numAll"]
    assert math.isnan(quantity.value)
    assert quantity.detail == "no such column (visit 3), and 2 more like it"


def test_coadds_are_units_where_visits_share_them():
    """Visits that were compared with one coadd are one unit, whichever rerun and whichever order they come in."""
    rows = [
        _row("x.sharper", numerator, visit=visit, coadd=coadd, denominator=1)
        for visit, coadd, numerator in ((1, "455/33 r", 1), (2, "455/33 r", 0), (3, "8188/65 r", 1))
    ]
    quantity = _measurements(*rows)["x.sharper"]
    assert (quantity.n_units, quantity.value) == (2, pytest.approx(2 / 3))
    assert list(_measurements(*rows[::-1])["x.sharper"].units) == list(quantity.units)
    assert _measurements(*rows)["x.sharper", {"coadd": "455/33 r"}].value == 0.5


def test_largest_is_no_sum():
    """What reduces to its largest value does so within a visit and over visits; one that is missing leaves none."""
    rows = [_row("x.largest", value, visit=visit) for visit, value in ((1, 2.0), (1, 5.0), (2, -3.0))]
    assert list(_measurements(*rows)["x.largest"].numerator) == [5, -3]
    assert _measurements(*rows)["x.largest"].value == 5
    assert math.isnan(_measurements(*rows, _row("x.largest", math.nan, visit=3))["x.largest"].value)


def test_largest_tells_of_itself_alone():
    """The place of a smaller one would be taken for its own; what could not be measured has the word."""
    rows = [_row("x.largest", value, visit=value, detail=f"at visit {value}") for value in (3, 9, 5)]
    assert _measurements(*rows)["x.largest"].detail == "at visit 9"
    broken = _row("x.largest", math.nan, visit=4, detail="it is truncated")
    assert _measurements(*rows, broken)["x.largest"].why_unmeasured == "it is truncated (visit 4)"
    assert _measurements(broken)["x.largest"].why_unmeasured == "it is truncated (visit 4)"


def test_rerun_without_manifest_is_not_measured(some):
    """Without a manifest nothing counts as measured, whatever rows there are."""
    empty = Measurements("new", None, rows_schema().empty_table(), CATALOGUE, RATIOS)
    assert empty["x.numAll"].why_unmeasured == "new has not been measured; run rerun-harness measure"
    assert list(empty) == []


def test_unknown_names_are_named(some):
    """A misspelt metric or dimension is told, with what comes near."""
    with pytest.raises(UsageError, match=r"there is no metric 'x\.numAl'; did you mean x\.numAll or"):
        some["x.numAl"]
    with pytest.raises(
        UsageError, match="unknown dimension 'tract'; choose from instrument, visit, detector, amplifier, coadd, band"
    ):
        some["x.numAll", {"tract": 1}]
    with pytest.raises(UsageError, match="unknown dimension 'tract'"):
        list(some.by("x.numAll", "tract"))
