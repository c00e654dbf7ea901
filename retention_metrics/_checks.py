"""Argument checks and their wording, in one place."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics.errors import ColumnError, InputError, MissingDependencyError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Choice = TypeVar("Choice", bound=str)


def number(
    value: object,
    *,
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
    allow_infinite: bool = False,
) -> float:
    """A real number inside a range, as a float."""
    # A 0-d array is what NumPy arithmetic leaves of a scalar; a result stands for its estimate.
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise InputError(f"{name} is a number; got {value!r}.", argument=name)
    try:
        result = float(value)
    except OverflowError:
        raise InputError(f"{name} is a finite number; got one of more than 308 digits.", argument=name) from None
    if math.isnan(result) or (math.isinf(result) and not allow_infinite):
        raise InputError(f"{name} is a finite number; got {value!r}.", argument=name)
    if result < low or result > high or (open_low and result == low) or (open_high and result == high):
        raise InputError(f"{name} is {_range_words(low, high, open_low, open_high)}; got {value!r}.", argument=name)
    return result


def _range_words(low: float, high: float, open_low: bool, open_high: bool) -> str:
    if high == math.inf:
        return f"above {low:g}" if open_low else f"at least {low:g}"
    if low == -math.inf:
        return f"below {high:g}" if open_high else f"at most {high:g}"
    return f"in {'(' if open_low else '['}{low:g}, {high:g}{')' if open_high else ']'}"


def positive(value: object, *, name: str) -> float:
    """A finite number above zero."""
    return number(value, name=name, low=0.0, open_low=True)


def non_negative(value: object, *, name: str) -> float:
    """A finite number of at least zero."""
    return number(value, name=name, low=0.0)


def share(value: object, *, name: str) -> float:
    """A number from 0 to 1, both included."""
    return number(value, name=name, low=0.0, high=1.0)


def count(value: object, *, name: str, low: int = 0, high: int | None = None) -> int:
    """A whole number of at least ``low``, and of at most ``high`` where that is given."""
    result = number(value, name=name)
    if result != int(result):
        raise InputError(f"{name} is a whole number; got {value!r}.", argument=name)
    if result < low:
        raise InputError(f"{name} is a whole number of at least {low}; got {value!r}.", argument=name)
    if high is not None and result > high:
        raise InputError(f"{name} is a whole number of at most {high}; got {value!r}.", argument=name)
    # A float holds whole numbers up to 2^53; an integer holds all.
    return int(value) if isinstance(value, numbers.Integral) else int(result)


def level(value: object) -> float | None:
    """The probability content of an interval, or None for no interval."""
    if value is None:
        return None
    try:
        return number(value, name="level", low=0.0, high=1.0, open_low=True, open_high=True)
    except InputError:
        raise InputError(f"level is a probability in (0, 1), e.g. 0.95; got {value!r}.", argument="level") from None


def choice(value: object, options: Sequence[Choice], *, name: str) -> Choice:
    """One of a few names, with the nearest one in the message."""
    for option in options:
        if isinstance(value, str) and value == option:
            return option
    nearest = difflib.get_close_matches(str(value), options, n=1)
    hint = f"Did you mean {nearest[0]!r}?" if nearest else None
    raise InputError(f"{name} is one of {', '.join(map(repr, options))}; got {value!r}.", argument=name, fix=hint)


def one_dimensional(values: ArrayLike, *, name: str) -> NDArray[np.generic]:
    """A 1-D array of any type."""
    try:
        array = np.asarray(_unmasked(values))
    except ValueError:
        raise InputError(f"{name} is one-dimensional; got {_shown(values)}.", argument=name) from None
    if array.ndim != 1:
        raise InputError(f"{name} is one-dimensional; got shape {array.shape}.", argument=name)
    return array


def _unmasked(values: ArrayLike) -> ArrayLike:
    """Masked entries as None: converted as they are, the numbers under the mask would count."""
    if not isinstance(values, np.ma.MaskedArray):
        return values
    plain = np.array(values.data, dtype=object)
    plain[np.ma.getmaskarray(values)] = None
    return plain


def floats(
    values: ArrayLike,
    *,
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    allow_missing: bool = False,
    allow_infinite: bool = False,
) -> Floats:
    """A float array of any shape whose entries lie in a range."""
    try:
        plain = _unmasked(values)
        # Without its unit a length of time is no number.
        if hasattr(plain, "dtype") and np.asarray(plain).dtype.kind in "mM":
            raise TypeError
        array = np.asarray(plain, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} holds numbers; got {_shown(values)}.", argument=name) from None
    bad = np.zeros(array.shape, dtype=bool)
    missing = np.isnan(array)
    if not allow_missing:
        bad |= missing
    if not allow_infinite:
        bad |= np.isinf(array)
    refuse(bad, array, name=name, rule="holds finite numbers")
    with np.errstate(invalid="ignore"):
        outside = ((array < low) | (array > high)) & ~missing
    refuse(outside, array, name=name, rule=f"is {_range_words(low, high, False, False)}")
    return array


def whole(values: ArrayLike, *, name: str, low: float = 0.0) -> Floats:
    """A float array of whole numbers of at least ``low``."""
    array = floats(values, name=name, low=low)
    refuse(array != np.floor(array), array, name=name, rule="holds whole numbers")
    return array


def booleans(values: ArrayLike, *, name: str) -> NDArray[np.bool_]:
    """A 1-D array of true and false, or of 1 and 0."""
    array = one_dimensional(values, name=name)
    if array.dtype == np.bool_:
        return array.astype(np.bool_)
    kept = np.array([entry in (True, False) for entry in array.tolist()], dtype=bool)
    refuse(
        ~kept,
        array,
        name=name,
        rule="holds True and False, or 1 and 0",
        fix=f"Compare first, for instance {name} == 'Yes'.",
    )
    return array.astype(bool)


def refuse(
    bad: NDArray[np.bool_], values: NDArray[np.generic], *, name: str, rule: str, fix: str | None = None
) -> None:
    """Raise an InputError that counts and shows the entries where ``bad`` is true."""
    if not bad.any():
        return
    where = np.flatnonzero(bad)
    first = [values.reshape(-1)[index].item() for index in where[:3]]
    if values.ndim == 0:
        raise InputError(f"{name} {rule}; got {first[0]!r}.", argument=name, count=1, first=first, fix=fix)
    raise InputError(
        f"{name} {rule}; {where.size} of {bad.size} do not (row {where[0]}: {first[0]!r}).",
        argument=name,
        column=name,
        count=int(where.size),
        first=first,
        fix=fix,
    )


def same_length(**arrays: NDArray[np.generic]) -> None:
    """Refuse companions of different lengths."""
    sizes = {name: array.size for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name} has {size}" for name, size in sizes.items())
        raise InputError(f"arrays have one length; {listed}.", argument=next(iter(sizes)))


def one_pair(given: Mapping[str, object], lengths: tuple[str, str], dates: tuple[str, str], *, caller: str) -> None:
    """Two columns, of lengths or of dates, and ``as_of`` only beside dates."""
    named = [name for name in (*lengths, *dates) if given[name] is not None]
    if tuple(named) not in (lengths, dates):
        pairs = ", or ".join(f"{first}= and {second}=" for first, second in (lengths, dates))
        raise InputError(
            f"{caller} takes {pairs}; got {', '.join(named) or 'none'}.", argument=named[0] if named else lengths[0]
        )
    if given["as_of"] is not None and tuple(named) == lengths:
        raise InputError(
            "as_of= ends the observation of dates; durations have ended.", argument="as_of", fix="Leave as_of out."
        )


def column(name: object, columns: Iterable[str], *, role: str) -> str:
    """A column that exists, with the nearest name in the message."""
    known = list(columns)
    if not isinstance(name, str):
        raise ColumnError(f"{role}= holds a column name; got {name!r}.", argument=role)
    if name in known:
        return name
    by_folded = {str(known_name).casefold(): known_name for known_name in known}
    nearest = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    hint = f"Did you mean {by_folded[nearest[0]]!r}?" if nearest else None
    raise ColumnError(
        f"{role}={name!r} is not a column; columns are {_shortened(known)}.", argument=role, column=name, fix=hint
    )


def _shortened(names: list[str], most: int = 30) -> str:
    if len(names) <= most:
        return repr(names)
    return f"{names[:most]!r} and {len(names) - most} more"


def _shown(values: object) -> str:
    text = repr(values)
    return text if len(text) <= 80 else f"{text[:77]}..."


def missing_dependency(package: str, *, extra: str, purpose: str) -> MissingDependencyError:
    """The error that names the extra to install."""
    return MissingDependencyError(f"{purpose} needs {package}: pip install 'retention-metrics[{extra}]'.", name=package)
