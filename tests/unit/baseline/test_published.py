"""Published figures in a baseline: kept by every edit, absent where there are none, and checked as numbers."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from harness.baseline.accept import apply
from harness.baseline.acknowledge import acknowledge, withdraw
from harness.baseline.check import check_folder
from harness.baseline.edit import reformat_baseline
from harness.baseline.files import canonical_bytes, read_baseline
from harness.baseline.model import Baseline, Settings
from harness.baseline.plan import plan_acceptance
from harness.baseline.published import Published
from harness.baseline.review import Decision, Review
from harness.errors import BrokenFileError
from harness.metrics.catalogue import metric_catalogue
from harness.metrics.flavor.catalogue import flavor_catalogue
from harness.metrics.settings import Settings as Definitions
from harness.shipped import shipped

AT = datetime(2020, 7, 1, 12, tzinfo=UTC)


def catalogue(settings):
    """Return the metrics of DIA sources and of flavors."""
    definitions = Definitions(good_flags=settings.good_flags)
    return {**metric_catalogue(definitions), **flavor_catalogue(definitions)}


@pytest.fixture(scope="module")
def dmtn256():
    """Return the published table of three flavors."""
    content = json.loads((shipped("fixtures") / "published/dmtn256.json").read_text(encoding="utf-8"))
    return content["flavors"]["published"]


@pytest.fixture
def with_table(path, baseline, dmtn256):
    """Write a baseline with the table, and return what it holds."""
    full = baseline.replaced(published=Published(**dmtn256))
    path.write_bytes(canonical_bytes(full))
    return full


@pytest.fixture
def check(tmp_path):
    """Return a function that checks a table in a file of its own."""

    def checked(reruns, good_flags="S6"):
        published = Published(source="DMTN-256", reruns=reruns)
        baseline = Baseline(dataset="hsc", settings=Settings(good_flags=good_flags), published=published)
        (tmp_path / "hsc.json").write_bytes(canonical_bytes(baseline))
        findings = check_folder(tmp_path, catalogue, today=date(2020, 7, 1))
        return [(finding.path.name, finding.severity, finding.sentence) for finding in findings]

    return checked


def test_a_file_without_the_section_does_not_mention_it(path, baseline):
    """Where nothing is published the file is what it was before there was such a section."""
    assert b"published" not in path.read_bytes()
    assert read_baseline(path).published is None
    assert canonical_bytes(read_baseline(path)) == canonical_bytes(baseline)


@pytest.mark.parametrize("name", ["dp02", "hits2015", "latiss", "lsstcam_r22_s11", "rtm007"])
def test_shipped_baselines_keep_their_bytes(name):
    """Baselines of the first schema are read, and would be written back byte by byte."""
    path = shipped("baselines") / f"{name}.json"
    assert canonical_bytes(read_baseline(path)) == path.read_bytes()


def test_the_section_survives_its_file(path, with_table):
    """What is written is what is read, byte by byte."""
    assert read_baseline(path) == with_table
    assert canonical_bytes(read_baseline(path)) == path.read_bytes()


def test_the_section_survives_every_edit(path, with_table, measured, provenance):
    """Accepting, reviewing, acknowledging, withdrawing and reformatting leave it alone."""
    plan = plan_acceptance(with_table, {name: measured(name, 101.0) for name in with_table.metrics})
    apply(plan, path, provenance=provenance, reason="merged", by="Bo", at=AT)
    accepted = read_baseline(path)
    assert accepted.metrics["dia.a"].value == 101.0
    review = Review(plan_acceptance(accepted, {"dia.a": measured("dia.a", 102.0)})).decide(Decision.ACCEPT)
    apply(review.accepted, path, provenance=provenance, reason="merged", by="Bo", at=AT)
    assert read_baseline(path).metrics["dia.a"].value == 102.0
    told = {"until": date(2020, 8, 1), "ticket": "DM-1", "reason": "known", "by": "Bo", "at": AT}
    acknowledge(path, ["dia.a"], **told)
    withdraw(path, ["dia.a"])
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    reformat_baseline(path)
    assert read_baseline(path).published == with_table.published


def test_a_baseline_may_hold_nothing_but_the_section(tmp_path, dmtn256):
    """By hand, with whole numbers and in any order, it is read and brought into form."""
    path = tmp_path / "hsc_sprint.json"
    top = {"dataset": "hsc_sprint", "schema_version": "1.1.0", "settings": {"good_flags": "S6"}}
    path.write_text(json.dumps({"published": dmtn256, **top}), encoding="utf-8")
    (finding,) = check_folder(tmp_path, catalogue, fix=True)
    assert (finding.severity, finding.sentence) == ("fixed", "reformatted")
    assert check_folder(tmp_path, catalogue) == []
    assert read_baseline(path).published.reruns["auto"]["injected.contamination"] == 45728


def test_an_older_schema_does_not_have_it(path, with_table):
    """A file that says it is of the first schema is refused with what to write instead."""
    path.write_bytes(path.read_bytes().replace(with_table.schema_version.encode(), b"1.0.0"))
    with pytest.raises(BrokenFileError, match=r"has published figures, which schema 1\.0\.0 has not; make it 1\.1\.0"):
        read_baseline(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.pop("source"), "published lacks the field 'source'"),
        (lambda table: table.update(page=3), "published has the unknown field 'page'; allowed are source, reruns"),
        (
            lambda table: table["reruns"]["auto"].update({"dia.numSources": "many"}),
            r'reruns\.auto\["dia\.numSources"\]',
        ),
        (lambda table: table["reruns"].update(empty={}), r"published\.reruns\.empty .* at least 1"),
        (lambda table: table.update(reruns={}), r"published\.reruns .* at least 1"),
    ],
)
def test_faults_are_named_with_their_place(path, with_table, change, message):
    """What is no table of numbers is refused in one sentence."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content["published"])
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BrokenFileError, match=message):
        read_baseline(path)


