"""PSFs of coadds against the sizes and shapes that their inputs must have on the coadd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import galsim
import numpy as np
import pytest
from archived_objects import row, rows, tan_wcs
from astropy.io import fits

from harness.errors import BrokenFileError, NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.rerun.exposures.protocol import KernelImage, Psf

    Read = Callable[..., Psf]

SKY = (30.0, 10.0)
#: Pixel of that point of the sky on the coadd, and on each input.
COADD, INPUT = (500.0, 400.0), (800.0, 900.0)
EVERYWHERE = ((0, 0), (2047, 4095))


def _pixels(scale: float, angle: float = 0.0) -> NDArray[np.float64]:
    """Return the CD matrix of pixels of a size, arcsec, turned by an angle, degrees; east is left."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return scale / 3600 * np.array([[c, -s], [s, c]]) @ np.diag([-1.0, 1.0])


@dataclass
class _Input:
    """A Gaussian of a width in its own pixels."""

    sigma: float
    pixels: NDArray[np.float64]
    weight: float = 1.0
    box: Any = EVERYWHERE
    polygon: list[tuple[float, float]] | None = None


def _coadd(*inputs: _Input, pixels: NDArray[np.float64] | None = None, kernel: str = "lanczos3") -> list[Any]:
    """Return the objects of a coadd; its own pixels are 0.2 arcsec."""
    wcs = tan_wcs(SKY, COADD, _pixels(0.2) if pixels is None else pixels)
    objects: list[Any] = [None, wcs]
    ids = []
    for entry in inputs:
        objects.append(("GaussianPsf", [row(dimensions=(41, 41), sigma=entry.sigma)]))
        objects.append(tan_wcs(SKY, INPUT, entry.pixels))
        ids.append((len(objects) - 1, len(objects), 0))
        if entry.polygon:
            objects.append(("Polygon", [rows(vertices=entry.polygon)]))
            ids[-1] = (*ids[-1][:2], len(objects))
    psf, wcs_id, polygon = zip(*ids, strict=True)
    table = rows(
        wcs=wcs_id,
        psf=psf,
        validPolygon=polygon,
        bbox_min=[entry.box[0] for entry in inputs],
        bbox_max=[entry.box[1] for entry in inputs],
        weight=[entry.weight for entry in inputs],
    )
    objects[0] = ("CoaddPsf", [row(coaddwcs=2, cachesize=10000, avgpos=(0.0, 0.0), warpingkernelname=kernel), table])
    return objects


def _shape(drawn: KernelImage) -> tuple[float, NDArray[np.float64]]:
    """Return the determinant radius, and the covariance over its square, by adaptive moments of GalSim."""
    found = galsim.hsm.FindAdaptiveMom(galsim.ImageD(np.ascontiguousarray(drawn.image)))
    e1, e2 = found.observed_e1, found.observed_e2
    # In GalSim e1 = (Ixx - Iyy)/(Ixx + Iyy), e2 = 2 Ixy/(Ixx + Iyy).
    shape = np.array([[1 + e1, e2], [e2, 1 - e1]]) / np.sqrt(1 - e1**2 - e2**2)
    # Element [0, 0] lies where it says.
    assert found.moments_centroid.x - 1 + drawn.x0 == pytest.approx(0, abs=1e-3)
    assert found.moments_centroid.y - 1 + drawn.y0 == pytest.approx(0, abs=1e-3)
    assert drawn.image.sum() == pytest.approx(1)
    return found.moments_sigma, shape


@pytest.mark.parametrize(
    ("scale", "angle", "sigma"),
    [(0.2, 0.0, 1.8), (0.2, 90.0, 1.8), (0.2, 37.0, 1.8), (0.26, -120.0, 1.9), (0.168, 200.0, 2.4)],
)
def test_input_has_its_size_on_the_coadd(stored_psf: Read, scale: float, angle: float, sigma: float) -> None:
    """A Gaussian keeps its size on the sky, whatever the pixels of its own image: 0.2 per cent."""
    psf = stored_psf(*_coadd(_Input(sigma, _pixels(scale, angle))))
    size, shape = _shape(psf.at(510.3, 420.8))
    assert psf.name == "CoaddPsf"
    assert size == pytest.approx(sigma * scale / 0.2, rel=2e-3)
    np.testing.assert_allclose(shape, np.eye(2), atol=3e-3)


