"""How often intervals about customers hold what is true, or what then happens: simulated, counted, stored.

``python tests/customers_coverage.py`` writes tests/reference/customers_coverage.toml from 2,000 data sets of each case;
tests/test_customers_coverage.py draws others and compares.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

import retention_metrics as rm
from places import REFERENCE

LEVEL = 0.95
DATASETS = 2000
STORED = REFERENCE / "customers_coverage.toml"
Holds = Callable[[np.random.Generator], bool | None]
"""Whether a data set's interval holds; None where it has none."""
SPEND = rm.clv.GammaGamma(p=6.0, q=3.7, v=15.0)
MODELS: Mapping[str, Any] = {
    "BGNBD": rm.clv.BGNBD(r=0.5, alpha=6.0, a=0.8, b=2.4),
    "MBGNBD": rm.clv.MBGNBD(r=0.6, alpha=6.0, a=0.8, b=2.0),
    "ParetoNBD": rm.clv.ParetoNBD(r=0.6, alpha=6.0, s=0.8, beta=20.0),
    "GGompertzNBD": rm.clv.GGompertzNBD(r=1.0, alpha=2.0, b=0.1, s=1.0, beta=4.0),
    "BGCNBD": rm.clv.BGCNBD(k=3, r=0.6, alpha=3.0, a=0.8, b=2.4),
    "BGBB": rm.clv.BGBB(alpha=1.2, beta=0.75, gamma=0.8, delta=3.0),
}


# ---------------------------------------------------------------- demand


