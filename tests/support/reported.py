"""Verdicts and a session to report on, and a page as a browser has it."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from types import SimpleNamespace

from harness.measure.store import Manifest
from harness.model import Interval, Verdict, VerdictState
from harness.verify import Outcome

AT = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)

#: What must never become markup, a command or a cell of its own.
SCRIPT = "\"'><script>alert(1)</script>&amp;<!-- | ` ]] %0A::error::x\n::error::y"


class Page(HTMLParser):
    """A page as a browser has it: elements, attributes and text; an element that is not closed is an error."""

    VOID = frozenset({"meta", "img", "br", "input"})

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
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        """Keep an element that is closed at once, as those of SVG are."""
        self.elements.append((tag, dict(attributes)))

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
    """Return a verdict, unless told otherwise of a change by 1 where 0.1 is allowed."""
    known = {
        "rerun": "w_2020_20",
        "expectation": "unchanged within 2 %",
        "sentence": f"{metric} is 8 % higher",
        "details": ("rule       unchanged",),
        "value": 8.0,
        "unit": "ct",
        "reference": 7.0,
        "estimate": 1.0,
        "interval": Interval(0.5, 1.5),
        "acceptable": Interval(-0.1, 0.1),
        **known,
    }
    return Verdict(metric=metric, state=state, **known)


def manifest(name, **known):
    """Return what a measured rerun consists of."""
    known = {"source": "/repo", "versions": {"ip_diffim": "19.0", "log": "1"}, "datasets": {"a": "1"}, **known}
    own = {"suite": "own", "settings": {}, "shards": (), "inputs": "0123", "content": "4567", "harness": "0.1.0"}
    return Manifest(rerun=name, **own, **known)


def session(*, reruns=("w_2020_20",), reference=None, describe="reruns against baseline", baseline=None, **manifests):
    """Return a session of measured reruns without figures or stored measurements."""
    named = {name: SimpleNamespace(name=name) for name in (*reruns, *filter(None, [reference]))}
    return SimpleNamespace(
        baseline=baseline,
        refs=[named[name] for name in reruns],
        reference=None if reference is None else named[reference],
        tolerated=frozenset({VerdictState.PASS, VerdictState.ACKNOWLEDGED}),
        describe=lambda: describe,
        manifest=lambda ref: manifests.get(ref.name, manifest(ref.name)),
        measurements=lambda ref: {},
        tables=lambda ref, name: [],
    )


def outcome(*verdicts, problems=()):
    """Return what came of a run of checks."""
    return Outcome(list(verdicts), list(problems))
