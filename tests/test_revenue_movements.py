"""What moves recurring revenue: the bridge, its twin in plain dictionaries, and what it refuses."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retention_metrics as rm
from frames import CONVERT, as_duckdb, as_pandas, as_rows, as_sorted_rows
from retention_metrics import Period, revenue
from retention_metrics.errors import ColumnError, InputError

few = settings(max_examples=25)  # each draws a whole log
ROLES = {"customer": "who", "start": "from", "end": "until", "amount": "price"}
CHURNING = {"customer": "who", "start": "from", "end": "until"}
MOVES = ("new", "reactivation", "expansion", "contraction", "churn")
COUNTS = ("new", "reactivated", "expanded", "contracted", "churned")
PEOPLE = tuple(f"{name}_customers" for name in COUNTS)
FIRST, DAYS = dt.date(2023, 11, 1), 500
MONTHS = {"day": Fraction(1200, 36525), "week": Fraction(12, 52), "month": 1, "quarter": 3, "year": 12}


def plans(rows, columns=("who", "from", "until", "price")):
    frame = pd.DataFrame(rows, columns=list(columns))
    for name in ("from", "until"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def drawn(rows):
    """A drawn log in Polars, whose plans are the quickest to run."""
    return pl.from_pandas(plans(rows, NAMES))


def bridge(frame, **options):
    return revenue.movements(frame, **{**ROLES, **options})


# ---------------------------------------------------------------- a twin by dictionaries


def month_ends(first, last):
    """First days of the months from the one that holds ``first`` to the one that holds ``last``."""
    day = first.replace(day=1)
    while day <= last:
        yield day
        day = (day + dt.timedelta(days=32)).replace(day=1)


def twin(rows, as_of, *, free="churn", window=None):
    """The bridge of (who, start, end, price, billing) rows, month by month and customer by customer."""
    known = [row for row in rows if row[1] <= as_of]
    months = list(month_ends(min(row[1] for row in known), as_of))
    state = {who: {"mrr": Fraction(0), "paid": False, "left": None, "plans": 0} for who, *_ in known}
    table = []
    for place, month in enumerate(months):
        after = (month + dt.timedelta(days=32)).replace(day=1)
        now, running = defaultdict(Fraction), defaultdict(int)
        for who, start, end, price, billing in known:
            if start < after and (end is None or end > as_of or end >= after):
                now[who] += Fraction(price) / MONTHS[billing]
                running[who] += 1
        row = dict.fromkeys(MOVES, Fraction(0)) | dict.fromkeys(PEOPLE, 0)
        row |= {"month": month, "start": sum(each["mrr"] for each in state.values())}
        for who, each in state.items():
            move = movement(each, now[who], running[who], place, free, window)
            if move:
                row[move] += now[who] - each["mrr"]
                row[PEOPLE[MOVES.index(move)]] += 1
            if each["mrr"] > 0 and now[who] == 0:
                each |= {"left": place}
                each |= {"on_free": running[who] > 0}
            each |= {"mrr": now[who], "paid": each["paid"] or now[who] > 0, "plans": running[who]}
        table.append(row | {"end": sum(each["mrr"] for each in state.values())})
    return table


def movement(each, mrr, running, place, free, window):
    if mrr == each["mrr"]:
        return None
    if each["mrr"] == 0:
        if not each["paid"]:
            return "new"
        if free == "active" and each["on_free"] and each["plans"] > 0:
            return "expansion"
        return "new" if window is not None and place - each["left"] > window else "reactivation"
    if mrr == 0 and not (free == "active" and running > 0):
        return "churn"
    return "expansion" if mrr > each["mrr"] else "contraction"


def same(result, expected):
    found = result.rows()
    assert [row["period"] for row in found] == [row["month"] for row in expected]
    for row, want in zip(found, expected, strict=True):
        assert row["start_mrr"] == pytest.approx(float(want["start"]), abs=1e-4)
        assert row["end_mrr"] == pytest.approx(float(want["end"]), abs=1e-4)
        for name in MOVES:
            assert row[name] == pytest.approx(float(want[name]), abs=1e-4), name
        assert [row[name] for name in PEOPLE] == [want[name] for name in PEOPLE]


@st.composite
def histories(draw, *, billings=("month", "quarter", "year", "week")):
    """Random intervals of a few customers: overlaps, gaps, changes, free months, brief ones and open ends."""
    days = st.integers(0, DAYS)
    rows = []
    for _ in range(draw(st.integers(1, 14))):
        start = FIRST + dt.timedelta(days=draw(days))
        length = draw(st.none() | st.integers(1, 300))
        end = None if length is None else start + dt.timedelta(days=length)
        price = draw(st.integers(0, 3).map(lambda k: k * 25) | st.integers(0, 99_999).map(lambda c: c / 100))
        rows.append((draw(st.sampled_from("abcd")), start, end, price, draw(st.sampled_from(billings))))
    return list(dict.fromkeys(rows))


AS_OF = FIRST + dt.timedelta(days=DAYS)
NAMES = ("who", "from", "until", "price", "plan")


def as_text(price):
    return Fraction(str(price))


@few
@given(rows=histories(), free=st.sampled_from(["churn", "active"]), window=st.none() | st.integers(1, 6))
def test_the_bridge_is_that_of_plain_dictionaries(rows, free, window):
    exact = [(who, start, end, as_text(price), plan) for who, start, end, price, plan in rows]
    result = bridge(drawn(rows), billing="plan", as_of=AS_OF, free=free, reactivation_window=window)
    same(result, twin(exact, AS_OF, free=free, window=window))


@few
@given(rows=histories(billings=("month", "quarter", "year", "week", "day")), period=st.sampled_from(["month", "week"]))
def test_it_closes_to_the_cent(rows, period):
    before = 0.0
    for row in bridge(drawn(rows), billing="plan", as_of=AS_OF, period=period).rows():
        assert row["start_mrr"] == before
        assert row["start_mrr"] + sum(row[name] for name in MOVES) == pytest.approx(row["end_mrr"], abs=1e-6)
        assert row["contraction"] <= 0
        assert row["churn"] <= 0
        assert min(row[name] for name in ("new", "reactivation", "expansion", "end_mrr")) >= 0
        before = row["end_mrr"]


@few
@given(rows=histories(), order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows, order):
    shuffled = order.sample(rows, len(rows))
    options = {"billing": "plan", "as_of": AS_OF}
    assert bridge(drawn(rows), **options) == bridge(drawn(shuffled), **options)


@few
@given(rows=histories(), at=st.integers(1, 299))
def test_a_subscription_split_in_two_is_the_same_subscription(rows, at):
    (who, start, end, price, plan), *others = rows
    middle = start + dt.timedelta(days=at)
    if middle >= (end or dt.date.max):
        return
    split = list(dict.fromkeys([(who, start, middle, price, plan), (who, middle, end, price, plan), *others]))
    if len(split) != len(rows) + 1:
        return
    options = {"billing": "plan", "as_of": AS_OF}
    assert bridge(drawn(rows), **options).rows() == bridge(drawn(split), **options).rows()


@few
@given(rows=histories(), by_month=st.booleans())
def test_customers_movements_add_up_to_the_bridge(rows, by_month):
    period = "month" if by_month else "quarter"
    options = {"billing": "plan", "as_of": AS_OF, "period": period}
    table = bridge(drawn(rows), **options).to_frame(backend="pandas").set_index("period")
    each = revenue.customer_movements(drawn(rows), **ROLES, **options).to_frame().to_pandas()
    if each.empty:
        assert (table["end_mrr"] == 0).all()
        return
    added = each.groupby(["period", "movement"])["change"].agg(["sum", "size"])
    for (month, name), (total, customers) in added.iterrows():
        assert table.loc[month, name] == pytest.approx(total, abs=1e-6)
        assert table.loc[month, f"{COUNTS[MOVES.index(name)]}_customers"] == customers
    assert added["sum"].sum() == pytest.approx(table["end_mrr"].iloc[-1], abs=1e-6)


# ---------------------------------------------------------------- every kind of frame


HISTORY = [
    ("a", "2024-01-01", "2024-02-10", 100.0, "x"),
    ("a", "2024-02-10", "2024-05-01", 150.0, "x"),
    ("a", "2024-07-04", None, 90.0, "x"),
    ("b", "2024-01-15", "2024-03-01", 80.0, "y"),
    ("b", "2024-01-20", None, 33.33, "y"),
    ("c", "2024-02-05", "2024-02-20", 40.0, "x"),
    ("d", "2024-03-31", "2024-06-30", 0.0, "y"),
    ("d", "2024-06-30", "2024-07-31", 20.0, "y"),
    (None, "2024-03-31", "2024-06-30", 5.0, "y"),
    ("e", "2024-09-15", None, 5.0, "y"),
    ("f", "2024-05-05", "2024-05-05", 5.0, "y"),
]


@pytest.mark.parametrize("options", [{}, {"by": "side"}, {"free": "active"}, {"period": "week"}], ids=str)
def test_every_kind_of_frame_gives_one_answer(frame, options):
    rows = plans(HISTORY, ("who", "from", "until", "price", "side"))
    expected = bridge(rows, as_of="2024-08-31", **options)
    result = bridge(frame(rows), as_of="2024-08-31", **options)
    assert result == expected
    assert dict(result.excluded) == {"missing_customer": 1, "empty_interval": 1, "after_as_of": 1}


def test_customers_movements_come_in_the_kind_of_the_caller(frame):
    rows = frame(plans(HISTORY[:8], ("who", "from", "until", "price", "side")))
    table = revenue.customer_movements(rows, **ROLES, as_of="2024-08-31")
    assert isinstance(table.to_frame(), type(rows))
    assert set(as_rows(table)[0]) == {"who", "period", "movement", "start_mrr", "change", "end_mrr"}
    found = [row for row in as_rows(table.to_frame()) if row["who"] == "a"]
    assert [(row["period"].month, row["movement"], row["change"]) for row in found] == [
        (1, "new", 100.0),
        (2, "expansion", 50.0),
        (5, "churn", -150.0),
        (7, "reactivation", 90.0),
    ]


@pytest.mark.parametrize("kind", CONVERT)
def test_amounts_and_invoices_in_every_kind(kind):
    booked = pd.DataFrame(
        {
            "who": [1, 2, 1, 1, 2],
            "when": pd.to_datetime(["2024-01-01"] * 2 + ["2024-02-01"] + ["2024-03-01"] * 2),
            "mrr": [50, 20, 60, 60, 25],
        }
    )
    amounts = {"customer": "who", "time": "when", "amount": "mrr", "as_of": "2024-03-31"}
    assert revenue.movements_from_amounts(CONVERT[kind](booked), **amounts) == revenue.movements_from_amounts(
        booked, **amounts
    )
    lines = plans(HISTORY[:8], ("who", "from", "until", "price", "side"))
    assert revenue.movements_from_invoices(CONVERT[kind](lines), **ROLES) == revenue.movements_from_invoices(
        lines, **ROLES
    )


def test_dates_as_text_read_as_dates():
    text = pl.DataFrame(
        {"who": ["a", "b"], "from": ["2024-01-01", "2024-01-05"], "until": ["2024-02-01", None], "price": [10, 20]}
    )
    dated = text.with_columns(pl.col("from", "until").str.to_date())
    assert as_sorted_rows(bridge(text, as_of="2024-03-01")) == as_sorted_rows(bridge(dated, as_of="2024-03-01"))


# ---------------------------------------------------------------- the published log


def test_the_playbook_s_bridge(shared_data):
    import json

    log = pd.read_csv(shared_data / "mrr_subscription_periods.csv", parse_dates=["start_date", "end_date"])
    computed = json.loads((shared_data / "published_results.json").read_text())["computed"]["mrr_playbook_computed"]
    names = {"customer": "customer_id", "start": "start_date", "end": "end_date", "amount": "monthly_amount"}
    table = {f"{row['period']:%Y-%m}": row for row in revenue.movements(log, **names, as_of="2020-02-29").rows()}
    for month, total in computed["mrr_by_month"].items():
        assert table[month]["end_mrr"] == total
    theirs = {
        "new": "new",
        "reactivation": "reactivation",
        "expansion": "upgrade",
        "contraction": "downgrade",
        "churn": "churn",
    }
    for month, row in table.items():
        for ours, name in theirs.items():
            assert row[ours] == computed["waterfall"].get(month, {}).get(name, 0.0), (month, ours)
    people = {
        name: sum(row[f"{count}_customers"] for row in table.values())
        for name, count in zip(MOVES, COUNTS, strict=True)
    }
    assert people == {ours: computed["counts"][name] for ours, name in theirs.items()}


def test_a_log_cut_at_its_last_date_is_no_churn(shared_data):
    log = pd.read_csv(shared_data / "mrr_subscription_periods.csv", parse_dates=["start_date", "end_date"])
    names = {"customer": "customer_id", "start": "start_date", "end": "end_date", "amount": "monthly_amount"}
    cut = revenue.movements(log, **names)
    last = cut.rows()[-1]
    assert (cut.as_of, last["end_mrr"], last["churn"], last["status"]) == (
        dt.date(2020, 2, 1),
        175.0,
        0.0,
        "incomplete",
    )
    assert "was cut there" in cut.notes[0]


def test_ends_beside_starts_on_the_last_date_are_real():
    changed = plans(
        [
            ("a", "2024-01-01", "2024-03-01", 10.0),
            ("a", "2024-03-01", None, 15.0),
            ("b", "2024-01-01", "2024-03-01", 7.0),
        ]
    )
    last = bridge(changed).rows()[-1]
    assert (last["expansion"], last["churn"], last["end_mrr"]) == (5.0, -7.0, 15.0)


# ---------------------------------------------------------------- prices


def test_prices_are_brought_to_a_month():
    frame = plans(
        [
            (n, "2024-01-01", None, p, b)
            for n, (p, b) in enumerate(
                [
                    (1200.0, "year"),
                    (300.0, "quarter"),
                    (12.0, "week"),
                    (2400.0, "two_years"),
                    (3600.0, "three_years"),
                    (365.25, "day"),
                ]
            )
        ],
        NAMES,
    )
    assert bridge(frame, billing="plan", as_of="2024-01-31").rows()[0]["end_mrr"] == pytest.approx(
        400 + 52 + 365.25 * 365.25 / 12
    )


@pytest.mark.parametrize(("every", "mrr"), [("month", 600.0), ("year", 50.0), (24, 25.0), (1.5, 400.0)])
def test_one_billing_period_for_all(every, mrr):
    assert (
        bridge(plans([("a", "2024-01-01", None, 600.0)]), every=every, as_of="2024-01-31").rows()[0]["end_mrr"] == mrr
    )


def test_a_billing_column_may_hold_months():
    frame = plans([("a", "2024-01-01", None, 600.0, 12), ("b", "2024-01-01", None, 600.0, 24)], NAMES)
    assert bridge(frame, billing="plan", as_of="2024-01-31").rows()[0]["end_mrr"] == 75.0


def test_tax_discount_and_one_off_charges_are_no_recurring_revenue():
    frame = plans(
        [("a", "2024-01-01", None, 119.0, 19.0, 10.0, True), ("a", "2024-01-01", None, 500.0, 0.0, None, False)],
        ("who", "from", "until", "price", "vat", "off", "again"),
    )
    result = bridge(frame, tax="vat", discount="off", recurring="again", as_of="2024-01-31")
    assert result.rows()[0]["end_mrr"] == 90.0
    assert dict(result.excluded) == {"one_off": 1}


@pytest.mark.parametrize(("grace", "month"), [(0, 2), (30, 3), (59, 4), (400, None)])
def test_an_unpaid_subscription_ends_when_its_grace_does(frame, grace, month):
    rows = plans(
        [("a", "2024-01-01", None, 10.0, "2024-02-10"), ("b", "2024-01-01", None, 5.0, None)],
        ("who", "from", "until", "price", "unpaid"),
    )
    rows["unpaid"] = pd.to_datetime(rows["unpaid"])
    result = bridge(frame(rows), past_due="unpaid", grace_days=grace, as_of="2024-12-31")
    churned = [row["period"].month for row in result.rows() if row["churn"]]
    assert churned == ([month] if month else [])


@pytest.mark.parametrize(
    "options",
    [{"tax": "vat"}, {"discount": "off"}, {"recurring": "again"}, {"past_due": "unpaid", "grace_days": 0}],
    ids=lambda options: next(iter(options)),
)
def test_cohorts_up_sell_and_quick_ratio_read_prices_as_the_bridge_does(options):
    rng, places = np.random.default_rng(2010), np.arange(40)
    days = pd.to_timedelta(places % 28 * 9, "D")
    rows = pd.DataFrame(
        {
            "who": rng.integers(0, 9, 40),
            "from": pd.Timestamp("2024-01-01") + days,
            "until": pd.Timestamp("2024-01-31") + days + pd.to_timedelta(places % 7 * 30, "D"),
            "price": rng.integers(10, 60, 40) * 1.0,
            "vat": rng.integers(0, 3, 40) * 1.5,
            "off": rng.integers(0, 3, 40) * 2.0,
            "again": rng.random(40) < 0.8,
            "unpaid": (pd.Timestamp("2024-02-01") + days).where(rng.random(40) < 0.3),
            "what": rng.choice(["mail", "shop"], 40),
        }
    )
    roles = {**ROLES, **options, "as_of": "2024-12-31"}
    moves, plain = revenue.movements(rows, **roles), revenue.movements(rows, **{**ROLES, "as_of": "2024-12-31"})
    assert [row["end_mrr"] for row in moves.rows()] != [row["end_mrr"] for row in plain.rows()]
    running = Counter()
    for row in revenue.by_cohort(rows, **roles).rows():
        running[row["period"]] += row["mrr"]
    assert dict(running) == {row["period"]: pytest.approx(row["end_mrr"]) for row in moves.rows()}
    grown = [row["expansion"] for row in revenue.expansion(rows, **roles, product="what").rows()]
    assert grown == pytest.approx([row["expansion"] for row in moves.rows()])
    assert revenue.quick_ratio(rows, **roles).estimate == pytest.approx(revenue.quick_ratio(moves).estimate)


@pytest.mark.parametrize("name", ["by_cohort", "expansion", "quick_ratio"])
def test_rows_of_one_subscription_do_not_overlap_in_what_takes_the_bridge_apart(name):
    rows = plans(
        [("a", "2024-01-01", None, 10.0, 1, "x"), ("a", "2024-02-01", None, 5.0, 1, "y")],
        ("who", "from", "until", "price", "id", "what"),
    )
    more = {"product": "what"} if name == "expansion" else {}
    with pytest.raises(InputError, match="runs once at a time"):
        getattr(revenue, name)(rows, **ROLES, **more, subscription="id", as_of="2024-03-31")


def test_a_free_month_is_churn_or_a_contraction():
    rows = [
        ("a", "2024-01-01", "2024-02-01", 10.0),
        ("a", "2024-02-01", "2024-03-01", 0.0),
        ("a", "2024-03-01", None, 10.0),
    ]
    moves = {
        free: [[row[name] for name in MOVES] for row in bridge(plans(rows), free=free, as_of="2024-03-31").rows()]
        for free in ("churn", "active")
    }
    assert moves["churn"] == [[10, 0, 0, 0, 0], [0, 0, 0, 0, -10], [0, 10, 0, 0, 0]]
    assert moves["active"] == [[10, 0, 0, 0, 0], [0, 0, 0, -10, 0], [0, 0, 10, 0, 0]]


@pytest.mark.parametrize("free", ["churn", "active"])
def test_a_trial_makes_nobody_new_before_it_is_paid(free):
    rows = plans([("a", "2024-01-01", "2024-02-01", 0.0), ("a", "2024-02-01", None, 10.0)])
    assert [row["new_customers"] for row in bridge(rows, free=free, as_of="2024-03-31").rows()] == [0, 1, 0]


def test_who_comes_back_late_is_new_again():
    rows = plans([("a", "2024-01-01", "2024-02-01", 10.0), ("a", "2024-05-01", None, 10.0)])
    back = {window: bridge(rows, as_of="2024-05-31", reactivation_window=window).rows()[-1] for window in (None, 2, 3)}
    assert [(row["new"], row["reactivation"]) for row in back.values()] == [(0, 10), (10, 0), (0, 10)]


def test_currencies_need_rates():
    rows = plans(
        [("a", "2024-01-01", None, 10.0, "EUR"), ("b", "2024-01-01", None, 10.0, "USD")],
        ("who", "from", "until", "price", "cur"),
    )
    with pytest.raises(InputError, match="mixes 'EUR' and 'USD'") as caught:
        bridge(rows, currency="cur")
    assert caught.value.argument == "currency"
    assert bridge(rows, currency="cur", rates={"EUR": 1.1, "USD": 1}, as_of="2024-01-31").rows()[0]["end_mrr"] == 21.0
    with pytest.raises(InputError, match="has a rate in rates=; 1 of 2"):
        bridge(rows, currency="cur", rates={"EUR": 1.1})
    assert bridge(rows[:1], currency="cur", as_of="2024-01-31").rows()[0]["end_mrr"] == 10.0
    with pytest.raises(InputError, match="currency= names none"):
        bridge(rows, rates={"EUR": 1.1})


def test_a_customer_in_two_segments_is_counted_in_each_and_said():
    rows = plans(
        [
            ("a", "2024-01-01", "2024-02-01", 10.0, "x"),
            ("a", "2024-02-01", None, 15.0, "y"),
            ("b", "2024-01-01", None, 5.0, "x"),
        ],
        ("who", "from", "until", "price", "side"),
    )
    result = bridge(rows, by="side", as_of="2024-02-29")
    assert [(row["group"], row["new"], row["churn"], row["end_mrr"]) for row in result.rows()] == [
        ("x", 15.0, 0.0, 15.0),
        ("x", 0.0, -10.0, 5.0),
        ("y", 0.0, 0.0, 0.0),
        ("y", 15.0, 0.0, 15.0),
    ]
    assert result.notes == ("1 customers are in more than one segment; each segment counts them on its own rows.",)
    assert bridge(rows[1:], by="side", as_of="2024-02-29").notes == ()


TWO_SEGMENTS = [
    ("a", "2024-01-01", "2024-02-01", 10.0, "x"),
    ("a", "2024-02-01", "2024-04-01", 15.0, "y"),
    ("b", "2024-01-01", "2024-04-01", 5.0, "x"),
    ("c", "2024-01-01", "2024-02-10", 7.0, "y"),
]


SHARING = {
    "movements": lambda rows, **options: bridge(rows, **options),
    "invoices": lambda rows, **options: revenue.movements_from_invoices(
        rows, customer="who", start="from", end="until", amount="price", **options
    ),
    "amounts": lambda rows, **options: revenue.movements_from_amounts(
        rows, customer="who", time="from", amount="price", **options
    ),
    "by_period": lambda rows, **options: rm.churn.by_period(rows, **SPELL, **options),
    "in_window": lambda rows, **options: rm.churn.in_window(rows, **SPELL, window=FEBRUARY, **options),
    "reconcile": lambda rows, **options: rm.churn.reconcile(rows, **SPELL, window=FEBRUARY, **options),
    "reasons": lambda rows, **options: rm.churn.reasons(rows, **SPELL, reason="side", **options),
}
SPELL = {"customer": "who", "start": "from", "end": "until"}
FEBRUARY = ("2024-02-01", "2024-03-01")
IN_SEGMENTS = {"by": "segment", "as_of": "2024-02-29"}


def in_segments():
    rows = plans(TWO_SEGMENTS, ("who", "from", "until", "price", "side"))
    return rows.assign(segment=rows["side"])


def left_out_and_refused(verb, frame):
    rows = in_segments()
    found = verb(frame(rows), **IN_SEGMENTS, shared="exclude")
    assert found.rows() == verb(frame(rows[rows["who"] != "a"]), **IN_SEGMENTS).rows()
    assert found.excluded["in_several_groups"] == 2
    with pytest.raises(InputError, match=r"'segment' gives a customer one group; 1 customers .* \('a'\)") as caught:
        verb(frame(rows), **IN_SEGMENTS, shared="raise")
    assert (caught.value.argument, caught.value.count, caught.value.first) == ("by", 1, ("a",))


@pytest.mark.parametrize("verb", SHARING.values(), ids=list(SHARING))
def test_customers_in_two_segments_are_left_out_and_counted_or_refused(verb):
    left_out_and_refused(verb, as_pandas)
    rows = in_segments()
    with pytest.raises(InputError, match="no row left to count: in_several_groups 2"):
        verb(rows[rows["who"] == "a"], **IN_SEGMENTS, shared="exclude")
    with pytest.raises(InputError, match="shared"):
        verb(rows, **IN_SEGMENTS, shared="drop")


@pytest.mark.parametrize("verb", [SHARING["movements"], SHARING["by_period"]], ids=["movements", "by_period"])
def test_customers_in_two_segments_are_found_in_every_kind_of_frame(frame, verb):
    left_out_and_refused(verb, frame)


# ---------------------------------------------------------------- up-sell and cross-sell


@st.composite
def products(draw):
    return [(*row, draw(st.sampled_from(["mail", "shop", "help"]))) for row in draw(histories()) if row[1] <= AS_OF]


@few
@given(rows=products())
def test_up_sell_and_cross_sell_are_those_of_plain_dictionaries(rows):
    log = pl.from_pandas(plans(rows, (*NAMES, "what")))
    options = {**ROLES, "billing": "plan", "as_of": AS_OF}
    table = revenue.expansion(log, **options, product="what").rows()
    whole = bridge(log, billing="plan", as_of=AS_OF).rows()
    before = defaultdict(Fraction)
    for row, same_row in zip(table, whole, strict=True):
        assert row["expansion"] == pytest.approx(same_row["expansion"], abs=1e-6)
        assert row["up_sell"] + row["cross_sell"] + row["given_up"] == pytest.approx(row["expansion"], abs=1e-6)
        after = (row["period"] + dt.timedelta(days=32)).replace(day=1)
        now = defaultdict(Fraction)
        for who, start, end, price, billing, what in rows:
            if start < after and (end is None or end > AS_OF or end >= after):
                now[who, what] += as_text(price) / MONTHS[billing]
        found = dict.fromkeys(("up_sell", "cross_sell", "given_up"), Fraction(0))
        for who in {who for who, _ in now}:
            was, pays = (sum(mrr for (one, _), mrr in each.items() if one == who) for each in (before, now))
            if 0 < was < pays:
                for what in {what for each in (before, now) for one, what in each if one == who}:
                    delta, had = now[who, what] - before[who, what], before[who, what] > 0
                    found["given_up" if delta < 0 else "up_sell" if had else "cross_sell"] += delta
        assert {name: row[name] for name in found} == pytest.approx(
            {name: float(value) for name, value in found.items()}, abs=1e-3
        )
        before = now


def test_expansion_in_every_kind_of_frame(frame):
    rows = [
        ("a", "2024-01-01", "2024-02-10", 100.0, "mail"),
        ("a", "2024-02-10", None, 150.0, "mail"),
        ("a", "2024-03-10", None, 30.0, "shop"),
        ("b", "2024-01-01", "2024-03-01", 20.0, "mail"),
        ("b", "2024-03-01", None, 50.0, "shop"),
        ("c", "2024-01-01", None, 5.0, None),
    ]
    log = plans(rows, ("who", "from", "until", "price", "what"))
    table = revenue.expansion(frame(log), **ROLES, product="what", as_of="2024-03-31")
    parts = [(row["up_sell"], row["cross_sell"], row["given_up"]) for row in table.rows()]
    assert parts == [(0, 0, 0), (50, 0, 0), (0, 80, -20)]
    assert [(row["up_sell_customers"], row["cross_sell_customers"]) for row in table.rows()] == [(0, 0), (1, 0), (0, 2)]
    assert dict(table.excluded) == {"missing_group": 1}


# ---------------------------------------------------------------- rates that change


PRICED = (*NAMES, "cur")
WORTH = st.integers(50, 200).map(lambda cents: cents / 100)


@st.composite
def rate_cards(draw):
    """A constant dollar, and two currencies whose rates change on a few days."""
    cards = {"USD": 1.0}
    for name in ("EUR", "YEN"):
        days = draw(st.lists(st.integers(1, DAYS), max_size=5, unique=True))
        cards[name] = {FIRST: draw(WORTH), **{FIRST + dt.timedelta(days=day): draw(WORTH) for day in days}}
    return cards


def worth_on(card, day):
    if isinstance(card, float):
        return as_text(card)
    return as_text(card[max(since for since in card if since <= day)])


def revalued_twin(rows, cards, as_of):
    """Movements at the rates of the month before, and what the new rates do to what runs at the month's end."""
    months = list(month_ends(min(row[1] for row in rows), as_of))
    ends = [min((month + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1), as_of) for month in months]
    before, paid, table = defaultdict(Fraction), set(), []
    for place, end in enumerate(ends):
        after = end + dt.timedelta(days=1)
        opening, closing = defaultdict(Fraction), defaultdict(Fraction)
        for who, start, until, price, billing, currency in rows:
            if start <= end and (until is None or until > as_of or until >= after):
                local = price / MONTHS[billing]
                opening[who] += local * worth_on(cards[currency], ends[max(place - 1, 0)])
                closing[who] += local * worth_on(cards[currency], end)
        row = dict.fromkeys((*MOVES, "fx"), Fraction(0))
        for who in set(before) | set(opening):
            change = opening[who] - before[who]
            if before[who] == 0 and change:
                move = "reactivation" if who in paid else "new"
            else:
                move = "churn" if opening[who] == 0 else "expansion" if change > 0 else "contraction"
            row[move] += change
            row["fx"] += closing[who] - opening[who]
        paid |= {who for who, mrr in closing.items() if mrr}
        table.append({"start_mrr": sum(before.values()), **row, "end_mrr": sum(closing.values())})
        before = closing
    return table


