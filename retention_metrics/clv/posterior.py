"""Posterior distributions: what data and priors together say about a model's parameters."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from retention_metrics import _checks
from retention_metrics.clv import newton, surface
from retention_metrics.clv.fitting import Fit, required_level
from retention_metrics.clv.model import Model
from retention_metrics.clv.priors import Density, Prior, log_density, table
from retention_metrics.errors import FitError, InputError
from retention_metrics.explanation import Explanation
from retention_metrics.results import Columns, FrozenDict, Interval, TableResult, result

if TYPE_CHECKING:
    import xarray

    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.history import PurchaseHistory

Floats = NDArray[np.float64]
M = TypeVar("M", bound=Model)
M_co = TypeVar("M_co", bound=Model, covariant=True)
Rng = np.random.Generator | int | None

FEWEST = 100
"""Draws below which the tail of the weights is too short to smooth."""
GOOD_KHAT = 0.7
_PROPOSED = 1_000  # draws from the proposal at least: from fewer khat is uncertain
_ROUNDS = (("student-t", 1), ("mixture", 2), ("mixture", 4))  # proposals, and how many draws from each
_FREEDOM = 10.0  # of the first proposal: tails heavier than the posterior's, a centre like it
_WIDER_FREEDOM = 2.0  # of the second one
_STRETCH = 3.0  # of half its parts
_REACH = 100.0  # log-parameters are looked for between exp(-100) and exp(100)
_NEGLIGIBLE = 50.0  # logs below the mode at which a draw has no weight
_THIN = 0.1  # share of effective draws below which a note says so
_MANY = 20_000_000  # likelihoods of single histories from which most draws' sums are read off a polynomial
_READ_OFF = (
    "The log-likelihood of {1.computed} of {0} draws is computed and a polynomial through it gives that of the others: "
    "it is within {1.error:.1g} of those that it does not go through."
)
_QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}


@result
class Posterior(TableResult, Generic[M_co]):
    """Draws from the posterior distribution of a model's parameters.

    Attributes
    ----------
    columns : Columns
        A row per parameter: ``parameter, mean, sd, q05, median, q95``.
    draws : mapping of str to ndarray of float, shape (n_draws,)
        Equally likely draws of each parameter, by name; a draw has the same place in every array.
    khat : float
        Shape of the generalised Pareto distribution that fits the largest importance weights: below 0.7 the draws
        can be relied on [1]_.
    effective_draws : float
        Independent draws that would give means as precise.
    method : str
        The proposal: ``"student-t"`` around the mode, or ``"mixture"``, a wider one.
    priors : mapping of str to str
        The priors, in words.
    model : Model
        The parameters at the posterior's mode on the log scale.
    customers : int
        Customers in the fit.

    References
    ----------
    .. [1] Vehtari, A., Simpson, D., Gelman, A., Yao, Y. & Gabry, J. (2024). Pareto smoothed importance sampling.
       *Journal of Machine Learning Research* 25(72), 1-58.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> fit = rm.clv.BGNBD.fit(model.simulate(np.full(2000, 39.0), rng=2005))
    >>> posterior = fit.posterior(draws=1000, rng=2005)
    >>> posterior.draws["r"].shape, posterior.khat < 0.7
    ((1000,), True)
    """

    kind: ClassVar[str] = "clv.posterior"

    draws: Mapping[str, NDArray[np.float64]]
    khat: float
    effective_draws: float
    method: str
    priors: Mapping[str, str]
    model: M_co
    customers: int

    def intervals(self, level: float = 0.95) -> Mapping[str, Interval]:
        """Credible intervals of the parameters.

        Parameters
        ----------
        level : float, default 0.95
            Posterior probability of each interval, in (0, 1), with equal probabilities below and above it.

        Returns
        -------
        mapping of str to Interval
            One interval per parameter, by name.

        Raises
        ------
        InputError
            If the level is no probability.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> fit = rm.clv.BGNBD.fit(model.simulate(np.full(2000, 39.0), rng=2005))
        >>> 0.243 in fit.posterior(draws=1000, rng=2005).intervals(level=0.99)["r"]
        True
        """
        content = required_level(level)
        found = {}
        for name, draws in self.draws.items():
            low, high = np.quantile(draws, [(1 - content) / 2, (1 + content) / 2])
            found[name] = Interval(low=low, high=high, level=content, method="equal-tailed")
        return FrozenDict(found)

    def predict(
        self,
        history: PurchaseHistory | object,
        *,
        horizon: float | None = None,
        level: float = 0.95,
        draws: int = 500,
        rng: np.random.Generator | int | None = None,
        **columns: str,
    ) -> CustomerTable:
        """Add what to expect of each customer, with credible and prediction intervals.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            As in the model's ``predict``.
        horizon : float, optional
            Time ahead, in the model's unit, or renewals ahead; models of purchases and of renewals need it.
        level : float, default 0.95
            Probability content of the intervals, in (0, 1).
        draws : int, default 500
            Draws to use, evenly spread over those there are: the time this takes is proportional to them.
        rng : numpy.random.Generator or int, optional
            Source of randomness of the purchases, or its seed.
        **columns : str
            Column names of a plain frame, as in the model's ``predict``.

        Returns
        -------
        CustomerTable
            Of a model of purchases, ``probability_alive`` and ``expected_purchases``, means over the draws, each with
            ``_low`` and ``_high``, and ``purchases_low, purchases_high``: the interval of the number of purchases that
            the customer will make. Of a model of spend, ``expected_value`` with its interval; of a model of renewals
            ``retention_rate``, ``survival`` and ``residual_lifetime`` with theirs.

        Raises
        ------
        InputError
            As in the model's ``predict``.

        Notes
        -----
        Expectations vary with the parameters alone; what a customer does varies with chance besides. The purchases are
        drawn once for each draw of the parameters, so a prediction interval holds at least ``level`` of the
        posterior predictive distribution. Expected purchases given alive are computed at some of the draws; where a
        quadratic in the log-parameters meets others within a twentieth of their spread, it stands for the rest.
        ``Fit.predict`` gives intervals of expectations by the delta method, without
        draws, and is the faster of the two where the parameters are well identified.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> drawn = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(2000, 39.0), rng=2005)
        >>> posterior = rm.clv.BGNBD.fit(drawn).posterior(draws=1000, rng=2005)
        >>> table = posterior.predict(drawn.head(), horizon=39, draws=100, rng=2005).to_frame()
        >>> bool((table["expected_purchases_low"] < table["expected_purchases"]).all())
        True
        """
        from retention_metrics.clv import predictive

        content, number = required_level(level), _checks.count(draws, name="draws", low=2)
        return predictive.predict(self, history, horizon=horizon, level=content, draws=number, rng=rng, columns=columns)

    def to_arviz(self) -> xarray.DataTree:
        """The draws as ArviZ takes them.

        Returns
        -------
        xarray.DataTree
            With the group ``posterior``: one chain, a variable per parameter.

        Raises
        ------
        MissingDependencyError
            If arviz-base is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import retention_metrics as rm
        >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> fit = rm.clv.BGNBD.fit(model.simulate(np.full(2000, 39.0), rng=2005))
        >>> sorted(fit.posterior(draws=1000, rng=2005).to_arviz()["posterior"].data_vars)
        ['a', 'alpha', 'b', 'r']
        """
        group = {name: draws[None] for name, draws in self.draws.items()}
        tree: xarray.DataTree = _arviz("arviz_base", purpose="to_arviz()").from_dict({"posterior": group})
        return tree

    def explain(self) -> Explanation:
        """How the draws came about.

        Returns
        -------
        Explanation
            Without steps: a posterior is no closed form.
        """
        return Explanation(
            formula="posterior = likelihood * prior / constant; draws weighted by posterior / proposal, resampled",
            values={
                "draws": len(next(iter(self.draws.values()))),
                "khat": self.khat,
                "effective_draws": self.effective_draws,
                "customers": self.customers,
            },
            steps=(),
            source="Vehtari, Simpson, Gelman, Yao & Gabry (2024), Pareto smoothed importance sampling, Journal of "
            "Machine Learning Research 25(72).",
        )


# ---------------------------------------------------------------- the density


class LogPosterior:
    """The unnormalised log-density of a posterior in log-parameters, with its derivatives for the climb to its mode."""

    def __init__(self, fit: Fit[M], priors: tuple[Prior, ...], threads: int | None) -> None:
        self._fit, self._priors, self._threads = fit, priors, threads
        self._data = fit._needs_data("a posterior")
        self._objective = fit.model._objective(self._data, threads=threads)
        self.notes: tuple[str, ...] = ()

    def evaluate(self, odds: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in the parameters of ``to_odds``, as ``newton.maximise`` asks for them."""
        value, gradient, hessian = self._objective.evaluate(odds)
        for prior in self._priors:
            slope, curve = prior.slopes(np.log(odds))
            gradient = gradient + slope / odds
            hessian = hessian + (curve - np.diag(slope)) / np.outer(odds, odds)
        return value + float(log_density(self._priors, np.log(odds)[None])[0]), gradient, hessian

    def values(self, log_odds: Floats, mode: float) -> Floats:
        """The log-density at each row; minus infinity where it is too low to matter.

        No likelihood is above its maximum, so where even that would not lift the prior to within reach of the mode,
        the likelihood need not be known: that keeps it away from parameters at which it is all rounding.
        """
        found = np.full(len(log_odds), -np.inf)
        near = np.flatnonzero(np.abs(log_odds).max(axis=1) < _REACH)
        with np.errstate(all="ignore"):
            prior = log_density(self._priors, log_odds[near])
            hopeful = prior + self._ceiling() > mode - _NEGLIGIBLE
            rows, prior = near[hopeful], prior[hopeful]
            if rows.size:
                likelihood = self._likelihoods(log_odds[rows])
                found[rows] = np.where(np.isnan(likelihood), -np.inf, likelihood + prior)
        return found

    def _likelihoods(self, log_odds: Floats) -> Floats:
        def exact(some: Floats) -> Floats:
            return self._fit.model._log_likelihoods(self._data, np.exp(some), threads=self._threads)

        counts = self._data.counts
        histories = self._data.customers if counts is None else counts.size
        if histories * len(log_odds) < _MANY:
            return exact(log_odds)
        found = surface.heights(exact, log_odds)
        self.notes = () if found.computed == len(log_odds) else (_READ_OFF.format(len(log_odds), found),)
        return found.values

    def _ceiling(self) -> float:
        return self._fit.log_likelihood if self._fit.penalty == 0 else np.inf


