"""Each defect of photon transfer by hand is planted in flats, in records or in the harness, and has to be found.

Planted are the defects of the bootcamp notebook on RTM-007 and of what it was compared with.  Four cannot occur:

- *No uncertainty on a gain*: a verdict without one is INCONCLUSIVE, as planted below.
- *A power law's amplitude taken for an intercept*: no metric comes of a power law; it is drawn, and that is all.
- *Scratch cells that use undefined tables, and another detector*: a check names its metric and gets its amplifier from
  the rerun; a name that nobody measures is an error, as planted below.
- *Fit windows by position*: an estimate of the gain is held against its own predicted offset, which follows the window,
  and another window is another definition.  Both are planted below.

`verify` cannot find that the pair estimator SIMPLE is computed as published, with a misplaced factor: in this sensor it
differs by 0.01 %, and its offset is predicted with it.  `test_gains` knows both formulas.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from embedded_sensor import AMPLIFIERS, rewrite_flat

import harness.measure.flats as extraction
from harness.measure.catalogue import all_metrics
from harness.metrics.ptc import gains, rows
from harness.metrics.ptc.pair_statistics import fast_statistics, pair_statistics
from harness.metrics.ptc.pairing import FlatPair
from harness.metrics.settings import Settings

#: Rows of the EO test in the order of the raw file, read in the order of the names (`lsst/obs_lsst`, 2020).
WRONG_ORDER = {f"C0{i}": f"C1{i}" for i in range(8)} | {f"C1{i}": f"C0{7 - i}" for i in range(8)}

ESTIMATES = {f"ptc.gain{name}" for name in ("Rhl", "Slope", "PairNone", "PairSimple", "PairFull", "PairExact")}

#: What is measured of the light of each pair.
COLUMNS = ("mean", "delta", "variance", "rhl")


def failed(answer, state="FAIL"):
    """Return the sentences of the verdicts FAIL, by metric and place; of an order that was judged, by ``order``."""
    found = {}
    for row in answer.json["rows"]:
        if row["state"] == state:
            place = "order" if "in the order of" in row["expectation"] else row["place"].rpartition(" ")[2]
            found[f"{row['metric']} {place}".strip()] = row["sentence"]
    return found


def all_states(answer):
    """Return which verdicts there are."""
    return {row["state"] for row in answer.json["rows"]}


def test_nothing_planted_is_nothing_found(sensor):
    """The second rerun as files passes against the first."""
    assert all_states(sensor(code=0)) == {"PASS"}


# In the record of the EO test: sentinels, order, units.


@pytest.mark.parametrize(
    ("value", "metric", "told"),
    [
        (0.0, "eotest.numUnmeasured", "PTC gain is 0 (not measured) in R31_S00 C12"),
        (-1.0, "eotest.numUnmeasured", "PTC gain is -1 (not measured) in R31_S00 C12"),
        (np.nan, "eotest.numUnmeasured", "PTC gain is missing or NaN (not measured) in R31_S00 C12"),
        (1.0, "eotest.numPlaceholderGains", "PTC gain is 1 e-/adu, a placeholder, in R31_S00 C12"),
    ],
)
def test_sentinel_for_a_gain(sensor, value, metric, told):
    """A number that stands for "not measured" is named with its amplifier, and never compared as a gain."""
    sensor.record(lambda columns: columns["PTC_GAIN"].__setitem__(AMPLIFIERS.index("C12"), value))
    answer = sensor()
    assert failed(answer)[metric] == f"{metric} = 1 (allowed 0 to 0); {told}"
    if value == 1:
        assert failed(answer).keys() == {metric, "eotest.ptcGain C12"}
    else:
        assert failed(answer, "NOT_MEASURED").keys() == {"eotest.ptcGain C12"}


def test_gain_copied_from_another_amplifier(sensor):
    """Equal to the last digit is no coincidence; both amplifiers are named."""
    one, other = AMPLIFIERS.index("C11"), AMPLIFIERS.index("C01")
    sensor.record(lambda columns: columns["PTC_GAIN"].__setitem__(one, columns["PTC_GAIN"][other]))
    assert failed(sensor())["eotest.numCopiedGains"].endswith(
        "PTC gain is the same to the last digit as that of another amplifier in R31_S00 C01, C11"
    )


def test_mean_written_for_every_amplifier(sensor):
    """A mean that stands in for all of them agrees with the mean, and is none of theirs."""
    sensor.record(lambda columns: columns["PTC_GAIN"].fill(columns["PTC_GAIN"].mean()))
    assert failed(sensor())["eotest.numPlaceholderGains"].startswith("eotest.numPlaceholderGains = 16 ")


def test_missing_row(sensor):
    """An amplifier that the record has lost is not measured: it does not pass."""

    def drop(columns):
        for name in columns:
            columns[name] = np.delete(columns[name], AMPLIFIERS.index("C13"))

    sensor.record(drop)
    assert failed(sensor(code=3), "NOT_MEASURED").keys() == {"eotest.ptcGain C13"}


def in_order_of(names):
    """Return the change that gives each amplifier the row of another one."""

    def change(columns):
        for name in columns.keys() - {"AMP"}:
            columns[name] = columns[name][[AMPLIFIERS.index(other) for other in names]]

    return change


def test_amplifiers_in_the_wrong_order(sensor):
    """The exact permutation is told, though mean and median of the record are what they were."""
    sensor.record(in_order_of([WRONG_ORDER[name] for name in AMPLIFIERS]))
    assert failed(sensor())["eotest.ptcGain order"] == (
        "eotest.ptcGain: amplifiers have changed places against ptc.gain: "
        "in detector 0 C00..C07 hold the values of C10..C17, C10..C17 those of C07..C00"
    )


def test_record_read_from_its_end(sensor):
    """So is another permutation."""
    sensor.record(in_order_of(AMPLIFIERS[::-1]))
    assert failed(sensor())["eotest.ptcGain order"].endswith(
        "in detector 0 C00..C07 hold the values of C10..C17, C10..C17 those of C00..C07"
    )


def test_two_amplifiers_swapped(sensor):
    """Two of them are too few to be sure of a permutation; each is named by its gain."""
    swapped = {"C12": "C00", "C00": "C12"}
    sensor.record(in_order_of([swapped.get(name, name) for name in AMPLIFIERS]))
    assert failed(sensor()).keys() == {"eotest.ptcGain C00", "eotest.ptcGain C12"}


def test_order_of_rows_with_their_numbers_is_no_defect(sensor):
    """Rows go by the number of the amplifier, wherever they stand."""

    def turn(columns):
        for name in columns:
            columns[name] = columns[name][::-1]

    sensor.record(turn)
    assert all_states(sensor(code=0)) == {"PASS"}


@pytest.mark.parametrize(
    ("change", "metric", "state"),
    [
        (lambda eo: eo.update(PTC_GAIN=1 / eo["PTC_GAIN"]), "eotest.ptcGain C12", "FAIL"),
        (lambda eo: eo.update(READ_NOISE=eo["READ_NOISE"] ** 2), "eotest.readNoise", "FAIL"),
        (lambda eo: eo.update(PTC_A00=-eo["PTC_A00"]), "eotest.a00", "FAIL"),
        (lambda eo: eo.update(READ_NOISE=eo["READ_NOISE"] / eo["GAIN"]), "eotest.readNoise", "INCONCLUSIVE"),
        (lambda eo: eo.update(PTC_TURNOFF=eo["PTC_TURNOFF"] * eo["GAIN"]), "eotest.turnoff", "INCONCLUSIVE"),
    ],
    ids=["adu per electron", "noise squared", "other sign of a00", "noise in adu", "turnoff in electrons"],
)
def test_other_unit(sensor, change, metric, state):
    """A number in another unit does not agree with the flats, and nothing else is blamed."""
    sensor.record(change)
    answer = sensor(code=1 if state == "FAIL" else 3)
    assert metric in failed(answer, state)
    assert {name.split()[0] for name in failed(answer)} <= {metric.split()[0]}


# In the flats: pairs.


@pytest.mark.slow
@pytest.mark.parametrize("missing", [0, 8])
def test_missing_flat(sensor, missing):
    """Wherever a flat is missing, its partner is alone, no later pair is shifted, and no gain is wrong."""
    sensor.flats[missing].unlink()
    answer = sensor()
    alone = 2019061200011 if missing == 0 else 2019061200023
    assert failed(answer).keys() == {"ptc.numPairs", "ptc.numUnpairedFlats"}
    assert f"exposure {alone}: no partner of " in failed(answer)["ptc.numUnpairedFlats"]


@pytest.mark.slow
def test_order_of_files_is_no_defect(sensor):
    """Files in any order give the same pairs, in the order of taking."""
    order = np.random.default_rng(1).permutation(len(sensor.flats))
    aside = [path.rename(path.with_suffix(".aside")) for path in sensor.flats]
    for path, place in zip(aside, order, strict=True):
        path.rename(sensor.flats[place])
    sensor.forget()
    assert all_states(sensor(code=0)) == {"PASS"}


@pytest.mark.slow
def test_flat_paired_with_itself(sensor):
    """The first flat of a pair written for the second differs in nothing: it is no pair."""
    first, second = sensor.flats[8:10]
    cards = {key: value for key, value in fits.getheader(second).items() if key in ("SEQNUM", "DATE-OBS", "MJD-OBS")}
    second.unlink()
    shutil.copy(first, second)
    rewrite_flat(second, **cards)
    answer = sensor()
    assert failed(answer).keys() == {"ptc.numPairs", "ptc.numRejectedPairs"}
    assert (
        "the two flats do not differ: saturated, constant or one and the same"
        in (failed(answer)["ptc.numRejectedPairs"])
    )


@pytest.mark.slow
def test_wrong_photodiode_charge(sensor):
    """One flat whose charge is wrong leaves the gains, and shows in the linearity."""
    rewrite_flat(sensor.flats[8], MONDIODE=1e-9)
    assert failed(sensor()).keys() == {"ptc.linearityScatter"}


@pytest.mark.slow
def test_segments_bear_the_names_of_others(sensor):
    """Two amplifiers that have changed places in the flats are told by name."""

    def swap(hdus):
        one, other = (hdus[f"Segment{number}"].header for number in ("10", "00"))
        one["EXTNAME"], other["EXTNAME"] = other["EXTNAME"], one["EXTNAME"]

    for path in sensor.flats:
        rewrite_flat(path, swap)
    told = failed(sensor())["ptc.gain order"]
    assert told.endswith("against run_5001_v1: in detector 0 C00 holds the values of C10, C10 those of C00")


# In the harness: how pairs are made and measured.


def _by_position(exposures, keep=lambda one, other: True):
    taken = sorted(exposures, key=lambda exposure: exposure.exposure)
    return [FlatPair(one, other) for one, other in zip(taken[::2], taken[1::2], strict=False) if keep(one, other)], []


@pytest.mark.slow
@pytest.mark.parametrize("skipped", [False, True])
def test_pairs_by_position(sensor, monkeypatch, skipped):
    """After the flat without a partner all pairs are wrong, whether those of unequal time are skipped or not."""

    def keep(one, other):
        return not skipped or abs(one.exposure_time - other.exposure_time) < 0.01

    monkeypatch.setattr(extraction, "pair_flats", lambda exposures: _by_position(exposures, keep))
    sensor.forget()
    assert {
        *("ptc.numPairs", "ptc.numPairsPastTurnoff", "ptc.numRejectedPairs", "ptc.numUnpairedFlats"),
        "ptc.lampMismatch",
    } <= failed(sensor()).keys()


@pytest.mark.slow
def test_mean_of_one_image(sensor, monkeypatch):
    """It scatters about the photodiode's charge, which is that of both."""

    def measure(first, second):
        statistics = pair_statistics(first, second)
        return replace(statistics, mean=statistics.mean1)

    monkeypatch.setattr(extraction, "pair_statistics", measure)
    sensor.forget()
    assert failed(sensor()).keys() == {"ptc.linearityScatter"}


