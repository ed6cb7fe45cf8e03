"""Flavors whose injections are odd, damaged or not there: the right number, or one sentence, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from embedded_survey import cut_short
from flavor_files import DETECTORS, N_UNMATCHED, PER_DETECTOR, VISITS, column, flavor, write_flavor

N_PLACES = len(VISITS) * len(DETECTORS)
N_INJECTIONS = PER_DETECTOR * N_PLACES
FIRST = np.arange(N_INJECTIONS) < 7

MADE = flavor()


def injections(**columns):
    """Return the tables with columns of the injections replaced; None leaves one out."""
    table = MADE.tables["injection"]
    for name, values in columns.items():
        table = table.drop_columns([name]) if values is None else column(table, name, values)
    return MADE.tables | {"injection": table}


def sources(**columns):
    """Return the tables with columns of the DIA sources replaced."""
    table = MADE.tables["diaSource"]
    for name, values in columns.items():
        table = column(table, name, values)
    return MADE.tables | {"diaSource": table}


def stored(name):
    """Return a column of the injections."""
    return MADE.tables["injection"][name].to_numpy()


def measure(run, tables, *arguments, code=0):
    """Write the tables and measure them; nothing may be said on the side."""
    write_flavor(run.folder, tables)
    answer = run("measure", "--repo", run.folder, "--rerun", "r", "--format", "json", *arguments, code=code)
    assert len(answer.complaints) == (code != 0)
    return answer


def check(answer, but=(), **expected):
    """Require values of ``injected.…`` metrics, by default those of a good catalogue of which ``but`` are left out."""
    left = np.ones(N_INJECTIONS, bool)
    left[list(but)] = False
    counts = {
        "numInjections": left.sum(),
        "numMatched": (MADE.found & left).sum(),
        "efficiency": pytest.approx((MADE.found & left).sum() / left.sum()),
        **dict.fromkeys(("numOutside", "numDuplicates", "numNonFinitePositions", "numWithoutFlux", "numWithoutSnr"), 0),
    }
    values = {name: answer.rows[f"injected.{name}"]["value"] for name in counts | expected}
    assert values == counts | expected


def reason(answer, metric):
    """Return why a metric has no value."""
    row = answer.rows[metric]
    assert row["value"] is None
    return row["detail"]


def test_good_flavor(run):
    """Nothing is lost of what is as it should be."""
    check(measure(run, MADE.tables))


def test_no_injections_in_the_table(run):
    """All counts are 0, shares and curves say that there is nothing, and what was found is unmatched."""
    answer = measure(run, MADE.tables | {"injection": MADE.tables["injection"].slice(0, 0)})
    for name in ("numInjections", "numMatched", "numOutside", "numDetectors"):
        assert answer.rows[f"injected.{name}"]["value"] == 0, name
    assert answer.rows["injected.contamination"]["value"] == MADE.tables["diaSource"].num_rows
    assert reason(answer, "injected.efficiency")
    assert reason(answer, "injected.snr50") == "there is no injection whose brightness is known"
    assert "no injection" in reason(answer, "injected.fluxPullMean")


def test_all_missed(run):
    """The efficiency is 0, which is a number, and where half is found cannot be told."""
    of_injections = pa.array(MADE.tables["diaSource"]["diaObjectId"].to_numpy() < 9000)
    nothing = MADE.tables["diaSource"].filter(pa.compute.invert(of_injections))
    answer = measure(run, MADE.tables | {"diaSource": nothing})
    assert answer.rows["injected.numMatched"]["value"] == answer.rows["injected.efficiency"]["value"] == 0
    assert answer.rows["injected.contamination"]["value"] == N_PLACES * (N_UNMATCHED + 2)
    assert reason(answer, "injected.snr50") == "none of 240 injections was found, the brightest of which is at 60"
    assert reason(answer, "injected.separation") == "no injection of signal-to-noise 10 or more was found"


def test_all_found(run):
    """The efficiency is 1, and where half is found lies below all of them."""
    answer = measure(run, flavor(threshold=-50).tables)
    assert answer.rows["injected.numMatched"]["value"] == N_INJECTIONS
    assert answer.rows["injected.efficiency"]["value"] == 1
    assert "240 injections were found" in reason(answer, "injected.snr50")
    assert answer.rows["injected.contamination"]["value"] == N_PLACES * (N_UNMATCHED + 2)


def test_nothing_found_at_all(run):
    """Without a single DIA source all injections are missed, and nothing is false."""
    answer = measure(run, MADE.tables | {"diaSource": MADE.tables["diaSource"].slice(0, 0)})
    assert answer.rows["injected.numInjections"]["value"] == N_INJECTIONS
    assert answer.rows["injected.efficiency"]["value"] == answer.rows["flavor.numFalsePositives"]["value"] == 0


def test_duplicates(run):
    """Injections that are there twice count once, and are counted as what they are."""
    table = MADE.tables["injection"]
    answer = measure(run, MADE.tables | {"injection": pa.concat_tables([table, table.slice(0, 10)])})
    check(answer, numDuplicates=10)


def test_duplicates_fail_to_verify(run):
    """A catalogue that is not sound fails without any baseline, exit code 1."""
    table = MADE.tables["injection"]
    write_flavor(run.folder, MADE.tables | {"injection": pa.concat_tables([table, table.slice(0, 10)])})
    judge = ("verify", "--repo", run.folder, "--rerun", "r", "--format", "json", "--", "-k", "injections_is_sound")
    answer = run(*judge, code=1)
    assert answer.states == {
        "injected.numDuplicates": "FAIL",
        "injected.numCoincident": "PASS",
        "injected.numNonFinitePositions": "PASS",
    }


def test_one_number_for_all(run):
    """Injections of one number are one to the harness, which says how many it took for repetitions."""
    answer = measure(run, injections(injectionId=np.zeros(N_INJECTIONS, int)))
    assert answer.rows["injected.numInjections"]["value"] == N_PLACES
    assert answer.rows["injected.numDuplicates"]["value"] == N_INJECTIONS - N_PLACES


@pytest.mark.parametrize(
    "numbers",
    [None, pa.nulls(N_INJECTIONS, pa.int64()), [f"e5a8-{number}" for number in stored("injectionId")]],
    ids=["left-out", "null", "text"],
)
def test_injections_without_a_number(run, numbers):
    """Positions tell them apart where numbers do not; UUIDs are numbers too."""
    check(measure(run, injections(injectionId=numbers)))


def test_outside(run):
    """What lies beyond its detector counts as outside and nowhere else."""
    answer = measure(run, injections(x=np.where(FIRST, 5000.0, stored("x"))))
    check(answer, but=np.flatnonzero(FIRST), numOutside=7)


def test_positions_that_are_no_numbers(run):
    """They are counted, and injected nowhere."""
    answer = measure(run, injections(ra=np.where(FIRST, np.nan, stored("ra"))))
    check(answer, but=np.flatnonzero(FIRST), numNonFinitePositions=7)


@pytest.mark.parametrize("nothing", [np.nan, np.inf, -99.0])
def test_magnitudes_that_are_no_numbers(run, nothing):
    """They count among the injections, and not in what needs a brightness."""
    answer = measure(run, injections(mag=np.where(FIRST, nothing, stored("mag")), flux=None, snr=None))
    check(answer, numWithoutFlux=7, numWithoutSnr=7)
    assert answer.rows["injected.snr50"]["detail"].endswith("of 233 injections in 3 visits")


def test_no_brightness_at_all(run):
    """Found or not is still told; curves and residuals say what they lack."""
    answer = measure(run, injections(mag=None, flux=None, snr=None))
    check(answer, numWithoutFlux=N_INJECTIONS, numWithoutSnr=N_INJECTIONS)
    assert reason(answer, "injected.snr50") == "there is no injection whose brightness is known"
    assert "the flux and signal-to-noise of no injection is known" in reason(answer, "injected.fluxPullMean")


def test_sources_without_flux(run):
    """They are counted as unmeasured, and are in no mean."""
    n_bright = int((MADE.found & (stored("snr") >= 10)).sum())
    answer = measure(run, sources(psfFlux=np.full(MADE.tables["diaSource"].num_rows, np.nan)))
    check(answer, numUnmeasured=n_bright)
    assert f"all {n_bright} sources of injections have no finite flux" in reason(answer, "injected.fluxPullMean")


def test_numbers_written_as_text(run):
    """Text that is a number is that number."""
    check(measure(run, injections(mag=[str(mag) for mag in stored("mag")])))


@pytest.mark.parametrize("name", ["mag", "ra", "snr", "visit", "detector", "inTemplate"])
def test_text_in_a_column_of_numbers(run, name):
    """The file is named, exit code 4."""
    answer = measure(run, injections(**{name: ["bright"] * N_INJECTIONS}), code=4)
    assert answer.complaint.startswith(f"{run.folder}/r/injection_all.parquet holds a value that does not fit its")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("injection", "the injection catalogue has no ra (it has injectionId, visit, detector, "),
        ("known", "the catalogue of known sources has no ra (it has dec); check how its columns are named"),
        ("star", "the catalogue of stars has no ra (it has dec, mag); check how its columns are named"),
    ],
)
def test_catalogue_without_positions(run, table, said):
    """What is missing is named, and what is there: exit code 3."""
    answer = measure(run, MADE.tables | {table: MADE.tables[table].drop_columns(["ra"])}, code=3)
    assert answer.complaint.startswith(said)


def test_injections_of_nowhere(run):
    """Without visits, and without corners of detectors on the sky, nothing says where they are."""
    tables = injections(visit=None, detector=None)
    answer = measure(run, {name: table for name, table in tables.items() if name != "regions"}, code=3)
    assert answer.complaint == (
        "240 of 240 injections name no visit and detector, and the corners of the detectors on the sky are not known; "
        "add the columns visit and detector, or a table of visits with corners"
    )


def test_sources_without_a_number(run):
    """Which were found cannot be told without: exit code 3."""
    numbers = MADE.tables["diaSource"]["diaSourceId"].to_pylist()
    answer = measure(run, sources(diaSourceId=pa.array([None, *numbers[1:]], pa.int64())), code=3)
    assert answer.complaint.startswith("1 DIA sources have no diaSourceId, so that it cannot be told which were found")


@pytest.mark.parametrize("table", ["injection", "known", "star"])
def test_truncated_file(run, table):
    """The file is named, exit code 4; what was measured without it stays, and is not made again once it is whole."""
    write_flavor(run.folder, MADE.tables)
    path = run.folder / "r" / f"{table}_all.parquet"
    whole = path.read_bytes()
    cut_short(path)
    answer = run("measure", "--repo", run.folder, code=4)
    assert answer.complaint.startswith(f"{path} cannot be read as a table (")
    assert answer.complaint.endswith("; write it again or leave it out of the rerun")
    kept = run.shards
    assert any(shard.name.startswith("sources-") for shard in kept)
    path.write_bytes(whole)
    check(run("measure", "--repo", run.folder, "--format", "json"))
    assert run.shards.items() >= kept.items()


def test_catalogue_that_is_spoiled_later(run):
    """What was measured of the good one stays in the store."""
    check(measure(run, MADE.tables))
    kept = run.shards
    good = (run.folder / "r" / "injection_all.parquet").read_bytes()
    pq.write_table(MADE.tables["injection"].drop_columns(["dec"]), run.folder / "r" / "injection_all.parquet")
    run("measure", "--repo", run.folder, code=3)
    assert run.shards.items() >= kept.items()
    (run.folder / "r" / "injection_all.parquet").write_bytes(good)
    check(run("measure", "--repo", run.folder, "--format", "json"))
    assert {path.name for path in run.shards} == {path.name for path in kept}


def test_flavor_against_itself(run):
    """Nobody compares a flavor with itself by mistake: exit code 2."""
    write_flavor(run.folder, MADE.tables)
    answer = run("diff", "r", "r", "--repo", run.folder, code=2)
    assert answer.complaint.startswith("r would be compared with itself; name two different reruns")


def test_flavor_under_another_name(run):
    """Nor with a copy of it."""
    for name in ("r", "copy"):
        write_flavor(run.folder, MADE.tables, name)
    answer = run("diff", "r", "copy", "--repo", run.folder, code=2)
    assert "are two names for the same datasets" in answer.complaint


def test_self_comparison_that_is_meant(run):
    """With --self-test nothing is gained and nothing lost."""
    write_flavor(run.folder, MADE.tables)
    answer = run("diff", "r", "r", "--self-test", "--repo", run.folder, "--format", "json")
    assert answer.rows["flavor.numCommon"]["value"] == N_INJECTIONS
    assert answer.rows["flavor.numGained"]["value"] == answer.rows["flavor.numLost"]["value"] == 0
    assert "injections each of 240 was found by both reruns or by neither" in answer.json["notes"]


def test_reference_without_injections(run):
    """DIA sources are compared, and no injections."""
    other = {name: table for name, table in flavor(2).tables.items() if name != "injection"}
    for name, tables in (("r", MADE.tables), ("bare", other)):
        write_flavor(run.folder, tables, name)
    answer = run("diff", "r", "bare", "--repo", run.folder, "--format", "json")
    assert "flavor.numCommon" not in answer.rows
    assert answer.rows["churn.numMatched"]["value"] > 0
    assert not [note for note in answer.json["notes"] if note.startswith("injections")]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"injectionId": stored("injectionId") + 7000}, "the two reruns have no injection in common"),
        ({"flux": stored("flux") * 1.5}, "the injections of the two reruns are not the same: 240 of 240 differ"),
    ],
)
def test_reference_with_other_injections(run, columns, said):
    """They are not compared, and one line says why; everything else is."""
    write_flavor(run.folder, MADE.tables)
    write_flavor(run.folder, injections(**columns) | {"diaSource": flavor(2).tables["diaSource"]}, "other")
    answer = run("diff", "r", "other", "--repo", run.folder, "--format", "json")
    assert reason(answer, "flavor.numCommon").startswith(said)
    assert reason(answer, "flavor.snr50Change").startswith(said)
    (line,) = (note for note in answer.json["notes"] if note.startswith("injections"))
    assert line.startswith(f"injections {said}")
    assert answer.rows["churn.numMatched"]["value"] > 0
