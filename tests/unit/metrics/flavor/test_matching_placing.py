"""Injections of a catalogue on their detectors: by name, by pixel, by region on the sky."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from harness.errors import NotMeasuredError
from harness.metrics.flavor.footprints import Footprints
from harness.metrics.flavor.frames import detectors_schema
from harness.metrics.flavor.placing import edge_margin, place_injections


def detectors_of(*rows: tuple[int, int, str | None], size: tuple[float, float] | None = None) -> pl.DataFrame:
    """Return what was processed: visit, detector and band."""
    width, height = size or (None, None)
    return pl.DataFrame([(*row, 0.01, width, height) for row in rows], schema=detectors_schema(), orient="row")


def regions_of(*boxes: tuple[int, int, float, float, float, float]) -> pa.Table:
    """Return regions on the sky: visit, detector, and the ends in right ascension and declination."""
    corners = [[a, low, b, low, b, high, a, high] for _, _, a, b, low, high in boxes]
    return pa.table(
        {
            "visit": [box[0] for box in boxes],
            "detector": pa.array([box[1] for box in boxes], pa.int32()),
            "corners": corners,
        }
    )


def place(catalogue: dict[str, Any], detectors: pl.DataFrame, regions: pa.Table | None = None) -> Any:
    """Place a catalogue that names its injections."""
    return place_injections(pa.table(catalogue), detectors, regions, 0.5)


TWO_VISITS = detectors_of((1, 4, "g"), (1, 5, "g"), (2, 4, "r"))
# Detectors side by side, the second visit a bit farther east, across the wrap of right ascension.
ON_SKY = regions_of(
    (1, 4, 359.9, 0.0, 0.0, 0.1),
    (1, 5, 0.0, 0.1, 0.0, 0.1),
    (2, 4, 359.95, 0.05, 0.0, 0.1),
    (3, 4, 10.0, 11.0, 0.0, 1.0),
)


def test_a_catalogue_without_visits_is_on_every_detector_that_holds_it():
    """Each injection has a row for each processed detector over it, and one that is on none is outside, once."""
    ra = [359.92, 359.97, 0.02, 0.08, 10.5, 50.0]
    placed = place({"injectionId": range(6), "ra": ra, "dec": [0.05] * 6}, TWO_VISITS, ON_SKY)
    rows = placed.injections.select("injectionId", "visit", "detector", "band").rows()
    assert rows == [(0, 1, 4, "g"), (1, 1, 4, "g"), (1, 2, 4, "r"), (2, 1, 5, "g"), (2, 2, 4, "r"), (3, 1, 5, "g")]
    assert placed.ladder.select("visit", "detector", "numOutside").rows()[-1] == (None, None, 2)
    assert placed.ladder["numOutside"].sum() == 2


def test_what_a_catalogue_names_is_heeded():
    """Without a detector, a visit or a band, when they are named, still decide on which detectors an injection is."""
    injections = {"injectionId": [1, 2, 3, 4], "ra": [0.02] * 4, "dec": [0.01, 0.03, 0.05, 0.07]}
    named = {**injections, "visit": pa.array([1, 2, None, 3]), "band": pa.array([None, None, "r", "g"])}
    placed = place(named, TWO_VISITS, ON_SKY)
    assert placed.injections.select("injectionId", "visit", "detector").rows() == [(1, 1, 5), (2, 2, 4), (3, 2, 4)]
    assert placed.ladder["numOutside"].sum() == 1  # visit 3 was not processed
    by_detector = place({**injections, "detector": pa.array([4] * 4, pa.int32())}, TWO_VISITS, ON_SKY)
    assert set(by_detector.injections.select("visit", "detector").rows()) == {(2, 4)}


def test_pixels_of_a_tract_are_not_those_of_a_detector():
    """A catalogue that names no detector has pixel positions of something else: they are not taken."""
    placed = place({"ra": [0.08], "dec": [0.05], "x": [9.0], "y": [9.0]}, TWO_VISITS, ON_SKY)
    assert placed.injections.select("x", "y").rows() == [(None, None)]
    assert placed.injections["margin"].is_nan().all()


def test_placing_by_region_equals_brute_force():
    """On turned detectors at high declination, what is held is what lies within in the tangent plane."""
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(3)
    centre = SkyCoord(40, 75, unit="deg")
    turn = np.radians(30)
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.05
    middles = np.array([[0, 0], [0.06, 0.0], [0.3, 0.1]])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])

    def sky(plane: np.ndarray) -> SkyCoord:
        # Gnomonic: great circles are straight lines.
        radius, angle = np.degrees(np.arctan(np.radians(np.hypot(*plane.T)))), np.arctan2(*plane.T)
        return centre.directional_offset_by(np.degrees(angle) * 1.0 * _deg(), radius * _deg())

    corners = [sky((square @ rotation.T) + middle) for middle in middles]
    regions = pa.table(
        {
            "visit": [7, 7, 8],
            "detector": pa.array([1, 2, 1], pa.int32()),
            "corners": [np.stack([c.ra.deg, c.dec.deg], 1).ravel().tolist() for c in corners],
        }
    )
    plane = rng.uniform(-0.2, 0.5, (3000, 2))
    points = sky(plane)
    detectors = detectors_of((7, 1, "g"), (7, 2, "g"), (8, 1, "r"))
    placed = place({"injectionId": range(3000), "ra": points.ra.deg, "dec": points.dec.deg}, detectors, regions)
    for (visit, detector), middle in zip(((7, 1), (7, 2), (8, 1)), middles, strict=True):
        inside = np.flatnonzero((np.abs((plane - middle) @ rotation) < 0.05).all(axis=1))
        there = placed.injections.filter(visit=visit, detector=detector)["injectionId"].to_numpy()
        assert inside.size > 30
        np.testing.assert_array_equal(there, inside)
        key = detectors.rows().index(detectors.filter(visit=visit, detector=detector).row(0))
        outside = Footprints(detectors, regions).is_outside(points.ra.deg, points.dec.deg, np.full(3000, key))
        np.testing.assert_array_equal(np.flatnonzero(~outside), inside)


def _deg() -> Any:
    from astropy import units as u

    return u.deg


def test_named_injections_beyond_their_detector_are_outside():
    """By pixel where it is known, by region where it is not, and not at all where neither is."""
    sized = detectors_of((1, 4, "g"), size=(100, 200))
    catalogue = {
        "injectionId": range(6),
        "visit": [1] * 6,
        "detector": pa.array([4] * 6, pa.int32()),
        "ra": [359.95, 359.95, 359.95, 359.95, 0.02, 0.02],
        "dec": [0.05] * 6,
        "x": [-0.5, -0.51, 99.5, 99.51, 50.0, np.nan],
        "y": [100.0] * 6,
    }
    assert place(catalogue, sized).injections["injectionId"].to_list() == [0, 2, 4, 5]
    placed = place(catalogue, sized, ON_SKY)
    assert placed.injections["injectionId"].to_list() == [0, 2, 4]
    assert placed.ladder.rows() == [(1, 4, 3, 0, 2, 0)]  # 0 to 3 are at one place; 0 and 2 count
    without_size = place(catalogue, detectors_of((1, 4, "g")), ON_SKY)
    assert without_size.injections["injectionId"].to_list() == [0, 1, 2, 3]


def test_without_visits_and_regions_it_is_said_what_is_missing():
    """A catalogue that names no visit needs regions: the error names them, and how many injections need them."""
    catalogue = {"ra": [1.0, 2.0], "dec": [0.0, 0.0]}
    without_corners = ON_SKY.set_column(2, "corners", pa.nulls(4, pa.list_(pa.float64())))
    for regions in (None, without_corners):
        with pytest.raises(NotMeasuredError, match=r"2 of 2 injections name no visit and detector.*; add the columns"):
            place(catalogue, TWO_VISITS, regions)
    with pytest.raises(NotMeasuredError, match=r"has no dec \(it has ra, decl\); check"):
        place({"ra": [1.0], "decl": [1.0]}, TWO_VISITS)
    nowhere = place({"ra": [np.nan], "dec": [0.0]}, TWO_VISITS)  # needs no region to be nowhere
    assert nowhere.ladder.rows() == [(None, None, 0, 0, 0, 1)]


def test_the_first_of_a_repeated_injection_counts():
    """A repeated injection of a visit and detector is its first row with a position; on another detector it is new."""
    catalogue = {
        "injectionId": [9, 9, 9, 9, 9],
        "visit": [1, 1, 1, 1, 2],
        "detector": pa.array([4, 4, 4, 5, 4], pa.int32()),
        "ra": [np.nan, 5.0, 6.0, 5.0, 5.0],
        "dec": [0.0] * 5,
    }
    placed = place(catalogue, TWO_VISITS)
    assert placed.injections.select("visit", "detector", "ra").rows() == [(1, 4, 5.0), (1, 5, 5.0), (2, 4, 5.0)]
    assert placed.ladder["numDuplicates"].to_list() == [1, 0, 0]
    assert placed.ladder["numNonFinitePositions"].to_list() == [1, 0, 0]


def test_coincident_injections_are_counted_per_detector():
    """Different injections within the match radius are counted, all of them; those of another detector are not."""
    catalogue = {
        "injectionId": range(5),
        "visit": [1] * 5,
        "detector": pa.array([4, 4, 4, 5, 4], pa.int32()),
        "ra": [5.0] * 5,
        "dec": np.array([0, 0, 0.49, 0, 1.0]) / 3600,
    }
    ladder = place(catalogue, TWO_VISITS).ladder
    assert ladder.select("detector", "numCoincident").rows() == [(4, 3), (5, 0)]


def test_margins_at_the_pixels_of_a_small_detector():
    """The nearest edge lies half a pixel beyond the first and the last pixel centre."""
    frame = pl.DataFrame(
        {
            "x": [0.0, 4.0, 9.0, -1.0, None, 3.0],
            "y": [5.0, 5.0, 19.5, 5.0, 5.0, 5.0],
            "width": [10.0] * 5 + [None],
            "height": [20.0] * 6,
        }
    )
    np.testing.assert_array_equal(edge_margin(frame), [0.5, 4.5, 0.0, -0.5, np.nan, np.nan])


def test_what_is_in_both_images_or_in_neither_is_no_injection():
    """A row that says so is left out before anything is counted; one that says nothing is an injection."""
    catalogue = {
        "injectionId": [1, 2, 3, 1],
        "visit": [1] * 4,
        "detector": pa.array([4] * 4, pa.int32()),
        "ra": [5.0] * 4,
        "dec": [0.0, 1.0, 2.0, 3.0],
        "inOneImage": [False, True, None, True],
    }
    placed = place(catalogue, TWO_VISITS)
    assert placed.injections.select("injectionId", "dec").rows() == [(2, 1.0), (3, 2.0), (1, 3.0)]
    assert placed.ladder.rows() == [(1, 4, 0, 0, 0, 0)]
