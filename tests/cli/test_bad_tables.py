"""Tables that are missing, half-written, empty or elsewhere: one line, the right code, and nothing finished is lost."""

from __future__ import annotations

import shutil

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest
from embedded_survey import JUNE, MAY, column_set, cut_short, survey_tables, write_rerun

from harness.shipped import shipped


@pytest.fixture
def files(run):
    """Return the command line where May and June are folders of files, with the harness's own baseline."""
    for name in (MAY, JUNE):
        write_rerun(run.folder, name, survey_tables(name))
    shutil.copytree(shipped("baselines"), run.baselines)
    return run


@pytest.fixture
def split(run):
    """Return the command line where June is a folder with one file of DIA sources per visit."""
    tables = dict(survey_tables(JUNE))
    sources = tables.pop("diaSource")
    toml = write_rerun(run.folder, JUNE, tables)
    for visit in sources["visit"].unique().to_pylist()[:6]:
        rows = sources.filter(pa.compute.equal(sources["visit"], visit))
        pq.write_table(rows, toml.parent / f"visit_{visit}.parquet")
    toml.write_text(toml.read_text() + '[tables.diaSource]\nfiles = ["visit_*.parquet"]\n')
    return run


def test_file_that_is_gone(files):
    """A glob that matches nothing is an error of usage in the ``rerun.toml``."""
    (files.folder / JUNE / "diaSource.parquet").unlink()
    answer = files("verify", "--repo", files.folder, "--rerun", JUNE, code=2)
    assert answer.complaint == (
        f"{files.folder}/{JUNE}/rerun.toml: no file matches 'diaSource.parquet' of table diaSource"
    )


@pytest.mark.parametrize("keep", [0, 0.5, 0.999])
def test_half_written_file_spares_the_others(split, keep):
    """What could be measured is stored; once the file is whole, only what failed is made."""
    path = sorted((split.folder / JUNE).glob("visit_*"))[2]
    whole = path.read_bytes()
    cut_short(path, keep)
    answer = split("measure", "--repo", split.folder, code=4)
    assert answer.complaint.startswith(f"{path} cannot be read as a table (")
    assert answer.complaint.endswith("; write it again or leave it out of the rerun (2 more like it)")
    kept = split.shards
    assert len(kept) >= 5

    path.write_bytes(whole)
    split("measure", "--repo", split.folder)
    assert split.shards.items() >= kept.items()


def test_truncated_dataset_in_a_butler_repository(run, repository, tmp_path):
    """A dataset cut short is named with its file, exit code 4; the other visits are measured."""
    copy = tmp_path / "repository"
    shutil.copytree(repository, copy)
    path = sorted((copy / JUNE / "diaSource").rglob("*.parq"))[7]
    cut_short(path)
    answer = run("verify", "--repo", copy, "--rerun", JUNE, "--dataset", "hits2015", code=4)
    assert str(path) in answer.complaint
    assert len(run.shards) > 40


def test_dataset_without_its_file(run, repository, tmp_path):
    """A file that somebody removed behind Butler's back is said to be missing."""
    copy = tmp_path / "repository"
    shutil.copytree(repository, copy)
    path = sorted((copy / JUNE / "diaSource").rglob("*.parq"))[7]
    path.unlink()
    answer = run("measure", "--repo", copy, "--rerun", JUNE, code=4)
    assert str(path) in answer.complaint


def test_text_in_a_parquet_file(files):
    """A file that is not what its name says is broken."""
    (files.folder / JUNE / "diaSource.parquet").write_text("diaSourceId,ra,dec\n")
    answer = files("measure", "--repo", files.folder, "--rerun", JUNE, code=4)
    assert "diaSource.parquet cannot be read as a table" in answer.complaint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tables = [", "cannot be read as TOML"),
        ('name = "x"\n', "names nothing to read; write for example [tables.diaSource]"),
        ('[tables.diaSauce]\nfiles = ["a.parquet"]\n', "unknown table 'diaSauce'"),
        ('[tables.diaSource]\nfile = "a.parquet"\n', "'tables.diaSource.files' is missing"),
    ],
)
def test_wrong_description_of_the_files(run, text, words):
    """A ``rerun.toml`` that cannot be understood says which key."""
    (run.folder / "rerun.toml").write_text(text)
    answer = run("measure", "--repo", run.folder, code=2)
    assert words in answer.complaint
    assert str(run.folder / "rerun.toml") in answer.complaint


def test_column_that_is_needed_is_missing(files):
    """A table without a column that nothing goes without says what it tried and what there is."""
    tables = dict(survey_tables(JUNE))
    tables["diaSource"] = tables["diaSource"].drop_columns(["ra"])
    write_rerun(files.folder / "other", JUNE, tables)
    answer = files("measure", "--repo", files.folder / "other", code=3)
    assert "has no column 'ra' (tried: ra" in answer.complaint


