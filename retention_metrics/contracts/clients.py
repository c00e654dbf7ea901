"""One client under the churn assumption given: present months, and what an uncertain churn makes of a number."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics.contracts.fitted import Drawn, FittedDraws
from retention_metrics.contracts.service import account, steps_needed
from retention_metrics.contracts.terms import Term
from retention_metrics.contracts.uncertainty import draw_churn, draw_share, draws_asked, interval_of, is_uncertain
from retention_metrics.errors import InputError
from retention_metrics.results import Interval, Result
from retention_metrics.survival import MOST_STEPS, Assumption, ConstantChurn, StepUnit, Tail

Floats = NDArray[np.float64]

# Ten thousand years: beyond it the question is about no end at all.
MOST_MONTHS = 120_000


def client(
    *,
    monthly_churn: float | Result | None,
    survival: Assumption | Result | ArrayLike | None,
    tail: Tail | None,
    term_months: int | None,
    horizon: float,
    caller: str,
) -> Term:
    """A client under the one churn assumption given, tabulated as far as a horizon needs it.

    By the month the client may leave in any month; by the term it is bound to the end of each ``term_months`` months.
    """
    if (monthly_churn is None) == (survival is None):
        raise InputError(
            f"{caller} takes one of monthly_churn and survival; got {'none' if survival is None else 'both'}.",
            argument="monthly_churn",
            fix="Give for instance monthly_churn=0.05." if survival is None else "Keep one.",
        )
    step, months = step_of(survival, term_months)
    found = Term(
        "client",
        months,
        fee_rate=0.0,
        monthly_churn=monthly_churn,
        survival=survival,
        survival_step=None if isinstance(survival, ConstantChurn) else step,
        tail=tail,
        leaves="at_renewal" if step == "term" else "any_month",
    )
    return found.tabulated(horizon)


def step_of(survival: Assumption | Result | ArrayLike | None, term_months: int | None) -> tuple[StepUnit | None, int]:
    """What a step of a survival is, and how many months: a term that is not said to be longer is one month."""
    months = 1 if term_months is None else _checks.count(term_months, name="term_months", low=1, high=MOST_STEPS)
    # An array goes by the month unless the length of a term is given beside it.
    own = getattr(getattr(survival, "model", survival), "step", None)
    own = own if isinstance(own, str) else None
    counted = own is None and survival is not None and np.ndim(survival) > 0  # type: ignore[arg-type]
    step = ("month" if term_months is None else "term") if counted else own
    if step != "term" and term_months is not None:
        raise InputError(
            f"term_months={term_months} is the length of one step of a survival by the term; "
            f"{'a churn rate goes' if survival is None or own is None else 'this one goes'} by the month.",
            argument="term_months",
            fix="Leave it out.",
        )
    return step, months  # type: ignore[return-value]


def step_notes(survival: Assumption | Result | ArrayLike | None, term_months: int | None) -> tuple[str, ...]:
    """What is said where the length of a term was not."""
    if term_months is None and step_of(survival, None)[0] == "term":
        return (
            "The survival goes by the term, and a term is taken to be one month: term_months= says how long it is.",
        )
    return ()


def horizon_of(value: float, *, low: int = 1) -> float:
    """Whole months, or infinitely many."""
    months = _checks.number(value, name="horizon_months", low=float(low), allow_infinite=True)
    if MOST_MONTHS < months < math.inf:
        raise InputError(
            f"horizon_months is at most {MOST_MONTHS}; got {value!r}.",
            argument="horizon_months",
            fix="For no end at all write math.inf.",
        )
    if math.isfinite(months) and months != math.floor(months):
        raise InputError(f"horizon_months is whole or infinite; got {value!r}.", argument="horizon_months")
    return months


def rate_notes(*, monthly_discount_rate: float, fee_rate: float = 0.0) -> tuple[str, ...]:
    """What is said of a share that looks like a percentage."""
    named = {"monthly discount rate": (monthly_discount_rate, 1), "fee rate": (fee_rate, 10)}
    return tuple(
        f"A {name} of {value:g} is {100 * value:g} %; {usual} % is {usual / 100:.2f}."
        for name, (value, usual) in named.items()
        if value > 1
    )


def present_months(term: Term, horizon: float, discount_rate: float, draws: Drawn | None = None) -> Floats:
    """Expected months of service before the horizon, each at its present worth; of every draw where there are draws."""
    if term.constant_churn is None or isinstance(draws, FittedDraws):
        return account(term, horizon, discount_rate, draws).months
    churn = np.asarray(term.constant_churn if draws is None else draws, dtype=np.float64)
    kept = (1 - churn) / (1 + discount_rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        months = -np.expm1(horizon * np.log(kept)) / (1 - kept)
    return np.where(kept >= 1, horizon, months)


def shares_after(term: Term, months: Floats, drawn: Drawn | None) -> Floats:
    """Share still there after some months, by draw where there are draws."""
    steps = months.astype(np.int64) // (term.months if term.survival_step == "term" else 1)
    if drawn is None:
        return np.asarray(term.assumption.survival(steps), dtype=np.float64)  # type: ignore[arg-type]
    if isinstance(drawn, FittedDraws):
        drawn = drawn.by_step(int(steps.max(initial=0)) + 1)
    if drawn.ndim == 2:
        return drawn[:, steps]
    return (1 - drawn[:, np.newaxis]) ** months


def refuse_endless(term: Term, horizon: float, discount_rate: float) -> None:
    """Refuse a sum over months that never ends."""
    if math.isinf(horizon) and discount_rate == 0 and term.constant_churn == 0:
        raise InputError(
            "nobody ever leaves (monthly churn 0), so horizon_months=inf gives no finite value.",
            argument="horizon_months",
            fix="Give a finite horizon_months, a discount rate, or a churn above 0.",
        )


def draws_of(term: Term, horizon: float, *, draws: int, rng: np.random.Generator) -> Drawn | None:
    """Draws of the client's churn or survival; None where it is certain."""
    steps = 2 if term.survival is None else steps_needed(term, horizon)
    return draw_churn(term, draws, rng, steps)


