"""Subtractions of a made-up survey: templates of known sizes and depths, noise as theory expects it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics.template.noise import expected_noise
from harness.metrics.template.subtraction import ExposureSummary, Subtraction
from harness.rerun.exposures.protocol import SIGMA_TO_FWHM

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["exposure", "survey", "visit_with_both"]

N_PIXELS = 10_000


def exposure(fwhm: float, variance: float, **changes: Any) -> ExposureSummary:
    """Return a sound exposure with a Gaussian PSF."""
    numbers: dict[str, Any] = {
        "variance": variance,
        "fwhm": fwhm,
        "psf_kind": "determinant",
        "source": "evaluated",
        "nea": 4 * math.pi * (fwhm / SIGMA_TO_FWHM) ** 2,
        "n_pixels": N_PIXELS,
        "zero_point": 31.4,
    }
    return ExposureSummary(**numbers | changes)


def visit_with_both(
    visit: int,
    fwhm: float = 5.0,
    good: float = 4.0,
    deep: float = 6.0,
    *,
    coadd: str = "455/33 r",
    n_good: int = 10,
    n_deep: int = 40,
    variance: float = 4.0,
    detector: int = 0,
    scatter: Iterable[float] = (1.0, 1.0),
) -> list[Subtraction]:
    """Return a visit's subtractions with the good and the deep template; their noise is scattered by factors."""
    made = []
    for (side, size, n_inputs), factor in zip((("good", good, n_good), ("deep", deep, n_deep)), scatter, strict=True):
        template = exposure(size, variance / n_inputs)
        noise = factor * float(expected_noise(fwhm, variance, size, template.variance))
        area = 4 * math.pi * (fwhm / SIGMA_TO_FWHM) ** 2
        made.append(
            Subtraction(
                *("LATISS", visit, detector, coadd[-1], side, coadd),
                science=exposure(fwhm, variance),
                template=template,
                difference=exposure(fwhm, noise**2 / area),
                input_visits=tuple(range(n_inputs)),
                coverage=0.5,
                science_digest=f"digest of {visit}",
            )
        )
    return made


def survey(rng: np.random.Generator, n_templates: int = 14, n_visits: int = 8) -> list[Subtraction]:
    """Return a survey with templates of different sizes and depths, and noise that scatters by template and visit."""
    made = []
    for template in range(n_templates):
        good, deep = rng.uniform(3.8, 4.2), rng.uniform(5.8, 6.2)
        n_good, n_deep = int(rng.integers(6, 14)), int(rng.integers(40, 80))
        of_template = rng.normal(0, 0.01)
        for number in range(n_visits):
            made += visit_with_both(
                *(1000 * template + number, float(rng.uniform(3.0, 9.0)), good, deep),
                coadd=f"{template} r",
                n_good=n_good,
                n_deep=n_deep,
                scatter=np.exp([of_template + rng.normal(0, 0.01), rng.normal(0, 0.01)]),
            )
    return made
