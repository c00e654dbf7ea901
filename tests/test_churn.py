"""Churn rates: from counts, between periods, as lifetimes, and by group in every kind of dataframe."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from frames import as_rows
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx
UNITS = ("day", "week", "month", "quarter", "year")
DAYS = {"day": 1, "week": 7, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}


# ---------------------------------------------------------------- rate


def test_rate_is_the_share_of_the_start_that_was_lost():
    churn = rm.churn.rate(start=100, lost=10)
    assert (churn.estimate, churn.numerator, churn.denominator) == (0.1, 10, 100)
    assert (churn.interval.low, churn.interval.high) == approx((0.05523, 0.17437), abs=0.00001)
    assert (churn.unit, churn.interval.method, churn.status) == ("share", "wilson", "ok")


@pytest.mark.parametrize("method", ["wilson", "clopper_pearson", "jeffreys"])
def test_rate_of_nobody_lost_still_has_an_upper_end(method):
    churn = rm.churn.rate(start=12, lost=0, method=method)
    assert (churn.estimate, churn.interval.low, churn.interval.method) == (0.0, 0.0, method)
    assert 0.1 < churn.interval.high < 0.3


def test_rate_without_customers_is_undefined():
    churn = rm.churn.rate(start=0, lost=0)
    assert churn.estimate is None
    assert churn.interval is None
    assert churn.status == "no_customers"
    assert "undefined" in churn.notes[0]
    with pytest.raises(InputError, match="undefined"):
        float(churn)


def test_rate_without_a_level_has_no_interval():
    assert rm.churn.rate(start=10, lost=1, level=None).interval is None


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"start": 10, "lost": 11}, "lost"),
        ({"start": -1, "lost": 0}, "start"),
        ({"start": 10, "lost": -1}, "lost"),
        ({"start": 10.5, "lost": 1}, "start"),
        ({"start": 10, "lost": 0.5}, "lost"),
        ({"start": math.inf, "lost": 1}, "start"),
        ({"start": 10, "lost": math.nan}, "lost"),
        ({"start": True, "lost": 1}, "start"),
        ({"start": None, "lost": 1}, "start"),
        ({"start": 10, "lost": 1, "level": 1.0}, "level"),
        ({"start": 10, "lost": 1, "level": 95}, "level"),
        ({"start": 10, "lost": 1, "method": "wald"}, "wilson"),
    ],
)
def test_rate_refuses_impossible_counts(arguments, word):
    with pytest.raises(InputError, match=word):
        rm.churn.rate(**arguments)


# ---------------------------------------------------------------- convert


def test_five_percent_a_month_is_46_percent_a_year():
    yearly = rm.churn.convert(0.05, per="month", to="year")
    assert yearly.estimate == approx(1 - 0.95**12, abs=1e-15)
    assert (yearly.rate, yearly.per, yearly.to, yearly.interval) == (0.05, "month", "year", None)


@pytest.mark.parametrize("per", UNITS)
@pytest.mark.parametrize("to", UNITS)
@given(rate=st.floats(0, 0.999))
def test_converting_there_and_back_changes_nothing(per, to, rate):
    there = float(rm.churn.convert(rate, per=per, to=to))
    assert 0 <= there <= 1
    assert there == approx(-math.expm1(math.log1p(-rate) * DAYS[to] / DAYS[per]), rel=1e-9, abs=1e-300)
    if there < 0.9:
        assert float(rm.churn.convert(there, per=to, to=per)) == approx(rate, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("per", UNITS)
@pytest.mark.parametrize("to", UNITS)
def test_nobody_and_everybody_leaving_stay_so_in_any_period(per, to):
    assert float(rm.churn.convert(0, per=per, to=to)) == 0
    assert float(rm.churn.convert(1, per=per, to=to)) == 1


def test_a_year_is_twelve_months_four_quarters_and_365_days_and_a_quarter():
    for per, to, periods in (
        ("month", "year", 12),
        ("quarter", "year", 4),
        ("month", "quarter", 3),
        ("day", "week", 7),
    ):
        assert float(rm.churn.convert(0.1, per=per, to=to)) == approx(1 - 0.9**periods, abs=1e-15)
    assert float(rm.churn.convert(0.001, per="day", to="year")) == approx(1 - 0.999**365.25, abs=1e-15)


def test_small_rates_keep_their_digits():
    assert float(rm.churn.convert(1e-18, per="day", to="week")) == approx(7e-18, rel=1e-12)


def test_the_interval_of_a_rate_is_converted_with_it():
    monthly = rm.churn.rate(start=200, lost=10)
    yearly = rm.churn.convert(monthly, per="month", to="year")
    assert yearly.estimate == approx(1 - 0.95**12)
    assert yearly.interval.low == approx(1 - (1 - monthly.interval.low) ** 12)
    assert yearly.interval.high == approx(1 - (1 - monthly.interval.high) ** 12)
    assert (yearly.interval.level, yearly.interval.method) == (0.95, "wilson")


def test_arrays_give_arrays_of_their_shape():
    rates = np.array([[0.0, 0.05], [0.5, 1.0]])
    yearly = rm.churn.convert(rates, per="month", to="year")
    assert yearly == approx(1 - (1 - rates) ** 12)
    assert rm.churn.convert(pd.Series([0.1]), per="year", to="month") == approx([1 - 0.9 ** (1 / 12)])


def test_an_undefined_rate_stays_undefined():
    nothing = rm.churn.convert(rm.churn.rate(start=0, lost=0), per="month", to="year")
    assert nothing.estimate is None
    assert nothing.status == "no_customers"


@pytest.mark.parametrize("bad", [1.5, -0.1, math.nan, math.inf, "5%", None, True])
def test_only_shares_are_converted(bad):
    with pytest.raises(InputError, match="rate"):
        rm.churn.convert(bad, per="month", to="year")
    with pytest.raises(InputError, match="rate"):
        rm.churn.lifetime(bad)


def test_arrays_of_shares_count_what_is_wrong():
    with pytest.raises(InputError, match="1 of 3") as caught:
        rm.churn.convert([0.1, 1.2, 0.3], per="month", to="year")
    assert (caught.value.count, caught.value.first) == (1, (1.2,))
    with pytest.raises(InputError, match="rate"):
        rm.churn.convert([0.1, None], per="month", to="year")


@pytest.mark.parametrize("arguments", [{"per": "fortnight", "to": "year"}, {"per": "month", "to": "years"}])
def test_unknown_periods_are_named(arguments):
    with pytest.raises(InputError, match="'day', 'week', 'month', 'quarter', 'year'"):
        rm.churn.convert(0.1, **arguments)


def test_a_retention_rate_is_not_taken_for_churn():
    kept = rm.from_dict({**rm.churn.rate(start=10, lost=1).to_dict(), "definition": "retention.rate/start-cohort"})
    for convert in (lambda: rm.churn.convert(kept, per="month", to="year"), lambda: rm.churn.lifetime(kept)):
        with pytest.raises(InputError, match="add up to 1"):
            convert()
    with pytest.raises(InputError, match="churn rate"):
        rm.churn.lifetime(rm.nps.from_counts(promoters=3, passives=2, detractors=1))


def test_a_converted_rate_remembers_its_period():
    yearly = rm.churn.convert(0.05, per="month", to="year")
    assert float(rm.churn.convert(yearly, per="year", to="month")) == approx(0.05)
    assert float(rm.churn.lifetime(yearly, per="year")) == approx(1 / 0.45964, rel=1e-4)
    with pytest.raises(InputError, match="per year"):
        rm.churn.convert(yearly, per="month", to="year")
    with pytest.raises(InputError, match="per year"):
        rm.churn.lifetime(yearly)


# ---------------------------------------------------------------- lifetime


def test_three_percent_a_month_is_33_months():
    months = rm.churn.lifetime(0.03)
    assert months.estimate == approx(33.333, abs=0.001)
    assert (months.unit, rm.churn.lifetime(0.2, per="year").unit) == ("month", "year")


def test_lifetime_is_the_mean_of_the_simulated_lives():
    rng = np.random.default_rng(12)
    lives = rng.geometric(0.07, size=200_000)
    assert lives.mean() == approx(float(rm.churn.lifetime(0.07)), abs=4 * lives.std() / math.sqrt(lives.size))


def test_lifetime_of_no_churn_is_undefined_but_bounded_below():
    months = rm.churn.lifetime(rm.churn.rate(start=50, lost=0))
    assert months.estimate is None
    assert months.status == "undefined"
    assert any("nobody ever leaves" in note for note in months.notes)
    assert months.interval.low == approx(1 / rm.churn.rate(start=50, lost=0).interval.high)
    assert months.interval.high == math.inf
    assert rm.churn.lifetime(0).estimate is None
    assert rm.churn.lifetime(5e-324).estimate is None


def test_lifetimes_of_an_array_are_nan_where_undefined():
    assert rm.churn.lifetime([0.5, 0.0, 1.0]) == approx([2.0, math.nan, 1.0], nan_ok=True)


def test_a_lifetime_of_a_year_is_a_twelfth_a_month():
    assert rm.churn.from_lifetime(12).estimate == approx(1 / 12, abs=1e-15)
    assert rm.churn.from_lifetime([12, 20.0]) == approx([1 / 12, 0.05])


@given(lost=st.integers(0, 400))
def test_lifetime_and_back_gives_the_rate_and_its_interval(lost):
    churn = rm.churn.rate(start=400, lost=lost)
    back = rm.churn.from_lifetime(rm.churn.lifetime(churn))
    assert back.estimate == (approx(churn.estimate) if lost else None)
    assert (back.interval.low, back.interval.high) == approx((churn.interval.low, churn.interval.high))


@pytest.mark.parametrize("bad", [0, 0.5, -3, math.nan, math.inf, "12", None])
def test_a_lifetime_is_at_least_one_month(bad):
    with pytest.raises(InputError, match="months"):
        rm.churn.from_lifetime(bad)


def test_a_lifetime_in_years_is_not_taken_for_months():
    with pytest.raises(InputError, match="year"):
        rm.churn.from_lifetime(rm.churn.lifetime(0.2, per="year"))
    with pytest.raises(InputError, match="months"):
        rm.churn.from_lifetime(rm.churn.rate(start=10, lost=1))


# ---------------------------------------------------------------- by group


TERMS = {"m": "monthly", "y": "yearly", "h": "half", "-": None}
CLIENTS = pd.DataFrame(
    {
        "client": range(12),
        "term": [TERMS[letter] for letter in "my-mhhyyhm-y"],
        "left": [True, False, True, True, False, True, False, False, False, False, False, False],
        "fee": [5.0, 9.0, 1.0, 4.0, 6.0, 6.0, 8.0, 9.5, 7.0, 3.0, 2.0, None],
    }
)  # fmt: skip


def test_groups_are_counted_alike_in_every_dataframe(frame):
    table = rm.churn.by_group(frame(CLIENTS), churned="left", group="term")
    cells = [(row["group"], row["customers"], row["churned"], row["status"]) for row in as_rows(table)]
    assert cells == [("half", 3, 1, "ok"), ("monthly", 3, 2, "ok"), ("yearly", 4, 0, "ok")]
    assert dict(table.excluded) == {"missing_group": 2}
    for row in as_rows(table):
        alone = rm.churn.rate(start=row["customers"], lost=row["churned"])
        assert row["rate"] == approx(alone.estimate)
        assert (row["low"], row["high"]) == approx((alone.interval.low, alone.interval.high))


def test_outcomes_may_be_unknown_zero_or_one(frame):
    clients = CLIENTS.assign(left=[1.0, 0, 1, 1, 0, 1, None, 0, 0, 0, None, 0])
    table = rm.churn.by_group(frame(clients), churned="left", group="term")
    assert [row["customers"] for row in as_rows(table)] == [3, 3, 3]
    assert dict(table.excluded) == {"missing_group": 2, "missing_churned": 1}


def test_groups_come_in_the_order_that_is_asked_for():
    order = ["monthly", "half", "yearly", "three years"]
    table = rm.churn.by_group(CLIENTS, churned="left", group="term", order=order)
    assert list(table.columns["group"]) == order
    assert table.columns["status"][3] == "no_customers"
    assert table.columns["rate"][3] is table.columns["low"][3] is None
    assert table.group("three years").estimate is None
    assert table.trend.estimate < 0
    with pytest.raises(InputError, match="left out"):
        rm.churn.by_group(CLIENTS, churned="left", group="term", order=["monthly", "half"])
    for wrong in (["half", "half", "monthly", "yearly"], "half"):
        with pytest.raises(InputError, match="once"):
            rm.churn.by_group(CLIENTS, churned="left", group="term", order=wrong)


def test_the_trend_is_the_slope_of_the_rates_with_its_test():
    left = [1] * 12 + [0] * 18 + [1] * 5 + [0] * 15 + [1] * 9 + [0] * 41
    clients = pd.DataFrame({"size": [1] * 30 + [2] * 20 + [3] * 50, "left": left})
    trend = rm.churn.by_group(clients, churned="left", group="size").trend
    assert trend.estimate == approx(np.polyfit(clients["size"], clients["left"], 1)[0])
    assert trend.interval.low < trend.estimate < trend.interval.high < 0
    assert trend.statistic == approx(10 * np.corrcoef(clients["size"], clients["left"])[0, 1])
    assert 0.005 < trend.p_value < 0.05
    assert trend.customers == (30, 20, 50)


def test_a_trend_takes_two_groups():
    alone = rm.churn.by_group(CLIENTS[CLIENTS["term"] == "half"], churned="left", group="term").trend
    assert alone.estimate is alone.interval is alone.p_value is None
    assert alone.status == "undefined"


def test_a_trend_without_churn_is_flat_and_untested():
    trend = rm.churn.by_group(CLIENTS.assign(left=False), churned="left", group="term").trend
    assert trend.estimate == 0
    assert trend.p_value is None
    assert trend.interval.low < 0 < trend.interval.high


def test_ratios_and_differences_name_their_groups():
    table = rm.churn.by_group(CLIENTS, churned="left", group="term")
    assert table.ratio("monthly", "half").estimate == approx(2)
    assert table.difference("monthly", "half").estimate == approx(1 / 3)
    assert table.ratio("monthly", "yearly").estimate is None
    assert table.ratio("monthly", "half", method="katz").interval.method == "katz"
    with pytest.raises(InputError, match="'weekly'"):
        table.ratio("monthly", "weekly")


def test_a_table_without_a_level_has_no_intervals():
    table = rm.churn.by_group(CLIENTS, churned="left", group="term", level=None)
    assert set(table.columns["low"]) == {None}
    assert table.ratio("monthly", "half").interval is table.trend.interval is None


@pytest.mark.parametrize("method", ["clopper_pearson", "jeffreys"])
def test_a_table_uses_the_method_that_is_asked_for(method):
    table = rm.churn.by_group(CLIENTS, churned="left", group="term", method=method)
    assert table.group("half").interval == rm.churn.rate(start=3, lost=1, method=method).interval


def test_rows_in_any_order_give_the_same_table():
    shuffled = CLIENTS.sample(frac=1, random_state=7)
    assert rm.churn.by_group(shuffled, churned="left", group="term") == rm.churn.by_group(
        CLIENTS, churned="left", group="term"
    )


@pytest.mark.parametrize("churned", ["Yes", "churned", 2])
def test_outcomes_that_are_not_true_or_false_are_refused_with_the_fix(frame, churned):
    clients = CLIENTS.assign(left=[churned] * 12)
    with pytest.raises(InputError, match=r"12 of 12 rows.*== 'Yes'") as caught:
        rm.churn.by_group(frame(clients), churned="left", group="term")
    assert (caught.value.column, caught.value.count, caught.value.first) == ("left", 12, (churned,))
    with pytest.raises(InputError, match="12 of 12 rows"):
        rm.churn.by_quantile(frame(clients), churned="left", value="fee")


@pytest.mark.parametrize(
    ("columns", "error", "words"),
    [
        ({"churned": "lefft", "group": "term"}, ColumnError, "'left'"),
        ({"churned": "left", "group": "terms"}, ColumnError, "'term'"),
        ({"churned": "left", "group": "left"}, ColumnError, "both name the column"),
        ({"churned": "left", "group": 3}, ColumnError, "column name"),
        ({"churned": "left", "group": "term", "level": 2}, InputError, "level"),
        ({"churned": "left", "group": "term", "method": "exact"}, InputError, "method"),
    ],
)
def test_by_group_refuses_what_cannot_be_right(columns, error, words):
    with pytest.raises(error, match=words):
        rm.churn.by_group(CLIENTS, **columns)


def test_groups_of_two_types_are_refused():
    with pytest.raises(InputError, match="one type"):
        rm.churn.by_group(CLIENTS.assign(term=[1, "a"] * 6), churned="left", group="term")


def test_empty_tables_and_tables_with_nothing_left_are_refused(frame):
    typed = CLIENTS.assign(client=1)
    with pytest.raises(InputError, match="at least one row"):
        rm.churn.by_group(frame(typed.iloc[:0]), churned="left", group="term")
    with pytest.raises(InputError, match="at least one row"):
        rm.churn.by_quantile(frame(typed.iloc[:0]), churned="left", value="fee")
    with pytest.raises(InputError, match="missing_group 2"):
        rm.churn.by_group(frame(CLIENTS[CLIENTS["term"].isna()]), churned="left", group="term")
    with pytest.raises(InputError, match="missing_value 1"):
        rm.churn.by_quantile(frame(CLIENTS[CLIENTS["fee"].isna()]), churned="left", value="fee")


@pytest.mark.parametrize("data", [None, [1, 2], {"left": [1]}, "clients.csv"])
def test_only_dataframes_are_grouped(data):
    with pytest.raises(InputError, match="dataframe"):
        rm.churn.by_group(data, churned="left", group="term")


# ---------------------------------------------------------------- by quantile


def test_quantiles_are_cut_alike_in_every_dataframe(frame):
    table = rm.churn.by_quantile(frame(CLIENTS), churned="left", value="fee", quantiles=2)
    cells = [
        (row["group"], row["value_from"], row["value_to"], row["customers"], row["churned"]) for row in as_rows(table)
    ]
    assert cells == [(1, 1.0, 6.0, 7, 4), (2, 7.0, 9.5, 4, 0)]
    assert dict(table.excluded) == {"missing_value": 1}


def test_quantile_groups_agree_with_numpy(frame):
    rng = np.random.default_rng(5)
    clients = pd.DataFrame({"fee": rng.gamma(2, 50, 997).round(1), "left": rng.random(997) < 0.3})
    for quantiles in (2, 3, 4, 10):
        cuts = np.quantile(clients["fee"], np.arange(1, quantiles) / quantiles)
        place = np.searchsorted(cuts, clients["fee"], side="left")
        table = rm.churn.by_quantile(frame(clients), churned="left", value="fee", quantiles=quantiles)
        assert list(table.columns["customers"]) == np.bincount(place).tolist()
        assert list(table.columns["churned"]) == np.bincount(place, weights=clients["left"]).tolist()
        assert table.ratio(1, quantiles).denominator_b == table.columns["customers"][-1]


def test_ties_share_a_group_and_the_lost_groups_are_noted(frame):
    clients = pd.DataFrame({"fee": [10.0] * 8 + [20.0, 30.0], "left": [True, False] * 5})
    table = rm.churn.by_quantile(frame(clients), churned="left", value="fee")
    assert [(row["customers"], row["value_from"], row["value_to"]) for row in as_rows(table)] == [
        (8, 10, 10),
        (2, 20, 30),
    ]
    assert any("2 of the 4 groups" in note for note in table.notes)
    same = rm.churn.by_quantile(frame(clients.assign(fee=5)), churned="left", value="fee")
    assert [row["customers"] for row in as_rows(same)] == [10]
    assert same.trend.estimate is None


def test_outcomes_may_be_unknown_in_quantiles(frame):
    clients = CLIENTS.assign(left=[1.0, 0, 1, 1, 0, 1, None, 0, 0, 0, None, 0])
    table = rm.churn.by_quantile(frame(clients), churned="left", value="fee", quantiles=2)
    assert sum(row["customers"] for row in as_rows(table)) == 9
    assert dict(table.excluded) == {"missing_value": 1, "missing_churned": 2}


def test_values_must_be_numbers(frame):
    with pytest.raises(ColumnError, match="numbers"):
        rm.churn.by_quantile(frame(CLIENTS), churned="left", value="term")


@pytest.mark.parametrize("quantiles", [1, 0, -4, 2.5, None])
def test_quantiles_are_a_whole_number_of_at_least_two(quantiles):
    with pytest.raises(InputError, match="quantiles"):
        rm.churn.by_quantile(CLIENTS, churned="left", value="fee", quantiles=quantiles)


def test_infinite_values_are_refused(frame):
    with pytest.raises(InputError, match="value='fee' is finite; 1 of 12 rows are not so"):
        rm.churn.by_quantile(frame(CLIENTS.assign(fee=[math.inf, *range(11)])), churned="left", value="fee")


# ---------------------------------------------------------------- the Telco table


@pytest.fixture
def telco(shared_data):
    return pd.read_csv(shared_data / "telco_churn.csv").assign(left=lambda rows: rows["Churn"] == "Yes")


def test_telco_customers_churn_by_contract(telco):
    """A snapshot of a fictional company without dates: the share marked churned, not the rate of a period."""
    table = rm.churn.by_group(telco, churned="left", group="Contract")
    cells = {row["group"]: (row["churned"], row["customers"]) for row in table.rows()}
    assert cells == {"Month-to-month": (1655, 3875), "One year": (166, 1473), "Two year": (48, 1695)}
    assert [round(100 * rate, 2) for rate in table.columns["rate"]] == [42.71, 11.27, 2.83]
    times = table.ratio("Month-to-month", "One year")
    assert times.estimate == approx((1655 / 3875) / (166 / 1473))
    assert times.interval.low < times.estimate < times.interval.high
    assert "marked churned" in table.notes[0]


def test_telco_quartiles_of_spend_hold_everybody(telco):
    table = rm.churn.by_quantile(telco, churned="left", value="MonthlyCharges")
    assert sum(table.columns["customers"]) == 7043
    assert sum(table.columns["churned"]) == 1869
    assert table.ratio(4, 1).interval.low > 2
    assert table.trend.p_value < 1e-12


# ---------------------------------------------------------------- results


@pytest.mark.parametrize("result", [
    rm.churn.rate(start=100, lost=5),
    rm.churn.rate(start=0, lost=0),
    rm.churn.convert(rm.churn.rate(start=100, lost=5), per="month", to="year"),
    rm.churn.convert(1, per="month", to="day"),
    rm.churn.lifetime(rm.churn.rate(start=100, lost=0)),
    rm.churn.lifetime(0.25),
    rm.churn.from_lifetime(12),
    rm.churn.by_group(CLIENTS, churned="left", group="term").trend,
])  # fmt: skip
def test_a_number_explains_itself_and_survives_json(result):
    assert rm.from_dict(result.to_dict()) == result
    worked = list(result.explain().evaluate().values())[-1]
    assert worked is None if result.estimate is None else worked == approx(result.estimate, rel=1e-12)
    assert result.explain().latex()


@pytest.mark.parametrize("call", [
    lambda: rm.churn.by_group(CLIENTS, churned="left", group="term"),
    lambda: rm.churn.by_quantile(CLIENTS, churned="left", value="fee"),
], ids=["group", "quantile"])  # fmt: skip
def test_a_table_survives_json_and_works_after(call):
    table = call()
    again = rm.from_dict(table.to_dict())
    assert again == table
    pd.testing.assert_frame_equal(again.to_frame(), table.to_frame())
    assert again.trend == table.trend
    assert str(table.explain())


def test_counts_past_the_whole_numbers_of_a_float_keep_their_last_digit():
    assert rm.churn.rate(start=2**53 + 1, lost=1).denominator == 2**53 + 1
