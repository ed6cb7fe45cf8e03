"""The published lists of flags that make a source "not good".

A count of good sources means nothing without its list: on one LSSTComCam table the lists below keep between 2938 and
2983 of 2994 sources.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, final

from harness.errors import NotMeasuredError

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

__all__ = ["FLAG_SETS", "PIXEL_FLAGS", "FlagSet", "good_mask"]

#: Pixel flags of the APDB schema.  Alone a name means "anywhere in the footprint", with Center "in the central 3x3".
PIXEL_FLAGS = (
    "pixelFlags_bad",
    "pixelFlags_cr",
    "pixelFlags_crCenter",
    "pixelFlags_edge",
    "pixelFlags_injected",
    "pixelFlags_injectedCenter",
    "pixelFlags_injected_template",
    "pixelFlags_injected_templateCenter",
    "pixelFlags_interpolated",
    "pixelFlags_interpolatedCenter",
    "pixelFlags_nodata",
    "pixelFlags_nodataCenter",
    "pixelFlags_offimage",
    "pixelFlags_saturated",
    "pixelFlags_saturatedCenter",
    "pixelFlags_streak",
    "pixelFlags_streakCenter",
    "pixelFlags_suspect",
    "pixelFlags_suspectCenter",
)


@final
@dataclass(frozen=True, slots=True)
class FlagSet:
    """A list of flags, any of which makes a source "not good".

    Attributes
    ----------
    name
        Short name, the key in `FLAG_SETS`.
    flags
        Canonical names of boolean columns; a source is rejected when any of them is set.  Null is "not set".
    source
        Where the list was published.
    min_reliability
        A source with a lower ``reliability`` is rejected as well.  A missing score (null or NaN) is not a low one.
    """

    name: str
    flags: tuple[str, ...]
    source: str
    min_reliability: float | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are needed to say whether a source is good."""
        return self.flags if self.min_reliability is None else (*self.flags, "reliability")

    @property
    def definition(self) -> Mapping[str, Any]:
        """The list as part of a metric's definition."""
        return {"good": self.name, "rejected": sorted(self.flags), "min_reliability": self.min_reliability}

    def why_unavailable(self, available: Container[str]) -> str:
        """Say which columns are missing to apply the list; empty when it can be applied."""
        missing = [name for name in self.columns if name not in available]
        return f"flag list {self.name} needs {', '.join(missing)}, not in the table" if missing else ""


#: The flag lists that "good source" may mean, by name.
FLAG_SETS: Mapping[str, FlagSet] = MappingProxyType(
    {
        flag_set.name: flag_set
        for flag_set in (
            FlagSet(
                "S3",
                ("pixelFlags_bad", "pixelFlags_suspect", "pixelFlags_saturatedCenter"),
                "DM-25125; default of the plotting module of lsst/ap_pipe",
            ),
            FlagSet(
                "S6",
                (
                    "pixelFlags_bad",
                    "pixelFlags_suspect",
                    "pixelFlags_saturatedCenter",
                    "pixelFlags_interpolated",
                    "pixelFlags_interpolatedCenter",
                    "pixelFlags_edge",
                ),
                "DMTN-256; default of the queries of lsst/analysis_ap",
            ),
            FlagSet(
                "A5",
                (
                    "pixelFlags_bad",
                    "pixelFlags_saturatedCenter",
                    "pixelFlags_interpolatedCenter",
                    "pixelFlags_edge",
                    "pixelFlags_nodata",
                ),
                "GoodDiaSourceSelector of lsst/analysis_tools",
            ),
            FlagSet(
                "N7",
                (
                    "centroid_flag",
                    "pixelFlags_crCenter",
                    "pixelFlags_nodataCenter",
                    "pixelFlags_interpolatedCenter",
                    "pixelFlags_saturatedCenter",
                    "pixelFlags_suspectCenter",
                    "pixelFlags_streakCenter",
                    "glint_trail",
                ),
                "lsst/ap_association: no new object is made from these sources",
                min_reliability=0.1,
            ),
        )
    }
)


def good_mask(table: pa.Table | pa.RecordBatch, flag_set: FlagSet) -> NDArray[np.bool_]:
    """Return which rows are good.

    Parameters
    ----------
    table : `pyarrow.Table` or `pyarrow.RecordBatch`
        With the columns of ``flag_set``, at least.
    flag_set
        What rejects a row.

    Returns
    -------
    good : `numpy.ndarray`, shape (rows,)

    Raises
    ------
    harness.errors.NotMeasuredError
        When a column is missing: that is not the same as "nothing flagged".
    """
    import numpy as np
    import pyarrow.compute as pc

    if reason := flag_set.why_unavailable(table.column_names):
        raise NotMeasuredError(f"good sources cannot be told: {reason}")
    good = np.ones(table.num_rows, bool)
    for name in flag_set.flags:
        good &= ~pc.fill_null(table[name].cast("bool"), False).to_numpy(zero_copy_only=False)
    if flag_set.min_reliability is not None:
        score = pc.fill_null(table["reliability"].cast("float64"), np.nan).to_numpy(zero_copy_only=False)
        good &= ~(score < flag_set.min_reliability)
    return good
