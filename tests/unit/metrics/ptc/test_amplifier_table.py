"""Tables of amplifiers: what is wrong in one, and what changed between two, told with value and place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from harness.metrics.ptc.amplifier_changes import common_factor, compare_amplifiers
from harness.metrics.ptc.amplifier_table import Kind, detector_tables, table_defects

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.metrics.ptc.amplifier_table import Finding

DETECTORS = [f"R{raft}_S{i}{j}" for raft in (11, 12, 21, 22) for i in range(3) for j in range(3)]
NAMES = [f"C1{i}" for i in range(8)] + [f"C0{i}" for i in range(7, -1, -1)]
WRITTEN = {f"C0{i}": f"C1{i}" for i in range(8)} | {f"C1{i}": f"C0{7 - i}" for i in range(8)}

Rows = dict[tuple[str, str], dict[str, float | None]]


def focal_plane(seed: int = 1) -> Rows:
    """Return 36 detectors, two vendors by raft, halves that differ by some percent."""
    rng = np.random.default_rng(seed)
    rows: Rows = {}
    for d, detector in enumerate(DETECTORS):
        level = 1.75 if d < 18 else 1.48
        for name in NAMES:
            gain = level * (0.92 if name.startswith("C0") else 1) * np.exp(rng.normal(0, 0.02))
            rows[detector, name] = {
                "gain": gain,
                "readNoise": 5.5 * np.exp(rng.normal(0, 0.06)),
                "saturation": 130_000 * np.exp(rng.normal(0, 0.05)),
            }
    return rows


def measured_again(rows: Rows, seed: int, noise: float = 0.003) -> Rows:
    """Return the same amplifiers, measured anew."""
    rng = np.random.default_rng(seed)
    return {key: {q: v * np.exp(rng.normal(0, noise)) for q, v in row.items()} for key, row in rows.items()}


def table(rows: Rows, repeat: tuple[tuple[str, str], ...] = ()) -> pa.Table:
    """Return rows as a rerun gives them."""
    keys = [*rows, *repeat]
    return pa.table(
        {
            "detector": pa.array([DETECTORS.index(d) if d in DETECTORS else None for d, _ in keys], pa.int32()),
            "detectorName": [d for d, _ in keys],
            "amplifier": [a for _, a in keys],
            "ptcGain": pa.nulls(len(keys), pa.float64()),
            **{q: pa.array([rows[key][q] for key in keys], pa.float64()) for q in ("gain", "readNoise", "saturation")},
        }
    )


def only(findings: list[Finding]) -> Finding:
    """Return the one finding there is."""
    assert len(findings) == 1, [finding.sentence for finding in findings]
    return findings[0]


def test_sound_tables_have_no_defects() -> None:
    """Nothing is found in a sound focal plane, with its vendors, halves and columns that are not there."""
    assert table_defects(table(focal_plane())) == []


@pytest.mark.parametrize(
    ("column", "value", "kind", "words"),
    [
        ("gain", 1.0, Kind.PLACEHOLDER, "gain is 1 e-/adu, a placeholder, in R12_S11 C05"),
        ("gain", 1.6, Kind.PLACEHOLDER, "gain is 1.6 e-/adu, a placeholder, in R12_S11 C05"),
        ("gain", 0.0, Kind.UNMEASURED, "gain is 0 (not measured) in R12_S11 C05"),
        ("gain", -1.0, Kind.UNMEASURED, "gain is -1 (not measured) in R12_S11 C05"),
        ("gain", np.nan, Kind.UNMEASURED, "gain is missing or NaN (not measured) in R12_S11 C05"),
        ("gain", None, Kind.UNMEASURED, "gain is missing or NaN (not measured) in R12_S11 C05"),
        ("saturation", 0.0, Kind.ZERO_SATURATION, "saturation is 0 in R12_S11 C05"),
        ("readNoise", -3.0, Kind.UNPHYSICAL, "read noise is -3 e-, which nothing has, in R12_S11 C05"),
        ("gain", np.inf, Kind.UNPHYSICAL, "gain is inf e-/adu, which nothing has, in R12_S11 C05"),
        ("readNoise", np.inf, Kind.UNPHYSICAL, "read noise is inf e-, which nothing has, in R12_S11 C05"),
    ],
)
def test_a_number_that_is_none_is_told(column: str, value: float | None, kind: Kind, words: str) -> None:
    """Placeholders, sentinels and impossible values are each told for what they are, and nothing else is."""
    rows = focal_plane()
    rows["R12_S11", "C05"][column] = value
    finding = only(table_defects(table(rows)))
    assert (finding.kind, finding.column, finding.sentence) == (kind, column, words)
    (place,) = finding.places
    assert (place.detector, place.detector_name, place.amplifiers) == (13, "R12_S11", ("C05",))


def test_one_number_for_all_is_a_placeholder() -> None:
    """A camera description that gives every amplifier the same gain measured none."""
    rows = {key: {**row, "gain": 1.7} for key, row in focal_plane().items()}
    finding = only(table_defects(table(rows)))
    assert finding.sentence == "gain is 1.7 e-/adu, a placeholder, in all 36 science detectors"
    assert finding.n_amplifiers == 36 * 16


def test_round_gains_among_round_gains_are_measured() -> None:
    """Where all gains are given to two decimals, one like them is no placeholder."""
    rows = {key: {**row, "gain": round(row["gain"], 2)} for key, row in focal_plane().items()}
    assert [finding for finding in table_defects(table(rows)) if finding.kind is Kind.PLACEHOLDER] == []


def test_copied_numbers_are_told() -> None:
    """Two amplifiers do not agree to sixteen digits by themselves."""
    rows = focal_plane()
    rows["R21_S00", "C04"]["gain"] = rows["R21_S00", "C14"]["gain"]
    finding = only(table_defects(table(rows)))
    words = "gain is the same to the last digit as that of another amplifier in R21_S00 C04, C14"
    assert (finding.kind, finding.sentence) == (Kind.COPIED, words)


def test_an_outlying_gain_is_told_with_its_detectors_range() -> None:
    """0.345 among 1.4 is found, in a detector whose halves differ."""
    rows = focal_plane()
    rows["R22_S10", "C00"]["gain"] = 0.34509
    finding = only(table_defects(table(rows)))
    assert finding.kind is Kind.OUTLYING
    assert finding.sentence.startswith("gain is 0.3451 e-/adu where the bulk of its detector has 1.3")
    assert finding.sentence.endswith("in R22_S10 C00")


def test_most_amplifiers_may_be_wild() -> None:
    """Ten amplifiers with wild gains do not make the six sound ones outlying, as a median would."""
    rows = focal_plane()
    for i, name in enumerate(NAMES[:10]):
        rows["R22_S10", name]["gain"] = 4.3 * 1.5**i + 0.001234567
    found = table_defects(table(rows))
    assert {finding.kind for finding in found} == {Kind.OUTLYING}
    assert sorted(name for finding in found for name in finding.places[0].amplifiers) == sorted(NAMES[:10])


def test_missing_and_repeated_amplifiers_are_told() -> None:
    """An amplifier that the other detectors of the kind have, and one that is there twice."""
    rows = focal_plane()
    del rows["R11_S00", "C03"]
    rows["R00_SW0", "C10"] = rows["R11_S00", "C10"]  # a wavefront sensor may have fewer
    missing, repeated = table_defects(table(rows, repeat=(("R11_S01", "C07"),)))
    assert (missing.kind, missing.sentence) == (
        Kind.MISSING,
        "1 amplifier missing of the 16 of such a detector in R11_S00 C03",
    )
    assert (repeated.kind, repeated.sentence) == (Kind.REPEATED, "rows are there more than once in R11_S01 C07")


def test_detectors_may_have_numbers_alone() -> None:
    """Without a name, the number names a detector; an empty table has nothing wrong."""
    rows = table({key: row for key, row in focal_plane().items() if key[0] == "R11_S00"})
    names = pa.array([None] * len(rows), pa.string())
    nameless = rows.set_column(rows.column_names.index("detectorName"), "detectorName", names)
    assert [list(kind.detectors.items()) for kind in detector_tables(nameless).values()] == [[("detector 0", 0)]]
    assert table_defects(nameless) == table_defects(rows.slice(0, 0)) == []


def test_equal_tables_do_not_differ() -> None:
    """Nothing is found between a table and itself, defects or not."""
    rows = focal_plane()
    rows["R11_S00", "C00"]["gain"] = 0.0
    rows["R11_S01", "C00"]["gain"] = 1.0
    assert compare_amplifiers(table(rows), table(rows)) == []
    alike = table({key: {**row, "gain": 1.7} for key, row in focal_plane().items()})
    assert compare_amplifiers(alike, alike) == []


@pytest.mark.parametrize("noise", [0.0001, 0.003, 0.01])
def test_noise_is_no_change(noise: float) -> None:
    """Amplifiers measured anew have not changed, permuted, or moved together."""
    rows = focal_plane()
    for seed in range(4):
        found = compare_amplifiers(table(rows), table(measured_again(rows, 100 + seed, noise)))
        assert [finding.sentence for finding in found if finding.kind is not Kind.UNKNOWN_ORDER] == []


def test_rounding_is_no_change() -> None:
    """A table that was only rounded is the same."""
    rows = focal_plane()
    rounded = {
        key: {"gain": round(r["gain"], 5), "readNoise": round(r["readNoise"], 3), "saturation": round(r["saturation"])}
        for key, r in rows.items()
    }
    assert compare_amplifiers(table(rows), table(rounded)) == []


def permuted(rows: Rows, detectors: list[str]) -> Rows:
    """Return the same values beside the wrong names."""
    return {(d, a): rows[d, WRITTEN[a] if d in detectors else a] for d, a in rows}


@pytest.mark.parametrize("noise", [0.0, 0.003])
@pytest.mark.parametrize(
    ("detectors", "where"),
    [
        (DETECTORS, "in all 36 science detectors"),
        (["R12_S02"], "in R12_S02 (all)"),
        (DETECTORS[:18], "in 288 amplifiers of 18 detectors: R11_S00 (all); R11_S01 (all); "),
    ],
)
def test_a_permutation_is_named_once(detectors: list[str], where: str, noise: float) -> None:
    """However many detectors are permuted, exactly or with noise, one sentence names the mapping and the places."""
    rows = focal_plane()
    finding = only(compare_amplifiers(table(rows), table(measured_again(permuted(rows, detectors), 2, noise))))
    assert finding.kind is Kind.PERMUTED
    assert finding.sentence.startswith(f"C00..C07 hold the values of C10..C17, C10..C17 those of C07..C00 {where}")
    assert [place.detector_name for place in finding.places] == detectors


def test_any_order_is_found_when_all_detectors_share_it() -> None:
    """An order of no usual kind, of gains alone, is learnt from all detectors together."""
    order = dict(zip(NAMES, np.random.default_rng(12).permutation(NAMES).tolist(), strict=True))
    rows = {key: {**row, "readNoise": None, "saturation": None} for key, row in focal_plane().items()}
    again = {key: {**rows[key], "gain": row["gain"]} for key, row in measured_again(focal_plane(), 3).items()}
    found = compare_amplifiers(table(rows), table({(d, a): again[d, order[a]] for d, a in rows}))
    (finding,) = [finding for finding in found if finding.kind is Kind.PERMUTED]
    assert len(finding.places) == 36
    assert set(finding.places[0].amplifiers) == {name for name, held in order.items() if name != held}


def test_what_else_changed_is_told_beside_a_permutation() -> None:
    """In permuted detectors an amplifier that changed as well is told, with its own old value."""
    rows = focal_plane()
    new = measured_again(permuted(rows, DETECTORS), 4)
    new["R11_S11", "C02"]["gain"] *= 1.1
    order, change = compare_amplifiers(table(rows), table(new))
    assert (order.kind, change.kind, change.column) == (Kind.PERMUTED, Kind.CHANGED, "gain")
    assert f"gain changed from {rows['R11_S11', 'C12']['gain']:.5g} to " in change.sentence


def test_exchanged_rafts_are_told() -> None:
    """Two rafts that hold each other's values are recognised, and not told as hundreds of changes."""
    rows = focal_plane()
    other = {"R11": "R12", "R12": "R11"}
    new = {(d, a): rows[other.get(d[:3], d[:3]) + d[3:], a] for d, a in rows}
    found = compare_amplifiers(table(rows), table(measured_again(new, 5)))
    assert [(finding.kind, len(finding.places)) for finding in found] == [(Kind.EXCHANGED, 9), (Kind.EXCHANGED, 9)]
    assert found[0].sentence.startswith("the values of R12 stand in 144 amplifiers of 9 detectors: R11_S00 (all)")


