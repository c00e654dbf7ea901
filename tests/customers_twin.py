"""The customer table worked out row by row in plain Python, to hold the engines' answers against."""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Row = tuple[Any, Any, Any]


@dataclass
class Bought:
    """What one customer did: the days of purchase, the orders, and the money of every row."""

    days: list[dt.date] = field(default_factory=list)
    orders: int = 0
    paid: list[tuple[dt.date, float]] = field(default_factory=list)

    @property
    def first(self) -> dt.date:
        return min(self.days)

    @property
    def last(self) -> dt.date:
        return max(self.days)

    @property
    def purchases(self) -> int:
        return len(set(self.days))

    @property
    def revenue(self) -> float:
        return math.fsum(money for _, money in self.paid)


def missing(cell: Any) -> bool:
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or cell != cell


def day_of(time: Any, tz: str | None) -> dt.date:
    """The date on the clock on the wall."""
    stamp: dt.datetime = time.to_pydatetime() if hasattr(time, "to_pydatetime") else time
    if stamp.tzinfo is not None and tz is not None:
        stamp = stamp.astimezone(zoneinfo.ZoneInfo(tz))
    return stamp.date()


def read(rows: Iterable[Row], as_of: dt.date, tz: str | None) -> tuple[dict[Any, Bought], Counter[str]]:
    """Who bought what, and the rows that do not count, by reason."""
    people: dict[Any, Bought] = defaultdict(Bought)
    excluded: Counter[str] = Counter()
    for customer, time, money in rows:
        if missing(customer):
            excluded["missing_customer"] += 1
        elif missing(time):
            excluded["missing_time"] += 1
        elif missing(money):
            excluded["missing_value"] += 1
        elif day_of(time, tz) > as_of:
            excluded["after_as_of"] += 1
        else:
            person, day = people[customer], day_of(time, tz)
            person.paid.append((day, float(money)))
            if money >= 0:
                person.orders += 1
                person.days.append(day)
    for customer in [customer for customer, person in people.items() if not person.days]:
        excluded["no_purchase"] += len(people.pop(customer).paid)
    return dict(people), excluded


def months_before(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    longest = (dt.date(year + month // 11, (month + 1) % 12 + 1, 1) - dt.timedelta(days=1)).day
    return dt.date(year, month + 1, min(day.day, longest))


def quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def scores(values: Mapping[Any, float]) -> dict[Any, int]:
    """1 plus the quintiles exceeded."""
    ends = [quantile(list(values.values()), step / 5) for step in range(1, 5)]
    return {who: 1 + sum(value > end + 1e-9 for end in ends) for who, value in values.items()}


def table(people: Mapping[Any, Bought], end: dt.date) -> dict[Any, dict[str, Any]]:
    """The summary with its scores, by customer."""
    recency = scores({who: float(person.last.toordinal()) for who, person in people.items()})
    frequency = scores({who: float(person.purchases) for who, person in people.items()})
    money = scores({who: person.revenue for who, person in people.items()})
    found = {}
    for who, person in people.items():
        again, span = person.purchases - 1, (person.last - person.first).days
        later = person.revenue - math.fsum(paid for day, paid in person.paid if day == person.first)
        found[who] = {
            "first_purchase": person.first,
            "last_purchase": person.last,
            "purchases": person.purchases,
            "orders": person.orders,
            "revenue": person.revenue,
            "average_order_value": person.revenue / person.orders,
            "monetary_value": later / again if again else None,
            "tenure": (end - person.first).days,
            "days_since_last": (end - person.last).days,
            "mean_gap": span / again if again else None,
            "frequency": again,
            "recency": span,
            "T": (end - person.first).days,
            "at_risk": bool(again) and person.last <= months_before(end, 3),
            "recency_score": recency[who],
            "frequency_score": frequency[who],
            "monetary_score": money[who],
        }
    return found


def bought_again(people: Mapping[Any, Bought], end: dt.date, within: int) -> tuple[int, int, int]:
    """Customers watched for so long, those of them who bought again within it, and the others."""
    after = dt.timedelta(days=within)
    watched = [person for person in people.values() if person.first + after <= end]
    again = sum(any(person.first < day <= person.first + after for day in person.days) for person in watched)
    return len(watched), again, len(people) - len(watched)
