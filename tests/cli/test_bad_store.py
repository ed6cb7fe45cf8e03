"""A measurement store that cannot be written, or was damaged afterwards."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys

import pytest
from embedded_survey import JUNE, cut_short, survey_tables, write_rerun

SELECT = ("--", "-k", "numSources]")


def _pytest(run, *options):
    """Judge what is stored with pytest itself."""
    checks = run.folder / "test_stored.py"
    checks.write_text("def test_it(rerun, dia_count, expect):\n    expect(rerun[dia_count]).unchanged()\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--measurements={run.store}", *options]
    return subprocess.run([*command, checks], cwd=run.folder, capture_output=True, text=True, check=False, timeout=120)


def test_truncated_shard_is_made_again(measured):
    """``verify`` and ``measure`` make a damaged file anew, and no other."""
    before = measured.shards
    path = sorted(path for path in before if JUNE in str(path))[5]
    cut_short(path)
    answer = measured("verify", "--rerun", JUNE, *SELECT)
    assert "1 PASS" in answer.out
    after = measured.shards
    assert {path for path in after if after[path] != before[path]} == {path}


@pytest.mark.slow
def test_pytest_names_a_truncated_shard(measured):
    """Judging alone measures nothing: the damaged file is named, with the way out, and nothing passes."""
    path = sorted(path for path in measured.shards if JUNE in str(path))[5]
    cut_short(path)
    done = _pytest(measured, "--rerun", JUNE)
    assert done.returncode != 0
    assert f"measurement file {path} cannot be read" in done.stdout
    assert "delete it and measure again" in done.stdout
    assert "passed" not in done.stdout.splitlines()[-1]
    assert "Traceback" not in done.stdout + done.stderr


def test_damage_within_a_shard_is_exit_code_4(measured):
    """A file whose footer is whole and whose rows are not is found when it is read."""
    path = next(path for path in measured.shards if JUNE in str(path) and "sources-" in path.name)
    content = bytearray(path.read_bytes())
    path.unlink()
    content[4:200] = b"\0" * 196
    path.write_bytes(bytes(content))
    answer = measured("verify", "--rerun", JUNE, code=4)
    assert answer.complaint.startswith(f"measurement file {path} cannot be read (")
    assert answer.complaint.endswith("; delete it and measure again")
    path.unlink()
    measured("verify", "--rerun", JUNE, *SELECT)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:100], "cannot be read ("),
        (lambda text: "{}", "is not a measurement manifest; delete it and measure again"),
        (
            lambda text: json.dumps({**json.loads(text), "format": 99}),
            "was written by a newer rerun-harness (format 99)",
        ),
    ],
)
def test_broken_manifest_is_exit_code_4(measured, damage, words):
    """A manifest that cannot be understood is named; without it everything is found again and nothing made."""
    (path,) = (
        path for path in measured.store.rglob("manifest-*.json") if JUNE in str(path) and path.parent.name == "own"
    )
    text = path.read_text()
    path.unlink()
    path.write_text(damage(text))
    complaint = measured("verify", "--rerun", JUNE, code=4).complaint
    assert complaint.startswith(str(path))
    assert words in complaint
    shards = measured.shards
    path.unlink()
    measured("verify", "--rerun", JUNE, *SELECT)
    assert measured.shards == shards


def test_store_that_is_a_file(run):
    """A store below a file cannot be."""
    write_rerun(run.folder, JUNE, survey_tables(JUNE))
    run.folder.joinpath("taken").write_text("")
    run.store = run.folder / "taken" / "measurements"
    answer = run("measure", "--repo", run.folder, code=2)
    assert "cannot make the measurement folder" in answer.complaint
    assert "choose another with --measurements" in answer.complaint


def _command(run, *arguments, limits=lambda: None):
    """Run a command in a process of its own."""
    # Root may write everywhere, unless it gives up that very privilege.
    plainly = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    program = [*plainly, sys.executable, "-c", "from harness.cli import main; main()", *map(str, arguments)]
    return subprocess.run(
        program, cwd=run.folder, preexec_fn=limits, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.slow
@pytest.mark.parametrize("what", ["store", "baselines"])
def test_folder_without_permission(measured, what):
    """A folder that may not be written is named, and what it holds stays as it is."""
    before = {path: path.read_bytes() for path in measured.folder.rglob("*.json")}
    if what == "store":
        cut_short(next(path for path in measured.shards if JUNE in str(path)))
        arguments = ("measure", "--measurements", measured.store, "--rerun", JUNE)
    else:
        story = ("--reason", "as it should be", "--by", "A. Person")
        arguments = ("accept", JUNE, "dia.numSources", "--measurements", measured.store, *story)
    folders = [measured.baselines, *(path for path in measured.store.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        done = _command(measured, *arguments)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"^Error: cannot .*permission denied", done.stderr.splitlines()[-1], re.IGNORECASE)
    assert {path: path.read_bytes() for path in measured.folder.rglob("*.json")} == before


@pytest.mark.slow
def test_full_disk(measured):
    """A full disk is named; what was stored before is whole, and the next call goes on from there."""
    kept = measured.shards
    lost = [path for path in kept if JUNE in str(path)][::10]
    for path in lost:
        path.unlink()

    def no_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    arguments = ("measure", "--measurements", measured.store, "--rerun", JUNE)
    done = _command(measured, *arguments, limits=no_room)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "file too large" in done.stderr.splitlines()[-1].lower()
    assert not list(measured.store.rglob("*.tmp"))
    assert measured.shards == {path: kept[path] for path in kept if path not in lost}
    measured("verify", "--rerun", JUNE, *SELECT)
    assert measured.shards.keys() == kept.keys()
