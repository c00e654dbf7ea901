"""The definitions of churn: where each pair differs, side by side, by customer, and why customers left."""

from __future__ import annotations

import datetime as dt
import itertools
from fractions import Fraction
from typing import get_args

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retention_metrics as rm
from churn_twin import DEFINITIONS, churn, facts, spells_of
from frames import CONVERT, as_rows, as_sorted_rows
from leaving_out import ratio_ends
from retention_metrics.churn.definitions import DEFINITIONS as TABLE
from retention_metrics.churn.definitions import DefinitionName
from retention_metrics.errors import ColumnError, InputError

ROLES = {"customer": "who", "start": "from", "end": "until"}
MARCH = ("2024-03-01", "2024-04-01")
PAIRS = list(itertools.combinations(DEFINITIONS, 2))
few = settings(max_examples=40)  # each draws a whole log


def plans(rows, columns=("who", "from", "until")):
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in ("from", "until"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def case(table, name):
    stay = [[f"stay{n}", "2024-01-01", None] for n in (1, 2, 3)]
    return plans(stay + [[who, start, end or None] for who, start, end in table.cases[name]["rows"]])


def shop():
    """100 at the start; 10 of them leave and 1 returns; 30 join and 5 of them leave."""
    rows = [(f"old{n}", "2024-01-01", None) for n in range(90)]
    rows += [(f"gone{n}", "2024-01-01", "2024-03-10") for n in range(9)]
    rows += [("back", "2024-01-01", "2024-03-05"), ("back", "2024-03-20", None)]
    rows += [(f"new{n}", "2024-03-08", None) for n in range(25)]
    rows += [(f"brief{n}", "2024-03-08", "2024-03-25") for n in range(5)]
    return plans(rows)


@st.composite
def logs(draw):
    """Random intervals of a few customers around March 2024."""
    rows = []
    for _ in range(draw(st.integers(1, 14))):
        start = dt.date(2024, 1, 15) + dt.timedelta(days=draw(st.integers(0, 80)))
        length = draw(st.none() | st.integers(1, 12) | st.integers(1, 80))
        rows.append((draw(st.sampled_from("abcde")), start, None if length is None else start + dt.timedelta(length)))
    return rows


# ---------------------------------------------------------------- pairs


def test_the_definitions_are_those_that_the_signature_names():
    assert tuple(TABLE) == get_args(DefinitionName) == DEFINITIONS


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=lambda name: name)
def test_every_pair_of_definitions_differs_in_a_case(a, b, reference):
    table = reference("churn_definitions")
    name = table.differ[a][b]
    rates = [rm.churn.in_window(case(table, name), **ROLES, window=MARCH, definition=one).estimate for one in (a, b)]
    assert rates == [float(Fraction(table.cases[name]["rates"][one])) for one in (a, b)]
    assert rates[0] != rates[1]


@pytest.mark.parametrize("name", ["returner", "joiner", "growth", "left_twice", "old_returner"])
def test_each_case_is_what_its_formulas_say(name, reference):
    table = reference("churn_definitions")
    found = {row["definition"]: row for row in rm.churn.reconcile(case(table, name), **ROLES, window=MARCH).rows()}
    assert list(found) == list(DEFINITIONS)
    for definition, text in table.cases[name]["rates"].items():
        assert found[definition]["rate"] == pytest.approx(float(Fraction(text)), abs=1e-12), definition


@pytest.mark.parametrize(
    ("definition", "numerator", "denominator"),
    [
        ("standard", 9, 100),
        ("chartmogul", 9, 100),
        ("stripe", 15, 130),
        ("gross", 10, 100),
        ("midpoint", 15, 108),
        ("all_over_start", 15, 100),
        ("baremetrics", 15, 100),
        ("profitwell", 10, 100),
        ("recurly", 14, 100),
    ],
)
def test_one_shop_under_nine_definitions(frame, definition, numerator, denominator):
    found = rm.churn.in_window(frame(shop()), **ROLES, window=MARCH, definition=definition)
    assert (found.numerator, found.denominator) == (numerator, denominator)
    assert found.estimate == numerator / denominator


# ---------------------------------------------------------------- side by side


