"""Two sides must be two things: a rerun compared with itself is refused by name, by UUID and by content."""

from __future__ import annotations

import shutil

import pytest
from embedded_survey import JUNE, MAY, survey_tables, write_rerun

from harness.shipped import shipped


def test_same_name(measured):
    """The same rerun on both sides is refused before anything is judged."""
    answer = measured("verify", "--rerun", MAY, "--reference", MAY, code=2)
    assert answer.complaint == (
        f"{MAY} would be compared with itself; name two different reruns (--self-test if that is what you want to see)"
    )


@pytest.mark.parametrize("command", [["verify", "--rerun", MAY], ["diff", MAY]])
def test_own_baseline(measured, command):
    """A rerun agrees with the numbers that were accepted from it, which shows nothing; it is said once."""
    answer = measured(*command, code=2)
    assert answer.complaint.startswith(f"{MAY} would be compared with itself: baseline hits2015 was accepted from it")


@pytest.fixture
def chained(measured, repository, tmp_path):
    """Return a copy of the repository in which a chain is another name for May."""
    from lsst.daf.butler import Butler, CollectionType

    copy = tmp_path / "repository"
    shutil.copytree(repository, copy)
    with Butler.from_config(str(copy), writeable=True) as butler:
        butler.collections.register("u/me/april", CollectionType.CHAINED)
        butler.collections.redefine_chain("u/me/april", [MAY])
    return copy


def test_same_datasets_behind_two_names(measured, chained):
    """A chain of the same run holds the same dataset UUIDs; judging April twice ended as "unchanged" once."""
    select = ("--rerun", "u/me/april", "--reference", MAY, "--dataset", "hits2015")
    answer = measured("verify", "--repo", chained, *select, code=2)
    assert "are two names for the same datasets" in answer.complaint


def test_same_files_in_two_folders(run):
    """A copied folder has the same file digests."""
    write_rerun(run.folder, MAY, survey_tables(MAY))
    other = write_rerun(run.folder, "copy", survey_tables(MAY))
    assert other.parent.joinpath("diaSource.parquet").read_bytes()
    answer = run("diff", "copy", MAY, "--repo", run.folder, code=2)
    assert "are two names for the same datasets" in answer.complaint


def test_same_rows_in_other_files(run):
    """The same rows written anew have other digests and still are the same rows."""
    write_rerun(run.folder, MAY, survey_tables(MAY))
    tables = {name: table.replace_schema_metadata({"written": "again"}) for name, table in survey_tables(MAY).items()}
    write_rerun(run.folder, "again", tables)
    answer = run("diff", "again", MAY, "--repo", run.folder, code=2)
    assert "hold the same rows (content digest " in answer.complaint


def test_same_rows_in_butler_and_files(run):
    """Where the rows are stored makes no difference."""
    write_rerun(run.folder, "files", survey_tables(MAY))
    answer = run("diff", f"files={run.folder}", MAY, "--dataset", "hits2015", code=2)
    assert "hold the same rows" in answer.complaint


def test_self_test_finds_no_exchange(measured):
    """On purpose, a rerun against itself has nothing lost, nothing gained and no changed column."""
    answer = measured("measure", "--rerun", MAY, "--reference", MAY, "--self-test", "--format", "json")
    values = {name: answer.rows[name]["value"] for name in answer.rows if name.startswith(("churn.", "columns."))}
    assert values["churn.numLost"] == values["churn.numGained"] == values["columns.numChanged"] == 0
    assert values["churn.numMatched"] == answer.rows["dia.numSources"]["value"]
    assert values["churn.medianFluxRatio"] == 1
    assert values["churn.medianOffset"] == 0


@pytest.mark.slow
def test_self_test_passes_every_check(measured):
    """And every expectation holds, none of them for want of a number."""
    answer = measured("verify", "--rerun", MAY, "--reference", MAY, "--self-test", "--format", "json")
    assert set(answer.states.values()) == {"PASS"}
    assert answer.states.keys() == measured("verify", "--rerun", JUNE, "--format", "json").states.keys()


def test_renamed_baseline_is_no_way_around(run):
    """A copy of the accepted rerun under another name is refused against the baseline too."""
    write_rerun(run.folder, "mine", survey_tables(MAY))
    accept = ("--repo", run.folder, "--reason", "first", "--by", "A. Person")
    run("accept", "mine", "dia.numSources", "--rtol", 0.1, *accept)
    write_rerun(run.folder / "elsewhere", "other", survey_tables(MAY))
    answer = run("verify", "--repo", run.folder / "elsewhere", "--baselines", run.baselines, code=2)
    assert "baseline hits2015 was accepted from it" in answer.complaint
    assert shipped("baselines") != run.baselines
