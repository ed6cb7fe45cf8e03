"""Measuring a flavor from files to rows: as many injections as there are, however the files are cut."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from embedded_images import Measured, unordered
from flavor_files import DETECTORS, N_UNMATCHED, PER_DETECTOR, VISITS, column, flavor, without, write_flavor

from harness.errors import NotMeasuredError
from harness.measure import flavors
from harness.measure.catalogue import all_metrics
from harness.measure.flavors import CURVES, FLAVOR, INJECTIONS, SOURCES, STAMPS
from harness.measure.measurements import Measurements
from harness.measure.run import measure_pair, pair_suite
from harness.measure.stamps import stamps_schema
from harness.metrics.flavor.frames import injections_schema, sources_schema
from harness.metrics.settings import Settings
from harness.rerun import open_rerun

N_INJECTIONS = PER_DETECTOR * len(VISITS) * len(DETECTORS)


def rows_of(measured, but=()):
    """Return the rows of the family, in an order of their own."""
    groups = all_metrics(measured.settings)
    own = [row for row in measured.rows if groups[row["metric"]].group in FLAVOR.groups and row["metric"] not in but]
    return unordered(own)


def compared(folder, name, reference):
    """Measure two reruns side by side."""
    ours, theirs = (open_rerun(str(folder), each) for each in (name, reference))
    store = Measured(folder, name).store
    manifest = measure_pair(ours, theirs, Settings(), store)
    rows = store.read_shards(store.folder(ours.ref, pair_suite(theirs.ref)), manifest.shards)
    return Measurements(name, manifest, rows, all_metrics(Settings()), {})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the flavor in one file for each table, measured, and what is true of it."""
    made = flavor()
    return Measured(write_flavor(tmp_path_factory.mktemp("whole"), made.tables)), made


def test_all_that_was_injected_is_counted(whole):
    """Injections, those found, and the sources that are none, are as many as were made."""
    measured, made = whole
    n_found, n_places = int(made.found.sum()), len(VISITS) * len(DETECTORS)
    known, elsewhere = len(VISITS), len(VISITS)  # the variable of the catalogue, and that of the other detector
    expected = {
        "injected.numInjections": N_INJECTIONS,
        "injected.numMatched": n_found,
        "injected.numMatched.S6": n_found,
        "injected.efficiency": n_found / N_INJECTIONS,
        "injected.contamination": n_places * (N_UNMATCHED + 2),
        "flavor.numFalsePositives": n_places * N_UNMATCHED + elsewhere,
        "flavor.purity": (n_found + known + n_places) / (n_found + n_places * (N_UNMATCHED + 2)),
        "injected.numDetectors": n_places,
        "injected.numOutside": 0,
        "injected.numDuplicates": 0,
    }
    assert {name: measured.values[name] for name in expected} == pytest.approx(expected)
    assert measured.values["injected.snr50"] == pytest.approx(5, abs=0.5)
    assert math.isnan(measured.values["injected.numMatched.N7"])
    assert "flag list N7 needs" in measured.by_metric["injected.numMatched.N7"].detail


def test_everything_of_the_family_is_measured(whole):
    """Each metric of the groups has a row, but for bands without injections and what needs a reference."""
    measured, _ = whole
    absent = {
        name
        for name, metric in all_metrics(Settings()).items()
        if metric.group in FLAVOR.groups and not measured.of(name)
    }
    assert all(name.startswith("flavor.") for name in absent if "mag50" not in name)
    assert {name.split(".")[2] for name in absent if name.startswith("injected.mag50.")} == set("uizy")
    groups = {metric.group for name, metric in all_metrics(Settings()).items() if name in absent}
    assert groups == {"flavor_change", "injected_efficiency"}


def test_kept_tables_are_as_they_are_described(whole):
    """Figures are drawn from tables with the columns of the frames, and of curves and stamps."""
    measured, made = whole
    for name, schema, n in ((INJECTIONS, injections_schema(), N_INJECTIONS), (SOURCES, sources_schema(), None)):
        (table,) = measured.kept(name)
        assert table.column_names == list(schema)
        assert table.num_rows == (n or made.tables["diaSource"].num_rows)
    (curves,) = measured.kept(CURVES)
    assert {row["x"] for row in curves.to_pylist()} == {"snr", "mag"}
    assert {"x50", "slope", "ceiling", "x50Low", "x50High", "ceilingLow", "ceilingHigh"} <= set(curves.column_names)
    (stamps,) = measured.kept(STAMPS)
    assert stamps.schema.equals(stamps_schema())
    assert stamps.num_rows == 0  # there are no exposures


@pytest.mark.parametrize("by", [("visit",), ("visit", "detector"), ("detector",)])
def test_files_may_be_cut_anywhere(whole, tmp_path, by):
    """No injection counts once for each file: nothing says which visits a file holds completely."""
    assert rows_of(Measured(write_flavor(tmp_path, whole[1].tables, by=by))) == rows_of(whole[0])


