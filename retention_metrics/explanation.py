"""The working behind a number: formula, values and steps that can be evaluated."""

from __future__ import annotations

import ast
import html
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from retention_metrics._stored import Frozen

Value = float | int | str | None | Sequence[float]

_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def _normal_quantile(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


_FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "abs": abs,
    "exp": math.exp,
    "gamma": math.gamma,
    "lgamma": math.lgamma,
    "log": math.log,
    "max": max,
    "min": min,
    "sqrt": math.sqrt,
    "sum": sum,
    "z": _normal_quantile,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Frozen):
    """One line of working.

    Parameters
    ----------
    name : str
        What the line computes.
    expression : str
        Arithmetic over the values and the steps before it: ``+ - * / // % **``, ``sqrt``, ``exp``, ``log``,
        ``min``, ``max``, ``sum``, ``abs``, ``gamma``, ``lgamma`` and ``z(level)``, the normal quantile at
        ``(1 + level) / 2``.
    """

    name: str
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(Frozen):
    """How a number came about.

    Parameters
    ----------
    formula : str
        The formula in words and symbols.
    values : mapping
        What went in, by name.
    steps : tuple of Step
        The working; the last step gives the estimate.
    source : str
        Who published the formula, and when.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> working = rm.retention.rate(start=100, end=90).explain()
    >>> working.evaluate()["rate"]
    0.9
    """

    formula: str
    values: Mapping[str, Value]
    steps: tuple[Step, ...]
    source: str

    def evaluate(self) -> dict[str, float | None]:
        """The value of every step, in order.

        Returns
        -------
        dict of str to float or None
            None where a step divides by zero or stands on one that does.
        """
        known: dict[str, Value] = dict(self.values)
        found: dict[str, float | None] = {}
        for step in self.steps:
            found[step.name] = known[step.name] = _evaluate(step.expression, known)
        return found

    def __str__(self) -> str:
        lines = [self.formula]
        lines += [f"  {name} = {_shown(value)}" for name, value in self.values.items()]
        for step, value in zip(self.steps, self.evaluate().values(), strict=True):
            lines.append(f"  {step.name} = {step.expression} = {_shown(value)}")
        lines.append(f"Source: {self.source}")
        return "\n".join(lines)

    def markdown(self) -> str:
        """The working as Markdown, with its formulas as LaTeX.

        Returns
        -------
        str
            The formula in words, the values as a table, the steps and the source.
        """
        given = [f"| {name} | {_shown(value)} |" for name, value in self.values.items()]
        table = ["| value | |", "|---|---|", *given] if given else []
        return "\n".join([self.formula, "", *table, "", "$$", self.latex(), "$$", "", f"*Source: {self.source}*"])

    def latex(self) -> str:
        """The working as LaTeX.

        Returns
        -------
        str
            An ``aligned`` block, one line per step.
        """
        found = self.evaluate()
        lines = [
            rf"{_latex_name(step.name)} &= {_latex(ast.parse(step.expression, mode='eval').body)} = "
            rf"{_latex_number(found[step.name])}"
            for step in self.steps
        ]
        if not lines:
            escaped = self.formula.replace("\\", r"\backslash ").replace("_", r"\_").replace("%", r"\%")
            lines = [rf"&\text{{{escaped}}}"]
        return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return f"<pre>{html.escape(str(self))}</pre>"


def _evaluate(expression: str, known: Mapping[str, Value]) -> float | None:
    try:
        value = _value(ast.parse(expression, mode="eval").body, known)
    except (ZeroDivisionError, _UndefinedError):
        return None
    if isinstance(value, (str, Sequence)):
        raise TypeError(f"{expression!r} is not a number")
    return value


class _UndefinedError(Exception):
    """A step that stands on an undefined value."""


def _value(node: ast.expr, known: Mapping[str, Value]) -> float | Sequence[float]:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    if isinstance(node, ast.Name):
        found = known[node.id]
        if found is None:
            raise _UndefinedError
        if isinstance(found, str):
            raise TypeError(f"{node.id} is text")
        return found
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left, known), _number(node.right, known)
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, known)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _FUNCTIONS[node.func.id](*(_value(argument, known) for argument in node.args))
    raise TypeError(f"{ast.unparse(node)!r} is not arithmetic")


def _number(node: ast.expr, known: Mapping[str, Value]) -> float:
    value = _value(node, known)
    if isinstance(value, Sequence):
        raise TypeError(f"{ast.unparse(node)!r} is not a number")
    return value


_SYMBOLS = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\cdot", ast.Mod: r"\bmod"}
_PRECEDENCE = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Mod: 2}


def _latex(node: ast.expr, outer: int = 0) -> str:
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Div):
            return rf"\frac{{{_latex(node.left)}}}{{{_latex(node.right)}}}"
        if isinstance(node.op, ast.FloorDiv):
            return rf"\left\lfloor\frac{{{_latex(node.left)}}}{{{_latex(node.right)}}}\right\rfloor"
        if isinstance(node.op, ast.Pow):
            return rf"{_latex(node.left, 4)}^{{{_latex(node.right)}}}"
        own = _PRECEDENCE[type(node.op)]
        inner = f"{_latex(node.left, own)} {_SYMBOLS[type(node.op)]} {_latex(node.right, own + 1)}"
        return rf"\left({inner}\right)" if own < outer else inner
    if isinstance(node, ast.UnaryOp):
        return f"-{_latex(node.operand, 3)}"
    if isinstance(node, ast.Call):
        name, arguments = ast.unparse(node.func), ", ".join(_latex(argument) for argument in node.args)
        return rf"\sqrt{{{arguments}}}" if name == "sqrt" else rf"\operatorname{{{name}}}\left({arguments}\right)"
    if isinstance(node, ast.Name):
        return _latex_name(node.id)
    return ast.unparse(node)


def _latex_name(name: str) -> str:
    escaped = name.replace("_", r"\_")
    return name if len(name) == 1 else rf"\mathit{{{escaped}}}"


def _latex_number(value: float | None) -> str:
    return r"\text{undefined}" if value is None else _shown(value)


def _shown(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (str, int)) or value is None:
        return "undefined" if value is None else str(value)
    listed = ", ".join(_shown(entry) for entry in value[:8])
    return f"({listed}{', …' if len(value) > 8 else ''})"
