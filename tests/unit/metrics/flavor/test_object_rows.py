"""DIA objects of injected sources, against constructed skies, simulations and astropy's separations."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from injected_frames import detectors, injections, measured
from scipy import stats

from harness.judge import level
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.object_rows import object_rows
from harness.metrics.flavor.stages import STAGES, Stage
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

ALL = (Stage(""),)
SOURCES, OBJECTS, SCATTER = "injected.sourcesPerObject", "injected.objectsPerInjection", "injected.objectScatter"
ARCSEC = 1 / 3600


@pytest.fixture
def rng():
    """Return a seeded generator."""
    return np.random.default_rng(7)


def sky(rng, n=200, n_visits=6, ra=150.0, dec=2.0):
    """Return injections seen in every visit, one object each, with errors of 30 mas in each coordinate."""
    true_ra = np.tile((ra + rng.uniform(-0.1, 0.1, n) / np.cos(np.radians(dec))) % 360, n_visits)
    true_dec = np.tile(np.clip(dec + rng.uniform(-0.1, 0.1, n), -89.999, 89.999), n_visits)
    east, north = rng.normal(0, 30 / 3.6e6, (2, n * n_visits))
    ids = np.tile(np.arange(1, n + 1), n_visits)
    return injections(
        injectionId=ids,
        diaObjectId=1000 + ids,
        visit=np.repeat(np.arange(1, n_visits + 1), n),
        ra=true_ra,
        dec=true_dec,
        sourceRa=(true_ra + east / np.cos(np.radians(true_dec))) % 360,
        sourceDec=true_dec + north,
    )


def numbers(frame, stages=ALL):
    """Return the value of every metric."""
    visits = frame["visit"].unique().sort().to_list()
    quantities = measured(object_rows(frame, detectors(*visits), stages, "HSC"))
    return {name: quantities[name].value for name in quantities}


def test_every_metric_of_its_group_has_rows_at_every_stage():
    """The names are those of the catalogue, each with one row for a visit and detector."""
    rows = object_rows(injections(diaObjectId=5), detectors(1), [Stage(name) for name in STAGES], "HSC")
    wanted = [m.name for m in flavor_catalogue(Settings()).values() if m.group == "injected_object"]
    assert rows.schema == rows_schema()
    assert sorted(rows["metric"].to_pylist()) == sorted(wanted)
    assert {(row["instrument"], row["visit"], row["detector"], row["band"]) for row in rows.to_pylist()} == {
        ("HSC", 1, 0, "g")
    }


def test_one_object_for_each_injection(rng):
    """Injections found in every visit have one object of as many sources, whose scatter is the errors'."""
    found = numbers(sky(rng))
    assert found[SOURCES] == pytest.approx(6)
    assert found[OBJECTS] == pytest.approx(1)
    assert found[SCATTER] == pytest.approx(30, rel=4 / math.sqrt(2 * 200 * 5))


@pytest.mark.parametrize(("ra", "dec"), [(0, 0), (150, 60), (0, 89.95), (40, -89.95), (359.99, -30)])
def test_scatter_is_that_of_separations(rng, ra, dec):
    """Distances from the mean position are astropy's, also around RA 0 and at the poles."""
    from astropy.coordinates import SkyCoord

    frame = sky(rng, 40, 3, ra, dec)
    total = 0.0
    for _, sources in frame.group_by("diaObjectId"):
        places = SkyCoord(sources["sourceRa"].to_numpy(), sources["sourceDec"].to_numpy(), unit="deg")
        x, y, z = places.cartesian.xyz.value.mean(axis=1)
        mean = SkyCoord(x, y, z, representation_type="cartesian")
        mean = SkyCoord(mean.spherical.lon, mean.spherical.lat)
        total += places.separation(mean).mas.sum() * math.sqrt(2 / math.pi) * math.sqrt(3 / 2)
    found = numbers(frame)
    assert found[SCATTER] == pytest.approx(total / frame.height, rel=1e-6)
    assert found[OBJECTS] == pytest.approx(1)


