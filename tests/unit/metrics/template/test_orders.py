"""Five classes, of which one always applies."""

from __future__ import annotations

import math
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.template.orders import Order, order_of


def test_every_order_has_its_class() -> None:
    """All six orders of three different sizes, by what each says."""
    expected = {
        ("good", "visit", "deep"): Order.GOOD_VISIT_DEEP,
        ("visit", "good", "deep"): Order.VISIT_BELOW_BOTH,
        ("visit", "deep", "good"): Order.VISIT_BELOW_BOTH,
        ("deep", "visit", "good"): Order.DEEP_VISIT_GOOD,
        ("good", "deep", "visit"): Order.VISIT_ABOVE_BOTH,
        ("deep", "good", "visit"): Order.VISIT_ABOVE_BOTH,
    }
    for names in permutations(("visit", "good", "deep")):
        sizes = {name: float(place) for place, name in enumerate(names, 1)}
        assert order_of(**sizes) == expected[names]


@pytest.mark.parametrize("nothing", [math.nan, math.inf, 0.0, -1.0])
@pytest.mark.parametrize("at", range(3))
def test_what_is_missing_is_a_class_of_its_own(nothing: float, at: int) -> None:
    """NaN, infinity and the zero that stands for a failure are missing, whichever of the three they are."""
    sizes = [4.0, 3.0, 5.0]
    sizes[at] = nothing
    assert order_of(*sizes) == Order.TIES_OR_MISSING


def test_a_visit_as_broad_as_a_template_is_a_tie() -> None:
    """Equal is neither below nor above; two equal templates are no tie of the visit."""
    assert order_of(4.0, 4.0, 5.0) == Order.TIES_OR_MISSING
    assert order_of(4.0, 3.0, 4.0) == Order.TIES_OR_MISSING
    assert order_of(4.0, 5.0, 5.0) == Order.VISIT_BELOW_BOTH


sizes = st.one_of(st.floats(allow_nan=True), st.sampled_from([0.0, 1.0, 2.0, 3.0]))


@given(st.lists(st.tuples(sizes, sizes, sizes), min_size=1))
def test_shares_add_up_to_one(triples) -> None:
    """Whatever the sizes, every visit is in exactly one class."""
    counts = Counter(order_of(*triple) for triple in triples)
    assert set(counts) <= set(Order)
    assert counts.total() == len(triples)
