"""Photon transfer curves from bare numbers, and the published ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.ptc.curve import Curve

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_PUBLISHED = Path(__file__).parents[2] / "fixtures" / "published"


def curve_of(
    mean: ArrayLike,
    variance: ArrayLike,
    *,
    n_pixels: float = np.nan,
    photo_charge: ArrayLike = np.nan,
    exposures: ArrayLike | None = None,
) -> Curve:
    """Return the curve of these pairs; what is not told is unknown."""
    mean = np.array(mean, float)
    n = len(mean)
    unknown = np.full(n, np.nan)
    numbers = np.arange(2 * n).reshape(n, 2) if exposures is None else exposures
    return Curve(
        *("LSSTCam", None, "R22_S11", "C06"),
        exposures=np.array(numbers, np.int64),
        exposure_time=unknown,
        photo_charge=np.broadcast_to(np.array(photo_charge, float), n),
        mean=mean,
        delta=unknown,
        variance=np.array(variance, float),
        rhl=unknown,
        overscan_noise=unknown,
        n_pixels=np.full(n, float(n_pixels)),
        status=np.full(n, "", object),
    )


def rtm010() -> tuple[Curve, dict[str, Any]]:
    """Return the published table of RTM-010, in which pairs are not sorted, and what eotest says of it."""
    published = json.loads((_PUBLISHED / "rtm010.json").read_text())
    mean, variance = np.array(published["pairs"]).T
    return curve_of(mean, variance), published["eotest2019"]
