"""Visit images, difference images and coadds of lsst.images, in FITS and in JSON."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from lsst_images_files import Compression, Inline, Table, node, write_fits, write_json

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.lsst_images import LsstImagesExposure, TemplateCoadd
from harness.rerun.exposures.protocol import CoaddInput

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

SHAPE = (20, 30)
GENERATOR = np.random.default_rng(1)
IMAGE = GENERATOR.normal(size=SHAPE).astype(np.float32)
VARIANCE = GENERATOR.uniform(1, 2, SHAPE).astype(np.float32)
MASK = GENERATOR.integers(0, 8, SHAPE).astype(np.int32)
IMAGE[3, 4] = VARIANCE[3, 4] = np.nan
VARIANCE[3, 5] = np.inf
PLANES: list[dict[str, str] | None] = [
    {"name": "BAD", "description": "Bad."},
    None,
    {"name": "SATURATED", "description": "Saturated."},
    {"name": "NO_DATA", "description": "Nothing."},
]
BOX = {"y": {"start": 200, "stop": 220}, "x": {"start": 1000, "stop": 1030}}

Writer = "Callable[[Path, Any], Path]"


def image_node(pixels: NDArray[Any], unit: str | None) -> dict[str, Any]:
    """Return the node of an image or variance."""
    data = pixels if unit is None else {"value": pixels, "unit": unit}
    return node("image", data=data, yx0=[200, 1000])


def tree(schema: str = "visit_image", unit: str | None = "nJy", **content: Any) -> dict[str, Any]:
    """Return an exposure, with parts of one's own; None leaves a part out."""
    usual: dict[str, Any] = {
        "image": image_node(IMAGE, unit),
        "mask": node("mask", data=[MASK], yx0=[200, 1000], planes=PLANES, dtype="uint8"),
        "variance": image_node(VARIANCE, unit and f"{unit}**2"),
        "psf": node("gaussian_psf", sigma=2.5, stamp_size=11, bounds=BOX),
        "band": "r",
    }
    parts = {name: value for name, value in (usual | content).items() if value is not None}
    return node(schema, **parts)


@pytest.fixture(params=[write_fits, write_json])
def write(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], Path]:
    """Return a writer of either form."""
    return lambda content: request.param(tmp_path / "exposure", content)


def test_planes_are_those_of_the_file(write: Callable[[Any], Path]) -> None:
    """Pixels, type, origin (written y first) and units come back, read-only."""
    with LsstImagesExposure(write(tree())) as exposure:
        assert (exposure.shape, exposure.xy0, exposure.unit, exposure.band) == (SHAPE, (1000, 200), "nJy", "r")
        for plane, expected in ((exposure.image, IMAGE), (exposure.variance, VARIANCE), (exposure.mask, MASK)):
            np.testing.assert_array_equal(plane, expected)
            assert plane.dtype == expected.dtype
            assert not plane.flags.writeable
        assert exposure.lossy == frozenset()
        assert exposure.coadd_inputs is None
        assert exposure.templates is None


def test_bits_of_reserved_planes_are_not_stored(write: Callable[[Any], Path]) -> None:
    """A plane that is kept free has no bit in what is stored: later planes move down."""
    with LsstImagesExposure(write(tree())) as exposure:
        assert exposure.mask_planes == {"BAD": 0, "SATURATED": 1, "NO_DATA": 2}


@pytest.mark.parametrize("tiles", [(1, 30), (10, 10)])
def test_compressed_planes_are_read(tmp_path: Path, tiles: tuple[int, int]) -> None:
    """Lossless tiles, rows as of a visit or cells as of a coadd, give the same pixels; quantised ones are told."""
    lossless = {"compression_type": "GZIP_2", "quantize_level": 0.0, "tile_shape": tiles}
    lossy = {"compression_type": "RICE_1", "quantize_level": 16, "tile_shape": tiles, "quantize_method": 2}
    compression = Compression({"IMAGE": lossless, "MASK": lossless, "VARIANCE": lossy})
    path = write_fits(tmp_path / "e.fits", tree(variance=image_node(np.abs(IMAGE[::-1]), "nJy**2")), compression)
    with LsstImagesExposure(path) as exposure:
        np.testing.assert_array_equal(exposure.image, IMAGE)
        np.testing.assert_array_equal(exposure.mask, MASK)
        np.testing.assert_allclose(exposure.variance, np.abs(IMAGE[::-1]), atol=0.2)
        assert exposure.lossy == {"variance"}


