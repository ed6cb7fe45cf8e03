"""Estimands, case by case."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from harness.judge import WHOLE_RERUN, Accepted, change, change_from, level, ratio, share
from harness.judge.estimate import NotComparableError
from harness.model import Interval


def _accepted(quantity, value, uncertainty, **rest):
    metric = quantity.metric
    return Accepted(value, uncertainty, metric.unit, metric.definition_digest, quantity.n_units, "old", **rest)


def _counts(seed, n_units=84, mean=200):
    rng = np.random.default_rng(seed)
    return rng.poisson(rng.gamma(4, mean / 4, n_units))


def test_change_is_paired(quantity):
    """A change of one part in a hundred shows although visits differ by half: the same sky cancels."""
    old = _counts(1)
    new = old + np.random.default_rng(2).binomial(old, 0.01)
    estimate = change(quantity(new), quantity(old))
    assert estimate.value == new.sum() - old.sum()
    assert estimate.interval.low > 0
    assert estimate.uncertainty < 0.1 * level(quantity(new)).uncertainty


def test_change_uses_only_visits_in_common(quantity):
    """Visits of one side alone are left out and counted."""
    estimate = change(quantity([1, 2, 3, 9], units=[1, 2, 3, 9]), quantity([2, 3, 7, 7], units=[2, 3, 4, 5]))
    assert (estimate.value, estimate.reference, estimate.n_units) == (0, 5, 2)
    assert (estimate.only_here, estimate.only_there) == (2, 2)


def test_no_visit_in_common_is_not_comparable(quantity):
    """Two reruns of different visits have no change."""
    with pytest.raises(NotComparableError, match="no visit in common"):
        change(quantity([1, 2], units=[1, 2]), quantity([1, 2], units=[3, 4]))


def test_change_of_a_ratio_agrees_with_the_jackknife(quantity):
    """The standard error of a paired change of ratios is the delete-one jackknife's."""
    rng = np.random.default_rng(3)
    below = _counts(4)
    above = rng.binomial(below, 0.3)
    below2, above2 = below + rng.poisson(4, 84), above + rng.poisson(3, 84)
    left_out = (above2.sum() - above2) / (below2.sum() - below2) - (above.sum() - above) / (below.sum() - below)
    jackknife = math.sqrt(83 / 84 * np.sum((left_out - left_out.mean()) ** 2))
    estimate = change(quantity(above2, below2, unit=""), quantity(above, below, unit=""))
    assert estimate.uncertainty == pytest.approx(jackknife, rel=0.03)
    assert estimate.value == pytest.approx(above2.sum() / below2.sum() - above.sum() / below.sum())


def test_ratio_is_relative_change(quantity):
    """The ratio's estimate is the change over the reference, with the error of the pairing."""
    old = _counts(5)
    new = old + np.random.default_rng(6).binomial(old, 0.05)
    estimate = ratio(quantity(new), quantity(old))
    assert estimate.value == pytest.approx(new.sum() / old.sum() - 1)
    left_out = (new.sum() - new) / (old.sum() - old)
    jackknife = math.sqrt(83 / 84 * np.sum((left_out - left_out.mean()) ** 2))
    assert estimate.uncertainty == pytest.approx(jackknife, rel=0.03)


def test_ratio_to_what_may_be_zero_has_no_limits(quantity):
    """A divisor that visits cannot tell from zero gives an infinite interval, and zero itself none."""
    noise = quantity([5.0, -4.0, 3.0, -3.5, 1.0], unit="nJy")
    assert ratio(quantity([1.0] * 5, unit="nJy"), noise).interval == Interval(-math.inf, math.inf)
    with pytest.raises(NotComparableError, match="zero"):
        ratio(quantity([1, 2]), quantity([0, 0]))


@pytest.mark.parametrize(
    ("counts", "is_identity"),
    [
        ([0] * 7, True),  # a change in every second visit would have shown: 1/128
        ([0] * 6, False),
        ([3, 4], False),
        ([0], False),
        ([100], False),  # two counts of mean 100 are equal in 2.8 % of cases ...
        ([2000], True),  # ... of mean 2000 in 0.6 %
        ([100, 100], True),  # ... of mean 100, twice, in 0.08 %
    ],
)
def test_identical_numbers_are_identity_unless_by_chance(quantity, counts, is_identity):
    """Equal numbers in every visit have the interval [0, 0] only where chance is excluded."""
    estimate = change(quantity(counts), quantity(counts, rerun="old"))
    assert estimate.value == 0
    assert (estimate.interval == Interval(0, 0)) is is_identity
    assert 0 in estimate.interval


