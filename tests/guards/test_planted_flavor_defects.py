"""Each defect of comparing flavors of the subtraction by hand is planted in tables, and has to be found where it is.

Planted are the defects of DMTN-256, and what can be wrong with injections, their measurement, and the catalogues beside
them.  One of that note's has its guard elsewhere: templates that hold the visits they are subtracted from are counted
by ``template.numOwnInputs`` (``test_planted_template_defects``), of any rerun whose images are at hand.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import planted_flavors as flavors
import pytest
from planted_flavors import FLUX_ERROR, HEIGHT, VISITS, WIDTH, chosen, joined, kept, sources_at
from planted_images import Planted, failed, prepare

from harness.metrics.flavor.paired import compare_totals

pytestmark = pytest.mark.slow


def at(*stems, stages=("", ".S6")):
    """Return names of metrics at all sources, and at those that a list of flags leaves."""
    return tuple(stem + stage for stem in stems for stage in stages)


ACCEPTED = {
    "": ("injected.numDuplicates", "injected.numCoincident", "injected.numNonFinitePositions"),
    "--low 32 --high 32": ("injected.numDetectors",),
    "--low 0 --high 0": (*at("injected.numUnmeasured"), "injected.numOutside", "injected.numWithout*"),
    "--rtol 0.05": (
        *("injected.numInjections", "injected.efficiencyMag.22to24"),
        *at("injected.efficiency", "injected.sourcesPerObject"),
    ),
    "--rtol 0.08": ("injected.numMatched*",),
    "--atol 0.5": at("injected.snr50"),
    "--atol 0.3": at("injected.mag50.g", "injected.mag50.r"),
    "--atol 0.05": (*at("injected.snrCeiling"), "injected.survival*"),
    "--low -0.3 --high 0.3": at("injected.fluxPullMean"),
    "--low 0.85 --high 1.2": at("injected.fluxPullWidth"),
    "--low 0 --high 0.2": at("injected.fracFluxPullTails"),
    "--low -6 --high 6": at("injected.offsetRa", "injected.offsetDec"),
    "--low -0.03 --high 0.03": at("injected.magOffset"),
    "--rtol 0.2": at("injected.magScatter", "injected.separation", "injected.objectScatter"),
    "--low 1 --high 1.02": at("injected.objectsPerInjection"),
    "--rtol 0.25": at("injected.contamination", "flavor.numFalsePositives", "flavor.falsePositiveDensity"),
    "--atol 0.06": at("flavor.fracNegative"),
    "--atol 0.06 --better higher": at("flavor.purity"),
    "--rtol 0.15": at("flavor.medianSnr", "flavor.medianFlux"),
    "--rtol 0.02": at("flavor.medianFluxErr"),
    "--low 0.4 --high 2.2": at("flavor.edgeExcess", "flavor.starExcess"),
    "--high 30": at("flavor.rowAlignment", "flavor.columnAlignment"),
}

CHANGES = {
    "--low 0 --high 0": ("flavor.numConfigDifferences",),
    "--low 1280 --high 1280": ("flavor.numCommon",),
    "--low 0 --high 40": at("flavor.numGained", "flavor.numLost"),
    "--low -0.025 --high 0.025": at("flavor.efficiencyChange", "flavor.magChange"),
    "--low -0.2 --high 0.2": at("flavor.pullChange", "flavor.absolutePullChange"),
    "--low -4 --high 4": at("flavor.separationChange"),
    "--low -0.4 --high 0.4": at("flavor.snr50Change"),
    "--low -0.15 --high 0.15": at("flavor.mag50Change.g", "flavor.mag50Change.r"),
}


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Return the folder of the survey, its copy to plant defects in, and its baseline."""
    return prepare(tmp_path_factory.getbasetemp() / "guarded_flavors", flavors.write, ACCEPTED, CHANGES)


@pytest.fixture
def judge(run, home):
    """Return the function that judges tables as a flavor beside the sound one."""
    planted = Planted(run, home)

    def verify(tables, code=1, settings=flavors.SETTINGS):
        flavors.write(planted.folder, "planted", tables, settings)
        return planted(code=code)

    return verify


_sound = cache(flavors.survey)


