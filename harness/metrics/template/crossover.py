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
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

__all__ = ["Crossover", "TemplatePair", "expected_crossover", "survey_crossover"]

#: Where a crossover is looked for: from this part of the good template's FWHM to this multiple of the deep one's.
_SEARCHED = (0.25, 4.0)
_STEPS = 256


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

    def excess(self, size_ratio: ArrayLike) -> NDArray[np.float64]:
        """Return ln(noise_good/noise_deep) that theory expects for visits of some FWHM over that of the deep one."""
        fwhm = np.asarray(size_ratio, float) * self.deep[0]
        ours, theirs = (expected_noise(fwhm, self.visit_variance, *each) for each in (self.good, self.deep))
        return np.asarray(np.log(ours / theirs))


def expected_crossover(pairs: Sequence[TemplatePair], excess: float = 0.0) -> Number:
    """Return the visit FWHM, over that of the deep template, at which good templates have some excess of noise.

    Parameters
    ----------
    pairs
        Pairs of templates, one at least.
    excess
        Mean over the pairs of ln(noise_good/noise_deep); with 0, both templates are equally good.

    Returns
    -------
    crossover
        Sharper visits have less of an excess, broader ones more.  NaN where one template is the better one for all
        visits; the reason says which.
    """
    ratios, values = _mean_curve(pairs)
    found = _upwards(ratios, values, excess)
    if math.isfinite(found):
        return Number(found)
    if all(pair.good[0] >= pair.deep[0] for pair in pairs):
        return Number(math.nan, "the good template is not the sharper one")
    better = "good" if values[-1] < excess else "deep"
    searched = f"{ratios[0]:.2g} to {ratios[-1]:.2g} times the deep template's FWHM"
    return Number(math.nan, f"the {better} template is the deeper one for visits of {searched}")


def _mean_curve(pairs: Sequence[TemplatePair]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return visit FWHM over deep template FWHM, and the mean excess there."""
    sharpest = min(pair.good[0] / pair.deep[0] for pair in pairs)
    ratios = np.geomspace(_SEARCHED[0] * sharpest, _SEARCHED[1], _STEPS)
    return ratios, np.mean([pair.excess(ratios) for pair in pairs], axis=0)


def _upwards(ratios: NDArray[np.float64], values: NDArray[np.float64], excess: float) -> float:
    """Return where a curve rises through an excess; NaN where it does not.

    It does so but once, though it may fall before (visits far sharper than both templates) and after.
    """
    at = np.flatnonzero((values[:-1] < excess) & (values[1:] >= excess))
    if not len(at):
        return math.nan
    ends = slice(at[0], at[0] + 2)
    return float(np.exp(np.interp(excess, values[ends], np.log(ratios[ends]))))


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
    pairs: Sequence[TemplatePair],
    confidence: float = CONFIDENCE,
) -> Crossover:
    """Return the visit FWHM at which measured noise is the same with good and deep templates.

    The excess of noise with the good template is no straight line in the visit's FWHM, nor in its logarithm: a fit of
    one puts the crossover up to 30 % off where visits reach far from it.  It is one in the excess that theory expects.
    Where that line is zero (`zero_of_line`, with templates as clusters) tells which expected excess is none in truth,
    and `expected_crossover` at which visit FWHM that is.

    Parameters
    ----------
    expected, measured : (n,) float64
        ln(noise_good/noise_deep) of each visit.
    templates : (n,)
        Which template each visit was compared with: visits of one share its noise.
    pairs
        The templates, each once.
    confidence
        Coverage of the limits.
    """
    line = zero_of_line(expected, measured, templates, confidence)
    if line.lack:
        return Crossover(line=line, reason=_told(line))
    curve = _mean_curve(pairs)
    value, low, high = (_upwards(*curve, excess) for excess in (line.at, line.low, line.high))
    if math.isnan(value):
        return Crossover(line=line, reason=expected_crossover(pairs, line.at).reason)
    return Crossover(value, 0.0 if math.isnan(low) else low, math.inf if math.isnan(high) else high, line)


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
