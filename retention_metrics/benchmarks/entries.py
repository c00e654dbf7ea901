"""What a band table is made of: edges and a source, and the checks that a table passes when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from retention_metrics import _checks, locales
from retention_metrics._stored import Frozen
from retention_metrics.errors import InputError

if TYPE_CHECKING:
    from retention_metrics.benchmarks.tables import BandTable

Tier = Literal["primary", "secondary", "weak", "opinion", "own"]
Statistic = Literal["threshold", "percentile", "mean"]
TIERS: tuple[Tier, ...] = ("primary", "secondary", "weak", "opinion", "own")
STATISTICS: tuple[Statistic, ...] = ("threshold", "percentile", "mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge(Frozen):
    """A value at which one band ends and the next begins.

    Parameters
    ----------
    value : float
        The edge, in the unit of the table.
    owner : str
        The band to which the value itself belongs.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.benchmarks.get("nps.agency").edges[0]
    Edge(value=0.0, owner='bad')
    """

    value: float
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Frozen):
    """Who published a band table, where, when and about whom.

    Parameters
    ----------
    publisher, title : str
        The publication.
    url : str
        Where it is; empty for data of one's own.
    year : int
        Year of publication.
    population : str
        To whom the bands apply.
    tier : {"primary", "secondary", "weak", "opinion", "own"}
        First-hand data, a report of somebody else's, a list whose origin nobody shows, an author's judgement without
        data, or data of one's own.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> rm.benchmarks.get("nps.agency").source.tier
    'opinion'
    """

    publisher: str
    title: str
    url: str
    year: int
    population: str
    tier: Tier


def require_entries(entries: object, cls: type, *, table: str, entry: str) -> None:
    """Refuse a description with entries missing or unknown."""
    if not isinstance(entries, Mapping):
        raise InputError(f"{table}: {entry.rstrip('.') or 'a table'} is a group of entries; got {entries!r}.")
    known = [declared.name for declared in fields(cls)]
    optional = {"period", "low", "high", "also", "statistic", "higher_is_better", "names", "notes"}
    for name in entries:
        _checks.choice(name, known, name=f"{table}: {entry}entry")
    for name in known:
        if name not in entries and name not in optional:
            raise InputError(f"{table}: {entry}{name} is missing.", argument=name)


def require_text(value: object, *, table: object, entry: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{table}: {entry} is a text; got {value!r}.", argument=entry)


def listed(value: object, *, table: object, entry: str) -> tuple[object, ...]:
    """The entries of a list; a text is none, though it has letters."""
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{table}: {entry} is a list; got {value!r}.", argument=entry)
    return tuple(value)


def require_words(table: BandTable) -> None:
    """Refuse texts and marks of another type."""
    for entry in ("name", "metric", "definition", "unit", *(("period",) if table.period is not None else ())):
        require_text(getattr(table, entry), table=table.name, entry=entry)
    for entry in ("also", "notes"):
        for place, text in enumerate(getattr(table, entry)):
            require_text(text, table=table.name, entry=f"{entry}[{place}]")
    if not isinstance(table.higher_is_better, bool):
        raise InputError(
            f"{table.name}: higher_is_better is true or false; got {table.higher_is_better!r}.",
            argument="higher_is_better",
        )


def require_labels(table: BandTable) -> None:
    """Refuse labels in a language that the library does not speak, or of bands that the table does not have."""
    for locale, labels in table.names.items():
        _checks.choice(locale, locales.LOCALES, name=f"{table.name}: names.locale")
        for band, label in labels.items():
            _checks.choice(band, table.bands, name=f"{table.name}: names.{locale}.band")
            require_text(label, table=table.name, entry=f"names.{locale}.{band}")


def by_locale(names: object, *, table: object) -> Mapping[str, Mapping[str, str]]:
    """Labels by language and band; anything but groups of entries is refused."""
    parts = [names, *(names.values() if isinstance(names, Mapping) else ())]
    strange = next((part for part in parts if not isinstance(part, Mapping)), None)
    if strange is not None or not isinstance(names, Mapping):
        raise InputError(f"{table}: names holds labels by language and band; got {strange!r}.", argument="names")
    return names


def require_source(source: Source, *, table: str) -> None:
    for entry in ("publisher", "title", "population"):
        require_text(getattr(source, entry), table=table, entry=f"source.{entry}")
    _checks.choice(source.tier, TIERS, name=f"{table}: source.tier")
    url: object = source.url
    nowhere = source.tier == "own" and url == ""
    if not nowhere and not (isinstance(url, str) and url.startswith(("https://", "http://"))):
        raise InputError(f"{table}: source.url is a web address; got {source.url!r}.", argument="source.url")
    year: object = source.year
    if isinstance(year, bool) or not isinstance(year, int) or not 1900 <= year <= 2100:
        raise InputError(f"{table}: source.year is a year; got {source.year!r}.", argument="source.year")


def require_bands(table: BandTable) -> None:
    for place, band in enumerate(table.bands):
        require_text(band, table=table.name, entry=f"bands[{place}]")
    if len(table.bands) < 2 or len(set(table.bands)) < len(table.bands):
        raise InputError(
            f"{table.name}: bands are two or more names, each once; got {list(table.bands)!r}.", argument="bands"
        )
    if len(table.edges) != len(table.bands) - 1:
        raise InputError(
            f"{table.name}: edges are one fewer than bands; got {len(table.edges)} edges of {len(table.bands)} bands.",
            argument="edges",
        )


def require_edges(table: BandTable) -> None:
    for end in ("low", "high"):
        _checks.number(getattr(table, end), name=f"{table.name}: {end}", allow_infinite=True)
    before = table.low
    for place, edge in enumerate(table.edges):
        entry = f"{table.name}: edges[{place}]"
        value = _checks.number(edge.value, name=entry)
        if value < before or (place and value == before) or value > table.high:
            raise InputError(
                f"{entry} rises above the one before, inside {table.low:g} to {table.high:g}; got {value:g}.",
                argument=f"edges[{place}]",
            )
        touching = table.bands[place : place + 2]
        _checks.choice(edge.owner, touching, name=f"{entry}.owner")
        before = value
