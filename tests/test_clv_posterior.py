"""Posteriors: what data and priors say together, against other ways to the same numbers."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from arviz_stats.base import array_stats
from scipy import special, stats

import retention_metrics as rm
from frames import as_sorted_rows
from places import lifetimes_file
from retention_metrics.clv import batch, early_limits, limits, predictive
from retention_metrics.errors import ColumnError, FitError, InputError, MissingDependencyError

CDNOW = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
SPEND = rm.clv.GammaGamma(p=6.25, q=3.74, v=15.44)
HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]  # Fader & Hardie (2007)


@pytest.fixture(scope="module")
def summary() -> pd.DataFrame:
    """CDNOW's 2,357 customers in weeks."""
    return pd.read_csv(lifetimes_file("cdnow_customers_summary.csv"))


@pytest.fixture(scope="module")
def drawn() -> pd.DataFrame:
    """Customers like CDNOW's, with their spend."""
    rng = np.random.default_rng(2005)
    frame = CDNOW.simulate(rng.integers(27 * 7, 39 * 7, 600) / 7, rng=rng)[["frequency", "recency", "T"]]
    return frame.assign(monetary_value=SPEND.simulate(frame["frequency"], rng=rng))


@pytest.fixture(scope="module")
def fits(drawn):
    return rm.clv.BGNBD.fit(drawn), rm.clv.GammaGamma.fit(drawn)


@pytest.fixture(scope="module")
def posteriors(fits):
    return fits[0].posterior(rng=1), fits[1].posterior(rng=2)


def few(seed: int, customers: int = 20) -> pd.DataFrame:
    return CDNOW.simulate(np.full(customers, 39.0), rng=seed)


# ---------------------------------------------------------------- the same posterior by other means


def test_cdnow_agrees_with_a_long_run_of_nuts(summary, reference):
    table = reference("bg_nbd_posterior_nuts")
    posterior = rm.clv.BGNBD.fit(summary).posterior(draws=60_000, rng=2005)
    for name, theirs in table.parameters.items():
        draws = posterior.draws[name]
        thinner = np.sqrt(draws.size / posterior.effective_draws)
        for place, probability in enumerate(table.probabilities):
            own = thinner * array_stats.mcse(draws[None], method="quantile", prob=probability)
            error = np.hypot(own, theirs["monte_carlo_errors"][place])
            assert abs(np.quantile(draws, probability) - theirs["quantiles"][place]) < 3 * error, (name, probability)


def test_a_conjugate_prior_gives_the_posterior_in_closed_form(drawn):
    prior = stats.gamma(2.0, scale=0.02)
    posterior = limits.Poisson.fit(drawn).posterior(draws=20_000, rng=3, priors={"rate": prior})
    exact = stats.gamma(2.0 + drawn["frequency"].sum(), scale=1 / (50 + drawn["T"].sum()))
    level = np.array([0.05, 0.5, 0.95])
    error = np.sqrt(level * (1 - level) / posterior.effective_draws) / exact.pdf(exact.ppf(level))
    assert np.all(np.abs(np.quantile(posterior.draws["rate"], level) - exact.ppf(level)) < 3 * error)


def test_the_nbd_agrees_with_a_grid():
    data = limits.NBD(r=0.5, alpha=10.0).simulate(np.full(60, 30.0), rng=4)
    posterior = limits.NBD.fit(data).posterior(draws=20_000, rng=4)
    log_r, log_alpha = np.meshgrid(np.linspace(-3, 2.5, 301), np.linspace(-0.5, 6.0, 301), indexing="ij")
    r, alpha = np.exp(log_r), np.exp(log_alpha)
    height = stats.norm(0, 1.5).logpdf(log_r) + stats.norm(np.log(30.0), 1.5).logpdf(log_alpha)
    for x, customers in zip(*np.unique(data["frequency"], return_counts=True), strict=True):
        height += customers * stats.nbinom(r, alpha / (alpha + 30.0)).logpmf(x)
    density = np.exp(height - height.max())
    for name, values in (("r", log_r), ("alpha", log_alpha)):
        mean = np.sum(density * values) / density.sum()
        sd = np.sqrt(np.sum(density * (values - mean) ** 2) / density.sum())
        found = np.log(posterior.draws[name])
        assert abs(found.mean() - mean) < 3 * sd / np.sqrt(posterior.effective_draws)
        assert found.std() == pytest.approx(sd, rel=0.03)


