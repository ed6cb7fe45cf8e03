"""Places of false positives, against simulations in which they have none, or a known one."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from scipy.stats import binom, kstest

from harness.judge.estimate import level
from harness.measure.measurements import Measurements
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.frames import detectors_schema, sources_schema
from harness.metrics.flavor.placement_rows import placement_rows, star_share
from harness.metrics.flavor.reach import ALIGNED, APART, ASIDE
from harness.metrics.flavor.stages import STAGES, Stage
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

SETTINGS = Settings()
CATALOGUE = flavor_catalogue(SETTINGS)
NAMES = tuple(name for name, metric in CATALOGUE.items() if metric.group == "flavor_placement")
WIDTH, HEIGHT, EDGE = 2048, 4096, SETTINGS.edge_width
ALL = Stage("")
ROW, COLUMN = "flavor.rowAlignment", "flavor.columnAlignment"


def detectors_of(n_visits: int = 1, n_detectors: int = 1, width: float | None = WIDTH) -> pl.DataFrame:
    """Return detectors of 2048 × 4096 pixels."""
    pairs = [(visit, detector) for visit in range(n_visits) for detector in range(n_detectors)]
    rows = [(visit, detector, "g", 0.026, width, float(HEIGHT)) for visit, detector in pairs]
    return pl.DataFrame(rows, detectors_schema(), orient="row")


def sources_at(x, y, at=0, detectors=None, **columns) -> pl.DataFrame:
    """Return unmatched sources at pixels of a 2048 × 4096 detector: the one in row ``at`` of the detectors."""
    detectors = detectors_of() if detectors is None else detectors
    x, y = np.asarray(x, float), np.asarray(y, float)
    at = np.broadcast_to(at, x.shape)
    given = {
        "diaSourceId": np.arange(1, x.size + 1),
        "visit": detectors["visit"].to_numpy()[at],
        "detector": detectors["detector"].to_numpy()[at],
        "x": x,
        "y": y,
        "margin": np.minimum(np.minimum(x + 0.5, WIDTH - 0.5 - x), np.minimum(y + 0.5, HEIGHT - 0.5 - y)),
        "kind": ["unmatched"] * x.size,
        "nearInjection": np.zeros(x.size, bool),
        **{f"good_{stage}": np.ones(x.size, bool) for stage in STAGES if stage},
        **columns,
    }
    series = [pl.Series(name, given.get(name, [None] * x.size), dtype) for name, dtype in sources_schema().items()]
    return pl.DataFrame(series)


def anywhere(rng, n: int):
    """Return n places (x, y) anywhere on a detector: pixels reach half a pixel around whole numbers."""
    return rng.uniform(-0.5, WIDTH - 0.5, n), rng.uniform(-0.5, HEIGHT - 0.5, n)


def measured(rows: pa.Table) -> Measurements:
    """Return rows as the judge sees them."""
    assert rows.schema == rows_schema()
    return Measurements("w", None, rows, CATALOGUE, {})


def values(rows: pa.Table) -> dict[str, float]:
    """Return the value of each metric over all rows."""
    numbers = measured(rows)
    return {name: numbers[name].value for name in numbers}


def one(rows: pa.Table, metric: str) -> tuple[float, float, str | None]:
    """Return numerator, denominator and detail of the only row of a metric."""
    (row,) = rows.filter(pa.compute.equal(rows["metric"], metric)).to_pylist()
    return row["numerator"], row["denominator"], row["detail"]


def brute_force(across, along, extent: float, half: float = 0.0) -> tuple[int, float]:
    """Return the pairs on one line and their expected number, from all pairs."""
    i, j = np.triu_indices(len(across), 1)
    far = np.abs(along[i] - along[j]) > APART
    off = np.abs(across[i] - across[j])[far]
    under = [2 * (t + half) / extent - ((t + half) / extent) ** 2 for t in (ALIGNED, *ASIDE)]
    return int((off <= ALIGNED).sum()), float(((off > ASIDE[0]) & (off <= ASIDE[1])).sum()) * under[0] / (
        under[2] - under[1]
    )


def test_all_metrics_of_the_group_are_given_at_all_stages():
    """There is at least one row of each placement metric, and of nothing else."""
    sources = sources_at(*anywhere(np.random.default_rng(1), 20))
    rows = placement_rows(sources, detectors_of(), [Stage(name) for name in STAGES], SETTINGS, "HSC")
    assert set(rows["metric"].to_pylist()) == set(NAMES)
    assert set(rows["instrument"].to_pylist()) == {"HSC"}


@pytest.mark.parametrize("whole", [False, True])
def test_pairs_are_those_of_a_brute_force_count(whole: bool):
    """Pairs on a line and pairs aside, row by row, are what every pair gives; whole numbers reach farther."""
    rng = np.random.default_rng(2)
    detectors = detectors_of(2, 3)
    at = rng.integers(0, 5, 3000)  # nothing on the last one
    x, y = anywhere(rng, at.size)
    x[:40], y[40:80] = 700.25, 900.75
    if whole:
        x, y = np.round(x), np.round(y)
    sources = sources_at(x, y, at, detectors)
    rows = placement_rows(sources.sample(fraction=1, shuffle=True, seed=3), detectors, [ALL], SETTINGS, "HSC")
    table = rows.to_pylist()
    inside = sources["margin"].to_numpy() >= EDGE
    for metric, across, along, size in ((ROW, y, x, HEIGHT), (COLUMN, x, y, WIDTH)):
        for place in range(6):
            own = inside & (at == place)
            found, expected = brute_force(across[own], along[own], size - 2 * EDGE, 0.5 if whole else 0.0)
            (row,) = (
                row
                for row in table
                if (row["metric"], row["visit"], row["detector"]) == (metric, place // 3, place % 3)
            )
            assert row["numerator"] == found
            assert row["denominator"] == pytest.approx(expected, rel=1e-12)
            assert (found > 0) == (place < 5)
            assert row["band"] == "g"


@pytest.mark.parametrize("whole", [False, True])
def test_sources_anywhere_have_no_place(whole: bool):
    """Of uniform sources, at whole pixels or between, each excess is 1 within its counting error."""
    rng = np.random.default_rng(4)
    detectors = detectors_of(10)
    at = np.repeat(np.arange(10), 4000)
    x, y = anywhere(rng, at.size)
    if whole:
        x, y = np.round(x), np.round(y)
    rows = placement_rows(sources_at(x, y, at, detectors), detectors, [ALL], SETTINGS, "HSC")
    assert set(rows["detail"].to_pylist()) == {None, "no catalogue of stars says where the bright ones are"}
    for metric in ("flavor.edgeExcess", ROW, COLUMN):
        quantity = measured(rows)[metric]
        error = 1 / math.sqrt(quantity.numerator.sum())
        assert error < 0.025
        assert quantity.value == pytest.approx(1, abs=4 * error)


def test_the_published_area_fraction_is_not_uniform_but_the_edge_excess_is_one():
    """DMTN-256's area fraction of uniform sources on 2048 × 4096 is far from uniform; by width and height it is not."""
    x, y = anywhere(np.random.default_rng(5), 20_000)
    u, v = np.abs(x - (WIDTH - 1) / 2), np.abs(y - (HEIGHT - 1) / 2)
    published = np.maximum(u, v) ** 2 / (WIDTH * HEIGHT)
    proper = np.maximum(u / (WIDTH / 2), v / (HEIGHT / 2)) ** 2
    assert kstest(published, "uniform").pvalue < 1e-300
    assert kstest(proper, "uniform").pvalue > 0.01
    found, expected, _ = one(placement_rows(sources_at(x, y), detectors_of(), [ALL], SETTINGS, ""), "flavor.edgeExcess")
    share = 1 - (WIDTH - 2 * EDGE) * (HEIGHT - 2 * EDGE) / (WIDTH * HEIGHT)
    assert expected == pytest.approx(x.size * share)
    assert 0.001 < binom.cdf(found, x.size, share) < 0.999


