"""Files of the Butler storage class ``MetricValue``: one `lsst.verify` measurement as a tagged YAML document.

Nothing in such a file is executed.  Two tags are understood: that of the measurement, and that of a NumPy scalar,
which its writer leaves as instructions to a pickle and which is decoded here from its bytes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from harness.errors import BrokenFileError, first_line
from harness.exchange.document import Node, read_content
from harness.exchange.verify_job import read_measurement

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from harness.exchange.value import Foreign

__all__ = ["read_metric_value"]


def read_metric_value(path: Path) -> Foreign:
    """Read one measurement.

    Parameters
    ----------
    path
        The file, of at most 1 MiB.

    Raises
    ------
    harness.errors.UsageError
        When there is no such file.
    harness.errors.BrokenFileError
        When it is not one measurement in YAML.
    """
    content = read_content(path, 1 << 20)
    try:
        value = yaml.load(content, _Loader)  # noqa: S506 - a safe loader with two more tags
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise BrokenFileError(f"{path}{place}: {error.problem}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise BrokenFileError(f"{path} is not YAML that can be read: {first_line(error)}") from None
    return read_measurement(Node(str(path), value))


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """A safe loader that refuses a key twice, and merges nothing (nested merges grow without bounds)."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Leave ``<<`` to be refused as a tag without a constructor."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping whose keys differ."""
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is there twice; keep one", node.start_mark)
        return mapping


def _measurement(loader: _Loader, _tag: str, node: yaml.Node) -> dict[Hashable, Any]:
    return loader.construct_mapping(node, deep=True)


def _scalar(loader: _Loader, node: yaml.Node) -> Any:
    """Return the number that NumPy reduced to its type, with the byte order in its state, and its bytes."""
    try:
        return _decoded(*loader.construct_sequence(node, deep=True))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise yaml.constructor.ConstructorError(None, None, "this is not a NumPy number", node.start_mark) from None


def _decoded(kind: Mapping[str, Any], content: bytes) -> Any:
    code = kind["state"][1] + kind["args"][0]
    if not re.fullmatch("[<>|=][fiu][1248]", code):
        raise ValueError(code)
    return np.frombuffer(content, code)[0].item()


_PYTHON = "tag:yaml.org,2002:python/"
_Loader.add_multi_constructor("lsst.verify.", _measurement)
_Loader.add_constructor(f"{_PYTHON}tuple", lambda loader, node: loader.construct_sequence(node, deep=True))
_Loader.add_constructor(f"{_PYTHON}object/apply:numpy.dtype", lambda loader, node: loader.construct_mapping(node, True))
_Loader.add_constructor(f"{_PYTHON}object/apply:numpy.core.multiarray.scalar", _scalar)
_Loader.add_constructor(f"{_PYTHON}object/apply:numpy._core.multiarray.scalar", _scalar)
