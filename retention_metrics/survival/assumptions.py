"""Churn assumptions: one protocol for a churn rate, a table of survivors and a fitted curve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._stored import Stored
from retention_metrics.errors import InputError
from retention_metrics.results import Result

__all__ = ["Assumption", "ConstantChurn", "SurvivalTable", "assumption", "by_month", "tabulate"]

StepUnit = Literal["month", "term"]
Tail = Literal["constant_hazard"]
Floats = NDArray[np.float64]

STEP_UNITS: tuple[StepUnit, ...] = ("month", "term")
TAILS: tuple[Tail, ...] = ("constant_hazard",)

# A thousand years of months: whoever has not left by then is not described by a churn assumption.
MOST_STEPS = 12_000
# Fewer survivors than this move no sum of survivors in its last digit.
_NOBODY = 1e-15


@runtime_checkable
class Assumption(Protocol):
    """What every churn assumption can say: who is still there after k steps.

    Attributes
    ----------
    step : {"month", "term"}
        The length of one step: a month, or one contract term.

    Notes
    -----
    ``survival(0)`` is 1 and ``survival(k)`` never rises. Past its last observed time an assumption raises
    `InputError` or returns NaN; it never guesses.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> isinstance(survival.ConstantChurn(monthly_churn=0.05), survival.Assumption)
    True
    """

    @property
    def step(self) -> str:
        """The length of one step: ``"month"`` or ``"term"``."""

    def survival(self, k: int, /) -> float | NDArray[np.floating[Any]]:
        """Share of customers still there after some steps.

        Parameters
        ----------
        k : int
            Steps since the start, at least 0.

        Returns
        -------
        float or numpy.ndarray
            Share in [0, 1]; 1 at step 0.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantChurn(Stored):
    """The same share of customers leaves in every month.

    Parameters
    ----------
    monthly_churn : float
        Probability that a customer leaves within a month, in [0, 1]; a result is taken at its estimate.

    Notes
    -----
    survival(k) = (1 - monthly_churn)^k.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> round(survival.ConstantChurn(monthly_churn=0.05).survival(12), 4)
    0.5404
    """

    kind: ClassVar[str] = "survival.constant_churn"
    step: ClassVar[StepUnit] = "month"

    monthly_churn: float

    def __post_init__(self) -> None:
        rate = _checks.share(plain(self.monthly_churn, name="monthly_churn"), name="monthly_churn")
        object.__setattr__(self, "monthly_churn", rate)

    def survival(self, k: ArrayLike, /) -> float | Floats:
        """Share of customers still there after some months.

        Parameters
        ----------
        k : array_like of float
            Months since the start, at least 0.

        Returns
        -------
        float or numpy.ndarray
            Share in [0, 1], of the shape of ``k``.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> survival.ConstantChurn(monthly_churn=0.5).survival([0, 1, 2]).tolist()
        [1.0, 0.5, 0.25]
        """
        months = _checks.floats(k, name="k", low=0.0)
        return _scalar_or_array((1 - self.monthly_churn) ** months)

    def to_dict(self) -> dict[str, object]:
        """The assumption as JSON builtins.

        Returns
        -------
        dict
            Readable by ``from_dict``.
        """
        return {"kind": self.kind, "schema": self.schema, "monthly_churn": self.monthly_churn}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The assumption that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``.

        Returns
        -------
        ConstantChurn
            Equal to the one that was stored.

        Raises
        ------
        InputError
            If the dictionary describes something else, or a newer schema.
        """
        return cls(**cls._stored_fields(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivalTable(Stored):
    """The share of customers still there after 0, 1, 2, ... steps.

    Parameters
    ----------
    values : sequence of float, shape (n_steps + 1,)
        Shares in [0, 1], the first one 1, never rising.
    step : {"month", "term"}, default "month"
        The length of one step.
    tail : {"constant_hazard"}, optional
        What is assumed past the last value: that every further step loses the same share as the last one
        of the table. Without it a question past the last value is an `InputError`, unless nobody is left there.

    Raises
    ------
    InputError
        If the values do not begin with 1, rise, or leave [0, 1].

    Examples
    --------
    >>> from retention_metrics import survival
    >>> table = survival.SurvivalTable(values=(1, 0.8, 0.6), tail="constant_hazard")
    >>> table.survival(2), round(table.survival(3), 6)
    (0.6, 0.45)
    """

    kind: ClassVar[str] = "survival.table"

    values: Sequence[float]
    step: StepUnit = "month"
    tail: Tail | None = None

    def __post_init__(self) -> None:
        shares = _checks.one_dimensional(_checks.floats(self.values, name="survival"), name="survival")
        if shares.size == 0 or shares[0] != 1:
            first = shares[0].item() if shares.size else "nothing"
            fix = "Divide by its first value." if shares.size and shares[0] > 0 else "Give the share still there."
            raise InputError(f"survival begins with 1, everyone; got {first}.", argument="survival", fix=fix)
        _checks.floats(shares, name="survival", low=0.0, high=1.0)
        rises = np.concatenate([[False], np.diff(shares) > 0])
        _checks.refuse(rises, shares, name="survival", rule="never rises: a customer who left stays away")
        object.__setattr__(self, "values", tuple(shares.tolist()))
        object.__setattr__(self, "step", _checks.choice(self.step, STEP_UNITS, name="step"))
        if self.tail is not None:
            object.__setattr__(self, "tail", _checks.choice(self.tail, TAILS, name="tail"))
            if shares.size == 1:
                raise InputError(
                    "tail='constant_hazard' goes on from the last step; survival holds none.", argument="tail"
                )

    @property
    def last(self) -> int:
        """The last step of the table."""
        return len(self.values) - 1

    @property
    def tail_hazard(self) -> float | None:
        """Share lost in each step past the table's last; None where the table says nothing about it."""
        if self.values[-1] == 0:
            return 1.0
        if self.tail is None:
            return None
        return 1 - self.values[-1] / self.values[-2]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is assumed beyond the table's values."""
        hazard = self.tail_hazard
        if self.tail is None or self.values[-1] == 0 or hazard is None:
            return ()
        return (
            f"Past {self.step} {self.last}, the last one given, {hazard:.6g} of those still there are assumed to "
            f"leave in every {self.step} (tail='constant_hazard').",
        )

    def survival(self, k: ArrayLike, /) -> float | Floats:
        """Share of customers still there after some steps.

        Parameters
        ----------
        k : array_like of int
            Whole steps since the start, at least 0.

        Returns
        -------
        float or numpy.ndarray
            Share in [0, 1], of the shape of ``k``.

        Raises
        ------
        InputError
            If ``k`` is past the last value and no tail is assumed.

        Examples
        --------
        >>> from retention_metrics import survival
        >>> survival.SurvivalTable(values=(1, 0.9, 0.7)).survival([0, 2]).tolist()
        [1.0, 0.7]
        """
        steps = _checks.whole(k, name="k")
        hazard = self.tail_hazard
        if hazard is None and steps.size and steps.max() > self.last:
            raise self._ends_before(int(steps.max()))
        inside = np.array(self.values)[np.minimum(steps, self.last).astype(np.int64)]
        return _scalar_or_array(inside * (1 - (hazard or 0.0)) ** np.maximum(steps - self.last, 0))

    def _ends_before(self, step: int) -> InputError:
        return InputError(
            f"survival is known up to {self.step} {self.last} and is needed for {self.step} {step}.",
            argument="survival",
            fix="Give more values, or assume tail='constant_hazard'.",
        )

    def to_dict(self) -> dict[str, object]:
        """The table as JSON builtins.

        Returns
        -------
        dict
            Readable by ``from_dict``.
        """
        stored = {"values": list(self.values), "step": self.step, "tail": self.tail}
        return {"kind": self.kind, "schema": self.schema, **stored}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The table that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``.

        Returns
        -------
        SurvivalTable
            Equal to the one that was stored.

        Raises
        ------
        InputError
            If the dictionary describes something else, or a newer schema.
        """
        return cls(**cls._stored_fields(data))


def assumption(
    churn: float | Result | ArrayLike | Assumption,
    *,
    step: StepUnit | None = None,
    tail: Tail | None = None,
    name: str = "survival",
) -> Assumption:
    """Any statement about churn as an object with ``survival(k)``.

    Parameters
    ----------
    churn : float, Result, array_like of float or Assumption
        A monthly churn rate in [0, 1], a result at its estimate; the shares still there after 0, 1, 2, ...
        steps, beginning with 1; or an object that satisfies `Assumption`, or the ``Fit`` of one. It is returned as it
        is, but for one that says its ``last`` step where a tail is given: that is written out as a table.
    step : {"month", "term"}, optional
        The length of one step of an array (by default a month), or of an object whose own step is a term but
        was fitted to months. Months stay months.
    tail : {"constant_hazard"}, optional
        Past the last observed time every further step loses the share that the last one lost. By default a
        question past it is an `InputError`.
    name : str, default "survival"
        How error messages call the argument.

    Returns
    -------
    Assumption
        With ``survival(0) = 1`` and a ``step``.

    Raises
    ------
    InputError
        If the rate or the shares cannot be right, or the object has no ``survival`` and ``step``.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> survival.assumption(0.05).survival(1)
    0.95
    >>> survival.assumption([1, 0.7, 0.6], step="term").survival(2)
    0.6
    """
    unit = None if step is None else _checks.choice(step, STEP_UNITS, name="step")
    kept_tail = None if tail is None else _checks.choice(tail, TAILS, name="tail")

    # A fit holds the model that was fitted.
    stated = getattr(churn, "model", churn)
    if hasattr(stated, "survival"):
        return _adopted(stated, unit, kept_tail, name)
    if stated is not churn or hasattr(stated, "at"):
        raise _says_nothing(stated, name)
    rate = plain(churn, name=name)
    if isinstance(rate, (int, float, np.number)):
        return _constant(rate, unit, name)
    if np.ndim(rate) != 1:  # type: ignore[arg-type]
        raise InputError(
            f"{name} is a monthly churn rate, an array or an object with survival(k); got {type(churn).__name__}.",
            argument=name,
        )
    return SurvivalTable(values=rate, step=unit or "month", tail=kept_tail)  # type: ignore[arg-type]


def _says_nothing(model: object, name: str) -> InputError:
    """The error of a model that is no churn assumption as it stands."""
    by_covariates = hasattr(model, "at")
    return InputError(
        f"{name} is one churn assumption; a {type(model).__name__} "
        f"{'has one for each row of covariates' if by_covariates else 'says nothing of who is still there'}.",
        argument=name,
        fix="Give its .at(covariates) of one row." if by_covariates else "Give a model of renewals, or a churn rate.",
    )


def plain(value: object, *, name: str) -> object:
    """A result of months as its estimate; anything else as it is."""
    if not isinstance(value, Result):
        return value
    if hasattr(value, "model"):
        raise InputError(
            f"{name} is a number; got the fit of a {type(value.model).__name__}.",
            argument=name,
            fix="Give it as survival=." if hasattr(value.model, "survival") else None,
        )
    if value.definition.startswith("retention."):
        raise InputError(
            f"{name} says who leaves; got {value.definition}.", argument=name, fix="Retention and churn add up to 1."
        )
    period = getattr(value, "to", getattr(value, "per", "month"))
    if period != "month":
        raise InputError(
            f"{name} counts in months; got {value.definition} in terms of the {period}.",
            argument=name,
            fix=f"Convert the rate first: churn.convert(rate, per={period!r}, to='month').",
        )
    return float(value)


def _constant(rate: object, unit: StepUnit | None, name: str) -> ConstantChurn:
    if unit == "term":
        raise InputError(
            f"{name}={rate!r} is a monthly churn rate; its step is the month.",
            argument=name,
            fix="Give the shares still there after each term, beginning with 1.",
        )
    return ConstantChurn(monthly_churn=_checks.share(rate, name=name))


def _adopted(candidate: object, unit: StepUnit | None, tail: Tail | None, name: str) -> Assumption:
    if not isinstance(candidate, Assumption):
        raise InputError(
            f"{name} has survival(k) but no step; got {type(candidate).__name__}.",
            argument=name,
            fix="Give it step = 'month' or step = 'term'.",
        )
    own = _checks.choice(candidate.step, STEP_UNITS, name=f"{name}.step")
    if own == "month" and unit == "term":
        raise InputError(f"{name} is a curve of months; it cannot be read in steps of a term.", argument=name)
    at_start = _survivors_after(candidate, 0, name)
    if abs(at_start - 1) > 1e-9:
        raise InputError(
            f"{name}.survival(0) is 1, everyone; got {at_start!r}.",
            argument=name,
            fix="Leave out who left at once, or count a month that was begun as one.",
        )
    if isinstance(candidate, SurvivalTable):
        return SurvivalTable(values=candidate.values, step=unit or own, tail=tail or candidate.tail)
    last = getattr(candidate, "last", None)
    if tail is not None and isinstance(last, int):
        return tabulate(candidate, steps=last, step=unit, tail=tail, name=name)
    return candidate


def tabulate(
    churn: Assumption,
    *,
    steps: int | None,
    step: StepUnit | None = None,
    tail: Tail | None = None,
    name: str = "survival",
) -> SurvivalTable:
    """The survivors that an assumption states, as a table of numbers.

    Parameters
    ----------
    churn : Assumption
        Where the numbers come from.
    steps : int or None
        The last step to ask for; None asks until nobody is left.
    step : {"month", "term"}, optional
        The step of the table; by default that of ``churn``.
    tail : {"constant_hazard"}, optional
        Lets the table end at the last observed step instead of raising, and says how it goes on.
    name : str, default "survival"
        How error messages call the argument.

    Returns
    -------
    SurvivalTable
        From step 0 to ``steps``, or to the last observed one.

    Raises
    ------
    InputError
        If the assumption ends before ``steps`` and no tail is given, states shares that rise or leave [0, 1],
        or, with ``steps=None``, does not come to an end.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> survival.tabulate(survival.ConstantChurn(monthly_churn=0.5), steps=3).values
    (1.0, 0.5, 0.25, 0.125)
    """
    unit: StepUnit = _checks.choice(step or churn.step, STEP_UNITS, name=f"{name}.step")
    if isinstance(churn, SurvivalTable):
        return SurvivalTable(values=churn.values, step=unit, tail=tail or churn.tail)

    values = [1.0]
    for k in itertools.count(1) if steps is None else range(1, steps + 1):
        if steps is None and k > MOST_STEPS:
            raise InputError(
                f"{name} leaves {values[-1]:.3g} of the customers after {MOST_STEPS} {unit}s: no end is in sight.",
                argument=name,
                fix="Give a finite horizon, or an assumption under which everyone leaves in the end.",
            )
        try:
            survivors = _survivors_after(churn, k, name)
        except InputError:
            if tail is None or k == 1:
                raise
            break
        if steps is None and survivors < _NOBODY:
            values.append(0.0)
            break
        # A curve may wobble in its last digit; a real rise is refused by the table.
        values.append(values[-1] if values[-1] < survivors <= values[-1] + 1e-12 else survivors)

    return SurvivalTable(values=values, step=unit, tail=tail)


def by_month(
    churn: Assumption | Result | ArrayLike, *, months: int, horizon_months: int, name: str = "survival"
) -> SurvivalTable:
    """An assumption by the term, month by month, for clients bound to its end.

    Parameters
    ----------
    churn : Assumption, Fit or array_like of float
        Survival by the term, such as a contractual model or its fit, or shares that begin with 1.
    months : int
        Length of a term in months, at least 1; 1 for a model that was fitted to months.
    horizon_months : int
        Months that the table covers, at least 1.
    name : str, default "survival"
        How error messages call the argument.

    Returns
    -------
    SurvivalTable
        Shares still there after 0, 1, ..., ``horizon_months`` months.

    Raises
    ------
    InputError
        If the assumption goes by the month already, or ends before the horizon.

    Notes
    -----
    After m months the share is that after the floor(m / months) renewals passed.

    Examples
    --------
    >>> from retention_metrics import survival
    >>> survival.by_month([1, 0.8, 0.6], months=3, horizon_months=7).values
    (1.0, 1.0, 1.0, 0.8, 0.8, 0.8, 0.6, 0.6)
    """
    length = _checks.count(months, name="months", low=1, high=MOST_STEPS)
    horizon = _checks.count(horizon_months, name="horizon_months", low=1)
    if horizon > MOST_STEPS:
        raise InputError(f"horizon_months is at most {MOST_STEPS}; got {horizon}.", argument="horizon_months")
    stated = getattr(churn, "model", churn)
    adopted = assumption(stated, step=None if hasattr(stated, "survival") else "term", name=name)
    if adopted.step != "term":
        raise InputError(f"{name} goes by the month already.", argument=name, fix="Give it as it is.")
    if isinstance(adopted, SurvivalTable):
        # What its tail assumes is by the term, and would be in no note.
        adopted = SurvivalTable(values=adopted.values, step="term")
    terms = [_survivors_after(adopted, k, name) for k in range(horizon // length + 1)]
    return SurvivalTable(values=np.array(terms)[np.arange(horizon + 1) // length])  # type: ignore[arg-type]


def _survivors_after(churn: Assumption, k: int, name: str) -> float:
    """One value of an assumption: asked for one by one, so that an object may take scalars only."""
    share = np.asarray(churn.survival(k), dtype=np.float64)
    if share.size != 1:
        raise InputError(
            f"{name}.survival({k}) is one number; got shape {share.shape}.",
            argument=name,
            fix="Give the assumption of one kind of customer.",
        )
    value = float(share.item())
    if math.isnan(value):
        raise InputError(
            f"{name} is not known at {churn.step} {k}.",
            argument=name,
            fix="Shorten the horizon, or assume tail='constant_hazard'.",
        )
    return value


def _scalar_or_array(values: Floats) -> float | Floats:
    return float(values) if np.ndim(values) == 0 else np.asarray(values, dtype=np.float64)