def seen_and_later(
    model: Any, customers: int, age: float, ahead: float, generator: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The history of customers up to an age, and their later purchases."""
    log = model.simulate_transactions(np.full(customers, age + ahead), rng=generator)
    seen = log[log["time"] <= age].groupby("customer")["time"]
    history = pd.DataFrame({"frequency": seen.size() - 1, "recency": seen.max(), "T": age})
    return history.astype(float).reset_index(), log[log["time"] > age]


def demand(name: str, *, customers: int = 200, fitted: bool = False) -> Holds:
    """Whether the interval of the next orders holds those that then come."""
    model = MODELS[name]
    age, ahead = (8.0, 4.0) if name == "BGBB" else (30.0, 20.0)

    def holds(generator: np.random.Generator) -> bool | None:
        history, later = seen_and_later(model, customers, age, ahead, generator)
        given = model
        if fitted:
            try:
                given = type(model).fit(history, penalty=0.1)
            except rm.errors.FitError:
                return None
        row = rm.customers.demand(given, history, length=ahead, periods=1, draws=200, rng=generator).rows()[0]
        return bool(row["orders_low"] <= len(later) <= row["orders_high"])

    return holds


def revenue(generator: np.random.Generator) -> bool:
    """Whether the interval of the revenue to come holds it, in both halves of the time ahead."""
    history, later = seen_and_later(MODELS["BGNBD"], 200, 30.0, 20.0, generator)
    scale = generator.gamma(SPEND.q, 1 / SPEND.v, 200)
    x = history["frequency"].to_numpy()
    history["monetary_value"] = generator.gamma(SPEND.p * np.maximum(x, 1)) / scale / np.maximum(x, 1) * (x > 0)
    options = {"spend": SPEND, "length": 10.0, "periods": 2, "draws": 200, "rng": generator}
    row = rm.customers.demand(MODELS["BGNBD"], history, **options).rows()[0]
    first = later[later["time"] <= 40.0]["customer"].to_numpy()
    paid = (generator.gamma(SPEND.p, size=first.size) / scale[first]).sum()
    return bool(row["revenue_low"] <= paid <= row["revenue_high"])


# ---------------------------------------------------------------- means and growth


def purchases(generator: np.random.Generator, customers: int) -> pl.DataFrame:
    """Orders over a year at rates and sizes of each customer's own, larger where they are more frequent."""
    rate = generator.gamma(2.0, 1.0, customers)
    counts = 1 + generator.poisson(rate)
    who = np.repeat(np.arange(customers), counts)
    size = (20.0 + 10.0 * rate)[who] * generator.gamma(4.0, 0.25, who.size)
    day = np.datetime64("2024-01-01") + generator.integers(0, 365, who.size)
    return pl.DataFrame({"who": who, "day": day, "paid": size})


def order_value(customers: int) -> Holds:
    # Mean order = E[(20 + 10 rate)(1 + rate)] / E[1 + rate], with rate ~ Gamma(2, 1): E rate = 2, E rate^2 = 6.
    truth = (20 + 30 * 2 + 10 * 6) / 3

    def holds(generator: np.random.Generator) -> bool:
        roles = {"customer": "who", "time": "day", "value": "paid", "as_of": "2024-12-31"}
        return truth in rm.customers.average_order_value(purchases(generator, customers), **roles).interval

    return holds


def order_value_of_cdnow(customers: int) -> Holds:
    """Of customers drawn from those of CDNOW, of whom one spends far more than any other."""
    log = rm.datasets.cdnow()
    each = [rows for _, rows in log.groupby("customer_id")]
    truth = log["amount"].mean()

    def holds(generator: np.random.Generator) -> bool:
        drawn = [each[place] for place in generator.integers(0, len(each), customers)]
        who = np.repeat(np.arange(customers), [len(rows) for rows in drawn])
        sample = pd.concat(drawn).assign(customer_id=who)
        roles = {"customer": "customer_id", "time": "date", "value": "amount"}
        return truth in rm.customers.average_order_value(sample, **roles).interval

    return holds


def spent(customers: int, name: str) -> Holds:
    """All buy in the first quarter; in the second 40 % do, for 60 on average: 24 per customer."""
    truth = {"spend_per_customer": 24.0, "spend_per_active": 60.0}[name]

    def holds(generator: np.random.Generator) -> bool | None:
        back = np.flatnonzero(generator.random(customers) < 0.4)
        first = pl.DataFrame({"who": np.arange(customers), "paid": 1.0}).with_columns(day=pl.date(2024, 1, 5))
        again = pl.DataFrame({"who": back, "paid": generator.gamma(2.0, 30.0, back.size)}).with_columns(
            day=pl.date(2024, 4, 5)
        )
        roles = {"customer": "who", "time": "day", "value": "paid", "as_of": "2024-06-30"}
        row = rm.customers.spend_by_age(pl.concat([first, again]), **roles).rows()[1]
        low, high = row[f"{name}_low"], row[f"{name}_high"]
        return None if low is None else bool(low <= truth <= high)

    return holds


def growth(customers: int) -> Holds:
    """Stayers who spend 10 % more in their second quarter; half of the customers leave, the small ones rather."""

    def holds(generator: np.random.Generator) -> bool | None:
        size = generator.gamma(3.0, 20.0, customers)
        stays = generator.random(customers) < np.where(size > 60, 0.7, 0.4)
        later = size * 1.1 * generator.gamma(8.0, 1 / 8, customers)
        first = pl.DataFrame({"who": np.arange(customers), "paid": size}).with_columns(day=pl.date(2024, 1, 5))
        second = pl.DataFrame({"who": np.flatnonzero(stays), "paid": later[stays]}).with_columns(
            day=pl.date(2024, 4, 5)
        )
        roles = {"customer": "who", "time": "day", "value": "paid", "as_of": "2024-06-30"}
        row = rm.customers.spend_by_age(pl.concat([first, second]), **roles).rows()[1]
        return None if row["low"] is None else bool(row["low"] <= 1.1 <= row["high"])

    return holds


def message(customers: int) -> Holds:
    """Three messages each; the chance of a purchase after one is the customer's own, 0.1 higher where not held out."""

    def holds(generator: np.random.Generator) -> bool:
        chance = generator.beta(2.0, 6.0, customers) + 0.1 * (np.arange(customers) % 2)
        who = np.repeat(np.arange(customers), 3)
        day = np.tile(np.array(["2024-01-01", "2024-02-01", "2024-03-01"], dtype="datetime64[D]"), customers)
        hit = generator.random(who.size) < chance[who]
        sent = pl.DataFrame({"who": who, "day": day, "why": np.where(who % 2, "cart", "none")})
        bought = pl.DataFrame({"who": who[hit], "day": day[hit] + 2})
        roles = {"customer": "who", "time": "day", "trigger": "why", "control": "none", "as_of": "2024-03-31"}
        row = rm.customers.message_response(sent, bought, **roles).rows()[1]
        return bool(row["difference_low"] <= 0.1 <= row["difference_high"])

    return holds


CASES: Mapping[str, Holds] = {
    **{f"demand {name}": demand(name) for name in MODELS},
    "demand BGNBD 6000": demand("BGNBD", customers=6_000),
    "demand BGNBD fitted": demand("BGNBD", fitted=True),
    "demand MBGNBD fitted": demand("MBGNBD", fitted=True),
    "demand ParetoNBD fitted": demand("ParetoNBD", fitted=True),
    "demand revenue": revenue,
    "average_order_value 20": order_value(20),
    "average_order_value 40": order_value(40),
    "average_order_value 200": order_value(200),
    "average_order_value cdnow 300": order_value_of_cdnow(300),
    "spend_per_customer 60": spent(60, "spend_per_customer"),
    "spend_per_active 60": spent(60, "spend_per_active"),
    "spend_by_age 80": growth(80),
    "spend_by_age 300": growth(300),
    "message_response 60": message(60),
    "message_response 300": message(300),
}


def coverage(name: str, *, datasets: int, seed: int) -> tuple[int, int]:
    """Data sets that gave an interval, and those whose interval held."""
    generator = np.random.default_rng(seed)
    found = [CASES[name](generator) for _ in range(datasets)]
    given = [held for held in found if held is not None]
    return len(given), sum(given)


def main(names: list[str]) -> None:
    old = tomllib.loads(STORED.read_text(encoding="utf-8"))["coverage"] if STORED.is_file() else {}
    for name in names or list(CASES):
        given, held = coverage(name, datasets=DATASETS, seed=1977)
        old[name] = {"given": given, "held": held}
    lines = [
        'source = "Simulated by tests/customers_coverage.py: data sets that gave a 95 % interval, and those that held"',
        f"datasets = {DATASETS}",
        "",
        "[coverage]",
        *(f'"{name}" = {{ given = {row["given"]}, held = {row["held"]} }}' for name, row in old.items()),
    ]
    STORED.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
