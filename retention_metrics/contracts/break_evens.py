"""Where two contract terms are worth the same: in fee, churn, acceptance, spend and discount rate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from retention_metrics.contracts.fees import FeeShare, Line
from retention_metrics.contracts.fitted import Drawn
from retention_metrics.contracts.service import Setting
from retention_metrics.contracts.terms import Term
from retention_metrics.contracts.uncertainty import interval_of
from retention_metrics.explanation import Explanation, Step, Value
from retention_metrics.results import Interval, Result, result

__all__ = ["BreakEven", "BreakEvenChurnRatio", "BreakEvenFee"]

Floats = NDArray[np.float64]
Draws = Mapping[str, Drawn | None]
Answer = TypeVar("Answer", bound=Result)

_SOURCE = "Equality of expected present values under the stated churn."
_ROOT_SOURCE = "Brent, R. P. (1973), Algorithms for Minimization without Derivatives, chapter 4; " + _SOURCE.lower()
# Half-widths of the bracket from which the working of a root is shown.
_NEAR = 1e-6
_TRIED_CHURNS: Floats = np.concatenate([np.geomspace(1e-6, 0.01, 80), np.linspace(0.011, 1.0, 320)])
_TRIED_RATES: Floats = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 240)])
# Halvings of a bracket of the draws, of which intervals are taken.
_BISECTIONS = 30


@result
class BreakEvenFee(Result):
    """The fee rate at which one term is worth as much as another.

    Attributes
    ----------
    term, against : str
        The term whose fee is sought, and the one it matches.
    monthly_fee : float or None
        The same fee as a sum of money for each paid month.
    paid_months : float
        Paid months under ``term``, in present months at the time of payment.
    value_without_fees : float
        Present value of ``term`` if its monthly fee were 0: costs, set-up fee and early termination fees.
    value_against : float
        Present value of the term to match.
    monthly_spend : float
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
    monthly_fee: float | None
    paid_months: float
    value_without_fees: float
    value_against: float
    monthly_spend: float

    def explain(self) -> Explanation:
        """The value to match, less what the term is worth without fees, spread over its paid months.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        return Explanation(
            formula="fee = (value of the other − own value without fees) / own paid months / spend",
            values={
                "value_against": self.value_against,
                "value_without_fees": self.value_without_fees,
                "paid_months": self.paid_months,
                "monthly_spend": self.monthly_spend,
            },
            steps=(
                Step(name="monthly_fee", expression="(value_against - value_without_fees) / paid_months"),
                Step(name="fee_rate", expression="monthly_fee / monthly_spend"),
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
        Present months of service that ``term`` must reach; None where its worth is not a margin on its months.
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
        values: dict[str, Value] = {
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
            formula="ratio = churn(a) / churn(b), where churn(a) makes a worth as much as b: present months of service "
            "(value of b + acquisition cost − set-up fee) / margin of a month, if nothing else depends on the churn",
            values=values,
            steps=steps,
            source=_SOURCE,
        )


@result
class BreakEven(Result):
    """The acceptance, spend or discount rate at which two terms are worth the same.

    Attributes
    ----------
    quantity : str
        ``"acceptance"``, ``"monthly_spend"`` or ``"monthly_discount_rate"``.
    term, against : str
        The two terms; an acceptance is that of ``term``.
    method : str
        ``"closed_form"`` or ``"root"``.
    known : mapping of str to float
        The numbers that the working starts from.
    others : tuple of float
        Further values at which the two are worth the same; the estimate is the smallest.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
    >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04, leaves="any_month")
    >>> table = compare([monthly, yearly], monthly_spend=1_000, horizon_months=float("inf"))
    >>> print(table.break_even_acceptance("yearly", "monthly").explain())
    acceptance = acceptance of the other × its present value / own present value
      acceptance_against = 1
      value_against = 1250
      value = 1500
      acceptance = acceptance_against * value_against / value = 0.833333
    Source: Equality of expected present values under the stated churn.
    """

    kind: ClassVar[str] = "contracts.break_even"

    quantity: str
    term: str
    against: str
    method: str
    known: dict[str, float]
    others: tuple[float, ...]

    def explain(self) -> Explanation:
        """The working: the quotient of a closed form, or the last step of the search for a root.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        formula, expression = {
            "acceptance": (
                "acceptance = acceptance of the other × its present value / own present value",
                "acceptance_against * value_against / value",
            ),
            "monthly_spend": (
                "spend at which gap + slope × (spend − spend_0) = 0: between the kinks of the fees the values differ "
                "by a straight line",
                "spend_0 - gap_0 / slope",
            ),
            "monthly_discount_rate": (
                "rate at which the present values are equal: the straight line through the two ends of a narrow "
                "bracket crosses zero",
                "low - gap_low * (high - low) / (gap_high - gap_low)",
            ),
        }[self.quantity]
        return Explanation(
            formula=formula,
            values=dict(self.known),
            steps=(Step(name=self.quantity, expression=expression),) if self.estimate is not None else (),
            source=_ROOT_SOURCE if self.method == "root" else _SOURCE,
        )


