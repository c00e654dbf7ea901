"""A loyalty programme: what its points owe, what it costs, and the lift in repeat rate at which it pays for itself."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.contracts.clients import drawn_interval, draws_of_share, share_of
from retention_metrics.contracts.uncertainty import draws_asked
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step, Value
from retention_metrics.results import Result, result

__all__ = ["LoyaltyProgramme", "loyalty_programme"]

Floats = NDArray[np.float64]


@result
class LoyaltyProgramme(Result):
    """What a loyalty programme owes and costs, and the lift at which it pays.

    Attributes
    ----------
    estimate : float or None
        Break-even lift: by how much the repeat rate must rise for the programme to pay for itself, in shares; below 0
        where the membership fee pays for more than the rewards cost.
    break_even_repeat_rate : float or None
        The repeat rate of members at which it does.
    repeat_rate, member_repeat_rate : float or None
        Share of the purchases that are followed by another, without the programme and of its members.
    value_without, value_with : float or None
        Margin of a customer over all purchases, and of a member less rewards and costs, plus the membership fee.
    probability_pays : float or None
        Share of the draws in which the programme pays; None where nothing is uncertain, or no member rate is given.
    reward_cost_per_purchase : float
        Expected cost of the points that a purchase earns.
    outstanding_value : float
        Face value of the points not redeemed yet.
    liability : float
        Expected cost of redeeming them.
    breakage : float
        Face value of those that are expected never to be redeemed.
    order_value, margin, earn_rate, redemption_rate, reward_cost, membership_fee, cost_per_member : float
        As given.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> club = contracts.loyalty_programme(
    ...     order_value=50, margin=0.40, repeat_rate=0.60, earn_rate=0.05, redemption_rate=0.80, cost_per_member=2
    ... )
    >>> round(club.break_even_repeat_rate, 4), round(club.estimate, 4)
    (0.6538, 0.0538)
    """

    kind: ClassVar[str] = "contracts.loyalty_programme"

    break_even_repeat_rate: float | None
    repeat_rate: float
    member_repeat_rate: float | None
    value_without: float
    value_with: float | None
    probability_pays: float | None
    reward_cost_per_purchase: float
    outstanding_value: float
    liability: float
    breakage: float
    order_value: float
    margin: float
    earn_rate: float
    redemption_rate: float
    reward_cost: float
    membership_fee: float
    cost_per_member: float

    def explain(self) -> Explanation:
        """Margins over all purchases, without the programme and with it, set equal.

        Returns
        -------
        Explanation
            The last step gives the break-even lift.
        """
        values: dict[str, Value] = {
            name: getattr(self, name)
            for name in (
                "order_value",
                "margin",
                "repeat_rate",
                "earn_rate",
                "redemption_rate",
                "reward_cost",
                "membership_fee",
                "cost_per_member",
            )
        }
        solved = (
            Step(name="margin_without", expression="order_value * margin"),
            Step(
                name="margin_with",
                expression="margin_without - order_value * earn_rate * redemption_rate * reward_cost",
            ),
            Step(name="needed", expression="margin_without / (1 - repeat_rate) + cost_per_member - membership_fee"),
            Step(name="break_even_repeat_rate", expression="1 - margin_with / needed"),
            Step(name="lift", expression="break_even_repeat_rate - repeat_rate"),
        )
        return Explanation(
            formula="a customer whose purchases are followed by another with probability r buys 1 / (1 − r) times; the "
            "lift at which margin × purchases with the programme, less its costs, equals margin × purchases without",
            values=values,
            steps=solved if self.estimate is not None else (),
            source="Mean of a geometric number of purchases.",
        )


def loyalty_programme(
    *,
    order_value: float,
    margin: float,
    repeat_rate: float | Result,
    earn_rate: float,
    redemption_rate: float,
    reward_cost: float = 1.0,
    membership_fee: float = 0.0,
    cost_per_member: float = 0.0,
    member_repeat_rate: float | Result | None = None,
    points_issued: float = 0.0,
    points_redeemed: float = 0.0,
    points_expired: float = 0.0,
    point_value: float = 1.0,
    level: float | None = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | int | None = None,
) -> LoyaltyProgramme:
    """What a loyalty programme owes and costs, and the lift from which on it pays.

    Parameters
    ----------
    order_value : float
        Money of a purchase, above 0.
    margin : float
        Margin as a share of the order, in (0, 1].
    repeat_rate : float or Result
        Share of the purchases that are followed by another, without the programme, in [0, 1).
    earn_rate : float
        Face value of the points that a purchase earns, as a share of the order, in [0, 1].
    redemption_rate : float
        Share of the points that is ever redeemed, in [0, 1]; the rest is breakage.
    reward_cost : float, default 1
        Cost of a reward per unit of face value, at least 0: below 1 where own goods are given at their cost.
    membership_fee : float, default 0
        Paid once by a member; 0 for a free programme.
    cost_per_member : float, default 0
        What running the programme costs per member, at least 0.
    member_repeat_rate : float or Result, optional
        Repeat rate of members, in [0, 1), to put beside the break-even.
    points_issued, points_redeemed, points_expired : float, default 0
        Points so far, for the liability.
    point_value : float, default 1
        Face value of a point, above 0.
    level : float or None, default 0.95
        Probability content of the interval where the repeat rate is a result; None computes no interval.
    draws : int, default 10000
        Draws where a rate is uncertain.
    rng : numpy.random.Generator or int, optional
        Source of the draws.

    Returns
    -------
    LoyaltyProgramme
        ``estimate`` is the lift in the repeat rate, in shares, from which on the programme pays.

    Raises
    ------
    InputError
        If a number is out of its range, or more points were redeemed and expired than issued.

    Notes
    -----
    Where a purchase is followed by another with probability r, a customer makes 1 / (1 - r) of them. With order value
    o, margin m, earn rate e, redemption rate q, reward cost k, cost per member c and membership fee f, the programme
    pays from r' on with (m - e q k) o / (1 - r') - c + f = m o / (1 - r). The liability is the face value of the points
    outstanding times q k. A member rate taken from members and others side by side holds the members' own liking to
    buy, too: only a trial tells what the programme did.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> club = contracts.loyalty_programme(
    ...     order_value=50,
    ...     margin=0.40,
    ...     repeat_rate=0.60,
    ...     member_repeat_rate=0.70,
    ...     earn_rate=0.05,
    ...     redemption_rate=0.80,
    ...     points_issued=10_000,
    ...     points_redeemed=6_000,
    ...     point_value=0.01,
    ... )
    >>> club.outstanding_value, club.liability, round(club.breakage, 2)
    (40.0, 32.0, 8.0)
    >>> round(club.value_without, 2), round(club.value_with, 2)
    (50.0, 60.0)
    """
    order, share = _checks.positive(order_value, name="order_value"), _checks.share(margin, name="margin")
    _checks.positive(share, name="margin")
    repeat, evidence = _repeat(repeat_rate, name="repeat_rate")
    earn, redeemed = _checks.share(earn_rate, name="earn_rate"), _checks.share(redemption_rate, name="redemption_rate")
    numbers = {"reward_cost": reward_cost, "membership_fee": membership_fee, "cost_per_member": cost_per_member}
    cost, fee, running = (_checks.non_negative(value, name=name) for name, value in numbers.items())
    outstanding = _outstanding(points_issued, points_redeemed, points_expired) * _checks.positive(
        point_value, name="point_value"
    )
    level, count = _checks.level(level), draws_asked(draws)
    member, member_evidence = (
        (None, None) if member_repeat_rate is None else _repeat(member_repeat_rate, name="member_repeat_rate")
    )

    reward = order * earn * redeemed * cost
    before, after = order * share, order * share - reward

    def needed(rate: Floats | float) -> Floats:
        return np.asarray(before / (1 - rate) + running - fee)

    target = _break_even(after, float(needed(repeat)))
    generator = np.random.default_rng(rng)
    rates = draws_of_share(evidence, count, generator)
    members = draws_of_share(member_evidence, count, generator)
    interval = None
    if target is not None and rates is not None and level is not None:
        interval = drawn_interval(1 - after / needed(rates) - rates, target - repeat, level)
    chance = None
    if member is not None and (rates is not None or members is not None):
        bought = 1 / (1 - (member if members is None else members))
        chance = float(np.mean(after * bought >= needed(repeat if rates is None else rates)))

    return LoyaltyProgramme(
        estimate=None if target is None else target - repeat,
        interval=interval,
        unit="share",
        definition="contracts.loyalty_programme/geometric-purchases",
        notes=() if target is not None else (_why_none(after),),
        status="ok" if target is not None else "undefined",
        break_even_repeat_rate=target,
        repeat_rate=repeat,
        member_repeat_rate=member,
        value_without=before / (1 - repeat),
        value_with=None if member is None else after / (1 - member) - running + fee,
        probability_pays=chance,
        reward_cost_per_purchase=reward,
        outstanding_value=outstanding,
        liability=outstanding * redeemed * cost,
        breakage=outstanding * (1 - redeemed),
        order_value=order,
        margin=share,
        earn_rate=earn,
        redemption_rate=redeemed,
        reward_cost=cost,
        membership_fee=fee,
        cost_per_member=running,
    )


def _repeat(value: float | Result, *, name: str) -> tuple[float, Result | None]:
    rate, evidence = share_of(value, name=name)
    return _checks.number(rate, name=name, low=0.0, high=1.0, open_high=True), evidence


def _outstanding(issued: float, redeemed: float, expired: float) -> float:
    names = {"points_issued": issued, "points_redeemed": redeemed, "points_expired": expired}
    points, used, gone = (_checks.non_negative(value, name=name) for name, value in names.items())
    if used + gone > points:
        raise InputError(
            f"points redeemed and expired are at most those issued, {points:g}; got {used + gone:g}.",
            argument="points_redeemed",
        )
    return points - used - gone


def _break_even(margin_with: float, needed: float) -> float | None:
    """The member rate at which margins are equal; None where no rate is high enough, or any is."""
    if margin_with <= 0 or needed <= margin_with:
        return None
    return 1 - margin_with / needed


def _why_none(margin_with: float) -> str:
    if margin_with <= 0:
        return "No repeat rate makes the programme pay: the rewards of a purchase cost its margin or more."
    return "The programme pays at any repeat rate: the membership fee covers what it costs."
