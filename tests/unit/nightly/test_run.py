"""A night: what is new is judged, confirmed, kept, reported and announced, once, whatever else goes wrong."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from nightly_place import SOURCE

from harness.errors import HarnessError
from harness.history import store as history_store
from harness.history.store import HistoryStore
from harness.nightly import judged as judged_module
from harness.nightly import keep


def told(night):
    """Return what came of each rerun."""
    return {result.rerun: (result.told, result.code) for result in night.results}


PASSED = ("1 judged: 1 PASS", 0)
FAILED = ("1 judged: 1 FAIL", 1)
NOT_JUDGED = "could not be judged"


class TestNight:
    """What is new, and what is done about it."""

    def test_only_what_is_new_is_judged(self, place):
        """The first night judges all, the second nothing, the third what has appeared since, in the order of names."""
        assert told(place.night()) == {"w_1": ("nothing was judged", 0), "w_2": PASSED}
        second = place.night()
        assert (told(second), second.known, second.exit_code) == ({}, 2, 0)
        place.appear("w_10", 1.1)
        place.appear("w_9")
        third = place.night()
        assert told(third) == {"w_9": PASSED, "w_10": FAILED}
        assert (third.known, third.exit_code) == (2, 1)
        assert place.history == ["w_1", "w_2", "w_9", "w_10"]

    def test_each_rerun_leaves_a_report(self, place):
        """The page of a rerun says what came of it and stands where the result says."""
        place.appear("w_3", 1.1)
        night = place.night()
        assert len(place.files("nightly/reports/mine/*.html")) == 3
        page = night.results[2].report.read_text()
        assert "dia.numSources" in page
        assert "confirmed: the same when measured again from scratch" in page

    def test_report_shows_the_nights_before(self, place, monkeypatch):
        """Trends and warnings are of the whole history, with the rerun at its end; a warning costs nothing."""

        def warn(frame, rerun, *, baseline):
            return [f"{rerun} is the last of {', '.join(frame['rerun'].unique(maintain_order=True))}"]

        place.night()
        place.appear("w_3")
        monkeypatch.setattr(keep, "warnings_about", warn)
        (result,) = place.night().results
        warning = "w_3 is the last of w_1, w_2, w_3"
        assert (result.code, warning in result.notes) == (0, True)
        page = result.report.read_text()
        assert warning in page
        assert 'id="trends"' in page

    def test_dry_run_names_what_is_new_and_touches_nothing(self, place):
        """Nothing is measured, written or announced, and the night after finds the same."""
        before = sorted(place.folder.rglob("*"))
        night = place.night(dry_run=True)
        assert told(night) == {"w_1": ("new", 0), "w_2": ("new", 0)}
        assert sorted(place.folder.rglob("*")) == before
        assert told(place.night()).keys() == {"w_1", "w_2"}

    def test_since_leaves_older_ones_alone(self, place):
        """Only what comes after a rerun is judged; numbers in names count by value."""
        place.appear("w_10")
        assert told(place.night(since="w_2")) == {"w_10": PASSED}
        assert place.history == ["w_10"]

    def test_same_name_from_other_inputs_is_new(self, place):
        """A rerun that was done once more under its old name is judged, and the history has both."""
        place.night()
        place.appear("w_2", 1.1)
        night = place.night()
        assert told(night) == {"w_2": FAILED}
        frame, problems = HistoryStore(place.folder / "history").read(metric="dia.numSources")
        assert frame["rerun"].to_list() == ["w_1", "w_2", "w_2"]
        assert any("from different inputs" in problem for problem in problems)

    def test_clock_that_jumps_changes_nothing(self, place, monkeypatch):
        """With the clock set back by years, nothing is judged twice, and the order is that of the nights."""
        place.night()
        place.appear("w_3")

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime(2001, 1, 1, tzinfo=UTC)

        monkeypatch.setattr(history_store, "datetime", Clock)
        assert told(place.night()) == {"w_3": PASSED}
        monkeypatch.undo()
        night = place.night()
        assert told(night) == {}
        assert any("a clock was wrong" in note for note in night.notes)
        frame, _ = HistoryStore(place.folder / "history").read(metric="dia.numSources")
        assert frame["rerun"].to_list() == ["w_1", "w_2", "w_3"]


class TestAnnouncing:
    """People are told of what is new, and of nothing else."""

    def test_new_failure_is_announced_once(self, place):
        """What fails as it did in the rerun before is no news; what fails again after it has passed is."""
        for name, scale in (("w_3", 1.1), ("w_4", 1.1), ("w_5", 1.0), ("w_6", 1.1)):
            place.appear(name, scale)
        night = place.night()
        assert [result.new for result in night.results] == [0, 0, 1, 0, 0, 1]
        assert place.messages == ["w_3 of mine: 1 judged: 1 FAIL; 1 new", "w_6 of mine: 1 judged: 1 FAIL; 1 new"]
        assert "FAIL dia.numSources = 528, +10 % against w_1 (allowed ±2 %)\n" in place.told.read_text()
        place.night()
        assert len(place.messages) == 2
        assert not (place.folder / "nightly" / "again").exists()

    def test_failure_that_does_not_repeat_is_said_to_be_so(self, place):
        """A stored number that is not what is measured from scratch is no failure, but NOT_MEASURED, everywhere."""
        place.appear("w_3")
        place.night(since="w_2")
        (entry,) = _entries(place, "w_3")
        entry.unlink()
        _double(place, "w_3")
        night = place.night(since="w_2")
        assert told(night) == {"w_3": ("1 judged: 1 NOT_MEASURED", 3)}
        assert night.results[0].notes[0].startswith("not confirmed: it is not the same when measured again")
        sentence = "dia.numSources is not the same when measured again: 960 (FAIL) and then 480 (PASS)"
        assert f"NOT_MEASURED {sentence}\n" in place.told.read_text()
        assert sentence in night.results[0].report.read_text()
        frame, _ = HistoryStore(place.folder / "history").read(metric="dia.numSources", rerun="w_3")
        assert frame.select("value", "state").rows() == [(480.0, "NOT_MEASURED")]

    def test_missing_visits_are_told(self, place):
        """Failures of a rerun that lacks visits of the reference are announced with that."""
        place.appear("w_3", 1.1, visits=range(100, 109))
        night = place.night()
        remark = "incomplete: 3 of 12 visits of w_1 are missing (109, 110, 111)"
        assert remark in night.results[2].notes
        assert f"{remark}\n" in place.told.read_text()

    def test_rerun_that_changes_meanwhile_is_left(self, place, monkeypatch):
        """Somebody still writes it: it is neither kept nor announced, and the next night judges it."""
        place.appear("w_3", 1.1)
        judge = judged_module.judge_with_pytest

        def judge_and_grow(session, checks):
            if session.refs[0].name == "w_3":
                place.appear("w_3", 1.2)
            return judge(session, checks)

        monkeypatch.setattr(judged_module, "judge_with_pytest", judge_and_grow)
        night = place.night()
        assert told(night)["w_3"] == (NOT_JUDGED, 3)
        assert night.results[2].notes == ("w_3 has changed while it was measured; it is left to the next night",)
        assert (place.history, place.messages) == (["w_1", "w_2"], [])
        monkeypatch.undo()
        assert told(place.night()) == {"w_3": FAILED}
        assert len(place.messages) == 1

    def test_passing_rerun_that_changes_meanwhile_is_left(self, place, monkeypatch):
        """What passes is not kept either, when it was not all that there is."""
        judge = judged_module.judge_with_pytest

        def judge_and_grow(session, checks):
            place.appear("w_2", 1.2)
            return judge(session, checks)

        monkeypatch.setattr(judged_module, "judge_with_pytest", judge_and_grow)
        assert told(place.night())["w_2"] == (NOT_JUDGED, 3)
        assert place.history == ["w_1"]

    @pytest.mark.parametrize(
        ("announce", "problem"),
        [
            ('command = ["no-such-command"]', "'no-such-command' (no such file or directory)"),
            ('command = ["sh", "-c", "echo no route >&2; exit 7"]', "sh ended with code 7 (no route)"),
            ('webhook = "http://127.0.0.1:9/secret"', "the webhook at 127.0.0.1 cannot be reached"),
        ],
    )
    def test_announcement_that_fails_waits_and_loses_nothing(self, place, announce, problem):
        """The history has the rerun, its failure stays the night's code, and the next night delivers."""
        place.appear("w_3", 1.1)
        place.configure(announce=announce)
        night = place.night()
        assert told(night)["w_3"] == FAILED
        assert problem in night.results[2].notes[-1]
        assert "secret" not in str(night)
        assert place.history == ["w_1", "w_2", "w_3"]
        second = place.night()
        assert (second.exit_code, told(second)) == (2, {})
        assert problem in second.problems[0][1]
        place.configure()
        assert place.night().exit_code == 0
        assert place.messages == ["w_3 of mine: 1 judged: 1 FAIL; 1 new"]
        assert place.files("nightly/announcements/pending/*") == []


