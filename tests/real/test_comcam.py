"""LSSTComCam DIA sources of an ECSV file, through the command line, against the assertions of their own project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from real_reruns import COMCAM, comcam_files

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import CommandLine


def test_counts_are_those_known(run: CommandLine, comcam: Path) -> None:
    """Sources, good ones by the list of that project, and both streak flags are counted as it counts them."""
    rows = run.rows("measure", "--repo", comcam, "--good-flags", "A5")
    values = {row["metric"]: row["value"] for row in rows}
    assert values["dia.numSources"] == COMCAM.sources
    assert values["dia.numGoodSources"] == COMCAM.good
    assert values["dia.ratioGoodToAllSources"] == COMCAM.good / COMCAM.sources
    assert values["dia.fracFlagged.pixelFlags_streak"] == COMCAM.streak / COMCAM.sources
    assert values["dia.fracFlagged.pixelFlags_streakCenter"] == COMCAM.streak_center / COMCAM.sources


def test_counts_by_band_add_up(run: CommandLine, comcam: Path) -> None:
    """The six bands together are the whole."""
    counted = ("--metric", "dia.numSources", "--metric", "dia.numGoodSources")
    rows = run.rows("measure", "--repo", comcam, "--good-flags", "A5", "--by", "band", *counted)
    for metric, total in (("dia.numSources", COMCAM.sources), ("dia.numGoodSources", COMCAM.good)):
        found = {row["band"]: row["value"] for row in rows if row["metric"] == metric}
        assert found.keys() == set("ugrizy")
        assert sum(found.values()) == total


def test_what_the_file_lacks_is_told(run: CommandLine, real_data: Path, comcam: Path) -> None:
    """The table has a source without a flux, and no identifiers; both are said, and nothing else is wrong."""
    (path,) = comcam_files(real_data)
    missing = np.ma.masked_invalid(Table.read(path, format="ascii.ecsv")["psfFlux"]).mask.sum()
    rows = run.rows("verify", "--repo", comcam, "--", "-k", "sane", code=1)
    judged = {row["metric"]: (row["state"], row["value"]) for row in rows if row["state"] != "PASS"}
    assert judged == {"dia.numNonFiniteFluxes": ("FAIL", missing), "dia.numDuplicateIds": ("NOT_MEASURED", None)}
