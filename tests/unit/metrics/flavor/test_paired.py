"""McNemar's test and what it needs, against scipy's exact test and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from harness.metrics.flavor.paired import compare_totals, injections_needed, mcnemar

NAMES = ("convolve template", "pre-convolution")


@pytest.mark.parametrize(
    ("gained", "lost"), [(0, 0), (1, 0), (0, 7), (5, 5), (12, 3), (3, 12), (100, 150), (4627, 4321)]
)
def test_chance_is_that_of_the_exact_binomial_test(gained, lost):
    """Scipy's exact two-sided test of one half says the same; of nothing, that nothing is shown."""
    wanted = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(wanted)


def test_equal_flavors_are_told_apart_at_most_as_often_as_the_level():
    """For any number of injections that only one found, the exact law of the false alarms."""
    for moved in range(1, 120):
        gained = np.arange(moved + 1)
        chances = np.array([mcnemar(up, moved - up) for up in gained.tolist()])
        law = np.array([math.comb(moved, up) / 2**moved for up in gained.tolist()])
        for level in (0.01, 0.05, 0.1):
            assert law[chances <= level].sum() <= level + 1e-12


@pytest.mark.parametrize(
    ("gained", "lost", "n"), [(30, 20, 1000), (20, 30, 1000), (60, 24, 1000), (200, 150, 800), (10, 1, 50)]
)
@pytest.mark.parametrize(("level", "power"), [(0.01, 0.9), (0.05, 0.8)])
def test_needed_injections_have_the_power_that_was_asked_for(gained, lost, n, level, power):
    """Of so many simulated injections the exact test tells the flavors apart as often as promised, and not of half."""
    rng = np.random.default_rng(8)
    needed = injections_needed(gained, lost, n, level=level, power=power)
    shares = [gained / n, lost / n, 1 - (gained + lost) / n]

    def power_of(n_injections):
        draws, times = np.unique(rng.multinomial(n_injections, shares, 8000)[:, :2], axis=0, return_counts=True)
        shown = [mcnemar(up, down) <= level for up, down in draws.tolist()]
        return np.average(shown, weights=times)

    assert power - 0.015 < power_of(int(needed)) < power + 0.05
    assert power_of(int(needed / 2)) < power - 0.2


def test_flavors_that_did_not_differ_need_infinitely_many():
    """Equal gains and losses tell of no difference to go on with."""
    assert injections_needed(7, 7, 100) == math.inf
    assert injections_needed(0, 0, 0) == math.inf


def test_more_moved_than_there_are_is_refused():
    """More gained and lost than injections is a mistake of the caller, and named."""
    with pytest.raises(ValueError, match="of 10 injections, 8 and 3 cannot have been gained and lost"):
        injections_needed(8, 3, 10)
    with pytest.raises(ValueError, match="4627 of 4600 injections cannot have been found"):
        compare_totals(4627, 4594, NAMES, n_injections=4600)


def test_published_totals_cannot_tell_convolution_from_preconvolution():
    """4627 against 4594: distinguishable only if they share 4533 or more; as independent counts p = 0.74."""
    words = compare_totals(4627, 4594, NAMES)
    assert words == (
        "Whether convolve template (4627 found) and pre-convolution (4594 found) are distinguishable at a level of 1 % "
        "cannot be told from totals: only if they share at least 4533 of the injections that they found (98.7 % of the "
        "4594). Were they independent, p = 0.74."
    )
    assert binomtest(4627 - 4533, 4627 + 4594 - 2 * 4533).pvalue <= 0.01
    assert binomtest(4627 - 4532, 4627 + 4594 - 2 * 4532).pvalue > 0.01
    assert binomtest(4627, 4627 + 4594).pvalue == pytest.approx(0.74, abs=0.005)


@pytest.mark.parametrize(("found", "other"), [(4627, 4321), (4594, 4321)])
def test_published_totals_tell_the_automatic_choice_from_both(found, other):
    """4321 is fewer than either, whichever injections they share: the least significant case has none in common."""
    assert "are distinguishable at a level of 1 %, however many" in compare_totals(found, other, NAMES)
    least = max(binomtest(found - shared, found + other - 2 * shared).pvalue for shared in range(0, other, 7))
    assert least == pytest.approx(binomtest(found, found + other).pvalue)
    assert least <= 0.01


@pytest.mark.parametrize("n_injections", [None, 30, 26])
def test_totals_are_decided_as_all_possible_pairings_are(n_injections):
    """For all small totals, against a trial of every number of shared injections."""
    for found in range(26):
        for other in range(26):
            fewest = 0 if n_injections is None else max(found + other - n_injections, 0)
            shared = range(fewest, min(found, other) + 1)
            shown = [mcnemar(found - both, other - both) <= 0.05 for both in shared]
            words = compare_totals(found, other, ("A", "B"), level=0.05, n_injections=n_injections)
            if all(shown):
                assert "are distinguishable at a level of 5 %, however" in words
            elif not any(shown):
                assert "are indistinguishable at a level of 5 %, even" in words
            else:
                assert f"at least {shared[shown.index(True)]} of the injections" in words


def test_a_known_number_of_injections_narrows_what_is_possible():
    """Of 4640 injections most were found by both, which decides; independence is then that of finding them."""
    assert "are distinguishable at a level of 1 %, however" in compare_totals(4627, 4594, NAMES, n_injections=4640)
    shared = round(4627 * 4594 / 5000)
    chance = binomtest(4627 - shared, 4627 + 4594 - 2 * shared).pvalue
    assert compare_totals(4627, 4594, NAMES, n_injections=5000).endswith(f"p = {chance:.2g}.")
