"""Priors of the models' parameters: one table per model, each entry replaceable by name.

Every prior is put on one quantity: a parameter, or the mean share ``a/(a+b)`` and the total ``a+b`` of a pair that
shapes a beta distribution. Defaults are centred on what the penalty pulls to: 1 for shapes, the mean T for time
scales and its inverse for rates, the mean value for amounts of money. So they move with the unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from retention_metrics.clv.model import Model
from retention_metrics.errors import InputError

Floats = NDArray[np.float64]
_SIGMA = 1.5  # of every log: a factor of 19 up or down with 95 % probability
_LOG_TOTAL = 1.0  # mean log of a + b
_STEP = 1e-3  # of the differences that find a prior's slope and curvature


@runtime_checkable
class Density(Protocol):
    """A distribution, such as those of ``scipy.stats`` with their parameters set."""

    def logpdf(self, x: Floats, /) -> Floats:
        """Log of the probability density."""
        ...


@dataclass(frozen=True, slots=True)
class Prior:
    """The prior of one quantity of a model."""

    name: str
    density: Density
    first: int
    second: int | None = None
    scale: Literal["log", "logit", "plain"] = "log"
    """What turns the quantity into the place on which the sampler moves."""

    def log_density(self, log_odds: Floats) -> Floats:
        """Log-density in the log-parameters, whose map to the quantities' logs keeps volumes.

        Parameters
        ----------
        log_odds : ndarray of float, shape (n, n_parameters)
            Logs of the parameters of ``Model.to_odds``.

        Returns
        -------
        ndarray of float, shape (n,)
            Not normalised where the density is not.
        """
        return self._at(self._place(log_odds))

    def slopes(self, log_odds: Floats) -> tuple[Floats, Floats]:
        """Gradient and Hessian of ``log_density`` at one point, by differences in one variable; 0 beside an edge."""
        place = float(self._place(log_odds[None])[0])
        below, at, above = self._at(place + _STEP * np.array([-1.0, 0.0, 1.0]))
        slope = curve = 0.0
        if np.isfinite([below, at, above]).all():
            slope, curve = (above - below) / (2 * _STEP), (above - 2 * at + below) / _STEP**2
        direction, bend = self._direction(log_odds)
        return slope * direction, curve * np.outer(direction, direction) + slope * bend

    def words(self) -> str:
        """The prior as one reads it: ``lognorm(s=1.5, scale=1)``."""
        frozen = getattr(self.density, "dist", None)
        if frozen is None:
            return repr(self.density)
        given = [f"{value:.6g}" for value in getattr(self.density, "args", ())]
        given += [f"{name}={value:.6g}" for name, value in getattr(self.density, "kwds", {}).items()]
        return f"{frozen.name}({', '.join(given)})"

    def _place(self, log_odds: Floats) -> Floats:
        """The quantity on the sampler's scale."""
        first = log_odds[:, self.first]
        if self.second is None:
            return first
        second = log_odds[:, self.second]
        place: Floats = first - second if self.scale == "logit" else np.logaddexp(first, second)
        return place

    def _direction(self, log_odds: Floats) -> tuple[Floats, Floats]:
        """Gradient and Hessian of the place."""
        size = log_odds.size
        direction, bend = np.zeros(size), np.zeros((size, size))
        if self.second is None:
            direction[self.first] = 1.0
        elif self.scale == "logit":
            direction[[self.first, self.second]] = 1.0, -1.0
        else:
            mean = float(special.expit(log_odds[self.first] - log_odds[self.second]))
            direction[[self.first, self.second]] = mean, 1 - mean
            sides = np.zeros(size)
            sides[[self.first, self.second]] = 1.0, -1.0
            bend = mean * (1 - mean) * np.outer(sides, sides)
        return direction, bend

    def _at(self, place: Floats) -> Floats:
        """Log-density of the place: that of the quantity, times its slope in the place."""
        if self.scale == "plain":
            return np.asarray(self.density.logpdf(place))
        if self.scale == "log":
            return np.asarray(self.density.logpdf(np.exp(place)) + place)
        slope = -np.logaddexp(0, place) - np.logaddexp(0, -place)
        return np.asarray(self.density.logpdf(special.expit(place)) + slope)


def table(model: Model, centre: Floats, given: Mapping[str, Density] | None = None) -> tuple[Prior, ...]:
    """The priors of a model's parameters, those that are given in place of the defaults.

    Parameters
    ----------
    model : Model
        Whose parameters.
    centre : ndarray of float, shape (n_parameters,)
        Where the fit's penalty pulls the log-parameters to.
    given : mapping of str to Density, optional
        By name of the quantity.

    Returns
    -------
    tuple of Prior
        As many as there are parameters.

    Raises
    ------
    InputError
        If a name is no quantity of the model, or what it names has no ``logpdf``.
    """
    defaults = _defaults(model, centre)
    replaced = dict(given or {})
    names = [prior.name for prior in defaults]
    for name, density in replaced.items():
        if name not in names:
            raise InputError(
                f"priors are for {', '.join(map(repr, names))} in {type(model).__name__}; got {name!r}.",
                argument="priors",
            )
        if not isinstance(density, Density):
            raise InputError(
                f"priors[{name!r}] is a distribution with logpdf, such as scipy.stats.lognorm(s=1.5); got {density!r}.",
                argument="priors",
            )
    return tuple(
        Prior(prior.name, replaced.get(prior.name, prior.density), prior.first, prior.second, prior.scale)
        for prior in defaults
    )


def log_density(priors: tuple[Prior, ...], log_odds: Floats) -> Floats:
    """Log-density of all priors together at each row of log-parameters."""
    return np.asarray(sum(prior.log_density(log_odds) for prior in priors), dtype=np.float64)


def _defaults(model: Model, centre: Floats) -> list[Prior]:
    places = {name: index for index, name in enumerate(model.parameters)}
    found = []
    for a, b in model.beta_pairs:
        mean, total = f"{a}/({a}+{b})", f"{a}+{b}"
        found.append(Prior(mean, stats.uniform(), places[a], places[b], scale="logit"))
        found.append(Prior(total, _lognormal(_LOG_TOTAL), places[a], places[b]))
    paired = {name for pair in model.beta_pairs for name in pair}
    for name, index in places.items():
        if name in model.shares:
            found.append(Prior(name, stats.uniform(), index, scale="logit"))
        elif name in model.coefficient_names:
            found.append(Prior(name, stats.norm(0.0, _SIGMA), index, scale="plain"))
        elif name not in paired:
            found.append(Prior(name, _lognormal(float(centre[index])), index))
    return sorted(found, key=lambda prior: (prior.first, prior.scale == "log"))


def _lognormal(mean: float) -> Density:
    """Log normal, with this mean of the log."""
    density: Density = stats.lognorm(s=_SIGMA, scale=np.exp(mean))
    return density
