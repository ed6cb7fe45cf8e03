"""The commands on the embedded flavors: what each does with the same injections, alone and beside another."""

from __future__ import annotations

import os
import re
import shutil
from functools import cache

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from embedded_survey import CommandLine
from scipy.stats import binomtest

from harness.embedded import embedded_repository
from harness.rerun import open_rerun
from harness.shipped import shipped

pytestmark = pytest.mark.slow

OURS, REFERENCE, WRONG = "convolve_template", "auto", "wrong_kernel"
N_INJECTIONS = 1024


@pytest.fixture
def flavors(run, survey_folder):
    """Return the command line where the embedded flavors are measured, with the harness's own baseline."""
    shutil.copytree(_measured_once(survey_folder / "flavors"), run.store, copy_function=os.link)
    shutil.copytree(shipped("baselines"), run.baselines)
    return run


@cache
def _measured_once(folder):
    folder.mkdir(parents=True)
    run = CommandLine(folder)
    run("measure", "--rerun", OURS, "--rerun", WRONG, "--reference", REFERENCE)
    return run.store


@cache
def found(rerun, cache_folder):
    """Return which injections have a DIA source of their own within half an arcsecond, by visit and number."""
    tables = open_rerun(str(embedded_repository(cache_folder, dataset="hsc_sprint")), rerun).tables
    columns = ("visit", "detector", "ra", "dec")
    injections = tables["injection"].read((*columns, "injectionId"))
    sources = tables["diaSource"].read(columns)
    ours, theirs = ({name: table[name].to_numpy() for name in table.column_names} for table in (injections, sources))
    is_found = {}
    for visit, detector in sorted({*zip(ours["visit"], ours["detector"], strict=True)}):
        here, there = ((each["visit"] == visit) & (each["detector"] == detector) for each in (ours, theirs))
        sky, other = (
            SkyCoord(each["ra"][chosen] * u.deg, each["dec"][chosen] * u.deg)
            for each, chosen in ((ours, here), (theirs, there))
        )
        nearest, distance, _ = sky.match_to_catalog_sky(other)
        back, _, _ = other.match_to_catalog_sky(sky)
        is_mutual = (back[nearest] == np.arange(len(sky))) & (distance < 0.5 * u.arcsec)
        is_found |= dict(zip(((visit, number) for number in ours["injectionId"][here]), is_mutual, strict=True))
    return is_found


def line(notes, word):
    """Return the one note that begins with a word, without it."""
    (said,) = (note.strip() for note in notes if note.strip().startswith(word))
    return said.removeprefix(word).strip()


def test_flavor_alone(flavors, survey_folder):
    """Every injection is found or not as astropy says, by visit too; the fitted threshold is that of the detection."""
    answer = flavors("measure", "--rerun", OURS, "--format", "json")
    is_found = found(OURS, survey_folder)
    assert answer.rows["injected.numInjections"]["value"] == len(is_found) == N_INJECTIONS
    assert answer.rows["injected.numMatched"]["value"] == sum(is_found.values())
    assert 4 < answer.rows["injected.snr50"]["value"] < 6
    by_visit = flavors(
        "measure", "--rerun", OURS, "--by", "visit", "--metric", "injected.numMatched", "--format", "json"
    )
    for row in by_visit.json["rows"]:
        assert row["value"] == sum(yes for (visit, _), yes in is_found.items() if visit == row["visit"])


@pytest.mark.parametrize("rerun", [OURS, WRONG])
def test_flavors_side_by_side(flavors, survey_folder, rerun):
    """Gained and lost injections are those that astropy finds in one alone, and tested by scipy."""
    answer = flavors("diff", rerun, REFERENCE, "--format", "json")
    ours, theirs = (found(name, survey_folder) for name in (rerun, REFERENCE))
    gained = sum(ours[key] and not theirs[key] for key in ours)
    lost = sum(theirs[key] and not ours[key] for key in ours)
    rows = answer.rows
    values = {name: rows[f"flavor.{name}"]["value"] for name in ("numCommon", "numGained", "numLost")}
    assert values == {"numCommon": N_INJECTIONS, "numGained": gained, "numLost": lost}
    change = rows["flavor.efficiencyChange"]
    assert change["value"] == pytest.approx((gained - lost) / N_INJECTIONS)
    assert change["low"] < change["value"] < change["high"]
    p = binomtest(gained, gained + lost).pvalue
    assert line(answer.json["notes"], "injections").startswith(
        f"{gained} of 1024 found by this rerun alone, {lost} by the reference alone: "
        f"{'not' if p <= 0.01 else 'may be'} by chance (McNemar p = {p:.2g})"
    )


