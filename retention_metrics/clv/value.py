"""Lifetime value: what customers will buy, times what they spend, discounted."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import frames, predictive
from retention_metrics.clv.fitting import Fit, Spread
from retention_metrics.clv.gamma_gamma import GammaGamma, Money
from retention_metrics.clv.model import Model
from retention_metrics.clv.posterior import Posterior
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Result, result

if TYPE_CHECKING:
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.history import PurchaseHistory

Floats = NDArray[np.float64]
Timing = Literal["continuous", "end_of_period"]
K = TypeVar("K", bound=Model)


def lifetime_value(
    purchases: PurchaseModel | Fit[PurchaseModel] | Posterior[PurchaseModel],
    spend: GammaGamma | Fit[GammaGamma] | Posterior[GammaGamma],
    history: PurchaseHistory | object,
    *,
    horizon: float | Sequence[float] | Floats,
    discount_rate: float = 0.0,
    margin: float | str = 1.0,
    timing: Timing = "continuous",
    level: float | None = None,
    split: bool = False,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    monetary_value: str = "monetary_value",
) -> CustomerTable:
    """Expected discounted value of what each customer will buy.

    Parameters
    ----------
    purchases : BGNBD, Fit or Posterior
        Model of purchases, one of its kind.
    spend : GammaGamma, Fit or Posterior
        Model of spend per purchase; a Posterior with a Posterior.
    history : PurchaseHistory or dataframe
        From ``rfm_summary`` or ``history``, or any frame with the columns named below.
    horizon : float or array_like of float
        Time ahead of each customer's T, in the unit of the history, at least 0; infinite only with a discount. Several
        horizons give a column each.
    discount_rate : float, default 0
        Effective rate per unit of the history: for a yearly rate d and weeks, ``(1 + d)**(7 / 365.25) - 1``.
    margin : float or str, default 1
        Share of spend that is kept, at least 0, or the column that holds each customer's.
    timing : {"continuous", "end_of_period"}, default "continuous"
        ``"continuous"`` discounts each purchase from its own time, so that the value does not depend on the unit;
        ``"end_of_period"`` discounts all purchases of a unit of time from the unit's end, the convention of the
        lifetimes package.
    level : float, optional
        Probability content of intervals ``clv_low, clv_high``, in (0, 1); needs two Fits or two Posteriors.
    split : bool, default False
        Add ``expected_purchases`` (discounted like the value) and ``expected_value`` (spend per purchase), whose
        product with the margin is the value.
    frequency, recency, T, monetary_value : str
        Columns of a plain frame.

    Returns
    -------
    CustomerTable
        The history's columns with ``clv``, in money, in the caller's kind of frame. With several horizons the columns
        are ``clv_12``, ``clv_52`` and so on, and a split's ``expected_purchases_12``, ``expected_purchases_52``.

    Raises
    ------
    InputError
        If a history cannot have happened, an argument is out of range, the unit of the model is not that of the
        history, or the mean spend of a customer is infinite (without repeat purchase it is for q of at most 1).

    Notes
    -----
    ``margin * E[spend per purchase] * integral of (1 + discount_rate)**-t dE[purchases by T + t]``, with purchases
    and spend independent. Intervals carry the uncertainty of both models' parameters by the delta method on the
    log scale; they are for the expectation, not for what a single customer will do. With two Posteriors, taken for
    independent, the value is the mean over their draws, of which 500 are used, and the interval is between quantiles.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using iso-value curves for customer
       base analysis. *Journal of Marketing Research* 42(4), 415-430.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> history = pd.DataFrame({"frequency": [2], "recency": [30.43], "T": [38.86], "monetary_value": [22.35]})
    >>> purchases = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> spend = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> rm.clv.lifetime_value(purchases, spend, history, horizon=39).to_frame()["clv"].round(2).tolist()
    [30.24]
    """
    horizons = _horizons(horizon)
    force = float(np.log1p(_checks.non_negative(discount_rate, name="discount_rate")))
    by_column, content = isinstance(margin, str), _checks.level(level)
    kept = 1.0 if by_column else _checks.non_negative(margin, name="margin")
    when: Timing = _checks.choice(timing, ("continuous", "end_of_period"), name="timing")
    _check_kinds(purchases, spend)
    posteriors = _posteriors(purchases, spend)
    buying, buying_spread = _model(purchases, content, name="purchases")
    spending, spending_spread = _model(spend, content, name="spend")
    if when == "end_of_period" and np.isinf(max(horizons.values())):
        raise InputError("horizon is finite with timing='end_of_period'; got inf.", argument="horizon")
    roles = {"frequency": frequency, "recency": recency, "T": T, "monetary_value": monetary_value}
    table = frames.adopt(history, roles | ({"margin": margin} if isinstance(margin, str) else {}))
    table.needs_money()
    table.check_margin()
    buying.check_unit(table.unit)
    if posteriors is not None:
        if list(horizons) != [""] or by_column or split:
            raise InputError(
                "Posteriors give value over one horizon, with margin= a number and without split=.",
                argument="purchases",
            )
        options: dict[str, Any] = {"force": force, "margin": kept, "timing": when, "level": content}
        return predictive.lifetime_value(*posteriors, table, horizon=horizons[""], **options)

    money = Money(spending, spending_spread)

    def compute(x: Floats, t_x: Floats, age: Floats) -> dict[str, Floats]:
        alive, found = buying._alive(x, t_x, age), money.parts(x)
        for suffix, ahead in horizons.items():
            bought = alive * buying._ahead(x, t_x, age, ahead, force, when)
            found[f"_worth{suffix}"] = kept * bought * found["_share"]
            if split:
                found[f"expected_purchases{suffix}"] = bought
            if buying_spread is not None:
                found[f"_variance{suffix}"] = buying_spread.variance(
                    operator.methodcaller("_log_expected", x, t_x, age, ahead, force, when)
                )
        return found

    def formula(by: Mapping[str, Any]) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        if split:
            columns["expected_value"] = money.estimate(by, by["_share"])
        for suffix in horizons:
            found = money.columns(f"clv{suffix}", by, by[f"_worth{suffix}"], by.get(f"_variance{suffix}"))
            columns |= {name: cells * by["margin"] for name, cells in found.items()} if by_column else found
        return columns

    return table.with_answers(compute, definition=f"clv.lifetime_value/{when}", notes=buying.notes, formula=formula)


def _horizons(horizon: object) -> dict[str, float]:
    """Horizons by the suffix of their columns: none for a single one."""
    if np.ndim(horizon) == 0:  # type: ignore[arg-type]
        return {"": _checks.number(horizon, name="horizon", low=0.0, allow_infinite=True)}
    listed = _checks.floats(horizon, name="horizon", low=0.0, allow_infinite=True)  # type: ignore[arg-type]
    found = {f"_{ahead:.12g}": float(ahead) for ahead in listed.reshape(-1)}
    if not found or len(found) < listed.size:
        raise InputError(f"horizon holds different lengths of time, at least one; got {horizon!r}.", argument="horizon")
    return found


def _check_kinds(purchases: object, spend: object) -> None:
    for name, given, kind in (("purchases", purchases, PurchaseModel), ("spend", spend, GammaGamma)):
        model = given.model if isinstance(given, (Fit, Posterior)) else given
        if not isinstance(model, kind):
            raise InputError(f"{name} is a {kind.__name__} or its Fit; got {type(model).__name__}.", argument=name)


def _posteriors(purchases: object, spend: object) -> tuple[Posterior[PurchaseModel], Posterior[GammaGamma]] | None:
    """Both where both are posteriors, none where none is."""
    given = [isinstance(one, Posterior) for one in (purchases, spend)]
    if not any(given):
        return None
    if not (isinstance(purchases, Posterior) and isinstance(spend, Posterior)):
        name = "spend" if given[0] else "purchases"
        raise InputError(f"{name} is a Posterior where the other model is one.", argument=name)
    return purchases, spend


def _model(given: K | Fit[K] | Posterior[K], level: float | None, *, name: str) -> tuple[K, Spread[K] | None]:
    model: K = given.model if isinstance(given, (Fit, Posterior)) else given
    if level is None or isinstance(given, Posterior):
        return model, None
    if not isinstance(given, Fit):
        raise InputError(
            f"level={level} needs the uncertainty of a Fit; {name} is a {type(model).__name__} alone.", argument=name
        )
    return model, Spread(model, given.log_covariance, level)


@result
class SimpleValue(Result):
    """Value of a customer by the textbook formula.

    Attributes
    ----------
    margin : float
        Margin per period, in money.
    retention_rate : float
        Share of customers kept from one period to the next.
    discount_rate : float
        Effective rate per period.
    """

    kind = "clv.simple_value"

    margin: float
    retention_rate: float
    discount_rate: float

    def explain(self) -> Explanation:
        """The geometric sum and its value."""
        return Explanation(
            formula="value = margin * (1 + discount_rate) / (1 + discount_rate - retention_rate)",
            values={
                "margin": self.margin,
                "retention_rate": self.retention_rate,
                "discount_rate": self.discount_rate,
            },
            steps=(
                Step(name="kept_present", expression="retention_rate / (1 + discount_rate)"),
                Step(name="value", expression="margin / (1 - kept_present)"),
            ),
            source="Gupta & Lehmann (2003), Customers as assets, Journal of Interactive Marketing 17(1).",
        )


def simple_value(*, margin: float, retention_rate: float, discount_rate: float) -> SimpleValue:
    """Value of a customer with a constant margin and a constant retention rate.

    Parameters
    ----------
    margin : float
        Margin per period, in money, the first one now.
    retention_rate : float
        Share of customers kept from one period to the next, from 0 to 1.
    discount_rate : float
        Effective rate per period, at least 0.

    Returns
    -------
    SimpleValue
        ``estimate`` in money; None when nobody ever leaves and nothing is discounted, for then it is infinite.

    Raises
    ------
    InputError
        If the retention rate is no share or the discount rate is negative.

    Notes
    -----
    ``margin * sum over t = 0, 1, … of (retention_rate / (1 + discount_rate))**t``. A single retention rate for all
    customers understates the value of a mixed base, whose retention rises as those who leave easily have left [1]_.

    References
    ----------
    .. [1] Fader, P. S. & Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting: the perils of
       ignoring heterogeneity. *Marketing Science* 29(1), 85-93.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> round(rm.clv.simple_value(margin=100, retention_rate=0.8, discount_rate=0.1).estimate, 2)
    366.67
    """
    gain = _checks.number(margin, name="margin")
    kept = _checks.share(retention_rate, name="retention_rate")
    rate = _checks.non_negative(discount_rate, name="discount_rate")

    endless = kept == 1 and rate == 0
    estimate = None if endless else gain / (1 - kept / (1 + rate))

    return SimpleValue(
        estimate=estimate,
        definition="clv.simple_value/constant-retention",
        notes=("Nobody leaves and nothing is discounted: the sum has no end.",) if endless else (),
        margin=gain,
        retention_rate=kept,
        discount_rate=rate,
    )
