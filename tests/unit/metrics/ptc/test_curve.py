"""Photon transfer curves and the table they are stored in."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from harness.metrics.ptc.curve import MAX_LAG, Curve, curve_schema, curves_of, curves_table

#: What a curve is made of, and not derived from it.
GIVEN = [item.name for item in fields(Curve) if item.init]


def curve(n: int = 5, *, amplifier: str = "C10", covariances: bool = False, seed: int = 1) -> Curve:
    """Return a curve of random numbers."""
    rng = np.random.default_rng(seed)
    matrices = rng.normal(size=(n, MAX_LAG + 1, MAX_LAG + 1)) if covariances else None
    numbers = {
        name: rng.uniform(1, 2, n)
        for name in (
            ["exposure_time", "photo_charge", "mean", "delta", "variance", "rhl", "overscan_noise", "n_pixels"]
        )
    }
    return Curve(
        "LSSTCam",
        94,
        "R22_S11",
        amplifier,
        np.arange(2 * n).reshape(n, 2),
        status=np.array([""] * n, object),
        covariance=matrices,
        covariance_error=matrices,
        **numbers,
    )


def test_pairs_are_sorted_by_mean_with_everything_that_belongs_to_them():
    """A pair keeps its numbers when the curve is put in order."""
    c = curve(covariances=True)
    shuffled = np.random.default_rng(2).permutation(5)
    again = Curve(
        *(c.instrument, c.detector, c.detector_name, c.amplifier),
        **{name: getattr(c, name)[shuffled] for name in GIVEN if isinstance(getattr(c, name), np.ndarray)},
    )
    assert np.all(np.diff(c.mean) > 0)
    for name in ("mean", "variance", "exposures", "covariance", "n_pixels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(c, name))


def test_unequal_lengths_are_refused():
    """A curve whose columns do not fit is a mistake of the caller."""
    c = curve()
    with pytest.raises(ValueError, match="status has 4 elements for 5 pairs"):
        Curve(**{name: getattr(c, name) for name in GIVEN if name != "status"}, status=c.status[:4])


def test_curves_come_back_from_their_table():
    """What is stored is what was measured, covariances and pairs that were left out included."""
    c = curve(covariances=True)
    c.status[4], c.mean[4], c.covariance[4] = "exposure times differ", np.nan, np.nan
    c = replace(c)
    table = curves_table([c, curve(amplifier="C00", seed=3)])
    assert table.schema == curve_schema()
    assert table["covariance"].null_count == 6
    other, back = curves_of(table)
    assert (other.amplifier, other.covariance) == ("C00", None)
    assert (back.name, back.detector, back.instrument) == ("R22_S11 C10", 94, "LSSTCam")
    for name in GIVEN:
        if isinstance(getattr(c, name), np.ndarray):
            np.testing.assert_array_equal(getattr(back, name), getattr(c, name)[np.argsort(c.mean)])
    assert back.measured.tolist() == [True, True, True, True, False]


def test_a_table_with_mean_and_variance_alone_is_a_curve():
    """What a published table does not give is unknown, not zero."""
    import pyarrow as pa

    (c,) = curves_of(pa.table({"amplifier": ["C06", "C06"], "mean": [20.0, 10.0], "variance": [15.0, 9.0]}))
    assert c.mean.tolist() == [10, 20]
    assert np.isnan(c.variance_error).all()
    assert (c.detector, c.name) == (None, "C06")
    assert c.measured.all()


def test_no_pixels_are_an_unknown_number_of_pixels():
    """A table that writes 0 in place of a number of pixels does not know it: a variance rests on some."""
    import pyarrow as pa

    (c,) = curves_of(pa.table({"amplifier": ["C06"] * 2, "mean": [1.0, 2], "variance": [1.0, 2], "nPixels": [0, 100]}))
    assert np.isnan(c.n_pixels[0])
    assert c.variance_error[1] == pytest.approx(2 * np.sqrt(2 / 100))
