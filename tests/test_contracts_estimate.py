"""The churn of contract terms from clients: by the month, by the renewal, and within groups."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import retention_metrics as rm
from frames import as_rows
from retention_metrics.contracts import Term, compare, estimate
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx
COLUMNS = {"term": "term", "duration": "stayed", "churned": "left"}
LENGTHS = {"Month-to-month": 1, "One year": 12, "Two year": 24}


@pytest.fixture(scope="module")
def telco():
    return rm.datasets.telco().assign(left=lambda frame: frame["Churn"] == "Yes")


def of_telco(frame, **options):
    return estimate(frame, term="Contract", duration="tenure", churned="left", **{"months": LENGTHS, **options})


def clients(*rows):
    """Clients of (term, months stayed, left), as many as the fourth entry says."""
    wide = [row[:3] for row in rows for _ in range(row[3] if len(row) > 3 else 1)]
    return pd.DataFrame(wide, columns=["term", "stayed", "left"])


def row(table, term, group=None):
    return next(row for row in table.rows() if row["term"] == term and row.get("group") == group)


# ---------------------------------------------------------------- numbers anyone can check


def test_telco_loses_1655_of_its_month_to_month_customers_in_69890_months(telco):
    found = row(of_telco(telco), "Month-to-month")
    months = int(telco.loc[telco["Contract"] == "Month-to-month", "tenure"].sum())
    assert (found["clients"], found["churned"], found["months_of_service"]) == (3_875, 1_655, months)
    assert found["monthly_churn"] == approx(0.023679, abs=5e-7)
    # Garwood's limits by the chi-squared quantiles.
    low, high = stats.chi2.ppf(0.025, 2 * 1_655) / 2 / months, stats.chi2.ppf(0.975, 2 * 1_656) / 2 / months
    assert (found["low"], found["high"]) == (approx(low, rel=1e-10), approx(high, rel=1e-10))


def test_a_longer_term_counts_losses_per_renewal_faced():
    frame = clients(
        ("yearly", 12, True, 6), ("yearly", 24, True, 2), ("yearly", 30, False, 10), ("yearly", 5, False, 7)
    )
    found = row(estimate(frame, **COLUMNS, months={"yearly": 12}), "yearly")
    assert (found["churned"], found["renewals"]) == (8, 6 * 1 + 2 * 2 + 10 * 2)
    assert found["monthly_churn"] == approx(1 - (1 - 8 / 30) ** (1 / 12), rel=1e-12)
    limits = stats.binomtest(8, 30).proportion_ci(method="exact")
    assert found["low"] == approx(1 - (1 - limits.low) ** (1 / 12), rel=1e-9)
    assert found["high"] == approx(1 - (1 - limits.high) ** (1 / 12), rel=1e-9)


def test_who_left_before_the_first_renewal_counts_at_it_and_is_noted():
    table = estimate(clients(("yearly", 7, True), ("yearly", 20, False)), **COLUMNS, months={"yearly": 12})
    assert (row(table, "yearly")["renewals"], row(table, "yearly")["churned"]) == (2, 1)
    assert any("1 of 1 clients lost left at another time" in note for note in table.notes)


def test_a_column_of_renewals_stands_before_the_duration():
    frame = clients(("yearly", 11, True, 4), ("yearly", 40, False, 6)).assign(faced=[1] * 4 + [2] * 6)
    table = estimate(frame, **COLUMNS, months={"yearly": 12}, renewals="faced")
    assert row(table, "yearly")["renewals"] == 16
    assert table.notes == ()
    with pytest.raises(InputError, match="lost 4 in 0 renewals"):
        estimate(frame.assign(faced=0), **COLUMNS, months={"yearly": 12}, renewals="faced")
    with pytest.raises(InputError, match="faced is at least 0 for every client; 10 of 10"):
        estimate(frame.assign(faced=-1), **COLUMNS, months={"yearly": 12}, renewals="faced")
    some = estimate(frame.assign(faced=[1.0] * 9 + [None]), **COLUMNS, months={"yearly": 12}, renewals="faced")
    assert dict(some.excluded) == {"missing_renewals": 1}


@pytest.mark.parametrize(
    ("frame", "months", "status", "words"),
    [
        (clients(("a", 12, True), ("a", 9, False)), None, "unknown_length", "a: no estimate without the length"),
        (clients(("a", 8, False)), {"a": 12}, "no_exposure", "no client has seen the end of a term of 12"),
        (clients(("a", 0, False)), {"a": 1}, "no_exposure", "no client has seen a month of service"),
        (clients(("a", 0.5, True)), {"a": 1}, "above_one", "are durations in months?"),
    ],
)
def test_where_there_is_no_estimate_a_note_says_why(frame, months, status, words):
    table = estimate(frame, **COLUMNS, months=months)
    found = row(table, "a")
    assert (found["monthly_churn"], found["low"], found["high"], found["status"]) == (None, None, None, status)
    assert words in table.notes[0]
    with pytest.raises(InputError, match="has no estimate"):
        float(table.churn("a"))


# ---------------------------------------------------------------- every engine, missing values


def test_every_library_gives_the_same_table(frame, telco):
    some = telco.loc[::7, ["Contract", "tenure", "left", "InternetService"]].reset_index(drop=True)
    expected = of_telco(some, by="InternetService")
    found = of_telco(frame(some), by="InternetService")
    assert as_rows(found) == as_rows(expected)
    assert found.notes == expected.notes


def test_missing_values_are_counted_out(frame):
    table = frame(
        pd.DataFrame(
            {
                "term": ["m", None, "m", "m", "m"],
                "stayed": [3.0, 2.0, None, 4.0, 5.0],
                "left": pd.array([True, True, False, None, False], dtype="boolean"),
            }
        )
    )
    found = estimate(table, **COLUMNS, months={"m": 1})
    assert dict(found.excluded) == {"missing_term": 1, "missing_duration": 1, "missing_churned": 1}
    assert (row(found, "m")["churned"], row(found, "m")["months_of_service"]) == (1, 8)


@pytest.mark.parametrize(
    ("change", "options", "argument", "words"),
    [
        ({"stayed": [-1, 2]}, {}, "duration", "at least 0 for every client; 1 of 2"),
        ({"stayed": [math.inf, 2]}, {}, "duration", "finite for every client; 1 of 2"),
        ({"stayed": ["1", "2"]}, {}, "duration", "column of numbers"),
        ({"left": ["Yes", "No"]}, {}, "churned", r"frame\['left'\] == 'Yes'"),
        ({}, {"months": {"c": 1}}, "months", "got 'c'"),
        ({}, {"months": 12}, "months", "maps each term"),
        ({}, {"months": {"a": 0}}, "months['a']", "at least 1"),
        ({}, {"level": 95}, "level", "probability"),
        ({"term": [None, None]}, {"months": None}, "clients", "missing_term 2"),
    ],
)
def test_what_cannot_be_right_is_refused(change, options, argument, words):
    frame = pd.DataFrame({"term": ["a", "b"], "stayed": [1, 2], "left": [True, False]}).assign(**change)
    with pytest.raises(InputError, match=words) as caught:
        estimate(frame, **COLUMNS, **{"months": {"a": 1}, **options})
    assert caught.value.argument == argument


def test_a_column_that_is_not_there_and_a_table_without_rows_are_refused():
    frame = clients(("a", 1, True))
    with pytest.raises(ColumnError, match="Did you mean 'stayed'"):
        estimate(frame, term="term", duration="stay", churned="left")
    with pytest.raises(InputError, match="at least one row"):
        estimate(frame.iloc[:0], **COLUMNS)


# ---------------------------------------------------------------- dates in place of durations

BY_DATES = {"term": "term", "start": "began", "end": "left"}


def dated(*rows, **columns):
    """Clients of (term, first day, day left or None), and further columns of dates."""
    frame = pd.DataFrame(rows, columns=["term", "began", "left"]).assign(**columns)
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in frame.columns if name != "term"})


SERVED = dated(
    ("yearly", "2022-01-31", "2023-01-31"),  # at the first renewal
    ("yearly", "2022-02-28", None),  # 28 months: two renewals
    ("yearly", "2021-03-15", "2023-09-01"),  # between the second and the third
    ("yearly", "2024-02-01", None),  # none yet
    ("monthly", "2024-01-31", "2024-02-29"),  # a month, which February cuts short
    ("monthly", "2024-03-01", None),
    ("monthly", None, "2024-03-01"),
    ("monthly", "2025-03-01", None),  # after the end of observation
    ("monthly", "2024-04-01", "2024-09-01"),  # left after it
)


def test_dates_give_months_of_service_and_renewals_in_calendar_months(frame):
    table = estimate(frame(SERVED), **BY_DATES, as_of="2024-06-30", months={"monthly": 1, "yearly": 12})
    yearly, monthly = row(table, "yearly"), row(table, "monthly")
    assert (yearly["clients"], yearly["churned"], yearly["renewals"]) == (4, 2, 1 + 2 + 2)
    assert yearly["monthly_churn"] == approx(1 - (1 - 2 / 5) ** (1 / 12))
    assert (monthly["clients"], monthly["churned"]) == (3, 1)
    assert monthly["months_of_service"] == approx((29 + 121 + 90) / (365.25 / 12))
    assert dict(table.excluded) == {"missing_start": 1, "after_as_of": 1}
    assert "yearly: 1 of 2 clients lost left at another time than the end of a 12-month term" in table.notes[0]


@settings(max_examples=40)
@given(st.dates(dt.date(2020, 1, 1), dt.date(2024, 2, 29)), st.integers(0, 60))
def test_a_term_of_calendar_months_is_over_on_its_day_or_the_last_of_a_shorter_month(began, months):
    ends = (pd.Timestamp(began) + pd.DateOffset(months=months)).date()
    for day, lost_between in ((ends, 0), (ends + dt.timedelta(days=1), 1)):
        table = estimate(dated(("a", began, day)), **BY_DATES, months={"a": 2})
        renewals = max(months // 2, 1)
        assert row(table, "a")["renewals"] == renewals
        exact = months % 2 == 0 and months > 0 and not lost_between
        assert (table.notes == ()) == exact


def test_without_an_end_of_observation_the_last_day_in_the_table_is_it():
    table = estimate(SERVED.iloc[:4], **BY_DATES, months={"yearly": 12})
    assert row(table, "yearly")["churned"] == 2
    assert row(table, "yearly")["months_of_service"] == approx((365 + 703 + 900 + 0) / (365.25 / 12))


RENEWED = dated(
    ("half", "2023-01-10", "2024-01-10"),  # at its second renewal
    ("half", "2023-01-10", None),  # three behind, one ahead
    ("half", "2023-11-01", "2024-02-01"),  # before its first
    ("half", "2023-02-01", "2024-01-20"),  # 12 days before its second
    ("half", "2024-05-01", None),  # none behind
    first=["2023-07-10", "2023-07-10", "2024-05-01", "2023-08-01", "2024-11-01"],
    second=["2024-01-10", "2024-01-10", None, "2024-02-01", None],
    third=[None, "2024-07-10", None, None, None],
)
RENEWALS = ["first", "second", "third"]


def test_dates_of_renewals_count_those_faced_and_tell_the_length_of_the_term(frame):
    table = estimate(frame(RENEWED), **BY_DATES, as_of="2024-06-30", renewal_dates=RENEWALS)
    found = row(table, "half")
    assert dict(table.lengths) == {"half": 6}
    assert (found["churned"], found["renewals"]) == (3, 2 + 2 + 1 + 2)
    assert found["monthly_churn"] == approx(1 - (1 - 3 / 7) ** (1 / 6))
    limits = stats.binomtest(3, 7).proportion_ci(method="exact")
    assert found["high"] == approx(1 - (1 - limits.high) ** (1 / 6), rel=1e-9)
    assert table.notes == (
        "half: 2 of 3 clients lost left at another time than a renewal's date; each counts at the nearer renewal, or "
        "the first.",
    )
    assert float(table.churn("half")) == found["monthly_churn"]


def test_one_row_per_term_served_takes_one_column_of_renewal_dates():
    wide = estimate(RENEWED.iloc[:1], **BY_DATES, as_of="2024-06-30", renewal_dates=["first", "second"])
    served = dated(
        ("half", "2023-01-10", None),
        ("half", "2023-07-10", "2024-01-10"),
        renewed=["2023-07-10", "2024-01-10"],
    )
    long = estimate(served, **BY_DATES, as_of="2024-06-30", renewal_dates="renewed")
    assert row(long, "half")["monthly_churn"] == row(wide, "half")["monthly_churn"]
    assert row(long, "half")["monthly_churn"] == approx(1 - (1 - 1 / 2) ** (1 / 6))


def test_renewals_by_date_find_the_churn_that_made_them():
    """A third of 4,000 clients leave at each renewal of 9 months; the term's length is nowhere given."""
    rng = np.random.default_rng(1958)
    began = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, 4_000), unit="D")
    served = rng.geometric(1 / 3, 4_000)
    days = {f"r{k}": [day + pd.DateOffset(months=9 * k) for day in began] for k in range(1, 8)}
    frame = pd.DataFrame({"term": "nine", "began": began, **days})
    frame["left"] = [days[f"r{k}"][place] if k < 8 else pd.NaT for place, k in enumerate(served)]
    table = estimate(frame, **BY_DATES, as_of="2022-12-31", renewal_dates=list(days))
    assert dict(table.lengths) == {"nine": 9}
    found, truth = row(table, "nine"), 1 - (2 / 3) ** (1 / 9)
    assert found["low"] < truth < found["high"]
    assert table.notes == ()
    by_length = estimate(frame, **BY_DATES, as_of="2022-12-31", months={"nine": 9})
    assert row(by_length, "nine")["renewals"] == found["renewals"]


