"""Reps ranked by how long their clients stay; retention by what was promised and delivered."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import retention_metrics as rm
from frames import as_sorted_rows
from retention_metrics import growth
from retention_metrics._stats import gamma_poisson
from retention_metrics.errors import ColumnError, InputError

approx = pytest.approx

CLIENTS = pd.DataFrame(
    {
        "rep": ["A", "A", "A", "B", "B", "C", "C", None, "A", "B"],
        "months": [5.0, 6.0, 4.0, 30.0, 24.0, 12.0, 3.0, 9.0, None, 7.0],
        "left": [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, None],
        "fee": [100.0, 200.0, 300.0, 150.0, 250.0, 100.0, 100.0, 100.0, 100.0, 100.0],
    }
)
COLUMNS = {"rep": "rep", "duration": "months", "churned": "left", "monthly_fee": "fee"}


def rank(clients, **options):
    return growth.reps(clients, **{**COLUMNS, **options})


def by_rep(table):
    return {row["rep"]: row for row in table.rows()}


# ---------------------------------------------------------------- one row per rep


def test_the_sums_do_not_depend_on_the_dataframe_library(frame):
    table = rank(frame(CLIENTS), acquisition_cost=1_000, monthly_service_cost=10)
    assert as_sorted_rows(table, by=["rep", "clients", "churned", "months_of_service", "observed_lifetime"]) == [
        ("A", 3, 3, 15, 5),
        ("B", 2, 1, 54, 54),
        ("C", 2, 1, 15, 15),
    ]
    assert table.excluded == {"missing_rep": 1, "missing_duration": 1, "missing_churned": 1}
    # Fees of 100 x 5, 200 x 6 and 300 x 4 months, less 10 a month and 1,000 for each client.
    assert by_rep(table)["A"]["net_to_date"] == approx(500 + 1_200 + 1_200 - 150 - 3_000)
    assert by_rep(table)["A"]["monthly_fee"] == 200


DATES = pd.DataFrame(
    {
        "rep": ["A", "A", "B", "B"],
        "signed": pd.to_datetime(["2023-01-01", "2023-03-01", "2023-01-01", "2024-05-01"]),
        "left": pd.to_datetime(["2023-07-01", None, "2024-03-01", None]),
    }
)


def test_dates_give_the_months_up_to_the_end_of_observation(frame):
    table = growth.reps(frame(DATES), rep="rep", signed="signed", left="left", as_of="2024-01-01", monthly_fee=100)
    days = {"A": (181 + 306, 1, 2), "B": (365, 0, 1)}
    for rep, (months, lost, clients) in days.items():
        row = by_rep(table)[rep]
        assert (row["churned"], row["clients"]) == (lost, clients)
        assert row["months_of_service"] == approx(months / (365.25 / 12))
    assert table.excluded == {"after_as_of": 1}


def test_dates_as_text_and_without_an_end_run_to_the_last_of_them():
    text = DATES.assign(signed=DATES["signed"].astype(str), left=DATES["left"].dt.strftime("%Y-%m-%d"))
    table = growth.reps(text, rep="rep", signed="signed", left="left", monthly_fee=100)
    assert by_rep(table)["A"]["months_of_service"] == approx((181 + 427) / (365.25 / 12))


@pytest.mark.parametrize(("column", "words"), [("signed", "2023-13-01"), ("left", "soon")])
def test_text_that_is_no_date_is_refused(frame, column, words):
    text = DATES.assign(signed=DATES["signed"].astype(str), left=DATES["left"].dt.strftime("%Y-%m-%d"))
    text.loc[1, column] = words
    with pytest.raises(InputError, match=f"{column}='{column}' holds 1 unreadable dates"):
        growth.reps(frame(text), rep="rep", signed="signed", left="left", monthly_fee=100)


# ---------------------------------------------------------------- who wins


def loud_and_calm(seed):
    """Twenty deals a month for ten months that leave in 4 to 6, and four a month, of whom half leave in years."""
    rng = np.random.default_rng(seed)
    loud = pd.DataFrame({"rep": "loud", "months": rng.integers(4, 7, 200), "left": True, "fee": 1_000.0})
    calm = pd.DataFrame(
        {"rep": "calm", "months": rng.integers(18, 40, 40), "left": rng.random(40) < 0.5, "fee": 1_000.0}
    )
    return pd.concat([loud, calm], ignore_index=True)


def test_twenty_deals_a_month_that_leave_in_4_to_6_months_do_not_win_on_net_value():
    table = rank(loud_and_calm(2019), acquisition_cost=4_000, monthly_service_cost=300)
    first, second = table.rows()
    assert (first["rep"], second["rep"]) == ("calm", "loud")
    assert second["clients"] == 5 * first["clients"]
    assert first["value_per_client"] > 0 > second["value_per_client"]
    assert first["total_value"] > second["total_value"]
    assert first["probability_longest"] == approx(1)
    assert first["probability_most_valuable"] == approx(1)
    assert {row["deals_per_month"] for row in table.rows()} == {None}


def test_the_seller_of_twenty_short_lived_deals_a_month_comes_last_in_every_month(frame):
    """Ten months of signings by date: 20 a month who leave in 4 to 6 months, and 4 a month who stay for years."""
    rng = np.random.default_rng(2019)
    signed = [pd.Timestamp("2022-01-01") + pd.DateOffset(months=month) for month in range(10)]
    loud = pd.DataFrame({"rep": "loud", "signed": np.repeat(np.array(signed), 20)})
    loud["left"] = loud["signed"] + pd.to_timedelta(rng.integers(122, 183, len(loud)), unit="D")
    calm = pd.DataFrame({"rep": "calm", "signed": np.repeat(np.array(signed), 4)})
    calm["left"] = calm["signed"] + pd.to_timedelta(rng.integers(300, 1_500, len(calm)), unit="D")
    table = growth.reps(
        frame(pd.concat([loud, calm], ignore_index=True)),
        rep="rep",
        signed="signed",
        left="left",
        as_of="2024-01-01",
        selling_months=10,
        monthly_fee=1_000,
        acquisition_cost=4_000,
        monthly_service_cost=300,
    )
    first, last = table.rows()
    assert (first["rep"], first["deals_per_month"]) == ("calm", 4)
    assert (last["rep"], last["deals_per_month"]) == ("loud", 20)
    assert 4 <= last["lifetime_months"] <= 6
    assert first["lifetime_months"] > 3 * last["lifetime_months"]
    assert first["net_to_date"] > 0 > last["net_to_date"]
    assert first["total_value"] > 0 > last["total_value"]


def test_by_dates_a_rep_sells_from_the_first_signing_to_the_end_of_observation():
    table = growth.reps(DATES, rep="rep", signed="signed", left="left", as_of="2024-01-01", monthly_fee=100)
    deals = {row["rep"]: row["deals_per_month"] for row in table.rows()}
    assert deals == {"A": approx(2 / (365 / (365.25 / 12))), "B": approx(1 / (365 / (365.25 / 12)))}
    late = growth.reps(DATES, rep="rep", signed="signed", left="left", as_of="2023-01-10", monthly_fee=100)
    assert {row["deals_per_month"] for row in late.rows()} == {1}
    assert by_rep(rank(CLIENTS, selling_months=6))["A"]["deals_per_month"] == 0.5


def test_on_gross_fees_alone_many_deals_can_win_and_that_is_said():
    clients = pd.concat([loud_and_calm(2019)] + [loud_and_calm(seed).query("rep == 'loud'") for seed in range(12)])
    table = rank(clients)
    totals = {row["rep"]: row["total_value"] for row in table.rows()}
    assert totals["loud"] > totals["calm"]
    assert any("gross fees" in note for note in table.notes)


def test_a_rep_with_few_clients_cannot_win_by_luck():
    rng = np.random.default_rng(1956)
    names, months, left = [], [], []
    for rep in range(12):
        stay = rng.geometric(0.08 if rep % 2 else 0.10, 60)
        names += [f"rep {rep}"] * 60
        months += np.minimum(stay, 24).tolist()
        left += (stay <= 24).tolist()
    lucky = pd.DataFrame({"rep": ["lucky"] * 2, "months": [24, 24], "left": [False, False]})
    clients = pd.concat([pd.DataFrame({"rep": names, "months": months, "left": left}), lucky])
    table = rank(clients, monthly_fee=100)
    row = by_rep(table)["lucky"]
    assert row["observed_lifetime"] is None
    assert row["lifetime_months"] < 20
    assert row["probability_longest"] < 0.5


def test_shrinkage_brings_the_lifetimes_nearer_to_the_truth():
    rng = np.random.default_rng(1961)
    churn = rng.gamma(8, 0.01, 200)
    clients = [(rep, months) for rep, rate in enumerate(churn) for months in rng.exponential(1 / rate, 5)]
    frame = pd.DataFrame(clients, columns=["rep", "months"]).assign(left=True)
    rows = by_rep(rank(frame, monthly_fee=1))
    shrunk = np.array([1 / rows[rep]["lifetime_months"] for rep in range(200)])
    raw = np.array([1 / rows[rep]["observed_lifetime"] for rep in range(200)])
    assert np.mean((shrunk - churn) ** 2) < 0.5 * np.mean((raw - churn) ** 2)
    held = np.mean([rows[rep]["low"] <= 1 / churn[rep] <= rows[rep]["high"] for rep in range(200)])
    assert held == approx(0.95, abs=0.05)
    assert rank(frame, monthly_fee=1).prior_shape == approx(8, rel=0.5)


@pytest.mark.parametrize(("reps", "spread"), [(2, 0.0), (4, 0.3), (8, 0.6)])
def test_the_intervals_hold_the_lifetimes_as_often_as_they_say(reps, spread):
    """Also where all reps are alike, which a prior that is fitted once and then taken for known does not see."""
    rng = np.random.default_rng(2006)
    held = []
    for _ in range(40):
        churn = 0.05 * (rng.gamma(spread**-2, spread**2, reps) if spread else np.ones(reps))
        stays, watched = rng.exponential(1 / churn, (20, reps)), rng.uniform(0, 36, (20, reps))
        clients = pd.DataFrame(
            {
                "rep": np.tile(np.arange(reps), 20),
                "months": np.minimum(stays, watched).ravel(),
                "left": (stays <= watched).ravel(),
            }
        )
        rows = by_rep(rank(clients, monthly_fee=1))
        held += [rows[rep]["low"] <= 1 / churn[rep] <= rows[rep]["high"] for rep in range(reps)]
    assert 0.92 <= np.mean(held) <= 1


def test_one_rep_is_not_shrunk():
    table = rank(CLIENTS[:3])
    (row,) = table.rows()
    assert row["lifetime_months"] == row["observed_lifetime"] == 5
    assert row["low"] < 5 < row["high"]
    assert (row["low"], row["high"]) == approx(tuple(1 / stats.gamma.ppf([0.975, 0.025], 3.5, scale=1 / 15)))
    assert table.prior_shape is None
    assert "one rep" in table.notes[0]


def test_the_curve_behind_the_ranking_is_that_of_each_rep():
    table = rank(CLIENTS)
    own = CLIENTS[:3]
    assert table.curve.group("A").at(5).estimate == rm.survival.kaplan_meier(own["months"], own["left"]).at(5).estimate


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"churned": None}, InputError, "takes duration= and churned=, or signed= and left="),
        ({"signed": "months", "left": "fee"}, InputError, "takes duration= and churned=, or signed= and left="),
        ({"as_of": "2024-01-01"}, InputError, "as_of= ends the observation of dates"),
        ({"selling_months": 0}, InputError, "selling_months is above 0"),
        ({"selling_months": "ten"}, InputError, "selling_months is a number"),
        ({"acquisition_cost": -1}, InputError, "acquisition_cost"),
        ({"monthly_fee": -1}, InputError, "monthly_fee"),
        ({"duration": "rep", "rep": "months"}, ColumnError, "column of numbers"),
        ({"rep": "reps"}, ColumnError, "not a column"),
    ],
)
def test_a_ranking_that_cannot_be_made_is_refused(options, error, words):
    with pytest.raises(error, match=words):
        rank(CLIENTS, **options)


def test_impossible_clients_are_refused():
    with pytest.raises(InputError, match="is finite and at least 0 for every client; 10 are not"):
        rank(CLIENTS.assign(months=-1.0, rep="A", left=1.0))
    with pytest.raises(InputError, match="is True or False"):
        rank(CLIENTS.assign(left=2.0))
    with pytest.raises(InputError, match="not before the day of signing"):
        growth.reps(DATES.assign(left=DATES["signed"].min()), rep="rep", signed="signed", left="left", monthly_fee=1)


# ---------------------------------------------------------------- the gamma distribution of rates


def test_the_fit_is_the_maximum_of_the_negative_binomial_likelihood():
    rng = np.random.default_rng(1920)
    exposure = rng.uniform(50, 500, 300)
    events = rng.poisson(rng.gamma(4, 0.02, 300) * exposure).astype(float)
    shape, rate = gamma_poisson.fit(events, exposure)

    def log_likelihood(a, b):
        return stats.nbinom.logpmf(events, a, b / (b + exposure)).sum()

    best = log_likelihood(shape, rate)
    for step in (0.99, 1.01):
        assert log_likelihood(shape * step, rate) < best
        assert log_likelihood(shape, rate * step) < best
    assert shape == approx(4, rel=0.3)


def drawn_rates(events, exposure, size, rng):
    """Rates drawn from their joint distribution, the spread and the mean by weighting draws of what was uniform."""
    spread, mean = rng.uniform(0, np.sqrt(2), size), np.exp(rng.uniform(-6, 0.5, size))
    a = spread[:, None] ** -2
    b = a / mean[:, None]
    likelihood = stats.nbinom.logpmf(events, a, b / (b + exposure)).sum(axis=1)
    chosen = rng.choice(
        size, size, p=np.exp(likelihood - likelihood.max()) / np.exp(likelihood - likelihood.max()).sum()
    )
    return rng.gamma(a[chosen] + events, 1 / (b[chosen] + exposure))


def test_what_a_fit_leaves_open_agrees_with_draws():
    events, exposure = np.array([3.0, 12.0, 0.0, 7.0]), np.array([60.0, 150.0, 25.0, 40.0])
    drawn = drawn_rates(events, exposure, 400_000, np.random.default_rng(1763))
    found = gamma_poisson.possible(events, exposure)
    assert found.weight.sum() == approx(1)
    for tail in (0.025, 0.5, 0.975):
        quantiles = gamma_poisson.quantiles(found, events, exposure, tail)
        assert quantiles == approx(np.quantile(drawn, tail, axis=0), rel=0.03)
    scale = np.array([1.0, 1.3, 0.9, 1.0])
    shares = np.bincount((drawn / scale).argmin(axis=1), minlength=4) / len(drawn)
    assert gamma_poisson.probability_lowest_of(found, events, exposure, scale) == approx(shares, abs=0.02)


def test_the_chance_of_the_lowest_rate_agrees_with_an_integral_and_with_draws():
    shape, rate = np.array([5.0, 20.0]), np.array([60.0, 210.0])
    first, second = (stats.gamma(a, scale=1 / b) for a, b in zip(shape, rate, strict=True))
    exact = integrate.quad(lambda x: first.pdf(x) * second.sf(x), 0, 2)[0]
    assert gamma_poisson.probability_lowest(shape, rate, np.ones(2)) == approx([exact, 1 - exact], abs=1e-6)
    rng = np.random.default_rng(1992)
    shape, rate, scale = np.array([3.0, 8.0, 30.0]), np.array([30.0, 90.0, 280.0]), np.array([1.0, 1.2, 0.9])
    drawn = rng.gamma(shape, 1 / rate, (200_000, 3)) / scale
    shares = np.bincount(drawn.argmin(axis=1), minlength=3) / 200_000
    assert gamma_poisson.probability_lowest(shape, rate, scale) == approx(shares, abs=0.005)


# ---------------------------------------------------------------- promised and delivered

GAPS = pd.DataFrame(
    {
        "rep": ["A"] * 6 + ["B"] * 6,
        "promised": [10.0] * 11 + [None],
        "delivered": [8.0, 9.5, 10.0, 10.4, 12.0, 15.0, 5.0, 7.0, 10.0, 10.0, 11.0, 9.0],
        "left": [1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1],
    }
)
ROLES = {"promised": "promised", "delivered": "delivered", "churned": "left"}


def test_retention_by_met_exceeded_and_missed(frame):
    table = growth.expectation_gap(frame(GAPS), **ROLES, tolerance=0.5)
    assert [(row["expectation"], row["clients"], row["retained"]) for row in table.rows()] == [
        ("missed", 3, 0),
        ("met", 5, 3),
        ("exceeded", 3, 3),
    ]
    assert table.excluded == {"missing_gap": 1}
    expected = rm.retention.rate(start=5, end=3)
    assert table.rate("met").interval == expected.interval


def test_the_same_by_rep_and_by_the_size_of_the_gap(frame):
    table = growth.expectation_gap(frame(GAPS), **ROLES, rep="rep", edges=[-2, 0, 2])
    found = [(row["rep"], row["expectation"], row["clients"], row["retained"]) for row in table.rows()]
    assert found == [
        (None, "below -2", 2, 0),
        (None, "-2 up to 0", 2, 0),
        (None, "0 up to 2", 5, 4),
        (None, "2 and above", 2, 2),
        ("A", "below -2", 0, 0),
        ("A", "-2 up to 0", 2, 0),
        ("A", "0 up to 2", 2, 2),
        ("A", "2 and above", 2, 2),
        ("B", "below -2", 2, 0),
        ("B", "-2 up to 0", 0, 0),
        ("B", "0 up to 2", 3, 2),
        ("B", "2 and above", 0, 0),
    ]
    assert table.rows()[4]["status"] == "no_customers"
    difference = rm.difference(table.rate("0 up to 2", rep="B"), table.rate("below -2", rep="B"))
    assert float(difference) == approx(2 / 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"edges": [1, 1]}, "edges rise"),
        ({"edges": []}, "edges rise"),
        ({"edges": [0], "tolerance": 1}, "tolerance"),
        ({"tolerance": -1}, "tolerance"),
        ({"churned": "rep"}, "True and False"),
    ],
)
def test_gaps_that_cannot_be_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        growth.expectation_gap(GAPS, **{**ROLES, **options})


def test_a_row_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="expectation is one of"):
        growth.expectation_gap(GAPS, **ROLES).rate("fair")
    with pytest.raises(InputError, match="no client is left"):
        growth.expectation_gap(GAPS[:0], **ROLES)
