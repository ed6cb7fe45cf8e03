"""Alert packets of a simulated sky: point sources of known flux, on noise of known variance, under known PSFs."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import fastavro
import numpy as np
from astropy.io import fits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_SOURCE = {
    "type": "record",
    "name": "sky.diaSource",
    "fields": [
        {"name": "diaSourceId", "type": "long"},
        {"name": "visit", "type": ["null", "long"], "default": None},
        {"name": "detector", "type": ["null", "int"], "default": None},
        {"name": "band", "type": ["null", "string"], "default": None},
        {"name": "x", "type": "float"},
        {"name": "y", "type": "float"},
        {"name": "psfFlux", "type": ["null", "float"], "default": None},
        {"name": "psfFluxErr", "type": ["null", "float"], "default": None},
        {"name": "psfFlux_flag", "type": ["null", "boolean"], "default": None},
    ],
}
_CUTOUTS = [
    {"name": f"cutout{kind}", "type": ["null", "bytes"], "default": None}
    for kind in ("Difference", "Science", "Template")
]


def schema(source: Any = _SOURCE) -> dict[str, Any]:
    """Return the Avro schema of a packet, after those of lsst/alert_packet."""
    fields = [{"name": "diaSourceId", "type": "long"}, {"name": "diaSource", "type": source}, *_CUTOUTS]
    return {"type": "record", "name": "sky.alert", "fields": fields}


def gaussian(shape: tuple[int, int], x: float, y: float, sigma: float) -> NDArray[np.float64]:
    """Return the values of a Gaussian of unit integral at the centres of pixels."""
    rows, columns = np.indices(shape)
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)


def cutout(
    image: NDArray[Any],
    variance: NDArray[Any],
    psf: NDArray[np.float64],
    place: tuple[float, float] = (15.0, 15.0),
    *,
    utype: str = "VarianceUncertainty",
    without: str = "",
) -> bytes:
    """Return a cutout as lsst/ap_association stores it, with the source at a column and row counted from 0."""
    primary = fits.PrimaryHDU(image.astype(np.float32))
    primary.header.update(CRPIX1=place[0] + 1, CRPIX2=place[1] + 1, BUNIT="nJy")
    uncertainty = fits.ImageHDU(variance.astype(np.float32), name="UNCERT")
    uncertainty.header["UTYPE"] = utype
    hdus = [primary, uncertainty, fits.ImageHDU(psf, name="PSFIMAGE")]
    file = io.BytesIO()
    fits.HDUList([hdu for hdu in hdus if not without or hdu.name != without]).writeto(file)
    return file.getvalue()


def alert(
    number: int,
    visit: int = 7,
    detector: int = 3,
    *,
    flux: float = 900.0,
    sigmas: tuple[float, float] = (2.0, 1.6),
    variances: tuple[float, float, float] = (4.0, 1.0, 5.0),
    side: int = 31,
) -> dict[str, Any]:
    """Return an alert of a point source; another number is other noise and another place within the pixel.

    Parameters
    ----------
    number
        Its ``diaSourceId``.
    visit, detector
        Data ID.
    flux
        True flux of the source, nJy; ``psfFlux`` is it, and ``psfFluxErr`` its true error.
    sigmas
        Of the PSFs of science image and template, pixels.
    variances
        Of a pixel of science image, template and difference, nJy².
    side
        Of the cutouts, pixels.
    """
    rng = np.random.default_rng(number)
    x, y = side // 2 + rng.uniform(-0.5, 0.5, 2)
    shape = (side, side)
    sharp, wide = (gaussian((41, 41), 20, 20, sigma) for sigma in (sigmas[1], sigmas[0]))
    source = flux * gaussian(shape, x, y, sigmas[0])

    def drawn(variance: float, signal: Any, psf: NDArray[np.float64]) -> bytes:
        noise = rng.normal(0, np.sqrt(variance), shape)
        return cutout(signal + noise, np.full(shape, variance), psf, (x, y))

    error = np.sqrt(variances[2] / (wide**2).sum())
    columns = {"visit": visit, "detector": detector, "band": "g", "x": 100 + x, "y": 200 + y}
    fluxes = {"psfFlux": flux, "psfFluxErr": error, "psfFlux_flag": False}
    return {
        "diaSourceId": number,
        "diaSource": {"diaSourceId": number, **columns, **fluxes},
        "cutoutScience": drawn(variances[0], source, wide),
        "cutoutTemplate": drawn(variances[1], 0, sharp),
        "cutoutDifference": drawn(variances[2], source, wide),
    }


def write_alerts(path: Path, alerts: Sequence[dict[str, Any]], codec: str = "null") -> None:
    """Write alerts into one Avro container, a packet to a block."""
    with path.open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(schema()), alerts, codec=codec, sync_interval=1)


def write_sent(path: Path, alerts: Sequence[dict[str, Any]]) -> None:
    """Write alerts as they are sent: a zero byte, the number of the schema, the packet without its schema."""
    with path.open("wb") as file:
        for each in alerts:
            file.write(b"\x00\x00\x00\x03\xd2")
            fastavro.schemaless_writer(file, fastavro.parse_schema(schema()), each)


def write_schema(folder: Path) -> Path:
    """Write the schema as lsst/alert_packet does, one record to a file, and return the one to begin with."""
    (folder / "sky.diaSource.avsc").write_text(json.dumps(_SOURCE))
    path = folder / "sky.alert.avsc"
    path.write_text(json.dumps(schema("sky.diaSource")))
    return path
