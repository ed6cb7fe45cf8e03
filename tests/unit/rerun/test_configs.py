"""Settings of tasks, out of the files that the pipelines wrote them to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from harness.errors import BrokenFileError, UsageError
from harness.rerun.butler import ButlerRerun
from harness.rerun.configs import read_config
from harness.rerun.files import FileRerun

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Make = Callable[..., Path]
    Put = Callable[..., list[str]]

# As lsst.pex.config writes it: the kinds of line that subtractImages_config.py has.
SUBTRACT = """
import lsst.ip.diffim.subtractImages
assert type(config) is lsst.ip.diffim.subtractImages.AlardLuptonSubtractConfig

import lsst.pipe.base.config
# Convolve the template, or whichever is sharper.
config.mode='convolveTemplate'

config.makeKernel.kernel['AL'].kernelSize=21
config.makeKernel.kernel['AL'].alardSigGauss=[0.7, 1.5,
    3.0]
config.badMaskPlanes=["NO_DATA", 'BAD']
config.sourceSelector.retarget(target=lsst.meas.algorithms.ScienceSourceSelectorTask, ConfigClass=lsst.meas.Config)
config.detectionThreshold=float('nan')
config.limit=None
"""
SETTINGS = {
    "subtractImages: mode": "'convolveTemplate'",
    "subtractImages: makeKernel.kernel['AL'].kernelSize": "21",
    "subtractImages: makeKernel.kernel['AL'].alardSigGauss": "[0.7, 1.5, 3.0]",
    "subtractImages: badMaskPlanes": "['NO_DATA', 'BAD']",
    "subtractImages: sourceSelector": "lsst.meas.algorithms.ScienceSourceSelectorTask",
    "subtractImages: detectionThreshold": "float('nan')",
    "subtractImages: limit": "None",
}
SOURCES = pa.table({"diaSourceId": [1]})


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a configuration."""

    def write(text: str) -> Path:
        path = tmp_path / "subtractImages_config.py"
        path.write_text(text)
        return path

    return write


def test_every_setting_is_read_as_text(write: Callable[[str], Path]) -> None:
    """Values are source text on one line; imports, assertions and comments are none."""
    assert read_config(write(SUBTRACT), "subtractImages") == SETTINGS


def test_quotes_and_line_breaks_are_no_difference(write: Callable[[str], Path]) -> None:
    """The same value written in another way is the same text; the oldest files call the configuration root."""
    one = read_config(write('root.names=[\n  "a",\n  "b"]\n'), "t")
    assert one == read_config(write("config.names=['a', 'b']"), "t") == {"t: names": "['a', 'b']"}


def test_nothing_is_executed(write: Callable[[str], Path], tmp_path: Path) -> None:
    """A value is never evaluated, whatever it says."""
    trap = tmp_path / "trap"
    read = read_config(write(f"import os\nconfig.x=open({str(trap)!r}, 'w').write('x')"), "t")
    assert read["t: x"].startswith("open(")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("config.mode=", r"subtractImages_config.py cannot be read as the configuration of t \(invalid syntax"),
        ("config.mode='a'\nconfig.load('other.py')", r"something else than a setting of t in line 2 \(config.load"),
        ("for x in y:\n    config.a=x", r"in line 1 \(for x in y:\)"),
        ("size = 3\nconfig.a=size", r"in line 1 \(size = 3\)"),
        ("config.a.retarget()", "in line 1"),
    ],
)
def test_what_is_no_configuration_is_named(write: Callable[[str], Path], text: str, message: str) -> None:
    """A file that was not written by the pipeline would set more than could be read."""
    with pytest.raises(BrokenFileError, match=message) as caught:
        read_config(write(text), "t")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """A damaged file is one sentence."""
    path = tmp_path / "t_config.py"
    path.write_bytes(b"config.a='\xff\xfe'")
    with pytest.raises(BrokenFileError, match=r"t_config.py cannot be read as the configuration of t"):
        read_config(path, "t")


