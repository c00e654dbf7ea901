"""Fits with covariates in validation, value and posteriors: against plain models, brute force and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

import retention_metrics as rm
from frames import as_sorted_rows
from retention_metrics.clv import predictive
from retention_metrics.errors import ColumnError, InputError

ENCODING = rm.clv.Encoding(columns=("age", "plan"), levels=((), ("basic", "pro")))
BASES = {
    "BGNBD": rm.clv.BGNBD(r=0.6, alpha=6.0, a=0.8, b=2.4, unit="week"),
    "MBGNBD": rm.clv.MBGNBD(r=0.6, alpha=6.0, a=0.8, b=2.4, unit="week"),
    "ParetoNBD": rm.clv.ParetoNBD(r=0.6, alpha=8.0, s=0.6, beta=12.0, unit="week"),
}
EFFECTS = {"purchase.age": 0.6, "purchase.plan[pro]": 0.8, "dropout.age": -0.5, "dropout.plan[pro]": 0.3}
SPEND = rm.clv.Regression(
    base=rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44),
    coefficients={"purchase.age": 0.3, "purchase.plan[pro]": -0.4},
    encoding=ENCODING,
)
LISTS = {"purchase_covariates": ["age", "plan"], "dropout_covariates": ["age", "plan"]}
HISTORY = ("frequency", "recency", "T")
by_base = pytest.mark.parametrize("name", BASES)


def regression(name: str, effects: dict[str, float] = EFFECTS) -> rm.clv.Regression:
    return rm.clv.Regression(base=BASES[name], coefficients=effects, encoding=ENCODING)


def customers(size: int, rng: int, model: rm.clv.Regression | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A log of customers who come over ten weeks, and their histories at week 40 with what came until week 60."""
    generator = np.random.default_rng(rng)
    given = pd.DataFrame({"age": generator.normal(size=size), "plan": generator.choice(["basic", "pro"], size=size)})
    came = generator.integers(0, 70, size=size)
    watched = (420.0 - came) / 7
    drawn = (model or regression("BGNBD")).at(given).simulate_transactions(watched, rng=generator)
    day = came[drawn["customer"]] + np.ceil(drawn["time"] * 7).astype(int)
    log = pd.DataFrame({"who": drawn["customer"], "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(day, "D")})
    ends = {"calibration_end": "2024-10-06", "as_of": "2025-02-23"}
    bought = rm.clv.rfm_summary(log, customer="who", time="day", unit="week", **ends).frame
    table = bought.join(given, on="who")
    table["monetary_value"] = SPEND.at(table).simulate(table["frequency"], rng=generator)
    return log, table


@pytest.fixture(scope="module")
def log_and_table():
    return customers(400, rng=2007)


@pytest.fixture(scope="module")
def log(log_and_table):
    return log_and_table[0]


@pytest.fixture(scope="module")
def table(log_and_table):
    return log_and_table[1]


def one_by_one(model: rm.clv.Regression, table: pd.DataFrame) -> list:
    """A plain model for each customer."""
    own = model.at(table)
    values = np.stack([np.broadcast_to(getattr(own, name), len(table)) for name in own.parameters], axis=1)
    return [model.base.with_theta(theta) for theta in values]


# ---------------------------------------------------------------- what has no effect changes nothing


@by_base
def test_a_regression_without_effects_is_the_plain_model(name, log, table):
    none, plain = regression(name, dict.fromkeys(EFFECTS, 0.0)), BASES[name]
    history = rm.clv.history(table, unit="week", as_of="2025-02-23")
    log_of = {"transactions": log, "customer": "who", "time": "day"}
    first, second = (rm.clv.holdout({"it": model}, history, **log_of) for model in (none, plain))
    for part in ("columns", "by_frequency", "by_recency", "coverage"):
        one, two = (pd.DataFrame(getattr(found, part).rows()) for found in (first, second))
        pd.testing.assert_frame_equal(one, two, rtol=1e-12)
    pd.testing.assert_frame_equal(first.tracking.to_frame(), second.tracking.to_frame(), rtol=1e-12)
    ranked = rm.clv.rank({"none": none, "plain": plain}, history).rows()
    assert ranked[1]["difference"] == pytest.approx(0.0, abs=1e-14)
    spend = rm.clv.Regression(base=SPEND.base, coefficients={"purchase.age": 0.0}, encoding=ENCODING)
    how = {"horizon": [13, 52], "discount_rate": 0.002, "split": True}
    valued = [rm.clv.lifetime_value(*models, table, **how) for models in ((none, spend), (plain, SPEND.base))]
    pd.testing.assert_frame_equal(*(found.to_frame() for found in valued), rtol=1e-12)


# ---------------------------------------------------------------- each customer alone


@by_base
def test_a_holdout_is_that_of_each_customer_s_own_model(name, table):
    few = table.head(60)
    model = regression(name)
    alone = [rm.clv.holdout(own, few.iloc[[row]], levels=[0.8]) for row, own in enumerate(one_by_one(model, few))]
    together = rm.clv.holdout(model, few, levels=[0.8])
    row, rows = together.rows()[0], [found.rows()[0] for found in alone]
    assert row["expected"] == pytest.approx(sum(one["expected"] for one in rows), rel=1e-9)
    for measure in ("mean_absolute_error", "log_score"):
        assert row[measure] == pytest.approx(np.mean([one[measure] for one in rows]), rel=1e-9)
    for measure in ("expected", "actual"):
        shares = [found.coverage.rows()[0][measure] for found in alone]
        assert together.coverage.rows()[0][measure] == pytest.approx(np.mean(shares), rel=1e-9)
    assert rm.clv.rank(model, few).rows()[0]["log_score"] == pytest.approx(row["log_score"], rel=1e-12)


@by_base
def test_tracking_is_the_sum_over_each_customer_s_own_log(name, log, table):
    few = table.head(25)
    part = log[log["who"].isin(few["who"])]
    model = regression(name)
    together = rm.clv.tracking(model, part, customer="who", time="day", as_of="2025-02-23", covariates=few).to_frame()
    start, total = part["day"].min(), 0.0
    for own, who in zip(one_by_one(model, few), few["who"], strict=True):
        came = (part.loc[part["who"] == who, "day"].min() - start).days
        weeks = np.maximum(7.0 * together["period"].to_numpy() - 1 - came, 0) / 7
        total = total + own.expected_purchases_new(horizon=weeks)
    assert together["cumulative_expected"].to_numpy() == pytest.approx(total, rel=1e-9)
    carried = part.merge(few[["who", "age", "plan"]], on="who")
    other = rm.clv.tracking(model, carried, customer="who", time="day", as_of="2025-02-23").to_frame()
    pd.testing.assert_frame_equal(together, other, rtol=1e-12)


@by_base
@pytest.mark.parametrize("timing", ["continuous", "end_of_period"])
def test_value_is_that_of_each_customer_s_own_models(name, timing, table):
    few = table.head(40)
    model = regression(name)
    how = {"horizon": 20, "discount_rate": 0.003, "timing": timing, "margin": 0.4, "split": True}
    together = rm.clv.lifetime_value(model, SPEND, few, **how).to_frame()
    pairs = zip(one_by_one(model, few), one_by_one(SPEND, few), strict=True)
    alone = pd.concat(
        [rm.clv.lifetime_value(*pair, few.iloc[[row]], **how).to_frame() for row, pair in enumerate(pairs)]
    )
    pd.testing.assert_frame_equal(together, alone, rtol=1e-9)
    total = rm.clv.total_value(model, SPEND, few, **{key: how[key] for key in how if key != "split"})
    assert total.estimate == pytest.approx(together["clv"].sum(), rel=1e-9)


def test_one_model_may_have_covariates_and_the_other_none(table):
    few = table.head(30)
    plain, model = BASES["BGNBD"], regression("BGNBD")
    split = {"horizon": 20, "split": True}
    both, first, second = (
        rm.clv.lifetime_value(*pair, few, **split).to_frame()
        for pair in ((model, SPEND), (model, SPEND.base), (plain, SPEND))
    )
    assert first["expected_purchases"].to_numpy() == pytest.approx(both["expected_purchases"].to_numpy(), rel=1e-12)
    assert second["expected_value"].to_numpy() == pytest.approx(both["expected_value"].to_numpy(), rel=1e-12)


def test_a_new_customer_s_value_is_at_given_covariates():
    model, given = regression("BGNBD"), {"age": 0.5, "plan": "pro"}
    found = rm.clv.new_customer_value(model, SPEND, horizon=52, covariates=given)
    own, spend = (one_by_one(one, pd.DataFrame([given]))[0] for one in (model, SPEND))
    assert found.estimate == pytest.approx(rm.clv.new_customer_value(own, spend, horizon=52).estimate, rel=1e-9)
    with pytest.raises(InputError, match="covariate 'age' is not given"):
        rm.clv.new_customer_value(model, SPEND, horizon=52)


# ---------------------------------------------------------------- intervals


@pytest.fixture(scope="module")
def fits(table):
    return rm.clv.BGNBD.fit(table, **LISTS), rm.clv.GammaGamma.fit(table, purchase_covariates=["age", "plan"])


def test_intervals_are_those_of_draws_of_the_parameters(fits, table):
    """Log-parameters and coefficients drawn from the fits' normal distributions give values the same spread."""
    few = table.iloc[:6]
    how = {"horizon": 26, "discount_rate": 0.002}
    found = rm.clv.lifetime_value(*fits, few, **how, level=0.9, split=True).to_frame()
    generator, draws = np.random.default_rng(7), {"clv": [], "expected_purchases": [], "expected_value": []}
    for _ in range(300):
        models = []
        for fit in fits:
            moved = generator.multivariate_normal(np.log(fit.model.to_odds(fit.model.theta)), fit.log_covariance)
            models.append(fit.model.with_theta(fit.model.from_odds(np.exp(moved))))
        values = rm.clv.lifetime_value(*models, few, **how, split=True).to_frame()
        for name in draws:
            draws[name].append(np.log(values[name]))
    for name, logs in draws.items():
        spread = np.log(found[f"{name}_high"] / found[f"{name}_low"]).to_numpy() / (2 * 1.6448536)
        assert spread == pytest.approx(np.std(logs, axis=0), rel=0.15), name
        assert found[f"{name}_high"].to_numpy() == pytest.approx(
            (found[name] ** 2 / found[f"{name}_low"]).to_numpy(), rel=1e-9
        )


def test_the_total_s_interval_is_that_of_draws_of_the_parameters(fits, table):
    few = table.iloc[:80]
    found = rm.clv.total_value(*fits, few, horizon=26)
    generator, totals = np.random.default_rng(8), []
    for _ in range(150):
        models = []
        for fit in fits:
            moved = generator.multivariate_normal(np.log(fit.model.to_odds(fit.model.theta)), fit.log_covariance)
            models.append(fit.model.with_theta(fit.model.from_odds(np.exp(moved))))
        totals.append(rm.clv.total_value(*models, few, horizon=26, level=None).estimate)
    half = np.log(found.interval.high / found.interval.low) / 2 / 1.9599640
    assert half == pytest.approx(np.log(totals).std(), rel=0.2)


def test_values_with_intervals_do_not_depend_on_the_dataframe_library(frame, fits, table):
    some = table.head(80)
    how = {"horizon": [13, 26], "level": 0.9, "split": True}
    names = ["clv_26_high", "clv_13_low", "expected_purchases_26_high", "expected_value_low", "expected_value"]

    def rows(found):
        return as_sorted_rows(found, by=["who", *names], digits=7)

    assert rows(rm.clv.lifetime_value(*fits, frame(some), **how)) == rows(rm.clv.lifetime_value(*fits, some, **how))
    names = ["expected_value", "expected_value_low", "expected_value_high"]
    assert rows(fits[1].predict(frame(some), level=0.9)) == rows(fits[1].predict(some, level=0.9))


def test_a_posterior_s_predictions_are_those_of_its_draws(fits, table):
    few = table.iloc[:5]
    posterior = fits[0].posterior(draws=400, rng=9)
    found = posterior.predict(few, horizon=20, level=0.9, draws=100, rng=10).to_frame()
    drawn = predictive.thinned(posterior, 100)
    arrays = [few[name].to_numpy(float) for name in HISTORY]
    alive = np.stack([model.at(few).probability_alive(*arrays) for model in drawn])
    bought = np.stack([model.at(few).expected_purchases(*arrays, horizon=20) for model in drawn])
    for name, values in (("probability_alive", alive), ("expected_purchases", bought)):
        assert found[name].to_numpy() == pytest.approx(values.mean(axis=0), rel=2e-3)
        ends = np.quantile(values, [0.05, 0.95], axis=0)
        width = np.ptp(ends, axis=0) + 1e-12
        for end, wanted in zip(("low", "high"), ends, strict=True):
            assert np.all(np.abs(found[f"{name}_{end}"] - wanted) < 0.1 * width)
    assert (found["purchases_high"] >= np.floor(found["expected_purchases"])).all()


def test_a_value_s_credible_intervals_are_those_of_the_draws(fits, table):
    few = table.iloc[:5].assign(share=[0.1, 0.2, 0.3, 0.4, 0.5])
    posteriors = [fit.posterior(draws=300, rng=seed) for seed, fit in enumerate(fits)]
    how = {"horizon": [10, 26], "discount_rate": 0.002}
    found = rm.clv.lifetime_value(*posteriors, few, **how, level=0.9, margin="share", split=True).to_frame()
    drawn = zip(*(predictive.thinned(posterior, 300) for posterior in posteriors), strict=True)
    each = [rm.clv.lifetime_value(*models, few, **how, margin="share", split=True).to_frame() for models in drawn]
    for name in ("clv_10", "clv_26", "expected_purchases_10", "expected_value"):
        values = np.stack([one[name].to_numpy() for one in each])
        assert found[name].to_numpy() == pytest.approx(values.mean(axis=0), rel=3e-3)
        ends = np.quantile(values, [0.05, 0.95], axis=0)
        for end, wanted in zip(("low", "high"), ends, strict=True):
            assert np.all(np.abs(found[f"{name}_{end}"] - wanted) < 0.12 * np.ptp(ends, axis=0)), name


def test_posteriors_with_covariates_value_a_base_and_a_new_customer(fits, table):
    few = table.iloc[:12]
    posteriors = [fit.posterior(draws=300, rng=seed) for seed, fit in enumerate(fits)]
    how = {"horizon": 26, "discount_rate": 0.002}
    total = rm.clv.total_value(*posteriors, few, **how, level=0.9)
    each = rm.clv.lifetime_value(*posteriors, few, **how).to_frame()["clv"]
    assert total.estimate == pytest.approx(each.sum(), rel=1e-6)
    drawn = list(zip(*(predictive.thinned(posterior, 300) for posterior in posteriors), strict=True))
    totals = [rm.clv.total_value(*models, few, **how).estimate for models in drawn]
    ends = np.quantile(totals, [0.05, 0.95])
    assert [total.interval.low, total.interval.high] == pytest.approx(ends, abs=0.05 * np.ptp(ends))
    given = {"age": 0.5, "plan": "pro"}
    new = rm.clv.new_customer_value(*posteriors, **how, covariates=given, level=0.9)
    values = [rm.clv.new_customer_value(*models, **how, covariates=given).estimate for models in drawn]
    ends = np.quantile(values, [0.05, 0.95])
    assert [new.interval.low, new.interval.high] == pytest.approx(ends, abs=0.05 * np.ptp(ends))


def test_a_spend_posterior_predicts_at_covariates(fits, table):
    few = table.iloc[:8]
    posterior = fits[1].posterior(draws=300, rng=3)
    found = posterior.predict(few, level=0.9, draws=300).to_frame()
    values = np.stack(
        [
            model.at(few).expected_value(few["frequency"], few["monetary_value"])
            for model in predictive.thinned(posterior, 300)
        ]
    )
    assert found["expected_value"].to_numpy() == pytest.approx(values.mean(axis=0), rel=1e-9)
    ends = np.quantile(values, [0.05, 0.95], axis=0)
    assert np.all(np.abs(found["expected_value_low"] - ends[0]) < 0.1 * np.ptp(ends, axis=0))


@by_base
def test_the_frequencies_of_a_fit_are_the_sum_over_its_customers(name, table):
    fit = type(BASES[name]).fit(table.head(80), penalty=0.5, purchase_covariates=["age", "plan"])
    found = rm.clv.frequency_fit(fit, most=3)
    alone = [
        own.probability_of_purchases_new(n=np.arange(3), horizon=age)
        for own, age in zip(one_by_one(fit.model, table.head(80)), table["T"], strict=False)
    ]
    assert found.to_frame()["expected"].to_numpy()[:3] == pytest.approx(np.sum(alone, axis=0), rel=1e-9)
    assert found.model == f"Regression[{name}]"


def test_a_value_says_how_far_spend_goes_with_frequency(fits, table):
    few = table.head(30)
    for found in (
        rm.clv.lifetime_value(*fits, few, horizon=10),
        rm.clv.lifetime_value(*(fit.posterior(draws=200, rng=1) for fit in fits), few, horizon=10),
        rm.clv.total_value(*fits, few, horizon=10),
        rm.clv.new_customer_value(*fits, horizon=10, covariates={"age": 0.0, "plan": "pro"}),
        rm.clv.new_customer_value(BASES["BGNBD"], rm.clv.GammaGamma.fit(table), horizon=10),
    ):
        assert any("Correlation of spend and frequency" in note for note in found.notes)
    assert not any("Correlation" in note for note in rm.clv.lifetime_value(BASES["BGNBD"], SPEND, few, horizon=1).notes)


# ---------------------------------------------------------------- what covariates are worth


def test_a_regression_with_true_covariates_forecasts_better():
    _, table = customers(3_000, rng=11)
    fits = {"with": rm.clv.BGNBD.fit(table, **LISTS), "without": rm.clv.BGNBD.fit(table)}
    ranked = rm.clv.rank(fits, table).rows()
    assert [row["model"] for row in ranked] == ["with", "without"]
    assert ranked[1]["high"] < 0
    errors = {row["model"]: row for row in rm.clv.holdout(fits, table).rows()}
    assert errors["with"]["root_mean_squared_error"] < errors["without"]["root_mean_squared_error"]
    for row in rm.clv.holdout(fits["with"], table).coverage.rows():
        share = float(row["expected"])
        assert row["actual"] == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 3_000))