def test_input_has_its_shape_on_the_coadd(stored_psf: Read) -> None:
    """Round on pixels that are not square, an input is an ellipse on the coadd, turned as its pixels are."""
    pixels = _pixels(0.2, 25.0) @ np.array([[1.25, 0.1], [0.0, 0.9]])
    size, shape = _shape(stored_psf(*_coadd(_Input(2.2, pixels))).at(*COADD))
    to_coadd = np.linalg.inv(_pixels(0.2)) @ pixels
    expected = 2.2**2 * to_coadd @ to_coadd.T
    determinant = np.sqrt(np.linalg.det(expected))
    assert size == pytest.approx(np.sqrt(determinant), rel=2e-3)
    np.testing.assert_allclose(shape, expected / determinant, atol=3e-3)


def test_inputs_are_averaged_by_weight(stored_psf: Read) -> None:
    """On the coadd's own pixels the mean is exact: each input has unit sum before it is weighted."""
    inputs = [_Input(1.5, _pixels(0.2), 3.0), _Input(2.5, _pixels(0.2), 1.0), _Input(9.0, _pixels(0.2), 0.0)]
    drawn = stored_psf(*_coadd(*inputs)).at(*COADD)
    x, y = np.meshgrid(np.arange(-20, 21), np.arange(-20, 21))
    profiles = [np.exp(-(x**2 + y**2) / (2 * sigma**2)) for sigma in (1.5, 2.5)]
    expected = sum(w * profile / profile.sum() for w, profile in zip((0.75, 0.25), profiles, strict=True))
    ring = -20 - drawn.x0  # a stamp grows by a pixel when its corners are mapped past whole pixels by a rounding error
    np.testing.assert_allclose(drawn.image, np.pad(expected, ring), rtol=0, atol=1e-7)


def test_weight_does_not_depend_on_pixels(stored_psf: Read) -> None:
    """An input of coarse pixels covers more of the coadd's, and has unit sum there all the same."""
    drawn = stored_psf(*_coadd(_Input(1.8, _pixels(0.2)), _Input(1.8, _pixels(0.4)))).at(*COADD)
    x, y = np.meshgrid(*(np.arange(size) + drawn.x0 for size in drawn.image.shape))
    expected = sum(np.exp(-(x**2 + y**2) / (2 * sigma**2)) / (4 * np.pi * sigma**2) for sigma in (1.8, 3.6))
    np.testing.assert_allclose(drawn.image, expected, rtol=0, atol=5e-3 * expected.max())


def test_stamps_of_different_sizes_share_their_centre(stored_psf: Read) -> None:
    """A coarse input has a larger stamp on the coadd than a fine one; both lie on the same centre."""
    drawn = stored_psf(*_coadd(_Input(1.8, _pixels(0.3)), _Input(1.8 * 1.5, _pixels(0.2, 45.0)))).at(*COADD)
    size, _ = _shape(drawn)
    assert drawn.image.shape[0] >= 61
    assert size == pytest.approx(1.8 * 1.5, rel=2e-3)


def test_size_jumps_where_an_input_ends(stored_psf: Read) -> None:
    """The last pixel of an input's box belongs to it, to its outer side; then there is one input less."""
    sharp = _Input(1.5, _pixels(0.2), box=((0, 0), (850, 4095)))
    psf = stored_psf(*_coadd(_Input(2.5, _pixels(0.2)), sharp))
    edge = COADD[0] + 850.5 - INPUT[0]
    inside, outside = (_shape(psf.at(edge + step, 400.0))[0] for step in (-0.01, 0.01))
    assert outside == pytest.approx(2.5, rel=1e-4)
    assert inside < 2.0


def test_polygon_limits_an_input(stored_psf: Read) -> None:
    """Within its box an input counts only inside its valid polygon, here one with a notch."""
    notched = [(700.0, 800.0), (900.0, 800.0), (800.0, 900.0), (900.0, 1000.0), (700.0, 1000.0)]
    psf = stored_psf(*_coadd(_Input(2.0, _pixels(0.2), polygon=notched)))
    for x, y, valid in [(780, 900, True), (820, 900, False), (850, 840, True), (850, 960, True), (690, 900, False)]:
        place = x - INPUT[0] + COADD[0], y - INPUT[1] + COADD[1]
        if valid:
            assert psf.at(*place).image.sum() == pytest.approx(1)
        else:
            with pytest.raises(NotMeasuredError, match="has no input at"):
                psf.at(*place)


