"""Simulated flats of known truth: the curve of an amplifier at moment level, and pairs of flats pixel by pixel.

A `Sensor` holds the truth.  `measured_curve` draws what a run would measure of it (thousands of amplifiers a second);
`flat_pair` makes the pixels (about a second for 512 × 512).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import fft
from scipy.signal import fftconvolve

from harness.metrics.ptc.curve import MAX_LAG, Curve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Measured on e2v sensors: a_ij / |a00| at lags (serial, parallel).
E2V_SHAPE = {
    (0, 0): -1.0,
    (0, 1): 0.2058,
    (1, 0): 0.0736,
    (1, 1): 0.0482,
    (0, 2): 0.0256,
    (2, 0): 0.0209,
    (1, 2): 0.0172,
    (2, 1): 0.0144,
    (2, 2): 0.0073,
}
A00_E2V, A00_ITL = -3.0e-6, -1.7e-6


def kernel(a00: float = A00_E2V, max_lag: int = MAX_LAG) -> NDArray[np.float64]:
    """Return a_ij (1/e-) at lags 0 to ``max_lag``, of e2v shape; over the four quadrants it adds up to zero."""
    made = np.zeros((max_lag + 1, max_lag + 1))
    for lag, value in E2V_SHAPE.items():
        made[lag] = value * abs(a00)
    neighbours = four_quadrants(made).sum() - made[0, 0]
    made[made > 0] *= -made[0, 0] / neighbours
    return made


def four_quadrants(quadrant: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reflect lags (0 to n) into lags (-n to n)."""
    half = np.concatenate([quadrant[:0:-1], quadrant])
    return np.concatenate([half[:, :0:-1], half], axis=1)


@dataclass(frozen=True, eq=False)
class Sensor:
    """The truth of one amplifier: gain (e-/adu), read noise (e-), a and b (1/e-, quadrants of lags; b of a's shape)."""

    gain: float = 1.5
    noise: float = 5.0
    a: NDArray[np.float64] = field(default_factory=kernel)
    b: NDArray[np.float64] | None = None

    def covariance(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return C_ij(mean), adu², shape (n, r, r): equation 20 of Astier et al. (2019), convolutions untruncated."""
        r = len(self.a)
        a = four_quadrants(self.a)
        c = four_quadrants(self.a * self.b) if self.b is not None else np.zeros_like(a)
        delta = np.zeros((r, r))
        delta[0, 0] = 1
        aa = fftconvolve(a, a)
        second = 2 / 3 * (_quadrant(aa, r) + _quadrant(c, r))
        third = _quadrant(fftconvolve(aa, a), r) / 3 + 5 / 6 * _quadrant(fftconvolve(a, c), r)
        x = self.gain * np.asarray(mean)[:, None, None]
        electrons = x * (delta + self.a * x + second * x**2 + third * x**3)
        return np.asarray((electrons + self.noise**2 * delta) / self.gain**2)

    def conserved_covariance(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return C_ij(mean) to all orders for b = 0, which is what `flat_pair` has: dC/dx = delta + 2 a * C."""
        r = len(self.a)
        side = fft.next_fast_len(16 * r)
        rate = 2 * fft.rfft2(_periodic(self.a, (side, side))).real
        rate = np.where(rate == 0, -1e-30, rate)
        made = np.array([fft.irfft2(np.expm1(rate * x) / rate, (side, side))[:r, :r] for x in self.gain * mean])
        made[:, 0, 0] += self.noise**2
        return np.asarray(made / self.gain**2)


def measured_curve(
    sensor: Sensor,
    mean: Sequence[float] | NDArray[np.float64],
    rng: np.random.Generator,
    *,
    n_pixels: float = 1e6,
    covariance: NDArray[np.float64] | None = None,
    amplifier: str = "C10",
    detector: int = 0,
) -> Curve:
    """Draw what is measured of pairs with these means (adu): normal errors, 2 V²/N at lag 0 and V²/N elsewhere.

    The stated errors come from the measured variance, as a run states them, and the RHL estimator is V / mean.
    ``covariance`` replaces the truth that `Sensor.covariance` gives.
    """
    mean = np.asarray(mean, float)
    n = len(mean)
    truth = sensor.covariance(mean) if covariance is None else covariance
    per_variance = np.full(truth.shape[1:], np.sqrt(1 / n_pixels))
    per_variance[0, 0] = np.sqrt(2 / n_pixels)
    measured = truth + truth[:, :1, :1] * per_variance * rng.standard_normal(truth.shape)
    variance = measured[:, 0, 0].copy()
    return Curve(
        instrument="LSSTCam",
        detector=detector,
        detector_name=f"detector{detector}",
        amplifier=amplifier,
        exposures=np.arange(2 * n, dtype=np.int64).reshape(n, 2),
        exposure_time=mean / 1000,
        photo_charge=mean * 1e-12,
        mean=mean,
        delta=np.zeros(n),
        variance=variance,
        rhl=variance / mean,
        overscan_noise=np.full(n, sensor.noise / sensor.gain),
        n_pixels=np.full(n, float(n_pixels)),
        status=np.full(n, "", object),
        covariance=measured,
        covariance_error=variance[:, None, None] * per_variance,
    )


def flat(
    sensor: Sensor, signal: float, shape: tuple[int, int], rng: np.random.Generator, *, steps: int = 64
) -> NDArray[np.float64]:
    """Make one flat of ``signal`` electrons a pixel, (parallel, serial) adu, b = 0, edges periodic.

    Light falls in steps, and each pixel's area follows from the charge that the steps before have left around it.
    """
    response = fft.rfft2(_periodic(sensor.a.T, shape)) * steps / (steps - 1)
    charge = np.zeros(shape)
    for _ in range(steps):
        area = 1 + fft.irfft2(fft.rfft2(charge) * response, shape)
        charge += rng.poisson(signal / steps * area)
    return np.asarray((charge + rng.normal(0, sensor.noise, shape)) / sensor.gain)


def flat_pair(
    sensor: Sensor,
    signal: float,
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    mismatch: float = 0.0,
    steps: int = 64,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Make two flats as `flat` does; the lamp of the second differs by N(0, ``mismatch``) of its signal."""
    second = signal * (1 + rng.normal(0, mismatch))
    return flat(sensor, signal, shape, rng, steps=steps), flat(sensor, second, shape, rng, steps=steps)


def _quadrant(full: NDArray[np.float64], r: int) -> NDArray[np.float64]:
    """Cut lags 0 to r - 1 out of lags that are centred."""
    centre = len(full) // 2
    return full[centre : centre + r, centre : centre + r]


def _periodic(quadrant: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Lay all four quadrants into an array whose first element is lag 0 and whose edges are periodic."""
    r = len(quadrant)
    lags = np.zeros(shape)
    lags[np.ix_(*(np.arange(-r + 1, r) % side for side in shape))] = four_quadrants(quadrant)
    return lags
