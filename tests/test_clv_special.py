"""Hypergeometric terms against multiple-precision arithmetic, over the whole box of parameters."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from retention_metrics.clv import special

BOX = np.random.default_rng(2005)


def tolerance(log_value: float) -> float:
    """Error that the library promises: 1e-10, and sixteen roundings of a large logarithm."""
    return 1e-10 + 16 * 2**-52 * abs(log_value)


def draw_box() -> list[tuple[float, float, float, float]]:
    """(r + x, a, b + x, tau): parameters 1e-3 to 1e3, frequency to 10,000, tau 1e-6 to 1e8; a = 1 now and then."""
    rows = []
    for index in range(60):
        r, a, b = 10 ** BOX.uniform(-3, 3, 3)
        x = 0.0 if index % 4 == 0 else float(int(10 ** BOX.uniform(0, 4)))
        rows.append((r + x, 1.0 if index % 7 == 0 else a, b + x, 10 ** BOX.uniform(-6, 8)))
    return rows


CORNERS = [
    (1e-3, 1e-3, 1e-3, 1e8),
    (1e3, 1e3, 1e3, 1e8),
    (1e-3, 1e3, 1e-3, 1e-6),
    (10_000.243, 0.793, 10_002.426, 1e8),
    (10_000.0, 1e-3, 10_000.0, 1e4),
    (0.243, 0.5, 0.5, 30.0),
]


@pytest.mark.parametrize("row", draw_box() + CORNERS)
def test_survival_mean_is_the_hypergeometric_function(row):
    power, a, b, tau = row
    with mp.workdps(40):
        exact = float(mp.log(mp.hyp2f1(power, a, mp.mpf(a) + b, -mp.mpf(tau))))
    with np.errstate(all="raise", under="ignore"):
        found = float(special.log_mean_survival(power, a, b, tau))
    assert abs(found - exact) <= tolerance(exact)


@pytest.mark.parametrize("row", draw_box() + CORNERS)
def test_purchase_mean_is_the_closed_form_away_from_its_cancellations(row):
    power, a, b, tau = row
    with mp.workdps(90):
        # At a = 1 and at a + b = 1 the printed formula is 0 / 0; a hair beside, ninety digits leave enough of them.
        hair = mp.mpf(10) ** -40
        shape, total = mp.mpf(a) + hair, mp.mpf(a) + mp.mpf(b) + 3 * hair
        fall = 1 - mp.hyp2f1(mp.mpf(power), shape - 1, total - 1, -mp.mpf(tau))
        exact = float(mp.log((total - 1) / (shape - 1) * fall))
    with np.errstate(all="raise", under="ignore"):
        found = float(special.log_mean_purchases(power, a, b, tau))
    assert abs(found - exact) <= tolerance(exact)


@pytest.mark.parametrize("z", [-1e6, -3.0, -1e-9, 1e-9, 0.3, 0.999, 1 - 1e-9])
@pytest.mark.parametrize(("a", "b", "c"), [(0.243, 2.426, 3.219), (30.5, 1.606, 32.1), (500.0, 0.02, 700.0)])
def test_gauss_function_on_both_sides_of_zero(a, b, c, z):
    with mp.workdps(40):
        exact = float(mp.log(mp.hyp2f1(a, b, c, mp.mpf(z))))
    assert abs(float(special.log_gauss(a, b, c, z)) - exact) <= tolerance(exact)


@pytest.mark.parametrize("a", [1e-3, 0.5, 9.99, 10.0, 33.0, 1e3])
@pytest.mark.parametrize("b", [1e-3, 2.0, 9.99, 10.01, 1e4, 1e7])
def test_log_beta_does_not_cancel(a, b):
    exact = mp.log(mp.beta(mp.mpf(a), mp.mpf(b)))
    assert float(abs(special.log_beta(a, b) - exact)) <= 1e-14 * max(1.0, float(abs(exact)))


def test_infinite_power_is_the_limit_of_one_rate():
    a, b, mean = 0.793, 2.426, 3.7
    for function, kernel in (
        (special.log_mean_survival, lambda p: mp.exp(-mean * p)),
        (special.log_mean_purchases, lambda p: (1 - mp.exp(-mean * p)) / p),
    ):
        exact = mp.quad(lambda p, k=kernel: p ** (a - 1) * (1 - p) ** (b - 1) * k(p), [0, 0.01, 0.5, 1]) / mp.beta(a, b)
        assert float(np.exp(function(np.inf, a, b, mean))) == pytest.approx(float(exact), rel=1e-10)
        assert float(function(1e9, a, b, mean / 1e9)) == pytest.approx(float(function(np.inf, a, b, mean)), abs=1e-8)