@st.composite
def priced_histories(draw):
    rows = draw(histories())
    return [(*row, draw(st.sampled_from(["USD", "EUR", "YEN"]))) for row in rows if row[1] <= AS_OF]


@few
@given(rows=priced_histories(), cards=rate_cards())
def test_with_changing_rates_the_bridge_closes_by_its_fx_row(rows, cards):
    exact = [(who, start, end, as_text(price), plan, currency) for who, start, end, price, plan, currency in rows]
    options = {"billing": "plan", "currency": "cur", "rates": cards, "as_of": AS_OF}
    frame = pl.from_pandas(plans(rows, PRICED))
    before = 0.0
    result = bridge(frame, **options)
    for row, want in zip(result.rows(), revalued_twin(exact, cards, AS_OF), strict=True):
        assert row["start_mrr"] == before
        assert row["start_mrr"] + sum(row[name] for name in (*MOVES, "fx")) == pytest.approx(row["end_mrr"], abs=1e-6)
        assert {name: row[name] for name in want} == pytest.approx(
            {name: float(value) for name, value in want.items()}, abs=1e-3
        )
        before = row["end_mrr"]
    each = revenue.customer_movements(frame, **ROLES, **options).to_frame().group_by("period", "movement")
    added = {(day, name): total for day, name, total in each.agg(pl.col("change").sum()).iter_rows()}
    for row in result.rows():
        for name in (*MOVES, "fx"):
            assert row[name] == pytest.approx(added.pop((row["period"], name), 0.0), abs=1e-6)
    assert not added


