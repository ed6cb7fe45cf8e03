"""Measuring subtractions from files to rows."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embedded_images import (
    FILES,
    PLANES,
    SHAPE,
    Measured,
    exposure,
    name_of,
    subtraction,
    survey,
    unordered,
    write_toml,
    write_visit,
)
from embedded_survey import cut_short

from harness.measure.run import process_executor
from harness.measure.templates import SOURCES, SUBTRACTIONS, TEMPLATE, template_tasks
from harness.metrics.settings import Settings
from harness.metrics.template.subtraction import subtractions_of
from harness.rerun import open_rerun


def subtractions(measured):
    """Return the subtractions by visit and side."""
    found = [each for table in measured.kept(SUBTRACTIONS) for each in subtractions_of(table)]
    return {(each.visit, each.side): each for each in found}


def test_a_sound_survey_gives_its_truth(tmp_path):
    """Sizes, variances, inputs and coverage are those that were written, and nothing is wrong."""
    survey(tmp_path)
    measured = Measured(tmp_path)
    values = measured.values
    assert values["science.psfFwhm"] == pytest.approx(5.1)
    assert values["template.psfFwhm.good"] == pytest.approx(4.0)
    assert values["template.psfGoodMinusDeep"] == pytest.approx(-2.0)
    assert values["template.medianVariance.good"] == 2.0
    assert values["difference.varianceAdditivity.good"] == values["difference.varianceAdditivity.deep"] == 1.0
    assert (values["template.numVisits.good"], values["template.numVisits.deep"]) == (2, 4)
    assert values["template.coverage.good"] == 1.0
    assert values["template.order.goodVisitDeep"] == 1.0
    sanity = {name: value for name, value in values.items() if name.startswith("template.num") and "Visits" not in name}
    assert set(sanity.values()) == {0.0}
    assert {row["instrument"] for row in measured.rows} == {"LATISS"}
    assert {row["band"] for row in measured.of("science.psfFwhm").values()} == {"r"}


def test_all_visits_of_a_template_have_one_unit(tmp_path):
    """Whatever visit it was subtracted from, and whatever side is broken there, a template is one coadd."""
    survey(tmp_path, (1, 2, 3, 4))
    others = {"good_template": exposure(4.0, 2.0, (31,)), "deep_template": exposure(6.0, 1.0, (31, 32))}
    write_visit(tmp_path, 5, subtraction() | others)
    cut_short(tmp_path / name_of("deep_template", 2), 0.3)
    (tmp_path / name_of("deep_template", 3)).unlink()
    cut_short(tmp_path / name_of("good_template", 4), 0.3)
    measured = Measured(tmp_path)
    coadds = {visit: row["coadd"] for (visit, _), row in measured.of("template.psfFwhm.good").items()}
    assert coadds[1] == coadds[2] == coadds[3] == coadds[4] != coadds[5]
    assert measured.by_metric["template.psfFwhm.good"].n_units == 2
    assert coadds[1] == "templates of visit 1"


def test_sides_are_joined_by_data_id(tmp_path):
    """The order in which exposures are listed has no part in any number."""
    for visit in (1, 2, 3):
        for detector in (0, 1):
            write_visit(tmp_path, visit, subtraction(5 + 0.1 * visit, 4 + 0.3 * visit), detector=detector)
    write_toml(tmp_path)
    measured = Measured(tmp_path)
    for (visit, _), row in measured.of("template.psfFwhm.good").items():
        assert row["numerator"] == pytest.approx(4 + 0.3 * visit)
    assert len(measured.of("template.psfFwhm.good")) == 6
    other = tmp_path / "other"
    other.mkdir()
    for path in tmp_path.glob("*.fits"):
        (other / path.name).write_bytes(path.read_bytes())
    write_toml(other, files=dict(reversed(FILES.items())))
    assert unordered(Measured(other).rows) == unordered(measured.rows)


@pytest.mark.parametrize("part", FILES)
@pytest.mark.parametrize("damage", ["cut short", "nonsense", "missing"])
def test_damage_is_a_problem_of_its_own_data_id(tmp_path, part, damage):
    """It is told with the file's name, and everything else is as if it were not there."""
    survey(tmp_path)
    path = tmp_path / name_of(part, 2)
    if damage == "missing":
        path.unlink()
    elif damage == "nonsense":
        path.write_bytes(b"nonsense")
    else:
        cut_short(path, 0.3)
    measured = Measured(tmp_path)
    kind = FILES[part][0]
    counted = "template.numMissing" if damage == "missing" else "template.numUnreadable"
    assert measured.by_metric[counted].value == 1
    assert {key for key, row in measured.of(counted).items() if row["numerator"]} == {(2, 0)}
    if damage != "missing":
        assert path.name in measured.by_metric[counted].detail
    metric = "science.psfFwhm" if kind == "science" else f"{kind}.psfFwhm.{FILES[part][1]}"
    sizes = measured.of(metric)
    assert [key for key, row in sizes.items() if not math.isfinite(row["numerator"])] == [(2, 0)]
    assert (path.name in sizes[2, 0]["detail"]) is (damage != "missing")
    assert f"no {kind}" in sizes[2, 0]["detail"] or damage != "missing"


