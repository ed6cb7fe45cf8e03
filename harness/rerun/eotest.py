"""What the EO test (`lsst-camera-dh/eotest`) left of a sensor: its results, and its photon transfer curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import BrokenFileError, UsageError, first_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["AMPLIFIERS", "eotest_amplifiers", "eotest_curves"]

AMPLIFIERS = tuple(f"C1{i}" for i in range(8)) + tuple(f"C0{i}" for i in reversed(range(8)))
"""Names of the amplifiers in the order of the EO test's numbers 1 to 16; a wavefront sensor has the first eight."""

_RESULTS, _CURVES = "AMPLIFIER_RESULTS", "PTC_STATS"

_COLUMNS = {
    "ptcGain": "PTC_GAIN",
    "gain": "GAIN",
    "readNoise": "READ_NOISE",
    "fullWell": "FULL_WELL",
    "a00": "PTC_A00",
    "turnoff": "PTC_TURNOFF",
}


def eotest_amplifiers(path: Path, detector_name: str = "") -> list[dict[str, Any]] | None:
    """Read ``<sensor>_eotest_results.fits``.

    Parameters
    ----------
    path
        The file.
    detector_name
        Full name of the detector; without it, the sensor that the file is named after, else ``LSST_NUM``.

    Returns
    -------
    rows : `list` [`dict`] or `None`
        One per amplifier, with the columns of `harness.rerun.protocol.Rerun.amplifiers` that the file has.  The EO test
        writes a00 > 0; here it is negative.  None when there is no table AMPLIFIER_RESULTS in it.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is not FITS, or half-written.
    harness.errors.UsageError
        When nothing tells the sensor.
    """
    found = _extension(path, _RESULTS)
    if found is None:
        return None
    columns, header = found
    name = detector_name or _sensor(path, "_eotest_results", header)
    count = len(next(iter(columns.values())))
    numbers = columns.get("AMP", np.arange(1, count + 1))
    rows = []
    for i in range(count):
        row: dict[str, Any] = {"detectorName": name, "amplifier": _amplifier(int(numbers[i]), path)}
        row |= {ours: float(columns[theirs][i]) for ours, theirs in _COLUMNS.items() if theirs in columns}
        if "a00" in row:
            row["a00"] = 0 - row["a00"]  # 0, for "not measured", stays 0
        rows.append(row)
    return rows


def eotest_curves(path: Path) -> list[dict[str, Any]] | None:
    """Read ``<sensor>_ptc.fits``.

    Returns
    -------
    rows : `list` [`dict`] or `None`
        One per amplifier and pair of flats, with ``detectorName``, ``amplifier``, ``exposureTime`` (s), ``mean`` (adu)
        and ``variance`` (adu²).  None when there is no table PTC_STATS in it.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is not FITS, half-written, or without exposure times or variances.
    harness.errors.UsageError
        When nothing tells the sensor.
    """
    found = _extension(path, _CURVES)
    if found is None:
        return None
    columns, header = found
    name = _sensor(path, "_ptc", header)
    rows = []
    for stored in [stored for stored in columns if stored.startswith("AMP") and stored.endswith("_MEAN")]:
        prefix = stored.removesuffix("_MEAN")
        parts = _present(columns, ("EXPOSURE", stored, f"{prefix}_VAR"), path)
        place = {"detectorName": name, "amplifier": _amplifier(int(prefix.removeprefix("AMP")), path)}
        rows += [
            place | {"exposureTime": float(time), "mean": float(mean), "variance": float(variance)}
            for time, mean, variance in zip(*parts, strict=True)
        ]
    return rows


def _extension(path: Path, name: str) -> tuple[dict[str, NDArray[Any]], Any] | None:
    """Return the columns of an extension, and the primary header."""
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as file:
            if name not in file:
                return None
            data = file[name].data
            return {column: np.asarray(data[column]) for column in data.names}, file[0].header
    except Exception as fault:  # noqa: BLE001 - astropy raises of every kind on a damaged file
        raise BrokenFileError(
            f"{path} cannot be read as FITS ({first_line(fault)}); write it again or leave it out"
        ) from None


def _sensor(path: Path, ending: str, header: Any) -> str:
    stem = path.name.split(".fits")[0]
    if stem.endswith(ending) and stem != ending:
        return stem.removesuffix(ending)
    if header.get("LSST_NUM"):
        return str(header["LSST_NUM"])
    raise UsageError(f"{path} does not say which sensor it is of; rename it to <sensor>{ending}.fits")


def _amplifier(number: int, path: Path) -> str:
    if not 1 <= number <= len(AMPLIFIERS):
        raise BrokenFileError(f"{path} numbers an amplifier {number}; the EO test counts from 1 to {len(AMPLIFIERS)}")
    return AMPLIFIERS[number - 1]


def _present(columns: dict[str, NDArray[Any]], names: Sequence[str], path: Path) -> list[NDArray[Any]]:
    for name in names:
        if name not in columns:
            raise BrokenFileError(f"table {_CURVES} of {path} has no column {name} (there are: {', '.join(columns)})")
    return [columns[name] for name in names]
