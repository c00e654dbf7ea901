"""The contact calendar: who was last in touch when, and who is due a message."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from retention_metrics import _checks
from retention_metrics._engine import contacts as calendar
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._engine.tables import CustomerTable
from retention_metrics.errors import InputError

__all__ = ["contact_due"]


def contact_due(
    contacts: NativeFrame,
    *,
    customer: str,
    time: str,
    every_days: int = 90,
    as_of: str | dt.date | None = None,
    keep: Sequence[str] = (),
    purchases: NativeFrame | None = None,
    purchase_time: str | None = None,
    message_days: Sequence[int] = (),
    birthdays: NativeFrame | None = None,
    birth_date: str | None = None,
    tz: str | None = None,
) -> CustomerTable:
    """When each customer was last in touch, and who is due a contact.

    Parameters
    ----------
    contacts : dataframe
        A row per contact.
    customer, time : str
        Columns of the customer and the time.
    every_days : int, default 90
        Days that may pass without a contact.
    as_of : date, optional
        The day on which the calendar is read; by default the last day of the contacts.
    keep : sequence of str, optional
        Columns of the last contact to show, such as who made it and how; of several contacts on that day the first
        by order of value.
    purchases : dataframe, optional
        A row per purchase with the same column ``customer``, in the same library. Buyers who were never in touch are
        in the table, and due.
    purchase_time : str, optional
        Its column of the time; by default ``time``.
    message_days : sequence of int, optional
        Days after the last purchase on which a message goes out, such as ``(7, 30)``.
    birthdays : dataframe, optional
        A row per customer, in the same library, with the same column ``customer``; all of them are in the table.
    birth_date : str, optional
        Its column of the date of birth, or of any year's birthday.
    tz : str, optional
        IANA time zone in which the times of contacts and purchases are cut to days.

    Returns
    -------
    CustomerTable
        ``last_contact, contacts``, the kept columns, ``days_since_contact`` and a true or false ``due``; with
        purchases ``days_since_purchase``, and with message days ``message_day``, the latest message whose day has
        come with no contact since that day, or null. With birthdays a true or false ``birthday``: it is today; who was
        born on the 29th of February has it on the 28th in other years. ``excluded`` counts the rows of the purchases
        and of the birthdays under ``purchases_`` and ``birthdays_``.

    Raises
    ------
    ColumnError
        If a column is missing or of the wrong type.
    InputError
        If an option is out of range, a log has no rows left, or the tables are of different libraries.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> days = pd.to_datetime(["2024-01-05", "2024-05-20"])
    >>> calls = pd.DataFrame({"who": ["a", "b"], "day": days, "rep": ["Ana", "Bo"]})
    >>> due = rm.customers.contact_due(calls, customer="who", time="day", as_of="2024-06-01", keep=["rep"])
    >>> due.to_frame()[["who", "rep", "days_since_contact", "due"]]
      who  rep  days_since_contact    due
    0   a  Ana                 148   True
    1   b   Bo                  12  False
    """
    allowed = _checks.count(every_days, name="every_days", low=1)
    if isinstance(message_days, int):
        raise InputError(
            f"message_days is a sequence of days; got {message_days}.",
            argument="message_days",
            fix=f"message_days=({message_days},)",
        )
    days = [_checks.count(day, name="message_days") for day in message_days]
    if isinstance(keep, str):
        raise InputError(f"keep is a sequence of columns; got {keep!r}.", argument="keep", fix=f"keep=[{keep!r}]")
    if days and purchases is None:
        raise InputError("message_days= needs purchases=.", argument="purchases")

    if (birthdays is None) != (birth_date is None):
        raise InputError("birthdays= and birth_date=, its column, come together.", argument="birth_date")

    people, frame, excluded = calendar.contact_table(
        contacts,
        customer=customer,
        time=time,
        as_of=as_of,
        tz=tz,
        every_days=allowed,
        keep=tuple(keep),
        purchases=None if purchases is None else (purchases, purchase_time or time),
        birthdays=None if birthdays is None or birth_date is None else (birthdays, birth_date),
        days=days,
    )

    return CustomerTable(
        frame=frame,
        definition="customers.contact_due",
        unit="day",
        as_of=people.as_of.date,
        excluded=excluded,
    )
