"""Contamination and purity, against lists of sources whose truth is known, and areas against a Monte Carlo."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from harness.judge.estimate import level
from harness.measure.measurements import Measurements
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.frames import detectors_schema, injections_schema, sources_schema
from harness.metrics.flavor.purity_rows import is_false_positive, purity_rows, uncovered_area
from harness.metrics.flavor.stages import STAGES, Stage
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

CATALOGUE = flavor_catalogue(Settings())
NAMES = tuple(name for name, metric in CATALOGUE.items() if metric.group == "flavor_purity")
ALL, S6 = Stage(""), Stage("S6")
CONTAMINATION, NUMBER = "injected.contamination", "flavor.numFalsePositives"
DENSITY, PURITY = "flavor.falsePositiveDensity", "flavor.purity"
CAVEAT = "no catalogue of known objects: real transients count as false"


def frame(schema: pl.Schema, n: int, **columns) -> pl.DataFrame:
    """Return n rows of a schema, null where nothing is given."""
    return pl.DataFrame([pl.Series(name, columns.get(name, [None] * n), dtype) for name, dtype in schema.items()])


def detectors_of(*pairs: tuple[int, int], area: float | None = 0.026) -> pl.DataFrame:
    """Return detectors of one area, in g."""
    visits, numbers = zip(*pairs, strict=True) if pairs else ((), ())
    n = len(pairs)
    return frame(detectors_schema(), n, visit=visits, detector=numbers, band=["g"] * n, area=[area] * n)


def sources_of(rows: list[tuple[int, int, str, bool, bool | None]]) -> pl.DataFrame:
    """Return sources from (visit, detector, kind, near an injection, left by S6)."""
    names = ("visit", "detector", "kind", "nearInjection", "good_S6")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return frame(sources_schema(), len(rows), diaSourceId=range(1, len(rows) + 1), **columns)


def injections_of(rows: list[tuple[int, int, int, bool]]) -> pl.DataFrame:
    """Return injections from (visit, detector, number of the source or 0, left by S6)."""
    names = ("visit", "detector", "diaSourceId", "good_S6")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return frame(injections_schema(), len(rows), injectionId=range(len(rows)), **columns)


SOURCES = [
    (7, 0, "injected", False, True),
    (7, 0, "injected", False, False),
    (7, 0, "unmatched", False, True),
    (7, 0, "unmatched", False, None),
    (7, 0, "unmatched", True, True),
    (7, 0, "known", False, True),
    (7, 0, "solarSystem", False, False),
    (8, 1, "unmatched", False, True),
    (8, 1, "known", True, True),
]
INJECTIONS = [(7, 0, 1, True), (7, 0, 2, False), (7, 0, 0, False), (8, 1, 0, False)]
DETECTORS = detectors_of((7, 0), (8, 1), (9, 2))


def numbers(rows: pa.Table, metric: str) -> list[tuple[int, float, float | None]]:
    """Return visit, numerator and denominator of the rows of a metric, by visit."""
    assert rows.schema == rows_schema()
    chosen = rows.filter(pa.compute.equal(rows["metric"], metric)).to_pylist()
    return sorted((row["visit"], row["numerator"], row["denominator"]) for row in chosen)


def test_all_metrics_of_the_group_are_given_at_all_stages():
    """There is a row of each purity metric for each detector, and of nothing else."""
    stages = [Stage(name) for name in STAGES]
    rows = purity_rows(sources_of(SOURCES), injections_of(INJECTIONS), DETECTORS, stages, "HSC", has_known=True)
    assert set(rows["metric"].to_pylist()) == set(NAMES)
    assert rows.num_rows == 3 * len(NAMES)
    assert set(rows["instrument"].to_pylist()) == {"HSC"}
    assert set(rows["band"].to_pylist()) == {"g"}


def test_counts_are_those_of_the_list():
    """Each kind of source counts where it should, at each stage, also on a detector where nothing was found."""
    rows = purity_rows(sources_of(SOURCES), injections_of(INJECTIONS), DETECTORS, [ALL, S6], "HSC", has_known=True)
    assert numbers(rows, CONTAMINATION) == [(7, 5, None), (8, 2, None), (9, 0, None)]
    assert numbers(rows, f"{CONTAMINATION}.S6") == [(7, 3, None), (8, 2, None), (9, 0, None)]
    assert numbers(rows, NUMBER) == [(7, 2, None), (8, 1, None), (9, 0, None)]
    assert numbers(rows, f"{NUMBER}.S6") == [(7, 1, None), (8, 1, None), (9, 0, None)]
    assert numbers(rows, PURITY) == [(7, 4, 7), (8, 1, 2), (9, 0, 0)]
    assert numbers(rows, f"{PURITY}.S6") == [(7, 2, 4), (8, 1, 2), (9, 0, 0)]
    assert set(rows["detail"].to_pylist()) == {None}


def test_contamination_is_that_of_the_published_table():
    """DMTN-256: sources less matched injections are 50172, 55649 and 45728, and of good ones 10853, 9177 and 11379."""
    for n, good, matched, good_matched, contamination, of_good in (
        (54799, 13244, 4627, 2391, 50172, 10853),
        (60243, 10909, 4594, 1732, 55649, 9177),
        (50049, 13727, 4321, 2348, 45728, 11379),
    ):
        number = np.arange(n)
        sources = frame(
            sources_schema(),
            n,
            diaSourceId=number + 1,
            visit=number % 33,
            detector=number % 6,
            kind=np.where(number < matched, "injected", "unmatched"),
            nearInjection=np.zeros(n, bool),
            good_S6=(number < good_matched) | (number >= n - (good - good_matched)),
        )
        injections = frame(
            injections_schema(),
            n,
            visit=number % 33,
            detector=number % 6,
            diaSourceId=np.where(number < matched, number + 1, 0),
            good_S6=number < good_matched,
        )
        detectors = detectors_of(*((visit, detector) for visit in range(33) for detector in range(6)))
        rows = purity_rows(sources, injections, detectors, [ALL, S6], "HSC", has_known=False)
        assert sum(value for _, value, _ in numbers(rows, CONTAMINATION)) == contamination
        assert sum(value for _, value, _ in numbers(rows, f"{CONTAMINATION}.S6")) == of_good


def test_without_a_catalogue_of_known_objects_the_rows_say_so():
    """Everything that depends on what is known carries the caveat; contamination, which asks for nothing, does not."""
    rows = purity_rows(sources_of(SOURCES), injections_of(INJECTIONS), DETECTORS, [ALL], "", has_known=False)
    for row in rows.to_pylist():
        assert row["detail"] == (None if row["metric"] == CONTAMINATION else CAVEAT)
        assert row["instrument"] is None


def test_a_stage_that_cannot_be_told_says_why():
    """Every metric of a stage without its flags has one row of the whole rerun, with the reason."""
    stages = [ALL, Stage("N7", "flag list N7 needs glint_trail, not in the table")]
    table = purity_rows(
        sources_of(SOURCES), injections_of(INJECTIONS), DETECTORS, stages, "HSC", has_known=True
    ).to_pylist()
    rows = [row for row in table if row["metric"].endswith(".N7")]
    assert sorted(row["metric"] for row in rows) == sorted(name for name in NAMES if name.endswith(".N7"))
    for row in rows:
        assert (row["visit"], row["detector"]) == (None, None)
        assert math.isnan(row["numerator"])
        assert row["detail"] == "flag list N7 needs glint_trail, not in the table"


@pytest.mark.parametrize("area", [None, math.nan, 0.0])
def test_an_unknown_area_leaves_no_density(area: float | None):
    """A density without an area is NaN with the reason; nothing else needs the area."""
    rows = purity_rows(
        sources_of(SOURCES),
        injections_of(INJECTIONS),
        detectors_of((7, 0), (8, 1), area=area),
        [ALL],
        "",
        has_known=False,
    )
    for row in rows.to_pylist():
        is_density = row["metric"] == DENSITY
        assert math.isnan(row["numerator"]) == is_density
        assert (row["detail"] == "the area of the detector is not known") == is_density


def test_empty_frames_give_zeros_and_no_detector_gives_no_row():
    """Without sources and injections all is 0, the density 0 of the whole area; without detectors there is no row."""
    nothing = sources_of([]), injections_of([])
    rows = purity_rows(*nothing, DETECTORS, [ALL, S6], "", has_known=True)
    assert numbers(rows, DENSITY) == [(visit, 0, 0.026) for visit in (7, 8, 9)]
    assert numbers(rows, f"{PURITY}.S6") == [(visit, 0, 0) for visit in (7, 8, 9)]
    rows = purity_rows(*nothing, detectors_of(), [ALL, S6], "", has_known=True)
    assert rows.num_rows == 0
    assert rows.schema == rows_schema()


def test_a_false_positive_is_unmatched_and_far_from_injections():
    """Of all sources those that are neither explained nor near an injection; what is not known to be near is not."""
    sources = sources_of([*SOURCES, (8, 1, "unmatched", None, True)])
    assert sources.filter(is_false_positive())["diaSourceId"].to_list() == [3, 4, 8, 10]


@pytest.mark.parametrize("n", [0, 100, 3000])
def test_the_area_beyond_injections_is_that_of_a_monte_carlo(n: int):
    """Places at random, within reach of none of n injections at random, have the share that the formula expects."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(n)
    width, height, reach = 410.0, 820.0, 3.0  # arcsec
    area = width * height / 3600**2
    free = []
    for _ in range(40):
        places = rng.uniform(0, (width, height), (5000, 2))
        if n:
            distance, _ = cKDTree(rng.uniform(0, (width, height), (n, 2))).query(places)
            free.append(float((distance > reach).mean()))
        else:
            free.append(1.0)
    expected = uncovered_area(np.array([area]), np.array([float(n)]), reach)[0] / area
    assert np.mean(free) == pytest.approx(expected, abs=4 * np.std(free) / math.sqrt(40) + 0.005 * (1 - expected))
    assert expected == pytest.approx(math.exp(-n * math.pi * 9 / (width * height)), rel=1e-12)


def test_the_density_of_false_positives_does_not_depend_on_how_many_injections_hide_them():
    """With 3000 injections a fifth of the detector is hidden, and the density is still what was simulated."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(3)
    visits, width, height = 20, 410.0, 820.0
    pairs = [(visit, 0) for visit in range(visits)]
    rows, injected = [], []
    for visit, detector in pairs:
        injections = rng.uniform(0, (width, height), (3000, 2))
        false = rng.uniform(0, (width, height), (rng.poisson(400), 2))
        near = cKDTree(injections).query(false)[0] < 3
        rows += [(visit, detector, "unmatched", bool(each), True) for each in near]
        injected += [(visit, detector, 0, False)] * 3000
    area = width * height / 3600**2
    table = purity_rows(
        sources_of(rows), injections_of(injected), detectors_of(*pairs, area=area), [ALL], "", has_known=True
    )
    quantity = Measurements("w", None, table, CATALOGUE, {})[DENSITY]
    assert 400 / area in level(quantity).interval
    assert quantity.numerator.sum() / (visits * area) < 0.85 * 400 / area  # without taking the hidden area out