def test_dates_that_tell_little_are_noted():
    mixed = dated(("a", "2023-01-01", None), ("a", "2023-01-01", "2024-01-01"), renewed=["2023-04-01", "2024-01-01"])
    table = estimate(mixed, **BY_DATES, renewal_dates="renewed")
    assert "terms last from 3.0 to 12.0 months by client; the monthly churn takes 7" in table.notes[0]
    ahead = dated(("a", "2023-01-01", None), ("a", "2023-01-01", "2024-01-01"), renewed=["2025-01-01", "2024-01-01"])
    assert any(
        "no client who is still there has a renewal behind it" in note
        for note in estimate(ahead, **BY_DATES, renewal_dates="renewed").notes
    )
    none = estimate(ahead.assign(renewed=pd.NaT), **BY_DATES, renewal_dates="renewed")
    assert row(none, "a")["status"] == "unknown_length"
    assert "without the dates of its renewals or the length of the term" in none.notes[0]


@pytest.mark.parametrize(
    ("change", "options", "argument", "words"),
    [
        ({}, {"end": None}, "start", "takes duration= and churned=, or start= and end=; got start"),
        ({}, {"duration": "left"}, "duration", "got duration, start, end"),
        ({}, {"renewals": "n", "renewal_dates": "second"}, "renewal_dates", "Leave one of them out"),
        ({}, {"renewal_dates": []}, "renewal_dates", "at least one column; got none"),
        ({"left": pd.Timestamp("2020-01-01")}, {}, "end", "left is on or after began for every client; 5 of 5"),
        (
            {"second": pd.Timestamp("2023-01-10")},
            {"renewal_dates": "second"},
            "renewal_dates",
            "second is after began for every client; 5",
        ),
        (
            {},
            {"renewal_dates": ["second", "first"]},
            "renewal_dates",
            "first is after began and second for every",
        ),
        ({}, {"renewal_dates": RENEWALS, "months": {"half": 12}}, "months", "lasts 12; its renewals are 6.0 months"),
        ({"began": pd.NaT, "left": pd.NaT}, {}, "start", "no row with a date in began"),
        ({"began": "soon"}, {}, "start", "'began' holds 5 unreadable dates"),
        ({"second": "2024-02-30"}, {"renewal_dates": "second"}, "renewal_dates[0]", "holds 5 unreadable dates"),
        ({"began": 1}, {}, "start", "holds dates or datetimes"),
        ({"n": "one"}, {"renewals": "n"}, "renewals", "column of numbers"),
        ({"n": -1.0}, {"renewals": "n"}, "renewals", "n is at least 0 for every client; 5 of 5"),
    ],
)
def test_dates_that_cannot_be_right_are_refused(change, options, argument, words):
    with pytest.raises(InputError, match=words) as caught:
        estimate(RENEWED.assign(**{"n": 1, **change}), **{**BY_DATES, "as_of": "2024-06-30", **options})
    assert caught.value.argument == argument


