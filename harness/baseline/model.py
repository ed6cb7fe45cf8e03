"""What a baseline file holds, as strict and frozen models.

Numbers keep one type per field, so that the same baseline has the same bytes: counts of visits are integers, every
other number is a float.  `harness.baseline.files` reads and writes them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations at run time
from datetime import date  # noqa: TC003 - likewise
from typing import Annotated, Literal, Self, TypeAlias, final

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from harness.baseline.published import Published  # noqa: TC001 - likewise
from harness.baseline.strict import Moment, Note, Strict, Text

__all__ = [
    "MIN_READ_VERSION",
    "SCHEMA_VERSION",
    "Above",
    "Acceptance",
    "Acknowledgement",
    "AgreesWith",
    "AmplifierValue",
    "Baseline",
    "Below",
    "Closes",
    "Direction",
    "Entry",
    "Expectation",
    "Original",
    "Settings",
    "Unchanged",
    "Within",
]

#: Version of the schema that this harness writes; see `harness.baseline.migrations`.
SCHEMA_VERSION = "1.1.0"

#: Lowest major schema version of a reader that understands what this harness writes.
MIN_READ_VERSION = 1


def _file_name(name: str) -> str:
    """Refuse names of datasets that cannot name a file everywhere."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ValueError("must be made of letters, digits, '_', '.' and '-', and begin with a letter or digit")
    return name


def _three_numbers(version: str) -> str:
    if not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", version):
        raise ValueError(f"must be three numbers, such as {SCHEMA_VERSION}")
    return version


Direction: TypeAlias = Literal["both", "lower_is_better", "higher_is_better"]


@final
class Unchanged(Strict):
    """The change stays within ± max(``atol``, ``rtol`` × abs(baseline)).

    Attributes
    ----------
    rtol, atol
        Relative tolerance, and absolute tolerance in the metric's unit.
    """

    kind: Literal["unchanged"] = "unchanged"
    rtol: NonNegativeFloat
    atol: NonNegativeFloat

    def tolerance(self, value: float) -> float:
        """Return the allowed change of a baseline value, in its unit."""
        return max(self.atol, self.rtol * abs(value))

    def __str__(self) -> str:
        relative = f"{100 * self.rtol:g} %" if self.rtol or not self.atol else ""
        absolute = f"{self.atol:g}" if self.atol else ""
        return f"unchanged within {' or '.join(filter(None, (relative, absolute)))}"


@final
class Within(Strict):
    """The value lies in [``low``, ``high``], in the metric's unit."""

    kind: Literal["within"] = "within"
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"must have low <= high (got low {self.low!r} and high {self.high!r})")
        return self

    def __str__(self) -> str:
        return f"within {self.low:g} to {self.high:g}"


class _Ordered(Strict):
    """Below or above another metric, or a number.

    Attributes
    ----------
    metric, value
        What it is held against: exactly one of the two.
    for_at_least
        Share of data IDs for which it must hold, in (0, 1]; None judges the mean difference alone.
    """

    metric: Text | None = None
    value: float | None = None
    for_at_least: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.metric is None) == (self.value is None):
            raise ValueError("must give either metric or value")
        return self

    def _words(self, relation: str) -> str:
        other = self.metric if self.metric is not None else f"{self.value:g}"
        share = "" if self.for_at_least is None else f" for at least {100 * self.for_at_least:g} %"
        return f"{relation} {other}{share}"


@final
class Below(_Ordered):
    """Less than another metric, or than a number."""

    kind: Literal["below"] = "below"

    def __str__(self) -> str:
        return self._words("below")


@final
class Above(_Ordered):
    """Greater than another metric, or than a number."""

    kind: Literal["above"] = "above"

    def __str__(self) -> str:
        return self._words("above")


@final
class AgreesWith(Strict):
    """The ratio to another metric's estimate differs from 1 by at most ``rtol``."""

    kind: Literal["agrees_with"] = "agrees_with"
    metric: Text
    rtol: NonNegativeFloat

    def __str__(self) -> str:
        return f"agrees with {self.metric} within {100 * self.rtol:g} %"


@final
class Closes(Strict):
    """The largest absolute residual is at most ``ulp`` units in the last place of the operands."""

    kind: Literal["closes"] = "closes"
    ulp: NonNegativeFloat

    def __str__(self) -> str:
        return f"closes within {self.ulp:g} ulp"


Expectation: TypeAlias = Annotated[
    Unchanged | Within | Below | Above | AgreesWith | Closes,
    Field(discriminator="kind"),
]


@final
class Original(Strict):
    """The first value ever accepted, and the acceptance it came with: small steps are measured from here."""

    value: float
    accepted: Text


@final
class AmplifierValue(Strict):
    """The accepted value of one amplifier: means over amplifiers do not see two of them change places.

    Attributes
    ----------
    value, uncertainty
        The value and its standard uncertainty, in the unit of the entry.
    sample
        Digest of the raw exposures that it was measured on; empty when unknown.
    """

    value: float
    uncertainty: NonNegativeFloat
    sample: str = ""


