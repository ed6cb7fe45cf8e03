"""Catalogues of injections, known sources and stars, as each generation of the pipelines wrote them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from harness.errors import BrokenFileError, NotMeasuredError
from harness.measure.dia import DIA
from harness.rerun.butler import ButlerRerun, list_butler_reruns
from harness.rerun.files import FileRerun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Path]
    Put = Callable[..., list[str]]

N = 6
HERE = {"instrument": "DECam", "visit": 411371, "detector": 60}
COLUMNS = ("injectionId", "visit", "detector", "band", "ra", "dec", "mag", "inTemplate", "inOneImage")

RA = 150.6 + np.linspace(0, 0.05, N)
DEC = np.linspace(-2.05, 2.05, N)
MAG = np.array([20.5, 21.0, 22.25, 23.5, 24.0, np.nan])
IN_TEMPLATE = np.array([False, False, True, True, False, False])
WHERE = {"visit": [411371] * N, "detector": [60] * N}


def today() -> pa.Table:
    """Return injections as lsst/source_injection writes them."""
    return pa.table(
        {
            "injection_id": np.arange(N),
            "ra": RA,
            "dec": DEC,
            "mag": MAG,
            "source_type": ["Star"] * N,
            "isVisitSource": ~IN_TEMPLATE,
            "isTemplateSource": IN_TEMPLATE,
            "injection_flag": np.zeros(N, np.int32),
        }
    )


def older() -> pa.Table:
    """Return the same as lsst/pipe_tasks and lsst/ap_pipe wrote fakes: in radians, a magnitude in each band."""
    return pa.table(
        {
            "fakeId": pa.array(np.arange(N), pa.uint64()),
            "raJ2000": np.radians(RA),
            "decJ2000": np.radians(DEC),
            "gmagVar": MAG,
            "rmagVar": MAG + 0.4,
            "sourceType": ["star"] * N,
            "isVisitSource": ~IN_TEMPLATE,
            "isTemplateSource": IN_TEMPLATE,
        }
    )


def joined() -> pa.Table:
    """Return the older ones joined with the DIA sources that they match: half of them found."""
    found = np.arange(N) % 2 == 0
    source = {
        "diaSourceId": np.where(found, 7, 0),
        "ccdVisitId": np.where(found, 41137160.0, np.nan),
        "ra": np.where(found, RA + 1e-5, np.nan),
        "decl": np.where(found, DEC + 1e-5, np.nan),
        "x": np.where(found, 100.0, np.nan),
        "snr": np.where(found, 12.0, np.nan),
        "psFlux": np.where(found, 1000.0, np.nan),
        "filterName": ["g" if each else None for each in found],
    }
    table = older()
    for name, column in source.items():
        table = table.append_column(name, pa.array(column))
    return table


def expected() -> dict[str, Any]:
    """Return what both are in canonical columns."""
    return {
        "injectionId": list(range(N)),
        **WHERE,
        "band": ["g"] * N,
        "ra": pytest.approx(RA, abs=1e-12),
        "dec": pytest.approx(DEC, abs=1e-12),
        "mag": pytest.approx(MAG, nan_ok=True),
        "inTemplate": IN_TEMPLATE.tolist(),
        "inOneImage": [True] * N,
    }


def with_place(table: pa.Table, band: str = "band") -> pa.Table:
    """Return a table with the columns that a data ID would tell."""
    for name, values in (WHERE | {band: ["g"] * N}).items():
        table = table.append_column(name, pa.array(values))
    return table


def injection(make_folder: Make, table: pa.Table) -> Any:
    """Return the injections of a folder with one file of them."""
    return FileRerun(make_folder({"injection": table}), "rerun").tables["injection"]


def read(table: Any, *names: str) -> dict[str, list[Any]]:
    """Return columns of a table."""
    found: dict[str, list[Any]] = table.read(names).to_pydict()
    return found


@pytest.mark.parametrize("table", [with_place(today()), with_place(older(), "filterName")], ids=["today", "older"])
def test_both_generations_read_alike_from_files(make_folder: Make, table: pa.Table) -> None:
    """Injections are the same, whichever software made their catalogue."""
    assert read(injection(make_folder, table), *COLUMNS) == expected()


@pytest.mark.parametrize(
    ("dataset_type", "table"),
    [
        ("injected_preliminary_visit_image_catalog", today()),
        ("fakes_initial_pvi_catalog", today()),
        ("VisitDetectorFakeSourceCat", with_place(today())),
        ("fakes_goodSeeingDiff_matchDiaSrc", joined()),
        ("deepDiff_matchDiaSrc", joined()),
    ],
)
def test_both_generations_read_alike_from_a_butler(
    butler_root: Path, put: Put, dataset_type: str, table: pa.Table
) -> None:
    """The data ID tells visit, detector and band, so that injections that were not found have them too."""
    put(butler_root, "r", dataset_type, [(HERE, table)])
    found = ButlerRerun(str(butler_root), "r").tables["injection"]
    assert read(found, *COLUMNS) == expected()
    assert found.read(["visit", "detector", "band"]).schema.types == [pa.int64(), pa.int32(), pa.string()]


def test_each_visit_has_the_magnitudes_of_its_band(butler_root: Path, put: Put) -> None:
    """Files that are stored alike differ in the column that counts."""
    from lsst.daf.butler import Butler

    here = {"instrument": "DECam"}
    with Butler.from_config(str(butler_root), writeable=True) as butler:
        butler.registry.insertDimensionData("physical_filter", here | {"name": "r DECam", "band": "r"})
        visit = {"id": 7, "name": "7", "day_obs": 20150217, "physical_filter": "r DECam"}
        butler.registry.insertDimensionData("visit", here | visit)
    put(butler_root, "r", "deepDiff_matchDiaSrc", [(HERE, older()), (HERE | {"visit": 7}, older())])
    found = read(ButlerRerun(str(butler_root), "r").tables["injection"], "visit", "mag")
    assert found["visit"] == [7] * N + [411371] * N
    assert found["mag"] == pytest.approx([*(MAG + 0.4), *MAG], nan_ok=True)


def test_a_pandas_join_is_told_apart_from_the_source(make_folder: Make) -> None:
    """Columns that both have bear a suffix; those of the source that only it has are not the injection's."""
    table = joined().rename_columns({"raJ2000": "ra_x", "decJ2000": "dec_x", "ra": "ra_y", "decl": "dec_y", "x": "x_y"})
    table = table.append_column("x_x", pa.array(np.arange(N) + 0.5))
    found = injection(make_folder, table)
    assert read(found, "ra", "x") == {"ra": pytest.approx(RA), "x": (np.arange(N) + 0.5).tolist()}
    assert "snr" not in found.columns
    assert read(found, "visit", "detector") == {"visit": [411371, None] * 3, "detector": [60, None] * 3}