def test_nothing_against_nothing_has_the_counting_error(quantity):
    """Zero against zero in three visits leaves what an exact Poisson count of zero leaves on either side."""
    estimate = change(quantity([0, 0, 0]), quantity([0, 0, 0]))
    upper = -math.log(0.005)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((-upper, upper))


def test_one_visit_has_no_interval(quantity):
    """A single visit that changed says nothing about another one."""
    assert change(quantity([101]), quantity([100])).interval == Interval(-math.inf, math.inf)
    assert level(quantity([101])).interval == Interval(0, math.inf)


def test_impossible_values_are_no_part_of_an_interval(quantity):
    """A count is not negative, and a share not above 1, however few visits there are."""
    assert level(quantity([5, 300])).interval.low == 0
    assert level(quantity([5, 30], [5, 90])).interval == Interval(0, 1)
    assert level(quantity([-5, 300])).interval.low < 0


def test_the_same_rows_are_no_coincidence(quantity):
    """Equal small numbers in two visits may be chance, unless they were counted in the very same rows."""
    ours, theirs = (replace(quantity([3, 0]), rows=rows) for rows in ("ab", "ab"))
    assert change(ours, theirs).interval == Interval(0, 0)
    assert change(ours, replace(theirs, rows="cd")).interval != Interval(0, 0)
    assert change(replace(ours, rows=""), replace(theirs, rows="")).interval != Interval(0, 0)
    assert change(ours, replace(quantity([3, 1]), rows="ab")).interval != Interval(0, 0)


def test_one_number_with_its_own_uncertainty(quantity):
    """Stated uncertainties of single numbers add in quadrature under the normal law."""
    ours = quantity([1.62], unit="electron/adu", uncertainty=np.array([0.03]))
    theirs = quantity([1.50], unit="electron/adu", uncertainty=np.array([0.04]))
    estimate = change(ours, theirs, 0.95)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(
        stats.norm.interval(0.95, 0.12, 0.05), rel=1e-9
    )


def test_whole_rerun_counts_have_counting_errors(quantity):
    """Objects belong to no visit: their change has the Poisson error of both counts."""
    ours, theirs = (quantity([n], units=[WHOLE_RERUN]) for n in (247550, 246511))
    estimate = change(ours, theirs)
    assert estimate.value == 1039
    assert estimate.interval.high - 1039 == pytest.approx(stats.norm.ppf(0.995) * math.sqrt(494061), rel=0.01)


def test_census_is_exact(quantity):
    """A complete count has no sampling error, in a single visit too."""
    estimate = change(quantity([3], census=True), quantity([0], census=True))
    assert (estimate.interval, estimate.uncertainty) == (Interval(3, 3), 0)
    assert level(quantity([3], census=True)).interval == Interval(3, 3)


def test_constant_small_counts_are_no_certainty(quantity):
    """Visits that happen to agree do not make a count more certain than Poisson's law."""
    assert change(quantity([6, 6]), quantity([5, 5])).interval.low < 0
    assert level(quantity([5, 5])).interval.high > 15


def test_one_changed_visit_of_many_is_a_rare_event(quantity):
    """One of 84 visits that changed by one source bounds the change by the law of one event, not by its scatter."""
    old = _counts(7)
    new = old.copy()
    new[30] += 1
    estimate = change(quantity(new), quantity(old))
    assert estimate.interval.high >= stats.chi2.ppf(0.995, 4) / 2
    new[30] += 19
    assert change(quantity(new), quantity(old)).interval.high >= 20 * stats.chi2.ppf(0.995, 4) / 2


def test_change_from_a_baseline_of_other_or_unknown_visits(quantity):
    """An accepted value without its visits adds its stated uncertainty in quadrature."""
    ours = quantity(_counts(8))
    estimate = change_from(ours, _accepted(ours, ours.value - 50, 300.0))
    expected = stats.norm.ppf(0.995) * math.hypot(math.sqrt(ours.value), 300)
    assert estimate.value == 50
    assert estimate.interval.high - 50 == pytest.approx(expected, rel=0.01)


