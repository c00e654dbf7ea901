"""The change of the Net Promoter Score of the same customers from one wave of a survey to another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine import responses as engine
from retention_metrics._engine.groups import Tally
from retention_metrics._stats import multinomials, proportions
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.nps.answers import SCALES, Scale, classes
from retention_metrics.nps.scores import SOURCE, points_interval
from retention_metrics.results import Cell, Columns, Result, result

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
ChangeMethod = Literal["score", "wald"]

CHANGE_METHODS: tuple[ChangeMethod, ...] = ("score", "wald")

_CLASSES = ("promoter", "passive", "detractor")
# What one customer's change adds, from a detractor who becomes a promoter to the reverse.
_STEPS = np.array([2.0, 1.0, 0.0, -1.0, -2.0])


@result
class ScoreChange(Result):
    """The change of a score among the same customers in points, with its test.

    Attributes
    ----------
    score_before, score_after : float
        The scores of the customers who answered in both waves.
    customers : int
        Their number.
    standard_error : float
        Standard error of the change in points.
    p_value : float or None
        Two-sided probability of so large a change where the score of all customers stays; None where no customer
        moved.
    moves : Columns
        Customers by class in either wave: ``before, after, customers``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> answers = pd.DataFrame({"who": [1, 2, 3, 4] * 2, "wave": [1] * 4 + [2] * 4, "score": [3, 8, 9, 9, 8, 9, 9, 10]})
    >>> change = rm.nps.change(answers, customer="who", rating="score", wave="wave")
    >>> change.estimate, change.score_before, change.score_after, change.moves.rows()[0]
    (50.0, 25.0, 75.0, {'before': 'promoter', 'after': 'promoter', 'customers': 2})
    """

    kind: ClassVar[str] = "nps.change"

    score_before: float
    score_after: float
    customers: int
    standard_error: float
    p_value: float | None
    moves: Columns

    def explain(self) -> Explanation:
        """The later score less the earlier one, of the same customers."""
        return Explanation(
            formula="change = NPS after - NPS before, of customers who answered in both waves",
            values={"score_before": self.score_before, "score_after": self.score_after},
            steps=(Step(name="change", expression="score_after - score_before"),),
            source=f"{SOURCE}. Interval: the score test of a mean of multinomial scores, after Tango, T. (1998), "
            "Statistics in Medicine 17, 891-908.",
        )


def change(
    responses: adopt.NativeFrame,
    *,
    customer: str,
    rating: str,
    wave: str,
    waves: Sequence[Cell] | None = None,
    scale: Scale = "0-10",
    level: float | None = 0.95,
    method: ChangeMethod = "score",
) -> ScoreChange:
    """Change of the score of customers who answered in two waves.

    Parameters
    ----------
    responses : dataframe
        One row per answer: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    customer, rating, wave : str
        Columns of who answered, the answer, and the wave of the survey.
    waves : sequence of two, optional
        The earlier and the later wave, as in the column; by default the column holds two, and they are sorted.
    scale : {"0-10", "1-10"}, default "0-10"
        The answers that were offered; any other answer is refused.
    level : float or None, default 0.95
        Probability content of the two-sided interval, in (0, 1); None computes no interval.
    method : {"score", "wald"}, default "score"
        Method of the interval and of the test.

    Returns
    -------
    ScoreChange
        ``estimate`` and ``interval`` in points, from -200 to 200, and ``p_value``. Customers who answered in one wave
        alone are counted in ``excluded``, as are rows without an answer, a customer or a wave: who stays away may
        differ from who answers.

    Raises
    ------
    ColumnError
        If a column is missing or plays two roles.
    InputError
        If an answer is not on the scale, a customer answered twice in a wave, there are not two waves, or nobody
        answered in both.

    Notes
    -----
    A customer's change is +1 per class climbed: 2 from detractor to promoter. Its mean over n customers has the
    variance of these changes over n, which is smaller than that of two independent scores where answers hang
    together. The score interval holds the means that a test with the restricted maximum-likelihood variance keeps,
    as Tango's does for changes of -1, 0 and 1 [1]_. It allows for moves by two classes that nobody made, so that it is
    wide where few customers moved; Wald's is then too narrow.

    References
    ----------
    .. [1] Tango, T. (1998). Equivalence test and confidence interval for the difference in proportions for the
       paired-sample design. *Statistics in Medicine* 17, 891-908.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_metrics as rm
    >>> before, after = [10] * 30 + [7] * 20 + [3] * 10, [10] * 36 + [7] * 14 + [8] * 4 + [3] * 6
    >>> answers = pd.DataFrame({"who": [*range(60)] * 2, "wave": ["1st"] * 60 + ["2nd"] * 60, "score": before + after})
    >>> gain = rm.nps.change(answers, customer="who", rating="score", wave="wave")
    >>> round(gain.estimate, 1), round(gain.interval.low, 1), round(gain.interval.high, 1), round(gain.p_value, 3)
    (16.7, 3.6, 28.0, 0.025)
    """
    roles = {"customer": customer, "rating": rating, "wave": wave}
    source = adopt.adopt(adopt.once(responses, roles), roles)
    level = _checks.level(level)
    chosen = _checks.choice(method, CHANGE_METHODS, name="method")
    offered = _checks.choice(scale, SCALES, name="scale")
    tally = engine.tally(source, by=("wave", "rating"))
    classes(tally.keys["rating"], tally.counts, name=rating, scale=offered)
    first, second = _two_waves(tally, waves, column=wave)

    missing = engine.unanswerable(source, "customer", "wave")
    missing.pop("kept")
    pairs = engine.paired(source, first, second)
    table, excluded = _table(pairs, {reason: rows for reason, rows in missing.items() if rows}, column=customer)
    counts = np.array([np.trace(table, offset=-step) for step in (2, 1, 0, -1, -2)], dtype=np.float64)
    n = int(table.sum())
    before, after = (100 * float(side[0] - side[2]) / n for side in (table.sum(axis=1), table.sum(axis=0)))
    mean = float(counts @ _STEPS) / n
    variance = float(counts @ (_STEPS - mean) ** 2) / n**2
    limits = None if level is None else _limits(counts, mean, variance, proportions.normal_quantile(level), chosen)
    p_value = _p_value(counts, mean, variance, chosen)

    return ScoreChange(
        estimate=after - before,
        interval=points_interval(limits, level, chosen, most=200.0),
        unit="points",
        definition="nps.difference/paired",
        excluded=excluded,
        notes=(f"From {first} to {second}.", *(() if p_value is not None else ("There is no test: nobody moved.",))),
        backend=source.backend,
        score_before=before,
        score_after=after,
        customers=n,
        standard_error=100 * math.sqrt(variance),
        p_value=p_value,
        moves=_moves(table),
    )


def _two_waves(tally: Tally, waves: Sequence[Cell] | None, *, column: str) -> tuple[Cell, Cell]:
    found = list(dict.fromkeys(wave for wave in tally.keys["wave"] if wave is not None))
    if waves is None:
        if len(found) != 2:
            raise InputError(
                f"wave={column!r} holds two waves; got {len(found)}: {', '.join(map(repr, found[:10]))}.",
                argument="wave",
                column=column,
                count=len(found),
                fix="Name two of them by waves=." if len(found) > 2 else None,
            )
        return found[0], found[1]
    named = list(waves)
    if len(named) != 2 or named[0] == named[1]:
        raise InputError(f"waves names two waves, the earlier first; got {named!r}.", argument="waves")
    for wave in named:
        if wave not in found:
            raise InputError(
                f"waves holds values of {column!r}; {wave!r} is none of {', '.join(map(repr, found[:10]))}.",
                argument="waves",
            )
    return named[0], named[1]


def _table(pairs: Tally, missing: Mapping[str, int], *, column: str) -> tuple[Integers, dict[str, int]]:
    """Customers by class before and after; who answered once is counted apart, and so are rows that lack something."""
    both = np.zeros((3, 3), dtype=np.int64)
    excluded = {"only_before": 0, "only_after": 0, "in_neither_wave": 0}
    keys = pairs.keys
    repeated = 0
    for row, count in enumerate(pairs.counts.tolist()):
        given = keys["before_answers"][row], keys["after_answers"][row]
        if max(given) > 1:
            repeated += count
        elif given == (1, 1):
            both[_class(keys["before"][row]), _class(keys["after"][row])] += count
        else:
            excluded[{(1, 0): "only_before", (0, 1): "only_after"}.get(given, "in_neither_wave")] += count
    if repeated:
        raise InputError(
            f"a customer answers once in a wave; {repeated} of {int(pairs.counts.sum())} answered more often.",
            argument="customer",
            column=column,
            count=repeated,
            fix="Keep one answer of each customer and wave.",
        )
    excluded = {**missing, **{reason: count for reason, count in excluded.items() if count}}
    if not both.any():
        listed = ", ".join(f"{reason} {count}" for reason, count in excluded.items())
        raise InputError(f"nobody answered in both waves{': ' if listed else ''}{listed}.", argument="customer")
    return both, excluded


def _class(rating: float) -> int:
    return 0 if rating >= 9 else 1 if rating >= 7 else 2


def _limits(counts: Floats, mean: float, variance: float, z: float, method: ChangeMethod) -> tuple[float, float]:
    if method == "score":
        return multinomials.mean_score_interval(_STEPS, counts, z=z)
    half = z * math.sqrt(variance)
    return max(-2.0, mean - half), min(2.0, mean + half)


def _p_value(counts: Floats, mean: float, variance: float, method: ChangeMethod) -> float | None:
    if method == "score":
        variance = multinomials.restricted_mean_variance(0.0, _STEPS, counts) / float(counts.sum())
    if counts[2] == counts.sum() or variance == 0:
        return None
    return proportions.two_sided_p_value(mean / math.sqrt(variance))


def _moves(table: Integers) -> Columns:
    cells = [(i, j, int(table[i, j])) for i in range(3) for j in range(3)]
    return Columns(
        {
            "before": [_CLASSES[i] for i, _, _ in cells],
            "after": [_CLASSES[j] for _, j, _ in cells],
            "customers": [count for _, _, count in cells],
        }
    )
