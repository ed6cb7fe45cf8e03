"""The measurement store keeps what is finished and nothing else."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from harness.errors import BrokenFileError
from harness.measure.store import MANIFEST_FORMAT, Manifest, MeasurementStore, table_filename
from harness.metrics.rows import rows_schema
from harness.rerun.protocol import RerunRef

REF = RerunRef("/repo", "u/me/w_2020_24")
SETTINGS = {"good_flags": "S3"}


def _rows(value: float) -> pa.Table:
    row = {"metric": "dia.numSources", "instrument": "DECam", "visit": 1, "detector": 2, "numerator": value}
    return pa.Table.from_pylist([row], schema=rows_schema())


def _manifest(**changes: object) -> Manifest:
    base = {
        "rerun": "w_2020_24",
        "source": "/repo",
        "suite": "dia",
        "settings": SETTINGS,
        "shards": ("a.parquet", "b.parquet"),
        "inputs": "i",
        "content": "c",
        "harness": "0.1.0",
    }
    return Manifest(**{**base, **changes})


@pytest.fixture
def store(tmp_path):
    """Make an empty store."""
    return MeasurementStore(tmp_path / "measurements")


def test_shards_come_back_as_written(store):
    """Rows of several shards are one table, and each shard says what it is."""
    folder = store.folder(REF, "dia")
    store.write_shard(folder, "a.parquet", _rows(1), {"kind": "sources"})
    store.write_shard(folder, "b.parquet", _rows(2), {"kind": "sources"})
    assert store.read_shards(folder, ("a.parquet", "b.parquet"))["numerator"].to_pylist() == [1, 2]
    assert store.shard_metadata(folder / "a.parquet") == {"format": MANIFEST_FORMAT, "kind": "sources"}


def test_two_repositories_may_hold_a_rerun_of_the_same_name(store):
    """The folder is named for the rerun, and kept apart by the repository."""
    other = store.folder(RerunRef("/elsewhere", REF.name), "dia")
    assert store.folder(REF, "dia") != other
    assert "w_2020_24" in str(other)
    assert "/u/" not in str(other.relative_to(store.root))


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:50])])
def test_a_damaged_shard_is_named(store, damage):
    """A missing or half-written shard is one sentence with the file and the way out."""
    folder = store.folder(REF, "dia")
    store.write_shard(folder, "a.parquet", _rows(1), {})
    damage(folder / "a.parquet")
    assert store.shard_metadata(folder / "a.parquet") is None
    with pytest.raises(BrokenFileError, match=r"a\.parquet cannot be read .*; delete it and measure again"):
        store.read_shards(folder, ("a.parquet",))


def test_manifest_makes_a_measurement_complete(store):
    """Without a manifest there is no measurement; forgetting it undoes that and keeps the shards."""
    folder = store.folder(REF, "dia")
    assert store.read_manifest(folder, SETTINGS) is None
    store.write_manifest(folder, _manifest())
    assert store.read_manifest(folder, SETTINGS) == _manifest()
    assert store.read_manifest(folder, {"good_flags": "S6"}) is None
    store.forget_manifest(folder, SETTINGS)
    assert store.read_manifest(folder, SETTINGS) is None


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:40], "cannot be read"),
        (lambda text: "[]", "is not a measurement manifest"),
        (lambda text: json.dumps({**json.loads(text), "format": 99}), "written by a newer rerun-harness"),
        (lambda text: json.dumps({**json.loads(text), "surprise": 1}), "is not a measurement manifest"),
    ],
)
def test_a_damaged_manifest_is_named(store, damage, words):
    """A manifest that is cut short, foreign or newer is refused in one sentence."""
    folder = store.folder(REF, "dia")
    store.write_manifest(folder, _manifest())
    (path,) = folder.glob("*.json")
    path.write_text(damage(path.read_text()))
    with pytest.raises(BrokenFileError, match=words):
        store.read_manifest(folder, SETTINGS)


def test_tables_are_kept_beside_their_shard(store):
    """Further tables bear the shard's name and their own; those of shards without one are passed over."""
    folder = store.folder(REF, "own")
    for shard, amplifiers in (("a.parquet", ["C00", "C01"]), ("c.parquet", ["C17"])):
        assert table_filename(shard, "curves") == f"{shard[0]}.curves.parquet"
        store.write_shard(folder, table_filename(shard, "curves"), pa.table({"amplifier": amplifiers}), {})
        store.write_shard(folder, shard, _rows(1), {"tables": ["curves"]})
    store.write_shard(folder, "b.parquet", _rows(2), {"tables": []})
    store.write_shard(folder, "d.parquet", _rows(3), {"kind": "of an older version"})
    shards = ("a.parquet", "b.parquet", "c.parquet", "d.parquet")
    assert [table["amplifier"].to_pylist() for table in store.read_tables(folder, shards, "curves")] == [
        ["C00", "C01"],
        ["C17"],
    ]
    assert store.read_tables(folder, shards, "images") == []
    assert store.read_tables(folder, ("c.parquet",), "curves")[0]["amplifier"].to_pylist() == ["C17"]


def test_a_missing_table_is_named(store):
    """A table that its shard promises and that is gone is no empty list."""
    folder = store.folder(REF, "own")
    store.write_shard(folder, "a.parquet", _rows(1), {"tables": ["curves"]})
    with pytest.raises(BrokenFileError, match=r"a\.curves\.parquet cannot be read .*; delete it and measure again"):
        store.read_tables(folder, ("a.parquet",), "curves")


@pytest.mark.parametrize("has_other_fields", [False, True])
def test_what_an_older_version_measured_is_measured_anew(store, has_other_fields):
    """An older format is no damage, whichever fields it had: it counts as not measured, and is replaced."""
    folder = store.folder(REF, "dia")
    store.write_manifest(folder, _manifest())
    (path,) = folder.glob("*.json")
    old = {**json.loads(path.read_text()), "format": MANIFEST_FORMAT - 1}
    if has_other_fields:
        del old["families"]
    path.write_text(json.dumps(old))
    assert store.read_manifest(folder, SETTINGS) is None
    store.write_manifest(folder, _manifest())
    assert store.read_manifest(folder, SETTINGS) == _manifest()
