"""The command line: thin commands over library functions.

Exit codes: 0 all hold, 1 something FAILs, 2 usage, 3 something could not be judged, 4 a baseline or measurement file is
broken, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

import harness
from harness.cli_group import Commands
from harness.cli_options import (
    ALLOW_CI,
    BASELINES,
    BY,
    DATASET,
    FOLDER,
    FORMAT,
    REFERENCE,
    REPO,
    RERUN,
    SELF,
    WHERE,
    WORKERS,
    options,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from harness.report.listing import Format, Listing
    from harness.session import Session
    from harness.verify import Outcome

__all__ = ["main"]

# Fits are many and their matrices small: threads of linear algebra would wait for each other most of the time, here
# and in the workers that inherit this.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(harness.__version__, package_name="rerun-harness")
def main() -> None:
    """Verify reruns of the same images: say what changed, by how much, where, and whether it is accepted.

    Without --repo, a small embedded survey is used.  Exit codes: 0 all hold, 1 something FAILs, 2 usage, 3 something
    could not be judged, 4 a baseline or measurement file is broken, 130 interrupted.
    """


@main.command()
@options(RERUN, REFERENCE, WHERE, SELF, WORKERS, FORMAT)
@click.option("-v", "--verbose", is_flag=True, help="Show what was shown of each, with rule, estimate and baseline.")
@click.option("--checks", type=click.Path(exists=True, path_type=Path), help="Folder or file of checks to run.")
@click.option("--inconclusive", type=click.Choice(["fail", "warn"]), default="fail", help="When data cannot decide.")
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def verify(
    checks: Path | None,
    workers: int,
    fmt: Format,
    pytest_args: tuple[str, ...],
    inconclusive: str,
    *,
    verbose: bool,
    **asked: Any,
) -> None:
    """Measure what is missing, judge it, and report.

    Arguments after -- go to pytest (such as -k objects).
    """
    from harness.report.verdicts import verdict_listing

    session = _session(tolerate_inconclusive=inconclusive == "warn", **asked)
    outcome, notes, code = _judge(session, workers, checks, pytest_args)
    told = [*outcome.problems, *notes]
    _print(verdict_listing(outcome.verdicts, session.describe(), notes=told, verbose=verbose), fmt)
    sys.exit(code)


@main.command()
@options(RERUN, REFERENCE, WHERE, SELF, WORKERS)
@click.option("--checks", type=click.Path(exists=True, path_type=Path), help="Folder or file of checks to run.")
@click.option(
    "--out",
    "paths",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    default=[Path("report.html")],
    help="The page; or .md or .json, by the end of the name.  May be repeated.  [default: report.html]",
)
def report(checks: Path | None, workers: int, paths: tuple[Path, ...], **asked: Any) -> None:
    """Write what verify finds, with figures, as one HTML page, as Markdown or as JSON.

    The page needs no network and nothing beside it; the exit code is that of verify.  On GitHub, what does not hold is
    annotated as well.
    """
    from harness.report.forms import check_report_paths, write_reports
    from harness.report.verdicts import summary

    check_report_paths(paths)  # now, rather than when all is measured
    session = _session(**asked)
    outcome, notes, code = _judge(session, workers, checks)
    content = write_reports(paths, session, outcome, notes)
    click.echo(f"wrote {', '.join(map(str, paths))}: {summary(outcome.verdicts)}")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from harness.report.annotations import github_annotations

        for line in github_annotations(content):
            click.echo(line)
    sys.exit(code)


@main.command()
@options(RERUN, REFERENCE, WHERE, SELF, WORKERS, FORMAT)
@click.option("--by", "by", metavar="DIMENSIONS", default="", help="Print per visit, detector, band (comma separated).")
@click.option("--metric", "globs", multiple=True, metavar="GLOB", help="Print only these; may be repeated.")
def measure(workers: int, fmt: Format, by: str, globs: tuple[str, ...], **asked: Any) -> None:
    """Only measure, and print what was measured."""
    from harness.report.measured import measurement_listing

    session = _session(baseline_optional=True, **asked)
    _measure(session, workers)
    dimensions = tuple(filter(None, (part.strip() for part in by.split(","))))
    _print(measurement_listing([session.measurements(ref) for ref in session.refs], dimensions, globs), fmt)


@main.command()
@click.argument("rerun")
@click.argument("reference", required=False)
@options(WHERE, SELF, WORKERS, FORMAT)
def diff(rerun: str, reference: str | None, workers: int, fmt: Format, **asked: Any) -> None:
    """Compare two reruns, metric by metric.

    RERUN is compared with REFERENCE (or the baseline); with churn, and where it comes from.
    """
    from harness.report.difference import difference_listing

    session = _session(reruns=(rerun,), reference=reference, baseline_optional=reference is not None, **asked)
    _measure(session, workers)
    _print(difference_listing(session), fmt)


@main.command()
@click.argument("rerun")
@click.argument("globs", nargs=-1, metavar="[METRIC]...")
@options(WHERE, REFERENCE, WORKERS)
@click.option("--reason", required=True, help="Why this is now what should hold.")
@click.option("--ticket", default="", help="Ticket, such as DM-25125.")
@click.option("--rtol", type=click.FloatRange(min=0), help="Relative tolerance of new entries.")
@click.option("--atol", type=click.FloatRange(min=0), help="Absolute tolerance of new entries, in the metric's unit.")
@click.option("--low", type=float, help="What the value has to lie above, instead.")
@click.option("--high", type=float, help="What it has to lie below; with --low, within both.")
@click.option("--agrees-with", metavar="METRIC", help="With --rtol: the estimate it has to agree with, instead.")
@click.option("--better", type=click.Choice(["lower", "higher"]), help="A change in this direction is no failure.")
@click.option("--remove", is_flag=True, help="Remove the entries of metrics that RERUN does not have.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@BY
@ALLOW_CI
@FORMAT
def accept(rerun: str, globs: tuple[str, ...], workers: int, fmt: Format, **asked: Any) -> None:
    """Update the baseline with what RERUN gave.

    For METRICs (globs; default all), the measured value becomes what should hold.
    """
    from harness.report.acceptance import accept_plan, plan_rerun

    story = {name: asked.pop(name) for name in ("reason", "ticket", "by", "allow_ci")}
    numbers = {name: asked.pop(name) for name in ("rtol", "atol", "low", "high", "agrees_with")}
    remove, dry_run, better = asked.pop("remove"), asked.pop("dry_run"), asked.pop("better")
    session = _session(reruns=(rerun,), **asked)
    _measure(session, workers)
    plan = plan_rerun(session, globs, numbers, better=better, remove=remove)
    _print(accept_plan(session, plan, None if dry_run else story), fmt)


@main.command()
@click.argument("rerun")
@options(WHERE, REFERENCE, WORKERS)
@click.option("--reason", help="Why; asked for at the end when not given.")
@click.option("--ticket", default="", help="Ticket, such as DM-25125.")
@BY
@ALLOW_CI
def review(rerun: str, workers: int, **asked: Any) -> None:
    """Walk through what changed, one by one.

    What changed in RERUN against the baseline is shown in turn, to be accepted, rejected or skipped.
    """
    from harness.report.acceptance import review_rerun

    story = {name: asked.pop(name) for name in ("reason", "ticket", "by", "allow_ci")}
    session = _session(reruns=(rerun,), **asked)
    _measure(session, workers)
    _print(review_rerun(session, story), "table")


@main.command()
@click.argument("metric")
@options(REPO, BASELINES, DATASET)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day on which it may fail.")
@click.option("--ticket", help="Ticket under which it is worked on.")
@click.option("--reason", help="Why it may fail until then.")
@click.option("--remove", is_flag=True, help="Take the acknowledgement back.")
@BY
@ALLOW_CI
@FORMAT
def acknowledge(metric: str, fmt: Format, **asked: Any) -> None:
    """Acknowledge a known failure, until a date.

    METRIC (a glob) may fail until then, under a ticket.
    """
    from harness.report.acceptance import acknowledge_metric

    decision = {name: asked.pop(name) for name in ("until", "ticket", "reason", "by", "remove", "allow_ci")}
    _print(acknowledge_metric(_session(**asked), metric, **decision), fmt)


@main.command()
@options(BASELINES, FORMAT)
@click.option("--fix", is_flag=True, help="Rewrite files whose only fault is their formatting.")
def check(baselines: Path | None, fmt: Format, fix: bool) -> None:
    """Check the baseline files.

    Schema, canonical bytes, orphans, definitions, expired acknowledgements.
    """
    from harness.report.checked import check_baselines

    listing, code = check_baselines(baselines or Path("baselines"), fix=fix)
    _print(listing, fmt)
    sys.exit(code)


@main.command()
@click.option(
    "--config", type=click.Path(dir_okay=False, path_type=Path), default=Path("nightly.toml"), help="What to look for."
)
@click.option("--since", metavar="RERUN", default="", help="Only reruns after this one, in the order of names.")
@click.option("--dry-run", is_flag=True, help="Only say what is new.")
@options(WORKERS, FORMAT)
def nightly(config: Path, since: str, workers: int, fmt: Format, *, dry_run: bool) -> None:
    """Judge the reruns that appeared since the last time.

    Each is measured, judged, confirmed where it fails, reported, added to the history and announced, as nightly.toml
    says; the exit code is that of the worst.
    """
    from harness.nightly.config import read_nightly_toml
    from harness.nightly.night import night_listing
    from harness.nightly.run import nightly as judge_what_is_new
    from harness.report.progress import shown_progress

    content = read_nightly_toml(config)
    with shown_progress(_console(stderr=True)) as progress:
        night = judge_what_is_new(content, since=since, dry_run=dry_run, workers=workers, progress=progress)
    _print(night_listing(night), fmt)
    sys.exit(night.exit_code)


@main.command()
@click.argument("metric")
@click.option("--history", "folder", type=FOLDER, default=Path("history"), help="Its folder.  [default: history]")
@options(BASELINES, DATASET, FORMAT)
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw it, as .png, .svg or .pdf.")
def history(metric: str, folder: Path, fmt: Format, plot: Path | None, **asked: Any) -> None:
    """Show a metric through time, with what is accepted and where its level changed."""
    from harness.history.told import draw_trend, metric_history

    listing, found = metric_history(folder, metric, asked["baselines"] or Path("baselines"), asked["dataset"] or "")
    if plot is not None:
        draw_trend(found, plot)
    _print(listing, fmt)


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE...")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only specifications with it; may be repeated.")
@click.option("--history", "folder", type=FOLDER, help="Keep published release reports (.csv) as this history.")
@FORMAT
def import_(files: tuple[Path, ...], tags: tuple[str, ...], folder: Path | None, fmt: Format) -> None:
    """Judge measurements of other tools by the specifications that they bring.

    A FILE is a job of lsst.verify, a bundle of lsst.analysis_tools, or one measurement in YAML.  With --history it is a
    table of release reports, which is kept as a history and compared with itself.
    """
    if folder is not None:
        from harness.history.released import keep_release_reports

        for path in files:
            _print(keep_release_reports(path, folder), fmt)
        return
    from harness.exchange.files import read_job
    from harness.exchange.judged import judge_job, unspecified
    from harness.report.verdicts import exit_code, verdict_listing

    jobs = {str(path): read_job(path) for path in files}
    verdicts = [verdict for name, job in jobs.items() for verdict in judge_job(job, name, tags=tags)]
    notes = [line for name, job in jobs.items() if (line := unspecified(job, name))]
    _print(verdict_listing(verdicts, f"measurements of {', '.join(jobs)}", notes=notes), fmt)
    sys.exit(exit_code([verdict.state for verdict in verdicts]))


@main.command()
@click.argument("rerun")
@options(REFERENCE, WHERE, WORKERS)
@click.option("--as", "form", type=click.Choice(["verify", "influx"]), default="verify", help="Job, or line protocol.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File.  [default: standard output]")
def export(rerun: str, workers: int, form: Literal["verify", "influx"], out: Path | None, **asked: Any) -> None:
    """Write what was measured and judged of RERUN for other tools.

    As a job of lsst.verify, or as line protocol of InfluxDB.  The exit code is that of verify.
    """
    from datetime import UTC, datetime

    from harness.atomic import write_atomic
    from harness.exchange.files import exported

    session = _session(reruns=(rerun,), **asked)
    outcome, _, code = _judge(session, workers, None)
    measurements = session.measurements(session.refs[0])
    text = exported(measurements, outcome.verdicts, session.dataset or "", form, datetime.now(UTC))
    if out is None:
        click.echo(text, nl=False)
    else:
        write_atomic(out, text)
    sys.exit(code)


@main.command()
@click.argument("folder", type=FOLDER)
def init(folder: Path) -> None:
    """Start a repository of your own checks.

    Checks, baselines and the configuration of pytest are written to FOLDER.
    """
    from harness.scaffold import start_repository

    for path in start_repository(folder):
        click.echo(f"wrote {path}")


def _session(**asked: Any) -> Session:
    from harness.request import Request
    from harness.session import Session

    return Session(Request(**asked), tell=lambda line: click.echo(line, err=True))


def _judge(
    session: Session, workers: int, checks: Path | None, pytest_args: Sequence[str] = ()
) -> tuple[Outcome, list[str], int]:
    """Measure what is missing and judge it; return what came of it, what was not judged, and the exit code."""
    from harness.report.verdicts import exit_code, not_judged
    from harness.verify import judge_with_pytest

    session.resolve()
    _measure(session, workers)
    outcome = judge_with_pytest(session, checks, pytest_args)
    notes = [line for ref in session.refs if (line := not_judged(session, ref))]
    states = [verdict.state for verdict in outcome.verdicts]
    code = exit_code(states, tolerate_inconclusive=session.request.tolerate_inconclusive)
    return outcome, notes, 1 if outcome.problems else code


def _measure(session: Session, workers: int) -> None:
    from harness.measure.run import process_executor
    from harness.report.progress import shown_progress

    with process_executor(workers) as executor, shown_progress(_console(stderr=True)) as progress:
        session.measure(executor=executor, progress=progress)


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        # In a file or a CI log a table must not be folded to an imagined screen.
        console.width = max(console.width, 200)
    return console


def _print(listing: Listing, fmt: Format) -> None:
    from harness.report.listing import print_listing

    print_listing(listing, fmt, _console())
