"""Exposures of afw: planes plain and compressed, what they say of themselves, laziness, and damage."""

from __future__ import annotations

import gc
import gzip
import math
import shutil
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from afw_files import MASK_PLANES, AfwFile, Stored, coadd_inputs, filter_label, photo_calib, plane, summary_stats
from astropy.io import fits
from astropy.wcs import WCS

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.afw import AfwExposure
from harness.rerun.exposures.protocol import CoaddInput

if TYPE_CHECKING:
    from pathlib import Path

MASK = np.random.default_rng(3).integers(0, 1 << 10, (30, 40)).astype(np.int32)


def sky() -> WCS:
    """Return a tangent plane whose first element is (100, 200) in some parent."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [151.25, -2.5]
    wcs.wcs.crpix = [17.5, -30.25]
    wcs.wcs.cd = [[-5e-5, 1e-6], [1e-6, 5e-5]]
    return wcs


@pytest.mark.parametrize("compression", ["none", "lossless"])
def test_planes_come_back_bit_by_bit(tmp_path: Path, compression: Any) -> None:
    """Plain and losslessly compressed planes hold what was written, the plain ones in the byte order of FITS."""
    file = AfwFile(mask=MASK, compression=compression)
    with AfwExposure(file.write(tmp_path / "e.fits")) as exposure:
        assert exposure.shape == (30, 40)
        assert exposure.lossy == frozenset()
        for found, written in (
            (exposure.image, file.image),
            (exposure.mask, file.mask),
            (exposure.variance, file.variance),
        ):
            assert written is not None
            assert found.dtype == written.dtype.newbyteorder(">" if compression == "none" else "=")
            assert not found.flags.writeable
            assert found.astype(written.dtype).tobytes() == written.tobytes()


def test_quantised_planes_are_told(tmp_path: Path) -> None:
    """Values quantised to a 16th of the noise come back within a step, and the exposure says which they are."""
    image, variance = (np.random.default_rng(n).normal(400, 20, (30, 400)).astype(np.float32) for n in (1, 2))
    file = AfwFile(image, np.resize(MASK, (30, 400)), variance, compression="lossy")
    with AfwExposure(file.write(tmp_path / "e.fits")) as exposure:
        assert exposure.lossy == {"image", "variance"}
        for found, written in ((exposure.image, image), (exposure.variance, variance)):
            assert found.dtype == np.float32
            assert 0 < np.abs(found - written).max() < 2 * 20 / 16
        assert np.array_equal(exposure.mask, file.mask)


@pytest.mark.parametrize("compression", ["none", "lossless"])
def test_an_old_mask_is_unsigned(tmp_path: Path, compression: Any) -> None:
    """Masks of 16 bits, which are stored with an offset, are read like those of 32."""
    path = AfwFile(mask=MASK.astype(np.uint16), compression=compression).write(tmp_path / "e.fits")
    with AfwExposure(path) as exposure:
        assert exposure.mask.dtype == np.int32
        assert np.array_equal(exposure.mask, MASK)
        assert exposure.mask_planes == MASK_PLANES


def test_a_file_compressed_as_a_whole_is_read(tmp_path: Path) -> None:
    """Places in a gzip file are not places on the disk."""
    plain = AfwFile(mask=MASK, objects=[filter_label("g", "")], primary={"FILTER_ID": 1}, compression="lossless")
    with plain.write(tmp_path / "e.fits").open("rb") as source, gzip.open(tmp_path / "e.fits.gz", "wb") as target:
        shutil.copyfileobj(source, target)
    with AfwExposure(tmp_path / "e.fits.gz") as exposure:
        assert np.array_equal(exposure.mask, MASK)
        assert exposure.band == "g"


def test_nothing_is_read_that_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening and asking for anything but a plane reads no pixels, and a plane is read by itself, once."""
    read: list[str] = []
    stored = AfwExposure._stored
    monkeypatch.setattr(
        AfwExposure, "_stored", lambda self, hdu: [read.append(hdu.header["EXTTYPE"]), stored(self, hdu)][1]
    )
    with AfwExposure(AfwFile(compression="lossless").write(tmp_path / "e.fits")) as exposure:
        told = (exposure.shape, exposure.xy0, exposure.unit, exposure.band, exposure.mask_planes, exposure.lossy)
        more = (exposure.wcs, exposure.zero_point, exposure.visit_info, exposure.summary, exposure.coadd_inputs)
        assert (len(told), len(more), exposure.psf) == (6, 5, None)
        assert read == []
        assert exposure.variance is exposure.variance
        assert read == ["VARIANCE"]