def test_a_table_of_matches_without_a_join_keeps_its_own_columns(butler_root: Path, put: Put) -> None:
    """Since 2025 matches are only named; positions are those of the injections, and errors those measured there."""
    table = today().append_column("diaSourceId", pa.array([7, 0] * 3)).append_column("x", pa.array(np.arange(N) + 0.5))
    table = table.append_column("forced_base_PsfFlux_instFluxErr", pa.array(np.arange(N) + 90.0))
    put(butler_root, "r", "fakes_goodSeeingDiff_matchDiaSrc", [(HERE, table)])
    found = read(ButlerRerun(str(butler_root), "r").tables["injection"], "x", "ra", "fluxErr")
    assert found == {"x": (np.arange(N) + 0.5).tolist(), "ra": RA.tolist(), "fluxErr": (np.arange(N) + 90.0).tolist()}


def test_radians_are_known_by_their_company(make_folder: Make) -> None:
    """Plain ra and dec are in radians beside fakeId alone, in degrees beside injection_id, or where a unit says so."""
    fakes = older().rename_columns({"raJ2000": "ra", "decJ2000": "dec"})
    assert read(injection(make_folder, fakes), "dec") == {"dec": pytest.approx(DEC)}
    both = today().append_column("fakeId", pa.array(np.arange(N)))
    assert (
        FileRerun(make_folder({"injection": both}, "both"), "both").tables["injection"].read(["ra"])["ra"][0].as_py()
        == RA[0]
    )
    told = pa.table(
        {"fakeId": [1], "ra": [1.5]},
        pa.schema([("fakeId", pa.int64()), pa.field("ra", pa.float64(), metadata={"unit": "deg"})]),
    )
    assert (
        FileRerun(make_folder({"injection": told}, "told"), "told").tables["injection"].read(["ra"])["ra"][0].as_py()
        == 1.5
    )