# ---------------------------------------------------------------- fee


def fee(
    term: Term, against: Term, setting: Setting, draws: Draws | None = None, level: float | None = None
) -> BreakEvenFee:
    """The fee rate of ``term`` at which it is worth as much as ``against``."""
    sums = setting.present(term)
    value = float(setting.value(term))
    without = value - term.monthly_fee(setting.spend) * float(sums.paid)
    matched = float(setting.value(against))

    paid = float(sums.paid)
    needed = (matched - without) / paid if paid > 0 else None
    # Equality at a fee of 0 may miss it by rounding.
    if needed is not None and abs(needed) * paid < 1e-12 * max(abs(matched), abs(without)):
        needed = 0.0
    note = _why_no_fee(term, against, needed, setting)
    found = None if note or needed is None else needed / setting.spend
    answer = BreakEvenFee(
        estimate=found,
        unit="share of monthly spend",
        definition="contracts.break_even_fee/equal-present-value",
        notes=(note,) if note else (),
        status="undefined" if note else "ok",
        term=term.name,
        against=against.name,
        monthly_fee=None if note else needed,
        paid_months=paid,
        value_without_fees=without,
        value_against=matched,
        monthly_spend=setting.spend,
    )
    if needed is None or setting.spend == 0 or draws is None or _certain(term, against, draws):
        return answer
    drawn = _drawn_fees(term, against, setting, draws)
    if found is None:
        return _with_share(answer, drawn >= 0, "there is one")
    told = _with_share(answer, drawn < 0, "even a fee of 0 is too much; they count as 0")
    return _with_interval(told, np.maximum(drawn, 0.0), level)


def _drawn_fees(term: Term, against: Term, setting: Setting, draws: Draws) -> Floats:
    """The fee rate in every draw of the two churns; below 0 where even a fee of 0 is too much."""
    paid = setting.present(term, draws[term.name]).paid
    without = setting.value(term, draws[term.name]) - term.monthly_fee(setting.spend) * paid
    return np.asarray((setting.value(against, draws[against.name]) - without) / paid / setting.spend)


def _certain(term: Term, against: Term, draws: Draws) -> bool:
    return draws[term.name] is None and draws[against.name] is None


def _with_share(answer: Answer, where: NDArray[np.bool_], words: str) -> Answer:
    """The answer with a note on the draws of some kind, where there are any."""
    if not where.any():
        return answer
    note = f"In {100 * float(where.mean()):.3g} % of the draws {words}."
    return dataclasses.replace(answer, notes=(*answer.notes, note))


def _with_interval(answer: Answer, drawn: Floats, level: float | None) -> Answer:
    """The answer with the central interval of its draws; NaN is a draw in which there is none."""
    if level is None:
        return answer
    there = ~np.isnan(drawn)
    if answer.estimate is None:
        return _with_share(answer, there, "there is one")
    if not there.any():
        return _with_share(answer, ~there, "there is none")
    low, high = interval_of(drawn[there], level)
    ends = (min(float(low), answer.estimate), max(float(high), answer.estimate))
    told = _with_share(answer, ~there, "there is none; the interval is that of the others")
    return dataclasses.replace(told, interval=Interval(low=ends[0], high=ends[1], level=level, method="monte_carlo"))