def test_an_excess_at_the_edge_is_what_was_put_there():
    """Sources near the edge, three times as dense as elsewhere, give the excess that follows from the areas."""
    rng = np.random.default_rng(6)
    x, y = anywhere(rng, 60_000)
    margin = sources_at(x, y)["margin"].to_numpy()
    kept = (margin < EDGE) | (rng.random(x.size) < 1 / 3)
    share = 1 - (WIDTH - 2 * EDGE) * (HEIGHT - 2 * EDGE) / (WIDTH * HEIGHT)
    rows = placement_rows(sources_at(x[kept], y[kept]), detectors_of(), [ALL], SETTINGS, "")
    assert values(rows)["flavor.edgeExcess"] == pytest.approx(1 / (share + (1 - share) / 3), rel=0.06)


def test_a_bad_row_is_an_alignment_of_rows_alone():
    """Ten of 300 sources on one row double the number of pairs there, and change nothing among columns."""
    rng = np.random.default_rng(7)
    detectors = detectors_of(20)
    at = np.repeat(np.arange(20), 300)
    x, y = anywhere(rng, at.size)
    before = values(placement_rows(sources_at(x, y, at, detectors), detectors, [ALL], SETTINGS, ""))
    y[np.arange(at.size) % 300 < 10] = 1234.5
    after = values(placement_rows(sources_at(x, y, at, detectors), detectors, [ALL], SETTINGS, ""))
    assert before[ROW] == pytest.approx(1, abs=0.25)
    assert after[ROW] > 2
    assert after[COLUMN] == pytest.approx(before[COLUMN], abs=0.1)
    assert after[COLUMN] != after[ROW]


