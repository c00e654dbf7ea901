"""Benchmarks: published bands with their source, and where a result falls among them."""

from __future__ import annotations

import difflib
import tomllib
from importlib import resources

from retention_metrics import _checks
from retention_metrics.benchmarks.claims import Claim, ClaimComparison, claim, claims
from retention_metrics.benchmarks.entries import Edge, Source
from retention_metrics.benchmarks.tables import BandTable, Placement, read
from retention_metrics.errors import BenchmarkUnavailableError

__all__ = [
    "BandTable",
    "Claim",
    "ClaimComparison",
    "Edge",
    "Placement",
    "Source",
    "available",
    "claim",
    "claims",
    "get",
    "read",
]


def available(metric: str | None = None) -> tuple[str, ...]:
    """Names of the band tables that come with the library.

    Parameters
    ----------
    metric : str, optional
        Only the tables of this metric, the part of their names before the first dot.

    Returns
    -------
    tuple of str
        In alphabetical order.

    Raises
    ------
    InputError
        If no table rates the metric.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.benchmarks.available("client_lifetime")[0]
    'client_lifetime.agency'
    """
    names = _names()
    if metric is None:
        return names
    known = tuple(dict.fromkeys(name.split(".")[0] for name in names))
    wanted = _checks.choice(metric, known, name="metric")
    return tuple(name for name in names if name.split(".")[0] == wanted)


def _names() -> tuple[str, ...]:
    files = resources.files("retention_metrics.benchmarks").joinpath("bands").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def _withheld() -> dict[str, str]:
    """Why well-known bands are left out, by the name that they would have."""
    text = resources.files("retention_metrics.benchmarks").joinpath("withheld.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


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
        If the library has no such table; for well-known bands without publisher or year, with the reason.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.benchmarks.get("nps.agency").bands
    ('bad', 'needs_improvement', 'good', 'unicorn')
    """
    known = _names()
    if name not in known:
        withheld = _withheld().get(str(name))
        if withheld is not None:
            raise BenchmarkUnavailableError(f"{name} is left out: {withheld}")
        near = difflib.get_close_matches(str(name), known, n=4, cutoff=0.0)
        others = f" Others near it: {', '.join(near[1:])}; available() lists all {len(known)}."
        raise BenchmarkUnavailableError(f"no band table is named {name!r}. Did you mean {near[0]!r}?{others}")
    with resources.as_file(resources.files("retention_metrics.benchmarks").joinpath("bands", f"{name}.toml")) as path:
        return read(path)