@pytest.mark.parametrize("compression", ["none", "lossless", "lossy"])
def test_files_are_closed(tmp_path: Path, compression: Any) -> None:
    """Neither a file that was read nor one that was refused stays open."""
    good = AfwFile(compression=compression, objects=[filter_label("g", "")], primary={"FILTER_ID": 1})
    bad = AfwFile(compression=compression, primary={"EXPINFO_V": 3})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with AfwExposure(good.write(tmp_path / "good.fits")) as exposure:
            assert exposure.image.sum() != exposure.variance.sum()
            assert exposure.band == "g"
        with pytest.raises(BrokenFileError):
            AfwExposure(bad.write(tmp_path / "bad.fits"))
        del exposure
        gc.collect()
    assert [w for w in caught if issubclass(w.category, ResourceWarning)] == []


def test_planes_outlive_the_file(tmp_path: Path) -> None:
    """A plane that was read is usable after its exposure is closed."""
    with AfwExposure(AfwFile(mask=MASK).write(tmp_path / "e.fits")) as exposure:
        mask = exposure.mask
    assert np.array_equal(mask, MASK)


@pytest.mark.parametrize("compression", ["none", "lossless", "lossy"])
def test_the_wcs_is_that_of_the_stored_array(tmp_path: Path, compression: Any) -> None:
    """Elements counted from 0 have the coordinates that the header means, whatever the parent's origin is."""
    wcs = sky()
    header = dict(wcs.to_header()) | {"CRPIX1A": 1, "CRPIX2A": 1, "CRVAL1A": 100, "CRVAL2A": 200}
    path = AfwFile(image_header=header, compression=compression).write(tmp_path / "e.fits")
    with AfwExposure(path) as exposure:
        assert exposure.xy0 == (100, 200)
        assert exposure.wcs is not None
        places = np.array([[0.0, 39.0], [0.0, 29.0]])
        assert exposure.wcs.pixel_shape == (40, 30)
        np.testing.assert_allclose(exposure.wcs.all_pix2world(*places, 0), wcs.all_pix2world(*places, 0), atol=1e-9)


def test_a_broken_wcs_is_told(tmp_path: Path) -> None:
    """Coordinates of one axis only are a broken file."""
    path = AfwFile(image_header={"CTYPE1": "RA---TAN", "CTYPE2": "DEC--STG"}).write(tmp_path / "e.fits")
    with AfwExposure(path) as exposure, pytest.raises(BrokenFileError, match=r"WCS in the header of .*e\.fits"):
        _ = exposure.wcs


@pytest.mark.parametrize(
    ("file", "band"),
    [
        (AfwFile(objects=[filter_label("r", "HSC-R2")], primary={"FILTER_ID": 1, "FILTER": "raw"}), "r"),
        (AfwFile(primary={"FILTER": "HSC-R"}), "HSC-R"),
        (AfwFile(primary={}, image_header={"FILTER": "r"}), "r"),
        (AfwFile(primary={"FILTER": "_unknown_"}), ""),
        (AfwFile(), ""),
    ],
    ids=["component", "keyword", "keyword of the image", "unknown", "nothing"],
)
def test_the_band_is_found_in_files_of_any_age(tmp_path: Path, file: AfwFile, band: str) -> None:
    """The component comes before the keyword, which older files have in either header."""
    with AfwExposure(file.write(tmp_path / "e.fits")) as exposure:
        assert exposure.band == band


@pytest.mark.parametrize(
    ("file", "zero_point"),
    [
        (AfwFile(objects=[photo_calib(1.0)], primary={"PHOTOCALIB_ID": 1}), 31.4),
        (AfwFile(objects=[photo_calib(100.0)], primary={"PHOTOCALIB_ID": 1, "FLUXMAG0": 1e9}), 26.4),
        (AfwFile(objects=[photo_calib(0.0)], primary={"PHOTOCALIB_ID": 1}), math.nan),
        (AfwFile(primary={"FLUXMAG0": 1e10}), 25.0),
        (AfwFile(primary={"FLUXMAG0": 0.0}), math.nan),
        (AfwFile(image_header={"BUNIT": "nJy"}), 31.4),
        (AfwFile(image_header={"BUNIT": "adu"}), math.nan),
    ],
    ids=["nJy", "component", "no component", "FLUXMAG0", "no FLUXMAG0", "unit", "counts"],
)
def test_the_zero_point_is_found_in_files_of_any_age(tmp_path: Path, file: AfwFile, zero_point: float) -> None:
    """1 nJy is 31.4 mag, 100 nJy are 5 mag brighter, and 10^10 units of magnitude 0 make one unit magnitude 25."""
    with AfwExposure(file.write(tmp_path / "e.fits")) as exposure:
        assert exposure.zero_point == pytest.approx(zero_point, nan_ok=True)


