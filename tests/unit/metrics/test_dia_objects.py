"""DIA object counts, against a simulation that kept its own books, and against pandas and sphgeom."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from harness.errors import NotMeasuredError
from harness.metrics.catalogue import metric_catalogue
from harness.metrics.dia_objects import object_columns, object_rows, source_columns
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

SETTINGS = Settings(good_flags="S3")
FLAGS = SETTINGS.flag_set.flags


class Survey:
    """A pipeline in miniature: visits in time order, objects loaded, matched, made, and counted as it goes.

    Parameters
    ----------
    centre
        Where on the sky (ra, dec) the visits point, in degrees.
    seed
        Seed of everything random.
    """

    def __init__(self, centre: tuple[float, float] = (150.0, 2.2), seed: int = 1, n_visits: int = 6) -> None:
        from lsst.sphgeom import ConvexPolygon, LonLat, UnitVector3d

        rng = np.random.default_rng(seed)
        self.truth: list[dict] = []
        sources, regions = [], []
        objects: dict[int, dict] = {}
        stretch = 1 / np.cos(np.radians(centre[1]))
        visits = rng.permutation(np.arange(500, 500 + n_visits))  # the order in time is not that of the numbers
        for when, visit in enumerate(visits.tolist()):
            shift = rng.uniform(-0.1, 0.1, 2)
            known = dict(objects)
            for detector in (3, 7):  # they overlap, so that one sees where the other has just made objects
                x0 = centre[0] + (shift[0] + (detector - 5) * 0.04) * stretch
                y0 = centre[1] + shift[1]
                box = [(-0.09, -0.07), (0.09, -0.07), (0.09, 0.07), (-0.09, 0.07)]
                corners = [((x0 + dx * stretch) % 360, y0 + dy) for dx, dy in box]
                if detector == 7:
                    corners.reverse()
                polygon = ConvexPolygon([UnitVector3d(LonLat.fromDegrees(*corner)) for corner in corners])
                regions.append((visit, detector, "g", [value for corner in corners for value in corner]))
                inside = [
                    key
                    for key, each in known.items()
                    if polygon.contains(UnitVector3d(LonLat.fromDegrees(each["ra"], each["dec"])))
                ]
                met = [key for key in inside if rng.random() < 0.6]
                new = int(rng.integers(20, 60))
                loners = int(rng.integers(0, 4))
                places = [(objects[key]["ra"], objects[key]["dec"], key) for key in met]
                ra = (x0 + rng.uniform(-0.09, 0.09, new + loners) * stretch) % 360
                dec = y0 + rng.uniform(-0.07, 0.07, new + loners)
                places += [(a, d, -1 if i < new else 0) for i, (a, d) in enumerate(zip(ra, dec, strict=True))]
                for number, (a, d, key) in enumerate(places):
                    source_id = visit * 10**6 + detector * 10**4 + number
                    object_id = source_id if key == -1 else key
                    if key == -1:
                        objects[object_id] = {"ra": a, "dec": d, "n": 0}
                    if key != 0:
                        objects[object_id]["n"] += 1
                    flags = dict.fromkeys(FLAGS, False)
                    if rng.random() < 0.3:
                        flags[FLAGS[int(rng.integers(len(FLAGS)))]] = True
                    sources.append(
                        {
                            "diaSourceId": source_id,
                            "diaObjectId": object_id,
                            "visit": visit,
                            "detector": detector,
                            "band": "g",
                            "midpointMjdTai": 57000.0 + when,
                            "ra": a,
                            "dec": d,
                            **flags,
                        }
                    )
                self.truth.append(
                    {
                        "visit": visit,
                        "detector": detector,
                        "numNewDiaObjects": new,
                        "numUpdatedDiaObjects": len(met),
                        "numUnassociatedDiaObjects": len(inside) - len(met),
                        "numRepeatSources": len(met),
                        "numUnassociatedSources": loners,
                    }
                )
        self.sources = pd.DataFrame(sources)
        self.objects = pd.DataFrame(
            {"diaObjectId": list(objects), "nDiaSources": [each["n"] for each in objects.values()]}
        )
        columns = {"visit": pa.int64(), "detector": pa.int32(), "band": pa.string(), "corners": pa.list_(pa.float64())}
        self.regions = pa.table(
            {name: pa.array([row[i] for row in regions], kind) for i, (name, kind) in enumerate(columns.items())}
        )

    def rows(self, **changes) -> pd.DataFrame:
        """Return the metric rows, with some of the input replaced."""
        given = {"sources": self.sources, "objects": self.objects, "regions": self.regions, **changes}
        for name in ("sources", "objects"):
            if isinstance(given[name], pd.DataFrame):
                given[name] = pa.Table.from_pandas(given[name], preserve_index=False)
        rows = object_rows(settings=SETTINGS, instrument="DECam", **given)
        assert rows.schema == rows_schema()
        frame = rows.to_pandas()
        frame["metric"] = frame["metric"].str.removeprefix("dia.")
        assert not frame.duplicated(["metric", "visit", "detector"]).any()
        return frame


def by_detector(rows: pd.DataFrame, column: str = "numerator") -> pd.DataFrame:
    """Return metrics as columns, by visit and detector."""
    rows = rows[rows["visit"].notna()]
    return rows.pivot_table(index=["visit", "detector"], columns="metric", values=column, dropna=False)


def whole(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the whole rerun, by metric."""
    return rows[rows["visit"].isna()].set_index("metric")


