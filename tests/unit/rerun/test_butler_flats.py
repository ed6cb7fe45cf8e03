"""Raw flats and results of an EO test in Butler repositories."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time, TimeDelta

from harness.errors import BrokenFileError, UsageError
from harness.rerun import open_ref
from harness.rerun.butler import ButlerRerun, list_butler_reruns

HERE = {"instrument": "TestCam"}
NOON = Time("2021-12-06T12:00:00", scale="tai")

# Exposures 1 to 8: type as different instruments write it, group, exposure time.
EXPOSURES = [
    ("flat", "pair-1", 1.0),
    ("flat", "pair-1", 1.0),
    ("bias", "biases", 0.0),
    ("FLAT", "alone", 2.0),
    ("Flat", "crowd", 4.0),
    ("flat", "crowd", 4.0),
    ("flat", "crowd", 4.0),
    ("science", "sky", 30.0),
]


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with the dimensions of eight exposures and two detectors, and no dataset."""
    from lsst.daf.butler import Butler, DatasetType, Timespan

    root = tmp_path_factory.mktemp("flats") / "empty"
    Butler.makeRepo(str(root))
    with Butler.from_config(str(root), writeable=True) as butler:
        put = butler.registry.insertDimensionData
        for name in ("TestCam", "OtherCam"):
            here = {"instrument": name}
            put("instrument", {"name": name, "class_name": "x.Cam", "visit_system": 0, "detector_max": 10,
                               "visit_max": 10, "exposure_max": 2**40})  # fmt: skip
            put("physical_filter", here | {"name": "white", "band": "white"})
            put("detector", *[here | {"id": d, "full_name": f"R22_S1{d}"} for d in (1, 2)])
            put("day_obs", here | {"id": 20211206, "timespan": Timespan(NOON, NOON + TimeDelta(1, format="jd"))})
            put("group", *[here | {"name": group} for group in dict.fromkeys(group for _, group, _ in EXPOSURES)])
            for i, (kind, group, seconds) in enumerate(EXPOSURES, 1):
                begin = NOON + TimeDelta(60 * i, format="sec")
                span = Timespan(begin, begin + TimeDelta(seconds + 1, format="sec"))
                put("exposure", here | {"id": i, "day_obs": 20211206, "group": group, "physical_filter": "white",
                                        "obs_id": f"o{i}", "exposure_time": seconds, "observation_type": kind,
                                        "seq_num": 10 * i, "timespan": span})  # fmt: skip
        # What a camera's own storage classes need is not there; files are found all the same.
        types = {"raw": ("exposure", "detector"), "bias": ("detector",), "eotest_results": ("detector",)}
        for name, dimensions in types.items():
            made = DatasetType(name, dimensions, "NumpyArray", universe=butler.dimensions, isCalibration=name == "bias")
            butler.registry.registerDatasetType(made)
    return root


@pytest.fixture
def root(empty: Path, tmp_path: Path) -> Path:
    """Return a repository of the test's own."""
    return Path(shutil.copytree(empty, tmp_path / "repo"))


def ingest(root: Path, run: str, kind: str, *data_ids: dict[str, Any], file: Path | None = None) -> list[Any]:
    """Store one file as several datasets, and return their references."""
    from lsst.daf.butler import Butler, DataCoordinate, DatasetRef, FileDataset

    if file is None:
        file = root.parent / f"{kind}.fits"
        fits.PrimaryHDU(np.zeros((2, 2))).writeto(file, overwrite=True)
    with Butler.from_config(str(root), writeable=True) as butler:
        refs = [
            DatasetRef(
                butler.get_dataset_type(kind),
                DataCoordinate.standardize(HERE | data_id, universe=butler.dimensions),
                run=run,
            )
            for data_id in data_ids
        ]
        formatter = "lsst.daf.butler.formatters.pickle.PickleFormatter"
        butler.ingest(FileDataset(str(file), refs, formatter=formatter), transfer="direct")
    return refs


