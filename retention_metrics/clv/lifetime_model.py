"""Customers who may leave at any moment: the family of the Pareto/NBD.

The likelihood of a history is that of silence since the last purchase, of customers who stayed and of customers who
left on the way. With A(u) the likelihood of the purchases in time u (the rates integrated out),

    L = A(T) S(T) + integral from t_x to T of A(u) f(u) du,

the integral by Gauss-Legendre rules: nothing is subtracted, and derivatives go under the integral sign.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv import curves, newton
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.lifetime_parts import Lifetimes, power_terms
from retention_metrics.clv.parts import Rates, Terms
from retention_metrics.clv.purchase_model import MOST, PurchaseModel
from retention_metrics.explanation import Explanation

Floats = NDArray[np.float64]
Nodes = Iterator[tuple[NDArray[np.intp], Floats, Floats]]

_SUDDEN = 1e20  # a Gompertz hazard that grows by more before it matters, or has, begins as if at once
_DEPTH = 40.0  # e**-40 is below the last bit of a double
_BLOCK = 8_192  # nodes at a time, so that the arrays stay in the cache
_FEW = 256  # rows at a time where each has its own integral
_CROWDED = 3.0  # pi over the angle at which a panel of 16 nodes and a unit of log time is exact to the last digits
_STEEP = 200.0  # exponents from which exp(x) - 1 is exp(x), far from overflow
_SMALL_RULES = (6, 10, 16)
_RULE = 24
# Units of difficulty up to which 0, 6, 10, 16 and 24 nodes are exact to 1e-13; then panels of 24 in powers of two.
_LEVELS = np.concatenate([[0.0, 0.04, 0.2, 0.5], 2.0 ** np.arange(20)])


class LifetimeModel(Rates, Lifetimes, PurchaseModel):
    """Purchases at a customer's own rate until the end of a lifetime that has nothing to do with them.

    Given alive at T, the rate of purchases and the time that is left are independent of each other, and the time left
    depends on T alone; ``parts`` and ``lifetime_parts`` hold the kinds of rates and of lifetimes.
    """

    model_source: ClassVar[str]

    def explain(self) -> Explanation:
        """What the parameters say about the average customer.

        Returns
        -------
        Explanation
            The mean purchase rate and the median lifetime: the last step.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669)
        >>> round(model.explain().evaluate()["median_lifetime"], 2)
        24.96
        """
        return Explanation(
            formula=f"{self.rate_words}; {self.lifetime_words}",
            values={name: float(value) for name, value in zip(self.parameters, self.theta, strict=True)},
            steps=(self.rate_step, self.lifetime_step),
            source=self.model_source,
        )

    # ---------------------------------------------------------- fitting

    @classmethod
    def _objective(cls, data: Histories, *, threads: int | None) -> newton.Objective:
        return HistorySums(cls, data, threads)

    @classmethod
    def _rows(cls, theta: tuple[Floats, ...], data: Histories, rows: slice) -> Terms:
        values: dict[str, Any] = dict(zip(cls.parameters, theta, strict=True))
        return cls(**values)._terms(data.frequency[rows], data.recency[rows], data.T[rows])

    @classmethod
    def _start(cls, rate: float) -> Floats:
        known = {"r": 0.5, "alpha": 0.5 / rate, "rate": rate, "s": 0.5, "mu": rate, "b": rate, "eta": 1.0}
        known |= {"beta": 1.0 if "beta" not in cls.time_scales else 0.5 / rate, "share": 0.5}
        return np.array([known[name] for name in cls.parameters])

    @classmethod
    def _other_starts(cls, rate: float) -> tuple[Floats, ...]:
        """One at which many leave early, and those who stay buy at much the same rate."""
        if "beta" not in cls.parameters:
            return ()
        early = {"r": 10.0, "alpha": 10.0, "s": 0.4, "beta": 1e-3}
        return (cls._start(rate) * np.array([early.get(name, 1.0) for name in cls.parameters]),)

    @classmethod
    def _runs_away(cls, odds: Floats) -> bool:
        at = dict(zip(cls.parameters, odds, strict=True))
        pace = at["rate"] if "rate" in at else at["r"] / at["alpha"]  # purchases per unit of time
        lost = any(not 1e-6 < at[name] < 1e6 for name in ("r", "s") if name in at)
        if "b" in at:
            # Of a hazard that grows fast the level at age 0 says nothing by itself.
            level = at.get("eta", 1 / at.get("beta", 1.0))
            lost = lost or not 1e-7 < at["b"] / pace < 1e7 or not 1 / _SUDDEN < level < _SUDDEN
        else:
            lost = lost or not 1e-7 < at.get("mu", at.get("s", 1.0) / at.get("beta", 1.0)) / pace < 1e7
        return bool(lost or not 1e-7 < at.get("share", 1.0) < 1e7)

    def _terms(self, x: Floats, t_x: Floats, age: Floats) -> Terms:
        """Log-likelihood of each history, with derivatives in the parameters: 1-D arrays.

        Relative to a customer who was seen last at t_x and is alive then, the likelihood is a sum of positive weights:
        of being alive at T, and of having left at each node of the integral.
        """
        t_x = self._stayed_until(t_x, age)
        split, span = self._rate_parameters(), age - t_x
        rates = [getattr(self, name) for name in self.parameters[:split]]
        bought, stayed = self.arrival_terms(rates, x, t_x), self._fall_terms(np.zeros(x.shape), t_x)
        value, slopes = bought.value + stayed.value, np.concatenate([bought.slopes, stayed.slopes])
        curvatures = np.zeros((slopes.shape[0], *slopes.shape))
        curvatures[:split, :split], curvatures[split:, split:] = bought.curvatures, stayed.curvatures
        for rows, time, weight in self._nodes(self._power(x), self._scale(t_x), self._clear(), t_x, span):
            part = self._of(rows)
            found = part._mixture(x[rows], t_x[rows], np.concatenate([time, span[None, rows]]), weight)
            value[rows] += found.value
            slopes[:, rows] += found.slopes
            curvatures[:, :, rows] += found.curvatures
        return Terms(value, slopes, curvatures)

    def _mixture(self, x: Floats, t_x: Floats, time: Floats, weight: Floats) -> Terms:
        """Log of the sum over the ways to be silent until the last of ``time``: leaving at one before it, or never."""
        quiet, stay = self._silence_terms(x, t_x, time), self._fall_terms(t_x, time)
        leave = self._hazard_terms(t_x + time[:-1])
        split = quiet.slopes.shape[0]
        share = np.exp(quiet.value + stay.value)
        share[:-1] *= weight * leave.value
        total = share.sum(axis=0)
        share /= total
        slopes = np.concatenate([quiet.slopes, stay.slopes])
        slopes[split:, :-1] += leave.slopes
        stay.curvatures[:, :, :-1] += leave.curvatures

        mean = np.einsum("knr,nr->kr", slopes, share)
        curvatures = np.empty((slopes.shape[0], *mean.shape))
        for i in range(mean.shape[0]):
            drawn = slopes[i] * share
            for j in range(i + 1):
                bend = np.einsum("nr,nr->r", drawn, slopes[j]) - mean[i] * mean[j]
                if j >= split:
                    bend += np.einsum("nr,nr->r", stay.curvatures[i - split, j - split], share)
                elif i < split:
                    bend += np.einsum("nr,nr->r", quiet.curvatures[i, j], share)
                curvatures[i, j] = curvatures[j, i] = bend
        return Terms(np.log(total), mean, curvatures)

    def _silence_terms(self, x: Floats, t_x: Floats, time: Floats) -> Terms:
        """Log-probability of no purchase in a time after t_x of those who stay, with derivatives."""
        power, scale = self._power(x), self._scale(t_x)
        if np.isinf(power).any():
            none = np.zeros(time.shape)
            return Terms(-time / scale, -time[None], none[None, None])
        return power_terms(power, scale, time)

    @classmethod
    def _rate_parameters(cls) -> int:
        return sum(name in ("r", "alpha", "rate") for name in cls.parameters)

    # ---------------------------------------------------------- a customer with a history

    def _stayed_until(self, t_x: Floats, age: Floats) -> Floats:
        """The age until which a customer is known to have stayed: that of the last purchase."""
        return t_x

    def _log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        t_x = self._stayed_until(t_x, age)
        stayed = self._log_silent(x, t_x, age)
        before = self._log_arrivals(x, t_x) - self._fall(np.zeros(x.shape), t_x)
        answer: Floats = before + np.logaddexp(stayed, self._log_left(x, t_x, age))
        return answer

    def _log_odds_gone(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        t_x = self._stayed_until(t_x, age)
        answer: Floats = self._log_left(x, t_x, age) - self._log_silent(x, t_x, age)
        return answer

    def _log_silent(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """Log-probability of staying from t_x to T and not buying."""
        return -_quiet(self._power(x), self._scale(t_x), age - t_x) - self._fall(t_x, age - t_x)

    def _log_left(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """Log-probability of leaving between t_x and T and not buying before."""
        flat, shape = self._flat(x.shape), x.shape
        x, t_x, age = x.reshape(-1), t_x.reshape(-1), age.reshape(-1)
        answer = np.full(x.size, -np.inf)
        silent = age > t_x
        once = silent & (x == 0) & (t_x == 0) if not self.varies else np.zeros(x.shape, dtype=bool)
        if once.any():
            answer[once] = flat._log_left_once(age[once])
        rows = np.flatnonzero(silent & ~once)
        if rows.size:
            answer[rows] = flat._of(rows)._log_left_rows(x[rows], t_x[rows], age[rows])
        return answer.reshape(shape)

    def _log_left_once(self, age: Floats) -> Floats:
        """``_log_left`` of customers without repeat purchase: a function of T alone."""
        none, scale = np.zeros(age.size), self._clearance()

        def per_time(levels: Floats, variable: Floats) -> Floats:
            time = np.expm1(variable) * scale
            return self._log_left_rows(levels, np.zeros(time.size), time) - np.log(time)

        return curves.by_frequency(per_time, none, np.log1p(age / scale)) + np.log(age)

    def _log_left_rows(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        def chunk(rows: slice) -> Floats:
            part, start, frequency = self._of(rows), t_x[rows], x[rows]
            power, scale = part._power(frequency), part._scale(start)
            total = np.zeros(start.size)
            for few, time, weight in part._nodes(power, scale, part._clear(), start, age[rows] - start):
                lone, early = part._of(few), start[few]
                fall = _quiet(power[few], scale[few], time) + lone._fall(early, time)
                total[few] += (np.exp(-fall) * lone._hazard(early + time) * weight).sum(axis=0)
            return np.log(total)

        return np.concatenate(newton.over_chunks(x.size, chunk, threads=None))

    def _log_stays(self, x: Floats, t_x: Floats, age: Floats, later: Floats) -> Floats:
        return -self._fall(age, later)

    def _expected(self, x: Floats, t_x: Floats, age: Floats, horizon: Floats) -> Floats:
        closed = self._time_alive(age, horizon)
        if closed is not None:
            return self._mean_rate(x, age) * closed
        common = horizon.size > 0 and not self.varies and bool(np.all(horizon == horizon.flat[0]))
        if not common:
            return self._mean_rate(x, age) * self._present_time(age, horizon, 0.0)
        reach = float(horizon.flat[0])
        return self._mean_rate(x, age) * self._by_age(lambda ages: self._present_time(ages, reach, 0.0), age)

    def _ever(self, x: Floats, t_x: Floats, age: Floats) -> Floats | None:
        time = self._time_alive_ever(age)
        return None if time is None else self._mean_rate(x, age) * time

    def _discounted(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        time = self._by_age(lambda ages: self._present_time(ages, horizon, force), age)
        return self._mean_rate(x, age) * time

    def _in_steps(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        if self.varies:
            return super()._in_steps(x, t_x, age, horizon, force)
        whole = super()._in_steps

        def time(ages: Floats) -> Floats:
            none = np.zeros(ages.shape)
            return whole(none, none, ages, horizon, force) / self._mean_rate(none, ages)

        return self._mean_rate(x, age) * self._by_age(time, age)

    def _pace(self, x: Floats, age: Floats) -> Floats:
        clear = self._clearance() + age
        answer: Floats = clear / (1 + clear * self._hazard(age))
        return answer

    def _mass(self, x: Floats, t_x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        """The customer stays for the whole horizon and buys n times, or leaves after the n-th purchase."""
        if self.varies:
            return (
                self._flat(x.shape)
                ._mass_rows(*(column.reshape(-1) for column in (x, age, n, horizon)))
                .reshape(x.shape)
            )
        columns = np.stack([column.reshape(-1) for column in (x, age, n, horizon)])
        cases, which = np.unique(columns, axis=1, return_inverse=True)
        return self._mass_rows(*cases)[which].reshape(x.shape)

    def _mass_rows(self, x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        answer: Floats = np.exp(self._log_mass(x, age, n, horizon) - self._fall(age, horizon))
        open_rows = np.flatnonzero(horizon > self._rest(age))
        for start in range(0, open_rows.size, _FEW):
            rows = open_rows[start : start + _FEW]
            answer[rows] += np.exp(self._of(rows)._log_mass_left(x[rows], age[rows], n[rows], horizon[rows]))
        return answer

    def _log_mass_left(self, x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        """Log-probability of n purchases and then leaving within the horizon, given alive at T.

        The integral over the time u of leaving, in y = log u. Without the hazard the log of the integrand,
        (n + 1) y + log-probability of silence - fall, is concave in y: its top is found, and where it has fallen by
        more than the hazard can make up for.
        """
        power, scale, rest = self._power(x), self._scale(age), self._rest(age)

        def slope(y: Floats) -> Floats:
            time = np.exp(y)
            # Of purchases in u, u P'(u) / P(u) = n - (power + n) u / (scale + u).
            per_time = np.where(np.isinf(power), 1 / scale, _finite(power + n, n) / (scale + time))
            answer: Floats = n + 1 - time * (per_time + self._hazard(age + time))
            return answer

        def height(y: Floats, rows: Any = ...) -> Floats:
            time = np.exp(y)
            answer: Floats = y + self._log_mass(x, age, n, time) - self._fall(age, time)
            return answer

        end = np.log(horizon)
        rise = np.log(np.maximum(1.0, self._hazard(age + horizon) / self._hazard(age + rest)))
        depth = _DEPTH + rise
        floor = end - 2 * depth - np.log1p(horizon / scale) - np.log1p(horizon * self._hazard(age + horizon)) - 10
        floor = np.maximum(floor, np.log(rest, out=np.full(rest.shape, -np.inf), where=rest > 0))
        peak = _bisect(lambda y: slope(y) > 0, floor, end, 50)
        top = height(peak)
        low = _bisect(lambda y: height(y) < top - depth, floor, peak, 30)
        low = np.where(
            height(floor) < top - depth, low, floor
        )  # nobody leaves before: the integral begins in full height
        high = _bisect(lambda y: height(y) > top - depth, peak, end, 30)
        fractions, weights = _panels(max(12, int(np.ceil(float(np.max((high - low) * self._narrow()))))))
        total = np.zeros(x.size)
        for fraction, weight in zip(fractions, weights, strict=True):
            y = low + (high - low) * fraction
            total += weight * np.exp(height(y) - top) * self._hazard(age + np.exp(y))
        return top + np.log(total * (high - low))

    def _draw(self, generator: np.random.Generator, age: Floats) -> dict[str, NDArray[Any]]:
        rate = self._draw_rates(generator, age.size)
        lifetime = self._draw_lifetimes(generator, age.size)
        stay = np.minimum(age, lifetime)
        frequency = generator.poisson(rate * stay)
        # Given their number, purchases are uniform while the customer stays: the last of n is at stay times Beta(n, 1).
        place = generator.beta(np.maximum(frequency, 1), 1.0)
        return {
            "frequency": frequency,
            "recency": np.where(frequency > 0, stay * place, 0.0),
            "T": age,
            "purchase_rate": rate,
            "lifetime": lifetime,
            "alive": lifetime > age,
        }

    def _draw_ahead(
        self, generator: np.random.Generator, x: Floats, t_x: Floats, age: Floats, horizon: float
    ) -> Floats:
        # Given alive at T the log of survival falls by an exponential variable until the customer leaves.
        left = self._time_to_fall(age, generator.exponential(size=x.size))
        rate = self._draw_rates(generator, x.size, x, age)
        return generator.poisson(np.minimum(rate * np.minimum(left, horizon), MOST)).astype(np.float64)

    # ---------------------------------------------------------- shared arithmetic

    def _mean_rate(self, x: Floats, age: Floats) -> Floats:
        """Mean purchase rate given the history and being alive."""
        power = self._power(x)
        answer: Floats = np.where(np.isinf(power), 1.0, power) / self._scale(age)
        return answer

    def _present_time(self, age: Floats, horizon: Floats | float, force: float) -> Floats:
        """Discounted expected time alive in (T, T + horizon], given alive at T."""
        flat, shape = self._flat(age.shape), age.shape
        start, reach = age.reshape(-1), np.broadcast_to(horizon, shape).reshape(-1)
        power = np.full(start.size, np.inf if force else 0.0)
        scale = np.full(start.size, 1 / force if force else np.inf)
        total = np.zeros(start.size)
        for rows, time, weight in flat._nodes(power, scale, flat._clearance(), start, reach):
            fall = force * time + flat._of(rows)._fall(start[rows], time)
            total[rows] += (np.exp(-fall) * weight).sum(axis=0)
        return total.reshape(shape)

    def _time_alive_ever(self, age: Floats) -> Floats | None:
        closed = super()._time_alive_ever(age)
        return self._present_time(age, np.inf, 0.0) if closed is None and self._time_alive(age, age) is None else closed

    def _by_age(self, function: Callable[[Floats], Floats], age: Floats) -> Floats:
        """A positive function of T, by one curve for many customers."""
        if self.varies:
            return function(age)
        scale = float(self._clearance())

        def log_value(levels: Floats, variable: Floats) -> Floats:
            value = function(np.expm1(variable) * scale)
            return np.log(np.where(value > 0, value, 1e-300))

        variable = np.log1p(age.reshape(-1) / scale)
        return np.exp(curves.by_frequency(log_value, np.zeros(variable.size), variable)).reshape(age.shape)

    def _clear(self) -> Floats:
        """Distance from age 0 to the nearest singularity of purchases or lifetimes."""
        answer: Floats = np.minimum(self._scale(np.zeros(())), self._clearance())
        return answer

    def _nodes(self, power: Floats, scale: Floats, clear: Floats, start: Floats, reach: Floats) -> Nodes:
        """Nodes in (0, reach) and weights for integrals of silence times survival after ``start``, by groups of rows.

        The variable is log(clear + start + time), ``clear`` being the distance to the nearest singularity, so that all
        are about pi from the path. How many nodes that takes depends on the length of the path, on how steep the
        integrand is at its end, and on how close the hazard's singularities come.
        """
        reach = np.minimum(reach, np.minimum(self._time_to_fall(start, _DEPTH), _time_of_silence(power, scale)))
        base, end = clear + start, clear + start + reach
        width = np.log1p(reach / base)
        steep = 1 + end * (_per_time(power, scale, reach) + self._hazard(start + reach))
        level = np.searchsorted(_LEVELS, width * np.maximum(self._crowding() / 6, steep / 40))
        for found in np.unique(level):
            rule = _rule(int(found))
            members = np.flatnonzero(level == found)
            block = max(1, _BLOCK // max(1, rule[0].size))
            for first in range(0, members.size, block):
                rows = members[first : first + block]
                yield rows, *_lay(base[rows], width[rows], rule)

    def _narrow(self) -> Floats:
        """Panels in a unit of log time for integrals from an age on, beside the singularities of the hazard."""
        answer: Floats = np.maximum(1.0, self._crowding() / _CROWDED)
        return answer

    def _flat(self, shape: tuple[int, ...]) -> Self:
        """The model of arrays of this shape laid out in one dimension."""
        if not self.varies:
            return self
        values = {name: np.broadcast_to(getattr(self, name), shape).reshape(-1) for name in self.parameters}
        return dataclasses.replace(self, **values)  # type: ignore[type-var]


class HistorySums:
    """The log-likelihood of a model of lifetimes over distinct histories."""

    def __init__(self, cls: type[LifetimeModel], data: Histories, threads: int | None) -> None:
        # A row takes long enough for a second thread to pay wherever one is allowed.
        self._cls, self._threads = cls, threads or os.cpu_count()
        self._data = distinct(data)

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in the parameters."""
        model = self._cls(**dict(zip(self._cls.parameters, map(float, self._cls.from_odds(theta)), strict=True)))
        parts = newton.over_chunks(self._data.T.size, lambda rows: self._chunk(rows, model), threads=self._threads)
        value, gradient, hessian = 0.0, np.zeros(theta.size), np.zeros((theta.size, theta.size))
        for part_value, part_gradient, part_hessian in parts:
            value, gradient, hessian = value + part_value, gradient + part_gradient, hessian + part_hessian
        return value, gradient, hessian

    def _chunk(self, rows: slice, model: LifetimeModel) -> tuple[float, Floats, Floats]:
        data = self._data
        terms = model._terms(data.frequency[rows], data.recency[rows], data.T[rows])
        counts = np.ones(terms.value.size) if data.counts is None else data.counts[rows]
        return float(counts @ terms.value), terms.slopes @ counts, terms.curvatures @ counts


