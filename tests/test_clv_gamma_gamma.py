"""Gamma-Gamma: the published fit, laws of the model, and what is set aside and counted."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special, stats

import retention_metrics as rm
from frames import as_rows
from retention_metrics.clv import Fit, GammaGamma
from retention_metrics.clv.spend_limits import GammaSpend
from retention_metrics.errors import FitError, InputError

CDNOW = GammaGamma(p=6.25, q=3.74, v=15.44)

models = st.builds(GammaGamma, p=st.floats(0.3, 30.0), q=st.floats(1.1, 30.0), v=st.floats(0.1, 1e3))
frequencies = st.integers(1, 60)
money = st.floats(0.01, 1e4)


@pytest.fixture
def calibration(cdnow):
    """CDNOW's 39 weeks of calibration: 2,357 customers, 946 of them repeat buyers."""
    return rm.clv.rfm_summary(
        cdnow,
        customer="customer_id",
        time="date",
        value="amount",
        unit="week",
        calibration_end="1997-09-30",
        as_of="1998-06-30",
    )


def drawn(customers: int, *, rng: int | np.random.Generator = 2005, model: GammaGamma = CDNOW) -> pd.DataFrame:
    """Customers with 0 to 6 repeat purchases and their mean spend."""
    generator = np.random.default_rng(rng)
    frequency = generator.integers(0, 7, customers)
    return pd.DataFrame({"frequency": frequency, "monetary_value": model.simulate(frequency, rng=generator)})


# ---------------------------------------------------------------- published numbers


def test_the_published_cdnow_fit_comes_from_the_raw_transactions(calibration, reference):
    table = reference("gamma_gamma_cdnow")
    fit = GammaGamma.fit(calibration)
    assert (fit.customers, fit.excluded) == (table.customers, {"no_repeat_purchase": 2357 - table.customers})
    for name, published in table.theta.items():
        assert getattr(fit.model, name) == pytest.approx(published, abs=0.5 * 10**-table.digits)


def test_the_first_ten_customers_spend_as_published(calibration, reference):
    table = reference("gamma_gamma_cdnow")
    fit = GammaGamma.fit(calibration)
    first = sorted(as_rows(fit.predict(calibration)), key=lambda row: row["customer_id"])[:10]
    assert [row["expected_value"] for row in first] == pytest.approx(table.first_ten, abs=0.005)
    mean = fit.model.expected_value(0, None)
    assert mean == pytest.approx(table.population_mean, abs=0.005)
    assert fit.model.explain().evaluate()["mean_spend_per_purchase"] == pytest.approx(float(mean))


def test_the_published_table_of_customers_gives_the_maximum_found_elsewhere(shared_data, reference):
    maximum = reference("gamma_gamma_cdnow").maximum
    table = pd.read_csv(shared_data / "cdnow_customer_summary.csv")
    fit = GammaGamma.fit(table, frequency="x", monetary_value="zbar")
    assert fit.log_likelihood == pytest.approx(maximum["log_likelihood"], abs=5e-5)
    for name, value in maximum["theta"].items():
        assert getattr(fit.model, name) == pytest.approx(value, abs=5e-5)
    for name, value in maximum["standard_errors"].items():
        assert fit.standard_errors[name] == pytest.approx(value, abs=5e-4)


def test_free_purchases_of_cdnow_are_counted_and_break_nothing(cdnow_master):
    """80 rows of all CDNOW cost nothing; they leave one repeat buyer with a mean spend of 0."""
    assert int((cdnow_master["amount"] == 0).sum()) == 80
    history = rm.clv.rfm_summary(cdnow_master, customer="customer_id", time="date", value="amount")
    fit = GammaGamma.fit(history)
    assert fit.excluded == {"no_repeat_purchase": 12054, "zero_monetary_value": 1}
    assert fit.customers + sum(fit.excluded.values()) == 23570