@pytest.mark.slow
def test_neither_mask_nor_clip(sensor, monkeypatch):
    """Cosmic rays and pixels without light make the variance, and half of the gains."""

    def measure(first, second):
        plain = fast_statistics(first, second)
        mean = (plain.mean1 + plain.mean2) / 2
        return replace(pair_statistics(first, second), mean=mean, variance=plain.variance, rhl=plain.rhl)

    monkeypatch.setattr(extraction, "pair_statistics", measure)
    sensor.forget()
    found = failed(sensor())
    assert {"ptc.numPairs", "ptc.numUnfitted"} <= found.keys()
    assert sum(name.startswith("ptc.gain C") for name in found) >= 5


# In the harness: what becomes of a curve.


def _changed(curve, rows, value):
    """Return a curve whose pairs were all measured, some of them with what ``value`` makes of the others."""
    columns = {name: getattr(curve, name).copy() for name in COLUMNS}
    for values in columns.values():
        values[rows] = value(values)
    return replace(curve, status=np.full(len(curve), "", object), **columns)


@pytest.mark.slow
@pytest.mark.parametrize("memory", [lambda values: values[0], lambda _: 6.9e-310], ids=["old row", "tiny"])
def test_rows_that_were_never_written(replant, memory):
    """A pair that was skipped without a word leaves a row with whatever the memory held: zeros alone do no harm."""
    answer = replant(lambda curve: _changed(curve, curve.status != "", memory))
    assert failed(answer)["ptc.numRejectedPairs"].startswith("ptc.numRejectedPairs = 0, -100 % against run_5001_v1")