@pytest.fixture
def tables():
    """Return the tables of a sound flavor, to plant a defect in."""
    return {name: dict(columns) for name, columns in _sound("planted").items()}


def stem(name):
    """Return a metric's name without its stage."""
    return ".".join(name.split(".")[:2])


def stems(sentences):
    """Return which metrics there are, of whatever stage."""
    return {stem(name) for name in sentences}


def is_found(tables):
    """Return which injections have a DIA source."""
    injection = tables["injection"]
    return np.isin(_key(injection, "injectionId"), _key(_injected(tables), "diaObjectId"))


def _injected(tables):
    return chosen(tables["diaSource"], kept(tables["diaSource"], "injected"))


def _key(columns, number):
    return columns["visit"] * 10**5 + columns[number]


def of_injections(tables, which):
    """Return which DIA sources are those of some injections."""
    sources = tables["diaSource"]
    keys = _key(chosen(tables["injection"], which), "injectionId")
    return kept(sources, "injected") & np.isin(_key(sources, "diaObjectId"), keys)


def test_nothing_planted_is_nothing_found(judge, tables):
    """A flavor with the noise of its own passes."""
    assert {row["state"] for row in judge(tables, code=0).json["rows"]} == {"PASS"}


# What is real counts as false.


def _more(n, seed=11):
    """Return sources somewhere, away from injections."""
    rng = np.random.default_rng(seed)
    visit, detector = rng.integers(len(VISITS), size=n), rng.integers(2, size=n)
    return sources_at(visit, detector, rng.uniform(0, WIDTH - 1, n), rng.uniform(0, HEIGHT - 1, n), seed=seed)


@pytest.mark.parametrize("kind", ["variables", "ephemerides", "associated"])
def test_real_sources_are_contamination_and_not_false(judge, tables, kind):
    """Variables of a catalogue, and solar-system objects, raise what DMTN-256 calls contamination alone."""
    more = _more(450)
    if kind == "associated":
        more["ssObjectId"] = 1 + np.arange(450)
    else:
        known = tables["known"]
        visit = {"visit": np.concatenate([np.full(len(known["ra"]), -1), more["visit"]])}
        moving = {"isMoving": visit["visit"] > 0} if kind == "ephemerides" else {}
        tables["known"] = {name: np.concatenate([known[name], more[name]]) for name in ("ra", "dec")} | moving
    tables["diaSource"] = joined(tables["diaSource"], more)
    answer = judge(tables)
    assert "injected.contamination" in failed(answer)
    assert answer.states["flavor.numFalsePositives"] == "PASS"
    assert answer.states["flavor.falsePositiveDensity"] == "PASS"
    assert not any(stem(name) == "flavor.purity" and row["state"] == "FAIL" for name, row in answer.rows.items())


def test_sources_that_nothing_explains_are_false(judge, tables):
    """As many sources that are nowhere else are false, and less of what is found is true."""
    tables["diaSource"] = joined(tables["diaSource"], _more(450))
    answer = judge(tables)
    assert {"injected.contamination", "flavor.numFalsePositives", "flavor.purity"} <= failed(answer).keys()
    assert answer.states["injected.numMatched"] == "PASS"


# Totals without pairs.


def test_equal_totals_of_other_injections(judge, tables):
    """A flavor that loses as many injections as it gains has the same totals, and is another flavor."""
    injection, found = tables["injection"], is_found(tables)
    snr = injection["flux"] / FLUX_ERROR
    faint = (snr > 3.5) & (snr < 7) & ~injection["inTemplate"]
    rng = np.random.default_rng(5)
    lost, gained = (rng.permutation(np.flatnonzero(faint & which)) for which in (found, ~found))
    n = min(len(lost), len(gained), 75)
    gone = np.flatnonzero(of_injections(tables, np.isin(np.arange(len(found)), lost[:n])))
    new = {name: values[gained[:n]] for name, values in injection.items()}
    replaced = {name: new[name] for name in ("visit", "detector", "band", "ra", "dec", "x", "y")}
    replaced |= {"diaObjectId": new["injectionId"], "psfFlux": new["flux"]}
    for name, values in replaced.items():
        tables["diaSource"][name] = tables["diaSource"][name].copy()
        tables["diaSource"][name][gone] = values
    answer = judge(tables)
    assert stems(failed(answer)) == {"flavor.numGained", "flavor.numLost"}
    assert answer.states["injected.numMatched"] == "PASS"


