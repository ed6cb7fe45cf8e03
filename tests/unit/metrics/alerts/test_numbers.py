"""The numbers of one alert packet, of a simulated source."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from alert_files import alert

from harness.metrics.alerts.numbers import alert_numbers, alerts_schema
from harness.rerun.alerts import CUTOUTS, AlertPacket


def decoded(number=5, **changes):
    """Return source and cutouts of a simulated alert."""
    packet = AlertPacket(alert(number, **changes), "packet 1")
    return dict(packet.source), {kind: packet.cutout(kind) for kind in CUTOUTS}


def changed(cutouts, kind, plane, where, value):
    """Return the cutouts with other pixels in one of them."""
    pixels = getattr(cutouts[kind], plane).copy()
    pixels[where] = value
    return cutouts | {kind: replace(cutouts[kind], **{plane: pixels})}


def test_sound_alert_gives_the_truth():
    """Flux and error follow from the pixels, variances add up, and the sizes are those of the PSFs."""
    source, cutouts = decoded(flux=20_000.0)
    row = alert_numbers("packet 1", source, cutouts)
    assert set(row) <= set(alerts_schema().names)
    assert (row["visit"], row["detector"], row["band"], row["unclean"]) == (7, 3, "g", "")
    assert row["fluxRatio"] == pytest.approx(1, abs=4 * source["psfFluxErr"] / 20_000)
    assert row["errorRatio"] == pytest.approx(1, abs=2e-3)
    assert row["pull"] == pytest.approx((row["fluxRatio"] - 1) * 20_000 / source["psfFluxErr"], abs=1e-6)
    assert row["additivity"] == pytest.approx(1)
    assert row["scienceFwhm"] == row["differenceFwhm"] == pytest.approx(2.35482 * 2.0, rel=1e-3)
    assert row["templateFwhm"] == pytest.approx(2.35482 * 1.6, rel=1e-3)
    assert row["equalPsf"]
    assert (row["numCutouts"], row["numPixels"], row["numNan"], row["numNonPositive"]) == (3, 3 * 31 * 31, 0, 0)
    assert (row["missing"], row["broken"], row["empty"], row["shapes"]) == ([], [], [], "")


def test_fluxes_scatter_as_their_errors_say():
    """Two alerts of three are within one sigma of the true flux."""
    rows = [alert_numbers("packet 1", *decoded(number)) for number in range(200)]
    assert np.std([row["pull"] for row in rows]) == pytest.approx(1, abs=0.2)
    assert np.mean([abs(row["pull"]) < 1 for row in rows]) == pytest.approx(0.683, abs=0.1)


def test_standard_deviation_in_place_of_variance_is_seen():
    """UNCERT is variance: its root there makes other errors."""
    source, cutouts = decoded(variances=(400.0, 100.0, 500.0))
    cutouts["difference"] = replace(cutouts["difference"], variance=np.sqrt(cutouts["difference"].variance))
    row = alert_numbers("packet 1", source, cutouts)
    assert row["errorRatio"] == pytest.approx(500**-0.25, rel=1e-2)
    assert row["additivity"] == pytest.approx(500**-0.5, rel=1e-2)


def test_variance_that_does_not_add_up_is_measured():
    """The ratio is that of the medians over pixels that all three have, whatever a few pixels say."""
    source, cutouts = decoded(variances=(4.0, 1.0, 6.0))
    cutouts = changed(cutouts, "template", "variance", np.s_[:16], np.inf)
    cutouts = changed(cutouts, "science", "variance", np.s_[16:18], np.nan)
    cutouts = changed(cutouts, "difference", "variance", np.s_[18:20], 1e6)
    assert alert_numbers("packet 1", source, cutouts)["additivity"] == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("psfFlux", None, "psfFlux or psfFluxErr says nothing"),
        ("psfFlux", np.nan, "psfFlux or psfFluxErr says nothing"),
        ("psfFluxErr", 0.0, "psfFlux or psfFluxErr says nothing"),
        ("psfFlux_flag", True, "psfFlux_flag is set"),
    ],
)
def test_alert_without_a_flux_of_its_own_is_unclean(name, value, reason):
    """There is nothing to compare with, or nothing that the pipeline trusts."""
    source, cutouts = decoded()
    assert alert_numbers("packet 1", source | {name: value}, cutouts)["unclean"] == reason


@pytest.mark.parametrize("value", [None, False])
def test_flag_that_is_not_set_is_clean(value):
    """Neither is one that nobody knows."""
    source, cutouts = decoded()
    assert alert_numbers("packet 1", source | {"psfFlux_flag": value}, cutouts)["unclean"] == ""


def test_alert_with_pixels_without_value_is_unclean():
    """Whether the pipeline used them cannot be told, since the mask is not in the packet."""
    source, cutouts = decoded()
    row = alert_numbers("packet 1", source, changed(cutouts, "difference", "image", np.s_[2, 3:7], np.nan))
    assert (row["unclean"], row["numNan"]) == ("pixels under the PSF have no value", 4)
    assert row["fluxRatio"] == pytest.approx(1, abs=0.2)


def test_alert_with_pixels_without_value_elsewhere_is_clean():
    """What the PSF does not reach, and the other cutouts, do not enter the flux."""
    source, cutouts = decoded(side=51)
    cutouts = changed(cutouts, "difference", "image", np.s_[0, 0], np.nan)
    cutouts = changed(cutouts, "science", "image", np.s_[25, 25], np.nan)
    row = alert_numbers("packet 1", source, cutouts)
    assert (row["unclean"], row["numNan"]) == ("", 2)


def test_other_psf_is_seen():
    """PSFs are equal to the last bit, or not at all."""
    source, cutouts = decoded()
    cutouts = changed(cutouts, "difference", "psf", np.s_[0, 0], 1e-12)
    assert alert_numbers("packet 1", source, cutouts)["equalPsf"] is False


def test_psf_of_another_shape_is_another_psf():
    """A stamp may be cut in another way."""
    source, cutouts = decoded()
    cutouts["difference"] = replace(cutouts["difference"], psf=cutouts["difference"].psf[1:-1])
    assert alert_numbers("packet 1", source, cutouts)["equalPsf"] is False


def test_sizes_are_of_the_kind_asked_for():
    """An elongated PSF has a larger trace radius."""
    source, cutouts = decoded()
    long = np.repeat(cutouts["science"].psf, 2, axis=0)[20:61] / 2
    cutouts["science"] = replace(cutouts["science"], psf=long)
    sizes = [
        alert_numbers("packet 1", source, cutouts, psf_size=kind)["scienceFwhm"] for kind in ("determinant", "trace")
    ]
    assert sizes[1] > 1.05 * sizes[0]


def test_psf_without_size_is_not_measured():
    """A PSF of nothing."""
    source, cutouts = decoded()
    cutouts = changed(cutouts, "template", "psf", np.s_[:], 0)
    assert alert_numbers("packet 1", source, cutouts)["templateFwhm"] is None


def test_defects_of_pixels_are_counted():
    """Variances that cannot be, cutouts without a pixel, cutouts of several shapes."""
    source, cutouts = decoded()
    cutouts = changed(cutouts, "science", "variance", np.s_[0, :2], [0, -1])
    cutouts = changed(cutouts, "template", "image", np.s_[:], np.nan)
    cutouts["difference"] = replace(
        cutouts["difference"], image=cutouts["difference"].image[1:], variance=cutouts["difference"].variance[1:]
    )
    row = alert_numbers("packet 1", source, cutouts)
    assert row["numNonPositive"] == 2
    assert row["empty"] == ["the template cutout of packet 1 has no finite pixel"]
    assert row["shapes"] == "science 31 × 31, template 31 × 31, difference 30 × 31"
    assert row["additivity"] is None


@pytest.mark.parametrize("gone", CUTOUTS)
def test_cutouts_that_are_there_are_measured(gone):
    """A missing cutout takes nothing away from the others."""
    source, cutouts = decoded()
    del cutouts[gone]
    row = alert_numbers("packet 1", source, cutouts, missing=["it is gone"])
    assert (row["numCutouts"], row["missing"], row["additivity"]) == (2, ["it is gone"], None)
    assert [f"{kind}Fwhm" in row for kind in CUTOUTS] == [kind != gone for kind in CUTOUTS]
    assert row["unclean"] == ("there is no difference image" if gone == "difference" else "")
    assert row["equalPsf"] is (True if gone == "template" else None)


@pytest.mark.parametrize("name", ["visit", "detector"])
def test_packet_of_nowhere_is_named(name):
    """Without visit or detector it cannot be counted."""
    source, cutouts = decoded()
    assert alert_numbers("packet 1", source | {name: None}, cutouts) == {"unreadable": f"packet 1 has no {name}"}
