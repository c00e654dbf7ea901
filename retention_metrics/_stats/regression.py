"""Two regressions by Newton's method: logistic for an outcome, Cox for the time to it.

References
----------
.. [1] Cox, D. R. (1972). Regression models and life-tables. *Journal of the Royal Statistical Society B* 34, 187-220.
.. [2] Efron, B. (1977). The efficiency of Cox's likelihood function for censored data. *Journal of the American
   Statistical Association* 72, 557-565.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Derivatives = Callable[[Floats], tuple[float, Floats, Floats]]


def logistic(design: Floats, outcome: Flags) -> tuple[Floats, Floats] | None:
    """Coefficients and their covariance, the intercept left out; None where the likelihood has no maximum."""
    rows = np.column_stack([np.ones(outcome.size), design])
    true = outcome.astype(np.float64)

    def derivatives(beta: Floats) -> tuple[float, Floats, Floats]:
        line = rows @ beta
        share = 1 / (1 + np.exp(-line))
        value = float(true @ line - np.logaddexp(0.0, line).sum())
        return value, rows.T @ (true - share), rows.T @ (rows * (share * (1 - share))[:, None])

    found = _newton(derivatives, rows.shape[1])
    return None if found is None else (found[0][1:], found[1][1:, 1:])


def cox(design: Floats, duration: Floats, churned: Flags) -> tuple[Floats, Floats] | None:
    """Log hazard ratios and their covariance, ties by Efron [2]_; None where the likelihood has no maximum."""
    order = np.argsort(-duration, kind="stable")
    rows, times, events = design[order], duration[order], churned[order]
    # Customers at risk at a time are those up to the end of its block, latest times first.
    ends = np.flatnonzero(np.append(np.diff(times) != 0, True)) + 1
    starts = np.concatenate([[0], ends[:-1]])
    size = design.shape[1]

    def derivatives(beta: Floats) -> tuple[float, Floats, Floats]:
        line = rows @ beta
        weight = np.exp(line - line.max())
        value, gradient, information = 0.0, np.zeros(size), np.zeros((size, size))
        s0, s1, s2 = 0.0, np.zeros(size), np.zeros((size, size))
        for start, end in zip(starts, ends, strict=True):
            block, w = rows[start:end], weight[start:end]
            s0, s1 = s0 + float(w.sum()), s1 + w @ block
            s2 = s2 + block.T @ (block * w[:, None])
            gone = events[start:end]
            d = int(gone.sum())
            if d == 0:
                continue
            x, v = block[gone], w[gone]
            d0, d1, d2 = float(v.sum()), v @ x, x.T @ (x * v[:, None])
            value += float((line[start:end][gone] - line.max()).sum())
            gradient += x.sum(axis=0)
            for part in np.arange(d) / d:
                total, mean = s0 - part * d0, (s1 - part * d1) / (s0 - part * d0)
                value -= float(np.log(total))
                gradient -= mean
                information += (s2 - part * d2) / total - np.outer(mean, mean)
        return value, gradient, information

    return _newton(derivatives, size)


def _newton(derivatives: Derivatives, size: int, *, steps: int = 50) -> tuple[Floats, Floats] | None:
    """Maximum of a concave log-likelihood and the inverse of its information; None where it runs away."""
    beta = np.zeros(size)
    value, gradient, information = derivatives(beta)
    for _ in range(steps):
        try:
            step = np.linalg.solve(information, gradient)
        except np.linalg.LinAlgError:
            return None
        # Twice what is still to gain, in units of the log-likelihood.
        if float(gradient @ step) < 1e-16 * (1 + abs(value)):
            break
        scale = 1.0
        while (ahead := derivatives(beta + scale * step))[0] < value and scale > 1e-6:
            scale /= 2
        beta, (value, gradient, information) = beta + scale * step, ahead
        if float(np.abs(beta).max()) > 30:
            return None
    else:
        return None
    if float(np.linalg.cond(information)) > 1e12:
        return None
    return beta, np.asarray(np.linalg.inv(information), dtype=np.float64)
