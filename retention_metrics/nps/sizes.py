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
    """The number of answers that a margin or a difference takes.

    Attributes
    ----------
    margin : float or None
        Half width of the interval in points.
    promoters, detractors : float
        Expected shares.
    level : float
        Probability content of the interval.
    method : str
        Method of the interval.
    population : int or None
        Size of a finite population, of each group where two are compared.
    difference, power : float or None
        Difference of two groups' scores in points, and the probability of finding it.
    response_rate : float or None
        Share of those asked who answer.
    invitations : int or None
        How many to ask, where the response rate is known.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> plan = rm.nps.sample_size(margin=10, population=500)
    >>> plan.estimate, plan.explain().evaluate()["answers"]
    (218.0, 218.0)
    """

    kind: ClassVar[str] = "nps.sample_size"

    margin: float | None
    promoters: float
    detractors: float
    level: float
    method: str
    population: int | None
    difference: float | None = None
    power: float | None = None
    response_rate: float | None = None
    invitations: int | None = None

    def explain(self) -> Explanation:
        """The normal interval's half width, solved for the number of answers."""
        extra = sum(multinomials.ADJUSTMENT) if self.method == "adjusted_wald" else 0.0
        values = {
            "promoters": self.promoters,
            "detractors": self.detractors,
            "level": self.level,
            "added_answers": extra,
        }
        infinite = "z(level) ** 2 * variance / (margin / 100) ** 2"
        formula = "n = z^2 (p + d - (p - d)^2) / margin^2 - added answers, rounded up"
        if self.margin is not None:
            values["margin"] = self.margin
        elif self.difference is not None and self.power is not None:
            values |= {"difference": self.difference, "power": self.power}
            # The quantile of the power, by the function that takes the content of an interval.
            infinite = "2 * (z(level) + z(2 * power - 1)) ** 2 * variance / (difference / 100) ** 2"
            formula = "n in each group = 2 (z + z of power)^2 (p + d - (p - d)^2) / difference^2 - added, rounded up"
        if self.population is not None:
            values["population"] = self.population
        size = (
            "infinite - added_answers"
            if self.population is None
            else "(infinite * population - added_answers * (population - 1)) / (population - 1 + infinite)"
        )
        return Explanation(
            formula=formula,
            values=values,
            steps=(
                Step(name="variance", expression="promoters + detractors - (promoters - detractors) ** 2"),
                Step(name="infinite", expression=infinite),
                Step(name="unrounded", expression=size),
                Step(name="answers", expression="max(1, -(-unrounded // 1))"),
            ),
            source="Variance of the Net Promoter Score and the normal quantile.",
        )


def sample_size(
    *,
    margin: float | None = None,
    difference: float | None = None,
    power: float = 0.8,
    promoters: float = 0.5,
    detractors: float = 0.5,
    level: float = 0.95,
    method: SizeMethod = "wald",
    population: int | None = None,
    response_rate: float | None = None,
) -> SampleSize:
    """Answers that it takes to know a score to a margin, or to see a difference.

    Parameters
    ----------
    margin : float, optional
        Half width of the interval in points, above 0 and at most 100.
    difference : float, optional
        Difference of the scores of two groups in points that is to be found, above 0 and at most 200; instead of
        ``margin``.
    power : float, default 0.8
        Probability of finding it, below 1 and above ``(1 - level) / 2``, which no answers bring.
    promoters, detractors : float, default 0.5
        Expected shares, from 0 to 1 and together at most 1. The defaults are the worst case.
    level : float, default 0.95
        Probability content of the interval, in (0, 1).
    method : {"wald", "adjusted_wald"}, default "wald"
        Method of the interval; the adjusted one brings three answers of its own.
    population : int, optional
        Size of the finite population that is asked; of each group where two are compared.
    response_rate : float, optional
        Share of those asked who answer, above 0 and at most 1; it gives ``invitations``.

    Returns
    -------
    SampleSize
        ``estimate`` is a whole number of answers, rounded up; with ``difference`` it is that of each group.

    Raises
    ------
    InputError
        If not exactly one of margin and difference is given, an argument is out of range, or the population is too
        small for the invitations.

    Notes
    -----
    ``n = z^2 (p + d - (p - d)^2) / margin^2``, less 3 with the adjusted interval; with a population of N the
    variance carries (N - n)/(N - 1). For a difference, each of two groups takes
    ``n = 2 (z + z_power)^2 (p + d - (p - d)^2) / difference^2`` answers. These are answers, not invitations.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.nps.sample_size(margin=10).estimate
    385.0
    >>> plan = rm.nps.sample_size(difference=10, promoters=0.5, detractors=0.2, response_rate=0.25)
    >>> plan.estimate, plan.invitations
    (958.0, 3832)
    """
    half, gap, chance = _target(margin, difference, power)
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
    if gap is not None:
        _checks.number(chance, name="power", low=(1 - content) / 2, high=1.0, open_low=True, open_high=True)
        # Two groups of one size double the variance; the power adds its own quantile.
        z = math.sqrt(2) * (z + proportions.normal_quantile(2 * chance - 1))
    width = half if half is not None else gap
    needed = multinomials.size_for_margin(p, d, (width or 0.0) / 100, z=z, added=added, population=people)
    answers = max(1, math.ceil(needed))

    return SampleSize(
        estimate=float(answers),
        unit="answers",
        definition="nps.sample_size/margin" if gap is None else "nps.sample_size/difference",
        margin=half,
        promoters=p,
        detractors=d,
        level=content,
        method=chosen,
        population=people,
        difference=gap,
        power=None if gap is None else chance,
        response_rate=response_rate,
        invitations=_invitations(answers, response_rate, people),
    )


def _target(margin: float | None, difference: float | None, power: float) -> tuple[float | None, float | None, float]:
    """Margin or difference, one of them, and the power."""
    if (margin is None) == (difference is None):
        raise InputError("a sample is planned for margin= or for difference=, one of them.", argument="margin")
    chance = _checks.number(power, name="power", low=0.0, high=1.0, open_low=True, open_high=True)
    if margin is not None:
        return _checks.number(margin, name="margin", low=0.0, high=100.0, open_low=True), None, chance
    return None, _checks.number(difference, name="difference", low=0.0, high=200.0, open_low=True), chance


def _invitations(answers: int, response_rate: float | None, population: int | None) -> int | None:
    if response_rate is None:
        return None
    rate = _checks.number(response_rate, name="response_rate", low=0.0, high=1.0, open_low=True)
    asked = math.ceil(answers / rate - 1e-9)
    if population is not None and asked > population:
        raise InputError(
            f"population is at least the number of invitations; got {population} for {asked} at a response rate of "
            f"{rate:g}.",
            argument="population",
        )
    return asked
