"""Which metrics and amplifiers are judged: what the reruns hold, and what their baseline expects."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, final

from harness.measure.catalogue import DEFECT_GROUPS
from harness.measure.families import FAMILIES
from harness.model import DataId

if TYPE_CHECKING:
    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["Selection"]


@final
class Selection:
    """What of all that can be measured is judged in a session.

    Parameters
    ----------
    session
        What was asked for, resolved.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @cached_property
    def groups(self) -> frozenset[str]:
        """The families of metrics that a check may run over."""
        return frozenset(metric.group for metric in self._session.catalogue.values())

    def metrics_of(self, group: str) -> list[str]:
        """Return the metrics of a group that are to be judged.

        Those are the metrics that the baseline holds; of defects all, and without any baseline all: a check that has
        nothing to judge would pass in silence.
        """
        members = [name for name, metric in self._session.catalogue.items() if metric.group == group]
        if not self._applies(group):
            return []
        if self._session.baseline is None or group in DEFECT_GROUPS:
            return members
        return [name for name in members if name in self._session.baseline.metrics]

    @property
    def amplifiers(self) -> list[DataId]:
        """The amplifiers of all reruns and the reference; one without a name when nothing was measured yet."""
        if not (self._applies("amplifier_gain") or self._applies("eotest_gain")):
            return []
        refs = self._session.refs if self._session.reference is None else (*self._session.refs, self._session.reference)
        found = dict.fromkeys(place for ref in refs for place in self._session.measurements(ref).amplifiers)
        return list(found) or [DataId()]

    def _applies(self, group: str) -> bool:
        """Whether a group of metrics is judged: where a rerun holds its input, or the baseline expects it.

        Of a rerun that has not been measured nobody knows what it holds: then every check runs, and says so.
        """
        family = next(family for family in FAMILIES if group in family.groups)
        return self._judged_families is None or family.name in self._judged_families

    @cached_property
    def _judged_families(self) -> frozenset[str] | None:
        manifests = [self._session.manifest(ref) for ref in self._session.refs]
        found = {name for manifest in manifests if manifest is not None for name in manifest.families}
        if self._session.baseline is not None:
            groups = {
                self._session.catalogue[name].group
                for name in self._session.baseline.metrics
                if name in self._session.catalogue
            }
            found |= {family.name for family in FAMILIES if family.groups & groups}
        return frozenset(found) or None

    def unexpected(self, ref: RerunRef) -> list[str]:
        """Return the metrics measured of a rerun of which the baseline expects nothing."""
        if self._session.baseline is None:
            return []
        measured = (self._session.catalogue[name] for name in self._session.measurements(ref))
        return [
            metric.name
            for metric in measured
            if metric.group not in DEFECT_GROUPS and metric.name not in self._session.baseline.metrics
        ]