# ---------------------------------------------------------------- engines and refusals


def test_lazy_and_counted_histories_give_the_same_holdout(fits, table):
    rounded = table.assign(age=table["age"].round())
    lazy = rm.clv.history(pl.from_pandas(rounded).lazy(), unit="week", monetary_value=None)
    eager = rm.clv.history(rounded, unit="week")
    one, two = (rm.clv.holdout(fits[0], history) for history in (eager, lazy))
    for part in ("columns", "by_frequency", "coverage"):
        frames = (pd.DataFrame(getattr(found, part).rows()) for found in (one, two))
        pd.testing.assert_frame_equal(*frames, rtol=1e-10)


def test_tracking_reads_covariates_in_the_log_s_own_engine(frame, fits, log, table):
    given = {"customer": "who", "time": "day", "as_of": "2025-02-23"}
    known = table[["who", "age", "plan"]]
    plain = rm.clv.tracking(fits[0], log, **given, covariates=known)
    there = rm.clv.tracking(fits[0], frame(log.merge(known, on="who")), **given)
    for one, other in zip(plain.rows(), there.rows(), strict=True):
        assert one["cumulative_expected"] == pytest.approx(other["cumulative_expected"], rel=1e-9)


def test_a_path_is_that_of_the_customer_s_own_model(fits, frame, log, table):
    given = {"customer": "who", "time": "day", "as_of": "2025-02-23", "who": 3, "unit": "week"}
    row = table[table["who"] == 3].iloc[0]
    told = {"age": float(row["age"]), "plan": str(row["plan"])}
    expected = rm.clv.alive_path(fits[0].model.at(told), log, **given).to_frame()["probability_alive"].to_numpy()
    known = table[["who", "age", "plan"]]
    for found in (
        rm.clv.alive_path(fits[0], log, **given, covariates=told),
        rm.clv.alive_path(fits[0].model, log, **given, covariates=rm.clv.history(table, unit="week")),
        rm.clv.alive_path(fits[0], log, **given, covariates=frame(known)),
        rm.clv.alive_path(fits[0], frame(log.merge(known, on="who")), **given),
    ):
        assert [row["probability_alive"] for row in found.rows()] == pytest.approx(expected, rel=1e-12)


