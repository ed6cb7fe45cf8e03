"""`harness.baseline.accept`: only what was named changes, whole or not at all, and nobody's work is lost."""

from __future__ import annotations

import getpass
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.baseline.accept import apply, who
from harness.baseline.files import canonical_bytes, parse_baseline, read_baseline
from harness.baseline.model import Baseline, Unchanged
from harness.baseline.plan import plan_acceptance
from harness.errors import HarnessError, UsageError

AT = datetime(2020, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def accept(path, provenance):
    """Return a function that applies a plan to the file."""

    def call(plan, **more):
        return apply(
            plan, path, **{"provenance": provenance, "reason": "DM-24371 merged", "by": "Bo", "at": AT, **more}
        )

    return call


def entries(path):
    """Return the text of each entry, exactly as it stands in the file."""
    text = path.read_text(encoding="utf-8")
    names = json.loads(text)["metrics"]
    starts = {name: text.index(f'    "{name}": {{') for name in names}
    return {name: text[start : text.index("\n    }", start)] for name, start in starts.items()}


def test_subset_leaves_other_entries_byte_identical(path, baseline, measured, accept, provenance):
    """Accepting one of three changed metrics keeps the bytes of the other two, and tells its story."""
    before = entries(path)
    measurements = {name: measured(name, entry.value * 1.01) for name, entry in baseline.metrics.items()}
    key = accept(plan_acceptance(baseline, measurements, globs=["dia.b"]), ticket=" DM-25149 ")
    after = entries(path)
    assert key == "2020-07-01-w_2020_24"
    assert {name for name in before if before[name] != after[name]} == {"dia.b"}
    accepted = read_baseline(path)
    assert path.read_bytes() == canonical_bytes(accepted)
    assert accepted.acceptances["first"] == baseline.acceptances["first"]
    assert accepted.acceptances[key].model_dump() == {
        "at": AT,
        "by": "Bo",
        "harness": "0.1.0",
        "rerun": "w_2020_24",
        "versions": {"ip_diffim": "20.0"},
        "inputs": provenance.inputs_digest,
        "reason": "DM-24371 merged",
        "ticket": "DM-25149",
        "visits": 28,
    }
    entry = accepted.metrics["dia.b"]
    assert (entry.value, entry.accepted, entry.original.value, entry.original.accepted) == (202.0, key, 200.0, "first")


@settings(deadline=None, max_examples=60)
@given(
    steps=st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.5, 2.0), min_size=1),
    named=st.sets(st.sampled_from("abcdefgh"), min_size=1),
)
def test_any_subset_leaves_other_entries_alone(tmp_path_factory, steps, named):
    """Whatever changes and whichever metrics are named, no other entry changes a byte."""
    path = tmp_path_factory.mktemp("any") / "hits.json"
    start(path, "abcdefgh")
    before = entries(path)
    baseline = read_baseline(path)
    measurements = {name: a_measurement(name, 100.0 * steps.get(name, 1.0)) for name in "abcdefgh"}
    plan = plan_acceptance(baseline, measurements, globs=sorted(named))
    if plan.changes:
        apply(plan, path, provenance=a_provenance("w_2020_24"), reason="r", by="Bo", at=AT)
    after = entries(path)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in named if steps.get(name, 1.0) != 1.0}


@settings(deadline=None, max_examples=20)
@given(st.permutations([("a", "b"), ("c",), ("d", "e")]))
def test_order_of_acceptances_does_not_matter(tmp_path_factory, order):
    """Plans for different metrics, made from one state, give the same bytes in whatever order they are applied."""
    results = set()
    for groups in (order, sorted(order)):
        path = tmp_path_factory.mktemp("any") / "hits.json"
        start(path, "abcdef")
        baseline = read_baseline(path)
        plans = [(names, plan_acceptance(baseline, {n: a_measurement(n, 101.0) for n in names})) for names in groups]
        for names, plan in plans:
            apply(plan, path, provenance=a_provenance("".join(names)), reason="r", by="Bo", at=AT)
        results.add(path.read_bytes())
    assert len(results) == 1


def test_first_acceptance_makes_the_file(tmp_path, measured, provenance):
    """Without a file the first acceptance makes one, and the value is its own original."""
    path = tmp_path / "new.json"
    rule = Unchanged(rtol=0.02, atol=0.0)
    plan = plan_acceptance(Baseline(dataset="new"), {"dia.a": measured("dia.a", 7.0)}, expectation=rule)
    key = apply(plan, path, provenance=provenance, reason="first baseline", by="Bo")
    entry = read_baseline(path).metrics["dia.a"]
    assert entry.original.model_dump() == {"value": 7.0, "accepted": key}
    assert [each.name for each in tmp_path.iterdir()] == ["new.json"]


