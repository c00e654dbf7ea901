"""What a report says: every section's numbers, or the reason why there are none."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks, clv, periods, retention
from retention_metrics._stats import proportions
from retention_metrics.clv.fitting import Spread, required_level
from retention_metrics.errors import FitError, InputError
from retention_metrics.report.wording import Remark
from retention_metrics.results import Interval, Proportion

if TYPE_CHECKING:
    import pandas as pd

    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.history import PurchaseHistory, TimeUnit
    from retention_metrics.clv.purchase_model import PurchaseModel
    from retention_metrics.clv.spend_model import SpendModel
    from retention_metrics.periods import PeriodUnit
    from retention_metrics.report.orders import Orders

Floats = NDArray[np.float64]
T = TypeVar("T")
_DAYS = (1, 7, 14, 30, 60, 90, 180, 365, 730)
_MOST_COHORTS = 240
_MOST_PERIODS = 1500
_TOP = 20
_MANY = 100  # customers from which it is odd that none has a second row
_EARLY = 1980  # year before which a purchase looks like a date gone wrong
_FEW = 30  # repeat buyers below which the models are called guesses
# Unit of the purchase model, and how far ahead it looks, by period of the report.
_HORIZONS: dict[str, tuple[TimeUnit, int, int]] = {
    "day": ("day", 7, 30),
    "week": ("week", 4, 13),
    "month": ("week", 13, 52),
    "quarter": ("week", 13, 52),
    "year": ("week", 52, 104),
}

_UNASKED = Remark("reason_unasked")


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A value, or why there is none."""

    value: T | None = None
    reason: Remark = _UNASKED


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with its interval."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Buying:
    """The purchase model and what it expects.

    ``limit`` says why a simpler model stands in for BG/NBD; it is empty where BG/NBD itself was fitted.
    """

    fit: clv.Fit[PurchaseModel]
    limit: str
    alive: Estimate
    soon: Estimate
    later: Estimate


@dataclass(frozen=True, kw_only=True)
class Check:
    """The model fitted to the first half of the log, against what came in the second half."""

    end: dt.date
    customers: int
    horizon: float
    expected: Estimate
    actual: int
    predicted: CustomerTable