def test_a_broken_plane_leaves_the_other_numbers(tmp_path):
    """A variance plane of NaN costs the variance; the PSF size of the same exposure is there."""
    survey(tmp_path)
    nothing = np.full(SHAPE, np.nan, np.float32)
    write_visit(tmp_path, 2, {"deep_difference": exposure(5.1, 5.0, variance=nothing)})
    measured = Measured(tmp_path)
    assert math.isnan(measured.of("difference.medianVariance.deep")[2, 0]["numerator"])
    assert "deep_difference_2" in measured.of("difference.medianVariance.deep")[2, 0]["detail"]
    assert measured.of("difference.psfFwhm.deep")[2, 0]["numerator"] == pytest.approx(5.1)
    assert measured.of("difference.medianVariance.good")[2, 0]["numerator"] == 6.0
    assert measured.by_metric["template.numUnreadable"].value == 1


def test_kinds_of_size_never_mix(tmp_path):
    """An exposure of which another kind alone is known has no size, and says so."""
    survey(tmp_path)
    no_psf = exposure(5.0, psf=None, summary={"psfIxx": 4.0, "psfIyy": 4.0, "psfIxy": 0.0})
    write_visit(tmp_path, 2, {"science": no_psf})
    trace = Measured(tmp_path, settings=Settings(psf_size="trace"))
    assert trace.of("science.psfFwhm")[2, 0]["numerator"] == pytest.approx(2 * 2.3548200450309493)
    nea = Measured(tmp_path, settings=Settings(psf_size="nea"))
    assert math.isnan(nea.of("science.psfFwhm")[2, 0]["numerator"])
    assert "has no PSF" in nea.of("science.psfFwhm")[2, 0]["detail"]
    assert {each.template.psf_kind for each in subtractions(nea).values()} == {"nea"}


def test_the_source_of_a_size_is_kept(tmp_path):
    """Recorded in the file, in a table beside it, or evaluated here."""
    survey(tmp_path)
    write_visit(tmp_path, 1, {"science": exposure(5.0, summary={"psfSigma": 2.0})})
    columns = {"visit": [2], "detector": [0], "science_psf_determinant": [4.5], "template_psf_determinant_deep": [7.0]}
    pq.write_table(pa.table(columns), tmp_path / "sizes.parquet")
    write_toml(tmp_path, "[psf_sizes]", 'files = ["sizes.parquet"]')
    found = subtractions(Measured(tmp_path))
    assert found[1, "good"].science.source == "summary statistics"
    assert (found[2, "good"].science.source, found[2, "deep"].science.fwhm) == ("sizes.parquet", 4.5)
    assert (found[2, "deep"].template.source, found[2, "deep"].template.fwhm) == ("sizes.parquet", 7.0)
    assert found[2, "good"].template.source == found[3, "good"].science.source == "evaluated"


