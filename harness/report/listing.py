"""Tables for people, for scripts and for web pages: one listing, printed as a table, as JSON or as Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, final

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "Column",
    "Format",
    "Listing",
    "escape_markdown",
    "markdown_listing",
    "number",
    "print_listing",
    "relative_change",
    "strict_json",
]

Format = Literal["table", "json", "md"]

#: Columns of text up to this width are never folded.
_SHORT = 14


def number(value: float) -> str:
    """Format a number for reading: counts as whole numbers, anything else to six digits, NaN as a dash."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.6g}"


def relative_change(change: float, base: float) -> str:
    """Format a change for reading: in percent of what it started from, or as it is where that is 0."""
    if change == 0:
        return "0"
    if not math.isfinite(change):
        return number(change)
    if not base:
        return f"{change:+.6g}"
    percent = 100 * change / abs(base)
    if abs(percent) < 1e-9:
        return "0"  # rounding of the last digits
    return f"{percent:+.2f} %" if abs(percent) >= 0.005 else f"{percent:+.2g} %"


@final
@dataclass(frozen=True, slots=True)
class Column:
    """One column: its key in the rows, its heading, how a value reads, and a style by value for terminals."""

    key: str
    heading: str
    show: Callable[[Any], str] = str
    numeric: bool = False
    style: Callable[[Any], str] | None = None


@final
@dataclass(frozen=True, slots=True)
class Listing:
    """A titled table of raw values, with paragraphs below it.

    JSON gets the rows as they are (every key, whether it has a column or not); text formats get the columns.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


def print_listing(listing: Listing, fmt: Format, console: Console) -> None:
    """Print a listing.

    Parameters
    ----------
    listing
        What to print.
    fmt
        ``table`` for a terminal, ``json`` for a script (never NaN: null), ``md`` for a web page.
    console
        Where to.
    """
    if fmt == "json":
        content = {"title": listing.title, **listing.extra, "rows": listing.rows, "notes": list(listing.notes)}
        console.file.write(json.dumps(strict_json(content), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    elif fmt == "md":
        console.file.write(markdown_listing(listing))
    else:
        _print_table(listing, console)


def _print_table(listing: Listing, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(Text(listing.title, style="bold"), soft_wrap=True)
    if listing.rows:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in listing.columns:
            width = max(len(text) for text in (column.heading, *(column.show(row[column.key]) for row in listing.rows)))
            table.add_column(
                column.heading,
                justify="right" if column.numeric else "left",
                overflow="fold",
                # On a narrow terminal long names are folded.  A number is never: half of it reads as another one.
                min_width=width if column.numeric or width <= _SHORT else _SHORT,
            )
        for row in listing.rows:
            table.add_row(
                *(
                    Text(column.show(row[column.key]), style=column.style(row[column.key]) if column.style else "")
                    for column in listing.columns
                )
            )
        console.print(table, crop=False)
    for note in listing.notes:
        # Sentences stay whole: a terminal may wrap them, a log is searched for them.
        console.print(Text(note), soft_wrap=True)


def markdown_listing(listing: Listing) -> str:
    """Return a listing as Markdown: its title, a table, and what stands below it."""
    lines = [f"### {escape_markdown(listing.title)}", ""]
    if listing.rows:
        lines.append("| " + " | ".join(escape_markdown(column.heading) for column in listing.columns) + " |")
        lines.append("|" + "|".join(" ---: " if column.numeric else " --- " for column in listing.columns) + "|")
        for row in listing.rows:
            cells = (escape_markdown(column.show(row[column.key])) for column in listing.columns)
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    for note in listing.notes:
        indented = note.startswith("  ")
        lines.append(f"  - {escape_markdown(note.strip())}" if indented else f"- {escape_markdown(note)}")
    return "\n".join(lines) + "\n"


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    for special in "\\|<>&*_`[]~":
        text = text.replace(special, "\\" + special)
    return " ".join(text.splitlines())


def strict_json(value: Any) -> Any:
    """Replace what JSON has no word for: a NaN or infinity becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): strict_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict_json(item) for item in value]
    return value