def test_clusters_around_stars_are_no_alignment():
    """Sources in clusters of a star's size give 1, where pairs of all of them would be twice those of chance."""
    rng = np.random.default_rng(8)
    detectors = detectors_of(40)
    at = np.repeat(np.arange(40), 300)
    x, y = anywhere(rng, at.size)
    star_x, star_y = anywhere(rng, 40 * 10)
    star = at * 10 + rng.integers(0, 10, at.size)
    x = np.clip(star_x[star] + rng.normal(0, 6, at.size), 0, WIDTH - 1)
    y = np.clip(star_y[star] + rng.normal(0, 6, at.size), 0, HEIGHT - 1)
    mixed = np.arange(at.size) % 2 == 0
    x[mixed], y[mixed] = anywhere(rng, int(mixed.sum()))
    rows = placement_rows(sources_at(x, y, at, detectors), detectors, [ALL], SETTINGS, "")
    for metric in (ROW, COLUMN):
        assert 1 in level(measured(rows)[metric]).interval
        assert values(rows)[metric] == pytest.approx(1, abs=0.3)
    i, j = np.triu_indices(300, 1)
    close = sum(int((np.abs(y[at == k][i] - y[at == k][j]) <= ALIGNED).sum()) for k in range(40))
    assert close > 1.8 * measured(rows)[ROW].denominator.sum()


def test_a_gradient_of_density_is_hardly_an_alignment():
    """Sources that rise from none at one side to most at the other give 1 within 2 %, not the 4/3 of equal density."""
    rng = np.random.default_rng(9)
    detectors = detectors_of(4)
    at = np.repeat(np.arange(4), 20_000)
    x, y = (np.sqrt(rng.random(at.size)) * size - 0.5 for size in (WIDTH, HEIGHT))
    rows = placement_rows(sources_at(x, y, at, detectors), detectors, [ALL], SETTINGS, "")
    for metric in (ROW, COLUMN):
        assert values(rows)[metric] == pytest.approx(1, abs=0.02)