def test_degrees_where_radians_belong_are_refused(make_folder: Make) -> None:
    """An angle of more than a turn shows that the table is not what its names say."""
    table = older().set_column(1, "raJ2000", pa.array(RA))
    with pytest.raises(BrokenFileError, match=r"injection.parquet .*position 150.6, where fakes .* have radians"):
        injection(make_folder, table).read(["ra"])


@pytest.mark.parametrize(
    ("stored", "known"),
    [
        (pa.array([1, 2**63 + 5], pa.uint64()), [1, -(2**63) + 5]),
        # blake2b of 8 bytes, as `b2sum -l 64` prints it
        (pa.array(["a1", None]), [int.from_bytes(bytes.fromhex("9f6566910330ed1b"), signed=True), None]),
        (pa.array([3.0, np.nan]), [3, None]),
        (pa.array([-4, 4], pa.int32()), [-4, 4]),
    ],
)
def test_identifiers_are_integers(make_folder: Make, stored: pa.Array, known: list[int | None]) -> None:
    """Unsigned identifiers keep their bits, text has a digest that is the same everywhere."""
    table = pa.table({"injection_id": stored})
    assert read(injection(make_folder, table), "injectionId") == {"injectionId": known}


def test_uuids_are_told_apart(make_folder: Make) -> None:
    """A UUID is an identifier like any other, as text or as its bytes."""
    ids = [uuid.UUID(int=number) for number in range(50)]
    table = pa.table({"injection_id": [str(each) for each in ids]})
    as_bytes = pa.table({"injected_id": pa.array([each.bytes for each in ids], pa.binary(16))})
    for name, each in (("text", table), ("bytes", as_bytes)):
        rerun = FileRerun(make_folder({"injection": each}, name), name)
        found = read(rerun.tables["injection"], "injectionId")["injectionId"]
        assert len(set(found)) == 50
        assert max(abs(number) for number in found) > 2**32


@pytest.mark.parametrize("pattern", ["{}magVar", "mag_{}", "{}_mag"])
def test_the_magnitude_is_that_of_the_band(make_folder: Make, pattern: str) -> None:
    """Of magnitudes in several bands the row's own counts; in a band without one there is none."""
    table = pa.table(
        {
            pattern.format("g"): [20.0, 21.0, 22.0, 23.0],
            pattern.format("r"): [30.0, 31.0, 32.0, 23.0],
            "band": ["g", "r", "i", None],
        }
    )
    found = read(injection(make_folder, table), "mag", "g_mag", "r_mag")
    assert found["mag"] == pytest.approx([20.0, 31.0, np.nan, 23.0], nan_ok=True)
    assert found["r_mag"] == [30.0, 31.0, 32.0, 23.0]


def test_a_magnitude_in_one_band_needs_no_band(make_folder: Make) -> None:
    """What is there once is the magnitude."""
    assert read(injection(make_folder, pa.table({"mag_r": [21.5]})), "mag") == {"mag": [21.5]}


def test_a_magnitude_that_differs_between_unknown_bands_is_refused(make_folder: Make) -> None:
    """Nothing is guessed; the same magnitude in all bands, as lsst/ap_pipe makes fakes, needs no band."""
    alike = pa.table({"g_mag": [20.0, np.nan], "r_mag": [20.0, np.nan]})
    assert read(injection(make_folder, alike), "mag")["mag"] == pytest.approx([20.0, np.nan], nan_ok=True)
    differ = FileRerun(make_folder({"injection": pa.table({"g_mag": [20.0], "r_mag": [21.0]})}, "differ"), "differ")
    with pytest.raises(
        BrokenFileError, match="magnitudes in g, r, and no column 'band' that says which counts"
    ) as caught:
        differ.tables["injection"].read(["mag"])
    assert "\n" not in str(caught.value)


