"""Each defect of looking at a sky background by hand is planted in images, and has to be found where it is.

Planted are the defects of the demonstration on DP0.2, and what can be wrong with the images themselves.  That a cell
which is run twice adds a background twice cannot occur: measuring changes neither a file nor what it has read.
"""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from embedded_images import SHAPE, afw, exposure, write_toml
from planted_images import Planted, failed, prepare

from harness.embedded import load_images
from harness.rerun.exposures.backgrounds import read_background

VISITS = (1, 2, 3)
PATCHES = (16, 17, 18)

#: Of the coadds: a constant that float32 holds exactly.
LEVEL = np.float32(0.0625)
BOX = (4000, 8000)

FILES = {
    "calexp": ("science", "{visit}_{detector}_{band}"),
    "calexpBackground": ("visitBackground", "{visit}_{detector}_{band}"),
    "before": ("coaddBefore", "{tract}_{patch}_{band}"),
    "after": ("coaddAfter", "{tract}_{patch}_{band}"),
    "coaddBackground": ("coaddBackground", "{tract}_{patch}_{band}"),
}

ACCEPTED = {
    "": ("*Background.numM[ia]*", "*Background.numUnr*", "*Background.numPattern*"),
    "--low 0 --high 0": ("coaddBackground.range", "*Background.numUnclosed*", "*Background.fracInvalid"),
    "--low 0 --high 0.5": ("*Background.largestResidual",),
    "--rtol 1e-6": (
        *("*Background.minimum", "*Background.maximum", "*Background.mean", "*Background.median"),
        *(
            "*Background.numPixels",
            "*Background.numComponents",
            "*Background.numBackgrounds",
            "visitBackground.restoredMaximum",
        ),
        *("visitBackground.range", "visitBackground.gradient", "visitBackground.std", "coaddBackground.varianceRatio"),
    ),
    "--atol 1e-12": ("coaddBackground.std", "coaddBackground.gradient"),
}

CHANGES = {"--low 0 --high 0": ("*Background.numChangedPixels", "*Background.largestChange")}


def sky(visit):
    """Return the background of a visit image: a plane, found in two steps."""
    writer = load_images().background_writer
    rows, columns = np.mgrid[:3, :4]
    models = (writer.BinnedStatistics((3000 + 64 * visit + 16 * columns - 8 * rows).astype(np.float32), "linear"),)
    models += (writer.BinnedStatistics(np.full((1, 1), 2.0, np.float32), "constant"),)
    return writer.BackgroundContent(models, SHAPE)


def flat(value=LEVEL, **changes):
    """Return the background of a coadd."""
    writer = load_images().background_writer
    models = (writer.BinnedStatistics(np.full((1, 1), value, np.float32), "constant"),)
    return replace(writer.BackgroundContent(models, SHAPE, BOX), **changes)


def before(patch):
    """Return a coadd before its last background is subtracted."""
    image = np.random.default_rng(patch).normal(0, 0.5, SHAPE).astype(np.float32)
    image[12, 20] = 900.0
    return exposure(5.0, 4.0, (1, 2), image=image, xy0=BOX)


def after(patch):
    """Return it afterwards; detection scales the variance, too."""
    content = before(patch)
    return replace(content, image=content.image - LEVEL, variance=content.variance * np.float32(1.25))


def put(path, content):
    """Write a background or an image."""
    if isinstance(content, load_images().background_writer.BackgroundContent):
        path.write_bytes(load_images().background_writer.background_bytes(content))
    else:
        afw().write_exposure(path, content)


