"""Where revenue levels off under churn, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks, churn
from retention_metrics.contracts.clients import carried, client, present_months, step_notes, step_of
from retention_metrics.contracts.fitted import RenewalModel, of_one_client, terms_to_come
from retention_metrics.contracts.terms import Term
from retention_metrics.contracts.uncertainty import draws_asked
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, Interval, Result, TableResult, result
from retention_metrics.survival import (
    MOST_STEPS,
    Assumption,
    ConstantChurn,
    SurvivalTable,
    Tail,
    assumption,
    plain,
    tabulate,
)

__all__ = ["LeverTable", "RevenuePlateau", "plateau"]

Arrivals = Literal["spread", "whole"]
ARRIVALS: tuple[Arrivals, ...] = ("spread", "whole")
Floats = NDArray[np.float64]
Churn = ConstantChurn | SurvivalTable | RenewalModel
Swing = tuple[float, tuple[float, ...]]  # clients at the start, and the factors of the seasons

_FEWEST_ROWS = 24
_SHARE_SHOWN = 0.99


@result
class LeverTable(TableResult):
    """What each lever alone does to the plateau, and to the months that it takes.

    The columns: ``lever``, ``now``, ``moved``, the ``plateau`` then and its ``change`` in all, and the months to half
    of it and to 90 %: ``months_to_half, months_to_90_percent``, null for a longer lifetime under a curve, of which only
    the mean is moved.

    Attributes
    ----------
    by : float
        How far each lever is moved, as a share of where it is.
    plateau : float
        The plateau as it stands.

    Examples
    --------
    >>> from retention_metrics import growth
    >>> level = growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12)
    >>> for row in level.levers(by=0.5).rows():
    ...     print(row["lever"], round(row["plateau"]), row["months_to_90_percent"])
    new_clients_per_month 30000 27
    monthly_fee 30000 27
    lifetime_months 30000 41
    """

    kind: ClassVar[str] = "growth.levers"

    by: float
    plateau: float

    def explain(self) -> Explanation:
        """The first lever moved.

        Returns
        -------
        Explanation
            The last step gives the plateau then.
        """
        return Explanation(
            formula="plateau = new clients per month × lifetime × monthly fee, so that each lever moves it alike",
            values={"plateau": self.plateau, "by": self.by},
            steps=(Step(name="moved", expression="plateau * (1 + by)"),),
            source="Little (1961), Operations Research 9(3), 383-387: L = λW.",
        )


@result
class RevenuePlateau(TableResult):
    """Monthly revenue where clients lost equal clients won, and the path to it.

    The rows: ``month`` 1, 2, ...; ``clients`` and ``revenue`` at the month's end, losses first, then arrivals;
    ``share`` of the plateau reached; where the churn is uncertain also ``revenue_low`` and ``revenue_high``, by a churn
    rate's interval.

    Attributes
    ----------
    estimate : float
        Monthly revenue at the plateau.
    clients : float
        Clients at the plateau.
    monthly_churn : float
        Share of the clients at the plateau that leaves in a month: one over the mean lifetime.
    lifetime_months : float
        Mean lifetime of a client.
    new_clients_per_month, monthly_fee : float
        As given.
    churn : ConstantChurn, SurvivalTable or model of renewals
        The churn assumption used.
    term_months : int
        Months of one step of it: 1, or the length of the term that binds the clients.
    arrivals : str
        ``"spread"`` or ``"whole"``.
    start_clients : float
        Clients at month 0.
    seasonality : tuple of float
        Factors of twelve months, of mean 1, by which the new clients swing; none where they are steady.

    Examples
    --------
    >>> from retention_metrics import growth
    >>> level = growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12)
    >>> round(level.estimate), round(level.monthly_churn, 4), level.months_to(0.5), level.months_to(0.9)
    (20000, 0.0833, 8, 27)
    """

    kind: ClassVar[str] = "growth.plateau"

    clients: float
    monthly_churn: float
    lifetime_months: float
    new_clients_per_month: float
    monthly_fee: float
    churn: Churn
    term_months: int
    arrivals: str
    start_clients: float
    seasonality: tuple[float, ...]

    def months_to(self, share: float) -> int | None:
        """The first month at whose end revenue is at least a share of the plateau.

        Parameters
        ----------
        share : float
            Of the plateau, in (0, 1].

        Returns
        -------
        int or None
            None where the share is never reached: the plateau itself is approached and not met while some clients
            may stay for any length of time, and no share is waited for longer than a thousand years.

        Raises
        ------
        InputError
            If the share is not in (0, 1].

        Examples
        --------
        >>> from retention_metrics import growth
        >>> growth.plateau(new_clients_per_month=2, monthly_fee=500, monthly_churn=0.05).months_to(0.5)
        14
        """
        wanted = _checks.number(share, name="share", low=0.0, high=1.0, open_low=True)
        hazard = _last_hazard(self.churn)
        steady = self.arrivals == "spread" and not self.seasonality and self.start_clients < self.clients * (1 - 1e-12)
        if wanted == 1 and steady and hazard != 1:
            return None
        return self._months(self.churn, self.new_clients_per_month, wanted * self.clients)

    @property
    def _swing(self) -> Swing:
        return self.start_clients, self.seasonality

    def levers(self, *, by: float = 0.10) -> LeverTable:
        """What each lever alone does to the plateau, and to the months that it takes.

        Parameters
        ----------
        by : float, default 0.1
            How far each lever is moved, as a share of where it is, above -1.

        Returns
        -------
        LeverTable
            A row for more new clients, a higher fee and a longer lifetime.

        Raises
        ------
        InputError
            If ``by`` is -1 or less, or the lifetime would be below a month.

        Notes
        -----
        All three move the level alike; new clients and the fee leave churn and the months to a share as they are, and a
        longer lifetime makes them more.

        Examples
        --------
        >>> from retention_metrics import growth
        >>> level = growth.plateau(new_clients_per_month=2, monthly_fee=500, monthly_churn=0.05)
        >>> [round(row["change"]) for row in level.levers(by=0.1).rows()]
        [2000, 2000, 2000]
        """
        share = _checks.number(by, name="by", low=-1.0, open_low=True)
        now = {name: getattr(self, name) for name in ("new_clients_per_month", "monthly_fee", "lifetime_months")}
        cells: list[dict[str, Cell]] = []
        for lever, value in now.items():
            moved: dict[str, float] = {**now, lever: value * (1 + share)}
            churn_then = _lived(self.churn, moved["lifetime_months"]) if lever == "lifetime_months" else self.churn
            level = moved["new_clients_per_month"] * moved["lifetime_months"]
            months = [
                None if churn_then is None else self._months(churn_then, moved["new_clients_per_month"], part * level)
                for part in (0.5, 0.9)
            ]
            cells.append(
                {
                    "lever": lever,
                    "now": value,
                    "moved": moved[lever],
                    "plateau": level * moved["monthly_fee"],
                    "change": level * moved["monthly_fee"] - float(self),
                    "months_to_half": months[0],
                    "months_to_90_percent": months[1],
                }
            )
        return LeverTable(
            unit="currency per month",
            definition="growth.levers/one-at-a-time",
            columns=Columns(
                {name: [row[name] for row in cells] for name in cells[0]},
                {"months_to_half": "integer", "months_to_90_percent": "integer"},
            ),
            by=share,
            plateau=float(self),
        )

    def _months(self, churn_then: Churn, new: float, clients: float) -> int | None:
        months = self.columns.height
        while True:
            months = min(2 * months, MOST_STEPS)
            month = _first_month(
                _clients(churn_then, self.term_months, new, self.arrivals, months, self._swing), clients
            )
            if month is not None or months == MOST_STEPS:
                return month

    def explain(self) -> Explanation:
        """The plateau as clients won times how long they stay times what they pay.

        Returns
        -------
        Explanation
            The last step gives the plateau.
        """
        return Explanation(
            formula="plateau = new clients per month × mean lifetime in months × monthly fee; there, clients lost "
            "(clients × churn) equal clients won",
            values={
                "new_clients_per_month": self.new_clients_per_month,
                "lifetime_months": self.lifetime_months,
                "monthly_fee": self.monthly_fee,
            },
            steps=(
                Step(name="monthly_churn", expression="1 / lifetime_months"),
                Step(name="clients", expression="new_clients_per_month / monthly_churn"),
                Step(name="revenue", expression="clients * monthly_fee"),
            ),
            source="Little (1961), Operations Research 9(3), 383-387: L = λW.",
        )


def plateau(
    *,
    new_clients_per_month: float,
    monthly_fee: float,
    lifetime_months: float | Result | None = None,
    monthly_churn: float | Result | None = None,
    survival: Assumption | Result | ArrayLike | None = None,
    tail: Tail | None = None,
    term_months: int | None = None,
    arrivals: Arrivals = "spread",
    start_clients: float = 0.0,
    seasonality: Sequence[float] | None = None,
    level: float | None = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | int | None = None,
) -> RevenuePlateau:
    """The revenue that steady sales level off at, and the path to it.

    Parameters
    ----------
    new_clients_per_month : float
        Clients won in a month, above 0; 1/6 for one every six months.
    monthly_fee : float
        What a client pays in a month, above 0, in any currency.
    lifetime_months : float or Result, optional
        Mean lifetime of a client in months, at least 1; the churn is then one over it, the same in every month.
        Exactly one of ``lifetime_months``, ``monthly_churn`` and ``survival`` is given.
    monthly_churn : float or Result, optional
        Share of the clients that leaves in a month, above 0 and at most 1.
    survival : Assumption, Fit or array_like of float, optional
        Share of the clients still there after 0, 1, 2, ... months, beginning with 1 and, without a ``tail``,
        ending with 0; or an `Assumption`, or its ``Fit``. A model of renewals, which has no end, has a plateau where
        its mean lifetime is finite.
    tail : {"constant_hazard"}, optional
        Past the last observed step of ``survival`` every further one loses the share that the last one lost.
    term_months : int, optional
        Months of one step of a ``survival`` by the term, such as a contractual model: the client is then bound to each
        term's end. By default one month, which a note says.
    arrivals : {"spread", "whole"}, default "spread"
        ``"spread"``: the same number, possibly a fraction, at the end of each month, the first in month 1.
        ``"whole"``: whole clients only, the first at month 0, each as soon as it is due; at one every six
        months they arrive in months 0, 6, 12, ...
    start_clients : float, default 0
        Clients at month 0, at least 0; under a curve they are taken to have just arrived.
    seasonality : sequence of float, shape (12,), optional
        How the new clients of month 1, 2, ..., 12 compare with one another, again in every year; factors of at least 0,
        taken to a mean of 1. Needs ``arrivals="spread"``.
    level : float or None, default 0.95
        Probability content of the interval where the churn is a curve; a churn or a lifetime hands on its own. None
        computes no interval.
    draws : int, default 10000
        Draws of an uncertain curve.
    rng : numpy.random.Generator or int, optional
        Source of the draws.

    Returns
    -------
    RevenuePlateau
        ``estimate`` is the monthly revenue at the plateau, the mean of the year where there are seasons; at least 24
        rows, and on until 99 % of it.

    Raises
    ------
    InputError
        If none or several of the churn arguments are given, a number is out of its range, or clients never leave,
        so that revenue never levels off.

    Notes
    -----
    With n new clients a month and S(k) the share still there k months after arrival, spread arrivals leave
    n (S(0) + ... + S(m - 1)) clients at the end of month m, and n L at the plateau, where the mean lifetime L is
    the sum of all S(k); under a constant churn c that is n (1 - (1 - c)^m) / c, and n / c [1]_. Whole arrivals
    swing about the same plateau, and so do seasons: new clients of month j leave their S(m - j) at the end of month m.
    Clients at the start add their S(m).

    References
    ----------
    .. [1] Little, J. D. C. (1961). A proof for the queuing formula L = lambda W.
       *Operations Research* 9(3), 383-387.

    Examples
    --------
    >>> from retention_metrics import growth
    >>> level = growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12)
    >>> [round(row["revenue"]) for row in level.rows() if row["month"] in (6, 12, 24)]
    [8134, 12960, 17522]

    A lifetime of exactly twelve months, one client every six months, the first at once:

    >>> exact = growth.plateau(
    ...     new_clients_per_month=1 / 6, monthly_fee=10_000, survival=[1] * 12 + [0], arrivals="whole"
    ... )
    >>> exact.months_to(1), round(exact.estimate)
    (6, 20000)
    """
    new = _checks.positive(new_clients_per_month, name="new_clients_per_month")
    fee = _checks.positive(monthly_fee, name="monthly_fee")
    flow = _checks.choice(arrivals, ARRIVALS, name="arrivals")
    swing = _swing(start_clients, seasonality, flow)
    level, count = _checks.level(level), draws_asked(draws)
    assumed = _churn(lifetime_months, monthly_churn, survival, tail, term_months)
    length = step_of(survival, term_months)[1]

    lifetime = length * _mean_steps(assumed)
    path = _path(assumed, length, new, flow, new * lifetime, swing)
    term = uncertain_client(lifetime_months, monthly_churn, survival, tail, term_months)
    interval = _interval(term, new * fee, level=level, draws=count, rng=rng)
    notes = [*step_notes(survival, term_months), *getattr(assumed, "notes", ())]
    if swing[0] and not isinstance(assumed, ConstantChurn):
        notes.append(f"The {swing[0]:g} clients at the start are taken to have just arrived.")
    if path[-1] < _SHARE_SHOWN * new * lifetime and path.size >= MOST_STEPS:
        notes.append(f"The path stops at month {path.size}, before 99 % of the plateau.")

    months = range(1, path.size + 1)
    return RevenuePlateau(
        estimate=new * lifetime * fee,
        interval=interval,
        unit="currency per month",
        definition="growth.plateau/losses-then-arrivals",
        notes=tuple(notes),
        columns=Columns(
            {
                "month": months,
                "clients": path.tolist(),
                "revenue": (path * fee).tolist(),
                "share": (path / (new * lifetime)).tolist(),
                **_band(term, new * fee, fee, flow, path.size, swing, interval),
            },
            types={"month": "integer", "clients": "number", "revenue": "number", "share": "number"},
        ),
        clients=new * lifetime,
        monthly_churn=1 / lifetime,
        lifetime_months=lifetime,
        new_clients_per_month=new,
        monthly_fee=fee,
        churn=assumed,
        term_months=length,
        arrivals=flow,
        start_clients=swing[0],
        seasonality=swing[1],
    )


def _swing(start_clients: float, seasonality: Sequence[float] | None, arrivals: str) -> Swing:
    start = _checks.non_negative(start_clients, name="start_clients")
    if seasonality is None:
        return start, ()
    factors = _checks.one_dimensional(_checks.floats(seasonality, name="seasonality", low=0.0), name="seasonality")
    if factors.size != 12 or factors.sum() == 0:
        raise InputError(
            f"seasonality holds a factor for each of twelve months, one of them above 0; got {factors.size} factors.",
            argument="seasonality",
        )
    if arrivals == "whole":
        raise InputError(
            "seasonality swings arrivals that are spread; whole clients arrive as each is due.",
            argument="seasonality",
            fix="Leave it out, or take arrivals='spread'.",
        )
    return start, tuple((factors / factors.mean()).tolist())


def uncertain_client(
    lifetime_months: float | Result | None,
    monthly_churn: float | Result | None,
    survival: Assumption | Result | ArrayLike | None,
    tail: Tail | None,
    term_months: int | None,
) -> Term | None:
    """The churn assumption with what is known of it; None where it is a plain number or an array."""
    if isinstance(lifetime_months, Result):
        monthly_churn = churn.from_lifetime(lifetime_months)
    elif lifetime_months is not None:
        return None
    if survival is None and not isinstance(monthly_churn, Result):
        return None
    return client(
        monthly_churn=monthly_churn,
        survival=survival,
        tail=tail,
        term_months=term_months,
        horizon=math.inf,
        caller="plateau",
    )


def _interval(
    term: Term | None, money: float, *, level: float | None, draws: int, rng: np.random.Generator | int | None
) -> Interval | None:
    """The interval of money times the mean lifetime."""
    if term is None:
        return None
    return carried(
        term,
        lambda drawn: money * present_months(term, math.inf, 0.0, drawn),
        horizon=math.inf,
        level=level,
        draws=draws,
        rng=rng,
    )


def _band(
    term: Term | None,
    money: float,
    fee: float,
    arrivals: str,
    months: int,
    swing: Swing,
    interval: Interval | None,
) -> dict[str, list[float]]:
    """Revenue at either end of a churn rate's interval, by month."""
    if term is None or interval is None or term.survival is not None:
        return {}
    ends = [min(max(money / end, 0.0), 1.0) if end else 1.0 for end in (interval.low, interval.high)]
    paths = [
        _clients(ConstantChurn(monthly_churn=rate), 1, money / fee, arrivals, months, swing) * fee for rate in ends
    ]
    return {name: path.tolist() for name, path in zip(("revenue_low", "revenue_high"), paths, strict=True)}