def test_the_shifted_beta_geometric_agrees_with_a_grid():
    posterior = rm.clv.ShiftedBetaGeometric.fit_survivors(HIGH_END).posterior(draws=20_000, rng=6)
    place, log_total = np.meshgrid(np.linspace(-3.5, 0.5, 401), np.linspace(-1.5, 5.0, 401), indexing="ij")
    share, total = special.expit(place), np.exp(log_total)
    alpha, beta = share * total, (1 - share) * total
    height = np.log(share * (1 - share)) + stats.norm(1.0, 1.5).logpdf(log_total)
    for renewal, lost in enumerate(-np.diff(HIGH_END), start=1):
        height += lost * (special.betaln(alpha + 1, beta + renewal - 1) - special.betaln(alpha, beta))
    height += HIGH_END[-1] * (special.betaln(alpha, beta + len(HIGH_END) - 1) - special.betaln(alpha, beta))
    density = np.exp(height - height.max())
    density /= density.sum()
    for name, values in (("alpha", alpha), ("beta", beta)):
        mean = np.sum(density * values)
        sd = np.sqrt(np.sum(density * (values - mean) ** 2))
        assert abs(posterior.draws[name].mean() - mean) < 3 * sd / np.sqrt(posterior.effective_draws)
        assert posterior.draws[name].std() == pytest.approx(sd, rel=0.05)


def test_the_default_prior_of_a_beta_pair_is_uniform_in_its_mean():
    # One customer who stayed after the one decision on record: mean share m has density 2 (1 - m) then.
    data = pd.DataFrame({"frequency": [1, 0], "recency": [38.0, 0.0], "T": [38.0, 38.0]})
    fit = rm.clv.BGNBD.fit(data, penalty=1.0)
    tight = {"r": stats.lognorm(s=0.01, scale=1.0), "alpha": stats.lognorm(s=0.01, scale=38.0)}
    draws = fit.posterior(draws=8_000, rng=5, priors=tight).draws
    share = draws["a"] / (draws["a"] + draws["b"])
    # recency = T: staying and leaving have one and the same likelihood, so the share is as the prior has it.
    assert stats.kstest(share[::4], "uniform").pvalue > 0.001
    total = np.log(draws["a"] + draws["b"])
    assert total.mean() == pytest.approx(1.0, abs=0.1)
    assert total.std() == pytest.approx(1.5, rel=0.05)


PURCHASES = (
    rm.clv.BGNBD,
    rm.clv.MBGNBD,
    rm.clv.ParetoNBD,
    rm.clv.BGCNBD,
    limits.NBD,
    limits.GeometricNBD,
    early_limits.EarlyBGPoisson,
)


@pytest.mark.parametrize("cls", PURCHASES)
def test_likelihoods_of_many_parameters_are_those_of_each(cls, drawn):
    counted = drawn.assign(customers=np.resize([1, 3, 2], len(drawn)))
    data = cls._read(counted, {"counts": "customers"})
    model = cls.fit(drawn, penalty=0.5).model
    check_many(model, data)


@pytest.mark.parametrize("cls", [rm.clv.ShiftedBetaGeometric, rm.clv.BetaDiscreteWeibull])
def test_likelihoods_of_contracts_at_many_parameters_are_those_of_each(cls):
    fit = cls.fit_survivors(HIGH_END)
    check_many(fit.model, fit.data)


def test_likelihoods_of_opportunities_at_many_parameters_are_those_of_each():
    drawn = rm.clv.BGBB(alpha=1.2, beta=0.75, gamma=0.66, delta=2.78).simulate(np.full(300, 6), rng=5)
    fit = rm.clv.BGBB.fit(drawn)
    check_many(fit.model, fit.data)


def check_many(model, data) -> None:
    odds = model.to_odds(model.theta) * np.exp(np.random.default_rng(6).normal(0, 0.5, (7, model.theta.size)))
    alone = [model._objective(data, threads=1).evaluate(row)[0] for row in odds]
    np.testing.assert_allclose(model._log_likelihoods(data, odds, threads=2), alone, rtol=1e-11)


def test_likelihoods_of_many_spends_are_those_of_each(drawn):
    data = rm.clv.GammaGamma._read(drawn, {})
    odds = SPEND.theta * np.exp(np.random.default_rng(7).normal(0, 0.3, (5, 3)))
    alone = [SPEND._objective(data, threads=1).evaluate(row)[0] for row in odds]
    np.testing.assert_allclose(SPEND._log_likelihoods(data, odds, threads=1), alone, rtol=1e-12)


def test_frequencies_in_the_thousands_are_counted_right():
    levels, customers = np.array([0.0, 3.0, 5_000.0]), np.array([9.0, 4.0, 2.0])
    rising = batch.Rising(levels, customers)(np.array([0.25, 7.0]))
    exact = [customers @ [0.0, *np.cumsum(np.log(base + np.arange(5_000)))[[2, 4_999]]] for base in (0.25, 7.0)]
    np.testing.assert_allclose(rising, exact, rtol=1e-12)


# ---------------------------------------------------------------- what it does not depend on


