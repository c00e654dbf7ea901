"""In how few hands revenue lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from retention_metrics import _checks
from retention_metrics._engine import accounts
from retention_metrics._engine.adopt import NativeFrame, is_frame
from retention_metrics._stats import concentration as stats
from retention_metrics._stats.proportions import normal_quantile
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, ColumnType, Interval, Result, TableResult, result

Floats = NDArray[np.float64]
_KNOTS = 200
_MOST_DRAWS = 50_000_000
_SOURCE = "Gini, C. (1912); Lorenz, M. O. (1905); Herfindahl, O. C. (1950)."
_TYPES: dict[str, ColumnType] = dict.fromkeys(("customers", "revenue", "low", "high"), "number")


@result
class Spread(Result):
    """One statistic of how a total is spread, as a quotient.

    Attributes
    ----------
    numerator, denominator : float
        The estimate is their quotient.
    """

    kind: ClassVar[str] = "revenue.spread"

    numerator: float
    denominator: float

    def explain(self) -> Explanation:
        """The statistic as a quotient."""
        return Explanation(
            formula=f"{self.definition.rpartition('/')[2]} = numerator / denominator",
            values={"numerator": self.numerator, "denominator": self.denominator},
            steps=(Step(name="quotient", expression="numerator / denominator"),),
            source=_SOURCE,
        )


@result
class Concentration(TableResult):
    """How revenue is spread over customers: the Lorenz curve and what is read off it.

    Attributes
    ----------
    columns : Columns
        The Lorenz curve: ``customers`` (share of the customers, smallest first), ``revenue`` (their share of it),
        ``low`` and ``high``.
    customers : int
        Customers in all.
    total : float
        Their revenue.
    gini, hhi, effective_customers : Spread
        Mean absolute difference over twice the mean; sum of squared shares; its inverse.
    level : float or None
        Probability content of the intervals.
    """

    kind: ClassVar[str] = "revenue.concentration"

    customers: int
    total: float
    gini: Spread
    hhi: Spread
    effective_customers: Spread
    level: float | None

    def top_share(self, q: float) -> Spread:
        """Share of revenue of the largest customers.

        Parameters
        ----------
        q : float
            Share of the customers, largest first, in [0, 1]; at the edge a customer counts in part.

        Returns
        -------
        Spread
            Their share of revenue, with its interval.
        """
        at = 1 - _checks.share(q, name="q")
        ends = [1 - self._read("customers", name, at) for name in ("revenue", "high", "low")]
        return self._spread("top_share", ends[0] * self.total, self.total, ends[1:])

    def share_needed(self, y: float) -> Spread:
        """Share of the customers, largest first, who hold a share of revenue.

        Parameters
        ----------
        y : float
            Share of revenue, in [0, 1].

        Returns
        -------
        Spread
            The share of the customers, with its interval.
        """
        at = 1 - _checks.share(y, name="y")
        ends = [1 - self._read(name, "customers", at) for name in ("revenue", "low", "high")]
        return self._spread("share_needed", ends[0] * self.customers, float(self.customers), ends[1:])

    def _read(self, along: str, name: str, at: float) -> float:
        if self.level is None and name in ("low", "high"):
            name = "revenue"
        if self.level is None and along in ("low", "high"):
            along = "revenue"
        x, y = (np.array(self.columns[column], dtype=np.float64) for column in (along, name))
        return float(np.interp(at, np.maximum.accumulate(x), y))

    def _spread(self, name: str, numerator: float, denominator: float, ends: list[float]) -> Spread:
        estimate, found = numerator / denominator, self.gini.interval
        low, high = min(*ends, estimate), max(*ends, estimate)
        return Spread(
            estimate=estimate,
            interval=None if found is None else Interval(low=low, high=high, level=found.level, method=found.method),
            unit="share",
            definition=f"revenue.concentration/{name}",
            numerator=numerator,
            denominator=denominator,
        )

    def explain(self) -> Explanation:
        """What the curve is; its statistics explain themselves."""
        return Explanation(
            formula="Lorenz curve: share of revenue of the smallest customers, by their share of all customers",
            values={"customers": self.customers, "total": self.total, "gini": self.gini.estimate},
            steps=(),
            source=_SOURCE,
        )


def concentration(
    amounts: ArrayLike | NativeFrame,
    *,
    amount: str | None = None,
    customer: str | None = None,
    level: float | None = 0.95,
    resamples: int = 999,
    rng: np.random.Generator | int | None = None,
) -> Concentration:
    """How revenue is spread over customers: Gini, HHI, top shares, Lorenz curve.

    Parameters
    ----------
    amounts : array_like of shape (n_customers,), or dataframe
        Revenue of each customer, at least 0.
    amount : str, optional
        Of a frame: column of the amounts.
    customer : str, optional
        Of a frame with several rows per customer: its column; amounts are added first.
    level : float or None, default 0.95
        Probability content of the intervals; None computes none.
    resamples : int, default 999
        Bootstrap resamples of customers behind the intervals.
    rng : Generator, int or None
        Their randomness.

    Returns
    -------
    Concentration
        ``.gini``, ``.hhi``, ``.effective_customers``, ``.top_share(q)`` and ``.share_needed(y)``, each with its
        interval, and the Lorenz curve as rows: at every customer up to 200, at 201 to 300 points above.

    Raises
    ------
    ColumnError
        If a column is missing or holds no numbers.
    InputError
        If an amount is negative or not finite, or there is no revenue.

    Notes
    -----
    Gini = mean absolute difference / (2 mean), without n/(n - 1); HHI = sum of squared shares [1]_. From a frame the
    engine gives the distinct amounts with their customers, so prices in cents need little memory whatever the number
    of customers. Intervals are normal on the logit scale, with the error of the bootstrap; those of the curve are
    percentiles. Where there are more than 5 * 10^7 / ``resamples`` distinct amounts the errors are linearised
    instead, from one pass, and the curve's intervals are normal [2]_. With few customers, or very large ones, all of
    them are rough: of 200 lognormal amounts with sigma = 1, 91 % of the 95 % intervals of the Gini hold it.

    References
    ----------
    .. [1] Herfindahl, O. C. (1950). *Concentration in the steel industry*. Dissertation, Columbia University.
    .. [2] Beach, C. M. and Davidson, R. (1983). Distribution-free statistical inference with Lorenz curves and
       income shares. *Review of Economic Studies* 50(4), 723-735.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> spread = rm.revenue.concentration([100, 200, 50, 1000, 300, 80, 120, 400], rng=2005)
    >>> round(float(spread.gini), 4), round(float(spread.hhi), 4), round(float(spread.effective_customers), 3)
    (0.4961, 0.2614, 3.826)
    >>> round(float(spread.top_share(0.25)), 4), round(float(spread.share_needed(0.5)), 4)
    (0.6222, 0.1641)
    """
    level = _checks.level(level)
    draws = _checks.count(resamples, name="resamples", low=100)
    tally = _tally(amounts, amount, customer)
    values, counts = tally.values, tally.counts
    if not values.size or not values @ counts > 0:
        raise InputError("amounts add up to nothing, which cannot be spread.", argument="amounts")
    if values[0] < 0:
        raise InputError(
            f"amounts are at least 0; the smallest is {values[0]:g}.", argument="amounts", first=[float(values[0])]
        )

    n, total = float(counts.sum()), float(values @ counts)
    at = _grid(int(n))
    lorenz = 1 - stats.lorenz_top(values, counts, 1 - at)
    gini, hhi = float(stats.gini(values, counts)), float(stats.hhi(values, counts))
    bounds = None if level is None else _bounds(values, counts, at, (gini, hhi, lorenz), level, draws, rng)
    inverse = None if bounds is None else _inverse(bounds.hhi, hhi, n)
    squares = float(values**2 @ counts)
    band = {"low": [None] * at.size, "high": [None] * at.size}
    if bounds is not None:
        band = {"low": np.minimum(bounds.low, lorenz).tolist(), "high": np.maximum(bounds.high, lorenz).tolist()}
    name = "revenue.concentration"
    return Concentration(
        columns=Columns({"customers": at.tolist(), "revenue": lorenz.tolist(), **band}, _TYPES),
        unit="share",
        definition=name,
        excluded=tally.excluded,
        customers=int(n),
        total=total,
        gini=Spread(
            estimate=gini,
            interval=None if bounds is None else bounds.gini,
            unit="share",
            definition=f"{name}/gini",
            numerator=gini * 2 * total / n,
            denominator=2 * total / n,
        ),
        hhi=Spread(
            estimate=hhi,
            interval=None if bounds is None else bounds.hhi,
            unit="share",
            definition=f"{name}/hhi",
            numerator=squares,
            denominator=total**2,
        ),
        effective_customers=Spread(
            estimate=1 / hhi,
            interval=inverse,
            unit="customers",
            definition=f"{name}/effective_customers",
            numerator=total**2,
            denominator=squares,
        ),
        level=level,
        backend=tally.backend,
    )


def _tally(amounts: ArrayLike | NativeFrame, amount: str | None, customer: str | None) -> accounts.AmountTally:
    if is_frame(amounts):
        if amount is None:
            raise InputError("amount= names the column of a frame that holds the amounts.", argument="amount")
        return accounts.amount_tally(amounts, amount=amount, customer=customer)
    if amount is not None or customer is not None:
        raise InputError("amount= and customer= name columns of a frame; amounts is an array.", argument="amount")
    array = _checks.floats(_checks.one_dimensional(amounts, name="amounts"), name="amounts", allow_missing=True)
    known = array[~np.isnan(array)]
    values, counts = np.unique(known, return_counts=True)
    missing = int(array.size - known.size)
    excluded = {"missing_amount": missing} if missing else {}
    return accounts.AmountTally(values, counts.astype(np.float64), "pandas", excluded)


def _grid(n: int) -> Floats:
    """Shares of the customers at which the curve is kept: whole customers, and closer together at the top."""
    if n <= _KNOTS:
        return np.arange(n + 1) / n
    ends = np.concatenate([np.linspace(0, 1, _KNOTS + 1), 1 - np.linspace(0, 0.01, 101)])
    return np.unique(np.round(ends * n)) / n


@dataclass(frozen=True)
class _Bounds:
    """Intervals of the Gini and the HHI, and the band of the Lorenz curve."""

    gini: Interval
    hhi: Interval
    low: Floats
    high: Floats


def _bounds(
    values: Floats,
    counts: Floats,
    at: Floats,
    found: tuple[float, float, Floats],
    level: float,
    resamples: int,
    rng: np.random.Generator | int | None,
) -> _Bounds:
    """By the bootstrap, or where that would draw too much by linearised errors, which agree with it in large bases."""
    gini, hhi, lorenz = found
    if values.size * resamples <= _MOST_DRAWS:
        sampled = _bootstrap(values, counts, at, resamples, rng)
        low, high = np.quantile(sampled[2], [(1 - level) / 2, (1 + level) / 2], axis=0)
        return _Bounds(_logit_interval(gini, sampled[0], level), _logit_interval(hhi, sampled[1], level), low, high)
    gini_error, hhi_error, errors = stats.linearised_errors(values, counts, at)
    reach = normal_quantile(level) * errors
    return _Bounds(
        _linearised_interval(gini, gini_error, level),
        _linearised_interval(hhi, hhi_error, level),
        np.clip(lorenz - reach, 0.0, 1.0),
        np.clip(lorenz + reach, 0.0, 1.0),
    )


def _inverse(ends: Interval, hhi: float, n: float) -> Interval:
    """The interval of 1/HHI, of which there are n at most."""
    high = min(n, 1 / ends.low) if ends.low > 0 else n
    return Interval(low=1 / ends.high, high=max(high, 1 / hhi), level=ends.level, method=ends.method)


def _bootstrap(
    values: Floats, counts: Floats, at: Floats, resamples: int, rng: np.random.Generator | int | None
) -> tuple[Floats, Floats, Floats]:
    """Gini, HHI and the curve of resampled customers."""
    generator, n = np.random.default_rng(rng), int(counts.sum())
    shares = counts / n
    found = []
    for _ in range(resamples):
        drawn = generator.multinomial(n, shares).astype(np.float64)
        if drawn @ values > 0:
            curve = 1 - stats.lorenz_top(values, drawn, 1 - at)
            found.append((float(stats.gini(values, drawn)), float(stats.hhi(values, drawn)), curve))
    return np.array([f[0] for f in found]), np.array([f[1] for f in found]), np.array([f[2] for f in found])


def _logit_interval(estimate: float, draws: Floats, level: float) -> Interval:
    """Normal on the logit scale, so inside (0, 1) and around the estimate; at a bound, percentiles."""
    inside = draws[(draws > 0) & (draws < 1)]
    if not 0 < estimate < 1 or inside.size < 2:
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return Interval(low=min(low, estimate), high=max(high, estimate), level=level, method="bootstrap")
    centre, width = special.logit(estimate), normal_quantile(level) * special.logit(inside).std(ddof=1)
    low, high = special.expit(centre - width), special.expit(centre + width)
    return Interval(low=min(low, estimate), high=max(high, estimate), level=level, method="bootstrap")


def _linearised_interval(estimate: float, error: float, level: float) -> Interval:
    """Normal on the logit scale."""
    centre = special.logit(estimate)
    width = normal_quantile(level) * error / (estimate * (1 - estimate))
    return Interval(
        low=float(special.expit(centre - width)),
        high=float(special.expit(centre + width)),
        level=level,
        method="linearised",
    )
