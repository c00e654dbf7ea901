"""How many customers made each number of repeat purchases, beside what a fit expects."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from retention_metrics import _checks
from retention_metrics.clv import histories
from retention_metrics.clv.comparison import name_of
from retention_metrics.clv.fitting import Fit
from retention_metrics.clv.purchase_model import PurchaseModel
from retention_metrics.clv.regression import Regression, at_rows, base_of
from retention_metrics.errors import InputError
from retention_metrics.explanation import Explanation, Step
from retention_metrics.results import Columns, TableResult, result


@result
class FrequencyFit(TableResult):
    """Customers by number of repeat purchases, actual and expected.

    Attributes
    ----------
    customers : int
        Customers in the fit.
    model : str
        Name of the model.
    """

    kind: ClassVar[str] = "clv.frequency_fit"

    customers: int
    model: str

    def explain(self) -> Explanation:
        """The customers expected without a repeat purchase: the last step."""
        expected = float(self.rows()[0]["expected"])  # type: ignore[arg-type]
        return Explanation(
            formula="expected customers with n purchases = sum over customers of P(n repeat purchases in their T)",
            values={"customers": self.customers, "mean_probability_of_none": expected / self.customers},
            steps=(Step(name="expected_without", expression="customers * mean_probability_of_none"),),
            source="Fader, Hardie & Lee (2005), Marketing Science 24(2), figure 2.",
        )


def frequency_fit(fit: Fit[Any], *, most: int = 7) -> FrequencyFit:
    """Customers by number of repeat purchases, beside what a fit expects.

    Parameters
    ----------
    fit : Fit
        Of a model of purchases, with covariates or without, with its data.
    most : int, default 7
        Customers with this many repeat purchases or more make one class.

    Returns
    -------
    FrequencyFit
        A row per class: ``frequency`` ("0", "1", …, "7+"), ``actual`` and ``expected`` customers.

    Raises
    ------
    InputError
        If the fit is of another kind of model, or was read from JSON and not attached.

    Notes
    -----
    The same customers fitted the model, so the table shows what it cannot describe, not how well it predicts: see
    ``holdout`` for that.

    References
    ----------
    .. [1] Fader, P. S., Hardie, B. G. S. & Lee, K. L. (2005). "Counting your customers" the easy way.
       *Marketing Science* 24(2), 275-284, figure 2.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_metrics as rm
    >>> drawn = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426).simulate(np.full(2000, 39.0), rng=2005)
    >>> table = rm.clv.frequency_fit(rm.clv.BGNBD.fit(drawn), most=2).to_frame()
    >>> table["frequency"].tolist(), round(float(table["expected"].sum()), 6)
    (['0', '1', '2+'], 2000.0)
    """
    fitted: object = getattr(fit, "model", None)
    if not isinstance(base_of(fitted), PurchaseModel):
        what = type(fit if fitted is None else fitted).__name__
        raise InputError(f"fit is the Fit of a model of purchases; got {what}.", argument="fit")
    top = _checks.count(most, name="most", low=1)
    data = fit._needs_data("frequency_fit()")
    seen = data.histories if isinstance(fitted, Regression) else data
    matrix = data.matrix if isinstance(fitted, Regression) else np.zeros((seen.T.size, 0))

    weights = np.ones(seen.T.size) if seen.counts is None else seen.counts
    (age, *covariates), customers = histories.distinct([seen.T, *matrix.T], weights)
    actual = np.bincount(np.minimum(seen.frequency, top).astype(np.intp), weights=weights, minlength=top + 1)
    own = at_rows(fitted, np.stack([*covariates, age], axis=1)[:, :-1])._of((slice(None), None))
    each = own.probability_of_purchases(0, 0.0, np.zeros(1), n=np.arange(top), horizon=age[:, None])
    expected = customers @ np.asarray(each)

    return FrequencyFit(
        columns=Columns(
            {
                "frequency": [*map(str, range(top)), f"{top}+"],
                "actual": [round(float(number)) for number in actual],
                "expected": [*expected.tolist(), float(customers.sum() - expected.sum())],
            }
        ),
        customers=fit.customers,
        model=name_of(fit.model),
        definition="clv.frequency_fit/in-sample",
        unit=fit.unit,
        backend=fit.backend,
    )