def _why_no_fee(term: Term, against: Term, needed: float | None, setting: Setting) -> str | None:
    if setting.spend == 0:
        return "The monthly spend is 0, so no fee rate earns anything."
    if needed is None:
        return f"No month of {term.name} is paid within the {setting.horizon:g} months, so no fee makes them equal."
    if needed < 0:
        return (
            f"{term.name} is worth more than {against.name} even at a fee of 0: no fee of at least 0 makes them equal."
        )
    return None


# ---------------------------------------------------------------- churn


def churn_ratio(
    term: Term, against: Term, setting: Setting, draws: Draws | None = None, level: float | None = None
) -> BreakEvenChurnRatio:
    """The ratio of monthly churns at which ``term`` is worth as much as ``against``."""
    held = against.constant_churn
    matched = float(setting.value(against))
    plain = is_a_margin_on_months(term)
    required = None
    if plain and setting.margin(term) != 0:
        once = setting.acquisition_cost_of(term) - term.setup_fee
        required = (matched + once) / setting.margin(term)

    note = _why_no_ratio(term, against, plain, required, setting)
    churns: list[float] = []
    if note is None and plain and required is not None:
        churns = [_churn_for(term, required, setting)]
    elif note is None:
        churns = _churns_where_equal(term, matched, setting)
        note = None if churns else f"No churn of {term.name} from 0 to 1 makes it worth as much as {against.name}."
    churn = churns[0] if churns else None

    notes = [note] if note else []
    if churns[1:]:
        listed = ", ".join(f"{other:.6g}" for other in churns[1:])
        notes.append(f"The two are worth the same at further churns of {term.name} too: {listed}.")
    if note is None and term.constant_churn is None:
        notes.append(
            f"The churn of {term.name} is a curve; the ratio is that of the constant monthly churn of equal worth."
        )
    answer = BreakEvenChurnRatio(
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
        method="closed_form" if math.isinf(setting.horizon) and plain else "root",
    )
    held_draws = None if draws is None else draws[against.name]
    nothing_to_seek = not held or setting.horizon <= term.bond_months or (plain and required is None)
    if nothing_to_seek or not isinstance(held_draws, np.ndarray):
        return answer
    return _with_interval(answer, _drawn_churns(term, against, setting, held_draws) / held_draws, level)


def _drawn_churns(term: Term, against: Term, setting: Setting, held: Floats) -> Floats:
    """The churn of ``term`` in every draw of the other's; NaN where no churn makes them equal."""
    matched = setting.value(against, held)
    endless, variable = math.isinf(setting.horizon), term.with_churn(0.5)
    if endless and is_a_margin_on_months(term):
        required = (matched + setting.acquisition_cost_of(term) - term.setup_fee) / setting.margin(term)
        fewest, most = _range_of_months(term, setting)
        inside = (required >= fewest * (1 - 1e-12)) & (required <= most * (1 + 1e-12))
        return np.where(inside, _endless_churns(term, np.where(inside, required, fewest), setting), np.nan)
    tried = _TRIED_CHURNS if endless else np.concatenate([[0.0], _TRIED_CHURNS])
    return _first_roots(lambda churns: setting.value(variable, churns), matched, tried)


def _first_roots(value: Callable[[Floats], Floats], matched: Floats, tried: Floats) -> Floats:
    """For each number to match the smallest argument of that value, by bisection; NaN where there is none."""
    gaps = np.sign(value(tried)[:, np.newaxis] - matched)
    turns = gaps[:-1] * gaps[1:] <= 0
    first = turns.argmax(axis=0)
    low, high = tried[first], tried[first + 1]
    below = gaps[first, np.arange(matched.size)]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        left = np.sign(value(middle) - matched) == below
        low, high = np.where(left, middle, low), np.where(left, high, middle)
    return np.where(turns.any(axis=0), (low + high) / 2, np.nan)


