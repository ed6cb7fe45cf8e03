"""A message is short, plain, and cannot be taken for markup or a call."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.model import Verdict, VerdictState
from harness.nightly.message import failure_message, plain

HOSTILE = "<script>alert(1)</script> <!channel> @here\n\u202e\x1b[31m&amp;"


def verdict(metric, state, sentence=""):
    """Return a verdict."""
    return Verdict(metric, "w_3", VerdictState(state), "unchanged", 1.0, "ct", sentence or f"{metric} = 1")


def message(verdicts, new, *, before="w_2", remarks=(), limit=10):
    """Return the lines of a message."""
    text = failure_message(
        "w_3", "hits", verdicts, new, before=before, remarks=remarks, report=Path("/r/w_3.html"), limit=limit
    )
    assert text.endswith("\n")
    return text.splitlines()


def test_story_is_told_from_the_top():
    """What it is, what is known of it, the new failures in order, the old ones counted, and where to look."""
    ranked = [verdict("a", "FAIL"), verdict("b", "FAIL"), verdict("c", "NOT_MEASURED"), verdict("d", "PASS")]
    assert message(ranked, {"a", "c"}, remarks=["confirmed"]) == [
        "w_3 of hits: 4 judged: 2 FAIL, 1 NOT_MEASURED, 1 PASS; 2 new",
        "confirmed",
        "FAIL a = 1",
        "NOT_MEASURED c = 1",
        "1 more as in w_2",
        "report: /r/w_3.html",
    ]


def test_many_failures_are_cut_short():
    """The first ones are told, the rest is counted."""
    ranked = [verdict(f"m{number}", "FAIL") for number in range(30)]
    lines = message(ranked, {each.metric for each in ranked}, limit=3)
    assert lines[1:5] == ["FAIL m0 = 1", "FAIL m1 = 1", "FAIL m2 = 1", "… and 27 more"]


def test_what_comes_from_data_is_no_markup():
    """Neither a tag, nor a mention, nor a control character survives, wherever it stands."""
    lines = message([verdict(HOSTILE, "FAIL", HOSTILE)], {HOSTILE}, before=HOSTILE, remarks=[HOSTILE])
    assert len(lines) == 4
    assert not set("<>@\x1b\u202e") & set("".join(lines))
    assert "‹script›alert(1)‹/script› ‹!channel› ＠here [31m&amp;" in lines[1]


@given(st.text(max_size=2000))
def test_any_text_is_one_safe_line(text):
    """Whatever is in it, a line stays a line of bounded length, without brackets and at signs, and stays as it is."""
    line = plain(text)
    assert len(line) <= 400
    assert len(line.splitlines()) <= 1
    assert not set("<>@") & set(line)
    assert plain(line) == line
