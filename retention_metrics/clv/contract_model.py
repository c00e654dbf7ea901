"""Customers under contract who renew or leave: what every such model answers, and the checks around it."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics.clv import batch, renewal_sums, renewals
from retention_metrics.clv.model import Model
from retention_metrics.clv.parts import Terms
from retention_metrics.clv.renewals import Renewals
from retention_metrics.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from retention_metrics._engine.adopt import NativeFrame
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.fitting import Fit, Spread
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.newton import Objective
    from retention_metrics.clv.regression import Covariates, Regression

Floats = NDArray[np.float64]
_LEAST = 1e-300  # terms ahead of somebody who is certain to leave, whose logarithm has to be a number
_ENDLESS = 2.0**53  # renewals: the last whole number that a float counts to


class ContractModel(Model):
    """A model of customers who decide at each renewal whether to stay.

    A model writes the methods under "what a model is". Time counts renewals: a customer whose ``duration`` is 3 and
    who churned passed two renewals and left at the third.
    """

    step: ClassVar[str] = "term"
    """What one step of ``survival`` is: a model of renewals is a churn assumption by the term."""
    roles: ClassVar[Mapping[str, str | None]] = MappingProxyType({"tenure": "tenure"})
    """Columns that ``predict`` reads, by role."""
    limit_of: ClassVar[str] = ""
    """In words, what is true of this model as the limit of a larger one."""
    ages: ClassVar[bool] = False
    """Whether a customer's own churn may change with tenure."""

    # ---------------------------------------------------------- what a model is

    @abstractmethod
    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        """Log-probability of passing ``ahead`` further renewals after ``tenure``; real numbers, not only whole."""

    @abstractmethod
    def _fall(self) -> tuple[Floats, Floats]:
        """The power of time by which survival falls in the end, and the tenure from which it does to the last bit."""

    @abstractmethod
    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        """Probability of leaving at the first renewal, of each of ``size`` customers."""

    def _clock(self, renewals: Floats) -> Floats:
        """A customer's survival is that of the first renewal to this power."""
        return renewals

    def _unclock(self, clock: Floats) -> Floats:
        """The time at which ``_clock`` shows this."""
        return clock

    def _draw_departures(self, generator: np.random.Generator, chance: Floats) -> Floats:
        """The renewals at which customers leave who have these chances of doing so at the first."""
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            waited = generator.exponential(size=chance.size) / -np.log1p(-chance)
            return np.maximum(np.ceil(self._unclock(waited)), 1.0)

    @staticmethod
    @abstractmethod
    def survival_terms(odds: Floats, renewals: Floats) -> Terms:
        """Log of the survival, with its derivatives in the parameters of ``to_odds``."""

    @classmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats) -> Terms:
        """Log of the hazard, with its derivatives in the parameters of ``to_odds``."""
        model = cls(**dict(zip(cls.parameters, map(float, cls.from_odds(odds)), strict=True)))
        kept = model._log_kept(renewals - 1, np.ones(renewals.size))
        now, before = cls.survival_terms(odds, renewals), cls.survival_terms(odds, renewals - 1)
        slopes, curvatures = now.slopes - before.slopes, now.curvatures - before.curvatures
        weight = -np.exp(kept) / np.expm1(kept)
        bend = weight * (1 + weight) * slopes[:, None] * slopes[None]
        return Terms(np.log(-np.expm1(kept)), -weight * slopes, -weight * curvatures - bend)

    @classmethod
    def _start(cls, churn: float) -> Floats:
        """Where to climb from, in the parameters of ``to_odds``, given the churn at the first renewal."""
        known = {"alpha": 2 * churn, "beta": 2 * (1 - churn), "c": 1.0}
        known |= {"p": churn / (1 - churn), "share": churn / (1 - churn), "kappa": 1.0}
        return np.array([known[name] for name in cls.parameters])

    @classmethod
    def _runs_away(cls, odds: Floats) -> bool:
        """Whether the climb has left the region in which the model differs from a simpler one."""
        at = dict(zip(cls.parameters, odds, strict=True))
        lost = not 1e-3 < at.get("c", 1.0) < 1e3 or not 1e-6 < at.get("kappa", 1.0) < 1e6
        lost = lost or any(not 1e-9 < at[name] < 1e9 for name in cls.shares)
        if "alpha" in at:
            total = at["alpha"] + at["beta"]
            lost = lost or not 1e-6 < total < 1e6 or min(at["alpha"], at["beta"]) < 1e-9 * total
        return bool(lost)

    @classmethod
    def _limits(cls) -> tuple[type[ContractModel], ...]:
        """Simpler models that the likelihood may rise towards, from the fewest parameters to the most."""
        return ()

    @classmethod
    def _possible(cls, data: Renewals) -> bool:
        """Whether the model gives the data a probability above zero."""
        return True

    @classmethod
    def _held(cls, data: Renewals) -> Mapping[str, int]:
        """Numbers of the model, beside its parameters, that the data fix."""
        return {}

    def _attained(self) -> bool:
        """Whether the larger model comes arbitrarily near this one."""
        return True

    # ---------------------------------------------------------- the curve

    def survival(self, t: ArrayLike) -> Floats:
        """Share of customers still there after some renewals.

        Parameters
        ----------
        t : array_like of int
            Renewals since the start, at least 0.

        Returns
        -------
        ndarray of float
            In [0, 1], 1 at ``t = 0``; a scalar for a scalar.

        Raises
        ------
        InputError
            If ``t`` is not whole or negative.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> model.survival([0, 1, 12]).round(4)
        array([1.    , 0.8507, 0.378 ])
        """
        renewals = _checks.whole(t, name="t")
        return np.exp(self._log_kept(np.zeros(renewals.shape), renewals))[()]

    def retention_rate(self, t: ArrayLike) -> Floats:
        """Share of the customers who reach a renewal that pass it.

        Parameters
        ----------
        t : array_like of int
            The renewal, at least 1.

        Returns
        -------
        ndarray of float
            ``survival(t) / survival(t - 1)``; a scalar for a scalar.

        Raises
        ------
        InputError
            If ``t`` is not whole or below 1.

        Examples
        --------
        Those who stay are the loyal ones: retention rises although nobody changes.

        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> model.retention_rate([1, 2, 12]).round(4)
        array([0.8507, 0.878 , 0.9568])
        """
        renewals = _checks.whole(t, name="t", low=1)
        return np.exp(self._log_kept(renewals - 1, np.ones(renewals.shape)))[()]

    def hazard(self, t: ArrayLike) -> Floats:
        """Share of the customers who reach a renewal that leave at it.

        Parameters
        ----------
        t : array_like of int
            The renewal, at least 1.

        Returns
        -------
        ndarray of float
            ``1 - retention_rate(t)``, to full relative accuracy; a scalar for a scalar.

        Raises
        ------
        InputError
            If ``t`` is not whole or below 1.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> model.hazard([1, 2, 12]).round(4)
        array([0.1493, 0.122 , 0.0432])
        """
        renewals = _checks.whole(t, name="t", low=1)
        return (-np.expm1(self._log_kept(renewals - 1, np.ones(renewals.shape))))[()]

    def churn_probability(self, t: ArrayLike) -> Floats:
        """Probability that a new customer leaves at exactly this renewal.

        Parameters
        ----------
        t : array_like of int
            The renewal, at least 1.

        Returns
        -------
        ndarray of float
            ``survival(t - 1) - survival(t)``, to full relative accuracy; a scalar for a scalar.

        Raises
        ------
        InputError
            If ``t`` is not whole or below 1.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> model.churn_probability([1, 2, 12]).round(4)
        array([0.1493, 0.1038, 0.0171])
        """
        renewals = _checks.whole(t, name="t", low=1)
        return np.exp(self._log_probability(renewals, np.ones(renewals.shape, dtype=bool)))[()]

    def log_likelihood(self, duration: ArrayLike, churned: ArrayLike) -> Floats:
        """Log-likelihood of each customer.

        Parameters
        ----------
        duration : array_like of int
            The renewal at which the customer left (at least 1), or the renewals passed by one who is still there.
        churned : array_like of bool
            Whether the customer left. Both arguments broadcast.

        Returns
        -------
        ndarray of float
            ``log(churn_probability)`` of those who left, ``log(survival)`` of the others; a scalar for scalars.

        Raises
        ------
        InputError
            If a duration is not whole, or 0 for a customer who left.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> model.log_likelihood([2, 7], [True, False]).round(4)
        array([-2.2652, -0.7155])
        """
        passed, left = renewals.check(duration, churned)
        return self._log_probability(passed, left)[()]

    def _log_probability(self, duration: Floats, churned: NDArray[np.bool_]) -> Floats:
        before = np.where(churned, duration - 1, duration)
        stayed = self._log_kept(np.zeros(before.shape), before)
        leaves = -np.expm1(self._log_kept(np.where(churned, before, 0.0), np.ones(before.shape)))
        with np.errstate(divide="ignore"):
            answer: Floats = stayed + np.where(churned, np.log(leaves), 0.0)
        return answer

    # ---------------------------------------------------------- what is to come

    def expected_lifetime(self, *, horizon: float | None = None) -> Floats:
        """Expected number of terms of a new customer, the first one included.

        Parameters
        ----------
        horizon : int, optional
            Terms that are counted at most, at least 0; without it all are.

        Returns
        -------
        ndarray of float
            ``sum of survival(t) over t = 0, ..., horizon - 1``, a scalar unless the parameters are arrays. Without a
            horizon it may be infinite: for the shifted beta-geometric it is when alpha is at most 1, however many
            leave, because a few customers stay for ever longer.

        Raises
        ------
        InputError
            If the horizon is not a whole number of at least 0.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> round(float(model.expected_lifetime(horizon=10)), 4), float(model.expected_lifetime())
        (6.3467, inf)
        """
        terms = _horizon(horizon)
        if terms == 0:
            return np.zeros(self._shape)[()]
        return (1 + self._ahead(np.zeros(()), terms - 1, 0.0))[()]

    def residual_lifetime(self, *, tenure: ArrayLike, horizon: float | None = None) -> Floats:
        """Expected number of further renewals of a customer who is still there.

        Parameters
        ----------
        tenure : array_like of int
            Renewals that the customer has passed, at least 0.
        horizon : int, optional
            Renewals ahead that are counted at most, at least 0; without it all are.

        Returns
        -------
        ndarray of float
            ``sum of survival(tenure + t) / survival(tenure) over t = 1, ..., horizon``; a scalar for a scalar.
            Infinite where ``expected_lifetime`` is.

        Raises
        ------
        InputError
            If a tenure or the horizon is not a whole number of at least 0.

        Examples
        --------
        The longer customers have been there, the longer they are going to stay:

        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> model.residual_lifetime(tenure=[0, 2, 8], horizon=5).round(3)
        array([3.439, 3.82 , 4.313])
        """
        passed, ahead = _checks.whole(tenure, name="tenure"), _horizon(horizon)
        return self._ahead(passed, ahead, 0.0)[()]

    def discounted_residual_value(
        self, *, tenure: ArrayLike, margin: ArrayLike, discount_rate: float, horizon: float | None = None
    ) -> Floats:
        """Present value of the renewals that a customer who is still there is going to pay.

        Parameters
        ----------
        tenure : array_like of int
            Renewals that the customer has passed, at least 0; the next one is due now.
        margin : array_like of float
            Margin of one term, in money, earned when the term begins.
        discount_rate : float
            Effective rate per term, at least 0.
        horizon : int, optional
            Renewals ahead that are counted at most, at least 0; without it all are.

        Returns
        -------
        ndarray of float
            ``margin * sum of survival(tenure + t) / survival(tenure) * (1 + discount_rate)**-(t - 1)`` over
            t = 1, 2, …, in money; a scalar for scalars.

        Raises
        ------
        InputError
            If a tenure or the horizon is not a whole number of at least 0, the rate is negative, or the sum
            diverges.

        Notes
        -----
        With ``margin = 1`` the discounted expected residual lifetime of Fader & Hardie (2010) [1]_ just before a
        renewal, for their customer who renewed ``tenure`` times. For the shifted beta-geometric it is
        ``r * 2F1(1, beta + tenure + 1; alpha + beta + tenure + 1; 1 / (1 + discount_rate))`` with r the retention
        rate of the renewal that is due.

        References
        ----------
        .. [1] Fader, P. S. & Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting: the perils
           of ignoring heterogeneity. *Marketing Science* 29(1), 85-93.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> model.discounted_residual_value(tenure=[0, 4], margin=100, discount_rate=0.1).round(1)
        array([541.5, 689.7])
        """
        passed, ahead = _checks.whole(tenure, name="tenure"), _horizon(horizon)
        gain = _checks.floats(margin, name="margin")
        rate = _checks.non_negative(discount_rate, name="discount_rate")

        terms = self._ahead(passed, ahead, float(np.log1p(rate)))
        if np.isinf(terms).any():
            raise InputError(
                f"the residual value is infinite: the expected lifetime of this {type(self).__name__} has no end and "
                "nothing is discounted.",
                argument="discount_rate",
                fix="Give horizon= or a positive discount_rate=.",
            )

        return (gain * terms)[()]

    @property
    def _shape(self) -> tuple[int, ...]:
        """The shape that the parameters have together."""
        return np.broadcast_shapes(*(np.shape(getattr(self, name)) for name in self.parameters))

    def _ahead(self, tenure: Floats, horizon: float, force: float) -> Floats:
        """Discounted expected renewals ahead; equal customers are computed once."""
        if not self.varies:
            levels, which = np.unique(tenure, return_inverse=True)
            return self._sums(levels, horizon, force)[which].reshape(tenure.shape)
        shape = np.broadcast_shapes(tenure.shape, self._shape)
        spread = {name: np.broadcast_to(getattr(self, name), shape).reshape(-1) for name in self.parameters}
        rows = dataclasses.replace(self, **spread)  # type: ignore[type-var]
        return rows._sums(np.broadcast_to(tenure, shape).reshape(-1), horizon, force).reshape(shape)

    def _sums(self, tenure: Floats, horizon: float, force: float) -> Floats:
        if horizon == 0:
            return np.zeros(tenure.size)
        power, settled = (np.broadcast_to(value, tenure.shape) for value in self._fall())

        def of_rows(rows: slice) -> renewal_sums.LogTerm:
            model = self._stood_up(rows)
            return lambda ahead: model._log_kept(tenure[rows, None], ahead)

        with np.errstate(under="ignore"):
            return renewal_sums.sum_ahead(of_rows, tenure, horizon, force, power, settled)

    def _stood_up(self, rows: slice) -> Self:
        """The model of these customers, its arrays stood up to meet times in a row."""
        if not self.varies:
            return self
        stood = {name: np.atleast_1d(getattr(self, name))[rows, None] for name in self.parameters}
        return dataclasses.replace(self, **stood)  # type: ignore[type-var]

    def simulate(
        self, size: int, *, horizon: ArrayLike | None = None, rng: np.random.Generator | int | None = None
    ) -> pd.DataFrame:
        """Draw customers and how long they stay.

        Parameters
        ----------
        size : int
            Number of customers, at least 1.
        horizon : array_like of int, optional
            Renewals that are observed, at least 0; one number, or one per customer where cohorts differ in age.
            Without it customers are watched until they leave (for at most 2**53 renewals).
        rng : numpy.random.Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        pandas.DataFrame
            A row per customer: ``duration``, ``churned``, and what is never observed, ``churn_probability``, that of
            leaving at the first renewal.

        Raises
        ------
        InputError
            If the size or the horizon is out of range.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> drawn = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806).simulate(1000, horizon=7, rng=2007)
        >>> int(drawn["duration"].max()), bool(drawn.loc[drawn["duration"] < 7, "churned"].all())
        (7, True)
        """
        import pandas as pd

        customers = _checks.count(size, name="size", low=1)
        seen = _checks.whole(_ENDLESS if horizon is None else horizon, name="horizon")
        _checks.refuse(seen > _ENDLESS, seen, name="horizon", rule="is at most 2**53")
        generator = np.random.default_rng(rng)

        chance = self._draw_chances(generator, customers)
        left_at = self._draw_departures(generator, chance)

        return pd.DataFrame(
            {
                "duration": np.minimum(left_at, seen).astype(np.int64),
                "churned": left_at <= seen,
                "churn_probability": chance,
            }
        )

    # ---------------------------------------------------------- many customers

    @overload
    @classmethod
    def fit(
        cls,
        customers: NativeFrame | ArrayLike,
        *,
        duration: str | None = ...,
        churned: str | ArrayLike,
        counts: str | ArrayLike | None = ...,
        penalty: float = ...,
    ) -> Fit[Self]: ...

    @overload
    @classmethod
    def fit(
        cls,
        customers: NativeFrame | ArrayLike,
        *,
        duration: str | None = ...,
        churned: str | ArrayLike,
        counts: str | ArrayLike | None = ...,
        dropout_covariates: Sequence[str] = ...,
        penalty: float = ...,
    ) -> Fit[Regression[Self]]: ...

    @classmethod
    def fit(
        cls,
        customers: NativeFrame | ArrayLike,
        *,
        duration: str | None = None,
        churned: str | ArrayLike,
        counts: str | ArrayLike | None = None,
        dropout_covariates: Sequence[str] = (),
        penalty: float = 0.0,
    ) -> Fit[Self] | Fit[Regression[Self]]:
        """Fit by maximum likelihood; cohorts of different ages are rows like any others.

        Parameters
        ----------
        customers : dataframe or array_like of int, shape (n_rows,)
            A frame with the columns named below, or the durations themselves.
        duration : str, optional
            Column of a frame: the renewal at which the customer left (at least 1), or the renewals passed by one
            who is still there.
        churned : str or array_like of bool
            Whether the customer left: a column of a frame, or an array beside an array.
        counts : str or array_like of int, optional
            Number of customers that share a row; one each by default.
        dropout_covariates : sequence of str, optional
            Columns of a frame, of numbers or of labels, that multiply the odds of leaving at the first renewal.
        penalty : float, default 0
            Weight of half the squared distance of the log-parameters from 0, subtracted from the log-likelihood. It
            pulls coefficients to 0.

        Returns
        -------
        Fit
            The model, with its log-likelihood and the covariance of its parameters; with covariates a ``Regression``.

        Raises
        ------
        InputError
            If a duration is missing, not whole, or 0 for a customer who left.
        FitError
            If the data identify no model, or the likelihood has no maximum; then ``error.limit`` is the fit of the
            limiting model where one is known.

        Notes
        -----
        Newton's method with a trust region on the log-parameters, with exact gradient and Hessian, over the distinct
        durations.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> drawn = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806).simulate(5000, horizon=7, rng=2007)
        >>> fit = rm.clv.ShiftedBetaGeometric.fit(drawn, duration="duration", churned="churned")
        >>> abs(fit.model.alpha - 0.668) < 3 * fit.standard_errors["alpha"]
        True
        """
        from retention_metrics.clv import contract_fit, regression

        weight = _checks.non_negative(penalty, name="penalty")
        if dropout_covariates:
            return regression.fit(
                cls,
                customers,
                roles=renewals.columns(duration, churned, counts),
                purchase=(),
                dropout=dropout_covariates,
                equal=(),
                penalty=weight,
                threads=None,
            )
        table = renewals.read(customers, duration=duration, churned=churned, counts=counts)

        return contract_fit.fit(cls, table, penalty=weight)

    @classmethod
    def fit_survivors(
        cls,
        counts: Sequence[float] | Mapping[object, Sequence[float]] | NDArray[np.floating[Any]],
        *,
        penalty: float = 0.0,
    ) -> Fit[Self]:
        """Fit to the number of customers of a cohort who are still there after 0, 1, 2, … renewals.

        Parameters
        ----------
        counts : sequence of int, mapping of sequences, or array of shape (n_cohorts, n_periods)
            Survivors of one cohort, its size first; or of several cohorts, by name or one per row, where what has
            not been observed is missing (NaN or None) before a cohort begins and after its last count.
        penalty : float, default 0
            As in ``fit``.

        Returns
        -------
        Fit
            As ``fit`` gives for the same customers in rows.

        Raises
        ------
        InputError
            If a count is not whole, rises, or is missing in the middle.
        FitError
            As in ``fit``.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> high_end = [1000, 869, 743, 653, 593, 551, 517, 491]
        >>> fit = rm.clv.ShiftedBetaGeometric.fit_survivors(high_end)
        >>> round(fit.model.alpha, 3), round(fit.model.beta, 3), round(fit.log_likelihood, 3)
        (0.668, 3.806, -1611.158)
        """
        from retention_metrics.clv import contract_fit

        weight = _checks.non_negative(penalty, name="penalty")
        table = renewals.of_survivors(counts)

        return contract_fit.fit(cls, table, penalty=weight)

    def predict(self, customers: NativeFrame, *, horizon: float, tenure: str = "tenure") -> CustomerTable:
        """Add what to expect of each customer who is still there.

        Parameters
        ----------
        customers : dataframe
            A row per customer.
        horizon : int
            Renewals ahead, at least 1.
        tenure : str
            Column with the renewals that the customer has passed.

        Returns
        -------
        CustomerTable
            The columns of the frame with ``retention_rate`` (of the next renewal), ``survival`` (of all renewals
            within the horizon) and ``residual_lifetime`` (expected renewals within the horizon), in the caller's
            kind of frame.

        Raises
        ------
        InputError
            If a tenure is missing or not a whole number of at least 0.

        Examples
        --------
        >>> import pandas as pd
        >>> import retention_metrics as rm
        >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
        >>> table = model.predict(pd.DataFrame({"tenure": [0, 8]}), horizon=5).to_frame()
        >>> table["survival"].round(3).tolist(), table["residual_lifetime"].round(3).tolist()
        ([0.562, 0.788], [3.439, 4.313])
        """
        return self._predict(customers, horizon=horizon, columns={"tenure": tenure}, spread=None)

    def _predict(
        self,
        history: NativeFrame,
        *,
        horizon: float | None,
        columns: Mapping[str, str],
        spread: Spread[Any] | None,
    ) -> CustomerTable:
        from retention_metrics.clv import frames

        ahead = float(_checks.count(horizon, name="horizon", low=1))
        table = frames.adopt(history, {"tenure": "tenure", **columns})

        def answers(tenure: Floats, cells: Mapping[str, Any]) -> dict[str, Floats]:
            levels, which = np.unique(tenure, return_inverse=True)
            found = self._answers(levels, ahead, spread, lambda model: model)
            return {name: values[which] for name, values in found.items()}

        return table.with_tenure_by(answers, definition=f"{self.kind}/predict")

    def _answers(
        self, tenure: Floats, ahead: float, spread: Spread[Any] | None, of: Callable[[Any], Self]
    ) -> dict[str, Floats]:
        """The columns of ``predict``, each with its interval where there is a spread of what ``of`` makes a model."""

        def log_odds(model: Any, *, ahead: Floats) -> Floats:
            return _log_odds_kept(of(model), tenure, ahead)

        one = np.ones(tenure.size)
        found: dict[str, Floats] = {}
        for name, steps in (("retention_rate", one), ("survival", ahead * one)):
            found[name] = np.exp(self._log_kept(tenure, steps))
            if spread is not None:
                variance = spread.variance(partial(log_odds, ahead=steps))
                low, high = spread.around_logit(_log_odds_kept(self, tenure, steps), variance)
                found |= {f"{name}_low": low, f"{name}_high": high}
        found["residual_lifetime"] = self._ahead(tenure, ahead, 0.0)
        if spread is not None:
            variance = spread.variance(lambda model: np.log(np.maximum(of(model)._ahead(tenure, ahead, 0.0), _LEAST)))
            low, high = spread.around_log(found["residual_lifetime"], variance)
            found |= {"residual_lifetime_low": low, "residual_lifetime_high": np.minimum(high, ahead)}
        return found

    @classmethod
    def _read(cls, history: Any, columns: Mapping[str, Any]) -> Renewals:
        if "churned" not in columns and "duration" not in columns:
            return renewals.of_survivors(history).data
        return renewals.read(history, **{"duration": None, "churned": None, "counts": None, **columns}).data

    @classmethod
    def _fit_roles(cls, columns: Mapping[str, Any]) -> dict[str, str | None]:
        return renewals.columns(**{"duration": None, "churned": None, "counts": None, **columns})

    @classmethod
    def _objective(cls, data: Renewals, *, threads: int | None) -> Objective:
        return renewals.RenewalObjective(data, cls.survival_terms, cls.hazard_terms)

    @classmethod
    def _rows(cls, theta: tuple[Floats, ...], data: Renewals, rows: slice) -> Terms:
        duration, left = data.duration[rows], data.churned[rows]
        odds = np.stack([np.broadcast_to(value, duration.shape) for value in theta])
        stayed = cls.survival_terms(odds, np.where(left, duration - 1, duration))
        leaves = cls.hazard_terms(odds, np.maximum(duration, 1))
        return Terms(
            stayed.value + left * leaves.value,
            stayed.slopes + left * leaves.slopes,
            stayed.curvatures + left * leaves.curvatures,
        )

    @classmethod
    def _with_cells(cls, table: HistoryTable) -> tuple[Any, Mapping[str, Any], Mapping[str, int]]:
        return *renewals.by_covariates(table), {}

    @classmethod
    def _fit_rows(cls, data: Renewals, *, unit: str | None, penalty: float, threads: int | None) -> Fit[Self]:
        from retention_metrics.clv import contract_fit

        gathered = Renewals.of(data.duration, data.churned, data.counts)
        return contract_fit.fit(cls, renewals.RenewalTable(gathered), penalty=penalty)

    def _predict_by(self, table: HistoryTable, covariates: Covariates[Self], *, horizon: float | None) -> CustomerTable:
        ahead = float(_checks.count(horizon, name="horizon", low=1))
        regression = covariates.regression

        def answers(tenure: Floats, cells: Mapping[str, Any]) -> dict[str, Floats]:
            matrix = regression.encoding.matrix(cells)
            first, which = batch.groups(tenure, *matrix.T)
            own = matrix[first]
            model = regression._with_matrix(own)
            found = model._answers(tenure[first], ahead, covariates.spread, lambda other: other._with_matrix(own))
            return {name: values[which] for name, values in found.items()}

        return table.with_tenure_by(answers, definition=f"{self.kind}/regression/predict")

    def _contributions(self, data: Renewals) -> Floats:
        return self._log_probability(data.duration, data.churned)

    def _log_likelihoods(self, data: Renewals, odds: Floats, *, threads: int | None) -> Floats:
        def rows(many: Self, size: int) -> Floats:
            return many._contributions(data)

        return batch.broadcast(self, odds, data.counts, rows, threads=threads)


