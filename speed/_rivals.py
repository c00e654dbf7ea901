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
    recipe: Callable[[Any], Any] | None = None,
    frame: Any = None,
    ours: Callable[[Any], Any] | None = None,
    repeats: int = 5,
) -> None:
    """Print, by engine, the library's time over that by hand and the pandas recipe's over the library's.

    ``recipe`` is the usual one on the pandas ``frame``, on which ``ours`` runs too.
    """
    jobs = {(each.engine, "ours"): (each.ours, each.data) for each in rivals}
    jobs |= {(each.engine, "by hand"): (each.by_hand, each.data) for each in rivals}
    for each in rivals:
        same(each.ours(each.data), each.by_hand(each.data))
    if recipe is not None and ours is not None:
        same(ours(frame), recipe(frame))
        jobs |= {("pandas", "ours"): (ours, frame), ("pandas", "recipe"): (recipe, frame)}
    taken = _in_turns(jobs, repeats)
    for engine in dict.fromkeys(engine for engine, _ in jobs):
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
    for name, key in (("by hand", (engine, "by hand")), ("pandas recipe", ("pandas", "recipe"))):
        if key in taken:
            other = taken[key]
            words.append(f"{name} {other[0]:.3f} s ({other[1]:.3f})")
            if name == "by hand":
                words.append(f"ratio {mine[0] / other[0]:.2f} ({mine[1] / other[1]:.2f})")
            else:
                words.append(f"{other[0] / mine[0]:.1f} ({other[1] / mine[1]:.1f}) times faster than it")
    return ", ".join(words)
