"""Small exposures of known numbers in the layout of afw, and folders of them as reruns."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.embedded import load_images
from harness.measure.catalogue import all_metrics
from harness.measure.measurements import Measurements
from harness.measure.run import OWN, measure
from harness.measure.store import MeasurementStore
from harness.metrics.settings import Settings
from harness.rerun import open_rerun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

SHAPE = (24, 32)
PLANES = {"BAD": 0, "SAT": 1, "EDGE": 4, "DETECTED": 5, "NO_DATA": 8}
FWHM = 2 * math.sqrt(2 * math.log(2))

#: File names of each part of a subtraction, and what a rerun.toml says of them.
FILES = {
    "science": ("science", ""),
    "good_template": ("template", "good"),
    "good_difference": ("difference", "good"),
    "deep_template": ("template", "deep"),
    "deep_difference": ("difference", "deep"),
}

GOOD, DEEP = (11, 12), (11, 12, 13, 14)
"""Visits that the templates are made of, unless they are told."""


def afw() -> Any:
    """Return the writer of exposures."""
    return load_images().afw_writer


def exposure(fwhm: float = 5.0, variance: float = 4.0, /, inputs: Sequence[int] | None = None, **changes: Any) -> Any:
    """Return an exposure with a Gaussian PSF and the same variance in each pixel; a coadd when it has inputs."""
    content = afw().ExposureContent(
        image=np.random.default_rng(7).normal(0, math.sqrt(variance), SHAPE).astype(np.float32),
        mask=np.zeros(SHAPE, np.int32),
        variance=np.full(SHAPE, variance, np.float32),
        mask_planes=PLANES,
        psf=afw().GaussianPsfSpec(fwhm / FWHM, 41),
        band="r",
        coadd_inputs=None if inputs is None else [(visit, 0, 1.0) for visit in inputs],
    )
    return replace(content, **changes)


def subtraction(science: float = 5.0, good: float = 4.0, deep: float = 6.0) -> dict[str, Any]:
    """Return the five exposures of a visit, given the FWHM of science image and templates."""
    return {
        "science": exposure(science, 4.0),
        "good_template": exposure(good, 2.0, GOOD),
        "good_difference": exposure(science, 6.0),
        "deep_template": exposure(deep, 1.0, DEEP),
        "deep_difference": exposure(science, 5.0),
    }


def name_of(part: str, visit: int, detector: int = 0) -> str:
    """Return the file name of a part of a visit."""
    return f"{part}_{visit}_{detector}_r.fits"


def write_visit(folder: Path, visit: int, parts: Mapping[str, Any], *, detector: int = 0) -> None:
    """Write exposures of a visit."""
    folder.mkdir(exist_ok=True)
    for part, content in parts.items():
        afw().write_exposure(folder / name_of(part, visit, detector), content)


def write_toml(folder: Path, *more: str, name: str = "r", files: Mapping[str, tuple[str, str]] = FILES) -> None:
    """Write the rerun.toml for what there is of some files."""
    lines = [f'name = "{name}"', 'instrument = "LATISS"']
    for part, (kind, side) in files.items():
        if any(folder.glob(f"{part}_*.fits")):
            files_of = f'files = ["{part}_{{visit}}_{{detector}}_{{band}}.fits"]'
            lines += ["[[exposures]]", f'kind = "{kind}"', f'side = "{side}"', files_of]
    folder.mkdir(exist_ok=True)
    (folder / "rerun.toml").write_text("\n".join([*lines, *more]) + "\n")


def survey(folder: Path, visits: Sequence[int] = (1, 2, 3)) -> None:
    """Write visits without a fault and their rerun.toml; the science image is the sharper the later the visit."""
    for visit in visits:
        write_visit(folder, visit, subtraction(5.5 - 0.2 * visit))
    write_toml(folder)


class Measured:
    """A rerun measured, and what was kept of it."""

    def __init__(self, repo: Path, name: str = "r", settings: Settings | None = None, executor: Any = None) -> None:
        self.settings = settings or Settings()
        self.rerun = open_rerun(str(repo), name)
        self.store = MeasurementStore(repo / "measurements")
        self.manifest = measure(self.rerun, self.settings, self.store, executor=executor)
        self.folder = self.store.folder(self.rerun.ref, OWN)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All metric rows."""
        rows: list[dict[str, Any]] = self.store.read_shards(self.folder, self.manifest.shards).to_pylist()
        return rows

    @property
    def by_metric(self) -> Measurements:
        """All measurements."""
        rows = self.store.read_shards(self.folder, self.manifest.shards)
        return Measurements("r", self.manifest, rows, all_metrics(self.settings), {})

    @property
    def values(self) -> dict[str, float]:
        """The value of each metric."""
        found = self.by_metric
        return {name: found[name].value for name in found}

    def of(self, metric: str) -> dict[tuple[int | None, int | None], dict[str, Any]]:
        """Return the rows of a metric by visit and detector."""
        return {(row["visit"], row["detector"]): row for row in self.rows if row["metric"] == metric}

    def kept(self, name: str) -> list[pa.Table]:
        """Return the further tables of a name."""
        return self.store.read_tables(self.folder, self.manifest.shards, name)

    def shard(self, kind: str) -> list[Path]:
        """Return the files of the shards of a kind."""
        return [self.folder / name for name in self.manifest.shards if name.startswith(f"{kind}-")]


def unordered(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows in an order of their own."""
    return sorted(repr(sorted(row.items())) for row in rows)
