"""PSFs that PSFEx fitted, as afw stores them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, final

from harness.rerun.exposures.archived import ArchivedObject
from harness.rerun.exposures.psf.psfex_model import PsfexModel
from harness.rerun.exposures.psf.stamps import centred_stamp

if TYPE_CHECKING:
    from harness.rerun.exposures.archive import Archive
    from harness.rerun.exposures.protocol import KernelImage

__all__ = ["PsfexPsf"]


@final
class PsfexPsf:
    """A PSFEx model with unit sum."""

    name: ClassVar[str] = "PsfexPsf"

    def __init__(self, archive: Archive, object_id: int) -> None:
        stored = self._stored = ArchivedObject(archive, object_id, 2)
        if stored.number("ndim") != 2 or stored.number("ngroup") != 1:
            raise stored.not_evaluated("is not a polynomial in x and y together")
        width, height, n_planes = (int(size) for size in stored.numbers("_size", 3, table=1))
        if min(width, height, n_planes) < 1:
            raise stored.broken(f"has {n_planes} planes of {width} × {height}")
        planes = stored.numbers("_comp", n_planes * height * width, table=1).reshape(n_planes, height, width)
        degree, step = int(stored.number("degree", 1)), stored.number("_pixstep")
        origin, scale = (stored.numbers(f"_context_{which}", 2, 1) for which in ("first", "second"))
        try:
            self._model = PsfexModel(planes, degree, origin, scale, step)
        except ValueError as fault:
            raise stored.broken(str(fault)) from None

    def at(self, x: float, y: float) -> KernelImage:
        """Draw the PSF at a place in parent pixels."""
        return centred_stamp(self._stored, self._model.image(x, y))
