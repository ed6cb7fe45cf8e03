"""PSF sizes of HSC templates, visits and differences (DMTN-256, ``lsst-dm/ap_pipe-notebooks`` f8b973a).

Noise-equivalent areas of 88 visit-detectors.  What is known of them: the template's is below the visit's in 81, and
exceeds it most in visit 11704, detector 58 (58.128 to 54.691 pixel²); areas of difference and visit are correlated by
0.9991, and their ratio has the median 0.9935.
"""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from harness.measure.run import OWN, measure
from harness.measure.store import MeasurementStore
from harness.measure.templates import SUBTRACTIONS
from harness.metrics.settings import Settings
from harness.metrics.template.subtraction import subtractions_of
from harness.rerun import open_rerun
from harness.shipped import shipped

TABLE = "dmtn256_hsc_psf/psf_sizes_table.csv"
TOML = 'instrument = "HSC"\ndataset = "hsc_cosmos"\n[psf_sizes]\nfiles = ["{files}"]\n'
SIGMA_TO_FWHM = 2 * math.sqrt(2 * math.log(2))


@pytest.fixture
def table(real_data):
    """Return the rows of the table, the first one with the names of columns."""
    return [line.split(",") for line in (real_data / TABLE).read_text().splitlines()]


@pytest.fixture
def hsc(real_data, tmp_path):
    """Return a folder with the table as a rerun."""
    (tmp_path / "w_2023_07").mkdir()
    (tmp_path / "w_2023_07" / "rerun.toml").write_text(TOML.format(files=(real_data / TABLE).resolve()))
    return tmp_path


def add_rerun(folder, name, rows):
    """Add a rerun with other rows."""
    (folder / name).mkdir()
    (folder / name / "sizes.csv").write_text("\n".join(map(",".join, rows)) + "\n")
    (folder / name / "rerun.toml").write_text(TOML.format(files="sizes.csv"))


def fwhm_of(area):
    """Return the FWHM of the Gaussian with a noise-equivalent area."""
    return SIGMA_TO_FWHM * math.sqrt(area / (4 * math.pi))


def test_the_known_numbers_come_out(run, hsc):
    """81 of 88, the largest excess with its place, and the correlation; nothing is missing."""
    rows = run.rows("measure", "--repo", hsc, "--rerun", "w_2023_07", "--psf-size", "nea")
    told = {row["metric"]: row for row in rows}
    assert told["template.fracSharperThanVisit"]["value"] == 81 / 88
    excess = told["template.largestExcess"]
    assert excess["value"] == pytest.approx(fwhm_of(58.12765) - fwhm_of(54.691041), rel=1e-6)
    assert excess["detail"] == "visit 11704 detector 58"
    assert told["difference.psfCorrelation"]["value"] == pytest.approx(0.9991, abs=5e-5)
    assert {row["value"] for name, row in told.items() if name.startswith("template.num")} == {0}


def test_areas_come_back_from_what_is_kept(hsc, tmp_path):
    """The subtractions kept for plots hold the areas of the table: excess +3.437 pixel², median ratio 0.9935."""
    rerun, settings, store = open_rerun(str(hsc), "w_2023_07"), Settings(psf_size="nea"), MeasurementStore(tmp_path)
    manifest = measure(rerun, settings, store)
    (kept,) = store.read_tables(store.folder(rerun.ref, OWN), manifest.shards, SUBTRACTIONS)
    found = subtractions_of(kept)
    assert len(found) == 88
    excess = {(each.visit, each.detector): each.template.nea - each.science.nea for each in found}
    assert max(excess, key=excess.get) == (11704, 58)
    assert excess[11704, 58] == pytest.approx(3.437, abs=5e-4)
    assert sum(number > 0 for number in excess.values()) == 7
    assert np.median([each.difference.nea / each.science.nea for each in found]) == pytest.approx(0.9935, abs=5e-5)


def test_published_medians_come_out(hsc, tmp_path):
    """Median areas of template, visit and difference in g and r are those derived from the table elsewhere."""
    published = json.loads((shipped("fixtures") / "published" / "dmtn256.json").read_text())
    rerun, store = open_rerun(str(hsc), "w_2023_07"), MeasurementStore(tmp_path)
    manifest = measure(rerun, Settings(psf_size="nea"), store)
    (kept,) = store.read_tables(store.folder(rerun.ref, OWN), manifest.shards, SUBTRACTIONS)
    found = subtractions_of(kept)
    for band, medians in published["noise_equivalent_area"]["medians"].items():
        own = [each for each in found if each.band == band]
        assert len(own) == medians["visit_detectors"]
        for exposure in ("template", "science", "difference"):
            median = np.median([each.summary(exposure).nea for each in own])
            assert median == pytest.approx(medians[exposure], abs=1e-6), (band, exposure)


