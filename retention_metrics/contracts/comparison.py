"""Contract terms side by side: what a client is worth under each."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.contracts import break_evens, cash, chances, portfolio, sensitivity
from retention_metrics.contracts.break_evens import BreakEven, BreakEvenChurnRatio, BreakEvenFee
from retention_metrics.contracts.cash import CashFlow
from retention_metrics.contracts.chances import ProbabilityBetter
from retention_metrics.contracts.clients import MOST_MONTHS, horizon_of, rate_notes
from retention_metrics.contracts.fitted import Drawn, is_fitted
from retention_metrics.contracts.portfolio import DroppedTerm, Portfolio
from retention_metrics.contracts.sensitivity import SensitivityGrid, TermSensitivity
from retention_metrics.contracts.service import Setting, account, steps_needed
from retention_metrics.contracts.terms import Term
from retention_metrics.contracts.uncertainty import draw_churn, draw_share, draws_asked, interval_of
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step, Value
from retention_metrics.results import Cell, Columns, ColumnType, Result, TableResult, result
from retention_metrics.survival import SurvivalTable

__all__ = ["TermComparison", "compare"]

Floats = NDArray[np.float64]
Rng = np.random.Generator | int | None


@result
class TermComparison(TableResult):
    """Contract terms side by side, a row per term in the order given.

    The columns: ``term``; ``months``, the length; ``fee_rate``, the monthly fee as a share of the spend;
    ``monthly_churn`` (null where churn is a curve); ``expected_months`` of service; ``expected_fees``,
    ``expected_cost`` (service and acquisition) and ``expected_margin``, their difference; ``present_months`` and
    ``present_fees``, discounted; ``present_service_cost``; ``acquisition_cost``; ``present_value``, the present
    fees less both costs, of a signed client, and ``present_value_per_prospect``, times the ``acceptance``;
    ``recovery_month``, the first month by whose payments the expected cash is back at 0 (null where it never is);
    the ends of the intervals of all of these that depend on the churn, ``expected_fees_low``, ``expected_fees_high``
    and so on (null where the churn, and for ``present_value_per_prospect`` the acceptance, is given as one number, and
    where a month of recovery is never); and ``probability_recovered``, the share of the draws in which the cost comes
    back.

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
        Paid once at month 0, and at the start of each month of service, under terms without costs of their own.
    level : float or None
        Probability content of the intervals.
    interval_method : str or None
        ``"monte_carlo"``: the central interval of the draws, widened where it must be to hold the estimate; None where
        nothing is uncertain.

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
    level: float | None
    interval_method: str | None

    @property
    def best(self) -> str:
        """The term of the highest present value; of equals, the first."""
        values = [float(value) for value in self.columns["present_value"] if isinstance(value, float)]
        return self.terms[values.index(max(values))].name

    def break_even_fee(self, a: str, b: str, *, draws: int = 10_000, rng: Rng = None) -> BreakEvenFee:
        """The fee rate of one term at which it is worth as much as another.

        Parameters
        ----------
        a : str
            The term whose fee rate is sought.
        b : str
            The term to match, as it stands.
        draws : int, default 10_000
            Draws behind the interval, where a churn is uncertain.
        rng : Generator or int, optional
            Source of randomness, or its seed.

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
        The present value is linear in the monthly fee: with V(b) the value to match, W what a is worth without its
        fees, P its paid months at present worth and S the monthly spend, fee(a) = (V(b) - W) / P / S.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04, leaves="any_month")
        >>> table = compare([monthly, yearly], monthly_spend=1_000, horizon_months=float("inf"))
        >>> round(float(table.break_even_fee("monthly", "yearly")), 6)
        0.12
        """
        first, second = self._term(a, "a"), self._term(b, "b")
        return break_evens.fee(first, second, self._setting(), self._drawn(draws, rng), self.level)

    def break_even_churn_ratio(self, a: str, b: str, *, draws: int = 10_000, rng: Rng = None) -> BreakEvenChurnRatio:
        """How many times the churn of another term one term can bear.

        Parameters
        ----------
        a : str
            The term whose constant monthly churn is sought.
        b : str
            The term to match; its churn is held.
        draws : int, default 10_000
            Draws behind the interval, where a churn is uncertain.
        rng : Generator or int, optional
            Source of randomness, or its seed.

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
        The interval is over draws of the churn held. Present value falls in churn, so there is at most one answer.
        Without an end, and with bonds of M months, P = A / (1 - v^M (1 - churn)^M), where A is what M months are worth
        at their start and v = 1 / (1 + d); that is solved for the churn. With an end, or with free months, notice,
        early termination fees or a churn of renewals, the root is found numerically; a fee for leaving early may make
        for two, and a note names the other.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04, leaves="any_month")
        >>> table = compare([monthly, yearly], monthly_spend=1_000, horizon_months=float("inf"))
        >>> round(float(table.break_even_churn_ratio("monthly", "yearly")), 4)
        1.6667
        """
        first, second = self._term(a, "a"), self._term(b, "b")
        return break_evens.churn_ratio(first, second, self._setting(), self._drawn(draws, rng), self.level)

    def break_even_acceptance(self, a: str, b: str, *, draws: int = 10_000, rng: Rng = None) -> BreakEven:
        """The share of prospects who must sign one term for it to be worth another.

        Parameters
        ----------
        a : str
            The term whose acceptance is sought.
        b : str
            The term to match, at its own acceptance.
        draws : int, default 10_000
            Draws behind the interval, where a churn is uncertain.
        rng : Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        BreakEven
            ``estimate`` is a share of the prospects; None, with a note, where not even all of them are enough.

        Raises
        ------
        InputError
            If a name is not one of the terms.

        Notes
        -----
        acceptance(a) = acceptance(b) V(b) / V(a), with V the present value of a signed client.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
        >>> half = Term("six", 6, fee_rate=0.08, monthly_churn=0.04, leaves="any_month")
        >>> table = compare([monthly, half], monthly_spend=1_000, horizon_months=float("inf"))
        >>> round(float(table.break_even_acceptance("six", "monthly")), 4)
        0.625
        """
        first, second, generator = self._term(a, "a"), self._term(b, "b"), np.random.default_rng(rng)
        drawn = self._drawn(draws, generator)
        accepted = None if self.level is None else drawn_acceptances((second,), draws, generator)[second.name]
        return break_evens.acceptance(first, second, self._setting(), drawn, accepted, self.level)

    def break_even_spend(self, a: str, b: str, *, draws: int = 10_000, rng: Rng = None) -> BreakEven:
        """The monthly spend at which two terms are worth the same.

        Parameters
        ----------
        a, b : str
            The two terms.
        draws : int, default 10_000
            Draws behind the interval, where a churn is uncertain.
        rng : Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        BreakEven
            ``estimate`` is the smallest such spend above 0; None, with a note, where there is none.

        Raises
        ------
        InputError
            If a name is not one of the terms.

        Notes
        -----
        Between the kinks of the fees both values are straight lines in the spend, so each crossing is exact.
        Whole-amount tiers jump; an order that changes in a jump has no spend of equal worth, and a note says where.

        Examples
        --------
        >>> from retention_metrics.contracts import FeeFlat, Term, compare
        >>> share = Term("share", 1, fee_rate=0.10, monthly_churn=0.05)
        >>> flat = Term("flat", 1, fee=FeeFlat(2_000), monthly_churn=0.05)
        >>> table = compare([share, flat], monthly_spend=30_000, horizon_months=24)
        >>> round(float(table.break_even_spend("share", "flat")))
        20000
        """
        first, second = self._term(a, "a"), self._term(b, "b")
        return break_evens.spend(first, second, self._setting(), self._drawn(draws, rng), self.level)

    def break_even_discount_rate(self, a: str, b: str, *, draws: int = 2_000, rng: Rng = None) -> BreakEven:
        """The monthly discount rate at which two terms are worth the same.

        Parameters
        ----------
        a, b : str
            The two terms.
        draws : int, default 2_000
            Draws behind the interval, where a churn is uncertain.
        rng : Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        BreakEven
            ``estimate`` is the smallest such rate from 0 to 1; None, with a note, where there is none.

        Raises
        ------
        InputError
            If a name is not one of the terms.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> early = Term("early", 1, fee_rate=0.10, monthly_churn=0.10)
        >>> late = Term("late", 1, fee_rate=0.08, monthly_churn=0.05)
        >>> table = compare([early, late], monthly_spend=1_000, horizon_months=36)
        >>> round(float(table.break_even_discount_rate("early", "late")), 4)
        0.1491
        """
        first, second = self._term(a, "a"), self._term(b, "b")
        return break_evens.discount_rate(first, second, self._setting(), self._drawn(draws, rng), self.level)

    def probability_better(
        self, a: str, b: str, *, of: chances.Of = "expected_value", draws: int = 10_000, rng: Rng = None
    ) -> ProbabilityBetter:
        """Probability that one term brings more than another.

        Parameters
        ----------
        a, b : str
            The two terms.
        of : {"expected_value", "single_client"}, default "expected_value"
            Whether the expected present values are compared, over what is known of the churns, or those of one client
            under each, over the clients' fates too.
        draws : int, default 10_000
            Draws, at least 1.
        rng : Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        ProbabilityBetter
            ``estimate`` is the probability that ``a`` brings more, ties counted half.

        Raises
        ------
        InputError
            If a name is not one of the terms, or single clients are asked for without an end.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08)
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04)
        >>> table = compare([monthly, yearly], monthly_spend=30_000, horizon_months=36)
        >>> chance = table.probability_better("yearly", "monthly", of="single_client", rng=2019)
        >>> round(float(chance), 2)
        0.65
        """
        first, second = self._term(a, "a"), self._term(b, "b")
        which = _checks.choice(of, chances.OF, name="of")
        size, generator = draws_asked(draws, low=1), np.random.default_rng(rng)
        setting = self._setting()
        if which == "single_client" and math.isinf(setting.horizon):
            raise InputError(
                "of='single_client' follows each client to the horizon; horizon_months is infinite.",
                argument="of",
                fix="Compare the terms over a finite horizon_months.",
            )
        drawn = _draws((first, second), setting.horizon, size, generator)
        certain = drawn[a] is None and drawn[b] is None
        if which == "expected_value":
            values = [setting.value(term, drawn[term.name]) for term in (first, second)]
        else:
            values = [
                chances.client_values(term, setting, size, drawn[term.name], generator) for term in (first, second)
            ]
        gaps = np.atleast_1d(values[0] - values[1])
        return chances.counted(first, second, which, gaps, certain=certain)

    def cash_flow(self, term: str, *, months: int | None = None, draws: int = 10_000, rng: Rng = None) -> CashFlow:
        """What a signed client of one term brings and costs, month by month.

        Parameters
        ----------
        term : str
            The term.
        months : int, optional
            Months of service shown, at least 1; by default the horizon, and needed where that is infinite.
        draws : int, default 10_000
            Draws behind the intervals, where the churn is uncertain.
        rng : Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        CashFlow
            A row per month, from 0, at the level of the comparison.

        Raises
        ------
        InputError
            If the name is not one of the terms, or the horizon is infinite and ``months`` is not given.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
        >>> table = compare(yearly, monthly_spend=50_000, horizon_months=24)
        >>> [round(cash) for cash in table.cash_flow("yearly").columns["cash"][10:14]]
        [3000, 3000, 1621, 1621]
        """
        chosen, setting = self._term(term, "term"), self._setting()
        if months is None and math.isinf(setting.horizon):
            raise InputError(
                "months says how many months are shown; the horizon is infinite.",
                argument="months",
                fix="Give months=, for instance 36.",
            )
        shown = (
            int(setting.horizon) if months is None else _checks.count(months, name="months", low=1, high=MOST_MONTHS)
        )
        table = chosen.survival
        if isinstance(table, SurvivalTable) and table.tail_hazard is None and chosen.last_step(shown) > table.last:
            raise InputError(
                f"months={shown} goes past the months of {term!r} that the comparison reached, {setting.horizon:g}.",
                argument="months",
                fix="Compare over a longer horizon_months.",
            )
        size = draws_asked(draws, low=1)
        drawn = None
        if self.level is not None:
            drawn = draw_churn(chosen, size, np.random.default_rng(rng), steps_needed(chosen, float(shown)))
        return cash.cash_flow(chosen, setting, shown, drawn, self.level)

    def sensitivity(
        self,
        term: str,
        *,
        against: str | None = None,
        inputs: Mapping[str, Sequence[float]] | None = None,
        change: float = 0.2,
    ) -> TermSensitivity:
        """How the value of a term, or its lead over another, moves with each input alone.

        Parameters
        ----------
        term : str
            The term whose inputs vary.
        against : str, optional
            The term whose present value is taken off; its own inputs vary too.
        inputs : mapping of str to (float, float), optional
            Low and high value of each input to vary: ``"monthly_spend"``, ``"monthly_churn"``, ``"fee_rate"``,
            ``"monthly_discount_rate"``, ``"monthly_service_cost"``, ``"acquisition_cost"``, ``"horizon_months"``. By
            default all that are there; a churn over its interval, where it has one, the others by ``change``.
        change : float, default 0.2
            Share by which inputs are lowered and raised, in (0, 1).

        Returns
        -------
        TermSensitivity
            A row per input, the one that moves the value most first; ``plot()`` is the tornado.

        Raises
        ------
        InputError
            If a name is not one of the terms or of the inputs.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
        >>> table = compare(yearly, monthly_spend=50_000, horizon_months=24)
        >>> [row["input"] for row in table.sensitivity("yearly", inputs={"monthly_churn": (0.02, 0.10)}).rows()]
        ['monthly_churn']
        """
        share = _checks.number(change, name="change", low=0.0, high=1.0, open_low=True, open_high=True)
        return sensitivity.one_way(self._term(term, "term"), self._against(against), self._setting(), inputs, share)

    def sensitivity_grid(
        self,
        term: str,
        *,
        x: tuple[str, Sequence[float]],
        y: tuple[str, Sequence[float]],
        against: str | None = None,
    ) -> SensitivityGrid:
        """The value of a term, or its lead over another, over a grid of two inputs.

        Parameters
        ----------
        term : str
            The term whose inputs vary.
        x, y : (str, sequence of float)
            An input, as in ``sensitivity``, and its values, at least two.
        against : str, optional
            The term whose present value is taken off; its churn and fee are held.

        Returns
        -------
        SensitivityGrid
            A row per pair of values; ``plot()`` is a map with lines of equal value.

        Raises
        ------
        InputError
            If a name is not one of the terms or of the inputs.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
        >>> table = compare(yearly, monthly_spend=50_000, horizon_months=24)
        >>> grid = table.sensitivity_grid("yearly", x=("monthly_churn", [0, 0.1]), y=("fee_rate", [0.05, 0.06]))
        >>> [round(row["value"]) for row in grid.rows()]
        [60000, 38473, 72000, 46167]
        """
        return sensitivity.grid(self._term(term, "term"), self._against(against), self._setting(), x, y)

    def portfolio(self, *, shares: Mapping[str, float], draws: int = 10_000, rng: Rng = None) -> Portfolio:
        """What a prospect is worth where several terms are sold side by side.

        Parameters
        ----------
        shares : mapping of str to float
            Share of the prospects who sign each term, in [0, 1]; together at most 1, the rest sign nothing.
        draws : int, default 10_000
            Draws behind the interval, where a churn is uncertain.
        rng : Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        Portfolio
            ``estimate`` is the present value per prospect.

        Raises
        ------
        InputError
            If a name is not one of the terms, or the shares add up to more than 1.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
        >>> table = compare(yearly, monthly_spend=50_000, horizon_months=24)
        >>> round(float(table.portfolio(shares={"yearly": 0.25})))
        13863
        """
        drawn = self._drawn(draws, rng)
        return portfolio.portfolio(self.terms, self.rows(), shares, drawn, self._setting(), self.level)

    def drop(self, term: str, *, draws: int = 10_000, rng: Rng = None) -> DroppedTerm:
        """What share of a term's clients must sign another one for dropping it to pay.

        Parameters
        ----------
        term : str
            The term that would be sold no longer, such as the month-to-month one.
        draws : int, default 10_000
            Draws behind the intervals, where a churn is uncertain.
        rng : Generator or int, optional
            Source of randomness, or its seed.

        Returns
        -------
        DroppedTerm
            For each other term, the break-even share if those who sign it churn like its other clients, if they keep
            their own churn and may leave in any month, and if they keep it and are bound.

        Raises
        ------
        InputError
            If the name is not one of the terms, or it is the only one.

        Examples
        --------
        >>> from retention_metrics.contracts import Term, compare
        >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
        >>> half = Term("six", 6, fee_rate=0.08, monthly_churn=0.04, leaves="any_month")
        >>> table = compare([monthly, half], monthly_spend=1_000, horizon_months=float("inf"))
        >>> round(table.drop("monthly").rows()[0]["break_even_share"], 4)
        0.625
        """
        dropped = self._term(term, "term")
        return portfolio.drop(self.terms, dropped, self._drawn(draws, rng), self._setting(), self.level)

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
            paid = float(self._setting().present(chosen).paid)
            fee = chosen.monthly_fee(self.monthly_spend)
            values |= {
                "monthly_fee": fee,
                "one_off_fees": float(str(row["present_fees"])) - fee * paid if _has_one_off_fees(chosen) else 0.0,
                "acquisition_cost": self._setting().acquisition_cost_of(chosen),
                "monthly_service_cost": self._setting().service_cost_of(chosen),
            }
            service_values, service_steps = _service_steps(chosen, self)
            if not service_steps:
                service_values = {"present_months": row["present_months"], "paid_months": paid}  # type: ignore[dict-item]
            values |= service_values
            steps = (*service_steps, *_VALUE_STEPS)
        return Explanation(
            formula="present value = monthly fee × paid months + one-off fees − monthly service cost × months of "
            "service − acquisition cost, all at present worth; a client bound by a term stays to its end and renews "
            "with probability (1 − monthly churn)^months, and month m counts (1 + discount rate)^−m, from month 0",
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

    def _against(self, name: str | None) -> Term | None:
        return None if name is None else self._term(name, "against")

    def _drawn(self, draws: int, rng: Rng) -> dict[str, Drawn | None]:
        if self.level is None:
            return dict.fromkeys((term.name for term in self.terms), None)
        size = draws_asked(draws, low=1)
        return _draws(self.terms, self.horizon_months, size, np.random.default_rng(rng))

    def _setting(self) -> Setting:
        return Setting(
            spend=self.monthly_spend,
            horizon=self.horizon_months,
            discount_rate=self.monthly_discount_rate,
            service_cost=self.monthly_service_cost,
            acquisition_cost=self.acquisition_cost,
        )


_VALUE_STEPS = (
    Step(name="present_fees", expression="monthly_fee * paid_months + one_off_fees"),
    Step(name="present_service_cost", expression="monthly_service_cost * present_months"),
    Step(name="present_value", expression="present_fees - present_service_cost - acquisition_cost"),
)


def _has_one_off_fees(term: Term) -> bool:
    return term.setup_fee > 0 or term.early_termination_fee > 0


def _draws(terms: Sequence[Term], horizon: float, size: int, rng: np.random.Generator) -> dict[str, Drawn | None]:
    """Draws of each term's churn; terms that stand on one estimate share its draws."""
    found: dict[str, Drawn | None] = {}
    shared: dict[object, Drawn | None] = {}
    steps = {term.name: steps_needed(term, horizon) for term in terms}
    for term in terms:
        evidence = _shared_evidence(term)
        if evidence is None or evidence not in shared:
            alike = [term] if evidence is None else [each for each in terms if _shared_evidence(each) == evidence]
            drawn = draw_churn(term, size, rng, max(steps[each.name] for each in alike))
            if evidence is not None:
                shared[evidence] = drawn
            found[term.name] = drawn
        else:
            found[term.name] = shared[evidence]
    return found


def drawn_acceptances(terms: Sequence[Term], size: int, rng: np.random.Generator) -> dict[str, Floats | None]:
    """Draws of each term's acceptance; terms that stand on one estimate share its draws."""
    shared: dict[object, Floats | None] = {None: None}
    for term in terms:
        evidence = term.acceptance_evidence
        if evidence is not None and evidence not in shared:
            shared[evidence] = draw_share(evidence, size, rng)
    return {term.name: shared[term.acceptance_evidence] for term in terms}


def _shared_evidence(term: Term) -> Result | None:
    """The estimate that a term's draws come from; None for a curve, which is drawn for itself."""
    return term.churn_evidence if term.survival is None or is_fitted(term.churn_evidence) else None


def _service_steps(term: Term, table: TermComparison) -> tuple[dict[str, Value], tuple[Step, ...]]:
    """The present months of a term in closed form: a geometric series of bonds, under a constant churn above 0."""
    churn = term.constant_churn
    if not churn or not break_evens.is_a_margin_on_months(term):
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
        return values, (*steps, _paid(term))
    steps += [
        Step(name="whole_bonds", expression="horizon_months // bond_months"),
        Step(name="rest_worth", expression=worth.format("horizon_months % bond_months")),
        Step(
            name="present_months",
            expression="bond_worth * (1 - ratio ** whole_bonds) / (1 - ratio) + rest_worth * ratio ** whole_bonds",
        ),
    ]
    return values, (*steps, _paid(term))


def _paid(term: Term) -> Step:
    late = " / (1 + monthly_discount_rate)" if term.payment == "arrears" else ""
    return Step(name="paid_months", expression=f"present_months * 1{late}")


def compare(
    terms: Sequence[Term] | Term,
    *,
    monthly_spend: float,
    horizon_months: float,
    monthly_discount_rate: float = 0.0,
    acquisition_cost: float = 0.0,
    monthly_service_cost: float = 0.0,
    level: float | None = 0.95,
    draws: int = 10_000,
    rng: Rng = None,
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
        Paid once at month 0, at least 0, in the currency of the spend; a term's own stands before it.
    monthly_service_cost : float, default 0
        Paid at the start of each month of service, at least 0; a term's own stands before it.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.
    draws : int, default 10_000
        Draws of the churns behind the intervals.
    rng : Generator or int, optional
        Source of randomness, or its seed.

    Returns
    -------
    TermComparison
        A row per term, with break-evens between any two, cash flows, sensitivities and portfolios.

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
    - present value = (fee - monthly_service_cost) * present months - acquisition_cost,

    where the fee of a month counts from ``free_months`` on, a month later in arrears, and set-up and early termination
    fees are added when they are paid. A month of service before the horizon counts with its fee, whenever that is paid.

    Given the churn the calculation is exact. Where a churn is a result with counts or an interval, or a curve with
    standard errors, the intervals are those of the values over draws of the churn: a rate from
    Gamma(events + 1/2, exposure), a share from Beta(churned + 1/2, kept + 1/2) [2]_, an interval from a normal
    distribution on either side of its estimate, a curve step by step from Beta distributions with its standard errors.
    Terms that are given the same result share its draws; others are independent.

    References
    ----------
    .. [1] Gupta, S., Lehmann, D. R. and Stuart, J. A. (2004). Valuing customers.
       *Journal of Marketing Research* 41(1), 7-18: the value of a customer as a discounted sum over survival.
    .. [2] Brown, L. D., Cai, T. T. and DasGupta, A. (2001). Interval estimation for a binomial proportion.
       *Statistical Science* 16(2), 101-133, section 4.3: the Jeffreys prior.

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
    horizon = horizon_of(horizon_months)
    setting = Setting(
        spend=_checks.non_negative(monthly_spend, name="monthly_spend"),
        horizon=horizon,
        discount_rate=_checks.non_negative(monthly_discount_rate, name="monthly_discount_rate"),
        service_cost=_checks.non_negative(monthly_service_cost, name="monthly_service_cost"),
        acquisition_cost=_checks.non_negative(acquisition_cost, name="acquisition_cost"),
    )
    level = _checks.level(level)
    size = draws_asked(draws, low=1)

    used = tuple(term.tabulated(horizon) for term in chosen)
    drawn: Mapping[str, Drawn | None] = {}
    accepted: Mapping[str, Floats | None] = {}
    if level is not None:
        generator = np.random.default_rng(rng)
        drawn = _draws(used, horizon, size, generator)
        accepted = drawn_acceptances(used, size, generator)
    rows = [_row(term, setting, drawn.get(term.name), accepted.get(term.name), level) for term in used]

    return TermComparison(
        definition="contracts.compare/expected-present-value",
        unit="currency of monthly_spend",
        columns=Columns({name: [row[name] for row in rows] for name in rows[0]}, types=_TYPES),
        notes=(
            *rate_notes(monthly_discount_rate=setting.discount_rate),
            *(note for given, term in zip(chosen, used, strict=True) for note in _notes(given, term, horizon)),
        ),
        terms=used,
        monthly_spend=setting.spend,
        horizon_months=horizon,
        monthly_discount_rate=setting.discount_rate,
        acquisition_cost=setting.acquisition_cost,
        monthly_service_cost=setting.service_cost,
        level=level,
        interval_method="monte_carlo" if _any_drawn(drawn) or _any_drawn(accepted) else None,
    )


def _any_drawn(draws: Mapping[str, object]) -> bool:
    return any(drawn is not None for drawn in draws.values())


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


_DRAWN = (
    "expected_months",
    "expected_fees",
    "expected_cost",
    "expected_margin",
    "present_months",
    "present_fees",
    "present_service_cost",
    "present_value",
    "present_value_per_prospect",
)
_TYPES: dict[str, ColumnType] = {
    "fee_rate": "number",
    "monthly_churn": "number",
    **{f"{name}_{end}": "number" for name in _DRAWN for end in ("low", "high")},
    "recovery_month": "integer",
    "recovery_month_low": "integer",
    "recovery_month_high": "integer",
    "probability_recovered": "number",
}


def _row(
    term: Term, setting: Setting, draws: Drawn | None, accepted: Floats | None, level: float | None
) -> dict[str, Cell]:
    found = {name: float(value) for name, value in _worth(term, setting, None, term.accepted).items()}
    month = cash.recovery_month(term, setting)
    return {
        "term": term.name,
        "months": term.months,
        "fee_rate": _fee_rate(term, setting.spend),
        "monthly_churn": term.constant_churn,
        **{name: found[name] for name in _DRAWN[:7]},
        "acquisition_cost": setting.acquisition_cost_of(term),
        "present_value": found["present_value"],
        "acceptance": term.accepted,
        "present_value_per_prospect": found["present_value_per_prospect"],
        "recovery_month": month,
        **_intervals(term, setting, found, draws, accepted, level),
        **_recovery(term, setting, month, draws, level),
    }


def _worth(term: Term, setting: Setting, draws: Drawn | None, accepted: Floats | float) -> dict[str, Floats]:
    """What is expected of a signed client, and of a prospect; of every draw where there are draws."""
    expected, present = account(term, setting.horizon, 0.0, draws), setting.present(term, draws)
    service, acquisition = setting.service_cost_of(term), setting.acquisition_cost_of(term)
    fees, present_fees = setting.fees(term, expected), setting.fees(term, present)
    cost = service * expected.months + acquisition
    value = present_fees - service * present.months - acquisition
    numbers = (expected.months, fees, cost, fees - cost, present.months, present_fees, service * present.months, value)
    return dict(zip(_DRAWN, (*numbers, accepted * value), strict=True))


def _fee_rate(term: Term, spend: float) -> float | None:
    if term.fee_rate is not None:
        return term.fee_rate
    return term.monthly_fee(spend) / spend if spend > 0 else None


def _intervals(
    term: Term,
    setting: Setting,
    found: Mapping[str, float],
    draws: Drawn | None,
    accepted: Floats | None,
    level: float | None,
) -> dict[str, Cell]:
    """The ends of the interval of each number, around the number itself."""
    ends: dict[str, Cell] = {f"{name}_{end}": None for name in _DRAWN for end in ("low", "high")}
    if level is None or (draws is None and accepted is None):
        return ends
    drawn = _worth(term, setting, draws, term.accepted if accepted is None else accepted)
    uncertain = _DRAWN if draws is not None else ("present_value_per_prospect",)
    lows, highs = interval_of(np.stack([drawn[name] for name in uncertain], axis=-1), level)
    for name, low, high in zip(uncertain, lows.tolist(), highs.tolist(), strict=True):
        ends |= {f"{name}_low": min(low, found[name]), f"{name}_high": max(high, found[name])}
    return ends


def _recovery(
    term: Term, setting: Setting, month: int | None, draws: Drawn | None, level: float | None
) -> dict[str, Cell]:
    """The ends of the interval of the month of recovery, and how often there is one."""
    names = ("recovery_month_low", "recovery_month_high", "probability_recovered")
    if draws is None or level is None:
        return dict.fromkeys(names)
    low, high, share = cash.drawn_recovery(term, setting, month, draws, level)
    return dict(zip(names, (*(None if math.isinf(end) else int(end) for end in (low, high)), share), strict=True))


def _notes(given: Term, used: Term, horizon: float) -> list[str]:
    found = []
    if used.notice_months and used.leaves == "at_renewal":
        found.append(f"{used.name}: notice falls within the term, and so moves no departure.")
    if used.fee_rate is not None and used.fee_rate > 1:
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
