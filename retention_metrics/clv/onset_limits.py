"""The models that GGompertz/NBD turns into as its hazard grows ever faster: one rate of leaving, from some age on.

With b to infinity and s to 0 at a fixed s b = mu the hazard is 0 until the age log(beta) / b and mu from there on.
That age may be above 0, the delay; where beta goes to 0 it is below, and a share of customers leaves at once. Where s b
goes to infinity too, everybody leaves at that age: all customers have one lifetime.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from retention_metrics import _checks
from retention_metrics.clv import newton
from retention_metrics.clv.held_model import HeldModel
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.lifetime_model import HistorySums, LifetimeModel
from retention_metrics.clv.lifetime_parts import Lifetimes, OneHazard
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import GammaRates, OneRate, Terms
from retention_metrics.explanation import Explanation, Step

Floats = NDArray[np.float64]

__all__ = [
    "ONSET_LIMITS",
    "DelayedExponentialNBD",
    "DelayedExponentialPoisson",
    "EarlyExponentialNBD",
    "EarlyExponentialPoisson",
    "FixedLifetimeNBD",
    "FixedLifetimePoisson",
]

_SOURCE = (
    "Bemmaor & Glady (2012), Modeling purchasing behavior with sudden death, Management Science 58(5); the limit where "
)
_ALL = "a share of customers leaves right after the first purchase, the others at one rate"
_LATER = "nobody leaves before an age that all share, and everybody at one rate from then on"
_ONE = "all customers have one lifetime"
_CORNERS = 20  # customers on either side of a likely delay whose last purchase is tried as one


# ---------------------------------------------------------------- some leave at once


class EarlyLeavers(OneHazard, LifetimeModel):
    """A share of customers leaves right after the first purchase, the others at one rate."""

    lifetime_words = "a share leaves at once, the others at one rate mu"
    lifetime_step = Step(name="stays_past_the_first_purchase", expression="1 - share")
    share: float

    def _log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        answer: Floats = np.log1p(-self.share) + super()._log_likelihood(x, t_x, age)
        return answer

    def _log_left(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """As for one rate, and at once for those without repeat purchase."""
        at_once = np.where(x == 0, np.log(self.share) - np.log1p(-self.share), -np.inf)
        return np.logaddexp(super()._log_left(x, t_x, age), at_once)

    def _terms(self, x: Floats, t_x: Floats, age: Floats) -> Terms:
        """Log of (L + o [x = 0]) / (1 + o), o the odds of the share and L the likelihood of one rate."""
        odds, base = np.asarray(self.share / (1 - self.share)), super()._terms(x, t_x, age)
        value = np.where(x == 0, np.logaddexp(base.value, np.log(odds)), base.value)
        stays = np.exp(base.value - value)
        leaves, size = 1 - stays, base.slopes.shape[0]
        none, whole = np.zeros(x.shape), 1 / (1 + odds)
        slopes, curvatures = np.zeros((size + 1, x.size)), np.zeros((size + 1, size + 1, x.size))
        slopes[:size] = stays * base.slopes
        slopes[size] = leaves / odds - whole
        curvatures[:size, :size] = stays * base.curvatures
        curvatures[:size, :size] += stays * leaves * base.slopes[:, None] * base.slopes[None]
        curvatures[size, :size] = curvatures[:size, size] = -stays * leaves / odds * base.slopes
        curvatures[size, size] = none + whole**2 - (leaves / odds) ** 2
        return Terms(value - np.log1p(odds), slopes, curvatures)

    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        stays = generator.uniform(size=size) >= self.share
        return np.where(stays, super()._draw_lifetimes(generator, size), 0.0)


@model
class EarlyExponentialNBD(GammaRates, EarlyLeavers):
    """Gamma purchase rates; a share leaves right after the first purchase, the others at one rate.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    mu : float
        Rate of leaving per unit of time of those who do not leave at once, above 0.
    share : float
        Share of customers who leave right after the first purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.onset_limits import EarlyExponentialNBD
    >>> model = EarlyExponentialNBD(r=0.5, alpha=10.0, mu=0.02, share=0.3)
    >>> model.probability_alive([0, 2], [0.0, 30.43], 38.86).round(3)
    array([0.21, 0.81])
    """

    kind: ClassVar[str] = "clv.early_exponential_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "mu", "share")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    time_rates: ClassVar[tuple[str, ...]] = ("mu",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    limit_of: ClassVar[str] = _ALL
    model_source: ClassVar[str] = _SOURCE + limit_of + "."

    r: float
    alpha: float
    mu: float
    share: float
    unit: str | None = None


@model
class EarlyExponentialPoisson(OneRate, EarlyLeavers):
    """One purchase rate for all; a share leaves right after the first purchase, the others at one rate.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    mu : float
        Rate of leaving per unit of time of those who do not leave at once, above 0.
    share : float
        Share of customers who leave right after the first purchase, in (0, 1).
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.onset_limits import EarlyExponentialPoisson
    >>> model = EarlyExponentialPoisson(rate=0.1, mu=0.02, share=0.3)
    >>> model.probability_alive([0, 2], [0.0, 30.43], 38.86).round(3)
    array([0.016, 0.774])
    """

    kind: ClassVar[str] = "clv.early_exponential_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "mu", "share")
    time_rates: ClassVar[tuple[str, ...]] = ("rate", "mu")
    shares: ClassVar[tuple[str, ...]] = ("share",)
    limit_of: ClassVar[str] = f"customers share one purchase rate, and {_ALL}"
    model_source: ClassVar[str] = _SOURCE + limit_of + "."

    rate: float
    mu: float
    share: float
    unit: str | None = None


# ---------------------------------------------------------------- nobody leaves before an age


class TurningModel(HeldModel, LifetimeModel):
    """A model in which leaving begins at an age that all share, which ``fit`` chooses and holds."""

    def __post_init__(self) -> None:
        age = _checks.number(getattr(self, self.held), name=self.held, low=0.0, open_low=True)
        object.__setattr__(self, self.held, age)
        super().__post_init__()

    @classmethod
    @abstractmethod
    def _settled(cls, data: Histories, *, threads: int | None) -> type[Self]:
        """The class with that age at its likeliest."""

    @classmethod
    def _objective_at(cls, value: float, data: Histories, *, threads: int | None) -> newton.Objective:
        return HistorySums(cls._at(value), data, threads)

    def explain(self) -> Explanation:
        """What the parameters and that age say about the average customer.

        Returns
        -------
        Explanation
            The mean purchase rate and the median lifetime: the last step.

        Examples
        --------
        >>> from retention_metrics.clv.onset_limits import DelayedExponentialNBD
        >>> model = DelayedExponentialNBD(r=0.5, alpha=10.0, mu=0.02, delay=12.0)
        >>> round(model.explain().evaluate()["median_lifetime"], 2)
        46.66
        """
        told = super().explain()
        return dataclasses.replace(told, values={self.held: getattr(self, self.held), **told.values})

    def _by_age(self, function: Any, age: Floats) -> Floats:
        """Without a curve, which would cut the corner; what it serves has a closed form here."""
        answer: Floats = function(age)
        return answer


class DelayedHazard(OneHazard):
    """Nobody leaves before the age ``delay``, and everybody at one rate from then on."""

    lifetime_words = "all customers leave at one rate mu from the age of delay on"
    lifetime_step = Step(name="median_lifetime", expression="delay + log(2) / mu")
    delay: float

    def _rest(self, age: Floats) -> Floats:
        return np.maximum(self.delay - age, 0.0)

    def _fall(self, start: Floats, time: Floats) -> Floats:
        answer: Floats = self.mu * np.maximum(time - self._rest(start), 0.0)
        return answer

    def _hazard(self, age: Floats) -> Floats:
        return np.where(age < self.delay, 0.0, self.mu)

    def _time_to_fall(self, start: Floats, fall: Floats | float) -> Floats:
        return self._rest(start) + super()._time_to_fall(start, fall)

    def _time_alive(self, age: Floats, horizon: Floats) -> Floats | None:
        return self._present_time(age, horizon, 0.0)

    def _present_time(self, age: Floats, horizon: Floats | float, force: float) -> Floats:
        """Discounted expected time alive in (T, T + horizon], given alive at T: until the onset, and from it on."""
        safe = np.minimum(self._rest(age), horizon)
        total = self.mu + force
        later: Floats = -np.expm1(-total * (horizon - safe)) / total
        answer: Floats = _present(safe, force) + np.exp(-force * safe) * later
        return answer

    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        return self.delay + super()._draw_lifetimes(generator, size)

    def _fall_terms(self, start: Floats, time: Floats) -> Terms:
        return super()._fall_terms(start, np.maximum(time - self._rest(start), 0.0))


class DelayedModel(DelayedHazard, TurningModel):
    """A model in which nobody leaves before an age.

    The likelihood has a corner in the delay wherever a customer was seen last, and its maximum is often at one.
    """

    held: ClassVar[str] = "delay"

    @classmethod
    def _settled(cls, data: Histories, *, threads: int | None) -> type[Self]:
        """The class with the delay at its likeliest: best of many, between its neighbours, and at the corners there."""
        start, heights = cls._start(data.rate), dict[float, float]()

        def shortfall(delay: float) -> float:
            nonlocal start
            objective = cls._objective_at(delay, data, threads=threads)
            peak = newton.maximise(objective, start, escaped=cls._runs_away, tolerance=1e-8)
            if not peak.escaped and peak.log_likelihood > max(heights.values(), default=-np.inf):
                start = peak.theta
            heights[delay] = peak.log_likelihood
            return -peak.log_likelihood

        def best() -> float:
            return max(heights, key=heights.__getitem__)

        even = float(data.T.max()) * np.append(np.geomspace(0.01, 0.1, 6), np.linspace(0.15, 0.95, 17))
        corners = np.unique(data.recency[data.recency > 0])
        tried = np.unique(np.append(even, corners)) if corners.size <= 2 * _CORNERS else even
        for delay in tried:
            shortfall(float(delay))
        beside = int(np.searchsorted(tried, best()))
        ends = tried[max(beside - 1, 0)], tried[min(beside + 1, tried.size - 1)]
        optimize.minimize_scalar(shortfall, bounds=ends, method="bounded", options={"xatol": 1e-6 * ends[1]})
        beside = int(np.searchsorted(corners, best()))
        for delay in corners[max(beside - _CORNERS, 0) : beside + _CORNERS]:
            shortfall(float(delay))
        return cls._at(best())

    def _stayed_until(self, t_x: Floats, age: Floats) -> Floats:
        """The age until which a customer is known to have stayed: seen last then, or too young to leave."""
        return np.asarray(np.clip(self.delay, t_x, age))


@model
class DelayedExponentialNBD(GammaRates, DelayedModel):
    """Gamma purchase rates; nobody leaves before an age that all share, and all at one rate from then on.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    mu : float
        Rate of leaving per unit of time after the delay, above 0.
    delay : float
        Age at which leaving begins, above 0; chosen by ``fit``, and not among the estimated parameters.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.onset_limits import DelayedExponentialNBD
    >>> model = DelayedExponentialNBD(r=0.5, alpha=10.0, mu=0.02, delay=12.0)
    >>> model.probability_alive(0, 0.0, [10.0, 20.0]).round(3)
    array([1.   , 0.842])
    """

    kind: ClassVar[str] = "clv.delayed_exponential_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "mu")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha", "delay")
    time_rates: ClassVar[tuple[str, ...]] = ("mu",)
    limit_of: ClassVar[str] = _LATER
    model_source: ClassVar[str] = _SOURCE + limit_of + "."

    r: float
    alpha: float
    mu: float
    delay: float
    unit: str | None = None


@model
class DelayedExponentialPoisson(OneRate, DelayedModel):
    """One purchase rate; nobody leaves before an age that all share, and all at one rate from then on.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    mu : float
        Rate of leaving per unit of time after the delay, above 0.
    delay : float
        Age at which leaving begins, above 0; chosen by ``fit``, and not among the estimated parameters.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.onset_limits import DelayedExponentialPoisson
    >>> model = DelayedExponentialPoisson(rate=0.1, mu=0.02, delay=12.0)
    >>> model.probability_alive(0, 0.0, [10.0, 20.0]).round(3)
    array([1.   , 0.788])
    """

    kind: ClassVar[str] = "clv.delayed_exponential_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate", "mu")
    time_scales: ClassVar[tuple[str, ...]] = ("delay",)
    time_rates: ClassVar[tuple[str, ...]] = ("rate", "mu")
    limit_of: ClassVar[str] = f"customers share one purchase rate, {_LATER}"
    model_source: ClassVar[str] = _SOURCE + limit_of + "."

    rate: float
    mu: float
    delay: float
    unit: str | None = None


# ---------------------------------------------------------------- everybody leaves at an age


class OneLifetime(Lifetimes):
    """One lifetime for all: nobody leaves before its end, and everybody then."""

    lifetime_words = "all customers have one lifetime"
    lifetime_step = Step(name="median_lifetime", expression="lifetime")
    lifetime: float

    def _rest(self, age: Floats) -> Floats:
        return np.maximum(self.lifetime - age, 0.0)

    def _fall(self, start: Floats, time: Floats) -> Floats:
        return np.where(time > self._rest(start), np.inf, 0.0)

    def _hazard(self, age: Floats) -> Floats:
        return np.where(age < self.lifetime, 0.0, np.inf)

    def _time_to_fall(self, start: Floats, fall: Floats | float) -> Floats:
        answer: Floats = self._rest(start) + np.zeros(np.shape(fall))
        return answer

    def _clearance(self) -> Floats:
        return np.asarray(self.lifetime)

    def _time_alive(self, age: Floats, horizon: Floats) -> Floats | None:
        return self._present_time(age, horizon, 0.0)

    def _present_time(self, age: Floats, horizon: Floats | float, force: float) -> Floats:
        """Discounted time alive in (T, T + horizon], given alive at T."""
        return _present(np.minimum(self._rest(age), horizon), force)

    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        return np.full(size, self.lifetime)

    def _fall_terms(self, start: Floats, time: Floats) -> Terms:
        return Terms.without(-self._fall(start, time), 0)

    def _hazard_terms(self, age: Floats) -> Terms:
        return Terms.without(self._hazard(age), 0)


class OneLifetimeModel(OneLifetime, TurningModel):
    """A model in which everybody leaves at one age; who was seen at that age was there.

    Purchases come in T or in the lifetime, whichever ends first. The shorter the lifetime the likelier is the silence
    after it, so the likeliest is the longest time in which anybody was seen.
    """

    held: ClassVar[str] = "lifetime"
    impossible: ClassVar[str] = "nobody was seen after the first purchase, so that no lifetime is too short"

    @classmethod
    def _possible(cls, data: Histories) -> bool:
        return bool(data.recency.any())

    @classmethod
    def _settled(cls, data: Histories, *, threads: int | None) -> type[Self]:
        return cls._at(float(data.recency.max()))

    def _terms(self, x: Floats, t_x: Floats, age: Floats) -> Terms:
        return self.arrival_terms(list(self.theta), x, np.minimum(age, self.lifetime))

    def _log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        return np.where(t_x <= self.lifetime, self._log_arrivals(x, np.minimum(age, self.lifetime)), -np.inf)

    def _log_odds_gone(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        return np.where(age <= self.lifetime, -np.inf, np.inf)

    def _mass(self, x: Floats, t_x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        answer: Floats = np.exp(self._log_mass(x, age, n, np.minimum(horizon, self._rest(age))))
        return answer

    def _draw(self, generator: np.random.Generator, age: Floats) -> dict[str, NDArray[Any]]:
        return super()._draw(generator, age) | {"alive": age <= self.lifetime}


@model
class FixedLifetimeNBD(GammaRates, OneLifetimeModel):
    """Gamma purchase rates, and one lifetime for all customers.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time.
    lifetime : float
        Age at which everybody leaves, above 0; the longest recency by ``fit``, and not among the estimated parameters.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.onset_limits import FixedLifetimeNBD
    >>> model = FixedLifetimeNBD(r=0.5, alpha=10.0, lifetime=30.0)
    >>> model.probability_alive(0, 0.0, [20.0, 40.0])
    array([1., 0.])
    >>> round(float(model.expected_purchases(2, 15.0, 20.0, horizon=52)), 3)
    0.833
    """

    kind: ClassVar[str] = "clv.fixed_lifetime_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha", "lifetime")
    limit_of: ClassVar[str] = _ONE
    model_source: ClassVar[str] = _SOURCE + limit_of + "."

    r: float
    alpha: float
    lifetime: float
    unit: str | None = None


@model
class FixedLifetimePoisson(OneRate, OneLifetimeModel):
    """One purchase rate and one lifetime for all customers.

    Parameters
    ----------
    rate : float
        Purchases per unit of time, above 0.
    lifetime : float
        Age at which everybody leaves, above 0; the longest recency by ``fit``, and not among the estimated parameters.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time.

    Examples
    --------
    >>> from retention_metrics.clv.onset_limits import FixedLifetimePoisson
    >>> model = FixedLifetimePoisson(rate=0.1, lifetime=30.0)
    >>> float(model.expected_purchases(2, 15.0, 20.0, horizon=52))
    1.0
    """

    kind: ClassVar[str] = "clv.fixed_lifetime_poisson"
    parameters: ClassVar[tuple[str, ...]] = ("rate",)
    time_scales: ClassVar[tuple[str, ...]] = ("lifetime",)
    time_rates: ClassVar[tuple[str, ...]] = ("rate",)
    limit_of: ClassVar[str] = f"customers share one purchase rate, and {_ONE}"
    model_source: ClassVar[str] = _SOURCE + limit_of + "."

    rate: float
    lifetime: float
    unit: str | None = None


def _present(time: Floats, force: float) -> Floats:
    """Discounted time of being there for so long."""
    return time if force == 0 else np.asarray(-np.expm1(-force * time) / force)


ONSET_LIMITS: tuple[type[LifetimeModel], ...] = (
    FixedLifetimePoisson,
    FixedLifetimeNBD,
    EarlyExponentialPoisson,
    DelayedExponentialPoisson,
    EarlyExponentialNBD,
    DelayedExponentialNBD,
)
"""From the fewest parameters to the most."""
