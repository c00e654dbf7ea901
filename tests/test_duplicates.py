"""Rows that repeat another one in full: an error, a counted exclusion, or a purchase like any other with a note."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from frames import as_rows, as_sorted_rows
from retention_metrics import churn, customers, retention, revenue
from retention_metrics.errors import InputError

# ---------------------------------------------------------------- subscriptions

PLANS = {"customer": "who", "start": "from", "end": "until"}
WINDOW = {"window": ("2024-02-01", "2024-03-01")}


def plans(copies):
    rows = [("a", "2024-01-01", "2024-02-10"), ("b", "2024-01-05", None), ("c", "2024-02-03", None)]
    rows += [rows[0]] * copies + [rows[1]] * copies
    log = pd.DataFrame(rows, columns=["who", "from", "until"]).assign(price=10.0, why="price", side="x")
    return log.astype({"from": "datetime64[us]", "until": "datetime64[us]"})


PRESENT = {
    "by_period": lambda log: churn.by_period(log, **PLANS, as_of="2024-03-31"),
    "by_period by group": lambda log: churn.by_period(log, **PLANS, by="side", as_of="2024-03-31"),
    "in_window": lambda log: churn.in_window(log, **PLANS, **WINDOW),
    "reconcile": lambda log: churn.reconcile(log, **PLANS, **WINDOW),
    "reconciled_customers": lambda log: churn.reconciled_customers(log, **PLANS, **WINDOW),
    "reasons": lambda log: churn.reasons(log, **PLANS, reason="why", as_of="2024-03-31"),
    "from_subscriptions": lambda log: retention.from_subscriptions(log, **PLANS, as_of="2024-03-31"),
}


@pytest.mark.parametrize("ask", PRESENT.values(), ids=PRESENT)
def test_who_is_there_twice_is_there_once_and_the_copies_are_counted(frame, ask):
    twice, once = ask(frame(plans(2))), ask(frame(plans(0)))
    assert dict(twice.excluded) == {"duplicate_row": 4}
    assert "duplicate_row" not in once.excluded
    assert as_sorted_rows(twice.to_frame()) == as_sorted_rows(once.to_frame())


MONEY = {**PLANS, "amount": "price"}
PRICED = {
    "movements": lambda log: revenue.movements(log, **MONEY),
    "customer_movements": lambda log: revenue.customer_movements(log, **MONEY),
    "by_cohort": lambda log: revenue.by_cohort(log, **MONEY),
    "quick_ratio": lambda log: revenue.quick_ratio(log, **MONEY),
    "net_retention": lambda log: revenue.net_retention(log, **MONEY, at=("2024-01-31", "2024-02-29")),
    "gross_retention": lambda log: revenue.gross_retention(log, **MONEY, at=("2024-01-31", "2024-02-29")),
    "logo_retention": lambda log: revenue.logo_retention(log, **MONEY, at=("2024-01-31", "2024-02-29")),
    "expansion": lambda log: revenue.expansion(log, **MONEY, product="side"),
    "invoices": lambda log: revenue.movements_from_invoices(
        log.dropna() if isinstance(log, pd.DataFrame) else log, **MONEY
    ),
    "reasons": lambda log: churn.reasons(log, **PLANS, reason="why", revenue="price"),
}


@pytest.mark.parametrize("ask", PRICED.values(), ids=PRICED)
def test_a_price_is_not_added_twice(frame, ask):
    with pytest.raises(InputError, match=r"data holds \d rows that repeat another one in full") as caught:
        ask(frame(plans(1)))
    assert caught.value.argument == "data"


@pytest.mark.parametrize("ask", [revenue.net_retention, revenue.gross_retention, revenue.logo_retention])
def test_a_customer_has_one_row_of_two_amounts(frame, ask):
    amounts = {"opening": "before", "closing": "after"}
    accounts = pd.DataFrame({"who": ["a", "b", "a", None, None], "before": [100.0, 50, 100, 30, 30], "after": 80.0})
    assert ask(frame(accounts.iloc[:2]), customer="who", **amounts) == ask(frame(accounts.iloc[:2]), **amounts)
    with pytest.raises(InputError, match="customer='who' names a row once; 1 rows name one that is named before"):
        ask(frame(accounts.iloc[:3]), customer="who", **amounts)
    found = ask(frame(accounts.iloc[[0, 1, 3, 4]]), customer="who", **amounts)
    assert dict(found.excluded) == {"missing_customer": 2}
    assert found.estimate == ask(frame(accounts.iloc[:2]), **amounts).estimate


# ---------------------------------------------------------------- purchases

ORDERS = {"customer": "who", "time": "when"}
BOUGHT = {**ORDERS, "value": "paid"}


def orders(copies):
    """Three rows are repeated; on one day there are two purchases of one price at different hours, which are not."""
    rows = [
        ("a", "2024-01-03 08:00", 10.0),
        ("a", "2024-01-03 09:00", 10.0),
        ("a", "2024-02-07 08:00", 25.0),
        ("a", "2024-03-09 08:00", 5.0),
        ("b", "2024-01-10 08:00", 40.0),
        ("b", "2024-02-11 08:00", 30.0),
        ("c", "2024-01-15 08:00", 7.0),
        ("c", "2024-03-20 08:00", 8.0),
        ("d", "2024-02-21 08:00", 60.0),
    ]
    rows += [rows[place] for place in (0, 5, 8)] * copies
    return pd.DataFrame(rows, columns=["who", "when", "paid"]).assign(
        when=lambda log: log["when"].astype("datetime64[us]"), side="x"
    )


SHARE = {**BOUGHT, "window": ("2024-02-01", "2024-04-01")}
TABLES = {
    "summary": lambda log, **how: customers.summary(log, **BOUGHT, as_of="2024-03-31", **how),
    "summary without money": lambda log, **how: customers.summary(log, **ORDERS, as_of="2024-03-31", **how),
    "segments": lambda log, **how: customers.segments(log, **BOUGHT, as_of="2024-03-31", **how),
    "at_risk": lambda log, **how: customers.at_risk(log, **BOUGHT, as_of="2024-03-31", **how),
    "audiences": lambda log, **how: customers.audiences(log, **BOUGHT, as_of="2024-03-31", **how),
}
ANSWERS = {
    "average_order_value": lambda log, **how: customers.average_order_value(log, **BOUGHT, **how),
    "average_order_value by group": lambda log, **how: customers.average_order_value(log, **BOUGHT, by="side", **how),
    "migrations": lambda log, **how: customers.migrations(
        log, **BOUGHT, before="2024-02-29", after="2024-03-31", **how
    ),
    "spend_by_age": lambda log, **how: customers.spend_by_age(log, **BOUGHT, period="month", **how),
    "returning_share": lambda log, **how: revenue.returning_share(log, **SHARE, **how),
    "existing_share": lambda log, **how: revenue.existing_share(log, **SHARE, **how),
    "predictable_share": lambda log, **how: revenue.predictable_share(log, **SHARE, **how),
    "cohorts": lambda log, **how: retention.cohorts(log, **BOUGHT, as_of="2024-03-31", **how),
}
NOTE = "3 rows repeat another one in full, and count like any other"


@pytest.mark.parametrize("ask", [*TABLES.values(), *ANSWERS.values()], ids=[*TABLES, *ANSWERS])
def test_copies_of_purchases_are_left_out_and_counted_or_refused(frame, ask):
    left_out, without = ask(frame(orders(1)), duplicates="exclude"), ask(frame(orders(0)))
    assert dict(left_out.excluded) == {"duplicate_row": 3}
    assert as_sorted_rows(left_out.to_frame()) == as_sorted_rows(without.to_frame())
    assert not any("repeat" in note for note in (*left_out.notes, *without.notes))
    with pytest.raises(InputError, match=r"data holds 3 rows that repeat another one in full.*duplicates='exclude'"):
        ask(frame(orders(1)), duplicates="raise")
    assert as_sorted_rows(ask(frame(orders(0)), duplicates="raise").to_frame()) == as_sorted_rows(without.to_frame())
    with pytest.raises(InputError, match="duplicates"):
        ask(frame(orders(0)), duplicates="drop")


@pytest.mark.parametrize("ask", ANSWERS.values(), ids=ANSWERS)
def test_two_purchases_alike_both_count_and_a_note_says_how_many_there_are(frame, ask):
    found = ask(frame(orders(1)))
    assert any(note.startswith(NOTE) for note in found.notes)
    assert "duplicate_row" not in found.excluded


@pytest.mark.parametrize("ask", TABLES.values(), ids=TABLES)
def test_a_table_in_memory_says_how_many_rows_repeat_and_a_plan_is_not_run_for_it(frame, ask):
    log = frame(orders(1))
    lazy = not isinstance(log, pd.DataFrame | pl.DataFrame | pa.Table)
    assert any(note.startswith(NOTE) for note in ask(log).notes) is not lazy


def test_by_default_a_repeated_row_is_one_more_order_on_the_same_day(frame):
    rows = {row["who"]: row for row in as_rows(customers.summary(frame(orders(1)), **BOUGHT))}
    assert [rows[who]["orders"] for who in "abcd"] == [5, 3, 2, 2]
    assert [rows[who]["purchases"] for who in "abcd"] == [3, 2, 2, 1]
    assert [rows[who]["revenue"] for who in "abcd"] == [60.0, 100.0, 15.0, 120.0]


def test_an_unaudited_plan_leaves_copies_out_without_counting_them():
    log = pl.from_pandas(orders(1)).lazy()
    table = customers.summary(log, **BOUGHT, as_of="2024-03-31", audit=False, duplicates="exclude")
    assert table.excluded is None
    assert table.frame.collect()["orders"].sum() == 9


PRESENCE = {
    "repeat_rate": lambda log: customers.repeat_rate(log, **ORDERS),
    "purchase_frequency": lambda log: customers.purchase_frequency(log, **ORDERS),
    "by_period": lambda log: retention.by_period(log, **ORDERS),
    "cohorts": lambda log: retention.cohorts(log, **ORDERS),
    "day_n": lambda log: retention.day_n(log, **ORDERS),
}


@pytest.mark.parametrize("ask", PRESENCE.values(), ids=PRESENCE)
def test_who_is_seen_twice_on_one_day_is_seen_once(frame, ask):
    assert ask(frame(orders(2))) == ask(frame(orders(0)))
