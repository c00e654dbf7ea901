"""What a posterior says about customers: intervals of expectations, and of what a customer will do."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import batch, frames
from retention_metrics.clv.gamma_gamma import GammaGamma
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.errors import InputError

if TYPE_CHECKING:
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.posterior import Posterior

Floats = NDArray[np.float64]
Answer = TypeVar("Answer")

DRAWS = 500
"""Draws that predictions use unless more are asked for."""
ROWS = 4_096  # histories at a time, so that their draws fit the memory
_FIRST_NUMBERS, _MOST_NUMBERS = 2, 65_536  # of purchases whose probabilities are added up in search of one
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
    if isinstance(posterior.model, GammaGamma):
        return _predict_spend(posterior, history, horizon=horizon, level=level, draws=draws, columns=columns)
    model: object = posterior.model
    if not isinstance(model, PurchaseModel):
        raise InputError(
            f"predict of a posterior is for models of purchases and of spend; got that of a {type(model).__name__}.",
            argument="posterior",
            fix="fit.predict gives intervals by the delta method.",
        )
    ahead = _checks.non_negative(horizon, name="horizon")
    table = frames.adopt(history, {"frequency": "frequency", "recency": "recency", "T": "T", **columns})
    model.check_unit(table.unit)
    models = thinned(posterior, draws)
    generators = np.random.default_rng(rng).spawn(len(models))

    def rows(x: Floats, t_x: Floats, age: Floats) -> dict[str, Floats]:
        alive = np.stack([drawn._alive(x, t_x, age) for drawn in models])
        given_alive = over_draws(models, lambda drawn: drawn._ahead(x, t_x, age, ahead, 0.0, "continuous"))

        def one(place: int) -> Floats:
            return purchases(models[place], generators[place], alive[place], x, t_x, age, ahead)

        number = np.stack(on_threads(one, len(models)))
        found = with_ends("probability_alive", alive, level)
        found |= with_ends("expected_purchases", alive * given_alive, level)
        ends = np.quantile(number, [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf")
        return found | {"purchases_low": ends[0], "purchases_high": ends[1]}

    definition = f"{model.kind}/posterior-predict"
    return table.with_answers(by_history(rows), definition=definition, notes=model.notes)


def purchases(
    model: PurchaseModel,
    generator: np.random.Generator,
    alive: Floats,
    x: Floats,
    t_x: Floats,
    age: Floats,
    horizon: float,
) -> Floats:
    """Draw the purchases of each customer in the time ahead, from their probabilities."""
    # Some of the chance is that of having dropped out; what is left of it is looked for among those alive.
    chance = generator.uniform(size=x.size)
    number = np.zeros(x.size)
    open_rows = np.flatnonzero(chance < alive) if horizon > 0 else np.empty(0, dtype=np.intp)
    left = chance[open_rows] / alive[open_rows]
    first, size = 0, _FIRST_NUMBERS
    while open_rows.size and first < _MOST_NUMBERS:
        shape = (open_rows.size, size)
        counts = np.broadcast_to(np.arange(first, first + size, dtype=np.float64), shape)
        their = [np.broadcast_to(part[open_rows, None], shape) for part in (x, t_x, age)]
        mass = model._mass(their[0], their[1], their[2], counts, np.full(shape, horizon))
        reached = np.cumsum(mass, axis=1)
        number[open_rows] = first + np.sum(reached <= left[:, None], axis=1)
        beyond = reached[:, -1] <= left
        open_rows, left = open_rows[beyond], (left - reached[:, -1])[beyond]
        first, size = first + size, 2 * size
    return number


# ---------------------------------------------------------------- value


@dataclass(frozen=True, slots=True)
class Worth:
    """Expected spend times a weight, as arithmetic over money that an engine can run.

    Of the draws d the value is ``weight_d share_d (v_d + x m)``, linear in the money m, and so is its mean. Over
    ``v + x m``, with v at the mode, it is ``weight_d share_d (1 - u + u v_d / v)`` for u = v / (v + x m) from 0 to
    1: quantiles of that are smooth in u, and a polynomial follows them.
    """

    models: tuple[GammaGamma, ...]
    scale: float
    level: float | None

    def parts(self, x: Floats, weights: Floats) -> dict[str, Floats]:
        """What the formula needs of each history; ``weights`` has shape (n_draws, n_rows)."""
        shares = np.stack([_share(model, x) for model in self.models])
        relative = np.array([model.v for model in self.models])[:, None] / self.scale
        worth = weights * shares
        found = {"_own": worth.mean(axis=0), "_prior": (worth * relative).mean(axis=0)}
        if self.level is None:
            return found
        nodes = 0.5 - 0.5 * np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        ends = [(1 - self.level) / 2, (1 + self.level) / 2]
        heights = np.stack([np.quantile(worth * (1 - u + u * relative), ends, axis=0) for u in nodes])
        powers = nodes[:, None] ** np.arange(_DEGREE + 1)
        coefficients = (np.linalg.pinv(powers) @ heights.reshape(_NODES, -1)).reshape(-1, *heights.shape[1:])
        for end, name in enumerate(("low", "high")):
            found |= {f"_{name}{power}": coefficients[power, end] for power in range(_DEGREE + 1)}
        return found

    def columns(self, name: str, by: Mapping[str, Any]) -> dict[str, Any]:
        """The value, and the ends of its interval where there is a level."""
        total = self.scale + by["frequency"] * by["monetary_value"]
        u = self.scale / total
        found = {name: total * (by["_own"] * (1 - u) + by["_prior"] * u)}
        for end in ("low", "high") if self.level is not None else ():
            height = by[f"_{end}{_DEGREE}"]
            for power in reversed(range(_DEGREE)):
                height = height * u + by[f"_{end}{power}"]
            found[f"{name}_{end}"] = total * height
        return found


def lifetime_value(
    bought: Posterior[PurchaseModel],
    spend: Posterior[GammaGamma],
    table: frames.HistoryTable,
    *,
    horizon: float,
    force: float,
    margin: float,
    timing: str,
    level: float | None,
    draws: int = DRAWS,
) -> CustomerTable:
    """Value from the draws of two independent posteriors; see ``clv.lifetime_value``."""
    size = min(draws, size_of(bought), size_of(spend))
    models, spending = thinned(bought, size), thinned(spend, size)
    worth = Worth(spending, spend.model.v, level)

    def rows(x: Floats, t_x: Floats, age: Floats) -> dict[str, Floats]:
        alive = np.stack([drawn._alive(x, t_x, age) for drawn in models])
        given_alive = over_draws(models, lambda drawn: drawn._ahead(x, t_x, age, horizon, force, timing))
        return worth.parts(x, margin * alive * given_alive)

    definition, notes = f"clv.lifetime_value/{timing}/posterior", bought.model.notes

    def formula(by: Mapping[str, Any]) -> dict[str, Any]:
        return worth.columns("clv", by)

    return table.with_answers(by_history(rows), definition=definition, notes=notes, formula=formula)


def _predict_spend(
    posterior: Posterior[GammaGamma],
    history: PurchaseHistory | object,
    *,
    horizon: float | None,
    level: float,
    draws: int,
    columns: Mapping[str, str],
) -> CustomerTable:
    if horizon is not None:
        raise InputError(f"horizon is for models of purchases; got {horizon!r}.", argument="horizon")
    table = frames.adopt(history, {"frequency": "frequency", "monetary_value": "monetary_value", **columns})
    models = thinned(posterior, draws)
    worth = Worth(models, posterior.model.v, level)

    def parts(frequency: Floats) -> dict[str, Floats]:
        levels, which = np.unique(_checks.whole(frequency, name="frequency"), return_inverse=True)
        found = worth.parts(levels, np.ones((len(models), levels.size)))
        return {name: values[which] for name, values in found.items()}

    return table.with_spending(
        parts,
        definition=f"{posterior.model.kind}/posterior-predict",
        formula=lambda by: worth.columns("expected_value", by),
    )


def _share(model: GammaGamma, x: Floats) -> Floats:
    """What multiplies ``v + x m`` in the expected spend."""
    below = model.p * x + model.q - 1
    if (below <= 0).any():
        raise InputError(
            "every draw of the spend model has a q above 1 where customers have made few purchases; "
            f"got q = {model.q:.4g} in one, with which the mean spend of some is infinite.",
            argument="spend",
            fix='A prior of q above 1 rules that out: priors={"q": scipy.stats.lognorm(s=0.5, loc=1, scale=3)}.',
        )
    return np.asarray(model.p / below)


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


def over_draws(models: Sequence[PurchaseModel], answer: Callable[[PurchaseModel], Floats]) -> Floats:
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


def by_history(rows: Callable[[Floats, Floats, Floats], dict[str, Floats]]) -> frames.Answers:
    """``rows`` of the distinct histories, a block at a time, given back to every row."""

    def compute(x: Floats, t_x: Floats, age: Floats) -> dict[str, Floats]:
        first, which = batch.groups(x, t_x, age)
        blocks = [first[start : start + ROWS] for start in range(0, first.size, ROWS)]
        found = [rows(x[block], t_x[block], age[block]) for block in blocks]
        return {name: np.concatenate([part[name] for part in found])[which] for name in found[0]}

    return compute


def with_ends(name: str, drawn: Floats, level: float) -> dict[str, Floats]:
    """The mean of the draws and their equal-tailed interval."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {name: drawn.mean(axis=0), f"{name}_low": low, f"{name}_high": high}
