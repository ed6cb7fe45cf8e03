"""Shares whose trials come in clusters: intervals keep their promise where visits share a coadd."""

import math

import numpy as np
import pytest

from harness.judge import Quantity, level
from harness.model import Metric

SHARE = Metric("x.frac", "", "A share.", "x", "ratio", per="coadd")


def _share(counts, trials):
    return Quantity(SHARE, "new", np.arange(len(counts)), np.array(counts, np.float64), np.array(trials, np.float64))


@pytest.mark.parametrize("count", [0, 8])
def test_a_share_of_none_or_all_is_known_by_its_coadds(count):
    """With 14 coadds of 8 visits, none of 112 excludes no more than none of 14 does."""
    interval = level(_share([count] * 14, [8] * 14)).interval
    reach = 1 - 0.005 ** (1 / 14)
    assert (interval.low, interval.high) == pytest.approx((0, reach) if count == 0 else (1 - reach, 1))


@pytest.mark.slow
@pytest.mark.parametrize("n_coadds", [5, 14, 30])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("correlation", [0, 0.1, 0.5, 1])
def test_the_interval_covers_however_alike_visits_of_a_coadd_are(n_coadds, share, correlation):
    """From independent visits to coadds that have all or none, the 99 % interval holds the share in 99 %."""
    rng, held = np.random.default_rng(1), 0
    for _ in range(300):
        if correlation == 1:
            rates = (rng.random(n_coadds) < share).astype(float)
        elif correlation == 0:
            rates = np.full(n_coadds, share)
        else:
            size = 1 / correlation - 1
            rates = rng.beta(share * size, (1 - share) * size, n_coadds)
        trials = rng.integers(4, 13, n_coadds)
        held += share in level(_share(rng.binomial(trials, rates), trials)).interval
    assert held / 300 >= 0.99 - 2 * math.sqrt(0.99 * 0.01 / 300)
