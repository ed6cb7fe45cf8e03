"""Names of amplifiers in baselines."""

from __future__ import annotations

import pytest

from harness.baseline.amplifiers import amplifier_key, amplifier_of
from harness.model import DataId


@pytest.mark.parametrize(
    ("data_id", "key", "place"),
    [
        (DataId(detector=94, amplifier="C06"), "94-C06", (94, "C06")),
        (DataId(amplifier="C06", detector=0), "0-C06", (0, "C06")),
        (DataId(amplifier="R22_S11_C06"), "R22_S11_C06", (None, "R22_S11_C06")),
        (DataId(amplifier="ccd-3_C06"), "ccd-3_C06", (None, "ccd-3_C06")),
        (DataId(detector=94, amplifier="left-top"), "94-left-top", (94, "left-top")),
    ],
)
def test_amplifiers_are_found_again_by_their_key(data_id, key, place):
    """A key holds detector and amplifier, in this order, and gives them back, whatever dashes names have."""
    assert amplifier_key(data_id) == key
    assert amplifier_of(key) == place
