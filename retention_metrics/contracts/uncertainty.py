"""What is known of a term's churn, as draws: from counts, from an interval, or from the errors of a curve."""

from __future__ import annotations

from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.contracts.fitted import Drawn, draw_models, is_fitted
from retention_metrics.contracts.terms import Term
from retention_metrics.results import Interval, Result
from retention_metrics.survival import SurvivalTable

Floats = NDArray[np.float64]


# More draws than this hold no more than the memory does.
_MOST_DRAWS = 10_000_000


def draws_asked(draws: int, *, low: int = 100) -> int:
    """How many draws are made: enough for the ends of an interval."""
    return _checks.count(draws, name="draws", low=low, high=_MOST_DRAWS)


def is_uncertain(term: Term) -> bool:
    """Whether the term carries more about its churn than one number."""
    evidence = term.churn_evidence
    if term.survival is not None:
        return is_fitted(evidence) or (term.survival_errors is not None and any(term.survival_errors))
    return evidence is not None and (_counts(evidence) is not None or evidence.interval is not None)


def draw_churn(term: Term, draws: int, rng: np.random.Generator, steps: int) -> Drawn | None:
    """Draws of a term's monthly churn, shape (draws,), or of its survival by step; None where it is certain.

    Survivals are drawn for at least ``steps`` steps, from 0. The churn itself is drawn thus:

    - Events in person-months: Gamma(events + 1/2, exposure), Jeffreys' posterior of a rate.
    - Churned out of those who could leave: Beta(churned + 1/2, kept + 1/2), Jeffreys' posterior of a share.
    - An interval alone: a normal distribution on either side of the estimate that has its ends at the interval's.
    - A curve: in every step Beta(n s, n (1 - s)) for the share s that stays, with n the customers at risk that its
      standard error stands for.
    - A fitted contractual model: models, as `draw_models` makes them; by step where the survival is tabulated.
    """
    if not is_uncertain(term):
        return None
    if term.survival is not None and is_fitted(term.churn_evidence):
        models = draw_models(term.churn_evidence, draws, rng)
        return models.by_step(steps) if isinstance(term.survival, SurvivalTable) else models
    if isinstance(term.survival, SurvivalTable):
        return _curves(term, term.survival, draws, rng, steps)
    assert term.churn_evidence is not None
    return draw_share(term.churn_evidence, draws, rng)


def draw_share(evidence: Result, draws: int, rng: np.random.Generator) -> Floats | None:
    """Draws of a share or a monthly rate from its counts or its interval, as `draw_churn` makes them; None without."""
    counts = _counts(evidence)
    if counts is None:
        return None if evidence.interval is None else _split_normal(float(evidence), evidence.interval, draws, rng)
    kind, events, exposure, months = counts
    if kind == "rate":
        return np.minimum(rng.gamma(events + 0.5, 1 / exposure, draws), 1.0)
    share = rng.beta(events + 0.5, max(exposure - events, 0.0) + 0.5, draws)
    return np.asarray(-np.expm1(np.log1p(-share) / months), dtype=np.float64)


def _counts(evidence: Result) -> tuple[str, float, float, int] | None:
    """Kind of counts, events, exposure and months that one unit of exposure lasts."""
    events, exposure = getattr(evidence, "events", None), getattr(evidence, "exposure", None)
    if events is not None and exposure:
        by_month = getattr(evidence, "method", "person_months") == "person_months"
        return ("rate" if by_month else "share", events, exposure, getattr(evidence, "months", 1))
    numerator, denominator = getattr(evidence, "numerator", None), getattr(evidence, "denominator", None)
    if numerator is not None and denominator:
        return ("share", numerator, denominator, 1)
    return None


def _split_normal(estimate: float, interval: Interval, draws: int, rng: np.random.Generator) -> Floats:
    z = NormalDist().inv_cdf((1 + interval.level) / 2)
    scores = rng.standard_normal(draws)
    # An end beyond the range of a churn is cut to it.
    low, high = max(interval.low, 0.0), min(interval.high, 1.0)
    spread = np.where(scores < 0, estimate - low, high - estimate) / z
    return np.clip(estimate + scores * spread, 0.0, 1.0)


def _curves(term: Term, table: SurvivalTable, draws: int, rng: np.random.Generator, steps: int) -> Floats:
    values, errors = np.array(table.values), np.array(term.survival_errors)[: len(table.values)]
    errors = np.pad(errors, (0, values.size - errors.size), mode="edge")
    stays = np.divide(values[1:], values[:-1], out=np.zeros(values.size - 1), where=values[:-1] > 0)
    added = np.maximum(np.diff(errors**2), 0.0)
    drawn = np.broadcast_to(stays, (draws, stays.size)).copy()
    moves = (added > 0) & (stays > 0) & (stays < 1)
    at_risk = (1 - stays[moves]) / (stays[moves] * added[moves])
    drawn[:, moves] = rng.beta(at_risk * stays[moves], at_risk * (1 - stays[moves]), (draws, int(moves.sum())))
    # Past the table every step is like its last one.
    further = np.repeat(drawn[:, -1:], max(steps - values.size, 0), axis=1)
    return np.concatenate([np.ones((draws, 1)), np.cumprod(np.hstack([drawn, further]), axis=1)], axis=1)


def interval_of(values: Floats, level: float) -> tuple[Floats, Floats]:
    """Ends of the central interval over the draws, which are the first axis."""
    # Between draws of infinite worth there is nothing to interpolate.
    method: Literal["linear", "inverted_cdf"] = "linear" if np.isfinite(values).all() else "inverted_cdf"
    low, high = np.quantile(values, ((1 - level) / 2, (1 + level) / 2), axis=0, method=method)
    return low, high
