"""Each defect that an analysis by hand has missed is planted in a rerun, and has to be found where it is."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from embedded_survey import JUNE, column_set, survey_tables

from harness.measure.dia import DIA


def _failed(answer):
    """Return the sentences of all verdicts but PASS, by metric."""
    return {name: row["sentence"] for name, row in answer.rows.items() if row["state"] != "PASS"}


def _column(table, name):
    return table[name].to_numpy().copy()


def _shifted_on_sky(tables, rows, arcsec=3.0):
    """Move some DIA sources to the north."""
    dec = _column(tables["diaSource"], "dec")
    dec[rows] += arcsec / 3600
    tables["diaSource"] = column_set(tables["diaSource"], "dec", dec)


def test_nothing_planted_is_nothing_found(judge):
    """June as it is passes, but for what two reruns of other software never share to the bit."""
    answer = judge(survey_tables(JUNE))
    assert _failed(answer).keys() <= {"columns.numChanged", "churn.medianOffset"}


def test_smallest_change_is_found(judge, tables):
    """One value of one column in one row is changed: that column is named, and nothing else is blamed."""
    flux = _column(tables["diaSource"], "psfFlux")
    flux[1234] *= 1.0001
    tables["diaSource"] = column_set(tables["diaSource"], "psfFlux", flux)
    failed = _failed(judge(tables))
    assert failed.keys() == {"columns.numChanged"}
    assert "psfFlux (1 of 19141, by up to " in failed["columns.numChanged"]


# Same-side read: two handles, one of them never used, and both catalogues from the same rerun.


def test_both_sides_read_from_one_rerun(judge, tables):
    """The DIA sources of both sides are the same, although other tables differ: refused, not "unchanged"."""
    answer = judge({**tables, "source": survey_tables(JUNE)["source"]}, code=2)
    assert "hold the same rows" in answer.complaint


def test_harness_that_reads_one_side_twice_is_found_out(judge, run, monkeypatch, tmp_path):
    """Were both sides of the churn read from the reference, it would count other sources than the rerun has."""
    checks = tmp_path / "test_sides.py"
    checks.write_text(
        "def test_it(rerun, expect):\n"
        "    expect(rerun['dia.numSources']).within(0, 9e9)\n"
        "    assert rerun['churn.numRerun'].value == rerun['dia.numSources'].value\n"
    )
    judge(survey_tables(JUNE), "--checks", checks, code=0)
    measure = DIA.pair_kinds["churn"]
    monkeypatch.setitem(DIA.pair_kinds, "churn", lambda task, _, reference: measure(task, reference, reference))
    shutil.rmtree(next(run.store.glob("planted-*")))
    notes = judge(survey_tables(JUNE), "--checks", checks).json["notes"]
    assert "ERROR test_sides.py::test_it[planted]: AssertionError: assert 19141.0 == 19176.0" in notes


# Shifted rows: one column in another order than the rest.


@pytest.mark.parametrize("name", ["psfFlux", "snr", "x", "reliability"])
def test_column_shifted_by_one_row(judge, tables, name):
    """A column that follows another order than the rest keeps its distribution, and is still named."""
    tables["diaSource"] = column_set(tables["diaSource"], name, np.roll(_column(tables["diaSource"], name), 1))
    failed = _failed(judge(tables))
    assert f"; {name} (" in failed["columns.numChanged"]
    assert failed.keys() <= {"columns.numChanged", "churn.medianFluxRatio"}


def test_positions_shifted_by_one_row(judge, tables):
    """Positions in another order make every source a lost and a gained one, at an unchanged count."""
    tables["diaSource"] = column_set(tables["diaSource"], "ra", np.roll(_column(tables["diaSource"], "ra"), 1))
    answer = judge(tables)
    assert {"churn.fracLost", "churn.fracGained", "columns.numChanged"} <= _failed(answer).keys()
    assert answer.states["dia.numSources"] == "PASS"


# Swapped ids.


def test_ids_of_two_sources_swapped(judge, tables):
    """Two rows that bear each other's id differ in what belongs to the row, and no count notices."""
    ids = _column(tables["diaSource"], "diaSourceId")
    ids[[100, 9000]] = ids[[9000, 100]]
    tables["diaSource"] = column_set(tables["diaSource"], "diaSourceId", ids)
    failed = _failed(judge(tables))
    assert failed.keys() == {"columns.numChanged"}
    assert "(2 of 19141" in failed["columns.numChanged"]


@pytest.mark.parametrize(
    ("name", "pair", "place"),
    [("detector", (25, 28), "detector 2[58] "), ("visit", (900101, 900201), "visit 900[12]01 ")],
)
def test_names_of_two_detectors_or_visits_swapped(judge, tables, name, pair, place):
    """Counts stay, and the exchange tells where."""
    values = _column(tables["diaSource"], name)
    one, other = (values == value for value in pair)
    values[one], values[other] = pair[1], pair[0]
    tables["diaSource"] = column_set(tables["diaSource"], name, values)
    answer = judge(tables)
    assert {"churn.fracLost", "churn.fracGained"} <= _failed(answer).keys()
    assert answer.states["dia.numObjects"] == "PASS"
    assert f"{name} (" in _failed(answer)["columns.numChanged"]


