"""The words of a report, and how its numbers, dates and intervals are written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from retention_metrics import locales
from retention_metrics.locales import Locale
from retention_metrics.results import Interval

_SPACE = "\u00a0"  # keeps a number and its sign on one line


@dataclass(frozen=True)
class Remark:
    """A sentence yet to be put into words.

    Parameters
    ----------
    name : str
        Its identifier among the words.
    values : mapping of str to object
        What its places are filled with.
    """

    name: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Wording:
    """The words of one language, by identifier.

    Parameters
    ----------
    words : mapping of str to str
        Sentences with the names of their values in braces.
    """

    words: Mapping[str, str]

    def __call__(self, name: str, **values: object) -> str:
        """A sentence with its values filled in."""
        return self.words[name].format(**values)

    def tell(self, remark: Remark) -> str:
        """A remark in words."""
        return self(remark.name, **remark.values)

    def between(self, interval: Interval | None, write: Callable[[float], str]) -> str:
        """Both ends of an interval."""
        if interval is None:
            return self("missing")
        return self.span(interval.low, interval.high, write)

    def span(self, low: float, high: float, write: Callable[[float], str]) -> str:
        """Two ends, a sign of per cent after the second alone: ``13.3 to 16.1 %``."""
        return self("range", low=write(low).removesuffix(f"{_SPACE}%"), high=write(high))

    def with_interval(self, value: float, interval: Interval | None, write: Callable[[float], str]) -> str:
        """A number and, where it has one, its interval."""
        if interval is None:
            return write(value)
        return self("with_interval", estimate=write(value), interval=self.between(interval, write))


def wording(locale: Locale = "en") -> Wording:
    """The words of the report in one language."""
    return Wording(locales.words("report", locale=locale))


def count(number: float) -> str:
    """A whole number: ``2,357``."""
    return f"{number:,.0f}"


def share(part: float) -> str:
    """A share as per cent: ``48.3 %``."""
    return f"{100 * part:.1f}{_SPACE}%"


def level(content: float) -> str:
    """The content of an interval: ``95 %``."""
    return f"{round(100 * content, 6):g}{_SPACE}%"


def expectation(number: float) -> str:
    """An expected count, whole where it is large: ``1,967``, ``18.4``, ``0.27``."""
    size = abs(number)
    return f"{number:,.{0 if size >= 100 else 1 if size >= 10 else 2}f}"


def money(amount: float) -> str:
    """An amount, without small change where it is large: ``72,073``, ``35.81``."""
    return f"{amount:,.{0 if abs(amount) >= 100 else 2}f}"


def figure(number: float) -> str:
    """A number of any size to four digits."""
    return f"{number:#.4g}".removesuffix(".")


def coefficient(number: float) -> str:
    """A correlation: ``0.07``, ``−0.31``."""
    return f"{number:.2f}".replace("-", "−")


def day(date: dt.date) -> str:
    """A date: ``1998-06-30``."""
    return date.isoformat()


def period_name(start: dt.date, unit: str) -> str:
    """The period that begins on a day: ``1998-06``, ``1998 Q2``, ``1998``."""
    if unit == "year":
        return f"{start:%Y}"
    if unit == "quarter":
        return f"{start.year} Q{(start.month + 2) // 3}"
    return f"{start:%Y-%m}" if unit == "month" else start.isoformat()
