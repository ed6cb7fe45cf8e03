"""Lossless tile-compressed planes, against astropy's own reading of them."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits

from harness.rerun.exposures import tiles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def compressed(path: Path, pixels: NDArray[Any], **how: Any) -> tuple[fits.Header, NDArray[np.uint8]]:
    """Let astropy compress an image; return the header of its table, and the bytes of the table and heap."""
    settings = {"compression_type": "GZIP_2", "tile_shape": (1, pixels.shape[1]), "quantize_level": 0} | how
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, **settings)]).writeto(path)
    with fits.open(path, disable_image_compression=True) as hdus:
        place = hdus[1].fileinfo()["datLoc"]
        return hdus[1].header.copy(), np.fromfile(path, np.uint8, hdus[1].size, offset=place)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
def test_pixels_come_back_bit_by_bit(tmp_path: Path, dtype: str) -> None:
    """What astropy compressed is decoded to the same bits, infinite ones and those that are not numbers included."""
    rng = np.random.default_rng(4)
    pixels = rng.normal(100, 30, (17, 23)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        pixels[2, :3] = np.nan, np.inf, -0.0
    header, stored = compressed(tmp_path / "c.fits", pixels)
    assert tiles.can_decode(header)
    decoded = tiles.decode(header, stored)
    assert decoded.dtype == np.dtype(dtype)
    assert decoded.tobytes() == pixels.tobytes()


@pytest.mark.parametrize(
    "how",
    [
        {"compression_type": "GZIP_1"},
        {"compression_type": "RICE_1", "quantize_level": 16},
        {"compression_type": "GZIP_2", "quantize_level": 16},
        {"tile_shape": (2, 24)},
        {"tile_shape": (1, 12)},
    ],
    ids=["GZIP_1", "RICE_1", "quantised", "two rows", "half a row"],
)
def test_anything_else_is_left_to_astropy(tmp_path: Path, how: dict[str, Any]) -> None:
    """Other methods, other tiles and quantised values are not taken for rows of lossless pixels."""
    pixels = np.random.default_rng(5).normal(0, 10, (18, 24)).astype(np.float32)
    header, _ = compressed(tmp_path / "c.fits", pixels, **how)
    assert not tiles.can_decode(header)


def test_scaled_integers_are_left_to_astropy(tmp_path: Path) -> None:
    """Unsigned integers are stored with an offset, which is not decoded here."""
    header, _ = compressed(tmp_path / "c.fits", np.full((8, 9), 40000, np.uint16))
    assert header["BZERO"] == 32768
    assert not tiles.can_decode(header)


def test_damaged_tiles_are_not_decoded(tmp_path: Path) -> None:
    """Bytes that are no gzip raise an error instead of giving pixels."""
    header, stored = compressed(tmp_path / "c.fits", np.ones((8, 9), np.float32))
    stored[-20:] ^= 0xFF
    with pytest.raises(zlib.error):
        tiles.decode(header, stored)


def test_missing_tiles_are_told(tmp_path: Path) -> None:
    """A table with fewer tiles than the image has rows is an error."""
    header, stored = compressed(tmp_path / "c.fits", np.ones((8, 9), np.float32))
    header["ZNAXIS2"] = 9
    with pytest.raises(ValueError, match="8 tiles for 9 rows"):
        tiles.decode(header, stored)