def test_visit_and_detector_swapped(judge, tables):
    """Visit and detector in each other's column are no visit of the reference: nothing passes for unchanged."""
    sources = tables["diaSource"]
    visit, detector = _column(sources, "visit"), _column(sources, "detector")
    sources = column_set(sources, "detector", (visit - 900000).astype(np.int16))
    tables["diaSource"] = column_set(sources, "visit", detector.astype(np.int64))
    answer = judge(tables)
    assert answer.states["dia.numSources"] == answer.states["churn.fracLost"] == "NOT_COMPARABLE"
    assert answer.states["dia.numVisits"] == "FAIL"


# Wrong flag set.


def test_other_flag_list_than_the_baseline(judge):
    """A good source by another list is another quantity: not comparable, and only what counts good sources is."""
    answer = judge(survey_tables(JUNE), "--good-flags", "S6", "--", "-k", "counts or ratios", code=3)
    refused = {name for name, state in answer.states.items() if state == "NOT_COMPARABLE"}
    assert refused == {name for name in answer.states if "Good" in name or "good" in name}
    assert {state for name, state in answer.states.items() if name not in refused} == {"PASS"}
    assert "'good': 'S6'" in answer.rows["dia.numGoodSources"]["sentence"]


# Net counts that hide an exchange.


def test_exchange_without_a_net_change(judge, tables):
    """Five of a hundred sources are somewhere else: every count is as it was, and the churn is not."""
    rows = np.arange(0, tables["diaSource"].num_rows, 20)
    _shifted_on_sky(tables, rows)
    answer = judge(tables)
    failed = _failed(answer)
    assert {"churn.fracLost", "churn.fracGained"} <= failed.keys()
    assert answer.rows["dia.numSources"]["estimate"] == 0
    assert answer.rows["churn.fracLost"]["value"] == pytest.approx(0.05, abs=0.001)


def test_extra_sources_on_one_detector_are_placed_there(judge, tables):
    """Where the additional sources are is told by the number of the detector."""
    sources = tables["diaSource"]
    extra = sources.filter(pc.equal(sources["detector"], 28))
    extra = column_set(extra, "diaSourceId", _column(extra, "diaSourceId") + 10**15)
    extra = column_set(extra, "ra", _column(extra, "ra") + 3 / 3600)
    tables["diaSource"] = pa.concat_tables([sources, extra])
    answer = judge(tables)
    assert answer.states["dia.numSources"] == "FAIL"
    assert "detector 28 (1 of 6) has 100 % of the net" in "\n".join(answer.json["notes"])
    assert "first stage that differs: differenceExp" in _failed(answer)["dia.numSources"]


def test_stage_is_not_named_where_earlier_ones_were_not_tested(judge, tables):
    """Without direct-image sources nobody knows whether the differencing is to blame, and it is not blamed."""
    del tables["source"]
    _shifted_on_sky(tables, slice(0, None, 20))
    answer = judge(tables)
    assert "  stage      not determined: dia.numSciSources NOT_MEASURED" in answer.json["notes"]
    assert "first stage that differs" not in _failed(answer)["churn.fracLost"]


# Tables that are wrong in themselves.


def test_duplicated_rows(judge, tables):
    """Rows that were written twice are counted."""
    sources = tables["diaSource"]
    again = sources.take(np.arange(0, sources.num_rows, 400))
    tables["diaSource"] = pa.concat_tables([sources, again])
    failed = _failed(judge(tables))
    assert failed["dia.numDuplicateIds"].startswith(f"dia.numDuplicateIds = {again.num_rows} (allowed 0 to 0)")
    assert failed.keys() <= {"dia.numDuplicateIds", "dia.numMiscountedObjects"}


def test_lost_visit(judge, tables):
    """A visit that was never processed has no pair to be compared with; the count of visits says so."""
    for name in ("diaSource", "source"):
        visits = tables[name]["visit"]
        tables[name] = tables[name].filter(pc.not_equal(visits, pc.max(visits)))
    failed = _failed(judge(tables))
    assert failed["dia.numVisits"].startswith("dia.numVisits = 23, -4.2 % against w_2020_20")
    assert failed["dia.numCatalogs"].startswith("dia.numCatalogs = 138, ")


def test_rows_that_were_never_written(judge, tables):
    """Rows of zeros at the end of a table are as many ids that are not unique."""
    sources = tables["diaSource"]
    empty = pa.Table.from_arrays(
        [
            pa.nulls(3, field.type) if str(field.type) in ("string", "null") else pa.array([0] * 3).cast(field.type)
            for field in sources.schema
        ],
        schema=sources.schema,
    )
    tables["diaSource"] = pa.concat_tables([sources, empty])
    failed = _failed(judge(tables))
    assert failed["dia.numDuplicateIds"].startswith("dia.numDuplicateIds = 2 ")


