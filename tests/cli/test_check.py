"""``rerun-harness check``: baseline files without any rerun."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.shipped import shipped


@pytest.fixture
def baseline(run):
    """Return the harness's own baseline, copied to the default folder."""
    shutil.copytree(shipped("baselines"), run.baselines)
    return run.baselines / "hits2015.json"


def _edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def test_own_baseline_is_sound(run, baseline):
    """What comes with the harness has nothing the matter with it."""
    assert run("check").out == "6 baseline files in baselines: all sound\n"


def test_findings_as_json(run, baseline):
    """A script gets severity, file and sentence."""
    _edit(baseline, lambda content: content["metrics"].update(ghost=content["metrics"]["dia.numSources"]))
    (row,) = run("check", "--format", "json", code=1).json["rows"]
    assert (row["severity"], row["file"]) == ("error", "baselines/hits2015.json")
    assert row["sentence"].startswith("ghost is not measured by anything")


def test_other_definition_is_found(run, baseline):
    """A value accepted under another definition is worth nothing."""
    _edit(baseline, lambda content: content["metrics"]["dia.numSources"].update(definition="0123456789abcdef"))
    assert "dia.numSources was accepted under another definition" in run("check", code=1).out


def test_form_is_put_right_when_asked(run, baseline):
    """What is only badly formatted is rewritten by ``--fix``, to the very same bytes."""
    canonical = baseline.read_bytes()
    baseline.write_text(json.dumps(json.loads(canonical)))
    assert "is not in canonical form" in run("check", code=1).out
    assert "reformatted" in run("check", "--fix").out
    assert baseline.read_bytes() == canonical
    run("check")


def test_broken_file_outranks_everything(run, baseline):
    """A file that cannot be read is exit code 4, and the others are checked all the same."""
    (run.baselines / "other.json").write_bytes(baseline.read_bytes()[:2000])
    baseline.write_text(json.dumps(json.loads(baseline.read_text())))
    answer = run("check", code=4)
    assert "broken" in answer.out
    assert "is not in canonical form" in answer.out


def test_missing_folder(run):
    """A folder that is not there is an error of usage."""
    assert run("check", code=2).complaint == "there is no folder of baselines baselines; name it with --baselines"