def test_world_coordinates_are_those_of_the_header(tmp_path: Path) -> None:
    """The WCS in the header of the image is of the stored array, compressed or not; JSON has none."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [50.0, -30.0], [15, 10]
    wcs.wcs.cdelt = [-5e-5, 5e-5]
    compression = Compression({"IMAGE": {"compression_type": "GZIP_2"}}, {"IMAGE": wcs.to_header()})
    for path in (
        write_fits(tmp_path / "compressed.fits", tree(), compression),
        write_fits(tmp_path / "plain.fits", tree(), Compression(cards=compression.cards)),
    ):
        with LsstImagesExposure(path) as exposure:
            assert exposure.wcs is not None
            np.testing.assert_allclose(exposure.wcs.wcs_pix2world([[3, 4]], 0), wcs.wcs_pix2world([[3, 4]], 0))
    with LsstImagesExposure(write_json(tmp_path / "e.json", tree())) as exposure:
        assert exposure.wcs is None


def test_visit_info_is_in_tai(write: Callable[[Any], Path]) -> None:
    """The middle of the exposure lies between its ends, Julian dates of two parts."""
    begin = Time("2024-11-09T06:13:11.034", scale="tai")
    observation = {
        "exposure_time": 30.0,
        "datetime_begin": [begin.jd1, begin.jd2],
        "datetime_end": [begin.jd1, begin.jd2 + 30.5 / 86400],
        "tracking_radec": [53.3, -28.1],
        "boresight_airmass": 1.04,
        "physical_filter": "r_03",
    }
    with LsstImagesExposure(write(tree(obs_info=observation, band=None))) as exposure:
        info = exposure.visit_info
        assert (info.exposure_time, info.ra, info.dec, info.airmass) == (30.0, 53.3, -28.1, 1.04)
        assert (info.mjd_tai - begin.mjd) * 86400 == pytest.approx(15.25, abs=1e-4)
        assert exposure.band == "r_03"


def test_visit_info_takes_what_there_is(write: Callable[[Any], Path]) -> None:
    """Without its end, the exposure time tells the middle; without anything all is NaN."""
    observation = {"exposure_time": 60.0, "datetime_begin": [2460624.5, 0.0], "boresight_airmass": None}
    with LsstImagesExposure(write(tree(obs_info=observation))) as exposure:
        assert exposure.visit_info.mjd_tai == pytest.approx(60624 + 30 / 86400, abs=1e-9)
        assert math.isnan(exposure.visit_info.ra)


def test_a_coadd_was_not_taken_at_a_time(tmp_path: Path) -> None:
    """Without observation info everything about the visit is NaN, and the band may be empty."""
    with LsstImagesExposure(write_json(tmp_path / "e.json", tree("cell_coadd", band=None))) as exposure:
        info = exposure.visit_info
        assert all(math.isnan(value) for value in (info.exposure_time, info.mjd_tai, info.ra, info.dec, info.airmass))
        assert exposure.band == ""


def test_summary_has_finite_numbers_alone(write: Callable[[Any], Path]) -> None:
    """NaN, lists and the marks of the schema are no statistics."""
    stats = node("observation_summary_stats", psfSigma=2.5, nPsfStar=93, psfArea=math.nan, raCorners=[1.0, 2.0])
    with LsstImagesExposure(write(tree(summary_stats=stats))) as exposure:
        assert exposure.summary == {"psfSigma": 2.5, "nPsfStar": 93.0}


def chebyshev(coefficients: NDArray[np.float64], unit: str | None = None) -> dict[str, Any]:
    """Return the node of a field over a detector of 1200 by 400 pixels."""
    bounds = {"y": {"start": 0, "stop": 400}, "x": {"start": 0, "stop": 1200}}
    return node("chebyshev_field", bounds=bounds, coefficients=Inline(coefficients), unit=unit, field_type="CHEBYSHEV")


def evaluated(coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return such a field at all pixels of the exposure, from T_n(t) = cos(n arccos t)."""
    y = np.arccos((np.arange(200, 220) + 0.5) / 200 - 1)
    x = np.arccos((np.arange(1000, 1030) + 0.5) / 600 - 1)
    orders_y, orders_x = (np.arange(n) for n in coefficients.shape)
    return np.asarray(np.cos(np.outer(y, orders_y)) @ coefficients @ np.cos(np.outer(orders_x, x)))


@pytest.mark.parametrize("field_type", ["PRODUCT", "SUM"])
def test_zero_point_is_the_mean_of_the_scaling(write: Callable[[Any], Path], field_type: str) -> None:
    """The magnitude of one electron follows from the mean scaling over the pixels there are."""
    first = np.array([[2.0, 0.3, -0.1], [0.5, 0.2, 0.0]])
    second = np.array([[0.25], [0.02]])
    scaling = node("field", operands=[chebyshev(first), chebyshev(second, "nJy / electron")], field_type=field_type)
    parts = evaluated(first), evaluated(second)
    mean = np.mean(parts[0] * parts[1] if field_type == "PRODUCT" else parts[0] + parts[1])
    with LsstImagesExposure(write(tree(unit="electron", photometric_scaling=scaling))) as exposure:
        assert exposure.zero_point == pytest.approx(31.4 - 2.5 * math.log10(mean), abs=1e-6)


