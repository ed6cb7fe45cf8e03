"""`harness.baseline.acknowledge`: known failures, for a while."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from harness.baseline.acknowledge import acknowledge, withdraw
from harness.baseline.files import canonical_bytes, read_baseline
from harness.errors import UsageError

AT = datetime(2020, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def call(path):
    """Return a function that acknowledges in the file."""

    def acknowledge_it(*globs, **more):
        told = {"until": date(2020, 8, 1), "ticket": "DM-25149", "reason": "known", "by": "Bo", "at": AT}
        return acknowledge(path, globs, **{**told, **more})

    return acknowledge_it


def test_acknowledge_and_withdraw(path, baseline, call):
    """An acknowledgement is stored with its story, and taken back without a trace."""
    assert call("dia.*") == ["dia.a", "dia.b"]
    note = read_baseline(path).acknowledgements["dia.a"]
    assert note.model_dump(mode="json") == {
        "until": "2020-08-01",
        "ticket": "DM-25149",
        "reason": "known",
        "by": "Bo",
        "at": "2020-07-01T12:00:00Z",
    }
    assert not note.has_expired(date(2020, 8, 1))
    assert note.has_expired(date(2020, 8, 2))
    assert withdraw(path, ["dia.a"]) == ["dia.a"]
    assert list(read_baseline(path).acknowledgements) == ["dia.b"]
    withdraw(path, ["*"])
    assert path.read_bytes() == canonical_bytes(baseline)


def test_later_acknowledgement_replaces_the_earlier(path, call):
    """Acknowledging again moves the date."""
    call("dia.a")
    call("dia.a", until=date(2020, 9, 1))
    call("dia.b")
    notes = read_baseline(path).acknowledgements
    assert {name: note.until for name, note in notes.items()} == {"dia.a": date(2020, 9, 1), "dia.b": date(2020, 8, 1)}


def test_known_metric_without_entry(path, call):
    """A metric that is judged without a baseline entry can be acknowledged too, when it is known."""
    assert call("template.*", known=["template.psfFwhm"]) == ["template.psfFwhm"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"until": date(2020, 6, 30)}, "would have expired already"),
        ({"until": date(2021, 7, 3)}, "more than a year ahead"),
        ({"ticket": " "}, "needs a ticket and a reason"),
        ({"reason": ""}, "needs a ticket and a reason"),
        ({"by": "\ud800"}, "the acknowledgement is refused: by must be made of characters"),
    ],
)
def test_refusals(path, baseline, call, more, message):
    """A date in the past or too far ahead, and a missing ticket or reason, are refused."""
    with pytest.raises(UsageError, match=message):
        call("dia.a", **more)
    assert path.read_bytes() == canonical_bytes(baseline)


@pytest.mark.parametrize("until", [date(2020, 7, 1), date(2021, 7, 1)])
def test_today_and_a_year_are_allowed(call, until):
    """The limits themselves are allowed."""
    assert call("dia.a", until=until) == ["dia.a"]


def test_typos_and_missing_files(tmp_path, path, call):
    """A pattern that matches nothing and a file that is not there are refused."""
    with pytest.raises(UsageError, match=r"no metric matches 'dia\.x'"):
        call("dia.x")
    with pytest.raises(UsageError, match=r"no metric matches 'dia\.a'"):
        withdraw(path, ["dia.a"])
    with pytest.raises(UsageError, match="there is no baseline"):
        withdraw(tmp_path / "none.json", ["*"])


def test_continuous_integration(call, path, monkeypatch):
    """A failure is not excused by a machine."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(UsageError, match="under continuous integration"):
        call("dia.a")
    assert call("dia.a", allow_ci=True) == ["dia.a"]
    with pytest.raises(UsageError, match="under continuous integration"):
        withdraw(path, ["dia.a"])
