"""What is read of one exposure, and by which way its PSF size is known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from embedded_images import DEEP, FWHM, PLANES, SHAPE, afw, exposure
from embedded_survey import cut_short

from harness.errors import BrokenFileError
from harness.measure.exposures import RecordedSizes, area_of_fwhm, read_exposure
from harness.rerun.exposures.recorded import sizes_schema


def read(folder, content, kind="determinant", recorded=lambda _: None, **wanted):
    """Write an exposure, and read it."""
    path = folder / "e.fits"
    afw().write_exposure(path, content)
    return read_exposure(path, kind, recorded, **wanted)


def sizes(*rows):
    """Return recorded sizes: kind, side, visit, size, FWHM."""
    places = ("kind", "side", "visit", "size", "fwhm")
    known = [dict(zip(places, row, strict=True)) | {"detector": 0, "band": "r", "source": "table"} for row in rows]
    return RecordedSizes(pa.Table.from_pylist(known, sizes_schema()))


SUMMARY = {"psfSigma": 2.5, "psfIxx": 9.0, "psfIyy": 4.0, "psfIxy": 0.0, "psfArea": 80.0, "zeroPoint": 30.0}


@pytest.mark.parametrize(
    ("kind", "fwhm"),
    [
        ("determinant", 2.5 * FWHM),
        ("trace", math.sqrt(6.5) * FWHM),
        ("nea", math.sqrt(80 / (4 * math.pi)) * FWHM),
    ],
)
def test_a_size_of_the_summary_statistics_is_preferred(tmp_path, kind, fwhm):
    """It is taken before one recorded beside the exposure, and before the PSF itself, which is of another size."""
    found = read(tmp_path, exposure(5.0, summary=SUMMARY), kind, lambda _: (9.0, "table"))
    assert found.summary.fwhm == pytest.approx(fwhm)
    assert (found.summary.psf_kind, found.summary.source) == (kind, "summary statistics")
    assert found.summary.nea == pytest.approx(80)


def test_a_size_recorded_beside_the_exposure_comes_next(tmp_path):
    """Only the kind that is asked for is taken: a trace radius does not stand for a determinant."""
    beside = {"trace": (7.0, "task metadata")}.get
    trace = read(tmp_path, exposure(5.0), "trace", beside).summary
    assert (trace.fwhm, trace.psf_kind, trace.source) == (7.0, "trace", "task metadata")
    determinant = read(tmp_path, exposure(5.0), "determinant", beside).summary
    assert determinant.fwhm == pytest.approx(5.0)
    assert (determinant.psf_kind, determinant.source) == ("determinant", "evaluated")


def test_a_size_that_stands_for_none_is_not_taken(tmp_path):
    """Pipelines write NaN, or 0, where there was no size: the PSF is evaluated then."""
    for none in (0.0, math.nan):
        found = read(tmp_path, exposure(5.0, summary={"psfSigma": none}))
        assert (found.summary.source, found.problems) == ("evaluated", {})
        assert found.summary.fwhm == pytest.approx(5.0)
    assert sizes(("science", "", 1, "trace", 0.0)).of("science", "", 1, 0, "trace") is None


def test_an_evaluated_psf_is_that_of_the_middle(tmp_path):
    """A PSF that grows along x is drawn at the centre of the exposure, its origin included."""
    y, x = np.mgrid[-20:21, -20:21]
    narrow, wide = (np.exp(-(x**2 + y**2) / (2 * sigma**2)) for sigma in (2.0, 3.0))
    mean, slope = (narrow + wide) / 2, (wide - narrow) / 2
    x0, middle = 1000, 1000 + (SHAPE[1] - 1) / 2
    psf = afw().PsfexPsfSpec(
        np.array([mean, slope, 0 * slope], np.float32), 1, (middle, 500 + (SHAPE[0] - 1) / 2), (16.0, 12.0)
    )
    found = read(tmp_path, exposure(psf=psf, xy0=(x0, 500)))
    here = afw().KernelPsfSpec(mean)
    assert found.summary.fwhm == pytest.approx(read(tmp_path, exposure(psf=here)).summary.fwhm, rel=1e-3)


def test_the_noise_equivalent_area_is_known_of_any_kind(tmp_path):
    """That of a Gaussian is 4 pi sigma², whatever size is asked for."""
    for kind in ("determinant", "trace", "nea"):
        found = read(tmp_path, exposure(5.0), kind).summary
        assert found.nea == pytest.approx(4 * math.pi * (5 / FWHM) ** 2, rel=2e-3)
        assert found.fwhm == pytest.approx(5.0, rel=1e-3)
    assert area_of_fwhm(FWHM) == pytest.approx(4 * math.pi)


def test_what_is_recorded_of_no_side_is_of_all(tmp_path):
    """A size of the side itself is preferred; that of another side, visit or kind of exposure is not taken."""
    known = sizes(
        ("template", "good", 1, "trace", 3.0), ("template", "", 1, "trace", 4.0), ("template", "deep", 2, "trace", 5.0)
    )
    assert known.of("template", "good", 1, 0, "trace") == (3.0, "table")
    assert known.of("template", "deep", 1, 0, "trace") == (4.0, "table")
    assert known.of("template", "good", 2, 0, "trace") is None
    assert known.of("difference", "good", 1, 0, "trace") is None
    assert known.of("template", "good", 1, 1, "trace") is None
    assert known.sides == ["deep", "good"]
    assert RecordedSizes(None).sides == [""]


def test_sizes_of_other_visits_are_left_out():
    """A shard looks up its own visits in a table of all."""
    rows = [("science", "", visit, "trace", 3.0) for visit in (1, 2, 3)]
    table = pa.Table.from_pylist(
        [dict(zip(("kind", "side", "visit", "size", "fwhm"), row, strict=True)) | {"detector": 0} for row in rows],
        sizes_schema(),
    )
    assert set(RecordedSizes(table, [1, 3]).data_ids) == {(1, 0), (3, 0)}
    assert set(RecordedSizes(table).data_ids) == {(1, 0), (2, 0), (3, 0)}
    assert RecordedSizes(None, [1]).of("science", "", 1, 0, "trace") is None


def test_pixels_that_do_not_count_are_counted(tmp_path):
    """Masked, NaN and infinite ones have no part in the median; a detected source has."""
    variance = np.full(SHAPE, 4.0, np.float32)
    mask = np.zeros(SHAPE, np.int32)
    for row, plane in enumerate(("BAD", "SAT", "EDGE", "NO_DATA")):
        mask[row], variance[row] = 1 << PLANES[plane], 1e6
    variance[4, :5], variance[4, 5:7], variance[4, 7:10] = np.nan, np.inf, -1.0
    variance[0, 0] = np.nan
    mask[10:], variance[10:] = 1 << PLANES["DETECTED"], 9.0
    found = read(tmp_path, exposure(variance=variance, mask=mask)).summary
    columns = SHAPE[1]
    valid = np.r_[np.full(5 * columns + columns - 10, 4.0), np.full(14 * columns, 9.0), np.full(3, -1.0)]
    assert found.variance == np.median(valid)
    assert (found.n_pixels, found.n_masked) == (SHAPE[0] * columns, 4 * columns)
    assert (found.n_nan, found.n_inf, found.n_nonpositive) == (5, 2, 3)


def _as_lsst_images(content):
    """Return an exposure whose planes have the names of `lsst.images`."""
    names = {"SAT": "SATURATED", "EDGE": "DETECTION_EDGE"}
    return replace(content, mask_planes={names.get(name, name): bit for name, bit in content.mask_planes.items()})


def test_mask_planes_have_the_names_of_either_software(tmp_path):
    """Saturated and edge pixels are left out by their old and by their new names."""
    mask = np.zeros(SHAPE, np.int32)
    mask[:3], mask[3:5] = 1 << PLANES["SAT"], 1 << PLANES["EDGE"]
    old = exposure(mask=mask)
    for content in (old, _as_lsst_images(old)):
        assert read(tmp_path, content).summary.n_masked == 5 * SHAPE[1]


@pytest.mark.parametrize(
    ("changes", "lost", "why"),
    [
        ({"variance": np.full(SHAPE, np.nan, np.float32)}, {"variance"}, "no pixel that is neither masked nor NaN"),
        ({"mask": np.full(SHAPE, 1, np.int32)}, {"variance"}, "no pixel that is neither masked nor NaN"),
        ({"mask_planes": {}}, {"variance", "coverage"}, "no dictionary of its planes"),
        ({"psf": None}, {"fwhm", "nea"}, "has no PSF"),
        ({"coadd_inputs": None}, {"input_visits"}, "does not say which visits"),
    ],
)
def test_a_part_that_is_missing_leaves_the_others(tmp_path, changes, lost, why):
    """Each number that cannot be had has its reason, which names the file; all others are there."""
    content = exposure(5.0, 4.0, DEEP, **changes)
    found = read(tmp_path, content, with_inputs=True)
    assert set(found.problems) == lost
    for reason in found.problems.values():
        assert "e.fits" in reason
        assert why in reason
    known = {
        "variance": found.summary.variance == 4.0,
        "fwhm": found.summary.fwhm == pytest.approx(5.0),
        "nea": found.summary.nea > 0,
        "coverage": found.coverage == (1.0),
        "input_visits": found.inputs == DEEP,
    }
    assert {name for name, right in known.items() if not right} == lost
    assert found.summary.zero_point == pytest.approx(31.4)


def test_a_recorded_size_needs_no_psf(tmp_path):
    """An exposure without a PSF, or one that nobody knows, has the sizes that are on record."""
    found = read(tmp_path, exposure(psf=None, summary=SUMMARY))
    assert found.problems == {}
    assert found.summary.fwhm == pytest.approx(2.5 * FWHM)


def test_coverage_is_the_share_of_pixels_with_data(tmp_path):
    """Bad and saturated pixels have data, those of NO_DATA have not."""
    mask = np.zeros(SHAPE, np.int32)
    mask[:6] = 1 << PLANES["NO_DATA"]
    mask[5:8] |= 1 << PLANES["BAD"]
    assert read(tmp_path, exposure(inputs=DEEP, mask=mask), with_inputs=True).coverage == 0.75


def test_inputs_are_those_of_the_coadd(tmp_path):
    """Each visit counts once, whatever number of its detectors went in; none is something else than no record."""
    twice: list[Any] = [(12, 0, 1.0), (11, 0, 1.0), (12, 1, 2.0)]
    assert read(tmp_path, exposure(coadd_inputs=twice), with_inputs=True).inputs == (11, 12)
    none = read(tmp_path, exposure(inputs=()), with_inputs=True)
    assert (none.inputs, none.problems) == ((), {})
    assert read(tmp_path, exposure()).inputs is None


def test_a_digest_is_of_the_pixels_of_the_image(tmp_path):
    """It is the same whatever else the file holds, and another when a pixel is."""
    image = np.arange(SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(SHAPE)
    one = read(tmp_path, exposure(5.0, 4.0, image=image), with_digest=True).digest
    assert one == read(tmp_path, exposure(6.0, 5.0, image=image), with_digest=True).digest
    changed = image.copy()
    changed[3, 4] = np.nextafter(changed[3, 4], np.float32(9e9))
    assert one != read(tmp_path, exposure(image=changed), with_digest=True).digest
    assert read(tmp_path, exposure()).digest == ""


@pytest.mark.parametrize("compression", ["none", "lossless"])
def test_a_file_that_is_cut_off_names_itself(tmp_path, compression):
    """Nothing can be read of it, and it is said so in one sentence."""
    path = tmp_path / "e.fits"
    afw().write_exposure(path, exposure(), compression=compression)
    cut_short(path, 0.4)
    try:
        found = read_exposure(path, "determinant", lambda _: None)
    except BrokenFileError as fault:
        told = str(fault)
    else:
        told = found.problems["variance"]
    assert "e.fits" in told
    assert "\n" not in told


def test_a_file_that_is_not_there_names_itself(tmp_path):
    """So does one that is missing."""
    with pytest.raises(BrokenFileError, match=r"none\.fits is missing"):
        read_exposure(tmp_path / "none.fits", "determinant", lambda _: None)
