"""Ladders of 39 pairs of flats from 150 to 190000 adu, as measured at moment level by an amplifier of known truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.ptc.curve import Curve
from harness.metrics.ptc.fit import Fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_PAIRS = 39
LADDERS = {
    "logarithmic": np.geomspace(150, 190000, N_PAIRS),
    "square root": np.linspace(150**0.5, 190000**0.5, N_PAIRS) ** 2,
    "linear": np.linspace(150, 190000, N_PAIRS),
}
GAIN, NOISE, FULL_WELL = 0.72, 5.0, 130e3


def ladder_curve(
    ladder: str,
    rng: np.random.Generator,
    *,
    a00: float,
    lamp: NDArray[np.float64] | float = 0.0,
    gain: float = GAIN,
    noise: float = NOISE,
    n_pixels: float = 1e6,
) -> Curve:
    """Draw one curve; what exceeds the full well is cut off and keeps but its read noise.

    ``lamp`` is the fraction by which the second flat of each pair is brighter.  The last term of the estimator is of
    second order in read noise over light, as pixels have it.
    """
    signal, full_well = LADDERS[ladder], FULL_WELL / gain
    first, second = np.minimum(signal, full_well), np.minimum(signal * (1 + lamp), full_well)
    mean, delta = (first + second) / 2, second - first
    electrons = gain * mean
    light = electrons if a00 == 0 else np.expm1(2 * a00 * electrons) / (2 * a00)
    light = np.where(signal < full_well, light, 0)
    variance = (light + noise**2) / gain**2 * (1 + np.sqrt(2 / n_pixels) * rng.standard_normal(N_PAIRS))
    return Curve(
        instrument="LSSTCam",
        detector=0,
        detector_name="R22_S11",
        amplifier="C10",
        exposures=np.arange(2 * N_PAIRS).reshape(N_PAIRS, 2),
        exposure_time=signal / 1000,
        photo_charge=signal * 1e-12,
        mean=mean,
        delta=delta,
        variance=variance,
        rhl=(variance + delta**2 / 2) / mean + noise**2 / (2 * electrons**2) * (2 + noise**2 / electrons) / gain,
        overscan_noise=np.full(N_PAIRS, noise / gain),
        n_pixels=np.full(N_PAIRS, n_pixels),
        status=np.full(N_PAIRS, "", object),
    )


def true_fit(
    curve: Curve,
    *,
    a00: float,
    gain: float = GAIN,
    noise: float = NOISE,
    gain_error: float = 0.0,
    a00_error: float = 0.0,
    noise_error: float = 0.0,
) -> Fit:
    """Return what a perfect fit would say of a curve of `ladder_curve`."""
    used = curve.mean < 0.999 * FULL_WELL / gain
    return Fit(
        model="EXPAPPROXIMATION",
        gain=gain,
        gain_error=gain_error,
        noise=noise,
        noise_error=noise_error,
        a00=a00,
        a00_error=a00_error,
        reduced_chi2=1.0,
        n_points=int(used.sum()),
        turnoff=float(curve.mean[used].max()),
        turnoff_error=0.0,
        used=used,
        converged=True,
        reason="",
    )
