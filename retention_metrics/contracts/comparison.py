"""Contract terms side by side: what a client is worth under each."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from retention_metrics import _checks
from retention_metrics.contracts import break_evens
from retention_metrics.contracts.break_evens import BreakEvenChurnRatio, BreakEvenFee, Setting
from retention_metrics.contracts.service import months_of_service
from retention_metrics.contracts.terms import Term
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step, Value
from retention_metrics.results import Columns, TableResult, result
from retention_metrics.survival import SurvivalTable

__all__ = ["TermComparison", "compare"]

# Ten thousand years: beyond it the question is about no end at all.
_MOST_MONTHS = 120_000


@result
class TermComparison(TableResult):
    """Contract terms side by side, a row per term in the order given.

    The columns: ``term``; ``months``, the length; ``fee_rate``; ``monthly_churn`` (null where churn is a curve);
    ``expected_months`` of service; ``expected_fees``; ``present_months`` and ``present_fees``, discounted;
    ``present_service_cost``; ``acquisition_cost``; ``present_value``, the present fees less both costs.

    Attributes
    ----------
    terms : tuple of Term
        The terms, with the survival used as numbers.
    monthly_spend : float
        What the client spends in a month, of which the fee is a share.
    horizon_months : float
        Months counted, or infinite.
    monthly_discount_rate : float
        Effective rate per month.
    acquisition_cost, monthly_service_cost : float
        Paid once at month 0, and at the start of each month of service.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> terms = [
    ...     Term("month-to-month", 1, fee_rate=0.10, monthly_churn=0.10),
    ...     Term("12 months", 12, fee_rate=0.06, monthly_churn=0.05),
    ... ]
    >>> table = compare(terms, monthly_spend=50_000, horizon_months=24)
    >>> [(row["term"], round(row["expected_months"], 2)) for row in table.rows()]
    [('month-to-month', 9.2), ('12 months', 18.48)]
    """

    kind: ClassVar[str] = "contracts.compare"

    terms: tuple[Term, ...]
    monthly_spend: float
    horizon_months: float
    monthly_discount_rate: float
    acquisition_cost: float
    monthly_service_cost: float

    @property
    def best(self) -> str:
        """The term of the highest present value; of equals, the first."""
        values = [float(value) for value in self.columns["present_value"] if isinstance(value, float)]
        return self.terms[values.index(max(values))].name

    def break_even_fee(self, a: str, b: str) -> BreakEvenFee:
        """The fee rate of one term at which it is worth as much as another.

        Parameters
        ----------
        a : str
            The term whose fee rate is sought.
        b : str
            The term to match, as it stands.

        Returns
        -------
        BreakEvenFee
            ``estimate`` is a share of the monthly spend; None, with a note, where no fee of at least 0 does it.

        Raises
        ------
        InputError
            If a name is not one of the terms.

        Notes
        -----
        With P the present months of service, c the monthly service cost and S the monthly spend,
        fee(a) = (c + (fee(b) S - c) P(b) / P(a)) / S. The acquisition cost is the same for both and cancels.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04, leaves="any_month")
        >>> table = compare([monthly, yearly], monthly_spend=1_000, horizon_months=float("inf"))
        >>> round(float(table.break_even_fee("monthly", "yearly")), 6)
        0.12
        """
        return break_evens.fee(self._term(a, "a"), self._term(b, "b"), self._setting())

    def break_even_churn_ratio(self, a: str, b: str) -> BreakEvenChurnRatio:
        """How many times the churn of another term one term can bear.

        Parameters
        ----------
        a : str
            The term whose constant monthly churn is sought.
        b : str
            The term to match; its churn is held.

        Returns
        -------
        BreakEvenChurnRatio
            ``estimate`` is churn(a) / churn(b) where both are worth the same, and ``monthly_churn`` is churn(a).
            None, with a note, where no churn from 0 to 1 does it, or b has no single churn rate above 0.

        Raises
        ------
        InputError
            If a name is not one of the terms.

        Notes
        -----
        Present value falls in churn, so there is at most one answer. Without an end, and with bonds of M months,
        P = A / (1 - v^M (1 - churn)^M), where A is what M months are worth at their start and v = 1 / (1 + d);
        that is solved for the churn. With an end, the root is found numerically.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04, leaves="any_month")
        >>> table = compare([monthly, yearly], monthly_spend=1_000, horizon_months=float("inf"))
        >>> round(float(table.break_even_churn_ratio("monthly", "yearly")), 4)
        1.6667
        """
        return break_evens.churn_ratio(self._term(a, "a"), self._term(b, "b"), self._setting())

    def explain(self, term: str | None = None) -> Explanation:
        """The working of one term's present value, or the rule for all of them.

        Parameters
        ----------
        term : str, optional
            The term whose row is worked; by default the formula alone.

        Returns
        -------
        Explanation
            With ``term``, the last step gives its present value.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> terms = [Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)]
        >>> table = compare(terms, monthly_spend=50_000, horizon_months=24)
        >>> round(table.explain("yearly").evaluate()["present_value"], 2)
        55452.96
        """
        values: dict[str, Value] = {
            "monthly_spend": self.monthly_spend,
            "horizon_months": self.horizon_months,
            "monthly_discount_rate": self.monthly_discount_rate,
            "acquisition_cost": self.acquisition_cost,
            "monthly_service_cost": self.monthly_service_cost,
        }
        steps: tuple[Step, ...] = ()
        if term is not None:
            chosen = self._term(term, "term")
            row = self.columns.rows()[self.terms.index(chosen)]
            values |= {"fee_rate": chosen.fee_rate}
            service_values, service_steps = _service_steps(chosen, self)
            if not service_steps:
                service_values = {"present_months": row["present_months"]}  # type: ignore[dict-item]
            values |= service_values
            steps = (*service_steps, *_VALUE_STEPS)
        return Explanation(
            formula="present value = (fee rate × monthly spend − monthly service cost) × present months of service "
            "− acquisition cost; a client bound by a term stays to its end and renews with probability "
            "(1 − monthly churn)^months, and month m counts (1 + discount rate)^−m, from month 0",
            values=values,
            steps=steps,
            source="Expected present value of payments in advance (annuity-due) under the stated churn.",
        )

    def _term(self, name: str, argument: str) -> Term:
        for term in self.terms:
            if term.name == name:
                return term
        names = [term.name for term in self.terms]
        nearest = difflib.get_close_matches(str(name), names, n=1)
        raise InputError(
            f"{argument} is one of the terms {names!r}; got {name!r}.",
            argument=argument,
            fix=f"Did you mean {nearest[0]!r}?" if nearest else None,
        )

    def _setting(self) -> Setting:
        return Setting(
            spend=self.monthly_spend,
            horizon=self.horizon_months,
            discount_rate=self.monthly_discount_rate,
            service_cost=self.monthly_service_cost,
        )


_VALUE_STEPS = (
    Step(name="present_fees", expression="fee_rate * monthly_spend * present_months"),
    Step(name="present_service_cost", expression="monthly_service_cost * present_months"),
    Step(name="present_value", expression="present_fees - present_service_cost - acquisition_cost"),
)


def _service_steps(term: Term, table: TermComparison) -> tuple[dict[str, Value], tuple[Step, ...]]:
    """The present months of a term in closed form: a geometric series of bonds, under a constant churn above 0."""
    churn = term.constant_churn
    if not churn:
        return {}, ()
    discounted = table.monthly_discount_rate > 0
    values: dict[str, Value] = {"monthly_churn": churn, "bond_months": term.bond_months}
    steps = [Step(name="renewal", expression="(1 - monthly_churn) ** bond_months")]
    worth = "({0})"
    if discounted:
        steps += [Step(name="v", expression="1 / (1 + monthly_discount_rate)")]
        steps += [Step(name="ratio", expression="renewal * v ** bond_months")]
        worth = "(1 - v ** ({0})) / (1 - v)"
    else:
        steps += [Step(name="ratio", expression="renewal")]
    steps.append(Step(name="bond_worth", expression=worth.format("bond_months")))
    if math.isinf(table.horizon_months):
        steps.append(Step(name="present_months", expression="bond_worth / (1 - ratio)"))
        return values, tuple(steps)
    steps += [
        Step(name="whole_bonds", expression="horizon_months // bond_months"),
        Step(name="rest_worth", expression=worth.format("horizon_months % bond_months")),
        Step(
            name="present_months",
            expression="bond_worth * (1 - ratio ** whole_bonds) / (1 - ratio) + rest_worth * ratio ** whole_bonds",
        ),
    ]
    return values, tuple(steps)


def compare(
    terms: Sequence[Term] | Term,
    *,
    monthly_spend: float,
    horizon_months: float,
    monthly_discount_rate: float = 0.0,
    acquisition_cost: float = 0.0,
    monthly_service_cost: float = 0.0,
) -> TermComparison:
    """What a client is worth under each of several contract terms.

    Parameters
    ----------
    terms : sequence of Term, or Term
        The terms, each with a name of its own; a row each, in this order.
    monthly_spend : float
        What the client spends in a month, at least 0, in any currency; the fee is a share of it.
    horizon_months : float
        Whole months counted, at least 1; infinite for no end.
    monthly_discount_rate : float, default 0
        Effective rate per month, at least 0: 0.01 for 1 % a month.
    acquisition_cost : float, default 0
        Paid once at month 0, at least 0, in the currency of the spend.
    monthly_service_cost : float, default 0
        Paid at the start of each month of service, at least 0.

    Returns
    -------
    TermComparison
        A row per term, with ``break_even_fee`` and ``break_even_churn_ratio`` between any two.

    Raises
    ------
    InputError
        If there is no term, two share a name, a number is out of its range, a survival ends before the horizon,
        or nobody ever leaves and the horizon has no end.

    Notes
    -----
    Fees are paid at the start of each month of service, the first at month 0. With S(m) the probability that the
    client is still there at the start of month m and v = 1 / (1 + monthly_discount_rate),

    - expected months = sum of S(m) over m < horizon,
    - present months = sum of S(m) v^m,
    - present value = (fee_rate * monthly_spend - monthly_service_cost) * present months - acquisition_cost.

    The calculation is deterministic: given the churn there is no sampling error, and so no interval. How sure the
    churn itself is decides how sure the answer is.

    References
    ----------
    .. [1] Gupta, S., Lehmann, D. R. and Stuart, J. A. (2004). Valuing customers.
       *Journal of Marketing Research* 41(1), 7-18: the value of a customer as a discounted sum over survival.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> terms = [
    ...     Term("month-to-month", 1, fee_rate=0.10, monthly_churn=0.10),
    ...     Term("12 months", 12, fee_rate=0.06, monthly_churn=0.05),
    ... ]
    >>> table = compare(terms, monthly_spend=50_000, horizon_months=24, acquisition_cost=5_000)
    >>> [round(row["present_value"]) for row in table.rows()]
    [41012, 50453]
    >>> table.best
    '12 months'
    """
    chosen = _distinct(terms)
    horizon = _horizon(horizon_months)
    setting = Setting(
        spend=_checks.non_negative(monthly_spend, name="monthly_spend"),
        horizon=horizon,
        discount_rate=_checks.non_negative(monthly_discount_rate, name="monthly_discount_rate"),
        service_cost=_checks.non_negative(monthly_service_cost, name="monthly_service_cost"),
    )
    acquisition = _checks.non_negative(acquisition_cost, name="acquisition_cost")

    used = tuple(term.tabulated(horizon) for term in chosen)
    rows = [_row(term, setting, acquisition) for term in used]

    return TermComparison(
        definition="contracts.compare/expected-present-value",
        unit="currency of monthly_spend",
        columns=Columns({name: [row[name] for row in rows] for name in rows[0]}, types={"monthly_churn": "number"}),
        notes=tuple(note for given, term in zip(chosen, used, strict=True) for note in _notes(given, term, horizon)),
        terms=used,
        monthly_spend=setting.spend,
        horizon_months=horizon,
        monthly_discount_rate=setting.discount_rate,
        acquisition_cost=acquisition,
        monthly_service_cost=setting.service_cost,
    )


def _distinct(terms: object) -> tuple[Term, ...]:
    given = (terms,) if isinstance(terms, Term) else terms
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise InputError(f"terms is a list of Term; got {type(terms).__name__}.", argument="terms")
    found = tuple(given)
    chosen = tuple(term for term in found if isinstance(term, Term))
    if not found:
        raise InputError("terms holds at least one Term; got none.", argument="terms")
    if len(chosen) < len(found):
        stranger = next(type(term).__name__ for term in found if not isinstance(term, Term))
        raise InputError(f"terms holds Term objects; got {stranger}.", argument="terms", count=len(found) - len(chosen))
    names = [term.name for term in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"terms have a name each; {twice[0]!r} is there {names.count(twice[0])} times.",
            argument="terms",
            count=len(twice),
            first=twice[:3],
            fix="Give each term a name of its own.",
        )
    return chosen


def _horizon(months: float) -> float:
    if _checks.number(months, name="horizon_months", allow_infinite=True) == math.inf:
        return math.inf
    horizon = _checks.count(months, name="horizon_months", low=1)
    if horizon > _MOST_MONTHS:
        raise InputError(
            f"horizon_months is at most {_MOST_MONTHS}; got {horizon}.",
            argument="horizon_months",
            fix="For no end at all write math.inf.",
        )
    return float(horizon)


def _row(term: Term, setting: Setting, acquisition_cost: float) -> dict[str, str | int | float | None]:
    expected = months_of_service(term, setting.horizon, 0.0)
    present = setting.present_months(term)
    fee = term.fee_rate * setting.spend
    return {
        "term": term.name,
        "months": term.months,
        "fee_rate": term.fee_rate,
        "monthly_churn": term.constant_churn,
        "expected_months": expected,
        "expected_fees": fee * expected,
        "present_months": present,
        "present_fees": fee * present,
        "present_service_cost": setting.service_cost * present,
        "acquisition_cost": acquisition_cost,
        "present_value": (fee - setting.service_cost) * present - acquisition_cost,
    }


def _notes(given: Term, used: Term, horizon: float) -> list[str]:
    found = []
    if used.fee_rate > 1:
        found.append(
            f"{used.name}: a fee rate of {used.fee_rate:g} is {100 * used.fee_rate:g} % of the spend; 10 % is 0.10."
        )
    if not isinstance(used.survival, SurvivalTable):
        return found
    if used.survival_step == "term" and used.months > 1 and isinstance(given.survival, SurvivalTable):
        found.append(f"{used.name}: survival is read in steps of the {used.months}-month term (survival_step='term').")
    if math.isinf(horizon) or used.last_step(horizon) > used.survival.last:
        found += [f"{used.name}: {note}" for note in used.survival.notes]
    return found
