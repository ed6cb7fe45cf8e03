"""Opening an exposure, whichever software wrote it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from astropy.io import fits

from harness.errors import BrokenFileError

if TYPE_CHECKING:
    from harness.rerun.exposures.protocol import Exposure

__all__ = ["open_exposure"]


def open_exposure(path: Path) -> Exposure:
    """Open an exposure that `lsst.afw` or `lsst.images` wrote; no pixel is read.

    Parameters
    ----------
    path
        The file; a context manager is returned, which closes it.

    Raises
    ------
    harness.errors.BrokenFileError
        When the file cannot be read, is no exposure, or was written by a newer version of its software.
    """
    path = Path(path)
    if _is_lsst_images(path):
        from harness.rerun.exposures.lsst_images import LsstImagesExposure

        return LsstImagesExposure(path)
    from harness.rerun.exposures.afw import AfwExposure

    return AfwExposure(path)


def _is_lsst_images(path: Path) -> bool:
    """Whether a file is JSON, or FITS that names a data model."""
    try:
        with path.open("rb") as file:
            match file.read(6):
                case b"SIMPLE":
                    file.seek(0)
                    with warnings.catch_warnings(action="ignore"):
                        return "DATAMODL" in fits.Header.fromfile(file)
                case start:
                    return start.startswith(b"{")
    except FileNotFoundError:
        raise BrokenFileError(f"{path} is missing; fetch it again or leave it out") from None
    except (OSError, ValueError):  # a header without an end, which whoever reads it next tells better
        return False
