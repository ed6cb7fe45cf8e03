"""Measuring backgrounds from files to rows."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from embedded_images import SHAPE, Measured, afw, exposure, unordered, write_toml
from embedded_survey import cut_short

from harness.embedded import load_images
from harness.measure import backgrounds
from harness.measure.run import measure_pair, process_executor
from harness.metrics.background.record import backgrounds_of
from harness.rerun import open_rerun

LEVEL = 100.5
BOX = (500, 1000)

VISIT_FILES = {"calexp": ("science", ""), "background": ("visitBackground", "")}
COADD_FILES = ("coaddBefore", "coaddAfter", "coaddBackground")


def model(*values, shape=SHAPE, xy0=(0, 0)):
    """Return a background that is the sum of constants."""
    writer = load_images().background_writer
    models = tuple(writer.BinnedStatistics(np.array([[value]], np.float32), "constant") for value in values)
    return writer.BackgroundContent(models, shape, xy0)


def write_background(path, content):
    """Write a background."""
    path.write_bytes(load_images().background_writer.background_bytes(content))


def write_calexp(folder, visit, content=None, background=None):
    """Write a visit image and its background: a sky of 100.5, found in two steps."""
    folder.mkdir(exist_ok=True)
    afw().write_exposure(folder / f"calexp_{visit}_0_r.fits", content or exposure())
    write_background(folder / f"background_{visit}_0_r.fits", background or model(LEVEL - 0.5, 0.5))


def write_coadd(folder, patch, offset=0.0625, **changes: Any):
    """Write a coadd before and after a constant is subtracted, and the constant; ``changes`` replace one of them."""
    folder.mkdir(exist_ok=True)
    before = exposure(5.0, 4.0, (1, 2), xy0=BOX)
    after = replace(before, image=before.image - np.float32(offset), variance=before.variance * np.float32(1.25))
    planes = {"coaddBefore": before, "coaddAfter": after} | changes
    for kind in ("coaddBefore", "coaddAfter"):
        if planes[kind] is not None:
            afw().write_exposure(folder / f"{kind}_7_{patch}_r.fits", planes[kind])
    background = changes.get("coaddBackground", model(offset, xy0=BOX))
    if background is not None:
        write_background(folder / f"coaddBackground_7_{patch}_r.fits", background)


def describe(folder, name="r"):
    """Write the rerun.toml for visits and coadds."""
    lines = []
    for kind in COADD_FILES:
        if any(folder.glob(f"{kind}_*")):
            lines += ["[[exposures]]", f'kind = "{kind}"', f'files = ["{kind}_{{tract}}_{{patch}}_{{band}}.fits"]']
    write_toml(folder, *lines, name=name, files=VISIT_FILES)


def measured(folder):
    """Describe a folder, and measure it."""
    describe(folder)
    return Measured(folder)


def record(found, **place):
    """Return the record of one background."""
    kept = [each for table in found.kept(backgrounds.BACKGROUNDS) for each in backgrounds_of(table)]
    (one,) = [each for each in kept if all(getattr(each, name) == value for name, value in place.items())]
    return one


def test_sound_backgrounds_give_their_truth(tmp_path):
    """Levels are those that were written, coadds are flat, and all closes to half a unit in the last place."""
    for visit in (1, 2):
        write_calexp(tmp_path, visit)
    for patch in (3, 4):
        write_coadd(tmp_path, patch, 2.0**-patch)
    found = measured(tmp_path)
    values = found.values
    for name in ("minimum", "maximum", "mean", "median"):
        assert values[f"visitBackground.{name}"] == LEVEL
        assert values[f"coaddBackground.{name}"] == (2.0**-3 + 2.0**-4) / 2
    assert values["visitBackground.std"] == values["visitBackground.gradient"] == values["coaddBackground.range"] == 0.0
    assert values["visitBackground.numComponents"] == 2
    assert values["visitBackground.restoredMaximum"] == pytest.approx(exposure().image.max() + LEVEL, abs=1e-5)
    assert values["coaddBackground.varianceRatio"] == 1.25
    for of in ("visitBackground", "coaddBackground"):
        assert 0 < values[f"{of}.largestResidual"] <= 0.5
        for name in ("numUnclosedPixels", "numMissing", "numUnreadable", "numMismatched", "numPatternPixels"):
            assert values[f"{of}.{name}"] == 0.0
    one = record(found, visit=1)
    assert (one.bins, one.n_components, one.unit) == ("1x1, 1x1", 2, "nJy")
    assert sum(one.counts) == SHAPE[0] * SHAPE[1]
    assert set(one.thumbnail) == {LEVEL}


def test_files_are_not_changed(tmp_path):
    """Neither by restoring an image nor by anything else."""
    write_calexp(tmp_path, 1)
    write_coadd(tmp_path, 3)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.fits")}
    measured(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.fits")} == before


def test_a_pixel_that_was_altered_is_located(tmp_path):
    """It does not close by as much as it was altered, and row and column are told; the other coadd closes."""
    before = exposure(5.0, 4.0, (1, 2), xy0=BOX)
    altered = before.image - np.float32(0.0625)
    altered[5, 17] += np.float32(0.125)
    write_coadd(tmp_path, 3, coaddAfter=replace(before, image=altered))
    write_coadd(tmp_path, 4)
    found = measured(tmp_path).by_metric
    assert found["coaddBackground.numUnclosedPixels"].value == 1
    assert "1 in tract 7, patch 3, r" in found["coaddBackground.numUnclosedPixels"].detail
    assert found["coaddBackground.largestResidual"].value > 1000
    assert "row 5, column 17 of tract 7, patch 3, r" in found["coaddBackground.largestResidual"].detail


def test_a_swapped_sign_is_found(tmp_path):
    """A background that was added instead of subtracted closes in no pixel."""
    before = exposure(5.0, 4.0, (1, 2), xy0=BOX)
    write_coadd(tmp_path, 3, coaddAfter=replace(before, image=before.image + np.float32(0.0625)))
    found = measured(tmp_path)
    assert found.values["coaddBackground.numUnclosedPixels"] == SHAPE[0] * SHAPE[1]
    assert record(found, of="coadd").closing.rms == pytest.approx(0.125, rel=1e-5)


def test_pixels_without_data_are_not_held_against_the_model(tmp_path):
    """A model has values where the coadd has no input; what is NaN before and after says nothing about it."""
    before = exposure(5.0, 4.0, (1, 2), xy0=BOX)
    image = before.image.copy()
    image[:4] = np.nan
    without = replace(before, image=image)
    write_coadd(tmp_path, 3, coaddBefore=without, coaddAfter=replace(without, image=image - np.float32(0.0625)))
    values = measured(tmp_path).values
    assert values["coaddBackground.numPatternPixels"] == values["coaddBackground.numUnclosedPixels"] == 0
    assert values["coaddBackground.largestResidual"] <= 0.5
    assert values["coaddBackground.fracInvalid"] == 0.0


def test_pixels_that_are_in_one_plane_alone_are_found(tmp_path):
    """Then it does not close, whatever the others do."""
    before = exposure(5.0, 4.0, (1, 2), xy0=BOX)
    image = before.image - np.float32(0.0625)
    image[2, 3:6] = np.nan
    write_coadd(tmp_path, 3, coaddAfter=replace(before, image=image))
    found = measured(tmp_path).by_metric
    assert found["coaddBackground.numPatternPixels"].value == 3
    assert "3 in tract 7, patch 3, r" in found["coaddBackground.numPatternPixels"].detail
    assert not math.isfinite(found["coaddBackground.largestResidual"].value)


@pytest.mark.parametrize(
    ("background", "words"),
    [
        (model(0.0625, xy0=(0, 0)), "box (background 32x24 at (0, 0), before 32x24 at (500, 1000)"),
        (model(0.0625, shape=(24, 30), xy0=BOX), "box (background 30x24 at (500, 1000), before 32x24"),
    ],
)
def test_planes_of_different_boxes_are_not_compared(tmp_path, background, words):
    """What differs is said in words, and counts as one defect; the background's own numbers are there."""
    write_coadd(tmp_path, 3, coaddBackground=background)
    found = measured(tmp_path).by_metric
    assert found["coaddBackground.numMismatched"].value == 1
    assert f"the planes of tract 7, patch 3, r differ in {words}" in found["coaddBackground.numMismatched"].detail
    assert math.isnan(found["coaddBackground.largestResidual"].value)
    assert found["coaddBackground.mean"].value == 0.0625
    assert found["coaddBackground.varianceRatio"].value == 1.25


