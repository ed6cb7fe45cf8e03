"""PSFs in files of lsst.images."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lsst_images_files import Inline, Table, node, write_fits, write_json

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.lsst_images import LsstImagesExposure
from harness.rerun.exposures.lsst_images.psf import read_psf
from harness.rerun.exposures.lsst_images.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.rerun.exposures.protocol import Psf

BOX = {"y": {"start": 0, "stop": 400}, "x": {"start": 0, "stop": 400}}


@pytest.fixture(params=[write_fits, write_json])
def read(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], Psf | None]:
    """Return a reader of the PSF of an exposure, written in either form."""

    def psf(content: Any) -> Psf | None:
        image = node("image", data={"value": np.zeros((4, 4), np.float32), "unit": "nJy"}, yx0=[0, 0])
        path = request.param(tmp_path / "exposure", node("visit_image", image=image, psf=content))
        with LsstImagesExposure(path) as exposure:
            return exposure.psf

    return psf


def gaussian(shape: tuple[int, int], sigma: float, step: float = 1.0) -> NDArray[np.float64]:
    """Return a Gaussian of peak 1 about the middle sample, sigma in pixels."""
    y, x = ((np.arange(size) - size // 2) * step for size in shape)
    return np.exp(-0.5 * (x**2 + y[:, np.newaxis] ** 2) / sigma**2)


def test_a_gaussian_is_known_by_its_formula(read: Callable[[Any], Psf]) -> None:
    """The image has unit sum, and the moments are sigma squared without measuring."""
    psf = read(node("gaussian_psf", sigma=2.0, stamp_size=25, bounds=BOX))
    drawn = psf.at(3.0, 4.0)
    expected = gaussian((25, 25), 2.0)
    np.testing.assert_allclose(drawn.image, expected / expected.sum(), rtol=1e-12)
    assert (drawn.x0, drawn.y0, drawn.moments, psf.name) == (-12, -12, (4.0, 4.0, 0.0), "gaussian_psf")


def cells(images: NDArray[np.float64], missing: list[dict[str, int]], shape: Any) -> dict[str, Any]:
    """Return a PSF in a grid of cells of 6 rows by 10 columns, which starts at row 12 and column 20."""
    grid = {"bbox": {"y": {"start": 12, "stop": 72}, "x": {"start": 20, "stop": 120}}, "cell_shape": shape}
    part = {"y": {"start": 24, "stop": 36}, "x": {"start": 50, "stop": 80}}  # cells (2, 3) to (3, 5)
    return node("cell_psf", array=images, bounds={"grid": grid, "bbox": part, "missing": missing})


@pytest.mark.parametrize("shape", [[6, 10], {"y": 6, "x": 10}])
def test_a_cell_has_its_own_psf(read: Callable[[Any], Psf], shape: Any) -> None:
    """The place tells the cell; stored images are scaled to unit sum and centred."""
    images = np.random.default_rng(1).uniform(1, 2, (2, 3, 5, 7))
    psf = read(cells(images, [], shape))
    for i, j, x, y in [(0, 0, 49.5, 23.5), (0, 2, 79.4, 29.4), (1, 0, 50, 30), (1, 1, 64, 35.4)]:
        drawn = psf.at(x, y)
        np.testing.assert_allclose(drawn.image, images[i, j] / images[i, j].sum(), rtol=1e-12)
        assert (drawn.x0, drawn.y0, drawn.moments) == (-3, -2, None)


def test_a_missing_cell_has_no_psf(read: Callable[[Any], Psf]) -> None:
    """Cells that are missing, counted from the start of the grid, and places outside have nothing."""
    images = np.ones((2, 3, 5, 5))
    images[1, 1] = np.nan
    psf = read(cells(images, [{"i": 3, "j": 4}], [6, 10]))
    assert psf.at(55, 33).image.sum() == pytest.approx(1)
    for x, y in [(65, 33), (49, 33), (80, 33), (65, 23), (65, 36)]:
        with pytest.raises(NotMeasuredError, match=r"has nothing at .*its cell is missing"):
            psf.at(x, y)


def psfex(planes: NDArray[np.float64], degree: int, step: float = 1.0, *groups: int) -> dict[str, Any]:
    """Return a model of PSFEx, with u = (x - 100)/50 and v = (y - 300)/200."""
    return node(
        "psfex_psf",
        average_x=1.0,
        average_y=2.0,
        pixel_step=step,
        degree=[degree, *groups],
        basis=[],
        coeff=[],
        parameters=planes.astype(np.float32),
        context=Inline(np.array([[100.0, 50.0], [300.0, 200.0]])),
        bounds=BOX,
    )


def test_a_psfex_model_varies_with_place(read: Callable[[Any], Psf]) -> None:
    """Samples one pixel apart are pixels: the planes times 1, u, u², v, uv, v²."""
    planes = np.random.default_rng(2).uniform(0, 1, (6, 9, 9)) + 3 * gaussian((9, 9), 2.0)
    psf = read(psfex(planes, 2))
    x, y = 130.0, 350.0
    u, v = (x - 100) / 50, (y - 300) / 200
    expected = np.tensordot([1, u, u**2, v, u * v, v**2], planes, axes=1)
    drawn = psf.at(x, y)
    np.testing.assert_allclose(drawn.image, expected / expected.sum(), rtol=1e-6)
    assert (drawn.x0, drawn.y0, psf.name) == (-4, -4, "psfex_psf")


def test_samples_of_half_a_pixel_are_resampled(read: Callable[[Any], Psf]) -> None:
    """Where every second sample is a pixel, these are what is drawn."""
    drawn = read(psfex(gaussian((41, 41), 1.8, 0.5)[np.newaxis], 0, 0.5)).at(10.0, 10.0)
    expected = gaussian(drawn.image.shape, 1.8)
    assert drawn.image.shape == (21, 21)
    np.testing.assert_allclose(drawn.image, expected / expected.sum(), atol=1e-7)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (psfex(np.ones((2, 5, 5)), 1), "has 2 planes"),
        (psfex(np.ones((1, 5, 5)), 0, 0.0), "has a step of 0"),
        (psfex(np.ones((1, 5, 5)), 0, 1.0, 0), "cannot be read"),
    ],
)
def test_a_psfex_model_must_be_whole(read: Callable[[Any], Psf], content: Any, said: str) -> None:
    """Planes that are not those of the degree, a step of 0, and several groups are named."""
    with pytest.raises(BrokenFileError, match=f"the PSF of .*{said}"):
        read(content)


INTERPOLANT = "galsim.Lanczos(7, True, gsparams=galsim.GSParams(128,8192,0.005,5.0,0.001,1e-05,1e-05,1,0.0001))"


def piff(pixels: NDArray[np.float64], order: int = 0, **model: Any) -> dict[str, Any]:
    """Return a PSF of Piff on a grid of pixels; the last axis is what its polynomial of place multiplies."""
    size, terms = pixels.shape[0], pixels.shape[-1]
    usual = {"scale": 0.2, "size": size, "centered": True, "interp": INTERPOLANT, "init": None, "fit_flux": False}
    simple = {"model": 0, "interp": 0, "outliers": 0, "chisq_thresh": 0.1, "min_iter": 2, "max_iter": 30}
    solution = Table({"q": pixels.reshape(1, size * size, terms)})
    inner = {
        "structs": {
            "chisq": {"chisq": 0.0, "last_delta_chisq": 0.0, "dof": 0, "nremoved": 0, "niter": 0},
            "model": usual | {"type": "PixelGrid"} | model,
            "interp": {"order": order, "max_order": None, "keys": ["u", "v"], "solver": "scipy"}
            | {"type": "BasisPolynomial"},
        },
        "wcs": {"wcs": {"scale": 0.2, "wcs_type": "pixel_scale"}},
        "objects": {"model": {}, "interp": {"tables": {"solution": {"metadata": {}, "table": solution}}}},
    }
    stored = {"structs": {"piff": simple | {"type": "Simple", "piff_version": "1.6.0"}}, "objects": {"piff": inner}}
    return node("piff_psf", piff=stored, stars=[], stamp_size=size, bounds=BOX)


def test_a_piff_psf_is_drawn_by_piff(read: Callable[[Any], Psf]) -> None:
    """A grid of pixels is drawn as it is, and varies with place as its polynomial says."""
    pytest.importorskip("piff")
    core, ramp = gaussian((11, 11), 1.5), gaussian((11, 11), 2.5)
    psf = read(piff(np.stack([core, 0 * core, 1e-2 * ramp], axis=-1), order=1))
    x, y = 50.0, 20.0
    drawn = psf.at(x, y)
    mixtures = [core + 1e-2 * term * ramp for term in (0.2 * x, 0.2 * y)]  # u or v, by Piff's order of terms
    errors = [np.abs(drawn.image - mixture / mixture.sum()).max() for mixture in mixtures]
    assert min(errors) < 1e-6
    assert (drawn.x0, drawn.y0, psf.name) == (-5, -5, "piff_psf")


def test_a_piff_psf_can_be_read_again(tmp_path: Path) -> None:
    """Piff takes apart what it is made of, and gets a copy of it."""
    pytest.importorskip("piff")
    content = piff(gaussian((5, 5), 1.0)[..., np.newaxis])
    tree = Tree(write_json(tmp_path / "psf.json", content))
    first, second = (read_psf(tree, tree.root).at(1.0, 1.0) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').getcwd()",
        "galsim.Lanczos(open('x'))",
        "galsim.utilities.eval('1')",
        "[c for c in ().__class__.__bases__]",
        "galsim.Image(3)",
        "piff.Lanczos(3)",
    ],
)
def test_text_that_piff_would_evaluate_is_refused(read: Callable[[Any], Psf], text: str) -> None:
    """Piff evaluates text of a file: anything but its interpolants is not let through."""
    pytest.importorskip("piff")
    with pytest.raises(NotMeasuredError, match="which the harness does not let Piff evaluate"):
        read(piff(gaussian((5, 5), 1.0)[..., np.newaxis], interp=text))


def test_other_world_coordinates_of_piff_are_refused(read: Callable[[Any], Psf]) -> None:
    """Only a scale of pixels is stored so far."""
    pytest.importorskip("piff")
    content = piff(gaussian((5, 5), 1.0)[..., np.newaxis])
    content["piff"]["objects"]["piff"]["wcs"]["wcs"]["wcs_type"] = "affine"
    with pytest.raises(BrokenFileError, match="a WCS of the kind affine"):
        read(content)


def test_piff_is_an_extra(read: Callable[[Any], Psf], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Piff the error says how to install it."""
    monkeypatch.setitem(sys.modules, "piff", None)
    with pytest.raises(NotMeasuredError, match=r"pip install 'rerun-harness\[psf\]'"):
        read(piff(gaussian((5, 5), 1.0)[..., np.newaxis]))


def test_unknown_kinds_are_refused_by_name(read: Callable[[Any], Psf]) -> None:
    """A PSF of a kind that nobody here knows is named."""
    with pytest.raises(NotMeasuredError, match="of the kind wavefront_psf, which the harness does not evaluate"):
        read(node("wavefront_psf"))


def test_an_image_without_a_sum_is_no_psf(read: Callable[[Any], Psf]) -> None:
    """Zeros cannot be scaled to unit sum."""
    with pytest.raises(NotMeasuredError, match="has an image with the sum 0"):
        read(psfex(np.zeros((1, 5, 5)), 0)).at(0.0, 0.0)
