"""The names a user imports."""

from __future__ import annotations

import pytest

import harness


@pytest.mark.parametrize("name", harness.__all__)
def test_every_name_is_there(name):
    """What ``__all__`` promises can be had, and ``dir`` shows it."""
    assert getattr(harness, name) is not None
    assert name in dir(harness)


def test_unknown_name_is_an_attribute_error():
    """Any other name fails as it would in any module."""
    with pytest.raises(AttributeError, match="has no attribute 'surprise'"):
        harness.surprise  # noqa: B018 - the access is the test
