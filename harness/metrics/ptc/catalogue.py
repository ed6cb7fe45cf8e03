"""All photon transfer metrics: what each is, in which unit, by whose definition."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.metrics.ptc.curve import MAX_LAG
from harness.model import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["ENOUGH_FOR_ALL_LAGS", "EOTEST_GROUPS", "FEW_LAGS", "PTC_GROUPS", "ptc_catalogue"]

#: Groups of these metrics: of flats and curves, and of what is on record.
PTC_GROUPS = frozenset({"amplifier_gain", "gain_estimate", "ptc_ladder", "ptc_parts", "ptc_sanity", "ptc_shape"})
EOTEST_GROUPS = frozenset({"eotest", "eotest_change", "eotest_gain", "eotest_sanity"})

#: In fewer pixels the noise of 81 lags enters that of lag 0 (a00 is 9 % off at 1e4 pixels), and few lags do better.
ENOUGH_FOR_ALL_LAGS = 300_000
FEW_LAGS = 2

_LAGS: Mapping[str, Any] = MappingProxyType(
    {"lags": MAX_LAG, "lags_of_small_amplifiers": FEW_LAGS, "small_below_pixels": ENOUGH_FOR_ALL_LAGS}
)
_GAIN = "electron / adu"
_NOTHING: Mapping[str, Any] = MappingProxyType({})

#: Where each estimate of gain comes from, for those whose offset from the true gain is predicted.
_ESTIMATES: Mapping[str, str] = MappingProxyType(
    {
        "gainRhl": "Inverse of mean[(I1 - I2)²/(I1 + I2)], median over all pairs.",
        "gainSlope": "Inverse slope of a straight line through variance over mean, in a window of the signal.",
        "gainQuadratic": "Inverse linear term of a parabola through variance over mean.",
        "gainPairNone": "Pair estimator NONE of lsst/cp_pipe, median over pairs.",
        "gainPairSimple": "Pair estimator SIMPLE of lsst/cp_pipe as documented, median over pairs.",
        "gainPairFull": "Pair estimator FULL of lsst/cp_pipe, median over pairs.",
        "gainPairExact": "Pair estimator that is exact for Poisson light, median over pairs.",
        "gainPairSimpleAsPublished": "Pair estimator SIMPLE with the misplaced factor of lsst/cp_pipe, for comparison.",
    }
)


def ptc_catalogue() -> Mapping[str, Metric]:
    """Return the definitions of all photon transfer metrics by name, in the order they are listed in."""
    metrics = (*_gains(), *_shapes(), *_ladder(), *_eotest(), *_sanity(), *_parts())
    return MappingProxyType({metric.name: metric for metric in metrics})


def _of_amplifiers(
    name: str, unit: str, doc: str, group: str, /, definition: Mapping[str, Any] = _NOTHING, *, offset: str = ""
) -> Metric:
    """Define the mean of something that each amplifier has one of."""
    return Metric(name, unit, doc, group, "ratio", definition, per="amplifier", offset=offset)


def _gains() -> Iterator[Metric]:
    from harness.metrics.ptc.gains import DEFINITIONS

    models = {
        "gain": ("EXPAPPROXIMATION", "Astier et al. 2019, equation 16"),
        "gainFullCovariance": ("FULLCOVARIANCE", "Astier et al. 2019, equation 20"),
        "gainFullCovarianceNoB": ("FULLCOVARIANCE_NO_B", "Astier et al. 2019, equation 20 with b = 0"),
    }
    for name, (model, source) in models.items():
        fit: dict[str, Any] = {"model": model}
        if model.startswith("FULL"):
            fit |= _LAGS
        group = "amplifier_gain" if name == "gain" else "gain_estimate"
        yield _of_amplifiers(f"ptc.{name}", _GAIN, f"Gain of the {model} fit ({source}).", group, fit)
    for name, doc in _ESTIMATES.items():
        yield _of_amplifiers(f"ptc.{name}", _GAIN, doc, "gain_estimate", DEFINITIONS[name], offset=f"ptc.offset.{name}")


def _shapes() -> Iterator[Metric]:
    fit = {"model": "EXPAPPROXIMATION"}
    for name, unit, doc, definition in (
        ("noise", "electron", "Read noise of the EXPAPPROXIMATION fit.", fit),
        ("overscanNoise", "adu", "Read noise from the overscan, mean over pairs.", {}),
        ("a00", "1 / electron", "Brighter-fatter coefficient of the EXPAPPROXIMATION fit (negative).", fit),
        (
            "a00FullCovariance",
            "1 / electron",
            "Brighter-fatter coefficient of the FULLCOVARIANCE fit.",
            {"model": "FULLCOVARIANCE", **_LAGS},
        ),
        ("turnoff", "adu", "Largest mean signal before the variance collapses.", {}),
        ("fullWell", "electron", "Turnoff times gain.", fit),
        ("lampMismatch", "", "Root mean square of the relative difference of the two flats of a pair.", {}),
        ("linearityScatter", "", "Scatter of mean signal over photodiode charge, below the turnoff.", {}),
    ):
        yield _of_amplifiers(f"ptc.{name}", unit, doc, "ptc_shape", definition)


def _ladder() -> Iterator[Metric]:
    definitions = {"numPairs": {"up_to": "turnoff"}}
    for name, doc in (
        ("numPairs", "Pairs of flats, of each amplifier, that were measured and lie below the turnoff."),
        ("numPairsPastTurnoff", "Pairs, of each amplifier, whose variance has collapsed."),
        (
            "numRejectedPairs",
            "Pairs, of each amplifier, that were left out: exposure times, sizes or pixels do not fit.",
        ),
        ("numUnpairedFlats", "Flats of each detector that belong to no pair."),
        ("numAmplifiers", "Amplifiers with a gain."),
    ):
        definition = definitions.get(name, {})
        yield Metric(f"ptc.{name}", "ct", doc, "ptc_ladder", definition=definition, census=True, per="amplifier")


def _eotest() -> Iterator[Metric]:
    for name, unit, doc in (
        ("ptcGain", _GAIN, "Photon transfer gain of the EO test (PTC_GAIN), or of a gain file."),
        ("gain", _GAIN, "Gain of the EO test by another method, such as Fe55 (GAIN)."),
        ("readNoise", "electron", "Read noise of the EO test."),
        ("saturation", "adu", "Saturation level on record."),
        ("fullWell", "electron", "Full well of the EO test."),
        ("a00", "1 / electron", "Brighter-fatter coefficient of the EO test (negative)."),
        ("turnoff", "adu", "Turnoff of the EO test."),
    ):
        yield _of_amplifiers(f"eotest.{name}", unit, doc, "eotest_gain" if name == "ptcGain" else "eotest")


def _sanity() -> Iterator[Metric]:
    for group, counts in (
        (
            "ptc_sanity",
            {
                "ptc.numUnfitted": "Amplifiers whose fit did not converge, or could not be done.",
                "ptc.numUnreadableAmplifiers": "Amplifiers that could not be read.",
            },
        ),
        (
            "eotest_sanity",
            {
                "eotest.numPlaceholderGains": "Amplifiers whose gain on record is a placeholder, such as exactly 1.",
                "eotest.numCopiedGains": "Amplifiers whose gain on record is another one's, to the last digit.",
                "eotest.numUnmeasured": "Amplifiers of which the record says 'not measured': 0, -1 or nothing.",
                "eotest.numZeroSaturations": "Amplifiers whose saturation level on record is 0.",
                "eotest.numOutlyingGains": "Amplifiers whose gain on record is far from those of their detector.",
                "eotest.numUnphysical": "Amplifiers with a number on record that cannot be, such as a negative noise.",
                "eotest.numMissingAmplifiers": "Amplifiers that detectors of the kind have and the record lacks.",
            },
        ),
        (
            "eotest_change",
            {
                "eotest.numPermuted": "Amplifiers that have changed places on record.",
                "eotest.numChanged": "Amplifiers whose record changed beyond the noise.",
                "eotest.numReplaced": "Amplifiers whose placeholder has been replaced.",
                "eotest.numLost": "Amplifiers that the record no longer has.",
                "eotest.numAdded": "Amplifiers that the record did not have.",
            },
        ),
    ):
        for name, doc in counts.items():
            yield Metric(name, "ct", doc, group, census=True, per="amplifier")


def _parts() -> Iterator[Metric]:
    """Yield the predicted offsets, which are of use beside their estimates alone."""
    for name in _ESTIMATES:
        doc = f"Predicted fractional offset of {name} from the true gain."
        yield _of_amplifiers(f"ptc.offset.{name}", "", doc, "ptc_parts")