def test_the_published_table_is_sound(check, dmtn256):
    """The table of DMTN-256 gives no finding."""
    assert check(dmtn256["reruns"]) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (
            ("pre-convolution", "injected.contamination", 55650),
            "injected.contamination = 55650, but dia.numSources less injected.numMatched is 60243 - 4594 = 55649",
        ),
        (
            ("auto", "injected.numMatched.S6", 4322),
            "injected.numMatched.S6 = 4322 is more than injected.numMatched = 4321, of which it is a part",
        ),
        (
            ("auto", "dia.numGoodSources", 50050),
            "dia.numGoodSources = 50050 is more than dia.numSources = 50049, of which it is a part",
        ),
        (
            ("convolve template", "dia.numGoodObjectsAny", 33975),
            "dia.numGoodObjectsAny = 33975 is more than dia.numObjects = 33974, of which it is a part",
        ),
        (
            ("auto", "injected.contamination.S6", 3),
            "injected.contamination.S6 = 3, but dia.numGoodSources less injected.numMatched.S6 is 13727 - 2348 = 11379",
        ),
    ],
)
def test_contradictions_are_found(check, dmtn256, wrong, sentence):
    """One wrong number of the table is found, with its rerun, its metric and both numbers."""
    rerun, metric, value = wrong
    reruns = {name: dict(numbers) for name, numbers in dmtn256["reruns"].items()}
    reruns[rerun][metric] = value
    assert check(reruns) == [
        ("hsc.json", "error", f"the figures published for {rerun} contradict each other: {sentence}; see DMTN-256")
    ]


def test_sources_left_by_other_flags_are_not_compared(check):
    """Good sources by S3 have nothing to do with contamination after S6."""
    numbers = {"dia.numGoodSources": 100, "injected.numMatched.S6": 30, "injected.contamination.S6": 60}
    assert check({"auto": numbers}, good_flags="S3") == []
    assert len(check({"auto": numbers}, good_flags="S6")) == 1


def test_names_are_those_of_metrics(check):
    """A misspelt metric is found."""
    assert check({"auto": {"dia.numSource": 3}}) == [
        ("hsc.json", "error", "dia.numSource, published for auto, is not measured by anything; correct its name")
    ]
