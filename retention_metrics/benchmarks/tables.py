"""Tables of bands: edges that each belong to one band, with provenance."""

from __future__ import annotations

import math
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Literal, Self

from retention_metrics import _checks, locales
from retention_metrics._stored import Frozen, Stored
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import FrozenDict, Json, Result, result

Tier = Literal["primary", "secondary", "opinion"]
TIERS: tuple[Tier, ...] = ("primary", "secondary", "opinion")


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
    publisher, title, url : str
        The publication.
    year : int
        Year of publication.
    population : str
        To whom the bands apply.
    tier : {"primary", "secondary", "opinion"}
        First-hand data, a report of somebody else's, or an author's judgement without data.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BandTable(Stored):
    """Bands of a metric, lowest first, with their source.

    Parameters
    ----------
    name : str
        Name of the table.
    metric : str
        What the bands rate, such as ``"nps"``.
    definition : str
        Definition of the metric: the part before the slash of a result's ``definition``.
    unit : str
        Unit of the edges, as in a result's ``unit``.
    bands : tuple of str
        Identifiers of the bands, lowest first.
    edges : tuple of Edge
        The increasing values between them, one fewer than bands. Each belongs to the band below or above it.
    source : Source
        Where the bands come from.
    period : str, optional
        Period of a rate, such as ``"month"``.
    low, high : float
        Ends of the metric's range; infinite where it has none.
    also : tuple of str
        Further definitions that the bands rate.
    higher_is_better : bool, default True
        Whether later bands are better.
    names : mapping of str to mapping, optional
        Labels of the table's own bands: language, then band, then label.
    notes : tuple of str
        What a reader should know about these bands.

    Raises
    ------
    InputError
        If an entry is missing, edges do not increase, or an edge belongs to a band that does not touch it.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> bands = rm.benchmarks.get("nps.agency")
    >>> bands.classify(20).band, bands.source.year
    ('good', 2019)
    """

    kind: ClassVar[str] = "benchmarks.band_table"

    name: str
    metric: str
    definition: str
    unit: str
    bands: tuple[str, ...]
    edges: tuple[Edge, ...]
    source: Source
    period: str | None = None
    low: float = -math.inf
    high: float = math.inf
    also: tuple[str, ...] = ()
    higher_is_better: bool = True
    names: Mapping[str, Mapping[str, str]] = field(default_factory=FrozenDict, hash=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for entry in ("bands", "edges", "also", "notes"):
            object.__setattr__(self, entry, tuple(getattr(self, entry)))
        object.__setattr__(
            self, "names", FrozenDict({locale: FrozenDict(labels) for locale, labels in self.names.items()})
        )
        for entry in ("name", "metric", "definition", "unit"):
            _require_text(getattr(self, entry), table=self.name, entry=entry)
        _require_source(self.source, table=self.name)
        _require_bands(self)
        _require_edges(self)

    def classify(self, value: float | Result) -> Placement:
        """Place a value, or a result with its interval, among the bands.

        Parameters
        ----------
        value : float or Result
            A number in the unit of the table, or a result of the table's definition and unit.

        Returns
        -------
        Placement
            ``band`` of the value, and ``bands``: all that the interval touches.

        Raises
        ------
        InputError
            If the value is not a finite number in the range of the metric, or the result has no estimate, another
            definition or another unit.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> score = rm.nps.from_counts(promoters=18, passives=11, detractors=2)
        >>> placed = rm.benchmarks.get("nps.agency").classify(score)
        >>> placed.band, placed.bands
        ('unicorn', ('good', 'unicorn'))
        """
        given = value if isinstance(value, Result) else None
        if given is not None:
            self._require_same_metric(given)
        number = _checks.number(
            float(given) if given is not None else value, name="value", low=self.low, high=self.high
        )

        # What was computed may miss an edge by rounding; what was typed is taken at its word.
        slack = 0.0 if given is None else 1e-12
        place = self._index(number, slack)
        interval = None if given is None else given.interval
        ends = (place, place)
        if interval is not None:
            ends = self._index(interval.low, slack), self._index(interval.high, slack)
        touched = self.bands[ends[0] : ends[1] + 1]

        return Placement(
            estimate=number,
            interval=interval,
            unit=self.unit,
            definition=f"benchmarks.placement/{self.name}",
            excluded={} if given is None else given.excluded,
            notes=_placement_notes(given, touched, self.notes),
            backend="pandas" if given is None else given.backend,
            band=self.bands[place],
            bands=touched,
            table=self,
        )

    def labels(self, locale: str = "en") -> Mapping[str, str]:
        """Labels of the bands in one language, lowest first.

        Parameters
        ----------
        locale : {"en", "ar", "fa", "zh-Hant"}, default "en"
            The language.

        Returns
        -------
        mapping of str to str
            Band identifier to label. A band of one's own without a label keeps its identifier.

        Raises
        ------
        InputError
            If the language is unknown.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> list(rm.benchmarks.get("client_lifetime.agency").labels("zh-Hant").values())
        ['差', '尚可', '良好', '優異']
        """
        shipped = locales.words("bands", locale=locale)
        own = self.names.get(locale, {})
        return {band: own.get(band) or shipped.get(band) or band.replace("_", " ") for band in self.bands}

    def to_dict(self) -> dict[str, Json]:
        """The table as JSON builtins; an infinite end is null.

        Returns
        -------
        dict
            Readable by ``from_dict``.
        """
        stored = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        stored |= {
            "edges": [asdict(edge) for edge in self.edges],
            "source": asdict(self.source),
            "low": self.low if math.isfinite(self.low) else None,
            "high": self.high if math.isfinite(self.high) else None,
            "names": {locale: dict(labels) for locale, labels in self.names.items()},
            **{entry: list(getattr(self, entry)) for entry in ("bands", "also", "notes")},
        }
        return {"kind": self.kind, "schema": self.schema, **stored}

    @classmethod
    def from_dict(cls, data: Mapping[str, typing.Any]) -> Self:
        """The table that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``, or written by hand with the same entries.

        Returns
        -------
        BandTable
            Checked like any other.

        Raises
        ------
        InputError
            If an entry is missing, unknown or wrong.
        """
        entries = {entry: value for entry, value in data.items() if entry not in ("kind", "schema")}
        table = str(entries.get("name", "band table"))
        cls._refuse_others({"kind": cls.kind, **data})
        _require_entries(entries, cls, table=table, entry="")
        edges = entries["edges"]
        if not isinstance(edges, (list, tuple)):
            raise InputError(f"{table}: edges is a list of edges; got {edges!r}.", argument="edges")
        for place, edge in enumerate(edges):
            _require_entries(edge, Edge, table=table, entry=f"edges[{place}].")
        _require_entries(entries["source"], Source, table=table, entry="source.")
        bounds = {"low": -math.inf, "high": math.inf}
        bounds |= {end: entries[end] for end in bounds if entries.get(end) is not None}
        return cls(
            **{
                **entries,
                "edges": tuple(Edge(**edge) for edge in edges),
                "source": Source(**entries["source"]),
                **bounds,
            }
        )

    def _index(self, value: float, slack: float) -> int:
        """Place of the band that holds a value; one within ``slack`` of an edge is the edge."""
        place = 0
        for edge, above in zip(self.edges, self.bands[1:], strict=True):
            at_edge = math.isclose(value, edge.value, rel_tol=slack, abs_tol=slack)
            place += edge.owner == above if at_edge else value > edge.value
        return place

    def _require_same_metric(self, given: Result) -> None:
        known = (self.definition, *self.also)
        if given.definition.split("/")[0] not in known:
            raise InputError(
                f"{self.name} rates {' or '.join(known)}; got {given.definition or given.kind}.", argument="value"
            )
        if given.unit != self.unit:
            raise InputError(
                f"{self.name} is in the unit {self.unit!r}; got a result in {given.unit!r}.", argument="value"
            )


@result
class Placement(Result):
    """Where a value falls among the bands of a table.

    Attributes
    ----------
    band : str
        The band of the estimate.
    bands : tuple of str
        Every band that the interval touches, lowest first; the band of the estimate alone without an interval.
    table : BandTable
        The bands, with their source.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> placed = rm.benchmarks.get("client_lifetime.agency").classify(18)
    >>> placed.label(), placed.label("zh-Hant")
    ('excellent', '優異')
    """

    kind: ClassVar[str] = "benchmarks.placement"

    band: str
    bands: tuple[str, ...]
    table: BandTable

    def label(self, locale: str = "en") -> str:
        """Label of the band in one language.

        Parameters
        ----------
        locale : {"en", "ar", "fa", "zh-Hant"}, default "en"
            The language.

        Returns
        -------
        str
            What to show a reader.

        Raises
        ------
        InputError
            If the language is unknown.
        """
        return self.table.labels(locale)[self.band]

    def explain(self) -> Explanation:
        """The edges between which the value falls."""
        edges = "; ".join(f"{edge.value:g} is {edge.owner}" for edge in self.table.edges)
        source = self.table.source
        return Explanation(
            formula=f"bands {', '.join(self.table.bands)}, lowest first, where {edges}: the value is {self.band}",
            values={"value": self.estimate},
            steps=(Step(name="placed", expression="value"),),
            source=f"{source.publisher} ({source.year}), {source.title}, {source.url}.",
        )


def read(path: str | Path) -> BandTable:
    """Band table from a TOML file.

    Parameters
    ----------
    path : str or Path
        A file with the entries of ``BandTable``; the name defaults to the file's.

    Returns
    -------
    BandTable
        Checked: every value has exactly one band, and the source is named.

    Raises
    ------
    InputError
        If the file is not TOML, or an entry is missing, unknown or wrong; the message names the entry.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import retention_metrics as rm
    >>> ours = '''
    ... metric = "churn"
    ... definition = "churn.rate"
    ... unit = "share"
    ... period = "month"
    ... higher_is_better = false
    ... bands = ["calm", "alarming"]
    ... edges = [{ value = 0.05, owner = "alarming" }]
    ... [source]
    ... publisher = "Our board"
    ... title = "Targets"
    ... url = "https://example.org/targets"
    ... year = 2024
    ... population = "Our clients"
    ... tier = "opinion"
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "churn.ours.toml")
    ...     _ = file.write_text(ours, encoding="utf-8")
    ...     table = rm.benchmarks.read(file)
    >>> table.classify(rm.churn.rate(start=400, lost=12)).band
    'calm'
    """
    file = Path(path)
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file.name} is a TOML file; {error}.", argument="path") from None
    return BandTable.from_dict({"name": file.name.removesuffix(".toml"), **entries})


