"""``rerun-harness acknowledge``: a known failure, until a date."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from embedded_survey import APRIL, JUNE, MAY

TODAY = datetime.now(UTC).date()
NEXT_WEEK = (
    "--until",
    TODAY + timedelta(days=7),
    "--ticket",
    "DM-25149",
    "--reason",
    "being fixed",
    "--by",
    "A. Person",
)
JUDGE_APRIL = ("verify", "--rerun", APRIL, "--reference", MAY)
SOURCES_ONLY = ("--", "-k", "numSources]")


def test_known_failure_is_excused(measured):
    """It fails; acknowledged it does not, and says by which ticket until when."""
    measured(*JUDGE_APRIL, *SOURCES_ONLY, code=1)
    answer = measured("acknowledge", "dia.numSources", *NEXT_WEEK)
    assert answer.out.startswith(f"1 metric acknowledged until {NEXT_WEEK[1]} in baselines/hits2015.json")
    answer = measured(*JUDGE_APRIL, *SOURCES_ONLY)
    assert f"acknowledged until {NEXT_WEEK[1]} (DM-25149: being fixed)" in answer.out
    assert "1 judged: 1 ACKNOWLEDGED" in answer.out


def test_expired_acknowledgement_excuses_nothing(measured):
    """Past its date the failure is a failure, and ``check`` says so too."""
    measured("acknowledge", "dia.numSources", *NEXT_WEEK)
    path = measured.baselines / "hits2015.json"
    content = json.loads(path.read_text())
    content["acknowledgements"]["dia.numSources"]["until"] = str(TODAY - timedelta(days=1))
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    answer = measured(*JUDGE_APRIL, *SOURCES_ONLY, code=1)
    assert f"the acknowledgement of DM-25149 expired on {TODAY - timedelta(days=1)}" in answer.out
    answer = measured("check", code=1)
    assert "the acknowledgement of dia.numSources (DM-25149) expired on" in answer.out


def test_what_passes_again_fails_until_it_is_taken_back(measured):
    """An acknowledgement that outlives its failure would excuse the next one."""
    measured("acknowledge", "dia.numSources", *NEXT_WEEK)
    judge = ("verify", "--rerun", JUNE, *SOURCES_ONLY)
    assert "passes again: remove the acknowledgement of DM-25149" in measured(*judge, code=1).out
    answer = measured("acknowledge", "dia.numSources", "--remove")
    assert answer.out.startswith("1 metric no longer acknowledged")
    measured(*judge)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dia.numZ*", *NEXT_WEEK], "no metric matches"),
        (["dia.numSources"], "an acknowledgement needs --until DATE, --ticket and --reason"),
        (["dia.numSources", "--remove"], "no metric matches"),
        (["dia.numSources", "--until", TODAY - timedelta(days=1), *NEXT_WEEK[2:]], "would have expired already"),
        (["dia.numSources", "--until", TODAY + timedelta(days=999), *NEXT_WEEK[2:]], "more than a year ahead"),
        (["dia.numSources", *NEXT_WEEK, "--dataset", "hits2016"], "there is no baseline"),
    ],
)
def test_refusals(measured, arguments, words):
    """What cannot be acknowledged is refused in one line, and the file keeps its bytes."""
    before = (measured.baselines / "hits2015.json").read_bytes()
    assert words in measured("acknowledge", *arguments, code=2).complaint
    assert (measured.baselines / "hits2015.json").read_bytes() == before


def test_date_has_one_form(measured):
    """A date that is none is an error of usage."""
    answer = measured("acknowledge", "dia.numSources", "--until", "tomorrow", *NEXT_WEEK[2:], code=2)
    assert "'tomorrow' does not match the format '%Y-%m-%d'" in answer.err
