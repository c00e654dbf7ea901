"""Whom to ask for a referral and whom to call back: the input's own rows, filtered and sorted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine import responses as engine
from retention_metrics._engine.groups import Tally
from retention_metrics._engine.tables import CustomerTable
from retention_metrics._stats import shrinkage
from retention_metrics.errors import InputError
from retention_metrics.nps.answers import SCALES, Scale, classes

Integers = NDArray[np.int64]


def follow_up(
    responses: adopt.NativeFrame,
    *,
    rating: str,
    rep: str,
    value: str | None = None,
    suggest: bool = False,
    scale: Scale = "0-10",
) -> CustomerTable:
    """The detractors to call back, worst first.

    Parameters
    ----------
    responses : dataframe
        One row per answer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    rating, rep : str
        Columns of the answers and of who serves the customer.
    value : str, optional
        Column of the money at risk with the customer; among equal answers the most valuable come first.
    suggest : bool, default False
        Whether to add ``better_rep``: the rep with the best shrunk score, where that is above the customer's own rep's;
        null for the best rep's own customers.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.

    Returns
    -------
    CustomerTable
        The detractors' rows in the caller's kind of frame, with all their columns; lazy stays lazy. ``.totals()`` adds
        up the value at risk. Rows without an answer are counted in ``excluded``, and so are those of others.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, or the frame has no rows.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"client": [1, 2, 3, 4], "rep": ["a", "a", "b", "b"], "score": [10, 3, 9, 0]})
    >>> rm.nps.follow_up(clients, rating="score", rep="rep").frame
       client rep  score
    0       4   b      0
    1       2   a      3
    """
    source = adopt.adopt(responses, {"rating": rating, "rep": rep, "value": value})
    offered = _checks.choice(scale, SCALES, name="scale")
    if suggest and "better_rep" in source.columns:
        raise InputError("better_rep is a column already; rename it, or leave suggest= out.", argument="suggest")

    tally = engine.tally(source, by=("rep", "rating"))
    group = _classes(tally, rating, offered)
    better = _better_reps(tally, group) if suggest else None
    frame = engine.detractors(source, better=better)

    note = "The better rep is the one with the best score after shrinkage; it need not be surely better."
    return CustomerTable(
        frame=frame,
        definition="nps.follow_up/detractors",
        excluded=_excluded(tally, group, kept=2),
        notes=(note,) if suggest else (),
    )


def referrals(
    responses: adopt.NativeFrame,
    *,
    rating: str,
    value: str | None = None,
    cold_rate: float | None = None,
    multiplier: float = 5.0,
    referrals_each: float = 1.0,
    deal_value: float | None = None,
    scale: Scale = "0-10",
) -> CustomerTable:
    """The promoters to ask for a referral, tens first.

    Parameters
    ----------
    responses : dataframe
        One row per answer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    rating : str
        Column of the answers.
    value : str, optional
        Column of the customer's money; among equal answers the most valuable come first.
    cold_rate : float, optional
        Share of cold calls that become a deal, from 0 to 1. With it ``expected_deals`` is added.
    multiplier : float, default 5
        How many times as likely a deal is from a referral as from a cold call: an assumption, a claim of one agency's
        founder, not a measurement. A deal's chance is at most 1.
    referrals_each : float, default 1
        Referrals that a promoter who is asked gives.
    deal_value : float, optional
        Money that a deal brings. With it ``expected_value`` is added.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.

    Returns
    -------
    CustomerTable
        The promoters' rows in the caller's kind of frame, with all their columns; lazy stays lazy. ``.totals()`` adds
        up the deals and the value. The notes state the assumption and the incentive up to which asking pays.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, or ``deal_value`` comes without ``cold_rate``.

    Notes
    -----
    ``expected_deals = referrals_each * min(1, multiplier * cold_rate)`` and ``expected_value = expected_deals *
    deal_value``, alike for nines and tens. An incentive paid per referral pays while it is below ``deal_value *
    min(1, multiplier * cold_rate)``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"client": [1, 2, 3, 4], "score": [9, 3, 10, 7]})
    >>> work = rm.nps.referrals(clients, rating="score", cold_rate=0.02, deal_value=10_000)
    >>> work.frame
       client  score  expected_deals  expected_value
    0       3     10             0.1          1000.0
    1       1      9             0.1          1000.0
    """
    source = adopt.adopt(responses, {"rating": rating, "value": value})
    offered = _checks.choice(scale, SCALES, name="scale")
    times = _checks.non_negative(multiplier, name="multiplier")
    given = _checks.non_negative(referrals_each, name="referrals_each")
    expected, notes = _expected(cold_rate, deal_value, times, given)
    taken = [name for name in expected if name in source.columns]
    if taken:
        raise InputError(f"{taken[0]} is a column already; rename it first.", argument="data", column=taken[0])

    tally = engine.tally(source, by=("rating",))
    group = _classes(tally, rating, offered)
    frame = engine.promoters(source, expected)

    return CustomerTable(
        frame=frame,
        definition="nps.referrals/promoters",
        excluded=_excluded(tally, group, kept=0),
        notes=notes,
    )


def _expected(
    cold_rate: float | None, deal_value: float | None, multiplier: float, each: float
) -> tuple[dict[str, float], tuple[str, ...]]:
    if cold_rate is None:
        if deal_value is not None:
            raise InputError(
                "deal_value= goes with cold_rate=, the share of cold calls that become a deal.", argument="deal_value"
            )
        return {}, ()
    chance = min(1.0, multiplier * _checks.share(cold_rate, name="cold_rate"))
    notes = [f"Assumed, not measured: a deal is {multiplier:g} times as likely from a referral as from a cold call."]
    expected = {"expected_deals": each * chance}
    if deal_value is not None:
        worth = chance * _checks.non_negative(deal_value, name="deal_value")
        expected["expected_value"] = each * worth
        notes.append(f"Asking pays while the incentive per referral is below {worth:g}.")
    return expected, tuple(notes)


def _classes(tally: Tally, rating: str, scale: Scale) -> Integers:
    if tally.rows == 0:
        raise InputError("data has no rows.", argument="data", count=0)
    return classes(tally.keys["rating"], tally.counts, name=rating, scale=scale)


def _excluded(tally: Tally, group: Integers, *, kept: int) -> Mapping[str, int]:
    names = {0: "promoters", 1: "passives", 2: "detractors", 3: "missing_rating"}
    found = {name: int(tally.counts[group == code].sum()) for code, name in names.items() if code != kept}
    return {name: rows for name, rows in found.items() if rows}


def _better_reps(tally: Tally, group: Integers) -> tuple[object, list[object]]:
    """The rep whose shrunk score is the best of all, None where no rep has an answer, and the reps below."""
    reps = list(dict.fromkeys(rep for rep in tally.keys["rep"] if rep is not None))
    counts = np.zeros((len(reps), 3))
    for rep, code, rows in zip(tally.keys["rep"], group.tolist(), tally.counts.tolist(), strict=True):
        if rep is not None and code < 3:
            counts[reps.index(rep), code] += rows
    if counts.sum() == 0:
        return None, []
    scores, _ = shrinkage.net_moments(shrinkage.fit(counts), counts)
    best = int(scores.argmax())
    below = [rep for rep, score in zip(reps, scores.tolist(), strict=True) if score < scores[best] - 1e-12]
    return reps[best], below
