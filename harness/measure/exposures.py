"""One exposure in numbers: what is read of it, and by which way its PSF size is known."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from harness.errors import HarnessError, NotMeasuredError, without_folders
from harness.metrics.mask_planes import EXCLUDED_PLANES, NO_DATA_PLANES, count_masked, mask_bits
from harness.metrics.planes import plane_statistics
from harness.metrics.psf_size import fwhm_of_area, fwhm_of_moments, psf_fwhm
from harness.metrics.template.subtraction import ExposureSummary
from harness.rerun.exposures.protocol import SIGMA_TO_FWHM

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from harness.rerun.exposures.protocol import Exposure, KernelImage, PsfSizeKind

__all__ = ["Read", "RecordedSizes", "area_of_fwhm", "read_exposure"]


@final
class RecordedSizes:
    """The PSF sizes that were recorded beside the exposures of a rerun.

    Parameters
    ----------
    table
        With the columns of `harness.rerun.exposures.recorded.sizes_schema`, or None.
    visits
        Visits that are asked for; None for all.

    Attributes
    ----------
    data_ids
        Band of each visit and detector that has one on record.
    sides
        Sides that sizes are of; the empty one alone where they name none.
    """

    def __init__(self, table: pa.Table | None, visits: Collection[int] | None = None) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if table is not None and visits is not None:
            table = table.filter(pc.is_in(table["visit"], pa.array(visits, pa.int64())))
        rows = [] if table is None else table.to_pylist()
        self._sizes = {_place(row): (row["fwhm"], row["source"]) for row in rows}
        self.data_ids: Mapping[tuple[int, int], str] = {(row["visit"], row["detector"]): row["band"] for row in rows}
        self.sides: Sequence[str] = sorted({row["side"] for row in rows if row["side"]}) or [""]

    def of(self, kind: str, side: str, visit: int, detector: int, size: str) -> tuple[float, str] | None:
        """Return FWHM (pixels) and source of a kind of size; what is recorded of no side is of all of them."""
        for each in (side, ""):
            found = self._sizes.get((kind, each, visit, detector, size))
            if found is not None and found[0] > 0:
                return found
        return None

    def offer(self, kind: str) -> str:
        """Say which sizes of the PSFs of a kind of exposure are on record, for the end of a sentence."""
        sizes = sorted({place[4] for place in self._sizes if place[0] == kind})
        return f", but its {sizes[0]} size is: --psf-size {sizes[0]}" if sizes else ""


@final
@dataclass(frozen=True, slots=True)
class Read:
    """What was read of one exposure.

    Attributes
    ----------
    summary
        The numbers.
    problems
        Why some of them are not known, by name (``variance``, ``fwhm`` …).
    inputs
        Visits that went into a coadd; None when it is none, or has no record of them.
    coverage
        Fraction of pixels with data.
    digest
        Of the image's pixels, where that was asked for.
    """

    summary: ExposureSummary
    problems: Mapping[str, str]
    inputs: tuple[int, ...] | None = None
    coverage: float = math.nan
    digest: str = ""


def read_exposure(
    path: Path,
    kind: PsfSizeKind,
    recorded: Callable[[PsfSizeKind], tuple[float, str] | None],
    *,
    with_inputs: bool = False,
    with_digest: bool = False,
) -> Read:
    """Read one exposure: its variance and mask planes and its PSF size, and no more than that.

    Parameters
    ----------
    path
        The file.
    kind
        Which size of a PSF is meant.
    recorded
        Returns FWHM and source of a size that was recorded beside the exposure, or None.
    with_inputs
        Whether it is a coadd whose inputs and coverage are wanted.
    with_digest
        Whether a digest of its image is wanted.

    Raises
    ------
    harness.errors.HarnessError
        When the file cannot be opened.  What is wrong with a part of it is in ``problems``.
    """
    from harness.rerun.exposures.opening import open_exposure

    problems: dict[str, str] = {}
    known: dict[str, Any] = {}
    inputs: tuple[int, ...] | None = None
    coverage, digest = math.nan, ""
    with open_exposure(path) as exposure:

        def attempt(name: str, read: Callable[[], Any], missing: Any) -> Any:
            try:
                return read()
            except HarnessError as fault:
                problems[name] = without_folders(fault)
                return missing

        known |= attempt("variance", lambda: _variance(exposure), {})
        drawn = _Drawn(exposure)
        known |= attempt("fwhm", lambda: _fwhm(exposure, drawn, kind, recorded), {})
        nea = attempt("nea", lambda: _size(exposure, drawn, "nea", recorded)[0], math.nan)
        known["nea"] = area_of_fwhm(nea)
        known["zero_point"] = attempt("zero_point", lambda: exposure.zero_point, math.nan)
        if with_inputs:
            inputs = attempt("input_visits", lambda: _inputs(exposure), None)
            coverage = attempt("coverage", lambda: _coverage(exposure), math.nan)
        if with_digest:
            digest = attempt("digest", lambda: _digest(exposure), "")
    return Read(ExposureSummary(**known), problems, inputs, coverage, digest)


def area_of_fwhm(fwhm: float) -> float:
    """Return the noise-equivalent area in pixel² of the Gaussian of a FWHM in pixels."""
    return 4 * math.pi * (fwhm / SIGMA_TO_FWHM) ** 2


@final
class _Drawn:
    """The PSF at the centre of an exposure, drawn once when it is needed."""

    def __init__(self, exposure: Exposure) -> None:
        self._exposure = exposure
        self._kernel: KernelImage | None = None

    @property
    def kernel(self) -> KernelImage:
        """The PSF's image.

        Raises
        ------
        harness.errors.HarnessError
            When there is no PSF, or it has no value there.
        """
        if self._kernel is None:
            psf = self._exposure.psf
            if psf is None:
                raise NotMeasuredError(f"{self._exposure.path} has no PSF, and no size of it is on record")
            (rows, columns), (x0, y0) = self._exposure.shape, self._exposure.xy0
            self._kernel = psf.at(x0 + (columns - 1) / 2, y0 + (rows - 1) / 2)
        return self._kernel


def _variance(exposure: Exposure) -> dict[str, Any]:
    bits = mask_bits(exposure.mask_planes, EXCLUDED_PLANES)
    found = plane_statistics(exposure.variance, (exposure.mask, bits))
    if not found.n:
        raise NotMeasuredError(f"{exposure.path} has no pixel that is neither masked nor NaN in its variance plane")
    return {
        "variance": found.median,
        "n_pixels": found.n_pixels,
        "n_masked": found.n_masked,
        "n_nan": found.n_nan,
        "n_inf": found.n_inf,
        "n_nonpositive": found.n_nonpositive,
    }


def _fwhm(
    exposure: Exposure,
    drawn: _Drawn,
    kind: PsfSizeKind,
    recorded: Callable[[PsfSizeKind], tuple[float, str] | None],
) -> dict[str, Any]:
    fwhm, source = _size(exposure, drawn, kind, recorded)
    return {"fwhm": fwhm, "psf_kind": kind, "source": source}


def _size(
    exposure: Exposure,
    drawn: _Drawn,
    kind: PsfSizeKind,
    recorded: Callable[[PsfSizeKind], tuple[float, str] | None],
) -> tuple[float, str]:
    """Return a FWHM in pixels and where it is from: what the pipeline recorded is preferred to what we evaluate."""
    if (own := _of_summary(exposure.summary, kind)) > 0:
        return own, "summary statistics"
    if (beside := recorded(kind)) is not None:
        return beside
    fwhm = psf_fwhm(drawn.kernel, kind)
    if not fwhm > 0:
        raise NotMeasuredError(f"the PSF of {exposure.path} has no adaptive moments at its centre")
    return fwhm, "evaluated"


def _of_summary(summary: Mapping[str, float], kind: PsfSizeKind) -> float:
    """Return the FWHM that summary statistics record; 0 where they do not."""
    if kind == "determinant":
        return SIGMA_TO_FWHM * summary.get("psfSigma", 0.0)
    if kind == "nea":
        return fwhm_of_area(summary.get("psfArea", 0.0))
    ixx, iyy = summary.get("psfIxx", 0.0), summary.get("psfIyy", 0.0)
    return fwhm_of_moments(ixx, iyy, summary.get("psfIxy", 0.0), kind) if ixx > 0 and iyy > 0 else 0.0


def _inputs(exposure: Exposure) -> tuple[int, ...]:
    if exposure.coadd_inputs is None:
        raise NotMeasuredError(f"{exposure.path} does not say which visits it was made of")
    return tuple(sorted({each.visit for each in exposure.coadd_inputs}))


def _coverage(exposure: Exposure) -> float:
    bits = mask_bits(exposure.mask_planes, NO_DATA_PLANES)
    return 1 - count_masked(exposure.mask, bits) / exposure.mask.size


def _digest(exposure: Exposure) -> str:
    image = np.ascontiguousarray(exposure.image, dtype="<f4")
    return hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest()


def _place(row: Mapping[str, Any]) -> tuple[str, str, int, int, str]:
    return row["kind"], row["side"], row["visit"], row["detector"], row["size"]
