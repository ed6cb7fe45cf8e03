"""What a ``nightly.toml`` says is found from anywhere, and what it should not say is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.nightly.config import read_nightly_toml


def read(folder, text):
    """Write a configuration and read it."""
    path = folder / "nightly.toml"
    path.write_text(text)
    return read_nightly_toml(path)


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    """A timer starts the command anywhere; folders and repositories are those beside the file."""
    (tmp_path / "nightly.toml").write_text('history = "kept"\nmeasurements = "/m"\n[[reruns]]\nrepo = "repo"\n')
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config = read_nightly_toml(Path("../nightly.toml"))
    assert config.history.resolve() == tmp_path / "kept"
    assert config.folder.resolve() == tmp_path / "nightly"
    assert config.measurements == Path("/m")
    assert Path(config.reruns[0].repo).resolve() == tmp_path / "repo"


@pytest.mark.parametrize(
    ("repo", "located"),
    [
        ("", ""),
        ("/repo/main", "/repo/main"),
        ("s3://bucket/repo", "s3://bucket/repo"),
        ("postgresql://me@db/apdb", "postgresql://me@db/apdb"),
        ("sqlite:////apdb_{rerun}.db", "sqlite:////apdb_{rerun}.db"),
        ("sqlite:///apdb_{rerun}.db", "sqlite:///{folder}/apdb_{rerun}.db"),
        ("sqlite:///file:/apdb.db?mode=ro", "sqlite:///file:/apdb.db?mode=ro"),
    ],
)
def test_repositories_keep_their_kind(tmp_path, repo, located):
    """URLs are left as they are, but for the path of a relative SQLite file."""
    config = read(tmp_path, f'[[reruns]]\nrepo = "{repo}"\n')
    assert config.reruns[0].repo == located.replace("{folder}", str(tmp_path))


def test_defaults_ask_for_everything_and_tell_nobody(tmp_path):
    """One empty table of reruns is the embedded repository with all its reruns."""
    config = read(tmp_path, "[[reruns]]\n")
    (source,) = config.reruns
    assert (source.repo, source.names, source.since, source.dataset, source.reference) == ("", ["*"], "", None, None)
    assert (config.announce, config.measurements, config.inconclusive) == (None, None, "fail")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "'reruns' is missing; write for example [[reruns]] repo = "),
        ("reruns = []\n", "reruns is wrong: List should have at least 1 item"),
        (
            "[[reruns]]\n[[reruns]]\nname = 'w'\n",
            "unknown key 'name' in reruns[2]; the keys there are repo, names, since",
        ),
        ("histroy = 'h'\n[[reruns]]\n", "unknown key 'histroy'; the keys there are reruns, folder, history"),
        ("[[reruns]]\nnames = 'w_*'\n", "reruns[1].names is wrong: Input should be a valid list (got 'w_*')"),
        ("[[reruns]]\nnames = []\n", "reruns[1].names is wrong: List should have at least 1 item"),
        ("[[reruns]]\nnames = ['']\n", "reruns[1].names[1] is wrong: String should have at least 1 character"),
        ("[[reruns]]\n[announce]\n", "announce must have either a command or a webhook"),
        ("[[reruns]]\n[announce]\ncommand=['a']\nwebhook='http://b'\n", "announce must have either a command or a"),
        ("[[reruns]]\n[announce]\nwebhook='file:///etc/passwd'\n", "announce.webhook must be a URL that begins with"),
        ("[[reruns]]\n[announce]\nwebhook='https://'\n", "announce.webhook must be a URL that begins with https://"),
        ("[[reruns]]\n[announce]\ncommand='mail me'\n", "announce.command is wrong: Input should be a valid list"),
        ("[[reruns]]\n[announce]\ncommand=['a']\ntimeout=0\n", "announce.timeout is wrong: Input should be greater"),
        (
            "[[reruns]]\n[announce]\ncommand=['a']\nhow='x'\n",
            "unknown key 'how' in announce; the keys there are command",
        ),
        ("inconclusive = 'ignore'\n[[reruns]]\n", "inconclusive is wrong: Input should be 'fail' or 'warn'"),
        ("history = 3\n[[reruns]]\n", "history is wrong: Input is not a valid path"),
        ("[[reruns]\n", "cannot be read as TOML ("),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, text, sentence):
    """The file, the key and what it should be."""
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text)
    message = str(raised.value)
    assert message.startswith(str(tmp_path / "nightly.toml"))
    assert sentence in message
    assert "\n" not in message


def test_missing_file_says_how_to_write_one(tmp_path):
    """There is no configuration by default: what a night looks at is for people to say."""
    with pytest.raises(UsageError, match=r"there is no .*nightly.toml; write one, for example with \[\[reruns\]\]"):
        read_nightly_toml(tmp_path / "nightly.toml")


def test_binary_file_is_one_sentence(tmp_path):
    """What is no text is no TOML."""
    (tmp_path / "nightly.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="cannot be read as TOML"):
        read_nightly_toml(tmp_path / "nightly.toml")
