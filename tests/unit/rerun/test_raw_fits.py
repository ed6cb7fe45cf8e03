"""Raw camera files: geometry, pixels plain and compressed, and damage."""

from __future__ import annotations

import gzip
import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits

from harness.errors import BrokenFileError
from harness.rerun._rice_kernel import decode_tiles
from harness.rerun.raw_fits import Amplifier, RawFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAMES = [f"1{n}" for n in range(8)] + [f"0{n}" for n in reversed(range(8))]
E2V = {"DATASEC": "[11:522,1:2002]", "DETSEC": "[512:1,1:2002]"}
SMALL = {"DATASEC": "[4:23,1:30]", "DETSEC": "[20:1,1:30]"}


def pixels_of(number: int, dtype: str = "int32", shape: tuple[int, int] = (34, 40)) -> NDArray[Any]:
    """Return noise about a level, with saturated pixels, zeros, and a flat stretch."""
    generator = np.random.default_rng(number)
    pixels = np.rint(generator.normal(25000 + 100 * number, 40, shape))
    pixels[2, ::3] = 65535 if np.dtype(dtype).itemsize == 2 else 262143
    pixels[3, ::2] = 0
    pixels[5:7] = 1234
    return pixels.astype(dtype)


def write(
    path: Path,
    segments: dict[str, NDArray[Any]],
    *,
    compression: str | None = None,
    tile: tuple[int, int] | None = None,
    cards: dict[str, str] = SMALL,
    primary: dict[str, Any] | None = None,
) -> Path:
    """Write segments as a camera does."""
    hdus = [fits.PrimaryHDU()]
    hdus[0].header.update(primary or {})
    for number, data in segments.items():
        hdu = (
            fits.ImageHDU(data)
            if compression is None
            else fits.CompImageHDU(data, compression_type=compression, tile_shape=tile)
        )
        hdu.header["EXTNAME"] = f"Segment{number}"
        hdu.header.update(cards)
        hdus.append(hdu)
    fits.HDUList(hdus).writeto(path)
    return path


def geometry(
    path: Path, shape: tuple[int, int], cards: dict[str, str], primary: dict[str, Any] | None = None
) -> Amplifier:
    """Return the geometry that a file of one segment is read with."""
    with RawFile(write(path, {"10": np.zeros(shape, np.int16)}, cards=cards, primary=primary)) as raw:
        assert raw.problems == {}
        return raw.amplifiers["C10"]


@pytest.mark.parametrize("dtype", ["int32", "uint16", "int16", "uint32"])
@pytest.mark.parametrize(
    ("compression", "tile"),
    [
        (None, None),
        ("RICE_1", None),
        ("RICE_1", (7, 40)),
        ("RICE_1", (34, 40)),
        ("RICE_1", (10, 16)),
        ("GZIP_1", None),
        ("GZIP_2", (7, 40)),
    ],
)
def test_pixels_are_those_written(
    tmp_path: Path, dtype: str, compression: str | None, tile: tuple[int, int] | None
) -> None:
    """Every segment comes back bit for bit and in its type, however it is stored."""
    written = {name: pixels_of(int(name), dtype) for name in NAMES[:2]}
    with RawFile(write(tmp_path / "raw.fits", written, compression=compression, tile=tile)) as raw:
        assert raw.problems == {}
        for name, pixels in written.items():
            found = raw.segment(f"C{name}")
            assert found.dtype == np.dtype(dtype)
            assert found.dtype.isnative
            np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("numbers", [NAMES, NAMES[:8], NAMES[8:], NAMES[2:4]])
def test_amplifiers_have_the_names_and_order_of_the_file(tmp_path: Path, numbers: list[str]) -> None:
    """Segment10 is amplifier C10, for sixteen, eight, or any number of segments."""
    with RawFile(
        write(tmp_path / "raw.fits", {name: np.full((34, 40), int(name), "int32") for name in numbers})
    ) as raw:
        assert list(raw.amplifiers) == [f"C{name}" for name in numbers]
        assert [raw.amplifiers[name].name for name in raw.amplifiers] == list(raw.amplifiers)
        assert [raw.segment(name)[0, 0] for name in raw.amplifiers] == [int(name) for name in numbers]