def test_another_set_up_is_a_common_factor() -> None:
    """A factor of all gains is told once, with its size."""
    rows = focal_plane()
    new = {key: {**row, "gain": 1.29 * row["gain"]} for key, row in measured_again(rows, 6).items()}
    finding = only(compare_amplifiers(table(rows), table(new)))
    assert (finding.kind, finding.column, len(finding.places)) == (Kind.COMMON_FACTOR, "gain", 36)
    assert finding.sentence.startswith("gain changed by a common factor of 1.2")
    factor = common_factor(table(rows), table(new))
    assert factor is not None
    assert abs(factor.value - 1.29) < 4 * factor.error < 0.01
    assert factor.n_detectors == 36
    assert common_factor(table(rows), table(new), "ptcGain") is None


def test_another_set_up_of_some_detectors_is_told_together() -> None:
    """A raft that was read out by other electronics changed as a whole."""
    rows = focal_plane()
    new = measured_again(rows, 7)
    for (detector, _), row in new.items():
        row["gain"] *= 1.5 if detector.startswith("R22") else 1
    finding = only(compare_amplifiers(table(rows), table(new)))
    assert (finding.kind, len(finding.places)) == (Kind.COMMON_FACTOR, 9)
    assert "gain changed by factors of 1.49" in finding.sentence
    assert "elsewhere of 1.00" in finding.sentence


