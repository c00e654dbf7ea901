"""Gamma-Gamma: spend per purchase that varies around each customer's own mean."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from retention_metrics import _checks
from retention_metrics.clv import batch, fitting, newton
from retention_metrics.clv.likelihood import levels_of
from retention_metrics.clv.model import Model, model
from retention_metrics.clv.parts import Terms
from retention_metrics.errors import FitError, InputError
from retention_metrics.explanation import Explanation, Step

if TYPE_CHECKING:
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.fitting import Fit, Spread
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.regression import Covariates, Regression

Floats = NDArray[np.float64]
NO_REPEAT, ZERO_VALUE = "no_repeat_purchase", "zero_monetary_value"


@dataclass(frozen=True, slots=True, eq=False)
class Spending:
    """Mean spend of repeat buyers, a row per customer or per distinct pair."""

    frequency: Floats
    value: Floats
    counts: Floats | None = None

    @property
    def customers(self) -> int:
        """Number of customers."""
        return int(self.value.size if self.counts is None else round(float(self.counts.sum())))


@model
class GammaGamma(Model):
    """Gamma-Gamma model of spend per purchase [1]_.

    A customer's purchases are Gamma(p, nu) with a customer's own nu ~ Gamma(q, v): the mean spend varies across
    customers and not with how often they buy.

    Parameters
    ----------
    p : float
        Shape of a customer's purchases, above 0.
    q : float
        Shape of nu across customers, above 0; with q of at most 1 the mean spend across customers is infinite.
    v : float
        Scale of nu across customers, above 0, in money.

    Raises
    ------
    InputError
        If a parameter is not a positive number.

    References
    ----------
    .. [1] Fader, P. S. & Hardie, B. G. S. (2013). The Gamma-Gamma model of monetary value.
       http://www.brucehardie.com/notes/025/

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
    >>> model.expected_value([0, 2], [0.0, 22.35]).round(2)
    array([35.22, 24.66])
    """

    kind: ClassVar[str] = "clv.gamma_gamma"
    effects: ClassVar[Mapping[str, tuple[str, int]]] = MappingProxyType({"purchase": ("v", 1)})
    roles: ClassVar[Mapping[str, str | None]] = MappingProxyType(
        {"frequency": "frequency", "monetary_value": "monetary_value"}
    )
    parameters: ClassVar[tuple[str, ...]] = ("p", "q", "v")

    p: float
    q: float
    v: float

    def expected_value(self, frequency: ArrayLike, monetary_value: ArrayLike) -> Floats:
        """Expected spend per purchase of a customer with this history.

        Parameters
        ----------
        frequency : array_like of int
            Repeat purchases, at least 0. Both arguments broadcast.
        monetary_value : array_like of float
            Mean spend of the repeat purchases, at least 0, in money. Not read where frequency is 0, where it may
            be missing.

        Returns
        -------
        ndarray of float
            In money; a scalar for scalars. Infinite where the model's mean is: for a customer without repeat
            purchase when q is at most 1.

        Raises
        ------
        InputError
            If frequency is not a whole number of at least 0, or a value is negative, or missing for a repeat
            buyer.

        Notes
        -----
        ``p (v + x m) / (p x + q - 1)``: a weighted mean of the customer's own mean m over x purchases and the
        population's ``p v / (q - 1)``.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> round(float(rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44).expected_value(0, None)), 2)
        35.22
        """
        x, value = _check(frequency, monetary_value)

        answer = self._mean(x, value)

        return answer[()]

    def log_likelihood(self, frequency: ArrayLike, monetary_value: ArrayLike) -> Floats:
        """Log-likelihood of each repeat buyer's mean spend.

        Parameters
        ----------
        frequency : array_like of int
            Repeat purchases, at least 1. Both arguments broadcast.
        monetary_value : array_like of float
            Mean spend of the repeat purchases, above 0, in money.

        Returns
        -------
        ndarray of float
            One value per customer; a scalar for scalars.

        Raises
        ------
        InputError
            If frequency is not a whole number of at least 1 or a value is not positive.

        Notes
        -----
        The log of equation 1a of the paper.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> round(float(rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44).log_likelihood(2, 22.35)), 4)
        -3.5513
        """
        x = _checks.whole(frequency, name="frequency", low=1)
        value = _checks.floats(monetary_value, name="monetary_value", low=0.0)
        _checks.refuse(value == 0, value, name="monetary_value", rule="is above 0")

        px = self.p * x
        kernel = self.q * np.log(self.v / (self.v + x * value)) - px * np.log1p(self.v / (x * value))
        answer = special.gammaln(px + self.q) - special.gammaln(px) - special.gammaln(self.q) + kernel - np.log(value)

        return answer[()]

    @overload
    @classmethod
    def fit(
        cls,
        history: PurchaseHistory | object,
        *,
        frequency: str = ...,
        monetary_value: str = ...,
        counts: str | None = ...,
        penalty: float = ...,
        threads: int | None = ...,
    ) -> Fit[GammaGamma]: ...

    @overload
    @classmethod
    def fit(
        cls,
        history: PurchaseHistory | object,
        *,
        frequency: str = ...,
        monetary_value: str = ...,
        counts: str | None = ...,
        penalty: float = ...,
        purchase_covariates: Sequence[str] = ...,
        threads: int | None = ...,
    ) -> Fit[Regression[GammaGamma]]: ...

    @classmethod
    def fit(
        cls,
        history: PurchaseHistory | object,
        *,
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        counts: str | None = None,
        penalty: float = 0.0,
        purchase_covariates: Sequence[str] = (),
        threads: int | None = None,
    ) -> Fit[GammaGamma] | Fit[Regression[GammaGamma]]:
        """Fit to repeat buyers by maximum likelihood.

        Parameters
        ----------
        history : PurchaseHistory or dataframe
            From ``rfm_summary`` or ``history``, or any frame with the columns named below.
        frequency, monetary_value : str
            Columns of a plain frame: repeat purchases, and their mean spend (missing or 0 where there are none).
        counts : str, optional
            Column with the number of customers that share a row; one each by default.
        penalty : float, default 0
            Weight of half the squared distance of log p and log q from 0 and of log v from the log of the mean
            spend, subtracted from the log-likelihood. At least 0. It pulls coefficients to 0.
        purchase_covariates : sequence of str, optional
            Columns, of numbers or of labels, that move the customer's mean spend per purchase.
        threads : int, optional
            Threads to use from 100,000 rows on; the answer has the same bits for any number.

        Returns
        -------
        Fit
            The model, with covariates a ``Regression``; customers without repeat purchase and repeat buyers whose mean
            spend is 0 are set aside and counted in ``excluded``.

        Raises
        ------
        InputError
            If a value is negative, or missing for a repeat buyer.
        FitError
            If the data identify no model, or the likelihood has no maximum.

        Examples
        --------
        >>> import pandas as pd
        >>> import retention_metrics as rm
        >>> money = [9.0, 31.0, 24.0, 12.0, None, 60.0]
        >>> spent = pd.DataFrame({"frequency": [1, 2, 4, 3, 0, 2], "monetary_value": money})
        >>> fit = rm.clv.GammaGamma.fit(spent, penalty=0.1)
        >>> fit.customers, fit.excluded["no_repeat_purchase"]
        (5, 1)
        """
        from retention_metrics.clv import frames, regression

        weight = _checks.non_negative(penalty, name="penalty")
        roles = {"frequency": frequency, "monetary_value": monetary_value, "counts": counts}
        if purchase_covariates:
            return regression.fit(
                cls,
                history,
                roles=roles,
                purchase=purchase_covariates,
                dropout=(),
                equal=(),
                penalty=weight,
                threads=threads,
            )
        return _fit(cls, frames.adopt(history, roles), penalty=weight, threads=threads)

    def explain(self) -> Explanation:
        """What the parameters say about the average customer.

        Returns
        -------
        Explanation
            The mean spend per purchase across customers: the last step.
        """
        return Explanation(
            formula="spend per purchase ~ Gamma(p, nu); nu ~ Gamma(q, v) across customers; mean = p * v / (q - 1)",
            values={"p": self.p, "q": self.q, "v": self.v},
            steps=(Step(name="mean_spend_per_purchase", expression="p * v / (q - 1)"),),
            source="Fader & Hardie (2013), The Gamma-Gamma model of monetary value.",
        )

    def simulate(self, frequency: ArrayLike, *, rng: np.random.Generator | int | None = None) -> Floats:
        """Draw the mean spend of customers with these numbers of purchases.

        Parameters
        ----------
        frequency : array_like of int, shape (n_customers,)
            Repeat purchases, at least 0.
        rng : numpy.random.Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        ndarray of float, shape (n_customers,)
            Mean spend per purchase in money; NaN, that is missing, for a customer without purchases.

        Raises
        ------
        InputError
            If frequency is not a whole number of at least 0.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> bool(rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44).simulate([3, 1], rng=1).min() > 0)
        True
        """
        x = _checks.whole(frequency, name="frequency")
        generator = np.random.default_rng(rng)

        nu = generator.gamma(self.q, 1 / self.v, size=x.shape)
        total = generator.gamma(self.p * np.maximum(x, 1), 1 / nu)

        return np.where(x > 0, total / np.maximum(x, 1), np.nan)

    def _mean(self, x: Floats, value: Floats) -> Floats:
        below = self.p * x + self.q - 1
        above = self.p * (self.v + x * np.where(x > 0, value, 0.0))
        answer: Floats = np.where(below > 0, above / np.where(below > 0, below, 1.0), np.inf)
        return answer

    def _predict(
        self,
        history: PurchaseHistory | object,
        *,
        horizon: float | None,
        columns: Mapping[str, str],
        spread: Spread[GammaGamma] | None,
    ) -> CustomerTable:
        from retention_metrics.clv import frames

        if horizon is not None:
            raise InputError(f"horizon is for models of purchases; got {horizon!r}.", argument="horizon")
        names = {"frequency": "frequency", "monetary_value": "monetary_value", **columns}
        table = frames.adopt(history, names)
        found = Money(self, spread)

        def formula(by: Mapping[str, Any]) -> dict[str, Any]:
            return found.columns("expected_value", by, by["_share"], 0.0)

        return table.with_spending(found.parts, definition=f"{self.kind}/predict", formula=formula)

    @classmethod
    def _read(cls, history: PurchaseHistory | object, columns: Mapping[str, str | None]) -> Spending:
        from retention_metrics.clv import frames

        names = {"frequency": "frequency", "monetary_value": "monetary_value", "counts": None, **columns}
        return repeat_buyers(frames.adopt(history, names))[0]

    @classmethod
    def _with_cells(cls, table: HistoryTable) -> tuple[Spending, Mapping[str, Any], Mapping[str, int]]:
        frequency, value, counts, cells = table.spending_by()
        data, kept, excluded = _kept(frequency, value, counts)
        return data, {name: column[kept] for name, column in cells.items()}, excluded

    @classmethod
    def _fit_rows(cls, data: Spending, *, unit: str | None, penalty: float, threads: int | None) -> Fit[GammaGamma]:
        return _fit_spending(cls, data, excluded={}, backend="pandas", penalty=penalty, threads=threads)

    @classmethod
    def _rows(cls, theta: tuple[Floats, ...], data: Spending, rows: slice) -> Terms:
        p, q, v = theta
        return spend_terms(p, q, v, data.frequency[rows], data.value[rows])

    def _predict_by(
        self, table: HistoryTable, covariates: Covariates[GammaGamma], *, horizon: float | None
    ) -> CustomerTable:
        if horizon is not None:
            raise InputError(f"horizon is for models of purchases; got {horizon!r}.", argument="horizon")
        found = Money(covariates.regression, covariates.spread)

        def formula(by: Mapping[str, Any]) -> dict[str, Any]:
            return found.columns("expected_value", by, by["_share"], 0.0)

        return table.with_spending_by(found.parts, definition=f"{self.kind}/regression/predict", formula=formula)

    def _contributions(self, data: Spending) -> Floats:
        return self.log_likelihood(data.frequency, data.value)

    @classmethod
    def _objective(cls, data: Spending, *, threads: int | None) -> newton.Objective:
        return _SpendObjective(data, threads)

    def _log_likelihoods(self, data: Spending, odds: Floats, *, threads: int | None) -> Floats:
        return batch.spend_values(data, odds, threads=threads)


class Money:
    """Expected spend as arithmetic over money, which an engine can run: parts of the frequency come as columns.

    With u = v / (v + x m), the delta-method variance of the log of the expected spend is quadratic in u. Given
    covariates, v is the customer's own, and log v moves with each coefficient by its covariate.
    """

    def __init__(self, spend: GammaGamma | Regression[GammaGamma], spread: Spread[Any] | None) -> None:
        self._spend = spend
        self._spread = spread

    def parts(self, frequency: Floats, cells: Mapping[str, Any] | None = None) -> dict[str, Floats]:
        """What multiplies ``v + x m``, and the variance's coefficients, for each frequency and its covariates."""
        from retention_metrics.clv.regression import at_rows, in_coefficients, matrix_of

        x = _checks.whole(frequency, name="frequency")
        matrix = matrix_of(self._spend, cells or {}, x.size)
        model: GammaGamma = at_rows(self._spend, matrix)
        below = model.p * x + model.q - 1
        if (below <= 0).any():
            raise InputError(
                f"the spend model's q is above 1 where customers have made few purchases; got q = {model.q:.4g}, "
                f"with which the mean spend of {int((below <= 0).sum())} of {x.size} histories is infinite.",
                argument="spend",
                count=int((below <= 0).sum()),
            )
        found = {"_share": model.p / below}
        if model.varies:
            found["_v"] = np.broadcast_to(model.v, x.shape)
        if self._spread is not None:
            covariance = self._spread.log_covariance
            slopes = np.stack([1 - model.p * x / below, -model.q / below, np.zeros(x.size)])
            fixed, scale = in_coefficients(
                self._spend, matrix, slopes, np.broadcast_to([[0.0], [0.0], [1.0]], slopes.shape)
            )
            for name, left, right in (
                ("_fixed", fixed, fixed),
                ("_linear", 2 * scale, fixed),
                ("_square", scale, scale),
            ):
                found[name] = np.einsum("in,ij,jn->n", left, covariance, right)
        return found

    def whole(self, by: Mapping[str, Any]) -> Any:
        """``v + x m``."""
        return self._v(by) + by["frequency"] * by["monetary_value"]

    def _v(self, by: Mapping[str, Any]) -> Any:
        from retention_metrics.clv.regression import base_of

        return by["_v"] if "_v" in by else base_of(self._spend).v

    def columns(self, name: str, by: Mapping[str, Any], weight: Any, variance: Any) -> dict[str, Any]:
        """``weight * (v + x m)``, with an interval when there is a spread; ``variance`` is added to its own."""
        whole = self.whole(by)
        estimate = whole * weight
        if self._spread is None:
            return {name: estimate}
        u = self._v(by) / whole
        total = by["_fixed"] + by["_linear"] * u + by["_square"] * u * u + variance
        factor = math.e ** (total**0.5 * self._spread.quantile)
        return {name: estimate, f"{name}_low": estimate / factor, f"{name}_high": estimate * factor}


