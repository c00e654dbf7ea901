"""Models with one number that ``fit`` holds while it estimates the parameters: given, or the likeliest of many."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv.purchase_model import PurchaseModel

if TYPE_CHECKING:
    from retention_metrics.clv.histories import Histories
    from retention_metrics.clv.newton import Objective

Floats = NDArray[np.float64]


class HeldModel(PurchaseModel):
    """A model that has, besides its parameters, a number in which the likelihood has no derivative."""

    held: ClassVar[str]
    """Name of the number."""

    @classmethod
    def _at(cls, value: float) -> type[Self]:
        """The class with the number held, in the place of a class whose numbers are all parameters."""
        return cast("type[Self]", _Held(cls, value))

    @classmethod
    @abstractmethod
    def _objective_at(cls, value: float, data: Histories, *, threads: int | None) -> Objective:
        """The log-likelihood at this number, in the parameters of ``to_odds``."""

    @classmethod
    def _start_at(cls, value: float, rate: float) -> Floats:
        """Where to climb from at this number, given the purchases per unit of time."""
        return cls._start(rate)

    def _objective(self, data: Histories, *, threads: int | None) -> Objective:  # type: ignore[override]
        return self._objective_at(getattr(self, self.held), data, threads=threads)


class _Held:
    """A model class at one value of its number: it makes models, and forwards what does not depend on the value."""

    def __init__(self, cls: type[HeldModel], value: float) -> None:
        self._cls, self._value = cls, value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cls, name)

    def __call__(self, **values: Any) -> HeldModel:
        found: HeldModel = self._cls(**{self._cls.held: self._value, **values})
        return found

    def _objective(self, data: Histories, *, threads: int | None) -> Objective:
        return self._cls._objective_at(self._value, data, threads=threads)

    def _start(self, rate: float) -> Floats:
        return self._cls._start_at(self._value, rate)

    def _limits(self) -> tuple[type[PurchaseModel], ...]:
        limits = cast("tuple[type[HeldModel], ...]", self._cls._limits())
        return tuple(limit._at(self._value) for limit in limits)

    def _settled(self, data: Histories, *, threads: int | None) -> _Held:
        return self
