"""The page: valid, self-contained, in order, and nothing from data is taken for HTML."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest
from reported import AT, SCRIPT, Page, manifest, outcome, session, verdict

from harness.baseline.model import Acknowledgement, Baseline
from harness.history.trend import Point, Trend
from harness.judge.quantity import Quantity
from harness.model import Interval, Metric, Verdict, VerdictState
from harness.report import page
from harness.report.drawing import Drawing
from harness.report.listing import Column, Listing, number
from harness.report.page import report_page


def shown(*verdicts, problems=(), notes=(), trends=None, **known):
    """Return the page of these verdicts."""
    return report_page(session(**known), outcome(*verdicts, problems=problems), notes, trends=trends, at=AT)


def headings(html):
    """Return the headings of sections."""
    return Page(html).text["h2"]


def test_failures_stand_first_ranked_by_size_over_tolerance():
    """The largest failure is told first, in full; what is in doubt is folded, what holds in the table alone."""
    sizes = {"small": 0.2, "large": 3.0, "middle": 1.0}
    failures = [verdict(name, estimate=size) for name, size in sizes.items()]
    others = [verdict("doubtful", VerdictState.INCONCLUSIVE), verdict("fine", VerdictState.PASS, estimate=0.0)]
    html = shown(*others, *failures)
    read = Page(html)
    assert [text.strip() for text in read.text["h3"] if text.strip()] == ["large", "middle", "small"]
    assert " 30 × tolerance" in " ".join(read.text["span"])
    assert html.index("large is 8 %") < html.index("doubtful is 8 %") < html.index("Verdicts, the worst first")
    assert headings(html) == ["Failed (3)", "Inconclusive (1)", "All that was judged"]
    assert [text for text in read.text["summary"] if text.strip()] == [
        "2 packages that they were made with",
        " doubtful is 8 % higher",
    ]


def test_a_failure_has_its_numbers_interval_churn_and_command():
    """Nothing has to be looked up elsewhere."""
    lines = {
        "details": ("rule       unchanged within 2 %", "visits     24"),
        "context": ("churn      9 lost", "next       rerun-harness diff a b", "software   other"),
    }
    html = shown(verdict(**lines))
    article = Page(html[html.index("<article") : html.index("</article>") + len("</article>")])
    assert article.text["dt"] == ["rule", "visits", "churn", "next"]
    assert article.text["dd"] == ["unchanged within 2 %", "24", "9 lost"]
    assert article.text["code"] == ["rerun-harness diff a b"]
    assert article.text["figcaption"] == ["Change 1, between 0.5 and 1.5; acceptable is between -0.1 and 0.1."]
    (drawn,) = article.all("svg")
    assert drawn["role"] == "img"
    assert {"id": drawn["aria-labelledby"]} in article.all("figcaption")


def test_many_failures_are_folded_after_the_first():
    """Twenty are told in full; the rest is there, each under its name."""
    read = Page(shown(*(verdict(f"m{index:02}") for index in range(25))))
    assert len(read.all("article")) == 20
    assert [attributes for attributes in read.all("details") if attributes] == [{"class": "finding"}] * 5
    assert len([text for text in read.text["h3"] if text.startswith("m")]) == 25


def test_a_failure_is_drawn_visit_by_visit():
    """The plot has one point for each visit that both sides have, and says which is the farthest."""
    metric = Metric("dia.numSources", "ct", "", "dia_count")

    def side(units, counts):
        return {metric.name: Quantity(metric, "", np.array(units), np.array(counts, np.float64))}

    known = session(reference="w_2020_15")
    sides = {"w_2020_20": side([1, 2, 3], [5, 9, 4]), "w_2020_15": side([0, 1, 2], [3, 5, 2])}
    known.measurements = lambda ref: sides[ref.name]
    html = report_page(known, outcome(verdict(reference=10.0)), at=AT)
    assert "Change in each of 2 visits: from 0 to 7 (the farthest from 0: visit 2); the line is 0." in html
    html = report_page(known, outcome(verdict(reference=np.nan)), at=AT)
    assert "Value in each of 3 visits: from 4 to 9 (the farthest from 0: visit 2); the line is 0." in html


def test_alike_reasons_are_told_once():
    """What is said of many metrics in the same words is one entry that names them; the counts are those of verdicts."""
    gone = [
        verdict(name, VerdictState.NOT_MEASURED, sentence=f"{name} was not measured in w_2020_20: no such table")
        for name in ("dia.one", "dia.two", "dia.three")
    ]
    html = shown(*gone, verdict("d", VerdictState.NOT_COMPARABLE))
    assert headings(html)[:2] == ["Not measured (3)", "Not comparable (1)"]
    read = Page(html)
    assert " 3 metrics of w_2020_20: … was not measured in w_2020_20: no such table" in read.text["summary"]
    assert "dia.one, dia.three, dia.two" in read.text["p"]


def test_acknowledged_stand_with_their_expiry():
    """What expires first is first, with ticket, reason and who said so."""
    notes = {
        name: Acknowledgement(until=date(2027, 1, day), ticket=f"DM-{day}", reason="known", by="me", at=AT)
        for name, day in (("a", 9), ("b", 2))
    }
    verdicts = [verdict(name, VerdictState.ACKNOWLEDGED) for name in notes]
    html = shown(*verdicts, baseline=Baseline(dataset="mine", acknowledgements=notes))
    assert headings(html) == ["Acknowledged (2)", "All that was judged"]
    table = html[html.index('<h2 id="acknowledged"') : html.index('<section id="verdicts"')]
    cells = Page(table.replace("</section>", "")).text["td"]
    assert cells[:5] == ["2027-01-02", "b", "DM-2", "known", "me"]
    assert cells[6] == "2027-01-09"


def test_nothing_fails():
    """A page on which all holds has no section of failures."""
    html = shown(verdict(state=VerdictState.PASS))
    assert headings(html) == ["All that was judged"]
    assert Page(html).all("article") == Page(html).all("img") == []


def test_the_head_tells_rerun_software_and_inputs():
    """Source and digest of the inputs, and which packages differ from the reference's."""
    known = {"w_2020_15": manifest("w_2020_15", versions={"ip_diffim": "18.0", "log": "1"})}
    read = Page(shown(verdict(), reference="w_2020_15", **known))
    assert {"w_2020_20", "w_2020_15 (reference)", "/repo", "0123 (1 dataset)", "rerun-harness 0.1.0"} <= set(
        read.text["td"]
    )
    assert "Software of w_2020_20 against the reference's: ip_diffim 18.0 → 19.0" in read.text["p"]
    cells = read.text["td"]
    at = cells.index("ip_diffim")
    assert cells[at : at + 6] == ["ip_diffim", "19.0", "18.0", "log", "1", "1"]
    assert read.text["p"][-1] == "Judged 2026-11-21 20:00 UTC by rerun-harness 0.1.0."


