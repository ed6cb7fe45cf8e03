"""`harness.baseline.strictjson`: what the standard library reads, less what means two things."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.baseline.strictjson import json_path, parse_json
from harness.errors import BrokenFileError

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
scalar = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
tree = st.recursive(scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))


@settings(deadline=None)
@given(st.dictionaries(text, tree, max_size=4), st.booleans())
def test_agrees_with_the_standard_library(members, ascii_only):
    """Any sound object is read as `json.loads` reads it."""
    content = json.dumps(members, ensure_ascii=ascii_only)
    read = parse_json(content.encode(), "it")
    assert read == json.loads(content)
    assert json.dumps(read) == json.dumps(members)


def test_same_key_in_different_objects_is_fine():
    """Only keys of one and the same object must differ."""
    assert parse_json(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3}]}', "it")["a"] == {"a": 1}
    with pytest.raises(BrokenFileError, match=r'^it: b\[1\] has the key "a" twice; keep one of them$'):
        parse_json(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 3, "a": 3}]}', "it")


def test_places_are_readable():
    """A place is written as one would in a program, with quotes where a key needs them."""
    assert json_path(("metrics", "dia.numSources", "value")) == 'metrics["dia.numSources"].value'
    assert json_path(("a", 0, "ü x")) == 'a[0]["ü x"]'
    assert json_path(("line\u2028break",)) == '["line\\u2028break"]'
    assert json_path(()) == ""
