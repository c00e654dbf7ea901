"""How sure it is that one term is better than another: over what is known of the churn, and over a client's fate."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from retention_metrics.contracts.fitted import Drawn, FittedDraws
from retention_metrics.contracts.service import Setting, shares
from retention_metrics.contracts.terms import Term
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Result, result

__all__ = ["ProbabilityBetter"]

Floats = NDArray[np.float64]
Of = Literal["expected_value", "single_client"]
OF: tuple[Of, ...] = ("expected_value", "single_client")

_CELLS = 2_000_000


@result
class ProbabilityBetter(Result):
    """Probability that one term brings more than another.

    Attributes
    ----------
    term, against : str
        The two terms.
    of : str
        ``"expected_value"``: of the expected present values, over what is known of the churns.
        ``"single_client"``: of the present values of one client under each, over the clients' fates as well.
    draws : int
        Draws in all.
    better, equal : int
        Draws in which ``term`` brings more, and in which both bring the same, which count half.
    standard_error : float
        Of the estimate, for the number of draws.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> terms = [
    ...     rm.contracts.Term("monthly", 1, fee_rate=0.10, monthly_churn=rm.churn.rate(start=100, lost=9)),
    ...     rm.contracts.Term("yearly", 12, fee_rate=0.06, monthly_churn=rm.churn.rate(start=100, lost=5)),
    ... ]
    >>> table = rm.contracts.compare(terms, monthly_spend=30_000, horizon_months=36, rng=2019)
    >>> round(float(table.probability_better("yearly", "monthly", rng=2019)), 2)
    0.73
    """

    kind: ClassVar[str] = "contracts.probability_better"

    term: str
    against: str
    of: str
    draws: int
    better: int
    equal: int
    standard_error: float

    def explain(self) -> Explanation:
        """The share of the draws, ties counted half.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        return Explanation(
            formula="probability = (draws in which the term brings more + ½ · ties) / draws",
            values={"better": self.better, "equal": self.equal, "draws": self.draws},
            steps=(Step(name="probability", expression="(better + equal / 2) / draws"),),
            source="Monte Carlo; the churns of the two terms are drawn independently unless they are one estimate.",
        )


def counted(term: Term, against: Term, of: Of, gaps: Floats, *, certain: bool) -> ProbabilityBetter:
    """The probability from the differences of value in the draws."""
    better, equal = int(np.sum(gaps > 0)), int(np.sum(gaps == 0))
    share = (better + equal / 2) / gaps.size
    notes = []
    if certain and of == "expected_value":
        notes.append(
            "Both churns are given as single numbers, so one expected value is higher for certain; give a result "
            "with its counts or its interval to see how sure that is."
        )
    return ProbabilityBetter(
        estimate=share,
        unit="probability",
        definition=f"contracts.probability_better/{of.replace('_', '-')}",
        notes=tuple(notes),
        term=term.name,
        against=against.name,
        of=of,
        draws=int(gaps.size),
        better=better,
        equal=equal,
        standard_error=math.sqrt(share * (1 - share) / gaps.size),
    )


def client_values(term: Term, setting: Setting, size: int, draws: Drawn | None, rng: np.random.Generator) -> Floats:
    """Present values of single clients: each leaves when its survival falls below a number drawn for it."""
    months = int(setting.horizon)
    fate = rng.random(size)
    draws = draws.by_step(months) if isinstance(draws, FittedDraws) else draws
    served = np.empty(size, dtype=np.int64)
    rows = max(_CELLS // months, 1)
    for first in range(0, size, rows):
        part = slice(first, first + rows)
        there = shares(term, months, None if draws is None else draws[part])
        served[part] = np.sum(there > fate[part, np.newaxis], axis=1)
    return value_by_months_served(term, setting)[served]


def value_by_months_served(term: Term, setting: Setting) -> Floats:
    """Present value of a client who is served 0, 1, 2, ... months and then leaves."""
    force, months = math.log1p(setting.discount_rate), int(setting.horizon)
    month = np.arange(months + 1.0)
    worth = np.exp(-force * month)
    late = math.exp(-force) if term.payment == "arrears" else 1.0
    fees = np.where(month >= term.free_months, worth * late, 0.0) * term.monthly_fee(setting.spend)
    running = np.concatenate([[0.0], np.cumsum(fees - setting.service_cost_of(term) * worth)[:-1]])
    early = (month % term.months != 0) & (month < months)
    exits = np.where(early, worth, 0.0) * term.early_termination_fee
    return running + exits + term.setup_fee - setting.acquisition_cost_of(term)