def _check(frequency: ArrayLike, monetary_value: ArrayLike) -> tuple[Floats, Floats]:
    x = _checks.whole(frequency, name="frequency")
    value = _checks.floats(monetary_value, name="monetary_value", low=0.0, allow_missing=True)
    try:
        x, value = np.broadcast_arrays(x, value)
    except ValueError:
        shapes = f"{x.shape} and {value.shape}"
        raise InputError(f"frequency and monetary_value broadcast; got {shapes}.", argument="monetary_value") from None
    _checks.refuse(
        (x > 0) & np.isnan(value),
        value,
        name="monetary_value",
        rule="is there for every customer with repeat purchases",
    )
    return x, value


def repeat_buyers(table: HistoryTable) -> tuple[Spending, dict[str, int]]:
    found, _, excluded = _kept(*table.spending())
    return found, excluded


def _kept(
    frequency: Floats, value: Floats, counts: Floats | None
) -> tuple[Spending, NDArray[np.bool_], dict[str, int]]:
    """Repeat buyers who spent something, which rows they are, and the customers left out by reason."""
    x, money = _check(frequency, value)
    weights = np.ones(x.size) if counts is None else counts
    repeat = x > 0
    kept = repeat & (money > 0)
    excluded = {NO_REPEAT: int(weights[~repeat].sum()), ZERO_VALUE: int(weights[repeat & ~kept].sum())}
    found = Spending(x[kept], money[kept], None if counts is None else counts[kept])
    return found, kept, {reason: number for reason, number in excluded.items() if number}


