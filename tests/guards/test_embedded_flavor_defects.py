"""The embedded flavor whose kernel is wrong is told from the right one, by several things that are wrong with it."""

from __future__ import annotations

import pytest
from embedded_survey import CommandLine
from planted_images import failed

pytestmark = pytest.mark.slow

RIGHT, WRONG = "convolve_template", "wrong_kernel"

ACCEPTED = {
    "--low -0.5 --high 0.7": ("injected.fluxPullMean", "injected.fluxPullMean.S6"),
    "--low 0.8 --high 2": ("injected.fluxPullWidth", "injected.fluxPullWidth.S6"),
    "--low -0.03 --high 0.03": ("injected.magOffset",),
    "--low -50 --high 50": ("injected.offsetRa", "injected.offsetDec"),
    "--rtol 0.05": ("flavor.medianFluxErr", "difference.psfFwhm"),
    "--rtol 0.1": ("injected.efficiency",),
}


@pytest.fixture(scope="module")
def judged(survey_folder):
    """Return what is judged of the wrong flavor beside the right one, by a baseline that was accepted from that."""
    folder = survey_folder / "judged_flavors"
    folder.mkdir(parents=True)
    command = CommandLine(folder)
    where = ("--baselines", command.baselines, "--dataset", "hsc_sprint")
    why = ("--allow-ci", "--reason", "as it was made", "--by", "A. Person")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RERUN_HARNESS_CACHE", str(survey_folder))
        for options, globs in ACCEPTED.items():
            command("accept", RIGHT, *globs, *where, *why, *options.split())
        return command("verify", "--rerun", WRONG, "--reference", RIGHT, *where, "--format", "json", code=1)


def test_wrong_kernel(judged):
    """Fluxes of injections are too large by far more than their errors, and so are errors and the PSF."""
    found = failed(judged)
    assert {"injected.fluxPullMean", "injected.fluxPullWidth", "injected.magOffset", "flavor.medianFluxErr"} <= (
        found.keys()
    )
    assert "difference.psfFwhm" in found


def test_what_the_kernel_has_no_part_in(judged):
    """Positions are right, and as much is found."""
    states = {judged.states[name] for name in ("injected.offsetRa", "injected.offsetDec", "injected.efficiency")}
    assert states == {"PASS"}


def test_the_setting_is_named(judged):
    """It is the only one that differs, and is told beside what failed."""
    (line,) = [line for line in judged.rows["injected.fluxPullMean"]["context"] if line.startswith("config ")]
    assert line == "config     subtractImages: makeKernel.sciencePsfScale is 1.2, was 1.0"
