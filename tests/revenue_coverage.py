"""How often the intervals of revenue hold the value behind the data: simulated, counted, stored.

``python tests/revenue_coverage.py`` writes tests/reference/revenue_coverage.toml from 2,000 data sets of each case;
tests/test_revenue_coverage.py draws others and compares. Every truth is worked out here, without the library.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import stats

import retention_metrics as rm
from places import REFERENCE
from retention_metrics.results import Interval

LEVEL = 0.95
DATASETS = 2000
STORED = REFERENCE / "revenue_coverage.toml"
PLANS = {"customer": "who", "start": "from", "end": "until", "amount": "price"}


@dataclass(frozen=True)
class Case:
    """What is true, and the interval that a data set gives for it."""

    truth: float
    interval: Callable[[np.random.Generator], Interval | None]


# ---------------------------------------------------------------- two amounts per customer


def paid(generator: np.random.Generator, customers: int, growth: bool, heavy: bool = False) -> pl.DataFrame:
    """Amounts before and after: lost, cut by 30 %, kept, or (with growth) half as much again.

    Heavy ones are lognormal with sigma = 1: the largest of 80 customers is one of 15 effective ones or fewer.
    """
    before = generator.lognormal(4.0, 1.0, customers) if heavy else generator.gamma(2.0, 50.0, customers)
    factors, chances = ([0.0, 0.7, 1.0, 1.5], [0.1, 0.1, 0.6, 0.2]) if growth else ([0.0, 0.7, 1.0], [0.1, 0.2, 0.7])
    return pl.DataFrame({"before": before, "after": before * generator.choice(factors, customers, p=chances)})


def gross(customers: int, method: str = "ratio", heavy: bool = False) -> Case:
    def interval(generator: np.random.Generator) -> Interval | None:
        frame = paid(generator, customers, growth=False, heavy=heavy)
        options = {"opening": "before", "closing": "after", "method": method, "resamples": 999, "rng": generator}
        return rm.revenue.gross_retention(frame, **options).interval

    return Case(0.84, interval)


def net(customers: int, method: str = "ratio", heavy: bool = False) -> Case:
    def interval(generator: np.random.Generator) -> Interval | None:
        frame = paid(generator, customers, growth=True, heavy=heavy)
        options = {"opening": "before", "closing": "after", "method": method, "resamples": 999, "rng": generator}
        return rm.revenue.net_retention(frame, **options).interval

    return Case(0.97, interval)


def account(customers: int) -> Case:
    def interval(generator: np.random.Generator) -> Interval | None:
        return rm.revenue.arpa(pl.DataFrame({"mrr": generator.gamma(2.0, 50.0, customers)}), amount="mrr").interval

    return Case(100.0, interval)


# ---------------------------------------------------------------- a year of subscriptions

CHURN, UP, DOWN = 0.05, 0.1, 0.06
STAYS = (1 - CHURN) * (1 + 0.5 * UP - 0.5 * DOWN)
GAIN, LOSS = (1 - CHURN) * 0.5 * UP, CHURN + (1 - CHURN) * 0.5 * DOWN


def subscriptions(generator: np.random.Generator, joined: np.ndarray) -> pl.DataFrame:
    """A row per customer and month: leaves at 5 % a month, pays half more at 10 % of months and half less at 6 %."""
    size = joined.size
    price, there = generator.choice([20.0, 50.0, 100.0], size), np.zeros(size, dtype=bool)
    rows = []
    for month in range(12):
        chance, move = generator.random(size), generator.random(size)
        there &= chance >= CHURN
        factor = np.where(move < UP, 1.5, np.where(move < UP + DOWN, 0.5, 1.0))
        price = np.where(there, price * factor, price)
        there |= joined == month
        rows.append(np.column_stack([np.flatnonzero(there), np.full(there.sum(), month), price[there]]))
    who, month, amount = np.concatenate(rows).T
    first = (np.datetime64("2023-01") + month.astype(np.int64)).astype("datetime64[M]")
    days = {"from": first.astype("datetime64[D]"), "until": (first + 1).astype("datetime64[D]")}
    return pl.DataFrame({"who": who, **days, "price": amount})


def quick_ratio(customers: int) -> Case:
    months = 11 - np.arange(12)
    ahead = np.array([(STAYS ** np.arange(k)).sum() for k in months])
    truth = float((1 + GAIN * ahead).sum() / (LOSS * ahead).sum())

    def interval(generator: np.random.Generator) -> Interval | None:
        plans = subscriptions(generator, generator.integers(0, 12, customers))
        return rm.revenue.quick_ratio(plans, **PLANS, as_of="2023-12-31").interval

    return Case(truth, interval)


def cohort(customers: int, age: int) -> Case:
    def interval(generator: np.random.Generator) -> Interval | None:
        plans = subscriptions(generator, np.zeros(customers, dtype=np.int64))
        row = rm.revenue.by_cohort(plans, **PLANS, as_of="2023-12-31").rows()[age]
        return None if row["low"] is None else Interval(low=row["low"], high=row["high"], level=LEVEL, method="ratio")

    return Case(STAYS**age, interval)


def average(customers: int, age: int) -> Case:
    def interval(generator: np.random.Generator) -> Interval | None:
        plans = subscriptions(generator, generator.integers(0, 6, customers))
        row = rm.revenue.by_cohort(plans, **PLANS, as_of="2023-12-31").average().rows()[age]
        return None if row["low"] is None else Interval(low=row["low"], high=row["high"], level=LEVEL, method="ratio")

    return Case(STAYS**age, interval)


# ---------------------------------------------------------------- purchases


def orders(generator: np.random.Generator, customers: int) -> pl.DataFrame:
    """Each buys once and 1.5 times more on average, on days of their own; a big spender's purchases are all big."""
    counts = 1 + np.minimum(generator.poisson(1.5, customers), 20)
    who = np.repeat(np.arange(customers), counts)
    nth = np.arange(who.size) - np.repeat(np.cumsum(counts) - counts, counts)
    scale = np.repeat(generator.gamma(3.0, 20.0, customers), counts)
    day = np.datetime64("2024-01-01") + nth
    return pl.DataFrame({"who": who, "day": day, "paid": scale * generator.gamma(4.0, 0.25, who.size)})


