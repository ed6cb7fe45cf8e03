"""What a rerun is to the rest of the harness: tables, regions and provenance, wherever they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from harness.model import Provenance

__all__ = ["Partition", "Rerun", "RerunRef", "Table"]


@final
@dataclass(frozen=True, slots=True)
class RerunRef:
    """A rerun by reference: small and picklable, so that a task carries it to a worker instead of arrays.

    Attributes
    ----------
    repo
        Butler repository, APDB URL or folder.
    name
        Name of the rerun within it (a Butler collection, an APDB namespace, a subfolder).
    """

    repo: str
    name: str


@final
@dataclass(frozen=True, slots=True)
class Partition:
    """A part of a table that can be read by itself.

    Attributes
    ----------
    key
        Readable and unique within the table, safe in a file name, such as ``visit-411371``.
    refs
        What the rerun reads it by: dataset UUIDs, file names relative to the rerun, or visits as text.
    inputs
        Digest of the content that ``refs`` stand for.
    visits
        The visits it covers completely, or None when a visit may be spread over several partitions.
    data_ids
        The (visit, detector) pairs that have a dataset in it, with rows or without; None when that is not recorded.
    """

    key: str
    refs: tuple[str, ...]
    inputs: str
    visits: tuple[int, ...] | None = None
    data_ids: tuple[tuple[int, int], ...] | None = None


class Table(Protocol):
    """One canonical table of a rerun (``diaSource``, ``diaObject``, ``source``)."""

    @property
    def name(self) -> str:
        """Canonical name of the table."""

    @property
    def columns(self) -> Mapping[str, pa.DataType]:
        """Canonical names and Arrow types of the columns that are there, in stored order."""

    @property
    def stored_columns(self) -> tuple[str, ...]:
        """The columns' own names, as stored."""

    def partitions(self) -> Sequence[Partition]:
        """Return the parts that the table can be read by, in a stable order."""

    def read(self, columns: Sequence[str], partition: Partition | None = None) -> pa.Table:
        """Read columns under their canonical names.

        Parameters
        ----------
        columns
            Canonical names, in the order wanted; an empty sequence reads the row count alone.
        partition
            One of `partitions`; None reads the whole table.

        Returns
        -------
        table : `pyarrow.Table`
            Columns in the order asked for.  Flags are bool, times TAI MJD (float64); a column that is missing
            throughout a file (Arrow type ``null``) has the type its other files give it, else float64.

        Raises
        ------
        harness.errors.NotMeasuredError
            When a column is missing; the message lists the names tried and those that are there.
        harness.errors.BrokenFileError
            When a file is missing, half-written or not what its name says.
        """

    def batches(self, columns: Sequence[str], partition: Partition | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the same rows as `read`, in batches, so that memory does not grow with the table."""


class Rerun(Protocol):
    """One processing run, wherever it is stored."""

    @property
    def ref(self) -> RerunRef:
        """How to open this rerun again, in another process."""

    @property
    def name(self) -> str:
        """The name the rerun was asked for by."""

    @property
    def instrument(self) -> str:
        """Short name of the instrument; empty when nothing says so."""

    @property
    def tables(self) -> Mapping[str, Table]:
        """The canonical tables this rerun has, by name."""

    def regions(self) -> pa.Table | None:
        """Return what is known of the geometry, one row per visit and detector, or None.

        Returns
        -------
        regions : `pyarrow.Table` or `None`
            ``instrument`` (string), ``visit`` (int64), ``detector`` (int32), ``band`` (string), ``area`` (deg²),
            ``width`` and ``height`` (pixel), ``corners`` (list of 4 × (ra, dec) in degrees, flat, 8 numbers).
            What is not known is null.
        """

    def provenance(self) -> Provenance:
        """Return what the rerun was made from and by."""
