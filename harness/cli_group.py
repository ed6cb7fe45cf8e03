"""The group of all commands: an error of the user's making is one line, with its exit code."""

from __future__ import annotations

import sys
from typing import Any

import click

from harness.errors import HarnessError

__all__ = ["Commands"]


class Commands(click.Group):
    """The group that turns our errors into one line and their exit code."""

    def list_commands(self, _: click.Context) -> list[str]:
        """Return the commands in the order in which they are needed."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and end with the exit code of what went wrong."""
        try:
            return super().invoke(ctx)
        except HarnessError as fault:
            click.echo(f"Error: {fault}", err=True)
            ctx.exit(fault.exit_code)
        except (KeyboardInterrupt, click.Abort):
            click.echo("Interrupted: finished measurements are kept, everything else is as it was", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            # The reader of our output (head, less) has gone: not an error, and nobody to tell.
            sys.stderr.close()
            ctx.exit(0)