# ---------------------------------------------------------------- proposals


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mixture of multivariate t distributions with equal weights, each of a centre and a root of its scale."""

    parts: tuple[tuple[Floats, Floats], ...]
    freedom: float

    def draw(self, generator: np.random.Generator, size: int) -> tuple[Floats, Floats]:
        """Draws, shape (size, n), and their log-densities but for a constant."""
        normal = generator.standard_normal((size, self.parts[0][0].size))
        standard = normal / np.sqrt(generator.chisquare(self.freedom, size) / self.freedom)[:, None]
        drawn = np.empty_like(standard)
        for place, (centre, root) in enumerate(self.parts):
            rows = slice(place, None, len(self.parts))
            drawn[rows] = centre + standard[rows] @ root.T
        return drawn, np.logaddexp.reduce([self._log_density(drawn, *part) for part in self.parts], axis=0)

    def _log_density(self, drawn: Floats, centre: Floats, root: Floats) -> Floats:
        standard = linalg.solve_triangular(root, (drawn - centre).T, lower=True)
        distance = np.sum(standard**2, axis=0) / self.freedom
        answer: Floats = -np.log(np.diag(root)).sum() - (self.freedom + centre.size) / 2 * np.log1p(distance)
        return answer

    def wider(self, drawn: Floats, weights: Floats) -> Proposal:
        """This proposal's shape and that of the weighted draws, each as it is and stretched."""
        (centre, root), *_ = self.parts
        moved = weights @ drawn
        away = drawn - moved
        # Few draws may carry all the weight: their covariance alone could be flat.
        spread = (away * weights[:, None]).T @ away + 0.1 * root @ root.T
        shape: Floats = np.linalg.cholesky(spread).astype(np.float64)
        shapes = ((centre, root), (moved, shape), (centre, _STRETCH * root), (moved, _STRETCH * shape))
        return Proposal(shapes, _WIDER_FREEDOM)


