"""Heights of a smooth surface at many places, most of them read off a polynomial through some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

Floats = NDArray[np.float64]

DEGREE = 5
CLOSE = 5e-3  # furthest that the polynomial may be from a height that it does not go through
_MIDDLE = 0.98  # share of the places that it is for
_JUDGES = 100  # heights that it is judged by


@dataclass(frozen=True, slots=True)
class Heights:
    """Heights at all places; ``computed`` of them are exact, the others within about ``error``."""

    values: Floats
    computed: int
    error: float


def heights(exact: Callable[[Floats], Floats], places: Floats) -> Heights:
    """Heights at places, shape (n, d), in a random order.

    Through as many places as it has terms goes a polynomial, by approximate Fekete points [1]_: those that a pivoted QR
    decomposition of its terms takes first. Other places judge it. Where it is close, it gives the rest, but for the
    places furthest out; where it is not, all heights are computed.

    References
    ----------
    .. [1] Sommariva, A. & Vianello, M. (2009). Computing approximate Fekete points by QR factorizations of
       Vandermonde matrices. *Computers & Mathematics with Applications* 57(8), 1324-1336.
    """
    standard = _standard(places)
    distance = np.square(standard).sum(axis=1)
    middle = np.flatnonzero(distance <= np.quantile(distance, _MIDDLE))
    terms = _terms(standard[middle])
    if 3 * (terms.shape[1] + _JUDGES) > len(places):
        return Heights(exact(places), len(places), 0.0)
    *_, order = linalg.qr(terms.T, mode="economic", pivoting=True)
    through, others = order[: terms.shape[1]], np.sort(order[terms.shape[1] :])
    judges, rest = others[:_JUDGES], others[_JUDGES:]

    found = np.full(len(places), np.nan)
    known = np.setdiff1d(np.arange(len(places)), middle[rest])
    found[known] = exact(places[known])
    read_off = _polynomial(terms, through, found[middle])
    error = float(np.abs(read_off - found[middle])[judges].max())
    if error < CLOSE:
        found[middle[rest]] = read_off[rest]
        return Heights(found, known.size, error)
    found[middle[rest]] = exact(places[middle[rest]])
    return Heights(found, len(places), 0.0)


def _standard(places: Floats) -> Floats:
    """The places in coordinates that are uncorrelated, with mean 0 and variance 1."""
    root = np.linalg.cholesky(np.atleast_2d(np.cov(places, rowvar=False)))
    moved: Floats = linalg.solve_triangular(root, (places - places.mean(axis=0)).T, lower=True).T
    return moved


def _terms(standard: Floats) -> Floats:
    """An orthogonal basis of all polynomials of the degree, a column each."""
    scaled = (standard / np.abs(standard).max()).T
    powers = (
        each for degree in range(DEGREE + 1) for each in combinations_with_replacement(range(len(scaled)), degree)
    )
    basis, _ = np.linalg.qr(np.stack([np.prod(scaled[list(each)], axis=0) for each in powers], axis=1))
    return basis


def _polynomial(terms: Floats, through: NDArray[np.integer[Any]], found: Floats) -> Floats:
    """The polynomial through some heights, everywhere; nan where one of them is no number."""
    top = found[through].max()
    if not np.isfinite(found[through]).all():
        return np.full(len(terms), np.nan)
    return np.asarray(top + terms @ np.linalg.solve(terms[through], found[through] - top))