def lost(customers: int) -> Case:
    """One customer in five leaves in February, half of them over the price; what each paid is its own."""

    def interval(generator: np.random.Generator) -> Interval | None:
        chance = generator.random(customers)
        day = np.datetime64("2024-01-05", "D") + np.zeros(customers, dtype=np.int64)
        until = np.where(chance < 0.2, np.datetime64("2024-02-10"), np.datetime64("NaT"))
        why = np.where(chance < 0.1, "price", "other")
        mrr = generator.gamma(2.0, 50.0, customers)
        plans = pl.DataFrame({"who": np.arange(customers), "from": day, "until": until, "why": why, "mrr": mrr})
        roles = {"customer": "who", "start": "from", "end": "until", "reason": "why", "revenue": "mrr"}
        (row,) = (
            row for row in rm.churn.reasons(plans, **roles, as_of="2024-02-29").rows()[2:] if row["reason"] == "price"
        )
        low, high = row["revenue_lost_low"], row["revenue_lost_high"]
        return None if low is None else Interval(low=low, high=high, level=LEVEL, method="jackknife")

    return Case(customers * 0.1 * 100.0, interval)


def returning(customers: int) -> Case:
    def interval(generator: np.random.Generator) -> Interval | None:
        roles = {"customer": "who", "time": "day", "value": "paid", "window": ("2024-01-01", "2024-03-01")}
        return rm.revenue.returning_share(orders(generator, customers), **roles).interval

    return Case(0.6, interval)


# ---------------------------------------------------------------- in how few hands

SIGMA = 1.0


