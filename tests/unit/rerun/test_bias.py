"""Biases of segments and of assembled images, and what is said of those that do not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits
from flat_files import LEVEL, SMALL, write

from harness.errors import BrokenFileError
from harness.rerun.bias import read_bias
from harness.rerun.raw_fits import RawFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.rerun.raw_fits import Amplifier


@pytest.fixture
def planes() -> dict[str, NDArray[Any]]:
    """Return structure that no flip leaves as it is, other in each amplifier, whole adu."""
    rows, columns = np.mgrid[: SMALL.rows, : SMALL.columns]
    return {name: (100 * number + columns + 3 * rows).astype(np.float32) for number, name in enumerate(SMALL.names)}


@pytest.fixture
def amplifiers(tmp_path: Path) -> dict[str, Amplifier]:
    """Return the amplifiers of a flat."""
    path = write(tmp_path / "flat.fits", {name: np.zeros(SMALL.shape, np.int32) for name in SMALL.names})
    with RawFile(path) as raw:
        return dict(raw.amplifiers)


def raw_frame(planes: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return segments as a camera reads them, level included."""
    segments = {name: np.full(SMALL.shape, LEVEL, np.int32) for name in planes}
    for name, plane in planes.items():
        segments[name][SMALL.imaging] += plane.astype(np.int32)
    return segments


@pytest.mark.parametrize("compression", [None, "RICE_1"])
def test_segments_lose_their_overscan_level(
    tmp_path: Path, planes: dict[str, NDArray[Any]], amplifiers: dict[str, Amplifier], compression: str | None
) -> None:
    """A raw bias frame serves: what is left is its structure, not its level."""
    bias = read_bias(write(tmp_path / "bias.fits", raw_frame(planes), compression=compression))
    for name, plane in planes.items():
        np.testing.assert_array_equal(bias.plane(amplifiers[name]), plane)


def test_segments_without_overscan_are_taken_as_they_are(
    tmp_path: Path, planes: dict[str, NDArray[Any]], amplifiers: dict[str, Amplifier]
) -> None:
    """A mean bias by segments, cut to the imaging pixels, has no level any more."""
    trimmed = replace(SMALL, prescan=0, overscan=0, parallel=0)
    bias = read_bias(write(tmp_path / "bias.fits", planes, trimmed))
    for name, plane in planes.items():
        np.testing.assert_array_equal(bias.plane(amplifiers[name]), plane)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_assembled_image_is_flipped_back(
    tmp_path: Path, planes: dict[str, NDArray[Any]], amplifiers: dict[str, Amplifier], compressed: bool, dtype: type
) -> None:
    """Each amplifier is cut out by DETSEC and turned the way it is read; masks behind the image do not count."""
    image = SMALL.assembled(planes).astype(dtype)
    hdus = [fits.CompImageHDU(plane) if compressed else fits.ImageHDU(plane) for plane in (image, image * 0)]
    path = tmp_path / "bias.fits"
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    bias = read_bias(path)
    for name, plane in planes.items():
        cut = bias.plane(amplifiers[name])
        assert cut.dtype == np.dtype("=f4")
        assert np.shares_memory(cut, bias.image)
        np.testing.assert_allclose(cut, plane, atol=0.1 if compressed and dtype is np.float32 else 0)


def test_image_in_the_primary_header_unit(
    tmp_path: Path, planes: dict[str, NDArray[Any]], amplifiers: dict[str, Amplifier]
) -> None:
    """The first image counts wherever it stands."""
    fits.writeto(tmp_path / "bias.fits", SMALL.assembled(planes))
    np.testing.assert_array_equal(read_bias(tmp_path / "bias.fits").plane(amplifiers["C01"]), planes["C01"])


