"""Estimates of gain: the formulas on pixels of known gain, and the errors on curves of known truth."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from flux_ladders import GAIN, LADDERS, ladder_curve, true_fit

from harness.metrics.ptc.exp_approximation import fit_exp_approximation
from harness.metrics.ptc.gains import DEFINITIONS, SLOPE_WINDOW, PairMethod, estimate_gains, pair_gain

METHODS: tuple[PairMethod, ...] = get_args(PairMethod)
NAMES = [
    *("gainRhl", "gainSlope", "gainQuadratic", "gainPairNone", "gainPairSimple", "gainPairFull", "gainPairExact"),
    "gainPairSimpleAsPublished",
]

#: Estimate / true gain of 24 million pixels, by other hands: gain, noise (e-), light (e-), Poisson light?,
#: and NONE, SIMPLE_AS_PUBLISHED, SIMPLE, FULL (two standard errors: 4e-4).
PIXELS = {
    "Poisson 50": (1.5, 0, 50, True, (1.0005, 0.9522, 0.9906, 0.9904)),
    "Gauss 50": (1.5, 0, 50, False, (0.9899, 0.9436, 0.9800, 0.9798)),
    "noisy 50": (1.5, 5, 50, True, (0.6612, 0.9666, 0.9659, 0.9776)),
    "noisy 200": (1.5, 5, 200, True, (0.8884, 0.9895, 0.9962, 0.9969)),
    "noisy 2000": (1.5, 5, 2000, True, (0.9874, 0.9985, 0.9994, 0.9994)),
    "low gain": (0.7, 5, 2000, True, (0.9877, 1.0000, 0.9998, 0.9998)),
    "noisier": (0.75, 8, 1500, True, (0.9590, 0.9998, 0.9995, 0.9995)),
}


def pixel_ratios(gain: float, noise: float, electrons: float, *, poisson: bool, n: int) -> dict[str, float]:
    """Return estimate / true gain of each method, from a pair of flats of ``n`` pixels."""
    rng = np.random.default_rng(1)
    light = rng.poisson(electrons, (2, n)) if poisson else rng.normal(electrons, np.sqrt(electrons), (2, n))
    one, two = (light + rng.normal(0, noise, (2, n))) / gain
    rhl = np.mean((one - two) ** 2 / (one + two))
    mean = (one.mean() + two.mean()) / 2
    return {method: float(pair_gain(rhl, mean, noise / gain, method)) / gain for method in METHODS}


def check_pixels(case: str, n: int, tolerance: float) -> None:
    """Compare one row of the table with ``n`` pixels of our own."""
    gain, noise, electrons, poisson, published = PIXELS[case]
    ratios = pixel_ratios(gain, noise, electrons, poisson=poisson, n=n)
    for method, value in zip(("NONE", "SIMPLE_AS_PUBLISHED", "SIMPLE", "FULL"), published, strict=True):
        assert ratios[method] == pytest.approx(value, abs=tolerance), method
    if poisson and noise == 0:
        assert ratios["EXACT"] == pytest.approx(1, abs=tolerance)


@pytest.mark.parametrize("case", ["Poisson 50", "Gauss 50"])
def test_pair_estimators_give_the_published_bias(case):
    """At g = 1.5 and 50 electrons each formula has its own bias, and the published SIMPLE a defect of 4 %."""
    check_pixels(case, 1_000_000, 5e-3)


@pytest.mark.slow
@pytest.mark.parametrize("case", PIXELS)
def test_pair_estimators_give_the_published_bias_closely(case):
    """All seven rows of the published table, to four standard errors."""
    check_pixels(case, 6_000_000, 3e-3)


def test_simple_as_documented_is_not_low_by_the_published_defect():
    """1 % of tolerance at g = 1.5 finds g²/2 where 1/(2g²) is meant; at g = 1 nothing does."""
    simple, published = (float(pair_gain(1 / 1.5, 50 / 1.5, 0, name)) / 1.5 for name in METHODS_OF_SIMPLE)
    assert simple == pytest.approx(1 - 1 / (2 * 50), abs=5e-4)
    assert published == pytest.approx(0.952, abs=1e-3)
    one, other = (float(pair_gain(1.0, 50.0, 0, name)) for name in METHODS_OF_SIMPLE)
    assert one == other


METHODS_OF_SIMPLE: tuple[PairMethod, PairMethod] = ("SIMPLE", "SIMPLE_AS_PUBLISHED")


def test_full_solves_its_equation():
    """FULL is the g of 1/g = c - (R² - 1/(2g²))/µ, and SIMPLE its first step from 1/c."""
    rng = np.random.default_rng(1)
    gain, mean, noise = rng.uniform(0.3, 3, 100), rng.uniform(50, 1e5, 100), rng.uniform(0, 10, 100)
    c = 1 / gain + noise**2 / mean
    full = pair_gain(c, mean, noise, "FULL")
    np.testing.assert_allclose(1 / full, c - (noise**2 - 1 / (2 * full**2)) / mean, rtol=1e-9)
    np.testing.assert_allclose(pair_gain(c, mean, noise, "EXACT"), gain, rtol=1e-12)
    simple = pair_gain(c, mean, noise, "SIMPLE")
    np.testing.assert_allclose(1 / simple, c - (noise**2 - c**2 / 2) / mean, rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_pairs_without_read_noise_fall_back_to_none(method):
    """A pair whose overscan noise is unknown gets its gain by NONE; the others keep their correction."""
    gains = pair_gain([0.8, 0.8], [1000.0, 1000.0], [np.nan, 5.0], method)
    assert gains[0] == 1 / 0.8
    assert (gains[1] != 1 / 0.8) == (method != "NONE")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("rhl", "mean", "noise"),
    [(0, 100, 5), (np.nan, 100, 5), (1.0, 0, 5), (1.0, -3, 5), (-1.0, 100, 5), (np.nan, np.nan, np.nan), (0, 0, 0)],
)
def test_pairs_that_give_no_gain_are_nan(method, rhl, mean, noise):
    """Dark, negative and unmeasured pairs have no gain, and nobody is warned of a division."""
    assert np.isnan(pair_gain(rhl, mean, noise, method))


def test_read_noise_above_all_noise_gives_no_gain():
    """Where the overscan is noisier than the flats, a corrected formula has no answer: it must not be negative."""
    for method in set(METHODS) - {"NONE"}:
        assert np.isnan(pair_gain(0.5, 10.0, 50.0, method)), method


def test_every_definition_has_its_estimate():
    """Each name that is defined is estimated, in the same order, with all its numbers."""
    curve = ladder_curve("square root", np.random.default_rng(1), a00=-3e-6)
    estimates = estimate_gains(curve, true_fit(curve, a00=-3e-6, gain_error=1e-3, a00_error=1e-8, noise_error=0.1))
    assert [estimate.name for estimate in estimates] == list(DEFINITIONS) == NAMES
    for estimate in estimates:
        numbers = (estimate.value, estimate.error, estimate.offset, estimate.offset_error)
        assert np.isfinite(numbers).all()
        assert estimate.error > 0
        assert estimate.offset_error > 0
        assert estimate.reason == ""


def test_rhl_is_the_median_over_all_pairs_and_the_others_over_those_below_turnoff():
    """The notebook's number has saturated pairs in it; those of single pairs have not."""
    curve = ladder_curve("linear", np.random.default_rng(1), a00=-3e-6)
    fit = true_fit(curve, a00=-3e-6)
    estimates = {estimate.name: estimate.value for estimate in estimate_gains(curve, fit)}
    assert estimates["gainRhl"] == pytest.approx(np.median(1 / curve.rhl), rel=1e-12)
    assert estimates["gainPairNone"] == pytest.approx(np.median(1 / curve.rhl[fit.used]), rel=1e-12)
    exact = 1 / (curve.rhl - curve.overscan_noise**2 / curve.mean)
    assert estimates["gainPairExact"] == pytest.approx(np.median(exact[fit.used]), rel=1e-12)


