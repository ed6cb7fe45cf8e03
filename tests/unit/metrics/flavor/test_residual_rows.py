"""Residuals of injected sources, against simulations whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from injected_frames import detectors, injections, measured
from scipy import stats

from harness.judge import level
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.flavor.residual_rows import residual_rows
from harness.metrics.flavor.stages import STAGES, Stage
from harness.metrics.rows import rows_schema
from harness.metrics.settings import Settings

ALL = (Stage(""),)
COUNT = "injected.numUnmeasured"
PULLS = ("injected.fluxPullMean", "injected.fluxPullWidth", "injected.fracFluxPullTails")
MAGNITUDES = ("injected.magOffset", "injected.magScatter", "injected.numMagOutliers")
POSITIONS = ("injected.offsetRa", "injected.offsetDec", "injected.separation")
VISITS = (1, 2, 3, 4)


@pytest.fixture
def rng():
    """Return a seeded generator."""
    return np.random.default_rng(5)


def simulated(rng, n=20_000, visits=VISITS, **changes):
    """Return found injections of both signs with Gaussian errors: pulls of mean 0 and width 1, offsets of 10 mas."""
    flux = rng.choice([-1, 1], n) * 10 ** rng.uniform(3, 5, n)
    error = rng.uniform(5, 20, n)
    east, north = rng.normal(0, 10, (2, n))
    return injections(
        visit=rng.choice(visits, n),
        flux=flux,
        sourceFlux=rng.normal(flux, error),
        sourceFluxErr=error,
        snr=abs(flux) / error,
        inTemplate=flux < 0,
        offsetRa=east,
        offsetDec=north,
        separation=np.hypot(east, north) / 1000,
    ).with_columns(**changes)


def numbers(frame, stages=ALL, visits=VISITS):
    """Return the value of every metric."""
    quantities = measured(residual_rows(frame, detectors(*visits), stages, "HSC"))
    return {name: quantities[name].value for name in quantities}


def details(frame, metric, stages=ALL, visits=(1,)):
    """Return numerator and detail of the rows of a metric."""
    rows = residual_rows(frame, detectors(*visits), stages, "HSC").to_pylist()
    return [(row["numerator"], row["detail"]) for row in rows if row["metric"] == metric]


def test_every_metric_of_its_groups_has_rows_at_every_stage():
    """The names are those of the catalogue, each with one row for a visit and detector."""
    rows = residual_rows(injections(), detectors(1), [Stage(name) for name in STAGES], "HSC")
    catalogue = flavor_catalogue(Settings())
    wanted = [m.name for m in catalogue.values() if m.group in {"injected_photometry", "injected_astrometry"}]
    assert rows.schema == rows_schema()
    assert sorted(rows["metric"].to_pylist()) == sorted(wanted)
    for row in rows.to_pylist():
        assert (row["denominator"] is None) == (catalogue[row["metric"]].reduce == "sum")
        assert (row["instrument"], row["visit"], row["detector"], row["band"]) == ("HSC", 1, 0, "g")


def test_gaussian_noise_has_unit_pulls(rng):
    """Pulls of both signs of flux have mean 0, width 1, and Gaussian tails; positions their Rayleigh mean."""
    found = numbers(simulated(rng))
    n = 20_000
    assert found["injected.fluxPullMean"] == pytest.approx(0, abs=4 / math.sqrt(n))
    assert found["injected.fluxPullWidth"] == pytest.approx(1, abs=4 * math.sqrt((math.pi / 2 - 1) / n))
    tails = 2 * stats.norm.sf(3)
    assert found["injected.fracFluxPullTails"] == pytest.approx(tails, abs=4 * math.sqrt(tails / n))
    assert found["injected.magOffset"] == pytest.approx(0, abs=1e-3)
    assert found["injected.offsetRa"] == pytest.approx(0, abs=40 / math.sqrt(n))
    assert found["injected.offsetDec"] == pytest.approx(0, abs=40 / math.sqrt(n))
    assert found["injected.separation"] == pytest.approx(stats.rayleigh.mean(scale=10), rel=0.02)


def test_magnitude_scatter_is_the_standard_deviation_of_magnitudes(rng):
    """Residuals of a known width in magnitudes come out with that width and offset."""
    n = 20_000
    residual = rng.normal(0.02, 0.05, n)
    frame = injections(flux=1000.0, sourceFlux=1000 * 10 ** (-0.4 * residual), visit=1)
    found = numbers(frame, visits=(1,))
    assert found["injected.magOffset"] == pytest.approx(0.02, abs=0.002)
    assert found["injected.magScatter"] == pytest.approx(math.hypot(0.02, 0.05), rel=0.03)
    assert found["injected.numMagOutliers"] == (abs(residual) > 0.1).sum()


def test_a_bias_of_fluxes_moves_the_mean_pull(rng):
    """A bias of 0.3 sigma is the mean pull, and hardly widens the pulls."""
    biased = simulated(rng, sourceFlux=pl.col("sourceFlux") + 0.3 * pl.col("sourceFluxErr"))
    found = numbers(biased)
    assert found["injected.fluxPullMean"] == pytest.approx(0.3, abs=0.03)
    assert found["injected.fluxPullWidth"] == pytest.approx(1 + 0.3**2 / 2, abs=0.03)


def test_errors_that_are_too_small_widen_the_pulls(rng):
    """Errors underestimated by 20 % make pulls of width 1.25; mean and magnitudes stay as they are."""
    good = simulated(rng)
    found, before = numbers(good.with_columns(pl.col("sourceFluxErr") * 0.8)), numbers(good)
    assert found["injected.fluxPullWidth"] == pytest.approx(1.25, abs=0.03)
    assert found["injected.fracFluxPullTails"] == pytest.approx(2 * stats.norm.sf(2.4), rel=0.2)
    assert found["injected.fluxPullMean"] == pytest.approx(0, abs=0.04)
    assert {name: found[name] for name in (*MAGNITUDES, *POSITIONS)} == {
        name: before[name] for name in (*MAGNITUDES, *POSITIONS)
    }


def test_an_injection_into_the_template_of_the_wrong_sign_is_an_outlier(rng):
    """A negative measurement beside a positive truth shows in pulls and outliers, and not in the magnitudes' mean."""
    good = simulated(rng)
    n_negative = good.filter("inTemplate").height
    found, before = numbers(good.with_columns(pl.col("flux").abs())), numbers(good)
    assert before["injected.numMagOutliers"] == 0
    assert found["injected.numMagOutliers"] == n_negative
    assert found["injected.fracFluxPullTails"] == pytest.approx(n_negative / good.height, abs=0.01)
    assert found["injected.fluxPullMean"] < -100
    assert found["injected.magOffset"] == pytest.approx(before["injected.magOffset"], abs=1e-3)
    assert found["injected.magScatter"] == pytest.approx(before["injected.magScatter"], rel=0.1)


