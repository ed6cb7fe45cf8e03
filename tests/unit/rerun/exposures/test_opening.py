"""Opening an exposure: which reader it gets, and what is refused."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from afw_files import AfwFile
from astropy.io import fits
from astropy.table import Table

from harness.errors import BrokenFileError
from harness.rerun.exposures.afw import AfwExposure
from harness.rerun.exposures.opening import open_exposure

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def lsst_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put something simple in place of the reader of lsst.images files."""
    module: Any = ModuleType("lsst_images")
    module.LsstImagesExposure = lambda path: SimpleNamespace(reader="lsst.images", path=path)
    monkeypatch.setitem(sys.modules, "harness.rerun.exposures.lsst_images", module)


def test_files_of_afw_are_opened(tmp_path: Path) -> None:
    """FITS without a data model is afw's."""
    with open_exposure(AfwFile().write(tmp_path / "e.fits")) as exposure:
        assert isinstance(exposure, AfwExposure)


@pytest.mark.usefixtures("lsst_images")
@pytest.mark.parametrize("content", ["JSON", "FITS"])
def test_files_of_lsst_images_are_opened(tmp_path: Path, content: str) -> None:
    """JSON, and FITS that names a data model however far down, is that of lsst.images."""
    path = tmp_path / "e"
    if content == "JSON":
        path.write_text("{}")
    else:
        header = fits.Header([(f"KEY{n}", n) for n in range(100)] + [("DATAMODL", "https://images.lsst.io/x.json")])
        fits.PrimaryHDU(header=header).writeto(path)
    assert open_exposure(path).reader == "lsst.images"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(BrokenFileError, match=r"gone\.fits is missing; fetch it again"):
        open_exposure(tmp_path / "gone.fits")


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"SIMPLE  =                    T" + b"\0" * 4000])
def test_a_file_of_another_kind_is_told(tmp_path: Path, content: bytes) -> None:
    """What is not FITS is named by the reader that tries it."""
    path = tmp_path / "e.fits"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"e\.fits cannot be read as FITS"):
        open_exposure(path)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ({"AFW_TYPE": "SOURCE"}, r"no exposure: it is a catalogue of afw \(SOURCE\); name it among tables"),
        ({"EXTTYPE": "ARCHIVE_INDEX"}, r"no exposure: it holds objects of afw alone \(PhotoCalib\)"),
        ({}, "no exposure: none of its first HDUs is an IMAGE"),
    ],
    ids=["catalogue", "object", "table"],
)
def test_a_file_that_is_no_exposure_is_told_what_it_is(tmp_path: Path, header: dict[str, str], says: str) -> None:
    """Catalogues, stored objects and other tables are refused by what they are."""
    path, table = tmp_path / "e.fits", fits.table_to_hdu(Table({"a": [1.0]}))
    other = table.copy()
    table.header.update(header)
    other.header["AR_NAME"] = "PhotoCalib"
    fits.HDUList([fits.PrimaryHDU(), table, other]).writeto(path)
    with pytest.raises(BrokenFileError, match=says):
        open_exposure(path)


def test_a_plain_image_is_no_exposure(tmp_path: Path) -> None:
    """An image that does not say that it is the image of an exposure is refused."""
    fits.PrimaryHDU(np.zeros((3, 4), np.float32)).writeto(tmp_path / "e.fits")
    with pytest.raises(BrokenFileError, match="no exposure: none of its first HDUs is an IMAGE"):
        open_exposure(tmp_path / "e.fits")
