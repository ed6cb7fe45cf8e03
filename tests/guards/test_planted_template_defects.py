"""Each defect of comparing templates by hand is planted in exposures, and has to be found where it is.

Planted are the defects of the notebook PREOPS-4952, and what can be wrong with the images themselves.  Two of the
notebook's cannot occur: a table put together by position (all that is listed is joined by data ID: files in any order
give the same), and cells that were run in another order than they stand in.  Figures draw both sides in the
same bins; their own tests say so.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from embedded_images import FILES, PLANES, SHAPE, exposure, write_toml, write_visit
from planted_images import Planted, failed, prepare

from harness.metrics.settings import Settings

N_PATCHES = 8
VISITS = range(1, 2 * N_PATCHES + 1)

#: How many DIA sources each visit has with each template; every fourth is negative.
N_SOURCES = 20

ACCEPTED = {
    "": ("template.num[DMSUW]*",),
    "--low 16 --high 16": ("science.numImages",),
    "--low 0 --high 0": ("template.numOwnInputs.*",),
    "--low -9 --high 0": ("template.psfGoodMinusDeep",),
    "--low 0.8 --high 1.1": ("difference.psfCorrelation.*",),
    "--low 0 --high 0.02": ("difference.largestNonadditivity.*",),
    "--rtol 0.01": (
        *("science.psfFwhm", "science.medianVariance", "science.limitingMagnitude"),
        *("template.psfFwhm.*", "template.medianVariance.*", "template.coverage.*", "template.numVisits.*"),
        *("template.varianceGoodOverDeep", "template.largestExcess.*"),
        *("difference.psfFwhm.*", "difference.medianVariance.*", "difference.varianceAdditivity.*"),
        *("difference.limitingMagnitude.*", "difference.psfGoodOverDeep", "difference.noiseGoodOverDeep"),
        *("difference.numSources.*", "difference.medianSnr.*", "difference.medianFluxError.*"),
    ),
    "--atol 0.02": ("template.order.*", "template.fracSharper*", "template.fracGood*", "*.fracInvalidPixels*"),
    "--atol 0.01": ("difference.fracNegative.*",),
}


def patch_of(visit):
    """Return which pair of templates a visit is subtracted with; two visits share one."""
    return (visit - 1) // 2


def inputs_of(visit):
    """Return the visits that its good and its deep template are made of; in the first patch they are the same one."""
    patch = patch_of(visit)
    first = 100 * (patch + 1)
    sizes = (1, 1) if patch == 0 else (3 + patch, 20 + patch)
    return tuple(range(first, first + n) for n in sizes)


def fwhms_of(visit):
    """Return the FWHM of a visit and of its templates; a visit of even number is sharper than both."""
    patch = patch_of(visit)
    fwhm = 3.6 + 0.01 * visit if visit % 2 == 0 else 4.6 + 0.03 * visit
    good = 4 + 0.05 * patch
    return fwhm, good, good if patch == 0 else 6 + 0.1 * patch


def sound(visit):
    """Return the exposures of a visit as they should be."""
    good, deep = inputs_of(visit)
    fwhm, good_fwhm, deep_fwhm = fwhms_of(visit)
    of_difference = fwhm * (1 + 0.01 * (visit % 3 - 1))
    return {
        "science": exposure(fwhm, 4.0),
        "good_template": exposure(good_fwhm, 4 / len(good), good),
        "good_difference": exposure(of_difference, 4 + 4 / len(good)),
        "deep_template": exposure(deep_fwhm, 4 / len(deep), deep),
        "deep_difference": exposure(of_difference, 4 + 4 / len(deep)),
    }


def sources(side):
    """Return the DIA sources of one side."""
    rng = np.random.default_rng(5)
    n = N_SOURCES * len(VISITS)
    error = rng.uniform(9, 11, n) * {"good": 1.1, "deep": 1.0}[side]
    flux = error * rng.uniform(5, 20, n) * np.where(np.arange(n) % 4, 1, -1)
    columns = {"visit": np.repeat(VISITS, N_SOURCES), "detector": np.zeros(n, np.int32)}
    columns |= {"psfFlux": flux, "psfFluxErr": error}
    return pa.table(columns | dict.fromkeys(Settings().flag_set.columns, np.zeros(n, bool)))


def write(folder, name):
    """Write the survey as a rerun."""
    tables = []
    for visit in VISITS:
        write_visit(folder, visit, sound(visit))
    for side in ("good", "deep"):
        pq.write_table(sources(side), folder / f"{side}.parquet")
        tables += [f'[tables."diaSource.{side}"]', f'files = ["{side}.parquet"]']
    write_toml(folder, *tables, name=name)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Return the folder of the survey, its copy to plant defects in, and its baseline."""
    return prepare(tmp_path_factory.getbasetemp() / "guarded_templates", write, ACCEPTED)


