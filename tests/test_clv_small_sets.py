"""Small sets of customers at odd parameters: a maximum, a limit that nothing exceeds, or the reason why not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from retention_metrics.clv import (
    BGBB,
    BGCNBD,
    BGNBD,
    MBGNBD,
    BetaDiscreteWeibull,
    GGompertzNBD,
    ParetoNBD,
    ShiftedBetaGeometric,
)
from retention_metrics.clv.lifetime_limits import ExponentialNBD
from retention_metrics.errors import FitError

SETS = 25
SAME = 1e-4  # log-likelihoods this close are one supremum
PURCHASES = [
    (BGNBD, {}, range(SETS)),
    (MBGNBD, {}, range(SETS)),
    (ParetoNBD, {}, range(SETS)),
    (BGCNBD, {"k": 2}, range(SETS)),
    (GGompertzNBD, {}, range(9, 17)),  # its limits are many, and each is fitted
]


def spread(rng: np.random.Generator, low: float, high: float, size: int | None = None):
    """Numbers between two, even in the log."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def power_of_time(cls, name: str) -> int:
    """1 for a length of time, -1 for a rate, 0 for a shape."""
    return (name in cls.time_scales) - (name in cls.time_rates)


def buyers(cls, held: dict[str, int], rng: np.random.Generator) -> pd.DataFrame:
    """2 to 60 customers over a short or a long window in some unit; some sets of one-shot or of repeat buyers alone."""
    unit = spread(rng, 0.01, 100)
    values = {name: spread(rng, 0.05, 8) * unit ** power_of_time(cls, name) for name in cls.parameters}
    size = int(rng.integers(2, 61))
    table = cls(**values, **held).simulate(spread(rng, 1, 100) * unit * rng.uniform(0.3, 1, size), rng=rng)
    table = table[["frequency", "recency", "T"]].assign(customers=rng.integers(0, 4, size))
    kept = [table["frequency"] >= 0, table["frequency"] <= 1, table["frequency"] >= 1][int(rng.integers(3))]
    return table[kept] if kept.any() else table


def answer(cls, *data, **how):
    """A fit, the limit in its place, or None where the error says that nothing is identified."""
    try:
        fit = cls.fit(*data, **how)
    except FitError as error:
        refusal = error
    else:
        assert fit.gradient_norm < 1e-5
        return fit
    assert refusal.limit is not None or "has nothing to go by" in str(refusal)
    return refusal.limit


@pytest.mark.parametrize(("cls", "held", "seeds"), PURCHASES, ids=[cls.__name__ for cls, *_ in PURCHASES])
def test_no_parameters_are_likelier_than_what_a_fit_ends_with(cls, held, seeds):
    ended = []
    for seed in seeds:
        rng = np.random.default_rng([2005, seed])
        table = buyers(cls, held, rng)
        found = answer(cls, table, counts="customers", **held)
        if found is None:
            continue
        ended.append(found)
        columns = [table[name].to_numpy(float) for name in ("frequency", "recency", "T")]
        weights, age = table["customers"].to_numpy(), columns[2].mean()
        for point in spread(rng, 1e-3, 1e3, (60, len(cls.parameters))):
            scaled = point * [age ** power_of_time(cls, name) for name in cls.parameters]
            rival = cls(**dict(zip(cls.parameters, scaled, strict=True)), **held)
            assert weights @ rival.log_likelihood(*columns) <= found.log_likelihood + SAME
    assert {type(found.model) is cls for found in ended} == {True, False}


def test_no_chances_are_likelier_than_what_a_fit_to_opportunities_ends_with():
    ended = []
    for seed in range(SETS):
        rng = np.random.default_rng([2010, seed])
        drawn = BGBB(**dict(zip(BGBB.parameters, spread(rng, 0.05, 8, 4), strict=True)))
        most, size = int(rng.integers(2, 14)), int(rng.integers(2, 61))
        table = drawn.simulate(rng.integers(1, most, size) if seed % 2 else np.full(size, most), rng=rng)
        table = table[["frequency", "recency", "T"]].assign(customers=rng.integers(0, 4, size))
        found = answer(BGBB, table, counts="customers")
        if found is None:
            continue
        ended.append(found)
        rows = table[table["customers"] > 0]
        columns = [rows[name].to_numpy(float) for name in ("frequency", "recency", "T")]
        for point in spread(rng, 1e-3, 1e3, (25, 4)):
            rival = BGBB(**dict(zip(BGBB.parameters, point, strict=True)))
            assert rows["customers"] @ rival.log_likelihood(*columns) <= found.log_likelihood + SAME
        assert rows["customers"] @ found.model.log_likelihood(*columns) == pytest.approx(found.log_likelihood, abs=1e-9)
    assert {type(found.model) is BGBB for found in ended} == {True, False}


