"""Customers who drop out after one of their purchases: the family of the BG/NBD."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv import batch, curves, histories, newton
from retention_metrics.clv.likelihood import HistoryTerms, PartsObjective
from retention_metrics.clv.parts import CertainDropout, Dropout, Rates, Terms
from retention_metrics.clv.purchase_model import MOST, PurchaseModel
from retention_metrics.explanation import Explanation

Floats = NDArray[np.float64]

# Covariates of purchases multiply the mean rate r / alpha, those of dropout the odds a / b of the mean probability.
DROPOUT_EFFECTS: Mapping[str, tuple[str, int]] = MappingProxyType({"purchase": ("alpha", -1), "dropout": ("a", 1)})
ONE_TIME_NOTE = (
    "A customer without repeat purchase has probability alive 1: in this model nobody can drop out before "
    "a repeat purchase."
)


class DropoutModel(Rates, Dropout, PurchaseModel):
    """Purchases at a customer's own rate until the customer drops out after one of them.

    What to expect of a customer who is alive is a function of the frequency and of time in units that rates and T
    set; ``parts`` holds the kinds of rates and of dropout that a model is made of.
    """

    impossible: ClassVar[str] = "who drops out at the first repeat purchase makes no second"

    def explain(self) -> Explanation:
        """What the parameters say about the average customer.

        Returns
        -------
        Explanation
            The mean purchase rate and what dropout looks like: the last step.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> round(model.explain().evaluate()["mean_dropout_probability"], 3)
        0.246
        """
        dropout = self.dropout_words.format(purchase="purchase" if self.early else "repeat purchase")
        return Explanation(
            formula=f"{self.rate_words}; {dropout}",
            values={name: float(value) for name, value in zip(self.parameters, self.theta, strict=True)},
            steps=(self.rate_step, self.dropout_step),
            source='Fader, Hardie & Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2)'
            + (f"; the limit where {self.limit_of}." if self.limit_of else "."),
        )

    @classmethod
    def _objective(cls, data: histories.Histories, *, threads: int | None) -> newton.Objective:
        """The log-likelihood in the parameters of ``to_odds``."""
        return PartsObjective(data, cls._terms(), cls._rate_parameters(), threads)

    @classmethod
    def _terms(cls) -> HistoryTerms:
        return HistoryTerms(cls.arrival_terms, cls.decision_terms, cls.early)

    @classmethod
    def _rate_parameters(cls) -> int:
        return sum(name not in ("a", "b", "p", "share") for name in cls.parameters)

    @classmethod
    def _rows(cls, theta: tuple[Floats, ...], data: histories.Histories, rows: slice) -> Terms:
        split = cls._rate_parameters()
        return cls._terms().of(theta[:split], theta[split:], data, rows)

    @classmethod
    def _start(cls, rate: float) -> Floats:
        """Where to climb from, in the parameters of ``to_odds``, given the purchases per unit of time."""
        known = {"r": 0.5, "alpha": 0.5 / rate, "rate": rate, "a": 0.8, "b": 2.5, "p": 0.3, "share": 0.3}
        return np.array([known[name] for name in cls.parameters])

    @classmethod
    def _other_starts(cls, rate: float) -> tuple[Floats, ...]:
        """One at which most drop out as soon as they can or never, and all buy at much the same rate."""
        if "a" not in cls.parameters:
            return ()
        early = {"r": 10.0, "alpha": 10.0, "a": 0.15, "b": 0.02}
        return (cls._start(rate) * np.array([early.get(name, 1.0) for name in cls.parameters]),)

    @classmethod
    def _runs_away(cls, odds: Floats) -> bool:
        """Whether the climb has left the region in which the model differs from a simpler one."""
        at = dict(zip(cls.parameters, odds, strict=True))
        shape = at.get("r", 1.0)
        lost = not 1e-6 < shape < 1e6 or any(not 1e-7 < at[name] < 1e7 for name in cls.shares)
        if "a" in at:
            total = at["a"] + at["b"]
            lost = lost or not 1e-6 < total < 1e6 or min(at["a"], at["b"]) < 1e-7 * total
        return bool(lost)

    @classmethod
    def _possible(cls, data: histories.Histories) -> bool:
        """Whether the model gives the data a probability above zero."""
        return not issubclass(cls, CertainDropout) or float(data.frequency.max()) <= 1 - cls.early

    def _log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        none, decisions = np.zeros(x.shape), x + self.early
        alive = self._log_stay(none, decisions) + self._log_arrivals(x, age)
        gone = self._log_leave(none, np.maximum(decisions, 1)) + self._log_arrivals(np.maximum(x, 1 - self.early), t_x)
        answer: Floats = np.where(decisions > 0, np.logaddexp(alive, gone), alive)
        return answer

    def _log_odds_gone(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        decisions = x + self.early
        odds = self._log_odds_left(np.maximum(decisions, 1)) + self._silence(x, t_x, age)
        answer: Floats = np.where(decisions > 0, odds, -np.inf)
        return answer

    def _log_stays(self, x: Floats, t_x: Floats, age: Floats, later: Floats) -> Floats:
        tau = later / self._scale(age)
        levels, of = self._by_level(x)
        return curves.log_survival(of("_log_survival"), levels, tau.reshape(-1), of("_bend")).reshape(x.shape)

    def _expected(self, x: Floats, t_x: Floats, age: Floats, horizon: Floats) -> Floats:
        tau = horizon / self._scale(age)
        levels, of = self._by_level(x)
        return curves.expected(of("_log_purchases"), levels, tau.reshape(-1), of("_bend")).reshape(x.shape)

    def _pace(self, x: Floats, age: Floats) -> Floats:
        pace: Floats = self._scale(age) / self._bend(x)
        return pace

    def _discounted(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        scale = self._scale(age).reshape(-1)
        levels, of = self._by_level(x)
        return curves.discounted(of("_log_purchases"), levels, scale, of("_bend"), horizon, force).reshape(x.shape)

    def _in_steps(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        scale = self._scale(age).reshape(-1)
        levels, of = self._by_level(x)
        return curves.in_steps(of("_log_purchases"), levels, scale, of("_bend"), horizon, force).reshape(x.shape)

    def _ever(self, x: Floats, t_x: Floats, age: Floats) -> Floats | None:
        return self._purchases_ever(x)

    def _mass(self, x: Floats, t_x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        """Fader, Hardie & Lee 2005, equation 8, with the customer's own updated parameters."""
        passed, positive = x + self.early, np.maximum(n, 1)
        stayed = np.exp(self._log_stay(passed, n) + self._log_mass(x, age, n, horizon))
        left = np.exp(self._log_leave(passed, positive)) * self._at_least(x, age, positive, horizon)
        answer: Floats = stayed + np.where(n > 0, left, 0.0)
        return answer

    def _draw(self, generator: np.random.Generator, age: Floats) -> dict[str, NDArray[Any]]:
        rate = self._draw_rates(generator, age.size)
        dropout = self._draw_dropout(generator, age.size)
        arrivals = generator.poisson(rate * age)
        last = self._draw_last(generator, dropout)
        frequency = np.minimum(arrivals, last - self.early)
        # Given their number, arrivals are uniform on (0, T): the x-th of n is T times Beta(x, n - x + 1).
        place = generator.beta(np.maximum(frequency, 1), np.maximum(arrivals - frequency, 0) + 1.0)

        return {
            "frequency": frequency,
            "recency": np.where(frequency > 0, age * place, 0.0),
            "T": age,
            "purchase_rate": rate,
            "dropout_probability": dropout,
            "alive": arrivals + self.early < last,
        }

    def _draw_ahead(
        self, generator: np.random.Generator, x: Floats, t_x: Floats, age: Floats, horizon: float
    ) -> Floats:
        rate = self._draw_rates(generator, x.size, x, age)
        dropout = self._draw_dropout(generator, x.size, x + self.early)
        arrivals = generator.poisson(np.minimum(rate * horizon, MOST))
        return np.minimum(arrivals, self._draw_last(generator, dropout)).astype(np.float64)

    def _by_level(self, x: Floats) -> tuple[Floats, Callable[[str], Any]]:
        """Customers who differ in time alone have one level; and the formulas by name, as functions of the level.

        A level is the frequency. Where parameters that are no scale of time differ between customers it is a number
        that stands for the frequency and for them.
        """
        if not self.varies:
            return x.reshape(-1), lambda name: getattr(self, name)
        timed = self.time_scales + self.time_rates
        given = {name: getattr(self, name) for name in self.parameters if name not in timed}
        varying = {name: value for name, value in given.items() if isinstance(value, np.ndarray)}
        columns = [np.broadcast_to(part, x.shape).reshape(-1) for part in (x, *varying.values())]
        first, which = batch.groups(*columns)
        frequency = columns[0][first]
        shapes = {name: column[first] for name, column in zip(varying, columns[1:], strict=True)}
        own = dataclasses.replace(self, **dict.fromkeys(timed, 1.0) | shapes)  # type: ignore[type-var]

        def of(name: str) -> Callable[..., Floats]:
            def function(level: Floats, *variable: Floats) -> Floats:
                rows = level.astype(np.intp)
                found: Floats = getattr(own._of(rows), name)(frequency[rows], *variable)
                return found

            return function

        return which.astype(np.float64), of
