"""A flavor of the subtraction as a folder of files: few detectors, and known what was injected and what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from harness.metrics.flag_sets import FLAG_SETS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

VISITS, DETECTORS = (101, 102, 103), (4, 5)
SIZE = 1000
PER_DETECTOR = 40
ERROR = 100.0  # nJy, of every flux
N_UNMATCHED = 4  # in each visit and detector, far from everything
_SCALE = 0.2 / 3600  # degrees in a pixel, along right ascension and declination: it is on the equator
_BANDS = {101: "g", 102: "g", 103: "r"}


class Flavor(NamedTuple):
    """Tables by canonical name, ``regions`` among them, and which rows of ``injection`` were found."""

    tables: dict[str, pa.Table]
    found: np.ndarray


def sky(detector, x, y):
    """Return right ascension and declination of pixels."""
    return 150 + 0.1 * detector + np.asarray(x) * _SCALE, np.asarray(y) * _SCALE


def flavor(seed: int = 1, threshold: float = 5.0) -> Flavor:
    """Return what a flavor with this threshold in signal-to-noise made of the injections, which are always the same.

    In every visit and detector there are 40 injections, those that were found as sources of an object each,
    `N_UNMATCHED` sources that nobody injected, a known variable and a solar-system object.
    """
    generator = np.random.default_rng(seed)
    injected, found, sources = [], [], []
    for visit in VISITS:
        for detector in DETECTORS:
            there = _injections(visit, detector)
            is_found = generator.random(PER_DETECTOR) < 1 / (1 + np.exp(-1.5 * (there["snr"] - threshold)))
            injected.append(pa.table(there))
            found.append(is_found)
            sources.append(_sources(visit, detector, there, is_found, generator))
    ra, dec = sky(DETECTORS[0], [555.0], [955.0])
    tables = {
        "injection": pa.concat_tables(injected),
        "diaSource": pa.concat_tables(sources),
        "known": pa.table({"ra": ra, "dec": dec}),
        "star": pa.table({"ra": ra + 300 * _SCALE, "dec": dec, "mag": [15.0]}),
        "regions": _regions(),
    }
    return Flavor(tables, np.concatenate(found))


def write_flavor(
    folder: Path,
    tables: Mapping[str, pa.Table],
    name: str = "r",
    *,
    by: tuple[str, ...] = (),
    lines: tuple[str, ...] = (),
) -> Path:
    """Write tables as a rerun, those of sources with a file for each value of some columns; return the repository."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    toml = [f'name = "{name}"', 'instrument = "HSC"']
    for table, rows in tables.items():
        if table == "regions":
            toml += ["[regions]", 'file = "regions.parquet"']
        else:
            toml += [f"[tables.{table}]", f'files = ["{table}_*.parquet"]']
        parts = {f"{table}_all": rows}
        if by and table in ("diaSource", "injection"):
            parts = {f"{table}_{'_'.join(map(str, key))}": part for key, part in _split(rows, by)}
        for label, part in parts.items():
            pq.write_table(part, place / f"{'regions' if table == 'regions' else label}.parquet")
    (place / "rerun.toml").write_text("\n".join([*toml, *lines]) + "\n")
    return folder


def without(table: pa.Table, **values: int) -> pa.Table:
    """Return the rows that do not have a value."""
    for name, value in values.items():
        table = table.filter(pc.not_equal(table[name], value))
    return table


def column(table: pa.Table, name: str, values) -> pa.Table:
    """Return the table with a column replaced, or added."""
    at = table.schema.get_field_index(name)
    values = pa.array(values) if not isinstance(values, (pa.Array, pa.ChunkedArray)) else values
    return table.append_column(name, values) if at < 0 else table.set_column(at, name, values)


def _injections(visit, detector):
    number = np.arange(PER_DETECTOR)
    x, y = 60.0 + 100 * (number % 8), 110.0 + 160 * (number // 8)
    ra, dec = sky(detector, x, y)
    snr = 2 * 30 ** (np.argsort(np.random.default_rng(detector).random(PER_DETECTOR)) / (PER_DETECTOR - 1))
    return {
        "injectionId": detector * 100 + number,
        "visit": np.full(PER_DETECTOR, visit),
        "detector": np.full(PER_DETECTOR, detector, np.int32),
        "band": [_BANDS[visit]] * PER_DETECTOR,
        "ra": ra,
        "dec": dec,
        "x": x,
        "y": y,
        "mag": 31.4 - 2.5 * np.log10(snr * ERROR),
        "flux": snr * ERROR,
        "snr": snr,
        "inTemplate": number % 5 == 0,
    }


def _sources(visit, detector, there, is_found, generator):
    n_found = int(is_found.sum())
    x = np.concatenate([there["x"][is_found], 110.0 + 200 * np.arange(N_UNMATCHED), [555.0, 905.0]])
    y = np.concatenate([there["y"][is_found], 30.0 + 160 * np.arange(N_UNMATCHED), [955.0, 955.0]])
    sign = np.where(there["inTemplate"], -1, 1)
    flux = np.concatenate([(sign * there["flux"])[is_found], np.full(N_UNMATCHED + 2, 800.0)])
    ra, dec = sky(detector, x, y)
    n = x.size
    flags = dict.fromkeys((*FLAG_SETS["S3"].columns, *FLAG_SETS["S6"].columns), np.zeros(n, bool))
    is_moving = np.arange(n) == n - 1
    return pa.table(
        {
            "diaSourceId": visit * 100_000 + detector * 1000 + np.arange(n),
            "diaObjectId": np.concatenate(
                [there["injectionId"][is_found], 9000 + 10 * detector + np.arange(n - n_found)]
            ),
            "ssObjectId": np.where(is_moving, 77, 0),
            "midpointMjdTai": np.full(n, 59000.0 + visit),
            "visit": np.full(n, visit),
            "detector": np.full(n, detector, np.int32),
            "band": [_BANDS[visit]] * n,
            "ra": ra + generator.normal(0, 0.1 * _SCALE, n),
            "dec": dec + generator.normal(0, 0.1 * _SCALE, n),
            "x": x,
            "y": y,
            "psfFlux": flux + generator.normal(0, ERROR, n),
            "psfFluxErr": np.full(n, ERROR),
            **flags,
        }
    )


def _regions():
    places = [(visit, detector) for visit in VISITS for detector in DETECTORS]
    edges = np.array([(-0.5, -0.5), (SIZE - 0.5, -0.5), (SIZE - 0.5, SIZE - 0.5), (-0.5, SIZE - 0.5)])
    corners = [np.stack(sky(detector, *edges.T), 1).ravel().tolist() for _, detector in places]
    return pa.table(
        {
            "visit": [visit for visit, _ in places],
            "detector": pa.array([detector for _, detector in places], pa.int32()),
            "band": [_BANDS[visit] for visit, _ in places],
            "area": np.full(len(places), (SIZE * _SCALE) ** 2),
            "width": np.full(len(places), float(SIZE)),
            "height": np.full(len(places), float(SIZE)),
            "corners": pa.array(corners, pa.list_(pa.float64())),
        }
    )


def _split(table, by):
    keys = sorted({tuple(row.values()) for row in table.select(by).to_pylist()})
    for key in keys:
        chosen = np.logical_and.reduce([table[name].to_numpy() == value for name, value in zip(by, key, strict=True)])
        yield key, table.filter(pa.array(chosen))
