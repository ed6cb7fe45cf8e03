"""World coordinates from the archive of a file; they refer to parent pixels."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Protocol, final

import numpy as np

from harness.errors import NotMeasuredError, first_line
from harness.rerun.exposures.archived import ArchivedObject

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.rerun.exposures.archive import Archive

__all__ = ["ArchiveWcs", "AstWcs", "TanWcs", "local_affine", "read_wcs", "sky_about"]


#: What is stored: format, class, a flag, and the dump.
_SKY_WCS = re.compile(r"\d+ SkyWcs \d+\s+(Begin FrameSet\s.*End FrameSet)\s*", re.DOTALL)


class ArchiveWcs(Protocol):
    """Parent pixels (0-based) to the sky and back."""

    def pixel_to_world(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return right ascension and declination, degrees, (2, n); NaN where there is none."""

    def world_to_pixel(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x and y, pixels, (2, n); NaN where the sky does not map to the plane of the pixels."""


def read_wcs(archive: Archive, object_id: int) -> ArchiveWcs:
    """Read world coordinates from an archive.

    Parameters
    ----------
    archive, object_id
        The archive and the number of the object in it.

    Raises
    ------
    harness.errors.BrokenFileError
        When the archive does not hold them as their class should be stored.
    harness.errors.NotMeasuredError
        When their class is unknown, or needs a library that is not installed.
    """
    match archive.class_name(object_id):
        case "TanWcs" | "Wcs":
            return TanWcs(archive, object_id)
        case "SkyWcs":
            return AstWcs(archive, object_id)
        case other:
            raise NotMeasuredError(
                f"{archive.path} holds world coordinates of the class {other} (object {object_id} of its archive), "
                "which nobody here reads (TanWcs, Wcs and SkyWcs are); use a recorded size, or leave the file out"
            )


#: The place itself, then half a pixel to either side of it along x and along y.
_CROSS = np.array([[0.0, 0.5, -0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.5, -0.5]])


def sky_about(wcs: ArchiveWcs, x: float, y: float) -> NDArray[np.float64]:
    """Return where a pixel is on the sky, for `local_affine`.

    Parameters
    ----------
    wcs
        World coordinates of its image.
    x, y
        Its centre, parent pixels.

    Returns
    -------
    (2, 5) ndarray
        Right ascension and declination of its centre and of the middle of its four sides, degrees.
    """
    return wcs.pixel_to_world(x + _CROSS[0], y + _CROSS[1])


def local_affine(sky: NDArray[np.float64], wcs: ArchiveWcs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Map the surroundings of a pixel to another image of the same sky.

    Parameters
    ----------
    sky : (2, 5)
        The pixel, as `sky_about` returns it.
    wcs
        World coordinates of the other image.

    Returns
    -------
    place : (2,)
        x and y of its centre, parent pixels of the other image; NaN where the sky does not map to its plane.
    matrix : (2, 2)
        Change of x and y (rows) with those of the pixel's own image (columns): differences from side to side.
    """
    places = wcs.world_to_pixel(*sky)
    return places[:, 0], np.stack([places[:, 1] - places[:, 2], places[:, 3] - places[:, 4]], axis=1)


@final
class TanWcs:
    """FITS world coordinates, as the classes ``TanWcs`` (tangent plane, with SIP distortion or not) and ``Wcs``.

    They are stored with the reference pixel counted from 0, and matrices in order of columns.
    """

    def __init__(self, archive: Archive, object_id: int) -> None:
        from astropy.wcs import WCS, Sip

        n_tables = len(archive.tables(object_id))
        stored = ArchivedObject(archive, object_id, 2 if n_tables == 2 else 1)
        self._fits = WCS(naxis=2)
        fits = self._fits.wcs
        fits.crval = stored.point("crval")
        fits.crpix = np.add(stored.point("crpix"), 1)
        fits.cd = stored.numbers("cd", 4).reshape(2, 2, order="F")
        fits.ctype = [stored.text("ctype1"), stored.text("ctype2")]
        if n_tables == 2:
            fits.ctype = [f"{name.removesuffix('-SIP')}-SIP" for name in fits.ctype]
            self._fits.sip = Sip(*(_square(stored, name) for name in ("A", "B", "Ap", "Bp")), fits.crpix)
        try:
            fits.set()
        except ValueError:  # the base of wcslib's errors
            raise stored.broken("is not world coordinates") from None

    def pixel_to_world(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return right ascension and declination, degrees, (2, n)."""
        return np.array(self._fits.all_pix2world(x, y, 0))

    def world_to_pixel(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x and y, pixels, (2, n); NaN more than 90 degrees off the tangent point."""
        pixels = np.array(self._fits.wcs_world2pix(ra, dec, 0))
        seen = np.isfinite(pixels).all(axis=0)
        pixels[:, seen] = self._fits.all_world2pix(ra[seen], dec[seen], 0, quiet=True)
        return pixels


def _square(stored: ArchivedObject, name: str) -> NDArray[np.float64]:
    """Return the coefficients of u^i v^j of a distortion polynomial at [i, j]."""
    numbers = stored.numbers(name, table=1)
    order = math.isqrt(numbers.size)
    if order * order != numbers.size:
        raise stored.broken(f"has {numbers.size} numbers in its field {name}, which is no square matrix")
    return numbers.reshape(order, order, order="F")


@final
class AstWcs:
    """World coordinates as a dump of Starlink's AST library, the class ``SkyWcs``; needs ``starlink-pyast``."""

    def __init__(self, archive: Archive, object_id: int) -> None:
        try:
            from starlink import Ast
        except ImportError:
            raise NotMeasuredError(
                f"the SkyWcs in {archive.path} needs starlink-pyast, which is not installed; "
                "pip install 'rerun-harness[psf]', or use a recorded size"
            ) from None
        stored = ArchivedObject(archive, object_id)
        # Checked before AST sees it: AST may crash on what it did not write.
        dump = _SKY_WCS.fullmatch(stored.blob("wcs").decode("ascii", errors="replace"))
        if dump is None:
            raise stored.broken("is not world coordinates")
        try:
            frames = Ast.Channel(_Lines(dump[1])).read()
        except Ast.AstError as fault:
            raise stored.broken(f"is not world coordinates: {first_line(fault)}") from None
        if (frames.Nin, frames.Nout) != (2, 2):
            raise stored.broken("is not world coordinates of two axes")
        self._frames = frames
        self._missing = Ast.BAD

    def pixel_to_world(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return right ascension and declination, degrees, (2, n)."""
        return np.degrees(self._mapped([x, y], forward=True))

    def world_to_pixel(self, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x and y, pixels, (2, n)."""
        return self._mapped(np.radians([ra, dec]), forward=False)

    def _mapped(self, points: Any, *, forward: bool) -> NDArray[np.float64]:
        mapped = np.asarray(self._frames.tran(points, forward))
        return np.where(mapped == self._missing, np.nan, mapped)


class _Lines:
    """The lines of a text, as an ``Ast.Channel`` asks for them."""

    def __init__(self, text: str) -> None:
        self._lines = iter(text.splitlines())

    def astsource(self) -> str | None:
        return next(self._lines, None)