def distinct(data: Histories) -> Histories:
    """The distinct histories with their counts, where histories repeat."""
    sample = data.every(max(1, data.T.size // 1_000))
    if np.unique(sample.T).size > 0.9 * sample.T.size:
        return data
    key = np.zeros(data.T.size, dtype=np.int64)
    for column in (data.frequency, data.recency, data.T):
        levels, code = np.unique(column, return_inverse=True)
        key = key * levels.size + code
    _, first, which = np.unique(key, return_index=True, return_inverse=True)
    counts = np.bincount(which, weights=data.counts).astype(np.float64)
    return Histories(data.frequency[first], data.recency[first], data.T[first], counts)


def _finite(power: Floats, other: Floats) -> Floats:
    return np.where(np.isinf(power), other, power)


def _quiet(power: Floats, scale: Floats, time: Floats) -> Floats:
    """Minus the log of (1 + time / scale)**-power; time / scale itself for infinite power."""
    tau = time / scale
    if not np.isinf(power).any():
        answer: Floats = power * np.log1p(tau)
        return answer
    return np.where(np.isinf(power), tau, _finite(power, tau) * np.log1p(tau))


def _per_time(power: Floats, scale: Floats, time: Floats) -> Floats:
    """Slope of ``_quiet`` at a time."""
    endless = np.isinf(power)
    return np.where(endless, 1.0, power) / np.where(endless, scale, scale + time)


def _time_of_silence(power: Floats, scale: Floats) -> Floats:
    """The time after which the integral of (1 + time / scale)**-power adds nothing."""
    endless = np.isinf(power)
    exponent = np.minimum(_DEPTH / np.maximum(np.where(endless, 1.0, power) - 1, _DEPTH / _STEEP), _STEEP)
    return np.where(endless, _DEPTH, np.expm1(exponent)) * scale


@lru_cache(maxsize=64)
def _rule(level: int) -> tuple[Floats, Floats]:
    """Nodes in (0, 1) and weights, as a column each, of the rule for a level of difficulty."""
    if level <= len(_SMALL_RULES):
        size, panels = (0, *_SMALL_RULES)[level], 1
    else:
        size, panels = _RULE, 2 ** (level - len(_SMALL_RULES) - 1)
    if size == 0:
        return np.zeros((0, 1)), np.zeros((0, 1))
    fractions, weights = _composite(size, panels)
    return fractions[:, None], weights[:, None]


def _panels(count: int) -> tuple[Floats, Floats]:
    return _composite(16, count)


def _composite(size: int, panels: int) -> tuple[Floats, Floats]:
    """Nodes in (0, 1) and weights of Gauss-Legendre panels."""
    nodes, weights = np.polynomial.legendre.leggauss(size)
    fractions = ((np.arange(panels)[:, None] + 0.5 + 0.5 * nodes) / panels).reshape(-1)
    return fractions, np.tile(weights, panels) / (2 * panels)


def _lay(base: Floats, width: Floats, rule: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Times and weights of a rule in the variable log(base + time) over a path of this width."""
    fractions, weights = rule
    grown = base * np.expm1(width * fractions)
    return grown, weights * width * (base + grown)


def _bisect(before: Callable[[Floats], NDArray[np.bool_]], low: Floats, high: Floats, steps: int) -> Floats:
    """The point where ``before`` turns from true to false; the upper end where it does not."""
    stays = before(high)
    start, stop = low, high
    for _ in range(steps):
        middle = 0.5 * (start + stop)
        passed = before(middle)
        start, stop = np.where(passed, middle, start), np.where(passed, stop, middle)
    return np.where(stays, high, 0.5 * (start + stop))
