"""One view of each customer: the same in every kind of frame, and what a plain loop over the rows gives."""

from __future__ import annotations

import dataclasses
import datetime as dt
import pickle

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest

import retention_metrics as rm
from frames import as_pandas, as_rows, as_sorted_rows, together
from leaving_out import ratio_ends, skewed_ends
from reads import Reads
from retention_metrics.errors import ColumnError, InputError

LOG = {"customer": "who", "time": "when"}
PAID = {**LOG, "value": "paid"}
AS_OF = "2024-12-31"
END = dt.datetime(2024, 12, 31)
BUYING = rm.clv.BGNBD(r=0.243, alpha=30.0, a=0.793, b=2.426)
SPEND = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
TABLES = {
    "summary": lambda orders: rm.customers.summary(orders, **PAID, as_of=AS_OF),
    "summary with scores": lambda orders: rm.customers.summary(orders, **PAID, as_of=AS_OF, scores=True),
    "summary with models": lambda orders: rm.customers.summary(
        orders, **PAID, as_of=AS_OF, model=BUYING, spend=SPEND, horizon=90.0
    ),
    "silence": lambda orders: rm.customers.at_risk(orders, **PAID, as_of=AS_OF),
    "own rhythm": lambda orders: rm.customers.at_risk(orders, **PAID, as_of=AS_OF, rule="own_rhythm"),
    "model": lambda orders: rm.customers.at_risk(orders, **PAID, as_of=AS_OF, rule="model", model=BUYING),
    "segments": lambda orders: rm.customers.segments(orders, **PAID, as_of=AS_OF),
    "audiences": lambda orders: rm.customers.audiences(orders, **PAID, as_of=AS_OF),
    "contact_due": lambda orders: rm.customers.contact_due(orders, **LOG, as_of=AS_OF, keep=["shop"]),
}
over_tables = pytest.mark.parametrize("verb", TABLES.values(), ids=list(TABLES))


@pytest.fixture
def orders() -> pd.DataFrame:
    """500 orders of 90 customers in a year, some on one day, some of them small returns."""
    rng = np.random.default_rng(2024)
    rate = rng.gamma(0.6, 1.0, 90)
    paid = np.round(rng.gamma(2.0, 10.0, 500), 2)
    return pd.DataFrame(
        {
            "who": rng.choice(90, 500, p=rate / rate.sum()),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, 500), unit="D"),
            "paid": np.where(rng.random(500) < 0.04, -0.25, paid),
            "shop": rng.choice(["north", "south"], 500),
        }
    )


def by_hand(orders: pd.DataFrame) -> dict[int, dict[str, object]]:
    """The summary by a loop over the customers."""
    found = {}
    for who, rows in orders.groupby("who"):
        bought = rows[rows["paid"] >= 0]
        if bought.empty:
            continue
        days = sorted(bought["when"].unique())
        first, last = pd.Timestamp(days[0]), pd.Timestamp(days[-1])
        gaps = np.diff(np.array(days)).astype("timedelta64[D]").astype(float)
        again = rows["paid"].sum() - rows.loc[rows["when"] == first, "paid"].sum()
        found[who] = {
            "who": who,
            "first_purchase": first.to_pydatetime(),
            "last_purchase": last.to_pydatetime(),
            "purchases": len(days),
            "orders": len(bought),
            "revenue": rows["paid"].sum(),
            "average_order_value": rows["paid"].sum() / len(bought),
            "monetary_value": again / (len(days) - 1) if len(days) > 1 else None,
            "tenure": (END - first).days,
            "days_since_last": (END - last).days,
            "mean_gap": gaps.mean() if gaps.size else None,
            "frequency": len(days) - 1,
            "recency": float((last - first).days),
            "T": float((END - first).days),
            "at_risk": len(days) > 1 and last <= pd.Timestamp("2024-09-30"),
        }
    return found


# ---------------------------------------------------------------- the table


def test_a_summary_is_what_a_loop_over_the_rows_gives(frame, orders):
    expected = by_hand(orders)
    rows = as_rows(rm.customers.summary(frame(orders), **PAID, as_of=AS_OF))
    assert {row["who"] for row in rows} == set(expected)
    assert len({row["at_risk"] for row in rows}) == 2
    for row in rows:
        assert list(row) == list(expected[row["who"]])
        assert row == {name: pytest.approx(cell, rel=1e-9, abs=1e-9) if isinstance(cell, float) else cell
                       for name, cell in expected[row["who"]].items()}  # fmt: skip


