"""What today's customers may do next: purchases drawn given their histories, for each model of purchases.

Given that a customer is alive, rates and dropout are drawn from what the model says of customers with that history,
and purchases follow from them until the customer drops out.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retention_metrics.clv import BGBB, BGCNBD, BGNBD, MBGNBD, GammaGamma, GGompertzNBD, ParetoNBD
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.spend_limits import GammaSpend, InverseGammaSpend
from retention_metrics.clv.spend_model import SpendModel

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
MODELS: tuple[type[PurchaseModel], ...] = (BGNBD, MBGNBD, ParetoNBD, GGompertzNBD, BGCNBD, BGBB)
"""The models whose futures can be drawn."""


def future(
    model: PurchaseModel,
    chance: Floats,
    x: Floats,
    t_x: Floats,
    age: Floats,
    step: float,
    count: int,
    rng: np.random.Generator,
) -> Counts:
    """Purchases of each customer in each of ``count`` periods of length ``step``, drawn given the history.

    ``chance`` is each customer's probability of being alive.
    """
    alive = rng.random(x.size) < chance
    found = np.zeros((x.size, count), dtype=np.int64)
    found[alive] = _bought(model, x[alive], t_x[alive], age[alive], step, count, rng)
    return found


@singledispatch
def _bought(
    model: PurchaseModel, x: Floats, t_x: Floats, age: Floats, step: float, count: int, rng: np.random.Generator
) -> Counts:
    """The same for customers who are alive."""
    raise TypeError(f"no futures of a {type(model).__name__}")


@_bought.register(BGNBD)
@_bought.register(MBGNBD)
def _until_a_purchase(
    model: BGNBD | MBGNBD, x: Floats, t_x: Floats, age: Floats, step: float, count: int, rng: np.random.Generator
) -> Counts:
    rate = rng.gamma(model.r + x, 1 / (model.alpha + age))
    arrivals = np.cumsum(rng.poisson(np.repeat(rate[:, None] * step, count, axis=1)), axis=1)
    return _ended(arrivals, rng.beta(model.a, model.b + x + model.early), rng)


@_bought.register(BGCNBD)
def _in_stages(
    model: BGCNBD, x: Floats, t_x: Floats, age: Floats, step: float, count: int, rng: np.random.Generator
) -> Counts:
    """Stages passed since the last purchase, fewer than k, are drawn first: they bring the next one nearer."""
    passed = np.arange(model.k)
    power, silence = (model.r + model.k * x)[:, None] + passed, ((age - t_x) / (model.alpha + age))[:, None]
    logs = special.gammaln(power) + special.xlogy(passed, silence) - special.gammaln(passed + 1)
    chances = special.softmax(logs, axis=1)
    stages = (np.cumsum(chances, axis=1) < rng.random(x.size)[:, None]).sum(axis=1)
    rate = rng.gamma(model.r + model.k * x + stages, 1 / (model.alpha + age))
    further = np.cumsum(rng.poisson(np.repeat(rate[:, None] * step, count, axis=1)), axis=1)
    return _ended((stages[:, None] + further) // model.k, rng.beta(model.a, model.b + x), rng)


def _ended(arrivals: Counts, dropout: Floats, rng: np.random.Generator) -> Counts:
    """Purchases by period from those in all, of customers who may drop out after each."""
    last = rng.geometric(np.maximum(dropout, 1e-12))
    return np.diff(np.minimum(arrivals, last[:, None]), axis=1, prepend=0)


@_bought.register(ParetoNBD)
def _until_death(
    model: ParetoNBD, x: Floats, t_x: Floats, age: Floats, step: float, count: int, rng: np.random.Generator
) -> Counts:
    left = rng.exponential(1 / np.maximum(rng.gamma(model.s, 1 / (model.beta + age)), 1e-300))
    return _while_alive(rng.gamma(model.r + x, 1 / (model.alpha + age)), left, step, count, rng)


@_bought.register(GGompertzNBD)
def _until_old_age(
    model: GGompertzNBD, x: Floats, t_x: Floats, age: Floats, step: float, count: int, rng: np.random.Generator
) -> Counts:
    hazard = rng.gamma(model.s, 1 / (model.beta + np.expm1(model.b * age)))
    left = np.log1p(rng.exponential(size=x.size) / np.maximum(hazard, 1e-300) / np.exp(model.b * age)) / model.b
    return _while_alive(rng.gamma(model.r + x, 1 / (model.alpha + age)), left, step, count, rng)


def _while_alive(rate: Floats, left: Floats, step: float, count: int, rng: np.random.Generator) -> Counts:
    there = np.clip(left[:, None] - step * np.arange(count), 0.0, step)
    found: Counts = rng.poisson(rate[:, None] * there)
    return found


@_bought.register(BGBB)
def _at_opportunities(
    model: BGBB, x: Floats, t_x: Floats, age: Floats, step: float, count: int, rng: np.random.Generator
) -> Counts:
    dropout = rng.beta(model.gamma, model.delta + age)
    left = rng.geometric(np.maximum(dropout, 1e-12)) - 1.0
    chance = rng.beta(model.alpha + x, model.beta + age - x)
    there = np.clip(left[:, None] - step * np.arange(count), 0.0, step)
    found: Counts = rng.binomial(there.astype(np.int64), chance[:, None])
    return found


@singledispatch
def spent(model: SpendModel, x: Floats, money: Floats, bought: Counts, rng: np.random.Generator) -> Floats:
    """Money of each customer and period, drawn given what they have spent so far."""
    raise TypeError(f"no futures of a {type(model).__name__}")


@spent.register(GammaGamma)
def _at_own_scale(model: GammaGamma, x: Floats, money: Floats, bought: Counts, rng: np.random.Generator) -> Floats:
    scale = rng.gamma(model.q + model.p * x, 1 / (model.v + x * money))
    return _gamma_sums(model.p, 1 / scale, bought, rng)


@spent.register(GammaSpend)
def _around_one_mean(model: GammaSpend, x: Floats, money: Floats, bought: Counts, rng: np.random.Generator) -> Floats:
    return _gamma_sums(model.p, np.full(x.size, model.mu / model.p), bought, rng)


@spent.register(InverseGammaSpend)
def _always_the_same(
    model: InverseGammaSpend, x: Floats, money: Floats, bought: Counts, rng: np.random.Generator
) -> Floats:
    each = np.where(x > 0, money, model.s / rng.gamma(model.q, size=x.size))
    return each[:, None] * bought


@singledispatch
def moments(model: SpendModel, x: Floats) -> Floats:
    """Below which power the moments of what each customer spends are finite."""
    return np.full(x.size, np.inf)


@moments.register(GammaGamma)
def _of_an_inverse_gamma(model: GammaGamma, x: Floats) -> Floats:
    return model.q + model.p * x


@moments.register(InverseGammaSpend)
def _of_newcomers(model: InverseGammaSpend, x: Floats) -> Floats:
    return np.where(x > 0, np.inf, model.q)


def _gamma_sums(shape: float, scale: Floats, bought: Counts, rng: np.random.Generator) -> Floats:
    """Sums of as many gamma amounts as each customer buys, at the customer's scale."""
    total, some = np.zeros(bought.shape), bought > 0
    total[some] = rng.gamma(shape * bought[some]) * np.broadcast_to(scale[:, None], bought.shape)[some]
    return total
