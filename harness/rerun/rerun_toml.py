"""``rerun.toml``: which files of a folder are which table of a rerun."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError
from harness.rerun.exposures.protocol import ExposureKind  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = [
    "RERUN_TOML",
    "FileAlerts",
    "FileConfigs",
    "FileFlats",
    "FileGlobs",
    "FileRegions",
    "FileTable",
    "RerunToml",
    "read_rerun_toml",
]

RERUN_TOML = "rerun.toml"

_EXAMPLES = {
    "tables": '[tables.diaSource] files = ["dia_source_*.parquet"]',
    "flats": '[flats] files = ["flat_*.fits"]',
    "curves": '[curves] files = ["*_ptc.fits"]',
    "amplifiers": '[amplifiers] files = ["*_eotest_results.fits"]',
    "alerts": '[alerts] files = ["*.avro"]',
    "exposures": '[[exposures]] kind = "science", files = ["calexp_{visit}_{detector}_{band}.fits"]',
    "psf_sizes": '[psf_sizes] files = ["psf_sizes.csv"]',
}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class FileGlobs(_Strict):
    """Where files lie.

    Attributes
    ----------
    files
        Globs relative to the folder; what they match is read glob by glob, in the order of names.
    """

    files: Annotated[list[str], Field(min_length=1)]


class FileTable(FileGlobs):
    """Where one table lies.

    Attributes
    ----------
    unique
        Canonical column of which each value counts once, the last in reading order; empty when no rows repeat.
    """

    unique: str = ""


class FileFlats(FileGlobs):
    """Where raw flats lie, and which keywords of their primary headers say what.

    Attributes
    ----------
    bias
        Globs of the bias, one file for each detector.
    pair_key
        Keyword of what the two flats of a pair have in common; empty when no header records it.
    sequence_key
        Keyword of the number in the order of taking.
    photodiode_key
        Keyword of the charge of the monitoring photodiode, C.
    """

    bias: list[str] = []
    pair_key: str = ""
    sequence_key: str = "SEQNUM"
    photodiode_key: str = "MONDIODE"


class FileAlerts(FileGlobs):
    """Where alert packets lie.

    Attributes
    ----------
    schema_file
        Key ``schema``: Avro schema (``lsst.v9_0.alert.avsc``) of packets as they were sent, which do not hold their
        own; empty for files that do.
    """

    schema_file: str = Field("", alias="schema")


class FileExposures(FileGlobs):
    """Where exposures of one kind lie; file names tell the data ID, as in ``calexp_{visit}_{detector}_{band}.fits``.

    Attributes
    ----------
    kind
        What they are in the processing (`harness.rerun.exposures.protocol.ExposureKind`).
    side
        Which template they belong to, where there are two.
    """

    kind: ExposureKind
    side: Literal["", "good", "deep"] = ""


class FileConfigs(_Strict):
    """What is known of the settings of the tasks.

    Attributes
    ----------
    files
        Globs of configurations as `lsst.pex.config` writes them; a name such as ``subtractImages_config.py`` begins
        with the task's label.
    settings
        Settings written out, as in ``"subtractImages: mode" = "'convolveTemplate'"``; they win over those of files.
    """

    files: list[str] = []
    settings: dict[str, str] = {}


class FileRegions(_Strict):
    """What is known of the geometry.

    Attributes
    ----------
    width, height
        Size of every detector in pixels, where the file does not give it.
    file
        A table with the columns of `harness.rerun.protocol.Rerun.regions`, or a visit table of `lsst/pipe_tasks`.
    """

    width: float | None = None
    height: float | None = None
    file: str = ""


class RerunToml(_Strict):
    """The content of a ``rerun.toml``.

    Attributes
    ----------
    name
        Name of the rerun; that of the folder when left out.
    instrument
        Short name of the instrument; tells how ``ccdVisitId`` was packed.
    dataset
        Dataset, and so the baseline file, that the rerun belongs to.
    tables
        Canonical table name to its files; ``diaSource.good`` and ``diaSource.deep`` are those of either template.
    versions
        Versions of the software that made it.
    configs
        Settings of its tasks.
    regions
        What is known of the geometry.
    flats
        Raw flats.
    curves
        Photon transfer curves that somebody else measured.
    amplifiers
        What is on record of the amplifiers: results of an EO test, gains.
    alerts
        Alert packets.
    exposures
        Visit images, templates, differences, coadds and backgrounds.
    psf_sizes
        Tables of PSF sizes (`harness.rerun.exposures.recorded.sizes_of_file`).
    detectors
        Numbers of detectors by full name (or serial number), where neither file nor instrument tells them.
    """

    name: str = ""
    instrument: str = ""
    dataset: str = ""
    tables: dict[
        Literal["diaSource", "diaObject", "source", "diaSource.good", "diaSource.deep", "injection", "known", "star"],
        FileTable,
    ] = {}
    versions: dict[str, str] = {}
    configs: FileConfigs = FileConfigs()
    regions: FileRegions = FileRegions()
    flats: FileFlats | None = None
    curves: FileGlobs | None = None
    amplifiers: FileGlobs | None = None
    alerts: FileAlerts | None = None
    exposures: list[FileExposures] = []
    psf_sizes: FileGlobs | None = None
    detectors: dict[str, int] = {}


def read_rerun_toml(folder: Path) -> RerunToml:
    """Read and check the ``rerun.toml`` of a folder.

    Raises
    ------
    harness.errors.UsageError
        When it is not TOML, a key is unknown, missing or of the wrong type, or it names nothing to read.
    """
    path = folder / RERUN_TOML
    try:
        toml = RerunToml.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as fault:
        raise UsageError(f"{path}: {_sentence(fault.errors()[0])}") from None
    except (OSError, ValueError) as fault:
        raise UsageError(f"{path} cannot be read as TOML ({fault}); correct it") from None
    if not any(getattr(toml, key) for key in _EXAMPLES):
        others = ", ".join(f"[{key}]" for key in _EXAMPLES if key != "tables")
        raise UsageError(
            f"{path} names nothing to read; write for example {_EXAMPLES['tables']} (or one of {others} instead)"
        )
    return toml if toml.name else toml.model_copy(update={"name": folder.name})


def _sentence(error: ErrorDetails) -> str:
    """Say what is wrong with one key."""
    place = [str(key) for key in error["loc"] if key != "[key]"]
    key = ".".join(place)
    if error["type"] == "extra_forbidden":
        keys = ", ".join(field.alias or name for name, field in _model_at(place).model_fields.items())
        return f"unknown key {key!r}; the keys there are {keys}"
    if error["type"] == "literal_error" and place[0] != "tables":
        return f"{key!r} must be one of {error['ctx']['expected']} (got {error['input']!r})"
    if error["type"] == "literal_error":
        return f"unknown table {place[-1]!r}; the tables are {error['ctx']['expected']}"
    if error["type"] == "missing":
        return f"{key!r} is missing; write for example {_EXAMPLES[place[0]]}"
    return f"{key!r} is wrong: {error['msg']} (got {error['input']!r})"


def _model_at(place: list[str]) -> type[BaseModel]:
    """Return the model of the table that holds a key."""
    if len(place) == 1:
        return RerunToml
    models: dict[str, type[BaseModel]] = {
        "tables": FileTable,
        "configs": FileConfigs,
        "regions": FileRegions,
        "flats": FileFlats,
        "alerts": FileAlerts,
        "exposures": FileExposures,
    }
    return models.get(place[0], FileGlobs)
