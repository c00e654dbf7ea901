"""Fits: a model with the likelihood it reached, the covariance of its parameters and what follows from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from retention_metrics import _checks
from retention_metrics.clv import newton, scores
from retention_metrics.clv.model import Model
from retention_metrics.errors import FitError, InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, FrozenDict, Interval, Result, result

if TYPE_CHECKING:
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.cross_check import CrossCheck
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.posterior import Posterior
    from retention_metrics.clv.priors import Density

Floats = NDArray[np.float64]
M = TypeVar("M", bound=Model)
M_co = TypeVar("M_co", bound=Model, covariant=True)
Method = Literal["wald", "sandwich", "profile"]
_WEAK = 1.0  # standard error of a log-parameter from which its 95 % interval spans a factor of 50
_WIDEST = 600.0  # half the width of a log-interval: wider ones overflow and say no less
_FAR = 14.0  # a profile interval that reaches a factor of a million is taken for unbounded
_STRIDE = 2.0  # of a log-parameter: as far as a straight line is followed
_CLOSE = 1e-8  # of a log-parameter: how exact the ends of profile intervals are


@result
class Fit(Result, Generic[M_co]):
    """A fitted model.

    Attributes
    ----------
    model : Model
        The parameters at the maximum.
    log_likelihood : float
        Log-likelihood at the maximum, without the penalty.
    covariance : ndarray of float, shape (n_parameters, n_parameters)
        Of the parameters themselves, in the model's order: the inverse of the observed information (with a
        penalty, of the penalised one).
    customers : int
        Customers in the fit.
    gradient_norm : float
        Distance to the maximum in standard errors, by the quadratic model.
    steps : int
        Newton steps taken.
    penalty : float
        Weight of the penalty.
    centre : ndarray of float, shape (n_parameters,)
        Where the penalty pulls the log-parameters to.
    diagnostics : tuple of str
        Doubts about the fit, in words; empty where there are none.
    data : object
        The distinct rows behind the fit, which profile intervals and posteriors need; None once read back from
        a dictionary.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> fit = rm.clv.BGNBD.fit(model.simulate(np.full(2000, 39.0), rng=2005))
    >>> fit.covariance.shape, sorted(fit.standard_errors)
    ((4, 4), ['a', 'alpha', 'b', 'r'])
    """

    kind: ClassVar[str] = "clv.fit"

    model: M_co
    log_likelihood: float
    covariance: NDArray[np.float64]
    customers: int
    gradient_norm: float
    steps: int
    penalty: float
    centre: NDArray[np.float64]
    diagnostics: tuple[str, ...] = ()
    data: Any = field(default=None, metadata={"json": False})

    # ---------------------------------------------------------- what follows from the maximum

    @property
    def standard_errors(self) -> Mapping[str, float]:
        """Standard error of each parameter, by name."""
        spread = np.sqrt(np.diag(self.covariance))
        return FrozenDict(dict(zip(self.model.parameters, map(float, spread), strict=True)))

    @property
    def log_covariance(self) -> NDArray[np.float64]:
        """Covariance of the log-parameters (log-odds of a parameter that is a probability)."""
        slopes = self.model.log_slopes(self.model.theta)
        scaled: Floats = self.covariance / np.outer(slopes, slopes)
        return scaled

    @property
    def robust_covariance(self) -> NDArray[np.float64]:
        """Covariance of the parameters that holds where the model is wrong: the sandwich of White (1982) [1]_.

        The inverse information on both sides of the covariance of the customers' scores, without a correction for
        their number. It says how the estimates vary from sample to sample around the parameters that come closest
        to the truth. It needs the data; a fit read from JSON has to be attached to them first.

        References
        ----------
        .. [1] White, H. (1982). Maximum likelihood estimation of misspecified models. *Econometrica* 50(1), 1-25.
        """
        slopes = self.model.log_slopes(self.model.theta)
        scaled: Floats = self._robust_log_covariance() * np.outer(slopes, slopes)
        return scaled

    @property
    def robust_standard_errors(self) -> Mapping[str, float]:
        """Standard error of each parameter by the sandwich, by name."""
        spread = np.sqrt(np.diag(self.robust_covariance))
        return FrozenDict(dict(zip(self.model.parameters, map(float, spread), strict=True)))

    def _robust_log_covariance(self) -> Floats:
        return scores.robust_log_covariance(self.model, self.log_covariance, self._needs_data("the sandwich"))

    def _needs_data(self, purpose: str) -> Any:
        """The data behind the fit, or an error that says how to give them back."""
        if self.data is None:
            raise InputError(
                f"{purpose} needs the data, which a fit read from JSON does not hold.",
                argument="fit",
                fix="Attach them first: fit.attach(history).",
            )
        return self.data

    @property
    def aic(self) -> float:
        """Akaike's information criterion, ``2 k - 2 log L``."""
        return 2 * len(self.model.parameters) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, ``k log(customers) - 2 log L``."""
        return len(self.model.parameters) * math.log(self.customers) - 2 * self.log_likelihood

    def intervals(self, level: float = 0.95, method: Method = "wald") -> Mapping[str, Interval]:
        """Confidence intervals of the parameters.

        Parameters
        ----------
        level : float, default 0.95
            Probability content of each two-sided interval, in (0, 1).
        method : {"wald", "sandwich", "profile"}, default "wald"
            ``"wald"``: normal on the log-parameters. ``"sandwich"``: the same with ``robust_covariance``, for data
            that the model does not describe in every respect. ``"profile"``: the parameters at which twice the profile
            log-likelihood falls short of its maximum by no more than the chi-squared quantile [1]_; an end
            beyond a factor of a million is infinite (or 0).

        Returns
        -------
        mapping of str to Interval
            One interval per parameter, by name.

        Raises
        ------
        InputError
            If the level is no probability, or a profile or the sandwich is asked of a fit without its data.

        References
        ----------
        .. [1] Venzon, D. J. & Moolgavkar, S. H. (1988). A method for computing profile-likelihood-based
           confidence intervals. *Applied Statistics* 37(1), 87-94.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> fit = rm.clv.BGNBD.fit(model.simulate(np.full(2000, 39.0), rng=2005))
        >>> 0.243 in fit.intervals(level=0.99)["r"]
        True
        """
        content = required_level(level)
        chosen: Method = _checks.choice(method, ("wald", "sandwich", "profile"), name="method")

        centre = np.log(self.model.to_odds(self.model.theta))
        if chosen == "profile":
            ends = self._profile_ends(centre, float(stats.chi2.ppf(content, 1)))
        else:
            covariance = self.log_covariance if chosen == "wald" else self._robust_log_covariance()
            half = stats.norm.ppf(0.5 + content / 2) * np.sqrt(np.diag(covariance))
            ends = np.stack([centre - half, centre + half])
        low, high = (self.model.from_odds(np.exp(end)) for end in ends)

        return FrozenDict(
            {
                name: Interval(low=low[index], high=high[index], level=content, method=chosen)
                for index, name in enumerate(self.model.parameters)
            }
        )

    def attach(self, history: PurchaseHistory | object, **columns: str | None) -> Fit[M_co]:
        """The same fit with its data, for profile intervals after a round trip through JSON.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            What the model was fitted to.
        **columns : str
            Column names, as in the model's ``fit``.

        Returns
        -------
        Fit
            Equal to this one, with data.

        Raises
        ------
        InputError
            If the likelihood of these data is not the fit's.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> drawn = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(2000, 39.0), rng=2005)
        >>> fit = rm.clv.BGNBD.fit(drawn)
        >>> rm.clv.Fit.from_dict(fit.to_dict()).attach(drawn) == fit
        True
        """
        data = self.model._read(history, columns)
        objective = self.model._objective(data, threads=None)
        value = objective.evaluate(self.model.to_odds(self.model.theta))[0]
        if abs(value - self.log_likelihood) > 1e-8 * max(1.0, abs(self.log_likelihood)):
            raise InputError(
                f"history is what the model was fitted to: log-likelihood {self.log_likelihood:.6f}; got {value:.6f}.",
                argument="history",
            )
        return dataclasses.replace(self, data=data)

    def posterior(
        self,
        draws: int = 4000,
        *,
        rng: np.random.Generator | int | None = None,
        priors: Mapping[str, Density] | None = None,
    ) -> Posterior[M_co]:
        """Draws from the posterior distribution of the parameters.

        Parameters
        ----------
        draws : int, default 4000
            Equally likely draws to give back, at least 100.
        rng : numpy.random.Generator or int, optional
            Source of randomness, or its seed.
        priors : mapping of str to distribution, optional
            In place of the defaults, by name of a parameter, of a beta pair's mean ``"a/(a+b)"`` or of its total
            ``"a+b"``: anything with ``logpdf``, such as ``scipy.stats.lognorm(s=0.5, scale=3)``, in the fit's units.

        Returns
        -------
        Posterior
            The draws, with what says how far they can be relied on.

        Raises
        ------
        InputError
            If a prior's name is no quantity of the model, a prior excludes the fit, or the fit was read from a
            dictionary and not attached to its data: ``fit.attach(history)``.
        FitError
            If the posterior is too far from normal for importance sampling.
        MissingDependencyError
            If arviz-stats is not installed.

        Notes
        -----
        By default the logs of shapes, of time scales over the mean T, of rates times the mean T and of amounts of money
        over the mean value are normal (0, 1.5); of a pair that shapes a beta distribution the mean is uniform and
        the log of the total normal (1, 1.5); probabilities are uniform, coefficients of covariates normal (0, 1.5).
        These move with the unit of time and of money, so answers do not depend on it. A penalty of the fit plays no
        part: the priors take its place.

        Draws come from a multivariate t with 10 degrees of freedom around the mode in log-parameters, are weighted
        by posterior over proposal, the largest weights smoothed by a generalised Pareto distribution of shape khat
        [1]_, and resampled. With khat above 0.7 a wider mixture, shaped by the mode and by the weighted draws, is
        tried, and once more with more draws; then the posterior is given up.

        References
        ----------
        .. [1] Vehtari, A., Simpson, D., Gelman, A., Yao, Y. & Gabry, J. (2024). Pareto smoothed importance
           sampling. *Journal of Machine Learning Research* 25(72), 1-58.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> fit = rm.clv.BGNBD.fit(model.simulate(np.full(2000, 39.0), rng=2005))
        >>> posterior = fit.posterior(rng=2005)
        >>> posterior.effective_draws > 2000, list(posterior.priors)
        (True, ['r', 'alpha', 'a/(a+b)', 'a+b'])
        """
        from retention_metrics.clv import posterior

        return posterior.sample(self, draws=draws, rng=rng, priors=priors)

    def predict(
        self,
        history: PurchaseHistory | object,
        *,
        horizon: float | None = None,
        level: float | None = None,
        **columns: str,
    ) -> CustomerTable:
        """Add what to expect of each customer, with intervals where a level is given.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            As in the model's ``fit``.
        horizon : float, optional
            Time ahead, in the model's unit; models of purchases need it.
        level : float, optional
            Probability content of the intervals, in (0, 1); none by default.
        **columns : str
            Column names of a plain frame, as in the model's ``predict``.

        Returns
        -------
        CustomerTable
            The model's ``predict`` with ``_low`` and ``_high`` beside each answer when ``level`` is given.

        Raises
        ------
        InputError
            As in the model's ``predict``.

        Notes
        -----
        The intervals are for the expectation, not for what a single customer will do. They carry the uncertainty
        of the parameters by the delta method: normal on the log scale for expected values, on the logit scale for
        probabilities. That is right for many customers and well-identified parameters, and needs no draws. With few
        customers, skewed parameters or prior knowledge, and for intervals of what a customer will do, take
        ``posterior().predict``.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> drawn = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(2000, 39.0), rng=2005)
        >>> table = rm.clv.BGNBD.fit(drawn).predict(drawn, horizon=39, level=0.95).to_frame()
        >>> bool((table["expected_purchases_low"] < table["expected_purchases"]).all())
        True
        """
        content = _checks.level(level)
        if content is None:
            return self.model._predict(history, horizon=horizon, columns=columns, spread=None)
        spread = Spread(self.model, self.log_covariance, content)
        return self.model._predict(history, horizon=horizon, columns=columns, spread=spread)

    def cross_check(self, *, horizon: float | None = None) -> CrossCheck:
        """The fit that the lifetimes package makes of the same customers, beside this one.

        Parameters
        ----------
        horizon : float, optional
            Time ahead over which expected purchases are compared, in the model's unit; by default the mean T.

        Returns
        -------
        CrossCheck
            A row per parameter, for the log-likelihood (both by our formula) and for mean predictions: ``quantity,
            ours, lifetimes, difference``; ``agrees``; and ``notes`` that explain what differs.

        Raises
        ------
        InputError
            If lifetimes has no such model, the fit is penalised, or it was read from JSON and not attached.
        MissingDependencyError
            If lifetimes is not installed.

        Notes
        -----
        Importing lifetimes and letting it work leaves warning filters, pandas options and NumPy's global generator
        as they were. Its Pareto/NBD starts from a fixed point here, not from a drawn one, and again from where it
        stopped until it stays, for its simplex often collapses short of the maximum.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> drawn = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(2000, 39.0), rng=2005)
        >>> rm.clv.BGNBD.fit(drawn).cross_check().agrees
        True
        """
        from retention_metrics.clv.cross_check import cross_check

        return cross_check(self, horizon=horizon)

    def explain(self) -> Explanation:
        """The log-likelihood as the customers' sum, and the criteria that follow from it.

        Returns
        -------
        Explanation
            Its last step is the log-likelihood.
        """
        return Explanation(
            formula="maximum over the parameters of the sum of log-likelihoods of the customers' histories",
            values={
                **{name: float(value) for name, value in zip(self.model.parameters, self.model.theta, strict=True)},
                "customers": self.customers,
                "mean_log_likelihood": self.log_likelihood / self.customers,
            },
            steps=(Step(name="log_likelihood", expression="customers * mean_log_likelihood"),),
            source=self.model.explain().source,
        )

    def _table(self) -> Columns:
        """A row per parameter."""
        intervals = self.intervals()
        names = self.model.parameters
        return Columns(
            {
                "parameter": list(names),
                "estimate": [float(value) for value in self.model.theta],
                "standard_error": list(self.standard_errors.values()),
                "low": [intervals[name].low for name in names],
                "high": [intervals[name].high for name in names],
            }
        )

    # ---------------------------------------------------------- profile likelihood

    def _profile_ends(self, centre: Floats, fall: float) -> Floats:
        objective = self.model._objective(self._needs_data("a profile interval"), threads=None)
        profile = _Profile(
            objective,
            centre,
            self.log_likelihood,
            self.centre,
            self.penalty,
            self.log_covariance,
            self.model._runs_away,
        )
        target = math.sqrt(fall)
        return np.array([[profile.end(index, side, target) for index in range(centre.size)] for side in (-1, 1)])


class _Profile:
    """The likelihood of one log-parameter with the others at their likeliest, followed away from the maximum."""

    def __init__(
        self,
        objective: newton.Objective,
        peak: Floats,
        log_likelihood: float,
        centre: Floats,
        penalty: float,
        log_covariance: Floats,
        escaped: Callable[[Floats], bool],
    ) -> None:
        self._objective, self._peak, self._covariance, self._escaped = objective, peak, log_covariance, escaped
        self._centre, self._penalty = centre, penalty
        self._best = self._height(log_likelihood, peak)

    def end(self, index: int, side: int, target: float) -> float:
        """Where the root of twice the shortfall comes to ``target``; infinite where that is beyond ``_FAR``.

        The root is nearly a straight line in the parameter: Newton steps, kept between what is known to lie on either
        side of the end.
        """
        unit = side * math.sqrt(self._covariance[index, index])
        # The others move along with this one as they do in the normal distribution around the maximum.
        at, path = self._peak, self._covariance[:, index] / self._covariance[index, index]
        near, beyond, reach = 0.0, math.inf, min(target, _STRIDE / abs(unit))
        while abs(reach * unit) < _FAR:
            peak, path = self._held(at, path, index, self._peak[index] + reach * unit)
            at = np.log(peak.theta)
            root = math.sqrt(max(2 * (self._best - self._height(peak.log_likelihood, at)), 0.0))
            near, beyond = (reach, beyond) if root < target else (near, reach)
            slope = -unit * float(peak.gradient[index]) / root if root > 0 else 0.0
            step = (target - root) / slope if slope > 0 else math.inf
            if abs(step * unit) < _CLOSE or abs((beyond - near) * unit) < _CLOSE:
                return float(self._peak[index] + min(max(reach + step, near), beyond) * unit)
            inside = near < reach + step < min(beyond, 3 * reach)
            reach = reach + step if inside else min(0.5 * (near + beyond), 2 * reach)
        return math.copysign(math.inf, unit)

    def _held(self, at: Floats, path: Floats, index: int, value: float) -> tuple[newton.Maximum, Floats]:
        """The maximum with one log-parameter held, from where the others are expected; and where they go from there."""
        free = np.arange(at.size) != index
        shift = path * (value - at[index])
        start = np.where(
            free, at + shift * min(1.0, _STRIDE / max(np.abs(shift[free]).max(initial=0.0), _CLOSE)), value
        )
        peak = newton.maximise(
            self._objective,
            np.exp(start),
            centre=self._centre,
            penalty=self._penalty,
            free=free,
            escaped=self._escaped,
            tolerance=1e-10,
            enough=1e-6,
        )
        ahead = np.zeros(at.size)
        if peak.converged:
            ahead[free] = np.linalg.solve(-peak.hessian[np.ix_(free, free)], peak.hessian[free, index])
        return peak, ahead

    def _height(self, log_likelihood: float, log_theta: Floats) -> float:
        return log_likelihood - 0.5 * self._penalty * float(np.sum((log_theta - self._centre) ** 2))


class Spread(Generic[M]):
    """Delta-method intervals: how far answers move when the log-parameters move by their standard errors."""

    def __init__(self, model: M, log_covariance: Floats, level: float) -> None:
        self._log_theta = np.log(model.to_odds(model.theta))
        self._root = np.linalg.cholesky(log_covariance)
        self._model = model
        self.log_covariance = log_covariance
        self.quantile = float(stats.norm.ppf(0.5 + level / 2))

    def variance(self, answer: Callable[[M], Floats]) -> Floats:
        """Variance of ``answer(model)``, one value per row.

        The derivatives are central differences along the principal axes of the parameters' uncertainty, a
        thousandth of a standard error wide: exact to seven digits, whatever formula the answer has.
        """
        total: Floats | None = None
        for axis in self._root.T:
            step = 1e-3 * axis
            ahead, behind = (self._model.with_theta(self._at(sign * step)) for sign in (1, -1))
            slope = (answer(ahead) - answer(behind)) / 2e-3
            total = slope**2 if total is None else total + slope**2
        return np.zeros(()) if total is None else np.minimum(total, (_WIDEST / self.quantile) ** 2)

    def _at(self, step: Floats) -> Floats:
        return self._model.from_odds(np.exp(self._log_theta + step))

    def around_log(self, estimate: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Interval of a positive quantity, normal on the log scale."""
        factor = np.exp(self.quantile * np.sqrt(variance))
        return estimate / factor, estimate * factor

    def around_logit(self, log_odds: Floats, variance: Floats) -> tuple[Floats, Floats]:
        """Interval of a probability, normal on the logit scale."""
        half = self.quantile * np.sqrt(variance)
        return special.expit(log_odds - half), special.expit(log_odds + half)