class TestBadInput:
    """What is wrong with one thing is told, and the rest is done."""

    def test_unreadable_rerun_is_named_and_the_others_are_done(self, place):
        """A broken file costs its own rerun, is announced once, and tried again each night."""
        place.appear("w_3", 1.1)
        (place.folder / "reruns" / "w_2" / "sources.parquet").write_bytes(b"PAR1 no more")
        night = place.night()
        assert told(night) == {"w_1": ("nothing was judged", 0), "w_2": (NOT_JUDGED, 4), "w_3": FAILED}
        assert "sources.parquet" in night.results[1].notes[0]
        assert night.exit_code == 1
        second = place.night()
        assert (told(second), second.exit_code) == ({"w_2": (NOT_JUDGED, 4)}, 4)
        assert [line.split(" of ")[0] for line in place.messages] == ["w_2", "w_3"]
        place.appear("w_2")
        assert told(place.night()) == {"w_2": PASSED}

    def test_vanished_rerun_is_named_and_the_others_are_done(self, place, monkeypatch):
        """A rerun that goes between being listed and being opened is told, not raised."""
        place.appear("w_3")
        new_session = keep.Past.__init__

        def lose(self, frame):
            new_session(self, frame)
            place.vanish("w_2")

        monkeypatch.setattr(keep.Past, "__init__", lose)
        night = place.night()
        assert told(night) == {"w_1": ("nothing was judged", 0), "w_2": (NOT_JUDGED, 2), "w_3": PASSED}
        assert "'w_2'" in night.results[1].notes[0]

    def test_source_that_cannot_be_listed_is_named_and_the_others_are_done(self, place):
        """A repository that is not there ends with 2, after everything else."""
        place.configure('[[reruns]]\nrepo = "gone"\n[[reruns]]\nrepo = "reruns"\nreference = "w_1"\n')
        night = place.night()
        assert (len(night.results), night.exit_code) == (2, 2)
        assert f"there is no folder {place.folder / 'gone'}" in night.problems[0][1]

    def test_rerun_without_a_dataset_is_told(self, place):
        """The history is kept by dataset, so that one has to be known before anything is measured."""
        toml = place.folder / "reruns" / "w_2" / "rerun.toml"
        toml.write_text(toml.read_text().replace('dataset = "mine"\n', ""))
        night = place.night()
        assert told(night)["w_2"] == (NOT_JUDGED, 2)
        assert "nothing says which dataset w_2 of" in night.results[1].notes[0]

    def test_broken_check_is_told_and_fails(self, place):
        """A check that goes wrong by itself is code 1, and is no verdict."""
        (place.folder / "checks" / "test_broken.py").write_text("def test_it(rerun):\n    1 / 0\n")
        night = place.night()
        assert told(night)["w_2"] == ("1 judged: 1 PASS", 1)
        assert night.results[1].notes[0].startswith("ERROR test_broken.py")

    def test_inconclusive_fails_unless_it_is_let_through(self, place):
        """What the data cannot decide is code 3, and 0 where the configuration says so; it is no new failure."""
        check = 'def test_it(rerun, expect):\n    expect(rerun["dia.numSources"]).within(590, 610)\n'
        (place.folder / "checks" / "test_counts.py").write_text(check)
        place.appear("w_2", visits=[*range(100, 112), 100, 100, 105])
        for setting, code in (('inconclusive = "warn"\n', 0), ("", 3)):
            place.configure(f"{setting}{SOURCE}")
            night = place.night()
            assert told(night)["w_2"] == ("1 judged: 1 INCONCLUSIVE", code)
            shutil.rmtree(place.folder / "history")
        assert place.messages == []

    @pytest.mark.parametrize("what", ["history", "nightly"])
    def test_folder_that_is_a_file_is_one_sentence(self, place, what):
        """What cannot be a folder is named, and no rerun is judged in vain."""
        (place.folder / what).write_text("not a folder")
        with pytest.raises(HarnessError, match=f"{place.folder / what}"):
            place.night()
        assert not (place.folder / "measurements").exists()

    def test_history_that_cannot_be_written_costs_nothing_else(self, place, monkeypatch):
        """Judged, reported and announced once; kept as soon as the history can be written."""
        place.appear("w_3", 1.1)

        def refuse(self, entry, *, at=None):
            raise HarnessError("cannot write history: read-only file system")

        monkeypatch.setattr(HistoryStore, "append", refuse)
        night = place.night()
        assert told(night) == {"w_1": ("nothing was judged", 2), "w_2": ("1 judged: 1 PASS", 2), "w_3": FAILED}
        assert all("read-only" in result.notes[-1] for result in night.results)
        assert all(result.report.is_file() for result in night.results)
        assert place.night().exit_code == 1
        monkeypatch.undo()
        assert place.night().exit_code == 1
        assert place.history == ["w_1", "w_2", "w_3"]
        assert len(place.messages) == 1

    def test_truncated_history_file_is_named_and_mended(self, place):
        """The rerun whose file was cut short is judged again, and its file is whole."""
        place.night()
        (entry,) = _entries(place, "w_2")
        entry.write_bytes(entry.read_bytes()[:100])
        night = place.night()
        assert told(night) == {"w_2": PASSED}
        assert str(entry) in night.notes[0]
        assert place.history == ["w_1", "w_2"]


def _entries(place, rerun):
    """Return the files of a rerun in the history."""
    paths = (place.folder / "history" / "mine").glob("*.parquet")
    return [path for path in paths if pq.read_table(path, columns=["rerun"])["rerun"][0].as_py() == rerun]


def _double(place, rerun):
    """Double all numbers that are stored of a rerun, as no measurement would."""
    for path in place.folder.glob(f"measurements/{rerun}-*/own/*.parquet"):
        table = pq.read_table(path)
        index = table.schema.get_field_index("numerator")
        pq.write_table(table.set_column(index, "numerator", pc.multiply(table["numerator"], 2.0)), path)
