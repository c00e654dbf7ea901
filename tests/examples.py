"""One small example of every kind of result and model: what the contract tests run over.

A kind that is added to the library's register and not here fails tests/test_contract.py.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import pandas as pd

import retention_metrics as rm
from retention_metrics.clv import (
    bg_cnbd,
    churn_onsets,
    contract_limits,
    early_limits,
    lifetime_limits,
    limits,
    onset_limits,
    opportunity_limits,
    spend_limits,
)

LIMIT_MODULES = (limits, early_limits, lifetime_limits, onset_limits)
DAYS = {"A": [1, 2, 3, 5, 7, 9], "B": [1, 4, 10], "C": [1, 2], "D": [3], "E": []}


@functools.cache
def activity() -> pd.DataFrame:
    """Five customers who start on the same day; some names need escaping."""
    start = pd.Timestamp("2024-01-01")
    rows = [(f"<b>{who}</b>", start + pd.Timedelta(days=day)) for who, days in DAYS.items() for day in [0, *days]]
    return pd.DataFrame(rows, columns=["who", "when"])


@functools.cache
def split_history() -> object:
    """The same five customers, with what they did in the last days held out."""
    days = {"calibration_end": "2024-01-06", "as_of": "2024-01-18"}
    return rm.clv.rfm_summary(activity(), customer="who", time="when", unit="week", **days)


@functools.cache
def subscriptions() -> pd.DataFrame:
    starts = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-15", "2024-02-03"])
    ends = pd.to_datetime(["2024-02-10", None, "2024-03-01", "2024-02-20"])
    return pd.DataFrame({"who": list("abcd"), "start": starts, "end": ends})


MESSAGES = {"customer": "who", "time": "day", "trigger": "why", "as_of": "2024-03-31"}


@functools.cache
def messages() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Messages to twelve customers, a third of whom got none, and what some of them bought."""
    why = ["birthday", "cart", "<b>none"] * 4
    sent = pd.DataFrame({"who": range(12), "day": "2024-03-01", "why": why, "region": ["<i>north", "south"] * 6})
    return sent, pd.DataFrame({"who": [0, 1, 3, 4, 5, 9], "day": "2024-03-03"})


CHURN = {"customer": "who", "start": "start", "end": "end", "as_of": "2024-03-31"}
PRICED = {"customer": "who", "start": "start", "end": "end", "amount": "price", "as_of": "2024-03-31"}
RATES = {"EUR": {"2023-01-01": 1.1, "2024-02-01": 1.2}}


@functools.cache
def priced() -> pd.DataFrame:
    return subscriptions().assign(price=[100.0, 50.0, 20.0, 70.0])


@functools.cache
def accounts() -> pd.DataFrame:
    return pd.DataFrame(
        {"before": [100, 200, 50, 1000, 300, 80, 120, 400], "after": [100, 150, 0, 1100, 300, 120, 0, 400]}
    )


def loyal_accounts() -> pd.DataFrame:
    return accounts().assign(loyal=[False, True] * 4)


@functools.cache
def customers() -> pd.DataFrame:
    churned = [True] * 12 + [False] * 18 + [True] * 5 + [False] * 25
    return pd.DataFrame({"plan": ["<i>monthly</i>"] * 30 + ["yearly"] * 30, "spend": range(60), "churned": churned})


def retention_curve(*, by: str | None = "plan", **options: object) -> rm.survival.SurvivalCurve:
    """Sixty customers, half of them still there when last seen."""
    months = [1 + (7 * k) % 29 for k in range(60)]
    left = [(5 * k) % 7 < (5 if k < 30 else 3) for k in range(60)]
    frame = customers()[["plan"]].assign(months=months, left=left, seen_from=[k % 2 / 2 for k in range(60)])
    return rm.survival.kaplan_meier(frame, duration="months", churned="left", by=by, **options)


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
def fit_of_nbd() -> object:
    return limits.NBD.fit(rm.clv.history(history(), unit="week"))


