"""Metric rows of alerts."""

from __future__ import annotations

import pyarrow as pa
import pytest

from harness.metrics.alerts.catalogue import ALERT_GROUPS, alert_catalogue
from harness.metrics.alerts.numbers import alerts_schema, unreadable_packet
from harness.metrics.alerts.rows import alert_rows
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

SOUND = {
    "place": "packet 1",
    "band": "g",
    "unclean": "",
    "equalPsf": True,
    "shapes": "",
    "fluxRatio": 1.0,
    "errorRatio": 1.0,
    "pull": 0.0,
    "additivity": 1.0,
    "scienceFwhm": 4.0,
    "templateFwhm": 3.0,
    "differenceFwhm": 4.0,
    "numCutouts": 3,
    "numPixels": 2700,
    "numNan": 0,
    "numNonPositive": 0,
    "missing": [],
    "broken": [],
    "empty": [],
}


def alert(visit=1, detector=0, **changes):
    """Return a sound alert, but for some numbers."""
    return {**SOUND, "visit": visit, "detector": detector, **changes}


def rows(*alerts):
    """Return the metric rows of alerts."""
    return alert_rows(pa.Table.from_pylist(list(alerts), alerts_schema()), "LSSTCam")


def of(table, metric):
    """Return one metric by visit and detector: numerator, denominator (None for a sum) and detail."""
    found = [row for row in table.to_pylist() if row["metric"] == f"alert.{metric}"]
    return {
        (row["visit"], row["detector"]): (row["numerator"], row["denominator"], row["detail"]) for row in found
    }  # fmt: skip


def test_rows_are_those_of_the_catalogue():
    """Every metric has rows, in the one shape of all metrics, and nothing else has."""
    table = rows(alert())
    assert table.schema == rows_schema()
    assert set(table["metric"].to_pylist()) == set(alert_catalogue(Settings()))
    assert {metric.group for metric in alert_catalogue(Settings()).values()} == ALERT_GROUPS
    assert set(table["instrument"].to_pylist()) == {"LSSTCam"}
    assert {row["band"] for row in table.to_pylist() if row["visit"] is not None} == {"g"}


def test_ratios_have_denominators_and_sums_have_none():
    """As the definition of each metric says."""
    catalogue = alert_catalogue(Settings())
    for row in rows(alert()).to_pylist():
        assert (row["denominator"] is None) == (catalogue[row["metric"]].reduce == "sum"), row["metric"]


def test_size_of_psfs_is_part_of_their_definition():
    """Sizes of two kinds have no definition in common, and counts do not depend on it."""
    determinant, trace = (alert_catalogue(Settings(psf_size=size)) for size in ("determinant", "trace"))
    differ = {name for name in trace if trace[name].definition_digest != determinant[name].definition_digest}
    kinds = {f"alert.psfFwhm.{kind}" for kind in ("science", "template", "difference")}
    assert differ == {*kinds, "alert.fracTemplateSharper"}


def test_fluxes_are_told_by_visit():
    """The median is over all detectors of a visit, so that one odd alert does not matter."""
    table = rows(
        *(alert(1, detector, fluxRatio=ratio) for detector, ratio in enumerate((0.9, 1.0, 40.0))),
        alert(2, 0, fluxRatio=1.2),
    )
    assert of(table, "fluxRatio") == {(1, None): (1.0, 1.0, None), (2, None): (1.2, 1.0, None)}


@pytest.mark.parametrize(
    ("metric", "column"),
    [("fluxRatio", "fluxRatio"), ("fluxErrRatio", "errorRatio"), ("varianceAdditivity", "additivity")],
)
def test_each_median_is_of_its_own_column(metric, column):
    """No two of them are mixed up."""
    assert of(rows(alert(**{column: 1.5})), metric)[1, None][0] == 1.5


def test_order_and_file_of_alerts_do_not_matter():
    """The packets of a visit may come in any order."""
    alerts = [alert(visit, detector, fluxRatio=1 + visit / 10 + detector) for visit in (2, 1) for detector in (1, 0, 2)]
    assert rows(*alerts).equals(rows(*reversed(alerts)))


