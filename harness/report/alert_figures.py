"""Alert packets, drawn: whether variances add up, fluxes are found again, and which PSF is the sharper one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from harness.report.drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    Drawing,
    finished,
    note_beyond,
    say,
    shown_range,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from harness.rerun.protocol import RerunRef
    from harness.session import Session

__all__ = ["alert_panels", "drawings"]

#: So many visits have their numbers below the axis.
_NAMED = 12
_GOLDEN = 0.618034


def drawings(_session: Session, ref: RerunRef, tables: Sequence[pa.Table]) -> Iterator[Drawing]:
    """Yield the figure of a rerun's alerts."""
    import pyarrow as pa

    alerts = pa.concat_tables(tables)
    readable = alerts.filter(alerts["visit"].is_valid())
    if not readable.num_rows:
        return
    yield Drawing(
        f"{ref.name}: alert packets",
        f"Of {readable.num_rows} alerts: variance of the difference over that of science image and template by visit, "
        "PSF flux found in the difference pixels over psfFlux against signal-to-noise, and PSF FWHM of template and "
        "difference against that of the science image.",
        alert_panels(readable),
    )


def alert_panels(alerts: pa.Table) -> Figure:
    """Draw variance additivity by visit, flux ratio against signal-to-noise, and PSF sizes.

    Parameters
    ----------
    alerts
        Of `harness.metrics.alerts.numbers.alerts_schema`, those that could be read.
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    panels: Any = figure.subplots(1, 3)
    _draw_additivity(panels[0], np.asarray(alerts["visit"].to_numpy()), _numbers(alerts, "additivity"))
    _draw_fluxes(panels[1], alerts)
    _draw_sizes(panels[2], alerts)
    for axes in panels:
        axes.tick_params(labelsize="small")
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_fontsize("small")
        axes.grid(alpha=0.3)
    return finished(figure)


def _numbers(alerts: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column; what is null is NaN."""
    return np.asarray(alerts[name].cast("float64").to_numpy(), np.float64)


def _draw_additivity(axes: Axes, visit: NDArray[np.int64], additivity: NDArray[np.float64]) -> None:
    visits, at = np.unique(visit, return_inverse=True)
    axes.set(xlabel="visit", ylabel="variance of difference over sum", xlim=(-0.6, len(visits) - 0.4))
    known = np.isfinite(additivity)
    if not known.any():
        say(axes, "no alert has three variances")
        return
    shown = shown_range(np.append(additivity[known], 1.0))
    beside = 0.5 * (np.arange(len(at)) * _GOLDEN % 1 - 0.5)  # so that none hides another
    axes.plot((at + beside)[known], additivity[known], ".", color=SKY, ms=5, label="alert")
    measured = np.unique(at[known])
    medians = [np.median(additivity[known & (at == number)]) for number in measured]
    axes.plot(measured, medians, "_", color=BLACK, ms=18, mew=2, label="median of the visit")
    axes.axhline(1, color=GREY, lw=1, ls="--")
    axes.set_ylim(*shown)
    note_beyond(axes, additivity, shown)
    if len(visits) <= _NAMED:
        axes.set_xticks(range(len(visits)), [str(each) for each in visits], rotation=90)
    else:
        axes.set(xticks=[], xlabel=f"{len(visits)} visits")


def _draw_fluxes(axes: Axes, alerts: pa.Table) -> None:
    axes.set(xlabel="|psfFlux|/psfFluxErr", ylabel="PSF flux of the pixels over psfFlux")
    ratio, pull = _numbers(alerts, "fluxRatio"), _numbers(alerts, "pull")
    with np.errstate(divide="ignore", invalid="ignore"):
        signal = pull / (ratio - 1)  # the pull is (ratio - 1) psfFlux / psfFluxErr
    clean = np.array([reason == "" for reason in alerts["unclean"].to_pylist()], bool)
    known = np.isfinite(signal) & (signal != 0)
    if not known.any():
        say(axes, "no flux could be measured")
        return
    shown = shown_range(np.append(ratio[known & clean], 1.0))
    for chosen, label, marker, colour in (
        (known & clean & (signal > 0), "positive flux", ".", BLUE),
        (known & clean & (signal < 0), "negative flux", ".", ORANGE),
        (known & ~clean, "not clean", "x", GREY),
    ):
        if chosen.any():
            axes.plot(np.abs(signal[chosen]), ratio[chosen], marker, color=colour, ms=5, label=label)
    steps = np.geomspace(np.abs(signal[known]).min(), np.abs(signal[known]).max(), 100)
    for sign in (-1, 1):
        axes.plot(steps, 1 + sign / steps, color=BLACK, lw=1, ls=":", label="one psfFluxErr off")
    axes.axhline(1, color=GREY, lw=1, ls="--")
    axes.set_xscale("log")
    axes.set_ylim(*shown)
    note_beyond(axes, ratio[known], shown)


def _draw_sizes(axes: Axes, alerts: pa.Table) -> None:
    science, template, difference = (_numbers(alerts, f"{name}Fwhm") for name in ("science", "template", "difference"))
    axes.set(xlabel="science image PSF FWHM (pixel)", ylabel="PSF FWHM (pixel)")
    if not (np.isfinite(science) & (np.isfinite(template) | np.isfinite(difference))).any():
        say(axes, "no alert has the PSF of its science image and another one")
        return
    shown = shown_range(np.concatenate([science, template, difference]))
    axes.plot(shown, shown, "--", color=GREY, lw=1)
    axes.plot(science, difference, "s", color=PURPLE, ms=5, mfc="none", label="PSF of the difference")
    axes.plot(science, template, ".", color=GREEN, ms=5, label="PSF of the template")
    axes.set(xlim=shown, ylim=shown)
    note_beyond(axes, np.concatenate([science, template, difference]), shown)
