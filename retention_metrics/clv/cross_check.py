"""A fit beside the one that the lifetimes package makes of the same customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import interchange
from retention_metrics.clv.gamma_gamma import GammaGamma
from retention_metrics.clv.model import Model
from retention_metrics.clv.pareto_nbd import ParetoNBD
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, TableResult, result

if TYPE_CHECKING:
    from retention_metrics.clv.fitting import Fit

Floats = NDArray[np.float64]
_CLOSE = 0.1  # standard errors between two optimisers' answers to one question
_CLIMBS = 10  # times that lifetimes' simplex may start anew
_SAME = 1e-6  # relative difference between two formulas for one number


@result
class CrossCheck(TableResult):
    """Our fit and lifetimes' fit of the same customers.

    Attributes
    ----------
    agrees : bool
        Whether the parameters lie within a tenth of a standard error of each other and the two packages' predictions
        at the same parameters agree to six digits.
    gain : float or None
        Our log-likelihood less that at lifetimes' parameters; None where lifetimes found none.
    """

    kind: ClassVar[str] = "clv.cross_check"

    agrees: bool
    gain: float | None

    def explain(self) -> Explanation:
        """The difference of the log-likelihoods: the last step."""
        (row,) = (row for row in self.rows() if row["quantity"] == "log_likelihood")
        return Explanation(
            formula="difference = ours - lifetimes, both log-likelihoods by our formula, each at its own parameters",
            values={"ours": float(row["ours"]), "lifetimes": _number(row["lifetimes"])},  # type: ignore[arg-type]
            steps=(Step(name="difference", expression="ours - lifetimes"),),
            source="lifetimes (Davidson-Pilon et al.), a package for Python.",
        )


def _number(cell: object) -> float | None:
    return float(cell) if isinstance(cell, (int, float)) else None


def cross_check(fit: Fit[Any], *, horizon: float | None = None) -> CrossCheck:
    """The fit beside lifetimes' of the same customers: see ``Fit.cross_check``."""
    data = fit._needs_data("cross_check()")
    if fit.penalty > 0:
        raise InputError(
            f"cross_check() is for fits without penalty, for lifetimes penalises in another way; got {fit.penalty:g}.",
            argument="penalty",
        )
    fitter = interchange.new_fitter(fit.model)
    rows = _Rows(fit.model, data)
    ahead = rows.usual_horizon if horizon is None else _checks.positive(horizon, name="horizon")
    with interchange.quiet():
        failure = rows.refit(fitter)
        here = rows.by_lifetimes(interchange.to_lifetimes(fit.model), ahead)
        there = None if failure else rows.by_lifetimes(fitter, ahead)

    theirs = None if failure else interchange.from_lifetimes(fitter, unit=getattr(fit.model, "unit", None))
    ours = rows.by_us(fit.model, ahead)
    height = None if theirs is None else rows.log_likelihood(theirs)
    table: dict[str, tuple[float | None, float | None]] = {
        name: (float(getattr(fit.model, name)), None if theirs is None else float(getattr(theirs, name)))
        for name in fit.model.parameters
    }
    table["log_likelihood"] = (fit.log_likelihood, height)
    for name, cells in ours.items():
        table[f"mean {name}"] = (rows.mean(cells), None if there is None else rows.mean(there[name]))
    unlike = {name: _largest(cells, here[name]) for name, cells in ours.items()}
    gain = None if height is None else fit.log_likelihood - height
    distance = 0.0 if theirs is None else _distance(fit, theirs)

    return CrossCheck(
        columns=Columns(
            {
                "quantity": list(table),
                "ours": [cell for cell, _ in table.values()],
                "lifetimes": [cell for _, cell in table.values()],
                "difference": [_less(cell, other) for cell, other in table.values()],
            },
            {"lifetimes": "number", "difference": "number"},
        ),
        agrees=theirs is not None and distance < _CLOSE and max(unlike.values()) < _SAME and not rows.broken(here),
        gain=gain,
        definition="clv.cross_check/lifetimes",
        unit=fit.unit,
        notes=_notes(failure, gain, distance, unlike, rows, here, ahead),
        backend=fit.backend,
    )


def _less(cell: float | None, other: float | None) -> float | None:
    return None if cell is None or other is None else cell - other


def _distance(fit: Fit[Any], theirs: Model) -> float:
    """The largest difference of a log-parameter, in standard errors."""
    apart = np.log(theirs.to_odds(theirs.theta)) - np.log(fit.model.to_odds(fit.model.theta))
    return float(np.max(np.abs(apart) / np.sqrt(np.diag(fit.log_covariance))))


def _largest(ours: Floats, theirs: Floats) -> float:
    """The largest relative difference where lifetimes gives a number."""
    known = np.isfinite(theirs)
    apart = np.abs(ours - theirs)[known] / np.maximum(np.abs(ours[known]), 1e-12)
    return float(apart.max(initial=0.0))


