"""Customers who buy more regularly than at random, until they drop out after a purchase: the family of the BG/CNBD-k.

A purchase takes k stages, each passed at the customer's own rate, so the times between purchases are Erlang-k. What
has passed since the last purchase says how likely a customer is to be at each stage, given that they are alive; the
stages to come are those of the rates, and purchases are every k-th of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from retention_metrics import _checks
from retention_metrics.clv import curves, renewal_sums
from retention_metrics.clv.dropout_model import ONE_TIME_NOTE, DropoutModel
from retention_metrics.clv.held_model import HeldModel
from retention_metrics.clv.likelihood import HistoryTerms, PartsObjective
from retention_metrics.clv.parts import GammaRates, OneRate, Terms
from retention_metrics.clv.purchase_model import MOST, PurchaseModel, Rng
from retention_metrics.errors import FitError, InputError
from retention_metrics.explanation import Explanation, Step

if TYPE_CHECKING:
    import pandas as pd

    from retention_metrics.clv.fitting import Fit
    from retention_metrics.clv.histories import Histories
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.newton import Objective

Floats = NDArray[np.float64]
MOST_REGULAR = 12
"""The largest k that ``fit`` tries of its own accord."""
_CELLS = 1_000_000  # numbers in a working array
_BAND = 4.0  # in units of log time
_KEYS = 2.0**40
_NEVER = 1e15  # purchases: a sum over more of them has long ended


class GammaStages(GammaRates):
    """Stages at rates that differ: lambda ~ Gamma(r, alpha)."""

    rate_words = "stage rate ~ Gamma(r, alpha), a purchase every k-th stage"
    rate_step = Step(name="mean_purchase_rate", expression="r / (k * alpha)")


class OneStageRate(OneRate):
    """Stages at one rate for all."""

    rate_words = "all customers pass stages at one rate, a purchase every k-th stage"
    rate_step = Step(name="mean_purchase_rate", expression="rate / k")


class ErlangModel(HeldModel, DropoutModel):
    """Purchases every k-th stage, stages at a customer's rate, and dropout after a purchase."""

    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)
    held: ClassVar[str] = "k"

    k: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", _checks.count(self.k, name="k", low=1))
        super().__post_init__()

    # ---------------------------------------------------------- fitting

    @classmethod
    def fit(  # type: ignore[override]
        cls,
        history: PurchaseHistory | object,
        *,
        k: int | None = None,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        counts: str | None = None,
        penalty: float = 0.0,
        threads: int | None = None,
    ) -> Fit[Self]:
        """Fit by maximum likelihood, for a given k or for the likeliest.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            From ``rfm_summary`` or ``history``, or any frame with the columns named below.
        k : int, optional
            Stages of a purchase, at least 1. By default 1 to 12 are tried, and the one with the highest likelihood
            is kept, be it that of a fit or of a limit.
        frequency, recency, T : str
            Columns of a plain frame.
        counts : str, optional
            Column with the number of customers that share a row; one each by default.
        penalty : float, default 0
            Weight of half the squared distance of the log-parameters from 0 (shapes) and from the log of the mean
            T (time scales), subtracted from the log-likelihood. At least 0.
        threads : int, optional
            Threads to use from 100,000 rows on; the answer has the same bits for any number.

        Returns
        -------
        Fit
            The model, with its log-likelihood and the covariance of its parameters for this k.

        Raises
        ------
        InputError
            If a history cannot have happened; the message names the column and the first row.
        FitError
            If the data identify no model, or the likelihood has no maximum; then ``error.limit`` is the fit of the
            limiting model where one is known.

        Notes
        -----
        The likelihood is that of frequency and recency, which say little about the single intervals: it takes many
        repeat buyers to find k. Where the transactions are at hand, look at the times between purchases too.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGCNBD(k=3, r=0.9, alpha=2.5, a=0.8, b=2.4)
        >>> fit = rm.clv.BGCNBD.fit(model.simulate(np.full(3000, 52.0), rng=2016), k=3)
        >>> abs(fit.model.r - 0.9) < 3 * fit.standard_errors["r"]
        True
        """
        from retention_metrics.clv import frames, purchase_fit

        weight = _checks.non_negative(penalty, name="penalty")
        tried = range(1, MOST_REGULAR + 1) if k is None else (_checks.count(k, name="k", low=1),)
        table = frames.adopt(history, {"frequency": frequency, "recency": recency, "T": T, "counts": counts})
        data = table.histories()
        origin = purchase_fit.Origin(table.unit, table.excluded, table.backend)

        def at(regularity: int) -> Fit[Self]:
            return purchase_fit.fit_histories(cls._at(regularity), data, origin, penalty=weight, threads=threads)

        return _likeliest(at, tried)

    @classmethod
    def _start_at(cls, value: float, rate: float) -> Floats:
        return cls._start(value * rate)

    @classmethod
    def _objective_at(cls, value: float, data: Histories, *, threads: int | None) -> Objective:
        k = int(value)
        if k > 1:
            together = (data.frequency > 0) & (data.recency == 0)
            _checks.refuse(together, data.recency, name="recency", rule=f"is above 0 for a repeat buyer with k = {k}")

        def arrivals(rates: Sequence[Floats], x: Floats, t_x: Floats) -> Terms:
            found = cls.arrival_terms(rates, k * x, t_x)
            return dataclasses.replace(found, value=found.value + _log_spacing(k, x, t_x))

        terms = ErlangTerms(arrivals, cls.decision_terms, cls.early, cls.arrival_terms, k)
        return PartsObjective(data, terms, cls._rate_parameters(), threads)

    # ---------------------------------------------------------- a customer with a history

    def _log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        none, stages = np.zeros(x.shape), self.k * x
        bought = self._log_arrivals(stages, t_x) + _log_spacing(self.k, x, t_x)
        alive = self._log_stay(none, x) + self._log_silence(x, t_x, age)
        gone = self._log_leave(none, np.maximum(x, 1))
        answer: Floats = bought + np.where(x > 0, np.logaddexp(alive, gone), alive)
        return answer

    def _log_odds_gone(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        odds = self._log_odds_left(np.maximum(x, 1)) - self._log_silence(x, t_x, age)
        answer: Floats = np.where(x > 0, odds, -np.inf)
        return answer

    def _log_stages(self, x: Floats, t_x: Floats, age: Floats) -> Iterator[Floats]:
        """Log-probability of having passed 0, 1, …, k - 1 stages since the last purchase."""
        for stage in range(self.k):
            yield self._log_mass(self.k * x, t_x, np.full(x.shape, float(stage)), age - t_x)

    def _log_silence(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """Log-probability of fewer than k stages since the last purchase."""
        total: Floats = np.logaddexp.reduce(list(self._log_stages(x, t_x, age)), axis=0)
        return total

    def _stage_shares(self, x: Floats, t_x: Floats, age: Floats) -> list[Floats]:
        """Probability of each stage, given alive."""
        logs = list(self._log_stages(x, t_x, age))
        total = np.logaddexp.reduce(logs, axis=0)
        return [np.exp(log - total) for log in logs]

    # ---------------------------------------------------------- what is to come, given alive

    def _expected(self, x: Floats, t_x: Floats, age: Floats, horizon: Floats) -> Floats:
        tau, total = horizon / self._scale(age), np.zeros(x.shape)
        for stage, share in enumerate(self._stage_shares(x, t_x, age)):
            total = total + share * self._by_stage(stage, x, tau, self._log_stay_before)
        return total

    def _log_stays(self, x: Floats, t_x: Floats, age: Floats, later: Floats) -> Floats:
        tau, total = later / self._scale(age), np.zeros(x.shape)
        for stage, share in enumerate(self._stage_shares(x, t_x, age)):
            total = total + share * self._by_stage(stage, x, tau, self._log_leave)
        return np.log(np.maximum(1 - total, 1e-300))

    def _log_stay_before(self, passed: Floats, n: Floats) -> Floats:
        """Log-probability of coming to the n-th of the next purchases, as far as dropout decides it."""
        return self._log_stay(passed, n - 1)

    def _by_stage(self, stage: int, x: Floats, tau: Floats, weight: Callable[[Floats, Floats], Floats]) -> Floats:
        """Sum over n = 1, 2, … of P(n purchases or more, were nobody to drop out) times ``exp(weight(x, n))``."""

        def log_sum(keys: Floats, log_tau: Floats) -> Floats:
            return self._log_sum(stage, keys % _KEYS, np.exp(log_tau), weight)

        answer = np.zeros(x.shape)
        ahead = tau > 0
        if ahead.any():
            log_tau = np.log(tau[ahead])
            # One curve for each frequency and each stretch of time that is short enough for a curve to follow.
            band = np.floor((log_tau - log_tau.min()) / _BAND)
            answer[ahead] = np.exp(curves.by_frequency(log_sum, x[ahead] + _KEYS * band, log_tau))
        return answer

    def _log_sum(self, stage: int, x: Floats, tau: Floats, weight: Callable[[Floats, Floats], Floats]) -> Floats:
        if self.varies:
            raise InputError(
                f"{type(self).__name__} predicts with one number for each parameter.", argument="parameters"
            )
        ahead, young = tau * self._scale(np.zeros(())), np.zeros(())

        def of_rows(rows: slice) -> renewal_sums.LogTerm:
            level, time = x[rows, None], ahead[rows, None]

            def log_term(n: Floats) -> Floats:
                with np.errstate(divide="ignore"):
                    reached = np.log(self._at_least(self.k * level + stage, young, self.k * n - stage, time))
                return np.asarray(reached + weight(level, n))

            return log_term

        endless = np.full(x.size, np.inf)
        with np.errstate(under="ignore", divide="ignore"):
            total = renewal_sums.sum_ahead(of_rows, np.zeros(x.size), np.inf, 0.0, endless, np.full(x.size, _NEVER))
            return np.log(total)

    def _mass(self, x: Floats, t_x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        total = np.zeros(x.shape)
        stays, leaves = self._log_stay(x, n), np.exp(self._log_leave(x, np.maximum(n, 1)))
        for stage, share in enumerate(self._stage_shares(x, t_x, age)):
            passed, first = self.k * x + stage, self.k * n - stage
            exactly = [self._log_passes(passed, age, first + further, horizon) for further in range(self.k)]
            here = np.exp(stays + np.logaddexp.reduce(exactly, axis=0))
            reached = self._at_least(passed, age, np.maximum(first, 1), horizon)
            total = total + share * (here + np.where(n > 0, leaves * reached, 0.0))
        return total

    def _log_passes(self, passed: Floats, age: Floats, stages: Floats, horizon: Floats) -> Floats:
        """Log-probability of so many stages in the horizon; -inf for fewer than none."""
        return np.where(stages >= 0, self._log_mass(passed, age, np.maximum(stages, 0), horizon), -np.inf)

    def _pace(self, x: Floats, age: Floats) -> Floats:
        power = self._power(self.k * x)
        return self._scale(age) / (1 + np.where(np.isinf(power), 1.0, power) / self.k)

    def _discounted(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        """By parts as in every purchase model, all times of a customer at once so that curves serve them."""
        rows = np.stack([part.reshape(-1) for part in (x, t_x, age, self._pace(x, age))])
        reach = min(horizon, 45 / force)  # exp(-45) is below the last bit
        width = np.log1p(reach / rows[3])
        fractions, weights = curves.panels(float(width.max(initial=0.0)))
        answer = np.empty(width.size)
        block = max(1, _CELLS // fractions.size)
        for start in range(0, width.size, block):
            part = slice(start, start + block)
            pace, variable = rows[3, part, None], width[part, None] * fractions
            time = np.append(np.expm1(variable) * pace, np.full((pace.size, 1), reach), axis=1)
            x_at, t_x_at, age_at = np.repeat(rows[:3, part], time.shape[1], axis=1)
            bought = self._expected(x_at, t_x_at, age_at, time.reshape(-1)).reshape(time.shape)
            stretch = width[part, None] * pace * np.exp(variable - force * time[:, :-1])
            answer[part] = force * (stretch * bought[:, :-1]) @ weights + np.exp(-force * reach) * bought[:, -1]
        return answer.reshape(x.shape)

    def _in_steps(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        return PurchaseModel._in_steps(self, x, t_x, age, horizon, force)

    def explain(self) -> Explanation:
        """What the parameters say about the average customer.

        Returns
        -------
        Explanation
            The mean rate of stages and what dropout looks like: the last step.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGCNBD(k=3, r=0.9, alpha=2.5, a=0.8, b=2.4)
        >>> round(model.explain().evaluate()["mean_dropout_probability"], 3)
        0.25
        """
        told = super().explain()
        limit = f"; the limit where {self.limit_of}." if self.limit_of else "."
        return dataclasses.replace(
            told,
            values={name: getattr(self, name) for name in ("k", *self.parameters)},
            source="Reutterer, Platzer & Schroeder (2021), Leveraging purchase regularity for predicting customer "
            f"behavior the easy way, International Journal of Research in Marketing 38(1){limit}",
        )

    # ---------------------------------------------------------- simulation

    def _draw(self, generator: np.random.Generator, age: Floats) -> dict[str, NDArray[Any]]:
        found = self._paths(generator, age)
        frequency, recency = np.zeros(age.size, dtype=np.int64), np.zeros(age.size)
        for customers, times in found.purchases:
            frequency[customers] += 1
            recency[customers] = times
        return {
            "frequency": frequency,
            "recency": recency,
            "T": age,
            "purchase_rate": found.rate / self.k,
            "dropout_probability": found.dropout,
            "alive": frequency < found.last,
        }

    def _draw_ahead(
        self, generator: np.random.Generator, x: Floats, t_x: Floats, age: Floats, horizon: float
    ) -> Floats:
        reached = np.cumsum(self._stage_shares(x, t_x, age), axis=0)
        stage = np.minimum(np.sum(reached <= generator.uniform(size=x.size), axis=0), self.k - 1)
        rate = self._draw_rates(generator, x.size, self.k * x + stage, age)
        last = self._draw_last(generator, self._draw_dropout(generator, x.size, x))
        passed = generator.poisson(np.minimum(rate * horizon, MOST))
        bought: Floats = np.minimum((stage + passed) // self.k, last).astype(np.float64)
        return bought

    def _paths(self, generator: np.random.Generator, age: Floats) -> _Paths:
        rate, dropout = self._draw_rates(generator, age.size), self._draw_dropout(generator, age.size)
        last = self._draw_last(generator, dropout)
        purchases: list[tuple[NDArray[np.intp], Floats]] = []
        active, time, number = np.arange(age.size), np.zeros(age.size), 0
        while active.size:
            number += 1
            with np.errstate(divide="ignore", over="ignore"):
                time = time + generator.gamma(self.k, size=active.size) / rate[active]
            seen = time <= age[active]
            purchases.append((active[seen], time[seen]))
            goes_on = seen & (last[active] > number)
            active, time = active[goes_on], time[goes_on]
        return _Paths(purchases, rate, dropout, last)

    def simulate_transactions(self, T: ArrayLike, *, rng: Rng = None) -> pd.DataFrame:
        """Draw the purchases of new customers.

        Parameters
        ----------
        T : array_like of float, shape (n_customers,)
            Time under observation of each customer, in the model's unit.
        rng : numpy.random.Generator or int, optional
            Source of randomness, or its seed; the customers are those of ``simulate`` with the same seed.

        Returns
        -------
        pandas.DataFrame
            A row per purchase, the first one included: ``customer`` (0, 1, …) and ``time`` since the customer's
            first purchase, in the model's unit.

        Raises
        ------
        InputError
            If T is negative or not finite.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGCNBD(k=3, r=0.9, alpha=2.5, a=0.8, b=2.4)
        >>> model.simulate_transactions([39.0, 39.0], rng=1)["customer"].unique().tolist()
        [0, 1]
        """
        import pandas as pd

        age = _checks.floats(np.atleast_1d(np.asarray(T)), name="T", low=0.0)
        found = self._paths(np.random.default_rng(rng), age).purchases
        customer = np.concatenate([np.arange(age.size), *(customers for customers, _ in found)])
        time = np.concatenate([np.zeros(age.size), *(times for _, times in found)])
        order = np.lexsort((time, customer))

        return pd.DataFrame({"customer": customer[order], "time": time[order]})


@dataclasses.dataclass(frozen=True, slots=True)
class _Paths:
    """Customers and times of all first repeat purchases, all second ones, …, and what decided them."""

    purchases: list[tuple[NDArray[np.intp], Floats]]
    rate: Floats
    dropout: Floats
    last: NDArray[np.int64]


def _log_spacing(k: int, x: Floats, t_x: Floats) -> Floats:
    """What the likelihood of (x, t_x) for k has over that for k = 1 besides the stages' own: a function of the data."""
    with np.errstate(divide="ignore"):
        spread = special.xlogy((k - 1) * x, t_x)
    counted = np.maximum(x, 1)
    answer: Floats = np.where(x > 0, spread + special.gammaln(counted) - special.gammaln(k * counted), 0.0)
    return answer


@dataclasses.dataclass(frozen=True, slots=True)
class ErlangTerms(HistoryTerms):
    """The log-likelihood of single histories with k stages to a purchase."""

    stages: Callable[..., Terms]
    k: int

    def silent(self, rates: Sequence[Floats], x: Floats, t_x: Floats, age: Floats) -> Terms:
        """Terms of the purchases, and of fewer than k stages since the last one.

        With A(n, T) the likelihood of n stages in T, j of them in a silence of s since k x at t_x have
        ``A(k x + j, T) s**j / j!``.
        """
        passed = [self.stages(rates, self.k * x + stage, age) for stage in range(self.k)]
        stage = np.arange(float(self.k))[:, None]
        logs = np.stack([terms.value for terms in passed])
        logs += special.xlogy(stage, age - t_x) - special.gammaln(stage + 1)
        total = np.logaddexp.reduce(logs, axis=0)
        share = np.exp(logs - total)
        mean = sum(part * terms.slopes for part, terms in zip(share, passed, strict=True))
        bend = sum(
            part * (terms.curvatures + terms.slopes[:, None] * terms.slopes[None])
            for part, terms in zip(share, passed, strict=True)
        )
        return Terms(total + _log_spacing(self.k, x, t_x), mean, bend - mean[:, None] * mean[None])


def _likeliest(at: Callable[[int], Fit[Any]], tried: Sequence[int]) -> Fit[Any]:
    """The fit with the highest likelihood; the error of a k without maximum where its limit is likelier than any."""
    fits: dict[int, Fit[Any]] = {}
    errors: list[FitError] = []
    for k in tried:
        try:
            fits[k] = at(k)
        except FitError as error:
            errors.append(error)
    reached = max((fit.log_likelihood for fit in fits.values()), default=-np.inf)
    refused = max(errors, key=_limit_height, default=None)
    if refused is not None and (not fits or _limit_height(refused) > reached):
        raise refused
    best = max(fits, key=lambda k: fits[k].log_likelihood)
    if len(tried) == 1:
        return fits[best]
    note = f"k = {best} has the highest likelihood of k = {tried[0]} to {tried[-1]}."
    beside = [k for k in (best - 1, best + 1) if k in fits and fits[best].log_likelihood - fits[k].log_likelihood < 2]
    doubts = tuple(
        f"k is weakly identified: k = {k} falls short of k = {best} by "
        f"{fits[best].log_likelihood - fits[k].log_likelihood:.2f} in log-likelihood."
        for k in beside
    )
    found = fits[best]
    return dataclasses.replace(found, notes=(*found.notes, note), diagnostics=(*found.diagnostics, *doubts))


def _limit_height(error: FitError) -> float:
    limit = cast("Fit[Any] | None", error.limit)
    return -np.inf if limit is None else limit.log_likelihood
