"""What a fit of a photon transfer curve says about its amplifier."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Literal, Self, final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.metrics.ptc.curve import Curve

__all__ = ["Fit"]


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The result of a fit, or why there is none; then every number is NaN.

    Attributes
    ----------
    model
        Name of the model, such as ``EXPAPPROXIMATION``.
    gain, gain_error
        Gain and its standard error, e-/adu.
    noise, noise_error
        Read noise, e-; NaN where the fitted noise² is not positive.
    a00, a00_error
        Brighter-fatter coefficient, negative as in ``lsst/cp_pipe``, 1/e-.
    reduced_chi2
        χ² per degree of freedom in errors known beforehand; NaN where `scale` is ``"estimated"``.
        The standard errors are multiplied by its square root where it exceeds 1.
    n_points
        Pairs that the fit rests on.
    turnoff, turnoff_error
        Largest mean signal before saturation, adu, and its sampling error.
    used : (n,) bool
        Which pairs of the curve these are.  Where a model does not hold up to the turnoff they are fewer than
        `below_turnoff`.
    converged
        Whether there is a result.
    reason
        Why there is none; empty where there is one.
    scale
        Where the errors of the variances come from: ``"known"`` from the numbers of pixels,
        ``"estimated"`` from the scatter about the fit.
    """

    model: str
    gain: float
    gain_error: float
    noise: float
    noise_error: float
    a00: float
    a00_error: float
    reduced_chi2: float
    n_points: int
    turnoff: float
    turnoff_error: float
    used: NDArray[np.bool_]
    converged: bool
    reason: str = ""
    scale: Literal["known", "estimated"] = "known"

    @classmethod
    def failed(cls, model: str, n_pairs: int, reason: str) -> Self:
        """Return the result of a fit of `n_pairs` pairs that cannot be done, or did not converge."""
        return cls(
            model=model,
            gain=nan,
            gain_error=nan,
            noise=nan,
            noise_error=nan,
            a00=nan,
            a00_error=nan,
            reduced_chi2=nan,
            n_points=0,
            turnoff=nan,
            turnoff_error=nan,
            used=np.zeros(n_pairs, bool),
            converged=False,
            reason=reason,
        )

    def below_turnoff(self, curve: Curve) -> NDArray[np.bool_]:
        """Return which pairs of the curve were measured, and lie up to the turnoff."""
        with np.errstate(invalid="ignore"):
            return np.asarray(curve.measured & (curve.mean <= self.turnoff))
