"""Log-likelihoods of the same data at many parameters at once, which a posterior asks for."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retention_metrics.clv import histories
from retention_metrics.clv.histories import Histories

if TYPE_CHECKING:
    from retention_metrics.clv.model import Model
    from retention_metrics.clv.newton import Objective
    from retention_metrics.clv.spend_model import Spending

Floats = NDArray[np.float64]
M = TypeVar("M", bound="Model")

BLOCK = 65_536  # numbers in a working array: half a megabyte, of which a few fit the cache
_PARALLEL = 1_000_000  # numbers from which a second thread earns its keep
_CHAIN = 4_096  # frequencies up to which gamma ratios are sums of logs
_ODDS = 1e37  # odds whose products of eight are numbers


def one_by_one(objective: Objective, odds: Floats) -> Floats:
    """The objective's value at each row of parameters."""
    return np.array([objective.evaluate(row)[0] for row in odds])


def broadcast(
    model: M, odds: Floats, counts: Floats, rows: Callable[[M, int], Floats], *, threads: int | None
) -> Floats:
    """Sums over the rows of any model whose formulas take parameters of shape (n, 1) with data of shape (rows,).

    ``rows`` gives the log-likelihood of each row, shape (n, rows), of a model with n values of each parameter.
    """

    def values(block: Floats) -> Floats:
        columns: dict[str, Any] = dict(zip(model.parameters, model.from_odds(block).T[:, :, None], strict=True))
        many = dataclasses.replace(model, **columns)  # type: ignore[type-var]
        return np.asarray(rows(many, len(block)) @ counts)

    return over_blocks(odds, counts.size, values, threads=threads)


