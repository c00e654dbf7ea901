"""The summary of each customer from ten million purchases, beside a hand-written query for the same table.

Run: python speed/customers_summary.py --events 10000000
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
import polars as pl

from retention_metrics import customers

REPEATS = 3
ROLES = {"customer": "customer", "time": "day", "value": "paid"}
AS_OF = "2024-12-31"


def log(events: int) -> pl.DataFrame:
    """Purchases of two years in no order, ten per customer on average."""
    rng = np.random.default_rng(2005)
    day = np.datetime64("2023-01-01") + rng.integers(0, 731, events)
    who = rng.integers(0, max(1, events // 10), events)
    paid = np.round(rng.gamma(2.0, 15.0, events), 2)
    return pl.DataFrame({"customer": who, "day": day, "paid": paid})


def ours(frame: Any) -> Any:
    table = customers.summary(frame, **ROLES, as_of=AS_OF).frame
    return table.collect() if isinstance(table, pl.LazyFrame) else table


def ours_duckdb(relation: Any) -> pl.DataFrame:
    return customers.summary(relation, **ROLES, as_of=AS_OF).frame.pl()


SQL = """
with days as (
    select customer, day, count(*) as orders, sum(paid) as revenue from log
    where customer is not null and day is not null and paid is not null and day <= date '2024-12-31' group by all
), people as (
    select customer, min(day) as first, max(day) as last, count(*) as purchases, sum(orders)::bigint as orders,
        sum(revenue) as revenue from days group by customer
)
select p.customer, first as first_purchase, last as last_purchase, purchases, p.orders, p.revenue,
    p.revenue / p.orders as average_order_value,
    case when purchases > 1 then (p.revenue - d.revenue) / (purchases - 1) end as monetary_value,
    date '2024-12-31' - first as tenure, date '2024-12-31' - last as days_since_last,
    case when purchases > 1 then (last - first) / (purchases - 1) end as mean_gap,
    purchases - 1 as frequency, (last - first)::double as recency, (date '2024-12-31' - first)::double as T,
    purchases >= 2 and last <= date '2024-09-30' as at_risk
from people p left join days d on p.customer = d.customer and p.first = d.day
"""


def by_hand_duckdb(relation: Any) -> pl.DataFrame:
    return relation.query("log", SQL).pl()


def by_hand_polars(frame: Any) -> pl.DataFrame:
    day, end, purchases = pl.col("day"), pl.date(2024, 12, 31), pl.col("purchases")
    known = frame.lazy().drop_nulls().filter(day <= end)
    days = known.group_by("customer", "day").agg(orders=pl.len(), revenue=pl.col("paid").sum())
    people = days.group_by("customer").agg(
        first_purchase=day.min(),
        last_purchase=day.max(),
        purchases=pl.len(),
        orders=pl.col("orders").sum(),
        revenue=pl.col("revenue").sum(),
    )
    firsts = days.select("customer", first_purchase=day, first_value="revenue")
    first, last, revenue = pl.col("first_purchase"), pl.col("last_purchase"), pl.col("revenue")
    again = pl.when(purchases > 1)
    return (
        people.join(firsts, on=["customer", "first_purchase"], how="left")
        .select(
            "customer",
            "first_purchase",
            "last_purchase",
            "purchases",
            "orders",
            "revenue",
            average_order_value=revenue / pl.col("orders"),
            monetary_value=again.then((revenue - pl.col("first_value")) / (purchases - 1)),
            tenure=(end - first).dt.total_days(),
            days_since_last=(end - last).dt.total_days(),
            mean_gap=again.then((last - first).dt.total_days() / (purchases - 1)),
            frequency=purchases - 1,
            recency=(last - first).dt.total_days().cast(pl.Float64),
            T=(end - first).dt.total_days().cast(pl.Float64),
            at_risk=(purchases >= 2) & (last <= pl.date(2024, 9, 30)),
        )
        .sort("customer")
        .collect()
    )


def same(mine: pl.DataFrame, other: pl.DataFrame) -> None:
    """Stop where two tables differ by more than the order in which money was added up."""
    mine, other = mine.sort("customer"), other.sort("customer").select(mine.columns)
    for name in mine.columns:
        here, there = mine[name].cast(pl.Float64, strict=False), other[name].cast(pl.Float64, strict=False)
        if not (here.is_null() == there.is_null()).all() or float((here - there).abs().max() or 0.0) > 1e-6:
            raise SystemExit(f"the answers differ in {name}")


def best(job: Callable[[Any], Any], data: Any) -> float:
    taken = []
    for _ in range(REPEATS):
        gc.collect()
        start = time.perf_counter()
        job(data)
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    frame = log(parser.parse_args().events)
    connection = duckdb.connect()
    connection.register("rows_in", frame.to_arrow())
    connection.execute("create table log as select * from rows_in")
    relation = connection.table("log")
    print(f"{frame.height:,} purchases")
    jobs = (("polars", frame, ours, by_hand_polars), ("duckdb", relation, ours_duckdb, by_hand_duckdb))
    for name, data, mine, by_hand in jobs:
        same(mine(data), by_hand(data))
        own, theirs = best(mine, data), best(by_hand, data)
        print(f"{name:>8}: ours {own:.3f} s, by hand {theirs:.3f} s, ratio {own / theirs:.2f}")


if __name__ == "__main__":
    main()