def is_a_margin_on_months(term: Term) -> bool:
    """Whether the value is a margin times the months of service, and what is paid once."""
    return (
        term.free_months == 0
        and term.notice_if_free == 0
        and term.early_termination_fee == 0
        and term.renewal_churn is None
    )


def _why_no_ratio(term: Term, against: Term, plain: bool, required: float | None, setting: Setting) -> str | None:
    held = against.constant_churn
    if held is None:
        return f"The churn of {against.name} is a curve, not one monthly rate that a ratio could be taken to."
    if held == 0:
        return f"The monthly churn of {against.name} is 0, so no ratio to it exists."
    if setting.horizon <= term.bond_months:
        return f"{term.name} binds its client for all of the {setting.horizon:g} months, so its churn moves nothing."
    if not plain:
        return None
    if required is None:
        return f"{term.name} earns nothing in a month (its fee only covers the service), whatever its churn."
    fewest, most = _range_of_months(term, setting)
    loses = setting.margin(term) < 0
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
    fewest = float(setting.present(term.with_churn(1.0)).months)
    if math.isfinite(setting.horizon):
        return fewest, float(setting.present(term.with_churn(0.0)).months)
    return fewest, math.inf if setting.discount_rate == 0 else 1 + 1 / setting.discount_rate


def _churn_for(term: Term, required: float, setting: Setting) -> float:
    """The constant monthly churn under which the term serves the present months required."""
    if math.isinf(setting.horizon):
        return float(_endless_churns(term, np.array(required), setting))
    fewest, most = _range_of_months(term, setting)
    target = min(max(required, fewest), most)
    return float(
        brentq(lambda churn: float(setting.present(term.with_churn(churn)).months) - target, 0.0, 1.0, xtol=1e-15)
    )


def _endless_churns(term: Term, required: Floats, setting: Setting) -> Floats:
    """Without an end the present months are a geometric series of bonds, which is solved for the churn."""
    force, bond = math.log1p(setting.discount_rate), term.bond_months
    worth = bond if force == 0 else math.expm1(-force * bond) / math.expm1(-force)
    with np.errstate(divide="ignore"):
        lasting = np.log(np.maximum(1 - worth / required, 0.0))
    return np.abs(np.expm1(np.minimum(lasting / bond + force, 0.0)))


def _churns_where_equal(term: Term, matched: float, setting: Setting) -> list[float]:
    """Every churn at which the term is worth as much: with a fee for leaving early there may be two."""
    variable = term.with_churn(0.5)

    def gap(churn: float) -> float:
        return float(setting.value(variable, np.array([churn]))[0]) - matched

    return _roots(gap, _TRIED_CHURNS)


# ---------------------------------------------------------------- acceptance, spend, discount rate


def acceptance(
    term: Term, against: Term, setting: Setting, draws: Draws, accepted: Floats | None, level: float | None
) -> BreakEven:
    """The acceptance of ``term`` at which it is worth as much per prospect as ``against``."""
    value, matched = float(setting.value(term)), float(setting.value(against))
    found = against.accepted * matched / value if value != 0 else None
    note = None
    if found is None or found < 0:
        note = f"{term.name} and {against.name} are not worth a gain or a loss both: no acceptance makes them equal."
    elif found > 1:
        note = (
            f"{term.name} is worth {value:.6g} a client: even signed by every prospect it is worth less than "
            f"{against.name} ({against.accepted:g} × {matched:.6g}); equality would take {found:.4g} of them."
        )
        if value < 0:
            note = f"{term.name} loses less than {against.name} even if every prospect signs it."
    known = {"acceptance_against": against.accepted, "value_against": matched, "value": value}
    answer = _break_even("acceptance", "share of prospects", term, against, note, [] if note else [found or 0.0], known)
    if accepted is None and _certain(term, against, draws):
        return answer
    shares = _drawn_acceptances(term, against, setting, draws, against.accepted if accepted is None else accepted)
    if answer.estimate is None:
        return _with_share(answer, (shares >= 0) & (shares <= 1), "there is one")
    told = _with_share(answer, shares > 1, "not even every prospect is enough; they count as 1")
    return _with_interval(told, np.clip(shares, 0.0, 1.0), level)


