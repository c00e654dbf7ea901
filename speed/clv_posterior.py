"""Posterior of the BG/NBD on CDNOW, beside PyMC-Marketing's where that is installed.

Run: python speed/clv_posterior.py. The peer samples the same model under its own default priors, by the No-U-Turn
sampler, two chains on two cores; what is compared is the time for equally many effective draws of the parameter that
has the fewest.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from arviz_stats.base import array_stats
from numpy.typing import NDArray

import retention_metrics as rm
from retention_metrics import clv

PARAMETERS = ("r", "alpha", "a", "b")
TARGET = 100
Draws = dict[str, NDArray[np.float64]]


def history() -> pd.DataFrame:
    """The 2,357 customers of the CDNOW sample in weeks, over the first 39."""
    orders = rm.datasets.cdnow()
    summary = clv.rfm_summary(orders, customer="customer_id", time="date", unit="week", as_of="1997-09-30")
    return summary.to_frame()


def ours(frame: pd.DataFrame, *, draws: int, repeats: int = 7) -> None:
    """Print the best time, and what the draws are worth."""
    fit = clv.BGNBD.fit(frame)
    posterior = fit.posterior(draws=draws, rng=2005)  # loads ArviZ
    taken = min(_seconds(lambda: fit.posterior(draws=draws, rng=2005)) for _ in range(repeats))
    print(f"ours: {taken:.3f} s for {draws} draws worth {posterior.effective_draws:.0f}, khat {posterior.khat:.2f}")
    print(f"ours: {1e3 * taken / posterior.effective_draws:.4f} s for 1,000 effective draws")


def theirs(frame: pd.DataFrame, *, draws: int) -> None:
    """Print the time of the peer, in which it also compiles its sampler, and what its draws are worth."""
    from pymc_marketing.clv import BetaGeoModel

    model = BetaGeoModel(data=frame[["customer_id", "frequency", "recency", "T"]])
    model.build_model()
    keys = {"draws": draws, "tune": 1000, "chains": 2, "cores": 2, "random_seed": 2005, "progressbar": False}
    taken = _seconds(lambda: model.fit(method="mcmc", **keys))
    group = model.idata.posterior
    found = {name: np.asarray(group[name]) for name in PARAMETERS}
    fewest = min(float(array_stats.ess(values)) for values in found.values())
    means = ", ".join(f"{name} {values.mean():.3f}" for name, values in found.items())
    print(f"PyMC-Marketing: {taken:.1f} s for 2 x {draws} draws worth {fewest:.0f}; means {means}")
    print(f"PyMC-Marketing: {1e3 * taken / fewest:.4f} s for 1,000 effective draws; to reach: {TARGET} times as fast")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure ours, and the peer's where it can be imported."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4800)
    draws = parser.parse_args().draws
    # The peer and what it stands on warn about their own future; that is not what is measured here.
    warnings.simplefilter("ignore")
    frame = history()
    ours(frame, draws=draws)
    if importlib.util.find_spec("pymc_marketing") is None:
        print("PyMC-Marketing is not installed: nothing to compare with.")
    else:
        theirs(frame, draws=2000)


if __name__ == "__main__":
    main()
