"""README is followed as a new user would, from the first line to the last."""

from __future__ import annotations

import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from readme_blocks import first_absent, read_blocks

from harness.cli import main
from harness.embedded import load_survey

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = read_blocks(README)

#: README's names for a user's own reruns, and the reruns of the embedded survey that play them.
OWN_RERUNS = {"w_2026_42": "w_2020_20", "w_2026_46": "w_2020_24"}


def test_every_block_says_what_it_is():
    """No command stands in README that the test below does not run, and no output that it does not compare."""
    assert README.count("```") == 2 * len(BLOCKS)
    unknown = [block.line for block in BLOCKS if block.marker not in {"main job", "tests", "run", "output", "file"}]
    assert unknown == []
    assert [block.marker for block in BLOCKS[:2]] == ["main job", "tests"]


def test_continuous_integration_runs_the_test_line_of_readme():
    """The line that README gives for the tests stands in .ci/run, letter by letter."""
    (line,) = (block.text.strip() for block in BLOCKS if block.marker == "tests")
    assert line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_every_option_that_readme_names_exists():
    """What stands in README about the command line is there."""
    options = {name for command in main.commands.values() for option in command.params for name in option.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", README)) <= options | {"--lf"}  # pytest's own


@pytest.mark.parametrize(
    ("shown", "absent"),
    [
        ("a 1\nb 2", None),
        ("a  1\n…\nc 3", None),
        ("b …\nc 3", None),
        ("a 1\na 1", "a 1"),
        ("b 2\na 1", "a 1"),
        ("b", "b"),
        ("d …", "d …"),
    ],
)
def test_shown_output_must_occur_in_order(shown, absent):
    """A shown line that was not printed, or not after the line above it, is found."""
    assert first_absent(shown, "a 1\nb   2\nc 3\n") == absent


@pytest.mark.slow
def test_following_readme_gives_what_it_says(checkout, user_environment, tmp_path):
    """Each command ends with the exit code stated, and prints the lines shown."""
    (checkout / ".git").mkdir()  # no repository of ours above it has a say
    for own, rerun in OWN_RERUNS.items():
        write_apdb(checkout / f"apdb_{own}.db", rerun)
        write_files(checkout / "my-reruns" / own, rerun)
    write_butler(tmp_path / "main")

    folder, printed = checkout, ""
    for block in BLOCKS:
        place = f"README.md, line {block.line}"
        text = block.text.replace("/repo/main", str(tmp_path / "main"))
        if block.marker == "file":
            (folder / block.argument).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.argument).write_text(text, encoding="utf-8")
            continue
        if block.marker == "output":
            absent = first_absent(text, printed)
            assert absent is None, f"{place}: not printed: {absent}\nprinted was:\n{printed}"
            continue
        expected = int(block.argument or 0)
        if block.marker == "tests":
            text = f"{text.strip()} --collect-only -q"  # the tests do not run themselves once more
        elif block.marker == "run":
            text = f". {checkout}/.venv/bin/activate\nset -e\n{text}"
        code, printed, folder = run(text, folder, user_environment, tmp_path / "where")
        assert code == expected, f"{place}: exit code {code} instead of {expected}\n{block.text}\n{printed}"


def run(commands, folder, environment, where):
    """Run commands in a shell; return exit code, what was printed, and the folder in which they ended."""
    done = subprocess.run(
        ["bash", "-c", f"trap 'pwd > {where}' EXIT\n{commands}"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=900,
    )
    return done.returncode, done.stdout, Path(where.read_text().strip())


def write_butler(root):
    """Write a Butler repository with the collections that README names."""
    from lsst.daf.butler import Butler, CollectionType

    Butler.makeRepo(str(root))
    load_survey().add(root)
    butler = Butler.from_config(str(root), writeable=True)
    for own, rerun in OWN_RERUNS.items():
        butler.collections.register(f"u/me/{own}", CollectionType.CHAINED)
        butler.collections.redefine_chain(f"u/me/{own}", [rerun])


def write_apdb(path, rerun):
    """Write the DIA tables of a rerun into a SQLite file, as an APDB has them."""
    with closing(sqlite3.connect(path)) as database:
        for table, name in (("diaSource", "DiaSource"), ("diaObject", "DiaObject")):
            whole = pa.concat_tables(part for _, part in parts(rerun, table))
            whole.to_pandas().to_sql(name, database, index=False)


def write_files(folder, rerun):
    """Write the DIA sources of a rerun as Parquet files, one per visit and detector."""
    folder.mkdir(parents=True)
    for data_id, part in parts(rerun, "diaSource"):
        pq.write_table(part, folder / f"dia_source_{data_id['visit']}_{data_id['detector']}.parq")


def parts(rerun, dataset_type):
    """Yield data ID and table of the datasets of a type."""
    for name, data_id, table in load_survey().tables(rerun):
        if name == dataset_type:
            yield data_id, table
