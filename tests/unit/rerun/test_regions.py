"""Areas on the sphere against geometry."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from harness.rerun.regions import polygon_area, regions_from_table

SPHERE = 4 * np.pi * np.degrees(1) ** 2


def test_an_octant_is_an_eighth_of_the_sphere() -> None:
    """Three right angles enclose an eighth."""
    assert polygon_area(np.array([0.0, 90, 0]), np.array([0.0, 0, 90])) == pytest.approx(SPHERE / 8, rel=1e-14)


@pytest.mark.parametrize("dec", [-89.0, -30.0, 0.0, 60.0])
def test_small_boxes_have_their_plane_area(dec: float) -> None:
    """A detector of 9 by 18 arcmin has its width times height, at any declination and across RA 0."""
    half_ra, half_dec = 0.075 / np.cos(np.radians(dec)) / 10, 0.015
    ra = np.array([-half_ra, half_ra, half_ra, -half_ra]) % 360
    corners = dec + np.array([-half_dec, -half_dec, half_dec, half_dec])
    assert polygon_area(ra, corners) == pytest.approx(0.015 * 0.03, rel=2e-4)


def test_a_polygon_is_the_sum_of_its_parts() -> None:
    """Cutting a quadrangle along its diagonal changes nothing; its sense of rotation neither."""
    ra, dec = np.array([149.9, 150.2, 150.25, 149.95]), np.array([2.0, 2.01, 2.2, 2.15])
    halves = polygon_area(ra[[0, 1, 2]], dec[[0, 1, 2]]) + polygon_area(ra[[0, 2, 3]], dec[[0, 2, 3]])
    assert polygon_area(ra, dec) == pytest.approx(halves, rel=1e-12)
    assert polygon_area(ra[::-1], dec[::-1]) == pytest.approx(halves, rel=1e-12)


def test_what_is_unknown_is_null() -> None:
    """A table without geometry gives rows without geometry."""
    (row,) = regions_from_table(pa.table({"visit": [1], "detector": [2]}), "DECam").to_pylist()
    assert row == {"instrument": "DECam", "visit": 1, "detector": 2} | dict.fromkeys(
        ("band", "area", "width", "height", "corners")
    )


def test_a_missing_corner_leaves_the_rest() -> None:
    """NaN in a visit table is not a place on the sky."""
    names = [f"{corner}{axis}" for corner in ("llc", "lrc", "urc", "ulc") for axis in ("ra", "dec")]
    columns = {name: [float("nan")] for name in names} | {"visit": [1], "detector": [2], "xSize": [2048]}
    (row,) = regions_from_table(pa.table(columns), "DECam").to_pylist()
    assert (row["area"], row["corners"], row["width"]) == (None, None, 2048.0)