@functools.cache
def fit_of_spend() -> object:
    return rm.clv.GammaGamma.fit(rm.clv.history(history(), unit="week"))


@functools.cache
def fit_of_renewals() -> object:
    return rm.clv.ShiftedBetaGeometric.fit_survivors([1000, 869, 743, 653, 593, 551, 517, 491])


@functools.cache
def fit_with_covariates() -> object:
    """A fit in which one of three plans makes customers buy more often."""
    frame = history()
    plan = pd.Series(["<u>basic</u>", "pro", "team"] * len(frame)).head(len(frame))
    return rm.clv.BGNBD.fit(frame.assign(plan=plan), purchase_covariates=["plan"], penalty=1.0)


def terms() -> list[rm.contracts.Term]:
    monthly = rm.contracts.Term(name="<u>monthly</u>", months=1, fee_rate=0.10, monthly_churn=0.10)
    return [monthly, rm.contracts.Term(name="yearly", months=12, fee_rate=0.06, monthly_churn=0.05)]


def comparison() -> rm.contracts.TermComparison:
    return rm.contracts.compare(terms(), monthly_spend=50_000, horizon_months=24)


def term_estimates(**options: object) -> rm.contracts.TermEstimates:
    lengths = {"<i>monthly</i>": 1, "yearly": 12}
    clients = customers().assign(size=["small", "large"] * 30)
    return rm.contracts.estimate(clients, term="plan", duration="spend", churned="churned", months=lengths, **options)


def least_spend(**options: object) -> rm.contracts.MinimumSpend:
    costs = {"acquisition_cost": 2_000, "monthly_service_cost": 100}
    return rm.contracts.minimum_spend(fee_rate=0.10, horizon_months=24, **costs, **options)


def offer(**options: object) -> rm.contracts.RetentionOffer:
    return rm.contracts.save_offer(monthly_fee=100, monthly_churn=0.1, free_months=2, horizon_months=24, **options)


def bonus(**options: object) -> rm.contracts.LongevityBonus:
    given = {"every_months": 6, "amount": 100, "increase": 20, "monthly_churn": 1 / 12}
    return rm.contracts.longevity_bonus(**{**given, **options})


def club(**options: object) -> rm.contracts.LoyaltyProgramme:
    given = {"order_value": 50, "margin": 0.4, "earn_rate": 0.05, "redemption_rate": 0.8, "points_issued": 500}
    return rm.contracts.loyalty_programme(**{**given, **options})


def expectation_gap(**options: object) -> rm.growth.ExpectationGaps:
    clients = customers().assign(promised=30)
    return rm.growth.expectation_gap(clients, promised="promised", delivered="spend", churned="churned", **options)


def hire(**options: object) -> rm.growth.Hire:
    return rm.growth.hire(monthly_cost=8_000, monthly_fee=10_000, new_clients_per_month=1 / 6, **options)


def rep_ranking(*, clients: pd.DataFrame | None = None, **options: object) -> rm.growth.RepRanking:
    given = customers() if clients is None else clients
    return rm.growth.reps(given, rep="plan", duration="spend", churned="churned", monthly_fee=500, **options)


def upmarket(*, lifetime_months: object) -> rm.growth.Upmarket:
    now = {"new_clients_per_month": 10, "monthly_fee": 500, "lifetime_months": lifetime_months}
    return rm.growth.upmarket(**now, larger_fee=1_000, longer_lifetime=16)


def uncertain_comparison() -> rm.contracts.TermComparison:
    """Churns from counts, from an interval and from a curve; a bond that can be broken, and tiers of fees."""
    tiers = rm.contracts.FeeTiers([(0, 0.10), (20_000, 0.05)], minimum=900)
    curve = rm.survival.kaplan_meier([2, 5, 9, 14, 20, 26, 31, 31], [True, True, False, True, True, False, True, False])
    offered = [
        rm.contracts.Term("counted", 1, fee=tiers, monthly_churn=rm.churn.rate(start=90, lost=7), acceptance=0.4),
        rm.contracts.Term(
            "rate",
            6,
            fee_rate=0.08,
            monthly_churn=rm.churn.convert(rm.churn.rate(start=200, lost=60), per="year", to="month"),
            leaves="any_month",
            early_termination_fee=500,
            payment="arrears",
        ),
        rm.contracts.Term("<u>curve</u>", 12, fee_rate=0.06, survival=curve, setup_fee=100, acquisition_cost=4_000),
    ]
    return rm.contracts.compare(offered, monthly_spend=40_000, horizon_months=24, draws=500, rng=2019)


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


