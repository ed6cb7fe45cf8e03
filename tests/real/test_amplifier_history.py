"""The amplifiers of LSSTCam as its description gave them from 2018 to 2023, and as EO tests measured them.

Every commit to ``policy/lsstCam`` of ``lsst/obs_lsst`` that changed a gain, a read noise or a saturation is one version
of the whole camera.  Gain files of the EO tests are those of ``lsst-camera-dh/EO-analysis-jobs``.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pytest

from harness.metrics.ptc.amplifier_changes import common_factor, compare_amplifiers
from harness.metrics.ptc.amplifier_table import Kind, table_defects

if TYPE_CHECKING:
    from pathlib import Path

    from harness.metrics.ptc.amplifier_table import Finding

FOLDER = "ptc_lsstcam_run13144"
VERSIONS = (
    "2018-07-20",  # 1.7 e-/adu and 7 e- for all
    "2019-04-12",
    "2019-04-19",
    "2020-03-12",  # measured values, in the wrong order
    "2020-07-15",
    "2020-08-19",  # a69fc844: in the right order
    "2020-10-19",
    "2020-10-23",
    "2842bc39",  # 2021-03-11: the same, rounded
    "cca58ecb",  # 2021-03-11: another acquisition set-up
    "2023-07-21",  # run 13412
)
"""Dates of the versions, and commits where a date has two."""


@pytest.fixture(scope="module")
def history(real_data: Path) -> dict[str, pa.Table]:
    """Return the whole camera at each version."""
    rows = pl.read_csv(real_data / FOLDER / "lsstcam_amp_history.csv", infer_schema_length=None).with_columns(
        detectorName=pl.format("{}_{}", "raft", "slot"),
        version=pl.when(pl.col("date") == "2021-03-11").then(pl.col("commit")).otherwise(pl.col("date")),
    )
    camera = rows.clear()
    versions = {}
    for version in VERSIONS:
        camera = pl.concat([camera, rows.filter(version=version)]).unique(
            ["detectorName", "amp"], keep="last", maintain_order=True
        )
        versions[version] = camera.select(
            pl.lit(None, pl.Int32).alias("detector"),
            "detectorName",
            pl.col("amp").alias("amplifier"),
            "gain",
            "readNoise",
            "saturation",
        ).to_arrow()
    return versions


@pytest.fixture(scope="module")
def eo_tests(real_data: Path) -> dict[str, pa.Table]:
    """Return the gain files, by the date in their names."""
    tables = {}
    for path in sorted((real_data / FOLDER).glob("curated_*.json")):
        rows = [
            (d, a, gain) for d, amplifiers in json.loads(path.read_text()).items() for a, gain in amplifiers.items()
        ]
        detectors, amplifiers, gains = (list(column) for column in zip(*rows, strict=True))
        tables[path.stem[-10:]] = pa.table(
            {
                "detector": pa.nulls(len(rows), pa.int32()),
                "detectorName": detectors,
                "amplifier": amplifiers,
                "gain": gains,
            }
        )
    return tables


def told(findings: list[Finding]) -> Counter[tuple[Kind, str]]:
    """Count amplifiers by kind and column."""
    counts: Counter[tuple[Kind, str]] = Counter()
    for finding in findings:
        counts[finding.kind, finding.column] += finding.n_amplifiers
    return counts


def where(findings: list[Finding], kind: Kind, column: str = "gain") -> set[str]:
    """Return places such as ``R10_S00 C00``."""
    return {
        f"{place.detector_name} {name}"
        for finding in findings
        if (finding.kind, finding.column) == (kind, column)
        for place in finding.places
        for name in place.amplifiers
    }


@pytest.mark.parametrize("version", VERSIONS[:3])
def test_defaults_are_placeholders(history: dict[str, pa.Table], version: str) -> None:
    """Until 2020 each of 3024 amplifiers had the gain 1.7."""
    (finding,) = table_defects(history[version])
    assert finding.sentence == "gain is 1.7 e-/adu, a placeholder, in all 189 science detectors"


@pytest.mark.parametrize(
    ("version", "count"),
    [
        ("2020-03-12", 269),
        ("2020-08-19", 269),
        ("2020-10-19", 272),
        ("2842bc39", 272),
        ("cca58ecb", 1),
        ("2023-07-21", 0),
    ],
)
def test_zero_saturations_are_counted(history: dict[str, pa.Table], version: str, count: int) -> None:
    """All of R30, most of R43 and one of R10 had no saturation for a year."""
    places = where(table_defects(history[version]), Kind.ZERO_SATURATION, "saturation")
    assert len(places) == count
    if count > 1:
        assert Counter(place[:3] for place in places) == {"R30": 144, "R43": count - 145, "R10": 1}


@pytest.mark.parametrize(
    ("version", "outlying"),
    [
        (
            "2020-08-19",
            {"R30_S00 C10", "R01_S01 C00", *(f"R32_S11 C{i}" for i in ("03", "04", "07", "10", "11", "17"))},
        ),
        ("cca58ecb", {"R30_S00 C10"}),  # 1.6 among 1.16 to 1.21
        ("2023-07-21", {"R43_S20 C14"}),  # 1.253 among 1.59 to 1.67, with a read noise of 62 e-
    ],
)
def test_outlying_gains_are_those_there_are(history: dict[str, pa.Table], version: str, outlying: set[str]) -> None:
    """Gains of 56 and 38 are found, and none of the sound ones, whose detectors' halves differ by up to 10 %."""
    assert where(table_defects(history[version]), Kind.OUTLYING) == outlying