# ---------------------------------------------------------------- two ways to one number


@given(model=models, x=frequencies, value=st.floats(0.1, 1e3))
def test_likelihood_is_the_mean_over_the_customers_scales(model, x, value):
    """A customer's mean spend is Gamma(p x, nu x); nu is Gamma(q, v) across customers."""
    p, q, v = model.theta
    shape, rate = p * x + q, v + x * value  # of nu given the mean spend
    y = np.log(shape / rate) + np.linspace(-40, 8, 40_001) / np.sqrt(min(shape, 1.0))
    nu = np.exp(y)
    spend = stats.gamma.logpdf(value, p * x, scale=1 / (nu * x))
    density = spend + stats.gamma.logpdf(nu, q, scale=1 / v) + y
    mean = special.logsumexp(density) + np.log(y[1] - y[0])
    assert float(model.log_likelihood(x, value)) == pytest.approx(mean, abs=1e-8)


@pytest.mark.parametrize("x", [1, 3, 12])
def test_density_of_the_mean_spend_integrates_to_one(x):
    y = np.linspace(-12, 25, 20_001)
    density = np.exp(CDNOW.log_likelihood(x, np.exp(y)) + y)
    assert float(density.sum() * (y[1] - y[0])) == pytest.approx(1.0, abs=1e-9)


def test_expected_spend_is_what_customers_spend_next():
    """Customers alike in frequency and mean spend spend on average what was expected of them."""
    rng = np.random.default_rng(2013)
    nu = rng.gamma(CDNOW.q, 1 / CDNOW.v, 400_000)
    mean, following = rng.gamma(3 * CDNOW.p, 1 / nu) / 3, rng.gamma(CDNOW.p, 1 / nu)
    expected = CDNOW.expected_value(3, mean)
    for low, high in ((5, 10), (25, 30), (60, 80)):
        group = (mean > low) & (mean < high)
        error = following[group].std() / np.sqrt(group.sum())
        assert following[group].mean() == pytest.approx(expected[group].mean(), abs=4.5 * error)


@pytest.mark.parametrize("theta", [(6.25, 3.74, 15.44), (0.4, 0.9, 3.0), (40.0, 12.0, 300.0)])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_and_hessian_are_derivatives_of_the_likelihood(theta, weighted):
    data = drawn(300).assign(customers=np.random.default_rng(7).integers(0, 4, 300))
    columns = {"counts": "customers"} if weighted else {}
    objective = GammaGamma._objective(GammaGamma._read(data, columns), threads=None)
    _, gradient, hessian = objective.evaluate(np.array(theta))
    repeat = data[data["frequency"] > 0]
    counts = repeat["customers"].to_numpy() if weighted else np.ones(len(repeat))

    def value(*point: float) -> float:
        model = GammaGamma(**dict(zip("pqv", map(float, point), strict=True)))
        return float(counts @ model.log_likelihood(repeat["frequency"], repeat["monetary_value"]))

    def slope(point: np.ndarray) -> np.ndarray:
        return objective.evaluate(point)[1]

    steps = np.diag(1e-4 * np.array(theta))
    by_differences = [(value(*(theta + h)) - value(*(theta - h))) / (2 * h.sum()) for h in steps]
    assert objective.evaluate(np.array(theta))[0] == pytest.approx(value(*theta), rel=1e-10)
    assert gradient == pytest.approx(by_differences, rel=1e-5, abs=1e-4 * np.abs(gradient).max())
    curvature = np.stack([(slope(theta + h) - slope(theta - h)) / (2 * h.sum()) for h in steps])
    assert hessian == pytest.approx(curvature, rel=1e-5, abs=1e-6 * np.abs(hessian).max())
    assert np.array_equal(hessian, hessian.T)


# ---------------------------------------------------------------- laws


