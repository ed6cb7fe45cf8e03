"""Fenced blocks of a Markdown file, each with the comment above it that says what the block is.

==================  ==================================================================================
comment             the block is
==================  ==================================================================================
``main job``        the line that sets up everything and does the main job
``tests``           the line that sets up everything and runs the tests
``run: CODE``       commands of an activated environment, which end with this exit code
``output``          lines that the commands before it print, in this order
``file: PATH``      a file that the reader writes, in the folder in which the commands before it ended
==================  ==================================================================================
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

_BLOCK = re.compile(
    r"^(?: *<!-- (?P<marker>[a-z ]+)(?:: (?P<argument>[^>]+))? -->\n+)?"
    r"(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block: what it is, its text, and the line of the file it begins in."""

    marker: str
    argument: str
    text: str
    line: int


def read_blocks(markdown):
    """Return the fenced blocks of a Markdown text, in order."""
    return [
        Block(
            marker=match["marker"] or "",
            argument=match["argument"] or "",
            text=textwrap.dedent(match["text"]),
            line=markdown.count("\n", 0, match.start("language")) + 1,
        )
        for match in _BLOCK.finditer(markdown)
    ]


def first_absent(shown, printed):
    """Return the first shown line that was not printed after those before it, or None.

    The number of blanks does not count.  ``…`` stands for any lines, and at the end of a line for its rest.
    """
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for line in shown.splitlines():
        wanted = " ".join(line.split())
        begin = wanted.removesuffix("…").rstrip()
        if begin and not any(real.startswith(begin) if wanted.endswith("…") else real == wanted for real in lines):
            return line
    return None
