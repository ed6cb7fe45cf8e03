"""Background models as the pipelines store them: lists of binned statistics, or plain images."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np

from harness.errors import BrokenFileError, NotMeasuredError, first_line
from harness.rerun.exposures import headers
from harness.rerun.exposures.background_grid import InterpolationStyle, UndersampleStyle, approximate, interpolate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astropy.io.fits import Header
    from numpy.typing import NDArray

__all__ = ["BackgroundModel", "read_background"]

_AGAIN: Final = "fetch the file again or leave it out"
#: The number that stands for no approximation, and the one for Chebyshev polynomials.
_INTERPOLATED, _CHEBYSHEV = -1, 0
_STYLES: Final = ("INTERPSTYLE", "UNDERSAMPLESTYLE", "APPROXSTYLE", "APPROXORDERX", "APPROXORDERY")
_PLANES: Final = 3


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Component:
    """One model of a list: statistics in bins, and how they become an image."""

    statistics: NDArray[np.float32]
    variance: NDArray[np.float32]
    style: InterpolationStyle
    undersample: UndersampleStyle
    order: int | None
    """Order of the polynomial that approximates the statistics; None where they are interpolated."""
    weighted: bool

    def image(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Evaluate it at full size."""
        if self.order is None:
            full = interpolate(self.statistics, shape, self.style, self.undersample)
        else:
            with np.errstate(divide="ignore"):
                weights = 1.0 / self.variance if self.weighted else np.ones_like(self.statistics)
            full = approximate(self.statistics, weights, shape, self.order)
        return full.astype(np.float32, order="C")


@final
@dataclass(frozen=True, slots=True, eq=False)
class BackgroundModel:
    """A background of an exposure or coadd: the sum of its components.

    What it is subtracted from is the matter of who compares: a calibrated exposure plus its background is the image
    before subtraction, and a coadd before its last background subtraction minus the one after it is the background.

    Attributes
    ----------
    path
        The file.
    shape
        Rows and columns.
    xy0
        Parent pixel coordinates (x, y) of element [0, 0].
    bins
        Bins (nx, ny) of each component; empty for a plain image.
    unit
        Unit of a pixel value as written; empty when the file does not say.
    """

    path: Path
    shape: tuple[int, int]
    xy0: tuple[int, int]
    bins: tuple[tuple[int, int], ...]
    unit: str
    _parts: tuple[_Component, ...]
    _plain: NDArray[np.float32] | None = None

    @property
    def n_components(self) -> int:
        """Number of models that add up to the background; 0 for a plain image."""
        return len(self._parts)

    def image(self) -> NDArray[np.float32]:
        """Evaluate the background at full size; a new array (ny, nx) at each call.

        Raises
        ------
        harness.errors.NotMeasuredError
            When a component has no finite statistics, or too few for how it is to be interpolated.
        """
        if self._plain is not None:
            return self._plain.copy()
        # Like afw, each component is rounded to float32 before it is added: closure is judged in last places.
        total = np.zeros(self.shape, np.float32)
        for number, part in enumerate(self._parts, start=1):
            try:
                total += part.image(self.shape)
            except ValueError as fault:
                raise NotMeasuredError(
                    f"background {self.path}: component {number} of {len(self._parts)} {fault}; make it again or leave "
                    "it out"
                ) from None
        return total


def read_background(path: Path) -> BackgroundModel:
    """Read a background: a ``BackgroundList`` of ``lsst/afw``, or an image (plain FITS, afw image or exposure).

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    harness.errors.BrokenFileError
        When the file is missing, cut off or not FITS, has no image, or contradicts itself.
    harness.errors.NotMeasuredError
        When it is made in a way that is not known here.
    """
    from astropy.io import fits

    path = Path(path)
    try:
        with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as file:
            found = [hdu for hdu in file if hdu.is_image and hdu.shape]
            is_list = bool(found) and "INTERPSTYLE" in found[0].header
            images = [(hdu.header, np.asarray(hdu.data)) for hdu in (found if is_list else found[:1])]
            primary = file[0].header
    except FileNotFoundError:
        raise BrokenFileError(f"background {path} is missing; {_AGAIN}") from None
    except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged file
        raise BrokenFileError(f"background {path} cannot be read ({first_line(fault)}); {_AGAIN}") from None
    if not images:
        raise BrokenFileError(f"background {path} has no image in it; {_AGAIN}")
    if not is_list:
        return _plain(path, primary, *images[0])
    if len(images) % _PLANES:
        raise BrokenFileError(
            f"background {path} has {len(images)} images, and a list of backgrounds has three for each; {_AGAIN}"
        )
    return _listed(path, images)


