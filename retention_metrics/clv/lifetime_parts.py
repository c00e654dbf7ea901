"""How long customers stay, where they may leave at any moment: the lifetimes that models are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retention_metrics.clv.parts import Terms
from retention_metrics.explanation import Step

Floats = NDArray[np.float64]

_STEEP = 200.0  # exponents from which exp(x) - 1 is exp(x), far from overflow


class Lifetimes(ABC):
    """How long customers stay, mixed over customers: survival S(u) and hazard h(u) = -d log S / du at age u.

    The array arguments broadcast; so do parameters that differ between customers.
    """

    lifetime_words: ClassVar[str]
    lifetime_step: ClassVar[Step]

    @abstractmethod
    def _fall(self, start: Floats, time: Floats) -> Floats:
        """Minus the log of S(start + time) / S(start)."""

    @abstractmethod
    def _hazard(self, age: Floats) -> Floats:
        """Rate of leaving at an age of those who stayed until then."""

    @abstractmethod
    def _time_to_fall(self, start: Floats, fall: Floats | float) -> Floats:
        """The time in which ``_fall`` reaches this value."""

    @abstractmethod
    def _clearance(self) -> Floats:
        """Distance from age 0 to the singularity of the hazard on the negative axis; any length where none is near."""

    def _rest(self, age: Floats) -> Floats:
        """The time after an age in which nobody leaves yet."""
        return np.zeros(age.shape)

    def _crowding(self) -> Floats:
        """pi over the angle, seen from ``_clearance`` before age 0, between the axis and the hazard's singularities."""
        return np.ones(())

    def _time_alive(self, age: Floats, horizon: Floats) -> Floats | None:
        """Expected time alive in (T, T + horizon] given alive at T; None where it has no closed form."""
        return None

    def _time_alive_ever(self, age: Floats) -> Floats | None:
        """Expected time alive after T given alive at T; None where it is infinite."""
        return self._time_alive(age, np.full(age.shape, np.inf))

    @abstractmethod
    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        """Lifetimes of ``size`` customers."""

    @abstractmethod
    def _fall_terms(self, start: Floats, time: Floats) -> Terms:
        """The log of S(start + time) / S(start), with derivatives in the lifetime's parameters."""

    @abstractmethod
    def _hazard_terms(self, age: Floats) -> Terms:
        """The hazard, with derivatives of its log in the lifetime's parameters."""


class ParetoLifetimes(Lifetimes):
    """Exponential lifetimes at rates that differ: mu ~ Gamma(s, beta), so that S(u) = (beta / (beta + u))**s."""

    lifetime_words = "dropout rate ~ Gamma(s, beta)"
    lifetime_step = Step(name="median_lifetime", expression="beta * (2 ** (1 / s) - 1)")
    s: float
    beta: float

    def _fall(self, start: Floats, time: Floats) -> Floats:
        answer: Floats = self.s * np.log1p(time / (self.beta + start))
        return answer

    def _hazard(self, age: Floats) -> Floats:
        answer: Floats = self.s / (self.beta + age)
        return answer

    def _time_to_fall(self, start: Floats, fall: Floats | float) -> Floats:
        answer: Floats = (self.beta + start) * np.expm1(np.minimum(fall / self.s, _STEEP))
        return answer

    def _clearance(self) -> Floats:
        return np.asarray(self.beta)

    def _time_alive(self, age: Floats, horizon: Floats) -> Floats | None:
        length = np.log1p(horizon / (self.beta + age))
        # The mean of exp((1 - s) v) over v up to length; s = 1 is nothing special to it.
        answer: Floats = (self.beta + age) * length * special.exprel((1 - self.s) * length)
        return answer

    def _time_alive_ever(self, age: Floats) -> Floats | None:
        if np.any(np.asarray(self.s) <= 1):
            return None
        answer: Floats = (self.beta + age) / (self.s - 1)
        return answer

    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        return _exponential(generator, generator.gamma(self.s, 1 / self.beta, size=size))

    def _fall_terms(self, start: Floats, time: Floats) -> Terms:
        return power_terms(np.asarray(self.s), self.beta + start, time)

    def _hazard_terms(self, age: Floats) -> Terms:
        inverse, none = 1 / (self.beta + age), np.zeros(age.shape)
        return Terms(
            self.s * inverse,
            np.stack([none + 1 / self.s, -inverse]),
            np.stack([[none - 1 / np.square(self.s), none], [none, inverse**2]]),
        )


