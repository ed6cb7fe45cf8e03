"""Families of metrics, and which of them a rerun holds input for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.errors import NotMeasuredError
from harness.measure.catalogue import all_metrics
from harness.measure.families import FAMILIES, families_of, pair_tasks
from harness.metrics.settings import Settings
from harness.rerun.protocol import RerunRef


def _rerun(*, tables=(), flats=None, curves=None, amplifiers=None, alerts=None):
    return SimpleNamespace(
        name="a",
        ref=RerunRef("repo", "a"),
        tables=dict.fromkeys(tables),
        flats=flats,
        curves=curves,
        amplifiers=lambda: amplifiers,
        alerts=alerts,
        exposures=None,
        psf_sizes=None,
    )


def test_every_group_belongs_to_one_family():
    """No metric is without a family, and none is in two: which checks apply follows from it."""
    groups = {metric.group for metric in all_metrics(Settings()).values()}
    assert sorted(group for family in FAMILIES for group in family.groups) == sorted(groups)


def test_kinds_of_tasks_have_one_family():
    """A task says what it is by its kind alone."""
    kinds = [kind for family in FAMILIES for kind in (*family.kinds, *family.pair_kinds)]
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize(
    ("held", "names"),
    [
        ({"tables": ["diaSource"]}, ["dia"]),
        ({"tables": ["diaSource", "source"], "flats": 1}, ["dia", "ptc"]),
        ({"curves": 1}, ["ptc"]),
        ({"amplifiers": 1}, ["eotest"]),
        ({"alerts": 1}, ["alerts"]),
    ],
)
def test_a_rerun_has_the_families_it_holds_input_for(held, names):
    """Tables of DIA sources, flats, curves, amplifiers and alerts each bring their metrics."""
    assert [family.name for family in families_of(_rerun(**held))] == names


def test_a_rerun_with_nothing_to_measure_is_named():
    """What was looked for, where, and what is there instead."""
    with pytest.raises(
        NotMeasuredError,
        match=r"'a' in repo has neither a DIA source table, nor .* alert packets, nor injected sources .*: source\)",
    ):
        families_of(_rerun(tables=["source"]))


def test_two_reruns_of_different_kinds_have_nothing_to_match():
    """DIA sources are not matched with flats."""
    assert pair_tasks(_rerun(curves=1), _rerun(tables=["diaSource"]), Settings()) == []