@pytest.mark.slow
def test_order_of_pairs_is_no_defect(replant):
    """A curve whose pairs stand in another order is the same curve."""

    def turn(curve):
        others = ("n_pixels", "overscan_noise", "photo_charge", "exposures", "exposure_time", "status")
        names = (*COLUMNS, *others, "covariance", "covariance_error")
        return replace(curve, **{name: getattr(curve, name)[::-1] for name in names})

    assert all_states(replant(turn, code=0)) == {"PASS"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda curve: curve.variance + curve.delta**2 / 2, {"ptc.a00", "ptc.noise"}),
        (lambda curve: 2 * curve.variance, {"ptc.gain C12", "ptc.gain", "ptc.noise", "ptc.gainRhl", "eotest.gain"}),
        (lambda curve: np.roll(curve.variance, 1), {"ptc.gain C12", "ptc.gain", "ptc.gainRhl", "ptc.gainSlope"}),
    ],
    ids=["lamp mismatch left in", "variance of the difference", "shifted by one pair"],
)
def test_wrong_variance(replant, change, found):
    """What the variance is of is found by the brighter-fatter coefficient or the gain, and by the other estimates."""
    assert found <= failed(replant(lambda curve: replace(curve, variance=change(curve)))).keys()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "told"),
    [
        (WRONG_ORDER, "C00..C07 hold the values of C17..C10, C10..C17 those of C00..C07"),
        ({"C12": "C00", "C00": "C12"}, "C00 holds the values of C12, C12 those of C00"),
    ],
    ids=["all", "two"],
)
def test_amplifiers_of_curves_in_the_wrong_order(replant, order, told):
    """The same flats make it exact: even two amplifiers that have changed places are told."""
    answer = replant(lambda curve: replace(curve, amplifier=order.get(curve.amplifier, curve.amplifier)))
    assert failed(answer)["ptc.gain order"].endswith(f"against run_5001_v1: in detector 0 {told}")