@few
@given(rows=logs())
def test_the_reconciliation_is_what_sets_of_customers_say(rows):
    window = (dt.date(2024, 3, 1), dt.date(2024, 4, 1))
    as_of = dt.date(2025, 1, 1)
    frame = pl.from_pandas(plans(rows))
    table = rm.churn.reconcile(frame, **ROLES, window=window, as_of=as_of)
    spells = spells_of(rows, as_of)
    for row in table.rows():
        assert (row["numerator"], row["denominator"]) == churn(spells, *window, row["definition"])
        one = rm.churn.in_window(frame, **ROLES, window=window, as_of=as_of, definition=row["definition"])
        assert (row["rate"], row["status"]) == (one.estimate, one.status)
        if one.interval:
            assert (row["low"], row["high"], row["method"]) == (
                one.interval.low,
                one.interval.high,
                one.interval.method,
            )
    known = facts(spells, *window)
    assert (table.start_customers, table.end_customers) == (len(known["start"]), len(known["end"]))
    assert (table.joined, table.endings) == (len(known["joined"]), len(known["endings"]))


@few
@given(rows=logs())
def test_what_customers_add_is_each_numerator(rows):
    window = (dt.date(2024, 3, 1), dt.date(2024, 4, 1))
    as_of = dt.date(2025, 1, 1)
    frame = pl.from_pandas(plans(rows))
    table = rm.churn.reconcile(frame, **ROLES, window=window, as_of=as_of)
    customers = rm.churn.reconciled_customers(frame, **ROLES, window=window, as_of=as_of)
    listed = {row["who"]: row for row in as_rows(customers)}
    for row in table.rows():
        assert sum(each[f"counted_by_{row['definition']}"] for each in listed.values()) == row["numerator"]
    known = facts(spells_of(rows, as_of), *window)
    moved = known["joined"] | known["came_back"] | {who for who, _ in known["endings"]}
    assert set(listed) == moved
    for name in ("joined", "came_back"):
        assert {who for who, row in listed.items() if row[name]} == known[name]
    for name, there in (("in_start", known["start"]), ("in_end", known["end"])):
        assert {who for who, row in listed.items() if row[name]} == there & moved


def test_the_customers_behind_a_difference(frame):
    table = rm.churn.reconciled_customers(frame(shop()), **ROLES, window=MARCH)
    rows = {row["who"]: row for row in as_rows(table)}
    assert len(rows) == 9 + 1 + 25 + 5
    back, brief, new = (rows[name] for name in ("back", "brief0", "new0"))
    assert (back["in_start"], back["in_end"], back["came_back"], back["endings"]) == (True, True, True, 1)
    assert (back["counted_by_gross"], back["counted_by_standard"], back["counted_by_chartmogul"]) == (1, 0, 0)
    assert (brief["joined"], brief["counted_by_stripe"], brief["counted_by_profitwell"]) == (True, 1, 0)
    assert (new["joined"], new["endings"], new["in_end"]) == (True, 0, True)


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("pandas", pd.DataFrame),
        ("polars", pl.DataFrame),
        ("lazy", pl.LazyFrame),
        ("pyarrow", pa.Table),
        ("duckdb", duckdb.DuckDBPyRelation),
    ],
)
def test_the_customers_come_in_the_callers_kind_of_frame(kind, type_):
    table = rm.churn.reconciled_customers(CONVERT[kind](shop()), **ROLES, window=MARCH)
    assert isinstance(table.to_frame(), type_)
    expected = rm.churn.reconciled_customers(shop(), **ROLES, window=MARCH)
    assert as_sorted_rows(table) == as_sorted_rows(expected)


def test_an_unfinished_window_has_counts_but_no_rates():
    table = rm.churn.reconcile(shop(), **ROLES, window=MARCH, as_of="2024-03-12")
    assert {row["status"] for row in table.rows()} == {"incomplete"}
    assert {row["rate"] for row in table.rows()} == {None}
    assert table.endings == 10
    assert "not observed to its end" in table.notes[0]


@pytest.mark.parametrize("name", ["in_start", "joined", "endings", "counted_by_stripe"])
def test_a_customer_column_with_the_name_of_an_answer_is_refused(frame, name):
    log = shop().rename(columns={"who": name})
    with pytest.raises(ColumnError, match="also the name of a column of the answer") as caught:
        rm.churn.reconciled_customers(frame(log), **{**ROLES, "customer": name}, window=MARCH)
    assert (caught.value.argument, caught.value.column) == ("customer", name)


# ---------------------------------------------------------------- reasons


