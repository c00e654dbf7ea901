"""A contract term: its length, its fee and how clients leave it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from retention_metrics import _checks, results
from retention_metrics._stored import Stored
from retention_metrics.errors import InputError
from retention_metrics.survival import (
    STEP_UNITS,
    Assumption,
    ConstantChurn,
    StepUnit,
    Tail,
    assumption,
    plain,
    tabulate,
)

Leaves = Literal["at_renewal", "any_month"]
LEAVES: tuple[Leaves, ...] = ("at_renewal", "any_month")


@dataclass(frozen=True, slots=True)
class Term(Stored):
    """A contract term on offer: its length, its fee and its churn.

    Parameters
    ----------
    name : str
        How results and messages call the term.
    months : int
        Length of the term in months, at least 1.
    fee_rate : float
        Monthly fee as a share of the client's monthly spend, at least 0: 0.10 for 10 %.
    monthly_churn : float or Result, optional
        Probability that a client who may leave does so within a month, in [0, 1]; a result is taken at its
        estimate. Exactly one of ``monthly_churn`` and ``survival`` is given.
    survival : Assumption or array_like of float, optional
        Clients still there after 0, 1, 2, ... steps: shares that begin with 1, or an object with
        ``survival(k)`` and ``step`` such as a fitted contractual model.
    leaves : {"at_renewal", "any_month"}, default "at_renewal"
        A client bound by the term stays to its end and may leave only when it is renewed; with
        ``"any_month"`` the bond is ignored.
    survival_step : {"term", "month"}, optional
        What one step of ``survival`` is. By default an object's own ``step``, and for an array the term:
        its second number is the share that signs a second term.
    tail : {"constant_hazard"}, optional
        Past the last observed step of ``survival`` every further step loses the share that the last one
        lost. By default a horizon beyond it is an `InputError`.

    Raises
    ------
    InputError
        If a value is out of its range, or ``monthly_churn`` and ``survival`` are both given or both missing.

    Notes
    -----
    At the start of month m (from 0) the client is still there with probability

    - (1 - monthly_churn)^(months * floor(m / months)) when leaving at renewal,
    - (1 - monthly_churn)^m when free to leave in any month,

    and with an assumption's survival at the same time in place of the power.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> term = contracts.Term("12 months", 12, fee_rate=0.06, monthly_churn=0.05)
    >>> round(term.renewal_rate, 4)
    0.5404
    """

    kind: ClassVar[str] = "contracts.term"

    name: str
    months: int
    _: KW_ONLY
    fee_rate: float
    monthly_churn: float | results.Result | None = None
    survival: Assumption | ArrayLike | None = None
    leaves: Leaves = "at_renewal"
    survival_step: StepUnit | None = None
    tail: Tail | None = None

    def __post_init__(self) -> None:
        checked = {
            "name": _checked_name(self.name),
            "months": _checks.count(self.months, name="months", low=1),
            "fee_rate": _checks.non_negative(self.fee_rate, name="fee_rate"),
            "leaves": _checks.choice(self.leaves, LEAVES, name="leaves"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if (self.monthly_churn is None) == (self.survival is None):
            found = "both" if self.survival is not None else "neither"
            raise InputError(
                f"term {self.name!r} is given monthly_churn or survival; got {found}.",
                argument="monthly_churn",
                fix="Keep one of them." if found == "both" else "Give monthly_churn=, for instance 0.05.",
            )
        if self.survival is None:
            self._adopt_churn()
        else:
            self._adopt_survival(self.survival)

    def _adopt_churn(self) -> None:
        for name, value in (("survival_step", self.survival_step), ("tail", self.tail)):
            if value is not None:
                raise InputError(
                    f"{name}={value!r} is about survival; a monthly churn rate goes on for ever, month by month.",
                    argument=name,
                    fix=f"Leave {name} out.",
                )
        rate = _checks.share(plain(self.monthly_churn, name="monthly_churn"), name="monthly_churn")
        object.__setattr__(self, "monthly_churn", rate)

    def _adopt_survival(self, given: Assumption | ArrayLike) -> None:
        # An array says nothing of its own step: the contractual models' step is the term.
        is_array = not hasattr(given, "survival") and np.ndim(given) > 0
        adopted = assumption(given, step=self.survival_step or ("term" if is_array else None), tail=self.tail)
        if isinstance(adopted, ConstantChurn):
            object.__setattr__(self, "monthly_churn", adopted.monthly_churn)
            object.__setattr__(self, "survival", None)
            self._adopt_churn()
            return
        step = _checks.choice(self.survival_step or adopted.step, STEP_UNITS, name="survival_step")
        if step == "term" and self.leaves == "any_month" and self.months > 1:
            raise InputError(
                f"leaves='any_month' needs survival by month; that of {self.name!r} is by {self.months}-month term.",
                argument="survival_step",
                fix="Give survival by month with survival_step='month', or leaves='at_renewal'.",
            )
        object.__setattr__(self, "survival", adopted)
        object.__setattr__(self, "survival_step", step)

    @property
    def constant_churn(self) -> float | None:
        """The monthly churn rate; None where churn is an assumption of its own."""
        return None if self.monthly_churn is None else float(self.monthly_churn)

    @property
    def assumption(self) -> Assumption:
        """The churn of the term as an object with ``survival(k)``."""
        if self.monthly_churn is not None:
            return ConstantChurn(monthly_churn=float(self.monthly_churn))
        assert isinstance(self.survival, Assumption)
        return self.survival

    @property
    def bond_months(self) -> int:
        """Months between two chances to leave: the term's length, or 1 when free to leave in any month."""
        return self.months if self.leaves == "at_renewal" else 1

    @property
    def steps_per_bond(self) -> int:
        """Steps of the survival between two chances to leave."""
        return 1 if self.survival_step == "term" else self.bond_months

    @property
    def renewal_rate(self) -> float:
        """Share of the clients that go on at their first chance to leave."""
        return float(np.asarray(self.assumption.survival(self.steps_per_bond)).item())

    def with_churn(self, monthly_churn: float) -> Term:
        """The same term under a constant monthly churn.

        Parameters
        ----------
        monthly_churn : float
            In [0, 1].

        Returns
        -------
        Term
            With ``monthly_churn`` in place of whatever the churn was.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> contracts.Term("yearly", 12, fee_rate=0.06, survival=[1, 0.5, 0.4]).with_churn(0.04).monthly_churn
        0.04
        """
        return dataclasses.replace(self, monthly_churn=monthly_churn, survival=None, survival_step=None, tail=None)

    def tabulated(self, horizon_months: float) -> Term:
        """The same term with its survival as numbers, as far as a horizon needs them.

        Parameters
        ----------
        horizon_months : float
            Whole months, or infinite.

        Returns
        -------
        Term
            Equal to this one where the churn is a constant rate.

        Raises
        ------
        InputError
            If the survival ends before the horizon and no ``tail`` is assumed.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> term = contracts.Term("yearly", 12, fee_rate=0.06, survival=[1, 0.5, 0.4])
        >>> term.tabulated(36).survival.values
        (1.0, 0.5, 0.4)
        """
        if self.survival is None:
            return self
        steps = None if math.isinf(horizon_months) else self.last_step(horizon_months)
        table = tabulate(
            self.assumption, steps=steps, step=self.survival_step, tail=self.tail, name=f"survival of {self.name!r}"
        )
        return dataclasses.replace(self, survival=table)

    def last_step(self, horizon_months: float) -> int:
        """The last step of the survival that a finite horizon asks for.

        Parameters
        ----------
        horizon_months : float
            Whole months, at least 1.

        Returns
        -------
        int
            The step at which the last bond before the horizon begins.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05).last_step(36)
        24
        """
        return (int(horizon_months) - 1) // self.bond_months * self.steps_per_bond

    def to_dict(self) -> dict[str, object]:
        """The term as JSON builtins.

        Returns
        -------
        dict
            Readable by ``from_dict``.

        Raises
        ------
        InputError
            If the survival is an object that cannot be written down; ``term.tabulated(horizon_months)`` can.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05).to_dict()["monthly_churn"]
        0.05
        """
        stored: dict[str, object] = {
            declared.name: getattr(self, declared.name)
            for declared in dataclasses.fields(self)
            if declared.name != "survival"
        }
        return {"kind": self.kind, "schema": self.schema, **stored, "survival": self._stored_survival()}

    def _stored_survival(self) -> object:
        if self.survival is None:
            return None
        stored = self.survival.to_dict() if hasattr(self.survival, "to_dict") else {}
        if not isinstance(stored, dict) or stored.get("kind") not in results.KINDS:
            raise InputError(
                f"the survival of {self.name!r} is a {type(self.survival).__name__}, which has no dictionary.",
                argument="survival",
                fix="Store term.tabulated(horizon_months) instead.",
            )
        return stored

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The term that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``, possibly by way of JSON.

        Returns
        -------
        Term
            Equal to the one that was stored.

        Raises
        ------
        InputError
            If the dictionary describes something else, or a newer schema.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> term = contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
        >>> contracts.Term.from_dict(term.to_dict()) == term
        True
        """
        fields = cls._stored_fields(data)
        if fields.get("survival") is not None:
            fields["survival"] = results.from_dict(fields["survival"])
        return cls(**fields)


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name is a text that tells the terms apart; got {name!r}.", argument="name")
    return name
