"""Definitions: complete, distinct, and honest about the kind of size and the unit that is independent."""

from __future__ import annotations

import numpy as np
from astropy import units
from subtractions import survey

from harness.metrics.flag_sets import FLAG_SETS
from harness.metrics.template.catalogue import TEMPLATE_GROUPS, of_side, template_catalogue
from harness.metrics.template.dia_sources import DiaSources, dia_source_rows
from harness.metrics.template.orders import Order
from harness.metrics.template.rows import template_rows

CATALOGUE = template_catalogue("determinant", ["NO_DATA", "BAD"], FLAG_SETS["S3"])


def test_rows_and_definitions_are_of_the_same_metrics() -> None:
    """Every row has a definition, and every definition of a survey with two sides has rows."""
    listed = survey(np.random.default_rng(1), n_templates=4)
    one = DiaSources(np.array([1]), np.array([0]), np.array([1.0]), np.array([1.0]), np.array([False]))
    names = set(template_rows(listed, "determinant")["metric"].to_pylist())
    names |= set(dia_source_rows({"good": one, "deep": one}, "LATISS", [])["metric"].to_pylist())
    of_one_side = {name for name in CATALOGUE if f"{name}.good" in CATALOGUE}
    assert names == set(CATALOGUE) - of_one_side
    assert {metric.group for metric in CATALOGUE.values()} == TEMPLATE_GROUPS


def test_definitions_hold_what_changes_the_meaning() -> None:
    """Another kind of size, other masked pixels and other flags are other definitions, each where it matters."""
    others = {
        "difference.psfFwhm.good": template_catalogue("trace", ["NO_DATA", "BAD"], FLAG_SETS["S3"]),
        "template.medianVariance.deep": template_catalogue("determinant", ["BAD"], FLAG_SETS["S3"]),
        "difference.numSources.good": template_catalogue("determinant", ["NO_DATA", "BAD"], FLAG_SETS["A5"]),
    }
    for name, other in others.items():
        changed = {each for each in CATALOGUE if other[each].definition_digest != CATALOGUE[each].definition_digest}
        assert name in changed
        assert not any(CATALOGUE[each].group == "template_sanity" for each in changed)
        assert not set(others) - {name} & changed
    turned = template_catalogue("determinant", ["BAD", "NO_DATA"], FLAG_SETS["S3"])
    assert all(turned[name].definition_digest == metric.definition_digest for name, metric in CATALOGUE.items())


def test_what_rests_on_templates_is_independent_by_template() -> None:
    """Sizes and variances of templates, orders and contrasts have coadds as units; science images have visits."""
    for name, metric in CATALOGUE.items():
        by_coadd = metric.group in ("template_contrast", "template_order", "template_crossover")
        by_coadd |= name.startswith("template.") and metric.group in ("template_psf", "template_variance")
        if not metric.census:
            assert metric.per == ("coadd" if by_coadd or name.startswith("template.coverage") else "visit"), name


def test_units_are_known_and_shares_have_none() -> None:
    """Every unit is one of astropy, so that values can be read by others; shares are pure numbers."""
    for metric in CATALOGUE.values():
        units.Unit(metric.unit)
        if "frac" in metric.name or metric.group == "template_order":
            assert metric.unit == ""
            assert metric.reduce == "ratio"
    assert {f"template.order.{order}" for order in Order} <= set(CATALOGUE)
    assert of_side("template.psfFwhm", "") == "template.psfFwhm"