def test_order_of_rows_does_not_matter(whole, tmp_path):
    """Sources and injections in another order are the same ones."""
    shuffled = dict(whole[1].tables)
    for name in ("diaSource", "injection"):
        shuffled[name] = shuffled[name].take(np.random.default_rng(5).permutation(shuffled[name].num_rows))
    found, expected = (each.values for each in (Measured(write_flavor(tmp_path, shuffled)), whole[0]))
    assert {name: value for name, value in found.items() if name.startswith(("injected", "flavor"))} == pytest.approx(
        {name: value for name, value in expected.items() if name.startswith(("injected", "flavor"))}, nan_ok=True
    )


def test_many_sources_are_thinned_for_the_figures_alone(whole, tmp_path, monkeypatch):
    """Of more sources than are drawn some are kept; all are counted."""
    monkeypatch.setattr(flavors, "_N_SOURCES", 50)
    measured = Measured(write_flavor(tmp_path, whole[1].tables))
    (kept,) = measured.kept(SOURCES)
    assert 25 < kept.num_rows <= 50
    assert rows_of(measured) == rows_of(whole[0])


class ByVisit:
    """A table of which each visit is a partition, as those of a Butler repository are."""

    def __init__(self, table, data_ids=None, key="visit", where=lambda visit: True):
        self.name, self._table, self._ids = table.name, table, data_ids
        self.columns, self.stored_columns = table.columns, table.stored_columns
        self._visits = [visit for visit in VISITS if where(visit)]
        self._key = key

    def partitions(self):
        """Return a partition for each visit."""
        from harness.rerun.protocol import Partition

        (whole,) = self._table.partitions()
        return tuple(
            Partition(
                f"{self._key}-{visit}",
                (str(visit),),
                f"{whole.inputs} {visit}",
                (visit,),
                None if self._ids is None else tuple(each for each in self._ids if each[0] == visit),
            )
            for visit in self._visits
        )

    def read(self, columns, partition=None):
        """Read some columns of a visit."""
        import pyarrow.compute as pc

        table = self._table.read(list(dict.fromkeys([*columns, "visit"])))
        if partition is not None:
            table = table.filter(pc.equal(table["visit"], int(partition.refs[0])))
        return table.select(list(columns))


def by_visit(folder, *, data_ids=None, catalogue=True, processed=lambda visit: True):
    """Return the family's tasks done visit by visit, and the number of shards: all rows."""
    rerun = open_rerun(str(folder), "r")
    tables = rerun.tables
    tables["diaSource"] = ByVisit(tables["diaSource"], data_ids, where=processed)
    if catalogue:
        tables["injection"] = ByVisit(tables["injection"], key="injected")
    tasks = FLAVOR.tasks(rerun, Settings())
    made = [FLAVOR.kinds[task.kind](task, rerun) for task in tasks]
    summary = FLAVOR.summary.make(lambda name: [each.tables[name] for each in made], rerun, Settings())
    rows = pa.concat_tables([*(each.rows for each in made), summary.rows])
    return rows, len(tasks)


def values(rows):
    """Return the value of each metric."""
    found = Measurements("r", None, rows, all_metrics(Settings()), {})
    return {name: found[name].value for name in found}


def test_visits_may_be_measured_each_by_itself(whole, tmp_path):
    """Shards of a visit each give the rows that one of everything gives; reasons of the whole rerun, each."""
    rows, n_shards = by_visit(write_flavor(tmp_path, whole[1].tables))
    assert n_shards == len(VISITS)
    found = unordered(rows.to_pylist())
    assert sorted(set(found)) == rows_of(whole[0])
    assert not [row for row in set(found) if found.count(row) > 1 and "('numerator', nan)" not in row]


@pytest.mark.parametrize("sharded", [False, True])
def test_catalogue_of_a_tract(whole, tmp_path, sharded):
    """Injections that name no visit are on each detector that holds them; one that is on none counts once."""
    made = whole[1].tables
    injections = made["injection"]
    once = injections.filter(pa.array(injections["visit"].to_numpy() == VISITS[0]))
    tract = once.select(["injectionId", "ra", "dec", "flux", "mag", "snr", "inTemplate"])
    far = tract.slice(0, 1)
    far = column(column(far, "ra", [151.9]), "injectionId", [99_999])
    folder = write_flavor(tmp_path, made | {"injection": pa.concat_tables([tract, far])})
    found = values(by_visit(folder, catalogue=False)[0]) if sharded else Measured(folder).values
    expected = whole[0].values | {"injected.numOutside": 1}
    for name in ("injected.numInjections", "injected.numMatched", "injected.numOutside", "injected.snr50"):
        assert found[name] == pytest.approx(expected[name]), name


