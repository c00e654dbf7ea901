"""BG/NBD fits of a million and of ten million customers: time and memory. Run: python speed/clv_scale.py"""

from __future__ import annotations

import gc
import time
import tracemalloc

import pandas as pd
from _compare import REPEATS, simulated_customers

from retention_metrics import clv

COLUMNS = ["frequency", "recency", "T"]


def seconds(frame: pd.DataFrame) -> float:
    taken = []
    for _ in range(REPEATS):
        gc.collect()
        start = time.perf_counter()
        clv.BGNBD.fit(frame)
        taken.append(time.perf_counter() - start)
    return min(taken)


def memory(frame: pd.DataFrame) -> float:
    """The most that a fit holds beyond its three input columns, as a share of theirs."""
    gc.collect()
    tracemalloc.start()
    clv.BGNBD.fit(frame)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return float(peak / frame[COLUMNS].memory_usage(index=False).sum())


if __name__ == "__main__":
    measured = {}
    print(f"{'customers':>11} {'seconds':>8} {'memory beyond the input, in inputs':>35}")
    for size in (1_000_000, 10_000_000):
        customers = simulated_customers(size)[COLUMNS]
        measured[size] = seconds(customers)
        print(f"{size:>11,} {measured[size]:>8.3f} {memory(customers):>35.2f}")
    print(
        f"ten million take {measured[10_000_000] / measured[1_000_000]:.1f} times as long; to reach: 15, and 0.5 inputs"
    )