def test_a_template_without_inputs_is_told(tmp_path):
    """It has no visit, no coverage and no variance; the other side and other visits are measured."""
    survey(tmp_path)
    empty = exposure(
        inputs=(),
        psf=None,
        mask=np.full(SHAPE, 1 << PLANES["NO_DATA"], np.int32),
        variance=np.full(SHAPE, np.inf, np.float32),
    )
    write_visit(tmp_path, 2, {"good_template": empty})
    measured = Measured(tmp_path)
    found = measured.by_metric
    assert found["template.numWithoutInputs"].value == 1
    assert "visit 2 detector 0: good template was made of no visit" in found["template.numWithoutInputs"].detail
    assert measured.of("template.coverage.good")[2, 0]["numerator"] == 0.0
    assert math.isnan(measured.of("template.medianVariance.good")[2, 0]["numerator"])
    assert measured.of("template.medianVariance.deep")[2, 0]["numerator"] == 1.0


def test_what_is_there_twice_is_told(tmp_path):
    """Which of two files of one data ID is right nobody knows, so that neither is used."""
    survey(tmp_path)
    write_visit(tmp_path, 2, {"good_template_again": subtraction()["good_template"]})
    write_toml(tmp_path, files={**FILES, "good_template_again": FILES["good_template"]})
    measured = Measured(tmp_path)
    assert measured.by_metric["template.numDuplicates"].value == 1
    assert "visit 2 detector 0: good listed 2 times" in measured.by_metric["template.numDuplicates"].detail
    assert math.isnan(measured.of("template.psfFwhm.good")[2, 0]["numerator"])
    assert measured.of("template.psfFwhm.deep")[2, 0]["numerator"] == pytest.approx(6.0)


def test_digests_are_formed_of_two_science_images_alone(tmp_path):
    """One science image is not compared with itself; those of two reruns are, by their pixels."""
    content = subtraction()
    other = replace(content["science"], image=content["science"].image + np.float32(1))
    for name, parts, visits in (
        ("a", ("science", "good_template", "good_difference"), {1: content, 2: content}),
        ("b", ("science", "deep_template", "deep_difference"), {1: content, 2: content | {"science": other}}),
    ):
        for visit, made in visits.items():
            write_visit(tmp_path / name, visit, {part: made[part] for part in parts})
        files = {part: (kind, "") for part, (kind, _) in FILES.items() if part in parts}
        write_toml(tmp_path / name, name=name, files=files)
    single = subtractions(Measured(tmp_path, "a"))
    assert {each.science_digest for each in single.values()} == {""}
    measured = Measured(tmp_path, "good:a,deep:b")
    assert measured.by_metric["template.numScienceDiffers"].value == 1
    assert "visit 2 detector 0" in measured.by_metric["template.numScienceDiffers"].detail
    assert measured.of("template.psfGoodMinusDeep")[1, 0]["numerator"] == pytest.approx(-2.0)
    found = subtractions(measured)
    assert found[1, "good"].science_digest == found[1, "deep"].science_digest != ""


def test_a_sample_is_drawn_again_by_its_seed(tmp_path):
    """Any number draws part of a larger one, and nothing else of the sample is read; what was drawn is on record."""
    survey(tmp_path, range(1, 9))
    rerun = open_rerun(str(tmp_path), "r")

    def drawn(n, seed=0):
        tasks = template_tasks(rerun, Settings(sample_visits=n, sample_seed=seed))
        return {visit for task in tasks for part in task.partitions for visit in part.visits}

    samples = [drawn(n) for n in (2, 3, 5, 0)]
    assert [len(each) for each in samples] == [2, 3, 5, 8]
    assert all(a < b for a, b in pairwise(samples))
    assert drawn(3) == samples[1] != drawn(3, seed=1)

    measured = Measured(tmp_path, settings=Settings(sample_visits=2, sample_seed=0))
    assert {visit for visit, _ in subtractions(measured)} == samples[0]
    assert measured.manifest.settings["sample_visits"] == 2
    assert measured.manifest.settings["sample_seed"] == 0