def test_a_measured_flux_of_zero_has_no_sign():
    """A source without any flux has no magnitude either: an outlier."""
    found = numbers(injections(sourceFlux=[0.0, 1000.0]), visits=(1,))
    assert (found["injected.numMagOutliers"], found["injected.magOffset"]) == (1, 0)
    assert found["injected.fluxPullMean"] == -50


@pytest.mark.parametrize(("column", "east", "north"), [("offsetRa", 20, 0), ("offsetDec", 0, 20)])
def test_a_shift_of_positions_moves_its_own_coordinate(rng, column, east, north):
    """A shift of 20 mas is the mean offset in its coordinate, and in no other number but the distance."""
    good = simulated(rng)
    shifted = good.with_columns(pl.col(column) + 20).with_columns(
        separation=(pl.col("offsetRa") ** 2 + pl.col("offsetDec") ** 2).sqrt() / 1000
    )
    found, before = numbers(shifted), numbers(good)
    assert found["injected.offsetRa"] == pytest.approx(before["injected.offsetRa"] + east)
    assert found["injected.offsetDec"] == pytest.approx(before["injected.offsetDec"] + north)
    assert found["injected.separation"] == pytest.approx(stats.rice.mean(2, scale=10), rel=0.02)
    assert {name: found[name] for name in (*PULLS, *MAGNITUDES)} == {
        name: before[name] for name in (*PULLS, *MAGNITUDES)
    }


