"""Amounts that cannot be added up: one rule, one message, in every function and every engine."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from frames import CONVERT
from retention_metrics import revenue
from retention_metrics.errors import ColumnError, InputError

KINDS = ("pandas", "pyarrow", "polars", "lazy", "duckdb")
AS_OF = "2024-05-31"
SPAN = {"customer": "who", "start": "from", "end": "until"}
PRICED = {**SPAN, "amount": "price"}
BOUGHT = {"customer": "who", "time": "from", "value": "price", "window": ("2024-02-01", "2024-04-01")}


def log(**columns):
    table = pd.DataFrame(
        {
            "who": ["a", "b", "c", "d"],
            "from": ["2024-01-01", "2024-01-05", "2024-02-03", "2024-02-04"],
            "until": ["2024-02-10", "2024-03-04", "2024-03-04", "2024-03-04"],
            "price": [10.0, 20.0, 30.0, 40.0],
            "was": [10.0, 20.0, 30.0, 40.0],
            "kind": ["x", "y", "x", "y"],
            "loyal": [True, False, True, False],
        }
    ).assign(**columns)
    return table.assign(**{day: table[day].astype("datetime64[us]") for day in ("from", "until")})


# One function for every way in which amounts are read, and the argument that names them.
READERS = {
    "amount": [
        lambda rows: revenue.movements(rows, **PRICED, as_of=AS_OF),
        lambda rows: revenue.arpa(rows, amount="price"),
        lambda rows: revenue.loyal_core(rows, amount="price", loyal="loyal"),
    ],
    "opening": [lambda rows: revenue.net_retention(rows, opening="price", closing="was")],
    "value": [lambda rows: revenue.returning_share(rows, **BOUGHT)],
    "revenue": [lambda rows: rm.churn.reasons(rows, **SPAN, reason="kind", revenue="price", as_of=AS_OF)],
}
SAME_READERS = [
    lambda rows: revenue.movements_from_amounts(rows, customer="who", time="from", amount="price", as_of=AS_OF),
    lambda rows: revenue.movements_from_invoices(rows, **PRICED, as_of=AS_OF),
    lambda rows: revenue.customer_movements(rows, **PRICED, as_of=AS_OF),
    lambda rows: revenue.expansion(rows, **PRICED, product="kind", as_of=AS_OF),
    lambda rows: revenue.by_cohort(rows, **PRICED, as_of=AS_OF),
    lambda rows: revenue.quick_ratio(rows, **PRICED, as_of=AS_OF),
    lambda rows: revenue.gross_retention(rows, **PRICED, at=("2024-01-31", AS_OF)),
    lambda rows: revenue.logo_retention(rows, opening="was", closing="price"),
    lambda rows: revenue.concentration(rows, amount="price", customer="who"),
    lambda rows: revenue.concentration(rows["price"]),
    lambda rows: revenue.existing_share(rows, **BOUGHT),
    lambda rows: revenue.predictable_share(rows, **BOUGHT),
]
NONE = pd.Series([None] * 4, dtype=object)
FAULTS = [
    ([1e300, 2.0, 3.0, 1e20], "adds up to at most", 2, (1e300, 1e20)),
    ([-5.0, 2.0, -3.0, -5.0], "is at least 0", 3, (-5.0, -3.0, -5.0)),
    ([math.inf, 2.0, -math.inf, 4.0], "is finite", 2, (math.inf, -math.inf)),
    ([1e-300, 0.0, 0.0, 1e-310], "adds up to 0 or to at least", None, None),
]


def message(call, rows):
    with pytest.raises(InputError) as caught:
        call(rows)
    return str(caught.value), caught.value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("argument", "place"), [(name, place) for name in READERS for place in range(len(READERS[name]))]
)
def test_amounts_that_cannot_be_are_refused_alike_in_every_engine(kind, argument, place):
    call, frame = READERS[argument][place], CONVERT[kind]
    for prices, rule, count, first in FAULTS:
        words, error = message(call, frame(log(price=prices)))
        assert words.startswith(f"{argument}='price' {rule}")
        assert (error.argument, error.column, error.count, error.first) == (argument, "price", count, first)
        assert first is None or ("row 0: " if kind in ("pandas", "pyarrow", "polars") else "first: ") in words
    assert message(call, frame(log()[:0]))[0] == "data has no rows."
    words, error = message(call, frame(log(price=NONE)))
    assert type(error) is InputError
    if argument == "revenue":
        assert "is known of every subscription that ended; 4 of 4 rows are not so" in words
    else:
        assert words == f"data has no row left to count: 4 rows, missing_{argument} 4."


@pytest.mark.parametrize("call", SAME_READERS)
def test_every_function_of_money_holds_the_same_bounds(call):
    for prices, rule, _, _ in FAULTS[:3]:
        assert rule.replace("is ", "").replace("adds", "add") in message(call, log(price=prices))[0].replace(
            "adds", "add"
        )


def test_the_bound_is_where_a_float_tells_the_last_unit():
    most = 2.0**53
    assert revenue.arpa(log(price=[most, 0.0, 0.0, 0.0]), amount="price").estimate == most
    with pytest.raises(InputError, match=r"adds up to at most 9.0 \* 10\^15; it adds up to 9.01e\+15"):
        revenue.arpa(log(price=[most, 2.0, 0.0, 0.0]), amount="price")
    month = most / 360_000
    assert revenue.movements(log(price=[month, 0.0, 0.0, 0.0]), **PRICED, as_of=AS_OF).rows()[0]["end_mrr"] == month
    with pytest.raises(InputError, match=r"adds up to at most 2.5 \* 10\^10 a month; it adds up to 2.5e\+10"):
        revenue.movements(log(price=[month, 1.0, 0.0, 0.0]), **PRICED, as_of=AS_OF)


def test_quantiles_of_what_does_not_add_up_need_no_bound():
    table = rm.churn.by_quantile(log(price=[1e300, -2.0, 3.0, 4.0]), churned="loyal", value="price", quantiles=2)
    assert table.columns["value_to"] == (3.0, 1e300)


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_of_nothing_has_no_quantiles_and_one_of_words_neither(kind):
    table = log(price=NONE)
    with pytest.raises(InputError, match="no customer is left to count: missing_value 4"):
        rm.churn.by_quantile(CONVERT[kind](table), churned="loyal", value="price")
    with pytest.raises(ColumnError, match="value='kind' is a column of numbers"):
        rm.churn.by_quantile(CONVERT[kind](table), churned="loyal", value="kind")


def test_errors_name_the_argument_of_the_caller():
    for call, words in [
        (lambda: revenue.movements_from_amounts(log(), customer="who", time="day", amount="price"), "time='day'"),
        (lambda: revenue.movements_from_amounts(log(), customer="who", time="was", amount="price"), "time='was'"),
        (lambda: revenue.expansion(log(), **PRICED, product="good"), "product='good'"),
        (lambda: revenue.expansion(log(), **PRICED, product="who"), "customer= and product="),
    ]:
        with pytest.raises(ColumnError) as caught:
            call()
        assert str(caught.value).startswith(words)


def test_a_missing_amount_is_no_number_in_any_engine():
    prices = np.array([np.nan, 20.0, 30.0, np.nan])
    for kind in KINDS:
        found = revenue.arpa(CONVERT[kind](log(price=prices)), amount="price")
        assert (found.estimate, dict(found.excluded)) == (25.0, {"missing_amount": 2})


@pytest.mark.parametrize("size", [1e300, 1e-300])
def test_quotients_of_money_are_finite(size):
    fine = {"acquisition_cost": 30.0, "new_customers": 1.0, "monthly_revenue": 5.0, "monthly_churn": 0.1}
    kept = {"retention_cost": 1.0, "retained_customers": 1.0}
    for name in (*fine, *kept):
        if name == "monthly_churn" and size > 1:
            continue
        with pytest.raises(InputError, match=f"{name} is between 1.1e-16 and 9.0e\\+15") as caught:
            revenue.unit_economics(**{**fine, **kept, name: size})
        assert caught.value.argument == name
    for budget, curve in ((size, (1.0, 1.0)), (1.0, (size, 1.0)), (1.0, (1.0, size))):
        with pytest.raises(InputError, match=r"is between 1\.1e-16"):
            revenue.budget_split(budget, {"use": curve})
    least, most = 2.0**-53, 2.0**53
    extreme = revenue.budget_split(most, {"steep": (most, least), "flat": (least, most), "even": (1.0, 1.0)})
    spends = [row["spend"] for row in extreme.rows()]
    assert sum(spends) == pytest.approx(most)
    assert min(spends) >= 0
    economics = revenue.unit_economics(
        acquisition_cost=least, new_customers=most, monthly_revenue=most, monthly_churn=least, margin=1.0
    )
    assert math.isfinite(economics.estimate)
    assert math.isfinite(economics.payback_months)
