"""Where measurements are kept: immutable Parquet files, and a manifest that says which of them belong together.

A shard file is written beside its place and renamed into it, under a name that holds the digest of everything its
numbers depend on.  A file that is there is therefore finished and right, and an interrupted run resumes by skipping it.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, final

from harness.atomic import clean_leftovers, write_atomic
from harness.errors import BrokenFileError, HarnessError, first_line
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from harness.rerun.protocol import RerunRef

__all__ = ["MANIFEST_FORMAT", "Manifest", "MeasurementStore", "table_filename"]

#: Raised when what a manifest or a shard file holds changes its meaning.
MANIFEST_FORMAT = 3


@final
@dataclass(frozen=True, slots=True)
class Manifest:
    """What one complete measurement of a rerun consists of.

    Attributes
    ----------
    rerun, source, suite
        What was measured: the rerun's name, where it was read, and which family of metrics.
    settings
        The settings that the definitions depend on.
    shards
        Names of the shard files.
    inputs
        Digest of all input datasets.
    rows
        Digest of the rows read, whatever they were stored in and under which names; empty where none was formed.
    content
        Digest of the rows and the names of all stored columns: two reruns of equal content are one.
    datasets
        Dataset UUIDs or content digests, by a readable name.
    versions
        Package versions the rerun recorded.
    schema
        Schema version of the tables.
    harness
        Version of the harness that measured.
    families
        The families of metrics that the rerun holds input for (`harness.measure.families`).
    reference
        The other side of a two-rerun suite; empty otherwise.
    format
        Version of this layout.
    """

    rerun: str
    source: str
    suite: str
    settings: Mapping[str, Any]
    shards: tuple[str, ...]
    inputs: str
    content: str
    harness: str
    rows: str = ""
    datasets: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    schema: str = ""
    families: tuple[str, ...] = ()
    reference: str = ""
    format: int = MANIFEST_FORMAT

    @property
    def datasets_digest(self) -> str:
        """Digest over all input datasets, as `harness.model.Provenance.inputs_digest` forms it."""
        return digest_of(sorted(self.datasets.values()))


@final
class MeasurementStore:
    """A folder of measurements, one subfolder per rerun and suite.

    Parameters
    ----------
    root
        The folder; made when the first measurement is written.
    """

    __slots__ = ("root",)

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, ref: RerunRef, suite: str) -> Path:
        """Return the folder for one rerun and suite.

        The name is for people; the digest of repository and name keeps two repositories' reruns apart.
        """
        slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", ref.name).strip("-.") or "rerun"
        return self.root / f"{slug}-{digest_of([ref.repo, ref.name])[:8]}" / suite

    def write_shard(self, folder: Path, filename: str, rows: pa.Table, metadata: Mapping[str, Any]) -> None:
        """Write one shard file, complete or not at all.

        Raises
        ------
        harness.errors.HarnessError
            When the disk is full or the folder cannot be written; nothing half-written is left.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        buffer = pa.BufferOutputStream()
        note = json.dumps({"format": MANIFEST_FORMAT, **metadata}, sort_keys=True, allow_nan=False)
        pq.write_table(rows.replace_schema_metadata({"rerun_harness": note}), buffer, compression="zstd")
        _write(folder, filename, buffer.getvalue().to_pybytes())

    def read_shards(self, folder: Path, filenames: tuple[str, ...]) -> pa.Table:
        """Read the rows of several shards as one table.

        Raises
        ------
        harness.errors.BrokenFileError
            When a shard is missing or damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = []
        for filename in filenames:
            path = folder / filename
            try:
                with pq.ParquetFile(path) as file:  # pq.read_table imports all of pyarrow.dataset
                    tables.append(file.read())
            except (OSError, pa.ArrowException) as fault:
                raise BrokenFileError(
                    f"measurement file {path} cannot be read ({first_line(fault)}); delete it and measure again"
                ) from None
        return pa.concat_tables(tables).combine_chunks()

    def read_tables(self, folder: Path, filenames: tuple[str, ...], name: str) -> list[pa.Table]:
        """Read the further tables of one name that were kept with some shards; those that have none are passed over.

        Raises
        ------
        harness.errors.BrokenFileError
            When one is missing or damaged.
        """
        having = [shard for shard in filenames if name in (self.shard_metadata(folder / shard) or {}).get("tables", ())]
        return [self.read_shards(folder, (table_filename(shard, name),)) for shard in having]

    def shard_metadata(self, path: Path) -> dict[str, Any] | None:
        """Return what a finished shard says of itself, or None when there is no readable shard."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            note = pq.read_schema(path).metadata
        except (OSError, pa.ArrowException):
            return None
        content = json.loads(note[b"rerun_harness"]) if note and b"rerun_harness" in note else None
        return content if isinstance(content, dict) else None

    def write_manifest(self, folder: Path, manifest: Manifest) -> None:
        """Write the manifest that makes a measurement complete, and remove what killed writers left."""
        text = json.dumps(asdict(manifest), indent=2, sort_keys=True, allow_nan=False) + "\n"
        _write(folder, _manifest_name(manifest.settings), text)
        clean_leftovers(folder)

    def forget_manifest(self, folder: Path, settings: Mapping[str, Any]) -> None:
        """Declare a measurement incomplete, before its inputs are measured anew.

        Raises
        ------
        harness.errors.HarnessError
            When the folder cannot be written.
        """
        path = folder / _manifest_name(settings)
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            pass
        except OSError as fault:
            raise HarnessError(f"cannot remove {path} ({fault.strerror}); choose another --measurements") from None

    def read_manifest(self, folder: Path, settings: Mapping[str, Any]) -> Manifest | None:
        """Return the manifest, or None when this rerun has not been measured completely.

        Raises
        ------
        harness.errors.BrokenFileError
            When the file is damaged or was written by a newer version.
        """
        path = folder / _manifest_name(settings)
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as fault:
            raise BrokenFileError(f"{path} cannot be read ({first_line(fault)}); delete it and measure again") from None
        if isinstance(content, dict) and isinstance(content.get("format"), int) and content["format"] > MANIFEST_FORMAT:
            raise BrokenFileError(
                f"{path} was written by a newer rerun-harness (format {content['format']}); update it"
            )
        names = {item.name for item in fields(Manifest)}
        if not isinstance(content, dict) or "format" not in content:
            raise BrokenFileError(f"{path} is not a measurement manifest; delete it and measure again")
        if content["format"] != MANIFEST_FORMAT:
            return None  # what an older version measured is measured anew
        if set(content) != names:
            raise BrokenFileError(f"{path} is not a measurement manifest; delete it and measure again")
        return Manifest(**{**content, **{name: tuple(content[name]) for name in ("shards", "families")}})


def table_filename(shard: str, name: str) -> str:
    """Return the name of the file in which a further table is kept with a shard."""
    return f"{shard.removesuffix('.parquet')}.{name}.parquet"


def _write(folder: Path, filename: str, content: bytes | str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise HarnessError(
            f"cannot make the measurement folder {folder} ({fault.strerror}); choose another with --measurements"
        ) from None
    write_atomic(folder / filename, content)


def _manifest_name(settings: Mapping[str, Any]) -> str:
    return f"manifest-{digest_of(dict(settings))[:8]}.json"
