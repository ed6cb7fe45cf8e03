"""Rows of counts, shares and curves: the numbers by hand, and what is said where there are none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.curves import curves_table, fitted_curves
from harness.metrics.flavor.efficiency import Curve, curve_change, fit_curve
from harness.metrics.flavor.efficiency_rows import curve_change_rows, curve_rows, efficiency_rows
from harness.metrics.flavor.frames import detectors_schema, injections_schema
from harness.metrics.flavor.stages import STAGES, Stage
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = {"injected_count", "injected_efficiency"}
BANDS = ("g", "r")
ALL_STAGES = tuple(Stage(name) for name in STAGES)


def injections_of(rows: list[dict[str, object]]) -> pl.DataFrame:
    """Return a frame of injections, whose other columns are unknown."""
    schema = injections_schema()
    unknown = {
        name: math.nan if dtype == pl.Float64 else False if dtype == pl.Boolean else 0 for name, dtype in schema.items()
    }
    known = {"visit": 1, "detector": 1, "band": "r", "nearStar": None}
    return pl.DataFrame([{**unknown, **known, "injectionId": number, **row} for number, row in enumerate(rows)], schema)


def detectors_of(*keys: tuple[int, int]) -> pl.DataFrame:
    """Return a frame of detectors."""
    rows = [{"visit": visit, "detector": detector, "band": "r"} for visit, detector in keys]
    return pl.DataFrame(rows, detectors_schema())


def all_rows(
    injections: pl.DataFrame, detectors: pl.DataFrame, stages: Sequence[Stage], settings: Settings, instrument: str
) -> pa.Table:
    """Return the rows of both groups."""
    curves = fitted_curves(injections, stages)
    counted = efficiency_rows(injections, detectors, stages, settings, instrument)
    return pa.concat_tables([counted, curve_rows(curves, instrument)])


def survey(seed: int = 1, shift: float = 0.0) -> pl.DataFrame:
    """Return injections in g and r in 6 visits, of which the flags take every fifth away."""
    rng = np.random.default_rng(seed)
    visits, n = 6, 900
    mag = rng.uniform(20, 26, n)
    snr = 5 * 10 ** (0.4 * (24 - mag))
    found = rng.random(n) < 0.95 / (1 + np.exp(-1.7 * (snr - 5 - shift)))
    rows = [
        {
            "visit": i % visits,
            "band": "gr"[i % 2],
            "mag": mag[i],
            "snr": snr[i],
            "diaSourceId": int(found[i]) * (i + 1),
            "margin": 10.0,
            "nearStar": i % 3 == 0,
            **{f"good_{stage}": bool(found[i]) and i % 5 > 0 for stage in STAGES if stage},
        }
        for i in range(n)
    ]
    return injections_of(rows)


def survey_detectors() -> pl.DataFrame:
    """Return the detectors of the survey."""
    return detectors_of(*((visit, 1) for visit in range(6)))


def numbers(table, metric: str) -> list[tuple[float, float | None]]:
    """Return numerators and denominators of a metric, in order of visit and detector."""
    rows = pl.from_arrow(table).filter(pl.col("metric") == metric).sort("visit", "detector")
    return list(rows.select("numerator", "denominator").iter_rows())


def test_all_metrics_of_the_groups_are_given_and_no_others() -> None:
    """Names are those of the catalogue; magnitudes at 50 % those of the bands that have injections."""
    table = all_rows(survey(), survey_detectors(), ALL_STAGES, Settings(), "HSC")
    assert table.schema == rows_schema()
    given = set(table["metric"].to_pylist())
    wanted = {metric.name for metric in flavor_catalogue(Settings()).values() if metric.group in GROUPS}
    assert given <= wanted
    left_out = {name for name in wanted - given if name.split(".")[:2] == ["injected", "mag50"]}
    assert wanted - given == left_out
    assert {name.split(".")[2] for name in left_out} == {"u", "i", "z", "y"}
    assert set(table["instrument"].to_pylist()) == {"HSC"}


def test_changes_of_curves_are_metrics_of_the_catalogue() -> None:
    """One for signal-to-noise and one for each band with injections, at each stage."""
    pairs = _paired(survey(), survey(2))
    given = set(curve_change_rows(pairs, BANDS, ALL_STAGES, "HSC")["metric"].to_pylist())
    assert given <= set(flavor_catalogue(Settings()))
    assert given == {
        stage.of(name)
        for stage in ALL_STAGES
        for name in ("flavor.snr50Change", "flavor.mag50Change.g", "flavor.mag50Change.r")
    }


def test_counts_and_shares_by_hand() -> None:
    """A detector where nothing was found is 0 of n, and one without injections 0 of 0."""
    good = {"good_S6": True}
    injections = injections_of(
        [
            {"diaSourceId": 11, "snr": 3.0, "mag": 22.0, "margin": 39.9, **good},
            {"diaSourceId": 12, "snr": 2.9, "mag": 21.9, "margin": 40.0},
            {"diaSourceId": 0, "snr": 10.0, "mag": 24.0, "margin": 0.0},
            {"diaSourceId": 14, "snr": math.nan, "mag": math.nan, **good},
            {"visit": 2, "diaSourceId": 0, "snr": 20.0, "mag": 26.0, "margin": 1.0},
        ]
    )
    detectors = detectors_of((2, 1), (1, 1), (1, 7))
    table = all_rows(injections, detectors, (Stage(""), Stage("S6")), Settings(edge_width=40), "HSC")
    expected: dict[str, list[tuple[float, float | None]]] = {
        "injected.numInjections": [(4, None), (0, None), (1, None)],
        "injected.numMatched": [(3, None), (0, None), (0, None)],
        "injected.numMatched.S6": [(2, None), (0, None), (0, None)],
        "injected.efficiency": [(3, 4), (0, 0), (0, 1)],
        "injected.efficiency.S6": [(2, 4), (0, 0), (0, 1)],
        "injected.survival.S6": [(2, 3), (0, 0), (0, 0)],
        "injected.efficiencySnr.0to3": [(1, 1), (0, 0), (0, 0)],
        "injected.efficiencySnr.3to6": [(1, 1), (0, 0), (0, 0)],
        "injected.efficiencySnr.8to10": [(0, 0), (0, 0), (0, 0)],
        "injected.efficiencySnr.10to20": [(0, 1), (0, 0), (0, 0)],
        "injected.efficiencySnr.6toInf": [(0, 1), (0, 0), (0, 1)],
        "injected.efficiencyMag.20to22": [(1, 1), (0, 0), (0, 0)],
        "injected.efficiencyMag.22to24": [(1, 1), (0, 0), (0, 0)],
        "injected.efficiencyMag.24to26": [(0, 1), (0, 0), (0, 0)],
        "injected.efficiencyAtEdge": [(1, 2), (0, 0), (0, 1)],
    }
    assert {metric: numbers(table, metric) for metric in expected} == expected
    bands = pl.from_arrow(table).filter(pl.col("visit").is_not_null())["band"]
    assert bands.unique().to_list() == ["r"]


def test_near_stars_are_those_that_a_catalogue_says() -> None:
    """Null is not near; where all are null, one row says that there is no catalogue."""
    rows = [{"diaSourceId": 1, "nearStar": True}, {"nearStar": False}, {"nearStar": None}, {"nearStar": True}]
    table = all_rows(injections_of(rows), detectors_of((1, 1)), (Stage(""),), Settings(), "")
    assert numbers(table, "injected.efficiencyNearStars") == [(1, 2)]
    without = all_rows(injections_of([{}, {}]), detectors_of((1, 1)), (Stage(""),), Settings(), "")
    (row,) = [row for row in without.to_pylist() if row["metric"] == "injected.efficiencyNearStars"]
    assert math.isnan(row["numerator"])
    assert row["visit"] is None
    assert row["detail"] == "no catalogue of stars says which injections are near a bright one"


def test_a_stage_without_flags_says_so_for_every_metric() -> None:
    """Each metric of the stage has one row of the whole rerun, without a number."""
    stages = (Stage(""), Stage("A5", "flag list A5 needs nodata"))
    table = all_rows(survey(), survey_detectors(), stages, Settings(), "HSC")
    rows = [row for row in table.to_pylist() if row["metric"].endswith(".A5")]
    assert {row["metric"] for row in rows} == {
        f"injected.{name}.A5"
        for name in ("numMatched", "efficiency", "survival", "snr50", "snrCeiling", "mag50.g", "mag50.r")
    }
    assert len(rows) == 7
    changes = curve_change_rows(_paired(survey(), survey()), BANDS, stages, "HSC").to_pylist()
    rows += [row for row in changes if row["metric"].endswith(".A5")]
    assert len(rows) == 10
    for row in rows:
        assert math.isnan(row["numerator"])
        assert (row["visit"], row["detail"]) == (None, "flag list A5 needs nodata")


@pytest.mark.parametrize(("stage", "column"), [("", None), ("S3", "good_S3")])
def test_curves_are_those_of_the_stage(stage: str, column: str | None) -> None:
    """Rows state the curve of injections that were found and left by the flags, and its limits in words."""
    injections = survey()
    table = all_rows(injections, survey_detectors(), (Stage(stage),), Settings(), "HSC")
    rows = {row["metric"]: row for row in table.to_pylist()}
    found = (injections["diaSourceId"] > 0).to_numpy()
    if column:
        found = found & injections[column].to_numpy()
    curve = fit_curve(injections["snr"].to_numpy(), found, injections["visit"].to_numpy(), falling=False)
    assert isinstance(curve, Curve)
    snr50, ceiling = (rows[Stage(stage).of(f"injected.{name}")] for name in ("snr50", "snrCeiling"))
    assert (snr50["numerator"], snr50["denominator"]) == (curve.x50, 1.0)
    assert (snr50["uncertainty"], ceiling["uncertainty"]) == (curve.uncertainty_x50, curve.uncertainty_ceiling)
    assert ceiling["numerator"] == curve.ceiling
    limits = f"{curve.interval_x50.low:.4g} to {curve.interval_x50.high:.4g} at 99 %"
    assert snr50["detail"] == f"{limits}, of 900 injections in 6 visits"
    in_g = (injections["band"] == "g").to_numpy()
    of_g = fit_curve(
        injections["mag"].to_numpy()[in_g], found[in_g], injections["visit"].to_numpy()[in_g], falling=True
    )
    assert isinstance(of_g, Curve)
    row = rows[Stage(stage).of("injected.mag50.g")]
    assert (row["numerator"], row["uncertainty"]) == (of_g.x50, of_g.uncertainty_x50)
    assert row["detail"].endswith("of 450 injections in 3 visits")
    assert row["visit"] is None


def test_a_curve_that_cannot_be_fitted_has_its_reason() -> None:
    """All missed: neither the place nor the ceiling has a number."""
    injections = injections_of([{"snr": 4.0, "mag": 23.0}, {"snr": 9.0, "mag": 22.0}])
    table = all_rows(injections, detectors_of((1, 1)), (Stage(""),), Settings(), "HSC")
    rows = {row["metric"]: row for row in table.to_pylist() if row["visit"] is None}
    assert rows["injected.snr50"]["detail"] == "none of 2 injections was found, the brightest of which is at 9"
    assert rows["injected.snrCeiling"]["detail"] == rows["injected.snr50"]["detail"]
    assert rows["injected.mag50.r"]["detail"].endswith("at 22")
    assert math.isnan(rows["injected.snr50"]["numerator"])


def test_no_injections_at_all_is_no_crash() -> None:
    """Counts are 0, shares 0 of 0, curves have a reason, and no band has a magnitude."""
    nothing = injections_of([])
    table = all_rows(nothing, detectors_of((1, 1)), ALL_STAGES, Settings(), "HSC")
    assert numbers(table, "injected.numInjections") == [(0, None)]
    assert numbers(table, "injected.efficiencyNearStars") == [(0, 0)]
    rows = {row["metric"]: row for row in table.to_pylist()}
    assert rows["injected.snr50.S6"]["detail"] == "there is no injection whose brightness is known"
    assert rows["injected.efficiency.S6"]["detail"] == "there is no injection on a detector"
    assert rows["injected.survival.S6"]["detail"] == "there is no injection that was found"
    assert rows["injected.efficiencySnr.6toInf"]["detail"] == "there is no injection of signal-to-noise 6 to inf"
    assert rows["injected.efficiencyMag.20to22"]["detail"] == "there is no injection of magnitude 20 to 22"
    assert rows["injected.efficiencyAtEdge"]["detail"] == "there is no injection within 40 pixels of an edge"
    assert rows["injected.efficiencyNearStars"]["detail"] == "there is no injection near a bright star"
    assert not any(name.startswith("injected.mag50") for name in rows)
    changes = curve_change_rows(_paired(nothing, nothing), (), (Stage(""),), "HSC").to_pylist()
    assert [row["metric"] for row in changes] == ["flavor.snr50Change"]


def test_a_band_of_which_nothing_can_be_compared_is_told():
    """Without a common injection each band of the rerun has the reason, as everything else has."""
    nothing, why = injections_of([]), "the two reruns have no injection in common"
    rows = curve_change_rows(_paired(nothing, nothing), BANDS, (Stage("", why),), "HSC").to_pylist()
    assert {row["metric"]: row["detail"] for row in rows} == dict.fromkeys(
        ("flavor.snr50Change", "flavor.mag50Change.g", "flavor.mag50Change.r"), why
    )


def test_an_unbounded_curve_has_no_uncertainty() -> None:
    """Two injections give a place; its uncertainty is not infinite in the row, but unknown."""
    injections = injections_of([{"snr": 4.0}, {"snr": 6.0, "diaSourceId": 5}])
    rows = all_rows(injections, detectors_of((1, 1)), (Stage(""),), Settings(), "HSC").to_pylist()
    (row,) = [row for row in rows if row["metric"] == "injected.snr50"]
    assert row["numerator"] == 5.0
    assert math.isnan(row["uncertainty"])
    assert row["detail"] == "-inf to inf at 99 %, of 2 injections in 1 visit"


def _paired(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    key = ["visit", "detector", "injectionId"]
    return ours.join(theirs, on=key, suffix="_reference")


def test_changes_are_of_the_same_injections() -> None:
    """Against the reference's signal-to-noise, and against magnitude in each band, at the stage that is asked for."""
    ours, theirs = survey(1, shift=0.5), survey(1).with_columns(snr=pl.col("snr") * 1.1)
    pairs = _paired(ours, theirs)
    rows = {row["metric"]: row for row in curve_change_rows(pairs, BANDS, ALL_STAGES, "HSC").to_pylist()}
    visit = pairs["visit"].to_numpy()
    found, reference = ((pairs[f"good_S3{side}"]).to_numpy() for side in ("", "_reference"))
    change = curve_change(pairs["snr_reference"].to_numpy(), found, reference, visit, falling=False)
    row = rows["flavor.snr50Change.S3"]
    assert (row["numerator"], row["uncertainty"]) == change
    assert row["denominator"] == 1.0
    assert 0.1 < row["numerator"] < 1.0
    assert rows["flavor.mag50Change.g"]["numerator"] < 0
    in_g = (pairs["band"] == "g").to_numpy()
    all_found = [(pairs[f"diaSourceId{side}"] > 0).to_numpy()[in_g] for side in ("", "_reference")]
    change = curve_change(pairs["mag"].to_numpy()[in_g], *all_found, visit[in_g], falling=True)
    assert (rows["flavor.mag50Change.g"]["numerator"], rows["flavor.mag50Change.g"]["uncertainty"]) == change