def test_difference_that_totals_do_not_show(judge, tables):
    """Of 1280 injections, 76 that only the reference found are beyond chance, but their totals are not apart."""
    reference = int(is_found(_sound("reference")).sum())
    lost = np.random.default_rng(3).permutation(np.flatnonzero(is_found(tables)))[:76]
    mask = np.zeros(len(tables["injection"]["visit"]), bool)
    mask[lost] = True
    tables["diaSource"] = chosen(tables["diaSource"], ~of_injections(tables, mask))
    left = int(is_found(tables).sum())
    assert "cannot be told from totals" in compare_totals(left, reference, ("rerun", "reference"), n_injections=1280)
    answer = judge(tables)
    row = answer.rows["flavor.efficiencyChange"]
    assert row["state"] == "FAIL"
    (line,) = [line for line in row["context"] if line.startswith("injections ")]
    assert "by the reference alone: not by chance (McNemar p = " in line
    assert "flavor.numGained" not in failed(answer)


# Several things changed at once.


def test_two_settings_changed(judge, tables):
    """Both are named."""
    settings = {"subtractImages: mode": "'auto'", "detectAndMeasure: thresholdValue": "5.5"}
    assert failed(judge(tables, settings=settings))["flavor.numConfigDifferences"].startswith(
        "flavor.numConfigDifferences = 2 (allowed 0 to 0); detectAndMeasure: thresholdValue is 5.5, was 5.0; "
        "subtractImages: mode is 'auto', was 'convolveTemplate'"
    )


def test_settings_are_not_recorded(judge, tables):
    """Nothing is known of what changed."""
    answer = judge(tables, code=3, settings={})
    assert failed(answer, "NOT_MEASURED") == {
        "flavor.numConfigDifferences": "flavor.numConfigDifferences was not measured in planted: "
        "the rerun did not record its configuration"
    }


# What was processed.


def test_detector_without_sources(judge, tables):
    """All its injections were missed, and none is left out; without its region there is no density."""
    gone = (tables["diaSource"]["visit"] == 4) & (tables["diaSource"]["detector"] == 1)
    n_lost = np.count_nonzero(gone & kept(tables["diaSource"], "injected"))
    n_found = np.count_nonzero(is_found(tables))
    tables["diaSource"] = chosen(tables["diaSource"], ~gone)
    del tables["regions"]
    answer = judge(tables, code=3)
    assert answer.rows["injected.numInjections"]["value"] == 1280
    assert answer.rows["injected.efficiency"]["value"] == (n_found - n_lost) / 1280
    assert "the area of the detector is not known" in failed(answer, "NOT_MEASURED")["flavor.falsePositiveDensity"]


def test_visit_is_lost(judge, tables):
    """A visit that is in no table is seen where detectors with injections are counted, and where they are compared."""
    for name in ("diaSource", "injection", "regions"):
        tables[name] = chosen(tables[name], tables[name]["visit"] != VISITS[4])
    found = failed(judge(tables))
    assert found["injected.numDetectors"].startswith("injected.numDetectors = 30 (allowed 32 to 32)")
    assert found["flavor.numCommon"].startswith("flavor.numCommon = 1200 (allowed 1280 to 1280)")


def test_injections_where_nothing_was_subtracted(judge, tables):
    """Injections of a visit that the rerun does not have at all count nowhere else, and are counted."""
    stray = dict(tables["injection"])
    stray = chosen(stray, stray["visit"] == VISITS[0])
    stray |= {"x": stray["x"] + WIDTH, "injectionId": stray["injectionId"] + 500}
    tables["injection"] = joined(tables["injection"], stray)
    answer = judge(tables)
    assert failed(answer).keys() == {"injected.numOutside"}
    assert "= 80 (allowed 0 to 0)" in failed(answer)["injected.numOutside"]
    assert answer.rows["injected.numInjections"]["value"] == 1280


# Where sources are.


