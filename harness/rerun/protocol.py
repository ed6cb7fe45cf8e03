"""What a rerun is to the rest of the harness: tables, regions and provenance, wherever they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import pyarrow as pa

    from harness.model import Provenance
    from harness.rerun.alerts import Alerts
    from harness.rerun.exposures.protocol import Exposures

__all__ = ["FlatExposure", "Flats", "Partition", "Rerun", "RerunRef", "Table"]


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
    """One canonical table of a rerun (``diaSource``, ``diaObject``, ``source``, ``injection``, ``known``, ``star``)."""

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


@final
@dataclass(frozen=True, slots=True)
class FlatExposure:
    """A raw flat of one detector, unread.

    Attributes
    ----------
    exposure
        Number of the exposure.
    detector, detector_name
        Number and full name (``R22_S11``) of the detector.
    exposure_time
        Seconds.
    pair
        What the two flats of a recorded pair have in common; empty when nothing records it.
    sequence
        Place in the order of taking, with gaps where other exposures were taken; -1 when unknown.
    photo_charge
        Charge of the monitoring photodiode, C; NaN when unknown.
    ref
        What `Flats.local` finds its file by.
    inputs
        Dataset UUID, or digest of what tells a file apart from what it was before (header, size, time of last change).
    """

    exposure: int
    detector: int
    detector_name: str
    exposure_time: float
    pair: str
    sequence: int
    photo_charge: float
    ref: str
    inputs: str


class Flats(Protocol):
    """The raw flats of a rerun, listed but not read."""

    @property
    def exposures(self) -> Sequence[FlatExposure]:
        """All raw flats, in order of detector and exposure."""

    @property
    def biases(self) -> Mapping[int, FlatExposure]:
        """The bias of each detector that has one, by segments or assembled (`harness.rerun.bias`)."""

    def local(self, ref: str) -> AbstractContextManager[Path]:
        """Return a local file for the ``ref`` of an exposure or bias; a remote one is fetched for the while.

        Raises
        ------
        harness.errors.BrokenFileError
            When it is missing.
        """


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
        """The canonical tables this rerun has, by name.

        Beside what was measured there may be catalogues of what is in the sky, or was put there.  All their columns
        but the positions are optional.

        - ``injection``: ``injectionId`` (int64), ``visit``, ``detector``, ``band``; ``ra``, ``dec`` (degrees), ``x``,
          ``y`` (pixel); ``mag`` (AB) of the row's band, and ``g_mag`` ... where there are several; ``flux`` (its
          amount) and ``fluxErr`` (of a PSF flux at the place; nJy), ``snr``; ``inTemplate`` and ``inOneImage`` (bool;
          see `harness.rerun.catalogues.catalogue_columns`).
        - ``known``: ``ra``, ``dec`` (degrees), ``visit`` (of something that moves), ``band``, ``isMoving`` (bool).
        - ``star``: ``ra``, ``dec`` (degrees), ``mag`` (AB), or ``g_mag`` ... where there are several.
        """

    def regions(self) -> pa.Table | None:
        """Return what is known of the geometry, one row per visit and detector, or None.

        Returns
        -------
        regions : `pyarrow.Table` or `None`
            ``instrument`` (string), ``visit`` (int64), ``detector`` (int32), ``band`` (string), ``area`` (deg²),
            ``width`` and ``height`` (pixel), ``corners`` (list of 4 × (ra, dec) in degrees, flat, 8 numbers).
            What is not known is null.
        """

    @property
    def flats(self) -> Flats | None:
        """The raw flats, or None when the rerun has none."""

    def amplifiers(self) -> pa.Table | None:
        """Return what is known of the amplifiers from elsewhere (an EO test), one row per amplifier, or None.

        Returns
        -------
        amplifiers : `pyarrow.Table` or `None`
            ``detector`` (int32), ``detectorName`` (string), ``amplifier`` (string, such as ``C10``), ``ptcGain`` and
            ``gain`` (e-/adu; of a photon transfer curve, and of another method such as Fe55), ``readNoise`` (e-),
            ``saturation`` (adu), ``fullWell`` (e-), ``a00`` (1/e-), ``turnoff`` (adu).  What is not known is null;
            what a file writes in place of a number (0, -1, 1.0) is passed on as it stands.
        """

    @property
    def curves(self) -> pa.Table | None:
        """Photon transfer curves that somebody else measured, or None.

        Columns are those of `harness.metrics.ptc.curve.curve_schema`, a row per detector, amplifier and pair of flats.
        What is not known is null.
        """

    @property
    def alerts(self) -> Alerts | None:
        """The alert packets, or None when the rerun has none."""

    @property
    def exposures(self) -> Exposures | None:
        """The exposures, or None when the rerun has none."""

    @property
    def sided_sources(self) -> Mapping[str, Table]:
        """The DIA sources that were found with each of two templates, by side (``good``, ``deep``).

        Where there are both, ``tables`` has no ``diaSource``: nothing says which of the two it would be.
        """

    @property
    def psf_sizes(self) -> pa.Table | None:
        """PSF sizes that were recorded beside the exposures, or None.

        Columns are those of `harness.rerun.exposures.recorded.sizes_schema`.
        """

    def provenance(self) -> Provenance:
        """Return what the rerun was made from and by."""
