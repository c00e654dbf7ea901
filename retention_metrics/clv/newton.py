"""Newton's method with a trust region, on the logarithms of positive parameters."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Part = TypeVar("Part")

CHUNK = 9_984  # rows whose working arrays fit the cache, and few enough for BLAS to stay on one thread
PARALLEL_ROWS = 100_000
_ROWS_PER_THREAD = 4_000_000
_CONVERGED = 1e-12  # squared distance to the maximum, in standard errors
_MOST_STEPS = 200
_WALL = 1e-3  # a step this short that leaves the numbers: the way up leads out of them
_IDLE, _NOTHING = 30, 1e-7  # steps without such a gain after which a climb ends: the rest is rounding
_PLAIN = 14.0  # log of a million
SAME = 1e-4  # log-likelihoods this close are taken for one supremum
MANY = 1000  # customers from whom on the likelihood of a few parameters has one top
_FARTHEST = 700.0  # of a log-parameter: the parameter itself is a number up to there


class Objective(Protocol):
    """A log-likelihood with its derivatives."""

    def evaluate(self, theta: Floats) -> tuple[float, Floats, Floats]:
        """Value, gradient and Hessian in the parameters themselves."""


@dataclass(frozen=True, slots=True)
class Maximum:
    """Where the climb ended."""

    theta: Floats
    log_likelihood: float
    height: float  # of the penalised objective
    gradient: Floats  # of the penalised objective, in the log-parameters
    hessian: Floats
    distance: float  # standard errors from the maximum, by the quadratic model
    steps: int
    converged: bool
    escaped: bool

    @property
    def log_covariance(self) -> Floats:
        """Covariance of the log-parameters: the inverse of the observed information."""
        return np.asarray(np.linalg.inv(-self.hessian), dtype=np.float64)

    @property
    def flat(self) -> bool:
        """Whether the climb stopped on a plain: a standard error that spans a factor of a million."""
        return float(np.diag(self.log_covariance).max()) > _PLAIN**2


def no_escape(theta: Floats) -> bool:
    """No region to escape from: a penalty leaves the climb no way to infinity."""
    return False


def maximise(
    objective: Objective,
    start: Floats,
    *,
    centre: Floats | None = None,
    penalty: float = 0.0,
    free: NDArray[np.bool_] | None = None,
    escaped: Callable[[Floats], bool] = no_escape,
    tolerance: float = _CONVERGED,
    enough: float = np.inf,
) -> Maximum:
    """Climb to a maximum of ``objective - penalty/2 * sum (log theta - centre)**2``.

    Convergence is judged by the Newton decrement, the squared distance to the maximum in standard errors, together
    with a positive-definite information matrix; both are free of the units of the parameters. A climb that
    has escaped, as on the way to a supremum at infinity, ends where the best step within the radius gains less than
    ``enough``.
    """
    middle = np.zeros(start.size) if centre is None else centre
    moving = np.ones(start.size, dtype=bool) if free is None else free

    def at(log_theta: Floats) -> tuple[float, float, Floats, Floats]:
        theta = np.exp(log_theta)
        value, slope, curvature = objective.evaluate(theta)
        away = log_theta - middle
        gradient = slope * theta - penalty * away
        hessian = curvature * np.outer(theta, theta) + np.diag(slope * theta - penalty)
        return value, value - 0.5 * penalty * float(away @ away), gradient, hessian

    position, radius, step_count = np.log(start), 2.0, 0
    likelihood, height, gradient, hessian = at(position)
    converged = out = False
    distance, mark, idle = np.inf, height, 0
    while step_count < _MOST_STEPS and radius > 1e-10 and idle < _IDLE:
        step, gain, distance = _step(gradient[moving], hessian[np.ix_(moving, moving)], radius)
        converged, out = distance**2 <= tolerance, escaped(np.exp(position))
        # Below the rounding of the sum itself the quadratic model is the better judge.
        rounding = 1e-13 * abs(height)
        # On level ground no step gains what the sum can show, and no point is the top.
        level = np.isinf(distance) and gain < rounding
        if converged or (out and gain < enough) or level:
            break
        trial = position.copy()
        trial[moving] += step
        # Far out a likelihood may overflow: then the step is not taken, and the next one is shorter.
        within = bool(np.abs(trial).max() < _FARTHEST)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            found = at(trial) if within else (likelihood, height, gradient, hessian)
        finite = within and all(bool(np.isfinite(part).all()) for part in found)
        step_count += 1
        if not finite and radius < _WALL:
            break
        ratio = (1.0 if gain < rounding else (found[1] - height) / gain) if finite else -1.0
        length = float(np.linalg.norm(step))
        if not ratio > 0.25:
            radius = 0.25 * length
        elif ratio > 0.75 and length > 0.9 * radius:
            radius = min(2 * radius, 8.0)
        if ratio > 1e-4:
            position = trial
            likelihood, height, gradient, hessian = found
        mark, idle = (height, 0) if height > mark + _NOTHING else (mark, idle + 1)
    return Maximum(
        theta=np.exp(position),
        log_likelihood=likelihood,
        height=height,
        gradient=gradient,
        hessian=hessian,
        distance=float(distance),
        steps=step_count,
        converged=bool(converged),
        escaped=bool(out),
    )


def highest(
    objective: Objective,
    starts: Iterable[Floats],
    *,
    penalty: float = 0.0,
    escaped: Callable[[Floats], bool] = no_escape,
    enough: bool = False,
) -> Maximum:
    """The highest point of climbs from several places; a maximum, where one is as high as any point.

    With ``enough`` the first maximum will do: the likelihood of many customers has one top.
    """
    peaks: list[Maximum] = []
    for start in starts:
        peaks.append(maximise(objective, start, penalty=penalty, escaped=escaped))
        if peaks[-1].converged and enough:
            return peaks[-1]
    heights = [peak.log_likelihood - 0.5 * penalty * float(np.sum(np.log(peak.theta) ** 2)) for peak in peaks]
    top = max(heights)
    maxima = [(height, peak) for height, peak in zip(heights, peaks, strict=True) if peak.converged]
    height, best = max(maxima, key=lambda pair: pair[0], default=(-np.inf, peaks[0]))
    return best if height > top - SAME else peaks[heights.index(top)]


def _step(gradient: Floats, hessian: Floats, radius: float) -> tuple[Floats, float, float]:
    """The best step of the quadratic model within the radius, its gain, and the distance to the maximum."""
    if gradient.size == 0:
        return gradient, 0.0, 0.0  # everything is held
    information, axes = np.linalg.eigh(-hessian)
    along = axes.T @ gradient
    least = float(information.min(initial=np.inf))  # infinite where nothing is free to move
    bent = least > 1e-13 * float(np.abs(information).max(initial=0.0))
    distance = float(np.sqrt(np.sum(along**2 / information))) if bent else np.inf
    damping = 0.0
    if not bent or np.linalg.norm(along / information) > radius:
        # At least the norm, and no squares: slopes of a hazard that starts far too steep are beyond 1e160.
        low, most = max(0.0, -least), float(np.abs(along).sum())
        high = low + most / radius + 1e-12
        for _ in range(80):
            damping = 0.5 * (low + high)
            with np.errstate(divide="ignore", invalid="ignore"):
                too_long = not np.linalg.norm(along / (information + damping)) <= radius
            low, high = (damping, high) if too_long else (low, damping)
        damping = high
    move = along / (information + damping)
    gain = float(along @ move - 0.5 * np.sum(information * move**2))
    step: Floats = axes @ move
    return step, gain, distance


def over_chunks(rows: int, work: Callable[[slice], Part], *, threads: int | None) -> list[Part]:
    """``work`` on each chunk, in order: the chunks and so the sums do not depend on the number of threads."""
    chunks = [slice(start, min(start + CHUNK, rows)) for start in range(0, rows, CHUNK)]
    # Handing chunks between threads costs what a second core gains on tables that take milliseconds anyway.
    workers = min(threads or min(os.cpu_count() or 1, 1 + rows // _ROWS_PER_THREAD), len(chunks))
    if workers <= 1 or rows < PARALLEL_ROWS:
        return [work(chunk) for chunk in chunks]
    groups = [chunks[first::workers] for first in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        done = list(pool.map(lambda group: [work(chunk) for chunk in group], groups))
    return [done[index % workers][index // workers] for index in range(len(chunks))]
