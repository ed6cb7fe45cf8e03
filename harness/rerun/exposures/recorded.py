"""PSF sizes that were recorded beside exposures: in visit tables, task metadata, and tables of one's own."""

from __future__ import annotations

import json
import re
import warnings
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from harness.errors import BrokenFileError, UsageError, first_line
from harness.rerun.exposures.protocol import SIGMA_TO_FWHM
from harness.rerun.table_files import table_of_file, typed_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["METADATA_TYPES", "SUMMARY_TYPES", "recorded_sizes", "sizes_of_file", "sizes_schema"]

SUMMARY_TYPES = ("visit_detector_table", "ccdVisitTable", "visit_summary", "finalVisitSummary", "visitSummary")
"""Butler dataset types with summary statistics of visit images; of several in a collection the first one counts."""

METADATA_TYPES = ("subtractImages_metadata",)
"""Butler dataset types of task metadata that tell the PSF sizes of science image and template."""


#: Keys of `lsst/ip_diffim` (AlardLuptonSubtractTask): FWHM from the trace radius, pixels.
_METADATA_KEYS = {"sciencePsfSize": "science", "templatePsfSize": "template"}

#: Columns of a table of one's own: what it is of, and which size.  Short names are those of DMTN-256.
_PLANES: Mapping[str, str] = MappingProxyType(
    {"science": "science", "calexp": "science", "template": "template", "templ": "template"}
    | {"difference": "difference", "diff": "difference"}
)
_COLUMN = re.compile(r"(?P<plane>[A-Za-z]+)_psf_(?P<size>determinant|trace|nea)(?:_(?P<side>good|deep))?")


@cache
def sizes_schema() -> pa.Schema:
    """Return the Arrow schema of recorded PSF sizes.

    ``kind`` (of exposure), ``side``, ``visit``, ``detector``, ``band``; ``size`` is the kind of size and ``fwhm`` its
    value in pixels (`harness.rerun.exposures.protocol.PsfSizeKind`); ``source`` says where it was recorded.
    """
    texts = [(name, pa.string()) for name in ("kind", "side", "band", "size", "source")]
    return pa.schema([*texts, ("visit", pa.int64()), ("detector", pa.int32()), ("fwhm", pa.float64())])


def recorded_sizes(
    datasets: Iterable[tuple[str, Mapping[str, Any], AbstractContextManager[Path]]],
) -> pa.Table | None:
    """Return what datasets of `SUMMARY_TYPES` and `METADATA_TYPES` record, or None when they record nothing.

    Parameters
    ----------
    datasets
        Dataset type, data ID and local file of each.

    Raises
    ------
    harness.errors.BrokenFileError
        When a file is not what it should be.
    """
    rows: list[dict[str, Any]] = []
    for kind, data_id, local in datasets:
        with local as path:
            rows += _of_metadata(path, data_id) if kind in METADATA_TYPES else _of_summary(path, kind)
    return pa.Table.from_pylist(rows, sizes_schema()) if rows else None


def sizes_of_file(path: Path) -> pa.Table:
    """Read a table of PSF sizes of one's own.

    Columns are ``visit``, ``detector``, ``band`` if known, and sizes: ``science_psf_determinant``,
    ``template_psf_determinant_good``, ``difference_psf_nea`` … (FWHM in pixels; a noise-equivalent area in pixels²).

    Raises
    ------
    harness.errors.BrokenFileError
        When the file cannot be read.
    harness.errors.UsageError
        When it lacks a column.
    """
    table = table_of_file(path)
    found = [(name, match) for name in table.column_names if (match := _match(name)) is not None]
    missing = [name for name in ("visit", "detector") if name not in table.column_names]
    if missing or not found:
        lacks = repr(missing[0]) if missing else "of PSF sizes such as science_psf_determinant"
        raise UsageError(f"{path} has no column {lacks}; it has {', '.join(table.column_names)}")
    visit, detector = (
        np.asarray(typed_column(table, name, pa.int64(), path).to_numpy()) for name in ("visit", "detector")
    )
    bands = table["band"].cast(pa.string()).to_pylist() if "band" in table.column_names else [""] * len(visit)
    rows = []
    for name, match in found:
        values = np.asarray(typed_column(table, name, pa.float64(), path).to_numpy())
        fwhm = fwhm_of_area(values) if match["size"] == "nea" else values
        place = {"kind": _PLANES[match["plane"].lower()], "side": match["side"] or "", "size": match["size"]}
        rows += [
            place | {"source": path.name, "visit": int(visit[at]), "detector": int(detector[at])}
            | {"band": bands[at] or "", "fwhm": float(fwhm[at])}
            for at in range(len(visit))
        ]  # fmt: skip
    return pa.Table.from_pylist(rows, sizes_schema())