@pytest.mark.slow
def test_processes_give_the_same_rows(tmp_path):
    """A task carries references alone, which another process can open."""
    survey(tmp_path)
    alone = Measured(tmp_path)
    (tmp_path / "measurements").rename(tmp_path / "alone")
    with process_executor(2) as executor:
        together = Measured(tmp_path, executor=executor)
    assert unordered(together.rows) == unordered(alone.rows)


SIZES = """instrument,band,visit,detector,Templ_psf_nea,Calexp_psf_nea,Diff_psf_nea
HSC,g,11690,49,60.0,70.0,69.0
HSC,g,11690,50,60.5,71.0,69.5
HSC,g,11692,49,80.0,70.5,70.0
HSC,g,11694,49,50.0,,50.0
"""


def test_a_table_of_sizes_alone_is_measured(tmp_path):
    """Areas are those of the table, FWHM follow from them, and pixels are not asked for."""
    (tmp_path / "sizes.csv").write_text(SIZES)
    (tmp_path / "rerun.toml").write_text('name = "r"\n[psf_sizes]\nfiles = ["sizes.csv"]\n')
    measured = Measured(tmp_path, settings=Settings(psf_size="nea"))
    found = subtractions(measured)
    assert found[11692, ""].template.nea == pytest.approx(80.0)
    assert found[11692, ""].template.fwhm == pytest.approx(2.3548200450309493 * math.sqrt(80 / (4 * math.pi)))
    sharper = measured.of("template.fracSharperThanVisit")
    assert [row["numerator"] for row in sharper.values()][:3] == [1.0, 1.0, 0.0]
    assert math.isnan(sharper[11694, 49]["numerator"])
    areas = ([70.0, 71.0, 70.5], [69.0, 69.5, 70.0])
    assert measured.by_metric["difference.psfCorrelation"].value == pytest.approx(np.corrcoef(*areas)[0, 1], abs=1e-12)
    assert not measured.of("science.medianVariance")
    assert "template.medianVariance" not in {row["metric"] for row in measured.rows}


def test_another_kind_of_size_than_that_of_the_table_is_offered(tmp_path):
    """Nothing is compared, and the words say what to ask for."""
    (tmp_path / "sizes.csv").write_text(SIZES)
    (tmp_path / "rerun.toml").write_text('name = "r"\n[psf_sizes]\nfiles = ["sizes.csv"]\n')
    measured = Measured(tmp_path)
    assert all(math.isnan(row["numerator"]) for row in measured.of("template.psfFwhm").values())
    said = measured.of("template.psfFwhm")[11690, 49]["detail"]
    assert said == "no determinant size of its PSF is on record, but its nea size is: --psf-size nea"


def test_a_table_of_sizes_may_have_two_sides(tmp_path):
    """Good and deep are compared by their sizes alone; what is of no side is of both."""
    columns = {
        "visit": [1, 2, 3],
        "detector": [0, 0, 0],
        "science_psf_trace": [5.0, 4.0, 9.0],
        "template_psf_trace_good": [4.0, 4.5, 4.0],
        "template_psf_trace_deep": [6.0, 6.0, 6.0],
    }
    pq.write_table(pa.table(columns), tmp_path / "sizes.parquet")
    (tmp_path / "rerun.toml").write_text('name = "r"\n[psf_sizes]\nfiles = ["sizes.parquet"]\n')
    measured = Measured(tmp_path, settings=Settings(psf_size="trace"))
    order = measured.values
    assert order["template.order.goodVisitDeep"] == pytest.approx(1 / 3)
    assert order["template.order.visitBelowBoth"] == pytest.approx(1 / 3)
    assert measured.of("template.psfGoodMinusDeep")[2, 0]["numerator"] == pytest.approx(-1.5)


def sources(visits, flux, **more):
    """Return DIA sources."""
    n = len(visits)
    flags = dict.fromkeys(("pixelFlags_bad", "pixelFlags_suspect", "pixelFlags_saturatedCenter"), [False] * n)
    columns = {"visit": pa.array(visits, pa.int64()), "detector": pa.array([0] * n, pa.int32())}
    columns |= {"psfFlux": pa.array(flux, pa.float64()), "psfFluxErr": pa.array([10.0] * n, pa.float64())}
    return pa.table({**columns, **{name: pa.array(values, pa.bool_()) for name, values in flags.items()}, **more})


