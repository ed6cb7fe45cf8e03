"""Names of amplifiers."""

from __future__ import annotations

import pytest

from harness.metrics.ptc.places import detector_of, place_of
from harness.model import DataId


@pytest.mark.parametrize(
    ("detector", "name", "place"),
    [
        (94, "R22_S11", (94, "C06")),
        (0, "R01_S00", (0, "C06")),
        (94, "", (94, "C06")),
        (None, "R22_S11", (None, "R22_S11_C06")),
        (None, "", (None, "C06")),
    ],
)
def test_detector_goes_by_its_number(detector: int | None, name: str, place: tuple[int | None, str]) -> None:
    """Where it has one, 0 included; else its name is put before the amplifier's, if there is one."""
    assert place_of(detector, name, "C06") == place


@pytest.mark.parametrize(
    ("data_id", "found"),
    [
        (DataId(detector=94, amplifier="C06"), ("detector 94", "C06")),
        (DataId(detector=0, amplifier="C06"), ("detector 0", "C06")),
        (DataId(amplifier="R22_S11_C06"), ("R22_S11", "C06")),
        (DataId(amplifier="C06"), ("the detector", "C06")),
    ],
)
def test_detector_is_found_again(data_id: DataId, found: tuple[str, str]) -> None:
    """Detector and amplifier are told apart again, however they were put together."""
    assert detector_of(data_id) == found