@few
@given(rows=priced_histories(), free=st.sampled_from(["churn", "active"]))
def test_dated_rates_that_do_not_change_are_constant_currency(rows, free):
    frame = pl.from_pandas(plans(rows, PRICED))
    options = {"billing": "plan", "currency": "cur", "as_of": AS_OF, "free": free}
    constant = bridge(frame, **options, rates={"USD": 1.0, "EUR": 1.25, "YEN": 0.5})
    dated = bridge(frame, **options, rates={"USD": 1.0, "EUR": {FIRST: 1.25}, "YEN": {"2023-11-01": 0.5}})
    for row, same_row in zip(dated.rows(), constant.rows(), strict=True):
        assert row.pop("fx") == 0.0
        assert row == same_row


CHANGING = {"USD": 1.0, "EUR": {"2024-01-01": 1.1, "2024-03-31": 1.2, "2024-06-15": 0.9}}


def test_changing_rates_in_every_kind_of_frame(frame):
    rows = plans(
        [(*row[:4], "EUR" if row[4] == "x" else "USD", row[4]) for row in HISTORY],
        ("who", "from", "until", "price", "cur", "side"),
    )
    options = {"currency": "cur", "rates": CHANGING, "as_of": "2024-08-31"}
    for each in ({}, {"by": "side"}, {"free": "active"}):
        assert bridge(frame(rows), **options, **each) == bridge(rows, **options, **each)
    found = bridge(frame(rows), **options).rows()
    # 150 euros run at the ends of February and March: 0.1 a euro in March
    assert [round(row["fx"], 6) for row in found] == [0, 0, 15, 0, 0, 0, 0, 0]
    moved = as_rows(revenue.customer_movements(frame(rows), **ROLES, **options).to_frame())
    assert [(row["movement"], round(row["change"], 6)) for row in moved if row["who"] == "a"] == [
        ("new", 110.0),
        ("expansion", 55.0),
        ("fx", 15.0),
        ("churn", -180.0),
        ("reactivation", 81.0),
    ]


