"""`harness.baseline.edit`: the guards of every change to a baseline file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from filelock import SoftFileLock

from harness.baseline import edit
from harness.baseline.edit import edit_baseline, reformat_baseline
from harness.baseline.files import canonical_bytes, read_baseline
from harness.baseline.model import Baseline
from harness.errors import BrokenFileError, HarnessError, UsageError


def to_s6(baseline):
    """Change something."""
    return baseline.replaced(settings=baseline.settings.replaced(good_flags="S6"))


@pytest.mark.parametrize("name", ["CI", "GITHUB_ACTIONS", "BUILD_ID"])
def test_continuous_integration_changes_nothing(path, baseline, monkeypatch, name):
    """Under continuous integration a change is refused, unless it is asked for."""
    monkeypatch.setenv(name, "true")
    with pytest.raises(UsageError, match=rf"under continuous integration \({name} is set\).*--allow-ci"):
        edit_baseline(path, to_s6)
    assert path.read_bytes() == canonical_bytes(baseline)
    edit_baseline(path, to_s6, allow_ci=True)
    assert read_baseline(path) == to_s6(baseline)


def test_file_that_is_not_canonical_is_refused(path, baseline):
    """A change must not reformat what it was not asked to change; reformatting comes first, by itself."""
    path.write_bytes(canonical_bytes(baseline) + b"\n")
    with pytest.raises(UsageError, match="not in canonical form; run rerun-harness check --fix first"):
        edit_baseline(path, to_s6)
    reformat_baseline(path)
    edit_baseline(path, to_s6)
    assert read_baseline(path) == to_s6(baseline)


def test_broken_file_is_kept(path):
    """A broken file is refused, never overwritten."""
    path.write_text("{", encoding="utf-8")
    for change in (lambda: edit_baseline(path, to_s6), lambda: reformat_baseline(path)):
        with pytest.raises(BrokenFileError, match="cut off"):
            change()
    assert path.read_text(encoding="utf-8") == "{"


def test_no_change_is_no_write(path, baseline):
    """A change that changes nothing leaves the file untouched."""
    before = path.stat()
    edit_baseline(path, lambda current: current)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_writer_is_waited_for_and_named(path, monkeypatch):
    """While somebody else holds the lock the change waits, and then names the lock file."""
    monkeypatch.setattr(edit, "_LOCK_TIMEOUT", 0.1)
    with SoftFileLock(f"{path}.lock"), pytest.raises(HarnessError, match=r"another process; .* remove .*json\.lock"):
        edit_baseline(path, to_s6)
    edit_baseline(path, to_s6)
    assert list(path.parent.iterdir()) == [path]


def test_lock_that_nobody_signed_is_named(path, monkeypatch):
    """The lock of a writer killed before it could sign may be anybody's, so it is left to a person."""
    monkeypatch.setattr(edit, "_LOCK_TIMEOUT", 0.1)
    path.with_name("hits.json.lock").touch()
    with pytest.raises(HarnessError, match=r"another process; .* remove .*json\.lock when there is none"):
        edit_baseline(path, to_s6)


def test_missing_folder(tmp_path):
    """A folder that is not there is named, and not made by accident."""
    with pytest.raises(UsageError, match=r"there is no folder .*/nowhere for the baseline hits\.json; make it first"):
        edit_baseline(tmp_path / "nowhere" / "hits.json", lambda current: Baseline(dataset="hits"))
    assert list(tmp_path.iterdir()) == []


def test_read_only_folder(baseline):
    """Somebody who may not write in the folder is told so in one sentence."""
    with tempfile.TemporaryDirectory() as name:  # not `tmp_path`, which nobody else may enter
        folder = Path(name)
        path = folder / "hits.json"
        path.write_bytes(canonical_bytes(baseline))
        folder.chmod(0o555)
        is_root = os.geteuid() == 0
        if is_root:  # who may write everywhere
            os.seteuid(65534)
        try:
            with pytest.raises(HarnessError, match=r"^cannot write .*hits\.json: permission denied; .* intact$"):
                edit_baseline(path, to_s6)
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o755)
        assert list(folder.iterdir()) == [path]
        assert path.read_bytes() == canonical_bytes(baseline)
