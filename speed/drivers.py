"""Ten indicators ranked beside the same measures from scipy's functions. Run: python speed/drivers.py

The peer reads the columns into pandas and calls scipy for each indicator: ranks for the area and DeLong's interval,
``mannwhitneyu``, ``spearmanr``, ``chi2_contingency`` and ``false_discovery_control``. It makes no rank intervals, which
the library's time includes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from _compare import Job, main
from _rivals import in_duckdb
from scipy import special, stats

from retention_metrics import drivers

NUMBERS, RATINGS, WORDS = 4, 4, 2
NAMES = [f"number {k}" for k in range(NUMBERS)] + [f"rating {k}" for k in range(RATINGS)]
CATEGORIES = [f"word {k}" for k in range(WORDS)]
SIZES = (10_000, 1_000_000)


def clients(rows: int) -> pl.DataFrame:
    """Numbers without ties, ratings from 0 to 10, two columns of twenty words, and whether the client was kept."""
    rng = np.random.default_rng(1988)
    table: dict[str, Any] = {name: rng.normal(size=rows) for name in NAMES[:NUMBERS]}
    table |= {name: rng.integers(0, 11, rows) for name in NAMES[NUMBERS:]}
    words = np.array([f"level {k}" for k in range(20)])
    table |= {name: words[rng.integers(0, 20, rows)] for name in CATEGORIES}
    line = table["number 0"] / 2 + (table["rating 0"] - 5) / 10
    return pl.DataFrame(table | {"kept": rng.random(rows) < special.expit(line)})


def ours(table: Any) -> dict[str, tuple[float, ...]]:
    ranking = drivers.rank(table, outcome="kept", indicators=NAMES + CATEGORIES, rng=1)
    return {
        row["indicator"]: tuple(
            float(row[name])
            for name in ("p_value", "p_adjusted", "auc", "auc_low", "auc_high", "spearman")
            if row["kind"] == "numeric" or name.startswith("p_")
        )
        for row in ranking.rows()
    }


def theirs(table: Any) -> dict[str, tuple[float, ...]]:
    held = (
        table if isinstance(table, pd.DataFrame) else table.to_pandas() if hasattr(table, "to_pandas") else table.df()
    )
    kept = held["kept"].to_numpy(dtype=bool)
    found = {name: measured(held[name].to_numpy(dtype=float), kept) for name in NAMES}
    for name in CATEGORIES:
        counts = pd.crosstab(held[name], kept)
        found[name] = (float(stats.chi2_contingency(counts, correction=False).pvalue),)
    adjusted = stats.false_discovery_control([measures[0] for measures in found.values()])
    return {name: (found[name][0], p, *found[name][1:]) for name, p in zip(found, adjusted.tolist(), strict=True)}


def measured(values: np.ndarray, kept: np.ndarray) -> tuple[float, ...]:
    """p-value, area with DeLong's interval from mid-ranks (Sun and Xu, 2014), and Spearman's correlation."""
    p_value = stats.mannwhitneyu(values[kept], values[~kept], method="asymptotic", use_continuity=False).pvalue
    ranks, m, n = stats.rankdata(values), int(kept.sum()), int((~kept).sum())
    below = (ranks[kept] - stats.rankdata(values[kept])) / n
    above = 1 - (ranks[~kept] - stats.rankdata(values[~kept])) / m
    area = below.mean()
    error = np.sqrt(below.var(ddof=1) / m + above.var(ddof=1) / n)
    half = stats.norm.ppf(0.975) * error / (area * (1 - area))
    low, high = special.expit(special.logit(area) + np.array([-half, half]))
    return float(p_value), float(area), float(low), float(high), float(stats.spearmanr(values, kept).statistic)


def difference(_: Any, mine: dict[str, tuple[float, ...]], other: dict[str, tuple[float, ...]]) -> float:
    return max(float(np.abs(np.subtract(mine[name], other[name])).max()) for name in other)


def job(engine: str, prepare: Any) -> Job:
    return Job(
        title=f"drivers.rank, {len(NAMES) + len(CATEGORIES)} indicators in {engine}",
        prepare=prepare,
        ours=ours,
        theirs=theirs,
        difference=difference,
        tolerance=1e-9,
        peer="scipy",
        sizes=SIZES,
    )


if __name__ == "__main__":
    main(
        job("pandas", lambda rows: clients(rows).to_pandas()),
        job("Polars", clients),
        job("DuckDB", lambda rows: in_duckdb(clients(rows), "clients")),
    )
