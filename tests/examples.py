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


@functools.cache
def customers() -> pd.DataFrame:
    churned = [True] * 12 + [False] * 18 + [True] * 5 + [False] * 25
    return pd.DataFrame({"plan": ["<i>monthly</i>"] * 30 + ["yearly"] * 30, "spend": range(60), "churned": churned})


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


@functools.cache
def responses() -> pd.DataFrame:
    """Answers of two reps and two waves over 80 days, with who stayed; every fifth customer kept silent."""
    scores = [10, 9, 7, 3, None, 10, 8, 0, 9, None] * 8
    reps = ["<b>Ana</b>"] * 50 + ["Bo"] * 30
    days = pd.date_range("2024-01-01", periods=80)
    left = [0, 0, 1, 1, 0, 0, 0, 1, 0, 1] * 7 + [0, 1] * 5
    who = [*range(40)] * 2
    wave = [1] * 40 + [2] * 40
    return pd.DataFrame({"who": who, "wave": wave, "rep": reps, "score": scores, "day": days, "left": left})


def groups(**options: object) -> rm.nps.GroupScores:
    return rm.nps.by_group(responses(), rating="score", group="rep", **options)


@functools.cache
def clients() -> pd.DataFrame:
    """Sixty clients with indicators of every kind, some of them unknown, and how long they stayed."""
    liking = [5, 4, 2, 1, 3, None] * 10
    kept = [1, 1, 0, 1, 0, 1, 1, 0, 0, 1] * 6
    months = [24, 18, 3, 5, 9, 12, 20, 4, 6, 15] * 6
    size = ["<b>small</b>", "large", "medium"] * 20
    return pd.DataFrame({"liking": liking, "size": size, "kept": kept, "months": months, "stars": [5, 4, 3, 2] * 15})


def ranking(**options: object) -> rm.drivers.DriverRanking:
    return rm.drivers.rank(
        clients(), outcome="kept", indicators=["liking", "size", "stars"], rng=1, resamples=50, **options
    )


def placement() -> rm.benchmarks.Placement:
    return rm.benchmarks.get("nps.agency").classify(score())


def limit_of_fit(name: str) -> object:
    """A limiting model at ordinary parameters; its own tests fit it."""
    cls = getattr(limits, name)
    values = {"share": 0.3, "p": 0.3, "rate": 0.05}
    return cls(**{parameter: values.get(parameter, 2.0) for parameter in cls.parameters})