class GompertzLifetimes(Lifetimes):
    """Gompertz lifetimes that differ: hazard eta b exp(b u), eta ~ Gamma(s, beta).

    Then ``S(u) = (beta / (beta - 1 + exp(b u)))**s``. What follows is in terms of the share
    ``q(u) = exp(b u) / (beta - 1 + exp(b u))``, of which the hazard is s b q(u).
    """

    lifetime_words = "Gompertz dropout hazard eta b exp(b t), eta ~ Gamma(s, beta)"
    lifetime_step = Step(name="median_lifetime", expression="log(1 + beta * (2 ** (1 / s) - 1)) / b")
    b: float
    s: float
    beta: float

    def _share(self, age: Floats) -> Floats:
        answer: Floats = 1 / (self.beta * np.exp(-self.b * age) - np.expm1(-self.b * age))
        return answer

    def _fall(self, start: Floats, time: Floats) -> Floats:
        steps = self.b * time
        climb = np.log1p(self._share(start) * np.expm1(np.minimum(steps, _STEEP)))
        answer: Floats = self.s * (climb + np.maximum(steps - _STEEP, 0.0))
        return answer

    def _hazard(self, age: Floats) -> Floats:
        answer: Floats = self.s * self.b * self._share(age)
        return answer

    def _time_to_fall(self, start: Floats, fall: Floats | float) -> Floats:
        depth, share = fall / np.asarray(self.s), self._share(start)
        steps = np.log1p(np.expm1(np.minimum(depth, _STEEP)) / share) + np.maximum(depth - _STEEP, 0.0)
        return np.asarray(steps / self.b)

    def _clearance(self) -> Floats:
        # Of the hazard's poles log(1 - beta) / b + 2 pi i k / b one is on the axis where beta is below 1.
        small = np.minimum(self.beta, 0.9)
        return np.asarray(np.where(np.asarray(self.beta) < 0.9, -np.log1p(-small), np.pi) / self.b)

    def _crowding(self) -> Floats:
        beside = np.pi + np.log(np.maximum(np.asarray(self.beta) - 1, 1e-3))
        crowding: Floats = np.maximum(2.0, np.pi / np.arctan2(np.pi, beside))
        return crowding

    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        return np.log1p(_exponential(generator, generator.gamma(self.s, 1 / self.beta, size=size))) / self.b

    def _fall_terms(self, start: Floats, time: Floats) -> Terms:
        end = start + time
        first, second = self._curve_terms(start), self._curve_terms(end)
        b, beta, bb, b_beta, beta_beta = (last - early for early, last in zip(first, second, strict=True))
        depth, s, none = self._fall(start, time) / self.s, self.s, np.zeros(np.broadcast_shapes(b.shape))
        return Terms(
            -s * depth,
            np.stack(np.broadcast_arrays(-s * b, -depth, -s * beta)),
            _symmetric([-s * bb, -b, none, -s * b_beta, -beta, -s * beta_beta]),
        )

    def _curve_terms(self, age: Floats) -> tuple[Floats, ...]:
        """Slopes of log(beta - 1 + exp(b u)) in b and beta, and its curvatures bb, b beta, beta beta."""
        share = self._share(age)
        inverse = share * np.exp(-self.b * age)
        rest = (self.beta - 1) * inverse  # 1 - share
        return age * share, inverse, age**2 * share * rest, -age * share * inverse, -(inverse**2)

    def _hazard_terms(self, age: Floats) -> Terms:
        share, none = self._share(age), np.zeros(age.shape)
        inverse = share * np.exp(-self.b * age)
        rest = (self.beta - 1) * inverse
        return Terms(
            self.s * self.b * share,
            np.stack([1 / self.b + age * rest, none + 1 / self.s, -inverse]),
            _symmetric(
                [
                    -1 / np.square(self.b) - age**2 * share * rest,
                    none,
                    none - 1 / np.square(self.s),
                    age * share * inverse,
                    none,
                    inverse**2,
                ]
            ),
        )


