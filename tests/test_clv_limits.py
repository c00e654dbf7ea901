"""Where BG/NBD has no maximum: the simpler models at its edge, each named, fitted and used."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from frames import as_rows
from retention_metrics.clv import BGNBD
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.likelihood import PartsObjective
from retention_metrics.clv.limits import (
    LIMITS,
    NBD,
    BGPoisson,
    GeometricNBD,
    GeometricPoisson,
    OneRepeatNBD,
    OneRepeatPoisson,
    Poisson,
    TwoTypeNBD,
    TwoTypePoisson,
)
from retention_metrics.errors import FitError, InputError

FAR = 1e8
EDGES = [
    (NBD(r=0.5, alpha=10.0), BGNBD(r=0.5, alpha=10.0, a=1 / FAR, b=1.0)),
    (GeometricNBD(r=0.4, alpha=6.0, p=0.2), BGNBD(r=0.4, alpha=6.0, a=0.2 * FAR, b=0.8 * FAR)),
    (TwoTypeNBD(r=0.4, alpha=6.0, share=0.3), BGNBD(r=0.4, alpha=6.0, a=0.3 / FAR, b=0.7 / FAR)),
    (OneRepeatNBD(r=0.4, alpha=6.0), BGNBD(r=0.4, alpha=6.0, a=1.0, b=1 / FAR)),
    (BGPoisson(rate=0.1, a=0.8, b=2.4), BGNBD(r=0.1 * FAR, alpha=FAR, a=0.8, b=2.4)),
    (GeometricPoisson(rate=0.1, p=0.2), BGNBD(r=0.1 * FAR, alpha=FAR, a=0.2 * FAR, b=0.8 * FAR)),
    (TwoTypePoisson(rate=0.1, share=0.3), BGNBD(r=0.1 * FAR, alpha=FAR, a=0.3 / FAR, b=0.7 / FAR)),
    (OneRepeatPoisson(rate=0.1), BGNBD(r=0.1 * FAR, alpha=FAR, a=1.0, b=1 / FAR)),
    (Poisson(rate=0.1), BGNBD(r=0.1 * FAR, alpha=FAR, a=1 / FAR, b=1.0)),
]
FAMILY = [limit for limit, _ in EDGES]
over_edges = pytest.mark.parametrize(("limit", "near"), EDGES, ids=[type(limit).__name__ for limit in FAMILY])
over_family = pytest.mark.parametrize("limit", FAMILY, ids=[type(limit).__name__ for limit in FAMILY])


def histories(limit) -> tuple[np.ndarray, ...]:
    """Histories that the model allows: at most one repeat purchase where everybody leaves at the first."""
    most = 1 if isinstance(limit, (OneRepeatNBD, OneRepeatPoisson)) else 6
    frequency = np.arange(most + 1.0)
    return frequency, np.where(frequency > 0, 12.0 + frequency, 0.0), np.full(frequency.shape, 20.0)


def drawn(model, size: int = 4_000, rng: int = 2005) -> pd.DataFrame:
    return model.simulate(np.linspace(20, 40, size), rng=rng)[["frequency", "recency", "T"]]


def refused(data: pd.DataFrame, **how) -> FitError:
    """The error of a BG/NBD fit, which must come with its limit."""
    with pytest.raises(FitError, match="has no maximum on these data") as caught:
        BGNBD.fit(data, **how)
    assert caught.value.limit is not None
    return caught.value


def test_every_limit_is_tested():
    assert {type(limit) for limit in FAMILY} == set(LIMITS)


# ---------------------------------------------------------------- a limit is one


@over_edges
def test_likelihood_is_approached_by_bg_nbd(limit, near):
    history = histories(limit)
    assert near.log_likelihood(*history) == pytest.approx(limit.log_likelihood(*history), abs=1e-5)


@over_edges
def test_probability_alive_is_approached_by_bg_nbd(limit, near):
    history = histories(limit)
    for after in (0.0, 15.0):
        found = limit.probability_alive(*history, after=after)
        assert near.probability_alive(*history, after=after) == pytest.approx(found, abs=1e-6)


@over_edges
def test_expected_purchases_are_approached_by_bg_nbd(limit, near):
    history = histories(limit)
    for horizon in (0.1, 10.0, 200.0):
        found = limit.expected_purchases(*history, horizon=horizon)
        assert near.expected_purchases(*history, horizon=horizon) == pytest.approx(found, rel=2e-5, abs=1e-6)


@over_edges
def test_discounted_purchases_are_approached_by_bg_nbd(limit, near):
    history, how = histories(limit), {"discount_rate": 0.01, "horizon": 100.0}
    found = limit.discounted_expected_purchases(*history, **how)
    assert near.discounted_expected_purchases(*history, **how) == pytest.approx(found, rel=2e-5, abs=1e-6)


@over_edges
def test_probabilities_of_purchases_are_approached_by_bg_nbd(limit, near):
    history, n = tuple(column[:, None] for column in histories(limit)), np.arange(6)
    found = limit.probability_of_purchases(*history, n=n, horizon=10.0)
    assert near.probability_of_purchases(*history, n=n, horizon=10.0) == pytest.approx(found, abs=2e-6)


# ---------------------------------------------------------------- a limit is fitted


@over_family
def test_its_own_fit_finds_it_again(limit):
    fit = type(limit).fit(drawn(limit))
    for name, error in fit.standard_errors.items():
        assert getattr(fit.model, name) == pytest.approx(getattr(limit, name), abs=3.5 * error)


@over_family
def test_gradient_and_hessian_are_derivatives_of_the_likelihood(limit):
    data = drawn(limit, 300)
    objective = type(limit)._objective(type(limit)._read(data, {}), threads=None)
    odds = limit.to_odds(limit.theta)

    def value(point: np.ndarray) -> float:
        model = limit.with_theta(limit.from_odds(point))
        return float(model.log_likelihood(data["frequency"], data["recency"], data["T"]).sum())

    height, gradient, hessian = objective.evaluate(odds)
    assert height == pytest.approx(value(odds), rel=1e-11)
    steps = np.diag(1e-5 * odds)
    slopes = [(value(odds + h) - value(odds - h)) / (2 * h.sum()) for h in steps]
    assert gradient == pytest.approx(slopes, rel=1e-4, abs=1e-2)
    curves = [(objective.evaluate(odds + h)[1] - objective.evaluate(odds - h)[1]) / (2 * h.sum()) for h in steps]
    assert hessian == pytest.approx(np.array(curves), rel=1e-5, abs=1e-5 * np.abs(hessian).max())


def test_two_sums_of_the_bg_nbd_likelihood_agree():
    """By the parts that all models share, and by the sums that BG/NBD alone takes for speed; with counts."""
    rng = np.random.default_rng(3)
    model = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    table = drawn(model, 500)
    data = Histories(*(table[name].to_numpy(float) for name in table), rng.integers(0, 5, 500).astype(float))
    shared = PartsObjective(data, BGNBD._terms(), 2, None)
    for theta in (model.theta, np.array([3.0, 90.0, 0.02, 40.0]), np.array([0.01, 0.5, 30.0, 1e-3])):
        for ours, parts in zip(
            BGNBD._objective(data, threads=None).evaluate(theta), shared.evaluate(theta), strict=True
        ):
            assert ours == pytest.approx(parts, rel=1e-9, abs=1e-9 * float(np.abs(parts).max()))


@over_family
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_bg_nbd_answer_is_below_the_model_that_it_contains(limit, seed):
    """A maximum or a limit: its likelihood is at least that of the model that the data were drawn from."""
    data = drawn(limit, rng=seed)
    try:
        found = BGNBD.fit(data)
    except FitError as error:
        found = error.limit
    assert found.log_likelihood >= type(limit).fit(data).log_likelihood - 1e-4


@pytest.mark.parametrize(
    "limit",
    [
        NBD(r=0.5, alpha=10.0),
        GeometricNBD(r=0.4, alpha=6.0, p=0.2),
        TwoTypeNBD(r=0.4, alpha=6.0, share=0.3),
        OneRepeatNBD(r=0.4, alpha=6.0),
        TwoTypePoisson(rate=0.1, share=0.3),
    ],
    ids=lambda limit: type(limit).__name__,
)
def test_data_without_a_maximum_name_the_model_they_came_from(limit):
    error = refused(drawn(limit, rng=1))
    assert type(error.limit.model) is type(limit)
    assert type(limit).__name__ in str(error)
    assert limit.limit_of in error.limit.notes[-1]


def test_no_bg_nbd_climbs_above_its_limit():
    """Parameters ever further out come ever closer to the limit's likelihood from below."""
    data = drawn(GeometricNBD(r=0.4, alpha=6.0, p=0.2), rng=1)
    limit = refused(data).limit
    r, alpha, p = limit.model.theta
    heights = [
        float(
            BGNBD(r=r, alpha=alpha, a=p * far, b=(1 - p) * far)
            .log_likelihood(data["frequency"], data["recency"], data["T"])
            .sum()
        )
        for far in (10.0, 100.0, 1e4, 1e6)
    ]
    assert (np.diff(heights) > 0).all()
    assert heights[-1] < limit.log_likelihood
    assert heights[-1] == pytest.approx(limit.log_likelihood, abs=1e-2)


