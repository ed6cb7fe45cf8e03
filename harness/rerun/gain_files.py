"""Gains in JSON and YAML: by raft and sensor, then by amplifier."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import BrokenFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["gain_rows"]


def gain_rows(path: Path, values: Collection[str]) -> list[dict[str, Any]]:
    """Read the amplifiers of a JSON or YAML file.

    Understood are ``{"R22_S11": {"C06": 1.407}}``, the same with raft and sensor apart, a mapping such as
    ``{gain: 1.407, readNoise: 5.5}`` in place of a single gain, and so the rafts of `lsst/obs_lsst`, which keep
    amplifiers among other things.

    Parameters
    ----------
    path
        The file.
    values
        What may be known of an amplifier, by name.

    Returns
    -------
    rows : `list` [`dict`]
        ``detectorName``, ``amplifier``, and the values under their own names; a single number is the ``gain``.

    Raises
    ------
    harness.errors.BrokenFileError
        When it is not JSON or YAML, is nested otherwise, or a value is no number.
    """
    content = _content(path)
    if not isinstance(content, Mapping) or not content:
        raise BrokenFileError(f'{path} holds no gains; write for example {{"R22_S11": {{"C06": 1.407}}}}')
    rows = []
    for place, found in _amplifiers(content, frozenset(values)):
        if len(place) not in (2, 3):  # detector and amplifier, or raft, sensor and amplifier
            raise BrokenFileError(
                f"{path} is nested otherwise than by detector and amplifier, at {' '.join(place)}; "
                'write for example {"R22_S11": {"C06": 1.407}}'
            )
        row: dict[str, Any] = {"detectorName": "_".join(place[:-1]), "amplifier": place[-1]}
        known = found if isinstance(found, Mapping) else {"gain": found}
        row |= {name: _number(value, name, place, path) for name, value in known.items() if name in values}
        rows.append(row)
    return rows


def _content(path: Path) -> Any:
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as fault:
        kind = "JSON" if path.suffix == ".json" else "YAML"
        reason = " ".join(str(fault).split()) or type(fault).__name__
        raise BrokenFileError(f"{path} cannot be read as {kind} ({reason}); correct it or leave it out") from None


def _amplifiers(
    node: Any, values: frozenset[str], place: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield what is known of each amplifier, with the keys that lead to it."""
    if not isinstance(node, Mapping) or values & node.keys():
        yield place, node
        return
    for key, child in node.get("amplifiers", node).items():
        yield from _amplifiers(child, values, (*place, str(key)))


def _number(value: Any, name: str, place: tuple[str, ...], path: Path) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BrokenFileError(f"{path} gives {' '.join(place)} the {name} {value!r}, which is no number; correct it")
    return float(value)
