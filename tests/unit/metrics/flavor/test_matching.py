"""Injections found among DIA sources: against brute force and astropy, at any density, with any catalogue."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from harness.errors import NotMeasuredError
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.frames import detectors_schema, injections_schema, sources_schema
from harness.metrics.flavor.matching import Frames, injection_frames, ladder_rows
from harness.metrics.flavor.stages import STAGES, Stage, stages_of
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

ARCSEC = 1 / 3600
ALL = (Stage(""),)


def detectors_of(*data_ids: tuple[int, int], size: tuple[float, float] | None = (2048.0, 4176.0)) -> pl.DataFrame:
    """Return what was processed, in band g."""
    width, height = size or (None, None)
    return pl.DataFrame(
        [(visit, detector, "g", 0.02, width, height) for visit, detector in data_ids],
        schema=detectors_schema(),
        orient="row",
    )


def sources_of(ra: Any, dec: Any, visit: Any = 1, detector: Any = 1, **columns: Any) -> pa.Table:
    """Return DIA sources numbered from 101."""
    n = len(ra)
    return pa.table(
        {
            "diaSourceId": np.arange(101, 101 + n),
            "visit": np.broadcast_to(np.asarray(visit, np.int64), n),
            "detector": np.broadcast_to(np.asarray(detector, np.int32), n),
            "ra": np.asarray(ra, float),
            "dec": np.asarray(dec, float),
            **columns,
        }
    )


def injections_of(ra: Any, dec: Any, visit: Any = 1, detector: Any = 1, **columns: Any) -> pa.Table:
    """Return a catalogue numbered from 1."""
    n = len(ra)
    return pa.table(
        {
            "injectionId": np.arange(1, n + 1),
            "visit": np.broadcast_to(np.asarray(visit, np.int64), n),
            "detector": np.broadcast_to(np.asarray(detector, np.int32), n),
            "ra": np.asarray(ra, float),
            "dec": np.asarray(dec, float),
            **columns,
        }
    )


def matched(injections: pa.Table, sources: pa.Table, detectors: pl.DataFrame | None = None, **more: Any) -> Frames:
    """Make the frames with what is not given left out."""
    more = {"stages": ALL, "regions": None, "known": None, "stars": None} | more
    stages = more.pop("stages")
    return injection_frames(
        injections, sources, detectors_of((1, 1)) if detectors is None else detectors, stages, Settings(), **more
    )


def counts(frames: Frames, detectors: pl.DataFrame) -> dict[str, float]:
    """Return the sums of the ladder's rows, by metric without its prefix."""
    rows = pl.DataFrame(pl.from_arrow(ladder_rows(frames, detectors, "HSC")))
    sums = rows.group_by("metric").agg(pl.col("numerator").sum())
    return {name.removeprefix("injected."): value for name, value in sums.iter_rows()}


# Steps of a quarter of the radius around two places on two detectors: clumps, ties and repeated positions.
sky = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 2)), max_size=40)