def write(folder, name):
    """Write visits and coadds as a rerun."""
    folder.mkdir()
    for visit in VISITS:
        put(folder / f"calexp_{visit}_0_r.fits", exposure(5.0, 4.0 + visit))
        put(folder / f"calexpBackground_{visit}_0_r.fits", sky(visit))
    for patch in PATCHES:
        for part, content in (("before", before(patch)), ("after", after(patch)), ("coaddBackground", flat())):
            put(folder / f"{part}_4226_{patch}_r.fits", content)
    tables = []
    for part, (kind, data_id) in FILES.items():
        tables += ["[[exposures]]", f'kind = "{kind}"', f'files = ["{part}_{data_id}.fits"]']
    write_toml(folder, *tables, name=name, files={})


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Return the folder of the images, their copy to plant defects in, and their baseline."""
    return prepare(tmp_path_factory.getbasetemp() / "guarded_backgrounds", write, ACCEPTED, CHANGES)


@pytest.fixture
def planted(run, home):
    """Return the images, to plant a defect in."""
    return Planted(run, home)


def coadd(planted, part, patch=17):
    """Return the path of a coadd or its background."""
    return planted.folder / f"{part}_4226_{patch}_r.fits"


def visit_file(planted, part, visit=2):
    """Return the path of a visit image or its background."""
    return planted.folder / f"{part}_{visit}_0_r.fits"


def test_nothing_planted_is_nothing_found(planted):
    """The same images in other files pass."""
    assert {row["state"] for row in planted(code=0).json["rows"]} == {"PASS"}


def changed(content, by, at=(5, 9)):
    """Return an image with something added to one of its pixels."""
    image = content.image.copy()
    image[at] += np.float32(by)
    return replace(content, image=image)


def plain(image):
    """Return the background of a coadd as an image instead of a model."""
    return exposure(5.0, 4.0, image=np.asarray(image, np.float32), xy0=BOX)


# Statistics.


def test_pixels_that_are_nan(planted):
    """They are counted and located, and the numbers of the others are numbers."""
    image = read_background(visit_file(planted, "calexpBackground")).image()
    image[:, 7] = np.nan
    put(visit_file(planted, "calexpBackground"), exposure(5.0, 6.0, image=image))
    answer = planted()
    found = failed(answer)
    share, count = 1 / SHAPE[1] / len(VISITS), SHAPE[0]
    assert found["visitBackground.fracInvalid"] == f"visitBackground.fracInvalid = {share:.6g} (allowed 0 to 0)"
    assert found["visitBackground.numPatternPixels"].startswith(
        f"visitBackground.numPatternPixels = {count} (allowed 0 to 0); {count} in visit 2, detector 0"
    )
    assert answer.states["visitBackground.maximum"] == "PASS"
    assert answer.rows["visitBackground.mean"]["value"] == pytest.approx(3146, rel=1e-3)
    assert answer.states["visitBackground.largestResidual"] == "NOT_MEASURED"


def test_background_without_a_number(planted):
    """There is no statistic of nothing: it is not measured, and its place is told."""
    put(coadd(planted, "coaddBackground"), plain(np.full(SHAPE, np.nan)))
    unknown = failed(planted(), "NOT_MEASURED")
    for name in ("minimum", "maximum", "mean", "median", "std", "gradient", "range"):
        assert unknown[f"coaddBackground.{name}"] == (
            f"coaddBackground.{name} was not measured in planted: "
            "the background of tract 4226, patch 17, r has no finite pixel (tract 4226, patch 17, r)"
        )


@pytest.mark.parametrize("value", [0.1, 1e-7, 12345.678])
def test_flat_background_is_flat_whatever_its_value(run, tmp_path, value):
    """Sums of values that float32 does not hold are no scatter: the range of a constant is exactly zero."""
    put(tmp_path / "coaddBackground_4226_17_r.fits", plain(np.full(SHAPE, value)))
    kind, data_id = FILES["coaddBackground"]
    entry = ["[[exposures]]", f'kind = "{kind}"', f'files = ["coaddBackground_{data_id}.fits"]']
    write_toml(tmp_path, *entry, files={})
    rows = run("measure", "--repo", tmp_path, "--format", "json").rows
    assert rows["coaddBackground.range"]["value"] == 0
    assert rows["coaddBackground.std"]["value"] == pytest.approx(0, abs=1e-12)
    assert rows["coaddBackground.minimum"]["value"] == rows["coaddBackground.maximum"]["value"] == np.float32(value)


def test_background_that_is_not_flat_by_the_last_bit(planted):
    """One pixel that differs by one unit in the last place is found, in its coadd."""
    image = np.full(SHAPE, LEVEL)
    image[3, 4] = np.nextafter(LEVEL, np.float32(1))
    put(coadd(planted, "coaddBackground"), plain(image))
    found = failed(planted())
    assert found["coaddBackground.range"].endswith("e-09 (allowed 0 to 0); in tract 4226, patch 17, r")
    assert found["coaddBackground.largestChange"] == (
        "coaddBackground.largestChange = 1 (allowed 0 to 0); in tract 4226, patch 17, r"
    )


# A background added twice.


def test_measuring_again_adds_nothing(planted, run):
    """The image with its background is a function of both: files stay as they are, and numbers come out again."""
    contents = {path: path.read_bytes() for path in planted.folder.iterdir()}
    first = planted.measure().json["rows"]
    shutil.rmtree(run.store)
    assert planted.measure().json["rows"] == first
    assert {path: path.read_bytes() for path in planted.folder.iterdir()} == contents
    (restored,) = [row["value"] for row in first if row["metric"] == "visitBackground.restoredMaximum"]
    once = [exposure(5.0, 4.0 + visit).image + sky_image(planted, visit) for visit in VISITS]
    assert restored == np.mean([image.max() for image in once], dtype=np.float64)


def sky_image(planted, visit):
    """Return the background of a visit at full size."""
    return read_background(visit_file(planted, "calexpBackground", visit)).image()


def test_background_is_in_the_image_already(planted):
    """An image from which it was never subtracted has it twice when it is added."""
    content = exposure(5.0, 6.0)
    put(visit_file(planted, "calexp"), replace(content, image=content.image + sky_image(planted, 2)))
    found = failed(planted())
    assert found.keys() == {"visitBackground.restoredMaximum"}
    assert found["visitBackground.restoredMaximum"].startswith("visitBackground.restoredMaximum = 4250.56, +33 % ")


# Closure.


@pytest.mark.parametrize("by", [0.01, 2.0**-20])
def test_single_pixel_does_not_close(planted, by):
    """However little it is, it is found, with row and column."""
    put(coadd(planted, "after"), changed(after(17), by))
    found = failed(planted())
    assert found.keys() == {"coaddBackground.numUnclosedPixels", "coaddBackground.largestResidual"}
    assert found["coaddBackground.numUnclosedPixels"] == (
        "coaddBackground.numUnclosedPixels = 1 (allowed 0 to 0); 1 in tract 4226, patch 17, r"
    )
    assert found["coaddBackground.largestResidual"].endswith(
        " (allowed 0 to 0.5); row 5, column 9 of tract 4226, patch 17, r"
    )


def test_pixel_beside_a_bright_star_may_be_rounded(planted):
    """The tolerance follows each pixel: what a star's pixel may be off by, another may not."""
    star, empty = (12, 20), (5, 9)
    off = np.spacing(np.float32(900)) / 2
    put(coadd(planted, "after"), changed(after(17), 0.9 * off, star))
    assert {row["state"] for row in planted(code=0).json["rows"]} == {"PASS"}
    put(coadd(planted, "after"), changed(after(17), 0.9 * off, empty))
    assert "coaddBackground.numUnclosedPixels" in failed(planted())


