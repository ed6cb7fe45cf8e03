"""What was added to the history is there once, whole, and in order; what is damaged is named."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import BrokenFileError, HarnessError, UsageError
from harness.history.entry import HISTORY_SCHEMA, Row
from harness.history.store import HistoryStore, extended, frame_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def values(frame):
    """Return rerun and value of each row, in order."""
    return list(zip(frame["rerun"], frame["value"], strict=True))


@contextmanager
def reader_only(folder):
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


class TestAppend:
    """One file a rerun, written once."""

    def test_what_is_read_is_what_was_added(self, store, make_entry):
        """Every field of every metric comes back, with sequence and time."""
        nan = float("nan")
        rows = (
            Row("dia.a", "ct", "d1", 5.0, 0.5, 28, "PASS", 4.9, 4.0, 6.0, 4.8, 5.2, "two columns"),
            Row("dia.b", "", "d2", nan, detail="no visit has it"),
        )
        store.append(make_entry("w_1", rows=rows), at=NOON)
        frame, problems = store.read()
        assert problems == []
        assert frame.columns == HISTORY_SCHEMA.names
        for row, read in zip(rows, frame.rows(named=True), strict=True):
            for name in Row.__dataclass_fields__:
                assert read[name] == pytest.approx(getattr(row, name), nan_ok=True)
            assert (read["sequence"], read["at"], read["rerun"], read["harness"]) == (1, NOON, "w_1", "0.1.0")
            assert (read["dataset"], read["source"], read["inputs"]) == ("hits", "repo:w_1", "inputs of w_1")

    def test_file_stands_by_dataset_and_key_and_says_how_it_was_made(self, store, make_entry):
        """Settings and software are in the file, for whoever opens it alone."""
        entry = make_entry("w_1")
        path = store.append(entry)
        assert path == store.folder / "hits" / f"{entry.key}.parquet"
        note = json.loads(pq.read_schema(path).metadata[b"rerun_harness_history"])
        assert (note["settings"], note["versions"]) == ({"good_flags": "S3"}, {"ip_diffim": "20.0"})

    def test_same_rerun_again_changes_nothing(self, store, make_entry):
        """An entry is immutable: adding it again leaves its bytes and its place alone."""
        path = store.append(make_entry("w_1", 1.0))
        before = path.read_bytes()
        store.append(make_entry("w_2"))
        assert store.append(make_entry("w_1", 99.0)) == path
        assert path.read_bytes() == before
        assert values(store.read()[0]) == [("w_1", 1.0), ("w_2", 100.0)]

    def test_order_is_that_of_writing_whatever_the_clock_says(self, store, make_entry):
        """A clock that is set back does not reorder the history; it is named."""
        for index, hours in enumerate((0, 24, -48, 30)):
            store.append(make_entry(f"w_{index}"), at=NOON + timedelta(hours=hours))
        frame, problems = store.read()
        assert frame["rerun"].to_list() == ["w_0", "w_1", "w_2", "w_3"]
        assert frame["sequence"].to_list() == [1, 2, 3, 4]
        assert len(problems) == 1
        assert problems[0].startswith("hits: w_2 is dated 2026-11-19 12:00, before w_1 (2026-11-22 12:00)")

    def test_datasets_have_histories_of_their_own(self, store, make_entry):
        """Each dataset counts by itself, and is read by itself."""
        for dataset in ("hits", "latiss"):
            store.append(make_entry("w_1", dataset=dataset))
        assert store.read()[0]["sequence"].to_list() == [1, 1]
        assert store.read(dataset="latiss")[0]["dataset"].to_list() == ["latiss"]
        assert store.read(dataset="none")[0].is_empty()

    def test_metric_and_rerun_can_be_asked_for(self, store, make_entry):
        """The history is queried by dataset, metric and rerun, and with polars beyond that."""
        rows = tuple(Row(name, "ct", "d", 1.0) for name in ("dia.a", "dia.b"))
        for rerun in ("w_1", "w_2"):
            store.append(make_entry(rerun, rows=rows))
        assert store.read(metric="dia.b")[0]["rerun"].to_list() == ["w_1", "w_2"]
        assert store.read(rerun="w_2")[0]["metric"].to_list() == ["dia.a", "dia.b"]
        assert store.read()[0].group_by("metric").agg(pl.col("value").sum()).height == 2

    @pytest.mark.parametrize("name", ["../hits", "a/b", "", ".hidden", "a b"])
    def test_dataset_that_cannot_name_a_folder_is_refused(self, store, make_entry, name):
        """Nothing is written outside of the history."""
        with pytest.raises(UsageError, match="must be made of letters"):
            store.append(make_entry("w_1", dataset=name))
        assert not store.folder.exists()

    def test_frame_of_entries_is_as_if_they_were_stored(self, store, make_entry):
        """Entries that are in no store make the same history."""
        entries = [make_entry("w_1"), make_entry("w_1", dataset="latiss"), make_entry("w_2")]
        for entry in entries:
            store.append(entry, at=NOON)
        assert frame_of(entries, NOON).equals(store.read()[0])


class TestDamage:
    """What cannot be read is named; the rest is there."""

    @pytest.fixture
    def paths(self, store, make_entry):
        """Add five reruns; return their files."""
        return [store.append(make_entry(f"w_{index}", float(index))) for index in range(5)]

    @pytest.mark.parametrize("size", [0, 3, 100, -1])
    def test_truncated_file_is_named_and_the_rest_is_read(self, store, paths, size):
        """One truncated file among good ones costs that one rerun."""
        paths[2].write_bytes(paths[2].read_bytes()[:size])
        frame, problems = store.read()
        assert [rerun for rerun, _ in values(frame)] == ["w_0", "w_1", "w_3", "w_4"]
        assert len(problems) == 1
        assert str(paths[2]) in problems[0]
        assert "it is left out" in problems[0]

    def test_truncated_file_is_written_again_with_its_rerun(self, store, paths, make_entry):
        """Adding the rerun of a damaged file mends the history."""
        paths[4].write_bytes(paths[4].read_bytes()[:50])
        store.append(make_entry("w_4", 4.0))
        frame, problems = store.read()
        assert problems == []
        assert values(frame)[-1] == ("w_4", 4.0)
        assert frame["sequence"].to_list() == [1, 2, 3, 4, 5]

    def test_no_changed_bit_becomes_a_measurement(self, store, paths):
        """Whichever byte of a file changes: either it is named, or the numbers are those that were written."""
        good, content = store.read()[0], paths[1].read_bytes()
        rng = random.Random(0)
        named = 0
        for at in rng.sample(range(len(content)), 150):
            changed = bytearray(content)
            changed[at] ^= 1 << rng.randrange(8)
            paths[1].write_bytes(changed)
            frame, problems = store.read()
            named += bool(problems)
            if not problems:
                assert frame.select("value", "metric", "state").equals(good.select("value", "metric", "state"))
            else:
                assert frame.height == good.height - 1
        assert named > 40

    def test_foreign_file_is_named(self, store, paths):
        """A table of somebody else's is no rerun."""
        place = paths[0].with_name("mine.parquet")
        pq.write_table(pa.table({"a": [1]}), place)
        frame, problems = store.read()
        assert frame.height == 5
        assert problems == [f"{place} is not a history file; it is left out, keep it elsewhere"]

    def test_copy_is_no_second_rerun(self, store, paths):
        """A file copied under another name, or into another dataset, is named: each rerun is there once."""
        other = store.folder / "latiss"
        other.mkdir()
        shutil.copy(paths[0], paths[0].with_name("copy.parquet"))
        shutil.copy(paths[0], other)
        frame, problems = store.read()
        assert frame.height == 5
        assert len(problems) == 2
        assert all("is a copy of hits/" in problem for problem in problems)

    def test_file_of_a_newer_version_is_named_and_never_overwritten(self, store, paths, make_entry):
        """What a newer harness wrote is left alone, by reading and by writing."""
        table = pq.read_table(paths[3])
        note = json.loads(table.schema.metadata[b"rerun_harness_history"]) | {"format": 2}
        pq.write_table(table.replace_schema_metadata({"rerun_harness_history": json.dumps(note)}), paths[3])
        before = paths[3].read_bytes()
        frame, problems = store.read()
        assert frame.height == 4
        assert "newer rerun-harness (format 2); it is left out, update rerun-harness" in problems[0]
        with pytest.raises(BrokenFileError, match="newer rerun-harness"):
            store.append(make_entry("w_3"))
        assert paths[3].read_bytes() == before

    def test_other_columns_are_named(self, store, paths):
        """A file with our note and other columns is not mixed with the rest."""
        table = pq.read_table(paths[3])
        pq.write_table(table.drop_columns(["state"]), paths[3])
        frame, problems = store.read()
        assert frame.height == 4
        assert "has other columns than a history has" in problems[0]

    def test_no_history_is_empty(self, store):
        """A folder that is not there yet is a history without reruns."""
        frame, problems = store.read()
        assert (frame.height, frame.columns, problems) == (0, HISTORY_SCHEMA.names, [])

    def test_file_in_place_of_the_folder_is_one_sentence(self, store, make_entry):
        """A file cannot hold a history."""
        store.folder.write_text("")
        with pytest.raises(UsageError, match=r"^the history .* cannot be read \(Not a directory\); name a folder"):
            store.read()
        with pytest.raises(HarnessError, match=r"^cannot use the history folder .*; choose another with --history$"):
            store.append(make_entry("w_1"))