def with_sources(folder, **tables):
    """Add tables of DIA sources to a rerun."""
    lines = []
    for side, table in tables.items():
        pq.write_table(table, folder / f"dia_{side}.parquet")
        lines += [f'[tables."diaSource.{side}"]', f'files = ["dia_{side}.parquet"]']
    write_toml(folder, *lines)


def test_sources_of_each_side_are_counted(tmp_path):
    """A visit that was searched in vain counts none, one that was not searched counts not at all."""
    survey(tmp_path)
    (tmp_path / name_of("deep_difference", 3)).unlink()
    with_sources(tmp_path, good=sources([1, 1, 2], [50.0, -30.0, 100.0]), deep=sources([1], [70.0]))
    measured = Measured(tmp_path)
    count = {side: measured.of(f"difference.numSources.{side}") for side in ("good", "deep")}
    assert {visit: row["numerator"] for (visit, _), row in count["good"].items()} == {1: 2, 2: 1, 3: 0}
    assert {visit: row["numerator"] for (visit, _), row in count["deep"].items()} == {1: 1, 2: 0}
    assert measured.of("difference.medianSnr.good")[1, 0]["numerator"] == pytest.approx(4.0)
    assert {row["band"] for row in count["good"].values()} == {"r"}
    assert sum(table.num_rows for table in measured.kept(SOURCES)) == 4


def test_sources_are_those_of_the_sample(tmp_path):
    """With a sample of visits, DIA sources of other visits do not count."""
    survey(tmp_path)
    with_sources(tmp_path, good=sources([1, 2, 3], [50.0] * 3), deep=sources([1, 2, 3], [70.0] * 3))
    sampled = Measured(tmp_path, settings=Settings(sample_visits=2))
    chosen = {visit for visit, _ in sampled.of("science.psfFwhm")}
    assert len(chosen) == 2
    for side in ("good", "deep"):
        assert {visit for visit, _ in sampled.of(f"difference.numSources.{side}")} == chosen


def test_a_side_without_any_source_counts_none(tmp_path):
    """An empty table is a result, not the absence of one."""
    survey(tmp_path)
    with_sources(tmp_path, good=sources([1], [50.0]), deep=sources([], []))
    measured = Measured(tmp_path)
    assert measured.by_metric["difference.numSources.deep"].value == 0
    assert len(measured.of("difference.numSources.deep")) == 3


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (["pixelFlags_suspect"], "flag list S3 needs pixelFlags_suspect, not in the table"),
        (["psfFlux", "psfFluxErr"], "DIA sources need psfFlux, psfFluxErr, not in the table"),
    ],
)
def test_a_side_that_lacks_columns_says_which(tmp_path, lost, words):
    """No source of it is counted, good or not; the other side's are."""
    survey(tmp_path)
    with_sources(tmp_path, good=sources([1], [50.0]).drop_columns(lost), deep=sources([1], [60.0]))
    measured = Measured(tmp_path)
    rows = [row for row in measured.rows if row["metric"].startswith("difference.numSources.")]
    (told,) = [row for row in rows if row["metric"].endswith("good")]
    assert math.isnan(told["numerator"])
    assert told["detail"] == words
    for name in ("medianSnr", "medianFluxError", "fracNegative"):
        unknown = measured.by_metric[f"difference.{name}.good"]
        assert math.isnan(unknown.value)
        assert words in unknown.detail
    assert measured.by_metric["difference.numSources.deep"].value == 1


def test_a_rerun_without_subtractions_has_no_such_metrics(tmp_path):
    """Visit images alone are compared with nothing."""
    write_visit(tmp_path, 1, {"science": exposure()})
    write_toml(tmp_path)
    assert not TEMPLATE.applies(open_rerun(str(tmp_path), "r"))
