"""The churn of contract terms from real clients: by the month, by the renewal, and within groups of equal size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics._engine import adopt, groups, terms
from retention_metrics._engine.terms import TermSums
from retention_metrics._stats import poisson, proportions
from retention_metrics.contracts.churn_rates import ChurnRateRatio, Method, MonthlyChurn
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.explanation import Explanation
from retention_metrics.results import Cell, Columns, ColumnType, Interval, TableResult, result

__all__ = ["TermEstimates", "estimate"]

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
    duration: str | None = None,
    churned: str | None = None,
    start: str | None = None,
    end: str | None = None,
    as_of: object = None,
    months: Mapping[str, int] | None = None,
    renewals: str | None = None,
    renewal_dates: str | Sequence[str] | None = None,
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
    duration, churned : str, optional
        Columns of the months of service so far, or until the client left, at least 0, and of what is true, or 1, for
        clients who left. Either these two or ``start`` and ``end`` are given.
    start, end : str, optional
        Columns of the first day of service, and of the day on which the client left; a missing ``end`` is a client
        who is still there.
    as_of : date or str, optional
        End of observation beside ``start`` and ``end``; by default the last day in them.
    months : mapping of str to int, optional
        Length of each term in months; 1 for a client who may leave in any month. A term without a length has no
        estimate, and a note says so, unless ``renewal_dates`` tell it.
    renewals : str, optional
        Column of the renewals that each client has faced, the one at which it left included. By default they are
        counted from the time served: one at the end of each whole term (in calendar months, by dates), and at least
        one for a client who left.
    renewal_dates : str or sequence of str, optional
        Columns of the days of the first, second, ... renewal of each client, beside ``start`` and ``end``; missing
        where there is none, and those after ``as_of`` are still to come. One column does where a row is one term
        served. They count the renewals faced, and their distance is the length of a term.
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
        If a duration is negative, a client left or was renewed before it began, ``churned`` is not true or false,
        ``months`` names a term that no client has or contradicts the dates of the renewals, or not exactly one pair
        of columns is given.

    Notes
    -----
    Under a term of one month clients can leave in every month of service: churn is losses over months of service,
    with the exact Poisson interval [1]_. Under a longer one they can leave at a renewal: p is losses over renewals
    faced, with the exact binomial interval [2]_, and the monthly churn is 1 - (1 - p)^(1 / months). By dates a month of
    service is 365.25 / 12 days, and a client who left between two renewals is counted at the nearer, or at the first.
    The engine of the table sums by term; no row leaves it.

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

    Where renewals have dates, these say how long a term is:

    >>> import pandas as pd
    >>> yearly = pd.DataFrame({"term": ["yearly"] * 4, "signed": ["2023-03-01"] * 4, "renewed": ["2024-03-01"] * 4})
    >>> yearly["left"] = ["2024-03-01", None, None, None]
    >>> table = rm.contracts.estimate(
    ...     yearly, term="term", start="signed", end="left", as_of="2024-06-30", renewal_dates="renewed"
    ... )
    >>> table.lengths["yearly"], round(table.rows()[0]["monthly_churn"], 4)
    (12, 0.0237)
    """
    roles = {"term": term, "duration": duration, "churned": churned, "start": start, "end": end}
    dates = _check_roles({**roles, "as_of": as_of}, renewals, renewal_dates)
    level = _checks.level(level)
    rows, names = _read(clients, {**roles, "renewals": renewals, **dates, "group": by}, tuple(dates), as_of)
    excluded = _check_rows(rows)
    given = _lengths(months, names)

    sums = terms.term_sums(rows, lengths=given)
    pooled = _pooled(sums) if by is not None else sums
    lengths = {**_lengths_by_dates(pooled, given), **given}
    _check_renewals(sums, lengths, renewals)
    ordered = [row for one in pooled for row in (one, *(s for s in sums if by is not None and s.term == one.term))]

    cells = [_row(row, lengths.get(row.term), level, grouped=by is not None) for row in ordered]
    return TermEstimates(
        definition="contracts.estimate/by-term",
        unit="share a month",
        excluded=excluded,
        notes=tuple(note for one in pooled for note in _notes(one, lengths.get(one.term), by_dates=bool(dates))),
        backend=rows.source.backend,
        columns=Columns({name: [row[name] for row in cells] for name in cells[0]}, types=_TYPES),
        lengths={str(name): length for name, length in lengths.items()},
        level=level,
    )


def _check_roles(
    given: Mapping[str, object], renewals: str | None, renewal_dates: str | Sequence[str] | None
) -> dict[str, str]:
    """One pair of columns, and what may stand beside it; the renewal dates by role."""
    _checks.one_pair(given, ("duration", "churned"), ("start", "end"), caller="estimate")
    if renewal_dates is None:
        return {}
    if renewals is not None or given["start"] is None:
        beside = "renewals= counts what they date" if renewals is not None else "they are told by start= and end="
        raise InputError(
            f"renewal_dates= are days; {beside}.",
            argument="renewal_dates",
            fix="Leave one of them out." if renewals is not None else "Give start= and end= in place of durations.",
        )
    columns = [renewal_dates] if isinstance(renewal_dates, str) else list(renewal_dates)
    if not columns:
        raise InputError("renewal_dates names at least one column; got none.", argument="renewal_dates")
    return {f"renewal_dates[{place}]": column for place, column in enumerate(columns)}


