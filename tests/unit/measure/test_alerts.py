"""Measuring alerts from files to rows."""

from __future__ import annotations

import numpy as np
import pytest
from alert_files import alert, cutout, gaussian, write_alerts, write_sent

from harness.errors import UsageError
from harness.measure.catalogue import all_metrics
from harness.measure.measurements import Measurements
from harness.measure.run import measure
from harness.measure.store import MeasurementStore
from harness.metrics.settings import Settings
from harness.rerun.files import FileRerun

SETTINGS = Settings()


def measured(folder, globs='["*.avro"]'):
    """Measure the alerts of a folder, and return the measurements by metric."""
    (folder / "rerun.toml").write_text(f'name = "r"\n[alerts]\nfiles = {globs}\n')
    rerun = FileRerun(folder, "r")
    store = MeasurementStore(folder / "measurements")
    manifest = measure(rerun, SETTINGS, store)
    rows = store.read_shards(store.folder(rerun.ref, manifest.suite), manifest.shards)
    return Measurements("r", manifest, rows, all_metrics(SETTINGS), {})


def many():
    """Return alerts of three visits, two detectors each."""
    return [alert(number, visit=number % 3, detector=number % 2) for number in range(30)]


def test_simulated_sky_gives_its_truth(tmp_path):
    """Fluxes, variances and PSFs of a sound sky come out as they were put in."""
    write_alerts(tmp_path / "a.avro", many())
    found = measured(tmp_path)
    assert {name for name in found if name.startswith("alert.")} == {
        name for name in all_metrics(SETTINGS) if name.startswith("alert.")
    }
    values = {name: found[name].value for name in found}
    assert values["alert.numPackets"] == 30
    assert values["alert.numCutouts"] == 90
    assert values["alert.fluxRatio"] == pytest.approx(1, abs=0.02)
    assert values["alert.fluxErrRatio"] == pytest.approx(1, abs=2e-3)
    assert values["alert.varianceAdditivity"] == pytest.approx(1)
    assert values["alert.psfFwhm.science"] == pytest.approx(2.35482 * 2.0, rel=1e-3)
    assert values["alert.fracTemplateSharper"] == values["alert.fracEqualPsf"] == 1
    assert 0.4 < values["alert.fracFluxWithinOneSigma"] < 0.95
    assert found["alert.varianceAdditivity"].n_units == 3


def test_cut_into_files_makes_no_difference(tmp_path):
    """One file of all packets, or one file each: the packets of a visit are put together again."""
    (tmp_path / "one").mkdir()
    (tmp_path / "each").mkdir()
    write_alerts(tmp_path / "one" / "a.avro", many())
    for number, each in enumerate(many()):
        write_alerts(tmp_path / "each" / f"{number}.avro", [each])
    one, each = measured(tmp_path / "one"), measured(tmp_path / "each")
    assert {name: one[name].value for name in one} == {name: each[name].value for name in each}


def test_what_is_broken_is_counted_and_the_rest_measured(tmp_path):
    """Every kind of damage has its count, which names the packet."""
    psf, ones = gaussian((41, 41), 20, 20, 2.0), np.ones((31, 31))
    alerts = many()
    alerts[3]["cutoutTemplate"] = None
    alerts[4]["cutoutScience"] = b"no FITS"
    alerts[5]["cutoutDifference"] = cutout(ones, ones, psf, utype="StdDevUncertainty")
    alerts[6]["cutoutScience"] = cutout(ones, 0 * ones, psf)
    alerts[7]["cutoutScience"] = cutout(ones[1:], ones[1:], psf)
    alerts[8]["cutoutTemplate"] = cutout(np.nan * ones, ones, psf)
    alerts[9]["diaSource"]["visit"] = None
    write_alerts(tmp_path / "a.avro", alerts)
    write_alerts(tmp_path / "b.avro", [alert(100, visit=0), alert(101, visit=0)])
    whole = (tmp_path / "b.avro").read_bytes()
    (tmp_path / "b.avro").write_bytes(whole[:-100])
    (tmp_path / "c.avro").write_bytes(b"nonsense")
    (tmp_path / "d.avro").write_bytes(b"")

    found = measured(tmp_path)
    a, b = tmp_path / "a.avro", tmp_path / "b.avro"
    for metric, count, told in (
        ("numMissingCutouts", 1, f"packet 4 of {a} (diaSourceId 3) has no cutoutTemplate"),
        ("numBrokenCutouts", 2, f"cutoutScience of packet 5 of {a} (diaSourceId 4) cannot be read"),
        ("numBrokenCutouts", 2, "UNCERT has UTYPE 'StdDevUncertainty'"),
        ("numNonPositiveVariances", 961, f"961 in packet 7 of {a}"),
        ("numUnequalShapes", 1, f"packet 8 of {a} (diaSourceId 7) (science 30 × 31, template 31 × 31"),
        ("numEmptyCutouts", 1, f"the template cutout of packet 9 of {a}"),
        ("numUnreadablePackets", 4, f"packet 10 of {a} (diaSourceId 9) has no visit"),
        ("numUnreadablePackets", 4, f"packet 2 of {b} cannot be read"),
        ("numUnreadablePackets", 4, "c.avro cannot be read (it is neither in an Avro container"),
    ):
        quantity = found[f"alert.{metric}"]
        assert quantity.value == count, metric
        assert told in quantity.detail, metric
    assert found["alert.numPackets"].value == 30
    assert found["alert.varianceAdditivity"].value == pytest.approx(1)
    assert found["alert.fluxErrRatio"].value == pytest.approx(1, abs=2e-3)


def test_packets_without_a_schema_stop_the_measurement(tmp_path):
    """Nothing of them can be read, and rerun.toml has to be corrected."""
    write_sent(tmp_path / "a.avro", many())
    with pytest.raises(UsageError, match=r"\[alerts\] schema = "):
        measured(tmp_path)


def test_finished_files_are_not_read_again(tmp_path):
    """A file that was added leaves the others' measurements as they are."""
    write_alerts(tmp_path / "a.avro", many()[:10])
    measured(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "measurements").rglob("packets-*.parquet")}
    write_alerts(tmp_path / "b.avro", many()[10:])
    assert measured(tmp_path)["alert.numPackets"].value == 30
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "measurements").rglob("packets-*.parquet")}
    assert before
    assert before.items() <= after.items()
