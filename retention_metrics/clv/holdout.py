"""Models judged by what customers did after the time that they were fitted to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from retention_metrics import _checks
from retention_metrics.clv import frames, histories
from retention_metrics.clv.fitting import required_level
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.regression import at_rows, base_of, columns_of, matrix_of
from retention_metrics.clv.tracking import Predictor, Tracking, purchase_models, tracking
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import unit_days
from retention_metrics.results import Columns, TableResult, result

if TYPE_CHECKING:
    from retention_metrics._engine.adopt import NativeFrame
    from retention_metrics.clv.history import PurchaseHistory

Floats = NDArray[np.float64]
_BLOCK = 16  # numbers of purchases whose probabilities are computed at once
_ROWS = 16_384  # histories at once
_MOST = 1_000_000  # purchases past which no interval is looked for


@result
class Holdout(TableResult):
    """Models beside what customers did in a holdout.

    Attributes
    ----------
    customers : int
        Customers in the calibration.
    by_frequency : Columns
        ``model, frequency`` ("0", "1", …, "7+" repeat purchases before), ``customers, actual, expected`` (purchases per
        customer in the holdout).
    by_recency : Columns
        ``model, recency_from, recency_to`` (time of the last purchase before, both 0 for customers without a repeat
        purchase), ``customers, actual, expected``.
    coverage : Columns
        ``model, level, expected, actual``: the share of customers whose purchases lie in their prediction interval, as
        the model expects it and as it came. The interval cuts at most ``(1 - level) / 2`` off each end; as
        purchases are whole numbers it holds more than ``level``, and ``expected`` says how much.
    tracking : Tracking or None
        Purchases through time, where transactions were given.
    """

    kind: ClassVar[str] = "clv.holdout"

    customers: int
    by_frequency: Columns
    by_recency: Columns
    coverage: Columns
    tracking: Tracking | None

    def explain(self) -> Explanation:
        """The relative error of the first model's total: the last step."""
        first = self.rows()[0]
        return Explanation(
            formula="expected = sum over customers of E[purchases | history]; log_score = mean of log P(purchases that "
            "came | history)",
            values={"expected": float(first["expected"]), "actual": float(first["actual"])},  # type: ignore[arg-type]
            steps=(Step(name="relative_error", expression="expected / actual - 1"),),
            source="Fader, Hardie & Lee (2005), Marketing Science 24(2); Gneiting & Raftery (2007), Journal of the "
            "American Statistical Association 102(477).",
        )


@result
class Ranking(TableResult):
    """Models by their log score in a holdout, the best first.

    Attributes
    ----------
    customers : int
        Customers in the comparison.
    """

    kind: ClassVar[str] = "clv.ranking"

    customers: int

    def explain(self) -> Explanation:
        """The distance of the last model from the best one: the last step."""
        rows = self.rows()
        return Explanation(
            formula="log_score = mean over customers of log P(purchases that came | history); the standard error of a "
            "difference is that of the mean of the customers' differences",
            values={"best": float(rows[0]["log_score"]), "last": float(rows[-1]["log_score"])},  # type: ignore[arg-type]
            steps=(Step(name="difference", expression="last - best"),),
            source="Gneiting & Raftery (2007), Strictly proper scoring rules, Journal of the American Statistical "
            "Association 102(477).",
        )


