"""The defects that the embedded images were made with are found, each where it is, and nothing else is."""

from __future__ import annotations

import pytest
from embedded_survey import CommandLine

from harness.embedded import EMBEDDED_DATASETS

pytestmark = pytest.mark.slow

ACCEPTED = {
    "latiss": {
        "": ("template.num[DMSUW]*",),
        "--low 40 --high 40": ("science.numImages",),
        "--low -9 --high 0": ("template.psfGoodMinusDeep",),
        "--low 0 --high 0.03": ("difference.largestNonadditivity.*",),
        "--rtol 0.01": (
            *("science.psfFwhm", "science.medianVariance", "template.psfFwhm.*", "template.medianVariance.*"),
            *("template.largestExcess.*", "difference.varianceAdditivity.*"),
        ),
        "--atol 0.02": ("template.order.*", "template.fracGood*"),
    },
    "dp02": {
        "": ("*Background.numM[ia]*", "*Background.numUnr*", "*Background.numPattern*"),
        "--low 0 --high 0": ("coaddBackground.range", "*Background.numUnclosed*"),
        "--low 0 --high 0.5": ("*Background.largestResidual",),
        "--rtol 1e-6": ("visitBackground.gradient", "*Background.mean", "*Background.numBackgrounds"),
    },
}


class Judged:
    """Sentences of the verdicts on a rerun by state and metric."""

    def __init__(self, answer, rerun):
        self._rows = [row for row in answer.json["rows"] if row["rerun"] == rerun]

    def __getitem__(self, state):
        return {row["metric"]: row["sentence"] for row in self._rows if row["state"] == state}


@pytest.fixture(scope="module")
def judged(survey_folder):
    """Return the function that judges the later reruns of a dataset against its first one."""
    answers = {}

    def judge(dataset, rerun):
        first, *later = EMBEDDED_DATASETS[dataset]
        if dataset not in answers:
            folder = survey_folder / f"judged_{dataset}"
            folder.mkdir(parents=True)
            command = CommandLine(folder)
            where = ("--baselines", command.baselines, "--dataset", dataset)
            for options, globs in ACCEPTED[dataset].items():
                why = ("--allow-ci", "--reason", "as it was made", "--by", "A. Person")
                command("accept", first, *globs, *where, *why, *options.split())
            reruns = [option for name in later for option in ("--rerun", name)]
            answers[dataset] = command("verify", *reruns, *where, "--format", "json", code=1)
        return Judged(answers[dataset], rerun)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RERUN_HARNESS_CACHE", str(survey_folder))
        yield judge


def test_templates_of_the_worst_visits_and_scaled_variances(judged):
    """Good templates are broader than deep ones, differences from them noisier than their parts; deep ones are well."""
    found = judged("latiss", "w_2023_52")
    failed = found["FAIL"]
    assert failed.keys() == {
        *("template.psfGoodMinusDeep", "template.fracGoodSharper", "template.psfFwhm.good"),
        *("template.largestExcess.good", "template.order.goodVisitDeep", "template.order.visitBelowBoth"),
        *("difference.varianceAdditivity.good", "difference.largestNonadditivity.good"),
    }
    assert failed["difference.varianceAdditivity.good"].endswith(", +15 % against w_2023_49 (allowed ±1 %)")
    assert failed["template.fracGoodSharper"].startswith("template.fracGoodSharper = 0, -100 % ")
    assert not found["NOT_MEASURED"]


def test_broken_datasets(judged):
    """Each is named with its visit; what rests on the other side is as it was."""
    found = judged("latiss", "w_2024_03")
    failed = found["FAIL"]
    assert failed["template.numMissing"].startswith(
        "template.numMissing = 1 (allowed 0 to 0); visit 2023100500299 detector 0: no good difference; "
    )
    assert failed["template.numWithoutInputs"].startswith(
        "template.numWithoutInputs = 1 (allowed 0 to 0); "
        "visit 2023100300254 detector 0: good template was made of no visit; "
    )
    assert "visit 2023100300254 detector 0: good template.variance: " in failed["template.numUnreadable"]
    assert failed.keys() == {"template.numMissing", "template.numWithoutInputs", "template.numUnreadable"}
    unknown = found["NOT_MEASURED"]
    assert {"template.psfFwhm.good", "difference.varianceAdditivity.good"} <= unknown.keys()
    assert "(visit 2023100300254), and 2 more like it" in unknown["difference.varianceAdditivity.good"]
    assert not any(name.endswith(".deep") for name in failed | unknown | found["INCONCLUSIVE"])


def test_backgrounds_that_are_not_what_was_subtracted(judged):
    """Coadds that are not flat or do not close are named, and so is a background without a number."""
    found = judged("dp02", "w_2023_41")
    failed = found["FAIL"]
    assert failed["coaddBackground.range"].endswith(" (allowed 0 to 0); in tract 4226, patch 16, r")
    unclosed = failed["coaddBackground.numUnclosedPixels"]
    assert "; 64 in tract 4226, patch 17, r; " in unclosed
    assert unclosed.endswith(" in tract 4226, patch 18, r")
    assert failed["coaddBackground.largestResidual"].endswith(" of tract 4226, patch 18, r")
    assert "703697_R20_S22" in failed["visitBackground.numUnreadable"]
    assert "component 2 of 2 has no finite value in any bin" in failed["visitBackground.numUnreadable"]
    assert "visitBackground.gradient" in found["NOT_MEASURED"]
