"""A report in a few plain sentences."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING

from retention_metrics.report import wording as write
from retention_metrics.results import Cell

if TYPE_CHECKING:
    from retention_metrics.report.findings import Check, Findings
    from retention_metrics.report.wording import Wording
    from retention_metrics.results import TableResult

Row = dict[str, Cell]


def sentences(found: Findings, say: Wording) -> list[str]:
    """What a reader in a hurry should know, in plain text; a question without an answer is passed over.

    Parameters
    ----------
    found : Findings
        The numbers.
    say : Wording
        The words.

    Returns
    -------
    list of str
        Whole sentences.
    """
    return [*_log(found, say), *_retention(found, say), *_model(found, say)]


def _log(found: Findings, say: Wording) -> list[str]:
    counts = {"customers": write.count(found.customers), "purchases": write.count(found.purchases)}
    said = [say("summary_bought", **counts, first=write.day(found.first), as_of=write.day(found.as_of))]
    if found.revenue is not None:
        said.append(say("summary_revenue", revenue=write.money(found.revenue)))
    part = found.repeat.estimate
    if part is not None:
        interval = say.between(found.repeat.interval, write.share)
        said.append(say("summary_repeat", share=write.share(part), interval=interval))
    return said


def _retention(found: Findings, say: Wording) -> list[str]:
    said = []
    pair = last_periods(found.by_period.value)
    if pair is not None:
        before, last = (write.period_name(date(row["period"]), found.period) for row in pair)
        values = {"start": write.count(number(pair[1]["start_customers"])), "before": before, "period": last}
        said.append(say("summary_period", **values, **rate(pair[1], say)))
    ages = later_ages(found.average.value)
    if ages:
        # Late ages rest on the oldest cohorts alone.
        oldest = [row for row in ages if 2 * number(row["size"]) >= number(ages[0]["size"])][-1]
        name = "summary_average" if oldest is not ages[0] else "summary_average_only"
        end = rate(oldest, say)
        shown = {"period": say(f"period_{found.period}"), **rate(ages[0], say), "age": str(oldest["age"])}
        shown |= {"periods": say(f"periods_{found.period}"), "later": end["rate"], "later_interval": end["interval"]}
        said.append(say(name, **shown))
    return said


def _model(found: Findings, say: Wording) -> list[str]:
    said = []
    horizon = say(f"horizon_{found.unit}", count=found.later)
    if found.buying.value is not None:
        later = found.buying.value.later
        expected = {
            "expected": write.expectation(later.value),
            "interval": say.between(later.interval, write.expectation),
        }
        said.append(say("summary_expected", horizon=horizon, **expected))
    if found.spending.value is not None:
        total = found.spending.value.total
        worth = {"total": write.money(total.value), "interval": say.between(total.interval, write.money)}
        said.append(say("summary_value", horizon=horizon, **worth))
    if found.check.value is not None:
        check = found.check.value
        expected = {
            "expected": write.expectation(check.expected.value),
            "interval": say.between(check.expected.interval, write.expectation),
        }
        said.append(say("summary_check", **expected, actual=write.count(check.actual), error=error(check, say)))
    return said


def error(check: Check, say: Wording) -> str:
    """How far what came lay from what was expected."""
    if check.expected.value == 0.0:
        return say("missing")
    off = check.actual / check.expected.value - 1
    if abs(off) < 0.0005:
        return say("check_same")
    return say("check_more" if off > 0 else "check_fewer", share=write.share(abs(off)))


def last_periods(table: TableResult | None) -> tuple[Row, Row] | None:
    """The last complete period with customers at its start, after the one before it."""
    rows = table.rows() if table is not None else []
    pairs = [(before, row) for before, row in itertools.pairwise(rows) if row["status"] == "ok"]
    return pairs[-1] if pairs else None


def later_ages(table: TableResult | None) -> list[Row]:
    """Rows of a curve after its beginning, where everybody is there."""
    rows = table.rows() if table is not None else []
    return [row for row in rows if row["rate"] is not None and number(row["age"]) > 0]


def rate(row: Row, say: Wording) -> dict[str, str]:
    """A row's rate and its interval, written out."""
    if row["rate"] is None:
        return {"rate": say("missing"), "interval": say("missing")}
    low, high = (number(row[name]) for name in ("low", "high"))
    return {"rate": write.share(number(row["rate"])), "interval": say.span(low, high, write.share)}


def number(cell: Cell) -> float:
    """A cell that holds a number."""
    return float(str(cell))


def date(cell: Cell) -> dt.date:
    """A cell that holds a date."""
    return dt.date.fromisoformat(str(cell))
