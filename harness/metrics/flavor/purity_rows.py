"""How many DIA sources of a flavor are what they should be, and how many nothing known explains.

*Unmatched is not false.*  A source without an injection may be a variable star, an asteroid or a supernova; it counts
as a false positive only because no catalogue at hand says so.  Without any catalogue of known objects that is said
beside every number.  What DMTN-256 calls contamination counts all of them in any case, and is there to be compared.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from harness.metrics.flavor.by_detector import floats, left_by, sums, unavailable
from harness.metrics.flavor.reach import NEAR_INJECTION
from harness.metrics.keyed_rows import keyed_rows, rows_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.flavor.stages import Stage

__all__ = ["is_false_positive", "purity_rows", "uncovered_area"]

_CONTAMINATION = "injected.contamination"
_NUMBER = "flavor.numFalsePositives"
_DENSITY = "flavor.falsePositiveDensity"
_PURITY = "flavor.purity"

_KEY = ("visit", "detector")
_TRUE = ("injected", "known", "solarSystem")
_NO_CATALOGUE = "no catalogue of known objects: real transients count as false"
_NO_AREA = "the area of the detector is not known"


def purity_rows(
    sources: pl.DataFrame,
    injections: pl.DataFrame,
    detectors: pl.DataFrame,
    stages: Sequence[Stage],
    instrument: str,
    *,
    has_known: bool,
) -> pa.Table:
    """Return the metrics of the group ``flavor_purity``, by visit and detector.

    Parameters
    ----------
    sources, injections, detectors : `polars.DataFrame`
        As of `harness.metrics.flavor.frames`.
    stages
        The stages to look at.
    instrument
        Name to put into the rows; empty when unknown.
    has_known
        Whether a catalogue of known objects was given.  Without one all that is real and not injected counts as false,
        and the rows say so.

    Returns
    -------
    rows : `pyarrow.Table`
        Metric rows (`harness.metrics.rows`), one for each metric and detector, also where nothing was found.
    """
    n = detectors.height
    places = detectors.select(_KEY).with_row_index("at")
    flags = [stage.column for stage in stages if stage.column]
    sources = sources.select(*_KEY, "kind", "nearInjection", *flags).join(places, on=_KEY)
    injections = injections.select(*_KEY, "diaSourceId", *flags).join(places, on=_KEY)
    found = injections.filter(pl.col("diaSourceId") != 0)
    searched = uncovered_area(floats(detectors, "area"), sums(_rows(injections), n), NEAR_INJECTION)
    is_searched = np.isfinite(searched)
    caveat = None if has_known else _NO_CATALOGUE
    said = [caveat] * n
    rows: list[pl.DataFrame] = []
    for stage in stages:
        if stage.why_not:
            names = (_CONTAMINATION, _NUMBER, _DENSITY, _PURITY)
            rows += unavailable(map(stage.of, names), stage.why_not)
            continue
        left = sources.filter(left_by(stage, sources))
        every = sums(_rows(left), n)
        matched = sums(_rows(found.filter(left_by(stage, found))), n)
        false = sums(_rows(left.filter(is_false_positive())), n)
        true = sums(_rows(left.filter(pl.col("kind").is_in(_TRUE))), n)
        rows += [
            keyed_rows(stage.of(_CONTAMINATION), detectors, every - matched),
            keyed_rows(stage.of(_NUMBER), detectors, false, None, said),
            keyed_rows(
                stage.of(_DENSITY),
                detectors,
                np.where(is_searched, false, math.nan),
                searched,
                [caveat if known else _NO_AREA for known in is_searched],
            ),
            keyed_rows(stage.of(_PURITY), detectors, true, every, said),
        ]
    return rows_table(rows, instrument or None)


def is_false_positive() -> pl.Expr:
    """Return what tells, in a frame of sources, those that nothing known explains.

    They are neither injected nor known, and not near an injection, because of which they may be there.
    """
    return (pl.col("kind") == "unmatched") & ~pl.col("nearInjection").fill_null(value=False)


def uncovered_area(area: NDArray[np.float64], n: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return how much of an area is expected to lie beyond the reach of places at random.

    Parameters
    ----------
    area : shape (m,)
        Areas, deg²; NaN where unknown.
    n : shape (m,)
        How many places lie in each.
    radius
        Reach of a place, arcsec.

    Returns
    -------
    uncovered : shape (m,)
        In deg²; NaN where the area is not known, or none.

    Notes
    -----
    A point is missed by one disc of area a at random with probability 1 - a/A and by n of them with (1 - a/A)ⁿ, so
    that A exp(-n a/A) is expected to be left where discs are small (Hall 1988, *Introduction to the Theory of Coverage
    Processes*, section 3.1).  What discs near the edge cover outside is neglected: 0.5 % of what is taken off, for a
    reach of 15 pixels on 2048 × 4096.
    """
    area = np.where(area > 0, area, math.nan)
    disc = math.pi * (radius / 3600) ** 2
    uncovered: NDArray[np.float64] = area * np.exp(-n * disc / area)
    return uncovered


def _rows(frame: pl.DataFrame) -> NDArray[np.int64]:
    """Return the row of the detectors that each row of a frame belongs to."""
    return frame["at"].to_numpy().astype(np.int64)
