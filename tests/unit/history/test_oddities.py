"""What is odd about a history is named once, and nothing of it is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from harness.history.entry import Row
from harness.history.oddities import oddities
from harness.history.store import frame_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def rows(unit="ct", definition="d1", n=1):
    """Return rows of so many metrics."""
    return tuple(Row(f"dia.m{index}", unit, definition, 1.0) for index in range(n))


def test_ordinary_history_has_no_oddities(make_entry):
    """Different reruns, in order, defined alike: nothing to say."""
    assert oddities(frame_of([make_entry(f"w_{index}") for index in range(5)], NOON)) == []


def test_same_name_from_different_inputs_is_named(store, make_entry):
    """Two reruns of one name are both kept, and both sources are named."""
    for inputs in ("a", "b"):
        store.append(make_entry("w_1", inputs=inputs))
    frame, problems = store.read()
    assert frame.height == 2
    assert problems == ["hits: w_1 is there 2 times, from different inputs (repo:w_1); all are kept"]


def test_same_rerun_with_other_settings_is_named(store, make_entry):
    """The same inputs counted by another flag list are no other inputs."""
    for flags in ("S3", "S6"):
        store.append(make_entry("w_1", settings={"good_flags": flags}, definition=flags))
    problems = store.read()[1]
    assert problems[0] == "hits: w_1 is there 2 times, measured with different settings (repo:w_1); all are kept"


def test_same_name_in_two_datasets_is_ordinary(store, make_entry):
    """A software version reprocesses several datasets under one name."""
    for dataset in ("hits", "latiss"):
        store.append(make_entry("w_1", dataset=dataset))
    assert store.read()[1] == []


@pytest.mark.parametrize(("seconds", "count"), [(-59, 0), (-61, 1), (3600, 0)])
def test_clock_that_went_back_is_named(store, make_entry, seconds, count):
    """A minute between the clocks of two computers is nothing; more is named."""
    store.append(make_entry("w_1"), at=NOON)
    store.append(make_entry("w_2"), at=NOON + timedelta(seconds=seconds))
    problems = store.read()[1]
    assert len(problems) == count
    assert all("a clock was wrong; the order is that of writing" in problem for problem in problems)


def test_metric_that_changed_its_unit_is_named(make_entry):
    """Both units and the rerun that brought the new one are named."""
    entries = [make_entry(f"w_{index}", rows=rows(unit)) for index, unit in enumerate(("mmag", "mmag", "%", "%"))]
    assert oddities(frame_of(entries, NOON)) == [
        "hits: dia.m0 changed its unit from mmag to % with w_2; before and after are series of their own"
    ]


def test_metrics_redefined_together_are_named_together(make_entry):
    """A new version of the harness that redefines a hundred metrics gives one line."""
    entries = [make_entry("w_1", rows=rows(n=100)), make_entry("w_2", rows=rows(definition="d2", n=100))]
    (told,) = oddities(frame_of(entries, NOON))
    assert told.startswith(
        "hits: dia.m0, dia.m1, dia.m2, dia.m3, dia.m4 and 95 more changed their definition with w_2;"
    )
