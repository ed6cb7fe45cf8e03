"""Which PSFs are read at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from archived_objects import row

from harness.errors import BrokenFileError, NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.rerun.exposures.protocol import Psf


@pytest.mark.parametrize("name", ["WarpedPsf", "ShapeletPsf"])
def test_unknown_class_is_named(stored_psf: Callable[..., Psf], name: str) -> None:
    """A PSF that nobody here knows says its class, its file and the way out."""
    with pytest.raises(NotMeasuredError, match=rf"0\.fits holds a PSF of the class {name} \(object 1 .* recorded size"):
        stored_psf((name, [row(psfIndex=2)]))


def test_object_without_tables_is_broken(stored_psf: Callable[..., Psf]) -> None:
    """An object that left nothing behind cannot be a Gaussian."""
    other: Any = ("GaussianPsf", [row(sigma=1.0)])
    with pytest.raises(BrokenFileError, match="has 0 tables instead of 1"):
        stored_psf(("GaussianPsf", []), other)
