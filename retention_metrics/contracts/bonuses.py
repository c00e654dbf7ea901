"""Longevity bonuses: what a schedule costs per client, and what it pays each rep for real clients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retention_metrics import _checks
from retention_metrics._engine import adopt
from retention_metrics._engine.durations import distinct_rows
from retention_metrics.contracts import capped
from retention_metrics.contracts.capped import CappedBonus
from retention_metrics.contracts.clients import carried, client, horizon_of, rate_notes, shares_after, step_notes
from retention_metrics.contracts.fitted import Drawn, FittedDraws, RenewalModel, terms_to_come
from retention_metrics.contracts.service import by_step_drawn, hazard_past
from retention_metrics.contracts.terms import Term
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Cell, Columns, Result, TableResult, result
from retention_metrics.survival import MOST_STEPS, Assumption, SurvivalTable, Tail

__all__ = ["BonusPayouts", "LongevityBonus", "longevity_bonus"]

Floats = NDArray[np.float64]

_FEWEST_ROWS, _MOST_ROWS = 4, 120
_SHARE_SHOWN = 0.99
# A century of months, each with a distribution of its own.
_MOST_CAPPED = 1_200


@result
class BonusPayouts(TableResult):
    """What a longevity bonus pays each rep for the clients there are.

    The columns: ``rep``; ``clients``; ``bonuses``, how many were earned; ``earned``, before the cap; ``cap``, null
    where there is none; ``paid``; ``status``: ``"ok"``, ``"capped"``, or ``"no_salary"`` with nulls for a rep whose
    salary, and so whose cap, is not known.

    Attributes
    ----------
    estimate : float
        Paid in all.
    cap_share : float or None
        Most that is paid, as a share of the salary; None where no salary is given.
    salary_months : int
        Months of salary that the cap counts.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_metrics import contracts
    >>> bonus = contracts.longevity_bonus(every_months=6, amount=300, monthly_churn=1 / 12)
    >>> clients = pd.DataFrame({"rep": ["A", "A", "B"], "months": [13, 5, 30]})
    >>> due = bonus.payouts(clients, rep="rep", duration="months")
    >>> [(row["rep"], row["bonuses"], row["paid"]) for row in due.rows()]
    [('A', 2, 600.0), ('B', 5, 1500.0)]
    """

    kind: ClassVar[str] = "contracts.bonus_payouts"

    cap_share: float | None
    salary_months: int

    def explain(self) -> Explanation:
        """The payouts added up.

        Returns
        -------
        Explanation
            The last step gives what is paid in all.
        """
        return Explanation(
            formula="paid = the smaller of the bonuses earned and the cap, summed over reps",
            values={"paid": [float(str(cell)) for cell in self.columns["paid"] if cell is not None]},
            steps=(Step(name="total", expression="sum(paid)"),),
            source="The schedule.",
        )


@result
class LongevityBonus(TableResult):
    """What a rep's bonuses for a client who stays cost, per client signed.

    The columns: ``month`` of each bonus, its ``bonus``, the ``share`` of the clients still there then, and its
    ``expected_cost`` at present worth; of an endless schedule the first that make up 99 % of the cost.

    Attributes
    ----------
    estimate : float
        Expected cost of all bonuses per client signed, at present worth.
    every_months : int or None
        Months between bonuses; None for a list of milestones.
    amount, increase : float
        The first bonus, and what each one adds to the one before.
    milestones : tuple of int
        Months of the bonuses, where they were listed.
    amounts : tuple of float
        Their bonuses.
    monthly_churn : float or None
        The churn rate; None where the churn is a curve.
    horizon_months, monthly_discount_rate : float
        As given.
    beyond : float
        Part of the cost that lies past the last row.
    client : Term
        The client, with its churn and what is known of it.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> bonus = contracts.longevity_bonus(every_months=6, amount=1, monthly_churn=1 / 12)
    >>> round(bonus.estimate, 3)
    1.459
    """

    kind: ClassVar[str] = "contracts.longevity_bonus"

    every_months: int | None
    amount: float
    increase: float
    milestones: tuple[int, ...]
    amounts: tuple[float, ...]
    monthly_churn: float | None
    horizon_months: float
    monthly_discount_rate: float
    beyond: float
    client: Term

    def earned(self, months: ArrayLike) -> Floats:
        """What the schedule has paid for a client after some months of service.

        Parameters
        ----------
        months : array_like of float
            Months of service, at least 0.

        Returns
        -------
        numpy.ndarray
            Bonuses in all, of the shape of ``months``.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> bonus = contracts.longevity_bonus(milestones={6: 100, 12: 250}, monthly_churn=0.1)
        >>> bonus.earned([5, 6, 20]).tolist()
        [0.0, 100.0, 350.0]
        """
        served = _checks.floats(months, name="months", low=0.0)
        count = self._passed(served)
        if self.every_months is not None:
            return np.asarray(count * self.amount + self.increase * count * (count - 1) / 2)
        return np.concatenate([[0.0], np.cumsum(self.amounts)])[count.astype(np.int64)]

    def capped(
        self,
        *,
        signed: int | list[int] | tuple[int, ...],
        months: int,
        monthly_salary: float,
        cap_share: float = 0.15,
        salary_months: int = 1,
        level: float | None = 0.95,
        draws: int = 1_000,
        rng: np.random.Generator | int | None = None,
    ) -> CappedBonus:
        """What the schedule is expected to cost for one rep whose bonuses are capped.

        Parameters
        ----------
        signed : int, or list or tuple of int
            Clients that the rep signs at the start of every month, or of month 0, 1, 2, ... and none after that.
        months : int
            Months that are counted, from month 0, at least 1.
        monthly_salary : float
            The rep's salary of a month, above 0.
        cap_share : float, default 0.15
            Most that is paid, as a share of that salary, above 0.
        salary_months : int, default 1
            Months whose bonuses are capped together, by the salary of as many: 1 for every month by itself, 12 for a
            year. They are counted from month 0.
        level : float or None, default 0.95
            Probability content of the interval where the churn is a curve; a churn rate hands on its own. None
            computes no interval.
        draws : int, default 1000
            Draws of an uncertain curve.
        rng : numpy.random.Generator or int, optional
            Source of the draws.

        Returns
        -------
        CappedBonus
            A row per month; the estimate is the expected payment of all of them, at present worth.

        Raises
        ------
        InputError
            If a number is out of its range, or the churn is a curve that ends before the months do.

        Notes
        -----
        Clients leave independently of each other. Of n signed m months ago, Binomial(n, S(m)) are there for the bonus
        of month m; the bonuses of a month are the sum over the months of signing, and E[min(sum, cap)] is taken from
        its distribution, exactly. Where months are capped together, bonuses are paid as they fall due until the cap is
        reached. The expectation is less than min(E[sum], cap): what chance gives above the cap is lost to the rep,
        and what it takes away below is not made up for.

        Examples
        --------
        >>> from retention_metrics import contracts
        >>> bonus = contracts.longevity_bonus(milestones={6: 400}, monthly_churn=0.05)
        >>> row = bonus.capped(signed=[2], months=12, monthly_salary=4_000).rows()[6]
        >>> [round(row[name], 4) for name in ("due", "paid", "probability_capped")]
        [588.0735, 480.0015, 0.5404]

        The same bonuses under a cap of 15 % of the year's salary:

        >>> round(bonus.capped(signed=[2], months=12, monthly_salary=4_000, salary_months=12).estimate, 4)
        588.0735
        """
        length = _checks.count(months, name="months", low=1, high=_MOST_CAPPED)
        clients = capped.signings(signed, length)
        together = _checks.count(salary_months, name="salary_months", low=1, high=_MOST_CAPPED)
        cap = _checks.positive(monthly_salary, name="monthly_salary") * _checks.positive(cap_share, name="cap_share")
        cap *= together
        level = _checks.level(level)
        dues, bonuses = self._schedule_within(length - 1)
        worth = (1 + self.monthly_discount_rate) ** -np.arange(float(length))

        def cost(drawn: Drawn | None = None) -> Floats:
            return capped.by_month(self.client, dues, bonuses, clients, cap, together, drawn).present(worth)

        found = capped.by_month(self.client, dues, bonuses, clients, cap, together)
        interval = carried(self.client, cost, horizon=float(length) + 1, level=level, draws=draws, rng=rng)
        return CappedBonus(
            estimate=math.fsum((worth * found.paid).tolist()),
            interval=interval,
            unit="currency",
            definition="contracts.longevity_bonus/capped",
            notes=tuple(getattr(self.client.survival, "notes", ())),
            columns=Columns(
                {
                    "month": list(range(length)),
                    "due": found.due.tolist(),
                    "paid": found.paid.tolist(),
                    "probability_capped": found.capped.tolist(),
                    "present_paid": (worth * found.paid).tolist(),
                }
            ),
            present_due=math.fsum((worth * found.due).tolist()),
            cap=cap,
            signed=clients,
            monthly_salary=float(monthly_salary),
            cap_share=float(cap_share),
            salary_months=together,
            monthly_discount_rate=self.monthly_discount_rate,
        )

    def payouts(
        self,
        clients: adopt.NativeFrame,
        *,
        rep: str,
        duration: str,
        paid_until: str | None = None,
        monthly_salary: float | Mapping[str, float] | None = None,
        cap_share: float = 0.15,
        salary_months: int = 12,
    ) -> BonusPayouts:
        """What the schedule pays each rep for the clients there are.

        Parameters
        ----------
        clients : dataframe
            One row per client: pandas, Polars (eager or lazy), PyArrow or a DuckDB relation.
        rep : str
            Column of the rep.
        duration : str
            Column of the client's months of service so far, or until it left, at least 0.
        paid_until : str, optional
            Column of the months of service up to which bonuses were paid before; by default none were.
        monthly_salary : float or mapping of str to float, optional
            Salary of every rep, or of each by name. Without it there is no cap.
        cap_share : float, default 0.15
            Most that is paid, as a share of the salary, above 0.
        salary_months : int, default 12
            Months of salary that the cap counts: those for which the bonuses are paid.

        Returns
        -------
        BonusPayouts
            A row per rep: ``rep, clients, bonuses, earned, cap, paid, status``.

        Raises
        ------
        InputError
            If no client is left, a number is out of its range, or bonuses were paid past the months served.
        ColumnError
            If a column is missing or holds no numbers where it must.

        Examples
        --------
        >>> import pandas as pd
        >>> from retention_metrics import contracts
        >>> bonus = contracts.longevity_bonus(every_months=6, amount=1_000, increase=500, monthly_churn=0.05)
        >>> clients = pd.DataFrame({"rep": ["A"] * 8, "months": [13, 25, 30, 8, 7, 19, 40, 2]})
        >>> row = bonus.payouts(clients, rep="rep", duration="months", monthly_salary=4_000).rows()[0]
        >>> row["earned"], row["cap"], row["paid"], row["status"]
        (39500.0, 7200.0, 7200.0, 'capped')
        """
        share = _checks.positive(cap_share, name="cap_share")
        months = _checks.count(salary_months, name="salary_months", low=1, high=_MOST_CAPPED)
        rows, excluded, backend = _read(clients, rep=rep, duration=duration, paid_until=paid_until)

        cells: list[dict[str, Cell]] = []
        for name, customers, served, before in rows:
            bonuses = float(((self._passed(served) - self._passed(before)) * customers).sum())
            earned = float(((self.earned(served) - self.earned(before)) * customers).sum())
            salary = _salary(monthly_salary, name)
            unknown = salary is None and monthly_salary is not None
            cap = None if salary is None else months * salary * share
            paid = None if unknown else earned if cap is None else min(earned, cap)
            cells.append(
                {
                    "rep": name,
                    "clients": int(customers.sum()),
                    "bonuses": int(bonuses),
                    "earned": earned,
                    "cap": cap,
                    "paid": paid,
                    "status": "no_salary" if unknown else "capped" if cap is not None and earned > cap else "ok",
                }
            )
        paid_out = [float(str(row["paid"])) for row in cells if row["paid"] is not None]
        return BonusPayouts(
            estimate=math.fsum(paid_out),
            unit="currency",
            definition="contracts.longevity_bonus/payouts",
            excluded=excluded,
            backend=backend,
            columns=Columns(
                {key: [row[key] for row in cells] for key in cells[0]}, {"cap": "number", "paid": "number"}
            ),
            cap_share=None if monthly_salary is None else share,
            salary_months=months,
        )

    def explain(self) -> Explanation:
        """Each bonus at the share of the clients who stay for it.

        Returns
        -------
        Explanation
            The last step gives the expected cost.
        """
        if self.every_months is not None and self.monthly_churn is not None and math.isinf(self.horizon_months):
            return Explanation(
                formula="cost = sum over j of (amount + (j − 1) × increase) × r^j, r the share who stay from one "
                "bonus to the next, at present worth",
                values={
                    "monthly_churn": self.monthly_churn,
                    "every_months": self.every_months,
                    "monthly_discount_rate": self.monthly_discount_rate,
                    "amount": self.amount,
                    "increase": self.increase,
                },
                steps=(
                    Step(name="r", expression="((1 - monthly_churn) / (1 + monthly_discount_rate)) ** every_months"),
                    Step(name="cost", expression="amount * r / (1 - r) + increase * (r / (1 - r)) ** 2"),
                ),
                source="Sum of a geometric series.",
            )
        return Explanation(
            formula="cost = sum over the bonuses of bonus × share of the clients still there, at present worth",
            values={
                "expected_cost": [float(str(cell)) for cell in self.columns["expected_cost"]],
                "beyond": self.beyond,
            },
            steps=(Step(name="cost", expression="sum(expected_cost) + beyond"),),
            source="Definition of an expectation.",
        )

    def _schedule_within(self, months: int) -> tuple[Floats, Floats]:
        """Months of the bonuses up to one of them, and the bonuses."""
        last = int(min(months, self.horizon_months))
        if self.every_months is None:
            due = [month for month in self.milestones if month <= last]
            return np.array(due, dtype=np.float64), np.array(self.amounts[: len(due)])
        count = last // self.every_months
        return self.every_months * np.arange(1.0, count + 1), self.amount + self.increase * np.arange(float(count))

    def _passed(self, months: Floats) -> Floats:
        """Bonuses earned after some months of service."""
        if self.every_months is None:
            return np.searchsorted(self.milestones, months, side="right").astype(np.float64)
        most = math.inf if math.isinf(self.horizon_months) else self.horizon_months // self.every_months
        return np.minimum(np.floor(months / self.every_months), most)


def longevity_bonus(
    *,
    every_months: int | None = None,
    amount: float = 1.0,
    increase: float = 0.0,
    milestones: Mapping[int, float] | None = None,
    monthly_churn: float | Result | None = None,
    survival: Assumption | Result | ArrayLike | None = None,
    tail: Tail | None = None,
    term_months: int | None = None,
    horizon_months: float = math.inf,
    monthly_discount_rate: float = 0.0,
    level: float | None = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | int | None = None,
) -> LongevityBonus:
    """What bonuses to a rep for clients who stay cost, per client signed.

    Parameters
    ----------
    every_months : int, optional
        A bonus each time that a client has stayed so many months more, without end. Exactly one of ``every_months``
        and ``milestones`` is given.
    amount : float, default 1
        The first bonus, at least 0.
    increase : float, default 0
        What each further bonus adds to the one before, at least 0.
    milestones : mapping of int to float, optional
        Months of service, each at least 1, and the bonus that is due once they are served.
    monthly_churn : float or Result, optional
        Probability that a client leaves within a month, in [0, 1]. Exactly one of ``monthly_churn`` and
        ``survival`` is given.
    survival : Assumption, Fit or array_like of float, optional
        Share of the clients still there after 0, 1, 2, ... months, or an `Assumption`, or its ``Fit``.
    tail : {"constant_hazard"}, optional
        Past the last observed step of ``survival`` every further one loses the share that the last one lost.
    term_months : int, optional
        Months of one step of a ``survival`` by the term, such as a contractual model: the client is then bound to each
        term's end. By default one month, which a note says.
    horizon_months : float, default inf
        Bonuses due after so many months are not paid: whole, at least 1, or infinite.
    monthly_discount_rate : float, default 0
        Effective rate per month, at least 0.
    level : float or None, default 0.95
        Probability content of the interval where the churn is a curve; a churn rate hands on its own. None computes
        no interval.
    draws : int, default 10000
        Draws of an uncertain curve.
    rng : numpy.random.Generator or int, optional
        Source of the draws.

    Returns
    -------
    LongevityBonus
        ``estimate`` is the expected cost per client; ``.payouts(clients, ...)`` what is due for real ones, per rep.

    Raises
    ------
    InputError
        If a number is out of its range, both or neither schedule or churn is given, or the cost has no end.

    Notes
    -----
    A bonus b at month m costs b S(m) v^m, with S(m) the share still there after m months and
    v = 1 / (1 + discount rate). Equal bonuses every k months without end cost b r / (1 - r) under a constant churn c,
    r = ((1 - c) v)^k.

    Examples
    --------
    >>> from retention_metrics import contracts
    >>> bonus = contracts.longevity_bonus(milestones={6: 100, 12: 200}, survival=[1] * 6 + [0.7] * 6 + [0.5, 0])
    >>> bonus.estimate, [row["expected_cost"] for row in bonus.rows()]
    (170.0, [70.0, 100.0])
    """
    every, first, more, listed = _schedule(every_months, amount, increase, milestones)
    horizon = horizon_of(horizon_months)
    discount = _checks.non_negative(monthly_discount_rate, name="monthly_discount_rate")
    level = _checks.level(level)
    last = float(max(listed)) if every is None else horizon
    term = client(
        monthly_churn=monthly_churn,
        survival=survival,
        tail=tail,
        term_months=term_months,
        horizon=min(horizon, last) + 1,
        caller="longevity_bonus",
    )
    endless = every is not None and math.isinf(horizon)
    dues = _dues(term, every, listed, horizon, discount, first, more)
    bonuses: Floats = np.array(
        [first + more * place for place in range(dues.size)] if every else [listed[int(month)] for month in dues],
        dtype=np.float64,
    )

    def total(drawn: Drawn | None = None) -> Floats:
        found = _costs(term, dues, bonuses, discount, drawn).sum(axis=-1)
        return found + _beyond(term, dues, first, more, discount, drawn) if endless else np.asarray(found)

    cost, costs = float(total()), _costs(term, dues, bonuses, discount, None)
    if math.isinf(cost):
        raise InputError(
            "a client who may stay for ever earns bonuses without end: the cost has no finite value.",
            argument="horizon_months",
            fix="Give a finite horizon_months, a discount rate, or a churn above 0.",
        )
    return LongevityBonus(
        estimate=cost,
        interval=carried(term, total, horizon=float(dues.max(initial=1.0)) + 1, level=level, draws=draws, rng=rng),
        unit="currency per client",
        definition="contracts.longevity_bonus/expected-present-value",
        notes=(
            *step_notes(survival, term_months),
            *rate_notes(monthly_discount_rate=discount),
            *getattr(term.survival, "notes", ()),
        ),
        columns=Columns(
            {
                "month": dues.astype(int).tolist(),
                "bonus": bonuses.tolist(),
                "share": shares_after(term, dues, None).tolist(),
                "expected_cost": costs.tolist(),
            },
            {"month": "integer", "bonus": "number", "share": "number", "expected_cost": "number"},
        ),
        every_months=every,
        amount=first,
        increase=more,
        milestones=tuple(int(month) for month in dues) if every is None else (),
        amounts=tuple(bonuses.tolist()) if every is None else (),
        monthly_churn=term.constant_churn,
        horizon_months=horizon,
        monthly_discount_rate=discount,
        beyond=cost - math.fsum(costs),
        client=term,
    )


def _schedule(
    every_months: int | None, amount: float, increase: float, milestones: Mapping[int, float] | None
) -> tuple[int | None, float, float, dict[int, float]]:
    if (every_months is None) == (milestones is None):
        raise InputError(
            f"longevity_bonus takes every_months or milestones; got {'none' if milestones is None else 'both'}.",
            argument="every_months",
            fix="Give for instance every_months=6." if milestones is None else "Keep one.",
        )
    first, more = _checks.non_negative(amount, name="amount"), _checks.non_negative(increase, name="increase")
    if milestones is None:
        return _checks.count(every_months, name="every_months", low=1, high=MOST_STEPS), first, more, {}
    if not hasattr(milestones, "items") or not milestones:
        raise InputError(
            f"milestones maps months of service to bonuses; got {milestones!r}.",
            argument="milestones",
            fix="For instance {6: 100, 12: 250}.",
        )
    listed = {
        _checks.count(month, name="milestones", low=1, high=MOST_STEPS): _checks.non_negative(
            bonus, name=f"milestones[{month!r}]"
        )
        for month, bonus in milestones.items()
    }
    return None, first, more, dict(sorted(listed.items()))


def _dues(
    term: Term,
    every: int | None,
    listed: Mapping[int, float],
    horizon: float,
    discount_rate: float,
    amount: float,
    increase: float,
) -> Floats:
    """Months of the bonuses; of an endless schedule those up to 99 % of the cost, or past the end of the curve."""
    if every is None:
        return np.array([month for month in listed if month <= horizon], dtype=np.float64)
    if math.isfinite(horizon):
        return every * np.arange(1.0, horizon // every + 1)
    if isinstance(term.survival, RenewalModel):
        return _dues_without_end(term, every, amount, increase, discount_rate)
    if isinstance(term.survival, SurvivalTable):
        _hazard(term, None)
        rows = max(math.ceil(term.survival.last * _months_of_a_step(term) / every), _FEWEST_ROWS)
    else:
        kept = (1 - (term.constant_churn or 0.0)) / (1 + discount_rate)
        wanted = math.log(1 - _SHARE_SHOWN) / (every * math.log(kept)) if 0 < kept < 1 else 0.0
        rows = min(max(math.ceil(wanted), _FEWEST_ROWS), _MOST_ROWS)
    return every * np.arange(1.0, rows + 1)


def _dues_without_end(term: Term, every: int, amount: float, increase: float, discount_rate: float) -> Floats:
    """Months of the bonuses of a model of renewals that make up 99 % of the cost, as far as they are shown."""
    if term.months % every or increase:
        raise InputError(
            f"bonuses {'that grow' if increase else f'every {every} months'} have no closed sum without an end under a "
            f"{type(term.survival).__name__} of {term.months}-month terms.",
            argument="horizon_months",
            fix="Give a finite horizon_months, or equal bonuses at whole parts of the term.",
        )
    dues = every * np.arange(1.0, _MOST_ROWS + 1)
    running = np.cumsum(_costs(term, dues, np.full(dues.size, amount), discount_rate, None))
    wanted = _SHARE_SHOWN * (running[-1] + float(_beyond(term, dues, amount, increase, discount_rate, None)))
    return dues[: max(int(np.searchsorted(running, wanted)) + 1, _FEWEST_ROWS)]


def _costs(term: Term, months: Floats, bonuses: Floats, discount_rate: float, drawn: Drawn | None) -> Floats:
    return np.asarray(bonuses * shares_after(term, months, drawn) * (1 + discount_rate) ** -months)


def _hazard(term: Term, drawn: Drawn | None) -> Floats:
    """Share lost in every step past the last one of the curve."""
    if isinstance(drawn, np.ndarray):
        return drawn if drawn.ndim == 1 else hazard_past(drawn)
    if not isinstance(term.survival, SurvivalTable):
        return np.asarray(term.constant_churn)
    if term.survival.tail_hazard is None:
        raise InputError(
            f"survival ends at month {term.survival.last} with {term.survival.values[-1]:.6g} still there; bonuses "
            "without end ask for what comes after.",
            argument="survival",
            fix="Give a finite horizon_months, or assume tail='constant_hazard'.",
        )
    return np.asarray(term.survival.tail_hazard)


def _beyond(
    term: Term, months: Floats, amount: float, increase: float, discount_rate: float, drawn: Drawn | None
) -> Floats:
    """Cost of the bonuses past the last of the months given, of which every one is a step further.

    Bonuses a whole cycle apart, in months of both the schedule and the term, make up a series of their own.
    """
    every = int(months[0])
    cycle = math.lcm(every, _months_of_a_step(term))
    ahead = months[-1] + np.arange(every, cycle + 1.0, every)
    bonuses = amount + increase * np.arange(months.size, months.size + ahead.size)
    there = _there(term, ahead, drawn) * (1 + discount_rate) ** -ahead
    if isinstance(term.survival, RenewalModel):
        found = there * bonuses * _terms_ahead(term.survival, ahead // term.months, drawn, cycle, discount_rate)
    else:
        steps = cycle // _months_of_a_step(term)
        kept = ((1 - _hazard(term, drawn)) ** steps * np.power(1 + discount_rate, -float(cycle)))[..., np.newaxis]
        with np.errstate(divide="ignore", invalid="ignore"):
            often = np.where(kept < 1, 1 / (1 - kept), np.inf)
            more = increase * ahead.size * kept * often**2 if increase else 0.0
            found = there * (bonuses * often + more)
    return np.where(there > 0, found, 0.0).sum(axis=-1) if amount or increase else np.zeros(there.shape[:-1])


def _months_of_a_step(term: Term) -> int:
    return term.months if term.survival_step == "term" else 1


def _there(term: Term, months: Floats, drawn: Drawn | None) -> Floats:
    """Share still there after some months, which may lie past the last step drawn."""
    if not isinstance(drawn, np.ndarray) or drawn.ndim == 1:
        return shares_after(term, months, drawn)
    return by_step_drawn(drawn, months.astype(np.int64) // _months_of_a_step(term))


def _terms_ahead(
    model: RenewalModel, renewals: Floats, drawn: Drawn | None, cycle: int, discount_rate: float
) -> Floats:
    """Present number of terms from each of some renewals on, of a model whose step is the whole cycle."""
    models = drawn.models if isinstance(drawn, FittedDraws) else model
    force, last = cycle * math.log1p(discount_rate), int(renewals[-1])
    latest = terms_to_come(models, last, force)
    # Within a cycle no term but the one before the last is met.
    kept = np.asarray(models.survival(last)) / models.survival(last - 1)
    return np.where(renewals == last, latest[..., np.newaxis], (1 + kept * math.exp(-force) * latest)[..., np.newaxis])


def _salary(given: float | Mapping[str, float] | None, rep: Cell) -> float | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        return _checks.positive(given, name="monthly_salary")
    found = given.get(rep)  # type: ignore[arg-type]
    return None if found is None else _checks.positive(found, name=f"monthly_salary[{rep!r}]")


Rows = list[tuple[Cell, Floats, Floats, Floats]]


def _read(
    clients: adopt.NativeFrame, *, rep: str, duration: str, paid_until: str | None
) -> tuple[Rows, dict[str, int], str]:
    """Per rep the clients behind each distinct duration, with the months up to which bonuses were paid."""
    source = adopt.adopt(clients, {"rep": rep, "duration": duration, "paid_until": paid_until})
    times = [role for role in ("duration", "paid_until") if source.has(role)]
    for role in times:
        if not source.dtype(role).is_numeric():
            raise ColumnError(
                f"{role}={source.roles[role]!r} is a column of numbers; it holds {source.dtype(role)}.",
                argument=role,
                column=source.roles[role],
            )
    found = distinct_rows(source, by=["rep", *times], labels=("rep",), counts=None)
    customers, names = found.customers, found.keys["rep"]
    if customers.size == 0:
        raise InputError("clients has at least one row; got none.", argument="clients", count=0)
    kept, excluded = np.ones(customers.size, dtype=bool), {}
    for role in ("rep", *times):
        column = found.keys[role]
        gone = np.array([cell is None for cell in column.tolist()]) if role == "rep" else np.isnan(column)
        if rows := int(customers[gone & kept].sum()):
            excluded[f"missing_{role}"] = rows
        kept &= ~gone
        if role != "rep":
            _checks.refuse(np.isinf(column) | (column < 0), column, name=source.roles[role], rule="is at least 0")
    if not kept.any():
        raise InputError(f"clients has no row left to pay for: {excluded or 'no rows'}.", argument="clients", count=0)
    served = found.keys["duration"]
    before = found.keys["paid_until"] if paid_until is not None else np.zeros_like(served)
    _checks.refuse(kept & (before > served), before, name=paid_until or "paid_until", rule=f"is at most {duration}")
    by_rep: dict[Cell, list[int]] = {}
    for row in np.flatnonzero(kept).tolist():
        by_rep.setdefault(names[row], []).append(row)
    ordered = sorted(by_rep, key=str)
    return (
        [(name, customers[own], served[own], before[own]) for name in ordered for own in [by_rep[name]]],
        (excluded),
        source.backend,
    )
