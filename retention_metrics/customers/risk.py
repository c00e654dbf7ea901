"""Who is about to be lost: the plain rule, the customer's own rhythm, or a model's probability."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import beside
from retention_metrics._engine import customers as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.audit import Duplicates
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.clv import Fit, PurchaseHistory, frames
from retention_metrics.clv.opportunity_model import OpportunityModel
from retention_metrics.customers import rhythm
from retention_metrics.customers.summary import purchase_model, unit_of
from retention_metrics.errors import InputError
from retention_metrics.periods import DAYS, TimeUnit, months_before, unit_days

if TYPE_CHECKING:
    from retention_metrics.clv.purchase_model import PurchaseModel

__all__ = ["at_risk"]

Rule = Literal["silence", "own_rhythm", "model"]
RULES: tuple[Rule, ...] = ("silence", "own_rhythm", "model")
Floats = NDArray[np.float64]
AHEAD = "purchases_ahead"
_KEPT = ("last_purchase", "purchases", "days_since_last", "mean_gap")


def at_risk(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None = None,
    as_of: str | dt.date | None = None,
    rule: Rule = "silence",
    months: int = 3,
    minimum_purchases: int = 2,
    below: float | None = None,
    model: PurchaseModel | Fit[PurchaseModel] | None = None,
    unit: TimeUnit | None = None,
    horizon_months: float = 12.0,
    responses: NativeFrame | None = None,
    response_time: str | None = None,
    rating: str | None = None,
    low_rating: float | None = None,
    tz: str | None = None,
    duplicates: Duplicates = "keep",
    audit: bool = True,
) -> CustomerTable:
    """Every customer, with whether they are about to be lost.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase.
    customer, time, value : str
        Columns of the customer, the time and the money; with money the table has ``value_at_stake``.
    as_of : date, optional
        End of observation; by default the last day of the log.
    rule : {"silence", "own_rhythm", "model"}, default "silence"
        ``"silence"``: nothing bought for ``months``. ``"own_rhythm"``: a silence longer than the customer's own gaps,
        shrunk toward those of all, make ordinary. ``"model"``: a low probability alive of a fitted model.
    months : int, default 3
        Calendar months without a purchase, of the plain rule.
    minimum_purchases : int, default 2
        Days of purchase from which on a customer has a rhythm of their own; others are never at risk.
    below : float, optional
        Probability below which a customer is at risk; by default 0.1 by own rhythm and 0.5 by a model.
    model : BGNBD or Fit, optional
        For ``rule="model"``, any model of purchases; one that counts opportunities takes each day for one.
    unit : str, optional
        Unit of time of a model that has none of its own; by default days.
    horizon_months : float, default 12
        Time over which the value at stake is counted.
    responses : dataframe, optional
        A row per answer to a survey, in the same library, with the same column ``customer``: who is dissatisfied is
        at risk too, however lately they bought.
    response_time, rating : str, optional
        Its columns of the time (by default ``time``) and of the rating, the higher the better.
    low_rating : float, optional
        Highest rating that is low; without it only a rating below the customer's one before it counts.
    tz : str, optional
        IANA time zone in which times are cut to days.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are (a lazy table is not run for it); a copy, left out and counted; or an error.
    audit : bool, default True
        Run the one query that counts rows; without it ``as_of`` is required.

    Returns
    -------
    CustomerTable
        ``last_purchase, purchases, days_since_last, mean_gap`` and a true or false ``at_risk``. With
        ``"own_rhythm"`` also ``probability``, that a customer who still buys is silent for so long; with ``"model"``
        that the customer is alive; null without a rhythm. With ``responses`` also ``last_rating``, ``rating_change``
        (from the answer before, on another day; of several on one day the lowest) and a true or false
        ``dissatisfied``: low or falling, which makes ``at_risk`` true. ``value_at_stake``: what the customer would
        spend over the horizon by going on as before; 0 for who is not at risk, by the plain rule null without a gap.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If an option is out of range, a model or a rating is missing or not asked for, or nobody bought twice.

    Notes
    -----
    By own rhythm a gap is gamma with one shape for all and a rate of the customer's, which is gamma across customers
    [1]_: with n gaps that sum to S and a silence s, the probability is that of Beta(shape, r + shape * n) above
    s / (s + alpha + S). The three parameters are fitted by maximum likelihood and stand in the notes, with the share
    who leave after a purchase: the silence at the end of the log is either a gap not yet over or that of a customer
    who left, so the long gaps count that a log does not see end, and those who left do not stretch the rhythm. Of those
    who still buy, about ``below`` or fewer are flagged where the shape is 1 or more, and more where it is less: whoever
    is looked at on one day stands more often in a long gap than gaps are long. A few more are where the log is short
    against the gaps, for whoever has not bought twice in it is not among them.

    References
    ----------
    .. [1] Platzer, M. and Reutterer, T. (2016). Ticking away the moments: timing regularity helps to better predict
       customer activity. *Marketing Science* 35(5), 779-799.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = ["2024-01-05", "2024-02-03", "2024-03-04", "2024-01-10", "2024-06-20", "2024-02-01"]
    >>> orders = pd.DataFrame({"who": ["a", "a", "a", "b", "b", "c"], "day": pd.to_datetime(days)})
    >>> rm.customers.at_risk(orders, customer="who", time="day", as_of="2024-06-30").to_frame()[["who", "at_risk"]]
      who  at_risk
    0   a     True
    1   b    False
    2   c    False
    """
    _checks.choice(rule, RULES, name="rule")
    span = _checks.count(months, name="months", low=1)
    least = _checks.count(minimum_purchases, name="minimum_purchases", low=1)
    threshold = _checks.share({"model": 0.5}.get(rule, 0.1) if below is None else below, name="below")
    ahead = _checks.positive(horizon_months, name="horizon_months") * DAYS["month"]
    if (rule == "model") != (model is not None):
        raise InputError(f"model= goes with rule='model'; got rule={rule!r}.", argument="model")
    if model is not None:
        purchase_model(model)
    low = _low_rating(responses, rating, low_rating)

    people = engine.buyers(
        transactions, customer=customer, time=time, value=value, as_of=as_of, tz=tz, audit=audit, duplicates=duplicates
    )
    step = unit_of(model, unit)
    measured = engine.measures(
        people,
        unit_days=unit_days(step),
        cutoff=months_before(people.as_of.day, span),
        least=least,
        money_of_repeats=False,
    )
    excluded, kept = people.excluded, list(_KEPT)
    if responses is not None and rating is not None:
        until = people.as_of.instant or people.as_of.date
        measured, left_out = beside.with_last_rating(
            measured,
            responses,
            customer=customer,
            time=response_time or time,
            rating=rating,
            as_of=until,
            tz=tz,
            audit=audit,
            change=True,
        )
        measured = beside.dissatisfied(measured, low)
        excluded = beside.counted(excluded, left_out, "responses")
        kept += ["last_rating", "rating_change", engine.UNHAPPY]
    keep, notes = [customer, *kept], people.notes
    if rule == "silence":
        frame = engine.finish(people, engine.silent(measured, keep=["customer", *kept], days=ahead))
    else:
        whole = engine.finish(people, measured.drop("at_risk"))
        judged, said = _by_probability(people, whole, step, model, ahead)
        frame = engine.judged(
            judged.frame, keep=keep, least=least, below=threshold, ahead=AHEAD if value is not None else None
        )
        notes = (*notes, *said)

    return CustomerTable(
        frame=frame,
        definition=f"customers.at_risk/{rule.replace('_', '-')}",
        unit="day",
        as_of=people.as_of.date,
        excluded=excluded,
        notes=notes,
    )


def _low_rating(responses: object, rating: str | None, low_rating: float | None) -> float | None:
    if (responses is None) != (rating is None):
        raise InputError("responses= and rating=, its column, come together.", argument="rating")
    if low_rating is None:
        return None
    if responses is None:
        raise InputError("low_rating= needs responses=.", argument="responses")
    return _checks.number(low_rating, name="low_rating")


def _by_probability(
    people: engine.Buyers,
    table: NativeFrame,
    unit: TimeUnit,
    model: PurchaseModel | Fit[PurchaseModel] | None,
    ahead: float,
) -> tuple[CustomerTable, tuple[str, ...]]:
    """The table with a probability and the purchases to expect of a customer who goes on."""
    history = PurchaseHistory(frame=table, definition="customers.summary", unit=unit)
    adopted = frames.adopt(history, {"frequency": "frequency", "recency": "recency", "T": "T"})
    if model is not None:
        buying = purchase_model(model)
        buying.check_unit(unit)
        horizon = ahead / unit_days(unit)
        if isinstance(buying, OpportunityModel):
            horizon = round(horizon)

        def alive(x: Floats, t_x: Floats, age: Floats) -> dict[str, Floats]:
            going_on = buying._ahead(x, t_x, age, horizon, 0.0, "continuous")
            return {"probability": buying._alive(x, t_x, age), AHEAD: going_on}

        return adopted.with_answers(alive, definition="customers.at_risk/model"), buying.notes
    counted = engine.gaps(people)
    found = rhythm.fit(counted.gaps, counted.total, counted.silence, counted.customers, counted.log_sum)
    days = unit_days(unit)

    def overdue(x: Floats, t_x: Floats, age: Floats) -> dict[str, Floats]:
        probability = found.ordinary(x, t_x * days, (age - t_x) * days)
        return {"probability": probability, AHEAD: found.purchases_a_day(x, t_x * days) * ahead}

    said = (
        f"Gaps in days: shape {found.shape:.3g}, r {found.r:.3g}, alpha {found.alpha:.3g}; "
        f"{found.leaves:.1%} leave after a purchase."
    )
    notes = (said, found.edge) if found.edge else (said,)
    return adopted.with_answers(overdue, definition="customers.at_risk/own-rhythm"), notes