@pytest.fixture
def planted(run, home):
    """Return the survey, to plant a defect in."""
    return Planted(run, home)


def test_nothing_planted_is_nothing_found(planted):
    """The same exposures in other files pass."""
    assert {row["state"] for row in planted(code=0).json["rows"]} == {"PASS"}


# Rows that belong to other visits than their numbers.


def test_order_of_files_and_rows_has_no_part(planted):
    """Exposures listed in another order, and shuffled sources, are those of the same visits."""
    tables = []
    for side in ("good", "deep"):
        shuffled = np.random.default_rng(3).permutation(N_SOURCES * len(VISITS))
        pq.write_table(sources(side).take(shuffled), planted.folder / f"{side}.parquet")
        tables += [f'[tables."diaSource.{side}"]', f'files = ["{side}.parquet"]']
    write_toml(planted.folder, *tables, name="planted", files=dict(reversed(FILES.items())))
    assert {row["state"] for row in planted(code=0).json["rows"]} == {"PASS"}


def test_templates_of_two_visits_exchanged(planted):
    """A template that belongs to another visit is not part of the deep one, and does not fit the variances."""
    planted.exchange(planted.path("good_template", 5), planted.path("good_template", 9))
    found = failed(planted())
    assert found["template.numDeepLacksGood"].startswith(
        "template.numDeepLacksGood = 2 (allowed 0 to 0); "
        "visit 5 detector 0: the deep template lacks 7 visits of the good one: 500, 501, 502, 503, 504"
    )
    assert found["difference.largestNonadditivity.good"].endswith("; visit 5 detector 0")
    assert "difference.largestNonadditivity.deep" not in found


def test_visit_images_shifted_by_one_row(planted):
    """Visit images in the places of the next ones have the same means, and differences that are not like them."""
    paths = [planted.path("science", visit) for visit in VISITS]
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, [contents[-1], *contents], strict=False):
        path.write_bytes(content)
    answer = planted()
    correlations = {"difference.psfCorrelation.good", "difference.psfCorrelation.deep"}
    assert failed(answer).keys() == correlations | {"template.largestExcess.good"}
    assert failed(answer, "INCONCLUSIVE").keys() == {"science.psfFwhm", "science.limitingMagnitude"}


def test_sources_of_other_visits(planted):
    """Catalogues of other visits than those subtracted pair with nothing: they do not pass for them."""
    table = sources("deep")
    moved = table.set_column(0, "visit", pa.array(table["visit"].to_numpy() + 3))
    pq.write_table(moved, planted.folder / "deep.parquet")
    answer = planted(code=3)
    found = failed(answer, "INCONCLUSIVE")
    assert found["difference.numSources.deep"].startswith(
        "difference.numSources.deep = 320, -19 % against reference over the 16 visits in common "
    )
    assert {name.rpartition(".")[2] for name in found} == {"deep"}


# Results of a query that are missing, or there twice.


@pytest.mark.parametrize("part", ["science", "good_template", "deep_difference"])
def test_exposure_is_missing(planted, part):
    """It is named; what needs it is not measured, the other side is judged, and no row is shifted."""
    planted.path(part, 7).unlink()
    answer = planted()
    kind, side = FILES[part]
    lacks = f"no {side} {kind}" if side else "no science image"
    assert failed(answer)["template.numMissing"].startswith(
        f"template.numMissing = 1 (allowed 0 to 0); visit 7 detector 0: {lacks}; "
    )
    unknown = failed(answer, "NOT_MEASURED")
    metric = f"{kind}.psfFwhm.{side}".rstrip(".")
    what = kind if side else "science image"
    assert unknown[metric] == f"{metric} was not measured in planted: the rerun has no {what} of it (visit 7)"
    other = {"good": "deep", "deep": "good"}.get(side)
    assert not other or not any(name.endswith(f".{other}") for name in failed(answer) | unknown)
    assert failed(answer).keys() <= {"template.numMissing", f"template.numVisits.{side}"}


def test_visit_is_missing(planted):
    """A visit that is not there at all has nothing to be compared with; the count of images says so."""
    for part in FILES:
        planted.path(part, 7).unlink()
    assert failed(planted()) == {"science.numImages": "science.numImages = 15 (allowed 16 to 16)"}


