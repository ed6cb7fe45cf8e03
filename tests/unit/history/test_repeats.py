"""A rerun that has another one's values is seen; numbers that are often alike are no evidence."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy.stats import binom

from harness.history.entry import Entry, Row
from harness.history.repeats import _at_least, repeats
from harness.history.store import frame_of

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def history(values, *, names=None, group="dia"):
    """Return a history of reruns (rows) and metrics (columns)."""
    names = names or [f"w_{index}" for index in range(len(values))]
    entries = [
        Entry(
            "hits",
            name,
            "repo",
            f"inputs {index}",
            tuple(Row(f"{group}.m{column}", "", "d", float(value)) for column, value in enumerate(row)),
        )
        for index, (name, row) in enumerate(zip(names, values, strict=True))
    ]
    return frame_of(entries, NOW)


def two_digits(n_reruns, n_metrics, seed):
    """Return values that scatter by 5 %, printed with two digits: every tenth or so is equal by chance."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(1, 9, n_metrics)
    return np.round(true * rng.normal(1, 0.05, (n_reruns, n_metrics)), 1)


def test_copied_column_is_found():
    """One rerun that prints another's values is named, with how many of how many and by what chance."""
    values = two_digits(6, 10, seed=1)
    values[4] = values[1]
    (found,) = repeats(history(values))
    assert (found.rerun, found.other, found.equal, found.compared, found.group) == ("w_4", "w_1", 10, 10, "dia")
    assert found.chance < 1e-6
    assert str(found).startswith("hits: 10 of 10 values of dia in w_4 (repo) are those of w_1 (repo); by chance")


def test_copy_with_a_few_other_values_is_found():
    """Nine of ten are suspicious too."""
    values = two_digits(8, 10, seed=2)
    values[4] = values[1]
    values[4, 0] += 1
    assert [(each.rerun, each.equal) for each in repeats(history(values))] == [("w_4", 9)]


def test_honest_histories_are_left_alone():
    """Of 200 histories of rounded numbers none is suspected."""
    assert not [each for seed in range(200) for each in repeats(history(two_digits(6, 10, seed)))]


def test_metrics_that_never_change_are_no_evidence():
    """Counts of broken rows are 0 in every rerun, and that is well."""
    values = np.zeros((10, 40))
    assert repeats(history(values)) == []
    values[:, :5] = two_digits(10, 5, seed=3)
    assert repeats(history(values)) == []


def test_copy_is_found_among_metrics_that_never_change():
    """What is always alike hides nothing."""
    values = np.zeros((10, 40))
    values[:, :10] = two_digits(10, 10, seed=4)
    values[9] = values[2]
    assert [(each.rerun, each.other) for each in repeats(history(values))] == [("w_9", "w_2")]


def test_rerun_of_the_same_name_may_have_the_same_values():
    """A later report that repeats a release as it was is right."""
    values = two_digits(4, 10, seed=5)
    values[3] = values[2]
    assert repeats(history(values, names=["18", "19", "20", "20"])) == []


@pytest.mark.parametrize(("equal", "count"), [(4, 0), (5, 1)])
def test_many_comparisons_need_more_evidence(equal, count):
    """What one of 45 pairs may well show by chance is no evidence: C(10, 4)/46⁴ is 4e-5, but 2e-3 of 45 pairs."""
    values = np.random.default_rng(8).normal(0, 1, (10, 10))
    values[7, :equal] = values[2, :equal]
    assert len(repeats(history(values))) == count


def test_each_rerun_is_told_once():
    """Of three alike, each later one is told with the one that it is most like."""
    values = two_digits(10, 12, seed=6)
    values[5] = values[7] = values[1]
    assert [each.rerun for each in repeats(history(values))] == ["w_5", "w_7"]


def test_not_measured_is_not_equal():
    """Two NaN are not the same number, and fewer metrics are less evidence."""
    values = two_digits(6, 10, seed=7)
    values[4] = values[1]
    values[4, 2:] = np.nan
    assert repeats(history(values)) == []


def test_empty_history_and_single_rerun_have_no_repeats():
    """There is nothing to compare."""
    assert repeats(history([])) == []
    assert repeats(history(np.ones((1, 5)))) == []


@pytest.mark.parametrize("count", [0, 3, 10])
def test_chance_is_binomial_where_all_are_alike(count):
    """With one probability for all it is the binomial tail of scipy."""
    assert _at_least(count, np.full(10, 0.3)) == pytest.approx(binom.sf(count - 1, 10, 0.3))
