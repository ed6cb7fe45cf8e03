"""World coordinates of archives against astropy's, from the same numbers as keywords of a header."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from archived_objects import archive_of, row, tan_wcs
from astropy.io import fits
from astropy.wcs import WCS
from starlink import Ast

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures.wcs import local_affine, read_wcs, sky_about

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.rerun.exposures.archive import Archive

CRVAL, CRPIX = (151.3192662, 1.61504461), (965.84269774, 2103.38916604)
CD = np.array([[1.59205393e-07, -4.62198738e-05], [-4.66160954e-05, 1.06453328e-07]])
A = {(2, 0): 5.2e-7, (1, 1): 1.6e-6, (0, 2): 2.0e-7, (3, 0): -5.3e-11, (1, 2): -3.4e-10}
B = {(2, 0): 1.1e-6, (1, 1): 3.3e-7, (0, 2): 2.1e-6, (2, 1): -1.8e-10, (0, 3): -1.0e-10}
X, Y = np.array([0.0, 2047.0, 1023.5, 300.25]), np.array([0.0, 4176.0, 2088.5, 3900.75])


def _matrix(coefficients: dict[tuple[int, int], float]) -> np.ndarray:
    matrix = np.zeros((4, 4))
    for powers, value in coefficients.items():
        matrix[powers] = value
    return matrix


def _header(*, distorted: bool) -> fits.Header:
    """Return the same world coordinates as keywords: a reference pixel is counted from 1 there."""
    suffix = "-SIP" if distorted else ""
    header = fits.Header({"CTYPE1": f"RA---TAN{suffix}", "CTYPE2": f"DEC--TAN{suffix}"})
    for i in (0, 1):
        header[f"CRVAL{i + 1}"], header[f"CRPIX{i + 1}"] = CRVAL[i], CRPIX[i] + 1
        for j in (0, 1):
            header[f"CD{i + 1}_{j + 1}"] = CD[i, j]
    if distorted:
        for name, coefficients in (("A", A), ("B", B)):
            header[f"{name}_ORDER"] = 3
            header.update({f"{name}_{i}_{j}": value for (i, j), value in coefficients.items()})
    return header


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Callable[..., Archive]]:
    """Return what stores objects in an archive."""
    with ExitStack() as files:

        def store(*objects: Any) -> Archive:
            return files.enter_context(archive_of(tmp_path / f"wcs{len(list(tmp_path.iterdir()))}.fits", *objects))

        yield store


def _sip() -> dict[str, np.ndarray]:
    return {"A": _matrix(A), "B": _matrix(B), "Ap": np.zeros((5, 5)), "Bp": np.zeros((5, 5))}


@pytest.mark.parametrize("points", [tuple, np.array])
@pytest.mark.parametrize("distorted", [False, True])
def test_tan_wcs_is_that_of_a_header(stored: Any, distorted: bool, points: Any) -> None:
    """Matrices are stored by columns, the reference pixel is counted from 0: the sky agrees to 1e-9 degrees."""
    wcs = read_wcs(stored(tan_wcs(points(CRVAL), points(CRPIX), CD, **(_sip() if distorted else {}))), 1)
    sky = WCS(_header(distorted=distorted)).all_pix2world(X, Y, 0)
    np.testing.assert_allclose(wcs.pixel_to_world(X, Y), sky, rtol=0, atol=1e-9)
    np.testing.assert_allclose(wcs.world_to_pixel(*sky), [X, Y], rtol=0, atol=1e-5)


def test_far_side_of_the_sky_has_no_pixel(stored: Any) -> None:
    """More than 90 degrees off the tangent point there is none, which is not an error."""
    wcs = read_wcs(stored(tan_wcs(CRVAL, CRPIX, CD, **_sip())), 1)
    pixels = wcs.world_to_pixel(np.array([331.3, CRVAL[0], 250.0]), np.array([-1.6, CRVAL[1], 0.0]))
    np.testing.assert_array_equal(np.isnan(pixels), [[True, False, True]] * 2)
    np.testing.assert_allclose(pixels[:, 1], CRPIX, atol=1e-6)
    assert np.isnan(wcs.world_to_pixel(np.array([331.3]), np.array([-1.6]))).all()


def test_surroundings_of_a_pixel_map_linearly(stored: Any) -> None:
    """The affine map to an image turned by 90 degrees, with pixels twice as large, is that turn and that scale."""
    archive = stored(tan_wcs((30.0, 10.0), (100.0, 200.0), CD), tan_wcs((30.0, 10.0), (50.0, 60.0), 2 * CD @ TURN))
    place, matrix = local_affine(sky_about(read_wcs(archive, 1), 110.0, 220.0), read_wcs(archive, 2))
    expected = np.linalg.inv(2 * TURN)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(place, expected @ [10.0, 20.0] + [50.0, 60.0], rtol=0, atol=1e-7)


TURN = np.array([[0.0, -1.0], [1.0, 0.0]])


def test_affine_map_follows_the_distortion(stored: Any) -> None:
    """It is the derivative of astropy's own map from one header to the other."""
    archive = stored(tan_wcs(CRVAL, CRPIX, CD, **_sip()), tan_wcs(CRVAL, CRPIX, CD))
    x, y, step = 1800.0, 300.0, 1e-2
    place, matrix = local_affine(sky_about(read_wcs(archive, 1), x, y), read_wcs(archive, 2))

    def mapped(x: float, y: float) -> np.ndarray:
        plain, bent = WCS(_header(distorted=False)), WCS(_header(distorted=True))
        return np.array(plain.all_world2pix(*bent.all_pix2world(x, y, 0), 0))

    np.testing.assert_allclose(place, mapped(x, y), rtol=0, atol=1e-7)
    by_x, by_y = ((mapped(x + dx, y + dy) - mapped(x - dx, y - dy)) / (2 * step) for dx, dy in [(step, 0), (0, step)])
    np.testing.assert_allclose(matrix, np.stack([by_x, by_y], axis=1), rtol=0, atol=1e-6)
    assert abs(matrix - np.eye(2)).max() > 1e-3


