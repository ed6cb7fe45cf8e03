"""What is left out of a request is found by rules, and what cannot be found is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from measured_survey import Survey

from harness.embedded import EMBEDDED_DATASET, EMBEDDED_DATASETS, EMBEDDED_RERUNS
from harness.errors import SelfComparisonError, UsageError
from harness.model import DataId, VerdictState, digest_of
from harness.request import Request
from harness.rerun.protocol import RerunRef
from harness.session import Session
from harness.shipped import shipped


@pytest.fixture
def repo(tmp_path, monkeypatch):
    """Return a folder with three reruns of files, two of one dataset; the current folder is empty."""
    folder = tmp_path / "repo"
    for name, dataset in (("w_9", "mine"), ("w_10", "mine"), ("deep", "")):
        place = folder / name
        place.mkdir(parents=True)
        (place / "a.parquet").touch()
        line = f'dataset = "{dataset}"\n' if dataset else ""
        (place / "rerun.toml").write_text(f'{line}[tables.diaSource]\nfiles = ["a.parquet"]\n')
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


@pytest.fixture
def unbuilt(tmp_path, monkeypatch):
    """Stand in an empty folder for the embedded repository: names are known without it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("harness.embedded.embedded_repository", lambda **_: tmp_path / "embedded")


def _session(repo, *reruns, **request):
    return Session(Request(repo=str(repo), reruns=reruns, **request))


def _baselines(*names):
    """Copy the harness's own baseline to the current folder, under these names."""
    folder = Path("baselines")
    folder.mkdir(exist_ok=True)
    text = (shipped("baselines") / "hits2015.json").read_text()
    for name in names:
        (folder / f"{name}.json").write_text(text.replace('"dataset": "hits2015"', f'"dataset": "{name}"'))


class TestReruns:
    """Which reruns are meant."""

    def test_newest_by_number_is_the_default(self, repo):
        """``w_10`` is newer than ``w_9``; text would have it the other way round."""
        assert _session(repo).refs == (RerunRef(str(repo), "w_10"),)

    def test_named_ones_keep_their_order(self, repo):
        """What is named twice counts once."""
        assert [ref.name for ref in _session(repo, "w_10", "w_9", "w_10").refs] == ["w_10", "w_9"]

    def test_one_may_lie_elsewhere(self, repo):
        """``NAME=REPO`` names another repository; an APDB URL may hold an equals sign itself."""
        url = "sqlite:////data/{rerun}.db?instrument=DECam"
        refs = _session(repo, "w_9", f"april={url}", f"may={repo}/../elsewhere").refs
        assert refs == (
            RerunRef(str(repo), "w_9"),
            RerunRef(url, "april"),
            RerunRef(str(repo.parent / "elsewhere"), "may"),
        )

    @pytest.mark.parametrize("text", ["", "=", "=repo", "name="])
    def test_half_a_name_is_refused(self, repo, text):
        """Neither name nor repository may be missing."""
        with pytest.raises(UsageError, match="is not a name, nor NAME=REPOSITORY"):
            _ = _session(repo, text).refs

    def test_two_of_one_name_are_refused(self, repo):
        """Verdicts go by the rerun's name."""
        with pytest.raises(UsageError, match="two reruns bear the same name"):
            _ = _session(repo, "w_9", f"w_9={repo}/../elsewhere").refs

    def test_empty_repository_has_none(self, tmp_path):
        """A folder without reruns is named."""
        with pytest.raises(UsageError, match=r"holds neither a butler\.yaml nor a rerun\.toml"):
            _ = _session(tmp_path).refs

    def test_same_repository_from_any_folder(self, repo, monkeypatch):
        """A relative path is made absolute, so that its measurements are found again from elsewhere."""
        monkeypatch.chdir(repo.parent)
        assert _session("repo", "w_9").refs == _session(repo, "w_9").refs


