"""Maximum likelihood for the contractual models, and what to say where there is no maximum."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from retention_metrics.clv import fitting, newton, no_maximum
from retention_metrics.clv.renewals import Renewals, RenewalTable
from retention_metrics.errors import FitError

if TYPE_CHECKING:
    from retention_metrics.clv.contract_model import ContractModel
    from retention_metrics.clv.fitting import Fit

Floats = NDArray[np.float64]
C = TypeVar("C", bound="ContractModel")
_ALIKE = ((1.0, 1.0), (0.1, 1.0), (10.0, 1.0), (0.1, 6.0))


def fit(cls: type[C], table: RenewalTable, *, penalty: float) -> Fit[C]:
    """Fit a contractual model; a FitError carries the limiting model where there is no maximum."""
    data = table.data
    _identified(cls, data)
    if data.observed < len(cls.parameters) and penalty == 0:
        raise _too_short(cls, table)
    peak = _climb(cls, data, penalty=penalty)
    if not peak.converged or (penalty == 0 and peak.flat and no_maximum.reaches(_limit(cls, table), peak)):
        raise _no_maximum(cls, table, peak)
    return _wrap(cls, table, peak, penalty=penalty)


def _identified(cls: type[ContractModel], data: Renewals) -> None:
    name = cls.__name__
    if data.customers < 2:
        raise fitting.unidentified(name, f"{data.customers} customer cannot show how customers differ")
    if data.observed == 0:
        raise fitting.unidentified(name, f"none of {data.customers} customers has reached a renewal")
    if data.left == 0:
        raise fitting.unidentified(name, f"none of {data.customers} customers left")
    # Churn that may change with tenure may as well be 0 up to a renewal and 1 at it.
    renewal = float(data.duration[data.churned].min()) if cls.ages else 1.0
    reached, left = (int(number[0]) for number in data.at_risk(np.array([renewal])))
    if reached == left and renewal == 1:
        raise fitting.unidentified(name, f"all {left} customers who reached a renewal left at the first")
    if reached == left:
        raise fitting.unidentified(
            name, f"all {left} customers who reached renewal {renewal:.0f} left at it, and none before"
        )


def _climb(cls: type[C], data: Renewals, *, penalty: float) -> newton.Maximum:
    return newton.highest(
        cls._objective(data, threads=None),
        _starts(cls, data),
        penalty=penalty,
        escaped=cls._runs_away if penalty == 0 else newton.no_escape,
        enough=data.customers >= newton.MANY,
    )


def _starts(cls: type[ContractModel], data: Renewals) -> list[Floats]:
    """A point that the data suggest, and others at which customers are more and less alike, or age faster."""
    reached, left = data.at_risk(np.ones(1))
    start = cls._start(float((left[0] + 1) / (reached[0] + 2)))
    shapes, ages = (np.array([name in names for name in cls.parameters]) for names in (("alpha", "beta"), ("c",)))
    found = [start * np.where(shapes, alike, 1.0) * np.where(ages, aging, 1.0) for alike, aging in _ALIKE]
    return list({tuple(point): point for point in found}.values())


def _wrap(cls: type[C], table: RenewalTable, peak: newton.Maximum, *, penalty: float) -> Fit[C]:
    values: dict[str, Any] = dict(zip(cls.parameters, map(float, cls.from_odds(peak.theta)), strict=True))
    model = cls(**values, **cls._held(table.data))
    found = fitting.outcome(
        model,
        peak,
        customers=table.data.customers,
        penalty=penalty,
        centre=np.zeros(len(cls.parameters)),
        data=table.data,
        excluded={},
        unit=None,
        backend=table.backend,
    )
    return dataclasses.replace(found, diagnostics=(*found.diagnostics, *_misfit(model, table.data)))


def _misfit(model: ContractModel, data: Renewals) -> tuple[str, ...]:
    """The renewal at which churn is furthest from the model, where chance does not explain it."""
    renewals = np.arange(1.0, min(data.observed, 1000) + 1)
    reached, left = data.at_risk(renewals)
    expected = model.hazard(renewals)
    deviation = (left - reached * expected) / np.sqrt(np.maximum(reached * expected * (1 - expected), 1e-300))
    deviation = np.where(reached * expected * (1 - expected) > 1, deviation, 0.0)
    worst = int(np.argmax(np.abs(deviation)))
    if abs(deviation[worst]) < stats.norm.ppf(1 - 0.005 / renewals.size):
        return ()
    return (
        f"Churn at renewal {worst + 1} does not follow the model: {left[worst]:.0f} of {reached[worst]:.0f} customers "
        f"left where it expects {reached[worst] * expected[worst]:.0f}.",
    )


def _limit(cls: type[ContractModel], table: RenewalTable) -> Fit[ContractModel] | None:
    """The best of the simpler models; of those that reach the supremum, the one with the fewest parameters."""
    found: list[Fit[ContractModel]] = []
    for simpler in cls._limits():
        if simpler._possible(table.data) and table.data.observed >= len(simpler.parameters):
            peak = _climb(simpler, table.data, penalty=0.0)
            fit = _wrap(simpler, table, peak, penalty=0.0) if peak.converged else None
            if fit is not None and fit.model._attained():
                found.append(fit)
    return no_maximum.simplest(found)


def _too_short(cls: type[ContractModel], table: RenewalTable) -> FitError:
    number = table.data.observed
    seen = "one renewal has" if number == 1 else f"{number} renewals have"
    best = _limit(cls, table)
    words = f"{cls.__name__}.fit cannot tell its {len(cls.parameters)} parameters apart where {seen} been observed"
    if best is None:
        return FitError(f"{words}. A positive penalty= gives an answer.")
    return FitError(
        f"{words}; {_named(best)} is as likely, and error.limit is its fit. A positive penalty= gives an answer.",
        limit=no_maximum.noted(cls, best),
    )


def _no_maximum(cls: type[ContractModel], table: RenewalTable, peak: newton.Maximum) -> FitError:
    """The likelihood rises towards a simpler model."""
    best = _limit(cls, table)
    where = ", ".join(f"{name} = {value:.4g}" for name, value in zip(cls.parameters, peak.theta, strict=True))
    if best is None or not no_maximum.reaches(best, peak):
        return no_maximum.stopped(cls, peak, where=where)
    return no_maximum.rises(cls, best, towards=_named(best), where=where)


def _named(fit: Fit[ContractModel]) -> str:
    model = fit.model
    at = ", ".join(f"{name} = {value:.4g}" for name, value in model._shown()[1].items())
    return f"{type(model).__name__}({at})"