def _fit(cls: type[GammaGamma], table: HistoryTable, *, penalty: float, threads: int | None) -> Fit[GammaGamma]:
    data, excluded = repeat_buyers(table)
    left_out = {**table.excluded, **excluded}
    return _fit_spending(cls, data, excluded=left_out, backend=table.backend, penalty=penalty, threads=threads)


def _fit_spending(
    cls: type[GammaGamma],
    data: Spending,
    *,
    excluded: Mapping[str, int],
    backend: str,
    penalty: float,
    threads: int | None,
) -> Fit[GammaGamma]:
    from retention_metrics.clv import correlation

    if data.customers < 2 or np.unique(data.value).size < 2:
        raise fitting.unidentified(cls.__name__, f"{data.customers} repeat buyers show no difference in spend")
    mean = float(np.average(data.value, weights=data.counts))
    centre = np.array([0.0, 0.0, np.log(mean)])
    peak = newton.maximise(
        _SpendObjective(data, threads),
        np.array([2.0, 3.0, mean]),
        centre=centre,
        penalty=penalty,
        escaped=_runs_away if penalty == 0 else newton.no_escape,
    )
    if not peak.converged:
        p, q, v = peak.theta
        raise FitError(
            f"GammaGamma.fit found no maximum: the likelihood rises without end, past p = {p:.4g}, q = {q:.4g}, "
            f"v = {v:.4g}. " + _what_is_missing(p, q) + " A positive penalty= gives an answer.",
        )
    p, q, v = map(float, peak.theta)
    found = fitting.outcome(
        cls(p=p, q=q, v=v),
        peak,
        customers=data.customers,
        penalty=penalty,
        centre=centre,
        data=data,
        excluded=excluded,
        unit=None,
        backend=backend,
    )
    note, doubt = correlation.dependence(data)
    return dataclasses.replace(
        found,
        notes=(*found.notes, note),
        diagnostics=found.diagnostics if doubt is None else (*found.diagnostics, doubt),
    )