def changed(rows: Rows) -> None:
    """Repair one gain."""
    rows["R22_S10", "C00"]["gain"] = 1.424123456


def replaced(rows: Rows) -> None:
    """Measure what was a placeholder."""
    rows["R21_S20", "C10"]["gain"] = 1.533123456


def lost(rows: Rows) -> None:
    """Write zeros for saturations."""
    rows["R12_S00", "C00"]["saturation"] = rows["R12_S00", "C01"]["saturation"] = 0.0


def removed(rows: Rows) -> None:
    """Drop an amplifier."""
    del rows["R12_S00", "C00"]


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        (changed, Kind.CHANGED, "gain changed from 0.345 to 1.4241 e-/adu (×4.13, others "),
        (replaced, Kind.REPLACED, "gain changed from 1 e-/adu (a placeholder) to 1.5331 e-/adu in R21_S20 C10"),
        (lost, Kind.LOST, "saturation changed from measured values to 0 adu (not measured) in R12_S00 C00, C01"),
        (removed, Kind.MISSING, "amplifiers are no longer there in R12_S00 C00"),
    ],
)
def test_a_single_change_is_named(change: Callable[[Rows], None], kind: Kind, words: str) -> None:
    """One amplifier that changed, was measured, lost or dropped is told as such, and nothing else is."""
    rows = focal_plane()
    rows["R22_S10", "C00"]["gain"] = 0.345
    rows["R21_S20", "C10"]["gain"] = 1.0
    new = measured_again(rows, 8)
    new["R21_S20", "C10"]["gain"] = 1.0
    change(new)
    finding = only(compare_amplifiers(table(rows), table(new)))
    assert finding.kind is kind
    assert finding.sentence.startswith(words)
    if kind is Kind.MISSING:
        assert only(compare_amplifiers(table(new), table(rows))).kind is Kind.ADDED


