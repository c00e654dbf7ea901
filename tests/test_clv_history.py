"""Transactions to purchase histories, in every engine, with nothing lost on the way."""

from __future__ import annotations

import datetime as dt
import math

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from frames import as_rows, as_sorted_rows
from reads import Reads
from retention_metrics.errors import ColumnError, InputError

COLUMNS = {"customer": "who", "time": "when", "value": "paid"}


@pytest.fixture
def orders() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "who": ["a", "a", "a", "b", "c", "c"],
            "when": pd.to_datetime(
                ["2024-01-01", "2024-01-01", "2024-01-15", "2024-01-08", "2024-01-02", "2024-01-30"]
            ),
            "paid": [10.0, 5.0, 20.0, 7.0, 30.0, 40.0],
        }
    )


# ---------------------------------------------------------------- what a history is


def test_a_history_counts_repeat_days_and_times_from_the_first(frame, orders):
    history = rm.clv.rfm_summary(frame(orders), **COLUMNS, as_of="2024-01-31")
    assert as_sorted_rows(history) == [
        ("a", 1.0, 14.0, 30.0, 20.0),
        ("b", 0.0, 0.0, 23.0, None),
        ("c", 1.0, 28.0, 29.0, 40.0),
    ]


def test_a_history_comes_back_in_the_callers_kind(frame, orders):
    given_frame = frame(orders)
    assert type(rm.clv.rfm_summary(given_frame, **COLUMNS).to_frame()) is type(given_frame)


def test_cdnow_counts_2457_repeat_days_in_calibration_and_1882_after(frame, cdnow):
    history = rm.clv.rfm_summary(
        frame(cdnow),
        customer="customer_id",
        time="date",
        value="amount",
        unit="week",
        calibration_end="1997-09-30",
        as_of="1998-06-30",
    )
    totals = {row["column"]: row["total"] for row in history.totals().rows()}
    assert (totals["frequency"], totals["frequency_holdout"]) == (2457, 1882)
    assert history.excluded == {}


def test_histories_agree_with_lifetimes(cdnow):
    from lifetimes_checked import rfm

    ours = rm.clv.rfm_summary(cdnow, customer="customer_id", time="date", value="amount", as_of="1998-06-30").frame
    theirs = rfm(cdnow, "customer_id", "date", "amount", "1998-06-30")
    for name in ("frequency", "recency", "T"):
        assert np.array_equal(ours[name], theirs[name])
    assert np.allclose(ours["monetary_value"].fillna(0), theirs["monetary_value"])


def test_calibration_of_272_days_from_new_year_to_the_end_of_september():
    log = pd.DataFrame({"who": [1], "when": [pd.Timestamp("1997-01-01")]})
    history = rm.clv.rfm_summary(log, customer="who", time="when", calibration_end="1997-09-30", as_of="1998-06-30")
    row = as_rows(history)[0]
    assert (row["T"], row["duration_holdout"]) == (272.0, 273.0)


@pytest.mark.parametrize(
    ("unit", "days"), [("hour", 1 / 24), ("day", 1), ("week", 7), ("month", 365.25 / 12), ("year", 365.25)]
)
def test_units_only_rescale_time(orders, unit, days):
    base = rm.clv.rfm_summary(orders, **COLUMNS, as_of="2024-01-31").frame
    scaled = rm.clv.rfm_summary(orders, **COLUMNS, unit=unit, as_of="2024-01-31").frame
    assert np.allclose(scaled["T"] * days, base["T"])
    assert np.allclose(scaled["recency"] * days, base["recency"])
    assert scaled["frequency"].equals(base["frequency"])


def brute_force(rows, as_of, cut):
    """Histories by dictionaries: what the docstring says, in plain Python."""
    answer = {}
    for who in sorted({who for who, _, _ in rows}):
        mine = [(day, paid) for w, day, paid in rows if w == who and day <= as_of]
        buys = sorted({day for day, paid in mine if paid >= 0 and day <= cut})
        if not buys:
            continue
        spent = sum(paid for day, paid in mine if day <= cut)
        first = sum(paid for day, paid in mine if day == buys[0])
        later = {day for day, paid in mine if paid >= 0 and day > cut}
        after = sum(paid for day, paid in mine if day > cut)
        repeats = len(buys) - 1
        answer[who] = (
            repeats,
            (buys[-1] - buys[0]).days,
            (cut - buys[0]).days,
            (spent - first) / repeats if repeats else None,
            len(later),
            after / len(later) if later else None,
            (as_of - cut).days,
        )
    return answer


