"""Small files in the layout of afw, written by astropy: planes, keywords, and an archive of objects."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from astropy.io import fits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

MASK_PLANES = {"BAD": 0, "SAT": 1, "EDGE": 4, "DETECTED": 5, "NO_DATA": 9}

Compression = Literal["none", "lossless", "lossy"]


@dataclass(frozen=True)
class Stored:
    """An object of an archive: its class, and the columns of each of its tables."""

    name: str
    tables: Sequence[Sequence[fits.Column]]


@dataclass
class AfwFile:
    """What a file holds; leave a plane out by None.

    ``objects`` are numbered from 1, each with tables of its own, unless ``index`` says otherwise.
    """

    image: NDArray[Any] | None = field(default_factory=lambda: plane(1, 0.0))
    mask: NDArray[Any] | None = field(default_factory=lambda: np.zeros((30, 40), np.int32))
    variance: NDArray[Any] | None = field(default_factory=lambda: plane(2, 400.0))
    primary: Mapping[str, Any] = field(default_factory=lambda: {"EXPINFO_V": 2})
    image_header: Mapping[str, Any] = field(default_factory=dict)
    mask_planes: Mapping[str, int] = field(default_factory=lambda: dict(MASK_PLANES))
    objects: Sequence[Stored] = ()
    index: Sequence[tuple[int, int, int, int, int, str]] | None = None
    index_names: tuple[str, str] = ("cat.archive", "cat.persistable")
    compression: Compression = "none"

    def write(self, path: Path) -> Path:
        """Write the file, and return its path."""
        planes = {"IMAGE": self.image, "MASK": self.mask, "VARIANCE": self.variance}
        hdus = [self._plane_hdu(kind, pixels) for kind, pixels in planes.items() if pixels is not None]
        primary = fits.PrimaryHDU()
        if self.objects:
            primary.header["AR_HDU"] = 2 + len(hdus)
        primary.header.update(_long(self.primary))
        fits.HDUList([primary, *hdus, *self._archive_hdus()]).writeto(path)
        return path

    def _plane_hdu(self, kind: str, pixels: NDArray[Any]) -> Any:
        header = fits.Header({"INHERIT": True, "EXTTYPE": kind})
        header.update(_long(self.image_header))
        if kind == "MASK":
            header.update(_long({f"MP_{name}": bit for name, bit in self.mask_planes.items()}))
        if self.compression == "none":
            return fits.ImageHDU(pixels, header)
        if self.compression == "lossy" and kind != "MASK":
            return fits.CompImageHDU(
                pixels,
                header,
                compression_type="RICE_1",
                tile_shape=(1, pixels.shape[1]),
                quantize_level=16,
                quantize_method=2,
                dither_seed=1,
            )
        return fits.CompImageHDU(
            pixels, header, compression_type="GZIP_2", tile_shape=(1, pixels.shape[1]), quantize_level=0
        )

    def _archive_hdus(self) -> list[Any]:
        if not self.objects:
            return []
        tables = [(stored.name, columns) for stored in self.objects for columns in stored.tables]
        rows = self._index_rows() if self.index is None else self.index
        names = ("id", *self.index_names, "row0", "nrows")
        columns = [fits.Column(name, "J", array=[row[n] for row in rows]) for n, name in enumerate(names)]
        columns.append(fits.Column("name", "64A", array=[row[5] for row in rows]))
        columns.append(fits.Column("module", "64A", array=["" for _ in rows]))
        index = fits.BinTableHDU.from_columns(columns)
        index.header.update({"EXTTYPE": "ARCHIVE_INDEX", "AR_CATN": 0, "AR_NCAT": 1 + len(tables)})
        hdus = [index]
        for number, (name, of_table) in enumerate(tables, 1):
            hdu = fits.BinTableHDU.from_columns(list(of_table))
            hdu.header.update({"EXTTYPE": "ARCHIVE_DATA", "AR_CATN": number, "AR_NAME": name})
            hdus.append(hdu)
        return hdus

    def _index_rows(self) -> list[tuple[int, int, int, int, int, str]]:
        rows, table = [], 0
        for number, stored in enumerate(self.objects, 1):
            for order, columns in enumerate(stored.tables):
                table += 1
                rows.append((number, table, order, 0, len(columns[0].array), stored.name))
            if not stored.tables:
                rows.append((number, -1, 0, 0, 0, stored.name))
        return rows


def _long(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Spell keywords of more than 8 characters as astropy wants them."""
    return {f"HIERARCH {name}" if len(name) > 8 else name: value for name, value in keywords.items()}


def plane(seed: int, level: float) -> NDArray[np.float32]:
    """Return noise about a level, with an infinite pixel and one that is not a number."""
    pixels = np.random.default_rng(seed).normal(level, 20.0, (30, 40)).astype(np.float32)
    pixels[3, 5], pixels[4, 6] = np.inf, np.nan
    return pixels


def photo_calib(mean: float, *, version: int | None = 1) -> Stored:
    """Return a calibration, nJy per unit; without a version as it was before 1, in maggies."""
    columns = [fits.Column("calibrationMean", "D", array=[mean]), fits.Column("field", "J", array=[0])]
    if version is not None:
        columns.append(fits.Column("version", "J", array=[version]))
    return Stored("PhotoCalib", [columns])


def filter_label(band: str, physical: str) -> Stored:
    """Return a filter."""
    flags = fits.Column("flags", "2X", array=np.array([[bool(band), bool(physical)]]))
    names = [fits.Column("band", "32A", array=[band]), fits.Column("physical", "32A", array=[physical])]
    return Stored("FilterLabel", [[flags, *names]])


def coadd_inputs(visits: Sequence[tuple[int, float]], detectors: Sequence[tuple[int, int, float]]) -> Stored:
    """Return the inputs of a coadd: number and weight of each visit; visit, detector and weight of each detector."""
    whole = [
        fits.Column("id", "K", array=np.array([visit for visit, _ in visits], np.int64)),
        fits.Column("weight", "D", array=np.array([weight for _, weight in visits], np.float64)),
    ]
    parts = [
        fits.Column("id", "K", array=np.arange(len(detectors), dtype=np.int64)),
        fits.Column("ccd", "J", array=np.array([row[1] for row in detectors], np.int32)),
        fits.Column("visit", "J", array=np.array([row[0] for row in detectors], np.int32)),
        fits.Column("weight", "D", array=np.array([row[2] for row in detectors], np.float64)),
    ]
    return Stored("CoaddInputs", [whole, parts])


def summary_stats(text: str) -> Stored:
    """Return summary statistics, as the text they are stored as."""
    array = np.empty(1, object)
    array[0] = np.frombuffer(text.encode(), np.uint8)
    return Stored("ExposureSummaryStats", [[fits.Column("bytes", "QB", array=array)]])
