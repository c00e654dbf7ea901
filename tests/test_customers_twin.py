"""Logs as they come: odd ids, odd rows, zones and second tables, against a loop in plain Python."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import customers_twin as twin
import retention_metrics as rm
from frames import as_duckdb, as_pyarrow, as_rows, together
from retention_metrics.errors import ColumnError, InputError

LOG = {"customer": "who", "time": "when"}
PAID = {**LOG, "value": "paid"}
ZONE = "America/Sao_Paulo"
END = dt.date(2018, 12, 31)


def drawn(seed: int, rows: int = 120) -> pd.DataFrame:
    """Orders at any hour in a zone whose clocks change, few prices, some returns, copies and missing cells."""
    rng = np.random.default_rng(seed)
    minutes = pd.to_timedelta(rng.integers(0, 500 * 24 * 60, rows), unit="min")
    paid = rng.choice([5.0, 5.0, 12.5, 0.0, 33.33, 0.1], rows) * rng.choice([1, 1, 1, 1, -1], rows)
    log = pd.DataFrame(
        {
            "who": pd.array(rng.integers(-3, 30, rows), dtype="Int64"),
            "when": pd.Timestamp("2017-09-01", tz="UTC") + minutes,
            "paid": paid,
        }
    )
    log = pd.concat([log, log.sample(10, random_state=seed)], ignore_index=True)
    for name in log:
        log.loc[rng.random(len(log)) < 0.03, name] = None
    return log


def plain(days: list[str], who: list[str] | None = None, paid: list[float] | None = None) -> pd.DataFrame:
    names = who or [f"c{place}" for place in range(len(days))]
    return pd.DataFrame({"who": names, "when": pd.to_datetime(days), "paid": paid or [10.0] * len(days)})


LOGS = {
    "drawn": drawn(1),
    "one row": plain(["2018-02-28"]),
    "one purchase each": plain(["2018-02-28", "2018-05-31", "2018-05-31", "2018-12-31", "2019-01-01"]),
    "all on one day": plain(["2018-03-01"] * 6, who=list("aabbcc")),
    "returned more than bought": plain(
        ["2018-03-01", "2018-03-01", "2018-04-01", "2018-05-01"], list("aaab"), [5, -9, 0, 7]
    ),
    "small prices": plain(["2018-01-01", "2018-02-01", "2018-09-30", "2018-10-01"], list("aabb"), [0.1, 0.2, 0.3, 0.0]),
}


@pytest.mark.parametrize("name", LOGS)
def test_the_tables_are_those_of_a_loop(frame, name):
    log = LOGS[name]
    tz = ZONE if log["when"].dt.tz is not None else None
    people, excluded = twin.read(log.astype(object).itertuples(index=False), END, tz)
    options = {"as_of": END, "tz": tz}
    expected = twin.table(people, END)
    table = rm.customers.summary(frame(log), **PAID, **options, scores=True)
    rows = {row["who"]: row for row in as_rows(table)}
    assert set(rows) == set(people)
    assert dict(table.excluded) == excluded
    for who, row in rows.items():
        for column, value in expected[who].items():
            found = row[column].date() if isinstance(row[column], dt.datetime) else row[column]
            assert found == (pytest.approx(value, abs=1e-9) if isinstance(value, float) else value), (who, column)
    n, again, young = twin.bought_again(people, END, 90)
    kept = log[log["paid"].notna() & (log["paid"] >= 0)]
    repeat = rm.customers.repeat_rate(frame(kept), **LOG, **options, within_days=90)
    assert (repeat.numerator, repeat.denominator) == (again, n)
    assert repeat.excluded.get("customers_observed_too_short", 0) == young
    value = rm.customers.average_order_value(frame(log), **PAID, **options)
    orders = sum(person.orders for person in people.values())
    assert value.estimate == pytest.approx(sum(person.revenue for person in people.values()) / orders)


# ---------------------------------------------------------------- ids and money of any type

DAYS = pd.to_datetime(["2018-01-01", "2018-02-01", "2018-03-03", "2018-01-15", "2018-03-01", "2018-03-20"])
UUIDS = [uuid.UUID(int=place) for place in (5, 6, 7)]


def with_ids(ids: list[object], dtype: object = None) -> pd.DataFrame:
    who = pd.Series([ids[place] for place in (0, 0, 0, 1, 1, 2)], dtype=dtype)
    return pd.DataFrame({"who": who, "when": DAYS, "paid": [1.0, 2, 3, 4, 5, 6]})


IDS = {
    "text": with_ids(["a", "b", "c"], "str"),
    "categories": with_ids(["a", "b", "c"], "category"),
    "beyond 2^63": with_ids([2**63 + 5, 2**63 + 6, 1], "uint64"),
    "true and false": with_ids([True, False, True], "bool"),
    "with a gap": with_ids([1.0, 2.0, np.nan]),
}
VERBS = {
    "summary": lambda log: rm.customers.summary(log, **PAID),
    "own rhythm": lambda log: rm.customers.at_risk(log, **PAID, rule="own_rhythm"),
    "segments": lambda log: rm.customers.segments(log, **PAID),
    "audiences": lambda log: rm.customers.audiences(log, **PAID),
    "contact_due": lambda log: rm.customers.contact_due(log, **LOG),
}


def told(table: object) -> list[tuple[object, ...]]:
    """The rows in one order, without the key: what an id is must not matter."""
    rows = [tuple((n, v) for n, v in row.items() if n != "who") for row in as_rows(table)]
    return sorted(
        ([(n, round(v, 7) if isinstance(v, float) else v) for n, v in row] for row in rows), key=lambda row: repr(row)
    )


CASES = [(ids, name) for ids in IDS for name in VERBS if ids != "text" and (name != "own rhythm" or "2^63" in ids)]


@pytest.mark.parametrize(("ids", "name"), CASES)
def test_what_an_id_is_does_not_matter(frame, ids, name):
    log, verb = IDS[ids], VERBS[name]
    codes = pd.factorize(log["who"])[0]
    same = log.assign(who=pd.array(codes, dtype="Int64")).replace({"who": {-1: pd.NA}})
    assert told(verb(frame(log))) == told(verb(same))


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_text_that_polars_hands_to_arrow_and_wide_integers_are_taken(verb):
    expected = told(verb(IDS["text"]))
    views = pa.table(pl.from_pandas(IDS["text"]))
    assert str(views.schema.field("who").type) == "string_view"
    assert told(verb(views)) == expected
    wide = pl.from_pandas(with_ids([1, 2, 3])).with_columns(pl.col("who").cast(pl.Int128) * 2**70)
    assert told(verb(wide)) == expected


@pytest.mark.parametrize("verb", VERBS.values(), ids=list(VERBS))
def test_pandas_objects_and_repeated_labels_of_rows_are_taken(verb):
    expected = told(verb(IDS["text"]))
    log = with_ids(UUIDS)
    assert told(verb(log)) == expected
    assert [type(who) for who in verb(log).frame["who"]] == [uuid.UUID] * 3
    assert told(verb(IDS["text"].set_axis([7] * 6))) == expected
    assert told(verb(IDS["text"].assign(paid=[Decimal(n) for n in range(1, 7)]))) == expected
    with pytest.raises(ColumnError, match="no order among them"):
        verb(with_ids(["a", 1, "b"]))


@pytest.mark.parametrize("verb", [VERBS[name] for name in ("summary", "segments", "audiences")])
def test_a_log_of_returns_alone_has_nobody_to_show(frame, verb):
    log = IDS["text"].assign(paid=-1.0)
    with pytest.raises(InputError, match="no purchase left to count: no_purchase 6"):
        verb(frame(log))


# ---------------------------------------------------------------- a second table


def pair(convert, **tables: pd.DataFrame) -> dict[str, object]:
    """The tables in one kind of frame, of one connection where there is one."""
    return together(**tables) if convert is as_duckdb else {name: convert(table) for name, table in tables.items()}


KEYS = {
    "integers of two sizes": ([1, 2, 3], "int64", [1, 2, 9], "int32"),
    "a float for an integer": ([1, 2, 3], "int64", [1, 2, 9], "float64"),
    "categories for text": (["a", "b", "c"], "str", ["a", "b", "z"], "category"),
    "two sets of categories": (["a", "b", "c"], "category", ["b", "a", "z"], "category"),
}


@pytest.mark.parametrize("keys", KEYS)
def test_ids_of_two_tables_are_matched_by_value(frame, keys):
    mine, dtype, theirs, other = KEYS[keys]
    calls = pd.DataFrame({"who": pd.Series(theirs, dtype=other), "when": DAYS[3:], "score": [9.0, 3.0, 1.0]})
    tables = pair(frame, orders=with_ids(mine, dtype), calls=calls)
    known = {who: (day, score) for who, day, score in zip(theirs, DAYS[3:], [9.0, 3.0, 1.0], strict=True)}
    options = {"as_of": "2018-03-31"}
    table = rm.customers.summary(
        tables["orders"], **PAID, **options, contacts=tables["calls"], responses=tables["calls"], rating="score"
    )
    for row in as_rows(table):
        assert (row["last_contact"], row["last_rating"]) == known.get(row["who"], (None, None))
    due = rm.customers.contact_due(tables["calls"], **LOG, **options, purchases=tables["orders"])
    lists = rm.customers.audiences(tables["orders"], **PAID, **options, visits=tables["calls"])
    assert {row["who"] for row in as_rows(due)} == {row["who"] for row in as_rows(lists)} == {*mine, *theirs}
    assert [row["who"] for row in as_rows(lists) if row["retargeting"]] == [theirs[2]]
    follow = rm.customers.message_response(
        *(tables[name] for name in ("calls", "orders")), **LOG, trigger="score", within_days=90, as_of="2018-12-31"
    )
    orders = list(zip(with_ids(mine)["who"], DAYS, strict=True))
    answered = [any(buyer == who and day < on for buyer, on in orders) for who, (day, _) in known.items()]
    assert sum(row["followed"] for row in follow.rows()) == sum(answered) > 0


def test_ids_of_two_kinds_are_refused_by_name(frame):
    tables = pair(frame, orders=with_ids([1, 2, 3]), calls=with_ids(["1", "2", "3"]))
    with pytest.raises(InputError, match="contacts holds them as String, the other table as Int64"):
        rm.customers.summary(tables["orders"], **PAID, contacts=tables["calls"])
    with pytest.raises(InputError, match="one type in all tables"):
        rm.customers.contact_due(tables["calls"], **LOG, purchases=tables["orders"])
    with pytest.raises(InputError, match="one type in all tables"):
        rm.customers.audiences(tables["orders"], **LOG, visits=tables["calls"])


def test_both_kinds_of_arrow_text_are_text():
    orders = as_pyarrow(IDS["text"])
    calls = pa.table({"who": pa.array(["a", "z"], pa.string()), "when": orders["when"][:2]})
    assert pa.types.is_large_string(orders.schema.field("who").type)
    table = rm.customers.contact_due(calls, **LOG, purchases=orders, as_of="2018-03-31")
    assert {row["who"] for row in as_rows(table)} == {"a", "b", "c", "z"}


@pytest.fixture
def logs(frame) -> dict[str, object]:
    """Two hours after midnight in UTC, the evening before in São Paulo; and rows that cannot count."""
    orders = with_ids(["a", "b", "c"], "str").assign(when=(DAYS + pd.Timedelta(hours=2)).tz_localize("UTC"))
    times = ["2018-02-10 02:00", "2018-03-05 02:00", "2018-01-01 02:00", "2018-01-02 02:00", "2030-01-01 02:00", None]
    when = pd.to_datetime(times).tz_localize("UTC")
    who = ["a", "b", "z", None, "b", "c"]
    return pair(frame, orders=orders, calls=pd.DataFrame({"who": who, "when": when, "score": [9.0, None, 3, 4, 10, 1]}))


def test_whole_numbers_are_of_one_type_in_every_library(frame):
    log = IDS["text"]
    tables = pair(frame, orders=log, calls=log)
    due = rm.customers.contact_due(
        tables["calls"], **LOG, as_of="2018-06-01", purchases=tables["orders"], message_days=[1]
    )
    tables = [*(verb(tables["orders"]) for verb in VERBS.values()), due]
    for table in tables:
        schema = nw.from_native(table.frame).lazy().collect_schema()
        assert {dtype for dtype in schema.values() if dtype.is_integer()} <= {nw.Int64()}


def test_second_tables_are_read_on_the_same_clock_and_their_exclusions_are_counted(logs):
    options = {"as_of": "2018-03-31", "tz": ZONE}
    orders, calls = logs["orders"], logs["calls"]
    table = rm.customers.summary(orders, **PAID, **options, contacts=calls, responses=calls, rating="score")
    rows = {row["who"]: row for row in as_rows(table)}
    assert rows["a"]["last_purchase"] == dt.datetime(2018, 3, 2)
    assert [rows[who]["last_contact"] for who in "abc"] == [dt.datetime(2018, 2, 10), dt.datetime(2018, 3, 4), None]
    assert [rows[who]["last_rating"] for who in "abc"] == [9.0, None, None]
    out = {"missing_customer": 1, "missing_time": 1, "after_as_of": 1, "no_purchase": 1}
    expected = {f"{log}_{reason}": count for log in ("contacts", "responses") for reason, count in out.items()}
    assert dict(table.excluded) == {**expected, "responses_missing_rating": 1}
    out.pop("no_purchase")
    lists = rm.customers.audiences(orders, **PAID, **options, visits=calls)
    assert dict(lists.excluded) == {f"visits_{reason}": count for reason, count in out.items()}
    due = rm.customers.contact_due(calls, **LOG, **options, purchases=orders)
    assert dict(due.excluded) == out
    assert [row["days_since_contact"] for row in as_rows(due) if row["who"] == "b"] == [27]
    back = rm.customers.contact_due(orders, **LOG, **options, purchases=calls)
    assert dict(back.excluded) == {f"purchases_{reason}": count for reason, count in out.items()}


def test_messages_count_what_is_left_out_of_the_purchases(logs):
    sent, bought = logs["orders"], logs["calls"]
    options = {"trigger": "paid", "as_of": "2018-03-31", "within_days": 7, "tz": ZONE}
    found = rm.customers.message_response(sent, bought, **LOG, **options)
    out = {"missing_customer": 1, "missing_time": 1, "after_as_of": 1}
    assert dict(found.excluded) == {f"purchases_{reason}": count for reason, count in out.items()}


def test_without_an_audit_nothing_of_a_second_table_is_counted(logs):
    options = {"as_of": "2018-03-31", "audit": False}
    table = rm.customers.summary(logs["orders"], **PAID, **options, contacts=logs["calls"])
    assert table.excluded is None
    assert {row["who"]: row["contacts"] for row in as_rows(table)} == {"a": 1, "b": 1, "c": 0}


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", 5])
@pytest.mark.parametrize("verb", [rm.customers.summary, rm.customers.contact_due])
def test_an_unknown_zone_is_refused_alike(frame, verb, tz):
    log = IDS["text"].assign(when=DAYS.tz_localize("UTC"))
    with pytest.raises(InputError, match="tz is an IANA time zone"):
        verb(frame(log), **LOG, tz=tz)


@pytest.mark.parametrize("name", ["customer", "time", "value", "last", "day", "reason"])
def test_a_column_to_keep_may_have_any_name(frame, name):
    calls = pd.DataFrame({"who": list("aab"), "when": DAYS[:3], name: ["y", "x", None]})
    rows = as_rows(rm.customers.contact_due(frame(calls), **LOG, as_of="2018-03-31", keep=[name]))
    assert {row["who"]: row[name] for row in rows} == {"a": "x", "b": None}


@pytest.mark.parametrize("keep", [["due"], ["contacts"], ["who"], ["rep", "rep"], ["reps"]])
def test_a_column_to_keep_is_one_and_not_of_the_answer(frame, keep):
    calls = pd.DataFrame({"who": ["a"], "when": DAYS[:1], "rep": "Bo", "due": 1, "contacts": 2})
    with pytest.raises(ColumnError, match=f"keep='{keep[-1]}'"):
        rm.customers.contact_due(frame(calls), **LOG, keep=keep)


# ---------------------------------------------------------------- models, margins and onboarding


def test_a_model_that_counts_opportunities_judges_days(frame):
    model = rm.clv.BGBB(alpha=1.2, beta=0.8, gamma=0.6, delta=2.8)
    options = {"as_of": "2018-04-05", "rule": "model", "model": model}
    for row in as_rows(rm.customers.at_risk(frame(IDS["text"]), **PAID, **options)):
        age, recency, repeats = {"a": (94, 61, 2), "b": (80, 45, 1), "c": (16, 0, 0)}[row["who"]]
        alive = float(model.probability_alive(repeats, recency, age))
        assert row["probability"] == (pytest.approx(alive) if repeats else None)
        assert row["at_risk"] == (bool(repeats) and alive < 0.5)
        on = float(model.expected_purchases(repeats, recency, age, horizon=365)) / alive if row["at_risk"] else 0.0
        assert row["value_at_stake"] == pytest.approx(on * {"a": 2.0, "b": 4.5, "c": 6.0}[row["who"]])


def test_who_gave_back_more_than_they_paid_has_no_value_and_the_others_keep_theirs(frame):
    model, spend = rm.clv.BGNBD(r=0.2, alpha=30.0, a=0.8, b=2.0), rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
    log = IDS["text"].assign(paid=[1.0, 2.0, -30.0, 4.0, 5.0, 6.0])
    options = {**PAID, "model": model, "spend": spend, "horizon": 30.0}
    table = rm.customers.summary(frame(log), **options)
    rows = {row["who"]: row for row in as_rows(table)}
    assert (rows["a"]["monetary_value"], rows["a"]["clv"]) == (-28.0, None)
    whole = {row["who"]: row for row in as_rows(rm.customers.summary(IDS["text"], **options))}
    assert list(rows["b"]) == list(whole["b"])
    for who in "bc":
        assert rows[who]["clv"] == pytest.approx(whole[who]["clv"])


@pytest.mark.parametrize(
    "model", ["BGNBD", rm.clv.ShiftedBetaGeometric(alpha=1, beta=2), rm.clv.GammaGamma(p=6, q=4, v=15)]
)
def test_what_is_no_model_of_purchases_is_refused(model):
    with pytest.raises(InputError, match="model is a model of purchases"):
        rm.customers.at_risk(IDS["text"], **LOG, rule="model", model=model)
    with pytest.raises(InputError, match="model is a model of purchases"):
        rm.customers.summary(IDS["text"], **LOG, model=model, horizon=3)


def test_margins_without_end_and_intervals_that_are_missing(frame):
    table = pd.DataFrame(
        {
            "margin": [np.inf, -np.inf, 30.0, 30.0, 30.0, 20.0],
            "low": [1.0, -np.inf, np.nan, 10.0, 30.0, 20.0],
            "high": [np.inf, 0.0, 50.0, np.inf, 30.0, 20.0],
            "cost": 25.0,
        }
    )
    roles = {"margin": "margin", "cost": "cost", "low": "low", "high": "high"}
    rows = as_rows(rm.customers.keep_or_let_go(frame(table), **roles))
    assert [row["decision"] for row in rows] == ["keep", "let_go", None, "unsure", "keep", "let_go"]
    assert [row["status"] for row in rows] == ["ok", "ok", "missing_interval", "ok", "ok", "ok"]
    assert [row["probability_of_loss"] for row in rows] == [0.0, 1.0, None, pytest.approx(0.5, abs=1e-7), 0.0, 1.0]
    with pytest.raises(InputError, match="low is at most high; 2 of 6 rows"):
        rm.customers.keep_or_let_go(
            frame(table.assign(low=table["high"], high=table["low"]).iloc[[0, 1, 2, 4, 5, 5]]), **roles
        )
    with pytest.raises(InputError, match="no rows"):
        rm.customers.keep_or_let_go(frame(table.head(0)), **roles)


def test_decimal_margins_are_numbers(frame):
    table = pd.DataFrame({"margin": [Decimal("1.5"), Decimal("3.0")], "cost": [Decimal("2.0"), Decimal("2.0")]})
    rows = as_rows(rm.customers.keep_or_let_go(frame(table), margin="margin", cost="cost"))
    assert [row["net_margin"] for row in rows] == [-0.5, 1.0]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"helped": "yes"}, ColumnError, "onboarded='helped' is a column of True and False"),
        ({"left": "no"}, ColumnError, "churned='left' is a column of True and False"),
        ({"days": "30"}, ColumnError, "duration='days' is a column of numbers"),
        ({"use": -1.0}, InputError, "first_use is at least 0 and finite; 4 of 4"),
        ({"use": np.inf}, InputError, "first_use is at least 0 and finite; 4 of 4"),
    ],
)
def test_onboarding_that_cannot_be_is_refused_alike(frame, change, error, words):
    base = {"helped": [True, True, False, False], "days": [100.0, 20, 100, 30], "left": [False, True, False, True]}
    table = pd.DataFrame({**base, "use": [1.0, 2.0, np.nan, 3.0]}).assign(**change)
    with pytest.raises(error, match=words):
        rm.customers.onboarding(frame(table), onboarded="helped", duration="days", churned="left", first_use="use")


def test_a_lazy_plan_of_margins_stays_lazy():
    table = pl.LazyFrame({"margin": [1.0], "cost": [2.0]})
    assert isinstance(rm.customers.keep_or_let_go(table, margin="margin", cost="cost").frame, pl.LazyFrame)


# ---------------------------------------------------------------- what was bought, what was opened, how they felt


@pytest.fixture
def story(frame) -> tuple[dict[str, object], dict[str, pd.DataFrame]]:
    """Orders, answers and messages of 25 customers, and of some who never bought; as frames and as they are."""
    rng = np.random.default_rng(30)
    day = lambda n: pd.Timestamp("2018-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")  # noqa: E731
    orders = pd.DataFrame(
        {"who": rng.integers(0, 25, 150), "when": day(150), "paid": rng.choice([9.0, 4.0, -1.0], 150)}
    )
    answers = pd.DataFrame({"who": rng.integers(0, 30, 80), "when": day(80), "score": rng.integers(0, 11, 80)})
    mail = pd.DataFrame({"who": rng.integers(0, 30, 200), "when": day(200), "read": rng.random(200) < 0.4})
    orders["shelf"] = rng.choice(["tea", "jam", "ink", None], 150)
    answers["score"] = answers["score"].astype(float).mask(rng.random(80) < 0.1)
    tables = {"orders": orders, "answers": answers, "mail": mail.assign(read=mail["read"].astype("boolean"))}
    tables["mail"].loc[::17, "read"] = pd.NA
    return pair(frame, **tables), tables


def test_what_was_bought_and_which_messages_were_opened_are_in_the_summary(story):
    tables, plain_tables = story
    orders, mail = plain_tables["orders"], plain_tables["mail"]
    table = rm.customers.summary(
        tables["orders"], **PAID, as_of=END, product="shelf", messages=tables["mail"], opened="read"
    )
    assert type(table.frame) is type(tables["orders"])
    rows = as_rows(table)
    assert len(rows) == orders.loc[orders["paid"] >= 0, "who"].nunique()
    for row in rows:
        mine = orders[(orders["who"] == row["who"]) & (orders["paid"] >= 0)]
        last = mine.loc[mine["when"] == mine["when"].max(), "shelf"].dropna()
        assert row["last_product"] == (min(last) if len(last) else None)
        assert row["products"] == mine["shelf"].nunique()
        sent = mail[mail["who"] == row["who"]]
        assert (row["messages"], row["messages_opened"]) == (len(sent), int(sent["read"].sum()))
    strangers = ~mail["who"].isin([row["who"] for row in rows])
    assert table.excluded["messages_no_purchase"] == strangers.sum() > 0


@pytest.mark.parametrize("rule", ["silence", "own_rhythm", "model"])
def test_who_is_dissatisfied_is_at_risk_before_they_fall_silent(story, rule):
    tables, plain_tables = story
    model = rm.clv.BGNBD(r=0.5, alpha=30.0, a=0.8, b=2.0) if rule == "model" else None
    options = {**PAID, "as_of": "2018-11-15", "rule": rule, "model": model}
    rows = as_rows(
        rm.customers.at_risk(tables["orders"], **options, responses=tables["answers"], rating="score", low_rating=3)
    )
    without = {row["who"]: row for row in as_rows(rm.customers.at_risk(tables["orders"], **options))}
    answers = plain_tables["answers"].dropna()
    for row in rows:
        daily = answers[answers["who"] == row["who"]].groupby("when")["score"].min().tolist()
        last, before = (daily or [None])[-1], daily[-2] if len(daily) > 1 else None
        change = None if before is None else last - before
        unhappy = last is not None and (last <= 3 or (change or 0) < 0)
        assert (row["last_rating"], row["rating_change"], row["dissatisfied"]) == (last, change, unhappy)
        assert row["at_risk"] == (unhappy or without[row["who"]]["at_risk"])
        if without[row["who"]]["at_risk"]:
            assert row["value_at_stake"] == pytest.approx(without[row["who"]]["value_at_stake"])
        elif not unhappy:
            assert row["value_at_stake"] == 0
    assert sum(row["dissatisfied"] and not without[row["who"]]["at_risk"] for row in rows) > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rating": "paid"}, "responses= and rating="),
        ({"responses": IDS["text"]}, "responses= and rating="),
        ({"low_rating": 3}, "low_rating= needs responses="),
        ({"responses": IDS["text"].assign(word="x"), "rating": "word"}, "rating='word' is a column of numbers"),
    ],
)
def test_answers_come_with_their_column(options, words):
    with pytest.raises(InputError, match=words):
        rm.customers.at_risk(IDS["text"], **LOG, **options)


def test_messages_come_with_their_column():
    with pytest.raises(InputError, match="messages= and opened="):
        rm.customers.summary(IDS["text"], **LOG, messages=IDS["text"])
    with pytest.raises(ColumnError, match="True and False"):
        rm.customers.summary(IDS["text"], **LOG, messages=IDS["text"].assign(read="yes"), opened="read")


def test_a_category_can_be_kept(frame):
    calls = pd.DataFrame({"who": list("aab"), "when": DAYS[:1].repeat(3), "rep": pd.Categorical(["z", "y", None])})
    rows = as_rows(rm.customers.contact_due(frame(calls), **LOG, as_of="2018-03-31", keep=["rep"]))
    assert {row["who"]: row["rep"] for row in rows} == {"a": "y", "b": None}


# ---------------------------------------------------------------- shares of revenue

SHARES = (rm.revenue.returning_share, rm.revenue.existing_share, rm.revenue.predictable_share)


def share_by_loop(log: pd.DataFrame, name: str, window: tuple[dt.date, dt.date]) -> float:
    """The share of the window's money that counts, row by row, on the clock on the wall of the zone."""
    rows = [
        (who, twin.day_of(when, ZONE), paid, bool(again))
        for who, when, paid, again in log.itertuples(index=False)
        if not (twin.missing(who) or twin.missing(when) or twin.missing(paid))
    ]
    first = {who: min(day for buyer, day, *_ in rows if buyer == who) for who, *_ in rows}
    inside = [row for row in rows if window[0] <= row[1] < window[1]]
    counts = {
        "returning_share": lambda who, day, paid, again: day > first[who],
        "existing_share": lambda who, day, paid, again: first[who] < window[0],
        "predictable_share": lambda who, day, paid, again: day > first[who] or again,
    }[name]
    return sum(row[2] for row in inside if counts(*row)) / sum(row[2] for row in inside)