def _runs_away(theta: Floats) -> bool:
    """Whether the climb has left the region in which purchases and customers both differ."""
    return bool(max(theta[0], theta[1]) > 1e6 or min(theta[0], theta[1]) < 1e-6)


def _what_is_missing(p: float, q: float) -> str:
    if q > p:
        return "The customers' mean spends do not differ by more than their purchases do."
    return "The purchases of a customer do not differ."


def spend_terms(p: Floats, q: Floats, v: Floats, x: Floats, value: Floats) -> Terms:
    """Log-likelihood of each mean spend with its derivatives in p, q and v, which may differ by row."""
    total = x * value
    whole = v + total
    log_scale, log_share, inverse = np.log(v / whole), np.log(total / whole), 1 / whole
    gamma, digamma = special.gammaln, special.digamma
    px, both = p * x, digamma(p * x + q)
    curve, curve_px = special.polygamma(1, px + q), special.polygamma(1, px)
    found = gamma(px + q) - gamma(px) - gamma(q) + q * log_scale + px * log_share - np.log(value)
    slopes = [x * (both - digamma(px) + log_share), both - digamma(q) + log_scale, q / v - (px + q) * inverse]
    across_qv = 1 / v - inverse
    curvatures = [
        [x**2 * (curve - curve_px), x * curve, -x * inverse],
        [x * curve, curve - special.polygamma(1, q), across_qv],
        [-x * inverse, across_qv, (px + q) * inverse**2 - q / v**2],
    ]
    rows = [np.stack(np.broadcast_arrays(*row)) for row in (slopes, *curvatures)]
    return Terms(found, rows[0], np.stack(rows[1:]))


