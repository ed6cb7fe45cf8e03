"""Visit images, difference images and coadds of ``lsst.images``."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, final

import numpy as np

from harness.errors import BrokenFileError, NotMeasuredError
from harness.rerun.exposures import headers
from harness.rerun.exposures.lsst_images.fields import mean_in_njy
from harness.rerun.exposures.lsst_images.tree import Tree, schema_name
from harness.rerun.exposures.planes import OpenExposure
from harness.rerun.exposures.protocol import CoaddInput, VisitInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.wcs import WCS
    from numpy.typing import NDArray

    from harness.rerun.exposures.protocol import Psf

__all__ = ["LsstImagesExposure", "TemplateCoadd"]

_AGAIN: Final = "fetch the file again or leave it out"
_KINDS: Final = ("visit_image", "difference_image", "cell_coadd", "masked_image")
_NJY: Final = 31.4  # AB magnitude of 1 nJy
_MJD: Final = 2400000.5
_DAY: Final = 86400.0
_BITS: Final = 31  # of an int32, without its sign, that masks are stored in


@final
@dataclass(frozen=True, slots=True)
class TemplateCoadd:
    """A patch of the template of a difference image, as recorded with it.

    Attributes
    ----------
    skymap, tract, patch
        Data ID.
    dataset_id, run
        Dataset UUID, and the collection it was made in.
    """

    skymap: str
    tract: int
    patch: int
    dataset_id: str
    run: str


@final
class LsstImagesExposure(OpenExposure):
    """An exposure in a file of ``lsst.images``, FITS or JSON; implements `protocol.Exposure`.

    Opening reads the tree alone, and each plane is read when it is first asked for.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    harness.errors.BrokenFileError
        When it cannot be read, is cut off, is no exposure, or was written by a newer ``lsst.images``.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(Path(path))
        self._tree = Tree(self.path)
        try:
            self._kind = self._find_kind()
            image = self._node("image")
            with self._tree.reading("image"):
                array, self.unit = _quantity(image["data"])
                height, width = self._tree.shape(array)
                y0, x0 = image["yx0"]
                self.shape: tuple[int, int] = int(height), int(width)
                self.xy0: tuple[int, int] = int(x0), int(y0)
        except BaseException:
            self.close()
            raise

    def _close_file(self) -> None:
        self._tree.close()

    @cached_property
    def mask_planes(self) -> Mapping[str, int]:
        """Bit number of each mask plane, by its name in this file."""
        node = self._node("mask")
        with self._tree.reading("list of mask planes"):
            # Numbers that are kept for later have no bit where masks are stored.
            names = [str(plane["name"]) for plane in node["planes"] if plane is not None]
        if not names:
            raise NotMeasuredError(
                f"the mask of {self.path} has no list of its planes, so that nobody can tell bad pixels from good "
                "ones; write the exposure again with it"
            )
        if len(names) > _BITS:
            raise self._too_many_planes()
        return MappingProxyType({name: bit for bit, name in enumerate(names)})

    @cached_property
    def lossy(self) -> frozenset[str]:
        """Which of ``image``, ``variance`` are stored with quantised values."""
        found = set()
        for name in ("image", "variance"):
            if self._tree.node(name) is not None:
                with self._tree.reading(name):
                    header = self._tree.header(self._plane(name))
                if header is not None and headers.is_quantised(header):
                    found.add(name)
        return frozenset(found)

    @cached_property
    def band(self) -> str:
        """Band, else physical filter, else empty."""
        return str(self._tree.root.get("band") or self._observation.get("physical_filter") or "")

    @cached_property
    def wcs(self) -> WCS | None:
        """World coordinates of the stored array, from the header of the image; None in JSON, which has no header."""
        with self._tree.reading("WCS"):
            header = self._tree.header(self._plane("image"))
            return None if header is None else headers.world_coordinates(header)

    @cached_property
    def zero_point(self) -> float:
        """AB magnitude of one pixel unit: by the unit, else by the photometric scaling; NaN when unknown."""
        if self.unit == "nJy":
            return _NJY
        scaling = self._tree.node("photometric_scaling")
        if scaling is None:
            return math.nan
        with self._tree.reading("photometric scaling"):
            mean = mean_in_njy(scaling, self.shape, self.xy0)
            return _NJY - 2.5 * math.log10(mean) if mean > 0 else math.nan

    @cached_property
    def visit_info(self) -> VisitInfo:
        """When and where it was taken."""
        with self._tree.reading("observation info"):
            info = self._observation
            ra, dec = info.get("tracking_radec") or (math.nan, math.nan)
            times = [info[name] for name in ("datetime_begin", "datetime_end") if info.get(name)]
            exposure_time = _number(info.get("exposure_time"))
            # Julian dates of two parts, TAI.
            mjd = [(whole - _MJD) + part for whole, part in times]
            middle = math.nan
            if len(mjd) == 2:
                middle = (mjd[0] + mjd[1]) / 2
            elif mjd and info.get("datetime_begin"):
                middle = mjd[0] + exposure_time / 2 / _DAY
            return VisitInfo(exposure_time, middle, _number(ra), _number(dec), _number(info.get("boresight_airmass")))

    @cached_property
    def summary(self) -> Mapping[str, float]:
        """Summary statistics recorded by the pipeline, by name, finite ones only."""
        recorded = self._tree.node("summary_stats") or {}
        return {
            name: float(value)
            for name, value in recorded.items()
            if isinstance(value, (int, float)) and name != "min_read_version" and math.isfinite(value)
        }

    @cached_property
    def coadd_inputs(self) -> tuple[CoaddInput, ...] | None:
        """What went into a coadd, or None when it is none; the weight is the mean over the cells it went into."""
        if self._kind != "cell_coadd":
            return None
        provenance = self._tree.node("provenance")
        if provenance is None:
            raise NotMeasuredError(
                f"the coadd {self.path} does not say what went into it; write it again with its provenance"
            )
        with self._tree.reading("provenance"):
            columns = self._tree.columns(provenance["contributions"])
            weights: dict[tuple[int, int], list[float]] = defaultdict(list)
            for visit, detector, weight in zip(
                *(columns[name].tolist() for name in ("visit", "detector", "weight")), strict=True
            ):
                weights[visit, detector].append(weight)
        return tuple(CoaddInput(*key, float(np.mean(values))) for key, values in sorted(weights.items()))

    @cached_property
    def templates(self) -> tuple[TemplateCoadd, ...] | None:
        """Patches that the template of a difference image was made of; None when they are not recorded."""
        recorded = self._tree.root.get("templates")
        if recorded is None:
            return None
        with self._tree.reading("list of templates"):
            return tuple(
                TemplateCoadd(
                    str(patch["skymap"]),
                    int(patch["tract"]),
                    int(patch["patch"]),
                    str(patch["dataset_id"]),
                    str(patch["dataset_run"]),
                )
                for patch in recorded
            )

    @cached_property
    def psf(self) -> Psf | None:
        """The PSF, or None when the file has none."""
        node = self._tree.node("psf")
        if node is None:
            return None
        from harness.rerun.exposures.lsst_images.psf import read_psf

        return read_psf(self._tree, node)

    @cached_property
    def _observation(self) -> Mapping[str, Any]:
        return self._tree.root.get("obs_info") or {}

    def _find_kind(self) -> str:
        """Return the name of the schema, which is that of an exposure."""
        kind = schema_name(self._tree.root)
        if kind not in _KINDS:
            raise BrokenFileError(
                f"{self.path} is no exposure, but a {kind} of lsst.images; name the exposure it belongs to, or leave "
                "it out"
            )
        return kind

    def _node(self, name: str) -> Mapping[str, Any]:
        node = self._tree.node(name)
        if node is None:
            raise NotMeasuredError(f"{self.path} has no {name}; write the exposure again with it")
        return node

    def _plane(self, name: str) -> Mapping[str, Any]:
        """Return the node of the array of a plane."""
        node = self._node(name)
        if name != "mask":
            return _quantity(node["data"])[0]
        first, *others = node["data"]
        if others:
            raise self._too_many_planes()
        return first  # type: ignore[no-any-return]

    def _too_many_planes(self) -> NotMeasuredError:
        return NotMeasuredError(
            f"the mask of {self.path} has more than {_BITS} planes, which is what one array holds and the harness "
            "reads; write the exposure again with fewer"
        )

    def _pixels(self, name: Literal["image", "variance", "mask"], dtype: type[Any]) -> NDArray[Any]:
        with self._tree.reading(name):
            pixels = np.asarray(self._tree.array(self._plane(name)), dtype)
        if pixels.shape != self.shape:
            raise BrokenFileError(
                f"the {name} of {self.path} has {pixels.shape} pixels, its image {self.shape}; {_AGAIN}"
            )
        pixels.flags.writeable = False
        return pixels


def _quantity(data: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """Return the node of an array, and its unit, which is empty when it has none."""
    return (data["value"], str(data["unit"])) if "value" in data else (data, "")


def _number(value: Any) -> float:
    """Return a number; NaN for none."""
    return math.nan if value is None else float(value)
