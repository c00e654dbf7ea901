"""The simpler models that Gamma-Gamma turns into where customers, or the purchases of one, do not differ."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv.likelihood import levels_of
from retention_metrics.clv.model import model
from retention_metrics.clv.newton import Objective
from retention_metrics.clv.special import gamma_excess, log_ratio
from retention_metrics.clv.spend_model import Spending, SpendModel
from retention_metrics.explanation import Explanation, Step

Floats = NDArray[np.float64]

__all__ = ["SPEND_LIMITS", "GammaSpend", "InverseGammaSpend"]

_SOURCE = "Fader & Hardie (2013), The Gamma-Gamma model of monetary value; the limit where "


@model
class GammaSpend(SpendModel):
    """One mean spend for all customers, whose purchases vary around it.

    The limit of Gamma-Gamma as q goes to infinity with ``mu = p v / q``: a purchase is Gamma(p, p / mu).

    Parameters
    ----------
    p : float
        Shape of a purchase, above 0.
    mu : float
        Mean spend per purchase, above 0, in money.

    Notes
    -----
    The likeliest mu is the mean purchase, and p solves ``sum of x (log(p x) - digamma(p x)) = sum of
    x (m / mu - 1 - log(m / mu))`` over customers with x purchases of mean m.

    Examples
    --------
    >>> from retention_metrics.clv.spend_limits import GammaSpend
    >>> GammaSpend(p=6.25, mu=35.0).expected_value([0, 2], [0.0, 22.35]).tolist()
    [35.0, 35.0]
    """

    kind: ClassVar[str] = "clv.gamma_spend"
    parameters: ClassVar[tuple[str, ...]] = ("p", "mu")
    money_scales: ClassVar[tuple[str, ...]] = ("mu",)
    reads_money: ClassVar[bool] = False
    limit_of: ClassVar[str] = "all customers have one mean spend per purchase"

    p: float
    mu: float

    def explain(self) -> Explanation:
        """The mean spend per purchase: the last step."""
        return Explanation(
            formula="spend per purchase ~ Gamma(p, p / mu); mean = mu",
            values={"p": self.p, "mu": self.mu},
            steps=(Step(name="mean_spend_per_purchase", expression="mu"),),
            source=f"{_SOURCE}{self.limit_of}.",
        )

    def _log_density(self, x: Floats, value: Floats) -> Floats:
        shape, off = self.p * x, (value - self.mu) / self.mu
        answer: Floats = gamma_excess(shape)[0] + shape * (log_ratio(off, value, self.mu) - off) - np.log(value)
        return answer

    def _draw_means(self, generator: np.random.Generator, x: Floats) -> Floats:
        return self.mu * generator.gamma(self.p * x) / (self.p * x)

    def _share(self, x: Floats) -> Floats:
        return np.ones(x.shape)

    def _offset(self, x: Floats) -> Floats:
        return np.full(x.shape, self.mu)

    def _slopes(self, x: Floats) -> tuple[Floats, Floats]:
        slopes = np.broadcast_to([[0.0], [1.0]], (2, x.size))
        return slopes, np.zeros(slopes.shape)

    @classmethod
    def _start(cls, data: Spending) -> Floats:
        return np.array([2.0, data.per_purchase])

    @classmethod
    def _objective(cls, data: Spending, *, threads: int | None) -> Objective:
        return _GammaObjective(data)


@model
class InverseGammaSpend(SpendModel):
    """Mean spends that differ between customers, each of whom spends the same every time.

    The limit of Gamma-Gamma as p goes to infinity with ``s = p v``: a customer's spend is inverse-gamma(q, s).

    Parameters
    ----------
    q : float
        Shape of the spend across customers, above 0; with q of at most 1 its mean is infinite.
    s : float
        Scale of the spend across customers, above 0, in money.

    Notes
    -----
    The likeliest s is q times the harmonic mean of the customers' means m, and q solves ``log(q) - digamma(q) =
    log(mean of 1 / m) + mean of log(m)``.

    Examples
    --------
    >>> from retention_metrics.clv.spend_limits import InverseGammaSpend
    >>> InverseGammaSpend(q=3.0, s=70.0).expected_value([0, 2], [0.0, 22.0]).tolist()
    [35.0, 22.0]
    """

    kind: ClassVar[str] = "clv.inverse_gamma_spend"
    parameters: ClassVar[tuple[str, ...]] = ("q", "s")
    money_scales: ClassVar[tuple[str, ...]] = ("s",)
    limit_of: ClassVar[str] = "the purchases of a customer do not differ"

    q: float
    s: float

    def explain(self) -> Explanation:
        """The mean spend per purchase across customers: the last step."""
        return Explanation(
            formula="a customer's spend per purchase ~ inverse-gamma(q, s) across customers; mean = s / (q - 1)",
            values={"q": self.q, "s": self.s},
            steps=(Step(name="mean_spend_per_purchase", expression="s / (q - 1)"),),
            source=f"{_SOURCE}{self.limit_of}.",
        )

    def _log_density(self, x: Floats, value: Floats) -> Floats:
        off = (self.s / self.q - value) / value
        answer: Floats = (
            gamma_excess(np.asarray(self.q))[0]
            + self.q * (log_ratio(off, self.s / self.q, value) - off)
            - np.log(value)
        )
        return answer + 0 * x

    def _draw_means(self, generator: np.random.Generator, x: Floats) -> Floats:
        return self.s / generator.gamma(self.q, size=x.shape)

    def _share(self, x: Floats) -> Floats:
        new = 1 / (self.q - 1) if self.q > 1 else np.inf
        return np.where(x > 0, 1 / np.maximum(x, 1), new)

    def _offset(self, x: Floats) -> Floats:
        return np.where(x > 0, 0.0, self.s)

    def _slopes(self, x: Floats) -> tuple[Floats, Floats]:
        of_mean = np.array([-self.q / (self.q - 1), 1.0]) if self.q > 1 else np.zeros(2)
        slopes = np.where(x > 0, 0.0, of_mean[:, None])
        return slopes, np.zeros(slopes.shape)

    @classmethod
    def _start(cls, data: Spending) -> Floats:
        return np.array([2.0, 2 / np.average(1 / data.value, weights=data.counts)])

    @classmethod
    def _objective(cls, data: Spending, *, threads: int | None) -> Objective:
        return _InverseGammaObjective(data)


SPEND_LIMITS: tuple[type[SpendModel], ...] = (GammaSpend, InverseGammaSpend)
"""Both have two parameters."""


class _GammaObjective:
    """The log-likelihood of mean spends around one mean."""

    def __init__(self, data: Spending) -> None:
        self._value = data.value
        self._counts = np.ones(data.value.size) if data.counts is None else data.counts
        self._bought = self._counts * data.frequency
        self._levels, self._at_level = levels_of(data.frequency, data.counts)
        self._log_values = float(self._counts @ np.log(data.value))

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in p and mu."""
        p, mu = map(float, theta)
        x, n = self._levels, self._at_level
        excess, slope, curve = gamma_excess(p * x)
        off = (self._value - mu) / mu
        spread = float(self._bought @ (log_ratio(off, self._value, mu) - off))
        away, bend = float(self._bought @ off) / mu, -float(self._bought @ (1 + 2 * off)) / mu**2
        gradient = np.array([n @ (x * slope) + spread, p * away])
        hessian = np.array([[n @ (x**2 * curve), away], [away, p * bend]])
        return float(n @ excess) + p * spread - self._log_values, gradient, hessian


class _InverseGammaObjective:
    """The log-likelihood of spends that are inverse-gamma across customers."""

    def __init__(self, data: Spending) -> None:
        self._value = data.value
        self._counts = np.ones(data.value.size) if data.counts is None else data.counts
        self._customers = float(self._counts.sum())
        self._log_values = float(self._counts @ np.log(data.value))

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in q and s."""
        q, s = map(float, theta)
        excess, slope, curve = map(float, gamma_excess(np.asarray(q)))
        off = (s / q - self._value) / self._value
        logs, away = float(self._counts @ log_ratio(off, s / q, self._value)), float(self._counts @ off)
        customers = self._customers
        gradient = np.array([customers * slope + logs, -away * q / s])
        hessian = customers * np.array([[curve - 1 / q, 1 / s], [1 / s, -q / s**2]])
        return customers * excess + q * (logs - away) - self._log_values, gradient, hessian
