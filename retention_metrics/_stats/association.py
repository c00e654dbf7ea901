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
.. [6] Grossi, R., Gupta, A. and Vitter, J. S. (2003). High-order entropy-compressed text indexes. *Proceedings of the
   14th ACM-SIAM Symposium on Discrete Algorithms*, 841-850.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

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
    order, levels = _dense(2 * _dense(duration) + ~churned), _dense(values)
    # Customers alike in all are counted together; none of them is in a pair with another.
    width = int(levels.max()) + 1 if levels.size else 1
    held, first, which, counts = np.unique(
        order * width + levels, return_index=True, return_inverse=True, return_counts=True
    )
    counted = _by_time if order.max(initial=0) <= width else _by_level
    better, pairs = counted(held // width, held % width, churned[first], counts.astype(np.int64))
    return better[which.reshape(-1)], pairs[which.reshape(-1)]


def _dense(values: NDArray[np.generic]) -> Integers:
    return np.asarray(np.unique(values, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def _by_time(order: Integers, levels: Integers, churned: Flags, counts: Integers) -> tuple[Floats, Floats]:
    """Concordant and all pairs of one customer of each row, split by the order of their times."""
    better, pairs = np.zeros(order.size), np.zeros(order.size)
    for rows, later, (first, tied, above, end) in _splits(order, levels):
        ended, many = churned[rows], counts[rows]
        longer, left = _upto(later * many), _upto((~later & ended) * many)
        ahead = longer[end] - (longer[above] + longer[tied]) / 2
        behind = (left[above] + left[tied]) / 2 - left[first]
        better[rows] += np.where(later, behind, ended * ahead)
        pairs[rows] += np.where(later, left[end] - left[first], ended * (longer[end] - longer[first]))
    return better, pairs


def _by_level(order: Integers, levels: Integers, churned: Flags, counts: Integers) -> tuple[Floats, Floats]:
    """The same, split by their values, and those that tie in value apart: faster where these are few."""
    better, pairs = np.zeros(order.size), np.zeros(order.size)
    for rows, higher, (first, tied, above, end) in _splits(levels, order):
        ended, many = churned[rows], counts[rows]
        left, stayed = [], []
        for other in (higher, ~higher):
            gone, every = _upto((other & ended) * many), _upto(other * many)
            left.append(gone[tied] - gone[first])
            stayed.append(ended * (every[end] - every[above]))
        better[rows] += np.where(higher, left[1], stayed[0])
        pairs[rows] += np.where(higher, left[1] + stayed[1], left[0] + stayed[0])
    rows = np.lexsort([order, levels])
    (first, end), (tied, above) = _runs(levels[rows]), _runs(levels[rows] * (int(order.max()) + 1) + order[rows])
    ended = churned[rows]
    gone, every = _upto(ended * counts[rows]), _upto(counts[rows])
    same = gone[tied] - gone[first] + ended * (every[end] - every[above])
    better[rows] += same / 2
    pairs[rows] += same
    return better, pairs


def _splits(keys: Integers, places: Integers) -> Iterator[tuple[Integers, Flags, tuple[Integers, ...]]]:
    """Every two rows of different keys, once: at the highest bit in which the keys differ (a wavelet tree [6]_).

    Per bit, rows in blocks of the same bits above, inside a block in the order of their places; whether the bit is
    one; and for each, the ends ``first <= tied < above <= end`` of its block and, inside it, of the rows in its place.
    """
    rows, width = np.argsort(places, kind="stable"), int(places.max()) + 1
    for bit in reversed(range(int(keys.max()).bit_length())):
        held = keys[rows]
        first, end = _runs(held >> (bit + 1))
        tied, above = _runs((held >> (bit + 1)) * width + places[rows])
        one = (held >> bit) & 1 == 1
        yield rows, one, (first, tied, above, end)
        zeros = _upto((~one).astype(np.int64))
        before = zeros[:-1] - zeros[first]
        target = first + np.where(one, zeros[end] - zeros[first] + np.arange(rows.size) - first - before, before)
        moved = np.empty_like(rows)
        moved[target] = rows
        rows = moved


def _runs(keys: Integers) -> tuple[Integers, Integers]:
    """For each row, the start and the end of the run of equal keys that it is in."""
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    lengths = np.diff(starts, append=keys.size)
    return np.repeat(starts, lengths), np.repeat(starts + lengths, lengths)


def _upto(counts: Integers) -> Integers:
    """Sums of the counts before each row, and of all."""
    return np.concatenate([[0], np.cumsum(counts)])


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
    parts = []
    for done in range(0, draws, block):
        size = min(block, draws - done)
        rows = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        parts.append((np.bincount(rows.ravel(), minlength=size * n).reshape(size, n) - 1.0) @ influences)
    return measures + np.concatenate(parts)
