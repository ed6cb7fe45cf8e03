"""What errors say in a verdict."""

from __future__ import annotations

import pytest

from harness.errors import BrokenFileError, without_folders


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/repo/u/me/calexp_5.fits has no mask (5/7 read)", "calexp_5.fits has no mask (5/7 read)"),
        (
            "object 2 in /repo/a.b/x.fits: see https://example.org/a/b",
            "object 2 in x.fits: see https://example.org/a/b",
        ),
        ("nothing to leave out", "nothing to leave out"),
    ],
)
def test_files_are_named_without_their_folders(message: str, told: str) -> None:
    """A path becomes the name of its file; fractions and addresses stay."""
    assert without_folders(BrokenFileError(message)) == told
