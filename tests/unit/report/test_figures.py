"""Which figures a rerun has: four of each detector with curves, of the first few detectors, and those of images."""

from __future__ import annotations

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.csv
from flux_ladders import ladder_curve
from subtractions import visit_with_both

from harness.metrics.alerts.numbers import alerts_schema
from harness.metrics.background.record import Background, backgrounds_table
from harness.metrics.ptc.curve import curves_table
from harness.metrics.template.subtraction import subtractions_table
from harness.report.figures import figures_of
from harness.request import Request
from harness.session import Session


def measured(folder, detectors):
    """Return a session with a measured rerun that holds curves of two amplifiers of some detectors."""
    curve = ladder_curve("logarithmic", np.random.default_rng(0), a00=-2e-6)
    curves = [
        replace(curve, detector=number, detector_name=name, amplifier=amplifier)
        for number, name in detectors
        for amplifier in ("C00", "C01")
    ]
    table = curves_table(curves).drop_columns(["covariance", "covarianceError"])
    pyarrow.csv.write_csv(table, folder / "curves.csv")
    (folder / "rerun.toml").write_text(
        'name = "run_1"\ninstrument = "LSSTCam"\n[curves]\nfiles = ["curves.csv"]\n', encoding="utf-8"
    )
    session = opened(folder)
    session.measure()
    return session


REF = SimpleNamespace(name="run_1")


def keeping(stored):
    """Return what figures need of a session that keeps these tables."""
    return SimpleNamespace(
        tables=lambda ref, name: [stored[name]] if name in stored else [],
        settings=SimpleNamespace(psf_size="determinant"),
    )


def opened(folder):
    """Return a session with the rerun of the folder."""
    places = {"measurements": folder / "measurements", "baselines": folder / "baselines"}
    return Session(Request(repo=str(folder), reruns=("run_1",), **places))


def drawings(session):
    """Return the figures of the rerun."""
    return [drawing for _, drawing in figures_of(session, session.refs[0])]


def test_a_detector_has_four_figures(tmp_path):
    """Titles say of what, and descriptions what is to be seen."""
    drawn = drawings(measured(tmp_path, [(94, "R22_S11")]))
    assert [drawing.title for drawing in drawn] == [
        "run_1, R22_S11: gain by method and amplifier",
        "run_1, R22_S11: photon transfer curves",
        "run_1, R22_S11: residuals",
        "run_1, R22_S11: gain against flux",
    ]
    assert all("2 amplifiers" in drawing.description for drawing in drawn)
    assert [len(drawing.figure.axes) for drawing in drawn] == [1, 2, 2, 2]


def test_gains_are_those_of_the_detector(tmp_path):
    """Each detector's figure of gains has its own amplifiers, and no others."""
    drawn = drawings(measured(tmp_path, [(1, "R01_S00"), (2, "R01_S01")]))
    assert [drawing.title.split(":")[0] for drawing in drawn[::4]] == ["run_1, R01_S00", "run_1, R01_S01"]
    assert [len(drawing.figure.axes[0].get_xticks()) for drawing in drawn[::4]] == [2, 2]


def test_a_focal_plane_is_not_drawn_whole(tmp_path):
    """Of many detectors the first four are drawn, and each title says so."""
    drawn = drawings(measured(tmp_path, [(number, f"R01_S{number:02}") for number in range(6)]))
    assert len(drawn) == 16
    assert all("drawn are 4 of 6 detectors" in drawing.title for drawing in drawn)
    assert "R01_S03" in drawn[-1].title


def test_nothing_measured_has_no_figures(tmp_path):
    """A rerun that was not measured has none."""
    measured(tmp_path, [(94, "R22_S11")])
    shutil.rmtree(tmp_path / "measurements")
    assert drawings(opened(tmp_path)) == []


def test_every_analysis_has_its_figures():
    """What is stored of an analysis is enough for its figures to be drawn."""
    stored = {
        "subtractions": subtractions_table(visit_with_both(1)),
        "backgrounds": backgrounds_table([Background("coadd", "", -1, -1, "r", "tract 1, patch 2, r")]),
        "alerts": pa.Table.from_pylist([{"visit": 1, "detector": 2}], alerts_schema()),
    }
    found = {
        name: [(analysis, drawing.title) for analysis, drawing in figures_of(keeping({name: table}), REF)]
        for name, table in stored.items()
    }
    assert ("Templates", "run_1: order of PSF sizes") in found["subtractions"]
    assert found["backgrounds"] == [
        ("Backgrounds", "run_1: backgrounds of coadds"),
        ("Backgrounds", "run_1: closure of backgrounds"),
    ]
    assert found["alerts"] == [("Alerts", "run_1: alert packets")]
    assert list(figures_of(keeping({}), REF)) == []