def test_image_of_another_size(tmp_path: Path, amplifiers: dict[str, Amplifier]) -> None:
    """Amplifiers that lie outside are named, with where they lie; those within can be cut."""
    fits.writeto(tmp_path / "narrow.fits", np.zeros((2 * SMALL.rows, SMALL.columns), np.float32))
    with pytest.raises(BrokenFileError, match=r"has 64x200 pixels, and amplifier C11 lies at \[128:65,1:100\]"):
        read_bias(tmp_path / "narrow.fits").plane(amplifiers["C11"])
    fits.writeto(tmp_path / "bias.fits", np.zeros((SMALL.rows, 2 * SMALL.columns), np.float32))
    bias = read_bias(tmp_path / "bias.fits")
    assert bias.plane(amplifiers["C11"]).shape == (100, 64)
    with pytest.raises(BrokenFileError) as raised:
        bias.plane(amplifiers["C01"])
    assert str(raised.value) == (
        f"bias {tmp_path}/bias.fits has 128x100 pixels, and amplifier C01 lies at [65:128,200:101]; "
        "use the bias of this detector"
    )


def test_image_without_detsec(tmp_path: Path, amplifiers: dict[str, Amplifier]) -> None:
    """Flats that do not say where amplifiers lie cannot have an assembled bias."""
    fits.writeto(tmp_path / "bias.fits", np.zeros((200, 128), np.float32))
    with pytest.raises(BrokenFileError, match="add DETSEC to their headers or use a bias of segments"):
        read_bias(tmp_path / "bias.fits").plane(replace(amplifiers["C10"], detsec=None))


def test_segments_of_another_size(
    tmp_path: Path, planes: dict[str, NDArray[Any]], amplifiers: dict[str, Amplifier]
) -> None:
    """Both sizes are told."""
    segments = raw_frame(planes)
    segments["C11"] = segments["C11"][:-10]
    bias = read_bias(write(tmp_path / "bias.fits", segments))
    assert bias.plane(amplifiers["C10"]).shape == (100, 64)
    with pytest.raises(BrokenFileError, match="has 64x90 pixels for amplifier C11, and the flats have 64x100; use the"):
        bias.plane(amplifiers["C11"])


def test_segment_that_is_missing(
    tmp_path: Path, planes: dict[str, NDArray[Any]], amplifiers: dict[str, Amplifier]
) -> None:
    """A bias that lacks an amplifier says which it has; nothing is taken for zero."""
    segments = raw_frame(planes)
    del segments["C11"]
    bias = read_bias(write(tmp_path / "bias.fits", segments))
    with pytest.raises(BrokenFileError, match=r"has no amplifier C11 \(there are: C10, C01, C00\); it is cut"):
        bias.plane(amplifiers["C11"])


def test_segment_that_is_cut_off(
    tmp_path: Path, planes: dict[str, NDArray[Any]], amplifiers: dict[str, Amplifier]
) -> None:
    """The segments before the cut serve, those after it are not there."""
    path = write(tmp_path / "bias.fits", raw_frame(planes))
    path.write_bytes(path.read_bytes()[:-50_000])
    bias = read_bias(path)
    np.testing.assert_array_equal(bias.plane(amplifiers["C10"]), planes["C10"])
    with pytest.raises(BrokenFileError, match=r"Segment01 in .* is cut off"):
        bias.plane(amplifiers["C01"])
    with pytest.raises(BrokenFileError, match=r"has no amplifier C00 \(there are: C10, C11\); it is cut off, or"):
        bias.plane(amplifiers["C00"])


def test_segment_of_unknown_geometry(
    tmp_path: Path, planes: dict[str, NDArray[Any]], amplifiers: dict[str, Amplifier]
) -> None:
    """A header that makes no sense is told instead of a missing amplifier."""
    path = write(tmp_path / "bias.fits", raw_frame(planes))
    fits.setval(path, "DATASEC", value="[4:67]", ext=2)
    with pytest.raises(BrokenFileError, match=r"^Segment11 in .* has DATASEC = '\[4:67\]'"):
        read_bias(path).plane(amplifiers["C11"])


@pytest.mark.parametrize("keep", [0, 100, 2880, 40_000])
def test_what_is_no_bias(tmp_path: Path, planes: dict[str, NDArray[Any]], keep: int) -> None:
    """Files that are empty, cut off, or not FITS are broken."""
    path = tmp_path / "bias.fits"
    fits.writeto(path, SMALL.assembled(planes))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BrokenFileError, match=str(path)):
        read_bias(path)
