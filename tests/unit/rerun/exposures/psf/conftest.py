"""Stored PSFs, drawn."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from archived_objects import archive_of

from harness.rerun.exposures.psf import read_psf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.rerun.exposures.protocol import Psf


@pytest.fixture
def stored_psf(tmp_path: Path) -> Iterator[Callable[..., Psf]]:
    """Return what stores objects in an archive and reads the first of them as a PSF."""
    with ExitStack() as files:

        def read(*objects: Any) -> Psf:
            return read_psf(
                files.enter_context(archive_of(tmp_path / f"{len(list(tmp_path.iterdir()))}.fits", *objects)), 1
            )

        yield read
