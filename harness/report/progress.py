"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from harness.measure.run import Progress

__all__ = ["shown_progress"]


@contextmanager
def shown_progress(console: Console) -> Iterator[Progress]:
    """Show how far measuring has come, while the context lasts.

    A log gets a line when a rerun begins and one when it is finished, not one per shard.
    """
    if not console.is_terminal:

        def tell(done: int, total: int, what: str) -> None:
            if done in (1, total):
                console.print(f"measuring {what}: {done} of {total} shards", soft_wrap=True)

        yield tell
        return

    from rich.progress import Progress as Bars

    with Bars(console=console, transient=True) as bars:
        tasks: dict[str, int] = {}

        def show(done: int, total: int, what: str) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(f"measuring {what}", total=total)
            bars.update(tasks[what], completed=done)  # type: ignore[arg-type]

        yield show