class TestDisk:
    """A disk that takes nothing costs nothing that was there."""

    @pytest.fixture
    def open_folder(self):
        """Return a folder that every user can look into."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            folder.chmod(0o755)
            yield folder

    def test_folder_that_may_not_be_looked_into_is_named(self, open_folder, make_entry):
        """A dataset whose folder is closed is named; the other one is read."""
        store = HistoryStore(open_folder)
        for dataset in ("hits", "latiss"):
            store.append(make_entry("w_1", dataset=dataset))
        closed = open_folder / "hits"
        closed.chmod(0)
        with reader_only(open_folder):
            frame, problems = store.read()
            with pytest.raises(HarnessError, match=r"^cannot use the history folder .*hits \(Permission denied\)"):
                store.append(make_entry("w_2"))
        closed.chmod(0o755)
        assert frame["dataset"].to_list() == ["latiss"]
        assert problems == [f"history folder {closed} cannot be read (Permission denied); it is left out"]

    def test_read_only_disk_is_one_sentence_and_can_be_read(self, open_folder, make_entry):
        """On a read-only disk the history is read, and adding says where and what to do."""
        store = HistoryStore(open_folder)
        store.append(make_entry("w_1"))
        folder = store.folder / "hits"
        with reader_only(folder):
            if os.access(folder, os.W_OK, effective_ids=True):
                pytest.skip("this user may write everywhere")
            with pytest.raises(HarnessError, match=r"cannot write .*permission denied.*another folder with --history"):
                store.append(make_entry("w_2"))
            assert values(store.read()[0]) == [("w_1", 100.0)]
        assert len(list(folder.iterdir())) == 1

    def test_full_disk_is_one_sentence_and_leaves_nothing_half_written(self, tmp_path, make_entry):
        """On a full disk what was there stays readable, and no half of a file is left."""
        disk = tmp_path / "disk"
        disk.mkdir()
        mount = shutil.which("mount") or "mount"
        command = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting a small file system needs root")
        try:
            store = HistoryStore(disk)
            entries = [make_entry(f"w_{index}") for index in range(100)]
            with pytest.raises(HarnessError, match=r"no space left on device.*make room there.*--history$"):
                list(map(store.append, entries))
            frame, problems = store.read()
            assert problems == []
            assert 0 < frame.height == len(list((disk / "hits").iterdir())) < 100
        finally:
            subprocess.run(["umount", str(disk)], check=True)


WRITER = """
import sys
from pathlib import Path
from harness.history.entry import Entry, Row
from harness.history.store import HistoryStore
store = HistoryStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for rerun in sys.argv[2].split(","):
    rows = tuple(Row(f"dia.m{i}", "ct", "d", float(i)) for i in range(50))
    store.append(Entry("hits", rerun, "repo", "inputs of " + rerun, rows))
    print(rerun, flush=True)
