"""A fitted contractual model as a churn assumption: what its fit leaves open, as draws, and its sums without an end."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics.errors import InputError
from retention_metrics.results import Result

Floats = NDArray[np.float64]

# Beyond e^30 a parameter stands for its limit, and a probability for 1.
_WIDEST = 30.0


@runtime_checkable
class RenewalModel(Protocol):
    """A churn assumption by the term that is known for ever: who is still there, and the sums of it."""

    @property
    def step(self) -> str:
        """What one step is: the term."""

    def survival(self, t: ArrayLike, /) -> Floats:
        """Share still there after some renewals."""

    def residual_lifetime(self, *, tenure: ArrayLike) -> Floats:
        """Expected renewals to come; infinite where they are."""

    def discounted_residual_value(self, *, tenure: ArrayLike, margin: ArrayLike, discount_rate: float) -> Floats:
        """Their present value just before the first of them."""


@dataclasses.dataclass(frozen=True, eq=False)
class FittedDraws:
    """Draws of a model: ``models`` holds parameters of shape (n_draws,)."""

    models: RenewalModel
    size: int

    def __len__(self) -> int:
        return self.size

    def by_step(self, steps: int) -> Floats:
        """Survival after 0, 1, ... steps, shape (n_draws, n_steps)."""
        return np.asarray(self.models.survival(np.arange(steps)[:, np.newaxis])).T


Drawn = Floats | FittedDraws
"""Draws of a churn: rates, shape (n,), survivals by step, shape (n, n_steps), or models that never end."""


def is_fitted(evidence: Result | None) -> bool:
    """Whether a result is the fit of a contractual model, or its posterior."""
    return isinstance(getattr(evidence, "model", None), RenewalModel)


def draw_models(evidence: Any, draws: int, rng: np.random.Generator) -> FittedDraws:
    """Models drawn from what a fit, or a posterior, knows of its parameters.

    Of a fit: from the normal distribution of its log-parameters (log-odds of a probability) that Wald's intervals are
    taken from. Of a posterior: from its draws.
    """
    model, names = evidence.model, evidence.model.parameters
    if hasattr(evidence, "draws"):
        given = np.stack([np.asarray(evidence.draws[name], dtype=np.float64) for name in names], axis=1)
        theta = given[rng.integers(0, len(given), draws)]
    else:
        centre, root = np.log(model.to_odds(model.theta)), np.linalg.cholesky(evidence.log_covariance)
        moved = centre + rng.standard_normal((draws, centre.size)) @ root.T
        theta = model.from_odds(np.exp(np.clip(moved, -_WIDEST, _WIDEST)))
    spread = {name: theta[:, place] for place, name in enumerate(names)}
    return FittedDraws(dataclasses.replace(model, **spread), draws)


def of_one_client(churn: Any, *, name: str) -> Any:
    """A model of one row of covariates as a model of numbers; anything else as it is."""
    if not getattr(churn, "varies", False):
        return churn
    values = {parameter: np.asarray(getattr(churn, parameter)) for parameter in churn.parameters}
    if max(value.size for value in values.values()) > 1:
        raise InputError(
            f"{name} is the churn of one kind of client; got a {type(churn).__name__} of several.",
            argument=name,
            fix="Give regression.at(covariates) of one row.",
        )
    return dataclasses.replace(churn, **{parameter: float(value.item()) for parameter, value in values.items()})


def terms_to_come(models: RenewalModel, tenure: int, force: float) -> Floats:
    """Present number of terms that start from ``tenure`` renewals on, of a client who is there then.

    The term begun counts 1, one that starts k terms later its share still there times exp(-force k).
    """
    if force == 0:
        return np.asarray(1 + models.residual_lifetime(tenure=tenure))
    rate = math.expm1(force)
    ahead = models.discounted_residual_value(tenure=tenure, margin=1.0, discount_rate=rate)
    return np.asarray(1 + ahead * math.exp(-force))
