"""How long a client is served under a term, in expected and in present months."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from retention_metrics.contracts.terms import Term
from retention_metrics.errors import InputError
from retention_metrics.survival import SurvivalTable

Floats = NDArray[np.float64]


def months_of_service(term: Term, horizon: float, discount_rate: float) -> float:
    """Expected months of service before the horizon, month m counted at (1 + d)^-m.

    A client serves whole bonds (the term, or one month when free to leave), so the sum runs over bonds: the share
    that begins the bond, times what the months of a bond are worth at its start, brought to the present.
    """
    force = math.log1p(discount_rate)
    if math.isinf(horizon):
        return _without_end(term, force)
    bond = term.bond_months
    starts = np.arange(0, int(horizon), bond, dtype=np.float64)
    lengths = np.minimum(bond, horizon - starts)
    worth = np.exp(-force * starts) * annuity(lengths, force)
    return float(np.sum(_beginning(term, starts.size) * worth))


def annuity(months: Floats | float, force: float) -> Floats | float:
    """What one unit at the start of each of some months is worth at the first of them."""
    if force == 0:
        return months
    # The same function above and below, so that a single month is worth exactly one.
    worth: Floats = np.expm1(-force * np.asarray(months)) / np.expm1(-force)
    return worth


def _beginning(term: Term, bonds: int) -> Floats:
    """Share of the clients that begin bond 0, 1, 2, ..."""
    steps = np.arange(bonds, dtype=np.float64) * term.steps_per_bond
    return np.asarray(term.assumption.survival(steps), dtype=np.float64)  # type: ignore[arg-type]


def _without_end(term: Term, force: float) -> float:
    """Bond by bond as far as the survival is given, then the geometric series of its constant hazard."""
    bond, first = term.bond_months, 0
    churn = term.constant_churn
    if churn is None:
        table = term.assumption
        assert isinstance(table, SurvivalTable)
        hazard = table.tail_hazard
        if hazard is None:
            raise InputError(
                f"the survival of {term.name!r} ends at {table.step} {table.last} with "
                f"{table.values[-1]:.6g} still there; horizon_months=inf asks for what comes after.",
                argument="horizon_months",
                fix="Give a finite horizon, or assume tail='constant_hazard' for the term.",
            )
        churn, first = hazard, -(-table.last // term.steps_per_bond)
    if churn == 0:
        raise InputError(
            f"nobody ever leaves {term.name!r} (monthly churn 0), so horizon_months=inf gives no finite value.",
            argument="horizon_months",
            fix="Give a finite horizon_months, or a churn above 0.",
        )
    shares = _beginning(term, first + 1) * np.exp(-force * bond * np.arange(first + 1))
    lost_per_bond = 1.0 if churn == 1 else -math.expm1(term.steps_per_bond * math.log1p(-churn) - force * bond)
    bonds = float(np.sum(shares[:-1])) + float(shares[-1]) / lost_per_bond
    return float(annuity(float(bond), force)) * bonds