@pytest.mark.parametrize("dtype", ["int16", "int32"])
@pytest.mark.parametrize("spread", [0, 0.3, 3, 300, 1e4, 1e9])
def test_rice_decodes_any_spread(tmp_path: Path, dtype: str, spread: float) -> None:
    """Blocks without differences, with any number of low bits, and verbatim come out as astropy has written them."""
    limits = np.iinfo(dtype)
    generator = np.random.default_rng(3)
    pixels = np.clip(generator.normal(0, spread, (50, 100)), limits.min, limits.max).astype(dtype)
    pixels[10::7, ::11] = limits.max
    pixels[11::7, ::13] = limits.min
    with RawFile(write(tmp_path / "raw.fits", {"10": pixels}, compression="RICE_1")) as raw:
        np.testing.assert_array_equal(raw.segment("C10"), pixels)


@pytest.mark.parametrize("compression", [None, "RICE_1"])
@pytest.mark.parametrize(
    "cards", [{"BSCALE": 0.5}, {"BZERO": 3.0}, {"BLANK": 1234}, {"BSCALE": 0.5, "BZERO": 3.0, "BLANK": 1234}], ids=str
)
def test_scales_and_blanks_are_applied_as_astropy_does(
    tmp_path: Path, compression: str | None, cards: dict[str, float]
) -> None:
    """What only astropy knows how to read is left to it."""
    path = write(tmp_path / "raw.fits", {"10": pixels_of(1)}, compression=compression)
    for card, value in cards.items():
        fits.setval(path, card, value=value, ext=1)
    with fits.open(path) as hdus, RawFile(path) as raw:
        expected = hdus[1].data
        assert expected.dtype.kind == "f"
        assert np.isnan(expected[5]).all() == ("BLANK" in cards)
        np.testing.assert_array_equal(raw.segment("C10"), expected)


@pytest.mark.parametrize("compression", [None, "RICE_1"])
def test_floats_are_read(tmp_path: Path, compression: str | None) -> None:
    """Pixels may be floats, as in a simulation; compressed ones are quantised."""
    flat = np.random.default_rng(1).normal(1000, 5, (34, 40)).astype(np.float32)
    path = write(tmp_path / "raw.fits", {"10": flat}, compression=compression)
    with fits.open(path) as hdus, RawFile(path) as raw:
        np.testing.assert_array_equal(raw.segment("C10"), hdus[1].data)


def test_short_pixels_in_long_codes_are_read(tmp_path: Path) -> None:
    """The width of the codes may be another than that of the pixels."""
    pixels = np.arange(34 * 40, dtype=np.int32).reshape(34, 40)
    path = write(tmp_path / "raw.fits", {"10": pixels}, compression="RICE_1")
    with fits.open(path, mode="update", disable_image_compression=True) as hdus:
        hdus[1].header["ZBITPIX"] = 16
    with RawFile(path) as raw:
        assert raw.segment("C10").dtype == np.int16
        np.testing.assert_array_equal(raw.segment("C10"), pixels)


def test_a_count_of_low_bits_that_no_coder_writes_is_damage() -> None:
    """More low bits than a verbatim difference has are refused, even if there are bytes enough."""
    image = np.array([0, 0, 0, 7, 0b11111_000, *([0xFF] * 400)], np.uint8)
    tile = np.array([0]), np.array([len(image)]), (32, 5, 25, 32), np.empty((1, 32), np.int32)
    assert decode_tiles(image, *tile) == 0
    image[4] = 0
    assert decode_tiles(image, *tile) == -1
    np.testing.assert_array_equal(tile[-1], 7)


def test_e2v_and_itl_segments(tmp_path: Path) -> None:
    """Without BIASSEC the overscan is what lies to the right of DATASEC, next to the imaging rows."""
    e2v = geometry(tmp_path / "e2v.fits", (2048, 576), E2V)
    rows = slice(0, 2002)
    assert e2v == Amplifier("C10", (rows, slice(10, 522)), (rows, slice(522, 576)), (512, 1, 1, 2002))
    itl = geometry(tmp_path / "itl.fits", (2048, 576), {"DATASEC": "[4:512,1:2000]", "DETSEC": "[509:1,4000:2001]"})
    rows = slice(0, 2000)
    assert itl == Amplifier("C10", (rows, slice(3, 512)), (rows, slice(512, 576)), (509, 1, 4000, 2001))