def holdout(
    fits: Any,
    history: PurchaseHistory | object,
    *,
    transactions: NativeFrame | None = None,
    customer: str | None = None,
    time: str | None = None,
    levels: Sequence[float] = (0.5, 0.8, 0.9, 0.95),
    most: int = 7,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    frequency_holdout: str = "frequency_holdout",
    duration_holdout: str = "duration_holdout",
) -> Holdout:
    """What models expected of each customer after the calibration, beside what came.

    Parameters
    ----------
    fits : Fit or model, sequence or mapping of them
        Models of purchases, with covariates or without, fitted to the calibration; a mapping names them.
    history : PurchaseHistory or dataframe
        From ``rfm_summary`` with ``calibration_end``, or any frame with the columns named below; with the columns of
        the models' covariates beside them.
    transactions : dataframe, optional
        The log behind the history: adds ``tracking`` through time. Covariates are looked for in the history, where it
        has the column ``customer``, or else in the log.
    customer, time : str, optional
        Columns of the log; it needs both.
    levels : sequence of float, default (0.5, 0.8, 0.9, 0.95)
        Probability contents of the prediction intervals, each in (0, 1).
    most : int, default 7
        Customers with this many repeat purchases or more make one class.
    frequency, recency, T, frequency_holdout, duration_holdout : str
        Columns of a plain frame.

    Returns
    -------
    Holdout
        A row per model: ``model, actual, expected`` (total purchases), ``relative_error``, ``mean_absolute_error``,
        ``root_mean_squared_error`` (per customer), ``log_score``; with the tables ``by_frequency``, ``by_recency``,
        ``coverage`` and ``tracking``.

    Raises
    ------
    ColumnError
        If the history has no holdout, or lacks a covariate.
    InputError
        If a history cannot have happened, a holdout has no length, a model counts time in another unit, or a covariate
        is missing or at a level that was not there when the model was fitted.

    Notes
    -----
    Everything is computed on the distinct rows. The log score is the mean of ``log P(n | history)`` at the n that
    came; it rewards a model for its whole distribution, not for its mean alone, and the true model has the highest
    expectation of it [2]_.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way.
       *Marketing Science* 24(2), 275-284, figure 5.
    .. [2] Gneiting, T. & Raftery, A. E. (2007). Strictly proper scoring rules, prediction, and estimation. *Journal of
       the American Statistical Association* 102(477), 359-378.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> before = {"frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 38.86]}
    >>> history = pd.DataFrame({**before, "frequency_holdout": [1, 0], "duration_holdout": 39.0})
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> rm.clv.holdout(model, history).to_frame()[["actual", "expected"]].round(3).values.tolist()
    [[1.0, 1.421]]
    """
    models = purchase_models(fits)
    contents = [required_level(level) for level in levels]
    top = _checks.count(most, name="most", low=1)
    if transactions is not None and (customer is None or time is None):
        raise InputError("customer= and time= name the columns of transactions.", argument="transactions")
    roles = {"frequency": frequency, "recency": recency, "T": T}
    roles |= {"frequency_holdout": frequency_holdout, "duration_holdout": duration_holdout}
    later = _read(history, roles, models)

    found = {name: _Prediction.of(model, later, contents) for name, model in later.models.items()}
    followed = (
        None
        if transactions is None or customer is None or time is None
        else _tracked(models, later, transactions, history, customer=customer, time=time)
    )

    return Holdout(
        columns=_summary(later, found),
        customers=int(later.counts.sum()),
        by_frequency=_by_frequency(later, found, top),
        by_recency=_by_recency(later, found),
        coverage=_coverage(later, found, contents),
        tracking=followed,
        definition="clv.holdout/calibration-and-holdout",
        unit=later.unit or "",
        excluded=later.excluded,
        backend=later.backend,
    )


