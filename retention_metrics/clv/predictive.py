"""What a posterior says about customers: intervals of expectations, and of what a customer will do."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import batch, frames
from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.gamma_gamma import GammaGamma
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.regression import at_rows, base_of, columns_of, matrix_of
from retention_metrics.clv.spend_model import SpendModel
from retention_metrics.errors import InputError
from retention_metrics.results import Interval

if TYPE_CHECKING:
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.posterior import Posterior

Floats = NDArray[np.float64]
Answer = TypeVar("Answer")

DRAWS = 500
"""Draws that predictions use unless more are asked for."""
ROWS = 4_096  # histories at a time, so that their draws fit the memory
ENDS = ("low", "high")
"""What the columns of an interval's ends are called by."""
_DEGREE = 4  # of the polynomial that quantiles of a value follow in the share of it that is not the customer's own
_CLOSE = 0.05  # error of a quadratic against the spread of what it follows
_NODES = 24  # more than the polynomial needs: quantiles of draws are ragged, and it goes through their midst


def predict(
    posterior: Posterior[Any],
    history: PurchaseHistory | object,
    *,
    horizon: float | None,
    level: float,
    draws: int,
    rng: np.random.Generator | int | None,
    columns: Mapping[str, str],
) -> CustomerTable:
    """The history with expectations and their intervals; see ``Posterior.predict``."""
    model: object = base_of(posterior.model)
    if isinstance(model, GammaGamma):
        return _predict_spend(posterior, history, horizon=horizon, level=level, draws=draws, columns=columns)
    if isinstance(model, ContractModel):
        return _predict_renewals(posterior, history, horizon=horizon, level=level, draws=draws, columns=columns)
    if not isinstance(model, PurchaseModel):
        raise InputError(f"a {type(model).__name__} predicts nothing of customers.", argument="posterior")
    ahead = _checks.non_negative(horizon, name="horizon")
    roles = {"frequency": "frequency", "recency": "recency", "T": "T", **columns}
    table = frames.adopt(history, roles, covariates=columns_of(posterior.model))
    model.check_unit(table.unit)
    models = thinned(posterior, draws)
    generators = np.random.default_rng(rng).spawn(len(models))

    def rows(x: Floats, t_x: Floats, age: Floats, matrix: Floats) -> dict[str, Floats]:
        own: list[PurchaseModel] = [at_rows(drawn, matrix) for drawn in models]
        alive = np.stack([drawn._alive(x, t_x, age) for drawn in own])
        how = (x, t_x, age, ahead, 0.0, "continuous")
        given_alive = over_draws(models, partial(_ahead, matrix=matrix, how=how))

        def one(place: int) -> Floats:
            return purchases(own[place], generators[place], alive[place], x, t_x, age, ahead)

        number = np.stack(on_threads(one, len(models)))
        found = with_ends("probability_alive", alive, level)
        found |= with_ends("expected_purchases", alive * given_alive, level)
        ends = np.quantile(number, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
        return found | {"purchases_low": ends[0], "purchases_high": ends[1]}

    def compute(x: Floats, t_x: Floats, age: Floats, cells: Mapping[str, Any]) -> dict[str, Floats]:
        return by_distinct(rows, (x, t_x, age), matrix_of(posterior.model, cells, x.size))

    definition = _definition(posterior.model)
    return table.with_answers_by(compute, definition=definition, notes=model.notes)


def purchases(
    model: PurchaseModel,
    generator: np.random.Generator,
    alive: Floats,
    x: Floats,
    t_x: Floats,
    age: Floats,
    horizon: float,
) -> Floats:
    """Draw the purchases of each customer in the time ahead: none of those who are gone."""
    there = generator.uniform(size=x.size) < alive
    return np.where(there, model._draw_ahead(generator, x, t_x, age, horizon), 0.0)


# ---------------------------------------------------------------- value


@dataclass(frozen=True, slots=True, eq=False)
class Worth:
    """Expected spend times a weight, as arithmetic over money that an engine can run.

    Of the draws d the value is ``weight_d share_d (v_d + x m)``, linear in the money m, and so is its mean. Over
    ``v + x m``, with v at the mode, it is ``weight_d share_d (1 - u + u v_d / v)`` for u = v / (v + x m) from 0 to
    1. Its variance is quadratic in u; how many standard deviations quantiles lie from the mean is smooth in u, and a
    polynomial follows that. Given covariates, v is the customer's own.
    """

    shares: Floats  # shape (n_draws, n_rows)
    relative: Floats  # v_d / v, the same shape
    level: float | None

    @classmethod
    def of(
        cls, posterior: Posterior[Any], models: Sequence[Any], x: Floats, matrix: Floats, level: float | None
    ) -> Worth:
        """The spend of customers with these frequencies and covariates, at some of a posterior's draws."""
        own: list[GammaGamma] = [at_rows(model, matrix) for model in models]
        mode: GammaGamma = at_rows(posterior.model, matrix)
        relative = np.stack([np.broadcast_to(model.v / mode.v, x.shape) for model in own])
        return cls(np.stack([_share(model, x) for model in own]), relative, level)

    def parts(self, name: str, weights: Floats | float = 1.0) -> dict[str, Floats]:
        """What the formula needs of each history; the weights, one of each draw and row, are independent of spend."""
        weight = np.mean(np.broadcast_to(weights, self.shares.shape), axis=0)
        found = {
            f"_{name}_own": weight * self.shares.mean(axis=0),
            f"_{name}_prior": weight * (self.shares * self.relative).mean(axis=0),
        }
        if self.level is None:
            return found
        own = weights * self.shares
        prior = own * self.relative
        variance, across = own.var(axis=0), ((own - own.mean(axis=0)) * (prior - prior.mean(axis=0))).mean(axis=0)
        found |= {f"_{name}_var": variance, f"_{name}_cov": across, f"_{name}_prior_var": prior.var(axis=0)}
        nodes = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        ends = [(1 - self.level) / 2, (1 + self.level) / 2]
        heights = np.stack([self._distances(name, found, own * (1 - u) + prior * u, u, ends) for u in nodes])
        powers = nodes[:, None] ** np.arange(_DEGREE + 1)
        coefficients = (np.linalg.pinv(powers) @ heights.reshape(_NODES, -1)).reshape(-1, *heights.shape[1:])
        for place, end in enumerate(ENDS):
            found |= {f"_{name}_{end}{power}": coefficients[power, place] for power in range(_DEGREE + 1)}
        return found

    @staticmethod
    def _distances(name: str, by: Mapping[str, Floats], drawn: Floats, u: float, ends: Sequence[float]) -> Floats:
        """Distance of quantiles from the mean, in standard deviations; 0 where nothing varies."""
        spread = np.asarray(_spread(name, by, u))
        away = np.quantile(drawn, ends, axis=0) - _mean(name, by, u)
        return np.where(spread > 0, away / np.where(spread > 0, spread, 1.0), 0.0)


def _mean(name: str, by: Mapping[str, Any], u: Any) -> Any:
    return by[f"_{name}_own"] * (1 - u) + by[f"_{name}_prior"] * u


def _spread(name: str, by: Mapping[str, Any], u: Any) -> Any:
    """Standard deviation of ``own (1 - u) + prior u``; rounding may leave a variance of nothing below 0."""
    square = by[f"_{name}_var"] * (1 - u) ** 2 + by[f"_{name}_prior_var"] * u**2
    found = square + 2 * by[f"_{name}_cov"] * u * (1 - u)
    return (found * found) ** 0.25  # an engine's columns have no absolute value in common


def worth_columns(name: str, by: Mapping[str, Any], level: float | None) -> dict[str, Any]:
    """The value from ``Worth.parts``, and the ends of its interval where there is a level."""
    total = by["_v"] + by["frequency"] * by["monetary_value"]
    u = by["_v"] / total
    mean = _mean(name, by, u)
    found = {name: total * mean}
    for end in ENDS if level is not None else ():
        distance = by[f"_{name}_{end}{_DEGREE}"]
        for power in reversed(range(_DEGREE)):
            distance = distance * u + by[f"_{name}_{end}{power}"]
        found[f"{name}_{end}"] = total * (mean + distance * _spread(name, by, u))
    return found


class PosteriorValue:
    """Value from the draws of two independent posteriors, with intervals between their quantiles."""

    def __init__(
        self,
        bought: Posterior[Any],
        spend: Posterior[Any],
        *,
        horizons: Mapping[str, float],
        force: float,
        timing: str,
        margin: float,
        split: bool,
        level: float | None,
    ) -> None:
        self._bought, self._spend = bought, spend
        self._models, self._spending = paired(bought, spend)
        self._horizons, self._force, self._timing = horizons, force, timing
        self._margin, self._split, self._level = margin, split, level

    def parts(self, x: Floats, t_x: Floats, age: Floats, cells: Mapping[str, Any]) -> dict[str, Floats]:
        """What the formulas need of each history, and the purchases of a split."""
        buying, spending = (matrix_of(given.model, cells, x.size) for given in (self._bought, self._spend))
        return by_distinct(self._rows, (x, t_x, age), buying, spending)

    def _rows(self, x: Floats, t_x: Floats, age: Floats, buying: Floats, spending: Floats) -> dict[str, Floats]:
        alive = np.stack([at_rows(drawn, buying)._alive(x, t_x, age) for drawn in self._models])
        worth = Worth.of(self._spend, self._spending, x, spending, self._level)
        found = {"_v": np.broadcast_to(at_rows(self._spend.model, spending).v, x.shape)}
        if self._split:
            found |= worth.parts("expected_value")
        for suffix, horizon in self._horizons.items():
            how = (x, t_x, age, horizon, self._force, self._timing)
            ahead = over_draws(self._models, partial(_ahead, matrix=buying, how=how))
            found |= worth.parts(f"clv{suffix}", self._margin * alive * ahead)
            if self._split:
                found |= with_ends(f"expected_purchases{suffix}", alive * ahead, self._level)
        return found

    def spend(self, by: Mapping[str, Any]) -> dict[str, Any]:
        """The spend per purchase of a split."""
        return worth_columns("expected_value", by, self._level) if self._split else {}

    def values(self, by: Mapping[str, Any]) -> dict[str, Any]:
        """Value over each horizon."""
        columns: dict[str, Any] = {}
        for suffix in self._horizons:
            columns |= worth_columns(f"clv{suffix}", by, self._level)
        return columns


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorTotal:
    """Value of customers together from the draws of two independent posteriors.

    The parameters of a draw are those of all customers, so the total is summed within each draw. The spend of those
    who share a history is linear in their money: their weights and their weighted money are all that matters.
    """

    drawn: Floats  # shape (n_draws,)
    estimate: float
    expected_purchases: float
    spend: float

    @classmethod
    def of(
        cls, bought: Posterior[Any], spend: Posterior[Any], base: Base, how: tuple[float, float, str]
    ) -> PosteriorTotal:
        """The total of a base of customers, given a horizon, a force of discount and its timing."""
        models, spending = paired(bought, spend)
        drawn, sums = np.zeros(len(models)), np.zeros(3)
        for start in range(0, base.x.size, ROWS):
            rows = base.rows(slice(start, start + ROWS))
            history = (rows.x, rows.t_x, rows.age)
            alive = np.stack([at_rows(model, rows.buying)._alive(*history) for model in models])
            purchases = alive * over_draws(models, partial(_ahead, matrix=rows.buying, how=(*history, *how)))
            spent = np.stack([rows.spent(at_rows(model, rows.spending)) for model in spending])
            drawn += np.sum(purchases * spent, axis=1)
            mean, money = purchases.mean(axis=0), spent.mean(axis=0)
            sums += mean @ money, mean @ rows.counts, money.sum()
        return cls(drawn, *map(float, sums))

    def interval(self, level: float | None) -> Interval | None:
        """Between equal tails of the draws."""
        if level is None:
            return None
        low, high = np.quantile(self.drawn, [(1 - level) / 2, (1 + level) / 2])
        return Interval(low=low, high=high, level=level, method="equal-tailed")


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """Customers with what weighs their spend (margin times number), that times their money, and both covariates."""

    x: Floats
    t_x: Floats
    age: Floats
    worth: Floats
    money: Floats
    counts: Floats
    buying: Floats
    spending: Floats

    def gathered(self) -> Base:
        """The distinct histories and covariates, with the sums of what differs otherwise."""
        first, which = batch.groups(self.x, self.age, self.t_x, *self.buying.T, *self.spending.T)
        sums = [np.bincount(which, column, first.size) for column in (self.worth, self.money, self.counts)]
        worth, money, counts = (column.astype(np.float64) for column in sums)
        own = (self.x[first], self.t_x[first], self.age[first])
        return Base(*own, worth, money, counts, self.buying[first], self.spending[first])

    def spent(self, model: SpendModel) -> Floats:
        """What the customers of each row are expected to spend at a purchase of each, weighted by their worth."""
        own = self.x * self.money if model.reads_money else 0.0
        return np.asarray(_share(model, self.x) * (model._offset(self.x) * self.worth + own))

    def rows(self, some: slice) -> Base:
        """Some of the rows."""
        return Base(*(getattr(self, field.name)[some] for field in fields(self)))


def _ahead(model: Any, *, matrix: Floats, how: tuple[Any, ...]) -> Floats:
    """Discounted expected purchases given alive, of customers with these covariates."""
    found: Floats = at_rows(model, matrix)._ahead(*how)
    return found


def _predict_spend(
    posterior: Posterior[Any],
    history: PurchaseHistory | object,
    *,
    horizon: float | None,
    level: float,
    draws: int,
    columns: Mapping[str, str],
) -> CustomerTable:
    if horizon is not None:
        raise InputError(f"horizon is for models of purchases; got {horizon!r}.", argument="horizon")
    roles = {"frequency": "frequency", "monetary_value": "monetary_value", **columns}
    table = frames.adopt(history, roles, covariates=columns_of(posterior.model))
    models = thinned(posterior, draws)

    def parts(frequency: Floats, cells: Mapping[str, Any]) -> dict[str, Floats]:
        x = _checks.whole(frequency, name="frequency")
        matrix = matrix_of(posterior.model, cells, x.size)
        first, which = batch.groups(x, *matrix.T)
        worth = Worth.of(posterior, models, x[first], matrix[first], level)
        scale = np.broadcast_to(at_rows(posterior.model, matrix[first]).v, first.shape)
        found = {"_v": scale, **worth.parts("expected_value")}
        return {name: values[which] for name, values in found.items()}

    return table.with_spending_by(
        parts,
        definition=_definition(posterior.model),
        formula=lambda by: worth_columns("expected_value", by, level),
    )


def _predict_renewals(
    posterior: Posterior[Any],
    history: PurchaseHistory | object,
    *,
    horizon: float | None,
    level: float,
    draws: int,
    columns: Mapping[str, str],
) -> CustomerTable:
    ahead = float(_checks.count(horizon, name="horizon", low=1))
    table = frames.adopt(history, {"tenure": "tenure", **columns}, covariates=columns_of(posterior.model))
    models = thinned(posterior, draws)

    def rows(tenure: Floats, matrix: Floats) -> dict[str, Floats]:
        def answers(place: int) -> dict[str, Floats]:
            model: ContractModel = at_rows(models[place], matrix)
            return model._answers(tenure, ahead, None, lambda other: other)

        drawn = on_threads(answers, len(models))
        found: dict[str, Floats] = {}
        for name in drawn[0]:
            found |= with_ends(name, np.stack([one[name] for one in drawn]), level)
        return found

    def compute(tenure: Floats, cells: Mapping[str, Any]) -> dict[str, Floats]:
        return by_distinct(rows, (tenure,), matrix_of(posterior.model, cells, tenure.size))

    return table.with_tenure_by(compute, definition=_definition(posterior.model))


def _definition(model: Any) -> str:
    given = "" if base_of(model) is model else "/regression"
    return f"{base_of(model).kind}{given}/posterior-predict"


def _share(model: SpendModel, x: Floats) -> Floats:
    """What multiplies ``v + x m`` in the expected spend."""
    share = model._share(x)
    if not np.isfinite(share).all():
        raise InputError(
            "every draw of the spend model has a q above 1 where customers have made few purchases; "
            f"got q = {model.q:.4g} in one, with which the mean spend of some is infinite.",
            argument="spend",
            fix='A prior of q above 1 rules that out: priors={"q": scipy.stats.lognorm(s=0.5, loc=1, scale=3)}.',
        )
    return share


# ---------------------------------------------------------------- draws and rows


def size_of(posterior: Posterior[Any]) -> int:
    """Number of draws."""
    return int(next(iter(posterior.draws.values())).size)


def thinned(posterior: Posterior[Any], most: int) -> tuple[Any, ...]:
    """Models at no more than ``most`` of the draws, evenly spread over them."""
    size = size_of(posterior)
    places = np.unique(np.linspace(0, size - 1, min(most, size)).round().astype(np.intp))
    values = np.stack([posterior.draws[name][places] for name in posterior.model.parameters], axis=1)
    return tuple(posterior.model.with_theta(theta) for theta in values)


def paired(bought: Posterior[Any], spend: Posterior[Any]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Models of purchases and of spend at as many draws of each."""
    size = min(DRAWS, size_of(bought), size_of(spend))
    return thinned(bought, size), thinned(spend, size)


def over_draws(models: Sequence[Any], answer: Callable[[Any], Floats]) -> Floats:
    """A positive answer at every draw, shape (n_draws, n_rows), by formulas that are dear.

    The log of the answer is smooth in the log-parameters, and over a posterior a quadratic follows it. It is fitted to
    the formulas' answers at some of the draws, from the innermost to the outermost, and taken for the rest where it
    meets those at further draws within a twentieth of what the answer varies by; else all are computed.
    """
    logs = np.stack([np.log(model.to_odds(model.theta)) for model in models])
    basis = _quadratic(logs)
    known = 4 * basis.shape[1]
    if known >= len(models):
        return np.stack(on_threads(lambda place: answer(models[place]), len(models)))
    outward = np.argsort(np.sum(basis[:, 1 : 1 + logs.shape[1]] ** 2, axis=1))
    some = outward[np.linspace(0, len(models) - 1, known).round().astype(np.intp)]
    exact = np.stack(on_threads(lambda place: answer(models[some[place]]), known))
    if (exact > 0).all():
        heights, checked = np.log(exact), np.arange(known) % 4 == 1
        surface = np.linalg.pinv(basis[some[~checked]]) @ heights[~checked]
        error = np.sqrt(np.mean((basis[some[checked]] @ surface - heights[checked]) ** 2, axis=0))
        if (error <= _CLOSE * heights.std(axis=0) + 1e-9).all():
            return np.asarray(np.exp(basis @ surface))
    rest = np.setdiff1d(np.arange(len(models)), some)
    found = np.empty((len(models), exact.shape[1]))
    found[some] = exact
    found[rest] = np.stack(on_threads(lambda place: answer(models[rest[place]]), rest.size))
    return found


def _quadratic(logs: Floats) -> Floats:
    """1, the standardised principal components of the rows, and their products in pairs."""
    centred = logs - logs.mean(axis=0)
    standard = np.linalg.svd(centred, full_matrices=False)[0] * np.sqrt(len(logs))
    first, second = np.triu_indices(standard.shape[1])
    return np.hstack([np.ones((len(logs), 1)), standard, standard[:, first] * standard[:, second]])


def on_threads(work: Callable[[int], Answer], size: int) -> Sequence[Answer]:
    """``work`` of 0, 1, … in order."""
    with ThreadPoolExecutor(min(os.cpu_count() or 1, size)) as pool:
        return list(pool.map(work, range(size)))


def by_distinct(
    rows: Callable[..., dict[str, Floats]], columns: Sequence[Floats], *matrices: Floats
) -> dict[str, Floats]:
    """``rows`` of the distinct customers by columns and covariates, a block at a time, given back to every row."""
    first, which = batch.groups(*columns, *(column for matrix in matrices for column in matrix.T))
    blocks = [first[start : start + ROWS] for start in range(0, first.size, ROWS)]
    found = [rows(*(part[block] for part in (*columns, *matrices))) for block in blocks]
    return {name: np.concatenate([part[name] for part in found])[which] for name in found[0]}


def with_ends(name: str, drawn: Floats, level: float | None) -> dict[str, Floats]:
    """The mean of the draws and their equal-tailed interval, where there is a level."""
    found: dict[str, Floats] = {name: drawn.mean(axis=0)}
    if level is not None:
        ends = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        found |= {f"{name}_{end}": cells for end, cells in zip(ENDS, ends, strict=True)}
    return found