@pytest.mark.parametrize("defect", ["added", "before for after"])
def test_sign_is_wrong(planted, defect):
    """A background that was added, or was taken the other way round, closes nowhere."""
    if defect == "added":
        put(coadd(planted, "after"), replace(after(17), image=before(17).image + LEVEL))
    else:
        planted.exchange(coadd(planted, "before"), coadd(planted, "after"))
    answer = planted()
    n_pixels = SHAPE[0] * SHAPE[1]
    assert failed(answer)["coaddBackground.numUnclosedPixels"] == (
        f"coaddBackground.numUnclosedPixels = {n_pixels} (allowed 0 to 0); {n_pixels} in tract 4226, patch 17, r"
    )
    assert ("coaddBackground.varianceRatio" in failed(answer)) is (defect != "added")


def test_constant_in_both_images_leaves_the_closure(planted):
    """Whatever is on both sides is not the background's."""
    content = before(17)
    exact = np.round(content.image * 1024) / np.float32(1024)
    for offset in (0, 7.5, -100):
        put(coadd(planted, "before"), replace(content, image=exact + np.float32(offset)))
        put(coadd(planted, "after"), replace(after(17), image=exact + np.float32(offset) - LEVEL))
        assert {row["state"] for row in planted(code=0).json["rows"]} == {"PASS"}