def test_a_rerun_that_was_not_measured_is_named():
    """It has no software and no inputs, and the head says why."""
    assert "not measured" in Page(shown(verdict(), w_2020_20=None)).text["td"]


def test_what_is_known_of_a_rerun_is_told_once():
    """The story of a rerun stands under its name, though each failure of it carries it, and ends with what to do."""
    where, objects = ({"context": (line, "next rerun-harness diff")} for line in ("where 9 lost", "objects grew"))
    html = shown(
        verdict("a", **where), verdict("b", **objects), verdict("c", rerun="w_2020_24", context=("where 2 lost",))
    )
    whole = Page(html[html.index('<h2 id="context"') : html.index("<section id")].replace("</section>", ""))
    assert whole.text["h3"] == ["w_2020_20", "w_2020_24"]
    assert whole.text["dd"] == ["9 lost", "grew", "2 lost"]
    assert whole.text["code"] == ["rerun-harness diff"]


def test_checks_that_went_wrong_are_told_before_anything_else():
    """An error in a check is no verdict, and must not be overlooked; notes follow what fails."""
    html = shown(verdict(), problems=["ERROR test_a.py: ZeroDivisionError"], notes=["not judged: a, b"])
    assert html.index("ZeroDivisionError") < html.index("is 8 % higher") < html.index("not judged: a, b")


def test_nothing_judged():
    """A page without verdicts says so."""
    read = Page(shown())
    assert read.text["strong"] == ["nothing was judged"]
    assert "Nothing." in read.text["p"]


