"""Where on the sky, the focal plane and the detector the churn lies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from harness.judge.counting import binomial_interval
from harness.model import DataId, Interval

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from harness.metrics.settings import Settings

__all__ = ["Carrier", "Localisation", "edge_area_fraction", "localise"]

_COUNTS = ("numLost", "numGained", "numLostAtEdge", "numGainedAtEdge")


@final
@dataclass(frozen=True, slots=True)
class Carrier:
    """A detector or visit that carries part of the net change.

    Attributes
    ----------
    data_id
        Which it is.
    net
        Sources gained less sources lost.
    share
        Its part of the whole rerun's net change; together they may be more than 1, as those that go the other way are
        not listed.
    """

    data_id: DataId
    net: int
    share: float


@final
@dataclass(frozen=True, slots=True)
class Localisation:
    """Where the churn lies.

    The edge is about gained sources when there are more of them than of lost ones, else about lost sources.

    Attributes
    ----------
    n_gained, n_lost
        Sources that only one of the reruns has.
    n_placed, n_at_edge
        Of the gained (or lost) ones: those on detectors where the edge is known, and those of them near it.
    edge_width
        What "near" means, in pixels.
    interval
        Exact binomial interval of the share near the edge, as if sources were independent; None without any.
    confidence
        Its confidence level.
    net_share
        Share of the net change near the edge, where sources that merely moved cancel; NaN when unknown.
    net_interval
        Its interval, visits resampled; None when the change has no direction.
    area_fraction
        Fraction of the detectors' area that is near the edge, weighted as the sources are: the share to expect of
        sources that do not care; NaN when unknown.
    detectors, visits
        Those that change in the direction of the whole, most first; none when gains and losses balance.
    n_detectors, n_visits
        How many detectors and visits there are.
    """

    n_gained: int
    n_lost: int
    n_placed: int
    n_at_edge: int
    edge_width: float
    interval: Interval | None
    confidence: float
    net_share: float
    net_interval: Interval | None
    area_fraction: float
    detectors: tuple[Carrier, ...]
    visits: tuple[Carrier, ...]
    n_detectors: int
    n_visits: int

    @property
    def net(self) -> int:
        """Sources gained less sources lost."""
        return self.n_gained - self.n_lost

    @property
    def change(self) -> str:
        """What the edge is about: ``gain`` or ``loss``."""
        return "gain" if self.net >= 0 else "loss"

    @property
    def share(self) -> float:
        """Share of the gained (or lost) sources near the edge; NaN when unknown."""
        return self.n_at_edge / self.n_placed if self.n_placed else math.nan

    @property
    def is_at_edge(self) -> bool:
        """Whether more of the change than of the area is shown to be near the edge."""
        return self.interval is not None and self.interval.low > self.area_fraction

    @property
    def headline(self) -> str:
        """A few words for a line that has others to say; empty when the change is not shown to be near the edge."""
        if self.n_gained and self.n_lost and self.net_interval and self.net_interval.low > self.area_fraction:
            return f"{_percent(self.net_share)} of the net {self.change} within {self.edge_width:g} px of a CCD edge"
        if not self.is_at_edge:
            return ""
        return f"{_percent(self.share)} of the {self.change} within {self.edge_width:g} px of a CCD edge"

    @property
    def text(self) -> str:
        """One sentence that says it all."""
        if not self.n_gained + self.n_lost:
            return "no source was gained or lost"
        parts = [f"net {self.net:+d} sources ({self.n_gained} gained, {self.n_lost} lost)"]
        if self.interval is None:
            parts.append(f"how much of the {self.change} is at detector edges is not known")
        else:
            interval = f"{_percent(self.interval.low)} to {_percent(self.interval.high)}"
            parts.append(
                f"{_percent(self.share)} of the {self.change} within {self.edge_width:g} px of a CCD edge "
                f"({_percent(self.confidence)} interval {interval}), {_percent(self.area_fraction)} of the area"
            )
        if self.n_gained and self.n_lost and self.net_interval and self.net_interval.low > 0:
            between = f"{_percent(self.net_interval.low)} to {_percent(self.net_interval.high)}"
            parts.append(f"{_percent(self.net_share)} of the net {self.change} there ({between})")
        for carriers, n in ((self.detectors, self.n_detectors), (self.visits, self.n_visits)):
            if carriers and n > 1:
                parts.append(f"{carriers[0].data_id} (1 of {n}) has {_percent(carriers[0].share)} of the net")
        return "; ".join(parts)


def edge_area_fraction(width: float, height: float, edge_width: float) -> float:
    """Return the fraction of a detector's area that lies within ``edge_width`` of its edge, all in pixels."""
    inside = max(0.0, 1 - 2 * edge_width / width) * max(0.0, 1 - 2 * edge_width / height)
    return 1 - inside


