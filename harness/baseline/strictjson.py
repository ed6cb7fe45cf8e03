"""JSON that means one thing only: no key twice, no NaN or infinity, and every fault told with its place."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn, final

from harness.errors import BrokenFileError

__all__ = ["is_unicode", "json_path", "parse_json"]

_DEEPEST: Final = 50


@final
class _Members(list[tuple[str, Any]]):
    """The members of one JSON object, before it is known that their keys differ."""


def parse_json(content: bytes, source: str) -> dict[str, Any]:
    """Read one JSON object, strictly.

    Parameters
    ----------
    content
        The bytes of the file.
    source
        What to call it in a message.

    Returns
    -------
    members : `dict`
        The object; its numbers are finite and no key was given twice.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is anything else.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BrokenFileError(f"{source} is not UTF-8 (byte {error.start}); restore it or save it as UTF-8") from None
    if not text.strip():
        raise BrokenFileError(f"{source} is empty; restore it from version control")
    try:
        tree = json.loads(text, object_pairs_hook=_Members)
    except json.JSONDecodeError as error:
        raise BrokenFileError(f"{source}, {_fault(text, error)}") from None
    except (RecursionError, ValueError):  # nested too deep, or an integer of thousands of digits
        raise BrokenFileError(f"{source} is nested too deeply or holds an absurdly long number") from None
    if not isinstance(tree, _Members):
        raise BrokenFileError(f"{source} holds {_kind(tree)}, where a JSON object is expected")
    members: dict[str, Any] = _plain(tree, source, ())
    return members


def json_path(keys: tuple[str | int, ...]) -> str:
    """Return a readable place: ``metrics["dia.numSources"].value``.

    Parameters
    ----------
    keys
        Keys and indices from the top of the document.
    """
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        elif key.isidentifier():
            text += f".{key}" if text else key
        else:
            text += f"[{_quoted(key)}]"
    return text


def _quoted(key: str) -> str:
    """Return a key as JSON writes it, in one line whatever it holds."""
    return json.dumps(key, ensure_ascii=not key.isprintable())


def is_unicode(text: str) -> bool:
    """Return whether text is made of characters alone, so that it can be written as UTF-8.

    Parameters
    ----------
    text
        What Python may have made of a stray byte, or of half of a surrogate pair.
    """
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _plain(node: Any, source: str, place: tuple[str | int, ...]) -> Any:
    """Turn members into dicts, refusing what JSON libraries let through."""

    def refuse(what: str) -> NoReturn:
        raise BrokenFileError(f"{source}: {json_path(place) or 'the top level'} {what}")

    if len(place) > _DEEPEST:
        raise BrokenFileError(f"{source} is nested too deeply")
    if isinstance(node, _Members):
        members: dict[str, Any] = {}
        for key, value in node:
            if key in members:
                refuse(f"has the key {_quoted(key)} twice; keep one of them")
            if not is_unicode(key):
                refuse("has a key with half of a surrogate pair, which is no character")
            members[key] = _plain(value, source, (*place, key))
        return members
    if isinstance(node, list):
        return [_plain(value, source, (*place, index)) for index, value in enumerate(node)]
    if isinstance(node, float) and not math.isfinite(node):
        refuse(f"is {'NaN' if math.isnan(node) else 'infinite'}; only finite numbers can be kept")
    if isinstance(node, str) and not is_unicode(node):
        refuse("holds half of a surrogate pair, which is no character")
    return node


def _fault(text: str, error: json.JSONDecodeError) -> str:
    """Say what is wrong and where."""
    before, after = text[: error.pos].rstrip(), text[error.pos :].lstrip(", \t\r\n")
    place = f"line {error.lineno} column {error.colno}"
    if not text.rstrip().endswith(("}", "]")):
        return f"{place}: cut off in the middle; restore it from version control"
    if "trailing comma" in error.msg or (before.endswith(",") and after.startswith(("}", "]"))):
        return f"{place}: a trailing comma; remove it"
    return f"{place}: not JSON: {error.msg[:1].lower()}{error.msg[1:]}"


def _kind(node: Any) -> str:
    names = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(node), "a number")
