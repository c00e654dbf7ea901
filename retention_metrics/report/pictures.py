"""The drawings of a report as SVG, sized to be read on a phone and on a desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from retention_metrics.plotting import (
    canvas,
    cohort_heat_map,
    expected_against_actual,
    probability_alive_matrix,
    retention_curve,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from retention_metrics.clv.purchase_model import PurchaseModel
    from retention_metrics.report.findings import Check
    from retention_metrics.results import TableResult

_WIDTH, _HEIGHT = 5.6, 3.3  # inches, of 72 units of the page each
_VECTOR_CELLS = 1500  # a heat map of more cells is drawn as an image
_LABELS = 30  # cohorts named beside a heat map


def curve(table: TableResult, *, name: str, label: str) -> str:
    """Retention over periods, ages or days."""
    return _svg(retention_curve(table, canvas.axes(None, width=_WIDTH, height=_HEIGHT)), name=name, label=label)


def heat_map(table: TableResult, *, name: str, label: str) -> str:
    """Retention by cohort and age."""
    cohorts = len(set(table.columns["cohort"]))
    ages = len(set(table.columns["age"]))
    size = {"width": min(10.0, max(8.0, 2.4 + 0.42 * ages)), "height": min(9.0, max(2.2, 1.2 + 0.3 * cohorts))}
    ax = cohort_heat_map(table, canvas.axes(None, **size))
    for mesh in ax.collections:
        mesh.set_rasterized(cohorts * ages > _VECTOR_CELLS)
        # No lines between the cells: the page may be light or dark.
        mesh.set_edgecolor("none")
    step = -(-cohorts // _LABELS)
    named = [label.get_text() for label in ax.get_yticklabels()]
    ax.set_yticks(range(0, cohorts, step), labels=named[::step], parse_math=False)
    return _svg(ax, name=name, label=label)


def alive(model: PurchaseModel, *, age: float, purchases: int, name: str, label: str) -> str:
    """Probability of still being a customer, by purchases and the time of the last one."""
    ax = canvas.axes(None, width=_WIDTH, height=3.7)
    return _svg(probability_alive_matrix(model, ax, T=age, frequency_max=purchases), name=name, label=label)


def against(check: Check, *, name: str, label: str) -> str:
    """Purchases that were expected beside those that came."""
    ax = canvas.axes(None, width=_WIDTH, height=_HEIGHT)
    return _svg(expected_against_actual(check.predicted, ax), name=name, label=label)


def _svg(ax: Axes, *, name: str, label: str) -> str:
    return canvas.svg(cast("Figure", ax.figure), name=name, label=label)
