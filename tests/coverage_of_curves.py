"""Coverage of the intervals of retention curves by simulation. Run: python tests/coverage_of_curves.py

Writes tests/reference/kaplan_meier_coverage.toml: the share of samples whose 95 % interval holds the truth. Lifetimes
are Weibull and each customer is watched for a uniform time, so that a third to a half are censored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy import integrate

from places import REFERENCE
from retention_metrics import survival

SAMPLES = 4000
SIZES = (10, 25, 50, 200)
SHAPES = (0.7, 1.0, 1.5)
SCALE, WATCHED, AT, HORIZON = 12.0, 36.0, (1.0, 6.0, 18.0), 12.0
METHODS: tuple[survival.curves.SurvivalMethod, ...] = ("log-log", "log", "greenwood")


def truth(t: float, shape: float) -> float:
    return math.exp(-((t / SCALE) ** shape))


def sample(customers: int, shape: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    lifetime, watched = SCALE * rng.weibull(shape, customers), rng.uniform(0, WATCHED, customers)
    # One customer is watched to the end, so that every time asked for is observed.
    watched[0] = WATCHED
    return np.minimum(lifetime, watched), lifetime <= watched


def coverage(customers: int, shape: float, *, samples: int, seed: int = 1926) -> Mapping[str, float]:
    """The share of samples whose interval holds the truth, by what is estimated and how."""
    rng = np.random.default_rng(seed)
    mean = integrate.quad(truth, 0, HORIZON, args=(shape,))[0]
    median = SCALE * math.log(2) ** (1 / shape)
    held: dict[str, list[bool]] = {}
    for _ in range(samples):
        durations, churned = sample(customers, shape, rng)
        for method in METHODS:
            curve = survival.kaplan_meier(durations, churned, method=method)
            for t in AT:
                if t <= curve.time[-1] or curve.share[-1] == 0:
                    held.setdefault(f"S({t:g}) {method}", []).append(truth(t, shape) in curve.at(t).interval)
            held.setdefault(f"median {method}", []).append(median in curve.median.interval)
        if curve.time[-1] >= HORIZON or curve.share[-1] == 0:
            held.setdefault("mean", []).append(mean in curve.mean(HORIZON).interval)
    return {name: float(np.mean(covered)) for name, covered in held.items()}


def main() -> None:
    lines = [
        f'source = "Simulated by tests/coverage_of_curves.py: Weibull lifetimes of scale {SCALE:g}, watched for '
        f'uniform times up to {WATCHED:g}, by number of customers and shape"',
        f"samples = {SAMPLES}",
        "",
    ]
    for shape in SHAPES:
        for customers in SIZES:
            lines.append(f'[coverage."{customers} {shape:g}"]')
            found = coverage(customers, shape, samples=SAMPLES)
            lines += [f'"{name}" = {share:.4f}' for name, share in sorted(found.items())]
            lines.append("")
    (REFERENCE / "kaplan_meier_coverage.toml").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