def fwhm_of_area(area: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the FWHM of the Gaussian that has a noise-equivalent area (4 pi sigma²)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(SIGMA_TO_FWHM * np.sqrt(area / (4 * np.pi)))


def _match(name: str) -> re.Match[str] | None:
    match = _COLUMN.fullmatch(name)
    return match if match is not None and match["plane"].lower() in _PLANES else None


def _of_metadata(path: Path, data_id: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise BrokenFileError(f"{path} cannot be read as JSON ({first_line(fault)}); restore it or prune it") from None
    for key, value in _numbers(content):
        if key in _METADATA_KEYS:
            place = {"kind": _METADATA_KEYS[key], "side": "", "band": "", "source": "task metadata", "size": "trace"}
            yield place | {"visit": data_id["visit"], "detector": data_id["detector"], "fwhm": value}


def _numbers(node: Any) -> Iterator[tuple[str, float]]:
    """Yield all numbers of a tree by the last part of their name."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if isinstance(value, dict):
            yield from _numbers(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield str(key).rpartition(".")[2], float(value)


def _of_summary(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    columns = _summary_columns(path)
    visits = next((columns[name] for name in ("visit", "visitId", "visit_id") if name in columns), None)
    detectors = next(
        (columns[name] for name in ("detector", "detectorId", "detector_id", "id") if name in columns), None
    )
    if visits is None or detectors is None or "psfSigma" not in columns:
        raise BrokenFileError(f"{path} is no {kind}: it lacks visit, detector or psfSigma")
    sizes = {"determinant": SIGMA_TO_FWHM * columns["psfSigma"]}
    if {"psfIxx", "psfIyy"} <= columns.keys():
        with np.errstate(invalid="ignore"):
            sizes["trace"] = SIGMA_TO_FWHM * np.sqrt((columns["psfIxx"] + columns["psfIyy"]) / 2)
    if "psfArea" in columns:
        sizes["nea"] = fwhm_of_area(columns["psfArea"])
    for size, fwhms in sizes.items():
        known = (fwhms > 0) & np.isfinite([visits, detectors]).all(axis=0)
        for visit, detector, fwhm in zip(visits[known], detectors[known], fwhms[known], strict=True):
            place = {"kind": "science", "side": "", "band": "", "source": kind, "size": size}
            yield place | {"visit": int(visit), "detector": int(detector), "fwhm": float(fwhm)}


def _summary_columns(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return the numeric columns of a visit table, or of an exposure catalogue of `lsst/afw`."""
    if path.suffix not in (".fits", ".fit"):
        table = table_of_file(path)
        return {
            name: np.asarray(table[name].cast(pa.float64()).to_numpy())
            for name in table.column_names
            if pa.types.is_integer(table.schema.field(name).type) or pa.types.is_floating(table.schema.field(name).type)
        }
    from astropy.io import fits

    try:
        with warnings.catch_warnings(action="ignore"), fits.open(path, memmap=False) as file:
            rows = file[1].data
            plain = [name for name in rows.names if rows[name].ndim == 1 and rows[name].dtype.kind in "if"]
            return {name: rows[name].astype(np.float64) for name in plain}
    except (OSError, ValueError, IndexError, AttributeError, TypeError) as fault:
        raise BrokenFileError(
            f"{path} cannot be read as an exposure catalogue ({first_line(fault)}); restore it or prune it"
        ) from None