def _drawn_acceptances(term: Term, against: Term, setting: Setting, draws: Draws, accepted: Floats | float) -> Floats:
    """The acceptance in every draw of what is uncertain; above 1 where not even every prospect is enough."""
    value, matched = setting.value(term, draws[term.name]), setting.value(against, draws[against.name])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = accepted * matched / value
    return np.where(value > 0, shares, np.inf)


def spend(
    term: Term, against: Term, setting: Setting, draws: Draws | None = None, level: float | None = None
) -> BreakEven:
    """The monthly spends at which two terms are worth the same: line by line between the kinks of their fees."""
    own, other = setting.present(term), setting.present(against)
    at_no_fee = float(_value_without_fees(term, setting) - _value_without_fees(against, setting))
    found: list[float] = []
    known: dict[str, float] = {}
    crossing_jumps: list[float] = []
    before: float | None = None
    for start, end, a, b in _stretches(_lines(term), _lines(against)):
        slope = float(a.slope) * float(own.paid) - float(b.slope) * float(other.paid)
        offset = float(a.intercept) * float(own.paid) - float(b.intercept) * float(other.paid) + at_no_fee
        gap = offset + slope * start
        root = start - gap / slope if slope != 0 else None
        if before is not None and before * gap < 0:
            crossing_jumps.append(start)
        if root is not None and start <= root < end and root > 0:
            found.append(root)
            known = known or {"spend_0": start, "gap_0": gap, "slope": slope}
        before = offset + slope * end if math.isfinite(end) else None
    note = None
    if not found:
        note = f"{term.name} and {against.name} are worth the same at no single monthly spend above 0."
        if at_no_fee == 0 and _both_in_proportion(term, against):
            note += " Both values are in proportion to the spend, so that it moves their ratio nowhere."
    notes = [note] if note else []
    if crossing_jumps:
        notes.append(
            f"Where a tier begins the order changes in a jump: at {', '.join(f'{at:g}' for at in crossing_jumps)}."
        )
    if _rounds(term) or _rounds(against):
        notes.append("The fees are taken before rounding.")
    answer = _break_even("monthly_spend", "currency a month", term, against, note, found, known, notes=notes)
    if draws is None or term == against or _certain(term, against, draws):
        return answer
    return _with_interval(answer, _drawn_spends(term, against, setting, draws), level)


def _drawn_spends(term: Term, against: Term, setting: Setting, draws: Draws) -> Floats:
    """The smallest spend above 0 of equal worth in every draw; NaN where there is none."""
    ours, theirs = draws[term.name], draws[against.name]
    own, other = setting.present(term, ours).paid, setting.present(against, theirs).paid
    at_no_fee = _value_without_fees(term, setting, ours) - _value_without_fees(against, setting, theirs)
    found = np.full(np.broadcast(own, other).shape, np.nan)
    for start, end, a, b in _stretches(_lines(term), _lines(against)):
        slope = float(a.slope) * own - float(b.slope) * other
        gap = float(a.intercept) * own - float(b.intercept) * other + at_no_fee + slope * start
        with np.errstate(divide="ignore", invalid="ignore"):
            root = start - gap / slope
        inside = np.isnan(found) & (slope != 0) & (root >= start) & (root < end) & (root > 0)
        found = np.where(inside, root, found)
    return found