def test_quadratic_takes_the_curvature_away():
    """Where brighter-fatter raises the slope gain by 8 %, the linear term of the parabola is off by less than 1 %."""
    curve = ladder_curve("linear", np.random.default_rng(1), a00=-3e-6)
    estimates = {estimate.name: estimate for estimate in estimate_gains(curve, true_fit(curve, a00=-3e-6))}
    assert estimates["gainSlope"].value / GAIN > 1.07
    assert estimates["gainQuadratic"].value / GAIN == pytest.approx(1, abs=0.01)


def pulls(ladder: str, a00: float, lamp: float, repeats: int) -> dict[str, list[float]]:
    """Return how far each estimate is from the truth, offset removed, in units of its own error."""
    rng = np.random.default_rng(1)
    made: dict[str, list[float]] = {}
    for _ in range(repeats):
        curve = ladder_curve(ladder, rng, a00=a00, lamp=lamp * rng.standard_normal(39))
        for estimate in estimate_gains(curve, true_fit(curve, a00=a00)):
            unexplained = estimate.value / (1 + estimate.offset) / GAIN - 1
            made.setdefault(estimate.name, []).append(unexplained / (estimate.error / estimate.value))
    return made


def check_pulls(made: dict[str, list[float]]) -> None:
    """Require a mean of 0 and a width of 1, to 4 standard errors and 8 % for what the errors are known to."""
    for name, values in made.items():
        n = len(values)
        assert abs(np.mean(values)) < 4 / np.sqrt(n) + 0.1, name
        assert np.std(values) == pytest.approx(1, abs=4 / np.sqrt(2 * n) + 0.08), name