EXAMPLES: Mapping[str, tuple[Callable[[], object], ...]] = {
    "benchmarks.band_table": tuple(functools.partial(rm.benchmarks.get, name) for name in rm.benchmarks.available()),
    "benchmarks.claim": tuple(functools.partial(rm.benchmarks.claim, said.name) for said in rm.benchmarks.claims()),
    "benchmarks.claim_comparison": (
        lambda: rm.benchmarks.claim("recovery").compare(rm.retention.rate(start=50, end=46)),
        lambda: rm.benchmarks.claim("returning-revenue").compare(0.4),
    ),
    "benchmarks.placement": (placement, lambda: rm.benchmarks.get("churn.saas.2024").classify(0.1)),
    "drivers.cross": (
        lambda: rm.drivers.cross(clients(), outcome="kept", row="size", column="liking"),
        lambda: rm.drivers.cross(clients(), outcome="kept", row="size", column="liking", level=None),
    ),
    "drivers.rank": (
        lambda: ranking(effect="logistic"),
        lambda: ranking(level=None),
        lambda: rm.drivers.rank(
            clients(), duration="months", churned="kept", indicators=["size", "stars"], rng=1, effect="cox"
        ),
    ),
    "surveys.crosstab": (lambda: rm.surveys.crosstab(clients(), answer="stars", by="size"),),
    "surveys.item": (
        lambda: rm.surveys.csat(clients(), answer="stars"),
        lambda: rm.surveys.ces([7, 6, 5, None, 2], survey_weights=[1.0, 2.0, 1.0, 1.0, 0.5]),
        lambda: rm.surveys.likert([1, 2, 3], scale="1-3", level=None),
    ),
    "surveys.response_rate": (
        lambda: rm.surveys.response_rate(clients(), answered="kept", by="size"),
        lambda: rm.surveys.response_rate(clients(), answered="kept", tenure="months", level=None),
    ),
    "churn.by_group": (
        lambda: rm.churn.by_group(customers(), churned="churned", group="plan"),
        lambda: rm.churn.by_quantile(customers(), churned="churned", value="spend", quantiles=3),
        lambda: rm.churn.by_group(customers(), churned="churned", group="plan", level=None),
    ),
    "churn.converted_rate": (
        lambda: rm.churn.convert(0.05, per="month", to="year"),
        lambda: rm.churn.convert(rm.churn.rate(start=200, lost=10), per="month", to="year"),
    ),
    "churn.from_lifetime": (lambda: rm.churn.from_lifetime(12),),
    "churn.lifetime": (
        lambda: rm.churn.lifetime(0.05),
        lambda: rm.churn.lifetime(rm.churn.rate(start=200, lost=10)),
        lambda: rm.churn.lifetime(rm.churn.rate(start=200, lost=0)),
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
    "customers.totals": (lambda: rm.clv.history(history(), unit="week").totals(),),
    "growth.plateau": (
        lambda: rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12),
        lambda: rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, monthly_churn=0.05),
    ),
    "nps.by_group": (
        groups,
        functools.partial(groups, time="day", as_of="2024-03-31"),
        functools.partial(groups, level=None, method="wald", adjustment="bh"),
    ),
    "nps.change": (lambda: rm.nps.change(responses(), customer="who", rating="score", wave="wave"),),
    "nps.difference": (lambda: rm.nps.difference(score(), rm.nps.from_counts(detractors=9, passives=9, promoters=9)),),
    "nps.group_ranks": (lambda: groups().best(rng=7), lambda: groups(time="day").best(rng=7)),
    "nps.nonresponse": (
        lambda: rm.nps.nonresponse(score(), invited=90),
        lambda: rm.nps.nonresponse(score(level=None), invited=90),
    ),
    "nps.ordering": (
        lambda: rm.nps.ordering(responses(), rating="score", churned="left"),
        lambda: rm.nps.ordering(pd.DataFrame({"score": [9, 9, 3], "left": [0, 0, 1]}), rating="score", churned="left"),
    ),
    "nps.promoter_score": (
        score,
        functools.partial(score, level=None),
        functools.partial(score, method="wald"),
        functools.partial(score, method="bootstrap", rng=2005),
        lambda: rm.nps.from_counts(detractors=0, passives=0, promoters=10),
        lambda: rm.nps.score([10, 9, 3, 7], survey_weights=[1.0, 2.0, 0.5, 1.0]),
        lambda: rm.nps.score(
            responses(), rating="score", cluster="who", strata="rep", shares={"<b>Ana</b>": 1, "Bo": 1}
        ),
        lambda: rm.nps.score(responses(), rating="score", respondent="who", answers="mean"),
    ),
    "nps.response_rates": (
        lambda: rm.nps.response_rates(responses(), rating="score", segment="rep"),
        lambda: rm.nps.response_rates(responses(), rating="score", segment="rep", tenure="who", edges=(20,)),
    ),
    "nps.sample_size": (
        lambda: rm.nps.sample_size(margin=5.0),
        lambda: rm.nps.sample_size(difference=10.0, population=5_000, response_rate=0.3),
    ),
    "nps.staying": (
        lambda: rm.nps.retention(responses(), rating="score", churned="left"),
        lambda: rm.nps.recovery(responses(), handling="rep", churned="left", reference="Bo", level=None),
    ),
    "nps.trend": (
        lambda: rm.nps.trend(responses(), rating="score", time="day"),
        lambda: rm.nps.trend(responses(), rating="score", time="day", period="week", level=None),
    ),
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