def test_only_what_nothing_explains_counts():
    """Sources that are injected, known, solar-system objects or near an injection are on no row of the placement."""
    rng = np.random.default_rng(10)
    x, y = anywhere(rng, 600)
    kind = np.array(["unmatched", "injected", "known", "solarSystem", "unmatched", "unmatched"])[np.arange(600) % 6]
    sources = sources_at(x, y, kind=kind.tolist(), nearInjection=np.arange(600) % 6 == 5, nearStar=[True] * 600)
    sources = sources.with_columns(x=pl.when(pl.int_range(600) % 6 == 1).then(math.nan).otherwise("x"))
    share = detectors_of().select("visit", "detector", share=pl.lit(0.25))
    rows = placement_rows(sources, detectors_of(), [ALL], SETTINGS, "", star_share=share)
    assert one(rows, "flavor.starExcess") == (200, 50, None)
    chosen = sources.filter((pl.int_range(600) % 6).is_in([0, 4]))
    again = placement_rows(chosen, detectors_of(), [ALL], SETTINGS, "", star_share=share)
    assert again.equals(rows)


def test_a_stage_counts_what_its_flags_leave():
    """A pair counts at a stage when its flags leave both sources; null is not left."""
    x, y = np.linspace(100, 1900, 7), np.full(7, 800.25)
    left = [True, True, True, False, None, True, False]
    rows = placement_rows(sources_at(x, y, good_S6=left), detectors_of(), [ALL, Stage("S6")], SETTINGS, "")
    assert one(rows, ROW)[0] == 21
    assert one(rows, f"{ROW}.S6")[0] == 6
    assert one(rows, "flavor.edgeExcess.S6")[1] == pytest.approx(one(rows, "flavor.edgeExcess")[1] * 4 / 7)


def test_a_stage_that_cannot_be_told_says_why():
    """Every metric of a stage without its flags has one row of the whole rerun, with the reason."""
    stages = [ALL, Stage("N7", "flag list N7 needs glint_trail, not in the table")]
    sources = sources_at(*anywhere(np.random.default_rng(11), 50))
    table = placement_rows(sources, detectors_of(3), stages, SETTINGS, "HSC").to_pylist()
    rows = [row for row in table if row["metric"].endswith(".N7")]
    assert sorted(row["metric"] for row in rows) == sorted(name for name in NAMES if name.endswith(".N7"))
    for row in rows:
        assert (row["visit"], row["detector"], row["band"]) == (None, None, None)
        assert math.isnan(row["numerator"])
        assert row["detail"] == "flag list N7 needs glint_trail, not in the table"


@pytest.mark.parametrize("n", [0, 1])
def test_a_detector_with_one_source_or_none_has_nothing_expected(n: int):
    """No source and a single one make no pair; the row is there, with 0 of 0."""
    rows = placement_rows(sources_at([500.0] * n, [900.0] * n), detectors_of(), [ALL], SETTINGS, "")
    for metric in (ROW, COLUMN):
        assert one(rows, metric) == (0, 0, None)
    assert one(rows, "flavor.edgeExcess")[0] == 0
    assert (one(rows, "flavor.edgeExcess")[1] > 0) == bool(n)
    assert math.isnan(values(rows)[ROW])


def test_no_detector_gives_no_row():
    """An empty frame of detectors gives an empty table, but for what is said of the whole rerun."""
    nothing = detectors_of().clear()
    share = pl.DataFrame(schema={"visit": pl.Int64, "detector": pl.Int32, "share": pl.Float64})
    rows = placement_rows(sources_at([], []), nothing, [ALL], SETTINGS, "", star_share=share)
    assert rows.num_rows == 0
    assert rows.schema == rows_schema()


@pytest.mark.parametrize("missing", [None, math.nan])
def test_an_unknown_size_is_said(missing: float | None):
    """A detector of unknown width has no numbers, whatever its sources are."""
    rng = np.random.default_rng(12)
    sources = sources_at(*anywhere(rng, 30), margin=[math.nan] * 30)
    rows = placement_rows(sources, detectors_of(width=missing), [ALL], SETTINGS, "")
    for metric in ("flavor.edgeExcess", ROW, COLUMN):
        numerator, _, detail = one(rows, metric)
        assert math.isnan(numerator)
        assert detail == "the detector's size in pixels is not known"
        assert math.isnan(values(rows)[metric])


