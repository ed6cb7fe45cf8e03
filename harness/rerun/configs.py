"""The settings of a task, out of the Python file that `lsst.pex.config` writes them to; parsed and never executed."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from harness.errors import BrokenFileError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CONFIG_SUFFIX", "read_config"]

CONFIG_SUFFIX = "_config"
"""What the dataset type of a task's configuration ends with; before it stands the task's label."""

#: What the configuration is called in its own file; the older name until 2013.
_ROOTS = ("config", "root")


def read_config(path: Path, label: str) -> dict[str, str]:
    """Read the settings of one task.

    Parameters
    ----------
    path
        A file of lines such as ``config.mode='convolveTemplate'``; imports, assertions and comments are passed over.
    label
        Label of the task in its pipeline.

    Returns
    -------
    settings : `dict` [`str`, `str`]
        Source text of the value by label and field, such as ``subtractImages: mode``, on one line whatever it was
        spread over.  A subtask that was replaced by another has the other's name as its value.

    Raises
    ------
    harness.errors.BrokenFileError
        When it cannot be read, is not Python, or holds a statement that is no setting: without executing it, nothing
        would say what that sets.
    """
    try:
        statements = ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, ValueError, SyntaxError) as fault:
        raise BrokenFileError(f"{path} cannot be read as the configuration of {label} ({fault})") from None
    settings: dict[str, str] = {}
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom | ast.Assert) or _is_text(statement):
            continue
        found = _setting(statement)
        if found is None:
            raise BrokenFileError(
                f"{path} holds something else than a setting of {label} in line {statement.lineno} "
                f"({ast.unparse(statement).splitlines()[0]}); give the file that the pipeline wrote"
            )
        settings[f"{label}: {found[0]}"] = found[1]
    return settings


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _setting(statement: ast.stmt) -> tuple[str, str] | None:
    """Return field and value of a statement; None when it sets nothing."""
    match statement:
        case ast.Assign(targets=[target], value=value):
            field = _field(target)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr="retarget"), args=args, keywords=keywords)):
            field = _field(target)
            named = [keyword.value for keyword in keywords if keyword.arg == "target"]
            if not (named or args):
                return None
            value = (named or args)[0]
        case _:
            return None
    return None if field is None else (field, ast.unparse(value))


def _field(target: ast.expr) -> str | None:
    """Return the name of a field below the configuration; None for anything else."""
    root, _, field = ast.unparse(target).partition(".")
    return field if root in _ROOTS and field else None
