"""Two reruns of the same visits, each with a template of its own, taken as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embedded_images import FILES, exposure, subtraction, write_toml, write_visit

from harness.errors import SelfComparisonError, UsageError
from harness.rerun import open_ref, open_rerun
from harness.rerun.protocol import RerunRef

if TYPE_CHECKING:
    from pathlib import Path

PARTS = {
    "a": ("science", "good_template", "good_difference"),
    "b": ("science", "deep_template", "deep_difference"),
}


def write(repo: Path, name: str, *more: str, sided: bool = False, visits: tuple[int, ...] = (1, 2)) -> Path:
    """Write one rerun with one template, whose side is told or not; return its folder."""
    folder = repo / name
    content: dict[str, Any] = subtraction()
    for visit in visits:
        write_visit(folder, visit, {part: content[part] for part in PARTS[name]})
    files = {part: (kind, side if sided else "") for part, (kind, side) in FILES.items() if part in PARTS[name]}
    write_toml(folder, *more, name=name, files=files)
    return folder


@pytest.mark.parametrize("sided", [False, True])
def test_both_are_one_rerun_with_two_sides(tmp_path: Path, sided: bool) -> None:
    """Each exposure has the side of its rerun, and its file is found; science images are there for each side."""
    for name in PARTS:
        write(tmp_path, name, sided=sided)
    rerun = open_rerun(str(tmp_path), "good:a,deep:b")
    assert rerun.exposures is not None
    listed = [(ref.side, ref.kind, ref.visit) for ref in rerun.exposures.listed]
    kinds = ("science", "template", "difference")
    assert listed == [(side, kind, visit) for side in ("good", "deep") for kind in kinds for visit in (1, 2)]
    for ref in rerun.exposures.listed:
        with rerun.exposures.local(ref.ref) as path:
            assert path.parent.name == {"good": "a", "deep": "b"}[ref.side]
            assert f"_{ref.visit}_" in path.name
    assert (rerun.name, rerun.instrument) == ("good:a,deep:b", "LATISS")
    assert open_ref(rerun.ref).name == rerun.name
    assert rerun.ref == RerunRef(str(tmp_path), "good:a,deep:b")


def test_nothing_else_is_of_both(tmp_path: Path) -> None:
    """Tables, flats, curves, alerts, geometry: nothing says which of the two they would be of."""
    for name in PARTS:
        write(tmp_path, name)
    rerun = open_rerun(str(tmp_path), "good:a,deep:b")
    assert dict(rerun.tables) == {}
    assert rerun.flats is rerun.curves is rerun.alerts is None
    assert rerun.regions() is None
    assert rerun.amplifiers() is None


def test_sources_are_those_of_either_rerun(tmp_path: Path) -> None:
    """The only table of DIA sources of a rerun is that of its side; a rerun without one has none."""
    for name, table in (("a", "[tables.diaSource]"), ("b", "")):
        folder = write(tmp_path, name, *((table, 'files = ["dia.parquet"]') if table else ()))
        pq.write_table(pa.table({"visit": [1], "psfFlux": [2.0]}), folder / "dia.parquet")
    found = open_rerun(str(tmp_path), "good:a,deep:b").sided_sources
    assert list(found) == ["good"]
    assert found["good"].read(["psfFlux"])["psfFlux"].to_pylist() == [2.0]


def test_a_table_of_the_side_itself_is_preferred(tmp_path: Path) -> None:
    """Where a rerun tells of a side."""
    for name, side in (("a", "good"), ("b", "deep")):
        tables = [
            "[tables.diaSource]",
            'files = ["any.parquet"]',
            f'[tables."diaSource.{side}"]',
            'files = ["own.parquet"]',
        ]
        folder = write(tmp_path, name, *tables)
        for file, flux in (("any", 1.0), ("own", 2.0)):
            pq.write_table(pa.table({"visit": [1], "psfFlux": [flux]}), folder / f"{file}.parquet")
    for table in open_rerun(str(tmp_path), "good:a,deep:b").sided_sources.values():
        assert table.read(["psfFlux"])["psfFlux"].to_pylist() == [2.0]


def test_recorded_sizes_are_of_their_side(tmp_path: Path) -> None:
    """A table beside one rerun says nothing of the other one's exposures."""
    for name, fwhm in (("a", 4.0), ("b", 6.0)):
        folder = write(tmp_path, name, "[psf_sizes]", 'files = ["sizes.csv"]')
        (folder / "sizes.csv").write_text(f"visit,detector,template_psf_trace\n1,0,{fwhm}\n")
    sizes = open_rerun(str(tmp_path), "good:a,deep:b").psf_sizes
    assert sizes is not None
    assert {(row["side"], row["fwhm"]) for row in sizes.to_pylist()} == {("good", 4.0), ("deep", 6.0)}
    for name in PARTS:
        write(tmp_path, name)
    assert open_rerun(str(tmp_path), "good:a,deep:b").psf_sizes is None


