"""The harness's own measurements as a job that `lsst.verify` can read."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any, Final

from harness.errors import UsageError
from harness.exchange.value import Foreign, Job, MetricDescription, Specification
from harness.model import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.model import Measurement, Metric, Verdict

__all__ = ["exchanged_name", "job_of"]

#: What is known of a measurement beside its value, and how it is labelled.
_EXTRAS: Final = {
    "name": "Name in rerun-harness",
    "uncertainty": "Standard uncertainty",
    "n_units": "Number of independent units",
    "definition": "Digest of the definition",
    "inputs": "Digest of the input datasets",
    "detail": "Remark",
    "verdicts": "Verdicts",
}


def job_of(
    measurements: Iterable[Measurement],
    metrics: Mapping[str, Metric],
    verdicts: Iterable[Verdict] = (),
    *,
    meta: Mapping[str, Any] | None = None,
) -> Job:
    """Return measurements of one rerun, or of one data ID in it, as a job.

    Names have two parts there, so that ``template.psfFwhm.good`` becomes ``template.psfFwhm_good``.  What `lsst.verify`
    has no place for (uncertainty, definition, verdicts) goes into the blob that carries the metric's name.  Bounds of
    a value, or of its change against a reference, become specifications; they do not know of the uncertainty, by
    which the harness's own verdict may be INCONCLUSIVE where the bare value holds.

    Parameters
    ----------
    measurements
        One for each metric, all of the same rerun and data ID.
    metrics
        Definitions, by name.
    verdicts
        What was judged; those about other reruns, metrics or data IDs are left out.
    meta
        Metadata besides the rerun's name and the data ID, such as ``{"dataset": "hits2015"}``.

    Raises
    ------
    harness.errors.UsageError
        When they are of several reruns or data IDs, or two of them would have the same name.
    """
    judged: dict[tuple[str, str, str], list[Verdict]] = {}
    for verdict in verdicts:
        judged.setdefault((verdict.metric, verdict.rerun, verdict.place), []).append(verdict)
    chosen: dict[str, Measurement] = {}
    specifications: list[Specification] = []
    blobs = {}
    for measurement in measurements:
        name = exchanged_name(measurement.metric)
        if name in chosen:
            raise UsageError(
                f"{chosen[name].metric} and {measurement.metric} are both called {name} in a job; leave one"
            )
        own = judged.get((measurement.metric, measurement.rerun, str(measurement.data_id)), [])
        chosen[name] = measurement
        blobs[name] = _extras(name, measurement, own)
        specifications += _specifications(name, own)
    return Job(
        measurements={name: _foreign(name, each, blobs[name]["identifier"]) for name, each in chosen.items()},
        specifications=tuple(specifications),
        metrics={name: _description(metrics[each.metric]) for name, each in chosen.items()},
        meta={**_subject(chosen.values()), **(meta or {})},
        blobs={blob["identifier"]: blob for blob in blobs.values()},
    )


def exchanged_name(metric: str) -> str:
    """Return a metric's name in two parts, as `lsst.verify` has it: ``package.metric``."""
    package, _, rest = metric.partition(".")
    return f"{package}.{rest.replace('.', '_')}"


def _subject(measurements: Iterable[Measurement]) -> dict[str, Any]:
    """Return the rerun and data ID that all of them are of."""
    owners = {(measurement.rerun, measurement.data_id) for measurement in measurements}
    if len(owners) > 1:
        names = sorted(" of ".join(filter(None, [str(data_id), rerun])) for rerun, data_id in owners)
        raise UsageError(f"a job holds one rerun, or one data ID of it, and not {', '.join(names)}")
    return {key: value for rerun, data_id in owners for key, value in {"rerun": rerun, **data_id}.items()}


def _foreign(name: str, measurement: Measurement, blob: str) -> Foreign:
    return Foreign(
        metric=name,
        value=measurement.value,
        unit=measurement.unit,
        identifier=_identifier("measurement", measurement),
        detail="" if measurement.is_measured else measurement.detail,
        blobs=(blob,),
    )


def _description(metric: Metric) -> MetricDescription:
    return MetricDescription(metric.doc, metric.unit, (metric.group,), {"doc": None, "page": None, "url": None})


def _extras(name: str, measurement: Measurement, verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """Return the blob of a measurement; what is unknown, or nothing but the exchanged name, is left out."""
    values = {
        "name": "" if measurement.metric == name else measurement.metric,
        "uncertainty": measurement.uncertainty if math.isfinite(measurement.uncertainty) else "",
        "n_units": measurement.n_units,
        "definition": measurement.definition,
        "inputs": measurement.inputs,
        "detail": measurement.detail,
        "verdicts": "; ".join(f"{verdict.state}: {verdict.sentence}" for verdict in verdicts),
    }
    data = {
        key: {
            "value": value,
            "unit": measurement.unit if key == "uncertainty" else "",
            "label": _EXTRAS[key],
            "description": None,
        }
        for key, value in values.items()
        if value != ""
    }
    return {"identifier": _identifier("blob", measurement), "name": name, "data": data}


def _identifier(kind: str, measurement: Measurement) -> str:
    """Return 32 hexadecimal digits that are the same for the same measurement."""
    place = sorted((key, str(value)) for key, value in measurement.data_id.items())
    content = [kind, measurement.metric, measurement.rerun, place, measurement.definition, measurement.inputs]
    return digest_of(content) + digest_of([*content, repr(measurement.value)])


def _specifications(name: str, verdicts: Iterable[Verdict]) -> Iterator[Specification]:
    """Yield the bounds that verdicts put on the value itself, with numbered names where several are alike."""
    taken: set[str] = set()
    for verdict in verdicts:
        for end, operator, threshold in _bounds(verdict):
            rule = verdict.expectation.split()[0]
            number = next(n for n in itertools.count(1) if f"{rule}_{end}{n if n > 1 else ''}" not in taken)
            own = f"{rule}_{end}{number if number > 1 else ''}"
            taken.add(own)
            yield Specification(f"{name}.{own}", operator, threshold, verdict.unit, tags=frozenset({rule}))


def _bounds(verdict: Verdict) -> Iterator[tuple[str, str, float]]:
    """Yield the finite ends of what is acceptable of the value, as (end, operator, threshold).

    Shares of data IDs, ratios to another estimate and closures are about something else and have none; so have
    changes over only some of the data IDs, to which the reference does not belong.
    """
    rule = verdict.expectation
    if verdict.acceptable is None or " for at least " in rule:
        return
    if rule.startswith("within "):
        base, strict = 0.0, False
    elif rule.startswith(("unchanged ", "below ", "above ")):
        base, strict = verdict.reference, not rule.startswith("unchanged ")
    else:
        return
    if not math.isclose(base + verdict.estimate, verdict.value, rel_tol=1e-9, abs_tol=1e-12):
        return
    low, high = base + verdict.acceptable.low, base + verdict.acceptable.high
    if math.isfinite(low):
        yield "low", ">" if strict else ">=", low
    if math.isfinite(high):
        yield "high", "<" if strict else "<=", high
