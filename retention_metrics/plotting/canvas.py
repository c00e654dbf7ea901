"""What all plots share: axes to draw on, colours, the wording of values, and a figure as SVG text."""

from __future__ import annotations

import html
import io
import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from retention_metrics import _checks
from retention_metrics.errors import InputError
from retention_metrics.results import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from retention_metrics._engine.adopt import NativeFrame

# Okabe and Ito (2008): told apart by readers with any of the common colour deficiencies, and in grey.
INK = "#22262b"
MUTED = "#6b7280"
GRID = "#d9dce1"
PRIMARY = "#0072b2"
SECONDARY = "#d55e00"
TERTIARY = "#009e73"
NEUTRAL = "#999999"
SEQUENTIAL = "cividis"
SERIES = (PRIMARY, SECONDARY, TERTIARY, "#cc79a7", "#56b4e9", "#e69f00", "#f0e442")
MARKERS = ("o", "s", "^", "D")
# More names than these would cover the lines that they name.
_MOST_INSIDE = 6

_VARIABLES: Mapping[str, str] = MappingProxyType(
    {INK: "ink", MUTED: "muted", GRID: "grid", PRIMARY: "primary", SECONDARY: "secondary", TERTIARY: "tertiary"}
)


def axes(ax: Axes | None, *, width: float = 7.2, height: float = 3.8) -> Axes:
    """The axes given, or those of a new figure that pyplot does not know."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise _checks.missing_dependency("matplotlib", extra="plot", purpose="plot()") from None
    if ax is not None:
        return ax
    return Figure(figsize=(width, height), layout="constrained").subplots()


def one_model(model: object, answer: str, covariates: NativeFrame | Mapping[str, Any] | None = None) -> Any:
    """The model of one customer that has an answer, from a model, a fit or a regression with its covariates."""
    from retention_metrics.clv.regression import of_one_customer

    chosen = of_one_customer(model, covariates)
    if not hasattr(chosen, answer):
        raise InputError(f"model is one that has {answer}; got {type(chosen).__name__}.", argument="model")
    return chosen


def finish(ax: Axes, *, title: str | None = None, x: str | None = None, y: str | None = None) -> Axes:
    """Labels, and no more lines than the reader needs."""
    if title is not None:
        ax.set_title(title, loc="left", fontsize="medium", color=INK, parse_math=False)
    for name, text in (("x", x), ("y", y)):
        if text is not None:
            getattr(ax, f"set_{name}label")(text, color=INK, parse_math=False)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(MUTED)
    ax.tick_params(colors=INK)
    ax.set_axisbelow(True)
    return ax


def legend(ax: Axes, *, outside: bool = False) -> None:
    """The names of lines or bars as they stand; beside the axes where there are many."""
    handles, words = ax.get_legend_handles_labels()
    drawn = ax.legend(handles, words, frameon=False, fontsize="small")
    if outside or len(words) > _MOST_INSIDE:
        drawn.set_loc("upper left")
        drawn.set_bbox_to_anchor((1.0, 1.0), transform=ax.transAxes)
    for text in drawn.get_texts():
        text.set_parse_math(False)


def name(cell: Cell) -> str:
    """A group as it stands; a mark before a name written from right to left keeps the words after it in order."""
    if cell is None:
        return "(missing)"
    text = str(cell)
    leftward = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text)
    return f"\N{LEFT-TO-RIGHT MARK}{text}" if leftward else text


def percent(value: float, *, digits: int | None = None) -> str:
    """A share in words: ``14.6 %``."""
    shown = 100 * value
    if digits is None:
        digits = 1 if abs(shown) < 99.95 and round(shown, 1) != round(shown) else 0
    return f"{shown:.{digits}f} %"


def percent_axis(axis: Axis) -> None:
    """Ticks of a share as per cent."""
    from matplotlib.ticker import FuncFormatter

    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{round(100 * share, 6):g} %"))


def svg(figure: Figure, *, name: str, label: str) -> str:
    """A figure as an SVG element for a page, its colours left to the page's style sheet.

    ``name`` keeps the identifiers of several pictures on one page apart; ``label`` tells readers who do not
    see it what it shows.
    """
    import matplotlib as mpl

    written = io.StringIO()
    # Text stays text: it can be read aloud, searched and copied, and follows the page's colours.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        silent = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(written, format="svg", transparent=True, dpi=160, metadata=silent)
    return _for_page(written.getvalue(), name=name, label=label)


def _for_page(document: str, *, name: str, label: str) -> str:
    head, body = document[document.index("<svg") :].split(">", 1)
    box = re.search(r'viewBox="([^"]+)"', head)
    extent = box.group(1) if box else "0 0 1 1"
    # The picture's own style sheet would reach the whole page.
    body = re.sub(r"<style\b.*?</style>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r'style="[^"]*"', lambda found: _themed(found.group()), body)
    body = re.sub(r'(<[A-Za-z]+ (?:[^<>]*? )?id=")', rf"\g<1>{name}-", body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", body).replace("xlink:href=", "href=")
    body = re.sub(r"\n\s*", "\n", body)
    return f'<svg viewBox="{extent}" role="img" aria-label="{html.escape(label)}" stroke-linejoin="round">{body}'


def _themed(style: str) -> str:
    for colour, variable in _VARIABLES.items():
        style = style.replace(colour, f"var(--{variable})")
    return re.sub(r"font-family: [^;\"]*;?\s?", "", style)