def collect(root: Path, name: str, *children: str) -> ButlerRerun:
    """Chain collections and open the chain."""
    from lsst.daf.butler import Butler, CollectionType

    with Butler.from_config(str(root), writeable=True) as butler:
        butler.collections.register(name, CollectionType.CHAINED)
        butler.collections.redefine_chain(name, children)
    return ButlerRerun(str(root), name)


def certify(root: Path, name: str, refs: list[Any], begin: Time | None, end: Time | None) -> None:
    """Make datasets valid for a time."""
    from lsst.daf.butler import Butler, CollectionType, Timespan

    with Butler.from_config(str(root), writeable=True) as butler:
        butler.collections.register(name, CollectionType.CALIBRATION)
        butler.registry.certify(name, refs, Timespan(begin, end))


ALL = [{"exposure": exposure, "detector": detector} for exposure in range(1, 9) for detector in (2, 1)]


def test_flats_are_those_of_the_registry(root: Path) -> None:
    """Exposures whose type is flat, in any case, come in order of detector and exposure, with what is recorded."""
    refs = ingest(root, "raw/all", "raw", *ALL)
    rerun = ButlerRerun(str(root), "raw/all")
    assert rerun.flats is not None
    flats = rerun.flats.exposures
    assert [(flat.detector, flat.exposure) for flat in flats] == [(d, e) for d in (1, 2) for e in (1, 2, 4, 5, 6, 7)]
    first = flats[0]
    assert (first.detector_name, first.exposure_time, first.sequence) == ("R22_S11", 1.0, 2021120600010)
    assert math.isnan(first.photo_charge)
    ids = {(ref.dataId["detector"], ref.dataId["exposure"]): str(ref.id) for ref in refs}
    assert all(flat.ref == flat.inputs == ids[flat.detector, flat.exposure] for flat in flats)
    assert rerun.instrument == "TestCam"


def test_a_group_of_two_is_a_pair(root: Path) -> None:
    """What is taken together is a pair when it is two flats, and nothing when it is more, or alone."""
    ingest(root, "raw/all", "raw", *ALL)
    flats = ButlerRerun(str(root), "raw/all").flats
    assert flats is not None
    assert {flat.exposure: flat.pair for flat in flats.exposures} == {
        1: "pair-1", 2: "pair-1", 4: "", 5: "", 6: "", 7: ""
    }  # fmt: skip


def test_a_chain_is_searched_in_its_order(root: Path) -> None:
    """A raw that was ingested twice counts once, as Butler finds it."""
    ids = {run: str(ingest(root, run, "raw", *ALL[:1])[0].id) for run in ("again", "first")}
    flats = collect(root, "both", "first", "again").flats
    assert flats is not None
    assert [flat.ref for flat in flats.exposures] == [ids["first"]]


def test_no_file_is_touched_by_listing(root: Path) -> None:
    """Flats are listed though their files are gone; who reads one is told which."""
    ingest(root, "raw/all", "raw", *ALL)
    (root.parent / "raw.fits").rename(root.parent / "elsewhere.fits")
    rerun = ButlerRerun(str(root), "raw/all")
    assert rerun.flats is not None
    assert len(rerun.flats.exposures) == 12
    assert len(rerun.provenance().inputs) == 12


def test_another_process_finds_a_flat_by_its_id(root: Path) -> None:
    """A reference to the rerun and a dataset's UUID are all that a worker needs; one that is gone is named."""
    from lsst.daf.butler import Butler

    refs = ingest(root, "raw/all", "raw", *ALL[:2])
    rerun = ButlerRerun(str(root), "raw/all")
    again = open_ref(rerun.ref).flats
    assert again is not None
    with again.local(str(refs[0].id)) as path:
        assert fits.getdata(path).shape == (2, 2)
    with Butler.from_config(str(root), writeable=True) as butler:
        butler.pruneDatasets(refs[:1], disassociate=True, unstore=True, purge=True)
    with pytest.raises(BrokenFileError, match=f"dataset {refs[0].id} is no longer in"):
        open_ref(rerun.ref).flats.local(str(refs[0].id))


