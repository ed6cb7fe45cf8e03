"""A folder in which reruns appear, small enough to be measured in a moment, and nights that look at it."""

from __future__ import annotations

import shutil
import zlib

import numpy as np
import polars as pl

from harness.history.store import HistoryStore
from harness.nightly.config import read_nightly_toml
from harness.nightly.run import nightly

CHECK = 'def test_counts(rerun, expect):\n    expect(rerun["dia.numSources"]).unchanged(rtol=0.02)\n'
SOURCE = '[[reruns]]\nrepo = "reruns"\nnames = ["w_*"]\nreference = "w_1"\n'


class Place:
    """A folder with a ``nightly.toml``, one check, and reruns of 12 visits."""

    def __init__(self, folder):
        self.folder = folder
        self.told = folder / "told.txt"
        (folder / "checks").mkdir(parents=True)
        (folder / "checks" / "test_counts.py").write_text(CHECK)
        self.configure()

    def configure(self, sources=SOURCE, announce=None):
        """Write the configuration; announcements are appended to a file, unless it says otherwise."""
        if announce is None:
            announce = f'command = ["tee", "-a", "{self.told}"]'
        text = f'checks = "checks"\nmeasurements = "measurements"\n{sources}'
        (self.folder / "nightly.toml").write_text(f"{text}[announce]\n{announce}\n" if announce else text)

    def appear(self, name, scale=1.0, *, visits=range(100, 112)):
        """Write a rerun, with so many times the usual number of sources in each visit."""
        place = self.folder / "reruns" / name
        place.mkdir(parents=True, exist_ok=True)
        visit = np.repeat(np.array(visits), round(40 * scale))
        here = np.random.default_rng(zlib.crc32(name.encode())).random((2, visit.size))
        pl.DataFrame(
            {
                "diaSourceId": np.arange(visit.size),
                "diaObjectId": np.arange(visit.size),
                "visit": visit,
                "detector": np.ones(visit.size, np.int32),
                "filterName": np.full(visit.size, "g"),
                "ra": 150 + here[0],
                "decl": 2 + here[1],
                "midPointTai": 57000.0 + visit,
                "psFlux": np.full(visit.size, 100.0),
                "psFluxErr": np.full(visit.size, 10.0),
            }
        ).write_parquet(place / "sources.parquet")
        (place / "rerun.toml").write_text(
            'instrument = "DECam"\ndataset = "mine"\n[tables.diaSource]\nfiles = ["sources.parquet"]\n'
        )

    def vanish(self, name):
        """Remove a rerun."""
        shutil.rmtree(self.folder / "reruns" / name)

    def night(self, **options):
        """Spend a night."""
        return nightly(read_nightly_toml(self.folder / "nightly.toml"), **options)

    @property
    def history(self):
        """Names of the reruns in the history, in its order."""
        frame, problems = HistoryStore(self.folder / "history").read(metric="dia.numSources")
        assert problems == []
        return frame["rerun"].to_list()

    @property
    def messages(self):
        """What was announced, the first line of each."""
        lines = self.told.read_text().splitlines() if self.told.exists() else []
        ends = [-1, *(number for number, line in enumerate(lines) if line.startswith("announcement "))]
        return [lines[end + 1] for end in ends[:-1]]

    def files(self, pattern):
        """Return the files in the folder that match, by name."""
        return sorted(path.name for path in self.folder.glob(pattern) if path.is_file())
