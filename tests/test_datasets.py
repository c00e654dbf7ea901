"""The bundled data: what is in them, of which types, under which licence, alike in every library."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import inspect
import re

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats

import retention_metrics as rm
from frames import as_rows
from places import ROOT
from retention_metrics import datasets
from retention_metrics.errors import InputError

SHAPES = {"cdnow": (6_919, 5), "cdnow_master": (69_659, 4), "telco": (7_043, 21), "sfo_survey": (2_831, 19)}
DATES = {"cdnow": "date", "cdnow_master": "date", "sfo_survey": "interview_date"}
KINDS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.Table, "duckdb": duckdb.DuckDBPyRelation}

every_set = pytest.mark.parametrize("name", SHAPES)


def load(name, **options):
    return getattr(datasets, name)(**options)


def test_every_set_is_named_here():
    # a simulation has no shape of its own; tests/test_revenue.py holds it to its truth
    assert set(datasets.__all__) - {"simulate_subscriptions"} == set(SHAPES)


# ---------------------------------------------------------------- shape and types


@every_set
def test_a_set_has_its_rows_and_columns(name):
    assert load(name).shape == SHAPES[name]


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "cdnow_master"])
def test_a_set_is_the_same_in_every_library(name):
    expected = as_rows(load(name))
    for backend, kind in KINDS.items():
        frame = load(name, backend=backend)
        assert isinstance(frame, kind)
        assert as_rows(frame) == expected


def test_a_library_that_is_not_known_is_refused():
    with pytest.raises(InputError, match="Did you mean 'polars'"):
        datasets.telco(backend="polar")


@pytest.mark.parametrize("name", DATES)
def test_days_are_times_at_midnight(name):
    column = load(name)[DATES[name]]
    assert pd.api.types.is_datetime64_dtype(column)
    assert (column.dt.normalize() == column).all()
    assert load(name, backend="polars").schema[DATES[name]] == pl.Datetime("us")


def test_columns_are_numbers_words_and_times():
    assert [kind.kind for kind in datasets.cdnow().dtypes] == ["i", "i", "M", "i", "f"]
    telco = datasets.telco()
    numbers = [name for name in telco if pd.api.types.is_numeric_dtype(telco[name])]
    assert numbers == ["SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"]
    survey = datasets.sfo_survey(backend="polars")
    assert {name: survey.schema[name] for name in ("nps_raw", "weight", "airline")} == {
        "nps_raw": pl.Int64,
        "weight": pl.Float64,
        "airline": pl.String,
    }


@every_set
def test_every_call_gives_a_frame_of_its_own(name):
    first = load(name)
    first.iloc[:, 0] = first.iloc[0, 0]
    assert load(name).iloc[:, 0].nunique() > 1


# ---------------------------------------------------------------- what the sources say


def test_cdnow_is_one_cohort_of_a_tenth_of_the_customers():
    sample, master = datasets.cdnow(), datasets.cdnow_master()
    for frame, customers in ((sample, 2_357), (master, 23_570)):
        assert frame["customer_id"].nunique() == customers
        assert frame.groupby("customer_id")["date"].min().max() < pd.Timestamp("1997-04-01")
        assert (frame["date"].min(), frame["date"].max()) == (pd.Timestamp("1997-01-01"), pd.Timestamp("1998-06-30"))
    assert sample["customer_id"].tolist() == sorted(sample["customer_id"])
    columns = ["customer_id", "date", "quantity", "amount"]
    own = sample.assign(customer_id=sample["master_id"])[columns]
    theirs = master[master["customer_id"].isin(sample["master_id"])][columns]
    assert own.sort_values(columns).values.tolist() == theirs.sort_values(columns).values.tolist()


@pytest.mark.parametrize(
    ("name", "repeated", "days", "twins", "free"),
    [("cdnow", 223, 6_696, 21, 8), ("cdnow_master", 2_068, 67_591, 255, 80)],
)
def test_cdnow_repeats_days_and_rows_as_its_caveats_say(name, repeated, days, twins, free):
    frame = load(name)
    keys = frame.groupby(["customer_id", "date"]).ngroups
    assert (len(frame) - keys, keys) == (repeated, days)
    assert int(frame.duplicated().sum()) == twins
    assert int((frame["amount"] == 0).sum()) == free


def test_telco_is_a_snapshot_with_1869_churned_and_11_without_charges():
    frame = datasets.telco()
    assert frame["customerID"].is_unique
    assert (frame["Churn"] == "Yes").sum() == 1_869
    assert set(frame["Contract"]) == {"Month-to-month", "One year", "Two year"}
    assert frame.loc[frame["TotalCharges"].isna(), "tenure"].tolist() == [0] * 11
    assert (frame["tenure"].max(), int((frame["tenure"] == 72).sum())) == (72, 362)


def test_blank_answers_of_the_airport_survey_stay_a_code_that_the_score_refuses():
    survey = datasets.sfo_survey()
    assert int((survey["nps_raw"] == 11).sum()) == 84
    assert int(survey["nps_raw"].isna().sum()) == 1
    assert int(survey["overall_csat_raw"].isna().sum()) == 143
    assert set(survey["overall_csat_raw"].dropna()) == {1, 2, 3, 4, 5}
    with pytest.raises(InputError, match=r"11 \(84 rows\)"):
        rm.nps.score(survey, rating="nps_raw")
    score = rm.nps.score(survey.assign(nps_raw=survey["nps_raw"].where(survey["nps_raw"] <= 10)), rating="nps_raw")
    assert score.promoters + score.passives + score.detractors == 2_746
    assert dict(score.excluded) == {"missing_rating": 85}


def test_the_airports_weights_have_a_mean_of_one():
    survey = datasets.sfo_survey()
    assert survey["weight"].mean() == pytest.approx(1, abs=0.005)
    assert (round(survey["weight"].min(), 2), round(survey["weight"].max(), 2)) == (0.28, 1.63)
    days = survey["interview_date"]
    assert (days.min().date(), days.max().date()) == (dt.date(2017, 5, 5), dt.date(2017, 5, 30))


# ---------------------------------------------------------------- licences and sources


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cdnow", ("MIT licence", "Fader and Hardie", "without a formal licence")),
        ("cdnow_master", ("MIT licence", "Fader and Hardie", "without a formal licence")),
        ("telco", ("Apache License 2.0", "IBM sample data", "fictional")),
        ("sfo_survey", ("PDDL", "San Francisco International Airport", "code 11 means blank")),
    ],
)
def test_a_docstring_names_source_licence_and_caveats(name, words):
    text = " ".join(inspect.getdoc(getattr(datasets, name)).split())
    assert all(re.search(rf"{heading}\b[^.]*:", text) for heading in ("Rows", "Columns", "Source", "Caveats"))
    assert [word for word in words if word not in text] == []


@every_set
def test_a_docstring_names_every_column(name):
    text = inspect.getdoc(getattr(datasets, name))
    assert [column for column in load(name) if f"``{column}``" not in text] == []


def test_what_is_bundled_comes_with_its_licence():
    folder = ROOT / "retention_metrics" / "datasets" / "data"
    assert "Apache License" in (folder / "telco_churn.LICENSE.txt").read_text(encoding="utf-8")
    attribution = (folder / "ATTRIBUTION.md").read_text(encoding="utf-8")
    bundled = sorted(folder.glob("*.csv.gz"))
    assert [path.name for path in bundled] == ["sfo_survey_2017.csv.gz", "telco_churn.csv.gz"]
    for path in bundled:
        assert hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() in attribution
    assert "San Francisco" in attribution
    assert "IBM" in attribution


# ---------------------------------------------------------------- beside the originals


def test_telco_is_the_published_file(shared_data):
    original = pd.read_csv(shared_data / "telco_churn.csv", keep_default_na=False)
    original["TotalCharges"] = pd.to_numeric(original["TotalCharges"], errors="coerce")
    pd.testing.assert_frame_equal(datasets.telco(), original, check_dtype=False)


def test_the_airport_survey_is_the_published_file(shared_data):
    original = pd.read_csv(shared_data / "sfo_survey_2017.csv")
    survey = datasets.sfo_survey()
    assert list(survey) == list(original)
    for name in ("respondent_id", "nps_raw", "weight"):
        published = pd.to_numeric(original[name], errors="coerce")
        assert survey[name].astype("Float64").equals(published.astype("Float64"))


def test_the_cdnow_sample_is_the_published_log(shared_data):
    original = pd.read_csv(shared_data / "cdnow_sample.csv", parse_dates=["date"])
    pd.testing.assert_frame_equal(datasets.cdnow(), original, check_dtype=False)


# ---------------------------------------------------------------- a simulated log and its truth

TRUTHS = {
    "as it comes": {"monthly_churn": 0.04, "monthly_upgrade": 0.02, "monthly_downgrade": 0.01, "monthly_return": 0.05},
    "restless": {"monthly_churn": 0.15, "monthly_upgrade": 0.10, "monthly_downgrade": 0.08, "monthly_return": 0.25},
    "for good": {"monthly_churn": 0.08, "monthly_upgrade": 0.0, "monthly_downgrade": 0.05, "monthly_return": 0.0},
}
MONTHS = 18


def states_of(plans: pd.DataFrame) -> np.ndarray:
    """The price that each customer pays in each month, 0 where none, from the rows alone."""
    paid = np.zeros((int(plans["customer_id"].max()), MONTHS))
    until = plans["end"].fillna(pd.Timestamp("2100-01-01"))
    for month, day in enumerate(pd.date_range("2022-01-01", periods=MONTHS, freq="MS")):
        now = plans[(plans["start"] <= day) & (until > day)]
        assert now["customer_id"].is_unique
        paid[now["customer_id"].to_numpy() - 1, month] = now["amount"]
    return paid


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=list(TRUTHS))
def test_the_estimates_of_a_simulated_log_recover_its_truth(truth, seed):
    plans = datasets.simulate_subscriptions(customers=1500, months=MONTHS, **truth, rng=seed)
    paid = states_of(plans)
    roles = {"customer": "customer_id", "start": "start", "end": "end", "as_of": "2023-06-30"}
    bridge = rm.revenue.movements(plans, **roles, amount="amount").to_frame()
    churn = rm.churn.by_period(plans, **roles).to_frame()

    before, now = paid[:, :-1], paid[:, 1:]
    seen = np.maximum.accumulate(paid > 0, axis=1)[:, :-1]
    there, back = before > 0, (now > 0) & (before == 0) & seen
    gone = there & (now == 0)
    assert bridge["end_mrr"].tolist() == pytest.approx(paid.sum(axis=0))
    assert bridge["churned_customers"].tolist()[1:] == gone.sum(axis=0).tolist() == churn["lost"].tolist()[1:]
    assert bridge["reactivated_customers"].tolist()[1:] == back.sum(axis=0).tolist()
    assert bridge["new_customers"].sum() == 1500
    assert bridge["expansion"].tolist()[1:] == pytest.approx(((now - before) * (there & (now > before))).sum(axis=0))

    # Each share lies where draws with that chance fall 99.9 times in 100.
    up, down = there & (now > before), there & (now > 0) & (now < before)
    drawn = {
        "monthly_churn": (gone.sum(), there.sum()),
        "monthly_return": (back.sum(), (seen & ~there).sum()),
        "monthly_upgrade": (up.sum(), (before < 200)[there].sum()),
        "monthly_downgrade": (down.sum(), (before > 20)[there].sum()),
    }
    for name, (hits, chances) in drawn.items():
        low, high = stats.binom.interval(0.999, int(chances), truth[name]) if truth[name] else (0, 0)
        assert low <= hits <= high, name
