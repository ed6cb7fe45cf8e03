"""The embedded sensor measured, and its flats as a rerun in a folder, where something can be broken."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from embedded_survey import CommandLine

from harness.embedded import EMBEDDED_DATASETS

FIRST, SECOND, THIRD = EMBEDDED_DATASETS["rtm007"]

AMPLIFIERS = tuple(f"C1{i}" for i in range(8)) + tuple(f"C0{i}" for i in reversed(range(8)))
"""Amplifiers in the order of raw files, and so of the EO test's numbers."""

RECORD = "R31_S00_eotest_results.fits"

_TOML = f"""name = "planted"
instrument = "LSST-TS8"
dataset = "rtm007"
[flats]
files = ["flat_*.fits"]
bias = ["bias.fits"]
[amplifiers]
files = ["{RECORD}"]
[detectors]
R31_S00 = 0
"""


@cache
def _stored(repository):
    """Return the files of the second rerun, by the names they get in a folder."""
    from lsst.daf.butler import Butler

    butler = Butler.from_config(str(repository))

    def paths(kind):
        refs = butler.query_datasets(kind, collections=SECOND, order_by="exposure" if kind == "raw" else None)
        return [Path(butler.getURI(ref).ospath) for ref in refs]

    flats = {f"flat_{number:02}.fits": path for number, path in enumerate(paths("raw"))}
    return flats | {"bias.fits": paths("bias")[0], RECORD: paths("eotest_results")[0]}


def write_sensor(folder, repository):
    """Write the second rerun as files, in the order of taking, and its ``rerun.toml``; return the paths of the flats.

    They are links to the files of the repository: what is to be changed has to be written anew.
    """
    folder.mkdir()
    (folder / "rerun.toml").write_text(_TOML)
    for name, path in _stored(repository).items():
        os.link(path, folder / name)
    return sorted(folder.glob("flat_*"))


def rewrite_record(folder, change):
    """Write the EO-test result anew; ``change`` gets its columns by name and may alter them or add some."""
    path = folder / RECORD
    with fits.open(path) as hdus:
        primary = hdus[0].copy()
        columns = {name: np.array(hdus[1].data[name]) for name in hdus[1].columns.names}
    change(columns)
    table = [fits.Column(name, "I" if name == "AMP" else "E", array=values) for name, values in columns.items()]
    path.unlink()
    fits.HDUList([primary, fits.BinTableHDU.from_columns(table, name="AMPLIFIER_RESULTS")]).writeto(path)


def rewrite_flat(path, change=lambda hdus: None, **cards):
    """Write a flat anew with other cards; ``change`` gets its HDUs, their pixels still compressed."""
    with fits.open(path, disable_image_compression=True) as hdus:
        hdus[0].header.update(cards)
        change(hdus)
        fresh = path.with_suffix(".new")
        hdus.writeto(fresh)
    fresh.replace(path)


@pytest.fixture
def sensor(run, survey_folder):
    """Return the command line where the second and the third rerun are measured against the first."""
    shutil.copytree(_measured_once(survey_folder / "measured_sensor"), run.store, copy_function=os.link)
    return run


@cache
def _measured_once(folder):
    folder.mkdir(parents=True)
    run = CommandLine(folder)
    run("measure", "--rerun", SECOND, "--rerun", THIRD, "--reference", FIRST)
    return run.store
