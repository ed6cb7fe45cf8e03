"""Stamps: which sources are chosen, and which pixels are cut out."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.wcs import WCS
from embedded_images import afw, exposure, name_of
from injected_frames import injections, sources

from harness.measure.stamps import PLANES, cutout, stamps_schema, stamps_table
from harness.rerun.exposures.protocol import ExposureRef

XY0 = (100, 200)
SHAPE = (40, 60)
NONE = {"injections": injections().clear(), "sources": sources().clear()}


def numbered(plane):
    """Return an image whose pixels say where they are: plane, parent row and parent column."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (1e6 * (1 + PLANES.index(plane)) + 1000 * (rows + XY0[1]) + columns + XY0[0]).astype(np.float32)


class Folder:
    """Exposures of some visits, which remember what was opened."""

    def __init__(self, folder: Path, visits=(1,), planes=PLANES, **changes):
        self.exposures = self
        self.opened = []
        self.listed = []
        mask = np.zeros(SHAPE, np.int32)
        variance = np.ones(SHAPE, np.float32)
        for visit in visits:
            for plane in planes:
                path = folder / name_of(plane, visit)
                content = {"image": numbered(plane), "mask": mask, "variance": variance, "xy0": XY0} | changes
                afw().write_exposure(path, exposure(**content))
                self.listed.append(ExposureRef(plane, "", "HSC", visit, 0, "g", -1, -1, str(path), ""))

    def local(self, ref):
        """Return the file, and remember it."""
        self.opened.append(Path(ref).name)
        return nullcontext(Path(ref))


def missed(**columns):
    """Return injections that were missed, in the middle of the image."""
    return injections(**{"diaSourceId": 0, "x": 120.0, "y": 220.0, "snr": 20.0} | columns)


def rows_of(rerun, **given):
    """Return the stamps that are cut out around what is given."""
    return stamps_table(**NONE | given, rerun=rerun, half=3)


def chosen(rerun, **given):
    """Return the label of each stamp by its reason."""
    found = {}
    for row in rows_of(rerun, **given).to_pylist():
        found.setdefault(row["reason"], []).append(row["label"].partition(",")[0])
    return found


def test_middle_pixel_is_that_of_the_injection(tmp_path):
    """Each plane is cut out around the pixel that the position lies in, in parent pixels."""
    (row,) = rows_of(Folder(tmp_path), injections=missed(x=121.6, y=217.4)).to_pylist()
    for number, plane in enumerate(PLANES, 1):
        pixels = np.reshape(row[plane], (7, 7)) - 1e6 * number
        assert pixels[3, 3] == 217_122
        assert pixels[0, 0] == 214_119
        assert pixels[6, 3] == 220_122
    assert (row["x"], row["y"], row["half"], row["problem"]) == (121.6, 217.4, 3, "")


def test_pixels_beyond_the_edge_are_nan(tmp_path):
    """A stamp at a corner keeps its size, and its source in the middle."""
    (row,) = rows_of(Folder(tmp_path), injections=missed(x=100.0, y=239.0)).to_pylist()
    pixels = np.reshape(row["science"], (7, 7))
    assert pixels[3, 3] == 1_239_100
    assert np.isnan(pixels[4:]).all()
    assert np.isnan(pixels[:, :3]).all()
    assert np.isfinite(pixels[:4, 3:]).all()


def test_missed_injections_of_the_highest_snr_are_chosen(tmp_path):
    """Found ones and those of unknown signal-to-noise are not, and no injection is chosen twice."""
    table = missed(
        injectionId=[1, 2, 3, 4, 5, 5],
        snr=[10.0, np.nan, 99.0, 30.0, 20.0, 25.0],
        diaSourceId=[0, 0, 8, 0, 0, 0],
        sourceFlux=np.nan,
        visit=[1, 1, 1, 1, 1, 2],
    )
    found = chosen(Folder(tmp_path), injections=table, per_reason=2)
    assert found == {"missed": ["injection 4", "injection 5"]}
    (_, second) = rows_of(Folder(tmp_path), injections=table, per_reason=2).to_pylist()
    assert second["visit"] == 2


def test_worst_pulls_are_chosen_of_either_sign(tmp_path):
    """The pull is that against the flux in the difference, with its sign."""
    table = missed(
        diaSourceId=7,
        flux=[100.0, 100.0, -100.0, 100.0],
        sourceFlux=[110.0, 50.0, -100.0, 900.0],
        sourceFluxErr=[10.0, 10.0, 10.0, 0.0],
    )
    found = rows_of(Folder(tmp_path), injections=table)["label"].to_pylist()
    assert found == ["injection 2, SNR 20, pull -5", "injection 1, SNR 20, pull +1", "injection 3, SNR 20, pull +0"]


