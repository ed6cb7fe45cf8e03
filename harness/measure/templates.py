"""Measuring subtractions: science image, template and difference of each visit, with one template or with two."""

from __future__ import annotations

import hashlib
import math
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING

from harness.errors import HarnessError, without_folders
from harness.measure.tasks import (
    UNREADABLE,
    Family,
    Made,
    Summary,
    Task,
    digest_of_partitions,
    digest_of_table,
    grouped,
)
from harness.metrics.template.catalogue import TEMPLATE_GROUPS
from harness.model import digest_of
from harness.rerun.protocol import Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from harness.measure.exposures import Read, RecordedSizes
    from harness.metrics.settings import Settings
    from harness.metrics.template.subtraction import Subtraction
    from harness.rerun.exposures.protocol import ExposureRef
    from harness.rerun.protocol import Rerun, Table

__all__ = ["CROSSOVERS", "NOISE", "SOURCES", "SUBTRACTIONS", "TEMPLATE", "template_tasks"]

#: Names under which tables are kept beside the metric rows: what the summary is made of, and plots are drawn from.
SUBTRACTIONS, SOURCES, NOISE, CROSSOVERS = "subtractions", "sidedSources", "noise", "crossovers"

_OF_A_SIDE = ("template", "difference")


def template_tasks(rerun: Rerun, settings: Settings) -> list[Task]:
    """Return the tasks that measure one rerun's subtractions: one for each visit, or some of them."""
    sizes = digest_of_table(rerun.psf_sizes)

    def task(kind: str, key: str, partitions: Sequence[Partition], inputs: str) -> Task:
        return Task(kind, key, rerun.ref, None, tuple(partitions), inputs, settings)

    visits = grouped(list(_visits(rerun, settings)))
    tasks = [task("subtractions", key, group, digest_of_partitions(group) + sizes) for key, group in visits]
    if not tasks:  # sizes alone
        tasks.append(task("subtractions", "sizes", (), sizes))
    for side, table in rerun.sided_sources.items():
        for key, group in grouped(table.partitions()):
            tasks.append(task("template_sources", f"{side}-{key}", group, digest_of_partitions(group)))
    return tasks


def _visits(rerun: Rerun, settings: Settings) -> Iterator[Partition]:
    """Yield the exposures of each visit that was subtracted, or of a sample of these visits."""
    from harness.metrics.template.sampling import sample_visits

    listed = [] if rerun.exposures is None else rerun.exposures.listed
    subtracted = {ref.visit for ref in listed if ref.kind in _OF_A_SIDE}
    chosen = sample_visits(subtracted, settings.sample_visits or len(subtracted), settings.sample_seed)
    exposures: dict[int, list[ExposureRef]] = {visit: [] for visit in chosen}
    for ref in listed:
        if ref.visit in exposures and ref.kind in ("science", *_OF_A_SIDE):
            exposures[ref.visit].append(ref)
    sides = ",".join(_sides(listed))
    for visit, own in exposures.items():
        inputs = digest_of([sides, sorted(ref.inputs for ref in own)])
        yield Partition(f"visit-{visit}", tuple(ref.ref for ref in own), inputs, (visit,))


def _sides(listed: Sequence[ExposureRef]) -> list[str]:
    return sorted({ref.side for ref in listed if ref.kind in _OF_A_SIDE})


def _subtractions(task: Task, rerun: Rerun) -> Made:
    from harness.measure.exposures import RecordedSizes
    from harness.metrics.rows import rows_schema
    from harness.metrics.template.subtraction import EXPOSURES, subtractions_table

    found: list[Subtraction] = []
    if rerun.exposures is None:
        found += _of_sizes(rerun, task.settings, RecordedSizes(rerun.psf_sizes))
    else:
        parts = task.partitions or ()
        recorded = RecordedSizes(rerun.psf_sizes, [visit for part in parts for visit in part.visits or ()])
        wanted = {ref for part in parts for ref in part.refs}
        listed = rerun.exposures.listed
        of_visit: dict[tuple[int, int], list[ExposureRef]] = {}
        for ref in listed:
            if ref.ref in wanted:
                of_visit.setdefault((ref.visit, ref.detector), []).append(ref)
        for own in of_visit.values():
            found += _of_exposures(own, _sides(listed), rerun, task.settings, recorded)
    unreadable = any(each.problems.keys() & set(EXPOSURES) for each in found)
    return Made(rows_schema().empty_table(), {UNREADABLE: unreadable}, {SUBTRACTIONS: subtractions_table(found)})


