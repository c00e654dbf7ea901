"""What a client pays and costs under a term: sums that are linear in the share still there, month by month."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retention_metrics.contracts.fitted import Drawn, FittedDraws, RenewalModel, terms_to_come
from retention_metrics.contracts.terms import Term
from retention_metrics.errors import InputError
from retention_metrics.survival import SurvivalTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What terms are compared under; a term's own costs stand before these."""

    spend: float
    horizon: float
    discount_rate: float
    service_cost: float
    acquisition_cost: float = 0.0

    def service_cost_of(self, term: Term) -> float:
        """Service cost of a month under a term."""
        return self.service_cost if term.monthly_service_cost is None else term.monthly_service_cost

    def acquisition_cost_of(self, term: Term) -> float:
        """Acquisition cost of a client under a term."""
        return self.acquisition_cost if term.acquisition_cost is None else term.acquisition_cost

    def margin(self, term: Term) -> float:
        """What a paid month leaves, at the start of the month."""
        late = 1 / (1 + self.discount_rate) if term.payment == "arrears" else 1.0
        return term.monthly_fee(self.spend) * late - self.service_cost_of(term)

    def present(self, term: Term, draws: Drawn | None = None) -> Account:
        """The account of a term in present months."""
        return account(term, self.horizon, self.discount_rate, draws)

    def value(self, term: Term, draws: Drawn | None = None) -> Floats:
        """Present value of a signed client, of every draw."""
        sums = self.present(term, draws)
        return self.fees(term, sums) - self.service_cost_of(term) * sums.months - self.acquisition_cost_of(term)

    def fees(self, term: Term, sums: Account) -> Floats:
        """What a client pays, by the sums of an account."""
        return term.monthly_fee(self.spend) * sums.paid + term.setup_fee + term.early_termination_fee * sums.exits


class Account(NamedTuple):
    """Sums over a client's months, each month counted at its present worth.

    ``months`` of service, ``paid`` months at the time of their payment, and ``exits`` before a term's end.
    """

    months: Floats
    paid: Floats
    exits: Floats


def account(term: Term, horizon: float, discount_rate: float, draws: Drawn | None = None) -> Account:
    """The sums over all months before the horizon, month m counted at (1 + d)^-m.

    ``draws`` holds monthly churns, shape (n,), survivals by step, shape (n, n_steps), or n models in place of the
    term's own; the sums are then of shape (n,), and otherwise 0-d.
    """
    force = math.log1p(discount_rate)
    if math.isfinite(horizon):
        return Account(*_sum(term, np.arange(horizon), force, horizon, draws))
    head = _months_before_the_pattern_repeats(term)
    before = _sum(term, np.arange(float(head)), force, horizon, draws)
    period = _sum(term, head + np.arange(float(term.months)), force, horizon, draws)
    if isinstance(term.survival, RenewalModel):
        ahead = _terms_to_come(term, term.survival, head, force, draws)
        # Nothing a term, for ever longer, stays nothing.
        return Account(*(before + np.multiply(period, ahead, out=np.zeros(period.shape), where=period != 0)))
    return Account(*(before + period / _lost_per_period(term, force, draws)))


def shares(term: Term, months: int, draws: Drawn | None = None) -> Floats:
    """Share of the clients in service at the start of month 0, 1, 2, ..., by draw where there are draws."""
    steps, renewals = _chances(term, np.arange(float(months)))
    kept = (1 - (term.renewal_churn or 0.0)) ** renewals
    if draws is None:
        return _by_step(term, int(steps[-1]) + 1)[steps] * kept
    draws = draws.by_step(int(steps[-1]) + 1) if isinstance(draws, FittedDraws) else draws
    if draws.ndim == 2:
        return by_step_drawn(draws, steps) * kept
    return (1 - draws[:, np.newaxis]) ** steps * kept


def steps_needed(term: Term, horizon: float) -> int:
    """Steps of a churn assumption, from 0, that the account up to a horizon asks for."""
    last = horizon if math.isfinite(horizon) else _months_before_the_pattern_repeats(term) + term.months
    return int(_chances(term, np.array([max(last - 1.0, 0.0)]))[0][0]) + 1


def _sum(term: Term, months: Floats, force: float, horizon: float, draws: Drawn | None) -> Floats:
    """The three sums over some months, shape (3,) or (3, n).

    A sum over months of share times weight is a sum over steps of the churn assumption of survival times the weights
    of the months that stand at that step.
    """
    if months.size == 0:
        return np.zeros((3, 1 if draws is None else len(draws)))[..., 0 if draws is None else slice(None)]
    steps, renewals = _chances(term, months)
    kept = (1 - (term.renewal_churn or 0.0)) ** renewals
    weights: Floats = np.stack([np.bincount(steps, row * kept) for row in _weights(term, months, force, horizon)])
    if draws is None:
        return np.asarray(weights @ _by_step(term, weights.shape[1]), dtype=np.float64)
    draws = draws.by_step(weights.shape[1]) if isinstance(draws, FittedDraws) else draws
    if draws.ndim == 2:
        return np.asarray(weights @ draws[:, : weights.shape[1]].T, dtype=np.float64)
    return _polynomials(weights, 1 - draws)


