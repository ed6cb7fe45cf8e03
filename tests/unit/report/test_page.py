"""The page: valid, self-contained, in order, and nothing from data is taken for HTML."""

from __future__ import annotations

from dataclasses import fields, replace
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

from harness.baseline.model import Baseline
from harness.model import Verdict, VerdictState
from harness.report import page
from harness.report.drawing import Drawing
from harness.report.listing import Column, Listing, number
from harness.report.page import report_page
from harness.verify import Outcome

SCRIPT = "\"'><script>alert(1)</script>&amp;<!--"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """A page as a browser has it: elements, attributes and text; an element that is not closed is an error."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self._open = [], {}, []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        """Open an element."""
        assert len({name for name, _ in attributes}) == len(attributes)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        """Close the element that was opened last."""
        assert self._open.pop() == tag

    def handle_data(self, data):
        """Keep the text of each kind of element."""
        if self._open:
            self.text.setdefault(self._open[-1], []).append(data)

    def all(self, tag):
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def verdict(metric="dia.numSources", state=VerdictState.FAIL, **known):
    """Return a verdict."""
    known = {"sentence": f"{metric} is 8 % higher", "details": ("rule unchanged",), "rerun": "w_2020_20", **known}
    return Verdict(metric=metric, state=state, expectation="unchanged", value=8.0, unit="ct", reference=7.0, **known)


def shown(*verdicts, reruns=("w_2020_20",), problems=(), notes=(), describe="reruns against baseline", baseline=None):
    """Return the page of these verdicts."""
    session = SimpleNamespace(
        baseline=baseline,
        refs=[SimpleNamespace(name=name) for name in reruns],
        tolerated={VerdictState.PASS, VerdictState.ACKNOWLEDGED},
        describe=lambda: describe,
        tables=lambda ref, name: [],
    )
    return report_page(session, Outcome(list(verdicts), list(problems)), notes)


def test_failures_stand_first_and_open():
    """What fails is told before what is in doubt, with its details in sight; what holds is in the table alone."""
    states = [VerdictState.PASS, VerdictState.INCONCLUSIVE, VerdictState.FAIL, VerdictState.ACKNOWLEDGED]
    html = shown(*(verdict(f"metric{number}", state) for number, state in enumerate(states)))
    read = Page(html)
    assert read.all("details") == [{"open": None}, {}]
    assert read.text["span"] == ["FAIL", "INCONCLUSIVE"]
    assert [text for text in read.text["summary"] if text.strip()] == [
        " metric2 is 8 % higher",
        " metric1 is 8 % higher",
    ]
    assert html.index("metric2 is 8 %") < html.index("metric1 is 8 %") < html.index("<table>")
    assert [attributes["class"] for attributes in read.all("td") if attributes["class"].isupper()] == [
        "FAIL",
        "INCONCLUSIVE",
        "ACKNOWLEDGED",
        "PASS",
    ]
    assert read.text["strong"] == ["4 judged: 1 FAIL, 1 INCONCLUSIVE, 1 ACKNOWLEDGED, 1 PASS"]


def test_nothing_fails():
    """A page on which all holds has no section of failures."""
    read = Page(shown(verdict(state=VerdictState.PASS)))
    assert read.text["h2"] == ["All that was judged"]
    assert read.all("details") == read.all("img") == []


def test_what_is_known_of_a_rerun_is_told_once():
    """The story of a rerun stands under its name, though each failure of it carries it, and ends with what to do."""
    churn, objects = ({"context": (line, "next rerun-harness diff")} for line in ("churn 9 lost", "objects grew"))
    read = Page(
        shown(
            verdict("a", **churn), verdict("b", **objects), verdict("c", rerun="w_2020_24", context=("churn 2 lost",))
        )
    )
    assert [heading for heading in read.text["h2"] if "whole" in heading] == [
        "w_2020_20 as a whole",
        "w_2020_24 as a whole",
    ]
    assert read.text["pre"][-2:] == ["churn 9 lost\nobjects grew\nnext rerun-harness diff", "churn 2 lost"]


def test_checks_that_went_wrong_are_told_before_anything_else():
    """An error in a check is no verdict, and must not be overlooked; notes follow what fails."""
    html = shown(verdict(), problems=["ERROR test_a.py: ZeroDivisionError"], notes=["not judged: a, b"])
    assert html.index("ZeroDivisionError") < html.index("is 8 % higher") < html.index("not judged: a, b")


def test_nothing_judged():
    """A page without verdicts says so."""
    read = Page(shown())
    assert read.text["strong"] == ["nothing was judged"]
    assert read.all("table") == []


@pytest.mark.parametrize("state", VerdictState)
def test_script_in_every_field_is_text(state):
    """Names, sentences, places, tickets: whatever data bring is shown as it is, and never run."""
    texts = {field.name: SCRIPT for field in fields(Verdict) if field.type == "str"}
    assert {"metric", "rerun", "sentence", "place", "unit", "against", "expectation"} <= set(texts)
    hostile = replace(verdict(state=state), **texts, details=(SCRIPT,), context=(SCRIPT,))
    html = shown(hostile, reruns=(SCRIPT,), problems=[SCRIPT], notes=[SCRIPT], describe=SCRIPT)
    read = Page(html)
    assert read.all("script") == []
    told = [text for texts in read.text.values() for text in texts if SCRIPT in text]
    assert len(told) >= (7 if state in {VerdictState.PASS, VerdictState.ACKNOWLEDGED} else 11)


def test_figures_are_in_the_page(monkeypatch):
    """A figure is part of the file, with its title, and in words for who cannot see it; both may hold anything."""
    from matplotlib.figure import Figure

    drawn = Drawing(f"gains {SCRIPT}", f"Gain of {SCRIPT}", Figure())
    monkeypatch.setattr(page, "figures_of", lambda session, ref: iter([drawn]))
    read = Page(shown(verdict()))
    (image,) = read.all("img")
    assert image["src"].startswith("data:image/png;base64,iVBOR")
    assert image["alt"] == f"Gain of {SCRIPT}"
    assert read.text["figcaption"] == [f"gains {SCRIPT}"]
    assert read.all("script") == []


def test_tables_of_figures_are_in_the_page(monkeypatch):
    """Numbers stand below their figure, with a caption and notes, and whatever they hold is text."""
    from matplotlib.figure import Figure

    columns = [Column("name", "template"), Column("value", "crossover", number, numeric=True)]
    table = Listing(f"Crossovers {SCRIPT}", columns, [{"name": SCRIPT, "value": 4.5}], [f"found {SCRIPT}"])
    drawn = Drawing("crossover", "Noise ratios", Figure(), table)
    monkeypatch.setattr(page, "figures_of", lambda session, ref: iter([drawn]))
    read = Page(shown())
    assert read.text["caption"] == [f"Crossovers {SCRIPT}"]
    assert read.text["th"] == ["template", "crossover"]
    assert read.text["td"] == [SCRIPT, "4.5"]
    assert f"found {SCRIPT}" in read.text["p"]
    assert read.all("script") == []


def test_the_page_stands_alone():
    """Nothing is loaded: no link, no script, no address in a style."""
    html = shown(verdict())
    read = Page(html)
    assert read.all("link") == read.all("script") == read.all("iframe") == []
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in html


def test_the_page_says_what_readers_need_to_know_of_it():
    """Language, encoding and width are declared; tables have headings; what scrolls can be reached by keyboard."""
    html = shown(verdict())
    read = Page(html)
    assert html.startswith("<!DOCTYPE html>\n")
    assert read.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in read.all("meta")
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in read.all("meta")
    assert all(heading["scope"] == "col" for heading in read.all("th"))
    wide = [attributes for attributes in read.all("div") if attributes["class"] == "wide"]
    assert all(attributes["tabindex"] == "0" for attributes in wide)
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_what_was_published_is_in_the_page():
    """Figures stand beside each other, and what totals tell of flavors is said; nothing of it is markup."""
    reruns = {SCRIPT: {"injected.numMatched": 4627.0}, "auto": {"injected.numMatched": 4321.0, "dia.numSources": 5.0}}
    page = shown(baseline=Baseline(dataset="mine", published={"source": SCRIPT, "reruns": reruns}))
    assert "<script>" not in page
    cells = Page(page).text["td"]
    assert cells == ["injected.numMatched", "4627", "4321", "dia.numSources", "5"]
    assert "auto (4321 found) are distinguishable at a level of 1 %" in page
