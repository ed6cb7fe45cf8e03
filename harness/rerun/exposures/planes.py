"""What the readers of exposures have in common: planes are read when they are asked for, and let go with the file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["OpenExposure"]


class OpenExposure(ABC):
    """An open file of an exposure; base of what implements `protocol.Exposure`.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and let go of what was read."""
        self._close_file()
        for name in ("image", "variance", "mask", "psf"):
            self.__dict__.pop(name, None)

    @cached_property
    def image(self) -> NDArray[np.float32]:
        """The image, read-only."""
        return self._pixels("image", np.float32)

    @cached_property
    def variance(self) -> NDArray[np.float32]:
        """The variance, read-only."""
        return self._pixels("variance", np.float32)

    @cached_property
    def mask(self) -> NDArray[np.int32]:
        """The mask, read-only."""
        return self._pixels("mask", np.int32)

    @abstractmethod
    def _pixels(self, name: Literal["image", "variance", "mask"], dtype: type[Any]) -> NDArray[Any]:
        """Read a plane."""

    @abstractmethod
    def _close_file(self) -> None:
        """Close the file alone."""
