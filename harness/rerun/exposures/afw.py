"""Exposures as `lsst.afw` writes them: three planes, keywords, and an archive of objects."""

from __future__ import annotations

import math
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np
from astropy.io import fits

from harness.errors import BrokenFileError, HarnessError, NotMeasuredError, first_line
from harness.rerun.exposures import components, headers, tiles
from harness.rerun.exposures.archive import Archive, require_whole
from harness.rerun.exposures.planes import OpenExposure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from harness.rerun.exposures.protocol import CoaddInput, Psf, VisitInfo

__all__ = ["AfwExposure"]

_AGAIN = "fetch the file again or leave it out"
_PLANES = ("IMAGE", "MASK", "VARIANCE")
_NEWEST = 2  # EXPINFO_V
_NJY = 31.4  # AB magnitude of 1 nJy


@final
class AfwExposure(OpenExposure):
    """An exposure in a FITS file of `lsst.afw.image.Exposure`; implements `protocol.Exposure`.

    Opening reads headers alone, and each plane is read when it is first asked for.

    Parameters
    ----------
    path
        The file, plain or with tile-compressed planes.

    Raises
    ------
    harness.errors.BrokenFileError
        When it cannot be read, is cut off, has no image, or was written by a newer version of afw.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(Path(path))
        self._hdus = _open(self.path)
        try:
            with warnings.catch_warnings(action="ignore"):  # of what is cut off: it is told in our own words
                self._planes = self._find_planes()
            self._check_version()
        except HarnessError:
            self.close()
            raise
        except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged header
            self.close()
            raise _not_fits(self.path, fault) from None
        image = self._planes["IMAGE"].header
        self._keywords = headers.Keywords(self._hdus[0].header, image)
        self.shape: tuple[int, int] = headers.shape(image)
        self.xy0: tuple[int, int] = headers.origin(image)
        self.unit: str = headers.Keywords(image, self._hdus[0].header).text("BUNIT")

    def _close_file(self) -> None:
        self._hdus.close()

    @cached_property
    def mask_planes(self) -> Mapping[str, int]:
        """Bit number of each mask plane, by its name in this file."""
        try:
            planes = headers.mask_planes(self._plane("MASK").header)
        except ValueError as fault:
            raise BrokenFileError(
                f"the dictionary of mask planes of {self.path} is damaged: {fault}; {_AGAIN}"
            ) from None
        if not planes:
            raise NotMeasuredError(
                f"the mask of {self.path} has no dictionary of its planes (keywords MP_…), so that bad pixels "
                "cannot be told from good ones; write the exposure again with it"
            )
        return planes

    @cached_property
    def lossy(self) -> frozenset[str]:
        """Which of ``image``, ``variance`` are stored with quantised values."""
        return frozenset(name.lower() for name, hdu in self._planes.items() if headers.is_quantised(hdu.header))

    @cached_property
    def band(self) -> str:
        """Band, else physical filter, else the ``FILTER`` keyword (of older files), else empty."""
        label = self._component("FILTER")
        if label is not None:
            return components.filter_name(*label)
        name = self._keywords.text("FILTER")
        return "" if name == "_unknown_" else name

    @cached_property
    def wcs(self) -> WCS | None:
        """World coordinates of the stored array, from the header of the image, or None."""
        try:
            return headers.world_coordinates(self._planes["IMAGE"].header)
        except Exception as fault:  # noqa: BLE001 - wcslib raises of many kinds on a damaged header
            raise BrokenFileError(
                f"the WCS in the header of {self.path} cannot be read ({first_line(fault)}); {_AGAIN}"
            ) from None

    @cached_property
    def zero_point(self) -> float:
        """AB magnitude of one pixel unit: by ``PhotoCalib``, else ``FLUXMAG0``, else the unit; NaN when unknown."""
        calibration = self._component("PHOTOCALIB")
        if calibration is not None:
            mean = components.calibration_mean(*calibration)
            return _NJY - 2.5 * math.log10(mean) if mean > 0 else math.nan
        magnitude0 = self._keywords.number("FLUXMAG0")  # pixel units of a source of magnitude 0
        if magnitude0 > 0:
            return 2.5 * math.log10(magnitude0)
        return _NJY if self.unit == "nJy" else math.nan

    @cached_property
    def visit_info(self) -> VisitInfo:
        """When and where it was taken."""
        return headers.visit_info(self._keywords)

    @cached_property
    def summary(self) -> Mapping[str, float]:
        """Summary statistics recorded by the pipeline, by name, finite ones only."""
        recorded = self._component("SUMMARY_STATS")
        return {} if recorded is None else components.summary_statistics(*recorded)

    @cached_property
    def coadd_inputs(self) -> tuple[CoaddInput, ...] | None:
        """What went into a coadd, or None when it is none."""
        inputs = self._component("COADD_INPUTS")
        return None if inputs is None else components.coadd_inputs(*inputs)

    @cached_property
    def psf(self) -> Psf | None:
        """The PSF, or None when the file has none."""
        psf = self._component("PSF")
        if psf is None:
            return None
        from harness.rerun.exposures.psf import read_psf

        return read_psf(*psf)

    @cached_property
    def _archive(self) -> Archive | None:
        return Archive.of(self._hdus, self.path)

    def _component(self, name: str) -> tuple[Archive, int] | None:
        """Return where a component is stored, or None when there is none."""
        if self._archive is None or name not in self._archive.components:
            return None
        return self._archive, self._archive.components[name]

    def _find_planes(self) -> dict[str, Any]:
        """Return the HDU of each plane that is there."""
        first = _first(self._hdus, 1 + len(_PLANES))
        planes: dict[str, Any] = {}
        for number, hdu in enumerate(first, 1):
            keywords = headers.Keywords(hdu.header)
            name = keywords.text("EXTTYPE") or keywords.text("EXTNAME")
            require_whole(hdu, self.path, name or f"HDU {number}")
            if name in _PLANES and headers.shape(hdu.header) != (0, 0):
                planes[name] = hdu
        archive = headers.Keywords(first[0].header).integer("AR_HDU") or 0
        if len(first) < min(archive, 1 + len(_PLANES)):
            raise BrokenFileError(
                f"{self.path} is cut off: it has {len(first)} HDUs, and its archive should be HDU {archive}; {_AGAIN}"
            )
        if "IMAGE" not in planes:
            raise BrokenFileError(f"{self.path} is no exposure: {_content(first)}")
        return planes

    def _check_version(self) -> None:
        version = headers.Keywords(self._hdus[0].header).integer("EXPINFO_V") or 0
        if version > _NEWEST:
            raise BrokenFileError(
                f"{self.path} was written by a newer version of afw (EXPINFO_V {version}, known up to {_NEWEST}); "
                "install a newer rerun-harness"
            )

    def _plane(self, name: str) -> Any:
        if name not in self._planes:
            raise NotMeasuredError(
                f"{self.path} has no {name} plane (there are: {', '.join(self._planes)}); write the exposure again "
                "with it"
            )
        return self._planes[name]

    def _pixels(self, name: Literal["image", "variance", "mask"], dtype: type[Any]) -> NDArray[Any]:
        hdu = self._plane(name.upper())
        if (found := headers.shape(hdu.header)) != self.shape:
            raise BrokenFileError(
                f"the {name.upper()} of {self.path} has {found[0]}×{found[1]} pixels, and its IMAGE "
                f"{self.shape[0]}×{self.shape[1]}; {_AGAIN}"
            )
        try:
            with warnings.catch_warnings(action="ignore"):
                pixels = self._stored(hdu)
                # Whoever walks over pixels once swaps their bytes on the way, in a third of the time of a copy.
                if pixels.dtype.newbyteorder("=") != dtype:
                    pixels = pixels.astype(dtype)
        except Exception as fault:  # noqa: BLE001 - astropy and its decoders raise of every kind on damaged pixels
            raise BrokenFileError(
                f"the {name.upper()} of {self.path} cannot be read "
                f"({type(fault).__name__}: {first_line(fault)}); {_AGAIN}"
            ) from None
        pixels.flags.writeable = False
        return pixels

    def _stored(self, hdu: Any) -> NDArray[Any]:
        """Return the pixels of an HDU, in the type and byte order they are stored in."""
        if not headers.is_compressed(hdu.header):
            return np.asarray(hdu.section[:, :])
        from harness.rerun.exposures import quantised  # compiled: not for whoever wants headers

        decode = next((each.decode for each in (tiles, quantised) if each.can_decode(hdu.header)), None)
        if decode is not None and self.path.suffix != ".gz":
            stored = np.fromfile(self.path, np.uint8, hdu.size, offset=hdu.fileinfo()["datLoc"])
            return np.asarray(decode(hdu.header, stored))
        with fits.open(self.path) as hdus:
            return np.asarray(hdus[self._hdus.index(hdu)].data)


def _open(path: Path) -> Any:
    """Open a file; compressed images stay tables, whose headers tell how they are stored."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return fits.open(path, disable_image_compression=True)
    except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged file
        raise _not_fits(path, fault) from None


def _not_fits(path: Path, fault: Exception) -> BrokenFileError:
    return BrokenFileError(f"{path} cannot be read as FITS ({type(fault).__name__}: {first_line(fault)}); {_AGAIN}")


def _first(hdus: Any, count: int) -> list[Any]:
    """Return the first HDUs, as many as there are; those after them are not looked for."""
    found: list[Any] = []
    for number in range(count):
        try:
            found.append(hdus[number])
        except IndexError:
            break
    return found


def _content(first: list[Any]) -> str:
    """Return what the first HDUs of a file without an image are instead, and what to do about it."""
    for hdu in first:
        keywords = headers.Keywords(hdu.header)
        if catalogue := keywords.text("AFW_TYPE"):
            return f"it is a catalogue of afw ({catalogue}); name it among tables, or leave it out"
        if keywords.text("EXTTYPE") == "ARCHIVE_INDEX":
            names = ", ".join(
                dict.fromkeys(
                    headers.Keywords(other.header).text("AR_NAME") for other in first if "AR_NAME" in other.header
                )
            )
            return f"it holds objects of afw alone ({names}); name the exposure they belong to, or leave it out"
    return "none of its first HDUs is an IMAGE; name files that afw wrote as exposures, or leave it out"
