"""Demand of large bases: some customers are drawn, and the sum of the others has the law that it would have had."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import retention_metrics as rm
from retention_metrics.customers import futures, samples

BUYING = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
SPEND = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
STEP, PERIODS = 13.0, 2


def customers(size: int, seed: int, model: rm.clv.BGNBD = BUYING) -> pd.DataFrame:
    drawn = model.simulate(np.linspace(27, 39, size), rng=seed)
    spent = SPEND.simulate(drawn["frequency"], rng=seed)
    return drawn[["frequency", "recency", "T"]].astype(float).assign(monetary_value=np.nan_to_num(spent))


def plainly(model, spend, base: pd.DataFrame, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Every customer drawn in every draw: sums of each period and of all, shape (draws, periods + 1)."""
    rng, found = np.random.default_rng(seed), {"orders": [], "revenue": []}
    history = tuple(base[role].to_numpy() for role in ("frequency", "recency", "T"))
    for _ in range(draws):
        buys, spends = (uncertain(given, rng) for given in (model, spend))
        bought = futures.future(buys, buys.probability_alive(*history), *history, STEP, PERIODS, rng)
        spent = futures.spent(spends, history[0], base["monetary_value"].to_numpy(), bought, rng)
        for name, amounts in (("orders", bought), ("revenue", spent)):
            by_period = amounts.sum(axis=0)
            found[name].append([*by_period, by_period.sum()])
    return {name: np.array(rows) for name, rows in found.items()}


def uncertain(given, rng: np.random.Generator):
    if not isinstance(given, rm.clv.Fit):
        return given
    drawn = rng.multivariate_normal(np.log(given.model.theta), given.log_covariance)
    return given.model.with_theta(np.exp(drawn))


# ---------------------------------------------------------------- who is drawn


@pytest.mark.parametrize("seed", range(3))
def test_those_drawn_stand_for_all(seed):
    rng = np.random.default_rng(seed)
    size, codes = rng.lognormal(0, 2, 40_000), np.repeat([0, 1, 2], [2_000, 8_000, 30_000])
    certain = np.arange(40_000) % 1_000 == 7
    order = np.lexsort((size, codes))
    chosen = samples.sample(size, order, codes, certain, rng)
    whole = chosen.others + 1
    assert set(np.flatnonzero(certain)) | set(np.flatnonzero(codes == 0)) <= set(chosen.rows)
    assert (chosen.others >= 0).all()
    for group, people in enumerate(np.bincount(codes)):
        here = codes[chosen.rows] == group
        drawn = min(people, samples.MOST + int(certain[codes == group].sum()))
        assert here.sum() == pytest.approx(drawn, abs=1)
        assert whole[here].sum() == pytest.approx(people, rel=0.05)
        assert (whole * size[chosen.rows])[here].sum() == pytest.approx(size[codes == group].sum(), rel=0.01)
    largest = np.argsort(size)[-100:]
    assert set(largest) <= set(chosen.rows)


def test_the_largest_are_certain_and_the_sample_has_its_size():
    size = np.array([1e6] * 10 + [1.0] * 9_990)
    chances = [samples.sample(size, np.arange(10_000), np.zeros(10_000, int), np.zeros(10_000, bool), seed) for seed in
               map(np.random.default_rng, range(400))]  # fmt: skip
    hits = np.bincount(np.concatenate([chosen.rows for chosen in chances]), minlength=10_000)
    assert (hits[:10] == 400).all()
    assert {chosen.rows.size for chosen in chances} <= {samples.MOST - 1, samples.MOST, samples.MOST + 1}
    # the others' chances are all alike, (3,000 - 10) / 9,990
    chance = 2_990 / 9_990
    assert chances[0].others[10:] == pytest.approx(1 / chance - 1)
    assert np.abs(hits[10:] - 400 * chance).max() < 5 * np.sqrt(400 * chance * (1 - chance))


# ---------------------------------------------------------------- the sum of the others


@pytest.mark.parametrize("mean", [0.3, 4.0, 400.0])
def test_the_sum_of_the_others_has_the_moments_of_what_was_watched(mean):
    """A thousand customers who order Poisson numbers, each for five: Poisson sums, up to the roundness of numbers."""
    rng = np.random.default_rng(3)
    each = np.full((1_000, 1), mean / 5_000)
    rest = samples.Rest(each)
    for _ in range(2_000):
        rest.watch(rng.poisson(each).astype(float))
    drawn = rest.drawn(np.full((40_000, 1), mean), lambda a: 5 * a.sum(axis=0, keepdims=True), rng)[:, 0]
    if mean > 1:  # below, much of the law is at none
        assert drawn.mean() == pytest.approx(mean, rel=0.02)
        assert drawn.std() == pytest.approx(np.sqrt(mean), rel=0.03)
    for share in (0.025, 0.16, 0.84, 0.975):
        assert np.rint(np.quantile(drawn, share)) == pytest.approx(stats.poisson(mean).ppf(share), abs=1)


