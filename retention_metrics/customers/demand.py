"""Orders and revenue to expect of today's customers, with prediction intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import BGNBD, Fit, GammaGamma, frames
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.results import Columns, ColumnType, TableResult, result

if TYPE_CHECKING:
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.history import PurchaseHistory

__all__ = ["Demand", "demand"]

Floats = NDArray[np.float64]
M = TypeVar("M", BGNBD, GammaGamma)


@result
class Demand(TableResult):
    """Orders and revenue by period ahead, with prediction intervals.

    Attributes
    ----------
    customers : int
        Customers today.
    draws : int
        Simulated futures behind the intervals.
    """

    kind: ClassVar[str] = "customers.demand"

    customers: int
    draws: int

    def explain(self) -> Explanation:
        """What is added up over the customers."""
        return Explanation(
            formula="orders = sum over customers of P(alive) * expected purchases given alive",
            values={"customers": self.customers, "draws": self.draws},
            steps=(),
            source='Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2)',
        )


def demand(
    model: BGNBD | Fit[BGNBD],
    history: PurchaseHistory | object,
    *,
    length: float,
    periods: int = 4,
    spend: GammaGamma | Fit[GammaGamma] | None = None,
    draws: int = 500,
    level: float = 0.95,
    rng: np.random.Generator | int | None = None,
    frequency: str = "frequency",
    recency: str = "recency",
    T: str = "T",
    monetary_value: str = "monetary_value",
) -> Demand:
    """Orders and revenue to expect of today's customers, period by period.

    Parameters
    ----------
    model : BGNBD or Fit
        Model of purchases. With a Fit the intervals carry the uncertainty of its parameters.
    history : PurchaseHistory or dataframe
        From ``clv.rfm_summary``, or any frame with the columns named below.
    length : float
        Length of a period, in the unit of the history.
    periods : int, default 4
        Periods ahead.
    spend : GammaGamma or Fit, optional
        Model of spend per purchase; adds revenue.
    draws : int, default 500
        Futures to simulate, at least 100.
    level : float, default 0.95
        Probability content of the prediction intervals.
    rng : numpy.random.Generator or int, optional
        Source of randomness, or its seed.
    frequency, recency, T, monetary_value : str
        Columns of a plain frame.

    Returns
    -------
    Demand
        A row per period: ``period, starts, ends`` (time from today), ``orders, orders_low, orders_high``, and with
        ``spend`` ``revenue, revenue_low, revenue_high``; last a row for all of them, whose ``period`` is missing.

    Raises
    ------
    InputError
        If an option is out of range, a history cannot have happened, or the model is of another kind or unit.

    Notes
    -----
    The expectations are exact. An interval holds what will be observed: in each draw parameters come from the fit's
    normal distribution on the log scale, each customer is alive or not, has a purchase rate Gamma(r + x, alpha + T)
    and a dropout probability Beta(a, b + x), and buys until dropping out; spend is gamma at the customer's own scale.
    Customers yet to come are not in it.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting your customers" the easy way.
       *Marketing Science* 24(2), 275-284.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> base = pd.DataFrame({"frequency": [2, 0] * 500, "recency": [30.0, 0.0] * 500, "T": [39.0, 39.0] * 500})
    >>> found = rm.customers.demand(model, base, length=13, periods=3, rng=2005)
    >>> [round(row["orders"]) for row in found.rows()]
    [261, 232, 210, 703]
    """
    step, count = _checks.positive(length, name="length"), _checks.count(periods, name="periods", low=1)
    futures = _checks.count(draws, name="draws", low=100)
    content = _checks.level(level)
    if content is None:
        raise InputError("level is a probability in (0, 1), e.g. 0.95; got None.", argument="level")
    for name, given, kind in (("model", model, BGNBD), ("spend", spend, GammaGamma)):
        inner = given.model if isinstance(given, Fit) else given
        if not isinstance(inner, kind) and not (name == "spend" and given is None):
            raise InputError(f"{name} is a {kind.__name__} or its Fit; got {type(inner).__name__}.", argument=name)
    generator = np.random.default_rng(rng)
    roles = {"frequency": frequency, "recency": recency, "T": T}
    table = frames.adopt(history, roles if spend is None else {**roles, "monetary_value": monetary_value})
    buying = model.model if isinstance(model, Fit) else model
    buying.check_unit(table.unit)

    x, t_x, age, money = _customers(table, with_money=spend is not None)
    if spend is not None:
        _refuse_endless(spend, x)
    orders = _expected(buying, x, t_x, age, step, count)
    cells, types = _frame_of_periods(step, count)
    simulated = np.empty((futures, 2, count + 1))
    for draw in range(futures):
        bought = _future(_drawn(model, generator), x, t_x, age, step, count, generator)
        simulated[draw, 0] = _with_total(bought.sum(axis=0))
        if spend is not None:
            simulated[draw, 1] = _with_total(_spent(_drawn(spend, generator), x, money, bought, generator))
    tails = [(1 - content) / 2, (1 + content) / 2]
    means = {"orders": _with_total(orders.sum(axis=0))}
    if spend is not None:
        per_purchase = (spend.model if isinstance(spend, Fit) else spend)._mean(x, money)
        means["revenue"] = _with_total((orders * per_purchase[:, None]).sum(axis=0))
    for place, (name, mean) in enumerate(means.items()):
        low, high = np.quantile(simulated[:, place], tails, axis=0)
        cells |= {name: mean.tolist(), f"{name}_low": low.tolist(), f"{name}_high": high.tolist()}

    return Demand(
        columns=Columns(cells, types),
        unit="purchases",
        definition="customers.demand/today's-customers",
        excluded=table.excluded,
        notes=(
            *buying.notes,
            "Parameters are uncertain in the intervals."
            if isinstance(model, Fit)
            else "The model is taken for certain: a Fit would widen the intervals.",
        ),
        backend=table.backend,
        customers=int(x.size),
        draws=futures,
    )


def _customers(table: HistoryTable, *, with_money: bool) -> tuple[Floats, Floats, Floats, Floats]:
    """A row per customer, whatever the table: what happens to each is drawn on its own."""
    roles = ["frequency", "recency", "T", *(["monetary_value"] if with_money else [])]
    columns = table.source.arrays(*roles, counts=True)
    x, t_x, age = table._checked(*(columns[role] for role in roles[:3]))
    money = np.nan_to_num(columns["monetary_value"]) if with_money else np.zeros(x.size)
    repeats = columns.get("counts", np.ones(x.size)).astype(np.int64)
    found = [np.repeat(column, repeats) for column in (x, t_x, age, money)]
    return found[0], found[1], found[2], found[3]


def _refuse_endless(spend: GammaGamma | Fit[GammaGamma], x: Floats) -> None:
    model = spend.model if isinstance(spend, Fit) else spend
    endless = int((model.p * x + model.q <= 1).sum())
    if endless:
        raise InputError(
            f"the mean spend of {endless} of {x.size} customers is infinite with q = {model.q:.4g}.",
            argument="spend",
            count=endless,
        )


def _frame_of_periods(step: float, count: int) -> tuple[dict[str, list[float | int | None]], dict[str, ColumnType]]:
    ends = [step * (place + 1) for place in range(count)]
    cells: dict[str, list[float | int | None]] = {
        "period": [*range(1, count + 1), None],
        "starts": [*(end - step for end in ends), 0.0],
        "ends": [*ends, ends[-1]],
    }
    return cells, {"period": "integer", "starts": "number", "ends": "number"}


def _with_total(by_period: Floats) -> Floats:
    return np.append(by_period, by_period.sum())


def _expected(model: BGNBD, x: Floats, t_x: Floats, age: Floats, step: float, count: int) -> Floats:
    """Expected purchases of each customer in each period, exactly."""
    upto = [model.expected_purchases(x, t_x, age, horizon=step * (place + 1)) for place in range(count)]
    return np.diff(np.stack([np.zeros(x.size), *upto], axis=1), axis=1)


def _drawn(given: M | Fit[M], rng: np.random.Generator) -> M:
    """Parameters as uncertain as the fit says, or those of a model."""
    if not isinstance(given, Fit):
        return given
    model = given.model
    centre = np.log(model.to_odds(model.theta))
    return model.with_theta(model.from_odds(np.exp(rng.multivariate_normal(centre, given.log_covariance))))


def _future(
    model: BGNBD, x: Floats, t_x: Floats, age: Floats, step: float, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Purchases of each customer in each period, drawn given the history."""
    alive = rng.random(x.size) < model._alive(x, t_x, age)
    rate = rng.gamma(model.r + x, 1 / (model.alpha + age))
    dropout = np.maximum(rng.beta(model.a, model.b + x), 1e-12)
    last = np.where(alive, rng.geometric(dropout), 0)
    arrivals = np.cumsum(rng.poisson(np.repeat(rate[:, None] * step, count, axis=1)), axis=1)
    return np.diff(np.minimum(arrivals, last[:, None]), axis=1, prepend=0)


def _spent(model: GammaGamma, x: Floats, money: Floats, bought: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """Money of each period, drawn given what the customers have spent so far."""
    scale = rng.gamma(model.q + model.p * x, 1 / (model.v + x * money))
    total = np.zeros(bought.shape)
    some = bought > 0
    total[some] = rng.gamma(model.p * bought[some]) / np.broadcast_to(scale[:, None], bought.shape)[some]
    found: Floats = total.sum(axis=0)
    return found