def test_dates_stand_beside_no_durations_and_the_other_way_round():
    frame = clients(("a", 1, True))
    with pytest.raises(InputError, match="as_of= ends the observation of dates"):
        estimate(frame, **COLUMNS, as_of="2024-01-01")
    with pytest.raises(InputError, match="told by start= and end="):
        estimate(frame, **COLUMNS, renewal_dates="stayed")
    with pytest.raises(ColumnError, match=r"renewal_dates\[1\]='thrid' is not a column.*Did you mean 'third'"):
        estimate(RENEWED, **BY_DATES, renewal_dates=["first", "thrid"])


# ---------------------------------------------------------------- raw and within groups


def test_where_size_decides_the_ratio_within_sizes_is_1():
    """Term and size are tied: most small clients are monthly, and churn depends on the size alone."""
    rows = []
    for term, size, number, lost in (
        ("monthly", "small", 900, 90),
        ("monthly", "large", 100, 2),
        ("yearly", "small", 100, 10),
        ("yearly", "large", 900, 18),
    ):
        rows += [(term, size, 10, place < lost) for place in range(number)]
    frame = pd.DataFrame(rows, columns=["term", "size", "stayed", "left"])
    ratio = estimate(frame, **COLUMNS, by="size").ratio("monthly", "yearly")
    assert ratio.raw == approx(92 / 28)
    assert float(ratio) == approx(1, rel=1e-12)
    assert 1 in ratio.interval
    assert 1 not in ratio.raw_interval


