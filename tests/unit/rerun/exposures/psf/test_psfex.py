"""PSFEx models against GalSim's reading of the same model in PSFEx's own file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import galsim
import galsim.des
import numpy as np
import pytest
from archived_objects import row
from astropy.io import fits

from harness.errors import BrokenFileError, NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.rerun.exposures.protocol import Psf

    Read = Callable[..., Psf]

ORIGIN, SCALE = np.array([1024.0, 2048.0]), np.array([2047.0, 4095.0])
PLACES = [(1024.0, 2048.0), (0.0, 0.0), (2047.0, 4095.0), (300.0, 3900.0)]


def _planes(degree: int, height: int, width: int, step: float) -> NDArray[np.float64]:
    """Return a Moffat and changes of it, sampled ``step`` pixels apart, in the order of PSFEx."""
    profile = galsim.Moffat(beta=3, fwhm=3.4, trunc=0)
    n_planes = (degree + 1) * (degree + 2) // 2
    changes = [profile.shear(g1=0.03 * n, g2=-0.02 * n) * (1.0 if n == 0 else 0.2 / n) for n in range(n_planes)]
    drawn = [
        profile.drawImage(nx=width, ny=height, scale=step, method="no_pixel", dtype=float).array for profile in changes
    ]
    return np.array([drawn[0], *(plane - 0.2 / n * drawn[0] for n, plane in enumerate(drawn[1:], 1))])


def _stored(planes: NDArray[np.float64], degree: int, step: float, /, **changed: Any) -> Any:
    n_planes, height, width = planes.shape
    sizes = {"_size_size": 3, "_comp_size": planes.size, "_context_size": 2}
    first = {"ndim": 2, "ngroup": 1, "ncoeff": n_planes, **sizes, "averagePosition": (0.0, 0.0), "_pixstep": step}
    second = {
        "group": np.array([0, 0]),
        "degree": np.array([degree]),
        "basis": np.zeros(n_planes),
        "coeff": np.zeros(n_planes),
        "_size": np.array([width, height, n_planes]),
        "_comp": planes.ravel(),
        "_context_first": ORIGIN,
        "_context_second": SCALE,
    }
    tables = [row(**{name: changed.get(name, value) for name, value in fields.items()}) for fields in (first, second)]
    return "PsfexPsf", tables


def _galsim_model(path: Path, planes: NDArray[np.float64], degree: int, step: float) -> galsim.des.DES_PSFEx:
    """Return the model as GalSim reads it from a file of PSFEx."""
    hdu = fits.BinTableHDU.from_columns(
        [fits.Column("PSF_MASK", f"{planes.size}E", dim=str(planes.shape[::-1]), array=[planes])]
    )
    hdu.header.update(
        {"LOADED": 1, "ACCEPTED": 1, "CHI2": 1.0, "POLNAXIS": 2, "POLNGRP": 1, "POLDEG1": degree, "PSFAXIS": 3}
    )
    for n, name in enumerate(("X_IMAGE", "Y_IMAGE")):
        hdu.header.update(
            {f"POLNAME{n + 1}": name, f"POLZERO{n + 1}": ORIGIN[n], f"POLSCAL{n + 1}": SCALE[n], f"POLGRP{n + 1}": 1}
        )
    hdu.header.update({"PSF_FWHM": 3.0, "PSF_SAMP": step, "PSFNAXIS": 3})
    hdu.header.update({f"PSFAXIS{n + 1}": size for n, size in enumerate(planes.shape[::-1])})
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return galsim.des.DES_PSFEx(str(path))


@pytest.mark.parametrize("degree", [0, 1, 2, 3])
def test_polynomial_of_planes_is_that_of_galsim(stored_psf: Read, tmp_path: Path, degree: int) -> None:
    """Sampled by pixels, a model is the sum of its planes, with the polynomial that GalSim forms."""
    planes = _planes(degree, 25, 31, 1.0)
    model = _galsim_model(tmp_path / "model.psf", planes, degree, 1.0)
    psf = stored_psf(_stored(planes, degree, 1.0))
    assert psf.name == "PsfexPsf"
    for place in PLACES:
        drawn, expected = psf.at(*place), model.getPSFArray(galsim.PositionD(*place))
        assert (drawn.image.shape, drawn.x0, drawn.y0) == ((25, 31), -15, -12)
        np.testing.assert_allclose(drawn.image, expected / expected.sum(), rtol=0, atol=1e-7)  # GalSim: float32


@pytest.mark.parametrize(("step", "size"), [(0.5, 22), (0.7, 31), (1.3, 59)])
def test_resampling_is_that_of_galsim(stored_psf: Read, step: float, size: int) -> None:
    """A model at its own sampling is drawn on pixels as GalSim draws an image with a Lanczos-4 kernel."""
    planes = _planes(0, 45, 45, step)
    drawn = stored_psf(_stored(planes, 0, step)).at(*PLACES[0])
    profile = galsim.InterpolatedImage(
        galsim.Image(planes[0]), scale=step, x_interpolant=galsim.Lanczos(4), normalization="sb"
    )
    size += 1 - size % 2
    expected = profile.drawImage(nx=size, ny=size, scale=1.0, method="no_pixel", dtype=float).array
    assert drawn.image.shape == (size, size)
    assert drawn.x0 == drawn.y0 == -(size // 2)
    # GalSim scales the taps to unit sum to first order, PSFEx truly.
    np.testing.assert_allclose(drawn.image, expected / expected.sum(), rtol=0, atol=2e-4 * drawn.image.max())


def test_pixels_beyond_the_samples_are_nothing(stored_psf: Read) -> None:
    """Where 45 samples make 30 pixels and one more, half a sample is missing on either side."""
    image = stored_psf(_stored(_planes(0, 45, 45, 2 / 3), 0, 2 / 3)).at(*PLACES[0]).image
    assert image.shape == (31, 31)
    assert not image[[0, -1]].any()
    assert not image[:, [0, -1]].any()
    assert image[1:-1, 1:-1].all()


@pytest.mark.parametrize("step", [0.5, 0.7])
def test_resampled_model_has_the_size_of_the_star(stored_psf: Read, step: float) -> None:
    """A well-sampled Moffat has its size whatever the sampling that it is stored with."""
    star = galsim.Moffat(beta=3, fwhm=3.4).drawImage(nx=31, ny=31, scale=1, method="no_pixel", dtype=float)
    drawn = stored_psf(_stored(_planes(0, 45, 45, step), 0, step)).at(*PLACES[0])
    sizes = [galsim.hsm.FindAdaptiveMom(galsim.Image(image)).moments_sigma for image in (drawn.image, star.array)]
    assert sizes[0] == pytest.approx(sizes[1], rel=2e-3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"_comp": np.zeros(10)}, "has 10 numbers in its field _comp instead of 675"),
        ({"degree": np.array([2])}, "has 3 planes, which are not all terms up to degree 2"),
        ({"degree": np.array([1, 1])}, "has 2 numbers in its field degree"),
        ({"_size": np.array([-15, -15, 3])}, "has 3 planes of -15 × -15"),
        ({"_size": np.array([15, 15])}, "has 2 numbers in its field _size instead of 3"),
        ({"_pixstep": 0.0}, "has a step of 0 pixels"),
        ({"_pixstep": 1e9}, r"has a step of 1e\+09 pixels"),
        ({"_context_second": np.array([1.0, 0.0])}, "has a scale of 0"),
    ],
)
def test_sizes_that_do_not_fit_are_broken(stored_psf: Read, changed: dict[str, Any], said: str) -> None:
    """A table of another size than the first table says is damage."""
    with pytest.raises(BrokenFileError, match=said):
        stored_psf(_stored(_planes(1, 15, 15, 1.0), 1, 1.0, **changed))


@pytest.mark.parametrize("changed", [{"ndim": 3}, {"ngroup": 2}])
def test_other_polynomials_are_not_evaluated(stored_psf: Read, changed: dict[str, Any]) -> None:
    """Models that vary with more than place, or with x and y apart, are refused by what they are."""
    with pytest.raises(NotMeasuredError, match="is not a polynomial in x and y together; use a recorded size"):
        stored_psf(_stored(_planes(1, 15, 15, 1.0), 1, 1.0, **changed))


def test_one_table_of_two_is_broken(stored_psf: Read) -> None:
    """A model without its pixels is damage."""
    name, tables = _stored(_planes(0, 15, 15, 1.0), 0, 1.0)
    with pytest.raises(BrokenFileError, match="has 1 tables instead of 2"):
        stored_psf((name, tables[:1]))
