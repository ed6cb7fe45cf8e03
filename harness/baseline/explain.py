"""One clear sentence for what a model refuses."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from harness.baseline import model
from harness.baseline.published import Published
from harness.baseline.strictjson import json_path
from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel
    from pydantic_core import ErrorDetails

__all__ = ["explain", "refuse_invalid"]

_EXPECTATIONS: Final[dict[str, type[BaseModel]]] = {
    each.model_fields["kind"].default: each
    for each in (model.Unchanged, model.Within, model.Below, model.Above, model.AgreesWith, model.Closes)
}

_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "settings": model.Settings,
    "acceptances": model.Acceptance,
    "acknowledgements": model.Acknowledgement,
    "metrics": model.Entry,
    "published": Published,
}


def explain(error: ValidationError) -> str:
    """Return the first problem as a sentence without its subject file, and how many more there are.

    Parameters
    ----------
    error
        What pydantic found.

    Returns
    -------
    sentence : `str`
        Such as ``metrics["dia.numSources"].value must be a finite number (got 'many')``.
    """
    problems = error.errors(include_url=False)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return _sentence(problems[0]) + more


@contextmanager
def refuse_invalid(what: str) -> Iterator[None]:
    """Turn what a model refuses of a user's words into a usage error.

    Parameters
    ----------
    what
        What is being made of them.
    """
    try:
        yield
    except ValidationError as error:
        raise UsageError(f"{what} is refused: {explain(error)}") from None


def _sentence(problem: ErrorDetails) -> str:
    location = problem["loc"]
    match problem["type"]:
        case "missing":
            return f"{_place(location[:-1])} lacks the field {location[-1]!r}"
        case "extra_forbidden":
            allowed = ", ".join(_model_at(location[:-1]).model_fields)
            return f"{_place(location[:-1])} has the unknown field {location[-1]!r}; allowed are {allowed}"
        case "union_tag_invalid" | "union_tag_not_found":
            return f"{_place(location)} must have a kind, one of {', '.join(_EXPECTATIONS)}"
        case "value_error":
            return f"{_place(location)} {problem['ctx']['error']}"
        case _:
            rule = re.sub(r"^\w+ should", "must", problem["msg"])
            return f"{_place(location)} {rule} (got {_shown(problem['input'])})"


def _place(location: tuple[str | int, ...]) -> str:
    """Return the place in the file, without pydantic's marks for the kind of an expectation and for a key."""
    match location:
        case ("metrics", name, "expectation", _, *rest):
            location = ("metrics", name, "expectation", *rest)
        case (*owner, key, "[key]"):
            return f"{_place(tuple(owner))} has the key {key!r}, which"
    return json_path(location) or "the top level"


def _model_at(location: tuple[str | int, ...]) -> type[BaseModel]:
    """Return the model whose fields are allowed in a place."""
    match location:
        case ("metrics", _, "original"):
            return model.Original
        case ("metrics", _, "expectation", str(kind)):
            return _EXPECTATIONS[kind]
        case (str(section), *_):
            return _SECTIONS[section]
    return model.Baseline


def _shown(value: object, width: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= width else f"{text[: width - 1]}…"