def test_changing_rates_of_amounts_and_invoices():
    booked = pd.DataFrame(
        {"who": ["a", "a"], "when": pd.to_datetime(["2024-02-01", "2024-03-01"]), "mrr": [50, 60], "cur": "EUR"}
    )
    roles = {"customer": "who", "time": "when", "amount": "mrr", "currency": "cur", "rates": CHANGING}
    first, second = revenue.movements_from_amounts(booked, **roles, as_of="2024-03-31").rows()
    assert (first["status"], first["fx"], round(first["end_mrr"], 6)) == ("log_start", None, 55.0)
    assert (round(second["expansion"], 6), round(second["fx"], 6), round(second["end_mrr"], 6)) == (11.0, 6.0, 72.0)
    lines = plans([("a", "2024-02-01", "2024-05-01", 150.0, "EUR")], ("who", "from", "until", "price", "cur"))
    rows = revenue.movements_from_invoices(lines, **ROLES, currency="cur", rates=CHANGING, as_of="2024-05-31").rows()
    assert [(round(row["fx"], 6), round(row["churn"], 6)) for row in rows] == [(0, 0), (5, 0), (0, 0), (0, -60)]


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({"EUR": {"2024-02-01": 1.1}, "USD": 1.0}, "'EUR' begin on 2024-02-01, after the log's first period"),
        ({"EUR": {}, "USD": 1.0}, "'EUR' hold one rate per day, and at least one"),
        ({"EUR": {"2024-01-01": 1.1, dt.date(2024, 1, 1): 1.2}, "USD": 1.0}, "hold one rate per day"),
        ({"EUR": {"2024-01-01": 0}, "USD": 1.0}, "rates is above 0"),
        ({"EUR": {"2024-01-01": 1.1}}, "has a rate in rates=; 1 of 2"),
    ],
)
def test_bad_rates_are_refused(rates, words):
    rows = plans(
        [("a", "2024-01-01", None, 10.0, "EUR"), ("b", "2024-01-01", None, 10.0, "USD")],
        ("who", "from", "until", "price", "cur"),
    )
    with pytest.raises(InputError, match=words):
        bridge(rows, currency="cur", rates=rates)


