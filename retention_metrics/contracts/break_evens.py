"""Where two contract terms are worth the same: in the fee, and in the churn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scipy.optimize import brentq

from retention_metrics.contracts.service import annuity, months_of_service
from retention_metrics.contracts.terms import Term
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Result, result

__all__ = ["BreakEvenChurnRatio", "BreakEvenFee"]

_SOURCE = "Equality of expected present values under the stated churn."


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What two terms are compared under; the acquisition cost is the same for both and cancels."""

    spend: float
    horizon: float
    discount_rate: float
    service_cost: float

    def present_months(self, term: Term) -> float:
        """Present months of service under a term."""
        return months_of_service(term, self.horizon, self.discount_rate)


@result
class BreakEvenFee(Result):
    """The fee rate at which one term is worth as much as another.

    Attributes
    ----------
    term, against : str
        The term whose fee is sought, and the one it matches.
    present_months, present_months_against : float
        Discounted months of service under each.
    fee_rate_against : float
        Fee rate of the term to match, a share of the monthly spend.
    monthly_spend, monthly_service_cost : float
        As in the comparison.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> terms = [
    ...     Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08),
    ...     Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04),
    ... ]
    >>> fee = compare(terms, monthly_spend=30_000, horizon_months=36).break_even_fee("yearly", "monthly")
    >>> round(fee.estimate, 4)
    0.0498
    """

    kind: ClassVar[str] = "contracts.break_even_fee"

    term: str
    against: str
    present_months: float
    present_months_against: float
    fee_rate_against: float
    monthly_spend: float
    monthly_service_cost: float

    def explain(self) -> Explanation:
        """The fee as the margin to match, spread over this term's months.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        margin = "fee_rate_against * monthly_spend - monthly_service_cost"
        return Explanation(
            formula="fee = (service cost + (fee of the other × spend − service cost) × its present months / "
            "own present months) / spend",
            values={
                "fee_rate_against": self.fee_rate_against,
                "monthly_spend": self.monthly_spend,
                "monthly_service_cost": self.monthly_service_cost,
                "present_months": self.present_months,
                "present_months_against": self.present_months_against,
            },
            steps=(
                Step(name="margin_against", expression=margin),
                Step(name="margin", expression="margin_against * present_months_against / present_months"),
                Step(name="fee_rate", expression="(margin + monthly_service_cost) / monthly_spend"),
            )
            if self.estimate is not None
            else (),
            source=_SOURCE,
        )


@result
class BreakEvenChurnRatio(Result):
    """How many times the churn of another term one term can bear.

    Attributes
    ----------
    term, against : str
        The term whose churn is sought, and the one it matches.
    monthly_churn : float or None
        Monthly churn of ``term`` at which both are worth the same.
    monthly_churn_against : float or None
        Monthly churn of the term to match, held.
    required_months : float or None
        Present months of service that ``term`` must reach.
    bond_months : int
        Months that ``term`` binds its clients for between renewals.
    horizon_months : float
        Months in which fees count; infinite without an end.
    monthly_discount_rate : float
        Share by which a fee is worth less for each month that it comes later.
    method : str
        ``"closed_form"`` without an end, ``"root"`` with one.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> terms = [
    ...     Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08),
    ...     Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04),
    ... ]
    >>> ratio = compare(terms, monthly_spend=30_000, horizon_months=36).break_even_churn_ratio("monthly", "yearly")
    >>> round(ratio.estimate, 3), round(ratio.monthly_churn, 4)
    (1.58, 0.0632)
    """

    kind: ClassVar[str] = "contracts.break_even_churn_ratio"

    term: str
    against: str
    monthly_churn: float | None
    monthly_churn_against: float | None
    required_months: float | None
    bond_months: int
    horizon_months: float
    monthly_discount_rate: float
    method: str

    def explain(self) -> Explanation:
        """The churn that gives the months to reach, over the churn held.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        values: dict[str, float | int | str | None] = {
            "required_months": self.required_months,
            "monthly_churn_against": self.monthly_churn_against,
            "bond_months": self.bond_months,
            "monthly_discount_rate": self.monthly_discount_rate,
            "horizon_months": self.horizon_months,
        }
        steps: tuple[Step, ...] = ()
        if self.estimate is not None and self.method == "closed_form":
            worth = "(1 - v ** bond_months) / (1 - v)" if self.monthly_discount_rate > 0 else "bond_months * 1"
            steps = (
                Step(name="v", expression="1 / (1 + monthly_discount_rate)"),
                Step(name="bond_worth", expression=worth),
                Step(name="renewal", expression="max(0, (1 - bond_worth / required_months) / v ** bond_months)"),
                Step(name="churn", expression="1 - renewal ** (1 / bond_months)"),
                Step(name="ratio", expression="churn / monthly_churn_against"),
            )
        elif self.estimate is not None:
            values["monthly_churn"] = self.monthly_churn
            steps = (Step(name="ratio", expression="monthly_churn / monthly_churn_against"),)
        return Explanation(
            formula="ratio = churn(a) / churn(b), where churn(a) gives a the present months of service "
            "margin(b) × present months(b) / margin(a)",
            values=values,
            steps=steps,
            source=_SOURCE,
        )