def test_unclean_alerts_are_left_out_of_fluxes_alone():
    """They are counted, with the reason; their PSFs and variances are as good as any."""
    table = rows(
        alert(pull=0.3),
        alert(pull=-1.4),
        alert(pull=9.0, fluxRatio=9.0, additivity=1.2, unclean="psfFlux_flag is set"),
        alert(pull=0.0, fluxRatio=9.0, additivity=1.2, unclean="pixels under the PSF have no value"),
    )
    assert of(table, "fracFluxWithinOneSigma") == {(1, None): (1, 2, None)}
    assert of(table, "fluxRatio")[1, None][0] == 1.0
    assert of(table, "varianceAdditivity")[1, None][0] == pytest.approx(1.1)
    reasons = "psfFlux_flag is set; pixels under the PSF have no value"
    assert of(table, "numUnclean") == {(1, 0): (2, None, reasons)}


def test_visit_without_a_clean_alert_does_not_count():
    """It neither pulls a mean down nor keeps the others from being judged; the row says so."""
    table = rows(alert(1), alert(2, unclean="psfFlux_flag is set"))
    assert of(table, "fluxRatio")[2, None] == (0, 0, "no alert is clean")
    assert of(table, "fracFluxWithinOneSigma")[2, None][:2] == (0, 0)


def test_psfs_are_told_by_detector():
    """The median of what was measured; an alert without a size is left out."""
    table = rows(alert(1, 0, scienceFwhm=5.0), alert(1, 0, scienceFwhm=None), alert(1, 1, scienceFwhm=7.0))
    assert of(table, "psfFwhm.science") == {(1, 0): (5.0, 1.0, None), (1, 1): (7.0, 1.0, None)}
    none = rows(alert(templateFwhm=None))
    assert of(none, "psfFwhm.template")[1, 0] == (0, 0, "no PSF of a template cutout has a size")


def test_sharper_templates_are_counted_where_both_sizes_are_known():
    """A template that is as large as the science image is no sharper."""
    table = rows(alert(), alert(templateFwhm=4.0), alert(templateFwhm=5.0), alert(scienceFwhm=None))
    assert of(table, "fracTemplateSharper")[1, 0][:2] == (1, 3)


def test_packets_with_two_psfs_are_named():
    """The share is over packets that have both cutouts."""
    table = rows(alert(), alert(equalPsf=False, place="packet 2"), alert(equalPsf=None))
    assert of(table, "fracEqualPsf") == {(1, 0): (1, 2, "packet 2")}


def test_packets_cutouts_and_pixels_are_counted():
    """By visit and detector."""
    table = rows(alert(numCutouts=2, numNan=7), alert(), alert(detector=4))
    assert of(table, "numPackets") == {(1, 0): (2, None, None), (1, 4): (1, None, None)}
    assert of(table, "numCutouts")[1, 0][0] == 5
    assert of(table, "fracNanPixels")[1, 0] == (7, 5400, None)


@pytest.mark.parametrize(
    ("column", "metric"),
    [("missing", "numMissingCutouts"), ("broken", "numBrokenCutouts"), ("empty", "numEmptyCutouts")],
)
def test_bad_cutouts_are_counted_and_named(column, metric):
    """Three are named, and how many more there are."""
    table = rows(alert(**{column: ["a", "b"]}), alert(**{column: ["c", "d", "e"]}), alert(), alert(2))
    assert of(table, metric) == {(1, 0): (5, None, "a; b; c; 2 more like it"), (2, 0): (0, None, None)}


def test_shapes_and_variances_are_counted_and_named():
    """Packets of several shapes, and pixels without positive variance."""
    table = rows(alert(shapes="science 3 × 3"), alert(numNonPositive=4, place="packet 2"), alert())
    assert of(table, "numUnequalShapes")[1, 0] == (1, None, "packet 1 (science 3 × 3)")
    assert of(table, "numNonPositiveVariances")[1, 0] == (4, None, "4 in packet 2")


def test_unreadable_packets_belong_to_no_visit():
    """They are counted, the others are measured."""
    table = rows(alert(), unreadable_packet("packet 2 of a cannot be read"))
    assert of(table, "numUnreadablePackets") == {(None, None): (1, None, "packet 2 of a cannot be read")}
    assert of(table, "numPackets") == {(1, 0): (1, None, None)}


def test_nothing_readable_is_still_counted():
    """Then nothing else has a row."""
    table = rows(unreadable_packet("a"), unreadable_packet("b"))
    assert of(table, "numUnreadablePackets") == {(None, None): (2, None, "a; b")}
    assert table.num_rows == 1