def test_brightest_unmatched_sources_are_chosen(tmp_path):
    """Neither what is known, nor what is there because of an injection; of an object only its brightest source."""
    table = sources(
        kind=["unmatched", "known", "unmatched", "unmatched", "unmatched", "injected"],
        flux=[10.0, 900.0, -300.0, 800.0, 20.0, 900.0],
        nearInjection=[False, False, None, True, False, False],
        diaObjectId=[0, 0, 5, 0, 5, 0],
        x=120.0,
        y=220.0,
    )
    assert chosen(Folder(tmp_path), sources=table) == {"unmatched": ["source 3", "source 1"]}


def test_gained_injections_are_chosen_when_given(tmp_path):
    """They come last, with what else is to be seen."""
    gained = missed(diaSourceId=3, snr=[5.0, 6.0])
    found = chosen(Folder(tmp_path), injections=missed(injectionId=[9]), gained=gained)
    assert found == {"missed": ["injection 9"], "gained": ["injection 2", "injection 1"]}


def test_equal_ones_are_chosen_in_order(tmp_path):
    """The choice does not depend on the order of the rows."""
    table = missed(injectionId=range(9), visit=[3, 1, 2, 1, 2, 3, 1, 2, 3])
    rerun = Folder(tmp_path, visits=(1, 2, 3))
    first = chosen(rerun, injections=table)
    assert first == {"missed": ["injection 1", "injection 3", "injection 6", "injection 2"]}
    assert chosen(rerun, injections=table.reverse()) == first


def test_each_file_is_opened_once_and_no_other(tmp_path):
    """Two sources of a visit share its files; a visit without any is left alone."""
    rerun = Folder(tmp_path, visits=(1, 2))
    rows_of(rerun, injections=missed(injectionId=[1, 2]), sources=sources(x=110.0, y=210.0))
    assert sorted(rerun.opened) == sorted(name_of(plane, 1) for plane in PLANES)


def test_position_on_the_sky_serves_where_there_are_no_pixels(tmp_path):
    """World coordinates of the stored array tell where an injection is that has no x and y."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = (150, 2), (21, 11), (-5e-5, 5e-5)
    ra, dec = wcs.pixel_to_world_values(22, 17)
    rerun = Folder(tmp_path, wcs=wcs)
    (row,) = rows_of(rerun, injections=missed(x=np.nan, y=np.nan, ra=float(ra), dec=float(dec))).to_pylist()
    assert (row["x"], row["y"]) == pytest.approx((122, 217), abs=1e-4)
    assert row["difference"][24] == 3_217_122


def test_what_nothing_locates_has_no_stamp(tmp_path):
    """Without world coordinates the row says so; without any position there is none."""
    rerun = Folder(tmp_path)
    (row,) = rows_of(rerun, injections=missed(x=np.nan)).to_pylist()
    assert row["problem"].startswith("nothing tells where it is in the science image")
    assert row["science"] is None
    assert rows_of(rerun, injections=missed(x=np.nan, ra=np.nan)).num_rows == 0


def test_missing_and_broken_files_are_told(tmp_path):
    """The other planes are there, and each problem is told in words without folders."""
    rerun = Folder(tmp_path, planes=("science", "difference"))
    (tmp_path / name_of("difference", 1)).write_bytes(b"not FITS")
    (row,) = rows_of(rerun, injections=missed()).to_pylist()
    assert row["template"] is None
    assert row["difference"] is None
    assert row["science"][24] == 1_220_120
    absent, broken = row["problem"].split("; ", 1)
    assert absent == "there is no template image"
    assert name_of("difference", 1) in broken
    assert str(tmp_path) not in broken


def test_place_without_pixels_is_told(tmp_path):
    """A position that is wrong by far is a problem, not an empty stamp."""
    (row,) = rows_of(Folder(tmp_path), injections=missed(x=9000.0)).to_pylist()
    assert row["science"] is None
    assert "the science image has no data there" in row["problem"]


def test_rerun_without_exposures_has_no_stamps():
    """The table is empty, and has its columns."""
    table = rows_of(SimpleNamespace(exposures=None), injections=missed())
    assert table.num_rows == 0
    assert table.schema == stamps_schema()


def test_nothing_to_choose_from(tmp_path):
    """Empty frames give an empty table, and open nothing."""
    rerun = Folder(tmp_path)
    table = rows_of(rerun)
    assert table.schema == stamps_schema()
    assert (table.num_rows, rerun.opened) == (0, [])


@pytest.mark.parametrize(("x", "y"), [(-0.5, 0.49), (2.4, 3.4), (1.0, 2.0), (-9.0, 1.0), (1.0, 99.0)])
def test_cutout_against_padding(x, y):
    """A cutout is a slice of the image with a border of NaN."""
    image = np.arange(12, dtype=">f4").reshape(4, 3)
    padded = np.pad(image.astype(np.float32), 120, constant_values=np.nan)
    row, column = 120 + int(np.floor(y + 0.5)), 120 + int(np.floor(x + 0.5))
    np.testing.assert_array_equal(cutout(image, x, y, 2), padded[row - 2 : row + 3, column - 2 : column + 3])
