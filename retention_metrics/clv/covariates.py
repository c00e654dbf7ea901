"""Covariates: columns of customers as numbers, with the levels of a categorical column kept by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from retention_metrics.errors import InputError

Floats = NDArray[np.float64]
Cells = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How the covariates of customers become numbers.

    Parameters
    ----------
    columns : tuple of str
        Columns, in the order in which they were named.
    levels : tuple of tuple of str
        For each column its levels in sorted order, the first one being the reference; empty for a column of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from retention_metrics.clv.covariates import Encoding
    >>> encoding = Encoding.learn({"age": np.array([30.0, 41.0]), "plan": np.array(["pro", "basic"], dtype=object)})
    >>> encoding.names
    ('age', 'plan[pro]')
    >>> encoding.matrix({"age": np.array([25.0]), "plan": np.array(["pro"], dtype=object)})
    array([[25.,  1.]])
    """

    columns: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]

    @classmethod
    def learn(cls, cells: Mapping[str, Cells]) -> Self:
        """The encoding that a table's columns call for.

        Parameters
        ----------
        cells : mapping of str to ndarray
            The columns: floats, or text as objects.

        Returns
        -------
        Encoding
            With the levels that occur.

        Raises
        ------
        InputError
            If a value is missing or not finite, or a column holds the same value in every row.
        """
        levels = []
        for name, column in cells.items():
            _refuse_missing(name, column)
            found = sorted(set(column.tolist()))
            if len(found) < 2:
                raise InputError(
                    f"covariate {name!r} is {found[0]!r} for every customer: it can explain nothing.",
                    argument="covariates",
                    column=name,
                    fix="Leave it out.",
                )
            levels.append(tuple(found) if column.dtype == object else ())
        return cls(columns=tuple(cells), levels=tuple(levels))

    @property
    def pairs(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each column with its levels."""
        return tuple(zip(self.columns, self.levels, strict=True))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coefficients: a column of numbers, or a column with one of its levels."""
        return tuple(
            f"{column}[{level}]" if level is not None else column
            for column, levels in self.pairs
            for level in (levels[1:] or (None,))
        )

    def matrix(self, cells: Mapping[str, Any]) -> Floats:
        """The covariates as numbers.

        Parameters
        ----------
        cells : mapping of str to array_like
            A value per customer, or one for all, for each column.

        Returns
        -------
        ndarray of float, shape (n_customers, n_names)
            Indicators of the levels but the reference, and numbers as they are.

        Raises
        ------
        InputError
            If a column is not there, a value is missing, or a level was not there when the model was fitted.
        """
        parts = []
        for column, levels in self.pairs:
            if column not in cells:
                raise InputError(f"covariate {column!r} is not given.", argument="covariates", column=column)
            given = np.atleast_1d(np.asarray(cells[column], dtype=object if levels else np.float64))
            _refuse_missing(column, given)
            if levels:
                _refuse_unseen(column, given, levels)
                parts += [(given == level).astype(np.float64) for level in levels[1:]]
            else:
                parts.append(given)
        try:
            return np.stack(np.broadcast_arrays(*parts), axis=-1) if parts else np.zeros((1, 0))
        except ValueError:
            sizes = ", ".join(str(part.size) for part in parts)
            raise InputError(f"covariates have one length; got {sizes}.", argument="covariates") from None

    def to_dict(self) -> dict[str, Any]:
        """JSON builtins.

        Returns
        -------
        dict
            Readable by ``from_dict``.
        """
        return {"columns": list(self.columns), "levels": [list(levels) for levels in self.levels]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Sequence[Any]]) -> Self:
        """The encoding that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``.

        Returns
        -------
        Encoding
            Equal to the one that was stored.
        """
        return cls(columns=tuple(data["columns"]), levels=tuple(tuple(levels) for levels in data["levels"]))


def _refuse_missing(name: str, column: Cells) -> None:
    missing = (
        np.array([cell is None or cell != cell for cell in column.tolist()], dtype=bool)
        if column.dtype == object
        else ~np.isfinite(column)
    )
    if missing.any():
        raise InputError(
            f"covariate {name!r} is missing or not finite in {int(missing.sum())} of {column.size} rows "
            f"(row {int(missing.argmax())} is the first).",
            argument="covariates",
            column=name,
            count=int(missing.sum()),
            fix="Fill it in, or leave these customers out.",
        )


def _refuse_unseen(name: str, column: Cells, levels: tuple[str, ...]) -> None:
    unseen = ~np.isin(column.astype(str), levels)
    if unseen.any():
        first = str(column[unseen.argmax()])
        raise InputError(
            f"covariate {name!r} has the levels {', '.join(map(repr, levels))}; {int(unseen.sum())} of {column.size} "
            f"rows hold another one (row {int(unseen.argmax())}: {first!r}).",
            argument="covariates",
            column=name,
            count=int(unseen.sum()),
            first=[first],
        )