def test_the_skewness_goes_both_ways():
    rng, chance = np.random.default_rng(4), 0.98
    rest = samples.Rest(np.full((500, 1), chance))
    for _ in range(2_000):
        rest.watch((rng.random((500, 1)) < chance).astype(float))
    drawn = rest.drawn(np.full((200_000, 1), 500 * chance), lambda a: a.sum(axis=0, keepdims=True), rng)[:, 0]
    assert stats.skew(drawn) == pytest.approx(stats.binom(500, chance).stats("s"), rel=0.1)


# ---------------------------------------------------------------- demand


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    return customers(6_000, 2005)


@pytest.mark.parametrize("fitted", [False, True])
def test_a_large_base_has_the_intervals_of_the_plain_simulation(many, fitted):
    """Ends at one standard deviation: those of 500 draws are off by 0.067 deviations, and of 300 by 0.087."""
    few = customers(400, 6)
    model = rm.clv.BGNBD.fit(few, penalty=0.1) if fitted else BUYING
    spend = rm.clv.GammaGamma.fit(few[few["frequency"] > 0]) if fitted else SPEND
    plain = plainly(model, spend, many, 300, seed=1)
    options = {"spend": spend, "length": STEP, "periods": PERIODS, "draws": 500, "level": 0.6827}
    rows = rm.customers.demand(model, many, **options, rng=2).rows()
    for name, sums in plain.items():
        spread = np.diff(np.quantile(sums, [0.15865, 0.84135], axis=0), axis=0)[0] / 2
        for place, row in enumerate(rows):
            width = (row[f"{name}_high"] - row[f"{name}_low"]) / 2
            assert width == pytest.approx(spread[place], rel=4 * np.hypot(0.067, 0.087) / np.sqrt(2))
            middle = (row[f"{name}_high"] + row[f"{name}_low"]) / 2
            assert (
                abs(middle - np.quantile(sums[:, place], [0.15865, 0.84135]).mean())
                < 4 * np.hypot(0.067, 0.087) * spread[place]
            )


def test_who_has_long_been_silent_orders_a_whole_number_of_times():
    silent = pd.DataFrame({"frequency": [3.0] * 20_000, "recency": [8.0] * 20_000, "T": [70.0] * 20_000})
    row = rm.customers.demand(BUYING, silent, length=0.25, periods=1, draws=2_000, rng=5).rows()[0]
    chance = BUYING.probability_of_purchases(3, 8.0, 70.0, n=[0, 1, 2, 3], horizon=0.25)
    assert row["orders"] == pytest.approx(20_000 * chance @ [0, 1, 2, 3], rel=1e-3)
    sums = np.random.default_rng(6).multinomial(20_000, [*chance, max(0.0, 1 - chance.sum())], 20_000)[:, 1:4] @ [
        1,
        2,
        3,
    ]
    for end, share in (("orders_low", 0.025), ("orders_high", 0.975)):
        assert row[end] == round(row[end])
        assert row[end] == pytest.approx(np.quantile(sums, share), abs=1)


def test_newcomers_whose_spend_has_no_third_moment_are_all_drawn():
    spend = rm.clv.GammaGamma(p=6.0, q=2.5, v=15.0)
    power = futures.moments(spend, np.array([0.0, 1.0, 2.0]))
    assert power.tolist() == [2.5, 8.5, 14.5]
    base = customers(5_000, 8)
    options = {"spend": spend, "length": STEP, "periods": 1, "draws": 200}
    rows = rm.customers.demand(BUYING, base, **options, rng=1).rows()
    plain = plainly(BUYING, spend, base, 400, seed=4)["revenue"]
    for end, share in (("revenue_low", 0.025), ("revenue_high", 0.975)):
        wide = np.subtract(*np.quantile(plain[:, 0], [0.975, 0.025]))
        assert rows[-1][end] == pytest.approx(np.quantile(plain[:, 0], share), abs=0.25 * wide)


def test_a_large_base_is_drawn_alike_from_the_same_seed(many):
    fit = rm.clv.BGNBD.fit(many)
    options = {"spend": SPEND, "length": 4, "draws": 100}
    first, again = (rm.customers.demand(fit, many, **options, rng=8) for _ in range(2))
    assert first == again
    assert rm.customers.demand(fit, many, **options, rng=9) != first


def test_a_small_group_beside_a_large_one_is_drawn_in_full(many):
    """Its interval is that of drawing it alone, whatever else is in the table."""
    grouped = many.assign(side=["few"] * 200 + ["many"] * 5_800)
    options = {"length": STEP, "periods": 1, "draws": 500, "level": 0.6827}
    both = rm.customers.demand(BUYING, grouped, **options, by="side", rng=1).rows()[0]
    alone = rm.customers.demand(BUYING, many[:200], **options, rng=2).rows()[0]
    assert both["orders"] == pytest.approx(alone["orders"])
    width = alone["orders_high"] - alone["orders_low"]
    for end in ("orders_low", "orders_high"):
        assert both[end] == pytest.approx(alone[end], abs=0.2 * width)
