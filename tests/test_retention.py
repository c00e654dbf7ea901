"""What the retention rate, cohorts and day-N retention say."""

from __future__ import annotations

import datetime as dt
import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import retention_metrics as rm
from coverage_of import binomial_coverage
from frames import as_rows
from retention_metrics.errors import ColumnError, InputError

DAY_ZERO = pd.Timestamp("2024-01-01")
ORACLE = {"A": [1, 2, 3, 5, 7, 9], "B": [1, 4, 10], "C": [1, 2], "D": [3], "E": []}


@pytest.fixture
def visits() -> pd.DataFrame:
    rows = [(who, DAY_ZERO + pd.Timedelta(days=day)) for who, days in ORACLE.items() for day in [0, *days]]
    return pd.DataFrame(rows, columns=["who", "when"])


def log(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {"who": [who for who, _ in rows], "when": pd.to_datetime([when for _, when in rows], format="ISO8601")}
    )


# ---------------------------------------------------------------- the rate from counts


def test_ninety_of_a_hundred_are_retained_with_the_wilson_interval():
    result = rm.retention.rate(start=100, end=90)
    assert result.estimate == 0.9
    assert (round(result.interval.low, 4), round(result.interval.high, 4)) == (0.8256, 0.9448)
    assert result.interval.method == "wilson"


@pytest.mark.parametrize(("start", "lost", "new"), [(1000, 200, 500), (50, 10, 15)])
def test_customers_won_in_the_period_do_not_count(start, lost, new):
    assert rm.retention.rate(start=start, end=start - lost + new, new=new).estimate == (start - lost) / start


def test_counting_joiners_who_left_again_as_new_understates_retention():
    assert rm.retention.rate(start=100, end=108, new=18).estimate == 0.90
    assert rm.retention.rate(start=100, end=108, new=20).estimate == 0.88


def test_with_nobody_at_the_start_the_rate_is_undefined_and_says_so():
    result = rm.retention.rate(start=0, end=0)
    assert result.estimate is None
    assert result.interval is None
    assert result.status == "no_customers"
    assert result.notes
    with pytest.raises(InputError, match="no estimate"):
        float(result)


@pytest.mark.parametrize(
    ("counts", "argument"),
    [
        ({"start": -1, "end": 0}, "start"),
        ({"start": 10.5, "end": 0}, "start"),
        ({"start": 100, "end": 120}, "new"),
        ({"start": 100, "end": 10, "new": 20}, "new"),
        ({"start": float("nan"), "end": 0}, "start"),
        ({"start": True, "end": 0}, "start"),
        ({"start": 1, "end": 1, "level": 1.0}, "level"),
        ({"start": 1, "end": 1, "method": "wilsen"}, "method"),
    ],
)
def test_impossible_counts_name_the_argument(counts, argument):
    with pytest.raises(InputError) as caught:
        rm.retention.rate(**counts)
    assert caught.value.argument == argument
    assert argument in str(caught.value)


def test_an_error_survives_pickling_with_its_details():
    with pytest.raises(InputError) as caught:
        rm.retention.rate(start=-1, end=0)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.argument) == (str(caught.value), "start")


def test_without_a_level_there_is_no_interval():
    assert rm.retention.rate(start=100, end=90, level=None).interval is None


