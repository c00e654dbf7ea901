"""Log-likelihoods of purchase histories with their exact gradients and Hessians, summed chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retention_metrics.clv import newton
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.parts import BetaDropout, Terms

Floats = NDArray[np.float64]
_TABLE_SIZE = 65_536
_ONCE, _REPEAT = 3, 22  # sums over one-time and over repeat buyers


class PurchaseSums:
    """The log-likelihood of BG/NBD (early = 0) and of MBG/NBD (early = 1): data split once, summed at any parameters.

    Customers who have had no chance to drop out enter through T alone, and gamma functions are needed only at the
    distinct frequencies.
    """

    def __init__(self, histories: Histories, *, early: int = 0, threads: int | None = None) -> None:
        self._data, self._early, self._threads = histories, early, threads
        levels, customers = levels_of(histories.purchases, histories.counts, least=0.0)
        self.levels, self._at_level = np.maximum(levels, 1.0 - early), np.where(levels + early > 0, customers, 0.0)

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in r, alpha, a and b."""
        gradient, hessian = np.zeros(4), np.zeros((4, 4))
        value = self._add_levels(theta, gradient, hessian)
        chunks = newton.over_chunks(self._data.T.size, lambda rows: self._chunk(rows, theta), threads=self._threads)
        sums = np.sum(chunks, axis=0)
        value += self._add_one_time(sums[:_ONCE], float(theta[0]), float(theta[1]), gradient, hessian)
        value += self._add_repeat(sums[_ONCE:], theta, gradient, hessian)
        return value, gradient, np.tril(hessian) + np.tril(hessian, -1).T

    def _chunk(self, rows: slice, theta: Floats) -> Floats:
        """Sums over one-time buyers, then over repeat buyers."""
        x, t_x, age = self._data.purchases[rows], self._data.recency[rows], self._data.T[rows]
        counts = None if self._data.counts is None else self._data.counts[rows]
        # Decisions less one, for b + (x - 1) is exact for the smallest b and (b + x) - 1 is not.
        later = x.astype(np.float64) + (self._early - 1)
        sums = np.zeros(_ONCE + _REPEAT)
        if self._early:
            sums[_ONCE:] = self._repeat_sums(later, t_x, age, counts, theta)
            return sums
        decided = x > 0
        once, repeat = np.flatnonzero(~decided), np.flatnonzero(decided)
        some, others = (None, None) if counts is None else (counts[once], counts[repeat])
        sums[:_ONCE] = _one_time_sums(age[once], some, float(theta[1]))
        if repeat.size:
            sums[_ONCE:] = self._repeat_sums(later[repeat], t_x[repeat], age[repeat], others, theta)
        return sums

    def _add_levels(self, theta: Floats, gradient: Floats, hessian: Floats) -> float:
        """What repeat buyers contribute through their frequency alone, had each dropped out at the last purchase."""
        r, alpha = float(theta[0]), float(theta[1])
        customers, total = self._at_level, float(self._at_level.sum())
        leave = BetaDropout.decision_terms(list(theta[2:]), self.levels + self._early)[1]
        gammas = special.gammaln(r + self.levels) - special.gammaln(r)
        gradient[0] += customers @ (special.digamma(r + self.levels) - special.digamma(r)) + total * np.log(alpha)
        gradient[1] += total * r / alpha
        gradient[2:] += leave.slopes @ customers
        hessian[0, 0] += customers @ (special.polygamma(1, r + self.levels) - special.polygamma(1, r))
        hessian[1, 0] += total / alpha
        hessian[1, 1] -= total * r / alpha**2
        hessian[2:, 2:] += leave.curvatures @ customers
        return float(customers @ (gammas + leave.value) + total * r * np.log(alpha))

    def _add_one_time(self, sums: Floats, r: float, alpha: float, gradient: Floats, hessian: Floats) -> float:
        """Customers without repeat purchase: ``(alpha / (alpha + T))**r``."""
        logs, shares, falls = sums
        gradient[0] -= logs
        gradient[1] += r * shares / alpha
        hessian[1, 0] += shares / alpha
        hessian[1, 1] -= r * (shares + falls) / alpha**2
        return float(-r * logs)

    def _repeat_sums(self, later: Floats, recency: Floats, age: Floats, counts: Floats | None, theta: Floats) -> Floats:
        """The sums that repeat buyers' recency and T enter, of one chunk.

        Dropout at the last purchase has odds exp(d) against none, d = log(a / (b + x - 1)) + (r + x) log(gap) with
        gap = (alpha + T) / (alpha + t_x) (Fader, Hardie & Lee 2005, equation 6); the chunk's log-likelihood is that of
        dropout plus log(1 + exp(-d)).
        """
        r, alpha, a, b = map(float, theta)
        power, later = later + (r + (1 - self._early)), later + b
        to_recency, to_age = recency + alpha, age + alpha
        inverse, shrink, slope_b = 1 / to_recency, 1 / to_age, 1 / later
        log_gap, log_recency = np.log(to_age * inverse), np.log(to_recency)
        odds_alive = np.exp(-(power * log_gap))
        odds_alive *= later
        odds_alive *= 1 / a
        grown = odds_alive + 1
        gone = 1 / grown
        alive = odds_alive * gone
        weight = power
        if counts is not None:
            alive, weight = alive * counts, power * counts
        doubt = alive * gone
        spread = inverse - shrink
        slope_alpha = power * spread
        doubt_alpha, doubt_gap, doubt_b = doubt * slope_alpha, doubt * log_gap, doubt * slope_b
        alive_alpha, alive_b = alive * slope_alpha, alive * slope_b
        return np.array(
            [
                _sum_of_logs(grown, counts) - weight @ log_recency,
                _sum(log_recency, counts),
                _sum(inverse, counts),
                weight @ inverse,
                (weight * inverse) @ inverse,
                alive.sum(),
                alive @ log_gap,
                alive @ spread,
                alive_alpha.sum(),
                alive_alpha @ inverse + alive_alpha @ shrink,
                alive_b.sum(),
                alive_b @ slope_b,
                doubt.sum(),
                doubt_gap.sum(),
                doubt_gap @ log_gap,
                doubt_alpha.sum(),
                doubt_alpha @ log_gap,
                doubt_alpha @ slope_alpha,
                doubt_b.sum(),
                doubt_b @ log_gap,
                doubt_b @ slope_alpha,
                doubt_b @ slope_b,
            ]
        )

    def _add_repeat(self, sums: Floats, theta: Floats, gradient: Floats, hessian: Floats) -> float:
        """The chunks' sums, put where they belong."""
        a = float(theta[2])
        value, log_recency, inverse, weighted, squared = sums[:5]
        alive, alive_gap, alive_spread, alive_alpha, alive_curve, alive_b, alive_bb = sums[5:12]
        doubt, gap, gap_gap, alpha, alpha_gap, alpha_alpha, b, b_gap, b_alpha, b_b = sums[12:]
        # The slopes of d are log_gap, -slope_alpha, 1 / a and -slope_b.
        gradient += np.array([-log_recency - alive_gap, alive_alpha - weighted, -alive / a, alive_b])
        hessian[0, 0] += gap_gap
        hessian[1, :2] += alive_spread - inverse - alpha_gap, alpha_alpha + squared - alive_curve
        hessian[2, :3] += gap / a, -alpha / a, (doubt + alive) / a**2
        hessian[3] += -b_gap, b_alpha, -b / a, b_b - alive_bb
        return float(value)


