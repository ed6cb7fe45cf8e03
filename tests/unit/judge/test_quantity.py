"""A metric split over visits."""

import math

import numpy as np
import pytest

from harness.judge import WHOLE_RERUN
from harness.judge.quantity import Quantity, amplifier_units, coadd_units
from harness.model import DataId, Metric


def test_sum_and_ratio_of_sums(quantity):
    """A sum adds visits, a ratio divides sums and is no mean of ratios."""
    assert quantity([1, 2, 3]).value == 6
    assert quantity([1, 2, 3], [10, 10, 40]).value == 0.1


def test_largest_of_all_units():
    """A metric that reduces to its largest value has no denominator, no error, and none at all without units."""
    metric = Metric("background.largestResidual", "", "Largest residual.", "test", "max", census=True)
    three = Quantity(metric, "new", np.arange(3), np.array([0.5, 2.0, 1.0]))
    assert (three.value, three.standard_error) == (2, 0)
    assert math.isnan(three.over(np.arange(0)).value)


def test_coadds_have_numbers_of_their_own():
    """The number of a coadd depends on its name alone, and no coadd is the whole rerun's number."""
    units = coadd_units(np.array(["455/33 r", "", "8188/65 r", "455/33 r"], object))
    assert units[0] == units[3] != units[2]
    assert units[1] == WHOLE_RERUN
    assert coadd_units(np.array(["8188/65 r"], object))[0] == units[2]


@pytest.mark.parametrize(
    ("numerator", "denominator", "why"),
    [
        ([], None, "no visit has it"),
        ([1, math.nan], None, "not finite in 1 of 2 visits, the first is 411001"),
        ([math.inf, 1], None, "not finite in 1 of 2 visits, the first is 411000"),
        ([1, 1], [1, math.nan], "not finite in 1 of 2 visits, the first is 411001"),
        ([0, 0], [0, 0], "its denominator is zero"),
    ],
)
def test_what_is_not_a_number_says_why(quantity, numerator, denominator, why):
    """An empty, NaN, infinite or undefined value is NaN with its reason, and has no uncertainty."""
    broken = quantity(numerator, denominator)
    assert math.isnan(broken.value)
    assert broken.why_unmeasured == why
    assert math.isnan(broken.measurement().uncertainty)
    assert broken.measurement().detail == why


def test_reason_given_by_the_metric_comes_first(quantity):
    """The metric's own reason for a NaN is kept."""
    assert quantity([math.nan], detail="column ra is missing").why_unmeasured == "column ra is missing"


def test_standard_error_of_a_sum_is_the_scatter_of_visits(quantity):
    """For a sum the uncertainty is the textbook sqrt(n) times the sample standard deviation."""
    counts = np.random.default_rng(1).poisson(50, 30)
    assert quantity(counts).standard_error == pytest.approx(math.sqrt(30) * counts.std(ddof=1))


def test_standard_error_of_a_ratio_agrees_with_the_jackknife(quantity):
    """For a ratio the linearised uncertainty agrees with the delete-one jackknife, an independent method."""
    rng = np.random.default_rng(2)
    below = rng.poisson(rng.gamma(4, 50, 60))
    above = rng.binomial(below, 0.3)
    left_out = (above.sum() - above) / (below.sum() - below)
    jackknife = math.sqrt(59 / 60 * np.sum((left_out - left_out.mean()) ** 2))
    assert quantity(above, below, unit="").standard_error == pytest.approx(jackknife, rel=0.05)


def test_uncertainty_of_single_numbers(quantity):
    """A census is exact, a single visit unknown, a stated uncertainty kept, and a whole rerun's count Poisson."""
    assert quantity([5], census=True).standard_error == 0
    assert math.isnan(quantity([5]).standard_error)
    assert quantity([5], uncertainty=np.array([0.7])).standard_error == 0.7
    assert quantity([10_000], units=[WHOLE_RERUN]).standard_error == pytest.approx(100, rel=0.01)


def test_measurement_carries_what_is_needed_to_trust_it(quantity):
    """The measurement names rerun, unit, definition, inputs and data ID."""
    made = quantity([3, 4], inputs="abc", data_id=DataId(band="g"), detail="note")
    measured = made.measurement()
    assert (measured.metric, measured.rerun, measured.unit) == ("dia.numSources", "new", "ct")
    assert (measured.value, measured.n_units, measured.inputs) == (7, 2, "abc")
    assert measured.definition == made.metric.definition_digest
    assert (measured.data_id, measured.detail) == (DataId(band="g"), "note")


