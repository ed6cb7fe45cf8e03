"""World coordinates in archives that afw wrote, against those in the headers of the same files."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from harness.rerun.exposures.archive import Archive
from harness.rerun.exposures.wcs import read_wcs

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.mark.parametrize(
    ("name", "stored_as", "xy0"),
    [("exposure-version-2.fits", "SkyWcs", (0, 0)), ("HSC-0908120-056-small.fits", "TanWcs", (100, 100))],
)
def test_archive_has_the_coordinates_of_the_header(
    real_data: Path, name: str, stored_as: str, xy0: tuple[int, int]
) -> None:
    """A header's refer to the stored array, an archive's to parent pixels; they agree to 1e-9 degrees, and back."""
    path = real_data / "afw_fits" / name
    with fits.open(path) as hdus, warnings.catch_warnings(action="ignore", category=FITSFixedWarning):
        archive, header = Archive.of(hdus, path), WCS(hdus[1].header)
        rows, columns = hdus[1].data.shape
        assert archive is not None
        object_id = archive.components.get("SKYWCS") or archive.components["WCS"]
        assert archive.class_name(object_id) == stored_as
        wcs = read_wcs(archive, object_id)
    x, y = (grid.ravel().astype(float) for grid in np.meshgrid(*(np.linspace(0, n - 1, 5) for n in (columns, rows))))
    sky = np.array(header.all_pix2world(x, y, 0))
    assert _largest(wcs.pixel_to_world(x + xy0[0], y + xy0[1]) - sky) < 1e-9
    assert _largest(wcs.world_to_pixel(*sky) - [x + xy0[0], y + xy0[1]]) < 1e-5


def _largest(differences: NDArray[np.float64]) -> float:
    return float(np.abs(differences).max())
