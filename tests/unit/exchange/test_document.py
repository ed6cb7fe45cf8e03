"""`harness.exchange.document`: files that cannot be read are named, in one sentence."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BrokenFileError
from harness.exchange.document import Node, read_json

BROKEN = {
    b"": "is not JSON: expecting value at line 1 column 1",
    b'{"a": 1': "is not JSON: expecting ',' delimiter at line 1 column 8",
    b"\x89PNG\xff": "is not UTF-8 text (byte 0)",
    b'{"a": 1, "b": {"c": 1, "c": 2}}': "has an object with the key 'c' twice; keep one of them",
    b"[" * 100_000: "is nested too deeply, or holds an absurdly long number",
    b"1" * 5000: "is nested too deeply, or holds an absurdly long number",
}


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: content[:12])
def test_what_is_not_json(tmp_path, content):
    """A file that is not JSON, or means two things, is named with the place of the fault."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError) as refused:
        read_json(path)
    assert str(refused.value) == f"{path} {BROKEN[content]}"


def test_a_huge_file_is_not_read(tmp_path):
    """A file that fills the memory is refused by its size."""
    path = tmp_path / "a.json"
    path.touch()
    os.truncate(path, 300 << 20)
    with pytest.raises(BrokenFileError, match=r"a\.json has 300 MiB, and more than 256 MiB are not read$"):
        read_json(path)


def test_a_folder_is_no_file(tmp_path):
    """A folder is named as what cannot be read."""
    with pytest.raises(BrokenFileError, match=r"^cannot read .*: is a directory$"):
        read_json(tmp_path)


def test_byte_order_mark_is_no_fault(tmp_path):
    """A file that an editor saved with a byte order mark is read."""
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path)["a"].number() == 1


def test_keys_are_text():
    """YAML lets anything be a key; here only text is."""
    with pytest.raises(BrokenFileError, match=r"^it: the top level has the key 3, where text belongs$"):
        Node("it", {3: 1}).mapping()


scalar = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
tree = st.recursive(scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@settings(deadline=None)
@given(tree)
def test_asking_for_anything_of_anything(value):
    """Whatever a node holds, asking for what it is not raises the one error, and nothing else."""
    node = Node("it", value)
    for ask in (node.mapping, node.items, node.text, node.name, node.texts, node.number, node.unit, node.members):
        try:
            ask()
        except BrokenFileError as refused:
            assert str(refused).startswith("it: ")  # noqa: PT017 - either is right