def test_planes_of_different_units_are_not_compared(tmp_path):
    """Numbers that close by chance would mean nothing."""
    after = exposure(5.0, 4.0, (1, 2), xy0=BOX, unit="adu")
    write_coadd(tmp_path, 3, coaddAfter=after)
    found = measured(tmp_path).by_metric
    assert found["coaddBackground.numMismatched"].value == 1
    assert "differ in unit (before nJy, after adu)" in found["coaddBackground.numMismatched"].detail


@pytest.mark.parametrize(
    ("background", "words"),
    [
        (model(math.nan), "background_2_0_r.fits: component 1 of 1 "),
        (model(LEVEL, math.nan), "background_2_0_r.fits: component 2 of 2 "),
    ],
)
def test_a_background_without_a_number_is_a_problem_of_its_own(tmp_path, background, words):
    """It is named with its reason; the other visit is measured."""
    write_calexp(tmp_path, 1)
    write_calexp(tmp_path, 2, background=background)
    found = measured(tmp_path)
    assert found.by_metric["visitBackground.numUnreadable"].value == 1
    assert words in found.by_metric["visitBackground.numUnreadable"].detail
    means = found.of("visitBackground.mean")
    assert means[1, 0]["numerator"] == LEVEL
    assert math.isnan(means[2, 0]["numerator"])
    assert words in means[2, 0]["detail"]