# ---------------------------------------------------------------- who has no maximum


def test_one_shot_buyers_have_one_dropout_probability_or_leave_at_once():
    """300 customers, hardly any of whom comes back: the window is too short to see how dropout differs."""
    for seed in range(6):
        shots = BGNBD(r=0.05, alpha=60.0, a=0.8, b=2.4).simulate(np.full(300, 39.0), rng=seed)
        limit = refused(shots).limit
        assert limit.customers == 300
        assert np.isfinite(limit.predict(shots, horizon=39).to_frame()["expected_purchases"]).all()


def test_two_customers_are_described_by_one_rate_and_one_probability():
    error = refused(pd.DataFrame({"frequency": [1, 2], "recency": [3.0, 4.0], "T": [10.0, 11.0]}))
    assert isinstance(error.limit.model, GeometricPoisson)


def test_customers_who_have_just_bought_show_no_dropout():
    data = drawn(BGNBD(r=0.5, alpha=10.0, a=0.8, b=2.4))
    data["recency"] = data["T"].where(data["frequency"] > 0, 0.0)
    assert isinstance(refused(data).limit.model, NBD)


def test_heavy_buyers_who_rarely_leave_have_a_maximum():
    """Thousands of purchases each, dropout once in hundreds: other implementations fail to converge."""
    truth = BGNBD(r=5.0, alpha=2.0, a=0.5, b=200.0)
    data = truth.simulate(np.full(1_000, 365.0), rng=1)
    assert data["frequency"].max() > 2_000
    fit = BGNBD.fit(data)
    for name, error in fit.standard_errors.items():
        assert getattr(fit.model, name) == pytest.approx(getattr(truth, name), abs=3 * error)
    at_truth = truth.log_likelihood(data["frequency"], data["recency"], data["T"]).sum()
    assert fit.log_likelihood > at_truth