def _lived(assumed: Churn, lifetime: float) -> ConstantChurn | None:
    """The churn of a longer lifetime; None for a curve, of which a mean says too little."""
    if not isinstance(assumed, ConstantChurn):
        return None
    return ConstantChurn(monthly_churn=1 / _checks.number(lifetime, name="lifetime_months", low=1.0))


def _churn(
    lifetime_months: float | Result | None,
    monthly_churn: float | Result | None,
    survival: Assumption | Result | ArrayLike | None,
    tail: Tail | None,
    term_months: int | None,
) -> Churn:
    """The one churn assumption given, as a rate, as a table that comes to its end or as a model that needs none."""
    given = {"lifetime_months": lifetime_months, "monthly_churn": monthly_churn, "survival": survival}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise InputError(
            f"plateau takes one of lifetime_months, monthly_churn and survival; got {' and '.join(named) or 'none'}.",
            argument=named[0] if named else "lifetime_months",
            fix="Keep one." if named else "Give for instance lifetime_months=12.",
        )
    if survival is None:
        if tail is not None:
            raise InputError(
                "tail= extends survival; a constant churn has no end to extend.", argument="tail", fix="Leave tail out."
            )
        step_of(None, term_months)
        return _constant(lifetime_months, monthly_churn)
    adopted = of_one_client(assumption(survival, step=step_of(survival, term_months)[0], tail=tail), name="survival")
    if isinstance(adopted, ConstantChurn):
        return _constant(None, adopted.monthly_churn)
    if isinstance(adopted, RenewalModel):
        return adopted
    table = tabulate(adopted, steps=None, tail=tail)
    if not table.tail_hazard:
        raise InputError(
            f"survival ends at {table.step} {table.last} with {table.values[-1]:.6g} still there"
            f"{'' if table.tail_hazard is None else f', and nobody left in the last {table.step}'}: "
            "how long they stay is not known, nor where revenue levels off.",
            argument="survival",
            fix=f"Go on to the {table.step} when nobody is left"
            + (", or assume tail='constant_hazard'." if table.tail_hazard is None else "."),
        )
    return table


