"""Where the deep template begins to be the better one.

A good-seeing template is sharper and noisier than a deep one.  A sharp visit has signal at spatial frequencies that a
broad template has lost, a broad visit has none there to lose: below some visit FWHM differences with the good template
are deeper, above it those with the deep one.  Theory (`harness.metrics.template.noise`) names that FWHM for each pair
of templates; what was measured moves it, for a survey.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np

from harness.metrics.template.fieller import Zero, zero_of_line
from harness.metrics.template.known import Number
from harness.metrics.template.limits import CONFIDENCE
from harness.metrics.template.noise import expected_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Crossover", "TemplatePair", "survey_crossover"]

#: Where a crossover is looked for: from this part of the good template's FWHM to this multiple of the deep one's.
_SEARCHED = (0.25, 4.0)
_STEPS = 512


@final
@dataclass(frozen=True, slots=True)
class TemplatePair:
    """A good and a deep template, and visits of some variance.

    Attributes
    ----------
    visit_variance
        Variance per pixel of the visits.
    good, deep
        FWHM (pixels) and variance per pixel of each template, in the unit of the visits'.
    """

    visit_variance: float
    good: tuple[float, float]
    deep: tuple[float, float]

    def excess(self, visit_fwhm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln(noise_good/noise_deep) that theory expects for visits of some FWHM, pixels."""
        ours, theirs = (expected_noise(visit_fwhm, self.visit_variance, *each) for each in (self.good, self.deep))
        return np.asarray(np.log(ours / theirs))

    def crossover(self, excess: float = 0.0) -> Number:
        """Return the visit FWHM, pixels, at which the good template has an excess of noise.

        Parameters
        ----------
        excess
            ln(noise_good/noise_deep); with 0, differences with both templates are equally deep.

        Returns
        -------
        crossover
            NaN where one template is the better one for all visits; the reason says which.
        """
        if self.good[0] >= self.deep[0]:
            return Number(math.nan, "the good template is not the sharper one")
        fwhm = np.geomspace(_SEARCHED[0] * self.good[0], _SEARCHED[1] * self.deep[0], _STEPS)
        curve = self.excess(fwhm) - excess
        rising = slice(int(np.argmax(curve)) + 1)  # from its largest value on it falls a little, to a constant
        if not curve[0] < 0 < curve[rising][-1]:
            better = "deep" if curve[0] >= 0 else "good"
            searched = f"from {fwhm[0]:.3g} to {fwhm[-1]:.3g} pixels"
            return Number(math.nan, f"the {better} template is the deeper one for visit FWHM {searched}")
        return Number(float(np.exp(np.interp(0.0, curve[rising], np.log(fwhm[rising])))))


@final
@dataclass(frozen=True, slots=True)
class Crossover:
    """Where noise with the good template becomes that with the deep one, for a survey.

    Attributes
    ----------
    value, low, high
        Visit FWHM over deep template FWHM, and its confidence limits; NaN when there is none, and infinite where a
        limit is.
    line
        The straight line of measured against expected ln(noise_good/noise_deep): where theory holds its intercept is
        0 and its slope 1.
    reason
        Why there is no value.
    """

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    line: Zero = field(default_factory=Zero)
    reason: str = ""


def survey_crossover(
    expected: NDArray[np.float64],
    measured: NDArray[np.float64],
    templates: NDArray[np.object_],
    typical: TemplatePair,
    confidence: float = CONFIDENCE,
) -> Crossover:
    """Return the visit FWHM at which measured noise is the same with good and deep templates.

    The excess of noise with the good template is no straight line in the visit's FWHM, nor in its logarithm: a fit of
    one puts the crossover up to 30 % off where visits reach far from it.  It is one in the excess that theory expects.
    Where that line is zero (`zero_of_line`, with templates as clusters) tells which expected excess is none in truth,
    and the curve of a typical pair of templates at which visit FWHM that is.

    Parameters
    ----------
    expected, measured : (n,) float64
        ln(noise_good/noise_deep) of each visit.
    templates : (n,)
        Which template each visit was compared with: visits of one share its noise.
    typical
        Medians over the survey.
    confidence
        Coverage of the limits.
    """
    line = zero_of_line(expected, measured, templates, confidence)
    if line.lack:
        return Crossover(line=line, reason=_told(line))
    found = typical.crossover(line.at)
    if found.reason:
        return Crossover(line=line, reason=found.reason)
    low, high = (typical.crossover(limit).value / typical.deep[0] for limit in (line.low, line.high))
    return Crossover(
        found.value / typical.deep[0], 0.0 if math.isnan(low) else low, math.inf if math.isnan(high) else high, line
    )


def _told(line: Zero) -> str:
    """Say why a survey has no crossover."""
    match line.lack:
        case "few":
            return f"{line.n_clusters} templates are too few to tell by"
        case "alike":
            return "all visits but those of one template are alike"
        case "flat":
            return "the excess of noise with the good template does not rise significantly as theory expects"
        case "after":
            return "the good template is the deeper one for all visits measured"
        case _:
            return "the deep template is the deeper one for all visits measured"
