"""Run a job of this library and of another, by default lifetimes, in one process, and print how they compare.

A script declares a ``Job``, or several, and calls ``main``. For each size the answers are checked against each other
first; then each side runs ``REPEATS`` times and its best time counts. Memory is the most that a run holds beyond its
input, traced in runs of their own, for tracing slows a program down.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from retention_metrics import clv

REPEATS = 3
SIZES = (10_000, 100_000, 1_000_000)
PURCHASES = clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)  # CDNOW, in weeks
SPEND = clv.GammaGamma(p=6.25, q=3.74, v=15.44)


@dataclass(frozen=True)
class Job:
    """One job, done by both."""

    title: str
    prepare: Callable[[int], Any]
    ours: Callable[[Any], Any]
    theirs: Callable[[Any], Any]
    difference: Callable[[Any, Any, Any], float]
    tolerance: float
    target: float | None = None
    peer: str = "lifetimes"
    sizes: tuple[int, ...] = SIZES


def simulated_customers(customers: int) -> pd.DataFrame:
    """Customers like CDNOW's, acquired over twelve weeks and watched for 27 to 39, on a grid of days."""
    rng = np.random.default_rng(2005)
    ages = rng.integers(27 * 7, 39 * 7 + 1, customers) / 7
    drawn = PURCHASES.simulate(ages, rng=rng)
    frame = drawn[["frequency", "recency", "T"]].copy()
    days = np.ceil(frame["recency"].to_numpy() * 7)
    frame["recency"] = np.minimum(days / 7, ages)
    frame["monetary_value"] = SPEND.simulate(frame["frequency"].to_numpy(), rng=rng)
    return frame.fillna({"monetary_value": 0.0})


def main(*jobs: Job) -> None:
    """Compare at every size that the command line asks for, by default at each job's own."""
    parser = argparse.ArgumentParser(description="; ".join(job.title for job in jobs))
    parser.add_argument("--customers", type=int, nargs="+")
    sizes = parser.parse_args().customers
    # lifetimes and autograd warn about NumPy's and pandas' future; that is not what is measured here.
    warnings.simplefilter("ignore")
    for job in jobs:
        _show(job, sizes or job.sizes)


def _show(job: Job, sizes: Sequence[int]) -> None:
    print(job.title)
    theirs = [f"{job.peer} {unit}" for unit in ("s", "MB")]
    print(f"{'customers':>10} {'ours s':>9} {theirs[0]:>12} {'ratio':>7} {'ours MB':>8} {theirs[1]:>13}")
    for size in sizes:
        _compare(job, size)
    if job.target is not None:
        print(f"to reach at {job.sizes[-1]:,}: {job.target:g} times")


def _compare(job: Job, size: int) -> None:
    data = job.prepare(size)
    difference = job.difference(data, job.ours(data), job.theirs(data))
    if not difference <= job.tolerance:
        raise SystemExit(f"the answers differ by {difference:.3g} at {size:,} customers, more than {job.tolerance:g}")
    seconds = [_best(side, data) for side in (job.ours, job.theirs)]
    memory = [_peak(side, data) for side in (job.ours, job.theirs)]
    print(
        f"{size:>10,} {seconds[0]:>9.3f} {seconds[1]:>12.3f} {seconds[1] / seconds[0]:>7.1f} "
        f"{memory[0]:>8.0f} {memory[1]:>13.0f}   largest difference {difference:.1e}"
    )


def _best(side: Callable[[Any], Any], data: Any) -> float:
    taken = []
    for _ in range(REPEATS):
        gc.collect()
        start = time.perf_counter()
        side(data)
        taken.append(time.perf_counter() - start)
    return min(taken)


def _peak(side: Callable[[Any], Any], data: Any) -> float:
    gc.collect()
    tracemalloc.start()
    try:
        side(data)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