@pytest.mark.parametrize(
    ("ladder", "a00", "lamp"), [("logarithmic", 0.0, 0.0), ("square root", -3e-6, 0.0), ("linear", -3e-6, 0.003)]
)
def test_errors_are_those_of_the_estimates(ladder, a00, lamp):
    """With the offset removed nothing but the stated error is left: pulls have mean 0 and width 1."""
    check_pulls(pulls(ladder, a00, lamp, 60))


@pytest.mark.slow
@pytest.mark.parametrize("ladder", LADDERS)
@pytest.mark.parametrize(("a00", "lamp"), [(0.0, 0.0), (-3e-6, 0.001)])
def test_errors_are_those_of_the_estimates_closely(ladder, a00, lamp):
    """The same for all ladders, with more curves."""
    check_pulls(pulls(ladder, a00, lamp, 120))


def unexplained(ladder: str, factor: float) -> dict[str, list[tuple[float, float]]]:
    """Return, of 20 curves, what of each estimate remains against the fit, and the half-width of its 99 % interval."""
    rng = np.random.default_rng(1)
    curves = [ladder_curve(ladder, rng, a00=-3e-6, lamp=0.001 * rng.standard_normal(39)) for _ in range(20)]
    made: dict[str, list[tuple[float, float]]] = {name: [] for name in DEFINITIONS}
    for curve, fit in zip(curves, fit_exp_approximation(curves), strict=True):
        for estimate in estimate_gains(curve, fit):
            ratio = factor * estimate.value / (1 + estimate.offset) / fit.gain
            errors = (
                estimate.error / estimate.value,
                estimate.offset_error / (1 + estimate.offset),
                fit.gain_error / fit.gain,
            )
            made[estimate.name].append((ratio - 1, 2.576 * float(np.linalg.norm(errors))))
    return made


#: On steeper ladders the medians rest on pairs far above those that a00 is fitted to.
FOUND = {"logarithmic": NAMES, "square root": ["gainSlope", "gainQuadratic"], "linear": ["gainQuadratic"]}


@pytest.mark.parametrize("ladder", LADDERS)
def test_one_percent_of_gain_error_is_found(ladder):
    """A gain off by 1 % lies outside the 99 % interval of what is unexplained, and within a flat tolerance of 5 %."""
    planted = unexplained(ladder, 1.01)
    for name in FOUND[ladder]:
        for difference, half_width in planted[name]:
            assert half_width < difference < 0.05, name


