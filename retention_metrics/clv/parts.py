"""What purchase models are made of: how rates differ between customers, and how customers drop out.

Each part comes in its general form and as the limits of that form. A model is one of each.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special as scipy_special

from retention_metrics.clv import special
from retention_metrics.explanation import Step

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Terms:
    """Values with their gradient and Hessian in front: shapes (n,), (k, n) and (k, k, n)."""

    value: Floats
    slopes: Floats
    curvatures: Floats

    @classmethod
    def without(cls, value: Floats, parameters: int) -> Terms:
        """Values that depend on no parameter."""
        return cls(value, np.zeros((parameters, value.size)), np.zeros((parameters, parameters, value.size)))


# ---------------------------------------------------------------- rates


class Rates(ABC):
    """How often customers who are alive buy."""

    rate_words: ClassVar[str]
    rate_step: ClassVar[Step]

    @abstractmethod
    def _power(self, frequency: Floats) -> Floats:
        """Shape of the rate given the frequency; infinite where the rate is known."""

    @abstractmethod
    def _scale(self, age: Floats) -> Floats:
        """Unit of the scaled time that expectations depend on."""

    @abstractmethod
    def _log_arrivals(self, frequency: Floats, time: Floats) -> Floats:
        """Log-likelihood of that many purchases in that time."""

    @abstractmethod
    def _silence(self, frequency: Floats, recency: Floats, age: Floats) -> Floats:
        """Log of how much likelier silence since the last purchase is of a customer who dropped out."""

    @abstractmethod
    def _log_mass(self, frequency: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        """Log-probability of exactly n arrivals in the horizon."""

    @abstractmethod
    def _at_least(self, frequency: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        """Probability of n arrivals or more in the horizon, n > 0."""

    @abstractmethod
    def _draw_rates(
        self, generator: np.random.Generator, size: int, frequency: Floats | float = 0.0, age: Floats | float = 0.0
    ) -> Floats:
        """Rates of ``size`` customers, new or given what they bought while they were there."""

    @staticmethod
    @abstractmethod
    def arrival_terms(theta: Sequence[Floats], frequency: Floats, time: Floats) -> Terms:
        """``_log_arrivals`` with its derivatives in the rate's parameters."""


