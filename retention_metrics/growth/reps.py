"""Reps ranked by how long their clients stay, and by what those are worth, not by deals."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._engine import reps as engine
from retention_metrics._engine.adopt import NativeFrame
from retention_metrics._stats import gamma_poisson
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, TableResult, result
from retention_metrics.survival import SurvivalCurve, kaplan_meier

__all__ = ["RepRanking", "reps"]

Floats = NDArray[np.float64]

_LEAST = 1e-300
# Where nothing is shared: the prior of one rate.
_JEFFREYS = gamma_poisson.Possible(np.array([0.5]), np.zeros(1), np.ones(1))


@result
class RepRanking(TableResult):
    """How long the clients of each rep stay and what they are worth, in order.

    The columns, longest lifetime first: ``rep``; ``clients`` signed; ``churned`` of them; ``months_of_service``;
    ``lifetime_months`` with ``low`` and ``high``, shrunk towards what the reps have in common; ``observed_lifetime``,
    months of service over clients lost, null where none was; ``probability_longest``; ``monthly_fee``, the mean;
    ``value_per_client``, net of acquisition and service cost over the lifetime, with ``value_low`` and ``value_high``;
    ``probability_most_valuable`` per client; ``total_value`` of all clients signed; ``net_to_date``, what they have
    paid less what they have cost.

    Attributes
    ----------
    prior_shape, prior_rate : float or None
        The gamma distribution of the reps' monthly churn; None where the data identify none, and nothing is shrunk.
    acquisition_cost, monthly_service_cost : float
        As given.
    level : float or None
        Probability content of the intervals.
    curve : SurvivalCurve
        Retention curve of each rep's clients, without any model.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import growth
    >>> clients = pd.DataFrame(
    ...     {"rep": ["fast"] * 40 + ["calm"] * 10, "months": [5] * 40 + [30] * 10, "left": [1] * 40 + [1] * 5 + [0] * 5}
    ... )
    >>> table = growth.reps(clients, rep="rep", duration="months", churned="left", monthly_fee=1_000)
    >>> [(row["rep"], row["clients"], round(row["observed_lifetime"])) for row in table.rows()]
    [('calm', 10, 60), ('fast', 40, 5)]
    """

    kind: ClassVar[str] = "growth.reps"

    prior_shape: float | None
    prior_rate: float | None
    acquisition_cost: float
    monthly_service_cost: float
    level: float | None
    curve: SurvivalCurve

    def explain(self) -> Explanation:
        """The lifetime of the first rep.

        Returns
        -------
        Explanation
            The last step gives it.
        """
        first = self.rows()[0]
        return Explanation(
            formula="lifetime = (prior rate + months of service) / (prior shape + clients lost)",
            values={
                "months_of_service": float(str(first["months_of_service"])),
                "churned": int(str(first["churned"])),
                "prior_shape": self.prior_shape or 0.0,
                "prior_rate": self.prior_rate or 0.0,
            },
            steps=(Step(name="lifetime", expression="(prior_rate + months_of_service) / (prior_shape + churned)"),)
            if first["lifetime_months"] is not None
            else (),
            source="Robbins, H. (1956), Proceedings of the Third Berkeley Symposium 1, 157-163; Gelman, A. et al. "
            "(2013), Bayesian Data Analysis, section 2.6.",
        )


def reps(
    clients: NativeFrame,
    *,
    rep: str,
    duration: str | None = None,
    churned: str | None = None,
    signed: str | None = None,
    left: str | None = None,
    as_of: object = None,
    selling_months: float | None = None,
    monthly_fee: str | float,
    acquisition_cost: float = 0.0,
    monthly_service_cost: float = 0.0,
    level: float | None = 0.95,
) -> RepRanking:
    """How long the clients of each rep stay and what they are worth.

    Parameters
    ----------
    clients : dataframe
        One row per client: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
    rep : str
        Column of the rep who signed the client.
    duration, churned : str, optional
        Columns of the months of service, at least 0, and of whether the client left then. Either these two or
        ``signed`` and ``left`` are given.
    signed, left : str, optional
        Columns of the day on which the client signed, and left; a missing ``left`` is a client who is still there.
    as_of : date or str, optional
        End of observation beside ``signed`` and ``left``; by default the last day in them.
    selling_months : float, optional
        Months in which the clients were signed, above 0, for the deals of a month; by dates those from a rep's first
        signing to the end of observation, and at least one.
    monthly_fee : str or float
        Column of what the client pays a month, or what every client pays.
    acquisition_cost : float, default 0
        What winning a client costs, at least 0.
    monthly_service_cost : float, default 0
        What serving a client costs a month, at least 0.
    level : float or None, default 0.95
        Probability content of the intervals, in (0, 1); None computes no interval.

    Returns
    -------
    RepRanking
        A row per rep, longest lifetime first. Rows with a missing value are counted in ``excluded``.

    Raises
    ------
    InputError
        If no client is left, a number cannot be right, or not exactly one pair of columns is given.
    ColumnError
        If a column is missing or holds the wrong kind of values.

    Notes
    -----
    Who is still there counts with the months so far. A rep's clients leave at a constant monthly churn, and the churns
    of the reps come from one gamma distribution with shape a and rate b, fitted by maximum likelihood to the d clients
    lost in t months of service of each; a rep's churn given its data is Gamma(a + d, b + t) [1]_ [2]_. The lifetime is
    (b + t) / (a + d). Its interval, one over that of the churn, and the probability of being the best are over all a
    and b that the data leave possible: uniform beforehand are the coefficient of variation of the churns, from 0 to
    sqrt(2), and the logarithm of their mean [3]_. Where nothing is identified (one rep, or no client lost), nothing is
    shrunk, and the interval is that of Gamma(d + 1/2, t). The value of a client is (mean fee - service cost) x
    lifetime - acquisition cost.

    References
    ----------
    .. [1] Robbins, H. (1956). An empirical Bayes approach to statistics. *Proceedings of the Third Berkeley Symposium*
       1, 157-163.
    .. [2] Gelman, A. et al. (2013). *Bayesian Data Analysis*, 3rd edition, section 2.6.
    .. [3] Gelman, A. (2006). Prior distributions for variance parameters in hierarchical models. *Bayesian Analysis*
       1(3), 515-533.

    Examples
    --------
    Of 200 clients who left within half a year and 20 who stay for years, the 20 are worth more once winning one costs
    something:

    >>> import pandas as pd
    >>> from retention_metrics import growth
    >>> clients = pd.DataFrame(
    ...     {
    ...         "rep": ["fast"] * 200 + ["calm"] * 20,
    ...         "months": [4, 5, 6, 5] * 50 + [40] * 20,
    ...         "left": [True] * 200 + [True] * 10 + [False] * 10,
    ...     }
    ... )
    >>> table = growth.reps(
    ...     clients, rep="rep", duration="months", churned="left", monthly_fee=1_000, acquisition_cost=7_000
    ... )
    >>> [(row["rep"], round(row["value_per_client"], -3)) for row in table.rows()]
    [('calm', 68000.0), ('fast', -2000.0)]
    """
    roles = _roles(rep=rep, duration=duration, churned=churned, signed=signed, left=left, as_of=as_of)
    given = monthly_fee if isinstance(monthly_fee, str) else None
    selling = None if selling_months is None else _checks.positive(selling_months, name="selling_months")
    fee = 0.0 if given is not None else _checks.non_negative(monthly_fee, name="monthly_fee")
    acquisition = _checks.non_negative(acquisition_cost, name="acquisition_cost")
    service = _checks.non_negative(monthly_service_cost, name="monthly_service_cost")
    level = _checks.level(level)

    found = engine.read(clients, {**roles, "monthly_fee": given}, monthly_fee=fee, as_of=as_of)
    names = list(dict.fromkeys(found.rep))
    code = np.array([names.index(name) for name in found.rep])
    table, prior = _table(found, code, len(names), acquisition, service, level)
    deals = _deals_per_month(found, code, len(names), selling)
    table = {"clients": table.pop("clients"), "deals_per_month": deals, **table}
    order = sorted(range(len(names)), key=lambda row: (-_longest(table, row), str(names[row])))
    curve = kaplan_meier(
        found.duration, found.churned, by=np.array(names, dtype=object)[code], counts=found.clients, level=level
    )

    return RepRanking(
        unit="months",
        definition="growth.reps/gamma-poisson",
        excluded=found.excluded,
        notes=_notes(prior, len(names), acquisition, service),
        backend=found.backend,
        columns=Columns(
            {"rep": [names[row] for row in order]}
            | {name: [cells[row] for row in order] for name, cells in table.items()},
            {name: "number" for name in table if name not in ("clients", "churned")},
        ),
        prior_shape=None if prior is None else prior[0],
        prior_rate=None if prior is None else prior[1],
        acquisition_cost=acquisition,
        monthly_service_cost=service,
        level=level,
        curve=curve,
    )


def _roles(**given: object) -> dict[str, str | None]:
    _checks.one_pair(given, ("duration", "churned"), ("signed", "left"), caller="reps")
    return {name: None if value is None else str(value) for name, value in given.items() if name != "as_of"}


def _table(
    found: engine.RepRows, code: NDArray[np.int64], size: int, acquisition: float, service: float, level: float | None
) -> tuple[dict[str, list[Cell]], tuple[float, float] | None]:
    clients, lost, months, fees, paid = (
        np.bincount(code, weights=weights, minlength=size).astype(np.float64)
        for weights in (
            found.clients,
            found.clients * found.churned,
            found.clients * found.duration,
            found.fees,
            found.fees * found.duration,
        )
    )
    prior = gamma_poisson.fit(lost, months)
    a, b = prior or (0.0, 0.0)
    served = np.maximum(months, _LEAST)
    known = gamma_poisson.possible(lost, months) if prior else _JEFFREYS
    lifetime = np.divide(b + months, a + lost, out=np.full(size, np.nan), where=a + lost > 0)
    mean_fee = fees / clients
    margin = mean_fee - service
    value = margin * lifetime - acquisition
    low, high = _ends(known, lost, served, lifetime, level)
    ends = np.stack([margin * low, margin * high]) - acquisition
    numbers: dict[str, Floats] = {
        "months_of_service": months,
        "lifetime_months": lifetime,
        "low": low,
        "high": high,
        "observed_lifetime": np.divide(months, lost, out=np.full(size, np.nan), where=lost > 0),
        "probability_longest": gamma_poisson.probability_lowest_of(known, lost, served, np.ones(size)),
        "monthly_fee": mean_fee,
        "value_per_client": value,
        "value_low": ends.min(axis=0),
        "value_high": ends.max(axis=0),
        "probability_most_valuable": gamma_poisson.probability_lowest_of(known, lost, served, margin),
        "total_value": clients * value,
        "net_to_date": paid - service * months - acquisition * clients,
    }
    whole: dict[str, list[Cell]] = {"clients": clients.astype(int).tolist(), "churned": lost.astype(int).tolist()}
    return whole | {name: column.tolist() for name, column in numbers.items()}, prior


def _deals_per_month(found: engine.RepRows, code: NDArray[np.int64], size: int, selling: float | None) -> list[Cell]:
    clients = np.bincount(code, weights=found.clients, minlength=size)
    if selling is not None:
        return list((clients / selling).tolist())
    if found.selling is None:
        return [None] * size
    months = np.ones(size)
    np.maximum.at(months, code, found.selling)
    return list((clients / months).tolist())


def _ends(
    known: gamma_poisson.Possible, lost: Floats, months: Floats, lifetime: Floats, level: float | None
) -> tuple[Floats, Floats]:
    """Ends of the lifetimes' central intervals, which hold the lifetime; NaN without a level."""
    if level is None:
        return np.full(lost.size, np.nan), np.full(lost.size, np.nan)
    fast, slow = (gamma_poisson.quantiles(known, lost, months, tail) for tail in ((1 + level) / 2, (1 - level) / 2))
    return np.fmin(1 / fast, lifetime), np.fmax(1 / slow, lifetime)


def _longest(table: dict[str, list[Cell]], row: int) -> float:
    lifetime = table["lifetime_months"][row]
    found = float(str(lifetime))
    # Nobody lost and nothing shared: no finite lifetime is known.
    return math.inf if math.isnan(found) else found


def _notes(prior: tuple[float, float] | None, size: int, acquisition: float, service: float) -> tuple[str, ...]:
    notes = []
    if prior is None:
        why = "that takes two of them with months of service, and a client lost" if size > 1 else "there is one rep"
        notes.append(f"Nothing is shrunk towards other reps: {why}.")
    elif size < 4:
        notes.append(f"What {size} reps have in common is known only roughly, and so is how far each is shrunk.")
    if acquisition == 0 and service == 0:
        notes.append(
            "Without acquisition and service cost the total value is of gross fees, by which the rep with the most "
            "deals can win."
        )
    return tuple(notes)