def _of_sizes(rerun: Rerun, settings: Settings, recorded: RecordedSizes) -> Iterator[Subtraction]:
    """Yield what is known of visits by their recorded PSF sizes alone."""
    from harness.measure.exposures import area_of_fwhm
    from harness.metrics.template.subtraction import EXPOSURES, ExposureSummary, Subtraction

    for (visit, detector), band in sorted(recorded.data_ids.items()):
        for side in recorded.sides:
            summaries, problems = dict.fromkeys(EXPOSURES, ExposureSummary()), {}
            for kind in EXPOSURES:
                size = recorded.of(kind, side, visit, detector, settings.psf_size)
                area = recorded.of(kind, side, visit, detector, "nea")
                nea = math.nan if area is None else area_of_fwhm(area[0])
                if size is not None:
                    summaries[kind] = ExposureSummary(fwhm=size[0], psf_kind=settings.psf_size, source=size[1], nea=nea)
                else:
                    offer = recorded.offer(kind)
                    problems[f"{kind}.fwhm"] = f"no {settings.psf_size} size of its PSF is on record{offer}"
            yield Subtraction(
                *(rerun.instrument, visit, detector, band, side),
                science=summaries["science"],
                template=summaries["template"],
                difference=summaries["difference"],
                problems=problems,
            )


def _of_exposures(
    refs: Sequence[ExposureRef], sides: Sequence[str], rerun: Rerun, settings: Settings, recorded: RecordedSizes
) -> Iterator[Subtraction]:
    """Yield the subtractions of one visit-detector; of what is there twice, every one."""
    from harness.metrics.template.subtraction import EXPOSURES, ExposureName, ExposureSummary, Subtraction

    first = refs[0]
    differing = len({ref.inputs for ref in refs if ref.kind == "science"}) > 1
    read = {ref.ref: _attempt(ref, rerun, settings, recorded, with_digest=differing) for ref in refs}
    for side in sides:
        own: dict[ExposureName, list[ExposureRef]] = {
            kind: [ref for ref in refs if ref.kind == kind and ref.side in {side, "" if kind == "science" else side}]
            for kind in EXPOSURES
        }
        for together in zip_longest(*own.values()):
            chosen = dict(zip(EXPOSURES, together, strict=True))
            summaries = dict.fromkeys(EXPOSURES, ExposureSummary())
            problems: dict[str, str] = {}
            template: Read | None = None
            digest = ""
            for kind, ref in chosen.items():
                result = None if ref is None else read[ref.ref]
                if isinstance(result, str):
                    problems[kind] = result
                elif result is not None:
                    summaries[kind] = result.summary
                    problems |= {f"{kind}.{part}": why for part, why in result.problems.items()}
                    digest = result.digest if kind == "science" else digest
                    template = result if kind == "template" else template
            inputs = None if template is None else template.inputs
            yield Subtraction(
                *(first.instrument, first.visit, first.detector, first.band, side),
                coadd=_coadd(first, inputs),
                science=summaries["science"],
                template=summaries["template"],
                difference=summaries["difference"],
                input_visits=inputs,
                coverage=math.nan if template is None else template.coverage,
                science_digest=digest,
                missing=tuple(kind for kind, ref in chosen.items() if ref is None),
                problems=problems,
            )


def _attempt(
    ref: ExposureRef, rerun: Rerun, settings: Settings, recorded: RecordedSizes, *, with_digest: bool
) -> Read | str:
    """Read an exposure; of one that cannot be read, return why."""
    from harness.measure.exposures import read_exposure

    if rerun.exposures is None:
        raise AssertionError("a task of exposures comes from a rerun that has them")
    known = partial(recorded.of, ref.kind, ref.side, ref.visit, ref.detector)
    try:
        with rerun.exposures.local(ref.ref) as path:
            return read_exposure(
                path,
                settings.psf_size,
                known,
                with_inputs=ref.kind == "template",
                with_digest=with_digest and ref.kind == "science",
            )
    except HarnessError as fault:
        return without_folders(fault)


