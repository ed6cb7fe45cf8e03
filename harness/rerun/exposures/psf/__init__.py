"""Point-spread functions from the archive of a file, evaluated without the software that wrote them."""

from harness.rerun.exposures.psf.reading import read_psf

__all__ = ["read_psf"]