@pytest.mark.parametrize("orders_each", [1, 4, 9, 40])
def test_days_are_counted_alike_for_few_orders_and_for_many(frame, orders_each):
    """DuckDB takes one of two ways by how many orders there are; days 127 apart share a place on the first."""
    rng = np.random.default_rng(orders_each)
    size = 60 * orders_each
    days = np.where(rng.random(size) < 0.5, 127 * rng.integers(0, 4, size), rng.integers(0, 500, size))
    log = pd.DataFrame(
        {
            "who": rng.integers(0, 60, size),
            "when": pd.Timestamp("1969-06-01") + pd.to_timedelta(days, unit="D"),
            "paid": np.round(rng.gamma(2.0, 10.0, size), 2),
        }
    )
    people = dict(list(log.groupby("who")))
    found = as_rows(rm.customers.summary(frame(log), **PAID, as_of="1970-12-31"))
    assert {row["who"] for row in found} == set(people)
    for row in found:
        rows = people[row["who"]]
        again = rows.loc[rows["when"] > rows["when"].min(), "paid"].sum()
        assert (row["purchases"], row["orders"]) == (rows["when"].nunique(), len(rows))
        assert row["revenue"] == pytest.approx(rows["paid"].sum(), rel=1e-12)
        assert (row["monetary_value"] or 0.0) == pytest.approx(again / max(row["purchases"] - 1, 1), rel=1e-9)


def test_duckdb_counts_the_days_of_orders_that_come_after_the_call():
    connection = duckdb.connect()
    connection.execute("create table user_log as select 1 as who, date '1970-03-01' as \"when\", 5.0 as paid")
    found = rm.customers.summary(connection.table("user_log"), **PAID, as_of="1970-12-31").frame
    connection.execute("insert into user_log values (1, date '1969-02-01', 2.0), (1, date '1969-02-01', 1.0)")
    (row,) = as_rows(found)
    assert (row["purchases"], row["orders"], row["monetary_value"]) == (2, 3, 5.0)


def test_two_names_of_one_hash_are_two_customers(orders, monkeypatch):
    named = pl.from_pandas(orders.assign(who="customer " + orders["who"].astype(str)))
    expected = as_sorted_rows(TABLES["summary"](named))
    monkeypatch.setattr(pl.Series, "hash", lambda words: words.str.len_bytes().cast(pl.UInt64))
    assert as_sorted_rows(TABLES["summary"](named)) == expected


@over_tables
def test_every_kind_of_frame_gives_the_same_table(frame, orders, verb):
    assert as_sorted_rows(verb(frame(orders)), digits=7) == as_sorted_rows(verb(orders), digits=7)


@over_tables
def test_the_table_is_of_the_caller_s_kind(frame, orders, verb):
    given = frame(orders)
    assert type(verb(given).frame) is type(given)


@over_tables
def test_duckdb_runs_the_callers_table(orders, verb):
    connection = duckdb.connect()
    connection.execute("create table user_orders as select * from orders")
    found = verb(connection.table("user_orders")).frame
    assert isinstance(found, duckdb.DuckDBPyRelation)
    assert "user_orders" in found.explain()


@over_tables
def test_the_order_of_the_rows_does_not_matter(orders, verb):
    shuffled = orders.sample(frac=1, random_state=7)
    assert as_sorted_rows(verb(shuffled), digits=7) == as_sorted_rows(verb(orders), digits=7)


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("summary", 1),
        ("silence", 1),
        ("segments", 1),
        ("audiences", 1),
        ("summary with scores", 1),
        ("model", 2),
        ("summary with models", 3),
        ("own rhythm", 4),
    ],
)
def test_a_lazy_log_is_read_by_its_audit_and_no_more_than_the_answer_needs(orders, name, reads):
    kept = orders[orders["paid"] >= 0]
    source = Reads(pl.from_pandas(kept))
    table = TABLES[name](source.scan())
    assert isinstance(table.frame, pl.LazyFrame)
    assert source.columns == [["paid", "when", "who"]] * reads
    table._repr_html_()
    assert len(source.columns) == reads


@over_tables
def test_a_table_is_frozen_picklable_and_has_totals(orders, verb):
    table = verb(orders)
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.frame = None
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(table)).frame, table.frame)
    known = {row["column"]: row["total"] for row in table.totals().rows()}
    assert known["who"] == table.frame["who"].sum()
    assert "<table" in table._repr_html_()


