"""`harness.baseline.migrations`: old files come forward, newer ones are refused with the way out."""

from __future__ import annotations

import json

import pytest

from harness.baseline import migrations
from harness.baseline.edit import reformat_baseline
from harness.baseline.files import canonical_bytes, read_baseline
from harness.baseline.model import SCHEMA_VERSION
from harness.errors import BrokenFileError


def version_0(path):
    """Rewrite a file as a made-up schema 0 had it: ``tolerance`` in place of an expectation, no settings."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for entry in content["metrics"].values():
        entry["tolerance"] = entry.pop("expectation")["rtol"]
    del content["settings"], content["min_read_version"]
    path.write_text(json.dumps({**content, "schema_version": "0.3.1"}), encoding="utf-8")


def from_0_to_1(content):
    """Bring that schema forward, as a migration would."""
    metrics = {}
    for name, entry in content["metrics"].items():
        kept = {key: value for key, value in entry.items() if key != "tolerance"}
        metrics[name] = {**kept, "expectation": {"kind": "unchanged", "rtol": entry["tolerance"], "atol": 0.0}}
    return {**content, "metrics": metrics}


def test_old_file_is_migrated(path, baseline, monkeypatch):
    """A file of an older major version reads as today's, and is rewritten as such."""
    monkeypatch.setitem(migrations.MIGRATIONS, 0, from_0_to_1)
    version_0(path)
    assert read_baseline(path) == baseline
    reformat_baseline(path)
    assert path.read_bytes() == canonical_bytes(baseline)


def test_every_step_is_taken_in_order(monkeypatch):
    """Two versions back takes two migrations, the older first."""
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", "2.0.0")
    monkeypatch.setitem(migrations.MIGRATIONS, 0, lambda content: {**content, "steps": [0]})
    monkeypatch.setitem(migrations.MIGRATIONS, 1, lambda content: {**content, "steps": [*content["steps"], 1]})
    migrated = migrations.migrate({"schema_version": "0.1.0"}, "x")
    assert migrated["steps"] == [0, 1]
    assert migrated["schema_version"] == "2.0.0"


def test_old_file_without_migration_is_refused(path):
    """A version that nothing migrates any more is refused with the way out."""
    version_0(path)
    with pytest.raises(BrokenFileError, match=r"has the old schema 0\.3\.1, .* with an older rerun-harness"):
        read_baseline(path)


def test_newer_schema_is_refused(path):
    """A file that this version cannot understand says so, and what to do."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content.update(schema_version="3.0.0", min_read_version=3, metrics="in another form altogether")
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BrokenFileError, match=r"was written by a newer rerun-harness \(schema 3\.0\.0.*; update rerun"):
        read_baseline(path)


def test_newer_minor_schema_is_read_and_kept(path):
    """A newer file that this version still understands is read, and keeps its version when it is written."""
    path.write_text(path.read_text(encoding="utf-8").replace(f'"{SCHEMA_VERSION}"', '"1.3.0"'), encoding="utf-8")
    assert canonical_bytes(read_baseline(path)) == path.read_bytes()


def test_newer_minor_schema_with_unknown_fields(path):
    """An unknown field in a newer file points to the version as the likely cause."""
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace(f'"{SCHEMA_VERSION}"', '"1.3.0"').replace('"unit"', '"seed": 1, "unit"', 1), encoding="utf-8"
    )
    with pytest.raises(BrokenFileError, match=r"unknown field 'seed'.*; it has schema 1\.3\.0, this rerun-harness 1"):
        read_baseline(path)


def test_older_minor_schema_keeps_its_version_and_bytes(path):
    """A file of an older minor version is read as it is, and written back byte by byte."""
    content = path.read_bytes().replace(SCHEMA_VERSION.encode(), b"1.0.0")
    path.write_bytes(content)
    reformat_baseline(path)
    assert path.read_bytes() == content


def test_an_unknown_field_of_an_older_file_is_not_excused(path):
    """That a file is older than this harness does not explain a field which that does not know."""
    text = path.read_text(encoding="utf-8").replace(SCHEMA_VERSION, "1.0.0")
    path.write_text(text.replace('"unit"', '"seed": 1, "unit"', 1), encoding="utf-8")
    with pytest.raises(BrokenFileError, match=r"unknown field 'seed'; allowed are .*amplifiers$"):
        read_baseline(path)


@pytest.mark.parametrize(("version", "newer"), [("1.8.10", False), ("1.9.0", False), ("1.9.1", True), ("1.10.0", True)])
def test_versions_are_ordered_as_numbers(monkeypatch, version, newer):
    """The tenth minor version follows the ninth."""
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", "1.9.0")
    assert migrations.is_newer(version) is newer


@pytest.mark.parametrize("version", [None, 1, "", "one", "1.x", "²"])
def test_version_must_be_a_version(path, version):
    """What is not a version is refused."""
    content = {**json.loads(path.read_text(encoding="utf-8")), "schema_version": version}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BrokenFileError, match="schema_version must be"):
        read_baseline(path)
