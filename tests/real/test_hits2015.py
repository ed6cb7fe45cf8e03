"""HiTS 2015 through the command line: two vintages of the pipeline, and two conversions of the second one's rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from real_reruns import CONVERSIONS, MATCHED, NEW, OLD, VINTAGES, Vintage, hits_files

from harness.rerun import open_rerun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import CommandLine

#: What the older vintage is wrong in, and the newer one is not.
DEFECTS = {"dia.numEqualColumnPairs", "dia.numNonPositivePsfDeterminants"}


def states(rows: list[dict], state: str) -> set[str]:
    """Return the metrics with a verdict of this kind."""
    return {row["metric"] for row in rows if row["state"] == state}


@pytest.mark.parametrize("vintage", VINTAGES, ids=lambda vintage: vintage.name)
def test_counts_are_those_known(run: CommandLine, hits: Path, vintage: Vintage) -> None:
    """Rows that files repeat count once, under every schema and file name."""
    rows = run.rows("measure", "--repo", hits, "--rerun", vintage.name)
    values = {row["metric"]: row["value"] for row in rows}
    assert values["dia.numSources"] == vintage.sources
    assert values["dia.numObjects"] == vintage.objects
    assert values["dia.numGoodSources"] == vintage.good
    assert values["dia.numNonPositivePsfDeterminants"] == vintage.non_positive_determinants


@pytest.mark.parametrize("vintage", VINTAGES, ids=lambda vintage: vintage.name)
def test_equal_moments_are_those_known(hits: Path, vintage: Vintage) -> None:
    """The xy moment of the PSF stands in the yy column of every row of the older vintage, and in none of the others."""
    moments = open_rerun(str(hits), vintage.name).tables["diaSource"].read(["iyyPSF", "ixyPSF"])
    assert (moments["iyyPSF"].to_numpy() == moments["ixyPSF"].to_numpy()).sum() == vintage.equal_moments


def test_churn_is_that_known(run: CommandLine, hits: Path) -> None:
    """By visit and detector, the known number of the older vintage's sources is found again; the rest is lost."""
    both = ["--repo", hits, "--rerun", NEW.name, "--reference", OLD.name]
    rows = run.rows("measure", *both, "--by", "visit,detector", "--metric", "churn.num*")
    found = {(row["metric"], row["visit"], row["detector"]): row["value"] for row in rows}
    for (visit, detector), (reference, matched) in MATCHED.items():
        assert found["churn.numReference", visit, detector] == reference
        assert found["churn.numMatched", visit, detector] == matched
        assert found["churn.numLost", visit, detector] == reference - matched
    total = {metric: sum(found[metric, *each] for each in MATCHED) for metric in ("churn.numRerun", "churn.numGained")}
    assert total["churn.numRerun"] == NEW.sources
    assert total["churn.numGained"] == NEW.sources - sum(matched for _, matched in MATCHED.values())


@pytest.mark.parametrize(("vintage", "wrong", "code"), [(OLD, DEFECTS, 1), (NEW, set(), 3)], ids=["older", "newer"])
def test_wrong_moments_fail_without_being_told(
    run: CommandLine, hits: Path, vintage: Vintage, wrong: set[str], code: int
) -> None:
    """Without a baseline nothing can be said of counts, and yet the defect of the older vintage is named."""
    rows = run.rows("verify", "--repo", hits, "--rerun", vintage.name, code=code)
    assert states(rows, "FAIL") == wrong
    assert states(rows, "PASS") >= DEFECTS - wrong
    sentences = {row["metric"]: row["sentence"] for row in rows}
    assert sentences["dia.numEqualColumnPairs"].endswith("iyyPSF == ixyPSF") == bool(wrong)


@pytest.fixture
def planted(real_data: Path, tmp_path: Path) -> Callable[[Callable[[pa.Table], pa.Table]], Path]:
    """Return a function that makes a rerun of the newer vintage's DIA sources, changed on the way."""

    def plant(change: Callable[[pa.Table], pa.Table]) -> Path:
        folder = tmp_path / "planted"
        folder.mkdir()
        for path in hits_files(real_data, NEW)[0]:
            table = pq.read_table(path)
            pq.write_table(change(table) if table.num_rows else table, folder / path.name)
        (folder / "rerun.toml").write_text(
            f"""
            instrument = "DECam"
            [tables.diaSource]
            files = ["{NEW.files[0]}"]
            unique = "diaSourceId"
            """
        )
        return folder

    return plant


def test_another_wrong_column_fails_as_well(run: CommandLine, planted: Callable[..., Path]) -> None:
    """The check is about no column in particular: an error of the declination that is that of the ascension fails."""

    def copied(table: pa.Table) -> pa.Table:
        return table.set_column(table.schema.get_field_index("decErr"), "decErr", table["raErr"])

    rows = run.rows("verify", "--repo", planted(copied), code=1)
    assert states(rows, "FAIL") == {"dia.numEqualColumnPairs"}
    (sentence,) = (row["sentence"] for row in rows if row["state"] == "FAIL")
    assert sentence.endswith("raErr == decErr")