class TestDataset:
    """Which baseline is meant."""

    def test_rerun_names_it(self, repo):
        """The ``rerun.toml`` says which dataset it is, whatever files there are."""
        _baselines("other", "another")
        assert _session(repo, "w_9").dataset == "mine"

    def test_only_one_there_is(self, repo):
        """Where the rerun does not say, the only baseline is the one."""
        _baselines("other")
        assert _session(repo, "deep").dataset == "other"

    def test_several_need_a_choice(self, repo):
        """Of several baselines none is guessed."""
        _baselines("other", "another")
        with pytest.raises(UsageError, match="holds several baselines; say which with --dataset: another, other"):
            _ = _session(repo, "deep").dataset

    def test_request_goes_first(self, repo):
        """``--dataset`` overrides what the rerun says."""
        assert _session(repo, "w_9", dataset="other").dataset == "other"

    def test_none_at_all(self, repo):
        """Without a baseline there is no dataset, and writing one needs its name."""
        session = _session(repo, "deep")
        assert session.dataset is None
        assert session.baseline is None
        with pytest.raises(UsageError, match="name the new one with --dataset NAME"):
            _ = session.baseline_path

    def test_unknown_one_beside_others_is_refused(self, repo):
        """A name that no baseline bears, where others are, is a slip."""
        _baselines("hits2015")
        with pytest.raises(
            UsageError, match="there is no baseline of dataset 'hits2016' in baselines; did you mean hits2015"
        ):
            _session(repo, "w_9", dataset="hits2016").resolve()

    def test_embedded_survey_knows_its_own(self, tmp_path, monkeypatch):
        """Without a repository it is the embedded survey's, from the harness's own folder or from the current one's."""
        monkeypatch.chdir(tmp_path)
        session = Session(Request())
        assert session.dataset == EMBEDDED_DATASET
        assert session.baseline_folder == shipped("baselines")
        _baselines(EMBEDDED_DATASET)
        assert Session(Request()).baseline_folder == Path("baselines")

    @pytest.mark.usefixtures("unbuilt")
    @pytest.mark.parametrize("dataset", EMBEDDED_DATASETS)
    def test_embedded_rerun_knows_its_dataset(self, dataset):
        """Each rerun of the embedded repository is held against the baseline of its own kind of data."""
        for name in EMBEDDED_DATASETS[dataset]:
            assert Session(Request(reruns=(name,))).dataset == dataset
        assert Session(Request(reruns=("mine=/elsewhere",))).dataset == EMBEDDED_DATASET

    @pytest.mark.usefixtures("unbuilt")
    def test_embedded_reruns_of_two_datasets_are_not_judged_together(self):
        """One baseline cannot be that of both."""
        both = Session(Request(reruns=tuple(reruns[0] for reruns in EMBEDDED_DATASETS.values())))
        with pytest.raises(
            UsageError, match=r"several datasets \(hits2015, rtm007, latiss, dp02, hsc_sprint\); ask for one at a time"
        ):
            _ = both.dataset

    @pytest.mark.usefixtures("unbuilt")
    def test_embedded_dataset_knows_its_newest_rerun(self):
        """``--dataset`` alone is enough to say what is meant; a name of one's own means the survey."""
        for dataset, reruns in EMBEDDED_DATASETS.items():
            assert [ref.name for ref in Session(Request(dataset=dataset)).refs] == [reruns[-1]]
        mine = Session(Request(dataset="mine"))
        assert [ref.name for ref in mine.refs] == [EMBEDDED_RERUNS[-1]]
        assert mine.dataset == "mine"


class TestReference:
    """What the reruns are compared with."""

    def test_accepted_rerun_where_the_repository_has_it(self, repo):
        """The baseline's own rerun is the reference, when it is there."""
        _baselines("mine")
        (repo / "w_9").rename(repo / "w_2020_20")
        assert _session(repo, "w_10").reference == RerunRef(str(repo), "w_2020_20")

    def test_baseline_alone_where_it_is_gone(self, repo):
        """Otherwise there are the baseline's numbers."""
        _baselines("mine")
        assert _session(repo, "w_10").reference is None

    def test_no_rerun_is_its_own_reference(self, repo):
        """The accepted rerun itself is compared with nothing but its numbers."""
        _baselines("mine")
        (repo / "w_9").rename(repo / "w_2020_20")
        assert _session(repo, "w_2020_20").reference is None

    def test_same_rerun_on_both_sides_is_refused(self, repo):
        """Unless a comparison with itself is what is meant."""
        with pytest.raises(SelfComparisonError, match="w_9 would be compared with itself"):
            _ = _session(repo, "w_10", "w_9", reference="w_9").reference
        assert _session(repo, "w_9", reference="w_9", self_test=True).reference == RerunRef(str(repo), "w_9")

    def test_same_name_elsewhere_is_another_rerun(self, repo):
        """Two repositories may call their reruns alike."""
        reference = _session(repo, "w_9", reference=f"w_9={repo.parent}/old").reference
        assert reference == RerunRef(str(repo.parent / "old"), "w_9")


