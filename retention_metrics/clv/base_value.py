"""What a base of customers is worth in total, and what a new customer is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import frames, predictive
from retention_metrics.clv.fitting import Fit, Spread
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.regression import at_rows, base_of, columns_of, matrix_of
from retention_metrics.clv.value import (
    PurchasePosterior,
    Purchases,
    Spend,
    SpendPosterior,
    Timing,
    models_of,
    notes_of,
    posteriors_of,
)
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Interval, Result, result

if TYPE_CHECKING:
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.spend_model import SpendModel

Floats = NDArray[np.float64]
Total = Callable[[Any, Any], Floats]
"""Value as a function of the two models, a 0-d array."""


@result
class TotalValue(Result):
    """Expected discounted value of all customers together.

    Attributes
    ----------
    customers : int
        Customers in the sum.
    expected_purchases : float
        Their discounted expected purchases.
    horizon : float
        Time ahead, in the unit of the history.
    discount_rate : float
        Effective rate per unit of the history.
    """

    kind: ClassVar[str] = "clv.total_value"

    customers: int
    expected_purchases: float
    horizon: float
    discount_rate: float

    def explain(self) -> Explanation:
        """The total as customers times their mean value: the last step."""
        return Explanation(
            formula="total = sum over customers of margin * discounted expected purchases * expected spend",
            values={"customers": self.customers, "mean_value": (self.estimate or 0.0) / self.customers},
            steps=(Step(name="total", expression="customers * mean_value"),),
            source="Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4).",
        )


@result
class NewCustomerValue(Result):
    """Expected discounted value of a customer who has just made the first purchase.

    Attributes
    ----------
    expected_purchases : float
        Discounted expected repeat purchases.
    expected_value : float
        Expected spend per purchase, in money.
    margin : float
        Share of spend that is kept.
    horizon : float
        Time after the first purchase, in the models' unit.
    discount_rate : float
        Effective rate per unit of time.
    """

    kind: ClassVar[str] = "clv.new_customer_value"

    expected_purchases: float
    expected_value: float
    margin: float
    horizon: float
    discount_rate: float

    def explain(self) -> Explanation:
        """The value as a product: the last step."""
        return Explanation(
            formula="value = margin * discounted expected repeat purchases * expected spend per purchase",
            values={
                "margin": self.margin,
                "expected_purchases": self.expected_purchases,
                "expected_value": self.expected_value,
            },
            steps=(Step(name="value", expression="margin * expected_purchases * expected_value"),),
            source="Fader, Hardie & Lee (2005), RFM and CLV, Journal of Marketing Research 42(4).",
        )


def total_value(
    purchases: Purchases | PurchasePosterior,
    spend: Spend | SpendPosterior,
    history: PurchaseHistory | object,
    *,
    horizon: float,
    discount_rate: float = 0.0,
    margin: float | str = 1.0,
    timing: Timing = "continuous",
    level: float | None = 0.95,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    monetary_value: str = "monetary_value",
    counts: str | None = None,
) -> TotalValue:
    """Expected discounted value of all customers of a history, with an interval.

    Parameters
    ----------
    purchases : BGNBD, Regression, Fit or Posterior
        Model of purchases, or any of its kind, with covariates or without.
    spend : GammaGamma, Regression, Fit or Posterior
        Model of spend per purchase, with covariates or without; a Posterior with a Posterior.
    history : PurchaseHistory or dataframe
        From ``rfm_summary`` or ``history``, or any frame with the columns named below; with the columns of the models'
        covariates beside them.
    horizon : float
        Time ahead of each customer's T, in the unit of the history, at least 0; infinite only with a discount.
    discount_rate : float, default 0
        Effective rate per unit of the history.
    margin : float or str, default 1
        Share of spend that is kept, at least 0, or the column that holds each customer's.
    timing : {"continuous", "end_of_period"}, default "continuous"
        As in ``lifetime_value``.
    level : float or None, default 0.95
        Probability content of the interval, in (0, 1); it needs two Fits or two Posteriors. None for none.
    frequency, recency, T, monetary_value : str
        Columns of a plain frame.
    counts : str, optional
        Column with the number of customers that share a row; one each by default.

    Returns
    -------
    TotalValue
        ``estimate`` in money: the sum of ``lifetime_value``'s column.

    Raises
    ------
    InputError
        As in ``lifetime_value``.

    Notes
    -----
    The customers share the models' parameters, so that their errors do not average out: the interval is that of the
    sum, by the delta method on its log, and far wider than independent customers' would be. It is for the expected
    total; what customers will happen to do comes on top, which matters where they are few. Two Posteriors are taken
    for independent, as in ``lifetime_value``: the total is summed within each of 500 draws, and the interval is between
    their quantiles.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> history = pd.DataFrame({"frequency": [2, 0], "recency": [30.43, 0], "T": 38.86, "monetary_value": [22.35, 0]})
    >>> purchases = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> spend = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> round(rm.clv.total_value(purchases, spend, history, horizon=39).estimate, 2)
    37.11
    """
    reach, force, when = _checked(horizon, discount_rate, timing)
    content = _checks.level(level)
    models = models_of(purchases, spend)
    buying, spending = models
    by_column = isinstance(margin, str)
    kept = 1.0 if by_column else _checks.non_negative(margin, name="margin")
    roles = {"frequency": frequency, "recency": recency, "T": T, "monetary_value": monetary_value, "counts": counts}
    roles |= {"margin": margin if isinstance(margin, str) else None}
    table = frames.adopt(history, roles, covariates=columns_of(*models))
    base_of(buying).check_unit(table.unit)
    rows = table.valued()
    base_of(spending).expected_value(rows.x, rows.value)  # refuses repeat buyers without money

    worth = rows.counts * (rows.margin if rows.margin is not None else kept)
    money = worth * np.where(rows.x > 0, rows.value, 0.0)
    matrices = [matrix_of(model, rows.cells, rows.x.size) for model in models]
    base = predictive.Base(rows.x, rows.t_x, rows.age, worth, money, rows.counts, *matrices)
    found = _valued(purchases, spend, base, (reach, force, when), content)

    return TotalValue(
        estimate=found.estimate,
        interval=found.interval,
        unit="money",
        definition=f"clv.total_value/{when}{found.method}",
        excluded=table.excluded,
        notes=(*base_of(buying).notes, *notes_of(spend), *found.notes),
        backend=table.backend,
        customers=int(rows.counts.sum()),
        expected_purchases=found.purchases,
        horizon=reach,
        discount_rate=float(discount_rate),
    )


def new_customer_value(
    purchases: Purchases | PurchasePosterior,
    spend: Spend | SpendPosterior,
    *,
    horizon: float,
    discount_rate: float = 0.0,
    margin: float = 1.0,
    timing: Timing = "continuous",
    level: float | None = 0.95,
    covariates: Mapping[str, Any] | None = None,
) -> NewCustomerValue:
    """Expected discounted value of a customer who has just made the first purchase.

    Parameters
    ----------
    purchases : BGNBD, Regression, Fit or Posterior
        Model of purchases, or any of its kind, with covariates or without.
    spend : GammaGamma, Regression, Fit or Posterior
        Model of spend per purchase, with covariates or without; a Posterior with a Posterior.
    horizon : float
        Time after the first purchase, in the model's unit, at least 0; infinite only with a discount.
    discount_rate : float, default 0
        Effective rate per unit of time.
    margin : float, default 1
        Share of spend that is kept, at least 0.
    timing : {"continuous", "end_of_period"}, default "continuous"
        As in ``lifetime_value``.
    level : float or None, default 0.95
        Probability content of the interval, in (0, 1); it needs two Fits or two Posteriors. None for none.
    covariates : mapping of str to float or str, optional
        The customer's covariates, where a model has some.

    Returns
    -------
    NewCustomerValue
        ``estimate`` in money: what a customer is worth before anything but the first purchase is known, and so the
        most that a purchase of customers can pay back. The first purchase itself is not in it.

    Raises
    ------
    InputError
        If an argument is out of range, the sum diverges, the mean spend across customers is infinite (q of at most 1),
        or a covariate is not given.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> purchases = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> spend = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> round(rm.clv.new_customer_value(purchases, spend, horizon=78, margin=0.3).estimate, 2)
    19.66
    """
    reach, force, when = _checked(horizon, discount_rate, timing)
    content, kept = _checks.level(level), _checks.non_negative(margin, name="margin")
    models = models_of(purchases, spend)
    none, one = np.zeros(1), np.ones(1)
    matrices = [matrix_of(model, covariates or {}, 1) for model in models]
    base = predictive.Base(none, none, none, one, none, one, *matrices)
    found = _valued(purchases, spend, base, (reach, force, when), content)
    ends = found.interval

    return NewCustomerValue(
        estimate=kept * found.estimate,
        interval=None if ends is None else dataclasses.replace(ends, low=kept * ends.low, high=kept * ends.high),
        unit="money",
        definition=f"clv.new_customer_value/{when}{found.method}",
        notes=(*notes_of(spend), *found.notes),
        expected_purchases=found.purchases,
        expected_value=found.spend,
        margin=kept,
        horizon=reach,
        discount_rate=float(discount_rate),
    )


def _checked(horizon: object, discount_rate: object, timing: str) -> tuple[float, float, Timing]:
    reach = _checks.number(horizon, name="horizon", low=0.0, allow_infinite=True)
    force = float(np.log1p(_checks.non_negative(discount_rate, name="discount_rate")))
    when: Timing = _checks.choice(timing, ("continuous", "end_of_period"), name="timing")
    if when == "end_of_period" and np.isinf(reach):
        raise InputError("horizon is finite with timing='end_of_period'; got inf.", argument="horizon")
    return reach, force, when


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """The value of a base with its interval, its discounted purchases, and what it spends at a purchase of everyone."""

    estimate: float
    interval: Interval | None
    purchases: float
    spend: float
    notes: tuple[str, ...] = ()
    method: str = ""


def _valued(
    purchases: object, spend: object, base: predictive.Base, how: tuple[float, float, Timing], level: float | None
) -> _Found:
    """The value of a base from models, fits or posteriors."""
    base, posteriors = base.gathered(), posteriors_of(purchases, spend)
    if posteriors is not None:
        drawn = predictive.PosteriorTotal.of(*posteriors, base, how)
        return _Found(drawn.estimate, drawn.interval(level), drawn.expected_purchases, drawn.spend, method="/posterior")
    models = models_of(purchases, spend)

    def bought(given: Any) -> Floats:
        model: PurchaseModel = at_rows(given, base.buying)
        return model._alive(base.x, base.t_x, base.age) * model._ahead(base.x, base.t_x, base.age, *how)

    def total(first: Any, second: Any) -> Floats:
        return np.asarray(bought(first) @ _spent(second, base))

    estimate = float(total(*models))
    interval, notes = _interval(purchases, spend, models, total, estimate, level)
    spending = float(_spent(models[1], base).sum())
    return _Found(estimate, interval, float(bought(models[0]) @ base.counts), spending, notes)


def _spent(given: Any, base: predictive.Base) -> Floats:
    model: SpendModel = at_rows(given, base.spending)
    if not np.isfinite(model._mean(base.x, np.zeros(base.x.shape))).all():
        raise InputError(
            f"the spend model's q is above 1 where customers have made few purchases; got q = {model.q:.4g}, with "
            "which a mean spend is infinite.",
            argument="spend",
        )
    return base.spent(model)


def _interval(
    purchases: object, spend: object, models: tuple[Any, Any], total: Total, estimate: float, level: float | None
) -> tuple[Interval | None, tuple[str, ...]]:
    """Normal on the log of the value; both models' parameters move, those of one do not with the other's."""
    if level is None:
        return None, ()
    if not (isinstance(purchases, Fit) and isinstance(spend, Fit)):
        return None, ("No interval: models alone do not say how uncertain they are; give two Fits.",)
    if estimate == 0:
        return Interval(low=0.0, high=0.0, level=level, method="delta-log"), ()
    buying, spending = models

    def log_of(value: Floats) -> Floats:
        return np.asarray(np.log(value))

    by_purchases = Spread(buying, purchases.log_covariance, level)
    by_spend = Spread(spending, spend.log_covariance, level)
    variance = by_purchases.variance(lambda model: log_of(total(model, spending)))
    variance = variance + by_spend.variance(lambda model: log_of(total(buying, model)))
    low, high = by_purchases.around_log(np.asarray(estimate), variance)
    return Interval(low=float(low), high=float(high), level=level, method="delta-log"), ()
