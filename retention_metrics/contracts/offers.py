"""What an offer is worth: the least spend that pays a client's costs back, and offers that keep or win back clients."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from retention_metrics import _checks
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.offers import offer_values
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.contracts.clients import (
    carried,
    client,
    drawn_interval,
    draws_of,
    draws_of_share,
    horizon_of,
    present_months,
    rate_notes,
    refuse_endless,
    share_of,
    step_notes,
)
from retention_metrics.contracts.fitted import Drawn
from retention_metrics.contracts.terms import Term
from retention_metrics.contracts.uncertainty import draws_asked
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Result, result
from retention_metrics.survival import Assumption, Tail

__all__ = ["MinimumSpend", "RetentionOffer", "minimum_spend", "save_offer", "win_back"]

OfferKind = Literal["save", "win_back"]
Floats = NDArray[np.float64]


@result
class MinimumSpend(Result):
    """The least monthly spend at which a client pays back what it costs.

    Attributes
    ----------
    expected_months : float
        Months of service expected before the horizon, each at its present worth.
    fee_rate : float
        Fee as a share of the spend.
    acquisition_cost, monthly_service_cost, horizon_months, monthly_discount_rate : float
        As given.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> least = contracts.minimum_spend(
    ...     fee_rate=0.10, monthly_churn=0.10, acquisition_cost=2_000, monthly_service_cost=100, horizon_months=24
    ... )
    >>> round(least.estimate), round(least.expected_months, 2)
    (3173, 9.2)
    """

    kind: ClassVar[str] = "contracts.minimum_spend"

    expected_months: float
    fee_rate: float
    acquisition_cost: float
    monthly_service_cost: float
    horizon_months: float
    monthly_discount_rate: float

    def explain(self) -> Explanation:
        """The cost of a month, acquisition spread over the months expected, over the fee rate.

        Returns
        -------
        Explanation
            The last step gives the least spend.
        """
        return Explanation(
            formula="least spend = (acquisition cost / expected months + service cost of a month) / fee rate",
            values={
                "expected_months": self.expected_months,
                "acquisition_cost": self.acquisition_cost,
                "monthly_service_cost": self.monthly_service_cost,
                "fee_rate": self.fee_rate,
            },
            steps=(
                Step(name="cost_of_a_month", expression="acquisition_cost / expected_months + monthly_service_cost"),
                Step(name="least_spend", expression="cost_of_a_month / fee_rate"),
            ),
            source="Equality of expected fees and expected cost.",
        )


def minimum_spend(
    *,
    fee_rate: float,
    monthly_churn: float | Result | None = None,
    survival: Assumption | Result | ArrayLike | None = None,
    tail: Tail | None = None,
    term_months: int | None = None,
    acquisition_cost: float,
    monthly_service_cost: float,
    horizon_months: float,
    monthly_discount_rate: float = 0.0,
    level: float | None = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | int | None = None,
) -> MinimumSpend:
    """The least monthly spend at which a client covers its own cost.

    Parameters
    ----------
    fee_rate : float
        Monthly fee as a share of the spend, above 0.
    monthly_churn : float or Result, optional
        Probability that a client leaves within a month, in [0, 1]. Exactly one of ``monthly_churn`` and
        ``survival`` is given.
    survival : Assumption, Fit or array_like of float, optional
        Share of the clients still there after 0, 1, 2, ... months, or an `Assumption`, or its ``Fit``.
    tail : {"constant_hazard"}, optional
        Past the last observed step of ``survival`` every further one loses the share that the last one lost.
    term_months : int, optional
        Months of one step of a ``survival`` by the term, such as a contractual model: the client is then bound to each
        term's end. By default one month, which a note says.
    acquisition_cost : float
        Cost of winning a client, paid at month 0, at least 0.
    monthly_service_cost : float
        Cost of serving a client for a month, at least 0.
    horizon_months : float
        Months within which the costs must be paid back: whole, at least 1, or infinite.
    monthly_discount_rate : float, default 0
        Effective rate per month, at least 0.
    level : float or None, default 0.95
        Probability content of the interval where the churn is a curve; a churn rate hands on its own. None computes
        no interval.
    draws : int, default 10000
        Draws of an uncertain curve.
    rng : numpy.random.Generator or int, optional
        Source of the draws.

    Returns
    -------
    MinimumSpend
        ``estimate`` in the currency of the costs a month.

    Raises
    ------
    InputError
        If a number is out of its range, both or neither churn is given, or the months expected have no end.

    Notes
    -----
    With S(m) the share still there at the start of month m, v = 1 / (1 + discount rate), M the sum of S(m) v^m before
    the horizon, acquisition cost A, service cost s and fee rate f: (A / M + s) / f. The least spend rises with churn,
    so an interval of the churn goes through end by end.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> least = rm.contracts.minimum_spend(
    ...     fee_rate=0.10,
    ...     monthly_churn=rm.churn.rate(start=200, lost=20),
    ...     acquisition_cost=2_000,
    ...     monthly_service_cost=100,
    ...     horizon_months=24,
    ... )
    >>> round(least.estimate), round(least.interval.low), round(least.interval.high)
    (3173, 2633, 4051)
    """
    rate = _checks.positive(fee_rate, name="fee_rate")
    acquisition = _checks.non_negative(acquisition_cost, name="acquisition_cost")
    service = _checks.non_negative(monthly_service_cost, name="monthly_service_cost")
    horizon, discount = (
        horizon_of(horizon_months),
        _checks.non_negative(monthly_discount_rate, name="monthly_discount_rate"),
    )
    level = _checks.level(level)
    term = client(
        monthly_churn=monthly_churn,
        survival=survival,
        tail=tail,
        term_months=term_months,
        horizon=horizon,
        caller="minimum_spend",
    )
    refuse_endless(term, horizon, discount)

    def least(drawn: Drawn | None = None) -> Floats:
        return np.asarray((acquisition / present_months(term, horizon, discount, drawn) + service) / rate)

    return MinimumSpend(
        estimate=float(least()),
        interval=carried(term, least, horizon=horizon, level=level, draws=draws, rng=rng),
        unit="currency per month",
        definition="contracts.minimum_spend/expected-present-value",
        notes=(
            *step_notes(survival, term_months),
            *rate_notes(monthly_discount_rate=discount, fee_rate=rate),
            *notes_of(term),
        ),
        expected_months=float(present_months(term, horizon, discount)),
        fee_rate=rate,
        acquisition_cost=acquisition,
        monthly_service_cost=service,
        horizon_months=horizon,
        monthly_discount_rate=discount,
    )


def notes_of(term: Term) -> tuple[str, ...]:
    """What a client's churn assumption says of itself."""
    return tuple(getattr(term.survival, "notes", ()))


