"""What two flavors made of the same injections, in words."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from scipy.stats import binomtest

from harness.diagnose.injections import configuration_line, injection_lines
from harness.measure.measurements import Measurements
from harness.measure.store import Manifest
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings


def measured(**values):
    """Return measurements of some metrics ``flavor.…``, each a number or a number and a detail."""
    rows = []
    for name, value in values.items():
        number, detail = value if isinstance(value, tuple) else (value, "")
        rows.append({"metric": f"flavor.{name}", "numerator": float(number), "detail": detail})
    table = pa.Table.from_pylist(rows, rows_schema())
    manifest = Manifest("ours", "", "own", {}, (), "", "", "")
    return Measurements("ours", manifest, table, flavor_catalogue(Settings()), {})


def line(common, gained, lost):
    """Return the one line about so many injections."""
    (said,) = injection_lines(measured(numCommon=common, numGained=gained, numLost=lost))
    return said


def test_flavors_that_differ():
    """What chance does not do is said, with its probability by the sign test, and not how much more is needed."""
    p = binomtest(8, 38).pvalue
    assert line(1024, 8, 30) == (
        "injections 8 of 1024 found by this rerun alone, 30 by the reference alone: "
        f"not by chance (McNemar p = {p:.2g})"
    )


def test_flavors_that_may_be_the_same():
    """What chance may do is said, with how many injections would tell, in two digits."""
    p = binomtest(14, 34).pvalue
    said = line(1024, 20, 14)
    assert said.startswith(
        "injections 20 of 1024 found by this rerun alone, 14 by the reference alone: "
        f"may be by chance (McNemar p = {p:.2g}); about 15,000 injections would show so small a difference at 1 %"
    )


@pytest.mark.parametrize(("gained", "lost"), [(0, 8), (8, 0), (1, 8), (1, 12)])
def test_border_is_one_per_cent(gained, lost):
    """Of 8 that only one found, p is 0.8 %; of 1 and 8 it is 4 %."""
    is_shown = binomtest(gained, gained + lost).pvalue <= 0.01
    assert ("not by chance" in line(1000, gained, lost)) == is_shown


def test_as_many_gained_as_lost():
    """No number of injections shows a difference that is none."""
    assert line(1024, 5, 5).endswith(
        "5 of 1024 found by this rerun alone, 5 by the reference alone: no difference in number"
    )


def test_the_same_injections_are_found():
    """Then neither has any for itself."""
    assert line(1024, 0, 0) == "injections each of 1024 was found by both reruns or by neither"


def test_nothing_in_common():
    """The reason why they cannot be compared is told."""
    reason = "the two reruns have no injection in common; inject the same sources into both"
    nothing = dict.fromkeys(("numCommon", "numGained", "numLost"), (math.nan, reason))
    assert injection_lines(measured(**nothing)) == [f"injections {reason}"]


def test_reruns_without_injections():
    """Nothing is said of what is not there."""
    assert injection_lines(measured()) == []
    assert configuration_line(measured()) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ((0, ""), "config     no setting differs"),
        ((1, "subtractImages: mode is 'auto', was 'a'"), "config     subtractImages: mode is 'auto', was 'a'"),
        ((2, "a is 1, was 2; b is 3, was 4"), "config     2 settings differ: a is 1, was 2; b is 3, was 4"),
        ((math.nan, "the rerun did not record its configuration"), ""),
    ],
)
def test_settings_that_differ(value, said):
    """One is named as the cause that it is; of several, their number comes first; what is not known is not said."""
    assert configuration_line(measured(numConfigDifferences=value)) == said
