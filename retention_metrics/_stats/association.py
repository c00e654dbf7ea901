"""How strongly an indicator goes with an outcome, and how much each customer adds to that.

Every measure here comes with the influence of each customer, the derivative of the measure in the customer's weight:
the sum of their squares is the variance, and resampled weights times influence is the resampled measure [1]_.

References
----------
.. [1] Efron, B. and Tibshirani, R. J. (1993). *An Introduction to the Bootstrap*. Chapman and Hall, section 22.5.
.. [2] DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L. (1988). Comparing the areas under two or more correlated
   receiver operating characteristic curves. *Biometrics* 44, 837-845.
.. [3] Harrell, F. E., Califf, R. M., Pryor, D. B., Lee, K. L. and Rosati, R. A. (1982). Evaluating the yield of medical
   tests. *JAMA* 247, 2543-2546.
.. [4] Airola, A., Pahikkala, T., Waegeman, W., De Baets, B. and Salakoski, T. (2011). An experimental comparison of
   cross-validation techniques for estimating the area under the ROC curve. *Computational Statistics & Data Analysis*
   55, 1828-1844.
.. [5] Mantel, N. (1966). Evaluation of survival data and two new rank order statistics arising in its consideration.
   *Cancer Chemotherapy Reports* 50, 163-170.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

# More customers than these are not resampled one by one.
_MANY = 20_000
# The log-rank test takes the square of the number of categories.
_MOST_CATEGORIES = 500


def area(values: Floats, outcome: Flags) -> tuple[float, Floats]:
    """Probability that a customer with the outcome has the higher value, ties half, and the influences [2]_."""
    levels = np.unique(values, return_inverse=True)[1].reshape(-1)
    size = int(levels.max()) + 1
    true = np.bincount(levels[outcome], minlength=size).astype(np.float64)
    false = np.bincount(levels[~outcome], minlength=size).astype(np.float64)
    below = (np.cumsum(false) - false / 2)[levels] / false.sum()
    above = 1 - (np.cumsum(true) - true / 2)[levels] / true.sum()
    return _placed(np.where(outcome, below, above), outcome)


def level_area(levels: Integers, outcome: Flags) -> tuple[float, Floats]:
    """The same for categories, each ranked by its share with the outcome.

    Of every pair the two customers are left out of the shares that rank them, so that categories of pure chance have
    an area of one half, however many there are [4]_. Two customers of one category tie.
    """
    size = int(levels.max()) + 1
    true = np.bincount(levels[outcome], minlength=size).astype(np.float64)
    rows = np.bincount(levels, minlength=size).astype(np.float64)
    false, others = rows - true, np.maximum(rows - 1, 1.0)
    # Without anybody else in the category nothing is known of it: a tie.
    alone = rows == 1
    with_true, with_false = (np.where(alone, np.nan, part / others) for part in (true - 1, true))
    below = _beaten(with_true, with_false, false) / false.sum()
    above = _beaten(-with_false, -with_true, true) / true.sum()
    return _placed(np.where(outcome, below[levels], above[levels]), outcome)


def _beaten(rates: Floats, others: Floats, weights: Floats) -> Floats:
    """For each category, the weight of those with a lower rate; its own, equal and unknown rates count half."""
    known = np.flatnonzero(~np.isnan(others))
    order = known[np.argsort(others[known], kind="stable")]
    upto = np.concatenate([[0.0], np.cumsum(weights[order])])
    lower, equal = (upto[np.searchsorted(others[order], rates, side=side)] for side in ("left", "right"))
    won = (lower + equal) / 2 + (weights.sum() - upto[-1]) / 2
    own = np.where(others < rates, 1.0, np.where(others > rates, 0.0, 0.5))
    unsure = np.full(rates.size, float(weights.sum()) / 2)
    return np.where(np.isnan(rates), unsure, won + weights * (0.5 - own)).astype(np.float64)


def _placed(placements: Floats, outcome: Flags) -> tuple[float, Floats]:
    share = float(placements[outcome].mean())
    sizes = np.where(outcome, outcome.sum(), (~outcome).sum())
    return share, (placements - share) / sizes


def concordance(values: Floats, duration: Floats, churned: Flags) -> tuple[float, Floats]:
    """Harrell's C: probability that of two customers the one who stays longer has the higher value [3]_.

    A pair counts where the shorter time ended in churn; ties in value count half. Influences as above.
    """
    better, pairs = _concordant(values, duration, churned)
    return _ratio(better, pairs)


def level_concordance(levels: Integers, duration: Floats, churned: Flags) -> tuple[float, Floats]:
    """The same for categories, each ranked by its churn per unit of time without the customer at hand."""
    events, exposure = (np.bincount(levels, weights=part) for part in (churned.astype(np.float64), duration))
    left, time = events[levels] - churned, exposure[levels] - duration
    overall = float(churned.sum() / duration.sum()) if duration.sum() > 0 else 0.0
    rates = np.where(time > 0, left / np.where(time > 0, time, 1.0), overall)
    better, pairs = _concordant(-rates, duration, churned)
    ends = np.cumsum(np.bincount(levels))[:-1]
    for held in np.split(np.argsort(levels, kind="stable"), ends):
        within, all_within = _concordant(-rates[held], duration[held], churned[held])
        better[held] += all_within / 2 - within
    return _ratio(better, pairs)


def _ratio(better: Floats, pairs: Floats) -> tuple[float, Floats]:
    # Every pair is counted from both of its ends.
    total = float(pairs.sum()) / 2
    if total == 0:
        return math.nan, np.zeros(pairs.size)
    share = float(better.sum()) / 2 / total
    return share, (better - share * pairs) / total


def _concordant(values: Floats, duration: Floats, churned: Flags) -> tuple[Floats, Floats]:
    """For each customer, the concordant pairs that it is in, ties half, and the pairs that count."""
    # At one time churn comes before censoring: who is censored then has outlived who churned.
    moments = np.stack([duration, (~churned).astype(np.float64)])
    order = np.unique(moments, axis=1, return_inverse=True)[1].reshape(-1)
    later, below, tied = _after(order, values, of=churned, among=np.ones(churned.size, dtype=bool))
    better, pairs = later - below - tied / 2, later
    earlier, below, tied = _after(order.max() - order, values, of=np.ones(churned.size, dtype=bool), among=churned)
    return better + below + tied / 2, pairs + earlier


def _after(order: Integers, values: Floats, *, of: Flags, among: Flags) -> tuple[Floats, Floats, Floats]:
    """For each row of ``of``, the rows of ``among`` with a greater order: all, those of lower value, those of equal.

    One order is greater than another where at the highest bit in which they differ it has the one: bit by bit, the rows
    with a one are counted for those with a zero and the same bits above.
    """
    levels = np.unique(values, return_inverse=True)[1].reshape(-1).astype(np.int64)
    width = int(levels.max()) + 2 if levels.size else 1
    counted = np.zeros((3, order.size))
    for bit in range(int(order.max()).bit_length() if order.size else 0):
        block, one = order >> (bit + 1), (order >> bit) & 1 == 1
        keys = np.sort((block * width + levels)[among & one])
        rows = np.flatnonzero(of & ~one)
        place = block[rows] * width
        first, last = np.searchsorted(keys, place), np.searchsorted(keys, place + width - 1)
        low = np.searchsorted(keys, place + levels[rows])
        high = np.searchsorted(keys, place + levels[rows], side="right")
        counted[:, rows] += np.stack([last - first, low - first, high - low])
    return counted[0], counted[1], counted[2]


def rank_sum_p_value(values: Floats, outcome: Flags, share: float) -> float | None:
    """Two-sided p-value of the Wilcoxon-Mann-Whitney test, normal with ties; None where all values are one."""
    n, m = values.size, int(outcome.sum())
    ties = np.unique(values, return_counts=True)[1].astype(np.float64)
    variance = (n + 1 - float((ties**3 - ties).sum()) / (n * (n - 1))) / (12 * m * (n - m))
    return math.erfc(abs(share - 0.5) / math.sqrt(2 * variance)) if variance > 1e-15 else None


def independence_p_value(levels: Integers, outcome: Flags) -> float | None:
    """p-value of Pearson's chi-squared test of categories against the outcome; None with a single category."""
    table = np.stack([np.bincount(levels[flag], minlength=int(levels.max()) + 1) for flag in (outcome, ~outcome)])
    table = table[:, table.sum(axis=0) > 0].astype(np.float64)
    if table.shape[1] < 2:
        return None
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(special.chdtrc(table.shape[1] - 1, float(((table - expected) ** 2 / expected).sum())))