def test_a_bias_of_a_run(root: Path) -> None:
    """A bias in a RUN of the chain is that of its detector; a detector without one has none."""
    ingest(root, "raw/all", "raw", *ALL)
    (bias,) = ingest(root, "biases", "bias", {"detector": 2})
    ingest(root, "older", "bias", {"detector": 2})
    rerun = collect(root, "ptc", "raw/all", "biases", "older")
    assert rerun.flats is not None
    assert {d: (b.ref, b.detector_name) for d, b in rerun.flats.biases.items()} == {2: (str(bias.id), "R22_S12")}
    with rerun.flats.local(str(bias.id)) as path:
        assert path.name == "bias.fits"
    assert f"{bias.datasetType.name} instrument TestCam, detector 2" in rerun.provenance().inputs
    assert str(bias.id) in rerun.provenance().inputs.values()


def test_a_bias_is_valid_for_the_time_of_the_flats(root: Path) -> None:
    """Of a calibration collection, the bias counts that is valid from the first flat to the last."""
    ingest(root, "raw/all", "raw", *ALL)
    first, second = (ingest(root, run, "bias", {"detector": 1}, {"detector": 2}) for run in ("b1", "b2"))
    change = NOON + TimeDelta(30, format="sec")  # before the first exposure
    certify(root, "calib", first, None, change)
    certify(root, "calib", second, change, None)
    rerun = collect(root, "ptc", "raw/all", "calib")
    assert rerun.flats is not None
    assert {d: bias.ref for d, bias in rerun.flats.biases.items()} == {1: str(second[0].id), 2: str(second[1].id)}


def test_flats_of_several_biases_are_refused(root: Path) -> None:
    """Where the bias changed between the flats, no single one is right."""
    ingest(root, "raw/all", "raw", *ALL)
    first, second = (ingest(root, run, "bias", {"detector": 1}) for run in ("b1", "b2"))
    change = NOON + TimeDelta(200, format="sec")
    certify(root, "calib", first, None, change)
    certify(root, "calib", second, change, None)
    rerun = collect(root, "ptc", "raw/all", "calib")
    with pytest.raises(UsageError, match="flats of detector 1 in collection 'ptc' fall into the validity of several"):
        _ = rerun.flats.biases


def test_flats_among_the_inputs_of_a_rerun_of_the_sky_do_not_count(root: Path) -> None:
    """A chain of tables usually holds all raws of the camera; its rerun is not one of flats."""
    import pyarrow as pa
    from lsst.daf.butler import Butler, DatasetType

    ingest(root, "raw/all", "raw", *ALL)
    with Butler.from_config(str(root), writeable=True) as butler:
        butler.registry.registerDatasetType(
            DatasetType("dia_source", ("instrument",), "ArrowTable", universe=butler.dimensions)
        )
        butler.collections.register("sky")
        butler.put(pa.table({"diaSourceId": [1]}), "dia_source", HERE, run="sky")
    rerun = collect(root, "u/me/sky", "sky", "raw/all")
    assert list(rerun.tables) == ["diaSource"]
    assert rerun.flats is None
    assert len(rerun.provenance().inputs) == 1


def test_flats_beside_a_catalogue_of_the_sky_count(root: Path) -> None:
    """A catalogue that is only there to be looked up does not make a rerun one of the sky."""
    import pyarrow as pa
    from lsst.daf.butler import Butler, DatasetType

    ingest(root, "raw/all", "raw", *ALL)
    with Butler.from_config(str(root), writeable=True) as butler:
        butler.registry.registerDatasetType(
            DatasetType("bright_stars", ("instrument",), "ArrowTable", universe=butler.dimensions)
        )
        butler.collections.register("refcats")
        butler.put(pa.table({"ra": [1.0], "dec": [2.0]}), "bright_stars", HERE, run="refcats")
    rerun = collect(root, "ptc", "raw/all", "refcats")
    assert list(rerun.tables) == ["star"]
    assert rerun.flats is not None


