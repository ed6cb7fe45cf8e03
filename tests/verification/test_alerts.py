"""What should hold of the alert packets of every rerun: what was sent must follow from the pixels sent with it.

The baseline says what each number is held against: an earlier run, or a range such as 0.95 to 1.05 for variances that
should add up.
"""

from __future__ import annotations


def test_flux_follows_from_its_pixels(rerun, alert_flux, expect):
    """PSF flux and its error, measured again in the difference pixels, are those that were sent."""
    expect(rerun[alert_flux]).as_baselined()


def test_variances_add_up(rerun, alert_variance, expect):
    """The difference has the noise of science image and template together."""
    expect(rerun[alert_variance]).as_baselined()


def test_psfs_are_as_expected(rerun, alert_psf, expect):
    """Science image, template and difference have the PSFs that they had, and as many templates are the sharper."""
    expect(rerun[alert_psf]).as_baselined()


def test_packets_are_complete(rerun, alert_ladder, expect):
    """As many packets and cutouts were read as before, and as many left out."""
    expect(rerun[alert_ladder]).as_baselined()


def test_packets_are_sound(rerun, alert_sanity, expect):
    """Every packet and cutout can be read, and has pixels with a positive variance."""
    expect(rerun[alert_sanity]).sound()
