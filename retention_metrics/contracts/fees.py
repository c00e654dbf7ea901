"""Monthly fees: a share of the spend, a flat sum, or tiers of the spend; with a minimum and a rounding rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any, ClassVar, Literal, NamedTuple, Self

from retention_metrics import _checks
from retention_metrics._stored import Stored
from retention_metrics.errors import InputError

Basis = Literal["marginal", "whole"]
BASES: tuple[Basis, ...] = ("marginal", "whole")


class Line(NamedTuple):
    """A stretch of spend, from ``start`` to the next line's, on which the fee is ``intercept + slope * spend``."""

    start: Decimal
    intercept: Decimal
    slope: Decimal


@dataclass(frozen=True, slots=True)
class Fee(Stored):
    """What the three kinds of fee share: lines over the spend, a smallest unit of money, a dictionary."""

    def __post_init__(self) -> None:
        raise TypeError("Fee is a base class; give FeeShare, FeeFlat or FeeTiers.")

    def lines(self) -> tuple[Line, ...]:
        """The fee before rounding as straight lines over the spend, the first from 0."""
        raise NotImplementedError

    def monthly(self, spend: float) -> float:
        """The fee of one month.

        Parameters
        ----------
        spend : float
            What the client spends in the month, at least 0.

        Returns
        -------
        float
            In the currency of the spend, rounded to ``unit`` where one is given.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> contracts.FeeShare(0.07, unit=0.01).monthly(1_234.50)
        86.42
        """
        money = _decimal(_checks.non_negative(spend, name="spend"))
        line = [line for line in self.lines() if line.start <= money][-1]
        return float(_rounded(line.intercept + line.slope * money, getattr(self, "unit", None)))

    def to_dict(self) -> dict[str, object]:
        """The fee as JSON builtins.

        Returns
        -------
        dict
            Readable by ``from_dict``.
        """
        fields = {declared.name: _listed(getattr(self, declared.name)) for declared in dataclasses.fields(self)}
        return {"kind": self.kind, "schema": self.schema, **fields}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The fee that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``.

        Returns
        -------
        Fee
            Equal to the one that was stored.

        Raises
        ------
        InputError
            If the dictionary describes something else, or a newer schema.
        """
        return cls(**cls._stored_fields(data))


@dataclass(frozen=True, slots=True)
class FeeShare(Fee):
    """A share of the client's monthly spend, with a minimum.

    Parameters
    ----------
    rate : float
        Share of the monthly spend, at least 0: 0.10 for 10 %.
    minimum : float, default 0
        Least fee of a month, at least 0, in the currency of the spend.
    unit : float, optional
        Smallest unit of money: the month's fee is rounded to a multiple of it, half a unit upwards. By default
        nothing is rounded.

    Raises
    ------
    InputError
        If a number is below 0, or the unit is not above 0.

    Notes
    -----
    fee = max(minimum, rate * spend), in decimal arithmetic, so that half a cent is half a cent.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> fee = contracts.FeeShare(0.10, minimum=500)
    >>> fee.monthly(30_000), fee.monthly(2_000)
    (3000.0, 500.0)
    """

    kind: ClassVar[str] = "contracts.fee_share"

    rate: float
    minimum: float = 0.0
    unit: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", _checks.non_negative(self.rate, name="rate"))
        _adopt_minimum_and_unit(self, self.minimum, self.unit)

    def lines(self) -> tuple[Line, ...]:
        """The fee before rounding as straight lines over the spend.

        Returns
        -------
        tuple of Line
            Each with ``start``, ``intercept`` and ``slope``; the first starts at 0.
        """
        return _at_least((Line(Decimal(0), Decimal(0), _decimal(self.rate)),), _decimal(self.minimum))


@dataclass(frozen=True, slots=True)
class FeeFlat(Fee):
    """The same fee in every month, whatever the client spends.

    Parameters
    ----------
    amount : float
        Monthly fee, at least 0.
    unit : float, optional
        Smallest unit of money: the fee is rounded to a multiple of it, half a unit upwards.

    Raises
    ------
    InputError
        If the amount is below 0, or the unit is not above 0.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> contracts.FeeFlat(1_500).monthly(30_000)
    1500.0
    """

    kind: ClassVar[str] = "contracts.fee_flat"

    amount: float
    unit: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "amount", _checks.non_negative(self.amount, name="amount"))
        _adopt_minimum_and_unit(self, None, self.unit)

    def lines(self) -> tuple[Line, ...]:
        """The fee before rounding as straight lines over the spend.

        Returns
        -------
        tuple of Line
            One, without a slope.
        """
        return (Line(Decimal(0), _decimal(self.amount), Decimal(0)),)


@dataclass(frozen=True, slots=True)
class FeeTiers(Fee):
    """A share of the spend that changes with the spend.

    Parameters
    ----------
    tiers : sequence of (float, float)
        Pairs of the spend at which a tier begins and its rate, the first at a spend of 0, rising.
    basis : {"marginal", "whole"}, default "marginal"
        ``"marginal"`` charges each tier's rate on the part of the spend that lies in it; ``"whole"`` charges the
        rate of the tier reached on all of the spend, so that the fee jumps where a tier begins.
    minimum : float, default 0
        Least fee of a month, at least 0.
    unit : float, optional
        Smallest unit of money: the month's fee is rounded to a multiple of it, half a unit upwards.

    Raises
    ------
    InputError
        If the tiers do not begin at 0 and rise, a rate is below 0, or the unit is not above 0.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> tiers = [(0, 0.10), (20_000, 0.08), (50_000, 0.06)]
    >>> contracts.FeeTiers(tiers).monthly(60_000), contracts.FeeTiers(tiers, basis="whole").monthly(60_000)
    (5000.0, 3600.0)
    """

    kind: ClassVar[str] = "contracts.fee_tiers"

    tiers: Sequence[tuple[float, float]]
    basis: Basis = "marginal"
    minimum: float = 0.0
    unit: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tiers", _checked_tiers(self.tiers))
        object.__setattr__(self, "basis", _checks.choice(self.basis, BASES, name="basis"))
        _adopt_minimum_and_unit(self, self.minimum, self.unit)

    def lines(self) -> tuple[Line, ...]:
        """The fee before rounding as straight lines over the spend.

        Returns
        -------
        tuple of Line
            Each with ``start``, ``intercept`` and ``slope``; the first starts at 0.
        """
        found, owed, before = [], Decimal(0), Line(Decimal(0), Decimal(0), Decimal(0))
        for start, rate in ((_decimal(start), _decimal(rate)) for start, rate in self.tiers):
            owed += before.slope * (start - before.start)
            intercept = owed - rate * start if self.basis == "marginal" else Decimal(0)
            before = Line(start, intercept, rate)
            found.append(before)
        return _at_least(tuple(found), _decimal(self.minimum))


def _at_least(lines: tuple[Line, ...], minimum: Decimal) -> tuple[Line, ...]:
    """The greater of the lines and a flat minimum, line by line; no line falls, for rates are at least 0."""
    found: list[Line] = []
    ends = [*(line.start for line in lines[1:]), None]
    for line, end in zip(lines, ends, strict=True):
        if line.intercept + line.slope * line.start >= minimum:
            found.append(line)
            continue
        found.append(Line(line.start, minimum, Decimal(0)))
        crossing = (minimum - line.intercept) / line.slope if line.slope else None
        if crossing is not None and (end is None or crossing < end):
            found.append(Line(crossing, line.intercept, line.slope))
    return tuple(found)


def _checked_tiers(tiers: object) -> tuple[tuple[float, float], ...]:
    fix = "For instance [(0, 0.10), (20_000, 0.08)]: 10 % up to 20,000, 8 % from there."
    if not isinstance(tiers, Sequence) or isinstance(tiers, str) or not tiers:
        raise InputError(f"tiers is a list of (spend, rate) pairs; got {tiers!r}.", argument="tiers", fix=fix)
    if any(not isinstance(tier, Sequence) or isinstance(tier, str) or len(tier) != 2 for tier in tiers):
        raise InputError(f"tiers holds pairs of a spend and a rate; got {tiers!r}.", argument="tiers", fix=fix)
    checked = tuple(
        (_checks.non_negative(start, name="spend of a tier"), _checks.non_negative(rate, name="rate of a tier"))
        for start, rate in tiers
    )
    starts = [start for start, _ in checked]
    if starts[0] != 0 or any(later <= earlier for earlier, later in pairwise(starts)):
        raise InputError(f"tiers begin at a spend of 0 and rise; got {starts}.", argument="tiers", fix=fix)
    return checked


def _adopt_minimum_and_unit(fee: Fee, minimum: float | None, unit: float | None) -> None:
    if minimum is not None:
        object.__setattr__(fee, "minimum", _checks.non_negative(minimum, name="minimum"))
    if unit is not None:
        object.__setattr__(fee, "unit", _checks.positive(unit, name="unit"))


def _decimal(value: float) -> Decimal:
    """The decimal number that the float is written as."""
    return Decimal(repr(float(value)))


def _rounded(money: Decimal, unit: float | None) -> Decimal:
    if unit is None:
        return money
    smallest = _decimal(unit)
    return (money / smallest).quantize(Decimal(1), rounding=ROUND_HALF_UP) * smallest


def _listed(value: object) -> object:
    return [list(pair) for pair in value] if isinstance(value, tuple) else value