@given(start=st.integers(1, 500), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_the_interval_holds_the_estimate_and_stays_a_share(start, share, level):
    result = rm.retention.rate(start=start, end=round(share * start), level=level)
    assert 0 <= result.interval.low <= result.estimate <= result.interval.high <= 1


def test_the_wilson_interval_is_scipys():
    for end in range(31):
        ours = rm.retention.rate(start=30, end=end).interval
        theirs = stats.binomtest(end, 30).proportion_ci(0.95, method="wilson")
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@pytest.mark.parametrize("truth", [0.05, 0.3, 0.8, 0.95])
def test_the_interval_covers_the_rate_behind_the_counts(truth):
    def covers(end: int) -> bool:
        return truth in rm.retention.rate(start=50, end=end).interval

    assert binomial_coverage(50, truth, covers) >= 0.93


# ---------------------------------------------------------------- period by period


def brute_force_periods(frame: pd.DataFrame, periods: list[pd.Period]) -> list[dict[str, int]]:
    months = frame.assign(month=frame["when"].dt.to_period(periods[0].freqstr))
    active = {p: set(months.loc[months["month"] == p, "who"]) for p in periods}
    rows, seen = [], set()
    for place, period in enumerate(periods):
        before, now = (active[periods[place - 1]] if place else set()), active[period]
        new = now - seen
        rows.append(
            {
                "start_customers": len(before),
                "retained": len(before & now),
                "lost": len(before - now),
                "new": len(new),
                "returned": len(now - before - new),
                "end_customers": len(now),
            }
        )
        seen |= now
    return rows


events = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.dates(dt.date(2023, 11, 1), dt.date(2024, 6, 30))), min_size=1, max_size=60
)


@given(events)
def test_periods_agree_with_counting_sets(rows):
    frame = pd.DataFrame(rows, columns=["who", "when"]).assign(when=lambda f: pd.to_datetime(f["when"]))
    table = rm.retention.by_period(frame, customer="who", time="when", since="2000-01-01")
    months = list(pd.period_range(frame["when"].min(), frame["when"].max(), freq="M"))
    names = ("start_customers", "retained", "lost", "new", "returned", "end_customers")
    assert [{name: row[name] for name in names} for row in table.rows()] == brute_force_periods(frame, months)


@given(events)
def test_customers_are_conserved_in_every_period(rows):
    frame = pd.DataFrame(rows, columns=["who", "when"]).assign(when=lambda f: pd.to_datetime(f["when"]))
    for row in rm.retention.by_period(frame, customer="who", time="when", since="2000-01-01").rows():
        assert row["start_customers"] == row["retained"] + row["lost"]
        assert row["end_customers"] == row["retained"] + row["returned"] + row["new"]


def test_a_period_not_observed_to_its_end_has_no_rate(visits):
    last = rm.retention.by_period(visits, customer="who", time="when", period="week", as_of="2024-01-13").rows()[-1]
    assert (last["status"], last["rate"], last["low"]) == ("incomplete", None, None)


def test_a_period_is_complete_once_its_last_day_is_over(visits):
    table = rm.retention.by_period(visits, customer="who", time="when", period="week", as_of="2024-01-14")
    assert table.rows()[-1]["status"] == "ok"


def test_an_instant_within_the_last_day_leaves_the_period_incomplete(visits):
    table = rm.retention.by_period(visits, customer="who", time="when", period="week", as_of="2024-01-14 18:00")
    assert table.rows()[-1]["status"] == "incomplete"


def test_the_first_period_of_a_log_does_not_tell_new_from_old(visits):
    table = rm.retention.by_period(visits, customer="who", time="when", period="week")
    first = table.rows()[0]
    assert (first["status"], first["new"], first["rate"]) == ("log_start", None, None)
    assert any("since" in note for note in table.notes)


def test_since_tells_that_the_first_customers_are_new(visits):
    first = rm.retention.by_period(visits, customer="who", time="when", period="week", since="2024-01-01").rows()[0]
    assert (first["status"], first["new"]) == ("no_customers", 5)


def test_customers_first_seen_before_since_are_never_new():
    frame = log(("a", "2024-01-05"), ("a", "2024-02-05"), ("b", "2024-02-10"))
    rows = rm.retention.by_period(frame, customer="who", time="when", since="2024-02-01", as_of="2024-02-29").rows()
    assert (rows[1]["new"], rows[1]["retained"]) == (1, 1)