@pytest.mark.parametrize("share", SHARES, ids=lambda share: share.__name__)
def test_a_share_of_revenue_is_that_of_a_loop_on_the_clock_of_the_zone(frame, share):
    log = drawn(3).assign(paid=lambda rows: rows["paid"].abs())
    log["again"] = np.random.default_rng(3).random(len(log)) < 0.3
    # An hour after midnight in UTC is the evening before in São Paulo.
    log.loc[::5, "when"] = log.loc[::5, "when"].dt.normalize() + pd.Timedelta(hours=1)
    window = (dt.date(2018, 2, 1), dt.date(2018, 8, 1))
    more = {"recurring": "again"} if share is rm.revenue.predictable_share else {}
    found = share(frame(log), **PAID, window=window, tz=ZONE, **more)
    assert found.estimate == pytest.approx(share_by_loop(log, share.__name__, window))


@pytest.mark.parametrize(
    ("marks", "answer"),
    [
        ([1.0, np.nan, 0, 0, 0, 0], 11 / 21),
        ([1, 0, 0, 0, 0, 0], 11 / 21),
        ([True, None, False, False, False, False], 11 / 21),
        (["no"] * 6, "recurring='plan' is a column of True and False"),
        ([2, 0, 0, 0, 0, 0], "recurring='plan' holds True and False, or 1 and 0; 1 rows do not"),
    ],
)
def test_what_recurs_is_marked_alike_in_every_frame(frame, marks, answer):
    log = IDS["text"].assign(plan=pd.array(marks, dtype="boolean") if None in marks else marks)
    log["paid"] = [1.0, 2, 3, 4, 5, 6]
    call = lambda: rm.revenue.predictable_share(  # noqa: E731
        frame(log), **PAID, recurring="plan", window=("2018-01-01", "2018-04-01")
    )
    if isinstance(answer, str):
        with pytest.raises(InputError, match=answer):
            call()
    else:
        # Second purchases of a and b: 2 + 3 + 5; a's first is marked: 1. The rest, 4 + 6, are first ones.
        assert call().estimate == pytest.approx(answer)