def test_sizes_of_another_kind_are_not_taken_for_these(run, hsc):
    """Asked for determinant radii, the harness has none, and says which kind there is."""
    rows = run.rows("measure", "--repo", hsc, "--rerun", "w_2023_07")
    told = {row["metric"]: row for row in rows}
    assert told["science.psfFwhm"]["value"] is None
    assert "no determinant size of its PSF is on record, but its nea size is: --psf-size nea" in str(told)
    assert told["template.numUnreadable"]["value"] == 0


@pytest.fixture
def accepted(run, hsc):
    """Return the command line with a baseline of the sizes."""
    where = ("--repo", hsc, "--psf-size", "nea")
    run("measure", *where, "--rerun", "w_2023_07")
    run.accept("w_2023_07", *where, "--rtol", 0.02)
    run.accept("w_2023_07", "template.fracSharperThanVisit", *where, "--low", 0.5, "--high", 1)
    run.accept("w_2023_07", "difference.psfCorrelation", *where, "--low", 0.98)
    return run


def test_the_same_sizes_in_another_order_meet_the_baseline(accepted, hsc, table):
    """The kind of size is that of the baseline; the order of rows says nothing."""
    add_rerun(hsc, "again", [table[0], *reversed(table[1:])])
    rows = accepted.rows("verify", "--repo", hsc, "--rerun", "again")
    assert {row["state"] for row in rows} == {"PASS"}
    assert {"template.fracSharperThanVisit", "difference.psfCorrelation"} <= {row["metric"] for row in rows}


def test_broader_templates_are_told(accepted, hsc, table):
    """Templates of 1.5 times the area are 22 % broader, and nearly all of them broader than their visits."""
    broader = [[*row[:4], str(1.5 * float(row[4])), *row[5:]] for row in table[1:]]
    add_rerun(hsc, "broader", [table[0], *broader])
    rows = accepted.rows("verify", "--repo", hsc, "--rerun", "broader", code=1)
    failed = {row["metric"] for row in rows if row["state"] == "FAIL"}
    assert failed == {"template.psfFwhm", "template.largestExcess", "template.fracSharperThanVisit"}


def test_a_column_that_does_not_belong_to_its_rows_is_told(accepted, hsc, table):
    """Sizes of differences one row off keep their mean, and lose their correlation with those of the visits."""
    shifted = [[*row[:6], other[6]] for row, other in zip(table[1:], [*table[30:], *table[1:30]], strict=True)]
    add_rerun(hsc, "shifted", [table[0], *shifted])
    rows = accepted.rows("verify", "--repo", hsc, "--rerun", "shifted", code=1)
    states = {row["metric"]: row["state"] for row in rows}
    assert states.pop("difference.psfCorrelation") == "FAIL"
    assert states.pop("difference.psfFwhm") != "FAIL"
    assert set(states.values()) == {"PASS"}


@pytest.mark.slow
def test_the_same_checks_judge_the_simulated_survey(accepted, hsc, table):
    """One check of the harness tells both: HSC sizes that meet their baseline, simulated ones that do not."""
    check = "test_psfs_are_as_expected"
    add_rerun(hsc, "again", [table[0], *reversed(table[1:])])
    real = accepted.rows("verify", "--repo", hsc, "--rerun", "again", "--", "-k", check)
    accepted("measure", "--dataset", "latiss", "--rerun", "w_2023_49")
    accepted.accept("w_2023_49", "--dataset", "latiss", "--rtol", 0.02)
    simulated = accepted.rows("verify", "--dataset", "latiss", "--rerun", "w_2023_52", "--", "-k", check, code=1)
    judged = {row["metric"].removesuffix(".good").removesuffix(".deep") for row in simulated}
    assert {row["metric"] for row in real} == judged
    assert {row["state"] for row in real} == {"PASS"}
    assert "template.largestExcess.good" in {row["metric"] for row in simulated if row["state"] == "FAIL"}
