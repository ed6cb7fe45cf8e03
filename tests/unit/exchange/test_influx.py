"""`harness.exchange.influx`: line protocol as InfluxDB's reference has it.

Lines of random names and numbers were read back by ``line-protocol-parser`` 2.0.1, and their names are spelled as
``influxdb-client`` 1.50 spells them.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from harness.errors import UsageError
from harness.exchange.influx import influx_lines
from harness.model import DataId, Measurement, Verdict, VerdictState

AT = datetime(2019, 4, 29, 17, 0, 0, 123456, tzinfo=UTC)


def measurement(metric="dia.numSources", value=1.5, uncertainty=0.25, rerun="new", **data_id):
    """Return a measurement."""
    return Measurement(metric, rerun, value, uncertainty, "ct", 24, "d", "i", DataId(**data_id))


def verdict(state, metric="dia.numSources", rerun="new", place=""):
    """Return a verdict."""
    return Verdict(metric, rerun, state, "within 1 to 2", 1.5, "ct", "It is so.", place=place)


def test_a_line():
    """Name, sorted tags, fields and nanoseconds stand where the reference puts them."""
    (line,) = influx_lines([measurement(visit=411371, band="g")], dataset="hits2015", at=AT).splitlines(keepends=True)
    assert line == (
        "dia.numSources,band=g,dataset=hits2015,rerun=new,visit=411371 "
        "value=1.5,uncertainty=0.25,count=24i 1556557200123456000\n"
    )


def test_special_characters():
    """Commas, spaces and, in tags, equals signs have a backslash before them (examples of InfluxDB's reference)."""
    line = influx_lines([measurement("my, Measurement=1", rerun="tag=Key,1 ü", a="x")], dataset='"q"', at=AT)
    assert line.startswith('my\\,\\ Measurement=1,a=x,dataset="q",rerun=tag\\=Key\\,1\\ ü value=')


def test_no_field_is_nan():
    """What is not finite is left out, since the database has no such number; the line still tells that it was tried."""
    lines = influx_lines(
        [measurement(value=math.nan, uncertainty=math.inf), measurement(value=-math.inf), measurement()],
        dataset="d",
        at=AT,
        verdicts=[verdict(VerdictState.NOT_MEASURED)],
    )
    fields = [line.split(" ")[1] for line in lines.splitlines()]
    assert fields == [
        'count=24i,verdict="NOT_MEASURED"',
        'uncertainty=0.25,count=24i,verdict="NOT_MEASURED"',
        'value=1.5,uncertainty=0.25,count=24i,verdict="NOT_MEASURED"',
    ]


def test_numbers_come_back():
    """Floats are written so that they read back to the last bit, whatever kind of float they are."""
    for value in (0.1, 1e-300, -1.7976931348623157e308, np.float64(1 / 3), 5e-324):
        line = influx_lines([measurement(value=value)], dataset="d", at=AT)
        assert float(line.split("value=")[1].split(",")[0]) == value


def test_the_worst_verdict_counts():
    """Of several verdicts about a measurement the worst is told, and none about something else."""
    told = [
        verdict(VerdictState.INCONCLUSIVE),
        verdict(VerdictState.FAIL),
        verdict(VerdictState.NOT_MEASURED),
        verdict(VerdictState.PASS, place="visit 7"),
    ]
    lines = influx_lines([measurement(), measurement(visit=7), measurement(visit=8)], dataset="d", at=AT, verdicts=told)
    assert [line.count('verdict="FAIL"') for line in lines.splitlines()] == [1, 0, 0]
    assert [line.count('verdict="PASS"') for line in lines.splitlines()] == [0, 1, 0]
    assert lines.count("verdict") == 2


def test_time_zones_and_empty_tags():
    """A moment is the same in every time zone; a tag without a value is left out, as it would be an error."""
    tokyo = AT.astimezone(timezone(timedelta(hours=9)))
    assert influx_lines([measurement(band="")], dataset="d", at=tokyo) == (
        influx_lines([measurement()], dataset="d", at=AT)
    )


@pytest.mark.parametrize("name", ["a\nb", "a\\", "tab\t"])
def test_what_has_no_spelling(name):
    """A line break would begin another line, and a backslash at the end would swallow what follows it."""
    with pytest.raises(
        UsageError, match=r"cannot be written for InfluxDB: it holds a control character or a backslash$"
    ):
        influx_lines([measurement(rerun=name)], dataset="d", at=AT)
