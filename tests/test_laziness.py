"""Code goes to the data: what is read of a lazy table, how often, and that the caller's engine does the rest."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_metrics as rm
from frames import CONVERT, as_rows, as_sorted_rows
from reads import Reads
from retention_metrics.errors import ColumnError

BUYING = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
SPEND = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
LOG = {"customer": "who", "time": "when", "value": "paid"}


@pytest.fixture
def orders() -> pd.DataFrame:
    """400 purchases of 60 customers in 300 days, with a column that nobody asks for."""
    rng = np.random.default_rng(2024)
    return pd.DataFrame(
        {
            "who": rng.integers(0, 60, 400),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 400), unit="D"),
            "paid": np.round(rng.gamma(2.0, 10.0, 400) * 4) / 4,  # quarters add up alike in any order
            "note": "never read",
        }
    )


@pytest.fixture
def histories(orders) -> pd.DataFrame:
    return rm.clv.rfm_summary(orders, **LOG).frame.assign(note="never read")


@pytest.fixture
def subscriptions() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 200, 60), unit="D")
    end = pd.Series(start + pd.to_timedelta(rng.integers(10, 200, 60), unit="D"))
    return pd.DataFrame(
        {
            "who": range(60),
            "start": start,
            "end": end.where(np.arange(60) % 3 > 0),
            "price": rng.integers(10, 50, 60),
            "plan": rng.choice(["basic", "pro"], 60),
            "note": "never read",
        }
    )


@pytest.fixture
def customers() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    return pd.DataFrame(
        {
            "churned": rng.random(90) < 0.3,
            "group": rng.choice(["a", "b"], 90),
            "spend": rng.gamma(2.0, 10.0, 90),
            "rating": rng.integers(0, 11, 90),
            "rep": rng.choice(["a", "b", "c"], 90),
            "wave": np.arange(90) % 2 + 1,
            "who": np.arange(90) // 2,
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 200, 90), unit="D"),
            "months": rng.exponential(10.0, 90),
            "opening": rng.gamma(2.0, 10.0, 90),
            "closing": rng.gamma(2.0, 9.0, 90),
            "note": "never read",
        }
    )


def reads(table: pd.DataFrame) -> Reads:
    return Reads(pl.from_pandas(table))


# ---------------------------------------------------------------- customer tables stay lazy

TABLES = {
    "predict": (lambda lazy: BUYING.predict(lazy, horizon=39), ["T", "frequency", "recency"]),
    "lifetime_value": (
        lambda lazy: rm.clv.lifetime_value(BUYING, SPEND, lazy, horizon=39, discount_rate=0.01),
        ["T", "frequency", "monetary_value", "recency"],
    ),
}
over_tables = pytest.mark.parametrize(("verb", "columns"), TABLES.values(), ids=list(TABLES))


@over_tables
def test_a_call_reads_once_and_only_the_columns_it_names(histories, verb, columns):
    source = reads(histories)
    table = verb(source.scan())
    assert source.columns == [columns]
    assert isinstance(table.frame, pl.LazyFrame)


@over_tables
def test_the_frame_is_not_read_until_it_is_collected(histories, verb, columns):
    source = reads(histories)
    table = verb(source.scan())
    before = len(source.columns)
    plan = table.frame
    table._repr_html_()
    assert len(source.columns) == before
    plan.collect()
    assert len(source.columns) == before + 1


@over_tables
def test_what_is_collected_is_what_pandas_gives(histories, verb, columns):
    lazy = verb(reads(histories).scan()).frame.collect().to_pandas().set_index("who").sort_index()
    eager = verb(histories).frame.set_index("who").sort_index()
    assert list(lazy.columns) == list(eager.columns)
    for name in lazy.columns.difference(["note"]):
        assert lazy[name].to_numpy() == pytest.approx(eager[name].to_numpy(), rel=1e-11, nan_ok=True)


@over_tables
def test_from_transactions_to_answers_takes_an_audit_and_one_query(orders, verb, columns):
    source = reads(orders)
    history = rm.clv.rfm_summary(source.scan(), **LOG)
    assert source.columns == [["paid", "when", "who"]]
    table = verb(history)
    assert len(source.columns) == 2
    assert isinstance(table.frame, pl.LazyFrame)


def test_adopting_a_table_reads_nothing(histories):
    source = reads(histories)
    assert rm.clv.history(source.scan(), unit="day").unit == "day"
    assert source.columns == []


@pytest.mark.parametrize(
    ("fit", "columns"),
    [
        (lambda lazy: rm.clv.BGNBD.fit(lazy, penalty=0.1), ["T", "frequency", "recency"]),
        (lambda lazy: rm.clv.GammaGamma.fit(lazy, penalty=0.1), ["frequency", "monetary_value"]),
    ],
    ids=["BGNBD", "GammaGamma"],
)
def test_a_fit_reads_its_columns_once(histories, fit, columns):
    source = reads(histories)
    fit(source.scan())
    assert source.columns == [columns]


@over_tables
def test_duckdb_runs_the_callers_table(histories, verb, columns):
    connection = duckdb.connect()
    connection.execute("create table user_histories as select * from histories")
    found = verb(connection.table("user_histories")).frame
    assert isinstance(found, duckdb.DuckDBPyRelation)
    assert "user_histories" in found.explain()


@over_tables
def test_duckdb_answers_from_the_table_as_it_is_when_asked(histories, verb, columns):
    """The plan is lazy: customers deleted after the call are not in the answer."""
    connection = duckdb.connect()
    connection.execute("create table user_histories as select * from histories")
    found = verb(connection.table("user_histories")).frame
    connection.execute("delete from user_histories where who >= 10")
    assert sorted(row["who"] for row in as_rows(found)) == list(range(10))


@over_tables
def test_duckdb_tables_of_any_name_are_left_alone(histories, verb, columns):
    connection = duckdb.connect()
    connection.execute("create table user_histories as select * from histories")
    for name in ("matched", "answers", "rows", "listed", "_rows"):
        connection.execute(f"create table {name} as select 1 as x")
    tables = connection.execute("show tables").fetchall()
    assert len(as_rows(verb(connection.table("user_histories")))) == len(histories)
    assert connection.execute("show tables").fetchall() == tables


@over_tables
@pytest.mark.parametrize("kind", [pl.from_pandas, lambda table: pl.from_pandas(table).lazy()], ids=["eager", "lazy"])
def test_columns_of_any_name_come_back(histories, verb, columns, kind):
    table = histories.assign(_key_T=1, key_frequency=2, _rows=3, rows=4, _share=5, _worth=6)
    found = as_rows(verb(kind(table)))[0]
    assert [found[name] for name in ("_key_T", "key_frequency", "_rows", "rows", "_share", "_worth")] == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]


def test_a_column_that_the_answer_would_overwrite_is_refused(frame, histories):
    with pytest.raises(ColumnError, match="already has a column 'clv'"):
        rm.clv.lifetime_value(BUYING, SPEND, frame(histories.assign(clv=1.0)), horizon=39)


# ---------------------------------------------------------------- summaries read their columns alone

EVENTS = {"customer": "who", "time": "when"}
SPELLS = {"customer": "who", "start": "start", "end": "end"}
SUMMARIES = {
    "retention.by_period": ("orders", lambda lazy: rm.retention.by_period(lazy, **EVENTS), {"who", "when"}),
    "retention.cohorts": ("orders", lambda lazy: rm.retention.cohorts(lazy, **EVENTS), {"who", "when"}),
    "retention.cohorts of money": (
        "orders",
        lambda lazy: rm.retention.cohorts(lazy, **EVENTS, value="paid"),
        {"who", "when", "paid"},
    ),
    "retention.day_n": ("orders", lambda lazy: rm.retention.day_n(lazy, **EVENTS), {"who", "when"}),
    "retention.from_subscriptions": (
        "subscriptions",
        lambda lazy: rm.retention.from_subscriptions(lazy, **SPELLS),
        {"who", "start", "end"},
    ),
    "churn.by_group": (
        "customers",
        lambda lazy: rm.churn.by_group(lazy, churned="churned", group="group"),
        {"churned", "group"},
    ),
    "churn.by_quantile": (
        "customers",
        lambda lazy: rm.churn.by_quantile(lazy, churned="churned", value="spend"),
        {"churned", "spend"},
    ),
    "contracts.estimate": (
        "customers",
        lambda lazy: rm.contracts.estimate(
            lazy, term="group", duration="rating", churned="churned", months={"a": 1, "b": 3}
        ),
        {"churned", "group", "rating"},
    ),
    "contracts.estimate by dates": (
        "subscriptions",
        lambda lazy: rm.contracts.estimate(lazy, term="who", start="start", end="end", months={1: 1, 2: 3}),
        {"who", "start", "end"},
    ),
    "growth.reps": (
        "customers",
        lambda lazy: rm.growth.reps(lazy, rep="group", duration="rating", churned="churned", monthly_fee="spend"),
        {"churned", "group", "rating", "spend"},
    ),
    "growth.reps by dates": (
        "subscriptions",
        lambda lazy: rm.growth.reps(lazy, rep="who", signed="start", left="end", monthly_fee=100),
        {"who", "start", "end"},
    ),
    "churn.by_period": ("subscriptions", lambda lazy: rm.churn.by_period(lazy, **SPELLS), {"who", "start", "end"}),
    "churn.in_window": (
        "subscriptions",
        lambda lazy: rm.churn.in_window(lazy, **SPELLS, window=("2024-02-01", "2024-03-01")),
        {"who", "start", "end"},
    ),
    "churn.reconcile": (
        "subscriptions",
        lambda lazy: rm.churn.reconcile(lazy, **SPELLS, window=("2024-02-01", "2024-03-01")),
        {"who", "start", "end"},
    ),
    "churn.reasons": (
        "subscriptions",
        lambda lazy: rm.churn.reasons(lazy, **SPELLS, reason="plan"),
        {"who", "start", "end", "plan"},
    ),
    "revenue.movements": (
        "subscriptions",
        lambda lazy: rm.revenue.movements(lazy, **SPELLS, amount="price", by="plan"),
        {"who", "start", "end", "price", "plan"},
    ),
    "revenue.movements_from_amounts": (
        "orders",
        lambda lazy: rm.revenue.movements_from_amounts(lazy, customer="who", time="when", amount="paid"),
        {"who", "when", "paid"},
    ),
    "revenue.movements_from_invoices": (
        "subscriptions",
        lambda lazy: rm.revenue.movements_from_invoices(lazy, **SPELLS, amount="price"),
        {"who", "start", "end", "price"},
    ),
    "revenue.by_cohort": (
        "subscriptions",
        lambda lazy: rm.revenue.by_cohort(lazy, **SPELLS, amount="price"),
        {"who", "start", "end", "price"},
    ),
    "revenue.net_retention": (
        "customers",
        lambda lazy: rm.revenue.net_retention(lazy, opening="opening", closing="closing", method="bca", rng=1),
        {"opening", "closing"},
    ),
    "revenue.net_retention of subscriptions": (
        "subscriptions",
        lambda lazy: rm.revenue.net_retention(lazy, **SPELLS, amount="price", at=("2024-03-01", "2024-06-01")),
        {"who", "start", "end", "price"},
    ),
    "revenue.gross_retention": (
        "customers",
        lambda lazy: rm.revenue.gross_retention(lazy, opening="opening", closing="closing"),
        {"opening", "closing"},
    ),
    "revenue.logo_retention": (
        "customers",
        lambda lazy: rm.revenue.logo_retention(lazy, opening="opening", closing="closing"),
        {"opening", "closing"},
    ),
    "revenue.concentration": (
        "customers",
        lambda lazy: rm.revenue.concentration(lazy, amount="opening", customer="who", rng=1),
        {"who", "opening"},
    ),
    "revenue.returning_share": (
        "orders",
        lambda lazy: rm.revenue.returning_share(lazy, **LOG, window=("2024-06-01", "2024-07-01")),
        {"who", "when", "paid"},
    ),
    "customers.repeat_rate": ("orders", lambda lazy: rm.customers.repeat_rate(lazy, **EVENTS), {"who", "when"}),
    "customers.purchase_frequency": (
        "orders",
        lambda lazy: rm.customers.purchase_frequency(lazy, **EVENTS),
        {"who", "when"},
    ),
    "customers.average_order_value": (
        "orders",
        lambda lazy: rm.customers.average_order_value(lazy, **LOG),
        {"who", "when", "paid"},
    ),
    "customers.spend_by_age": (
        "orders",
        lambda lazy: rm.customers.spend_by_age(lazy, **LOG),
        {"who", "when", "paid"},
    ),
    "customers.migrations": (
        "orders",
        lambda lazy: rm.customers.migrations(lazy, **LOG, before="2024-05-01", after="2024-08-01"),
        {"who", "when", "paid"},
    ),
    "clv.tracking": (
        "orders",
        lambda lazy: rm.clv.tracking(BUYING, lazy, **EVENTS, calibration_end="2024-06-30"),
        {"who", "when"},
    ),
    "survival.kaplan_meier": (
        "customers",
        lambda lazy: rm.survival.kaplan_meier(lazy, duration="months", churned="churned", by="rep"),
        {"months", "churned", "rep"},
    ),
    "nps.by_group": (
        "customers",
        lambda lazy: rm.nps.by_group(lazy, rating="rating", group="rep", time="when", period="quarter"),
        {"rating", "rep", "when"},
    ),
    "nps.trend": (
        "customers",
        lambda lazy: rm.nps.trend(lazy, rating="rating", time="when", period="month"),
        {"rating", "when"},
    ),
    "nps.change": (
        "customers",
        lambda lazy: rm.nps.change(lazy, customer="who", rating="rating", wave="wave"),
        {"who", "rating", "wave"},
    ),
    "nps.score of clusters": (
        "customers",
        lambda lazy: rm.nps.score(lazy, rating="rating", cluster="who"),
        {"who", "rating"},
    ),
    "nps.score": ("customers", lambda lazy: rm.nps.score(lazy, rating="rating"), {"rating"}),
    "surveys.csat": ("customers", lambda lazy: rm.surveys.csat(lazy, answer="rating", scale="0-10"), {"rating"}),
    "surveys.crosstab": (
        "customers",
        lambda lazy: rm.surveys.crosstab(lazy, answer="rating", by="group", scale="0-10"),
        {"rating", "group"},
    ),
    "drivers.rank": (
        "customers",
        lambda lazy: rm.drivers.rank(lazy, outcome="churned", indicators=["spend", "group"], rng=1),
        {"churned", "spend", "group"},
    ),
    "drivers.cross": (
        "customers",
        lambda lazy: rm.drivers.cross(lazy, outcome="churned", row="spend", column="group"),
        {"churned", "spend", "group"},
    ),
}


over_summaries = pytest.mark.parametrize(("table", "verb", "columns"), SUMMARIES.values(), ids=list(SUMMARIES))


@over_summaries
def test_a_summary_reads_once_and_no_column_that_it_does_not_name(request, table, verb, columns):
    source = reads(request.getfixturevalue(table))
    verb(source.scan())
    assert source.columns == [sorted(columns)]


@over_summaries
def test_a_summary_of_a_lazy_table_is_that_of_an_eager_one(request, table, verb, columns):
    eager = request.getfixturevalue(table)
    assert as_sorted_rows(verb(reads(eager).scan())) == as_sorted_rows(verb(pl.from_pandas(eager)))


LOGS = {
    "revenue.customer_movements": (
        lambda lazy: rm.revenue.customer_movements(
            lazy, customer="who", start="start", end="end", amount="price", subscription="plan", as_of="2024-12-31"
        ),
        ["end", "plan", "price", "start", "who"],
    ),
    "churn.reconciled_customers": (
        lambda lazy: rm.churn.reconciled_customers(
            lazy, customer="who", start="start", end="end", window=("2024-04-01", "2024-07-01")
        ),
        ["end", "start", "who"],
    ),
}


@pytest.mark.parametrize(("verb", "columns"), LOGS.values(), ids=list(LOGS))
def test_a_table_of_a_log_reads_it_once_when_called_and_stays_lazy(subscriptions, verb, columns):
    log = subscriptions.assign(plan=subscriptions["who"])
    source = reads(log)
    table = verb(source.scan())
    assert source.columns == [columns]
    assert isinstance(table.frame, pl.LazyFrame)
    assert as_sorted_rows(table) == as_sorted_rows(verb(log))


@pytest.mark.parametrize(("verb", "columns"), LOGS.values(), ids=list(LOGS))
def test_sql_does_not_write_the_reading_of_text_out_wherever_a_day_is_named(subscriptions, verb, columns):
    dated = subscriptions.assign(plan=subscriptions["who"])[columns]
    text = dated.assign(**{day: dated[day].dt.strftime("%Y-%m-%d") for day in ("start", "end")})
    plans = [verb(CONVERT["duckdb"](table)).frame for table in (dated, text)]
    assert as_sorted_rows(plans[0]) == as_sorted_rows(plans[1])
    assert len(plans[1].sql_query()) < 15 * len(plans[0].sql_query())  # 37 times as long when it did


# ---------------------------------------------------------------- prospects and reps


def qualified(table):
    return rm.contracts.qualify(table, spend="spend", minimum_spend=15, criteria={"rating": (">=", 5)})


def test_prospects_are_counted_in_one_read_of_their_columns_and_stay_lazy(customers):
    source = reads(customers)
    table = qualified(source.scan())
    assert source.columns == [["rating", "spend"]]
    assert isinstance(table.frame, pl.LazyFrame)
    table.counts.to_frame()
    table._repr_html_()
    assert len(source.columns) == 1
    eager = qualified(pl.from_pandas(customers))
    assert table.frame.collect().rows() == eager.frame.rows()
    assert len(source.columns) == 2


def test_duckdb_holds_prospects_to_the_criteria_and_answers_when_asked(customers):
    connection = duckdb.connect()
    connection.execute("create table user_prospects as select * from customers")
    found = qualified(connection.table("user_prospects")).frame
    assert isinstance(found, duckdb.DuckDBPyRelation)
    assert "user_prospects" in found.explain()
    connection.execute("delete from user_prospects where rating < 5")
    assert {row["rating"] >= 5 for row in as_rows(found)} == {True}
