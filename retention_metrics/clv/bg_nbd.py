"""BG/NBD: gamma purchase rates, beta dropout probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from retention_metrics.clv import batch, newton
from retention_metrics.clv.dropout_model import DROPOUT_EFFECTS, ONE_TIME_NOTE, DropoutModel
from retention_metrics.clv.histories import Histories
from retention_metrics.clv.likelihood import PurchaseSums
from retention_metrics.clv.limits import LIMITS
from retention_metrics.clv.model import model
from retention_metrics.clv.parts import BetaDropout, GammaRates
from retention_metrics.clv.purchase_model import PurchaseModel

Floats = NDArray[np.float64]


@model
class BGNBD(BetaDropout, GammaRates, DropoutModel):
    """Beta-geometric/NBD model of repeat purchases [1]_.

    While alive a customer buys at rate lambda ~ Gamma(r, alpha); after each repeat purchase they drop out with
    probability p ~ Beta(a, b); lambda and p are independent.

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
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way: an
       alternative to the Pareto/NBD model. *Marketing Science* 24(2), 275-284.

    Examples
    --------
    >>> import retention_metrics as rm
    >>> model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    >>> round(float(model.expected_purchases(2, 30.43, 38.86, horizon=39)), 3)
    1.226
    """

    kind: ClassVar[str] = "clv.bg_nbd"
    parameters: ClassVar[tuple[str, ...]] = ("r", "alpha", "a", "b")
    time_scales: ClassVar[tuple[str, ...]] = ("alpha",)
    notes: ClassVar[tuple[str, ...]] = (ONE_TIME_NOTE,)

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
        return LIMITS
