"""A term's money month by month: what a signed client brings and costs, and when the cost is recovered."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention_metrics.contracts.fitted import Drawn, FittedDraws
from retention_metrics.contracts.service import Setting, account, by_step_drawn, shares, steps_needed
from retention_metrics.contracts.terms import Term
from retention_metrics.contracts.uncertainty import interval_of
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, ColumnType, Interval, TableResult, result

__all__ = ["CashFlow"]

Floats = NDArray[np.float64]

# A century: a cost that has not come back by then never does.
_LONGEST_RECOVERY = 1_200
# Most costs come back soon: the draws are followed no further than they need.
_FIRST_MONTHS = 12
_CELLS = 100_000
_TYPES: dict[str, ColumnType] = {
    "cash_low": "number",
    "cash_high": "number",
    "cumulative_cash_low": "number",
    "cumulative_cash_high": "number",
}


@result
class CashFlow(TableResult):
    """What a signed client is expected to bring and cost, month by month.

    The columns: ``month``, from 0; ``in_service``, the share still there at its start; ``fees``; ``one_off_fees``, for
    set-up and early termination; ``service_cost``; ``acquisition_cost``; ``cash``, the fees less the costs;
    ``cumulative_cash``; ``cumulative_present_value``; and the ends of the intervals of ``cash`` and
    ``cumulative_cash``, null where the churn is certain. In arrears a month without service ends the table.

    Attributes
    ----------
    term : str
        The term.
    recovery_month : int or None
        The first month by whose payments the cumulative cash is at least 0; None where it never is.
    recovery_interval : Interval or None
        Interval of that month over the draws of the churn, infinite at an end where it never is; None where the churn
        is certain, or the cost never comes back.
    probability_recovered : float or None
        Share of the draws in which the cost comes back within the table; None where the churn is certain.
    monthly_discount_rate : float
        Effective rate per month.
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05, acquisition_cost=8_000)
    >>> flow = compare(yearly, monthly_spend=50_000, horizon_months=24).cash_flow("yearly")
    >>> [round(row["cumulative_cash"]) for row in flow.rows()[:4]], flow.recovery_month
    ([-5000, -2000, 1000, 4000], 2)
    """

    kind: ClassVar[str] = "contracts.cash_flow"

    term: str
    recovery_month: int | None
    recovery_interval: Interval | None
    probability_recovered: float | None
    monthly_discount_rate: float
    level: float | None

    def explain(self) -> Explanation:
        """The cash of the last month, and of all of them.

        Returns
        -------
        Explanation
            The last step gives the last cumulative cash.
        """
        cash = [float(cell) for cell in self.columns["cash"] if isinstance(cell, float)]
        return Explanation(
            formula="cash = fees + one-off fees − service cost − acquisition cost; cumulative cash = its running sum",
            values={"cash": cash},
            steps=(Step(name="cumulative_cash", expression="sum(cash)"),),
            source="Definition of a cash flow; payments at month starts.",
        )


class Flows(NamedTuple):
    """Money by month, each of shape (n_months,) or (n_draws, n_months)."""

    in_service: Floats
    fees: Floats
    one_off: Floats
    service: Floats
    acquisition: Floats

    @property
    def cash(self) -> Floats:
        """What is left."""
        return self.fees + self.one_off - self.service - self.acquisition


def flows(term: Term, setting: Setting, months: int, draws: Drawn | None = None) -> Flows:
    """The money of each month; one more month than of service where the last fee is paid in arrears."""
    there = shares(term, months, draws)
    width = months + (term.payment == "arrears")
    month = np.arange(width)
    nobody = np.zeros((*there.shape[:-1], width - months))
    served = np.concatenate([there, nobody], axis=-1)

    paid = np.where(np.arange(months) >= term.free_months, there, 0.0) * term.monthly_fee(setting.spend)
    fees = np.concatenate([nobody, paid], axis=-1)
    left = np.concatenate([np.zeros((*there.shape[:-1], 1)), there[..., :-1] - there[..., 1:], nobody], axis=-1)
    one_off = np.where(month % term.months != 0, left, 0.0) * term.early_termination_fee
    one_off[..., 0] += term.setup_fee
    acquisition = np.zeros_like(served)
    acquisition[..., 0] = setting.acquisition_cost_of(term)
    return Flows(served, fees, one_off, served * setting.service_cost_of(term), acquisition)


def recovery_month(term: Term, setting: Setting) -> int | None:
    """The first month by whose payments the expected cash has come back to 0."""
    months = int(min(setting.horizon, _LONGEST_RECOVERY))
    back = np.cumsum(flows(term, setting, months).cash) >= 0
    return int(np.argmax(back)) if back.any() else None


def drawn_recovery(
    term: Term, setting: Setting, found: int | None, draws: Drawn, level: float
) -> tuple[float, float, float]:
    """Ends of the interval of the month of recovery, infinite for never, and the share of the draws that have one."""
    months = int(min(setting.horizon, _LONGEST_RECOVERY))
    survivals = draws.by_step(steps_needed(term, float(months))) if isinstance(draws, FittedDraws) else draws
    month = np.full(len(survivals), math.inf)
    unknown, width = np.arange(len(survivals)), min(months, _FIRST_MONTHS)
    while unknown.size:
        month[unknown] = _months_back(term, setting, survivals, unknown, width, last=width == months)
        if width == months:
            break
        unknown = unknown[np.isinf(month[unknown])]
        if width > term.free_months and term.monthly_fee(setting.spend) >= setting.service_cost_of(term):
            # From here on no month costs anything, so that whose cash falls short in the end never is back.
            unknown = unknown[_in_the_end(term, setting, survivals[unknown], months) >= 0]
        width = min(4 * width, months)
    low, high = _month_ends(month, found, level)
    return low, high, float(np.isfinite(month).mean())


def _in_the_end(term: Term, setting: Setting, draws: Floats, months: int) -> Floats:
    """Cash of all months, of every draw."""
    if draws.ndim == 2:
        draws = by_step_drawn(draws, np.arange(steps_needed(term, float(months))))
    sums = account(term, float(months), 0.0, draws)
    total = setting.fees(term, sums) - setting.service_cost_of(term) * sums.months - setting.acquisition_cost_of(term)
    # What is 0 but for rounding is followed to its month.
    return total + 1e-9 * setting.acquisition_cost_of(term)


def _months_back(
    term: Term, setting: Setting, draws: Floats, rows: NDArray[np.intp], months: int, *, last: bool
) -> Floats:
    """The month of recovery of some draws within some months, infinite where there is none."""
    found = np.full(rows.size, math.inf)
    size = max(_CELLS // months, 1)
    for first in range(0, rows.size, size):
        part = slice(first, first + size)
        running = np.cumsum(flows(term, setting, months, draws[rows[part]]).cash, axis=-1)
        # The month after the last is whole only where service ends.
        back = running[:, : None if last else months] >= 0
        found[part] = np.where(back.any(axis=-1), back.argmax(axis=-1), math.inf)
    return found


def cash_flow(term: Term, setting: Setting, months: int, draws: Drawn | None, level: float | None) -> CashFlow:
    """The table of a term's money, with intervals over the draws of its churn."""
    found = flows(term, setting, months)
    month = np.arange(found.cash.size)
    worth = np.exp(-math.log1p(setting.discount_rate) * month)
    running = np.cumsum(found.cash)
    cells: dict[str, object] = {
        "month": month.tolist(),
        "in_service": found.in_service.tolist(),
        "fees": found.fees.tolist(),
        "one_off_fees": found.one_off.tolist(),
        "service_cost": found.service.tolist(),
        "acquisition_cost": found.acquisition.tolist(),
        "cash": found.cash.tolist(),
        "cumulative_cash": running.tolist(),
        "cumulative_present_value": np.cumsum(found.cash * worth).tolist(),
    }
    unknown: list[float | None] = [None] * month.size
    ends = dict.fromkeys(_TYPES, unknown)
    back = running >= 0
    recovered = int(np.argmax(back)) if back.any() else None
    interval, share = None, None
    if draws is not None and level is not None:
        drawn = flows(term, setting, months, draws).cash
        for name, values in (("cash", drawn), ("cumulative_cash", np.cumsum(drawn, axis=-1))):
            low, high = interval_of(values, level)
            ends[f"{name}_low"], ends[f"{name}_high"] = low.tolist(), high.tolist()
        interval, share = _recovery(np.cumsum(drawn, axis=-1) >= 0, recovered, level)
    columns = Columns({**cells, **ends}, types=_TYPES)  # type: ignore[dict-item]
    return CashFlow(
        definition="contracts.cash_flow/expected",
        unit="currency of monthly_spend",
        columns=columns,
        term=term.name,
        recovery_month=recovered,
        recovery_interval=interval,
        probability_recovered=share,
        monthly_discount_rate=setting.discount_rate,
        level=level if draws is not None else None,
    )


def _recovery(back: NDArray[np.bool_], found: int | None, level: float) -> tuple[Interval | None, float]:
    """Interval of the month of recovery over the draws, and the share of them that have one."""
    there = back.any(axis=-1)
    low, high = _month_ends(np.where(there, back.argmax(axis=-1), math.inf), found, level)
    if math.isinf(low):
        return None, float(there.mean())
    return Interval(low=low, high=high, level=level, method="monte_carlo"), float(there.mean())


def _month_ends(month: Floats, found: int | None, level: float) -> tuple[float, float]:
    """Months of the draws, for between a month and never there is nothing, around the month found."""
    low, high = np.quantile(month, ((1 - level) / 2, (1 + level) / 2), method="inverted_cdf")
    own = math.inf if found is None else float(found)
    return min(float(low), own), max(float(high), own)
