"""`harness.baseline.files`: what is read, what is refused in which words, and the one way to write it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.baseline.files import (
    canonical_bytes,
    find_baseline,
    list_baselines,
    new_baseline,
    parse_baseline,
    read_baseline,
)
from harness.baseline.model import (
    Above,
    Acceptance,
    Acknowledgement,
    AgreesWith,
    Baseline,
    Below,
    Closes,
    Entry,
    Original,
    Settings,
    Unchanged,
    Within,
)
from harness.errors import BrokenFileError, UsageError

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
number = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
tolerance = st.floats(min_value=0, allow_infinity=False)
moment = st.datetimes(datetime(1970, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001 - bounds
    lambda at: at.replace(microsecond=0)
)
share = st.none() | st.floats(min_value=0, max_value=1, exclude_min=True)
rule = st.one_of(
    st.builds(Unchanged, rtol=tolerance, atol=positive),
    st.tuples(number, number).map(lambda ends: Within(low=min(ends), high=max(ends))),
    st.builds(Below, metric=text, for_at_least=share),
    st.builds(Above, value=number, for_at_least=share),
    st.builds(AgreesWith, metric=text, rtol=tolerance),
    st.builds(Closes, ulp=tolerance),
)
acceptance = st.builds(
    Acceptance,
    at=moment,
    by=text,
    harness=text,
    rerun=text,
    versions=st.dictionaries(text, text, max_size=3),
    inputs=text,
    reason=text,
    ticket=st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    visits=st.integers(0, 10**12),
)
acknowledgement = st.builds(
    Acknowledgement, until=st.dates(date(1970, 1, 1)), ticket=text, reason=text, by=text, at=moment
)


@st.composite
def baselines(draw):
    """Any valid baseline."""
    acceptances = draw(st.dictionaries(text, acceptance, min_size=1, max_size=3))
    key = st.sampled_from(sorted(acceptances))
    entry = st.builds(
        Entry,
        value=number,
        uncertainty=tolerance,
        unit=st.just("ct"),
        definition=text,
        expectation=rule,
        direction=st.sampled_from(["both", "lower_is_better", "higher_is_better"]),
        accepted=key,
        original=st.builds(Original, value=number, accepted=key),
    )
    return Baseline(
        dataset=draw(st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,8}", fullmatch=True)),
        settings=draw(st.builds(Settings, good_flags=text, match_radius=positive, edge_width=tolerance)),
        acceptances=acceptances,
        acknowledgements=draw(st.dictionaries(text, acknowledgement, max_size=2)),
        metrics=draw(st.dictionaries(text, entry, max_size=4)),
    )


@settings(deadline=None, max_examples=150)
@given(baselines())
def test_round_trip_keeps_content_and_bytes(tmp_path_factory, baseline):
    """Reading what was written gives the same baseline, and writing that gives the same bytes."""
    content = canonical_bytes(baseline)
    path = tmp_path_factory.getbasetemp() / "any.json"
    read = parse_baseline(content, path)
    assert read == baseline
    assert canonical_bytes(read) == content
    assert json.loads(content)["dataset"] == baseline.dataset


@settings(deadline=None, max_examples=50)
@given(baselines(), st.randoms(use_true_random=False))
def test_order_of_making_does_not_change_the_bytes(baseline, rng):
    """The same entries give the same bytes in whatever order they were put in."""

    def shuffled(mapping):
        items = list(mapping.items())
        rng.shuffle(items)
        return dict(items)

    other = baseline.replaced(metrics=shuffled(baseline.metrics), acceptances=shuffled(baseline.acceptances))
    assert canonical_bytes(other) == canonical_bytes(baseline)


def test_canonical_form_in_full(path):
    """The file is what `json` writes with two spaces, sorted keys, real UTF-8 and a final newline."""
    content = path.read_text(encoding="utf-8")
    tree = json.loads(content)
    assert content == json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert '"by": "Ana Núñez"' in content
    assert '"value": 100.0' in content
    assert '"visits": 28\n' in content
    assert '"at": "2020-06-01T09:30:00Z"' in content


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"unit": "ct",', '"unit": "ct", "unit": "ct",', r'metrics\["dia.a"\] has the key "unit" twice; keep one'),
        ('"value": 100.0\n', '"value": 100.0,\n', r"line \d+ column \d+: a trailing comma; remove it$"),
        ('"value": 100.0\n', '"value": NaN\n', r'metrics\["dia.a"\]\.original\.value is NaN; only finite'),
        ('"value": 100.0\n', '"value": -Infinity\n', r'\["dia.a"\]\.original\.value is infinite; only finite'),
        ('"value": 100.0\n', '"value": 1e999\n', r'\["dia.a"\]\.original\.value is infinite; only finite'),
        ('"value": 100.0\n', f'"value": 1{"0" * 400}\n', r"value must be a finite number \(got 1000+…\)$"),
        ('"value": 100.0\n', f'"value": 1{"0" * 5000}\n', r"absurdly long number"),
        ('"value": 100.0\n', '"value": "many"\n', r"original\.value must be a valid number \(got 'many'\)$"),
        ('"value": 100.0\n', '"value": true\n', r"original\.value must be a valid number \(got True\)$"),
        ('"rtol": 0.02', '"rtol": -0.02', r"expectation\.rtol must be greater than or equal to 0 \(got -0.02\)$"),
        ('"rtol": 0.02', '"rtol": 0.02, "sigma": 3', r"expectation has the unknown field 'sigma'; allowed are kind, "),
        ('"unit": "ct"', '"unit": "ct", "tol": 1', r"\] has the unknown field 'tol'; allowed are value, uncertainty"),
        ('"settings": {', '"settings": {"seed": 1,', r"settings has the unknown field 'seed'; allowed are good_flags"),
        ('"by"', '"owner"', r"acceptances\.first lacks the field 'by' \(and 1 more\)$"),
        ('"dataset"', '"data"', r"the top level lacks the field 'dataset'"),
        ('"unchanged"', '"same"', r"expectation must have a kind, one of unchanged, within, below, above, agrees_with"),
        ('"both"', '"up"', r"direction must be 'both', 'lower_is_better' or 'higher_is_better' \(got 'up'\)$"),
        ("09:30:00Z", "09:30:00.5Z", r"acceptances\.first\.at must be in UTC and whole seconds"),
        ("09:30:00Z", "09:30:00+02:00", r"acceptances\.first\.at must be in UTC and whole seconds"),
        ('"visits": 28', '"visits": 28.0', r"visits must be a valid integer \(got 28.0\)$"),
        ('"dia.a"', '" "', r"metrics has the key ' ', which must not be blank"),
        ('"accepted": "first"', '"accepted": "gone"', r"has the metric 'dia.a' accepted in 'gone', which is not among"),
        ('"hits"', '"../hits"', r"dataset must be made of letters, digits"),
        ('"Ana Núñez"', '"\\ud800"', r"acceptances\.first\.by holds half of a surrogate pair"),
        ('"min_read_version": 1', '"min_read_version": true', r"min_read_version must be a valid integer"),
    ],
)
def test_bad_content_is_one_sentence(path, old, new, message):
    """Every fault is told in one sentence with file, place and what is allowed."""
    content = path.read_text(encoding="utf-8")
    assert old in content
    path.write_text(content.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BrokenFileError, match=message) as caught:
        read_baseline(path)
    assert str(caught.value).startswith(f"baseline {path}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"[]", "holds an array, where a JSON object is expected"),
        (b"null", "holds null, where"),
        (b"[" * 100_000 + b"]", "nested too deeply"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "nested too deeply"),
        (b"{}", "schema_version must be a version such as 1.1.0"),
        (b"{} {}", "not JSON: extra data"),
        (b'{"by": "\xff"}', r"is not UTF-8 \(byte 8\)"),
        ("{}".encode("utf-16"), "is not UTF-8"),
    ],
)
def test_what_is_no_baseline_at_all(tmp_path, content, message):
    """Files of another kind are refused in one sentence."""
    path = tmp_path / "hits.json"
    path.write_bytes(content)
    with pytest.raises(BrokenFileError, match=message):
        read_baseline(path)


def test_every_truncation_is_refused(path):
    """A file cut off anywhere is never taken for a baseline."""
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 7):
        path.write_bytes(content[:length])
        with pytest.raises(BrokenFileError, match=r"empty|cut off|UTF-8|not JSON"):
            read_baseline(path)


def test_folder_and_missing_file(tmp_path):
    """A folder in place of a file, and no file at all, are said so."""
    (tmp_path / "a.json").mkdir()
    with pytest.raises(BrokenFileError, match=r"a\.json is a folder"):
        read_baseline(tmp_path / "a.json")
    with pytest.raises(UsageError, match=r"there is no baseline .*b\.json; rerun-harness accept writes one"):
        read_baseline(tmp_path / "b.json")


def test_integer_for_a_float_is_read_but_not_canonical(path, baseline):
    """An integer is a fine number to read, and is written as the float it stands for."""
    path.write_text(path.read_text(encoding="utf-8").replace("100.0", "100"), encoding="utf-8")
    assert read_baseline(path) == baseline
    assert canonical_bytes(read_baseline(path)) != path.read_bytes()


def test_new_baseline():
    """A new baseline is empty, and its dataset can name a file."""
    assert new_baseline("hits.2015", Settings(good_flags="S6")).settings.good_flags == "S6"
    for name in ("", "my hits", "../hits", ".hits"):
        with pytest.raises(
            UsageError, match=r"the new baseline .* is refused: dataset must be made of letters, digits"
        ):
            new_baseline(name, Settings())


def test_find_baseline(tmp_path, path):
    """A dataset's file is found by name, and a near miss is offered."""
    assert find_baseline(tmp_path, "hits") == path
    assert list_baselines(tmp_path) == [path]
    with pytest.raises(UsageError, match=r"no baseline of dataset 'hit' .* did you mean hits\?"):
        find_baseline(tmp_path, "hit")
    with pytest.raises(UsageError, match="there is no folder of baselines"):
        find_baseline(tmp_path / "nowhere", "hits")


def test_accepted_rerun(baseline, acceptance, entry):
    """The rerun of a baseline is the one that most of its values were accepted from, of equals the latest."""
    assert baseline.accepted_rerun == "w_2020_20"
    assert Baseline(dataset="none").accepted_rerun is None
    later = acceptance.replaced(rerun="w_2020_24", at=datetime(2020, 7, 1, tzinfo=UTC))
    acceptances = {**baseline.acceptances, "later": later}
    one = {**baseline.metrics, "dia.b": entry(accepted="later")}
    assert baseline.replaced(acceptances=acceptances, metrics=one).accepted_rerun == "w_2020_20"
    even = {**one, "sci.d": entry(accepted="later")}
    assert baseline.replaced(acceptances=acceptances, metrics=even).accepted_rerun == "w_2020_24"


def test_light_import():
    """Importing the package does not import pydantic: commands that read no baseline do not pay for it."""
    code = "import sys, harness, harness.atomic, harness.baseline; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
