"""What is measured of all shards together: once, and again when one of them is another."""

from __future__ import annotations

import pytest
from embedded_images import Measured, exposure, subtraction, survey, unordered, write_toml, write_visit

from harness.errors import BrokenFileError
from harness.measure import run


def times(measured, *kinds):
    """Return when the shards of some kinds were written."""
    return {path.name: path.stat().st_mtime_ns for kind in kinds for path in measured.shard(kind)}


def test_a_summary_is_made_once(tmp_path):
    """Measuring again writes nothing; without the manifest, everything is found finished."""
    survey(tmp_path)
    first = Measured(tmp_path)
    before = times(first, "subtractions", "template")
    assert len(first.shard("subtractions")) == 3
    assert len(first.shard("template")) == 1
    assert times(Measured(tmp_path), "subtractions", "template") == before
    first.store.forget_manifest(first.folder, first.manifest.settings)
    assert times(Measured(tmp_path), "subtractions", "template") == before


def test_a_summary_follows_its_shards(tmp_path):
    """An exposure that is another makes its own shard and the summary anew, and no other shard."""
    survey(tmp_path)
    before = Measured(tmp_path)
    write_visit(tmp_path, 2, {"science": exposure(9.0)})
    after = Measured(tmp_path)
    kept = times(before, "subtractions").items() & times(after, "subtractions").items()
    assert len(kept) == 2
    assert before.shard("template") != after.shard("template")
    assert after.of("science.psfFwhm")[2, 0]["numerator"] == pytest.approx(9.0)
    assert after.by_metric["science.psfFwhm"].value == pytest.approx((5.3 + 9.0 + 4.9) / 3)


def test_a_summary_follows_a_visit_that_comes_or_goes(tmp_path):
    """It is of the visits that there are."""
    survey(tmp_path, (1, 2))
    assert len(Measured(tmp_path).of("science.psfFwhm")) == 2
    write_visit(tmp_path, 3, subtraction())
    assert len(Measured(tmp_path).of("science.psfFwhm")) == 3
    for path in tmp_path.glob("*_3_0_r.fits"):
        path.unlink()
    assert len(Measured(tmp_path).of("science.psfFwhm")) == 2


def test_an_interrupted_measurement_is_resumed(tmp_path, monkeypatch):
    """What was finished is not made again, and without all shards there is neither summary nor manifest."""
    survey(tmp_path)
    made = []

    def interrupted(task, opened):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(task.key)
        return whole(task, opened)

    whole = run.run_task
    monkeypatch.setattr(run, "run_task", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Measured(tmp_path)
    assert not list((tmp_path / "measurements").rglob("template-*"))
    assert not list((tmp_path / "measurements").rglob("manifest-*"))

    def counted(task, opened):
        made.append(task.key)
        return whole(task, opened)

    monkeypatch.setattr(run, "run_task", counted)
    measured = Measured(tmp_path)
    assert sorted(made) == ["visit-1", "visit-2", "visit-3"]
    assert len(measured.of("science.psfFwhm")) == 3


def test_a_summary_that_was_interrupted_is_made(tmp_path):
    """With all shards there, only it is missing."""
    survey(tmp_path)
    first = Measured(tmp_path)
    (summary,) = first.shard("template")
    rows = unordered(first.rows)
    before = times(first, "subtractions")
    summary.unlink()
    again = Measured(tmp_path)
    assert times(again, "subtractions") == before
    assert unordered(again.rows) == rows


def test_a_table_that_was_lost_is_named(tmp_path):
    """A shard whose further table somebody deleted cannot be summed up."""
    survey(tmp_path)
    first = Measured(tmp_path)
    (summary,) = first.shard("template")
    summary.unlink()
    lost = first.shard("subtractions")[0]
    lost.with_name(lost.name.replace(".parquet", ".subtractions.parquet")).unlink()
    with pytest.raises(BrokenFileError, match=r"subtractions\.parquet cannot be read .*; delete it and measure again"):
        Measured(tmp_path)


def test_sizes_that_are_recorded_anew_are_measured_anew(tmp_path):
    """They are input as much as an exposure is."""
    survey(tmp_path, (1,))
    (tmp_path / "sizes.csv").write_text("visit,detector,science_psf_determinant\n1,0,4.25\n")
    write_toml(tmp_path, "[psf_sizes]", 'files = ["sizes.csv"]')
    assert Measured(tmp_path).by_metric["science.psfFwhm"].value == 4.25
    (tmp_path / "sizes.csv").write_text("visit,detector,science_psf_determinant\n1,0,4.75\n")
    assert Measured(tmp_path).by_metric["science.psfFwhm"].value == 4.75


def test_what_could_not_be_read_is_tried_again(tmp_path, monkeypatch):
    """A file that is restored is the same dataset by its identity: its shard and the summary are made anew."""
    survey(tmp_path)
    (path,) = tmp_path.glob("science_2_0_r.fits")
    monkeypatch.setattr("harness.rerun.exposures.folder._state", lambda path: path.name)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    broken = Measured(tmp_path)
    assert broken.by_metric["template.numUnreadable"].value > 0
    before = times(broken, "subtractions")
    path.write_bytes(whole)
    restored = Measured(tmp_path)
    assert restored.by_metric["template.numUnreadable"].value == 0
    assert len(restored.of("science.psfFwhm")) == 3
    assert len(before.items() & times(restored, "subtractions").items()) == 2
    assert times(Measured(tmp_path), "subtractions", "template") == times(restored, "subtractions", "template")
