"""Background files: lists of binned statistics as afw lays them out, plain images, and damage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.backgrounds import read_background

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NATURAL, AKIMA_PERIODIC, REDUCE, THROW = 2, 6, 1, 0
BOX = {"X0": 40, "Y0": -7, "WIDTH": 117, "HEIGHT": 90}
CARDS = {
    "INTERPSTYLE": NATURAL,
    "UNDERSAMPLESTYLE": REDUCE,
    "APPROXSTYLE": -1,
    "APPROXORDERX": 1,
    "APPROXORDERY": -1,
    "APPROXWEIGHTING": True,
}


def component(statistics: NDArray[Any], variance: Any = 1.0, box: dict[str, int] = BOX, **cards: Any) -> list[Any]:
    """Return the three images of one model; None leaves a card out."""
    header = fits.Header()
    said = CARDS | {f"BKGD_{name}": value for name, value in box.items()} | cards
    for name, value in said.items():
        if value is not None:
            header[name if len(name) <= 8 else f"HIERARCH {name}"] = value
    statistics = np.asarray(statistics, np.float32)
    planes = [statistics, np.zeros(statistics.shape, np.int32), np.broadcast_to(np.float32(variance), statistics.shape)]
    return [(plane, header) for plane in planes]


def lossless(data: NDArray[Any], header: fits.Header) -> fits.CompImageHDU:
    """Return a tile-compressed image."""
    return fits.CompImageHDU(np.array(data), header, compression_type="GZIP_2", quantize_level=0.0)


def write(path: Path, *components: list[Any], compressed: bool = False) -> Path:
    """Write models one after the other, the very first image into the primary HDU."""
    planes = [plane for component in components for plane in component]
    if compressed:
        hdus = [fits.PrimaryHDU(), *(lossless(data, header) for data, header in planes)]
    else:
        hdus = [
            (fits.ImageHDU if number else fits.PrimaryHDU)(np.array(data), header)
            for number, (data, header) in enumerate(planes)
        ]
    fits.HDUList(hdus).writeto(path)
    return path


def test_a_single_bin_is_exactly_flat(tmp_path: Path) -> None:
    """The background that detection leaves on a coadd is one number: no gradient in any place."""
    background = read_background(write(tmp_path / "b.fits", component([[0.0123]], BUNIT="nJy")))
    image = background.image()
    assert image.dtype == np.float32
    assert image.shape == background.shape == (90, 117)
    assert (image == np.float32(0.0123)).all()
    assert (background.xy0, background.n_components, background.bins, background.unit) == (
        (40, -7),
        1,
        ((1, 1),),
        "nJy",
    )


def test_components_add_up(tmp_path: Path) -> None:
    """The image is the sum of all models, however fine their bins."""
    y, x = np.mgrid[:9, :13]
    ramp = component(100.0 + 18.0 * x - 20.0 * y)  # bins of 9 columns and 10 rows: 2 for a column, -2 for a row
    background = read_background(write(tmp_path / "b.fits", ramp, component([[-3.0]])))
    rows, columns = np.mgrid[:90, :117]
    expected = 97.0 + 2.0 * (columns - 4.0) - 2.0 * (rows - 4.5)
    np.testing.assert_allclose(background.image(), expected, rtol=1e-6)
    assert background.bins == ((13, 9), (1, 1))


def test_components_are_rounded_before_they_are_added(tmp_path: Path) -> None:
    """As in afw, a sum is one of float32 images."""
    generator = np.random.default_rng(3)
    parts = [component(generator.normal(scale, size=(4, 5))) for scale in (1000, 10, 1)]
    first, second, third = (
        read_background(write(tmp_path / f"{number}.fits", part)).image() for number, part in enumerate(parts)
    )
    together = read_background(write(tmp_path / "b.fits", *parts)).image()
    np.testing.assert_array_equal(together, (first + second) + third)


def test_an_approximation_is_fitted(tmp_path: Path) -> None:
    """A model with APPROXSTYLE 0 is a polynomial, whatever its style of interpolation, which may be unknown."""
    y, x = np.mgrid[:9, :13] * 1.0
    statistics, variance = (x - 3) ** 2 + x * y, np.ones((9, 13))
    statistics[4, 4], variance[4, 4], variance[5, 5], statistics[5, 5] = 1e6, np.inf, 0, 1e6
    cards: dict[str, Any] = {"APPROXSTYLE": 0, "APPROXORDERX": 2, "INTERPSTYLE": -1}
    background = read_background(write(tmp_path / "b.fits", component(statistics, variance, **cards)))
    rows, columns = (np.mgrid[:90, :117].T - [4.5, 4.0]).T / [[[10.0]], [[9.0]]]
    np.testing.assert_allclose(background.image(), (columns - 3) ** 2 + columns * rows, atol=3e-5)


def test_an_approximation_is_weighted_by_variance(tmp_path: Path) -> None:
    """Of two bins, the one of half the variance counts twice."""
    cards: dict[str, Any] = {"APPROXSTYLE": 0, "APPROXORDERX": 0}
    background = read_background(write(tmp_path / "b.fits", component([[0.0, 6.0]], [[1.0, 2.0]], **cards)))
    np.testing.assert_allclose(background.image(), 2.0)


def test_an_approximation_may_go_without_weights(tmp_path: Path) -> None:
    """Without weighting, a bin of no variance counts like the others."""
    cards: dict[str, Any] = {"APPROXSTYLE": 0, "APPROXORDERX": 0, "APPROXWEIGHTING": False}
    background = read_background(write(tmp_path / "b.fits", component([[0.0, 2.0, 7.0]], 0.0, **cards)))
    np.testing.assert_allclose(background.image(), 3.0)


def test_older_lists_do_not_say_how_they_are_approximated(tmp_path: Path) -> None:
    """Without APPROX cards a model is interpolated."""
    older = dict.fromkeys(("APPROXSTYLE", "APPROXORDERX", "APPROXORDERY", "APPROXWEIGHTING"))
    background = read_background(write(tmp_path / "b.fits", component(np.full((5, 5), 7.0), **older)))
    np.testing.assert_allclose(background.image(), 7.0)


def test_compressed_lists_are_read(tmp_path: Path) -> None:
    """Tile compression, which puts an empty HDU first, changes nothing."""
    statistics = np.random.default_rng(2).normal(size=(9, 13))
    plain = read_background(write(tmp_path / "plain.fits", component(statistics)))
    compressed = read_background(write(tmp_path / "compressed.fits", component(statistics), compressed=True))
    np.testing.assert_array_equal(compressed.image(), plain.image())


def test_repeating_it_changes_nothing(tmp_path: Path) -> None:
    """The image is a new one each time: adding it back twice cannot happen by itself."""
    for background in (
        read_background(write(tmp_path / "list.fits", component([[2.0, 3.0]]))),
        read_background(plain(tmp_path / "plain.fits", np.ones((3, 4)))),
    ):
        first = background.image()
        kept = first.copy()
        first += 100
        np.testing.assert_array_equal(background.image(), kept)


def plain(path: Path, data: NDArray[Any], **cards: Any) -> Path:
    """Write an image as afw writes one: an empty primary HDU, then the image."""
    image = fits.ImageHDU(data)
    image.header.update(cards)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path)
    return path


def test_a_plain_image_is_a_background(tmp_path: Path) -> None:
    """Any image will do; there are no models in it then."""
    data = np.random.default_rng(1).normal(size=(5, 9))
    background = read_background(plain(tmp_path / "b.fits", data, BUNIT="adu", LTV1=-30, LTV2=4))
    np.testing.assert_array_equal(background.image(), data.astype(np.float32))
    assert (background.shape, background.xy0, background.unit) == ((5, 9), (30, -4), "adu")
    assert (background.n_components, background.bins) == (0, ())


def test_an_image_in_the_first_hdu_is_a_background(tmp_path: Path) -> None:
    """Plain FITS has the image in its first HDU."""
    fits.writeto(tmp_path / "b.fits", np.arange(6.0).reshape(2, 3))
    assert read_background(tmp_path / "b.fits").image().tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize("statistics", [np.full((3, 3), np.nan), np.full((1, 1), np.inf)])
def test_statistics_without_a_number_are_not_measured(tmp_path: Path, statistics: NDArray[Any]) -> None:
    """A model without any finite bin has no image, and the error says which one it is."""
    background = read_background(write(tmp_path / "b.fits", component([[1.0]]), component(statistics)))
    with pytest.raises(NotMeasuredError, match=r"b\.fits: component 2 of 2 has no finite value.*leave it out"):
        background.image()


def test_too_few_bins_are_not_measured(tmp_path: Path) -> None:
    """A model with fewer bins than its style needs, which must not be reduced, has no image."""
    background = read_background(write(tmp_path / "b.fits", component([[1.0]], UNDERSAMPLESTYLE=THROW)))
    with pytest.raises(NotMeasuredError, match=r"component 1 of 1 has 1 usable bins in a row"):
        background.image()


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"INTERPSTYLE": AKIMA_PERIODIC}, "INTERPSTYLE 6"),
        ({"INTERPSTYLE": 99}, "INTERPSTYLE 99"),
        ({"UNDERSAMPLESTYLE": 3}, "UNDERSAMPLESTYLE 3"),
        ({"UNDERSAMPLESTYLE": None}, "UNDERSAMPLESTYLE missing"),
        ({"APPROXSTYLE": 1}, "APPROXSTYLE 1"),
        ({"APPROXSTYLE": 0, "APPROXORDERX": 3, "APPROXORDERY": 2}, "APPROXORDERX 3, APPROXORDERY 2"),
        ({"APPROXSTYLE": 0, "APPROXORDERX": None}, "APPROXORDERX missing"),
    ],
)
def test_unknown_ways_are_refused_by_name(tmp_path: Path, cards: dict[str, Any], said: str) -> None:
    """A style that nobody here knows is named with the component that has it."""
    path = write(tmp_path / "b.fits", component([[1.0]]), component([[1.0]], **cards))
    with pytest.raises(NotMeasuredError, match=f"component 2 is made in a way that is not known here .*{said}"):
        read_background(path)


def test_a_missing_file_is_broken(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(BrokenFileError, match=r"b\.fits is missing"):
        read_background(tmp_path / "b.fits")


def test_a_file_of_another_kind_is_broken(tmp_path: Path) -> None:
    """A file that is no FITS, or has no image, is named."""
    (tmp_path / "text.fits").write_text("SIMPLE enough")
    with pytest.raises(BrokenFileError, match=r"text\.fits cannot be read"):
        read_background(tmp_path / "text.fits")
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(BrokenFileError, match=r"empty\.fits has no image"):
        read_background(tmp_path / "empty.fits")
    fits.writeto(tmp_path / "cube.fits", np.zeros((2, 3, 4)))
    with pytest.raises(BrokenFileError, match=r"cube\.fits has an image of 3 dimensions"):
        read_background(tmp_path / "cube.fits")


def test_a_list_that_is_cut_off_is_broken(tmp_path: Path) -> None:
    """Cut between images or within one, a list is no background."""
    whole = component(np.ones((90, 117)))
    with pytest.raises(BrokenFileError, match="has 2 images, and a list of backgrounds has three for each"):
        read_background(write(tmp_path / "two.fits", whole[:2]))
    path = write(tmp_path / "cut.fits", whole)
    path.write_bytes(path.read_bytes()[: -60 * 2880 // 4])
    with pytest.raises(BrokenFileError, match=r"cut\.fits"):
        read_background(path)


def test_a_list_that_contradicts_itself_is_broken(tmp_path: Path) -> None:
    """Images of different sizes, models of different boxes, no box, and more bins than pixels are named."""
    odd = component(np.ones((2, 2)))
    odd[1] = np.zeros((2, 3), np.int32), odd[1][1]
    with pytest.raises(BrokenFileError, match="image, mask and variance of component 1 differ in size"):
        read_background(write(tmp_path / "sizes.fits", odd))
    with pytest.raises(BrokenFileError, match="its components differ in box"):
        read_background(write(tmp_path / "boxes.fits", component([[1.0]]), component([[1.0]], box=BOX | {"X0": 41})))
    with pytest.raises(BrokenFileError, match="component 1 does not say what box it belongs to"):
        read_background(write(tmp_path / "none.fits", component([[1.0]], BKGD_HEIGHT=None)))
    with pytest.raises(BrokenFileError, match="component 1 does not say what box it belongs to"):
        read_background(write(tmp_path / "empty.fits", component([[1.0]], BKGD_WIDTH=0)))
    with pytest.raises(BrokenFileError, match="component 1 has more bins than pixels"):
        read_background(write(tmp_path / "bins.fits", component(np.ones((91, 2)))))
