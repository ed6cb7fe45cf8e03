"""One at a time: who comes second is told who is at work, and nobody waits for the dead."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from harness.errors import HarnessError
from harness.nightly.lock import only_one

HOLDER = """
import sys, time
from pathlib import Path
from harness.nightly.lock import only_one
with only_one(Path(sys.argv[1])):
    print("holding", flush=True)
    time.sleep(60)
"""


@contextmanager
def holder(folder):
    """Run a process that holds a folder; it is killed at the end, if not before."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "holding\n"
            yield process
        finally:
            process.kill()


def test_folder_is_made_and_free_again(tmp_path):
    """The lock is a file while it is held, and nothing afterwards."""
    folder = tmp_path / "new" / "nightly"
    for _ in range(2):
        with only_one(folder):
            assert (folder / "lock").exists()
        assert list(folder.iterdir()) == []


def test_second_is_told_who_is_at_work(tmp_path):
    """Process, host and since when; and what to do when that is not so."""
    with holder(tmp_path) as process:
        now = datetime.now(UTC)
        with pytest.raises(HarnessError) as raised, only_one(tmp_path):
            pytest.fail("two at once")
    told = str(raised.value)
    assert f"process {process.pid} on {socket.gethostname()}, since {now:%Y-%m-%d}" in told
    assert str(tmp_path / "lock") in told
    assert raised.value.exit_code == 2


def test_dead_process_holds_nothing(tmp_path):
    """Killed, it leaves its lock behind; the next one takes it over at once."""
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
    assert (tmp_path / "lock").exists()
    start = time.monotonic()
    with only_one(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock").read_text()
    assert time.monotonic() - start < 3
    assert not (tmp_path / "lock").exists()


def test_process_of_another_host_is_believed(tmp_path):
    """Nobody here can tell whether it is at work; a person can, and is told which file that is."""
    (tmp_path / "lock").write_text("12345\nfar-away\n")
    with pytest.raises(HarnessError, match=r"process 12345 on far-away, since .* remove .*lock when there is no"):
        only_one(tmp_path).__enter__()


def test_lock_that_says_nothing_is_told(tmp_path):
    """A process that was killed in the very moment of locking leaves an empty file."""
    (tmp_path / "lock").touch()
    with pytest.raises(HarnessError, match="a process that has not said which; wait for it, or remove"):
        only_one(tmp_path).__enter__()


def test_lock_ends_with_what_it_is_for(tmp_path):
    """An error on the way frees it."""
    with pytest.raises(ZeroDivisionError), only_one(tmp_path):
        _ = 1 / 0
    with only_one(tmp_path):
        pass


def test_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    """Named, with the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match=r"cannot write the folder .*file/x \(Not a directory\); name another"):
        only_one(tmp_path / "file" / "x").__enter__()
