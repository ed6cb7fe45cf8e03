"""Measuring a flavor of the subtraction by the sources that were injected, alone and beside another flavor."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, final

from harness.measure.tasks import Family, Made, Summary, Task, digest_of_partitions, digest_of_table, grouped
from harness.metrics.flavor.catalogue import FLAVOR_CHANGE_GROUPS, FLAVOR_GROUPS
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import polars as pl
    import pyarrow as pa

    from harness.metrics.flavor.matching import Frames
    from harness.metrics.flavor.stages import Stage
    from harness.metrics.settings import Settings
    from harness.rerun.protocol import Partition, Rerun, Table

__all__ = ["CURVES", "DETECTORS", "FLAVOR", "INJECTIONS", "SOURCES", "STAMPS", "flavor_tasks"]

#: Names under which tables are kept beside the metric rows: what the summary is made of, and plots are drawn from.
INJECTIONS, SOURCES, DETECTORS = "injections", "flavorSources", "flavorDetectors"
CURVES, STAMPS = "efficiencyCurves", "stamps"

_N_SOURCES = 4000
"""Of so many sources of a shard at most the plots are drawn."""

_OPTIONAL = ("known", "star")
_SOURCE_COLUMNS = (
    *("diaSourceId", "diaObjectId", "ssObjectId", "visit", "detector", "band"),
    *("ra", "dec", "x", "y", "psfFlux", "psfFluxErr", "isNegative"),
)


def flavor_tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure what one flavor did with its injections.

    One for some visits each, where all parts of both tables tell theirs; else one for everything, since each of several
    would count injections that are another's.
    """
    sources, injections = (rerun.tables[name].partitions() for name in ("diaSource", "injection"))
    by_visit = all(partition.visits is not None for partition in (*sources, *injections))
    groups = grouped(sources) if by_visit else [("all", sources)]
    elsewhere = set(injections).difference(_of_visits(injections, _visits(sources)))  # the summary counts them
    common = [digest_of_table(rerun.regions()), digest_of_partitions(list(elsewhere))]
    common += [digest_of_partitions(rerun.tables[name].partitions()) for name in _OPTIONAL if name in rerun.tables]
    tasks = []
    for key, group in groups:
        injected = _of_visits(injections, _visits(group))
        inputs = digest_of([digest_of_partitions(group), digest_of_partitions(injected), *common])
        tasks.append(Task("injections", key, rerun.ref, None, tuple(group), inputs, settings))
    return tasks


def pair_tasks(rerun: Rerun, reference: Rerun, settings: Settings) -> list[Task]:
    """Return the task that measures two flavors against each other, injection by injection."""
    sides = (rerun, reference)
    inputs = [task.inputs for side in sides for task in flavor_tasks(side, settings)]
    inputs += [digest_of(dict(side.provenance().configs)) for side in sides]
    return [Task("flavor_change", "all", rerun.ref, reference.ref, None, digest_of(inputs), settings)]


@final
class _Read(NamedTuple):
    """What was read of some visits of a flavor."""

    frames: Frames
    detectors: pl.DataFrame
    stages: Sequence[Stage]
    stars: pa.Table | None


