"""The error tree: what each error is, what it carries, and that it survives a process pool."""

from __future__ import annotations

import concurrent.futures
import copy
import multiprocessing
import pickle

import pandas as pd
import pytest

import retention_metrics as rm
from retention_metrics import errors

TREE = {
    errors.InputError: (errors.RetentionMetricsError, ValueError),
    errors.ColumnError: (errors.InputError, errors.RetentionMetricsError, ValueError),
    errors.FitError: (errors.RetentionMetricsError, RuntimeError),
    errors.MissingDependencyError: (errors.RetentionMetricsError, ImportError),
    errors.BenchmarkUnavailableError: (errors.RetentionMetricsError, LookupError),
}


def raised():
    """One error of every class, as the library raises it."""
    frame = pd.DataFrame({"who": ["a", None], "left": ["Yes", "No"]})
    once = pd.DataFrame({"frequency": [0, 0], "recency": [0.0, 0.0], "T": [5.0, 6.0]})
    for call in (
        lambda: rm.churn.by_group(frame, churned="left", group="who"),
        lambda: rm.churn.by_group(frame, churned="gone", group="whom"),
        lambda: rm.clv.BGNBD.fit(rm.clv.history(once, unit="day")),
        lambda: rm.benchmarks.get("nps.agencies"),
    ):
        with pytest.raises(errors.RetentionMetricsError) as caught:
            call()
        yield caught.value
    yield errors.MissingDependencyError("plot() needs matplotlib.", name="matplotlib")


EXAMPLES = list(raised())
every_error = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


def of_an_input() -> None:
    """Raised by name in a worker process."""
    rm.nps.score([11, 12, 9])


@pytest.mark.parametrize("cls", TREE)
def test_every_error_stands_in_the_tree_and_under_its_builtin(cls):
    assert all(issubclass(cls, parent) for parent in TREE[cls])
    builtins = {parent for parent in cls.__mro__ if parent.__module__ == "builtins"}
    assert builtins & {ValueError, RuntimeError, ImportError, LookupError}


def test_the_tree_has_these_branches_and_no_more():
    named = {getattr(errors, name) for name in errors.__all__}
    assert named == {*TREE, errors.RetentionMetricsError}


def test_every_class_has_an_example_that_the_library_raises():
    assert {type(error) for error in EXAMPLES} == set(TREE)


@every_error
@pytest.mark.parametrize("way", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_an_error_keeps_its_words_and_details_when_it_travels(error, way):
    again = way(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    for name, value in vars(error).items():
        assert repr(getattr(again, name)) == repr(value)


def test_an_error_comes_home_from_a_worker_process():
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        caught = pool.submit(of_an_input).exception()
    assert isinstance(caught, errors.InputError)
    assert "whole numbers from 0 to 10" in str(caught)
    assert (caught.argument, caught.count, caught.first) == ("ratings", 2, (11, 12))


def test_an_input_error_carries_what_a_program_needs():
    error = next(error for error in EXAMPLES if type(error) is errors.InputError)
    assert (error.argument, error.column, error.count, error.first) == ("churned", "left", 2, ("Yes", "No"))
    assert error.fix == "Compare it first with the word that means churned, as in frame['left'] == 'Yes'."
    assert str(error).endswith(error.fix)


def test_details_are_optional_and_values_become_a_tuple():
    bare = errors.InputError("start is at least 0; got -1.")
    assert (bare.argument, bare.column, bare.count, bare.first, bare.fix) == (None,) * 5
    assert str(bare) == "start is at least 0; got -1."
    assert errors.InputError("x", first=[1, 2]).first == (1, 2)


def test_a_column_error_names_the_column_and_the_nearest_one():
    error = next(error for error in EXAMPLES if type(error) is errors.ColumnError)
    assert (error.argument, error.column) == ("churned", "gone")
    assert "columns are ['who', 'left']" in str(error)


def test_a_fit_error_may_hold_the_limit_and_what_was_noticed():
    limit = rm.retention.rate(start=2, end=1)
    error = errors.FitError("b has no finite maximum.", limit=limit, diagnostics=["one cohort"])
    again = pickle.loads(pickle.dumps(error))
    assert (again.limit, again.diagnostics) == (limit, ("one cohort",))
    assert errors.FitError("x").limit is None


def test_a_missing_dependency_names_the_package():
    error = EXAMPLES[-1]
    assert pickle.loads(pickle.dumps(error)).name == "matplotlib"
