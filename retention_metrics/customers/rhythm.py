"""Gaps between purchases: gamma within a customer, at rates that are gamma across customers.

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

from retention_metrics.errors import InputError

Floats = NDArray[np.float64]
_WIDEST = math.log(1e4)


@dataclass(frozen=True)
class Rhythm:
    """A gap is gamma with this shape and a customer's own rate, which is gamma (r, alpha) across customers [1]_."""

    shape: float
    r: float
    alpha: float

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


def fit(gaps: Floats, total: Floats, customers: Floats, log_sum: float) -> Rhythm:
    """The rhythm of a base by maximum likelihood, from distinct (gaps, sum of gaps) and the sum of the gaps' logs."""
    count = float(customers @ gaps) if gaps.size else 0.0
    if count < 2:
        raise InputError(
            f"own_rhythm needs at least two gaps between purchases in the log; got {int(count)}.",
            argument="transactions",
            count=int(count),
        )
    scale = float(customers @ total) / count
    spans, logs = total / scale, log_sum - count * math.log(scale)

    def negative(at: Floats) -> tuple[float, Floats]:
        k, r, alpha = np.exp(at)
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
        return -total_height / count, -slopes / count

    bounds = [(-_WIDEST, _WIDEST), (-_WIDEST, _WIDEST), (-2 * _WIDEST, 2 * _WIDEST)]
    found = optimize.minimize(
        negative, np.zeros(3), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-13}
    )
    k, r, alpha = np.exp(found.x)
    return Rhythm(float(k), float(r), float(alpha * scale))