def _read(rerun: Rerun, partitions: Sequence[Partition], settings: Settings) -> _Read:
    import pyarrow as pa
    import pyarrow.compute as pc

    from harness.metrics.flavor.detectors import detectors_frame
    from harness.metrics.flavor.matching import injection_frames
    from harness.metrics.flavor.stages import stages_of

    table, visits = rerun.tables["diaSource"], _visits(partitions)
    stages = stages_of(tuple(table.columns))
    wanted = {*_SOURCE_COLUMNS, *chain.from_iterable(stage.columns for stage in stages if not stage.why_not)}
    sources = _columns_of(table, partitions, wanted)
    catalogue = rerun.tables["injection"]
    injections = _columns_of(catalogue, _of_visits(catalogue.partitions(), visits))
    if visits is not None and "visit" in injections.column_names:
        chosen = pc.is_in(injections["visit"], pa.array(sorted(visits), pa.int64()))
        injections = injections.filter(pc.or_(chosen, pc.is_null(injections["visit"])))
    known, stars = (_columns_of(rerun.tables[name]) if name in rerun.tables else None for name in _OPTIONAL)
    regions = rerun.regions()
    processed = None
    if all(partition.data_ids is not None for partition in partitions):
        processed = [data_id for partition in partitions for data_id in partition.data_ids or ()]
    detectors = detectors_frame(sources, injections, regions, processed, visits)
    frames = injection_frames(
        injections, sources, detectors, stages, settings, regions=regions, known=known, stars=stars
    )
    return _Read(frames, detectors, stages, stars)


def _columns_of(
    table: Table, partitions: Sequence[Partition] | None = None, names: Iterable[str] | None = None
) -> pa.Table:
    """Read what there is of some columns (all, by default), of some partitions."""
    import pyarrow as pa

    available = tuple(table.columns)
    columns = available if names is None else tuple(name for name in available if name in set(names))
    if partitions is None:
        return table.read(columns)
    if not partitions:
        return pa.schema([(name, table.columns[name]) for name in columns]).empty_table()
    return pa.concat_tables([table.read(columns, each) for each in partitions], promote_options="permissive")


def _visits(partitions: Sequence[Partition]) -> set[int] | None:
    """Return the visits that partitions cover; None when some do not say."""
    if any(partition.visits is None for partition in partitions):
        return None
    return {visit for partition in partitions for visit in partition.visits or ()}


def _of_visits(partitions: Sequence[Partition], visits: set[int] | None) -> list[Partition]:
    """Return the partitions that may hold something of some visits."""
    if visits is None:
        return list(partitions)
    return [each for each in partitions if each.visits is None or visits.intersection(each.visits)]