def test_removal(path, baseline, accept):
    """A removed entry goes, its story stays."""
    accept(plan_acceptance(baseline, {}, globs=["sci.*"], categories=["removed"]))
    assert sorted(read_baseline(path).metrics) == ["dia.a", "dia.b"]
    assert "first" in read_baseline(path).acceptances


def test_keys_are_readable_and_unique(path, baseline, measured, accept, provenance):
    """The key is day and rerun; a second acceptance of the same day counts on, and odd characters are replaced."""
    keys = []
    for value in (101.0, 102.0, 103.0):
        plan = plan_acceptance(read_baseline(path), {"dia.a": measured("dia.a", value)}, globs=["dia.a"])
        keys.append(accept(plan))
    assert keys == ["2020-07-01-w_2020_24", "2020-07-01-w_2020_24-2", "2020-07-01-w_2020_24-3"]
    plan = plan_acceptance(read_baseline(path), {"dia.a": measured("dia.a", 104.0)}, globs=["dia.a"])
    assert accept(plan, provenance=replace(provenance, rerun="u/bo/DM-1 x/")) == "2020-07-01-u-bo-DM-1-x"


def test_moment_is_utc_in_whole_seconds(path, baseline, measured, accept):
    """A moment of another time zone is stored in UTC, without fractions of a second."""
    plan = plan_acceptance(baseline, {"dia.a": measured("dia.a", 101.0)}, globs=["dia.a"])
    at = datetime(2020, 7, 1, 1, 30, 0, 5000, tzinfo=timezone(timedelta(hours=2)))
    key = accept(plan, at=at)
    assert key == "2020-06-30-w_2020_24"
    assert '"at": "2020-06-30T23:30:00Z"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_reason_is_required(path, baseline, measured, accept, reason):
    """Nothing is accepted without a reason."""
    plan = plan_acceptance(baseline, {"dia.a": measured("dia.a", 101.0)}, globs=["dia.a"])
    with pytest.raises(UsageError, match="needs a reason; say --reason"):
        accept(plan, reason=reason)
    assert path.read_bytes() == canonical_bytes(baseline)


def test_words_that_cannot_be_stored_are_refused(path, baseline, measured, accept):
    """Bytes of the command line that are no characters are refused in one sentence."""
    plan = plan_acceptance(baseline, {"dia.a": measured("dia.a", 101.0)}, globs=["dia.a"])
    with pytest.raises(UsageError, match="the acceptance is refused: reason must be made of characters"):
        accept(plan, reason="\udcff")
    assert path.read_bytes() == canonical_bytes(baseline)


def test_nothing_to_accept_says_why(baseline, measured, accept):
    """An empty plan is refused, with the reason of the first value that could not be accepted."""
    same = {"dia.a": measured("dia.a", 100.0)}
    with pytest.raises(UsageError, match=r"there is nothing to accept for hits$"):
        accept(plan_acceptance(baseline, same))
    with pytest.raises(UsageError, match=r"nothing to accept for hits; dia\.d is new and needs an expectation"):
        accept(plan_acceptance(baseline, {**same, "dia.d": measured("dia.d", 1.0)}))


def test_file_of_another_dataset_is_refused(tmp_path, baseline, measured, provenance):
    """A plan is not written into another dataset's file."""
    plan = plan_acceptance(baseline, {"dia.a": measured("dia.a", 101.0)})
    with pytest.raises(UsageError, match=r"other\.json cannot hold the dataset 'hits'; its file is hits\.json"):
        apply(plan, tmp_path / "other.json", provenance=provenance, reason="r", by="Bo")


def test_outdated_plan_is_refused(path, baseline, measured, accept):
    """A plan whose entry somebody else changed meanwhile is refused; one about other entries is not."""
    mine = plan_acceptance(baseline, {"dia.a": measured("dia.a", 101.0)}, globs=["dia.a"])
    theirs = plan_acceptance(baseline, {"dia.a": measured("dia.a", 102.0)}, globs=["dia.a"])
    other = plan_acceptance(baseline, {"dia.b": measured("dia.b", 202.0)}, globs=["dia.b"])
    accept(theirs)
    with pytest.raises(UsageError, match=r"dia\.a in .* was changed by somebody else since the plan was made"):
        accept(mine)
    accept(other)
    values = {name: entry.value for name, entry in read_baseline(path).metrics.items()}
    assert values == {"dia.a": 102.0, "dia.b": 202.0, "sci.c": 5.0}


def test_changed_settings_are_refused(path, baseline, measured, accept):
    """A plan measured under other settings than the file has now is refused."""
    plan = plan_acceptance(baseline, {"dia.a": measured("dia.a", 101.0)}, globs=["dia.a"])
    path.write_bytes(canonical_bytes(baseline.replaced(settings=baseline.settings.replaced(good_flags="S6"))))
    with pytest.raises(UsageError, match=r"the settings in .* were changed since the plan was made"):
        accept(plan)