class TestSettings:
    """By which definitions is measured."""

    def test_baseline_says(self, repo):
        """A baseline's settings are those it is judged by."""
        _baselines("mine")
        path = Path("baselines/mine.json")
        path.write_text(path.read_text().replace('"good_flags": "S3"', '"good_flags": "S6"'))
        assert _session(repo, "w_9").settings.good_flags == "S6"

    def test_request_overrides(self, repo):
        """A flag list that is asked for goes first."""
        _baselines("mine")
        assert _session(repo, "w_9", good_flags="N7").settings.good_flags == "N7"

    def test_unknown_list_is_refused(self, repo):
        """A list that nobody published is named."""
        with pytest.raises(UsageError, match="'good_flags' must be one of"):
            _ = _session(repo, "w_9", good_flags="S9").settings


@pytest.fixture
def survey(tmp_path):
    """Two measured reruns and a baseline."""
    survey = Survey(tmp_path)
    survey.measure("w_2020_20")
    survey.measure("w_2020_24")
    survey.accept()
    return survey


def _measured(survey, **changes):
    request = Request(
        repo=survey.repo,
        reruns=("w_2020_24",),
        reference="w_2020_20",
        baselines=survey.folder / "baselines",
        dataset="mine",
        measurements=survey.folder / "measurements",
    )
    return Session(replace(request, **changes))


def test_groups_hold_what_is_expected(survey):
    """Of counts those in the baseline are judged, of defects all: a check without anything to judge would pass."""
    session = _measured(survey)
    assert session.selection.metrics_of("dia_count") == ["dia.numSources", "dia.numObjects"]
    assert set(session.selection.metrics_of("dia_sanity")) > {"dia.numDuplicateIds", "dia.numEqualColumnPairs"}
    assert len(_measured(survey, baselines=survey.folder / "none").selection.metrics_of("dia_count")) > 2


def test_what_nobody_expects_is_named(survey):
    """Metrics that were measured and that the baseline does not mention are told, defects apart."""
    session = _measured(survey)
    unexpected = session.selection.unexpected(session.refs[0])
    assert "dia.numGoodSources" in unexpected
    assert not {"dia.numSources", "dia.numDuplicateIds"} & set(unexpected)


def test_rerun_that_was_not_measured_has_no_numbers(survey):
    """Every metric of it says that it is not measured."""
    session = _measured(survey, reruns=("w_2020_28",))
    measured = session.measurements(session.refs[0])
    assert list(measured) == []
    assert "has not been measured" in measured["dia.numSources"].why_unmeasured


def test_own_baseline_is_refused(survey):
    """Numbers that were accepted from a rerun show nothing about it."""
    path = survey.folder / "baselines" / "mine.json"
    path.write_text(path.read_text().replace('"inputs": "w_2020_20"', f'"inputs": "{digest_of(["w_2020_20"])}"'))
    session = _measured(survey, reruns=("w_2020_20",), reference=None)
    with pytest.raises(SelfComparisonError, match="baseline mine was accepted from it"):
        session.verification("w_2020_20")
    _measured(survey, reruns=("w_2020_20",), reference=None, self_test=True).verification("w_2020_20")


@pytest.mark.parametrize("tolerate", [False, True])
def test_tolerated_states(survey, tolerate):
    """What cannot be decided is let through when it is said, and nothing else ever."""
    tolerated = _measured(survey, tolerate_inconclusive=tolerate).tolerated
    assert (VerdictState.INCONCLUSIVE in tolerated) is tolerate
    assert tolerated - {VerdictState.INCONCLUSIVE} == {VerdictState.PASS, VerdictState.ACKNOWLEDGED}