def test_neither_the_unit_of_time_nor_that_of_money_matters(drawn):
    days = drawn.assign(recency=7 * drawn["recency"], T=7 * drawn["T"], monetary_value=100 * drawn["monetary_value"])
    weekly, daily = (rm.clv.BGNBD.fit(frame).posterior(draws=500, rng=8).draws for frame in (drawn, days))
    for name in ("r", "a", "b"):
        np.testing.assert_allclose(daily[name], weekly[name], rtol=1e-5)
    np.testing.assert_allclose(daily["alpha"], 7 * weekly["alpha"], rtol=1e-5)
    dollars, cents = (rm.clv.GammaGamma.fit(frame).posterior(draws=500, rng=8).draws for frame in (drawn, days))
    np.testing.assert_allclose(cents["v"], 100 * dollars["v"], rtol=1e-5)
    np.testing.assert_allclose(cents["q"], dollars["q"], rtol=1e-5)


def test_counts_are_repetition(drawn):
    counted = drawn.assign(customers=np.resize([1, 3, 2], len(drawn)))
    repeated = drawn.loc[drawn.index.repeat(counted["customers"])]
    once = rm.clv.BGNBD.fit(counted, counts="customers").posterior(draws=500, rng=9)
    often = rm.clv.BGNBD.fit(repeated).posterior(draws=500, rng=9)
    np.testing.assert_allclose(once.draws["b"], often.draws["b"], rtol=1e-6)


def test_a_seed_gives_the_same_draws(drawn):
    fit = rm.clv.BGNBD.fit(drawn)
    first, again, other = (fit.posterior(draws=500, rng=seed) for seed in (10, np.random.default_rng(10), 11))
    assert first == again
    assert not np.array_equal(first.draws["r"], other.draws["r"])


def test_a_penalty_plays_no_part(drawn):
    plain, pulled = (rm.clv.BGNBD.fit(drawn, penalty=penalty).posterior(draws=8_000, rng=12) for penalty in (0.0, 5.0))
    for name in plain.draws:
        error = 4 * plain.draws[name].std() / np.sqrt(min(plain.effective_draws, pulled.effective_draws))
        assert abs(plain.draws[name].mean() - pulled.draws[name].mean()) < error


# ---------------------------------------------------------------- priors


def test_a_prior_can_be_replaced_by_name(drawn):
    fit = rm.clv.BGNBD.fit(drawn)
    tight = fit.posterior(rng=13, priors={"a+b": stats.lognorm(s=0.02, scale=10.0)})
    total = tight.draws["a"] + tight.draws["b"]
    assert total.mean() == pytest.approx(10.0, rel=0.02)
    assert tight.priors["a+b"] == "lognorm(s=0.02, scale=10)"
    assert tight.priors["r"] == "lognorm(s=1.5, scale=1)"


def test_a_prior_with_an_edge_is_kept_to(drawn):
    fit = rm.clv.BGNBD.fit(drawn)
    edge = float(np.nextafter(fit.model.r, 1.0)) * 1.02
    assert fit.posterior(rng=14, priors={"r": stats.uniform(0.0, edge)}).draws["r"].max() <= edge


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"a": stats.lognorm(s=1.0)}, r"priors are for 'r', 'alpha', 'a/\(a\+b\)', 'a\+b' in BGNBD; got 'a'\."),
        ({"r": 0.5}, r"priors\['r'\] is a distribution with logpdf"),
        (
            {"r": stats.uniform(5.0, 1.0)},
            r"gives the fit a density above 0; that of uniform\(5, 1\) is 0",
        ),
    ],
)
def test_priors_that_cannot_be_are_refused(drawn, priors, words):
    fit = rm.clv.BGNBD.fit(drawn)
    with pytest.raises(InputError, match=words):
        fit.posterior(rng=1, priors=priors)


# ---------------------------------------------------------------- where it is hard


def test_a_wider_proposal_steps_in_where_the_first_one_fails():
    posterior = rm.clv.BGNBD.fit(few(0), penalty=0.2).posterior(rng=1, draws=2_000)
    assert posterior.method == "mixture"
    assert posterior.khat < 0.7
    # The same posterior from the priors: draws weighted by their likelihood.
    fit = rm.clv.BGNBD.fit(few(0), penalty=0.2)
    generator = np.random.default_rng(15)
    r, alpha, total = np.exp(generator.normal([0.0, np.log(39.0), 1.0], 1.5, (200_000, 3))).T
    share = generator.uniform(size=200_000)
    odds = np.stack([r, alpha, share * total, (1 - share) * total], axis=1)
    weights = fit.model._log_likelihoods(fit.data, odds, threads=1)
    weights = np.exp(weights - weights.max())
    weights /= weights.sum()
    for place, name in enumerate(fit.model.parameters):
        values = np.log(odds[:, place])
        mean = weights @ values
        sd = np.sqrt(weights @ (values - mean) ** 2)
        error = sd * np.sqrt(np.sum(weights**2) + 1 / posterior.effective_draws)
        assert abs(np.log(posterior.draws[name]).mean() - mean) < 4 * error, name