def test_joined_tells_who_is_new():
    frame = log(("a", "2024-01-05"), ("b", "2024-01-06"), ("c", "2024-02-01"))
    frame["joined"] = pd.to_datetime(["2020-05-01", "2024-01-02", "2023-12-31"])
    rows = rm.retention.by_period(frame, customer="who", time="when", joined="joined", as_of="2024-02-29").rows()
    assert (rows[0]["new"], rows[0]["returned"]) == (1, 1)
    assert (rows[1]["new"], rows[1]["returned"]) == (0, 1)


def test_an_event_before_joining_is_refused():
    frame = log(("a", "2024-01-05")).assign(joined=pd.Timestamp("2024-01-06"))
    with pytest.raises(InputError, match="1 customers"):
        rm.retention.by_period(frame, customer="who", time="when", joined="joined")


def test_rows_after_as_of_are_counted_not_used(visits):
    table = rm.retention.by_period(visits, customer="who", time="when", period="week", as_of="2024-01-07")
    assert table.excluded == {"after_as_of": 3}


def test_periods_do_not_depend_on_the_dataframe_library(frame, cdnow):
    call = {"customer": "customer_id", "time": "date", "since": "1997-01-01", "as_of": "1998-06-30"}
    expected = as_rows(rm.retention.by_period(cdnow, **call))
    assert as_rows(rm.retention.by_period(frame(cdnow), **call)) == expected


def test_groups_are_counted_each_on_its_own_rows():
    frame = log(("a", "2024-01-05"), ("a", "2024-02-05"), ("b", "2024-01-10")).assign(land=["x", "x", "y"])
    call = {"customer": "who", "time": "when", "as_of": "2024-02-29"}
    both = as_rows(rm.retention.by_period(frame, by="land", **call))
    for land in ("x", "y"):
        alone = as_rows(rm.retention.by_period(frame[frame["land"] == land], **call))
        assert [{k: v for k, v in row.items() if k != "group"} for row in both if row["group"] == land] == alone


# ---------------------------------------------------------------- from subscriptions


def brute_force_subscriptions(frame: pd.DataFrame, months: list[pd.Period]) -> list[dict[str, int]]:
    def there(at: pd.Timestamp) -> set[str]:
        covers = (frame["from"] < at) & (frame["until"].isna() | (frame["until"] >= at))
        return set(frame.loc[covers, "who"])

    first = frame.groupby("who")["from"].min()
    rows = []
    for month in months:
        opens, closes = month.start_time, (month + 1).start_time
        before, now = there(opens), there(closes)
        joiners = set(first[(first >= opens) & (first < closes)].index)
        rows.append(
            {
                "start_customers": len(before),
                "retained": len(before & now),
                "lost": len(before - now),
                "new": len(joiners & now),
                "returned": len(now - before - joiners),
                "end_customers": len(now),
                "joined_and_left": len(joiners - now),
            }
        )
    return rows


spans = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.dates(dt.date(2024, 1, 1), dt.date(2024, 6, 30)),
        st.none() | st.integers(1, 120),
    ),
    min_size=1,
    max_size=25,
)


@given(spans)
def test_subscriptions_agree_with_asking_who_is_there_at_every_boundary(rows):
    frame = pd.DataFrame(
        {
            "who": [who for who, _, _ in rows],
            "from": pd.to_datetime([start for _, start, _ in rows]),
            "until": pd.to_datetime([None if days is None else start + dt.timedelta(days) for _, start, days in rows]),
        }
    )
    table = rm.retention.from_subscriptions(frame, customer="who", start="from", end="until", as_of="2024-12-31")
    months = list(pd.period_range(frame["from"].min(), "2024-12", freq="M"))
    expected = brute_force_subscriptions(frame, months)
    assert [{name: row[name] for name in expected[0]} for row in table.rows()] == expected