"""


def start(store, reruns):
    """Start a process that adds reruns as soon as it is told to, and wait until it can."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store.folder), ",".join(reruns)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


class TestProcesses:
    """Several writers, and writers that are killed."""

    def test_what_a_killed_writer_left_is_no_rerun_and_goes_away(self, store, make_entry):
        """A file that was never finished is not read, and removed by the next writer after an hour."""
        path = store.append(make_entry("w_1"))
        left = path.with_name(f".{path.name}.0123456789abcdef.tmp")
        left.write_bytes(path.read_bytes()[:100])
        frame, problems = store.read()
        assert (frame.height, problems) == (1, [])
        store.append(make_entry("w_2"))
        assert left.exists()
        os.utime(left, (time.time() - 7200,) * 2)
        store.append(make_entry("w_3"))
        assert not left.exists()

    def test_two_processes_at_once_keep_both(self, store):
        """What two processes add at the same time is all there, each rerun once, those of both once."""
        shared = [f"both_{index}" for index in range(10)]
        own = [[f"{who}_{index}" for index in range(20)] for who in "ab"]
        processes = [start(store, [*mine, *shared]) for mine in own]
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        for process in processes:
            process.communicate(timeout=60)
            assert process.returncode == 0
        frame, problems = store.read()
        assert problems == []
        assert sorted(frame["rerun"].unique()) == sorted([*own[0], *own[1], *shared])
        assert frame.height == 50 * 50
        assert not list((store.folder / "hits").glob(".*"))

    def test_killed_at_any_moment_each_rerun_is_there_once(self, store):
        """SIGKILL leaves what was finished; the same work done again leaves each rerun once, in its order."""
        reruns = [f"w_{index:02d}" for index in range(30)]
        rng = random.Random(1)
        for _ in range(6):
            process = start(store, reruns)
            process.stdin.write("\n")
            process.stdin.flush()
            time.sleep(rng.uniform(0, 0.08))
            process.send_signal(signal.SIGKILL)
            told = process.communicate(timeout=60)[0].split()
            frame, problems = store.read()
            assert problems == []
            there = frame["rerun"].unique(maintain_order=True).to_list()
            assert there == reruns[: len(there)]
            assert len(told) <= len(there)
            assert frame.height == 50 * len(there)
        process = start(store, reruns)
        process.communicate("\n", timeout=60)
        frame, problems = store.read()
        assert problems == []
        assert frame["rerun"].unique(maintain_order=True).to_list() == reruns
        assert frame.height == 50 * len(reruns)


def test_a_history_is_extended_at_the_end_of_its_dataset(make_entry):
    """The further entry comes last of its own dataset, whatever its clock says, and nothing else moves."""
    held = frame_of([make_entry("w_1"), make_entry("w_2"), make_entry("x_1", dataset="other")], NOON)
    longer = extended(held, make_entry("w_3"), NOON - timedelta(days=900))
    assert longer.head(held.height).equals(held)
    own = longer.filter(pl.col("dataset") == "hits")
    assert own["rerun"].to_list() == ["w_1", "w_2", "w_3"]
    assert own["sequence"].to_list() == [1, 2, 3]
    assert extended(held.clear(), make_entry("w_3"), NOON)["sequence"].to_list() == [1]
