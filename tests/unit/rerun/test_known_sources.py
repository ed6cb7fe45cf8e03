"""Catalogues of known sources and of stars, our own and the ephemerides that the pipelines preload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from harness.rerun.butler import ButlerRerun
from harness.rerun.files import FileRerun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Path]
    Put = Callable[..., list[str]]


def read(table: Any, *names: str) -> dict[str, list[Any]]:
    """Return columns of a table."""
    found: dict[str, list[Any]] = table.read(names).to_pydict()
    return found


@pytest.mark.parametrize(
    ("stored", "moving"),
    [
        ({"ssObjectId": [7, 0], "visitId": [1, 2], "decl": [0.0, 1.0], "ra": [0.0, 1.0]}, [True, False]),
        ({"ObjID": ["2015 AB", None], "visit": [1, 2], "Dec_deg": [0.0, 1.0], "RA_deg": [0.0, 1.0]}, [True, False]),
        (
            {"isMoving": [False, True], "ssObjectId": [7, 8], "visit": [1, 2], "ra": [0.0, 1.0], "dec": [0.0, 1.0]},
            [False, True],
        ),
        ({"visit": [1, 2], "ra": [0.0, 1.0], "dec": [0.0, 1.0]}, None),
    ],
    ids=["SkyBot", "Sorcha", "own", "variables"],
)
def test_known_sources_and_what_moves(make_folder: Make, stored: dict[str, Any], moving: list[bool] | None) -> None:
    """Ephemerides are of moving objects; of other catalogues a column says so, or nothing does."""
    found = FileRerun(make_folder({"known": pa.table(stored)}), "rerun").tables["known"]
    assert read(found, "ra", "dec", "visit") == {"ra": [0.0, 1.0], "dec": [0.0, 1.0], "visit": [1, 2]}
    assert (read(found, "isMoving")["isMoving"] if "isMoving" in found.columns else None) == moving


def test_ephemerides_of_a_butler(butler_root: Path, put: Put) -> None:
    """Our own catalogue comes before what the pipelines preload; a visit is told by the data ID."""
    visit = {"instrument": "DECam", "visit": 411420}
    put(butler_root, "r", "preloaded_ss_object_visit", [(visit, pa.table({"ObjID": ["K15A"], "RA_deg": [1.0]}))])
    found = ButlerRerun(str(butler_root), "r").tables["known"]
    assert read(found, "visit", "ra", "isMoving") == {"visit": [411420], "ra": [1.0], "isMoving": [True]}
    put(butler_root, "r", "known_sources", [({"instrument": "DECam"}, pa.table({"ra": [2.0], "dec": [3.0]}))])
    assert read(ButlerRerun(str(butler_root), "r").tables["known"], "ra") == {"ra": [2.0]}


def test_stars_have_a_magnitude_or_one_in_each_band(make_folder: Make, butler_root: Path, put: Put) -> None:
    """A star has no band of its own, so that nothing is chosen for it."""
    one = pa.table({"ra": [150.0], "dec": [2.0], "mag_g": [9.0]})
    both = one.append_column("rmagVar", pa.array([8.0]))
    assert read(FileRerun(make_folder({"star": one}), "rerun").tables["star"], "mag") == {"mag": [9.0]}
    put(butler_root, "r", "bright_stars", [({"instrument": "DECam"}, both)])
    found = ButlerRerun(str(butler_root), "r").tables["star"]
    assert read(found, "g_mag", "r_mag") == {"g_mag": [9.0], "r_mag": [8.0]}
    assert "mag" not in found.columns


def test_ephemerides_add_no_visits(butler_root: Path, put: Put, sources: pa.Table) -> None:
    """What is predicted for a visit that was not processed gives it no area."""
    here = {"instrument": "DECam", "visit": 411371}
    ephemerides = pa.table({"ObjID": ["K15A"], "RA_deg": [1.0], "Dec_deg": [2.0]})
    put(butler_root, "r", "diaSource", [(here | {"detector": 60}, sources[:3])])
    put(butler_root, "r", "preloaded_ss_object_visit", [(here | {"visit": 419802}, ephemerides)])
    regions = ButlerRerun(str(butler_root), "r").regions()
    assert regions is not None
    assert set(regions["visit"].to_pylist()) == {411371}
