"""Models whose parameters depend on covariates of the customers: effects on purchases and on dropout."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from retention_metrics import _checks
from retention_metrics.clv import batch, fitting, frames, newton
from retention_metrics.clv.covariates import Encoding
from retention_metrics.clv.model import Model, model
from retention_metrics.errors import FitError, InputError
from retention_metrics.explanation import Explanation
from retention_metrics.results import Columns, FrozenDict, TableResult, result

if TYPE_CHECKING:
    from retention_metrics._engine.adopt import NativeFrame
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.fitting import Fit, Spread
    from retention_metrics.clv.history import PurchaseHistory

Floats = NDArray[np.float64]
M = TypeVar("M", bound=Model)
M_co = TypeVar("M_co", bound=Model, covariant=True)
BOTH = "both"
Moves = tuple[tuple[int, int, int, int], ...]
"""Which coefficient moves which parameter, with which sign, through which column of a matrix of covariates."""


@model
class Regression(Model, Generic[M_co]):
    """A model whose customers differ by what is known about them [1]_.

    A covariate multiplies a parameter of the customer by ``exp(coefficient * value)``: the mean purchase rate, the
    odds (or, where customers may leave at any moment, the rate) of dropping out, the mean spend.

    Parameters
    ----------
    base : Model
        The model of a customer whose covariates are all 0, or at their reference level.
    coefficients : mapping of str to float
        By name: ``"purchase.age"``, ``"dropout.plan[pro]"``, or ``"both.age"`` where the two are held equal.
    encoding : Encoding
        How the columns become numbers.

    References
    ----------
    .. [1] Fader, P. S. & Hardie, B. G. S. (2007). Incorporating time-invariant covariates into the Pareto/NBD and
       BG/NBD models. http://www.brucehardie.com/notes/019/

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> base = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> encoding = rm.clv.Encoding(columns=("member",), levels=((),))
    >>> regression = rm.clv.Regression(base=base, coefficients={"purchase.member": 0.5}, encoding=encoding)
    >>> regression.at({"member": [0, 1]}).alpha.round(3)
    array([4.414, 2.677])
    """

    kind: ClassVar[str] = "clv.regression"

    base: M_co
    coefficients: Mapping[str, float]
    encoding: Encoding

    def __post_init__(self) -> None:
        checked = {name: _checks.number(value, name=name) for name, value in self.coefficients.items()}
        object.__setattr__(self, "coefficients", FrozenDict(checked))
        for name in checked:
            part, _, column = name.partition(".")
            if part not in (BOTH, *self.base.effects) or column not in self.encoding.names:
                raise InputError(
                    f"a coefficient is named after one of {', '.join(self.base.effects)} and one of "
                    f"{', '.join(map(repr, self.encoding.names))}, as in 'purchase.age'; got {name!r}.",
                    argument="coefficients",
                )

    @property
    def parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        """The parameters of the base model, then the coefficients."""
        return (*self.base.parameters, *self.coefficients)

    @property
    def coefficient_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The coefficients."""
        return tuple(self.coefficients)

    @property
    def shares(self) -> tuple[str, ...]:  # type: ignore[override]
        """Parameters of the base model that are probabilities."""
        return self.base.shares

    @property
    def beta_pairs(self) -> tuple[tuple[str, str], ...]:  # type: ignore[override]
        """Pairs of the base model that shape a beta distribution."""
        return self.base.beta_pairs

    @property
    def unit(self) -> str | None:
        """Unit of time of the base model; None where it has none."""
        return getattr(self.base, "unit", None)

    @property
    def theta(self) -> Floats:
        """The parameters and the coefficients as one array, in the order of ``parameters``."""
        return np.concatenate([self.base.theta, np.array(list(self.coefficients.values()), dtype=np.float64)])

    def with_theta(self, theta: Floats) -> Self:
        """The same regression at other parameters and coefficients.

        Parameters
        ----------
        theta : ndarray of float
            One value per name in ``parameters``.

        Returns
        -------
        Regression
            With the same encoding.
        """
        size = len(self.base.parameters)
        coefficients = dict(zip(self.coefficients, map(float, theta[size:]), strict=True))
        return dataclasses.replace(self, base=self.base.with_theta(theta[:size]), coefficients=coefficients)

    def to_odds(self, theta: Floats) -> Floats:  # type: ignore[override]
        """Base parameters as they climb, and the exponentials of the coefficients: all positive."""
        size = len(self.base.parameters)
        return np.concatenate([self.base.to_odds(theta[..., :size]), np.exp(theta[..., size:])], axis=-1)

    def from_odds(self, odds: Floats) -> Floats:  # type: ignore[override]
        """The parameters back from the scale of ``to_odds``."""
        size = len(self.base.parameters)
        return np.concatenate([self.base.from_odds(odds[..., :size]), np.log(odds[..., size:])], axis=-1)

    def log_slopes(self, theta: Floats) -> Floats:  # type: ignore[override]
        """Slope of each parameter in the log of its ``to_odds``: 1 for a coefficient."""
        size = len(self.base.parameters)
        return np.concatenate([self.base.log_slopes(theta[:size]), np.ones(theta.size - size)])

    def at(self, covariates: NativeFrame | Mapping[str, Any]) -> M_co:
        """The model of customers with these covariates.

        Parameters
        ----------
        covariates : dataframe or mapping of str to array_like
            A row per customer with the columns that the regression was fitted to; one value serves all customers.

        Returns
        -------
        Model
            Its parameters are arrays, one entry per customer, which broadcast with histories; they are numbers where
            each covariate is given as one value.

        Raises
        ------
        InputError
            If a column is not there, a value is missing, or a level was not there when the model was fitted.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> base = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
        >>> encoding = rm.clv.Encoding(columns=("member",), levels=((),))
        >>> regression = rm.clv.Regression(base=base, coefficients={"dropout.member": -0.4}, encoding=encoding)
        >>> regression.at({"member": [0, 1]}).probability_alive(2, 30.43, 38.86).round(3)
        array([0.727, 0.799])
        """
        given = covariates if isinstance(covariates, Mapping) else frames.covariates(covariates, self.encoding.columns)
        found = self._with_matrix(self.encoding.matrix(given))
        if not (isinstance(covariates, Mapping) and all(np.ndim(value) == 0 for value in covariates.values())):
            return found
        alone = {name: np.ravel(getattr(found, name)).item() for name in found.parameters}
        return dataclasses.replace(found, **alone)  # type: ignore[type-var]

    def _with_matrix(self, matrix: Floats) -> M_co:
        shifts = {part: np.zeros(matrix.shape[0]) for part in self.base.effects}
        for name, value in self.coefficients.items():
            part, _, column = name.partition(".")
            for affected in self.base.effects if part == BOTH else (part,):
                shifts[affected] += value * matrix[:, self.encoding.names.index(column)]
        changed: dict[str, Any] = {}
        for part, shift in shifts.items():
            parameter, sign = self.base.effects[part]
            if shift.any():
                changed[parameter] = getattr(self.base, parameter) * np.exp(sign * shift)
        return dataclasses.replace(self.base, **changed)  # type: ignore[type-var]

    def predict(
        self, history: PurchaseHistory | NativeFrame, *, horizon: float | None = None, **columns: str
    ) -> CustomerTable:
        """Add what to expect of each customer, given their covariates.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            With the columns of the covariates beside those of the histories.
        horizon : float, optional
            Time ahead of each customer's T, in the model's unit; models of purchases need it.
        **columns : str
            Columns of a plain frame, as in the base model's ``predict``.

        Returns
        -------
        CustomerTable
            The history's columns with what the base model's ``predict`` adds.

        Raises
        ------
        InputError
            If a covariate is missing or at a level that was not there when the model was fitted, or as in the base
            model's ``predict``.
        """
        return self._predict(history, horizon=horizon, columns=columns, spread=None)

    def _predict(
        self,
        history: PurchaseHistory | NativeFrame,
        *,
        horizon: float | None,
        columns: Mapping[str, str],
        spread: Spread[Any] | None,
    ) -> CustomerTable:
        table = frames.adopt(history, {**self.base.roles, **columns}, covariates=self.encoding.columns)
        return self.base._predict_by(table, Covariates(self, spread), horizon=horizon)

    def _contributions(self, data: Design) -> Floats:
        return self._with_matrix(data.matrix)._contributions(data.histories)

    def _log_likelihoods(self, data: Design, odds: Floats, *, threads: int | None) -> Floats:
        counts = np.ones(data.matrix.shape[0]) if data.counts is None else data.counts

        def likelihood(row: Floats) -> float:
            try:
                return float(self.with_theta(self.from_odds(row))._contributions(data) @ counts)
            except InputError:  # a coefficient so large that a customer's parameter is no number
                return -np.inf

        def values(block: Floats) -> Floats:
            return np.array([likelihood(row) for row in block])

        return batch.over_blocks(odds, counts.size, values, threads=threads)

    def _read(self, history: PurchaseHistory | NativeFrame, columns: Mapping[str, str | None]) -> Design:  # type: ignore[override]
        cls = type(self.base)
        table = frames.adopt(history, cls._fit_roles(columns), covariates=self.encoding.columns)
        data, cells, _ = cls._with_cells(table)
        moves = _moves(cls, self.encoding, tuple(self.coefficients))
        return Design(data, self.encoding.matrix(cells), moves, len(self.coefficients))

    def _objective(self, data: Design, *, threads: int | None) -> newton.Objective:  # type: ignore[override]
        return RegressionObjective(type(self.base), data, threads)

    def explain(self) -> Explanation:
        """What the parameters say about the customer at whom all covariates are 0.

        Returns
        -------
        Explanation
            The base model's working.
        """
        return self.base.explain()

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        caption, parameters = self.base._shown()
        return f"Regression of {caption}", {**parameters, **self.coefficients}

    def to_dict(self) -> dict[str, Any]:
        """The regression as JSON builtins.

        Returns
        -------
        dict
            ``kind``, ``schema``, ``base``, ``coefficients`` and ``encoding``.
        """
        own = {
            "base": self.base.to_dict(),
            "coefficients": dict(self.coefficients),
            "encoding": self.encoding.to_dict(),
        }
        return {"kind": self.kind, "schema": self.schema, **own}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The regression that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``, possibly by way of JSON.

        Returns
        -------
        Regression
            Equal to the one that was stored.

        Raises
        ------
        InputError
            If the dictionary describes another kind of model or a newer schema.
        """
        from retention_metrics.results import from_dict

        stored = cls._stored_fields(data)
        base: Any = from_dict(stored["base"])
        return cls(base=base, coefficients=stored["coefficients"], encoding=Encoding.from_dict(stored["encoding"]))


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Covariates(Generic[M]):
    """A regression, with the uncertainty of its parameters where intervals are wanted."""

    regression: Regression[M]
    spread: Spread[Regression[M]] | None

    def of(self, cells: Mapping[str, Any]) -> Callable[[Regression[M]], M]:
        """What a regression makes of the covariates of some rows."""
        matrix = self.regression.encoding.matrix(cells)
        return lambda regression: regression._with_matrix(matrix)


def base_of(model: Any) -> Any:
    """The model that covariates move, or the model itself."""
    return model.base if isinstance(model, Regression) else model


def of_one_customer(model: Any, covariates: NativeFrame | Mapping[str, Any] | None = None) -> Any:
    """The model of one customer: the model itself, a fit's, or a regression's at the covariates of that customer."""
    chosen = model.model if isinstance(model, fitting.Fit) else model
    if not isinstance(chosen, Regression):
        if covariates is not None:
            raise InputError(
                f"covariates are for a model that was fitted with some; got one of {type(chosen).__name__}.",
                argument="covariates",
            )
        return chosen
    columns = chosen.encoding.columns
    if covariates is None:
        raise InputError(
            f"covariates are those of one customer: {', '.join(columns)}; got none.",
            argument="covariates",
            fix="Give covariates={…}, or regression.at({…}) in the place of the model.",
        )
    given = covariates if isinstance(covariates, Mapping) else frames.covariates(covariates, columns)
    matrix = chosen.encoding.matrix(given)
    if matrix.shape[0] != 1:
        raise InputError(f"covariates are those of one customer; got {matrix.shape[0]} rows.", argument="covariates")
    own = chosen._with_matrix(matrix)
    return own.with_theta(np.array([np.ravel(getattr(own, name))[0] for name in own.parameters]))


def columns_of(*models: object) -> tuple[str, ...]:
    """The covariates that models read beside the histories, each once."""
    named = (column for model in models if isinstance(model, Regression) for column in model.encoding.columns)
    return tuple(dict.fromkeys(named))


def matrix_of(model: object, cells: Mapping[str, Any], rows: int) -> Floats:
    """What a model reads of the covariates of so many rows: a column per name of a regression's encoding."""
    if not isinstance(model, Regression):
        return np.zeros((rows, 0))
    matrix = model.encoding.matrix(cells)
    return np.broadcast_to(matrix, (rows, matrix.shape[1]))