def test_an_image_of_a_background_may_be_all_nan(tmp_path):
    """All of it is invalid, and nothing else is known of it."""
    write_calexp(tmp_path, 1)
    nothing = exposure(image=np.full(SHAPE, np.nan, np.float32))
    afw().write_exposure(tmp_path / "background_1_0_r.fits", nothing)
    found = measured(tmp_path)
    assert found.values["visitBackground.fracInvalid"] == 1.0
    row = found.of("visitBackground.median")[1, 0]
    assert math.isnan(row["numerator"])
    assert row["detail"] == "the background of visit 1, detector 0 has no finite pixel"


@pytest.mark.parametrize("kind", COADD_FILES)
@pytest.mark.parametrize("damage", ["cut short", "missing"])
def test_a_part_that_is_broken_or_missing_is_named(tmp_path, kind, damage):
    """It is a defect of its coadd; the other one closes."""
    write_coadd(tmp_path, 3)
    write_coadd(tmp_path, 4)
    path = tmp_path / f"{kind}_7_3_r.fits"
    if damage == "missing":
        path.unlink()
    else:
        cut_short(path, 0.2)
    found = measured(tmp_path)
    counted = "coaddBackground.numMissing" if damage == "missing" else "coaddBackground.numUnreadable"
    part = {"coaddBefore": "before", "coaddAfter": "after", "coaddBackground": "background"}[kind]
    words = f"tract 7, patch 3, r lacks {part}" if damage == "missing" else path.name
    assert found.by_metric[counted].value == 1
    assert words in found.by_metric[counted].detail
    closing = {row["coadd"]: row for row in found.rows if row["metric"] == "coaddBackground.largestResidual"}
    assert math.isnan(closing["tract 7, patch 3, r"]["numerator"])
    assert closing["tract 7, patch 4, r"]["numerator"] <= 0.5


def test_a_variance_plane_that_is_broken_costs_its_ratio_alone(tmp_path):
    """What has none still has a background that closes."""
    before = exposure(5.0, 4.0, (1, 2), xy0=BOX)
    nothing = np.full(SHAPE, np.nan, np.float32)
    after = replace(before, image=before.image - np.float32(0.0625), variance=nothing)
    write_coadd(tmp_path, 3, coaddAfter=after)
    found = measured(tmp_path).by_metric
    assert math.isnan(found["coaddBackground.varianceRatio"].value)
    assert "a variance plane of tract 7, patch 3, r" in found["coaddBackground.varianceRatio"].detail
    assert found["coaddBackground.largestResidual"].value <= 0.5


