"""The bridge of logs with all that is difficult in them, against plain dates and fractions, customer by customer.

Zones and daylight saving, fiscal years and starts of the week, month ends, plans changed within a day, free ones,
taxes, one-off charges, unpaid subscriptions, currencies whose rates change, segments, and every kind of frame.
"""

from __future__ import annotations

import datetime as dt
import random
import zoneinfo
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pyarrow as pa
import pytest

from frames import CONVERT, as_rows
from retention_metrics import Period, revenue
from retention_metrics.errors import InputError

DAY = dt.timedelta(days=1)
MOVES = {
    "new": "new",
    "reactivation": "reactivated",
    "expansion": "expanded",
    "contraction": "contracted",
    "churn": "churned",
}
MONTHS = {"day": Fraction(1200, 36525), "week": Fraction(12, 52), "month": 1, "quarter": 3, "half_year": 6, "year": 12}
MONTHS |= {"two_years": 24, "three_years": 36, "five_years": 60}
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SPECIAL = [dt.datetime(*day) for day in ((2024, 1, 31), (2024, 2, 29), (2024, 3, 10), (2023, 11, 5), (2023, 12, 31))]
CONSTANT = {"EUR": 1.1, "USD": 1, "JPY": 0.007}
CHANGING = {
    "EUR": {"2023-01-01": 1.1, "2023-12-15": 1.2, "2024-03-31": 1.05},
    "USD": 1,
    "JPY": {"2020-01-01": 0.007, "2024-02-29": 0.008},
}


def log(draw, zoned):
    """Rows of a random log; a time is on the clock of UTC where the log is in a zone."""
    rows = {}
    for _ in range(draw.choice([1, 8, 20, 40])):
        who, start = draw.randrange(6), draw.choice(SPECIAL)
        if draw.random() < 0.7:
            start = dt.datetime(2023, 10, 25) + draw.randrange(400) * DAY
        ended = [row for row in rows.values() if row["until"]]
        if ended and draw.random() < 0.25:  # the plan is changed on the same day
            before = draw.choice(ended)
            who, start = before["who"], before["until"]
        elif zoned:
            start += dt.timedelta(hours=draw.choice([0, 3, 5, 6, 12, 23]), minutes=draw.choice([0, 30, 59]))
        length = draw.choice([None, 1, 28, 30, 31, 59, 366, draw.randint(1, 300)])
        price = draw.choice([0, 0, 25, 99.99, 1200, draw.randrange(100_000) / 100])
        row = {
            "who": who,
            "from": start,
            "until": None if length is None else start + length * DAY,
            "price": price,
            "plan": draw.choice(list(MONTHS)),
            "side": draw.choice(["x", "y", "y", None]),
            "cur": draw.choice(list(CONSTANT)),
            "vat": draw.choice([None, 0.0, min(price, 1.25)]),
            "again": draw.choice([True, True, True, None, False]),
            "unpaid": draw.choice([None, None, None, start + draw.randint(0, 120) * DAY]),
        }
        rows.setdefault((who, start, row["until"]), row)
    return list(rows.values())


def frame_of(draw, rows, style):
    frame = pd.DataFrame(rows)
    for name in ("from", "until", "unpaid"):
        days = pd.to_datetime(pd.Series([row[name] for row in rows], dtype=object), utc=style == "zoned")
        frame[name] = {"text": days.dt.strftime, "dates": lambda _, days=days: days.dt.date}.get(
            style, lambda _, days=days: days
        )("%Y-%m-%d")
    prices = [Decimal(str(row["price"])) for row in rows]
    frame["price"] = draw.choice(
        [frame["price"], pd.Series(prices, dtype=object), pd.Series(prices, dtype=pd.ArrowDtype(pa.decimal128(12, 2)))]
    )
    frame["vat"] = frame["vat"].astype(draw.choice(["Float64", "float64"]))
    words = {name: draw.choice(["category", "str"]) for name in ("plan", "cur", "side")}
    frame = frame.astype(words | {"again": "boolean", "who": draw.choice(["int64", "Int64", "str"])})
    return frame.set_axis(draw.choice([range(len(rows)), [7] * len(rows)]), axis=0)