def test_who_only_gave_back_has_no_age(frame):
    log = plain(["2018-01-05", "2018-02-05", "2018-01-09", "2018-02-09"], list("aabb"), [9.0, 4.0, -3.0, -1.0])
    table = rm.customers.spend_by_age(frame(log), **PAID, period="month", as_of="2018-02-28")
    assert [(row["customers"], row["active"], row["spend_per_customer"]) for row in table.rows()] == [
        (1, 1, 9.0),
        (1, 1, 4.0),
    ]
    assert dict(table.excluded) == {"no_purchase": 2}
    with pytest.raises(InputError, match="no purchase left to count: no_purchase 4"):
        rm.customers.spend_by_age(frame(log.assign(paid=-1.0)), **PAID, period="month", as_of="2018-02-28")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"who": None}, "contacts: customer='who' is not a column"),
        ({"when": 5}, "contacts: time='when' holds dates"),
        ({"when": ["2018-01-01"] * 5 + ["yesterday"]}, "contacts: time='when' holds 1 unreadable dates"),
    ],
)
def test_an_error_about_a_second_table_names_it(frame, change, words):
    calls = IDS["text"].assign(**change) if change.get("who", 0) is not None else IDS["text"].drop(columns="who")
    tables = pair(frame, orders=IDS["text"], calls=calls)
    with pytest.raises(ColumnError if "unreadable" not in words else InputError, match=words):
        rm.customers.summary(tables["orders"], **PAID, contacts=tables["calls"])


def test_arguments_of_the_wrong_kind_are_refused():
    log = IDS["text"]
    with pytest.raises(ColumnError, match="customer= holds a column name; got None"):
        rm.customers.summary(log, customer=None, time="when")
    with pytest.raises(InputError, match="table is what segments returned; got DataFrame"):
        rm.customers.segment_sizes(log)
    with pytest.raises(InputError, match="message_days is a sequence of days; got 7"):
        rm.customers.contact_due(log, **LOG, purchases=log, message_days=7)
    models = {"model": rm.clv.BGNBD(r=0.2, alpha=30.0, a=0.8, b=2.0), "spend": rm.clv.GammaGamma(p=6, q=4, v=15)}
    with pytest.raises(InputError, match="spend= needs value="):
        rm.customers.summary(log, **LOG, **models, horizon=30.0)
    for pair_of in (5.0, (1.0,)):
        with pytest.raises(InputError, match=r"responses hold a pair for each use.*'mail' holds"):
            rm.revenue.budget_split(10.0, {"mail": pair_of})
    with pytest.raises(InputError, match="visits is a dataframe"):
        rm.customers.audiences(log, **LOG, visits=5)
