"""Customers who buy or do not buy at regular opportunities, until they drop out unseen: the family of the BG/BB.

A customer who is alive at an opportunity buys with probability p; between opportunities they drop out with probability
theta. Dropping out is to leave at a renewal, so that part is a contractual model: the likelihood of a history sums over
the opportunities at which the customer may have been alive for the last time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from retention_metrics import _checks
from retention_metrics.clv import batch, histories, renewals
from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.parts import Terms
from retention_metrics.clv.purchase_model import PurchaseModel, Rng
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step

if TYPE_CHECKING:
    import pandas as pd

    from retention_metrics.clv.fitting import Fit
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.newton import Objective

Floats = NDArray[np.float64]
_CELLS = 1_000_000  # numbers in a working array
_NO_PAUSE = "somebody made a purchase and let an opportunity pass, which those who buy at every opportunity never do"


class OpportunityModel(PurchaseModel):
    """A model of purchases at regular opportunities: T counts them, and recency is the number of the last one used.

    A model writes how customers buy; ``leaving`` is the contractual model by which they drop out.
    """

    leaving: ClassVar[type[ContractModel]]
    buying_parameters: ClassVar[int]
    """How many of the parameters, from the first, say how customers buy; the others are those of ``leaving``."""
    buying_words: ClassVar[str]
    leaving_words: ClassVar[str]
    working: ClassVar[tuple[Step, ...]]
    skips: ClassVar[bool] = True
    """Whether a customer who buys may let an opportunity pass while alive."""
    impossible: ClassVar[str] = ""
    """Why the model gives the data no probability, where ``_possible`` says so."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.varies:
            raise InputError(f"{type(self).__name__} takes one number for each parameter.", argument="parameters")

    # ---------------------------------------------------------- what a model is

    @staticmethod
    @abstractmethod
    def buying_terms(odds: Floats, size: int) -> tuple[Terms, Terms, Terms]:
        """Logs of what purchases, opportunities let pass, and their sum contribute, for 0, 1, …, size - 1 of each.

        The log-probability of x purchases and f passes in a given order is the first at x, plus the second at f, plus
        the third at x + f.
        """

    @abstractmethod
    def _mean_chance(self, x: Floats, n: Floats) -> Floats:
        """Mean probability of buying given x purchases at n opportunities."""

    @abstractmethod
    def _draw_chances(
        self, generator: np.random.Generator, size: int, x: Floats | float = 0.0, n: Floats | float = 0.0
    ) -> Floats:
        """Probabilities of buying of ``size`` customers, new or given x purchases at n opportunities."""

    # ---------------------------------------------------------- public methods in the words of opportunities

    def rescale(self, to: str) -> NoReturn:
        """Refused: opportunities are counted, not timed.

        Parameters
        ----------
        to : str
            The new unit.

        Raises
        ------
        InputError
            Always.
        """
        raise InputError(
            f"{type(self).__name__} counts opportunities to buy; they do not turn into {to}s.", argument="to"
        )

    @classmethod
    def fit(  # type: ignore[override]
        cls,
        history: PurchaseHistory | object,
        *,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        counts: str | None = None,
        purchase_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
        penalty: float = 0.0,
        threads: int | None = None,
    ) -> Fit[Self]:
        """Fit by maximum likelihood.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            From ``rfm_summary`` or ``history``, or any frame with the columns named below.
        frequency, recency, T : str
            Columns of a plain frame, all whole numbers: the opportunities used after the first purchase, the number
            of the last one used (0 where none was), and the number of opportunities there were.
        counts : str, optional
            Column with the number of customers that share a row; one each by default.
        purchase_covariates, dropout_covariates : sequence of str
            Refused: this family has no covariates.
        penalty : float, default 0
            Weight of half the squared distance of the log-parameters from 0, subtracted from the log-likelihood.
        threads : int, optional
            Accepted for the sake of its siblings: distinct histories are few.

        Returns
        -------
        Fit
            The model, with its log-likelihood and the covariance of its parameters.

        Raises
        ------
        InputError
            If a history cannot have happened; the message names the column and the first row.
        FitError
            If the data identify no model, or the likelihood has no maximum; then ``error.limit`` is the fit of the
            limiting model where one is known.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGBB(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
        >>> fit = rm.clv.BGBB.fit(model.simulate(np.full(5000, 6), rng=2010))
        >>> abs(fit.model.gamma - 0.657) < 3 * fit.standard_errors["gamma"]
        True
        """
        from retention_metrics.clv import frames, opportunity_fit, purchase_fit

        if purchase_covariates or dropout_covariates:
            raise InputError(f"{cls.__name__} takes no covariates.", argument="purchase_covariates")
        weight = _checks.non_negative(penalty, name="penalty")
        table = frames.adopt(history, {"frequency": frequency, "recency": recency, "T": T, "counts": counts})
        data, origin = table.histories(), purchase_fit.Origin(table.unit, table.excluded, table.backend)
        return opportunity_fit.fit(cls, data, origin, penalty=weight)

    @classmethod
    def _fit_rows(
        cls, data: histories.Histories, *, unit: str | None, penalty: float, threads: int | None
    ) -> Fit[Self]:
        from retention_metrics.clv import opportunity_fit, purchase_fit

        return opportunity_fit.fit(cls, data, purchase_fit.Origin(unit), penalty=penalty)

    def simulate_transactions(self, T: ArrayLike, *, rng: Rng = None) -> pd.DataFrame:
        """Draw the purchases of new customers.

        Parameters
        ----------
        T : array_like of int, shape (n_customers,)
            Opportunities of each customer.
        rng : numpy.random.Generator or int, optional
            Source of randomness, or its seed; the customers are those of ``simulate`` with the same seed.

        Returns
        -------
        pandas.DataFrame
            A row per purchase, the first one included: ``customer`` (0, 1, …) and ``time``, the opportunity, 0 for
            the first purchase.

        Raises
        ------
        InputError
            If T is not whole or negative.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGBB(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
        >>> drawn = model.simulate_transactions([6, 6, 6], rng=1)
        >>> sorted(drawn["customer"].unique().tolist())
        [0, 1, 2]
        """
        import pandas as pd

        n = _checks.whole(np.atleast_1d(np.asarray(T)), name="T")
        used = self._opportunities(np.random.default_rng(rng), n)[0]
        customer = np.concatenate([np.arange(n.size), *used])
        time = np.repeat(np.arange(len(used) + 1.0), [n.size, *(group.size for group in used)])
        order = np.lexsort((time, customer))

        return pd.DataFrame({"customer": customer[order], "time": time[order]})

    def explain(self) -> Explanation:
        """What the parameters say about the average customer.

        Returns
        -------
        Explanation
            Mean probabilities of buying and of dropping out: the last step.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGBB(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)
        >>> round(model.explain().evaluate()["mean_dropout_probability"], 3)
        0.191
        """
        return Explanation(
            formula=f"{self.buying_words}; {self.leaving_words}",
            values={name: float(value) for name, value in zip(self.parameters, self.theta, strict=True)},
            steps=self.working,
            source="Fader, Hardie & Shang (2010), Customer-base analysis in a discrete-time noncontractual setting, "
            "Marketing Science 29(6)" + (f"; the limit where {self.limit_of}." if self.limit_of else "."),
        )

    # ---------------------------------------------------------- likelihood

    @classmethod
    def _objective(cls, data: histories.Histories, *, threads: int | None) -> Objective:
        return OpportunityObjective(cls, data)

    def _log_likelihoods(self, data: histories.Histories, odds: Floats, *, threads: int | None) -> Floats:
        return batch.one_by_one(self._objective(data, threads=threads), odds)

    @classmethod
    def _start(cls, rate: float) -> Floats:
        chance = min(max(rate * 1.5, 0.05), 0.9)
        known = {"alpha": chance, "beta": 1 - chance, "gamma": 0.5, "delta": 2.0}
        known |= {"p": chance / (1 - chance), "buyers": chance / (1 - chance), "dropout": 0.2, "share": 0.2}
        return np.array([known[name] for name in cls.parameters])

    @classmethod
    def _runs_away(cls, odds: Floats) -> bool:
        at = dict(zip(cls.parameters, odds, strict=True))
        lost = any(not 1e-7 < at[name] < 1e7 for name in cls.shares)
        for first, second in (("alpha", "beta"), ("gamma", "delta")):
            if first in at:
                total = at[first] + at[second]
                lost = lost or not 1e-6 < total < 1e6 or min(at[first], at[second]) < 1e-7 * total
        return bool(lost)

    @classmethod
    def _limits(cls) -> tuple[type[OpportunityModel], ...]:
        return ()

    @classmethod
    def _possible(cls, data: histories.Histories) -> bool:
        values: dict[str, Any] = dict(zip(cls.parameters, map(float, cls.from_odds(cls._start(0.5))), strict=True))
        seen = np.isfinite(cls(**values)._contributions(data))
        return bool(seen.all() if data.counts is None else seen[data.counts > 0].all())

    def _dropout(self) -> ContractModel:
        """The contractual model of dropping out."""
        values = dict(zip(self.leaving.parameters, self.theta[self.buying_parameters :], strict=True))
        return self.leaving(**{name: float(value) for name, value in values.items()})

    def _tables(self, size: int) -> Tables:
        return Tables.of(type(self), self.to_odds(self.theta), size)

    def _histories(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, **others: Floats
    ) -> tuple[Floats, ...]:
        for name, values in others.items():
            _checks.whole(values, name=name)
        found = super()._histories(frequency, recency, T, **others)
        check(*found[:3])
        return found

    def _on_distinct(self, function: Callable[..., Floats], *arrays: Floats) -> Floats:
        """``function`` of 1-D columns at their distinct rows, given back in the shape of the arrays."""
        shape = arrays[0].shape
        rows, which = renewals.distinct(*(array.reshape(-1) for array in arrays))
        return function(*rows)[which].reshape(shape)

    def _log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        def likelihood(x: Floats, t_x: Floats, n: Floats) -> Floats:
            tables = self._tables(int(n.max(initial=0.0)) + 1)
            return np.logaddexp(tables.alive(x, n), tables.gone(x, t_x, n))

        check(x, t_x, age)
        return self._on_distinct(likelihood, x, t_x, age)

    def _log_odds_gone(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        def odds(x: Floats, t_x: Floats, n: Floats) -> Floats:
            tables = self._tables(int(n.max(initial=0.0)) + 1)
            gone, alive = tables.gone(x, t_x, n), tables.alive(x, n)
            # Who has a history that cannot have happened is not there.
            return np.where(np.isinf(alive), np.inf, gone - np.where(np.isinf(alive), 0.0, alive))

        check(x, t_x, age)
        return self._on_distinct(odds, x, t_x, age)

    # ---------------------------------------------------------- what is to come

    def _log_stays(self, x: Floats, t_x: Floats, age: Floats, later: Floats) -> Floats:
        return self._on_distinct(self._dropout()._log_kept, age, later)

    def _expected(self, x: Floats, t_x: Floats, age: Floats, horizon: Floats) -> Floats:
        """Fader, Hardie & Shang 2010, equation 13, given alive."""
        leaving = self._dropout()
        total = np.zeros(x.shape)
        for ahead in np.unique(horizon):
            rows = horizon == ahead
            total[rows] = leaving._ahead(age[rows], float(ahead), 0.0)
        return self._mean_chance(x, age) * total

    def _ever(self, x: Floats, t_x: Floats, age: Floats) -> Floats | None:
        terms = self._dropout()._ahead(age, np.inf, 0.0)
        return None if np.isinf(terms).any() else self._mean_chance(x, age) * terms

    def _ahead(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float, timing: str) -> Floats:
        if np.isfinite(horizon):
            _checks.count(horizon, name="horizon")
        return super()._ahead(x, t_x, age, horizon, force, timing)

    def _discounted(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        terms = self._dropout()._ahead(age, horizon, force)
        return np.asarray(np.exp(-force) * self._mean_chance(x, age) * terms)

    def _in_steps(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        # A purchase happens at its opportunity, the end of a period.
        return self._discounted(x, t_x, age, horizon, force)

    def _pace(self, x: Floats, age: Floats) -> Floats:
        return np.ones(x.shape)

    def _mass(self, x: Floats, t_x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        def mass(x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
            answer = np.zeros(x.size)
            rows = n <= horizon
            if rows.any():
                tables = self._tables(int((age + horizon)[rows].max()) + 1)
                answer[rows] = np.exp(tables.log_mass(x[rows], age[rows], n[rows], horizon[rows]))
            return answer

        return self._on_distinct(mass, x, age, n, horizon)

    # ---------------------------------------------------------- simulation

    def _draw(self, generator: np.random.Generator, age: Floats) -> dict[str, NDArray[Any]]:
        n = _checks.whole(age, name="T")
        used, chance, dropout, lifetime = self._opportunities(generator, n)
        frequency, recency = np.zeros(n.size, dtype=np.int64), np.zeros(n.size)
        for number, customers in enumerate(used, start=1):
            frequency[customers] += 1
            recency[customers] = number
        return {
            "frequency": frequency,
            "recency": recency,
            "T": n,
            "purchase_probability": chance,
            "dropout_probability": dropout,
            "alive": lifetime >= n,
        }

    def _draw_ahead(
        self, generator: np.random.Generator, x: Floats, t_x: Floats, age: Floats, horizon: float
    ) -> Floats:
        chance, left = self._draw_chances(generator, x.size, x, age), generator.uniform(size=x.size)
        leaving, ahead, there = self._dropout(), np.arange(1.0, horizon + 1), np.zeros(x.size, dtype=np.int64)
        for number in np.unique(age):
            rows = age == number
            kept = np.exp(leaving._log_kept(np.full(ahead.size, number), ahead))
            there[rows] = ahead.size - np.searchsorted(kept[::-1], left[rows], side="right")
        return generator.binomial(there, chance).astype(np.float64)

    def _opportunities(
        self, generator: np.random.Generator, n: Floats
    ) -> tuple[list[NDArray[np.intp]], Floats, Floats, Floats]:
        """The customers who buy at each opportunity, their probabilities, and how many opportunities they live."""
        chance = self._draw_chances(generator, n.size)
        left = self._dropout().simulate(max(n.size, 1), rng=generator).iloc[: n.size]
        lifetime = np.where(left["churned"], left["duration"] - 1.0, np.inf)
        used = []
        for number in range(1, int(n.max(initial=0.0)) + 1):
            there = np.flatnonzero((lifetime >= number) & (n >= number))
            used.append(there[generator.random(there.size) < chance[there]])
        return used, chance, left["churn_probability"].to_numpy(), np.asarray(lifetime)


def check(x: Floats, t_x: Floats, n: Floats) -> None:
    """Refuse histories that cannot have happened at whole opportunities."""
    for name, values in (("recency", t_x), ("T", n)):
        _checks.refuse(
            values != np.floor(values), values, name=name, rule="holds whole numbers, for it counts opportunities"
        )
    _checks.refuse(
        (x > t_x) | ((x == 0) & (t_x > 0)) | ((x > 0) & (t_x == 0)),
        x,
        name="frequency",
        rule="is at most recency, the number of the last opportunity used",
    )


class Tables:
    """Log-probabilities at whole numbers, and sums over the opportunity after which a customer was gone."""

    def __init__(self, buying: tuple[Terms, Terms, Terms], stayed: Terms, left: Terms, *, skips: bool) -> None:
        self.bought, self.passed, self.either = buying
        self.stayed, self.left = stayed, left
        self._skips = skips

    @classmethod
    def of(cls, model: type[OpportunityModel], odds: Floats, size: int) -> Tables:
        """The tables of a model up to ``size - 1`` opportunities."""
        split, numbers = model.buying_parameters, np.arange(float(size))
        leaving = odds[split:]
        stayed = model.leaving.survival_terms(leaving, numbers)
        hazard = model.leaving.hazard_terms(leaving, numbers + 1)
        left = Terms(stayed.value + hazard.value, stayed.slopes + hazard.slopes, stayed.curvatures + hazard.curvatures)
        return cls(model.buying_terms(odds[:split], size), stayed, left, skips=model.skips)

    def buys(self, x: Floats, passes: Floats) -> Floats:
        """Log-probability of x purchases and so many passes in one order."""
        bought, passed = x.astype(np.intp), passes.astype(np.intp)
        answer: Floats = self.bought.value[bought] + self.passed.value[passed] + self.either.value[bought + passed]
        return answer if self._skips else np.where((bought > 0) & (passed > 0), -np.inf, answer)

    def alive(self, x: Floats, n: Floats) -> Floats:
        """Log-likelihood of the history of a customer who is alive at opportunity n."""
        answer: Floats = self.buys(x, n - x) + self.stayed.value[n.astype(np.intp)]
        return answer

    def gone(self, x: Floats, t_x: Floats, n: Floats) -> Floats:
        """Log-likelihood of the history of a customer who is gone by opportunity n."""

        def terms(row: NDArray[np.intp], last: Floats) -> Floats:
            answer: Floats = self.buys(x[row], last - x[row]) + self.left.value[last.astype(np.intp)]
            return answer

        return _log_sums(terms, t_x, n)

    def log_mass(self, x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        """Log-probability of n purchases at the next opportunities of a customer who is alive; n <= horizon."""
        now = self.alive(x, age)

        now = np.where(np.isinf(now), 0.0, now)

        def ways(row: NDArray[np.intp], ahead: Floats) -> Floats:
            choices = -np.log(ahead + 1) - special.betaln(n[row] + 1, ahead - n[row] + 1)
            return np.asarray(choices + self.buys(x[row] + n[row], age[row] + ahead - x[row] - n[row]))

        def goes(row: NDArray[np.intp], ahead: Floats) -> Floats:
            answer: Floats = ways(row, ahead) + self.left.value[(age[row] + ahead).astype(np.intp)]
            return answer

        rows = np.arange(x.size)
        stays = ways(rows, horizon) + self.stayed.value[(age + horizon).astype(np.intp)]
        return np.logaddexp(stays, _log_sums(goes, n, horizon)) - now


def _log_sums(terms: Callable[[NDArray[np.intp], Floats], Floats], first: Floats, end: Floats) -> Floats:
    """Log of the sum of ``exp(terms)`` over first, first + 1, …, end - 1, for each row; -inf where there are none."""
    answer = np.full(first.size, -np.inf)
    lengths = (end - first).astype(np.intp)
    for rows in _blocks(lengths):
        row, number, starts = _laid_out(rows, first, lengths)
        logs = terms(row, number)
        top = np.maximum.reduceat(logs, starts)
        peak = np.where(np.isfinite(top), top, 0.0)
        with np.errstate(divide="ignore"):
            answer[rows] = peak + np.log(np.add.reduceat(np.exp(logs - np.repeat(peak, lengths[rows])), starts))
    return answer


def _blocks(lengths: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Rows that have terms, in groups whose terms fit a working array."""
    rows = np.flatnonzero(lengths > 0)
    if rows.size == 0:
        return []
    group = np.cumsum(lengths[rows]) // _CELLS
    return np.split(rows, np.flatnonzero(np.diff(group)) + 1)


def _laid_out(
    rows: NDArray[np.intp], first: Floats, lengths: NDArray[np.intp]
) -> tuple[NDArray[np.intp], Floats, NDArray[np.intp]]:
    """Row and number of every term, and where each row's terms begin."""
    sizes = lengths[rows]
    starts = np.cumsum(sizes) - sizes
    number = np.arange(sizes.sum()) - np.repeat(starts, sizes) + np.repeat(first[rows], sizes)
    return np.repeat(rows, sizes), number, starts


class OpportunityObjective:
    """The log-likelihood of histories at opportunities, with its derivatives, over the distinct ones."""

    def __init__(self, model: type[OpportunityModel], data: histories.Histories) -> None:
        check(data.frequency, data.recency, data.T)
        found, which = renewals.distinct(data.frequency, data.recency, data.T)
        counts = np.bincount(which, weights=data.counts).astype(float)
        self._model = model
        self._x, self._t_x, self._n = found[:, counts > 0]
        self._counts = counts[counts > 0]

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in the parameters of ``to_odds``."""
        tables = Tables.of(self._model, theta, int(self._n.max()) + 1)
        value, gradient, hessian = 0.0, np.zeros(theta.size), np.zeros((theta.size, theta.size))
        # The last of a row's terms is that of a customer who is still alive.
        lengths = (self._n - self._t_x).astype(np.intp) + 1
        for rows in _blocks(lengths):
            row, number, starts = _laid_out(rows, self._t_x, lengths)
            terms = self._terms(tables, row, number)
            sizes, counts = lengths[rows], self._counts[rows]
            top = np.maximum.reduceat(terms.value, starts)
            weight = np.exp(terms.value - np.repeat(top, sizes))
            total = np.add.reduceat(weight, starts)
            share = weight / np.repeat(total, sizes)
            slopes = np.add.reduceat(share * terms.slopes, starts, axis=1)
            counted = share * np.repeat(counts, sizes)
            value += float(counts @ (top + np.log(total)))
            gradient += slopes @ counts
            hessian += terms.curvatures @ counted + (terms.slopes * counted) @ terms.slopes.T
            hessian -= (slopes * counts) @ slopes.T
        return value, gradient, hessian

    def _terms(self, tables: Tables, row: NDArray[np.intp], number: Floats) -> Terms:
        """Log-likelihood of a row's history if the customer was alive for the last time at this opportunity."""
        split, size = self._model.buying_parameters, len(self._model.parameters)
        x, last, alive = self._x[row].astype(np.intp), number.astype(np.intp), number == self._n[row]
        slopes, curvatures = np.zeros((size, row.size)), np.zeros((size, size, row.size))
        value = tables.buys(x, last - x)
        for table, place in ((tables.bought, x), (tables.passed, last - x), (tables.either, last)):
            slopes[:split] += table.slopes[:, place]
            curvatures[:split, :split] += table.curvatures[:, :, place]
        value = value + np.where(alive, tables.stayed.value[last], tables.left.value[last])
        slopes[split:] = np.where(alive, tables.stayed.slopes[:, last], tables.left.slopes[:, last])
        curvatures[split:, split:] = np.where(
            alive, tables.stayed.curvatures[:, :, last], tables.left.curvatures[:, :, last]
        )
        return Terms(value, slopes, curvatures)


# ---------------------------------------------------------------- how customers buy


class BetaBuying(OpportunityModel):
    """Probabilities of buying that differ: p ~ Beta(alpha, beta)."""

    buying_parameters = 2
    buying_words = "probability of buying at an opportunity ~ Beta(alpha, beta)"
    alpha: float
    beta: float

    @staticmethod
    def buying_terms(odds: Floats, size: int) -> tuple[Terms, Terms, Terms]:
        """Rising factorials of alpha, beta and alpha + beta, in logs."""
        alpha, beta = map(float, odds)
        return (
            _rising(alpha, size, np.array([1.0, 0.0])),
            _rising(beta, size, np.array([0.0, 1.0])),
            _rising(alpha + beta, size, np.array([1.0, 1.0]), sign=-1.0),
        )

    def _mean_chance(self, x: Floats, n: Floats) -> Floats:
        return (self.alpha + x) / (self.alpha + self.beta + n)

    def _draw_chances(
        self, generator: np.random.Generator, size: int, x: Floats | float = 0.0, n: Floats | float = 0.0
    ) -> Floats:
        return generator.beta(self.alpha + x, self.beta + n - x, size=size)


def _rising(start: float, size: int, of: Floats, sign: float = 1.0) -> Terms:
    """Log of ``start (start + 1) … (start + j - 1)`` for j = 0, …, size - 1; ``of`` are the parameters in start."""
    factors = start + np.arange(float(size - 1))
    value, slope, curve = (
        np.concatenate([[0.0], np.cumsum(part)]) for part in (np.log(factors), 1 / factors, -1 / factors**2)
    )
    return Terms(
        sign * value, sign * of[:, None] * slope[None], sign * np.outer(of, of)[:, :, None] * curve[None, None]
    )


class OneBuying(OpportunityModel):
    """One probability of buying for all: the limit of beta probabilities that hardly differ."""

    buying_parameters = 1
    buying_words = "probability p of buying at an opportunity"
    p: float

    @staticmethod
    def buying_terms(odds: Floats, size: int) -> tuple[Terms, Terms, Terms]:
        """Powers of p and 1 - p, in logs, with derivatives in the odds of p."""
        o, numbers = float(odds[0]), np.arange(float(size))
        nothing = Terms.without(np.zeros(size), 1)
        bought = Terms(numbers * np.log(o), (numbers / o)[None], (-numbers / o**2)[None, None])
        either = Terms(-numbers * np.log1p(o), (-numbers / (1 + o))[None], (numbers / (1 + o) ** 2)[None, None])
        return bought, nothing, either

    def _mean_chance(self, x: Floats, n: Floats) -> Floats:
        return np.full(x.shape, self.p)

    def _draw_chances(
        self, generator: np.random.Generator, size: int, x: Floats | float = 0.0, n: Floats | float = 0.0
    ) -> Floats:
        return np.full(size, self.p)


class TwoKindsBuying(OpportunityModel):
    """A share of customers buys at every opportunity, the others at none: beta probabilities as both shapes go to 0."""

    buying_parameters = 1
    buying_words = "a share `buyers` buys at every opportunity, the others at none"
    skips = False
    impossible = _NO_PAUSE
    buyers: float

    @staticmethod
    def buying_terms(odds: Floats, size: int) -> tuple[Terms, Terms, Terms]:
        """The share and the rest of 1, in logs, once an opportunity tells them apart."""
        bought, passed, either = OneBuying.buying_terms(odds, 2)
        once = np.minimum(np.arange(size), 1)
        return _at(bought, once), _at(passed, once), _at(either, once)

    def _mean_chance(self, x: Floats, n: Floats) -> Floats:
        return np.where(n > 0, x > 0, self.buyers)

    def _draw_chances(
        self, generator: np.random.Generator, size: int, x: Floats | float = 0.0, n: Floats | float = 0.0
    ) -> Floats:
        answer: Floats = np.where(np.asarray(n) > 0, np.asarray(x) > 0, generator.random(size) < self.buyers) * 1.0
        return answer


class CertainBuying(OpportunityModel):
    """Customers buy at every opportunity for as long as they live: beta probabilities that go to 1."""

    buying_parameters = 0
    buying_words = "a purchase at every opportunity"
    skips = False
    impossible = _NO_PAUSE

    @staticmethod
    def buying_terms(odds: Floats, size: int) -> tuple[Terms, Terms, Terms]:
        """Log of 1 for purchases, and of 0 for opportunities let pass."""
        certain, impossible = np.zeros(size), np.where(np.arange(size) > 0, -np.inf, 0.0)
        return Terms.without(certain, 0), Terms.without(impossible, 0), Terms.without(certain, 0)

    def _mean_chance(self, x: Floats, n: Floats) -> Floats:
        return np.ones(x.shape)

    def _draw_chances(
        self, generator: np.random.Generator, size: int, x: Floats | float = 0.0, n: Floats | float = 0.0
    ) -> Floats:
        return np.ones(size)


def _at(terms: Terms, places: NDArray[np.intp]) -> Terms:
    return Terms(terms.value[places], terms.slopes[:, places], terms.curvatures[:, :, places])
