"""A metric through time: in order, with what was accepted, never mixing two quantities."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from harness.baseline.model import (
    Above,
    Acceptance,
    AgreesWith,
    Baseline,
    Below,
    Closes,
    Entry,
    Original,
    Unchanged,
    Within,
)
from harness.errors import UsageError
from harness.history.entry import Row
from harness.history.trend import LAST, accepted_band, trends, warnings_about
from harness.model import Interval

NAME = "dia.numSources"
NOISE = np.random.default_rng(1).normal(100, 1, 60)


def accepted(rule=None, direction="both", value=100.0):
    """Return the entry of a baseline."""
    return Entry(
        value=value,
        uncertainty=1.0,
        unit="ct",
        definition="d1",
        expectation=rule or Unchanged(rtol=0.05, atol=0.0),
        direction=direction,
        accepted="second",
        original=Original(value=90.0, accepted="first"),
    )


def acceptance(rerun):
    """Return the acceptance of a rerun."""
    return Acceptance(
        at=datetime(2026, 11, 21, tzinfo=UTC),
        by="A. Person",
        harness="0.1.0",
        rerun=rerun,
        versions={},
        inputs=f"inputs of {rerun}",
        reason="it is right",
        ticket="DM-25125",
        visits=28,
    )


def baseline(*, first="w_000", second="w_010", entry=None, dataset="hits"):
    """Return a baseline of one metric, accepted twice."""
    acceptances = {"first": acceptance(first), "second": acceptance(second)}
    return Baseline(dataset=dataset, acceptances=acceptances, metrics={NAME: entry or accepted()})


def only(frame, **more):
    """Return the one trend of the metric."""
    (trend,) = trends(frame, NAME, **more)
    return trend


class TestPoints:
    """What each rerun contributes."""

    def test_values_come_in_order_with_interval_and_verdict(self, fill):
        """Each rerun is a point, in the order of the history, with what was said of it then."""
        trend = only(fill(NOISE[:5], low=95.0, high=105.0, lower=99.0, upper=101.0))
        assert trend.values.tolist() == NOISE[:5].tolist()
        assert [point.rerun for point in trend.points] == [f"w_{index:03d}" for index in range(5)]
        assert {point.interval for point in trend.points} == {Interval(99, 101)}
        assert {point.acceptable for point in trend.points} == {Interval(95, 105)}
        assert {point.state for point in trend.points} == {"PASS"}

    def test_without_a_verdict_the_interval_is_that_of_the_value(self, fill):
        """A number that was not judged has the 99 % of its standard uncertainty, or nothing."""
        known = only(fill([100.0], uncertainty=2.0, state="")).points[0]
        assert (known.interval.low, known.interval.high) == pytest.approx((94.848, 105.152), abs=1e-3)
        assert known.acceptable is None

    def test_without_an_uncertainty_there_is_no_interval(self, fill):
        """Nothing is made up."""
        assert only(fill([100.0], uncertainty=math.nan)).points[0].interval is None

    def test_open_limits_are_kept(self, fill):
        """An expectation with one side has one limit."""
        assert only(fill([1.0], low=-math.inf, high=2.0)).points[0].acceptable == Interval(-math.inf, 2)

    def test_passed_and_baselined_reruns_are_the_accepted_ones(self, fill):
        """A rerun that passed is accepted, one that failed only where the baseline was taken from it."""
        frame = fill(NOISE[:4], state=["PASS", "FAIL", "FAIL", "INCONCLUSIVE"])
        trend = only(frame, baseline=baseline(first="w_002", second="w_002"))
        assert [point.is_accepted for point in trend.points] == [True, False, True, False]
        assert [trend.accepted_from(each) for each in trend.acceptances] == [2, 2]

    def test_rerun_of_the_same_name_from_other_inputs_was_not_accepted(self, store, make_entry):
        """An acceptance is of inputs, not of a name."""
        for inputs in ("other", "inputs of w_000"):
            store.append(make_entry("w_000", inputs=inputs, state="FAIL"))
        trend = only(store.read()[0], baseline=baseline())
        assert [point.is_accepted for point in trend.points] == [False, True]


class TestSeries:
    """What is another quantity is another trend."""

    @pytest.mark.parametrize("change", [{"unit": "1 / deg2"}, {"definition": "d2"}])
    def test_unit_and_definition_split_the_series(self, store, make_entry, change):
        """Before and after a redefinition are two trends, and only the newer is current."""
        for index in range(6):
            store.append(make_entry(f"w_{index}", **(change if index >= 4 else {})))
        found = trends(store.read()[0], NAME)
        assert [len(trend.points) for trend in found] == [4, 2]
        assert [trend.is_current for trend in found] == [False, True]

    def test_datasets_are_series_of_their_own(self, store, make_entry):
        """The same metric of two datasets is two trends, and a baseline belongs to one."""
        for dataset in ("hits", "latiss"):
            store.append(make_entry("w_000", dataset=dataset))
        found = trends(store.read()[0], NAME, baseline=baseline(dataset="latiss"))
        assert [(trend.dataset, trend.band is not None) for trend in found] == [("hits", False), ("latiss", True)]

    def test_baseline_of_another_definition_says_nothing(self, fill):
        """A band that was accepted of another quantity is not drawn over this one."""
        trend = only(fill([100.0], definition="d2"), baseline=baseline())
        assert (trend.band, trend.acceptances) == (None, ())

    def test_all_metrics_at_once(self, store, make_entry):
        """Without a name there is a trend of each metric."""
        store.append(make_entry("w_1", rows=tuple(Row(f"dia.m{index}", "", "d", 1.0) for index in range(5))))
        assert [trend.metric for trend in trends(store.read()[0])] == [f"dia.m{index}" for index in range(5)]

    def test_unknown_metric_is_one_sentence(self, fill, store):
        """A misspelt name gets the right one, an empty history says so."""
        with pytest.raises(UsageError, match=r"^the history is empty"):
            trends(store.read()[0], NAME)
        with pytest.raises(UsageError, match=r"no metric 'dia.numSource'; did you mean dia.numSources\?"):
            trends(fill([1.0]), "dia.numSource")


class TestBand:
    """What the baseline accepts today."""

    @pytest.mark.parametrize(
        ("rule", "direction", "band"),
        [
            (Unchanged(rtol=0.05, atol=0.0), "both", Interval(95, 105)),
            (Unchanged(rtol=0.05, atol=8.0), "lower_is_better", Interval(-math.inf, 108)),
            (Unchanged(rtol=0.05, atol=0.0), "higher_is_better", Interval(95, math.inf)),
            (Within(low=1.0, high=2.0), "both", Interval(1, 2)),
            (Below(value=3.0), "both", Interval(-math.inf, 3)),
            (Above(value=3.0), "both", Interval(3, math.inf)),
            (Closes(ulp=2.0), "both", Interval(0, 2)),
            (Below(metric="dia.other"), "both", None),
            (Below(value=3.0, for_at_least=0.9), "both", None),
            (AgreesWith(metric="dia.other", rtol=0.1), "both", None),
        ],
    )
    def test_band_of_each_expectation(self, fill, rule, direction, band):
        """Every expectation about the value itself has a band; one about another metric has none."""
        entry = accepted(rule, direction)
        assert accepted_band(entry) == band
        assert only(fill([100.0]), baseline=baseline(entry=entry)).band == band

    def test_acceptances_of_the_metric_are_the_original_and_the_latest(self, fill):
        """Both that an entry knows are told, once each."""
        trend = only(fill(NOISE[:12]), baseline=baseline())
        assert [each.rerun for each in trend.acceptances] == ["w_000", "w_010"]
        assert [trend.accepted_from(each) for each in trend.acceptances] == [0, 10]


class TestChanges:
    """Where the level moved."""

    def test_step_is_found_across_gaps(self, fill):
        """Reruns that were not measured neither hide a step nor shift its date."""
        values = NOISE[:40].copy()
        values[25:] += 10
        values[[3, 20, 26]] = np.nan
        trend = only(fill(values))
        assert trend.changes == (25,)
        (first, last, before), (start, end, after) = trend.levels()
        assert (first, last, start, end) == (0, 24, 25, 39)
        assert (before, after) == pytest.approx((100, 110), abs=0.5)

    def test_quiet_series_is_one_level(self, fill):
        """Without a step there is one level."""
        trend = only(fill(NOISE[:30]))
        assert trend.changes == ()
        assert [(first, last) for first, last, _ in trend.levels()] == [(0, 29)]

    def test_changes_are_no_verdicts(self, fill):
        """A step is drawn into the trend; what each rerun was judged to be stays as it was."""
        values = np.repeat([100.0, 200.0], 10) + NOISE[:20]
        frame = fill(values)
        assert only(frame).changes == (10,)
        assert set(frame["state"]) == {"PASS"}


class TestWarning:
    """Robust z against the accepted reruns before."""

    def test_far_from_the_accepted_is_a_warning(self, fill):
        """The sentence names metric, value, rerun, by how much, and what it was held against."""
        trend = only(fill([*NOISE[:20], 120.0]))
        assert trend.warning().startswith("dia.numSources = 120 in w_020: ")
        assert "standard deviations above the last 20 accepted reruns (median " in trend.warning()
        assert trend.warning(19) == ""

    def test_current_rerun_is_not_among_those_it_is_held_against(self, fill):
        """What is judged has no say in the judgement."""
        trend = only(fill([*NOISE[:20], 120.0]))
        assert trend.before(20).tolist() == NOISE[:20].tolist()

    def test_only_the_last_accepted_count(self, fill):
        """Those that failed, were not measured, or are long past do not count."""
        values = [*([1e6] * 5), *NOISE[:LAST], 1e6, math.nan, 100.0]
        states = ["PASS"] * (5 + LAST) + ["FAIL", "NOT_MEASURED", "PASS"]
        trend = only(fill(values, state=states))
        assert trend.before(len(values) - 1).tolist() == NOISE[:LAST].tolist()

    def test_failures_do_not_become_the_new_normal(self, fill):
        """However many reruns fail at a new level, the next one of them is still far from what was accepted."""
        states = ["PASS"] * 20 + ["FAIL"] * 15
        trend = only(fill([*NOISE[:20], *(NOISE[20:35] + 30)], state=states))
        assert trend.warning()

    def test_after_an_acceptance_its_level_counts(self, fill):
        """With a new level accepted, going back to the old one is what is far off."""
        values = [*NOISE[:20], *(NOISE[20:32] + 30), 100.0]
        states = ["PASS"] * 20 + ["FAIL"] + ["PASS"] * 11 + ["FAIL"]
        trend = only(fill(values, state=states), baseline=baseline(second="w_020"))
        assert trend.before(32).min() > 120
        assert "below the last 12 accepted reruns" in trend.warning()

    def test_constant_that_changed_is_a_warning(self, fill):
        """After ten times the very same number any other is told, without a division by zero."""
        assert "the last 10 accepted reruns all had 7" in only(fill([7.0] * 10 + [8.0])).warning()

    def test_few_accepted_reruns_give_no_warning(self, fill):
        """Seven reruns do not show the scatter."""
        assert only(fill([*NOISE[:7], 1e9])).warning() == ""

    def test_warnings_about_a_rerun_are_of_all_its_metrics(self, store, make_entry):
        """A nightly check gets the warnings of one rerun, whatever came after it."""
        for index in range(20):
            far = 50 if index == 18 else 0
            rows = tuple(Row(f"dia.m{n}", "", "d", NOISE[index] + far * n, state="PASS") for n in range(3))
            store.append(make_entry(f"w_{index}", rows=rows))
        frame = store.read()[0]
        told = warnings_about(frame, "w_18")
        assert [text.partition(" ")[0] for text in told] == ["dia.m1", "dia.m2"]
        assert warnings_about(frame, "w_17") == []
        assert warnings_about(frame, "w_99") == []
