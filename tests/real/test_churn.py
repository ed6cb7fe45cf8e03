"""Churn and changed columns of real reruns: HiTS 2015 in two vintages of the pipeline, and two schema conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.diagnose.churn import churn_columns, churn_rows
from harness.diagnose.columns import changed_columns
from harness.metrics.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = "49f3a3f", "58bd7b4"
SCHEMA_8, SCHEMA_9 = "528bc63", "7c36eb7"

#: By visit and detector: unique sources of 2024-10-10, of 2025-04-18, and their mutual matches within 0.5 arcsec.
PUBLISHED = {
    (411371, 56): (156, 144, 92),
    (411371, 60): (195, 200, 148),
    (411420, 5): (153, 145, 108),
    (411420, 10): (149, 138, 110),
}


def sources(real_data: Path, vintage: str) -> pa.Table:
    """Return the DIA sources of one vintage, all files one after the other, under today's column names."""
    folder = real_data / "ap_verify_ci_hits2015" / vintage
    paths = [path for stem in ("diaSources", "dia_source") for path in sorted(folder.glob(f"preloaded_{stem}_*.parq"))]
    tables = [table for table in map(pq.read_table, paths) if table.num_rows]
    table = pa.concat_tables(tables, promote_options="permissive")
    table = table.select([name for name in table.column_names if not name.startswith("__")])
    return table.rename_columns({"is_negative": "isNegative"} if "is_negative" in table.column_names else {})


def churn(rerun: pa.Table, reference: pa.Table) -> dict[str, dict[tuple[int, int], float]]:
    """Return each count by visit and detector."""
    columns = list(churn_columns(rerun.column_names))
    rows = churn_rows(rerun.select(columns), reference.select(columns), Settings(match_radius=0.5), None, "DECam")
    found: dict[str, dict[tuple[int, int], float]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["metric"], {})[row["visit"], row["detector"]] = row["numerator"]
    return found


def test_churn_of_two_vintages_is_the_published_one(real_data: Path) -> None:
    """Both sides' sources and their matches are those known for each visit and detector; the rest is lost or gained."""
    found = churn(sources(real_data, NEW), sources(real_data, OLD))
    names = ("churn.numReference", "churn.numRerun", "churn.numMatched")
    assert {key: tuple(found[name][key] for name in names) for key in found[names[0]]} == PUBLISHED
    for key, (old, new, matched) in PUBLISHED.items():
        assert found["churn.numLost"][key] == old - matched
        assert found["churn.numGained"][key] == new - matched
        # The same stars through other software: the typical flux and place change little.
        assert found["churn.medianFluxRatio"][key] == pytest.approx(1, abs=0.1)
        assert abs(found["churn.medianOffsetRa"][key]) < 100


@pytest.mark.parametrize("vintage", [OLD, NEW])
def test_a_vintage_against_itself_loses_and_gains_nothing(real_data: Path, vintage: str) -> None:
    """Self comparison, which left three or four sources over upstream, leaves none."""
    table = sources(real_data, vintage)
    found = churn(table, table)
    assert sum(found["churn.numMatched"].values()) == sum(found["churn.numReference"].values())
    assert not any(found["churn.numLost"].values())
    assert not any(found["churn.numGained"].values())


def test_a_read_of_the_same_side_twice_is_not_the_published_churn(real_data: Path) -> None:
    """The defect of the founding analysis, both sides read from one rerun, cannot pass for a comparison of two."""
    same = churn(sources(real_data, OLD), sources(real_data, OLD))
    assert all(same["churn.numMatched"][key] > matched for key, (_, _, matched) in PUBLISHED.items())


@pytest.mark.parametrize("conversion", [SCHEMA_8, SCHEMA_9])
def test_a_schema_conversion_changes_no_value(real_data: Path, conversion: str) -> None:
    """Every column that the conversion has in common with its origin is unchanged in every row."""
    changes = changed_columns(sources(real_data, conversion), sources(real_data, NEW))
    assert len(changes) > 90
    assert {each.n_compared for each in changes} == {sum(new for _, new, _ in PUBLISHED.values())}
    assert [str(each) for each in changes if each.n_changed] == []


def test_the_defect_of_the_older_vintage_is_seen_when_it_is_planted(real_data: Path) -> None:
    """A conversion that wrote the xy moment into iyyPSF, as was done until 2024-12, changes that column only."""
    table = sources(real_data, SCHEMA_9)
    wrong = table.set_column(table.schema.get_field_index("iyyPSF"), "iyyPSF", table["ixyPSF"])
    (change,) = [each for each in changed_columns(wrong, sources(real_data, NEW)) if each.n_changed]
    assert (change.name, change.n_changed) == ("iyyPSF", change.n_compared)