def test_a_contact_that_nobody_signed_is_a_contact(frame):
    days = pd.to_datetime(["2024-01-05", "2024-02-05"])
    calls = pd.DataFrame({"who": ["a", "a"], "when": days, "rep": ["Ana", None]})
    (row,) = as_rows(rm.customers.contact_due(frame(calls), **LOG, as_of="2024-03-01", keep=["rep"]))
    assert (row["days_since_contact"], row["contacts"], row["rep"]) == (25, 2, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda log: log[:0], "has no rows"),
        (lambda log: log.assign(when=pd.Timestamp("2030-01-01")), "has no row left to count: 2 rows, after_as_of 2"),
        (lambda log: log.assign(who=pd.Series([None, None], dtype=object)), "2 rows, missing_customer 2"),
    ],
)
def test_a_second_log_without_rows_is_named(frame, orders, change, words):
    days = pd.to_datetime(["2024-01-05", "2024-02-05"])
    bare = frame(change(pd.DataFrame({"who": ["a", "a"], "when": days, "score": [9.0, 8.0]})))
    bought = frame(orders.assign(who=orders["who"].astype(str)))
    calls = {
        "contacts": lambda: rm.customers.summary(bought, **LOG, as_of=AS_OF, contacts=bare),
        "responses": lambda: rm.customers.summary(bought, **LOG, as_of=AS_OF, responses=bare, rating="score"),
        "visits": lambda: rm.customers.audiences(bought, **LOG, as_of=AS_OF, visits=bare),
        "purchases": lambda: rm.customers.contact_due(bought, **LOG, as_of=AS_OF, purchases=bare),
    }
    for argument, call in calls.items():
        with pytest.raises(InputError, match=f"^{argument} .*{words}") as caught:
            call()
        assert caught.value.argument == argument
    with pytest.raises(InputError, match=f"^contacts .*{words}"):
        rm.customers.contact_due(bare, **LOG, as_of=AS_OF)


def test_a_log_without_money_has_no_money(orders):
    columns = rm.customers.summary(orders, **LOG, as_of=AS_OF).frame.columns
    assert not {"revenue", "average_order_value", "monetary_value"} & set(columns)


def test_without_an_audit_as_of_is_needed_and_nothing_is_counted(orders):
    table = rm.customers.summary(orders, **PAID, as_of=AS_OF, audit=False)
    assert table.excluded is None
    with pytest.raises(InputError, match="as_of"):
        rm.customers.summary(orders, **PAID, audit=False)


def test_rows_that_cannot_count_are_counted_by_reason(frame):
    rows = [("a", "2024-01-01", 5.0), (None, "2024-01-02", 5.0), ("a", None, 5.0), ("a", "2024-01-03", None)]
    rows += [("late", "2024-03-01", 5.0), ("gave back", "2024-01-05", -5.0)]
    log = pd.DataFrame(rows, columns=["who", "when", "paid"])
    table = rm.customers.summary(frame(log), **PAID, as_of="2024-02-01")
    assert [row["who"] for row in as_rows(table)] == ["a"]
    assert dict(table.excluded) == {
        "missing_customer": 1,
        "missing_time": 1,
        "missing_value": 1,
        "after_as_of": 1,
        "no_purchase": 1,
    }


def test_a_customer_column_with_the_name_of_an_answer_is_refused(frame, orders):
    with pytest.raises(ColumnError, match="also the name"):
        rm.customers.summary(frame(orders.rename(columns={"who": "orders"})), customer="orders", time="when")


def test_a_customer_column_named_customer_is_taken(frame, orders):
    table = rm.customers.summary(frame(orders.rename(columns={"who": "customer"})), customer="customer", time="when")
    assert "customer" in as_rows(table)[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"months": 0}, "months"),
        ({"minimum_purchases": 0}, "minimum_purchases"),
        ({"model": BUYING}, "horizon"),
        ({"spend": SPEND}, "model"),
        ({"horizon": 3.0}, "model"),
        ({"time": "day"}, "not a column"),
        ({"responses": pd.DataFrame()}, "rating"),
    ],
)
def test_options_that_make_no_sense_are_refused(orders, options, words):
    with pytest.raises(InputError, match=words):
        rm.customers.summary(orders, **{**PAID, **options})


def test_models_say_of_each_customer_what_they_say_of_its_history(orders):
    rows = as_rows(TABLES["summary with models"](orders))
    for row in rows:
        history = (row["frequency"], row["recency"], row["T"])
        assert row["probability_alive"] == pytest.approx(BUYING.probability_alive(*history))
        expected = BUYING.expected_purchases(*history, horizon=90.0)
        assert row["expected_purchases"] == pytest.approx(expected)
        assert row["clv"] == pytest.approx(
            expected * SPEND.expected_value(row["frequency"], row["monetary_value"] or 0.0)
        )


# ---------------------------------------------------------------- contacts and answers beside it


def beside(convert, orders: pd.DataFrame) -> dict[str, object]:
    first, second, third = orders["who"].value_counts().index[:3]
    calls = pd.DataFrame(
        {"who": [first, first, second], "when": pd.to_datetime(["2024-05-01", "2024-07-03", "2025-01-07"])}
    )
    answers = pd.DataFrame(
        {
            "who": [first, first, third, third],
            "at": pd.to_datetime(["2024-05-01", "2024-07-03", "2024-08-01", "2024-08-01"]),
            "score": [9.0, np.nan, 10.0, 3.0],
        }
    )
    tables = {"orders": orders, "calls": calls, "answers": answers}
    if convert.__name__ == "as_duckdb":
        return together(**tables)
    return {name: convert(table) for name, table in tables.items()}


