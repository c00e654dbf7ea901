"""The sections of the page: each one's answer, or why there is none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from retention_metrics import periods
from retention_metrics.clv.dropout_model import ONE_TIME_NOTE
from retention_metrics.report import markup, pictures, summary
from retention_metrics.report import wording as write
from retention_metrics.report.markup import Html
from retention_metrics.report.summary import Row, date, number, rate

if TYPE_CHECKING:
    import pandas as pd

    from retention_metrics.clv import Fit
    from retention_metrics.report.findings import Answer, Buying, Check, Estimate, Findings, Spending
    from retention_metrics.report.wording import Wording
    from retention_metrics.results import TableResult

T = TypeVar("T")
_SHORT = 12  # rows of a table that stay in sight
_AGES = (1, 2, 3, 6, 12, 24)  # of a cohort, shown beside the curve


def _answered(answer: Answer[T], say: Wording, tell: Callable[[T], tuple[Html, ...]]) -> tuple[Html, ...]:
    if answer.value is None:
        return (markup.paragraph(say("no_answer", reason=say.tell(answer.reason)), role="none"),)
    return tell(answer.value)


def _beside(words: tuple[Html, ...], picture: Html) -> Html:
    """Words and numbers on the left, the drawing on the right."""
    return markup.block(markup.block(*words, role="words"), picture, role="pair")


def _with_interval(estimate: Estimate, write_number: Callable[[float], str], say: Wording) -> str:
    return say.with_interval(estimate.value, estimate.interval, write_number)


# ---------------------------------------------------------------- retention


def by_period(found: Findings, say: Wording) -> Html:
    """Retention by calendar period."""
    unit = say(f"period_{found.period}")
    title = say("period_title", period=unit)

    def tell(table: TableResult) -> tuple[Html, ...]:
        words = [markup.paragraph(say("period_lead", period=unit), role="lead")]
        words.append(markup.paragraph(say("period_incomplete", period=unit)))
        if found.since is None:
            words.append(markup.paragraph(say("period_log_start", period=unit)))
        words += _last_period(found, table, say)
        names = ("start", "retained", "lost", "new", "returned", "end", "rate", "interval")
        header = [say("col_period", period=unit), *(say(f"col_{name}") for name in names)]
        counts = ("start_customers", "retained", "lost", "new", "returned", "end_customers")
        rows = [
            [
                write.period_name(date(row["period"]), found.period),
                *(_count(row, name, say) for name in counts),
                *rate(row, say).values(),
            ]
            for row in table.rows()
        ]
        return (_curve(table, "period", title, words, say, period=unit), _rows(header, rows, say))

    return markup.section("period", title, *_answered(found.by_period, say, tell))


def _last_period(found: Findings, table: TableResult, say: Wording) -> list[Html]:
    """The last complete period, spelt out."""
    pair = summary.last_periods(table)
    if pair is None:
        return []
    before, period = (write.period_name(date(row["period"]), found.period) for row in pair)
    row, written = pair[1], rate(pair[1], say)
    rows = [
        (say("period_last", before=before), _count(row, "start_customers", say)),
        (say("period_retained", period=period), _count(row, "retained", say)),
        (say("period_lost", period=period), _count(row, "lost", say)),
        (
            say("period_rate", period=period),
            say("with_interval", estimate=written["rate"], interval=written["interval"]),
        ),
    ]
    return [markup.facts(rows)]


def _count(row: Row, name: str, say: Wording) -> str:
    return say("missing") if row[name] is None else write.count(number(row[name]))


def _curve(table: TableResult, name: str, title: str, words: list[Html], say: Wording, **values: str) -> Html:
    """Words beside the curve of a table; without it where a curve would be a point."""
    rated = [row for row in table.rows() if row["rate"] is not None and row.get("age") != 0]
    if len(rated) < 2:
        return markup.block(*words, role="words")
    drawn = pictures.curve(table, name=name, label=title)
    return _beside(tuple(words), markup.picture(drawn, say(f"{name}_caption", **values)))


def _rows(header: list[str], rows: list[list[str]], say: Wording) -> Html:
    """A table, folded away where it is long."""
    shown = markup.table(header, rows)
    return shown if len(rows) <= _SHORT else markup.folded(say("all_rows", count=len(rows)), shown)


def cohorts(found: Findings, say: Wording) -> Html:
    """The heat map of cohorts."""
    unit = say(f"period_{found.period}")
    title = say("cohorts_title")

    def tell(table: TableResult) -> tuple[Html, ...]:
        lead = [say("cohorts_lead", period=unit)]
        lead += [] if found.since is not None else [say("cohorts_log_start")]
        drawn = pictures.heat_map(table, name="cohorts", label=title)
        return (
            markup.paragraph(" ".join(lead), role="lead"),
            markup.picture(drawn, say("cohorts_caption"), role="wide"),
        )

    return markup.section("cohorts", title, *_answered(found.cohorts, say, tell))


def average(found: Findings, say: Wording) -> Html:
    """The retention curve of all cohorts."""
    unit = say(f"period_{found.period}")
    title = say("average_title")

    def tell(table: TableResult) -> tuple[Html, ...]:
        words = [markup.paragraph(say("average_lead", period=unit), role="lead")]
        some = [row for row in table.rows() if row["age"] in _AGES]
        words.append(
            markup.table(
                [say("col_age", period=unit), say("col_rate"), say("col_interval")],
                [[str(row["age"]), *rate(row, say).values()] for row in some],
            )
        )
        header = [
            say("col_age", period=unit),
            *(say(f"col_{name}") for name in ("size", "retained", "rate", "interval")),
        ]
        return (_curve(table, "average", title, words, say, period=unit), _rows(header, _sizes(table, "age", say), say))

    return markup.section("average", title, *_answered(found.average, say, tell))


def days(found: Findings, say: Wording) -> Html:
    """How soon customers come back."""
    title = say("days_title")

    def tell(table: TableResult) -> tuple[Html, ...]:
        words = [markup.paragraph(say("days_lead"), role="lead")]
        header = [say(f"col_{name}") for name in ("day", "size", "retained", "rate", "interval")]
        words.append(markup.table(header, _sizes(table, "day", say)))
        return (_curve(table, "days", title, words, say),)

    return markup.section("days", title, *_answered(found.days, say, tell))


def _sizes(table: TableResult, along: str, say: Wording) -> list[list[str]]:
    return [
        [str(row[along]), _count(row, "size", say), _count(row, "retained", say), *rate(row, say).values()]
        for row in table.rows()
    ]


# ---------------------------------------------------------------- models


def buying(found: Findings, say: Wording) -> Html:
    """The purchase model and what it expects."""
    title = say("buying_title")

    def tell(answer: Buying) -> tuple[Html, ...]:
        words = [
            markup.paragraph(line, role="lead" if place == 0 else "") for place, line in enumerate(_model(answer, say))
        ]
        words += [markup.facts(_expected(found, answer, say)), _parameters(answer.fit, found.level, say)]
        model = answer.fit.model
        if ONE_TIME_NOTE in model.notes:
            words.insert(-1, markup.paragraph(say("buying_one_time")))
        age = (found.as_of - found.first).days / periods.DAYS[found.unit]
        drawn = pictures.alive(model, age=age, purchases=20, name="buying", label=title)
        return (_beside(tuple(words), markup.picture(drawn, say("buying_caption"))),)

    return markup.section("buying", title, *_answered(found.buying, say, tell))


def _model(answer: Buying, say: Wording) -> list[str]:
    name = {"BGNBD": "BG/NBD"}.get(type(answer.fit.model).__name__, type(answer.fit.model).__name__)
    said = [say("buying_lead", model=name, customers=write.count(answer.fit.customers))]
    said += [say("buying_limit", reason=answer.limit)] if answer.limit else []
    return said + [say("buying_doubt", doubt=doubt) for doubt in answer.fit.diagnostics]


def _expected(found: Findings, answer: Buying, say: Wording) -> list[tuple[str, str]]:
    rows = [
        (
            say("buying_expected", horizon=say(f"horizon_{found.unit}", count=horizon)),
            _with_interval(estimate, write.expectation, say),
        )
        for horizon, estimate in ((found.soon, answer.soon), (found.later, answer.later))
    ]
    return [*rows, (say("buying_alive"), _with_interval(answer.alive, write.expectation, say))]


def _parameters(fit: Fit[Any], level: float, say: Wording) -> Html:
    intervals = fit.intervals(level=level)
    header = [say(f"col_{name}") for name in ("parameter", "estimate", "error", "interval")]
    return markup.table(
        header,
        [
            [
                name,
                write.figure(getattr(fit.model, name)),
                write.figure(fit.standard_errors[name]),
                say.between(intervals[name], write.figure),
            ]
            for name in fit.model.parameters
        ],
    )


def check(found: Findings, say: Wording) -> Html:
    """The model against the half of the log that it had not seen."""
    title = say("check_title")

    def tell(answer: Check) -> tuple[Html, ...]:
        weeks = say(f"horizon_{found.unit}", count=f"{answer.horizon:.4g}")
        words = (
            markup.paragraph(say("check_lead", end=write.day(answer.end), horizon=weeks), role="lead"),
            markup.facts(
                [
                    (say("check_expected"), _with_interval(answer.expected, write.expectation, say)),
                    (say("check_actual"), write.count(answer.actual)),
                    (say("check_error"), summary.error(answer, say)),
                ]
            ),
            markup.paragraph(say("check_note")),
        )
        drawn = pictures.against(answer, name="check", label=title)
        return (_beside(words, markup.picture(drawn, say("check_caption"))),)

    return markup.section("check", title, *_answered(found.check, say, tell))


def value(found: Findings, say: Wording) -> Html:
    """What the customers are worth."""

    def tell(answer: Spending) -> tuple[Html, ...]:
        horizon = say(f"horizon_{found.unit}", count=found.later)
        rows = [
            (say("value_total", horizon=horizon), _with_interval(answer.total, write.money, say)),
            (say("value_mean"), _with_interval(answer.mean, write.money, say)),
        ]
        if found.revenue is not None:
            rows.append((say("value_so_far"), write.money(found.revenue)))
        words = [markup.paragraph(say("value_lead"), role="lead"), markup.facts(rows)]
        if answer.limit:
            words.insert(1, markup.paragraph(say("value_limit", reason=answer.limit)))
        aside = [_parameters(answer.fit, found.level, say)]
        if answer.correlation is not None:
            shown = _with_interval(answer.correlation, write.coefficient, say)
            aside.append(markup.facts([(say("value_correlation"), shown)]))
            aside.append(markup.paragraph(say("value_correlation_note")))
        if answer.below_zero:
            aside.append(markup.paragraph(say("value_below_zero", count=write.count(answer.below_zero))))
        return (markup.block(markup.block(*words, role="words"), markup.block(*aside, role="words"), role="pair"),)

    return markup.section("value", say("value_title"), *_answered(found.spending, say, tell))


def top(found: Findings, say: Wording) -> Html:
    """The customers of whom most is expected."""

    def tell(table: pd.DataFrame) -> tuple[Html, ...]:
        rows = _records(table)
        horizon = say(f"horizon_{found.unit}", count=found.later)
        names = ["customer", "purchases", "last", "alive", "expected"]
        names += ["clv"] if rows and "clv" in rows[0] else []
        return (
            markup.paragraph(say("top_lead", count=len(rows), horizon=horizon), role="lead"),
            markup.table([say(f"col_{name}") for name in names], [_customer(found, row, say) for row in rows]),
        )

    return markup.section("top", say("top_title"), *_answered(found.top, say, tell))


def _records(frame: pd.DataFrame) -> list[Row]:
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, cells, strict=True)) for cells in frame.itertuples(index=False, name=None)]


def _customer(found: Findings, row: Row, say: Wording) -> list[str]:
    silent = (number(row["T"]) - number(row["recency"])) * periods.DAYS[found.unit]
    cells = [
        str(row["customer"]),
        write.count(number(row["frequency"]) + 1),
        write.day(found.as_of - dt.timedelta(days=round(silent))),
        write.share(number(row["probability_alive"])),
        _ranged(row, "expected_purchases", write.expectation, say),
    ]
    return [*cells, _ranged(row, "clv", write.money, say)] if "clv" in row else cells


def _ranged(row: Row, name: str, write_number: Callable[[float], str], say: Wording) -> str:
    low, high = (number(row[f"{name}_{end}"]) for end in ("low", "high"))
    return say("with_interval", estimate=write_number(number(row[name])), interval=say.span(low, high, write_number))


# ---------------------------------------------------------------- where it comes from


def data(found: Findings, say: Wording) -> Html:
    """The data, and what was left out of them."""
    orders = found.orders
    rows = [(say("data_source"), orders.source)]
    rows += [(say(f"data_{role}"), name) for role, name in orders.names.items()]
    rows += [(say("data_rows"), write.count(found.rows))]
    rows += [
        (say("data_purchases"), write.count(found.purchases)),
        (say("data_customers"), write.count(found.customers)),
    ]
    rows += [(say("data_first"), write.day(found.first)), (say("data_as_of"), write.day(found.as_of))]
    rows += [(say("data_since"), write.day(found.since))] if found.since is not None else []
    since = "" if found.since is None else write.day(found.since)
    left_out = [
        f"{write.count(count)} {say(f'excluded_{reason}', since=since)}" for reason, count in found.excluded.items()
    ]
    rows.append((say("data_excluded"), "; ".join(left_out) or say("data_nothing_excluded")))
    unknown = () if found.since is not None else (markup.paragraph(say("data_unknown_since")),)
    return markup.section("data", say("data_title"), markup.facts(rows), *unknown)


def method(found: Findings, say: Wording, *, version: str) -> Html:
    """How the numbers came about, and where the formulas stand."""
    lines = [say("method_days"), say("method_rates"), say("method_models")]
    sources = [say("source_wilson")]
    sources += [say("source_bg_nbd")] if found.buying.value is not None else []
    sources += [say("source_gamma_gamma")] if found.spending.value is not None else []
    sources += [found.orders.reference] if found.orders.reference else []
    return markup.section(
        "method",
        say("method_title"),
        markup.bullets(lines),
        markup.bullets(sources, role="sources"),
        markup.paragraph(say("method_made", version=version), role="quiet"),
    )
