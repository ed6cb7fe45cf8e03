"""The photon transfer curve of LSSTCam R22_S11 C06, run 13144: 338 pairs, none of them at a known place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from curve_tables import curve_of

from harness.metrics.ptc.exp_approximation import fit_exp_approximation
from harness.metrics.ptc.linearity import linearity
from harness.metrics.ptc.polynomials import fit_line
from harness.metrics.ptc.turnoff import find_turnoff

if TYPE_CHECKING:
    from pathlib import Path

    from harness.metrics.ptc.curve import Curve

#: From the table of gains of the same run, and from the camera's policy.
PUBLISHED_GAIN, PUBLISHED_NOISE = 1.4070, 5.548


@pytest.fixture(scope="module")
def columns(real_data: Path) -> np.ndarray:
    """Return mean, variance and photodiode charge of the pairs."""
    lines = (real_data / "ptc_lsstcam_run13144" / "PTC_R22_S11_C06.txt").read_text().splitlines()[2:]
    return np.array([line.split("]")[1].split() for line in lines], float)[:, [0, 1, 3]].T


@pytest.fixture(scope="module")
def curve(columns: np.ndarray) -> Curve:
    """Return the curve, its pairs in another order than that of the file."""
    mean, variance, charge = columns[:, np.random.default_rng(1).permutation(columns.shape[1])]
    return curve_of(mean, variance, photo_charge=charge)


def test_turnoff_is_found(curve: Curve) -> None:
    """29 of 338 pairs are past the pair of the largest variance, which is the turnoff."""
    turnoff = find_turnoff(curve)
    assert len(curve) == 338
    assert turnoff.n_past == 29
    assert turnoff.signal == curve.mean[np.argmax(curve.variance)]
    assert turnoff.error == pytest.approx(2228.17, abs=0.01)


def test_gain_and_noise_are_those_published(curve: Curve) -> None:
    """Gain within 0.3 %, noise within 10 %, a00 in the range of its vendor; no pair below the turnoff is rejected."""
    (fit,) = fit_exp_approximation([curve])
    assert fit.gain == pytest.approx(PUBLISHED_GAIN, rel=0.003)
    assert fit.noise == pytest.approx(PUBLISHED_NOISE, rel=0.10)
    assert -3.52e-6 < fit.a00 < -2.61e-6
    assert fit.scale == "estimated"
    assert np.all(np.diff(fit.used.astype(int)) <= 0)
    assert 0 < fit.gain_error < 0.001 * fit.gain


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_half_of_the_pairs_say_the_same(curve: Curve, share: float) -> None:
    """Any part of the table gives its gain within the errors of both, and nearly its turnoff: the errors are true."""
    (whole,) = fit_exp_approximation([curve])
    rng = np.random.default_rng(2)
    parts = []
    for _ in range(30):
        chosen = rng.random(len(curve)) < share
        parts.append(curve_of(curve.mean[chosen], curve.variance[chosen]))
    fits = fit_exp_approximation(parts)
    pulls = [(fit.gain - whole.gain) / fit.gain_error for fit in fits]
    # A part of the pairs differs from the whole by less than two independent sets would.
    assert np.std(pulls) < 1.3 * np.sqrt(1 - share)
    assert all(abs(fit.turnoff - whole.turnoff) <= 2 * fit.turnoff_error for fit in fits)


def test_signal_follows_the_photodiode(curve: Curve) -> None:
    """Signal over charge scatters by 0.18 % up to the turnoff, and by far more beyond."""
    found = linearity(curve, find_turnoff(curve).signal)
    assert found.n_pairs == 309
    assert found.scatter == pytest.approx(0.0018, abs=0.00005)
    assert linearity(curve, np.inf).scatter > 0.05


def test_slope_depends_on_the_window(curve: Curve) -> None:
    """The inverse slope grows with the window, as brighter-fatter says, and is at no place the gain."""
    gains = [fit_line(curve, 300, high).gain for high in (5000, 20_000, 50_000)]
    assert np.all(np.diff(gains) > 0.015)
    assert gains[0] > 1.008 * PUBLISHED_GAIN