def test_the_worked_month_of_the_docstring():
    day = pd.Timestamp
    rows = [(f"stay{i}", day("2024-01-01"), None) for i in range(88)]
    rows += [(f"back{i}", day("2024-01-01"), day("2024-03-05")) for i in range(2)]
    rows += [(f"back{i}", day("2024-03-20"), None) for i in range(2)]
    rows += [(f"gone{i}", day("2024-01-01"), day("2024-03-10")) for i in range(10)]
    rows += [(f"new{i}", day("2024-03-08"), None) for i in range(18)]
    rows += [(f"brief{i}", day("2024-03-08"), day("2024-03-25")) for i in range(2)]
    frame = pd.DataFrame(rows, columns=["who", "from", "until"])
    march = rm.retention.from_subscriptions(
        frame, customer="who", start="from", end="until", as_of="2024-03-31"
    ).rows()[-1]
    counts = {name: march[name] for name in ("start_customers", "retained", "lost", "new", "end_customers")}
    assert counts == {"start_customers": 100, "retained": 90, "lost": 10, "new": 18, "end_customers": 108}
    assert march["joined_and_left"] == 2
    assert march["rate"] == 0.90


def test_an_end_on_the_first_of_a_month_is_churn_of_that_month():
    frame = pd.DataFrame(
        {"who": ["a"], "from": pd.to_datetime(["2024-01-10"]), "until": pd.to_datetime(["2024-03-01"])}
    )
    rows = rm.retention.from_subscriptions(frame, customer="who", start="from", end="until", as_of="2024-03-31").rows()
    assert [row["lost"] for row in rows] == [0, 0, 1]


def test_subscriptions_do_not_depend_on_the_dataframe_library(frame, shared_data):
    plans = pd.read_csv(shared_data / "mrr_subscription_periods.csv", parse_dates=["start_date", "end_date"])
    call = {"customer": "customer_id", "start": "start_date", "end": "end_date", "as_of": "2020-02-29"}
    expected = as_rows(rm.retention.from_subscriptions(plans, **call))
    assert as_rows(rm.retention.from_subscriptions(frame(plans), **call)) == expected


def test_the_playbook_has_55_new_customers_and_3_who_came_back(shared_data):
    plans = pd.read_csv(shared_data / "mrr_subscription_periods.csv", parse_dates=["start_date", "end_date"])
    rows = rm.retention.from_subscriptions(
        plans, customer="customer_id", start="start_date", end="end_date", as_of="2020-02-29"
    ).rows()
    assert sum(row["new"] + row["joined_and_left"] for row in rows) == 55
    assert sum(row["returned"] for row in rows) == 3


def test_reversed_intervals_are_refused_and_empty_ones_counted():
    frame = pd.DataFrame(
        {
            "who": ["a", "b"],
            "from": pd.to_datetime(["2024-01-10", "2024-01-10"]),
            "until": pd.to_datetime(["2024-01-10", None]),
        }
    )
    call = {"customer": "who", "start": "from", "end": "until"}
    assert rm.retention.from_subscriptions(frame, **call).excluded == {"empty_interval": 1}
    with pytest.raises(InputError, match="1 of 2 rows end before they start"):
        rm.retention.from_subscriptions(frame.assign(until=pd.to_datetime(["2024-01-09", None])), **call)


# ---------------------------------------------------------------- cohorts


def brute_force_cohorts(frame: pd.DataFrame, kind: str, last: pd.Period) -> dict[tuple[str, int], tuple[int, int]]:
    months = frame.assign(month=frame["when"].dt.to_period("M")).groupby("who")["month"].agg(set)
    cells = {}
    for cohort in sorted({min(active) for active in months}):
        members = [active for active in months if min(active) == cohort]
        for age in range((last - cohort).n + 1):
            now = cohort + age
            back = {
                "classic": lambda active, now=now: now in active,
                "unbounded": lambda active, now=now: max(active) >= now,
                "cumulative": lambda active, now=now, cohort=cohort: any(cohort < m <= now for m in active),
            }[kind]
            cells[str(cohort), age] = (len(members), sum(back(active) for active in members))
    return cells