@pytest.mark.parametrize("place", [(5000.0, 400.0), (500.0, -2000.0), (np.nan, 400.0)])
def test_place_without_input_is_not_measured(stored_psf: Read, place: tuple[float, float]) -> None:
    """Where no input contributes there is no PSF, and the message says where."""
    psf = stored_psf(*_coadd(_Input(2.0, _pixels(0.2))))
    with pytest.raises(NotMeasuredError, match=r"^CoaddPsf \(object 1 .* has no input at \(.*use a recorded size"):
        psf.at(*place)


def test_input_without_weight_does_not_count(stored_psf: Read) -> None:
    """Inputs of weight 0 alone are none."""
    with pytest.raises(NotMeasuredError, match="has no input at"):
        stored_psf(*_coadd(_Input(2.0, _pixels(0.2), weight=0.0))).at(*COADD)


def test_coadd_without_inputs_is_not_measured(stored_psf: Read) -> None:
    """A template that nothing went into has no PSF anywhere."""
    psf, *others = _coadd(_Input(2.0, _pixels(0.2)))
    columns = [fits.Column(column.name, column.format, array=column.array[:0]) for column in psf[1][1]]
    with pytest.raises(NotMeasuredError, match="has no input at"):
        stored_psf((psf[0], [psf[1][0], columns]), *others).at(*COADD)


def test_coadd_may_be_an_input(stored_psf: Read) -> None:
    """A template is a coadd of patches, which are coadds themselves."""
    objects = _coadd(_Input(1.5, _pixels(0.2)))
    patch = len(objects) + 1
    table = rows(wcs=[2], psf=[patch], validPolygon=[0], bbox_min=[(0, 0)], bbox_max=[(4000, 4000)], weight=[2.0])
    template = "CoaddPsf", [row(coaddwcs=2, cachesize=1, avgpos=(0.0, 0.0), warpingkernelname="lanczos3"), table]
    size, _ = _shape(stored_psf(template, *objects[1:], objects[0]).at(*COADD))
    assert size == pytest.approx(1.5, rel=1e-4)


def test_coadd_that_is_its_own_input_is_broken(stored_psf: Read) -> None:
    """A circle of references ends in a message."""
    table = rows(wcs=[2], psf=[1], validPolygon=[0], bbox_min=[(0, 0)], bbox_max=[(4000, 4000)], weight=[2.0])
    itself = "CoaddPsf", [row(coaddwcs=2, cachesize=1, avgpos=(0.0, 0.0), warpingkernelname="lanczos3"), table]
    with pytest.raises(BrokenFileError, match=r"the PSF with the number 1 .* is an input of itself"):
        stored_psf(itself, tan_wcs(SKY, COADD, _pixels(0.2))).at(*COADD)


def test_unknown_warping_kernel_is_named(stored_psf: Read) -> None:
    """Another kernel is not evaluated, and says which it is."""
    with pytest.raises(NotMeasuredError, match="is warped by the kernel 'bilinear'"):
        stored_psf(*_coadd(_Input(2.0, _pixels(0.2)), kernel="bilinear"))


@pytest.mark.parametrize("weight", [-1.0, np.nan])
def test_impossible_weights_are_broken(stored_psf: Read, weight: float) -> None:
    """A weight is a number from 0 on."""
    with pytest.raises(BrokenFileError, match="has a weight that is negative or no number"):
        stored_psf(*_coadd(_Input(2.0, _pixels(0.2), weight=weight)))


def test_impossible_pixels_are_broken(stored_psf: Read) -> None:
    """An input of pixels that are a thousand times larger says of wrong coordinates, and is not warped."""
    psf = stored_psf(*_coadd(_Input(2.0, _pixels(0.2e-3))))
    with pytest.raises(BrokenFileError, match="has an input whose pixels are of an impossible size"):
        psf.at(*COADD)


def test_reference_to_nothing_is_broken(stored_psf: Read) -> None:
    """An input whose PSF is not in the archive is damage, found when it is needed."""
    objects = _coadd(_Input(2.0, _pixels(0.2)))
    objects[0][1][1][1] = rows(psf=[77])[0]
    with pytest.raises(BrokenFileError, match="has no object 77"):
        stored_psf(*objects).at(*COADD)
