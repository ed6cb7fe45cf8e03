"""Every metric the harness measures, of all suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.metrics.settings import Settings
    from harness.model import Metric

__all__ = ["DEFECT_GROUPS", "OF_OTHER_TABLES", "PAIR_GROUPS", "all_metrics", "all_ratios"]

#: Groups that count defects: none is expected, whether a baseline says so or not.
DEFECT_GROUPS = frozenset(
    {
        "alert_sanity",
        "background_sanity",
        "dia_bookkeeping",
        "dia_sanity",
        "eotest_sanity",
        "injected_sanity",
        "ptc_sanity",
        "template_sanity",
    }
)

#: Metrics that are counted, wholly or in part, in other tables than the DIA sources.
OF_OTHER_TABLES = frozenset({"dia.numSciSources", "dia.fracDiaSourcesToSciSources", "dia.totalUnassociatedDiaObjects"})

#: Groups that are measured of two reruns side by side.
PAIR_GROUPS = frozenset({"background_change", "churn", "columns", "eotest_change", "flavor_change"})


def all_metrics(settings: Settings) -> Mapping[str, Metric]:
    """Return the definitions of all metrics by name, in the order they are listed in.

    Parameters
    ----------
    settings
        What the definitions depend on.
    """
    from harness.diagnose.churn import churn_catalogue
    from harness.diagnose.columns import column_catalogue
    from harness.metrics.alerts.catalogue import alert_catalogue
    from harness.metrics.background.catalogue import background_catalogue
    from harness.metrics.catalogue import metric_catalogue
    from harness.metrics.flavor.catalogue import flavor_catalogue
    from harness.metrics.mask_planes import EXCLUDED_PLANES
    from harness.metrics.ptc.catalogue import ptc_catalogue
    from harness.metrics.template.catalogue import template_catalogue

    return {
        **metric_catalogue(settings),
        **churn_catalogue(settings),
        **column_catalogue(),
        **ptc_catalogue(),
        **template_catalogue(settings.psf_size, EXCLUDED_PLANES, settings.flag_set),
        **background_catalogue(),
        **alert_catalogue(settings),
        **flavor_catalogue(settings),
    }


def all_ratios() -> Mapping[str, tuple[str, str]]:
    """Return the metrics that are formed of two others: name to (numerator, denominator)."""
    from harness.diagnose.churn import CHURN_RATIOS
    from harness.metrics.catalogue import RATIOS

    return {**RATIOS, **CHURN_RATIOS}
