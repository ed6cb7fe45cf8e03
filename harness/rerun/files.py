"""A rerun in a folder of files, described by a ``rerun.toml``."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, final

import pyarrow as pa

from harness.errors import BrokenFileError, UsageError
from harness.model import Provenance, digest_of
from harness.rerun.aliases import ALIAS_VERSION
from harness.rerun.configs import CONFIG_SUFFIX, read_config
from harness.rerun.detectors import known_detectors
from harness.rerun.exposures.folder import FolderExposures
from harness.rerun.flats import FolderFlats
from harness.rerun.missing import what_is_there
from harness.rerun.protocol import Partition, RerunRef
from harness.rerun.regions import as_regions, regions_from_table
from harness.rerun.rerun_toml import RERUN_TOML, FileTable, read_rerun_toml
from harness.rerun.stored import FilePart, StoredTable
from harness.rerun.table_files import table_of_file
from harness.rerun.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from harness.rerun.alerts import Alerts

__all__ = ["FileRerun", "list_file_reruns"]


@final
class FileRerun:
    """A rerun in a folder of files: tables (Parquet, ECSV, FITS), exposures, alerts, flats, curves, EO-test results.

    Parameters
    ----------
    folder
        Folder with a ``rerun.toml``, or folder of such folders.
    name
        Name of the rerun, as its ``rerun.toml`` gives it.

    Raises
    ------
    harness.errors.UsageError
        When there is no such rerun, its ``rerun.toml`` is wrong, or a glob matches nothing.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folders, faults = _folders(folder)
        if name not in folders and faults:
            raise faults[0]  # it may be the one that is asked for
        if name not in folders:
            raise UsageError(f"{folder} holds no rerun {name!r}; {what_is_there(name, list(folders), 'rerun')}")
        self.ref = RerunRef(str(folder), name)
        self.name = name
        self._folder = folders[name]
        self._toml = read_rerun_toml(self._folder)
        self._paths: dict[str, dict[str, Path]] = {
            table: self._matches(f"table {table}", spec.files) for table, spec in self._toml.tables.items()
        }
        self._paths |= {
            name: self._matches(f"[{name}]", spec.files)
            for name in ("curves", "amplifiers", "alerts", "psf_sizes")
            if (spec := getattr(self._toml, name)) is not None
        }
        if self._toml.alerts is not None and self._toml.alerts.schema_file:
            self._paths["alert schema"] = self._matches("[alerts]", [self._toml.alerts.schema_file])
        self._config_paths = self._matches("[configs]", self._toml.configs.files)
        self._detectors = known_detectors(self.instrument, self._toml.detectors)
        self.flats = self._raw_flats()
        stored = {table: self._table(table, spec) for table, spec in self._toml.tables.items()}
        self.tables: dict[str, StoredTable] = {name: table for name, table in stored.items() if name in TABLES}
        self.sided_sources: dict[str, StoredTable] = {
            name.partition(".")[2]: table for name, table in stored.items() if name not in TABLES
        }
        self.exposures = self._listed_exposures()

    @property
    def instrument(self) -> str:
        """Short name of the instrument; empty when ``rerun.toml`` does not give it."""
        return self._toml.instrument

    @property
    def dataset(self) -> str:
        """Dataset that the rerun belongs to; empty when ``rerun.toml`` does not give it."""
        return self._toml.dataset

    def regions(self) -> pa.Table | None:
        """Return the geometry that ``[regions]`` describes, or None."""
        return self._known_regions

    @cached_property
    def _known_regions(self) -> pa.Table | None:
        known = self._toml.regions
        if known.file:
            path = self._folder / known.file
            regions = regions_from_table(table_of_file(path), self.instrument)
        elif known.width is not None and known.height is not None and (seen := self._table_of_detectors()):
            regions = self._seen_detectors(seen)
        else:
            return None
        for name, size in (("width", known.width), ("height", known.height)):
            if size is not None:
                index = regions.schema.get_field_index(name)
                regions = regions.set_column(index, name, regions[name].fill_null(size))
        return regions

    def amplifiers(self) -> pa.Table | None:
        """Return what ``[amplifiers]`` names, or None."""
        return self._known_amplifiers

    @cached_property
    def _known_amplifiers(self) -> pa.Table | None:
        if "amplifiers" not in self._paths:
            return None
        from harness.rerun.amplifiers import read_amplifiers

        return read_amplifiers(self._paths["amplifiers"].values(), self._detectors)

    @cached_property
    def curves(self) -> pa.Table | None:
        """The photon transfer curves that ``[curves]`` names, or None."""
        if "curves" not in self._paths:
            return None
        from harness.rerun.curve_files import read_curves

        return read_curves(self._paths["curves"].values(), self.instrument, self._detectors)

    @cached_property
    def alerts(self) -> Alerts | None:
        """The alert packets that ``[alerts]`` names, or None."""
        if "alerts" not in self._paths:
            return None
        from harness.rerun.alerts import Alerts

        paths = self._paths["alerts"]
        schema = next(iter(self._paths.get("alert schema", {}).values()), None)
        read_by = [] if schema is None else [self._digests[schema]]
        return Alerts(paths, {ref: digest_of([self._digests[path], *read_by]) for ref, path in paths.items()}, schema)

    @cached_property
    def psf_sizes(self) -> pa.Table | None:
        """The PSF sizes that ``[psf_sizes]`` names, or None."""
        if "psf_sizes" not in self._paths:
            return None
        from harness.rerun.exposures.recorded import sizes_of_file

        return pa.concat_tables([sizes_of_file(path) for path in self._paths["psf_sizes"].values()])

    def provenance(self) -> Provenance:
        """Return what the rerun was made from and by."""
        inputs = {
            f"{name} {ref}": self._digests[path] for name, paths in self._used.items() for ref, path in paths.items()
        }
        if self.exposures is not None:
            inputs |= {f"{ref.kind} {ref.ref}": ref.inputs for ref in self.exposures.listed}
        schema = f"files (aliases {ALIAS_VERSION})"
        return Provenance(self.name, str(self._folder), inputs, dict(self._toml.versions), schema, self._configs)

    @cached_property
    def _configs(self) -> dict[str, str]:
        settings: dict[str, str] = {}
        for path in self._config_paths.values():
            settings |= read_config(path, path.stem.removesuffix(CONFIG_SUFFIX))
        return settings | self._toml.configs.settings

    @cached_property
    def _used(self) -> dict[str, dict[str, Path]]:
        """Return all files that are read, by what they are and the names they are told by."""
        if self.flats is None:
            return self._paths
        return self._paths | {"flat": self.flats.flat_files, "bias": self.flats.bias_files}

    @cached_property
    def _digests(self) -> dict[Path, str]:
        paths = [path for paths in self._used.values() for path in paths.values()]
        with ThreadPoolExecutor() as pool:
            return dict(zip(paths, pool.map(_digest, paths), strict=True))

    def _raw_flats(self) -> FolderFlats | None:
        keys = self._toml.flats
        if keys is None:
            return None
        flats, biases = (self._matches("[flats]", globs) for globs in (keys.files, keys.bias))
        return FolderFlats(flats, biases, keys, self._detectors, self._folder / RERUN_TOML)

    def _listed_exposures(self) -> FolderExposures | None:
        entries = self._toml.exposures
        return FolderExposures(self._folder, entries, self.instrument, self._folder / RERUN_TOML) if entries else None

    def _matches(self, what: str, globs: Sequence[str]) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for glob in globs:
            found = sorted(path for path in _glob(self._folder, glob) if path.is_file())
            if not found:
                raise UsageError(f"{self._folder / RERUN_TOML}: no file matches {glob!r} of {what}")
            paths |= {_ref(path, self._folder): path for path in found}
        return paths

    def _table(self, name: str, spec: FileTable) -> StoredTable:
        parts = [FilePart(ref, partial(_in_place, path)) for ref, path in self._paths[name].items()]
        return StoredTable(
            name,
            parts,
            partial(self._partitions, name, bool(spec.unique)),
            where=f"rerun {self.name!r} in {self._folder}",
            instrument=self.instrument,
            unique=spec.unique or None,
        )

    def _partitions(self, name: str, overlap: bool) -> Sequence[Partition]:
        """Return one partition per file, or one in all where files hold the same rows.

        Which visits a file holds would have to be read, so that it is left open.
        """
        digests = {ref: self._digests[path] for ref, path in self._paths[name].items()}
        if overlap:
            return (Partition("all", tuple(digests), digest_of(list(digests.values()))),)
        return tuple(
            Partition(f"file-{number}", (ref,), digest) for number, (ref, digest) in enumerate(digests.items())
        )

    def _table_of_detectors(self) -> StoredTable | None:
        """Return the table that tells which visits and detectors there are."""
        if "diaSource" in self.tables:
            return self.tables["diaSource"]
        injected = self.tables.get("injection")
        return injected if injected is not None and {"visit", "detector"} <= injected.columns.keys() else None

    def _seen_detectors(self, table: StoredTable) -> pa.Table:
        """Return every visit and detector with a row in a table, geometry unknown."""
        names = [name for name in ("visit", "detector", "band") if name in table.columns]
        seen = table.read(names).group_by(["visit", "detector"]).aggregate([("band", "max")] if "band" in names else [])
        columns = {"visit": seen["visit"], "detector": seen["detector"]}
        if "band" in names:
            columns["band"] = seen["band_max"]
        columns["instrument"] = pa.repeat(pa.scalar(self.instrument), seen.num_rows)
        return as_regions(columns, seen.num_rows)