def test_units_digest_knows_the_set_of_visits(quantity):
    """Only the visits make the digest, not the numbers."""
    assert quantity([1, 2]).units_digest == quantity([3, 4]).units_digest
    assert quantity([1, 2]).units_digest != quantity([1, 2], units=[1, 2]).units_digest


def test_over_keeps_values_with_their_visits(quantity):
    """Taking some visits takes their own values."""
    part = quantity([1, 2, 3], [4, 5, 6], units=[10, 20, 30]).over(np.array([10, 30]))
    assert part.numerator.tolist() == [1, 3]
    assert part.denominator.tolist() == [4, 6]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"units": [2, 1]}, "strictly increasing"),
        ({"units": [1, 1]}, "strictly increasing"),
        ({"units": [1, 2, 3]}, "3"),
        ({"uncertainty": np.ones(3)}, "shape"),
    ],
)
def test_shifted_or_duplicate_rows_are_refused(quantity, arguments, words):
    """Units that are unsorted, duplicate or of another length than the values never become a quantity."""
    with pytest.raises(ValueError, match=words):
        quantity([1, 2], **arguments)


def _gains(quantity, values, errors=None, **rest):
    uncertainty = None if errors is None else np.array(errors, float)
    ones = np.ones(len(values))
    return quantity(values, ones, name="ptc.gain", unit="electron / adu", uncertainty=uncertainty, **rest)


def test_amplifiers_have_the_same_number_in_every_rerun():
    """A unit is made of detector and name alone, whatever other amplifiers there are and in whichever order."""
    names = [f"C{i}{j}" for i in (0, 1) for j in range(8)]
    detectors = np.repeat(np.array([WHOLE_RERUN, 0, 1, 94, 204], np.int64), 16)
    everything = amplifier_units(detectors, np.array(names * 5, object))
    assert len(set(everything.tolist())) == 80
    assert everything.dtype == np.int64
    some = np.array([70, 3, 41])
    np.testing.assert_array_equal(amplifier_units(detectors[some], np.array(names * 5, object)[some]), everything[some])
    assert amplifier_units(np.empty(0, np.int64), np.empty(0, object)).size == 0


def test_amplifiers_of_a_detector_follow_each_other():
    """Units are ordered by detector first, and none is taken for a whole rerun."""
    names = np.array(["C17", "C00"], object)
    units = [amplifier_units(np.full(2, detector), names) for detector in (WHOLE_RERUN, 0, 1)]
    assert units[0].max() < units[1].min()
    assert units[1].max() < units[2].min()
    assert units[0].min() > WHOLE_RERUN


def test_freed_of_its_predicted_offset(quantity):
    """Each unit is divided by its own 1 + offset, found by its number, and the error holds that of the offset."""
    offset = _gains(quantity, [0.5, 0.1, -0.2], [0.0, 0.03, 0.0], units=[1, 2, 4])
    freed = _gains(quantity, [1.1, 0.8], [0.02, 0.0], units=[2, 4]).without(offset)
    np.testing.assert_allclose(freed.numerator, [1.0, 1.0])
    np.testing.assert_array_equal(freed.denominator, [1, 1])
    # f = x / (1 + o): (df)² = (dx / (1 + o))² + (x do / (1 + o)²)²
    np.testing.assert_allclose(freed.uncertainty, [math.hypot(0.02 / 1.1, 1.1 * 0.03 / 1.1**2), 0.0])


def test_offset_that_is_missing_leaves_no_value(quantity):
    """A unit without its offset is NaN, not the value with the offset still in it; the reason is the offset's."""
    offset = _gains(quantity, [0.1], units=[2])
    freed = _gains(quantity, [1.1, 1.1, 1.1], units=[1, 2, 3]).without(offset)
    np.testing.assert_allclose(freed.numerator, [math.nan, 1.0, math.nan])
    assert freed.uncertainty is None
    nothing = _gains(quantity, [], detail="lamp mismatch is unknown")
    freed = _gains(quantity, [1.1], [0.1], units=[1]).without(nothing)
    assert math.isnan(freed.value)
    assert freed.why_unmeasured == "lamp mismatch is unknown"


def test_samples_go_with_their_units(quantity):
    """A single amplifier's measurement names its exposures; that of several does not, as each has its own."""
    several = _gains(quantity, [1.5, 1.6], [0.1, 0.1], units=[1, 2], samples=np.array(["a", "b"], object))
    assert several.measurement().sample == ""
    assert several.over(np.array([2])).measurement().sample == "b"
    assert _gains(quantity, [1.5]).measurement().sample == ""
    with pytest.raises(ValueError, match="shape"):
        _gains(quantity, [1.5, 1.6], samples=np.array(["a"], object))
