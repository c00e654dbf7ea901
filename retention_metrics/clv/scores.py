"""Scores of single customers at the maximum: the sandwich covariance, and who moves the estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from retention_metrics.clv.model import Model

Floats = NDArray[np.float64]
_STEP = 1e-2  # standard errors: the third derivative of a sum over customers adds a millionth
_FARTHEST = 0.5  # in log-parameters


def scores(model: Model, log_covariance: Floats, data: Any) -> Floats:
    """Slope of each row's log-likelihood along the principal axes of the parameters' uncertainty.

    The axes are in standard errors, so a row's score is how far one of its customers pulls the estimates from where
    the others put them, in standard errors, to first order. Shape (n_parameters, n_rows).
    """
    centre = np.log(model.to_odds(model.theta))

    def contributions(step: Floats) -> Floats:
        return model.with_theta(model.from_odds(np.exp(centre + step)))._contributions(data)

    axes = np.linalg.cholesky(log_covariance).T
    # What data hardly tell has an axis so long that a share of it would leave the numbers.
    shares = np.minimum(_STEP, _FARTHEST / np.abs(axes).max(axis=1))
    # A history that the model rules out, which may stand in a table for no customer, has a likelihood of 0 throughout.
    possible = np.isfinite(contributions(np.zeros(centre.size)))
    return np.stack(
        [
            np.subtract(
                contributions(share * axis),
                contributions(-share * axis),
                out=np.zeros(possible.size),
                where=possible,
            )
            / (2 * share)
            for share, axis in zip(shares, axes, strict=True)
        ]
    )


def robust_log_covariance(model: Model, log_covariance: Floats, data: Any) -> Floats:
    """The sandwich: inverse information, covariance of the customers' scores, inverse information.

    Along the axes of ``scores`` the information is the identity, so the filling alone is left. The scores' mean,
    which a penalty keeps from 0, is taken off.
    """
    found = scores(model, log_covariance, data)
    counts = np.ones(found.shape[1]) if data.counts is None else data.counts
    centred = found - (found @ counts / counts.sum())[:, None]
    root = np.linalg.cholesky(log_covariance)
    filling = (centred * counts) @ centred.T
    answer: Floats = root @ filling @ root.T
    return answer