def rank(
    fits: Any,
    history: PurchaseHistory | object,
    *,
    level: float = 0.95,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    frequency_holdout: str = "frequency_holdout",
    duration_holdout: str = "duration_holdout",
) -> Ranking:
    """Models in the order of their log score in a holdout.

    Parameters
    ----------
    fits : Fit or model, sequence or mapping of them
        Models of purchases, with covariates or without, fitted to the calibration; a mapping names them.
    history : PurchaseHistory or dataframe
        From ``rfm_summary`` with ``calibration_end``, or any frame with the columns named below; with the columns of
        the models' covariates beside them.
    level : float, default 0.95
        Probability content of the intervals of differences, in (0, 1).
    frequency, recency, T, frequency_holdout, duration_holdout : str
        Columns of a plain frame.

    Returns
    -------
    Ranking
        A row per model, the best first: ``rank, model, log_score``, ``difference`` from the best one (at most 0) per
        customer, its ``standard_error`` and ``low, high``; the last three are null for the best itself.

    Raises
    ------
    ColumnError
        If the history has no holdout, or lacks a covariate.
    InputError
        If a history cannot have happened, a holdout has no length, a model counts time in another unit, or a covariate
        is missing or at a level that was not there when the model was fitted.

    Notes
    -----
    The models judge the same customers, so the standard error is that of the mean of the customers' differences: far
    smaller than that of either score. An interval that holds 0 does not tell the two models apart. A model that
    gave what came the probability 0 has the score minus infinity, and its difference no standard error.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> before = {"frequency": [2, 0, 1], "recency": [30.43, 0.0, 12.0], "T": 38.86}
    >>> history = pd.DataFrame({**before, "frequency_holdout": [1, 0, 0], "duration_holdout": 39.0})
    >>> models = [rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426), rm.clv.MBGNBD(r=5, alpha=4, a=0.9, b=1.6)]
    >>> rm.clv.rank(models, history).to_frame()["model"].tolist()
    ['BGNBD', 'MBGNBD']
    """
    models = purchase_models(fits)
    content = required_level(level)
    roles = {"frequency": frequency, "recency": recency, "T": T}
    roles |= {"frequency_holdout": frequency_holdout, "duration_holdout": duration_holdout}
    later = _read(history, roles, models)

    scores = {name: later.log_scores(model) for name, model in later.models.items()}
    means = {name: later.mean(cells) for name, cells in scores.items()}
    ranked = sorted(means, key=lambda name: means[name], reverse=True)
    differences = [_difference(later, scores[name], scores[ranked[0]], content) for name in ranked]

    return Ranking(
        columns=Columns(
            {
                "rank": [*range(1, len(ranked) + 1)],
                "model": ranked,
                "log_score": [means[name] for name in ranked],
                "difference": [cells[0] for cells in differences],
                "standard_error": [None, *(cells[1] for cells in differences[1:])],
                "low": [None, *(cells[2] for cells in differences[1:])],
                "high": [None, *(cells[3] for cells in differences[1:])],
            },
            {"difference": "number", "standard_error": "number", "low": "number", "high": "number"},
        ),
        customers=int(later.counts.sum()),
        definition="clv.rank/log-score",
        unit=later.unit or "",
        excluded=later.excluded,
        backend=later.backend,
    )


def _difference(
    later: _Later, score: Floats, best: Floats, level: float
) -> tuple[float, float | None, float | None, float | None]:
    if not (np.isfinite(score).all() and np.isfinite(best).all()):
        return float(later.mean(score) - later.mean(best)) if np.isfinite(best).all() else 0.0, None, None, None
    apart = score - best
    mean, customers = later.mean(apart), float(later.counts.sum())
    if customers < 2:
        return mean, None, None, None
    variance = float(later.counts @ (apart - mean) ** 2) / (customers - 1)
    error = float(np.sqrt(variance / customers))
    half = float(stats.norm.ppf(0.5 + level / 2)) * error
    return mean, error, mean - half, mean + half


# ---------------------------------------------------------- the distinct rows


@dataclass(frozen=True, eq=False)
class _Later:
    """Distinct histories with what came after them, and what each model is at their covariates."""

    models: dict[str, PurchaseModel]
    x: Floats
    t_x: Floats
    age: Floats
    came: Floats
    horizon: Floats
    counts: Floats
    unit: str | None
    excluded: Any
    backend: str

    def mean(self, values: Floats) -> float:
        """Mean over the customers."""
        return float(self.counts @ values / self.counts.sum())

    def chunks(self) -> list[slice]:
        """Rows a few at a time."""
        return [slice(start, start + _ROWS) for start in range(0, self.x.size, _ROWS)]

    def log_scores(self, model: PurchaseModel) -> Floats:
        """Log-probability of what came, of each row."""
        parts = [
            np.asarray(
                model._of(rows).probability_of_purchases(
                    self.x[rows], self.t_x[rows], self.age[rows], n=self.came[rows], horizon=self.horizon[rows]
                )
            )
            for rows in self.chunks()
        ]
        with np.errstate(divide="ignore"):
            answer: Floats = np.log(np.concatenate(parts))
        return answer