@pytest.mark.parametrize("kind", ["classic", "unbounded", "cumulative"])
@given(rows=events)
def test_cohorts_agree_with_counting_sets(kind, rows):
    frame = pd.DataFrame(rows, columns=["who", "when"]).assign(when=lambda f: pd.to_datetime(f["when"]))
    table = rm.retention.cohorts(frame, customer="who", time="when", kind=kind, since="2000-01-01")
    last = frame["when"].max().to_period("M")
    found = {(f"{row['cohort']:%Y-%m}", row["age"]): (row["size"], row["retained"]) for row in table.rows()}
    assert found == brute_force_cohorts(frame, kind, last)


def test_a_window_gives_every_cohort_the_same_time():
    frame = log(("a", "2024-01-05"), ("a", "2024-04-05"), ("b", "2024-02-10"), ("b", "2024-03-10"))
    table = rm.retention.cohorts(
        frame, customer="who", time="when", kind="unbounded", window=1, since="2024-01-01", as_of="2024-05-31"
    )
    cells = {(row["cohort"].month, row["age"]): (row["retained"], row["status"]) for row in table.rows()}
    assert [cells[1, age] for age in range(5)] == [(1, "ok"), (0, "ok"), (1, "ok"), (1, "ok"), (0, "incomplete")]
    assert [cells[2, age] for age in range(4)] == [(1, "ok"), (1, "ok"), (0, "ok"), (0, "incomplete")]


def test_incomplete_cells_are_null_and_complete_ones_are_not(cdnow):
    table = rm.retention.cohorts(cdnow, customer="customer_id", time="date", since="1997-01-01", as_of="1997-05-15")
    statuses = {row["status"] for row in table.rows()}
    assert statuses == {"ok", "incomplete"}
    assert all((row["rate"] is None) == (row["status"] == "incomplete") for row in table.rows())
    assert sum(row["size"] for row in table.rows() if row["age"] == 0) == 2357


def test_the_first_cohort_of_a_log_keeps_its_rates_under_a_warning(cdnow):
    table = rm.retention.cohorts(cdnow, customer="customer_id", time="date", as_of="1998-06-30")
    first = [row for row in table.rows() if row["cohort"] == dt.date(1997, 1, 1)]
    assert {row["status"] for row in first} == {"log_start"}
    assert all(row["rate"] is not None for row in first)
    assert any("since" in note for note in table.notes)


def test_customers_older_than_since_are_in_no_cohort():
    frame = log(("a", "2024-01-05"), ("a", "2024-02-05"), ("b", "2024-02-10"))
    table = rm.retention.cohorts(frame, customer="who", time="when", since="2024-02-01", as_of="2024-02-29")
    assert [(row["cohort"], row["size"]) for row in table.rows()] == [(dt.date(2024, 2, 1), 1)]
    assert table.excluded == {"first_seen_before_since": 2}


def test_joined_makes_the_cohort_and_ages_before_the_log_are_unknown():
    frame = log(("a", "2024-03-05"), ("b", "2024-03-10")).assign(joined=pd.to_datetime(["2024-01-15", "2024-03-01"]))
    table = rm.retention.cohorts(frame, customer="who", time="when", joined="joined", as_of="2024-03-31")
    old = {row["age"]: (row["status"], row["rate"]) for row in table.rows() if row["cohort"] == dt.date(2024, 1, 1)}
    assert old == {0: ("incomplete", None), 1: ("incomplete", None), 2: ("ok", 1.0)}


def test_the_average_counts_every_customer_once():
    rows = [(f"a{i}", "2024-01-05") for i in range(10)] + [("a0", "2024-02-05"), ("a1", "2024-02-06")]
    rows += [(f"b{i}", "2024-02-05") for i in range(100)] + [("b0", "2024-04-01")]
    table = rm.retention.cohorts(log(*rows), customer="who", time="when", since="2024-01-01", as_of="2024-03-31")
    pooled = {row["age"]: row["rate"] for row in table.average().rows()}
    assert pooled[1] == pytest.approx(2 / 110)  # the mean of 20 % and 0 % would be 10 %


