"""The same rows must read the same wherever they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from harness.rerun import open_rerun

if TYPE_CHECKING:
    from pathlib import Path

STORES = ("folder", "butler", "butler_postgresql", "sqlite", "postgresql")


@pytest.fixture(params=STORES)
def stored(request: pytest.FixtureRequest, sources: pa.Table) -> tuple[str, str]:
    """Store the sources, and return repository and rerun."""
    get = request.getfixturevalue
    if request.param == "folder":
        return str(get("make_folder")({"diaSource": sources})), "rerun"
    if request.param in ("sqlite", "postgresql"):
        return get(f"make_{request.param}")({"DiaSource": sources}), "rerun"
    root: Path = get("butler_root") if request.param == "butler" else get("postgresql_butler")
    get("put")(root, "rerun", "dia_source_apdb", get("by_detector")(sources))
    return str(root), "rerun"


def test_rows_read_identical_from_every_store(stored: tuple[str, str], sources: pa.Table) -> None:
    """Names, types and values are the same to the last digit."""
    table = open_rerun(*stored).tables["diaSource"]
    read = table.read(sources.column_names).sort_by("diaSourceId")
    expected = sources.cast(sources.schema.set(3, pa.field("detector", pa.int32())))
    assert read.schema.equals(expected.schema)
    assert read.equals(expected.sort_by("diaSourceId"))
    assert list(table.columns) == sources.column_names
    assert table.stored_columns == tuple(sources.column_names)


def test_partitions_hold_every_row_once(stored: tuple[str, str], sources: pa.Table) -> None:
    """Partitions together are the table, and each that names its visits holds those alone."""
    table = open_rerun(*stored).tables["diaSource"]
    parts = table.partitions()
    assert len({part.key for part in parts}) == len(parts)
    rows = pa.concat_tables([table.read(["diaSourceId"], part) for part in parts])
    assert sorted(rows["diaSourceId"].to_pylist()) == sorted(sources["diaSourceId"].to_pylist())
    assert sum(table.read((), part).num_rows for part in parts) == table.read(()).num_rows == sources.num_rows
    for part in parts:
        if part.visits is not None:
            assert set(table.read(["visit"], part)["visit"].to_pylist()) == set(part.visits)


def test_batches_are_the_rows_of_read(stored: tuple[str, str]) -> None:
    """Batches hold the same rows in the same order, with or without columns."""
    table = open_rerun(*stored).tables["diaSource"]
    names = ["psfFlux", "visit"]
    assert pa.Table.from_batches(table.batches(names), table.read(names).schema).equals(table.read(names))
    assert sum(batch.num_rows for batch in table.batches(())) == table.read(()).num_rows


def test_inputs_do_not_change_on_their_own(stored: tuple[str, str]) -> None:
    """Opening the same rerun twice gives the same digests, so that measurements are found again."""
    first, second = (open_rerun(*stored) for _ in range(2))
    assert first.tables["diaSource"].partitions() == second.tables["diaSource"].partitions()
    assert first.provenance() == second.provenance()
    assert first.provenance().inputs