def _coadd(first: ExposureRef, inputs: Sequence[int] | None) -> str:
    """Name a template by what went into it, so that all visits that share it give it one name; empty when unknown."""
    if not inputs:
        return ""
    digest = hashlib.blake2b(repr((first.instrument, inputs)).encode(), digest_size=4).hexdigest()
    visits = f"{len(inputs)} visit{'s' if len(inputs) > 1 else ''}"
    return " ".join(filter(None, (first.band, f"template of {visits} ({digest})")))


def _sources(task: Task, rerun: Rerun) -> Made:
    """Keep the fluxes of one side's DIA sources; without the columns that takes, say so."""
    import pyarrow as pa

    from harness.metrics.rows import rows_schema
    from harness.metrics.template.sources_table import SOURCE_COLUMNS, sources_schema, sources_table

    side = task.key.partition("-")[0]
    table = rerun.sided_sources[side]
    flags = task.settings.flag_set
    if reason := _why_unknown(table, task.settings):
        return Made(_unknown_sources(side, rerun.instrument, reason, task.settings))
    columns = [name for name in (*SOURCE_COLUMNS, *flags.columns) if name in table.columns]
    parts = [sources_table(table.read(columns, part), side, flags) for part in task.partitions or ()]
    kept = pa.concat_tables([sources_schema().empty_table(), *parts])
    return Made(rows_schema().empty_table(), tables={SOURCES: kept})


def _why_unknown(table: Table, settings: Settings) -> str:
    """Say why a table does not tell good DIA sources and their fluxes; empty when it does."""
    from harness.metrics.template.sources_table import NEEDED_COLUMNS

    missing = [name for name in NEEDED_COLUMNS if name not in table.columns]
    if missing:
        return f"DIA sources need {', '.join(missing)}, not in the table"
    return settings.flag_set.why_unavailable(table.columns)


def _unknown_sources(side: str, instrument: str, reason: str, settings: Settings) -> pa.Table:
    """Return rows that say why nothing is known of one side's DIA sources."""
    import pyarrow as pa

    from harness.measure.catalogue import all_metrics
    from harness.metrics.rows import rows_schema

    rows = [
        {"metric": name, "instrument": instrument, "numerator": math.nan, "detail": reason}
        for name, metric in all_metrics(settings).items()
        if metric.group == "template_dia" and name.endswith(f".{side}")
    ]
    return pa.Table.from_pylist(rows, rows_schema())


def _summary(kept: Callable[[str], Sequence[pa.Table]], rerun: Rerun, settings: Settings) -> Made:
    import numpy as np
    import pyarrow as pa

    from harness.metrics.template.dia_sources import dia_source_rows
    from harness.metrics.template.rows import template_rows
    from harness.metrics.template.sources_table import sources_of
    from harness.metrics.template.subtraction import subtractions_of
    from harness.metrics.template.tables import crossover_table, noise_table
    from harness.metrics.template.visit_images import joined

    subtractions = [each for table in kept(SUBTRACTIONS) for each in subtractions_of(table)]
    rows = [template_rows(subtractions, settings.psf_size)]
    bands = {each.visit: each.band for each in subtractions}
    sources = sources_of(kept(SOURCES), rerun.sided_sources)
    if settings.sample_visits:  # what is counted is of the same visits as what is seen in images
        sources = {side: found.over(np.isin(found.visit, list(bands))) for side, found in sources.items()}
    for side, table in rerun.sided_sources.items():
        if not _why_unknown(table, settings):
            made = [each for each in subtractions if each.side == side and "difference" not in each.missing]
            data_ids = {(each.visit, each.detector) for each in made}
            rows.append(dia_source_rows({side: sources[side]}, rerun.instrument, data_ids, bands))
    tables = {}
    if {"good", "deep"} <= {each.side for each in subtractions}:
        tables[NOISE] = noise_table(joined(subtractions), settings.psf_size)
        tables[CROSSOVERS] = crossover_table(tables[NOISE])
    return Made(pa.concat_tables(rows), tables=tables)


def _applies(rerun: Rerun) -> bool:
    if rerun.exposures is not None:
        return any(ref.kind in _OF_A_SIDE for ref in rerun.exposures.listed)
    return rerun.psf_sizes is not None


TEMPLATE = Family(
    name="template",
    needs="subtractions (templates and differences)",
    groups=TEMPLATE_GROUPS,
    applies=_applies,
    tasks=template_tasks,
    kinds={"subtractions": _subtractions, "template_sources": _sources},
    summary=Summary("template", _summary),
)
