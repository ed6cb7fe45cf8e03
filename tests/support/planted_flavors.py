"""A small survey with injections as its tables: two flavors of one sky, sound until a test plants a defect.

The flavors are given the same injections, and share nine tenths of the noise, as two subtractions of one visit do: so
each finds a few injections that the other does not.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.metrics.flag_sets import FLAG_SETS
from harness.rerun.regions import corners_array, polygon_area

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

VISITS = tuple(range(1, 17))
DETECTORS = (0, 1)
WIDTH, HEIGHT = 1024, 2048
SCALE = 0.2  # arcsec per pixel

#: On each detector of each visit: injections on a jittered grid, so that none hides another, and other DIA sources.
COLUMNS, ROWS = 5, 8
N_INJECTIONS = COLUMNS * ROWS
N_FALSE, N_VARIABLES, N_ASTEROIDS = 30, 6, 3
N_STARS = 12

FLUX_ERROR = 100.0  # nJy
SETTINGS = {"subtractImages: mode": "'convolveTemplate'", "detectAndMeasure: thresholdValue": "5.0"}

_RA, _DEC = 150.0, 0.0
_IN_TEMPLATE = 10  # every tenth injection
_SHARED = 0.9  # of the variance of the noise

_KINDS = ("injected", "variable", "asteroid", "false")

Columns = dict[str, Any]


def survey(name: str = "reference") -> dict[str, Columns]:
    """Return the tables of a flavor by name, as columns: ``injection``, ``diaSource``, ``known``, ``star``, regions.

    Parameters
    ----------
    name
        Flavors of other names have other noise of their own.
    """
    injection = injections()
    sources = [_found(injection, name), _variables(name), _asteroids(name), _false(name)]
    return {
        "injection": injection,
        "diaSource": _numbered({key: np.concatenate([each[key] for each in sources]) for key in sources[0]}, name),
        "known": _known(),
        "star": _stars(),
        "regions": _regions(),
    }


def injections() -> Columns:
    """Return the catalogue of injections: the same places in every visit, with other fluxes."""
    rng = np.random.default_rng(1)
    cells = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)), axis=-1).reshape(-1, 2)
    steps = np.array([WIDTH / COLUMNS, HEIGHT / ROWS])
    places = (cells + rng.uniform(0.1, 0.9, (len(DETECTORS), N_INJECTIONS, 2))) * steps - 0.5
    shape = (len(VISITS), len(DETECTORS), N_INJECTIONS)
    flux = FLUX_ERROR * 10 ** rng.uniform(np.log10(1.5), np.log10(40), shape)
    visit, detector, number = (index.ravel() for index in np.indices(shape))
    x, y = places[detector, number].T
    return {
        "injectionId": 1000 * detector + number + 1,
        **_at(visit, detector, x, y),
        "flux": flux.ravel(),
        "fluxErr": np.full(flux.size, FLUX_ERROR),
        "mag": 31.4 - 2.5 * np.log10(flux.ravel()),
        "inTemplate": number % _IN_TEMPLATE == 0,
    }


def write(
    folder: Path, name: str, tables: Mapping[str, Columns] | None = None, settings: Mapping[str, str] = SETTINGS
) -> None:
    """Write a flavor as a rerun in a folder of files.

    Parameters
    ----------
    folder
        Made where it does not exist.
    name
        Name of the rerun.
    tables
        As of `survey`; that of the name by default.
    settings
        Settings of its tasks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'name = "{name}"', 'instrument = "HSC"', "[configs.settings]"]
    lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in settings.items()]
    tables = tables or survey(name)
    for table, columns in {**tables, "diaObject": _objects(tables["diaSource"])}.items():
        pq.write_table(pa.table(columns), folder / f"{table}.parquet")
        is_regions = table == "regions"
        lines += ["[regions]" if is_regions else f"[tables.{table}]"]
        lines += [f'file = "{table}.parquet"' if is_regions else f'files = ["{table}.parquet"]']
    (folder / "rerun.toml").write_text("\n".join(lines) + "\n")


def chosen(columns: Columns, which: NDArray[np.bool_]) -> Columns:
    """Return some rows of a table."""
    places = np.flatnonzero(which)
    return {name: values.take(places) for name, values in columns.items()}


