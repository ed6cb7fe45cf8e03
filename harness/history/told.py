"""What the history tells of a metric: the trends of one dataset, against what its baseline accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.baseline.files import read_baseline
from harness.errors import UsageError
from harness.history.listing import trend_listing
from harness.history.plot import trend_drawing
from harness.history.store import HistoryStore
from harness.history.trend import trends

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.history.trend import Trend
    from harness.report.listing import Listing

__all__ = ["draw_trend", "metric_history"]

_FORMS = (".png", ".svg", ".pdf")


def metric_history(folder: Path, metric: str, baselines: Path, dataset: str = "") -> tuple[Listing, list[Trend]]:
    """Return the trends of a metric, and all that is to be said of them.

    Parameters
    ----------
    folder
        Of the history.
    metric
        Name of the metric.
    baselines
        Folder of baseline files: what the dataset's own accepts is shown beside its trend.
    dataset
        Of which; empty for the only one.

    Raises
    ------
    harness.errors.UsageError
        When there is no such history, dataset or metric, or the history holds several datasets and none is named.
    harness.errors.BrokenFileError
        When the baseline is broken.
    """
    frame, problems = HistoryStore(folder).read()
    held = frame["dataset"].unique().sort().to_list()
    if not held:
        raise UsageError(f"the history in {folder} holds nothing yet; rerun-harness nightly adds to it")
    if not dataset and len(held) > 1:
        raise UsageError(f"{folder} holds several datasets; say which with --dataset: {', '.join(held)}")
    if dataset and dataset not in held:
        raise UsageError(f"{folder} holds no dataset {dataset!r}; there are {', '.join(held)}")
    chosen = dataset or held[0]
    path = baselines / f"{chosen}.json"
    baseline = read_baseline(path) if path.exists() else None
    found = trends(frame.filter(frame["dataset"] == chosen), metric, baseline=baseline)
    return trend_listing(found, problems), found


def draw_trend(found: Sequence[Trend], path: Path) -> None:
    """Draw the trend that the newest value belongs to.

    Parameters
    ----------
    found
        The trends of one metric.
    path
        A file whose name ends in .png, .svg or .pdf; it is replaced.

    Raises
    ------
    harness.errors.UsageError
        When its name ends in something else, or its folder is not there.
    """
    import io

    from harness.atomic import write_atomic

    if path.suffix.lower() not in _FORMS:
        raise UsageError(f"cannot draw {path}: a plot is {', '.join(_FORMS[:-1])} or {_FORMS[-1]}")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}")
    drawn = io.BytesIO()
    newest = next((trend for trend in found if trend.is_current), found[-1])
    trend_drawing(newest).figure.savefig(drawn, format=path.suffix.lower().removeprefix("."))
    write_atomic(path, drawn.getvalue())