@pytest.mark.parametrize(("x", "y"), [(math.nan, 5.0), (700.0, math.nan), (None, None)])
def test_a_source_without_pixels_is_said_where_it_counts(x: float | None, y: float | None):
    """A source without x or y leaves its detector without numbers, at the stages that leave the source."""
    rng = np.random.default_rng(13)
    detectors = detectors_of(2)
    at = np.arange(40) % 2
    sources = sources_at(*anywhere(rng, 40), at, detectors, good_S6=[False] * 2 + [True] * 38)
    first = pl.int_range(40) == 0
    sources = sources.with_columns(
        x=pl.when(first).then(pl.lit(x, pl.Float64)).otherwise("x"),
        y=pl.when(first).then(pl.lit(y, pl.Float64)).otherwise("y"),
        margin=pl.when(first).then(math.nan).otherwise("margin"),
    )
    table = placement_rows(sources, detectors, [ALL, Stage("S6")], SETTINGS, "").to_pylist()
    for row in table:
        if row["visit"] is not None:
            is_unknown = row["visit"] == 0 and not row["metric"].endswith(".S6")
            assert math.isnan(row["numerator"]) == is_unknown
            assert row["detail"] == ("a source has no pixel position (x, y)" if is_unknown else None)


def test_an_edge_as_wide_as_the_detector_leaves_no_room():
    """With all of the detector near its edge the excess is 1 and there is no row to look along."""
    sources = sources_at(*anywhere(np.random.default_rng(14), 30))
    rows = placement_rows(sources, detectors_of(), [ALL], Settings(edge_width=3000.0), "")
    assert one(rows, "flavor.edgeExcess") == (30, 30, None)
    for metric in (ROW, COLUMN):
        assert math.isnan(one(rows, metric)[0])
        assert one(rows, metric)[2] == "the detector has no room away from its edge"


def test_without_stars_their_excess_is_not_measured():
    """Without a catalogue of stars one row of the whole rerun says so."""
    sources = sources_at(*anywhere(np.random.default_rng(15), 30))
    rows = placement_rows(sources, detectors_of(2), [ALL], SETTINGS, "")
    assert measured(rows)["flavor.starExcess"].is_whole
    assert one(rows, "flavor.starExcess")[2] == "no catalogue of stars says where the bright ones are"


CENTRES = [(150.0, 2.0), (359.98, -30.0), (20.0, 89.95)]


def sky_of(centre: tuple[float, float], n: int = 1) -> tuple[pl.DataFrame, pa.Table]:
    """Return detectors of 410 × 820 arcsec around a place on the sky, alike, and their regions."""
    from astropy.coordinates import SkyCoord
    from astropy.units import arcsec

    middle = SkyCoord(*centre, unit="deg")
    box = np.array([(-205, -410), (205, -410), (205, 410), (-205, 410)]) * arcsec
    corners = middle.spherical_offsets_by(box[:, 0], box[:, 1])
    flat = np.column_stack([corners.ra.deg, corners.dec.deg]).ravel().tolist()
    detectors = detectors_of(n)
    regions = pa.table(
        {"visit": detectors["visit"].to_arrow(), "detector": detectors["detector"].to_arrow(), "corners": [flat] * n}
    )
    return detectors, regions


def stars_around(centre: tuple[float, float], offsets, mag) -> pa.Table:
    """Return stars at offsets (arcsec) from a place on the sky."""
    from astropy.coordinates import SkyCoord
    from astropy.units import arcsec

    places = SkyCoord(*centre, unit="deg").spherical_offsets_by(*(np.asarray(offsets, float).T * arcsec))
    return pa.table(
        {"ra": places.ra.deg, "dec": places.dec.deg, "mag": np.broadcast_to(mag, len(places)).astype(float)}
    )