def test_models_with_covariates_are_drawn_at_given_ones(fits, table):
    told, row = {"age": 0.5, "plan": "pro"}, pd.DataFrame({"age": [0.5], "plan": ["pro"]})
    own = fits[0].model.at(told)
    age = np.arange(1, 21)[:, None]
    middle = 39 * (np.arange(40) + 0.5) / 40
    for given in (told, row):
        alive = rm.plotting.probability_alive_matrix(fits[0], T=39.0, covariates=given)
        ahead = rm.plotting.expected_purchases_matrix(fits[0].model, T=39.0, horizon=10.0, covariates=given)
        for ax, cells in (
            (alive, own.probability_alive(age, middle, 39.0)),
            (ahead, own.expected_purchases(age, middle, 39.0, horizon=10.0)),
        ):
            assert np.asarray(ax.collections[0].get_array()).reshape(20, 40) == pytest.approx(cells)
        line = rm.plotting.heterogeneity(fits[0], covariates=given).get_lines()[0]
        density = stats.gamma(float(own.r), scale=1 / own.alpha)
        assert np.asarray(line.get_ydata()) == pytest.approx(density.pdf(np.asarray(line.get_xdata())))


def test_what_is_missing_is_named(fits, log, table):
    bare = table.drop(columns="age")
    given = {"customer": "who", "time": "day"}
    path = given | {"unit": "week"}
    twice = log.merge(table[["who", "age", "plan"]], on="who").assign(age=lambda joined: np.arange(len(joined)) % 7)
    calls = {
        "covariate age='age' is not a column": [
            lambda: rm.clv.holdout(fits[0], bare),
            lambda: rm.clv.rank(fits[0], bare),
            lambda: rm.clv.tracking(fits[0], log, **given),
            lambda: rm.clv.alive_path(fits[0], log, **path, who=3),
            lambda: rm.clv.lifetime_value(*fits, bare, horizon=10),
            lambda: rm.clv.total_value(*fits, bare, horizon=10),
            lambda: fits[0].posterior(draws=100, rng=1).predict(bare, horizon=10),
            lambda: fits[1].posterior(draws=100, rng=1).predict(bare),
        ],
        "is missing or not finite in": [
            lambda: rm.clv.holdout(fits[0], table.assign(age=None)),
            lambda: rm.clv.tracking(fits[0], log, **given, covariates=table.head(100)),
        ],
        "the same in every row of a customer": [
            lambda: rm.clv.tracking(fits[0], twice, **given),
            lambda: rm.clv.alive_path(fits[0], twice, **path, who=int(twice["who"].value_counts().idxmax())),
        ],
        "who=3 has no row of them": [
            lambda: rm.clv.alive_path(fits[0], log, **path, who=3, covariates=table[table["who"] != 3])
        ],
        "'enterprise'": [lambda: rm.clv.lifetime_value(*fits, table.assign(plan="enterprise"), horizon=10)],
        "of the log's library, pandas": [
            lambda: rm.clv.tracking(fits[0], log, **given, covariates=pl.from_pandas(table[["who", "age", "plan"]]))
        ],
        r"regression\.at": [
            lambda: rm.plotting.probability_alive_matrix(fits[0].model, T=39),
            lambda: rm.plotting.expected_purchases_matrix(fits[0].model, T=39, horizon=10),
            lambda: rm.plotting.heterogeneity(fits[0].model),
            lambda: rm.plotting.probability_alive_matrix(fits[0], T=39),
        ],
        "are those of one customer; got 9 rows": [
            lambda: rm.plotting.heterogeneity(fits[0], covariates=table.head(9)),
            lambda: rm.clv.alive_path(fits[0], log, **path, who=3, covariates=dict(table.head(9))),
        ],
        "covariates are for a model that was fitted with some": [
            lambda: rm.plotting.probability_alive_matrix(BASES["BGNBD"], T=39, covariates={"age": 1.0}),
            lambda: rm.clv.alive_path(BASES["BGNBD"], log, **given, who=3, covariates={"age": 1.0}),
        ],
        "model is one that has probability_alive": [lambda: rm.plotting.probability_alive_matrix(SPEND.base, T=39)],
    }
    for words, refused in calls.items():
        for call in refused:
            with pytest.raises((InputError, ColumnError), match=words):
                call()
