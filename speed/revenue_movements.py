"""The revenue bridge of a million subscriptions over 36 months, beside a hand-written query and a pandas pivot.

Run: python speed/revenue_movements.py --subscriptions 1000000
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from _rivals import Rival, compare, in_duckdb

from retention_metrics import revenue

MONTHS = 36
FIRST = np.datetime64("2022-01-01")
ROLES = {"customer": "customer", "start": "start", "end": "end", "amount": "amount"}
MOVES = ["new", "reactivation", "expansion", "contraction", "churn"]


def log(subscriptions: int) -> pd.DataFrame:
    """Subscriptions of half as many customers, with gaps, overlaps and open ends."""
    rng = np.random.default_rng(2005)
    start = FIRST + rng.integers(0, 1065, subscriptions)
    length = rng.geometric(1 / 240, subscriptions)
    end = pd.Series(start + length).where(rng.random(subscriptions) < 0.8)
    amount = rng.choice([10.0, 25.0, 49.99, 120.0], subscriptions)
    who = rng.integers(0, subscriptions // 2, subscriptions)
    frame = pd.DataFrame({"customer": who, "start": start.astype("datetime64[us]"), "end": end, "amount": amount})
    return frame.drop_duplicates(ignore_index=True).astype({"end": "datetime64[us]"})


def ours(frame: Any) -> pd.DataFrame:
    return revenue.movements(frame, **ROLES, as_of="2024-12-31").to_frame(backend="pandas")[["period", *MOVES]]


SQL = """
with changes as (
    select customer, date_trunc('month', start) as month, amount as change from log where start < date '2025-01-01'
    union all
    select customer, date_trunc('month', "end"), -amount from log
    where start < date '2025-01-01' and "end" < date '2025-01-01'
), net as (
    select customer, month, round(sum(change), 6) as change from changes group by all having round(sum(change), 6) <> 0
), running as (
    select *, round(sum(change) over w, 6) as after, lag(month) over w as previous
    from net window w as (partition by customer order by month)
), named as (
    select month, change, case
        when after = change and previous is null then 'new' when after = change then 'reactivation'
        when after = 0 then 'churn' when change > 0 then 'expansion' else 'contraction' end as movement
    from running
)
select month as period, movement, sum(change) as change, count(*) as customers from named group by all
"""


def by_hand_duckdb(relation: Any) -> pd.DataFrame:
    return wide(relation.query("log", SQL).df())


def by_hand_polars(frame: Any) -> pd.DataFrame:
    edge, change, after = pl.datetime(2025, 1, 1), pl.col("change"), pl.col("after")
    known = frame.lazy().filter(pl.col("start") < edge)
    opens = known.select("customer", month=pl.col("start").dt.truncate("1mo"), change=pl.col("amount"))
    ends = known.filter(pl.col("end") < edge)
    closes = ends.select("customer", month=pl.col("end").dt.truncate("1mo"), change=-pl.col("amount"))
    net = pl.concat([opens, closes]).group_by("customer", "month").agg(change.sum().round(6)).filter(change != 0)
    running = net.with_columns(
        after=change.cum_sum().over("customer", order_by="month").round(6),
        previous=pl.col("month").shift(1).over("customer", order_by="month"),
    )
    entered = after == change
    movement = (
        pl.when(entered & pl.col("previous").is_null()).then(pl.lit("new"))
        .when(entered).then(pl.lit("reactivation"))
        .when(after == 0).then(pl.lit("churn"))
        .when(change > 0).then(pl.lit("expansion"))
        .otherwise(pl.lit("contraction"))
    )  # fmt: skip
    named = running.with_columns(movement=movement).group_by(pl.col("month").alias("period"), "movement")
    return wide(named.agg(change.sum(), customers=pl.len()).collect().to_pandas())


def pivot_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """The usual recipe: a row per subscription and month, pivoted to customers by months, differences taken."""
    ends = pd.date_range("2022-01-31", periods=MONTHS, freq="ME")
    after = ends + pd.Timedelta(days=1)
    expanded = [
        frame.loc[(frame["start"] < stop) & ~(frame["end"] < stop), ["customer", "amount"]].assign(period=place)
        for place, stop in enumerate(after)
    ]
    # An end on the first of the next month still covers this one.
    matrix = pd.concat(expanded).pivot_table(index="customer", columns="period", values="amount", aggfunc="sum")
    now = matrix.fillna(0.0).round(6)
    before = now.shift(1, axis=1).fillna(0.0)
    change, paid = now - before, before.cummax(axis=1) > 0
    kinds = {
        "new": (before == 0) & (now > 0) & ~paid,
        "reactivation": (before == 0) & (now > 0) & paid,
        "expansion": (before > 0) & (change > 0),
        "contraction": (now > 0) & (change < 0),
        "churn": (before > 0) & (now == 0),
    }
    found = pd.DataFrame({name: change.where(kind, 0.0).sum() for name, kind in kinds.items()})
    return found.assign(period=ends.to_period("M").to_timestamp()).reset_index(drop=True)[["period", *MOVES]]


def wide(rows: pd.DataFrame) -> pd.DataFrame:
    table = rows.pivot_table(index="period", columns="movement", values="change", aggfunc="sum").fillna(0.0)
    return table.reindex(columns=MOVES).sort_index().reset_index()


def same(mine: pd.DataFrame, other: pd.DataFrame) -> None:
    difference = float(np.abs(mine[MOVES].to_numpy() - other[MOVES].to_numpy()).max())
    if not difference < 0.01:
        raise SystemExit(f"the answers differ by {difference:.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    frame = log(options.subscriptions)
    polars = pl.from_pandas(frame)
    print(f"{len(frame):,} subscriptions, 36 months")
    rivals = [
        Rival("polars", polars, ours, by_hand_polars),
        Rival("duckdb", in_duckdb(polars, "subscriptions"), ours, by_hand_duckdb),
    ]
    compare(rivals, same, recipes={"pandas recipe": pivot_pandas}, frame=frame, ours=ours, repeats=options.repeats)


if __name__ == "__main__":
    main()
