"""Benchmarks: published bands with their source, and where a result falls among them."""

from __future__ import annotations

import difflib
from importlib import resources

from retention_metrics.benchmarks.tables import BandTable, Edge, Placement, Source, read
from retention_metrics.errors import BenchmarkUnavailableError

__all__ = ["BandTable", "Edge", "Placement", "Source", "available", "get", "read"]


def available() -> tuple[str, ...]:
    """Names of the band tables that come with the library.

    Returns
    -------
    tuple of str
        In alphabetical order.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.benchmarks.available()
    ('client_lifetime.agency', 'nps.agency')
    """
    files = resources.files("retention_metrics.benchmarks").joinpath("bands").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def get(name: str) -> BandTable:
    """Band table of this name.

    Parameters
    ----------
    name : str
        One of ``available()``.

    Returns
    -------
    BandTable
        The bands, with their source.

    Raises
    ------
    BenchmarkUnavailableError
        If the library has no such table.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.benchmarks.get("nps.agency").bands
    ('bad', 'needs_improvement', 'good', 'unicorn')
    """
    known = available()
    if name not in known:
        nearest = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise BenchmarkUnavailableError(f"no band table is named {name!r}; there are {', '.join(known)}.{hint}")
    with resources.as_file(resources.files("retention_metrics.benchmarks").joinpath("bands", f"{name}.toml")) as path:
        return read(path)