def renewers(cls, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Durations of 2 to 60 customers who are observed for some renewals, and whether they left."""
    drawn = cls(**{name: spread(rng, 0.05, 8) for name in cls.parameters}).simulate(int(rng.integers(2, 61)), rng=rng)
    seen = rng.integers(0, rng.integers(2, 12), len(drawn))
    churned = (drawn["churned"] & (drawn["duration"] <= seen)).to_numpy()
    return np.where(churned, drawn["duration"], seen), churned


@pytest.mark.parametrize(("cls", "sets"), [(ShiftedBetaGeometric, 2 * SETS), (BetaDiscreteWeibull, SETS)])
def test_no_shapes_are_likelier_than_what_a_contractual_fit_ends_with(cls, sets):
    ended = []
    for seed in range(sets):
        rng = np.random.default_rng([2007, seed])
        duration, churned = renewers(cls, rng)
        found = answer(cls, duration, churned=churned)
        if found is None:
            continue
        ended.append(found)
        for point in spread(rng, 1e-3, 1e3, (60, len(cls.parameters))):
            shapes = dict(zip(cls.parameters, np.minimum(point, [np.inf, np.inf, 30][: point.size]), strict=True))
            rival = cls(**shapes).log_likelihood(duration, churned)
            assert rival.sum() <= found.log_likelihood + SAME
    assert {type(found.model) is cls for found in ended} == {True, False}


def test_a_small_penalty_gives_an_answer_where_churn_is_that_of_one_probability():
    duration = np.repeat([1, 2, 3, 3], [50, 25, 13, 12])
    churned = np.repeat([True, True, True, False], [50, 25, 13, 12])
    for penalty in (1e-4, 1e-2):
        assert ShiftedBetaGeometric.fit(duration, churned=churned, penalty=penalty).gradient_norm < 1e-5


def test_of_two_maxima_the_higher_is_found():
    """Of six customers either rates differ a hundredfold and many stay, or four left at once: the likelier story."""
    data = pd.DataFrame({"frequency": [0, 0, 0, 0, 14, 9], "recency": [0, 0, 0, 0, 0.7, 1.2], "T": 1.3})
    fit = ParetoNBD.fit(data, penalty=0.003)
    lower = ParetoNBD(r=0.162, alpha=0.0371, s=10.0, beta=13.8)

    def penalised(model):
        pulled = np.log(model.theta / [1, 1.3, 1, 1.3])
        return float(model.log_likelihood(*(data[name] for name in data)).sum() - 0.0015 * pulled @ pulled)

    assert fit.model.probability_alive(0, 0.0, 1.3) < 0.1 < 0.3 < lower.probability_alive(0, 0.0, 1.3)
    assert penalised(fit.model) > penalised(lower) + 0.2
    nearby = [lower.with_theta(lower.theta * np.exp(0.1 * step)) for step in np.vstack([np.eye(4), -np.eye(4)])]
    assert all(penalised(near) < penalised(lower) + 1e-3 for near in nearby)


def test_a_maximum_below_the_supremum_at_infinity_is_none():
    """Where many leave early the likelihood has a maximum; where all leave at one rate it is higher."""
    ages = [9, 9, 9, 10, 10, 14, 16, 16, 16, 18, 18, 19, 19, 20, 21, 22, 22, 23, 23, 23, 24, 26, 26]
    again = [
        (1, 3, 18),
        (1, 15, 20),
        (1, 5, 22),
        (2, 8, 17),
        (2, 5, 25),
        (3, 9, 11),
        (3, 19, 25),
        (4, 9, 12),
        (6, 19, 23),
    ]
    data = pd.DataFrame([(0, 0, age) for age in ages] + again, columns=["frequency", "recency", "T"])
    with pytest.raises(FitError) as caught:
        ParetoNBD.fit(data)
    limit = caught.value.limit
    assert type(limit.model) is ExponentialNBD
    early = ParetoNBD(r=3.107, alpha=26.06, s=0.10666, beta=0.000217)
    assert limit.log_likelihood > early.log_likelihood(*(data[name] for name in data)).sum() + 0.1