def on_sky(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return right ascension (across the wrap), declination and detector."""
    east, north, detector = np.array(rows, float).reshape(-1, 3).T
    return (359.9999 + east * 0.125 * ARCSEC) % 360, 1 + north * 0.125 * ARCSEC, detector.astype(np.int32)


@examples(max_examples=150, deadline=None)
@given(injected=sky, found=sky)
def test_no_source_is_ever_two_injections(injected, found):
    """In any clump each source is at most one injection's, near enough, on its detector, and nobody else's nearest."""
    ra, dec, detector = on_sky(injected)
    source_ra, source_dec, source_detector = on_sky(found)
    detectors = detectors_of((1, 1), (1, 2))
    frames = matched(
        injections_of(ra, dec, detector=detector),
        sources_of(source_ra, source_dec, detector=source_detector),
        detectors,
    )
    pairs = frames.injections.filter(pl.col("diaSourceId") != 0)
    assert pairs["diaSourceId"].is_unique().all()
    assert frames.injections.height == len(injected)

    # Distances in steps, exactly: 0.5 arcsec are four of them.
    one, two = (np.array(rows, int).reshape(-1, 3) for rows in (injected, found))
    squared = ((one[:, None, :2] - two[None, :, :2]) ** 2).sum(axis=2).astype(float)
    squared[one[:, None, 2] != two[None, :, 2]] = np.inf
    for number, source in pairs.select("injectionId", "diaSourceId").iter_rows():
        i, j = number - 1, source - 101
        assert squared[i, j] <= 16
        assert squared[i, j] == squared[i].min() == squared[:, j].min()
    # Whatever is left could only pair with what is nearer to something else.
    lost = np.setdiff1d(np.arange(len(one)), pairs["injectionId"].to_numpy() - 1)
    free = np.setdiff1d(np.arange(len(two)), pairs["diaSourceId"].to_numpy() - 101)
    for i in lost:
        for j in free:
            is_mutual = squared[i, j] < np.delete(squared[i], j).min(initial=np.inf) and squared[i, j] < np.delete(
                squared[:, j], i
            ).min(initial=np.inf)
            assert not (is_mutual and squared[i, j] < 16)


def test_pairs_are_those_of_astropy():
    """A crowd of several injections per square arcsec is matched as by SkyCoord, both ways, keeping what is mutual."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(256)
    n = 1500
    ra, dec = rng.uniform(150, 150 + 15 * ARCSEC, n), rng.uniform(2, 2 + 15 * ARCSEC, n)
    detector = rng.integers(1, 3, n)
    source_ra, source_dec = ra + rng.normal(0, 0.1 * ARCSEC, n), dec + rng.normal(0, 0.1 * ARCSEC, n)
    keep = rng.random(n) < 0.8
    source_ra, source_dec, source_detector = source_ra[keep], source_dec[keep], detector[keep]
    frames = matched(
        injections_of(ra, dec, detector=detector),
        sources_of(source_ra, source_dec, detector=source_detector),
        detectors_of((1, 1), (1, 2)),
    )
    expected = np.zeros(n, np.int64)
    separation = np.full(n, np.nan)
    for number in (1, 2):
        mine, theirs = np.flatnonzero(detector == number), np.flatnonzero(source_detector == number)
        one = SkyCoord(ra[mine], dec[mine], unit="deg")
        two = SkyCoord(source_ra[theirs], source_dec[theirs], unit="deg")
        there, apart, _ = one.match_to_catalog_sky(two)
        back, _, _ = two.match_to_catalog_sky(one)
        is_mutual = (back[there] == np.arange(len(mine))) & (apart <= 0.5 * u.arcsec)
        expected[mine[is_mutual]] = 101 + theirs[there[is_mutual]]
        separation[mine[is_mutual]] = apart.arcsec[is_mutual]
    frame = frames.injections.sort("injectionId")
    assert 500 < np.count_nonzero(expected) < 1200
    np.testing.assert_array_equal(frame["diaSourceId"], expected)
    np.testing.assert_allclose(frame["separation"], separation, atol=1e-8)
    assert set(frames.sources.filter(kind="injected")["diaSourceId"]) == set(expected) - {0}


def test_offsets_are_those_of_astropy():
    """Measured less true position, east and north, in mas, is what astropy's offsets are; across the wrap as well."""
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(1)
    n = 50
    ra, dec = rng.uniform(-0.1 * ARCSEC, 0.1 * ARCSEC, n) % 360, rng.uniform(-60, 60, n)
    moved = (ra + rng.normal(0, 0.1 * ARCSEC, n)) % 360, dec + rng.normal(0, 0.1 * ARCSEC, n)
    frame = matched(injections_of(ra, dec), sources_of(*moved), detectors_of((1, 1), size=None)).injections
    true, measured = SkyCoord(ra, dec, unit="deg"), SkyCoord(*moved, unit="deg")
    east, north = true.spherical_offsets_to(measured)
    np.testing.assert_allclose(frame["offsetRa"], east.mas, atol=1e-3)
    np.testing.assert_allclose(frame["offsetDec"], north.mas, atol=1e-3)
    np.testing.assert_allclose(frame["separation"], true.separation(measured).arcsec, atol=1e-8)


def test_frames_have_their_schemas():
    """All frames have the columns and types that every metric relies on, filled or empty."""
    for n in (0, 3):
        ra, dec = np.full(n, 10.0), np.arange(n) / 100
        frames = matched(injections_of(ra, dec), sources_of(ra, dec))
        assert frames.injections.schema == injections_schema()
        assert frames.sources.schema == sources_schema()
        assert frames.injections.height == frames.sources.height == n


def test_what_was_measured_of_a_source_goes_to_its_injection():
    """Flux, error, position, object and flags of the matched source are the injection's; a missed one has none."""
    sources = sources_of(
        [10.0, 10.1],
        [1.0, 1.1],
        psfFlux=[55.0, 66.0],
        psfFluxErr=[5.0, 6.0],
        diaObjectId=pa.array([7, None]),
        x=[100.0, 200.0],
        y=[30.0, 40.0],
        pixelFlags_bad=[True, False],
        pixelFlags_suspect=[False, False],
        pixelFlags_saturatedCenter=[False, False],
    )
    frames = matched(
        injections_of([10.1, 10.0, 10.2], [1.1, 1.0, 1.2]), sources, stages=stages_of(sources.column_names)
    )
    columns = ("diaSourceId", "diaObjectId", "sourceFlux", "sourceFluxErr", "sourceRa", "good_S3", "good_S6")
    first, second, missed = frames.injections.select(columns).rows()
    assert first == (102, 0, 66.0, 6.0, 10.1, True, False)  # without the flags of S6 nothing is left by it
    assert second == (101, 7, 55.0, 5.0, 10.0, False, False)
    assert missed[:2] == (0, 0)
    assert all(math.isnan(value) for value in missed[2:5])
    assert missed[5:] == (False, False)
    assert frames.sources["snr"].to_list() == [11.0, 11.0]
    assert frames.sources["margin"].to_list() == [30.5, 40.5]
    assert frames.sources["isNegative"].to_list() == [False, False]


def test_negative_sources_stay_negative():
    """The sign of a flux is kept, and stands for ``isNegative`` where no column says it."""
    plain = sources_of([10.0, 10.1], [1.0, 1.0], psfFlux=[-50.0, 50.0], psfFluxErr=[5.0, 0.0])
    frame = matched(injections_of([], []), plain).sources
    assert frame["isNegative"].to_list() == [True, False]
    assert frame["snr"][0] == -10
    assert math.isnan(frame["snr"][1])
    told = plain.append_column("isNegative", pa.array([None, True]))
    assert matched(injections_of([], []), told).sources["isNegative"].to_list() == [True, True]


def test_nothing_injected_is_no_row_and_no_error():
    """An empty catalogue gives empty frames and zeros, whatever columns it lacks."""
    sources = sources_of([10.0], [1.0])
    for catalogue in (injections_of([], []), pa.table({"ra": pa.array([], "float64"), "dec": pa.array([], "float64")})):
        frames = matched(catalogue, sources)
        assert frames.injections.is_empty()
        assert frames.sources["kind"].to_list() == ["unmatched"]
        assert set(counts(frames, detectors_of((1, 1))).values()) == {0}


def test_no_sources_is_all_missed():
    """Injections on a detector where nothing was found are missed ones: 0 of n, and never left out."""
    detectors = detectors_of((1, 1), (1, 2))
    injections = injections_of([10.0, 10.1, 10.2], [1.0, 1.0, 1.0], detector=[1, 2, 2])
    for sources in (sources_of([10.0], [1.0]), sources_of([], [])):
        frames = matched(injections, sources, detectors)
        assert frames.injections.filter(detector=2)["diaSourceId"].to_list() == [0, 0]
        rows = ladder_rows(frames, detectors, "HSC").to_pylist()
        assert [row["numerator"] for row in rows if row["metric"] == "injected.numDetectors"] == [1, 1]


def test_all_found():
    """Injections that are all there are all found, and none of the sources is anything else."""
    rng = np.random.default_rng(4)
    ra, dec = rng.uniform(10, 10.2, 300), rng.uniform(1, 1.2, 300)
    frames = matched(injections_of(ra, dec), sources_of(ra, dec))
    assert (frames.injections["diaSourceId"] == frames.injections["injectionId"] + 100).all()
    assert (frames.sources["kind"] == "injected").all()
    assert not frames.sources["nearInjection"].any()


def test_sources_of_several_partitions_count_once():
    """A source that is listed twice is one."""
    once = sources_of([10.0, 10.1], [1.0, 1.0])
    assert matched(injections_of([10.0], [1.0]), pa.concat_tables([once, once])).sources.height == 2


def test_near_an_injection():
    """Sources within 3 arcsec of an injection of their detector, found or not, are near it; the matched one is not."""
    north = np.array([0.0, 2.9, 3.1, 100.0, 102.9]) * ARCSEC
    injections = injections_of([10.0, 10.0], [1.0, 1.0 + 100 * ARCSEC], detector=[1, 2])
    detectors = detectors_of((1, 1), (1, 2))
    frames = matched(injections, sources_of([10.0] * 5, 1 + north, detector=[1, 1, 1, 1, 2]), detectors)
    assert frames.sources["nearInjection"].to_list() == [False, True, False, False, True]


def test_ladder_and_frames_have_every_row_of_the_catalogue():
    """Counted, outside, repeated and without position: together these are all rows; what repeats or is lost is told."""
    detectors = detectors_of((1, 1), (2, 1))
    catalogue = injections_of(
        [10.0, 10.0, np.nan, 10.1, 10.2, 10.3, 10.3 + 0.2 * ARCSEC, 10.4, np.inf],
        [1.0, 1.0, 1.0, 95.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        visit=[1, 1, 1, 1, 1, 2, 2, 3, 3],
        x=[5.0, 5.0, 5.0, 5.0, -0.6, -0.5, 2047.5, 5.0, 5.0],
        y=[9.0] * 9,
    ).set_column(0, "injectionId", pa.array([1, 1, 2, 3, 4, 5, 6, 7, 8]))
    frames = matched(catalogue, sources_of([], []), detectors)
    assert frames.injections["injectionId"].to_list() == [1, 5, 6]
    np.testing.assert_allclose(frames.injections["margin"], [5.5, 0, 0], atol=1e-12)
    assert frames.ladder.sort("visit", nulls_last=True).rows() == [
        (1, 1, 1, 1, 0, 2),
        (2, 1, 0, 0, 2, 0),
        (None, None, 1, 0, 0, 1),
    ]
    assert counts(frames, detectors) == {
        "numDetectors": 2,
        "numOutside": 2,
        "numWithoutFlux": 3,
        "numWithoutSnr": 3,
        "numDuplicates": 1,
        "numCoincident": 2,
        "numNonFinitePositions": 3,
    }
    left_out = sum(counts(frames, detectors)[name] for name in ("numOutside", "numDuplicates", "numNonFinitePositions"))
    assert frames.injections.height + left_out == catalogue.num_rows


def test_ladder_rows_are_those_of_the_catalogue():
    """All metrics of the two groups, a row for every detector, and one of the whole rerun only where it has a count."""
    detectors = detectors_of((1, 1), (2, 1))
    table = ladder_rows(matched(injections_of([10.0], [1.0], visit=9), sources_of([], []), detectors), detectors, "HSC")
    assert table.schema == rows_schema()
    metrics = flavor_catalogue(Settings()).values()
    expected = {metric.name for metric in metrics if metric.group in ("injected_ladder", "injected_sanity")}
    assert set(table["metric"].to_pylist()) == expected
    rows = table.to_pylist()
    assert len(rows) == 2 * len(expected) + 1
    (nowhere,) = (row for row in rows if row["visit"] is None)
    assert (nowhere["metric"], nowhere["numerator"]) == ("injected.numOutside", 1)


def test_the_second_of_two_flavors_has_the_same_numbers():
    """Without ``injectionId`` the position is the number, so that flavors pair whatever the order of the rows."""
    rng = np.random.default_rng(2)
    ra, dec = np.append(rng.uniform(0, 0.2, 200), [0.0, 360.0 - 1e-9]), np.append(rng.uniform(-1, 1, 200), [0.5, 0.5])
    table = injections_of(ra, dec).drop_columns("injectionId")
    shuffled = table.take(rng.permutation(table.num_rows))
    one, two = (matched(each, sources_of([], []), detectors_of((1, 1), size=None)) for each in (table, shuffled))
    assert one.injections.height == 201  # the last two are one position
    assert set(one.injections["injectionId"]) == set(two.injections["injectionId"])
    both = one.injections.join(two.injections, on="injectionId")
    np.testing.assert_allclose(both["ra"] % 360, both["ra_right"] % 360, atol=2e-9)


def test_sources_that_cannot_be_counted_are_refused():
    """A source without number, or of no processed detector, is an error that names what to check."""
    injections = injections_of([10.0], [1.0])
    with pytest.raises(NotMeasuredError, match=r"1 DIA sources are on no visit .* visit 5, detector 1\); check"):
        matched(injections, sources_of([10.0], [1.0], visit=5))
    nameless = sources_of([10.0], [1.0]).set_column(0, "diaSourceId", pa.array([None], pa.int64()))
    with pytest.raises(NotMeasuredError, match="1 DIA sources have no diaSourceId"):
        matched(injections, nameless)
    with pytest.raises(NotMeasuredError, match="the DIA sources have no detector"):
        matched(injections, sources_of([10.0], [1.0]).drop_columns("detector"))


def test_stages_that_are_not_asked_for_leave_nothing():
    """A stage that is not given has its column all the same, False throughout."""
    frames = matched(injections_of([10.0], [1.0]), sources_of([10.0], [1.0]))
    for stage in STAGES[1:]:
        assert not frames.sources[f"good_{stage}"].any()
        assert not frames.injections[f"good_{stage}"].any()
