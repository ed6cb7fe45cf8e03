"""What should hold of the DIA sources and objects of every rerun.

Each check runs once per rerun and metric of its group.  The baseline says which metrics, and by how much they may
differ.
"""

from __future__ import annotations


def test_no_visit_is_missing(rerun, dia_coverage, expect):
    """A rerun covers what was covered before: changes are paired by visit, and a lost visit has no pair."""
    expect(rerun[dia_coverage]).unchanged()


def test_dia_counts_are_unchanged(rerun, dia_count, expect):
    """A rerun finds as many sources and objects as before."""
    expect(rerun[dia_count]).unchanged()


def test_dia_ratios_are_unchanged(rerun, dia_ratio, expect):
    """Derived ratios hold by themselves: counts may move together and a ratio still break."""
    expect(rerun[dia_ratio]).unchanged()


def test_dia_flags_are_set_as_often(rerun, dia_flags, expect):
    """A pixel flag is set for the same fraction of sources."""
    expect(rerun[dia_flags]).unchanged()


def test_dia_bookkeeping_closes(rerun, dia_bookkeeping, expect):
    """Sources and objects account for each other."""
    expect(rerun[dia_bookkeeping]).sound()


def test_dia_table_is_sane(rerun, dia_sanity, expect):
    """No row or column of the table is broken."""
    expect(rerun[dia_sanity]).sound()


def test_no_more_columns_are_empty(rerun, dia_schema, expect):
    """A column that held numbers still does."""
    expect(rerun[dia_schema]).unchanged()


def test_churn_is_small(rerun, churn, expect):
    """Few sources were lost or gained, however small the net change."""
    expect(rerun[churn]).as_baselined()


def test_common_columns_are_unchanged(rerun, columns, expect):
    """Rows that both reruns have hold the same values."""
    expect(rerun[columns]).as_baselined()
