"""Models of spend per purchase: what a customer is expected to spend, given how often and how much they bought."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics.clv.model import Model
from retention_metrics.errors import InputError

if TYPE_CHECKING:
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.fitting import Fit, Spread
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.history import PurchaseHistory
    from retention_metrics.clv.regression import Regression

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

    @property
    def mean(self) -> float:
        """Mean of the customers' mean spends."""
        return float(np.average(self.value, weights=self.counts))

    @property
    def per_purchase(self) -> float:
        """Mean spend of all purchases."""
        bought = self.frequency if self.counts is None else self.frequency * self.counts
        return float(np.average(self.value, weights=bought))


class SpendModel(Model):
    """A model of the mean spend of repeat buyers.

    What a customer is expected to spend per purchase is ``share * (v + x m)`` for x purchases of mean m, by ``_share``
    and ``_offset``, a number of each frequency.
    """

    roles: ClassVar[Mapping[str, str | None]] = MappingProxyType(
        {"frequency": "frequency", "monetary_value": "monetary_value"}
    )
    money_scales: ClassVar[tuple[str, ...]]
    """Parameters in money."""
    limit_of: ClassVar[str] = ""
    """What is special about a model that is another's limit, in words."""
    mixes: ClassVar[bool] = False
    """Whether both v and the customer's own money enter the expected spend."""
    reads_money: ClassVar[bool] = True
    """Whether the customer's own money enters the expected spend."""

    q: float  # of models whose expected spend may be infinite
    v: float  # of models that mix

    @abstractmethod
    def _log_density(self, x: Floats, value: Floats) -> Floats:
        """Log-density of the mean of x purchases."""

    @abstractmethod
    def _draw_means(self, generator: np.random.Generator, x: Floats) -> Floats:
        """Means of x purchases of customers drawn at random."""

    @abstractmethod
    def _share(self, x: Floats) -> Floats:
        """What multiplies ``v + x m``; inf where the expected spend is infinite."""

    @abstractmethod
    def _offset(self, x: Floats) -> Floats:
        """The v of customers with x purchases."""

    @abstractmethod
    def _slopes(self, x: Floats) -> tuple[Floats, Floats]:
        """Slopes of the log of the expected spend in the log-parameters, a row of each: a constant, and what u adds."""

    @classmethod
    @abstractmethod
    def _start(cls, data: Spending) -> Floats:
        """Where to climb from."""

    @classmethod
    def _beside(cls, limit: SpendModel) -> Floats:
        """A point from which to climb that is near one of the limits."""
        raise NotImplementedError

    @classmethod
    def _limits(cls) -> tuple[type[SpendModel], ...]:
        """Simpler models that the likelihood may rise towards."""
        return ()

    @classmethod
    def _runs_away(cls, theta: Floats) -> bool:
        """Whether the climb has left the region in which the model differs from a simpler one."""
        return False

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
        In the Gamma-Gamma model ``p (v + x m) / (p x + q - 1)``: a weighted mean of the customer's own mean m over x
        purchases and the population's ``p v / (q - 1)``.

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
        With the constants of the paper's equation 1a.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> round(float(rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44).log_likelihood(2, 22.35)), 4)
        -3.5513
        """
        x = _checks.whole(frequency, name="frequency", low=1)
        value = _checks.floats(monetary_value, name="monetary_value", low=0.0)
        _checks.refuse(value == 0, value, name="monetary_value", rule="is above 0")

        answer = self._log_density(x, value)

        return answer[()]

    @classmethod
    def fit(
        cls,
        history: PurchaseHistory | object,
        *,
        frequency: str = "frequency",
        monetary_value: str = "monetary_value",
        counts: str | None = None,
        penalty: float = 0.0,
        threads: int | None = None,
    ) -> Fit[Self]:
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
            Weight of half the squared distance of the logs of shapes from 0 and of the log of the amount of money from
            the log of the mean spend, subtracted from the log-likelihood. At least 0.
        threads : int, optional
            Threads to use from 100,000 rows on; the answer has the same bits for any number.

        Returns
        -------
        Fit
            The model; customers without repeat purchase and repeat buyers whose mean spend is 0 are set aside and
            counted in ``excluded``.

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
        >>> from retention_metrics.clv.spend_limits import GammaSpend
        >>> spent = pd.DataFrame({"frequency": [1, 2, 0, 3], "monetary_value": [9.0, 12.0, None, 11.0]})
        >>> round(GammaSpend.fit(spent).model.mu, 6)
        11.0
        """
        from retention_metrics.clv import frames, spend_fit

        weight = _checks.non_negative(penalty, name="penalty")
        roles = {"frequency": frequency, "monetary_value": monetary_value, "counts": counts}
        return spend_fit.fit(cls, frames.adopt(history, roles), penalty=weight, threads=threads)

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

        mean = self._draw_means(generator, np.maximum(x, 1))

        return np.where(x > 0, mean, np.nan)

    def _mean(self, x: Floats, value: Floats) -> Floats:
        known = np.where(x > 0, value, 0.0)
        answer: Floats = self._share(x) * (self._offset(x) + x * known if self.reads_money else self._offset(x))
        return answer

    def _predict(
        self,
        history: PurchaseHistory | object,
        *,
        horizon: float | None,
        columns: Mapping[str, str],
        spread: Spread[Any] | None,
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
    def _fit_rows(cls, data: Spending, *, unit: str | None, penalty: float, threads: int | None) -> Fit[Self]:
        from retention_metrics.clv import spend_fit

        return spend_fit.fit_spending(cls, data, spend_fit.Origin(), penalty=penalty, threads=threads)

    def _contributions(self, data: Spending) -> Floats:
        return self.log_likelihood(data.frequency, data.value)


class Money:
    """Expected spend as arithmetic over money, which an engine can run: parts of the frequency come as columns.

    It is ``share * (v + x m)``. With u = v / (v + x m), the delta-method variance of the log of the expected spend is
    quadratic in u. Given covariates, v is the customer's own, and log v moves with each coefficient by its covariate.
    """

    def __init__(self, spend: SpendModel | Regression[Any], spread: Spread[Any] | None) -> None:
        self._spend = spend
        self._spread = spread

    def parts(self, frequency: Floats, cells: Mapping[str, Any] | None = None) -> dict[str, Floats]:
        """What multiplies ``v + x m``, and the variance's coefficients, for each frequency and its covariates."""
        from retention_metrics.clv.regression import at_rows, in_coefficients, matrix_of

        x = _checks.whole(frequency, name="frequency")
        matrix = matrix_of(self._spend, cells or {}, x.size)
        model: SpendModel = at_rows(self._spend, matrix)
        share = model._share(x)
        if np.isinf(share).any():
            raise InputError(
                f"the spend model's q is above 1 where customers have made few purchases; got q = {model.q:.4g}, "
                f"with which the mean spend of {int(np.isinf(share).sum())} of {x.size} histories is infinite.",
                argument="spend",
                count=int(np.isinf(share).sum()),
            )
        found = {"_share": share}
        if not model.mixes or model.varies:
            found["_v"] = np.broadcast_to(model._offset(x), x.shape)
        if self._spread is not None:
            covariance = self._spread.log_covariance
            fixed, scale = in_coefficients(self._spend, matrix, *model._slopes(x))
            for name, left, right in (
                ("_fixed", fixed, fixed),
                ("_linear", 2 * scale, fixed),
                ("_square", scale, scale),
            ):
                found[name] = np.einsum("in,ij,jn->n", left, covariance, right)
        return found

    def whole(self, by: Mapping[str, Any]) -> Any:
        """``v + x m``."""
        model = self._model
        return self._v(by) + by["frequency"] * by["monetary_value"] if model.reads_money else by["_v"]

    @property
    def _model(self) -> SpendModel:
        from retention_metrics.clv.regression import base_of

        found: SpendModel = base_of(self._spend)
        return found

    def _v(self, by: Mapping[str, Any]) -> Any:
        own = by.get("_v")
        return self._model.v if own is None else own

    def columns(self, name: str, by: Mapping[str, Any], weight: Any, variance: Any) -> dict[str, Any]:
        """``weight * (v + x m)``, with an interval when there is a spread; ``variance`` is added to its own."""
        whole = self.whole(by)
        estimate = whole * weight
        if self._spread is None:
            return {name: estimate}
        total = by["_fixed"] + variance
        if self._model.mixes:
            u = self._v(by) / whole
            total = total + by["_linear"] * u + by["_square"] * u * u
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
    found, _, excluded = kept_of(*table.spending())
    return found, excluded


def kept_of(
    frequency: Floats, value: Floats, counts: Floats | None
) -> tuple[Spending, NDArray[np.bool_], dict[str, int]]:
    """Repeat buyers who spent something, which rows they are, and the customers left out by reason."""
    x, money = _check(frequency, value)
    weights = np.ones(x.size) if counts is None else counts
    repeat = (x > 0) & (weights > 0)
    kept = repeat & (money > 0)
    excluded = {NO_REPEAT: int(weights[x == 0].sum()), ZERO_VALUE: int(weights[repeat & ~kept].sum())}
    found = Spending(x[kept], money[kept], None if counts is None else counts[kept])
    return found, kept, {reason: number for reason, number in excluded.items() if number}
