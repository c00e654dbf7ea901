"""Fits beside one another: a table of criteria, and the likelihood-ratio test of nested models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from retention_metrics import _checks
from retention_metrics.clv import histories
from retention_metrics.clv.beta_discrete_weibull import BetaDiscreteWeibull
from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.fitting import Fit
from retention_metrics.clv.model import Model
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.regression import Regression, base_of
from retention_metrics.clv.shifted_beta_geometric import ShiftedBetaGeometric
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, Result, TableResult, result

Floats = NDArray[np.float64]
Fits = Sequence[Fit[Any]] | Mapping[str, Fit[Any]]
_SAME = 1e-6  # log-likelihoods this close, relative to their size, are one
_WHAT_IS_SEEN = ("frequency", "recency", "T", "value", "duration", "churned")


@result
class ModelComparison(TableResult):
    """Fits to the same customers, the best by Akaike's criterion first.

    Attributes
    ----------
    customers : int
        Customers in every fit.
    """

    kind: ClassVar[str] = "clv.comparison"

    customers: int

    def explain(self) -> Explanation:
        """The Akaike weight of the best model: the last step."""
        behind = [float(row["aic_difference"]) for row in self.rows()]  # type: ignore[arg-type]
        return Explanation(
            formula="aic = 2 k - 2 log L; bic = k log(customers) - 2 log L; "
            "weight = exp(-difference / 2) over its sum across the models",
            values={"relative_likelihoods": [math.exp(-difference / 2) for difference in behind]},
            steps=(Step(name="aic_weight_of_the_best", expression="1 / sum(relative_likelihoods)"),),
            source="Burnham & Anderson (2002), Model selection and multimodel inference, 2nd ed., section 2.9.",
        )


def compare(fits: Fits) -> ModelComparison:
    """Log-likelihood and information criteria of fits to the same customers.

    Parameters
    ----------
    fits : sequence of Fit or mapping of str to Fit
        At least one. A mapping names the rows; otherwise a fit goes by its model's class.

    Returns
    -------
    ModelComparison
        A row per fit, smallest AIC first: ``model, parameters, log_likelihood, aic, aic_difference, aic_weight, bic,
        bic_difference, bic_weight``; differences are from the smallest, weights sum to 1.

    Raises
    ------
    InputError
        If the fits are of different customers, different units of time, or of likelihoods of different things.

    Notes
    -----
    Akaike weights are likelihoods of the models given the data, penalised for the number of parameters, as shares of
    their sum [1]_. Both criteria count a parameter on the edge of its range as a whole one, so that they are strict
    with models whose limit is among the others.

    References
    ----------
    .. [1] Burnham, K. P. & Anderson, D. R. (2002). *Model selection and multimodel inference*, 2nd ed. Springer.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> drawn = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(2000, 39.0), rng=2005)
    >>> table = rm.clv.compare([rm.clv.MBGNBD.fit(drawn), rm.clv.BGNBD.fit(drawn)])
    >>> table.to_frame()["model"].tolist()
    ['BGNBD', 'MBGNBD']
    """
    by_name = named_fits(fits)
    first = next(iter(by_name))
    notes = [note for name in by_name for note in _comparable(first, name, by_name)]

    ranked = sorted(by_name, key=lambda name: by_name[name].aic)
    chosen = [by_name[name] for name in ranked]
    aic, bic = (np.array([getattr(fit, criterion) for fit in chosen]) for criterion in ("aic", "bic"))

    penalised = [name for name in ranked if by_name[name].penalty > 0]
    if penalised:
        notes.append(f"{', '.join(penalised)}: a penalised fit lies below its maximum, and its criteria are too high.")
    return ModelComparison(
        columns=Columns(
            {
                "model": ranked,
                "parameters": [len(fit.model.parameters) for fit in chosen],
                "log_likelihood": [fit.log_likelihood for fit in chosen],
                "aic": aic.tolist(),
                "aic_difference": (aic - aic.min()).tolist(),
                "aic_weight": _weights(aic).tolist(),
                "bic": bic.tolist(),
                "bic_difference": (bic - bic.min()).tolist(),
                "bic_weight": _weights(bic).tolist(),
            }
        ),
        customers=chosen[0].customers,
        definition="clv.compare/information-criteria",
        unit=chosen[0].unit,
        notes=tuple(notes),
        backend=chosen[0].backend,
    )


def _weights(criterion: Floats) -> Floats:
    relative = np.exp(-(criterion - criterion.min()) / 2)
    return np.asarray(relative / relative.sum())


def named_fits(fits: Fits) -> dict[str, Fit[Any]]:
    """Fits by name; without names of their own by the class of the model."""
    return named(fits, kinds=(Fit,), words="a Fit")


def named(fits: Any, *, kinds: tuple[type, ...], words: str) -> dict[str, Any]:
    """Fits or models by name, checked."""
    single = isinstance(fits, (Fit, Model))
    listed = list(fits.values()) if isinstance(fits, Mapping) else [fits] if single else list(fits)
    for entry in listed:
        if not isinstance(entry, kinds):
            raise InputError(f"fits holds {words} for each model; got {type(entry).__name__}.", argument="fits")
    if not listed:
        raise InputError("fits holds at least one model; got none.", argument="fits", count=0)
    names = list(map(str, fits)) if isinstance(fits, Mapping) else [name_of(_model(entry)) for entry in listed]
    twins = [name for name in names if names.count(name) > 1]
    if twins:
        raise InputError(
            f"fits holds two of the name {twins[0]!r}.", argument="fits", fix='Name them: {"first": fit, "second": …}.'
        )
    return dict(zip(names, listed, strict=True))


def _model(entry: Any) -> Model:
    found: Model = entry.model if isinstance(entry, Fit) else entry
    return found


def _comparable(first: str, name: str, fits: Mapping[str, Fit[Any]]) -> list[str]:
    """Refuse two fits whose likelihoods are not of the same thing; a note where that cannot be known."""
    one, other = fits[first], fits[name]
    if one is other:
        return []
    if one.customers != other.customers:
        raise _other_data(first, name, f"{one.customers} and {other.customers} customers")
    if (one.unit or None) != (other.unit or None):
        raise _other_data(first, name, f"time in {one.unit or 'no unit'} and in {other.unit or 'no unit'}")
    if _likelihood_of(one.model) != _likelihood_of(other.model):
        raise _other_data(first, name, f"{_likelihood_of(one.model)} and {_likelihood_of(other.model)}")
    if one.data is None or other.data is None:
        lacking = first if one.data is None else name
        return [f"{lacking} has no data attached: that {first} and {name} are of the same customers is not checked."]
    if not _same_customers(one.data, other.data):
        raise _other_data(first, name, "customers with other histories")
    return []


def _other_data(first: str, name: str, found: str) -> InputError:
    return InputError(f"fits are of the same data to be compared; {first} and {name} are of {found}.", argument="fits")


def name_of(model: Model) -> str:
    """What a model goes by."""
    kind = type(base_of(model)).__name__
    return f"Regression[{kind}]" if isinstance(model, Regression) else kind


def _likelihood_of(given: Model) -> str:
    """What the likelihood is one of, in words."""
    model = base_of(given)
    if isinstance(model, PurchaseModel):
        timed = model.time_scales + model.time_rates
        return "purchases in continuous time" if timed else "purchases at opportunities"
    if isinstance(model, ContractModel):
        return "renewals under contract"
    return f"what {type(model).__name__} describes"


def _same_customers(one: Any, other: Any) -> bool:
    """Whether two tables hold the same customers, in any order and grouped or not; covariates may differ."""
    one, other = (getattr(data, "histories", data) for data in (one, other))
    names = [name for name in _WHAT_IS_SEEN if hasattr(one, name) and hasattr(other, name)]
    tables = [[np.asarray(getattr(data, name), dtype=np.float64) for name in names] for data in (one, other)]
    uncounted = one.counts is None and other.counts is None
    if uncounted and all(np.array_equal(left, right) for left, right in zip(*tables, strict=True)):
        return True
    found = [histories.distinct(table, data.counts) for table, data in zip(tables, (one, other), strict=True)]
    return all(np.array_equal(left, right) for left, right in zip(*found, strict=True))


@result
class LikelihoodRatio(Result):
    """Test of a smaller model within a larger one.

    Attributes
    ----------
    p_value : float
        Probability of a statistic at least as large if the smaller model is right.
    smaller, larger : str
        The models.
    log_likelihood_smaller, log_likelihood_larger : float
        Log-likelihoods at their maxima.
    degrees_of_freedom : int
        Parameters that the larger model has more.
    edge : int
        How many of them the smaller model puts on the edge of their range.
    """

    kind: ClassVar[str] = "clv.likelihood_ratio"

    p_value: float
    smaller: str
    larger: str
    log_likelihood_smaller: float
    log_likelihood_larger: float
    degrees_of_freedom: int
    edge: int

    def explain(self) -> Explanation:
        """Twice the difference of the log-likelihoods: the last step."""
        return Explanation(
            formula="statistic = 2 (log L of the larger model - log L of the smaller one); its distribution is "
            + _mixture_words(self.degrees_of_freedom, self.edge),
            values={
                "log_likelihood_larger": self.log_likelihood_larger,
                "log_likelihood_smaller": self.log_likelihood_smaller,
            },
            steps=(Step(name="statistic", expression="2 * (log_likelihood_larger - log_likelihood_smaller)"),),
            source="Self & Liang (1987), Journal of the American Statistical Association 82(398), cases 5 to 9."
            if self.edge
            else "Wilks (1938), Annals of Mathematical Statistics 9(1).",
        )


def likelihood_ratio(smaller: Fit[Any], larger: Fit[Any], *, edge: int | None = None) -> LikelihoodRatio:
    """Likelihood-ratio test of a model that is a special case of a larger one.

    Parameters
    ----------
    smaller, larger : Fit
        Unpenalised fits to the same customers; the smaller model is the larger one with some parameters fixed.
    edge : int, optional
        How many of those the smaller model puts on the edge of their range, from 0 to the number fixed. By default 1
        where the smaller model is one of the larger model's limits (nobody drops out; customers do not differ) and 0
        where covariates are what the larger model has more, or a Weibull's c that the smaller model has at 1.

    Returns
    -------
    LikelihoodRatio
        ``estimate`` is the statistic, with ``p_value``, ``degrees_of_freedom`` and ``edge``.

    Raises
    ------
    InputError
        If the fits are of different data or penalised, or the models are not nested.

    Notes
    -----
    Inside the parameters' range twice the gain in log-likelihood is chi-squared with as many degrees of freedom as
    parameters were fixed. A parameter on its edge, such as a dropout rate of 0 in Pareto/NBD against NBD, can be
    estimated on one side alone: half the time the larger model gains nothing by it, and the distribution is an even
    mixture of chi-squareds with and without that degree of freedom [1]_. With ``edge`` such parameters the weights
    are binomial, as for uncorrelated estimates. Where other parameters lose their meaning on the edge (the dropout
    rate's shape, when nobody drops out) even the mixture is approximate: it counts them in full, which makes the
    p-value too large rather than too small. A simulation from the smaller fit settles a close case.

    References
    ----------
    .. [1] Self, S. G. & Liang, K.-Y. (1987). Asymptotic properties of maximum likelihood estimators and likelihood
       ratio tests under nonstandard conditions. *Journal of the American Statistical Association* 82(398), 605-610.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> from retention_metrics.clv.limits import NBD
    >>> drawn = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(2000, 39.0), rng=2005)
    >>> test = rm.clv.likelihood_ratio(NBD.fit(drawn), rm.clv.BGNBD.fit(drawn))
    >>> test.degrees_of_freedom, test.edge, test.p_value < 0.001
    (2, 1, True)
    """
    for name, fit in (("smaller", smaller), ("larger", larger)):
        if not isinstance(fit, Fit):
            raise InputError(f"{name} is a Fit; got {type(fit).__name__}.", argument=name)
        if fit.penalty > 0:
            raise InputError(f"{name} is a fit without penalty; its penalty is {fit.penalty:g}.", argument=name)
    names = name_of(smaller.model), name_of(larger.model)
    notes = _comparable("smaller", "larger", {"smaller": smaller, "larger": larger})
    freedom = len(larger.model.parameters) - len(smaller.model.parameters)
    if freedom < 1:
        raise InputError(f"larger has more parameters than smaller; got {names[1]} and {names[0]}.", argument="larger")
    on_edge = _edge(smaller.model, larger.model, edge, freedom)
    statistic = 2 * (larger.log_likelihood - smaller.log_likelihood)
    if statistic < -_SAME * abs(larger.log_likelihood):
        raise InputError(
            f"smaller is a special case of larger; {names[0]} has the higher log-likelihood, "
            f"{smaller.log_likelihood:.3f} against {larger.log_likelihood:.3f}.",
            argument="smaller",
        )

    if on_edge:
        notes.append(
            f"{names[0]} lies on the edge of {names[1]}: the statistic's distribution is "
            f"{_mixture_words(freedom, on_edge)}."
        )
    return LikelihoodRatio(
        estimate=statistic,
        definition="clv.likelihood_ratio/chi-squared-mixture" if on_edge else "clv.likelihood_ratio/chi-squared",
        notes=tuple(notes),
        p_value=_tail(statistic, freedom, on_edge),
        smaller=names[0],
        larger=names[1],
        log_likelihood_smaller=smaller.log_likelihood,
        log_likelihood_larger=larger.log_likelihood,
        degrees_of_freedom=freedom,
        edge=on_edge,
    )


def _edge(smaller: Model, larger: Model, given: int | None, freedom: int) -> int:
    if given is not None:
        return int(_checks.number(_checks.count(given, name="edge"), name="edge", low=0, high=freedom))
    small, large = base_of(smaller), base_of(larger)
    if set(_coefficients(smaller)) <= set(_coefficients(larger)):
        if type(small) is type(large):
            return 0
        if isinstance(large, BetaDiscreteWeibull) and isinstance(small, ShiftedBetaGeometric):
            return 0  # c = 1 lies inside its range
        if isinstance(large, (PurchaseModel, ContractModel)) and type(small) in large._limits():
            return 1
    raise InputError(
        f"{name_of(smaller)} is not known as a special case of {name_of(larger)}.",
        argument="smaller",
        fix="If it is one, say how many of the fixed parameters lie on the edge of their range: edge=0, …",
    )


def _coefficients(model: Model) -> tuple[str, ...]:
    return tuple(model.coefficients) if isinstance(model, Regression) else ()


def _mixing(freedom: int, edge: int) -> list[tuple[float, int]]:
    """Weights and degrees of freedom of the mixture."""
    return [(math.comb(edge, free) / 2**edge, freedom - edge + free) for free in range(edge + 1)]


def _tail(statistic: float, freedom: int, edge: int) -> float:
    """Probability of at least this much; without a degree of freedom the statistic is 0 for certain."""
    parts = [
        weight * (float(stats.chi2.sf(statistic, degrees)) if degrees else float(statistic <= 0))
        for weight, degrees in _mixing(freedom, edge)
    ]
    return min(sum(parts), 1.0)


def _mixture_words(freedom: int, edge: int) -> str:
    if not edge:
        return f"chi-squared with {freedom} degrees of freedom"
    parts = [f"{weight:g} chi-squared({degrees})" for weight, degrees in _mixing(freedom, edge)]
    return f"the mixture {' + '.join(parts)}, a parameter on its edge being free on one side alone"
