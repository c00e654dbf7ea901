"""Bands: every value has exactly one, with its source, and a result touches all that its interval does."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import pickle
import tomllib
from importlib import resources

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from retention_metrics import locales
from retention_metrics.errors import BenchmarkUnavailableError, InputError

approx = pytest.approx
LOCALES = ("en", "ar", "fa", "zh-Hant")
NUMBERS_ALONE = {"dau_mau", "new_cac_ratio"}

EDGES = {
    "nps.agency": [
        (-100, "bad"), (-5, "bad"), (0, "bad"), (math.ulp(0.0), "needs_improvement"), (0.1, "needs_improvement"),
        (19.9, "needs_improvement"), (math.nextafter(20, 0), "needs_improvement"), (20, "good"), (29.9, "good"),
        (30, "unicorn"), (80, "unicorn"), (100, "unicorn"),
    ],
    "client_lifetime.agency": [
        (0, "poor"), (5.9, "poor"), (6, "fair"), (11.9, "fair"), (12, "good"), (17.9, "good"), (18, "excellent"),
        (40, "excellent"), (1e9, "excellent"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
def test_every_edge_belongs_to_its_published_band(name):
    table = rm.benchmarks.get(name)
    for value, band in EDGES[name]:
        placed = table.classify(value)
        assert (placed.band, placed.bands, placed.estimate) == (band, (band,), value)


@pytest.mark.parametrize("name", rm.benchmarks.available())
@given(data=st.data())
def test_a_higher_value_never_falls_into_a_lower_band(name, data):
    table = rm.benchmarks.get(name)
    values = st.floats(table.low, min(table.high, 1e12))
    low, high = sorted((data.draw(values), data.draw(values)))
    assert table.bands.index(table.classify(low).band) <= table.bands.index(table.classify(high).band)


@pytest.mark.parametrize("name", rm.benchmarks.available())
def test_every_table_names_its_source(name):
    table = rm.benchmarks.get(name)
    assert table.name == name
    assert table.source.publisher
    assert table.source.title
    assert table.source.url.startswith("https://")
    assert 1990 < table.source.year < 2100
    assert table.source.population
    assert any("not a survey" in note for note in table.notes) == (table.source.tier == "opinion")


def test_available_tables_can_be_had_and_others_name_the_nearest():
    assert set(rm.benchmarks.available()) >= {"nps.agency", "client_lifetime.agency"}
    with pytest.raises(BenchmarkUnavailableError, match=r"Did you mean 'nps\.agency'"):
        rm.benchmarks.get("nps.agencies")
    with pytest.raises(LookupError):
        rm.benchmarks.get("")


# ---------------------------------------------------------------- results


def test_a_score_touches_every_band_that_its_interval_does():
    placed = rm.benchmarks.get("nps.agency").classify(rm.nps.from_counts(promoters=18, passives=11, detractors=2))
    assert (placed.band, placed.bands) == ("unicorn", ("good", "unicorn"))
    assert placed.interval.low < 30
    assert any("touches 2 bands" in note for note in placed.notes)


def test_a_score_without_an_interval_has_one_band():
    score = rm.nps.from_counts(promoters=18, passives=11, detractors=2, level=None)
    assert rm.benchmarks.get("nps.agency").classify(score).bands == ("unicorn",)


def test_a_small_sample_touches_all_bands():
    placed = rm.benchmarks.get("nps.agency").classify(rm.nps.score([10, 9, 3, 2, 7]))
    assert placed.bands == ("bad", "needs_improvement", "good", "unicorn")


def test_a_lifetime_with_an_unbounded_interval_touches_the_best_band():
    months = rm.churn.lifetime(rm.churn.rate(start=400, lost=60, level=0.5))
    placed = rm.benchmarks.get("client_lifetime.agency").classify(months)
    assert (placed.band, placed.bands) == ("fair", ("fair",))
    unbounded = rm.from_dict({**months.to_dict(), "interval": {**months.interval.to_dict(), "high": None}})
    assert rm.benchmarks.get("client_lifetime.agency").classify(unbounded).bands == ("fair", "good", "excellent")


def test_a_computed_value_within_rounding_of_an_edge_is_the_edge():
    table = rm.benchmarks.get("client_lifetime.agency")
    for months in (6, 12, 18):
        exact = rm.churn.lifetime(1 / months)
        for nearby in (math.nextafter(months, 0), months, math.nextafter(months, 99)):
            computed = rm.from_dict({**exact.to_dict(), "estimate": nearby})
            assert table.classify(computed).band == table.classify(months).band


@pytest.mark.parametrize(
    ("table", "result", "word"),
    [
        ("nps.agency", rm.churn.rate(start=10, lost=2), "churn.rate"),
        ("nps.agency", rm.churn.lifetime(0.1), "churn.lifetime"),
        ("client_lifetime.agency", rm.nps.score([9, 10]), "nps.score"),
        ("client_lifetime.agency", rm.churn.rate(start=10, lost=2), "churn.rate"),
        ("client_lifetime.agency", rm.churn.lifetime(0.1, per="year"), "'year'"),
        ("client_lifetime.agency", rm.churn.lifetime(0), "no estimate"),
        ("nps.agency", rm.nps.from_counts(promoters=0, passives=0, detractors=0), "no estimate"),
        ("nps.agency", rm.nps.difference(rm.nps.score([9, 2]), rm.nps.score([9, 3])), "nps.difference"),
    ],
)
def test_a_result_of_something_else_is_refused(table, result, word):
    with pytest.raises(InputError, match=word):
        rm.benchmarks.get(table).classify(result)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 100.1, -101, None, "20", True])
def test_only_numbers_in_the_range_of_the_metric_are_placed(value):
    with pytest.raises(InputError, match="value"):
        rm.benchmarks.get("nps.agency").classify(value)


def test_a_negative_lifetime_is_refused():
    with pytest.raises(InputError, match="at least 0"):
        rm.benchmarks.get("client_lifetime.agency").classify(-1)


# ---------------------------------------------------------------- definition, period and age


def test_a_rate_of_another_period_is_refused():
    annual = rm.benchmarks.get("churn.saas.2024")
    monthly = rm.churn.rate(start=400, lost=12)
    with pytest.raises(InputError, match=r"churn\.saas\.2024 has bands per year; got a value per month"):
        annual.classify(monthly, period="month")
    with pytest.raises(InputError, match="per month"):
        annual.classify(rm.churn.convert(monthly, per="quarter", to="month"))
    with pytest.raises(InputError, match="per month"):
        annual.classify(rm.churn.from_lifetime(24))
    with pytest.raises(InputError, match="per month"):
        annual.classify(0.03, period="month")
    yearly = annual.classify(rm.churn.convert(monthly, per="month", to="year"))
    assert yearly.band == "highest_quarter"
    assert not any("taken to be" in note for note in yearly.notes)
    assert annual.classify(0.04, period="year").band == "lowest_quarter"


def test_a_period_that_nobody_states_is_said():
    placed = rm.benchmarks.get("churn.saas.2024").classify(0.04)
    assert "The value was taken to be per year." in placed.notes
    with pytest.raises(InputError, match="bands without a period"):
        rm.benchmarks.get("nps.agency").classify(20, period="month")


def test_a_number_of_another_definition_is_refused():
    table = rm.benchmarks.get("gross_retention.saas.2024")
    assert table.classify(0.9, definition="revenue.gross_retention/ratio", period="year").band == "second_quarter"
    with pytest.raises(InputError, match=r"rates revenue\.gross_retention; got revenue\.net_retention"):
        table.classify(0.9, definition="revenue.net_retention")


@pytest.mark.parametrize(("year", "said"), [(2022, False), (2023, True), (2040, True)])
def test_old_sources_say_their_age(year, said):
    placed = rm.benchmarks.get("nps.agency").classify(25, today=dt.date(year, 6, 1))
    assert any(note == f"The source is of 2019, {year - 2019} years old." for note in placed.notes) == said


def test_a_table_that_is_not_there_names_those_near_it():
    with pytest.raises(BenchmarkUnavailableError, match=r"nps\.us_retail\.2023") as caught:
        rm.benchmarks.get("nps.retail")
    assert "available() lists all" in str(caught.value)
    assert rm.benchmarks.available("quick_ratio") == ("quick_ratio.saas.2015",)
    assert set(rm.benchmarks.available("nps")) < set(rm.benchmarks.available())
    with pytest.raises(InputError, match="Did you mean 'nps'"):
        rm.benchmarks.available("npss")


def test_tables_of_an_industry_carry_their_year_in_the_name():
    industries = [name for name in rm.benchmarks.available() if name.split(".")[-1].isdigit()]
    assert len(industries) >= 20
    for name in industries:
        assert rm.benchmarks.get(name).source.year == int(name.split(".")[-1])


def test_lists_of_unknown_origin_are_called_weak():
    for name in (*rm.benchmarks.available("retention"), *rm.benchmarks.available("dau_mau")):
        table = rm.benchmarks.get(name)
        assert table.source.tier == "weak"
        assert any("orientation" in note for note in table.notes)


PUBLISHED = {
    "churn.saas.2024": [
        (0.049, "lowest_quarter"),
        (0.05, "second_quarter"),
        (0.13, "third_quarter"),
        (0.2, "highest_quarter"),
    ],
    "gross_retention.saas.2024": [
        (0.81, "lowest_quarter"),
        (0.82, "second_quarter"),
        (0.91, "third_quarter"),
        (0.95, "highest_quarter"),
    ],
    "net_retention.saas.2025": [(1.0, "below_median"), (1.01, "median_or_above")],
    "new_cac_ratio.saas.2025": [(1.99, "below_median"), (2.0, "median_to_worst_quarter"), (2.82, "worst_quarter")],
    "quick_ratio.saas.2015": [(3.99, "below_target"), (4, "on_target")],
    "dau_mau.saas.2024": [(0.14, "below_average"), (0.15, "average"), (0.2, "good"), (0.3, "great")],
    "nps.us_grocery.2023": [(30, "below_average"), (30.1, "average_or_above")],
    "nps.us_consumer_payments.2023": [(-6.2, "below_average"), (-6.1, "average_or_above")],
    "nps.us_b2b_accounting.2022": [(38.9, "below_average"), (39, "average_or_above")],
    "retention.retail.2021": [(0.62, "below_average"), (0.63, "average_or_above")],
    "retention.agency.2025": [
        (0.74, "below_typical"), (0.75, "typical"), (0.84, "typical"), (0.85, "above_typical"),
    ],
    "churn.subscriptions.2019": [(0.054, "below_median"), (0.0548, "median_or_above")],
    "churn.subscriptions_b2b.2019": [(0.051, "below_median"), (0.0515, "median_or_above")],
    "churn.subscriptions_b2c.2019": [(0.068, "below_median"), (0.0681, "median_or_above")],
    "client_lifetime.agency_relationships.2016": [(38, "below_average"), (38.4, "average_or_above")],
    "client_lifetime.agency_of_record.2025": [(83, "below_average"), (84, "average_or_above")],
    "ltv_cac.saas.2013": [(2.9, "below_target"), (3, "on_target")],
    "cac_payback.saas.2013": [(11.9, "on_target"), (12, "above_target")],
    "nps.generic.2022": [(49, "below_excellent"), (50, "excellent"), (69, "excellent"), (70, "world_class")],
    "nps.us_b2b_it_services.2022": [(43, "below_average"), (44, "average_or_above")],
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_numbers_are_the_edges(name):
    table = rm.benchmarks.get(name)
    assert [table.classify(value).band for value, _ in PUBLISHED[name]] == [band for _, band in PUBLISHED[name]]


# ---------------------------------------------------------------- the library's own results


PAID = pd.DataFrame({"before": [100.0] * 30, "after": [0.0] * 3 + [110.0] * 27})
PLANS = pd.DataFrame(
    {
        "who": range(40),
        "from": pd.to_datetime(["2023-06-01"] * 40),
        "until": pd.to_datetime(["2023-12-15"] * 2 + ["2024-05-15"] * 4 + [None] * 34),
        "price": [100.0] * 40,
    }
)
PRICED = {"customer": "who", "start": "from", "end": "until", "amount": "price"}
SPELLS = {"customer": "who", "start": "from", "end": "until"}
YEAR, MONTH, HALF = ("2023-11-30", "2024-11-30"), ("2023-11-30", "2023-12-31"), ("2023-11-30", "2024-05-31")


def window(first, last, definition="standard"):
    return rm.churn.in_window(PLANS, **SPELLS, window=(first, last), definition=definition)


def economics(churn=0.02):
    arpa = rm.revenue.arpa(PAID, amount="before")
    return rm.revenue.unit_economics(
        acquisition_cost=9_000, new_customers=10, monthly_revenue=arpa, monthly_churn=churn, margin=0.8
    )


RESULTS = {
    # What is rated, and per which period where the result knows it.
    "nps.score": (rm.nps.score([10] * 60 + [7] * 25 + [3] * 15), "nps", None),
    "nps.score of clusters": (rm.nps.score([10, 9, 3, 7], cluster=["a", "a", "b", "c"]), "nps", None),
    "nps.from_counts": (rm.nps.from_counts(promoters=60, passives=25, detractors=15), "nps", None),
    "churn.rate": (rm.churn.rate(start=400, lost=12), "churn", None),
    "churn.convert to a year": (rm.churn.convert(0.02, per="month", to="year"), "churn", "year"),
    "churn.convert to a month": (rm.churn.convert(0.3, per="year", to="month"), "churn", "month"),
    "churn.from_lifetime": (rm.churn.from_lifetime(18), "churn", "month"),
    "churn.in_window of a year": (window("2023-12-01", "2024-12-01"), "churn", "year"),
    "churn.in_window of a month": (window("2023-12-01", "2024-01-01"), "churn", "month"),
    "churn.in_window of half a year": (window("2023-12-01", "2024-06-01"), "churn", "183 days"),
    "churn.in_window at the midpoint": (window("2023-12-01", "2024-12-01", "midpoint"), None, None),
    "churn.lifetime": (rm.churn.lifetime(0.05), "client_lifetime", None),
    "churn.lifetime in years": (rm.churn.lifetime(0.5, per="year"), None, None),
    "survival mean": (
        rm.survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, False, True]).mean(6), "client_lifetime", None,
    ),
    "survival median": (rm.survival.kaplan_meier([3, 5, 8], [True, True, True]).median, None, None),
    "retention.rate": (rm.retention.rate(start=100, end=90), "retention", None),
    "revenue.logo_retention": (
        rm.revenue.logo_retention(PAID, opening="before", closing="after"), "retention", None,
    ),
    "revenue.logo_retention of a year": (rm.revenue.logo_retention(PLANS, **PRICED, at=YEAR), "retention", "year"),
    "revenue.logo_retention of events": (
        rm.revenue.logo_retention(PLANS, **PRICED, at=YEAR, basis="events"), None, None,
    ),
    "revenue.net_retention": (
        rm.revenue.net_retention(PAID, opening="before", closing="after"), "net_retention", None,
    ),
    "revenue.net_retention of a year": (rm.revenue.net_retention(PLANS, **PRICED, at=YEAR), "net_retention", "year"),
    "revenue.net_retention of a month": (rm.revenue.net_retention(PLANS, **PRICED, at=MONTH), "net_retention", "month"),
    "revenue.gross_retention": (
        rm.revenue.gross_retention(PAID, opening="before", closing="after"), "gross_retention", None,
    ),
    "revenue.gross_retention of a year": (
        rm.revenue.gross_retention(PLANS, **PRICED, at=YEAR, basis="events"), "gross_retention", "year",
    ),
    "revenue.gross_retention of half a year": (
        rm.revenue.gross_retention(PLANS, **PRICED, at=HALF), "gross_retention", "183 days",
    ),
    "revenue.quick_ratio": (
        rm.revenue.quick_ratio(rm.revenue.movements(PLANS, **PRICED, as_of="2024-11-30")),
        "quick_ratio", None,
    ),
    "revenue.unit_economics": (economics(), "ltv_cac", None),
    "revenue.payback": (economics().payback, "cac_payback", None),
    "revenue.arpa": (rm.revenue.arpa(PAID, amount="before"), None, None),
    "proportions.ratio": (rm.ratio(rm.churn.rate(start=9, lost=3), rm.churn.rate(start=9, lost=4)), None, None),
    "surveys.csat": (rm.surveys.csat([5, 4, 3, 1]), None, None),
}  # fmt: skip


@pytest.mark.parametrize("result", RESULTS)
@pytest.mark.parametrize("name", rm.benchmarks.available())
def test_every_result_goes_with_its_tables_and_no_others(name, result):
    table, (given, metric, period) = rm.benchmarks.get(name), RESULTS[result]
    if metric != table.metric or (period is not None and period != table.period):
        with pytest.raises(InputError, match=r"rates|in the unit|per "):
            table.classify(given)
        return
    placed = table.classify(given)
    assert placed.band == table.classify(float(given)).band
    assert placed.band in placed.bands
    assert placed.interval == given.interval
    assumed = f"The value was taken to be per {table.period}."
    assert (assumed in placed.notes) == (table.period is not None and period is None)


def test_every_table_but_those_of_numbers_rates_a_result_of_the_library():
    rated = {metric for _, metric, _ in RESULTS.values() if metric is not None}
    tables = {rm.benchmarks.get(name).metric for name in rm.benchmarks.available()}
    assert tables - rated == NUMBERS_ALONE


def test_the_payback_turns_the_interval_of_the_revenue_round():
    revenue = rm.revenue.arpa(pd.DataFrame({"paid": [80.0, 90.0, 110.0, 120.0]}), amount="paid")
    found = rm.revenue.unit_economics(
        acquisition_cost=900, new_customers=1, monthly_revenue=revenue, monthly_churn=0.02, margin=0.5
    ).payback
    assert found.estimate == approx(18.0)
    assert (found.interval.low, found.interval.high) == approx(
        (1800 / revenue.interval.high, 1800 / revenue.interval.low)
    )
    bare = rm.revenue.unit_economics(acquisition_cost=9, new_customers=1, monthly_revenue=0.0, monthly_churn=0.1)
    assert (bare.payback.estimate, bare.payback.status) == (None, "no_margin")


def test_a_restricted_mean_says_that_it_stops():
    mean = rm.survival.kaplan_meier([3, 5, 5, 8, 12], [True, True, False, False, True]).mean(6)
    notes = rm.benchmarks.get("client_lifetime.agency").classify(mean).notes
    assert "The mean counts the first 6 months alone: customers stay longer." in notes


@pytest.mark.parametrize("name", ["nps.bain", "nps.global", "churn.saas_monthly", "retention.by_industry"])
def test_bands_without_publisher_or_year_are_left_out_and_the_reason_said(name):
    with pytest.raises(BenchmarkUnavailableError, match=f"{name} is left out: ") as caught:
        rm.benchmarks.get(name)
    instead = str(caught.value).rstrip(".").rsplit(" ", 1)[-1]
    assert name not in rm.benchmarks.available()
    assert instead in rm.benchmarks.available()


# ---------------------------------------------------------------- percentiles of one's own


BRANCHES = {
    "name": "nps.branches", "metric": "nps", "definition": "nps.score", "unit": "points", "low": -100, "high": 100,
    "population": "Our branches", "year": 2024,
}  # fmt: skip


@given(values=st.lists(st.integers(-100, 100), min_size=8, max_size=60, unique=True))
def test_quarters_of_ones_own_hold_a_quarter_each(values):
    table = rm.benchmarks.BandTable.from_percentiles(values, **BRANCHES)
    placed = [table.classify(value).band for value in values]
    assert table.bands == ("lowest_quarter", "second_quarter", "third_quarter", "highest_quarter")
    assert all(abs(placed.count(band) - len(values) / 4) < 1 for band in table.bands)
    assert (table.source.tier, table.statistic) == ("own", "percentile")
    assert rm.from_dict(json.loads(json.dumps(table.to_dict()))) == table


def test_other_percentiles_have_names_of_their_own():
    table = rm.benchmarks.BandTable.from_percentiles(range(11), percentiles=[10, 90], **BRANCHES)
    assert table.bands == ("below_p10", "p10_to_p90", "p90_and_above")
    assert [edge.value for edge in table.edges] == [1.0, 9.0]
    named = rm.benchmarks.BandTable.from_percentiles(range(11), percentiles=[50], bands=["low", "high"], **BRANCHES)
    assert named.classify(5).band == "high"


@pytest.mark.parametrize(
    ("values", "options", "word"),
    [
        ([1, 2], {}, "at least as many as bands, 4"),
        ([5] * 9, {}, "25 and 50 are both 5"),
        ([1, 2, None, 4], {}, "finite"),
        ([1, 2, 3, 400], {}, "values"),
        (range(9), {"percentiles": [75, 25]}, "percentiles rise; got 75 before 25"),
        (range(9), {"percentiles": [0, 50]}, "percentiles"),
        (range(9), {"bands": ["a", "b"]}, "one more than percentiles, 4; got 2"),
        (range(9), {"population": ""}, "source.population"),
    ],
)
def test_percentiles_that_make_no_bands_are_refused(values, options, word):
    with pytest.raises(InputError, match=word):
        rm.benchmarks.BandTable.from_percentiles(list(values), **{**BRANCHES, **options})


# ---------------------------------------------------------------- claims


def test_every_claim_names_who_makes_it():
    for said in rm.benchmarks.claims():
        assert said.text
        assert said.source
        assert rm.benchmarks.claim(said.name) == said
        assert (said.low is None) == (said.unit == "")
    with pytest.raises(BenchmarkUnavailableError, match="Did you mean 'referral-deals'"):
        rm.benchmarks.claim("referrals-deal")


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("term-churn", 2, 2), ("spend-quartiles", 0.5, 0.5), ("referral-deals", 5, 5), ("acquisition-cost", 5, 5),
        ("acquisition-cost-range", 5, 25), ("returning-revenue", -math.inf, 0.7), ("existing-revenue", 0.68, 0.68),
        ("predictable-revenue", 0.6, 0.8), ("loyal-customers", 0.12, 0.15), ("loyal-sales", 0.55, 0.7),
        ("recovery", 0.96, 0.96), ("liking-first", None, None),
    ],
)  # fmt: skip
def test_claims_hold_the_numbers_of_their_sources(name, low, high):
    said = rm.benchmarks.claim(name)
    assert (said.low, said.high) == (low, high)


STAYED = pd.DataFrame({"handling": ["put right"] * 50 + ["ignored"] * 10, "left": [0] * 48 + [1] * 7 + [0] * 5})
HANDLED = pd.DataFrame({"months": [12.0] * 20, "left": [1, 0, 0, 0] * 5, "righted": [0.1] * 20})
CLIENTS = pd.DataFrame(
    {"term": ["m"] * 20 + ["y"] * 20, "months": [6] * 40, "left": [1] * 8 + [0] * 12 + [1] * 2 + [0] * 18}
)
ORDERS = pd.DataFrame(
    {
        "who": [1, 2, 1, 2, 3] * 4,
        "day": pd.to_datetime(["2024-01-05", "2024-01-09", "2024-02-03", "2024-02-07", "2024-02-09"] * 4),
        "paid": [10.0, 20.0, 30.0, 20.0, 10.0] * 4,
    }
)
BOUGHT = {"customer": "who", "time": "day", "value": "paid", "window": ("2024-02-01", "2024-03-01")}
TWO_RATES = rm.churn.rate(start=50, lost=20), rm.churn.rate(start=50, lost=10)
COSTS = {"acquisition_cost": 900, "new_customers": 9, "monthly_revenue": 9.0, "monthly_churn": 0.1}
ONES_OWN = {
    "acquisition-cost": rm.revenue.unit_economics(**COSTS, retention_cost=60, retained_customers=3).cost_ratio,
    "acquisition-cost-range": rm.revenue.unit_economics(**COSTS, retention_cost=60, retained_customers=3).cost_ratio,
    "existing-revenue": rm.revenue.existing_share(ORDERS, **BOUGHT),
    "loyal-customers": rm.revenue.concentration([900, 50, 30, 20], resamples=100, rng=1).share_needed(0.6),
    "loyal-sales": rm.revenue.concentration([900, 50, 30, 20], resamples=100, rng=1).top_share(0.12),
    "predictable-revenue": rm.revenue.predictable_share(ORDERS, **BOUGHT),
    "recovery": rm.nps.recovery(STAYED, handling="handling", churned="left", reference="ignored").group("put right"),
    "recovery in time": rm.nps.recovery_curves(
        HANDLED, duration="months", churned="left", response="righted", within=0.5
    )
    .group("in_time")
    .at(11),
    "referral-deals": rm.ratio(*TWO_RATES),
    "returning-revenue": rm.revenue.returning_share(ORDERS, **BOUGHT),
    "spend-quartiles": rm.ratio(*TWO_RATES),
    "term-churn": rm.contracts.estimate(
        CLIENTS, term="term", duration="months", churned="left", months={"m": 1, "y": 12}
    ).ratio("m", "y"),
}


@pytest.mark.parametrize("name", ONES_OWN)
def test_every_claim_with_a_number_stands_beside_a_result_of_the_library(name):
    said, own = rm.benchmarks.claim(name.split(" ")[0]), ONES_OWN[name]
    seen = said.compare(own)
    assert seen.estimate == own.estimate
    assert seen.side == ("below" if own.estimate < said.low else "above" if own.estimate > said.high else "within")


def test_no_claim_with_a_number_is_without_a_result():
    assert {said.name for said in rm.benchmarks.claims() if said.low is not None} <= set(ONES_OWN)
    gini = rm.revenue.concentration([900, 50, 30, 20], resamples=100, rng=1).gini
    with pytest.raises(InputError, match=r"revenue\.concentration/top_share"):
        rm.benchmarks.claim("loyal-sales").compare(gini)


@pytest.mark.parametrize(
    ("kept", "side", "standing"),
    [
        ((1000, 990), "above", "above"),
        ((50, 48), "within", "compatible"),
        ((50, 46), "below", "compatible"),
        ((500, 400), "below", "below"),
    ],
)
def test_an_estimate_and_its_interval_have_a_side(kept, side, standing):
    seen = rm.benchmarks.claim("recovery").compare(rm.retention.rate(start=kept[0], end=kept[1]))
    assert (seen.side, seen.standing) == (side, standing)
    assert seen.estimate == approx(kept[1] / kept[0])


def test_a_plain_number_is_its_own_interval():
    revenue = rm.benchmarks.claim("returning-revenue")
    assert [revenue.compare(value).standing for value in (0.1, 0.7, 0.71)] == ["compatible", "compatible", "above"]
    predictable = rm.benchmarks.claim("predictable-revenue")
    assert [predictable.compare(value).side for value in (0.5, 0.6, 0.8, 0.9)] == ["below", "within", "within", "above"]


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("liking-first", 0.5, "no number to compare"),
        ("recovery", rm.churn.rate(start=10, lost=2), r"about retention\.rate"),
        ("term-churn", rm.retention.rate(start=10, end=9), r"about proportions\.ratio"),
        ("recovery", "96 %", "number"),
        ("term-churn", rm.ratio(rm.churn.rate(start=9, lost=2), rm.churn.rate(start=9, lost=0)), "no estimate"),
    ],
)
def test_what_a_claim_is_not_about_is_refused(name, value, word):
    with pytest.raises(InputError, match=word):
        rm.benchmarks.claim(name).compare(value)


# ---------------------------------------------------------------- languages


@pytest.mark.parametrize("name", rm.benchmarks.available())
def test_every_band_has_a_label_of_its_own_in_every_language(name):
    table = rm.benchmarks.get(name)
    for locale in LOCALES:
        labels = table.labels(locale)
        assert tuple(labels) == table.bands
        assert len(set(labels.values())) == len(table.bands)
        assert set(table.bands) <= set(locales.words("bands", locale=locale))
    per_language = [tuple(table.labels(locale).values()) for locale in LOCALES]
    assert len(set(per_language)) == len(LOCALES)


def test_a_placement_has_a_label_in_every_language():
    placed = rm.benchmarks.get("nps.agency").classify(25)
    assert [placed.label(locale) for locale in LOCALES] == ["good", "جيد", "خوب", "良好"]
    assert placed.label() == "good"


@pytest.mark.parametrize("locale", ["de", "zh", "", None])
def test_unknown_languages_are_named(locale):
    with pytest.raises(InputError, match="zh-Hant"):
        rm.benchmarks.get("nps.agency").labels(locale)


def test_persian_is_written_with_its_own_letters():
    words = "".join(locales.words("bands", locale="fa").values())
    assert "ي" not in words
    assert "ك" not in words


def test_all_languages_name_the_same_bands():
    names = [set(locales.words("bands", locale=locale)) for locale in LOCALES]
    assert all(found == names[0] for found in names)
    assert locales.words("nothing", locale="en") == {}


# ---------------------------------------------------------------- tables of one's own


OWN = {
    "name": "churn.ours",
    "metric": "churn",
    "definition": "churn.rate",
    "unit": "share",
    "period": "month",
    "low": 0.0,
    "high": 1.0,
    "higher_is_better": False,
    "bands": ["calm", "watch", "alarm"],
    "edges": [{"value": 0.02, "owner": "calm"}, {"value": 0.05, "owner": "alarm"}],
    "names": {"en": {"watch": "keep watching"}},
    "source": {
        "publisher": "Us", "title": "Targets", "url": "https://example.org", "year": 2024, "population": "Clients",
        "tier": "opinion",
    },
}  # fmt: skip


def changed(path, value):
    """The table with one entry changed, or left out where the value is the ellipsis."""
    table = json.loads(json.dumps(OWN))
    where = table
    for step in path[:-1]:
        where = where[step]
    if value is ...:
        del where[path[-1]]
    else:
        where[path[-1]] = value
    return table


def test_a_table_of_ones_own_places_and_labels():
    table = rm.benchmarks.BandTable.from_dict(OWN)
    assert [table.classify(value).band for value in (0.02, 0.0200001, 0.05)] == ["calm", "watch", "alarm"]
    assert table.labels("en") == {"calm": "calm", "watch": "keep watching", "alarm": "alarm"}
    assert table.classify(rm.churn.rate(start=1000, lost=10)).bands == ("calm",)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["edges", 1, "value"], 0.02, r"edges\[1\] rises"),
        (["edges", 1, "value"], 0.01, r"edges\[1\] rises"),
        (["edges", 0, "value"], -1.0, r"edges\[0\] rises"),
        (["edges", 1, "value"], 2.0, r"edges\[1\] rises"),
        (["edges", 1, "value"], "5 %", r"edges\[1\]"),
        (["edges", 0, "value"], math.nan, r"edges\[0\]"),
        (["edges", 0, "owner"], "alarm", r"edges\[0\].owner"),
        (["edges", 0, "owner"], "clam", r"Did you mean 'calm'"),
        (["edges", 0, "owner"], ..., r"edges\[0\].owner is missing"),
        (["edges"], [{"value": 0.02, "owner": "calm"}], "one fewer than bands"),
        (["edges"], "0.02", "list of edges"),
        (["edges", 0], 0.02, r"edges\[0\]"),
        (["bands"], ["calm", "calm", "alarm"], "each once"),
        (["bands"], ["calm", "", "alarm"], r"bands\[1\]"),
        (["bands"], ..., "bands is missing"),
        (["unit"], "", "unit"),
        (["definition"], 3, "definition"),
        (["low"], "none", "low"),
        (["source"], ..., "source is missing"),
        (["source"], "a blog", "source"),
        (["source", "publisher"], ..., "source.publisher is missing"),
        (["source", "publisher"], " ", "source.publisher"),
        (["source", "url"], "example.org", "source.url"),
        (["source", "year"], "2024", "source.year"),
        (["source", "year"], 24, "source.year"),
        (["source", "tier"], "gossip", "source.tier"),
        (["source", "url"], "", "source.url"),
        (["statistic"], "median", "statistic"),
        (["source", "author"], "Ana", "source.entry"),
        (["high_is_better"], True, "Did you mean 'higher_is_better'"),
        (["kind"], "churn.lifetime", "kind"),
        (["schema"], 99, "schema"),
        (["bands"], "calm", "bands is a list"),
        (["also"], "churn.rate", "also is a list"),
        (["notes"], [5], r"notes\[0\] is a text"),
        (["period"], 12, "period is a text"),
        (["higher_is_better"], "no", "true or false"),
        (["names"], "en", "names holds labels"),
        (["names", "en"], "watch", "names holds labels"),
        (["names", "en", "watch"], 5, r"names\.en\.watch is a text"),
        (["names", "en", "wotch"], "watch", "Did you mean 'watch'"),
        (["names", "de"], {"watch": "Achtung"}, r"names\.locale is one of"),
    ],
)
def test_a_wrong_table_is_refused_and_the_entry_named(path, value, words):
    with pytest.raises(InputError, match=words):
        rm.benchmarks.BandTable.from_dict(changed(path, value))


def test_a_table_is_read_from_a_file(tmp_path):
    shipped = resources.files("retention_metrics.benchmarks").joinpath("bands", "nps.agency.toml")
    own = tmp_path / "nps.ours.toml"
    own.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    table = rm.benchmarks.read(own)
    assert table == dataclasses.replace(rm.benchmarks.get("nps.agency"), name="nps.ours")
    own.write_text("bands = [", encoding="utf-8")
    with pytest.raises(InputError, match=r"nps\.ours\.toml is a TOML file"):
        rm.benchmarks.read(str(own))


def test_shipped_files_hold_only_what_a_table_has():
    for name in rm.benchmarks.available():
        text = resources.files("retention_metrics.benchmarks").joinpath("bands", f"{name}.toml").read_text("utf-8")
        assert set(tomllib.loads(text)) <= {entry.name for entry in dataclasses.fields(rm.benchmarks.BandTable)}


@pytest.mark.parametrize(
    "table", [rm.benchmarks.BandTable.from_dict(OWN), *map(rm.benchmarks.get, rm.benchmarks.available())]
)
def test_a_table_is_frozen_and_survives_json_and_pickle(table):
    text = json.dumps(table.to_dict(), allow_nan=False)
    assert rm.benchmarks.BandTable.from_dict(json.loads(text)) == table
    assert rm.from_dict(json.loads(text)) == table
    assert pickle.loads(pickle.dumps(table)) == table
    assert isinstance(hash(table), int)
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.unit = "dollars"
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.edges[0].value = 1.0


@pytest.mark.parametrize("value", [25.0, rm.nps.from_counts(promoters=18, passives=11, detractors=2)])
def test_a_placement_explains_itself_and_survives_json(value):
    placed = rm.benchmarks.get("nps.agency").classify(value)
    again = rm.from_dict(json.loads(json.dumps(placed.to_dict(), allow_nan=False)))
    assert again == placed
    assert again.label("fa") == placed.label("fa")
    assert pickle.loads(pickle.dumps(placed)) == placed
    assert list(placed.explain().evaluate().values())[-1] == placed.estimate
    assert "Customers.ai" in str(placed.explain())


def test_the_day_of_a_placement_is_a_date():
    with pytest.raises(InputError, match="today is a date"):
        rm.benchmarks.get("nps.agency").classify(20, today="2026-01-01")
