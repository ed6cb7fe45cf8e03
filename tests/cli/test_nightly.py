"""``rerun-harness nightly`` and ``history``: what a night finds, and what a metric did through the nights."""

from __future__ import annotations

import pytest
from nightly_place import Place

METRIC = "dia.numSources"


@pytest.fixture
def place(run):
    """Return the current folder as a place where two reruns that are alike have appeared."""
    place = Place(run.folder)
    place.appear("w_1")
    place.appear("w_2")
    return place


def test_a_night_and_the_next(run, place):
    """What is new is judged and kept, and what fails gives the code; then nothing is new, until it is."""
    said = run("nightly", "--dry-run").out
    assert "w_1" in said
    assert "w_2" in said
    assert not (run.folder / "history").exists()
    run("nightly")
    assert place.history == ["w_1", "w_2"]
    run("nightly")
    place.appear("w_3", scale=1.5)
    answer = run("nightly", "--format", "json", code=1)
    (row,) = answer.json["rows"]
    assert (row["rerun"], row["code"], answer.json["exit_code"]) == ("w_3", 1, 1)
    assert place.history == ["w_1", "w_2", "w_3"]
    assert len(place.messages) == 1


def test_a_metric_through_the_nights(run, place):
    """Every rerun has a line, the last one its verdict; the picture is one."""
    place.appear("w_3", scale=1.5)
    run("nightly", code=1)
    answer = run("history", METRIC, "--format", "json", "--plot", "trend.svg")
    assert [(row["rerun"], row["value"]) for row in answer.json["rows"]] == [("w_1", 480), ("w_2", 480), ("w_3", 720)]
    assert answer.json["rows"][-1]["state"] == "FAIL"
    assert (run.folder / "trend.svg").read_text().startswith("<?xml")
    assert "+50.00 %" in run("history", METRIC).out


def test_wrong_questions_about_the_history(run, place):
    """Each has one sentence with a way out."""
    assert "holds nothing yet; rerun-harness nightly adds to it" in run("history", METRIC, code=2).err
    run("nightly")
    assert "did you mean dia.numSources" in run("history", "dia.numSource", code=2).err
    assert run("history", METRIC, "--dataset", "other", code=2).err == (
        "Error: history holds no dataset 'other'; there are mine\n"
    )
    assert run("history", METRIC, "--plot", "trend.txt", code=2).err == (
        "Error: cannot draw trend.txt: a plot is .png, .svg or .pdf\n"
    )
    assert "there is no folder none" in run("history", METRIC, "--plot", "none/trend.png", code=2).err


def test_a_night_without_a_configuration(run):
    """It says what to write."""
    answer = run("nightly", code=2)
    assert answer.err.startswith("Error: there is no nightly.toml; write one, for example with [[reruns]]")
