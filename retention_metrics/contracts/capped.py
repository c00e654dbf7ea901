"""What longevity bonuses cost where a rep's bonuses of a month are capped at a share of the salary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from retention_metrics import _checks
from retention_metrics.contracts.clients import shares_after
from retention_metrics.contracts.fitted import Drawn
from retention_metrics.contracts.terms import Term
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import TableResult, result

__all__ = ["CappedBonus"]

Floats = NDArray[np.float64]

# Sums of bonuses that are equal but for rounding are one.
_DIGITS = 9
_MOST_SIGNED = 100_000


@result
class CappedBonus(TableResult):
    """What a rep's longevity bonuses are expected to cost by month, under a cap.

    The columns: ``month``, from 0; ``due``, the expected bonuses before the cap; ``paid``, after it;
    ``probability_capped``, that the bonuses due so far under the same cap are more than it; ``present_paid``, ``paid``
    at present worth.

    Attributes
    ----------
    estimate : float
        Expected payment of all months, at present worth.
    present_due : float
        The same without the cap.
    cap : float
        Most that is paid in ``salary_months`` months.
    signed : tuple of int
        Clients that the rep signs in month 0, 1, 2, ...
    monthly_salary, cap_share, monthly_discount_rate : float
        As given.
    salary_months : int
        Months whose bonuses are capped together.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> bonus = contracts.longevity_bonus(every_months=6, amount=300, monthly_churn=1 / 12)
    >>> capped = bonus.capped(signed=4, months=24, monthly_salary=4_000)
    >>> round(capped.present_due), round(capped.estimate), capped.cap
    (19387, 10290, 600.0)
    """

    kind: ClassVar[str] = "contracts.capped_bonus"

    present_due: float
    cap: float
    signed: tuple[int, ...]
    monthly_salary: float
    cap_share: float
    salary_months: int
    monthly_discount_rate: float

    def explain(self) -> Explanation:
        """The expected payments added up at present worth.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        return Explanation(
            formula="cost = sum over months of E[smaller of the bonuses due and the cap], at present worth; the "
            "clients of each month of signing who reach a bonus are binomial with the share still there",
            values={"present_paid": [float(str(cell)) for cell in self.columns["present_paid"]]},
            steps=(Step(name="cost", expression="sum(present_paid)"),),
            source="Sums of independent binomial distributions.",
        )


class Months(NamedTuple):
    """By month, shape (n_months,) or (n_months, n_draws): bonuses due and paid, and the chance of the cap."""

    due: Floats
    paid: Floats
    capped: Floats

    def present(self, worth: Floats) -> Floats:
        """All payments at present worth."""
        return np.asarray(np.tensordot(worth, self.paid, axes=1))


def signings(signed: int | list[int] | tuple[int, ...], months: int) -> tuple[int, ...]:
    """Clients signed in each month: the same in all, or as listed and none after that."""
    if not isinstance(signed, (list, tuple)):
        return (_checks.count(signed, name="signed", high=_MOST_SIGNED),) * months
    listed = tuple(_checks.count(number, name="signed", high=_MOST_SIGNED) for number in signed)
    if len(listed) > months:
        raise InputError(f"signed lists at most the {months} months of months=; got {len(listed)}.", argument="signed")
    return listed + (0,) * (months - len(listed))


def by_month(
    term: Term,
    dues: Floats,
    bonuses: Floats,
    signed: tuple[int, ...],
    cap: float,
    salary_months: int,
    drawn: Drawn | None = None,
) -> Months:
    """The bonuses of each month, of which those of the same ``salary_months`` months are capped together.

    They are paid as they fall due until the cap is reached: what a month pays is the expectation under the cap up to
    its end, less that up to its start.
    """
    there = shares_after(term, dues, drawn)
    found: list[tuple[Floats, Floats, Floats]] = []
    for month in range(len(signed)):
        first = month - month % salary_months
        owed = _owed(dues, bonuses, signed, there, first, month)
        due, paid, capped = _under_cap(owed, cap, np.zeros(there.shape[:-1]))
        found.append((due, paid, capped))
    due, paid, capped = (np.stack(column) for column in zip(*found, strict=True))
    starts = np.arange(len(signed)) % salary_months == 0
    for running in (due, paid):
        before = np.concatenate([np.zeros_like(running[:1]), running[:-1]])
        before[starts] = 0.0
        running -= before
    return Months(due, paid, capped)


def _owed(
    dues: Floats, bonuses: Floats, signed: tuple[int, ...], there: Floats, first: int, last: int
) -> list[tuple[Floats, int, Floats]]:
    """By month of signing: the bonuses due from one month to another, clients, and the share who reach each."""
    found = []
    for start, number in enumerate(signed[: last + 1]):
        own = np.flatnonzero((dues >= first - start) & (dues <= last - start) & (bonuses > 0))
        if number and own.size:
            found.append((bonuses[own], number, there[..., own]))
    return found


def _under_cap(owed: Sequence[tuple[Floats, int, Floats]], cap: float, zero: Floats) -> tuple[Floats, Floats, Floats]:
    """Expected sum, its expectation under the cap, and the chance of more than the cap.

    The distribution is kept below the cap and at it: E[min(X, c)] = c - E[max(c - X, 0)].
    """
    due: Floats = np.sum([zero, *((bonuses * share).sum(axis=-1) * number for bonuses, number, share in owed)], axis=0)
    total = _Sums(np.zeros(1), np.ones((*zero.shape, 1)))
    for bonuses, number, share in owed:
        total = total.plus(_of_clients(bonuses, number, share, cap), cap)
    short = (total.chances * np.maximum(cap - total.values, 0.0)).sum(axis=-1)
    return due, np.minimum(cap - short, due), np.clip(1 - total.chances.sum(axis=-1), 0.0, 1.0)


class _Sums(NamedTuple):
    """Sums of bonuses up to the cap, shape (n,), and their chances, shape (..., n)."""

    values: Floats
    chances: Floats

    def plus(self, other: _Sums, cap: float) -> _Sums:
        """The sum of two that are independent."""
        reached: Floats = np.add.outer(self.values, other.values).round(_DIGITS)
        values, place = np.unique(reached, return_inverse=True)
        place = place.reshape(reached.shape)
        joined = np.zeros((*self.chances.shape[:-1], values.size))
        for column in range(other.values.size):
            joined[..., place[:, column]] += self.chances * other.chances[..., column, np.newaxis]
        inside = values <= cap * (1 + 1e-12)
        return _Sums(values[inside], joined[..., inside])


def _of_clients(bonuses: Floats, number: int, share: Floats, cap: float) -> _Sums:
    """The sum of what clients signed together earn."""
    if bonuses.size == 1:
        most = min(number, math.floor(cap / float(bonuses[0]) + 1e-9))
        chances = np.asarray(stats.binom.pmf(np.arange(most + 1.0), number, share))
        return _Sums(bonuses[0] * np.arange(most + 1.0), chances)
    # One client earns the bonuses up to the last that it stays for.
    reached = np.concatenate([np.ones_like(share[..., :1]), share, np.zeros_like(share[..., :1])], axis=-1)
    one = _Sums(np.cumsum(np.append(0.0, bonuses)), reached[..., :-1] - reached[..., 1:])
    found = _Sums(np.zeros(1), np.ones((*share.shape[:-1], 1)))
    while number:
        found = found.plus(one, cap) if number % 2 else found
        number //= 2
        one = one.plus(one, cap) if number else one
    return found
