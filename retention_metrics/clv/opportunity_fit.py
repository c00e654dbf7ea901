"""Maximum likelihood for the models of opportunities, and what to say where there is no maximum."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv import fitting, newton, no_maximum, opportunity_model, purchase_fit
from retention_metrics.clv.histories import Histories
from retention_metrics.errors import FitError

if TYPE_CHECKING:
    from retention_metrics.clv.fitting import Fit
    from retention_metrics.clv.opportunity_model import OpportunityModel

Floats = NDArray[np.float64]
M = TypeVar("M", bound="OpportunityModel")
_ALIKE = ((1.0, 1.0), (0.1, 10.0), (10.0, 0.1), (0.1, 0.1), (10.0, 10.0))
"""Where climbs start: from customers who differ in how they buy and hardly in how they drop out, the other way, …"""


def fit(cls: type[M], data: Histories, origin: purchase_fit.Origin, *, penalty: float) -> Fit[M]:
    """Fit a model of opportunities; a FitError carries the limiting model where there is no maximum."""
    _identified(cls, data)
    peak = _climb(cls, data, penalty=penalty)
    if peak.converged and not (penalty == 0 and _on_a_plain(cls, peak)):
        return _wrap(cls, origin, data, peak, penalty=penalty)
    best = _limit(cls, origin, data)
    if best is not None and no_maximum.reaches(best, peak):
        raise _no_maximum(cls, best, peak)
    if peak.converged:
        return _wrap(cls, origin, data, peak, penalty=penalty)
    raise no_maximum.stopped(cls, peak, where=_listed(cls, peak.theta))


def _identified(cls: type[OpportunityModel], data: Histories) -> None:
    purchase_fit.identified(cls.__name__, data)
    opportunity_model.check(data.frequency, data.recency, data.T)
    idle = data.T - data.frequency
    if not (idle if data.counts is None else idle * data.counts).any():
        raise fitting.unidentified(
            cls.__name__,
            f"each of {data.customers} customers bought at every opportunity, and none can have dropped out",
        )
    if not cls._possible(data):
        raise FitError(f"{cls.__name__}.fit fails: {cls.impossible}.")


def _climb(cls: type[M], data: Histories, *, penalty: float) -> newton.Maximum:
    return newton.highest(
        cls._objective(data, threads=None),
        _starts(cls, data.rate),
        penalty=penalty,
        escaped=cls._runs_away if penalty == 0 else newton.no_escape,
        enough=data.customers >= newton.MANY,
    )


def _starts(cls: type[OpportunityModel], rate: float) -> list[Floats]:
    """Starting points, each once."""
    start = cls._start(rate)
    buying = np.array([name in ("alpha", "beta") for name in cls.parameters])
    leaving = np.array([name in ("gamma", "delta") for name in cls.parameters])
    found = [start * np.where(buying, bought, 1.0) * np.where(leaving, left, 1.0) for bought, left in _ALIKE]
    return list({tuple(point): point for point in found}.values())


def _on_a_plain(cls: type[OpportunityModel], peak: newton.Maximum) -> bool:
    """Whether a climb stopped on its way to the edge: shapes out there, and a direction in which nothing changes."""
    at = dict(zip(cls.parameters, peak.theta, strict=True))
    totals = [at[first] + at[second] for first, second in cls.beta_pairs]
    return peak.flat and any(not 1e-2 < total < 1e2 for total in totals)


def _limit(cls: type[OpportunityModel], origin: purchase_fit.Origin, data: Histories) -> Fit[OpportunityModel] | None:
    """The best of the simpler models; of those that reach the supremum, the one with the fewest parameters."""
    found: list[Fit[OpportunityModel]] = []
    for simpler in cls._limits():
        if simpler._possible(data):
            peak = _climb(simpler, data, penalty=0.0)
            if peak.converged:
                found.append(_wrap(simpler, origin, data, peak, penalty=0.0))
    return no_maximum.simplest(found)


def _no_maximum(cls: type[OpportunityModel], best: Fit[OpportunityModel], peak: newton.Maximum) -> FitError:
    """The likelihood rises towards a simpler model, or is level where that one is as good."""
    model = best.model
    named = f"{type(model).__name__}({_listed(type(model), type(model).to_odds(model.theta))})"
    where = _listed(cls, peak.theta)
    if peak.converged or peak.escaped:
        return no_maximum.rises(cls, best, towards=named, where=where)
    return FitError(
        f"{cls.__name__}.fit cannot tell its {len(cls.parameters)} parameters apart on these data: {named} is as "
        "likely; error.limit is its fit.",
        limit=no_maximum.noted(cls, best),
        diagnostics=(f"the climb stopped at {where}",),
    )


def _listed(cls: type[OpportunityModel], odds: Floats) -> str:
    return ", ".join(f"{name} = {value:.4g}" for name, value in zip(cls.parameters, cls.from_odds(odds), strict=True))


def _wrap(
    cls: type[M], origin: purchase_fit.Origin, data: Histories, peak: newton.Maximum, *, penalty: float
) -> Fit[M]:
    return purchase_fit._wrap(cls, origin, data, peak, centre=np.zeros(len(cls.parameters)), penalty=penalty)