transactions = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.dates(dt.date(2024, 1, 1), dt.date(2024, 3, 31)),
        st.integers(-20, 100).map(float),
    ),
    min_size=1,
    max_size=50,
)


@given(rows=transactions, cut=st.dates(dt.date(2024, 1, 15), dt.date(2024, 3, 1)))
def test_histories_agree_with_dictionaries(rows, cut):
    as_of = dt.date(2024, 3, 20)
    expected = brute_force(rows, as_of, cut)
    log = pd.DataFrame(rows, columns=["who", "when", "paid"]).assign(when=lambda f: pd.to_datetime(f["when"]))
    usable = log["when"].dt.date <= as_of
    if not usable.any():
        return
    call = {**COLUMNS, "calibration_end": cut, "as_of": as_of}
    for kind in (log, pl.from_pandas(log).lazy()):
        history = rm.clv.rfm_summary(kind, **call)
        found = {row[0]: row[1:] for row in as_sorted_rows(history)}
        assert found.keys() == expected.keys()
        for who, row in expected.items():
            assert found[who] == tuple(None if cell is None else pytest.approx(cell, abs=1e-8) for cell in row)
        counted = sum(row[0] in expected and row[1] <= as_of for row in rows)
        assert counted + sum(history.excluded.values()) == len(rows)


@given(transactions)
def test_the_order_of_rows_does_not_matter(rows):
    log = pd.DataFrame(rows, columns=["who", "when", "paid"]).assign(when=lambda f: pd.to_datetime(f["when"]))
    if not (log["paid"] >= 0).any():
        return
    shuffled = log.sample(frac=1, random_state=2005)
    assert as_sorted_rows(rm.clv.rfm_summary(log, **COLUMNS)) == as_sorted_rows(rm.clv.rfm_summary(shuffled, **COLUMNS))


# ---------------------------------------------------------------- returns, weeks, mid-life logs


def test_money_that_flows_back_is_no_purchase():
    log = pd.DataFrame(
        {
            "who": ["a"] * 3,
            "when": pd.to_datetime(["2024-01-01", "2024-01-10", "2024-01-20"]),
            "paid": [50.0, 30.0, -10.0],
        }
    )
    net = rm.clv.rfm_summary(log, **COLUMNS)
    assert as_sorted_rows(net) == [("a", 1.0, 9.0, 19.0, 20.0)]
    assert any("1 rows of negative value" in note for note in net.notes)
    assert as_sorted_rows(rm.clv.rfm_summary(log, **COLUMNS, returns="exclude"))[0][4] == 30.0
    with pytest.raises(InputError, match="below zero in 1 rows"):
        rm.clv.rfm_summary(log, **COLUMNS, returns="raise")


def test_customers_with_nothing_but_returns_are_counted_out(frame, orders):
    log = pd.concat(
        [orders, pd.DataFrame({"who": ["z"], "when": [pd.Timestamp("2024-01-03")], "paid": [-5.0]})],
        ignore_index=True,
    )
    history = rm.clv.rfm_summary(frame(log), **COLUMNS)
    assert history.excluded == {"no_purchase": 1}
    assert len(as_rows(history)) == 3


def test_free_purchases_count(cdnow_master):
    free = int((cdnow_master["amount"] == 0).sum())
    assert free == 80
    history = rm.clv.rfm_summary(cdnow_master, customer="customer_id", time="date", value="amount")
    without = rm.clv.rfm_summary(cdnow_master, customer="customer_id", time="date")
    assert history.frame["frequency"].sum() == without.frame["frequency"].sum()


def test_purchases_of_one_week_can_count_once(orders):
    history = rm.clv.rfm_summary(orders, **COLUMNS, collapse="week", unit="week", as_of="2024-01-31")
    assert [row[:4] for row in as_sorted_rows(history)] == [
        ("a", 1.0, 2.0, 4.0),
        ("b", 0.0, 0.0, 3.0),
        ("c", 1.0, 4.0, 4.0),
    ]


def test_customers_older_than_since_leave_with_their_rows_counted(frame, orders):
    history = rm.clv.rfm_summary(frame(orders), **COLUMNS, since="2024-01-02")
    assert history.excluded == {"first_seen_before_since": 3}
    assert sorted(row["who"] for row in as_rows(history)) == ["b", "c"]


def test_customers_won_after_calibration_are_counted_out(frame, orders):
    history = rm.clv.rfm_summary(frame(orders), **COLUMNS, calibration_end="2024-01-05", as_of="2024-01-31")
    assert history.excluded == {"first_purchase_after_calibration": 1}