def _constant(lifetime_months: object, monthly_churn: object) -> ConstantChurn:
    if lifetime_months is not None:
        return ConstantChurn(
            monthly_churn=1
            / _checks.number(plain(lifetime_months, name="lifetime_months"), name="lifetime_months", low=1.0)
        )
    rate = _checks.number(plain(monthly_churn, name="monthly_churn"), name="monthly_churn", low=0.0, high=1.0)
    if rate == 0:
        raise InputError(
            "monthly_churn is 0: nobody ever leaves, so revenue grows for ever and has no plateau.",
            argument="monthly_churn",
            fix="Give a churn above 0.",
        )
    return ConstantChurn(monthly_churn=rate)


def _last_hazard(churn: Churn) -> float | None:
    """Share lost in every step in the end; None for a model of renewals, under which it is another in each."""
    return churn.monthly_churn if isinstance(churn, ConstantChurn) else getattr(churn, "tail_hazard", None)


def _mean_steps(churn: Churn) -> float:
    """The sum of all survival shares, from step 0 on."""
    if isinstance(churn, ConstantChurn):
        return 1 / churn.monthly_churn
    if isinstance(churn, RenewalModel):
        terms = float(terms_to_come(churn, 0, 0.0))
        if math.isinf(terms):
            raise InputError(
                f"the mean lifetime under this {type(churn).__name__} is infinite, because a few clients stay for ever "
                "longer: revenue never levels off.",
                argument="survival",
                fix="Give survival.by_month(..., horizon_months=...) with tail='constant_hazard', or a churn rate.",
            )
        return terms
    hazard = churn.tail_hazard
    assert hazard is not None
    return math.fsum(churn.values) + churn.values[-1] * (1 - hazard) / hazard


