"""What was asked for does not exist or contradicts itself: one line, exit code 2, and nothing is stored."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest
from embedded_survey import JUNE, MAY, survey_tables, write_rerun

from harness.shipped import shipped


@pytest.mark.parametrize("command", ["measure", "verify"])
@pytest.mark.parametrize(
    ("repo", "words"),
    [
        ("nowhere", "nowhere; name a Butler repository, an APDB URL or a folder with a rerun.toml"),
        (".", "holds neither a butler.yaml nor a rerun.toml"),
        ("sqlite:///nowhere.db", "there is no SQLite file "),
        ("postgresql://nobody@localhost:1/nothing", "cannot be read"),
        ("sqlite://///", "there is no SQLite file"),
        ("nowhere/butler.yaml", "nowhere/butler.yaml"),
        ("https://localhost:1/repository", "https://localhost:1/repository"),
    ],
)
def test_wrong_repository(run, command, repo, words):
    """A repository that is not there is named, whatever kind it would be."""
    answer = run(command, "--repo", repo, "--rerun", JUNE, code=3 if "postgresql" in repo else 2)
    assert words in answer.complaint
    assert not run.store.exists()


def test_unknown_collection(run, repository):
    """A collection that is not there is named, with those that come near."""
    answer = run("measure", "--repo", repository, "--rerun", "w_2020_25", code=2)
    assert answer.complaint == (
        f"{repository} has no collection 'w_2020_25'; did you mean w_2020_24 or w_2020_20 or w_2020_15?"
    )


def test_unknown_rerun_in_a_folder(run):
    """A rerun that the folder does not hold is named, with what it holds."""
    write_rerun(run.folder, MAY, survey_tables(MAY))
    answer = run("measure", "--repo", run.folder, "--rerun", "deep", code=2)
    assert answer.complaint == f"{run.folder} holds no rerun 'deep'; there are: {MAY}"


@pytest.mark.parametrize("text", ["=repo", "name=", "="])
def test_half_of_a_name(run, text):
    """``NAME=REPO`` needs both halves."""
    answer = run("measure", "--rerun", text, code=2)
    assert answer.complaint == f"rerun {text!r} is not a name, nor NAME=REPOSITORY"


def test_unknown_reference(run):
    """A reference is looked up as a rerun is."""
    answer = run("verify", "--rerun", JUNE, "--reference", "w_2020_02", code=2)
    assert "has no collection 'w_2020_02'" in answer.complaint


def test_two_reruns_of_one_name(run, repository):
    """Verdicts go by name, so two reruns of the same name are not judged together."""
    write_rerun(run.folder, JUNE, survey_tables(JUNE))
    answer = run("verify", "--rerun", JUNE, "--rerun", f"{JUNE}={run.folder}", code=2)
    assert answer.complaint.startswith("two reruns bear the same name")


def test_unknown_dataset_is_named(measured):
    """A dataset that is misspelt beside others is refused before anything is measured, with those that are there."""
    answer = measured("verify", "--rerun", JUNE, "--dataset", "hits2016", code=2)
    assert answer.complaint.startswith("there is no baseline of dataset 'hits2016' in ")
    assert answer.complaint.endswith("; did you mean hits2015? (rerun-harness accept writes a new one)")


def test_several_baselines_need_a_choice(run):
    """Where nothing names the dataset, and there is more than one baseline, the choice is the user's."""
    toml = write_rerun(run.folder, JUNE, survey_tables(JUNE))
    toml.write_text(toml.read_text().replace('dataset = "hits2015"\n', ""))
    run.baselines.mkdir()
    for name in ("hits2015", "latiss"):
        (run.baselines / f"{name}.json").write_bytes((shipped("baselines") / "hits2015.json").read_bytes())
    answer = run("verify", "--repo", run.folder, code=2)
    assert answer.complaint == "baselines holds several baselines; say which with --dataset: hits2015, latiss"


