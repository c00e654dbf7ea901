"""The churn of contract terms from real clients: by the month, by the renewal, and within groups of equal size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import adopt, groups, terms
from retention_metrics._engine.terms import TermSums
from retention_metrics._stats import poisson, proportions
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, ColumnType, Interval, Result, TableResult, result

__all__ = ["ChurnRateRatio", "MonthlyChurn", "TermEstimates", "estimate"]

Method = Literal["person_months", "renewals"]

_INTERVALS: Mapping[Method, str] = {"person_months": "garwood", "renewals": "clopper_pearson"}
_TYPES: Mapping[str, ColumnType] = {
    "clients": "integer",
    "churned": "integer",
    "months_of_service": "number",
    "renewals": "number",
    "monthly_churn": "number",
    "low": "number",
    "high": "number",
    "status": "string",
}


@result
class MonthlyChurn(Result):
    """The monthly churn of a term, with the counts behind it.

    Attributes
    ----------
    term : str
        The term, with its group where one was asked for.
    events : int
        Clients lost.
    exposure : float
        Months of service, or renewals faced.
    months : int
        Months that one unit of exposure lasts: 1, or the length of the term.
    method : str
        ``"person_months"`` or ``"renewals"``.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import contracts
    >>> clients = pd.DataFrame({"term": ["yearly"] * 40, "stayed": [24] * 40, "left": [True] * 20 + [False] * 20})
    >>> table = contracts.estimate(clients, term="term", duration="stayed", churned="left", months={"yearly": 12})
    >>> churn = table.churn("yearly")
    >>> churn.events, churn.exposure, round(churn.estimate, 4)
    (20, 80.0, 0.0237)
    """

    kind: ClassVar[str] = "contracts.monthly_churn"

    term: str
    events: int
    exposure: float
    months: int
    method: Method

    def explain(self) -> Explanation:
        """Events per month of service, or the monthly churn that adds up to the share lost at a renewal.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        by_month = self.method == "person_months"
        return Explanation(
            formula="monthly churn = clients lost / months of service"
            if by_month
            else "monthly churn = 1 − (1 − clients lost / renewals faced)^(1 / months of the term)",
            values={"events": self.events, "exposure": self.exposure, "months": self.months},
            steps=()
            if self.estimate is None
            else (Step(name="monthly_churn", expression="events / exposure"),)
            if by_month
            else (
                Step(name="lost_at_renewal", expression="events / exposure"),
                Step(name="monthly_churn", expression="1 - (1 - lost_at_renewal) ** (1 / months)"),
            ),
            source="Garwood, F. (1936), Biometrika 28, 437-442."
            if by_month
            else "Clopper, C. J. and Pearson, E. S. (1934), Biometrika 26, 404-413.",
        )


