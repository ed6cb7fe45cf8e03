"""Which PSFs are read at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from archived_objects import row

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.archive import Archive

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


def test_padding_of_a_name_is_no_part_of_it(stored_psf: Callable[..., Psf], monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that astropy did not write pad the class with blanks to the width of its column."""
    unpadded = Archive.class_name
    monkeypatch.setattr(Archive, "class_name", lambda self, number: unpadded(self, number).ljust(64))
    assert stored_psf(("GaussianPsf", [row(dimensions=(25, 25), sigma=1.0)])).name == "GaussianPsf"