def test_only_bright_injections_that_were_found_count():
    """Residuals are those of found injections of signal-to-noise 10 or more, whose flux is known."""
    frame = injections(
        snr=[10, 9.99, np.nan, 100, 100, np.inf],
        flux=[1000, 1000, 1000, np.nan, 1000, 1000],
        sourceFlux=[1010.0, 9000, 9000, 9000, 9000, 9000],
        offsetRa=[7.0, 99, 99, 9, 99, 99],
        diaSourceId=[1, 2, 3, 4, 0, 6],
    )
    found = numbers(frame, visits=(1,))
    assert found["injected.fluxPullMean"] == 1
    assert found["injected.numMagOutliers"] == 1  # the one of 9.99
    assert found["injected.offsetRa"] == 8  # where the flux is not needed


def test_outliers_are_those_of_dmtn_256():
    """More than 0.1 mag off in either direction, of signal-to-noise above 0.5."""
    off = 10 ** (0.4 * np.array([0.0999, 0.1001, -0.0999, -0.1001, 0.5, 0.5]))
    frame = injections(sourceFlux=1000 * off, snr=[0.6, 0.6, 20, 20, 0.5, np.nan])
    assert numbers(frame, visits=(1,))["injected.numMagOutliers"] == 2


@pytest.mark.parametrize("error", [0.0, -3.0, np.nan, np.inf, None])
def test_a_broken_flux_error_is_counted(error):
    """A source without a usable error is in no mean of pulls, and is counted; magnitudes do not need it."""
    frame = injections(visit=[1, 1, 2], sourceFlux=[1000.0, 1020, 1000], sourceFluxErr=10.0).with_columns(
        sourceFluxErr=pl.when(pl.col("injectionId") == 1).then(pl.lit(error, pl.Float64)).otherwise("sourceFluxErr")
    )
    assert details(frame, "injected.numUnmeasured", visits=(1, 2)) == [(1, None), (0, None)]
    assert details(frame, "injected.fluxPullMean", visits=(1, 2)) == [(2, None), (0, None)]
    assert numbers(frame, visits=(1, 2))["injected.fluxPullMean"] == 1
    assert details(frame, "injected.magScatter", visits=(1, 2))[1] == (0, None)


@pytest.mark.parametrize("flux", [np.nan, np.inf, None])
def test_a_column_without_fluxes_is_named(flux):
    """Where no source has a flux there are neither pulls nor magnitudes, and no number of outliers."""
    frame = injections(sourceFlux=[1.0, 1.0]).with_columns(sourceFlux=pl.lit(flux, pl.Float64))
    for metric in (*PULLS, *MAGNITUDES):
        ((value, reason),) = details(frame, metric)
        assert math.isnan(value)
        assert reason.startswith("all 2 sources of injections have no finite flux")
    assert details(frame, "injected.numUnmeasured") == [(2, None)]
    assert details(frame, "injected.offsetRa") == [(0, None)]


def test_a_stage_counts_the_broken_sources_that_it_leaves():
    """Flags that reject the source without an error leave none to count."""
    frame = injections(sourceFluxErr=[np.nan, 10.0], good_S6=[False, True])
    rows = residual_rows(frame, detectors(1), [Stage(""), Stage("S6")], "HSC")
    assert measured(rows)["injected.numUnmeasured"].value == 1
    assert measured(rows)["injected.numUnmeasured.S6"].value == 0


def test_each_stage_has_the_residuals_of_what_it_leaves():
    """Every list of flags has its own mean."""
    frame = injections(offsetRa=[1.0, 2, 4], good_S6=[True, False, True], good_A5=[False, True, None])
    rows = residual_rows(frame, detectors(1), [Stage(name) for name in ("", "S6", "A5")], "HSC")
    means = [
        measured(rows)[name].value for name in ("injected.offsetRa", "injected.offsetRa.S6", "injected.offsetRa.A5")
    ]
    assert means == pytest.approx([7 / 3, 2.5, 2])