def test_counts_are_repetitions():
    table = drawn(400).assign(customers=np.random.default_rng(3).integers(0, 5, 400))
    repeated = table.loc[table.index.repeat(table["customers"])]
    weighted, plain = GammaGamma.fit(table, counts="customers"), GammaGamma.fit(repeated)
    assert weighted.model.theta == pytest.approx(plain.model.theta, rel=1e-9)
    assert weighted.covariance == pytest.approx(plain.covariance, rel=1e-7)
    assert weighted.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-12)
    assert (weighted.customers, weighted.excluded) == (plain.customers, plain.excluded)


@pytest.mark.parametrize("factor", [1e-9, 0.01, 117.3, 1e9])
@pytest.mark.parametrize("penalty", [0.0, 2.0])
def test_the_currency_moves_v_alone(factor, penalty):
    table = drawn(500)
    here = GammaGamma.fit(table, penalty=penalty)
    there = GammaGamma.fit(table.assign(monetary_value=table["monetary_value"] * factor), penalty=penalty)
    assert there.model.theta == pytest.approx(here.model.theta * [1, 1, factor], rel=1e-7)
    assert there.standard_errors["q"] == pytest.approx(here.standard_errors["q"], rel=1e-5)


def test_the_order_of_customers_does_not_matter():
    table = drawn(800)
    shuffled = GammaGamma.fit(table.sample(frac=1, random_state=2005))
    assert shuffled.model.theta == pytest.approx(GammaGamma.fit(table).model.theta, rel=1e-9)


def test_any_number_of_threads_gives_the_same_bits():
    table = drawn(130_000)
    assert GammaGamma.fit(table, threads=1) == GammaGamma.fit(table, threads=3)


@given(model=models, x=frequencies, value=money)
def test_expected_spend_lies_between_the_customers_mean_and_everyones(model, x, value):
    everyone = float(model.expected_value(0, None))
    low, high = sorted((value, everyone))
    assert low * (1 - 1e-9) <= float(model.expected_value(x, value)) <= high * (1 + 1e-9)


@given(model=models, value=money)
def test_the_more_purchases_the_more_a_customers_own_mean_counts(model, value):
    gaps = np.abs(model.expected_value([1, 2, 10, 1_000, 10**9], value) - value)
    assert (np.diff(gaps) <= 1e-9 * value).all()
    assert gaps[-1] <= 1e-3 * (value + model.v)


@given(model=models, x=frequencies, value=money, factor=st.floats(1e-3, 1e3))
def test_expected_spend_is_in_the_money_of_the_data(model, x, value, factor):
    other = GammaGamma(p=model.p, q=model.q, v=model.v * factor)
    here = float(model.expected_value(x, value))
    assert float(other.expected_value(x, value * factor)) == pytest.approx(here * factor, rel=1e-9)


def test_a_penalty_pulls_towards_its_centre():
    table = drawn(500)
    free, pulled = GammaGamma.fit(table), GammaGamma.fit(table, penalty=1e6)
    mean = table["monetary_value"].mean()
    assert pulled.model.theta == pytest.approx([1.0, 1.0, mean], rel=1e-2)
    assert pulled.log_likelihood < free.log_likelihood


# ---------------------------------------------------------------- uncertainty


def test_intervals_hold_the_truth_as_often_as_they_say():
    """400 samples of 1,500 customers: 95 % intervals, within 3.5 standard errors of the simulation."""
    rng = np.random.default_rng(2013)
    fits = [GammaGamma.fit(drawn(1_500, rng=rng)) for _ in range(400)]
    for name in ("p", "q", "v"):
        held = np.mean([getattr(CDNOW, name) in fit.intervals()[name] for fit in fits])
        assert held == pytest.approx(0.95, abs=3.5 * np.sqrt(0.95 * 0.05 / 400))


