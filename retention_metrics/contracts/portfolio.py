"""Several terms sold side by side, and what it does to sell one of them no longer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.contracts.fitted import Drawn
from retention_metrics.contracts.service import Setting
from retention_metrics.contracts.terms import Term
from retention_metrics.contracts.uncertainty import interval_of
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step, Value
from retention_metrics.results import Cell, Columns, ColumnType, Interval, TableResult, result

__all__ = ["DroppedTerm", "Portfolio"]

Floats = NDArray[np.float64]
Draws = Mapping[str, Drawn | None]


@result
class Portfolio(TableResult):
    """What a prospect is worth where several terms are sold.

    Each signs one of them, or none; the estimate is the present value per prospect. The columns: ``term``;
    ``share`` of the prospects who sign it; ``present_value`` of a signed client; ``contribution``, their product;
    ``expected_months``.

    Attributes
    ----------
    unsigned : float
        Share of the prospects who sign nothing.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
    >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04, leaves="any_month")
    >>> table = compare([monthly, yearly], monthly_spend=1_000, horizon_months=float("inf"))
    >>> round(table.portfolio(shares={"monthly": 0.3, "yearly": 0.5}).estimate, 6)
    1125.0
    """

    kind: ClassVar[str] = "contracts.portfolio"

    unsigned: float

    def explain(self) -> Explanation:
        """The sum of the terms' contributions.

        Returns
        -------
        Explanation
            The last step gives the estimate.
        """
        contributions = [float(cell) for cell in self.columns["contribution"] if isinstance(cell, float)]
        return Explanation(
            formula="value per prospect = sum over terms of share of prospects × present value of a signed client",
            values={"contributions": contributions},
            steps=(Step(name="value_per_prospect", expression="sum(contributions)"),),
            source="Law of total expectation.",
        )


@result
class DroppedTerm(TableResult):
    """Share of a term's clients who must sign another for dropping it to pay.

    A row for each other term and each of three cases. The columns: ``term``, signed instead; ``case``;
    ``present_value`` of a client who does; ``break_even_share``, from which on dropping pays, null where no share is
    enough; its ``low`` and ``high``, null where the churn is certain; ``status``, ``"ok"``, ``"never"`` or
    ``"always"``. The cases:

    - ``"like_the_others"``: those who sign churn like the term's other clients;
    - ``"own_churn_free"``: they keep their own churn and may leave in any month;
    - ``"own_churn_bound"``: they keep their own churn and are bound to each term's end.

    Attributes
    ----------
    dropped : str
        The term that is sold no longer.
    value_dropped : float
        Present value of a client who would have signed it.

    Examples
    --------
    >>> from retention_metrics.contracts import Term, compare
    >>> monthly = Term("monthly", 1, fee_rate=0.10, monthly_churn=0.08, leaves="any_month")
    >>> yearly = Term("yearly", 12, fee_rate=0.06, monthly_churn=0.04, leaves="any_month")
    >>> table = compare([monthly, yearly], monthly_spend=1_000, horizon_months=float("inf"))
    >>> [(row["case"], row["status"], row["break_even_share"] and round(row["break_even_share"], 3))
    ...  for row in table.drop("monthly").rows()]
    [('like_the_others', 'ok', 0.833), ('own_churn_free', 'never', None), ('own_churn_bound', 'never', None)]
    """

    kind: ClassVar[str] = "contracts.dropped_term"

    dropped: str
    value_dropped: float

    def explain(self) -> Explanation:
        """The break-even share of the first row that has one.

        Returns
        -------
        Explanation
            The last step gives that share.
        """
        row = next((row for row in self.rows() if row["status"] == "ok"), None)
        values: dict[str, Value] = {"value_dropped": self.value_dropped}
        if row is not None:
            values["present_value"] = float(str(row["present_value"]))
        return Explanation(
            formula="share of the dropped term's clients who must sign the other = present value of a client under the "
            "dropped term / under the other",
            values=values,
            steps=(Step(name="break_even_share", expression="value_dropped / present_value"),) if row else (),
            source="Equality of expected present values.",
        )


def portfolio(
    terms: Sequence[Term],
    rows: Sequence[Mapping[str, Cell]],
    shares: Mapping[str, float],
    draws: Draws,
    setting: Setting,
    level: float | None,
) -> Portfolio:
    """The value per prospect of a mix of terms."""
    chosen = _checked_shares(terms, shares)
    by_name = {term.name: (term, row) for term, row in zip(terms, rows, strict=True)}
    values = {name: float(str(by_name[name][1]["present_value"])) for name in chosen}
    total = sum(share * values[name] for name, share in chosen.items())
    interval = None
    if level is not None and any(draws[name] is not None for name in chosen):
        drawn = sum(share * setting.value(by_name[name][0], draws[name]) for name, share in chosen.items())
        low, high = interval_of(np.asarray(drawn), level)
        interval = Interval(low=min(float(low), total), high=max(float(high), total), level=level, method="monte_carlo")
    return Portfolio(
        estimate=total,
        interval=interval,
        unit="currency of monthly_spend per prospect",
        definition="contracts.portfolio/expected-present-value",
        columns=Columns(
            {
                "term": list(chosen),
                "share": list(chosen.values()),
                "present_value": list(values.values()),
                "contribution": [share * values[name] for name, share in chosen.items()],
                "expected_months": [by_name[name][1]["expected_months"] for name in chosen],
            }
        ),
        unsigned=max(1 - sum(chosen.values()), 0.0),
    )


def _checked_shares(terms: Sequence[Term], shares: object) -> dict[str, float]:
    if not isinstance(shares, Mapping) or not shares:
        raise InputError(
            f"shares maps the names of terms to shares of the prospects; got {shares!r}.",
            argument="shares",
            fix="For instance {'monthly': 0.3, 'yearly': 0.5}.",
        )
    names = [term.name for term in terms]
    strangers = [name for name in shares if name not in names]
    if strangers:
        raise InputError(f"shares names the terms {names!r}; got {strangers[0]!r}.", argument="shares")
    checked = {str(name): _checks.share(share, name=f"shares[{name!r}]") for name, share in shares.items()}
    if sum(checked.values()) > 1 + 1e-9:
        raise InputError(
            f"shares add up to at most 1, all prospects; got {sum(checked.values()):.6g}.", argument="shares"
        )
    return checked


def drop(terms: Sequence[Term], dropped: Term, draws: Draws, setting: Setting, level: float | None) -> DroppedTerm:
    """What share of those who would sign a term must sign each other term for dropping it to pay."""
    worth = float(setting.value(dropped))
    lost = setting.value(dropped, draws[dropped.name])
    cells: list[dict[str, Cell]] = []
    for target in terms:
        if target.name == dropped.name:
            continue
        for case, moved, moved_draws in _cases(dropped, target, draws):
            value = float(setting.value(moved))
            share, status = _break_even_share(worth, value)
            low = high = None
            if status == "ok" and level is not None and (lost.ndim or moved_draws is not None):
                gained = setting.value(moved, moved_draws)
                with np.errstate(divide="ignore"):
                    ratios = np.where(gained > 0, np.maximum(lost, 0.0) / gained, np.inf)
                ends = interval_of(np.minimum(ratios, 1.0), level)
                low, high = float(ends[0]), float(ends[1])
            cells.append(
                {
                    "term": target.name,
                    "case": case,
                    "present_value": value,
                    "break_even_share": share,
                    "low": low,
                    "high": high,
                    "status": status,
                }
            )
    if not cells:
        raise InputError(
            f"nothing is left to sell without {dropped.name!r}.", argument="term", fix="Compare it with another term."
        )
    types: dict[str, ColumnType] = {"break_even_share": "number", "low": "number", "high": "number"}
    return DroppedTerm(
        definition="contracts.dropped_term/equal-present-value",
        unit="share of those who would sign the dropped term",
        columns=Columns({name: [row[name] for row in cells] for name in cells[0]}, types=types),
        dropped=dropped.name,
        value_dropped=worth,
    )


def _cases(dropped: Term, target: Term, draws: Draws) -> list[tuple[str, Term, Drawn | None]]:
    own = draws[dropped.name]
    free = _with_churn_of(dropped, target, leaves="any_month")
    bound = _with_churn_of(dropped, dataclasses.replace(target, early_termination_fee=0.0), leaves="at_renewal")
    return [
        ("like_the_others", target, draws[target.name]),
        ("own_churn_free", free, own),
        ("own_churn_bound", bound, own),
    ]


def _with_churn_of(source: Term, target: Term, *, leaves: str) -> Term:
    if source.survival_step == "term" and source.months > 1:
        raise InputError(
            f"the clients of {source.name!r} keep their churn by the month; its survival is by "
            f"{source.months}-month term.",
            argument="term",
            fix="Give it a survival by month, or a monthly_churn.",
        )
    return dataclasses.replace(
        target,
        monthly_churn=source.monthly_churn,
        survival=source.survival,
        survival_step=None if source.survival is None else "month",
        tail=source.tail,
        churn_evidence=source.churn_evidence,
        survival_errors=source.survival_errors,
        renewal_churn=None,
        leaves=leaves,  # type: ignore[arg-type]
    )


def _break_even_share(worth: float, value: float) -> tuple[float | None, str]:
    if worth <= 0:
        return None, "always"
    if value <= 0 or worth > value:
        return None, "never"
    return worth / value, "ok"
