"""The bias of a detector by amplifier, from the segments of a raw file or from an assembled image."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np
from astropy.io import fits

from harness.errors import BrokenFileError, HarnessError
from harness.metrics.ptc.overscan import subtract_overscan
from harness.rerun.raw_fits import RawFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.rerun.raw_fits import Amplifier

__all__ = ["Bias", "read_bias"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Bias:
    """The bias of one detector.

    Attributes
    ----------
    path
        Where it was read from.
    image : (rows, columns) float32 or None
        The whole detector, adu; None where the file has segments.
    segments
        The imaging pixels of each amplifier, adu, where the file has segments.
    problems
        Why amplifiers cannot be read, by name.
    """

    path: Path
    image: NDArray[np.float32] | None = None
    segments: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def plane(self, amplifier: Amplifier) -> NDArray[np.float32]:
        """Return the imaging pixels of an amplifier of a flat in the order in which it is read; a view.

        Raises
        ------
        harness.errors.BrokenFileError
            When the bias does not have them, or has more or fewer.
        """
        name = amplifier.name
        if self.image is not None:
            plane = self._cut(self.image, amplifier)
        elif name in self.segments:
            plane = self.segments[name]
        else:
            there = ", ".join(self.segments)
            raise BrokenFileError(
                self.problems.get(name)
                or f"bias {self.path} has no amplifier {name} (there are: {there}); it is cut off, or of another "
                "detector: fetch it again or use the bias of this one"
            )
        shape = tuple(section.stop - section.start for section in amplifier.data)
        if plane.shape != shape:
            raise BrokenFileError(
                f"bias {self.path} has {_size(plane.shape)} pixels for amplifier {name}, and the flats have "
                f"{_size(shape)}; use the bias of this detector"
            )
        return plane

    def _cut(self, image: NDArray[np.float32], amplifier: Amplifier) -> NDArray[np.float32]:
        """Cut an amplifier out of an assembled image, flipped back to the order in which it is read."""
        if amplifier.detsec is None:
            raise BrokenFileError(
                f"the flats do not say where amplifier {amplifier.name} lies on the detector, which cutting it out of "
                f"{self.path} takes; add DETSEC to their headers or use a bias of segments"
            )
        x0, x1, y0, y1 = amplifier.detsec
        rows, columns = (slice(min(limits) - 1, max(limits)) for limits in ((y0, y1), (x0, x1)))
        if image.shape[0] < rows.stop or image.shape[1] < columns.stop:
            raise BrokenFileError(
                f"bias {self.path} has {_size(image.shape)} pixels, and amplifier {amplifier.name} lies at "
                f"[{x0}:{x1},{y0}:{y1}]; use the bias of this detector"
            )
        return image[rows, columns][:: 1 if y0 <= y1 else -1, :: 1 if x0 <= x1 else -1]


def read_bias(path: Path) -> Bias:
    """Read a bias.

    Parameters
    ----------
    path
        Raw file with a segment per amplifier, or an assembled image (the first one of the file, as ``lsst.afw`` writes
        it).  The overscan level is subtracted from segments that have overscan, so that one raw bias frame serves as
        well as a mean of many.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is neither.
    """
    if (image := _assembled(path)) is not None:
        return Bias(path, image)
    segments: dict[str, NDArray[np.float32]] = {}
    with RawFile(path) as raw:
        problems = dict(raw.problems)
        for name in raw.amplifiers:
            try:
                segments[name] = _imaging(raw, name)
            except HarnessError as fault:
                problems[name] = str(fault)
    return Bias(path, None, segments, problems)


def _imaging(raw: RawFile, name: str) -> NDArray[np.float32]:
    segment, amplifier = raw.segment(name), raw.amplifiers[name]
    overscan = amplifier.overscan[1]
    if overscan.start < overscan.stop:
        return subtract_overscan(segment, amplifier)[0]
    return segment[amplifier.data].astype(np.float32)


def _assembled(path: Path) -> NDArray[np.float32] | None:
    """Return the image of a whole detector; None when the file has segments, or is none that can be read."""
    try:
        with warnings.catch_warnings(action="ignore"), fits.open(path) as hdus:
            if any(str(hdu.name).upper().startswith("SEGMENT") for hdu in hdus):
                return None
            images = (hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS") == 2)
            hdu = next(images, None)
            return None if hdu is None else np.asarray(hdu.data, np.float32)
    except (OSError, ValueError, TypeError):
        return None  # RawFile tells what is wrong with it


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, reversed(shape)))