def test_two_dates_are_compared_in_constant_currency():
    rows = plans(
        [("a", "2024-01-01", None, 10.0, "EUR"), ("b", "2024-01-01", "2024-03-15", 11.0, "USD")],
        ("who", "from", "until", "price", "cur"),
    )
    days = ("2024-01-31", "2024-03-31")
    changing = revenue.net_retention(rows, **ROLES, at=days, currency="cur", rates=CHANGING)
    fixed = revenue.net_retention(rows, **ROLES, at=days, currency="cur", rates=rates_on("2024-01-31"))
    assert rates_on("2024-03-31") != rates_on("2024-01-31")
    assert changing.to_dict() == fixed.to_dict()


def rates_on(day: str) -> dict[str, float]:
    """The rates of ``CHANGING`` that hold on a day."""
    return {
        name: rate if isinstance(rate, float) else rate[max(begins for begins in rate if begins <= day)]
        for name, rate in CHANGING.items()
    }


# ---------------------------------------------------------------- invoices and amounts


def test_an_invoice_spreads_over_the_months_that_it_serves():
    lines = plans(
        [
            ("a", "2024-01-31", "2024-02-29", 30.0),
            ("a", "2024-02-29", "2024-03-31", 30.0),
            ("b", "2024-01-01", "2025-01-01", 120.0),
            ("c", "2024-02-01", "2024-03-01", 7.0),
        ]
    )
    table = revenue.movements_from_invoices(lines, **ROLES, as_of="2024-02-29").rows()
    assert table[0]["end_mrr"] == 40.0
    assert table[1]["new"] == 7.0
    # from the 29th to the 31st: a month and two days
    assert table[1]["end_mrr"] == pytest.approx(10 + 7 + 30 / (1 + 2 / (365.25 / 12)), abs=1e-5)