def joined(*parts: Columns) -> Columns:
    """Return the rows of several tables of the same columns."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def sources_at(visit: Any, detector: Any, x: Any, y: Any, *, seed: int) -> Columns:
    """Return DIA sources at places that are nothing known, with fluxes about ten times their errors."""
    rng = np.random.default_rng(seed)
    n = np.broadcast(visit, detector, x, y).size
    visit, detector, x, y = (np.broadcast_to(each, n) for each in (visit, detector, x, y))
    flux = FLUX_ERROR * 10 ** rng.normal(1, 0.3, n) * np.where(rng.random(n) < 0.4, -1, 1)
    columns = _source(_at(visit, detector, x, y), flux, rng)
    columns["diaSourceId"] = 10**9 * (seed + 1) + np.arange(n)
    columns["diaObjectId"] = columns["diaSourceId"]
    return columns


def kept(columns: Columns, kind: str) -> NDArray[np.bool_]:
    """Return which DIA sources of a survey are of a kind: ``injected``, ``variable``, ``asteroid`` or ``false``."""
    which: NDArray[np.bool_] = columns["diaObjectId"] // 10**6 == _KINDS.index(kind)
    return which


def _at(visit: Any, detector: Any, x: Any, y: Any) -> Columns:
    """Return the columns that say where something is; visits are numbered from 0 here."""
    visit, detector = np.asarray(visit), np.asarray(detector)
    ra, dec = _on_sky(detector, np.asarray(x), np.asarray(y))
    return {
        "visit": np.asarray(VISITS)[visit],
        "detector": detector.astype(np.int32),
        "band": np.where(visit % 2, "r", "g"),
        "ra": ra,
        "dec": dec,
        "x": np.asarray(x, float),
        "y": np.asarray(y, float),
    }


def _on_sky(detector: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return degrees; at the equator they are as long in right ascension."""
    return _RA + (x + detector * (WIDTH + 50)) * SCALE / 3600, _DEC + y * SCALE / 3600


def _source(where: Columns, flux: Any, rng: np.random.Generator) -> Columns:
    n = len(flux)
    flags = {name for each in FLAG_SETS.values() for name in each.flags}
    return {
        **where,
        "psfFlux": flux,
        "psfFluxErr": FLUX_ERROR * rng.uniform(0.95, 1.05, n),
        "isNegative": flux < 0,
        "midpointMjdTai": 60000.0 + where["visit"],
        **dict.fromkeys(("ixxPSF", "iyyPSF"), np.full(n, 2.0)),
        "ixyPSF": np.zeros(n),
        "ssObjectId": np.zeros(n, np.int64),
        "diaObjectId": np.zeros(n, np.int64),
        **{name: np.zeros(n, bool) for name in sorted(flags)},
        "reliability": np.full(n, 0.9),
    }


def _found(injection: Columns, name: str) -> Columns:
    """Return the sources of those injections that are found, nearly the same in every flavor."""
    same, own = np.random.default_rng(2), _rng(name, 2)
    n = len(injection["flux"])
    snr = injection["flux"] / FLUX_ERROR
    noise = [_shared(same, own, n) for _ in range(4)]
    chance = 0.97 / (1 + np.exp(-2 * (snr - 5)))
    found = same.random(n) < np.clip(chance + 0.03 * own.normal(size=n) * (chance < 0.95), 0, 1)
    true = np.where(injection["inTemplate"], -1, 1) * injection["flux"]
    source = _source({key: injection[key] for key in ("visit", "detector", "band", "ra", "dec", "x", "y")}, true, same)
    source["psfFlux"] = true + noise[0] * source["psfFluxErr"]
    source["isNegative"] = source["psfFlux"] < 0
    offset = 0.3 / np.maximum(snr, 4)  # arcsec
    for (sky, pixel), deviate in zip((("ra", "x"), ("dec", "y")), noise[1:], strict=False):
        source[sky] = source[sky] + offset * deviate / 3600
        source[pixel] = source[pixel] + offset * deviate / SCALE
    source["pixelFlags_bad"] = same.random(n) < 0.05
    source["diaObjectId"] = injection["injectionId"]
    return chosen(source, found)


def _variables(name: str) -> Columns:
    """Return the sources of variable stars, which are there in every visit."""
    visit, detector, number = _everywhere(N_VARIABLES)
    x, y = _random_places(3, N_VARIABLES)[detector, number].T
    rng = _rng(name, 3)
    source = _source(_at(visit, detector, x, y), FLUX_ERROR * rng.normal(0, 20, len(x)), rng)
    return source | {"diaObjectId": 10**6 + 1000 * detector + number}