def test_a_coadd_has_its_components(tmp_path: Path) -> None:
    """Inputs and summary statistics are found by the keywords of new files, and the unit in the image's header."""
    objects = [summary_stats("psfSigma: 1.5"), coadd_inputs([(7, 1.0)], [(7, 3, 0.5)])]
    primary = {"EXPINFO_V": 2, "ARCHIVE_ID_SUMMARY_STATS": 1, "ARCHIVE_ID_COADD_INPUTS": 2}
    path = AfwFile(objects=objects, primary=primary, image_header={"BUNIT": "nJy "}).write(tmp_path / "e.fits")
    with AfwExposure(path) as exposure:
        assert exposure.summary == {"psfSigma": 1.5}
        assert exposure.coadd_inputs == (CoaddInput(7, 3, 0.5),)
        assert exposure.unit == "nJy"


def test_an_exposure_without_an_archive_has_no_components(tmp_path: Path) -> None:
    """Where there is none, there is no error either."""
    with AfwExposure(AfwFile(primary={}).write(tmp_path / "e.fits")) as exposure:
        assert (exposure.psf, exposure.coadd_inputs, exposure.summary, exposure.unit) == (None, None, {}, "")


@pytest.mark.parametrize("version", [0, 1, 2])
def test_versions_up_to_2_are_read(tmp_path: Path, version: int) -> None:
    """All versions that afw has written open."""
    with AfwExposure(AfwFile(primary={"EXPINFO_V": version}).write(tmp_path / "e.fits")) as exposure:
        assert exposure.image.shape == (30, 40)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    """What the next version of afw writes may mean something else."""
    path = AfwFile(primary={"EXPINFO_V": 3}).write(tmp_path / "e.fits")
    with pytest.raises(BrokenFileError, match=r"e\.fits was written by a newer version of afw \(EXPINFO_V 3"):
        AfwExposure(path)


def test_planes_that_are_not_there_are_named(tmp_path: Path) -> None:
    """Without variance or mask the image is read, and asking for them says what is missing."""
    with AfwExposure(AfwFile(variance=None).write(tmp_path / "v.fits")) as exposure:
        assert exposure.image.shape == (30, 40)
        with pytest.raises(NotMeasuredError, match=r"v\.fits has no VARIANCE plane \(there are: IMAGE, MASK\)"):
            _ = exposure.variance
    with AfwExposure(AfwFile(mask=None).write(tmp_path / "m.fits")) as exposure:
        for name in ("mask", "mask_planes"):
            with pytest.raises(NotMeasuredError, match=r"m\.fits has no MASK plane"):
                getattr(exposure, name)


def test_a_mask_without_its_dictionary_is_told(tmp_path: Path) -> None:
    """Bits without names mean nothing."""
    with AfwExposure(AfwFile(mask=MASK, mask_planes={}).write(tmp_path / "e.fits")) as exposure:
        assert exposure.mask.any()
        with pytest.raises(NotMeasuredError, match=r"mask of .*e\.fits has no dictionary of its planes"):
            _ = exposure.mask_planes


def test_a_damaged_dictionary_of_mask_planes_is_told(tmp_path: Path) -> None:
    """A bit that an int32 has not is a broken file."""
    path = AfwFile(mask_planes={"BAD": 40}).write(tmp_path / "e.fits")
    with AfwExposure(path) as exposure, pytest.raises(BrokenFileError, match=r"e\.fits is damaged: MP_BAD = 40"):
        _ = exposure.mask_planes


def test_planes_of_different_shapes_are_told(tmp_path: Path) -> None:
    """A variance that does not cover the image is a broken file."""
    path = AfwFile(variance=np.ones((30, 39), np.float32)).write(tmp_path / "e.fits")
    with AfwExposure(path) as exposure, pytest.raises(BrokenFileError, match=r"VARIANCE .* has 30×39 pixels"):
        _ = exposure.variance


def test_a_plane_of_nan_is_a_plane(tmp_path: Path) -> None:
    """Pixels without a value are not an error of reading."""
    variance = np.full((30, 40), np.nan, np.float32)
    with AfwExposure(AfwFile(variance=variance).write(tmp_path / "e.fits")) as exposure:
        assert np.isnan(exposure.variance).all()


@pytest.mark.parametrize("compression", ["none", "lossless", "lossy"])
@pytest.mark.parametrize("plane_number", [1, 2, 3])
def test_a_file_cut_off_within_a_plane_is_refused(tmp_path: Path, compression: Any, plane_number: int) -> None:
    """A file that ends before its header says so is refused, naming the plane."""
    path = AfwFile(mask=MASK, compression=compression, objects=[filter_label("g", "")]).write(tmp_path / "e.fits")
    with fits.open(path, disable_image_compression=True) as hdus:
        place = hdus[plane_number].fileinfo()["datLoc"]
    path.write_bytes(path.read_bytes()[: place + 100])
    with pytest.raises(
        BrokenFileError, match=rf"e\.fits is cut off: it ends at byte {place + 100}, and (IMAGE|MASK|VAR)"
    ):
        AfwExposure(path)


