"""The figure and the table of crossovers."""

from __future__ import annotations

import numpy as np
import pytest
from figure_layout import assert_nothing_overlaps
from subtractions import survey, visit_with_both

from harness.metrics.template.tables import crossover_table, measured_crossover, noise_table
from harness.metrics.template.visit_images import joined
from harness.report.crossover_figures import crossover_figure, crossover_listing


def noise_of(subtractions):
    """Return the table of noise of some subtractions."""
    return noise_table(joined(subtractions), "determinant")


def lines(axes):
    """Return x and y of each line of a panel by its label."""
    return {line.get_label(): np.transpose(line.get_xydata()) for line in axes.lines}


@pytest.fixture(scope="module")
def noise():
    """Return the noise of a survey whose visits cross over."""
    return noise_of(survey(np.random.default_rng(0)))


def test_crossover_is_marked_with_its_limits(noise):
    """The line and the band stand where the survey's crossover is, and the words say so."""
    found = measured_crossover(noise)
    figure, words = crossover_figure(noise)
    left = figure.axes[0]
    assert lines(left)["crossover"][0][0] == found.value
    (band,) = (patch for patch in left.patches if patch.get_label() == "99 % limits")
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((found.low, found.high))
    assert f"{found.value:.3g} times" in words


def test_points_are_measured_and_expected_ratios(noise):
    """Each visit has both ratios at its size, and the fitted line goes through what was measured."""
    figure, _ = crossover_figure(noise)
    left, right = figure.axes[:2]
    rows = noise.to_pylist()
    size = [row["visit_fwhm"] / row["fwhm_deep"] for row in rows]
    measured = [row["measured_good"] / row["measured_deep"] for row in rows]
    (points,) = (each for each in left.collections if each.get_label() == "measured")
    np.testing.assert_allclose(points.get_offsets(), np.transpose([size, measured]))
    np.testing.assert_array_equal(points.get_array(), [row["n_deep"] for row in rows])
    _, expected = lines(left)["expected"]
    np.testing.assert_allclose(expected, [row["expected_good"] / row["expected_deep"] for row in rows])
    x, fitted = np.log(lines(right)["fitted line"])
    np.testing.assert_allclose(fitted, np.polyval(np.polyfit(np.log(expected), np.log(measured), 1), x), atol=1e-9)


def test_theory_puts_points_on_the_line_of_equality():
    """Where noise is as expected, measured and expected ratios are equal."""
    rng = np.random.default_rng(5)
    exact = [
        each
        for visit in range(40)
        for each in visit_with_both(visit, float(rng.uniform(3, 9)), deep=5.5 + visit % 5 / 5, coadd=f"{visit % 5} r")
    ]
    figure, _ = crossover_figure(noise_of(exact))
    (points,) = (each for each in figure.axes[1].collections if each.get_label() == "measured")
    x, y = points.get_offsets().T
    np.testing.assert_allclose(x, y, rtol=1e-6)


@pytest.mark.parametrize(
    "subtractions",
    [
        [],
        visit_with_both(1),
        visit_with_both(1, n_good=3, n_deep=3),
        [each for visit in range(9) for each in visit_with_both(visit)],
    ],
)
def test_no_crossover_says_why(subtractions):
    """Without images, or with all of them alike, the figure stands, and the words give the reason."""
    figure, words = crossover_figure(noise_of(subtractions))
    figure.draw_without_rendering()
    assert words.startswith("No crossover is measured: ")
    assert "crossover" not in lines(figure.axes[0])


def test_nothing_lies_over_anything_else(noise):
    """Panels, colour bar and legend stand apart."""
    assert_nothing_overlaps(crossover_figure(noise)[0])


def test_table_has_a_row_for_each_template(noise):
    """Numbers are those of the table, the shallowest template first, with dashes and a reason where there is none."""
    alike = [each for visit in (-1, -2) for each in visit_with_both(visit, good=6, deep=6, coadd="alike r")]
    table = crossover_table(noise_of([*survey(np.random.default_rng(0), 3), *alike]))
    listing = crossover_listing(table, "found")
    assert len(listing.rows) == 4
    deep = [row["n_deep"] for row in listing.rows]
    assert deep == sorted(deep)
    shown = {row["coadd"]: [column.show(row[column.key]) for column in listing.columns] for row in listing.rows}
    assert shown["templates of visit -2"][-4] == "–"
    assert shown["templates of visit -2"][-1] == "the good template is not the sharper one"
    other = next(row for row in listing.rows if row["coadd"] != "templates of visit -2")
    assert float(shown[other["coadd"]][6]) == pytest.approx(other["crossover"], abs=0.005)
    assert listing.notes == ["found"]
