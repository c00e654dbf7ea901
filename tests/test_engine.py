"""The door: what any frame may hold, what is counted out, and what is refused, alike in every library."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import zoneinfo

import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from frames import CONVERT, FRAMES, as_sorted_rows
from places import ROOT
from retention_metrics.errors import ColumnError, InputError

UTC, BERLIN = dt.UTC, zoneinfo.ZoneInfo("Europe/Berlin")


def days(*texts):
    return pd.to_datetime(list(texts), format="ISO8601")


VISITS = pd.DataFrame(
    {
        "who": ["a", "b", "a", "c", "a", "b"],
        "day": days("2024-01-03", "2024-01-09", "2024-02-01", "2024-02-05", "2024-03-09", "2024-03-31"),
        "plan": ["x", None, "x", "None", "x", None],
        "spend": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    }
)
PLANS = pd.DataFrame(
    {
        "who": ["a", "b", "c", "a", "d"],
        "from": days("2024-01-01", "2024-01-15", "2024-02-05", "2024-03-10", "2024-01-31"),
        "until": pd.Series([*days("2024-02-01"), pd.NaT, *days("2024-02-20", "2024-04-01", "2024-02-29")]),
    }
)

EVENTS = {
    "by_period": rm.retention.by_period,
    "cohorts": rm.retention.cohorts,
    "day_n": rm.retention.day_n,
}
event_verbs = pytest.mark.parametrize("verb", EVENTS.values(), ids=list(EVENTS))
every_frame = pytest.mark.parametrize("frame", FRAMES)


def answer(verb, events, **options):
    return verb(events, customer="who", time="day", **options)


def subscribed(plans, **options):
    return rm.retention.from_subscriptions(plans, customer="who", start="from", end="until", **options)


def cells(table):
    return as_sorted_rows(table), dict(table.excluded), table.notes


# ---------------------------------------------------------------- what is counted out


@every_frame
@event_verbs
def test_rows_without_a_customer_or_a_time_are_counted_out(frame, verb):
    holed = pd.concat([VISITS, VISITS.iloc[:3]], ignore_index=True)
    holed.loc[6:7, "who"] = None
    holed.loc[8, "day"] = pd.NaT
    table = answer(verb, frame(holed))
    assert dict(table.excluded) == {"missing_customer": 2, "missing_time": 1}
    assert as_sorted_rows(table) == as_sorted_rows(answer(verb, VISITS))


@every_frame
@pytest.mark.parametrize(("column", "reason"), [("who", "missing_customer"), ("day", "missing_time")])
def test_a_log_with_nothing_left_says_why(frame, column, reason):
    empty = VISITS.assign(**{column: pd.Series([None] * 6, dtype=VISITS[column].dtype)})
    with pytest.raises(InputError, match=f"no row left to count: 6 rows, {reason} 6"):
        answer(rm.retention.by_period, frame(empty))


@every_frame
@event_verbs
def test_a_log_without_rows_is_refused(frame, verb):
    with pytest.raises(InputError, match="no rows"):
        answer(verb, frame(VISITS.iloc[:0]))


@every_frame
def test_subscriptions_without_a_customer_or_a_start_are_counted_out(frame):
    holed = pd.concat([PLANS, PLANS.iloc[:2]], ignore_index=True)
    holed.loc[5, "who"] = None
    holed.loc[6, "from"] = pd.NaT
    table = subscribed(frame(holed))
    assert dict(table.excluded) == {"missing_customer": 1, "missing_start": 1}
    assert as_sorted_rows(table) == as_sorted_rows(subscribed(PLANS))


@every_frame
def test_subscriptions_that_all_start_after_the_end_are_refused_with_the_count(frame):
    with pytest.raises(InputError, match="no row left to count: 5 rows, after_as_of 5"):
        subscribed(frame(PLANS), as_of="2023-12-31")


@every_frame
@event_verbs
def test_customers_whose_joining_is_not_known_are_counted_out(frame, verb):
    joined = VISITS["who"].map({"a": pd.Timestamp("2024-01-01"), "b": pd.NaT, "c": pd.Timestamp("2024-02-02")})
    table = answer(verb, frame(VISITS.assign(joined=joined)), joined="joined")
    known = VISITS.assign(joined=joined)[joined.notna()]
    assert dict(table.excluded) == {"missing_joined": 2}
    assert as_sorted_rows(table) == as_sorted_rows(answer(verb, known, joined="joined", as_of="2024-03-09"))


@every_frame
def test_a_date_of_joining_that_nobody_can_read_is_refused(frame):
    with pytest.raises(InputError, match="joined='joined' holds 6 unreadable dates") as caught:
        answer(rm.retention.cohorts, frame(VISITS.assign(joined="01/02/2024")), joined="joined")
    assert (caught.value.argument, caught.value.count) == ("joined", 6)


@every_frame
def test_subscriptions_that_all_run_on_may_have_a_column_of_nothing_as_their_end(frame):
    table = subscribed(frame(PLANS.assign(until=None)), as_of="2024-03-31")
    assert [row["lost"] for row in table.rows()] == [0, 0, 0]
    assert [row["end_customers"] for row in table.rows()] == [3, 4, 4]


# ---------------------------------------------------------------- columns


@every_frame
@event_verbs
def test_a_column_that_is_missing_or_plays_two_roles_is_refused(frame, verb):
    with pytest.raises(ColumnError, match=r"time='dya' is not a column.*Did you mean 'day'"):
        verb(frame(VISITS), customer="who", time="dya")
    with pytest.raises(ColumnError, match="customer= and time= both name the column 'day'"):
        verb(frame(VISITS), customer="day", time="day")
    with pytest.raises(ColumnError, match="customer= and by= both name the column 'who'"):
        answer(verb, frame(VISITS), by="who")
    with pytest.raises(ColumnError, match="customer= holds a column name"):
        verb(frame(VISITS), customer=VISITS["who"], time="day")


@every_frame
def test_words_are_no_money(frame):
    with pytest.raises(ColumnError, match=r"value='plan' is a column of numbers; it holds (String|Categorical)"):
        answer(rm.retention.cohorts, frame(VISITS), value="plan")
    with pytest.raises(ColumnError, match="value='plan' is a column of numbers"):
        rm.clv.rfm_summary(frame(VISITS), customer="who", time="day", value="plan")


@every_frame
def test_money_is_finite_and_missing_money_is_counted_out(frame):
    with pytest.raises(InputError, match="value='spend' is finite; 1 of 6 rows are not") as caught:
        answer(rm.retention.cohorts, frame(VISITS.assign(spend=[1, np.inf, 3, 4, 5, 6.0])), value="spend")
    assert (caught.value.column, caught.value.count) == ("spend", 1)
    table = answer(rm.retention.cohorts, frame(VISITS.assign(spend=[1, None, 3, 4, 5, 6.0])), value="spend")
    assert dict(table.excluded) == {"missing_value": 1}


@every_frame
@pytest.mark.parametrize("bad", ["31/12/2024", "2024-02-30", "", "2024-01-01T25:00", "2024-01-01T00:00:00Z"])
def test_dates_that_nobody_can_read_are_refused_in_events_and_subscriptions(frame, bad):
    texts = VISITS["day"].dt.strftime("%Y-%m-%d")
    with pytest.raises(InputError, match="time='day' holds 1 unreadable dates of 6 rows") as caught:
        answer(rm.retention.by_period, frame(VISITS.assign(day=[*texts[:5], bad])))
    assert (caught.value.argument, caught.value.count, caught.value.first) == ("time", 1, (bad,))
    ends = PLANS["until"].dt.strftime("%Y-%m-%d").astype(object).where(PLANS["until"].notna(), None)
    starts = [*PLANS["from"].dt.strftime("%Y-%m-%d")[:4], bad]
    with pytest.raises(InputError, match="start='from' holds 1 unreadable dates"):
        subscribed(frame(PLANS.assign(**{"from": starts, "until": ends})))


@every_frame
@pytest.mark.parametrize("numbers", [range(6), [1.5] * 6, [True] * 6])
def test_numbers_are_no_times(frame, numbers):
    with pytest.raises(ColumnError, match="holds dates or datetimes"):
        answer(rm.retention.by_period, frame(VISITS.assign(day=numbers)))


def test_times_in_more_than_one_zone_are_refused_by_name():
    mixed = VISITS.assign(day=pd.Series([dt.datetime(2024, 1, 1, tzinfo=UTC)] * 5 + [dt.datetime(2024, 1, 2)]))
    with pytest.raises(InputError, match="time='day' mixes time zones: None, UTC") as caught:
        answer(rm.retention.by_period, mixed)
    assert caught.value.argument == "time"
    ends = pd.Series([dt.datetime(2024, 5, 1, tzinfo=UTC)] * 4 + [dt.datetime(2024, 5, 2)])
    with pytest.raises(InputError, match="end='until' mixes time zones"):
        subscribed(PLANS.assign(until=ends))
    with pytest.raises(InputError, match="joined='start' mixes time zones"):
        answer(rm.retention.cohorts, VISITS.assign(start=mixed["day"]), joined="start")


@every_frame
def test_start_and_end_are_of_one_kind(frame):
    texts = PLANS["from"].dt.strftime("%Y-%m-%d")
    with pytest.raises(ColumnError, match="start holds text and end times without a zone"):
        subscribed(frame(PLANS.assign(**{"from": texts})))
    with pytest.raises(ColumnError, match="start holds times with a zone and end times without a zone"):
        subscribed(frame(PLANS.assign(**{"from": PLANS["from"].dt.tz_localize("UTC")})))


@every_frame
def test_dates_text_and_datetimes_of_subscriptions_say_the_same(frame):
    expected = cells(subscribed(PLANS))
    dates = PLANS.assign(**{"from": PLANS["from"].dt.date})
    assert cells(subscribed(frame(dates))) == expected
    ends = PLANS["until"].dt.strftime("%Y-%m-%d").astype(object).where(PLANS["until"].notna(), None)
    texts = PLANS.assign(**{"from": PLANS["from"].dt.strftime("%Y-%m-%d"), "until": ends})
    assert cells(subscribed(frame(texts))) == expected


# ---------------------------------------------------------------- groups and keys


@every_frame
@event_verbs
def test_rows_of_no_group_are_counted_out_and_none_is_a_name_like_any_other(frame, verb):
    table = answer(verb, frame(VISITS), by="plan", as_of="2024-03-31")
    assert dict(table.excluded) == {"missing_group": 2}
    assert list(dict.fromkeys(table.columns["group"])) == ["None", "x"]
    named = VISITS[VISITS["plan"].notna()]
    assert as_sorted_rows(table) == as_sorted_rows(answer(verb, named, by="plan", as_of="2024-03-31"))


@every_frame
def test_subscriptions_of_no_group_are_counted_out(frame):
    grouped = PLANS.assign(plan=["x", None, "x", "y", None])
    table = subscribed(frame(grouped), by="plan", as_of="2024-04-30")
    assert dict(table.excluded) == {"missing_group": 2}
    named = grouped[grouped["plan"].notna()]
    assert as_sorted_rows(table) == as_sorted_rows(subscribed(named, by="plan", as_of="2024-04-30"))


@every_frame
@event_verbs
@pytest.mark.parametrize("dtype", ["category", "str", "Int64", "boolean"])
def test_labels_of_any_type_group_alike(frame, verb, dtype):
    labels = pd.Series([1, 0, 1, 0, 1, None], dtype="Int64")
    words = labels.map(str, na_action="ignore").astype("str")
    typed = words.astype(dtype) if dtype in ("category", "str") else labels.astype(dtype)
    table = answer(verb, frame(VISITS.assign(plan=typed)), by="plan")
    plain = answer(verb, VISITS.assign(plan=labels), by="plan")
    same = {"0": 0, "1": 1, False: 0, True: 1}
    assert [{**row, "group": same[row["group"]]} for row in table.rows()] == list(plain.rows())


@event_verbs
def test_labels_of_two_types_are_refused(verb):
    with pytest.raises(InputError, match="by holds values of one type; got int, str"):
        answer(verb, VISITS.assign(plan=["a", 1, "a", 1, 2, 3]), by="plan")


@every_frame
@event_verbs
@pytest.mark.parametrize("dtype", ["category", "Int64", "float64", "int64"])
def test_customers_may_be_of_any_type(frame, verb, dtype):
    keys = VISITS["who"].astype("category") if dtype == "category" else VISITS["who"].map(ord).astype(dtype)
    assert cells(answer(verb, frame(VISITS.assign(who=keys)))) == cells(answer(verb, VISITS))


@event_verbs
@pytest.mark.parametrize(
    "index", [[0, 0, 1, 1, 2, 2], list("fedcba"), pd.MultiIndex.from_frame(VISITS[["who", "day"]])], ids=str
)
def test_the_index_of_a_pandas_frame_means_nothing(verb, index):
    shown = VISITS.copy()
    shown.index = index
    assert cells(answer(verb, shown, by="plan")) == cells(answer(verb, VISITS, by="plan"))


@every_frame
@event_verbs
def test_the_order_of_rows_and_ties_in_time_mean_nothing(frame, verb):
    tied = pd.concat([VISITS, VISITS.iloc[2:4]], ignore_index=True)
    shuffled = tied.sample(frac=1, random_state=2024).reset_index(drop=True)
    assert cells(answer(verb, frame(shuffled))) == cells(answer(verb, VISITS))


@every_frame
def test_one_row_is_a_log(frame):
    one = frame(VISITS.iloc[:1])
    assert [row["end_customers"] for row in answer(rm.retention.by_period, one).rows()] == [1]
    (row,) = answer(rm.retention.cohorts, one, as_of="2024-01-31").rows()
    assert (row["size"], row["rate"]) == (1, 1.0)
    assert {row["status"] for row in answer(rm.retention.day_n, one).rows()} == {"no_customers"}


@every_frame
@pytest.mark.parametrize("level", [0.5, 0.999, None])
def test_a_level_moves_the_interval_and_nothing_else(frame, level):
    rows = answer(rm.retention.by_period, frame(VISITS), level=level).rows()
    for row, usual in zip(rows, answer(rm.retention.by_period, VISITS).rows(), strict=True):
        assert row["rate"] == usual["rate"]
        if level is None or row["rate"] is None:
            assert (row["low"], row["high"]) == (None, None)
        else:
            assert (row["high"] - row["low"] > usual["high"] - usual["low"]) == (level > 0.95)


# ---------------------------------------------------------------- clocks


# The clocks went forward on 2024-03-31 and back on 2024-10-27.
ACROSS = VISITS.assign(
    day=days(
        "2024-01-31T23:30", "2024-03-31T00:30", "2024-03-31T01:30", "2024-10-26T22:30", "2024-10-26T23:30",
        "2024-12-31T23:30",
    ).tz_localize("UTC")
)  # fmt: skip


@every_frame
@event_verbs
def test_days_are_cut_on_the_clock_of_the_zone_in_every_library(frame, verb):
    wall = ACROSS.assign(day=ACROSS["day"].dt.tz_convert("Europe/Berlin").dt.tz_localize(None))
    options, plain = {"period": rm.Period("day", tz="Europe/Berlin")}, {"period": "day"}
    if verb is rm.retention.day_n:
        options, plain = {"tz": "Europe/Berlin"}, {}
    assert cells(answer(verb, frame(ACROSS), **options)) == cells(answer(verb, wall, **plain))


@every_frame
def test_subscriptions_are_cut_on_the_clock_of_the_zone_in_every_library(frame):
    zoned = PLANS.assign(**{name: PLANS[name].dt.tz_localize("UTC") for name in ("from", "until")})
    wall = PLANS.assign(
        **{name: zoned[name].dt.tz_convert("America/New_York").dt.tz_localize(None) for name in ("from", "until")}
    )
    table = subscribed(frame(zoned), period=rm.Period("month", tz="America/New_York"))
    assert cells(table) == cells(subscribed(wall))


@every_frame
def test_start_and_end_may_be_in_two_zones(frame):
    zoned = PLANS.assign(**{"from": PLANS["from"].dt.tz_localize("UTC"), "until": PLANS["until"].dt.tz_localize("UTC")})
    mixed = zoned.assign(until=zoned["until"].dt.tz_convert("Europe/Berlin"))
    period = rm.Period("month", tz="UTC")
    assert cells(subscribed(frame(mixed), period=period)) == cells(subscribed(PLANS))


@every_frame
def test_histories_are_cut_on_the_clock_of_the_zone(frame):
    table = rm.clv.rfm_summary(
        frame(ACROSS), customer="who", time="day", collapse=rm.Period("day", tz="America/New_York")
    )
    # a: Jan 31, Mar 30, Oct 26, seen from Dec 31
    assert ("a", 2.0, 269.0, 335.0) in as_sorted_rows(table)


@every_frame
@pytest.mark.parametrize(
    "as_of", [dt.datetime(2024, 10, 26, 23, 0, tzinfo=UTC), dt.datetime(2024, 10, 27, 1, 0, tzinfo=BERLIN)]
)
@pytest.mark.parametrize("tz", [None, "Europe/Berlin"])
def test_an_instant_is_the_same_in_any_zone(frame, as_of, tz):
    table = answer(rm.retention.by_period, frame(ACROSS), as_of=as_of, period=rm.Period("month", tz=tz))
    assert dict(table.excluded) == {"after_as_of": 2}


@pytest.mark.parametrize("frame", [param for param in FRAMES if param.id != "duckdb"])
def test_an_instant_falls_on_the_day_of_the_columns_own_zone(frame):
    # 23:00 UTC is one o'clock of the 27th in Berlin: what happened there at half past midnight is in.
    local = ACROSS.assign(day=ACROSS["day"].dt.tz_convert("Europe/Berlin"))
    table = answer(rm.retention.by_period, frame(local), as_of=dt.datetime(2024, 10, 26, 23, 0, tzinfo=UTC))
    assert (dict(table.excluded), table.as_of) == ({"after_as_of": 2}, dt.date(2024, 10, 27))


@every_frame
def test_text_and_times_end_at_the_same_instant(frame):
    texts = ["2024-01-03T10:00", "2024-01-03 12:00:30", "2024-01-03", "2024-01-03T12:00", "2024-01-03 18:00",
             "2024-01-03T12:00:00.5"]  # fmt: skip
    for log in (VISITS.assign(day=texts), VISITS.assign(day=days(*texts))):
        table = answer(rm.retention.by_period, frame(log), as_of=dt.datetime(2024, 1, 3, 12))
        assert dict(table.excluded) == {"after_as_of": 3}


@every_frame
def test_a_start_later_on_the_last_day_is_out_and_an_end_has_not_come(frame):
    noon = dt.datetime(2024, 2, 5, 12)
    late = PLANS.assign(
        **{
            "from": PLANS["from"].where(PLANS["who"] != "c", pd.Timestamp("2024-02-05 18:00")),
            "until": PLANS["until"].where(PLANS["who"] != "d", pd.Timestamp("2024-02-05 18:00")),
        }
    )
    table = subscribed(frame(late), as_of=noon)
    assert dict(table.excluded) == {"after_as_of": 2}
    assert table.rows()[-1]["end_customers"] == 2  # b, and d until the evening


@every_frame
def test_a_time_with_a_zone_and_a_column_without_one_are_refused(frame):
    with pytest.raises(InputError, match="the column does not carry one"):
        answer(rm.retention.by_period, frame(VISITS), as_of=dt.datetime(2024, 3, 1, 12, tzinfo=UTC))
    with pytest.raises(InputError, match="the column carries one"):
        answer(rm.retention.by_period, frame(ACROSS), as_of=dt.datetime(2024, 3, 1, 12))


def test_an_offset_without_a_name_is_a_zone_too():
    fixed = VISITS.assign(day=VISITS["day"].dt.tz_localize(dt.timezone(dt.timedelta(hours=1))))
    table = answer(rm.retention.by_period, fixed, as_of=dt.datetime(2024, 3, 9, 0, 30, tzinfo=UTC))
    assert dict(table.excluded) == {"after_as_of": 1}


@every_frame
@event_verbs
def test_times_before_1970_are_times(frame, verb):
    # 400 years are a whole number of weeks, so every calendar repeats.
    early = VISITS.assign(day=[day.replace(year=1624).to_pydatetime() for day in VISITS["day"]])
    early["day"] = early["day"].astype("datetime64[us]")
    options = {} if verb is rm.retention.day_n else {"period": rm.Period("week", week_start="sunday")}
    then, now = answer(verb, frame(early), **options).rows(), answer(verb, VISITS, **options).rows()
    for old, new in zip(then, now, strict=True):
        assert {k: v for k, v in old.items() if k not in ("period", "cohort")} == {
            k: v for k, v in new.items() if k not in ("period", "cohort")
        }


# ---------------------------------------------------------------- without PyArrow

WITHOUT_PYARROW = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pyarrow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import datetime as dt
import duckdb, pandas as pd, polars as pl
import retention_metrics as rm

start = dt.datetime(2024, 1, 3)
rows = {
    "who": list("abacab"), "plan": ["x", None, "x", "y", "x", "y"], "spend": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "day": [start + dt.timedelta(days=k) for k in (0, 6, 29, 33, 66, 88)],
    "until": [None] * 3 + [start + dt.timedelta(days=k) for k in (70, 99, 120)],
    "left": [True, False, True, False, True, None], "answer": [10, 9, 8, 7, None, 6],
}
table = duckdb.connect()
types = ["text", "text", "double", "timestamp", "timestamp", "bool", "int"]
table.execute("create table log (" + ", ".join(f'"{name}" {kind}' for name, kind in zip(rows, types)) + ")")
table.executemany("insert into log values (?, ?, ?, ?, ?, ?, ?)", [list(row) for row in zip(*rows.values())])
model, spend = rm.clv.BGNBD(r=0.2, alpha=4, a=0.8, b=2.4, unit="day"), rm.clv.GammaGamma(p=6, q=4, v=15)

def answers(frame):
    log = {"customer": "who", "time": "day"}
    history = rm.clv.rfm_summary(frame, **log, value="spend", calibration_end="2024-02-15")
    return [
        rm.retention.by_period(frame, **log, by="plan"),
        rm.retention.from_subscriptions(frame, customer="who", start="day", end="until"),
        rm.retention.cohorts(frame, **log, value="spend"),
        rm.retention.day_n(frame, **log),
        rm.churn.by_group(frame, churned="left", group="plan"),
        rm.churn.by_quantile(frame, churned="left", value="spend", quantiles=2),
        rm.nps.score(frame, rating="answer", survey_weights="spend"),
        history.totals(),
    ]

def valued(frame):
    '''Every cell, since a SQL engine adds up in no order of its own.'''
    history = rm.clv.rfm_summary(frame, customer="who", time="day", value="spend", calibration_end="2024-02-15")
    found = rm.clv.lifetime_value(model, spend, model.predict(history, horizon=10), horizon=10).frame
    if isinstance(found, pd.DataFrame):
        rows = found.itertuples(index=False)
    else:
        rows = found.fetchall() if isinstance(found, duckdb.DuckDBPyRelation) else found.lazy().collect().rows()
    return sorted(tuple(None if cell != cell else cell for cell in row) for row in rows)

kinds = [pd.DataFrame(rows), pl.DataFrame(rows), pl.LazyFrame(rows), table.table("log")]
first, *others = [[answer.to_dict() for answer in answers(frame)] for frame in kinds]
assert all(other == first for other in others)
assert all(valued(frame) == valued(kinds[0]) for frame in kinds[1:])
for backend in ("pandas", "polars", "duckdb"):
    assert rm.datasets.telco(backend=backend).shape == (7043, 21)
try:
    rm.retention.rate(start=100, end=90).to_frame("pyarrow")
except rm.errors.MissingDependencyError as error:
    print(error)
assert "pyarrow" not in sys.modules
"""


