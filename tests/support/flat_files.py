"""Small raw flats of Poisson light and Gaussian noise in files, and the ``rerun.toml`` that names them.

There is no brighter-fatter effect: whoever needs physics takes `flat_simulation` or the embedded sensor.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.io import fits

GAIN = 1.5
"""Electrons per adu of every amplifier."""

NOISE = 6.0
"""Read noise, e-."""

LEVEL = 1000
"""Level of the overscan, adu."""

FULL_SCALE = 2**18 - 1
"""Largest number of the converter, adu."""

DETECTOR = 94

LADDER = tuple(1000.0 * 1.5**step for step in range(10))
"""Signals of the pairs, e-."""

RATE = 1000.0
"""Light, e-/s."""

TOML = 'name = "flats"\ninstrument = "LSSTCam"\n[flats]\nfiles = ["flat_*.fits"]\n'


@dataclass(frozen=True)
class Geometry:
    """Amplifiers in the order of the file, in two rows as in an e2v sensor, and the parts of a segment in pixels."""

    names: tuple[str, ...] = ("C10", "C11", "C01", "C00")
    rows: int = 100
    columns: int = 64
    prescan: int = 3
    overscan: int = 20
    parallel: int = 4

    @property
    def shape(self):
        """Rows and columns of a segment."""
        return self.rows + self.parallel, self.prescan + self.columns + self.overscan

    @property
    def imaging(self):
        """Imaging pixels of a segment."""
        return np.s_[: self.rows, self.prescan : self.prescan + self.columns]

    @property
    def datasec(self):
        """Imaging pixels as headers write them."""
        return f"[{self.prescan + 1}:{self.prescan + self.columns},1:{self.rows}]"

    def detsec(self, name):
        """Place of an amplifier on the detector, limits reversed where it is flipped: below in x, above in y."""
        left, right = int(name[2]) * self.columns + 1, (int(name[2]) + 1) * self.columns
        if name[1] == "1":
            return f"[{right}:{left},1:{self.rows}]"
        return f"[{left}:{right},{2 * self.rows}:{self.rows + 1}]"

    def assembled(self, planes):
        """Return the image of the detector that amplifiers lie on like this."""
        width = max(int(name[2]) for name in planes) + 1
        image = np.zeros((2 * self.rows, width * self.columns), np.float32)
        for name, plane in planes.items():
            columns = slice(int(name[2]) * self.columns, (int(name[2]) + 1) * self.columns)
            if name[1] == "1":
                image[: self.rows, columns] = np.fliplr(plane)
            else:
                image[self.rows :, columns] = np.flipud(plane)
        return image


SMALL = Geometry()
E2V = Geometry(tuple(f"C1{i}" for i in range(8)) + tuple(f"C0{i}" for i in reversed(range(8))), 2002, 512, 10, 54, 46)


def flat(electrons, seed, geometry=SMALL, bias=None):
    """Return the segments of a flat by name; ``bias`` (planes by name, adu) is added to the imaging pixels."""
    rng = np.random.default_rng(seed)
    segments = {}
    for name in geometry.names:
        segment = LEVEL + NOISE / GAIN * rng.standard_normal(geometry.shape)
        segment[geometry.imaging] += rng.poisson(electrons, (geometry.rows, geometry.columns)) / GAIN
        if bias is not None:
            segment[geometry.imaging] += bias[name]
        segments[name] = np.minimum(np.rint(segment), FULL_SCALE).astype(np.int32)
    return segments


def write(path, segments, geometry=SMALL, compression=None, **cards):
    """Write a raw file with these cards in its primary header; one that is None is left out."""
    primary = {"IMGTYPE": "FLAT", "DAYOBS": "20260101", "RAFTBAY": "R22", "CCDSLOT": "S11"} | cards
    hdus = [fits.PrimaryHDU()]
    hdus[0].header.update({key: value for key, value in primary.items() if value is not None})
    for name, pixels in segments.items():
        hdu = fits.ImageHDU(pixels) if compression is None else fits.CompImageHDU(pixels, compression_type=compression)
        hdu.header["EXTNAME"] = f"Segment{name[1:]}"
        hdu.header["DATASEC"] = replace(geometry, rows=pixels.shape[0] - geometry.parallel).datasec
        hdu.header["DETSEC"] = geometry.detsec(name)
        hdus.append(hdu)
    with warnings.catch_warnings(action="ignore"):  # of NaN pixels, which cannot be compressed by rows
        fits.HDUList(hdus).writeto(path, overwrite=True)
    return Path(path)


def write_flats(folder, ladder=LADDER, geometry=SMALL, compression=None, bias=None):
    """Write two flats for each signal (e-), and a ``rerun.toml``; return the files in the order of taking."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rerun.toml").write_text(TOML)
    paths = []
    for number in range(2 * len(ladder)):
        electrons = ladder[number // 2]
        path = folder / f"flat_{number + 1:03}.fits"
        cards = {"EXPTIME": electrons / RATE, "SEQNUM": number + 1, "MONDIODE": electrons * 1e-12}
        paths.append(write(path, flat(electrons, number, geometry, bias), geometry, compression, **cards))
    return paths
