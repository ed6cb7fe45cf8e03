"""A measured survey without a repository: the plugin reads the measurement store and nothing else."""

from __future__ import annotations

import zlib
from dataclasses import asdict
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from harness.baseline.files import canonical_bytes
from harness.baseline.model import Acceptance, Baseline, Entry, Original, Unchanged, Within
from harness.measure.catalogue import all_metrics
from harness.measure.run import OWN
from harness.measure.store import Manifest, MeasurementStore, table_filename
from harness.metrics.flag_sets import PIXEL_FLAGS
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings
from harness.rerun.protocol import RerunRef

VISITS = np.arange(410_900, 410_924)

#: Counts in a visit.
MEANS = {"numSources": 4000, "numGoodSources": 1400, "numObjects": 1300, "numSciSources": 9000, "numDipoles": 1100}
MEANS |= {f"numFlagged.{flag}": 800 for flag in PIXEL_FLAGS}


class Survey:
    """Reruns of one dataset, made of numbers alone."""

    visits = VISITS
    #: How many checks of its files pass for a rerun that is as it should be.
    n_checks = 7

    def __init__(self, folder, repo="repo"):
        self.folder = folder
        self.repo = str(folder / repo)
        self.store = MeasurementStore(folder / "measurements")
        self.settings = Settings()
        self.catalogue = all_metrics(self.settings)

    def measure(self, rerun, *, inputs=None, **changes):
        """Write the measurements of a rerun.

        Reruns of the same sky differ a little, each in its own way; ``changes`` scales a metric, or sets it by visit.
        """
        own = np.random.default_rng(zlib.crc32(rerun.encode()))
        counts = {
            f"dia.{name}": np.random.default_rng(0).poisson(mean, VISITS.size) + own.integers(-3, 4, VISITS.size)
            for name, mean in MEANS.items()
        }
        counts |= {
            name: np.zeros(VISITS.size) for name, metric in self.catalogue.items() if metric.group == "dia_sanity"
        }
        for name, change in changes.items():
            key = f"dia.{name}"
            counts[key] = change if isinstance(change, np.ndarray) else np.round(counts[key] * change)
        rows = [
            {"metric": name, "instrument": "DECam", "visit": visit, "detector": 1, "band": "g", "numerator": value}
            for name, values in counts.items()
            for visit, value in zip(VISITS.tolist(), values.astype(float).tolist(), strict=True)
        ]
        table = pa.Table.from_pylist(rows, schema=rows_schema())
        folder = self.store.folder(RerunRef(self.repo, rerun), OWN)
        self.store.write_shard(folder, "sources.parquet", table, {"kind": "sources"})
        manifest = Manifest(
            rerun=rerun,
            source=f"{self.repo}:{rerun}",
            suite=OWN,
            settings=asdict(self.settings),
            shards=("sources.parquet",),
            inputs=inputs or rerun,
            content=inputs or rerun,
            harness="0.1.0",
            datasets={"table": inputs or rerun},
            families=("dia",),
        )
        self.store.write_manifest(folder, manifest)

    def measure_amplifiers(self, rerun, places, *, metric="ptc.gain", families=("ptc",), curves=None):
        """Write a rerun of which one metric was measured, by (detector, amplifier); ``curves`` is a further table."""
        row = {"metric": metric, "instrument": "LSSTCam", "denominator": 1.0, "uncertainty": 0.001}
        rows = [
            row | {"detector": detector, "amplifier": name, "numerator": value}
            for (detector, name), value in places.items()
        ]
        folder = self.store.folder(RerunRef(self.repo, rerun), OWN)
        if curves is not None:
            self.store.write_shard(folder, table_filename("flats.parquet", "curves"), curves, {})
        note = {"kind": "flats", "tables": [] if curves is None else ["curves"]}
        self.store.write_shard(folder, "flats.parquet", pa.Table.from_pylist(rows, schema=rows_schema()), note)
        manifest = Manifest(
            rerun=rerun,
            source=f"{self.repo}:{rerun}",
            suite=OWN,
            settings=asdict(self.settings),
            shards=("flats.parquet",),
            inputs=rerun,
            content="",
            harness="0.1.0",
            datasets={"raw": rerun},
            families=families,
        )
        self.store.write_manifest(folder, manifest)

    def accept(self, dataset="mine", *, rtol=0.02, metrics=("dia.numSources", "dia.numObjects"), **values):
        """Write a baseline by hand, as a person's acceptance would have left it."""
        key = "2026-11-21-w_2020_20"
        entries = {
            name: self._entry(name, values.get(name, 1.0), Unchanged(rtol=rtol, atol=0.0), key) for name in metrics
        }
        entries |= {
            name: self._entry(name, 0.0, Within(low=0.0, high=0.0), key)
            for name in ("dia.numDuplicateIds", "dia.numEqualColumnPairs")
        }
        acceptance = Acceptance(
            at=datetime(2026, 11, 21, 9, tzinfo=UTC),
            by="A. Person",
            harness="0.1.0",
            rerun="w_2020_20",
            versions={},
            inputs="w_2020_20",
            reason="first baseline",
            ticket="DM-25125",
            visits=VISITS.size,
        )
        baseline = Baseline(dataset=dataset, acceptances={key: acceptance}, metrics=entries)
        path = self.folder / "baselines" / f"{dataset}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(canonical_bytes(baseline))
        return path

    def _entry(self, name, value, expectation, key):
        metric = self.catalogue[name]
        return Entry(
            value=value,
            uncertainty=0.0,
            unit=metric.unit,
            definition=metric.definition_digest,
            expectation=expectation,
            direction="both",
            accepted=key,
            original=Original(value=value, accepted=key),
        )

    def options(self, *reruns, reference="w_2020_20"):
        """Return the options of the plugin for these reruns."""
        return [
            f"--repo={self.repo}",
            f"--measurements={self.folder / 'measurements'}",
            f"--baselines={self.folder / 'baselines'}",
            "--dataset=mine",
            *(f"--rerun={rerun}" for rerun in reruns),
            *([f"--reference={reference}"] if reference else []),
        ]