def test_the_last_contact_and_the_last_answer_stand_beside_the_purchases(frame, orders):
    tables = beside(frame, orders)
    table = rm.customers.summary(
        tables["orders"],
        **PAID,
        as_of=AS_OF,
        contacts=tables["calls"],
        responses=tables["answers"],
        response_time="at",
        rating="score",
    )
    rows = {row["who"]: row for row in as_rows(table)}
    first, second, third = (rows[who] for who in orders["who"].value_counts().index[:3])
    assert first["last_contact"] == dt.datetime(2024, 7, 3)
    assert (first["contacts"], second["contacts"]) == (2, 0)
    assert second["last_contact"] is None
    assert (first["last_rating"], second["last_rating"], third["last_rating"]) == (9.0, None, 3.0)


def test_tables_of_two_libraries_are_refused(orders):
    calls = pl.DataFrame({"who": [0], "when": [dt.date(2024, 1, 1)]})
    with pytest.raises(InputError, match="contacts is a frame of the library"):
        rm.customers.summary(orders, **PAID, contacts=calls)


def test_relations_of_two_connections_are_refused(orders):
    first, second = together(orders=orders)["orders"], together(calls=orders)["calls"]
    with pytest.raises(InputError, match="another DuckDB connection"):
        rm.customers.summary(first, **PAID, contacts=second)


def test_who_is_due_a_contact_and_which_message(frame):
    calls = pd.DataFrame(
        {
            "who": ["a", "a", "b", "c"],
            "when": pd.to_datetime(["2024-01-05", "2024-02-05", "2024-05-20", "2024-05-30"]),
            "rep": ["Ana", "Bo", "Bo", "Ana"],
        }
    )
    bought = pd.DataFrame(
        {
            "who": ["a", "b", "c", "d"],
            "when": pd.to_datetime(["2024-05-01", "2024-05-20", "2024-05-22", "2024-05-31"]),
        }
    )
    tables = together(calls=calls, bought=bought) if frame.__name__ == "as_duckdb" else None
    calls, bought = (tables["calls"], tables["bought"]) if tables else (frame(calls), frame(bought))
    table = rm.customers.contact_due(
        calls, **LOG, as_of="2024-06-01", every_days=90, keep=["rep"], purchases=bought, message_days=(7, 30)
    )
    rows = {row["who"]: row for row in as_rows(table)}
    assert {who: (row["rep"], row["days_since_contact"], row["due"]) for who, row in rows.items()} == {
        "a": ("Bo", 117, True),
        "b": ("Bo", 12, False),
        "c": ("Ana", 2, False),
        "d": (None, None, True),
    }
    # c was called on day 8, after the message of day 7 had come due
    assert {who: row["message_day"] for who, row in rows.items()} == {"a": 30, "b": 7, "c": None, "d": None}


@pytest.mark.parametrize(
    ("today", "who"),
    [
        ("2024-02-28", {"a"}),
        ("2024-02-29", {"b"}),
        ("2023-02-28", {"a", "b"}),
        ("2024-05-01", set()),
        ("2024-05-02", {"c"}),
    ],
)
def test_birthdays_are_of_the_calendar(frame, today, who):
    calls = pd.DataFrame({"who": ["a", "d"], "when": pd.to_datetime(["2022-01-05", "2022-01-06"])})
    born = pd.DataFrame({"who": list("abc"), "born": pd.to_datetime(["1990-02-28", "1988-02-29", "2001-05-02"])})
    tables = together(calls=calls, born=born) if frame.__name__ == "as_duckdb" else None
    given = (tables["calls"], tables["born"]) if tables else (frame(calls), frame(born))
    table = rm.customers.contact_due(given[0], **LOG, as_of=today, birthdays=given[1], birth_date="born")
    rows = {row["who"]: row for row in as_rows(table)}
    assert set(rows) == set("abcd")
    assert {name for name, row in rows.items() if row["birthday"]} == who
    assert (rows["c"]["due"], rows["c"]["contacts"]) == (True, 0)


def test_birthdays_come_with_their_column(orders):
    with pytest.raises(InputError, match="come together"):
        rm.customers.contact_due(orders, **LOG, birth_date="born")
    with pytest.raises(InputError, match=r"^birthdays has no rows"):
        rm.customers.contact_due(orders, **LOG, birthdays=orders[:0], birth_date="when")


# ---------------------------------------------------------------- segments


def test_scores_are_quintiles_and_equal_values_share_one(frame, orders):
    rows = as_rows(rm.customers.segments(frame(orders), **PAID, as_of=AS_OF))
    measures = {"recency_score": "days_since_last", "frequency_score": "purchases", "monetary_score": "revenue"}
    for score, measure in measures.items():
        sign = -1 if measure == "days_since_last" else 1
        values = np.array([sign * row[measure] for row in rows], dtype=float)
        edges = np.quantile(values, [0.2, 0.4, 0.6, 0.8])
        assert [row[score] for row in rows] == [1 + int((value > edges + 1e-9).sum()) for value in values]
        assert {row[score] for row in rows} <= {1, 2, 3, 4, 5}


