"""In how many settings two flavors differ: a comparison of several changes at once says nothing of any of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.metrics.rows import rows_schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

__all__ = ["config_rows"]

_SHOWN = 8


def config_rows(ours: Mapping[str, str], theirs: Mapping[str, str], instrument: str) -> pa.Table:
    """Count the settings in which two reruns differ, and name them.

    Parameters
    ----------
    ours, theirs
        Value of each setting, as `harness.model.Provenance.configs` of the rerun and of its reference.
    instrument
        Name to put into the row.

    Returns
    -------
    rows : `pyarrow.Table`
        One metric row (`harness.metrics.rows`); NaN when one of the two recorded no configuration.
    """
    import pyarrow as pa

    if not ours or not theirs:
        who = "neither rerun" if not (ours or theirs) else "the rerun" if not ours else "the reference"
        lacks = "recorded" if not (ours or theirs) else "did not record"
        count, detail = math.nan, f"{who} {lacks} its configuration"
    else:
        unset = "unset"
        differing = [name for name in sorted({*ours, *theirs}) if ours.get(name, unset) != theirs.get(name, unset)]
        told = [f"{name} is {ours.get(name, unset)}, was {theirs.get(name, unset)}" for name in differing[:_SHOWN]]
        more = [f"{len(differing) - _SHOWN} more"] if len(differing) > _SHOWN else []
        count, detail = float(len(differing)), "; ".join(told + more)
    row = {"metric": "flavor.numConfigDifferences", "instrument": instrument, "numerator": count, "detail": detail}
    return pa.Table.from_pylist([row], rows_schema())