def with_reasons():
    rows = [(f"c{n}", "2024-01-01", None, None, 10.0) for n in range(10)]
    rows += [(f"p{n}", "2024-01-01", "2024-02-10", "price", 20.0) for n in range(3)]
    rows += [("x", "2024-01-01", "2024-02-12", "card expired", 30.0), ("q", "2024-01-01", "2024-02-20", None, 5.0)]
    rows += [("r", "2024-01-01", "2024-02-05", "price", 7.0), ("r", "2024-02-09", None, None, 7.0)]
    rows += [("t", "2024-01-01", "2024-03-08", "price", 1.0), ("t", "2024-01-05", "2024-03-08", "price", 2.0)]
    return plans(rows, ("who", "from", "until", "why", "mrr"))


def test_reasons_of_those_who_stayed_away(frame):
    table = rm.churn.reasons(frame(with_reasons()), **ROLES, reason="why", revenue="mrr", as_of="2024-03-31")
    rows = {(row["period"].month, row["reason"]): row for row in table.rows()}
    february = {reason: rows[2, reason] for reason in ("card expired", "price", None)}
    assert {reason: row["customers"] for reason, row in february.items()} == {"card expired": 1, "price": 3, None: 1}
    money = {reason: row["revenue_lost"] for reason, row in february.items()}
    assert money == {"card expired": 30, "price": 60, None: 5}
    assert {row["rate"] for row in february.values()} == {1 / 17, 3 / 17}
    assert rows[2, "price"]["share"] == pytest.approx(3 / 5)
    assert (rows[3, "price"]["customers"], rows[3, "price"]["revenue_lost"]) == (1, 3.0)
    for reason, amounts in {"price": [20.0] * 3, None: [5.0]}.items():
        low, high = ratio_ends(np.ones(17), np.pad(amounts, (0, 17 - len(amounts))))
        ends = [february[reason][f"revenue_lost_{name}"] for name in ("low", "high")]
        assert ends == pytest.approx([17 * low, 17 * high])
    assert rows[3, "card expired"]["revenue_lost_low"] is None
    assert rows[1, "price"]["status"] == "no_customers"
    assert table.notes == ("1 lost customers gave no reason.",)


def test_the_shares_of_a_period_hold_together_or_each_for_itself():
    options = {**ROLES, "reason": "why", "as_of": "2024-03-31"}
    together = rm.churn.reasons(with_reasons(), **options).rows()[4]
    alone = rm.churn.reasons(with_reasons(), **options, method="wilson").rows()[4]
    share = rm.churn.rate(start=5, lost=3, level=1 - 0.05 / 3).interval
    assert (together["low"], together["high"]) == pytest.approx((share.low, share.high))
    assert together["low"] < alone["low"] < alone["high"] < together["high"]
    assert alone["low"] == pytest.approx(rm.churn.rate(start=5, lost=3).interval.low)


@few
@given(rows=logs(), names=st.lists(st.sampled_from(["price", "card", None]), min_size=14, max_size=14))
def test_the_reasons_of_a_period_add_up_to_its_churn(rows, names):
    frame = pl.from_pandas(plans(rows)).with_columns(pl.Series("why", names[: len(rows)], dtype=pl.String))
    options = {**ROLES, "as_of": dt.date(2024, 8, 31)}
    listed = rm.churn.reasons(frame, **options, reason="why").rows()
    for row in rm.churn.by_period(frame, **options).rows():
        same = [each for each in listed if each["period"] == row["period"]]
        if same:
            assert sum(each["customers"] for each in same) == row["lost"] == same[0]["lost"]
        else:
            assert row["lost"] == 0
        if row["rate"] is not None and same:
            assert sum(each["rate"] for each in same) == pytest.approx(row["rate"])


def test_the_rate_of_a_reason_has_wilson_s_interval():
    price = rm.churn.reasons(with_reasons(), **ROLES, reason="why", as_of="2024-03-31").rows()[4]
    assert (price["customers"], price["start_customers"]) == (3, 17)
    wilson = rm.churn.rate(start=17, lost=3).interval
    assert (price["rate_low"], price["rate_high"]) == pytest.approx((wilson.low, wilson.high))
    bare = rm.churn.reasons(with_reasons(), **ROLES, reason="why", as_of="2024-03-31", level=None).rows()[4]
    assert (bare["rate_low"], bare["rate_high"], bare["rate"]) == (None, None, price["rate"])


# ---------------------------------------------------------------- by group


