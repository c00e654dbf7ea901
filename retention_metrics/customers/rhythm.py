"""Gaps between purchases: gamma within a customer, at rates that are gamma across customers, until one leaves.

References
----------
.. [1] Wheat, R. D. and Morrison, D. G. (1990). Estimating purchase regularity with two interpurchase times.
   *Journal of Marketing Research* 27(1), 87-93.
.. [2] Platzer, M. and Reutterer, T. (2016). Ticking away the moments: timing regularity helps to better predict
   customer activity. *Marketing Science* 35(5), 779-799.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from retention_metrics.clv import histories
from retention_metrics.errors import InputError

Floats = NDArray[np.float64]
_SILENCES = 4_000  # customers whose silences are looked at: a tail of the beta distribution is dear
_STEP = 1e-6  # of a shape, for the slopes of that tail
_WIDEST = math.log(1e4)


@dataclass(frozen=True)
class Rhythm:
    """A gap is gamma with this shape and a customer's own rate, which is gamma (r, alpha) across customers [1]_.

    After each purchase a customer leaves with the chance ``leaves``.
    """

    shape: float
    r: float
    alpha: float
    leaves: float = 0.0

    @property
    def edge(self) -> str | None:
        """What it means where the likelihood rose to the edge of the region that was searched."""
        shape, r = (abs(math.log(number)) > _WIDEST - 1e-6 for number in (self.shape, self.r))
        if r and not shape and self.r > 1:
            return "The customers' rhythms are all alike, as far as the gaps tell: nobody has one of their own."
        return "The gaps fit the edge of the model: they are all alike, or too few." if shape or r else None

    def ordinary(self, gaps: Floats, total: Floats, silence: Floats) -> Floats:
        """Probability that the next gap is longer than ``silence``, given a customer's gaps and their sum.

        The next gap over itself plus alpha and the sum is Beta(shape, r + shape * gaps).
        """
        place = silence / (silence + self.alpha + total)
        return np.asarray(special.betaincc(self.shape, self.r + self.shape * gaps, place), dtype=np.float64)

    def purchases_a_day(self, gaps: Floats, total: Floats) -> Floats:
        """Expected purchases a day of a customer who goes on: the posterior mean rate over the shape."""
        rate: Floats = (self.r + self.shape * gaps) / (self.alpha + total) / self.shape
        return rate


def fit(gaps: Floats, total: Floats, silence: Floats, customers: Floats, log_sum: float) -> Rhythm:
    """The rhythm of a base by maximum likelihood.

    From distinct (gaps, sum of gaps, silence since) with their customers, and the sum of the gaps' logs. The silence is
    that of who left after the last purchase, or a gap that is longer: ``leaves + (1 - leaves) * ordinary``.
    """
    count = float(customers @ gaps) if gaps.size else 0.0
    if count < 2:
        raise InputError(
            f"own_rhythm needs at least two gaps between purchases in the log; got {int(count)}.",
            argument="transactions",
            count=int(count),
        )
    scale = float(customers @ total) / count
    spans, logs = total / scale, log_sum - count * math.log(scale)
    open_ended = _Silences.of(gaps, spans, silence / scale, customers)
    stayed = count - float(customers.sum())  # gaps but the first, without which nobody is here
    (gaps, spans), customers = histories.distinct([gaps, spans], customers)

    def completed(at: Floats) -> tuple[float, Floats]:
        k, r, alpha = np.exp(at[:3])
        shape, span = r + k * gaps, alpha + spans
        height = special.gammaln(shape) - special.gammaln(r) + r * np.log(alpha) - shape * np.log(span)
        slope_r = special.psi(shape) - special.psi(r) + np.log(alpha) - np.log(span)
        slope_alpha = r / alpha - shape / span
        slope_k = gaps * (special.psi(shape) - np.log(span))
        total_height = float(customers @ height) - count * special.gammaln(k) + (k - 1) * logs
        slopes = np.array(
            [
                k * (float(customers @ slope_k) - count * special.psi(k) + logs),
                r * float(customers @ slope_r),
                alpha * float(customers @ slope_alpha),
            ]
        )
        return total_height, slopes

    def negative(at: Floats) -> tuple[float, Floats]:
        height, slopes = completed(at)
        more, further = open_ended.log_likelihood(at)
        leaves = special.expit(at[3])
        height += more + stayed * special.log_expit(-at[3])
        slopes = np.append(slopes, -stayed * leaves) + further
        return -height / count, -slopes / count

    bounds = [(-_WIDEST, _WIDEST), (-_WIDEST, _WIDEST), (-2 * _WIDEST, 2 * _WIDEST), (-_WIDEST, _WIDEST)]
    found = optimize.minimize(
        negative, np.array([0, 0, 0, -2.0]), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}
    )
    k, r, alpha = np.exp(found.x[:3])
    return Rhythm(float(k), float(r), float(alpha * scale), float(special.expit(found.x[3])))


@dataclass(frozen=True)
class _Silences:
    """Silences at the end of the log with the gaps before them, and the customers that each stands for."""

    gaps: Floats
    spans: Floats
    silence: Floats
    weight: Floats

    @classmethod
    def of(cls, gaps: Floats, spans: Floats, silence: Floats, customers: Floats) -> _Silences:
        """Of all customers, or of every n-th in the order given where they are many."""
        size = float(customers.sum())
        if gaps.size <= _SILENCES:
            return cls(gaps, spans, silence, customers)
        ends = np.cumsum(customers)
        rows = np.searchsorted(ends, (np.arange(_SILENCES) + 0.5) * size / _SILENCES)
        return cls(gaps[rows], spans[rows], silence[rows], np.full(_SILENCES, size / _SILENCES))

    def log_likelihood(self, at: Floats) -> tuple[float, Floats]:
        """Of the silences, with its slopes along the logs of shape, r and alpha and the log-odds of leaving."""
        k, r, alpha = np.exp(at[:3])
        leaves, other = special.expit(at[3]), r + k * self.gaps
        whole = self.silence + alpha + self.spans
        place = self.silence / whole
        tail = special.betaincc(k, other, place)
        by_k = (special.betaincc(k * (1 + _STEP), other, place) - tail) / (k * _STEP)
        by_other = (special.betaincc(k, other * (1 + _STEP), place) - tail) / (other * _STEP)
        with np.errstate(divide="ignore"):
            density = np.exp(
                special.xlogy(k - 1, place) + special.xlog1py(other - 1, -place) - special.betaln(k, other)
            )
        by_alpha = np.where(place > 0, density, 0.0) * place / whole
        mixed = np.maximum(leaves + (1 - leaves) * tail, 1e-300)
        each = self.weight * (1 - leaves) / mixed
        slopes = [
            k * (each @ (by_k + self.gaps * by_other)),
            r * (each @ by_other),
            alpha * (each @ by_alpha),
            leaves * (each @ (1 - tail)),
        ]
        return float(self.weight @ np.log(mixed)), np.array(slopes)