@dataclass(frozen=True, kw_only=True)
class Spending:
    """The spend model and the value of the customers."""

    fit: clv.Fit[SpendModel]
    limit: str
    mean: Estimate
    correlation: Estimate | None
    total: Estimate
    below_zero: int


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All numbers of a report."""

    orders: Orders
    period: PeriodUnit
    unit: TimeUnit
    level: float
    soon: int
    later: int
    since: dt.date | None
    first: dt.date
    as_of: dt.date
    rows: int
    customers: int
    purchases: int
    excluded: dict[str, int]
    warnings: tuple[Remark, ...]
    revenue: float | None
    repeat: Proportion
    by_period: Answer[retention.PeriodTable]
    cohorts: Answer[retention.CohortTable]
    average: Answer[retention.RetentionCurve]
    days: Answer[retention.DayTable]
    buying: Answer[Buying]
    check: Answer[Check]
    spending: Answer[Spending]
    top: Answer[pd.DataFrame]


def find(
    orders: Orders,
    *,
    period: PeriodUnit = "month",
    as_of: dt.date | None = None,
    since: dt.date | None = None,
    level: float = 0.95,
) -> Findings:
    """Work out every section of a report.

    Parameters
    ----------
    orders : Orders
        The purchases.
    period : {"day", "week", "month", "quarter", "year"}, default "month"
        Calendar period of retention and of cohorts.
    as_of : date, optional
        End of observation; by default the last day of the log.
    since : date, optional
        Customers first seen before it are left out.
    level : float, default 0.95
        Probability content of the intervals.

    Returns
    -------
    Findings
        A section that has no answer says why.

    Raises
    ------
    InputError
        If nothing is left to report on.
    """
    level = required_level(level)
    period = _checks.choice(period, periods.PERIOD_UNITS, name="period")
    kept, excluded = _usable(orders, as_of)
    bought = kept[~(kept["value"] < 0)] if "value" in kept else kept
    if bought.empty:
        raise InputError(_nothing_left(orders, excluded, returns=len(kept)), argument="file")
    last = as_of or bought["time"].max().date()
    unit, soon, later = _HORIZONS[period]

    history = _history(kept, unit=unit, as_of=last, since=since)
    table = history.frame
    if table.empty:
        raise InputError(f"--since {since} leaves no customer: all were first seen before it.", argument="since")
    log: dict[str, Any] = {"customer": "customer", "time": "time", "as_of": last, "since": since, "level": level}
    span = _span(bought, period, last)
    cohorts = _cohorts(bought, period, log, span=span)
    buying = _answer(lambda: _buying(history, soon=soon, later=later, level=level))
    spending = _spending(history, buying, later=later, level=level)
    in_table = bought[bought["customer"].isin(table["customer"])] if since is not None else bought

    return Findings(
        orders=orders,
        period=period,
        unit=unit,
        level=level,
        soon=soon,
        later=later,
        since=since,
        first=in_table["time"].min().date(),
        as_of=last,
        rows=len(orders.frame),
        customers=len(table),
        purchases=int(table["frequency"].sum()) + len(table),
        excluded=excluded | _old(kept, bought, table),
        warnings=_warnings(orders, kept, bought, table),
        revenue=float(kept[kept["customer"].isin(table["customer"])]["value"].sum()) if "value" in kept else None,
        repeat=_share(int((table["frequency"] > 0).sum()), len(table), level),
        by_period=_by_period(bought, period, log, span=span),
        cohorts=cohorts,
        average=_answer(lambda: _required(cohorts).average()),
        days=_answer(lambda: _days(bought, log, first=in_table["time"].min().date(), last=last)),
        buying=buying,
        check=_answer(lambda: _check(bought, unit=unit, last=last, since=since, level=level)),
        spending=spending,
        top=_answer(lambda: _top(history, buying, spending, later=later, level=level)),
    )


class _UnansweredError(Exception):
    """A section cannot be answered, or rests on another one that has no answer."""

    def __init__(self, reason: Remark) -> None:
        super().__init__(reason.name)
        self.reason = reason


def _answer(work: Callable[[], T]) -> Answer[T]:
    try:
        return Answer(work())
    except _UnansweredError as error:
        return Answer(reason=error.reason)
    except (FitError, InputError) as error:
        return Answer(reason=Remark("reason_error", {"error": " ".join(str(error).split())}))


def _required(answer: Answer[T]) -> T:
    if answer.value is None:
        raise _UnansweredError(answer.reason)
    return answer.value


# ---------------------------------------------------------------- rows


def _usable(orders: Orders, as_of: dt.date | None) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rows with a customer, a time and (where there is money) a value, up to the end of observation."""
    frame = orders.frame
    reasons = {"missing_customer": frame["customer"].isna(), "missing_time": frame["time"].isna()}
    if "value" in frame:
        reasons["missing_value"] = frame["value"].isna()
    if as_of is not None:
        reasons["after_as_of"] = frame["time"].dt.normalize() > np.datetime64(as_of)
    out = np.zeros(len(frame), dtype=bool)
    excluded = {}
    for reason, where in reasons.items():
        marked = where.to_numpy(dtype=bool) & ~out
        out |= marked
        if marked.any():
            excluded[reason] = int(marked.sum())
    return frame[~out], excluded


def _nothing_left(orders: Orders, excluded: dict[str, int], *, returns: int) -> str:
    words = {
        "missing_customer": "without a customer",
        "missing_time": "without a time",
        "missing_value": "without a value",
        "after_as_of": "after --as-of",
    }
    counted = [f"{count} {words[reason]}" for reason, count in excluded.items()]
    counted += [f"{returns} of negative value"] if returns else []
    return f"no purchase is left to report on: {len(orders.frame)} rows, {', '.join(counted)}."


