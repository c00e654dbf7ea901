"""Answers cut to calendar periods, and which of these are complete."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retention_metrics._engine import adopt
from retention_metrics._engine import responses as engine
from retention_metrics._engine.groups import Tally
from retention_metrics.errors import InputError
from retention_metrics.periods import Period, PeriodUnit, date_of, moment, period_of


def refuse_unreadable(unreadable: int, rows: int, *, column: str) -> None:
    """Refuse times in words that are no dates."""
    if unreadable:
        raise InputError(
            f"time={column!r} holds {unreadable} unreadable dates of {rows} rows.",
            argument="time",
            column=column,
            count=unreadable,
            fix="Text dates are ISO-8601 without a zone, such as '2024-01-31' or '2024-01-31 08:30'.",
        )


@dataclass(frozen=True)
class Calendar:
    """A frame at the door with the keys that cut it to periods; without a period everything is one."""

    source: adopt.Source
    period: Period | None = None
    keys: engine.Keys = field(default_factory=dict)
    observed_until: int = 0

    def dated(self, tally: Tally) -> NDArray[np.bool_]:
        """Which rows of a tally lie in a period that counts."""
        if self.period is None:
            return np.ones(tally.counts.size, dtype=bool)
        return np.array([state == engine.TIMED for state in tally.keys["timed"]], dtype=bool)

    def numbers(self, tally: Tally) -> list[int]:
        """The running number of each row's period."""
        if self.period is None:
            return [0] * tally.counts.size
        return [int(number) for number in tally.keys["period"]]

    def excluded(self, tally: Tally) -> dict[str, int]:
        """Rows without a time or after the end of observation; text that is no date is refused."""
        if self.period is None:
            return {}
        state = np.array(tally.keys["timed"], dtype=np.int64)
        unreadable = int(tally.counts[state == engine.UNREADABLE].sum())
        refuse_unreadable(unreadable, tally.rows, column=self.source.roles["time"])
        reasons = {"missing_time": engine.UNTIMED, "after_as_of": engine.LATE}
        return {reason: int(tally.counts[state == code].sum()) for reason, code in reasons.items()}

    def first_day(self, number: int) -> dt.date | None:
        """The first day of a period."""
        return None if self.period is None else date_of(int(self.period.first_day(np.array([number]))[0]))

    def status(self, number: int) -> str:
        """``"ok"``, or ``"incomplete"`` where the end of observation cuts the period."""
        if self.period is None or int(self.period.first_day(np.array([number + 1]))[0]) <= self.observed_until:
            return "ok"
        return "incomplete"


def read_periods(
    data: adopt.NativeFrame,
    roles: Mapping[str, str | None],
    *,
    time: str | None,
    period: PeriodUnit | Period | None,
    as_of: str | dt.date | None,
) -> Calendar:
    """Adopt a frame, with its periods where ``time`` names a column."""
    if time is None:
        for name, given in (("period", period), ("as_of", as_of)):
            if given is not None:
                raise InputError(f"{name}= goes with time=, the column of the answers' times.", argument=name)
        return Calendar(adopt.adopt(data, roles))
    cut = period_of("month" if period is None else period)
    source, times = engine.with_times(data, {**roles, "time": time}, cut)
    until = None if as_of is None else times.end_of_observation(as_of, tz=cut.tz)
    if until is None:
        until = moment(date_of(engine.last_day(source, times)), name="as_of")
        return Calendar(source, cut, engine.period_keys(times, cut, None), until.observed_until)
    return Calendar(source, cut, engine.period_keys(times, cut, until), until.observed_until)