def test_change_from_a_baseline_of_the_same_visits(quantity):
    """The scatter between visits is common to both sides where the visits are the same: counting errors stay."""
    ours = quantity(_counts(9))
    wide = _accepted(ours, ours.value, ours.standard_error)
    same = change_from(ours, replace(wide, units_digest=ours.units_digest))
    assert same.interval.high == pytest.approx(stats.norm.ppf(0.995) * math.sqrt(2 * ours.value), rel=0.02)
    assert same.interval.high < 0.5 * change_from(ours, wide).interval.high


def test_change_of_a_share_from_a_baseline(quantity):
    """A flag fraction has the binomial error, which vanishes towards 0 and 1."""
    below = _counts(10)
    above = np.random.default_rng(11).binomial(below, 0.99)
    ours = quantity(above, below, unit="")
    estimate = change_from(ours, _accepted(ours, ours.value, 0.0))
    expected = stats.binomtest(int(above.sum()), int(below.sum())).proportion_ci(0.99, method="exact")
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx(
        (expected.low - ours.value, expected.high - ours.value)
    )


def test_change_of_a_mean_from_a_baseline_uses_the_scatter_of_visits(quantity):
    """What is not counted has no counting error; without a stated uncertainty nothing can be said."""
    rng = np.random.default_rng(12)
    ours = quantity(rng.normal(20, 0.1, 50) * 10, np.full(50, 10), unit="mag")
    assert change_from(ours, _accepted(ours, ours.value, 0.0)).interval.high == pytest.approx(
        level(ours).interval.high - ours.value
    )
    assert change_from(ours, _accepted(ours, ours.value, math.nan)).interval == Interval(-math.inf, math.inf)


def test_share_of_visits_is_clopper_pearson(quantity):
    """The share of visits has the exact binomial interval; a visit without a value does not count."""
    ours = quantity([1, 1, 1, 5, 0], [1, 1, 1, 1, 0], unit="pixel")
    theirs = quantity([2, 2, 1, 2, 2], [1, 1, 1, 1, 1], unit="pixel")
    estimate = share(ours, theirs, np.less, 0.95)
    expected = stats.binomtest(2, 4).proportion_ci(0.95, method="exact")
    assert (estimate.value, estimate.n_units) == (0.5, 4)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((expected.low, expected.high))


def test_share_without_a_single_value_is_not_comparable(quantity):
    """No visit with a value on both sides gives no share."""
    with pytest.raises(NotComparableError, match="no visit has a value"):
        share(quantity([0, 1], [0, 1], unit=""), quantity([1, 0], [1, 0], unit=""), np.less)


def _gain(quantity, values, sample, name="ptc.gain", **rest):
    n = len(values)
    samples = None if sample is None else np.array([sample] * n, object)
    return quantity(
        values, [1] * n, name=name, unit="electron/adu", uncertainty=np.full(n, 0.03), samples=samples, **rest
    )


def test_the_same_exposures_share_their_noise(quantity):
    """Processed twice, the same flats give a change that is the processing's alone: its interval is a point."""
    estimate = change(_gain(quantity, [1.62], "flats"), _gain(quantity, [1.50], "flats"))
    assert (estimate.interval.low, estimate.interval.high) == (pytest.approx(0.12), pytest.approx(0.12))
    assert (estimate.uncertainty, estimate.method) == (0, "the same exposures on both sides")
    assert ratio(_gain(quantity, [1.62], "flats"), _gain(quantity, [1.50], "flats")).interval.low == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        ("flats", "other flats", "ptc.gain"),
        ("", "", "ptc.gain"),
        (None, None, "ptc.gain"),
        ("flats", None, "ptc.gain"),
        (None, "flats", "ptc.gain"),
        ("flats", "flats", "ptc.gainSlope"),
    ],
)
def test_other_exposures_or_another_metric_have_noise_of_their_own(quantity, ours, theirs, name):
    """Unless exposures are known to be the same and the estimate is, both stated uncertainties count."""
    estimate = change(_gain(quantity, [1.62], ours), _gain(quantity, [1.50], theirs, name), 0.95)
    assert estimate.uncertainty == pytest.approx(0.03 * math.sqrt(2))
    assert estimate.interval.low < 0.12 < estimate.interval.high


def test_scatter_of_amplifiers_is_not_that_of_their_exposures(quantity):
    """Over several amplifiers the change is resampled, whatever they share."""
    estimate = change(_gain(quantity, [1.62, 1.55, 1.7], "flats"), _gain(quantity, [1.5] * 3, "flats"))
    assert estimate.method.endswith("resampled")
    assert estimate.uncertainty > 0