class _SpendObjective:
    """Log-likelihood of mean spends, from a few sums per step."""

    def __init__(self, data: Spending, threads: int | None) -> None:
        self._threads = threads
        self._data = data
        self.levels, self._at_level = levels_of(data.frequency, data.counts)
        counts = np.ones(1) if data.counts is None else data.counts
        total = data.frequency * data.value
        # Constants of the data: sum of x log(x m), and of -log m.
        self._log_totals = float(np.sum(counts * data.frequency * np.log(total)))
        self._log_values = float(np.sum(counts * np.log(data.value)))
        self._total = total
        self._customers = float(self._at_level.sum())

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in p, q and v."""
        p, q, v = map(float, theta)
        parts = newton.over_chunks(self._total.size, lambda rows: self._chunk(rows, v), threads=self._threads)
        logs, x_logs, inverse, x_inverse, square, x_square = np.sum(parts, axis=0)
        x, n = self.levels, self._at_level
        gamma, digamma, trigamma = special.gammaln, special.digamma, special.polygamma
        customers = self._customers
        value = (
            float(n @ (gamma(p * x + q) - gamma(p * x)))
            + customers * (q * np.log(v) - float(gamma(q)))
            + p * self._log_totals
            - self._log_values
            - p * x_logs
            - q * logs
        )
        both = digamma(p * x + q)
        curve = trigamma(1, p * x + q)
        slope_p = n @ (x * (both - digamma(p * x))) + self._log_totals - x_logs
        slope_q = n @ both + customers * (np.log(v) - digamma(q)) - logs
        slope_v = customers * q / v - p * x_inverse - q * inverse
        curve_pp = n @ (x**2 * (curve - trigamma(1, p * x)))
        curve_pq = n @ (x * curve)
        curve_qq = n @ curve - customers * trigamma(1, q)
        curve_vv = -customers * q / v**2 + p * x_square + q * square
        curve_qv = customers / v - inverse
        hessian = np.array(
            [[curve_pp, curve_pq, -x_inverse], [curve_pq, curve_qq, curve_qv], [-x_inverse, curve_qv, curve_vv]]
        )
        return float(value), np.array([slope_p, slope_q, slope_v], dtype=float), hessian.astype(float)

    def _chunk(self, rows: slice, v: float) -> Floats:
        x, counts = self._data.frequency[rows], self._data.counts
        whole = v + self._total[rows]
        logs, inverse = np.log(whole), 1 / whole
        if counts is None:
            return np.array(
                [logs.sum(), x @ logs, inverse.sum(), x @ inverse, inverse @ inverse, (x * inverse) @ inverse]
            )
        c = counts[rows]
        weighted = c * inverse
        return np.array(
            [c @ logs, (c * x) @ logs, weighted.sum(), x @ weighted, weighted @ inverse, (x * weighted) @ inverse]
        )