def list_file_reruns(folder: Path) -> list[str]:
    """Return the names of the reruns in a folder; one whose ``rerun.toml`` is wrong has the name of its own folder.

    Raises
    ------
    harness.errors.UsageError
        When two bear the same name.
    """
    return list(_folders(folder)[0])


def _folders(folder: Path) -> tuple[dict[str, Path], list[UsageError]]:
    """Return the folder of each rerun, by its name, and what is wrong with the ``rerun.toml`` of some."""
    own = folder / RERUN_TOML
    candidates = [own] if own.is_file() else sorted(folder.glob(f"*/{RERUN_TOML}"))
    folders: dict[str, Path] = {}
    faults: list[UsageError] = []
    for path in candidates:
        try:
            name = read_rerun_toml(path.parent).name
        except UsageError as fault:  # told when it is opened: the others can be read
            name = path.parent.name
            faults.append(fault)
        if name in folders:
            raise UsageError(f"{path.parent} and {folders[name]} both name their rerun {name!r}; rename one")
        folders[name] = path.parent
    return folders, faults


def _glob(folder: Path, pattern: str) -> list[Path]:
    path = Path(pattern)
    return list(Path(path.anchor).glob(str(path.relative_to(path.anchor))) if path.anchor else folder.glob(pattern))


def _in_place(path: Path) -> AbstractContextManager[Path]:
    return nullcontext(path)


def _ref(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as fault:
        raise BrokenFileError(f"{path} cannot be read ({fault.strerror})") from None