def test_settings_that_differ_are_named(flavors):
    """One between the two sound flavors, two where the kernel is wrong as well."""
    told = {name: line(flavors("diff", name, REFERENCE).out.splitlines(), "config") for name in (OURS, WRONG)}
    mode = "subtractImages: mode is 'convolveTemplate', was 'auto'"
    assert told[OURS] == mode
    assert told[WRONG] == f"2 settings differ: subtractImages: makeKernel.sciencePsfScale is 1.2, was 1.0; {mode}"


def test_changes_are_told_to_be_shown_or_not(flavors):
    """A wrong kernel makes fluxes wrong beyond doubt; the numbers stand in the table, and it is strict JSON."""
    rows = flavors("diff", WRONG, REFERENCE, "--format", "json").rows
    pull = rows["flavor.absolutePullChange"]
    assert (pull["shown"], pull["reference"]) == ("more", None)
    assert 0 < pull["low"] < pull["value"] < pull["high"]
    assert rows["injected.fluxPullWidth"]["value"] > 3 * rows["injected.fluxPullWidth"]["reference"]
    table = flavors("diff", WRONG, REFERENCE).out
    (said,) = (each for each in table.splitlines() if each.startswith("flavor.absolutePullChange "))
    assert re.fullmatch(r"\S+ +[\d.]+ +– +[\d.]+ … [\d.]+ +more *(PASS|FAIL|INCONCLUSIVE)?", said.strip())


def test_flavor_that_cannot_be_measured_says_why(flavors):
    """Flags that the table lacks are named, once, and in no other words by each visit."""
    rows = flavors("measure", "--rerun", OURS, "--format", "json").rows
    said = rows["injected.numMatched.N7"]["detail"]
    assert rows["injected.numMatched.N7"]["value"] is None
    assert said.startswith("flag list N7 needs ")
    assert said.endswith("not in the table")


def test_template_that_is_sharpened_fails(flavors):
    """Convolving templates that are broader than their visit leaves false positives; the story stands below."""
    answer = flavors("verify", "--rerun", OURS, "--format", "json", code=1)
    failed = {name for name, state in answer.states.items() if state == "FAIL"}
    assert {"flavor.numFalsePositives", "flavor.purity"} <= failed
    assert not [name for name in failed if name.startswith("injected.num") and "Matched" in name]
    text = flavors("verify", "--rerun", OURS, code=1).out.splitlines()
    assert line(text, "config") == "subtractImages: mode is 'convolveTemplate', was 'auto'"
    assert "found by this rerun alone" in line(text, "injections")
    assert line(text, "next") == f"rerun-harness diff {OURS} {REFERENCE}"


def test_wrong_kernel_is_caught(flavors):
    """By its fluxes, its magnitudes and what it leaves, each of which is a check of its own."""
    answer = flavors("verify", "--rerun", WRONG, "--format", "json", code=1)
    failed = {name for name, state in answer.states.items() if state == "FAIL"}
    assert {
        "injected.fluxPullMean",
        "injected.fluxPullWidth",
        "injected.magOffset",
        "flavor.numFalsePositives",
    } <= failed


def test_report_shows_what_was_found(flavors):
    """The page has figures of efficiency, residuals and places, stamps of what was missed, and the story."""
    flavors("report", "--rerun", OURS, code=1)
    html = (flavors.folder / "report.html").read_text(encoding="utf-8")
    assert html.count("<svg") + html.count("<img") >= 5
    for words in ("missed", "found by this rerun alone", "signal-to-noise", "was 'auto'", "auto"):
        assert words in html.replace("&#39;", "'"), words
    assert not re.search(r'(src|href)="https?://(?!dmtn|ls\.st)', html)
