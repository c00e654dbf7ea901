"""The error tree: every error the library raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retention_metrics.results import Result

__all__ = [
    "BenchmarkUnavailableError",
    "ColumnError",
    "FitError",
    "InputError",
    "MissingDependencyError",
    "RetentionMetricsError",
]


class RetentionMetricsError(Exception):
    """Base of every error the library raises on purpose."""

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only details must survive pickling, which process pools rely on.
        return (_restore, (type(self), self.args, self.__dict__.copy()))


def _restore(
    cls: type[RetentionMetricsError], args: tuple[object, ...], state: dict[str, object]
) -> RetentionMetricsError:
    error = cls.__new__(cls, *args)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


class InputError(RetentionMetricsError, ValueError):
    """A value, a row or a combination of arguments that cannot be right.

    Parameters
    ----------
    message : str
        One sentence: the argument, the rule and the value that breaks it.
    argument : str, optional
        Name of the offending argument.
    column : str, optional
        Name of the offending column.
    count : int, optional
        Number of offending rows or values.
    first : sequence, optional
        The first offending values.
    fix : str, optional
        What to do about it; appended to the message.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> try:
    ...     rm.retention.rate(start=-1, end=0)
    ... except rm.errors.InputError as error:
    ...     print(error.argument)
    start
    """

    def __init__(
        self,
        message: str,
        *,
        argument: str | None = None,
        column: str | None = None,
        count: int | None = None,
        first: Sequence[object] | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message if fix is None else f"{message} {fix}")
        self.argument = argument
        self.column = column
        self.count = count
        self.first = None if first is None else tuple(first)
        self.fix = fix


class ColumnError(InputError):
    """A column that is not there, named twice, or of the wrong type."""


class FitError(RetentionMetricsError, RuntimeError):
    """A model that the data cannot identify.

    Parameters
    ----------
    message : str
        What stopped the fit.
    limit : Result, optional
        The fit of the limiting model, where the likelihood has its supremum at infinity.
    diagnostics : sequence of str, optional
        What was noticed on the way.
    """

    def __init__(self, message: str, *, limit: Result | None = None, diagnostics: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.limit = limit
        self.diagnostics = tuple(diagnostics)


class MissingDependencyError(RetentionMetricsError, ImportError):
    """An optional package that is not installed."""

    def __reduce__(self) -> tuple[object, ...]:
        # What an ImportError knows does not stand in its dictionary.
        return (_restore, (type(self), self.args, {**self.__dict__, "msg": self.msg, "name": self.name}))


class BenchmarkUnavailableError(RetentionMetricsError, LookupError):
    """A band table that the library does not ship."""
