"""Pairs of flats: by record, else by exposure time and neighbourhood, whatever the order of the list."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.ptc.pairing import FlatPair, pair_flats
from harness.rerun.protocol import FlatExposure


def flat(exposure: int, seconds: float, *, pair: str = "", sequence: int | None = None) -> FlatExposure:
    """Return a flat; it was taken in the place that its number says."""
    place = exposure if sequence is None else sequence
    return FlatExposure(
        exposure, 94, "R22_S11", seconds, pair, place, math.nan, f"flat-{exposure}.fits", f"digest {exposure}"
    )


def numbers(exposures: list[FlatExposure]) -> tuple[list[tuple[int, int]], dict[int, str]]:
    """Pair flats, and return the exposures of good pairs, and why the others are left out."""
    pairs, surplus = pair_flats(exposures)
    good = [(pair.first.exposure, pair.second.exposure) for pair in pairs if not pair.status]
    left_out = {exposure.exposure: reason for exposure, reason in surplus}
    for pair in pairs:
        if pair.status:
            left_out |= {pair.first.exposure: pair.status, pair.second.exposure: pair.status}
    return good, left_out


def ladder(*seconds: float, step: int = 1) -> list[FlatExposure]:
    """Return two flats of each exposure time, one after the other."""
    return [flat(1 + step * number, seconds[number // 2]) for number in range(2 * len(seconds))]


def test_a_complete_ladder() -> None:
    """Two flats of each exposure time are the pairs, in the order of taking."""
    flats = ladder(1, 2, 4, 8)
    pairs, surplus = pair_flats(flats)
    assert pairs == [FlatPair(flats[i], flats[i + 1], "") for i in range(0, 8, 2)]
    assert surplus == []
    assert pair_flats([]) == ([], [])


@pytest.mark.parametrize("missing", range(1, 9))
@pytest.mark.parametrize("step", [1, 3])
def test_a_missing_flat_costs_its_partner_and_no_other_pair(missing: int, step: int) -> None:
    """Whichever flat is missing, the other pairs stay; by position all later ones would have shifted."""
    complete, _ = numbers(ladder(1, 2, 4, 8, step=step))
    gone = 1 + step * (missing - 1)
    good, left_out = numbers([each for each in ladder(1, 2, 4, 8, step=step) if each.exposure != gone])
    assert good == [pair for pair in complete if gone not in pair]
    (partner,) = (set(pair) - {gone} for pair in complete if gone in pair)
    assert set(left_out) == partner
    assert "no partner of" in left_out[partner.pop()]


def test_the_reason_says_what_stands_next_to_a_single_flat() -> None:
    """Exposure times and numbers of the neighbours are in the sentence."""
    _, left_out = numbers([*ladder(1, 2), flat(6, 3), flat(9, 5), flat(10, 5), flat(12, 7.25)])
    assert left_out == {
        6: "no partner of 3 s next to it in the sequence: before it is exposure 4 of 2 s, after it exposure 9 of 5 s",
        12: "no partner of 7.25 s next to it in the sequence: before it is exposure 10 of 5 s, after it nothing",
    }


def test_a_pair_of_different_exposure_times_is_told_and_left_out() -> None:
    """Two neighbours without other partners are a pair that failed; both times are told."""
    flats = ladder(1, 12, 4)
    flats[3] = replace(flats[3], exposure_time=15)
    good, left_out = numbers(flats)
    assert good == [(1, 2), (5, 6)]
    assert left_out == dict.fromkeys((3, 4), "exposure times differ: 12 s and 15 s")


def test_singles_farther_apart_than_a_pair_are_not_called_one() -> None:
    """Two single flats with a gap between them have each lost its own partner."""
    good, left_out = numbers([flat(1, 1), flat(2, 1), flat(3, 2), flat(6, 3), flat(7, 4), flat(8, 4)])
    assert good == [(1, 2), (7, 8)]
    assert set(left_out) == {3, 6}
    assert all("no partner" in reason for reason in left_out.values())


@pytest.mark.parametrize(
    ("difference", "paired"),
    [(0.0, True), (0.0049, True), (0.005, True), (0.0051, False), (-0.005, True), (-0.006, False)],
)
@pytest.mark.parametrize("pair", ["", "A"])
def test_exposure_times_agree_within_five_milliseconds(difference: float, paired: bool, pair: str) -> None:
    """The limit holds for recorded pairs as for others."""
    good, left_out = numbers([flat(1, 100.0, pair=pair), flat(2, 100.0 + difference, pair=pair)])
    assert (good == [(1, 2)]) == paired
    assert (left_out == {}) == paired
    if not paired:
        assert left_out[1] == f"exposure times differ: 100 s and {100 + round(difference, 3):g} s"


def test_the_limit_includes_five_milliseconds_as_written() -> None:
    """Times written five milliseconds apart agree, although their binary difference is a trifle more."""
    assert 15.005 - 15.0 > 0.005
    assert numbers([flat(1, 15.0), flat(2, 15.005)]) == ([(1, 2)], {})


def test_neighbourhood_is_that_of_the_sequence() -> None:
    """Exposure numbers need not follow the order of taking; the result does."""
    flats = [flat(1, 5, sequence=11), flat(2, 7, sequence=3), flat(3, 7, sequence=2), flat(4, 5, sequence=10)]
    assert numbers(flats) == ([(3, 2), (4, 1)], {})
    mixed = [*flats, flat(5, 9, pair="A", sequence=6), flat(6, 9, pair="A", sequence=5)]
    assert numbers(mixed)[0] == [(3, 2), (6, 5), (4, 1)]
    _, surplus = pair_flats([flat(8, 1), flat(9, 1, pair="A"), flat(10, 2), flat(11, 3), flat(12, math.nan)])
    assert [each.exposure for each, _ in surplus] == [8, 9, 10, 11, 12]


def test_flats_of_one_time_start_afresh_after_a_gap() -> None:
    """Several pairs of one exposure time: a gap tells where one is missing, also between other exposures."""
    good, left_out = numbers([flat(n, 5) for n in (1, 2, 3, 4)])
    assert good == [(1, 2), (3, 4)]
    good, left_out = numbers([flat(n, 5) for n in (1, 3, 4, 5, 6)])
    assert good == [(3, 4), (5, 6)]
    assert set(left_out) == {1}
    good, left_out = numbers([flat(n, 5) for n in (10, 12, 20, 22, 32, 40, 42)])
    assert good == [(10, 12), (20, 22), (40, 42)]
    assert set(left_out) == {32}
    good, left_out = numbers([flat(1, 9), flat(4, 9), *(flat(n, 5) for n in (10, 11, 13, 15))])
    assert good == [(1, 4), (10, 11)]
    assert set(left_out) == {13, 15}
    good, left_out = numbers([flat(n, 5) for n in (1, 2, 3)])
    assert good == [(1, 2)]
    assert left_out == {
        3: "no partner of 5 s next to it in the sequence: before it is exposure 2 of 5 s, after it nothing"
    }


def test_the_same_exposure_time_later_is_another_pair() -> None:
    """Flats of one exposure time from different parts of the sequence are not paired."""
    good, left_out = numbers([flat(1, 5), flat(3, 8), flat(4, 8), flat(6, 5)])
    assert good == [(3, 4)]
    assert set(left_out) == {1, 6}


def test_recorded_pairs_count_before_everything_else() -> None:
    """What is recorded overrules time and place, and does not touch what is not recorded."""
    flats = [
        flat(1, 5, pair="A"),
        flat(2, 5, pair="B"),
        flat(3, 5, pair="A"),
        flat(4, 5, pair="B"),
        flat(5, 5),
        flat(6, 5),
    ]
    good, left_out = numbers(flats)
    assert good == [(1, 3), (2, 4), (5, 6)]
    assert left_out == {}


def test_a_recorded_pair_of_one_is_not_paired_with_another() -> None:
    """The other flat of a recorded pair is missing, even if a flat of the same time stands beside."""
    good, left_out = numbers([flat(1, 5, pair="A"), flat(2, 5, pair="B"), flat(3, 5, pair="B"), flat(4, 5)])
    assert good == [(2, 3)]
    assert left_out[1] == "the other flat of pair 'A' is missing"
    assert "no partner of 5 s" in left_out[4]


def test_three_flats_of_one_recorded_pair() -> None:
    """Two that go together are taken, and the third is told; when none go together, all are."""
    good, left_out = numbers([flat(1, 5, pair="A"), flat(2, 5, pair="A"), flat(4, 5, pair="A")])
    assert good == [(1, 2)]
    assert list(left_out) == [4]
    assert left_out[4].startswith("pair 'A' has 3 flats (1, 2, 4): no partner of 5 s")
    good, left_out = numbers([flat(1, 6, pair="A"), flat(2, 5, pair="A"), flat(3, 5, pair="A")])
    assert good == [(2, 3)]
    assert list(left_out) == [1]
    good, left_out = numbers([flat(1, 5, pair="A"), flat(2, 6, pair="A"), flat(3, 7, pair="A")])
    assert good == []
    assert set(left_out) == {1, 2, 3}
    good, left_out = numbers([flat(n, 5, pair="A", sequence=-1) for n in (1, 2, 3)])
    assert good == []
    assert "neither pair nor sequence tells" in left_out[2]


def test_without_a_sequence_two_flats_of_a_time_are_a_pair_and_three_are_not() -> None:
    """Where nothing tells the order, only what can be no other way is paired."""
    flats = [flat(n, seconds, sequence=-1) for n, seconds in ((1, 5.004), (2, 7), (3, 5), (4, 9), (5, 9), (6, 9))]
    good, left_out = numbers(flats)
    assert good == [(1, 3)]
    assert left_out == {
        2: "there is no other flat of 7 s without a place in the sequence",
        **dict.fromkeys((4, 5, 6), "there are 3 flats of 9 s, and neither pair nor sequence tells which go together"),
    }


def test_an_exposure_listed_twice_counts_once() -> None:
    """The same file twice is one flat; two files of one exposure are a contradiction, and neither is taken."""
    one, two, three, four = ladder(1, 2)
    pairs, surplus = pair_flats([one, two, three, four, two])
    assert [(pair.first, pair.second) for pair in pairs] == [(one, two), (three, four)]
    assert surplus == [(two, "exposure 2 is listed 2 times")]
    other = replace(two, ref="copy.fits", inputs="another digest")
    pairs, surplus = pair_flats([one, other, two, three, four])
    assert [(pair.first, pair.second) for pair in pairs] == [(three, four)]
    reason = "exposure 2 is there 2 times, not the same (copy.fits and flat-2.fits); leave out one"
    assert (two, reason) in surplus
    assert (other, reason) in surplus
    assert len(surplus) == 3


def test_an_unknown_exposure_time_is_never_equal() -> None:
    """A flat without exposure time is left out, recorded or not."""
    good, left_out = numbers([flat(1, math.nan), flat(2, math.nan), flat(3, 5), flat(4, 5)])
    assert good == [(3, 4)]
    assert left_out == dict.fromkeys((1, 2), "its exposure time is unknown")
    good, left_out = numbers([flat(1, math.nan, pair="A"), flat(2, 5, pair="A")])
    assert good == []
    assert left_out == dict.fromkeys((1, 2), "exposure times cannot be compared: unknown and 5 s")


def test_flats_of_several_detectors_are_refused() -> None:
    """Detectors are paired one at a time."""
    with pytest.raises(ValueError, match=r"one detector .* \[94, 95\]"):
        pair_flats([flat(1, 5), replace(flat(2, 5), detector=95)])


@st.composite
def exposures(draw: st.DrawFn) -> list[FlatExposure]:
    """Draw flats with everything that can be wrong about them."""
    flats = [
        FlatExposure(
            exposure=draw(st.integers(1, 12)),
            detector=94,
            detector_name="R22_S11",
            exposure_time=draw(st.sampled_from([5.0, 5.004, 5.008, 7.0, math.nan])),
            pair=draw(st.sampled_from(["", "", "", "A", "B"])),
            sequence=draw(st.integers(-1, 12)),
            photo_charge=1e-9,
            ref=draw(st.sampled_from(["x", "y"])),
            inputs=draw(st.sampled_from(["1", "2"])),
        )
        for _ in range(draw(st.integers(0, 12)))
    ]
    return flats + draw(st.lists(st.sampled_from(flats), max_size=3) if flats else st.just([]))


@given(exposures(), st.randoms(use_true_random=False))
def test_any_order_of_the_list_gives_the_same_pairs(flats: list[FlatExposure], random: object) -> None:
    """The result does not depend on the order of the list, and holds every flat exactly once."""
    pairs, surplus = pair_flats(flats)
    shuffled = list(flats)
    random.shuffle(shuffled)
    # NaN is not equal to itself, but it has one representation.
    assert repr(pair_flats(shuffled)) == repr((pairs, surplus))
    found = [each for pair in pairs for each in (pair.first, pair.second)] + [each for each, _ in surplus]
    assert sorted(map(repr, found)) == sorted(map(repr, flats))
    assert all(reason for _, reason in surplus)
    for pair in pairs:
        same = abs(pair.first.exposure_time - pair.second.exposure_time) < 0.0051
        assert same == (not pair.status)
        assert pair.first.pair == pair.second.pair
        assert pair.first.exposure != pair.second.exposure


@given(
    st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=12),
    st.sets(st.integers(0, 23)),
    st.sampled_from(["", "recorded"]),
)
def test_every_pair_that_is_whole_is_found(seconds: list[float], missing: set[int], recorded: str) -> None:
    """Of a ladder with a bias between the pairs, those of which both flats are there are found, whatever is missing."""
    taken = [
        flat(3 * (number // 2) + number % 2, seconds[number // 2], pair=recorded and f"{recorded} {number // 2}")
        for number in range(2 * len(seconds))
    ]
    there = [each for number, each in enumerate(taken) if number not in missing]
    good, _ = numbers(there)
    whole = [number for number in range(len(seconds)) if not missing & {2 * number, 2 * number + 1}]
    expected = {(taken[2 * number].exposure, taken[2 * number + 1].exposure) for number in whole}
    assert expected <= set(good)
    if recorded:
        assert expected == set(good)
    by_exposure = {each.exposure: each.exposure_time for each in there}
    assert all(by_exposure[one] == by_exposure[other] for one, other in good)
