"""The catalogue: every metric is defined, and its definition follows the settings."""

from __future__ import annotations

import astropy.units as u
import pytest

from harness.metrics.catalogue import RATIOS, metric_catalogue
from harness.metrics.flag_sets import FLAG_SETS, PIXEL_FLAGS
from harness.metrics.settings import Settings

CATALOGUE = metric_catalogue(Settings())


def test_names_are_keys():
    """A metric is found under its own name, and every name is qualified."""
    assert all(name == metric.name and name.startswith("dia.") for name, metric in CATALOGUE.items())


def test_units_are_units():
    """Every unit is one that astropy knows."""
    for metric in CATALOGUE.values():
        u.Unit(metric.unit, parse_strict="raise")


def test_docs_are_sentences():
    """Every metric says in a sentence what it counts."""
    assert all(metric.doc[0].isupper() and metric.doc.endswith(".") for metric in CATALOGUE.values())


def test_ratios_are_formed_of_stored_sums():
    """A ratio of two metrics is listed, reduces as a ratio, and both its parts are stored sums."""
    for name, parts in RATIOS.items():
        assert CATALOGUE[name].reduce == "ratio"
        assert all(CATALOGUE[part].reduce == "sum" and part not in RATIOS for part in parts)


def test_a_ratio_has_the_unit_of_its_parts():
    """Numerator over denominator gives the unit of the ratio, counts apart."""
    for name, (over, under) in RATIOS.items():
        parts = u.Unit(CATALOGUE[over].unit) / u.Unit(CATALOGUE[under].unit)
        assert u.Unit(CATALOGUE[name].unit) == (parts if parts == u.dimensionless_unscaled else parts / u.ct)


def test_every_pixel_flag_is_a_fraction():
    """Each pixel flag of the APDB has its fraction, in the family that a check runs over."""
    flags = [name for name, metric in CATALOGUE.items() if metric.group == "dia_flags"]
    assert flags == [*(f"dia.fracFlagged.{flag}" for flag in PIXEL_FLAGS), "dia.numNullFlags"]


def test_counts_of_broken_rows_are_complete():
    """What nobody samples is a census, and nothing else is."""
    census = {metric.group for metric in CATALOGUE.values() if metric.census}
    assert census == {"dia_bookkeeping", "dia_coverage", "dia_sanity", "dia_schema"}
    assert all(metric.census for metric in CATALOGUE.values() if metric.group in census)


@pytest.mark.parametrize("name", FLAG_SETS)
def test_the_flag_list_is_part_of_the_definition(name):
    """Another flag list changes the digest of every metric of good sources, and of no other."""
    other = next(each for each in FLAG_SETS if each != name)
    one, two = (metric_catalogue(Settings(good_flags=each)) for each in (name, other))
    changed = {key for key in one if one[key].definition_digest != two[key].definition_digest}
    assert changed - {"dia.numNullFlags"} == {key for key in one if "good" in key.lower()}
    assert ("dia.numNullFlags" in changed) == ("N7" in {name, other})
