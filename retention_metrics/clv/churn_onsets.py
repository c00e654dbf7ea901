"""The simpler models that the beta discrete Weibull turns into as time comes to weigh ever more: c to infinity.

With ``beta = tau**c`` the survival ``B(alpha, beta + t**c) / B(alpha, beta)`` is 1 before tau. From there on it falls
to 0 at once, or, where alpha goes to 0 at a fixed ``c * alpha = kappa``, like ``(tau / t)**kappa``. At whole renewals
tau is a renewal of which a part leaves, or lies between two. The renewal at which churn begins is what the data say.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics.clv import renewals as renewing
from retention_metrics.clv.contract_limits import GeometricChurn
from retention_metrics.clv.contract_model import ContractModel
from retention_metrics.clv.model import model
from retention_metrics.clv.newton import Objective
from retention_metrics.clv.parts import Terms
from retention_metrics.clv.renewals import Renewals
from retention_metrics.explanation import Explanation, Step

Floats = NDArray[np.float64]
_SOURCE = (
    'Fader et al. (2018), "How to project customer retention" revisited, Journal of Interactive Marketing 43(1); the '
    "limit where "
)

__all__ = ["DelayedParetoChurn", "ParetoChurn", "SuddenChurn"]


class OnsetChurn(ContractModel):
    """A model in which nobody leaves before the renewal ``first``, which ``fit`` reads from the data and holds."""

    formula: ClassVar[str]
    last_step: ClassVar[Step]
    first: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", _checks.count(self.first, name="first", low=self._earliest()))
        super().__post_init__()

    def explain(self) -> Explanation:
        """Churn at the first renewal at which anybody leaves: the last step."""
        values = {name: float(value) for name, value in zip(self.parameters, self.theta, strict=True)}
        return Explanation(
            formula=self.formula,
            values=values | {"first": float(self.first)},
            steps=(self.last_step,),
            source=f"{_SOURCE}{self.limit_of}.",
        )

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        caption, shown = super()._shown()
        return caption, {**shown, "first": self.first}

    @staticmethod
    @abstractmethod
    def survival_terms(odds: Floats, renewals: Floats, first: int = 1) -> Terms:
        """Log of the survival, with its derivatives in the parameters of ``to_odds``."""

    @classmethod
    @abstractmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats, first: int = 1) -> Terms:
        """Log of the hazard, with its derivatives in the parameters of ``to_odds``."""

    @classmethod
    def _earliest(cls) -> int:
        """The least value of ``first``."""
        return 1

    @classmethod
    def _held(cls, data: Renewals) -> Mapping[str, int]:
        return {"first": int(data.duration[data.churned].min())}

    @classmethod
    def _possible(cls, data: Renewals) -> bool:
        return cls._held(data)["first"] >= cls._earliest()

    @classmethod
    def _objective(cls, data: Renewals, *, threads: int | None) -> Objective:
        first = cls._held(data)["first"]
        survival, hazard = (partial(terms, first=first) for terms in (cls.survival_terms, cls.hazard_terms))
        return renewing.RenewalObjective(data, survival, hazard)

    def _sums(self, tenure: Floats, horizon: float, force: float) -> Floats:
        """The renewals before the first that anybody leaves are certain, and the sum begins with that one."""
        certain, answer = np.clip(self.first - 1.0 - tenure, 0.0, horizon), np.empty(tenure.size)
        for passed in np.unique(certain):
            rows = certain == passed
            later = np.maximum(tenure[rows], self.first - 1.0)
            annuity = passed if force == 0 else np.expm1(-force * passed) / np.expm1(-force)
            rest = ContractModel._sums(self._of(rows), later, horizon - passed, force)
            answer[rows] = annuity + np.exp(-force * passed) * rest
        return answer

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return np.zeros(size)


@model
class ParetoChurn(OnsetChurn):
    """A share of customers leaves at one renewal, the others later and ever more slowly; nobody leaves before.

    Parameters
    ----------
    share : float
        Share of customers who leave at the renewal ``first``, in (0, 1).
    kappa : float
        Power of time by which survival falls from then on, above 0.
    first : int
        The first renewal at which anybody leaves, at least 1; read from the data by ``fit``, and not among the
        estimated parameters.

    Notes
    -----
    ``survival(t) = (1 - share) * (first / t)**kappa`` for t of at least ``first``.

    Examples
    --------
    >>> from retention_metrics.clv.churn_onsets import ParetoChurn
    >>> ParetoChurn(share=0.25, kappa=1.0, first=1).survival([0, 1, 2, 10]).tolist()
    [1.0, 0.75, 0.375, 0.075]
    """

    kind: ClassVar[str] = "clv.pareto_churn"
    parameters: ClassVar[tuple[str, ...]] = ("share", "kappa")
    shares: ClassVar[tuple[str, ...]] = ("share",)
    limit_of: ClassVar[str] = "a share leaves at one renewal and the others later and ever more slowly"
    formula: ClassVar[str] = "survival(t) = (1 - share) * (first / t)**kappa for t >= first"
    last_step: ClassVar[Step] = Step(name="churn_at_first", expression="share")

    share: float
    kappa: float
    first: int

    def _log_survival(self, time: Floats) -> Floats:
        late = np.maximum(time / self.first, 1.0)
        return np.where(time < self.first, 0.0, np.log1p(-self.share) - self.kappa * np.log(late))

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        late = tenure >= self.first
        start = np.where(late, tenure, 1.0)
        tail = -self.kappa * np.log1p(np.where(late, ahead, 0.0) / start)
        return np.where(late, tail, self._log_survival(tenure + ahead))

    def _fall(self) -> tuple[Floats, Floats]:
        return np.asarray(self.kappa), np.full(np.shape(self.kappa), float(self.first))

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return ((generator.random(size) < self.share) & (self.first == 1)).astype(float)

    def _draw_departures(self, generator: np.random.Generator, chance: Floats) -> Floats:
        # Those with a chance of 1 leave at the first renewal; where that is not where churn begins, nobody has one.
        at_first = chance > 0 if self.first == 1 else generator.random(chance.size) < self.share
        return np.where(at_first, float(self.first), _pareto(generator, chance.size, float(self.first), self.kappa))

    def _attained(self) -> bool:
        """Whether churn can begin with this share after nobody left at the renewal before."""
        return self.first == 1 or -np.log1p(-self.share) <= -self.kappa * np.log1p(-1 / self.first) * (1 + 1e-9)

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats, first: int = 1) -> Terms:
        """Log of the survival, with its derivatives in the odds of the share and in kappa."""
        shared = GeometricChurn.survival_terms(odds[:1], (renewals >= first).astype(float))
        return _beside(shared, _power_terms(float(odds[1]), renewals, float(first)))

    @classmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats, first: int = 1) -> Terms:
        """Log of the hazard, with its derivatives: the share at the first, a power of time from then on."""
        now, later = renewals == first, renewals > first
        shared = _only(GeometricChurn.hazard_terms(odds[:1], renewals), now)
        both = _beside(shared, _only(_power_hazard_terms(float(odds[1]), renewals), later))
        return Terms(np.where(now | later, both.value, -np.inf), both.slopes, both.curvatures)


@model
class DelayedParetoChurn(OnsetChurn):
    """Nobody leaves before a renewal, and customers ever more slowly from then on.

    Parameters
    ----------
    kappa : float
        Power of time by which survival falls, above 0.
    first : int
        The first renewal at which anybody leaves, at least 2; read from the data by ``fit``, and not among the
        estimated parameters.

    Notes
    -----
    ``survival(t) = ((first - 1) / t)**kappa`` for t of at least ``first - 1``.

    Examples
    --------
    >>> from retention_metrics.clv.churn_onsets import DelayedParetoChurn
    >>> DelayedParetoChurn(kappa=1.0, first=3).survival([2, 3, 4]).round(3).tolist()
    [1.0, 0.667, 0.5]
    """

    kind: ClassVar[str] = "clv.delayed_pareto_churn"
    parameters: ClassVar[tuple[str, ...]] = ("kappa",)
    limit_of: ClassVar[str] = "nobody leaves before one renewal, and customers ever more slowly from then on"
    formula: ClassVar[str] = "survival(t) = ((first - 1) / t)**kappa for t >= first - 1"
    last_step: ClassVar[Step] = Step(name="churn_at_first", expression="1 - ((first - 1) / first)**kappa")

    kappa: float
    first: int

    @classmethod
    def _earliest(cls) -> int:
        return 2

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        start = np.maximum(tenure, self.first - 1.0)
        answer: Floats = -self.kappa * np.log1p(np.maximum(tenure + ahead - start, 0.0) / start)
        return answer

    def _fall(self) -> tuple[Floats, Floats]:
        return np.asarray(self.kappa), np.full(np.shape(self.kappa), float(self.first))

    def _draw_departures(self, generator: np.random.Generator, chance: Floats) -> Floats:
        return _pareto(generator, chance.size, self.first - 1.0, self.kappa)

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats, first: int = 2) -> Terms:
        """Log of the survival, with its derivatives in kappa."""
        return _power_terms(float(odds[0]), renewals, first - 1.0)

    @classmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats, first: int = 2) -> Terms:
        """Log of the hazard, with its derivatives in kappa."""
        return _only(_power_hazard_terms(float(odds[0]), renewals), renewals >= first, other=-np.inf)


@model
class SuddenChurn(OnsetChurn):
    """A share of customers leaves at one renewal and all others at the next; nobody leaves before.

    Parameters
    ----------
    share : float
        Share of customers who leave at the renewal ``first``, in (0, 1).
    first : int
        The first renewal at which anybody leaves, at least 1; read from the data by ``fit``, and not among the
        estimated parameters.

    Examples
    --------
    >>> from retention_metrics.clv.churn_onsets import SuddenChurn
    >>> SuddenChurn(share=0.25, first=3).survival([2, 3, 4]).tolist()
    [1.0, 0.75, 0.0]
    """

    kind: ClassVar[str] = "clv.sudden_churn"
    parameters: ClassVar[tuple[str, ...]] = ("share",)
    shares: ClassVar[tuple[str, ...]] = ("share",)
    limit_of: ClassVar[str] = "a share leaves at one renewal and all others at the next"
    formula: ClassVar[str] = "survival(t) = 1 for t < first, 1 - share for t = first, 0 for t > first"
    last_step: ClassVar[Step] = Step(name="churn_at_first", expression="share")

    share: float
    first: int

    def _log_kept(self, tenure: Floats, ahead: Floats) -> Floats:
        end = tenure + ahead
        stays = np.where(tenure < self.first, np.log1p(-self.share), 0.0)
        gone = np.where((end >= self.first + 1) & (ahead > 0), -np.inf, stays)
        return np.where(end < self.first, 0.0, gone)

    def _fall(self) -> tuple[Floats, Floats]:
        return np.full(np.shape(self.share), np.inf), np.full(np.shape(self.share), self.first + 1.0)

    def _draw_chances(self, generator: np.random.Generator, size: int) -> Floats:
        return ((generator.random(size) < self.share) & (self.first == 1)).astype(float)

    def _draw_departures(self, generator: np.random.Generator, chance: Floats) -> Floats:
        at_first = chance > 0 if self.first == 1 else generator.random(chance.size) < self.share
        return np.where(at_first, float(self.first), self.first + 1.0)

    @classmethod
    def _possible(cls, data: Renewals) -> bool:
        passed = np.where(data.churned, data.duration - 1, data.duration)
        return bool((passed <= cls._held(data)["first"]).all())

    @staticmethod
    def survival_terms(odds: Floats, renewals: Floats, first: int = 1) -> Terms:
        """Log of the survival, with its derivatives in the odds of the share."""
        shared = GeometricChurn.survival_terms(odds, (renewals >= first).astype(float))
        return _only(shared, renewals <= first, other=-np.inf)

    @classmethod
    def hazard_terms(cls, odds: Floats, renewals: Floats, first: int = 1) -> Terms:
        """Log of the share at the first, and of 1 from then on, with its derivatives in the odds of the share."""
        shared = _only(GeometricChurn.hazard_terms(odds, renewals), renewals == first)
        return Terms(np.where(renewals < first, -np.inf, shared.value), shared.slopes, shared.curvatures)


def _pareto(generator: np.random.Generator, size: int, scale: float, power: float | Floats) -> Floats:
    """The renewals after which customers are gone whose survival is ``(scale / t)**power`` from ``scale`` on."""
    with np.errstate(over="ignore"):
        return np.asarray(np.floor(scale * np.exp(generator.exponential(size=size) / power)) + 1)


def _power_terms(power: float, renewals: Floats, scale: float) -> Terms:
    """Log of ``(scale / t)**power``, 0 up to the scale, with its derivatives in the power."""
    late = np.log(np.maximum(renewals / scale, 1.0))
    return Terms(-power * late, -late[None], np.zeros((1, 1, renewals.size)))


def _power_hazard_terms(power: float, renewals: Floats) -> Terms:
    """Log of ``1 - ((t - 1) / t)**power``, with its derivatives in the power; 0 at the first renewal."""
    step = -np.log1p(-1 / np.maximum(renewals, 2.0))
    leaves, odds = -np.expm1(-power * step), 1 / np.expm1(power * step)
    terms = Terms(np.log(leaves), (step * odds)[None], (-(step**2) * odds * (1 + odds))[None, None])
    return _only(terms, renewals > 1)


def _only(terms: Terms, where: NDArray[np.bool_], other: float = 0.0) -> Terms:
    """The terms at some places, and a constant at the others."""
    return Terms(np.where(where, terms.value, other), terms.slopes * where, terms.curvatures * where)


def _beside(first: Terms, second: Terms) -> Terms:
    """The sum of terms in one parameter and terms in another."""
    curvatures = np.zeros((2, 2, first.value.size))
    curvatures[0, 0], curvatures[1, 1] = first.curvatures[0, 0], second.curvatures[0, 0]
    return Terms(first.value + second.value, np.concatenate([first.slopes, second.slopes]), curvatures)
