"""What is doubtful about a fit of purchases, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv.histories import Histories
from retention_metrics.clv.scores import scores

if TYPE_CHECKING:
    from retention_metrics.clv.purchase_model import PurchaseModel

Floats = NDArray[np.float64]
_FEW = 10  # repeat buyers from which rates and dropout can be told apart at all
_GAPS = 3.0  # mean T in gaps between purchases: 2 where nobody buys twice, 5 for CDNOW
_LEAST, _MOST = 0.02, 100.0  # shapes outside are as good as their limits
_PULL = 2.0  # standard errors by which one customer may move the estimates
_LONG, _SHORT = 5_000.0, 0.05  # mean T in units of time outside which the unit is an odd one
_HEAVIEST = 20


def doubts(model: PurchaseModel, data: Histories, log_covariance: Floats) -> tuple[str, ...]:
    """Reasons to doubt the estimates."""
    found = [*_repeat_buyers(data), *_window(data), *_edges(model), *_heavy_buyers(model, data, log_covariance)]
    return tuple(found)


def remarks(data: Histories, unit: str | None) -> tuple[str, ...]:
    """What looks doubtful and is not."""
    mean = float(np.average(data.T, weights=data.counts))
    if _SHORT <= mean <= _LONG:
        return ()
    return (
        f"T averages {mean:.4g} {unit or 'unit'}s: an unusual unit of time, and harmless, for estimates, likelihood "
        "comparisons, predictions and values do not depend on it.",
    )


def _repeat_buyers(data: Histories) -> list[str]:
    again = data.frequency > 0
    repeat = int(np.count_nonzero(again) if data.counts is None else data.counts[again].sum())
    if repeat == data.customers:
        return [
            f"Every one of {repeat} customers made a repeat purchase: were those without one left out? Then purchase "
            "rates are overstated."
        ]
    if repeat < _FEW:
        return [
            f"Only {repeat} of {data.customers} customers made a repeat purchase: they alone show rates and dropout."
        ]
    return []


def _window(data: Histories) -> list[str]:
    weights = data.counts
    bought, span, age = (
        float(cells.sum() if weights is None else weights @ cells) for cells in (data.frequency, data.recency, data.T)
    )
    gap, mean = span / max(bought, 1.0), age / data.customers
    if mean >= _GAPS * gap:
        return []
    return [
        f"The window is short: customers are under observation for {mean:.4g} on average, and repeat buyers' purchases "
        f"lie {gap:.4g} apart; who has dropped out shows after several such gaps."
    ]


def _edges(model: PurchaseModel) -> list[str]:
    timed = model.time_scales + model.time_rates + model.shares
    shapes = {name: float(getattr(model, name)) for name in model.parameters if name not in timed}
    return [
        f"{name} = {value:.3g} lies near the edge of its range, where a simpler model is as good: see its limits."
        for name, value in shapes.items()
        if not _LEAST < value < _MOST
    ]


def _heavy_buyers(model: PurchaseModel, data: Histories, log_covariance: Floats) -> list[str]:
    """The pull of each of the heaviest buyers: to first order, how far the estimates move without that customer."""
    most = float(data.frequency.max())
    rows = np.flatnonzero(data.frequency >= 0.5 * most)[:_HEAVIEST]
    heaviest = Histories(data.frequency[rows], data.recency[rows], data.T[rows])
    pulls = np.linalg.norm(scores(model, log_covariance, heaviest), axis=0)
    if not pulls.max() > _PULL:
        return []
    strongest = int(pulls.argmax())
    return [
        f"One customer with {heaviest.frequency[strongest]:.0f} repeat purchases moves the estimates by "
        f"{pulls[strongest]:.2g} standard errors: compare a fit without."
    ]
