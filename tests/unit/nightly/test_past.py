"""The history tells which reruns are done, and which failures are old."""

from __future__ import annotations

import pytest

from harness.history.entry import Entry, Row
from harness.history.store import HistoryStore
from harness.model import Verdict, VerdictState
from harness.nightly.past import Past


def entry(rerun, states, *, dataset="hits", inputs="i"):
    """Return a rerun with these verdicts by metric."""
    rows = tuple(Row(metric, "ct", "d", 1.0, state=state) for metric, state in states.items())
    return Entry(dataset, rerun, "repo", inputs, rows)


def verdicts(states, rerun="w_9"):
    """Return verdicts by metric."""
    return [Verdict(metric, rerun, VerdictState(state), "", 1.0, "ct", "") for metric, state in states.items()]


@pytest.fixture
def past(tmp_path):
    """Return what is read of a history of two reruns, and one of another dataset."""
    store = HistoryStore(tmp_path)
    for each in (
        entry("w_1", {"a": "FAIL", "b": "FAIL"}),
        entry("w_2", {"a": "PASS", "b": "FAIL", "c": "NOT_MEASURED"}),
        entry("w_3", {"a": "FAIL"}, dataset="other"),
    ):
        store.append(each)
    return Past(store.read()[0])


def test_known_is_the_same_name_from_the_same_inputs(past):
    """Another dataset, name or input is another rerun."""
    assert ("hits", "w_1", "i") in past
    assert ("hits", "w_1", "j") not in past
    assert ("other", "w_1", "i") not in past
    assert ("hits", "w_3", "i") not in past


def test_only_what_was_not_so_before_is_new(past):
    """Held against the last rerun of the dataset, whatever its name; passing and undecided is no trouble."""
    now = {"a": "FAIL", "b": "FAIL", "c": "FAIL", "d": "NOT_COMPARABLE", "e": "INCONCLUSIVE", "f": "PASS"}
    assert past.before("hits", "w_9") == "w_2"
    assert past.new_troubles("hits", "w_9", verdicts(now)) == {"a", "c", "d"}


def test_rerun_is_not_held_against_itself(past):
    """The same name once more is held against the one before."""
    assert past.before("hits", "w_2") == "w_1"
    assert past.new_troubles("hits", "w_2", verdicts({"a": "FAIL", "c": "NOT_MEASURED"})) == {"c"}


def test_everything_is_new_without_a_past(past):
    """A dataset's first rerun has nothing before it."""
    assert past.before("mine", "w_1") == ""
    assert past.new_troubles("mine", "w_1", verdicts({"a": "FAIL"})) == {"a"}


def test_what_is_added_counts_at_once(past):
    """Of several new reruns, each is held against the one before it."""
    past.add(entry("w_4", {"a": "FAIL", "b": "PASS"}, inputs="k"))
    assert ("hits", "w_4", "k") in past
    assert past.new_troubles("hits", "w_9", verdicts({"a": "FAIL", "b": "FAIL"})) == {"b"}
    past.add(entry("w_1", {"a": "PASS"}, inputs="k"))
    assert past.before("hits", "w_9") == "w_1"
