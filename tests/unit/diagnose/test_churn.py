"""Churn of two reruns whose difference is known."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from harness.diagnose.churn import (
    CHURN_RATIOS,
    churn_catalogue,
    churn_columns,
    churn_rows,
    refuse_self_comparison,
)
from harness.errors import NotMeasuredError, SelfComparisonError
from harness.metrics.rows import rows_schema

SETTINGS = SimpleNamespace(match_radius=0.5, edge_width=40.0)
WIDTH, HEIGHT = 2048, 4096
VISITS = (411371, 411420)
DETECTORS = (5, 10, 60)


def survey(seed: int = 1, n: int = 300) -> pd.DataFrame:
    """Return sources of two visits and three detectors, none within an arcsec of another."""
    rng = np.random.default_rng(seed)
    frames = []
    for visit in VISITS:
        for detector in DETECTORS:
            x, y = rng.uniform(0, WIDTH - 1, n), rng.uniform(0, HEIGHT - 1, n)
            cell = pd.DataFrame({"i": (x / 8).astype(int), "j": (y / 8).astype(int)})
            keep = ~cell.duplicated().to_numpy()
            # A regular place within cells of 8 pixels (2.1 arcsec) keeps sources apart.
            x, y = cell["i"].to_numpy()[keep] * 8.0 + 4, cell["j"].to_numpy()[keep] * 8.0 + 4
            frames.append(
                pd.DataFrame(
                    {
                        "visit": visit,
                        "detector": np.int32(detector),
                        "band": "g",
                        "ra": 150 + 0.3 * detector + x * 0.26 / 3600,
                        "dec": 2 + y * 0.26 / 3600,
                        "x": x,
                        "y": y,
                        "psfFlux": rng.uniform(100, 1000, x.size),
                    }
                )
            )
    sources = pd.concat(frames, ignore_index=True)
    sources.insert(0, "diaSourceId", np.arange(1, len(sources) + 1))
    return sources


def arrow(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table."""
    return pa.Table.from_pandas(frame, preserve_index=False)


REGIONS = pa.table(
    {
        "visit": [visit for visit in VISITS for _ in DETECTORS],
        "detector": pa.array([detector for _ in VISITS for detector in DETECTORS], pa.int32()),
        "width": [WIDTH] * 6,
        "height": [HEIGHT] * 6,
    }
)


def churn(rerun: pd.DataFrame, reference: pd.DataFrame, regions=REGIONS) -> pd.DataFrame:
    """Return the rows as a frame of metric values, indexed by visit and detector."""
    rows = churn_rows(arrow(rerun), arrow(reference), SETTINGS, regions, "DECam")
    assert rows.schema == rows_schema()
    frame = rows.to_pandas()
    assert set(frame["instrument"]) == {"DECam"}
    assert not frame.duplicated(["metric", "visit", "detector"]).any()
    frame["value"] = frame["numerator"] / frame["denominator"].fillna(1)
    table = frame.pivot_table(index=["visit", "detector"], columns="metric", values="value", dropna=False)
    return table.rename(columns=lambda name: name.removeprefix("churn."))


def test_planted_losses_and_gains_are_counted_where_they_were_planted():
    """Every source that was taken out or put in is counted once, in its own visit and detector."""
    reference = survey()
    rng = np.random.default_rng(2)
    lost = rng.choice(len(reference), 100, replace=False)
    extra = survey(seed=9).sample(150, random_state=3).assign(dec=lambda frame: frame["dec"] + 4 * 0.26 / 3600)
    extra["diaSourceId"] += 10**6
    rerun = pd.concat([reference.drop(index=lost), extra]).sample(frac=1, random_state=4)
    result = churn(rerun, reference)
    key = ["visit", "detector"]
    pd.testing.assert_series_equal(
        result["numLost"],
        reference.loc[lost].groupby(key).size(),
        check_names=False,
        check_dtype=False,
        check_index_type=False,
    )
    pd.testing.assert_series_equal(
        result["numGained"], extra.groupby(key).size(), check_names=False, check_dtype=False, check_index_type=False
    )

    def at_edge(frame):
        inside = frame["x"].between(39.5, WIDTH - 40.5) & frame["y"].between(39.5, HEIGHT - 40.5)
        return frame[~inside].groupby(key).size().reindex(result.index, fill_value=0)

    np.testing.assert_array_equal(result["numLostAtEdge"], at_edge(reference.loc[lost]))
    np.testing.assert_array_equal(result["numGainedAtEdge"], at_edge(extra))
    assert result["numGainedAtEdge"].sum() > 0
    np.testing.assert_array_equal(result["numMatched"] + result["numLost"], result["numReference"])
    np.testing.assert_array_equal(result["numMatched"] + result["numGained"], result["numRerun"])
    assert result["numReference"].sum() == len(reference)
    assert result["numRerun"].sum() == len(rerun)