def test_no_visit_in_common(run):
    """Reruns of other visits cannot be compared: not judged, exit code 3, and every sentence says why."""
    for name, first in ((MAY, True), (JUNE, False)):
        tables = dict(survey_tables(name))
        for table in ("diaSource", "source"):
            early = pa.compute.less(tables[table]["visit"], 900500)
            tables[table] = tables[table].filter(early if first else pa.compute.invert(early))
        write_rerun(run.folder, name, tables)
    shutil.copytree(shipped("baselines"), run.baselines)
    answer = run(
        "verify", "--repo", run.folder, "--rerun", JUNE, "--format", "json", "--", "-k", "counts or churn", code=3
    )
    assert set(answer.states.values()) == {"NOT_COMPARABLE"}
    assert all("no visit in common" in row["sentence"] for row in answer.json["rows"])


def test_missing_visits_are_lost_sources(run):
    """A rerun of half of the visits is not as good as the whole: its sources are lost."""
    tables = dict(survey_tables(JUNE))
    early = pa.compute.less(tables["diaSource"]["visit"], 900500)
    tables["diaSource"] = tables["diaSource"].filter(early)
    write_rerun(run.folder, MAY, survey_tables(MAY))
    write_rerun(run.folder, JUNE, tables)
    shutil.copytree(shipped("baselines"), run.baselines)
    answer = run("verify", "--repo", run.folder, "--rerun", JUNE, "--format", "json", "--", "-k", "churn", code=1)
    assert answer.states["churn.fracLost"] == "FAIL"


def test_empty_tables_count_nothing(run, repository, tmp_path):
    """A rerun that found nothing has counts of 0 for every visit, which is a loss and not a missing catalogue."""
    copy = tmp_path / "repository"
    shutil.copytree(repository, copy)
    for kind in ("diaSource", "diaObject"):
        for path in (copy / JUNE / kind).rglob("*.parq"):
            pq.write_table(pq.read_table(path).slice(0, 0), path)
    answer = run("measure", "--repo", copy, "--rerun", JUNE, "--reference", MAY, "--format", "json")
    for name in ("dia.numSources", "dia.numGoodSources", "dia.numObjects", "churn.numMatched", "churn.numGained"):
        assert answer.rows[name]["value"] == 0, name
    assert answer.rows["dia.numSources"]["n_units"] == 24
    assert answer.rows["churn.fracLost"]["value"] == 1
    judge = ("verify", "--repo", copy, "--rerun", JUNE, "--dataset", "hits2015", "--baselines", shipped("baselines"))
    states = run(*judge, "--format", "json", code=1).states
    assert states["dia.numSources"] == states["churn.fracLost"] == "FAIL"
    assert states["dia.ratioGoodToAllSources"] == "NOT_MEASURED"


def test_fluxes_that_are_no_numbers(files):
    """NaN fluxes are counted as what they are, and make no count of sources NaN."""
    tables = dict(survey_tables(JUNE))
    flux = tables["diaSource"]["psfFlux"].to_numpy().copy()
    flux[::100] = float("nan")
    tables["diaSource"] = column_set(tables["diaSource"], "psfFlux", flux)
    shutil.rmtree(files.folder / JUNE)
    write_rerun(files.folder, JUNE, tables)
    answer = files("verify", "--repo", files.folder, "--rerun", JUNE, "--format", "json", code=1)
    assert [name for name, state in answer.states.items() if state != "PASS"] == ["dia.numNonFiniteFluxes"]
    assert answer.rows["dia.numNonFiniteFluxes"]["value"] == len(flux[::100])


def test_number_that_is_nan_is_not_measured(files):
    """What cannot be known fails as not measured, exit code 3, with the reason."""
    (toml := files.folder / JUNE / "rerun.toml").write_text(toml_without_regions(toml.read_text()))
    answer = files("verify", "--repo", files.folder, "--rerun", JUNE, "--format", "json", "--", "-k", "ratios", code=3)
    assert answer.states["dia.sourceDensity"] == "NOT_MEASURED"
    assert "the area of the detector is not known" in answer.rows["dia.sourceDensity"]["sentence"]
    assert answer.rows["dia.sourceDensity"]["value"] is None


def toml_without_regions(text):
    """Return a ``rerun.toml`` that knows nothing of the geometry."""
    return text[: text.index("[regions]")]


@pytest.mark.parametrize("column", ["psfFlux", "ra", "midpointMjdTai"])
def test_text_where_numbers_belong_is_named(run, column):
    """A word among the numbers names file and column; numbers that were written as text are numbers."""
    tables = dict(survey_tables(MAY))
    sources = tables["diaSource"]
    at = sources.schema.get_field_index(column)
    texts = sources[column].cast("string")
    write_rerun(run.folder, MAY, tables | {"diaSource": sources.set_column(at, column, texts)})
    as_text = run("measure", "--repo", run.folder, "--rerun", MAY, "--format", "json")
    assert as_text.rows["dia.numNonFiniteFluxes"]["value"] == as_text.rows["dia.numNonFinitePositions"]["value"] == 0
    broken = pa.concat_arrays([pa.array(["bright"]), texts.combine_chunks()[1:]])
    write_rerun(run.folder, JUNE, tables | {"diaSource": sources.set_column(at, column, broken)})
    answer = run("measure", "--repo", run.folder, "--rerun", JUNE, code=4)
    assert f"holds a value that does not fit its column ({column}: Failed to parse string: 'bright'" in answer.err