def followed() -> pd.DataFrame:
    """The same customers with the months for which each was watched after answering."""
    return responses()[["score", "left"]].assign(months=[1 + (7 * k) % 29 for k in range(80)])


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
    cls = next(getattr(module, name) for module in LIMIT_MODULES if name in module.__all__)
    values = {"share": 0.3, "p": 0.3, "rate": 0.05}
    names = [declared.name for declared in dataclasses.fields(cls) if declared.name != "unit"]
    return cls(**{name: values.get(name, 2.0) for name in names})


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
        lambda: rm.churn.reasons(
            subscriptions().assign(why="x", side=["<b>", "B"] * 2), **CHURN, reason="why", by="side"
        ),
        lambda: rm.churn.reasons(priced().assign(why="x"), **CHURN, reason="why", revenue="price", level=None),
    ),
    "churn.reconciliation": (
        lambda: rm.churn.reconcile(subscriptions(), **CHURN, window=("2024-02-01", "2024-03-01")),
        lambda: rm.churn.reconcile(subscriptions(), **CHURN, window=("2024-02-01", "2024-03-01"), level=None),
        lambda: rm.churn.reconcile(
            subscriptions().assign(side="<b>A"), **CHURN, window=("2024-02-01", "2024-03-01"), by="side"
        ),
    ),
    "churn.trend": (lambda: rm.churn.by_quantile(customers(), churned="churned", value="spend", quantiles=3).trend,),
    "clv.alive_path": (
        lambda: rm.clv.alive_path(fit_of_purchases(), activity(), customer="who", time="when", who="<b>A</b>"),
    ),
    "clv.bernoulli": (lambda: opportunity_limits.Bernoulli(p=0.4),),
    "clv.beta_bernoulli": (lambda: opportunity_limits.BetaBernoulli(alpha=1.2, beta=0.8),),
    "clv.beta_discrete_weibull": (lambda: rm.clv.BetaDiscreteWeibull(alpha=0.214, beta=1.427, c=1.724),),
    "clv.bg_bb": (lambda: rm.clv.BGBB(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783, unit="year"),),
    "clv.bg_bernoulli": (lambda: opportunity_limits.BGBernoulli(p=0.5, gamma=0.5, delta=2.0),),
    "clv.bg_certain": (lambda: opportunity_limits.BGCertain(gamma=0.5, delta=2.0),),
    "clv.bg_two_kinds": (lambda: opportunity_limits.BGTwoKinds(buyers=0.5, gamma=0.5, delta=2.0),),
    "clv.bg_cnbd": (lambda: rm.clv.BGCNBD(k=3, r=0.9, alpha=2.5, a=0.8, b=2.4, unit="week"),),
    "clv.bg_nbd": (
        lambda: rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426),
        lambda: rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week"),
    ),
    "clv.comparison": (lambda: rm.clv.compare([fit_of_purchases(), fit_of_nbd()]),),
    **{
        limit_of_fit(name).kind: (functools.partial(limit_of_fit, name),)
        for module in LIMIT_MODULES
        for name in module.__all__
        if not name.endswith("LIMITS")
    },
    "clv.cross_check": (lambda: fit_of_spend().cross_check(), lambda: fit_of_purchases().cross_check()),
    "clv.cnbd": (lambda: bg_cnbd.CNBD(k=2, r=0.9, alpha=2.5),),
    "clv.discrete_weibull": (lambda: contract_limits.DiscreteWeibull(p=0.2, c=1.5),),
    "clv.fit": (fit_of_purchases, fit_of_spend, fit_of_renewals),
    "clv.frequency_fit": (lambda: rm.clv.frequency_fit(fit_of_purchases()),),
    "clv.geometric_bb": (lambda: opportunity_limits.GeometricBB(alpha=1.2, beta=0.8, dropout=0.1),),
    "clv.geometric_bernoulli": (lambda: opportunity_limits.GeometricBernoulli(p=0.5, dropout=0.2),),
    "clv.geometric_certain": (lambda: opportunity_limits.GeometricCertain(dropout=0.2),),
    "clv.geometric_two_kinds": (lambda: opportunity_limits.GeometricTwoKinds(buyers=0.5, dropout=0.2),),
    "clv.two_kinds": (lambda: opportunity_limits.TwoKinds(buyers=0.3),),
    "clv.two_type_bb": (lambda: opportunity_limits.TwoTypeBB(alpha=1.2, beta=0.8, share=0.1),),
    "clv.two_type_bernoulli": (lambda: opportunity_limits.TwoTypeBernoulli(p=0.5, share=0.2),),
    "clv.geometric_cnbd": (lambda: bg_cnbd.GeometricCNBD(k=2, r=0.9, alpha=2.5, p=0.2),),
    "clv.bg_condensed_poisson": (lambda: bg_cnbd.BGCondensedPoisson(k=2, rate=0.4, a=0.8, b=2.4),),
    "clv.condensed_poisson": (lambda: bg_cnbd.CondensedPoisson(k=2, rate=0.4),),
    "clv.geometric_condensed_poisson": (lambda: bg_cnbd.GeometricCondensedPoisson(k=2, rate=0.4, p=0.2),),
    "clv.one_repeat_condensed_poisson": (lambda: bg_cnbd.OneRepeatCondensedPoisson(k=2, rate=0.4),),
    "clv.two_type_condensed_poisson": (lambda: bg_cnbd.TwoTypeCondensedPoisson(k=2, rate=0.4, share=0.2),),
    "clv.one_repeat_cnbd": (lambda: bg_cnbd.OneRepeatCNBD(k=2, r=0.9, alpha=2.5),),
    "clv.two_type_cnbd": (lambda: bg_cnbd.TwoTypeCNBD(k=2, r=0.9, alpha=2.5, share=0.2),),
    "clv.geometric_churn": (lambda: contract_limits.GeometricChurn(p=0.2),),
    "clv.delayed_pareto_churn": (lambda: churn_onsets.DelayedParetoChurn(kappa=0.7, first=3),),
    "clv.pareto_churn": (lambda: churn_onsets.ParetoChurn(share=0.25, kappa=0.7, first=1),),
    "clv.sudden_churn": (lambda: churn_onsets.SuddenChurn(share=0.25, first=3),),
    "clv.gamma_gamma": (lambda: rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44),),
    "clv.gamma_spend": (lambda: spend_limits.GammaSpend(p=6.25, mu=35.0),),
    "clv.inverse_gamma_spend": (lambda: spend_limits.InverseGammaSpend(q=3.0, s=70.0),),
    "clv.holdout": (
        lambda: rm.clv.holdout([fit_of_purchases(), fit_of_nbd()], split_history()),
        lambda: rm.clv.holdout(
            fit_of_purchases(), split_history(), transactions=activity(), customer="who", time="when"
        ),
    ),
    "clv.likelihood_ratio": (lambda: rm.clv.likelihood_ratio(fit_of_nbd(), fit_of_purchases()),),
    "clv.ggompertz_nbd": (lambda: rm.clv.GGompertzNBD(r=0.55, alpha=10.6, b=0.02, s=0.6, beta=0.25, unit="week"),),
    "clv.mbg_nbd": (lambda: rm.clv.MBGNBD(r=0.525, alpha=6.183, a=0.891, b=1.614, unit="week"),),
    "clv.new_customer_value": (
        lambda: rm.clv.new_customer_value(fit_of_purchases(), fit_of_spend(), horizon=52.0, discount_rate=0.002),
        lambda: rm.clv.new_customer_value(fit_of_purchases().model, fit_of_spend().model, horizon=52.0, margin=0.3),
    ),
    "clv.posterior": (lambda: fit_of_purchases().posterior(draws=200, rng=2005),),
    "clv.ranking": (lambda: rm.clv.rank([fit_of_purchases(), fit_of_nbd()], split_history()),),
    "clv.shifted_beta_geometric": (lambda: rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806),),
    "clv.spend_frequency_correlation": (lambda: rm.clv.spend_frequency_correlation(history()),),
    "clv.total_value": (
        lambda: rm.clv.total_value(
            fit_of_purchases(), fit_of_spend(), rm.clv.history(history(), unit="week"), horizon=52.0
        ),
    ),
    "clv.two_type_churn": (lambda: contract_limits.TwoTypeChurn(share=0.25),),
    "clv.nobody_leaves": (opportunity_limits.NobodyLeaves,),
    "clv.pareto_nbd": (lambda: rm.clv.ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669, unit="week"),),
    "clv.coefficients": (lambda: rm.clv.coefficients(fit_with_covariates()),),
    "clv.regression": (lambda: fit_with_covariates().model,),
    "clv.simple_value": (lambda: rm.clv.simple_value(margin=100.0, retention_rate=0.8, discount_rate=0.1),),
    "clv.tracking": (
        lambda: rm.clv.tracking([fit_of_purchases(), fit_of_nbd()], activity(), customer="who", time="when"),
    ),
    "contracts.bonus_payouts": (
        lambda: bonus().payouts(customers(), rep="plan", duration="spend"),
        lambda: bonus().payouts(
            customers(), rep="plan", duration="spend", monthly_salary={"<i>monthly</i>": 10}, cap_share=0.2
        ),
    ),
    "contracts.break_even": (
        lambda: comparison().break_even_acceptance("yearly", "<u>monthly</u>"),
        lambda: comparison().break_even_spend("yearly", "<u>monthly</u>"),
        lambda: uncertain_comparison().break_even_spend("counted", "rate"),
        lambda: uncertain_comparison().break_even_discount_rate("counted", "rate"),
    ),
    "contracts.break_even_churn_ratio": (
        lambda: comparison().break_even_churn_ratio("yearly", "<u>monthly</u>"),
        lambda: comparison().break_even_churn_ratio("<u>monthly</u>", "yearly"),
    ),
    "contracts.break_even_fee": (lambda: comparison().break_even_fee("yearly", "<u>monthly</u>"),),
    "contracts.capped_bonus": (
        lambda: bonus().capped(signed=2, months=14, monthly_salary=1_000),
        lambda: rm.contracts.longevity_bonus(milestones={3: 90}, monthly_churn=rm.churn.rate(start=60, lost=5)).capped(
            signed=[3, 1], months=8, monthly_salary=1_000
        ),
    ),
    "contracts.cash_flow": (
        lambda: comparison().cash_flow("yearly"),
        lambda: uncertain_comparison().cash_flow("rate", draws=200, rng=2019),
    ),
    "contracts.churn_rate_ratio": (
        lambda: term_estimates(by="size").ratio("<i>monthly</i>", "yearly"),
        lambda: term_estimates().ratio("<i>monthly</i>", "yearly"),
    ),
    "contracts.compare": (comparison, uncertain_comparison),
    "contracts.dropped_term": (
        lambda: comparison().drop("<u>monthly</u>"),
        lambda: uncertain_comparison().drop("counted", draws=200, rng=2019),
    ),
    "contracts.estimate": (term_estimates, lambda: term_estimates(by="size"), lambda: term_estimates(level=None)),
    "contracts.fee_flat": (lambda: rm.contracts.FeeFlat(1_500),),
    "contracts.fee_share": (lambda: rm.contracts.FeeShare(0.10, minimum=500, unit=0.01),),
    "contracts.fee_tiers": (lambda: rm.contracts.FeeTiers([(0, 0.10), (20_000, 0.08)], basis="whole"),),
    "contracts.longevity_bonus": (
        bonus,
        lambda: bonus(horizon_months=24),
        lambda: bonus(survival=[1, 0.9, 0.7], tail="constant_hazard", monthly_churn=None),
        lambda: rm.contracts.longevity_bonus(
            milestones={6: 100, 12: 250}, monthly_churn=rm.churn.rate(start=200, lost=20)
        ),
    ),
    "contracts.loyalty_programme": (
        lambda: club(repeat_rate=0.6),
        lambda: club(repeat_rate=rm.retention.rate(start=50, end=30), member_repeat_rate=0.7, rng=2019),
        lambda: club(repeat_rate=0.6, margin=0.01),
    ),
    "contracts.minimum_spend": (
        lambda: least_spend(monthly_churn=0.10),
        lambda: least_spend(monthly_churn=rm.churn.rate(start=200, lost=20)),
        lambda: least_spend(survival=retention_curve(by=None), rng=2019),
    ),
    "contracts.monthly_churn": (
        lambda: term_estimates().churn("<i>monthly</i>"),
        lambda: term_estimates(by="size").churn("yearly", group="small"),
    ),
    "contracts.portfolio": (
        lambda: comparison().portfolio(shares={"<u>monthly</u>": 0.5, "yearly": 0.2}),
        lambda: uncertain_comparison().portfolio(shares={"counted": 0.5, "rate": 0.2}, draws=200, rng=2019),
    ),
    "contracts.probability_better": (
        lambda: comparison().probability_better("yearly", "<u>monthly</u>"),
        lambda: uncertain_comparison().probability_better("counted", "rate", of="single_client", rng=2019),
    ),
    "contracts.qualify": (
        lambda: (
            rm.contracts.qualify(
                customers(), spend="spend", minimum_spend=20, criteria={"plan": ("==", "<i>monthly</i>")}
            ).counts
        ),
    ),
    "contracts.retention_offer": (
        lambda: offer(acceptance=0.3),
        lambda: offer(acceptance=rm.retention.rate(start=40, end=12), churn_risk=0.5, rng=2019),
        lambda: offer(acceptance=0.3, contact_cost=5_000),
    ),
    "contracts.sensitivity": (
        lambda: comparison().sensitivity("yearly"),
        lambda: uncertain_comparison().sensitivity("counted", against="rate", inputs={"monthly_spend": (1e3, 9e4)}),
    ),
    "contracts.sensitivity_grid": (
        lambda: comparison().sensitivity_grid(
            "yearly",
            against="<u>monthly</u>",
            x=("monthly_churn", [0.02, 0.10, 0.20]),
            y=("fee_rate", [0.02, 0.06, 0.12]),
        ),
    ),
    "contracts.term": (
        lambda: terms()[0],
        lambda: terms()[1],
        lambda: uncertain_comparison().terms[0],
        lambda: uncertain_comparison().terms[2],
    ),
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
        lambda: rm.customers.demand(
            fit_of_purchases().model, history().assign(side="<b>A"), by="side", length=5, draws=100, rng=1
        ),
    ),
    "customers.mean": (
        lambda: rm.customers.purchase_frequency(purchases(), **BOUGHT),
        lambda: rm.customers.average_order_value(purchases(), **PAID),
        lambda: rm.customers.average_order_value(purchases()[:1], **PAID),
    ),
    "customers.message_response": (
        lambda: rm.customers.message_response(*messages(), **MESSAGES),
        lambda: rm.customers.message_response(*messages(), **MESSAGES, by="region", control="<b>none", level=None),
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
    "growth.expectation_gap": (
        lambda: expectation_gap(),
        lambda: expectation_gap(rep="plan", tolerance=5),
        lambda: expectation_gap(edges=[-10, 100], level=None),
    ),
    "growth.hire": (
        lambda: hire(lifetime_months=12),
        lambda: hire(monthly_churn=rm.churn.rate(start=240, lost=20), rng=2019),
        lambda: hire(lifetime_months=12, margin=0.2, commission_rate=0.3),
    ),
    "growth.levers": (
        lambda: rm.growth.plateau(new_clients_per_month=2, monthly_fee=500, monthly_churn=0.05).levers(),
        lambda: rm.growth.plateau(new_clients_per_month=2, monthly_fee=500, survival=[1, 0.5, 0]).levers(),
    ),
    "growth.plateau": (
        lambda: rm.growth.plateau(
            new_clients_per_month=2, monthly_fee=500, monthly_churn=rm.churn.rate(start=240, lost=20)
        ),
        lambda: rm.growth.plateau(
            new_clients_per_month=2,
            monthly_fee=500,
            monthly_churn=0.1,
            start_clients=30,
            seasonality=[1, 1, 2, 2, 1, 1, 0, 0, 1, 1, 1, 1],
        ),
        lambda: rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12),
        lambda: rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, monthly_churn=0.05),
    ),
    "nps.by_group": (
        groups,
        functools.partial(groups, time="day", as_of="2024-03-31"),
        functools.partial(groups, level=None, method="wald", adjustment="bh"),
    ),
    "nps.change": (lambda: rm.nps.change(responses(), customer="who", rating="score", wave="wave"),),
    "growth.reps": (
        lambda: rep_ranking(),
        lambda: rep_ranking(level=None),
        lambda: rep_ranking(clients=customers()[:30]),
    ),
    "growth.upmarket": (
        lambda: upmarket(lifetime_months=8),
        lambda: upmarket(lifetime_months=rm.churn.lifetime(rm.churn.rate(start=200, lost=20))),
    ),
    "nps.closed_loop": (
        lambda: rm.nps.closed_loop(
            responses().assign(next=lambda rows: rows["score"].clip(lower=5), called=lambda rows: rows["who"] % 2),
            rating="score",
            followed_up="called",
            next_rating="next",
            churned="left",
        ),
        lambda: rm.nps.closed_loop(
            responses().assign(called=lambda rows: rows["who"] % 2),
            rating="score",
            followed_up="called",
            churned="left",
            level=None,
        ),
    ),
    "nps.concordance": (
        lambda: rm.nps.concordance(followed(), rating="score", duration="months", churned="left"),
        lambda: rm.nps.concordance(
            followed().assign(months=9, left=1), rating="score", duration="months", churned="left"
        ),
    ),
    "nps.difference": (lambda: rm.nps.difference(score(), rm.nps.from_counts(detractors=9, passives=9, promoters=9)),),
    "nps.group_ranks": (lambda: groups().best(rng=7), lambda: groups(time="day").best(rng=7)),
    "nps.hazard_ratio": (
        lambda: rm.nps.hazard_ratio(followed(), rating="score", duration="months", churned="left"),
        lambda: rm.nps.hazard_ratio(followed().head(3), rating="score", duration="months", churned="left", level=None),
        lambda: rm.nps.hazard_ratio(followed().assign(score=9), rating="score", duration="months", churned="left"),
    ),
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
    "survival.curve": (
        retention_curve,
        lambda: retention_curve(by=None),
        lambda: retention_curve(by=None, level=None),
        lambda: retention_curve(by=None, method="greenwood", entry="seen_from"),
    ),
    "survival.hazard": (lambda: retention_curve().hazard, lambda: retention_curve(by=None, level=None).hazard),
    "survival.log_rank": (lambda: retention_curve().log_rank(),),
    "survival.quantile": (
        lambda: retention_curve(by=None).median,
        lambda: retention_curve(by=None).quantile(0.9),
    ),
    "survival.restricted_mean": (lambda: retention_curve(by=None).mean(24),),
    "survival.restricted_mean_difference": (
        lambda: retention_curve().difference("yearly", "<i>monthly</i>", horizon=20.5),
    ),
    "survival.share": (lambda: retention_curve(by=None).at(12), lambda: retention_curve(by=None).at(0.5)),
    "revenue.budget_split": (lambda: rm.revenue.budget_split(100.0, {"win": (300.0, 100.0), "keep": (200.0, 50.0)}),),
    "revenue.by_cohort": (
        lambda: rm.revenue.by_cohort(priced(), **PRICED),
        lambda: rm.revenue.by_cohort(priced(), **PRICED, level=None),
    ),
    "revenue.concentration": (
        lambda: rm.revenue.concentration([100, 200, 50, 1000, 300], resamples=100, rng=2005),
        lambda: rm.revenue.concentration([5.0, 5.0], level=None),
    ),
    "revenue.cost_ratio": (
        lambda: (
            rm.revenue.unit_economics(
                acquisition_cost=3000,
                new_customers=10,
                monthly_revenue=50,
                monthly_churn=0.04,
                retention_cost=500,
                retained_customers=90,
            ).cost_ratio
        ),
        lambda: (
            rm.revenue.unit_economics(
                acquisition_cost=3000, new_customers=10, monthly_revenue=50, monthly_churn=0.04
            ).cost_ratio
        ),
    ),
    "revenue.logo_retention": (lambda: rm.revenue.logo_retention(accounts(), opening="before", closing="after"),),
    "revenue.expansion": (
        lambda: rm.revenue.expansion(priced().assign(what="mail"), **PRICED, product="what"),
        lambda: rm.revenue.expansion(
            priced().assign(who="a", what=["mail", "shop", "mail", "mail"]), **PRICED, product="what"
        ),
    ),
    "revenue.loyal_core": (
        lambda: rm.revenue.loyal_core(loyal_accounts(), amount="before", loyal="loyal"),
        lambda: rm.revenue.loyal_core(loyal_accounts(), amount="before", loyal="loyal", level=None),
    ),
    "revenue.retention_curve": (
        lambda: rm.revenue.by_cohort(priced(), **PRICED).average(),
        lambda: rm.revenue.by_cohort(priced(), **PRICED, level=None).average(),
    ),
    "revenue.spend_ratio": (
        lambda: rm.revenue.loyal_core(loyal_accounts(), amount="before", loyal="loyal").spend_ratio,
        lambda: rm.revenue.loyal_core(loyal_accounts()[:1], amount="before", loyal="loyal").spend_ratio,
    ),
    "revenue.movements": (
        lambda: rm.revenue.movements(priced(), **PRICED),
        lambda: rm.revenue.movements(priced().assign(side="<b>A"), **PRICED, by="side"),
        lambda: rm.revenue.movements(priced().assign(cur="EUR"), **PRICED, currency="cur", rates=RATES),
        lambda: rm.revenue.movements_from_amounts(priced(), customer="who", time="start", amount="price"),
    ),
    "revenue.payback": (
        lambda: (
            rm.revenue.unit_economics(
                acquisition_cost=3000,
                new_customers=10,
                monthly_revenue=rm.revenue.arpa(accounts(), amount="after"),
                monthly_churn=0.04,
            ).payback
        ),
        lambda: (
            rm.revenue.unit_economics(
                acquisition_cost=3000, new_customers=10, monthly_revenue=0.0, monthly_churn=0.04
            ).payback
        ),
    ),
    "revenue.quick_ratio": (
        lambda: rm.revenue.quick_ratio(rm.revenue.movements(priced(), **PRICED)),
        lambda: rm.revenue.quick_ratio(rm.revenue.movements(priced()[1:2], **PRICED)),
        lambda: rm.revenue.quick_ratio(priced(), **PRICED),
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
        lambda: rm.revenue.unit_economics(
            acquisition_cost=3000,
            new_customers=10,
            monthly_revenue=50,
            monthly_churn=0.04,
            retention_cost=rm.customers.retention_cost(cost=500, treated=90, kept=80, control=90, control_kept=79),
        ),
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