def sided(frame):
    return frame.assign(side=["left" if place % 3 else "right" for place in range(len(frame))])


def test_a_window_by_group_is_each_group_s_own_window(frame):
    log = sided(shop())
    for definition in ("standard", "stripe", "midpoint"):
        table = rm.churn.in_window(frame(log), **ROLES, window=MARCH, by="side", definition=definition)
        assert [row["group"] for row in table.rows()] == ["left", "right"]
        for row in table.rows():
            own = rm.churn.in_window(log[log["side"] == row["group"]], **ROLES, window=MARCH, definition=definition)
            assert (row["rate"], row["low"], row["high"]) == (own.estimate, own.interval.low, own.interval.high)
            assert (row["numerator"], row["denominator"]) == (own.numerator, own.denominator)


def test_the_definitions_by_group_are_those_of_each_group(frame):
    log = sided(shop())
    table = rm.churn.reconcile(frame(log), **ROLES, window=MARCH, by="side")
    each = {side: rm.churn.reconcile(log[log["side"] == side], **ROLES, window=MARCH) for side in ("left", "right")}
    assert list(table.rows()) == [{"group": side, **row} for side, own in each.items() for row in own.rows()]
    for name in ("start_customers", "end_customers", "joined", "endings"):
        assert getattr(table, name) == sum(getattr(own, name) for own in each.values())
    assert table.explain().values["numerator_stripe"] == 15


def test_reasons_by_group_are_those_of_each_group(frame):
    log = sided(with_reasons())
    options = {**ROLES, "reason": "why", "revenue": "mrr", "as_of": "2024-03-31", "method": "wilson"}
    table = rm.churn.reasons(frame(log), **options, by="side")
    for side in ("left", "right"):
        own = rm.churn.reasons(log[log["side"] == side], **options).rows()
        theirs = [row for row in table.rows() if row["group"] == side]
        found = {(row["period"], row["reason"]): row for row in theirs}
        for row in own:
            assert found[row["period"], row["reason"]] == {"group": side, **row}
        assert sum(row["customers"] for row in theirs) == sum(row["customers"] for row in own)
    last = table.explain()
    assert 0 < last.evaluate()["share"] <= 1


def test_who_is_in_two_groups_is_counted_in_each_and_said():
    log = plans(
        [("a", "2024-01-01", "2024-02-10", "x"), ("a", "2024-02-10", None, "y")], ("who", "from", "until", "side")
    )
    february = {"window": ("2024-02-01", "2024-03-01"), "by": "side"}
    for table in (rm.churn.in_window(log, **ROLES, **february), rm.churn.reconcile(log, **ROLES, **february)):
        assert "1 customers are in more than one group" in "".join(table.notes)
        assert next(row["numerator"] for row in table.rows()) == 1


def test_rows_that_repeat_in_full_would_count_their_revenue_twice(frame):
    log = pd.concat([with_reasons(), with_reasons()[10:12]])
    with pytest.raises(InputError, match="2 rows that repeat another one in full") as caught:
        rm.churn.reasons(frame(log), **ROLES, reason="why", revenue="mrr")
    assert caught.value.count == 2
    options = {**ROLES, "reason": "why", "as_of": "2024-03-31"}
    assert rm.churn.reasons(frame(log), **options).rows() == rm.churn.reasons(with_reasons(), **options).rows()


def test_reasons_are_words_and_revenue_is_money():
    for options, words in [
        ({"reason": "mrr"}, "reason='mrr' is a column of words"),
        ({"reason": "wy"}, "reason='wy' is not a column"),
        ({"reason": "why", "revenue": "paid"}, "revenue='paid' is a column of numbers"),
        ({"reason": "why", "revenue": "why"}, "reason= and revenue= both name the column 'why'"),
    ]:
        with pytest.raises(ColumnError, match=words) as caught:
            rm.churn.reasons(with_reasons().assign(paid="much"), **ROLES, **options)
        assert caught.value.argument == words.partition("=")[0] or "both" in words
    bad = with_reasons()
    bad.loc[10, "mrr"] = -1.0
    with pytest.raises(InputError, match="at least 0; 1 of 19 rows"):
        rm.churn.reasons(bad, **ROLES, reason="why", revenue="mrr")
    with pytest.raises(InputError, match="method"):
        rm.churn.reasons(with_reasons(), **ROLES, reason="why", method="bonferroni")
