"""Small job files, as `lsst.verify` writes them."""

from __future__ import annotations

import copy
import json

import pytest

DOCUMENT = {
    "measurements": [
        {"metric": "demo.PA1", "identifier": "a" * 32, "value": 16.5, "unit": "mmag", "blob_refs": ["c" * 32]},
        {"metric": "demo.AM1", "identifier": "b" * 32, "value": None, "unit": None, "blob_refs": []},
    ],
    "blobs": [
        {
            "identifier": "c" * 32,
            "name": "demo.PA1",
            "data": {"rms": {"value": [1.5, float("nan")], "unit": "mmag", "label": "RMS", "description": None}},
        }
    ],
    "metrics": [
        {
            "name": name,
            "description": f"{name} of stars.",
            "unit": unit,
            "tags": ["LPM-17"],
            "reference": {"doc": "LPM-17", "page": 21, "url": "http://ls.st/lpm-17"},
        }
        for name, unit in {"demo.PA1": "mmag", "demo.AM1": "marcsec"}.items()
    ],
    "specs": [
        {
            "name": name,
            "type": "threshold",
            "threshold": {"value": value, "unit": unit, "operator": operator},
            "metadata_query": query,
            "tags": ["minimum"],
        }
        for name, value, unit, operator, query in [
            ("demo.PA1.minimum_r", 8.0, "mmag", "<=", {"filter_name": "r"}),
            ("demo.PA1.minimum_u", 12.0, "mmag", "<=", {"filter_name": "u"}),
            ("demo.PA1.loose", 0.02, "mag", "<", {}),
            ("demo.AM1.two_visits", 20.0, "marcsec", ">", {"visits": [1, 2]}),
        ]
    ],
    "meta": {"filter_name": "r", "visits": [1, 2]},
}


@pytest.fixture
def document():
    """Return the object of a job file, to be changed at will."""
    return copy.deepcopy(DOCUMENT)


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file, of text or of an object as JSON, and returns its path."""

    def write_content(content, name="a.verify.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write_content