def test_half_of_a_detector_is_told_amplifier_by_amplifier() -> None:
    """Where the amplifiers of a detector do not agree on a factor, those that changed are told, not the others."""
    rows = focal_plane()
    new = measured_again(rows, 9)
    for i, name in enumerate(NAMES[:10]):
        new["R12_S12", name]["gain"] *= 12 + 2 * i
    found = compare_amplifiers(table(rows), table(new))
    names = [place.amplifiers[0] for finding in found if finding.kind is Kind.CHANGED for place in finding.places]
    assert sorted(names) == sorted(NAMES[:10])


def test_a_stated_error_takes_the_place_of_the_scatter() -> None:
    """A change of 2 % is told or not as the error is known to be 0.2 % or 1 %."""
    rows = focal_plane()
    new = measured_again(rows, 10, noise=0.002)
    new["R11_S11", "C02"]["gain"] *= 1.02
    for error, count in ((0.002, 1), (0.01, 0)):
        found = compare_amplifiers(table(rows), table(new), errors={"gain": error})
        assert [f.kind for f in found if f.kind is not Kind.UNKNOWN_ORDER] == [Kind.CHANGED] * count


def test_orders_that_cannot_be_told_are_said_to_be() -> None:
    """Where amplifiers differ by less than their noise, no permutation is claimed and none is excluded."""
    rows = {
        key: {"gain": 1.5 * np.exp(np.random.default_rng(i).normal(0, 0.001)), "readNoise": None, "saturation": None}
        for i, key in enumerate(focal_plane())
    }
    rng = np.random.default_rng(11)
    new = {key: {**row, "gain": row["gain"] * np.exp(rng.normal(0, 0.01))} for key, row in rows.items()}
    finding = only(compare_amplifiers(table(rows), table(new)))
    assert finding.kind is Kind.UNKNOWN_ORDER
    assert finding.sentence.startswith("the order of the amplifiers cannot be told (its amplifiers are too alike)")