def test_zero_point_of_calibrated_pixels_is_that_of_the_unit(write: Callable[[Any], Path]) -> None:
    """Pixels in nJy have been scaled, whatever the scaling was."""
    scaling = chebyshev(np.array([[0.25]]), "nJy / electron")
    with LsstImagesExposure(write(tree(photometric_scaling=scaling))) as exposure:
        assert exposure.zero_point == 31.4


@pytest.mark.parametrize(
    "scaling",
    [
        None,
        chebyshev(np.array([[0.25]])),
        chebyshev(np.array([[0.25]]), "Jy / adu"),
        chebyshev(np.array([[-1.0]]), "nJy / adu"),
        node("spline_field", unit="nJy / adu", field_type="SPLINE"),
    ],
)
def test_zero_point_is_unknown_without_a_scaling(tmp_path: Path, scaling: Any) -> None:
    """No scaling, one to another unit, a negative one, and one of a kind unknown give none."""
    path = write_json(tmp_path / "e.json", tree(unit=None, photometric_scaling=scaling))
    with LsstImagesExposure(path) as exposure:
        assert math.isnan(exposure.zero_point)
        assert exposure.unit == ""


def contributions(visits: list[int], detectors: list[int], weights: list[float]) -> dict[str, Any]:
    """Return the provenance of a coadd: a row for each cell that an input went into."""
    columns = {
        "cell_i": np.arange(len(visits), dtype=np.uint16),
        "visit": np.array(visits, np.uint64),
        "detector": np.array(detectors, np.uint16),
        "weight": np.array(weights, np.float64),
    }
    return node("coadd_provenance", instrument="LSSTCam", contributions=Table(columns))


def test_inputs_of_a_coadd_are_counted_once(write: Callable[[Any], Path]) -> None:
    """An input is a visit of one detector, with its mean weight over the cells it went into."""
    provenance = contributions([2025052000178, 7, 7, 7], [96, 3, 4, 3], [1.0, 2.0, 5.0, 4.0])
    with LsstImagesExposure(write(tree("cell_coadd", provenance=provenance))) as exposure:
        assert exposure.coadd_inputs == (
            CoaddInput(7, 3, 3.0),
            CoaddInput(7, 4, 5.0),
            CoaddInput(2025052000178, 96, 1.0),
        )


def test_a_coadd_may_have_no_inputs(write: Callable[[Any], Path]) -> None:
    """Nothing went into it, which is not the same as not knowing."""
    with LsstImagesExposure(write(tree("cell_coadd", provenance=contributions([], [], [])))) as exposure:
        assert exposure.coadd_inputs == ()


def test_a_coadd_without_provenance_has_unknown_inputs(write: Callable[[Any], Path]) -> None:
    """The error names the coadd."""
    with (
        LsstImagesExposure(write(tree("cell_coadd"))) as exposure,
        pytest.raises(NotMeasuredError, match="exposure does not say what went into it"),
    ):
        _ = exposure.coadd_inputs


def test_templates_of_a_difference_are_named(write: Callable[[Any], Path]) -> None:
    """Each patch of the template is told with its dataset."""
    patch = {
        "skymap": "cells",
        "tract": 9571,
        "patch": 97,
        "dataset_id": "019d",
        "dataset_run": "runs/1",
        "bounds": BOX,
    }
    content = tree("difference_image", templates=[patch])
    content["schema_version"] = "1.2.0.dev"  # minor versions may be newer
    with LsstImagesExposure(write(content)) as exposure:
        assert exposure.templates == (TemplateCoadd("cells", 9571, 97, "019d", "runs/1"),)


def test_missing_planes_are_not_measured(write: Callable[[Any], Path]) -> None:
    """What was never written is named, and the rest can be read."""
    with LsstImagesExposure(write(tree(variance=None, mask=None, psf=None))) as exposure:
        assert exposure.psf is None
        np.testing.assert_array_equal(exposure.image, IMAGE)
        for name in ("variance", "mask", "mask_planes"):
            with pytest.raises(NotMeasuredError, match=r"exposure has no (variance|mask); write"):
                getattr(exposure, name)
        assert exposure.lossy == frozenset()


@pytest.mark.parametrize(
    ("planes", "said"), [([None], "has no list of its planes"), (PLANES[:1] * 32, "has more than 31 planes")]
)
def test_masks_that_cannot_be_told_are_not_measured(tmp_path: Path, planes: list[Any], said: str) -> None:
    """A mask needs names of its planes, and as few as one array holds."""
    mask = node("mask", data=[MASK] * math.ceil(len(planes) / 31), yx0=[0, 0], planes=planes, dtype="uint8")
    with LsstImagesExposure(write_json(tmp_path / "e.json", tree(mask=mask))) as exposure:
        with pytest.raises(NotMeasuredError, match=said):
            _ = exposure.mask_planes
        if len(planes) > 31:
            with pytest.raises(NotMeasuredError, match=said):
                _ = exposure.mask


