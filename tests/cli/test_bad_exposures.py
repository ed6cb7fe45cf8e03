"""Exposures that are damaged, incomplete or odd, and wrong words: that is said, and everything else is measured."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from embedded_images import FILES, PLANES, SHAPE, exposure, name_of, subtraction, survey, write_toml, write_visit
from embedded_survey import cut_short

VISITS = (1, 2, 3)

#: What the survey's exposures hold; the science image is the sharper the later the visit.
TRUTH = {
    "science.psfFwhm": {1: 5.3, 2: 5.1, 3: 4.9},
    "template.psfFwhm.good": dict.fromkeys(VISITS, 4.0),
    "template.psfFwhm.deep": dict.fromkeys(VISITS, 6.0),
    "template.medianVariance.good": dict.fromkeys(VISITS, 2.0),
    "difference.medianVariance.good": dict.fromkeys(VISITS, 6.0),
    "difference.medianVariance.deep": dict.fromkeys(VISITS, 5.0),
}


@pytest.fixture(scope="module")
def good_images(tmp_path_factory):
    """Return a folder of three good visits."""
    folder = tmp_path_factory.mktemp("good") / "images"
    survey(folder, VISITS)
    return folder


@pytest.fixture
def images(run, good_images):
    """Return the command line with exposures to be spoiled in a folder ``images``."""
    shutil.copytree(good_images, run.folder / "images")
    return run


def path_of(run, part, visit=2):
    """Return the path of an exposure."""
    return run.folder / "images" / name_of(part, visit)


def measure(run, *options, code=0):
    """Measure the folder; nothing may be said on the side."""
    answer = run("measure", "--repo", run.folder / "images", "--format", "json", *options, code=code)
    assert len(answer.complaints) == (code != 0)
    return answer


def rewrite(path, change):
    """Write a file anew, where ``change`` has altered its HDUs."""
    with fits.open(path, mode="update", memmap=False) as hdus:
        change(hdus)


def check(run, part, told, *, lost):
    """Require that the exposure of visit 2 has lost some metrics, for a reason that names it, and nothing else has.

    The same is FAIL and NOT_MEASURED when it is judged.
    """
    answer = measure(run)
    unreadable = answer.rows["template.numUnreadable"]
    assert unreadable["value"] >= 1
    assert unreadable["detail"].startswith("visit 2 detector 0: ")
    assert name_of(part, 2) in unreadable["detail"]
    assert told in unreadable["detail"]
    by_visit = measure(run, "--by", "visit").json["rows"]
    for metric, values in TRUTH.items():
        found = {row["visit"]: row["value"] for row in by_visit if row["metric"] == metric}
        expected = {visit: None if visit == 2 and metric in lost else value for visit, value in values.items()}
        assert found == {visit: value and pytest.approx(value) for visit, value in expected.items()}
    for metric in lost:
        row = answer.rows[metric]
        assert row["value"] is None
        assert name_of(part, 2) in row["detail"]
    judged = ("verify", "--repo", run.folder / "images", "--rerun", "r", "--format", "json")
    sound = run(*judged, "--", "-k", "every_subtraction_is_complete", code=1)
    assert sound.states["template.numUnreadable"] == "FAIL"


def of(part):
    """Return the metrics that rest on an exposure alone."""
    kind, side = FILES[part]
    names = {f"{kind}.{name}.{side}".rstrip(".") for name in ("psfFwhm", "medianVariance")}
    return names & TRUTH.keys()


def test_good_images(images):
    """Nothing is lost of images that are as they should be."""
    rows = measure(images, "--by", "visit").json["rows"]
    for metric, values in TRUTH.items():
        found = {row["visit"]: row["value"] for row in rows if row["metric"] == metric}
        assert found == {visit: pytest.approx(value) for visit, value in values.items()}
    assert measure(images).rows["template.numUnreadable"]["value"] == 0


# Broken files.


@pytest.mark.parametrize("part", ["science", "good_template", "deep_difference"])
@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "cannot be read as FITS ("), (b"SIMPLE?\n", "cannot be read as FITS ("), (None, "cannot be read as FITS (")],
    ids=["empty", "text", "a few bytes"],
)
def test_file_that_is_not_fits(images, part, content, told):
    """It is named with its visit, and the way out; all other exposures are measured."""
    path = path_of(images, part)
    path.write_bytes(path.read_bytes()[:200] if content is None else content)
    check(images, part, told, lost=of(part))
    assert "; fetch the file again or leave it out" in measure(images).rows["template.numUnreadable"]["detail"]


def test_file_cut_off_in_its_planes(images):
    """Neither variance nor PSF is there any more."""
    cut_short(path_of(images, "good_template"), 0.3)
    check(images, "good_template", "fetch the file again or leave it out", lost=of("good_template"))


def test_file_cut_off_behind_its_planes(images):
    """The variance is whole, and so is measured; the PSF is not there."""
    path = path_of(images, "good_template")
    with fits.open(path) as hdus:
        end = hdus[3].fileinfo()["datLoc"] + hdus[3].fileinfo()["datSpan"]
    path.write_bytes(path.read_bytes()[:end])
    check(images, "good_template", "fetch the file again or leave it out", lost={"template.psfFwhm.good"})


def test_files_that_are_all_broken(images):
    """There is no number, and each metric says why."""
    for path in (images.folder / "images").glob("*.fits"):
        path.write_bytes(b"nothing")
    answer = measure(images)
    assert answer.rows["template.numUnreadable"]["value"] == len(VISITS) * len(FILES)
    assert {answer.rows[name]["value"] for name in TRUTH} == {None}


# Things that were never there.


def test_mask_without_its_dictionary(images):
    """Which pixels are bad is not known, so that no median is taken; the PSF is there."""

    def forget(hdus):
        for key in [key for key in hdus["MASK"].header if key.startswith("MP_")]:
            del hdus["MASK"].header[key]

    rewrite(path_of(images, "deep_difference"), forget)
    told = "has no dictionary of its planes (keywords MP_…)"
    check(images, "deep_difference", told, lost={"difference.medianVariance.deep"})


@pytest.mark.parametrize(("name", "there"), [("VARIANCE", "IMAGE, MASK"), ("MASK", "IMAGE, VARIANCE")])
def test_plane_is_missing(images, name, there):
    """It is told which planes there are."""
    rewrite(path_of(images, "deep_difference"), lambda hdus: hdus[name].header.update(EXTTYPE="SPARE", EXTNAME="SPARE"))
    told = f"has no {name} plane (there are: {there}"
    check(images, "deep_difference", told, lost={"difference.medianVariance.deep"})


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_variance_without_a_value(images, value):
    """A median of nothing, of infinities or of zeros is no variance."""
    plane = np.full(SHAPE, value, np.float32)
    write_visit(images.folder / "images", 2, {"deep_difference": exposure(5.1, 5.0, variance=plane)})
    row = measure(images).rows["difference.medianVariance.deep"]
    assert row["value"] is None
    assert row["detail"].endswith("(visit 2)")
    assert measure(images, "--metric", "difference.medianVariance.good").json["rows"][0]["value"] == 6.0


def test_variance_that_is_masked_as_a_whole(images):
    """So is one of which no pixel is good."""
    mask = np.full(SHAPE, 1 << PLANES["BAD"], np.int32)
    write_visit(images.folder / "images", 2, {"deep_difference": exposure(5.1, 5.0, mask=mask)})
    told = "has no pixel that is neither masked nor NaN in its variance plane"
    check(images, "deep_difference", told, lost={"difference.medianVariance.deep"})


def test_exposure_without_a_psf(images):
    """Nothing stands in for it; the variance is there."""
    write_visit(images.folder / "images", 2, {"good_template": replace(subtraction()["good_template"], psf=None)})
    check(images, "good_template", "has no PSF", lost={"template.psfFwhm.good"})


def of_class(name):
    """Return the change that has the archive say that its PSF is of another class."""

    def change(hdus):
        index = hdus[4].data
        index["name"] = np.where(index["name"] == "GaussianPsf", name, index["name"])

    return change


def test_psf_of_a_class_that_nobody_knows(images):
    """Its name and its file are told."""
    rewrite(path_of(images, "good_template"), of_class("AiryPsf"))
    check(images, "good_template", "AiryPsf", lost={"template.psfFwhm.good"})


def test_psf_whose_library_is_missing(images, monkeypatch):
    """What to install is told."""
    monkeypatch.setitem(sys.modules, "piff", None)
    rewrite(path_of(images, "good_template"), of_class("PiffPsf"))
    told = "needs piff, which is not installed; pip install 'rerun-harness[psf]'"
    check(images, "good_template", told, lost={"template.psfFwhm.good"})


def test_recorded_size_stands_in_for_a_psf(images, monkeypatch):
    """With the size on record, the library is not asked for."""
    monkeypatch.setitem(sys.modules, "piff", None)
    content = replace(exposure(4.0, 2.0, (11, 12)), summary={"psfSigma": 2.0})
    write_visit(images.folder / "images", 2, {"good_template": content})
    rewrite(path_of(images, "good_template"), of_class("PiffPsf"))
    rows = measure(images, "--by", "visit", "--metric", "template.psfFwhm.good").json["rows"]
    assert [row["value"] for row in rows] == [pytest.approx(size) for size in (4.0, 2 * 2.3548200450309493, 4.0)]


def test_template_without_inputs(images):
    """It is told, counts no visit, and is not confused with one whose inputs are not on record."""
    parts = {"good_template": exposure(4.0, 2.0, ()), "deep_template": exposure(6.0, 1.0)}
    write_visit(images.folder / "images", 2, parts)
    rows = measure(images).rows
    without = rows["template.numWithoutInputs"]
    assert (without["value"], without["detail"]) == (1, "visit 2 detector 0: good template was made of no visit")
    assert rows["template.numVisits.good"]["value"] == pytest.approx(4 / 3)
    assert rows["template.numVisits.deep"]["value"] is None
    assert "does not say which visits it was made of" in rows["template.numVisits.deep"]["detail"]


# Wrong words in the rerun.toml.

PLACEHOLDERS = "{visit}, {detector}, {tract}, {patch}, {band}"
KINDS = "'science', 'template', 'difference', 'visitBackground', 'coaddBefore', 'coaddAfter' or 'coaddBackground'"


@pytest.mark.parametrize(
    ("kind", "pattern", "told"),
    [
        ("science", "nothing_{visit}.fits", "no file matches 'nothing_{visit}.fits' of [[exposures]]"),
        ("science", "science_{v}.fits", f"'science_{{v}}.fits' has {{v}}, which means nothing; write {PLACEHOLDERS}"),
        ("calexp", "science_{visit}_*.fits", f"'exposures.5.kind' must be one of {KINDS} (got 'calexp')"),
        ("", "science_{visit}_*.fits", f"'exposures.5.kind' must be one of {KINDS} (got '')"),
    ],
    ids=["no file", "placeholder", "another kind", "no kind"],
)
def test_wrong_words_in_the_rerun_toml(images, kind, pattern, told):
    """They are named with what could stand there: exit code 2."""
    toml = images.folder / "images/rerun.toml"
    toml.write_text(f'{toml.read_text()}[[exposures]]\nkind = "{kind}"\nfiles = ["{pattern}"]\n')
    assert measure(images, code=2).complaint == f"{toml}: {told}"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('side = "best"', "'exposures.5.side' must be one of '', 'good' or 'deep' (got 'best')"),
        ('sides = "good"', "unknown key 'exposures.5.sides'; the keys there are files, kind, side"),
    ],
)
def test_wrong_side_in_the_rerun_toml(images, line, told):
    """So are sides."""
    toml = images.folder / "images/rerun.toml"
    entry = f'[[exposures]]\nkind = "template"\n{line}\nfiles = ["science_{{visit}}_*.fits"]\n'
    toml.write_text(toml.read_text() + entry)
    assert measure(images, code=2).complaint == f"{toml}: {told}"


def test_pattern_that_does_not_tell_visits_apart(images):
    """Without the visit, nothing could be joined."""
    toml = images.folder / "images/rerun.toml"
    toml.write_text(f'{toml.read_text()}[[exposures]]\nkind = "science"\nfiles = ["science_*.fits"]\n')
    complaint = measure(images, code=2).complaint
    assert complaint.startswith(f"{toml}: 'science_*.fits' of kind 'science' does not say its visit")
    assert complaint.endswith("; write {visit} for it")


def test_images_that_are_not_subtracted(images):
    """Science images alone have no template to be judged: the rerun has nothing to be measured."""
    write_toml(images.folder / "images", files={"science": FILES["science"]})
    judged = ("verify", "--repo", images.folder / "images", "--rerun", "r", "--format", "json")
    answer = images(*judged, code=3)
    assert "PASS" not in answer.out
    assert "Traceback" not in answer.err


# Wrong words on the command line.


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--psf-size", "radius"), "'radius' is not one of 'determinant', 'trace', 'nea'."),
        (("--sample-visits", "-1"), "-1 is not in the range x>=0."),
        (("--sample-visits", "few"), "'few' is not a valid integer"),
        (("--sample-seed", "-3"), "-3 is not in the range x>=0."),
    ],
)
def test_wrong_options(images, options, told):
    """What could be said instead is told: exit code 2."""
    answer = images("measure", "--repo", images.folder / "images", *options, code=2)
    assert f"Error: Invalid value for '{options[0]}': {told}" in answer.err


@pytest.mark.parametrize(
    ("rerun", "told"),
    [
        ("good:r,deep:r", "r would be compared with itself; name two different reruns"),
        ("good:r,deep:missing", "{repo} holds no rerun 'missing'; there are: r"),
        ("good:missing,deep:r", "{repo} holds no rerun 'missing'; there are: r"),
        ("good:r", "{repo} holds no rerun 'good:r'; there are: r"),
    ],
)
def test_wrong_sides(images, rerun, told):
    """Two sides are two reruns that there are: exit code 2."""
    repo = images.folder / "images"
    assert measure(images, "--rerun", rerun, code=2).complaint == told.format(repo=repo)


def test_sides_of_reruns_that_have_both(images):
    """A rerun with both templates is no side of another one."""
    shutil.copytree(images.folder / "images", images.folder / "both/a")
    shutil.copytree(images.folder / "images", images.folder / "both/b")
    for name in ("a", "b"):
        write_toml(images.folder / "both" / name, name=name)
    answer = images("measure", "--repo", images.folder / "both", "--rerun", "good:a,deep:b", code=2)
    assert answer.complaint == f"a in {images.folder / 'both'} has templates of both kinds; name it alone"


def test_sides_with_the_same_templates(images):
    """The same files under two names are one side read twice."""
    for name in ("a", "b"):
        folder = images.folder / "both" / name
        folder.mkdir(parents=True)
        for visit in VISITS:
            for part in ("science", "good_template", "good_difference"):
                shutil.copy2(path_of(images, part, visit), folder)
        write_toml(folder, name=name, files={part: (kind, "") for part, (kind, _) in FILES.items()})
    answer = images("measure", "--repo", images.folder / "both", "--rerun", "good:a,deep:b", code=2)
    assert answer.complaint == (
        f"a and b in {images.folder / 'both'} have the same templates; name two different reruns"
    )


def test_sample_of_more_visits_than_there_are(images):
    """It is all of them."""
    rows = measure(images, "--sample-visits", 1000, "--by", "visit", "--metric", "science.psfFwhm").json["rows"]
    assert [row["visit"] for row in rows] == list(VISITS)
