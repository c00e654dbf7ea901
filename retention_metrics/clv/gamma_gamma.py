"""Gamma-Gamma: spend per purchase that varies around each customer's own mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, overload

import numpy as np
from numpy.typing import NDArray
from scipy import special

from retention_metrics import _checks
from retention_metrics.clv import batch, newton
from retention_metrics.clv.likelihood import levels_of
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import Terms
from retention_metrics.clv.special import gamma_excess, log_ratio
from retention_metrics.clv.spend_limits import SPEND_LIMITS
from retention_metrics.clv.spend_model import Money, Spending, SpendModel, kept_of
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step

if TYPE_CHECKING:
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.fitting import Fit
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.regression import Covariates, Regression

Floats = NDArray[np.float64]
_LARGE = 1e4  # shapes from which sums of gamma functions lose digits that matter
_AWAY = 100.0  # of a shape that is infinite in a limit, where the climb from beside it begins


@model
class GammaGamma(SpendModel):
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
    parameters: ClassVar[tuple[str, ...]] = ("p", "q", "v")
    money_scales: ClassVar[tuple[str, ...]] = ("v",)
    mixes: ClassVar[bool] = True

    p: float
    q: float
    v: float

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
            If the data identify no model, or the likelihood has no maximum; then ``error.limit`` is the fit of the
            limiting model where one is known.

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
        from retention_metrics.clv import frames, regression, spend_fit

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
        return spend_fit.fit(cls, frames.adopt(history, roles), penalty=weight, threads=threads)

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

    @classmethod
    def _limits(cls) -> tuple[type[SpendModel], ...]:
        return SPEND_LIMITS

    @classmethod
    def _beside(cls, limit: SpendModel) -> Floats:
        at = {name: float(getattr(limit, name)) for name in limit.parameters}
        if "s" in at:
            return np.array([_AWAY, at["q"], at["s"] / _AWAY])
        return np.array([at["p"], _AWAY, _AWAY * at["mu"] / at["p"]])

    @classmethod
    def _start(cls, data: Spending) -> Floats:
        return np.array([2.0, 3.0, data.mean])

    @classmethod
    def _runs_away(cls, theta: Floats) -> bool:
        """Whether the climb has left the region in which purchases and customers both differ."""
        return bool(max(theta[0], theta[1]) > 1e9 or min(theta[0], theta[1]) < 1e-6)

    def _log_density(self, x: Floats, value: Floats) -> Floats:
        return spend_terms(np.asarray(self.p), np.asarray(self.q), np.asarray(self.v), x, value).value

    def _draw_means(self, generator: np.random.Generator, x: Floats) -> Floats:
        nu = generator.gamma(self.q, 1 / self.v, size=x.shape)
        return generator.gamma(self.p * x, 1 / nu) / x

    def _share(self, x: Floats) -> Floats:
        below = self.p * x + self.q - 1
        return np.where(below > 0, self.p / np.where(below > 0, below, 1.0), np.inf)

    def _offset(self, x: Floats) -> Floats:
        return np.asarray(self.v)

    def _slopes(self, x: Floats) -> tuple[Floats, Floats]:
        below = self.p * x + self.q - 1
        fixed = np.stack([1 - self.p * x / below, -self.q / below, np.zeros(x.size)])
        return fixed, np.broadcast_to([[0.0], [0.0], [1.0]], fixed.shape)

    @classmethod
    def _with_cells(cls, table: HistoryTable) -> tuple[Spending, Mapping[str, Any], Mapping[str, int]]:
        frequency, value, counts, cells = table.spending_by()
        data, kept, excluded = kept_of(frequency, value, counts)
        return data, {name: column[kept] for name, column in cells.items()}, excluded

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

    @classmethod
    def _objective(cls, data: Spending, *, threads: int | None) -> newton.Objective:
        return _SpendObjective(data, threads)

    def _log_likelihoods(self, data: Spending, odds: Floats, *, threads: int | None) -> Floats:
        return batch.spend_values(data, odds, threads=threads)


def spend_terms(p: Floats, q: Floats, v: Floats, x: Floats, value: Floats) -> Terms:
    """Log-likelihood of each mean spend with its derivatives in p, q and v, which may differ by row.

    Of the spend and v together, v is expected to be the share q / (p x + q). Written with how far it is from that, and
    with what gamma functions have over their leading terms, nothing cancels for large p and q.
    """
    px, spent = p * x, x * value
    both, whole = px + q, v + spent
    away = (p * v - q * value) / whole
    log_v, log_spent = log_ratio(x * away / q, v * both, q * whole), log_ratio(-away / p, spent * both, px * whole)
    (over, slope, curve), (over_x, slope_x, curve_x), (over_q, slope_q, curve_q) = map(gamma_excess, (both, px, q))
    shortfall = q * log_v + px * log_spent
    slopes = [x * (slope_x - slope + log_spent), slope_q - slope + log_v, -x * away / v]
    inverse, shared = 1 / whole, 1 / both - curve
    curvatures = [
        [x**2 * (curve_x - curve) - x * q / (p * both), x * shared, -x * inverse],
        [x * shared, curve_q - curve - px / (q * both), spent * inverse / v],
        [-x * inverse, spent * inverse / v, both * inverse**2 - q / v**2],
    ]
    rows = [np.stack(np.broadcast_arrays(*row)) for row in (slopes, *curvatures)]
    return Terms(over_x + over_q - over + shortfall - np.log(value), rows[0], np.stack(rows[1:]))


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
        if max(p, q) > _LARGE:
            return self._exactly(theta)
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

    def _exactly(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """The same row by row, where the sums would cancel."""

        def chunk(rows: slice) -> Floats:
            data = self._data
            p, q, v = theta[:, None]
            found = spend_terms(p, q, v, data.frequency[rows], data.value[rows])
            counts = np.ones(found.value.size) if data.counts is None else data.counts[rows]
            return np.concatenate([[counts @ found.value], found.slopes @ counts, (found.curvatures @ counts).ravel()])

        total = np.sum(newton.over_chunks(self._total.size, chunk, threads=self._threads), axis=0)
        return float(total[0]), total[1:4], total[4:].reshape(3, 3)

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