def test_exposure_is_there_twice(planted):
    """Which one is right is not known, so that neither is used."""
    shutil.copy(planted.path("deep_template", 4), planted.folder / "again_4_0_r.fits")
    toml = planted.folder / "rerun.toml"
    entry = '[[exposures]]\nkind = "template"\nside = "deep"\nfiles = ["again_{visit}_{detector}_{band}.fits"]\n'
    toml.write_text(toml.read_text() + entry)
    answer = planted()
    assert failed(answer)["template.numDuplicates"].startswith(
        "template.numDuplicates = 1 (allowed 0 to 0); visit 4 detector 0: deep listed 2 times; "
    )
    unknown = failed(answer, "NOT_MEASURED")
    assert unknown["template.psfFwhm.deep"].endswith(": the data ID is listed 2 times (visit 4)")
    assert not any(name.endswith(".good") for name in failed(answer) | unknown)


# A sample that nobody can draw again.


def visits_of(planted, *options):
    """Return the visits that were measured."""
    answer = planted.measure("--by", "visit", "--metric", "science.psfFwhm", *options)
    return [row["visit"] for row in answer.json["rows"]]


def test_sample_is_drawn_by_its_seed_alone(planted, run):
    """The same seed draws the same visits in any order of files, another one others; it is kept with the numbers."""
    first = visits_of(planted, "--sample-visits", 5, "--sample-seed", 7)
    write_toml(planted.folder, name="planted", files=dict(reversed(FILES.items())))
    assert visits_of(planted, "--sample-visits", 5, "--sample-seed", 7) == first
    assert visits_of(planted, "--sample-visits", 5, "--sample-seed", 8) != first
    manifests = [json.loads(path.read_text()) for path in run.store.glob("planted-*/own/manifest-*.json")]
    kept = {(each["settings"]["sample_visits"], each["settings"]["sample_seed"]) for each in manifests}
    assert {(5, 7), (5, 8)} < kept


# Sides.


def test_both_sides_exchanged(planted):
    """Good templates under the name of deep ones are broader, of more visits, and no part of the others."""
    for visit in VISITS:
        for kind in ("template", "difference"):
            planted.exchange(planted.path(f"good_{kind}", visit), planted.path(f"deep_{kind}", visit))
    found = failed(planted())
    assert found["template.psfGoodMinusDeep"].startswith("template.psfGoodMinusDeep = 2.")
    assert found["template.numDeepLacksGood"].startswith("template.numDeepLacksGood = 14 (allowed 0 to 0); visit 3 ")
    assert "template.numVisits.good" in found
    assert found["template.fracGoodSharper"].startswith("template.fracGoodSharper = 0, -100 % ")


@pytest.mark.parametrize("kinds", [("template", "difference"), ("template",)])
def test_sides_of_one_visit_exchanged(planted, kinds):
    """The visit is named."""
    for kind in kinds:
        planted.exchange(planted.path(f"good_{kind}", 6), planted.path(f"deep_{kind}", 6))
    found = failed(planted())
    assert "; visit 6 detector 0: the deep template lacks 17 visits" in found["template.numDeepLacksGood"]
    assert found["template.largestExcess.good"].endswith("; visit 6 detector 0")
    additive = "difference.largestNonadditivity.good" not in found
    assert additive is (len(kinds) == 2)


def test_sources_of_both_sides_exchanged(planted):
    """Flux errors are larger with the good template."""
    planted.exchange(planted.folder / "good.parquet", planted.folder / "deep.parquet")
    assert failed(planted()).keys() == {"difference.medianFluxError.good", "difference.medianFluxError.deep"}


def separate(home, change):
    """Write each side as a rerun of its own, with a visit image of its own, and return the name of both together."""
    for side in ("good", "deep"):
        folder = home / side
        folder.mkdir(parents=True)
        for visit in VISITS[:4]:
            parts = {part: content for part, content in sound(visit).items() if side in part}
            science = sound(visit)["science"]
            parts["science"] = change(science) if (side, visit) == ("deep", 3) else science
            write_visit(folder, visit, parts)
        write_toml(folder, name=side, files={part: (kind, "") for part, (kind, _) in FILES.items()})
    return ("--repo", home, "--rerun", "good:good,deep:deep")