def contract_value(
    model: ContractModel | Fit[Any],
    *,
    margin: ArrayLike,
    tenure: ArrayLike,
    discount_rate: float,
    horizon: float | None = None,
) -> Floats:
    """Present value of what customers under contract are still going to pay.

    Parameters
    ----------
    model : ContractModel or Fit
        How customers renew.
    margin : array_like of float
        Margin of one term, in money, earned when the term begins.
    tenure : array_like of int
        Renewals that a customer has passed, at least 0; the next one is due now.
    discount_rate : float
        Effective rate per term, at least 0.
    horizon : int, optional
        Renewals ahead that are counted at most, at least 0; without it all are.

    Returns
    -------
    ndarray of float
        In money; a scalar for scalars.

    Raises
    ------
    InputError
        If the model is not of renewals, an argument is out of range, or the sum diverges.

    Notes
    -----
    ``ContractModel.discounted_residual_value``: the margin times the discounted expected residual lifetime [1]_. A
    single retention rate, as in ``simple_value``, gives every customer the same; here loyalty shows in the tenure.

    References
    ----------
    .. [1] Fader, P. S. & Hardie, B. G. S. (2010). Customer-base valuation in a contractual setting: the perils of
       ignoring heterogeneity. *Marketing Science* 29(1), 85-93.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.ShiftedBetaGeometric(alpha=0.668, beta=3.806)
    >>> rm.clv.contract_value(model, margin=100, tenure=[0, 4], discount_rate=0.1).round(1)
    array([541.5, 689.7])
    """
    from retention_metrics.clv.fitting import Fit

    renewing = model.model if isinstance(model, Fit) else model
    if not isinstance(renewing, ContractModel):
        raise InputError(
            f"model is a model of renewals or its Fit; got {type(renewing).__name__}.",
            argument="model",
            fix="Use lifetime_value for models of purchases." if hasattr(renewing, "expected_purchases") else None,
        )
    return renewing.discounted_residual_value(
        tenure=tenure, margin=margin, discount_rate=discount_rate, horizon=horizon
    )


def _log_odds_kept(model: ContractModel, tenure: Floats, ahead: Floats) -> Floats:
    kept = model._log_kept(tenure, ahead)
    with np.errstate(divide="ignore"):
        answer: Floats = np.clip(kept - np.log(-np.expm1(kept)), -1e300, 1e300)
    return answer


def _horizon(horizon: float | None) -> float:
    return np.inf if horizon is None else float(_checks.count(horizon, name="horizon"))
