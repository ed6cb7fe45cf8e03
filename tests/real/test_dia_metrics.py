"""DIA source metrics on real tables, against what is known of them and against pandas.

HiTS 2015: exports of two vintages of the alert pipeline, 2024-10-10 and 2025-04-18 (``lsst/ap_verify_ci_hits2015``
49f3a3f and 58bd7b4), whose files repeat each other's rows.  LSSTComCam: the table of the tests of
``lsst/analysis_tools`` (cc0519d), which assert 2994, 2938, 8 and 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.metrics.dia_sources import SourceCounter
from harness.metrics.settings import Settings
from harness.metrics.structure import TableStructure

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

OLD, NEW = "49f3a3f", "58bd7b4"
#: Schema conversions of the rows of the newer vintage.
CONVERTED = ("528bc63", "7c36eb7")


def hits(real_data: Path, vintage: str) -> pa.Table:
    """Return the unique DIA sources of a vintage."""
    folder = real_data / "ap_verify_ci_hits2015" / vintage
    paths = [
        path for path in sorted(folder.glob("*.parq")) if "_diaSources_" in path.name or "_dia_source_" in path.name
    ]
    assert len(paths) == 6
    tables = [pq.read_table(path) for path in paths]
    table = pa.concat_tables([table for table in tables if table.num_rows], promote_options="permissive")
    _, first = np.unique(table["diaSourceId"].to_numpy(), return_index=True)
    return table.take(np.sort(first)).combine_chunks()


@pytest.fixture(scope="session")
def comcam(real_data: Path) -> pa.Table:
    """Return the LSSTComCam DIA sources."""
    from astropy.table import Table

    (path,) = (real_data / "analysis_tools_dia").glob("*/assocDiaSrc_test.ecsv")
    frame = Table.read(path, format="ascii.ecsv").to_pandas()
    return pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()


def count(table: pa.Table, good_flags: str = "S3") -> pd.Series:
    """Return the totals of all metrics, NaN where a part is not measured."""
    counter = SourceCounter(Settings(good_flags=good_flags), table.column_names)
    for batch in table.to_batches(max_chunksize=100):
        counter.add(batch)
    rows = counter.rows("").to_pandas()
    return rows.groupby("metric")["numerator"].agg(lambda values: values.sum(skipna=False)).drop("dia.area")


@pytest.mark.parametrize(
    ("vintage", "sources", "good", "non_positive"),
    [(OLD, 653, 602, 351), (NEW, 627, 607, 0)],
)
def test_hits_counts(real_data, vintage, sources, good, non_positive):
    """Each vintage has the known number of sources, good sources and impossible PSF moments, and no other fault."""
    counts = count(hits(real_data, vintage))
    assert counts["dia.numSources"] == sources
    assert counts["dia.numGoodSources"] == good
    assert counts["dia.numNonPositivePsfDeterminants"] == non_positive
    assert counts["dia.numNonFinitePositions"] == counts["dia.numNonFiniteFluxes"] == counts["dia.numNullFlags"] == 0


@pytest.mark.parametrize("vintage", [OLD, NEW])
def test_hits_flags_are_those_of_pandas(real_data, vintage):
    """Every flag that a vintage has is set as often as pandas says, and the others are not measured."""
    table = hits(real_data, vintage)
    frame = table.to_pandas()
    for metric, value in count(table).filter(like="numFlagged.").items():
        flag = metric.removeprefix("dia.numFlagged.")
        assert value == frame[flag].sum() if flag in frame else np.isnan(value)


def test_hits_flags_that_did_not_exist(real_data):
    """The flag nodata is newer than the older vintage, whose good sources by list A5 are therefore not measured."""
    assert np.isnan(count(hits(real_data, OLD), "A5")["dia.numGoodSources"])
    assert count(hits(real_data, NEW), "A5")["dia.numGoodSources"] > 0


@pytest.mark.parametrize(
    ("vintage", "equal"), [(OLD, (("iyyPSF", "ixyPSF"),)), (NEW, ()), *((each, ()) for each in CONVERTED)]
)
def test_hits_wrong_column_is_found_without_being_told(real_data, vintage, equal):
    """Until 2024-12 the pipeline wrote the xy moment of the PSF into the yy column; nothing else is a copy."""
    table = hits(real_data, vintage)
    structure = TableStructure(dict(zip(table.schema.names, table.schema.types, strict=True)))
    for batch in table.to_batches(max_chunksize=100):
        structure.add(batch)
    frame = table.to_pandas().select_dtypes("floating")
    assert structure.equal_columns == equal
    assert set(frame.columns[frame.isna().all()]) <= set(structure.empty_columns)


def test_hits_conversions_have_the_same_content(real_data):
    """The same rows in another schema have the same content digest, those of another vintage have not."""
    digests = []
    for vintage in (OLD, NEW, *CONVERTED):
        table = hits(real_data, vintage)
        counter = SourceCounter(Settings(), table.column_names)
        for batch in table.to_batches():
            counter.add(batch)
        digests.append(counter.content_digest)
    assert digests[1] == digests[2] == digests[3] != digests[0]


def test_comcam_counts(comcam):
    """All sources, good ones by each list, and both streak flags are counted as upstream's own tests count them."""
    counts = count(comcam, "A5")
    assert counts["dia.numSources"] == 2994
    assert counts["dia.numGoodSources"] == 2938
    assert counts["dia.numFlagged.pixelFlags_streak"] == 8
    assert counts["dia.numFlagged.pixelFlags_streakCenter"] == 7
    assert count(comcam, "S3")["dia.numGoodSources"] == 2983
    assert count(comcam, "S6")["dia.numGoodSources"] == 2973
