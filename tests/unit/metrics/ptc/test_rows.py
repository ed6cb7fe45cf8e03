"""Metric rows of curves: the truth with its errors, and a reason wherever there is no number."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flat_simulation import A00_E2V, Sensor, measured_curve

from harness.metrics.ptc import rows as module
from harness.metrics.ptc.catalogue import ENOUGH_FOR_ALL_LAGS, FEW_LAGS, PTC_GROUPS, ptc_catalogue
from harness.metrics.ptc.curve import MAX_LAG, Curve
from harness.metrics.ptc.rows import curve_rows

SENSOR = Sensor(gain=1.5, noise=6.0)
LADDER = np.geomspace(200, 70_000, 30)

Place = tuple[str, int | None, str | None]


def curve(amplifier: str = "C10", **changes: Any) -> Curve:
    """Return a sound curve of known truth, with some fields replaced."""
    made = measured_curve(SENSOR, LADDER, np.random.default_rng(3), amplifier=amplifier, detector=94)
    return replace(made, **changes)


def without_covariances(amplifier: str = "C10", **changes: Any) -> Curve:
    """Return the same with means and variances alone, which is quick to fit."""
    return curve(amplifier, covariance=None, covariance_error=None, **changes)


def measured(*curves: Curve, **others: Any) -> dict[Place, dict[str, Any]]:
    """Return rows by metric, detector and amplifier; no two are of the same."""
    rows = curve_rows(curves, "LSSTCam", **others).to_pylist()
    found = {(row["metric"], row["detector"], row["amplifier"]): row for row in rows}
    assert len(found) == len(rows)
    return found


def saturated(made: Curve, above: float = 50_000) -> Curve:
    """Return a curve whose variance collapses above a mean signal."""
    return replace(made, variance=np.where(made.mean > above, made.variance / 20, made.variance))


def test_numbers_are_the_truth_within_their_errors() -> None:
    """Gain, read noise and a00 of every model are those of the sensor, each with an error that is small and covers."""
    found = measured(curve())
    truths = {
        "gain": (1.5, 2e-3),
        "gainFullCovariance": (1.5, 2e-3),
        "gainPairExact": (1.5, 0.1),
        "noise": (6.0, 0.5),
        "a00": (A00_E2V, 1e-7),
        "a00FullCovariance": (A00_E2V, 1e-7),
        "overscanNoise": (4.0, 1e-9),
    }
    for name, (truth, largest) in truths.items():
        row = found[f"ptc.{name}", 94, "C10"]
        assert row["denominator"] == 1
        assert row["instrument"] == "LSSTCam"
        assert row["detail"] is None
        assert 0 <= row["uncertainty"] < largest, name
        if name != "gainPairExact":  # is that of Poisson light, without the brighter-fatter effect
            assert abs(row["numerator"] - truth) <= 4 * row["uncertainty"] + 1e-9, name


def test_every_metric_of_flats_is_measured() -> None:
    """The rows hold what the catalogue promises, and nothing that it does not define."""
    promised = {name for name, metric in ptc_catalogue().items() if metric.group in PTC_GROUPS}
    assert {name for name, _, _ in measured(curve())} == promised


def test_offset_of_an_estimate_leads_back_to_the_fit() -> None:
    """Freed of its predicted offset, an estimate that is off by a percent is the gain."""
    found = measured(curve())
    value = found["ptc.gainRhl", 94, "C10"]["numerator"]
    offset = found["ptc.offset.gainRhl", 94, "C10"]["numerator"]
    assert abs(value / 1.5 - 1) > 0.01
    assert value / (1 + offset) == pytest.approx(1.5, rel=2e-3)


def test_full_well_is_turnoff_times_gain() -> None:
    """In electrons, with both relative errors in quadrature."""
    found = measured(saturated(without_covariances()))
    gain, turnoff, well = (found[f"ptc.{name}", 94, "C10"] for name in ("gain", "turnoff", "fullWell"))
    assert 45_000 < turnoff["numerator"] <= 50_000
    assert well["numerator"] == pytest.approx(gain["numerator"] * turnoff["numerator"])
    relative = [row["uncertainty"] / row["numerator"] for row in (gain, turnoff, well)]
    assert relative[2] == pytest.approx(math.hypot(*relative[:2]))


@pytest.mark.parametrize(
    ("n_pixels", "lags"), [(ENOUGH_FOR_ALL_LAGS, MAX_LAG), (ENOUGH_FOR_ALL_LAGS - 1, FEW_LAGS), (1e4, FEW_LAGS)]
)
def test_small_amplifiers_are_fitted_at_few_lags(monkeypatch: pytest.MonkeyPatch, n_pixels: float, lags: int) -> None:
    """Of few pixels the noise of 81 covariances would enter, so that fewer are fitted."""
    asked = {}
    fit = module.fit_full_covariance

    def spy(*arguments: Any, max_lag: int, with_b: bool) -> Any:
        made = fit(*arguments, max_lag=1, with_b=with_b)
        asked[max_lag, with_b] = made.fit
        return made

    monkeypatch.setattr(module, "fit_full_covariance", spy)
    found = measured(curve(n_pixels=np.full(len(LADDER), float(n_pixels))))
    assert list(asked) == [(lags, True), (lags, False)]
    assert found["ptc.gainFullCovarianceNoB", 94, "C10"]["numerator"] == asked[lags, False].gain
    assert found["ptc.a00FullCovariance", 94, "C10"]["numerator"] == asked[lags, True].a00


def test_what_was_not_measured_has_no_rows() -> None:
    """Curves of mean and variance alone have neither covariances, nor pair estimates, nor overscan, nor photodiode."""
    nothing = np.full(len(LADDER), np.nan)
    bare = without_covariances(rhl=nothing, overscan_noise=nothing, delta=nothing, photo_charge=nothing)
    names = {name for name, _, _ in measured(bare)}
    assert {"ptc.gain", "ptc.gainSlope", "ptc.gainQuadratic", "ptc.offset.gainSlope"} <= names
    absent = {"gainRhl", "offset.gainRhl", "gainFullCovariance", "overscanNoise", "lampMismatch", "linearityScatter"}
    assert not {f"ptc.{name}" for name in absent} & names


def test_amplifier_that_cannot_be_fitted_says_why_and_leaves_the_others_alone() -> None:
    """All of its numbers are NaN with a reason, it is counted as unfitted, and its neighbour is as good as ever."""
    nothing = np.full(len(LADDER), np.nan)
    found = measured(without_covariances("C10", variance=nothing), without_covariances("C11"))
    for name in ("gain", "noise", "a00", "turnoff", "fullWell", "gainSlope"):
        row = found[f"ptc.{name}", 94, "C10"]
        assert math.isnan(row["numerator"])
        assert row["uncertainty"] is None
        assert row["detail"]
    assert found["ptc.numUnfitted", 94, "C10"]["numerator"] == 1
    assert found["ptc.numUnfitted", 94, "C10"]["detail"] == found["ptc.gain", 94, "C10"]["detail"]
    assert found["ptc.numAmplifiers", 94, "C10"]["numerator"] == 0
    assert found["ptc.numUnfitted", 94, "C11"]["numerator"] == 0
    assert found["ptc.numUnfitted", 94, "C11"]["detail"] is None
    assert found["ptc.numAmplifiers", 94, "C11"]["numerator"] == 1
    assert found["ptc.gain", 94, "C11"]["numerator"] == pytest.approx(1.5, rel=5e-3)


def test_pairs_are_counted_by_what_became_of_them() -> None:
    """Below the turnoff, past it, and left out, the last with their reasons, each once."""
    status = np.full(len(LADDER), "", object)
    status[[2, 3]], status[29] = "exposure times differ: 1 s and 2 s", "sizes differ"
    curve = saturated(without_covariances(status=status))
    found = measured(curve)
    counts = {
        name: found[f"ptc.{name}", 94, "C10"]["numerator"]
        for name in ("numPairs", "numPairsPastTurnoff", "numRejectedPairs")
    }
    past = int((LADDER[:29] > 50_000).sum())
    assert counts == {"numPairs": len(LADDER) - 3 - past, "numPairsPastTurnoff": past, "numRejectedPairs": 3}
    told = found["ptc.numRejectedPairs", 94, "C10"]["detail"]
    first, last = (" and ".join(map(str, pair)) for pair in (curve.exposures[2], curve.exposures[29]))
    assert (
        told
        == f"exposures {first}: exposure times differ: 1 s and 2 s (1 more like it) | exposures {last}: sizes differ"
    )


def test_flats_without_partner_and_amplifiers_without_pixels_are_counted_per_detector() -> None:
    """A detector of which nothing can be measured has its counts all the same."""
    found = measured(
        without_covariances(),
        surplus=[
            (94, "exposure 1", "has no partner"),
            (94, "exposure 2", "has no partner"),
            (95, "exposure 1", "is short"),
        ],
        problems=[(94, "C17", "is cut short")],
    )
    unpaired = {place[1]: (row["numerator"], row["detail"]) for place, row in found.items() if "Unpaired" in place[0]}
    assert unpaired == {94: (2, "exposure 1: has no partner (1 more like it)"), 95: (1, "exposure 1: is short")}
    unreadable = {place[1:]: row for place, row in found.items() if "Unreadable" in place[0]}
    assert {place: row["numerator"] for place, row in unreadable.items()} == {
        (94, None): 0,
        (95, None): 0,
        (94, "C17"): 1,
    }
    assert unreadable[94, "C17"]["detail"] == "C17: is cut short"


def test_numbers_know_the_exposures_they_rest_on() -> None:
    """Two processings of the same exposures share their noise; exposures without a number say nothing."""
    place = ("ptc.gain", 94, "C10")
    first, again = (measured(without_covariances())[place]["sample"] for _ in range(2))
    assert first == again
    assert first
    others = without_covariances().exposures + 1000
    assert measured(without_covariances(exposures=others))[place]["sample"] not in (first, None)
    # Saturated pairs lie so near each other that processing may turn their order round.
    turned = without_covariances()
    turned.mean[-2:] = turned.mean[-2:][::-1]
    assert measured(replace(turned))[place]["sample"] == first
    unknown = np.full((len(LADDER), 2), -1)
    assert measured(without_covariances(exposures=unknown))[place]["sample"] is None


def test_light_is_described_below_the_turnoff() -> None:
    """Lamp mismatch is the root mean square of its pairs, linearity the scatter of signal over charge."""
    rng = np.random.default_rng(5)
    mismatch, scatter = rng.normal(0, 0.01, len(LADDER)), rng.normal(0, 2e-3, len(LADDER))
    charge = LADDER * 1e-12 * (1 + scatter)
    charge[LADDER > 50_000] *= 2
    found = measured(saturated(without_covariances(delta=mismatch * LADDER, photo_charge=charge)))
    lamp, linear = (found[f"ptc.{name}", 94, "C10"] for name in ("lampMismatch", "linearityScatter"))
    assert lamp["numerator"] == pytest.approx(np.sqrt(np.mean(mismatch**2)))
    of_squares = np.std(mismatch**2, ddof=1) / np.sqrt(len(LADDER))
    assert lamp["uncertainty"] == pytest.approx(of_squares / (2 * lamp["numerator"]))
    below = 1 / (1 + scatter[LADDER <= 50_000])
    assert linear["numerator"] == pytest.approx(below.std(ddof=1) / below.mean(), rel=1e-6)
    assert linear["uncertainty"] == pytest.approx(linear["numerator"] / np.sqrt(2 * (below.size - 1)))


def test_detector_without_a_number_lends_its_name() -> None:
    """An amplifier of a curve that someone published is called by detector and segment."""
    nameless = replace(without_covariances("C06"), detector=None, detector_name="R22_S11")
    assert ("ptc.gain", None, "R22_S11_C06") in measured(nameless)