def test_predicted_intervals_hold_the_expectation_as_often_as_they_say():
    rng = np.random.default_rng(25)
    truth = pd.DataFrame({"frequency": [0, 1, 5], "monetary_value": [None, 80.0, 20.0]})
    expected = CDNOW.expected_value(truth["frequency"], truth["monetary_value"])
    held, samples = np.zeros(3), 250
    for _ in range(samples):
        found = GammaGamma.fit(drawn(1_500, rng=rng)).predict(truth, level=0.9).to_frame()
        low, high = (found[f"expected_value_{end}"].to_numpy() for end in ("low", "high"))
        held += (low <= expected) & (expected <= high)
    assert held / samples == pytest.approx(np.full(3, 0.9), abs=3.5 * np.sqrt(0.9 * 0.1 / samples))


def test_profile_ends_are_where_the_likelihood_has_fallen_enough():
    table = drawn(600)
    fit = GammaGamma.fit(table)
    interval = fit.intervals(method="profile")["q"]
    repeat = table[table["frequency"] > 0]
    for q in (interval.low, interval.high):
        # The best p and v for this q, by a climb over ever finer grids.
        around, spread = np.log([fit.model.p, fit.model.v]), 1.0
        best = -np.inf
        for _ in range(60):
            grid = [(np.exp(around + spread * np.array([i, j]))) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            heights = [
                float(GammaGamma(p=a, q=q, v=c).log_likelihood(repeat["frequency"], repeat["monetary_value"]).sum())
                for a, c in grid
            ]
            top = int(np.argmax(heights))
            spread = spread if heights[top] > best and top != 4 else spread / 2
            best, around = heights[top], np.log(grid[top])
        assert 2 * (fit.log_likelihood - best) == pytest.approx(3.841459, abs=1e-3)


def test_a_fit_survives_json_and_predicts_the_same():
    table = drawn(400)
    fit = GammaGamma.fit(table)
    again = Fit.from_dict(json.loads(json.dumps(fit.to_dict(), allow_nan=False)))
    assert again == fit
    assert again.predict(table, level=0.9).to_frame().equals(fit.predict(table, level=0.9).to_frame())
    assert again.attach(table).intervals(method="profile") == fit.intervals(method="profile")


# ---------------------------------------------------------------- every kind of frame


def test_the_fit_does_not_depend_on_the_dataframe_library(frame):
    table = drawn(400)
    fit, plain = GammaGamma.fit(frame(table)), GammaGamma.fit(table)
    assert fit.model.theta == pytest.approx(plain.model.theta, rel=1e-9)
    assert (fit.customers, fit.excluded) == (plain.customers, plain.excluded)


def test_predictions_come_back_in_the_callers_kind(frame):
    table = drawn(50).assign(who=range(50))
    given_frame = frame(table)
    found = GammaGamma.fit(drawn(400)).predict(given_frame, level=0.9)
    assert type(found.frame) is type(given_frame)
    plain = {row["who"]: row for row in as_rows(GammaGamma.fit(drawn(400)).predict(table, level=0.9))}
    for row in as_rows(found):
        for name in ("expected_value", "expected_value_low", "expected_value_high"):
            assert row[name] == pytest.approx(plain[row["who"]][name], rel=1e-9)


@pytest.mark.parametrize("dtype_backend", ["numpy_nullable", "pyarrow"])
def test_nullable_columns_of_pandas_are_read(dtype_backend):
    table = drawn(400)
    fit = GammaGamma.fit(table.convert_dtypes(dtype_backend=dtype_backend))
    assert fit.model == GammaGamma.fit(table).model


# ---------------------------------------------------------------- what has no answer


@pytest.mark.parametrize("missing", [None, 0.0, float("nan")])
def test_customers_without_repeat_purchase_need_no_money(missing):
    table = drawn(400)
    table["monetary_value"] = table["monetary_value"].where(table["frequency"] > 0, missing).astype(float)
    fit = GammaGamma.fit(table)
    assert fit.excluded == {"no_repeat_purchase": int((table["frequency"] == 0).sum())}
    assert fit.model == GammaGamma.fit(drawn(400)).model


def test_a_population_without_mean_spend_is_said_to_have_none():
    endless = GammaGamma(p=6.25, q=0.8, v=15.44)
    assert endless.expected_value([0, 0], [0.0, np.nan]).tolist() == [np.inf, np.inf]
    assert float(endless.expected_value(1, 20.0)) == pytest.approx(6.25 * (15.44 + 20.0) / (6.25 + 0.8 - 1))
    new = pd.DataFrame({"frequency": [0, 3], "monetary_value": [0.0, 20.0]})
    with pytest.raises(InputError, match=r"q is above 1 .* got q = 0.8.* 1 of 2 histories is infinite"):
        endless._predict(new, horizon=None, columns={}, spread=None)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"frequency": [0, 0], "monetary_value": [0.0, 0.0]}, "0 repeat buyers show no difference"),
        ({"frequency": [3], "monetary_value": [9.0]}, "1 repeat buyers show no difference"),
        ({"frequency": [3, 2, 5], "monetary_value": [9.0, 9.0, 9.0]}, "3 repeat buyers show no difference"),
    ],
)
def test_spend_that_does_not_differ_identifies_nothing(table, words):
    with pytest.raises(FitError, match=words):
        GammaGamma.fit(pd.DataFrame(table))


