"""Orders and revenue to expect of today's customers, with prediction intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import BGBB, Fit, frames, predictive
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.spend_model import SpendModel
from retention_metrics.customers import futures, samples
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.results import Columns, ColumnType, TableResult, result

if TYPE_CHECKING:
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.history import PurchaseHistory

__all__ = ["Demand", "demand"]

LIMIT = "Spend follows a limit of Gamma-Gamma, where {limit_of}."

Floats = NDArray[np.float64]
Amounts = dict[str, Floats]
_NOTHING = float(np.finfo(np.float64).tiny)
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
        Futures to simulate, at least 100, and 2 / (1 - level) - 1.
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
    (draws + 1) lie between.

    In a group of more than 3,000 customers as many are drawn, those who matter most for certain and the others with a
    chance by their expected amounts [2]_. The sum of those who are not drawn is exact in its mean, at the uncertain
    parameters of each draw too, and Pearson's third type around it, whose variance and skewness are those of the
    customers drawn. Everybody is drawn whose spend has no third moment (``q + p x`` up to 3).

    Customers yet to come are not in it, and one model holds for all groups: a product that
    sells unlike the others wants its own fit.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. and Lee, K. L. (2005). "Counting your customers" the easy way.
       *Marketing Science* 24(2), 275-284.
    .. [2] Särndal, C.-E., Swensson, B. and Wretman, J. (1992). *Model Assisted Survey Sampling*, section 3.6. Springer.

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

    base, groups, codes = _customers(table, by, with_money=spend is not None)
    if spending is not None:
        _refuse_endless(spending, base.x)
    amounts = base.expected(buying, spending, step, count)
    means = {name: _added(amount, codes, len(groups)) for name, amount in amounts.items()}
    simulated = _futures(model, spend, base, amounts, codes, (size, len(groups)), step, generator)

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
        customers=int(base.x.size),
        draws=size,
    )


@dataclass(frozen=True, slots=True)
class Base:
    """Histories of customers, a row each, and the mean of what they have spent at a time."""

    x: Floats
    t_x: Floats
    age: Floats
    money: Floats

    def part(self, rows: NDArray[np.int64]) -> Base:
        """Some of the customers."""
        return Base(self.x[rows], self.t_x[rows], self.age[rows], self.money[rows])

    def expected(self, buying: PurchaseModel, spending: SpendModel | None, step: float, count: int) -> Amounts:
        """Orders, and revenue, to expect of each customer in each period and in all, exactly."""
        ends = step * np.arange(1, count + 1)[:, None]
        upto = buying.expected_purchases(self.x, self.t_x, self.age, horizon=ends)
        orders = _with_total(np.diff(upto, axis=0, prepend=0.0).T)
        if spending is None:
            return {"orders": orders}
        return {"orders": orders, "revenue": self.spent(spending, orders)}

    def spent(self, spending: SpendModel, orders: Floats) -> Floats:
        """The revenue to expect from orders."""
        return orders * spending._mean(self.x, self.money)[:, None]


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


def _customers(table: HistoryTable, by: str | None, *, with_money: bool) -> tuple[Base, list[Any], NDArray[np.int64]]:
    """A row per customer, whatever the table: what happens to each is drawn on its own. And the group of each."""
    roles = ["frequency", "recency", "T", *(["monetary_value"] if with_money else [])]
    columns = table.source.arrays(*roles, "by", counts=True)
    x, t_x, age = table._checked(*(columns[role] for role in roles[:3]))
    money = np.nan_to_num(columns["monetary_value"]) if with_money else np.zeros(x.size)
    repeats = columns.get("counts", np.ones(x.size)).astype(np.int64)
    found = Base(*(np.repeat(column, repeats) for column in (x, t_x, age, money)))
    if by is None:
        return found, [None], np.zeros(found.x.size, dtype=np.int64)
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
    return found, names.tolist(), np.repeat(codes, repeats)


def _with_total(amounts: NDArray[Any]) -> Floats:
    """What is each customer's in every period, and in all of them."""
    return np.concatenate([amounts, amounts.sum(axis=1, keepdims=True)], axis=1)


def _added(amounts: Floats, codes: NDArray[np.int64], groups: int) -> Floats:
    """Sums over the customers of each group: shape (groups, periods + 1)."""
    return np.stack([np.bincount(codes, weights=column, minlength=groups) for column in amounts.T], axis=1)


# ---------------------------------------------------------------- futures


