"""What should hold of the sky backgrounds of visit images and coadds."""

from __future__ import annotations


def test_coadd_background_is_flat(rerun, background_flatness, expect):
    """The last background of a coadd is a constant."""
    expect(rerun[background_flatness]).as_baselined()


def test_background_is_what_was_subtracted(rerun, background_closure, expect):
    """In every pixel, before − after − background is zero to the last place of the largest of the three."""
    expect(rerun[background_closure]).as_baselined()


def test_background_has_the_same_level(rerun, background_level, expect):
    """Its pixels have the same mean, median, extremes and scatter, and as many are invalid."""
    expect(rerun[background_level]).as_baselined()


def test_background_has_the_same_shape(rerun, background_shape, expect):
    """It rises as much across the image, and is modelled alike."""
    expect(rerun[background_shape]).as_baselined()


def test_background_is_the_same(rerun, background_change, expect):
    """No pixel differs from that of the reference."""
    expect(rerun[background_change]).as_baselined()


def test_planes_of_a_background_fit_together(rerun, background_sanity, expect):
    """Nothing is missing or unreadable, and boxes, units and patterns of NaN agree."""
    expect(rerun[background_sanity]).sound()
