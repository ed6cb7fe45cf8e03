"""Metric rows of alert packets, collected packet by packet."""

from __future__ import annotations

import math
from collections import Counter
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Any, final

from harness.metrics.alerts.numbers import alert_numbers
from harness.metrics.rows import rows_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from harness.metrics.alerts.numbers import AlertNumbers
    from harness.rerun.alerts import Cutout, CutoutKind

__all__ = ["AlertTally"]

#: Places that a message names before it says how many more there are.
_NAMED = 3

_KINDS: tuple[CutoutKind, ...] = ("science", "template", "difference")


@final
class AlertTally:
    """Collects the numbers of alert packets, and forgets their pixels.

    Fluxes and variances are told by visit, since few alerts of a detector have no median worth the name; the rest by
    visit and detector.  All packets of a visit must come to one tally.

    Parameters
    ----------
    instrument
        Name to put into the rows.
    """

    def __init__(self, instrument: str) -> None:
        self._instrument = instrument
        self._alerts: dict[tuple[int, int], list[AlertNumbers]] = {}
        self._bands: dict[int, str] = {}
        self._missing: dict[tuple[int, int], list[str]] = {}
        self._broken: dict[tuple[int, int], list[str]] = {}
        self._unreadable: list[str] = []

    def add(
        self,
        place: str,
        source: Mapping[str, Any],
        cutouts: Mapping[CutoutKind, Cutout],
        missing: Sequence[str] = (),
        broken: Sequence[str] = (),
    ) -> None:
        """Measure a packet.

        Parameters
        ----------
        place
            The packet in words.
        source
            Its DIA source, by canonical names of columns.
        cutouts
            Those that could be read.
        missing, broken
            What there is to say of those that are not there, and of those that could not be read.
        """
        visit, detector = source.get("visit"), source.get("detector")
        if visit is None or detector is None:
            self.add_unreadable(f"{place} has no {'visit' if visit is None else 'detector'}")
            return
        key = (int(visit), int(detector))
        self._alerts.setdefault(key, []).append(alert_numbers(place, source, cutouts))
        self._missing.setdefault(key, []).extend(missing)
        self._broken.setdefault(key, []).extend(broken)
        self._bands.setdefault(key[0], source.get("band") or "")

    def add_unreadable(self, reason: str) -> None:
        """Count a packet, or the rest of a file, that cannot be read."""
        self._unreadable.append(reason)

    def rows(self) -> pa.Table:
        """Return all rows as a table of `harness.metrics.rows.rows_schema`."""
        import pyarrow as pa

        keys = sorted(self._alerts)
        rows = [self._row("numUnreadablePackets", None, None, *_told(self._unreadable))]
        for visit in dict.fromkeys(visit for visit, _ in keys):
            alerts = list(chain.from_iterable(self._alerts[key] for key in keys if key[0] == visit))
            rows += self._of_visit(visit, alerts)
        for key in keys:
            rows += [*self._of_psfs(key), *self._counts(key), *self._defects(key)]
        return pa.Table.from_pylist(rows, rows_schema())

    def _of_visit(self, visit: int, alerts: Sequence[AlertNumbers]) -> list[dict[str, Any]]:
        clean = [alert for alert in alerts if not alert.unclean]
        none = f"none of {len(alerts)} alerts is clean"
        within = sum(abs(alert.pull) < 1 for alert in clean)
        return [
            self._row("fracFluxWithinOneSigma", visit, None, within, none * (not clean), denominator=len(clean)),
            self._mean("fluxRatio", visit, None, (alert.flux_ratio for alert in clean), none),
            self._mean("fluxErrRatio", visit, None, (alert.error_ratio for alert in clean), none),
            self._mean(
                "varianceAdditivity",
                visit,
                None,
                (alert.additivity for alert in alerts),
                f"none of {len(alerts)} alerts has a variance in all three cutouts",
            ),
        ]

    def _of_psfs(self, key: tuple[int, int]) -> list[dict[str, Any]]:
        alerts = self._alerts[key]
        sizes = [
            self._mean(
                f"psfFwhm.{kind}",
                *key,
                (alert.fwhm.get(kind, math.nan) for alert in alerts),
                f"the {kind} PSF of none of {len(alerts)} alerts has a size",
            )
            for kind in _KINDS
        ]
        pairs = [(alert.fwhm.get("template", math.nan), alert.fwhm.get("science", math.nan)) for alert in alerts]
        known = [template < science for template, science in pairs if math.isfinite(template + science)]
        equal = [alert.equal_psf for alert in alerts if alert.equal_psf is not None]
        unequal = [f"{alert.place} has two PSFs" for alert in alerts if alert.equal_psf is False]
        return [
            *sizes,
            self._row("fracTemplateSharper", *key, sum(known), denominator=len(known)),
            self._row("fracEqualPsf", *key, sum(equal), _told(unequal)[1], denominator=len(equal)),
        ]

    def _counts(self, key: tuple[int, int]) -> list[dict[str, Any]]:
        alerts = self._alerts[key]
        reasons = Counter(alert.unclean for alert in alerts if alert.unclean)
        return [
            self._row("numPackets", *key, len(alerts)),
            self._row("numCutouts", *key, sum(alert.n_cutouts for alert in alerts)),
            self._row("numUnclean", *key, reasons.total(), "; ".join(reasons)),
            self._row(
                "fracNanPixels",
                *key,
                sum(alert.n_nan for alert in alerts),
                denominator=sum(alert.n_pixels for alert in alerts),
            ),
        ]

    def _defects(self, key: tuple[int, int]) -> list[dict[str, Any]]:
        alerts = self._alerts[key]
        empty = [f"the {kind} cutout of {alert.place} has no finite pixel" for alert in alerts for kind in alert.empty]
        unequal = [f"cutouts of {alert.place} differ: {alert.shapes}" for alert in alerts if alert.shapes]
        nonpositive = [f"{alert.n_nonpositive} pixels in {alert.place}" for alert in alerts if alert.n_nonpositive]
        return [
            self._row("numMissingCutouts", *key, *_told(self._missing[key])),
            self._row("numBrokenCutouts", *key, *_told(self._broken[key])),
            self._row("numEmptyCutouts", *key, *_told(empty)),
            self._row("numUnequalShapes", *key, *_told(unequal)),
            self._row(
                "numNonPositiveVariances", *key, sum(alert.n_nonpositive for alert in alerts), _told(nonpositive)[1]
            ),
        ]

    def _mean(
        self, metric: str, visit: int, detector: int | None, values: Iterable[float], reason: str
    ) -> dict[str, Any]:
        """Return the median of what is finite, to be averaged; nothing of it counts when nothing is."""
        finite = [value for value in values if math.isfinite(value)]
        if not finite:
            return self._row(metric, visit, detector, 0, reason, denominator=0)
        return self._row(metric, visit, detector, median(finite), denominator=1)

    def _row(
        self,
        metric: str,
        visit: int | None,
        detector: int | None,
        numerator: float,
        detail: str = "",
        *,
        denominator: float | None = None,
    ) -> dict[str, Any]:
        return {
            "metric": f"alert.{metric}",
            "instrument": self._instrument or None,
            "visit": visit,
            "detector": detector,
            "band": None if visit is None else self._bands[visit] or None,
            "numerator": float(numerator),
            "denominator": denominator,
            "detail": detail or None,
        }


def _told(places: Sequence[str]) -> tuple[int, str]:
    """Return how many there are, and the first of them in words."""
    more = [f"{len(places) - _NAMED} more like it"] if len(places) > _NAMED else []
    return len(places), "; ".join([*places[:_NAMED], *more])
