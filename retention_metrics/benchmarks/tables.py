"""Tables of bands: edges that each belong to one band, with provenance."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks, locales
from retention_metrics._stored import Stored
from retention_metrics.benchmarks.entries import (
    STATISTICS,
    Edge,
    Source,
    Statistic,
    by_locale,
    listed,
    require_bands,
    require_edges,
    require_entries,
    require_labels,
    require_source,
    require_words,
)
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import FrozenDict, Json, Result, result

QUARTERS = ("lowest_quarter", "second_quarter", "third_quarter", "highest_quarter")

# Beyond this a reader is told how old a source is.
_FRESH_YEARS = 3
# Fewest and most days of a calendar period.
_LENGTHS = {"day": (1, 1), "week": (7, 7), "month": (28, 31), "quarter": (89, 92), "year": (365, 366)}


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
        Definition of the metric: a result's ``definition``, or the part of it before the slash.
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
    statistic : {"threshold", "percentile", "mean"}, default "threshold"
        What the edges are: set by somebody, or percentiles or the mean of a population.
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
    statistic: Statistic = "threshold"
    higher_is_better: bool = True
    names: Mapping[str, Mapping[str, str]] = field(default_factory=FrozenDict, hash=False)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for entry in ("bands", "edges", "also", "notes"):
            object.__setattr__(self, entry, listed(getattr(self, entry), table=self.name, entry=entry))
        names = by_locale(self.names, table=self.name)
        object.__setattr__(self, "names", FrozenDict({locale: FrozenDict(names[locale]) for locale in names}))
        require_words(self)
        _checks.choice(self.statistic, STATISTICS, name=f"{self.name}: statistic")
        require_source(self.source, table=self.name)
        require_bands(self)
        require_labels(self)
        require_edges(self)

    def classify(
        self,
        value: float | Result,
        *,
        period: str | None = None,
        definition: str | None = None,
        today: dt.date | None = None,
    ) -> Placement:
        """Place a value, or a result with its interval, among the bands.

        Parameters
        ----------
        value : float or Result
            A number in the unit of the table, or a result of the table's definition and unit.
        period : str, optional
            Period of a rate, such as ``"month"``, where the value does not say it.
        definition : str, optional
            Definition of a number, such as ``"churn.rate"``.
        today : date, optional
            The day from which the age of the source is counted; by default the current one.

        Returns
        -------
        Placement
            ``band`` of the value, and ``bands``: all that the interval touches. A note says how old a source of more
            than three years is.

        Raises
        ------
        InputError
            If the value is not a finite number in the range of the metric, or the result has no estimate, another
            definition, another unit or another period, such as a monthly value against an annual band.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> score = rm.nps.from_counts(promoters=18, passives=11, detractors=2)
        >>> placed = rm.benchmarks.get("nps.agency").classify(score)
        >>> placed.band, placed.bands
        ('unicorn', ('good', 'unicorn'))
        """
        given = value if isinstance(value, Result) else None
        self._require_same_metric(given, definition)
        period_note = self._require_same_period(given, period)
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
            notes=(*_placement_notes(given, touched, self.notes), *period_note, *self._age(today)),
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
        require_entries(entries, cls, table=table, entry="")
        edges = entries["edges"]
        if not isinstance(edges, (list, tuple)):
            raise InputError(f"{table}: edges is a list of edges; got {edges!r}.", argument="edges")
        for place, edge in enumerate(edges):
            require_entries(edge, Edge, table=table, entry=f"edges[{place}].")
        require_entries(entries["source"], Source, table=table, entry="source.")
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

    def _require_same_metric(self, given: Result | None, stated: str | None) -> None:
        known = (self.definition, *self.also)
        found = [] if given is None else [given.definition or given.kind]
        for definition in (*found, *(() if stated is None else (stated,))):
            if not {definition, definition.split("/")[0]} & set(known):
                raise InputError(f"{self.name} rates {' or '.join(known)}; got {definition}.", argument="value")
        # A curve's mean is in months, a rate's lifetime in units of one month.
        if given is not None and given.unit.removesuffix("s") != self.unit.removesuffix("s"):
            raise InputError(
                f"{self.name} is in the unit {self.unit!r}; got a result in {given.unit!r}.", argument="value"
            )

    def _require_same_period(self, given: Result | None, stated: str | None) -> tuple[str, ...]:
        """Refuse a value per another period; a note where nothing says which it is."""
        own = None if given is None else _period_of(given)
        for period in (own, stated):
            if period is not None and period != self.period:
                bands = f"bands per {self.period}" if self.period else "bands without a period"
                raise InputError(
                    f"{self.name} has {bands}; got a value per {period}.",
                    argument="period",
                    fix="Convert it first, for instance with churn.convert." if self.period else None,
                )
        if self.period is None or own is not None or stated is not None:
            return ()
        return (f"The value was taken to be per {self.period}.",)

    def _age(self, today: dt.date | None) -> tuple[str, ...]:
        if today is not None and not isinstance(today, dt.date):
            raise InputError(f"today is a date; got {today!r}.", argument="today")
        years = (today or dt.datetime.now(tz=dt.UTC).date()).year - self.source.year
        return (f"The source is of {self.source.year}, {years} years old.",) if years > _FRESH_YEARS else ()

    @classmethod
    def from_percentiles(
        cls,
        values: ArrayLike,
        *,
        name: str,
        metric: str,
        definition: str,
        unit: str,
        population: str,
        year: int,
        percentiles: Sequence[float] = (25.0, 50.0, 75.0),
        bands: Sequence[str] | None = None,
        period: str | None = None,
        low: float = -math.inf,
        high: float = math.inf,
        higher_is_better: bool = True,
    ) -> Self:
        """Bands at the percentiles of data of one's own, such as one's branches.

        Parameters
        ----------
        values : array_like of float, shape (n,)
            One value per company, branch or rep, in the unit of the table.
        name, metric, definition, unit : str
            As in the table.
        population : str
            Whose values these are.
        year : int
            The year to which they belong.
        percentiles : sequence of float, default (25, 50, 75)
            Where the bands meet, rising, above 0 and below 100. A value at an edge belongs to the band above.
        bands : sequence of str, optional
            Names of the bands, lowest first, one more than percentiles; by default those of quarters, or of the
            percentiles.
        period : str, optional
            Period of a rate, such as ``"month"``.
        low, high : float
            Ends of the metric's range.
        higher_is_better : bool, default True
            Whether later bands are better.

        Returns
        -------
        BandTable
            With the tier ``"own"`` and a note with the number of values.

        Raises
        ------
        InputError
            If values are missing or too alike for bands, or percentiles do not rise.

        Notes
        -----
        Percentiles are those of Hyndman and Fan's definition 7 [1]_.

        References
        ----------
        .. [1] Hyndman, R. J. and Fan, Y. (1996). Sample quantiles in statistical packages. *The American Statistician*
           50, 361-365.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> ours = rm.benchmarks.BandTable.from_percentiles(
        ...     [12.0, 18.0, 25.0, 31.0, 40.0], name="nps.branches", metric="nps", definition="nps.score",
        ...     unit="points", population="Our five branches", year=2024, low=-100, high=100,
        ... )
        >>> [edge.value for edge in ours.edges], ours.classify(28).band
        ([18.0, 25.0, 31.0], 'third_quarter')
        """
        known = _checks.floats(_checks.one_dimensional(values, name="values"), name="values", low=low, high=high)
        shares = [
            _checks.number(share, name="percentiles", low=0.0, high=100.0, open_low=True, open_high=True)
            for share in percentiles
        ]
        if known.size < len(shares) + 1:
            raise InputError(
                f"values are at least as many as bands, {len(shares) + 1}; got {known.size}.", argument="values"
            )
        names = tuple(bands) if bands is not None else _percentile_bands(shares)
        if len(names) != len(shares) + 1:
            raise InputError(
                f"bands are one more than percentiles, {len(shares) + 1}; got {len(names)}.", argument="bands"
            )
        edges = _percentile_edges(known, shares)
        return cls(
            name=name,
            metric=metric,
            definition=definition,
            unit=unit,
            bands=names,
            edges=tuple(Edge(value=edge, owner=above) for edge, above in zip(edges, names[1:], strict=True)),
            source=Source(publisher="own data", title=name, url="", year=year, population=population, tier="own"),
            period=period,
            low=float(low),
            high=float(high),
            statistic="percentile",
            higher_is_better=higher_is_better,
            notes=(f"Percentiles of {known.size} values of one's own.",),
        )


def _percentile_edges(values: NDArray[np.float64], shares: Sequence[float]) -> list[float]:
    for low, high in itertools.pairwise(shares):
        if low >= high:
            raise InputError(f"percentiles rise; got {low:g} before {high:g}.", argument="percentiles")
    edges: list[float] = np.percentile(values, shares).tolist()
    for (low, high), (first, second) in zip(itertools.pairwise(shares), itertools.pairwise(edges), strict=True):
        if first == second:
            raise InputError(
                f"values differ from one percentile to the next; {low:g} and {high:g} are both {first:g}.",
                argument="values",
                fix="Give fewer percentiles=.",
            )
    return edges


def _percentile_bands(shares: Sequence[float]) -> tuple[str, ...]:
    if list(shares) == [25.0, 50.0, 75.0]:
        return QUARTERS
    between = [f"p{low:g}_to_p{high:g}" for low, high in itertools.pairwise(shares)]
    return (f"below_p{shares[0]:g}", *between, f"p{shares[-1]:g}_and_above") if shares else ()


def _period_of(given: Result) -> str | None:
    """The period of a rate, where its result knows it."""
    if given.definition == "churn.rate/from-lifetime":
        return "month"
    for field_name in ("to", "period"):
        found = getattr(given, field_name, None)
        if isinstance(found, str):
            return found
    first, last = getattr(given, "window_start", None), getattr(given, "window_end", None)
    return _named_length((last - first).days) if first is not None and last is not None else None


def _named_length(days: int) -> str:
    """The period that a window of some days is, whatever calendar month or year it begins in."""
    whole = (name for name, (low, high) in _LENGTHS.items() if low <= days <= high)
    return next(whole, f"{days} days")


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


def _placement_notes(given: Result | None, touched: tuple[str, ...], own: tuple[str, ...]) -> tuple[str, ...]:
    spread = f"The interval touches {len(touched)} bands: {', '.join(touched)}." if len(touched) > 1 else None
    horizon = getattr(given, "horizon", None)
    cut = None if horizon is None else f"The mean counts the first {horizon:g} months alone: customers stay longer."
    before = () if given is None else given.notes
    return (*before, *(note for note in (cut, spread) if note), *own)