def test_the_ratio_within_groups_is_mantels_and_haenszels():
    counts = {"small": ((30, 500.0), (4, 100.0)), "large": ((3, 150.0), (9, 800.0))}
    rows = []
    for size, pair in counts.items():
        for term, (lost, months) in zip(("a", "b"), pair, strict=True):
            rows += [(term, size, months / lost, True)] * lost
    frame = pd.DataFrame(rows, columns=["term", "size", "stayed", "left"])
    ratio = estimate(frame, **COLUMNS, by="size").ratio("a", "b")
    top = sum(d * u / (t + u) for (d, t), (_, u) in counts.values())
    bottom = sum(e * t / (t + u) for (_, t), (e, u) in counts.values())
    variance = sum((d + e) * t * u / (t + u) ** 2 for (d, t), (e, u) in counts.values()) / (top * bottom)
    assert float(ratio) == approx(top / bottom, rel=1e-9)
    assert ratio.interval.high == approx(top / bottom * math.exp(1.959964 * math.sqrt(variance)), rel=1e-6)
    assert ratio.groups == ("large", "small")


def test_where_no_group_holds_both_terms_there_is_no_ratio():
    frame = clients(("a", 5, True, 9), ("b", 9, True, 9)).assign(size=["small"] * 9 + ["large"] * 9)
    ratio = estimate(frame, **COLUMNS, by="size").ratio("a", "b")
    assert (ratio.estimate, ratio.status) == (None, "undefined")
    assert "term and group cannot be told apart" in ratio.notes[0]
    assert ratio.raw == approx(9 / 5)


