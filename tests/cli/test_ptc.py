"""The commands on the embedded sensor: photon transfer of raw flats, beside what the EO test has on record."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from embedded_sensor import AMPLIFIERS, FIRST, SECOND, THIRD, write_sensor
from embedded_survey import JUNE, MAY

from harness.embedded import load_sensor
from harness.shipped import shipped

#: Estimates of the gain that neglect brighter-fatter, and so are some per cent above it.
BIASED = ("Rhl", "Slope", "PairNone", "PairSimple", "PairFull", "PairExact")


def sentences(answer, state):
    """Return the sentences of all verdicts of one kind."""
    return [row["sentence"] for row in answer.json["rows"] if row["state"] == state]


def states(answer):
    """Return which verdicts there are."""
    return {row["state"] for row in answer.json["rows"]}


def gains(run, rerun, metric="ptc.gain"):
    """Return value and error of each amplifier, in the order of the raw file."""
    arguments = ("measure", "--rerun", rerun, "--by", "detector,amplifier", "--metric", metric, "--format", "json")
    rows = {row["amplifier"]: row for row in run(*arguments).json["rows"]}
    assert rows.keys() == set(AMPLIFIERS)
    assert {row["detector"] for row in rows.values()} == {0}
    return np.array([(rows[name]["value"], rows[name]["uncertainty"]) for name in AMPLIFIERS]).T


def test_second_rerun_is_as_the_first_was(sensor):
    """The same flats give the same: exit code 0, and nothing but the report is said."""
    answer = sensor("verify", "--rerun", SECOND, "--format", "json")
    assert states(answer) == {"PASS"}
    assert answer.complaints == []


def test_third_rerun_is_not(sensor):
    """The changed gain is told with its amplifier, the EO test's order with its mapping, the 1.0 with its place."""
    told = sentences(sensor("verify", "--rerun", THIRD, "--format", "json", code=1), "FAIL")
    (changed,) = [sentence for sentence in told if sentence.startswith("ptc.")]
    assert re.fullmatch(
        r"ptc\.gain of detector 0, amplifier C04 = 0\.72\d+ electron / adu, \+10\.0 % against run_5001_v1 "
        r"\(allowed ±1 %\)",
        changed,
    )
    assert {
        (
            "eotest.ptcGain: amplifiers have changed places against ptc.gain: "
            "in detector 0 C00..C07 hold the values of C10..C17, C10..C17 those of C07..C00"
        ),
        "eotest.numPlaceholderGains = 1 (allowed 0 to 0); PTC gain is 1 e-/adu, a placeholder, in R31_S00 C12",
    } <= set(told)


def test_order_of_amplifiers_in_the_flats_still_holds(sensor):
    """One changed gain is no change of order."""
    answer = sensor("verify", "--rerun", THIRD, "--format", "json", "--", "-k", "test_amplifiers_are_in_order")
    assert sentences(answer, "PASS") == ["ptc.gain: the amplifiers of 1 detector stand in the order of run_5001_v1"]


@pytest.mark.parametrize("rerun", [SECOND, THIRD])
def test_estimates_agree_once_their_offset_is_predicted(sensor, rerun):
    """Slope and pair estimates differ from the gain by what brighter-fatter makes of them, and that is all."""
    answer = sensor("verify", "--rerun", rerun, "--format", "json", "--", "-k", "estimates")
    assert states(answer) == {"PASS"}
    for name in BIASED:
        told = re.search(
            r"= [\d.]+ electron / adu, \+([\d.]+) % against ptc\.gain: \+([\d.]+) % predicted, ",
            answer.rows[f"ptc.gain{name}"]["sentence"],
        )
        assert told is not None
        assert float(told[1]) == pytest.approx(float(told[2]), abs=1)
        assert float(told[1]) > 3


@pytest.mark.parametrize("rerun", [SECOND, THIRD])
def test_gains_are_those_that_were_put_in(sensor, rerun):
    """Every amplifier's gain is the truth within its error, and the errors are as large as the scatter."""
    truth = np.array([load_sensor().truth(rerun)[name].gain for name in AMPLIFIERS])
    found, error = gains(sensor, rerun)
    assert np.all(np.abs(found - truth) < 4 * error)
    assert 4 < np.sum(((found - truth) / error) ** 2) < 36


def test_record_is_what_was_put_in(sensor):
    """The EO test's gains are those on record, which have no sampling error."""
    found, error = gains(sensor, SECOND, "eotest.ptcGain")
    truth = np.array([load_sensor().truth(SECOND)[name].gain for name in AMPLIFIERS])
    assert np.all(np.abs(found / truth - 1) < 4 * load_sensor().EO_SCATTER)
    assert not error.any()


@pytest.mark.parametrize(
    ("fmt", "pattern"),
    [("table", r"ptc\.gain +0  C04 +0\.654932 +0\.0065"), ("md", r"\| ptc\.gain \| 0 \| C04 \| 0\.654932 \| 0\.0065")],
)
def test_amplifiers_are_listed(sensor, fmt, pattern):
    """A terminal and a web page get a row for each amplifier."""
    answer = sensor("measure", "--rerun", SECOND, "--by", "detector,amplifier", "--metric", "ptc.gain", "--format", fmt)
    assert re.search(pattern, answer.out)