# In the harness: what is made of the fits.


@pytest.fixture
def refit(replant, monkeypatch):
    """Return the function that judges fits with some numbers replaced."""

    def judge(change, code=1):
        fit = rows.fit_exp_approximation
        changed = lambda curves: [replace(each, **change(each)) for each in fit(curves)]  # noqa: E731
        monkeypatch.setattr(rows, "fit_exp_approximation", changed)
        return replant(code=code)

    return judge


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda fit: {"noise": fit.noise**2}, {"ptc.noise", "eotest.readNoise", "ptc.gainPairExact"}),
        (lambda fit: {"noise": fit.noise / fit.gain}, {"ptc.noise", "eotest.readNoise"}),
        (lambda fit: {"turnoff": fit.turnoff * fit.gain}, {"ptc.turnoff", "eotest.turnoff", "ptc.numPairsPastTurnoff"}),
        (lambda fit: {"a00": -fit.a00}, {"ptc.a00", "eotest.a00", *ESTIMATES}),
    ],
    ids=["noise squared", "noise in adu", "turnoff in electrons", "other sign of a00"],
)
def test_other_unit_of_a_fit(refit, change, found):
    """It differs from the reference and from the EO test, and where offsets come of it, from the other estimates."""
    assert found <= failed(refit(change)).keys()