def test_a_collection_without_flats_has_none(root: Path) -> None:
    """Raws that are no flats are not listed."""
    ingest(root, "raw/all", "raw", {"exposure": 3, "detector": 1})
    rerun = ButlerRerun(str(root), "raw/all")
    assert rerun.flats is rerun.amplifiers() is rerun.curves is None
    assert rerun.instrument == ""


def test_flats_of_two_cameras_are_refused(root: Path) -> None:
    """Exposures and detectors are numbers of one instrument."""
    for instrument in ("TestCam", "OtherCam"):
        ingest(root, instrument, "raw", {"instrument": instrument, "exposure": 1, "detector": 1})
    with pytest.raises(UsageError, match="'all' holds flats of OtherCam and TestCam; name one of either"):
        _ = collect(root, "all", "TestCam", "OtherCam").flats


def test_eotest_results_are_those_of_their_detector(root: Path) -> None:
    """The data ID tells the detector, whatever the file is called; the datasets are inputs."""
    refs = []
    for detector, gain in ((2, 1.5), (1, 0.75)):
        columns = [fits.Column("AMP", "I", array=[1, 2]), fits.Column("PTC_GAIN", "E", array=[gain, 0])]
        file = root.parent / f"results{detector}.fits"
        fits.BinTableHDU.from_columns(columns, name="AMPLIFIER_RESULTS").writeto(file)
        refs += ingest(root, "eo", "eotest_results", {"detector": detector}, file=file)
    rerun = ButlerRerun(str(root), "eo")
    amplifiers = rerun.amplifiers()
    assert amplifiers is not None
    assert amplifiers.select(["detector", "detectorName", "amplifier", "ptcGain"]).to_pydict() == {
        "detector": [1, 1, 2, 2],
        "detectorName": ["R22_S11", "R22_S11", "R22_S12", "R22_S12"],
        "amplifier": ["C10", "C11", "C10", "C11"],
        "ptcGain": [0.75, 0, 1.5, 0],
    }
    assert sorted(rerun.provenance().inputs.values()) == sorted(str(ref.id) for ref in refs)
    assert rerun.instrument == "TestCam"


def test_a_file_that_is_not_the_eotests_own_is_named(root: Path) -> None:
    """A dataset of that name with something else in it is a broken file."""
    ingest(root, "eo", "eotest_results", {"detector": 1})
    with pytest.raises(BrokenFileError, match=r"eotest_results\.fits of .* has no table AMPLIFIER_RESULTS"):
        ButlerRerun(str(root), "eo").amplifiers()


def test_collections_of_raws_are_reruns_where_there_are_no_tables(root: Path) -> None:
    """Runs that hold raw images are listed, and chains of them; biases and EO-test results alone are no rerun."""
    ingest(root, "raw/all", "raw", *ALL[:2])
    ingest(root, "biases", "bias", {"detector": 1})
    collect(root, "ptc", "raw/all", "biases")
    collect(root, "again", "ptc")
    collect(root, "calib", "biases")
    assert sorted(list_butler_reruns(str(root))) == ["again", "ptc", "raw/all"]


def test_raws_beside_tables_are_their_inputs(root: Path) -> None:
    """Where a collection holds DIA sources, raw images are but what it was made from."""
    from lsst.daf.butler import Butler, DatasetType

    ingest(root, "raw/all", "raw", *ALL[:2])
    with Butler.from_config(str(root), writeable=True) as butler:
        made = DatasetType("diaSource", ("detector",), "NumpyArray", universe=butler.dimensions)
        butler.registry.registerDatasetType(made)
        assert list_butler_reruns(str(root)) == ["raw/all"]
    ingest(root, "processed", "diaSource", {"detector": 1})
    collect(root, "all", "processed", "raw/all")
    assert sorted(list_butler_reruns(str(root))) == ["all", "processed"]
