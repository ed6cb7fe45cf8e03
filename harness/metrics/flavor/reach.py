"""How far what reaches: distances that definitions of a flavor's metrics name."""

from __future__ import annotations

__all__ = ["ALIGNED", "APART", "ASIDE", "AT_REST", "NEAR_INJECTION", "NEAR_STAR", "STAR_MAGNITUDE"]

NEAR_INJECTION = 3.0
"""A source so near to an injection, arcsec, may be there because of it."""

NEAR_STAR = 10.0
"""So far from a bright star, arcsec, its wings and bleeds are subtracted badly."""

STAR_MAGNITUDE = 18.0
"""A star is bright from this AB magnitude on."""

ALIGNED = 1.0
"""Two sources lie on the same row when their y differ by at most this, pixels."""

APART = 50.0
"""Two sources so far apart along a row, pixels, are none of one extended thing."""

ASIDE = (10.0, 100.0)
"""Two sources are a little aside of one row when their y differ by more than the first and at most the second number of
pixels."""

AT_REST = 0.1
"""An injection whose true positions extend over more than this, arcsec, moves: more than a catalogue's rounding, and
much less than the 1 arcsec within which a source is associated with an object."""
