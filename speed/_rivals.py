"""Run a job of this library and the same by hand, in each engine, in turns, and print how they compare.

Answers are checked against each other first. Then all sides run one after the other, ``repeats`` times over, so that
what else the machine does falls on all of them alike, and the ratios are those of medians. Beside the time on the clock
stands that of the processors, added up over threads, which other programs disturb least.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Rival:
    """One engine: its data, and the job done by the library and by hand."""

    engine: str
    data: Any
    ours: Callable[[Any], Any]
    by_hand: Callable[[Any], Any]


def in_duckdb(frame: Any, name: str) -> Any:
    """A Polars frame as a table of a database in memory."""
    import duckdb

    connection = duckdb.connect()
    connection.register("rows_in", frame.to_arrow())
    connection.execute(f"create table {name} as select * from rows_in")
    return connection.table(name)


def compare(
    rivals: Sequence[Rival],
    same: Callable[[Any, Any], None],
    *,
    recipes: Mapping[str, Callable[[Any], Any]] | None = None,
    frame: Any = None,
    ours: Callable[[Any], Any] | None = None,
    repeats: int = 5,
) -> None:
    """Print, by engine, the library's time over that by hand and each pandas recipe's over the library's.

    ``recipes`` are usual ones by name, on the pandas ``frame``, on which ``ours`` runs too.
    """
    recipes = recipes or {}
    jobs = {(each.engine, "ours"): (each.ours, each.data) for each in rivals}
    jobs |= {(each.engine, "by hand"): (each.by_hand, each.data) for each in rivals}
    for each in rivals:
        same(each.ours(each.data), each.by_hand(each.data))
    for name, recipe in recipes.items():
        jobs["recipe", name] = (recipe, frame)
        if ours is not None:
            same(ours(frame), recipe(frame))
            jobs["pandas", "ours"] = (ours, frame)
    taken = _in_turns(jobs, repeats)
    for engine in dict.fromkeys(engine for engine, side in jobs if side == "ours"):
        print(f"{engine:>8}: {_words(engine, taken)}")
    print(f"median of {repeats} runs in turns, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


def _in_turns(jobs: Mapping[Any, tuple[Callable[[Any], Any], Any]], repeats: int) -> dict[Any, tuple[float, float]]:
    """Median seconds of each job, on the clock and of the processors."""
    taken: dict[Any, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, (job, data) in jobs.items():
            gc.collect()
            clock, processors = time.perf_counter(), time.process_time()
            job(data)
            taken[name].append((time.perf_counter() - clock, time.process_time() - processors))
    return {
        name: (median(clock for clock, _ in runs), median(used for _, used in runs)) for name, runs in taken.items()
    }


def _words(engine: str, taken: Mapping[Any, tuple[float, float]]) -> str:
    mine = taken[engine, "ours"]
    words = [f"ours {mine[0]:.3f} s (processors {mine[1]:.3f})"]
    if (engine, "by hand") in taken:
        other = taken[engine, "by hand"]
        ratio = f"ratio {mine[0] / other[0]:.2f} ({mine[1] / other[1]:.2f})"
        words.append(f"by hand {other[0]:.3f} s ({other[1]:.3f}), {ratio}")
    for name in (name for side, name in taken if side == "recipe"):
        other = taken["recipe", name]
        faster = f"{other[0] / mine[0]:.1f} ({other[1] / mine[1]:.1f}) times faster than it"
        words.append(f"{name} {other[0]:.3f} s ({other[1]:.3f}), {faster}")
    return ", ".join(words)