def test_a_hopeless_posterior_is_refused_with_its_khat():
    fit = rm.clv.BGNBD.fit(few(1, 100))
    with pytest.raises(FitError, match=r"khat is at most 0\.7; got .* \(student-t\) and .* \(mixture\)"):
        fit.posterior(rng=1, priors={"a+b": stats.loguniform(1e-6, 1e30)})
    assert fit.posterior(rng=1, draws=500).khat < 0.7


def test_a_posterior_that_few_draws_carry_says_so():
    # Flat up to its bound in log(a + b), far beyond the data's reach: the proposal finds it, with few of its draws.
    flat = {"a+b": stats.loguniform(1e-6, 1e30)}
    posterior = rm.clv.BGNBD.fit(few(1, 30), penalty=0.3).posterior(rng=1, priors=flat)
    assert posterior.effective_draws < 400
    assert "4000 draws are worth" in posterior.notes[0]
    total = np.log10(posterior.draws["a"] + posterior.draws["b"])
    assert np.quantile(total, 0.75) == pytest.approx(0.75 * 30, abs=3)


def test_a_detached_fit_names_the_way_back(drawn):
    fit = rm.clv.BGNBD.fit(drawn)
    detached = rm.clv.Fit.from_dict(fit.to_dict())
    with pytest.raises(InputError, match=r"fit\.attach\(history\)"):
        detached.posterior(rng=1)
    assert detached.attach(drawn).posterior(draws=200, rng=1) == fit.posterior(draws=200, rng=1)


def test_without_arviz_the_error_names_the_extra(drawn, monkeypatch, posteriors):
    fit = rm.clv.BGNBD.fit(drawn)
    monkeypatch.setitem(sys.modules, "arviz_stats.base", None)
    monkeypatch.setitem(sys.modules, "arviz_base", None)
    with pytest.raises(MissingDependencyError, match=r"retention-metrics\[bayes\]"):
        fit.posterior(rng=1)
    with pytest.raises(MissingDependencyError, match=r"to_arviz\(\) needs arviz-base"):
        posteriors[0].to_arviz()


@pytest.mark.parametrize("draws", [99, 0, 10.5, None])
def test_too_few_draws_are_refused(drawn, draws):
    with pytest.raises(InputError, match="draws"):
        rm.clv.BGNBD.fit(drawn).posterior(draws=draws, rng=1)


# ---------------------------------------------------------------- what it holds


def test_its_table_and_its_intervals_are_of_its_draws(posteriors):
    posterior = posteriors[0]
    row = posterior.rows()[1]
    draws = posterior.draws["alpha"]
    assert row["parameter"] == "alpha"
    assert (row["mean"], row["sd"]) == pytest.approx((draws.mean(), draws.std(ddof=1)))
    assert (row["q05"], row["median"], row["q95"]) == pytest.approx(np.quantile(draws, [0.05, 0.5, 0.95]))
    interval = posterior.intervals(level=0.8)["alpha"]
    assert (interval.low, interval.high) == tuple(np.quantile(draws, [(1 - 0.8) / 2, (1 + 0.8) / 2]))
    assert not draws.flags.writeable
    tree = posterior.to_arviz()
    np.testing.assert_array_equal(tree["posterior"]["alpha"].to_numpy()[0], draws)


def test_effective_draws_are_what_repetition_shows(drawn):
    fit = rm.clv.BGNBD.fit(drawn)
    runs = [fit.posterior(draws=400, rng=seed) for seed in range(200)]
    means = np.array([np.log(run.draws["r"]).mean() for run in runs])
    sd = np.mean([np.log(run.draws["r"]).std() for run in runs])
    expected = np.mean([run.effective_draws for run in runs])
    # The variance of 200 means is known to within 10 % (one standard error).
    assert (sd / means.std()) ** 2 == pytest.approx(expected, rel=0.3)


# ---------------------------------------------------------------- customers


def test_credible_intervals_are_near_the_delta_method_s_with_many_customers(summary):
    fit = rm.clv.BGNBD.fit(summary)
    some = summary.iloc[:12]
    bayes = fit.posterior(rng=16).predict(some, horizon=39, rng=16).to_frame()
    delta = fit.predict(some, horizon=39, level=0.95).to_frame()
    for name in ("probability_alive", "expected_purchases"):
        width = (delta[f"{name}_high"] - delta[f"{name}_low"]).clip(lower=1e-9)
        for column in (name, f"{name}_low", f"{name}_high"):
            assert ((bayes[column] - delta[column]).abs() < 0.25 * width).all(), column


