"""Plots of the library's answers: functions that take an answer and give back the axes.

Every function takes ``ax=None``: without axes it makes a figure of its own, outside pyplot's register, which
``axes.figure.savefig(path)`` writes. Text from the data is drawn as it stands, never as mathematics.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from retention_metrics.errors import InputError
from retention_metrics.plotting.bands import placement_bullet
from retention_metrics.plotting.drivers import driver_cross, driver_forest
from retention_metrics.plotting.groups import churn_by_group, estimate_with_interval, promoter_score
from retention_metrics.plotting.money import contract_comparison, plateau_path
from retention_metrics.plotting.purchases import expected_against_actual, probability_alive_matrix
from retention_metrics.plotting.retention import cohort_heat_map, retention_curve
from retention_metrics.plotting.scores import (
    answer_shares,
    score_funnel,
    score_trend,
    scores_by_group,
    staying_by_group,
)
from retention_metrics.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "answer_shares",
    "churn_by_group",
    "cohort_heat_map",
    "contract_comparison",
    "draw",
    "driver_cross",
    "driver_forest",
    "estimate_with_interval",
    "expected_against_actual",
    "placement_bullet",
    "plateau_path",
    "probability_alive_matrix",
    "promoter_score",
    "retention_curve",
    "score_funnel",
    "score_trend",
    "scores_by_group",
    "staying_by_group",
]

_BY_KIND: Mapping[str, str] = MappingProxyType(
    {
        "benchmarks.placement": "bands:placement_bullet",
        "churn.by_group": "groups:churn_by_group",
        "contracts.compare": "money:contract_comparison",
        "drivers.cross": "drivers:driver_cross",
        "drivers.rank": "drivers:driver_forest",
        "growth.plateau": "money:plateau_path",
        "nps.by_group": "scores:scores_by_group",
        "nps.change": "groups:estimate_with_interval",
        "nps.difference": "groups:estimate_with_interval",
        "nps.ordering": "groups:estimate_with_interval",
        "nps.promoter_score": "groups:promoter_score",
        "nps.staying": "scores:staying_by_group",
        "nps.trend": "scores:score_trend",
        "proportion": "groups:estimate_with_interval",
        "proportions.difference": "groups:estimate_with_interval",
        "proportions.ratio": "groups:estimate_with_interval",
        "retention.average": "retention:retention_curve",
        "retention.by_period": "retention:retention_curve",
        "retention.cohorts": "retention:cohort_heat_map",
        "retention.day_n": "retention:retention_curve",
        "retention.rate": "groups:estimate_with_interval",
        "surveys.item": "groups:estimate_with_interval",
        "surveys.response_rate": "groups:estimate_with_interval",
    }
)


def draw(result: Result, ax: Axes | None = None) -> Axes:
    """The plot that belongs to a kind of result.

    Parameters
    ----------
    result : Result
        What a function of the library returned.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure's axes.

    Returns
    -------
    matplotlib.axes.Axes
        The axes that hold the plot.

    Raises
    ------
    InputError
        If this kind of result has no plot.
    MissingDependencyError
        If matplotlib is not installed.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> axes = rm.plotting.draw(rm.nps.from_counts(promoters=60, passives=25, detractors=15))
    >>> axes.get_xlabel()
    'Net Promoter Score (points)'
    """
    kind = getattr(result, "kind", type(result).__name__)
    if kind not in _BY_KIND:
        raise InputError(
            f"{kind!r} has no plot; these kinds have one: {', '.join(sorted(_BY_KIND))}.", argument="result"
        )
    module, name = _BY_KIND[kind].split(":")
    drawn: Axes = getattr(importlib.import_module(f"retention_metrics.plotting.{module}"), name)(result, ax=ax)
    return drawn
