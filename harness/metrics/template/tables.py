"""Tables of what good and deep templates cost in noise: per visit, and per template."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.template import known
from harness.metrics.template.crossover import Crossover, TemplatePair, expected_crossover, survey_crossover
from harness.metrics.template.known import Number, formed
from harness.metrics.template.noise import expected_noise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from harness.metrics.template.visit_images import VisitImage
    from harness.rerun.exposures.protocol import PsfSizeKind

__all__ = ["crossover_table", "measured_crossover", "noise_table"]

_BOTH = ("good", "deep")


def noise_table(images: Sequence[VisitImage], psf_kind: PsfSizeKind) -> pa.Table:
    """Return, per visit-detector, the noise of a point source in the difference with either template.

    Parameters
    ----------
    images
        Joined subtractions (`harness.metrics.template.visit_images.joined`) with a good and a deep side.
    psf_kind
        Which size of a PSF is meant.

    Returns
    -------
    table
        Data ID and ``coadd``; ``visit_fwhm`` (pixels) and ``visit_variance``; and for either side ``fwhm_good``,
        ``variance_good``, ``n_good`` (input visits), ``expected_good`` (`expected_noise` of Gaussian PSFs of these
        sizes) and ``measured_good`` (sqrt(NEA × median variance) of the difference).  Variances and noise are in the
        science image's unit; NaN and null where unknown.  ``same_inputs`` tells that the two templates are one.
    """
    import pyarrow as pa

    rows = [_noise_row(image, psf_kind) for image in images]
    sides = [
        (f"{name}_{side}", pa.int64() if name == "n" else pa.float64())
        for side in _BOTH
        for name in ("fwhm", "variance", "n", "expected", "measured")
    ]
    schema = pa.schema(
        [
            ("instrument", pa.string()),
            ("visit", pa.int64()),
            ("detector", pa.int32()),
            ("band", pa.string()),
            ("coadd", pa.string()),
            ("same_inputs", pa.bool_()),
            ("visit_fwhm", pa.float64()),
            ("visit_variance", pa.float64()),
            *sides,
        ]
    )
    return pa.Table.from_pylist(rows, schema)


def _noise_row(image: VisitImage, kind: PsfSizeKind) -> dict[str, Any]:
    size, square = known.fwhm(image.science, "science", kind), known.variance(image.science, "science")
    row: dict[str, Any] = {
        "instrument": image.instrument,
        "visit": image.visit,
        "detector": image.detector,
        "band": image.band,
        "coadd": image.coadd,
        "same_inputs": image.has_same_inputs,
        "visit_fwhm": size.value,
        "visit_variance": square.value,
    }
    for side in _BOTH:
        of = image.by_side[side]
        template = known.fwhm(of, "template", kind), known.variance_as_science(of, "template")
        row |= {
            f"fwhm_{side}": template[0].value,
            f"variance_{side}": template[1].value,
            f"n_{side}": None if of.input_visits is None else len(of.input_visits),
            f"expected_{side}": formed(expected_noise, size, square, *template).value,
            f"measured_{side}": known.noise(of, "difference").value,
        }
    return row


def measured_crossover(noise: pa.Table) -> Crossover:
    """Return the crossover of a survey by the noise that was measured.

    Parameters
    ----------
    noise
        What `noise_table` returns.  Images of which something is unknown, or whose templates are made of the same
        visits, are left out.
    """
    rows = [row for row in noise.to_pylist() if not row["same_inputs"] and math.isfinite(math.fsum(_numbers(row)))]
    if not rows:
        return Crossover(reason="no image has its PSF sizes and its noise with two different templates")
    expected, measured = (
        np.log([row[f"{kind}_good"] / row[f"{kind}_deep"] for row in rows]) for kind in ("expected", "measured")
    )
    templates = np.array([row["coadd"] for row in rows], object)
    pairs = [_pair(members) for members in _by_template(rows).values()]
    return survey_crossover(expected, measured, templates, pairs)


def _numbers(row: Mapping[str, Any]) -> list[float]:
    sides = (f"{name}_{side}" for name in ("fwhm", "variance", "expected", "measured") for side in _BOTH)
    return [row[name] for name in ("visit_fwhm", "visit_variance", *sides)]


def _by_template(rows: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["coadd"], row["band"]), []).append(row)
    return groups


def _pair(rows: Sequence[Mapping[str, Any]]) -> TemplatePair:
    """Return the two templates of some visits, by the medians of what is known."""
    good, deep = ((_median(rows, f"fwhm_{side}"), _median(rows, f"variance_{side}")) for side in _BOTH)
    return TemplatePair(_median(rows, "visit_variance"), good, deep)


def crossover_table(noise: pa.Table) -> pa.Table:
    """Return, per template, where the deep one is expected to become the better one.

    Parameters
    ----------
    noise
        What `noise_table` returns.

    Returns
    -------
    table
        ``coadd`` and ``band``; ``n_visits`` that were compared with it; medians over these of ``n_good``, ``n_deep``,
        ``fwhm_good``, ``fwhm_deep`` (pixels); ``crossover`` (visit FWHM, pixels) by `expected_crossover` of
        medians, or the ``reason`` why there is none; ``frac_below``, the share of its visits that are
        sharper; and ``frac_good_deeper``, the share whose measured noise is lower with the good template.
    """
    import pyarrow as pa

    schema = pa.schema(
        [
            ("coadd", pa.string()),
            ("band", pa.string()),
            ("n_visits", pa.int64()),
            *((name, pa.float64()) for name in ("n_good", "n_deep", "fwhm_good", "fwhm_deep", "crossover")),
            ("reason", pa.string()),
            ("frac_below", pa.float64()),
            ("frac_good_deeper", pa.float64()),
        ]
    )
    groups = sorted(_by_template(noise.to_pylist()).items())
    rows = [{"coadd": coadd, "band": band, **_template_row(members)} for (coadd, band), members in groups]
    return pa.Table.from_pylist(rows, schema)


def _template_row(members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    pair = _pair(members)
    if all(map(math.isfinite, (pair.visit_variance, *pair.good, *pair.deep))):
        crossover = formed(lambda ratio: ratio * pair.deep[0], expected_crossover([pair]))
    else:
        crossover = Number(math.nan, "sizes or variances are not known")
    ratios = [row["measured_good"] / row["measured_deep"] for row in members]
    return {
        "n_visits": len(members),
        "n_good": _median(members, "n_good"),
        "n_deep": _median(members, "n_deep"),
        "fwhm_good": pair.good[0],
        "fwhm_deep": pair.deep[0],
        "crossover": crossover.value,
        "reason": crossover.reason,
        "frac_below": _share([row["visit_fwhm"] for row in members], crossover.value),
        "frac_good_deeper": _share(ratios, 1.0),
    }


def _median(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    known = [row[name] for row in rows if row[name] is not None and math.isfinite(row[name])]
    return float(np.median(known)) if known else math.nan


def _share(values: Sequence[float], limit: float) -> float:
    """Return which share of the known values is below a limit; NaN without either."""
    known = [value for value in values if math.isfinite(value)]
    return sum(value < limit for value in known) / len(known) if known and math.isfinite(limit) else math.nan