def number(day, period):
    if period.unit == "week":
        return (day.toordinal() - 1 - WEEK.index(period.week_start)) // 7
    month = day.year * 12 + day.month - period.fiscal_start
    return month // {"month": 1, "quarter": 3, "year": 12}[period.unit]


def first_day(index, period):
    if period.unit == "week":
        return dt.date.fromordinal(index * 7 + 1 + WEEK.index(period.week_start))
    month = index * {"month": 1, "quarter": 3, "year": 12}[period.unit] + period.fiscal_start - 1
    return dt.date(month // 12, month % 12 + 1, 1)


def priced(rows, options, period, zone, as_of):
    """Rows that count: (who, side, first period, period after the last, price of a month, currency)."""

    def local(time):
        return time.replace(tzinfo=dt.UTC).astimezone(zone).date() if zone else time.date()

    kept = [row for row in rows if "recurring" not in options or row["again"] is not False]
    kept = [row for row in kept if local(row["from"]) <= (as_of or dt.date.max)]
    kept = [row for row in kept if "by" not in options or row["side"]]
    if not kept:
        return [], None, None
    last_start = max(local(row["from"]) for row in kept)
    last_end = max((local(row["until"]) for row in kept if row["until"]), default=last_start)
    cut = as_of is None and last_end > last_start
    last = as_of or (last_end if cut else last_start)
    found = []
    for row in kept:
        end = local(row["until"]) if row["until"] else None
        end = None if end and (end > last or (cut and end == last)) else end
        if "past_due" in options and row["unpaid"]:
            stop = local(row["unpaid"]) + options["grace_days"] * DAY
            end = min(end or stop, stop) if stop <= last else end
        price = Fraction(str(row["price"])) - (Fraction(str(row["vat"] or 0)) if "tax" in options else 0)
        lo, hi = number(local(row["from"]), period), number(end, period) if end else 10**9
        found.append((row["who"], row["side"], lo, hi, price / MONTHS[row["plan"]], row["cur"]))
    return found, last, min(lo for _, _, lo, *_ in found)


def worth(rates, currency, index, period, last):
    rate = 1 if rates is None else rates[currency]
    if not isinstance(rate, dict):
        return Fraction(str(rate))
    day = min(first_day(index + 1, period) - DAY, last).isoformat()
    return Fraction(str(rate[max(since for since in rate if since <= day)]))


def twin(priced_rows, options, period, last, first):
    """A row per period: start, movements, people, fx and end."""
    people = {who: {"moved": None, "plans": 0, "plans_then": 0} for who, *_ in priced_rows}
    rates, active = options.get("rates"), options["free"] == "active"
    table = []
    for index in range(first, number(last, period) + 1):
        then = max(index - 1, first)
        row, counts = Counter(), Counter()
        for who, state in people.items():
            mine = [each for each in priced_rows if each[0] == who]
            now = [each for each in mine if each[2] <= index < each[3]]
            before = [each for each in mine if index > first and each[2] < index <= each[3]]
            old = sum(price * worth(rates, cur, then, period, last) for *_, price, cur in before)
            new = sum(price * worth(rates, cur, then, period, last) for *_, price, cur in now)
            closing = sum(price * worth(rates, cur, index, period, last) for *_, price, cur in now)
            for name, money in (("start", old), ("end", closing), ("fx", closing - new)):
                row[name] += money
            if new != old:
                stayed = active and state["plans_then"] > 0 and state["plans"] > 0
                if old == 0 and not stayed:
                    late = state["moved"] is not None and options["reactivation_window"] is not None
                    late = late and index - state["moved"] > options["reactivation_window"]
                    move = "new" if state["moved"] is None or late else "reactivation"
                elif new == 0 and not (active and now):
                    move = "churn"
                else:
                    move = "expansion" if new > old else "contraction"
                row[move] += new - old
                counts[move] += 1
                state |= {"moved": index, "plans_then": len(now)}
            state["plans"] = len(now)
        table.append((first_day(index, period), row, counts))
    return table


def drawn_options(draw, zone):
    unit = draw.choice(["week", "month", "quarter", "year"])
    period = Period(
        unit,
        tz=zone,
        week_start=draw.choice(WEEK) if unit == "week" else "monday",
        fiscal_start=draw.randint(1, 12) if unit in ("quarter", "year") else 1,
    )
    options = {"free": draw.choice(["churn", "active"]), "reactivation_window": draw.choice([None, 0, 1, 3])}
    chosen = [{"tax": "vat"}, {"recurring": "again"}, {"past_due": "unpaid", "grace_days": draw.choice([0, 30])}]
    chosen += [{"by": "side"}, {"currency": "cur", "rates": draw.choice([CONSTANT, CHANGING])}]
    for choice in chosen:
        options |= choice if draw.random() < 0.5 else {}
    return period, options


@pytest.mark.parametrize("kind", list(CONVERT))
@pytest.mark.parametrize("seed", range(6))
def test_difficult_logs_have_the_bridge_of_dates_and_fractions(seed, kind):
    draw = random.Random(f"{kind} {seed}")
    zone = draw.choice([None, "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"])
    rows = log(draw, zone)
    data = CONVERT[kind](frame_of(draw, rows, "zoned" if zone else draw.choice(["text", "dates", "times"])))
    period, options = drawn_options(draw, zone)
    as_of = draw.choice([None, dt.date(2024, 2, 29), dt.date(2024, 12, 31)])
    found, last, first = priced(rows, options, period, zone and zoneinfo.ZoneInfo(zone), as_of)
    roles = {"customer": "who", "start": "from", "end": "until", "amount": "price", "billing": "plan"}
    roles |= {"period": period, "as_of": as_of}
    if not found:
        with pytest.raises(InputError, match="no row left to count"):
            revenue.movements(data, **roles, **options)
        return
    result = revenue.movements(data, **roles, **options)
    assert result.as_of == last
    groups = sorted({side for _, side, *_ in found}) if "by" in options else [None]
    expected = []
    for group in groups:
        mine = [each for each in found if group is None or each[1] == group]
        expected += [(group, *each) for each in twin(mine, options, period, last, first)]
    assert len(result.rows()) == len(expected)
    for row, (group, day, money, counts) in zip(result.rows(), expected, strict=True):
        assert (row.get("group"), row["period"]) == (group, day)
        wanted = {"start_mrr": money["start"], **{name: money[name] for name in MOVES}, "end_mrr": money["end"]}
        assert {name: row[name] for name in wanted} == pytest.approx(
            {name: float(each) for name, each in wanted.items()}, abs=1e-3
        )
        assert row.get("fx", 0.0) == pytest.approx(float(money["fx"]), abs=1e-3)
        assert {name: row[f"{people}_customers"] for name, people in MOVES.items()} == {n: counts[n] for n in MOVES}
        moved = sum(row[name] for name in MOVES) + row.get("fx", 0.0)
        assert row["start_mrr"] + moved == pytest.approx(row["end_mrr"], abs=1e-9)
    if "by" not in options:
        moves = as_rows(revenue.customer_movements(data, **roles, **options))
        assert sum(move["change"] for move in moves) == pytest.approx(result.rows()[-1]["end_mrr"], abs=1e-9)
        assert Counter((move["period"].date(), move["movement"]) for move in moves if move["movement"] != "fx") == {
            (day, name): counts[name] for _, day, _, counts in expected for name in MOVES if counts[name]
        }