def required_level(level: object) -> float:
    """A level that cannot be left out."""
    content = _checks.level(level)
    if content is None:
        raise InputError("level is a probability in (0, 1), e.g. 0.95; got None.", argument="level")
    return content


def outcome(
    model: M,
    peak: newton.Maximum,
    *,
    customers: int,
    penalty: float,
    centre: Floats,
    data: object,
    excluded: Mapping[str, int],
    unit: str | None,
    backend: str,
) -> Fit[M]:
    """The fit at a maximum; a FitError where the information matrix does not identify the parameters."""
    log_covariance = peak.log_covariance
    slopes = model.log_slopes(model.theta)
    return Fit(
        estimate=peak.log_likelihood,
        unit=unit or "",
        definition=f"{model.kind}/maximum-likelihood" if penalty == 0 else f"{model.kind}/penalised-likelihood",
        excluded=FrozenDict(excluded),
        backend=backend,
        model=model,
        log_likelihood=peak.log_likelihood,
        covariance=log_covariance * np.outer(slopes, slopes),
        customers=customers,
        gradient_norm=peak.distance,
        steps=peak.steps,
        penalty=penalty,
        centre=centre,
        diagnostics=_doubts(model, log_covariance),
        data=data,
    )


def _doubts(model: Model, log_covariance: Floats) -> tuple[str, ...]:
    spread = np.sqrt(np.diag(log_covariance))
    factors = np.exp(np.minimum(2 * 1.96 * spread, 700.0))
    return tuple(
        f"{name} is weakly identified: its 95 % interval spans a factor of {factor:.3g}."
        for name, error, factor in zip(model.parameters, spread, factors, strict=True)
        if error > _WEAK
    )


def unidentified(name: str, reason: str) -> FitError:
    """The error of data that cannot identify any model."""
    return FitError(f"{name}.fit has nothing to go by: {reason}.")
