"""What changed between two flavors that have seen the same injections: which were found, and how they were measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
import polars as pl

from harness.metrics.flavor.by_detector import floats, found_by, numbered, sums, unavailable
from harness.metrics.flavor.frames import MIN_SNR
from harness.metrics.flavor.pulls import WIDTH, has_wrong_sign, pulls
from harness.metrics.keyed_rows import keyed_rows, rows_table
from harness.metrics.sphere import unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from harness.metrics.flavor.stages import Stage
    from harness.metrics.settings import Settings

__all__ = ["change_rows", "pair_injections", "why_incomparable"]

_KEY = ("visit", "detector", "injectionId")
_REFERENCE = "_reference"

_SAME_FLUX = 0.01
"""Fluxes that differ by a larger fraction are of different injections."""

_MAS = 1000.0  # in an arcsecond

_EXCHANGE = ("flavor.numGained", "flavor.numLost", "flavor.efficiencyChange")
_MEASURED = ("flavor.pullChange", "flavor.absolutePullChange", "flavor.magChange", "flavor.separationChange")


def pair_injections(ours: pl.DataFrame, theirs: pl.DataFrame) -> pl.DataFrame:
    """Join the injections that both reruns have.

    Parameters
    ----------
    ours, theirs
        Injections of the rerun and of its reference (`harness.metrics.flavor.frames.injections_schema`).

    Returns
    -------
    pairs : `polars.DataFrame`
        A row for each visit, detector and injection of both; columns of the reference end in ``_reference``.
    """
    return ours.join(theirs, on=_KEY, suffix=_REFERENCE, validate="1:1")


def why_incomparable(pairs: pl.DataFrame, match_radius: float) -> str:
    """Say why pairs are none of the same injections; empty when they are.

    Parameters
    ----------
    pairs
        As `pair_injections` returns them.
    match_radius
        Farther apart, arcsec, injections of one number are different ones.
    """
    if pairs.is_empty():
        return (
            "the two reruns have no injection in common, by number, visit and detector; inject the same sources into "
            "both"
        )
    here, there = (
        unit_vectors(floats(pairs, f"ra{suffix}"), floats(pairs, f"dec{suffix}")) for suffix in ("", _REFERENCE)
    )
    apart = np.degrees(2 * np.arcsin(np.minimum(np.linalg.norm(here - there, axis=1) / 2, 1))) * 3600
    flux, reference = floats(pairs, "flux"), floats(pairs, f"flux{_REFERENCE}")
    is_other = np.abs(flux - reference) > _SAME_FLUX * np.abs(reference)
    differ = np.flatnonzero((apart > match_radius) | is_other)
    if not differ.size:
        return ""
    first = differ[0]
    visit, detector, number = pairs.select(_KEY).row(int(first))
    how = f"of {flux[first]:.6g} nJy, and of {reference[first]:.6g} nJy in the reference"
    if apart[first] > match_radius:
        how = f"{apart[first]:.3g} arcsec from that of the reference"
    return (
        f"the injections of the two reruns are not the same: {differ.size} of {pairs.height} differ, such as injection "
        f"{number} of visit {visit}, detector {detector}, {how}; inject the same sources into both"
    )


def change_rows(
    pairs: pl.DataFrame, detectors: pl.DataFrame, stages: Sequence[Stage], settings: Settings, instrument: str
) -> pa.Table:
    """Return the metric rows of the group ``flavor_change``, but for those of fitted curves and of configurations.

    Parameters
    ----------
    pairs
        Injections that both reruns have (`pair_injections`).
    detectors
        Visits and detectors (`harness.metrics.flavor.frames.detectors_schema`).
    stages
        What each number is given for; one that is not available in either rerun says so.
    settings
        The match radius is meant.
    instrument
        Name to put into the rows.

    Returns
    -------
    rows : `pyarrow.Table`
        One for each metric, stage, visit and detector; one for each metric, with the reason, where that is not
        available or nothing can be compared.
    """
    if reason := why_incomparable(pairs, settings.match_radius):
        names = ["flavor.numCommon", *(stage.of(name) for stage in stages for name in (*_EXCHANGE, *_MEASURED))]
        return rows_table([*unavailable(names, reason)], instrument or None)
    pairs = numbered(pairs, detectors, "injectionId")
    theirs = pairs.select(pl.col(f"^.*{_REFERENCE}$").name.map(lambda name: name.removesuffix(_REFERENCE)))
    at = pairs["at"].to_numpy().astype(np.int64)
    n_common = sums(at, detectors.height)
    changes = list(_changes(pairs, theirs))
    has_share = detectors["visit"].is_in(pairs["visit"].unique().to_list()).to_numpy()
    shared = detectors.filter(has_share)  # a visit without any common injection has neither share nor uncertainty
    rows = [keyed_rows("flavor.numCommon", detectors, n_common)]
    nets, errors = [], []
    for stage in stages:
        if stage.why_not:
            rows += unavailable((stage.of(name) for name in (*_EXCHANGE, *_MEASURED)), stage.why_not)
            continue
        found, found_there = found_by(stage, pairs), found_by(stage, theirs)
        gained, lost = (sums(at[only], detectors.height) for only in (found & ~found_there, found_there & ~found))
        rows.append(keyed_rows(stage.of("flavor.numGained"), detectors, gained))
        rows.append(keyed_rows(stage.of("flavor.numLost"), detectors, lost))
        net = (gained - lost)[has_share]
        nets.append(keyed_rows(stage.of("flavor.efficiencyChange"), shared, net, n_common[has_share]))
        errors.append((np.sqrt(gained + lost) / np.maximum(n_common, 1))[has_share])
        rows += (_rows(change, stage, found & found_there, at, detectors) for change in changes)
    return _joined(rows, nets, errors, instrument)


@final
class _Change(NamedTuple):
    """A metric, and the change of each injection: not finite where a side did not measure it."""

    metric: str
    values: NDArray[np.float64]
    chosen: NDArray[np.bool_]
    lacks: str


def _changes(ours: pl.DataFrame, theirs: pl.DataFrame) -> Iterator[_Change]:
    bright = floats(theirs, "snr") >= MIN_SNR
    pull, pull_there = pulls(ours), pulls(theirs)
    lacks = "finite flux with a finite error above 0"
    yield _Change("flavor.pullChange", pull - pull_there, bright, lacks)
    yield _Change("flavor.absolutePullChange", WIDTH * (np.abs(pull) - np.abs(pull_there)), bright, lacks)
    with np.errstate(divide="ignore", invalid="ignore"):
        dimmed = -2.5 * np.log10(np.abs(floats(ours, "sourceFlux") / floats(theirs, "sourceFlux")))
    comparable = bright & ~has_wrong_sign(ours) & ~has_wrong_sign(theirs)
    yield _Change("flavor.magChange", dimmed, comparable, "finite flux")
    moved = _MAS * (floats(ours, "separation") - floats(theirs, "separation"))
    yield _Change("flavor.separationChange", moved, bright, "position")


def _rows(
    change: _Change, stage: Stage, found: NDArray[np.bool_], at: NDArray[np.int64], detectors: pl.DataFrame
) -> pl.DataFrame:
    """Add up one metric over the injections that both found at one stage."""
    wanted = change.chosen & found
    chosen = wanted & np.isfinite(change.values)  # what one side did not measure is counted there
    n, total = sums(at[chosen], detectors.height), sums(at[chosen], detectors.height, change.values[chosen])
    reason = ""
    if not wanted.any():
        left = f" whose source {stage.name} leaves" if stage.name else ""
        reason = f"both reruns found no injection of signal-to-noise {MIN_SNR:g} or more{left}"
    elif not chosen.any():
        reason = f"all {wanted.sum()} injections have no {change.lacks} in one of the reruns"
        total = np.full(detectors.height, math.nan)
    detail = [reason] * detectors.height if reason else None
    return keyed_rows(stage.of(change.metric), detectors, total, n, detail)


def _joined(
    rows: list[pl.DataFrame], nets: list[pl.DataFrame], errors: list[NDArray[np.float64]], instrument: str
) -> pa.Table:
    """Join all rows, those of net gains with their uncertainty."""
    import pyarrow as pa

    table = rows_table(rows, instrument or None)
    if not nets:
        return table
    exchanged = rows_table(nets, instrument or None)
    at = exchanged.schema.get_field_index("uncertainty")
    return pa.concat_tables(
        [table, exchanged.set_column(at, exchanged.schema.field(at), pa.array(np.concatenate(errors)))]
    )