def in_coefficients(model: Any, matrix: Floats, *slopes: Floats) -> list[Floats]:
    """Slopes in the log-parameters of a plain model, by row, as slopes in those of a regression of it."""
    if not isinstance(model, Regression):
        return list(slopes)
    moves = _moves(type(model.base), model.encoding, tuple(model.coefficients))
    reach = _reach(len(model.base.parameters), len(model.coefficients), moves, matrix)
    return [np.einsum("pn,pcn->cn", slope, reach) for slope in slopes]


def at_rows(model: Any, matrix: Floats) -> Any:
    """The model of rows with these covariates, as ``matrix_of`` gives them: a plain model is that of them all."""
    return model._with_matrix(matrix) if isinstance(model, Regression) else model


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Histories with the covariates of each, and what moves what."""

    histories: Any
    matrix: Floats
    moves: Moves
    coefficients: int

    @property
    def customers(self) -> int:
        """Number of customers."""
        return int(self.histories.customers)

    @property
    def counts(self) -> Floats | None:
        """Customers of each row; None for one each."""
        counts: Floats | None = self.histories.counts
        return counts


class RegressionObjective:
    """The log-likelihood of a regression, from the derivatives of each row in the parameters of the base model."""

    def __init__(self, cls: type[Model], design: Design, threads: int | None) -> None:
        self._cls, self._design, self._threads = cls, design, threads
        self._base = len(cls.parameters)

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in the parameters of ``to_odds``."""
        rows = self._design.matrix.shape[0]
        parts = newton.over_chunks(rows, lambda chunk: self._chunk(chunk, np.log(theta)), threads=self._threads)
        value = float(sum(part[0] for part in parts))
        gradient, hessian = sum(part[1] for part in parts), sum(part[2] for part in parts)
        # newton climbs in the logs of what it is given
        return value, gradient / theta, (hessian - np.diag(gradient)) / np.outer(theta, theta)

    def _chunk(self, rows: slice, log_theta: Floats) -> tuple[float, Floats, Floats]:
        """Sums of a chunk: value, gradient and Hessian in log-parameters and coefficients."""
        matrix, size = self._design.matrix[rows], self._base
        logs: list[Any] = list(log_theta[:size])
        for coefficient, parameter, sign, column in self._design.moves:
            logs[parameter] = logs[parameter] + sign * log_theta[size + coefficient] * matrix[:, column]
        terms = self._cls._rows(tuple(np.exp(value) for value in logs), self._design.histories, rows)
        at = np.exp(np.stack([np.broadcast_to(value, matrix.shape[:1]) for value in logs]))
        counts = self._design.histories.counts
        weights = np.ones(matrix.shape[0]) if counts is None else counts[rows]
        slopes = terms.slopes * at * weights
        curvatures = terms.curvatures * (at[:, None] * at[None]) * weights
        curvatures[np.arange(size), np.arange(size)] += slopes
        reach = _reach(size, self._design.coefficients, self._design.moves, matrix)
        gradient = np.einsum("pn,pcn->c", slopes, reach)
        hessian = np.einsum("pqn,pcn,qdn->cd", curvatures, reach, reach, optimize=True)
        return float(weights @ terms.value), gradient, hessian