@result
class RetentionOffer(Result):
    """What an offer to clients who would leave, or have left, brings.

    Attributes
    ----------
    offer : str
        ``"save"`` or ``"win_back"``.
    value_with, value_without : float
        Present value of a client who gets the offer, and of one who does not.
    break_even_acceptance : float or None
        Acceptance from which on the offer pays; None where none is enough.
    break_even_churn : float or None
        Monthly churn after accepting up to which the offer pays; None where it pays at none, or at any.
    value_if_accepted : float
        Present value of a client whom the offer keeps.
    given_away : float
        Present value of what the offer gives one who takes it.
    probability_pays : float or None
        Share of the draws in which the offer pays; None where nothing is uncertain.
    acceptance, need, taken_anyway : float
        Share of those it would keep who accept; share who would be lost without it; and share of the others who take
        it all the same.
    monthly_fee, monthly_service_cost, free_months, offer_cost, contact_cost : float
        As given.
    present_months, present_free_months : float
        Expected months of service from the offer on, and those of them that are free, at present worth.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> offer = contracts.save_offer(
    ...     monthly_fee=100, acceptance=0.3, monthly_churn=0.10, free_months=2, contact_cost=10, horizon_months=24
    ... )
    >>> round(offer.estimate, 2), round(offer.break_even_acceptance, 4)
    (209.07, 0.0137)
    """

    kind: ClassVar[str] = "contracts.retention_offer"

    offer: str
    value_with: float
    value_without: float
    break_even_acceptance: float | None
    break_even_churn: float | None
    value_if_accepted: float
    given_away: float
    probability_pays: float | None
    acceptance: float
    need: float
    taken_anyway: float
    monthly_fee: float
    monthly_service_cost: float
    free_months: int
    offer_cost: float
    contact_cost: float
    present_months: float
    present_free_months: float

    def work_list(
        self, clients: NativeFrame, *, monthly_fee: str | None = None, churn_risk: str | None = None
    ) -> CustomerTable:
        """Who should get the offer, given what each client pays and how likely it is to leave.

        Parameters
        ----------
        clients : dataframe
            One row per client: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
        monthly_fee : str, optional
            Column of what the client pays a month; by default all pay the offer's ``monthly_fee``.
        churn_risk : str, optional
            Column of the probability, in [0, 1], that the client is lost without the offer; by default that of the
            offer. At least one of the two columns is given.

        Returns
        -------
        CustomerTable
            All rows and columns of the clients, in their kind of frame, with ``offer_value`` (expected gain from the
            offer against none), ``break_even_risk`` (the risk from which on the offer pays, null where none is
            enough), ``offer`` (true where the gain is above 0) and ``status``: ``"ok"``, or ``"unknown"`` with nulls
            where a number is missing or cannot be right.

        Raises
        ------
        InputError
            If neither column is given, or the frame has a column of the same name as one added.

        Examples
        --------
        >>> import pandas as pd
        >>> from retention_metrics import contracts
        >>> offer = contracts.save_offer(
        ...     monthly_fee=100, acceptance=0.3, monthly_churn=0.10, free_months=2, horizon_months=24
        ... )
        >>> clients = pd.DataFrame({"who": ["a", "b"], "pays": [100, 400], "risk": [0.05, 0.5]})
        >>> offer.work_list(clients, monthly_fee="pays", churn_risk="risk").frame[["who", "offer"]].values.tolist()
        [['a', False], ['b', True]]
        """
        if monthly_fee is None and churn_risk is None:
            raise InputError(
                "work_list needs monthly_fee= or churn_risk=, the column by which clients differ; got neither.",
                argument="monthly_fee",
            )
        frame = offer_values(
            clients,
            columns={"monthly_fee": monthly_fee, "churn_risk": churn_risk},
            defaults={"monthly_fee": self.monthly_fee, "churn_risk": self.need},
            acceptance=self.acceptance,
            taken_anyway=self.taken_anyway,
            months=self.present_months,
            free_months=self.present_free_months,
            service_cost=self.monthly_service_cost,
            offer_cost=self.offer_cost,
            contact_cost=self.contact_cost,
        )
        return CustomerTable(
            frame=frame,
            definition=f"contracts.{self.offer}_offer/work-list",
            unit="month",
            excluded=None,
            notes=("Everybody's later churn and acceptance are those of the offer.", *self.notes),
        )

    def explain(self) -> Explanation:
        """What the clients kept bring, less what the offer gives away and costs.

        Returns
        -------
        Explanation
            The last step gives the gain.
        """
        return Explanation(
            formula="gain = need × acceptance × value if accepted − (1 − need) × taken anyway × given away − contact "
            "cost; an offer pays from the acceptance at which this is 0",
            values={
                "monthly_fee": self.monthly_fee,
                "monthly_service_cost": self.monthly_service_cost,
                "offer_cost": self.offer_cost,
                "contact_cost": self.contact_cost,
                "present_months": self.present_months,
                "present_free_months": self.present_free_months,
                "need": self.need,
                "acceptance": self.acceptance,
                "taken_anyway": self.taken_anyway,
            },
            steps=(
                Step(name="given_away", expression="monthly_fee * present_free_months + offer_cost"),
                Step(
                    name="value_if_accepted",
                    expression="(monthly_fee - monthly_service_cost) * present_months - given_away",
                ),
                Step(name="lost_anyway", expression="(1 - need) * taken_anyway * given_away + contact_cost"),
                Step(name="break_even_acceptance", expression="lost_anyway / (need * value_if_accepted)"),
                Step(name="gain", expression="need * acceptance * value_if_accepted - lost_anyway"),
            ),
            source="Equality of expected present values with and without the offer.",
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """The checked numbers of an offer."""

    term: Term
    horizon: float
    discount_rate: float
    fee: float
    service: float
    free_months: int
    cost: float
    contact: float
    need: float
    taken_anyway: float

    def months(self, term: Term, drawn: Drawn | None = None) -> tuple[Floats, Floats]:
        """Months of service, and the free ones among them."""
        free = min(float(self.free_months), self.horizon)
        served = present_months(term, self.horizon, self.discount_rate, drawn)
        return served, np.zeros_like(served) if free == 0 else present_months(term, free, self.discount_rate, drawn)

    def given(self, free: Floats) -> Floats:
        return self.fee * free + self.cost

    def saved(self, months: Floats, free: Floats) -> Floats:
        return (self.fee - self.service) * months - self.given(free)

    def anyway(self, free: Floats) -> Floats:
        """What the offer costs whoever accepts it."""
        return (1 - self.need) * self.taken_anyway * self.given(free) + self.contact

    def gain(self, acceptance: Floats | float, months: Floats, free: Floats) -> Floats:
        return self.need * acceptance * self.saved(months, free) - self.anyway(free)


def save_offer(
    *,
    monthly_fee: float,
    acceptance: float | Result,
    monthly_churn: float | Result | None = None,
    survival: Assumption | Result | ArrayLike | None = None,
    tail: Tail | None = None,
    term_months: int | None = None,
    horizon_months: float,
    free_months: int = 0,
    offer_cost: float = 0.0,
    contact_cost: float = 0.0,
    monthly_service_cost: float = 0.0,
    churn_risk: float = 1.0,
    taken_anyway: float = 1.0,
    monthly_discount_rate: float = 0.0,
    level: float | None = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | int | None = None,
) -> RetentionOffer:
    """What an offer to clients who would leave brings, and from which acceptance on.

    Parameters
    ----------
    monthly_fee : float
        What the client pays a month, above 0.
    acceptance : float or Result
        Share of those who would leave that stay for the offer, in [0, 1].
    monthly_churn : float or Result, optional
        Churn a month of those who accepted, in [0, 1]. Exactly one of ``monthly_churn`` and ``survival`` is given.
    survival : Assumption, Fit or array_like of float, optional
        Share of those who accepted still there after 0, 1, 2, ... months, or an
        `Assumption`, or its ``Fit``.
    tail : {"constant_hazard"}, optional
        Past the last observed step of ``survival`` every further one loses the share that the last one lost.
    term_months : int, optional
        Months of one step of a ``survival`` by the term, such as a contractual model: the client is then bound to each
        term's end. By default one month, which a note says.
    horizon_months : float
        Months from the offer on that count: whole, at least 1, or infinite.
    free_months : int, default 0
        Months without a fee that the offer gives; they are served, and cost what service costs.
    offer_cost : float, default 0
        What else it costs when it is taken, at least 0.
    contact_cost : float, default 0
        What it costs to make the offer to one client, at least 0.
    monthly_service_cost : float, default 0
        Cost of serving a client for a month, at least 0.
    churn_risk : float, default 1
        Probability, in [0, 1], that the client leaves without the offer; 1 for one who has given notice.
    taken_anyway : float, default 1
        Share, in [0, 1], of those who would have stayed that take the offer too.
    monthly_discount_rate : float, default 0
        Effective rate per month, at least 0.
    level : float or None, default 0.95
        Probability content of the interval where acceptance or churn are results; None computes no interval.
    draws : int, default 10000
        Draws where something is uncertain.
    rng : numpy.random.Generator or int, optional
        Source of the draws.

    Returns
    -------
    RetentionOffer
        ``estimate`` is the expected gain per client who gets the offer, against no offer.

    Raises
    ------
    InputError
        If a number is out of its range, or both or neither churn is given.

    Notes
    -----
    With M the present months of service of a client who accepted and F the free ones among them, keeping one is worth
    K = (fee - service cost) M - (fee F + offer cost). Of clients who leave with probability p, a share a accepts:
    the gain is p a K - (1 - p) t (fee F + offer cost) - contact cost, with t the share of the others who take the
    offer too. As a polynomial in the share that stays a month the gain changes its sign at most once, so that the
    later churn up to which an offer with free months pays is unique.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> offer = contracts.save_offer(
    ...     monthly_fee=500,
    ...     acceptance=0.25,
    ...     monthly_churn=0.15,
    ...     free_months=2,
    ...     monthly_service_cost=200,
    ...     contact_cost=20,
    ...     horizon_months=24,
    ... )
    >>> round(offer.estimate, 2), round(offer.break_even_acceptance, 3), round(offer.break_even_churn, 3)
    (238.63, 0.019, 0.327)
    """
    return _retention_offer(
        "save",
        acceptance=acceptance,
        need=_checks.share(churn_risk, name="churn_risk"),
        taken_anyway=taken_anyway,
        churn=(monthly_churn, survival, tail, term_months),
        horizon_months=horizon_months,
        numbers={
            "monthly_fee": monthly_fee,
            "offer_cost": offer_cost,
            "contact_cost": contact_cost,
            "monthly_service_cost": monthly_service_cost,
            "monthly_discount_rate": monthly_discount_rate,
        },
        free_months=free_months,
        level=level,
        draws=draws,
        rng=rng,
    )


def win_back(
    *,
    monthly_fee: float,
    acceptance: float | Result,
    monthly_churn: float | Result | None = None,
    survival: Assumption | Result | ArrayLike | None = None,
    tail: Tail | None = None,
    term_months: int | None = None,
    horizon_months: float,
    free_months: int = 0,
    offer_cost: float = 0.0,
    contact_cost: float = 0.0,
    monthly_service_cost: float = 0.0,
    returns_anyway: float = 0.0,
    taken_anyway: float = 1.0,
    monthly_discount_rate: float = 0.0,
    level: float | None = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | int | None = None,
) -> RetentionOffer:
    """What an offer to clients who have lapsed brings, and from which acceptance on.

    Parameters
    ----------
    monthly_fee : float
        What a client who comes back pays a month, above 0.
    acceptance : float or Result
        Share of those who would stay away that come back for the offer, in [0, 1].
    monthly_churn : float or Result, optional
        Churn a month of those who came back, in [0, 1]. Exactly one of ``monthly_churn`` and ``survival`` is given.
    survival : Assumption, Fit or array_like of float, optional
        Share of those who came back still there after 0, 1, 2, ... months, or an
        `Assumption`, or its ``Fit``.
    tail : {"constant_hazard"}, optional
        Past the last observed step of ``survival`` every further one loses the share that the last one lost.
    term_months : int, optional
        Months of one step of a ``survival`` by the term, such as a contractual model: the client is then bound to each
        term's end. By default one month, which a note says.
    horizon_months : float
        Months from the offer on that count: whole, at least 1, or infinite.
    free_months : int, default 0
        Months without a fee that the offer gives; they are served, and cost what service costs.
    offer_cost : float, default 0
        What else it costs when it is taken, at least 0.
    contact_cost : float, default 0
        What it costs to make the offer to one client, at least 0.
    monthly_service_cost : float, default 0
        Cost of serving a client for a month, at least 0.
    returns_anyway : float, default 0
        Share, in [0, 1], of the lapsed who come back without an offer.
    taken_anyway : float, default 1
        Share, in [0, 1], of those who come back anyway that take the offer too.
    monthly_discount_rate : float, default 0
        Effective rate per month, at least 0.
    level : float or None, default 0.95
        Probability content of the interval where acceptance or churn are results; None computes no interval.
    draws : int, default 10000
        Draws where something is uncertain.
    rng : numpy.random.Generator or int, optional
        Source of the draws.

    Returns
    -------
    RetentionOffer
        ``estimate`` is the expected gain per client who gets the offer, against no offer.

    Raises
    ------
    InputError
        If a number is out of its range, or both or neither churn is given.

    See Also
    --------
    save_offer : The same before the client has left, with the formulas.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> offer = contracts.win_back(
    ...     monthly_fee=50, acceptance=0.04, monthly_churn=0.2, free_months=1, contact_cost=3, horizon_months=12
    ... )
    >>> round(offer.estimate, 2), round(offer.break_even_acceptance, 4)
    (4.31, 0.0164)
    """
    return _retention_offer(
        "win_back",
        acceptance=acceptance,
        need=1 - _checks.share(returns_anyway, name="returns_anyway"),
        taken_anyway=taken_anyway,
        churn=(monthly_churn, survival, tail, term_months),
        horizon_months=horizon_months,
        numbers={
            "monthly_fee": monthly_fee,
            "offer_cost": offer_cost,
            "contact_cost": contact_cost,
            "monthly_service_cost": monthly_service_cost,
            "monthly_discount_rate": monthly_discount_rate,
        },
        free_months=free_months,
        level=level,
        draws=draws,
        rng=rng,
    )


def _retention_offer(
    kind: OfferKind,
    *,
    acceptance: float | Result,
    need: float,
    taken_anyway: float,
    churn: tuple[float | Result | None, Assumption | Result | ArrayLike | None, Tail | None, int | None],
    horizon_months: float,
    numbers: dict[str, float],
    free_months: int,
    level: float | None,
    draws: int,
    rng: np.random.Generator | int | None,
) -> RetentionOffer:
    checked = {name: _checks.non_negative(value, name=name) for name, value in numbers.items()}
    _checks.positive(checked["monthly_fee"], name="monthly_fee")
    accepted, evidence = share_of(acceptance, name="acceptance")
    horizon, level = horizon_of(horizon_months), _checks.level(level)
    count = draws_asked(draws)
    monthly_churn, survival, tail, term_months = churn
    term = client(
        monthly_churn=monthly_churn,
        survival=survival,
        tail=tail,
        term_months=term_months,
        horizon=horizon,
        caller="save_offer" if kind == "save" else kind,
    )
    refuse_endless(term, horizon, checked["monthly_discount_rate"])
    offer = _Offer(
        term=term,
        horizon=horizon,
        discount_rate=checked["monthly_discount_rate"],
        fee=checked["monthly_fee"],
        service=checked["monthly_service_cost"],
        free_months=_checks.count(free_months, name="free_months"),
        cost=checked["offer_cost"],
        contact=checked["contact_cost"],
        need=need,
        taken_anyway=_checks.share(taken_anyway, name="taken_anyway"),
    )

    months, free = offer.months(term)
    gain = float(offer.gain(accepted, months, free))
    drawn = None if level is None else _drawn_gains(offer, accepted, evidence, count, np.random.default_rng(rng))
    without = (1 - need) * (offer.fee - offer.service) * float(months)
    share, reason = _break_even_acceptance(offer, months, free)
    later, later_reason = _break_even_churn(offer, accepted)

    return RetentionOffer(
        estimate=gain,
        interval=None if drawn is None or level is None else drawn_interval(drawn, gain, level),
        unit="currency per client offered",
        definition=f"contracts.{kind}_offer/expected-present-value",
        notes=(
            *step_notes(survival, term_months),
            *rate_notes(monthly_discount_rate=offer.discount_rate),
            *notes_of(term),
            *filter(None, (reason, later_reason)),
        ),
        offer=kind,
        value_with=without + gain,
        value_without=without,
        break_even_acceptance=share,
        break_even_churn=later,
        value_if_accepted=float(offer.saved(months, free)),
        given_away=float(offer.given(free)),
        probability_pays=None if drawn is None else float(np.mean(drawn > 0)),
        acceptance=accepted,
        need=need,
        taken_anyway=offer.taken_anyway,
        monthly_fee=offer.fee,
        monthly_service_cost=offer.service,
        free_months=offer.free_months,
        offer_cost=offer.cost,
        contact_cost=offer.contact,
        present_months=float(months),
        present_free_months=float(free),
    )


def _drawn_gains(
    offer: _Offer, accepted: float, evidence: Result | None, draws: int, rng: np.random.Generator
) -> Floats | None:
    churns = draws_of(offer.term, offer.horizon, draws=draws, rng=rng)
    shares = draws_of_share(evidence, draws, rng)
    if churns is None and shares is None:
        return None
    return np.asarray(offer.gain(accepted if shares is None else shares, *offer.months(offer.term, churns)))


def _break_even_acceptance(offer: _Offer, months: Floats, free: Floats) -> tuple[float | None, str | None]:
    saved, cost = offer.need * float(offer.saved(months, free)), float(offer.anyway(free))
    if saved > 0 and cost <= saved:
        return cost / saved, None
    words = "each client kept costs more than it brings" if saved <= 0 else "the offer gives too much away"
    return None, f"No acceptance makes the offer pay: {words}."


def _break_even_churn(offer: _Offer, accepted: float) -> tuple[float | None, str | None]:
    """The later churn at which the gain is 0; the gain falls through it once."""

    def gain(churn: float) -> float:
        free = dataclasses.replace(offer.term.with_churn(churn), months=1, leaves="any_month")
        return float(offer.gain(accepted, *offer.months(free)))

    # Without an end and a discount nobody's staying for ever has no finite worth.
    least = 0.0 if math.isfinite(offer.horizon) or offer.discount_rate > 0 else 1e-12
    if gain(least) < 0:
        return None, "The offer pays at no later churn."
    if gain(1.0) >= 0:
        return None, "The offer pays at any later churn."
    return _root(gain, least, 1.0), None


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    if function(low) == 0:
        return low
    return float(optimize.brentq(function, low, high, xtol=1e-14, rtol=8.9e-16))