@dataclass(frozen=True, slots=True)
class HistoryTerms:
    """The log-likelihood of single histories, from the terms of how customers buy and drop out.

    Attributes
    ----------
    arrivals, decisions : callable
        ``Rates.arrival_terms`` and ``Dropout.decision_terms``.
    early : int
        Decisions before the first repeat purchase.
    """

    arrivals: Callable[..., Terms]
    decisions: Callable[..., tuple[Terms, Terms]]
    early: int

    def of(self, rates: Sequence[Floats], dropout: Sequence[Floats], data: Histories, rows: slice) -> Terms:
        """The terms of some rows; parameters are numbers, or arrays of one entry per row."""
        x, t_x, age = data.frequency[rows], data.recency[rows], data.T[rows]
        decisions = x + self.early
        decided = decisions > 0
        stay, leave = self.decisions(dropout, np.maximum(decisions, 1))
        if not decided.all():
            stay = Terms(np.where(decided, stay.value, 0.0), stay.slopes * decided, stay.curvatures * decided)
        alive = _joined(self.silent(rates, x, t_x, age), stay)
        gone = _joined(self.arrivals(rates, x, t_x), leave)
        # Of the two ways to be silent since t_x; who has had no chance to drop out knows only one.
        log_gone = np.where(decided, gone.value, -np.inf)
        value = np.logaddexp(alive.value, log_gone)
        share = np.exp(log_gone - value)
        fall = gone.slopes - alive.slopes
        slopes = alive.slopes + share * fall
        curvatures = alive.curvatures + share * (gone.curvatures - alive.curvatures)
        curvatures = curvatures + share * (1 - share) * fall[:, None] * fall[None]
        return Terms(value, slopes, curvatures)

    def silent(self, rates: Sequence[Floats], x: Floats, t_x: Floats, age: Floats) -> Terms:
        """Terms of the purchases of a customer who is alive, the silence since the last one among them."""
        return self.arrivals(rates, x, age)


