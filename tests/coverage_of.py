"""Exact coverage of intervals by enumeration."""

from __future__ import annotations

from collections.abc import Callable

from scipy import stats


def binomial_coverage(n: int, truth: float, covers: Callable[[int], bool]) -> float:
    """Probability that the interval computed from a binomial count covers the truth."""
    mass = stats.binom.pmf(range(n + 1), n, truth)
    return float(sum(weight for count, weight in enumerate(mass) if covers(count)))
