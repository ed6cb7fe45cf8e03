"""Real reruns: what is known of them, in this one place, and their description for the harness.

HiTS 2015 are exports of the APDB by the alert pipeline on DECam images (``lsst/ap_verify_ci_hits2015``): two processing
runs, half a year of software apart, and two conversions of the second one's rows to later schemas.  Files named for a
visit hold what was known before it, so that they repeat each other's rows.

Photon transfer is of LSSTCam: a curve of run 13144 (``craiglagegit/Notebook_Keeper`` 26e78c8), and the amplifiers in
the history of ``lsst/obs_lsst``.

LSSTComCam is the table that the tests of ``lsst/analysis_tools`` (cc0519d) use and make their assertions about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from pathlib import Path


@final
@dataclass(frozen=True)
class Vintage:
    """One set of HiTS 2015 tables.

    Attributes
    ----------
    name
        What its rerun is called here.
    commit
        Commit of ``lsst/ap_verify_ci_hits2015`` that added it.
    files
        Globs of its DIA source and DIA object files.
    sources, objects
        Different identifiers in all files together.
    good
        Sources without the flags bad, suspect and saturatedCenter (list S3).
    equal_moments
        Sources with ``iyyPSF == ixyPSF``: until 2024-12 the pipeline wrote the xy moment into both columns.
    non_positive_determinants
        Sources with ``ixxPSF iyyPSF <= ixyPSF²``, which no PSF has.
    """

    name: str
    commit: str
    files: tuple[str, str]
    sources: int
    objects: int
    good: int
    equal_moments: int
    non_positive_determinants: int


OLD = Vintage(
    name="d_2024-10-10",
    commit="49f3a3f",
    files=("preloaded_diaSources_*.parq", "preloaded_diaObjects_*.parq"),
    sources=653,
    objects=569,
    good=602,
    equal_moments=653,
    non_positive_determinants=351,
)
NEW = Vintage(
    name="d_2025-04-18",
    commit="58bd7b4",
    files=("preloaded_dia_source_*.parq", "preloaded_dia_object_*.parq"),
    sources=627,
    objects=551,
    good=607,
    equal_moments=0,
    non_positive_determinants=0,
)
SCHEMA_8 = replace(NEW, name="schema_8.0", commit="528bc63")
SCHEMA_9 = replace(NEW, name="schema_9.0", commit="7c36eb7")
CONVERSIONS = (SCHEMA_8, SCHEMA_9)
VINTAGES = (OLD, NEW, *CONVERSIONS)

#: Sources of `OLD` by visit and detector, and how many of them `NEW` has within 0.5 arcsec.
MATCHED = {
    (411371, 56): (156, 92),
    (411371, 60): (195, 148),
    (411420, 5): (153, 108),
    (411420, 10): (149, 110),
}


@final
@dataclass(frozen=True)
class ComCam:
    """The LSSTComCam table: sources in all, good ones by list A5 of ``lsst/analysis_tools``, and two flags."""

    name: str = "comcam"
    sources: int = 2994
    good: int = 2938
    streak: int = 8
    streak_center: int = 7


COMCAM = ComCam()

_COMCAM_FILES = "analysis_tools_dia/*/assocDiaSrc_test.ecsv"


def hits_files(data: Path, vintage: Vintage) -> tuple[list[Path], list[Path]]:
    """Return the DIA source and DIA object files of a vintage, the earliest visit first."""
    folder = data / "ap_verify_ci_hits2015" / vintage.commit
    sources, objects = (sorted(folder.glob(glob)) for glob in vintage.files)
    return sources, objects


def comcam_files(data: Path) -> list[Path]:
    """Return the file of the LSSTComCam table."""
    return sorted(data.glob(_COMCAM_FILES))


def describe_hits(data: Path, folder: Path, vintage: Vintage) -> None:
    """Make a rerun of a vintage's files: a folder with the ``rerun.toml`` that a user would write."""
    sources, objects = (f"{data.resolve()}/ap_verify_ci_hits2015/{vintage.commit}/{glob}" for glob in vintage.files)
    (folder / vintage.name).mkdir()
    (folder / vintage.name / "rerun.toml").write_text(
        f"""
        instrument = "DECam"
        dataset = "hits2015"
        [tables.diaSource]
        files = ["{sources}"]
        unique = "diaSourceId"
        [tables.diaObject]
        files = ["{objects}"]
        unique = "diaObjectId"
        """
    )


def describe_comcam(data: Path, folder: Path) -> None:
    """Make a rerun of the LSSTComCam table."""
    (folder / COMCAM.name).mkdir()
    (folder / COMCAM.name / "rerun.toml").write_text(
        f"""
        instrument = "LSSTComCam"
        [tables.diaSource]
        files = ["{data.resolve()}/{_COMCAM_FILES}"]
        """
    )


def describe_r22_curve(data: Path, folder: Path) -> None:
    """Describe the photon transfer curve of LSSTCam R22_S11 C06 (run 13144) as a rerun; the table is rewritten."""
    rows = (data / "ptc_lsstcam_run13144" / "PTC_R22_S11_C06.txt").read_text().splitlines()[2:]
    here = folder / "run_13144"
    here.mkdir()
    columns = "detectorName,amplifier,exposure1,exposure2,mean,variance,exposureTime,photoCharge"
    lines = [
        f"R22_S11,C06,{','.join(row.translate(str.maketrans('[],', '   ')).split())}" for row in rows if row.strip()
    ]
    (here / "curve.csv").write_text("\n".join([columns, *lines]) + "\n")
    toml = 'name = "run_13144"\ninstrument = "LSSTCam"\ndataset = "lsstcam_r22_s11"\n[curves]\nfiles = ["curve.csv"]\n'
    (here / "rerun.toml").write_text(toml)


def describe_amplifier_versions(data: Path, folder: Path, *dates: str) -> None:
    """Describe the amplifiers of LSSTCam, as they were on record on some dates, as one rerun each."""
    path = data / "ptc_lsstcam_run13144" / "lsstcam_amp_history.csv"
    header, *rows = path.read_text().splitlines()
    place = [header.split(",").index(name) for name in ("date", "raft", "slot", "amp")]
    for date in dates:
        camera = {}
        for row in sorted(rows, key=lambda row: row.split(",")[place[0]]):
            fields = row.split(",")
            if fields[place[0]] <= date:
                camera[tuple(fields[at] for at in place[1:])] = row
        here = folder / date
        here.mkdir()
        (here / "amplifiers.csv").write_text("\n".join([header, *camera.values()]) + "\n")
        toml = f'name = "{date}"\ninstrument = "LSSTCam"\n[amplifiers]\nfiles = ["amplifiers.csv"]\n'
        (here / "rerun.toml").write_text(toml)
