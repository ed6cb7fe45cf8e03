"""What a rerun.toml may say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.errors import UsageError
from harness.rerun.rerun_toml import read_rerun_toml

if TYPE_CHECKING:
    from pathlib import Path

TABLE = '[tables.diaSource]\nfiles = ["*.parq"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nmae = 'x'\n" + TABLE, "unknown key 'nmae'; the keys there are name, instrument, dataset, tables"),
        (TABLE + "uniqe = 'x'", "unknown key 'tables.diaSource.uniqe'; the keys there are files, unique"),
        (TABLE + "[regions]\nwidht = 1", "unknown key 'regions.widht'; the keys there are width, height, file"),
        ("[tables.diaSources]\nfiles = ['x']", "unknown table 'diaSources'; the tables are 'diaSource', 'diaObject'"),
        ("[tables.diaSource]\nunique = 'x'", "'tables.diaSource.files' is missing"),
        ("[tables.diaSource]\nfiles = []", "'tables.diaSource.files' is wrong: .* at least 1 item"),
        ("[tables.diaSource]\nfiles = 'x'", "'tables.diaSource.files' is wrong: .* valid list"),
        ("name = 1\n" + TABLE, "'name' is wrong: .* valid string .*got 1"),
        (TABLE + "[versions]\npackage = 1", "'versions.package' is wrong"),
        (
            "name = 'x'",
            r"names nothing to read; write for example \[tables.diaSource\] .* \(or one of \[flats\], \[curves\]",
        ),
        ("[tables]", "names nothing to read"),
        (
            "[flats]\nbias = ['b']",
            r"'flats.files' is missing; write for example \[flats\] files = \[\"flat_\*.fits\"\]",
        ),
        ("[flats]\nfiles = []", "'flats.files' is wrong: .* at least 1 item"),
        ("[flats]\nfiles = ['f']\nkey = 'x'", "unknown key 'flats.key'; the keys there are files, bias, pair_key"),
        ("[curves]\nfile = 'x'", "'curves.files' is missing; write for example .curves. files"),
        ("[amplifiers]\nfiles = ['f']\nbias = ['b']", "unknown key 'amplifiers.bias'; the keys there are files$"),
        ("[[exposures]]\nkind = 'science'", r"'exposures.0.files' is missing; write for example \[\[exposures\]\]"),
        (
            "[[exposures]]\nkind = 'calexp'\nfiles = ['f']",
            r"'exposures.0.kind' must be one of 'science', 'template', .* \(got 'calexp'\)",
        ),
        (
            "[[exposures]]\nkind = 'science'\nfiles = ['f']\nband = 'r'",
            "unknown key 'exposures.0.band'; .* files, kind, side",
        ),
        (TABLE + "[detectors]\nR22_S11 = '94'", "'detectors.R22_S11' is wrong: .* valid integer"),
        ("[tables.stars]\nfiles = ['x']", "the tables are .*'diaSource.deep', 'injection', 'known' or 'star'$"),
        (TABLE + "[configs]\nfile = 'x'", "unknown key 'configs.file'; the keys there are files, settings$"),
        (TABLE + "[configs.settings]\n'task: n' = 3", "'configs.settings.task: n' is wrong: .* valid string"),
        ("[configs]\nfiles = ['x']", "names nothing to read"),
        ("name = ", "cannot be read as TOML .*Invalid value"),
        ("name = 'a'\nname = 'b'", "cannot be read as TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    """The message names the file and the key, and says what is allowed, in one line."""
    (tmp_path / "rerun.toml").write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_rerun_toml(tmp_path)
    assert str(tmp_path / "rerun.toml") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_left_out_keys_have_their_defaults(tmp_path: Path) -> None:
    """A table is enough: the rerun is named after its folder."""
    (tmp_path / "rerun.toml").write_text(TABLE)
    toml = read_rerun_toml(tmp_path)
    assert (toml.name, toml.instrument, toml.dataset, toml.versions) == (tmp_path.name, "", "", {})
    assert toml.tables["diaSource"].files == ["*.parq"]


@pytest.mark.parametrize("what", ["flats", "curves", "amplifiers"])
def test_one_kind_of_file_is_enough(tmp_path: Path, what: str) -> None:
    """A rerun of raw flats, of curves, or of results of an EO test has no table."""
    (tmp_path / "rerun.toml").write_text(f'[{what}]\nfiles = ["*.fits"]')
    toml = read_rerun_toml(tmp_path)
    assert getattr(toml, what).files == ["*.fits"]
    assert [name for name in ("flats", "curves", "amplifiers") if getattr(toml, name) is not None] == [what]
    assert not toml.tables
