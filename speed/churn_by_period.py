"""Churn by month of a million subscriptions over 36 months, beside hand-written queries and a pandas pivot.

Run: python speed/churn_by_period.py --subscriptions 1000000
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from _rivals import Rival, compare, in_duckdb

from retention_metrics import churn

FIRST = np.datetime64("2022-01-01")
ROLES = {"customer": "customer", "start": "start", "end": "end"}
COLUMNS = ["period", "start_customers", "end_customers", "joined", "lost"]


def log(subscriptions: int) -> pd.DataFrame:
    """Subscriptions of half as many customers, with gaps, overlaps and open ends."""
    rng = np.random.default_rng(2005)
    start = FIRST + rng.integers(0, 1065, subscriptions)
    end = pd.Series(start + rng.geometric(1 / 240, subscriptions)).where(rng.random(subscriptions) < 0.8)
    who = rng.integers(0, subscriptions // 2, subscriptions)
    frame = pd.DataFrame({"customer": who, "start": start.astype("datetime64[us]"), "end": end})
    return frame.astype({"end": "datetime64[us]"})


def ours(frame: Any) -> pd.DataFrame:
    return churn.by_period(frame, **ROLES, as_of="2024-12-31").to_frame(backend="pandas")[COLUMNS]


SQL = """
with rows as (
    select customer, start, case when "end" < date '2025-01-01' then "end" else date '2999-01-01' end as after
    from log where start < date '2025-01-01'
), marked as (
    select *, max(after) over (partition by customer order by start, after
        rows between unbounded preceding and 1 preceding) as reach from rows
), numbered as (
    select *, count(*) filter (where reach is null or start > reach) over (partition by customer order by start, after
        rows unbounded preceding) as spell from marked
), spells as (
    select customer, spell, min(start) as start, max(after) as after from numbered group by all
), edges as (
    select customer, date_trunc('month', start) as month, 1 as began, (spell = 1)::int as joined, 0 as ended,
        0 as left_it, (after >= date_trunc('month', start) + interval 1 month)::int as stays from spells
    union all
    select customer, date_trunc('month', after), 0, 0, 1, (start < date_trunc('month', after))::int, 0
    from spells where after < date '2999-01-01'
), months as (
    select customer, month, sum(began) as began, sum(joined) as joined, sum(ended) as ended,
        max(left_it) = 1 and max(stays) = 0 as lost from edges group by all
), counts as (
    select month, sum(began) as began, sum(joined) as joined, sum(ended) as ended, sum(lost::int) as lost
    from months group by all
)
select month as period, sum(began - ended) over (order by month) - (began - ended) as start_customers,
    sum(began - ended) over (order by month) as end_customers, joined, lost from counts order by month
"""


def by_hand_duckdb(relation: Any) -> pd.DataFrame:
    return relation.query("log", SQL).df()


def by_hand_polars(frame: Any) -> pd.DataFrame:
    edge, never = pl.datetime(2025, 1, 1), pl.datetime(2999, 1, 1)
    after = pl.when(pl.col("end") < edge).then(pl.col("end")).otherwise(never)
    rows = frame.lazy().filter(pl.col("start") < edge).select("customer", "start", after=after)
    order = {"order_by": ["start", "after"]}
    reach = rows.with_columns(reach=pl.col("after").cum_max().over("customer", **order))
    marked = reach.with_columns(
        new=(pl.col("start") > pl.col("reach").shift(1).over("customer", **order)).fill_null(True)
    )
    numbered = marked.with_columns(spell=pl.col("new").cum_sum().over("customer", **order))
    spells = numbered.group_by("customer", "spell").agg(pl.col("start").min(), pl.col("after").max())
    opened, closed = pl.col("start").dt.truncate("1mo"), pl.col("after").dt.truncate("1mo")
    began = spells.select(
        "customer",
        month=opened,
        began=1,
        joined=(pl.col("spell") == 1).cast(pl.Int32),
        ended=0,
        carried=False,
        stays=pl.col("after") >= opened.dt.offset_by("1mo"),
    )
    ended = spells.filter(pl.col("after") < never).select(
        "customer",
        month=closed,
        began=0,
        joined=pl.lit(0, dtype=pl.Int32),
        ended=1,
        carried=pl.col("start") < closed,
        stays=False,
    )
    months = pl.concat([began, ended]).group_by("customer", "month")
    sums = months.agg(pl.col("began", "joined", "ended").sum(), lost=pl.col("carried").any() & ~pl.col("stays").any())
    counts = sums.group_by("month").agg(pl.col("began", "joined", "ended", "lost").sum()).sort("month")
    change = pl.col("began").cast(pl.Int64) - pl.col("ended").cast(pl.Int64)
    table = counts.select(
        period="month",
        start_customers=change.cum_sum() - change,
        end_customers=change.cum_sum(),
        joined="joined",
        lost="lost",
    )
    return table.collect().to_pandas()


def pivot_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """The usual recipe: a row per subscription and month, pivoted to customers by months, neighbours compared."""
    after = pd.date_range("2022-02-01", periods=36, freq="MS")
    expanded = [
        frame.loc[(frame["start"] < stop) & ~(frame["end"] < stop), ["customer"]].assign(period=place, there=1)
        for place, stop in enumerate(after)
    ]
    matrix = pd.concat(expanded).pivot_table(index="customer", columns="period", values="there", aggfunc="max")
    now = matrix.fillna(0).astype(bool)
    before = now.shift(1, axis=1, fill_value=False)
    counts = {"start_customers": before.sum(), "end_customers": now.sum(), "lost": (before & ~now).sum()}
    return pd.DataFrame(counts)


def same(mine: pd.DataFrame, other: pd.DataFrame) -> None:
    names = [name for name in COLUMNS[1:] if name in other]
    if not np.array_equal(mine[names].to_numpy(dtype=np.int64), other[names].to_numpy(dtype=np.int64)):
        raise SystemExit("the answers differ")


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
