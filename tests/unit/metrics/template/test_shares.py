"""Shares of templates as they are judged: a share of none, or of all, is not known exactly."""

from __future__ import annotations

import pytest
from subtractions import visit_with_both

from harness.judge import level, within
from harness.measure.measurements import Measurements
from harness.measure.store import Manifest
from harness.metrics.flag_sets import FLAG_SETS
from harness.metrics.template.catalogue import template_catalogue
from harness.metrics.template.limits import share_limits
from harness.metrics.template.rows import template_rows
from harness.model import VerdictState

CATALOGUE = template_catalogue("determinant", [], FLAG_SETS["S3"])
MANIFEST = Manifest("w_2023_49", "/repo", "template", {}, (), "inputs", "content", "0.1.0")


@pytest.fixture(scope="module")
def measured() -> Measurements:
    """Return the published orders: 55, 43, 0 and 7 of 105 visits, in 14 templates."""
    sizes = [5.0] * 55 + [3.0] * 43 + [7.0] * 7
    listed = [
        each for visit, size in enumerate(sizes) for each in visit_with_both(visit, size, coadd=f"{visit % 14} r")
    ]
    return Measurements("w_2023_49", MANIFEST, template_rows(listed, "determinant"), CATALOGUE, {})


def test_templates_are_the_units(measured: Measurements) -> None:
    """The 105 visits are 14 independent units, and the shares are those that were published."""
    quantity = measured["template.order.goodVisitDeep"]
    assert quantity.n_units == 14
    assert quantity.denominator is not None
    assert quantity.denominator.sum() == 105
    assert quantity.is_counted
    assert round(quantity.value, 3) == 0.524


def test_none_of_the_visits_is_an_upper_limit(measured: Measurements) -> None:
    """0 of 105 cannot be judged to be exactly 0; nor can 105 of 105 be judged to be exactly 1."""
    none, every = measured["template.order.deepVisitGood"], measured["template.fracGoodSharper"]
    assert (none.value, every.value) == (0, 1)
    assert level(none).interval.high >= share_limits(0, 105, 0.99)[1]
    assert level(every).interval.low <= share_limits(105, 105, 0.99)[0]
    assert within(none, 0, 0.01).state is VerdictState.INCONCLUSIVE
    assert within(every, 0.99, 1).state is VerdictState.INCONCLUSIVE


def test_the_five_shares_add_up_to_one(measured: Measurements) -> None:
    """They are of the same visits."""
    orders = [measured[name] for name in CATALOGUE if name.startswith("template.order.")]
    assert sum(order.value for order in orders) == pytest.approx(1)


def test_sizes_of_one_template_are_one_measurement(measured: Measurements) -> None:
    """The mean over 105 visits of a template's size has the error of 14 templates; that of visits has their own."""
    for name, n_units in (("template.psfFwhm.good", 14), ("science.psfFwhm", 105), ("difference.psfFwhm.deep", 105)):
        assert measured[name].n_units == n_units
    assert measured["template.crossover"].is_whole
    assert measured["template.largestExcess.deep"].value == pytest.approx(3.0)
