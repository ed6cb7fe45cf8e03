"""Two reruns of the same visits, each with a template of its own, taken as one."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, final

import pyarrow as pa

from harness.errors import SelfComparisonError, UsageError
from harness.model import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.rerun.exposures.protocol import ExposureRef
    from harness.rerun.protocol import Rerun, RerunRef, Table

__all__ = ["CombinedRerun"]


@final
class CombinedRerun:
    """A rerun with good-seeing templates and one with deep ones, as one rerun with two sides.

    It has exposures, the DIA sources of each side, and nothing else: which of the two everything else would be of,
    nothing says.

    Parameters
    ----------
    ref
        Where both are, and ``good:A,deep:B``.
    reruns
        Both, by side.

    Raises
    ------
    harness.errors.UsageError
        When one of them has no exposures, templates of both kinds already, or those of the other side.
    harness.errors.SelfComparisonError
        When both are the same, or have the same templates.
    """

    def __init__(self, ref: RerunRef, reruns: Mapping[str, Rerun]) -> None:
        self.ref = ref
        self.name = ref.name
        self._reruns = reruns
        good, deep = reruns.values()
        if good.name == deep.name:
            raise SelfComparisonError(f"{good.name} would be compared with itself; name two different reruns")
        templates = {side: _templates(each, side) for side, each in reruns.items()}
        if templates["good"] and templates["good"] == templates["deep"]:
            raise SelfComparisonError(
                f"{good.name} and {deep.name} in {ref.repo} have the same templates; name two different reruns"
            )
        self.tables: Mapping[str, Table] = MappingProxyType({})
        self.flats = self.curves = self.alerts = None

    @property
    def instrument(self) -> str:
        """Short name of the instrument; empty when the two are of different ones."""
        names = {each.instrument for each in self._reruns.values()}
        return names.pop() if len(names) == 1 else ""

    def regions(self) -> None:
        """Return None."""

    def amplifiers(self) -> None:
        """Return None."""

    @cached_property
    def exposures(self) -> _CombinedExposures:
        """The exposures of both, each with its side; science images are there once for each side."""
        return _CombinedExposures(self._reruns)

    @cached_property
    def sided_sources(self) -> Mapping[str, Table]:
        """The DIA sources of both."""
        found: dict[str, Table] = {}
        for side, each in self._reruns.items():
            own = each.sided_sources.get(side) or each.tables.get("diaSource")
            if own is not None:
                found[side] = own
        return found

    @cached_property
    def psf_sizes(self) -> pa.Table | None:
        """The recorded PSF sizes of both."""
        found = []
        for side, each in self._reruns.items():
            if (sizes := each.psf_sizes) is not None:
                at = sizes.schema.get_field_index("side")
                found.append(sizes.set_column(at, "side", pa.repeat(pa.scalar(side), sizes.num_rows)))
        return pa.concat_tables(found) if found else None

    def provenance(self) -> Provenance:
        """Return what both were made from and by; a version that differs is there twice."""
        parts = {side: each.provenance() for side, each in self._reruns.items()}
        inputs = {f"{side} {key}": value for side, part in parts.items() for key, value in part.inputs.items()}
        good, deep = (dict(part.versions) for part in parts.values())
        versions = {key: value for key, value in good.items() if deep.get(key) == value}
        versions |= {f"{key} (good)": value for key, value in good.items() if key not in versions}
        versions |= {f"{key} (deep)": value for key, value in deep.items() if key not in versions}
        configs = {f"{side} {key}": value for side, part in parts.items() for key, value in part.configs.items()}
        source = "; ".join(f"{side}: {part.source}" for side, part in parts.items())
        return Provenance(self.name, source, inputs, versions, parts["good"].schema, configs)


def _templates(rerun: Rerun, side: str) -> set[str]:
    """Return what tells the templates of a rerun apart from others, when it may be taken for a side."""
    where = f"{rerun.name} in {rerun.ref.repo}"
    if rerun.exposures is None:
        raise UsageError(f"{where} has no exposures to compare templates by")
    subtracted = [ref for ref in rerun.exposures.listed if ref.kind in ("template", "difference")]
    sides = {ref.side for ref in subtracted}
    if len(sides) > 1:
        raise UsageError(f"{where} has templates of both kinds; name it alone")
    if sides - {"", side}:
        raise UsageError(f"{where} has {sides.pop()} templates; name it as that side")
    return {ref.inputs for ref in subtracted if ref.kind == "template"}


@final
class _CombinedExposures:
    """The exposures of two reruns; `harness.rerun.exposures.protocol.Exposures`."""

    def __init__(self, reruns: Mapping[str, Rerun]) -> None:
        self._exposures = {side: each.exposures for side, each in reruns.items() if each.exposures is not None}

    @cached_property
    def listed(self) -> Sequence[ExposureRef]:
        """All exposures, in order of side, kind and data ID."""
        return tuple(
            replace(ref, side=side, ref=f"{side}:{ref.ref}")
            for side, exposures in self._exposures.items()
            for ref in exposures.listed
            if ref.kind in ("science", "template", "difference")
        )

    @contextmanager
    def local(self, ref: str) -> Iterator[Path]:
        """Return a local file of an exposure."""
        side, _, own = ref.partition(":")
        with self._exposures[side].local(own) as path:
            yield path