@pytest.mark.parametrize(
    "centre", [(150.0, 2.2), (0.0, -4.0), (77.0, -75.0), (10.0, 89.0)], ids=["field", "wrap", "far south", "near pole"]
)
def test_counts_are_those_that_the_pipeline_kept_as_it_ran(centre):
    """Objects made, met again and missed are recovered from the tables alone, wherever on the sky."""
    survey = Survey(centre)
    truth = pd.DataFrame(survey.truth).set_index(["visit", "detector"]).sort_index()
    shuffled = survey.sources.sample(frac=1, random_state=2)
    counted = by_detector(survey.rows(sources=shuffled))
    assert truth["numUnassociatedDiaObjects"].sum() > 50
    assert truth["numUnassociatedSources"].sum() > 0
    pd.testing.assert_frame_equal(
        counted[list(truth)], truth, check_dtype=False, check_names=False, check_index_type=False
    )


def test_good_and_single_objects_equal_a_count_in_pandas():
    """Both definitions of a good object, and single-source objects, by a plain group-by of the whole table."""
    survey = Survey(seed=4)
    sources = survey.sources.assign(good=~survey.sources[list(FLAGS)].any(axis=1)).query("diaObjectId != 0")
    of_object = sources.groupby("diaObjectId")["good"]
    share = 1 / of_object.transform("size")
    sources = sources.assign(
        objects=share,
        any=share * of_object.transform("any"),
        all=share * of_object.transform("all"),
        single=share == 1,
    )
    expected = sources.groupby(["visit", "detector"])[["objects", "any", "all", "single"]].sum()
    rows = survey.rows()
    counted = by_detector(rows)
    assert 0 < expected["all"].sum() < expected["any"].sum() < len(survey.objects)
    for name, column in (
        ("numObjects", "objects"),
        ("numGoodObjectsAny", "any"),
        ("numGoodObjectsAll", "all"),
        ("numSingleSourceObjects", "single"),
    ):
        np.testing.assert_allclose(counted[name], expected[column], rtol=1e-6, err_msg=name)
        # Shares add up to whole objects, without a trace of rounding.
        assert counted[name].sum() == round(expected[column].sum())


def test_ratios_are_sums_over_sums():
    """Numerators and denominators add up to the ratio of the whole rerun."""
    survey = Survey(seed=5)
    rows = survey.rows()
    above, below = by_detector(rows).sum(), by_detector(rows, "denominator").sum()
    n = len(survey.objects)
    assert above["numSourcesPerObject"] / below["numSourcesPerObject"] == pytest.approx(
        survey.objects["nDiaSources"].mean()
    )
    assert above["fracSingleSourceObjects"] / below["fracSingleSourceObjects"] == pytest.approx(
        (survey.objects["nDiaSources"] == 1).sum() / n
    )
    assert above["fracUpdatedDiaObjects"] == above["numUpdatedDiaObjects"]
    assert below["fracUpdatedDiaObjects"] == above["numUpdatedDiaObjects"] + above["numUnassociatedDiaObjects"]


def test_sources_are_new_repeated_or_without_an_object():
    """The three kinds of source add up: extra detections alone cannot make more objects than their own number."""
    survey = Survey(seed=6)
    total = by_detector(survey.rows()).sum()
    kinds = total["numNewDiaObjects"] + total["numRepeatSources"] + total["numUnassociatedSources"]
    assert kinds == len(survey.sources)
    assert total["numObjects"] == len(survey.objects)


def test_balanced_books_show_no_defect():
    """Tables that belong together have no orphan, empty or miscounted object."""
    survey = Survey(seed=7)
    books = whole(survey.rows())
    assert not books.loc[["numOrphanSources", "numEmptyObjects", "numMiscountedObjects"], "numerator"].any()
    single = (survey.objects["nDiaSources"] == 1).sum()
    assert books.loc["totalUnassociatedDiaObjects", "numerator"] == single