def _reach(size: int, coefficients: int, moves: Moves, matrix: Floats) -> Floats:
    """Slopes of each row's log-parameters in those of the base model and in the coefficients."""
    reach = np.zeros((size, size + coefficients, matrix.shape[0]))
    reach[np.arange(size), np.arange(size)] = 1.0
    for coefficient, parameter, sign, column in moves:
        reach[parameter, size + coefficient] += sign * matrix[:, column]
    return reach


def fit(
    cls: type[M],
    history: PurchaseHistory | NativeFrame,
    *,
    roles: Mapping[str, str | None],
    purchase: Sequence[str],
    dropout: Sequence[str],
    equal: Sequence[str],
    penalty: float,
    threads: int | None,
) -> Fit[Regression[M]]:
    """Fit a model with covariates, from the maximum of the model without them."""
    wanted = _wanted(cls, purchase=purchase, dropout=dropout, equal=equal)
    columns = tuple(dict.fromkeys((*purchase, *dropout)))
    table = frames.adopt(history, roles, covariates=columns)
    data, cells, excluded = cls._with_cells(table)
    encoding = Encoding.learn({name: cells[name] for name in columns})
    names = _coefficient_names(encoding, wanted)
    design = Design(data, encoding.matrix(cells), _moves(cls, encoding, names), len(names))

    plain = cls._fit_rows(data, unit=table.unit, penalty=penalty, threads=threads)
    start = np.concatenate([plain.model.to_odds(plain.model.theta), np.ones(len(names))])
    centre = np.concatenate([plain.centre, np.zeros(len(names))])
    peak = newton.maximise(RegressionObjective(cls, design, threads), start, centre=centre, penalty=penalty)
    size = len(cls.parameters)
    coefficients = dict(zip(names, map(float, np.log(peak.theta[size:])), strict=True))
    if not peak.converged:
        largest = max(coefficients, key=lambda name: abs(coefficients[name]))
        raise FitError(
            f"{cls.__name__}.fit with covariates found no maximum: {largest} went to {coefficients[largest]:.4g}. "
            "A covariate that tells customers apart without exception, or one that others add up to, does that; leave "
            "one out, or give a positive penalty=.",
        )
    base: M = dataclasses.replace(plain.model, **_named(cls, peak.theta[:size]))  # type: ignore[type-var]
    found = fitting.outcome(
        Regression(base=base, coefficients=coefficients, encoding=encoding),
        peak,
        customers=design.customers,
        penalty=penalty,
        centre=centre,
        data=design,
        excluded={**table.excluded, **excluded},
        unit=table.unit,
        backend=table.backend,
    )
    # What the plain fit says of the data, such as the correlation of spend and frequency, holds here too.
    return dataclasses.replace(found, notes=(*found.notes, *plain.notes))