def test_what_is_no_magnitude_is_nan(make_folder: Make) -> None:
    """Sentinels do not pass for brightness; a negative magnitude is the amount of a negative flux (matchFakes)."""
    table = pa.table({"mag": pa.array([21.0, -22.5, -99.0, 99.0, 0.0, np.inf, None])})
    found = read(injection(make_folder, table), "mag")["mag"]
    assert found == pytest.approx([21.0, 22.5, *[np.nan] * 5], nan_ok=True)


@pytest.mark.parametrize(
    ("stored", "in_template", "in_one_image"),
    [
        (
            {"isVisitSource": [True, False, True, False], "isTemplateSource": [False, True, True, False]},
            [False, True, False, False],
            [True, True, False, False],
        ),
        ({"isVisitSource": [True, False]}, [False, True], [True, True]),
        ({"isTemplateSource": [True, False]}, [True, False], [True, True]),
        ({"injection_flag": [0, 1, 8]}, None, [True, False, False]),
        ({"isTemplateSource": [True, False], "isVariable": [True, False]}, [True, False], [False, True]),
        ({"inTemplate": [1, None]}, [True, False], None),
    ],
)
def test_which_image_an_injection_went_into(
    make_folder: Make, stored: dict[str, Any], in_template: list[bool] | None, in_one_image: list[bool] | None
) -> None:
    """The image is told by what is there; where nothing says so, there is no column."""
    found = injection(make_folder, pa.table(stored))
    for name, wanted in (("inTemplate", in_template), ("inOneImage", in_one_image)):
        assert (read(found, name)[name] if name in found.columns else None) == wanted


def test_what_was_put_into_a_coadd_is_in_the_template(butler_root: Path, put: Put) -> None:
    """Its band is that of the coadd; its visit is left open."""
    from lsst.daf.butler import Butler

    butler = Butler.from_config(str(butler_root), writeable=True)
    for name, record in (
        ("skymap", {"name": "rings", "hash": b"0", "tract_max": 9, "patch_nx_max": 9, "patch_ny_max": 9}),
        ("tract", {"skymap": "rings", "id": 3}),
        ("patch", {"skymap": "rings", "tract": 3, "id": 4, "cell_x": 0, "cell_y": 0}),
    ):
        butler.registry.insertDimensionData(name, record)
    butler.close()
    data_id = {"skymap": "rings", "tract": 3, "patch": 4, "band": "g"}
    table = pa.table({"injection_id": [1], "ra": [150.0], "dec": [2.0], "mag": [21.0]})
    put(butler_root, "r", "injected_deep_coadd_predetection_catalog", [(data_id, table)])
    rerun = ButlerRerun(str(butler_root), "r")
    assert read(rerun.tables["injection"], "inTemplate", "band") == {"inTemplate": [True], "band": ["g"]}
    assert "visit" not in rerun.tables["injection"].columns
    assert rerun.instrument == ""


def test_an_exposure_is_a_visit_of_its_number(butler_root: Path, put: Put) -> None:
    """Injection right after the removal of the instrument's signature knows only the exposure."""
    from lsst.daf.butler import Butler

    butler = Butler.from_config(str(butler_root), writeable=True)
    butler.registry.insertDimensionData(
        "exposure",
        {"instrument": "DECam", "id": 411371, "obs_id": "411371", "group": "2015-02-17T01", "day_obs": 20150217}
        | {"physical_filter": "g DECam"},
    )
    butler.close()
    data_id = {"instrument": "DECam", "exposure": 411371, "detector": 60}
    put(butler_root, "r", "injected_post_isr_image_catalog", [(data_id, today())])
    assert read(ButlerRerun(str(butler_root), "r").tables["injection"], *COLUMNS) == expected()