def test_every_pair_of_scores_has_a_segment_with_a_name_in_every_language():
    from retention_metrics.customers.segments import NEWCOMER, grid

    assert set(grid()) == {(recency, frequency) for recency in range(1, 6) for frequency in range(1, 6)}
    names = [rm.customers.segment_names(locale) for locale in ("en", "ar", "fa", "zh-Hant")]
    for named in names:
        assert set(named) == {*grid().values(), NEWCOMER}
        assert len(set(named.values())) == len(named)
    # The glossary's words, so that a page does not name one thing twice.
    loyal = ["Loyal customers", "العملاء المخلصون", "مشتریان وفادار", "忠實客戶"]
    assert [named["loyal_customers"] for named in names] == loyal
    assert [named["new_customers"] for named in names] == ["New customers", "العملاء الجدد", "مشتریان جدید", "新客戶"]


@pytest.mark.parametrize(
    ("days", "stage"),
    [
        (["2024-12-01"], "new"),
        (["2024-10-01"], "new"),
        (["2024-09-30"], "lapsing"),
        (["2024-02-01", "2024-10-01"], "active"),
        (["2024-02-01", "2024-07-01"], "lapsing"),
        (["2024-02-01", "2024-06-30"], "lapsed"),
        (["2023-02-01"], "lapsed"),
    ],
)
def test_the_stage_of_a_customer_s_life_is_the_calendar_s(frame, days, stage):
    log = pd.DataFrame({"who": [7] * len(days) + [8], "when": pd.to_datetime([*days, "2024-12-31"]), "paid": 5.0})
    for table in (
        rm.customers.segments(frame(log), **PAID, as_of=AS_OF),
        rm.customers.summary(frame(log), **PAID, as_of=AS_OF, scores=True),
    ):
        (row,) = (row for row in as_rows(table) if row["who"] == 7)
        assert row["lifecycle_stage"] == stage
    half = rm.customers.segments(frame(log), **PAID, as_of=AS_OF, months=24)
    assert {row["lifecycle_stage"] for row in as_rows(half)} <= {"new", "active"}


def test_every_stage_has_a_name_in_every_language():
    names = [rm.customers.stage_names(locale) for locale in ("en", "ar", "fa", "zh-Hant")]
    assert all(set(words) == {"new", "active", "lapsing", "lapsed"} for words in names)
    assert len({word for words in names for word in words.values()}) == 16


def test_segment_sizes_add_up_and_say_what_is_too_small(frame, orders):
    table = rm.customers.segments(frame(orders), **PAID, as_of=AS_OF)
    sizes, rows = rm.customers.segment_sizes(table), as_rows(table)
    for row in sizes.rows():
        members = [other for other in rows if other["segment"] == row["segment"]]
        assert row["customers"] == len(members)
        assert row["revenue"] == pytest.approx(sum(member["revenue"] for member in members))
        assert row["low"] < row["share"] < row["high"]
        assert row["large_enough"] is False
    assert sum(row["customers"] for row in sizes.rows()) == sizes.customers == len(rows)
    assert "below 1,000" in sizes.notes[0]


def test_a_segment_of_the_size_needed_shows_the_difference_with_the_power_asked_for():
    """The normal power of a two-sided test of shares 0.45 and 0.55, at the size that the answer names."""
    from scipy.stats import norm

    log = pd.DataFrame({"who": range(50), "when": "2024-01-01"})
    needed = rm.customers.segment_sizes(rm.customers.segments(log, **LOG)).needed
    spread = np.sqrt(2 * 0.25 / np.array([needed, needed - 1]))
    reached = norm.cdf(0.1 / spread - norm.ppf(0.975))
    assert reached[0] >= 0.8 > reached[1]


def test_moves_between_dates_are_those_of_the_two_tables(frame, orders):
    log = orders[orders["paid"] >= 0]
    moves = rm.customers.migrations(frame(log), **PAID, before="2024-06-30", after=AS_OF)
    tables = [rm.customers.segments(log, **PAID, as_of=day).frame for day in ("2024-06-30", AS_OF)]
    then, now = (table.set_index("who")["segment"] for table in tables)
    expected = pd.Series(list(zip(then.reindex(now.index).fillna("not_yet_a_customer"), now, strict=True)))
    assert {
        (row["before"], row["after"]): row["customers"] for row in moves.rows()
    } == expected.value_counts().to_dict()
    for shares in moves.matrix().values():
        assert sum(shares.values()) == pytest.approx(1.0)