def test_visit_without_any_source(whole, tmp_path):
    """Its injections are missed, and not left out."""
    made = whole[1]
    tables = made.tables | {"diaSource": without(made.tables["diaSource"], visit=VISITS[1])}
    measured = Measured(write_flavor(tmp_path, tables))
    is_there = made.tables["injection"]["visit"].to_numpy() != VISITS[1]
    assert measured.values["injected.numInjections"] == N_INJECTIONS
    assert measured.values["injected.numMatched"] == made.found[is_there].sum()
    (row,) = (measured.of("injected.efficiency")[VISITS[1], detector] for detector in DETECTORS[:1])
    assert (row["numerator"], row["denominator"]) == (0, PER_DETECTOR)


@pytest.mark.parametrize("catalogue", [False, True])
@pytest.mark.parametrize("place", [{"visit": VISITS[2]}, {"detector": DETECTORS[1]}])
def test_what_was_never_subtracted_is_outside(whole, tmp_path, place, catalogue):
    """Where it is recorded what was subtracted, injections elsewhere count as outside and nowhere else."""
    made = whole[1]
    ((name, value),) = place.items()
    is_lost = made.tables["injection"][name].to_numpy() == value
    folder = write_flavor(tmp_path, made.tables | {"diaSource": without(made.tables["diaSource"], **place)})
    ids = [(visit, detector) for visit in VISITS for detector in DETECTORS if value not in (visit, detector)]
    rows, n_shards = by_visit(folder, data_ids=ids, catalogue=catalogue, processed=lambda visit: visit != value)
    assert n_shards == (len({visit for visit, _ in ids}) if catalogue else 1)
    found = values(rows)
    assert found["injected.numOutside"] == is_lost.sum()
    assert found["injected.numInjections"] == N_INJECTIONS - is_lost.sum()
    assert found["injected.numMatched"] == made.found[~is_lost].sum()


def test_what_was_put_into_no_image_is_not_outside(whole, tmp_path):
    """Of a visit that was not subtracted, those count that were injected into one image."""
    made = whole[1].tables
    injections = column(made["injection"], "injection_flag", np.arange(N_INJECTIONS) % 4 == 0)
    folder = write_flavor(
        tmp_path, made | {"diaSource": without(made["diaSource"], visit=VISITS[0]), "injection": injections}
    )
    rows, _ = by_visit(folder, processed=lambda visit: visit != VISITS[0])
    assert values(rows)["injected.numOutside"] == PER_DETECTOR * len(DETECTORS) * 3 / 4


def test_flavor_without_other_catalogues(whole, tmp_path):
    """Without known sources and stars there is a reason where they are needed, and everything else is the same."""
    made = {name: table for name, table in whole[1].tables.items() if name not in ("known", "star")}
    measured = Measured(write_flavor(tmp_path, made))
    assert measured.values["injected.numMatched"] == whole[1].found.sum()
    assert "no catalogue of stars" in measured.by_metric["injected.efficiencyNearStars"].detail
    assert measured.values["injected.contamination"] == whole[0].values["injected.contamination"]
    assert "catalogue" in measured.by_metric["flavor.numFalsePositives"].detail
    assert whole[0].by_metric["flavor.numFalsePositives"].detail == ""
    assert measured.values["flavor.numFalsePositives"] > whole[0].values["flavor.numFalsePositives"]


@pytest.mark.parametrize("table", ["diaSource", "injection", "known", "star", "regions"])
def test_summary_is_made_again(tmp_path, table):
    """When any of the tables is another, its shard and what is made of all shards are made anew; else nothing is."""
    made = flavor()
    folder = write_flavor(tmp_path, made.tables)
    first = Measured(folder)
    assert (len(first.shard("injections")), len(first.shard("flavor"))) == (1, 1)
    times = [path.stat().st_mtime_ns for path in first.shard("flavor")]
    assert [path.stat().st_mtime_ns for path in Measured(folder).shard("flavor")] == times
    fewer = made.tables[table].slice(0, made.tables[table].num_rows - 1)
    write_flavor(folder, made.tables | {table: fewer})
    second = Measured(folder)
    assert second.shard("flavor") != first.shard("flavor")
    if table == "injection":
        assert second.values["injected.numInjections"] == N_INJECTIONS - 1


def test_summary_follows_injections_of_visits_that_were_not_subtracted(whole, tmp_path):
    """They are in no shard, but counted."""
    made = whole[1].tables
    folder = write_flavor(tmp_path, made | {"diaSource": without(made["diaSource"], visit=VISITS[0])})

    def inputs(changed):
        rerun = open_rerun(str(folder), "r")
        rerun.tables["diaSource"] = ByVisit(rerun.tables["diaSource"], where=lambda visit: visit != VISITS[0])
        rerun.tables["injection"] = ByVisit(rerun.tables["injection"], where=lambda visit: visit not in changed)
        return [task.inputs for task in FLAVOR.tasks(rerun, Settings())]

    assert inputs(()) == inputs(())
    assert inputs(()) != inputs(VISITS[:1])


