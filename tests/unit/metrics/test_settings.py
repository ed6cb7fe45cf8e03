"""Settings: what a user may choose, and what is refused."""

from __future__ import annotations

import math

import pytest

from harness.errors import UsageError
from harness.metrics.flag_sets import FLAG_SETS
from harness.metrics.settings import Settings


def test_defaults_are_those_of_the_analysis():
    """Good sources are those of DM-25125, and sources match within half an arcsecond."""
    assert Settings() == Settings(good_flags="S3", match_radius=0.5, edge_width=40)
    assert Settings().flag_set is FLAG_SETS["S3"]


def test_an_unknown_flag_list_is_refused():
    """The message lists the flag lists there are."""
    with pytest.raises(UsageError, match=r"^'good_flags' must be one of \['S3', 'S6', 'A5', 'N7'\] \(got 'S4'\)$"):
        Settings(good_flags="S4")


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_a_radius_must_be_positive(value):
    """Nothing matches within a radius that is not a positive number."""
    with pytest.raises(UsageError, match="'match_radius' must be a number greater than 0"):
        Settings(match_radius=value)


@pytest.mark.parametrize("value", [-1, math.nan, math.inf])
def test_an_edge_cannot_be_negative(value):
    """The edge of a detector has a width, or none."""
    with pytest.raises(UsageError, match="'edge_width' must be a number 0 or greater"):
        Settings(edge_width=value)


def test_a_size_of_a_psf_is_one_of_three():
    """A misspelt kind would be a definition that nobody else has."""
    with pytest.raises(
        UsageError, match=r"^'psf_size' must be one of \['determinant', 'trace', 'nea'\] \(got 'fwhm'\)$"
    ):
        Settings(psf_size="fwhm")


@pytest.mark.parametrize("name", ["sample_visits", "sample_seed"])
def test_a_sample_cannot_be_negative(name):
    """A sample has so many visits, or all."""
    with pytest.raises(UsageError, match=f"'{name}' must be 0 or greater"):
        Settings(**{name: -1})


def test_whole_numbers_are_the_same_setting():
    """40 and 40.0 give the same text, and so the same digest."""
    assert repr(Settings(edge_width=40)) == repr(Settings(edge_width=40.0))
