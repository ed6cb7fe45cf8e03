"""Photon transfer: from pairs of flats to gains, read noise and the brighter-fatter coefficients of an amplifier."""