@result
class ChurnRateRatio(Result):
    """How many times the churn of another term the churn of one is.

    The estimate is within groups where the clients were grouped, Mantel's and Haenszel's rate ratio, and otherwise over
    all clients as they stand.

    Attributes
    ----------
    term, against : str
        The two terms.
    raw : float or None
        The ratio of losses per month of service over all clients.
    raw_interval : Interval or None
        Its exact interval, given the losses in all.
    weighted_losses, weighted_losses_against : tuple of float
        By group: losses of each term times the share of the group's months of service that the other term has.
    groups : tuple of str
        The groups in which both terms were served; none where the clients were not grouped.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import contracts
    >>> clients = pd.DataFrame(
    ...     {
    ...         "term": ["monthly"] * 60 + ["yearly"] * 60,
    ...         "size": ["small"] * 50 + ["large"] * 10 + ["small"] * 10 + ["large"] * 50,
    ...         "stayed": 10,
    ...         "left": [1] * 30 + [0] * 20 + [1] + [0] * 9 + [1] * 3 + [0] * 7 + [1] * 3 + [0] * 47,
    ...     }
    ... )
    >>> table = contracts.estimate(clients, term="term", duration="stayed", churned="left", by="size")
    >>> ratio = table.ratio("monthly", "yearly")
    >>> round(ratio.raw, 2), round(ratio.estimate, 2)
    (5.17, 1.94)
    """

    kind: ClassVar[str] = "contracts.churn_rate_ratio"

    term: str
    against: str
    raw: float | None
    raw_interval: Interval | None
    weighted_losses: tuple[float, ...]
    weighted_losses_against: tuple[float, ...]
    groups: tuple[str, ...]

    def explain(self) -> Explanation:
        """The quotient of the weighted losses.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        return Explanation(
            formula="ratio = sum over groups of losses(a) × months(b) / months, over the same with a and b exchanged",
            values={"losses_a": list(self.weighted_losses), "losses_b": list(self.weighted_losses_against)},
            steps=(Step(name="ratio", expression="sum(losses_a) / sum(losses_b)"),)
            if self.estimate is not None
            else (),
            source="Mantel, N. and Haenszel, W. (1959), Journal of the National Cancer Institute 22, 719-748; "
            "variance: Greenland, S. and Robins, J. M. (1985), Biometrics 41, 55-68.",
        )


@result
class TermEstimates(TableResult):
    """The monthly churn of each contract term, from clients.

    The columns: ``term``; ``group``, where clients are grouped, null for all of them together; ``clients``;
    ``churned``; ``months_of_service``; ``renewals`` faced (null for terms of a month, and of unknown length);
    ``monthly_churn`` with ``low`` and ``high``; ``status``: ``"ok"``, ``"unknown_length"``, ``"no_exposure"`` or
    ``"above_one"``.

    Attributes
    ----------
    lengths : mapping of str to int
        Length of each term in months, where known.
    level : float or None
        Probability content of the intervals.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import contracts
    >>> clients = pd.DataFrame({"term": ["monthly"] * 50, "stayed": [10] * 50, "left": [True] * 20 + [False] * 30})
    >>> table = contracts.estimate(clients, term="term", duration="stayed", churned="left", months={"monthly": 1})
    >>> [(row["term"], row["clients"], row["monthly_churn"], row["status"]) for row in table.rows()]
    [('monthly', 50, 0.04, 'ok')]
    """

    kind: ClassVar[str] = "contracts.estimate"

    lengths: Mapping[str, int]
    level: float | None

    def churn(self, term: Cell, *, group: Cell = None) -> MonthlyChurn:
        """The monthly churn of one term, ready for ``Term(monthly_churn=…)``.

        Parameters
        ----------
        term : str or number
            The term, as in the column ``term``.
        group : str or number, optional
            The group, as in the column ``group``; by default all clients of the term.

        Returns
        -------
        MonthlyChurn
            With its interval, and the counts from which ``compare`` draws.

        Raises
        ------
        InputError
            If there is no such row.
        """
        row = self._row(term, group)
        months = self.lengths.get(str(term), 1)
        method: Method = "person_months" if months == 1 else "renewals"
        low, high, found = row["low"], row["high"], row["monthly_churn"]
        interval = None
        if self.level is not None and low is not None and high is not None:
            interval = Interval(low=_float(low), high=_float(high), level=self.level, method=_INTERVALS[method])
        exposure = row["months_of_service"] if method == "person_months" else row["renewals"]
        return MonthlyChurn(
            estimate=None if found is None else _float(found),
            interval=interval,
            unit="share a month",
            definition=f"contracts.monthly_churn/{method.replace('_', '-')}",
            notes=tuple(note for note in self.notes if note.startswith(f"{term}:")),
            status=str(row["status"]),
            backend=self.backend,
            term=str(term) if group is None else f"{term}, {group}",
            events=int(_float(row["churned"])),
            exposure=_float(exposure or 0.0),
            months=months,
            method=method,
        )

    def ratio(self, a: Cell, b: Cell) -> ChurnRateRatio:
        """How many times the churn of one term that of another is, within groups where clients are grouped.

        Parameters
        ----------
        a, b : str or number
            The terms, as in the column ``term``; both are taken as losses per month of service.

        Returns
        -------
        ChurnRateRatio
            ``estimate`` within groups, None where no group holds both terms, and ``raw`` over all clients.

        Raises
        ------
        InputError
            If a term is not in the table.

        Notes
        -----
        With d losses in t months of service, within groups i: sum of d_ai t_bi / t_i over sum of d_bi t_ai / t_i. Its
        logarithm has the variance sum of (d_ai + d_bi) t_ai t_bi / t_i^2 over the product of the two sums.
        """
        first, second = self._row(a, None), self._row(b, None)
        raw, raw_interval = _raw_ratio(_sums(first), _sums(second), self.level)
        strata = self._strata(a, b)
        grouped = "group" in self.columns
        pairs = [pair for _, *pair in strata] if grouped else [[_sums(first), _sums(second)]]
        numerators = tuple(d * u / (t + u) for (d, t), (_, u) in pairs)
        denominators = tuple(e * t / (t + u) for (_, t), (e, u) in pairs)
        top, bottom = sum(numerators), sum(denominators)
        found = top / bottom if bottom > 0 else None
        interval = raw_interval if not grouped else None
        if grouped and self.level is not None and found:
            variance = sum((d + e) * t * u / (t + u) ** 2 for (d, t), (e, u) in pairs) / (top * bottom)
            half = proportions.normal_quantile(self.level) * math.sqrt(variance)
            interval = Interval(
                low=found * math.exp(-half), high=found * math.exp(half), level=self.level, method="greenland_robins"
            )
        notes = []
        if grouped and not strata:
            notes.append(
                f"No group holds months of service under both {a} and {b}: term and group cannot be told apart."
            )
        elif found is None:
            notes.append(f"No client of {b} was lost, so no ratio to its churn exists.")
        return ChurnRateRatio(
            estimate=found,
            interval=interval,
            unit="ratio of monthly churns",
            definition="contracts.churn_rate_ratio/" + ("mantel-haenszel" if grouped else "raw"),
            notes=tuple(notes),
            status="ok" if found is not None else "undefined",
            backend=self.backend,
            term=str(a),
            against=str(b),
            raw=raw,
            raw_interval=raw_interval,
            weighted_losses=numerators,
            weighted_losses_against=denominators,
            groups=tuple(str(name) for name, *_ in strata),
        )

    def explain(self) -> Explanation:
        """The working of the first row that has an estimate.

        Returns
        -------
        Explanation
            The last step gives its monthly churn.
        """
        row = next((row for row in self.rows() if row["status"] == "ok"), self.rows()[0])
        return self.churn(row["term"], group=row.get("group")).explain()

    def _strata(self, a: Cell, b: Cell) -> list[tuple[Cell, tuple[float, float], tuple[float, float]]]:
        """The groups in which both terms were served, with losses and months of each."""
        if "group" not in self.columns:
            return []
        found: dict[Cell, dict[Cell, tuple[float, float]]] = {}
        for row in self.rows():
            if row["group"] is not None:
                found.setdefault(row["group"], {})[row["term"]] = _sums(row)
        held = [(name, sums[a], sums[b]) for name, sums in found.items() if a in sums and b in sums]
        return [entry for entry in held if entry[1][1] > 0 and entry[2][1] > 0]

    def _row(self, term: Cell, group: Cell) -> dict[str, Cell]:
        for row in self.rows():
            if row["term"] == term and row.get("group") == group:
                return row
        known = sorted({str(name) for name in self.columns["term"]})
        where = "" if group is None else f" with a row for the group {group!r}"
        raise InputError(f"term is one of {known}{where}; got {term!r}.", argument="term")


def estimate(
    clients: adopt.NativeFrame,
    *,
    term: str,
    duration: str,
    churned: str,
    months: Mapping[str, int] | None = None,
    renewals: str | None = None,
    by: str | None = None,
    level: float | None = 0.95,
) -> TermEstimates:
    """The monthly churn of each contract term, from clients.

    Parameters
    ----------
    clients : dataframe
        One row per client: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    term : str
        Column of the contract term.
    duration : str
        Column of the months of service so far, or until the client left, at least 0.
    churned : str
        Column that is true, or 1, for clients who left.
    months : mapping of str to int, optional
        Length of each term in months; 1 for a client who may leave in any month. A term without a length has no
        estimate, and a note says so.
    renewals : str, optional
        Column of the renewals that each client has faced, the one at which it left included. By default they are
        counted from the duration: one at the end of each whole term, and at least one for a client who left.
    by : str, optional
        Column of groups, such as the size of the client, within which the terms are estimated too.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    TermEstimates
        Rows of ``term, clients, churned, months_of_service, renewals, monthly_churn, low, high, status``, with
        ``group`` where ``by`` is given. Rows with a missing value are counted in ``excluded``.

    Raises
    ------
    ColumnError
        If a column is missing, plays two roles or does not hold numbers.
    InputError
        If a duration is negative, ``churned`` is not true or false, or ``months`` names a term that no client has.

    Notes
    -----
    Under a term of one month clients can leave in every month of service: churn is losses over months of service,
    with the exact Poisson interval [1]_. Under a longer one they can leave at a renewal: p is losses over renewals
    faced, with the exact binomial interval [2]_, and the monthly churn is 1 - (1 - p)^(1 / months). The engine of the
    table sums by term; no row leaves it.

    References
    ----------
    .. [1] Garwood, F. (1936). Fiducial limits for the Poisson distribution. *Biometrika* 28, 437-442.
    .. [2] Clopper, C. J. and Pearson, E. S. (1934). The use of confidence or fiducial limits illustrated in the case of
       the binomial. *Biometrika* 26, 404-413.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> clients = rm.datasets.telco()
    >>> clients["left"] = clients["Churn"] == "Yes"
    >>> table = rm.contracts.estimate(
    ...     clients, term="Contract", duration="tenure", churned="left", months={"Month-to-month": 1, "One year": 12}
    ... )
    >>> for row in table.rows():
    ...     print(row["term"], row["churned"], row["monthly_churn"] and round(row["monthly_churn"], 5), row["status"])
    Month-to-month 1655 0.02368 ok
    One year 166 0.00314 ok
    Two year 48 None unknown_length
    """
    roles = {"term": term, "duration": duration, "churned": churned, "renewals": renewals, "group": by}
    source = adopt.adopt(adopt.once(clients, roles), roles)
    level = _checks.level(level)
    excluded, names = _check_rows(source, churned=churned)
    lengths = _lengths(months, names)

    sums = terms.term_sums(source, lengths=lengths, renewals=renewals is not None)
    _check_renewals(sums, lengths, renewals)
    pooled = _pooled(sums) if by is not None else sums
    ordered = [row for one in pooled for row in (one, *(s for s in sums if by is not None and s.term == one.term))]

    rows = [_row(row, lengths.get(row.term), level, grouped=by is not None) for row in ordered]
    return TermEstimates(
        definition="contracts.estimate/by-term",
        unit="share a month",
        excluded=excluded,
        notes=tuple(note for one in pooled for note in _notes(one, lengths.get(one.term))),
        backend=source.backend,
        columns=Columns({name: [row[name] for row in rows] for name in rows[0]}, types=_TYPES),
        lengths={str(name): length for name, length in lengths.items()},
        level=level,
    )


def _check_rows(source: adopt.Source, *, churned: str) -> tuple[dict[str, int], list[Cell]]:
    """Refuse what cannot be right, count what is missing, and name the terms."""
    for role in ("duration", "renewals"):
        if source.has(role) and not source.dtype(role).is_numeric():
            raise ColumnError(
                f"{role}={source.roles[role]!r} is a column of numbers; it holds {source.dtype(role)}.",
                argument=role,
                column=source.roles[role],
            )
    marks = groups.tally(source, by=("term", "churned"))
    if marks.rows == 0:
        raise InputError("clients has at least one row; got none.", argument="clients", count=0)
    strange = [mark for mark in marks.keys["churned"] if mark is not None and mark not in (0, 1)]
    if strange:
        raise InputError(
            f"{churned} is True or False, or 1 or 0; got {strange[0]!r}.",
            argument="churned",
            column=churned,
            first=strange[:3],
            fix=f"Compare it first with the word that means churned, as in frame[{churned!r}] == 'Yes'.",
        )
    faults = terms.faults(source)
    for role, words, count in faults.impossible:
        column = source.roles[role]
        raise InputError(
            f"{column} is {words} for every client; {count} of {faults.rows} are not.",
            argument=role,
            column=column,
            count=count,
        )
    if sum(faults.excluded.values()) == faults.rows:
        reasons = ", ".join(f"{reason} {count}" for reason, count in faults.excluded.items())
        raise InputError(f"no client is left to count: {reasons}.", argument="clients", count=0)
    return dict(faults.excluded), [name for name in dict.fromkeys(marks.keys["term"]) if name is not None]


def _lengths(months: Mapping[str, int] | None, names: Sequence[Cell]) -> dict[Cell, int]:
    if months is None:
        return {}
    if not isinstance(months, Mapping):
        raise InputError(
            f"months maps each term to its length in months; got {months!r}.",
            argument="months",
            fix=f"For instance {dict.fromkeys(names[:2], 1)!r}.",
        )
    strangers = [name for name in months if name not in names]
    if strangers:
        raise InputError(f"months names terms of the table, {list(names)!r}; got {strangers[0]!r}.", argument="months")
    return {name: _checks.count(length, name=f"months[{name!r}]", low=1) for name, length in months.items()}


def _check_renewals(sums: Sequence[TermSums], lengths: Mapping[Cell, int], renewals: str | None) -> None:
    for one in sums:
        if renewals is not None and lengths.get(one.term, 1) > 1 and one.churned > one.renewals:
            raise InputError(
                f"{renewals} counts the renewal at which a client left; {one.term!r} lost {one.churned} in "
                f"{one.renewals:g} renewals.",
                argument="renewals",
                column=renewals,
            )


def _pooled(sums: Sequence[TermSums]) -> list[TermSums]:
    """The groups of each term together."""
    found: dict[Cell, TermSums] = {}
    for one in sums:
        before = found.get(one.term)
        found[one.term] = (
            one._replace(group=None)
            if before is None
            else TermSums(
                one.term,
                None,
                before.clients + one.clients,
                before.churned + one.churned,
                before.months + one.months,
                before.renewals + one.renewals,
                before.lost_between + one.lost_between,
            )
        )
    return list(found.values())


def _row(one: TermSums, length: int | None, level: float | None, *, grouped: bool) -> dict[str, Cell]:
    found, low, high, status = _monthly(one, length, level)
    return {
        "term": one.term,
        **({"group": one.group} if grouped else {}),
        "clients": one.clients,
        "churned": one.churned,
        "months_of_service": one.months,
        "renewals": one.renewals if length is not None and length > 1 else None,
        "monthly_churn": found,
        "low": low,
        "high": high,
        "status": status,
    }


def _monthly(
    one: TermSums, length: int | None, level: float | None
) -> tuple[float | None, float | None, float | None, str]:
    """The monthly churn with its ends, and whether there is one."""
    if length is None:
        return None, None, None, "unknown_length"
    exposure = one.months if length == 1 else one.renewals
    if exposure == 0:
        return None, None, None, "no_exposure"
    rate = one.churned / exposure
    if rate > 1:
        return None, None, None, "above_one"
    if length == 1:
        if level is None:
            return rate, None, None, "ok"
        low, high = poisson.rate_interval(np.array(float(one.churned)), np.array(exposure), level=level)
        return rate, float(low), min(float(high), 1.0), "ok"
    monthly = -math.expm1(math.log1p(-rate) / length) if rate < 1 else 1.0
    if level is None:
        return monthly, None, None, "ok"
    ends = proportions.share_interval(
        np.array(float(one.churned)), np.array(exposure), level=level, method="clopper_pearson"
    )
    low_end, high_end = (1 - (1 - float(end)) ** (1 / length) for end in ends)
    return monthly, min(low_end, monthly), max(high_end, monthly), "ok"


def _notes(one: TermSums, length: int | None) -> list[str]:
    if length is None:
        return [f"{one.term}: no estimate without the length of the term; give it in months=."]
    if (one.months if length == 1 else one.renewals) == 0:
        watched = "a month of service" if length == 1 else f"the end of a term of {length} months"
        return [f"{one.term}: no estimate, for no client has seen {watched} yet."]
    if length == 1 and one.churned > one.months:
        return [f"{one.term}: no estimate, for more clients were lost than months served; are durations in months?"]
    if length > 1 and one.lost_between:
        return [
            f"{one.term}: {one.lost_between} of {one.churned} clients lost left at another time than the end of a "
            f"{length}-month term, as counted from the start of service; each counts at the renewal before it, or "
            "the first."
        ]
    return []


def _sums(row: Mapping[str, Cell]) -> tuple[float, float]:
    """Losses and months of service."""
    return _float(row["churned"]), _float(row["months_of_service"])


def _raw_ratio(
    a: tuple[float, float], b: tuple[float, float], level: float | None
) -> tuple[float | None, Interval | None]:
    """The ratio of two rates with its exact interval: given the losses in all, those of one are binomial."""
    (lost_a, months_a), (lost_b, months_b) = a, b
    if months_a == 0 or months_b == 0 or lost_a + lost_b == 0:
        return None, None
    ratio = (lost_a / months_a) / (lost_b / months_b) if lost_b else None
    if level is None:
        return ratio, None
    low, high = proportions.share_interval(
        np.array(lost_a), np.array(lost_a + lost_b), level=level, method="clopper_pearson"
    )
    odds = [math.inf if end == 1 else float(end) / (1 - float(end)) for end in (low, high)]
    ends = [end * months_b / months_a for end in odds]
    return ratio, Interval(low=ends[0], high=ends[1], level=level, method="exact_conditional")


def _float(cell: Cell) -> float:
    return float(str(cell))
