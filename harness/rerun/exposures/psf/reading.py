"""Which class of a stored PSF is read by which of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.psf.gaussian import DoubleGaussianPsf, GaussianPsf, SingleGaussianPsf
from harness.rerun.exposures.psf.kernel import KernelPsf
from harness.rerun.exposures.psf.psfex import PsfexPsf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.rerun.exposures.archive import Archive
    from harness.rerun.exposures.protocol import Psf

__all__ = ["read_psf"]

#: By the class that is stored; those whose modules need a library, or a compiler, are imported when one is read.
_READERS: Mapping[str, Callable[[Archive, int], Psf]] = {
    "GaussianPsf": GaussianPsf,
    "SingleGaussianPsf": SingleGaussianPsf,
    "DoubleGaussianPsf": DoubleGaussianPsf,
    "KernelPsf": KernelPsf,
    "PcaPsf": KernelPsf,
    "PsfexPsf": PsfexPsf,
}


def read_psf(archive: Archive, object_id: int, *, inside: frozenset[int] = frozenset()) -> Psf:
    """Read a PSF from an archive.

    Parameters
    ----------
    archive, object_id
        The archive and the number of the object in it.
    inside
        Numbers of the coadds that it is an input of, and of those they are inputs of.

    Returns
    -------
    Psf
        The inputs of a coadd are read when they are first needed.

    Raises
    ------
    harness.errors.BrokenFileError
        When the archive does not hold it as its class should be stored.
    harness.errors.NotMeasuredError
        When its class is unknown, or needs a library that is not installed.
    """
    if object_id in inside:
        raise BrokenFileError(
            f"the PSF with the number {object_id} of the archive in {archive.path} is an input of itself; "
            "restore the file or leave it out"
        )
    name = archive.class_name(object_id)
    if name in _READERS:
        return _READERS[name](archive, object_id)
    match name:
        case "PiffPsf":
            from harness.rerun.exposures.psf.piff import PiffPsf

            return PiffPsf(archive, object_id)
        case "CoaddPsf":
            from harness.rerun.exposures.psf.coadd import CoaddPsf

            return CoaddPsf(archive, object_id, inside)
        case _:
            raise NotMeasuredError(
                f"{archive.path} holds a PSF of the class {name} (object {object_id} of its archive), which the "
                "harness does not evaluate; use a recorded size, or leave the file out"
            )