def test_calibration_cannot_end_after_observation(orders):
    with pytest.raises(InputError, match="calibration_end"):
        rm.clv.rfm_summary(orders, **COLUMNS, calibration_end="2024-03-01", as_of="2024-02-01")


# ---------------------------------------------------------------- dates


def test_iso_text_is_read_alike_in_every_engine(frame, orders):
    text = orders.assign(when=orders["when"].dt.strftime("%Y-%m-%d"))
    assert as_sorted_rows(rm.clv.rfm_summary(frame(text), **COLUMNS)) == as_sorted_rows(
        rm.clv.rfm_summary(orders, **COLUMNS)
    )


@pytest.mark.parametrize("text", ["15/01/2024", "2024-02-30", "2024-13-01", "yesterday", "2024-01-05T10:00:00Z", ""])
def test_unreadable_dates_are_counted_and_shown(frame, orders, text):
    log = orders.assign(when=orders["when"].dt.strftime("%Y-%m-%d"))
    log.loc[4, "when"] = text
    with pytest.raises(InputError, match=r"holds 1 unreadable dates of 6 rows") as caught:
        rm.clv.rfm_summary(frame(log), **COLUMNS)
    assert caught.value.count == 1
    assert caught.value.first == (text,)


def test_unreadable_dates_name_their_rows(orders):
    log = orders.assign(when=orders["when"].dt.strftime("%Y-%m-%d"))
    log.loc[4, "when"] = "never"
    with pytest.raises(InputError, match="row 4: 'never'"):
        rm.clv.rfm_summary(log, **COLUMNS)


@pytest.mark.parametrize("year", [1900, 1969, 2000, 2023, 2024, 2100])
def test_leap_years_are_those_of_the_calendar(year):
    leap = (dt.date(year, 12, 31) - dt.date(year, 1, 1)).days == 365
    log = pd.DataFrame({"who": ["a"], "when": [f"{year}-02-29"]})
    if leap:
        assert len(as_rows(rm.clv.rfm_summary(log, customer="who", time="when"))) == 1
    else:
        with pytest.raises(InputError, match="unreadable"):
            rm.clv.rfm_summary(log, customer="who", time="when")


def test_date_objects_are_dates(orders):
    plain = orders.assign(when=orders["when"].dt.date.astype(object))
    assert as_sorted_rows(rm.clv.rfm_summary(plain, **COLUMNS)) == as_sorted_rows(rm.clv.rfm_summary(orders, **COLUMNS))