def test_each_planted_defect_is_found_by_its_own_number():
    """A dropped object row, an object without sources, and a wrong count are told apart."""
    survey = Survey(seed=8)
    objects = survey.objects.copy()
    dropped, miscounted = objects.index[objects["nDiaSources"] == 3][0], objects.index[10]
    objects.loc[miscounted, "nDiaSources"] += 2
    objects = objects.drop(index=dropped)
    empty = pd.DataFrame({"diaObjectId": [1, 2], "nDiaSources": [1, 5]})
    books = whole(survey.rows(objects=pd.concat([objects, empty])))["numerator"]
    assert books["numOrphanSources"] == 3
    assert books["numEmptyObjects"] == 2
    assert books["numMiscountedObjects"] == 1


def test_swapped_object_ids_unbalance_the_books():
    """Two sources that swap their objects' ids leave every net count as it was, but not the books."""
    survey = Survey(seed=9)
    sources = survey.sources.copy()
    repeated = survey.objects.query("nDiaSources == 3")["diaObjectId"].iloc[0]
    once = survey.objects.query("nDiaSources == 1")["diaObjectId"].iloc[0]
    place = sources.index[sources["diaObjectId"] == repeated][-1]
    sources.loc[place, "diaObjectId"] = once
    books = whole(survey.rows(sources=sources))["numerator"]
    assert books["numMiscountedObjects"] == 2


def test_only_current_versions_count_and_repeated_exports_once():
    """A closed version is no object of its own, and an object in several exports has its latest count of sources."""
    survey = Survey(seed=10)
    now = survey.objects.assign(validityEndMjdTai=np.nan)
    earlier = now.assign(nDiaSources=1)
    closed = now.assign(nDiaSources=1, validityEndMjdTai=57003.0)
    withdrawn = pd.DataFrame({"diaObjectId": [1], "nDiaSources": [1], "validityEndMjdTai": [57003.0]})
    expected = whole(survey.rows())["numerator"]
    got = whole(survey.rows(objects=pd.concat([earlier, closed, now, withdrawn])))["numerator"]
    pd.testing.assert_series_equal(got, expected)


def test_no_object_table_is_not_a_balanced_book():
    """Without an object table its numbers are NaN and say why; what the sources tell is still counted."""
    rows = Survey(seed=11).rows(objects=None)
    books = whole(rows).drop(["numVisits", "numCatalogs"])
    assert len(books) == 4
    assert books["numerator"].isna().all()
    assert set(books["detail"]) == {"this rerun has no DIA object table"}
    assert by_detector(rows)["numObjects"].sum() > 0


@pytest.mark.parametrize("how", ["no regions", "no corners", "other visits"])
def test_missed_objects_need_the_detectors_corners(how):
    """Without corners the objects a detector missed are NaN, never 0, and so is the fraction formed of them."""
    survey = Survey(seed=12)
    nothing = pa.nulls(survey.regions.num_rows, pa.list_(pa.float64()))
    regions = {
        "no regions": None,
        "no corners": survey.regions.set_column(3, "corners", nothing),
        "other visits": survey.regions.slice(0, 0),
    }[how]
    rows = survey.rows(regions=regions).query("metric in ['numUnassociatedDiaObjects', 'fracUpdatedDiaObjects']")
    assert len(rows) == 24
    assert rows["numerator"].isna().all()
    assert set(rows["detail"]) == {"the corners of the detector are not known"}


def test_missing_flags_leave_good_objects_unmeasured():
    """A flag that the table does not have is "not available", not "nothing flagged"."""
    survey = Survey(seed=13)
    rows = survey.rows(sources=survey.sources.drop(columns="pixelFlags_bad"))
    good = rows[rows["metric"].str.startswith("numGoodObjects")]
    assert good["numerator"].isna().all()
    assert good["detail"].str.contains("pixelFlags_bad").all()
    assert by_detector(rows)["numObjects"].sum() == len(survey.objects)


def test_repeated_rows_and_null_ids_change_nothing():
    """Exports that repeat sources, and null instead of 0 for no object, give the same rows."""
    survey = Survey(seed=14)
    repeated = pd.concat([survey.sources, survey.sources.iloc[::3]])
    repeated["diaObjectId"] = repeated["diaObjectId"].astype("Int64").replace(0, pd.NA)
    pd.testing.assert_frame_equal(survey.rows(sources=repeated), survey.rows())


def test_sources_need_no_identifiers():
    """A published table without source ids gives the same rows: without repeated rows they decide nothing."""
    survey = Survey(seed=14)
    anonymous = survey.sources.drop(columns="diaSourceId")
    pd.testing.assert_frame_equal(survey.rows(sources=anonymous), survey.rows())