def sample(
    fit: Fit[M],
    *,
    draws: int,
    rng: Rng,
    priors: Mapping[str, Density] | None,
    threads: int | None = None,
) -> Posterior[M]:
    """The posterior of a fitted model; see ``Fit.posterior``."""
    number = _checks.count(draws, name="draws", low=FEWEST)
    chosen = table(fit.model, fit.centre, priors)
    density = LogPosterior(fit, chosen, threads)
    smooth = _smoother()
    generator = np.random.default_rng(rng)

    centre, root, height = _mode(fit, density, chosen)
    proposal, tried = Proposal(((centre, root),), _FREEDOM), {}
    for method, size in _ROUNDS:
        log_odds, log_proposal = proposal.draw(generator, size * max(number, _PROPOSED))
        weights, khat = smooth(density.values(log_odds, height) - log_proposal)
        if khat <= GOOD_KHAT:
            kept, effective = _resample(weights, number, generator)
            theta = fit.model.from_odds(np.exp(log_odds[kept]))
            return _wrap(
                fit, chosen, theta, np.exp(centre), khat=khat, effective=effective, method=method, notes=density.notes
            )
        proposal, tried[method] = proposal.wider(log_odds, weights), khat
    raise FitError(
        "the posterior is too far from normal for importance sampling: khat is at most 0.7; got "
        + " and ".join(f"{khat:.2f} ({method})" for method, khat in tried.items())
        + ". Tighter priors= help where the data say little.",
        diagnostics=fit.diagnostics,
    )