def _placed(kind, n=480):
    rng = np.random.default_rng(17)
    visit, detector = np.arange(n) % len(VISITS), np.arange(n) // len(VISITS) % 2
    x, y = rng.uniform(45, WIDTH - 45, n), rng.uniform(45, HEIGHT - 45, n)
    if kind == "edge":
        x = np.where(rng.random(n) < 0.5, rng.uniform(0, 39, n), rng.uniform(WIDTH - 40, WIDTH - 1, n))
    elif kind == "row":
        y = 700 + rng.uniform(-0.4, 0.4, n)
    elif kind == "column":
        x = 512 + rng.uniform(-0.4, 0.4, n)
    elif kind == "star":
        x, y = flavors.star_places()[detector, rng.integers(flavors.N_STARS, size=n)].T + rng.uniform(-25, 25, (2, n))
    return sources_at(visit, detector, x, y, seed=17)


@pytest.mark.parametrize(
    ("kind", "metrics"),
    [
        ("anywhere", set()),
        ("edge", {"flavor.edgeExcess"}),
        ("row", {"flavor.rowAlignment"}),
        ("column", {"flavor.columnAlignment"}),
        ("star", {"flavor.starExcess"}),
    ],
)
def test_places_of_false_positives(judge, tables, kind, metrics):
    """They are told by their number anywhere; only at edges, around stars or on one line by their places too."""
    tables["diaSource"] = joined(tables["diaSource"], _placed(kind))
    found = stems(failed(judge(tables)))
    assert "flavor.numFalsePositives" in found
    placement = {"flavor.edgeExcess", "flavor.starExcess", "flavor.rowAlignment", "flavor.columnAlignment"}
    assert found & placement == metrics


# Text and table.


def test_published_numbers_contradict_each_other(run):
    """A contamination that is not what is left of the sources, and a part above the whole, are found in a table."""
    run.baselines.mkdir()
    numbers = {"dia.numSources": 54799, "injected.numMatched": 4627, "injected.contamination": 50172}
    wrong = {**numbers, "injected.contamination": 50127, "injected.numMatched.S6": 5391}
    for name, content in (("right", numbers), ("wrong", wrong)):
        published = {"source": "a technical note", "reruns": {"default": content}}
        empty = {"acceptances": {}, "acknowledgements": {}, "metrics": {}}
        top = {"dataset": name, "schema_version": "1.1.0", "settings": {"good_flags": "S6"}, "published": published}
        (run.baselines / f"{name}.json").write_text(json.dumps(top | empty))
    out = " ".join(run("check", "--baselines", run.baselines, "--fix", "--format", "json", code=1).out.split())
    assert "injected.contamination = 50127, but dia.numSources less injected.numMatched is 54799 - 4627 = 50172" in out
    assert "injected.numMatched.S6 = 5391 is more than injected.numMatched = 4627" in out
    assert out.count("contradict each other") == 2


# Signs, fluxes and positions.


def test_sign_of_template_injections_dropped(judge, tables):
    """An injection into the template is negative: with a positive truth its pull is beyond anything."""
    tables["injection"]["inTemplate"] = np.zeros(len(tables["injection"]["visit"]), bool)
    answer = judge(tables)
    assert {"injected.fluxPullMean", "injected.fluxPullWidth"} <= failed(answer).keys()
    assert "not the same" in failed(answer, "NOT_MEASURED")["flavor.efficiencyChange"]


def test_second_bump_of_pulls(judge, tables):
    """A third of the fluxes that are 4 sigma too large show in the tails of the pulls."""
    sources = tables["diaSource"]
    bump = kept(sources, "injected") & (sources["diaSourceId"] % 3 == 0)
    sources["psfFlux"] = sources["psfFlux"] + np.where(bump, 4.5 * sources["psfFluxErr"], 0)
    found = failed(judge(tables))
    assert {"injected.fracFluxPullTails", "injected.fluxPullMean", "flavor.pullChange"} <= found.keys()


def test_errors_that_are_too_small(judge, tables):
    """Errors of half the noise make pulls twice as wide, and are not those of the reference."""
    tables["diaSource"]["psfFluxErr"] = tables["diaSource"]["psfFluxErr"] / 2
    found = failed(judge(tables))
    assert {"injected.fluxPullWidth", "flavor.absolutePullChange", "flavor.medianFluxErr"} <= found.keys()
    assert "injected.fluxPullMean" not in found
    assert "injected.magOffset" not in found