def test_the_older_template(tmp_path: Path) -> None:
    """Segments of 542 x 2022 pixels have 20 overscan columns, which BIASSEC names."""
    found = geometry(tmp_path / "old.fits", (2022, 542), E2V | {"BIASSEC": "[523:542,1:2002]"})
    assert found.overscan == (slice(0, 2002), slice(522, 542))


def test_biassec_counts_where_it_is_an_overscan(tmp_path: Path) -> None:
    """A BIASSEC within the overscan narrows it; one of another geometry is not believed."""
    narrow = geometry(tmp_path / "narrow.fits", (34, 40), SMALL | {"BIASSEC": "[ 26:38, 1:34]"})
    assert narrow.overscan == (slice(0, 30), slice(25, 38))
    for number, wrong in enumerate(["[523:542,1:2002]", "[20:38,1:30]", "[38:26,1:30]"]):
        found = geometry(tmp_path / f"{number}.fits", (34, 40), SMALL | {"BIASSEC": wrong})
        assert found.overscan == (slice(0, 30), slice(23, 40))


@pytest.mark.parametrize(
    ("cards", "primary", "columns", "rows"),
    [
        ({"DETSEC": "[512:1,1:2002]"}, {}, slice(10, 522), 2002),
        ({"DETSEC": "[510:1018,2001:4000]"}, {}, slice(3, 512), 2000),
        ({}, {"CCD_MANU": "E2V"}, slice(10, 522), 2002),
        ({}, {"CCD_MANU": "e2v"}, slice(10, 522), 2002),
        ({}, {"CCD_MANU": "ITL"}, slice(3, 512), 2000),
    ],
)
def test_without_datasec_the_vendor_tells(
    tmp_path: Path, cards: dict[str, str], primary: dict[str, Any], columns: slice, rows: int
) -> None:
    """The imaging pixels follow from the size on the detector, else from the manufacturer."""
    found = geometry(tmp_path / "raw.fits", (2048, 576), cards, primary)
    assert found.data == (slice(0, rows), columns)
    assert found.overscan == (slice(0, rows), slice(columns.stop, 576))


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({}, "has no DATASEC"),
        ({"DETSEC": "[1:20,1:30]"}, "has no DATASEC"),
        ({"DATASEC": "[4:41,1:30]"}, "has 40x34 pixels"),
        ({"DATASEC": "[4:23,1:35]"}, "has 40x34 pixels"),
        ({"DATASEC": "[0:23,1:30]"}, "has 40x34 pixels"),
        ({"DATASEC": "[23:4,1:30]"}, "has 40x34 pixels"),
        ({"DATASEC": "4:23"}, "has DATASEC = '4:23'"),
    ],
)
def test_an_open_geometry_is_a_problem_of_that_amplifier(tmp_path: Path, cards: dict[str, str], said: str) -> None:
    """A header that leaves the geometry open costs one amplifier, and the sentence says which and why."""
    path = write(tmp_path / "raw.fits", {"10": pixels_of(0), "11": pixels_of(1)})
    fits.delval(path, "DATASEC", ext=1)
    fits.delval(path, "DETSEC", ext=1)
    for card, value in cards.items():
        fits.setval(path, card, value=value, ext=1)
    with RawFile(path) as raw:
        assert list(raw.problems) == ["C10"]
        assert list(raw.amplifiers) == ["C11"]
        assert f"Segment10 in {path} {said}" in raw.problems["C10"]
        with pytest.raises(BrokenFileError, match=re.escape(raw.problems["C10"])):
            raw.segment("C10")
        np.testing.assert_array_equal(raw.segment("C11"), pixels_of(1))


