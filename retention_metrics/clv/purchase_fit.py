"""Maximum likelihood for the purchase models, and what to say where there is no maximum."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv import diagnosis, fitting, newton, no_maximum
from retention_metrics.clv.held_model import HeldModel
from retention_metrics.clv.histories import Histories
from retention_metrics.errors import FitError

if TYPE_CHECKING:
    from retention_metrics.clv.fitting import Fit
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.purchase_model import PurchaseModel

Floats = NDArray[np.float64]
P = TypeVar("P", bound="PurchaseModel")
_SAMPLE = 10_000  # rows of the sample whose fit starts the climb on a large table
_FEW = 200  # rows of a table that may have two maxima, and whose climbs cost little


def fit(cls: type[P], table: HistoryTable, *, penalty: float, threads: int | None) -> Fit[P]:
    """Fit a purchase model; a FitError carries the limiting model where there is no maximum."""
    origin = Origin(table.unit, table.excluded, table.backend)
    return fit_histories(cls, table.histories(), origin, penalty=penalty, threads=threads)


@dataclasses.dataclass(frozen=True, slots=True)
class Origin:
    """Where histories come from."""

    unit: str | None = None
    excluded: Mapping[str, int] = dataclasses.field(default_factory=dict)
    backend: str = "pandas"


def fit_histories(cls: type[P], histories: Histories, origin: Origin, *, penalty: float, threads: int | None) -> Fit[P]:
    """Fit to histories that were read already."""
    identified(cls.__name__, histories)
    if not cls._possible(histories):
        raise FitError(f"{cls.__name__}.fit fails: {cls.impossible}.")
    cls = cls._settled(histories, threads=threads)
    centre = _centre(cls, histories)
    ends = _climb(cls, histories, centre=centre, penalty=penalty, threads=threads)
    inside, top = _inside(ends), max(ends, key=lambda end: end.height)
    if inside is None or top.height > inside.height + newton.SAME:
        error = _no_maximum(cls, origin, histories, top, threads=threads)
        if inside is None or error.limit is not None:
            raise error
    return _wrap(cls, origin, histories, inside, centre=centre, penalty=penalty)


def identified(name: str, histories: Histories) -> None:
    if histories.customers < 2:
        raise fitting.unidentified(name, f"{histories.customers} customer cannot show how customers differ")
    if not histories.T.any():
        raise fitting.unidentified(name, "T is 0 for every customer")
    weights = histories.frequency if histories.counts is None else histories.frequency * histories.counts
    if not weights.any():
        raise fitting.unidentified(name, f"none of {histories.customers} customers made a repeat purchase")


def _centre(cls: type[P], histories: Histories) -> Floats:
    """Log-parameters that the penalty pulls to: 0, the log of the mean T for time scales, minus it for rates."""
    log_age = float(np.log(np.average(histories.T, weights=histories.counts)))
    return np.array([log_age * ((name in cls.time_scales) - (name in cls.time_rates)) for name in cls.parameters])


def _climb(
    cls: type[P],
    histories: Histories,
    *,
    centre: Floats,
    penalty: float,
    threads: int | None,
    beside: Mapping[str, float] | None = None,
) -> list[newton.Maximum]:
    """Climb from a point that the data suggest; from others, ``beside`` first, where that one leads out of the region.

    ``beside`` are parameters of another model, in the scale of ``to_odds``. A few histories may have two maxima, the
    one of rates that differ widely and the other of many customers who leave early; all ends of climbs are given.
    """
    objective = cls._objective(histories, threads=threads)
    escaped = cls._runs_away if penalty == 0 else newton.no_escape

    def climb(start: Floats) -> newton.Maximum:
        return newton.maximise(objective, start, centre=centre, penalty=penalty, escaped=escaped)

    start = cls._start(histories.rate)
    ends = [climb(_near(cls, histories, start, centre=centre, penalty=penalty))]
    timeless = np.array([name not in cls.time_scales + cls.time_rates for name in cls.parameters])
    others = [np.where(timeless, shapes * start, start) for shapes in (0.1, 10.0) if cls._limits()]
    if beside and set(cls.parameters) <= set(beside):
        others.insert(0, np.array([beside[name] for name in cls.parameters]))
    for other in others:
        if _inside(ends) is None:
            ends.append(climb(other))
    if _inside(ends) and histories.T.size <= _FEW:
        ends += [climb(other) for other in cls._other_starts(histories.rate)]
    return ends


def _inside(ends: Sequence[newton.Maximum]) -> newton.Maximum | None:
    """The highest of the maxima among the ends of climbs."""
    return max((end for end in ends if end.converged), key=lambda end: end.height, default=None)


def _near(cls: type[P], histories: Histories, start: Floats, *, centre: Floats, penalty: float) -> Floats:
    """The maximum of a sample, from which a large table needs two steps: every hundredth row, then every tenth."""
    rows = histories.T.size
    for size in (_SAMPLE, rows // 10):
        if rows <= 4 * size:
            break
        sample = histories.every(rows // size)
        near = newton.maximise(
            cls._objective(sample, threads=1),
            start,
            centre=centre,
            penalty=penalty * sample.customers / histories.customers,
            escaped=cls._runs_away,
            tolerance=1e-2,
        )
        start = near.theta if near.converged else start
    return start


def _wrap(
    cls: type[P], origin: Origin, histories: Histories, peak: newton.Maximum, *, centre: Floats, penalty: float
) -> Fit[P]:
    values: dict[str, Any] = dict(zip(cls.parameters, map(float, cls.from_odds(peak.theta)), strict=True))
    model = cls(**values | {"unit": origin.unit})
    found = fitting.outcome(
        model,
        peak,
        customers=histories.customers,
        penalty=penalty,
        centre=centre,
        data=histories,
        excluded=origin.excluded,
        unit=origin.unit,
        backend=origin.backend,
    )
    return dataclasses.replace(
        found,
        diagnostics=(*found.diagnostics, *diagnosis.doubts(model, histories, peak.log_covariance)),
        notes=(*found.notes, *diagnosis.remarks(histories, origin.unit)),
    )


def _ended(cls: type[P], peak: newton.Maximum) -> dict[str, float]:
    """Where a climb ended, in the words of the simpler models too: one rate, or hazard, is the mean of gamma ones."""
    at = dict(zip(cls.parameters, map(float, peak.theta), strict=True))
    if "r" in at:
        at["rate"] = at["r"] / at["alpha"]
    if "s" in at:
        at["eta"] = at["s"] / at["beta"]
        at["mu"] = at["eta"] * at.get("b", 1.0)
    return at


def _no_maximum(
    cls: type[P], origin: Origin, histories: Histories, peak: newton.Maximum, *, threads: int | None
) -> FitError:
    """The likelihood rises towards a simpler model: fit the best of those that can be its limit."""
    found: list[Fit[PurchaseModel]] = []
    ended = _ended(cls, peak)
    for known in cls._limits():
        if not known._possible(histories):
            continue
        simpler = known._settled(histories, threads=threads)
        centre = _centre(simpler, histories)
        limit = _inside(_climb(simpler, histories, centre=centre, penalty=0.0, threads=threads, beside=ended))
        if limit is not None:
            found.append(_wrap(simpler, origin, histories, limit, centre=centre, penalty=0.0))
    best = no_maximum.simplest(found)
    where = ", ".join(f"{name} = {value:.4g}" for name, value in zip(cls.parameters, peak.theta, strict=True))
    if best is None or not no_maximum.reaches(best, peak):
        return no_maximum.stopped(cls, peak, where=where)
    model = best.model
    held = (model.held,) if isinstance(model, HeldModel) else ()
    at = ", ".join(f"{name} = {getattr(model, name):.4g}" for name in (*model.parameters, *held))
    return no_maximum.rises(cls, best, towards=f"{type(model).__name__}({at})", where=where)