def _notes(
    failure: str,
    gain: float | None,
    distance: float,
    unlike: dict[str, float],
    rows: _Rows,
    here: dict[str, Floats],
    ahead: float,
) -> tuple[str, ...]:
    """What differs and why, in words."""
    said = []
    if failure:
        said.append(f"lifetimes found no fit: {failure}")
    elif gain is not None and gain < -1e-6 * rows.customers:
        said.append(f"lifetimes found a log-likelihood {-gain:.3g} higher: this fit is not at the maximum.")
    elif distance < _CLOSE:
        said.append(f"The parameters agree: they are within {distance:.2g} standard errors of each other.")
    else:
        said.append(
            f"The parameters are up to {distance:.2g} standard errors apart: lifetimes' optimiser stopped "
            f"{gain:.3g} below the maximum."
        )
    broken = rows.broken(here)
    if broken:
        said.append(
            f"lifetimes gives no finite number for {broken} of {rows.customers} customers at the same parameters: its "
            "formulas overflow for heavy buyers, ours are evaluated in logs."
        )
    off = {name: size for name, size in unlike.items() if size >= _SAME}
    said += [
        f"At the same parameters {name} differs by up to {size:.2g} of its value: lifetimes evaluates another formula "
        "or loses digits in it."
        for name, size in off.items()
    ]
    if not off:
        said.append("At the same parameters both packages predict the same, to six digits.")
    if "expected_purchases" in unlike:
        said.append(f"Expected purchases are over {ahead:.6g} units of time ahead.")
    return tuple(said)


def _climb_again(fitter: Any, *history: Floats, weights: NDArray[np.int64]) -> None:
    """Let lifetimes climb from a fixed start, and on from where it stopped until it stays.

    Left alone, its Pareto/NBD draws a start from NumPy's global state, and its simplex often collapses short of the
    maximum.
    """
    start, height = np.ones(4), np.inf
    for _ in range(_CLIMBS):
        fitter.fit(*history, weights=weights, initial_params=start)
        lower = float(fitter._negative_log_likelihood_)
        if height - lower <= 1e-7 * abs(lower):
            return
        height = lower
        start = fitter.params_.to_numpy() * np.array([1.0, fitter._scale, 1.0, fitter._scale])


class _Rows:
    """The rows of a fit, as lifetimes and as we read them."""

    def __init__(self, model: Model, data: Any) -> None:
        self._model, self._data = model, data
        self._spend = isinstance(model, GammaGamma)
        self._counts = np.ones(data.frequency.size) if data.counts is None else data.counts
        self.customers = int(self._counts.sum())

    @property
    def usual_horizon(self) -> float:
        """The mean time under observation, in whole units where it is longer than one."""
        if self._spend:
            return 1.0
        mean = float(np.average(self._data.T, weights=self._counts))
        return float(np.ceil(mean)) if mean > 1 else mean

    @property
    def _history(self) -> tuple[Floats, ...]:
        data = self._data
        return (data.frequency, data.value) if self._spend else (data.frequency, data.recency, data.T)

    def mean(self, cells: Floats) -> float | None:
        """Mean over the customers for whom there is a number."""
        known = np.isfinite(cells)
        return float(np.average(cells[known], weights=self._counts[known])) if known.any() else None

    def broken(self, answers: dict[str, Floats]) -> int:
        """Customers for whom an answer is no finite number."""
        bad = np.zeros(self._counts.size, dtype=bool)
        for cells in answers.values():
            bad |= ~np.isfinite(cells)
        return int(self._counts[bad].sum())

    def refit(self, fitter: Any) -> str:
        """Let lifetimes fit; why it could not, in its own words."""
        weights = self._counts.astype(np.int64)
        try:
            if isinstance(self._model, ParetoNBD):
                _climb_again(fitter, *self._history, weights=weights)
            else:
                fitter.fit(*self._history, weights=weights)
        except Exception as error:  # whatever its optimiser ends with
            return " ".join(str(error).split())[:200] or type(error).__name__
        return ""

    def log_likelihood(self, model: Model) -> float:
        """Our log-likelihood of all customers."""
        return float(self._counts @ model._contributions(self._data))

    def by_us(self, model: Any, ahead: float) -> dict[str, Floats]:
        """Our predictions, a value per row."""
        if self._spend:
            return {"expected_value": np.asarray(model.expected_value(*self._history))}
        return {
            "probability_alive": np.asarray(model.probability_alive(*self._history)),
            "expected_purchases": np.asarray(model.expected_purchases(*self._history, horizon=ahead)),
        }

    def by_lifetimes(self, fitter: Any, ahead: float) -> dict[str, Floats]:
        """The same of a fitter of lifetimes."""
        if self._spend:
            found = {"expected_value": fitter.conditional_expected_average_profit(*self._history)}
        elif hasattr(fitter, "expected_number_of_transactions_in_first_n_periods"):
            # Its P(alive) is that of the first of the periods ahead, counted from the end of observation.
            history = tuple(cells.astype(np.int64) for cells in self._history)
            found = {
                "probability_alive": fitter.conditional_probability_alive(0, *history),
                "expected_purchases": fitter.conditional_expected_number_of_purchases_up_to_time(ahead, *history),
            }
        else:
            found = {
                "probability_alive": fitter.conditional_probability_alive(*self._history),
                "expected_purchases": fitter.conditional_expected_number_of_purchases_up_to_time(ahead, *self._history),
            }
        return {name: np.asarray(cells, dtype=np.float64).reshape(-1) for name, cells in found.items()}
