"""Finding out what a repository is."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from harness.errors import UsageError
from harness.rerun import list_reruns, open_ref, open_rerun
from harness.rerun.protocol import RerunRef

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(params=["folder", "butler", "butler.yaml", "sqlite"])
def repo(request: pytest.FixtureRequest, sources: pa.Table) -> str:
    """Return a repository of each kind with one rerun."""
    get = request.getfixturevalue
    if request.param == "folder":
        return str(get("make_folder")({"diaSource": sources}))
    if request.param == "sqlite":
        return get("make_sqlite")({"DiaSource": sources}, "rerun.db")
    root = get("butler_root")
    get("put")(root, "rerun", "diaSource", get("by_detector")(sources))
    return str(root / "butler.yaml" if request.param == "butler.yaml" else root)


def test_a_reference_opens_the_same_rerun_elsewhere(repo: str) -> None:
    """A pickled reference opens the rerun it was taken from, and its partitions read the same rows."""
    rerun = open_rerun(repo, list_reruns(repo)[0])
    ref, parts = pickle.loads(pickle.dumps((rerun.ref, rerun.tables["diaSource"].partitions())))
    assert ref == RerunRef(repo, "rerun")
    again = open_ref(ref)
    assert again.name == rerun.name
    for part in parts:
        assert again.tables["diaSource"].read(["x"], part).equals(rerun.tables["diaSource"].read(["x"], part))


def test_reruns_are_in_the_order_of_their_numbers(tmp_path: Path, make_folder: Callable[..., Any]) -> None:
    """Week 9 comes before week 10."""
    for name in ("w_2020_10", "w_2020_9", "w_2019_52"):
        make_folder({"diaSource": pa.table({"diaSourceId": [1]})}, name)
    assert list_reruns(str(tmp_path)) == ["w_2019_52", "w_2020_9", "w_2020_10"]


@pytest.mark.parametrize("opening", [lambda repo: open_rerun(repo, "r"), list_reruns])
def test_what_is_no_repository_is_told(tmp_path: Path, opening: Callable[[str], Any]) -> None:
    """A path that is not there, and a folder of nothing known, say what was expected."""
    with pytest.raises(UsageError, match=r"there is no folder .*nowhere"):
        opening(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match=r"holds neither a butler\.yaml nor a rerun\.toml"):
        opening(str(tmp_path))


def test_opening_files_loads_no_butler(make_folder: Callable[..., Any], sources: pa.Table) -> None:
    """Each kind of repository loads what it needs and nothing else."""
    folder = make_folder({"diaSource": sources})
    code = (
        "import sys; from harness.rerun import open_rerun; assert 'pyarrow' not in sys.modules; "
        f"open_rerun({str(folder)!r}, 'rerun').tables['diaSource'].read(['psfFlux']); "
        "print([name for name in ('lsst', 'sqlalchemy', 'astropy', 'pandas', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
