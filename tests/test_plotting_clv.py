"""Plots of purchase models: what is drawn are the numbers of the results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

import retention_metrics as rm
from retention_metrics.clv import BGBB, BGNBD, MBGNBD, GGompertzNBD, ParetoNBD
from retention_metrics.clv.limits import GeometricNBD, Poisson
from retention_metrics.errors import InputError

CDNOW = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
PARETO = ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669, unit="week")


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    """Purchases of 150 customers who come in the first twelve weeks of a year, in days."""
    drawn = CDNOW.simulate_transactions(np.full(150, 52.0), rng=5)
    came = np.random.default_rng(5).uniform(0, 84, 150)
    days = np.floor(came[drawn["customer"]] + 7 * drawn["time"])
    return pd.DataFrame({"who": drawn["customer"], "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")})


@pytest.fixture(scope="module")
def split(log):
    days = {"calibration_end": "2024-09-01", "as_of": "2024-12-31"}
    return rm.clv.rfm_summary(log, customer="who", time="day", unit="week", **days)


def lines(ax) -> dict[str, np.ndarray]:
    return {line.get_label(): np.asarray(line.get_ydata(), dtype=float) for line in ax.get_lines()}


def drawn(ax) -> None:
    """Renders without a complaint."""
    ax.figure.canvas.draw()


# ---------------------------------------------------------------- through time


@pytest.mark.parametrize(("cumulative", "prefix"), [(True, "cumulative_"), (False, "")])
def test_tracking_draws_every_model_and_what_came(log, cumulative, prefix):
    models = {"one": CDNOW, "two": PARETO}
    result = rm.clv.tracking(models, log, customer="who", time="day", calibration_end="2024-09-01", as_of="2024-12-31")
    ax = rm.plotting.tracking(result, cumulative=cumulative)
    table = result.to_frame()
    shown = lines(ax)
    assert shown["actual"] == pytest.approx(table.loc[table["model"] == "one", f"{prefix}actual"].to_numpy())
    for name in models:
        assert shown[name] == pytest.approx(table.loc[table["model"] == name, f"{prefix}expected"].to_numpy())
    held = table.loc[(table["model"] == "one") & table["holdout"], "period"].min()
    (end,) = [line for line in ax.get_lines() if line.get_linestyle() == ":"]
    assert end.get_xdata()[0] == held - 0.5
    drawn(ax)


def test_without_a_holdout_no_end_of_calibration_is_drawn(log):
    ax = rm.clv.tracking(CDNOW, log, customer="who", time="day").plot()
    assert not [line for line in ax.get_lines() if line.get_linestyle() == ":"]


def test_a_path_shows_the_probability_and_the_purchases(log):
    path = rm.clv.alive_path(CDNOW, log, customer="who", time="day", who=int(log["who"].value_counts().index[0]))
    ax = path.plot()
    (line,) = ax.get_lines()
    assert np.asarray(line.get_ydata()) == pytest.approx(path.to_frame()["probability_alive"].to_numpy())
    assert len(ax.collections[0].get_segments()) == path.purchases
    assert ax.get_ylim() == (0.0, 1.02)
    drawn(ax)


# ---------------------------------------------------------------- by frequency and by recency


@pytest.mark.parametrize("by", ["frequency", "recency"])
def test_conditional_expectations_are_the_holdout_s(split, by):
    result = rm.clv.holdout([CDNOW, PARETO], split)
    ax = rm.plotting.conditional_expectation(result, by=by)
    table = pd.DataFrame(getattr(result, f"by_{by}").rows())
    shown = lines(ax)
    for name in ("BGNBD", "ParetoNBD"):
        assert shown[name] == pytest.approx(table.loc[table["model"] == name, "expected"].to_numpy())
    assert shown["actual"] == pytest.approx(table.loc[table["model"] == "BGNBD", "actual"].to_numpy())
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[0] == ("0" if by == "frequency" else "none")
    drawn(ax)


def test_the_histogram_shows_customers_actual_and_expected(split):
    fit = BGNBD.fit(split, penalty=0.1)
    result = rm.clv.frequency_fit(fit, most=4)
    ax = result.plot()
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    table = result.to_frame()
    assert heights[0] == table["actual"].tolist()
    assert heights[1] == pytest.approx(table["expected"].tolist())
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "3", "4+"]


def test_a_frequency_table_counts_and_expects(split):
    fit = BGNBD.fit(split, penalty=0.1)
    table = rm.clv.frequency_fit(fit, most=3).to_frame()
    frequency, age = split.frame["frequency"], split.frame["T"].to_numpy()
    assert table["actual"].tolist() == [*(int((frequency == n).sum()) for n in range(3)), int((frequency >= 3).sum())]
    for n in range(3):
        each = fit.model.probability_of_purchases_new(n=n, horizon=age)
        assert table["expected"][n] == pytest.approx(float(np.sum(each)))
    assert table["expected"].sum() == pytest.approx(len(age))


def test_donors_without_and_with_six_donations_are_as_many_as_published(shared_data):
    """3,454.9 and 1,253.1 in Fader, Hardie & Shang (2010)."""
    frame = pd.read_csv(shared_data / "donations_1995_rf.csv")
    fit = BGBB.fit(frame, frequency="x", recency="t_x", T="n_cal", counts="customers")
    expected = rm.clv.frequency_fit(fit, most=6).to_frame()["expected"]
    assert (expected[0], expected[6]) == (pytest.approx(3454.9, abs=0.05), pytest.approx(1253.1, abs=0.05))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda split: rm.clv.frequency_fit(CDNOW), "Fit of a model of purchases; got BGNBD"),
        (
            lambda split: rm.clv.frequency_fit(rm.from_dict(BGNBD.fit(split, penalty=0.1).to_dict())),
            "needs the data",
        ),
        (lambda split: rm.plotting.conditional_expectation(rm.clv.holdout(CDNOW, split), by="T"), "by is one of"),
        (lambda split: rm.plotting.heterogeneity(CDNOW, of="spend"), "of is one of"),
        (lambda split: rm.plotting.heterogeneity(Poisson(rate=0.1)), "Poisson has no density"),
        (lambda split: rm.plotting.heterogeneity(GeometricNBD(r=0.4, alpha=6.0, p=0.2), of="dropout"), "no density"),
        (lambda split: rm.plotting.expected_purchases_matrix(CDNOW, T=39.0, horizon=0.0), "horizon is above 0"),
        (lambda split: rm.plotting.expected_purchases_matrix(CDNOW, T=0.0, horizon=1.0), "T is above 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, words, split):
    with pytest.raises(InputError, match=words):
        call(split)


# ---------------------------------------------------------------- models


def test_the_matrices_hold_the_model_s_answers():
    alive = rm.plotting.probability_alive_matrix(CDNOW, T=40.0, frequency_max=6, steps=8)
    ahead = rm.plotting.expected_purchases_matrix(CDNOW, T=40.0, horizon=26.0, frequency_max=6, steps=8)
    middle = 5 * (np.arange(8) + 0.5)
    frequency = np.arange(1, 7)[:, None]
    for ax, cells in (
        (alive, CDNOW.probability_alive(frequency, middle, 40.0)),
        (ahead, CDNOW.expected_purchases(frequency, middle, 40.0, horizon=26.0)),
    ):
        shown = np.asarray(ax.collections[0].get_array()).reshape(6, 8)
        assert shown == pytest.approx(cells)
        drawn(ax)
    assert ahead.figure.axes[1].get_ylabel() == "expected purchases in the next 26"


@pytest.mark.parametrize(
    ("model", "of", "density"),
    [
        (CDNOW, "purchase", stats.gamma(0.243, scale=1 / 4.414)),
        (CDNOW, "dropout", stats.beta(0.793, 2.426)),
        (PARETO, "dropout", stats.gamma(0.606, scale=1 / 11.669)),
        (BGBB(alpha=1.2, beta=0.75, gamma=0.66, delta=2.78), "purchase", stats.beta(1.2, 0.75)),
        (BGBB(alpha=1.2, beta=0.75, gamma=0.66, delta=2.78), "dropout", stats.beta(0.66, 2.78)),
    ],
)
def test_densities_are_the_mixing_distributions(model, of, density):
    ax = rm.plotting.heterogeneity(model, of=of)
    line = ax.get_lines()[0]
    at = np.asarray(line.get_xdata(), dtype=float)
    assert np.asarray(line.get_ydata()) == pytest.approx(density.pdf(at))
    assert density.cdf([at[0], at[-1]]) == pytest.approx([0.005, 0.995])
    drawn(ax)


@pytest.mark.parametrize(
    "model",
    [
        CDNOW,
        MBGNBD(r=0.525, alpha=6.183, a=0.891, b=1.614),
        PARETO,
        GGompertzNBD(r=0.5, alpha=10.0, b=0.02, s=0.6, beta=0.5),
        BGBB(alpha=1.2, beta=0.75, gamma=0.66, delta=2.78),
    ],
    ids=lambda model: type(model).__name__,
)
def test_lifetimes_are_the_share_of_new_customers_alive(model):
    ax = rm.plotting.heterogeneity(model, of="lifetime")
    line = ax.get_lines()[0]
    time, share = (np.asarray(data, dtype=float) for data in (line.get_xdata(), line.get_ydata()))
    assert share == pytest.approx(np.asarray(model.probability_alive(0, 0.0, 0.0, after=time)))
    assert (np.diff(share) <= 1e-12).all()
    drawn(ax)


def test_plots_go_where_they_are_told(log, split):
    holdout = rm.clv.holdout(CDNOW, split)
    for draw in (
        lambda ax: rm.plotting.conditional_expectation(holdout, ax),
        lambda ax: rm.plotting.heterogeneity(CDNOW, ax),
        lambda ax: rm.plotting.expected_purchases_matrix(CDNOW, ax, T=39.0, horizon=39.0),
        lambda ax: rm.plotting.tracking(rm.clv.tracking(CDNOW, log, customer="who", time="day"), ax),
    ):
        given = Figure().add_subplot()
        assert draw(given) is given
