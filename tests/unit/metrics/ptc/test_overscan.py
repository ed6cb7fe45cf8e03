"""Overscan level and read noise, against simulated segments whose level and noise are known."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import NotMeasuredError
from harness.metrics.ptc.overscan import subtract_overscan
from harness.rerun.raw_fits import Amplifier

ROWS, COLUMNS, PRESCAN = 800, 200, 10


def amplifier(width: int = 54, rows: int = ROWS) -> Amplifier:
    """Return a segment of 200 imaging columns."""
    last = PRESCAN + COLUMNS
    return Amplifier("C10", (slice(0, rows), slice(PRESCAN, last)), (slice(0, rows), slice(last, last + width)), None)


def segment(
    generator: np.random.Generator, noise: float, level: np.ndarray | float = 25000.0, width: int = 54, rows: int = ROWS
) -> np.ndarray:
    """Return a dark segment in whole adu, with parallel overscan rows of another level."""
    pixels = generator.normal(0, noise, (rows + 20, PRESCAN + COLUMNS + width))
    pixels[:rows] += np.reshape(level, (-1, 1))
    return np.rint(pixels).astype(np.int32)


def test_level_is_subtracted_row_by_row() -> None:
    """Rows whose level drifts and jumps come out at zero, each for itself."""
    generator = np.random.default_rng(1)
    level = 25000 + 400 * np.exp(-np.arange(ROWS) / 30) + 50 * (np.arange(ROWS) > 300)
    pixels = segment(generator, 4, level)
    pixels[:ROWS, PRESCAN : PRESCAN + COLUMNS] += 1000
    imaging, noise = subtract_overscan(pixels, amplifier())
    assert imaging.shape == (ROWS, COLUMNS)
    assert imaging.dtype == np.float32
    rows = imaging.mean(axis=1, dtype=float) - 1000
    assert abs(rows.mean()) < 4 * 4 / np.sqrt(47 * ROWS)
    assert rows.std() == pytest.approx(4 * np.sqrt(1 / 47 + 1 / COLUMNS), rel=0.1)
    assert noise == pytest.approx(np.hypot(4, 1 / np.sqrt(12)), rel=0.02)


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, np.float64])
def test_any_type_of_pixels(dtype: type) -> None:
    """The result is float32 and the same for every type of pixels; the segment is left as it was."""
    pixels = segment(np.random.default_rng(2), 5)
    expected, noise = subtract_overscan(pixels, amplifier())
    typed = pixels.clip(0).astype(dtype)
    typed.flags.writeable = False
    imaging, same_noise = subtract_overscan(typed, amplifier())
    np.testing.assert_array_equal(imaging, expected)
    assert imaging.dtype == np.float32
    assert same_noise == noise


def test_the_result_goes_where_it_is_wanted() -> None:
    """A plane of a stack is filled in place."""
    pixels = segment(np.random.default_rng(3), 5)
    expected, _ = subtract_overscan(pixels, amplifier())
    stack = np.full((2, ROWS, COLUMNS), np.nan, np.float32)
    imaging, _ = subtract_overscan(pixels, amplifier(), stack[1])
    assert np.shares_memory(imaging, stack)
    np.testing.assert_array_equal(stack[1], expected)
    assert np.isnan(stack[0]).all()


def test_deferred_charge_and_the_last_columns_do_not_count() -> None:
    """The first five overscan columns hold charge left behind, the last two are disturbed: neither moves the level."""
    clean = segment(np.random.default_rng(4), 5)
    dirty = clean.copy()
    first = PRESCAN + COLUMNS
    dirty[:, first : first + 5] += np.array([3000, 90, 30, 20, 15])
    dirty[:, -2:] -= 20
    for one, other in zip(subtract_overscan(clean, amplifier()), subtract_overscan(dirty, amplifier()), strict=True):
        np.testing.assert_array_equal(one, other)
    dirty[:, first + 5] += 6
    assert (subtract_overscan(dirty, amplifier())[0] != subtract_overscan(clean, amplifier())[0]).mean() > 0.9
    np.testing.assert_array_less(subtract_overscan(dirty, amplifier())[1], 5.2)


@pytest.mark.parametrize("noise", [1.0, 8.0])
def test_cosmic_rays_and_hot_columns_do_not_count(noise: float) -> None:
    """Bright overscan pixels, in single places, in columns and in whole rows, move neither level nor noise."""
    generator = np.random.default_rng(5)
    clean = segment(generator, noise)
    struck = clean.copy()
    overscan = struck[:ROWS, PRESCAN + COLUMNS :]
    overscan[generator.random(overscan.shape) < 0.05] += int(10 * noise)
    struck_pixels = generator.random(overscan.shape) < 0.01
    overscan[struck_pixels] += generator.exponential(3000, struck_pixels.sum()).astype(np.int32) + 200
    overscan[:, [11, 30, 31]] += 400
    overscan[100:110, :20] += 20000
    imaging, found = subtract_overscan(struck, amplifier())
    expected, without = subtract_overscan(clean, amplifier())
    moved = (imaging - expected)[:, 0] / (noise / np.sqrt(47))
    assert np.abs(moved).max() < 4
    assert abs(moved.mean()) < 0.05
    assert found == pytest.approx(without, rel=0.01)
    assert found == pytest.approx(np.hypot(noise, 1 / np.sqrt(12)), rel=0.03)


@pytest.mark.parametrize("noise", [0.4, 1.0, 2.5, 7.0, 40.0])
def test_read_noise_is_unbiased(noise: float) -> None:
    """Over many segments the noise is that of the simulation and of rounding to whole adu, within its own error."""
    generator = np.random.default_rng(6)
    levels = 25000 + generator.random(ROWS)  # else rounding to whole adu is not the noise that it is on average
    found = [subtract_overscan(segment(generator, noise, levels), amplifier())[1] for _ in range(20)]
    truth = np.hypot(noise, 1 / np.sqrt(12))
    assert np.mean(found) == pytest.approx(truth, rel=4 / np.sqrt(2 * 46 * ROWS * len(found)) + 1e-4)


def test_noise_below_a_whole_adu_is_not_clipped_away() -> None:
    """Where most pixels of a row are the same number, the others still count."""
    pixels = segment(np.random.default_rng(11), 0.4)
    overscan = pixels[:ROWS, PRESCAN + COLUMNS :]
    assert np.mean(overscan == 25000) > 0.75
    assert subtract_overscan(pixels, amplifier())[1] == pytest.approx(overscan.std(), rel=0.02)


def test_added_variance_is_that_of_a_mean() -> None:
    """The level adds read noise squared over the number of columns, common to a row, as the docstring says."""
    generator = np.random.default_rng(7)
    variance, along, across = [], [], []
    for _ in range(40):
        first, second = (subtract_overscan(segment(generator, 4), amplifier())[0].astype(float) for _ in range(2))
        difference = first - second
        variance.append(difference.var() / 2)
        along.append(np.mean(difference[:, 1:] * difference[:, :-1]) / 2)
        across.append(np.mean(difference[1:] * difference[:-1]) / 2)
    pixel = 4**2 + 1 / 12
    added = pixel / 47
    assert np.mean(variance) - pixel == pytest.approx(added, abs=4 * np.std(variance) / np.sqrt(40))
    assert np.mean(along) == pytest.approx(added, abs=4 * np.std(along) / np.sqrt(40))
    assert np.mean(across) == pytest.approx(0, abs=4 * np.std(across) / np.sqrt(40))
    assert 4 * np.std(along) / np.sqrt(40) < added / 5  # else a median would pass, which adds nearly twice as much


@pytest.mark.parametrize("width", [1, 2, 3, 7, 8, 14, 15, 64])
def test_a_narrow_overscan_leaves_out_fewer_columns(width: int) -> None:
    """However few columns there are, their level is subtracted; one column alone has no noise."""
    pixels = segment(np.random.default_rng(8), 3, width=width)
    imaging, noise = subtract_overscan(pixels, amplifier(width))
    assert imaging.mean(dtype=float) == pytest.approx(0, abs=4 * 3 / np.sqrt(ROWS))
    used = width - min(5, width // 3) - min(2, width // 7)
    assert imaging.mean(axis=1).std() == pytest.approx(3 * np.sqrt(1 / used + 1 / COLUMNS), rel=0.15)
    if width == 1:
        assert np.isnan(noise)
    else:
        assert noise == pytest.approx(3, rel=0.08)


def test_no_overscan_is_told() -> None:
    """A segment without overscan columns cannot be measured, and the sentence names amplifier and way out."""
    pixels = segment(np.random.default_rng(9), 3, width=0)
    with pytest.raises(NotMeasuredError, match=r"C10 has no overscan: .* last of 210 columns; correct DATASEC"):
        subtract_overscan(pixels, amplifier(0))


def test_rows_without_a_good_pixel_are_unknown() -> None:
    """Where the overscan of a row is NaN the row is NaN, without a warning, and the others are untouched."""
    pixels = segment(np.random.default_rng(10), 3).astype(np.float32)
    expected, noise = subtract_overscan(pixels, amplifier())
    pixels[7, PRESCAN + COLUMNS :] = np.nan
    imaging, found = subtract_overscan(pixels, amplifier())
    assert np.isnan(imaging[7]).all()
    np.testing.assert_array_equal(np.delete(imaging, 7, 0), np.delete(expected, 7, 0))
    assert found == pytest.approx(noise, rel=0.01)
    pixels[:, PRESCAN + COLUMNS :] = np.nan
    imaging, found = subtract_overscan(pixels, amplifier())
    assert np.isnan(imaging).all()
    assert np.isnan(found)


def test_a_constant_overscan() -> None:
    """An overscan without noise has no noise."""
    pixels = np.full((ROWS, PRESCAN + COLUMNS + 54), 1000, np.uint16)
    pixels[:, PRESCAN : PRESCAN + COLUMNS] = 1500
    imaging, noise = subtract_overscan(pixels, amplifier())
    np.testing.assert_array_equal(imaging, 500)
    assert noise == 0