def test_a_quadratic_stands_in_for_a_dear_formula_where_it_follows_it(summary):
    models = predictive.thinned(rm.clv.BGNBD.fit(summary).posterior(draws=1_000, rng=24), 300)
    x, t_x, age = (summary[name].to_numpy(float)[:20] for name in ("frequency", "recency", "T"))

    def smooth(model):
        asked.append(model)
        return np.asarray(model.expected_purchases(x, t_x, age, horizon=39.0) / model.probability_alive(x, t_x, age))

    def ragged(model):
        return smooth(model) * (1 + 0.2 * (model.r > 0.244))

    for formula, calls in ((smooth, 60), (ragged, 300)):
        asked = []
        found = predictive.over_draws(models, formula)
        assert len(asked) == calls
        exact = np.stack([formula(model) for model in models])
        if calls == 300:
            np.testing.assert_array_equal(found, exact)
        ends, shown = (np.quantile(values, [0.025, 0.975], axis=0) for values in (exact, found))
        assert np.all(np.abs(shown - ends) < 0.05 * np.ptp(ends, axis=0))


def test_purchases_are_drawn_from_their_probabilities():
    x, t_x, age = (np.full(40_000, value) for value in (2.0, 30.43, 38.86))
    alive = CDNOW._alive(x, t_x, age)
    number = predictive.purchases(CDNOW, np.random.default_rng(17), alive, x, t_x, age, 39.0)
    n = np.arange(9)
    exact = CDNOW.probability_of_purchases(2, 30.43, 38.86, n=n, horizon=39)
    found = np.array([(number == k).mean() for k in n])
    assert np.all(np.abs(found - exact) < 4 * np.sqrt(exact / number.size))
    assert number.mean() == pytest.approx(CDNOW.expected_purchases(2, 30.43, 38.86, horizon=39), abs=0.05)


def test_prediction_intervals_cover_what_customers_do():
    rng = np.random.default_rng(18)
    times = CDNOW.simulate_transactions(np.full(1_500, 39.0 + 26.0), rng=rng)
    repeat = times[times["time"] > 0]
    before, after = repeat[repeat["time"] <= 39.0], repeat[repeat["time"] > 39.0]
    customers = np.arange(1_500)
    history = pd.DataFrame(
        {
            "frequency": before.groupby("customer").size().reindex(customers, fill_value=0),
            "recency": before.groupby("customer")["time"].max().reindex(customers, fill_value=0.0),
            "T": 39.0,
        }
    )
    came = after.groupby("customer").size().reindex(customers, fill_value=0)
    posterior = rm.clv.BGNBD.fit(history).posterior(draws=1_000, rng=19)
    told = posterior.predict(history, horizon=26, level=0.9, draws=120, rng=20).to_frame()
    inside = (told["purchases_low"] <= came) & (came <= told["purchases_high"])
    # Counts are discrete, so an interval holds at least its level; for frequent buyers hardly more.
    assert inside.mean() > 0.9
    busy = history["frequency"] >= 4
    assert busy.sum() > 100
    assert inside[busy].mean() == pytest.approx(0.93, abs=3 * np.sqrt(0.09 / busy.sum()) + 0.02)


def test_a_lazy_frame_gets_the_same_answers(frame, drawn, posteriors):
    some = drawn.iloc[:30].drop(columns="monetary_value")
    expected = posteriors[0].predict(some, horizon=10, draws=20, rng=21).to_frame()
    table = posteriors[0].predict(frame(some), horizon=10, draws=20, rng=21)
    rows = rm.clv.history(table.frame, unit="week").totals().rows()
    sums = {row["column"]: row["total"] for row in rows}
    for name in ("probability_alive", "expected_purchases_low", "purchases_high"):
        assert sums[name] == pytest.approx(expected[name].sum(), rel=1e-9)


def test_the_value_s_interval_is_between_quantiles_of_the_draws(drawn, posteriors):
    some = drawn[drawn["frequency"] > 0].iloc[:8]
    table = rm.clv.lifetime_value(*posteriors, some, horizon=52, discount_rate=0.002, level=0.9).to_frame()
    x, t_x, age, money = (some[name].to_numpy(float) for name in ("frequency", "recency", "T", "monetary_value"))
    options = {"horizon": 52.0, "discount_rate": 0.002}
    values = np.stack(
        [
            model.discounted_expected_purchases(x, t_x, age, **options) * spend.expected_value(x, money)
            for model, spend in zip(*(predictive.thinned(posterior, 500) for posterior in posteriors), strict=True)
        ]
    )
    # The quadratic that stands in for expected purchases is far closer than the error of a mean over 500 draws.
    assert np.all(np.abs(table["clv"] - values.mean(axis=0)) < 0.1 * values.std(axis=0) / np.sqrt(500))
    width = np.ptp(np.quantile(values, [0.05, 0.95], axis=0), axis=0)
    for column, level in (("clv_low", 0.05), ("clv_high", 0.95)):
        assert np.all(np.abs(table[column] - np.quantile(values, level, axis=0)) < 0.12 * width)