@pytest.mark.parametrize("compression", [None, "RICE_1", "GZIP_1"])
def test_a_file_that_is_cut_off_keeps_the_amplifiers_before(tmp_path: Path, compression: str | None) -> None:
    """Cut in the pixels, before or in a header: what lies before the cut is read, what lies behind is named."""
    written = {name: pixels_of(int(name)) for name in NAMES[:4]}
    path = write(tmp_path / "raw.fits", written, compression=compression)
    with fits.open(path, disable_image_compression=True) as hdus:
        info = hdus[3].fileinfo()
        cuts = {info["datLoc"] + 50: True, info["datLoc"]: True, info["hdrLoc"] + 100: False, info["hdrLoc"]: False}
        whole = {info["datLoc"] + hdus[3].size}  # the padding of the block alone is missing
    content = path.read_bytes()
    for cut, geometry_known in cuts.items():
        path.write_bytes(content[:cut])
        with RawFile(path) as raw:
            assert list(raw.problems) == (["C12"] if geometry_known else [])
            assert ("C12" in raw.amplifiers) == geometry_known
            assert "C13" not in raw.amplifiers
            for name in ("C10", "C11"):
                np.testing.assert_array_equal(raw.segment(name), written[name[1:]])
            said = "is cut off: the file ends at byte" if geometry_known else "has no amplifier C12"
            with pytest.raises(BrokenFileError, match=f"{said}.*; fetch the file again or leave it out"):
                raw.segment("C12")
    for cut in whole:
        path.write_bytes(content[:cut])
        with RawFile(path) as raw:
            assert raw.problems == {}
            np.testing.assert_array_equal(raw.segment("C12"), written["12"])


def test_a_missing_extension_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    """What another exposure has and this one has not is an error that names file, amplifier and what is there."""
    path = write(tmp_path / "raw.fits", {"10": pixels_of(0), "12": pixels_of(2)})
    with RawFile(path) as raw:
        assert raw.problems == {}
        with pytest.raises(BrokenFileError, match=r"raw.fits has no amplifier C11 \(there are: C10, C12\)"):
            raw.segment("C11")


def test_an_extension_that_is_there_twice_is_not_read(tmp_path: Path) -> None:
    """Of two extensions of one name neither is taken."""
    path = write(tmp_path / "raw.fits", {"10": pixels_of(0), "11": pixels_of(1)})
    fits.append(path, pixels_of(2), fits.Header({"EXTNAME": "Segment10", **SMALL}))
    with RawFile(path) as raw:
        assert "two extensions Segment10" in raw.problems["C10"]
        np.testing.assert_array_equal(raw.segment("C11"), pixels_of(1))


def test_tables_and_other_extensions_are_passed_over(tmp_path: Path) -> None:
    """Test stand files hold tables and images of other names; a segment without rows and columns is a problem."""
    path = write(tmp_path / "raw.fits", {"10": pixels_of(0)})
    fits.append(path, np.zeros(3, [("AMP0_MEAS_TIMES", "f8")]), fits.Header({"EXTNAME": "AMP0.MEAS_TIMES"}))
    fits.append(path, np.zeros((2, 2)), fits.Header({"EXTNAME": "REB_COND"}))
    fits.append(path, np.zeros(5), fits.Header({"EXTNAME": "Segment11"}))
    with RawFile(path) as raw:
        assert list(raw.amplifiers) == ["C10"]
        assert "Segment11 in" in raw.problems["C11"]
        assert "is not an image of rows and columns" in raw.problems["C11"]


