"""`harness.baseline.check`: every fault of a baseline folder is found, and only then."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime

import pytest

from harness.baseline.check import check_folder
from harness.baseline.files import canonical_bytes
from harness.baseline.model import Acknowledgement, Below
from harness.errors import UsageError
from harness.model import Metric

TODAY = date(2020, 7, 1)


def catalogue(settings):
    """Return the metrics that are measured, of which two depend on the settings."""
    return {
        **{name: Metric(name, "ct", "", "", definition={"flags": settings.good_flags}) for name in ("dia.a", "dia.b")},
        "sci.c": Metric("sci.c", "ct", "", ""),
    }


@pytest.fixture
def sound(baseline):
    """Return a baseline whose definitions are today's."""
    digests = {name: metric.definition_digest for name, metric in catalogue(baseline.settings).items()}
    metrics = {name: entry.replaced(definition=digests[name]) for name, entry in baseline.metrics.items()}
    return baseline.replaced(metrics=metrics)


@pytest.fixture
def check(tmp_path, sound):
    """Return a function that writes a baseline and checks its folder."""

    def write_and_check(baseline=sound, name="hits", **more):
        (tmp_path / f"{name}.json").write_bytes(canonical_bytes(baseline))
        return [(f.path.name, f.severity, f.sentence) for f in check_folder(tmp_path, catalogue, today=TODAY, **more)]

    return write_and_check


def test_sound_folder(check):
    """A sound folder gives no finding."""
    assert check() == []


def test_old_acceptances_are_history(check, sound, acceptance):
    """Acceptances that no entry refers to any more are no fault."""
    assert check(sound.replaced(acceptances={**sound.acceptances, "older": acceptance})) == []


def test_orphan(check, sound, entry):
    """An entry, or the metric it is held against, that nobody measures is found."""
    metrics = {
        **sound.metrics,
        "dia.gone": entry(),
        "sci.c": sound.metrics["sci.c"].replaced(expectation=Below(metric="x.y")),
    }
    findings = check(sound.replaced(metrics=metrics))
    assert [(name, severity) for name, severity, _ in findings] == [("hits.json", "error")] * 2
    assert findings[0][2].startswith("dia.gone is not measured by anything")
    assert findings[1][2].startswith("sci.c is held against x.y, which is not measured")


def test_other_definition(check, sound):
    """A definition that has changed since the value was accepted is found, by way of the dataset's own settings too."""
    (finding,) = check(sound.replaced(metrics={"sci.c": sound.metrics["sci.c"].replaced(definition="old")}))
    assert finding[1:] == (
        "error",
        "sci.c was accepted under another definition than it is measured by now; accept it anew",
    )
    findings = check(sound.replaced(settings=sound.settings.replaced(good_flags="S6")))
    assert [sentence.partition(" ")[0] for _, _, sentence in findings] == ["dia.a", "dia.b"]


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (date(2020, 6, 30), ("error", "expired on 2020-06-30")),
        (date(2020, 7, 1), None),
        (date(2021, 7, 2), None),
        (date(2021, 7, 3), ("warning", "more than a year ahead")),
    ],
)
def test_acknowledgements(check, sound, until, expected):
    """An expired acknowledgement is an error, one for more than a year doubtful."""
    note = Acknowledgement(until=until, ticket="DM-1", reason="r", by="Bo", at=datetime(2020, 1, 1, tzinfo=UTC))
    findings = check(sound.replaced(acknowledgements={"dia.a": note}))
    assert len(findings) == (expected is not None)
    for (_, severity, sentence), words in zip(findings, [expected] if expected else [], strict=True):
        assert severity == words[0]
        assert words[1] in sentence
        assert "dia.a (DM-1)" in sentence


def test_unusable_settings(tmp_path, check, sound):
    """Settings that nothing can be measured with are a finding of that file."""
    check()

    def refuse(settings):
        raise UsageError("'good_flags' must be one of S3, S6")

    (finding,) = check_folder(tmp_path, refuse, today=TODAY)
    assert finding.severity == "error"
    assert finding.sentence == "its settings are not usable: 'good_flags' must be one of S3, S6"


def test_canonical_form_is_restored(check, tmp_path, sound):
    """A file that is valid but not canonical is found, and rewritten when that is asked for."""
    check()
    path = tmp_path / "hits.json"
    path.write_bytes(canonical_bytes(sound) + b"\n")
    (finding,) = check_folder(tmp_path, catalogue, today=TODAY)
    assert (finding.severity, finding.sentence.partition(";")[0]) == ("error", "is not in canonical form")
    (finding,) = check_folder(tmp_path, catalogue, today=TODAY, fix=True)
    assert (finding.severity, finding.sentence) == ("fixed", "reformatted")
    assert path.read_bytes() == canonical_bytes(sound)
    assert check_folder(tmp_path, catalogue, today=TODAY, fix=True) == []


def test_broken_file_does_not_hide_the_others(check, tmp_path, sound, entry):
    """A broken file is one finding, and the other files are checked all the same."""
    (tmp_path / "a.json").write_text("{", encoding="utf-8")
    (tmp_path / "folder.json").mkdir()
    text = canonical_bytes(sound).decode().replace('"accepted": "first"', '"accepted": "gone"', 1)
    (tmp_path / "dangling.json").write_text(text, encoding="utf-8")
    findings = check(sound.replaced(metrics={"dia.gone": entry()}), fix=True)
    assert [(name, severity) for name, severity, _ in findings] == [
        ("a.json", "broken"),
        ("dangling.json", "broken"),
        ("folder.json", "broken"),
        ("hits.json", "error"),
    ]
    assert "accepted in 'gone', which is not among its acceptances" in findings[1][2]


def test_dataset_and_file_name(check):
    """Two files of one dataset, and a file under a foreign name, are found."""
    (finding,) = check(name="other")
    assert finding == ("other.json", "error", "holds the dataset 'hits', but hits.json is its name; rename the file")
    (finding,) = check()
    assert finding == ("other.json", "error", "holds the dataset 'hits', but hits.json also holds 'hits'; remove one")


def test_leftovers_are_removed(check, tmp_path):
    """What a killed writer left behind is removed when that is asked for."""
    leftover = tmp_path / f".hits.json.{'0' * 16}.tmp"
    leftover.write_text("")
    os.utime(leftover, (0, 0))
    assert check() == []
    assert check(fix=True) == [(leftover.name, "fixed", "removed what a killed writer left")]
    assert not leftover.exists()


def test_missing_folder(tmp_path):
    """A folder that is not there is a usage error, not a clean bill."""
    with pytest.raises(UsageError, match="there is no folder of baselines"):
        check_folder(tmp_path / "nowhere", catalogue)