def _named(cls: type[Model], odds: Floats) -> dict[str, Any]:
    return dict(zip(cls.parameters, map(float, cls.from_odds(odds)), strict=True))


def _wanted(
    cls: type[Model], *, purchase: Sequence[str], dropout: Sequence[str], equal: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The columns of each part, those with equal coefficients apart."""
    given = {"purchase": tuple(purchase), "dropout": tuple(dropout)}
    for part, columns in given.items():
        if columns and part not in cls.effects:
            taken = " and ".join(f"{name}_covariates" for name in cls.effects) or "no covariates"
            raise InputError(
                f"{cls.__name__} has no {part}_covariates; it takes {taken}.", argument=f"{part}_covariates"
            )
    both = tuple(equal)
    apart = [name for name in both if not all(name in columns for columns in given.values())]
    if apart:
        raise InputError(
            f"equal_coefficients names covariates of purchases and of dropout alike; {apart[0]!r} is not in both.",
            argument="equal_coefficients",
        )
    return {part: tuple(n for n in columns if n not in both) for part, columns in given.items()} | {BOTH: both}


def _coefficient_names(encoding: Encoding, wanted: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    of_column = {column: Encoding(columns=(column,), levels=(levels,)).names for column, levels in encoding.pairs}
    pairs = ((part, column) for part, columns in wanted.items() for column in columns)
    return tuple(f"{part}.{name}" for part, column in pairs for name in of_column[column])


def _moves(cls: type[Model], encoding: Encoding, names: Sequence[str]) -> Moves:
    found = []
    for coefficient, name in enumerate(names):
        part, _, column = name.partition(".")
        for affected in cls.effects if part == BOTH else (part,):
            parameter, sign = cls.effects[affected]
            found.append((coefficient, cls.parameters.index(parameter), sign, encoding.names.index(column)))
    return tuple(found)


@result
class CoefficientTable(TableResult):
    """The coefficients of a regression with their tests.

    Attributes
    ----------
    level : float
        Probability content of the intervals.
    """

    kind: ClassVar[str] = "clv.coefficients"

    level: float

    def explain(self) -> Explanation:
        """The test of the first coefficient.

        Returns
        -------
        Explanation
            A coefficient over its standard error, against the normal distribution.
        """
        return Explanation(
            formula="z = estimate / standard_error; p = 2 * (1 - Phi(|z|))",
            values={"coefficients": self.columns.height},
            steps=(),
            source="Wald, A. (1943), Tests of statistical hypotheses concerning several parameters, "
            "Transactions of the American Mathematical Society 54(3).",
        )


def coefficients(fit: Fit[Any], *, level: float = 0.95) -> CoefficientTable:
    """Coefficients, their standard errors, Wald tests and intervals.

    Parameters
    ----------
    fit : Fit
        Of a model with covariates.
    level : float, default 0.95
        Probability content of each interval, in (0, 1).

    Returns
    -------
    CoefficientTable
        A row per coefficient: ``coefficient, estimate, standard_error, low, high, z, p_value, factor``, the last
        being the exponential of the estimate: what one unit more multiplies the affected parameter by.

    Raises
    ------
    InputError
        If the fit has no covariates.

    Notes
    -----
    ``z = estimate / standard_error``, compared with the normal distribution [1]_.

    References
    ----------
    .. [1] Wald, A. (1943). Tests of statistical hypotheses concerning several parameters when the number of
       observations is large. *Transactions of the American Mathematical Society* 54(3), 426-482.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> encoding = rm.clv.Encoding(columns=("member",), levels=((),))
    >>> base = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> regression = rm.clv.Regression(base=base, coefficients={"purchase.member": 0.8}, encoding=encoding)
    >>> member = np.arange(2000) % 2
    >>> drawn = regression.at({"member": member}).simulate(np.full(2000, 39.0), rng=2007).assign(member=member)
    >>> fit = rm.clv.BGNBD.fit(drawn, purchase_covariates=["member"])
    >>> row = rm.clv.coefficients(fit).rows()[0]
    >>> row["coefficient"], row["low"] < 0.8 < row["high"], row["p_value"] < 0.01
    ('purchase.member', True, True)
    """
    regression = fit.model
    if not isinstance(regression, Regression):
        raise InputError(
            f"coefficients belong to a fit with covariates; this is one of {type(regression).__name__}.", argument="fit"
        )
    names = list(regression.coefficients)
    estimates = np.array([regression.coefficients[name] for name in names])
    errors = np.array([fit.standard_errors[name] for name in names])
    intervals = fit.intervals(level)
    z = estimates / errors
    return CoefficientTable(
        columns=Columns(
            {
                "coefficient": names,
                "estimate": estimates.tolist(),
                "standard_error": errors.tolist(),
                "low": [intervals[name].low for name in names],
                "high": [intervals[name].high for name in names],
                "z": z.tolist(),
                "p_value": (2 * stats.norm.sf(np.abs(z))).tolist(),
                "factor": np.exp(estimates).tolist(),
            }
        ),
        definition="clv.coefficients/wald",
        backend=fit.backend,
        level=fitting.required_level(level),
    )
