"""What to say where a likelihood has no maximum, and the simpler model that it rises towards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retention_metrics.clv import newton
from retention_metrics.errors import FitError

if TYPE_CHECKING:
    from retention_metrics.clv.fitting import Fit


def simplest(fits: Sequence[Fit[Any]], *, within: float = newton.SAME) -> Fit[Any] | None:
    """Of the fits that reach the highest likelihood the first: simpler models come in the order of their size."""
    height = max((fit.log_likelihood for fit in fits), default=-np.inf)
    return next((fit for fit in fits if fit.log_likelihood > height - within), None)


def reaches(limit: Fit[Any] | None, peak: newton.Maximum, *, within: float = newton.SAME) -> bool:
    """Whether a simpler model is as likely as the end of a climb."""
    return limit is not None and limit.log_likelihood > peak.log_likelihood - within


def noted(cls: type, limit: Fit[Any]) -> Fit[Any]:
    """A limit's fit that says what it is the limit of."""
    return dataclasses.replace(limit, notes=(*limit.notes, f"Limit of {cls.__name__}: {limit.model.limit_of}."))


def rises(cls: type, limit: Fit[Any], *, towards: str, where: str) -> FitError:
    """The error of a likelihood that rises without end ``towards`` its limit; the climb stopped at ``where``."""
    return FitError(
        f"{cls.__name__}.fit has no maximum on these data: the likelihood rises without end towards {towards}, "
        f"where {limit.model.limit_of}; error.limit is its fit. A positive penalty= gives an answer.",
        limit=noted(cls, limit),
        diagnostics=(f"the climb stopped at {where}",),
    )


def stopped(cls: type, peak: newton.Maximum, *, where: str) -> FitError:
    """The error of a climb that stopped on no maximum, with no known limit as high."""
    return FitError(
        f"{cls.__name__}.fit found no maximum: it stopped at {where} after {peak.steps} steps. "
        "A positive penalty= gives an answer.",
        diagnostics=(f"{peak.distance:.3g} standard errors from a maximum by the quadratic model",),
    )
