"""Where a planted change lies."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from harness.diagnose.churn import churn_rows
from harness.diagnose.localise import edge_area_fraction, localise
from harness.metrics.settings import Settings
from harness.model import DataId

SETTINGS = Settings(edge_width=40)
WIDTH, HEIGHT = 2048, 4096
AREA = edge_area_fraction(WIDTH, HEIGHT, 40)
VISITS, DETECTORS = (100, 101), (1, 2, 3)
REGIONS = pa.table(
    {
        "visit": [visit for visit in VISITS for _ in DETECTORS],
        "detector": pa.array([detector for _ in VISITS for detector in DETECTORS], pa.int32()),
        "width": [WIDTH] * 6,
        "height": [HEIGHT] * 6,
    }
)


def scattered(n: int, *, seed: int, at_edge: float, detector: int | None = None, visit: int | None = None) -> pa.Table:
    """Return sources anywhere on the detectors, a fraction of them within 40 pixels of an edge, none near another."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(40, WIDTH - 41, n), rng.uniform(40, HEIGHT - 41, n)
    near = rng.random(n) < at_edge
    x[near] = rng.uniform(0, 30, int(near.sum()))
    return pa.table(
        {
            "diaSourceId": np.arange(n) + seed * 10**6,
            "visit": np.full(n, visit) if visit else rng.choice(VISITS, n),
            "detector": (np.full(n, detector) if detector else rng.choice(DETECTORS, n)).astype(np.int32),
            "ra": rng.uniform(0, 360, n),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
            "psfFlux": rng.uniform(1, 2, n),
            "x": x,
            "y": y,
        }
    )


def localised(rerun: pa.Table, reference: pa.Table, regions=REGIONS):
    """Return where the churn of two tables lies."""
    return localise(churn_rows(rerun, reference, SETTINGS, regions), SETTINGS, regions)


SHARED = scattered(1000, seed=1, at_edge=AREA)


def test_a_gain_at_the_edge_is_found_with_its_share():
    """The planted share lies in the interval, far from the area's share, and the headline says so."""
    found = localised(pa.concat_tables([SHARED, scattered(800, seed=2, at_edge=0.62)]), SHARED)
    assert (found.n_gained, found.n_lost, found.net) == (800, 0, 800)
    assert 0.62 in found.interval
    assert found.area_fraction == pytest.approx(AREA)
    assert found.is_at_edge
    assert found.headline == f"{100 * found.share:.0f} % of the gain within 40 px of a CCD edge"
    assert found.headline in found.text
    assert "\n" not in found.text


def test_a_gain_all_over_the_detector_is_not_put_at_the_edge():
    """Sources that do not care about the edge give the area's share and no headline."""
    found = localised(pa.concat_tables([SHARED, scattered(2000, seed=3, at_edge=AREA)]), SHARED)
    assert AREA in found.interval
    assert not found.is_at_edge
    assert found.headline == ""
    assert "net +2000" in found.text


def test_the_interval_is_that_of_scipy():
    """Share and interval are those of an exact binomial test."""
    from scipy.stats import binomtest

    found = localised(pa.concat_tables([SHARED, scattered(300, seed=4, at_edge=0.3)]), SHARED)
    expected = binomtest(found.n_at_edge, 300).proportion_ci(0.99, "exact")
    assert found.share == found.n_at_edge / 300
    assert (found.interval.low, found.interval.high) == pytest.approx((expected.low, expected.high))


def test_a_loss_is_localised_among_the_lost():
    """When more is lost than gained, share and words are about the loss."""
    more = pa.concat_tables([SHARED, scattered(500, seed=5, at_edge=0.9)])
    found = localised(pa.concat_tables([SHARED, scattered(50, seed=6, at_edge=0.0)]), more)
    assert (found.n_gained, found.n_lost) == (50, 500)
    assert found.n_placed == 500
    assert 0.9 in found.interval
    assert "of the loss within 40 px" in found.headline
    assert "net -450" in found.text


def test_detectors_and_visits_that_carry_the_change_are_ranked():
    """A change planted in one detector of one visit is put there, with its share of the net change."""
    gained = [
        scattered(300, seed=7, at_edge=0.1, detector=3, visit=101),
        scattered(60, seed=8, at_edge=0.1, detector=1, visit=100),
    ]
    lost = scattered(60, seed=9, at_edge=0.1, detector=2, visit=100)
    found = localised(pa.concat_tables([SHARED, *gained]), pa.concat_tables([SHARED, lost]))
    assert found.net == 300
    assert [(carrier.data_id, carrier.net, carrier.share) for carrier in found.detectors] == [
        (DataId(detector=3), 300, 1.0),
        (DataId(detector=1), 60, 0.2),
    ]
    assert [(carrier.data_id, carrier.net) for carrier in found.visits] == [(DataId(visit=101), 300)]
    assert (found.n_detectors, found.n_visits) == (3, 2)
    assert "detector 3 (1 of 3) has 100 % of the net" in found.text


def test_swapped_sides_turn_a_gain_into_the_same_loss():
    """Rerun and reference exchanged give the same share with the other sign."""
    more = pa.concat_tables([SHARED, scattered(400, seed=10, at_edge=0.5)])
    gain, loss = localised(more, SHARED), localised(SHARED, more)
    assert gain.net == -loss.net
    assert gain.share == loss.share
    assert [carrier.data_id for carrier in gain.detectors] == [carrier.data_id for carrier in loss.detectors]


def test_equal_reruns_have_nothing_to_localise():
    """No churn is said to be none, and nothing divides by zero."""
    found = localised(SHARED, SHARED)
    assert math.isnan(found.share)
    assert found.interval is None
    assert found.detectors == found.visits == ()
    assert found.headline == ""
    assert found.text == "no source was gained or lost"


def test_an_unknown_edge_is_said_to_be_unknown():
    """Without detector sizes there is a net change, carriers and no word about the edge."""
    found = localised(pa.concat_tables([SHARED, scattered(100, seed=11, at_edge=1.0)]), SHARED, None)
    assert found.interval is None
    assert math.isnan(found.area_fraction)
    assert not found.is_at_edge
    assert found.detectors
    assert "is not known" in found.text


def test_detectors_of_unknown_size_are_left_out_of_the_share():
    """The share rests on the detectors whose size is known, and their sources alone."""
    gain = pa.concat_tables(
        [scattered(100, seed=12, at_edge=1.0, detector=1), scattered(70, seed=13, at_edge=0.0, detector=2)]
    )
    found = localised(
        pa.concat_tables([SHARED, gain]), SHARED, REGIONS.filter(pa.compute.equal(REGIONS["detector"], 1))
    )
    assert found.n_gained == 170
    assert (found.n_placed, found.n_at_edge) == (100, 100)


@pytest.mark.parametrize(
    ("edge_width", "expected"),
    [(0, 0.0), (40, 1 - (1 - 80 / 2048) * (1 - 80 / 4096)), (1024, 1.0), (2000, 1.0)],
)
def test_area_near_the_edge(edge_width, expected):
    """The edge's part of a rectangle's area, up to all of it."""
    assert edge_area_fraction(WIDTH, HEIGHT, edge_width) == pytest.approx(expected)
