"""What an exposure is to the rest of the harness, whichever software wrote it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    import numpy as np
    from astropy.wcs import WCS
    from numpy.typing import NDArray

__all__ = [
    "SIGMA_TO_FWHM",
    "CoaddInput",
    "Exposure",
    "ExposureKind",
    "ExposureRef",
    "Exposures",
    "KernelImage",
    "Psf",
    "PsfSizeKind",
    "VisitInfo",
]

ExposureKind = Literal[
    "science", "template", "difference", "visitBackground", "coaddBefore", "coaddAfter", "coaddBackground"
]
"""What an exposure is in the processing: three of a subtraction, and what backgrounds are judged by.

``coaddBefore`` is the coadd before its last background subtraction, ``coaddAfter`` the one after it.
"""

PsfSizeKind = Literal["determinant", "trace", "nea"]
"""Which size of a PSF is meant.

FWHM = 2 sqrt(2 ln 2) times the determinant radius (Ixx Iyy - Ixy²)^(1/4) or the trace radius sqrt((Ixx + Iyy)/2) of
its adaptive second moments, or times sqrt(NEA/4pi), where NEA = (sum k)²/sum(k²) is its noise-equivalent area.  All
three are the FWHM of a Gaussian PSF, and of no other one.
"""


SIGMA_TO_FWHM = 2 * math.sqrt(2 * math.log(2))
"""FWHM of a Gaussian of unit sigma."""


@final
@dataclass(frozen=True, slots=True)
class ExposureRef:
    """An exposure (or background) of a rerun, unread.

    Attributes
    ----------
    kind
        What it is in the processing.
    side
        Which template a template or difference belongs to, ``good`` (good-seeing) or ``deep``; empty when the rerun has
        but one, and for what does not depend on it.
    instrument, visit, detector, band
        Data ID; -1 for numbers, and empty text, that it has not.
    tract, patch
        Data ID of a coadd; -1 otherwise.
    ref
        What `Exposures.local` finds its file by.
    inputs
        Dataset UUID, or digest of what tells a file apart from what it was before.
    """

    kind: ExposureKind
    side: str
    instrument: str
    visit: int
    detector: int
    band: str
    tract: int
    patch: int
    ref: str
    inputs: str


class Exposures(Protocol):
    """The exposures of a rerun, listed but not read."""

    @property
    def listed(self) -> Sequence[ExposureRef]:
        """All exposures, in order of kind, side and data ID; duplicates of a data ID are listed as often."""

    def local(self, ref: str) -> AbstractContextManager[Path]:
        """Return a local file for the ``ref`` of an exposure; a remote one is fetched for the while.

        Raises
        ------
        harness.errors.BrokenFileError
            When it is missing.
        """


@final
@dataclass(frozen=True, slots=True)
class VisitInfo:
    """When and where an exposure was taken; NaN where it is not known.

    Attributes
    ----------
    exposure_time
        s.
    mjd_tai
        Middle of the exposure, MJD TAI.
    ra, dec
        Boresight, degrees.
    airmass
        Of the boresight.
    """

    exposure_time: float
    mjd_tai: float
    ra: float
    dec: float
    airmass: float


@final
@dataclass(frozen=True, slots=True)
class CoaddInput:
    """One visit (of one detector, where that is known: else -1) that went into a coadd, with its weight."""

    visit: int
    detector: int
    weight: float


@final
@dataclass(frozen=True, slots=True, eq=False)
class KernelImage:
    """A PSF drawn at one place.

    Attributes
    ----------
    image : (h, w) float64
        Unit sum.
    x0, y0
        Place of element [0, 0] relative to the centre of the PSF, pixels (``-(w // 2)`` as a rule).
    moments
        Ixx, Iyy, Ixy in pixel² where they are known without measuring (a Gaussian); else None.
    """

    image: NDArray[np.float64]
    x0: int
    y0: int
    moments: tuple[float, float, float] | None = None


class Psf(Protocol):
    """A point-spread function that varies over an exposure."""

    @property
    def name(self) -> str:
        """Name of its class as stored, such as ``PsfexPsf``."""

    def at(self, x: float, y: float) -> KernelImage:
        """Draw the PSF at a place in parent pixels (0-based, origin of `Exposure.xy0`).

        Raises
        ------
        harness.errors.NotMeasuredError
            When it has no value there (a coadd without input), or needs a library that is not installed; the message
            names the extra.
        """


class Exposure(Protocol):
    """An image with its mask, variance, PSF and the rest, read as far as it is asked for.

    A context manager; planes are read on first use and then kept until it is closed.  Those that are stored plain come
    in the byte order of the file, as a copy would take longer than most of what is done with them.  Whatever is broken
    raises `harness.errors.BrokenFileError`, whatever was never there `harness.errors.NotMeasuredError`; both name the
    file.
    """

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns; known without reading pixels."""

    @property
    def xy0(self) -> tuple[int, int]:
        """Parent pixel coordinates (x, y) of element [0, 0]."""

    @property
    def unit(self) -> str:
        """Unit of a pixel value as written (``nJy``, ``adu``); empty when the file does not say."""

    @property
    def band(self) -> str:
        """Band, else physical filter, else empty."""

    @property
    def image(self) -> NDArray[np.float32]:
        """The image, read-only."""

    @property
    def variance(self) -> NDArray[np.float32]:
        """The variance, read-only."""

    @property
    def mask(self) -> NDArray[np.int32]:
        """The mask, read-only; its bits are those of `mask_planes`."""

    @property
    def mask_planes(self) -> Mapping[str, int]:
        """Bit number of each mask plane, by its name in this file (``SAT`` or ``SATURATED``)."""

    @property
    def lossy(self) -> frozenset[str]:
        """Which of ``image``, ``variance`` are stored with quantised values."""

    @property
    def wcs(self) -> WCS | None:
        """World coordinates of the *stored array* (0-based element), or None."""

    @property
    def zero_point(self) -> float:
        """AB magnitude of one pixel unit, mean over the exposure; NaN when unknown."""

    @property
    def visit_info(self) -> VisitInfo:
        """When and where it was taken."""

    @property
    def summary(self) -> Mapping[str, float]:
        """Summary statistics recorded by the pipeline, by name (``psfSigma``, ``zeroPoint``, …), finite ones only."""

    @property
    def coadd_inputs(self) -> tuple[CoaddInput, ...] | None:
        """What went into a coadd, or None when it is none (an empty tuple is a coadd without inputs)."""

    @property
    def psf(self) -> Psf | None:
        """The PSF, or None when the file has none."""