def test_injections_of_a_visit_come_before_those_of_all(butler_root: Path, put: Put) -> None:
    """The catalogue to draw from has many more than were put into an image."""
    put(butler_root, "r", "injection_catalog", [({"htm7": 231819, "band": "g"}, today()[:1])])
    put(butler_root, "r", "injected_calexp_catalog", [(HERE, today())])
    assert ButlerRerun(str(butler_root), "r").tables["injection"].read(()).num_rows == N


def test_nothing_but_positions_is_needed(make_folder: Make) -> None:
    """Identifiers, magnitudes and the rest are optional."""
    found = injection(make_folder, pa.table({"ra": [150.0], "dec": [2.0]}))
    assert list(found.columns) == ["ra", "dec"]


def without_positions(make_folder: Make, butler_root: Path, put: Put) -> list[Any]:
    """Return a catalogue without positions, of a folder and of a Butler repository."""
    table = pa.table({"injection_id": [1], "RAJ2000": [150.0]})
    put(butler_root, "r", "injected_calexp_catalog", [(HERE, table)])
    return [injection(make_folder, table), ButlerRerun(str(butler_root), "r").tables["injection"]]


def test_a_catalogue_without_positions_is_named(make_folder: Make, butler_root: Path, put: Put) -> None:
    """The message lists the names that were tried and those that are there."""
    for table in without_positions(make_folder, butler_root, put):
        with pytest.raises(
            NotMeasuredError, match=r"table injection of .*'ra' .tried: ra, .*raJ2000.*there are:"
        ) as caught:
            table.read(["ra"])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["ra", "raJ2000", "mag", "mag_g", "isVisitSource"])
def test_text_where_numbers_belong_is_one_sentence(make_folder: Make, butler_root: Path, put: Put, name: str) -> None:
    """A word in a column of numbers names the file; numbers written as text are numbers."""
    table = pa.table({name: ["bright"], "mag_r": [1.0]})
    put(butler_root, "r", "injected_calexp_catalog", [(HERE, table)])
    wanted = {"raJ2000": "ra", "mag_g": "mag", "isVisitSource": "inTemplate"}.get(name, name)
    for found in (injection(make_folder, table), ButlerRerun(str(butler_root), "r").tables["injection"]):
        with pytest.raises(BrokenFileError, match="holds a value that does not fit its column") as caught:
            found.read([wanted])
        assert "\n" not in str(caught.value)
    numbers = FileRerun(make_folder({"injection": pa.table({"ra": ["150.5"]})}, "text"), "text")
    assert read(numbers.tables["injection"], "ra") == {"ra": [150.5]}


def test_injections_alone_are_no_dia_sources(butler_root: Path, put: Put) -> None:
    """Such a rerun is not listed and has no family of DIA metrics; its visits and instrument are known all the same."""
    put(butler_root, "r", "injected_calexp_catalog", [(HERE, today())])
    rerun = ButlerRerun(str(butler_root), "r")
    assert list_butler_reruns(str(butler_root)) == []
    assert list(rerun.tables) == ["injection"]
    assert rerun.instrument == "DECam"
    regions = rerun.regions()
    assert regions is not None
    assert set(regions["visit"].to_pylist()) == {411371}
    assert not DIA.applies(rerun)


def test_detectors_of_a_folder_are_told_by_its_injections(make_folder: Make) -> None:
    """Where there are no DIA sources, the size that [regions] gives belongs to the detectors with an injection."""
    toml = 'instrument = "DECam"\n[regions]\nwidth = 2048\nheight = 4096'
    regions = FileRerun(make_folder({"injection": with_place(today())}, toml=toml), "rerun").regions()
    assert regions is not None
    assert regions.select(["visit", "detector", "band", "width"]).to_pylist() == [
        {"visit": 411371, "detector": 60, "band": "g", "width": 2048.0}
    ]
    tract = FileRerun(make_folder({"injection": today()}, "tract", toml), "tract")
    assert tract.regions() is None
