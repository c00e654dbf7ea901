"""Scores of 1,000 reps from 10 million answers, beside the engine's own count. Run: python speed/nps.py"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable

import duckdb
import numpy as np
import polars as pl

from retention_metrics import nps

REPEATS = 5
RATIO, STATISTICS, BEST = 1.2, 0.1, 1.0


def answers(rows: int, reps: int) -> pl.DataFrame:
    """Answers in no order; reps are whole numbers."""
    rng = np.random.default_rng(2003)
    return pl.DataFrame({"rep": rng.integers(0, reps, rows), "score": rng.integers(0, 11, rows)})


def best(job: Callable[[], object]) -> float:
    """Least of several times, in seconds."""
    taken = []
    for _ in range(REPEATS):
        gc.collect()
        start = time.perf_counter()
        job()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--reps", type=int, default=1_000)
    parser.add_argument(
        "--scan", type=int, default=100_000_000, help="ratings that DuckDB makes and scores in one pass"
    )
    sizes = parser.parse_args()
    table = answers(sizes.rows, sizes.reps)
    few = table.sample(200_000, seed=1)
    # The statistics do not depend on the rows behind the counts: what a small table takes beyond its count.
    statistics = best(lambda: nps.by_group(few, rating="score", group="rep")) - best(
        lambda: few.lazy().group_by("rep", "score").len().collect()
    )
    for name, frame in (("polars", table), ("polars lazy", table.lazy())):
        own = best(lambda frame=frame: frame.lazy().group_by("rep", "score").len().collect())
        ours = best(lambda frame=frame: nps.by_group(frame, rating="score", group="rep")) - statistics
        print(
            f"{name:>12}: engine {own:.3f} s, aggregation in by_group {ours:.3f} s, "
            f"ratio {ours / own:.2f} (to reach {RATIO})"
        )
    print(f"intervals, shrinkage and p-values of {sizes.reps:,} groups: {statistics:.3f} s (to reach {STATISTICS})")
    scores = nps.by_group(few, rating="score", group="rep")
    print(f"probability of being best: {best(lambda: scores.best(rng=1)):.3f} s (to reach {BEST})")
    connection = duckdb.connect()
    many = connection.sql(f"select (range * 7919) % 11 as score from range({sizes.scan})")
    own = best(lambda: many.aggregate("score, count(*)").fetchall())
    ours = best(lambda: nps.score(many, rating="score"))
    print(f"score of {sizes.scan:,} ratings in DuckDB: {ours:.2f} s, its own count {own:.2f} s")


if __name__ == "__main__":
    main()
