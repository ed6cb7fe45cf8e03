"""Exposures in a Butler collection."""

from __future__ import annotations

import uuid
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.embedded import load_images
from harness.errors import BrokenFileError
from harness.rerun.butler import ButlerRerun
from harness.rerun.exposures.butler import ButlerExposures
from harness.rerun.exposures.dataset_types import EXPOSURE_TYPES, SIDED_SOURCE_TYPES


def dataset(kind: str, **data_id: Any) -> Any:
    """Return what stands for a dataset of a registry."""
    known = type("DataId", (), {"required": data_id, "__getitem__": lambda _, key: data_id[key]})()
    return SimpleNamespace(id=uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {data_id}"), dataId=known, kind=kind)


def exposures(*kinds: str, bands: Any = lambda *_: {}) -> ButlerExposures:
    """Return the exposures of a collection that has one dataset of each of some types."""
    place = {"instrument": "LATISS", "visit": 7, "detector": 0}
    patch = {"tract": 1, "patch": 2, "band": "r", "skymap": "s"}
    own = {kind: [dataset(kind, **(patch if "oadd" in kind else place))] for kind in kinds}
    return ButlerExposures(lambda kind: own.get(kind, []), bands, lambda ref: nullcontext(Path(ref.kind)))


def types(found: ButlerExposures) -> dict[tuple[str, str], str]:
    """Return the dataset types that were chosen, by kind and side."""
    return {(ref.kind, ref.side): found.refs[ref.ref].kind for ref in found.listed}


def test_dataset_types_of_all_times_are_known() -> None:
    """Those of the weeklies of 2023, and those of the data previews."""
    old = exposures(
        *("calexp", "calexpBackground", "deepCoadd", "deepCoadd_calexp", "deepCoadd_calexp_background"),
        *(f"{side}Diff_{what}Exp" for side in ("goodSeeing", "deep") for what in ("template", "difference")),
    )
    assert types(old) == {
        ("science", ""): "calexp",
        ("template", "good"): "goodSeeingDiff_templateExp",
        ("template", "deep"): "deepDiff_templateExp",
        ("difference", "good"): "goodSeeingDiff_differenceExp",
        ("difference", "deep"): "deepDiff_differenceExp",
        ("visitBackground", ""): "calexpBackground",
        ("coaddBefore", ""): "deepCoadd",
        ("coaddAfter", ""): "deepCoadd_calexp",
        ("coaddBackground", ""): "deepCoadd_calexp_background",
    }
    new = types(
        exposures("visit_image", "template_detector", "difference_image", "deep_coadd", "deep_coadd_background")
    )
    assert set(new) == {
        *(("science", ""), ("template", ""), ("difference", "")),
        *(("coaddAfter", ""), ("coaddBackground", "")),
    }


def test_the_present_name_comes_before_older_ones() -> None:
    """A collection that has both is not listed twice."""
    found = exposures("calexp", "visit_image", "preliminary_visit_image")
    assert types(found) == {("science", ""): "visit_image"}


def test_a_side_has_its_name_from_the_dataset_type() -> None:
    """Names of types are unique, and each of both sides has exposures and sources."""
    names = [each.name for kinds in EXPOSURE_TYPES.values() for each in kinds]
    assert len(names) == len(set(names))
    for kind in ("template", "difference"):
        assert {each.side for each in EXPOSURE_TYPES[kind]} == {"", "good", "deep"}
    assert set(SIDED_SOURCE_TYPES) == {"good", "deep"}


def test_data_ids_are_those_of_the_registry() -> None:
    """A visit's band is looked up, a coadd's is part of its data ID; what is not there is -1 or nothing."""
    asked = []

    def bands(instrument: str, visits: set[int]) -> dict[int, str]:
        asked.append((instrument, visits))
        return {7: "g"}

    found = exposures("calexp", "deepCoadd_calexp", "deepCoadd_calexp_background", bands=bands)
    science, coadd, _ = found.listed
    assert (science.instrument, science.visit, science.detector, science.band) == ("LATISS", 7, 0, "g")
    assert (science.tract, science.patch) == (-1, -1)
    assert (coadd.tract, coadd.patch, coadd.band, coadd.instrument, coadd.visit) == (1, 2, "r", "", -1)
    assert asked == [("LATISS", {7})]
    assert exposures("calexp").listed[0].band == ""


def test_a_file_is_fetched_by_the_identity_of_its_dataset() -> None:
    """One that has left the collection since is named."""
    found = exposures("calexp")
    (ref,) = found.listed
    assert ref.ref == ref.inputs == str(uuid.UUID(ref.ref))
    with found.local(ref.ref) as path:
        assert path.name == "calexp"
    with pytest.raises(BrokenFileError, match=r"dataset 0000 is no longer in the collection; measure again"):
        found.local("0000")


@pytest.mark.slow
def test_a_repository_lists_its_exposures(tmp_path: Path) -> None:
    """The second of two reruns has what it made itself, and the first one's where it made none."""
    from lsst.daf.butler import Butler

    Butler.makeRepo(str(tmp_path / "repo"))
    images = load_images()
    images.dp02.add(tmp_path / "repo")
    truth = images.dp02_truth
    first, second = (ButlerRerun(str(tmp_path / "repo"), name) for name in truth.RERUNS)
    listed = {}
    for rerun in (first, second):
        places: dict[str, set[Any]] = {}
        for ref in rerun.exposures.listed:
            places.setdefault(ref.kind, set()).add((ref.visit, ref.detector) if ref.visit >= 0 else ref.patch)
        assert places["science"] == places["visitBackground"] == set(truth.CALEXPS)
        assert places["coaddBefore"] == places["coaddAfter"] == places["coaddBackground"] == set(truth.COADDS)
        assert {ref.band for ref in rerun.exposures.listed} == {truth.BAND}
        listed[rerun.name] = {(ref.kind, ref.visit, ref.detector, ref.patch): ref for ref in rerun.exposures.listed}
    changed = {key for key, ref in listed[second.name].items() if listed[first.name][key].inputs != ref.inputs}
    backgrounds = {(visit, detector) for kind, visit, detector, _ in changed if kind == "visitBackground"}
    assert backgrounds == {truth.CHANGED_CALEXP, truth.NO_STATISTICS}
    ref = next(iter(listed[second.name].values()))
    with second.exposures.local(ref.ref) as path:
        assert path.is_file()
    assert second.psf_sizes is None
    assert second.instrument == truth.INSTRUMENT
    assert {ref.inputs for ref in second.exposures.listed} <= set(second.provenance().inputs.values())
