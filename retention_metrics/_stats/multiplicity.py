"""p-values of many tests, adjusted for their number.

References
----------
.. [1] Holm, S. (1979). A simple sequentially rejective multiple test procedure. *Scandinavian Journal of Statistics*
   6, 65-70.
.. [2] Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. *Journal of the Royal Statistical
   Society B* 57, 289-300.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Adjustment = Literal["holm", "bh"]

ADJUSTMENTS: tuple[Adjustment, ...] = ("holm", "bh")


def adjusted(p_values: Floats, *, method: Adjustment) -> Floats:
    """Adjusted p-values in the given order; NaN, a test that could not be made, stays NaN and does not count.

    ``"holm"`` bounds the chance of any false finding [1]_, ``"bh"`` the expected share of false ones among the
    findings [2]_.
    """
    made = ~np.isnan(p_values)
    order = np.argsort(p_values[made], kind="stable")
    sorted_p, tests = p_values[made][order], int(made.sum())
    ranks = np.arange(1, tests + 1)
    if method == "holm":
        raised = np.maximum.accumulate((tests - ranks + 1) * sorted_p)
    else:
        raised = np.minimum.accumulate((tests / ranks * sorted_p)[::-1])[::-1]
    answer = np.full(p_values.shape, np.nan)
    answer[np.flatnonzero(made)[order]] = np.minimum(raised, 1.0)
    return answer