@pytest.mark.parametrize("centre", CENTRES)
def test_the_share_near_single_stars_is_the_area_of_their_discs(centre: tuple[float, float]):
    """Stars apart from each other cover their discs, those at a corner a quarter, faint ones and far ones nothing."""
    detectors, regions = sky_of(centre)
    offsets = [(i * 50.3, j * 51.7) for i in (-3, -1, 1, 3) for j in (-7, -4, -1, 1, 4, 7)]
    mags = [17.0] * 24 + [17.9, 18.1, math.nan, 10.0]
    stars = stars_around(centre, [*offsets, (205, 410), (0, 0), (0, 100), (300, 0)], mags)
    (share,) = star_share(stars, detectors, regions)["share"]
    assert share == pytest.approx((24 + 1 / 4) * math.pi * 10**2 / (410 * 820), rel=0.03)


def test_the_share_near_crowded_stars_is_that_of_random_places():
    """Stars whose discs overlap cover what a Monte Carlo of places on the sky finds."""
    from astropy.coordinates import SkyCoord
    from astropy.units import arcsec

    centre = CENTRES[1]
    rng = np.random.default_rng(16)
    detectors, regions = sky_of(centre)
    stars = stars_around(centre, rng.uniform((-230, -440), (230, 440), (700, 2)), 15.0)
    offsets = rng.uniform((-205, -410), (205, 410), (40_000, 2)) * arcsec
    places = SkyCoord(*centre, unit="deg").spherical_offsets_by(offsets[:, 0], offsets[:, 1])
    _, separation, _ = places.match_to_catalog_sky(SkyCoord(stars["ra"], stars["dec"], unit="deg"))
    truth = float((separation < 10 * arcsec).mean())
    (share,) = star_share(stars, detectors, regions)["share"]
    assert 0.3 < truth < 0.6
    assert share == pytest.approx(truth, abs=4 * math.sqrt(truth * (1 - truth) / 40_000))


def test_the_share_is_alike_on_all_sides():
    """Stars in a row along one edge of the detector cover as much as along the opposite one."""
    detectors, regions = sky_of(CENTRES[0])
    along_x, along_y = np.arange(-200, 201, 4), np.arange(-400, 401, 4)
    for offsets in ([(x, 410) for x in along_x], [(205, y) for y in along_y]):
        here, there = (
            star_share(stars_around(CENTRES[0], sign * np.array(offsets), 15.0), detectors, regions)["share"][0]
            for sign in (1, -1)
        )
        assert here > 0.01
        assert here == pytest.approx(there, rel=0.02)


def test_the_share_of_each_detector_is_in_its_own_row():
    """Each of 70 detectors, ever farther north of stars, has the share it has alone; unknown corners give NaN."""
    detectors, regions = sky_of(CENTRES[0], 70)
    corners = regions["corners"].to_pylist()
    corners = [[value + i * 1e-4 * (k % 2) for k, value in enumerate(flat)] for i, flat in enumerate(corners)]
    corners[1] = None
    regions = regions.set_column(2, "corners", pa.array(corners, pa.list_(pa.float64())))
    order = pa.array(np.random.default_rng(17).permutation(70))
    star = stars_around(CENTRES[0], [(0, -405), (51, -402), (101, -399), (152, -397)], 12.0)
    share = star_share(star, detectors, regions.take(order))
    assert share.select("visit", "detector").equals(detectors.select("visit", "detector"))
    assert math.isnan(share["share"][1])
    assert share["share"][69] == 0
    assert share["share"].n_unique() > 10
    alone = [star_share(star, detectors[i : i + 1], regions)["share"][0] for i in range(0, 70, 3)]
    assert share["share"].gather_every(3).to_list() == alone
    assert star_share(star, detectors, None)["share"].is_nan().all()
    assert star_share(star, detectors.clear(), regions).height == 0