def test_two_reruns_side_by_side(sensor):
    """``diff`` shows the change of the mean gain, and that of the record as none."""
    answer = sensor("diff", THIRD, FIRST, "--format", "json")
    assert answer.rows["ptc.gain"]["value"] / answer.rows["ptc.gain"]["reference"] == pytest.approx(1.0057, abs=1e-3)
    assert answer.rows["ptc.numPairs"]["verdict"] == "PASS"
    assert answer.rows["eotest.gain"]["value"] == pytest.approx(answer.rows["eotest.gain"]["reference"])


def test_reference_by_name_is_the_one_of_the_baseline(sensor):
    """The rerun that the baseline was accepted from is the reference, named or not."""
    arguments = ("verify", "--rerun", SECOND, "--format", "json")
    assert sensor(*arguments, "--reference", FIRST).json == sensor(*arguments).json


def test_checks_of_some_amplifiers(sensor):
    """``-k`` takes the name of an amplifier."""
    answer = sensor("verify", "--rerun", THIRD, "--format", "json", "--", "-k", "C04 or C12", code=1)
    found = {(row["metric"], row["place"].split()[-1]): row["state"] for row in answer.json["rows"]}
    assert found == {
        ("ptc.gain", "C04"): "FAIL",
        ("ptc.gain", "C12"): "INCONCLUSIVE",
        ("eotest.ptcGain", "C04"): "PASS",
        ("eotest.ptcGain", "C12"): "FAIL",
    }


def test_pytest_alone(sensor):
    """The checks are pytest's: they can be run by it, and say what they say."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    checks = shipped("tests/verification") / "test_ptc.py"
    options = ["--rerun", THIRD, "--measurements", sensor.store, "-k", "order or sane"]
    done = subprocess.run([*command, checks, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "FAILED" in done.stdout
    assert (
        "\neotest.ptcGain: amplifiers have changed places against ptc.gain: in detector 0 C00..C07 hold " in done.stdout
    )
    assert "Traceback" not in done.stdout


# One repository, two instruments.


def test_rerun_of_flats_is_not_held_to_have_sources(sensor):
    """Checks of difference imaging are left out, not failed."""
    answer = sensor("verify", "--rerun", SECOND, "--format", "json")
    assert {metric.split(".")[0] for metric in answer.rows} == {"ptc", "eotest"}


def test_rerun_of_sources_is_not_held_to_have_flats(measured):
    """Nor the other way round."""
    answer = measured("verify", "--rerun", JUNE, "--format", "json")
    assert not {metric.split(".")[0] for metric in answer.rows} & {"ptc", "eotest"}


def test_rerun_of_sources_against_a_baseline_of_flats(measured):
    """Where the baseline expects flats, that there are none is not passed over."""
    answer = measured("verify", "--rerun", JUNE, "--reference", MAY, "--dataset", "rtm007", "--format", "json", code=3)
    assert {row["state"] for row in answer.json["rows"] if row["metric"].startswith(("ptc", "eotest"))} == {
        "NOT_MEASURED"
    }


def test_rerun_of_flats_against_a_baseline_of_sources(sensor):
    """Nor where it expects sources."""
    arguments = ("verify", "--rerun", SECOND, "--reference", FIRST, "--dataset", "hits2015", "--format", "json")
    answer = sensor(*arguments, code=3)
    assert answer.states["dia.numSources"] == "NOT_MEASURED"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--rerun", SECOND, "--dataset", "rtm070"], "there is no baseline of dataset 'rtm070' in "),
        (["--rerun", FIRST], "run_5001_v1 would be compared with itself: baseline rtm007 was accepted from it; "),
        (["--rerun", SECOND, "--reference", "run_5001_v9"], "has no collection 'run_5001_v9'; did you mean run_5001_v"),
        (["--rerun", SECOND, "--", "-k", "C18"], "no check was selected in "),
    ],
)
def test_what_cannot_be_judged_is_said(sensor, options, told):
    """One sentence, exit code 2."""
    assert told in sensor("verify", *options, code=2).complaint


def test_newest_rerun_of_the_dataset_is_the_default(sensor):
    """``--dataset`` alone is enough."""
    out = sensor("verify", "--dataset", "rtm007", "--", "-k", "sanity or sane", code=1).out
    assert out.startswith(f"{THIRD} of the embedded ")


@pytest.mark.slow
def test_baseline_alone(sensor, repository):
    """Without the first rerun, what was accepted of each amplifier stands for it, and the order with it."""
    write_sensor(sensor.folder / "flats", repository)
    answer = sensor(
        *("verify", "--repo", sensor.folder / "flats", "--rerun", "planted", "--baselines", shipped("baselines")),
        *("--format", "json"),
    )
    assert states(answer) == {"PASS"}
    assert "ptc.gain: the amplifiers of 1 detector stand in the order of baseline rtm007" in sentences(answer, "PASS")
    row = next(row for row in answer.json["rows"] if row["place"] == "detector 0, amplifier C04")
    assert json.dumps(row["reference"]).startswith("0.65")
