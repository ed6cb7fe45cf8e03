"""What is measured of the embedded images, through Butler, against what is true of the simulation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from harness.embedded import EMBEDDED_DATASETS, embedded_repository, load_images
from harness.measure.run import OWN, measure
from harness.measure.store import MeasurementStore
from harness.measure.templates import SUBTRACTIONS
from harness.metrics.settings import Settings
from harness.metrics.template.orders import Order, order_of
from harness.metrics.template.subtraction import subtractions_of
from harness.rerun import open_rerun
from harness.rerun.butler import ButlerRerun

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=EMBEDDED_DATASETS["latiss"])
def name(request: pytest.FixtureRequest) -> str:
    """Return each rerun: as it should be, with what software may do wrong, and with broken datasets."""
    given: str = request.param
    return given


@pytest.fixture(scope="module")
def pairs(name: str, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, Any, Any]]:
    """Return what was measured of each subtraction, and the truth of its visit and of its side."""
    opened = open_rerun(str(embedded_repository(dataset="latiss")), name)
    assert isinstance(opened, ButlerRerun)
    store = MeasurementStore(tmp_path_factory.mktemp("measurements"))
    manifest = measure(opened, Settings(), store)
    kept = store.read_tables(store.folder(opened.ref, OWN), manifest.shards, SUBTRACTIONS)
    measured = {(each.visit, each.side): each for table in kept for each in subtractions_of(table)}
    truth = load_images().latiss_truth.truth(name)
    assert measured.keys() == {(visit, side) for visit in truth for side in truth[visit].sides}
    return [(found, truth[visit], truth[visit].sides[side]) for (visit, side), found in sorted(measured.items())]


def assert_close(pairs: Iterable[tuple[float, float]], low: float, high: float) -> None:
    """Require measured numbers to be within a range of relative deviations from the truth, and missing where it is."""
    measured, true = np.transpose(list(pairs))
    assert np.isfinite(true).sum() > 30
    np.testing.assert_array_equal(np.isnan(measured), np.isnan(true))
    deviation = (measured / true - 1)[np.isfinite(true)]
    assert low < deviation.min() <= deviation.max() < high


def test_sizes_are_true(pairs: list[tuple[Any, Any, Any]]) -> None:
    """FWHM of science images, recorded or evaluated, and those of templates, whose PSFs are coadds of their inputs'."""
    sources = {found.science.source for found, _, _ in pairs}
    assert sources == {"summary statistics", "evaluated"}
    assert_close(((found.science.fwhm, true.fwhm) for found, true, _ in pairs), -1e-6, 1e-6)
    assert_close(((found.template.fwhm, side.fwhm) for found, _, side in pairs), -1e-3, 1e-3)


def test_variances_are_true_of_the_sky(pairs: list[tuple[Any, Any, Any]]) -> None:
    """Medians are those of pixels without sources, and higher by the sources in a few of the others."""
    assert_close(((found.science.variance, true.variance) for found, true, _ in pairs), 0, 2e-3)
    assert_close(((found.template.variance, side.variance) for found, _, side in pairs), 0, 3e-3)
    assert_close(((found.difference.variance, side.difference_variance) for found, _, side in pairs), 0, 3e-3)


def test_noise_of_a_point_source_is_true(name: str, pairs: list[tuple[Any, Any, Any]]) -> None:
    """It follows from variance and noise-equivalent area; planes that are scaled by 1.15 say too much of it."""
    noises = [
        (math.sqrt(found.difference.variance * found.difference.nea), side.point_source_noise)
        for found, _, side in pairs
        if math.isfinite(side.difference_variance)
    ]
    assert_close(noises, 0, 2e-3 if name != "w_2023_52" else math.sqrt(1.15) - 1 + 2e-3)


def test_templates_are_made_of_what_they_are(pairs: list[tuple[Any, Any, Any]]) -> None:
    """Input visits are those of the plan, and the visits that share a template have one name for it."""
    coadds: dict[tuple[int, ...], set[str]] = {}
    for found, _, side in pairs:
        assert found.input_visits == tuple(sorted(side.inputs))
        coadds.setdefault(side.inputs, set()).add(found.coadd)
    assert all(len(own) == 1 for own in coadds.values())
    assert len(set().union(*coadds.values())) == len(coadds)


def test_orders_are_true(pairs: list[tuple[Any, Any, Any]]) -> None:
    """Each visit is in the class that its true FWHM puts it in, or in that of the missing where a template has none."""
    by_visit: dict[int, dict[str, Any]] = {}
    for found, true, side in pairs:
        by_visit.setdefault(found.visit, {})[found.side] = (found, true, side)
    orders = []
    for sides in by_visit.values():
        (good, true, good_side), (deep, _, deep_side) = sides["good"], sides["deep"]
        orders.append(order_of(good.science.fwhm, good.template.fwhm, deep.template.fwhm))
        assert orders[-1] is order_of(true.fwhm, good_side.fwhm, deep_side.fwhm)
    n_missing = sum(math.isnan(side.fwhm) for _, _, side in pairs)
    assert orders.count(Order.TIES_OR_MISSING) == n_missing
    assert len(set(orders)) >= 2


def test_what_is_missing_is_told(pairs: list[tuple[Any, Any, Any]]) -> None:
    """A difference that is not there is missing; whatever else lacks a number says why; nothing else is wrong."""
    for found, _, side in pairs:
        assert ("difference" in found.missing) is not side.has_difference
        said = {name.partition(".")[0] for name in found.problems} | set(found.missing)
        assert ("template" in said) is math.isnan(side.fwhm)
        assert ("difference" in said) is math.isnan(side.difference_variance)
        assert "science" not in said