def drawn_values(posteriors, customers, **options):
    """Value of each customer at each pair of draws, shape (n_draws, n_customers)."""
    x, t_x, age, money = (customers[name].to_numpy(float) for name in ("frequency", "recency", "T", "monetary_value"))
    pairs = zip(*(predictive.thinned(posterior, 500) for posterior in posteriors), strict=True)
    return np.stack(
        [
            model.discounted_expected_purchases(x, t_x, age, **options) * spend.expected_value(x, money)
            for model, spend in pairs
        ]
    )


@pytest.mark.parametrize("timing", ["continuous", "end_of_period"])
def test_the_total_is_the_sum_over_the_customers(drawn, posteriors, timing):
    some = drawn.iloc[:40].assign(kept=np.linspace(0.1, 0.5, 40))
    options = {"horizon": 26, "discount_rate": 0.002, "timing": timing}
    for margin in (0.3, "kept"):
        each = rm.clv.lifetime_value(*posteriors, some, margin=margin, split=True, **options).to_frame()
        total = rm.clv.total_value(*posteriors, some, margin=margin, **options)
        assert total.estimate == pytest.approx(each["clv"].sum(), rel=1e-6)
        assert total.expected_purchases == pytest.approx(each["expected_purchases"].sum(), rel=1e-6)
        assert rm.from_dict(total.to_dict()) == total


def test_the_total_s_interval_is_that_of_sums_at_each_draw(drawn, posteriors):
    some = drawn.iloc[:200]
    totals = drawn_values(posteriors, some, horizon=52.0, discount_rate=0.002).sum(axis=1)
    found = rm.clv.total_value(*posteriors, some, horizon=52, discount_rate=0.002, level=0.9)
    assert found.interval.method == "equal-tailed"
    assert found.estimate == pytest.approx(totals.mean(), abs=0.1 * totals.std())
    ends = np.quantile(totals, [0.05, 0.95])
    assert [found.interval.low, found.interval.high] == pytest.approx(ends, abs=0.02 * np.ptp(ends))
    # All customers share the parameters: the sum is far less certain than that of independent ones.
    alone = np.sqrt(drawn_values(posteriors, some, horizon=52.0, discount_rate=0.002).var(axis=0).sum())
    assert totals.std() > 3 * alone
    assert rm.clv.total_value(*posteriors, some, horizon=52, level=None).interval is None


def test_the_delta_method_and_the_posterior_agree_on_totals(drawn, fits, posteriors):
    for value in (
        lambda *given: rm.clv.total_value(*given, drawn, horizon=52),
        lambda *given: rm.clv.new_customer_value(*given, horizon=52, margin=0.3),
    ):
        by_fit, by_draws = value(*fits), value(*posteriors)
        width = by_fit.interval.high - by_fit.interval.low
        assert by_draws.estimate == pytest.approx(by_fit.estimate, abs=0.2 * width)
        assert by_draws.interval.high - by_draws.interval.low == pytest.approx(width, rel=0.25)


def test_counts_and_other_frames_give_the_same_posterior_total(drawn, frame, posteriors):
    some = drawn.iloc[:30]
    expected = rm.clv.total_value(*posteriors, pd.concat([some, some]), horizon=26)
    counted = rm.clv.total_value(*posteriors, frame(some.assign(n=2)), horizon=26, counts="n")
    assert counted.estimate == pytest.approx(expected.estimate, rel=1e-9)
    assert counted.interval.high == pytest.approx(expected.interval.high, rel=1e-9)
    assert (counted.customers, expected.customers) == (60, 60)


def test_a_new_customer_s_value_is_that_of_the_draws(posteriors):
    new = pd.DataFrame({"frequency": [0], "recency": 0.0, "T": 0.0, "monetary_value": 0.0})
    values = 0.3 * drawn_values(posteriors, new, horizon=52.0, discount_rate=0.002)[:, 0]
    found = rm.clv.new_customer_value(*posteriors, horizon=52, discount_rate=0.002, margin=0.3, level=0.9)
    assert found.estimate == pytest.approx(values.mean(), abs=0.1 * values.std())
    assert found.estimate == pytest.approx(0.3 * found.expected_purchases * found.expected_value, rel=1e-12)
    ends = np.quantile(values, [0.05, 0.95])
    assert [found.interval.low, found.interval.high] == pytest.approx(ends, abs=0.02 * np.ptp(ends))
    with pytest.raises(InputError, match="spend is a Posterior where the other model is one"):
        rm.clv.new_customer_value(posteriors[0], SPEND, horizon=52)


def test_a_posterior_goes_with_a_posterior(drawn, posteriors):
    with pytest.raises(InputError, match="spend is a Posterior where the other model is one"):
        rm.clv.lifetime_value(posteriors[0], SPEND, drawn, horizon=52)
    with pytest.raises(InputError, match="purchases is a Posterior"):
        rm.clv.lifetime_value(CDNOW, posteriors[1], drawn, horizon=52)