def localise(
    rows: pa.Table, settings: Settings, regions: pa.Table | None = None, confidence: float = 0.99
) -> Localisation:
    """Find where the churn of two reruns lies.

    Parameters
    ----------
    rows : `pyarrow.Table`
        Metric rows that `harness.diagnose.churn.churn_rows` made with the same settings.
    settings
        Width of the edge in pixels.
    regions : `pyarrow.Table`, optional
        Detector sizes; without them the edge's part of the area is not known.
    confidence
        Confidence level of the interval.

    Returns
    -------
    localisation : `Localisation`
        Shares, and the detectors and visits that carry the change.
    """
    import polars as pl

    counts = _counts(rows)
    n_gained, n_lost = (int(counts[name].sum()) for name in ("numGained", "numLost"))
    total, near = ("numGained", "numGainedAtEdge") if n_gained >= n_lost else ("numLost", "numLostAtEdge")
    placed = counts.filter(pl.col(near).is_finite())
    n_placed, n_at_edge = int(placed[total].sum()), int(placed[near].sum())
    net_share, net_interval = _net_at_edge(placed, confidence)
    return Localisation(
        n_gained=n_gained,
        n_lost=n_lost,
        n_placed=n_placed,
        n_at_edge=n_at_edge,
        edge_width=settings.edge_width,
        interval=binomial_interval(n_at_edge, n_placed, confidence) if n_placed else None,
        confidence=confidence,
        net_share=net_share,
        net_interval=net_interval,
        area_fraction=_area_fraction(placed.select("visit", "detector", weight=total), regions, settings.edge_width),
        detectors=_carriers(counts, "detector", n_gained - n_lost),
        visits=_carriers(counts, "visit", n_gained - n_lost),
        n_detectors=counts["detector"].n_unique(),
        n_visits=counts["visit"].n_unique(),
    )


def _counts(rows: pa.Table) -> pl.DataFrame:
    """Return one row per visit and detector, with the counts as columns."""
    import polars as pl

    table = pl.DataFrame(pl.from_arrow(rows.select(["metric", "visit", "detector", "numerator"])))
    value = pl.col("numerator")
    return (
        table.group_by("visit", "detector", maintain_order=True)
        .agg(
            value.filter(pl.col("metric") == f"churn.{name}").first().fill_null(np.nan).alias(name) for name in _COUNTS
        )
        .filter(pl.col("numGained").is_finite())
    )


def _net_at_edge(counts: pl.DataFrame, confidence: float) -> tuple[float, Interval | None]:
    """Return the share of the net change that is near the edge, and its interval from visits resampled."""
    import polars as pl

    from harness.judge.estimate import level
    from harness.judge.quantity import Quantity
    from harness.model import Metric

    known = counts.filter(pl.col("numGainedAtEdge").is_finite() & pl.col("numLostAtEdge").is_finite())
    visits = (
        known.group_by("visit")
        .agg(
            (pl.col("numGainedAtEdge") - pl.col("numLostAtEdge")).sum().alias("near"),
            (pl.col("numGained") - pl.col("numLost")).sum().alias("net"),
        )
        .sort("visit")
    )
    near, net = visits["near"].to_numpy(), visits["net"].to_numpy()
    if not net.sum():
        return math.nan, None
    metric = Metric("churn.netShareAtEdge", "", "Share of the net change near the edge.", "churn", "ratio")
    estimate = level(Quantity(metric, "", visits["visit"].to_numpy(), near, net), confidence)
    # An infinite interval (a single visit) or one around a change of no clear sign says nothing.
    is_bounded = math.isfinite(estimate.interval.high - estimate.interval.low)
    return estimate.value, estimate.interval if is_bounded else None


def _area_fraction(weights: pl.DataFrame, regions: pa.Table | None, edge_width: float) -> float:
    import polars as pl

    if regions is None:
        return math.nan
    sizes = pl.DataFrame(pl.from_arrow(regions.select(["visit", "detector", "width", "height"])))
    both = weights.join(
        sizes.unique(("visit", "detector")).cast({"visit": pl.Int64, "detector": pl.Int32}),
        on=("visit", "detector"),
    )
    total = both["weight"].sum()
    if not total:
        return math.nan
    near = sum(edge_area_fraction(w, h, edge_width) * n for _, _, n, w, h in both.rows())
    return float(near / total)


def _carriers(counts: pl.DataFrame, dimension: str, net: int) -> tuple[Carrier, ...]:
    """Return the values of a dimension that change in the direction of the whole, most first, then in order."""
    import polars as pl

    if not net:
        return ()
    parts = (
        counts.group_by(dimension)
        .agg((pl.col("numGained") - pl.col("numLost")).sum().alias("net"))
        .with_columns((pl.col("net") / net).alias("share"))
        .filter(pl.col("share") > 0)
        .sort(-pl.col("share"), dimension)
    )
    return tuple(Carrier(DataId(**{dimension: value}), int(part), share) for value, part, share in parts.rows())


def _percent(fraction: float) -> str:
    """Write a fraction for people: whole percents, one digit more below ten."""
    if not math.isfinite(fraction):
        return "an unknown part"
    return f"{100 * fraction:.1f} %" if fraction < 0.0995 else f"{100 * fraction:.0f} %"
