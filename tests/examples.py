"""One small example of every kind of result and model: what the contract tests run over.

A kind that is added to the library's register and not here fails tests/test_contract.py.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import pandas as pd

import retention_metrics as rm
from retention_metrics.clv import limits

DAYS = {"A": [1, 2, 3, 5, 7, 9], "B": [1, 4, 10], "C": [1, 2], "D": [3], "E": []}


@functools.cache
def activity() -> pd.DataFrame:
    """Five customers who start on the same day; some names need escaping."""
    start = pd.Timestamp("2024-01-01")
    rows = [(f"<b>{who}</b>", start + pd.Timedelta(days=day)) for who, days in DAYS.items() for day in [0, *days]]
    return pd.DataFrame(rows, columns=["who", "when"])


@functools.cache
def subscriptions() -> pd.DataFrame:
    starts = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-15", "2024-02-03"])
    ends = pd.to_datetime(["2024-02-10", None, "2024-03-01", "2024-02-20"])
    return pd.DataFrame({"who": list("abcd"), "start": starts, "end": ends})


CHURN = {"customer": "who", "start": "start", "end": "end", "as_of": "2024-03-31"}
PRICED = {"customer": "who", "start": "start", "end": "end", "amount": "price", "as_of": "2024-03-31"}


@functools.cache
def priced() -> pd.DataFrame:
    return subscriptions().assign(price=[100.0, 50.0, 20.0, 70.0])


@functools.cache
def accounts() -> pd.DataFrame:
    return pd.DataFrame(
        {"before": [100, 200, 50, 1000, 300, 80, 120, 400], "after": [100, 150, 0, 1100, 300, 120, 0, 400]}
    )


@functools.cache
def customers() -> pd.DataFrame:
    churned = [True] * 12 + [False] * 18 + [True] * 5 + [False] * 25
    return pd.DataFrame({"plan": ["<i>monthly</i>"] * 30 + ["yearly"] * 30, "spend": range(60), "churned": churned})


@functools.cache
def purchases() -> pd.DataFrame:
    """Seven customers of a shop, one of them with a name that needs escaping, in two regions."""
    days = {"a": [0, 31, 60, 90], "b": [3, 40], "c": [5], "d": [10, 20, 30], "e": [70], "f": [80, 85], "<b>A": [1, 100]}
    start = pd.Timestamp("2024-01-01")
    rows = [(who, start + pd.Timedelta(days=day), 10.0 + day % 7) for who, listed in days.items() for day in listed]
    frame = pd.DataFrame(rows, columns=["who", "when", "paid"])
    return frame.assign(region=["<b>A" if who in "abc" else "south" for who in frame["who"]])


BOUGHT = {"customer": "who", "time": "when"}
PAID = {**BOUGHT, "value": "paid"}


@functools.cache
def onboarded() -> pd.DataFrame:
    days = [200.0] * 8 + [20.0] * 2 + [200.0] * 5 + [30.0] * 5
    left = [day < 100 for day in days]
    return pd.DataFrame({"helped": [True] * 10 + [False] * 10, "days": days, "left": left, "first": range(1, 21)})


@functools.cache
def counted() -> pd.DataFrame:
    """Purchase histories as distinct rows with the number of customers of each."""
    return pd.DataFrame(
        {
            "frequency": [0, 1, 2, 3, 5, 8],
            "recency": [0.0, 9.0, 21.0, 24.0, 30.0, 35.0],
            "T": [38.0, 37.0, 38.0, 36.0, 37.0, 38.0],
            "monetary_value": [None, 12.0, 25.0, 31.0, 40.0, 22.0],
            "customers": [120, 40, 20, 10, 8, 4],
        }
    )


def history() -> pd.DataFrame:
    frame = counted()
    return frame.loc[frame.index.repeat(frame["customers"])].drop(columns="customers").reset_index(drop=True)


@functools.cache
def fit_of_purchases() -> object:
    return rm.clv.BGNBD.fit(rm.clv.history(history(), unit="week"))


@functools.cache
def fit_of_spend() -> object:
    return rm.clv.GammaGamma.fit(rm.clv.history(history(), unit="week"))


def terms() -> list[rm.contracts.Term]:
    monthly = rm.contracts.Term(name="<u>monthly</u>", months=1, fee_rate=0.10, monthly_churn=0.10)
    return [monthly, rm.contracts.Term(name="yearly", months=12, fee_rate=0.06, monthly_churn=0.05)]


def comparison() -> rm.contracts.TermComparison:
    return rm.contracts.compare(terms(), monthly_spend=50_000, horizon_months=24)


def cohorts(**options: object) -> rm.retention.CohortTable:
    return rm.retention.cohorts(activity(), customer="who", time="when", period="week", as_of="2024-01-20", **options)


def score(**options: object) -> rm.nps.PromoterScore:
    return rm.nps.from_counts(detractors=2, passives=11, promoters=18, **options)


def placement() -> rm.benchmarks.Placement:
    return rm.benchmarks.get("nps.agency").classify(score())


def limit_of_fit(name: str) -> object:
    """A limiting model at ordinary parameters; its own tests fit it."""
    cls = getattr(limits, name)
    values = {"share": 0.3, "p": 0.3, "rate": 0.05}
    return cls(**{parameter: values.get(parameter, 2.0) for parameter in cls.parameters})


EXAMPLES: Mapping[str, tuple[Callable[[], object], ...]] = {
    "benchmarks.band_table": tuple(functools.partial(rm.benchmarks.get, name) for name in rm.benchmarks.available()),
    "benchmarks.placement": (placement,),
    "churn.by_group": (
        lambda: rm.churn.by_group(customers(), churned="churned", group="plan"),
        lambda: rm.churn.by_quantile(customers(), churned="churned", value="spend", quantiles=3),
        lambda: rm.churn.by_group(customers(), churned="churned", group="plan", level=None),
    ),
    "churn.by_period": (
        lambda: rm.churn.by_period(subscriptions(), **CHURN),
        lambda: rm.churn.by_period(subscriptions(), **CHURN, definition="stripe", level=None),
        lambda: rm.churn.by_period(subscriptions().assign(side="<b>A", why="<i>"), **CHURN, by="side", kind="why"),
        lambda: rm.churn.by_period(subscriptions(), **CHURN, definition="midpoint", rolling_days=30),
    ),
    "churn.converted_rate": (
        lambda: rm.churn.convert(0.05, per="month", to="year"),
        lambda: rm.churn.convert(rm.churn.rate(start=200, lost=10), per="month", to="year"),
    ),
    "churn.from_lifetime": (lambda: rm.churn.from_lifetime(12),),
    "churn.in_window": (
        lambda: rm.churn.in_window(subscriptions(), **CHURN, window=("2024-02-01", "2024-03-01")),
        lambda: rm.churn.in_window(
            subscriptions(), **CHURN, window=("2024-02-01", "2024-03-01"), definition="midpoint"
        ),
        lambda: rm.churn.in_window(subscriptions(), **CHURN, window=("2024-02-01", "2024-05-01")),
    ),
    "churn.lifetime": (
        lambda: rm.churn.lifetime(0.05),
        lambda: rm.churn.lifetime(rm.churn.rate(start=200, lost=10)),
        lambda: rm.churn.lifetime(rm.churn.rate(start=200, lost=0)),
    ),
    "churn.reasons": (
        lambda: rm.churn.reasons(subscriptions().assign(why=["<b>", None, "x", "x"]), **CHURN, reason="why"),
        lambda: rm.churn.reasons(priced().assign(why="x"), **CHURN, reason="why", revenue="price", level=None),
    ),
    "churn.reconciliation": (
        lambda: rm.churn.reconcile(subscriptions(), **CHURN, window=("2024-02-01", "2024-03-01")),
        lambda: rm.churn.reconcile(subscriptions(), **CHURN, window=("2024-02-01", "2024-03-01"), level=None),
    ),
    "churn.trend": (lambda: rm.churn.by_quantile(customers(), churned="churned", value="spend", quantiles=3).trend,),
    "clv.bg_nbd": (
        lambda: rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426),
        lambda: rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week"),
    ),
    **{
        getattr(limits, name).kind: (functools.partial(limit_of_fit, name),)
        for name in limits.__all__
        if name != "LIMITS"
    },
    "clv.fit": (fit_of_purchases, fit_of_spend),
    "clv.gamma_gamma": (lambda: rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44),),
    "clv.simple_value": (lambda: rm.clv.simple_value(margin=100.0, retention_rate=0.8, discount_rate=0.1),),
    "contracts.break_even_churn_ratio": (
        lambda: comparison().break_even_churn_ratio("yearly", "<u>monthly</u>"),
        lambda: comparison().break_even_churn_ratio("<u>monthly</u>", "yearly"),
    ),
    "contracts.break_even_fee": (lambda: comparison().break_even_fee("yearly", "<u>monthly</u>"),),
    "contracts.compare": (comparison,),
    "contracts.term": (lambda: terms()[0], lambda: terms()[1]),
    "customers.by_group": (
        lambda: rm.customers.purchase_frequency(purchases(), **BOUGHT, by="region"),
        lambda: rm.customers.average_order_value(purchases(), **PAID, by="region", level=None),
        lambda: rm.customers.repeat_rate(purchases(), **BOUGHT, by="region", within_days=60),
    ),
    "customers.demand": (
        lambda: rm.customers.demand(fit_of_purchases().model, history(), length=5, periods=2, draws=100, rng=1),
        lambda: rm.customers.demand(
            fit_of_purchases(), history(), spend=fit_of_spend(), length=5, periods=2, draws=100, rng=1
        ),
    ),
    "customers.mean": (
        lambda: rm.customers.purchase_frequency(purchases(), **BOUGHT),
        lambda: rm.customers.average_order_value(purchases(), **PAID),
        lambda: rm.customers.average_order_value(purchases()[:1], **PAID),
    ),
    "customers.migrations": (
        lambda: rm.customers.migrations(purchases(), **PAID, before="2024-02-15", after="2024-04-20"),
    ),
    "customers.onboarding": (
        lambda: rm.customers.onboarding(
            onboarded(), onboarded="helped", duration="days", churned="left", first_use="first", landmark=5
        ),
        lambda: rm.customers.onboarding(onboarded(), onboarded="helped", duration="days", churned="left", level=None),
    ),
    "customers.repeat_rate": (
        lambda: rm.customers.repeat_rate(purchases(), **BOUGHT),
        lambda: rm.customers.repeat_rate(purchases(), **BOUGHT, within_days=1000),
    ),
    "customers.retention_cost": (
        lambda: rm.customers.retention_cost(cost=5000, treated=1000, kept=900, control=1000, control_kept=850),
        lambda: rm.customers.retention_cost(cost=5000, treated=100, kept=90, control=100, control_kept=85),
        lambda: rm.customers.retention_cost(cost=5000, treated=100, kept=90, control=100, control_kept=95),
        lambda: rm.customers.retention_cost(cost=5000, treated=100, kept=90),
    ),
    "customers.segment_sizes": (
        lambda: rm.customers.segment_sizes(rm.customers.segments(purchases(), **PAID)),
        lambda: rm.customers.segment_sizes(rm.customers.segments(purchases(), **BOUGHT), level=None),
    ),
    "customers.spend_by_age": (lambda: rm.customers.spend_by_age(purchases(), **PAID, period="month"),),
    "customers.totals": (lambda: rm.clv.history(history(), unit="week").totals(),),
    "growth.plateau": (
        lambda: rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12),
        lambda: rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, monthly_churn=0.05),
    ),
    "nps.difference": (lambda: rm.nps.difference(score(), rm.nps.from_counts(detractors=9, passives=9, promoters=9)),),
    "nps.promoter_score": (
        score,
        functools.partial(score, level=None),
        functools.partial(score, method="wald"),
        functools.partial(score, method="bootstrap", rng=2005),
        lambda: rm.nps.from_counts(detractors=0, passives=0, promoters=10),
        lambda: rm.nps.score([10, 9, 3, 7], survey_weights=[1.0, 2.0, 0.5, 1.0]),
    ),
    "nps.sample_size": (lambda: rm.nps.sample_size(margin=5.0),),
    "proportion": (lambda: rm.churn.rate(start=100, lost=12), lambda: rm.churn.rate(start=0, lost=0)),
    "proportions.difference": (lambda: rm.difference(*two_rates()),),
    "proportions.ratio": (lambda: rm.ratio(*two_rates()), lambda: rm.ratio(two_rates()[0], none_left())),
    "retention.average": (lambda: cohorts().average(),),
    "retention.by_period": (
        lambda: rm.retention.by_period(
            activity(), customer="who", time="when", period="week", since="2024-01-01", as_of="2024-01-20"
        ),
        lambda: rm.retention.from_subscriptions(
            subscriptions(), customer="who", start="start", end="end", as_of="2024-03-31"
        ),
    ),
    "retention.cohorts": (
        cohorts,
        functools.partial(cohorts, since="2024-01-01"),
        functools.partial(cohorts, since="2024-01-01", kind="unbounded"),
        functools.partial(cohorts, since="2024-01-01", kind="cumulative"),
    ),
    "retention.day_n": (
        lambda: rm.retention.day_n(activity(), customer="who", time="when", since="2024-01-01", as_of="2024-01-20"),
    ),
    "retention.rate": (
        lambda: rm.retention.rate(start=100, end=90),
        lambda: rm.retention.rate(start=1000, end=1300, new=500),
        lambda: rm.retention.rate(start=0, end=0),
        lambda: rm.retention.rate(start=100, end=90, level=None),
    ),
    "revenue.budget_split": (lambda: rm.revenue.budget_split(100.0, {"win": (300.0, 100.0), "keep": (200.0, 50.0)}),),
    "revenue.by_cohort": (lambda: rm.revenue.by_cohort(priced(), **PRICED),),
    "revenue.concentration": (
        lambda: rm.revenue.concentration([100, 200, 50, 1000, 300], resamples=100, rng=2005),
        lambda: rm.revenue.concentration([5.0, 5.0], level=None),
    ),
    "revenue.movements": (
        lambda: rm.revenue.movements(priced(), **PRICED),
        lambda: rm.revenue.movements(priced().assign(side="<b>A"), **PRICED, by="side"),
        lambda: rm.revenue.movements_from_amounts(priced(), customer="who", time="start", amount="price"),
    ),
    "revenue.quick_ratio": (
        lambda: rm.revenue.quick_ratio(rm.revenue.movements(priced(), **PRICED)),
        lambda: rm.revenue.quick_ratio(rm.revenue.movements(priced()[1:2], **PRICED)),
    ),
    "revenue.retention": (
        lambda: rm.revenue.net_retention(accounts(), opening="before", closing="after"),
        lambda: rm.revenue.gross_retention(accounts(), opening="before", closing="after"),
        lambda: rm.revenue.net_retention(accounts(), opening="before", closing="after", method="bca", rng=2005),
        lambda: rm.revenue.gross_retention(accounts()[:1], opening="before", closing="after", level=None),
    ),
    "revenue.share": (lambda: rm.revenue.arpa(accounts(), amount="after"),),
    "revenue.spread": (
        lambda: rm.revenue.concentration([100, 200, 50], resamples=100, rng=2005).gini,
        lambda: rm.revenue.concentration([100, 200, 50], resamples=100, rng=2005).top_share(0.2),
        lambda: rm.revenue.concentration([100, 200, 50], resamples=100, rng=2005).share_needed(0.5),
        lambda: rm.revenue.concentration([100, 200, 50], resamples=100, rng=2005).effective_customers,
    ),
    "revenue.unit_economics": (
        lambda: rm.revenue.unit_economics(
            acquisition_cost=3000,
            new_customers=10,
            monthly_revenue=50,
            monthly_churn=rm.churn.rate(start=100, lost=4),
            retention_cost=500,
            retained_customers=90,
        ),
        lambda: rm.revenue.unit_economics(acquisition_cost=3000, new_customers=10, monthly_revenue=50, monthly_churn=0),
    ),
    "survival.constant_churn": (lambda: rm.survival.ConstantChurn(monthly_churn=0.05),),
    "survival.table": (lambda: rm.survival.assumption([1.0, 0.8, 0.7, 0.65], tail="constant_hazard"),),
}


def two_rates() -> tuple[object, object]:
    return rm.retention.rate(start=100, end=90), rm.retention.rate(start=120, end=90)


def none_left() -> object:
    return rm.retention.rate(start=50, end=0)


def named_examples() -> dict[str, Callable[[], object]]:
    """Every example by kind and number."""
    return {f"{kind}-{place}": make for kind, made in EXAMPLES.items() for place, make in enumerate(made)}


def field_names(example: object) -> list[str]:
    return [declared.name for declared in dataclasses.fields(example)]  # type: ignore[arg-type]