def test_pandas_polars_and_duckdb_work_where_pyarrow_is_not_installed():
    done = subprocess.run([sys.executable, "-c", WITHOUT_PYARROW], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "pip install 'retention-metrics[pyarrow]'" in done.stdout


if "ibis" in CONVERT:

    def test_ibis_is_not_asked_to_move_times():
        table = CONVERT["ibis"](VISITS.assign(day=VISITS["day"].dt.tz_localize("UTC")))
        with pytest.raises(ColumnError, match="needs times moved there, which Ibis does not; 'day' carries one"):
            answer(rm.retention.by_period, table, period=rm.Period("month", tz="Europe/Berlin"))


@pytest.mark.parametrize("labelled", [False, True])
def test_ids_of_arrow_s_extension_types_are_read_as_text_or_named(labelled):
    pa = pytest.importorskip("pyarrow", minversion="18")
    plain = pa.Table.from_pandas(VISITS, preserve_index=False)

    def with_ids(kind):
        places = {who: place for place, who in enumerate(sorted(set(VISITS["who"].dropna())))}
        keys = [None if pd.isna(who) else bytes([places[who]] * kind.storage_type.byte_width) for who in VISITS["who"]]
        ids = pa.ExtensionArray.from_storage(kind, pa.array(keys, kind.storage_type))
        table = plain.set_column(plain.schema.get_field_index("who"), "who", ids)
        return table.to_pandas(types_mapper=pd.ArrowDtype).set_axis([7] * len(keys)) if labelled else table

    assert answer(rm.retention.cohorts, with_ids(pa.uuid())) == answer(rm.retention.cohorts, plain)
    with pytest.raises(ColumnError, match=r"'who' holds extension<.* Convert it to text first"):
        answer(rm.retention.cohorts, with_ids(pa.opaque(pa.binary(4), "key", "vendor")))