def _injections(task: Task, rerun: Rerun) -> Made:
    import pyarrow as pa

    from harness.metrics.flavor.matching import ladder_rows
    from harness.metrics.flavor.placement_rows import placement_rows, star_share
    from harness.metrics.flavor.purity_rows import purity_rows
    from harness.metrics.flavor.source_rows import source_rows

    settings, instrument = task.settings, rerun.instrument
    frames, detectors, stages, stars = _read(rerun, task.partitions or (), settings)
    share = None if stars is None else star_share(stars, detectors, rerun.regions())
    has_known = "known" in rerun.tables
    rows = [
        ladder_rows(frames, detectors, instrument),
        purity_rows(frames.sources, frames.injections, detectors, stages, instrument, has_known=has_known),
        placement_rows(frames.sources, detectors, stages, settings, instrument, star_share=share),
        source_rows(frames.sources, detectors, stages, instrument),
    ]
    every = -(-frames.sources.height // _N_SOURCES) or 1
    tables = {
        INJECTIONS: frames.injections.to_arrow(),
        SOURCES: frames.sources.gather_every(every).to_arrow(),
        DETECTORS: detectors.to_arrow(),
    }
    return Made(pa.concat_tables(rows), tables=tables)


def _summary(kept: Callable[[str], Sequence[pa.Table]], rerun: Rerun, settings: Settings) -> Made:
    import polars as pl
    import pyarrow as pa

    from harness.measure.stamps import stamps_table
    from harness.metrics.flavor.curves import curves_table, fitted_curves
    from harness.metrics.flavor.efficiency_rows import curve_rows, efficiency_rows
    from harness.metrics.flavor.object_rows import object_rows
    from harness.metrics.flavor.residual_rows import residual_rows
    from harness.metrics.flavor.stages import stages_of

    injections, sources, detectors = (
        pl.DataFrame(pl.from_arrow(pa.concat_tables(kept(name)))) for name in (INJECTIONS, SOURCES, DETECTORS)
    )
    stages, instrument = stages_of(tuple(rerun.tables["diaSource"].columns)), rerun.instrument
    curves = list(fitted_curves(injections, stages))
    rows = [
        efficiency_rows(injections, detectors, stages, settings, instrument),
        curve_rows(curves, instrument),
        residual_rows(injections, detectors, stages, instrument),
        object_rows(injections, detectors, stages, instrument),
        _not_processed(rerun, detectors),
    ]
    tables = {
        CURVES: curves_table(curves),
        STAMPS: stamps_table(injections, sources, rerun),
    }
    return Made(pa.concat_tables(rows), tables=tables)


def _not_processed(rerun: Rerun, detectors: pl.DataFrame) -> pa.Table:
    """Count the injections of visits that were not subtracted, which no shard has seen."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from harness.metrics.rows import rows_schema

    table, rows = rerun.tables["injection"], []
    if "visit" in table.columns:
        injections = table.read([name for name in ("visit", "inOneImage") if name in table.columns])
        seen = pa.array(detectors["visit"].unique().to_list(), pa.int64())
        is_unseen = pc.and_(pc.is_valid(injections["visit"]), pc.invert(pc.is_in(injections["visit"], seen)))
        if "inOneImage" in table.columns:
            is_unseen = pc.and_(is_unseen, pc.fill_null(injections["inOneImage"], True))
        if unseen := pc.sum(is_unseen).as_py():
            detail = f"{unseen} in visits that were not subtracted"
            rows.append(
                {"metric": "injected.numOutside", "instrument": rerun.instrument, "numerator": unseen, "detail": detail}
            )
    return pa.Table.from_pylist(rows, rows_schema())


def _change(task: Task, rerun: Rerun, reference: Rerun) -> Made:
    import pyarrow as pa

    from harness.measure.stamps import stamps_table
    from harness.metrics.flavor.change_rows import change_rows, pair_injections, why_incomparable
    from harness.metrics.flavor.config_rows import config_rows
    from harness.metrics.flavor.curves import bands_of
    from harness.metrics.flavor.efficiency_rows import curve_change_rows
    from harness.metrics.flavor.stages import Stage

    ours, theirs = (_read(side, side.tables["diaSource"].partitions(), task.settings) for side in (rerun, reference))
    pairs = pair_injections(ours.frames.injections, theirs.frames.injections)
    reason = why_incomparable(pairs, task.settings.match_radius)
    stages = [
        Stage(one.name, reason or one.why_not or other.why_not)
        for one, other in zip(ours.stages, theirs.stages, strict=True)
    ]
    rows = [
        change_rows(pairs, ours.detectors, stages, task.settings, rerun.instrument),
        curve_change_rows(pairs, bands_of(ours.frames.injections), stages, rerun.instrument),
        config_rows(rerun.provenance().configs, reference.provenance().configs, rerun.instrument),
    ]
    gained = pairs.clear() if reason else _gained(pairs)
    injections, sources, _ = (frame.clear() for frame in ours.frames)
    tables = {STAMPS: stamps_table(injections, sources, rerun, gained=gained)}
    return Made(pa.concat_tables(rows), tables=tables)


def _gained(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the injections that the rerun found and the reference did not."""
    import polars as pl

    return pairs.filter((pl.col("diaSourceId") != 0) & (pl.col("diaSourceId_reference") == 0))


def _applies(rerun: Rerun) -> bool:
    return {"injection", "diaSource"} <= set(rerun.tables)


FLAVOR = Family(
    name="flavor",
    needs="injected sources beside its DIA sources",
    groups=FLAVOR_GROUPS | FLAVOR_CHANGE_GROUPS,
    applies=_applies,
    tasks=flavor_tasks,
    kinds={"injections": _injections},
    pair_tasks=pair_tasks,
    pair_kinds={"flavor_change": _change},
    summary=Summary("flavor", _summary),
)
