"""Options that several commands have in common."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "ALLOW_CI",
    "BASELINES",
    "BY",
    "DATASET",
    "FLAGS",
    "FOLDER",
    "FORMAT",
    "PSF_SIZE",
    "REFERENCE",
    "REPO",
    "RERUN",
    "SAMPLE",
    "SEED",
    "SELF",
    "STORE",
    "WHERE",
    "WORKERS",
    "options",
]

FOLDER = click.Path(file_okay=False, path_type=Path)

REPO = click.option("--repo", metavar="REPO", help="Butler repository, APDB URL, or folder with a rerun.toml.")
RERUN = click.option("--rerun", "reruns", multiple=True, metavar="NAME", help="Rerun, or NAME=REPO; may be repeated.")
REFERENCE = click.option("--reference", metavar="NAME", help="Rerun to compare with, instead of the baseline's own.")
BASELINES = click.option("--baselines", type=FOLDER, help="Folder of baseline files.  [default: baselines]")
DATASET = click.option("--dataset", metavar="NAME", help="Name of the baseline in it.")
STORE = click.option("--measurements", type=FOLDER, help="Measurement store.  [default: in the user's cache folder]")
FLAGS = click.option("--good-flags", metavar="LIST", help="Flag list that 'good source' means: S3, S6, A5 or N7.")
PSF_SIZE = click.option(
    "--psf-size", type=click.Choice(["determinant", "trace", "nea"]), help="Size of a PSF that is meant."
)
SAMPLE = click.option(
    "--sample-visits", type=click.IntRange(0), metavar="N", help="Read images of N visits alone; 0 is all."
)
SEED = click.option("--sample-seed", type=click.IntRange(0), metavar="N", help="Which sample of visits that is.")
SELF = click.option("--self-test", is_flag=True, help="Allow a rerun to be compared with itself.")
WORKERS = click.option("-j", "workers", type=click.IntRange(1), default=1, metavar="N", help="Worker processes.")
BY = click.option("--by", metavar="NAME", help="Who decides this.  [default: git's user name]")
ALLOW_CI = click.option("--allow-ci", is_flag=True, help="Do it although this is a CI machine.")
FORMAT = click.option(
    "--format", "fmt", type=click.Choice(["table", "json", "md"]), default="table", help="What to print."
)


def options(*chosen: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the decorator that gives a command these options, in this order."""
    return lambda command: reduce(lambda decorated, option: option(decorated), reversed(chosen), command)


WHERE = options(REPO, BASELINES, DATASET, STORE, FLAGS, PSF_SIZE, SAMPLE, SEED)