@final
class Entry(Strict):
    """The accepted value of one metric.

    Attributes
    ----------
    value, uncertainty
        The value and its standard uncertainty, in ``unit``.
    unit
        Unit as an `astropy.units` string; empty when dimensionless.
    definition
        Digest of the metric's definition (`harness.model.Metric.definition_digest`).
    expectation
        What should hold.
    direction
        Whether a change for the better is allowed, and which one that is.
    accepted
        Key of the acceptance that the value came with.
    original
        The first value ever accepted under this definition.
    units
        Digest of the set of visits that the value rests on; empty when unknown.
    amplifiers
        Values of the single amplifiers (`harness.baseline.amplifiers`), where each has its own.
    """

    value: float
    uncertainty: NonNegativeFloat
    unit: Note
    definition: Text
    expectation: Expectation
    direction: Direction
    accepted: Text
    original: Original
    units: str = ""
    amplifiers: Mapping[Text, AmplifierValue] = {}

    @model_serializer(mode="wrap")
    def _without_empty_amplifiers(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        content: dict[str, object] = write(self)
        return {name: value for name, value in content.items() if name != "amplifiers" or value}

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        rule = self.expectation
        if isinstance(rule, Unchanged) and rule.rtol > 0 and self.value == 0 == rule.atol:
            raise ValueError("has a relative tolerance around 0, which allows nothing; give an atol")
        return self


@final
class Acceptance(Strict):
    """Why, when and by whom values were accepted, and what they were measured on.

    Attributes
    ----------
    at
        When, in UTC.
    by
        Who.
    harness
        Version of the harness.
    rerun
        The rerun the values were measured on.
    versions
        Package versions which that rerun recorded.
    inputs
        Digest of its input datasets.
    reason, ticket
        Why, in words; and a ticket, empty when there is none.
    visits
        Number of visits, or of amplifiers, the values rest on.
    """

    at: Moment
    by: Text
    harness: Text
    rerun: Text
    versions: Mapping[Note, Note]
    inputs: Text
    reason: Text
    ticket: Note
    visits: NonNegativeInt


@final
class Acknowledgement(Strict):
    """A known failure of one metric, until a date.

    Attributes
    ----------
    until
        The last day on which the failure is excused.
    ticket, reason
        Where it is being worked on, and why it is known.
    by, at
        Who acknowledged it, and when (UTC).
    """

    until: date
    ticket: Text
    reason: Text
    by: Text
    at: Moment

    def has_expired(self, today: date) -> bool:
        """Return whether the failure is no longer excused."""
        return today > self.until


@final
class Settings(Strict):
    """The settings of the definitions with which a dataset is measured (`harness.metrics.settings`).

    Attributes
    ----------
    good_flags
        Name of the flag list that defines a good source.
    match_radius
        Radius within which two sources are the same, in arcsec.
    edge_width
        Width of the border that counts as a detector's edge, in pixels.
    psf_size
        Which size of a PSF is meant.
    sample_visits
        Of how many visits images are read; 0 reads those of all.
    sample_seed
        Which sample of visits that is.
    """

    good_flags: Text = "S3"
    match_radius: Annotated[float, Field(gt=0)] = 0.5
    edge_width: NonNegativeFloat = 40.0
    psf_size: Text = "determinant"
    sample_visits: NonNegativeInt = 0
    sample_seed: NonNegativeInt = 0


@final
class Baseline(Strict):
    """The accepted measurements of one dataset.

    Attributes
    ----------
    schema_version
        Semantic version of the schema the file was written with.
    min_read_version
        Lowest major schema version of a reader that understands it.
    dataset
        Name of the dataset, which is the file's name too.
    settings
        Settings of the definitions.
    acceptances
        The story: every acceptance by its key, such as ``2026-11-21-w_2020_20``.
    acknowledgements
        Known failures by metric name.
    metrics
        Accepted values by metric name.
    published
        What a publication says of this dataset, from schema 1.1.0 on; None where there is nothing.
    """

    schema_version: Annotated[str, AfterValidator(_three_numbers)] = SCHEMA_VERSION
    min_read_version: NonNegativeInt = MIN_READ_VERSION
    dataset: Annotated[str, AfterValidator(_file_name)]
    settings: Settings = Settings()
    acceptances: Mapping[Text, Acceptance] = {}
    acknowledgements: Mapping[Text, Acknowledgement] = {}
    metrics: Mapping[Text, Entry] = {}
    published: Published | None = None

    @model_serializer(mode="wrap")
    def _without_empty_published(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        content: dict[str, object] = write(self)
        return {name: value for name, value in content.items() if name != "published" or value}

    @model_validator(mode="after")
    def _has_the_schema_of_its_fields(self) -> Self:
        if self.published is not None and self.schema_version.startswith("1.0."):
            raise ValueError(f"has published figures, which schema {self.schema_version} has not; make it 1.1.0")
        return self

    @model_validator(mode="after")
    def _knows_its_acceptances(self) -> Self:
        for name, entry in self.metrics.items():
            for key in (entry.accepted, entry.original.accepted):
                if key not in self.acceptances:
                    raise ValueError(f"has the metric {name!r} accepted in {key!r}, which is not among its acceptances")
        return self

    @property
    def accepted_rerun(self) -> str | None:
        """The rerun that most values were accepted from (of equals the latest); None when there is none."""
        acceptances = [self.acceptances[entry.accepted] for entry in self.metrics.values()]
        votes = Counter(acceptance.rerun for acceptance in acceptances)
        latest = {each.rerun: each.at for each in sorted(acceptances, key=lambda each: each.at)}
        return max(votes, key=lambda rerun: (votes[rerun], latest[rerun]), default=None)
