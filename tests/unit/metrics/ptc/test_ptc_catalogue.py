"""The catalogue of photon transfer: each metric is defined once, in its unit, by its formula."""

from __future__ import annotations

import astropy.units as u
import pytest

from harness.metrics.ptc.catalogue import EOTEST_GROUPS, PTC_GROUPS, ptc_catalogue
from harness.metrics.ptc.gains import DEFINITIONS

CATALOGUE = ptc_catalogue()


def test_groups_are_those_that_are_declared() -> None:
    """Metrics of flats and of records are in their own groups, and no group is empty."""
    groups = {metric.group: name.partition(".")[0] for name, metric in CATALOGUE.items()}
    assert {group for group, family in groups.items() if family == "ptc"} == PTC_GROUPS
    assert {group for group, family in groups.items() if family == "eotest"} == EOTEST_GROUPS


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=str)
def test_metric_is_one_of_amplifiers(metric) -> None:
    """It belongs to amplifiers, has a unit that astropy reads, and a sentence; counts are complete by construction."""
    assert metric.per == "amplifier"
    u.Unit(metric.unit)
    assert metric.doc.endswith((".", ")."))
    is_count = metric.unit == "ct"
    assert metric.census is is_count
    assert metric.reduce == ("sum" if is_count else "ratio")
    assert metric.name.rpartition(".")[2].startswith("num") is is_count


def test_gains_are_gains() -> None:
    """Every estimate of gain, measured or on record, has the unit of a gain, so that any two can be compared."""
    gains = {name: metric.unit for name, metric in CATALOGUE.items() if "gain" in name.rpartition(".")[2].lower()}
    of_counts_and_offsets = {name for name in gains if ".num" in name or ".offset." in name}
    assert {unit for name, unit in gains.items() if name not in of_counts_and_offsets} == {"electron / adu"}


def test_estimates_have_their_definitions_and_their_offsets() -> None:
    """Each way to estimate a gain is a metric of its own definition, and names the metric of its predicted offset."""
    for name, definition in DEFINITIONS.items():
        metric = CATALOGUE[f"ptc.{name}"]
        assert metric.definition == definition
        assert CATALOGUE[metric.offset].is_part
        assert CATALOGUE[metric.offset].unit == ""
    with_offset = {name for name, metric in CATALOGUE.items() if metric.offset}
    assert with_offset == {f"ptc.{name}" for name in DEFINITIONS}


def test_definitions_tell_metrics_apart() -> None:
    """No two metrics have the same digest, and the lags are part of what a covariance fit means."""
    digests = {metric.definition_digest for metric in CATALOGUE.values()}
    assert len(digests) == len(CATALOGUE)
    for name in ("gainFullCovariance", "gainFullCovarianceNoB", "a00FullCovariance"):
        definition = CATALOGUE[f"ptc.{name}"].definition
        assert (definition["lags"], definition["lags_of_small_amplifiers"]) == (8, 2)
    assert "lags" not in CATALOGUE["ptc.gain"].definition
