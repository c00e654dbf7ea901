"""The contract that every public result and model keeps, run over one example of each kind."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
import math
import pickle
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import retention_metrics as rm
from examples import EXAMPLES, field_names, named_examples
from retention_metrics.clv.model import Model
from retention_metrics.plotting import _BY_KIND
from retention_metrics.results import BACKENDS, KINDS, Result, TableResult

NAMED = named_examples()


@pytest.fixture(params=NAMED.values(), ids=list(NAMED))
def example(request):
    return request.param()


def of_results() -> dict[str, object]:
    return {name: make for name, make in NAMED.items() if issubclass(registered(name.rsplit("-", 1)[0]), Result)}


def registered(kind: str) -> type:
    module, name = KINDS[kind].split(":")
    return getattr(importlib.import_module(module), name)


RESULTS = of_results()
NO_CLOSED_FORM = {"clv.fit"}  # the maximum of a likelihood
over_results = pytest.mark.parametrize("make", RESULTS.values(), ids=list(RESULTS))


# ---------------------------------------------------------------- the registers


def test_every_kind_has_an_example():
    assert set(EXAMPLES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_names_a_class_of_that_kind(kind):
    cls = registered(kind)
    assert cls.kind == kind
    assert isinstance(cls.schema, int)


def subclasses(cls: type) -> Iterator[type]:
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def test_no_result_class_is_missing_from_the_register():
    for name in rm.__all__:
        getattr(rm, name)
    ours = {cls for cls in subclasses(Result) if cls.__module__.startswith("retention_metrics.")}
    listed = {registered(kind) for kind in KINDS} | {TableResult}
    # a slotted dataclass is rebuilt by its decorator and leaves its first form behind: compare by name
    assert {f"{cls.__module__}.{cls.__qualname__}" for cls in ours} <= {
        f"{cls.__module__}.{cls.__qualname__}" for cls in listed
    }


def test_no_model_class_is_missing_from_the_register():
    ours = {cls for cls in subclasses(Model) if cls.__module__.startswith("retention_metrics.") and "kind" in vars(cls)}
    assert {(cls.__module__, cls.__name__) for cls in ours} <= {
        (registered(kind).__module__, registered(kind).__name__) for kind in KINDS
    }


@pytest.mark.parametrize("kind", _BY_KIND)
def test_every_plot_belongs_to_a_kind_and_resolves(kind):
    module, name = _BY_KIND[kind].split(":")
    assert kind in KINDS
    assert callable(getattr(importlib.import_module(f"retention_metrics.plotting.{module}"), name))


def test_a_kind_that_is_not_the_library_s_is_refused():
    with pytest.raises(rm.errors.InputError, match="no_such_kind"):
        rm.from_dict({"kind": "no_such_kind", "schema": 1})


# ---------------------------------------------------------------- JSON


def test_it_goes_to_json_and_comes_back_equal(example):
    text = json.dumps(example.to_dict(), allow_nan=False)
    again = type(example).from_dict(json.loads(text))
    anywhere = rm.from_dict(json.loads(text))
    for restored in (again, anywhere):
        assert type(restored) is type(example)
        assert json.dumps(restored.to_dict(), allow_nan=False) == text


def test_its_dictionary_says_what_it_is(example):
    data = example.to_dict()
    assert (data["kind"], data["schema"]) == (type(example).kind, type(example).schema)


def test_a_newer_schema_is_refused(example):
    newer = {**example.to_dict(), "schema": type(example).schema + 1}
    with pytest.raises(rm.errors.InputError, match="schema"):
        type(example).from_dict(newer)


def test_another_kind_is_refused(example):
    with pytest.raises(rm.errors.InputError, match="kind"):
        type(example).from_dict({**example.to_dict(), "kind": "something.else"})


def test_a_dictionary_with_a_gap_is_refused(example):
    required = [
        declared.name
        for declared in dataclasses.fields(example)
        if declared.default is dataclasses.MISSING and declared.default_factory is dataclasses.MISSING
    ]
    for name in required:
        data = {key: value for key, value in example.to_dict().items() if key != name}
        with pytest.raises(rm.errors.InputError, match=rf"{name}.* is missing"):
            type(example).from_dict(data)


@over_results
def test_the_frame_survives_json_too(make):
    result = make()
    restored = rm.from_dict(json.loads(json.dumps(result.to_dict())))
    assert restored == result
    assert hash(restored) == hash(result)
    for backend in BACKENDS:
        before, after = result.to_frame(backend=backend), restored.to_frame(backend=backend)
        assert type(before).__module__.split(".")[0] == backend
        if backend == "pandas":
            assert_frame_equal(before, after)
        else:
            assert before.equals(after)


@over_results
def test_the_three_frames_hold_the_same_cells(make):
    result = make()
    polars, arrow = result.to_frame(backend="polars"), result.to_frame(backend="pyarrow")
    assert polars.columns == arrow.column_names == list(result.to_frame(backend="pandas").columns)
    assert polars.to_dicts() == arrow.to_pylist()


# ---------------------------------------------------------------- values


def leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, (list, tuple, set)):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, np.ndarray):
        yield from value.reshape(-1).tolist()
    elif dataclasses.is_dataclass(value):
        for name in field_names(value):
            yield from leaves(getattr(value, name))
    else:
        yield value


def test_it_holds_no_nan(example):
    assert not [leaf for leaf in leaves(example) if isinstance(leaf, float) and math.isnan(leaf)]
    assert not [leaf for leaf in leaves(example.to_dict()) if isinstance(leaf, float) and math.isnan(leaf)]


def test_it_is_frozen(example):
    for name in [*field_names(example), "something_new"]:
        with pytest.raises(dataclasses.FrozenInstanceError, match=name):
            setattr(example, name, None)
        with pytest.raises(dataclasses.FrozenInstanceError, match=name):
            delattr(example, name)


def test_its_arrays_cannot_be_written(example):
    for name in field_names(example):
        value = getattr(example, name)
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0


def test_it_can_be_pickled_and_copied(example):
    for again in (pickle.loads(pickle.dumps(example)), copy.deepcopy(example)):
        assert type(again) is type(example)
        assert again.to_dict() == example.to_dict()


@over_results
def test_it_cannot_be_iterated_or_unpacked(make):
    result = make()
    with pytest.raises(TypeError):
        iter(result)
    with pytest.raises(TypeError):
        len(result)


@over_results
def test_float_is_the_estimate_or_says_why_there_is_none(make):
    result = make()
    if result.estimate is None:
        with pytest.raises(rm.errors.InputError):
            float(result)
    else:
        assert float(result) == result.estimate


@over_results
def test_an_estimate_that_is_missing_comes_with_its_reason(make):
    result = make()
    if result.estimate is None and not isinstance(result, TableResult):
        assert result.notes or result.status != "ok" or result.kind in {"clv.fit", "benchmarks.placement"}


@over_results
def test_an_interval_holds_its_estimate(make):
    result = make()
    if result.interval is not None and result.estimate is not None:
        assert result.interval.low <= result.estimate <= result.interval.high
        assert 0 < result.interval.level < 1
        assert result.interval.method


@over_results
def test_it_says_what_was_computed(make):
    assert make().definition


# ---------------------------------------------------------------- working and pages


@over_results
def test_the_last_step_of_the_working_is_the_estimate(make):
    result = make()
    found = list(result.explain().evaluate().values())
    if result.estimate is not None and result.kind not in NO_CLOSED_FORM:
        assert found, "a number without its working"
        assert found[-1] == pytest.approx(result.estimate, rel=1e-9, abs=1e-12)
    elif result.estimate is None and found and found[-1] is not None:
        # a table has no one number: its working is shown for one of its cells
        cells = [cell for column in result.columns.values() for cell in column if isinstance(cell, (int, float))]
        assert found[-1] in [pytest.approx(cell, rel=1e-9, abs=1e-12) for cell in cells]


@over_results
def test_the_working_reads_as_text_markdown_and_latex(make):
    working = make().explain()
    assert working.formula in str(working)
    assert working.source
    assert working.source in working.markdown()
    assert working.latex()
    assert json.dumps(dict(working.values), default=list, allow_nan=False)


@over_results
def test_its_page_escapes_what_came_from_the_data(make):
    page = make()._repr_html_()
    assert "<table" in page
    assert not any(tag in page for tag in ("<b>A", "<i>monthly", "<u>monthly"))


@pytest.mark.parametrize("kind", _BY_KIND)
def test_a_result_draws_itself_on_given_axes_and_on_its_own(kind):
    from matplotlib.figure import Figure

    result = EXAMPLES[kind][0]()
    given = Figure().add_subplot()
    assert result.plot(ax=given) is given
    own = result.plot()
    assert own is not given
    own.figure.canvas.draw()


@over_results
def test_a_kind_without_a_plot_says_which_have_one(make):
    result = make()
    if result.kind not in _BY_KIND:
        with pytest.raises(rm.errors.InputError, match="plot"):
            result.plot()


# ---------------------------------------------------------------- customer tables


def customer_tables() -> dict[str, object]:
    from examples import fit_of_purchases, fit_of_spend, history

    adopted = rm.clv.history(history(), unit="week")
    fit, spend = fit_of_purchases(), fit_of_spend()
    return {
        "history": adopted,
        "predict": fit.model.predict(adopted, horizon=10),
        "lifetime_value": rm.clv.lifetime_value(fit.model, spend.model, adopted, horizon=10),
    }


@pytest.mark.parametrize("name", ["history", "predict", "lifetime_value"])
def test_a_customer_table_is_frozen_picklable_and_has_totals(name):
    table = customer_tables()[name]
    with pytest.raises(dataclasses.FrozenInstanceError):
        table.frame = None
    assert not hasattr(table, "to_dict")
    assert_frame_equal(pickle.loads(pickle.dumps(table)).frame, table.frame)
    totals = table.totals()
    assert isinstance(totals, Result)
    assert {row["column"] for row in totals.rows()} >= {"frequency", "recency", "T"}
    assert isinstance(table.to_frame(), pd.DataFrame)
    assert "<table" in table._repr_html_()