class OneHazard(Lifetimes):
    """Exponential lifetimes at one rate for all: the limit as s and beta grow at a fixed s / beta."""

    lifetime_words = "all customers leave at one rate mu"
    lifetime_step = Step(name="median_lifetime", expression="log(2) / mu")
    mu: float

    def _fall(self, start: Floats, time: Floats) -> Floats:
        answer: Floats = self.mu * time + 0 * start
        return answer

    def _hazard(self, age: Floats) -> Floats:
        answer: Floats = self.mu + 0 * age
        return answer

    def _time_to_fall(self, start: Floats, fall: Floats | float) -> Floats:
        answer: Floats = fall / self.mu + 0 * start
        return answer

    def _clearance(self) -> Floats:
        return np.asarray(1 / self.mu)

    def _time_alive(self, age: Floats, horizon: Floats) -> Floats | None:
        answer: Floats = -np.expm1(-self.mu * horizon) / self.mu + 0 * age
        return answer

    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        return generator.exponential(1 / self.mu, size=size)

    def _fall_terms(self, start: Floats, time: Floats) -> Terms:
        none = np.zeros(np.broadcast_shapes(start.shape, time.shape))
        return Terms(-self.mu * time + none, (-time + none)[None], none[None, None])

    def _hazard_terms(self, age: Floats) -> Terms:
        none = np.zeros(age.shape)
        return Terms(self.mu + none, (1 / self.mu + none)[None], (none - 1 / np.square(self.mu))[None, None])


class OneGompertz(Lifetimes):
    """Gompertz lifetimes with one hazard eta b exp(b u) for all: the limit as s and beta grow at a fixed s / beta."""

    lifetime_words = "all customers share the Gompertz dropout hazard eta b exp(b t)"
    lifetime_step = Step(name="median_lifetime", expression="log(1 + log(2) / eta) / b")
    b: float
    eta: float

    def _growth(self, age: Floats) -> Floats:
        answer: Floats = self.eta * np.exp(np.minimum(self.b * age, 2 * _STEEP))
        return answer

    def _fall(self, start: Floats, time: Floats) -> Floats:
        answer: Floats = self._growth(start) * np.expm1(np.minimum(self.b * time, _STEEP))
        return answer

    def _hazard(self, age: Floats) -> Floats:
        answer: Floats = self.b * self._growth(age)
        return answer

    def _time_to_fall(self, start: Floats, fall: Floats | float) -> Floats:
        answer: Floats = np.log1p(fall / self._growth(start)) / self.b
        return answer

    def _clearance(self) -> Floats:
        return np.asarray(np.pi / self.b)

    def _crowding(self) -> Floats:
        # No singularity, but oscillations whose growth off the axis is bounded within this angle.
        return np.asarray(1 + np.log1p(40 / np.asarray(self.eta)))

    def _draw_lifetimes(self, generator: np.random.Generator, size: int) -> Floats:
        return np.log1p(generator.exponential(1 / self.eta, size=size)) / self.b

    def _fall_terms(self, start: Floats, time: Floats) -> Terms:
        early, late = self._growth(start), self._growth(start + time)
        slope, curve = early * start - late * (start + time), early * start**2 - late * (start + time) ** 2
        fall = self._fall(start, time)
        return Terms(
            -fall, np.stack([slope, -fall / self.eta]), _symmetric([curve, slope / self.eta, np.zeros(fall.shape)])
        )

    def _hazard_terms(self, age: Floats) -> Terms:
        none = np.zeros(age.shape)
        return Terms(
            self._hazard(age),
            np.stack([1 / self.b + age, none + 1 / self.eta]),
            _symmetric([none - 1 / np.square(self.b), none, none - 1 / np.square(self.eta)]),
        )


def power_terms(power: Floats, scale: Floats, time: Floats) -> Terms:
    """The log of (scale / (scale + time))**power, with derivatives in power and scale."""
    ratio, inverse = time / scale, 1 / (scale + time)
    slopes, curvatures = np.empty((2, *ratio.shape)), np.zeros((2, 2, *ratio.shape))
    depth = np.log1p(ratio)
    pull = np.multiply(ratio, inverse, out=curvatures[0, 1])
    curvatures[1, 0] = pull
    np.negative(depth, out=slopes[0])
    np.multiply(power, pull, out=slopes[1])
    inverse += 1 / scale
    inverse *= slopes[1]
    np.negative(inverse, out=curvatures[1, 1])
    return Terms(power * slopes[0], slopes, curvatures)


def _symmetric(lower: list[Floats]) -> Floats:
    """Symmetric matrices, shape (k, k, ...), from the rows of their lower triangle."""
    parts = np.broadcast_arrays(*lower)
    size = int(np.sqrt(2 * len(parts)))
    matrix = np.empty((size, size, *parts[0].shape))
    for part, row, column in zip(parts, *np.tril_indices(size), strict=True):
        matrix[row, column] = matrix[column, row] = part
    return matrix


def _exponential(generator: np.random.Generator, rate: Floats) -> Floats:
    """Exponential draws, endless where the rate has underflowed to 0."""
    drawn = generator.exponential(size=rate.size)
    lasting: Floats = np.divide(drawn, rate, out=np.full(rate.size, np.inf), where=rate > drawn * 1e-300)
    return lasting