def test_a_spend_posterior_gives_the_expected_value_with_its_interval(drawn, posteriors):
    table = posteriors[1].predict(drawn, level=0.9).to_frame()
    plain = rm.clv.GammaGamma.fit(drawn).predict(drawn).to_frame()
    inside = (table["expected_value_low"] < plain["expected_value"]) & (
        plain["expected_value"] < table["expected_value_high"]
    )
    assert inside.all()
    with pytest.raises(InputError, match="horizon is for models of purchases"):
        posteriors[1].predict(drawn, horizon=3)


def test_a_spend_posterior_s_interval_is_between_quantiles_of_its_draws(posteriors):
    """Where own spend and the population's mean pull against each other, the quantiles bend sharply in the money."""
    some = pd.DataFrame({"frequency": np.repeat([1, 2, 8], 40), "monetary_value": np.tile(np.geomspace(2, 300, 40), 3)})
    found = posteriors[1].predict(some, level=0.9).to_frame()
    models = predictive.thinned(posteriors[1], 500)
    values = np.stack([model.expected_value(some["frequency"], some["monetary_value"]) for model in models])
    assert found["expected_value"].to_numpy() == pytest.approx(values.mean(axis=0), rel=1e-9)
    ends = np.quantile(values, [0.05, 0.95], axis=0)
    for end, wanted in zip(("low", "high"), ends, strict=True):
        assert np.all(np.abs(found[f"expected_value_{end}"] - wanted) < 0.12 * np.ptp(ends, axis=0))


def test_a_value_s_split_is_of_its_product(drawn, posteriors):
    some = drawn.iloc[:40].assign(share=np.linspace(0.1, 0.5, 40))
    options = {"discount_rate": 0.002, "level": 0.9, "split": True}
    table = rm.clv.lifetime_value(*posteriors, some, horizon=[12, np.inf], margin="share", **options).to_frame()
    for horizon in ("12", "inf"):
        product = table["share"] * table[f"expected_purchases_{horizon}"] * table["expected_value"]
        assert table[f"clv_{horizon}"].to_numpy() == pytest.approx(product.to_numpy(), rel=1e-12)
    single = rm.clv.lifetime_value(*posteriors, some, horizon=12, margin=0.3, **options).to_frame()
    for end in ("", "_low", "_high"):
        ours, theirs = table[f"clv_12{end}"] / table["share"], single[f"clv{end}"] / 0.3
        assert ours.to_numpy() == pytest.approx(theirs.to_numpy(), rel=1e-12)
    fits = rm.clv.BGNBD.fit(drawn), rm.clv.GammaGamma.fit(drawn)
    same = rm.clv.lifetime_value(*fits, some, horizon=[12, np.inf], margin="share", **options).to_frame()
    assert sorted(same.columns) == sorted(table.columns)


def test_mixed_kinds_of_the_value_s_frames_agree(frame, drawn, posteriors):
    some = drawn.iloc[:30].reset_index(names="who").assign(share=np.linspace(0.1, 0.5, 30))
    how = {"horizon": [5, 30], "margin": "share", "split": True, "level": 0.8}
    plain = rm.clv.lifetime_value(*posteriors, some, **how)
    there = rm.clv.lifetime_value(*posteriors, frame(some), **how)
    names = ["who", "clv_5", "clv_30_low", "expected_purchases_30_high", "expected_value_high"]
    assert as_sorted_rows(there, by=names, digits=7) == as_sorted_rows(plain, by=names, digits=7)


def test_a_mean_spend_that_some_draws_make_infinite_is_refused(drawn):
    low = rm.clv.GammaGamma.fit(drawn).posterior(rng=22, priors={"q": stats.lognorm(s=0.02, scale=0.95)})
    with pytest.raises(InputError, match="a q above 1"):
        low.predict(drawn)


# ---------------------------------------------------------------- covariates, and a picture


def test_a_coefficient_s_prior_is_normal_and_can_be_replaced(drawn):
    member = np.random.default_rng(23).integers(0, 2, len(drawn))
    fit = rm.clv.BGNBD.fit(drawn.assign(member=member), purchase_covariates=["member"])
    tight = {"purchase.member": stats.norm(0.3, 0.01)}
    posterior = fit.posterior(draws=200, rng=23, priors=tight)
    assert posterior.draws["purchase.member"].mean() == pytest.approx(0.3, abs=0.01)
    assert posterior.priors["purchase.member"] == "norm(0.3, 0.01)"
    with pytest.raises(ColumnError, match="covariate member='member' is not a column"):
        posterior.predict(drawn, horizon=10)


RENEWALS = {
    "ShiftedBetaGeometric": rm.clv.ShiftedBetaGeometric,
    "BetaDiscreteWeibull": rm.clv.BetaDiscreteWeibull,
}