def one_pixel(content):
    """Change the last bit of one pixel."""
    image = content.image.copy()
    image[5, 9] = np.nextafter(image[5, 9], np.float32(np.inf))
    return replace(content, image=image)


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        (lambda content: content, 0),
        (one_pixel, 1),
        (lambda content: replace(content, variance=content.variance + np.float32(0.1)), 1),
        (lambda content: replace(content, psf=exposure(5.0).psf), 1),
    ],
    ids=["the same", "one pixel", "variance", "size"],
)
def test_visit_image_of_each_side_is_another(run, change, differing):
    """Size from one side and variance from the other are those of one image, or of none."""
    answer = run("measure", *separate(run.folder, change), "--format", "json")
    differs = answer.rows["template.numScienceDiffers"]
    assert differs["value"] == differing
    if differing:
        assert differs["detail"] == "visit 3 detector 0: the science image differs between good and deep"
        assert answer.rows["science.psfFwhm"]["value"] is None
        assert answer.rows["science.medianVariance"]["value"] is None
    assert answer.rows["template.psfFwhm.deep"]["value"] is not None


# Sizes.


def test_template_of_the_worst_visits(planted):
    """It is broader than the visit by more than any other, and is named."""
    good, _ = inputs_of(7)
    for visit in (7, 8):
        planted.write("good_template", visit, exposure(7.5, 4 / len(good), good))
    answer = planted()
    found = failed(answer)
    assert found.keys() == {"template.largestExcess.good"}
    assert found["template.largestExcess.good"].endswith("; visit 8 detector 0")
    unclear = {"template.psfFwhm.good", "template.psfGoodMinusDeep", "template.fracGoodSharper"}
    assert unclear <= failed(answer, "INCONCLUSIVE").keys()


def test_ties_are_a_class_of_their_own(planted):
    """A visit as sharp as its template is neither sharper nor broader; the five classes hold every visit."""
    for visit in range(5, 17):
        planted.write("science", visit, replace(sound(visit)["science"], psf=sound(visit)["good_template"].psf))
    answer = planted()
    assert failed(answer)["template.order.tiesOrMissing"].startswith("template.order.tiesOrMissing = 0.75, +0.75 ")
    orders = [row["value"] for name, row in answer.rows.items() if name.startswith("template.order.")]
    assert (len(orders), sum(orders)) == (5, pytest.approx(1))


def test_visits_of_one_template_are_one(planted):
    """What is measured of templates rests on so many templates as there are, and pairs of the same one are none."""
    rows = planted(code=0).rows
    assert rows["template.psfFwhm.good"]["n_units"] == rows["template.order.visitBelowBoth"]["n_units"] == N_PATCHES
    assert rows["science.psfFwhm"]["n_units"] == len(VISITS)
    expected = np.mean([fwhms_of(visit)[1] - fwhms_of(visit)[2] for visit in VISITS[2:]])
    assert rows["template.psfGoodMinusDeep"]["value"] == pytest.approx(expected)


@pytest.mark.parametrize(("side", "number"), [("good", 1), ("deep", 2)])
def test_visit_went_into_its_own_template(planted, side, number):
    """Its noise is that of the template as well, so that variances do not add up: it is named."""
    good, deep = inputs_of(7)
    inputs = (*(good, deep)[number - 1], 7)
    planted.write(f"{side}_template", 7, exposure(fwhms_of(7)[number], inputs=inputs))
    told = failed(planted())[f"template.numOwnInputs.{side}"]
    assert told.startswith(
        f"template.numOwnInputs.{side} = 1 (allowed 0 to 0); visit 7 detector 0: it is one of the {len(inputs)} visits"
    )


def test_another_kind_of_size(planted):
    """A size of another definition is no change."""
    answer = planted("--psf-size", "trace", code=3)
    refused = failed(answer, "NOT_COMPARABLE")
    assert {"science.psfFwhm", "template.psfFwhm.good", "template.order.goodVisitDeep"} <= refused.keys()
    assert "'psf_kind': 'trace'" in refused["science.psfFwhm"]
    assert not failed(answer)


# Variances.


@pytest.mark.parametrize("factor", [1.15, 0.9])
def test_variance_of_a_difference_is_scaled(planted, factor):
    """One is enough: it is no longer the sum of the others, and the visit and its side are named."""
    content = sound(7)["deep_difference"]
    planted.write("deep_difference", 7, replace(content, variance=content.variance * np.float32(factor)))
    told = failed(planted())
    number = f"{abs(factor - 1):g}"
    assert told == {
        "difference.largestNonadditivity.deep": (
            f"difference.largestNonadditivity.deep = {number} (allowed 0 to 0.02); visit 7 detector 0"
        )
    }


def test_variances_of_all_differences_are_scaled(planted):
    """The ratio itself fails."""
    for visit in VISITS:
        content = sound(visit)["deep_difference"]
        planted.write("deep_difference", visit, replace(content, variance=content.variance * np.float32(1.15)))
    found = failed(planted())
    assert found["difference.varianceAdditivity.deep"].startswith(
        "difference.varianceAdditivity.deep = 1.15, +15 % against reference (allowed ±1 %)"
    )
    assert not any(name.endswith(".good") for name in found)


