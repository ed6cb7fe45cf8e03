"""PSFs that Piff fitted, drawn by Piff."""

from __future__ import annotations

import io
import pickle
from typing import TYPE_CHECKING, Any, ClassVar, final

from harness.errors import NotMeasuredError, first_line
from harness.rerun.exposures.archived import ArchivedObject
from harness.rerun.exposures.psf.stamps import centred_stamp

if TYPE_CHECKING:
    from harness.rerun.exposures.archive import Archive
    from harness.rerun.exposures.protocol import KernelImage

__all__ = ["PiffPsf"]

_PLACE = frozenset({"x", "y", "u", "v"})

_BUILTINS = frozenset(
    {"bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int"}
    | {"list", "object", "range", "set", "slice", "str", "tuple"}
)
_ARRAYS = frozenset({"_reconstruct", "scalar", "_frombuffer"})

#: Modules of GalSim that a fitted PSF is made of; others have classes that evaluate text too.
_GALSIM = frozenset(
    {"airy", "angle", "bounds", "celestial", "convolve", "deltafunction", "fitswcs", "gaussian", "gsparams", "image"}
    | {"interpolant", "interpolatedimage", "kolmogorov", "moffat", "position", "shear", "sum", "transform"}
    | {"vonkarman", "wcs"}
)
_ACTIVE = frozenset({"RaDecFunction", "UVFunction", "WcsToolsWCS"})  # they evaluate text, or start programs


@final
class PiffPsf:
    """A PSF of Piff; needs ``piff``.

    It is stored as a pickle, and a pickle can be made to run what it likes.  Only classes that a fitted PSF is made of
    are let through, which stops the common attacks but is no sandbox: whoever reads files of people they do not trust
    leaves Piff uninstalled, or keeps to recorded sizes.
    """

    name: ClassVar[str] = "PiffPsf"

    def __init__(self, archive: Archive, object_id: int) -> None:
        try:
            import piff  # noqa: F401 - the pickle needs it
        except ImportError:
            raise NotMeasuredError(
                f"the PiffPsf in {archive.path} needs piff, which is not installed; "
                "pip install 'rerun-harness[psf]', or use a recorded size"
            ) from None
        stored = self._stored = ArchivedObject(archive, object_id)
        with archive.reading(object_id):
            width, height, self._psf = _Unpickler(stored).load()
            if width != height:
                raise ValueError(f"its stamps are {width} × {height}")
            self._size = int(width)
            _modernise(self._psf)
            others = set(self._psf.interp_property_names) - _PLACE
        if others:
            raise stored.not_evaluated(f"varies with {', '.join(sorted(others))}")

    def at(self, x: float, y: float) -> KernelImage:
        """Draw the PSF at a place in parent pixels."""
        # Piff centres on the middle of a stamp; where that is between pixels, the centre is the pixel after it.
        shift = 0.5 * (1 - self._size % 2)
        try:
            image = self._psf.draw(x, y, stamp_size=self._size, center=True, offset=(shift, shift))
        except Exception as fault:  # noqa: BLE001 - Piff and GalSim raise of every kind
            raise self._stored.not_evaluated(f"cannot be drawn at ({x:g}, {y:g}): {first_line(fault)}") from None
        return centred_stamp(self._stored, image.array)


class _Unpickler(pickle.Unpickler):
    """Reads a pickle made of Piff, GalSim and numpy objects alone."""

    def __init__(self, stored: ArchivedObject) -> None:
        super().__init__(io.BytesIO(stored.blob("bytes")))
        self._stored = stored

    def find_class(self, module: str, name: str) -> Any:
        """Return a class, or one of the few functions that arrays are stored by."""
        module = module.replace("numpy.core.", "numpy._core.")  # its name before numpy 2
        package, _, rest = module.partition(".")
        match package:
            case "builtins" | "__builtin__":
                allowed = name in _BUILTINS
            case "_codecs":
                allowed = name == "encode"
            case "copyreg" | "copy_reg":
                allowed = name == "_reconstructor"
            case "numpy":
                allowed = rest.startswith("_core.") and name in _ARRAYS
                allowed |= rest.startswith("polynomial.") and name.endswith("val2d")
                allowed |= not rest and self._is_number(name)
            case "galsim":
                allowed = rest in _GALSIM and name not in _ACTIVE and self._is_class(module, name)
            case "piff" | "coord":
                allowed = self._is_class(module, name)
            case _:
                allowed = False
        if not allowed:
            raise self._stored.not_evaluated(
                f"is made of {module}.{name}, which the harness does not let a file bring in"
            )
        return super().find_class(module, name)

    @staticmethod
    def _is_number(name: str) -> bool:
        import numpy as np

        found = getattr(np, name, None)
        return found in {np.ndarray, np.dtype} or (isinstance(found, type) and issubclass(found, np.generic))

    def _is_class(self, module: str, name: str) -> bool:
        """Tell whether a name means a class that its module's package defines, and no import of it."""
        found = super().find_class(module, name)
        return isinstance(found, type) and found.__module__.partition(".")[0] == module.partition(".")[0]


def _modernise(psf: Any) -> None:
    """Give a PSF what versions 1.4 and 1.7 of Piff expect, when an older one wrote it."""
    if not hasattr(psf, "model"):  # a sum or a convolution, which 1.4 brought
        return
    added: list[tuple[Any, str, float | None]] = [
        (psf, "_num", None),
        (psf.interp, "_num", None),
        (psf.model, "_num", None),
    ]
    added += [(psf.model, "_fit_flux", None), (psf.model, "_maxk", 0.0), (psf.model, "_stepk", 0.0)]
    for owner, name, value in added:
        if not hasattr(owner, name):
            setattr(owner, name, value)