def test_impossible_saturations_are_found(history: dict[str, pa.Table]) -> None:
    """Three saturations were millions below zero until they were set to zero in October 2020."""
    before = where(table_defects(history["2020-08-19"]), Kind.UNPHYSICAL, "saturation")
    assert before == {"R43_S00 C02", "R43_S00 C07", "R43_S12 C06"}
    findings = compare_amplifiers(history["2020-08-19"], history["2020-10-19"])
    assert told(findings) == {(Kind.REPLACED, "saturation"): 3}
    assert where(findings, Kind.REPLACED, "saturation") == before


@pytest.mark.parametrize(
    ("before", "after"), [("2018-07-20", "2019-04-12"), ("2019-04-12", "2019-04-19"), ("2020-10-23", "2842bc39")]
)
def test_nothing_is_found_where_nothing_changed(history: dict[str, pa.Table], before: str, after: str) -> None:
    """Two commits moved values between files, one rounded all of them: none of that is a change."""
    assert compare_amplifiers(history[before], history[after]) == []


def test_first_measurements_replace_placeholders(history: dict[str, pa.Table]) -> None:
    """In March 2020 each default became a measurement, or a zero, and nothing else happened."""
    findings = compare_amplifiers(history["2019-04-19"], history["2020-03-12"])
    assert told(findings) == {(Kind.REPLACED, "gain"): 3024, (Kind.REPLACED, "readNoise"): 3024}
    assert findings[0].sentence == (
        "gain changed from 1.7 e-/adu (a placeholder) to measured values"
        " in 3023 amplifiers of all 189 science detectors"
    )


def test_the_wrong_order_is_found_in_all_detectors(history: dict[str, pa.Table]) -> None:
    """The amplifiers of all 189 detectors moved on 2020-08-19, each by the same mapping, told in one sentence."""
    old, new = history["2020-07-15"], history["2020-08-19"]
    forward = compare_amplifiers(old, new)[0]
    assert forward.kind is Kind.PERMUTED
    assert forward.sentence == (
        "C00..C07 hold the values of C17..C10, C10..C17 those of C00..C07 in all 189 science detectors"
    )
    assert forward.n_amplifiers == 3024
    backward = compare_amplifiers(new, old)[0]
    assert backward.sentence == (
        "C00..C07 hold the values of C10..C17, C10..C17 those of C07..C00 in all 189 science detectors"
    )