def test_objects_that_lost_their_sources(judge, tables):
    """Objects whose sources are gone are empty, and none of the sources is an orphan."""
    sources = tables["diaSource"]
    victims = pa.array(sources["diaObjectId"].unique().to_pylist()[:3])
    tables["diaSource"] = sources.filter(pc.invert(pc.is_in(sources["diaObjectId"], victims)))
    failed = _failed(judge(tables))
    assert failed["dia.numEmptyObjects"].startswith("dia.numEmptyObjects = 3 ")
    assert "dia.numOrphanSources" not in failed


def test_sources_that_lost_their_object(judge):
    """Sources of an object that is not in the table are orphans."""
    tables = dict(survey_tables(JUNE))
    objects = tables["diaObject"]
    tables["diaObject"] = objects.slice(1)
    lost = objects["diaObjectId"][0]
    count = pc.sum(pc.equal(tables["diaSource"]["diaObjectId"], lost)).as_py()
    failed = _failed(judge(tables))
    assert failed["dia.numOrphanSources"].startswith(f"dia.numOrphanSources = {count} ")
    assert "dia.numEmptyObjects" not in failed


def test_copied_column(judge, tables):
    """A column that was filled from its neighbour is named with it, and the PSF that no PSF can have is counted."""
    sources = tables["diaSource"]
    tables["diaSource"] = column_set(sources, "iyyPSF", _column(sources, "ixyPSF"))
    failed = _failed(judge(tables))
    assert failed["dia.numEqualColumnPairs"].startswith("dia.numEqualColumnPairs = 1 (allowed 0 to 0)")
    assert "iyyPSF" in failed["dia.numEqualColumnPairs"]
    assert "ixyPSF" in failed["dia.numEqualColumnPairs"]
    assert failed.keys() == {"dia.numEqualColumnPairs", "dia.numNonPositivePsfDeterminants", "columns.numChanged"}


def test_positions_that_are_no_numbers(judge, tables):
    """NaN positions are counted, and the rows that have them match nothing."""
    sources = tables["diaSource"]
    dec = _column(sources, "dec")
    dec[[7, 77, 777]] = np.nan
    tables["diaSource"] = column_set(sources, "dec", dec)
    failed = _failed(judge(tables))
    assert failed.keys() == {"dia.numNonFinitePositions", "columns.numChanged"}
    assert failed["dia.numNonFinitePositions"].startswith("dia.numNonFinitePositions = 3 ")


def test_column_that_came_out_empty(judge, tables):
    """A column without a single number is one more than the two that are empty by design."""
    sources = tables["diaSource"]
    tables["diaSource"] = column_set(sources, "apFluxErr", np.full(sources.num_rows, np.nan))
    failed = _failed(judge(tables))
    assert failed.keys() == {"dia.numEmptyColumns", "columns.numChanged"}
    assert "apFluxErr" in failed["dia.numEmptyColumns"]


def test_sign_flip(judge, tables):
    """Fluxes of the wrong sign are still fluxes; their ratio is -1."""
    sources = tables["diaSource"]
    tables["diaSource"] = column_set(sources, "psfFlux", -_column(sources, "psfFlux"))
    answer = judge(tables)
    assert _failed(answer).keys() == {"churn.medianFluxRatio", "columns.numChanged"}
    assert answer.rows["churn.medianFluxRatio"]["value"] == -1


@pytest.mark.parametrize("arcsec", [0.002, 0.05])
def test_moved_sky(judge, tables, arcsec):
    """Positions that are off by less than the match radius lose no source, and the offset is told."""
    _shifted_on_sky(tables, slice(None), arcsec)
    answer = judge(tables)
    assert _failed(answer).keys() == {"churn.medianOffset", "columns.numChanged"}
    assert answer.rows["churn.medianOffset"]["value"] == pytest.approx(1000 * arcsec, rel=1e-3)


def test_flag_that_is_set_too_often(judge, tables):
    """One flag in twenty more is told by the flag's own name."""
    sources = tables["diaSource"]
    flag = sources["pixelFlags_edge"].to_numpy().copy()
    flag[::20] = True
    tables["diaSource"] = column_set(sources, "pixelFlags_edge", flag)
    failed = _failed(judge(tables))
    assert failed.keys() == {"dia.fracFlagged.pixelFlags_edge", "columns.numChanged"}


def test_order_of_rows_is_no_defect(judge, tables):
    """Rows in another order are the same rows, and a comparison of them is one of a rerun with itself."""
    order = np.random.default_rng(0).permutation(tables["diaSource"].num_rows)
    tables["diaSource"] = tables["diaSource"].take(order)
    assert "hold the same rows" in judge(tables, code=2).complaint
