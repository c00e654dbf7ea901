"""What the models share: a model is its parameters, validated, and goes to JSON and back."""

from __future__ import annotations

import dataclasses
import html
import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from retention_metrics import _checks
from retention_metrics._stored import Stored
from retention_metrics.clv import batch
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation
from retention_metrics.periods import DAYS, TIME_UNITS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from retention_metrics._engine.adopt import NativeFrame
    from retention_metrics._engine.tables import CustomerTable
    from retention_metrics.clv.fitting import Fit, Spread
    from retention_metrics.clv.frames import HistoryTable
    from retention_metrics.clv.newton import Objective
    from retention_metrics.clv.parts import Terms
    from retention_metrics.clv.regression import Covariates

Floats = NDArray[np.float64]
_ModelType = TypeVar("_ModelType", bound="Model")


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False)
def model(cls: type[_ModelType]) -> type[_ModelType]:
    """Declare a model class: frozen, keyword-only, compared by ``to_dict``."""
    return dataclass(frozen=True, kw_only=True, eq=False)(cls)


class Model(Stored, ABC):
    """A probability model: a frozen dataclass of positive parameters.

    A parameter is one number, or an array where it differs between customers: then it broadcasts with their histories.
    """

    parameters: ClassVar[tuple[str, ...]]
    """Names of the parameters, in the order of every covariance matrix."""
    shares: ClassVar[tuple[str, ...]] = ()
    """Parameters that are probabilities; the others are positive numbers."""
    beta_pairs: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Pairs that shape a beta distribution: their priors are on its mean and on the sum of the pair."""
    coefficient_names: ClassVar[tuple[str, ...]] = ()
    """Parameters that are effects of covariates, which may be negative."""
    effects: ClassVar[Mapping[str, tuple[str, int]]] = MappingProxyType({})
    """Which parameter covariates multiply by exp(sign * coefficient * value): ``{"purchase": ("alpha", -1)}``."""
    roles: ClassVar[Mapping[str, str | None]] = MappingProxyType({})
    """The columns of what a model is fitted to, by role."""

    def __post_init__(self) -> None:
        for name in self.parameters:
            checked = _parameter(getattr(self, name), name=name, share=name in self.shares)
            object.__setattr__(self, name, checked)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Model):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    @property
    def varies(self) -> bool:
        """Whether a parameter differs between customers."""
        return any(isinstance(getattr(self, name), np.ndarray) for name in self.parameters)

    @property
    def theta(self) -> Floats:
        """The parameters as an array, in the order of ``parameters``."""
        if self.varies:
            raise InputError(
                f"this {type(self).__name__} holds a parameter for each customer; theta is for one model of all.",
                argument="theta",
            )
        return np.array([getattr(self, name) for name in self.parameters], dtype=np.float64)

    def with_theta(self, theta: Floats) -> Self:
        """The same model at other parameters.

        Parameters
        ----------
        theta : ndarray of float
            One value per name in ``parameters``.

        Returns
        -------
        Model
            With the same unit.
        """
        values: dict[str, Any] = dict(zip(self.parameters, map(float, theta), strict=True))
        return dataclasses.replace(self, **values)  # type: ignore[type-var]

    def _of(self, rows: Any) -> Self:
        """The model of some rows, by any index of an array, where parameters differ between them."""
        if not self.varies:
            return self
        values = {name: getattr(self, name) for name in self.parameters}
        some = {name: value[rows] for name, value in values.items() if isinstance(value, np.ndarray)}
        return dataclasses.replace(self, **some)  # type: ignore[type-var]

    @classmethod
    def to_odds(cls, theta: Floats) -> Floats:
        """The parameters with odds in place of probabilities: all positive, the scale that fits climb on."""
        shares = np.array([name in cls.shares for name in cls.parameters])
        return np.where(shares, theta / np.where(shares, 1 - theta, 1.0), theta)

    @classmethod
    def from_odds(cls, odds: Floats) -> Floats:
        """The parameters back from the scale of ``to_odds``."""
        shares = np.array([name in cls.shares for name in cls.parameters])
        endless = shares & np.isinf(odds)
        finite = np.where(endless, 1.0, odds)
        return np.where(endless, 1.0, finite / np.where(shares, 1 + finite, 1.0))

    @classmethod
    def log_slopes(cls, theta: Floats) -> Floats:
        """Slope of each parameter in the log of its ``to_odds``."""
        shares = np.array([name in cls.shares for name in cls.parameters])
        return np.where(shares, theta * (1 - theta), theta)

    def to_dict(self) -> dict[str, Any]:
        """The model as JSON builtins.

        Returns
        -------
        dict
            ``kind``, ``schema``, the parameters and, where the model has one, its unit of time.
        """
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]
        listed = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}
        return {"kind": self.kind, "schema": self.schema, **listed}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The model that ``to_dict`` described.

        Parameters
        ----------
        data : mapping
            As returned by ``to_dict``, possibly by way of JSON.

        Returns
        -------
        Model
            Equal to the one that was stored.

        Raises
        ------
        InputError
            If the dictionary describes another kind of model or a newer schema.
        """
        stored = cls._stored_fields(data)
        return cls(**{name: np.array(value) if isinstance(value, list) else value for name, value in stored.items()})

    @classmethod
    @abstractmethod
    def _read(cls, history: NativeFrame, columns: Mapping[str, str | None]) -> Any:
        """What the likelihood needs of a history, checked."""

    @classmethod
    @abstractmethod
    def _objective(cls, data: Any, *, threads: int | None) -> Objective:
        """The log-likelihood in the parameters of ``to_odds``."""

    @classmethod
    def _runs_away(cls, odds: Floats) -> bool:
        """Whether a climb has left the region in which the model differs from a simpler one."""
        return False

    def _log_likelihoods(self, data: Any, odds: Floats, *, threads: int | None) -> Floats:
        """The log-likelihood of all customers at each row of ``odds``, parameters of ``to_odds``."""
        return batch.one_by_one(self._objective(data, threads=threads), odds)

    @classmethod
    def _fit_roles(cls, columns: Mapping[str, str | None]) -> dict[str, str | None]:
        """Columns that ``fit`` reads, by role."""
        return {**cls.roles, "counts": None, **columns}

    @classmethod
    def _rows(cls, theta: tuple[Floats, ...], data: Any, rows: slice) -> Terms:
        """Log-likelihood of each row with its derivatives in the parameters of ``to_odds``, which may differ by row."""
        raise InputError(f"{cls.__name__} takes no covariates.", argument="covariates")

    @classmethod
    def _with_cells(cls, table: HistoryTable) -> tuple[Any, Mapping[str, Any], Mapping[str, int]]:
        """What ``_rows`` reads of a table, the covariates of the same rows, and the rows left out by reason."""
        raise InputError(f"{cls.__name__} takes no covariates.", argument="covariates")

    @classmethod
    def _fit_rows(cls, data: Any, *, unit: str | None, penalty: float, threads: int | None) -> Fit[Self]:
        """The fit to rows that were read already."""
        raise InputError(f"{cls.__name__} takes no covariates.", argument="covariates")

    def _predict_by(self, table: HistoryTable, covariates: Covariates[Self], *, horizon: float | None) -> CustomerTable:
        """``_predict`` where parameters differ by the covariates of a row."""
        raise InputError(f"{type(self).__name__} takes no covariates.", argument="covariates")

    def _contributions(self, data: Any) -> Floats:
        """Log-likelihood of one customer of each row of what ``_read`` gives."""
        raise InputError(f"{type(self).__name__} has no likelihood of single customers.", argument="model")

    @abstractmethod
    def _predict(
        self,
        history: NativeFrame,
        *,
        horizon: float | None,
        columns: Mapping[str, str],
        spread: Spread[Any] | None,
    ) -> CustomerTable:
        """The history with the model's answers, and their intervals where a spread is given."""

    @abstractmethod
    def explain(self) -> Explanation:
        """What the parameters say about the average customer."""

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the model.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure's axes.

        Returns
        -------
        matplotlib.axes.Axes
            The axes that hold the plot.
        """
        drawn: Axes = importlib.import_module("retention_metrics.plotting").draw(self, ax=ax)
        return drawn

    def _shown(self) -> tuple[str, Mapping[str, Any]]:
        """A caption, and the numbers to show by name."""
        unit = getattr(self, "unit", None)
        caption = type(self).__name__ + (f", time in {unit}s" if unit else "")
        return caption, {name: getattr(self, name) for name in self.parameters}

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        caption, shown = self._shown()
        words = {n: f"{v.size} values" if isinstance(v, np.ndarray) else f"{v:.6g}" for n, v in shown.items()}
        cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{value}</td></tr>" for name, value in words.items())
        return f"<table class='retention-metrics'><caption>{caption}</caption>{cells}</table>"


def _parameter(value: object, *, name: str, share: bool) -> float | Floats:
    """A positive number or a probability; an array of them is copied and closed to writing."""
    if not (isinstance(value, np.ndarray) and value.ndim):
        high = 1.0 if share else np.inf
        return _checks.number(value, name=name, low=0.0, high=high, open_low=True, open_high=share)
    array = np.array(_checks.floats(value, name=name))
    bad = (array <= 0) | (array >= 1) if share else array <= 0
    _checks.refuse(bad, array, name=name, rule="holds numbers in (0, 1)" if share else "holds numbers above 0")
    array.setflags(write=False)
    return array


class TimedModel(Model):
    """A model whose parameters carry a unit of time."""

    time_scales: ClassVar[tuple[str, ...]] = ()
    """Parameters that are lengths of time."""
    time_rates: ClassVar[tuple[str, ...]] = ()
    """Parameters that are rates per unit of time."""

    unit: str | None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unit is not None:
            _checks.choice(self.unit, TIME_UNITS, name="unit")

    def rescale(self, to: str) -> Self:
        """The same model with time in another unit.

        Parameters
        ----------
        to : {"hour", "day", "week", "month", "quarter", "year"}
            The new unit. A month is 365.25 / 12 days, a year 365.25.

        Returns
        -------
        Model
            Time scales multiplied, everything else equal.

        Raises
        ------
        InputError
            If the model does not know its own unit.

        Examples
        --------
        >>> import retention_metrics as rm
        >>> weekly = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
        >>> round(weekly.rescale(to="day").alpha, 3)
        30.898
        """
        target = _checks.choice(to, TIME_UNITS, name="to")
        if self.unit is None:
            raise InputError(
                f"rescale needs to know the unit of the model; unit is None in {self!r}.",
                argument="unit",
                fix="Give it once: dataclasses.replace(model, unit='week').",
            )
        factor = DAYS[self.unit] / DAYS[target]
        scaled = {name: getattr(self, name) * factor for name in self.time_scales}
        scaled |= {name: getattr(self, name) / factor for name in self.time_rates}
        return dataclasses.replace(self, **scaled, unit=target)  # type: ignore[type-var]

    def check_unit(self, unit: str | None) -> None:
        """Refuse a history in another unit than the model's; either may be unknown."""
        if unit is not None and self.unit is not None and unit != self.unit:
            raise InputError(
                f"the model counts time in {self.unit}s and the history in {unit}s.",
                argument="unit",
                fix=f'Use model.rescale(to="{unit}").',
            )