def _old(kept: pd.DataFrame, bought: pd.DataFrame, table: pd.DataFrame) -> dict[str, int]:
    """Rows of customers who only ever returned, and of those who came before ``since``."""
    buyer = kept["customer"].isin(bought["customer"])
    rows = {"no_purchase": ~buyer, "before_since": buyer & ~kept["customer"].isin(table["customer"])}
    return {reason: int(where.sum()) for reason, where in rows.items() if where.any()}


def _warnings(orders: Orders, kept: pd.DataFrame, bought: pd.DataFrame, table: pd.DataFrame) -> tuple[Remark, ...]:
    said = list(orders.notes)
    if len(kept) > len(bought):
        said.append(Remark("warning_returns", {"count": f"{len(kept) - len(bought):,}"}))
    tomorrow = dt.date.today() + dt.timedelta(days=1)
    future = int((bought["time"] > np.datetime64(tomorrow)).sum())
    if future:
        said.append(Remark("warning_future", {"count": f"{future:,}"}))
    if len(table) == len(bought) and len(table) >= _MANY:
        said.append(Remark("warning_order_numbers", {"column": orders.names["customer"]}))
    repeaters = int((table["frequency"] > 0).sum())
    if 0 < repeaters < _FEW:
        said.append(Remark("warning_few", {"count": repeaters}))
    if bought["time"].min().year < _EARLY:
        said.append(Remark("warning_early", {"first": bought["time"].min().date()}))
    return tuple(said)


def _history(
    kept: pd.DataFrame, *, unit: TimeUnit, as_of: dt.date, since: dt.date | None, calibration_end: dt.date | None = None
) -> PurchaseHistory:
    return clv.rfm_summary(
        kept,
        customer="customer",
        time="time",
        value="value" if "value" in kept else None,
        unit=unit,
        as_of=as_of,
        since=since,
        calibration_end=calibration_end,
    )


# ---------------------------------------------------------------- retention


def _share(part: int, whole: int, level: float) -> Proportion:
    low, high = proportions.share_interval(np.array([part]), np.array([whole]), level=level, method="wilson")
    return Proportion(
        estimate=part / whole,
        interval=Interval(low=float(low[0]), high=float(high[0]), level=level, method="wilson"),
        unit="share",
        definition="report.repeat-buyers",
        numerator=part,
        denominator=whole,
    )


def _span(bought: pd.DataFrame, period: PeriodUnit, last: dt.date) -> int:
    """Number of periods from the first purchase to the end of observation."""
    ends = np.array([bought["time"].min(), last], dtype="datetime64[D]").astype(np.int64)
    opening, closing = periods.Period(period).index_of(ends)
    return int(closing - opening) + 1


def _too_many(span: int, period: PeriodUnit) -> Remark:
    return Remark(f"reason_too_many_{period}", {"count": f"{span:,}"})


def _by_period(
    bought: pd.DataFrame, period: PeriodUnit, log: dict[str, Any], *, span: int
) -> Answer[retention.PeriodTable]:
    if span > _MOST_PERIODS:
        return Answer(reason=_too_many(span, period))
    return _answer(lambda: retention.by_period(bought, period=period, **log))


def _cohorts(
    bought: pd.DataFrame, period: PeriodUnit, log: dict[str, Any], *, span: int
) -> Answer[retention.CohortTable]:
    if span > _MOST_COHORTS:
        return Answer(reason=_too_many(span, period))
    return _answer(lambda: retention.cohorts(bought, period=period, **log))


def _days(bought: pd.DataFrame, log: dict[str, Any], *, first: dt.date, last: dt.date) -> retention.DayTable:
    days = tuple(day for day in _DAYS if day <= (last - first).days)
    if not days:
        raise _UnansweredError(Remark("reason_single_day"))
    return retention.day_n(bought, days=days, kind="cumulative", **log)


# ---------------------------------------------------------------- purchases to come


