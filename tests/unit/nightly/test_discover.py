"""Which reruns are looked at: by name and glob, after a certain one, in the order of names."""

from __future__ import annotations

import sqlite3

import pytest

from harness.embedded import EMBEDDED_DATASETS
from harness.errors import UsageError
from harness.nightly import discover
from harness.nightly.config import Source
from harness.nightly.discover import find_reruns
from harness.rerun.shown import shown_repo

NAMES = ["raw/all", "u/me/w_9", "u/me/w_10", "u/me/w_10/20261120T1", "u/you/w_9"]


@pytest.fixture
def listed(monkeypatch):
    """Pretend that every repository has the same reruns."""
    monkeypatch.setattr(discover, "list_reruns", lambda repo: NAMES)


def names(*sources, since=""):
    """Return the names found; nothing may be wrong."""
    found, faults = find_reruns(sources, since)
    assert faults == []
    return [candidate.name for candidate in found]


@pytest.mark.usefixtures("listed")
class TestNames:
    """Globs and names."""

    @pytest.mark.parametrize(
        ("patterns", "chosen"),
        [
            (["*"], NAMES),
            (["u/me/w_*"], ["u/me/w_9", "u/me/w_10"]),
            (["u/*/w_9"], ["u/me/w_9", "u/you/w_9"]),
            (["u/me/w_1?"], ["u/me/w_10"]),
            (["u/me/w_10", "u/me/*"], ["u/me/w_9", "u/me/w_10"]),
            (["u/me/w_10/*"], ["u/me/w_10/20261120T1"]),
            (["good:a,deep:b", "raw/all"], ["raw/all", "good:a,deep:b"]),
        ],
    )
    def test_globs_match_segments(self, patterns, chosen):
        """A glob does not take the runs inside a chain for reruns; a plain name is taken at its word, each once."""
        assert names(Source(repo="r", names=patterns)) == chosen

    def test_glob_that_matches_nothing_is_a_fault(self):
        """A typo must not be silent; the other sources are looked at all the same."""
        found, (fault,) = find_reruns([Source(repo="r", names=["u/them/*"]), Source(repo="s", names=["raw/*"])])
        assert [str(each) for each in found] == ["raw/all of s"]
        assert "no rerun of r matches 'u/them/*'" in str(fault)

    def test_the_same_rerun_is_found_once(self):
        """Two sources may overlap."""
        assert names(Source(repo="r", names=["u/me/w_9"]), Source(repo="r", names=["u/me/w_*"])) == NAMES[1:3]


@pytest.mark.usefixtures("listed")
class TestSince:
    """What is old is left alone."""

    def test_only_later_names_are_looked_at(self):
        """Later by number, not by letter; what is asked for by name has to be later as well."""
        assert names(Source(repo="r", names=["u/me/w_9", "u/me/w_10"], since="u/me/w_9")) == ["u/me/w_10"]

    def test_nothing_may_be_later(self):
        """With the newest as the last one done there is nothing to do, and nothing wrong."""
        assert names(Source(repo="r", names=["u/*/w_*"], since="u/you/w_9")) == []

    def test_option_wins_where_the_rerun_is(self, monkeypatch):
        """A source that holds the rerun goes on from there; any other keeps its own beginning."""
        monkeypatch.setattr(discover, "list_reruns", {"r": NAMES, "s": ["a", "b", "c"]}.__getitem__)
        sources = [Source(repo="r", since="raw/all"), Source(repo="s", since="a")]
        assert names(*sources, since="u/me/w_10") == [*NAMES[3:], "b", "c"]

    def test_unknown_rerun_is_refused(self):
        """A misspelt option would judge everything."""
        with pytest.raises(
            UsageError, match=r"no source holds the rerun 'u/me/w_8' \(--since\); did you mean u/me/w_9"
        ):
            find_reruns([Source(repo="r")], "u/me/w_8")

    def test_unknown_rerun_in_the_configuration_is_a_fault(self):
        """Of one source; the rest is done."""
        found, (fault,) = find_reruns([Source(repo="r", since="w_8"), Source(repo="s")])
        assert len(found) == len(NAMES)
        assert "r holds no rerun 'w_8' (since)" in str(fault)


def test_apdb_files_are_reruns(tmp_path):
    """The files that a SQLite URL with a placeholder matches, in the order of names."""
    for name in ("w_10", "w_9"):
        sqlite3.connect(tmp_path / f"apdb_{name}.db").close()
        (tmp_path / f"apdb_{name}.db").touch()
    assert names(Source(repo=f"sqlite:///{tmp_path}/apdb_{{rerun}}.db", names=["w_*"])) == ["w_9", "w_10"]


def test_embedded_datasets_are_known_by_name():
    """Without a repository, the reruns of an embedded dataset are looked at; nothing is built for their names."""
    assert names(Source()) == list(EMBEDDED_DATASETS["hits2015"])
    assert names(Source(dataset="rtm007", names=["*_v2"])) == ["run_5001_v2"]
    _, (fault,) = find_reruns([Source(dataset="hits2051")])
    assert "no dataset 'hits2051'; did you mean hits2015?" in str(fault)


@pytest.mark.parametrize(
    ("repo", "shown"),
    [
        ("", "the embedded repository"),
        ("/repo/main", "/repo/main"),
        ("postgresql://me:secret@db:5432/apdb", "postgresql://me@db:5432/apdb"),
        ("postgresql://me@db/apdb", "postgresql://me@db/apdb"),
        ("s3://user:secret@bucket/repo", "s3://user@bucket/repo"),
    ],
)
def test_passwords_are_not_shown(repo, shown):
    """What is told and announced has no secrets."""
    assert shown_repo(repo) == shown
