"""Churn and changed columns of real reruns: HiTS 2015 in two vintages of the pipeline, and two schema conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from real_reruns import CONVERSIONS, MATCHED, NEW, OLD, Vintage

from harness.diagnose.churn import churn_columns, churn_rows
from harness.diagnose.columns import changed_columns
from harness.metrics.settings import Settings
from harness.rerun import open_rerun

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

#: Columns that the APDB's versions call and type differently.
RENAMED = {"isNegative", "timeProcessedMjdTai", "timeWithdrawnMjdTai", "ssObjectReassocTimeMjdTai"}


def sources(hits: Path, vintage: Vintage) -> pa.Table:
    """Return the DIA sources of one vintage, all columns."""
    table = open_rerun(str(hits), vintage.name).tables["diaSource"]
    return table.read(list(table.columns))


def churn(rerun: pa.Table, reference: pa.Table) -> dict[str, dict[tuple[int, int], float]]:
    """Return each count by visit and detector."""
    columns = list(churn_columns(rerun.column_names))
    rows = churn_rows(rerun.select(columns), reference.select(columns), Settings(match_radius=0.5), None, "DECam")
    found: dict[str, dict[tuple[int, int], float]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["metric"], {})[row["visit"], row["detector"]] = row["numerator"]
    return found


@pytest.mark.parametrize(("rerun", "reference"), [(NEW, OLD), (OLD, NEW)], ids=["forward", "backward"])
def test_churn_of_two_vintages_is_the_published_one(hits: Path, rerun: Vintage, reference: Vintage) -> None:
    """Matches are those known for each visit and detector, whichever side is asked; the rest is lost or gained."""
    found = churn(sources(hits, rerun), sources(hits, reference))
    older, newer = ("Reference", "Rerun") if reference is OLD else ("Rerun", "Reference")
    left, came = ("Lost", "Gained") if reference is OLD else ("Gained", "Lost")
    for key, (n_old, matched) in MATCHED.items():
        assert found[f"churn.num{older}"][key] == n_old
        assert found["churn.numMatched"][key] == matched
        assert found[f"churn.num{left}"][key] == n_old - matched
        assert found[f"churn.num{came}"][key] == found[f"churn.num{newer}"][key] - matched
        # The same stars through other software: the typical flux and place change little.
        assert found["churn.medianFluxRatio"][key] == pytest.approx(1, abs=0.1)
        assert abs(found["churn.medianOffsetRa"][key]) < 100
    assert sum(found[f"churn.num{newer}"].values()) == NEW.sources


@pytest.mark.parametrize("vintage", [OLD, NEW], ids=lambda vintage: vintage.name)
def test_a_vintage_against_itself_loses_and_gains_nothing(hits: Path, vintage: Vintage) -> None:
    """Self comparison, which left three or four sources over upstream, leaves none."""
    table = sources(hits, vintage)
    found = churn(table, table)
    assert sum(found["churn.numMatched"].values()) == sum(found["churn.numReference"].values()) == vintage.sources
    assert not any(found["churn.numLost"].values())
    assert not any(found["churn.numGained"].values())


def test_a_read_of_the_same_side_twice_is_not_the_published_churn(hits: Path) -> None:
    """The defect of the founding analysis, both sides read from one rerun, cannot pass for a comparison of two."""
    same = churn(sources(hits, OLD), sources(hits, OLD))
    assert all(same["churn.numMatched"][key] > matched for key, (_, matched) in MATCHED.items())


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda vintage: vintage.name)
def test_a_schema_conversion_changes_no_value(hits: Path, conversion: Vintage) -> None:
    """Every column that the conversion has in common with its origin, renamed or not, is unchanged in every row."""
    changes = changed_columns(sources(hits, conversion), sources(hits, NEW))
    assert len(changes) > 90
    assert {each.name for each in changes} >= RENAMED
    assert {each.n_compared for each in changes} == {NEW.sources}
    assert [str(each) for each in changes if each.n_changed] == []


def test_the_defect_of_the_older_vintage_is_seen_when_it_is_planted(hits: Path) -> None:
    """A conversion that wrote the xy moment into iyyPSF, as was done until 2024-12, changes that column only."""
    table = sources(hits, CONVERSIONS[-1])
    wrong = table.set_column(table.schema.get_field_index("iyyPSF"), "iyyPSF", table["ixyPSF"])
    (change,) = [each for each in changed_columns(wrong, sources(hits, NEW)) if each.n_changed]
    assert (change.name, change.n_changed) == ("iyyPSF", change.n_compared)