def _futures(
    model: PurchaseModel | Fit[PurchaseModel],
    spend: SpendModel | Fit[SpendModel] | None,
    base: Base,
    amounts: Amounts,
    codes: NDArray[np.int64],
    shape: tuple[int, int],
    step: float,
    rng: np.random.Generator,
) -> Amounts:
    """Orders, and revenue, of each group in each period and in all, drawn: shape (draws, groups, periods + 1).

    ``amounts`` are those to expect of each customer.
    """
    draws, groups = shape
    buying, spending = _models(model, spend)
    chosen = _chosen(spending, base, amounts, codes, rng)
    people, code = base.part(chosen.rows), codes[chosen.rows]
    some = np.flatnonzero(chosen.others)  # of those drawn: who stands for others
    rest = {name: samples.Rest(amount[chosen.rows[some]]) for name, amount in amounts.items()}
    found = {name: np.empty((draws, groups, amount.shape[1])) for name, amount in amounts.items()}
    count = amounts["orders"].shape[1] - 1
    drawn: list[tuple[PurchaseModel, SpendModel | None]] = []
    chance = buying._alive(people.x, people.t_x, people.age)
    for draw in range(draws):
        buys = _drawn(model, rng)
        if isinstance(model, Fit):
            chance = buys._alive(people.x, people.t_x, people.age)
        bought = futures.future(buys, chance, people.x, people.t_x, people.age, step, count, rng)
        spends = None if spend is None else _drawn(spend, rng)
        drawn.append((buys, spends))
        happened = {"orders": _with_total(bought)}
        if spends is not None:
            happened["revenue"] = _with_total(futures.spent(spends, people.x, people.money, bought, rng))
        for name, amount in happened.items():
            found[name][draw] = _added(amount, code, groups)
            if some.size:
                rest[name].watch(amount[some])
    if some.size:
        for_others = _Others(people.part(some), code[some], chosen.others[some], groups)
        moved = for_others.moved(
            (buying, spending), drawn, (isinstance(model, Fit), isinstance(spend, Fit)), step, count
        )
        for name, amount in amounts.items():
            mean = _added(amount, codes, groups) - _added(amount[chosen.rows], code, groups)
            left = rest[name].drawn(np.maximum(mean, 0.0) * moved[name], for_others.added, rng)
            found[name] += np.rint(left) if name == "orders" else left
    return found


def _chosen(
    spending: SpendModel | None, base: Base, amounts: Amounts, codes: NDArray[np.int64], rng: np.random.Generator
) -> samples.Sample:
    """Who is drawn. A sum of amounts without a third moment is slow to become normal: those customers are."""
    size = sum(amount[:, -1] / max(float(amount[:, -1].sum()), _NOTHING) for amount in amounts.values())
    certain = np.zeros(codes.size, dtype=np.bool_)
    if spending is not None:
        certain = futures.moments(spending, base.x) <= 3
    return samples.sample(np.asarray(size), np.lexsort((base.age, base.t_x, base.x, codes)), codes, certain, rng)


@dataclass(frozen=True, slots=True)
class _Others:
    """Customers who stand for others, how many each, and in which group."""

    base: Base
    codes: NDArray[np.int64]
    weights: Floats
    groups: int

    def added(self, amounts: Floats) -> Floats:
        """Sums over the others."""
        return _added(amounts * self.weights[:, None], self.codes, self.groups)

    def moved(
        self,
        models: tuple[PurchaseModel, SpendModel | None],
        drawn: Sequence[tuple[PurchaseModel, SpendModel | None]],
        uncertain: tuple[bool, bool],
        step: float,
        count: int,
    ) -> Amounts:
        """By which factor the expected sums of each draw's models differ from those of ``models``.

        A factor of revenue is that of the purchases times that of the spend, each with the other model as it is.
        """
        buying, spending = models
        usual = self._sums(buying, spending, step, count)
        factors = np.ones((len(drawn), *usual.shape))
        if uncertain[0]:
            sums = predictive.over_draws(
                [buys for buys, _ in drawn], lambda buys: self._sums(buys, spending, step, count).ravel()
            )
            factors = sums.reshape(factors.shape) / usual
        if uncertain[1]:
            orders = self.base.expected(buying, None, step, count)["orders"]
            for draw, (_, spends) in enumerate(drawn):
                if spends is not None:
                    factors[draw, 1] *= np.maximum(self.added(self.base.spent(spends, orders)), _NOTHING) / usual[1]
        return dict(zip(("orders", "revenue"), factors.swapaxes(0, 1), strict=False))

    def _sums(self, buying: PurchaseModel, spending: SpendModel | None, step: float, count: int) -> Floats:
        """What is expected of the others, orders and revenue: shape (1 or 2, groups, periods + 1), above 0."""
        amounts = self.base.expected(buying, spending, step, count)
        return np.maximum([self.added(amount) for amount in amounts.values()], _NOTHING)


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


def _drawn(given: M | Fit[M], rng: np.random.Generator) -> M:
    """Parameters as uncertain as the fit says, or those of a model."""
    if not isinstance(given, Fit):
        return given
    model = given.model
    centre = np.log(model.to_odds(model.theta))
    return model.with_theta(model.from_odds(np.exp(rng.multivariate_normal(centre, given.log_covariance))))