def test_dates_in_the_wrong_order_are_refused(orders):
    with pytest.raises(InputError, match="before is earlier than after"):
        rm.customers.migrations(orders, **PAID, before=AS_OF, after="2024-06-30")


def test_audiences_are_who_they_say(frame, orders):
    orders = orders[orders["paid"] >= 0]
    visits = pd.DataFrame({"who": [0, 1000], "when": pd.to_datetime(["2024-02-01", "2024-02-01"])})
    if frame.__name__ == "as_duckdb":
        tables = together(orders=orders, visits=visits)
    else:
        tables = {"orders": frame(orders), "visits": frame(visits)}
    table = rm.customers.audiences(
        tables["orders"], **PAID, as_of=AS_OF, visits=tables["visits"], current_months=3, best=0.2
    )
    rows = {row["who"]: row for row in as_rows(table)}
    known = by_hand(orders)
    assert {who for who, row in rows.items() if row["retargeting"]} == {1000}
    assert {who for who, row in rows.items() if row["exclusion"]} == {
        who for who, row in known.items() if row["last_purchase"] > dt.datetime(2024, 9, 30)
    }
    assert all(row["exclusion"] + row["remarketing"] + row["retargeting"] == 1 for row in rows.values())
    revenue = {who: row["revenue"] for who, row in known.items()}
    edge = np.quantile(list(revenue.values()), 0.8)
    assert {who for who, row in rows.items() if row["seed"]} == {who for who, paid in revenue.items() if paid >= edge}


# ---------------------------------------------------------------- rates


def test_frequency_and_order_value_are_ratios_of_sums(frame, orders):
    known = by_hand(orders)
    frequency = rm.customers.purchase_frequency(frame(orders[orders["paid"] >= 0]), **LOG, as_of=AS_OF)
    value = rm.customers.average_order_value(frame(orders), **PAID, as_of=AS_OF)
    purchases, counts, revenue = (
        np.array([row[name] for row in known.values()], dtype=float) for name in ("purchases", "orders", "revenue")
    )
    assert frequency.estimate == pytest.approx(purchases.mean())
    assert frequency.customers == value.customers == len(known)
    assert value.estimate == pytest.approx(revenue.sum() / counts.sum())
    assert (value.interval.low, value.interval.high) == pytest.approx(skewed_ends(counts, revenue))
    ends = skewed_ends(np.ones(purchases.size), purchases)
    assert (frequency.interval.low, frequency.interval.high) == pytest.approx(ends)
    assert value.interval.method == "jackknife"


def test_the_upper_end_of_a_skewed_order_value_is_further():
    """Some customers spend far more than others: Hall's end lies beyond Student's, the lower end stays."""
    paid = np.random.default_rng(1992).lognormal(3.0, 1.0, 300)
    log = pl.DataFrame({"who": np.arange(300), "when": dt.date(2024, 1, 1), "paid": paid})
    ends, plain = rm.customers.average_order_value(log, **PAID).interval, ratio_ends(np.ones(300), paid)
    assert (ends.low, ends.high) == pytest.approx(skewed_ends(np.ones(300), paid))
    assert ends.low == pytest.approx(plain[0])
    assert ends.high - plain[1] > 0.02 * (plain[1] - plain[0])


def test_rates_by_group_are_the_rates_of_the_groups(frame, orders):
    orders = orders[orders["paid"] >= 0]
    verbs = {
        "frequency": lambda log, **by: rm.customers.purchase_frequency(log, **LOG, as_of=AS_OF, **by),
        "value": lambda log, **by: rm.customers.average_order_value(log, **PAID, as_of=AS_OF, **by),
        "repeat": lambda log, **by: rm.customers.repeat_rate(log, **LOG, as_of=AS_OF, within_days=60, **by),
    }
    for verb in verbs.values():
        rows = verb(frame(orders), by="shop").rows()
        assert [row["group"] for row in rows] == ["north", "south"]
        for row in rows:
            alone = verb(orders[orders["shop"] == row["group"]])
            assert (row["rate"], row["low"], row["high"]) == pytest.approx(
                (alone.estimate, alone.interval.low, alone.interval.high)
            )


def test_the_repeat_rate_gives_all_customers_the_same_time(frame, orders):
    orders = orders[orders["paid"] >= 0]
    found = rm.customers.repeat_rate(frame(orders), **LOG, as_of=AS_OF, within_days=60)
    old = repeated = 0
    for _, days in orders.groupby("who")["when"]:
        first = days.min()
        if first + pd.Timedelta(days=60) <= END:
            old += 1
            repeated += ((days > first) & (days <= first + pd.Timedelta(days=60))).any()
    assert (found.numerator, found.denominator) == (repeated, old)
    assert found.excluded["customers_observed_too_short"] == orders["who"].nunique() - old
    assert found.one_time_share.estimate == pytest.approx(1 - found.estimate)
    assert found.one_time_share.interval.low == pytest.approx(1 - found.interval.high)