@pytest.mark.parametrize("state", VerdictState)
def test_script_in_every_field_is_text(state):
    """Names, sentences, places, tickets, versions, paths: whatever data bring is shown as it is, and never run."""
    texts = {field.name: SCRIPT for field in fields(Verdict) if field.type == "str"}
    assert {"metric", "rerun", "sentence", "place", "unit", "against", "expectation"} <= set(texts)
    hostile = replace(verdict(state=state), **texts, details=(SCRIPT,), context=(SCRIPT,))
    note = Acknowledgement(until=date(2027, 1, 1), ticket=SCRIPT, reason=SCRIPT, by=SCRIPT, at=AT)
    known = manifest(SCRIPT, source=SCRIPT, versions={SCRIPT: SCRIPT}, schema=SCRIPT)
    html = shown(
        hostile,
        reruns=(SCRIPT,),
        reference=SCRIPT + "2",
        problems=[SCRIPT],
        notes=[SCRIPT],
        describe=SCRIPT,
        baseline=Baseline(dataset="mine", acknowledgements={SCRIPT: note}),
        trends={SCRIPT: trend(SCRIPT, [1.0, 2.0])},
        **{SCRIPT: known},
    )
    read = Page(html)
    assert len(read.all("script")) == 1
    assert "alert(1)" not in read.text["script"][0]
    told = [text for texts in read.text.values() for text in texts if SCRIPT.split("\n")[0] in text]
    assert len(told) >= 15
    assert not any(
        "alert" in value for _, known in read.elements for name, value in known.items() if name.startswith("on")
    )


def trend(metric, values):
    """Return the trend of a metric in reruns r0, r1 and so on."""
    points = tuple(
        Point(f"r{at}", "/repo", "", "", at, datetime(2026, 1, at + 1, tzinfo=UTC), value, None, None, "PASS", True, "")
        for at, value in enumerate(values)
    )
    return Trend("mine", metric, "ct", "", points, Interval(0.5, 1.5))


def test_trends_stand_with_their_failure_and_by_themselves():
    """A metric's history is drawn where it fails, and again among all; one of a single value is none."""
    known = {"a": trend("a", [1.0, np.nan, 2.0]), "b": trend("b", [1.0, 1.0]), "c": trend("c", [1.0])}
    html = shown(verdict("a"), trends=known)
    captions = Page(html).text["figcaption"]
    assert captions[1] == captions[2] == "a in 2 reruns: from 1 to 2, last 2. The box is what is accepted."
    assert captions[3].startswith("b in 2 reruns")
    assert len(captions) == 4
    assert "Trends" in headings(html)


def test_figures_are_in_the_page_by_analysis(monkeypatch):
    """A figure is part of the file, with its title, and in words for who cannot see it; both may hold anything."""
    from matplotlib.figure import Figure

    drawn = Drawing(f"gains {SCRIPT}", f"Gain of {SCRIPT}", Figure(figsize=(5, 2)))
    monkeypatch.setattr(page, "figures_of", lambda session, ref: iter([("Photon transfer", drawn)]))
    read = Page(shown(verdict()))
    (image,) = read.all("img")
    assert image["src"].startswith("data:image/png;base64,iVBOR")
    assert image["alt"] == f"Gain of {SCRIPT}"
    assert (image["width"], image["height"]) == ("480", "192")
    assert f"gains {SCRIPT}" in read.text["figcaption"]
    assert "Photon transfer" in read.text["h3"]
    assert {"open": None} in read.all("details")


def test_many_figures_are_folded(monkeypatch):
    """A page of many figures begins with those of each analysis folded away."""
    from matplotlib.figure import Figure

    drawn = [("Alerts", Drawing(f"figure {index}", "", Figure(figsize=(1, 1)))) for index in range(7)]
    monkeypatch.setattr(page, "figures_of", lambda session, ref: iter(drawn))
    read = Page(shown(verdict()))
    assert len(read.all("img")) == 7
    assert {"open": None} not in read.all("details")


def test_tables_of_figures_are_in_the_page(monkeypatch):
    """Numbers stand below their figure, with a caption and notes, and whatever they hold is text."""
    from matplotlib.figure import Figure

    columns = [Column("name", "template"), Column("value", "crossover", number, numeric=True)]
    table = Listing(f"Crossovers {SCRIPT}", columns, [{"name": SCRIPT, "value": 4.5}], [f"found {SCRIPT}"])
    drawn = Drawing("crossover", "Noise ratios", Figure(figsize=(1, 1)), table)
    monkeypatch.setattr(page, "figures_of", lambda session, ref: iter([("Templates", drawn)]))
    read = Page(shown())
    assert f"Crossovers {SCRIPT}" in read.text["caption"]
    assert {"template", "crossover"} <= set(read.text["th"])
    assert {SCRIPT, "4.5"} <= set(read.text["td"])
    assert f"found {SCRIPT}" in read.text["p"]


