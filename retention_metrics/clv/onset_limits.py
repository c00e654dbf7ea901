"""The models that GGompertz/NBD turns into as its hazard grows ever faster: one rate of leaving, from some age on.

With b to infinity and s to 0 at a fixed s b = mu the hazard is 0 until the age log(beta) / b and mu from there on.
That age may be above 0, the delay; where beta goes to 0 it is below, and a share of customers leaves at once.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from retention_metrics import _checks
from retention_metrics.clv import newton
from retention_metrics.clv.held_model import HeldModel
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.lifetime_model import HistorySums, LifetimeModel
from retention_metrics.clv.lifetime_parts import OneHazard
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import GammaRates, OneRate, Terms
from retention_metrics.explanation import Step

Floats = NDArray[np.float64]

__all__ = [
    "ONSET_LIMITS",
    "DelayedExponentialNBD",
    "DelayedExponentialPoisson",
    "EarlyExponentialNBD",
    "EarlyExponentialPoisson",
]

_SOURCE = (
    "Bemmaor & Glady (2012), Modeling purchasing behavior with sudden death, Management Science 58(5); the limit where "
)
_ALL = "a share of customers leaves right after the first purchase, the others at one rate"
_LATER = "nobody leaves before an age that all share, and everybody at one rate from then on"


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
        before = safe if force == 0 else -np.expm1(-force * safe) / force
        answer: Floats = before + np.exp(-force * safe) * later
        return answer

    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        return self.delay + super()._draw_lifetimes(generator, size)

    def _fall_terms(self, start: Floats, time: Floats) -> Terms:
        return super()._fall_terms(start, np.maximum(time - self._rest(start), 0.0))


class DelayedModel(DelayedHazard, HeldModel, LifetimeModel):
    """A model in which nobody leaves before an age, which ``fit`` chooses and holds.

    The likelihood has a corner in the delay wherever a customer was seen last, and its maximum is often at one.
    """

    held: ClassVar[str] = "delay"

    def __post_init__(self) -> None:
        object.__setattr__(self, "delay", _checks.number(self.delay, name="delay", low=0.0, open_low=True))
        super().__post_init__()

    @classmethod
    def _settled(cls, data: Histories, *, threads: int | None) -> type[Self]:
        """The class with the delay at its likeliest: the best of many, and the best between its neighbours."""
        start = cls._start(data.rate)

        def shortfall(delay: float) -> float:
            nonlocal start
            objective = cls._objective_at(delay, data, threads=threads)
            peak = newton.maximise(objective, start, escaped=cls._runs_away, tolerance=1e-8)
            start = peak.theta if peak.converged else start
            return -peak.log_likelihood

        tried = float(data.T.max()) * np.append(np.geomspace(0.01, 0.1, 6), np.linspace(0.15, 0.95, 17))
        heights = [shortfall(delay) for delay in tried]
        best = int(np.argmin(heights))
        ends = tried[max(best - 1, 0)], tried[min(best + 1, tried.size - 1)]
        found = optimize.minimize_scalar(shortfall, bounds=ends, method="bounded", options={"xatol": 1e-6 * ends[1]})
        return cls._at(float(found.x) if found.fun < heights[best] else float(tried[best]))

    @classmethod
    def _objective_at(cls, value: float, data: Histories, *, threads: int | None) -> newton.Objective:
        return HistorySums(cls._at(value), data, threads)

    def _stayed_until(self, t_x: Floats, age: Floats) -> Floats:
        """The age until which a customer is known to have stayed: seen last then, or too young to leave."""
        return np.asarray(np.clip(self.delay, t_x, age))

    def _by_age(self, function: Any, age: Floats) -> Floats:
        """Without a curve, which would cut the corner at the onset; what it serves has a closed form here."""
        answer: Floats = function(age)
        return answer


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


ONSET_LIMITS: tuple[type[LifetimeModel], ...] = (
    EarlyExponentialPoisson,
    DelayedExponentialPoisson,
    EarlyExponentialNBD,
    DelayedExponentialNBD,
)
"""From the fewest parameters to the most."""
