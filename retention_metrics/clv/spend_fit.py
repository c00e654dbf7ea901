"""Maximum likelihood for the models of spend, and what to say where there is no maximum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv import fitting, newton, no_maximum
from retention_metrics.clv.fitting import Fit
from retention_metrics.clv.frames import HistoryTable
from retention_metrics.clv.spend_model import Spending, SpendModel, repeat_buyers

Floats = NDArray[np.float64]
S = TypeVar("S", bound=SpendModel)
_ALIKE = 1e-4  # means that differ by no more than this share of themselves are taken for equal
_TIE = 1e-7  # a maximum that little above a limit is taken for it
_PLAIN = 14.0


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where mean spends come from."""

    excluded: Mapping[str, int] = dataclasses.field(default_factory=dict)
    backend: str = "pandas"


def fit(cls: type[S], table: HistoryTable, *, penalty: float, threads: int | None) -> Fit[S]:
    """Fit a model of spend; a FitError carries the limiting model where there is no maximum."""
    data, excluded = repeat_buyers(table)
    origin = Origin({**table.excluded, **excluded}, table.backend)
    return fit_spending(cls, data, origin, penalty=penalty, threads=threads)


def fit_spending(cls: type[S], data: Spending, origin: Origin, *, penalty: float, threads: int | None) -> Fit[S]:
    """Fit to mean spends that were read already."""
    _identified(cls.__name__, data)
    peak = _climb(cls, data, cls._start(data), penalty=penalty, threads=threads)
    if penalty == 0 and (not peak.converged or _flat(peak)):
        limits = _edges(cls, data, origin, threads=threads)
        starts = [cls._beside(limit.model) for limit in limits]
        peak = _highest([peak, *(_climb(cls, data, start, penalty=0.0, threads=threads) for start in starts)])
        best = no_maximum.simplest(limits, within=_TIE)
        if best is not None and no_maximum.reaches(best, peak, within=_TIE if peak.converged else newton.SAME):
            towards = f"{type(best.model).__name__}({_named(type(best.model), best.model.theta)})"
            raise no_maximum.rises(cls, best, towards=towards, where=_named(cls, peak.theta))
    if not peak.converged:
        raise no_maximum.stopped(cls, peak, where=_named(cls, peak.theta))
    return _wrap(cls, data, origin, peak, penalty=penalty)


def _identified(name: str, data: Spending) -> None:
    if data.customers < 2:
        raise fitting.unidentified(name, f"{data.customers} repeat buyers show no difference in spend")
    low, high = float(data.value.min()), float(data.value.max())
    if high - low <= _ALIKE * high:
        raise fitting.unidentified(
            name, f"{data.customers} repeat buyers show no difference in spend, each with a mean of {high:.6g}"
        )


def _centre(cls: type[SpendModel], data: Spending) -> Floats:
    """Log-parameters that the penalty pulls to: 0, and the log of the mean spend for amounts of money."""
    return np.array([np.log(data.mean) if name in cls.money_scales else 0.0 for name in cls.parameters])


def _climb(
    cls: type[SpendModel], data: Spending, start: Floats, *, penalty: float, threads: int | None
) -> newton.Maximum:
    return newton.maximise(
        cls._objective(data, threads=threads),
        start,
        centre=_centre(cls, data),
        penalty=penalty,
        escaped=cls._runs_away if penalty == 0 else newton.no_escape,
    )


def _flat(peak: newton.Maximum) -> bool:
    """Whether the climb stopped on a plain: a standard error that spans a factor of a million."""
    return float(np.diag(peak.log_covariance).max()) > _PLAIN**2


def _edges(cls: type[SpendModel], data: Spending, origin: Origin, *, threads: int | None) -> list[Fit[SpendModel]]:
    """The fits of the simpler models."""
    peaks = [(limit, _climb(limit, data, limit._start(data), penalty=0.0, threads=threads)) for limit in cls._limits()]
    return [_wrap(limit, data, origin, peak, penalty=0.0) for limit, peak in peaks if peak.converged]


def _highest(peaks: list[newton.Maximum]) -> newton.Maximum:
    """The highest of the maxima; the first of the climbs where none is one."""
    return max((peak for peak in peaks if peak.converged), key=lambda peak: peak.log_likelihood, default=peaks[0])


def _wrap(cls: type[S], data: Spending, origin: Origin, peak: newton.Maximum, *, penalty: float) -> Fit[S]:
    from retention_metrics.clv import correlation

    found = fitting.outcome(
        cls(**dict(zip(cls.parameters, map(float, peak.theta), strict=True))),
        peak,
        customers=data.customers,
        penalty=penalty,
        centre=_centre(cls, data),
        data=data,
        excluded=origin.excluded,
        unit=None,
        backend=origin.backend,
    )
    note, doubt = correlation.dependence(data)
    return dataclasses.replace(
        found,
        notes=(*found.notes, note),
        diagnostics=found.diagnostics if doubt is None else (*found.diagnostics, doubt),
    )


def _named(cls: type[SpendModel], theta: Floats) -> str:
    return ", ".join(f"{name} = {value:.4g}" for name, value in zip(cls.parameters, theta, strict=True))
