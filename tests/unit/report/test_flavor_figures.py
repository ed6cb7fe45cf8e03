"""Figures of flavors: which there are, in which order and colour, and how reruns are compared in them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from figure_layout import assert_nothing_overlaps
from flavor_frames import curves, many_injections, many_sources, sized_detectors
from injected_frames import injections
from scipy.stats import binomtest

from harness.measure.stamps import stamps_schema
from harness.metrics.flavor.change_rows import pair_injections
from harness.metrics.flavor.paired import injections_needed
from harness.metrics.settings import Settings
from harness.report.flavor_figures import comparison_listing, comparison_panels, drawings
from harness.rerun.protocol import RerunRef

COLOURS = {"ours": "#0072B2", "theirs": "#E69F00"}
#: Of six injections both find the first, neither the last; three are gained and one is lost.
OURS = injections(snr=[50, 5, 5, 50, 5, 1], diaSourceId=[1, 2, 3, 4, 0, 0])
THEIRS = injections(snr=[50, 5, 5, 50, 5, 1], diaSourceId=[9, 0, 0, 0, 7, 0])


def session_of(tables, reference=None, judged=None):
    """Return a session with the tables of some reruns, the first of which is judged unless others are named."""
    refs = {name: RerunRef("repo", name) for name in tables}
    return SimpleNamespace(
        refs=[refs[name] for name in judged or list(tables)[:1]],
        reference=refs.get(reference),
        settings=Settings(good_flags="S6"),
        tables=lambda ref, name: tables[ref.name].get(name, []),
    )


def kept(frame, **more):
    """Return what is stored of a rerun."""
    import pyarrow as pa

    tables = {"injections": [frame.to_arrow()], "efficiencyCurves": [pa.Table.from_pylist(curves())]}
    return tables | {name: [table] for name, table in more.items()}


def drawn(session, which=0):
    """Return the figures of one of the reruns."""
    ref = session.refs[which]
    return list(drawings(session, ref, session.tables(ref, "injections")))


def titles(figures):
    """Return the titles of figures without the rerun."""
    return [each.title.partition(": ")[2] for each in figures]


def test_one_rerun_has_figures_without_comparison():
    """All that is stored is drawn, in this order."""
    everything = kept(
        many_injections(1),
        flavorSources=many_sources(1).to_arrow(),
        flavorDetectors=sized_detectors().to_arrow(),
        stamps=stamps_schema().empty_table(),
    )
    assert titles(drawn(session_of({"r": everything}))) == [
        "efficiency against signal-to-noise",
        "efficiency against magnitude",
        "residuals of injections",
        "DIA sources on the detector",
        "area, sky, flux and signal-to-noise of sources and injections",
    ]


def test_other_reruns_are_beside_the_one_of_the_page():
    """The rerun of the page comes first, and each has the same colour on all pages."""
    tables = {name: kept(many_injections(n)) for n, name in enumerate(("a", "b", "ref"))}
    session = session_of(tables, reference="ref", judged=["a", "b"])
    colours = []
    for which, order in ((0, ["a", "ref", "b"]), (1, ["b", "ref", "a"])):
        figures = drawn(session, which)
        points = {each.get_label(): each for each in figures[0].figure.axes[0].containers}
        assert list(points) == order
        colours.append({name: each.lines[0].get_color() for name, each in points.items()})
        assert titles(figures)[2] == f"injections gained and lost against {order[1]}, {order[2]}"
    assert colours[0] == colours[1]
    assert len(set(colours[0].values())) == 3


def test_other_reruns_without_injections_are_left_out():
    """A reference that had none is no flavor."""
    session = session_of({"a": kept(many_injections(1)), "ref": {}}, reference="ref")
    assert not any("against ref" in title for title in titles(drawn(session)))


def test_injections_that_are_not_the_same_are_not_compared():
    """Reruns with other injections under the same numbers have no common figure of gains."""
    other = many_injections(2).with_columns(ra=160.0)
    session = session_of({"a": kept(many_injections(1)), "b": kept(other)}, judged=["a", "b"])
    assert not any("gained" in title for title in titles(drawn(session)))


def test_rerun_without_injections_has_no_figure():
    """An empty table is as good as none."""
    assert drawn(session_of({"r": kept(injections().clear())})) == []


def test_more_reruns_than_colours():
    """The reruns beyond the colours are left out of figures of others, and have figures of their own."""
    names = [f"r{n}" for n in range(8)]
    session = session_of({name: kept(many_injections(n, n=90)) for n, name in enumerate(names)}, judged=names)
    own = {each.get_label() for each in drawn(session, 7)[0].figure.axes[0].containers}
    assert own == {*names[:6], "r7"}


def test_listing_counts_what_only_one_found():
    """Gained and lost are as the metrics count them, and p is that of the exact sign test."""
    listing = comparison_listing("ours", {"theirs": pair_injections(OURS, THEIRS)}, [""])
    (row,) = listing.rows
    assert {name: row[name] for name in ("n", "found", "foundByOther", "gained", "lost")} == {
        "n": 6,
        "found": 4,
        "foundByOther": 2,
        "gained": 3,
        "lost": 1,
    }
    assert row["p"] == pytest.approx(binomtest(3, 4).pvalue)
    assert row["needed"] == injections_needed(3, 1, 6)


def test_listing_has_a_row_for_each_stage():
    """After a list of flags, an injection is found if the list leaves its source."""
    ours = OURS.with_columns(good_S6=np.array([True, True, False, False, False, False]))
    pair = pair_injections(ours, THEIRS.with_columns(good_S6=np.array([False] * 4 + [True] * 2)))
    rows = comparison_listing("ours", {"theirs": pair}, ["", "S6"]).rows
    assert [(row["gained"], row["lost"]) for row in rows] == [(3, 1), (2, 1)]
    assert [row["stage"] for row in rows] == ["all sources", "sources that S6 leaves"]


def test_panels_have_gains_upwards_and_losses_downwards():
    """Each bar is where the signal-to-noise of its injections is."""
    (axes,) = comparison_panels("ours", {"theirs": pair_injections(OURS, THEIRS)}, COLOURS, [""]).axes
    gained, lost = (patch.get_data() for patch in axes.patches)
    for bars, snr, count in ((gained, 5, 2), (gained, 50, 1), (lost, 5, -1)):
        place = int(np.searchsorted(bars.edges, snr, side="right")) - 1
        assert bars.values[place] == count
    assert (gained.values.sum(), lost.values.sum()) == (3, -1)
    assert axes.get_title(loc="left") == "against theirs, all sources\n3 gained, 1 lost"


def test_panels_without_signal_to_noise_say_so():
    """What has no place on the axis is told."""
    unknown = OURS.with_columns(snr=np.nan)
    (axes,) = comparison_panels("ours", {"theirs": pair_injections(unknown, THEIRS)}, COLOURS, [""]).axes
    assert axes.texts[0].get_text().startswith("no injection has a signal")


@pytest.mark.slow
def test_nothing_lies_over_anything_else():
    """Panels, labels and legends of all figures stand apart, with three reruns of long names."""
    names = [f"HSC/runs/w_2023_07/flavor_{n}" for n in range(3)]
    session = session_of({name: kept(many_injections(n)) for n, name in enumerate(names)}, judged=names)
    for each in drawn(session):
        assert_nothing_overlaps(each.figure)