@pytest.mark.parametrize("hdu", [2, 3])
def test_a_file_cut_off_between_planes_is_refused(tmp_path: Path, hdu: int) -> None:
    """A file that ends with a whole plane is told from one that never had more, by its archive."""
    path = AfwFile(objects=[filter_label("g", "")]).write(tmp_path / "e.fits")
    with fits.open(path) as hdus:
        place = hdus[hdu].fileinfo()["hdrLoc"]
    path.write_bytes(path.read_bytes()[:place])
    with pytest.raises(BrokenFileError, match=rf"has {hdu} HDUs, and its archive should be HDU 5"):
        AfwExposure(path)


@pytest.mark.parametrize("content", [b"", b"\x89PNG" * 2000, b"SIMPLE  =                    T" + b" " * 4000])
def test_a_file_that_is_not_fits_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty files, other formats and half a header are named."""
    path = tmp_path / "e.fits"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"e\.fits cannot be read as FITS"):
        AfwExposure(path)


def test_damaged_pixels_are_told(tmp_path: Path) -> None:
    """Bytes that cannot be decompressed make that plane a broken one, and leave the others readable."""
    path = AfwFile(mask=MASK, compression="lossless").write(tmp_path / "e.fits")
    with fits.open(path, disable_image_compression=True) as hdus:
        place = hdus[3].fileinfo()["datLoc"] + 8 * 30
    content = bytearray(path.read_bytes())
    content[place : place + 400] = b"\xff" * 400
    path.write_bytes(content)
    with AfwExposure(path) as exposure:
        assert np.array_equal(exposure.image, plane(1, 0.0), equal_nan=True)
        with pytest.raises(BrokenFileError, match=r"VARIANCE of .*e\.fits cannot be read \(error: "):
            _ = exposure.variance


@pytest.mark.parametrize("compression", ["none", "lossless", "lossy"])
def test_damage_anywhere_is_a_named_error(tmp_path: Path, compression: Any) -> None:
    """Whatever byte is wrong, what can be read is read, and the rest is an error of the harness that names the file."""
    objects = [filter_label("g", ""), photo_calib(2.0), coadd_inputs([(7, 1.0)], []), summary_stats("psfSigma: 1.5")]
    primary = {"EXPINFO_V": 2, "FILTER_ID": 1, "PHOTOCALIB_ID": 2, "COADD_INPUTS_ID": 3, "SUMMARY_STATS_ID": 4}
    file = AfwFile(objects=objects, primary=primary, image_header=dict(sky().to_header()), compression=compression)
    sound = file.write(tmp_path / "sound.fits").read_bytes()
    rng, path = np.random.default_rng(8), tmp_path / "damaged.fits"
    for _ in range(20):
        damaged = bytearray(sound)
        for place in rng.integers(0, len(sound), 8):
            damaged[place] = rng.integers(32, 127)
        path.write_bytes(damaged)
        try:
            with AfwExposure(path) as exposure:
                for name in (
                    "band",
                    "wcs",
                    "zero_point",
                    "summary",
                    "coadd_inputs",
                    "mask_planes",
                    "lossy",
                    "variance",
                ):
                    try:
                        getattr(exposure, name)
                    except (BrokenFileError, NotMeasuredError) as error:
                        assert "damaged.fits" in str(error)  # noqa: PT017 - others may be read
        except BrokenFileError as error:
            assert "damaged.fits" in str(error)  # noqa: PT017 - or the file opens


def test_the_psf_is_read_from_the_archive(tmp_path: Path) -> None:
    """The component PSF is what the exposure's PSF is made from."""
    names = {"dimensions_x": "J", "dimensions_y": "J", "sigma": "D"}
    columns = [
        fits.Column(name, kind, array=[value]) for (name, kind), value in zip(names.items(), (21, 21, 2.0), strict=True)
    ]
    path = AfwFile(objects=[Stored("GaussianPsf", [columns])], primary={"PSF_ID": 1}).write(tmp_path / "e.fits")
    with AfwExposure(path) as exposure:
        assert exposure.psf is not None
        assert (exposure.psf.name, exposure.psf.at(5.0, 5.0).moments) == ("GaussianPsf", (4.0, 4.0, 0.0))


def test_a_component_that_is_not_in_the_archive_is_told(tmp_path: Path) -> None:
    """A keyword that names an object which the index has not makes that component a broken one, and no other."""
    path = AfwFile(objects=[filter_label("g", "")], primary={"FILTER_ID": 1, "PSF_ID": 7}).write(tmp_path / "e.fits")
    with AfwExposure(path) as exposure:
        assert exposure.band == "g"
        with pytest.raises(BrokenFileError, match=r"archive of .*e\.fits has no object 7, which should be its PSF"):
            _ = exposure.psf
