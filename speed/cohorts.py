"""Monthly retention cohorts of ten million events over 36 months, beside hand-written queries and a pandas pivot.

Run: python speed/cohorts.py --events 10000000
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from _rivals import Rival, compare, in_duckdb

from retention_metrics import retention

COLUMNS = ["cohort", "age", "size", "retained"]
MONTHS = 36


def log(events: int) -> pd.DataFrame:
    """Events of a tenth as many customers in no order, each active for a while from some day of three years."""
    rng = np.random.default_rng(2005)
    people = max(1, events // 10)
    first, span = rng.integers(0, 1065, people), rng.exponential(200.0, people)
    who = rng.integers(0, people, events)
    day = np.minimum(first[who] + (span[who] * rng.random(events)).astype(np.int64), 1095)
    return pd.DataFrame({"customer": who, "day": np.datetime64("2022-01-01", "us") + day.astype("timedelta64[D]")})


def ours(frame: Any) -> pd.DataFrame:
    table = retention.cohorts(frame, customer="customer", time="day", as_of="2024-12-31", level=None)
    return sparse(table.to_frame(backend="pandas")[COLUMNS])


SQL = """
with seen as (
    select distinct customer, year(day) * 12 + month(day) as month from log where day < date '2025-01-01'
), firsts as (
    select customer, min(month) as cohort from seen group by customer
), sizes as (
    select cohort, count(*) as size from firsts group by cohort
), cells as (
    select cohort, month - cohort as age, count(*) as retained from seen join firsts using (customer) group by all
)
select make_date(((cohort - 1) // 12)::int, ((cohort - 1) % 12 + 1)::int, 1) as cohort, age, size, retained
from cells join sizes using (cohort)
"""


def by_hand_duckdb(relation: Any) -> pd.DataFrame:
    return sparse(relation.query("log", SQL).df())


def by_hand_polars(frame: Any) -> pd.DataFrame:
    day, month, cohort = pl.col("day"), pl.col("month"), pl.col("cohort")
    known = frame.lazy().filter(day < pl.datetime(2025, 1, 1))
    number = day.dt.year().cast(pl.Int32) * 12 + day.dt.month()
    seen = known.select("customer", month=number).unique()
    firsts = seen.group_by("customer").agg(cohort=month.min())
    sizes = firsts.group_by("cohort").agg(size=pl.len())
    aged = seen.join(firsts, on="customer").group_by("cohort", age=month - cohort).agg(retained=pl.len())
    begins = pl.date((cohort - 1) // 12, (cohort - 1) % 12 + 1, 1)
    return sparse(aged.join(sizes, on="cohort").with_columns(cohort=begins).collect().to_pandas())


def pivot_pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """The usual recipe: the period of each event and the first of its customer, distinct customers, pivoted."""
    month = frame["day"].dt.to_period("M")
    cohort = month.groupby(frame["customer"]).transform("min")
    age = (month.dt.year - cohort.dt.year) * 12 + month.dt.month - cohort.dt.month
    rows = pd.DataFrame({"customer": frame["customer"], "cohort": cohort.dt.to_timestamp(), "age": age})
    counts = rows.groupby(["cohort", "age"])["customer"].nunique().reset_index(name="retained")
    matrix = counts.pivot_table(index="cohort", columns="age", values="retained")
    cells = matrix.reset_index().melt("cohort", var_name="age", value_name="retained").dropna()
    return sparse(cells.merge(matrix[0].rename("size"), left_on="cohort", right_index=True))


def sparse(rows: pd.DataFrame) -> pd.DataFrame:
    """The cells in which anybody was seen, in order."""
    found = rows.loc[rows["retained"] > 0, COLUMNS]
    return found.assign(cohort=pd.to_datetime(found["cohort"])).sort_values(["cohort", "age"])


def same(mine: pd.DataFrame, other: pd.DataFrame) -> None:
    here, there = (frame.astype({"cohort": "datetime64[us]", "age": "int64"}) for frame in (mine, other))
    if not all(np.array_equal(here[name].to_numpy(), there[name].to_numpy()) for name in COLUMNS):
        raise SystemExit("the answers differ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    frame = log(options.events)
    polars = pl.from_pandas(frame)
    print(f"{len(frame):,} events, {MONTHS} months")
    rivals = [
        Rival("polars", polars, ours, by_hand_polars),
        Rival("duckdb", in_duckdb(polars, "log"), ours, by_hand_duckdb),
    ]
    compare(rivals, same, recipes={"pandas recipe": pivot_pandas}, frame=frame, ours=ours, repeats=options.repeats)


if __name__ == "__main__":
    main()