def _arrays(history: PurchaseHistory) -> tuple[Floats, Floats, Floats]:
    frame = history.frame
    x, t_x, age = (frame[name].to_numpy(dtype=np.float64) for name in ("frequency", "recency", "T"))
    return x, t_x, age


def _buying(history: PurchaseHistory, *, soon: int, later: int, level: float) -> Buying:
    fit, limit = _fit(history)
    x, t_x, age = _arrays(history)
    spread = Spread(fit.model, fit.log_covariance, level)
    return Buying(
        fit=fit,
        limit=limit,
        alive=_alive(fit.model, spread, x, t_x, age, level),
        soon=_total(fit.model, spread, x, t_x, age, horizon=soon, level=level),
        later=_total(fit.model, spread, x, t_x, age, horizon=later, level=level),
    )


def _fit(history: PurchaseHistory) -> tuple[clv.Fit[PurchaseModel], str]:
    """BG/NBD, or where it has no maximum the simpler model that the data lead to."""
    try:
        fit: Any = clv.BGNBD.fit(history)
    except FitError as error:
        if error.limit is None:
            raise
        return error.limit, " ".join(str(error).split())  # type: ignore[return-value]
    return fit, ""


def _alive(
    model: PurchaseModel, spread: Spread[PurchaseModel], x: Floats, t_x: Floats, age: Floats, level: float
) -> Estimate:
    """Expected number of customers still alive: a sum of probabilities, its interval on the log-odds of their mean."""

    def log_odds(at: PurchaseModel) -> Floats:
        mean = np.mean(at.probability_alive(x, t_x, age))
        return np.asarray(np.log(mean) - np.log1p(-mean))

    mean = float(np.mean(model.probability_alive(x, t_x, age)))
    if not 0.0 < mean < 1.0:
        return Estimate(value=mean * x.size, interval=None)
    low, high = spread.around_logit(log_odds(model), spread.variance(log_odds))
    return Estimate(value=mean * x.size, interval=_between(float(low) * x.size, float(high) * x.size, level))


def _total(
    model: PurchaseModel,
    spread: Spread[PurchaseModel],
    x: Floats,
    t_x: Floats,
    age: Floats,
    *,
    horizon: float,
    level: float,
    each: Floats | float = 1.0,
    more: float = 0.0,
) -> Estimate:
    """Expected purchases of all customers (each worth ``each``), the interval normal on the log of the sum."""

    def log_sum(at: PurchaseModel) -> Floats:
        return np.asarray(np.log(np.sum(each * at.expected_purchases(x, t_x, age, horizon=horizon))))

    value = float(np.sum(each * model.expected_purchases(x, t_x, age, horizon=horizon)))
    if value == 0.0:
        return Estimate(value=value, interval=None)
    low, high = spread.around_log(np.asarray(value), spread.variance(log_sum) + more)
    return Estimate(value=value, interval=_between(float(low), float(high), level))


def _between(low: float, high: float, level: float) -> Interval | None:
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return Interval(low=low, high=high, level=level, method="delta")


def _check(bought: pd.DataFrame, *, unit: TimeUnit, last: dt.date, since: dt.date | None, level: float) -> Check:
    first = bought["time"].min().date() if since is None else max(since, bought["time"].min().date())
    middle = first + (last - first) // 2
    if middle <= first or middle >= last:
        raise _UnansweredError(Remark("reason_too_short"))
    history = _history(bought[["customer", "time"]], unit=unit, as_of=last, since=since, calibration_end=middle)
    horizon = (last - middle).days / periods.DAYS[unit]
    fit, _ = _fit(history)
    spread = Spread(fit.model, fit.log_covariance, level)
    return Check(
        end=middle,
        customers=len(history.frame),
        horizon=horizon,
        expected=_total(fit.model, spread, *_arrays(history), horizon=horizon, level=level),
        actual=int(history.frame["frequency_holdout"].sum()),
        predicted=fit.predict(history, horizon=horizon),
    )


# ---------------------------------------------------------------- money