def test_a_part_of_a_month_counts_its_own_days(frame):
    month = 365.25 / 12
    served = [
        ("2024-01-31", "2024-02-01", 1 / month),
        ("2023-02-26", "2023-03-05", 7 / month),
        ("2024-01-29", "2024-02-05", 7 / month),
        ("2023-01-31", "2023-03-01", 1 + 1 / month),
        ("2023-02-28", "2023-03-01", 1 / month),
        ("2023-12-15", "2024-01-14", 30 / month),
        ("2024-01-30", "2024-02-29", 1),
        ("2023-01-30", "2025-03-29", 25 + 29 / month),
    ]
    for start, end, months in served:
        table = revenue.movements_from_invoices(
            frame(plans([("a", start, end, 100.0)])), **ROLES, period="day", as_of="2025-12-31"
        )
        assert table.rows()[0]["new"] == pytest.approx(100 / months, abs=1e-5), (start, end)


def test_the_first_month_of_amounts_is_not_known_to_be_new():
    booked = pd.DataFrame({"who": ["a", "a"], "when": pd.to_datetime(["2024-01-01", "2024-02-01"]), "mrr": [50, 60]})
    roles = {"customer": "who", "time": "when", "amount": "mrr"}
    first, second = revenue.movements_from_amounts(booked, **roles, as_of="2024-02-29").rows()
    assert (first["status"], first["new"], first["end_mrr"]) == ("log_start", None, 50.0)
    assert (second["status"], second["expansion"]) == ("ok", 10.0)


def test_amounts_that_repeat_in_full_are_refused_and_others_added(frame):
    booked = pd.DataFrame({"who": ["a", "a"], "when": pd.to_datetime(["2024-01-01"] * 2), "mrr": [50.0, 60.0]})
    roles = {"customer": "who", "time": "when", "amount": "mrr", "since": "2024-01-01", "as_of": "2024-01-31"}
    assert revenue.movements_from_amounts(frame(booked), **roles).rows()[0]["end_mrr"] == 110.0
    with pytest.raises(InputError, match=r"1 rows that repeat another one in full.*add up what belongs together"):
        revenue.movements_from_amounts(frame(booked.assign(mrr=50.0)), **roles)


def test_customers_movements_take_the_options_of_the_bridge():
    rows = plans(
        [
            ("a", "2024-01-01", None, 119.0, 19.0, 10.0, True, "2024-03-10"),
            ("a", "2024-01-01", None, 500.0, 0.0, 0.0, False, None),
            ("b", "2024-02-01", None, 50.0, 5.0, 0.0, True, None),
        ],
        ("who", "from", "until", "price", "vat", "off", "again", "unpaid"),
    )
    rows["unpaid"] = pd.to_datetime(rows["unpaid"])
    options = {"tax": "vat", "discount": "off", "recurring": "again", "past_due": "unpaid", "grace_days": 10}
    options |= {"as_of": "2024-04-30"}
    table = revenue.customer_movements(rows, **ROLES, **options)
    found = [(row["who"], row["movement"], row["change"]) for row in as_rows(table)]
    assert found == [("a", "new", 90.0), ("a", "churn", -90.0), ("b", "new", 45.0)]
    assert dict(table.excluded) == {"one_off": 1}
    assert sum(change for *_, change in found) == bridge(rows, **options).rows()[-1]["end_mrr"]


# ---------------------------------------------------------------- what is refused


GOOD = [("a", "2024-01-01", None, 10.0), ("b", "2024-01-01", "2024-02-01", 10.0)]


@pytest.mark.parametrize(
    ("row", "argument", "words"),
    [
        (("c", "2024-02-01", "2024-01-01", 1.0), "end", "1 of 3 rows"),
        (("c", "2024-02-01", None, -1.0), "amount", "at least 0"),
        (("c", "2024-02-01", None, float("inf")), "amount", "finite"),
        (GOOD[1], "data", "1 rows that repeat another one in full"),
    ],
)
def test_bad_rows_are_refused(frame, row, argument, words):
    with pytest.raises(InputError, match=words) as caught:
        bridge(frame(plans([*GOOD, row])))
    assert (caught.value.argument, caught.value.count) == (argument, 1)


