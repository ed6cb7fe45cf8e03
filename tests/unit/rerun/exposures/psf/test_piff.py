"""PSFs of Piff against what Piff draws itself."""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

import galsim
import numpy as np
import piff
import pytest
from archived_objects import row

from harness.errors import BrokenFileError, NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.rerun.exposures.protocol import Psf

    Read = Callable[..., Psf]

PLACES = [(500.0, 300.0), (20.5, 980.25)]


def _fitted(model: Any, interp: Any) -> Any:
    """Return a PSF that Piff fitted to noiseless Moffats, which grow with x and turn with y."""
    wcs = galsim.PixelScale(0.2)
    rng = np.random.default_rng(1)
    stars = []
    for x, y in rng.uniform(20, 1000, (12, 2)):
        image = galsim.ImageD(25, 25)
        image.setCenter(round(x), round(y))
        profile = galsim.Moffat(half_light_radius=0.5 + 1e-4 * x, beta=3).shear(g1=2e-5 * y, g2=0.01).withFlux(1e5)
        profile.drawImage(image, center=galsim.PositionD(x, y), scale=0.2)
        image.wcs = wcs
        stars.append(piff.Star(piff.StarData(image, galsim.PositionD(x, y)), None))
    psf = piff.SimplePSF(model, interp)
    psf.fit(stars, {0: wcs}, None)
    return psf


@pytest.fixture(scope="module")
def fitted() -> Any:
    """Return a Gaussian whose parameters are linear in place."""
    return _fitted(piff.Gaussian(fastfit=True), piff.Polynomial(order=1))


@pytest.fixture(scope="module")
def grid() -> Any:
    """Return an image that is the same everywhere."""
    return _fitted(piff.PixelGrid(0.2, 5), piff.Mean())


def _stored(psf: Any, size: int = 25, height: int | None = None, protocol: int = 4) -> Any:
    pickled = pickle.dumps((size, height or size, psf), protocol=protocol)
    return "PiffPsf", [row(bytes=pickled)]


def test_psf_is_what_piff_draws(stored_psf: Read, fitted: Any) -> None:
    """Centred on its stamp, with unit sum; it varies with place."""
    psf = stored_psf(_stored(fitted))
    assert psf.name == "PiffPsf"
    for x, y in PLACES:
        drawn, expected = psf.at(x, y), fitted.draw(x, y, stamp_size=25, center=True).array
        assert (drawn.x0, drawn.y0, drawn.moments) == (-12, -12, None)
        np.testing.assert_allclose(drawn.image, expected / expected.sum(), rtol=1e-12)
    assert abs(psf.at(*PLACES[0]).image - psf.at(*PLACES[1]).image).max() > 1e-3


@pytest.mark.parametrize("protocol", [2, 5])
def test_models_and_interpolations_are_let_through(stored_psf: Read, grid: Any, protocol: int) -> None:
    """What a fitted PSF is made of may be in the file, whatever the protocol of its pickle."""
    for psf in (grid, _fitted(piff.Moffat(beta=3.0, fastfit=True), piff.Polynomial(order=1))):
        expected = pickle.loads(pickle.dumps(psf)).draw(*PLACES[0], stamp_size=25, center=True).array
        drawn = stored_psf(_stored(psf, protocol=protocol)).at(*PLACES[0])
        np.testing.assert_allclose(drawn.image, expected / expected.sum(), rtol=1e-12)


def test_centre_of_an_even_stamp_is_a_pixel(stored_psf: Read, fitted: Any) -> None:
    """The centre is pixel [h // 2, w // 2], as for every kernel, and not between pixels as Piff has it."""
    drawn = stored_psf(_stored(fitted, 24)).at(*PLACES[0])
    odd = stored_psf(_stored(fitted, 25)).at(*PLACES[0])
    assert drawn.x0 == drawn.y0 == -12
    inner = odd.image[:24, :24] / odd.image[:24, :24].sum()
    np.testing.assert_allclose(drawn.image, inner, rtol=1e-9)