@settings(max_examples=25)
@given(st.integers(0, 20), st.integers(0, 20), st.floats(0.1, 100), st.floats(0.1, 100))
def test_the_exact_interval_of_a_raw_ratio_turns_over_with_it(lost_a, lost_b, months_a, months_b):
    frame = clients(
        ("a", months_a, False),
        ("b", months_b, False),
        *([("a", 0.0, True, lost_a)] * (lost_a > 0)),
        *([("b", 0.0, True, lost_b)] * (lost_b > 0)),
    )
    table = estimate(frame, **COLUMNS)
    one, other = table.ratio("a", "b"), table.ratio("b", "a")
    if lost_a and lost_b:
        assert float(one) == approx(1 / float(other), rel=1e-9)
        assert one.interval.low == approx(1 / other.interval.high, rel=1e-9)
    if not lost_b:
        assert one.estimate is None
        assert one.interval is None or one.interval.high == math.inf


def test_the_rows_of_the_groups_add_up_to_their_term(telco):
    table = of_telco(telco, by="InternetService")
    for term in LENGTHS:
        groups = [found for found in table.rows() if found["term"] == term and found["group"] is not None]
        for name in ("clients", "churned", "months_of_service"):
            assert sum(found[name] for found in groups) == row(table, term)[name]


# ---------------------------------------------------------------- on to the comparison


