"""Churn by period and in windows: its twin by sets, its calendars, its edges, and what it refuses."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import retention_metrics as rm
from churn_twin import DEFINITIONS, churn, spells_of, there
from frames import CONVERT, as_sorted_rows
from retention_metrics.errors import ColumnError, InputError

ROLES = {"customer": "who", "start": "from", "end": "until"}
FIRST, DAYS = dt.date(2023, 11, 1), 200
few = settings(max_examples=40)  # each draws a whole log


def plans(rows, columns=("who", "from", "until")):
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in ("from", "until"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def day(number):
    return FIRST + dt.timedelta(days=number)


@st.composite
def logs(draw, most=16):
    """Random intervals of a few customers: overlaps, seams, gaps within a month, brief ones and open ends."""
    rows = []
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, DAYS))
        length = draw(st.none() | st.integers(1, 12) | st.integers(1, 150))
        rows.append((draw(st.sampled_from("abcd")), day(start), None if length is None else day(start + length)))
    return rows


def drawn(rows):
    """A drawn log in Polars, whose plans are the quickest to run."""
    return pl.from_pandas(plans(rows))


def months(first, last):
    edge = first.replace(day=1)
    while edge <= last:
        after = (edge + dt.timedelta(days=32)).replace(day=1)
        yield edge, after
        edge = after


# ---------------------------------------------------------------- the twin


@few
@given(rows=logs(), last=st.integers(0, DAYS + 60), definition=st.sampled_from(DEFINITIONS))
def test_every_month_of_a_log_is_what_sets_of_customers_say(rows, last, definition):
    as_of = max(day(last), min(row[1] for row in rows))
    found = rm.churn.by_period(drawn(rows), **ROLES, definition=definition, as_of=as_of).rows()
    spells = spells_of(rows, as_of)
    expected = list(months(min(row[1] for row in rows), as_of))
    assert [(row["period"], row["until"]) for row in found] == expected
    for row, (first, after) in zip(found, expected, strict=True):
        assert (row["numerator"], row["denominator"]) == churn(spells, first, after, definition)
        assert (row["start_customers"], row["end_customers"]) == (len(there(spells, first)), len(there(spells, after)))
        assert row["lost"] == churn(spells, first, after, "standard")[0]


@few
@given(rows=logs(), edges=st.lists(st.tuples(st.integers(-20, 250), st.integers(1, 90)), min_size=1, max_size=5))
def test_windows_may_overlap_and_leave_gaps(rows, edges):
    windows = [(day(first), day(first + length)) for first, length in edges]
    frame, spells = drawn(rows), spells_of(rows, max(after for _, after in windows))
    as_of = max(after for _, after in windows)
    if all(row[1] > as_of for row in rows):
        return
    for definition in ("standard", "stripe", "recurly"):
        found = rm.churn.by_period(frame, **ROLES, windows=windows, definition=definition, as_of=as_of).rows()
        counted = [(row["numerator"], row["denominator"]) for row in found]
        assert counted == [churn(spells, first, after, definition) for first, after in windows]


def test_windows_before_the_first_customer_hold_nobody():
    log = pl.DataFrame({"who": ["a"], "from": [day(1)], "until": [None]}, schema_overrides={"until": pl.Date})
    (row,) = rm.churn.by_period(log, **ROLES, windows=[(day(0), day(1))], as_of=day(1)).rows()
    assert (row["start_customers"], row["end_customers"], row["numerator"], row["status"]) == (0, 0, 0, "no_customers")


@few
@given(rows=logs(), first=st.integers(0, 150), length=st.integers(1, 90), definition=st.sampled_from(DEFINITIONS))
def test_one_window_is_the_same_window_of_a_list(rows, first, length, definition):
    window = (day(first), day(first + length))
    options = {**ROLES, "definition": definition, "as_of": day(400)}
    one = rm.churn.in_window(drawn(rows), **options, window=window)
    row = rm.churn.by_period(drawn(rows), **options, windows=[window]).rows()[0]
    assert (one.numerator, one.denominator, one.estimate) == (row["numerator"], row["denominator"], row["rate"])
    assert (one.numerator, one.denominator) == churn(spells_of(rows, day(400)), *window, definition)


@few
@given(rows=logs())
def test_standard_churn_is_one_less_retention(rows):
    as_of = day(DAYS + 200)
    churned = rm.churn.by_period(drawn(rows), **ROLES, as_of=as_of).rows()
    kept = rm.retention.from_subscriptions(drawn(rows), **ROLES, as_of=as_of).rows()
    assert [row["lost"] for row in churned] == [row["lost"] for row in kept]
    assert [row["start_customers"] for row in churned] == [row["start_customers"] for row in kept]
    assert all(
        row["rate"] is None or row["rate"] == pytest.approx(1 - other["rate"])
        for row, other in zip(churned, kept, strict=True)
    )


@few
@given(rows=logs(), last=st.none() | st.integers(0, DAYS + 60))
def test_the_revenue_bridge_loses_the_same_customers(rows, last):
    frame = drawn(list(dict.fromkeys(rows))).with_columns(price=pl.lit(10.0))
    as_of = None if last is None else max(day(last), min(row[1] for row in rows))
    churned = rm.churn.by_period(frame, **ROLES, as_of=as_of)
    bridge = rm.revenue.movements(frame, **ROLES, amount="price", as_of=as_of)
    assert churned.as_of == bridge.as_of
    assert [row["lost"] for row in churned.rows()] == [row["churned_customers"] for row in bridge.rows()]
    assert [row["status"] == "incomplete" for row in churned.rows()] == [
        row["status"] == "incomplete" for row in bridge.rows()
    ]


def test_churn_of_a_simulated_log_is_the_churn_it_was_given():
    roles = {"customer": "customer_id", "start": "start", "end": "end", "as_of": "2023-12-31"}
    plans_ = rm.datasets.simulate_subscriptions(customers=4000, months=24, monthly_churn=0.04, rng=2005)
    rows = [row for row in rm.churn.by_period(plans_, **roles).rows() if row["status"] == "ok"]
    pooled = rm.churn.rate(
        start=sum(row["start_customers"] for row in rows), lost=sum(row["lost"] for row in rows), level=0.999
    )
    assert 0.04 in pooled.interval
    held = [row["low"] <= 0.04 <= row["high"] for row in rows]
    assert sum(held) >= len(held) - 4  # of 23 intervals at 0.95, five miss once in 200 logs


@few
@given(rows=logs(), cuts=st.lists(st.integers(1, 60), min_size=16, max_size=16))
def test_cutting_a_subscription_in_two_changes_nothing(rows, cuts):
    pieces = []
    for (who, start, end), cut in zip(rows, cuts, strict=False):
        seam = start + dt.timedelta(days=cut)
        whole = end is not None and seam >= end
        pieces += [(who, start, end)] if whole else [(who, start, seam), (who, seam, end)]
    for definition in ("standard", "all_over_start"):
        options = {**ROLES, "definition": definition, "as_of": day(DAYS + 100)}
        cut, whole = (rm.churn.by_period(drawn(log), **options) for log in (pieces, rows))
        # Rows that repeat another one are cut in two as well, and counted twice.
        assert replace(cut, excluded={}) == replace(whole, excluded={})


# ---------------------------------------------------------------- every kind of frame

LOG = [
    ("a", "2024-01-01", None),
    ("b", "2024-01-01", "2024-02-10"),
    ("b", "2024-02-20", "2024-02-25"),
    ("c", "2024-01-15", "2024-02-14"),
    ("c", "2024-02-14", "2024-03-01"),
    ("d", "2024-02-05", "2024-02-25"),
    (None, "2024-02-05", None),
]


@pytest.mark.parametrize(
    "options", [{}, {"definition": "stripe"}, {"rolling_days": 30}, {"by": "plan"}, {"kind": "why"}]
)
def test_churn_does_not_depend_on_the_dataframe_library(frame, options):
    log = plans(LOG).assign(plan=["x", "x", "y", "y", "y", None, "x"], why=["q", "q", "p", "p", None, "p", "q"])
    expected = rm.churn.by_period(pl.from_pandas(log), **ROLES, as_of="2024-03-31", **options)
    found = rm.churn.by_period(frame(log), **ROLES, as_of="2024-03-31", **options)
    assert found == expected
    assert as_sorted_rows(found) == as_sorted_rows(expected)


@pytest.mark.parametrize("kind", ["pandas", "polars", "duckdb"])
@pytest.mark.parametrize("typed", ["text", "dates"])
def test_dates_and_text_are_read_alike(kind, typed):
    log = plans(LOG)
    for name in ("from", "until"):
        log[name] = log[name].dt.strftime("%Y-%m-%d") if typed == "text" else log[name].dt.date
        log[name] = log[name].astype(object).where(log[name].notna(), None)
    expected = rm.churn.by_period(plans(LOG), **ROLES, as_of="2024-03-31")
    assert rm.churn.by_period(CONVERT[kind](log), **ROLES, as_of="2024-03-31") == expected


# ---------------------------------------------------------------- edges and calendars


def lost_by_period(rows, **options):
    table = rm.churn.by_period(plans(rows), **{**ROLES, "as_of": "2024-12-31", **options})
    return {row["period"].isoformat(): row["lost"] for row in table.rows() if row["lost"]}


def test_an_end_on_the_boundary_is_churn_of_the_next_period():
    assert lost_by_period([("a", "2024-01-01", "2024-03-01")]) == {"2024-03-01": 1}
    assert lost_by_period([("a", "2024-01-01", "2024-02-29")]) == {"2024-02-01": 1}


def test_a_change_of_plan_is_no_churn():
    seams = [("a", "2024-01-01", "2024-02-10"), ("a", "2024-02-10", None), ("b", "2024-01-01", "2024-03-01")]
    assert lost_by_period([*seams, ("b", "2024-02-01", "2024-04-15")]) == {"2024-04-01": 1}
    endings = rm.churn.by_period(plans(seams), **ROLES, definition="all_over_start", as_of="2024-04-30").rows()
    assert [row["numerator"] for row in endings] == [0, 0, 1, 0]


def test_a_plan_that_begins_later_on_the_day_on_which_another_ends_goes_on_from_it():
    rows = [("a", "2024-01-01", "2024-02-10 09:00"), ("a", "2024-02-10 17:00", None)]
    frame = pd.DataFrame(rows, columns=["who", "from", "until"])
    for name in ("from", "until"):
        frame[name] = pd.to_datetime(frame[name], format="ISO8601")
    table = rm.churn.by_period(frame, **ROLES, definition="all_over_start", as_of="2024-03-31")
    assert [row["numerator"] for row in table.rows()] == [0, 0, 0]


def test_a_subscription_within_one_day_ends():
    rows = [("a", "2024-01-01", None), ("b", "2024-02-10 09:00", "2024-02-10 17:00")]
    frame = pd.DataFrame(rows, columns=["who", "from", "until"])
    for name in ("from", "until"):
        frame[name] = pd.to_datetime(frame[name], format="ISO8601")
    row = rm.churn.by_period(frame, **ROLES, definition="stripe", as_of="2024-02-29").rows()[-1]
    assert (row["numerator"], row["denominator"], row["lost"]) == (1, 2, 0)


def test_ends_of_the_month_and_of_the_leap_year():
    rows = [("a", "2023-12-31", "2024-02-29"), ("b", "2024-01-31", "2024-03-31")]
    assert lost_by_period(rows) == {"2024-02-01": 1, "2024-03-01": 1}
    assert lost_by_period(rows, period="quarter") == {"2024-01-01": 1}  # b joined within it
    assert lost_by_period(rows, period="day") == {"2024-02-29": 1, "2024-03-31": 1}


def test_weeks_begin_where_the_caller_says():
    rows = [("a", "2024-01-01", "2024-02-11")]  # a Sunday
    assert lost_by_period(rows, period="week") == {"2024-02-05": 1}
    assert lost_by_period(rows, period=rm.Period("week", week_start="sunday")) == {"2024-02-11": 1}


def test_fiscal_years_and_quarters():
    rows = [("a", "2023-01-01", "2024-03-31"), ("b", "2023-01-01", "2024-04-01")]
    fiscal = rm.Period("year", fiscal_start=4)
    assert lost_by_period(rows, period=fiscal) == {"2023-04-01": 1, "2024-04-01": 1}
    assert lost_by_period(rows, period=rm.Period("quarter", fiscal_start=2)) == {"2024-02-01": 2}


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "duckdb"])
def test_days_are_those_of_the_zone_through_daylight_saving(kind):
    # 23:30 UTC on 31 March 2024 is 01:30 on 1 April in Berlin, on summer time since that morning.
    rows = [("a", "2024-01-01", "2024-03-31 23:30"), ("b", "2024-01-01", None)]
    frame = pd.DataFrame(rows, columns=["who", "from", "until"])
    for name in ("from", "until"):
        frame[name] = pd.to_datetime(frame[name], format="ISO8601").dt.tz_localize("UTC")
    for tz, month in (("UTC", "2024-03-01"), ("Europe/Berlin", "2024-04-01")):
        table = rm.churn.by_period(CONVERT[kind](frame), **ROLES, period=rm.Period("month", tz=tz), as_of="2024-04-30")
        assert [row["period"].isoformat() for row in table.rows() if row["lost"]] == [month]
        march = rm.churn.in_window(CONVERT[kind](frame), **ROLES, window=("2024-03-01", "2024-04-01"), tz=tz)
        assert march.lost == (month == "2024-03-01")


def test_a_rolling_window_ends_where_its_period_does():
    rows = [("a", "2024-01-01", "2024-02-20"), ("b", "2024-01-01", None)]
    table = rm.churn.by_period(plans(rows), **ROLES, period="week", rolling_days=30, as_of="2024-04-07")
    churned = [row["until"].isoformat() for row in table.rows() if row["lost"]]
    assert churned == ["2024-02-26", "2024-03-04", "2024-03-11", "2024-03-18"]
    assert {(row["until"] - row["period"]).days for row in table.rows()} == {7}


def test_a_period_not_observed_to_its_end_has_no_rate():
    table = rm.churn.by_period(plans(LOG), **ROLES, as_of="2024-02-28")
    assert [row["status"] for row in table.rows()] == ["no_customers", "incomplete"]
    assert [row["rate"] for row in table.rows()] == [None, None]
    assert table.rows()[-1]["numerator"] == 1  # what is known so far
    window = rm.churn.in_window(plans(LOG), **ROLES, window=("2024-02-01", "2024-03-01"), as_of="2024-02-28")
    assert (window.status, window.estimate, window.interval) == ("incomplete", None, None)


def test_an_end_after_the_observation_has_not_happened():
    rows = [("a", "2024-01-01", "2024-02-10"), ("b", "2024-01-01", None), ("c", "2024-03-05", None)]
    table = rm.churn.by_period(plans(rows), **ROLES, as_of="2024-02-09")
    assert [row["lost"] for row in table.rows()] == [0, 0]
    assert dict(table.excluded) == {"after_as_of": 1}


def test_a_log_cut_at_its_last_date_is_no_churn():
    rows = [("a", "2024-01-01", "2024-02-10"), ("b", "2024-01-01", "2024-02-29"), ("c", "2024-01-03", "2024-02-29")]
    table = rm.churn.by_period(plans(rows), **ROLES)
    assert [row["lost"] for row in table.rows()] == [0, 1]
    assert "cut there" in table.notes[0]
    assert [row["lost"] for row in rm.churn.by_period(plans(rows), **ROLES, as_of="2024-02-29").rows()] == [0, 3]


def test_a_window_beyond_the_log_says_so():
    window = rm.churn.in_window(plans(LOG), **ROLES, window=("2024-02-01", "2024-05-01"))
    assert any("2024-03-01" in note for note in window.notes)


def test_a_window_before_the_log_has_no_customers():
    window = rm.churn.in_window(plans(LOG), **ROLES, window=("2023-11-01", "2023-12-01"), as_of="2024-03-31")
    assert (window.status, window.estimate, window.denominator) == ("no_customers", None, 0)


# ---------------------------------------------------------------- intervals, groups, kinds


def test_a_proportion_has_the_wilson_interval_and_a_ratio_the_exact_poisson_one():
    rows = [(f"old{n}", "2024-01-01", "2024-02-10" if n < 3 else None) for n in range(10)]
    options = {**ROLES, "window": ("2024-02-01", "2024-03-01"), "level": 0.9}
    share = rm.churn.in_window(plans(rows), **options)
    wilson = stats.binomtest(3, 10).proportion_ci(0.9, "wilson")
    assert (share.interval.low, share.interval.high) == pytest.approx((wilson.low, wilson.high))
    assert share.interval.method == "wilson"
    ratio = rm.churn.in_window(plans(rows), **options, definition="all_over_start")
    assert ratio.interval.low == pytest.approx(stats.chi2.ppf(0.05, 6) / 2 / 10)
    assert ratio.interval.high == pytest.approx(stats.chi2.ppf(0.95, 8) / 2 / 10)
    assert ratio.interval.method == "exact_poisson"
    assert any("may exceed 1" in note for note in ratio.notes)


def test_all_endings_can_exceed_the_customers_at_the_start():
    rows = [("a", "2024-01-01", "2024-02-20")] + [(f"new{n}", "2024-02-05", "2024-02-10") for n in range(4)]
    window = rm.churn.in_window(plans(rows), **ROLES, window=("2024-02-01", "2024-03-01"), definition="all_over_start")
    assert window.estimate == 5.0
    assert window.interval.high > 5.0


def test_without_a_level_there_is_no_interval():
    table = rm.churn.by_period(plans(LOG), **ROLES, as_of="2024-03-31", level=None)
    assert {(row["low"], row["high"]) for row in table.rows()} == {(None, None)}
    assert table.rows()[1]["rate"] is not None


def test_two_windows_can_be_compared():
    rows = [(f"c{n}", "2024-01-01", "2024-02-10" if n < 3 else "2024-03-10" if n < 9 else None) for n in range(20)]
    february, march = (
        rm.churn.in_window(plans(rows), **ROLES, window=window, as_of="2024-03-31")
        for window in (("2024-02-01", "2024-03-01"), ("2024-03-01", "2024-04-01"))
    )
    assert rm.difference(february, march).estimate == pytest.approx(3 / 20 - 6 / 17)


def test_a_customer_of_two_groups_counts_in_each_and_that_is_said():
    log = plans([("a", "2024-01-01", "2024-02-10"), ("a", "2024-01-01", None)]).assign(plan=["x", "y"])
    table = rm.churn.by_period(log, **ROLES, by="plan", as_of="2024-02-29")
    assert [(row["group"], row["lost"]) for row in table.rows()][1::2] == [("x", 1), ("y", 0)]
    assert "1 customers are in more than one group" in table.notes[0]


@few
@given(rows=logs(), names=st.lists(st.sampled_from(["voluntary", "involuntary", None]), min_size=16, max_size=16))
def test_kinds_of_ending_add_up_to_the_whole(rows, names):
    frame = pl.from_pandas(plans(rows)).with_columns(pl.Series("why", names[: len(rows)], dtype=pl.String))
    for definition in DEFINITIONS:
        options = {**ROLES, "definition": definition, "as_of": day(DAYS + 200)}
        whole = rm.churn.by_period(frame, **options).rows()
        parts = rm.churn.by_period(frame, **options, kind="why").rows()
        for row in whole:
            same = [part for part in parts if part["period"] == row["period"]]
            assert sum(part["numerator"] for part in same) == row["numerator"] or not parts
            assert {part["denominator"] for part in same} <= {row["denominator"]}


def test_voluntary_and_involuntary_churn_share_their_denominator():
    log = plans([(f"c{n}", "2024-01-01", "2024-02-10" if n < 5 else None) for n in range(10)])
    log["why"] = ["cancelled"] * 3 + ["card expired"] * 2 + [None] * 5
    rows = rm.churn.by_period(log, **ROLES, kind="why", as_of="2024-02-29").rows()
    assert [(row["kind"], row["rate"]) for row in rows if row["status"] == "ok"] == [
        ("cancelled", 0.3),
        ("card expired", 0.2),
    ]


def test_where_nothing_ended_a_row_without_a_kind_says_so():
    log = plans([("a", "2024-01-01", None), ("b", "2024-01-03", None)]).assign(why="price")
    rows = rm.churn.by_period(log, **ROLES, kind="why", as_of="2024-02-29").rows()
    assert [(row["kind"], row["numerator"], row["rate"]) for row in rows] == [(None, 0, None), (None, 0, 0.0)]
    reasons = rm.churn.reasons(log, **ROLES, reason="why", as_of="2024-02-29").rows()
    assert [(row["reason"], row["customers"], row["share"], row["status"]) for row in reasons] == [
        (None, 0, None, "no_customers"),
        (None, 0, None, "no_losses"),
    ]


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"definition": "logo"}, "definition"),
        ({"windows": []}, "at least one window"),
        ({"windows": [("2024-02-01", "2024-02-01")]}, "ends after it begins"),
        ({"windows": [("2024-02-01 12:00", "2024-03-01")]}, "whole day"),
        ({"windows": ["ab"]}, "pair of dates"),
        ({"windows": [("2024-02-01", "2024-03-01")], "rolling_days": 30}, "exclude each other"),
        ({"rolling_days": 0}, "rolling_days"),
        ({"level": 95}, "level"),
    ],
)
def test_bad_arguments_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        rm.churn.by_period(plans(LOG), **ROLES, as_of="2024-03-31", **options)


def test_reversed_intervals_and_wrong_columns_are_refused():
    with pytest.raises(InputError, match="1 of 1 rows end before they start"):
        rm.churn.by_period(plans([("a", "2024-02-01", "2024-01-01")]), **ROLES)
    with pytest.raises(ColumnError, match="column of words"):
        rm.churn.by_period(plans(LOG).assign(why=1), **ROLES, kind="why")
    with pytest.raises(ColumnError, match="not a column"):
        rm.churn.by_period(plans(LOG), **{**ROLES, "customer": "whom"})


def test_rows_left_out_are_counted():
    rows = [*LOG, ("e", "2024-02-01", "2024-02-01"), ("f", None, None)]
    table = rm.churn.by_period(plans(rows), **ROLES, as_of="2024-03-31")
    assert dict(table.excluded) == {"missing_customer": 1, "missing_start": 1, "empty_interval": 1}
