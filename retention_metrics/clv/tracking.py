"""Purchases week by week beside what models expected, and one customer's way through time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import timeline
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.clv.comparison import named
from retention_metrics.clv.fitting import Fit
from retention_metrics.clv.history import TimeUnit
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.regression import (
    Regression,
    at_rows,
    base_of,
    columns_of,
    matrix_of,
    of_one_customer,
)
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.periods import Moment, Period, PeriodUnit, date_of, moment, unit_days
from retention_metrics.results import Columns, TableResult, result

Floats = NDArray[np.float64]
Predictor = PurchaseModel | Regression[Any]
"""What says how many purchases to expect of a customer."""
_CELLS = 100_000  # expectations in a working array


@result
class Tracking(TableResult):
    """Repeat purchases through time, those that came and those expected.

    Attributes
    ----------
    customers : int
        Customers who came by the end of calibration.
    as_of : date
        End of observation.
    calibration_end : date or None
        End of the time that the models were fitted to; None where nothing was held out.
    """

    kind: ClassVar[str] = "clv.tracking"

    customers: int
    as_of: dt.date
    calibration_end: dt.date | None

    def explain(self) -> Explanation:
        """The expected purchases of the first model's first period, as a difference of cumulative ones."""
        first = self.rows()[0]
        return Explanation(
            formula="cumulative_expected(t) = sum over customers of E[purchases by t - day of the first one]; "
            "expected = its growth over the period",
            values={"cumulative_expected": float(first["cumulative_expected"]), "cumulative_expected_before": 0.0},  # type: ignore[arg-type]
            steps=(Step(name="expected", expression="cumulative_expected - cumulative_expected_before"),),
            source="Fader, Hardie & Lee (2005), Marketing Science 24(2), figures 3 and 4.",
        )