def _spending(history: PurchaseHistory, buying: Answer[Buying], *, later: int, level: float) -> Answer[Spending]:
    if history.monetary_value is None:
        return Answer(reason=Remark("reason_no_money"))
    return _answer(lambda: _worth(history, _required(buying), later=later, level=level))


def _spend_fit(history: PurchaseHistory) -> tuple[clv.Fit[SpendModel], str]:
    """Gamma-Gamma, or where it has no maximum the simpler model that the data lead to."""
    try:
        fit: Any = clv.GammaGamma.fit(history)
    except FitError as error:
        if error.limit is None:
            raise
        return error.limit, " ".join(str(error).split())  # type: ignore[return-value]
    return fit, ""


def _worth(history: PurchaseHistory, buying: Buying, *, later: int, level: float) -> Spending:
    history, below = _spent(history)
    fit, limit = _spend_fit(history)
    x, t_x, age = _arrays(history)
    mean = np.nan_to_num(history.frame["monetary_value"].to_numpy(dtype=np.float64))
    spread = Spread(fit.model, fit.log_covariance, level)
    ahead = buying.fit.model.expected_purchases(x, t_x, age, horizon=later)

    def log_value(model: SpendModel) -> Floats:
        return np.asarray(np.log(np.sum(ahead * model.expected_value(x, mean))))

    def log_mean(model: SpendModel) -> Floats:
        return np.asarray(np.log(model.expected_value(0, 0.0)))

    average = float(np.exp(log_mean(fit.model)))
    low, high = spread.around_log(np.asarray(average), spread.variance(log_mean))
    total = _total(
        buying.fit.model,
        Spread(buying.fit.model, buying.fit.log_covariance, level),
        x,
        t_x,
        age,
        horizon=later,
        level=level,
        each=np.asarray(fit.model.expected_value(x, mean)),
        more=float(spread.variance(log_value)) if ahead.any() else 0.0,
    )
    return Spending(
        fit=fit,
        limit=limit,
        mean=Estimate(value=average, interval=_between(float(low), float(high), level)),
        correlation=_correlation(x[(x > 0) & (mean > 0)], mean[(x > 0) & (mean > 0)], level),
        total=total,
        below_zero=below,
    )


def _spent(history: PurchaseHistory) -> tuple[PurchaseHistory, int]:
    """The history with mean spends below zero, where returns exceed purchases, taken at zero; and how many."""
    below = history.frame["monetary_value"] < 0
    if not below.any():
        return history, 0
    frame = history.frame.assign(monetary_value=history.frame["monetary_value"].mask(below, 0.0))
    return dataclasses.replace(history, frame=frame), int(below.sum())


def _correlation(x: Floats, money: Floats, level: float) -> Estimate | None:
    """Pearson's correlation of frequency and spend, with Fisher's interval."""
    from scipy import stats

    if x.size < 4 or np.ptp(x) == 0 or np.ptp(money) == 0:
        return None
    r = float(np.corrcoef(x, money)[0, 1])
    if abs(r) >= 1:
        return Estimate(value=r, interval=None)
    half = float(stats.norm.ppf(0.5 + level / 2)) / math.sqrt(x.size - 3)
    low, high = math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)
    return Estimate(value=r, interval=Interval(low=low, high=high, level=level, method="fisher"))


def _top(
    history: PurchaseHistory, buying: Answer[Buying], spending: Answer[Spending], *, later: int, level: float
) -> pd.DataFrame:
    """The customers of whom most is expected."""
    fit = _required(buying).fit
    table: pd.DataFrame = fit.predict(history, horizon=later, level=level).frame
    order = "expected_purchases"
    if spending.value is not None:
        worth = clv.lifetime_value(fit, spending.value.fit, _spent(history)[0], horizon=later, level=level).frame
        table = table.assign(**{name: worth[name] for name in ("clv", "clv_low", "clv_high")})
        order = "clv"
    return table.sort_values([order, "customer"], ascending=[False, True], kind="stable").head(_TOP)