def test_compare_runs_on_the_rows_with_intervals(telco):
    table = of_telco(telco)
    terms = [
        Term("monthly", 1, fee_rate=1.0, monthly_churn=table.churn("Month-to-month")),
        Term("yearly", 12, fee_rate=0.9, monthly_churn=table.churn("One year")),
    ]
    result = compare(terms, monthly_spend=65, horizon_months=36, rng=2019)
    for found in result.rows():
        assert found["present_value_low"] < found["present_value"] < found["present_value_high"]
    assert result.rows()[0]["monthly_churn"] == row(table, "Month-to-month")["monthly_churn"]
    assert float(result.probability_better("yearly", "monthly", rng=2019)) > 0.99
    assert rm.from_dict(result.to_dict()) == result


def test_draws_of_a_rate_cover_its_exact_interval(telco):
    """Jeffreys' posterior lies close to Garwood's interval with 1,655 losses."""
    churn = of_telco(telco).churn("Month-to-month")
    term = Term("m", 1, fee_rate=1.0, monthly_churn=churn)
    found = compare(term, monthly_spend=1, horizon_months=12, draws=200_000, rng=2019).rows()[0]
    ends = [sum((1 - end) ** month for month in range(12)) for end in (churn.interval.high, churn.interval.low)]
    assert (found["expected_months_low"], found["expected_months_high"]) == approx(ends, rel=1e-3)


def test_by_group_churn_is_named_and_a_missing_row_refused():
    frame = clients(("a", 5, True, 9), ("a", 9, False, 9)).assign(size=["small"] * 9 + ["large"] * 9)
    table = estimate(frame, **COLUMNS, months={"a": 1}, by="size")
    assert table.churn("a", group="small").term == "a, small"
    assert table.churn("a", group="large").estimate == 0
    with pytest.raises(InputError, match=r"term is one of \['a'\]"):
        table.churn("b")
    with pytest.raises(InputError, match="group 'tiny'"):
        table.churn("a", group="tiny")


@pytest.mark.parametrize("lost", [0, 3])
def test_without_a_level_there_is_no_interval(lost):
    frame = clients(("a", 5, False, 9), *([("a", 5, True, lost)] if lost else []))
    table = estimate(frame, **COLUMNS, months={"a": 1}, level=None)
    assert (row(table, "a")["low"], table.churn("a").interval) == (None, None)
    assert np.isclose(row(table, "a")["monthly_churn"], lost / (45 + 5 * lost))
