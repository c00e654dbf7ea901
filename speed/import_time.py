"""How long `import retention_metrics` takes, beside the packages that it leaves for later.

Each import runs in fresh processes; the bare interpreter's own start is taken off. Run: python speed/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

STATEMENTS = (
    "import retention_metrics",
    "from retention_metrics import errors",
    "import retention_metrics as rm; rm.retention.rate(start=100, end=90)",
    "import numpy",
    "import narwhals",
    "import pandas",
    "import lifetimes",
)
RUNS = 7


def seconds(statement: str) -> float:
    """The median over fresh processes, after one that warms the disk's cache."""
    command = [sys.executable, "-W", "ignore", "-c", statement]
    taken = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


def main() -> None:
    bare = seconds("pass")
    print(f"the interpreter alone {1000 * bare:6.0f} ms (median of {RUNS} fresh processes); beyond that:")
    for statement in STATEMENTS:
        print(f"{1000 * (seconds(statement) - bare):6.0f} ms  {statement}")


if __name__ == "__main__":
    main()
