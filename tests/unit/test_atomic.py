"""`harness.atomic`: the old file or the new one, whatever happens."""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.atomic import clean_leftovers, write_atomic
from harness.errors import HarnessError

SIZE = 400_000


def write_with_limit(path: Path, data: bytes, limit: int) -> None:
    """Write in this process while no file may grow beyond a limit."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        write_atomic(path, data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def reader_only(folder: Path):
    """Be somebody who may read a folder but not write in it; root, who may write everywhere, is nobody meanwhile."""
    is_root = os.geteuid() == 0
    folder.chmod(0o555)
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a real file system of 64 kB, where this process may."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root; test_file_size_limit covers the rest")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_writes_text_and_bytes(tmp_path):
    """Text is written as UTF-8, bytes as they are."""
    path = tmp_path / "a"
    write_atomic(path, "±2 %\n")
    assert path.read_bytes() == "±2 %\n".encode()
    write_atomic(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_mode_is_that_of_an_ordinary_file(tmp_path):
    """A new file has the mode that `open` gives, an old one keeps its own."""
    plain, path = tmp_path / "plain", tmp_path / "a"
    plain.write_text("")
    write_atomic(path, "1")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o664)
    write_atomic(path, "2")
    assert path.stat().st_mode & 0o777 == 0o664


def test_symbolic_link_is_followed(tmp_path):
    """Writing through a symbolic link changes the file that it points to."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_atomic(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_missing_folder_is_one_sentence(tmp_path):
    """A folder that is not there is named in one sentence."""
    with pytest.raises(HarnessError, match=r"^cannot write .*/nowhere/a: no such file or directory; .* intact$"):
        write_atomic(tmp_path / "nowhere" / "a", "x")


def test_full_disk_keeps_the_old_file(small_disk):
    """On a full disk the old content stays, nothing is left behind, and the message is one sentence."""
    path = small_disk / "a"
    path.write_bytes(b"old" * 1000)
    with pytest.raises(HarnessError, match=r"^cannot write .*: no space left on device; .* intact$"):
        write_atomic(path, b"new" * SIZE)
    assert path.read_bytes() == b"old" * 1000
    assert list(small_disk.iterdir()) == [path]


def test_file_size_limit_keeps_the_old_file(tmp_path):
    """A write that stops half-way for want of room leaves the old content and nothing else."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(HarnessError, match=r"^cannot write .*: file too large; .* intact$"):
        write_with_limit(path, b"new" * SIZE, limit=SIZE)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_interruption_leaves_nothing_behind(tmp_path, monkeypatch):
    """Ctrl-C between writing and renaming removes the temporary file and keeps the old one."""

    def interrupt(descriptor):
        raise KeyboardInterrupt

    path = tmp_path / "a"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_read_only_folder_is_one_sentence():
    """Somebody who may not write in a folder is told so in one sentence, and the file stays."""
    with tempfile.TemporaryDirectory() as name:  # not `tmp_path`, which nobody else may enter
        path = Path(name) / "a"
        path.write_text("old")
        with (
            reader_only(path.parent),
            pytest.raises(HarnessError, match=r"^cannot write .*: permission denied; .* intact$"),
        ):
            write_atomic(path, "new")
        assert path.read_text() == "old"


def test_kill_leaves_the_old_or_the_new_content(tmp_path):
    """A writer killed at any moment leaves one whole content, never a mixture or a part."""
    path = tmp_path / "a"
    code = (
        "import sys; from harness.atomic import write_atomic\n"
        f"while True:\n    for letter in 'ab': write_atomic(sys.argv[1], letter * {SIZE})"
    )
    rng = random.Random(20201121)
    killed_inside = 0
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", code, path]) as writer:
            while not path.exists():
                time.sleep(0.005)
            time.sleep(rng.uniform(0.05, 0.15))
            writer.kill()
        assert path.read_text() in {"a" * SIZE, "b" * SIZE}
        killed_inside += sum(1 for each in tmp_path.iterdir() if each != path)
        clean_leftovers(tmp_path, older_than=0)
        assert list(tmp_path.iterdir()) == [path]
    assert killed_inside > 0  # else the kills came between two writes and showed nothing


def test_leftovers_are_removed_only_when_old(tmp_path):
    """Old temporary files go; those of a writer at work and other people's files stay."""
    old, young = (tmp_path / f".a.json.{digit * 16}.tmp" for digit in "01")
    foreign = tmp_path / ".a.json.swp.tmp"
    for each in (old, young, foreign):
        each.write_text("")
    for each in (old, foreign):
        os.utime(each, (0, 0))
    assert clean_leftovers(tmp_path) == [old]
    assert sorted(tmp_path.iterdir()) == sorted([young, foreign])