def _read(history: PurchaseHistory | object, roles: dict[str, str], models: dict[str, Predictor]) -> _Later:
    table = frames.adopt(history, {**roles, "counts": None}, covariates=columns_of(*models.values()))
    columns = table.source.arrays(*roles, *table.covariates, counts=True)
    if columns["T"].size == 0:
        raise InputError("the history has no rows.", argument="history", count=0)
    x, t_x, age = histories.check(columns["frequency"], columns["recency"], columns["T"])
    came = _checks.whole(columns["frequency_holdout"], name="frequency_holdout")
    horizon = _checks.floats(columns["duration_holdout"], name="duration_holdout", low=0.0)
    _checks.refuse(horizon == 0, horizon, name="duration_holdout", rule="is above 0")
    for model in models.values():
        base_of(model).check_unit(table.unit)

    cells = {name: columns[role] for role, name in table.covariates.items()}
    given = [matrix_of(model, cells, x.size).T for model in models.values()]
    rows, counts = histories.distinct(
        [x, t_x, age, came, horizon, *(part for own in given for part in own)], columns.get("counts")
    )
    ends = np.cumsum([5, *(len(own) for own in given)])
    own = {
        name: at_rows(model, rows[start:end].T)
        for (name, model), start, end in zip(models.items(), ends[:-1], ends[1:], strict=True)
    }
    x, t_x, age, came, horizon = rows[:5]
    return _Later(own, x, t_x, age, came, horizon, counts, table.unit, table.excluded, table.backend)


@dataclass(frozen=True, eq=False)
class _Prediction:
    """What a model says of each row: expectation, probability of what came, and intervals by level."""

    expected: Floats
    log_score: Floats
    inside: Floats  # whether what came lies in the interval, a row per level
    content: Floats  # probability of the interval, a row per level

    @classmethod
    def of(cls, model: PurchaseModel, later: _Later, levels: Sequence[float]) -> _Prediction:
        expected = np.asarray(model.expected_purchases(later.x, later.t_x, later.age, horizon=later.horizon))
        parts = [_intervals(model, later, rows, levels) for rows in later.chunks()]
        inside, content = (np.concatenate([part[place] for part in parts], axis=1) for place in (0, 1))
        return cls(expected, later.log_scores(model), inside, content)


def _intervals(model: PurchaseModel, later: _Later, rows: slice, levels: Sequence[float]) -> tuple[Floats, Floats]:
    """Prediction intervals by the probabilities of 0, 1, 2, … purchases, added up until each is closed.

    The interval runs from the first n whose distribution function reaches (1 - level) / 2 to the first one at which it
    reaches (1 + level) / 2.
    """
    x, t_x, age, came, horizon = (part[rows] for part in (later.x, later.t_x, later.age, later.came, later.horizon))
    own = model._of(rows)
    tails = np.array([[(1 - level) / 2, (1 + level) / 2] for level in levels])
    ends = np.full((len(levels), 2, x.size), -1.0)  # the interval's ends, found so far
    below = np.zeros((len(levels), 2, x.size))  # the distribution function before the low end, and at the high one
    passed, active = np.zeros(x.size), np.arange(x.size)
    for start in range(0, _MOST, _BLOCK):
        if active.size == 0:
            break
        n = np.arange(start, start + _BLOCK)
        mass = np.asarray(
            own._of((active, None)).probability_of_purchases(
                x[active, None], t_x[active, None], age[active, None], n=n, horizon=horizon[active, None]
            )
        )
        total = passed[active, None] + np.cumsum(mass, axis=1)
        for place, (low, high) in enumerate(tails):
            for side, tail in enumerate((low, high)):
                reached = total >= tail - 1e-12
                new = reached.any(axis=1) & (ends[place, side, active] < 0)
                at = reached.argmax(axis=1)[new]
                ends[place, side, active[new]] = n[at]
                value = total[new, at]
                below[place, side, active[new]] = value - mass[new, at] if side == 0 else value
        passed[active] = total[:, -1]
        active = active[(ends[:, :, active] < 0).any(axis=(0, 1))]
    ends[ends < 0] = np.inf
    inside = ((came >= ends[:, 0]) & (came <= ends[:, 1])).astype(np.float64)
    return inside, below[:, 1] - below[:, 0]