def _plain(path: Path, primary: Header, header: Header, data: NDArray[Any]) -> BackgroundModel:
    """Return an image as a background."""
    if data.ndim != 2:
        raise BrokenFileError(f"background {path} has an image of {data.ndim} dimensions; give one of two")
    unit = headers.Keywords(header, primary).text("BUNIT")
    return BackgroundModel(path, data.shape, headers.origin(header), (), unit, (), data.astype(np.float32))


def _listed(path: Path, images: Sequence[tuple[Header, NDArray[Any]]]) -> BackgroundModel:
    """Return the models of a list: image, mask and variance of each, told by the header of the image."""
    parts, boxes = [], []
    for first in range(0, len(images), _PLANES):
        number = first // _PLANES + 1
        (header, statistics), (_, mask), (_, variance) = images[first : first + _PLANES]
        if not statistics.ndim == 2 or not statistics.shape == mask.shape == variance.shape:
            raise BrokenFileError(
                f"background {path}: image, mask and variance of component {number} differ in size; {_AGAIN}"
            )
        boxes.append(_box(path, header, number))
        if statistics.shape[1] > boxes[-1][2] or statistics.shape[0] > boxes[-1][3]:
            raise BrokenFileError(f"background {path}: component {number} has more bins than pixels; {_AGAIN}")
        parts.append(_component(path, header, number, statistics, variance))
    if len(set(boxes)) > 1:
        raise BrokenFileError(f"background {path}: its components differ in box; {_AGAIN}")
    x0, y0, width, height = boxes[0]
    bins = tuple((part.statistics.shape[1], part.statistics.shape[0]) for part in parts)
    unit = headers.Keywords(images[0][0]).text("BUNIT")
    return BackgroundModel(path, (height, width), (x0, y0), bins, unit, tuple(parts))


def _box(path: Path, header: Header, number: int) -> tuple[int, int, int, int]:
    """Return x0, y0, width and height of the image that a component is a background of."""
    keywords = headers.Keywords(header)
    x0, y0, width, height = (keywords.integer(f"BKGD_{name}") for name in ("X0", "Y0", "WIDTH", "HEIGHT"))
    if x0 is None or y0 is None or not width or not height or width < 0 or height < 0:
        raise BrokenFileError(
            f"background {path}: component {number} does not say what box it belongs to (BKGD_X0, BKGD_Y0, "
            f"BKGD_WIDTH, BKGD_HEIGHT); {_AGAIN}"
        )
    return x0, y0, width, height


def _component(path: Path, header: Header, number: int, statistics: NDArray[Any], variance: NDArray[Any]) -> _Component:
    """Return one model of a list; older files do not say how it is approximated, and then it is not."""
    keywords = headers.Keywords(header)
    style, undersample, approximation, order, order_y = (keywords.integer(name) for name in _STYLES)
    if approximation == _CHEBYSHEV:  # how it would be interpolated does not matter then
        style = InterpolationStyle.CONSTANT
        known = order is not None and order >= 0 and order_y in {order, -1, None}
    else:
        order = None
        known = approximation in {_INTERPOLATED, None}
    if not known or style not in tuple(InterpolationStyle) or undersample not in tuple(UndersampleStyle):
        said = ", ".join(f"{name} {keywords.text(name) or 'missing'}" for name in _STYLES)
        raise NotMeasuredError(
            f"background {path}: component {number} is made in a way that is not known here ({said}); give the image "
            "of the background instead"
        )
    return _Component(
        statistics.astype(np.float32),
        variance.astype(np.float32),
        InterpolationStyle(style),
        UndersampleStyle(undersample),
        order,
        keywords.integer("APPROXWEIGHTING") != 0,
    )