def test_cohorts_do_not_depend_on_the_dataframe_library(frame, cdnow):
    call = {"customer": "customer_id", "time": "date", "since": "1997-01-01", "as_of": "1997-12-31"}
    for options in ({}, {"kind": "cumulative"}, {"kind": "unbounded", "window": 2}, {"value": "amount"}):
        expected = rm.retention.cohorts(cdnow, **call, **options)
        found = rm.retention.cohorts(frame(cdnow), **call, **options)
        for ours, theirs in zip(found.rows(), expected.rows(), strict=True):
            assert ours == {k: pytest.approx(v, rel=1e-9) if isinstance(v, float) else v for k, v in theirs.items()}


@pytest.mark.parametrize("days", [61, 62, 63, 200])
def test_cohorts_of_groups_over_many_periods_do_not_depend_on_the_library(frame, days):
    """62 periods are as many as the bits of a whole number, by which a table in DuckDB is counted."""
    rng = np.random.default_rng(days)
    who, day = rng.integers(0, 80, 900), np.append(rng.integers(0, days, 898), [0, days - 1])
    rows = {"who": who, "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(day, "D"), "day": who % 3 == 0}
    table, last = pd.DataFrame(rows), dt.date(2024, 1, 1) + dt.timedelta(days - 1)
    for since in ("2024-01-01", "2024-01-08"):
        call = {"customer": "who", "time": "when", "by": "day", "since": since, "as_of": last, "period": "day"}
        expected = rm.retention.cohorts(table.sample(frac=1, random_state=1), **call)
        assert rm.retention.cohorts(frame(table), **call).rows() == expected.rows()
        assert len({row["cohort"] for row in expected.rows()}) > 5


def test_revenue_retention_is_a_ratio_of_sums():
    frame = log(("a", "2024-01-05"), ("a", "2024-02-05"), ("b", "2024-01-10"), ("b", "2024-01-12")).assign(
        paid=[100.0, 50.0, 60.0, 40.0]
    )
    table = rm.retention.cohorts(
        frame, customer="who", time="when", value="paid", since="2024-01-01", as_of="2024-02-29"
    )
    cell = table.rows()[1]
    assert (cell["opening_revenue"], cell["revenue"], cell["rate"]) == (200.0, 50.0, 0.25)


def test_the_interval_of_revenue_retention_covers():
    rng = np.random.default_rng(2024)
    covered, runs, customers = 0, 300, 60
    for _ in range(runs):
        x = rng.gamma(4, 25, customers)
        y = np.where(rng.random(customers) < 0.7, x * rng.gamma(8, 1 / 8, customers), 0.0)
        frame = pd.DataFrame(
            {
                "who": np.r_[np.arange(customers), np.flatnonzero(y > 0)],
                "when": pd.to_datetime(["2024-01-05"] * customers + ["2024-02-05"] * int((y > 0).sum())),
                "paid": np.r_[x, y[y > 0]],
            }
        )
        cell = rm.retention.cohorts(
            frame, customer="who", time="when", value="paid", since="2024-01-01", as_of="2024-02-29"
        ).rows()[1]
        covered += cell["low"] <= 0.7 <= cell["high"]
    assert 0.91 <= covered / runs <= 0.985  # 0.95, within 3 standard errors of 300 runs and its small-sample bias


def test_contradictory_options_are_refused(visits):
    call = {"customer": "who", "time": "when"}
    with pytest.raises(InputError, match="window= goes with kind='unbounded'"):
        rm.retention.cohorts(visits, **call, window=2)
    with pytest.raises(InputError, match="kind"):
        rm.retention.cohorts(visits, **call, kind="rolling")
    with pytest.raises(InputError, match="value= goes with kind='classic'"):
        rm.retention.cohorts(visits.assign(paid=1.0), **call, kind="unbounded", value="paid")


# ---------------------------------------------------------------- day N


@pytest.mark.parametrize(
    ("kind", "d1", "d7"), [("classic", 0.6, 0.2), ("cumulative", 0.6, 0.8), ("unbounded", 0.8, 0.4)]
)
def test_day_n_by_its_three_definitions(frame, visits, kind, d1, d7):
    table = rm.retention.day_n(
        frame(visits), customer="who", time="when", days=(1, 7), kind=kind, since="2024-01-01", as_of="2024-02-01"
    )
    assert [row["rate"] for row in as_rows(table)] == [pytest.approx(d1), pytest.approx(d7)]


def test_only_customers_old_enough_are_in_the_denominator():
    frame = log(("a", "2024-01-01"), ("a", "2024-01-08"), ("b", "2024-01-05"))
    rows = rm.retention.day_n(
        frame, customer="who", time="when", days=(1, 7, 30), since="2024-01-01", as_of="2024-01-09"
    ).rows()
    assert [(row["size"], row["retained"], row["status"]) for row in rows] == [
        (2, 0, "ok"),
        (1, 1, "ok"),
        (0, 0, "no_customers"),
    ]


def test_one_minute_past_midnight_is_the_next_day():
    frame = log(("a", "2024-01-01 23:59"), ("a", "2024-01-02 00:01"))
    row = rm.retention.day_n(
        frame, customer="who", time="when", days=[1], since="2024-01-01", as_of="2024-01-31"
    ).rows()[0]
    assert row["rate"] == 1.0


def test_days_are_cut_in_the_zone_that_is_asked_for():
    frame = log(("a", "2024-01-01 20:00"), ("a", "2024-01-01 23:30"))
    frame["when"] = frame["when"].dt.tz_localize("UTC")
    call = {"customer": "who", "time": "when", "days": [1], "since": "2023-12-01", "as_of": "2024-01-31"}
    assert rm.retention.day_n(frame, **call).rows()[0]["rate"] == 0.0
    assert rm.retention.day_n(frame, **call, tz="Europe/Berlin").rows()[0]["rate"] == 1.0


@pytest.mark.parametrize("days", [[], [1, 1], [-1], [1.5]])
def test_days_are_different_whole_numbers(visits, days):
    with pytest.raises(InputError, match="days"):
        rm.retention.day_n(visits, customer="who", time="when", days=days)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("verb", [rm.retention.by_period, rm.retention.cohorts, rm.retention.day_n])
class TestBadInput:
    def test_a_missing_column_answers_with_the_nearest(self, verb, visits):
        with pytest.raises(ColumnError, match="Did you mean 'who'"):
            verb(visits, customer="whom", time="when")

    def test_one_column_cannot_play_two_roles(self, verb, visits):
        with pytest.raises(ColumnError, match="customer= and time="):
            verb(visits, customer="when", time="when")

    def test_an_empty_frame_is_refused(self, verb, visits):
        with pytest.raises(InputError, match="no rows"):
            verb(visits.head(0), customer="who", time="when")

    def test_nothing_left_is_refused_with_the_reasons(self, verb, visits):
        with pytest.raises(InputError, match="missing_customer"):
            verb(visits.assign(who=None), customer="who", time="when")

    def test_a_number_is_no_time(self, verb, visits):
        with pytest.raises(ColumnError, match="holds dates"):
            verb(visits.assign(when=20240101), customer="who", time="when")

    def test_missing_customers_and_times_are_counted(self, verb, visits):
        broken = visits.assign(who=visits["who"].where(visits.index != 0), when=visits["when"].where(visits.index != 3))
        assert verb(broken, customer="who", time="when").excluded == {"missing_customer": 1, "missing_time": 1}

    def test_an_array_is_no_frame(self, verb):
        with pytest.raises(InputError, match="dataframe"):
            verb([1, 2, 3], customer="who", time="when")
