"""Two reruns side by side: what is measured of both together has an interval of its own, and no reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flavor_files import PER_DETECTOR, VISITS, flavor, write_flavor

from harness.errors import UsageError
from harness.report.difference import difference_listing
from harness.request import Request
from harness.session import Session

N_INJECTIONS = PER_DETECTOR * len(VISITS) * 2
DEEP, SHALLOW, SAME = flavor(1, 5.0), flavor(2, 12.0), flavor(3, 5.0)


@pytest.fixture(scope="module")
def compare(tmp_path_factory):
    """Return the rows, by metric, and the notes of a comparison."""
    folder = tmp_path_factory.mktemp("flavors")
    for name, made in (("deep", DEEP), ("shallow", SHALLOW), ("same", SAME)):
        lines = ("[configs.settings]", f'"detection: thresholdValue" = "{name}"')
        write_flavor(folder, made.tables, name, lines=lines)

    def compared(rerun, reference, *, self_test=False):
        session = Session(
            Request(
                repo=str(folder),
                reruns=(rerun,),
                reference=reference,
                baselines=folder / "baselines",
                measurements=folder / "measurements",
                self_test=self_test,
                baseline_optional=True,
            )
        )
        session.measure()
        listing = difference_listing(session)
        return {row["metric"]: row for row in listing.rows}, listing.notes

    return compared


def exchanged(ours, theirs):
    """Return how many injections only one side found."""
    return int((ours.found & ~theirs.found).sum()), int((theirs.found & ~ours.found).sum())


@pytest.mark.parametrize(
    ("rerun", "reference", "shown"), [("deep", "shallow", "more"), ("shallow", "deep", "less"), ("same", "deep", "")]
)
def test_change_of_a_flavor_is_shown_by_its_own_interval(compare, rerun, reference, shown):
    """More or fewer were found where the interval of what was gained less lost excludes 0."""
    made = {"deep": DEEP, "shallow": SHALLOW, "same": SAME}
    gained, lost = exchanged(made[rerun], made[reference])
    rows, _ = compare(rerun, reference)
    row = rows["flavor.efficiencyChange"]
    assert row["shown"] == shown
    assert row["value"] == pytest.approx((gained - lost) / N_INJECTIONS)
    assert row["low"] < row["value"] < row["high"]
    # The least that it can be: injections that are independent, at 99 %.
    assert row["high"] - row["low"] > 2 * 2.5 * math.sqrt(gained + lost) / N_INJECTIONS * 0.9
    assert (row["change"], math.isnan(row["reference"])) == ("", True)
    assert row["between"].count(" … ") == 1
    assert "%" not in row["between"]


def test_what_is_counted_of_both_is_no_change(compare):
    """Gained and lost injections, and churn, have an interval, and are not said to be more than anything."""
    rows, _ = compare("deep", "shallow")
    gained, lost = exchanged(DEEP, SHALLOW)
    for name, value in (("flavor.numGained", gained), ("flavor.numLost", lost)):
        row = rows[name]
        assert (row["value"], row["shown"]) == (value, ""), name
        assert row["low"] <= value <= row["high"], name
    assert rows["churn.fracLost"]["shown"] == ""
    assert 0 <= rows["churn.fracLost"]["low"] <= rows["churn.fracLost"]["high"] <= 1


def test_what_is_counted_completely_has_no_interval(compare):
    """That is how many settings differ, and how many injections both have."""
    rows, notes = compare("deep", "shallow")
    for name, value in (("flavor.numConfigDifferences", 1), ("flavor.numCommon", N_INJECTIONS)):
        assert (rows[name]["value"], rows[name]["between"], rows[name]["shown"]) == (value, "", ""), name
    assert "config     detection: thresholdValue is deep, was shallow" in notes


def test_what_each_rerun_has_is_compared_as_before(compare):
    """A metric of one rerun has a reference, and a change in per cent."""
    rows, _ = compare("deep", "shallow")
    row = rows["injected.numMatched"]
    assert (row["value"], row["reference"]) == (DEEP.found.sum(), SHALLOW.found.sum())
    percent = 100 * (DEEP.found.sum() / SHALLOW.found.sum() - 1)
    assert row["change"] == f"{percent:+.2f} %"
    assert row["shown"] == "more"


def test_flavor_beside_itself_is_the_same(compare):
    """Nothing is gained, which is as sure as anything."""
    rows, notes = compare("deep", "deep", self_test=True)
    for name in ("flavor.efficiencyChange", "flavor.pullChange", "flavor.separationChange"):
        assert rows[name]["value"] == 0, name
        assert rows[name]["shown"] in {"", "same"}, name
    assert "injections each of 240 was found by both reruns or by neither" in notes
    assert "config     no setting differs" in notes


def test_what_could_not_be_measured_has_its_reason(compare):
    """And neither interval nor change."""
    row = compare("deep", "shallow")[0]["flavor.efficiencyChange.N7"]
    assert np.isnan(row["value"])
    assert (row["between"], row["shown"], row["change"]) == ("", "", "")
    assert row["detail"].startswith("flag list N7 needs ")


def test_nothing_to_compare_with(compare):
    """Without a reference and without a baseline there is no difference."""
    with pytest.raises(UsageError, match="nothing to compare deep with"):
        compare("deep", None)


def test_change_of_what_may_be_zero_is_no_percentage(compare):
    """A mean offset is a number about zero: its change is told in its unit; that of a count in per cent."""
    rows, _ = compare("deep", "shallow")
    for column in ("change", "between"):
        assert "%" not in rows["injected.magOffset"][column]
        assert "%" in rows["injected.numMatched"][column]
