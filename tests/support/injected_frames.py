"""Frames of injected sources made of the few columns that a test is about, and the numbers that rows come to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from harness.measure.measurements import Measurements
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.frames import detectors_schema, injections_schema, sources_schema
from harness.metrics.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

#: An injection that was found where it is, with its own flux.
_FOUND = {
    **dict.fromkeys(("visit", "diaSourceId"), 1),
    **dict.fromkeys(("detector", "diaObjectId", "separation", "offsetRa", "offsetDec"), 0),
    **dict.fromkeys(("ra", "sourceRa"), 150.0),
    **dict.fromkeys(("dec", "sourceDec"), 2.0),
    **dict.fromkeys(("flux", "sourceFlux"), 1000.0),
    "sourceFluxErr": 10.0,
    "snr": 100.0,
    "inTemplate": False,
}

#: A source that nothing is known of but its flux.
_SOURCE = {"visit": 1, "detector": 0, "kind": "unmatched", "flux": 100.0, "fluxErr": 10.0, "snr": 10.0}


def injections(**columns: Any) -> pl.DataFrame:
    """Return injections, by default found without any residual; every list of flags leaves them."""
    return _frame(injections_schema(), _FOUND, "injectionId", columns)


def sources(**columns: Any) -> pl.DataFrame:
    """Return DIA sources; every list of flags leaves them."""
    return _frame(sources_schema(), _SOURCE, "diaSourceId", columns)


def detectors(*visits: int) -> pl.DataFrame:
    """Return one detector of each visit."""
    return _frame(detectors_schema(), {"detector": 0}, "visit", {"visit": visits})


def measured(rows: pa.Table) -> Measurements:
    """Return rows as the judge sees them."""
    return Measurements("test", None, rows, flavor_catalogue(Settings()), {})


def _frame(schema: pl.Schema, defaults: dict[str, Any], key: str, columns: dict[str, Any]) -> pl.DataFrame:
    n = max((np.size(values) for values in columns.values()), default=1)
    goods = {name: True for name in schema if name.startswith("good_")}
    given = {key: range(1, n + 1), "band": "g", **goods, **defaults, **columns}

    def column(name: str, dtype: pl.DataType) -> pl.Series:
        values = given.get(name, np.nan if dtype == pl.Float64 else None)
        return pl.Series(name, np.broadcast_to(np.asarray(values), n).tolist(), dtype, strict=False)

    return pl.DataFrame([column(name, dtype) for name, dtype in schema.items()])