@pytest.mark.parametrize("part", ["", "mask", "psf"])
def test_newer_versions_are_refused_by_name(write: Callable[[Any], Path], part: str) -> None:
    """A file, or a part of it, that asks for a newer reader says so."""
    content = tree()
    (content[part] if part else content)["min_read_version"] = 2
    name = {"": "visit_image", "mask": "mask", "psf": "gaussian_psf"}[part]
    with (
        pytest.raises(BrokenFileError, match=rf"newer lsst\.images \(its {name} 1\.0\.0 asks for reader 2"),
        LsstImagesExposure(write(content)) as exposure,
    ):
        _ = exposure.psf, exposure.mask


def test_a_newer_layout_is_refused(tmp_path: Path) -> None:
    """The layout of FITS files has a version of its own."""
    with pytest.raises(BrokenFileError, match="layout of FITS files, version 2"):
        LsstImagesExposure(write_fits(tmp_path / "e.fits", tree(), FMTVER=2))


def test_other_things_are_no_exposures(write: Callable[[Any], Path]) -> None:
    """What lsst.images stores beside exposures is named."""
    with pytest.raises(BrokenFileError, match=r"is no exposure, but a color_image of lsst\.images"):
        LsstImagesExposure(write(node("color_image")))


def test_json_of_another_kind_is_refused(tmp_path: Path) -> None:
    """JSON without a schema, and text that is none, are told apart."""
    for text in ('{"a": 1}', "[1]"):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(BrokenFileError, match=r"other\.json is no file of lsst\.images"):
            LsstImagesExposure(tmp_path / "other.json")
    (tmp_path / "cut.json").write_text(json.dumps({"schema_url": "x"})[:-3])
    with pytest.raises(BrokenFileError, match=r"cut\.json cannot be read"):
        LsstImagesExposure(tmp_path / "cut.json")
    with pytest.raises(BrokenFileError, match=r"gone\.json is missing"):
        LsstImagesExposure(tmp_path / "gone.json")


@pytest.mark.parametrize("lost", [2880, 5 * 2880, 12 * 2880])
def test_files_that_are_cut_off_are_broken(tmp_path: Path, lost: int) -> None:
    """The tree and the index stand at the end of a FITS file: what lacks them, or a part of them, is not whole."""
    path = write_fits(tmp_path / "e.fits", tree(metadata={"long": "x" * 20000}))
    content = path.read_bytes()
    path.write_bytes(content[:-lost])
    with pytest.raises(BrokenFileError, match=r"e\.fits (is cut off|cannot be read)"):
        LsstImagesExposure(path)


def test_damage_is_named(tmp_path: Path) -> None:
    """Sizes that disagree, sources that are not there, and parts of another shape are told with the plane."""
    content = tree(variance=image_node(VARIANCE[:-1], "nJy**2"), psf=node("gaussian_psf", stamp_size=5))
    with LsstImagesExposure(write_fits(tmp_path / "sizes.fits", content)) as exposure:
        with pytest.raises(BrokenFileError, match=r"the variance of .*sizes\.fits has \(19, 30\) pixels, its image"):
            _ = exposure.variance
        with pytest.raises(BrokenFileError, match=r"the PSF of .*sizes\.fits cannot be read \(KeyError"):
            _ = exposure.psf
    lost = node("image", data={"source": "fits:NOWHERE", "shape": [20, 30], "datatype": "float32"}, yx0=[0, 0])
    for path, said in (
        (write_fits(tmp_path / "lost.fits", tree(image=lost)), r"the image of .*lost\.fits cannot be read \(KeyError"),
        (write_json(tmp_path / "lost.json", tree(image=lost)), "its source 'fits:NOWHERE' is no HDU of this file"),
    ):
        with LsstImagesExposure(path) as exposure, pytest.raises(BrokenFileError, match=said):
            _ = exposure.image
    with pytest.raises(BrokenFileError, match=r"the image of .*no\.json cannot be read"):
        LsstImagesExposure(write_json(tmp_path / "no.json", tree(image=node("image", data=IMAGE, yx0=[1]))))


def test_pixels_of_another_shape_than_told_are_broken(tmp_path: Path) -> None:
    """The tree and the HDU must agree."""
    path = write_fits(tmp_path / "e.fits", tree())
    with fits.open(path, mode="update") as hdus:
        hdus["VARIANCE"].data = VARIANCE.T.copy()
    with LsstImagesExposure(path) as exposure, pytest.raises(BrokenFileError, match="has the shape"):
        _ = exposure.variance
