"""The frozen values that every function returns."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import retention_metrics as rm
from frames import as_rows
from retention_metrics.errors import InputError, MissingDependencyError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, FrozenDict, Interval, Proportion, TableResult, from_dict

numbers = st.floats(allow_nan=False, allow_infinity=False)


# ---------------------------------------------------------------- intervals


@given(low=numbers, width=st.floats(0, 1e6), level=st.floats(0.01, 0.99))
def test_an_interval_goes_to_json_and_back(low, width, level):
    interval = Interval(low=low, high=low + width, level=level, method="wilson")
    assert Interval.from_dict(json.loads(json.dumps(interval.to_dict(), allow_nan=False))) == interval


def test_an_unbounded_end_is_infinite_in_python_and_null_in_json():
    interval = Interval(low=0.0, high=math.inf, level=0.95, method="profile")
    assert interval.to_dict()["high"] is None
    assert Interval.from_dict(interval.to_dict()) == interval


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (math.nan, 1.0), (0.0, math.nan)])
def test_an_interval_runs_from_low_to_high(low, high):
    with pytest.raises(InputError, match="from low to high"):
        Interval(low=low, high=high, level=0.95, method="wilson")


def test_an_interval_knows_what_it_holds():
    interval = Interval(low=0.2, high=0.4, level=0.95, method="wilson")
    assert 0.3 in interval
    assert 0.5 not in interval


# ---------------------------------------------------------------- results


@pytest.fixture
def rate() -> Proportion:
    return rm.retention.rate(start=100, end=90)


def test_a_result_cannot_be_changed(rate):
    with pytest.raises(dataclasses.FrozenInstanceError):
        rate.estimate = 1.0
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        rate.excluded["x"] = 1


def test_a_result_is_a_number_where_one_is_needed(rate):
    assert float(rate) == 0.9


def test_a_result_is_never_iterable(rate):
    with pytest.raises(TypeError):
        iter(rate)


def test_equal_results_are_equal_by_what_they_say(rate):
    again = rm.retention.rate(start=100, end=90)
    assert again == rate
    assert hash(again) == hash(rate)
    assert again != rm.retention.rate(start=100, end=91)
    assert rate != 0.9


def test_a_result_never_holds_nan():
    with pytest.raises(ValueError, match="NaN"):
        Proportion(estimate=math.nan, numerator=1, denominator=2)


def test_numpy_scalars_become_builtins_and_arrays_read_only():
    result = Proportion(estimate=np.float64(0.5), numerator=np.int64(1), denominator=np.int64(2))
    assert type(result.estimate) is float
    assert type(result.numerator) is int


def test_from_dict_refuses_another_kind_and_a_newer_schema(rate):
    stored = rate.to_dict()
    with pytest.raises(InputError, match="kind"):
        Proportion.from_dict(stored)
    with pytest.raises(InputError, match="Upgrade"):
        type(rate).from_dict({**stored, "schema": 99})
    with pytest.raises(InputError, match="kind names one of"):
        from_dict({"kind": "no.such"})
    with pytest.raises(InputError, match="kind names one of"):
        from_dict({})


def test_unknown_fields_of_a_stored_result_do_not_stop_reading(rate):
    assert from_dict({**rate.to_dict(), "added_later": 1}) == rate


@pytest.mark.parametrize(
    ("backend", "kind"), [("pandas", pd.DataFrame), ("polars", pl.DataFrame), ("pyarrow", pa.Table)]
)
def test_a_result_becomes_a_frame_of_any_library(rate, backend, kind):
    frame = rate.to_frame(backend)
    assert isinstance(frame, kind)
    row = as_rows(frame)[0]
    assert (row["estimate"], row["level"], row["method"], row["start"]) == (0.9, 0.95, "wilson", 100)


def test_an_unknown_backend_names_the_known_ones(rate):
    with pytest.raises(InputError, match="'pandas', 'polars', 'pyarrow'"):
        rate.to_frame("polar")


def test_a_missing_library_names_the_extra(rate, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'retention-metrics\[polars\]'"):
        rate.to_frame("polars")


def test_html_shows_the_number_and_escapes_what_came_from_data():
    result = Proportion(
        estimate=0.5, numerator=1, denominator=2, definition="<script>", notes=("a & b",), excluded={"<b>": 1}
    )
    page = result._repr_html_()
    assert "0.5" in page
    assert "<script>" not in page
    assert "<b>" not in page
    assert "a &amp; b" in page


def test_a_short_repr_says_the_estimate_and_the_interval(rate):
    text = repr(rate)
    assert text.startswith("RetentionRate(estimate=0.9, interval=[0.825634, 0.944771] (0.95, wilson)")
    assert "status" not in text


# ---------------------------------------------------------------- tables

cells = st.one_of(
    st.lists(st.none() | st.integers(-1000, 1000), max_size=6),
    st.lists(st.none() | numbers, max_size=6),
    st.lists(st.none() | st.text(max_size=5), max_size=6),
    st.lists(st.none() | st.dates(), max_size=6),
    st.lists(st.none() | st.booleans(), max_size=6),
    st.lists(st.none() | st.datetimes(), max_size=6),
)


@given(cells)
def test_columns_go_to_json_and_back(values):
    columns = Columns({"x": values})
    again = Columns.from_dict(json.loads(json.dumps(columns.to_dict(), allow_nan=False)))
    assert dict(again) == dict(columns)
    assert again.types == columns.types


@given(cells)
def test_every_library_holds_the_same_cells(values):
    table = TableResult(columns=Columns({"x": values}), definition="test")
    if table.columns.types["x"] == "datetime" or any(isinstance(v, dt.date) for v in values):
        values = [v for v in values if v is None or 1700 < v.year < 2200]
        table = TableResult(columns=Columns({"x": values}, {"x": table.columns.types["x"]}), definition="test")
    found = [as_rows(table.to_frame(backend)) for backend in ("pandas", "polars", "pyarrow")]
    assert found[0] == found[1] == found[2]


def test_columns_have_one_length_and_one_type():
    with pytest.raises(ValueError, match="one length"):
        Columns({"a": [1], "b": [1, 2]})
    with pytest.raises(ValueError, match="one type"):
        Columns({"a": [1, "x"]})


def test_nan_in_a_table_is_missing():
    assert Columns({"a": [1.0, math.nan]})["a"] == (1.0, None)


def test_infinity_in_a_table_survives_json():
    columns = Columns({"a": [1.0, math.inf, -math.inf]})
    assert Columns.from_dict(json.loads(json.dumps(columns.to_dict(), allow_nan=False)))["a"] == columns["a"]


def test_whole_numbers_with_gaps_stay_whole_in_pandas():
    frame = TableResult(columns=Columns({"a": [1, None]}), definition="test").to_frame()
    assert str(frame["a"].dtype) == "Int64"


def test_a_long_table_is_cut_in_html():
    page = TableResult(columns=Columns({"a": list(range(500))}), definition="test")._repr_html_()
    assert "300 more rows" in page


def test_a_frozen_dict_is_read_only_and_pickles():
    mapping = FrozenDict({"a": 1})
    assert pickle.loads(pickle.dumps(mapping)) == {"a": 1}
    with pytest.raises(TypeError):
        mapping["a"] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        mapping._items = {}


# ---------------------------------------------------------------- explanations


def explanation(**steps: str) -> Explanation:
    return Explanation(
        formula="f",
        values={"a": 2, "b": 0.5, "zero": 0, "xs": (1.0, 2.0, 3.0)},
        steps=tuple(Step(name=name, expression=expression) for name, expression in steps.items()),
        source="A. Author (1900)",
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a + b", 2.5),
        ("a - b * a", 1.0),
        ("(a - b) * a", 3.0),
        ("a / b", 4.0),
        ("a ** 3", 8.0),
        ("7 // a", 3),
        ("7 % a", 1),
        ("-a", -2),
        ("sqrt(a * a)", 2.0),
        ("exp(log(a))", 2.0),
        ("sum(xs)", 6.0),
        ("max(a, b)", 2),
        ("min(a, b)", 0.5),
        ("abs(-a)", 2),
        ("gamma(5)", 24.0),
    ],
)
def test_a_step_is_arithmetic(expression, value):
    assert explanation(x=expression).evaluate()["x"] == pytest.approx(value)


def test_z_is_the_normal_quantile_of_a_level():
    from scipy.stats import norm

    assert explanation(x="z(0.95)").evaluate()["x"] == pytest.approx(norm.ppf(0.975))


def test_a_step_stands_on_the_steps_before_it():
    assert explanation(x="a + 1", y="x * 2").evaluate() == {"x": 3, "y": 6}


def test_dividing_by_zero_is_undefined_and_so_is_what_follows():
    found = explanation(x="a / zero", y="x + 1")
    assert found.evaluate() == {"x": None, "y": None}
    assert "undefined" in str(found)
    assert r"\text{undefined}" in found.latex()


@pytest.mark.parametrize("expression", ["__import__('os')", "a if b else 1", "[a]", "a.real", "open", "'x'"])
def test_a_step_runs_no_code(expression):
    with pytest.raises((TypeError, KeyError)):
        explanation(x=expression).evaluate()


def test_latex_keeps_brackets_that_matter():
    latex = explanation(x="(a - b) * a - (a - (b - 1))").latex()
    assert r"\left(a - b\right) \cdot a - \left(a - \left(b - 1\right)\right)" in latex


def test_a_formula_without_steps_is_shown_as_it_is():
    plain = Explanation(formula="100 % of_all", values={}, steps=(), source="x")
    assert r"100 \% of\_all" in plain.latex()
    assert plain.markdown()
    assert "<pre>" in plain._repr_html_()
