"""The interval of a ratio of sums from every customer's two amounts, written out: what the library gets from sums."""

from __future__ import annotations

import numpy as np
from scipy import special, stats


def degrees_of_freedom(residual: np.ndarray) -> float:
    """Satterthwaite's, 2 V^2 / Var(V) of the sum V of the squared residuals, with their empirical variance."""
    squares = residual**2
    variance = squares.size * squares.var(ddof=1)
    return float(np.clip(2 * squares.sum() ** 2 / variance, 1, squares.size - 1)) if variance else squares.size - 1.0


def ratio_ends(x: np.ndarray, y: np.ndarray, *, logit: bool = False, level: float = 0.95) -> tuple[float, float]:
    """Student's interval on the log or logit scale; the square of leaving out a share h is e^2 (1 + 2 h + 3 h^2)."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    ratio, share = y.sum() / x.sum(), x / x.sum()
    residual = y - ratio * x
    error = np.sqrt((residual**2 * (1 + 2 * share + 3 * share**2)).sum()) / x.sum()
    reach = stats.t.ppf((1 + level) / 2, degrees_of_freedom(residual)) * error * np.array([-1.0, 1.0])
    if logit:
        low, high = special.expit(special.logit(ratio) + reach / (ratio * (1 - ratio)))
    else:
        low, high = ratio * np.exp(reach / ratio)
    return float(low), float(high)


def skewed_ends(x: np.ndarray, y: np.ndarray, *, level: float = 0.95) -> tuple[float, float]:
    """The same on the log scale, the upper end Hall's (1992) where further: his cubic of Student's t is solved.

    Student's t of the log is that of the residuals' mean, bent by a + b / 2: a from the error, b from the log.
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    low, high = ratio_ends(x, y, level=level)
    ratio, n = y.sum() / x.sum(), x.size
    residual = y - ratio * x
    skewness = stats.skew(residual) / np.sqrt(n)
    student = stats.t.ppf((1 + level) / 2, degrees_of_freedom(residual))
    error = np.log(high / ratio) / student
    bend = skewness - 3 * (residual * x).mean() / (residual.std() * x.mean()) / np.sqrt(n) - 1.5 * error
    return low, max(
        high, float(ratio * np.exp(-error * cubic_root(skewness, bend, stats.t.ppf((1 + level) / 2, n - 1))))
    )


def cubic_root(skewness: float, bend: float, student: float) -> float:
    """Where Hall's cubic is as far below 0 as Student's quantile is above, or where it turns if that is nearer."""
    roots = np.roots([bend**2 / 27, bend / 3, 1, skewness / 6 + student])
    (root,) = roots[np.abs(roots.imag) < 1e-6].real
    return float(max(root, -3 / bend) if bend > 0 else root)
