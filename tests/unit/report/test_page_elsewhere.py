"""What the page says, as Markdown, as JSON, as annotations and as JUnit properties."""

from __future__ import annotations

import json
import math
import re
from dataclasses import fields, replace
from datetime import date

import pytest
from markdown_it import MarkdownIt
from reported import AT, SCRIPT, manifest, outcome, session, verdict

from harness.baseline.model import Acknowledgement, Baseline
from harness.model import Interval, Verdict, VerdictState
from harness.report.annotations import github_annotations
from harness.report.content import report_content
from harness.report.junit import junit_properties
from harness.report.summary_json import report_json
from harness.report.summary_markdown import report_markdown


def content(*verdicts, problems=(), notes=(), tolerated=(), **known):
    """Return what a report of these verdicts says."""
    asked = session(**known)
    asked.tolerated |= set(tolerated)
    return report_content(asked, outcome(*verdicts, problems=problems), notes, at=AT)


def hostile(state=VerdictState.FAIL):
    """Return a report with script, markup and commands in every field of text that data or a ticket bring."""
    texts = {field.name: SCRIPT for field in fields(Verdict) if field.type == "str"}
    note = Acknowledgement(until=date(2027, 1, 1), ticket=SCRIPT, reason=SCRIPT, by=SCRIPT, at=AT)
    return content(
        replace(verdict(state=state), **texts, details=(SCRIPT,), context=(SCRIPT, f"next {SCRIPT}")),
        problems=[SCRIPT],
        notes=[SCRIPT],
        reruns=(SCRIPT,),
        reference=SCRIPT + "2",
        describe=f"<script src=x {SCRIPT}",
        baseline=Baseline(dataset="mine", acknowledgements={SCRIPT: note}),
        **{SCRIPT: manifest(SCRIPT, source=SCRIPT, versions={SCRIPT: SCRIPT}, schema=SCRIPT)},
    )


def rendered(markdown):
    """Return Markdown as HTML, as GitHub has it: with tables, and with HTML let through."""
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


def test_markdown_tells_what_does_not_hold_first():
    """Failures by size with their numbers, then doubts, then the table of all, folded."""
    lines = {
        "details": ("rule       unchanged",),
        "context": ("churn      9 lost", "next       rerun-harness diff a b"),
    }
    known = content(
        verdict("dia.fine", VerdictState.PASS, estimate=0.0),
        verdict("dia.small", estimate=0.2),
        verdict("dia.large", estimate=0.4, **lines),
        verdict("dia.doubt", VerdictState.INCONCLUSIVE),
        notes=["not judged: b"],
    )
    html = rendered(report_markdown(known))
    assert re.findall(r"<h(\d)>(.*?)</h\1>", html) == [
        ("1", "w_2020_20"),
        ("2", "Failed (2)"),
        ("2", "Inconclusive (1)"),
        ("2", "w_2020_20 as a whole"),
        ("2", "Notes"),
        ("3", "Verdicts, the worst first"),
        ("3", "Reruns"),
    ]
    assert "<strong>4 judged: 2 FAIL, 1 INCONCLUSIVE, 1 PASS</strong>" in html
    assert html.index("<strong>dia.large</strong> (4 × tolerance): ") < html.index("<strong>dia.small</strong>")
    assert "<code>rerun-harness diff a b</code>" in html
    assert html.count("<tr>") == 5 + 2


def test_markdown_names_metrics_with_the_same_reason_once():
    """Many metrics that were not measured are one entry."""
    gone = [verdict(f"dia.{name}", VerdictState.NOT_MEASURED, sentence=f"dia.{name} is gone") for name in "ab"]
    assert "- 2 metrics of w\\_2020\\_20: … is gone (dia.a, dia.b)\n" in report_markdown(content(*gone))


