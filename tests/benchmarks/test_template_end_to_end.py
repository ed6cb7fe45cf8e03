"""From the three files of a subtraction to variance medians and PSF sizes: ours beside astropy and the notebook.

Planes have 4176 × 2048 pixels, or 96 × 128 where nothing is timed.  Nothing here asserts a time.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from astropy.io import fits

from harness.embedded import load_images
from harness.measure.exposures import read_exposure
from harness.metrics.mask_planes import EXCLUDED_PLANES, mask_bits
from harness.metrics.planes import plane_statistics
from harness.metrics.psf_size import psf_fwhm
from harness.metrics.template.subtraction import EXPOSURES
from harness.rerun.exposures.archive import Archive
from harness.rerun.exposures.opening import open_exposure
from harness.rerun.exposures.psf import read_psf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SIGMA_TO_FWHM = 2.354820045
MASK_PLANES = {"BAD": 0, "SAT": 1, "EDGE": 4, "DETECTED": 5, "NO_DATA": 8}
PARTS = ("open, read headers", "read, decompress mask", "read, decompress variance", "statistics", "PSF")

#: Sky variance and PSF sigma of each exposure.
SKY = {"science": (100.0, 2.1), "template": (9.0, 1.7), "difference": (109.0, 2.1)}


@pytest.fixture(scope="module", params=["none", "lossless", "lossy"])
def files(request: pytest.FixtureRequest, full_size: bool, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return science image, template and difference as afw writes them: plain, in GZIP_2, or quantised in RICE_1."""
    writer = load_images().afw_writer
    folder = tmp_path_factory.mktemp(request.param)
    shape = (4176, 2048) if full_size else (96, 128)
    paths = []
    for number, name in enumerate(EXPOSURES):
        image, mask, variance = planes(shape, SKY[name][0], number)
        content = writer.ExposureContent(
            image=image,
            mask=mask,
            variance=variance,
            mask_planes=MASK_PLANES,
            psf=writer.GaussianPsfSpec(SKY[name][1], 41),
            coadd_inputs=[(visit, 0, 1.0) for visit in range(1, 12)] if name == "template" else None,
        )
        paths.append(folder / f"{name}.fits")
        writer.write_exposure(paths[-1], content, compression=request.param)
    return paths