def discount_rate(
    term: Term, against: Term, setting: Setting, draws: Draws | None = None, level: float | None = None
) -> BreakEven:
    """The monthly discount rates from 0 to 1 at which two terms are worth the same."""

    def gap(rate: float) -> float:
        changed = dataclasses.replace(setting, discount_rate=rate)
        return float(changed.value(term)) - float(changed.value(against))

    # A term against itself is equal everywhere, which is no answer.
    found = [] if term == against else _roots(gap, _TRIED_RATES)
    known: dict[str, float] = {}
    if found:
        low, high = max(found[0] - _NEAR, 0.0), found[0] + _NEAR
        known = {"low": low, "high": high, "gap_low": gap(low), "gap_high": gap(high)}
    note = None
    if not found:
        better = term.name if gap(0.01) > 0 else against.name
        note = (
            "A term is worth as much as itself at any discount rate."
            if term == against
            else f"{better} is worth more at every monthly discount rate from 0 to 100 %."
        )
    answer = _break_even("monthly_discount_rate", "share a month", term, against, note, found, known, method="root")
    if draws is None or term == against or _certain(term, against, draws):
        return answer
    return _with_interval(answer, _drawn_rates(term, against, setting, draws), level)


def _drawn_rates(term: Term, against: Term, setting: Setting, draws: Draws) -> Floats:
    """The smallest rate of equal worth in every draw, by the straight line between two rates tried; NaN without one."""
    settings = [dataclasses.replace(setting, discount_rate=float(rate)) for rate in _TRIED_RATES]
    before = settings[0].value(term, draws[term.name]) - settings[0].value(against, draws[against.name])
    found = np.where(before == 0, 0.0, np.nan)
    for (low, high), changed in zip(pairwise(_TRIED_RATES.tolist()), settings[1:], strict=True):
        after = changed.value(term, draws[term.name]) - changed.value(against, draws[against.name])
        turns = np.isnan(found) & (before * after < 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.where(turns, low + (high - low) * before / (before - after), found)
        before = after
    return found


def _break_even(
    quantity: str,
    unit: str,
    term: Term,
    against: Term,
    note: str | None,
    found: Sequence[float],
    known: dict[str, float],
    *,
    method: str = "closed_form",
    notes: Sequence[str] | None = None,
) -> BreakEven:
    return BreakEven(
        estimate=found[0] if found else None,
        unit=unit,
        definition=f"contracts.break_even_{quantity}/equal-present-value",
        notes=tuple(notes if notes is not None else [note] if note else []),
        status="ok" if found else "undefined",
        quantity=quantity,
        term=term.name,
        against=against.name,
        method=method,
        known=known,
        others=tuple(found[1:]),
    )


def _roots(gap: Callable[[float], float], tried: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    """Where a function changes sign between neighbours of a grid, found by Brent's method, rising."""
    gaps = [gap(float(at)) for at in tried]
    found = [float(at) for at, value in zip(tried, gaps, strict=True) if value == 0]
    for (low, high), (below, above) in zip(pairwise(tried), pairwise(gaps), strict=True):
        if below * above < 0:
            found.append(float(brentq(gap, float(low), float(high), xtol=1e-15, rtol=1e-14)))
    return sorted(found)


def _value_without_fees(term: Term, setting: Setting, draws: Drawn | None = None) -> Floats:
    return setting.value(term, draws) - term.monthly_fee(setting.spend) * setting.present(term, draws).paid


def _lines(term: Term) -> tuple[Line, ...]:

    return (term.fee or FeeShare(term.fee_rate or 0.0)).lines()


def _stretches(a: tuple[Line, ...], b: tuple[Line, ...]) -> list[tuple[float, float, Line, Line]]:
    """Stretches of spend on which both fees are one straight line each."""
    starts = sorted({line.start for line in (*a, *b)})
    ends = [*(float(start) for start in starts[1:]), math.inf]
    return [
        (
            float(start),
            end,
            [line for line in a if line.start <= start][-1],
            [line for line in b if line.start <= start][-1],
        )
        for start, end in zip(starts, ends, strict=True)
    ]


def _rounds(term: Term) -> bool:
    return term.fee is not None and term.fee.unit is not None


def _both_in_proportion(term: Term, against: Term) -> bool:
    return all(len(_lines(each)) == 1 and _lines(each)[0].intercept == 0 for each in (term, against))