def _path(churn: Churn, length: int, new: float, arrivals: str, level: float, swing: Swing) -> Floats:
    """Clients at the end of month 1, 2, ..., at least 24 of them and on until 99 % of the plateau."""
    months = _FEWEST_ROWS
    while True:
        path = _clients(churn, length, new, arrivals, months, swing)
        month = _first_month(path, _SHARE_SHOWN * level)
        if month is not None:
            return path[: max(month, _FEWEST_ROWS)]
        if months == MOST_STEPS:
            return path
        months = min(4 * months, MOST_STEPS)


def _clients(churn: Churn, length: int, new: float, arrivals: str, months: int, swing: Swing) -> Floats:
    """Clients at the end of month 1, 2, ..., each staying whole steps of ``length`` months."""
    start, factors = swing
    survivors = survivors_by_month(churn, length, months + 1)
    before = start * survivors[1:]
    if arrivals == "whole":
        # Due by the start of month m + 1, a client arrives in month m; the guard keeps 6 x (1/6) at one.
        due = np.ceil(new * np.arange(months + 2) - 1e-9)
        return np.asarray(before + np.convolve(np.diff(due), survivors)[1 : months + 1], dtype=np.float64)
    if factors:
        won = new * np.resize(np.asarray(factors), months)
        return np.asarray(before + np.convolve(won, survivors)[:months], dtype=np.float64)
    return np.asarray(before + new * np.cumsum(survivors[:-1]), dtype=np.float64)


def survivors_by_month(churn: Churn, length: int, months: int) -> Floats:
    """Share still there after 0, 1, ... months, of steps of ``length`` months each."""
    return np.asarray(churn.survival(np.arange(months) // length), dtype=np.float64)


def _first_month(path: Floats, clients: float) -> int | None:
    reached = np.flatnonzero(path >= clients * (1 - 1e-12))
    return int(reached[0]) + 1 if reached.size else None
