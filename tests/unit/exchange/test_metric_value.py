"""`harness.exchange.metric_value`: YAML as `lsst.verify` leaves it in a repository, of which nothing is executed."""

from __future__ import annotations

import math
import os
import re
import time

import numpy as np
import pytest
import yaml

from harness.errors import BrokenFileError
from harness.exchange.metric_value import read_metric_value

FIELDS = {"metric": "ap_association.numNewDiaObjects", "identifier": "a" * 32, "unit": "ct", "notes": {}}


class _Measurement:
    """Stands for `lsst.verify.Measurement`, which represents itself as a mapping with this tag."""

    def __init__(self, **fields):
        self.fields = fields


def _represent(dumper, measurement):
    return dumper.represent_mapping("lsst.verify.Measurement", measurement.fields)


class _Dumper(yaml.Dumper):
    """The dumper that the Butler takes for this storage class (``unsafe_dump``)."""


_Dumper.add_representer(_Measurement, _represent)


def dumped(**fields):
    """Return a file as PyYAML writes it."""
    return yaml.dump(_Measurement(**{**FIELDS, **fields}), Dumper=_Dumper, sort_keys=False)


@pytest.mark.parametrize("value", [1.5, 3, 1e-30, -1e300, np.float64(0.1), np.float32(0.1), np.int64(-7), np.uint8(9)])
def test_reads_what_yaml_wrote(write, value):
    """A plain number, and a NumPy scalar that PyYAML takes apart, come in to the last bit."""
    content = dumped(value=value)
    assert content.startswith("!<lsst.verify.Measurement>")
    assert ("python/object" in content) == isinstance(value, np.generic)
    read = read_metric_value(write(content))
    assert read.value == value
    assert (read.metric, read.unit, read.identifier) == ("ap_association.numNewDiaObjects", "ct", "a" * 32)


def test_older_and_bigger_numpy(write):
    """The scalar has another module in NumPy 1, and may come from a big-endian machine."""
    content = dumped(value=np.float64(0.1)).replace("numpy._core", "numpy.core")
    assert read_metric_value(write(content)).value == 0.1
    content = (
        dumped(value=np.array([0.1], ">f8")[0]).replace("- <\n", "- '>'\n").replace("mpmZmZmZuT8=", "P7mZmZmZmZo=")
    )
    assert read_metric_value(write(content)).value == 0.1


@pytest.mark.parametrize("value", [None, math.nan, np.float64("nan"), math.inf])
def test_no_number(write, value):
    """Null, NaN and infinity are not measured."""
    read = read_metric_value(write(dumped(value=value)))
    assert not read.is_measured
    assert read.detail


def test_the_tag_is_not_needed(write):
    """A file without the tag, and one with notes, are read as well."""
    read = read_metric_value(write("metric: a.b\nvalue: 2\nunit: ''\nnotes: {a.b.note: x}\n"))
    assert (read.metric, read.value, read.notes) == ("a.b", 2, {"a.b.note": "x"})


HEAD = "metric: a.b\nunit: ct\n"
SCALAR = f"{HEAD}value: !!python/object/apply:numpy.core.multiarray.scalar"
BROKEN = {
    f"{HEAD}value: !!python/object/apply:os.system ['touch {{}}']\n": (
        ", line 3 column 8: could not determine a constructor for the tag "
        "'tag:yaml.org,2002:python/object/apply:os.system'"
    ),
    f"{HEAD}value: !!python/name:os.system\n": (
        ", line 3 column 8: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'"
    ),
    f"{SCALAR} [{{args: ['(1,f8'], state: [3, '<']}}, !!binary AAAAAAAA8D8=]": (
        ", line 3 column 8: this is not a NumPy number"
    ),
    f"{SCALAR} [1, 2]": (", line 3 column 8: this is not a NumPy number"),
    f"{HEAD}value: 1\nvalue: 2\n": ", line 1 column 1: a key is there twice; keep one",
    f"{HEAD}value: 1\n<<: {{value: 3}}\n": (
        ", line 4 column 1: could not determine a constructor for the tag 'tag:yaml.org,2002:merge'"
    ),
    f"{HEAD}value: [1\n": ", line 4 column 1: expected ',' or ']', but got '<stream end>'",
    "a: 1\n---\nb: 2\n": ", line 2 column 1: but found another document",
    f"{HEAD}value: many\n": ": value must be a number (got 'many')",
    f"{HEAD}value: 1e-5\n": ": value must be a number (got '1e-5')",
    HEAD: ": the top level lacks the key 'value'",
    "metric: a.b\nunit: parsnip\nvalue: 1\n": ": unit must be a unit that astropy knows (got 'parsnip')",
    "": ": the top level must be an object (got None)",
    "just text": ": the top level must be an object (got 'just text')",
    "[" * 5000: " is not YAML that can be read: maximum recursion depth exceeded",
    f"{HEAD}value: 2026-99-99\n": " is not YAML that can be read: month must be in 1..12",
    "a: \x07": " is not YAML that can be read: unacceptable character #x0007: special characters are not allowed",
}


@pytest.mark.parametrize("content", BROKEN, ids=range(len(BROKEN)))
def test_what_cannot_be_read(write, content):
    """What is no measurement is named with its place, and instructions to Python are refused, not followed."""
    path = write(content.replace("{}", "executed"))
    with pytest.raises(BrokenFileError, match=f"^{re.escape(f'{path}{BROKEN[content]}')}") as refused:
        read_metric_value(path)
    assert "\n" not in str(refused.value)
    assert not (path.parent / "executed").exists()


def test_references_upon_references_stay_small(write):
    """A file that stands for billions of items is refused as fast as another."""
    layers = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    bomb = f"l0: &l0 [lol]\n{layers}metric: a.b\nunit: ''\nvalue: *l11\n"
    merge = "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}\n" for n in range(1, 12))
    begin = time.perf_counter()
    for content in (bomb, f"m0: &m0 {{a: 1}}\n{merge}"):
        with pytest.raises(BrokenFileError) as refused:
            read_metric_value(write(content))
        assert len(str(refused.value)) < 1000
    assert time.perf_counter() - begin < 2


def test_a_huge_file_is_not_read(tmp_path):
    """A measurement takes no megabyte of YAML."""
    path = tmp_path / "a.yaml"
    path.touch()
    os.truncate(path, 5 << 20)
    with pytest.raises(BrokenFileError, match=r"has 5 MiB, and more than 1 MiB are not read$"):
        read_metric_value(path)