def test_unknown_class_is_named(stored: Any) -> None:
    """World coordinates that nobody here knows say their class and file."""
    with pytest.raises(NotMeasuredError, match=r"wcs0\.fits holds world coordinates of the class DistortedTanWcs"):
        read_wcs(stored(("DistortedTanWcs", [row(crval=np.array([1.0, 2.0]))])), 1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"A": np.zeros(15)}, "has 15 numbers in its field A, which is no square matrix"),
        ({"A": np.full(16, np.nan)}, "has a number in its field A that is not finite"),
    ],
)
def test_broken_distortion_is_named(stored: Any, changed: dict[str, np.ndarray], said: str) -> None:
    """Coefficients that make no matrix are damage."""
    with pytest.raises(BrokenFileError, match=said):
        read_wcs(stored(tan_wcs(CRVAL, CRPIX, CD, **(_sip() | changed))), 1)


def test_reference_that_is_no_number_is_broken(stored: Any) -> None:
    """A reference point must be somewhere."""
    with pytest.raises(BrokenFileError, match="has a point in its field crval that is not finite"):
        read_wcs(stored(tan_wcs((np.nan, 1.6), CRPIX, CD)), 1)


def test_singular_matrix_is_broken(stored: Any) -> None:
    """Pixels without an area are no pixels."""
    with pytest.raises(BrokenFileError, match=r"^TanWcs \(object 1 .* is not world coordinates; fetch the file again"):
        read_wcs(stored(tan_wcs(CRVAL, CRPIX, np.zeros((2, 2)))), 1)


class _Sink:
    """Takes lines from an ``Ast.Channel``."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def astsink(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(scope="module")
def sky_wcs() -> str:
    """Return the text of a SkyWcs as AST itself dumps it: a pixel is a microradian."""
    frames = Ast.FrameSet(Ast.Frame(2, "Domain=PIXELS"))
    frames.addframe(Ast.BASE, Ast.ZoomMap(2, 1e-6), Ast.SkyFrame("System=ICRS"))
    sink = _Sink()
    Ast.Channel(None, sink).write(frames)
    return "1 SkyWcs 0 " + "\n".join(sink.lines)


def _sky_wcs(text: str) -> Any:
    return "SkyWcs", [row(wcs=text.encode())]


def test_sky_wcs_is_read_by_ast(stored: Any, sky_wcs: str) -> None:
    """Its sky is in radians, and is returned in degrees."""
    wcs = read_wcs(stored(_sky_wcs(sky_wcs)), 1)
    sky = np.degrees(1e-6 * np.array([X, Y]))
    np.testing.assert_allclose(wcs.pixel_to_world(X, Y), sky, rtol=1e-12)
    np.testing.assert_allclose(wcs.world_to_pixel(*sky), [X, Y], rtol=1e-12)


def test_sky_without_a_pixel_is_nan(stored: Any) -> None:
    """A tangent plane of AST is that of astropy; on the far side of the sky AST marks places by a number of its own."""
    header = _header(distorted=False)
    sink = _Sink()
    Ast.Channel(None, sink).write(Ast.FitsChan([str(card) for card in header.cards]).read())
    wcs = read_wcs(stored(_sky_wcs("1 SkyWcs 0 " + "\n".join(sink.lines))), 1)
    sky = WCS(header).all_pix2world(X, Y, 1)  # a frame that AST makes of a header counts pixels from 1
    np.testing.assert_allclose(wcs.pixel_to_world(X, Y), sky, rtol=0, atol=1e-9)
    pixels = wcs.world_to_pixel(np.array([CRVAL[0], 331.3]), np.array([CRVAL[1], -1.6]))
    np.testing.assert_allclose(pixels[:, 0], np.add(CRPIX, 1), atol=1e-6)
    assert np.isnan(pixels[:, 1]).all()


@pytest.mark.parametrize(
    "text", ["", "1 SkyWcs 0 ", "1 SkyWcs 0 garbage", "\xff\xfe", "1 SkyWcs 0 Begin FrameSet\nx\nEnd FrameSet"]
)
def test_what_is_no_sky_wcs_is_broken(stored: Any, text: str) -> None:
    """What AST does not understand is damage."""
    with pytest.raises(BrokenFileError, match=r"^SkyWcs \(object 1 .* is not world coordinates"):
        read_wcs(stored(_sky_wcs(text)), 1)


def test_truncated_sky_wcs_is_broken(stored: Any, sky_wcs: str) -> None:
    """So is what ends early, and what belongs to another class."""
    for text in (sky_wcs[: len(sky_wcs) // 2], sky_wcs.replace("SkyWcs", "Other", 1)):
        with pytest.raises(BrokenFileError, match=r"^SkyWcs \(object 1 .* is not world coordinates"):
            read_wcs(stored(_sky_wcs(text)), 1)


def test_missing_library_is_named(stored: Any, sky_wcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AST a SkyWcs is not read, and the message says how to install it."""
    monkeypatch.setitem(sys.modules, "starlink", None)
    with pytest.raises(NotMeasuredError, match=r"needs starlink-pyast, .* pip install 'rerun-harness\[psf\]'"):
        read_wcs(stored(_sky_wcs(sky_wcs)), 1)
