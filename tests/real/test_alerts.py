"""Real alert packets: 100 of LSSTCam and 95 of HSC (``astrolabsoftware/fink-broker`` be05a37 and 41b6c03).

Each is of four visits.  What is known of them, and of a wider set: fluxes are found again in the difference pixels to
2 or 3 %, variances of LSSTCam add up to 0.98 or 0.99 and those of HSC to 1.15, and difference and science image have
one PSF.
"""

from __future__ import annotations

import fastavro
import pytest

from harness.rerun.alerts import CUTOUTS
from harness.rerun.files import FileRerun

FOLDERS = {"LSSTCam": "fink-broker_be05a37_LSSTCam_20250905", "HSC": "fink-broker_41b6c03_HSC_cosmos"}
PACKETS = {"LSSTCam": 100, "HSC": 95}
CAMERAS = tuple(FOLDERS)
TOML = 'instrument = "{camera}"\ndataset = "alerts"\n[alerts]\nfiles = ["{files}"]\n'


@pytest.fixture
def alerts(real_data, tmp_path):
    """Return a folder with the alerts of each camera as a rerun, named by absolute globs."""
    for camera, name in FOLDERS.items():
        (tmp_path / camera).mkdir()
        files = f"{(real_data / 'lsst_alerts' / name).resolve()}/*.avro"
        (tmp_path / camera / "rerun.toml").write_text(TOML.format(camera=camera, files=files))
    return tmp_path


@pytest.mark.parametrize("camera", CAMERAS)
def test_every_cutout_of_every_packet_is_read(alerts, camera):
    """All of them are square images of positive variance in nJy², with a PSF of unit sum."""
    listed = FileRerun(alerts, camera).alerts
    packets = [packet for ref in listed.inputs for packet in listed.packets(ref)]
    assert len(packets) == PACKETS[camera]
    for packet in packets:
        assert {"visit", "detector", "psfFlux", "psfFluxErr"} <= packet.source.keys()
        shapes, places = set(), set()
        for kind in CUTOUTS:
            cutout = packet.cutout(kind)
            shapes.add(cutout.image.shape)
            assert not (cutout.variance <= 0).any()
            assert cutout.psf.sum() == pytest.approx(1, abs=1e-4)
            places.add((round(cutout.x, 2), round(cutout.y, 2)))
        ((rows, columns),), ((x, y),) = shapes, places
        assert rows == columns
        assert max(abs(x - columns / 2), abs(y - rows / 2)) <= 1


@pytest.mark.parametrize("camera", CAMERAS)
def test_real_alerts_are_measured(run, alerts, camera):
    """Fluxes follow from the pixels, and one PSF serves difference and science image."""
    rows = run.rows("measure", "--repo", alerts, "--rerun", camera, "--metric", "alert.*")
    value = {row["metric"].removeprefix("alert."): row["value"] for row in rows}
    assert value["numPackets"] == PACKETS[camera]
    assert value["numCutouts"] == 3 * PACKETS[camera]
    assert value["numUnclean"] == 3
    assert value["fracFluxWithinOneSigma"] > 0.95
    assert value["fluxRatio"] == pytest.approx(1.0235, abs=0.0015)
    assert value["fluxErrRatio"] == pytest.approx(1.023, abs=0.0015)
    assert value["fracEqualPsf"] == 1
    assert value["fracTemplateSharper"] == 1
    assert value["psfFwhm.template"] < value["psfFwhm.science"] == value["psfFwhm.difference"]
    assert value["fracNanPixels"] == pytest.approx(0.0034 if camera == "LSSTCam" else 0, abs=1e-4)
    defects = ("UnreadablePackets", "MissingCutouts", "BrokenCutouts", "EmptyCutouts", "UnequalShapes")
    assert [value[f"num{name}"] for name in (*defects, "NonPositiveVariances")] == [0] * 6


@pytest.mark.parametrize(("camera", "low", "high"), [("LSSTCam", 0.98, 0.992), ("HSC", 1.135, 1.19)])
def test_variances_of_each_visit_are_the_known_ones(run, alerts, camera, low, high):
    """Four visits of each camera, all alike."""
    rows = run.rows("measure", "--repo", alerts, "--rerun", camera, "--metric", "alert.varianceA*", "--by=visit")
    assert len(rows) == 4
    assert all(low < row["value"] < high for row in rows)


@pytest.fixture
def accepted(run, alerts):
    """Return the command line with a baseline of LSSTCam, whose variances are held to 0.95 to 1.05."""
    where = ("--repo", alerts)
    run("measure", *where, "--rerun", "LSSTCam")
    run.accept("LSSTCam", "alert.*", *where, "--rtol", 0.02)
    run.accept("LSSTCam", "alert.varianceAdditivity", *where, "--low", 0.95, "--high", 1.05)
    return run


def test_the_same_alerts_in_another_file_meet_the_baseline(accepted, alerts, real_data):
    """All packets in one compressed container are the same alerts: every check passes, paired visit by visit."""
    written = alerts / "again" / "alerts.avro"
    written.parent.mkdir()
    packets = []
    for path in sorted((real_data / "lsst_alerts" / FOLDERS["LSSTCam"]).glob("*.avro")):
        with path.open("rb") as file:
            schema, packets = (reader := fastavro.reader(file)).writer_schema, [*packets, *reader]
    with written.open("wb") as file:
        fastavro.writer(file, schema, packets, codec="deflate")
    (alerts / "again" / "rerun.toml").write_text(TOML.format(camera="LSSTCam", files="alerts.avro"))
    rows = accepted.rows("verify", "--repo", alerts, "--rerun", "again")
    assert {row["state"] for row in rows} == {"PASS"}
    told = {row["metric"]: row for row in rows}
    assert len(told) == 19
    assert told["alert.varianceAdditivity"]["sentence"] == "alert.varianceAdditivity = 0.983734 (allowed 0.95 to 1.05)"


def test_variances_that_do_not_add_up_are_reported(accepted, alerts):
    """HSC fails with its number; its packets have no defects."""
    rows = accepted.rows("verify", "--repo", alerts, "--rerun", "HSC", code=1)
    states = {row["metric"].removeprefix("alert."): row for row in rows}
    told = states["varianceAdditivity"]
    assert told["state"] == "FAIL"
    assert told["value"] == pytest.approx(1.1602, abs=5e-4)
    assert "(allowed 0.95 to 1.05)" in told["sentence"]
    defects = ("UnreadablePackets", "MissingCutouts", "BrokenCutouts", "EmptyCutouts", "UnequalShapes")
    assert {states[f"num{name}"]["state"] for name in defects} == {"PASS"}
