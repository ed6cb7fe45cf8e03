"""`harness.baseline.explain`: whatever is wrong is said in one line that names the place."""

from __future__ import annotations

import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.baseline.files import canonical_bytes, parse_baseline
from harness.errors import BrokenFileError

STORY = {
    "at": "2020-06-01T09:30:00Z",
    "by": "Bo",
    "harness": "0.1.0",
    "inputs": "a1",
    "reason": "first",
    "rerun": "w_2020_20",
    "ticket": "",
    "versions": {"ip_diffim": "19.0"},
    "visits": 28,
}
RULES = [
    {"kind": "unchanged", "rtol": 0.02, "atol": 0.0},
    {"kind": "within", "low": 0.0, "high": 2.0},
    {"kind": "below", "metric": "dia.b", "value": None, "for_at_least": 0.95},
    {"kind": "agrees_with", "metric": "dia.b", "rtol": 0.01},
    {"kind": "closes", "ulp": 1.0},
]
SOUND = {
    "schema_version": "1.0.0",
    "min_read_version": 1,
    "dataset": "hits",
    "settings": {"good_flags": "S3", "match_radius": 0.5, "edge_width": 40.0},
    "acceptances": {"first": STORY},
    "acknowledgements": {
        "dia.a": {"until": "2020-08-01", "ticket": "DM-1", "reason": "r", "by": "Bo", "at": "2020-06-01T09:30:00Z"}
    },
    "metrics": {
        f"dia.{rule['kind']}": {
            "accepted": "first",
            "definition": "d1",
            "direction": "both",
            "expectation": rule,
            "original": {"accepted": "first", "value": 1.0},
            "uncertainty": 0.5,
            "unit": "ct",
            "value": 1.0,
        }
        for rule in RULES
    },
}

junk = st.sampled_from(
    [None, True, -1, 0, 0.5, 10**400, "", " ", "x", "2020-01-01", [], [1], {}, {"kind": "x"}, {"": 1}]
)


def places(node, path=()):
    """Return the path of every value in a tree."""
    items = node.items() if isinstance(node, dict) else ()
    return [path, *(place for key, value in items for place in places(value, (*path, key)))]


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_any_damage_is_one_line_or_harmless(data, tmp_path_factory):
    """A valid file with any one value replaced, removed or added is read as it stands, or refused in one line."""
    path = tmp_path_factory.getbasetemp() / "hits.json"
    content = copy.deepcopy(SOUND)
    *owners, last = data.draw(st.sampled_from([place for place in places(SOUND) if place]))
    node = content
    for key in owners:
        node = node[key]
    match data.draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            node[last] = data.draw(junk)
        case "remove":
            del node[last]
        case "add":
            node[data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=3))] = data.draw(junk)
    try:
        baseline = parse_baseline(json.dumps(content).encode(), path)
    except BrokenFileError as error:
        message = str(error)
        assert message.startswith(f"baseline {path}")
        assert len(message.splitlines()) == 1
        assert "pydantic" not in message
        assert "Input" not in message
    else:
        assert parse_baseline(canonical_bytes(baseline), path) == baseline