@pytest.fixture
def strict(run: CommandLine, hits: Path) -> CommandLine:
    """Return the command line with a baseline that allows no change at all against the newer vintage."""
    newer = ("--repo", hits, "--dataset", "strict")
    run.accept(NEW.name, *newer, "--atol", 0, "--rtol", 0, *COUNTS)
    run.accept(NEW.name, *newer, "--atol", 0, "--better", "lower", "dia.numEmptyColumns")
    other = (CONVERSIONS[0].name, *newer, "--reference", NEW.name)
    run.accept(*other, "--low", 0, "--high", 0, "columns.numChanged")
    run.accept(*other, "--low", 90, "--high", 200, "columns.numCompared")
    run.accept(*other, "--low", 0, "--high", 0.02, "churn.fracLost", "churn.fracGained")
    return run


#: Counts and ratios of `NEW` that are too large to come out the same by chance in two visits.
COUNTS = (
    *("dia.numSources", "dia.numGoodSources", "dia.numDipoles", "dia.numNewDiaObjects", "dia.ratioGoodToAllSources"),
    *("dia.numObjects", "dia.numGoodObjects*", "dia.numSingleSourceObjects", "dia.numSourcesPerObject"),
    "dia.fracSingleSourceObjects",
)


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda vintage: vintage.name)
def test_a_schema_conversion_passes(strict: CommandLine, hits: Path, conversion: Vintage) -> None:
    """Columns that were renamed, retyped or dropped are no change; every value and every count is the same."""
    both = ["--repo", hits, "--rerun", conversion.name, "--reference", NEW.name, "--dataset", "strict"]
    rows = strict.rows("verify", *both)
    assert {row["state"] for row in rows} == {"PASS"}
    values = {row["metric"]: row["value"] for row in rows}
    assert values["columns.numChanged"] == values["churn.fracLost"] == values["churn.fracGained"] == 0
    assert values["columns.numCompared"] > 90
    assert len(values) > 20
    stored = (open_rerun(str(hits), vintage.name).tables["diaSource"].stored_columns for vintage in (conversion, NEW))
    assert len(set.symmetric_difference(*map(set, stored))) > 40


@pytest.mark.parametrize("conversion", CONVERSIONS, ids=lambda vintage: vintage.name)
def test_nothing_about_a_schema_conversion_fails(run: CommandLine, hits: Path, conversion: Vintage) -> None:
    """Whatever can be accepted of the newer vintage holds, or is a number too small to tell the same from chance."""
    run.accept(NEW.name, "--repo", hits, "--dataset", "all", "--atol", 0, "--better", "lower")
    both = ["--repo", hits, "--rerun", conversion.name, "--reference", NEW.name, "--dataset", "all"]
    rows = run.rows("verify", *both, "--inconclusive", "warn")
    assert len(rows) > 40
    assert {row["state"] for row in rows} <= {"PASS", "INCONCLUSIVE"}
    for row in rows:
        if row["state"] == "INCONCLUSIVE":
            assert row["estimate"] == 0
            assert row["value"] == row["reference"] < CONVERSIONS[0].sources


def test_one_value_that_a_conversion_changed_fails(run: CommandLine, hits: Path, planted: Callable[..., Path]) -> None:
    """A single flux that differs in its last digit is found, with the column's name and by how much."""
    one = open_rerun(str(hits), NEW.name).tables["diaSource"].read(["diaSourceId"])["diaSourceId"][0].as_py()

    def nudged(table: pa.Table) -> pa.Table:
        flux = table["psfFlux"].to_numpy()
        nudged = np.where(table["diaSourceId"].to_numpy() == one, np.nextafter(flux, np.float32(np.inf)), flux)
        return table.set_column(table.schema.get_field_index("psfFlux"), "psfFlux", pa.array(nudged))

    newer = ["--repo", hits, "--dataset", "strict", "--reference", NEW.name]
    run.accept(CONVERSIONS[0].name, *newer, "--low", 0, "--high", 0, "columns.numChanged")
    rows = run.rows("verify", *newer, "--rerun", f"planted={planted(nudged)}", code=1)
    assert states(rows, "FAIL") == {"columns.numChanged"}
    (sentence,) = (row["sentence"] for row in rows if row["state"] == "FAIL")
    assert f"psfFlux (1 of {NEW.sources}, by up to " in sentence


def test_a_persons_own_check_sees_the_real_reruns(hits: Path, run: CommandLine, pytester: pytest.Pytester) -> None:
    """A test file that knows nothing but fixtures and metric names passes and fails where it should."""
    run.rows("measure", "--repo", hits, "--rerun", OLD.name, "--rerun", NEW.name)
    known = {vintage.name: vintage.sources for vintage in (OLD, NEW)}
    pytester.makepyfile(
        test_mine=f"""
        def test_table_is_sane(rerun, dia_sanity, expect):
            expect(rerun[dia_sanity]).sound()

        def test_sources_are_counted(rerun):
            assert rerun["dia.numSources"].value == {known}[rerun.rerun]
        """
    )
    reruns = [f"--rerun={OLD.name}", f"--rerun={NEW.name}"]
    where = [f"--repo={hits}", f"--measurements={run.measurements}", *reruns]
    result = pytester.runpytest_subprocess("-p", "no:benchmark", "-p", "no:cacheprovider", *where)
    failed = [line for line in result.outlines if line.startswith("FAILED")]
    assert {line.split("]")[0].split("[")[1] for line in failed} == {f"{OLD.name}-{metric}" for metric in DEFECTS}