def test_what_is_there_twice_is_told(tmp_path):
    """Which of two backgrounds of one visit is right nobody knows."""
    write_calexp(tmp_path, 1)
    write_background(tmp_path / "again_1_0_r.fits", model(3.0))
    describe(tmp_path)
    with (tmp_path / "rerun.toml").open("a") as toml:
        toml.write('[[exposures]]\nkind = "visitBackground"\nfiles = ["again_{visit}_{detector}_{band}.fits"]\n')
    found = Measured(tmp_path).by_metric
    assert found["visitBackground.numUnreadable"].value == 1
    assert (
        "again_1_0_r.fits and background_1_0_r.fits have one data ID" in found["visitBackground.numUnreadable"].detail
    )


def test_visits_without_any_background_are_no_defect(tmp_path):
    """A rerun that keeps no backgrounds of visits lacks none; one that keeps some lacks the others."""
    write_calexp(tmp_path, 1)
    (tmp_path / "background_1_0_r.fits").unlink()
    write_coadd(tmp_path, 3)
    assert not measured(tmp_path).of("visitBackground.mean")
    write_calexp(tmp_path, 2)
    found = measured(tmp_path).by_metric
    assert found["visitBackground.numMissing"].value == 1
    assert "visit 1, detector 0 lacks background" in found["visitBackground.numMissing"].detail


def changes(repo):
    """Measure two reruns side by side, and return the rows by metric and place."""
    new, old = (open_rerun(str(repo), name) for name in ("new", "old"))
    measure = Measured(repo, "new")
    manifest = measure_pair(new, old, measure.settings, measure.store)
    rows = measure.store.read_shards(measure.store.folder(new.ref, manifest.suite), manifest.shards).to_pylist()
    return {(row["metric"], row["visit"] or row["coadd"]): row for row in rows}


def pair(repo):
    """Write two reruns that have one background by hard link, and others that are written anew."""
    for name in ("new", "old"):
        for visit in (1, 2, 3):
            write_calexp(repo / name, visit)
        write_coadd(repo / name, 4)
    (repo / "new" / "background_1_0_r.fits").unlink()
    (repo / "new" / "background_1_0_r.fits").hardlink_to(repo / "old" / "background_1_0_r.fits")


def test_backgrounds_are_compared_with_those_of_a_reference(tmp_path):
    """How many pixels differ, and by how much; what is the same differs in none."""
    pair(tmp_path)
    write_background(
        tmp_path / "new" / "background_2_0_r.fits", model(float(np.nextafter(np.float32(LEVEL), np.float32(200))))
    )
    write_background(tmp_path / "new" / "background_3_0_r.fits", model(LEVEL, shape=(24, 30)))
    for name in ("new", "old"):
        describe(tmp_path / name, name)
    found = changes(tmp_path)
    assert [found["visitBackground.numChangedPixels", visit]["numerator"] for visit in (1, 2)] == [0, 768]
    assert found["visitBackground.largestChange", 2]["numerator"] == 1.0
    assert found["visitBackground.numChangedPixels", 2]["detail"] == "in visit 2, detector 0"
    assert found["coaddBackground.numChangedPixels", "tract 7, patch 4, r"]["numerator"] == 0
    differing = found["visitBackground.largestChange", 3]
    assert math.isnan(differing["numerator"])
    assert (
        differing["detail"]
        == "the background of visit 3, detector 0 covers 30x24 at (0, 0), and 32x24 at (0, 0) in old"
    )


def test_what_is_one_dataset_in_both_is_not_read(tmp_path, monkeypatch):
    """Its identity says that it is the same; what is another dataset is read, and a broken one named."""
    pair(tmp_path)
    cut_short(tmp_path / "old" / "background_3_0_r.fits", 0.2)
    for name in ("new", "old"):
        describe(tmp_path / name, name)
    read = []
    whole = backgrounds._read
    monkeypatch.setattr(
        backgrounds, "_read", lambda same, rerun: read.extend(r.ref for r in same) or whole(same, rerun)
    )
    Measured(tmp_path, "new")
    read.clear()
    found = changes(tmp_path)
    assert "background_1_0_r.fits" not in read
    assert read.count("background_2_0_r.fits") == 2
    assert found["visitBackground.numChangedPixels", 1]["numerator"] == 0
    told = found["visitBackground.numChangedPixels", 3]["detail"]
    assert told.startswith("old: background background_3_0_r.fits has 1 images")


