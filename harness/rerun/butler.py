"""A rerun in a Gen3 Butler repository: a collection of datasets."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pyarrow as pa

from harness.errors import BrokenFileError, UsageError, first_line
from harness.model import Provenance
from harness.rerun.aliases import ALIAS_VERSION
from harness.rerun.butler_data_ids import (
    constants,
    has_dimension,
    in_order,
    injected_constants,
    partitions,
    readable,
)
from harness.rerun.butler_flats import ButlerFlats
from harness.rerun.configs import CONFIG_SUFFIX, read_config
from harness.rerun.exposures.butler import ButlerExposures
from harness.rerun.exposures.dataset_types import EXPOSURE_TYPES, SIDE_PREFIXES, SIDED_SOURCE_TYPES
from harness.rerun.missing import what_is_there
from harness.rerun.protocol import RerunRef
from harness.rerun.regions import as_regions, corners_array, polygon_area, regions_from_table
from harness.rerun.stored import FilePart, StoredTable
from harness.rerun.table_files import table_of_file
from harness.rerun.tables import BIAS_TYPE, CATALOGUES, DATASET_TYPES, EOTEST_TYPE, GEOMETRY_TYPES, RAW_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from lsst.daf.butler import Butler, DatasetRef

__all__ = ["ButlerRerun", "list_butler_reruns"]

_SIDED = tuple(SIDE_PREFIXES.values())


@final
class ButlerRerun:
    """A rerun that is a collection of a Butler repository.

    A chain is searched in its order, as Butler does: the first dataset of each data ID counts.  Datasets are looked up
    once and their files read in place, so that no class of the pipelines is needed to read what they wrote.

    Parameters
    ----------
    repo
        Repository: a folder, a ``butler.yaml``, or a URI that Butler takes.
    name
        RUN, CHAINED or TAGGED collection.

    Raises
    ------
    harness.errors.UsageError
        When there is no such repository or collection.
    """

    def __init__(self, repo: str, name: str) -> None:
        from lsst.daf.butler import MissingCollectionError

        self.ref = RerunRef(repo, name)
        self.name = name
        self._butler = _open(repo)
        try:
            infos = self._butler.collections.query_info(
                name, flatten_chains=True, include_chains=True, include_summary=True
            )
        except MissingCollectionError:
            names = sorted(self._butler.collections.query("*"))
            raise UsageError(f"{repo} has no collection {name!r}; {what_is_there(name, names, 'collection')}") from None
        self._present = frozenset(kind for info in infos for kind in info.dataset_types or ())
        self._sided = {
            side: next((kind for kind in kinds if kind in self._present), "")
            for side, kinds in SIDED_SOURCE_TYPES.items()
        }
        self._refs = {table: found for table in DATASET_TYPES if (found := self._find(table))}
        self.tables = {table: self._table(table) for table in self._refs}

    @property
    def instrument(self) -> str:
        """Short name of the instrument; empty when the datasets are of none or of several."""
        names = {str(ref.dataId["instrument"]) for ref in self._used if has_dimension(ref, "instrument")}
        return names.pop() if len(names) == 1 else ""

    def regions(self) -> pa.Table | None:
        """Return the geometry from a visit table, else from the repository's own record of regions, else None."""
        return self._known_regions

    @cached_property
    def _known_regions(self) -> pa.Table | None:
        for kind in GEOMETRY_TYPES:
            refs = self._query(kind)
            if refs:
                stored = pa.concat_tables([self._whole(ref) for ref in refs], promote_options="permissive")
                return regions_from_table(stored, self.instrument)
        return self._recorded_regions()

    @cached_property
    def flats(self) -> ButlerFlats | None:
        """The raw flats; None when there are none, or when they are but inputs of a rerun with tables or exposures."""
        if self._refs.keys() - CATALOGUES or self.exposures is not None or RAW_TYPE not in self._present:
            return None
        with_biases = BIAS_TYPE in self._present
        flats = ButlerFlats(self._butler, self.name, with_biases=with_biases, fetch=self._local)
        return flats if flats.refs else None

    def amplifiers(self) -> pa.Table | None:
        """Return what the EO test found, or None."""
        return self._known_amplifiers

    @cached_property
    def _known_amplifiers(self) -> pa.Table | None:
        if not self._eotest_refs:
            return None
        from harness.rerun.amplifiers import as_amplifiers

        with self._butler.query() as query:
            here = query.where({"instrument": self._eotest_refs[0].dataId["instrument"]})
            names = {record.id: record.full_name for record in here.dimension_records("detector")}
        rows = ((ref, row) for ref in self._eotest_refs for row in self._eotest_rows(ref, names))
        return as_amplifiers(rows, {name: number for number, name in names.items()})

    @cached_property
    def exposures(self) -> ButlerExposures | None:
        """The exposures, or None when there are none."""
        if not self._present & {kind.name for kinds in EXPOSURE_TYPES.values() for kind in kinds}:
            return None
        exposures = ButlerExposures(self._query, self._bands, self._local)
        return exposures if exposures.refs else None

    @cached_property
    def sided_sources(self) -> Mapping[str, StoredTable]:
        """The DIA sources that were found with each of two templates, by side."""
        return {side: self._stored(f"diaSource.{side}", refs, "") for side, refs in self._sided_refs.items()}

    @cached_property
    def _sided_refs(self) -> dict[str, list[DatasetRef]]:
        return {side: refs for side, kind in self._sided.items() if (refs := self._query(kind))}

    @cached_property
    def psf_sizes(self) -> pa.Table | None:
        """PSF sizes that were recorded beside the exposures, or None."""
        from harness.rerun.exposures.recorded import METADATA_TYPES, SUMMARY_TYPES, recorded_sizes

        if self.exposures is None:
            return None
        kind = next((kind for kind in SUMMARY_TYPES if kind in self._present), "")
        refs = self._query(kind) + [ref for name in METADATA_TYPES for ref in self._query(name)]
        return recorded_sizes((ref.datasetType.name, dict(ref.dataId.required), self._local(ref)) for ref in refs)

    @property
    def alerts(self) -> None:
        """None: alerts are files."""

    @property
    def curves(self) -> None:
        """None: the field's pipelines store no photon transfer curve that can be read without them."""

    def provenance(self) -> Provenance:
        """Return what the rerun was made from and by."""
        inputs = {f"{ref.datasetType.name} {readable(ref)}".strip(): str(ref.id) for ref in self._used}
        packages = [self._butler.get(ref) for ref in self._query("packages")]  # of a chain, those of its first run
        versions = {str(name): str(version) for found in packages for name, version in found.items()}
        runs = sorted({ref.run for ref in self._used})
        source = f"{self.ref.repo} collection {self.name}" + (f" ({', '.join(runs)})" if runs != [self.name] else "")
        return Provenance(self.name, source, inputs, versions, f"Butler (aliases {ALIAS_VERSION})", self._configs)

    @cached_property
    def _configs(self) -> dict[str, str]:
        """The settings of all tasks; read as text, so that the tasks themselves are not needed."""
        settings: dict[str, str] = {}
        for kind in sorted(self._present):
            if kind.endswith(CONFIG_SUFFIX):
                for ref in self._query(kind):  # of a chain, that of its first run
                    if ref.datasetType.storageClass_name == "Config":
                        with self._local(ref) as path:
                            settings |= read_config(path, kind.removesuffix(CONFIG_SUFFIX))
        return settings

    def _query(self, kind: str) -> list[DatasetRef]:
        """Return the datasets of a type, in the order of their data IDs."""
        if kind not in self._present:
            return []
        found = self._butler.query_datasets(kind, collections=self.name, find_first=True, limit=None, explain=False)
        return sorted(found, key=in_order)

    def _find(self, table: str) -> list[DatasetRef]:
        # With two sets of DIA sources, one for each template, nothing says which of them the table would be.
        two_sided = all(self._sided.values())
        names = (kind.name for kind in DATASET_TYPES[table] if not (two_sided and kind.name.startswith(_SIDED)))
        return next((refs for name in names if (refs := self._query(name))), [])

    def _table(self, table: str) -> StoredTable:
        refs = self._refs[table]
        kind = next(kind for kind in DATASET_TYPES[table] if kind.name == refs[0].datasetType.name)
        return self._stored(table, refs, kind.repeats)

    def _stored(self, table: str, refs: list[DatasetRef], repeats: str) -> StoredTable:
        told = injected_constants(refs, self._bands) if table == "injection" else [constants(ref) for ref in refs]
        parts = [FilePart(str(ref.id), partial(self._local, ref), here) for ref, here in zip(refs, told, strict=True)]
        return StoredTable(
            table,
            parts,
            partial(partitions, refs, bool(repeats)),
            where=f"collection {self.name!r} in {self.ref.repo} ({refs[0].datasetType.name})",
            instrument=self.instrument,
            unique=repeats or None,
        )

    @cached_property
    def _eotest_refs(self) -> list[DatasetRef]:
        return self._query(EOTEST_TYPE)

    @cached_property
    def _used(self) -> list[DatasetRef]:
        """Return all datasets that are read."""
        refs = [ref for refs in self._refs.values() for ref in refs] + self._eotest_refs
        if self.exposures is not None:
            refs += [ref for found in self._sided_refs.values() for ref in found]
            refs += self.exposures.refs.values()
        if self.flats is not None:
            refs += [*self.flats.refs, *self.flats.bias_refs.values()]
        return list(dict.fromkeys(refs))

    def _eotest_rows(self, ref: DatasetRef, names: Mapping[int, str]) -> list[dict[str, Any]]:
        from harness.rerun.eotest import eotest_amplifiers

        with self._local(ref) as path:
            rows = eotest_amplifiers(path, names[int(ref.dataId["detector"])])
        if rows is None:
            raise BrokenFileError(f"{path} of {ref} has no table AMPLIFIER_RESULTS; store the EO test's own file")
        return rows

    @cached_property
    def _uris(self) -> dict[DatasetRef, Any]:
        refs = [ref for refs in self._refs.values() for ref in refs]
        return dict(self._butler.get_many_uris(refs, allow_missing=True))

    @contextmanager
    def _local(self, ref: DatasetRef) -> Iterator[Path]:
        """Give a local path to a dataset's file, downloaded where the datastore is remote."""
        place = self._uris.get(ref) or next(iter(self._butler.get_many_uris([ref], allow_missing=True).values()), None)
        if place is None or place.primaryURI is None:
            raise BrokenFileError(f"{ref} has no file in {self.ref.repo}; restore the dataset or prune it")
        with place.primaryURI.as_local() as local:
            yield Path(local.ospath)

    def _whole(self, ref: DatasetRef) -> pa.Table:
        with self._local(ref) as path:
            return table_of_file(path)

    def _recorded_regions(self) -> pa.Table | None:
        """Return the polygons that the repository itself keeps of the visits of this rerun."""
        visits = self._visits(self._refs.keys() - CATALOGUES) or self._visits({"injection"})
        if not visits or not self.instrument:
            return None
        here = {"instrument": self.instrument}
        with self._butler.query() as query:
            chosen = query.where(here, "visit IN (visits)", bind={"visits": sorted(visits)})
            records = sorted(
                chosen.dimension_records("visit_detector_region"), key=lambda each: (each.visit, each.detector)
            )
        bands = self._bands(self.instrument, {int(visit) for visit in visits})
        records = [record for record in records if record.region is not None]
        if not records:
            return None
        corners = [_corners(record.region) for record in records]
        ra, dec = (
            np.array([c if c.shape == (2, 4) else np.full((2, 4), np.nan) for c in corners])
            .reshape(-1, 2, 4)
            .swapaxes(0, 1)
        )
        columns = {
            "instrument": pa.array([self.instrument] * len(records)),
            "visit": pa.array([record.visit for record in records]),
            "detector": pa.array([record.detector for record in records]),
            "band": pa.array([bands.get(record.visit) for record in records]),
            "area": pa.array([float(polygon_area(*each)) for each in corners]),
            "corners": corners_array(ra, dec),
        }
        return as_regions(columns, len(records))

    def _visits(self, tables: AbstractSet[str]) -> set[int]:
        """Return the visits of which there are datasets of some tables."""
        refs = (ref for table in tables for ref in self._refs.get(table, ()))
        return {int(ref.dataId["visit"]) for ref in refs if has_dimension(ref, "visit")}

    def _bands(self, instrument: str, visits: set[int]) -> dict[int, str]:
        """Return the band of each of some visits, where the repository knows it."""
        here = {"instrument": instrument}
        with self._butler.query() as query:
            bands = {each.name: each.band for each in query.where(here).dimension_records("physical_filter")}
            chosen = query.where(here, "visit IN (visits)", bind={"visits": sorted(visits)})
            filters = {each.id: each.physical_filter for each in chosen.dimension_records("visit")}
        return {visit: bands[name] for visit, name in filters.items() if name in bands}


