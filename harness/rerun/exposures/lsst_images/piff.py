"""PSFs that Piff fitted, drawn by Piff, from the parts that ``lsst.images`` stores of them."""

from __future__ import annotations

import ast
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final, final

import numpy as np

from harness.errors import NotMeasuredError, first_line
from harness.rerun.exposures.lsst_images.psf import unit_sum

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from harness.rerun.exposures.lsst_images.tree import Tree
    from harness.rerun.exposures.protocol import KernelImage

__all__ = ["PiffPsf"]

_PLACE: Final = frozenset({"x", "y", "u", "v"})
_WORD: Final = re.compile(r"[\w.]*", re.ASCII)
#: What Piff may make of text: the ways GalSim interpolates images.
_INTERPOLANTS: Final = frozenset(
    {"Cubic", "Delta", "GSParams", "Lanczos", "Linear", "Nearest", "Quintic", "SincInterpolant"}
)


@final
class PiffPsf:
    """A PSF of Piff; needs ``piff``.

    Piff evaluates text that a file holds, such as ``galsim.Lanczos(7)``.  Text with anything but calls like this one
    is refused.
    """

    name: ClassVar[str] = "piff_psf"

    def __init__(self, tree: Tree, node: Mapping[str, Any]) -> None:
        try:
            import piff
            from piff.config import LoggerWrapper
        except ImportError:
            raise NotMeasuredError(
                f"the piff_psf in {tree.path} needs piff, which is not installed; pip install 'rerun-harness[psf]', or "
                "use a recorded size"
            ) from None
        self._path = tree.path
        with tree.reading("PSF"):
            self._size = int(node["stamp_size"])
            self._psf = piff.PSF._read(_Reader(tree, node["piff"]), "piff", LoggerWrapper(None))
            others = set(self._psf.interp_property_names) - _PLACE
        if others:
            raise NotMeasuredError(
                f"the piff_psf in {tree.path} varies with {', '.join(sorted(others))}; use a recorded size, or leave "
                "the file out"
            )

    def at(self, x: float, y: float) -> KernelImage:
        """Draw the PSF at a place in parent pixels."""
        try:
            image = self._psf.draw(x, y, stamp_size=self._size, center=True).array
        except Exception as fault:  # noqa: BLE001 - Piff and GalSim raise of every kind
            raise NotMeasuredError(
                f"the piff_psf in {self._path} cannot be drawn at ({x:g}, {y:g}): {first_line(fault)}; use a recorded "
                "size, or leave the file out"
            ) from None
        return unit_sum(self._path, np.asarray(image, np.float64))


class _Reader:
    """What Piff reads its objects from (as `piff.readers.FitsReader`): structs, tables and objects by name."""

    def __init__(self, tree: Tree, node: Mapping[str, Any], name: str = "") -> None:
        self._tree, self._node, self._name = tree, node, name

    def read_struct(self, name: str) -> dict[str, Any] | None:
        """Return the arguments that an object is made with; Piff takes them apart, hence a new one each time."""
        struct = self._node.get("structs", {}).get(name)
        if struct is None:
            return None
        for value in struct.values():
            if isinstance(value, str):
                self._check(value)
        return dict(struct)

    def read_table(self, name: str, metadata: dict[str, Any] | None = None) -> NDArray[Any] | None:
        """Return a table; what else Piff would take from ``metadata`` is not stored."""
        del metadata
        table = self._node.get("tables", {}).get(name)
        if table is None:
            return None
        columns = self._tree.columns(table["table"])
        rows = np.empty(
            len(next(iter(columns.values()))),
            [(name, values.dtype, values.shape[1:]) for name, values in columns.items()],
        )
        for column, values in columns.items():
            rows[column] = values
        return rows

    def read_wcs_map(self, name: str, logger: object) -> tuple[dict[int, Any] | None, None]:
        """Return the scale of pixels, the only WCS that is stored, and no pointing."""
        del logger
        wcs = self._node.get("wcs", {}).get(name)
        if wcs is None:
            return None, None
        if wcs["wcs_type"] != "pixel_scale":
            raise ValueError(f"it has a WCS of the kind {wcs['wcs_type']}")
        import galsim

        return {0: galsim.PixelScale(wcs["scale"])}, None

    def read_bandpass(self, name: str) -> None:
        """Return none: bandpasses are not stored."""

    @contextmanager
    def nested(self, name: str) -> Iterator[_Reader]:
        """Return the reader of an object within this one."""
        yield _Reader(self._tree, self._node.get("objects", {}).get(name, {}), self.get_full_name(name))

    def get_full_name(self, name: str) -> str:
        """Return the name of something in this object, for messages."""
        return f"{self._name}/{name}"

    def _check(self, text: str) -> None:
        """Refuse text that could be made to run anything: more than a word, and no call of an interpolant."""
        if not _WORD.fullmatch(text) and not _is_interpolant(text):
            raise NotMeasuredError(
                f"the piff_psf in {self._tree.path} holds {text!r}, which the harness does not let Piff evaluate; use "
                "a recorded size, or leave the file out"
            )


def _is_interpolant(text: str) -> bool:
    """Tell whether text is a call of one of GalSim's interpolants, with numbers and the like for arguments."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return False
    return _is_call(tree)


def _is_call(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="galsim"), attr=name), args=arguments, keywords=keywords):
            values = [*arguments, *(keyword.value for keyword in keywords)]
            return name in _INTERPOLANTS and all(isinstance(value, ast.Constant) or _is_call(value) for value in values)
        case _:
            return False
