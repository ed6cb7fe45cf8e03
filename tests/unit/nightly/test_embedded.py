"""Nights on the embedded survey: the last three reruns, with the baseline and the checks that come with the harness."""

from __future__ import annotations

from pathlib import Path

import pytest
from embedded_survey import repository, survey_folder

from harness.history.store import HistoryStore
from harness.nightly.config import read_nightly_toml
from harness.nightly.night import night_listing
from harness.nightly.run import nightly

__all__ = ["repository", "survey_folder"]


@pytest.mark.slow
def test_two_nights(tmp_path, monkeypatch, repository, survey_folder):
    """May was accepted, June repeats it; April is another survey, and one message says so."""
    monkeypatch.setenv("RERUN_HARNESS_CACHE", str(survey_folder))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "nightly.toml"
    path.write_text(f'[[reruns]]\nnames = ["w_*"]\n[announce]\ncommand = ["tee", "{tmp_path / "told.txt"}"]\n')
    config = read_nightly_toml(path)

    night = nightly(config, since="w_2020_15", workers=2)
    assert [(each.rerun, each.told, each.code) for each in night.results] == [
        ("w_2020_20", "nothing was judged", 0),
        ("w_2020_24", "52 judged: 52 PASS", 0),
    ]
    assert night.exit_code == 0
    assert not (tmp_path / "told.txt").exists()

    night = nightly(config)
    (april,) = night.results
    assert (night.known, night.exit_code, april.new) == (2, 1, 20)
    assert april.told == "52 judged: 20 FAIL, 1 INCONCLUSIVE, 31 PASS"
    lines = (tmp_path / "told.txt").read_text().splitlines()
    assert lines[:2] == [
        "w_2020_15 of hits2015: 52 judged: 20 FAIL, 1 INCONCLUSIVE, 31 PASS; 20 new",
        "confirmed: the same when measured again from scratch",
    ]
    assert len([line for line in lines if line.startswith("FAIL ")]) == 10
    assert lines[12:14] == ["… and 10 more", f"report: {april.report}"]
    listing = night_listing(night)
    assert listing.title == "1 rerun new, 2 in the history"
    assert listing.extra == {"exit_code": 1}
    frame, problems = HistoryStore(Path("history")).read(metric="dia.numSources")
    assert problems == []
    assert frame.select("rerun", "state").rows() == [("w_2020_20", ""), ("w_2020_24", "PASS"), ("w_2020_15", "FAIL")]