def test_calibration_of_a_template_is_wrong(planted):
    """Variances are added in one unit, which the calibration tells."""
    planted.write("good_template", 7, replace(sound(7)["good_template"], calibration_mean=2.0))
    assert failed(planted())["difference.largestNonadditivity.good"].endswith("; visit 7 detector 0")


def test_pixels_that_are_no_variance(planted):
    """Infinities, NaN, zeros and masked pixels do not move a median, however large; their share is told."""
    for visit in VISITS:
        content = sound(visit)["good_difference"]
        variance, mask = content.variance.copy(), content.mask.copy()
        variance[:10] = np.inf
        variance[10] = np.nan
        variance[11] = 0
        variance[12:15] = 1e6
        mask[12:15] = 1 << PLANES["BAD"]
        planted.write("good_difference", visit, replace(content, variance=variance, mask=mask))
    answer = planted()
    assert failed(answer) == {
        "difference.fracInvalidPixels.good": (
            "difference.fracInvalidPixels.good = 0.625, +0.625 against reference (allowed ±0.02)"
        )
    }
    assert answer.states["difference.medianVariance.good"] == "PASS"


def test_small_variances_keep_their_digits(planted):
    """A median of 0.000432 is not rounded to three decimals."""
    content = replace(sound(7)["science"], variance=np.full(SHAPE, 4.3217e-4, np.float32))
    planted.write("science", 7, content)
    answer = planted.measure("--by", "visit", "--metric", "science.medianVariance")
    (value,) = [row["value"] for row in answer.json["rows"] if row["visit"] == 7]
    assert value == float(np.float32(4.3217e-4))


def test_no_value_in_a_variance_plane(planted):
    """It is not measured, and what is wrong is named; sizes and the other side are judged."""
    nothing = np.full(SHAPE, np.nan, np.float32)
    planted.write("deep_difference", 7, replace(sound(7)["deep_difference"], variance=nothing))
    answer = planted()
    assert failed(answer).keys() == {"template.numUnreadable"}
    assert "visit 7 detector 0: deep difference.variance: " in failed(answer)["template.numUnreadable"]
    unknown = failed(answer, "NOT_MEASURED")
    assert unknown["difference.varianceAdditivity.deep"].endswith(
        f"{planted.path('deep_difference', 7).name} has no pixel that is neither masked nor NaN in its variance plane "
        "(visit 7)"
    )
    assert answer.states["difference.psfFwhm.deep"] == "PASS"
    assert not any(name.endswith(".good") for name in unknown)


def test_template_without_inputs(planted):
    """It is named, has no size and no variance, and covers nothing; its visit is in no order."""
    empty = exposure(
        inputs=(),
        psf=None,
        mask=np.full(SHAPE, 1 << PLANES["NO_DATA"], np.int32),
        variance=np.full(SHAPE, np.inf, np.float32),
    )
    planted.write("good_template", 7, empty)
    answer = planted()
    found = failed(answer)
    assert found["template.numWithoutInputs"].startswith(
        "template.numWithoutInputs = 1 (allowed 0 to 0); visit 7 detector 0: good template was made of no visit; "
    )
    assert {"template.psfFwhm.good", "template.medianVariance.good"} <= failed(answer, "NOT_MEASURED").keys()
    assert answer.rows["template.order.tiesOrMissing"]["value"] == 1 / len(VISITS)
    assert answer.rows["template.coverage.good"]["value"] == 1 - 1 / len(VISITS)


# DIA sources.


def test_negative_sources_dropped(planted):
    """Sources of both signs count, and a catalogue without the negative ones is not the same."""
    table = sources("deep")
    pq.write_table(table.filter(pc.greater(table["psfFlux"], 0)), planted.folder / "deep.parquet")
    found = failed(planted())
    assert found["difference.fracNegative.deep"].startswith("difference.fracNegative.deep = 0, -100 % ")
    assert found["difference.numSources.deep"].startswith("difference.numSources.deep = 240, -25 % ")
    assert not any(name.endswith(".good") for name in found)


def test_significance_is_of_both_signs(planted):
    """Were negative sources not taken by their size, their median would be another."""
    table = sources("good")
    expected = np.median(np.abs(table["psfFlux"].to_numpy() / table["psfFluxErr"].to_numpy()).reshape(-1, N_SOURCES), 1)
    value = planted.measure("--metric", "difference.medianSnr.good").json["rows"][0]["value"]
    assert value == pytest.approx(math.fsum(expected) / len(VISITS))