def test_a_change_that_cannot_be_told_names_the_side() -> None:
    """A reference that found nothing has no curve."""
    nothing = survey().with_columns(diaSourceId=pl.lit(0, pl.Int64))
    rows = curve_change_rows(_paired(survey(), nothing), BANDS, (Stage(""),), "HSC").to_pylist()
    assert rows[0]["detail"].startswith("reference: none of 900 injections was found")
    assert math.isnan(rows[0]["numerator"])


def test_curves_are_kept_for_plots_where_there_are_any():
    """The table holds what was fitted with the ends of its intervals, and nothing in place of a reason."""
    curves = list(fitted_curves(survey(), (Stage(""), Stage("N7", "no reliability"))))
    assert [(fitted.x, fitted.band, fitted.stage.name) for fitted in curves] == [
        *(("snr", "", ""), ("mag", "g", ""), ("mag", "r", "")),
        *(("snr", "", "N7"), ("mag", "g", "N7"), ("mag", "r", "N7")),
    ]
    assert [fitted.curve for fitted in curves[3:]] == ["no reliability"] * 3
    rows = curves_table(curves).to_pylist()
    assert len(rows) == 3
    for row, fitted in zip(rows, curves, strict=False):
        curve = fitted.curve
        assert isinstance(curve, Curve)
        assert (row["x"], row["band"], row["x50"], row["slope"]) == (fitted.x, fitted.band, curve.x50, curve.slope)
        assert (row["x50Low"], row["x50High"]) == (curve.interval_x50.low, curve.interval_x50.high)
        assert (row["ceilingLow"], row["ceilingHigh"]) == (curve.interval_ceiling.low, curve.interval_ceiling.high)
    assert curves_table([]).num_rows == 0