class GammaRates(Rates):
    """Rates that differ: lambda ~ Gamma(r, alpha)."""

    rate_words = "purchase rate ~ Gamma(r, alpha)"
    rate_step = Step(name="mean_purchase_rate", expression="r / alpha")
    r: float
    alpha: float

    def _power(self, frequency: Floats) -> Floats:
        return self.r + frequency

    def _scale(self, age: Floats) -> Floats:
        return self.alpha + age

    def _log_arrivals(self, frequency: Floats, time: Floats) -> Floats:
        gammas = scipy_special.gammaln(self.r + frequency) - scipy_special.gammaln(self.r)
        answer: Floats = gammas - frequency * np.log(self.alpha + time) - self.r * np.log1p(time / self.alpha)
        return answer

    def _silence(self, frequency: Floats, recency: Floats, age: Floats) -> Floats:
        answer: Floats = (self.r + frequency) * np.log1p((age - recency) / (self.alpha + recency))
        return answer

    def _log_mass(self, frequency: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        power, scale = self.r + frequency, self.alpha + age
        choices = scipy_special.gammaln(power + n) - scipy_special.gammaln(power) - scipy_special.gammaln(n + 1)
        return choices - power * np.log1p(horizon / scale) + scipy_special.xlogy(n, horizon / (scale + horizon))

    def _at_least(self, frequency: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        share = horizon / (self.alpha + age + horizon)
        return np.asarray(scipy_special.betainc(n, self.r + frequency, share), dtype=np.float64)

    def _draw_rates(
        self, generator: np.random.Generator, size: int, frequency: Floats | float = 0.0, age: Floats | float = 0.0
    ) -> Floats:
        return generator.gamma(self.r + frequency, 1 / (self.alpha + age), size=size)

    @staticmethod
    def arrival_terms(theta: Sequence[Floats], frequency: Floats, time: Floats) -> Terms:
        """Log-likelihood of ``frequency`` purchases at gamma rates, with derivatives in r and alpha."""
        r, alpha = theta
        levels, which = np.unique(frequency, return_inverse=True)
        gammas = (scipy_special.gammaln(r + levels) - scipy_special.gammaln(r))[which]
        digammas = (scipy_special.digamma(r + levels) - scipy_special.digamma(r))[which]
        trigammas = (trigamma(r + levels) - trigamma(r))[which]
        log_ratio, inverse = np.log1p(time / alpha), 1 / (alpha + time)
        share = time / alpha * inverse
        value = gammas - frequency * np.log(alpha + time) - r * log_ratio
        curve = (r + frequency) * inverse**2 - r / alpha**2
        return Terms(
            value,
            np.stack([digammas - log_ratio, r * share - frequency * inverse]),
            np.stack([[trigammas, share], [share, curve]]),
        )


class OneRate(Rates):
    """One rate for all: the limit of gamma rates as r and alpha grow at a fixed r / alpha."""

    rate_words = "all customers buy at one rate"
    rate_step = Step(name="mean_purchase_rate", expression="rate")
    rate: float

    def _power(self, frequency: Floats) -> Floats:
        return np.full(frequency.shape, np.inf)

    def _scale(self, age: Floats) -> Floats:
        return np.full(age.shape, 1 / self.rate)

    def _log_arrivals(self, frequency: Floats, time: Floats) -> Floats:
        answer: Floats = frequency * np.log(self.rate) - self.rate * time
        return answer

    def _silence(self, frequency: Floats, recency: Floats, age: Floats) -> Floats:
        return self.rate * (age - recency)

    def _log_mass(self, frequency: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        mean = self.rate * horizon
        return scipy_special.xlogy(n, mean) - mean - scipy_special.gammaln(n + 1)

    def _at_least(self, frequency: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        return scipy_special.gammainc(n, self.rate * horizon)

    def _draw_rates(
        self, generator: np.random.Generator, size: int, frequency: Floats | float = 0.0, age: Floats | float = 0.0
    ) -> Floats:
        return np.full(size, self.rate)

    @staticmethod
    def arrival_terms(theta: Sequence[Floats], frequency: Floats, time: Floats) -> Terms:
        """Log-likelihood of ``frequency`` purchases at one rate, with derivatives in it."""
        rate = theta[0]
        slope, curve = frequency / rate - time, -frequency / rate**2
        return Terms(frequency * np.log(rate) - rate * time, slope[None], curve[None, None])


# ---------------------------------------------------------------- dropout


class Dropout(ABC):
    """Who drops out, and after which repeat purchase."""

    dropout_words: ClassVar[str]
    """What decides who drops out, with ``{purchase}`` where a purchase decides."""
    dropout_step: ClassVar[Step]
    early: ClassVar[int] = 0
    """Decisions before the first repeat purchase: 1 where customers may drop out right after their first purchase."""

    @abstractmethod
    def _power(self, frequency: Floats) -> Floats:
        """Of the rates."""

    @abstractmethod
    def _log_stay(self, passed: Floats, n: Floats) -> Floats:
        """Log-probability of not dropping out at any of the next ``n`` decisions, given that ``passed`` ended well."""

    @abstractmethod
    def _log_leave(self, passed: Floats, n: Floats) -> Floats:
        """Log-probability of dropping out at exactly the ``n``-th of the next decisions, n > 0."""

    def _log_odds_left(self, decisions: Floats) -> Floats:
        """Log-odds of having dropped out at the last of ``decisions`` > 0, before silence is counted."""
        before = np.zeros(decisions.shape)
        return self._log_leave(before, decisions) - self._log_stay(before, decisions)

    @abstractmethod
    def _log_purchases(self, frequency: Floats, tau: Floats) -> Floats:
        """Log of the expected purchases in scaled time ``tau`` of a customer who is alive."""

    @abstractmethod
    def _log_survival(self, frequency: Floats, tau: Floats) -> Floats:
        """Log of the probability to be alive after scaled time ``tau``, given alive at its start."""

    @abstractmethod
    def _bend(self, frequency: Floats) -> Floats:
        """Rate at which expected purchases depart from a straight line in scaled time."""

    @abstractmethod
    def _purchases_ever(self, frequency: Floats) -> Floats | None:
        """Expected purchases over an endless horizon of a customer who is alive; None where they are infinite."""

    @abstractmethod
    def _draw_dropout(self, generator: np.random.Generator, size: int, passed: Floats | float = 0.0) -> Floats:
        """Dropout probabilities of ``size`` customers of whom so many decisions ended well."""

    def _draw_last(self, generator: np.random.Generator, dropout: Floats) -> NDArray[np.int64]:
        """At which of the decisions to come customers with these probabilities drop out."""
        never = dropout <= 0
        drawn = generator.geometric(np.where(never, 1.0, dropout))
        return np.where(never, np.iinfo(np.int64).max, drawn)

    @staticmethod
    @abstractmethod
    def decision_terms(odds: Sequence[Floats], decisions: Floats) -> tuple[Terms, Terms]:
        """Log-probabilities of no dropout in ``decisions`` > 0 and of dropout at the last of them, with derivatives.

        Derivatives are in the parameters of ``Model.to_odds``.
        """


class BetaDropout(Dropout):
    """Probabilities that differ: p ~ Beta(a, b) after each repeat purchase."""

    dropout_words = "dropout probability after each {purchase} ~ Beta(a, b)"
    dropout_step = Step(name="mean_dropout_probability", expression="a / (a + b)")
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = (("a", "b"),)
    a: float
    b: float

    def _log_stay(self, passed: Floats, n: Floats) -> Floats:
        return special.log_beta(self.a, self.b + passed + n) - special.log_beta(self.a, self.b + passed)

    def _log_leave(self, passed: Floats, n: Floats) -> Floats:
        alive = self.b + passed
        return special.log_beta(self.a + 1, alive + (n - 1)) - special.log_beta(self.a, alive)

    def _log_odds_left(self, decisions: Floats) -> Floats:
        answer: Floats = np.log(self.a) - np.log(self.b + (decisions - 1))
        return answer

    def _log_purchases(self, frequency: Floats, tau: Floats) -> Floats:
        return special.log_mean_purchases(self._power(frequency), self.a, self.b + self.early + frequency, tau)

    def _log_survival(self, frequency: Floats, tau: Floats) -> Floats:
        return special.log_mean_survival(self._power(frequency), self.a, self.b + self.early + frequency, tau)

    def _bend(self, frequency: Floats) -> Floats:
        power = self._power(frequency)
        return 1 + np.where(np.isinf(power), 1.0, power) * self.a / (self.a + self.b + self.early + frequency)

    def _purchases_ever(self, frequency: Floats) -> Floats | None:
        return None if np.min(self.a) <= 1 else (self.a + self.b + self.early + frequency - 1) / (self.a - 1)

    def _draw_dropout(self, generator: np.random.Generator, size: int, passed: Floats | float = 0.0) -> Floats:
        return generator.beta(self.a, self.b + passed, size=size)

    @staticmethod
    def decision_terms(odds: Sequence[Floats], decisions: Floats) -> tuple[Terms, Terms]:
        """Decisions under p ~ Beta(a, b): B(a, b + x) / B(a, b) and B(a + 1, b + x - 1) / B(a, b)."""
        a, b = odds
        gamma, digamma = scipy_special.gammaln, scipy_special.digamma
        x = decisions
        all_left = gamma(a + b) - gamma(a + b + x)
        slope, curve = digamma(a + b) - digamma(a + b + x), trigamma(a + b) - trigamma(a + b + x)
        both = []
        for kept, lost in ((b + x, 0.0), (b + (x - 1), 1.0)):
            both.append(
                Terms(
                    all_left + gamma(kept) - gamma(b) + lost * np.log(a),
                    np.stack([slope + lost / a, slope + digamma(kept) - digamma(b)]),
                    np.stack([[curve - lost / a**2, curve], [curve, curve + trigamma(kept) - trigamma(b)]]),
                )
            )
        return both[0], both[1]


class OneDropout(Dropout):
    """One probability for all: the limit of beta dropout as a and b grow at a fixed a / (a + b)."""

    dropout_words = "dropout with probability p after each {purchase}"
    dropout_step = Step(name="repeat_purchases_until_dropout", expression="1 / p")
    p: float

    def _log_stay(self, passed: Floats, n: Floats) -> Floats:
        answer: Floats = n * np.log1p(-self.p)
        return answer

    def _log_leave(self, passed: Floats, n: Floats) -> Floats:
        answer: Floats = np.log(self.p) + (n - 1) * np.log1p(-self.p)
        return answer

    def _log_purchases(self, frequency: Floats, tau: Floats) -> Floats:
        answer: Floats = _log_ever(self._power(frequency), self.p * tau) - np.log(self.p)
        return answer

    def _log_survival(self, frequency: Floats, tau: Floats) -> Floats:
        return -_exponent(self._power(frequency), self.p * tau)

    def _bend(self, frequency: Floats) -> Floats:
        power = self._power(frequency)
        return 1 + np.where(np.isinf(power), 1.0, power) * self.p

    def _purchases_ever(self, frequency: Floats) -> Floats | None:
        return np.full(frequency.shape, 1 / self.p)

    def _draw_dropout(self, generator: np.random.Generator, size: int, passed: Floats | float = 0.0) -> Floats:
        return np.full(size, self.p)

    @staticmethod
    def decision_terms(odds: Sequence[Floats], decisions: Floats) -> tuple[Terms, Terms]:
        """Decisions with one probability, with derivatives in its odds o: p = o / (1 + o)."""
        o, x = odds[0], decisions
        stay, slope, curve = -x * np.log1p(o), -x / (1 + o), x / (1 + o) ** 2
        return (
            Terms(stay, slope[None], curve[None, None]),
            Terms(stay + np.log(o), (slope + 1 / o)[None], (curve - 1 / o**2)[None, None]),
        )


class TwoTypes(Dropout):
    """Some drop out at their first repeat purchase, the others never: the limit as a and b fall to 0."""

    dropout_words = "a share of customers drops out at the first {purchase}, the others never"
    dropout_step = Step(name="never_drop_out", expression="1 - share")
    share: float

    def _log_stay(self, passed: Floats, n: Floats) -> Floats:
        return np.where((passed == 0) & (n > 0), np.log1p(-self.share), 0.0)

    def _log_leave(self, passed: Floats, n: Floats) -> Floats:
        return np.where((passed == 0) & (n == 1), np.log(self.share), -np.inf)

    def _log_purchases(self, frequency: Floats, tau: Floats) -> Floats:
        power = self._power(frequency)
        never = np.log(np.where(np.isinf(power), 1.0, power)) + np.log(tau)
        mixed = np.logaddexp(np.log(self.share) + _log_ever(power, tau), np.log1p(-self.share) + never)
        return np.where(frequency + self.early == 0, mixed, never)

    def _log_survival(self, frequency: Floats, tau: Floats) -> Floats:
        gone = -self.share * np.expm1(-_exponent(self._power(frequency), tau))
        return np.where(frequency + self.early == 0, np.log1p(-gone), 0.0)

    def _bend(self, frequency: Floats) -> Floats:
        power = self._power(frequency)
        return 1 + np.where(np.isinf(power), 1.0, power)

    def _purchases_ever(self, frequency: Floats) -> Floats | None:
        return None

    def _draw_dropout(self, generator: np.random.Generator, size: int, passed: Floats | float = 0.0) -> Floats:
        return (generator.uniform(size=size) < np.where(passed == 0, self.share, 0.0)).astype(float)

    @staticmethod
    def decision_terms(odds: Sequence[Floats], decisions: Floats) -> tuple[Terms, Terms]:
        """Decisions of two types of customers, with derivatives in the odds o of the leavers' share."""
        o, flat = odds[0], np.ones_like(decisions)
        stay, slope, curve = -np.log1p(o) * flat, -flat / (1 + o), flat / (1 + o) ** 2
        leave = np.where(decisions == 1, np.log(o) + stay, -np.inf)
        return (
            Terms(stay, slope[None], curve[None, None]),
            Terms(leave, (slope + 1 / o)[None], (curve - 1 / o**2)[None, None]),
        )


class CertainDropout(Dropout):
    """Everybody drops out at their first repeat purchase: the limit as a / (a + b) rises to 1."""

    dropout_words = "every customer drops out at the first {purchase}"
    dropout_step = Step(name="repeat_purchases_until_dropout", expression="1")

    def _log_stay(self, passed: Floats, n: Floats) -> Floats:
        return np.where(n > 0, -np.inf, 0.0) + np.zeros(passed.shape)

    def _log_leave(self, passed: Floats, n: Floats) -> Floats:
        return np.where((passed == 0) & (n == 1), 0.0, -np.inf)

    def _log_odds_left(self, decisions: Floats) -> Floats:
        return np.full(decisions.shape, np.inf)

    def _log_purchases(self, frequency: Floats, tau: Floats) -> Floats:
        return _log_ever(self._power(frequency), tau)

    def _log_survival(self, frequency: Floats, tau: Floats) -> Floats:
        return -_exponent(self._power(frequency), tau)

    def _bend(self, frequency: Floats) -> Floats:
        power = self._power(frequency)
        return 1 + np.where(np.isinf(power), 1.0, power)

    def _purchases_ever(self, frequency: Floats) -> Floats | None:
        return np.ones(frequency.shape)

    def _draw_dropout(self, generator: np.random.Generator, size: int, passed: Floats | float = 0.0) -> Floats:
        return np.ones(size)

    @staticmethod
    def decision_terms(odds: Sequence[Floats], decisions: Floats) -> tuple[Terms, Terms]:
        """Dropout at the first decision, for certain."""
        leave = np.where(decisions == 1, 0.0, -np.inf)
        return Terms.without(np.full(decisions.size, -np.inf), 0), Terms.without(leave, 0)


class NoDropout(Dropout):
    """Nobody drops out: the limit as a / (a + b) falls to 0."""

    dropout_words = "no dropout"
    dropout_step = Step(name="mean_dropout_probability", expression="0")

    def _log_stay(self, passed: Floats, n: Floats) -> Floats:
        return np.zeros(np.broadcast_shapes(passed.shape, n.shape))

    def _log_leave(self, passed: Floats, n: Floats) -> Floats:
        return np.full(np.broadcast_shapes(passed.shape, n.shape), -np.inf)

    def _log_purchases(self, frequency: Floats, tau: Floats) -> Floats:
        power = self._power(frequency)
        answer: Floats = np.log(np.where(np.isinf(power), 1.0, power)) + np.log(tau)
        return answer

    def _log_survival(self, frequency: Floats, tau: Floats) -> Floats:
        return np.zeros(np.broadcast_shapes(frequency.shape, tau.shape))

    def _bend(self, frequency: Floats) -> Floats:
        return np.ones(frequency.shape)

    def _purchases_ever(self, frequency: Floats) -> Floats | None:
        return None

    def _draw_dropout(self, generator: np.random.Generator, size: int, passed: Floats | float = 0.0) -> Floats:
        return np.zeros(size)

    @staticmethod
    def decision_terms(odds: Sequence[Floats], decisions: Floats) -> tuple[Terms, Terms]:
        """Nothing to decide."""
        return Terms.without(np.zeros(decisions.size), 0), Terms.without(np.full(decisions.size, -np.inf), 0)


def trigamma(x: Floats | float) -> Floats:
    """Second derivative of log gamma."""
    return np.asarray(scipy_special.polygamma(1, x), dtype=np.float64)


def _exponent(power: Floats, tau: Floats) -> Floats:
    """Minus the log of (1 + tau)**-power; tau itself for infinite power, when tau counts expected arrivals."""
    answer: Floats = np.where(np.isinf(power), tau, np.where(np.isinf(power), 1.0, power) * np.log1p(tau))
    return answer


def _log_ever(power: Floats, tau: Floats) -> Floats:
    """Log of the probability of at least one arrival in scaled time ``tau``."""
    answer: Floats = np.log(-np.expm1(-_exponent(power, tau)))
    return answer
