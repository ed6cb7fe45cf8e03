"""What should hold of the photon transfer of every rerun of flats, and of what is on record of its amplifiers.

The baseline says what each number is held against: an earlier run, the EO test, or another estimate of the gain, once
what physics predicts of their difference is removed.
"""

from __future__ import annotations


def test_gain_of_each_amplifier_is_as_expected(rerun, amplifier_gain, amplifier, expect):
    """Every amplifier has the gain that it had: means do not see two of them change places."""
    expect(rerun[amplifier_gain, amplifier]).as_baselined()


def test_gain_is_as_expected(rerun, amplifier_gain, expect):
    """So has the mean of all amplifiers, which is known better."""
    expect(rerun[amplifier_gain]).as_baselined()


def test_amplifiers_are_in_order(rerun, amplifier_gain, expect):
    """No two amplifiers have changed places."""
    expect(rerun[amplifier_gain]).in_order()


def test_estimates_of_gain_agree(rerun, gain_estimate, expect):
    """The other estimates of the gain agree with it."""
    expect(rerun[gain_estimate]).as_baselined()


def test_noise_and_shape_are_as_expected(rerun, ptc_shape, expect):
    """Read noise, brighter-fatter coefficient, turnoff, linearity against the photodiode."""
    expect(rerun[ptc_shape]).as_baselined()


def test_ladder_of_flats_is_complete(rerun, ptc_ladder, expect):
    """As many pairs were measured as before, and as many left out."""
    expect(rerun[ptc_ladder]).as_baselined()


def test_every_amplifier_was_measured(rerun, ptc_sanity, expect):
    """Every amplifier could be read, and every fit converged."""
    expect(rerun[ptc_sanity]).sound()


def test_gain_of_each_amplifier_agrees_with_eo_test(rerun, eotest_gain, amplifier, expect):
    """The EO test has the gain that the flats give."""
    expect(rerun[eotest_gain, amplifier]).as_baselined()


def test_eo_test_has_amplifiers_in_order(rerun, eotest_gain, expect):
    """It has them of the right amplifiers."""
    expect(rerun[eotest_gain]).in_order()


def test_record_of_amplifiers_is_as_expected(rerun, eotest, expect):
    """Read noise, saturation and full well on record."""
    expect(rerun[eotest]).as_baselined()


def test_record_of_amplifiers_is_sane(rerun, eotest_sanity, expect):
    """No gain on record is a placeholder, no saturation level zero."""
    expect(rerun[eotest_sanity]).sound()


def test_record_of_amplifiers_has_not_changed(rerun, eotest_change, expect):
    """Nothing on record has changed beyond the noise, and no two amplifiers have changed places."""
    expect(rerun[eotest_change]).as_baselined()
