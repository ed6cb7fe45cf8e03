"""Many injections and DIA sources of a made-up flavor, and curves as they are stored: for figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from harness.metrics.flavor.frames import detectors_schema, injections_schema, sources_schema

WIDTH, HEIGHT = 400, 800
VISITS = (1, 2, 3)


def sized_detectors() -> pl.DataFrame:
    """Return a detector of each visit, of known size."""
    row = {"detector": 0, "band": "r", "area": 0.01, "width": float(WIDTH), "height": float(HEIGHT)}
    return pl.DataFrame([{"visit": visit, **row} for visit in VISITS], detectors_schema())


def many_injections(seed: int, *, n: int = 900, snr50: float = 5.0, ceiling: float = 0.95) -> pl.DataFrame:
    """Return the same injections for every seed, found by a logistic curve of signal-to-noise with errors of unit pull.

    One in ten is into the template; three visits share positions; bands are g and r.
    """
    same, own = np.random.default_rng(1), np.random.default_rng((2, seed))
    flux = 10 ** same.uniform(1.5, 4.5, n)
    error = same.uniform(20, 40, n)
    in_template = same.random(n) < 0.1
    x, y = same.uniform(0, WIDTH, n), same.uniform(0, HEIGHT, n)
    band = same.choice(["g", "r"], n)
    snr = flux / error
    found = own.random(n) < ceiling / (1 + np.exp(-1.5 * (snr - snr50)))
    flux_sign = np.where(in_template, -flux, flux)
    pull = own.normal(size=n)
    offset_ra, offset_dec = own.normal(0, 300 / snr, (2, n))
    is_good = found & (own.random(n) < 0.8)

    def measured(values: Any) -> Any:
        return np.where(found, values, np.nan)

    columns = {
        "injectionId": np.arange(n) // 3,
        "visit": np.array(VISITS)[np.arange(n) % 3],
        "detector": np.zeros(n, int),
        "band": band,
        "ra": 150 + x / 18000,
        "dec": 2 + y / 18000,
        "x": x,
        "y": y,
        "margin": np.minimum(np.minimum(x, WIDTH - x), np.minimum(y, HEIGHT - y)),
        "flux": flux_sign,
        "mag": 31.4 - 2.5 * np.log10(flux),
        "snr": snr,
        "inTemplate": in_template,
        "nearStar": [None] * n,
        "diaSourceId": np.where(found, np.arange(n) + 1, 0),
        "diaObjectId": np.where(found, np.arange(n) // 3 + 1, 0),
        "sourceFlux": measured(flux_sign + pull * error),
        "sourceFluxErr": measured(error),
        "sourceRa": measured(150 + x / 18000),
        "sourceDec": measured(2 + y / 18000),
        "separation": measured(np.hypot(offset_ra, offset_dec) / 1000),
        "offsetRa": measured(offset_ra),
        "offsetDec": measured(offset_dec),
    }
    columns |= {name: is_good for name in injections_schema() if name.startswith("good")}
    return pl.DataFrame(columns, injections_schema())


def many_sources(seed: int, *, n: int = 1500, row: float = 250.0) -> pl.DataFrame:
    """Return sources of each kind that are anywhere, but for a tenth of the unmatched ones, which lie on one row."""
    rng = np.random.default_rng((3, seed))
    x, y = rng.uniform(0, WIDTH, n) - 0.5, rng.uniform(0, HEIGHT, n) - 0.5
    kind = rng.choice(["unmatched", "injected", "known", "solarSystem"], n, p=[0.6, 0.3, 0.07, 0.03])
    y[(kind == "unmatched") & (rng.random(n) < 0.1)] = row
    flux = 10 ** rng.normal(2.5, 0.5, n) * rng.choice([1, -1], n, p=[0.7, 0.3])
    columns = {
        "diaSourceId": np.arange(n) + 1,
        "diaObjectId": np.arange(n) + 1,
        "visit": rng.choice(VISITS, n),
        "detector": np.zeros(n, int),
        "band": ["r"] * n,
        "ra": 150 + x / 18000,
        "dec": 2 + y / 18000,
        "x": x,
        "y": y,
        "margin": np.minimum(np.minimum(x, WIDTH - x), np.minimum(y, HEIGHT - y)),
        "flux": flux,
        "fluxErr": np.full(n, 30.0),
        "snr": flux / 30,
        "isNegative": flux < 0,
        "kind": kind,
        "nearInjection": np.zeros(n, bool),
        "nearStar": [None] * n,
        **{name: rng.random(n) < 0.7 for name in sources_schema() if name.startswith("good")},
    }
    return pl.DataFrame(columns, sources_schema())


def curve(x: str, band: str, stage: str, **known: Any) -> dict[str, Any]:
    """Return a fitted curve as it is stored."""
    row = {"x": x, "band": band, "stage": stage, "x50": 5.0, "slope": 1.5, "ceiling": 0.95}
    if x == "mag":
        row |= {"x50": 26.0, "slope": -3.0}
    row |= known
    ends = {"x50Low": row["x50"] - 0.3, "x50High": row["x50"] + 0.3, "ceilingLow": 0.9, "ceilingHigh": 1.0}
    return row | {name: known.get(name, end) for name, end in ends.items()}


def curves(**known: Any) -> list[dict[str, Any]]:
    """Return the curves of all stages against signal-to-noise, and against magnitude in g and r."""
    return [
        curve(x, band, stage, **known)
        for x, bands in (("snr", ("",)), ("mag", ("g", "r")))
        for band in bands
        for stage in ("", "S6")
    ]
