"""Definitions of background metrics."""

from __future__ import annotations

from harness.metrics.background.catalogue import STATISTICS, background_catalogue


def test_the_sign_is_part_of_the_definition():
    """A closure with the other sign is another quantity, and is never compared with this one."""
    catalogue = background_catalogue()
    for name in ("largestResidual", "numUnclosedPixels"):
        signs = {of: catalogue[f"{of}.{name}"].definition["sign"] for of in ("visitBackground", "coaddBackground")}
        assert signs["visitBackground"] == "image before subtraction = image + background"
        assert signs["coaddBackground"] == "background = coadd before subtraction - coadd after"


def test_visits_and_coadds_are_units_of_their_own():
    """What is of visits is counted per visit, what is of coadds per coadd, and all of it is complete."""
    for name, metric in background_catalogue().items():
        assert metric.per == ("coadd" if name.startswith("coadd") else "visit"), name
        assert metric.census, name
        assert metric.doc.endswith("."), name


def test_each_statistic_is_there_twice():
    """Of visits and of coadds."""
    names = {f"{of}.{name}" for of in ("visitBackground", "coaddBackground") for name in STATISTICS}
    assert names < set(background_catalogue())