def _read(
    clients: adopt.NativeFrame, roles: Mapping[str, str | None], dates: Sequence[str], as_of: object
) -> tuple[terms.Clients, list[Cell]]:
    """The clients, and the names of their terms."""
    clients = adopt.once(clients, roles)
    if roles["start"] is not None:
        if roles["renewals"] is not None:
            _refuse_words(adopt.adopt(clients, {"renewals": roles["renewals"]}), "renewals")
        rows = terms.of_dates(clients, roles, renewal_dates=dates, as_of=as_of)
        return rows, _distinct(groups.tally(rows.source, by=("term",)).keys["term"])
    source = adopt.adopt(clients, roles)
    for role in ("duration", "renewals"):
        _refuse_words(source, role)
    marks = groups.tally(source, by=("term", "churned"))
    if marks.rows == 0:
        raise InputError("clients has at least one row; got none.", argument="clients", count=0)
    strange = [mark for mark in marks.keys["churned"] if mark is not None and mark not in (0, 1)]
    if strange:
        churned = source.roles["churned"]
        raise InputError(
            f"{churned} is True or False, or 1 or 0; got {strange[0]!r}.",
            argument="churned",
            column=churned,
            first=strange[:3],
            fix=f"Compare it first with the word that means churned, as in frame[{churned!r}] == 'Yes'.",
        )
    return terms.of_durations(source), _distinct(marks.keys["term"])


def _distinct(names: Sequence[Cell]) -> list[Cell]:
    return [name for name in dict.fromkeys(names) if name is not None]


def _refuse_words(source: adopt.Source, role: str) -> None:
    if source.has(role) and not source.dtype(role).is_numeric():
        raise ColumnError(
            f"{role}={source.roles[role]!r} is a column of numbers; it holds {source.dtype(role)}.",
            argument=role,
            column=source.roles[role],
        )


def _check_rows(clients: terms.Clients) -> dict[str, int]:
    """Refuse what cannot be right, and count what is missing."""
    found = terms.audit(clients)
    for fault, count in found.faults:
        raise InputError(
            f"{fault.column} is {fault.rule} for every client; {count} of {found.rows} are not.",
            argument=fault.argument,
            column=fault.column,
            count=count,
        )
    if sum(found.excluded.values()) == found.rows:
        reasons = ", ".join(f"{reason} {count}" for reason, count in found.excluded.items())
        raise InputError(f"no client is left to count: {reasons}.", argument="clients", count=0)
    return dict(found.excluded)


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


def _lengths_by_dates(pooled: Sequence[TermSums], given: Mapping[Cell, int]) -> dict[Cell, int]:
    """Months from renewal to renewal, as the dates have it."""
    found: dict[Cell, int] = {}
    for one in pooled:
        if not one.steps:
            continue
        mean = one.span / one.steps
        if abs(given.get(one.term, mean) - mean) >= 0.5:
            raise InputError(
                f"months says that {one.term!r} lasts {given[one.term]}; its renewals are {mean:.1f} months apart.",
                argument="months",
                fix=f"Correct one of them, or leave {one.term!r} out of months.",
            )
        found[one.term] = max(round(mean), 1)
    return found


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
        found[one.term] = found[one.term].plus(one) if one.term in found else one._replace(group=None)
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


def _notes(one: TermSums, length: int | None, *, by_dates: bool) -> list[str]:
    if length is None:
        known = "the dates of its renewals or the length of the term" if by_dates else "the length of the term"
        return [f"{one.term}: no estimate without {known}; give it in months=."]
    if (one.months if length == 1 else one.renewals) == 0:
        watched = "a month of service" if length == 1 else f"the end of a term of {length} months"
        return [f"{one.term}: no estimate, for no client has seen {watched} yet."]
    if length == 1 and one.churned > one.months:
        return [f"{one.term}: no estimate, for more clients were lost than months served; are durations in months?"]
    if length == 1:
        return []
    notes = _notes_on_dates(one, length) if by_dates else []
    if one.lost_between:
        ends = "a renewal's date" if by_dates else f"the end of a {length}-month term"
        counted = "the nearer renewal" if by_dates else "the renewal before it"
        origin = "" if by_dates else ", as counted from the start of service"
        notes.append(
            f"{one.term}: {one.lost_between} of {one.churned} clients lost left at another time than {ends}{origin}; "
            f"each counts at {counted}, or the first."
        )
    return notes


def _notes_on_dates(one: TermSums, length: int) -> list[str]:
    notes = []
    shortest, longest = one.shortest, one.longest
    if shortest is not None and longest is not None and longest - shortest > 1:
        notes.append(
            f"{one.term}: by their dates, terms last from {shortest:.1f} to {longest:.1f} months by client; the "
            f"monthly churn takes {length}."
        )
    if one.churned and not one.renewed:
        notes.append(
            f"{one.term}: no client who is still there has a renewal behind it. Where the dates are of the next "
            "renewal alone, leave them out and give the term's length in months=."
        )
    return notes


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