def test_a_period_limits_what_is_counted(orders):
    orders = orders[orders["paid"] >= 0]
    inside = orders[(orders["when"] >= "2024-03-01") & (orders["when"] <= "2024-05-31")]
    found = rm.customers.purchase_frequency(orders, **LOG, since="2024-03-01", as_of="2024-05-31")
    assert found.estimate == pytest.approx(len(inside.drop_duplicates(["who", "when"])) / inside["who"].nunique())
    with pytest.raises(InputError, match="since"):
        rm.customers.purchase_frequency(orders, **LOG, since="2025-03-01", as_of="2024-05-31")


def test_the_interval_of_the_order_value_covers_as_often_as_it_says():
    """Orders of a customer are alike: 400 bases of 200 customers with their own order value."""
    rng = np.random.default_rng(1977)
    hits = 0
    for _ in range(400):
        counts = 1 + rng.poisson(2.0, 200)
        mean = rng.gamma(4.0, 5.0, 200)
        who = np.repeat(np.arange(200), counts)
        log = pl.DataFrame({"who": who, "when": dt.date(2024, 1, 1), "paid": rng.gamma(8.0, mean[who] / 8.0)})
        hits += 20.0 in rm.customers.average_order_value(log, **PAID).interval
    assert 0.92 <= hits / 400 <= 0.98


# ---------------------------------------------------------------- ages


def test_spend_by_age_is_what_a_pivot_gives(frame, orders):
    orders = orders[orders["paid"] >= 0]
    log = orders.assign(month=orders["when"].dt.month)
    spent = log.groupby(["who", "month"])["paid"].sum().unstack()
    first = spent.apply(lambda row: row.first_valid_index(), axis=1)
    rows = rm.customers.spend_by_age(frame(orders), **PAID, period="month", as_of=AS_OF).rows()
    for row in rows[:6]:
        age = row["age"]
        old = [who for who in spent.index if first[who] + age <= 12]
        here = np.array([spent.loc[who, first[who] + age] for who in old])
        assert (row["customers"], row["active"]) == (len(old), int((~np.isnan(here)).sum()))
        assert row["spend_per_customer"] == pytest.approx(np.nansum(here) / len(old))
        each = {"spend_per_customer": np.nan_to_num(here), "spend_per_active": here[~np.isnan(here)]}
        for name, money in each.items():
            ends = (row[f"{name}_low"], row[f"{name}_high"])
            assert ends == pytest.approx(ratio_ends(np.ones(money.size), money), rel=1e-6)
        if age:
            before = np.array([spent.loc[who, first[who] + age - 1] for who in old])
            both = ~np.isnan(before) & ~np.isnan(here)
            assert row["stayers"] == both.sum()
            assert row["stayer_growth"] == pytest.approx(here[both].sum() / before[both].sum())
            assert row["leaving_effect"] == pytest.approx(before[both].mean() / np.nanmean(before))


@pytest.fixture
def shelves(orders):
    """The purchases with what was bought and whether at a discount; a few returns among them."""
    rng = np.random.default_rng(36)
    shelf = rng.choice(np.array(["tea", "jam", "oil", None], dtype=object), len(orders), p=[0.5, 0.3, 0.15, 0.05])
    return orders.assign(shelf=shelf, off=rng.random(len(orders)) < 0.3, month=orders["when"].dt.month)


def test_categories_and_discounts_by_age_are_those_of_a_loop(frame, shelves):
    table = rm.customers.spend_by_age(
        frame(shelves.drop(columns="month")), **PAID, period="month", as_of=AS_OF, category="shelf", discount="off"
    )
    first = shelves.groupby("who")["month"].min()
    for row in table.rows()[:5]:
        here = shelves[shelves["month"] == shelves["who"].map(first) + row["age"]]
        bought = here[here["paid"] >= 0]
        each = bought.groupby("who")["shelf"].nunique().reindex(here["who"].unique(), fill_value=0)
        assert row["categories"] == pytest.approx(each.mean())
        assert row["categories_high"] == pytest.approx(ratio_ends(np.ones(len(each)), each)[1])
        paid, off = bought["paid"].sum(), bought.loc[bought["off"], "paid"].sum()
        assert row["discount_share"] == pytest.approx(off / paid)
        assert 0 <= row["discount_low"] <= row["discount_share"] <= row["discount_high"] <= 1
    amounts = shelves.assign(off=np.where(shelves["off"], 0.5, 0.0)).drop(columns="month")
    again = rm.customers.spend_by_age(amounts, **PAID, period="month", as_of=AS_OF, discount="off")
    assert [row["discount_share"] for row in again.rows()] == pytest.approx(
        [row["discount_share"] for row in table.rows()]
    )


