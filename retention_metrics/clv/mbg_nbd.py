"""MBG/NBD: the BG/NBD whose customers may drop out right after their first purchase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv import batch, newton
from retention_metrics.clv.dropout_model import DROPOUT_EFFECTS, DropoutModel
from retention_metrics.clv.early_limits import EARLY_LIMITS
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.likelihood import PurchaseSums
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import BetaDropout, GammaRates
from retention_metrics.clv.purchase_model import PurchaseModel

Floats = NDArray[np.float64]


@model
class MBGNBD(BetaDropout, GammaRates, DropoutModel):
    """Modified BG/NBD model: customers may drop out after any purchase [1]_.

    As in BG/NBD a customer buys at rate lambda ~ Gamma(r, alpha) while alive and drops out with probability
    p ~ Beta(a, b) after a purchase, here after the first one too: a customer without repeat purchase may be gone.

    Parameters
    ----------
    r : float
        Shape of the purchase rates, above 0.
    alpha : float
        Inverse scale of the purchase rates, above 0, in units of time: r / alpha is the mean rate.
    a, b : float
        Shapes of the dropout probabilities, above 0: a / (a + b) is the mean.
    unit : {"hour", "day", "week", "month", "quarter", "year"}, optional
        Unit of time. ``fit`` takes it from the history.

    Raises
    ------
    InputError
        If a parameter is not a positive number or the unit is unknown.

    References
    ----------
    .. [1] Batislam, E. P., Denizel, M. & Filiztekin, A. (2007). Empirical validation and comparison of models for
       customer base analysis. *International Journal of Research in Marketing* 24(3), 201-209.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.MBGNBD(r=0.525, alpha=6.183, a=0.891, b=1.614, unit="week")
    >>> round(float(model.probability_alive(0, 0, 39)), 3)
    0.389
    """

    kind: ClassVar[str] = "clv.mbg_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    early: ClassVar[int] = 1

    r: float
    alpha: float
    a: float
    b: float
    unit: str | None = None

    effects: ClassVar[Mapping[str, tuple[str, int]]] = DROPOUT_EFFECTS

    @classmethod
    def _objective(cls, data: Histories, *, threads: int | None) -> newton.Objective:
        return PurchaseSums(data, early=cls.early, threads=threads)

    def _log_likelihoods(self, data: Histories, odds: Floats, *, threads: int | None) -> Floats:
        return batch.purchase_values(data, odds, early=self.early, threads=threads)

    @classmethod
    def _limits(cls) -> tuple[type[PurchaseModel], ...]:
        return EARLY_LIMITS
