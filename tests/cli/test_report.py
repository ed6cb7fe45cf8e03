"""``rerun-harness report``: the page of what verify finds, with the exit code of verify."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.csv
import pytest
from embedded_survey import APRIL, JUNE, MAY
from flux_ladders import ladder_curve

from harness.metrics.ptc.curve import curves_table


def report(run, *arguments, code=0):
    """Write the page, and return what was said and the page."""
    answer = run("report", *arguments, code=code)
    return answer, (run.folder / "report.html").read_text(encoding="utf-8")


def test_all_holds(measured):
    """The page and the last line count the verdicts, and all holds."""
    answer, html = report(measured, "--rerun", JUNE)
    (said,) = answer.out.splitlines()
    assert said.startswith("wrote report.html: ")
    summary = said.removeprefix("wrote report.html: ")
    assert summary.endswith(" PASS")
    assert f"<li><strong>{summary.split()[0]}</strong> judged</li>" in html
    assert answer.complaints == []
    assert 'id="failed"' not in html


def test_what_fails_fails_here_too(measured):
    """A job that does nothing but write the page is red when verify would be."""
    answer, html = report(measured, "--rerun", MAY, "--reference", APRIL, code=1)
    assert " FAIL, " in answer.out
    assert "dia.numSources = 19141, +8.3 % against w_2020_15" in html
    assert f"rerun-harness diff {MAY} {APRIL}" in html
    assert "<img" not in html


def test_a_check_that_goes_wrong_by_itself(measured):
    """An error in a check's own code is on the page, and is no success."""
    checks = measured.folder / "test_mine.py"
    checks.write_text("def test_mine(rerun):\n    assert rerun['dia.numSources'] and 1 / 0\n", encoding="utf-8")
    _, html = report(measured, "--rerun", JUNE, "--checks", checks, code=1)
    assert "Checks that went wrong by themselves" in html
    assert "test_mine" in html


def test_flats_have_figures(run):
    """The page of photon transfer curves holds their figures, and says what was not judged."""
    curve = ladder_curve("logarithmic", np.random.default_rng(0), a00=-2e-6)
    table = curves_table([replace(curve, amplifier=name) for name in ("C00", "<b>C01")])
    pyarrow.csv.write_csv(table.drop_columns(["covariance", "covarianceError"]), run.folder / "curves.csv")
    toml = 'name = "run_1"\ninstrument = "LSSTCam"\n[curves]\nfiles = ["curves.csv"]\n'
    (run.folder / "rerun.toml").write_text(toml, encoding="utf-8")
    _, html = report(run, "--repo", run.folder, "--rerun", "run_1", code=3)  # nothing is expected of it
    assert html.count('<img src="data:image/png;base64,') == 4
    assert "Variance against mean signal of 2 amplifiers" in html
    assert "<b>" not in html


def test_page_that_cannot_be_written(run):
    """A folder that is not there is one sentence, said before anything is measured."""
    answer = run("report", "--rerun", JUNE, "--out", "no/where/report.html", code=2)
    assert answer.complaint == "cannot write no/where/report.html: there is no folder no/where"
    assert not run.store.exists()
    assert not (run.folder / "no").exists()


def test_a_folder_is_no_page(run):
    """A folder in the page's place is refused before anything is measured."""
    answer = run("report", "--out", run.folder, code=2)
    assert "is a directory" in answer.err
    assert not run.store.exists()


def test_a_failed_write_leaves_the_old_page(measured, monkeypatch):
    """A full disk is one sentence, and the page of before is still there."""
    (measured.folder / "report.html").write_text("old", encoding="utf-8")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    answer = measured("report", "--rerun", JUNE, code=2)
    assert answer.complaint.startswith("cannot write report.html: no space left on device")
    assert (measured.folder / "report.html").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize(
    "code",
    [
        "import harness, harness.cli, harness.session, harness.plugin, harness.verify",
        "from harness.cli import main; main(['--help'], standalone_mode=False)",
        "from harness.cli import main; main(['verify', *sys.argv[1:]])",
    ],
    ids=["import", "help", "verify"],
)
def test_figures_and_pages_cost_nothing_to_who_wants_none(measured, code):
    """Only ``report`` imports what draws and what fills in a page."""
    script = (
        "import atexit, os, sys\n"
        "@atexit.register\n"
        "def check():\n"
        "    found = {'matplotlib', 'jinja2'} & set(sys.modules)\n"
        "    print(found, file=sys.stderr)\n"
        "    os._exit(9 if found else 0)\n" + code
    )
    arguments = ["--rerun", JUNE, "--measurements", str(measured.store)] if "verify'" in code else []
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "set()"
    assert done.returncode == 0


def test_a_report_takes_the_form_of_its_name(measured):
    """Page, Markdown and JSON are written of one run, and say the same."""
    names = ["report.html", "summary.md", "verdicts.json"]
    outs = [part for name in names for part in ("--out", name)]
    answer = measured("report", "--rerun", MAY, "--reference", APRIL, *outs, code=1)
    assert answer.out.startswith("wrote report.html, summary.md, verdicts.json: ")
    failing = "dia.numSources = 19141, +8.3 % against w_2020_15"
    for name in names:
        assert failing in (measured.folder / name).read_text(encoding="utf-8").replace("\\_", "_"), name


def test_a_form_that_is_not_known_is_refused_before_anything_is_measured(run):
    """The name is wrong from the start: nothing is opened for it."""
    answer = run("report", "--out", "report.pdf", code=2)
    assert answer.err == "Error: cannot write report.pdf: a report is .html, .md or .json\n"


def test_a_workflow_is_told_of_what_fails(measured, monkeypatch):
    """On GitHub the worst failures are annotations, whose first line tells the story; elsewhere there are none."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    told = measured("report", "--rerun", MAY, "--reference", APRIL, code=1).out.splitlines()
    assert any(line.startswith("::error ") and "dia.numSources = 19141" in line for line in told)
    monkeypatch.setenv("GITHUB_ACTIONS", "")
    assert len(measured("report", "--rerun", MAY, "--reference", APRIL, code=1).out.splitlines()) == 1