@pytest.mark.parametrize(
    ("x", "y", "at_edge"),
    [
        (39.4, 2000, True),
        (39.6, 2000, False),
        (WIDTH - 40.6, 2000, False),
        (WIDTH - 40.4, 2000, True),
        (1000, 39.4, True),
        (1000, 39.6, False),
        (1000, HEIGHT - 40.6, False),
        (1000, HEIGHT - 40.4, True),
        (-3.0, 2000, True),
    ],
)
def test_the_edge_begins_where_the_pixels_do(x, y, at_edge):
    """The distance to the edge is counted from the outer side of the first and the last pixel."""
    reference = survey()
    rerun = pd.concat([reference, reference.iloc[:1].assign(diaSourceId=10**6, dec=1.0, x=x, y=y)])
    result = churn(rerun, reference)
    assert result["numGained"].sum() == 1
    assert result["numGainedAtEdge"].sum() == at_edge


def test_a_rerun_against_itself_loses_and_gains_nothing():
    """The self comparison that gave three or four unique sources upstream gives none, repeated positions included."""
    sources = survey()
    twins = sources.iloc[[3, 3, 17]].assign(diaSourceId=[10**6, 10**6 + 1, 10**6 + 2])
    sources = pd.concat([sources, twins])
    result = churn(sources.sample(frac=1, random_state=1), sources)
    assert result["numMatched"].sum() == len(sources)
    assert not result[["numLost", "numGained", "medianOffset"]].to_numpy().any()
    assert (result["medianFluxRatio"] == 1).all()


def test_shift_and_flux_ratio_of_matched_sources_are_recovered():
    """A shift of the sky and a scale of the fluxes come back with their sign, in mas and as a ratio."""
    reference = survey()
    rerun = reference.assign(
        ra=reference["ra"] + 0.1 / 3600 / np.cos(np.radians(reference["dec"])),
        dec=reference["dec"] - 0.2 / 3600,
        psfFlux=reference["psfFlux"] * 1.07,
    )
    rerun.loc[rerun.index[:20], "psfFlux"] = np.nan
    reference.loc[reference.index[20:40], "psfFlux"] = 0.0
    result = churn(rerun, reference)
    assert not result[["numLost", "numGained"]].to_numpy().any()
    np.testing.assert_allclose(result["medianFluxRatio"], 1.07, rtol=1e-12)
    np.testing.assert_allclose(result["medianOffsetRa"], 100, rtol=1e-5)
    np.testing.assert_allclose(result["medianOffsetDec"], -200, rtol=1e-5)
    np.testing.assert_allclose(result["medianOffset"], np.hypot(100, 200), rtol=1e-5)


def test_a_detector_of_one_side_only_is_all_lost_or_all_gained():
    """A visit and detector that one side lacks is reported with all its sources, which upstream drops."""
    reference = survey()
    n = reference.groupby(["visit", "detector"]).size()
    gone = reference.query("not (visit == 411371 and detector == 5)")
    result = churn(gone, reference)
    assert result.loc[(411371, 5), "numLost"] == n[411371, 5]
    assert result.loc[(411371, 5), "numMatched"] == 0
    assert np.isnan(result.loc[(411371, 5), "medianOffset"])
    assert result["numLost"].sum() == n[411371, 5]
    result = churn(reference, gone)
    assert result.loc[(411371, 5), "numGained"] == n[411371, 5]
    assert churn(reference.iloc[:0], reference)["numLost"].sum() == len(reference)
    assert churn(reference, reference.iloc[:0])["numGained"].sum() == len(reference)


def test_sources_match_within_their_own_detector_only():
    """Swapped detector ids, which leave every net count as it was, lose and gain what they moved."""
    reference = survey()
    swapped = reference.assign(detector=reference["detector"].replace({5: 10, 10: 5}).astype("int32"))
    result = churn(swapped, reference)
    assert result["numMatched"].sum() == (reference["detector"] == 60).sum()
    assert (result.loc[(slice(None), [5, 10]), "numLost"] > 0).all()


def test_shifted_rows_are_seen():
    """Positions that slipped by a row against visit and detector are churn wherever the detector changes."""
    reference = survey()
    shifted = reference.assign(ra=np.roll(reference["ra"], 1), dec=np.roll(reference["dec"], 1))
    result = churn(shifted, reference)
    assert (result["numLost"] == 1).all()
    assert (result["numGained"] == 1).all()
    assert abs(result["medianFluxRatio"] - 1).max() > 0


def test_repeated_source_ids_count_once():
    """Exports that repeat a source in the files of two detectors give the churn of the unique sources."""
    reference = survey()
    repeated = pd.concat([reference, reference.iloc[::2]])
    result = churn(repeated, reference)
    assert result["numRerun"].sum() == len(reference)
    assert not result[["numLost", "numGained"]].to_numpy().any()


def test_sources_without_a_position_are_lost_and_gained():
    """A source without a position never matches, and is not forgotten either."""
    reference = survey()
    reference.loc[reference.index[:7], "ra"] = np.nan
    result = churn(reference, reference)
    assert result["numLost"].sum() == result["numGained"].sum() == 7


