"""Files that afw itself wrote, of different age."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import median_abs_deviation

from harness.errors import BrokenFileError
from harness.rerun.exposures.opening import open_exposure

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def here(real_data: Path) -> Path:
    """Return the folder of the real files."""
    return real_data / "afw_fits"


def test_the_planes_of_an_hsc_image_agree(here: Path) -> None:
    """Unmasked pixels scatter by 21.97 (median absolute deviation), where their median variance says 20.70."""
    with open_exposure(here / "HSC-0908120-056-small.fits") as exposure:
        empty = exposure.mask == 0
        noise = median_abs_deviation(exposure.image[empty].astype(np.float64), scale="normal")
        assert exposure.shape == (200, 200)
        assert noise == pytest.approx(21.97, abs=0.005)
        assert np.sqrt(np.median(exposure.variance[empty])) == pytest.approx(20.70, abs=0.005)
        assert exposure.lossy == frozenset()


def test_an_old_hsc_image_says_what_it_can(here: Path) -> None:
    """Mask planes, origin and coordinates are known; filter, date and zero point were not when it was written."""
    with open_exposure(here / "HSC-0908120-056-small.fits") as exposure:
        planes = exposure.mask_planes
        assert exposure.mask.dtype == np.int32
        counts = {name: int(np.count_nonzero(exposure.mask >> bit & 1)) for name, bit in planes.items()}
        assert {name: n for name, n in counts.items() if n} == {"DETECTED": 5390, "CROSSTALK": 14}
        assert (planes["NO_DATA"], len(planes)) == (9, 11)
        assert exposure.xy0 == (100, 100)
        assert (exposure.band, exposure.unit, exposure.summary, exposure.psf) == ("", "", {}, None)
        assert np.isnan([exposure.zero_point, exposure.visit_info.mjd_tai]).all()
        assert exposure.coadd_inputs is None


def test_the_coordinates_of_an_hsc_image_have_its_pixel_scale(here: Path) -> None:
    """Pixels of Hyper Suprime-Cam are 0.168 arcsec wide, and the reference pixel is where the header says."""
    with open_exposure(here / "HSC-0908120-056-small.fits") as exposure:
        wcs = exposure.wcs
        assert wcs is not None
        scale = np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600
        assert scale == pytest.approx(0.168, abs=0.002)
        ra, dec = wcs.all_pix2world(866.842697735752 - 1, 2004.38916604442 - 1, 0)
        assert (float(ra), float(dec)) == pytest.approx((151.319266199627, 1.6150446085464), abs=1e-9)


def test_an_exposure_of_version_2_has_its_components(here: Path) -> None:
    """Filter label, calibration (10^6 nJy per count) and time (TAI) are those that its test in afw wrote."""
    with open_exposure(here / "exposure-version-2.fits") as exposure:
        assert exposure.shape == (10, 10)
        assert exposure.xy0 == (0, 0)
        assert exposure.band == "N656"
        assert exposure.zero_point == pytest.approx(31.4 - 2.5 * 6)
        assert exposure.mask_planes["NO_DATA"] == 8
        assert exposure.visit_info.mjd_tai == pytest.approx(58868 + (12 * 3600 + 34 * 60 + 56) / 86400, abs=1e-9)
        assert (exposure.visit_info.exposure_time, exposure.visit_info.ra, exposure.visit_info.dec) == (
            30.0,
            30.0,
            40.0,
        )
        assert (exposure.psf, exposure.coadd_inputs) == (None, None)
        assert exposure.wcs is not None
        assert exposure.wcs.wcs.crval.tolist() == [30.0, 40.0]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("photoCalib-version1.fits", r"it holds objects of afw alone \(PhotoCalib, ChebyshevBoundedField\)"),
        ("visitInfo-version-5.fits", r"it holds objects of afw alone \(VisitInfo\)"),
        ("sourceCatalog-hsc-v2.fits", r"it is a catalogue of afw \(SOURCE\)"),
    ],
)
def test_other_files_of_afw_are_refused_by_what_they_are(here: Path, name: str, says: str) -> None:
    """A file that holds no exposure is named, with what it holds."""
    with pytest.raises(BrokenFileError, match=rf"{name} is no exposure: {says}"):
        open_exposure(here / name)
