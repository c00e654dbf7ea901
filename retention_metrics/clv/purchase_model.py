"""Purchases of customers who may drop out unseen: what every such model answers, and the checks around it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from retention_metrics import _checks
from retention_metrics.clv import batch, curves, histories
from retention_metrics.clv.model import TimedModel
from retention_metrics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.fitting import Fit, Spread
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.regression import Covariates, Regression

Floats = NDArray[np.float64]
Rng = np.random.Generator | int | None
MOST = 1e15
"""Expected purchases beyond which nobody counts them."""
_CERTAIN = 1e300  # log-odds that stand for certainty and whose differences are numbers


class PurchaseModel(TimedModel):
    """A model of repeat purchases by customers who drop out unseen.

    A model writes the methods under "what a model is"; arrays reach them checked and of one shape.
    """

    notes: ClassVar[tuple[str, ...]] = ()
    roles: ClassVar[Mapping[str, str | None]] = MappingProxyType(
        {"frequency": "frequency", "recency": "recency", "T": "T"}
    )
    limit_of: ClassVar[str] = ""
    """In words, what is true of this model as the limit of a larger one."""
    impossible: ClassVar[str] = ""
    """Why the model gives the data no probability, where ``_possible`` says so."""

    # ---------------------------------------------------------- what a model is

    @abstractmethod
    def _log_likelihood(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """Log-likelihood of each history."""

    @abstractmethod
    def _log_odds_gone(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """Log-odds of having dropped out by T; infinite where that is certain one way or the other."""

    @abstractmethod
    def _log_stays(self, x: Floats, t_x: Floats, age: Floats, later: Floats) -> Floats:
        """Log-probability of being alive at T + later, given alive at T."""

    @abstractmethod
    def _expected(self, x: Floats, t_x: Floats, age: Floats, horizon: Floats) -> Floats:
        """Expected purchases in (T, T + horizon], given alive at T."""

    @abstractmethod
    def _ever(self, x: Floats, t_x: Floats, age: Floats) -> Floats | None:
        """Expected purchases over an endless horizon, given alive at T; None where they are infinite."""

    @abstractmethod
    def _mass(self, x: Floats, t_x: Floats, age: Floats, n: Floats, horizon: Floats) -> Floats:
        """Probability of n purchases in (T, T + horizon], given alive at T."""

    @abstractmethod
    def _draw(self, generator: np.random.Generator, age: Floats) -> dict[str, NDArray[Any]]:
        """Histories of new customers: ``frequency``, ``recency``, ``T``, and what is never observed."""

    @abstractmethod
    def _draw_ahead(
        self, generator: np.random.Generator, x: Floats, t_x: Floats, age: Floats, horizon: float
    ) -> Floats:
        """Purchases in (T, T + horizon], drawn for each of some customers who are alive at T: 1-D arrays."""

    @classmethod
    @abstractmethod
    def _start(cls, rate: float) -> Floats:
        """Where to climb from, in the parameters of ``to_odds``, given the purchases per unit of time."""

    @classmethod
    def _other_starts(cls, rate: float) -> tuple[Floats, ...]:
        """Where else to climb from: the likelihood of a few histories may have two maxima."""
        return ()

    @classmethod
    @abstractmethod
    def _runs_away(cls, odds: Floats) -> bool:
        """Whether the climb has left the region in which the model differs from a simpler one."""

    @classmethod
    def _limits(cls) -> tuple[type[PurchaseModel], ...]:
        """Simpler models that the likelihood may rise towards, from the fewest parameters to the most."""
        return ()

    @classmethod
    def _settled(cls, data: histories.Histories, *, threads: int | None) -> type[Self]:
        """The class with everything that the likelihood chooses and does not estimate at its likeliest."""
        return cls

    @classmethod
    def _possible(cls, data: histories.Histories) -> bool:
        """Whether the model gives the data a probability above zero."""
        return True

    @abstractmethod
    def _pace(self, x: Floats, age: Floats) -> Floats:
        """A length of time in which the expected purchases of a customer depart from a straight line."""

    def _discounted(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        """The expected purchases with one at T + t counted exp(-force t), for a positive force and any horizon.

        By parts a sum of positive terms, ``exp(-force H) E(H) + force * integral of exp(-force t) E(t) dt``, the
        integral by Gauss-Legendre panels in log(1 + t / pace).
        """
        reach = min(horizon, 45 / force)  # exp(-45) is below the last bit
        pace = self._pace(x, age)
        width = np.log1p(reach / pace)
        total = np.exp(-force * reach) * self._expected(x, t_x, age, np.full(x.shape, reach))
        for fraction, weight in zip(*curves.panels(float(width.max(initial=0.0))), strict=True):
            variable = width * fraction
            time = np.expm1(variable) * pace
            bought = self._expected(x, t_x, age, time)
            total = total + force * weight * width * pace * np.exp(variable - force * time) * bought
        return np.asarray(total)

    def _in_steps(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float) -> Floats:
        """Expected purchases with those of each unit of time discounted to the unit's end, given alive at T."""
        total, before = np.zeros(x.shape), np.zeros(x.shape)
        for end in np.append(np.arange(1.0, horizon), horizon):
            bought = self._expected(x, t_x, age, np.full(x.shape, end))
            total, before = total + np.exp(-force * np.ceil(end)) * (bought - before), bought
        return total

    # ---------------------------------------------------------- a customer with a history

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Log-likelihood of each history, with the constants of the paper.

        Parameters
        ----------
        frequency : array_like of int
            Repeat purchases, at least 0. The three arguments broadcast.
        recency : array_like of float
            Time from the first purchase to the last, in the model's unit; 0 where frequency is 0.
        T : array_like of float
            Time from the first purchase to the end of observation, in the model's unit.

        Returns
        -------
        ndarray of float
            One value per history; a scalar for scalars.

        Raises
        ------
        InputError
            If a history cannot have happened.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> round(float(model.log_likelihood(2, 30.43, 38.86)), 4)
        -9.4586
        """
        x, t_x, age = self._histories(frequency, recency, T)

        answer = self._log_likelihood(x, t_x, age)

        return answer[()]

    def probability_alive(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, after: ArrayLike = 0.0
    ) -> Floats:
        """Probability that a customer has not dropped out.

        Parameters
        ----------
        frequency : array_like of int
            Repeat purchases, at least 0. All arguments broadcast.
        recency : array_like of float
            Time from the first purchase to the last, in the model's unit.
        T : array_like of float
            Time from the first purchase to the end of observation, in the model's unit.
        after : array_like of float, default 0
            Time past T at which the customer is still alive, in the model's unit.

        Returns
        -------
        ndarray of float
            From 0 to 1; a scalar for scalars. Where dropout happens at repeat purchases alone, it is 1 for a customer
            without one (and ``after=0``).

        Raises
        ------
        InputError
            If a history cannot have happened or ``after`` is negative.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> round(float(model.probability_alive(26, 30.86, 31)), 4)
        0.9689
        >>> model.probability_alive(2, 30.43, 38.86, after=[0, 26, 52]).round(3)
        array([0.727, 0.609, 0.532])
        """
        later = _checks.floats(after, name="after", low=0.0)
        x, t_x, age, later = self._histories(frequency, recency, T, after=later)

        answer = self._alive(x, t_x, age)
        if later.any():
            answer = answer * np.exp(np.minimum(self._log_stays(x, t_x, age, later), 0.0))

        return answer[()]

    def expected_purchases(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, horizon: ArrayLike
    ) -> Floats:
        """Expected purchases in the time ahead of a customer with this history.

        Parameters
        ----------
        frequency : array_like of int
            Repeat purchases, at least 0. All arguments broadcast.
        recency : array_like of float
            Time from the first purchase to the last, in the model's unit.
        T : array_like of float
            Time from the first purchase to the end of observation, in the model's unit.
        horizon : array_like of float
            Time ahead of T, in the model's unit, at least 0.

        Returns
        -------
        ndarray of float
            Expected purchases in (T, T + horizon]; a scalar for scalars.

        Raises
        ------
        InputError
            If a history cannot have happened or the horizon is negative.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> round(float(model.expected_purchases(2, 30.43, 38.86, horizon=39)), 4)
        1.226
        """
        ahead = _checks.floats(horizon, name="horizon", low=0.0)
        x, t_x, age, ahead = self._histories(frequency, recency, T, horizon=ahead)

        answer = self._alive(x, t_x, age) * self._expected(x, t_x, age, ahead)

        return answer[()]

    def probability_of_purchases(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, *, n: ArrayLike, horizon: ArrayLike
    ) -> Floats:
        """Probability of exactly n purchases in the time ahead of a customer with this history.

        Parameters
        ----------
        frequency : array_like of int
            Repeat purchases, at least 0. All arguments broadcast.
        recency : array_like of float
            Time from the first purchase to the last, in the model's unit.
        T : array_like of float
            Time from the first purchase to the end of observation, in the model's unit.
        n : array_like of int
            Number of purchases, at least 0.
        horizon : array_like of float
            Time ahead of T, in the model's unit, at least 0.

        Returns
        -------
        ndarray of float
            From 0 to 1, to full relative accuracy in the far tail; a scalar for scalars.

        Raises
        ------
        InputError
            If a history cannot have happened, n is not whole or the horizon is negative.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> model.probability_of_purchases(2, 30.43, 38.86, n=[0, 1, 2], horizon=39).round(4)
        array([0.4454, 0.2393, 0.1442])
        """
        number, ahead = _checks.whole(n, name="n"), _checks.floats(horizon, name="horizon", low=0.0)
        x, t_x, age, number, ahead = self._histories(frequency, recency, T, n=number, horizon=ahead)

        odds = self._log_odds(x, t_x, age)
        mass = self._mass(x, t_x, age, number, ahead)
        answer: Floats = special.expit(-odds) * mass + special.expit(odds) * (number == 0)

        return answer[()]

    def discounted_expected_purchases(
        self,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        *,
        discount_rate: float | None = None,
        force: float | None = None,
        horizon: float | None = None,
    ) -> Floats:
        """Expected purchases in the time ahead, each discounted to T.

        Parameters
        ----------
        frequency : array_like of int
            Repeat purchases, at least 0. The three histories' arguments broadcast.
        recency : array_like of float
            Time from the first purchase to the last, in the model's unit.
        T : array_like of float
            Time from the first purchase to the end of observation, in the model's unit.
        discount_rate : float, optional
            Effective rate per unit of time: a purchase at T + t counts ``(1 + discount_rate)**-t``.
        force : float, optional
            Continuous rate: a purchase at T + t counts ``exp(-force * t)``. Give one of the two.
        horizon : float, optional
            Time ahead of T, in the model's unit; endless by default.

        Returns
        -------
        ndarray of float
            Discounted expected purchases; a scalar for scalars.

        Raises
        ------
        InputError
            If a history cannot have happened, both or neither rate is given, a rate is negative, or the sum
            diverges.

        Notes
        -----
        The integral of ``exp(-force * t)`` over the expected purchases, the "discounted expected residual
        transactions" when the horizon is endless.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> round(float(model.discounted_expected_purchases(2, 30.43, 38.86, force=0.0027)), 4)
        5.1564
        """
        rate = discount_force(discount_rate, force)
        reach = np.inf if horizon is None else _checks.non_negative(horizon, name="horizon")
        x, t_x, age = self._histories(frequency, recency, T)

        answer = self._alive(x, t_x, age) * self._ahead(x, t_x, age, reach, rate, "continuous")

        return answer[()]

    # ---------------------------------------------------------- a customer not yet seen

    def expected_purchases_new(self, *, horizon: ArrayLike) -> Floats:
        """Expected repeat purchases of a new customer in the time after the first purchase.

        Parameters
        ----------
        horizon : array_like of float
            Time after the first purchase, in the model's unit, at least 0.

        Returns
        -------
        ndarray of float
            Expected repeat purchases; a scalar for a scalar.

        Raises
        ------
        InputError
            If the horizon is negative.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> model.expected_purchases_new(horizon=[0, 1, 32, 78]).round(3)
        array([0.   , 0.053, 1.045, 1.861])
        """
        return self.expected_purchases(0, 0.0, 0.0, horizon=horizon)

    def probability_of_purchases_new(self, *, n: ArrayLike, horizon: ArrayLike) -> Floats:
        """Probability that a new customer makes exactly n repeat purchases.

        Parameters
        ----------
        n : array_like of int
            Number of repeat purchases, at least 0. Both arguments broadcast.
        horizon : array_like of float
            Time after the first purchase, in the model's unit, at least 0.

        Returns
        -------
        ndarray of float
            From 0 to 1, to full relative accuracy in the far tail; a scalar for scalars.

        Raises
        ------
        InputError
            If n is not a whole number or the horizon is negative.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> model.probability_of_purchases_new(n=[0, 1, 2], horizon=39).round(4)
        array([0.5738, 0.1994, 0.0854])
        """
        return self.probability_of_purchases(0, 0.0, 0.0, n=n, horizon=horizon)

    def simulate(self, T: ArrayLike, *, rng: Rng = None) -> pd.DataFrame:
        """Draw histories of new customers.

        Parameters
        ----------
        T : array_like of float, shape (n_customers,)
            Time under observation of each customer, in the model's unit.
        rng : numpy.random.Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        pandas.DataFrame
            A row per customer: ``frequency, recency, T``, and what is never observed: ``purchase_rate``, what decides
            when the customer drops out, and whether the customer is ``alive`` at T.

        Raises
        ------
        InputError
            If T is negative or not finite.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> drawn = model.simulate([39.0] * 1000, rng=2005)
        >>> bool((drawn["recency"] <= drawn["T"]).all())
        True
        """
        import pandas as pd

        age = _checks.floats(np.atleast_1d(np.asarray(T)), name="T", low=0.0)
        generator = np.random.default_rng(rng)

        return pd.DataFrame(self._draw(generator, age))

    def simulate_transactions(self, T: ArrayLike, *, rng: Rng = None) -> pd.DataFrame:
        """Draw the purchases of new customers.

        Parameters
        ----------
        T : array_like of float, shape (n_customers,)
            Time under observation of each customer, in the model's unit.
        rng : numpy.random.Generator or int, optional
            Source of randomness, or its seed.

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
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> model.simulate_transactions([39.0, 39.0], rng=1)["customer"].unique().tolist()
        [0, 1]
        """
        import pandas as pd

        generator = np.random.default_rng(rng)
        drawn = self.simulate(T, rng=generator)
        frequency = drawn["frequency"].to_numpy()
        customers = np.arange(frequency.size)

        between = np.repeat(customers, np.maximum(frequency - 1, 0))
        times = generator.uniform(size=between.size) * drawn["recency"].to_numpy()[between]
        repeat = customers[frequency > 0]
        customer = np.concatenate([customers, between, repeat])
        time = np.concatenate([np.zeros(customers.size), times, drawn["recency"].to_numpy()[repeat]])
        order = np.lexsort((time, customer))

        return pd.DataFrame({"customer": customer[order], "time": time[order]})

    # ---------------------------------------------------------- many customers

    @overload
    @classmethod
    def fit(
        cls,
        history: PurchaseHistory | object,
        *,
        frequency: str = ...,
        recency: str = ...,
        T: str = ...,
        counts: str | None = ...,
        penalty: float = ...,
        threads: int | None = ...,
    ) -> Fit[Self]: ...

    @overload
    @classmethod
    def fit(
        cls,
        history: PurchaseHistory | object,
        *,
        frequency: str = ...,
        recency: str = ...,
        T: str = ...,
        counts: str | None = ...,
        penalty: float = ...,
        purchase_covariates: Sequence[str] = ...,
        dropout_covariates: Sequence[str] = ...,
        equal_coefficients: Sequence[str] = ...,
        threads: int | None = ...,
    ) -> Fit[Regression[Self]]: ...

    @classmethod
    def fit(
        cls,
        history: PurchaseHistory | object,
        *,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
        counts: str | None = None,
        penalty: float = 0.0,
        purchase_covariates: Sequence[str] = (),
        dropout_covariates: Sequence[str] = (),
        equal_coefficients: Sequence[str] = (),
        threads: int | None = None,
    ) -> Fit[Self] | Fit[Regression[Self]]:
        """Fit by maximum likelihood.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            From ``rfm_summary`` or ``history``, or any frame with the columns named below.
        frequency, recency, T : str
            Columns of a plain frame.
        counts : str, optional
            Column with the number of customers that share a row; one each by default.
        penalty : float, default 0
            Weight of half the squared distance of the log-parameters from 0 (shapes) and from the log of the mean
            T (time scales), subtracted from the log-likelihood. At least 0. It pulls coefficients to 0.
        purchase_covariates, dropout_covariates : sequence of str, optional
            Columns, of numbers or of labels, that move the customer's purchase rate and dropout.
        equal_coefficients : sequence of str, optional
            Columns of both lists whose coefficients are held equal.
        threads : int, optional
            Threads to use from 100,000 rows on; the answer has the same bits for any number.

        Returns
        -------
        Fit
            The model, with its log-likelihood and the covariance of its parameters; with covariates a ``Regression``.

        Raises
        ------
        InputError
            If a history cannot have happened; the message names the column and the first row.
        FitError
            If the data identify no model, or the likelihood has no maximum; then ``error.limit`` is the fit of
            the limiting model where one is known.

        Notes
        -----
        Newton's method with a trust region on the log-parameters, with exact gradient and Hessian. It has
        converged when the parameters are within 1e-7 standard errors of the maximum, whatever the unit of time.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> drawn = model.simulate(np.linspace(27, 39, 2000), rng=2005)
        >>> fit = rm.clv.BGNBD.fit(drawn)
        >>> abs(fit.model.r - 0.243) < 3 * fit.standard_errors["r"]
        True
        """
        from retention_metrics.clv import frames, purchase_fit, regression

        weight = _checks.non_negative(penalty, name="penalty")
        roles = {"frequency": frequency, "recency": recency, "T": T, "counts": counts}
        if purchase_covariates or dropout_covariates or equal_coefficients:
            return regression.fit(
                cls,
                history,
                roles=roles,
                purchase=purchase_covariates,
                dropout=dropout_covariates,
                equal=equal_coefficients,
                penalty=weight,
                threads=threads,
            )
        table = frames.adopt(history, roles)
        return purchase_fit.fit(cls, table, penalty=weight, threads=threads)

    def predict(
        self,
        history: PurchaseHistory | object,
        *,
        horizon: float,
        frequency: str = "frequency",
        recency: str = "recency",
        T: str = "T",
    ) -> CustomerTable:
        """Add what to expect of each customer to a table of histories.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            From ``rfm_summary`` or ``history``, or any frame with the columns named below.
        horizon : float
            Time ahead of each customer's T, in the model's unit.
        frequency, recency, T : str
            Columns of a plain frame.

        Returns
        -------
        CustomerTable
            The history's columns with ``probability_alive`` and ``expected_purchases``, in the caller's kind of
            frame.

        Raises
        ------
        InputError
            If a history cannot have happened, or counts time in another unit than the model.

        Examples
        --------
        >>> import pandas as pd
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> history = pd.DataFrame({"frequency": [2, 0], "recency": [30.43, 0.0], "T": [38.86, 38.86]})
        >>> model.predict(history, horizon=39).to_frame()["expected_purchases"].round(3).tolist()
        [1.226, 0.195]
        """
        columns = {"frequency": frequency, "recency": recency, "T": T}
        return self._predict(history, horizon=horizon, columns=columns, spread=None)

    def _predict(
        self,
        history: PurchaseHistory | object,
        *,
        horizon: float | None,
        columns: Mapping[str, str],
        spread: Spread[Any] | None,
    ) -> CustomerTable:
        from retention_metrics.clv import frames

        ahead = _checks.non_negative(horizon, name="horizon")
        table = frames.adopt(history, {"frequency": "frequency", "recency": "recency", "T": "T", **columns})
        self.check_unit(table.unit)

        def answers(x: Floats, t_x: Floats, age: Floats) -> dict[str, Floats]:
            return self._answers(x, t_x, age, ahead, spread, lambda model: model)

        return table.with_answers(answers, definition=f"{self.kind}/predict", notes=self.notes)

    def _predict_by(self, table: HistoryTable, covariates: Covariates[Self], *, horizon: float | None) -> CustomerTable:
        ahead = _checks.non_negative(horizon, name="horizon")
        self.check_unit(table.unit)

        def answers(x: Floats, t_x: Floats, age: Floats, cells: Mapping[str, Any]) -> dict[str, Floats]:
            of = covariates.of(cells)
            return of(covariates.regression)._answers(x, t_x, age, ahead, covariates.spread, of)

        return table.with_answers_by(answers, definition=f"{self.kind}/regression/predict", notes=self.notes)

    def _answers(
        self, x: Floats, t_x: Floats, age: Floats, ahead: float, spread: Spread[Any] | None, of: Callable[[Any], Self]
    ) -> dict[str, Floats]:
        """Answers of each row, with intervals where there is a spread of models that ``of`` makes of its own."""
        alive = self._alive(x, t_x, age)
        expected = alive * self._ahead(x, t_x, age, ahead, 0.0, "continuous")
        if spread is None:
            return {"probability_alive": alive, "expected_purchases": expected}
        odds = self._log_odds(x, t_x, age)
        low, high = spread.around_logit(-odds, spread.variance(lambda model: of(model)._log_odds(x, t_x, age)))
        variance = spread.variance(lambda model: of(model)._log_expected(x, t_x, age, ahead, 0.0, "continuous"))
        expected_low, expected_high = spread.around_log(expected, variance)
        return {
            "probability_alive": alive,
            "probability_alive_low": low,
            "probability_alive_high": high,
            "expected_purchases": expected,
            "expected_purchases_low": expected_low,
            "expected_purchases_high": expected_high,
        }

    @classmethod
    def _read(cls, history: PurchaseHistory | object, columns: Mapping[str, str | None]) -> histories.Histories:
        from retention_metrics.clv import frames

        names = {"frequency": "frequency", "recency": "recency", "T": "T", "counts": None, **columns}
        return frames.adopt(history, names).histories()

    @classmethod
    def _with_cells(cls, table: HistoryTable) -> tuple[Any, Mapping[str, Any], Mapping[str, int]]:
        return *table.histories_by(), {}

    @classmethod
    def _fit_rows(
        cls, data: histories.Histories, *, unit: str | None, penalty: float, threads: int | None
    ) -> Fit[Self]:
        from retention_metrics.clv import purchase_fit

        return purchase_fit.fit_histories(cls, data, purchase_fit.Origin(unit), penalty=penalty, threads=threads)

    def _contributions(self, data: histories.Histories) -> Floats:
        return self._log_likelihood(data.frequency, data.recency, data.T)

    def _log_likelihoods(self, data: histories.Histories, odds: Floats, *, threads: int | None) -> Floats:
        columns, counts = histories.distinct([data.frequency, data.recency, data.T], data.counts)

        def rows(many: Self, size: int) -> Floats:
            x, t_x, age = (np.broadcast_to(column, (size, counts.size)) for column in columns)
            return many._log_likelihood(x, t_x, age)

        return batch.broadcast(self, odds, counts, rows, threads=threads)

    # ---------------------------------------------------------- shared arithmetic

    def _histories(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, **others: Floats
    ) -> tuple[Floats, ...]:
        """Checked histories and what goes with them in one shape, that of the parameters too where these vary."""
        history = histories.check(frequency, recency, T)
        own = {name: np.asarray(getattr(self, name)) for name in self.parameters} if self.varies else {}
        try:
            found = np.broadcast_arrays(*history, *others.values(), *own.values())
        except ValueError:
            given = others | own
            shapes = ", ".join(f"{name} {array.shape}" for name, array in given.items())
            raise InputError(
                f"{' and '.join(given)} broadcast with frequency, recency and T {history[0].shape}; got {shapes}.",
                argument=next(iter(given)),
            ) from None
        return tuple(found[: 3 + len(others)])

    def _log_odds(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        """Log-odds of having dropped out, certainty as a finite number so that differences are numbers too."""
        odds: Floats = np.clip(self._log_odds_gone(x, t_x, age), -_CERTAIN, _CERTAIN)
        return odds

    def _alive(self, x: Floats, t_x: Floats, age: Floats) -> Floats:
        answer: Floats = special.expit(-self._log_odds(x, t_x, age))
        return answer

    def _ahead(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float, timing: str) -> Floats:
        """Discounted expected purchases, given alive."""
        if horizon == 0:
            return np.zeros(x.shape)
        if timing == "end_of_period" and force > 0:
            return self._in_steps(x, t_x, age, horizon, force)
        if force > 0:
            return self._discounted(x, t_x, age, horizon, force)
        if np.isfinite(horizon):
            return self._expected(x, t_x, age, np.full(x.shape, horizon))
        ever = self._ever(x, t_x, age)
        if ever is None:
            raise InputError(
                "expected purchases without horizon and discount are infinite in this model.",
                argument="horizon",
                fix="Give horizon= or a positive discount_rate=.",
            )
        return ever

    def _log_expected(self, x: Floats, t_x: Floats, age: Floats, horizon: float, force: float, timing: str) -> Floats:
        """Log of the discounted expected purchases; where there are none, 0, for it moves with no parameter."""
        given_alive = self._ahead(x, t_x, age, horizon, force, timing)
        odds = self._log_odds(x, t_x, age)
        answer: Floats = np.log(np.where(given_alive > 0, given_alive, 1.0)) - np.logaddexp(0, odds)
        return answer


def discount_force(discount_rate: float | None, force: float | None) -> float:
    """The continuous rate, from either way to say it."""
    if (discount_rate is None) == (force is None):
        raise InputError("discount_rate= or force= is given, one of the two.", argument="discount_rate")
    if force is not None:
        return _checks.non_negative(force, name="force")
    return float(np.log1p(_checks.non_negative(discount_rate, name="discount_rate")))