# ---------------------------------------------------------- the tables


def _summary(later: _Later, found: dict[str, _Prediction]) -> Columns:
    actual = float(later.counts @ later.came)
    totals = [float(later.counts @ prediction.expected) for prediction in found.values()]
    return Columns(
        {
            "model": list(found),
            "actual": [int(actual)] * len(found),
            "expected": totals,
            "relative_error": [total / actual - 1 if actual else None for total in totals],
            "mean_absolute_error": [later.mean(np.abs(p.expected - later.came)) for p in found.values()],
            "root_mean_squared_error": [
                float(np.sqrt(later.mean((p.expected - later.came) ** 2))) for p in found.values()
            ],
            "log_score": [later.mean(p.log_score) for p in found.values()],
        },
        {"relative_error": "number"},
    )


def _classes(
    later: _Later, found: dict[str, _Prediction], which: NDArray[np.intp], labels: dict[str, list[Any]]
) -> Columns:
    """Means per customer in classes, a row per model and class that has customers."""
    size = len(next(iter(labels.values())))

    def added(values: Floats) -> Floats:
        return np.bincount(which, weights=later.counts * values, minlength=size).astype(np.float64)

    customers, came = added(np.ones(which.size)), added(later.came)
    kept = np.flatnonzero(customers)
    means = came[kept] / customers[kept]
    expected = [added(prediction.expected)[kept] / customers[kept] for prediction in found.values()]
    return Columns(
        {
            "model": [name for name in found for _ in kept],
            **{name: [cells[k] for k in kept] * len(found) for name, cells in labels.items()},
            "customers": [round(float(customers[k])) for k in kept] * len(found),
            "actual": means.tolist() * len(found),
            "expected": [float(cell) for cells in expected for cell in cells],
        }
    )


def _by_frequency(later: _Later, found: dict[str, _Prediction], most: int) -> Columns:
    which = np.minimum(later.x, most).astype(np.intp)
    return _classes(later, found, which, {"frequency": [*map(str, range(most)), f"{most}+"]})


def _by_recency(later: _Later, found: dict[str, _Prediction], parts: int = 10) -> Columns:
    """Customers without repeat purchase, then tenths of the longest time under observation."""
    width = float(later.age.max()) / parts
    place = np.clip(np.ceil(later.t_x / width), 1, parts) if width else np.ones(later.x.size)
    which = np.where(later.x > 0, place, 0).astype(np.intp)
    starts = [0.0, *(width * k for k in range(parts))]
    stops = [0.0, *(width * (k + 1) for k in range(parts))]
    return _classes(later, found, which, {"recency_from": starts, "recency_to": stops})


def _coverage(later: _Later, found: dict[str, _Prediction], levels: Sequence[float]) -> Columns:
    pairs = [(name, place) for name in found for place in range(len(levels))]
    return Columns(
        {
            "model": [name for name, _ in pairs],
            "level": [float(levels[place]) for _, place in pairs],
            "expected": [later.mean(found[name].content[place]) for name, place in pairs],
            "actual": [later.mean(found[name].inside[place]) for name, place in pairs],
        }
    )


def _tracked(
    models: dict[str, Predictor], later: _Later, transactions: NativeFrame, history: Any, *, customer: str, time: str
) -> Tracking:
    """Purchases through time in the history's unit, to its end, of the customers who came by its calibration's end."""
    unit, until = getattr(history, "unit", None), getattr(history, "as_of", None)
    if unit is None:
        raise InputError("tracking needs a history that knows its unit, from rfm_summary.", argument="transactions")
    held_out = dt.timedelta(days=round(float(later.horizon.max()) * unit_days(unit)))
    return tracking(
        models,
        transactions,
        customer=customer,
        time=time,
        unit=unit,
        as_of=until,
        calibration_end=None if until is None else until - held_out,
        covariates=history if frames.has_column(history, customer) else None,
    )