def tracking(
    fits: Any,
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None = None,
    unit: TimeUnit = "week",
    collapse: PeriodUnit | Period = "day",
    as_of: str | dt.date | None = None,
    calibration_end: str | dt.date | None = None,
    covariates: NativeFrame | CustomerTable | None = None,
) -> Tracking:
    """Repeat purchases by period, beside what models expect.

    Parameters
    ----------
    fits : Fit or model, sequence or mapping of them
        Models of purchases, with covariates or without; a mapping names them.
    transactions : dataframe
        A row per transaction, as in ``rfm_summary``.
    customer, time : str
        Columns of the customer and the time.
    value : str, optional
        Column of the money; rows below zero are no purchases.
    unit : {"day", "week", "month", "quarter", "year"}, default "week"
        Length of a period, and the unit that the models count time in.
    collapse : {"day", "week", "month", "quarter", "year"} or Period, default "day"
        Purchases of a customer within one calendar step count once.
    as_of : date, optional
        End of observation; by default the last day of the log.
    calibration_end : date, optional
        Leaves out customers who came later, and marks the periods after it.
    covariates : dataframe or PurchaseHistory, optional
        A row per customer with the column ``customer`` and those of the models' covariates, such as the history that
        they were fitted to; by default these are columns of ``transactions``.

    Returns
    -------
    Tracking
        A row per model and whole period from the first day of the log: ``model, period`` (1, 2, …), ``end`` (its last
        day), ``actual, expected, cumulative_actual, cumulative_expected, holdout``.

    Raises
    ------
    InputError
        If a model counts time in another unit, the log is shorter than a period, or a customer's covariates are
        missing or not the same in every row.
    ColumnError
        If a column is not there, a covariate among them.

    Notes
    -----
    As in ``rfm_summary`` differences count whole days between dates, here to a period's last day. The expectation
    uses the day on which each customer came and nothing of what the customer did after it, within
    the calibration too: it shows whether a model describes how purchases fade.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way.
       *Marketing Science* 24(2), 275-284.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = ["2024-01-01", "2024-01-10", "2024-01-03", "2024-01-21"]
    >>> log = pd.DataFrame({"who": ["a", "a", "b", "b"], "day": pd.to_datetime(days)})
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> found = rm.clv.tracking(model, log, customer="who", time="day")
    >>> found.to_frame()["cumulative_actual"].tolist()
    [0, 1, 2]
    """
    models = purchase_models(fits)
    length = unit_days(unit)
    for model in models.values():
        base_of(model).check_unit(unit)
    steps = collapse if isinstance(collapse, Period) else Period(collapse)
    end = None if calibration_end is None else Moment(moment(calibration_end, name="calibration_end").day)
    found = timeline.timeline(
        transactions,
        customer=customer,
        time=time,
        value=value,
        collapse=steps,
        as_of=as_of,
        calibration_end=end,
        covariates=columns_of(*models.values()),
        of=covariates,
    )

    start = found.day[0]
    periods = int((found.as_of.day - start + 1) // length)
    if periods < 1:
        raise InputError(f"the log is at least one {unit} long to be tracked by it.", argument="unit")
    ends = length * np.arange(1, periods + 1)
    within = np.searchsorted(found.day - start, ends, side="left")
    actual = np.append(0.0, np.cumsum(found.repeat))[within]
    final = np.ceil(ends) - 1
    expected = {name: _expected(model, found.came, start, length, final) for name, model in models.items()}

    last = [date_of(int(start + day)) for day in final]
    many = len(models)
    return Tracking(
        columns=Columns(
            {
                "model": [name for name in models for _ in ends],
                "period": [*range(1, periods + 1)] * many,
                "end": last * many,
                "actual": [int(number) for number in np.diff(actual, prepend=0.0)] * many,
                "expected": [float(cell) for curve in expected.values() for cell in np.diff(curve, prepend=0.0)],
                "cumulative_actual": [int(number) for number in actual] * many,
                "cumulative_expected": [float(cell) for curve in expected.values() for cell in curve],
                "holdout": [end is not None and day > end.date for day in last] * many,
            }
        ),
        customers=int(found.first.sum()),
        as_of=found.as_of.date,
        calibration_end=None if end is None else end.date,
        definition="clv.tracking/from-the-first-purchase",
        unit=unit,
        excluded=found.excluded,
        backend=found.backend,
    )


def purchase_models(fits: Any) -> dict[str, Predictor]:
    """Models of purchases by name, from models or their fits."""
    given = named(fits, kinds=(Fit, PurchaseModel, Regression), words="a model of purchases or its Fit")
    models = {name: entry.model if isinstance(entry, Fit) else entry for name, entry in given.items()}
    for name, model in models.items():
        if not isinstance(base_of(model), PurchaseModel):
            raise InputError(
                f"fits holds models of purchases; {name} is a {type(base_of(model)).__name__}.", argument="fits"
            )
    return models


def _expected(model: Predictor, came: timeline.Arrivals, start: float, length: float, ends: Floats) -> Floats:
    """Expected purchases by each day, of all customers; one who is not yet there buys nothing."""
    days = ends[:, None] + start
    if not isinstance(model, Regression):
        first, which = np.unique(came.day, return_inverse=True)
        since = np.maximum(days - first, 0.0) / length
        distinct, where = np.unique(since, return_inverse=True)
        bought = np.asarray(model.expected_purchases_new(horizon=distinct))[where].reshape(since.shape)
        return np.asarray(bought @ np.bincount(which, weights=came.customers))
    total, block = np.zeros(ends.size), max(1, _CELLS // ends.size)
    own = at_rows(model, matrix_of(model, came.covariates, came.day.size))
    for first_row in range(0, came.day.size, block):
        rows = slice(first_row, first_row + block)
        since = np.maximum(days - came.day[rows], 0.0) / length
        total += own._of(rows).expected_purchases_new(horizon=since) @ came.customers[rows]
    return total


@result
class AlivePath(TableResult):
    """Probability that one customer is alive, day by day.

    Attributes
    ----------
    who : str
        The customer.
    purchases : int
        Days with a purchase, the first one included.
    """

    kind: ClassVar[str] = "clv.alive_path"

    who: str
    purchases: int

    def explain(self) -> Explanation:
        """How each day is seen."""
        return Explanation(
            formula="each day: P(alive | purchases so far, time of the last one, time since the first one)",
            values={"purchases": self.purchases},
            steps=(),
            source="Fader, Hardie & Lee (2005), Marketing Science 24(2); the model's own formula.",
        )


def alive_path(
    model: Predictor | Fit[Any],
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    who: object,
    value: str | None = None,
    unit: TimeUnit | None = None,
    collapse: PeriodUnit | Period = "day",
    as_of: str | dt.date | None = None,
    covariates: NativeFrame | CustomerTable | Mapping[str, Any] | None = None,
) -> AlivePath:
    """Probability that one customer is alive, day by day.

    Parameters
    ----------
    model : BGNBD, Regression or Fit
        Any model of purchases, with covariates or without.
    transactions : dataframe
        A row per transaction, as in ``rfm_summary``.
    customer, time : str
        Columns of the customer and the time.
    who : object
        The customer: a value of that column.
    value : str, optional
        Column of the money; rows below zero are no purchases.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of the model's time; by default the model's own.
    collapse : {"day", "week", "month", "quarter", "year"} or Period, default "day"
        Purchases within one calendar step count once.
    as_of : date, optional
        End of observation; by default the last day of the log.
    covariates : mapping of str to float or str, dataframe or PurchaseHistory, optional
        The customer's covariates, or a frame with the column ``customer`` and those of the model's covariates, such as
        the history that it was fitted to; by default these are columns of ``transactions``.

    Returns
    -------
    AlivePath
        A row per day from the first purchase to the end of observation: ``day, since_first`` (in the unit),
        ``frequency`` (repeat purchases so far), ``probability_alive`` at the day's end, ``purchase``.

    Raises
    ------
    InputError
        If the customer bought nothing, the unit is unknown, or a covariate is missing or not the same in every row.
    ColumnError
        If a column is not there, a covariate among them.

    Notes
    -----
    Each day is judged by what was known on it. The path falls in silence and jumps back with a purchase.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-15"])
    >>> log = pd.DataFrame({"who": ["a", "a", "a"], "day": days})
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> path = rm.clv.alive_path(model, log, customer="who", time="day", who="a", as_of="2024-03-31")
    >>> path.to_frame()["probability_alive"].iloc[[0, 14, -1]].round(2).tolist()
    [1.0, 0.81, 0.32]
    """
    (given,) = purchase_models(model).values()
    known = unit or given.unit
    if known is None:
        raise InputError("unit is that of the model, which does not say its own; got None.", argument="unit")
    base_of(given).check_unit(known)
    steps = collapse if isinstance(collapse, Period) else Period(collapse)
    days, until, backend = timeline.purchase_days(
        transactions, customer=customer, time=time, value=value, collapse=steps, as_of=as_of, who=who
    )
    told = covariates
    if isinstance(given, Regression) and not isinstance(covariates, Mapping):
        frame = transactions if covariates is None else covariates
        told = timeline.covariates_of(frame, given.encoding.columns, customer=customer, who=who)
    chosen: PurchaseModel = of_one_customer(given, told)

    today = np.arange(days[0], until.day + 1)
    so_far = np.searchsorted(days, today, side="right") - 1
    length = unit_days(known)
    recency, age = (days[so_far] - days[0]) / length, (today - days[0]) / length
    alive = np.asarray(chosen.probability_alive(so_far, recency, age))

    return AlivePath(
        columns=Columns(
            {
                "day": [date_of(int(day)) for day in today],
                "since_first": age.tolist(),
                "frequency": [int(number) for number in so_far],
                "probability_alive": alive.tolist(),
                "purchase": np.isin(today, days).tolist(),
            }
        ),
        who=str(who),
        purchases=int(days.size),
        definition="clv.alive_path/daily",
        unit=known,
        notes=chosen.notes,
        backend=backend,
    )
