"""``rerun-harness measure``: only measure, and print what was measured."""

from __future__ import annotations

import re

import pytest
from embedded_survey import APRIL, JUNE, MAY, survey_tables

from harness.embedded import load_survey


def test_counts_are_those_that_were_put_in(measured):
    """Sources, good sources, objects and direct-image sources are the survey's truth, for every rerun."""
    truth = load_survey().truth()
    names = ("dia.numSources", "dia.numGoodSources", "dia.numObjects", "dia.numGoodObjectsAny", "dia.numSciSources")
    reruns = [option for name in truth for option in ("--rerun", name)]
    answer = measured("measure", *reruns, "--format", "json")
    values = {(row["rerun"], row["metric"]): row["value"] for row in answer.json["rows"]}
    for rerun, counts in truth.items():
        expected = (counts.sources, counts.good_sources, counts.objects, counts.good_objects, counts.direct_sources)
        assert tuple(values[rerun, name] for name in names) == expected


def test_rows_are_split_by_visit_and_detector(measured):
    """``--by visit,detector`` gives a row for each, with the number of rows that the table has there."""
    answer = measured(
        *("measure", "--rerun", JUNE, "--by", "visit,detector", "--metric", "dia.numSources", "--format", "json")
    )
    table = survey_tables(JUNE)["diaSource"]
    counted = table.group_by(["visit", "detector"]).aggregate([([], "count_all")]).to_pylist()
    expected = {(row["visit"], row["detector"]): row["count_all"] for row in counted}
    assert {(row["visit"], row["detector"]): row["value"] for row in answer.json["rows"]} == expected


def test_number_without_a_visit_is_listed_without_one(measured):
    """What belongs to the rerun as a whole has no visit, and is given none."""
    arguments = ("measure", "--rerun", JUNE, "--by", "visit", "--metric", "dia.numEmptyColumns")
    (row,) = measured(*arguments, "--format", "json").json["rows"]
    assert row["visit"] is None
    assert "–" in measured(*arguments).out


def test_globs_choose_metrics(measured):
    """Several globs add up."""
    answer = measured(
        "measure", "--rerun", JUNE, "--metric", "dia.num*Flux*", "--metric", "churn.*", "--format", "json"
    )
    assert "dia.numNonFiniteFluxes" in answer.rows
    assert all(name.startswith("churn.") or "Flux" in name for name in answer.rows)


def test_churn_is_measured_against_the_reference_asked_for(measured):
    """With ``--reference`` the exchange is measured, and is the survey's truth."""
    churn = load_survey().churn_truth()[APRIL, MAY]
    answer = measured("measure", "--rerun", MAY, "--reference", APRIL, "--metric", "churn.num*", "--format", "json")
    values = [answer.rows[f"churn.{name}"]["value"] for name in ("numMatched", "numLost", "numGained")]
    assert values == [churn.matched, churn.lost, churn.gained]


@pytest.mark.parametrize(
    ("fmt", "pattern"), [("table", r"dia\.numSources +19176 "), ("md", r"\| dia\.numSources \| 19176 \|")]
)
def test_other_formats(measured, fmt, pattern):
    """A terminal and a web page get the same numbers."""
    answer = measured("measure", "--rerun", JUNE, "--metric", "dia.numS*", "--format", fmt)
    assert re.search(pattern, answer.out)


def test_json_is_one_document_with_raw_numbers(measured):
    """Two reruns are one JSON document; what is not known is null, never NaN."""
    answer = measured("measure", "--rerun", MAY, "--rerun", JUNE, "--by", "visit", "--format", "json")
    assert answer.json["inputs"].keys() == {MAY, JUNE}
    assert {row["rerun"] for row in answer.json["rows"]} == {MAY, JUNE}
    assert all(isinstance(row["value"], int | float | None) for row in answer.json["rows"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--metric", "dia.numZ*"], "'dia.numZ*' matches no metric of w_2020_24; have dia.numSources, "),
        (
            ["--by", "patch"],
            "unknown dimension 'patch'; choose from instrument, visit, detector, amplifier, coadd, band",
        ),
        (["--good-flags", "S9"], "'good_flags' must be one of ['S3', 'S6', 'A5', 'N7'] (got 'S9')"),
    ],
)
def test_what_cannot_be_printed_is_named(measured, options, words):
    """A wrong glob, dimension or flag list says what there is."""
    assert measured("measure", "--rerun", JUNE, *options, code=2).complaint.startswith(words)