@pytest.mark.parametrize("tile", [None, (7, 40)])
def test_damaged_pixels_cost_one_amplifier(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    """Compressed bytes overwritten with nonsense are found out or harmless, and never touch another amplifier."""
    written = {name: pixels_of(int(name)) for name in NAMES[:3]}
    path = write(tmp_path / "raw.fits", written, compression="RICE_1", tile=tile)
    with fits.open(path, disable_image_compression=True) as hdus:
        start, size = hdus[2].fileinfo()["datLoc"], hdus[2].size
        heap = hdus[2].header["NAXIS1"] * hdus[2].header["NAXIS2"]
    content = path.read_bytes()
    zeros = content[: start + heap] + bytes(size - heap) + content[start + size :]
    offsets = content[: start + 4] + b"\x7f" + content[start + 5 :]
    shortened = content[:start] + b"\x00\x00\x00\x03" + content[start + 4 :]
    for broken, said in ((offsets, "tile 1 lies outside"), (shortened, "tile 1 cannot be decoded"), (zeros, None)):
        path.write_bytes(broken)
        with RawFile(path) as raw:
            if said is not None:
                with pytest.raises(BrokenFileError, match=rf"Segment11 in .*raw.fits cannot be read \({said}"):
                    raw.segment("C11")
            else:
                assert not (raw.segment("C11") == written["11"]).all()
            for name in ("C10", "C12"):
                np.testing.assert_array_equal(raw.segment(name), written[name[1:]])


def test_bytes_at_random_never_escape_the_tile(tmp_path: Path) -> None:
    """Whatever the bits say, decoding ends, with pixels or with the error that says what to do."""
    path = write(tmp_path / "raw.fits", {"10": pixels_of(0)}, compression="RICE_1")
    with fits.open(path, disable_image_compression=True) as hdus:
        heap = hdus[1].fileinfo()["datLoc"] + hdus[1].header["NAXIS1"] * hdus[1].header["NAXIS2"]
        size = hdus[1].header["PCOUNT"]
    content = path.read_bytes()
    refused = 0
    for seed in range(100):
        noise = np.random.default_rng(seed).integers(0, 256, size, np.uint8).tobytes()
        path.write_bytes(content[:heap] + noise + content[heap + size :])
        with RawFile(path) as raw:
            try:
                assert raw.segment("C10").shape == (34, 40)
            except BrokenFileError:
                refused += 1
    assert refused > 90


@pytest.mark.parametrize("content", [b"", b"not FITS", b"SIMPLE  =                    T", b"\x1f\x8b nonsense"])
def test_what_is_not_fits_is_named(tmp_path: Path, content: bytes) -> None:
    """A file that astropy cannot open is one sentence with its name and the way out."""
    path = tmp_path / "raw.fits"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=r"raw.fits cannot be read as FITS \(.+\); fetch the file again"):
        RawFile(path)


def test_what_is_missing_or_without_segments_is_named(tmp_path: Path) -> None:
    """No file, no image, or images of another kind are told apart."""
    with pytest.raises(BrokenFileError, match=r"none.fits cannot be read as FITS \(.*No such file"):
        RawFile(tmp_path / "none.fits")
    fits.PrimaryHDU().writeto(tmp_path / "bare.fits")
    with pytest.raises(BrokenFileError, match=r"bare.fits has no amplifier: no extension is named Segment10 or alike"):
        RawFile(tmp_path / "bare.fits")
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "image.fits")
    with pytest.raises(BrokenFileError, match=r"image.fits has no amplifier"):
        RawFile(tmp_path / "image.fits")


def test_the_primary_header(tmp_path: Path) -> None:
    """Its cards are there as Python values; a card that makes no sense is left out without a warning."""
    path = write(tmp_path / "raw.fits", {"10": pixels_of(0)}, primary={"EXPTIME": 12.5, "CCD_MANU": "E2V"})
    content = path.read_bytes()
    assert b"EXPTIME =                 12.5" in content
    path.write_bytes(content.replace(b"CCD_MANU= 'E2V     '", b"CCD_MANU= \x01E2V     '"))
    with RawFile(path) as raw:
        assert raw.header["EXPTIME"] == 12.5
        assert "CCD_MANU" not in raw.header
        assert raw.amplifiers["C10"].data == (slice(0, 30), slice(3, 23))


def test_nothing_is_left_open(tmp_path: Path) -> None:
    """Files are closed after use and after an error, pixels stay valid, and opening warns of nothing."""
    path = write(tmp_path / "raw.fits", {"10": pixels_of(0)}, compression="GZIP_1")
    with warnings.catch_warnings(action="error"):
        with RawFile(path) as raw:
            pixels = raw.segment("C10")
        path.write_bytes(b"\x00" * 10)
        np.testing.assert_array_equal(pixels, pixels_of(0))
        with pytest.raises(BrokenFileError):
            RawFile(path)


@pytest.mark.parametrize("compression", [None, "RICE_1"])
def test_file_compressed_as_a_whole_is_read(tmp_path: Path, compression: str | None) -> None:
    """Its size on the disk is no reason to call it cut off, and places in it are not places on the disk."""
    pixels = pixels_of(3)
    plain = write(tmp_path / "raw.fits", {"10": pixels}, compression=compression)
    packed = tmp_path / "raw.fits.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with RawFile(packed) as raw:
        assert raw.problems == {}
        np.testing.assert_array_equal(raw.segment("C10"), pixels)
