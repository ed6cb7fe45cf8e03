"""Components of an exposure: filter, photometric calibration, inputs of a coadd, summary statistics."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
import yaml
from afw_files import AfwFile, Stored, coadd_inputs, filter_label, photo_calib, summary_stats
from astropy.io import fits

from harness.errors import BrokenFileError
from harness.rerun.exposures import components
from harness.rerun.exposures.archive import Archive
from harness.rerun.exposures.protocol import CoaddInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Callable[[Stored], Archive]]:
    """Return what stores an object as number 1 of an archive, and opens it."""
    files = []

    def open_with(stored: Stored) -> Archive:
        path = AfwFile(objects=[stored]).write(tmp_path / "e.fits")
        files.append(fits.open(path))
        archive = Archive.of(files[-1], path)
        assert archive is not None
        return archive

    yield open_with
    for hdus in files:
        hdus.close()


@pytest.mark.parametrize(
    ("band", "physical", "name"), [("r", "HSC-R2", "r"), ("", "HSC-R2", "HSC-R2"), ("", "", ""), ("y", "", "y")]
)
def test_a_filter_is_its_band(store: Callable[[Stored], Archive], band: str, physical: str, name: str) -> None:
    """The band counts, and the physical filter where there is no band."""
    assert components.filter_name(store(filter_label(band, physical)), 1) == name


def test_a_calibration_is_its_mean(store: Callable[[Stored], Archive]) -> None:
    """The mean is in nJy for one unit."""
    assert components.calibration_mean(store(photo_calib(57.5)), 1) == 57.5


def test_a_calibration_in_maggies_is_not_known(store: Callable[[Stored], Archive]) -> None:
    """Before version 1 the mean was in maggies: it is not taken for nJy."""
    assert math.isnan(components.calibration_mean(store(photo_calib(57.5, version=None)), 1))


def test_inputs_of_a_coadd_are_detectors(store: Callable[[Stored], Archive]) -> None:
    """Detectors are preferred to whole visits, with the visit's number and not that of the record."""
    archive = store(coadd_inputs([(411371, 9.0)], [(411371, 25, 0.5), (411371, 29, 0.25)]))
    expected = (CoaddInput(411371, 25, 0.5), CoaddInput(411371, 29, 0.25))
    assert components.coadd_inputs(archive, 1) == expected


def test_inputs_of_a_coadd_are_visits_where_only_they_are_kept(store: Callable[[Stored], Archive]) -> None:
    """Without detectors the visits are what is known."""
    archive = store(coadd_inputs([(411371, 9.0), (411420, 4.0)], []))
    assert components.coadd_inputs(archive, 1) == (CoaddInput(411371, -1, 9.0), CoaddInput(411420, -1, 4.0))


def test_a_coadd_without_inputs_has_none(store: Callable[[Stored], Archive]) -> None:
    """Two empty tables are a coadd of nothing."""
    assert components.coadd_inputs(store(coadd_inputs([], [])), 1) == ()


def test_summary_statistics_are_finite_numbers(store: Callable[[Stored], Archive]) -> None:
    """Lists, what was not computed, and the version of the layout are left out."""
    text = yaml.safe_dump(
        {"version": 0, "psfSigma": 1.75, "nPsfStar": 81, "magLim": math.nan, "raCorners": [1.0, 2.0], "zeroPoint": 31.4}
    )
    recorded = components.summary_statistics(store(summary_stats(text)), 1)
    assert recorded == {"psfSigma": 1.75, "nPsfStar": 81.0, "zeroPoint": 31.4}


@pytest.mark.parametrize(
    "text", ["psfSigma: [1", "- 1.75", "", "!!python/object/apply:builtins.dict {kwds: {psfSigma: 1.5}}"]
)
def test_summary_statistics_that_are_none_are_told(store: Callable[[Stored], Archive], text: str) -> None:
    """Broken YAML, YAML of another kind, and YAML that would run code are refused."""
    with pytest.raises(BrokenFileError, match=r"ExposureSummaryStats \(object 1 .*e\.fits is not a YAML mapping"):
        components.summary_statistics(store(summary_stats(text)), 1)


@pytest.mark.parametrize(
    "read",
    [components.filter_name, components.calibration_mean, components.coadd_inputs],
    ids=lambda read: read.__name__,
)
def test_a_component_of_another_layout_is_told(
    store: Callable[[Stored], Archive], read: Callable[[Archive, int], object]
) -> None:
    """An object without the columns of its class is a broken file, which the error names."""
    table = [fits.Column("other", "D", array=[1.0])]
    with pytest.raises(BrokenFileError, match=r"Strange \(object 1 .*e\.fits cannot be read"):
        read(store(Stored("Strange", [table, table] if read is components.coadd_inputs else [table])), 1)