def _mode(fit: Fit[M], density: LogPosterior, priors: tuple[Prior, ...]) -> tuple[Floats, Floats, float]:
    """The mode in log-parameters, a root of the inverse curvature there, and its height."""
    start = fit.model.to_odds(fit.model.theta)
    _refuse_impossible(priors, np.log(start))
    peak = newton.maximise(density, start, tolerance=1e-6)
    if not peak.converged:
        # A prior with an edge has no smooth mode: the fit is as good a centre, and the weights see to the rest.
        place, covariance, height = np.log(start), fit.log_covariance, density.evaluate(start)[0]
    else:
        place, covariance, height = np.log(peak.theta), peak.log_covariance, peak.log_likelihood
    return place, np.asarray(np.linalg.cholesky(covariance), dtype=np.float64), height


def _refuse_impossible(priors: tuple[Prior, ...], log_odds: Floats) -> None:
    for prior in priors:
        if not np.isfinite(prior.log_density(log_odds[None])[0]):
            raise InputError(
                f"priors[{prior.name!r}] gives the fit a density above 0; that of {prior.words()} is 0 there.",
                argument="priors",
            )


def _arviz(module: str, *, purpose: str) -> Any:
    """A module of ArviZ, or the error that names the extra."""
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.split(".")[0].replace("_", "-")
        raise _checks.missing_dependency(package, extra="bayes", purpose=purpose) from None


def _smoother() -> Callable[[Floats], tuple[Floats, float]]:
    stats = _arviz("arviz_stats.base", purpose="posterior()").array_stats

    def smooth(log_weights: Floats) -> tuple[Floats, float]:
        """Pareto-smoothed weights that sum to 1, and khat; infinite where there is no tail to speak of."""
        finite = np.isfinite(log_weights)
        if int(finite.sum()) < FEWEST // 2:
            return np.full(log_weights.size, 1 / log_weights.size), np.inf
        bounded = np.where(finite, log_weights, log_weights[finite].min() - 700)
        # It takes what leave-one-out weights are the inverse of.
        with np.errstate(all="ignore"):
            smoothed, khat = stats.psislw(bounded.max() - bounded)
        if np.isfinite(khat) and not np.isnan(smoothed).any():
            return np.exp(smoothed), float(khat)
        return np.exp(bounded - special.logsumexp(bounded)), np.inf

    return smooth


def _resample(weights: Floats, draws: int, generator: np.random.Generator) -> tuple[NDArray[np.intp], float]:
    """Places of equally likely draws, by systematic resampling, and how many independent ones they are worth.

    A draw of weight w is taken floor(draws * w) times or once more. That adds to the variance of a mean what
    rounding leaves to chance, f (1 - f) for the fraction f, beside the sum of squared weights that importance
    sampling itself has.
    """
    expected = draws * weights / weights.sum()
    ends = np.cumsum(expected)
    places = np.searchsorted(ends * (draws / ends[-1]), np.arange(draws) + generator.uniform(), side="right")
    fraction = expected - np.floor(expected)
    variance = (np.sum(expected**2) + np.sum(fraction * (1 - fraction))) / draws**2
    return np.minimum(places, weights.size - 1), float(1 / variance)


def _doubts(effective: float, draws: int) -> tuple[str, ...]:
    if effective > _THIN * draws:
        return ()
    return (f"The {draws} draws are worth {effective:.0f} independent ones: ask for more, or give tighter priors.",)


def _wrap(
    fit: Fit[M],
    priors: tuple[Prior, ...],
    theta: Floats,
    mode: Floats,
    *,
    khat: float,
    effective: float,
    method: str,
    notes: tuple[str, ...],
) -> Posterior[M]:
    names = fit.model.parameters
    quantiles = np.quantile(theta, list(_QUANTILES.values()), axis=0)
    return Posterior(
        unit=fit.unit,
        definition=f"{fit.model.kind}/posterior",
        excluded=fit.excluded,
        notes=(*_doubts(effective, len(theta)), *notes, *fit.notes),
        backend=fit.backend,
        columns=Columns(
            {
                "parameter": list(names),
                "mean": theta.mean(axis=0).tolist(),
                "sd": theta.std(axis=0, ddof=1).tolist(),
                **{name: row.tolist() for name, row in zip(_QUANTILES, quantiles, strict=True)},
            }
        ),
        draws={name: theta[:, index] for index, name in enumerate(names)},
        khat=khat,
        effective_draws=effective,
        method=method,
        priors={prior.name: prior.words() for prior in priors},
        model=fit.model.with_theta(fit.model.from_odds(mode)),
        customers=fit.customers,
    )