def test_a_stage_that_is_not_available_says_so_once():
    """A list whose flags are missing has one row for each metric, of the whole rerun, with the reason."""
    rows = residual_rows(injections(), detectors(1, 2), [Stage("A5", "flag list A5 needs nodata")], "HSC").to_pylist()
    assert sorted(row["metric"] for row in rows) == sorted(
        f"{name}.A5" for name in (COUNT, *PULLS, *MAGNITUDES, *POSITIONS)
    )
    for row in rows:
        assert (row["visit"], row["detector"], row["detail"]) == (None, None, "flag list A5 needs nodata")
        assert math.isnan(row["numerator"])


@pytest.mark.parametrize("frame", [injections().clear(), injections(diaSourceId=0), injections(snr=5.0)])
def test_nothing_to_measure_is_said(frame):
    """Without any bright injection that was found there is no mean, and no outlier."""
    stages = [Stage(""), Stage("S6")]
    for metric in (*PULLS, "injected.offsetRa"):
        ((value, reason),) = details(frame, metric, stages)
        assert (value, reason) == (0, "no injection of signal-to-noise 10 or more was found")
        assert math.isnan(numbers(frame, stages, visits=(1,))[metric])
    ((_, reason),) = details(frame, "injected.magOffset.S6", stages)
    assert reason == ("no injection of signal-to-noise 10 or more was found with the right sign whose source S6 leaves")
    assert details(frame, "injected.numMagOutliers") == [(0, None)]


def test_unknown_truth_is_no_absence_of_outliers():
    """When no flux, or no signal-to-noise, is known, what needs it is not measured and says so."""
    reason = "the flux and signal-to-noise of no injection is known that was found"
    for unknown in ({"flux": np.nan}, {"snr": np.nan}):
        for metric in (*PULLS, *MAGNITUDES):
            ((value, said),) = details(injections(**unknown), metric)
            assert math.isnan(value)
            assert said == reason
    assert details(injections(flux=np.nan), "injected.offsetDec") == [(0, None)]
    ((value, said),) = details(injections(snr=np.nan), "injected.offsetDec")
    assert math.isnan(value)
    assert said == "the signal-to-noise of no injection is known that was found"


def test_a_detector_without_injections_counts_none():
    """A visit in which nothing was found has rows of zeros: it takes part when visits are drawn anew."""
    rows = residual_rows(injections(visit=2), detectors(1, 2), ALL, "HSC").to_pylist()
    assert [(r["visit"], r["denominator"]) for r in rows if r["metric"] == "injected.fluxPullMean"] == [(1, 0), (2, 1)]


def test_the_order_of_the_rows_does_not_matter(rng):
    """Shuffled injections give the very same numbers, to the last digit."""
    frame = simulated(rng, 2000)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    one, other = (residual_rows(each, detectors(*VISITS), ALL, "HSC") for each in (frame, shuffled))
    assert one.equals(other)


def test_no_detector_has_no_row():
    """A rerun without any visit has no rows, and no error."""
    assert residual_rows(injections().clear(), detectors(), ALL, "HSC").num_rows == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "truth"),
    [
        ("injected.fluxPullMean", 0.1),
        ("injected.fluxPullWidth", math.sqrt(math.pi / 2) * stats.foldnorm.mean(0.1 / 1.2, scale=1.2)),
        ("injected.offsetRa", 5.0),
    ],
)
def test_intervals_of_the_judge_hold_the_truth(metric, truth):
    """With visits of their own biases, the 95 % interval of a level holds the truth in 95 % of the samples or more."""
    rng, n_samples, n_visits = np.random.default_rng(1), 300, 12
    held = 0
    for _ in range(n_samples):
        n = rng.poisson(40, n_visits)
        visit = np.repeat(np.arange(n_visits), n)
        own = rng.normal(0, 1, (2, n_visits))
        pull = rng.normal(0.1 + math.sqrt(0.44) * own[0][visit], 1)  # of width 1.2 in all
        east = rng.normal(5 + 3 * own[1][visit], 10)
        frame = injections(visit=visit, sourceFlux=1000 + 10 * pull, offsetRa=east)
        rows = residual_rows(frame, detectors(*range(n_visits)), ALL, "HSC")
        held += truth in level(measured(rows)[metric], 0.95).interval
    assert held >= stats.binom.ppf(1e-3, n_samples, 0.95)
    assert held < n_samples
