"""What should hold of a flavor of the subtraction, by what it does with sources that were injected.

Flavors of one dataset are reruns, and were given the same injections: beside a reference they are compared injection by
injection.
"""

from __future__ import annotations


def test_the_same_sources_were_injected(rerun, injected_ladder, expect):
    """As many detectors have injections as before, and as many injections can be used."""
    expect(rerun[injected_ladder]).as_baselined()


def test_as_many_injections_are_found(rerun, injected_count, expect):
    """As many injections are found, and left by each list of flags."""
    expect(rerun[injected_count]).as_baselined()


def test_injections_are_found_down_to_the_threshold(rerun, injected_efficiency, expect):
    """Bright injections are found, faint ones down to the same magnitude and signal-to-noise, and flags leave them."""
    expect(rerun[injected_efficiency]).as_baselined()


def test_fluxes_are_those_injected(rerun, injected_photometry, expect):
    """Measured fluxes are right, and as precise as their errors say."""
    expect(rerun[injected_photometry]).as_baselined()


def test_positions_are_those_injected(rerun, injected_astrometry, expect):
    """Measured positions are right."""
    expect(rerun[injected_astrometry]).as_baselined()


def test_objects_are_whole(rerun, injected_object, expect):
    """The sources of one injection make one object, about one place."""
    expect(rerun[injected_object]).as_baselined()


def test_little_else_is_found(rerun, flavor_purity, expect):
    """Few sources are neither injected nor known."""
    expect(rerun[flavor_purity]).as_baselined()


def test_sources_are_anywhere(rerun, flavor_placement, expect):
    """They crowd neither at edges nor about bright stars, nor do they stand in rows or columns."""
    expect(rerun[flavor_placement]).as_baselined()


def test_sources_are_alike(rerun, flavor_source, expect):
    """They are as bright, as significant and as often negative."""
    expect(rerun[flavor_source]).as_baselined()


def test_flavors_find_the_same_injections(rerun, flavor_change, expect):
    """Beside the reference: as many are gained as lost, fluxes and positions are the same; one setting was changed."""
    expect(rerun[flavor_change]).as_baselined()


def test_catalogue_of_injections_is_sound(rerun, injected_sanity, expect):
    """No injection is there twice, in the place of another, or nowhere."""
    expect(rerun[injected_sanity]).sound()
