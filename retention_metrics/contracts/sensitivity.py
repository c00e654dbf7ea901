"""How much the value of a term, or its lead over another, moves with each input: one by one, and two at a time."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal, NamedTuple

from retention_metrics import _checks
from retention_metrics.contracts.service import Setting
from retention_metrics.contracts.terms import Term
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, ColumnType, TableResult, result

__all__ = ["SensitivityGrid", "TermSensitivity"]

Input = Literal[
    "acquisition_cost",
    "fee_rate",
    "horizon_months",
    "monthly_churn",
    "monthly_discount_rate",
    "monthly_service_cost",
    "monthly_spend",
]
INPUTS: tuple[Input, ...] = (
    "monthly_spend",
    "monthly_churn",
    "fee_rate",
    "monthly_discount_rate",
    "monthly_service_cost",
    "acquisition_cost",
    "horizon_months",
)
_OF_THE_SETTING: Mapping[str, str] = {
    "monthly_spend": "spend",
    "monthly_discount_rate": "discount_rate",
    "monthly_service_cost": "service_cost",
    "acquisition_cost": "acquisition_cost",
    "horizon_months": "horizon",
}


@result
class TermSensitivity(TableResult):
    """How the value of a term, or its lead over another, moves with each input.

    Each moves alone; the widest comes first. The columns: ``input``; ``of``, the term whose input it is, or
    ``"all"``; ``input_low``, ``input_base`` and ``input_high``; ``value_low`` and ``value_high``, the value at
    either end of the input; ``swing``, their distance.

    Attributes
    ----------
    term : str
        The term.
    against : str or None
        The term whose value is taken off; None for the value alone.
    base : float
        The value with every input as it stands.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
    >>> table = compare(yearly, monthly_spend=50_000, horizon_months=24)
    >>> for row in table.sensitivity("yearly").rows():
    ...     print(row["input"], round(row["value_low"]), round(row["value_high"]))
    monthly_spend 44362 66544
    fee_rate 44362 66544
    horizon_months 47348 59833
    monthly_churn 58058 53133
    """

    kind: ClassVar[str] = "contracts.sensitivity"

    term: str
    against: str | None
    base: float

    def explain(self) -> Explanation:
        """The swing of the input that moves the value most.

        Returns
        -------
        Explanation
            The last step gives that swing.
        """
        row = self.rows()[0]
        return Explanation(
            formula="swing = |value at the input's high end − value at its low end|, all other inputs held",
            values={name: float(str(row[name])) for name in ("value_low", "value_high")},
            steps=(Step(name="swing", expression="abs(value_high - value_low)"),),
            source="One-way sensitivity analysis.",
        )


@result
class SensitivityGrid(TableResult):
    """The value of a term, or its lead over another, over a grid of two inputs.

    The columns: ``x`` and ``y``, the inputs' values; ``value``.

    Attributes
    ----------
    term : str
        The term whose inputs vary.
    against : str or None
        The term whose value is taken off; None for the value alone.
    x_input, y_input : str
        Names of the inputs.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.05)
    >>> table = compare(yearly, monthly_spend=50_000, horizon_months=24)
    >>> grid = table.sensitivity_grid("yearly", x=("monthly_churn", [0.02, 0.1]), y=("monthly_spend", [20_000, 50_000]))
    >>> [round(row["value"]) for row in grid.rows()]
    [25700, 18467, 64250, 46167]
    """

    kind: ClassVar[str] = "contracts.sensitivity_grid"

    term: str
    against: str | None
    x_input: str
    y_input: str

    def explain(self) -> Explanation:
        """What a cell holds.

        Returns
        -------
        Explanation
            Without steps: each cell is a present value of its own.
        """
        return Explanation(
            formula="value = present value of the term, less that of the other where one is named, at x and y",
            values={"x_input": self.x_input, "y_input": self.y_input},
            steps=(),
            source="Two-way sensitivity analysis.",
        )


class Varied(NamedTuple):
    """One input of one term, or of all, with the values it takes."""

    name: str
    of: Term | None
    low: float
    base: float
    high: float


def one_way(
    term: Term, against: Term | None, setting: Setting, inputs: Mapping[str, Sequence[float]] | None, change: float
) -> TermSensitivity:
    """A row per input, the one that moves the value most first."""
    base = _value(term, against, setting)
    varied = _chosen(term, setting, inputs) if inputs is not None else _usual(term, against, setting, change)
    rows: list[dict[str, Cell]] = []
    for entry in varied:
        at_low, at_high = (_value(*_with(term, against, setting, entry, value)) for value in (entry.low, entry.high))
        rows.append(
            {
                "input": entry.name,
                "of": "all" if entry.of is None else entry.of.name,
                "input_low": entry.low,
                "input_base": entry.base,
                "input_high": entry.high,
                "value_low": at_low,
                "value_high": at_high,
                "swing": abs(at_high - at_low),
            }
        )
    rows.sort(key=lambda row: -float(str(row["swing"])))
    return TermSensitivity(
        definition="contracts.sensitivity/one-way",
        unit="currency of monthly_spend",
        columns=_columns(rows),
        term=term.name,
        against=None if against is None else against.name,
        base=base,
    )


def grid(
    term: Term,
    against: Term | None,
    setting: Setting,
    x: tuple[str, Sequence[float]],
    y: tuple[str, Sequence[float]],
) -> SensitivityGrid:
    """A row per pair of values, y by y."""
    (x_name, x_values), (y_name, y_values) = _axis(x, "x"), _axis(y, "y")
    if x_name == y_name:
        raise InputError(f"x and y are two inputs; got {x_name!r} twice.", argument="y")
    rows: list[dict[str, Cell]] = []
    for y_value in y_values:
        at_y = _with(term, against, setting, _entry(term, setting, y_name), y_value)
        for x_value in x_values:
            moved = _with(*at_y, _entry(at_y[0], at_y[2], x_name), x_value)
            rows.append({"x": x_value, "y": y_value, "value": _value(*moved)})
    return SensitivityGrid(
        definition="contracts.sensitivity/two-way",
        unit="currency of monthly_spend",
        columns=_columns(rows),
        term=term.name,
        against=None if against is None else against.name,
        x_input=x_name,
        y_input=y_name,
    )


def _columns(rows: Sequence[Mapping[str, Cell]]) -> Columns:
    types: dict[str, ColumnType] = {name: "number" for name in rows[0] if name not in {"input", "of"}}
    return Columns({name: [row[name] for row in rows] for name in rows[0]}, types=types)


def _axis(axis: object, name: str) -> tuple[str, list[float]]:
    if not isinstance(axis, tuple) or len(axis) != 2:
        raise InputError(
            f"{name} is a pair of an input and its values; got {axis!r}.",
            argument=name,
            fix=f"For instance {name}=('monthly_churn', [0.02, 0.05, 0.10]).",
        )
    values = _checks.one_dimensional(_checks.floats(axis[1], name=name), name=name)
    if values.size < 2:
        raise InputError(f"{name} takes at least two values; got {values.size}.", argument=name)
    return _checks.choice(axis[0], INPUTS, name=name), values.tolist()


def _value(term: Term, against: Term | None, setting: Setting) -> float:
    return float(setting.value(term)) - (0.0 if against is None else float(setting.value(against)))


def _with(
    term: Term, against: Term | None, setting: Setting, entry: Varied, value: float
) -> tuple[Term, Term | None, Setting]:
    """The terms and the setting with one input at another value."""
    if entry.of is None:
        whole = float(max(round(value), 1)) if entry.name == "horizon_months" else value
        checked = _checks.non_negative(whole, name=entry.name)
        return term, against, dataclasses.replace(setting, **{_OF_THE_SETTING[entry.name]: checked})
    change: Callable[[Term], Term] = (
        (lambda given: given.with_churn(value))
        if entry.name == "monthly_churn"
        else (lambda given: dataclasses.replace(given, fee_rate=value, fee=None))
    )
    if against is not None and entry.of.name == against.name:
        return term, change(against), setting
    return change(term), against, setting


def _entry(term: Term, setting: Setting, name: str, low: float = math.nan, high: float = math.nan) -> Varied:
    if name in _OF_THE_SETTING:
        return Varied(name, None, low, getattr(setting, _OF_THE_SETTING[name]), high)
    base = term.constant_churn if name == "monthly_churn" else term.fee_rate
    return Varied(name, term, low, math.nan if base is None else base, high)


def _chosen(term: Term, setting: Setting, inputs: Mapping[str, Sequence[float]]) -> list[Varied]:
    found = []
    for name, ends in inputs.items():
        chosen = _checks.choice(name, INPUTS, name="inputs")
        values = _checks.one_dimensional(_checks.floats(ends, name=f"inputs[{name!r}]"), name=f"inputs[{name!r}]")
        if values.size != 2:
            raise InputError(f"inputs[{name!r}] is a low and a high value; got {values.tolist()}.", argument="inputs")
        entry = _entry(term, setting, chosen, float(values.min()), float(values.max()))
        found.append(entry._replace(base=entry.base if entry.base == entry.base else float(values.mean())))
    if not found:
        raise InputError("inputs names at least one input; got none.", argument="inputs")
    return found


def _usual(term: Term, against: Term | None, setting: Setting, change: float) -> list[Varied]:
    """Every input that is there to vary: a churn over its interval where it has one, the others by a share."""
    found = []
    both = [term] if against is None else [term, against]
    curves = any(each.constant_churn is None for each in both)
    for name in INPUTS:
        if name in _OF_THE_SETTING:
            base = getattr(setting, _OF_THE_SETTING[name])
            own = name in {"monthly_service_cost", "acquisition_cost"} and all(
                getattr(each, name) is not None for each in both
            )
            if base == 0 or math.isinf(base) or own or (name == "horizon_months" and curves):
                continue
            low, high = base * (1 - change), base * (1 + change)
            if name == "horizon_months":
                low, high = float(max(round(low), 1)), float(round(high))
            found.append(Varied(name, None, low, base, high))
            continue
        for each in both:
            base = each.constant_churn if name == "monthly_churn" else each.fee_rate
            if not base:
                continue
            low, high = base * (1 - change), base * (1 + change)
            interval = each.churn_evidence.interval if each.churn_evidence is not None else None
            if name == "monthly_churn" and interval is not None:
                low = interval.low if interval.low > 0 or math.isfinite(setting.horizon) else low
                high = interval.high
            found.append(Varied(name, each, low, base, min(high, 1.0) if name == "monthly_churn" else high))
    if not found:
        raise InputError("no input of the term is there to vary.", argument="inputs", fix="Name them in inputs=.")
    return found