def test_pickles_of_older_versions_are_completed(stored_psf: Read, grid: Any) -> None:
    """Before Piff 1.4 there were no numbers of components, and no flag for the flux; before 1.7 no sizes in k."""
    older = pickle.loads(pickle.dumps(grid))
    expected = pickle.loads(pickle.dumps(grid)).draw(*PLACES[0], stamp_size=25, center=True).array
    for part, names in [
        (older, ["_num"]),
        (older.interp, ["_num"]),
        (older.model, ["_num", "_fit_flux", "_maxk", "_stepk"]),
    ]:
        for name in names:
            del part.__dict__[name]
    with pytest.raises(AttributeError):
        older.draw(*PLACES[0], stamp_size=25, center=True)
    drawn = stored_psf(_stored(older)).at(*PLACES[0])
    np.testing.assert_allclose(drawn.image, expected / expected.sum(), rtol=1e-9)


def test_colour_that_nobody_gives_is_named(stored_psf: Read) -> None:
    """A PSF that varies with more than place cannot be evaluated at a place."""
    coloured = piff.SimplePSF(piff.Gaussian(), piff.BasisPolynomial(1, keys=("u", "v", "colorValue")))
    with pytest.raises(NotMeasuredError, match="varies with colorValue; use a recorded size"):
        stored_psf(_stored(coloured))


class _Harmful:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("true",)),
        (eval, ("1",)),
        (getattr, (1, "real")),
        (np.memmap, ("file", "u1", "w+")),
        (np.load, ("file",)),
        (galsim.UVFunction, ("x", "y")),
        (galsim.SED, ("1", "nm", "fphotons")),
        (piff.read, ("file",)),
        (galsim.fits.write, (None, "file")),
    ],
)
def test_what_is_no_part_of_a_psf_is_refused(stored_psf: Read, function: Any, arguments: Any) -> None:
    """A pickle may call anything: what a PSF is not made of is not brought in, and is named."""
    with pytest.raises(NotMeasuredError, match=rf"^PiffPsf .* is made of .*{function.__name__}, which the harness"):
        stored_psf(_stored(_Harmful(function, *arguments)))


def test_imports_of_a_module_are_no_part_of_it(stored_psf: Read) -> None:
    """A name that a module of Piff imported is not its own, even when it is a class."""
    text = b"cpiff.util\nos\n."
    with pytest.raises(NotMeasuredError, match=r"is made of piff\.util\.os"):
        stored_psf(("PiffPsf", [row(bytes=text)]))


@pytest.mark.parametrize("damage", [b"", b"nothing", pickle.dumps(3), pickle.dumps((25, 25, 7)), b"\x80\x04K\x19K\x19"])
def test_damaged_pickles_are_broken(stored_psf: Read, damage: bytes) -> None:
    """What is no PSF of Piff says so, with class, object and file."""
    with pytest.raises(BrokenFileError, match=r"^PiffPsf \(object 1 of the archive\) in .* cannot be read"):
        stored_psf(("PiffPsf", [row(bytes=damage)]))


def test_truncated_pickle_is_broken(stored_psf: Read, fitted: Any) -> None:
    """So does one that ends early, and one whose stamps are not square."""
    whole = pickle.dumps((25, 25, fitted))
    for objects in (("PiffPsf", [row(bytes=whole[: len(whole) // 2])]), _stored(fitted, 25, 31)):
        with pytest.raises(BrokenFileError, match=r"^PiffPsf .* cannot be read"):
            stored_psf(objects)


def test_failure_to_draw_is_named(stored_psf: Read, fitted: Any) -> None:
    """When Piff cannot draw, its reason is told."""
    psf = pickle.loads(pickle.dumps(fitted))
    psf.wcs = {0: psf.wcs[0], 1: psf.wcs[0]}
    with pytest.raises(NotMeasuredError, match=r"cannot be drawn at \(500, 300\): .*chipnum is required"):
        stored_psf(_stored(psf)).at(*PLACES[0])


def test_missing_library_is_named(stored_psf: Read, fitted: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Piff there is no PSF, and the message says how to install it."""
    stored = _stored(fitted)
    monkeypatch.setitem(sys.modules, "piff", None)
    with pytest.raises(NotMeasuredError, match=r"needs piff, .* pip install 'rerun-harness\[psf\]'"):
        stored_psf(stored)
