"""Effects of all indicators at once: a logistic model of the outcome, or Cox's of the time to it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from retention_metrics._stats import cox, proportions, regression
from retention_metrics.drivers.reading import Effect, Floats, Indicator, Outcome
from retention_metrics.results import Cell


def effects_beside(
    read: Sequence[Indicator], outcome: Outcome, model: Effect, level: float | None
) -> tuple[dict[str, list[Cell]], list[str]]:
    """Effects beside all other indicators, on the customers for whom all are known."""
    complete = np.logical_and.reduce([each.known for each in read])
    held = outcome.of(complete)
    design, blocks = _design([each.values[complete] for each in read], [each.kind == "categorical" for each in read])
    notes = [f"Effects are those of one {model} model of the {int(complete.sum())} customers with all indicators."]
    fitted = None
    if held.true.size > design.shape[1] + 1 and held.settled and design.shape[1]:
        fitted = (
            regression.logistic(design, held.true)
            if held.duration is None
            else cox.slopes(design, held.duration, held.true)
        )
    empty: list[Cell] = [None] * len(read)
    columns: dict[str, list[Cell]] = {name: list(empty) for name in ("effect", "effect_low", "effect_high")}
    if fitted is None:
        return columns, [*notes, "They have no estimate: the indicators separate the outcomes, or repeat one another."]
    fewest = int(held.true.sum()) if held.duration is not None else int(min(held.true.sum(), (~held.true).sum()))
    if fewest < 10 * design.shape[1]:
        notes.append(f"Effects lean on {fewest} events for {design.shape[1]} coefficients; fewer than 10 each.")
    start = 0
    for row, (each, block) in enumerate(zip(read, blocks, strict=True)):
        places = slice(start, start + block.shape[1])
        start += block.shape[1]
        beta, covariance = fitted[0][places], fitted[1][places, places]
        if block.shape[1] == 0:
            continue
        columns["effect"][row], low, high = (
            _spread(block, beta, covariance, level)
            if each.kind == "categorical"
            else _slope(float(beta[0]), math.sqrt(float(covariance[0, 0])), level)
        )
        columns["effect_low"][row], columns["effect_high"][row] = low, high
    return columns, notes


def _slope(beta: float, error: float, level: float | None) -> tuple[float, float | None, float | None]:
    """A coefficient with Wald's interval."""
    if level is None:
        return beta, None, None
    half = proportions.normal_quantile(level) * error
    return beta, beta - half, beta + half


def _spread(
    block: Floats, beta: Floats, covariance: Floats, level: float | None
) -> tuple[float, float | None, float | None]:
    """Without a direction: the standard deviation of what the categories add to the log-odds or log hazard."""
    centred = block - block.mean(axis=0)
    shape = centred.T @ centred / len(block)
    if level is None:
        return regression.spread(beta, shape), None, None
    reach = math.sqrt(float(special.chdtri(beta.size, 1 - level)))
    return regression.spread(beta, shape), *regression.spread_limits(beta, covariance, shape, reach=reach)


def _design(values: Sequence[Floats], named: Sequence[bool]) -> tuple[Floats, list[Floats]]:
    """Columns of a regression, and those of each indicator: in standard deviations, or one per category but one."""
    others = [_others(each) if only else each[:1] for each, only in zip(values, named, strict=True)]
    widths = [codes.size if (each != each[:1]).any() else 0 for each, codes in zip(values, others, strict=True)]
    design = np.empty((values[0].size, sum(widths)))
    blocks = np.split(design, np.cumsum(widths)[:-1], axis=1)
    for each, only, codes, block in zip(values, named, others, blocks, strict=True):
        if block.shape[1]:
            block[:] = each[:, None] == codes if only else _standardised(each)[:, None]
    return design, blocks


def _standardised(values: Floats) -> Floats:
    """Values in standard deviations from their mean; of any size, for a power of 2 takes nothing from them."""
    held = np.ldexp(values, -int(np.frexp(np.abs(values).max())[1]))
    return np.asarray((held - held.mean()) / held.std(), dtype=np.float64)


def _others(values: Floats) -> Floats:
    """The categories but the most frequent."""
    codes, rows = np.unique(values, return_counts=True)
    return np.delete(codes, int(np.argmax(rows))) if codes.size else codes