def test_mixed_time_zones_are_refused(orders):
    stamps = [pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-01", tz="Asia/Tokyo"), *orders["when"][2:]]
    with pytest.raises(InputError, match="mixes time zones"):
        rm.clv.rfm_summary(orders.assign(when=pd.Series(stamps, dtype=object)), **COLUMNS)


def test_an_as_of_with_a_time_leaves_out_what_came_later_that_day(frame):
    log = pd.DataFrame({"who": ["a", "a"], "when": pd.to_datetime(["2024-01-01 09:00", "2024-01-02 18:00"])})
    bare = rm.clv.rfm_summary(frame(log), customer="who", time="when", as_of="2024-01-02")
    noon = rm.clv.rfm_summary(frame(log), customer="who", time="when", as_of="2024-01-02 12:00")
    assert (bare.excluded, noon.excluded) == ({}, {"after_as_of": 1})
    assert as_sorted_rows(noon) == [("a", 0.0, 0.0, 1.0)]


def test_integers_are_no_dates(orders):
    with pytest.raises(ColumnError, match="holds dates or datetimes"):
        rm.clv.rfm_summary(orders.assign(when=20240101), **COLUMNS)


@pytest.mark.parametrize("as_of", ["soon", 20240101, float("nan"), pd.NaT])
def test_an_as_of_that_is_no_date_is_refused(orders, as_of):
    with pytest.raises(InputError, match="as_of"):
        rm.clv.rfm_summary(orders, **COLUMNS, as_of=as_of)


# ---------------------------------------------------------------- bad input


def test_missing_customers_times_and_values_are_counted(frame, orders):
    log = orders.copy()
    log.loc[0, "who"], log.loc[2, "when"], log.loc[3, "paid"] = None, pd.NaT, math.nan
    history = rm.clv.rfm_summary(frame(log), **COLUMNS)
    assert history.excluded == {"missing_customer": 1, "missing_time": 1, "missing_value": 1}


def test_infinite_values_are_refused(frame, orders):
    with pytest.raises(InputError, match="finite"):
        rm.clv.rfm_summary(frame(orders.assign(paid=[1, 2, math.inf, 4, 5, 6.0])), **COLUMNS)


def test_a_frame_without_rows_is_refused(frame, orders):
    with pytest.raises(InputError, match="no rows"):
        rm.clv.rfm_summary(frame(orders.head(0)), **COLUMNS)


def test_a_frame_whose_rows_are_all_excluded_is_refused(frame, orders):
    with pytest.raises(InputError, match="after_as_of 6"):
        rm.clv.rfm_summary(frame(orders), **COLUMNS, as_of="2020-01-01")


def test_a_missing_column_answers_with_the_nearest(frame, orders):
    with pytest.raises(ColumnError, match="Did you mean 'who'"):
        rm.clv.rfm_summary(frame(orders), customer="hwo", time="when")


def test_the_customer_column_cannot_be_called_like_an_answer(orders):
    with pytest.raises(ColumnError, match="frequency"):
        rm.clv.rfm_summary(orders.rename(columns={"who": "frequency"}), customer="frequency", time="when")


def test_twin_columns_are_refused(orders):
    twins = pd.concat([orders, orders[["who"]]], axis=1)
    with pytest.raises(ColumnError, match="more than once"):
        rm.clv.rfm_summary(twins, **COLUMNS)


@pytest.mark.parametrize(("argument", "value"), [("unit", "fortnight"), ("collapse", "hour"), ("returns", "ignore")])
def test_unknown_options_name_the_known_ones(orders, argument, value):
    with pytest.raises(InputError, match="is one of"):
        rm.clv.rfm_summary(orders, **COLUMNS, **{argument: value})


# ---------------------------------------------------------------- laziness


@pytest.fixture
def reads(orders) -> Reads:
    return Reads(pl.from_pandas(orders.assign(note="never read")))


def test_a_lazy_log_is_read_once_for_the_audit_and_for_its_columns_alone(reads):
    history = rm.clv.rfm_summary(reads.scan(), **COLUMNS)
    assert reads.columns == [["paid", "when", "who"]]
    assert history.excluded == {}
    assert isinstance(history.frame, pl.LazyFrame)
    assert len(reads.columns) == 1
    assert history.frame.collect().height == 3


def test_without_an_audit_a_lazy_log_is_not_read_at_all(reads):
    history = rm.clv.rfm_summary(reads.scan(), **COLUMNS, as_of="2024-01-31", audit=False)
    assert (reads.columns, history.excluded) == ([], None)
    with pytest.raises(InputError, match="as_of"):
        rm.clv.rfm_summary(reads.scan(), **COLUMNS, audit=False)


def test_showing_a_lazy_table_does_not_run_it(reads):
    history = rm.clv.rfm_summary(reads.scan(), **COLUMNS)
    assert "lazy" in history._repr_html_()
    assert len(reads.columns) == 1


def test_predicting_on_a_lazy_history_reads_it_once_and_stays_lazy(reads):
    history = rm.clv.rfm_summary(reads.scan(), **COLUMNS)
    model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    before = len(reads.columns)
    predicted = model.predict(history, horizon=39)
    assert isinstance(predicted.frame, pl.LazyFrame)
    assert len(reads.columns) <= before + 1


def test_duckdb_keeps_the_users_table_in_the_plan(orders):
    connection = duckdb.connect()
    connection.execute("create table user_orders as select * from orders")
    history = rm.clv.rfm_summary(connection.table("user_orders"), **COLUMNS)
    assert isinstance(history.frame, duckdb.DuckDBPyRelation)
    assert "user_orders" in history.frame.explain()
    model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    assert "user_orders" in model.predict(history, horizon=39).frame.explain()


# ---------------------------------------------------------------- a table that is there already


def test_a_table_of_histories_is_adopted_with_its_unit(frame):
    table = frame(pd.DataFrame({"x": [2, 0], "t_x": [30.43, 0.0], "T": [38.86, 38.86]}))
    history = rm.clv.history(table, unit="week", frequency="x", recency="t_x")
    assert (history.unit, history.frequency, history.monetary_value) == ("week", "x", None)
    assert history.frame is table
    model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    expected = {row["x"]: row["expected_purchases"] for row in as_rows(model.predict(history, horizon=39))}
    assert expected[2] == pytest.approx(1.2260282, abs=1e-6)


def test_a_table_without_its_columns_is_refused():
    with pytest.raises(ColumnError, match="recency"):
        rm.clv.history(pd.DataFrame({"frequency": [1], "T": [2.0]}), unit="week")