def test_spend_by_age_of_groups_and_cohorts_is_taken_apart_from_that_of_all(frame, shelves):
    known = shelves.dropna(subset="shelf").drop(columns="month")
    options = {**PAID, "period": "month", "as_of": AS_OF}
    whole = rm.customers.spend_by_age(known, **options).rows()
    groups = rm.customers.spend_by_age(frame(known), **options, by="shelf").rows()
    cohorts = rm.customers.spend_by_age(frame(known), **options, cohorts=True).rows()
    assert [row["group"] for row in groups] == sorted(row["group"] for row in groups)
    for row in whole:
        parts = [each for each in groups if each["age"] == row["age"]]
        assert {each["customers"] for each in parts} == {row["customers"]}
        assert sum(each["spend_per_customer"] for each in parts) == pytest.approx(row["spend_per_customer"])
        parts = [each for each in cohorts if each["age"] == row["age"]]
        assert sum(each["active"] for each in parts) == row["active"]
        assert sum(each["stayers"] or 0 for each in parts) == (row["stayers"] or 0)
        spent = sum(each["spend_per_active"] * each["active"] for each in parts)
        assert spent == pytest.approx(row["spend_per_active"] * row["active"])
    january = known[known["who"].map(known.groupby("who")["when"].min()) < "2024-02-01"]
    alone = rm.customers.spend_by_age(january, **options).rows()
    mine = [
        {name: cell for name, cell in row.items() if name != "cohort"} for row in cohorts if row["cohort"].month == 1
    ]
    for row, own in zip(mine, alone, strict=True):
        assert row == pytest.approx(own, nan_ok=True)


def test_options_of_spend_by_age_are_checked(shelves):
    with pytest.raises(InputError, match="exclude each other"):
        rm.customers.spend_by_age(shelves, **PAID, by="shelf", cohorts=True)
    with pytest.raises(ColumnError, match="discount='shelf' is true or false, or an amount"):
        rm.customers.spend_by_age(shelves, **PAID, discount="shelf")


def test_small_customers_who_leave_raise_the_mean_and_no_stayer_grows():
    start = pd.to_datetime(["2024-01-10", "2024-02-10", "2024-03-10"])
    rows = [(f"large{i}", day, 100.0) for i in range(5) for day in start]
    rows += [(f"small{i}", start[0], 10.0) for i in range(5)]
    log = pd.DataFrame(rows, columns=["who", "when", "paid"])
    found = rm.customers.spend_by_age(log, **PAID, period="month", as_of="2024-03-31").rows()
    assert [row["spend_per_active"] for row in found] == [55.0, 100.0, 100.0]
    assert [row["stayer_growth"] for row in found] == [None, 1.0, 1.0]
    assert found[1]["leaving_effect"] == pytest.approx(100 / 55)


def test_an_unfinished_period_is_left_out(orders):
    found = rm.customers.spend_by_age(orders, **PAID, period="month", as_of="2024-02-15")
    assert [row["age"] for row in found.rows()] == [0]
    with pytest.raises(InputError, match="observed to its end"):
        rm.customers.spend_by_age(orders, **PAID, period="year", as_of="2024-02-15")


def test_pandas_in_another_order_of_columns_is_the_same(orders):
    flipped = as_pandas(orders[orders.columns[::-1]])
    assert as_sorted_rows(TABLES["summary"](flipped)) == as_sorted_rows(TABLES["summary"](orders))


# ---------------------------------------------------------------- pictures


def test_the_segment_map_shows_shares_intervals_and_what_is_too_small(orders):
    sizes = rm.customers.segment_sizes(rm.customers.segments(orders, **PAID, as_of=AS_OF), difference=0.5)
    axes = sizes.plot()
    rows = list(reversed(sizes.rows()))
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([row["share"] for row in rows])
    assert [bar.get_alpha() < 1 for bar in axes.patches] == [not row["large_enough"] for row in rows]
    assert len({row["large_enough"] for row in rows}) == 2
    assert [line.get_xdata()[1] for line in axes.lines] == pytest.approx([row["high"] for row in rows])
    revenue = sum(row["revenue"] for row in rows)
    shown = axes.collections[0].get_offsets()[:, 0]
    assert list(shown) == pytest.approx([row["revenue"] / revenue for row in rows])


def test_the_flow_has_a_band_for_each_move_and_columns_as_tall_as_their_customers(orders):
    moves = rm.customers.migrations(orders, **PAID, before="2024-06-30", after=AS_OF)
    axes = moves.plot()
    total = sum(row["customers"] for row in moves.rows())
    assert len(axes.collections) == len(moves.rows())
    for place in (0, 1):
        bars = [bar for bar in axes.patches if bar.get_x() + bar.get_width() / 2 == pytest.approx(place)]
        assert sum(bar.get_height() for bar in bars) == pytest.approx(total)
