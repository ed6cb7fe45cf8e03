"""Photon transfer of LSSTCam by the command line: a real curve against its baseline, and records of amplifiers."""

from __future__ import annotations

from pathlib import Path

import pytest
from real_reruns import describe_amplifier_versions, describe_r22_curve

BASELINES = Path(__file__).parents[2] / "baselines"


@pytest.fixture
def curve(real_data, tmp_path):
    """Return a folder with the curve of R22_S11 C06 as a rerun."""
    describe_r22_curve(real_data, tmp_path)
    return tmp_path


def test_real_curve_meets_its_baseline(run, curve):
    """Gain, read noise, turnoff and linearity are the published ones, and slope and quadratic agree as predicted."""
    run.baselines = BASELINES
    rows = run.rows("verify", "--repo", curve, "--rerun", "run_13144", "--self-test")
    assert {row["state"] for row in rows} == {"PASS"}
    values = {row["metric"]: row for row in rows}
    assert values["ptc.gain"]["value"] == pytest.approx(1.4070, rel=0.003)
    assert values["ptc.noise"]["value"] == pytest.approx(5.548, rel=0.10)
    assert values["ptc.numPairsPastTurnoff"]["value"] == 29
    assert values["ptc.linearityScatter"]["value"] == pytest.approx(0.0018, abs=0.00005)


def test_slope_differs_as_predicted(run, curve):
    """A slope 7 % above the gain is what this brighter-fatter effect makes of it."""
    run.baselines = BASELINES
    told = run.rows("verify", "--repo", curve, "--rerun", "run_13144", "--self-test", "--", "-k", "gainSlope")
    (slope,) = told
    assert slope["value"] == pytest.approx(1.5066, abs=0.001)
    assert abs(slope["estimate"]) < 0.005
    assert "-0.0" not in slope["sentence"]
    assert "predicted" in slope["sentence"]


def test_real_gain_error_of_one_percent_is_found(run, curve):
    """Variances that are 1 % too small give a gain 1 % too large: outside the published one by 0.3 %."""
    run.baselines = BASELINES
    path = curve / "run_13144" / "curve.csv"
    header, *rows = path.read_text().splitlines()
    fields = [row.split(",") for row in rows]
    for row in fields:
        row[5] = repr(float(row[5]) / 1.01)
    path.write_text("\n".join([header, *(",".join(row) for row in fields)]) + "\n")
    rows = run.rows("verify", "--repo", curve, "--rerun", "run_13144", code=1)
    assert {row["metric"] for row in rows if row["state"] == "FAIL"} == {"ptc.gain"}


def test_order_of_the_pairs_does_not_matter(run, curve):
    """The same pairs in another order are the same curve, to the last digit."""
    first = run.rows("measure", "--repo", curve, "--rerun", "run_13144")
    path = curve / "run_13144" / "curve.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *sorted(rows, key=hash)]) + "\n")
    assert run.rows("measure", "--repo", curve, "--rerun", "run_13144") == first


def test_permuted_record_is_named(run, real_data, tmp_path):
    """The record of 2020-08-19 put the amplifiers of all 189 science sensors in the right order."""
    describe_amplifier_versions(real_data, tmp_path, "2020-07-15", "2020-08-19")
    words = ("--repo", tmp_path, "--rerun", "2020-08-19", "--reference", "2020-07-15", "--metric", "eotest.num*")
    rows = {row["metric"]: row for row in run.rows("measure", *words)}
    assert rows["eotest.numPermuted"]["value"] == 3024
    assert rows["eotest.numPermuted"]["detail"] == (
        "C00..C07 hold the values of C17..C10, C10..C17 those of C00..C07 in all 189 science detectors"
    )
    assert rows["eotest.numZeroSaturations"]["value"] == 269
    assert "R10_S00 C00" in rows["eotest.numZeroSaturations"]["detail"]


def test_record_that_did_not_change_raises_no_alarm(run, real_data, tmp_path):
    """From August to October 2020 one read noise was changed by hand, which is named; nothing else is told."""
    describe_amplifier_versions(real_data, tmp_path, "2020-08-19", "2020-10-23")
    words = ("--repo", tmp_path, "--rerun", "2020-10-23", "--reference", "2020-08-19", "--metric", "eotest.num*")
    rows = {row["metric"]: row for row in run.rows("measure", *words)}
    assert rows["eotest.numPermuted"]["value"] == 0
    assert rows["eotest.numChanged"]["value"] == 1
    assert (
        rows["eotest.numChanged"]["detail"]
        == "read noise changed from 7.2923 to 25 e- (×3.43, others +0.00%) in R41_S11 C14"
    )