def share_of(value: float | Result, *, name: str) -> tuple[float, Result | None]:
    """A share as a number, with the result it came from."""
    if isinstance(value, Result):
        return _checks.share(float(value), name=name), value
    return _checks.share(value, name=name), None


def draws_of_share(evidence: Result | None, draws: int, rng: np.random.Generator) -> Floats | None:
    """Draws of a share; None where it is certain."""
    return None if evidence is None else draw_share(evidence, draws, rng)


def carried(
    term: Term,
    value: Callable[[Drawn | None], Floats],
    *,
    horizon: float,
    level: float | None,
    draws: int,
    rng: np.random.Generator | int | None,
) -> Interval | None:
    """The interval of a number that is monotone in the churn.

    A churn rate with an interval hands on its ends, level and method; a curve is drawn.
    """
    draws = draws_asked(draws)
    if level is None or not is_uncertain(term):
        return None
    evidence = term.churn_evidence
    if evidence is not None and evidence.interval is not None:
        given = evidence.interval
        ends = np.clip(np.array([given.low, float(evidence), given.high]), 0.0, 1.0)
        found = value(ends)
        return Interval(low=float(found.min()), high=float(found.max()), level=given.level, method=given.method)
    drawn = value(draws_of(term, horizon, draws=draws, rng=np.random.default_rng(rng)))
    return drawn_interval(drawn, float(value(None)), level)


def drawn_interval(drawn: Floats, estimate: float, level: float) -> Interval:
    """The central interval of draws, widened where it must be to hold the estimate."""
    low, high = interval_of(drawn, level)
    return Interval(low=min(float(low), estimate), high=max(float(high), estimate), level=level, method="monte_carlo")
