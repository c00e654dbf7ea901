"""Three contract terms over 120 months, with 10,000 draws of their churns. Run: python speed/contracts_compare.py"""

from __future__ import annotations

import argparse
import gc
import time

from retention_metrics import churn
from retention_metrics.contracts import Term, TermComparison, compare

REPEATS = 5
TARGET = 0.3
TERMS = (
    Term("month to month", 1, fee_rate=0.10, monthly_churn=churn.rate(start=400, lost=32)),
    Term("six months", 6, fee_rate=0.08, monthly_churn=churn.rate(start=300, lost=12)),
    Term("twelve months", 12, fee_rate=0.06, monthly_churn=churn.rate(start=250, lost=10)),
)


def job(draws: int) -> TermComparison:
    return compare(TERMS, monthly_spend=30_000, horizon_months=120, monthly_discount_rate=0.01, draws=draws, rng=2019)


def seconds(draws: int) -> float:
    taken = []
    for _ in range(REPEATS):
        gc.collect()
        start = time.perf_counter()
        job(draws)
        taken.append(time.perf_counter() - start)
    return min(taken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    print("three terms over 120 months, with intervals")
    print(f"{'draws':>10} {'seconds':>9}")
    for draws in parser.parse_args().draws:
        print(f"{draws:>10,} {seconds(draws):>9.4f}")
    print(f"to stay under at 10,000: {TARGET:g} s")