@pytest.mark.parametrize("state", VerdictState)
def test_nothing_from_data_is_markup_in_markdown(state):
    """Rendered with HTML let through, there is no element that the report did not make, and every text is whole."""
    html = rendered(report_markdown(hostile(state)))
    assert set(re.findall(r"<(\w+)", html)) <= {
        *("h1", "h2", "h3", "p", "strong", "ul", "li", "code", "details", "summary"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;&lt;!-- | ` ]] %0A::error::x ::error::y") >= 10


def test_markdown_of_a_large_run_stays_below_the_limit_of_a_summary():
    """GitHub refuses more than 1 MiB; what is left out is counted."""
    many = [verdict(f"dia.metric{index:05}", details=("rule " + 200 * "x",)) for index in range(5000)]
    markdown = report_markdown(content(*many))
    assert len(markdown.encode()) < 2**20
    assert "- and 4900 more\n" in markdown
    assert "- and 3000 more\n" in markdown


def test_json_says_all_that_the_page_says():
    """Strict JSON, in the order of the page, with the size of each failure."""
    known = content(
        verdict("dia.fine", VerdictState.PASS, estimate=0.0),
        verdict("dia.none", acceptable=Interval(0, 0)),
        verdict("dia.open", interval=Interval(0.5, math.inf), estimate=0.2),
        problems=["ERROR"],
        notes=["b"],
        reference="w_2020_15",
        w_2020_15=None,
    )
    document = json.loads(report_json(known), parse_constant=pytest.fail)
    assert [each["metric"] for each in document["verdicts"]] == ["dia.none", "dia.open", "dia.fine"]
    assert [each["size"] for each in document["verdicts"]] == [None, 2.0, 0.0]
    assert document["verdicts"][0]["magnitude"] == "nothing is tolerated"
    assert document["verdicts"][1]["interval"] == {"low": 0.5, "high": None}
    assert document["counts"] == {"FAIL": 2, "PASS": 1}
    assert [each["is_measured"] for each in document["reruns"]] == [True, False]
    assert document["reruns"][0]["versions"] == {"ip_diffim": "19.0", "log": "1"}
    assert (document["problems"], document["notes"], document["at"]) == (["ERROR"], ["b"], AT.isoformat())


def test_json_keeps_every_text_as_it_is():
    """A script gets what data brought, unescaped: it is data there."""
    document = json.loads(report_json(hostile()))
    assert document["verdicts"][0]["sentence"] == document["title"] == document["notes"][0] == SCRIPT
    assert document["acknowledged"][SCRIPT]["ticket"] == SCRIPT


#: How the runner reads a command (actions/runner, ActionCommand): the name, the properties, the message.
COMMAND = re.compile(r"::(?P<level>error|warning) title=(?P<title>[^:,\n\r]*)::(?P<message>[^\n\r]*)")


def read(line):
    """Return level, title and message of an annotation as the runner unescapes them."""
    found = COMMAND.fullmatch(line)
    assert found, line
    codes = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}
    unescaped = [re.sub("%(0D|0A|3A|2C|25)", lambda code: codes[code[0]], found[name]) for name in ("title", "message")]
    return found["level"], *unescaped


def test_annotations_tell_the_story_in_their_first_line():
    """The title names metric and rerun, the message begins with the sentence; the worst is first."""
    lines = {"details": ("rule       within 2 %",), "context": ("next       rerun-harness diff a b",)}
    known = content(
        verdict("dia.small", estimate=0.2),
        verdict("dia.large", sentence="dia.large = 8, +8 % (allowed: ±2 %)", **lines),
        verdict("dia.fine", VerdictState.PASS),
        verdict("dia.known", VerdictState.ACKNOWLEDGED),
        verdict("dia.gone", VerdictState.NOT_MEASURED, sentence="dia.gone was not measured"),
        problems=["ERROR test_a.py: ZeroDivisionError"],
    )
    assert [read(line) for line in github_annotations(known)] == [
        ("error", "a check went wrong by itself", "ERROR test_a.py: ZeroDivisionError"),
        (
            "error",
            "FAIL dia.large in w_2020_20, 10 × tolerance",
            "dia.large = 8, +8 % (allowed: ±2 %)\nrule within 2 %\nnext rerun-harness diff a b",
        ),
        ("error", "FAIL dia.small in w_2020_20, 2 × tolerance", "dia.small is 8 % higher\nrule unchanged"),
        ("error", "NOT_MEASURED dia.gone in w_2020_20", "dia.gone was not measured\nrule unchanged"),
    ]


def test_what_is_tolerated_is_a_warning():
    """INCONCLUSIVE that is let through does not make the run red, and is still shown."""
    doubt = verdict(state=VerdictState.INCONCLUSIVE)
    assert [read(line)[0] for line in github_annotations(content(doubt))] == ["error"]
    (line,) = github_annotations(content(doubt, tolerated=[VerdictState.INCONCLUSIVE]))
    assert read(line)[:2] == ("warning", "INCONCLUSIVE dia.numSources in w_2020_20")


def test_annotations_beyond_what_is_shown_are_counted():
    """GitHub shows ten: the tenth names the rest."""
    lines = github_annotations(content(*(verdict(f"dia.m{index:02}") for index in range(25))))
    assert len(lines) == 10
    _, title, message = read(lines[-1])
    assert title == "and 16 more"
    assert message.splitlines()[0].startswith("FAIL dia.m09 ")
    assert len(message.splitlines()) == 16


def test_nothing_is_annotated_when_all_holds():
    """No line, no annotation."""
    assert github_annotations(content(verdict(state=VerdictState.PASS))) == []


@pytest.mark.parametrize("state", VerdictState)
def test_no_command_hides_in_an_annotation(state):
    """Whatever a sentence holds, an annotation is one line and one command, and reads as it was."""
    for line in github_annotations(hostile(state)):
        _, title, message = read(line)
        assert "\n" not in title
        assert SCRIPT in message or SCRIPT.replace("\n", " ") in title


def test_junit_properties_of_a_verdict():
    """Value, intervals, what it is held against and the verdict; nothing of what there is not."""
    details = ("rule x", "reference  w_2020_15: 7", 'baseline   7, accepted by me: "why"')
    properties = dict(junit_properties(verdict(details=details, acceptable=Interval(-math.inf, 0.1))))
    assert properties == {
        "dia.numSources": "8.0",
        "unit": "ct",
        "rerun": "w_2020_20",
        "expectation": "unchanged within 2 %",
        "interval": "[0.5, 1.5]",
        "acceptable": "[-inf, 0.1]",
        "reference": "w_2020_15: 7",
        "baseline": '7, accepted by me: "why"',
        "verdict": "FAIL",
    }
    unmeasured = verdict(state=VerdictState.NOT_MEASURED, value=math.nan, interval=None, acceptable=None, unit="")
    assert {"interval", "acceptable", "unit"}.isdisjoint(dict(junit_properties(unmeasured)))