@pytest.fixture(scope="module", params=RENEWALS.values(), ids=RENEWALS)
def renewals(request):
    return request.param.fit_survivors(HIGH_END).posterior(draws=100, rng=24)


TENURES = pd.DataFrame({"who": ["a", "b", "c", "d"], "years": [0, 3, 3, 12]})


def test_a_posterior_of_renewals_predicts_from_its_draws(renewals):
    found = renewals.predict(TENURES, horizon=10, level=0.9, tenure="years").to_frame()
    models = predictive.thinned(renewals, 100)
    drawn = [model.predict(TENURES, horizon=10, tenure="years").to_frame() for model in models]
    for name in ("retention_rate", "survival", "residual_lifetime"):
        values = np.stack([one[name].to_numpy() for one in drawn])
        assert found[name].to_numpy() == pytest.approx(values.mean(axis=0), rel=1e-12)
        for end, place in (("low", 0.05), ("high", 0.95)):
            assert found[f"{name}_{end}"].to_numpy() == pytest.approx(np.quantile(values, place, axis=0), rel=1e-12)
    with pytest.raises(InputError, match="horizon"):
        renewals.predict(TENURES, tenure="years")


def test_a_posterior_of_renewals_predicts_in_any_frame(renewals, frame):
    ours, theirs = (renewals.predict(some, horizon=10, tenure="years", draws=10) for some in (TENURES, frame(TENURES)))
    names = ["who", "retention_rate_low", "survival_high", "residual_lifetime"]
    assert as_sorted_rows(theirs, by=names, digits=9) == as_sorted_rows(ours, by=names, digits=9)


def test_credible_intervals_of_renewals_are_near_the_delta_method_s():
    fit = rm.clv.ShiftedBetaGeometric.fit_survivors(HIGH_END)
    customers = pd.DataFrame({"tenure": [0, 3, 7]})
    ours = fit.predict(customers, horizon=10, level=0.9).to_frame()
    drawn = fit.posterior(draws=600, rng=24).predict(customers, horizon=10, level=0.9, draws=600).to_frame()
    for name in ("retention_rate", "survival", "residual_lifetime"):
        width = (ours[f"{name}_high"] - ours[f"{name}_low"]).to_numpy()
        assert np.all(np.abs(drawn[name] - ours[name]) < 0.15 * width)
        assert (drawn[f"{name}_high"] - drawn[f"{name}_low"]).to_numpy() == pytest.approx(width, rel=0.2)


def test_a_posterior_of_renewals_predicts_at_covariates():
    generator = np.random.default_rng(26)
    member = generator.integers(0, 2, 900)
    base = rm.clv.ShiftedBetaGeometric(alpha=0.7, beta=1.2)
    terms = base.simulate(900, horizon=6, rng=generator).assign(member=member)
    fit = rm.clv.ShiftedBetaGeometric.fit(terms, duration="duration", churned="churned", dropout_covariates=["member"])
    posterior = fit.posterior(draws=200, rng=27)
    few = pd.DataFrame({"tenure": [1, 1, 4], "member": [0, 1, 1]})
    found = posterior.predict(few, horizon=5, draws=200).to_frame()
    drawn = [model.predict(few, horizon=5).to_frame()["survival"] for model in predictive.thinned(posterior, 200)]
    assert found["survival"].to_numpy() == pytest.approx(np.mean(drawn, axis=0), rel=1e-12)
    assert found["survival_low"].to_numpy() == pytest.approx(np.quantile(drawn, 0.025, axis=0), rel=1e-12)


@pytest.mark.parametrize("name", ["BGNBD", "ParetoNBD", "GammaGamma", "ShiftedBetaGeometric"])
def test_likelihoods_of_regressions_at_many_parameters_are_those_of_each(name, drawn):
    member = np.random.default_rng(25).integers(0, 2, len(drawn))
    if name == "ShiftedBetaGeometric":
        table = rm.clv.ShiftedBetaGeometric(alpha=0.7, beta=3.8).simulate(len(drawn), horizon=7, rng=25)
        given = {"duration": "duration", "churned": "churned", "dropout_covariates": ["member"]}
    else:
        table, given = drawn, {"purchase_covariates": ["member"]}
    fit = getattr(rm.clv, name).fit(table.assign(member=member), penalty=0.5, **given)
    check_many(fit.model, fit.data)


def test_the_plot_has_a_panel_for_every_pair(posteriors):
    axes = posteriors[1].plot()
    assert len(axes.child_axes) == 6
    assert [panel.get_xlabel() for panel in axes.child_axes[-3:]] == ["p", "q", "v"]
    spread = axes.child_axes[-3].get_xlim()
    assert spread == pytest.approx((posteriors[1].draws["p"].min(), posteriors[1].draws["p"].max()))