def fee(term: Term, against: Term, setting: Setting) -> BreakEvenFee:
    """The fee rate of ``term`` at which it is worth as much as ``against``."""
    own, other = setting.present_months(term), setting.present_months(against)

    margin = (against.fee_rate * setting.spend - setting.service_cost) * other / own
    note = None
    if setting.spend == 0:
        note = "The monthly spend is 0, so no fee rate earns anything."
    elif margin + setting.service_cost < 0:
        note = (
            f"{term.name} is worth more than {against.name} even at a fee of 0: no fee of at least 0 makes them equal."
        )
    estimate = None if note else (margin + setting.service_cost) / setting.spend

    return BreakEvenFee(
        estimate=estimate,
        unit="share of monthly spend",
        definition="contracts.break_even_fee/equal-present-value",
        notes=(note,) if note else (),
        status="undefined" if note else "ok",
        term=term.name,
        against=against.name,
        present_months=own,
        present_months_against=other,
        fee_rate_against=against.fee_rate,
        monthly_spend=setting.spend,
        monthly_service_cost=setting.service_cost,
    )


def churn_ratio(term: Term, against: Term, setting: Setting) -> BreakEvenChurnRatio:
    """The ratio of monthly churns at which ``term`` is worth as much as ``against``."""
    margin = term.fee_rate * setting.spend - setting.service_cost
    margin_against = against.fee_rate * setting.spend - setting.service_cost
    held = against.constant_churn

    required = margin_against * setting.present_months(against) / margin if margin != 0 else None
    note = _why_no_ratio(term, against, required, setting)
    churn = None if note or required is None else _churn_for(term, required, setting)

    notes = [note] if note else []
    if note is None and term.constant_churn is None:
        notes.append(
            f"The churn of {term.name} is a curve; the ratio is that of the constant monthly churn of equal worth."
        )
    return BreakEvenChurnRatio(
        estimate=None if churn is None or not held else churn / held,
        unit="ratio of monthly churns",
        definition="contracts.break_even_churn_ratio/equal-present-value",
        notes=tuple(notes),
        status="undefined" if note else "ok",
        term=term.name,
        against=against.name,
        monthly_churn=churn,
        monthly_churn_against=held,
        required_months=required,
        bond_months=term.bond_months,
        horizon_months=setting.horizon,
        monthly_discount_rate=setting.discount_rate,
        method="closed_form" if math.isinf(setting.horizon) else "root",
    )


def _why_no_ratio(term: Term, against: Term, required: float | None, setting: Setting) -> str | None:
    held = against.constant_churn
    if held is None:
        return f"The churn of {against.name} is a curve, not one monthly rate that a ratio could be taken to."
    if held == 0:
        return f"The monthly churn of {against.name} is 0, so no ratio to it exists."
    if required is None:
        return f"{term.name} earns nothing in a month (its fee only covers the service), whatever its churn."
    if setting.horizon <= term.bond_months:
        return f"{term.name} binds its client for all of the {setting.horizon:g} months, so its churn moves nothing."
    fewest, most = _range_of_months(term, setting)
    loses = term.fee_rate * setting.spend < setting.service_cost
    # Equality at an end of the range may miss it by rounding.
    if required < fewest * (1 - 1e-12):
        end, more = "every client leaves at the first chance", not loses
    elif required > most * (1 + 1e-12):
        end, more = "no client ever leaves", loses
    else:
        return None
    return f"{term.name} is worth {'more' if more else 'less'} than {against.name} even if {end}."


def _range_of_months(term: Term, setting: Setting) -> tuple[float, float]:
    """Present months of service if everyone leaves at the first chance, and if nobody ever leaves."""
    fewest = setting.present_months(term.with_churn(1.0))
    if math.isfinite(setting.horizon):
        return fewest, setting.present_months(term.with_churn(0.0))
    return fewest, math.inf if setting.discount_rate == 0 else 1 + 1 / setting.discount_rate


def _churn_for(term: Term, required: float, setting: Setting) -> float:
    """The constant monthly churn under which the term serves the present months required."""
    if math.isinf(setting.horizon):
        force, bond = math.log1p(setting.discount_rate), term.bond_months
        lasting = 1 - float(annuity(float(bond), force)) / required
        return 1.0 if lasting <= 0 else abs(math.expm1(min(math.log(lasting) / bond + force, 0.0)))
    fewest, most = _range_of_months(term, setting)
    target = min(max(required, fewest), most)
    return float(brentq(lambda churn: setting.present_months(term.with_churn(churn)) - target, 0.0, 1.0, xtol=1e-15))
