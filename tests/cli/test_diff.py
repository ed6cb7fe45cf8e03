"""``rerun-harness diff``: two reruns, or a rerun and its baseline, metric by metric."""

from __future__ import annotations

from embedded_survey import APRIL, JUNE, MAY, survey_tables, write_rerun

from harness.shipped import shipped


def test_two_reruns_side_by_side(measured):
    """Values, change, interval, verdict, and below them the churn and where it is."""
    answer = measured("diff", MAY, APRIL)
    (line,) = [line for line in answer.out.splitlines() if line.startswith("dia.numSources ")]
    assert " ".join(line.split()) == "dia.numSources 19141 17671 +8.32 % +6.53 % … +10.29 % more FAIL"
    assert "15821 matched, 1850 lost, 3320 gained" in answer.out
    assert "within 40 px of a CCD edge" in answer.out


def test_direct_images_are_the_same(measured):
    """What did not change is shown as such, which a net count of zero would not."""
    answer = measured("diff", MAY, APRIL, "--format", "json")
    row = answer.rows["dia.numSciSources"]
    assert (row["shown"], row["low"], row["high"]) == ("same", 0, 0)
    assert any("15821 matched, 1850 lost, 3320 gained" in note for note in answer.json["notes"])


def test_rerun_against_its_baseline(run):
    """Where the accepted rerun is not at hand, the accepted values are what it is compared with."""
    write_rerun(run.folder, JUNE, survey_tables(JUNE))
    answer = run("diff", JUNE, "--repo", run.folder, "--baselines", shipped("baselines"), "--format", "json")
    row = answer.rows["dia.numSources"]
    assert (row["value"], row["reference"], row["visits"]) == (19176, 19141, 24)
    assert answer.json["title"].endswith("against baseline hits2015")
    assert "dia.numUnassociatedSources" in answer.rows
    assert answer.rows["dia.numUnassociatedSources"]["verdict"] == ""


def test_nothing_to_compare_with(run):
    """Without a second rerun and without a baseline there is no difference."""
    write_rerun(run.folder, JUNE, survey_tables(JUNE))
    answer = run("diff", JUNE, "--repo", run.folder, code=2)
    assert answer.complaint == (f"nothing to compare {JUNE} with: name a second rerun, or a dataset with a baseline")


def test_web_page_gets_the_notes_too(measured):
    """Below the table stands where the change comes from, in every format."""
    assert "15821 matched, 1850 lost, 3320 gained" in measured("diff", MAY, APRIL, "--format", "md").out
