"""Orders and revenue to expect of today's customers, with prediction intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import BGBB, Fit, frames
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.spend_model import SpendModel
from retention_metrics.customers import futures
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.results import Columns, ColumnType, TableResult, result

if TYPE_CHECKING:
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.history import PurchaseHistory

__all__ = ["Demand", "demand"]

LIMIT = "Spend follows a limit of Gamma-Gamma, where {limit_of}."

Floats = NDArray[np.float64]
M = TypeVar("M", PurchaseModel, SpendModel)


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
            source="Fader, P. S. & Hardie, B. G. S. (2009), Probability models for customer-base analysis, Journal of "
            "Interactive Marketing 23(1), 61-69",
        )


def demand(
    model: PurchaseModel | Fit[PurchaseModel],
    history: PurchaseHistory | object,
    *,
    length: float,
    periods: int = 4,
    spend: SpendModel | Fit[SpendModel] | None = None,
    by: str | None = None,
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
    model : BGNBD, MBGNBD, ParetoNBD, GGompertzNBD, BGCNBD, BGBB or Fit
        Model of purchases. With a Fit the intervals carry the uncertainty of its parameters.
    history : PurchaseHistory or dataframe
        From ``clv.rfm_summary``, or any frame with the columns named below.
    length : float
        Length of a period, in the unit of the history; of a BG/BB a whole number of opportunities.
    periods : int, default 4
        Periods ahead.
    spend : GammaGamma, its limit, or Fit, optional
        Model of spend per purchase; adds revenue. Where Gamma-Gamma has no maximum ``error.limit`` serves, with a note.
    by : str, optional
        Column of the history: a segment of the customers, or a product, where the history has a row per customer and
        product.
    draws : int, default 500
        Futures to simulate, at least 100, and 2 / (1 - level) - 1. Each draws every customer.
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
        With ``by`` these rows for each ``group``.

    Raises
    ------
    InputError
        If an option is out of range, a history cannot have happened, or the model is of another kind or unit.

    Notes
    -----
    The expectations are exact. An interval holds what will be observed: in each draw parameters come from the fit's
    normal distribution on the log scale, and each customer is alive or not, has a purchase rate and a dropout as the
    model says of customers with that history, and buys until dropping out. Under the BG/NBD, for one, the rate is
    Gamma(r + x, alpha + T) and the dropout probability Beta(a, b + x) [1]_. Spend is gamma at the customer's own
    scale, or what a limit of Gamma-Gamma says. The ends are those of which, of the draws and what comes, level *
    (draws + 1) lie between. Customers yet to come are not in it, and one model holds for all groups: a product that
    sells unlike the others wants its own fit.

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
    size = _checks.count(draws, name="draws", low=100)
    content = _checks.level(level)
    if content is None:
        raise InputError("level is a probability in (0, 1), e.g. 0.95; got None.", argument="level")
    fewest = math.ceil(2 / (1 - content)) - 1
    if size < fewest:
        raise InputError(f"draws is at least {fewest} at a level of {content}; got {size}.", argument="draws")
    buying, spending = _models(model, spend)
    if isinstance(buying, BGBB):
        _checks.whole(step, name="length")
    generator = np.random.default_rng(rng)
    roles = {"frequency": frequency, "recency": recency, "T": T, "by": by}
    table = frames.adopt(history, roles if spend is None else {**roles, "monetary_value": monetary_value})
    buying.check_unit(table.unit)

    (x, t_x, age, money), groups, codes = _customers(table, by, with_money=spend is not None)
    if spending is not None:
        _refuse_endless(spending, x)
    orders = _expected(buying, x, t_x, age, step, count)
    means = {"orders": _added(orders, codes, len(groups))}
    if spending is not None:
        means["revenue"] = _added(orders * spending._mean(x, money)[:, None], codes, len(groups))
    simulated = {name: np.empty((size, *mean.shape)) for name, mean in means.items()}
    chance = buying._alive(x, t_x, age)
    for draw in range(size):
        drawn = _drawn(model, generator)
        if isinstance(model, Fit):
            chance = drawn._alive(x, t_x, age)
        bought = futures.future(drawn, chance, x, t_x, age, step, count, generator)
        simulated["orders"][draw] = _added(bought, codes, len(groups))
        if spend is not None:
            spent = futures.spent(_drawn(spend, generator), x, money, bought, generator)
            simulated["revenue"][draw] = _added(spent, codes, len(groups))

    cells, types = _frame_of_periods(step, count, groups if by is not None else None)
    tails = [(1 - content) / 2, (1 + content) / 2]
    for name, mean in means.items():
        low, high = np.quantile(simulated[name], tails, axis=0, method="weibull")
        cells |= {
            name: mean.ravel().tolist(),
            f"{name}_low": low.ravel().tolist(),
            f"{name}_high": high.ravel().tolist(),
        }

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
            *((LIMIT.format(limit_of=spending.limit_of),) if spending is not None and spending.limit_of else ()),
        ),
        backend=table.backend,
        customers=int(x.size),
        draws=size,
    )


def _models(
    model: PurchaseModel | Fit[PurchaseModel], spend: SpendModel | Fit[SpendModel] | None
) -> tuple[PurchaseModel, SpendModel | None]:
    """Both models without their fits, checked to be of a kind that can be drawn from."""
    buying: object = model.model if isinstance(model, Fit) else model
    if not isinstance(buying, futures.MODELS):
        names = ", ".join(kind.__name__ for kind in futures.MODELS)
        raise InputError(f"model is one of {names}, or a Fit; got {type(buying).__name__}.", argument="model")
    spending: object = spend.model if isinstance(spend, Fit) else spend
    if spending is not None and not isinstance(spending, SpendModel):
        raise InputError(f"spend is a GammaGamma or its Fit; got {type(spending).__name__}.", argument="spend")
    return buying, spending


def _customers(
    table: HistoryTable, by: str | None, *, with_money: bool
) -> tuple[tuple[Floats, Floats, Floats, Floats], list[Any], NDArray[np.int64]]:
    """A row per customer, whatever the table: what happens to each is drawn on its own. And the group of each."""
    roles = ["frequency", "recency", "T", *(["monetary_value"] if with_money else [])]
    columns = table.source.arrays(*roles, "by", counts=True)
    x, t_x, age = table._checked(*(columns[role] for role in roles[:3]))
    money = np.nan_to_num(columns["monetary_value"]) if with_money else np.zeros(x.size)
    repeats = columns.get("counts", np.ones(x.size)).astype(np.int64)
    found = [np.repeat(column, repeats) for column in (x, t_x, age, money)]
    if by is None:
        return (found[0], found[1], found[2], found[3]), [None], np.zeros(found[0].size, dtype=np.int64)
    cells = columns["by"]
    missing = int(sum(cell is None or cell != cell for cell in cells))
    if missing:
        raise InputError(
            f"by={by!r} names the group of every history; {missing} rows have none.",
            argument="by",
            column=by,
            count=missing,
        )
    names, codes = np.unique(cells, return_inverse=True)
    return (found[0], found[1], found[2], found[3]), names.tolist(), np.repeat(codes, repeats)


def _added(amounts: NDArray[Any], codes: NDArray[np.int64], groups: int) -> Floats:
    """Sums over the customers of each group, by period and for all of them: shape (groups, periods + 1)."""
    by_period = [np.bincount(codes, weights=column, minlength=groups) for column in amounts.T]
    found = np.stack(by_period, axis=1)
    return np.concatenate([found, found.sum(axis=1, keepdims=True)], axis=1)


def _refuse_endless(model: SpendModel, x: Floats) -> None:
    endless = int(np.isinf(model._share(x)).sum())
    if endless:
        raise InputError(
            f"the mean spend of {endless} of {x.size} customers is infinite with q = {model.q:.4g}.",
            argument="spend",
            count=endless,
        )


def _frame_of_periods(
    step: float, count: int, groups: Sequence[Any] | None
) -> tuple[dict[str, list[Any]], dict[str, ColumnType]]:
    ends = [step * (place + 1) for place in range(count)]
    times = len(groups or [None])
    cells: dict[str, list[Any]] = {
        "period": [*range(1, count + 1), None] * times,
        "starts": [*(end - step for end in ends), 0.0] * times,
        "ends": [*ends, ends[-1]] * times,
    }
    if groups is not None:
        cells = {"group": [group for group in groups for _ in range(count + 1)], **cells}
    return cells, {"period": "integer", "starts": "number", "ends": "number"}


def _expected(model: PurchaseModel, x: Floats, t_x: Floats, age: Floats, step: float, count: int) -> Floats:
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