def _asteroids(name: str) -> Columns:
    """Return the sources of asteroids, whose association names them."""
    visit, detector, number = _everywhere(N_ASTEROIDS)
    x, y = np.random.default_rng(4).uniform(40, (WIDTH - 40, HEIGHT - 40), (len(visit), 2)).T
    rng = _rng(name, 4)
    source = _source(_at(visit, detector, x, y), np.full(len(x), 15 * FLUX_ERROR), rng)
    number = 10**4 * visit + 1000 * detector + number
    return source | {"diaObjectId": 2 * 10**6 + number, "ssObjectId": 1 + number}


def _false(name: str) -> Columns:
    """Return sources that are nothing, anywhere; a third of them are flagged."""
    visit, detector, number = _everywhere(N_FALSE)
    rng = _rng(name, 5)
    x, y = rng.uniform(-0.5, (WIDTH - 0.5, HEIGHT - 0.5), (len(visit), 2)).T
    flux = FLUX_ERROR * 10 ** rng.normal(0.9, 0.1, len(x)) * np.where(number % 5 < 2, -1, 1)
    source = _source(_at(visit, detector, x, y), flux, rng)
    number_of_all = 10**4 * visit + 1000 * detector + number
    return source | {"diaObjectId": 3 * 10**6 + number_of_all, "pixelFlags_bad": number % 3 == 0}


def star_places() -> NDArray[np.float64]:
    """Return x and y of the stars of each detector, shape (detectors, stars, 2)."""
    return _random_places(6, N_STARS)


def _known() -> Columns:
    """Return the catalogue of variable stars."""
    places = _random_places(3, N_VARIABLES)
    detector, number = (index.ravel() for index in np.indices((len(DETECTORS), N_VARIABLES)))
    ra, dec = _on_sky(detector, *places[detector, number].T)
    return {"ra": ra, "dec": dec}


def _stars() -> Columns:
    """Return the catalogue of bright stars."""
    detector, number = (index.ravel() for index in np.indices((len(DETECTORS), N_STARS)))
    ra, dec = _on_sky(detector, *star_places()[detector, number].T)
    return {"ra": ra, "dec": dec, "mag": np.linspace(14, 17.5, len(ra))}


def _regions() -> Columns:
    visit, detector, _ = _everywhere(1)
    x, y = np.array([[0, WIDTH, WIDTH, 0], [0, 0, HEIGHT, HEIGHT]]) - 0.5
    ra, dec = _on_sky(detector[:, None], x, y)
    ra, dec = np.broadcast_arrays(ra, dec)
    n = len(visit)
    return {
        "visit": np.asarray(VISITS)[visit],
        "detector": detector.astype(np.int32),
        "band": np.where(visit % 2, "r", "g"),
        "area": polygon_area(ra, dec),
        "width": np.full(n, float(WIDTH)),
        "height": np.full(n, float(HEIGHT)),
        "corners": corners_array(ra, dec),
    }


def _numbered(columns: Columns, name: str) -> Columns:
    """Return the rows shuffled and numbered, as no catalogue is in the order of another."""
    n = len(columns["visit"])
    order = _rng(name, 7).permutation(n)
    return {key: values[order] for key, values in columns.items()} | {"diaSourceId": 1 + np.arange(n)}


def _objects(sources: Columns) -> Columns:
    """Return the objects that sources belong to."""
    number, n_sources = np.unique(sources["diaObjectId"], return_counts=True)
    return {"diaObjectId": number, "nDiaSources": n_sources}


def _everywhere(n: int) -> tuple[NDArray[np.int64], ...]:
    """Return visit (from 0), detector and number of n things on each detector of each visit."""
    return tuple(index.ravel() for index in np.indices((len(VISITS), len(DETECTORS), n)))


def _random_places(seed: int, n: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(60, (WIDTH - 60, HEIGHT - 60), (len(DETECTORS), n, 2))


def _rng(name: str, what: int) -> np.random.Generator:
    return np.random.default_rng([what, *name.encode()])


def _shared(same: np.random.Generator, own: np.random.Generator, n: int) -> NDArray[np.float64]:
    return math.sqrt(_SHARED) * same.normal(size=n) + math.sqrt(1 - _SHARED) * own.normal(size=n)