def _require_entries(entries: object, cls: type, *, table: str, entry: str) -> None:
    """Refuse a description with entries missing or unknown."""
    if not isinstance(entries, Mapping):
        raise InputError(f"{table}: {entry.rstrip('.') or 'a table'} is a group of entries; got {entries!r}.")
    known = [declared.name for declared in fields(cls)]
    optional = {"period", "low", "high", "also", "higher_is_better", "names", "notes"}
    for name in entries:
        _checks.choice(name, known, name=f"{table}: {entry}entry")
    for name in known:
        if name not in entries and name not in optional:
            raise InputError(f"{table}: {entry}{name} is missing.", argument=name)


def _require_text(value: object, *, table: object, entry: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{table}: {entry} is a text; got {value!r}.", argument=entry)


def _require_source(source: Source, *, table: str) -> None:
    for entry in ("publisher", "title", "url", "population"):
        _require_text(getattr(source, entry), table=table, entry=f"source.{entry}")
    if not source.url.startswith(("https://", "http://")):
        raise InputError(f"{table}: source.url is a web address; got {source.url!r}.", argument="source.url")
    year: object = source.year
    if isinstance(year, bool) or not isinstance(year, int) or not 1900 <= year <= 2100:
        raise InputError(f"{table}: source.year is a year; got {source.year!r}.", argument="source.year")
    _checks.choice(source.tier, TIERS, name=f"{table}: source.tier")


def _require_bands(table: BandTable) -> None:
    for place, band in enumerate(table.bands):
        _require_text(band, table=table.name, entry=f"bands[{place}]")
    if len(table.bands) < 2 or len(set(table.bands)) < len(table.bands):
        raise InputError(
            f"{table.name}: bands are two or more names, each once; got {list(table.bands)!r}.", argument="bands"
        )
    if len(table.edges) != len(table.bands) - 1:
        raise InputError(
            f"{table.name}: edges are one fewer than bands; got {len(table.edges)} edges of {len(table.bands)} bands.",
            argument="edges",
        )


def _require_edges(table: BandTable) -> None:
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


def _placement_notes(given: Result | None, touched: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    spread = f"The interval touches {len(touched)} bands: {', '.join(touched)}." if len(touched) > 1 else None
    before = () if given is None else given.notes
    return (*before, *((spread,) if spread else ()), *own)