def test_time_decides_which_source_is_first():
    """Objects belong to the visit that is first in time, whatever its number; without times, to the lowest number."""
    survey = Survey(seed=15)
    first = survey.sources.sort_values("midpointMjdTai")["visit"].iloc[0]
    lowest = survey.sources["visit"].min()
    assert first != lowest
    again = by_detector(survey.rows())["numUpdatedDiaObjects"].groupby("visit").sum()
    assert again[first] == 0
    assert again[lowest] > 0
    timeless = by_detector(survey.rows(sources=survey.sources.assign(midpointMjdTai=math.nan)))
    assert timeless["numUpdatedDiaObjects"].groupby("visit").sum()[lowest] == 0


def test_a_detector_without_sources_is_counted_when_it_is_expected():
    """A data ID with a dataset but no source made nothing and missed everything it looked at."""
    survey = Survey(seed=16)
    last = survey.sources.sort_values("midpointMjdTai")["visit"].iloc[-1]
    gone = (survey.sources["visit"] == last) & (survey.sources["detector"] == 3)
    truth = pd.DataFrame(survey.truth).set_index(["visit", "detector"]).loc[(last, 3)]
    rows = survey.rows(sources=survey.sources[~gone], expected=[(last, 3), (999, 3)])
    counted = by_detector(rows)
    missed = truth["numUpdatedDiaObjects"] + truth["numUnassociatedDiaObjects"]
    assert counted.loc[(last, 3), "numObjects"] == 0
    assert counted.loc[(last, 3), "numUnassociatedDiaObjects"] == missed
    assert rows.query("visit == @last and detector == 3")["band"].unique().tolist() == ["g"]
    assert math.isnan(counted.loc[(999, 3), "numUnassociatedDiaObjects"])
    with_regions = survey.rows(sources=survey.sources[survey.sources["visit"] != last], expected=[(last, 3)]).query(
        "visit == @last and metric == 'numUnassociatedDiaObjects'"
    )
    assert with_regions["detail"].item() == "no source tells the time of the visit"


def test_no_source_at_all_is_counted_where_it_is_expected():
    """An empty source table gives zeros for the data IDs that have a dataset, and balanced books for no objects."""
    survey = Survey(seed=17)
    rows = survey.rows(sources=survey.sources.iloc[:0], objects=survey.objects.iloc[:0], expected=[(500, 3)])
    assert by_detector(rows).loc[(500, 3), "numObjects"] == 0
    assert (whole(rows)["numerator"].drop(["numVisits", "numCatalogs"]) == 0).all()


def test_a_source_without_a_visit_is_refused():
    """A row that no visit claims is an error that says so."""
    survey = Survey(seed=18)
    sources = survey.sources.astype({"visit": "Int64"})
    sources.loc[3, "visit"] = pd.NA
    with pytest.raises(NotMeasuredError, match="1 DIA sources have no visit or no detector"):
        survey.rows(sources=sources)


def test_columns_to_read_are_those_there_are():
    """Source ids, flags, band and validity are read where a table has them, the rest is always asked for."""
    assert source_columns(("band", "ra", "pixelFlags_bad"), SETTINGS)[-2:] == ("band", "pixelFlags_bad")
    assert "diaSourceId" in source_columns(("diaSourceId",), SETTINGS)
    assert object_columns(("diaObjectId", "nDiaSources", "validityEndMjdTai"))[-1] == "validityEndMjdTai"
    assert object_columns(("diaObjectId",)) == ("diaObjectId", "nDiaSources")


def test_ratios_have_a_denominator_and_counts_have_none():
    """Rows fit the definitions: a denominator exactly where the metric is a ratio."""
    catalogue = metric_catalogue(SETTINGS)
    rows = Survey(seed=19).rows()
    has_denominator = rows.groupby("metric")["denominator"].apply(lambda column: column.notna().all())
    for name, has in has_denominator.items():
        metric = catalogue.get(f"dia.{name}")
        if metric is not None:
            assert has == (metric.reduce == "ratio"), name


def test_visits_and_catalogues_are_counted_with_those_that_are_empty():
    """A visit without sources is covered; a visit without a catalogue is not."""
    survey = Survey(seed=8)
    there = survey.sources[["visit", "detector"]].drop_duplicates()
    visit = int(there["visit"].max()) + 1
    counted = whole(survey.rows(expected=[(visit, 3), (visit, 4), tuple(there.iloc[0])]))["numerator"]
    assert counted["numVisits"] == there["visit"].nunique() + 1
    assert counted["numCatalogs"] == len(there) + 2