def test_the_day_of_an_unpaid_subscription_is_that_of_the_zone(frame):
    zoned = [("a", "2024-01-01 12:00", None, 10.0, "2024-03-01 03:00"), ("b", "2024-01-01 12:00", None, 5.0, None)]
    rows = plans(zoned, ("who", "from", "until", "price", "unpaid"))
    for name in ("from", "until", "unpaid"):
        rows[name] = pd.to_datetime(rows[name]).dt.tz_localize("UTC")
    options = {"past_due": "unpaid", "grace_days": 0, "as_of": "2024-03-31"}
    months = {"America/New_York": 2, "UTC": 3}
    for tz, month in months.items():
        result = bridge(frame(rows), period=Period("month", tz=tz), **options)
        assert [row["period"].month for row in result.rows() if row["churn"]] == [month]


def test_a_group_that_never_paid_has_its_rows(frame):
    stays, free = ("a", "2024-01-05", None, 10.0, "x"), ("b", "2024-01-05", None, 0.0, "y")
    brief = ("c", "2024-01-05", "2024-01-09", 9.0, "z")
    rows = plans([stays, free, brief], ("who", "from", "until", "price", "side"))
    table = bridge(frame(rows), by="side", as_of="2024-02-29").rows()
    found = [(row["group"], row["end_mrr"]) for row in table]
    assert found == [("x", 10.0), ("x", 10.0), ("y", 0.0), ("y", 0.0), ("z", 0.0), ("z", 0.0)]


def test_arrow_s_dictionaries_in_pandas_are_read():
    rows = plans(GOOD).astype({"who": pd.ArrowDtype(pa.dictionary(pa.int8(), pa.large_string()))})
    found = as_rows(revenue.customer_movements(rows, **ROLES, as_of="2024-02-29"))
    assert [(row["who"], row["movement"]) for row in found] == [("a", "new"), ("b", "new"), ("b", "churn")]


@pytest.mark.parametrize("role", ["tax", "discount"])
def test_what_is_taken_off_is_not_negative(frame, role):
    rows = plans([(*GOOD[0], -2.0), (*GOOD[1], None)], ("who", "from", "until", "price", "off"))
    with pytest.raises(InputError, match="at least 0; 1 of 2 rows") as caught:
        bridge(frame(rows), **{role: "off"})
    assert (caught.value.argument, caught.value.count) == (role, 1)


@pytest.mark.parametrize("currencies", ["str", "category"])
def test_mixed_currencies_are_named(frame, currencies):
    rows = plans(GOOD).assign(cur=pd.Series(["EUR", "USD"], dtype=currencies))
    with pytest.raises(InputError, match="mixes 'EUR' and 'USD'"):
        bridge(frame(rows), currency="cur")


def test_a_price_of_no_months_is_refused_for_its_months(frame):
    with pytest.raises(InputError, match=r"number of months above 0.*1 of 2 rows") as caught:
        bridge(frame(plans(GOOD).assign(plan=[1, 0])), billing="plan")
    assert (caught.value.argument, caught.value.count) == ("billing", 1)


def test_only_marks_say_what_recurs(frame):
    rows = plans(GOOD)
    with pytest.raises(ColumnError, match="recurring='again' holds True and False, or 1 and 0; it holds String"):
        bridge(frame(rows.assign(again=["true", "false"])), recurring="again")
    with pytest.raises(InputError, match="1 and 0; 1 of 2 rows"):
        bridge(frame(rows.assign(again=[1, 2])), recurring="again")
    for unsaid in (pd.Series([None, False], dtype=object), pd.Series([float("nan"), 0.0])):
        result = bridge(frame(rows.assign(again=unsaid)), recurring="again", as_of="2024-01-31")
        assert (result.rows()[0]["end_mrr"], dict(result.excluded)) == (10.0, {"one_off": 1})
    silent = rows.assign(again=pd.Series([None, None], dtype=object))
    assert bridge(frame(silent), recurring="again", as_of="2024-01-31").rows()[0]["end_mrr"] == 20.0


def test_money_of_objects_is_money_and_a_column_of_nothing_is_missing(frame):
    rows = plans(GOOD).assign(price=[Decimal("10.10"), Decimal("5.05")], why="price", was=[Decimal(4), Decimal(4)])
    assert bridge(frame(rows), as_of="2024-01-31").rows()[0]["end_mrr"] == pytest.approx(15.15)
    lost = rm.churn.reasons(frame(rows), **CHURNING, reason="why", revenue="price", as_of="2024-02-29")
    assert lost.rows()[-1]["revenue_lost"] == 5.05
    assert revenue.net_retention(frame(rows), opening="was", closing="price").estimate == pytest.approx(15.15 / 8)
    with pytest.raises(InputError, match="missing_amount 2"):
        bridge(frame(rows.assign(price=None)))


def test_text_times_are_compared_in_either_spelling(frame):
    rows = pd.DataFrame(
        {"who": ["a", "b"], "from": ["2024-01-01T05:00", "2024-01-01 05:00"], "until": ["2024-01-01 23:00", None]}
    )
    assert rm.churn.by_period(frame(rows), **CHURNING).rows()[0]["joined"] == 2
    with pytest.raises(InputError, match="1 of 2 rows end before they start"):
        rm.churn.by_period(frame(rows.assign(until=["2024-01-01T04:00", None])), **CHURNING)


@pytest.mark.parametrize(("kind", "nothing"), [("text", pd.NaT), ("UTC", None), (None, None)])
def test_where_nobody_has_left_the_ends_are_of_any_kind(frame, kind, nothing):
    start = pd.to_datetime(pd.Series(["2024-01-01", "2024-01-05"])).dt.tz_localize("UTC" if kind == "UTC" else None)
    rows = pd.DataFrame({"who": ["a", "b"], "from": start, "until": nothing, "price": [1.0, 2.0]})
    if kind == "text":
        rows["from"] = start.dt.strftime("%Y-%m-%d")
    assert bridge(frame(rows), as_of="2024-02-29").rows()[-1]["end_mrr"] == 3.0
    if kind != "text":
        assert rm.churn.by_period(frame(rows), **CHURNING, as_of="2024-02-29").rows()[-1]["end_customers"] == 2


def test_an_empty_column_as_pandas_reads_it_holds_no_ends():
    rows = plans([("a", "2024-01-01", None, 1.0)]).assign(until=float("nan"))
    assert bridge(rows, as_of="2024-02-29").rows()[-1]["end_mrr"] == 1.0
    assert rm.churn.by_period(rows, **CHURNING, as_of="2024-02-29").rows()[-1]["end_customers"] == 1