def test_what_else_changed_with_the_order_is_found(history: dict[str, pa.Table]) -> None:
    """Eleven read noises of R32_S11 had been corrected a month before, beside the right names: they moved too far."""
    corrected = compare_amplifiers(history["2020-03-12"], history["2020-07-15"])
    assert told(corrected) == {(Kind.CHANGED, "readNoise"): 11}
    findings = compare_amplifiers(history["2020-07-15"], history["2020-08-19"])
    assert told(findings[1:]) == {(Kind.CHANGED, "readNoise"): 11}
    found = where(corrected, Kind.CHANGED, "readNoise") | where(findings, Kind.CHANGED, "readNoise")
    assert {place[:7] for place in found} == {"R32_S11"}


def test_a_read_noise_set_by_hand_is_found(history: dict[str, pa.Table]) -> None:
    """One number of 9072 changed on 2020-10-23."""
    (finding,) = compare_amplifiers(history["2020-10-19"], history["2020-10-23"])
    assert finding.sentence.startswith("read noise changed from 7.2923 to 25 e- (×3.43, others +0.00%)")
    assert where([finding], Kind.CHANGED, "readNoise") == {"R41_S11 C14"}


def test_rafts_that_held_each_others_values_are_found(history: dict[str, pa.Table]) -> None:
    """R24 and R34 had each other's gains, noises and saturations until the new measurements of 2021."""
    findings = compare_amplifiers(history["2842bc39"], history["cca58ecb"])
    pairs = {finding.sentence[:25]: {place.detector_name for place in finding.places} for finding in findings[:2]}
    assert [finding.kind for finding in findings].count(Kind.EXCHANGED) == 2
    assert {words: {name[:3] for name in names} for words, names in pairs.items()} == {
        "the values of R34 stand i": {"R24"},
        "the values of R24 stand i": {"R34"},
    }
    assert all(len(names) >= 7 for names in pairs.values())
    assert Kind.PERMUTED not in {finding.kind for finding in findings}


def test_new_set_ups_are_common_factors(history: dict[str, pa.Table]) -> None:
    """In 2021 eight rafts changed by 1.5 and the others by 1.03, in 2023 all by 1.2 or 1.3, and no order changed."""
    factors = {}
    for before, after in (("2842bc39", "cca58ecb"), ("cca58ecb", "2023-07-21")):
        findings = compare_amplifiers(history[before], history[after])
        common = [finding for finding in findings if (finding.kind, finding.column) == (Kind.COMMON_FACTOR, "gain")]
        factors[after] = [(len(finding.places), finding.sentence.partition(", ")[0]) for finding in common]
        assert Kind.PERMUTED not in {finding.kind for finding in findings}
    assert [n for n, _ in factors["cca58ecb"]] == [189, 72]
    assert "by factors of 1.4412 to 1.5331" in factors["cca58ecb"][1][1]
    assert [n for n, _ in factors["2023-07-21"]] == [189, 70]
    assert "by factors of 1.1768 to 1.2064" in factors["2023-07-21"][1][1]


def test_repaired_gains_are_found(history: dict[str, pa.Table]) -> None:
    """The gains of 40 and 56, and eleven of R32_S11, became sound ones in 2021; R10_S00 C00 was measured."""
    findings = compare_amplifiers(history["2842bc39"], history["cca58ecb"])
    changed = where(findings, Kind.CHANGED)
    wild = {f"R32_S11 C{i}" for i in ("00", "01", "02", "05", "06", "11", "12", "13", "14", "15", "16")}
    assert changed >= {"R30_S00 C10", "R01_S01 C00", *wild}
    assert where(findings, Kind.REPLACED) == {"R10_S00 C00"}
    assert any(
        f.sentence == "gain changed from 0 e-/adu (not measured) to 1.4241 e-/adu in R10_S00 C00" for f in findings
    )