def log_rank_p_value(levels: Integers, duration: Floats, churned: Flags) -> float | None:
    """p-value of the log-rank test between categories [5]_; None where it cannot be made, or of very many."""
    size = int(levels.max()) + 1
    if size > _MOST_CATEGORIES:
        return None
    times, at = np.unique(duration, return_inverse=True)
    shape = (times.size, size)
    events = np.zeros(shape)
    rows = np.zeros(shape)
    np.add.at(rows, (at.reshape(-1), levels), 1.0)
    np.add.at(events, (at.reshape(-1), levels), churned.astype(np.float64))
    risk = np.cumsum(rows[::-1], axis=0)[::-1]
    n, d = risk.sum(axis=1), events.sum(axis=1)
    held = (d > 0) & (n > 1)
    risk, events, n, d = risk[held], events[held], n[held], d[held]
    gap = events.sum(axis=0) - (risk * (d / n)[:, None]).sum(axis=0)
    factor = d * (n - d) / (n - 1)
    part = risk / n[:, None]
    spread = np.diag((part * factor[:, None]).sum(axis=0)) - (part * factor[:, None]).T @ part
    rank = int(np.linalg.matrix_rank(spread)) if held.any() else 0
    if rank == 0:
        return None
    return float(special.chdtrc(rank, float(gap @ np.linalg.pinv(spread) @ gap)))


def spearman(values: Floats, outcome: Floats) -> float | None:
    """Spearman's rank correlation, ties at their mean rank; None where one of the two is constant."""
    a, b = _mid_ranks(values), _mid_ranks(outcome)
    a, b = a - a.mean(), b - b.mean()
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return max(-1.0, min(1.0, float(a @ b) / scale)) if scale > 0 else None


def _mid_ranks(values: Floats) -> Floats:
    levels, counts = np.unique(values, return_inverse=True, return_counts=True)[1:]
    return (np.cumsum(counts) - (counts - 1) / 2)[levels.reshape(-1)]


def resampled(measures: Floats, influences: Floats, *, draws: int, rng: np.random.Generator, block: int = 64) -> Floats:
    """Measures under bootstrap resamples of the customers, to first order: shape (draws, measures).

    Of very many customers the sums are drawn from their normal limit, which has the same covariance.
    """
    n = influences.shape[0]
    if n > _MANY:
        around = influences - influences.mean(axis=0)
        return rng.multivariate_normal(measures, around.T @ around, size=draws, method="eigh")
    share = np.full(n, 1.0 / n)
    parts = [
        (rng.multinomial(n, share, size=min(block, draws - done)) - 1.0) @ influences for done in range(0, draws, block)
    ]
    return measures + np.concatenate(parts)