@pytest.mark.parametrize("value", [-100.0, np.nan])
def test_broken_flux_errors(judge, tables, value):
    """Sources without a usable error are in none of the means, and are counted."""
    sources = tables["diaSource"]
    broken = kept(sources, "injected") & (sources["visit"] == VISITS[2])
    sources["psfFluxErr"] = np.where(broken, value, sources["psfFluxErr"])
    answer = judge(tables)
    assert "injected.numUnmeasured" in failed(answer)
    assert answer.states["injected.fluxPullWidth"] == "PASS"


def test_positions_shifted(judge, tables):
    """A shift of 40 mas in right ascension is told with its direction, and loses no injection."""
    tables["diaSource"]["ra"] = tables["diaSource"]["ra"] + 0.04 / 3600
    answer = judge(tables)
    found = failed(answer)
    assert {"injected.offsetRa", "flavor.separationChange"} <= found.keys()
    assert "injected.offsetDec" not in found
    assert answer.states["injected.numMatched"] == "PASS"


def test_association_splits_injections(judge, tables):
    """Injections whose sources make two objects instead of one."""
    sources = tables["diaSource"]
    split = kept(sources, "injected") & (sources["visit"] % 2 == 0)
    sources["diaObjectId"] = np.where(split, sources["diaObjectId"] + 10**4, sources["diaObjectId"])
    assert {"injected.objectsPerInjection", "injected.sourcesPerObject"} <= failed(judge(tables)).keys()


def test_flags_eat_injections(judge, tables):
    """What the lists of flags lose of what was found is their own loss: those without that flag lose nothing."""
    sources = tables["diaSource"]
    sources["pixelFlags_bad"] = sources["pixelFlags_bad"] | (
        kept(sources, "injected") & (sources["diaSourceId"] % 4 == 0)
    )
    answer = judge(tables)
    left, found = (answer.rows[f"injected.numMatched{stage}"]["value"] for stage in (".S6", ""))
    assert answer.rows["injected.survival.S6"]["value"] == left / found
    for stage in ("S3", "S6", "A5"):
        assert f"injected.survival.{stage}" in failed(answer)
        assert f"injected.numMatched.{stage}" in failed(answer)
    assert {answer.states[name] for name in ("injected.survival.N7", "injected.numMatched")} == {"PASS"}


def test_list_of_flags_cannot_be_applied(judge, tables):
    """A flag that the table does not have makes its stages unknown, not empty."""
    del tables["diaSource"]["pixelFlags_suspect"]
    answer = judge(tables, code=3)
    unknown = failed(answer, "NOT_MEASURED")
    assert unknown["injected.numMatched.S3"].endswith("flag list S3 needs pixelFlags_suspect, not in the table")
    assert {name.rpartition(".")[2] for name in unknown} == {"S3", "S6"}


def test_negative_sources_dropped(judge, tables):
    """A flavor that keeps no negative source has lost the injections into the template."""
    tables["diaSource"] = chosen(tables["diaSource"], tables["diaSource"]["psfFlux"] > 0)
    answer = judge(tables)
    assert {"flavor.fracNegative", "flavor.numLost", "injected.efficiency"} <= failed(answer).keys()


# Injections that can tell nothing.


def test_injections_are_all_bright(judge, tables):
    """Where nothing faint was injected it is not known how faint a flavor goes."""
    bright = tables["injection"]["flux"] > 9 * FLUX_ERROR
    sources = tables["diaSource"]
    tables["diaSource"] = chosen(sources, ~kept(sources, "injected") | of_injections(tables, bright))
    tables["injection"] = chosen(tables["injection"], bright)
    answer = judge(tables)
    unknown = failed(answer, "NOT_MEASURED")
    beyond = "where the share falls to half of its largest is beyond all of them, which are from 9.095 to 39.97"
    assert unknown["injected.snr50"].endswith(beyond)
    assert {"injected.snr50", "injected.mag50.g", "flavor.snr50Change", "flavor.mag50Change.r"} <= unknown.keys()