def spread(customers: int, statistic: str, sigma: float = SIGMA) -> Case:
    """Lognormal amounts: Gini = 2 Phi(sigma / sqrt 2) - 1, top share 1 - Phi(z - sigma)."""
    gini = float(2 * stats.norm.cdf(sigma / np.sqrt(2)) - 1)
    truth = gini if statistic == "gini" else float(1 - stats.norm.cdf(stats.norm.ppf(0.8) - sigma))

    def interval(generator: np.random.Generator) -> Interval | None:
        found = rm.revenue.concentration(generator.lognormal(0.0, sigma, customers))
        return (found.gini if statistic == "gini" else found.top_share(0.2)).interval

    return Case(truth, interval)


def index(customers: int) -> Case:
    """The HHI of so many lognormal amounts is near exp(sigma^2) / n."""

    def interval(generator: np.random.Generator) -> Interval | None:
        return rm.revenue.concentration(generator.lognormal(0.0, SIGMA, customers)).hhi.interval

    return Case(float(np.exp(SIGMA**2)) / customers, interval)


def loyal(customers: int, statistic: str) -> Case:
    """A fifth of the customers is loyal and spends 80 on average, four times what the others do."""

    def interval(generator: np.random.Generator) -> Interval | None:
        mark = generator.random(customers) < 0.2
        base = pl.DataFrame({"paid": generator.gamma(2.0, np.where(mark, 40.0, 10.0)), "loyal": mark})
        found = rm.revenue.loyal_core(base, amount="paid", loyal="loyal")
        return found.interval if statistic == "share" else found.spend_ratio.interval

    return Case(0.5 if statistic == "share" else 4.0, interval)


CASES: Mapping[str, Case] = {
    "gross_retention 25": gross(25),
    "gross_retention heavy 25": gross(25, heavy=True),
    "gross_retention heavy 80": gross(80, heavy=True),
    "gross_retention 80": gross(80),
    "gross_retention bca 80": gross(80, "bca"),
    "net_retention 25": net(25),
    "net_retention heavy 25": net(25, heavy=True),
    "net_retention heavy 80": net(80, heavy=True),
    "net_retention 80": net(80),
    "net_retention bca 80": net(80, "bca"),
    "arpa 30": account(30),
    "quick_ratio 100": quick_ratio(100),
    "quick_ratio 400": quick_ratio(400),
    "by_cohort 50 age 6": cohort(50, 6),
    "by_cohort 200 age 6": cohort(200, 6),
    "cohorts' average 200 age 6": average(200, 6),
    "returning_share 60": returning(60),
    "loyal_core 100": loyal(100, "share"),
    "spend_ratio 100": loyal(100, "ratio"),
    "revenue_lost 200": lost(200),
    "revenue_lost 400": lost(400),
    "gini 50": spread(50, "gini"),
    "gini 200": spread(200, "gini"),
    "gini 1000": spread(1000, "gini"),
    "gini heavy 200": spread(200, "gini", sigma=1.5),
    "hhi 200": index(200),
    "top_share 200": spread(200, "top share"),
    "top_share 1000": spread(1000, "top share"),
}


def coverage(name: str, *, datasets: int, seed: int) -> tuple[int, int]:
    """Data sets that gave an interval, and those whose interval held the truth."""
    case, generator = CASES[name], np.random.default_rng(seed)
    found = [case.interval(generator) for _ in range(datasets)]
    given = [interval for interval in found if interval is not None]
    return len(given), sum(case.truth in interval for interval in given)


def main(names: list[str]) -> None:
    old = tomllib.loads(STORED.read_text(encoding="utf-8"))["coverage"] if STORED.is_file() else {}
    for name in names or list(CASES):
        given, held = coverage(name, datasets=DATASETS, seed=1977)
        old[name] = {"truth": round(CASES[name].truth, 12), "given": given, "held": held}
    lines = [
        'source = "Simulated by tests/revenue_coverage.py: data sets that gave a 95 % interval, and those that held"',
        f"datasets = {DATASETS}",
        "",
        "[coverage]",
        *(
            f'"{name}" = {{ truth = {row["truth"]}, given = {row["given"]}, held = {row["held"]} }}'
            for name, row in old.items()
        ),
    ]
    STORED.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
