"""A contract term: its length, its fee and how clients leave it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from retention_metrics import _checks, results
from retention_metrics._stored import Stored
from retention_metrics.contracts.fees import Fee, FeeFlat, FeeShare, FeeTiers
from retention_metrics.contracts.fitted import RenewalModel, is_fitted, of_one_client
from retention_metrics.errors import InputError
from retention_metrics.survival import (
    MOST_STEPS,
    STEP_UNITS,
    Assumption,
    ConstantChurn,
    StepUnit,
    SurvivalCurve,
    Tail,
    assumption,
    plain,
    tabulate,
)

Leaves = Literal["at_renewal", "any_month"]
Payment = Literal["advance", "arrears"]
LEAVES: tuple[Leaves, ...] = ("at_renewal", "any_month")
PAYMENTS: tuple[Payment, ...] = ("advance", "arrears")


@dataclass(frozen=True, slots=True)
class Term(Stored):
    """A contract term on offer: its length, its fee and its churn.

    Parameters
    ----------
    name : str
        How results and messages call the term.
    months : int
        Length of the term in months, at least 1.
    fee_rate : float, optional
        Monthly fee as a share of the client's monthly spend, at least 0: 0.10 for 10 %. Exactly one of
        ``fee_rate`` and ``fee`` is given.
    fee : FeeShare, FeeFlat or FeeTiers, optional
        A fee of another kind: with a minimum, flat, in tiers of the spend, or rounded.
    monthly_churn : float or Result, optional
        Probability that a client who may leave does so within a month, in [0, 1]; a result is taken at its
        estimate, and its counts or its interval as what is known of it. Exactly one of ``monthly_churn`` and
        ``survival`` is given.
    survival : Assumption, Fit or array_like of float, optional
        Clients still there after 0, 1, 2, ... steps: shares that begin with 1, or an object with
        ``survival(k)`` and ``step`` such as a contractual model; of its ``Fit`` or posterior the uncertainty is
        carried on.
    renewal_churn : float, optional
        Share of the clients up for renewal that leave then, in [0, 1], where they may also leave in between at
        ``monthly_churn``. By default the month of the renewal is one like any other.
    leaves : {"at_renewal", "any_month"}, default "at_renewal"
        A client bound by the term stays to its end and may leave only when it is renewed; with
        ``"any_month"`` the bond is ignored, or costs the ``early_termination_fee`` to break.
    survival_step : {"term", "month"}, optional
        What one step of ``survival`` is. By default an object's own ``step``, and for an array the term:
        its second number is the share that signs a second term.
    tail : {"constant_hazard"}, optional
        Past the last observed step of ``survival`` every further step loses the share that the last one
        lost. By default a horizon beyond it is an `InputError`.
    setup_fee : float, default 0
        Paid once by the client at month 0, at least 0.
    early_termination_fee : float, default 0
        Paid by a client who leaves before a term's end, when leaving; needs ``leaves="any_month"``.
    free_months : int, default 0
        First months of service without a fee; they are served, and cost what service costs.
    notice_months : int, default 0
        Months that a client who may leave in any month goes on paying after giving notice, at most ``months``;
        the churn then counts who gives notice. Under ``leaves="at_renewal"`` notice falls within the term.
    payment : {"advance", "arrears"}, default "advance"
        A month's fee is paid at the month's start, or a month later.
    monthly_service_cost, acquisition_cost : float, optional
        This term's own; by default those of the comparison.
    acceptance : float or Result, default 1
        Share of the prospects offered this term who sign it, in [0, 1]; a result, such as a proportion, is taken at its
        estimate, and its counts or its interval as what is known of it.
    churn_evidence : Result, optional
        What is known of ``monthly_churn``, or of a fitted ``survival``: set from the result given there, and kept with
        the term.
    acceptance_evidence : Result, optional
        What is known of ``acceptance``: set from the result given there, and kept with the term.
    survival_errors : sequence of float, optional
        Standard error of the logarithm of ``survival`` after 0, 1, 2, ... steps, by which the uncertainty of a
        curve is carried on (Greenwood's, for a Kaplan-Meier curve); taken from ``survival`` where it tells.

    Raises
    ------
    InputError
        If a value is out of its range, ``monthly_churn`` and ``survival`` or ``fee_rate`` and ``fee`` are both
        given or both missing, or two terms of the contract contradict each other.

    Notes
    -----
    At the start of month m (from 0) the client is still there with probability

    - (1 - monthly_churn)^(months * floor(m / months)) when leaving at renewal,
    - (1 - monthly_churn)^m when free to leave in any month,
    - (1 - monthly_churn)^(m - r) (1 - renewal_churn)^r with r = floor(m / months), where both are given,

    with an assumption's survival at the same time in place of the power, and m - notice_months in place of m.

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
    fee_rate: float | None = None
    fee: FeeShare | FeeFlat | FeeTiers | None = None
    monthly_churn: float | results.Result | None = None
    survival: Assumption | results.Result | ArrayLike | None = None
    renewal_churn: float | None = None
    leaves: Leaves = "at_renewal"
    survival_step: StepUnit | None = None
    tail: Tail | None = None
    setup_fee: float = 0.0
    early_termination_fee: float = 0.0
    free_months: int = 0
    notice_months: int = 0
    payment: Payment = "advance"
    monthly_service_cost: float | None = None
    acquisition_cost: float | None = None
    acceptance: float | results.Result = 1.0
    churn_evidence: results.Result | None = None
    acceptance_evidence: results.Result | None = None
    survival_errors: Sequence[float] | None = None

    def __post_init__(self) -> None:
        checked: dict[str, object] = {
            "name": _checked_name(self.name),
            "months": _checks.count(self.months, name="months", low=1, high=MOST_STEPS),
            "leaves": _checks.choice(self.leaves, LEAVES, name="leaves"),
            "payment": _checks.choice(self.payment, PAYMENTS, name="payment"),
        }
        for name in ("free_months", "notice_months"):
            checked[name] = _checks.count(getattr(self, name), name=name, high=MOST_STEPS)
        for name in ("setup_fee", "early_termination_fee"):
            checked[name] = _checks.non_negative(getattr(self, name), name=name)
        for name in ("fee_rate", "monthly_service_cost", "acquisition_cost"):
            value = getattr(self, name)
            checked[name] = None if value is None else _checks.non_negative(value, name=name)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_fee()
        self._adopt_acceptance()
        self._adopt_departures()
        _refuse_contradictions(self)

    def _check_fee(self) -> None:
        _refuse_other_fees(self.fee)
        if (self.fee_rate is None) == (self.fee is None):
            found = "both" if self.fee is not None else "neither"
            raise InputError(
                f"term {self.name!r} is given fee_rate or fee; got {found}.",
                argument="fee_rate",
                fix="Keep one of them." if found == "both" else "Give fee_rate=, for instance 0.10.",
            )

    def _adopt_acceptance(self) -> None:
        if isinstance(self.acceptance, results.Result):
            object.__setattr__(self, "acceptance_evidence", self.acceptance)
        share = _checks.share(
            float(self.acceptance) if isinstance(self.acceptance, results.Result) else self.acceptance,
            name="acceptance",
        )
        object.__setattr__(self, "acceptance", share)
        _refuse_other_evidence(self, "acceptance", "acceptance_evidence", share)

    def _adopt_departures(self) -> None:
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
        if isinstance(self.monthly_churn, results.Result):
            object.__setattr__(self, "churn_evidence", self.monthly_churn)
        rate = _checks.share(plain(self.monthly_churn, name="monthly_churn"), name="monthly_churn")
        object.__setattr__(self, "monthly_churn", rate)
        _refuse_other_evidence(self, "monthly_churn", "churn_evidence", rate)

    def _adopt_survival(self, given: Assumption | results.Result | ArrayLike) -> None:
        # An array says nothing of its own step: the contractual models' step is the term.
        if self.survival_step is not None:
            _checks.choice(self.survival_step, STEP_UNITS, name="survival_step")
        is_array = not hasattr(given, "survival") and not isinstance(given, results.Result) and np.ndim(given) > 0
        adopted = assumption(given, step=self.survival_step or ("term" if is_array else None), tail=self.tail)
        adopted = of_one_client(adopted, name="survival")
        if isinstance(given, results.Result) and is_fitted(given):
            object.__setattr__(self, "churn_evidence", given)
        if isinstance(adopted, ConstantChurn):
            object.__setattr__(self, "monthly_churn", _rate_with_evidence(given, adopted.monthly_churn))
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
        if self.survival_errors is None:
            object.__setattr__(self, "survival_errors", _greenwood_errors(given))
        else:
            errors = _checks.one_dimensional(
                _checks.floats(self.survival_errors, name="survival_errors", low=0.0), name="survival_errors"
            )
            rises = bool(errors.size) and errors[0] == 0 and np.all(np.diff(errors) >= 0)
            if not rises:
                raise InputError(
                    f"survival_errors of {self.name!r} begin with 0, when everyone is there, and never fall; got "
                    f"{errors.tolist()!r:.80}.",
                    argument="survival_errors",
                )
            object.__setattr__(self, "survival_errors", tuple(errors.tolist()))

    def monthly_fee(self, monthly_spend: float) -> float:
        """The fee of one month of service.

        Parameters
        ----------
        monthly_spend : float
            What the client spends in the month, at least 0.

        Returns
        -------
        float
            In the currency of the spend.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05).monthly_fee(50_000)
        3000.0
        """
        if self.fee_rate is not None:
            return self.fee_rate * _checks.non_negative(monthly_spend, name="monthly_spend")
        assert self.fee is not None
        return self.fee.monthly(monthly_spend)

    @property
    def accepted(self) -> float:
        """The acceptance as a number."""
        return float(self.acceptance)

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
        return dataclasses.replace(
            self,
            monthly_churn=monthly_churn,
            survival=None,
            survival_step=None,
            tail=None,
            churn_evidence=None,
            survival_errors=None,
        )

    def tabulated(self, horizon_months: float) -> Term:
        """The same term with its survival as numbers, as far as a horizon needs them.

        Parameters
        ----------
        horizon_months : float
            Whole months, or infinite.

        Returns
        -------
        Term
            Equal to this one where the churn is a constant rate, or a model of renewals and the horizon infinite.

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
        if self.survival is None or (math.isinf(horizon_months) and self._goes_on):
            return self
        steps = None if math.isinf(horizon_months) else self.last_step(horizon_months)
        table = tabulate(
            self.assumption, steps=steps, step=self.survival_step, tail=self.tail, name=f"survival of {self.name!r}"
        )
        return dataclasses.replace(self, survival=table)

    @property
    def _goes_on(self) -> bool:
        """Whether the churn is a model of renewals, known for ever, whose step is the term."""
        bound = self.leaves == "at_renewal" or self.months == 1
        return bound and self.steps_per_bond == 1 and isinstance(self.survival, RenewalModel)

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
        last = max(int(horizon_months) - 1 - self.notice_if_free, 0)
        return last // self.bond_months * self.steps_per_bond

    @property
    def notice_if_free(self) -> int:
        """Months by which notice puts off a departure: none where it falls within the term."""
        return self.notice_months if self.leaves == "any_month" else 0

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
            if declared.name not in {"survival", "fee", "churn_evidence", "acceptance_evidence", "survival_errors"}
        }
        return {
            "kind": self.kind,
            "schema": self.schema,
            **stored,
            "fee": None if self.fee is None else self.fee.to_dict(),
            "survival": self._stored_survival(),
            "churn_evidence": None if self.churn_evidence is None else self.churn_evidence.to_dict(),
            "acceptance_evidence": None if self.acceptance_evidence is None else self.acceptance_evidence.to_dict(),
            "survival_errors": None if self.survival_errors is None else list(self.survival_errors),
        }

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
        for name in ("survival", "fee", "churn_evidence", "acceptance_evidence"):
            if fields.get(name) is not None:
                fields[name] = results.from_dict(fields[name])
        return cls(**fields)


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"name is a text that tells the terms apart; got {name!r}.", argument="name")
    return name


def _refuse_other_evidence(term: Term, name: str, kept: str, value: float) -> None:
    """Refuse what is known of a number where it is known of another one."""
    evidence: results.Result | None = getattr(term, kept)
    if evidence is not None and (evidence.estimate is None or abs(evidence.estimate - value) > 1e-12):
        raise InputError(
            f"{kept} of {term.name!r} has the estimate {evidence.estimate!r}, {name} is {value!r}.",
            argument=kept,
            fix=f"Give the result itself as {name}, or {kept}=None.",
        )


def _rate_with_evidence(given: object, rate: float) -> float | results.Result:
    """A result that is a rate as it is, for its counts and interval; the rate of anything else."""
    return given if isinstance(given, results.Result) and not hasattr(given, "survival") else rate


def _refuse_other_fees(fee: object) -> None:
    if fee is not None and not isinstance(fee, Fee):
        raise InputError(
            f"fee is a FeeShare, FeeFlat or FeeTiers; got {fee!r}.",
            argument="fee",
            fix="Give a plain share of the spend as fee_rate=.",
        )


def _refuse_contradictions(term: Term) -> None:
    """Refuse clauses of a contract that cannot stand side by side, and say which to change."""
    free = term.leaves == "any_month"
    if term.early_termination_fee > 0 and not (free and term.months > 1):
        raise InputError(
            f"early_termination_fee is paid for leaving before the term's end; clients of {term.name!r} cannot.",
            argument="early_termination_fee",
            fix="Give leaves='any_month' and a term of more than one month, or leave the fee out.",
        )
    if term.notice_months > term.months:
        raise InputError(
            f"notice_months is at most the term, {term.months} months for {term.name!r}; got {term.notice_months}.",
            argument="notice_months",
            fix="Shorten the notice or lengthen the term.",
        )
    if term.months > 1 and term.free_months >= term.months:
        raise InputError(
            f"free_months leaves a month to pay in each first term of {term.months}; got {term.free_months}.",
            argument="free_months",
            fix="Give fewer free months, or a longer term.",
        )
    if term.renewal_churn is not None:
        _adopt_renewal_churn(term, free=free)


def _adopt_renewal_churn(term: Term, *, free: bool) -> None:
    rate = _checks.share(term.renewal_churn, name="renewal_churn")
    object.__setattr__(term, "renewal_churn", rate)
    if not free:
        raise InputError(
            f"renewal_churn is beside monthly_churn where clients may leave in between; those of {term.name!r} cannot.",
            argument="renewal_churn",
            fix=f"Leave it out and give monthly_churn={1 - (1 - rate) ** (1 / term.months):.6g}, which adds up to it.",
        )
    if term.monthly_churn is None or term.months == 1 or term.notice_months:
        reason = (
            "a monthly_churn beside it"
            if term.monthly_churn is None
            else "a term of more than one month"
            if term.months == 1
            else "notice_months=0, for notice of a renewal falls within the term"
        )
        raise InputError(f"renewal_churn of {term.name!r} needs {reason}.", argument="renewal_churn")


def _greenwood_errors(given: object) -> tuple[float, ...] | None:
    """Standard errors of log survival after 0, 1, 2, ... months, by Greenwood's sum over a curve's risk sets."""
    if not isinstance(given, SurvivalCurve):
        return None
    time, at_risk, lost = given.time, given.at_risk, given.churned
    stay = at_risk - lost
    # Where all at risk are lost the curve is at 0, and stays there in every draw.
    added = np.divide(lost, at_risk * stay, out=np.zeros_like(time), where=(at_risk > 0) & (stay > 0))
    sums = np.concatenate([[0.0], np.cumsum(added)])
    months = np.arange(given.last + 1)
    return tuple(np.sqrt(sums[np.searchsorted(time, months, side="right")]).tolist())
