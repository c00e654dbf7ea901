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
from retention_metrics.plotting.behaviour import alive_path, heterogeneity
from retention_metrics.plotting.churn import churn_by_period, churn_definitions, churn_reasons
from retention_metrics.plotting.customers import migration_flow, segment_map
from retention_metrics.plotting.drivers import driver_cross, driver_forest
from retention_metrics.plotting.groups import churn_by_group, estimate_with_interval, promoter_score
from retention_metrics.plotting.growth import (
    bonus_costs,
    bonus_payouts,
    capped_bonus,
    expectation_rates,
    hire_path,
    lever_bars,
    offer_gain,
    prospect_counts,
    rep_lifetimes,
)
from retention_metrics.plotting.money import (
    cash_flow,
    churn_by_term,
    contract_comparison,
    dropped_term,
    iso_value_map,
    plateau_path,
    portfolio_shares,
    tornado,
)
from retention_metrics.plotting.posteriors import posterior_pairs
from retention_metrics.plotting.purchases import (
    expected_against_actual,
    expected_purchases_matrix,
    probability_alive_matrix,
)
from retention_metrics.plotting.retention import cohort_heat_map, retention_curve
from retention_metrics.plotting.revenue import (
    lorenz_curve,
    net_retention_by_cohort,
    net_retention_curve,
    revenue_bridge,
    revenue_layers,
)
from retention_metrics.plotting.scores import (
    answer_shares,
    score_funnel,
    score_trend,
    scores_by_group,
    staying_by_group,
)
from retention_metrics.plotting.survival import hazard_rates, losses_by_group, survival_curve
from retention_metrics.plotting.validation import conditional_expectation, frequency_histogram, tracking
from retention_metrics.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "alive_path",
    "answer_shares",
    "bonus_costs",
    "bonus_payouts",
    "capped_bonus",
    "cash_flow",
    "churn_by_group",
    "churn_by_period",
    "churn_by_term",
    "churn_definitions",
    "churn_reasons",
    "cohort_heat_map",
    "conditional_expectation",
    "contract_comparison",
    "draw",
    "driver_cross",
    "driver_forest",
    "dropped_term",
    "estimate_with_interval",
    "expectation_rates",
    "expected_against_actual",
    "expected_purchases_matrix",
    "frequency_histogram",
    "hazard_rates",
    "heterogeneity",
    "hire_path",
    "iso_value_map",
    "lever_bars",
    "lorenz_curve",
    "losses_by_group",
    "migration_flow",
    "net_retention_by_cohort",
    "net_retention_curve",
    "offer_gain",
    "placement_bullet",
    "plateau_path",
    "portfolio_shares",
    "posterior_pairs",
    "probability_alive_matrix",
    "promoter_score",
    "prospect_counts",
    "rep_lifetimes",
    "retention_curve",
    "revenue_bridge",
    "revenue_layers",
    "score_funnel",
    "score_trend",
    "scores_by_group",
    "segment_map",
    "staying_by_group",
    "survival_curve",
    "tornado",
    "tracking",
]

_BY_KIND: Mapping[str, str] = MappingProxyType(
    {
        "benchmarks.placement": "bands:placement_bullet",
        "churn.by_group": "groups:churn_by_group",
        "clv.posterior": "posteriors:posterior_pairs",
        "clv.alive_path": "behaviour:alive_path",
        "clv.frequency_fit": "validation:frequency_histogram",
        "clv.holdout": "validation:conditional_expectation",
        "clv.tracking": "validation:tracking",
        "contracts.bonus_payouts": "growth:bonus_payouts",
        "contracts.break_even": "groups:estimate_with_interval",
        "contracts.break_even_churn_ratio": "groups:estimate_with_interval",
        "contracts.break_even_fee": "groups:estimate_with_interval",
        "contracts.capped_bonus": "growth:capped_bonus",
        "contracts.cash_flow": "money:cash_flow",
        "contracts.churn_rate_ratio": "groups:estimate_with_interval",
        "contracts.compare": "money:contract_comparison",
        "contracts.dropped_term": "money:dropped_term",
        "contracts.estimate": "money:churn_by_term",
        "contracts.longevity_bonus": "growth:bonus_costs",
        "contracts.loyalty_programme": "groups:estimate_with_interval",
        "contracts.minimum_spend": "groups:estimate_with_interval",
        "contracts.monthly_churn": "groups:estimate_with_interval",
        "contracts.portfolio": "money:portfolio_shares",
        "contracts.probability_better": "groups:estimate_with_interval",
        "contracts.qualify": "growth:prospect_counts",
        "contracts.retention_offer": "growth:offer_gain",
        "contracts.sensitivity": "money:tornado",
        "contracts.sensitivity_grid": "money:iso_value_map",
        "growth.expectation_gap": "growth:expectation_rates",
        "growth.hire": "growth:hire_path",
        "growth.levers": "growth:lever_bars",
        "churn.by_period": "churn:churn_by_period",
        "churn.in_window": "groups:estimate_with_interval",
        "churn.reasons": "churn:churn_reasons",
        "churn.reconciliation": "churn:churn_definitions",
        "customers.mean": "groups:estimate_with_interval",
        "customers.migrations": "customers:migration_flow",
        "customers.retention_cost": "groups:estimate_with_interval",
        "customers.repeat_rate": "groups:estimate_with_interval",
        "customers.segment_sizes": "customers:segment_map",
        "drivers.cross": "drivers:driver_cross",
        "drivers.rank": "drivers:driver_forest",
        "growth.plateau": "money:plateau_path",
        "nps.by_group": "scores:scores_by_group",
        "nps.change": "groups:estimate_with_interval",
        "growth.reps": "growth:rep_lifetimes",
        "growth.upmarket": "groups:estimate_with_interval",
        "nps.concordance": "groups:estimate_with_interval",
        "nps.difference": "groups:estimate_with_interval",
        "nps.hazard_ratio": "groups:estimate_with_interval",
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
        "survival.curve": "survival:survival_curve",
        "survival.hazard": "survival:hazard_rates",
        "survival.log_rank": "survival:losses_by_group",
        "survival.quantile": "groups:estimate_with_interval",
        "survival.restricted_mean": "groups:estimate_with_interval",
        "survival.restricted_mean_difference": "groups:estimate_with_interval",
        "survival.share": "groups:estimate_with_interval",
        "revenue.by_cohort": "revenue:revenue_layers",
        "revenue.concentration": "revenue:lorenz_curve",
        "revenue.logo_retention": "groups:estimate_with_interval",
        "revenue.loyal_core": "groups:estimate_with_interval",
        "revenue.movements": "revenue:revenue_bridge",
        "revenue.cost_ratio": "groups:estimate_with_interval",
        "revenue.payback": "groups:estimate_with_interval",
        "revenue.quick_ratio": "groups:estimate_with_interval",
        "revenue.retention": "groups:estimate_with_interval",
        "revenue.retention_curve": "revenue:net_retention_curve",
        "revenue.share": "groups:estimate_with_interval",
        "revenue.spend_ratio": "groups:estimate_with_interval",
        "revenue.spread": "groups:estimate_with_interval",
        "revenue.unit_economics": "groups:estimate_with_interval",
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