def test_a_folder_names_its_configurations(make_folder: Make, tmp_path: Path) -> None:
    """Labels are those of the file names; settings written out win; neither changes the digest of the inputs."""
    plain = FileRerun(make_folder({"diaSource": SOURCES}), "rerun").provenance()
    toml = '[configs]\nfiles = ["*_config.py"]\n[configs.settings]\n"subtractImages: mode" = "\'auto\'"'
    folder = make_folder({"diaSource": SOURCES}, "flavor", toml)
    (folder / "subtractImages_config.py").write_text(SUBTRACT)
    (folder / "detectAndMeasure_config.py").write_text("config.doSkySources=True")
    provenance = FileRerun(folder, "flavor").provenance()
    assert provenance.configs == SETTINGS | {
        "subtractImages: mode": "'auto'",
        "detectAndMeasure: doSkySources": "True",
    }
    assert dict(plain.configs) == {}
    assert provenance.inputs_digest == plain.inputs_digest
    assert provenance.inputs.keys() == plain.inputs.keys()


def test_a_configuration_that_is_not_there_is_said_on_opening(make_folder: Make) -> None:
    """A glob that matches nothing is a mistake in rerun.toml."""
    folder = make_folder({"diaSource": SOURCES}, toml='[configs]\nfiles = ["*_config.py"]')
    with pytest.raises(UsageError, match=r"no file matches '\*_config.py' of \[configs\]"):
        FileRerun(folder, "rerun")


def put_config(root: Path, run: str, dataset_type: str, path: Path, storage: str = "Config") -> None:
    """Store a file as the pipelines store a configuration, without the class that it is of (so that it is no .py)."""
    from lsst.daf.butler import Butler, DatasetRef, DatasetType, FileDataset
    from lsst.daf.butler.formatters.yaml import YamlFormatter

    butler = Butler.from_config(str(root), writeable=True)
    kind = DatasetType(dataset_type, (), storage, universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    butler.collections.register(run)
    data_id = butler.registry.expandDataId()
    ref = DatasetRef(kind, data_id, run)
    butler.ingest(FileDataset(str(path), [ref], formatter=YamlFormatter), transfer="copy")
    butler.close()


def test_a_butler_holds_them_as_datasets(butler_root: Path, put: Put, tmp_path: Path) -> None:
    """Of a chain the configuration of its first run counts; nothing else that is called so is read."""
    from lsst.daf.butler import Butler, CollectionType

    here: dict[str, Any] = {"instrument": "DECam", "visit": 411371, "detector": 60}
    put(butler_root, "u/old", "diaSource", [(here, SOURCES)])
    path = tmp_path / "config.yaml"
    path.write_text("config.mode='auto'")
    put_config(butler_root, "u/old", "subtractImages_config", path)
    path.write_text("config.doSkySources=True")
    put_config(butler_root, "u/old", "detectAndMeasure_config", path)
    path.write_text(SUBTRACT)
    put_config(butler_root, "u/new", "subtractImages_config", path)
    path.write_text("a: 1")
    put_config(butler_root, "u/new", "apdb_config", path, "StructuredDataDict")
    butler = Butler.from_config(str(butler_root), writeable=True)
    butler.collections.register("u/chain", CollectionType.CHAINED)
    butler.collections.redefine_chain("u/chain", ["u/new", "u/old"])
    butler.close()
    provenance = ButlerRerun(str(butler_root), "u/chain").provenance()
    assert provenance.configs == SETTINGS | {"detectAndMeasure: doSkySources": "True"}
    assert len(provenance.inputs) == 1
    assert ButlerRerun(str(butler_root), "u/old").provenance().inputs_digest == provenance.inputs_digest


def test_a_broken_configuration_of_a_butler_is_named(butler_root: Path, put: Put, tmp_path: Path) -> None:
    """The rerun opens, and its tables are read; its provenance names the file."""
    here: dict[str, Any] = {"instrument": "DECam", "visit": 411371, "detector": 60}
    put(butler_root, "r", "diaSource", [(here, SOURCES)])
    path = tmp_path / "config.yaml"
    path.write_text("config.mode='auto")
    put_config(butler_root, "r", "subtractImages_config", path)
    rerun = ButlerRerun(str(butler_root), "r")
    assert rerun.tables["diaSource"].read(()).num_rows == 1
    with pytest.raises(
        BrokenFileError, match=r"subtractImages_config.* cannot be read as the configuration of subtractImages"
    ):
        rerun.provenance()
