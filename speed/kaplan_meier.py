"""Retention curves beside lifelines. Run: python speed/kaplan_meier.py --customers 10000000

Whole months have few distinct times and are counted; times that hardly ever repeat are sorted, and the curve has a
step for each. lifelines is no dependency and asks for an older pandas: install both in an environment of their own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _compare import Job, main

from retention_metrics import survival


def continuous(customers: int) -> tuple[np.ndarray, np.ndarray]:
    """Exponential lifetimes, each watched for up to five years."""
    rng = np.random.default_rng(1958)
    lifetime, watched = rng.exponential(24, customers), rng.uniform(0, 60, customers)
    return np.minimum(lifetime, watched), lifetime <= watched


def whole_months(customers: int) -> tuple[np.ndarray, np.ndarray]:
    durations, churned = continuous(customers)
    return np.ceil(durations), churned


def ours(data: tuple[np.ndarray, np.ndarray]) -> survival.SurvivalCurve:
    return survival.kaplan_meier(*data)


def theirs(data: tuple[np.ndarray, np.ndarray]) -> Any:
    from lifelines import KaplanMeierFitter

    return KaplanMeierFitter().fit(*data)


def difference(_: object, curve: survival.SurvivalCurve, fitter: Any) -> float:
    """Largest difference of a share, or of a limit where both estimate one."""
    shares = fitter.survival_function_.iloc[1:, 0].to_numpy()
    low, high = fitter.confidence_interval_.iloc[1:].to_numpy().T
    inside = (curve.share > 0) & (curve.share < 1)
    gaps = [curve.share - shares, (curve.low - low)[inside], (curve.high - high)[inside]]
    return float(max(np.abs(gap).max(initial=0.0) for gap in gaps))


if __name__ == "__main__":
    try:
        import lifelines  # noqa: F401
    except ImportError:
        print("lifelines is not installed here: there is nothing to compare with.")
    else:
        shared = {"target": 10, "peer": "lifelines", "sizes": (100_000, 1_000_000, 10_000_000)}
        main(Job("retention curve, whole months", whole_months, ours, theirs, difference, 1e-9, **shared))
        main(Job("retention curve, continuous times", continuous, ours, theirs, difference, 1e-9, **shared))
