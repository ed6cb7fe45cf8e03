"""Adaptive moments of 2000 stamps: ours beside galsim's, on one core.

Where nothing is timed, there are 40 stamps.  Nothing here asserts a time; agreement is asserted.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import galsim
import numpy as np
import pytest

from harness.metrics.moments import adaptive_moments, determinant_radius

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Stamps = list[NDArray[np.float64]]


@pytest.fixture(scope="module")
def stamps(full_size: bool) -> Stamps:
    """Return Gaussians and Moffat profiles of 2.2 to 8 pixels FWHM, one half noisy, on stamps of 41 to 61 pixels."""
    rng = np.random.default_rng(3)
    drawn = []
    for i in range(2000 if full_size else 40):
        fwhm, side = rng.uniform(2.2, 8), int(rng.choice([41, 51, 61]))
        star = galsim.Gaussian(fwhm=fwhm) if i % 4 == 0 else galsim.Moffat(rng.uniform(2.5, 4.5), fwhm=fwhm)
        star = star.shear(g=rng.uniform(0, 0.5), beta=rng.uniform(0, math.pi) * galsim.radians)
        stamp = star.drawImage(nx=side, ny=side, scale=1, offset=rng.uniform(-0.5, 0.5, 2), dtype=float).array
        snr = 10 ** rng.uniform(1.5, 3)
        noise = math.sqrt((stamp**2).sum()) / snr if i % 2 else 0.0
        drawn.append(stamp + rng.normal(0, noise, stamp.shape))
    return drawn


def ours(stamps: Stamps) -> list[float]:
    """Return determinant radii, stamp by stamp."""
    return [
        determinant_radius(*adaptive_moments(stamp, -(stamp.shape[1] // 2), -(stamp.shape[0] // 2))) for stamp in stamps
    ]


def hsm(stamps: Stamps) -> list[float]:
    """Return those of `galsim.hsm.FindAdaptiveMom`."""
    found = [galsim.hsm.FindAdaptiveMom(galsim.Image(stamp, scale=1), strict=False) for stamp in stamps]
    return [math.nan if each.error_message else each.moments_sigma for each in found]


@pytest.mark.parametrize("way", [ours, hsm])
@pytest.mark.benchmark(group="adaptive moments of 2000 stamps")
def test_moments(benchmark: Any, way: Callable[[Stamps], list[float]], stamps: Stamps) -> None:
    """Both ways, side by side, with the same radii."""
    found = benchmark.pedantic(way, (stamps,), rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(found, ours(stamps), rtol=5e-4)
