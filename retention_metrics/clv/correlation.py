"""Whether customers who buy often spend more per purchase: what Gamma-Gamma takes for granted that they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from retention_metrics import _checks
from retention_metrics.clv import frames
from retention_metrics.clv.spend_model import Spending, repeat_buyers
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Interval, Result, result

if TYPE_CHECKING:
    from retention_metrics.clv.history import PurchaseHistory

Floats = NDArray[np.float64]


@result
class SpendCorrelation(Result):
    """Correlation of spend per purchase and number of purchases among repeat buyers.

    ``estimate`` and ``interval`` are Pearson's.

    Attributes
    ----------
    spearman : float or None
        Spearman's rank correlation, which large spenders do not dominate.
    spearman_interval : Interval or None
        Its interval.
    customers : int
        Repeat buyers with a mean spend above 0.
    covariance, sd_frequency, sd_spend : float
        The moments behind Pearson's correlation.
    """

    kind: ClassVar[str] = "clv.spend_frequency_correlation"

    spearman: float | None
    spearman_interval: Interval | None
    customers: int
    covariance: float
    sd_frequency: float
    sd_spend: float

    def explain(self) -> Explanation:
        """Pearson's correlation from its moments: the last step."""
        return Explanation(
            formula="correlation = covariance / (sd_frequency * sd_spend); interval = tanh(atanh(correlation) -+ z / "
            "sqrt(customers - 3))",
            values={
                "covariance": self.covariance,
                "sd_frequency": self.sd_frequency,
                "sd_spend": self.sd_spend,
                "customers": self.customers,
            },
            steps=(Step(name="correlation", expression="covariance / (sd_frequency * sd_spend)"),),
            source="Fisher (1921), Metron 1, 3-32; for Spearman's, Bonett & Wright (2000), Psychometrika 65(1), 23-28.",
        )


def spend_frequency_correlation(
    history: PurchaseHistory | object,
    *,
    level: float | None = 0.95,
    frequency: str = "frequency",
    monetary_value: str = "monetary_value",
    counts: str | None = None,
) -> SpendCorrelation:
    """Correlation of mean spend and number of purchases among repeat buyers.

    Parameters
    ----------
    history : PurchaseHistory or dataframe
        From ``rfm_summary`` or ``history``, or any frame with the columns named below.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None for none.
    frequency, monetary_value : str
        Columns of a plain frame: repeat purchases, and their mean spend (missing or 0 where there are none).
    counts : str, optional
        Column with the number of customers that share a row; one each by default.

    Returns
    -------
    SpendCorrelation
        ``estimate`` (Pearson, from -1 to 1) with ``interval``, ``spearman`` with ``spearman_interval``. None where
        all frequencies or all spends are equal.

    Raises
    ------
    InputError
        If a value is negative or missing for a repeat buyer, or there are fewer than two repeat buyers.

    Notes
    -----
    Gamma-Gamma assumes that mean spend does not depend on how often a customer buys [1]_. A correlation whose interval
    leaves out 0 says that it does here, and value then is biased for those who buy often: upwards where the
    correlation is negative. Intervals are Fisher's, for Spearman's with the variance (1 + r^2 / 2) / (n - 3) [2]_.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). RFM and CLV: using iso-value curves for customer
       base analysis. *Journal of Marketing Research* 42(4), 415-430.
    .. [2] Bonett, D. G. & Wright, T. A. (2000). Sample size requirements for estimating Pearson, Kendall and Spearman
       correlations. *Psychometrika* 65(1), 23-28.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> money = [9.0, 31.0, 24.0, 12.0, None, 60.0]
    >>> spent = pd.DataFrame({"frequency": [1, 2, 4, 3, 0, 2], "monetary_value": money})
    >>> found = rm.clv.spend_frequency_correlation(spent)
    >>> round(found.estimate, 3), found.customers
    (-0.037, 5)
    """
    content = _checks.level(level)
    roles = {"frequency": frequency, "monetary_value": monetary_value, "counts": counts}
    table = frames.adopt(history, roles)
    data, excluded = repeat_buyers(table)
    if data.customers < 2:
        raise InputError(f"a correlation needs two repeat buyers; got {data.customers}.", argument="history")

    weights = np.ones(data.value.size) if data.counts is None else data.counts
    pearson, moments = _moments(data.frequency, data.value, weights)
    spearman, _ = _moments(_ranks(data.frequency, weights), _ranks(data.value, weights), weights)

    undefined = (
        () if pearson is not None else ("All frequencies or all mean spends are equal: nothing can go together.",)
    )
    return SpendCorrelation(
        estimate=pearson,
        interval=_interval(pearson, data.customers, content, 1.0, "fisher"),
        definition="clv.spend_frequency_correlation/pearson",
        excluded=excluded,
        notes=undefined,
        spearman=spearman,
        spearman_interval=_interval(spearman, data.customers, content, 1 + (spearman or 0.0) ** 2 / 2, "bonett-wright"),
        customers=data.customers,
        covariance=moments[0],
        sd_frequency=moments[1],
        sd_spend=moments[2],
        backend=table.backend,
    )


def dependence(data: Spending) -> tuple[str, str | None]:
    """What a fit of spend says of the correlation, and its doubt where 0 is out of the 95 % interval."""
    weights = np.ones(data.value.size) if data.counts is None else data.counts
    pearson, _ = _moments(data.frequency, data.value, weights)
    interval = _interval(pearson, data.customers, 0.95, 1.0, "fisher")
    if pearson is None or interval is None:
        return "The correlation of spend and frequency is undefined.", None
    shown = f"{pearson:.3f} (95 % interval {interval.low:.3f} to {interval.high:.3f})"
    note = f"Correlation of spend and frequency among the {data.customers} repeat buyers: {shown}."
    if 0.0 in interval:
        return note, None
    more = "more" if pearson > 0 else "less"
    return note, (
        f"Customers who buy often spend {more} per purchase, and the model takes them for independent: correlation "
        f"{shown}."
    )


def _moments(x: Floats, y: Floats, weights: Floats) -> tuple[float | None, tuple[float, float, float]]:
    """Pearson's correlation, None where it is undefined, and covariance and standard deviations."""
    customers = float(weights.sum())
    apart = [values - weights @ values / customers for values in (x, y)]
    covariance = float(weights @ (apart[0] * apart[1])) / (customers - 1)
    spread = [float(np.sqrt(weights @ cells**2 / (customers - 1))) for cells in apart]
    if x.min() == x.max() or y.min() == y.max():
        return None, (covariance, spread[0], spread[1])
    return covariance / (spread[0] * spread[1]), (covariance, spread[0], spread[1])


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Ranks of the customers, the mean rank where they share a value."""
    _, which = np.unique(values, return_inverse=True)
    each = np.bincount(which, weights=weights)
    answer: Floats = (np.cumsum(each) - each + (each + 1) / 2)[which]
    return answer


def _interval(
    correlation: float | None, customers: int, level: float | None, inflation: float, method: str
) -> Interval | None:
    if correlation is None or level is None or customers < 4:
        return None
    half = float(stats.norm.ppf(0.5 + level / 2)) * np.sqrt(inflation / (customers - 3))
    centre = np.arctanh(np.clip(correlation, -1 + 1e-15, 1 - 1e-15))
    low, high = float(np.tanh(centre - half)), float(np.tanh(centre + half))
    return Interval(low=min(low, correlation), high=max(high, correlation), level=level, method=method)