def test_text_with_an_offset_is_told_that_it_has_a_zone(frame):
    rows = pd.DataFrame(
        {"who": ["a"], "from": ["2024-01-01T00:00:00+01:00"], "until": ["2024-02-01T00:00Z"], "price": 1.0}
    )
    for call in (bridge, lambda log: rm.churn.by_period(log, **CHURNING)):
        with pytest.raises(InputError, match="ISO-8601 without a zone") as caught:
            call(frame(rows))
        assert caught.value.first == ("2024-01-01T00:00:00+01:00",)


def test_a_log_before_1970_without_an_end_was_not_cut(frame):
    rows = plans([("a", "1960-01-05", None, 1.0), ("b", "1960-02-01", None, 1.0)])
    table = rm.churn.by_period(frame(rows), **CHURNING)
    assert (table.as_of, table.notes) == (dt.date(1960, 2, 1), ())


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "duckdb"])
def test_a_customer_or_segment_that_is_no_number_is_missing(kind):
    rows = pl.from_pandas(plans(GOOD * 2).assign(price=[1.0, 2.0, 3.0, 4.0]))
    none = float("nan")
    rows = rows.with_columns(who=pl.Series([1.0, none, 3.0, 4.0]), side=pl.Series([1.0, 2.0, none, 4.0]))
    data = as_duckdb(rows.to_pandas(use_pyarrow_extension_array=True)) if kind == "duckdb" else rows
    data = rows.to_arrow() if kind == "pyarrow" else data
    for excluded in (
        bridge(data, by="side").excluded,
        rm.churn.by_period(data, **CHURNING, by="side").excluded,
    ):
        assert dict(excluded) == {"missing_customer": 1, "missing_group": 1}


def test_a_needed_column_has_a_name():
    rows = plans(GOOD)
    with pytest.raises(ColumnError, match="amount= holds a column name; got None"):
        bridge(rows, amount=None)
    with pytest.raises(ColumnError, match="end= holds a column name; got None"):
        rm.churn.by_period(rows, **{**CHURNING, "end": None})


@pytest.mark.parametrize("zone", ["America/New_York", "Etc/GMT+5", "Europe/Berlin"])
@pytest.mark.parametrize("tz", [None, "own"])
def test_times_of_pandas_are_read_in_every_zone(zone, tz):
    rows = plans([("a", "2024-01-31 23:00", None, 1.0), ("b", "2024-01-01 00:00", "2024-02-29 23:00", 2.0)])
    rows = rows.assign(**{name: rows[name].dt.tz_localize(zone) for name in ("from", "until")})
    rows.index = [3, 3]
    options = {"period": Period("month", tz=zone if tz else None), "as_of": "2024-03-31"}
    table = bridge(rows, **options).rows()
    assert [(row["new"], row["churn"]) for row in table] == [(3.0, 0.0), (0.0, -2.0), (0.0, 0.0)]
    churned = rm.churn.by_period(rows, **CHURNING, **options).rows()
    assert [(row["joined"], row["lost"]) for row in churned] == [(2, 0), (0, 1), (0, 0)]


def test_a_day_unpaid_that_is_no_date_is_refused(frame):
    rows = plans([(*GOOD[0], "soon"), (*GOOD[1], None)], ("who", "from", "until", "price", "unpaid"))
    rows = rows.assign(**{name: rows[name].dt.strftime("%Y-%m-%d") for name in ("from", "until")})
    with pytest.raises(InputError, match="past_due='unpaid' holds dates; 1 of 2 rows") as caught:
        bridge(frame(rows), past_due="unpaid")
    assert (caught.value.argument, caught.value.count) == ("past_due", 1)


def test_an_error_shows_where_the_first_offenders_are():
    log = plans([*GOOD, ("c", "2024-02-01", None, -1.0)])
    with pytest.raises(InputError, match=r"1 of 3 rows are not so \(row 2: -1.0\)") as caught:
        bridge(log)
    assert caught.value.first == (-1.0,)
    with pytest.raises(InputError, match=r"1 of 3 rows end before they start \(row 2: .*2023") as caught:
        rm.churn.by_period(plans([*GOOD, ("c", "2024-02-01", "2023-01-01", 1.0)]), **CHURNING)
    assert len(caught.value.first) == 1


def test_rows_of_one_subscription_do_not_overlap(frame):
    rows = [
        ("a", "2024-01-01", "2024-03-01", 10.0, 1),
        ("a", "2024-02-01", None, 15.0, 1),
        ("a", "2024-01-01", "2024-03-01", 10.0, 2),
    ]
    names = ("who", "from", "until", "price", "id")
    with pytest.raises(InputError, match="runs once at a time; 1 of its rows"):
        bridge(frame(plans(rows, names)), subscription="id")
    assert bridge(frame(plans(rows[1:], names)), subscription="id", as_of="2024-02-29").rows()[-1]["end_mrr"] == 25.0


def test_rows_that_do_not_count_are_counted():
    rows = [
        *GOOD,
        (None, "2024-01-01", None, 1.0),
        ("c", None, None, 1.0),
        ("d", "2024-01-01", None, None),
        ("e", "2024-04-01", None, 1.0),
        ("f", "2024-01-01", "2024-01-01", 1.0),
    ]
    result = bridge(plans(rows), as_of="2024-03-31")
    assert dict(result.excluded) == {
        "missing_customer": 1,
        "missing_start": 1,
        "missing_amount": 1,
        "empty_interval": 1,
        "after_as_of": 1,
    }
    with pytest.raises(InputError, match="no row left"):
        bridge(plans(rows[2:]), as_of="2024-03-31")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"every": "fortnight"}, "every is one of"),
        ({"every": 0}, "every is above 0"),
        ({"free": "maybe"}, "free is one of"),
        ({"reactivation_window": -1}, "reactivation_window"),
        ({"billing": "who"}, "both name the column"),
        ({"period": "fortnight"}, "period is one of"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        bridge(plans(GOOD), **options)


def test_an_unknown_billing_period_is_refused():
    with pytest.raises(InputError, match="1 of 2 rows") as caught:
        bridge(
            plans([("a", "2024-01-01", None, 1.0, "month"), ("b", "2024-01-01", None, 1.0, "monthly")], NAMES),
            billing="plan",
        )
    assert caught.value.argument == "billing"


@pytest.mark.parametrize("name", ["movement", "change", "period"])
def test_a_customer_column_with_the_name_of_an_answer_is_refused(name):
    log = plans(GOOD).rename(columns={"who": name})
    with pytest.raises(ColumnError, match="also the name of a column of the answer"):
        revenue.customer_movements(log, **{**ROLES, "customer": name})


def test_words_are_no_amounts():
    with pytest.raises(ColumnError, match="amount='price' is a column of numbers"):
        bridge(plans([("a", "2024-01-01", None, "ten")]))


def test_the_working_is_the_last_bridge():
    result = bridge(plans(GOOD), as_of="2024-02-29")
    assert result.explain().evaluate() == {"end_mrr": 10.0}
    assert rm.from_dict(result.to_dict()) == result
