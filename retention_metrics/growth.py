"""Growth under churn: where revenue levels off, and when."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, Result, TableResult, result
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

__all__ = ["RevenuePlateau", "plateau"]

Arrivals = Literal["spread", "whole"]
ARRIVALS: tuple[Arrivals, ...] = ("spread", "whole")
Floats = NDArray[np.float64]

_FEWEST_ROWS = 24
_SHARE_SHOWN = 0.99


@result
class RevenuePlateau(TableResult):
    """Monthly revenue where clients lost equal clients won, and the path to it.

    The rows: ``month`` 1, 2, ...; ``clients`` and ``revenue`` at the month's end, losses first, then arrivals;
    ``share`` of the plateau reached.

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
    churn : ConstantChurn or SurvivalTable
        The churn assumption used.
    arrivals : str
        ``"spread"`` or ``"whole"``.

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
    churn: ConstantChurn | SurvivalTable
    arrivals: str

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
        hazard = self.churn.monthly_churn if isinstance(self.churn, ConstantChurn) else self.churn.tail_hazard
        if wanted == 1 and self.arrivals == "spread" and hazard != 1:
            return None
        months = self.columns.height
        while True:
            months = min(2 * months, MOST_STEPS)
            month = _first_month(
                _clients(self.churn, self.new_clients_per_month, self.arrivals, months), wanted * self.clients
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
    survival: Assumption | ArrayLike | None = None,
    tail: Tail | None = None,
    arrivals: Arrivals = "spread",
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
    survival : Assumption or array_like of float, optional
        Share of the clients still there after 0, 1, 2, ... months, beginning with 1 and, without a ``tail``,
        ending with 0; or an object with ``survival(k)`` whose step is the month.
    tail : {"constant_hazard"}, optional
        Past the last observed month of ``survival`` every further month loses the share that the last one lost.
    arrivals : {"spread", "whole"}, default "spread"
        ``"spread"``: the same number, possibly a fraction, at the end of each month, the first in month 1.
        ``"whole"``: whole clients only, the first at month 0, each as soon as it is due; at one every six
        months they arrive in months 0, 6, 12, ...

    Returns
    -------
    RevenuePlateau
        ``estimate`` is the monthly revenue at the plateau; at least 24 rows, and on until 99 % of it.

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
    swing about the same plateau.

    The calculation is deterministic, so it carries no interval.

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
    churn = _churn(lifetime_months, monthly_churn, survival, tail)

    lifetime = _mean_lifetime(churn)
    path = _path(churn, new, flow, new * lifetime)
    notes = list(churn.notes) if isinstance(churn, SurvivalTable) else []
    if path[-1] < _SHARE_SHOWN * new * lifetime and path.size >= MOST_STEPS:
        notes.append(f"The path stops at month {path.size}, before 99 % of the plateau.")

    months = range(1, path.size + 1)
    return RevenuePlateau(
        estimate=new * lifetime * fee,
        unit="currency per month",
        definition="growth.plateau/losses-then-arrivals",
        notes=tuple(notes),
        columns=Columns(
            {
                "month": months,
                "clients": path.tolist(),
                "revenue": (path * fee).tolist(),
                "share": (path / (new * lifetime)).tolist(),
            },
            types={"month": "integer", "clients": "number", "revenue": "number", "share": "number"},
        ),
        clients=new * lifetime,
        monthly_churn=1 / lifetime,
        lifetime_months=lifetime,
        new_clients_per_month=new,
        monthly_fee=fee,
        churn=churn,
        arrivals=flow,
    )


def _churn(
    lifetime_months: float | Result | None,
    monthly_churn: float | Result | None,
    survival: Assumption | ArrayLike | None,
    tail: Tail | None,
) -> ConstantChurn | SurvivalTable:
    """The one churn assumption given, as a rate or as a table that comes to its end."""
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
        return _constant(lifetime_months, monthly_churn)
    adopted = assumption(survival, tail=tail)
    if adopted.step != "month":
        raise InputError(
            f"survival goes by month here; that of {type(adopted).__name__} goes by term.",
            argument="survival",
            fix="Give the shares still there after 0, 1, 2, ... months as an array.",
        )
    if isinstance(adopted, ConstantChurn):
        return _constant(None, adopted.monthly_churn)
    table = tabulate(adopted, steps=None, tail=tail)
    if not table.tail_hazard:
        raise InputError(
            f"survival ends at month {table.last} with {table.values[-1]:.6g} still there"
            f"{'' if table.tail_hazard is None else ', and nobody left in the last month'}: "
            "how long they stay is not known, nor where revenue levels off.",
            argument="survival",
            fix="Go on to the month when nobody is left"
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


def _mean_lifetime(churn: ConstantChurn | SurvivalTable) -> float:
    """The sum of all survival shares, from month 0 on."""
    if isinstance(churn, ConstantChurn):
        return 1 / churn.monthly_churn
    hazard = churn.tail_hazard
    assert hazard is not None
    return math.fsum(churn.values) + churn.values[-1] * (1 - hazard) / hazard


def _path(churn: ConstantChurn | SurvivalTable, new: float, arrivals: str, level: float) -> Floats:
    """Clients at the end of month 1, 2, ..., at least 24 of them and on until 99 % of the plateau."""
    months = _FEWEST_ROWS
    while True:
        path = _clients(churn, new, arrivals, months)
        month = _first_month(path, _SHARE_SHOWN * level)
        if month is not None:
            return path[: max(month, _FEWEST_ROWS)]
        if months == MOST_STEPS:
            return path
        months = min(4 * months, MOST_STEPS)


def _clients(churn: ConstantChurn | SurvivalTable, new: float, arrivals: str, months: int) -> Floats:
    if arrivals == "spread":
        survivors = np.asarray(churn.survival(np.arange(months)), dtype=np.float64)
        return np.asarray(new * np.cumsum(survivors), dtype=np.float64)
    survivors = np.asarray(churn.survival(np.arange(months + 1)), dtype=np.float64)
    # Due by the start of month m + 1, a client arrives in month m; the guard keeps 6 x (1/6) at one.
    due = np.ceil(new * np.arange(months + 2) - 1e-9)
    return np.asarray(np.convolve(np.diff(due), survivors)[1 : months + 1], dtype=np.float64)


def _first_month(path: Floats, clients: float) -> int | None:
    reached = np.flatnonzero(path >= clients * (1 - 1e-12))
    return int(reached[0]) + 1 if reached.size else None