def test_gains_filled_in_by_hand_are_placeholders(eo_tests: dict[str, pa.Table]) -> None:
    """Exactly 1 for R30_S00 C10 and round numbers for guiders in August 2020, 1.6 and 0.9 in September."""
    august, september = (table_defects(eo_tests[date]) for date in ("2020-08-03", "2020-09-16"))
    guiders = {*(f"R04_SG0 C1{i}" for i in "3467"), *(f"R40_SG1 C1{i}" for i in "017"), "R44_SG0 C05"}
    assert where(august, Kind.PLACEHOLDER) == {"R30_S00 C10", *guiders}
    assert where(august, Kind.OUTLYING) == {"R10_S00 C00"}
    assert where(september, Kind.PLACEHOLDER) == {"R30_S00 C10", "R04_SG0 C10", "R04_SG0 C11", "R44_SG0 C02"}
    assert where(september, Kind.OUTLYING) == set()


def test_copied_gains_are_found(eo_tests: dict[str, pa.Table]) -> None:
    """Eight amplifiers of a wavefront sensor are listed as sixteen; in 2022 two of R01_S00 have the same digits."""
    for date in ("2020-08-03", "2020-09-16"):
        copied = where(table_defects(eo_tests[date]), Kind.COPIED)
        assert {place[:6] for place in copied} <= {f"R{raft}_SW" for raft in ("00", "04", "40", "44")}
        assert len(copied) == 128
    assert where(table_defects(eo_tests["2022-02-10"]), Kind.COPIED) == {"R01_S00 C04", "R01_S00 C14"}


def test_changes_between_eo_tests_are_named(eo_tests: dict[str, pa.Table]) -> None:
    """0.345 became 1.424, the placeholder 1 became 1.6, and the guiders' amplifiers were put in another order."""
    findings = compare_amplifiers(eo_tests["2020-08-03"], eo_tests["2020-09-16"])
    sentences = [finding.sentence for finding in findings]
    assert "gain changed from 0.34509 to 1.4241 e-/adu (×4.13, others -1.13%) in R10_S00 C00" in sentences
    replaced = "gain changed from 1 e-/adu (a placeholder) to 1.6 e-/adu (a placeholder) in R30_S00 C10"
    assert replaced in sentences
    (order,) = [finding for finding in findings if finding.kind is Kind.PERMUTED]
    assert order.sentence.startswith("C00..C07 hold the values of C07..C00, C10..C17 those of C17..C10 in ")
    guiders = {f"R{raft}_SG{i}" for raft in ("00", "04", "40", "44") for i in range(2)}
    assert {place.detector_name for place in order.places} == guiders - {"R40_SG1"}
    # The last one cannot be told: its sixteen gains lie within 1.5 %.
    assert [f for f in findings if f.kind is Kind.UNKNOWN_ORDER and "in R40_SG1 (all)" in f.sentence]


def test_the_camera_holds_the_gains_of_the_eo_test(history: dict[str, pa.Table], eo_tests: dict[str, pa.Table]) -> None:
    """The description of 2021 is the gain file of September 2020 to its last digit, without guiders."""
    findings = compare_amplifiers(eo_tests["2020-09-16"], history["cca58ecb"])
    assert told(findings) == {(Kind.MISSING, ""): 16 * 16}


def test_two_runs_differ_by_a_factor_alone(history: dict[str, pa.Table], eo_tests: dict[str, pa.Table]) -> None:
    """Run 13144 and run 13412: the same order, 0.7 % apart, and single amplifiers that changed by 1 to 24 %."""
    old, new = eo_tests["2022-02-10"], history["2023-07-21"]
    factor = common_factor(old, new)
    assert factor is not None
    assert factor.value == pytest.approx(1 / 1.0067, abs=5e-4)  # the published ratio of the medians
    findings = compare_amplifiers(old, new)
    assert not {Kind.PERMUTED, Kind.EXCHANGED} & {finding.kind for finding in findings}
    changed = [finding for finding in findings if finding.kind is Kind.CHANGED]
    assert changed[0].sentence.startswith("gain changed from 1.6481 to 1.253 e-/adu (-23.97%, others -0.61%)")
    assert 20 < len(changed) < 40
