"""Numbers as others printed them: how far from such a number the one behind it can lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def half_unit(printed: ArrayLike, *, digits: int = 7) -> NDArray[np.float64]:
    """Half a unit of the last of ``digits`` significant digits; R prints seven."""
    size = np.abs(np.asarray(printed, dtype=float))
    return np.asarray(0.5 * 10.0 ** (np.floor(np.log10(size)) + 1 - digits))


def rounds_to(found: ArrayLike, printed: ArrayLike, *, digits: int = 7) -> bool:
    """Whether every number would be printed as it was."""
    return bool(np.all(np.abs(np.asarray(found) - np.asarray(printed)) <= half_unit(printed, digits=digits)))