def test_what_one_rerun_has_alone_is_not_compared(tmp_path):
    """It is missing in the other one, which is counted there."""
    pair(tmp_path)
    (tmp_path / "old" / "background_2_0_r.fits").unlink()
    for name in ("new", "old"):
        describe(tmp_path / name, name)
    found = changes(tmp_path)
    assert {visit for metric, visit in found if metric == "visitBackground.largestChange"} == {1, 3}


def test_the_order_of_files_has_no_part(tmp_path):
    """Planes are joined by data ID."""
    for patch in (3, 4):
        write_coadd(tmp_path, patch, 2.0**-patch)
    describe(tmp_path)
    first = unordered(Measured(tmp_path).rows)
    toml = (tmp_path / "rerun.toml").read_text()
    head, *entries = toml.split("[[exposures]]")
    (tmp_path / "rerun.toml").write_text("[[exposures]]".join([head, *reversed(entries)]))
    assert unordered(Measured(tmp_path).rows) == first


@pytest.mark.slow
def test_planted_faults_are_found_where_they_are(tmp_path):
    """Of the embedded data, the first rerun has none, the second each in its place; a file that is lost is one more."""
    from lsst.daf.butler import Butler

    repo, images = tmp_path / "repo", load_images()
    Butler.makeRepo(str(repo))
    images.dp02.add(repo)
    truth = images.dp02_truth
    first, second = truth.RERUNS
    with process_executor(2) as executor:
        sound = Measured(repo, first, executor=executor)
    values = sound.values
    assert values["coaddBackground.range"] == 0.0
    for of in ("visitBackground", "coaddBackground"):
        assert values[f"{of}.largestResidual"] <= 0.5
        for name in ("numUnclosedPixels", "numMissing", "numUnreadable", "numMismatched", "numPatternPixels"):
            assert values[f"{of}.{name}"] == 0.0
    for (visit, detector), row in sound.of("visitBackground.mean").items():
        assert row["numerator"] == pytest.approx(truth.sky(visit, detector).mean(dtype=np.float64), rel=1e-9)
    for (visit, detector), row in sound.of("visitBackground.gradient").items():
        assert row["numerator"] == pytest.approx(np.ptp(truth.sky(visit, detector)), rel=1e-9)

    rerun = open_rerun(str(repo), second)
    lost = next(ref for ref in rerun.exposures.listed if (ref.kind, ref.visit) == ("visitBackground", 192350))
    with rerun.exposures.local(lost.ref) as path:
        path.unlink()
    faulty = Measured(repo, second)
    tilted = {row["coadd"]: row for row in faulty.rows if row["metric"] == "coaddBackground.range"}
    names = {patch: f"tract {truth.TRACT}, patch {patch}, {truth.BAND}" for patch in truth.COADDS}
    assert {coadd for coadd, row in tilted.items() if row["numerator"]} == {names[truth.TILTED_COADD]}
    unclosed = {row["coadd"]: row for row in faulty.rows if row["metric"] == "coaddBackground.numUnclosedPixels"}
    assert {coadd for coadd, row in unclosed.items() if row["numerator"]} == {
        names[truth.UNCLOSED_COADD],
        names[truth.WRONG_SIGN_COADD],
    }
    assert unclosed[names[truth.UNCLOSED_COADD]]["numerator"] == 64
    gradients = {key: row["numerator"] for key, row in faulty.of("visitBackground.gradient").items()}
    assert {key for key, value in gradients.items() if math.isnan(value)} == {truth.NO_STATISTICS, (192350, 175)}
    assert gradients[512055, 76] == pytest.approx(sound.of("visitBackground.gradient")[512055, 76]["numerator"])
    assert faulty.by_metric["visitBackground.numUnreadable"].value == 2
    assert "is missing" in faulty.by_metric["visitBackground.numUnreadable"].detail
