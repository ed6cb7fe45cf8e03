"""What is known of sources that are not injected: real ones, solar-system objects, bright stars."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from harness.errors import NotMeasuredError
from harness.metrics.flavor.known import kinds, near_stars

ARCSEC = 1 / 3600


def sources_of(ra: Any, dec: Any, key: Any = 0, visit: Any = 1, ss: Any = False) -> pl.DataFrame:
    """Return sources on row ``key`` of the detectors."""
    n = len(ra)
    return pl.DataFrame(
        {
            "key": np.broadcast_to(np.asarray(key, np.int64), n),
            "visit": np.broadcast_to(np.asarray(visit, np.int64), n),
            "ra": np.asarray(ra, float),
            "dec": np.asarray(dec, float),
            "isSolarSystem": np.broadcast_to(np.asarray(ss, bool), n),
        }
    )


def kinds_of(sources: pl.DataFrame, known: dict[str, Any] | None, injected: Any = False) -> list[str]:
    """Return the kinds with a match radius of 0.5 arcsec."""
    is_injected = np.broadcast_to(np.asarray(injected, bool), sources.height)
    return kinds(sources, is_injected, None if known is None else pa.table(known), 0.5).to_list()


def test_known_sources_are_matched_on_every_detector():
    """A variable that two visits saw is known in both, within the radius only, and its second nearest nowhere."""
    sources = sources_of(
        [10.0] * 5, 1 + np.array([0.1, 0.2, 0.49, 0.6, 30.0]) * ARCSEC, key=[0, 0, 1, 2, 2], visit=[1, 1, 1, 2, 2]
    )
    assert kinds_of(sources, {"ra": [10.0], "dec": [1.0]}) == ["known", "unmatched", "known", "unmatched", "unmatched"]


def test_what_was_seen_in_one_visit_is_known_there_alone():
    """A moving object is known in its visit; at the same place in another one nothing is."""
    sources = sources_of([10.0, 10.0, 20.0], [1.0, 1.0, 1.0], key=[0, 1, 1], visit=[1, 2, 2])
    known = {"ra": [10.0, 20.0], "dec": [1.0, 1.0], "visit": pa.array([2, None]), "isMoving": [True, False]}
    assert kinds_of(sources, known) == ["unmatched", "solarSystem", "known"]


def test_solar_system_objects_by_either_catalogue():
    """An object number in the catalogue of what is known, or of the source itself, is a solar-system object."""
    sources = sources_of([10.0, 20.0, 30.0, 40.0], [1.0] * 4, ss=[False, False, True, True])
    known = {"ra": [10.0, 20.0, 30.0], "dec": [1.0] * 3, "ssObjectId": pa.array([5, 0, None])}
    assert kinds_of(sources, known, [False] * 3 + [True]) == ["solarSystem", "known", "solarSystem", "injected"]
    assert kinds_of(sources, None) == ["unmatched", "unmatched", "solarSystem", "solarSystem"]


def test_an_injected_source_does_not_use_up_what_is_known():
    """What is known is matched to sources that are not injected: the injection beside it does not take it away."""
    sources = sources_of([10.0, 10.0], [1.0, 1.0 + 0.3 * ARCSEC])
    assert kinds_of(sources, {"ra": [10.0], "dec": [1.0]}, [True, False]) == ["injected", "known"]


def test_known_sources_equal_matching_each_detector_by_itself():
    """In a crowd the known sources are those that astropy finds mutual, detector by detector."""
    from astropy import units as u
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(9)
    n, key = 900, rng.integers(0, 4, 900)
    ra, dec = rng.uniform(0, 20 * ARCSEC, n), rng.uniform(60, 60 + 20 * ARCSEC, n)
    known_ra, known_dec = rng.uniform(0, 20 * ARCSEC, 300), rng.uniform(60, 60 + 20 * ARCSEC, 300)
    expected = np.full(n, "unmatched", object)
    everything = SkyCoord(known_ra, known_dec, unit="deg")
    for number in range(4):
        mine = np.flatnonzero(key == number)
        one = SkyCoord(ra[mine], dec[mine], unit="deg")
        there, apart, _ = one.match_to_catalog_sky(everything)
        back, _, _ = everything.match_to_catalog_sky(one)
        expected[mine[(back[there] == np.arange(len(mine))) & (apart <= 0.5 * u.arcsec)]] = "known"
    found = kinds_of(sources_of(ra, dec, key, visit=key % 2), {"ra": known_ra, "dec": known_dec})
    assert 50 < expected.tolist().count("known") < 850
    assert found == expected.tolist()


def test_known_sources_without_position_match_nothing():
    """Missing positions are left out; a catalogue without positions is an error that names its columns."""
    sources = sources_of([10.0, np.nan], [1.0, 1.0])
    assert kinds_of(sources, {"ra": [np.nan, None], "dec": [1.0, 1.0]}) == ["unmatched"] * 2
    assert kinds_of(sources, {"ra": pa.array([], "float64"), "dec": pa.array([], "float64")}) == ["unmatched"] * 2
    with pytest.raises(NotMeasuredError, match=r"known sources has no ra \(it has alpha, dec\); check"):
        kinds_of(sources, {"alpha": [1.0], "dec": [1.0]})


def test_near_a_bright_star():
    """Within 10 arcsec of a star brighter than 18 mag is near; a faint star, or one without magnitude, is none."""
    frame = pl.DataFrame(
        {"ra": [10.0, 10.0, 20.0, 30.0, np.nan], "dec": 1 + np.array([9.9, 10.1, 0, 0, 0]) * ARCSEC, "band": ["g"] * 5}
    )
    stars = pa.table({"ra": [10.0, 20.0, 30.0], "dec": [1.0] * 3, "mag": [17.9, 18.0, np.nan]})
    assert near_stars(frame, stars).to_list() == [True, False, False, False, False]


def test_stars_are_as_bright_as_in_the_band_of_the_visit():
    """Magnitudes by band decide in their band; where there is none for a band, nobody knows."""
    frame = pl.DataFrame({"ra": [10.0] * 4, "dec": [1.0] * 4, "band": ["g", "r", "i", None]})
    stars = pa.table({"ra": [10.0], "dec": [1.0], "g_mag": [19.0], "r_mag": [17.0]})
    assert near_stars(frame, stars).to_list() == [False, True, None, None]
    assert near_stars(frame, None).to_list() == [None] * 4
    assert near_stars(frame.clear(), None).to_list() == []