@pytest.mark.parametrize("ladder", LADDERS)
def test_right_gains_are_not_found_wrong(ladder):
    """Without an error, at most one of 20 curves is outside its 99 % interval, whatever the estimate."""
    for name, made in unexplained(ladder, 1.0).items():
        assert sum(abs(difference) > half_width for difference, half_width in made) <= 1, name


def test_slope_window_is_a_range_of_signal():
    """Pairs outside the window change nothing, however many there are and wherever in the ladder they stand."""
    rng = np.random.default_rng(1)
    curve = ladder_curve("linear", rng, a00=-3e-6)
    fit = true_fit(curve, a00=-3e-6)
    low, high = (share * fit.turnoff for share in SLOPE_WINDOW)
    odd = (curve.mean < low) | ((curve.mean > high) & (curve.mean < fit.turnoff * 0.9))
    assert odd.sum() > 5
    status = np.where(odd, "left out", "").astype(object)
    fewer = replace(curve, status=status)
    slopes = [estimate_gains(made, fit)[1] for made in (curve, fewer)]
    assert slopes[0].value == slopes[1].value
    assert slopes[0].name == "gainSlope"


def test_estimates_scale_with_the_unit_of_signal():
    """Half as many electrons per adu: every gain and error is halved, every predicted offset stays."""
    curve = ladder_curve("square root", np.random.default_rng(1), a00=-3e-6, lamp=0.001)
    fit = true_fit(curve, a00=-3e-6, gain_error=1e-3, a00_error=1e-8, noise_error=0.1)
    finer = replace(
        curve,
        variance=4 * curve.variance,
        **{name: 2 * getattr(curve, name) for name in ("mean", "delta", "rhl", "overscan_noise")},
    )
    other = replace(fit, gain=fit.gain / 2, gain_error=fit.gain_error / 2, turnoff=fit.turnoff * 2)
    for one, two in zip(estimate_gains(curve, fit), estimate_gains(finer, other), strict=True):
        if one.name == "gainPairSimpleAsPublished":
            continue  # g²/2 has not even the right unit
        assert two.value == pytest.approx(one.value / 2, rel=1e-9)
        assert two.error == pytest.approx(one.error / 2, rel=1e-6)
        assert two.offset == pytest.approx(one.offset, abs=1e-9)
        assert two.offset_error == pytest.approx(one.offset_error, rel=1e-5)


def test_unknown_pixel_number_is_taken_from_the_scatter():
    """A published table has no pixel numbers: the scatter about the fit gives errors of the same size."""
    curve = ladder_curve("square root", np.random.default_rng(1), a00=-3e-6)
    fit = true_fit(curve, a00=-3e-6)
    unknown = replace(curve, n_pixels=np.full(len(curve), np.nan))
    for known, estimated in zip(estimate_gains(curve, fit), estimate_gains(unknown, fit), strict=True):
        assert estimated.error == pytest.approx(known.error, rel=0.4), known.name


def test_fit_without_read_noise_predicts_with_that_of_the_overscan():
    """A fitted noise² below zero has no root; the overscan knows the noise, and its whole effect is uncertain."""
    curve = ladder_curve("square root", np.random.default_rng(1), a00=-3e-6)
    fit = true_fit(curve, a00=-3e-6)
    without = replace(fit, noise=np.nan, noise_error=np.nan)
    for known, guessed in zip(estimate_gains(curve, fit), estimate_gains(curve, without), strict=True):
        assert guessed.offset == pytest.approx(known.offset, abs=1e-9)
        assert guessed.offset_error > known.offset_error
    silent = replace(curve, overscan_noise=np.full(len(curve), np.nan))
    rhl, *_ = estimate_gains(silent, without)
    assert np.isfinite([rhl.offset, rhl.error]).all()


def test_unknown_overscan_noise_makes_every_pair_method_none():
    """Without overscan noise the pair estimators are the same number, with the same predicted offset."""
    curve = ladder_curve("logarithmic", np.random.default_rng(1), a00=-3e-6)
    silent = replace(curve, overscan_noise=np.full(len(curve), np.nan))
    _, _, _, none, *others = estimate_gains(silent, true_fit(curve, a00=-3e-6))
    for other in others:
        assert (other.value, other.error, other.offset) == (none.value, none.error, none.offset)