@pytest.mark.parametrize(
    ("part", "content", "told"),
    [
        ("coaddBackground", lambda: flat(xy0=(4000, 8001)), "differ in box (background 32x24 at (4000"),
        ("coaddBackground", lambda: flat(shape=(24, 31)), "differ in box (background 31x24 at (4000"),
        ("after", lambda: replace(after(17), unit="adu"), "differ in unit (before nJy, after adu)"),
    ],
    ids=["origin", "size", "unit"],
)
def test_planes_that_do_not_fit_together(planted, part, content, told):
    """They are not compared, and it is told in what they differ."""
    put(coadd(planted, part), content())
    answer = planted()
    sentence = failed(answer)["coaddBackground.numMismatched"]
    assert sentence.startswith("coaddBackground.numMismatched = 1 (allowed 0 to 0); the planes of tract 4226, patch 17")
    assert told in sentence
    closing = {"coaddBackground.largestResidual", "coaddBackground.numUnclosedPixels"}
    assert closing <= failed(answer, "NOT_MEASURED").keys()


@pytest.mark.parametrize("part", ["before", "after"])
def test_pixel_is_nan_in_one_image(planted, part):
    """It has no closure, which is told; all others close."""
    content = {"before": before, "after": after}[part](17)
    put(coadd(planted, part), changed(content, np.nan))
    answer = planted()
    assert failed(answer) == {
        "coaddBackground.numPatternPixels": (
            "coaddBackground.numPatternPixels = 1 (allowed 0 to 0); 1 in tract 4226, patch 17, r"
        )
    }
    assert failed(answer, "NOT_MEASURED").keys() == {"coaddBackground.largestResidual"}
    assert answer.states["coaddBackground.numUnclosedPixels"] == "PASS"


def test_pixel_is_nan_in_both_images(planted):
    """Where there are no data, there is nothing to close."""
    for part, content in (("before", before(17)), ("after", after(17))):
        put(coadd(planted, part), changed(content, np.nan))
    assert {row["state"] for row in planted(code=0).json["rows"]} == {"PASS"}


# What is missing, or belongs to another.


@pytest.mark.parametrize("part", ["before", "after", "coaddBackground"])
def test_plane_is_missing(planted, part):
    """It is named, and nothing is said of the closure."""
    coadd(planted, part).unlink()
    answer = planted()
    word = part.replace("coaddBackground", "background")
    assert failed(answer) == {
        "coaddBackground.numMissing": (
            f"coaddBackground.numMissing = 1 (allowed 0 to 0); tract 4226, patch 17, r lacks {word}"
        )
    }
    assert failed(answer, "NOT_MEASURED")["coaddBackground.largestResidual"].endswith(
        f": tract 4226, patch 17, r has no {word} (tract 4226, patch 17, r)"
    )


def test_coadd_is_missing(planted):
    """One that is not there at all has nothing to be compared with; the count of backgrounds says so."""
    for part in ("before", "after", "coaddBackground"):
        coadd(planted, part).unlink()
    assert failed(planted())["coaddBackground.numBackgrounds"].startswith("coaddBackground.numBackgrounds = 2, -33 % ")


def test_background_of_another_visit(planted):
    """It differs in each pixel from that of the reference, and the visit is named."""
    put(visit_file(planted, "calexpBackground"), sky(3))
    n_pixels = SHAPE[0] * SHAPE[1]
    assert failed(planted())["visitBackground.numChangedPixels"] == (
        f"visitBackground.numChangedPixels = {n_pixels} (allowed 0 to 0); in visit 2, detector 0"
    )


def test_order_of_files_has_no_part(planted):
    """Planes are joined by data ID."""
    tables = []
    for part, (kind, data_id) in reversed(FILES.items()):
        tables += ["[[exposures]]", f'kind = "{kind}"', f'files = ["{part}_{data_id}.fits"]']
    write_toml(planted.folder, *tables, name="planted", files={})
    assert {row["state"] for row in planted(code=0).json["rows"]} == {"PASS"}