def groups(*columns: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """A row of each distinct row of some columns, in order, and for every row the place of its like among them."""
    order = np.lexsort(columns[::-1])
    new = np.ones(order.size, dtype=bool)
    new[1:] = np.any([np.diff(part[order]) != 0 for part in columns], axis=0)
    which = np.empty(order.size, dtype=np.intp)
    which[order] = np.cumsum(new) - 1
    return order[new], which


def over_blocks(
    odds: Floats, width: int, values: Callable[[Floats], Floats], *, threads: int | None, block: int = BLOCK
) -> Floats:
    """``values`` of the parameters block by block, on threads; the blocks do not depend on how many there are."""
    size = max(1, block // max(width, 1))
    blocks = [odds[start : start + size] for start in range(0, len(odds), size)]
    workers = min(threads or os.cpu_count() or 1, len(blocks))
    if workers <= 1 or len(odds) * width < _PARALLEL:
        return np.concatenate([values(part) for part in blocks])
    with ThreadPoolExecutor(workers) as pool:
        return np.concatenate(list(pool.map(values, blocks)))


class PurchaseBatch:
    """BG/NBD (early = 0) and MBG/NBD (early = 1) at many parameters: r, alpha, a and b in each row.

    As in ``likelihood.PurchaseSums``: who had no chance to drop out enters through T alone, the others as dropout at
    the last purchase times ``1 + odds of being alive``. Arrays are (rows, draws), so that a parameter is a row.
    """

    def __init__(self, data: Histories, *, early: int) -> None:
        (frequency, recency, age), counts = histories.distinct([data.frequency, data.recency, data.T], data.counts)
        decided = frequency + early > 0
        self._early = early
        self._once, self._count_once = _tallied(age[~decided], counts[~decided])
        # Shared histories last: logs of the others are taken eight at a time.
        order = np.flatnonzero(decided)
        order = order[np.argsort(counts[order] != 1, kind="stable")]
        self._count = counts[order]
        self._single = int(np.sum(self._count == 1)) // 8 * 8
        self._frequency, self._recency = frequency[order], recency[order]
        self._silence = age[order] - self._recency
        self.width = max(order.size, self._once.size, 1)
        self._times, which = np.unique(self._recency, return_inverse=True)
        self._at_time = np.bincount(which, weights=self._count, minlength=self._times.size)
        bought = np.bincount(which, weights=self._count * self._frequency, minlength=self._times.size)
        self._bought_at_time = bought
        levels, customers = _tallied(self._frequency, self._count)
        self._arrivals = Rising(levels, customers)
        self._decisions = Rising(levels + early, customers)
        self._stays = Rising(levels + (early - 1), customers)

    def values(self, odds: Floats) -> Floats:
        """The log-likelihood at each row of parameters."""
        r, alpha, a, b = np.ascontiguousarray(odds.T)
        grown = self._count_once @ np.log1p(self._once[:, None] / alpha)
        total: Floats = -r * grown
        if not self._count.size:
            return total
        total += self._of_levels(r, a, b)
        since = np.log1p(self._times[:, None] / alpha)
        total -= r * (self._at_time @ since) + self._bought_at_time @ since
        total -= np.log(alpha) * float(self._bought_at_time.sum())
        return total + self._of_silence(r, alpha, a, b)

    def _of_levels(self, r: Floats, a: Floats, b: Floats) -> Floats:
        """What enters through the frequency alone: Gamma(r + x) / Gamma(r) and a B(a + 1, b + d - 1) / B(a, b)."""
        return self._arrivals(r) + self._stays(b) - self._decisions(a + b) + np.log(a) * float(self._count.sum())

    def _of_silence(self, r: Floats, alpha: Floats, a: Floats, b: Floats) -> Floats:
        """Sum of log(1 + odds of being alive) (Fader, Hardie & Lee 2005, equation 6)."""
        work = self._recency[:, None] + alpha
        np.divide(self._silence[:, None], work, out=work)
        np.log1p(work, out=work)
        power = self._frequency[:, None] + r
        work *= power
        np.negative(work, out=work)
        np.exp(work, out=work)
        np.add((self._frequency + (self._early - 1))[:, None], b, out=power)
        power /= a
        work *= power
        np.minimum(work, _ODDS, out=work)
        work += 1
        single = self._single
        products = np.multiply.reduce(work[:single].reshape(8, -1, r.size), axis=0)
        total: Floats = np.log(products).sum(axis=0) + self._count[single:] @ np.log(work[single:])
        return total


class Rising:
    """Sum over levels of ``customers * log(Gamma(base + level) / Gamma(base))``, for each base.

    As a sum of ``log(base + i)`` over the customers with a level above i, which neither cancels nor needs a gamma
    function; only beyond a few thousand as a difference of those.
    """

    def __init__(self, levels: Floats, customers: Floats) -> None:
        self._steps = np.arange(min(levels.max(initial=0.0), _CHAIN))
        at_least = np.append(np.cumsum(customers[::-1])[::-1], 0.0)
        self._above = at_least[np.searchsorted(levels, self._steps, side="right")]
        self._far, self._at_far = levels[levels > _CHAIN], customers[levels > _CHAIN]

    def __call__(self, base: Floats) -> Floats:
        total = self._above @ np.log(base + self._steps[:, None])
        if self._far.size:
            jump = special.gammaln(base + self._far[:, None]) - special.gammaln(base + _CHAIN)
            total = total + self._at_far @ jump
        return np.asarray(total)


def spend_values(data: Spending, odds: Floats, *, threads: int | None) -> Floats:
    """The Gamma-Gamma log-likelihood at each row of p, q and v."""
    counts = np.ones(data.value.size) if data.counts is None else data.counts
    levels, customers = _tallied(data.frequency, counts)
    spent = data.frequency * data.value
    # In p the data enter through this sum; the last one does not move.
    logs, constant = float(counts @ (data.frequency * np.log(spent))), float(counts @ np.log(data.value))
    weights = np.stack([counts * data.frequency, counts])

    def values(block: Floats) -> Floats:
        p, q, v = np.ascontiguousarray(block.T)
        shapes = levels[:, None] * p
        gammas = customers @ (special.gammaln(shapes + q) - special.gammaln(shapes))
        bought, everyone = weights @ np.log(spent[:, None] + v)
        scale = float(counts.sum()) * (q * np.log(v) - special.gammaln(q))
        return np.asarray(gammas + scale + p * (logs - bought) - q * everyone - constant)

    return over_blocks(odds, data.value.size, values, threads=threads)


def purchase_values(data: Histories, odds: Floats, *, early: int, threads: int | None) -> Floats:
    """The log-likelihood of BG/NBD or MBG/NBD at each row of r, alpha, a and b."""
    batch = PurchaseBatch(data, early=early)
    return over_blocks(odds, batch.width, batch.values, threads=threads)


def _tallied(values: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """The distinct values and the customers at each."""
    found, which = np.unique(values, return_inverse=True)
    return found, np.bincount(which, weights=counts, minlength=found.size).astype(np.float64)
