"""Sums by contract term: clients, losses, months of service and renewals, in one group-by of the user's engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

import narwhals as nw

from retention_metrics._engine import tenures
from retention_metrics._engine.adopt import NativeFrame, Source, collect
from retention_metrics.periods import DAYS

# A whole number of no month's length, for a day that is not there.
_NEVER = 10_000_000


class Fault(NamedTuple):
    """A number or date that cannot be: its argument and column, the rule, and where it is broken."""

    argument: str
    column: str
    rule: str
    broken: nw.Expr


@dataclass(frozen=True)
class Clients:
    """One row per client: ``term``, ``group``, ``duration`` in months, ``churned``, and how renewals are known.

    ``reasons`` say which rows are left out. Renewals are in ``renewals`` and ``between``, or follow from the term's
    length by ``served`` months and whether these are ``exact``; by dates, ``span`` months hold ``steps`` terms.
    """

    source: Source
    frame: nw.LazyFrame[Any]
    reasons: Mapping[str, nw.Expr]
    faults: Sequence[Fault]

    def has(self, column: str) -> bool:
        """Whether the rows have a column."""
        return column in self.frame.collect_schema().names()

    @property
    def kept(self) -> nw.LazyFrame[Any]:
        """The rows that count."""
        frame = self.frame
        for left_out in self.reasons.values():
            frame = frame.filter(~left_out)
        return frame


class TermSums(NamedTuple):
    """The sums of one term, within one group where groups are asked for.

    ``renewals`` are those faced by the clients of a term, ``lost_between`` the clients lost at another time than a
    term's end, and ``renewed`` those who faced one and are there. Where renewals have dates, ``steps`` terms last
    ``span`` months in all, from ``shortest`` to ``longest`` by client.
    """

    term: Any
    group: Any
    clients: int
    churned: int
    months: float
    renewals: float
    lost_between: int
    renewed: int
    span: float = 0.0
    steps: int = 0
    shortest: float | None = None
    longest: float | None = None

    def plus(self, other: TermSums) -> TermSums:
        """The sums of both, of one term."""
        ends = [end for end in (self.shortest, other.shortest, self.longest, other.longest) if end is not None]
        return TermSums(
            term=self.term,
            group=None,
            clients=self.clients + other.clients,
            churned=self.churned + other.churned,
            months=self.months + other.months,
            renewals=self.renewals + other.renewals,
            lost_between=self.lost_between + other.lost_between,
            renewed=self.renewed + other.renewed,
            span=self.span + other.span,
            steps=self.steps + other.steps,
            shortest=min(ends, default=None),
            longest=max(ends, default=None),
        )


def of_durations(source: Source) -> Clients:
    """Clients by the months of service and the outcome."""
    numbers = [role for role in ("duration", "churned", "renewals") if source.has(role)]
    # Outcomes as floats too: pandas holds true, false and unknown as objects or as floats with NaN.
    frame = source.by_role().with_columns(nw.col(role).cast(nw.Float64) for role in numbers)
    faults = []
    for role in (role for role in ("duration", "renewals") if source.has(role)):
        column, value = source.roles[role], nw.col(role)
        faults += [
            Fault(role, column, "finite", ~value.is_finite()),
            Fault(role, column, "at least 0", value < 0),
        ]
    reasons = {f"missing_{role}": _missing(role, number=role in numbers) for role in source.roles}
    frame = frame.with_columns(nw.col("duration").alias("served"), nw.lit(True).alias("exact"))
    if source.has("renewals"):
        frame = frame.with_columns(nw.lit(0.0).alias("between"))
    return Clients(source, frame, reasons, faults)


def of_dates(
    data: NativeFrame, roles: Mapping[str, str | None], *, renewal_dates: Sequence[str], as_of: object
) -> Clients:
    """Clients by the days on which they began and left, and those of their renewals: roles, in rising order."""
    tenure = tenures.read(data, roles, begin="start", end="end", as_of=as_of, dates=renewal_dates)
    source = tenure.source
    columns = {
        "days": (nw.col("_last") - nw.col("_begun")).cast(nw.Float64),
        "churned": nw.col("_ended").cast(nw.Float64),
        "unknown": ~nw.col("_known"),
        "late": nw.col("_late"),
    }
    columns |= {role: source.column(role) for role in ("term", "group") if source.has(role)}
    faults = [Fault("end", source.roles["end"], f"on or after {source.roles['start']}", nw.col("days") < 0)]
    frame = tenure.frame
    if renewal_dates:
        frame, found = _with_renewal_dates(tenure, renewal_dates)
        columns |= {name: nw.col(f"_{name}").cast(nw.Float64) for name in ("renewals", "between", "span", "steps")}
        for place, fault in enumerate(found):
            columns[f"broken_{place}"] = fault.broken
            faults.append(fault._replace(broken=nw.col(f"broken_{place}")))
    elif source.has("renewals"):
        columns |= {"renewals": source.column("renewals").cast(nw.Float64), "between": nw.lit(0.0)}
        faults.append(Fault("renewals", source.roles["renewals"], "at least 0", nw.col("renewals") < 0))
    else:
        frame = tenures.with_calendar_months(tenure)
        columns |= {"served": nw.col("_months").cast(nw.Float64), "exact": nw.col("_exact")}
    frame = frame.select(**columns).with_columns((nw.col("days") / DAYS["month"]).alias("duration"))
    reasons = {"missing_term": _missing("term"), "missing_start": nw.col("unknown")}
    if source.has("group"):
        reasons["missing_group"] = _missing("group")
    if source.has("renewals"):
        reasons["missing_renewals"] = _missing("renewals", number=True)
    return Clients(source, frame, {**reasons, "after_as_of": nw.col("late")}, faults)


def _missing(role: str, *, number: bool = False) -> nw.Expr:
    value = nw.col(role)
    return value.is_null() | value.is_nan() if number else value.is_null()


def _with_renewal_dates(tenure: tenures.Tenure, roles: Sequence[str]) -> tuple[nw.LazyFrame[Any], list[Fault]]:
    """Renewals faced by their dates: one who left between two of them is counted at the nearer, or the first."""
    names, start = tenure.source.roles, tenure.source.roles["start"]
    day = {role: nw.col(f"_day_{role}") for role in roles}
    there = {role: nw.col(f"_there_{role}") for role in roles}
    ended, last, begun = nw.col("_ended"), nw.col("_last"), nw.col("_begun")

    faced = {role: there[role] & (day[role] <= last) for role in roles}
    ahead = {role: there[role] & (day[role] > last) for role in roles}
    frame = tenure.frame.with_columns(
        _greatest([nw.when(faced[role]).then(day[role]).otherwise(nw.lit(-_NEVER)) for role in roles]).alias("_before"),
        _least([nw.when(ahead[role]).then(day[role]).otherwise(nw.lit(_NEVER)) for role in roles]).alias("_ahead"),
        _greatest([nw.when(there[role]).then(day[role]).otherwise(begun) for role in roles]).alias("_final"),
        reduce(nw.Expr.__add__, [faced[role].cast(nw.Int64) for role in roles]).alias("_faced"),
        reduce(nw.Expr.__add__, [there[role].cast(nw.Int64) for role in roles]).alias("_steps"),
    )
    nearer = ended & (nw.col("_faced") > 0) & (nw.col("_ahead") - last < last - nw.col("_before"))
    frame = frame.with_columns((nw.col("_faced") + nearer.cast(nw.Int64)).alias("_passed"))
    passed = nw.col("_passed")
    frame = frame.with_columns(
        nw.when(ended & (passed < 1)).then(nw.lit(1)).otherwise(passed).alias("_renewals"),
        (ended & (nw.col("_before") != last)).alias("_between"),
        ((nw.col("_final") - begun).cast(nw.Float64) / DAYS["month"]).alias("_span"),
    )
    early = there[roles[0]] & (day[roles[0]] <= begun)
    faults = [Fault("renewal_dates", names[roles[0]], f"after {start}", early)]
    for first, second in pairwise(roles):
        turned = there[second] & (day[second] <= nw.when(there[first]).then(day[first]).otherwise(begun))
        faults.append(Fault("renewal_dates", names[second], f"after {start} and {names[first]}", turned))
    return frame, faults


def _greatest(days: Sequence[nw.Expr]) -> nw.Expr:
    return nw.max_horizontal(*days) if len(days) > 1 else days[0]


def _least(days: Sequence[nw.Expr]) -> nw.Expr:
    return nw.min_horizontal(*days) if len(days) > 1 else days[0]


class Audit(NamedTuple):
    """Rows in all and left out, by reason, and the faults that there are with the rows of each."""

    rows: int
    excluded: Mapping[str, int]
    faults: list[tuple[Fault, int]]


def audit(clients: Clients) -> Audit:
    """Count the rows left out, by the first reason, and the numbers and dates that cannot be."""
    known, parts = nw.lit(True), {"rows": nw.len()}
    for name, left_out in clients.reasons.items():
        parts[name] = (known & left_out).cast(nw.Int64).sum()
        known = known & ~left_out
    for place, fault in enumerate(clients.faults):
        parts[f"fault_{place}"] = (known & fault.broken).cast(nw.Int64).sum()
    cells = collect(clients.frame.select(*(part.alias(name) for name, part in parts.items())))
    found = {name: int(values[0] or 0) for name, values in cells.items()}
    return Audit(
        rows=found["rows"],
        excluded={name: found[name] for name in clients.reasons if found[name]},
        faults=[
            (fault, found[f"fault_{place}"]) for place, fault in enumerate(clients.faults) if found[f"fault_{place}"]
        ],
    )


def term_sums(clients: Clients, *, lengths: Mapping[Any, int]) -> list[TermSums]:
    """Sums by term, and by group where one plays that role; rows with a missing value stay out.

    Without dates or counts of renewals, a client of a term of M months who served d has faced floor(d / M) of them,
    and one who was lost at least one.
    """
    by = [role for role in ("term", "group") if clients.source.has(role)]
    frame, churned = clients.kept, nw.col("churned")
    if not clients.has("renewals"):
        frame = _with_renewals_by_length(frame, lengths)
    dated = clients.has("span")
    if dated:
        frame = frame.with_columns((nw.col("span") / nw.when(nw.col("steps") > 0).then(nw.col("steps"))).alias("step"))
    frame = frame.with_columns(((churned == 0) & (nw.col("renewals") > 0)).cast(nw.Int64).alias("renewed"))
    parts = {
        "clients": nw.len(),
        "churned": churned.sum(),
        "months": nw.col("duration").sum(),
        "renewals": nw.col("renewals").sum(),
        "lost_between": nw.col("between").sum(),
        "renewed": nw.col("renewed").sum(),
    }
    if dated:
        parts |= {
            "span": nw.col("span").sum(),
            "steps": nw.col("steps").sum(),
            "shortest": nw.col("step").min(),
            "longest": nw.col("step").max(),
        }
    found = collect(frame.group_by(*by).agg(*(part.alias(f"_{name}") for name, part in parts.items())))
    sums = [
        TermSums(
            term=found["term"][row],
            group=found["group"][row] if "group" in by else None,
            **{name: _cell(name, found[f"_{name}"][row]) for name in parts},
        )
        for row in range(len(found["_clients"]))
    ]
    return sorted(sums, key=lambda row: (str(row.term), str(row.group)))


def _with_renewals_by_length(frame: nw.LazyFrame[Any], lengths: Mapping[Any, int]) -> nw.LazyFrame[Any]:
    served, lost = nw.col("served"), nw.col("churned") == 1
    passed, between = nw.lit(0.0), nw.lit(0.0)
    for name, months in lengths.items():
        whole = (served / months).floor()
        faced = nw.when(lost & (whole < 1)).then(1.0).otherwise(whole)
        off = nw.when(lost & ((served != faced * months) | ~nw.col("exact"))).then(1.0).otherwise(0.0)
        own = nw.col("term") == name
        passed, between = nw.when(own).then(faced).otherwise(passed), nw.when(own).then(off).otherwise(between)
    return frame.with_columns(passed.alias("renewals"), between.alias("between"))


def _cell(name: str, value: Any) -> Any:
    if name in ("clients", "churned", "lost_between", "renewed", "steps"):
        return int(value or 0)
    return None if value is None and name in ("shortest", "longest") else float(value or 0.0)