def _one_time_sums(age: Floats, counts: Floats | None, alpha: float) -> Floats:
    """The sums that the T of customers without a chance to drop out enters."""
    ratio = age / alpha
    grown = 1 + ratio
    share = ratio / grown
    weighted = share if counts is None else share * counts
    return np.array([_sum_of_logs(grown, counts), weighted.sum(), (weighted / grown).sum()])


class PartsObjective:
    """The log-likelihood of any model of rates and dropout, from the terms of its parts."""

    def __init__(self, data: Histories, terms: HistoryTerms, rate_parameters: int, threads: int | None) -> None:
        self._data, self._terms, self._split, self._threads = data, terms, rate_parameters, threads

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in the parameters of ``to_odds``."""
        parts = newton.over_chunks(self._data.T.size, lambda rows: self._chunk(rows, theta), threads=self._threads)
        value, gradient, hessian = 0.0, np.zeros(theta.size), np.zeros((theta.size, theta.size))
        for part_value, part_gradient, part_hessian in parts:
            value, gradient, hessian = value + part_value, gradient + part_gradient, hessian + part_hessian
        return value, gradient, hessian

    def _chunk(self, rows: slice, theta: Floats) -> tuple[float, Floats, Floats]:
        terms = self._terms.of(list(theta[: self._split]), list(theta[self._split :]), self._data, rows)
        counts = np.ones(terms.value.size) if self._data.counts is None else self._data.counts[rows]
        return float(counts @ terms.value), terms.slopes @ counts, terms.curvatures @ counts


def _joined(first: Terms, second: Terms) -> Terms:
    """Terms of the sum of two functions of different parameters."""
    split, total = first.slopes.shape[0], first.slopes.shape[0] + second.slopes.shape[0]
    curvatures = np.zeros((total, total, first.value.size))
    curvatures[:split, :split], curvatures[split:, split:] = first.curvatures, second.curvatures
    return Terms(first.value + second.value, np.concatenate([first.slopes, second.slopes]), curvatures)


def _sum(values: Floats, counts: Floats | None) -> float:
    return float(values.sum() if counts is None else counts @ values)


def _sum_of_logs(values: Floats, counts: Floats | None) -> float:
    """Sum of ``counts * log(values)`` for values from 1 to 1e30; products of eight spare seven logs in eight."""
    if counts is not None:
        return float(counts @ np.log(values))
    whole = values.size // 8 * 8
    products = np.multiply.reduce(values[:whole].reshape(8, -1), axis=0)
    return float(np.log(products).sum() + np.log(values[whole:]).sum())


def levels_of(frequency: NDArray[Any], counts: Floats | None, *, least: float = 1.0) -> tuple[Floats, Floats]:
    """The distinct frequencies (a few nobody is at among them) and the customers at each."""
    if frequency.max(initial=1) < _TABLE_SIZE:
        whole = frequency.astype(np.intp, copy=False)
        customers = np.bincount(whole, weights=counts, minlength=2).astype(float)
        return np.maximum(np.arange(float(customers.size)), least), customers
    levels, which = np.unique(frequency, return_inverse=True)
    return levels.astype(np.float64), np.bincount(which, weights=counts).astype(float)