def test_reruns_of_two_datasets(run):
    """Reruns that name two datasets have no baseline in common."""
    for name, dataset in ((MAY, "hits2015"), (JUNE, "latiss")):
        toml = write_rerun(run.folder, name, survey_tables(MAY))
        toml.write_text(toml.read_text().replace("hits2015", dataset))
    answer = run("verify", "--repo", run.folder, "--rerun", MAY, "--rerun", JUNE, code=2)
    assert answer.complaint == "the reruns name several datasets (hits2015, latiss); say which with --dataset"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-j", "0"], "Invalid value for '-j'"),
        (["--format", "yaml"], "Invalid value for '--format'"),
        (["--measurements", __file__], "is a file"),
        (["--checks", "nowhere"], "does not exist"),
        (["--rerum", JUNE], "No such option"),
    ],
)
def test_wrong_options(run, options, words):
    """Options are checked before anything is opened."""
    answer = run("verify", *options, code=2)
    assert words in answer.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-k", "no_such_check"], "no check was selected in "),
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["-p", "no_such_plugin"], "no_such_plugin"),
    ],
)
def test_wrong_arguments_for_pytest(measured, arguments, words):
    """What pytest refuses is told in one line of ours."""
    assert words in measured("verify", "--rerun", JUNE, "--", *arguments, code=2).complaint


class TestBaselines:
    """A baseline that cannot be read is exit code 4, in one line with the file, before anything is measured."""

    @pytest.fixture
    def baseline(self, run):
        """Return the harness's own baseline, copied to the default folder."""
        shutil.copytree(shipped("baselines"), run.baselines)
        return run.baselines / "hits2015.json"

    @pytest.mark.parametrize("command", ["verify", "accept", "diff"])
    @pytest.mark.parametrize(
        ("damage", "words"),
        [
            (lambda text: text.replace('"unit": "ct"', '"unit": "ct", "unit": "ct"', 1), 'has the key "unit" twice'),
            (lambda text: text.replace('"unit": "ct"', '"unit": "ct",', 1), "line"),
            (lambda text: text.replace('"rtol": 0.02', '"rtol": NaN', 1), "NaN"),
            (lambda text: text.replace('"unit": "ct"', '"unit": "ct", "colour": 1', 1), "colour"),
            (lambda text: text.replace('"min_read_version": 1', '"min_read_version": 9', 1), "newer"),
            (lambda text: text[: len(text) // 2], "line"),
            (lambda text: "", "empty"),
            (lambda text: "[]", "object"),
            (lambda text: text.replace('"unit": "ct"', '"unit": 3', 1), "unit"),
        ],
        ids=["duplicate", "comma", "nan", "unknown", "newer", "truncated", "empty", "list", "type"],
    )
    def test_damage_is_named(self, run, baseline, command, damage, words):
        """Whatever is wrong with the text, the complaint says what and where, and the file stays as it is."""
        damaged = damage(baseline.read_text())
        baseline.write_text(damaged)
        arguments = {
            "verify": ["--rerun", JUNE],
            "accept": [JUNE, "--reason", "r", "--by", "A. Person"],
            "diff": [JUNE, MAY],
        }[command]
        complaint = run(command, *arguments, code=4).complaint
        assert complaint.startswith("baseline baselines/hits2015.json")
        assert words in complaint
        assert baseline.read_text() == damaged
        assert not run.store.exists()

    def test_settings_that_cannot_be(self, run, baseline):
        """A flag list that nobody knows is named."""
        baseline.write_text(baseline.read_text().replace('"good_flags": "S3"', '"good_flags": "S9"'))
        assert "'good_flags' must be one of" in run("verify", "--rerun", JUNE, code=2).complaint


class TestApdb:
    """A database that is not an APDB of any known schema."""

    def _database(self, run, *statements):
        path = run.folder / "apdb.db"
        with sqlite3.connect(path) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
        return f"sqlite:///{path}"

    def test_no_table_of_sources(self, run):
        """A database without DIA sources is none."""
        url = self._database(run, "CREATE TABLE stars (id INTEGER)")
        answer = run("measure", "--repo", url, "--rerun", "any", code=2)
        assert "is not an APDB: no table DiaSource (tables found: stars)" in answer.complaint

    def test_unknown_schema(self, run):
        """Columns under none of the names that any version had are listed."""
        url = self._database(run, 'CREATE TABLE "DiaSource" (source BIGINT, lon DOUBLE, lat DOUBLE)')
        answer = run("measure", "--repo", url, "--rerun", "any", code=2)
        assert "table DiaSource of " in answer.complaint
        assert "is of an unknown schema" in answer.complaint
        assert "(columns found: source, lon, lat)" in answer.complaint

    def test_not_a_database(self, run):
        """A file that is no SQLite database is said to be none."""
        path = run.folder / "apdb.db"
        path.write_text(json.dumps({"not": "a database"}) * 100)
        answer = run("measure", "--repo", f"sqlite:///{path}", "--rerun", "any", code=3)
        assert "file is not a database" in answer.complaint
