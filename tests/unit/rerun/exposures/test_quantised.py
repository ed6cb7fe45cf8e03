"""Lossy tiles against astropy, which reads them in another way."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits

from harness.rerun.exposures import quantised

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DITHER_1, DITHER_2 = 1, 2


def write(path: Path, pixels: NDArray[Any], **how: Any) -> None:
    """Write pixels in RICE_1, quantised and dithered unless told otherwise."""
    how = {
        "compression_type": "RICE_1",
        "tile_shape": (1, pixels.shape[1]),
        "quantize_level": 16,
        "quantize_method": DITHER_2,
        "dither_seed": 1,
    } | how
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, **how)]).writeto(path)


def stored(path: Path) -> tuple[fits.Header, NDArray[np.uint8]]:
    """Return header and bytes of the table of tiles."""
    with fits.open(path, disable_image_compression=True) as hdus:
        hdu = hdus[1]
        return hdu.header, np.fromfile(path, np.uint8, hdu.size, offset=hdu.fileinfo()["datLoc"])


def noise(rows: int, columns: int) -> NDArray[np.float32]:
    """Return noise with stars."""
    rng = np.random.default_rng(9)
    return (rng.normal(100, 3, (rows, columns)) + 30 * rng.pareto(1.5, (rows, columns))).astype(np.float32)


@pytest.mark.parametrize("method", [DITHER_1, DITHER_2])
@pytest.mark.parametrize("seed", [1, 77, 9990, 10_000])
def test_pixels_are_those_of_astropy(tmp_path: Path, method: int, seed: int) -> None:
    """Bit by bit: with NaN, zeros, rows that stand as they are, and random numbers that begin again."""
    pixels = noise(40, 300)
    pixels[3, 20:40] = np.nan
    pixels[5:8] = np.nan
    pixels[9] = 4.5
    pixels[11:14, ::7] = 0
    write(tmp_path / "e.fits", pixels, quantize_method=method, dither_seed=seed)
    header, table = stored(tmp_path / "e.fits")
    assert quantised.can_decode(header)
    found = quantised.decode(header, table)
    with fits.open(tmp_path / "e.fits") as hdus:
        assert found.tobytes() == hdus[1].data.astype(np.float32).tobytes()
    assert np.nanmax(np.abs(found - pixels)) < 3
    if method == DITHER_2:
        assert not found[pixels == 0].any()


def test_rows_longer_than_the_random_numbers_are_read(tmp_path: Path) -> None:
    """There are 10,000 of them: after the last one a row goes on at another place."""
    write(tmp_path / "e.fits", noise(3, 25_000), dither_seed=9_999)
    header, table = stored(tmp_path / "e.fits")
    with fits.open(tmp_path / "e.fits") as hdus:
        np.testing.assert_array_equal(quantised.decode(header, table), hdus[1].data)


@pytest.mark.parametrize(
    "how",
    [
        {"quantize_method": -1},
        {"tile_shape": (1, 40)},
        {"tile_shape": (8, 80)},
        {"compression_type": "GZIP_2"},
        {"compression_type": "HCOMPRESS_1", "tile_shape": (8, 80)},
    ],
)
def test_anything_else_is_left_to_astropy(tmp_path: Path, how: dict[str, Any]) -> None:
    """Without a dither, in other tiles, or in another code."""
    write(tmp_path / "e.fits", noise(16, 80), **how)
    assert not quantised.can_decode(stored(tmp_path / "e.fits")[0])


def test_whole_numbers_are_left_to_astropy(tmp_path: Path) -> None:
    """They are not quantised."""
    write(tmp_path / "e.fits", noise(16, 80).astype(np.int32))
    assert not quantised.can_decode(stored(tmp_path / "e.fits")[0])


@pytest.mark.parametrize("damage", ["cut off", "garbled", "fewer tiles", "no pixels"])
def test_damaged_tiles_raise(tmp_path: Path, damage: str) -> None:
    """What cannot be decoded is no image."""
    write(tmp_path / "e.fits", noise(16, 80))
    header, table = stored(tmp_path / "e.fits")
    table = table.copy()
    width = header["NAXIS1"]
    match damage:
        case "cut off":
            table = table[: 16 * width + 100]
        case "garbled":
            table[16 * width :] = 255
        case "fewer tiles":
            header["NAXIS2"] = 15
        case "no pixels":
            table[: width * 16].reshape(16, width)[4, :8] = 0
    with pytest.raises((ValueError, zlib.error), match=r"outside|cannot be decoded|15 tiles|while decompressing"):
        quantised.decode(header, table)
