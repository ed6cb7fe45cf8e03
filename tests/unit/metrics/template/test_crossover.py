"""Where the deep template becomes the better one: theory, and surveys of known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from harness.metrics.template.crossover import Crossover, TemplatePair, expected_crossover, survey_crossover
from harness.metrics.template.limits import stated_uncertainty
from harness.metrics.template.noise import expected_noise

PAIR = TemplatePair(4.0, (4.0, 0.4), (6.0, 0.1))


def test_at_the_crossover_both_templates_are_equally_deep() -> None:
    """It is the root that a solver finds; a sharper visit gains by the good template, a broader one by the deep one."""

    def excess(fwhm: float) -> float:
        good, deep = (float(expected_noise(fwhm, 4.0, *each)) for each in (PAIR.good, PAIR.deep))
        return math.log(good / deep)

    found = expected_crossover([PAIR]).value
    assert 6 * found == pytest.approx(brentq(excess, 3, 6), rel=1e-3)
    assert excess(0.9 * 6 * found) < 0 < excess(1.1 * 6 * found)
    assert expected_crossover([PAIR], 0.01).value > found > expected_crossover([PAIR], -0.01).value


def test_the_crossover_scales_with_the_pixels() -> None:
    """Sizes in other pixels, and variances in other units, leave the ratio of sizes."""
    other = TemplatePair(4.0 * 9, (8.0, 0.4 * 9), (12.0, 0.1 * 9))
    assert expected_crossover([other]).value == pytest.approx(expected_crossover([PAIR]).value, rel=1e-9)


def test_several_pairs_cross_where_their_mean_does() -> None:
    """Between the crossovers of each, where one has as much more of noise as the other has less."""
    other = TemplatePair(4.0, (4.0, 0.2), (6.0, 0.1))
    found = expected_crossover([PAIR, other]).value
    assert expected_crossover([PAIR]).value < found < expected_crossover([other]).value
    assert float(PAIR.excess(found) + other.excess(found)) == pytest.approx(0, abs=1e-4)


def test_depth_is_worth_more_the_more_there_is_of_it() -> None:
    """The more visits the good template has, the broader a visit has to be for the deep one to win."""
    found = [expected_crossover([TemplatePair(4.0, (4.0, 4.0 / n), (6.0, 0.1))]).value for n in (5, 10, 20, 30)]
    assert found == sorted(found)
    assert len(set(found)) == 4


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (TemplatePair(4.0, (4.0, 0.1), (6.0, 0.1)), "the good template is the deeper one"),
        (TemplatePair(4.0, (4.0, 4.0), (4.01, 0.01)), "the deep template is the deeper one"),
        (TemplatePair(4.0, (6.0, 0.4), (4.0, 0.1)), "the good template is not the sharper one"),
        (TemplatePair(4.0, (4.0, 0.4), (4.0, 0.4)), "the good template is not the sharper one"),
    ],
)
def test_no_crossover_is_an_answer(pair: TemplatePair, words: str) -> None:
    """Where one template is better for all visits, there is no number, and the reason says which."""
    found = expected_crossover([pair])
    assert math.isnan(found.value)
    assert found.reason.startswith(words)


def test_a_crossover_is_the_only_one_upwards() -> None:
    """For any pair of templates, and any excess, the curve crosses it upwards no more than once."""
    rng = np.random.default_rng(7)
    for _ in range(100):
        of_good = rng.uniform(0.05, 4)
        pair = TemplatePair(4.0, (4.0, of_good), (4.0 * rng.uniform(1.05, 2), of_good * rng.uniform(0.05, 0.9)))
        ratios = np.geomspace(0.25 * pair.good[0] / pair.deep[0], 4, 3000)
        curve = pair.excess(ratios)
        for excess in (0.0, *np.quantile(curve, [0.1, 0.5, 0.9])):
            upwards = np.flatnonzero((curve[:-1] < excess) & (curve[1:] >= excess))
            found = expected_crossover([pair], float(excess))
            assert len(upwards) <= 1
            if len(upwards):
                assert found.value == pytest.approx(ratios[upwards[0]], rel=2e-3)
            else:
                assert found.reason


def survey(rng: np.random.Generator, slope: float = 1.0, shift: float = 0.0, visits=(3.0, 9.0)):
    """Return expected and measured excess, names and pairs of templates, of 14 templates with 8 visits each."""
    expected, templates, pairs = [], [], []
    for number in range(14):
        pair = TemplatePair(4.0, (4 * rng.uniform(0.95, 1.05), 0.4), (6 * rng.uniform(0.95, 1.05), 0.1))
        pairs.append(pair)
        expected.append(pair.excess(rng.uniform(*visits, 8) / pair.deep[0]))
        templates += [f"{number} r"] * 8
    x = np.concatenate(expected)
    offset = np.repeat(rng.normal(0, 0.01, 14), 8)
    return x, slope * (x - shift) + offset + rng.normal(0, 0.01, x.size), np.array(templates, object), pairs


def test_a_survey_that_theory_describes_has_its_crossover() -> None:
    """The ratio of sizes is that of the mean pair, within its limits, and the line is that of equality."""
    found = survey_crossover(*survey(np.random.default_rng(8)))
    truth = expected_crossover([PAIR]).value
    assert found.low < truth < found.high
    assert found.high - found.low < 0.2
    assert found.line.slope == pytest.approx(1, abs=0.1)


def test_noise_that_theory_does_not_expect_moves_the_crossover() -> None:
    """Differences whose good template costs 2 % more than expected cross where theory has an excess of -2 %."""
    found = survey_crossover(*survey(np.random.default_rng(9), shift=-0.02))
    assert found.low < expected_crossover([PAIR], -0.02).value < found.high
    assert found.high < expected_crossover([PAIR]).value


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"visits": (7.0, 9.0), "shift": -0.1}, "the deep template is the deeper one for all visits measured"),
        ({"visits": (2.0, 3.5)}, "the good template is the deeper one for all visits measured"),
        ({"slope": 0.0}, "the excess of noise with the good template does not rise significantly as theory expects"),
    ],
)
def test_a_survey_without_a_crossover_says_why(settings, reason: str) -> None:
    """Visits on one side of it, and noise that does not depend on the visit, are answers and not numbers."""
    found = survey_crossover(*survey(np.random.default_rng(10), **settings))
    assert math.isnan(found.value)
    assert found.reason in (
        reason,
        "the excess of noise with the good template does not rise significantly as theory expects",
    )


@pytest.mark.slow
def test_limits_hold_the_truth_as_often_as_they_say() -> None:
    """Over 300 surveys the 99 % limits hold the crossover of the mean pair, and so does the stated uncertainty."""
    rng = np.random.default_rng(11)
    truth = expected_crossover([PAIR]).value
    found: list[Crossover] = [survey_crossover(*survey(rng)) for _ in range(300)]
    assert not any(each.reason for each in found)
    assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.975
    reaches = [2.5758 * stated_uncertainty(each.value, each.low, each.high) for each in found]
    assert np.mean([abs(each.value - truth) <= reach for each, reach in zip(found, reaches, strict=True)]) >= 0.975
