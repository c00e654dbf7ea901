"""One view of each customer: every measure of the library that the inputs allow."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from retention_metrics import _checks
from retention_metrics._engine import beside
from retention_metrics._engine import customers as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.audit import Duplicates
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.clv import Fit, GammaGamma, PurchaseHistory, Regression, lifetime_value
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.customers import segments as rfm
from retention_metrics.errors import InputError
from retention_metrics.periods import TimeUnit, months_before, unit_days

__all__ = ["summary"]


def summary(
    transactions: NativeFrame,
    *,
    customer: str,
    time: str,
    value: str | None = None,
    as_of: str | dt.date | None = None,
    unit: TimeUnit | None = None,
    tz: str | None = None,
    months: int = 3,
    minimum_purchases: int = 2,
    scores: bool = False,
    contacts: NativeFrame | None = None,
    contact_time: str | None = None,
    responses: NativeFrame | None = None,
    response_time: str | None = None,
    rating: str | None = None,
    messages: NativeFrame | None = None,
    message_time: str | None = None,
    opened: str | None = None,
    product: str | None = None,
    model: PurchaseModel | Fit[PurchaseModel] | None = None,
    spend: GammaGamma | Fit[GammaGamma] | None = None,
    horizon: float | None = None,
    duplicates: Duplicates = "keep",
    audit: bool = True,
) -> CustomerTable:
    """One row per customer with every measure that the inputs allow.

    Parameters
    ----------
    transactions : dataframe
        A row per purchase: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    customer, time, value : str
        Columns of the customer, the time and the money; negative money is a return.
    as_of : date, optional
        End of observation, through the end of that day; by default the last day of the log.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of ``recency`` and ``T``; by default the model's, or days.
    tz : str, optional
        IANA time zone in which times are cut to days.
    months : int, default 3
        Calendar months without a purchase after which ``at_risk`` is true.
    minimum_purchases : int, default 2
        Days of purchase from which on a customer has a rhythm of their own, and can be at risk.
    scores : bool, default False
        Add the scores, the segment and the stage of ``segments``, for one query more.
    contacts : dataframe, optional
        A row per contact, in the same library, with the same column ``customer``; adds ``last_contact``
        and ``contacts``, their number.
    contact_time : str, optional
        Its column of the time; by default ``time``.
    responses : dataframe, optional
        A row per answer to a survey, likewise; adds ``last_rating``.
    response_time, rating : str, optional
        Its columns of the time (by default ``time``) and of the rating.
    messages : dataframe, optional
        A row per message sent, likewise; adds ``messages`` and ``messages_opened``, their numbers.
    message_time, opened : str, optional
        Its columns of the time (by default ``time``) and of true or false, or 1 and 0; missing is not opened.
    product : str, optional
        Column of what was bought; adds ``last_product``, of several on the last day the first by name, and
        ``products``, the number of different ones.
    model : BGNBD or Fit, optional
        Model of purchases; adds ``probability_alive`` and ``expected_purchases``, for one query more.
    spend : GammaGamma or Fit, optional
        Model of spend per purchase; with ``model`` adds ``clv``, undiscounted; null for who gave back more than the
        repeat purchases were worth.
    horizon : float, optional
        Time ahead that ``model`` looks, in ``unit``; needed with it.
    duplicates : {"keep", "exclude", "raise"}, default "keep"
        What a row is that repeats another one in all columns named here: one more purchase, with a note of how many
        there are (a lazy table is not run for it); a copy, left out and counted; or an error.
    audit : bool, default True
        Run the one query that counts rows and missing values. Without it ``as_of`` is required.

    Returns
    -------
    CustomerTable
        The customer under its own name, and ``first_purchase, last_purchase``, ``purchases`` (days with one),
        ``orders`` (rows), ``tenure``, ``days_since_last`` and ``mean_gap`` in days (null for one purchase),
        ``frequency, recency, T`` as of ``clv.rfm_summary``, and ``at_risk``; with money ``revenue``,
        ``average_order_value`` and ``monetary_value``. In the caller's kind of frame, lazy where that is lazy.
        Customers are who bought: ``excluded`` counts the rows of others in a second log, as ``contacts_no_purchase``
        and its like, beside that log's own reasons; for one query more on each.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type, or the customer's has the name of an answer.
    InputError
        If nothing is left, a model comes without a horizon, or tables are of different libraries.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> table = rm.customers.summary(rm.datasets.cdnow(), customer="customer_id", time="date", value="amount")
    >>> table.to_frame()[["customer_id", "purchases", "orders", "revenue", "mean_gap", "at_risk"]].head(2)
       customer_id  purchases  orders  revenue  mean_gap  at_risk
    0            1          4       4   100.50     115.0     True
    1            2          2       2    75.11      12.0     True
    """
    span, least, step = _options(months, minimum_purchases, model, spend, horizon, unit)
    if responses is not None and rating is None:
        raise InputError("responses= needs rating=, its column of answers.", argument="rating")

    if spend is not None and value is None:
        raise InputError("spend= needs value=, the column of the money.", argument="value")
    if (messages is None) != (opened is None):
        raise InputError("messages= and opened=, its column, come together.", argument="opened")

    people = engine.buyers(
        transactions,
        customer=customer,
        time=time,
        value=value,
        product=product,
        as_of=as_of,
        tz=tz,
        audit=audit,
        duplicates=duplicates,
    )
    frame = engine.measures(
        people,
        unit_days=unit_days(step),
        cutoff=months_before(people.as_of.day, span),
        least=least,
        grid=rfm.grid() if scores else None,
        extra=(rfm.stage(people, span),) if scores else (),
    )
    if product is not None:
        frame = engine.with_products(frame, people)
    options: dict[str, Any] = {"customer": customer, "as_of": people.as_of.instant or people.as_of.date}
    options |= {"tz": tz, "audit": audit}
    excluded = people.excluded
    if contacts is not None:
        frame, left_out = beside.with_contacts(frame, contacts, time=contact_time or time, **options)
        excluded = beside.counted(excluded, left_out, "contacts")
    if responses is not None and rating is not None:
        frame, left_out = beside.with_last_rating(
            frame, responses, time=response_time or time, rating=rating, **options
        )
        excluded = beside.counted(excluded, left_out, "responses")
    if messages is not None and opened is not None:
        frame, left_out = beside.with_messages(frame, messages, time=message_time or time, opened=opened, **options)
        excluded = beside.counted(excluded, left_out, "messages")

    history = PurchaseHistory(
        frame=engine.finish(people, frame),
        definition="customers.summary",
        unit=step,
        as_of=people.as_of.date,
        excluded=excluded,
        notes=people.notes,
        monetary_value="monetary_value" if value is not None else None,
    )
    return _foreseen(history, model, spend, horizon)


def _options(
    months: int, minimum_purchases: int, model: object, spend: object, horizon: float | None, unit: TimeUnit | None
) -> tuple[int, int, TimeUnit]:
    span = _checks.count(months, name="months", low=1)
    least = _checks.count(minimum_purchases, name="minimum_purchases", low=1)
    if model is None and (spend is not None or horizon is not None):
        raise InputError("spend= and horizon= need model=, a model of purchases.", argument="model")
    if model is not None and horizon is None:
        raise InputError("model= needs horizon=, the time ahead that it looks.", argument="horizon")
    if model is not None:
        purchase_model(model)
    return span, least, unit_of(model, unit)


def purchase_model(model: object) -> PurchaseModel:
    """The model of purchases itself, without its fit."""
    inner = model.model if isinstance(model, Fit) else model
    if isinstance(inner, PurchaseModel):
        return inner
    covariates = isinstance(inner, Regression)
    raise InputError(
        f"model is a model of purchases such as BGNBD, or its Fit; got {type(inner).__name__}.",
        argument="model",
        fix="Where customers differ by covariates, give the model of one kind: regression.at(...)."
        if covariates
        else None,
    )


def unit_of(model: object, unit: TimeUnit | None) -> TimeUnit:
    """The unit asked for, the model's, or days."""
    own: TimeUnit | None = getattr(model.model if isinstance(model, Fit) else model, "unit", None)
    return unit or own or "day"


