"""Alert packets: DIA sources with cutouts of their science image, template and difference, as Avro.

Packets are laid out by ``lsst/alert_packet`` and filled by ``lsst/ap_association``.  A file is an Avro container of any
number of packets, as brokers and the pipeline write it, or holds packets as they are sent: a zero byte, the number of
the schema in four bytes, and the packet without its schema.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, final, get_args

import fastavro
import fastavro.schema
import numpy as np

from harness.errors import BrokenFileError, HarnessError, NotMeasuredError, UsageError, first_line
from harness.rerun.aliases import canonical_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["CUTOUTS", "AlertPacket", "Alerts", "Cutout", "CutoutKind"]

CutoutKind = Literal["science", "template", "difference"]
CUTOUTS: tuple[CutoutKind, ...] = get_args(CutoutKind)

_CONTAINER = b"Obj\x01"
_SENT = b"\x00"
_HEADER = 5
"""Bytes before a packet as it is sent."""

_VARIANCE = "VarianceUncertainty"
"""What the extension named UNCERT must say it holds: `astropy.nddata` also knows standard deviations."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A cutout around a DIA source.

    Attributes
    ----------
    image : (h, w) float32
        nJy; NaN where there are no data.
    variance : (h, w) float32
        nJy².
    psf : (m, n) float64
        The PSF, centred on element [m // 2, n // 2].
    x, y
        Place of the source: column and row of the array, counted from 0.
    """

    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    psf: NDArray[np.float64]
    x: float
    y: float


@final
class AlertPacket:
    """One alert.

    Parameters
    ----------
    record
        The packet as decoded.
    place
        Number of the packet and file, in words.
    """

    __slots__ = ("_record", "place", "source")

    def __init__(self, record: Mapping[str, Any], place: str) -> None:
        self._record = record
        self.source: Mapping[str, Any] = {
            canonical_name(name, "diaSource"): value for name, value in record["diaSource"].items()
        }
        """The DIA source, by canonical names of columns; what is not known is None."""
        self.place: str = f"{place} (diaSourceId {self.source.get('diaSourceId')})"
        """The packet in words: number, file and ``diaSourceId``."""

    def cutout(self, kind: CutoutKind) -> Cutout:
        """Decode one of the three cutouts.

        Raises
        ------
        harness.errors.NotMeasuredError
            When the packet was sent without it.
        harness.errors.BrokenFileError
            When it is not FITS, lacks an extension, or says that it holds something else than image and variance.
        """
        name = f"cutout{kind.capitalize()}"
        stored = self._record.get(name)
        if stored is None:
            raise NotMeasuredError(f"{self.place} has no {name}")
        try:
            return _cutout(stored)
        except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on damaged FITS
            raise BrokenFileError(f"{name} of {self.place} cannot be read ({first_line(fault)})") from None


@final
class Alerts:
    """The alert packets of a rerun, listed but not read.

    Parameters
    ----------
    paths
        The files, by the names they are told by.
    inputs
        Digest of the content of each file.
    schema
        Avro schema of packets as they were sent; those that it names lie beside it.
    """

    def __init__(self, paths: Mapping[str, Path], inputs: Mapping[str, str], schema: Path | None = None) -> None:
        self.inputs = inputs
        self._paths = paths
        self._schema_path = schema

    def packets(self, ref: str) -> Iterator[AlertPacket]:
        """Yield the packets of one file, one at a time.

        Parameters
        ----------
        ref
            One of ``inputs``.

        Raises
        ------
        harness.errors.BrokenFileError
            When the file is missing or no Avro, or where it is broken: after the packets before that.
        harness.errors.UsageError
            When packets are stored without their schema, and ``rerun.toml`` names none.
        """
        path, number = self._paths[ref], 0
        for number, record in enumerate(self._records(path), 1):
            if not isinstance(record, dict) or not isinstance(record.get("diaSource"), dict):
                raise BrokenFileError(f"packet {number} of {path} is no alert: it has no diaSource")
            yield AlertPacket(record, f"packet {number} of {path}")
        if not number:
            raise BrokenFileError(f"{path} holds no packet")

    def _records(self, path: Path) -> Iterator[Any]:
        number = 1
        try:
            with path.open("rb") as stream:
                records = fastavro.reader(stream) if stream.peek(4).startswith(_CONTAINER) else self._sent(stream, path)
                for record in records:
                    yield record
                    number += 1
        except HarnessError:
            raise
        except Exception as fault:  # noqa: BLE001 - fastavro raises of every kind on a damaged file
            raise BrokenFileError(f"packet {number} of {path} cannot be read ({first_line(fault)})") from None

    def _sent(self, stream: io.BufferedReader, path: Path) -> Iterator[Any]:
        """Yield packets that follow each other as they were sent."""
        while header := stream.read(_HEADER):
            if not header.startswith(_SENT):
                raise ValueError("it is neither in an Avro container nor as it was sent")
            if self._schema_path is None:
                raise UsageError(
                    f"{path} holds packets as they were sent, without their schema; name it in rerun.toml: "
                    '[alerts] schema = "lsst.v9_0.alert.avsc"'
                )
            yield fastavro.schemaless_reader(stream, self._schema)

    @cached_property
    def _schema(self) -> Any:
        try:
            return fastavro.schema.load_schema(str(self._schema_path))
        except Exception as fault:  # noqa: BLE001 - of files, JSON and schemas
            raise UsageError(f"{self._schema_path} cannot be read as an Avro schema ({first_line(fault)})") from None


def _cutout(stored: bytes) -> Cutout:
    """Decode a cutout; what is wrong with it is raised as it comes."""
    from astropy.io import fits

    with warnings.catch_warnings(action="ignore"), fits.open(io.BytesIO(stored), memmap=False) as file:
        names = [hdu.name for hdu in file]
        for name in ("UNCERT", "PSFIMAGE"):
            if name not in names:
                raise ValueError(f"it has no extension {name}")
        if (holds := file["UNCERT"].header.get("UTYPE")) != _VARIANCE:
            raise ValueError(f"UNCERT has UTYPE {holds!r} and not {_VARIANCE!r}")
        header = file[0].header
        # of the byte order of this machine
        image: NDArray[np.float32] = np.asarray(file[0].data).astype(np.float32)
        variance: NDArray[np.float32] = np.asarray(file["UNCERT"].data).astype(np.float32)
        psf: NDArray[np.float64] = np.asarray(file["PSFIMAGE"].data).astype(np.float64)
        x, y = float(header["CRPIX1"]) - 1, float(header["CRPIX2"]) - 1
    if not image.ndim == psf.ndim == 2 or image.shape != variance.shape:
        raise ValueError(f"its image is {image.shape}, its variance {variance.shape}, its PSF {psf.shape}")
    return Cutout(image, variance, psf, x, y)
