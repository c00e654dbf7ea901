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


@result
class CappedBonus(TableResult):
    """What a rep's longevity bonuses are expected to cost by month, under a cap.

    The columns: ``month``, from 0; ``due``, the expected bonuses before the cap; ``paid``, after it;
    ``probability_capped``, that the bonuses due are more than the cap; ``present_paid``, ``paid`` at present worth.

    Attributes
    ----------
    estimate : float
        Expected payment of all months, at present worth.
    present_due : float
        The same without the cap.
    cap : float
        Most that is paid in a month.
    signed : tuple of int
        Clients that the rep signs in month 0, 1, 2, ...
    monthly_salary, cap_share, monthly_discount_rate : float
        As given.

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
        return (_checks.count(signed, name="signed"),) * months
    listed = tuple(_checks.count(number, name="signed") for number in signed)
    if len(listed) > months:
        raise InputError(f"signed lists at most the {months} months of months=; got {len(listed)}.", argument="signed")
    return listed + (0,) * (months - len(listed))


def by_month(
    term: Term, dues: Floats, bonuses: Floats, signed: tuple[int, ...], cap: float, drawn: Drawn | None = None
) -> Months:
    """The bonuses of each month: in month t those of the clients signed m months before, for each due month m."""
    there = shares_after(term, dues, drawn)
    found = []
    for month in range(len(signed)):
        owed = [
            (bonus, signed[month - int(due)], there[..., place])
            for place, (due, bonus) in enumerate(zip(dues, bonuses, strict=True))
            if due <= month and bonus > 0 and signed[month - int(due)] > 0
        ]
        found.append(_under_cap(owed, cap, np.zeros(there.shape[:-1])))
    return Months(*(np.stack(column) for column in zip(*found, strict=True)))


def _under_cap(owed: Sequence[tuple[float, int, Floats]], cap: float, zero: Floats) -> tuple[Floats, Floats, Floats]:
    """Expected sum, its expectation under the cap, and the chance of more than the cap.

    The distribution is kept below the cap and at it: E[min(X, c)] = c - E[max(c - X, 0)].
    """
    due: Floats = np.sum([zero, *(bonus * number * share for bonus, number, share in owed)], axis=0)
    sums, chances = np.zeros(1), np.ones((*zero.shape, 1))
    for bonus, number, share in owed:
        most = min(number, math.floor(cap / bonus + 1e-9))
        chance: Floats = np.asarray(stats.binom.pmf(np.arange(most + 1.0), number, share[..., np.newaxis]))
        reached = np.round(np.add.outer(sums, bonus * np.arange(most + 1)), _DIGITS)
        values, place = np.unique(reached, return_inverse=True)
        place = place.reshape(reached.shape)
        joined = np.zeros((*zero.shape, values.size))
        for count in range(most + 1):
            joined[..., place[:, count]] += chances * chance[..., count, np.newaxis]
        inside = values <= cap * (1 + 1e-12)
        sums, chances = values[inside], joined[..., inside]
    short = (chances * np.maximum(cap - sums, 0.0)).sum(axis=-1)
    return due, np.minimum(cap - short, due), np.clip(1 - chances.sum(axis=-1), 0.0, 1.0)
