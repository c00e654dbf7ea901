"""Whether another rep pays, from when on, and how surely."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics.contracts.clients import drawn_interval, draws_of, draws_of_share, present_months
from retention_metrics.contracts.uncertainty import draws_asked
from retention_metrics.explanation import Explanation, Step
from retention_metrics.growth.plateaus import plateau, survivors_by_month, uncertain_client
from retention_metrics.results import Columns, Result, TableResult, result
from retention_metrics.survival import Assumption, Tail

__all__ = ["Hire", "hire"]

Floats = NDArray[np.float64]

_FEWEST_ROWS, _MOST_ROWS = 24, 1_200


@result
class Hire(TableResult):
    """What another rep brings a month at the plateau, and the path to it.

    The rows: ``month`` 1, 2, ...; ``clients`` at its end and the ``revenue`` from them; ``contribution``, margin less
    commission; ``cash``, that less the monthly cost; ``cumulative_cash``.

    Attributes
    ----------
    estimate : float
        Contribution at the plateau less the monthly cost.
    pays : bool
        Whether it is above 0.
    short_form_pays : bool
        Whether the monthly cost is below what one client pays a month.
    plateau_revenue : float
        What the rep's clients pay a month at the plateau.
    break_even_attainment : float or None
        Share of the new clients per month at which the rep pays; None where none is enough.
    break_even_lifetime : float or None
        Mean lifetime in months below which the rep loses; None where none is enough.
    months_to_cover : int or None
        First month whose contribution is at least the monthly cost; None if never.
    months_to_recover : int or None
        First month by which all that was spent has come back; None if never.
    probability_pays : float or None
        Share of the draws in which the rep pays; None where nothing is uncertain.
    monthly_cost, monthly_fee, new_clients_per_month, attainment, margin : float
        As given.
    lifetime_months : float
        Mean lifetime of a client.
    commission_rate, signing_commission : float
        Commission as clients pay, as a share of the fees, and up front, per client.

    Examples
    --------
    >>> from retention_metrics import growth
    >>> rep = growth.hire(monthly_cost=8_000, monthly_fee=10_000, new_clients_per_month=1 / 6, lifetime_months=12)
    >>> rep.pays, round(rep.break_even_attainment, 2), rep.months_to_cover, rep.months_to_recover
    (True, 0.4, 6, 12)
    """

    kind: ClassVar[str] = "growth.hire"

    pays: bool
    short_form_pays: bool
    plateau_revenue: float
    break_even_attainment: float | None
    break_even_lifetime: float | None
    months_to_cover: int | None
    months_to_recover: int | None
    probability_pays: float | None
    monthly_cost: float
    monthly_fee: float
    new_clients_per_month: float
    lifetime_months: float
    margin: float
    attainment: float
    commission_rate: float
    signing_commission: float

    def explain(self) -> Explanation:
        """What the clients of the plateau leave, less what the rep costs.

        Returns
        -------
        Explanation
            The last step gives what the rep brings a month.
        """
        solved = (
            ()
            if self.break_even_attainment is None
            else (
                Step(
                    name="break_even_attainment", expression="monthly_cost / (new_clients_per_month * kept_per_client)"
                ),
            )
        )
        lived = (
            Step(
                name="break_even_lifetime",
                expression="(monthly_cost / signed + signing_commission) / (monthly_fee * (margin - commission_rate))",
            ),
        )
        return Explanation(
            formula="the rep pays where monthly cost < new clients × attainment × (fee × (margin − commission) × "
            "lifetime − commission up front); the short form asks for monthly cost < one fee",
            values={
                "monthly_cost": self.monthly_cost,
                "monthly_fee": self.monthly_fee,
                "new_clients_per_month": self.new_clients_per_month,
                "attainment": self.attainment,
                "lifetime_months": self.lifetime_months,
                "margin": self.margin,
                "commission_rate": self.commission_rate,
                "signing_commission": self.signing_commission,
            },
            steps=(
                Step(
                    name="kept_per_client",
                    expression="monthly_fee * (margin - commission_rate) * lifetime_months - signing_commission",
                ),
                *solved,
                Step(name="signed", expression="new_clients_per_month * attainment"),
                *(lived if self.break_even_lifetime is not None else ()),
                Step(name="brought", expression="signed * kept_per_client - monthly_cost"),
            ),
            source="Little (1961), Operations Research 9(3), 383-387: L = λW.",
        )


def hire(
    *,
    monthly_cost: float,
    monthly_fee: float,
    new_clients_per_month: float,
    lifetime_months: float | Result | None = None,
    monthly_churn: float | Result | None = None,
    survival: Assumption | Result | ArrayLike | None = None,
    tail: Tail | None = None,
    term_months: int | None = None,
    margin: float = 1.0,
    attainment: float | Result = 1.0,
    ramp_months: int = 0,
    commission_rate: float = 0.0,
    signing_commission: float = 0.0,
    level: float | None = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | int | None = None,
) -> Hire:
    """Whether another rep pays, from when on, and how surely.

    Parameters
    ----------
    monthly_cost : float
        What the rep costs a month without commission, at least 0; 0 for a rep on commission alone.
    monthly_fee : float
        What a client pays in a month, above 0.
    new_clients_per_month : float
        The rep's quota, above 0; 1/6 for a client every six months.
    lifetime_months : float or Result, optional
        Mean lifetime of a client in months, at least 1. Exactly one of ``lifetime_months``, ``monthly_churn`` and
        ``survival`` is given.
    monthly_churn : float or Result, optional
        Share of the clients that leaves in a month, above 0 and at most 1.
    survival : Assumption, Fit or array_like of float, optional
        Share of the clients still there after 0, 1, 2, ... months, to the end; or an `Assumption`, or its ``Fit``.
    tail : {"constant_hazard"}, optional
        Past the last observed step of ``survival`` every further one loses the share that the last one lost.
    term_months : int, optional
        Months of one step of a ``survival`` by the term, such as a contractual model: the client is then bound to each
        term's end. By default one month, which a note says.
    margin : float, default 1
        Share of the fee that is left after serving the client, in (0, 1].
    attainment : float or Result, default 1
        Share of the quota that the rep makes, above 0.
    ramp_months : int, default 0
        Months before the rep sells in full: arrivals rise to it in equal steps.
    commission_rate : float, default 0
        Commission as a share of the fees, paid as clients pay, in [0, 1].
    signing_commission : float, default 0
        Commission per client, paid when it signs, at least 0.
    level : float or None, default 0.95
        Probability content of the interval where an input is a result; None computes no interval.
    draws : int, default 10000
        Draws where something is uncertain.
    rng : numpy.random.Generator or int, optional
        Source of the draws.

    Returns
    -------
    Hire
        ``estimate`` is what the rep brings a month at the plateau; ``.pays`` says whether that is above 0.

    Raises
    ------
    InputError
        If a number is out of its range, or not exactly one churn argument is given.

    See Also
    --------
    plateau : The path of the clients, losses first, then arrivals.

    Notes
    -----
    With quota n, attainment q, fee f, margin g, commission rate r, commission up front s and mean lifetime L, the rep
    brings n q (f (g - r) L - s) - cost a month at the plateau. A rep on commission alone pays from the lifetime
    s / (f (g - r)) on: commission as clients pay never loses while r < g, commission up front does on short lifetimes.

    Examples
    --------
    >>> from retention_metrics import growth
    >>> rep = growth.hire(monthly_cost=15_000, monthly_fee=10_000, new_clients_per_month=1 / 6, lifetime_months=12)
    >>> rep.pays, rep.short_form_pays, round(rep.plateau_revenue)
    (True, False, 20000)
    >>> paid_up_front = growth.hire(
    ...     monthly_cost=0,
    ...     monthly_fee=10_000,
    ...     new_clients_per_month=1 / 6,
    ...     lifetime_months=5,
    ...     margin=0.4,
    ...     signing_commission=24_000,
    ... )
    >>> paid_up_front.pays, round(paid_up_front.break_even_lifetime, 6)
    (False, 6.0)
    """
    cost, kept = _checks.non_negative(monthly_cost, name="monthly_cost"), _checks.share(margin, name="margin")
    _checks.positive(kept, name="margin")
    rate = _checks.share(commission_rate, name="commission_rate")
    signing = _checks.non_negative(signing_commission, name="signing_commission")
    made = _checks.positive(float(attainment) if isinstance(attainment, Result) else attainment, name="attainment")
    ramp, count = _checks.count(ramp_months, name="ramp_months", high=_MOST_ROWS), draws_asked(draws)
    level = _checks.level(level)
    full = plateau(
        new_clients_per_month=new_clients_per_month,
        monthly_fee=monthly_fee,
        lifetime_months=lifetime_months,
        monthly_churn=monthly_churn,
        survival=survival,
        tail=tail,
        term_months=term_months,
        level=None,
    )
    quota, fee, lifetime = full.new_clients_per_month, full.monthly_fee, full.lifetime_months

    def brought(mean: Floats | float, share: Floats | float) -> Floats:
        # Without a margin a lifetime without end brings nothing.
        brought_in = fee * (kept - rate) * mean if kept != rate else np.zeros_like(mean)
        return np.asarray(quota * share * (brought_in - signing) - cost)

    estimate = float(brought(lifetime, made))
    drawn = None
    if level is not None:
        term = uncertain_client(lifetime_months, monthly_churn, survival, tail, term_months)
        generator = np.random.default_rng(rng)
        lives = None
        if term is not None:
            churns = draws_of(term, math.inf, draws=count, rng=generator)
            lives = None if churns is None else present_months(term, math.inf, 0.0, churns)
        shares = draws_of_share(attainment if isinstance(attainment, Result) else None, count, generator)
        if lives is not None or shares is not None:
            drawn = brought(lifetime if lives is None else lives, made if shares is None else shares)
    won = quota * made * np.minimum(np.arange(1.0, _MOST_ROWS + 1) / (ramp + 1), 1.0)
    survivors = survivors_by_month(full.churn, full.term_months, _MOST_ROWS)
    clients = np.convolve(won, survivors)[:_MOST_ROWS]
    contribution = clients * fee * (kept - rate) - won * signing
    cash = np.cumsum(contribution - cost)
    covered, recovered = _first(contribution >= cost * (1 - 1e-12)), _first(cash >= 0)
    rows = min(max(_FEWEST_ROWS, recovered or 0), _MOST_ROWS)
    per_client = fee * (kept - rate) * lifetime - signing

    return Hire(
        estimate=estimate,
        interval=None if drawn is None or level is None else drawn_interval(drawn, estimate, level),
        unit="currency per month",
        definition="growth.hire/plateau",
        notes=full.notes,
        columns=Columns(
            {
                "month": list(range(1, rows + 1)),
                "clients": clients[:rows].tolist(),
                "revenue": (clients[:rows] * fee).tolist(),
                "contribution": contribution[:rows].tolist(),
                "cash": (contribution[:rows] - cost).tolist(),
                "cumulative_cash": cash[:rows].tolist(),
            }
        ),
        pays=estimate > 0,
        short_form_pays=cost < fee,
        plateau_revenue=quota * made * lifetime * fee,
        break_even_attainment=cost / (quota * per_client) if per_client > 0 else None,
        break_even_lifetime=(cost / (quota * made) + signing) / (fee * (kept - rate)) if kept > rate else None,
        months_to_cover=covered,
        months_to_recover=recovered,
        probability_pays=None if drawn is None else float(np.mean(drawn > 0)),
        monthly_cost=cost,
        monthly_fee=fee,
        new_clients_per_month=quota,
        lifetime_months=lifetime,
        margin=kept,
        attainment=made,
        commission_rate=rate,
        signing_commission=signing,
    )


def _first(reached: NDArray[np.bool_]) -> int | None:
    months = np.flatnonzero(reached)
    return int(months[0]) + 1 if months.size else None