def test_curve_without_pairs_below_the_turnoff_says_so():
    """Nothing to estimate from: NaN with a reason, the fit's own where it has one."""
    curve = ladder_curve("linear", np.random.default_rng(1), a00=-3e-6)
    fit = replace(true_fit(curve, a00=-3e-6), turnoff=100.0)
    for estimate in estimate_gains(curve, fit):
        assert np.isnan([estimate.value, estimate.error, estimate.offset, estimate.offset_error]).all()
        assert estimate.reason == "no pair below the turnoff"
    failed = replace(fit, reason="2 pairs for 3 parameters", gain=np.nan, turnoff=np.nan)
    assert {estimate.reason for estimate in estimate_gains(curve, failed)} == {"2 pairs for 3 parameters"}


def test_missing_estimator_of_pixels_leaves_the_fits():
    """A curve of means and variances alone has slope and quadratic, and the others say what was not measured."""
    curve = ladder_curve("linear", np.random.default_rng(1), a00=-3e-6)
    bare = replace(curve, rhl=np.full(len(curve), np.nan))
    for estimate in estimate_gains(bare, true_fit(curve, a00=-3e-6)):
        if estimate.name in {"gainSlope", "gainQuadratic"}:
            assert estimate.reason == ""
            assert np.isfinite(estimate.value)
        else:
            assert estimate.reason == "mean[(I1 - I2)²/(I1 + I2)] was not measured"
            assert np.isnan(estimate.value)


def test_unknown_lamp_mismatch_leaves_the_offset_open():
    """Pair estimators of unscaled flats have no predicted offset where nobody knows how the lamp flickered."""
    curve = ladder_curve("linear", np.random.default_rng(1), a00=-3e-6)
    blind = replace(curve, delta=np.full(len(curve), np.nan))
    for estimate in estimate_gains(blind, true_fit(curve, a00=-3e-6)):
        assert np.isfinite(estimate.value)
        known = estimate.name in {"gainSlope", "gainQuadratic"}
        assert np.isfinite(estimate.offset) == known
        assert estimate.reason == ("" if known else "no offset: lamp mismatch or counting noise is unknown")


def test_scatter_beyond_counting_noise_widens_errors():
    """Where the fit finds four times the variance of counting, errors are twice as large."""
    curve = ladder_curve("square root", np.random.default_rng(1), a00=-3e-6)
    fit = true_fit(curve, a00=-3e-6)
    counting, scattered = (estimate_gains(curve, replace(fit, reduced_chi2=chi2)) for chi2 in (0.5, 4.0))
    for one, two in zip(counting, scattered, strict=True):
        assert two.error == pytest.approx(2 * one.error, rel=0.2), one.name


def test_too_few_pairs_in_the_window_say_so():
    """Three pairs near full well have a median, and no slope: the reason is that of the line fit."""
    curve = ladder_curve("linear", np.random.default_rng(1), a00=-3e-6)
    fit = true_fit(curve, a00=-3e-6)
    keep = (curve.mean > 0.9 * fit.turnoff) & fit.used
    few = replace(curve, status=np.where(keep, "", "left out").astype(object))
    estimates = {estimate.name: estimate for estimate in estimate_gains(few, replace(fit, used=keep))}
    assert np.isnan(estimates["gainSlope"].value)
    assert estimates["gainSlope"].reason
    assert np.isfinite(estimates["gainPairExact"].value)


def test_dark_flats_give_no_gain():
    """Zero flux is no measurement, and no warning."""
    curve = ladder_curve("linear", np.random.default_rng(1), a00=-3e-6)
    dark = replace(curve, mean=np.zeros(len(curve)), rhl=np.full(len(curve), np.nan))
    assert all(np.isnan(estimate.value) for estimate in estimate_gains(dark, true_fit(curve, a00=-3e-6)))