@pytest.mark.parametrize("n_visits", [2, 3, 10])
def test_scatter_does_not_depend_on_the_number_of_visits(rng, n_visits):
    """The mean position follows few sources, which the factor makes up for."""
    found = numbers(sky(rng, 4000 // n_visits, n_visits))
    assert found[SCATTER] == pytest.approx(30, rel=0.05)


def test_a_split_of_objects_is_seen(rng):
    """Injections whose sources are split between two objects have two, with half the sources each."""
    good = sky(rng)
    split = good.with_columns(diaObjectId=pl.col("diaObjectId") + 10_000 * (pl.col("visit") % 2))
    found = numbers(split)
    assert found[OBJECTS] == pytest.approx(2)
    assert found[SOURCES] == pytest.approx(3)
    assert found[SCATTER] == pytest.approx(numbers(good)[SCATTER], rel=0.1)


def test_a_merger_of_objects_is_seen(rng):
    """Two injections that share an object double its sources; each still has one."""
    merged = sky(rng).with_columns(diaObjectId=pl.col("injectionId") // 2 + 10_000)
    found = numbers(merged.filter(pl.col("injectionId").is_between(2, 199)))
    assert found[SOURCES] == pytest.approx(12)
    assert found[OBJECTS] == pytest.approx(1)


def test_shares_add_up_over_visits():
    """Each object and each injection counts once in all, wherever its sources are."""
    frame = injections(
        injectionId=[1, 1, 1, 2, 3],
        diaObjectId=[10, 10, 20, 30, 30],
        visit=[1, 2, 3, 1, 2],
        diaSourceId=[1, 2, 3, 4, 5],
    )
    rows = object_rows(frame, detectors(1, 2, 3, 4), ALL, "HSC").to_pylist()
    parts = {
        metric: [(row["numerator"], row["denominator"]) for row in rows if row["metric"] == metric]
        for metric in (SOURCES, OBJECTS)
    }
    assert parts[SOURCES] == [(2, 1), (2, 1), (1, 1), (0, 0)]
    assert np.array(parts[OBJECTS]) == pytest.approx(np.array([(5 / 3, 4 / 3), (5 / 3, 4 / 3), (2 / 3, 1 / 3), (0, 0)]))
    assert numbers(frame) == pytest.approx({SOURCES: 5 / 3, OBJECTS: 4 / 3, SCATTER: 0})


def test_a_single_source_has_no_scatter():
    """Objects of one source count with their source, and not in the scatter."""
    frame = injections(
        injectionId=[1, 1, 2],
        diaObjectId=[10, 10, 20],
        visit=[1, 2, 1],
        sourceDec=[2.0, 2.0 + 0.2 * ARCSEC, 2.0],
    )
    assert numbers(frame)[SCATTER] == pytest.approx(math.sqrt(2 / math.pi) * 100 * math.sqrt(2), rel=1e-6)
    single = numbers(frame.filter(pl.col("visit") == 1))
    assert (single[SOURCES], single[OBJECTS]) == (1, 1)
    assert math.isnan(single[SCATTER])


def test_injections_that_move_are_left_out():
    """An injection that is elsewhere in each visit rightly has an object for each; one that hardly moves does not."""
    still = {"injectionId": [1, 1], "visit": [1, 2], "diaObjectId": [10, 10]}
    moving = {"injectionId": [2, 2], "visit": [1, 2], "diaObjectId": [20, 30]}
    for step, objects in ((0.09, 1.5), (0.11, 1)):
        for place in (
            {"dec": [2.0, 2.0 + step * ARCSEC]},
            {"ra": [150, 150 + step * ARCSEC / math.cos(math.radians(2))]},
        ):
            found = numbers(pl.concat([injections(**still), injections(**moving, **place)]))
            assert found[OBJECTS] == pytest.approx(objects)


def test_an_injection_moves_even_where_it_was_not_found():
    """What moves is told by true positions alone, so that it is the same at every stage and in every flavor."""
    frame = injections(
        injectionId=1, visit=[1, 2, 3], diaObjectId=[10, 20, 0], diaSourceId=[1, 2, 0], dec=[2.0, 2.0, 2.1]
    )
    assert math.isnan(numbers(frame)[OBJECTS])


def test_only_sources_of_an_object_that_were_found_count():
    """What was not found, or belongs to no object, is no source of one."""
    frame = injections(
        injectionId=[1, 1, 1, 2], visit=[1, 2, 3, 1], diaObjectId=[10, 10, 10, 0], diaSourceId=[1, 2, 0, 4]
    )
    assert numbers(frame)[SOURCES] == pytest.approx(2)


def test_each_stage_has_the_objects_of_what_it_leaves():
    """Sources that a list of flags rejects are no sources of an object there."""
    frame = injections(
        injectionId=1, visit=[1, 2, 3], diaObjectId=[10, 10, 20], diaSourceId=[1, 2, 3], good_S6=[True, None, False]
    )
    found = numbers(frame, [Stage(""), Stage("S6"), Stage("A5", "flag list A5 needs nodata")])
    assert (found[SOURCES], found[OBJECTS]) == pytest.approx((1.5, 2))
    assert (found[f"{SOURCES}.S6"], found[f"{OBJECTS}.S6"]) == (1, 1)
    assert math.isnan(found[f"{OBJECTS}.A5"])


def test_a_stage_that_is_not_available_says_so_once():
    """A list whose flags are missing has one row for each metric, of the whole rerun, with the reason."""
    rows = object_rows(injections(diaObjectId=5), detectors(1, 2), [Stage("A5", "flag list A5 needs nodata")], "HSC")
    assert sorted(rows["metric"].to_pylist()) == sorted(f"{name}.A5" for name in (SOURCES, OBJECTS, SCATTER))
    for row in rows.to_pylist():
        assert (row["visit"], row["detector"], row["detail"]) == (None, None, "flag list A5 needs nodata")
        assert math.isnan(row["numerator"])


def test_sources_without_objects_say_so():
    """A rerun that did not associate its sources has no number, and says why."""
    rows = object_rows(injections(visit=[1, 2]), detectors(1, 2), [Stage(""), Stage("S6")], "HSC").to_pylist()
    assert len(rows) == 6
    for row in rows:
        assert (row["visit"], row["detail"]) == (None, "none of the 2 sources of injections has a diaObjectId")
        assert math.isnan(row["numerator"])


@pytest.mark.parametrize(
    "frame", [injections().clear(), injections(diaSourceId=0), injections(diaObjectId=5, good_S6=False)]
)
def test_nothing_to_measure_is_said(frame):
    """Where nothing was found, or nothing is left, there are rows of zeros and a reason."""
    rows = object_rows(frame, detectors(1), [Stage("S6")], "HSC").to_pylist()
    assert [(row["numerator"], row["denominator"]) for row in rows] == [(0, 0)] * 3
    assert [row["detail"] for row in rows] == [
        *["no injection at rest has a source of an object that S6 leaves"] * 2,
        "no injection at rest has an object of two sources that S6 leaves",
    ]


def test_the_order_of_the_rows_does_not_matter(rng):
    """Shuffled injections give the very same numbers, to the last digit."""
    frame = sky(rng)
    one, other = (
        object_rows(each, detectors(*range(1, 7)), ALL, "HSC")
        for each in (frame, frame.sample(fraction=1, shuffle=True, seed=1))
    )
    assert one.equals(other)


@pytest.mark.slow
def test_intervals_of_the_judge_hold_the_scatter():
    """The 95 % interval of the scatter holds the true errors in 95 % of the samples or more."""
    rng, n_samples = np.random.default_rng(1), 200
    held = 0
    for _ in range(n_samples):
        rows = object_rows(sky(rng, 50), detectors(*range(1, 7)), ALL, "HSC")
        held += 30 in level(measured(rows)[SCATTER], 0.95).interval
    assert held >= stats.binom.ppf(1e-3, n_samples, 0.95)