@pytest.mark.parametrize("heaviest", [10_000, 70_000])
def test_one_heavy_buyer_among_many_light_ones_has_a_maximum(heaviest):
    light = drawn(BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426), 2_000)
    heavy = pd.DataFrame({"frequency": [heaviest], "recency": [39.0], "T": [39.0]})
    fit = BGNBD.fit(pd.concat([light, heavy], ignore_index=True))
    assert fit.gradient_norm < 1e-5


@pytest.mark.parametrize("age", [1e-9, 39.0, 1e5, 1e12])
def test_customers_all_of_one_age_are_fitted_in_any_unit(age):
    model = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    weeks = model.simulate(np.full(2_000, 39.0), rng=2)
    scaled = weeks.assign(recency=weeks["recency"] * age / 39, T=age)
    scaled["recency"] = scaled["recency"].clip(upper=age)
    here, there = BGNBD.fit(weeks).model, BGNBD.fit(scaled).model
    assert there.theta == pytest.approx(here.theta * [1, age / 39, 1, 1], rel=1e-6)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"frequency": [0] * 50, "recency": [0.0] * 50, "T": np.linspace(27, 39, 50)}, "none of 50 customers"),
        ({"frequency": [2], "recency": [30.43], "T": [38.86]}, "1 customer cannot show"),
        ({"frequency": [0, 0, 1], "recency": [0.0] * 3, "T": [0.0] * 3}, "T is 0 for every customer"),
    ],
)
def test_data_that_identify_nothing_have_no_limit_either(table, words):
    with pytest.raises(FitError, match=words) as caught:
        BGNBD.fit(pd.DataFrame(table))
    assert caught.value.limit is None