def test_provenance_is_that_of_both(tmp_path: Path) -> None:
    """A version that both have is there once, one that differs twice, one that is in one alone with its side."""
    write(tmp_path, "a", "[versions]", 'afw = "1"', 'ip_diffim = "1"', 'only = "x"')
    write(tmp_path, "b", "[versions]", 'afw = "1"', 'ip_diffim = "2"')
    found = open_rerun(str(tmp_path), "good:a,deep:b").provenance()
    versions = {"afw": "1", "ip_diffim (good)": "1", "ip_diffim (deep)": "2", "only (good)": "x"}
    assert found.versions == versions
    assert found.rerun == "good:a,deep:b"
    assert found.source == f"good: {tmp_path / 'a'}; deep: {tmp_path / 'b'}"
    assert sum(key.startswith("good template") for key in found.inputs) == 2
    assert len(found.inputs) == 12


def test_the_settings_are_those_of_both(tmp_path: Path) -> None:
    """Each setting has the side that it belongs to."""
    write(tmp_path, "a", "[configs.settings]", '"subtract: mode" = "auto"')
    write(tmp_path, "b")
    assert open_rerun(str(tmp_path), "good:a,deep:b").provenance().configs == {"good subtract: mode": "auto"}


def test_a_rerun_is_not_compared_with_itself(tmp_path: Path) -> None:
    """Neither by its name, nor by templates that are the same under another one."""
    import shutil

    write(tmp_path, "a")
    with pytest.raises(SelfComparisonError, match="a would be compared with itself; name two different reruns"):
        open_rerun(str(tmp_path), "good:a,deep:a")
    shutil.copytree(tmp_path / "a", tmp_path / "c")
    toml = (tmp_path / "c" / "rerun.toml").read_text()
    (tmp_path / "c" / "rerun.toml").write_text(toml.replace('"a"', '"c"'))
    with pytest.raises(SelfComparisonError, match=r"a and c in .* have the same templates"):
        open_rerun(str(tmp_path), "good:a,deep:c")


def test_a_rerun_that_cannot_be_a_side_is_refused(tmp_path: Path) -> None:
    """One without exposures, one of both kinds already, and one of the other side."""
    for name in PARTS:
        write(tmp_path, name, sided=True)
    with pytest.raises(UsageError, match=r"b in .* has deep templates; name it as that side"):
        open_rerun(str(tmp_path), "good:b,deep:a")
    both = tmp_path / "both"
    write_visit(both, 1, subtraction())
    write_toml(both, name="both")
    with pytest.raises(UsageError, match=r"both in .* has templates of both kinds; name it alone"):
        open_rerun(str(tmp_path), "good:both,deep:b")
    sizes = tmp_path / "sizes"
    sizes.mkdir()
    (sizes / "sizes.csv").write_text("visit,detector,template_psf_trace\n1,0,4.0\n")
    (sizes / "rerun.toml").write_text('name = "sizes"\n[psf_sizes]\nfiles = ["sizes.csv"]\n')
    with pytest.raises(UsageError, match=r"sizes in .* has no exposures to compare templates by"):
        open_rerun(str(tmp_path), "good:a,deep:sizes")


def test_visits_of_one_rerun_alone_stay_its_own(tmp_path: Path) -> None:
    """They are listed for its side, and lack the other one."""
    write(tmp_path, "a", visits=(1, 2))
    write(tmp_path, "b", visits=(2, 3))
    write_visit(tmp_path / "b", 3, {"science": exposure()})
    rerun = open_rerun(str(tmp_path), "good:a,deep:b")
    assert rerun.exposures is not None
    visits = {side: {ref.visit for ref in rerun.exposures.listed if ref.side == side} for side in ("good", "deep")}
    assert visits == {"good": {1, 2}, "deep": {2, 3}}