def list_butler_reruns(repo: str) -> list[str]:
    """Return the collections with DIA sources, in any order; failing that, those with exposures, else with raw images.

    Raises
    ------
    harness.errors.UsageError
        When there is no such repository.
    """
    butler = _open(repo)
    # The summary of a chain is that of its members.
    infos = butler.collections.query_info("*", include_summary=True, flatten_chains=False)

    def holding(kinds: set[str]) -> list[str]:
        return [info.name for info in infos if kinds.intersection(info.dataset_types or ())]

    exposures = {kind.name for kinds in EXPOSURE_TYPES.values() for kind in kinds}
    return holding({kind.name for kind in DATASET_TYPES["diaSource"]}) or holding(exposures) or holding({RAW_TYPE})


def _open(repo: str) -> Butler:
    from lsst.daf.butler import Butler

    try:
        return Butler.from_config(repo)
    except ModuleNotFoundError as fault:
        raise UsageError(
            f"{repo} keeps its registry in a database whose driver {fault.name} is not installed; "
            "pip install 'rerun-harness[postgresql]'"
        ) from None
    except (OSError, RuntimeError, ValueError) as fault:
        raise UsageError(
            f"{repo} is not a Butler repository that can be opened ({first_line(fault)}); "
            "name a folder with a butler.yaml"
        ) from None


def _corners(region: Any) -> Any:
    """Return right ascension and declination of a polygon's corners in degrees, shape (2, n)."""
    from lsst.sphgeom import ConvexPolygon, LonLat

    if not isinstance(region, ConvexPolygon):
        return np.full((2, 4), np.nan)
    points = [LonLat(vertex) for vertex in region.getVertices()]
    return np.array([[p.getLon().asDegrees() for p in points], [p.getLat().asDegrees() for p in points]])
