"""Service recovery in time: who stays after a failure, by how soon it was put right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine.durations import with_handling
from retention_metrics.errors import InputError
from retention_metrics.nps.leaving import ASSOCIATIONS
from retention_metrics.survival import curves
from retention_metrics.survival import durations as rows

_GROUPS = ("no_failure", "in_time", "late", "open")
_FAULTS: Mapping[str, str] = {"negative": "at least 0", "infinite": "finite, or missing where nothing was put right"}


def recovery_curves(
    customers: adopt.NativeFrame,
    *,
    duration: str,
    churned: str,
    response: str,
    within: float,
    landmark: float | None = None,
    failed: str | None = None,
    level: float | None = 0.95,
) -> curves.SurvivalCurve:
    """Share of customers still there after a failure, by how soon it was put right.

    Parameters
    ----------
    customers : dataframe
        One row per customer, or per failure: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    duration, churned : str
        Columns of the months that each customer was watched from the failure on, at least 0, and of whether the
        customer left then: true or false, or 1 or 0. Customers without a failure are watched from any day that does
        not depend on what came later.
    response : str
        Column of the months from the failure until it was put right; missing where it was not.
    within : float
        The promised time in months, above 0: put right by then is in time.
    landmark : float, optional
        Months after the failure at which handling is read, at least ``within``, which is the default. A later one
        tells the late from the open.
    failed : str, optional
        Column of whether the customer had a failure; without it all had.
    level : float or None, default 0.95
        Probability content of the pointwise intervals, in (0, 1); None computes no interval.

    Returns
    -------
    SurvivalCurve
        A group for each of ``no_failure``, ``in_time``, ``late`` (after ``within``, by the landmark) and ``open`` (not
        by the landmark) that somebody is in: ``.group("open").at(12)``, ``.log_rank()``, ``.difference("open",
        "no_failure", horizon=12)``. Curves are of those still there at the landmark; ``excluded`` counts those who
        left, or were last seen, up to then.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles, or does not hold numbers.
    InputError
        If ``within`` is not above 0, a response is negative, infinite or without a failure, or nobody was still there
        at the landmark.

    See Also
    --------
    recovery : Shares at one time by any way of handling, where all were followed equally long.

    Notes
    -----
    Kaplan and Meier's estimate [1]_ from the landmark on [2]_. A failure can only be put right for a customer who is
    still there: sorted by what was ever done, those put right late look loyal because they had to stay that long.
    Read at a landmark, handling is known before the time that is counted. An association: failures that were soon put
    right may have been small ones.

    References
    ----------
    .. [1] Kaplan, E. L. and Meier, P. (1958). Nonparametric estimation from incomplete observations. *Journal of
       the American Statistical Association* 53, 457-481.
    .. [2] Anderson, J. R., Cain, K. C. and Gelber, R. D. (1983). Analysis of survival by tumor response. *Journal of
       Clinical Oncology* 1, 710-719.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> clients = pd.DataFrame({"months": [12, 9, 12, 7, 3, 12, 0.1, 12], "left": [0, 1, 0, 1, 1, 0, 1, 0]})
    >>> clients["failed"] = [True] * 7 + [False]
    >>> clients["righted"] = [0.05, 0.2, 0.1, None, 2.0, 0.2, None, None]
    >>> roles = {"duration": "months", "churned": "left", "response": "righted", "failed": "failed"}
    >>> curve = rm.nps.recovery_curves(clients, **roles, within=0.25)
    >>> [(name, round(curve.group(name).survival(10), 2)) for name in curve.groups["group"]]
    [('no_failure', 1.0), ('in_time', 0.75), ('open', 0.0)]
    >>> dict(curve.excluded)
    {'left_before_landmark': 1}
    """
    named = {"duration": duration, "churned": churned, "response": response, "strata": failed}
    promised = _checks.positive(within, name="within")
    at = promised if landmark is None else _checks.positive(landmark, name="landmark")
    if at < promised:
        raise InputError(f"landmark is at least within, {promised:g}; got {at:g}.", argument="landmark")
    level = _checks.level(level)

    roles = {"failed" if role == "strata" else role: column for role, column in named.items()}
    adopt.adopt(customers, roles)
    source = adopt.adopt(customers, named)
    rows.refuse_words(source, "response")
    labelled = with_handling(source, within=promised, landmark=at)
    found = _grouped(rows.of_source(labelled, names=source.roles), response=response, failed=failed)
    there = _past(found, at)
    absent = [] if "in_time" in there.labels["by"].names else ["No failure was put right in time."]

    return curves.estimated(there, level=level, more=(ASSOCIATIONS, *absent))


def _grouped(found: rows.Durations, *, response: str, failed: str | None) -> rows.Durations:
    """The customers in groups by what was done up to the landmark; impossible responses refused."""
    by = found.labels["by"]
    names = np.array(by.names)[by.codes]
    customers = np.ones(names.size) if found.counts is None else found.counts
    for fault, rule in _FAULTS.items():
        _refuse(names == fault, customers, column=response, rule=f"is {rule}")
    if failed is not None:
        marks = found.labels["strata"]
        if not set(marks.names) <= {0, 1}:
            strange = next(name for name in marks.names if name not in (0, 1))
            raise InputError(
                f"failed={failed!r} holds true and false, or 1 and 0; got {strange!r}.",
                argument="failed",
                column=failed,
            )
        without = np.array([not name for name in marks.names])[marks.codes]
        _refuse(without & (names != "open"), customers, column=response, rule="is missing without a failure")
        names = np.where(without, "no_failure", names)
    place = {name: code for code, name in enumerate(_GROUPS)} | {"later": _GROUPS.index("open")}
    codes = np.array([place[name] for name in names.tolist()], dtype=np.int64)
    group = rows.Labels(_GROUPS, codes).keep(np.ones(codes.size, dtype=np.bool_))
    excluded = {"missing_failed" if why == "missing_stratum" else why: n for why, n in found.excluded.items()}
    return replace(found, labels={"by": group}, excluded=excluded)


def _refuse(bad: rows.Booleans, customers: rows.Floats, *, column: str, rule: str) -> None:
    if bad.any():
        count = int(customers[bad].sum())
        raise InputError(
            f"{column} {rule}; {count} of {int(customers.sum())} do not comply.",
            argument="response",
            column=column,
            count=count,
        )


def _past(found: rows.Durations, landmark: float) -> rows.Durations:
    """The customers still watched after the landmark, from then on; the others counted out."""
    kept = found.duration > landmark
    customers = np.ones(kept.size) if found.counts is None else found.counts
    gone = {
        "left_before_landmark": int(customers[~kept & found.churned].sum()),
        "last_seen_before_landmark": int(customers[~kept & ~found.churned].sum()),
    }
    excluded = {**found.excluded, **{reason: n for reason, n in gone.items() if n}}
    if not kept.any():
        listed = ", ".join(f"{reason} {n}" for reason, n in excluded.items())
        raise InputError(f"nobody was still there past the landmark, {landmark:g}: {listed}.", argument="landmark")
    there = found.keep(kept)
    return replace(there, entry=np.full(there.duration.size, landmark), excluded=excluded)