def _weights(term: Term, months: Floats, force: float, horizon: float) -> Floats:
    """What the share in service at each month's start counts in each of the sums, shape (3, n_months)."""
    worth = np.exp(-force * months)
    late = math.exp(-force) if term.payment == "arrears" else 1.0
    paid = np.where(months >= term.free_months, worth * late, 0.0)
    if term.early_termination_fee == 0:
        return np.stack([worth, paid, np.zeros_like(worth)])
    # Who leaves at month m was there at m - 1 and is not at m.
    exits = np.where(months % term.months != 0, worth, 0.0)
    ahead = months + 1
    exits_ahead = np.where((ahead % term.months != 0) & (ahead < horizon), np.exp(-force * ahead), 0.0)
    return np.stack([worth, paid, exits_ahead - exits])


def _chances(term: Term, months: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Steps of the churn assumption passed by each month's start, and renewals at the churn of renewals."""
    if term.leaves == "at_renewal":
        return (months // term.months).astype(np.int64) * term.steps_per_bond, np.zeros_like(months)
    passed = np.maximum(months - term.notice_if_free, 0)
    renewals = passed // term.months if term.renewal_churn is not None else np.zeros_like(passed)
    return (passed - renewals).astype(np.int64), renewals


def _by_step(term: Term, steps: int) -> Floats:
    """Survival after 0, 1, ... steps."""
    return np.asarray(term.assumption.survival(np.arange(steps)), dtype=np.float64)  # type: ignore[arg-type]


def _polynomials(coefficients: Floats, at: Floats) -> Floats:
    """Horner's rule: under a constant churn a sum is a polynomial in the share that stays a month."""
    found = np.zeros((coefficients.shape[0], at.size))
    for column in coefficients.T[::-1]:
        found *= at
        found += column[:, np.newaxis]
    return found


def _months_before_the_pattern_repeats(term: Term) -> int:
    """Whole terms after which every term is like the one before, in the shares and in the weights."""
    last = 0
    if isinstance(term.survival, SurvivalTable):
        _tail_hazard(term, term.survival)
        last = term.survival.last
    bound = term.leaves == "at_renewal"
    settled = -(-last // term.steps_per_bond) * term.months if bound else last + term.notice_if_free
    return -(-max(settled, term.free_months) // term.months) * term.months


def _terms_to_come(term: Term, model: RenewalModel, head: int, force: float, draws: Drawn | None) -> Floats:
    """Present number of terms from month ``head`` on, over the share who are there then."""
    renewals = int(_chances(term, np.array([float(head)]))[0][0])
    models = draws.models if isinstance(draws, FittedDraws) else model
    ahead = terms_to_come(models, renewals, force * term.months)
    if draws is None and np.isinf(ahead):
        raise InputError(
            f"the mean lifetime under the {type(model).__name__} of {term.name!r} is infinite, because a few clients "
            "stay for ever longer, so horizon_months=inf gives no finite value.",
            argument="horizon_months",
            fix="Give a finite horizon_months.",
        )
    return ahead


def _lost_per_period(term: Term, force: float, draws: Drawn | None) -> Floats:
    """Share of its worth that each term loses to the one before, once the pattern repeats."""
    steps = term.steps_per_bond if term.leaves == "at_renewal" else term.months - (term.renewal_churn is not None)
    hazard: Floats | float
    if isinstance(draws, np.ndarray) and draws.ndim == 1:
        hazard = draws
    elif isinstance(draws, np.ndarray):
        hazard = hazard_past(draws)
    elif isinstance(term.survival, SurvivalTable):
        hazard = _tail_hazard(term, term.survival)
    else:
        hazard = term.constant_churn or 0.0
    with np.errstate(divide="ignore"):
        kept = steps * np.log1p(-np.asarray(hazard)) + np.log1p(-(term.renewal_churn or 0.0))
    lost = -np.expm1(kept - force * term.months)
    if np.any(kept == 0):
        raise InputError(
            f"nobody ever leaves {term.name!r} (monthly churn 0), so horizon_months=inf gives no finite value.",
            argument="horizon_months",
            fix="Give a finite horizon_months, or a churn above 0.",
        )
    return np.asarray(lost, dtype=np.float64)


def by_step_drawn(draws: Floats, steps: NDArray[np.int64]) -> Floats:
    """Survivals drawn by step after some steps; past the last one drawn every step is like it."""
    last = draws.shape[1] - 1
    if steps.max(initial=0) <= last:
        return draws[:, steps]
    further = np.maximum(steps - last, 0)
    return np.asarray(draws[:, np.minimum(steps, last)] * (1 - hazard_past(draws)[:, np.newaxis]) ** further)


def hazard_past(draws: Floats) -> Floats:
    """Share lost in every step past the last one drawn: that of the last, of every draw."""
    stays = np.divide(draws[:, -1], draws[:, -2], out=np.zeros(len(draws)), where=draws[:, -2] > 0)
    return np.asarray(1 - stays)


def _tail_hazard(term: Term, table: SurvivalTable) -> float:
    if table.tail_hazard is None:
        raise InputError(
            f"the survival of {term.name!r} ends at {table.step} {table.last} with "
            f"{table.values[-1]:.6g} still there; horizon_months=inf asks for what comes after.",
            argument="horizon_months",
            fix="Give a finite horizon, or assume tail='constant_hazard' for the term.",
        )
    return table.tail_hazard
