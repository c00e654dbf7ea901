"""How many answers a Net Promoter Score takes."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from retention_metrics import _checks
from retention_metrics._stats import multinomials, proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Result, result

SizeMethod = Literal["wald", "adjusted_wald"]

SIZE_METHODS: tuple[SizeMethod, ...] = ("wald", "adjusted_wald")


@result
class SampleSize(Result):
    """The number of answers that a margin of error takes.

    Attributes
    ----------
    margin : float
        Half width of the interval in points.
    promoters, detractors : float
        Expected shares.
    level : float
        Probability content of the interval.
    method : str
        Method of the interval.
    population : int or None
        Size of a finite population.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plan = rm.nps.sample_size(margin=10, population=500)
    >>> plan.estimate, plan.explain().evaluate()["answers"]
    (218.0, 218.0)
    """

    kind: ClassVar[str] = "nps.sample_size"

    margin: float
    promoters: float
    detractors: float
    level: float
    method: str
    population: int | None

    def explain(self) -> Explanation:
        """The normal interval's half width, solved for the number of answers."""
        extra = sum(multinomials.ADJUSTMENT) if self.method == "adjusted_wald" else 0.0
        values = {
            "promoters": self.promoters,
            "detractors": self.detractors,
            "margin": self.margin,
            "level": self.level,
            "added_answers": extra,
        }
        if self.population is not None:
            values["population"] = self.population
        size = (
            "infinite - added_answers"
            if self.population is None
            else "(infinite * population - added_answers * (population - 1)) / (population - 1 + infinite)"
        )
        return Explanation(
            formula="n = z^2 (p + d - (p - d)^2) / margin^2 - added answers, rounded up",
            values=values,
            steps=(
                Step(name="variance", expression="promoters + detractors - (promoters - detractors) ** 2"),
                Step(name="infinite", expression="z(level) ** 2 * variance / (margin / 100) ** 2"),
                Step(name="unrounded", expression=size),
                Step(name="answers", expression="max(1, -(-unrounded // 1))"),
            ),
            source="Variance of the Net Promoter Score and the normal quantile.",
        )


def sample_size(
    *,
    margin: float,
    promoters: float = 0.5,
    detractors: float = 0.5,
    level: float = 0.95,
    method: SizeMethod = "wald",
    population: int | None = None,
) -> SampleSize:
    """Answers that it takes to know the Net Promoter Score to within a margin.

    Parameters
    ----------
    margin : float
        Half width of the interval in points, above 0 and at most 100.
    promoters, detractors : float, default 0.5
        Expected shares, from 0 to 1 and together at most 1. The defaults are the worst case.
    level : float, default 0.95
        Probability content of the interval, in (0, 1).
    method : {"wald", "adjusted_wald"}, default "wald"
        Method of the interval; the adjusted one brings three answers of its own.
    population : int, optional
        Size of the finite population that is asked.

    Returns
    -------
    SampleSize
        ``estimate`` is a whole number of answers, rounded up.

    Raises
    ------
    InputError
        If the margin, the shares, the level or the population is out of range.

    Notes
    -----
    ``n = z^2 (p + d - (p - d)^2) / margin^2``, less 3 with the adjusted interval; with a population of N the
    variance carries (N - n)/(N - 1). These are answers, not invitations: divide by the response rate.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.nps.sample_size(margin=10).estimate
    385.0
    """
    half = _checks.number(margin, name="margin", low=0.0, high=100.0, open_low=True)
    p, d = _checks.share(promoters, name="promoters"), _checks.share(detractors, name="detractors")
    if p + d > 1 + 1e-12:
        raise InputError(f"promoters and detractors are at most 1 together; got {p:g} + {d:g}.", argument="promoters")
    content = _checks.level(level)
    if content is None:
        raise InputError("level is a probability in (0, 1), e.g. 0.95; got None.", argument="level")
    chosen = _checks.choice(method, SIZE_METHODS, name="method")
    people = None if population is None else _checks.count(population, name="population", low=1)

    z = proportions.normal_quantile(content)
    added = sum(multinomials.ADJUSTMENT) if chosen == "adjusted_wald" else 0.0
    needed = multinomials.size_for_margin(p, d, half / 100, z=z, added=added, population=people)

    return SampleSize(
        estimate=float(max(1, math.ceil(needed))),
        unit="answers",
        definition="nps.sample_size/margin",
        margin=half,
        promoters=p,
        detractors=d,
        level=content,
        method=chosen,
        population=people,
    )