def test_who(monkeypatch, tmp_path):
    """Who accepts is said, else known to git, else the login name."""
    assert who(" Bo ") == "Bo"
    (tmp_path / "gitconfig").write_text("[user]\n\tname = Ana Núñez\n", encoding="utf-8")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.chdir(tmp_path)
    assert who() == "Ana Núñez"
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("LOGNAME", "bo")
    assert who() == "bo"

    def unknown():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    with pytest.raises(UsageError, match="nothing says who you are; say --by NAME"):
        who()


def test_no_room_keeps_the_old_file(path, baseline, measured, accept):
    """When the new file does not fit, the old one stays and nothing is left beside it."""
    plan = plan_acceptance(baseline, {"dia.a": measured("dia.a", 101.0)}, globs=["dia.a"])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(HarnessError, match=r"^cannot write .*hits\.json: file too large; .* intact$"):
            accept(plan)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_bytes() == canonical_bytes(baseline)
    assert list(path.parent.iterdir()) == [path]


# What follows runs acceptances in other processes, which import this file's functions by path.


def a_measurement(name, value):
    """Make a measurement without the help of a fixture."""
    from harness.model import Measurement

    return Measurement(name, "w", value, 1.0, "ct", 28, "d1", "b2")


def a_provenance(rerun):
    """Make a provenance without the help of a fixture."""
    from harness.model import Provenance

    return Provenance(rerun, "repo")


def start(path, names):
    """Write a baseline in which every metric is 100."""
    rule = Unchanged(rtol=0.02, atol=0.0)
    plan = plan_acceptance(Baseline(dataset="hits"), {n: a_measurement(n, 100.0) for n in names}, expectation=rule)
    apply(plan, path, provenance=a_provenance("w_2020_20"), reason="first baseline", by="Bo", at=AT)


WRITER = """
import sys
from pathlib import Path
from harness.baseline.accept import apply
from harness.baseline.files import read_baseline
from harness.baseline.plan import plan_acceptance
from harness.model import Measurement, Provenance

path, glob, steps = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
for step in range(steps):
    baseline = read_baseline(path)
    new = {
        name: Measurement(name, "w", entry.value + 1.0, 1.0, "ct", 28, "d1", "b2")
        for name, entry in baseline.metrics.items()
    }
    plan = plan_acceptance(baseline, new, globs=[glob])
    apply(plan, path, provenance=Provenance(glob[0], "repo"), reason="step", by="Bo")
"""


def writer(path, glob, steps):
    """Start a process that accepts +1 for the metrics of a pattern, again and again."""
    command = [sys.executable, "-c", WRITER, str(path), glob, str(steps)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ})
    process.stdout.readline()
    return process


def test_two_writers_lose_nothing(tmp_path):
    """Two processes that accept different metrics at the same time both get all of theirs in."""
    path = tmp_path / "hits.json"
    start(path, ["a.x", "a.y", "b.x"])
    with writer(path, "a.*", 15) as one, writer(path, "b.*", 15) as two:
        assert one.wait(60) == two.wait(60) == 0
    after = read_baseline(path)
    assert {name: entry.value for name, entry in after.metrics.items()} == {"a.x": 115.0, "a.y": 115.0, "b.x": 115.0}
    assert len(after.acceptances) == 31
    assert list(tmp_path.iterdir()) == [path]


def test_kill_in_the_middle_of_accept(tmp_path):
    """A SIGKILL at any moment leaves a whole baseline, old or new, and the next acceptance goes through."""
    path, lock = tmp_path / "hits.json", tmp_path / "hits.json.lock"
    names = [f"dia.m{number}" for number in range(300)]
    start(path, names)
    rng = random.Random(20201121)
    last, interrupted = 100.0, 0
    for round_ in itertools.count():
        with writer(path, "*", 1000) as process:
            time.sleep(rng.uniform(0.0, 0.15))
            process.kill()
        content = path.read_bytes()
        baseline = parse_baseline(content, path)
        assert canonical_bytes(baseline) == content
        (value,) = {entry.value for entry in baseline.metrics.values()}  # one acceptance is all or nothing
        assert value >= last
        assert len(baseline.acceptances) == 1 + round(value - 100.0)
        last = value
        interrupted += any(each != path for each in tmp_path.iterdir())
        if lock.exists() and not lock.read_bytes():  # killed before it could sign: by hand, as the message says
            lock.unlink()
        if round_ >= 8 and interrupted >= 2:
            break
        assert round_ < 60, "no kill hit an acceptance at work"
    with writer(path, "*", 1) as process:  # the lock of the dead is not in the way
        assert process.wait(60) == 0
    assert {entry.value for entry in read_baseline(path).metrics.values()} == {last + 1.0}
