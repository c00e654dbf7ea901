"""The summary of each customer from ten million purchases, beside hand-written queries and recipes in pandas.

The usual recipe is that of ``lifetimes``, which gives four of the columns; the quickest that we could write gives all.

Run: python speed/customers_summary.py --events 10000000
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from _rivals import Rival, compare, in_duckdb
from lifetimes.utils import summary_data_from_transaction_data

from retention_metrics import customers

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


def quickest_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """The quickest recipe: one group-by, its distinct days counted, and the first day's money by another."""
    end = pd.Timestamp(AS_OF)
    known = frame.dropna().loc[lambda rows: rows["day"] <= end]
    rows = known.groupby("customer")
    table = rows.agg(
        first_purchase=("day", "min"),
        last_purchase=("day", "max"),
        purchases=("day", "nunique"),
        orders=("paid", "size"),
        revenue=("paid", "sum"),
    )
    opening = known["day"] == rows["day"].transform("min")
    first_value = known[opening].groupby("customer")["paid"].sum()
    first, last, purchases = table["first_purchase"], table["last_purchase"], table["purchases"]
    again = (purchases - 1).where(purchases > 1)
    return table.assign(
        average_order_value=table["revenue"] / table["orders"],
        monetary_value=(table["revenue"] - first_value) / again,
        tenure=(end - first).dt.days,
        days_since_last=(end - last).dt.days,
        mean_gap=(last - first).dt.days / again,
        frequency=purchases - 1,
        recency=(last - first).dt.days.astype(float),
        T=(end - first).dt.days.astype(float),
        at_risk=(purchases >= 2) & (last <= "2024-09-30"),
    ).reset_index()


def usual_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """The usual recipe, days cut by their periods; it writes 0 for the money of those who never came again."""
    table = summary_data_from_transaction_data(
        frame, "customer", "day", monetary_value_col="paid", observation_period_end=AS_OF
    )
    return table.assign(monetary_value=table["monetary_value"].where(table["frequency"] > 0)).reset_index()


def same(mine: Any, other: Any) -> None:
    """Stop where two tables differ, in the columns of both, by more than the order in which money was added up."""
    mine, other = (pl.from_pandas(table) if isinstance(table, pd.DataFrame) else table for table in (mine, other))
    named = [name for name in mine.columns if name in other.columns]
    mine, other = mine.select(named).sort("customer"), other.select(named).sort("customer")
    for name in mine.columns:
        here, there = (
            (cells.cast(pl.Date) if cells.dtype.is_temporal() else cells).cast(pl.Float64, strict=False)
            for cells in (mine[name], other[name])
        )
        if not (here.is_null() == there.is_null()).all() or float((here - there).abs().max() or 0.0) > 1e-6:
            raise SystemExit(f"the answers differ in {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    frame = log(options.events)
    print(f"{frame.height:,} purchases")
    rivals = [
        Rival("polars", frame, ours, by_hand_polars),
        Rival("duckdb", in_duckdb(frame, "log"), ours_duckdb, by_hand_duckdb),
    ]
    recipes = {"lifetimes": usual_pandas, "quickest recipe": quickest_pandas}
    compare(rivals, same, recipes=recipes, frame=frame.to_pandas(), ours=ours, repeats=options.repeats)


if __name__ == "__main__":
    main()
