"""Measuring the embedded flavors, in Butler's repository and as files: what is true of them, however it is read."""

from __future__ import annotations

import shutil

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embedded_images import Measured, unordered
from embedded_survey import survey_folder
from flavor_files import write_flavor

from harness.embedded import embedded_repository, load_images
from harness.measure import families
from harness.measure.flavors import FLAVOR, INJECTIONS, STAMPS
from harness.measure.run import OWN, measure, process_executor
from harness.measure.stamps import PLANES
from harness.measure.store import MeasurementStore

__all__ = ["survey_folder"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _nothing_else():
    """Measure this family alone: images and the other tables take longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "FAMILIES", (FLAVOR,))
        yield


@pytest.fixture(scope="module")
def repository(survey_folder, tmp_path_factory):
    """Return a repository that may be measured in."""
    folder = tmp_path_factory.mktemp("flavors") / "repository"
    shutil.copytree(embedded_repository(survey_folder, dataset="hsc_sprint"), folder)
    return folder


@pytest.fixture(scope="module")
def truth():
    """Return what is true of each visit and detector."""
    return load_images().flavors.truth.truth()


@pytest.fixture(scope="module")
def auto(repository):
    """Return a flavor, measured."""
    return Measured(repository, "auto")


def test_injections_are_those_of_the_plan(auto, truth):
    """Each is there once, where and as bright as it was planned, and negative where it is in the template."""
    assert len(auto.shard("injections")) > 1
    kept = pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in auto.kept(INJECTIONS)])
    assert kept.height == auto.values["injected.numInjections"] == sum(len(each.x) for each in truth.values())
    for (visit, detector), planned in truth.items():
        here = kept.filter(visit=visit, detector=detector).sort("injectionId")
        order = np.argsort(planned.injection_ids)
        np.testing.assert_array_equal(here["injectionId"], planned.injection_ids[order])
        np.testing.assert_allclose(here["flux"], planned.flux[order], rtol=1e-6)
        np.testing.assert_allclose(here["x"], planned.x[order], atol=1e-6)
        assert set(here["band"]) == {planned.band}


def test_fluxes_are_right_by_construction(auto, truth):
    """Pulls of bright injections scatter by 1 about what the kernels of the flavor make of a flux."""
    kept = pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in auto.kept(INJECTIONS)])
    bright = kept.filter((pl.col("snr") > 10) & (pl.col("diaSourceId") != 0) & ~pl.col("inTemplate"))
    response = np.array([truth[key].flavors["auto"].response for key in bright.select("visit", "detector").iter_rows()])
    pulls = (bright["sourceFlux"].to_numpy() - response * bright["flux"].to_numpy()) / bright[
        "sourceFluxErr"
    ].to_numpy()
    assert len(pulls) > 150
    assert np.median(pulls) == pytest.approx(0, abs=0.25)
    assert auto.values["injected.fluxPullWidth"] == pytest.approx(1, abs=0.15)
    assert auto.values["injected.snr50"] == pytest.approx(5, abs=0.5)
    assert auto.values["injected.snrCeiling"] > 0.97


def test_wrong_kernel_is_seen(repository, auto, truth):
    """Taking the PSF for broader than it is overestimates all fluxes by what theory says."""
    wrong = Measured(repository, "wrong_kernel")
    kept = pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in wrong.kept(INJECTIONS)])
    bright = kept.filter((pl.col("snr") > 30) & (pl.col("diaSourceId") != 0) & ~pl.col("inTemplate"))
    measured = (bright["sourceFlux"] / bright["flux"]).median()
    expected = np.median(
        [truth[key].flavors["wrong_kernel"].response for key in bright.select("visit", "detector").iter_rows()]
    )
    assert measured == pytest.approx(expected, rel=0.03)
    assert abs(expected - 1) > 0.05
    for name in ("injected.fluxPullWidth", "injected.fracFluxPullTails", "injected.magScatter"):
        assert wrong.values[name] > 1.5 * auto.values[name], name
    assert wrong.values["injected.numMatched"] < auto.values["injected.numMatched"]


def test_workers_measure_the_same(auto, tmp_path):
    """Two processes give what one gives, row by row."""
    store = MeasurementStore(tmp_path)
    with process_executor(2) as executor:
        manifest = measure(auto.rerun, auto.settings, store, executor=executor)
    assert manifest.shards == auto.manifest.shards
    rows = store.read_shards(store.folder(auto.rerun.ref, OWN), manifest.shards)
    assert unordered(rows.to_pylist()) == unordered(auto.rows)


def test_files_give_what_the_repository_gives(auto, tmp_path):
    """The same tables in a folder, in one file each, are the same flavor: without images it only has no stamps."""
    tables = {name: table.read(list(table.columns)) for name, table in auto.rerun.tables.items()}
    files = Measured(write_flavor(tmp_path, tables | {"regions": auto.rerun.regions()}))
    assert len(files.shard("injections")) == 1
    assert set(unordered(files.rows)) == set(unordered(auto.rows))  # a reason of the whole is told by every shard
    assert [table.num_rows for table in files.kept(STAMPS)] == [0]


def test_stamps_are_of_all_three_images(auto):
    """Missed, worst and unmatched sources are cut out of visit, template and difference, the source in the middle."""
    (stamps,) = auto.kept(STAMPS)
    assert set(stamps["reason"].to_pylist()) == {"missed", "worst pull", "unmatched"}
    assert set(stamps["problem"].to_pylist()) == {""}
    for plane in PLANES:
        assert stamps[plane].null_count == 0
        assert set(pa.compute.list_value_length(stamps[plane]).to_pylist()) == {31 * 31}
    for row in stamps.to_pylist():
        if row["reason"] == "unmatched":
            pixels = np.abs(np.reshape(row["difference"], (31, 31)))
            assert np.nanmax(pixels[12:19, 12:19]) > 3 * np.nanmedian(pixels)


def test_visit_whose_catalogue_is_empty(repository, auto, tmp_path):
    """A catalogue of DIA sources without a row is 0 of n, and not a detector that was not subtracted."""
    copy = tmp_path / "repository"
    shutil.copytree(repository, copy, ignore=shutil.ignore_patterns("measurements"))
    (run,) = [path for path in copy.rglob("dia_source_detector") if path.parent.name == "auto"]
    path = min(run.rglob("*.parq"))
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    measured = Measured(copy, "auto")
    for name in ("injected.numInjections", "injected.numDetectors", "injected.numOutside"):
        assert measured.values[name] == auto.values[name]
    places = {place for place, row in measured.of("injected.efficiency").items() if row["numerator"] == 0}
    (place,) = places
    row, before = (each.of("injected.efficiency")[place] for each in (measured, auto))
    assert row["denominator"] == before["denominator"]
    assert auto.values["injected.numMatched"] - measured.values["injected.numMatched"] == before["numerator"] > 0