@pytest.fixture
def sensor(tmp_path):
    """Two measured reruns of amplifiers, of which each has one that the other has not; no baseline."""
    survey = Survey(tmp_path)
    survey.measure_amplifiers("run_1", {(94, "C06"): 1.5, (94, "C07"): 1.5})
    survey.measure_amplifiers("run_2", {(94, "C07"): 1.5, (None, "R22_S11_C00"): 1.5}, curves=pa.table({"mean": [9.0]}))
    return survey


def _of_sensor(sensor, *reruns, reference=None):
    return _measured(sensor, reruns=reruns, reference=reference, dataset="sensor")


def test_amplifiers_are_those_of_both_sides(sensor):
    """What the reference alone has is judged too: an amplifier that is gone must not go unnoticed."""
    c06, c07, c00 = DataId(detector=94, amplifier="C06"), DataId(detector=94, amplifier="C07"), "R22_S11_C00"
    assert _of_sensor(sensor, "run_1").selection.amplifiers == [c06, c07]
    both = _of_sensor(sensor, "run_2", reference="run_1").selection.amplifiers
    assert sorted(both, key=str) == sorted([c06, c07, DataId(amplifier=c00)], key=str)
    assert len(_of_sensor(sensor, "run_1", "run_2").selection.amplifiers) == 3


def test_amplifiers_of_a_rerun_that_was_not_measured(sensor, survey):
    """One without a name stands for them, so that a check runs and says so; a survey of the sky has none."""
    assert _of_sensor(sensor, "run_3").selection.amplifiers == [DataId()]
    assert _measured(survey).selection.amplifiers == []


def test_group_applies_where_a_rerun_holds_its_input(sensor, survey):
    """Flats have no DIA sources, nor the other way round; of what was not measured nobody knows."""
    flats, unknown = _of_sensor(sensor, "run_1"), _of_sensor(sensor, "run_3")
    assert flats.selection.metrics_of("dia_sanity") == []
    assert "ptc.gain" in flats.selection.metrics_of("amplifier_gain")
    assert _measured(survey).selection.metrics_of("ptc_sanity") == []
    assert unknown.selection.metrics_of("dia_sanity")
    assert unknown.selection.metrics_of("amplifier_gain")


def test_group_applies_where_a_baseline_expects_it(sensor):
    """A rerun that lost its DIA sources is judged by what the baseline says of them."""
    sensor.accept()
    session = _measured(sensor, reruns=("run_1",), reference=None)
    assert session.selection.metrics_of("dia_count") == ["dia.numSources", "dia.numObjects"]
    assert "ptc.numUnfitted" in session.selection.metrics_of("ptc_sanity")
    assert session.selection.metrics_of("eotest_sanity") == []


def test_further_tables_are_found_with_their_measurements(sensor):
    """Curves were kept with one rerun, not with the other, and of a third there is nothing."""
    session = _of_sensor(sensor, "run_1", "run_2", "run_3")
    found = {ref.name: [table.to_pydict() for table in session.tables(ref, "curves")] for ref in session.refs}
    assert found == {"run_1": [], "run_2": [{"mean": [9.0]}], "run_3": []}


def test_request_survives_as_options():
    """What is handed to pytest says the same, folders from anywhere."""
    request = Request(
        repo="/repo",
        reruns=("w_9", "w_10=/other"),
        reference="w_8",
        baselines=Path("mine"),
        good_flags="S6",
        psf_size="trace",
        sample_visits=0,
        sample_seed=7,
        self_test=True,
        tolerate_inconclusive=True,
    )
    assert request.as_options() == [
        "--repo=/repo",
        "--reference=w_8",
        f"--baselines={Path('mine').resolve()}",
        "--good-flags=S6",
        "--psf-size=trace",
        "--sample-visits=0",
        "--sample-seed=7",
        "--inconclusive=warn",
        "--rerun=w_9",
        "--rerun=w_10=/other",
        "--self-test",
    ]
    assert Request().as_options() == []


def test_a_password_is_not_told(tmp_path):
    """What is printed, and goes into reports, names the user of a database and no more."""
    repo = "postgresql://reader:secret@host/apdb"
    session = Session(Request(repo=repo, reruns=("w_1",), baselines=tmp_path, dataset="mine"))
    (ref,) = session.refs
    assert ref.repo == repo
    for text in (session.describe(), session.command(ref)):
        assert "secret" not in text
        assert "postgresql://reader@host/apdb" in text