# ---------------------------------------------------------------- what a penalty does


@over_family
def test_a_penalty_always_gives_an_answer(limit):
    data = drawn(limit, 1_000, rng=1)
    fit = BGNBD.fit(data, penalty=1e-6)
    assert fit.gradient_norm < 1e-5
    history = data["frequency"], data["recency"], data["T"]
    assert fit.log_likelihood == pytest.approx(float(fit.model.log_likelihood(*history).sum()), rel=1e-10)


def test_a_penalty_pulls_towards_its_centre_whatever_the_unit():
    data = drawn(BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426))
    for scale in (1.0, 168.0):
        scaled = data.assign(recency=data["recency"] * scale, T=data["T"] * scale)
        pulled = BGNBD.fit(scaled, penalty=1e9).model
        assert pulled.theta == pytest.approx([1.0, scaled["T"].mean(), 1.0, 1.0], rel=1e-3)


# ---------------------------------------------------------------- a limit serves like any fit


@over_family
def test_a_limits_fit_goes_to_json_and_predicts_the_same(limit):
    data = drawn(limit, 600)
    fit = type(limit).fit(data)
    again = rm.from_dict(json.loads(json.dumps(fit.to_dict(), allow_nan=False)))
    assert again == fit
    there = again.predict(data, horizon=10, level=0.9).to_frame()
    assert there.equals(fit.predict(data, horizon=10, level=0.9).to_frame())


@over_family
def test_intervals_hold_the_estimate(limit):
    data = drawn(limit, 600)
    found = type(limit).fit(data).predict(data, horizon=10, level=0.9).to_frame()
    for name in ("probability_alive", "expected_purchases"):
        assert (found[f"{name}_low"] <= found[name] * (1 + 1e-12)).all()
        assert (found[name] <= found[f"{name}_high"] * (1 + 1e-12)).all()


def test_limits_are_fitted_and_predict_in_every_kind_of_frame(frame):
    data = drawn(GeometricNBD(r=0.4, alpha=6.0, p=0.2), 600, rng=1)
    limit = refused(frame(data)).limit
    assert limit.model.theta == pytest.approx(refused(data).limit.model.theta, rel=1e-6)
    found = as_rows(limit.predict(frame(data), horizon=10))
    assert sum(row["expected_purchases"] for row in found) == pytest.approx(
        float(limit.predict(data, horizon=10).to_frame()["expected_purchases"].sum()), rel=1e-9
    )


def test_counts_are_repetitions_in_a_limit_too():
    data = drawn(NBD(r=0.5, alpha=10.0), 300).assign(customers=np.random.default_rng(3).integers(0, 4, 300))
    repeated = data.loc[data.index.repeat(data["customers"])]
    weighted = NBD.fit(data, counts="customers")
    assert weighted.model.theta == pytest.approx(NBD.fit(repeated).model.theta, rel=1e-8)
    assert weighted.customers == len(repeated)


@pytest.mark.parametrize(("cell", "words"), [(-1, "counts holds whole"), (0.5, "counts holds whole"), (None, "counts")])
def test_counts_that_are_none_are_refused(cell, words):
    data = drawn(FAMILY[0], 20).assign(customers=1.0)
    data.loc[3, "customers"] = cell
    with pytest.raises(InputError, match=rf"{words}.*row 3"):
        BGNBD.fit(data, counts="customers")


@pytest.mark.parametrize("limit", [OneRepeatNBD, OneRepeatPoisson])
def test_nobody_who_left_at_the_first_repeat_purchase_makes_a_second(limit):
    with pytest.raises(FitError, match=f"{limit.__name__}.fit .* no second"):
        limit.fit(drawn(NBD(r=0.5, alpha=10.0), 200))
