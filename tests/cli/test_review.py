"""``rerun-harness review``: what changed, one by one, decided by what is typed."""

from __future__ import annotations

import json

import pytest
from embedded_survey import JUNE

from harness.baseline.files import read_baseline

WHY = ("--reason", "as it should be", "--by", "A. Person")
CHANGED = ("dia.numGoodSources", "dia.numObjects", "dia.numSources")


@pytest.fixture
def short(measured):
    """Return the command line with a baseline of counts of defects and of three metrics, which June changes."""
    path = measured.baselines / "hits2015.json"
    content = json.loads(path.read_text())
    content["metrics"] = {
        name: entry
        for name, entry in content["metrics"].items()
        if name in CHANGED or (name.startswith("dia.") and entry["expectation"]["kind"] == "within")
    }
    path.write_text(json.dumps(content))
    measured("check", "--fix")
    return measured


def _values(run):
    metrics = read_baseline(run.baselines / "hits2015.json").metrics
    return {name: metrics[name].value for name in CHANGED}


OLD = {"dia.numGoodSources": 6518, "dia.numObjects": 7043, "dia.numSources": 19141}
NEW = {"dia.numGoodSources": 6551, "dia.numObjects": 7073, "dia.numSources": 19176}


@pytest.mark.parametrize(
    ("typed", "accepted"),
    [
        ("a r s", ["dia.numGoodSources"]),
        ("s a r", ["dia.numObjects"]),
        ("r A", ["dia.numObjects", "dia.numSources"]),
        ("A", ["dia.numGoodSources", "dia.numObjects", "dia.numSources"]),
        ("a R", ["dia.numGoodSources"]),
        ("a S", ["dia.numGoodSources"]),
        ("a a q", []),
        ("R", []),
    ],
)
def test_decisions(short, typed, accepted):
    """Each answer does what it says: accept, reject, skip, the same for the rest, and quit changes nothing."""
    answer = short("review", JUNE, *WHY, typed=typed.replace(" ", "\n") + "\n")
    assert _values(short) == {**OLD, **{name: NEW[name] for name in accepted}}
    what = "nothing changed" if not accepted else f"{len(accepted)} entr{'y' if len(accepted) == 1 else 'ies'} changed"
    assert f"{what} in baselines/hits2015.json" in answer.out


def test_each_change_is_shown_before_it_is_decided(short):
    """Old, new, change and what is expected stand above the question."""
    out = short("review", JUNE, *WHY, typed="q\n").out
    assert "1 of 3: dia.numGoodSources (changed)\n  6518 -> 6551 ct  +0.51 %\n  expected: unchanged within" in out
    assert "[a] accept, [r] reject, [s] skip" in out


def test_enter_skips(short):
    """Nothing is accepted by hitting the return key."""
    short("review", JUNE, *WHY, typed="\n\n\n")
    assert _values(short) == OLD


def test_reason_is_asked_for_at_the_end(short):
    """Without ``--reason`` the last question is why."""
    short("review", JUNE, "--by", "A. Person", typed="A\nsoftware of June\n")
    (acceptance,) = [
        each
        for each in read_baseline(short.baselines / "hits2015.json").acceptances.values()
        if each.reason == "software of June"
    ]
    assert acceptance.rerun == JUNE


def test_end_of_input_changes_nothing(short):
    """A review whose input ends is interrupted, with the code of an interruption."""
    answer = short("review", JUNE, *WHY, typed="a\n", code=130)
    assert answer.complaints[-1].startswith("Interrupted")
    assert _values(short) == OLD


def test_nothing_to_review(short):
    """A rerun that changes nothing asks nothing."""
    short("accept", JUNE, *CHANGED, "--reason", "June is right", "--by", "A. Person")
    assert short("review", JUNE, *WHY).out.startswith("nothing changed")