@pytest.mark.slow
def test_gain_without_uncertainty(refit):
    """A gain whose error nobody knows does not pass for one that agrees."""
    answer = refit(lambda _: {"gain_error": np.nan}, code=3)
    undecided = {f"eotest.ptcGain {name}" for name in AMPLIFIERS}
    assert failed(answer, "INCONCLUSIVE").keys() == undecided


@pytest.mark.slow
def test_estimates_compared_as_if_they_were_the_gain(replant, monkeypatch):
    """Median over all pairs, saturated ones included, and slope differ from the gain: by what is predicted of them."""
    monkeypatch.setattr(gains, "predict_offset", lambda *_: (0.0, 0.0))
    assert failed(replant()).keys() >= ESTIMATES


@pytest.mark.slow
def test_no_cut_at_saturation(replant, monkeypatch):
    """A parabola through saturated pairs does not give the gain, nor what is predicted of one that is not."""
    estimate = rows.estimate_gains
    monkeypatch.setattr(rows, "estimate_gains", lambda curve, fit: estimate(curve, replace(fit, turnoff=1e9)))
    answer = replant()
    assert "ptc.gainQuadratic" in failed(answer)
    assert "ptc.gainSlope" in failed(answer, "NOT_MEASURED")


@pytest.mark.slow
def test_window_by_position(replant, monkeypatch):
    """A line through another part of the ladder has another slope, and is predicted to."""
    fit = gains.fit_line

    def by_position(curve, *_):
        inside = np.zeros(len(curve), bool)
        inside[3:-4] = True
        return fit(replace(curve, mean=np.where(inside, curve.mean, np.nan)), 0, 1e9)

    monkeypatch.setattr(gains, "fit_line", by_position)
    answer = replant(code=0)
    assert "predicted" in answer.rows["ptc.gainSlope"]["sentence"]
    assert answer.rows["ptc.gainSlope"]["value"] > 0.77


def test_another_window_is_another_definition(sensor, monkeypatch):
    """What was accepted of one window is not held against another."""
    window = {"model": "line", "window": [6, -15], "of": "position"}
    monkeypatch.setattr(gains, "DEFINITIONS", {**gains.DEFINITIONS, "gainSlope": window})
    answer = sensor(code=3)
    assert failed(answer, "NOT_COMPARABLE").keys() == {"ptc.gainSlope"}
    assert "'of': 'position'" in answer.rows["ptc.gainSlope"]["sentence"]


# What cannot be asked for.


def test_name_that_nobody_measures(sensor, tmp_path):
    """A check that uses a number which was never made says so; nothing left over from elsewhere takes its place."""
    checks = tmp_path / "test_scratch.py"
    checks.write_text("def test_it(rerun, expect):\n    expect(rerun['ptc.gainPowerLaw']).within(0, 1)\n")
    assert "ptc.gainPowerLaw" in "\n".join(sensor("--checks", checks).json["notes"])


def test_no_metric_comes_of_a_power_law():
    """Its amplitude at a signal of 1 adu is no gain, and is not offered as one."""
    assert not [name for name in all_metrics(Settings()) if "power" in name.lower()]