def planes(shape: tuple[int, int], sky: float, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int32], Any]:
    """Return image, mask and variance with sources; what has no data is NaN, as the notebook takes no mask."""
    rng = np.random.default_rng(seed)
    counts = np.zeros(shape)
    for y, x in zip(*(rng.integers(5, side - 5, shape[0] // 2) for side in shape), strict=True):
        counts[y - 5 : y + 6, x - 5 : x + 6] += 20 * sky * rng.random()
    variance = (sky + counts * 0.8).astype(np.float32)
    image = rng.normal(counts, np.sqrt(variance)).astype(np.float32)
    variance += (0.01 * (image - counts)).astype(np.float32)
    mask = np.where(counts > 0, 1 << MASK_PLANES["DETECTED"], 0).astype(np.int32)
    mask[: shape[0] // 50] = 1 << MASK_PLANES["NO_DATA"]
    mask[:, :4] |= 1 << MASK_PLANES["EDGE"]
    lost = (mask & mask_bits(MASK_PLANES, EXCLUDED_PLANES)) != 0
    image[lost] = variance[lost] = np.nan
    return image, mask, variance


def ours(paths: Sequence[Path]) -> list[tuple[float, float]]:
    """Measure each exposure as `harness.measure` does."""
    found = [
        read_exposure(path, "determinant", lambda _: None, with_inputs=path.stem == "template").summary
        for path in paths
    ]
    return [(each.variance, each.fwhm) for each in found]


def notebook(paths: Sequence[Path]) -> list[tuple[float, float]]:
    """Get each exposure once for its variance and again for its PSF, with all planes, as ``butler.get`` does."""
    found = []
    for path in paths:
        with fits.open(path) as hdus:
            _, _, variance = read_all(hdus)
            median = float(np.nanmedian(variance))
        with fits.open(path) as hdus:
            image, _, _ = read_all(hdus)
            archive = Archive.of(hdus, path)
            assert archive is not None
            psf = read_psf(archive, archive.components["PSF"])
            rows, columns = image.shape
            kernel = psf.at((columns - 1) / 2, (rows - 1) / 2)
        found.append((median, SIGMA_TO_FWHM * determinant_radius(kernel.image, kernel.x0, kernel.y0)))
    return found


def read_all(hdus: Any) -> list[NDArray[Any]]:
    """Return image, mask and variance in memory and this machine's byte order, with the archive read, as by afw."""
    image, mask, variance, *_ = [hdu.data for hdu in hdus[1:]]
    return [plane.astype(plane.dtype.newbyteorder("="), copy=False) for plane in (image, mask, variance)]


def determinant_radius(image: NDArray[np.float64], x0: int, y0: int) -> float:
    """Return the radius of the Gaussian weight whose moments are those of the image weighted with it."""
    y, x = np.mgrid[y0 : y0 + image.shape[0], x0 : x0 + image.shape[1]].astype(float)
    matrix = np.diag([4.0, 4.0])
    for _ in range(200):
        inverse = np.linalg.inv(matrix)
        weight = image * np.exp(-0.5 * (inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y))
        moments = np.array([[(weight * x * x).sum(), (weight * x * y).sum()], [0, (weight * y * y).sum()]])
        moments[1, 0] = moments[0, 1]
        found = np.linalg.inv(np.linalg.inv(moments / weight.sum()) - inverse)
        if np.allclose(found, matrix, rtol=1e-9, atol=1e-12):
            break
        matrix = found
    return float(np.linalg.det(matrix) ** 0.25)


@pytest.mark.parametrize("way", [ours, notebook])
def test_end_to_end(
    benchmark: Any, way: Callable[[Sequence[Path]], list[tuple[float, float]]], files: list[Path]
) -> None:
    """Each way, side by side, with the same numbers."""
    benchmark.group = f"template metrics of a visit, {files[0].parent.name}"
    found = benchmark.pedantic(way, (files,), rounds=5, warmup_rounds=1)
    np.testing.assert_allclose(found, ours(files), rtol=1e-6)
    np.testing.assert_allclose([size for _, size in found], [SIGMA_TO_FWHM * SKY[name][1] for name in EXPOSURES], 1e-4)


def by_part(paths: Sequence[Path]) -> dict[str, float]:
    """Return the milliseconds that each part of ours takes."""
    clock, seconds = time.perf_counter, dict.fromkeys(PARTS, 0.0)
    for path in paths:
        times = [clock()]
        with open_exposure(path) as exposure:
            bits = mask_bits(exposure.mask_planes, EXCLUDED_PLANES)
            times.append(clock())
            mask = exposure.mask
            times.append(clock())
            variance = exposure.variance
            times.append(clock())
            plane_statistics(variance, (mask, bits))
            times.append(clock())
            psf = exposure.psf
            assert psf is not None
            psf_fwhm(psf.at(exposure.shape[1] / 2, exposure.shape[0] / 2), "determinant")
            times.append(clock())
        for part, taken in zip(PARTS, np.diff(times), strict=True):
            seconds[part] += taken
    return {part: 1e3 * taken for part, taken in seconds.items()}


def test_where_the_time_goes(benchmark: Any, files: list[Path]) -> None:
    """Decompression takes most of it where there is any."""
    benchmark.group = f"template metrics of a visit, {files[0].parent.name}"
    taken: list[dict[str, float]] = []
    benchmark.pedantic(lambda: taken.append(by_part(files)), rounds=5, warmup_rounds=1)
    medians = {part: round(float(np.median([each[part] for each in taken])), 1) for part in PARTS}
    benchmark.extra_info |= medians
    print(medians)
    assert min(medians.values()) >= 0