def test_the_excess_near_stars_is_one_of_sources_anywhere_and_more_of_others():
    """Sources anywhere on the sky give 1, and where half as many more were put around stars what follows from that."""
    from astropy.coordinates import SkyCoord
    from astropy.units import arcsec

    rng = np.random.default_rng(18)
    centre = CENTRES[0]
    detectors, regions = sky_of(centre)
    stars = stars_around(centre, rng.uniform((-205, -410), (205, 410), (60, 2)), 15.0)
    share = star_share(stars, detectors, regions)
    offsets = rng.uniform((-205, -410), (205, 410), (20_000, 2)) * arcsec
    places = SkyCoord(*centre, unit="deg").spherical_offsets_by(offsets[:, 0], offsets[:, 1])
    _, separation, _ = places.match_to_catalog_sky(SkyCoord(stars["ra"], stars["dec"], unit="deg"))
    near = separation < 10 * arcsec
    for more, expected in ((0, 1), (10_000, (near.mean() + 0.5) / (1.5 * near.mean()))):
        is_near = np.concatenate([near, np.ones(more, bool)])
        x = np.full(is_near.size, 100.0)
        rows = placement_rows(
            sources_at(x, x, nearStar=is_near), detectors, [Stage("S3")], SETTINGS, "", star_share=share
        )
        assert values(rows)["flavor.starExcess.S3"] == pytest.approx(expected, rel=4 / math.sqrt(near.sum()))


def test_stars_of_unknown_brightness_or_detectors_of_unknown_place_are_said():
    """Where magnitudes of the band are missing, or corners, the excess near stars is NaN with the reason."""
    detectors, regions = sky_of(CENTRES[0], 4)
    detectors = detectors.with_columns(band=pl.Series(["g", "r", "g", "g"]))
    regions = regions.take([0, 1, 3])
    stars = stars_around(CENTRES[0], [(0, 0)], 12.0).rename_columns(["ra", "dec", "g_mag"])
    share = star_share(stars, detectors, regions)
    assert share["share"][0] > 0
    sources = sources_at([1.0] * 4, [1.0] * 4, np.arange(4), detectors, nearStar=[True, None, False, None])
    table = placement_rows(sources, detectors, [ALL], SETTINGS, "", star_share=share).to_pylist()
    rows = [row for row in table if row["metric"] == "flavor.starExcess"]
    assert [row["detail"] for row in rows] == [
        None,
        "the catalogue of stars does not say how bright they are in this band",
        "the corners of the detector are not known",
        "the catalogue of stars does not say how bright they are in this band",
    ]
    assert [math.isnan(row["numerator"]) for row in rows] == [False, True, True, True]


@pytest.mark.slow
@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_the_interval_of_sources_anywhere_covers_one(confidence: float):
    """Over 300 surveys of sources anywhere, the judge's interval holds 1 at its rate, and is not empty talk."""
    rng = np.random.default_rng(19)
    detectors = detectors_of(20, 2)
    names = ("flavor.edgeExcess", ROW, COLUMN)
    missed, width = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    for _ in range(300):
        at = np.repeat(np.arange(40), rng.poisson(np.repeat(150 * rng.gamma(4, 1 / 4, 20), 2)))
        rows = placement_rows(sources_at(*anywhere(rng, at.size), at, detectors), detectors, [ALL], SETTINGS, "")
        numbers = measured(rows)
        for name in names:
            interval = level(numbers[name], confidence).interval
            missed[name] += 1 not in interval
            width[name] += (interval.high - interval.low) / 300
    for name in names:
        assert missed[name] <= binom.ppf(0.999, 300, 1 - confidence)
        assert width[name] < 0.6


@pytest.mark.slow
@pytest.mark.parametrize(("on_line", "is_seen"), [(2, False), (4, True)])
def test_a_bad_row_of_one_detector_is_shown_from_four_of_a_hundred_sources_on(on_line: int, is_seen: bool):
    """In 33 visits of six detectors with 100 sources each, a bad row of one of them is seen with four, not with two."""
    rng = np.random.default_rng(20)
    detectors = detectors_of(33, 6)
    at = np.repeat(np.arange(198), 100)
    shown = 0
    for _ in range(40):
        x, y = anywhere(rng, at.size)
        y[(at % 6 == 0) & (np.arange(at.size) % 100 < on_line)] = 1234.5
        rows = placement_rows(sources_at(x, y, at, detectors), detectors, [ALL], SETTINGS, "")
        shown += level(measured(rows)[ROW]).interval.low > 1
        assert 1 in level(measured(rows)[COLUMN], 0.9999).interval
    assert (shown >= 36) == is_seen
