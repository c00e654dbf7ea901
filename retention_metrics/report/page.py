"""The report as one HTML page that holds everything it shows."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import retention_metrics
from retention_metrics.report import markup, sections, summary
from retention_metrics.report import wording as write
from retention_metrics.report.markup import Html

if TYPE_CHECKING:
    from collections.abc import Callable

    from retention_metrics.report.findings import Estimate, Findings
    from retention_metrics.report.wording import Wording

_ORDER = ("period", "cohorts", "average", "days", "buying", "check", "value", "top", "data", "method")


def render(found: Findings, say: Wording) -> str:
    """Write the page.

    Parameters
    ----------
    found : Findings
        The numbers, section by section.
    say : Wording
        The words.

    Returns
    -------
    str
        HTML with its style sheet and its drawings inside; it has no script and fetches nothing.

    Raises
    ------
    MissingDependencyError
        If matplotlib, which draws the plots, is not installed.
    """
    version = retention_metrics.__version__
    body = markup.join(
        [
            _head(found, say),
            _contents(found, say),
            _summary(found, say),
            sections.by_period(found, say),
            sections.cohorts(found, say),
            sections.average(found, say),
            sections.days(found, say),
            sections.buying(found, say),
            sections.check(found, say),
            sections.value(found, say),
            sections.top(found, say),
            sections.data(found, say),
            sections.method(found, say, version=version),
        ]
    )
    style = resources.files("retention_metrics.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{markup.text(say('title'))} · {markup.text(found.orders.source)}</title>\n"
        f"<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(found: Findings, say: Wording) -> Html:
    span = say("head", source=found.orders.source, first=write.day(found.first), as_of=write.day(found.as_of))
    return Html(
        f"<header>\n<h1>{markup.text(say('title'))}</h1>\n{markup.paragraph(span)}\n{_cards(found, say)}\n</header>"
    )


def _contents(found: Findings, say: Wording) -> Html:
    unit = say(f"period_{found.period}")
    links = "".join(f'<a href="#{name}">{markup.text(say(f"{name}_title", period=unit))}</a>' for name in _ORDER)
    return Html(f'<nav aria-label="{markup.text(say("contents"))}">{links}</nav>')


def _summary(found: Findings, say: Wording) -> Html:
    warnings = [markup.bullets(map(say.tell, found.warnings), role="warnings")] if found.warnings else []
    level = markup.paragraph(say("level", level=write.level(found.level)), role="quiet")
    return markup.section(
        "summary", say("summary_title"), markup.bullets(summary.sentences(found, say)), *warnings, level
    )


def _cards(found: Findings, say: Wording) -> Html:
    """The few numbers that a reader looks for first."""
    unit = say(f"period_{found.period}")
    horizon = say(f"horizon_{found.unit}", count=found.later)
    missing = say("missing"), say("card_none")
    next_rate = later = worth = repeat = missing
    if found.repeat.estimate is not None:
        repeat = write.share(found.repeat.estimate), say.between(found.repeat.interval, write.share)
    ages = summary.later_ages(found.average.value)
    if ages:
        written = summary.rate(ages[0], say)
        next_rate = written["rate"], written["interval"]
    if found.buying.value is not None:
        later = _card(found.buying.value.later, "expected", write.expectation, horizon, say)
    if found.spending.value is not None:
        worth = _card(found.spending.value.total, "value", write.money, horizon, say)
    bought = write.count(found.customers), say("card_customers_note", purchases=write.count(found.purchases))
    shown = (("customers", bought), ("repeat", repeat), ("next", next_rate), ("expected", later), ("value", worth))
    return markup.block(
        *(_one(say(f"card_{name}", period=unit), number, note) for name, (number, note) in shown), role="cards"
    )


def _card(
    estimate: Estimate, name: str, write_number: Callable[[float], str], horizon: str, say: Wording
) -> tuple[str, str]:
    interval = say.between(estimate.interval, write_number)
    return write_number(estimate.value), say(f"card_{name}_note", horizon=horizon, interval=interval)


def _one(label: str, number: str, note: str) -> Html:
    return Html(
        f'<div class="card"><span>{markup.text(label)}</span><strong>{markup.text(number)}</strong>'
        f"<small>{markup.text(note)}</small></div>"
    )