def test_a_missing_band_on_one_side_changes_nothing():
    """The band is taken from the side that records it and takes no part in the match."""
    reference = survey()
    rows = churn_rows(arrow(reference.drop(columns="band")), arrow(reference), SETTINGS, REGIONS)
    assert rows["band"].unique().to_pylist() == ["g"]
    assert rows["instrument"].null_count == rows.num_rows
    lost = rows.to_pandas().query("metric == 'churn.numLost'")["numerator"]
    assert lost.sum() == 0


@pytest.mark.parametrize(
    ("change", "regions", "reason"),
    [
        (lambda frame: frame, None, "size in pixels"),
        (lambda frame: frame, REGIONS.slice(6), "size in pixels"),
        (lambda frame: frame.drop(columns=["x", "y"]), REGIONS, "pixel position"),
        (lambda frame: frame.assign(x=np.nan), REGIONS, "pixel position"),
    ],
    ids=["no regions", "region unknown", "no x and y", "x missing"],
)
def test_edge_counts_that_cannot_be_known_are_nan_and_say_why(change, regions, reason):
    """Without pixel positions or detector size the edge is not measured; the counts themselves are."""
    reference = survey()
    rows = churn_rows(arrow(change(reference)), arrow(change(reference).iloc[1:]), SETTINGS, regions).to_pandas()
    gained = rows.query("metric == 'churn.numGainedAtEdge' and visit == 411371 and detector == 5").squeeze()
    assert np.isnan(gained["numerator"])
    assert reason in gained["detail"]
    assert rows.query("metric == 'churn.numGained'")["numerator"].sum() == 1


def test_a_source_without_a_visit_is_refused():
    """A row that no visit claims is an error that says so, never a silent omission."""
    reference = arrow(survey())
    visit = pa.array([None, *reference["visit"].to_pylist()[1:]], pa.int64())
    broken = reference.set_column(reference.schema.get_field_index("visit"), "visit", visit)
    with pytest.raises(NotMeasuredError, match="1 DIA sources of the rerun have no visit"):
        churn_rows(broken, reference, SETTINGS)


def test_columns_to_read_are_those_there_are():
    """Pixel positions and band are read where the table has them; what the match needs is always asked for."""
    assert churn_columns(("ra", "x", "band")) == (
        "diaSourceId",
        "visit",
        "detector",
        "ra",
        "dec",
        "psfFlux",
        "band",
        "x",
    )


def test_every_row_and_ratio_has_a_definition():
    """Rows, ratios and catalogue speak of the same metrics, and the definition holds radius and edge width."""
    catalogue = churn_catalogue(SETTINGS)
    names = set(churn_rows(arrow(survey()), arrow(survey()), SETTINGS)["metric"].to_pylist())
    assert names | set(CHURN_RATIOS) == set(catalogue)
    assert {part for parts in CHURN_RATIOS.values() for part in parts} <= names
    assert all(metric.group == "churn" for metric in catalogue.values())
    wider = churn_catalogue(SimpleNamespace(match_radius=0.5, edge_width=60.0))
    differing = {name for name in catalogue if catalogue[name].definition_digest != wider[name].definition_digest}
    assert differing == {"churn.numLostAtEdge", "churn.numGainedAtEdge"}


def side(rerun="w_2020_15", source="repo:u/april", datasets=(("a", "1"), ("b", "2")), content="c0"):
    """Return one side of a comparison."""
    return SimpleNamespace(rerun=rerun, source=source, datasets=MappingProxyType(dict(datasets)), content=content)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (side(), "w_2020_15 of repo:u/april would be compared with itself"),
        (side(rerun="w_2020_24", source="repo:u/june", content="c1"), "two names for the same datasets"),
        (side("w_2020_24", "repo:u/june", (("c", "1"),), "c1"), "two names for the same datasets"),
        (side("w_2020_24", "repo:u/june", (("a", "7"),)), r"hold the same rows \(content digest c0\)"),
    ],
    ids=["one rerun", "same datasets", "part of the datasets", "same rows"],
)
def test_a_rerun_is_not_compared_with_itself(other, reason):
    """One rerun on both sides, under whatever name, is refused with its reason and the way out, either way round."""
    for one, two in ((side(), other), (other, side())):
        with pytest.raises(SelfComparisonError, match=reason) as caught:
            refuse_self_comparison(one, two)
        assert "--self-test" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "other",
    [
        side("w_2020_24", "repo:u/june", (("a", "1"), ("b", "3")), "c1"),
        side("w_2020_24", "repo:u/april", (("a", "7"),), "c1"),
        side("w_2020_15", "elsewhere", (), ""),
    ],
    ids=["shared direct images", "two reruns of one database", "nothing known"],
)
def test_two_reruns_are_compared(other):
    """Reruns that share some inputs, or a repository, or a name, are still two."""
    refuse_self_comparison(side(), other)
