"""Where the files that travel with the harness lie: in a checkout at its top level, in a wheel beside the modules."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from harness.errors import UsageError

__all__ = ["shipped"]


def shipped(name: Literal["baselines", "fixtures", "verification"]) -> Path:
    """Return a folder that is part of the harness but not of its code.

    Parameters
    ----------
    name
        ``baselines`` (the accepted measurements), ``fixtures`` (the embedded survey and the published figures) or
        ``verification`` (the harness's own checks).

    Raises
    ------
    harness.errors.UsageError
        When the installation is incomplete.
    """
    package = Path(__file__).parent
    in_wheel = package / "_shipped" / name
    in_checkout = package.parent / ("tests/verification" if name == "verification" else name)
    for folder in (in_wheel, in_checkout):
        if folder.is_dir():
            return folder
    raise UsageError(
        f"this installation of rerun-harness has no {name} (neither {in_wheel} nor {in_checkout}); install it again"
    )
