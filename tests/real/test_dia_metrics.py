"""DIA source metrics on real tables, against what is known of them (`real_reruns`) and against pandas."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from real_reruns import COMCAM, CONVERSIONS, NEW, OLD, VINTAGES, Vintage, comcam_files, hits_files

from harness.metrics.dia_sources import SourceCounter
from harness.metrics.settings import Settings
from harness.metrics.structure import TableStructure

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

each_vintage = pytest.mark.parametrize("vintage", VINTAGES, ids=lambda vintage: vintage.name)


def hits(real_data: Path, vintage: Vintage) -> pa.Table:
    """Return the unique DIA sources of a vintage."""
    paths, _ = hits_files(real_data, vintage)
    assert len(paths) == 6
    tables = [pq.read_table(path) for path in paths]
    table = pa.concat_tables([table for table in tables if table.num_rows], promote_options="permissive")
    _, first = np.unique(table["diaSourceId"].to_numpy(), return_index=True)
    return table.take(np.sort(first)).combine_chunks()


@pytest.fixture(scope="session")
def comcam_table(real_data: Path) -> pa.Table:
    """Return the LSSTComCam DIA sources."""
    from astropy.table import Table

    (path,) = comcam_files(real_data)
    frame = Table.read(path, format="ascii.ecsv").to_pandas()
    return pa.Table.from_pandas(frame, preserve_index=False).combine_chunks()


def count(table: pa.Table, good_flags: str = "S3") -> pd.Series:
    """Return the totals of all metrics, NaN where a part is not measured."""
    counter = SourceCounter(Settings(good_flags=good_flags), table.column_names)
    for batch in table.to_batches(max_chunksize=100):
        counter.add(batch)
    rows = counter.rows("").to_pandas()
    return rows.groupby("metric")["numerator"].agg(lambda values: values.sum(skipna=False)).drop("dia.area")


@each_vintage
def test_hits_counts(real_data, vintage):
    """Each vintage has the known number of sources, good sources and impossible PSF moments, and no other fault."""
    counts = count(hits(real_data, vintage))
    assert counts["dia.numSources"] == vintage.sources
    assert counts["dia.numGoodSources"] == vintage.good
    assert counts["dia.numNonPositivePsfDeterminants"] == vintage.non_positive_determinants
    assert counts["dia.numNonFinitePositions"] == counts["dia.numNonFiniteFluxes"] == counts["dia.numNullFlags"] == 0


@each_vintage
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


@each_vintage
def test_hits_wrong_column_is_found_without_being_told(real_data, vintage):
    """Until 2024-12 the pipeline wrote the xy moment of the PSF into the yy column; nothing else is a copy."""
    table = hits(real_data, vintage)
    structure = TableStructure(dict(zip(table.schema.names, table.schema.types, strict=True)))
    for batch in table.to_batches(max_chunksize=100):
        structure.add(batch)
    frame = table.to_pandas().select_dtypes("floating")
    assert structure.equal_columns == ((("iyyPSF", "ixyPSF"),) if vintage.equal_moments else ())
    assert set(frame.columns[frame.isna().all()]) <= set(structure.empty_columns)


def test_hits_conversions_have_the_same_content(real_data):
    """The same rows in another schema have the same content digest, those of another vintage have not."""
    digests = []
    for vintage in (OLD, NEW, *CONVERSIONS):
        table = hits(real_data, vintage)
        counter = SourceCounter(Settings(), table.column_names)
        for batch in table.to_batches():
            counter.add(batch)
        digests.append(counter.content_digest)
    assert digests[1] == digests[2] == digests[3] != digests[0]


def test_comcam_counts(comcam_table):
    """All sources, good ones by each list, and both streak flags are counted as upstream's own tests count them."""
    counts = count(comcam_table, "A5")
    assert counts["dia.numSources"] == COMCAM.sources
    assert counts["dia.numGoodSources"] == COMCAM.good
    assert counts["dia.numFlagged.pixelFlags_streak"] == COMCAM.streak
    assert counts["dia.numFlagged.pixelFlags_streakCenter"] == COMCAM.streak_center
    assert count(comcam_table, "S3")["dia.numGoodSources"] == 2983
    assert count(comcam_table, "S6")["dia.numGoodSources"] == 2973
