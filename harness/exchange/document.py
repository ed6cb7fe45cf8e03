"""Files of other tools, walked node by node, so that every fault is told with its place."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from reprlib import Repr
from typing import TYPE_CHECKING, Any, Final, NoReturn, final

from harness.baseline.strictjson import is_unicode, json_path
from harness.errors import BrokenFileError, UsageError
from harness.exchange.units import parse_unit

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Node", "read_content", "read_json"]

_NOT_FINITE: Final = {"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}

_SHOWN = Repr()  # references make a YAML file of a kilobyte stand for gigabytes
_SHOWN.maxlevel = 2
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 60


@final
@dataclass(frozen=True, slots=True)
class Node:
    """A value somewhere in a file.

    Attributes
    ----------
    source
        What to call the file in a message.
    value
        What was read.
    keys
        Keys and indices from the top of the document.

    Raises
    ------
    harness.errors.BrokenFileError
        Every method, when the value is not what it is asked for.
    """

    source: str
    value: Any
    keys: tuple[str | int, ...] = ()

    def refuse(self, what: str) -> NoReturn:
        """Raise an error that names the file and the place before it says what is wrong."""
        raise BrokenFileError(f"{self.source}: {json_path(self.keys) or 'the top level'} {what}")

    def __getitem__(self, key: str) -> Node:
        """Return a member that has to be there."""
        members = self.mapping()
        if key not in members:
            self.refuse(f"lacks the key {key!r}")
        return Node(self.source, members[key], (*self.keys, key))

    def get(self, key: str, default: Any) -> Node:
        """Return a member, or a default in its place where it is absent or null."""
        value = self.mapping().get(key)
        return Node(self.source, default if value is None else value, (*self.keys, key))

    def mapping(self) -> dict[str, Any]:
        """Return an object, with keys that are text."""
        if not isinstance(self.value, dict):
            self._mistaken("an object")
        for key in self.value:
            if not isinstance(key, str):
                self.refuse(f"has the key {_SHOWN.repr(key)}, where text belongs")
        return self.value

    def members(self) -> list[tuple[str, Node]]:
        """Return the members of an object by their keys."""
        return [(key, self[key]) for key in self.mapping()]

    def items(self) -> list[Node]:
        """Return the items of an array."""
        if not isinstance(self.value, list):
            self._mistaken("an array")
        return [Node(self.source, item, (*self.keys, index)) for index, item in enumerate(self.value)]

    def text(self) -> str:
        """Return text."""
        if not isinstance(self.value, str):
            self._mistaken("text")
        if not is_unicode(self.value):
            self.refuse("holds half of a surrogate pair, which is no character")
        return self.value

    def name(self, least: int = 1) -> str:
        """Return text in one line of so many parts at least, with dots between them."""
        name = self.text()
        parts = name.split(".")
        if len(parts) < least or not all(parts) or not name.isprintable():
            form = ".".join(("package", "metric", "specification")[:least]) if least > 1 else "a name"
            self.refuse(f"must be {form} (got {_SHOWN.repr(name)})")
        return name

    def texts(self) -> tuple[str, ...]:
        """Return an array of text."""
        return tuple(item.text() for item in self.items())

    def number(self) -> float:
        """Return a number; NaN for null, and what JSON cannot say where it is spelled as text."""
        if self.value is None:
            return math.nan
        if isinstance(self.value, str) and self.value.lower() in _NOT_FINITE:
            return float(self.value)
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            self._mistaken("a number")
        try:
            return float(self.value)
        except OverflowError:
            self.refuse("is larger than any floating-point number")

    def unit(self) -> str:
        """Return a unit as it is written; empty for null."""
        text = "" if self.value is None else self.text()
        try:
            parse_unit(text)
        except (ArithmeticError, TypeError, ValueError):
            self.refuse(f"must be a unit that astropy knows (got {_SHOWN.repr(text)})")
        return text

    def _mistaken(self, expected: str) -> NoReturn:
        self.refuse(f"must be {expected} (got {_SHOWN.repr(self.value)})")


def read_content(path: Path, most: int) -> bytes:
    """Return the bytes of a file that somebody named.

    Parameters
    ----------
    path
        The file.
    most
        How many bytes it may have.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file.
    harness.errors.BrokenFileError
        When it cannot be read, or is too large to be what it should be.
    """
    try:
        size = path.stat().st_size
        if size > most:
            raise BrokenFileError(f"{path} has {size / 2**20:.0f} MiB, and more than {most >> 20} MiB are not read")
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except OSError as error:
        raise BrokenFileError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None


def read_json(path: Path) -> Node:
    """Read a JSON file; NaN and Infinity are let through, as the tools of the field write them.

    Parameters
    ----------
    path
        The file, of at most 256 MiB.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file.
    harness.errors.BrokenFileError
        When it cannot be read, is not JSON, or has a key twice in one object.
    """
    content = read_content(path, 256 << 20)

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise BrokenFileError(f"{path} has an object with the key {_SHOWN.repr(twice)} twice; keep one of them")
        return found

    try:
        return Node(str(path), json.loads(content.decode("utf-8-sig"), object_pairs_hook=members))
    except UnicodeDecodeError as error:
        raise BrokenFileError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise BrokenFileError(f"{path} is not JSON: {error.msg[:1].lower()}{error.msg[1:]} at {place}") from None
    except (RecursionError, ValueError):
        raise BrokenFileError(f"{path} is nested too deeply, or holds an absurdly long number") from None
