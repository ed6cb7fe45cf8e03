"""Counting the DIA sources of a large rerun: ours beside pandas as the notebook uses it, polars, and decoding alone.

The table has 10 million rows, or 200 thousand where nothing is timed.  Nothing here asserts a time.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.metrics.dia_sources import SourceCounter
from harness.metrics.flag_sets import FLAG_SETS, PIXEL_FLAGS
from harness.metrics.settings import Settings
from harness.rerun import open_rerun

if TYPE_CHECKING:
    import pandas as pd

pytestmark = pytest.mark.benchmark(group="count the DIA sources of a rerun")

N_VISITS, N_DETECTORS = 84, 60
ROW_GROUP = 1 << 18
BATCH = 1 << 17
RERUN_TOML = """
name = "large"
instrument = "DECam"

[tables.diaSource]
files = ["*.parquet"]
"""
KEYS = ["visit", "detector", "band"]
FLAGS = FLAG_SETS["S3"].flags
SEVEN = (*KEYS, "isDipole", *FLAGS)
#: What the quicker ways count of all that ours counts.
COUNTED = ["dia.numSources", "dia.numGoodSources", "dia.numDipoles"]


@pytest.fixture(scope="session")
def table_path(full_size: bool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Parquet file of synthetic DIA sources in 40 columns, ordered by visit and detector."""
    rows = 10_000_000 if full_size else 200_000
    path = tmp_path_factory.mktemp("dia") / "diaSource.parquet"
    rng = np.random.default_rng(2015)
    data_id = np.sort(rng.integers(N_VISITS * N_DETECTORS, size=rows))
    writer = None
    for start in range(0, rows, ROW_GROUP):
        chunk = _chunk(rng, start, data_id[start : start + ROW_GROUP])
        writer = writer or pq.ParquetWriter(path, chunk.schema)
        writer.write_table(chunk, row_group_size=ROW_GROUP)
    writer.close()
    (path.parent / "rerun.toml").write_text(RERUN_TOML, encoding="utf-8")
    return path


def _chunk(rng: np.random.Generator, start: int, data_id: np.ndarray) -> pa.Table:
    n = len(data_id)

    def single(scale: float) -> np.ndarray:
        return (scale * rng.standard_normal(n, np.float32)).astype(np.float32)

    visit, detector = np.divmod(data_id, N_DETECTORS)
    band = pa.DictionaryArray.from_arrays(pa.array((visit % 2).astype(np.int8)), ["g", "r"])
    flux = single(1e3)
    flux[rng.integers(n, size=3)] = np.nan
    columns = {
        "diaSourceId": np.arange(start, start + n) + 4_000_000_000,
        "visit": 410_000 + visit,
        "detector": (1 + detector).astype(np.int16),
        "band": band.cast(pa.string()),
        "diaObjectId": rng.integers(10**9, size=n),
        "midpointMjdTai": 57000 + visit / 48,
        "ra": rng.uniform(149, 152, n),
        "dec": rng.uniform(1, 4, n),
        "isDipole": rng.random(n, np.float32) < 0.4,
        "psfFlux": flux,
        **{name: 1 + single(0.1) for name in ("raErr", "decErr", "x", "y", "snr", "reliability", "extendedness")},
        **{name: single(1e3) for name in ("psfFluxErr", "scienceFlux", "scienceFluxErr", "apFlux")},
        **{name: 0.3 + single(0.1) for name in ("ixxPSF", "iyyPSF", "ixyPSF")},
        **{flag: rng.random(n, np.float32) < 0.03 for flag in PIXEL_FLAGS},
    }
    return pa.table(columns)


def ours(path: Path) -> pa.Table:
    """Count every metric of the sources, as measuring a rerun does."""
    table = open_rerun(str(path.parent), "large").tables["diaSource"]
    counter = SourceCounter(Settings(), tuple(table.columns))
    for batch in table.batches(counter.columns):
        counter.add(batch)
    return counter.rows("DECam")


