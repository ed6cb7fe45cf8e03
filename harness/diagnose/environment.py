"""What differs between the software of two reruns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EnvironmentDifference", "Versioned", "environment_difference"]


class Versioned(Protocol):
    """A rerun that may have recorded what it ran with."""

    @property
    def rerun(self) -> str:
        """Name of the rerun."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Package versions; empty when the rerun recorded none."""


@final
@dataclass(frozen=True, slots=True)
class EnvironmentDifference:
    """Packages that two reruns do not share in the same version, each sorted by name.

    Attributes
    ----------
    added, removed
        Package and version that only the rerun, or only the reference, has.
    changed
        Package, the reference's version, the rerun's version.
    unrecorded
        Names of those of the two that recorded no versions at all; then nothing is known to differ.
    """

    added: tuple[tuple[str, str], ...] = ()
    removed: tuple[tuple[str, str], ...] = ()
    changed: tuple[tuple[str, str, str], ...] = ()
    unrecorded: tuple[str, ...] = ()

    def text(self, limit: int = 12) -> str:
        """Return one line that names at most ``limit`` packages, changed ones first."""
        if self.unrecorded:
            return f"package versions not recorded by {' and '.join(self.unrecorded)}"
        parts = [f"{name} {old} → {new}" for name, old, new in self.changed]
        parts += [f"+{name} {version}" for name, version in self.added]
        parts += [f"-{name} {version}" for name, version in self.removed]
        if not parts:
            return "same package versions"
        more = f", … and {len(parts) - limit} more" if len(parts) > limit else ""
        return ", ".join(parts[:limit]) + more


def environment_difference(rerun: Versioned, reference: Versioned) -> EnvironmentDifference:
    """Return what differs between the package versions that two reruns recorded."""
    new, old = rerun.versions, reference.versions
    if not new or not old:
        return EnvironmentDifference(unrecorded=tuple(side.rerun for side in (rerun, reference) if not side.versions))
    return EnvironmentDifference(
        added=tuple((name, new[name]) for name in sorted(new.keys() - old.keys())),
        removed=tuple((name, old[name]) for name in sorted(old.keys() - new.keys())),
        changed=tuple(
            (name, old[name], new[name]) for name in sorted(new.keys() & old.keys()) if new[name] != old[name]
        ),
    )