def test_the_page_stands_alone():
    """Nothing is loaded: no link, no address in a style, and the page's own policy forbids all but what is in it."""
    html = shown(verdict())
    read = Page(html)
    assert read.all("link") == read.all("iframe") == []
    assert all("src" not in attributes for attributes in read.all("script"))
    assert all(attributes["href"].startswith("#") for attributes in read.all("a"))
    assert "url(" not in html
    assert "@import" not in html
    assert "://" not in html
    (policy,) = (known["content"] for known in read.all("meta") if "http-equiv" in known)
    assert policy.startswith("default-src 'none'; img-src data:; ")
    for tag in ("style", "script"):
        (source,) = read.text[tag]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_the_page_says_what_readers_need_to_know_of_it():
    """Language, encoding and width are declared; tables have captions and headings; what scrolls has the focus."""
    html = shown(verdict())
    read = Page(html)
    assert html.startswith("<!DOCTYPE html>\n")
    assert read.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in read.all("meta")
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in read.all("meta")
    assert len(read.all("caption")) == len(read.all("table")) == 3
    assert all(heading["scope"] in {"col", "row"} for heading in read.all("th"))
    wide = [attributes for attributes in read.all("div") if attributes["class"] == "wide"]
    assert all(attributes["tabindex"] == "0" and attributes["aria-label"] for attributes in wide)
    assert [len(read.all(landmark)) for landmark in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    targets = {attributes.get("id") for _, attributes in read.elements}
    assert {attributes["href"][1:] for attributes in read.all("a")} <= targets
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def colours(css, scheme):
    """Return the colours of a scheme of the style sheet by name."""
    if scheme == "dark":
        css = css[css.index("prefers-color-scheme: dark") :]
    elif scheme == "print":
        css = css[css.index("@media print") :]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", css[: css.index("}")]))


def luminance(colour):
    """Return the relative luminance (WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_stands_out(scheme):
    """Every colour of text has a contrast of at least 4.5 with both backgrounds, as WCAG AA asks."""
    known = colours(Page(shown()).text["style"][0], scheme)
    for text in ("ink", "faint", "link", "fail", "pass", "doubt", "known"):
        for ground in ("paper", "panel"):
            dark, light = sorted([luminance(known[text]), luminance(known[ground])])
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
    dark, light = sorted([luminance(known["allowed-edge"]), luminance(known["paper"])])
    assert (light + 0.05) / (dark + 0.05) >= 3.0


@pytest.mark.parametrize(
    ("acceptable", "allowed", "tolerances"),
    [
        (Interval(-0.25, 0.25), "±0.25", "4"),
        (Interval(0.0, 0.5), "0 … 0.5", "3"),
        (Interval(0.0, 0.0), "0 … 0", "∞"),
        (Interval(-np.inf, np.inf), "−∞ … ∞", "1"),
        (None, "", "–"),
    ],
)
def test_the_table_tells_what_is_allowed_and_by_how_much_it_is_missed(acceptable, allowed, tolerances):
    """A tolerance to both sides is written as one number."""
    cells = Page(shown(verdict(acceptable=acceptable))).text["td"]
    row = cells[cells.index("FAIL") :]
    assert row[1] == tolerances
    assert (row[-1] if allowed else "") == allowed


def test_what_was_published_is_in_the_page():
    """Figures stand beside each other, and what totals tell of flavors is said; nothing of it is markup."""
    hostile = SCRIPT.replace("\n", " ")
    reruns = {hostile: {"injected.numMatched": 4627.0}, "auto": {"injected.numMatched": 4321.0, "dia.numSources": 5.0}}
    html = shown(baseline=Baseline(dataset="mine", published={"source": hostile, "reruns": reruns}))
    assert "<script>alert" not in html
    cells = Page(html).text["td"]
    assert cells[-5:] == ["injected.numMatched", "4627", "4321", "dia.numSources", "5"]
    assert "auto (4321 found) are distinguishable at a level of 1 %" in html