def _foreseen(
    history: PurchaseHistory,
    model: PurchaseModel | Fit[PurchaseModel] | None,
    spend: GammaGamma | Fit[GammaGamma] | None,
    horizon: float | None,
) -> CustomerTable:
    """The table with what the models expect of each customer."""
    if model is None or horizon is None:
        fields = {"definition": history.definition, "unit": history.unit, "as_of": history.as_of}
        return CustomerTable(frame=history.frame, excluded=history.excluded, notes=history.notes, **fields)  # type: ignore[arg-type]
    buying = purchase_model(model)
    expected = buying.predict(history, horizon=horizon)
    if spend is not None:
        expected = _valued(buying, spend, replace(history, frame=expected.frame), horizon)
    return replace(expected, definition="customers.summary")


def _valued(
    model: PurchaseModel, spend: GammaGamma | Fit[GammaGamma], history: PurchaseHistory, horizon: float
) -> CustomerTable:
    """The table with ``clv``, which a model of spend cannot give where more came back than was paid."""
    if history.monetary_value is None:
        return lifetime_value(model, spend, history, horizon=horizon)
    name = engine.SPENT
    ready = replace(history, frame=engine.with_spend(history.frame, history.monetary_value), monetary_value=name)
    valued = lifetime_value(model, spend, ready, horizon=horizon)
    return replace(valued, frame=engine.without_negative(valued.frame, history.monetary_value))
