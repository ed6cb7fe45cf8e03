"""Flavors of a subtraction, drawn: what each finds of the injected sources, how well, and what else it finds where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.report.drawing import BLACK, BLUE, GREEN, ORANGE, PURPLE, RED, SKY, Drawing, finished, note_beyond, say
from harness.report.efficiency_figures import bin_edges, efficiency_drawings, scale_of_snr, stage_words
from harness.report.listing import Column, Listing, number
from harness.report.placement_figures import placement_drawings
from harness.report.residual_figures import residual_drawings
from harness.report.stamp_figures import stamp_drawings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl
    import pyarrow as pa

    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["comparison_listing", "comparison_panels", "drawings"]

_COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)


def drawings(session: Session, ref: RerunRef, tables: Sequence[pa.Table]) -> Iterator[Drawing]:
    """Yield the figures of what a rerun did with its injections, beside the other reruns of the session.

    Parameters
    ----------
    session
        With the reruns, measured.
    ref
        The rerun that the figures are of.
    tables
        Its injections (`harness.metrics.flavor.frames.injections_schema`).
    """
    from harness.metrics.flavor.frames import detectors_schema, injections_schema, sources_schema

    every = tuple(dict.fromkeys(other for other in (session.reference, *session.refs) if other is not None))
    colours = {other.name: colour for other, colour in zip(every, _COLOURS, strict=False)}
    shown = [ref, *(other for other in every if other != ref and other.name in colours)]
    colours.setdefault(ref.name, BLACK)  # there are more reruns than colours
    injections = {
        other.name: _frame(kept, injections_schema())
        for other in shown
        if (kept := tables if other == ref else session.tables(other, "injections"))
    }
    if not any(frame.height for frame in injections.values()):
        return
    curves = {
        other.name: [row for table in session.tables(other, "efficiencyCurves") for row in table.to_pylist()]
        for other in shown
        if other.name in injections
    }
    stages = ("", session.settings.good_flags)
    yield from efficiency_drawings(injections, curves, colours, stages)
    yield from _comparison(injections, colours, stages, session.settings.match_radius)
    yield from residual_drawings(injections, colours, session.settings.match_radius)
    yield from placement_drawings(
        ref.name,
        injections[ref.name],
        _frame(session.tables(ref, "flavorSources"), sources_schema()),
        _frame(session.tables(ref, "flavorDetectors"), detectors_schema()),
    )
    yield from stamp_drawings(ref.name, session.tables(ref, "stamps"))


def _frame(tables: Sequence[pa.Table], schema: pl.Schema) -> pl.DataFrame:
    import polars as pl
    import pyarrow as pa

    return pl.DataFrame(pl.from_arrow(pa.concat_tables(tables))) if tables else schema.to_frame()


def _comparison(
    injections: Mapping[str, pl.DataFrame], colours: Mapping[str, str], stages: Sequence[str], match_radius: float
) -> Iterator[Drawing]:
    """Yield the figure of what the first rerun found that others did not, and the other way round."""
    from harness.metrics.flavor.change_rows import pair_injections, why_incomparable

    rerun, own = next(iter(injections.items()))
    pairs = {name: pair_injections(own, frame) for name, frame in injections.items() if name != rerun}
    pairs = {name: pair for name, pair in pairs.items() if not why_incomparable(pair, match_radius)}
    if pairs:
        listing = comparison_listing(rerun, pairs, stages)
        yield Drawing(
            f"{rerun}: injections gained and lost against {', '.join(pairs)}",
            f"Injections that only {rerun} found, upwards, and that only the other one found, downwards, against "
            "signal-to-noise.",
            comparison_panels(rerun, pairs, colours, stages),
            listing,
        )


def comparison_panels(
    rerun: str, pairs: Mapping[str, pl.DataFrame], colours: Mapping[str, str], stages: Sequence[str]
) -> Figure:
    """Draw gained and lost injections against signal-to-noise, a row for each other rerun, a column for each stage.

    Parameters
    ----------
    rerun
        Name of the rerun that gains and loses.
    pairs
        What `harness.metrics.flavor.change_rows.pair_injections` returns of it and each other one.
    colours
        Of each rerun.
    stages
        At which sources are looked at.
    """
    figure = Figure(figsize=(10, 2.4 * len(pairs) + 1.4), layout="constrained")
    grid: Any = figure.subplots(len(pairs), len(stages), squeeze=False, sharey="row")
    for (other, pair), panels in zip(pairs.items(), grid, strict=True):
        snr = pair["snr"].to_numpy()
        known = np.isfinite(snr) & (snr > 0)
        for stage, axes in zip(stages, panels, strict=True):
            ours, theirs = (_found(pair, stage, side) for side in ("", "_reference"))
            for name, is_only, sign in ((rerun, ours & ~theirs, 1), (other, theirs & ~ours, -1)):
                if known.any():
                    edges = bin_edges("snr", snr[known])
                    counts, _ = np.histogram(snr[known & is_only], edges)
                    label = f"{name} alone"
                    axes.stairs(sign * counts, edges, fill=True, color=colours[name], alpha=0.7, label=label)
                    scale_of_snr(axes)
                    axes.set_xlim(edges[0], edges[-1])
                    note_beyond(axes, snr[known & (ours ^ theirs)], (edges[0], edges[-1]))
            if not known.any():
                say(axes, "no injection has a signal-to-noise")
            axes.axhline(0, color=BLACK, lw=0.8)
            exchange = f"{np.count_nonzero(ours & ~theirs)} gained, {np.count_nonzero(theirs & ~ours)} lost"
            axes.set_title(f"against {other}, {stage_words(stage)}\n{exchange}", fontsize="small", loc="left")
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda count, _: f"{abs(count):g}"))
            axes.tick_params(labelsize="small")
            axes.grid(alpha=0.3)
        panels[0].set_ylabel("injections", fontsize="small")
    for axes in grid[-1]:
        axes.set_xlabel("signal-to-noise", fontsize="small")
    return finished(figure)


def comparison_listing(rerun: str, pairs: Mapping[str, pl.DataFrame], stages: Sequence[str]) -> Listing:
    """Return how a rerun differs from each other one in what it found of the injections that both have.

    Parameters
    ----------
    rerun, pairs, stages
        As of `comparison_panels`.
    """
    from harness.metrics.flavor.paired import injections_needed, mcnemar

    rows = []
    for other, pair in pairs.items():
        for stage in stages:
            ours, theirs = (_found(pair, stage, side) for side in ("", "_reference"))
            gained, lost = (int(np.count_nonzero(only)) for only in (ours & ~theirs, theirs & ~ours))
            rows.append(
                {
                    "against": other,
                    "stage": stage_words(stage),
                    "n": pair.height,
                    "found": int(np.count_nonzero(ours)),
                    "foundByOther": int(np.count_nonzero(theirs)),
                    "gained": gained,
                    "lost": lost,
                    "p": mcnemar(gained, lost),
                    "needed": injections_needed(gained, lost, pair.height),
                }
            )
    columns = [
        Column("against", "against"),
        Column("stage", "of"),
        Column("n", "injections of both", number, numeric=True),
        Column("found", "found", number, numeric=True),
        Column("foundByOther", "by the other", number, numeric=True),
        Column("gained", "gained", number, numeric=True),
        Column("lost", "lost", number, numeric=True),
        Column("p", "p (McNemar, exact)", lambda p: f"{p:.2g}", numeric=True),
        Column("needed", "injections needed", number, numeric=True),
    ]
    note = (
        "Of injections that both have: p is how often at least so many more would be gained than lost, or lost than "
        "gained, if both found them alike; as many as needed would tell the two apart at 1 % with a power of 90 %."
    )
    return Listing(f"{rerun} against others: injections that were found", columns, rows, [note])


def _found(pair: pl.DataFrame, stage: str, side: str) -> Any:
    """Return which injections one side of a pair has found, by a source that a stage leaves."""
    from harness.metrics.flavor.stages import good_column

    found = pair[f"diaSourceId{side}"] != 0
    if stage:
        found &= pair[f"{good_column(stage)}{side}"]
    return found.to_numpy()