def test_injections_are_too_few(judge, tables):
    """With one injection on each detector nothing passes that is about how many are found, or how well."""
    few = np.random.default_rng(1).permutation(len(tables["injection"]["visit"])) < 32
    sources = tables["diaSource"]
    tables["diaSource"] = chosen(sources, ~kept(sources, "injected") | of_injections(tables, few))
    tables["injection"] = chosen(tables["injection"], few)
    answer = judge(tables)
    assert answer.states["flavor.efficiencyChange"] == "INCONCLUSIVE"
    assert "more visits would decide" in answer.rows["flavor.efficiencyChange"]["sentence"]
    about = ("injected.efficiency", "injected.snr50", "injected.snrCeiling", "injected.survival", "injected.fluxPull")
    passed = {name for name in failed(answer, "PASS") if name.startswith(about)}
    assert not passed


# Catalogues of injections.


def test_injections_of_another_flux(judge, tables):
    """Numbers of injections that stand for others in the reference are not compared with them."""
    injection = tables["injection"]
    injection["flux"], injection["mag"] = injection["flux"] * 1.1, injection["mag"] - 2.5 * np.log10(1.1)
    unknown = failed(judge(tables), "NOT_MEASURED")
    assert "1280 of 1280 differ, such as injection 1 of visit 1, detector 0, of " in unknown["flavor.efficiencyChange"]
    assert {"flavor.numCommon", "flavor.numGained", "flavor.snr50Change", "flavor.pullChange.S6"} <= unknown.keys()


def test_injections_at_other_places(judge, tables):
    """Injections of the same numbers and fluxes that were put elsewhere, and found there, are others."""
    for name in ("injection", "diaSource"):
        moved = tables[name]["visit"] == VISITS[2]
        tables[name]["dec"] = tables[name]["dec"] + np.where(moved, 3 / 3600, 0)
    answer = judge(tables, code=3)
    reason = failed(answer, "NOT_MEASURED")["flavor.numGained"]
    assert "80 of 1280 differ, such as injection 1 of visit 3, detector 0, 3 arcsec from that of the ref" in reason
    assert answer.states["injected.efficiency"] == "PASS"


def test_no_injection_in_common(judge, tables):
    """Other numbers in every place are nothing to compare."""
    tables["injection"]["injectionId"] = tables["injection"]["injectionId"] + 5000
    answer = judge(tables, code=3)
    assert "no injection in common" in failed(answer, "NOT_MEASURED")["flavor.efficiencyChange"]
    assert answer.states["injected.efficiency"] == "PASS"


def test_injections_twice_in_one_place_nowhere_or_without_brightness(judge, tables):
    """Each is counted by its own name, and the rest is measured as if nothing were wrong with it."""
    first = chosen(tables["injection"], np.arange(1280) < 60)
    near = {**chosen(first, np.arange(60) < 3)}
    near |= {"ra": near["ra"] + 0.2 / 3600, "injectionId": near["injectionId"] + 700}
    lost = {**chosen(first, np.arange(60) < 5)}
    lost |= {"dec": np.full(5, np.nan), "injectionId": lost["injectionId"] + 800}
    injection = joined(tables["injection"], chosen(first, np.arange(60) < 7), near, lost)
    dark = np.arange(len(injection["flux"])) % 200 == 100
    for name in ("flux", "mag"):
        injection[name] = np.where(dark, np.nan, injection[name])
    tables["injection"] = injection
    found = failed(judge(tables))
    for name, number in (("Duplicates", 7), ("Coincident", 6), ("NonFinitePositions", 5), ("WithoutFlux", 6)):
        assert found[f"injected.num{name}"].startswith(f"injected.num{name} = {number} (allowed 0 to 0)")
    assert not stems(found) & {"injected.efficiency", "injected.fluxPullMean", "flavor.numGained"}


def test_catalogue_without_positions(judge, tables):
    """Nothing is measured of it, the column is named, and what there is beside it."""
    tables["injection"] = {name: values for name, values in tables["injection"].items() if name != "ra"}
    assert "the injection catalogue has no ra (it has " in judge(tables, code=3).complaint
