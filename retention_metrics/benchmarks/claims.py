"""What articles assert without data, to be put beside one's own estimate and never used as a default."""

from __future__ import annotations

import difflib
import math
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from typing import ClassVar, Literal, Self

from retention_metrics import _checks
from retention_metrics._stored import Stored
from retention_metrics.errors import BenchmarkUnavailableError, InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Json, Result, result

Side = Literal["below", "within", "above"]
Standing = Literal["below", "compatible", "above"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Stored):
    """A number that somebody asserts without showing data.

    Parameters
    ----------
    name : str
        Its name here.
    text : str
        What is asserted.
    source : str
        Who asserts it.
    unit : str
        Unit of the number; empty for a claim in words.
    definitions : tuple of str
        Definitions of results that it can be put beside, or the parts of them before the slash.
    population : str, optional
        Of whom it is said, where that is said.
    low, high : float or None
        Ends of what is claimed; both the same for one number, infinite where open, None for a claim in words.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> said = rm.benchmarks.claim("referral-deals")
    >>> said.low, said.high, said.unit
    (5.0, 5.0, 'ratio')
    """

    kind: ClassVar[str] = "benchmarks.claim"

    name: str
    text: str
    source: str
    unit: str
    definitions: tuple[str, ...]
    population: str | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "definitions", tuple(self.definitions))
        for entry in ("name", "text", "source"):
            if not str(getattr(self, entry)).strip():
                raise InputError(f"claim {self.name!r}: {entry} is a text; got {getattr(self, entry)!r}.")
        if (self.low is None) != (self.high is None):
            raise InputError(f"claim {self.name!r}: low and high are given together; an open end is infinite.")
        if self.low is not None and self.high is not None and not self.low <= self.high:
            raise InputError(f"claim {self.name!r}: low is at most high; got {self.low:g} and {self.high:g}.")

    def compare(self, value: Result | float) -> ClaimComparison:
        """Put one's own estimate beside the claim.

        Parameters
        ----------
        value : Result or float
            A result of one of the claim's definitions and its unit, or a number in that unit.

        Returns
        -------
        ClaimComparison
            On which side of the claim the estimate lies, and whether the interval is compatible with it.

        Raises
        ------
        InputError
            If the claim is one in words, or the result has no estimate, another definition or another unit.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> churn = rm.ratio(rm.churn.rate(start=200, lost=60), rm.churn.rate(start=400, lost=80))
        >>> seen = rm.benchmarks.claim("term-churn").compare(churn)
        >>> round(seen.estimate, 2), seen.side, seen.standing
        (1.5, 'below', 'below')
        """
        if self.low is None or self.high is None:
            raise InputError(f"claim {self.name!r} has no number to compare with: {self.text}", argument="value")
        given = value if isinstance(value, Result) else None
        if given is not None:
            self._require_same(given)
        number = _checks.number(float(given) if given is not None else value, name="value")
        interval = None if given is None else given.interval
        low, high = (number, number) if interval is None else (interval.low, interval.high)
        standing: Standing = "below" if high < self.low else "above" if low > self.high else "compatible"

        return ClaimComparison(
            estimate=number,
            interval=interval,
            unit=self.unit,
            definition=f"benchmarks.claim/{self.name}",
            excluded={} if given is None else given.excluded,
            notes=() if given is None else given.notes,
            backend="pandas" if given is None else given.backend,
            side="below" if number < self.low else "above" if number > self.high else "within",
            standing=standing,
            claim=self,
        )

    def _require_same(self, given: Result) -> None:
        if not {given.definition, given.definition.split("/")[0]} & set(self.definitions):
            known = " or ".join(self.definitions)
            raise InputError(
                f"claim {self.name!r} is about {known}; got {given.definition or given.kind}.", argument="value"
            )
        # A ratio of monthly churns is a ratio.
        if given.unit.split(" of ")[0] != self.unit:
            raise InputError(
                f"claim {self.name!r} is in the unit {self.unit!r}; got a result in {given.unit!r}.", argument="value"
            )

    def to_dict(self) -> dict[str, Json]:
        """The claim as JSON builtins; an open end is a word.

        Returns
        -------
        dict
            Readable by ``from_dict``.
        """
        stored: dict[str, Json] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        ends: dict[str, Json] = {
            end: str(bound) if bound is not None and math.isinf(bound) else bound
            for end, bound in (("low", self.low), ("high", self.high))
        }
        return {"kind": self.kind, "schema": self.schema, **stored, "definitions": list(self.definitions), **ends}

    @classmethod
    def from_dict(cls, data: Mapping[str, typing.Any]) -> Self:
        """The claim that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``.

        Returns
        -------
        Claim
            Checked like any other.
        """
        entries = cls._stored_fields(data)
        for end in ("low", "high"):
            entries[end] = None if entries.get(end) is None else float(entries[end])
        return cls(**entries)


@result
class ClaimComparison(Result):
    """One's own estimate beside a claim.

    Attributes
    ----------
    side : {"below", "within", "above"}
        Where the estimate lies from what is claimed.
    standing : {"below", "compatible", "above"}
        Where the whole interval lies; ``"compatible"`` where it holds some of what is claimed.
    claim : Claim
        What was asserted, by whom.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> kept = rm.retention.rate(start=50, end=46)
    >>> seen = rm.benchmarks.claim("recovery").compare(kept)
    >>> seen.estimate, seen.side, seen.standing
    (0.92, 'below', 'compatible')
    """

    kind: ClassVar[str] = "benchmarks.claim_comparison"

    side: Side
    standing: Standing
    claim: Claim

    def explain(self) -> Explanation:
        """The estimate, and what is claimed."""
        return Explanation(
            formula=f"claimed: {self.claim.text} One's own estimate is {self.side}, its interval {self.standing}.",
            values={"value": self.estimate},
            steps=(Step(name="estimate", expression="value"),),
            source=f"{self.claim.source}: asserted without data.",
        )


def claims() -> tuple[Claim, ...]:
    """All claims that come with the library.

    Returns
    -------
    tuple of Claim
        In alphabetical order of their names.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> [said.name for said in rm.benchmarks.claims()][:3]
    ['acquisition-cost', 'acquisition-cost-range', 'existing-revenue']
    """
    text = resources.files("retention_metrics.benchmarks").joinpath("claims.toml").read_text(encoding="utf-8")
    return tuple(_read(name, entries) for name, entries in sorted(tomllib.loads(text).items()))


def _read(name: str, entries: Mapping[str, typing.Any]) -> Claim:
    ends = {"low": -math.inf, "high": math.inf} if {"low", "high"} & set(entries) else {}
    return Claim(name=name, **{**ends, **entries})


def claim(name: str) -> Claim:
    """Claim of this name.

    Parameters
    ----------
    name : str
        One of the names in ``claims()``.

    Returns
    -------
    Claim
        What is asserted, by whom, and of whom.

    Raises
    ------
    BenchmarkUnavailableError
        If the library has no such claim.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.benchmarks.claim("spend-quartiles").text
    'The top quartile of spend churns at half the rate of the bottom quartile.'
    """
    known = {said.name: said for said in claims()}
    if name not in known:
        nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
        raise BenchmarkUnavailableError(
            f"no claim is named {name!r}; there are {', '.join(known)}. Did you mean {nearest[0]!r}?"
        )
    return known[name]