def test_flavors_are_compared_injection_by_injection(tmp_path):
    """Gained and lost are those that only one side found; the setting that differs is named."""
    ours, theirs = flavor(1, 5.0), flavor(2, 6.0)
    for name, made, mode in (("ours", ours, "auto"), ("theirs", theirs, "convolveTemplate")):
        write_flavor(tmp_path, made.tables, name, lines=("[configs.settings]", f'"subtractImages: mode" = "{mode}"'))
    found = compared(tmp_path, "ours", "theirs")
    gained, lost = (ours.found & ~theirs.found).sum(), (theirs.found & ~ours.found).sum()
    assert gained > 2 * lost > 0
    values = {name: found[f"flavor.{name}"].value for name in ("numCommon", "numGained", "numLost", "numLost.S6")}
    assert values == {"numCommon": N_INJECTIONS, "numGained": gained, "numLost": lost, "numLost.S6": lost}
    assert found["flavor.efficiencyChange"].value == pytest.approx((gained - lost) / N_INJECTIONS)
    assert found["flavor.snr50Change"].value == pytest.approx(-1, abs=0.5)
    assert found["flavor.numConfigDifferences"].value == 1
    assert found["flavor.numConfigDifferences"].detail == "subtractImages: mode is auto, was convolveTemplate"


def test_comparison_follows_the_configuration(tmp_path):
    """Settings that are written down later are told, although no table is another."""
    for name in ("ours", "theirs"):
        write_flavor(tmp_path, flavor().tables, name)
    before = compared(tmp_path, "ours", "theirs")["flavor.numConfigDifferences"]
    assert math.isnan(before.value)
    assert before.detail == "neither rerun recorded its configuration"
    for name, mode in (("ours", "auto"), ("theirs", "convolveTemplate")):
        toml = tmp_path / name / "rerun.toml"
        toml.write_text(toml.read_text() + f'[configs.settings]\n"subtractImages: mode" = "{mode}"\n')
    assert compared(tmp_path, "ours", "theirs")["flavor.numConfigDifferences"].value == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("injectionId", np.arange(N_INJECTIONS) + 50_000), "have no injection in common"),
        (("flux", np.full(N_INJECTIONS, 3000.0)), "nJy in the reference; inject the same sources into both"),
        (("ra", 150.4 + np.arange(N_INJECTIONS) / 5e4), "arcsec from that of the reference; inject the same"),
    ],
)
def test_flavors_with_other_injections_are_not_compared(tmp_path, change, said):
    """Neither counts nor curves of different injections are compared, and each number says why not."""
    made = flavor().tables
    write_flavor(tmp_path, made, "ours")
    write_flavor(tmp_path, made | {"injection": column(made["injection"], *change)}, "theirs")
    found = compared(tmp_path, "ours", "theirs")
    for name in found:
        if name.startswith("flavor.") and name != "flavor.numConfigDifferences":
            assert math.isnan(found[name].value), name
            assert said in found[name].detail, name


def test_stage_that_one_side_lacks(tmp_path):
    """A list of flags that the reference cannot apply is compared at no stage, and the reason says so."""
    made = flavor()
    write_flavor(tmp_path, made.tables, "ours")
    bare = made.tables["diaSource"].drop_columns(["pixelFlags_edge"])
    write_flavor(tmp_path, made.tables | {"diaSource": bare}, "theirs")
    found = compared(tmp_path, "ours", "theirs")
    for name in ("flavor.numGained.S6", "flavor.snr50Change.S6", "flavor.pullChange.S6"):
        assert math.isnan(found[name].value)
        assert "pixelFlags_edge" in found[name].detail
    assert found["flavor.numGained"].value == 0


def test_reference_without_injections_is_no_flavor(tmp_path):
    """There is nothing to compare injection by injection."""
    made = flavor().tables
    write_flavor(tmp_path, made, "ours")
    write_flavor(tmp_path, {name: table for name, table in made.items() if name != "injection"}, "theirs")
    found = compared(tmp_path, "ours", "theirs")
    assert not any(name.startswith("flavor.") for name in found)
    assert "churn.numMatched" in found


def test_no_positions_of_injections(tmp_path):
    """The columns that are there are named."""
    made = flavor().tables
    write_flavor(tmp_path, made | {"injection": made["injection"].drop_columns(["ra", "dec"])})
    with pytest.raises(NotMeasuredError, match=r"^the injection catalogue has no ra and dec \(it has injectionId"):
        Measured(tmp_path)