def test_customers_who_differ_no_more_than_their_purchases_have_no_maximum():
    rng = np.random.default_rng(2005)
    frequency = rng.integers(1, 9, 500)
    alike = pd.DataFrame({"frequency": frequency, "monetary_value": 30 + rng.uniform(-1, 1, 500) / frequency})
    with pytest.raises(FitError, match="all customers have one mean spend per purchase") as caught:
        GammaGamma.fit(alike)
    assert isinstance(caught.value.limit.model, GammaSpend)
    assert np.isfinite(GammaGamma.fit(alike, penalty=0.1).log_likelihood)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"monetary_value": -1.0}, "monetary_value is at least 0"),
        ({"monetary_value": np.nan}, "monetary_value is there for every customer with repeat purchases"),
        ({"monetary_value": np.inf}, "monetary_value holds finite numbers"),
        ({"frequency": -1}, "frequency is at least 0"),
        ({"frequency": 1.5}, "frequency holds whole numbers"),
        ({"frequency": np.nan}, "frequency holds finite numbers"),
    ],
)
def test_a_bad_cell_is_refused_with_its_row(change, words):
    table = drawn(50).astype({"frequency": float})
    row = int(np.flatnonzero(table["frequency"] > 0)[2])
    table.loc[row, list(change)] = list(change.values())
    with pytest.raises(InputError, match=rf"{words}.*\(row {row}: "):
        GammaGamma.fit(table)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: GammaGamma(p=0, q=3, v=15), "p is above 0"),
        (lambda: CDNOW.expected_value(2, None), "monetary_value is there"),
        (lambda: CDNOW.expected_value([1, 2], [1.0, 2.0, 3.0]), "frequency and monetary_value broadcast"),
        (lambda: CDNOW.log_likelihood(0, 5.0), "frequency is at least 1"),
        (lambda: CDNOW.log_likelihood(2, 0.0), "monetary_value is above 0"),
        (lambda: CDNOW.simulate([-1]), "frequency is at least 0"),
        (lambda: GammaGamma.fit(drawn(50), penalty=-1), "penalty is at least 0"),
        (lambda: GammaGamma.fit(drawn(50)).predict(drawn(5), horizon=3), "horizon is for models of purchases"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, words):
    with pytest.raises(InputError, match=words):
        call()


@given(model=models, x=st.integers(1, 10_000), value=st.floats(1e-100, 1e100))
def test_nothing_overflows(model, x, value):
    assume(model.v + x * value > 0)
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(model.log_likelihood(x, value))
        assert np.isfinite(model.expected_value(x, value))
