"""The product-limit estimator: risk sets, survival with its limits, restricted means and the log-rank statistic."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]
SurvivalMethod = Literal["log-log", "log", "greenwood"]

SURVIVAL_METHODS: tuple[SurvivalMethod, ...] = ("log-log", "log", "greenwood")

# Whole times below this are counted; other times are sorted.
_MOST_COUNTERS = 65_536
# Rows that are worked on at a time: their arrays stay in the processor's cache.
_BLOCK = 16_384


class RiskTable(NamedTuple):
    """Distinct times, rising, with who is at risk just before each and who leaves or is last seen at it.

    Customers who come in later have a row at the time at which they do, so that the number at risk is constant
    between rows.
    """

    time: Floats
    at_risk: Floats
    churned: Floats
    censored: Floats


def risk_table(
    duration: Floats, churned: Booleans, *, entry: Floats | None = None, counts: Floats | None = None
) -> RiskTable:
    """Risk sets of customers watched from after ``entry`` (0: from the start) to ``duration``, both included."""
    time, lost, left = _exits(duration, churned, counts)
    late = None if entry is None else entry > 0
    if entry is None or late is None or not late.any():
        at_risk = np.cumsum(left)
        at_risk -= left
        np.subtract(left.sum(), at_risk, out=at_risk)
        return RiskTable(time, at_risk, lost, left - lost)
    some = None if counts is None else counts[late]
    came, _, joined = _exits(entry[late], np.zeros(int(late.sum()), dtype=np.bool_), some)
    grid = np.union1d(time, came)
    lost, left, joined = _on(grid, time, lost), _on(grid, time, left), _on(grid, came, joined)
    from_start = left.sum() - joined.sum()
    return RiskTable(grid, from_start + _before(joined) - _before(left), lost, left - lost)


def _exits(times: Floats, marked: Booleans, counts: Floats | None) -> tuple[Floats, Floats, Floats]:
    """Distinct times with the marked and with all customers at each."""
    if counts is not None:
        distinct, where = np.unique(times, return_inverse=True)
        lost, left = (np.bincount(where, weights=own).astype(np.float64) for own in (counts * marked, counts))
        return distinct + 0.0, lost, left
    top = times.max(initial=0.0)
    counted = _counted(times, marked, int(top)) if top < _MOST_COUNTERS else None
    return _sorted(times, marked) if counted is None else counted


def _counted(times: Floats, marked: Booleans, top: int) -> tuple[Floats, Floats, Floats] | None:
    """The exits at whole times up to ``top``; None where a time is not whole."""
    # Codes of a byte are counted two at a time, where there are enough of them.
    paired = top < 128 and times.size > _MOST_COUNTERS
    odd: NDArray[Any] = np.zeros(0, dtype=np.uint8)
    counts = np.zeros(65_536 if paired else 2 * top + 2, dtype=np.int64)
    for block in _blocks(times.size, max(_BLOCK, 2 * counts.size)):
        if not np.array_equal(np.rint(times[block]), times[block]):
            return None
        codes: NDArray[Any] = times[block].astype(np.uint8 if paired else np.int64)
        codes += codes
        codes += marked[block]
        if paired and codes.size % 2:
            odd, codes = codes[-1:], codes[:-1]
        counts += np.bincount(codes.view(np.uint16) if paired else codes, minlength=counts.size)
    if paired:
        byte = counts.reshape(256, 256)
        counts = byte.sum(axis=0) + byte.sum(axis=1) + np.bincount(odd, minlength=256)
    pairs = counts.reshape(-1, 2)
    seen = np.flatnonzero(pairs.any(axis=1))
    return seen.astype(np.float64), pairs[seen, 1].astype(np.float64), pairs[seen].sum(axis=1).astype(np.float64)


def _sorted(times: Floats, marked: Booleans) -> tuple[Floats, Floats, Floats]:
    """The exits at any times.

    The bits of floats of at least 0 are ordered as the floats are and leave the sign free: with the mark shifted in
    from below, one sort of integers orders the times and keeps each mark with its time.
    """
    keys = (times + 0.0).view(np.uint64)
    keys <<= np.uint64(1)
    keys |= marked
    keys.sort()
    lost = np.empty(keys.size)
    for block in _blocks(keys.size, _BLOCK):
        lost[block] = keys[block] & np.uint64(1)
    keys >>= np.uint64(1)
    apart = keys[1:] != keys[:-1]
    if apart.all():
        return keys.view(np.float64), lost, np.ones(keys.size)
    first = np.concatenate([[0], np.flatnonzero(apart) + 1])
    left = np.diff(first, append=keys.size).astype(np.float64)
    return keys[first].view(np.float64), np.add.reduceat(lost, first), left


def _blocks(rows: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, rows, size))


def _before(counts: Floats) -> Floats:
    """Sums over the earlier entries."""
    return np.cumsum(counts) - counts


def _on(grid: Floats, time: Floats, counts: Floats) -> Floats:
    spread = np.zeros(grid.size)
    spread[np.searchsorted(grid, time)] = counts
    return spread


def survival(table: RiskTable) -> tuple[Floats, Floats]:
    """Share still there after each time, and Greenwood's sum of d / (n (n - d)); infinite once nobody is left.

    Kaplan and Meier (1958): S(t) is the product of 1 - d/n over the times up to t. Greenwood (1926): the variance of
    S(t) is S(t)^2 times the sum.
    """
    share, greenwood = np.empty(table.time.size), np.empty(table.time.size)
    still, spread = 1.0, 0.0
    for block in _blocks(share.size, _BLOCK):
        # Where nobody is at risk nobody leaves, and the curve stays.
        risk, lost = np.maximum(table.at_risk[block], 1.0), table.churned[block]
        share[block] = still * np.cumprod(1 - lost / risk)
        with np.errstate(divide="ignore"):
            greenwood[block] = spread + np.cumsum(lost / (risk * (risk - lost)))
        still, spread = float(share[block][-1]), float(greenwood[block][-1])
    return share, greenwood


def survival_limits(
    table: RiskTable, share: Floats, greenwood: Floats, *, z: float, tail: float, method: SurvivalMethod
) -> tuple[Floats, Floats]:
    """Pointwise limits of S after each time, inside [0, 1]; ``tail`` is the probability left on each side.

    ``"log-log"`` keeps its limits on the scale of log(-log S) (Kalbfleisch and Prentice 1980), ``"log"`` on that of
    log S, ``"greenwood"`` on that of S. No variance is estimated where nobody, or everybody, has left. Before the
    first loss the limits are the exact binomial ones for the smallest number at risk up to the step's end; once nobody
    is left the upper limit stays where it was, or is the exact one of the last risk set where that is lower.
    """
    low, high = np.empty_like(share), np.empty_like(share)
    # The curve never rises: it is 1, then between, then 0.
    first, end = int(np.count_nonzero(share == 1)), int(np.count_nonzero(share))
    for block in _blocks(end - first, _BLOCK):
        rows = slice(first + block.start, min(first + block.stop, end))
        low[rows], high[rows] = _LIMITS[method](share[rows], z * np.sqrt(greenwood[rows]))
    low[:first], high[:first] = all_stayed(_watched_through(table.at_risk, first), tail), 1.0
    if end < share.size:
        before = high[end - 1] if end else 1.0
        low[end:], high[end:] = 0.0, min(before, 1 - float(all_stayed(table.at_risk[end], tail)))
    return low, high


def _log_log(share: Floats, half: Floats) -> tuple[Floats, Floats]:
    logs = np.log(share)
    spread = np.exp(half / -logs)
    return np.exp(logs * spread), np.exp(logs / spread)


def _log(share: Floats, half: Floats) -> tuple[Floats, Floats]:
    return share * np.exp(-half), np.minimum(share * np.exp(half), 1.0)


def _linear(share: Floats, half: Floats) -> tuple[Floats, Floats]:
    return np.maximum(share - share * half, 0.0), np.minimum(share + share * half, 1.0)


_LIMITS: Mapping[SurvivalMethod, Callable[[Floats, Floats], tuple[Floats, Floats]]] = MappingProxyType(
    {"log-log": _log_log, "log": _log, "greenwood": _linear}
)


def _watched_through(at_risk: Floats, steps: int) -> Floats:
    """The fewest at risk from the start up to the time that ends each of the first steps of the curve."""
    following = at_risk[np.minimum(np.arange(steps) + 1, at_risk.size - 1)]
    return np.minimum.accumulate(np.minimum(at_risk[:steps], following))


def all_stayed(customers: Floats | float, tail: float) -> Floats:
    """Exact lower limit of a share where all of ``customers`` stayed: tail^(1/n) (Clopper and Pearson 1934)."""
    n = np.asarray(customers, dtype=np.float64)
    return np.where(n > 0, tail ** (1 / np.maximum(n, 1.0)), 0.0)


def area(time: Floats, share: Floats, to: Floats) -> Floats:
    """Integral of the curve from 0 to each entry of ``to``; the curve is 1 before the first time."""
    knots, height = np.concatenate([[0.0], time]), np.concatenate([[1.0], share])
    sums = np.concatenate([[0.0], np.cumsum(height[:-1] * np.diff(knots))])
    piece = np.searchsorted(knots, to, side="right") - 1
    return np.asarray(sums[piece] + height[piece] * (to - knots[piece]), dtype=np.float64)


def restricted_mean_variance(table: RiskTable, share: Floats, horizon: float) -> float:
    """Greenwood-type variance of the restricted mean: the sum of A(t)^2 d / (n (n - d)), A the area from t to h.

    Where the last at risk all leave, A is 0 and so is the term (Klein and Moeschberger 2003, section 4.5).
    """
    ends = np.append(np.minimum(table.time, horizon), horizon)
    areas = area(table.time, share, ends)
    beyond = areas[-1] - areas[:-1]
    stay = table.at_risk - table.churned
    counted = (table.churned > 0) & (stay > 0) & (table.time <= horizon)
    n, d, a = table.at_risk[counted], table.churned[counted], beyond[counted]
    return float(np.sum(a**2 * d / (n * stay[counted])))


def person_time(table: RiskTable, to: Floats) -> Floats:
    """Time watched from 0 up to each entry of ``to``, over all customers."""
    knots = np.concatenate([[0.0], table.time])
    watched = np.concatenate([[0.0], np.cumsum(table.at_risk * np.diff(knots))])
    return np.asarray(np.interp(to, knots, watched), dtype=np.float64)


class RiskSets(NamedTuple):
    """Times of loss, and at each the customers of every group at risk and lost, both of shape (groups, times)."""

    time: Floats
    at_risk: Floats
    lost: Floats


def risk_sets(tables: Sequence[RiskTable]) -> RiskSets:
    """The groups beside one another at the times at which any of them loses a customer."""
    times = np.unique(np.concatenate([table.time[table.churned > 0] for table in tables]))
    at_risk = np.stack([_at_risk(table, times) for table in tables])
    lost = np.stack([_on(times, table.time[table.churned > 0], table.churned[table.churned > 0]) for table in tables])
    return RiskSets(times, at_risk, lost)


class LogRankSums(NamedTuple):
    """Losses by group, their expectation where the groups do not differ, and the covariance of the difference."""

    observed: Floats
    expected: Floats
    covariance: NDArray[np.float64]


def log_rank_sums(tables: Sequence[RiskTable]) -> LogRankSums:
    """Sums over the times of loss for two or more groups (Mantel 1966; Peto and Peto 1972).

    At each time the losses of the groups are hypergeometric given the numbers at risk: with n at risk and d lost,
    group j expects d n_j / n, and the covariance is d (n - d) / (n - 1) times (n_j/n) (delta_jk - n_k/n).
    """
    _, at_risk, lost = risk_sets(tables)
    n, d = at_risk.sum(axis=0), lost.sum(axis=0)
    shares = at_risk / n
    scale = d * (n - d) / np.maximum(n - 1, 1.0)
    covariance = np.diag((shares * scale).sum(axis=1)) - (shares * scale) @ shares.T
    return LogRankSums(lost.sum(axis=1), (shares * d).sum(axis=1), covariance)


def _at_risk(table: RiskTable, times: Floats) -> Floats:
    """Numbers at risk just before any times: those of the next row."""
    place = np.searchsorted(table.time, times)
    return np.append(table.at_risk, 0.0)[place]