def pandas_all(path: Path) -> pd.DataFrame:
    """Count every metric as the notebook counts: read everything, make masks, group."""
    import pandas as pd

    sources = pd.read_parquet(path)
    masks = {
        "dia.numSources": True,
        "dia.numGoodSources": ~sources[list(FLAGS)].any(axis=1),
        "dia.numDipoles": sources["isDipole"],
        "dia.numNonFinitePositions": ~np.isfinite(sources[["ra", "dec"]]).all(axis=1),
        "dia.numNonFiniteFluxes": ~np.isfinite(sources["psfFlux"]),
        "dia.numNonPositivePsfDeterminants": sources["ixxPSF"] * sources["iyyPSF"] - sources["ixyPSF"] ** 2 <= 0,
        **{f"dia.numFlagged.{flag}": sources[flag] for flag in PIXEL_FLAGS},
    }
    return sources[KEYS].assign(**masks).groupby(KEYS).sum()


def pandas_few(path: Path) -> pd.DataFrame:
    """Count three metrics from the columns they need."""
    import pandas as pd

    sources = pd.read_parquet(path, columns=list(SEVEN))
    masks = (True, ~sources[list(FLAGS)].any(axis=1), sources["isDipole"])
    return sources[KEYS].assign(**dict(zip(COUNTED, masks, strict=True))).groupby(KEYS).sum()


def polars_few(path: Path) -> pl.DataFrame:
    """Count three metrics in one streamed query."""
    counted = (pl.len(), (~pl.any_horizontal(*FLAGS)).sum(), pl.col("isDipole").sum())
    query = pl.scan_parquet(path).group_by(KEYS).agg(**dict(zip(COUNTED, counted, strict=True)))
    return query.sort(KEYS).collect(engine="streaming")


def pyarrow_decode(path: Path) -> int:
    """Decode the columns that ours needs, and do nothing with them."""
    columns = SourceCounter(Settings(), pq.read_schema(path).names).columns
    return sum(batch.num_rows for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=list(columns)))


def by_metric(found: pa.Table | pl.DataFrame | pd.DataFrame) -> pd.DataFrame:
    """Return counts with a row for each data ID and a column for each metric."""
    if isinstance(found, pa.Table):
        rows = found.to_pandas()
        return rows.pivot_table(index=KEYS, columns="metric", values="numerator")
    return found.to_pandas().set_index(KEYS) if isinstance(found, pl.DataFrame) else found


@pytest.mark.parametrize("count", [ours, pandas_all, pandas_few, polars_few])
def test_count(benchmark, table_path, count):
    """Every way to count gives the counts that pandas gives, of every visit and detector."""
    found = by_metric(benchmark.pedantic(count, (table_path,), rounds=3, warmup_rounds=1))
    if count is not pandas_all:
        wanted = by_metric(pandas_all(table_path))
        shared = [name for name in wanted if name in found]
        assert len(shared) == (len(wanted.columns) if count is ours else len(COUNTED))
        assert (found[shared].to_numpy() == wanted[shared].to_numpy()).all()
        assert found.index.tolist() == wanted.index.tolist()


def test_decode(benchmark, table_path):
    """What pyarrow needs to decode the columns that ours needs, and nothing else."""
    rows = benchmark.pedantic(pyarrow_decode, (table_path,), rounds=3, warmup_rounds=1)
    assert rows == pq.read_metadata(table_path).num_rows


def test_memory_is_bounded(table_path):
    """Counting takes less than 600 MB, all that Python loads included, whatever the size of the table."""
    script = f"import runpy; print(runpy.run_path({__file__!r})['peak_memory']({str(table_path)!r}))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=300)
    assert float(done.stdout) < 600


def peak_memory(path: str) -> float:
    """Count, and return the peak memory of this process in MB (getrusage would tell its parent's, after a fork)."""
    ours(Path(path))
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
