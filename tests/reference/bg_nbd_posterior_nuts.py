"""Posterior of the BG/NBD on CDNOW by the No-U-Turn sampler: how bg_nbd_posterior_nuts.toml was made.

Nothing here comes from retention_metrics: the likelihood is written out again and the data are lifetimes' own file.
Run: pip install numpyro arviz-stats pandas lifetimes && python bg_nbd_posterior_nuts.py
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pandas as pd
from arviz_stats.base import array_stats
from jax.scipy.special import gammaln
from numpyro import distributions, infer

CHAINS, WARMUP, DRAWS, SEED = 4, 2_000, 25_000, 2005
PROBABILITIES = (0.05, 0.5, 0.95)
PARAMETERS = ("r", "alpha", "a", "b")


def histories() -> pd.DataFrame:
    """The 2,357 customers of the CDNOW sample, in weeks, 39 weeks after the first customer's start."""
    spec = importlib.util.find_spec("lifetimes")
    assert spec is not None
    assert spec.origin is not None
    return pd.read_csv(Path(spec.origin).parent / "datasets" / "cdnow_customers_summary.csv")


def bg_nbd(x: jax.Array, t_x: jax.Array, age: jax.Array) -> None:
    """Fader, Hardie & Lee (2005), equation 6, under the library's default priors."""
    r = numpyro.sample("r", distributions.LogNormal(0.0, 1.5))
    alpha = numpyro.sample("alpha", distributions.LogNormal(jnp.log(age.mean()), 1.5))
    share = numpyro.sample("share", distributions.Uniform(0.0, 1.0))
    total = numpyro.sample("total", distributions.LogNormal(1.0, 1.5))
    a = numpyro.deterministic("a", share * total)
    b = numpyro.deterministic("b", (1 - share) * total)

    arrivals = gammaln(r + x) - gammaln(r) + r * jnp.log(alpha)
    stays = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    alive = -(r + x) * jnp.log(alpha + age)
    odds = jnp.log(a) - jnp.log(b + jnp.maximum(x, 1) - 1) - (r + x) * jnp.log(alpha + t_x)
    numpyro.factor("histories", jnp.sum(arrivals + stays + jnp.where(x > 0, jnp.logaddexp(alive, odds), alive)))


def sample() -> dict[str, np.ndarray[Any, Any]]:
    """Draws of each parameter, a row per chain."""
    columns = histories()
    data = [jnp.asarray(columns[name].to_numpy(float)) for name in ("frequency", "recency", "T")]
    kernel = infer.NUTS(bg_nbd, target_accept_prob=0.9, dense_mass=True)
    sampler = infer.MCMC(kernel, num_warmup=WARMUP, num_samples=DRAWS, num_chains=CHAINS, progress_bar=False)
    sampler.run(jax.random.PRNGKey(SEED), *data)
    found = sampler.get_samples(group_by_chain=True)
    return {name: np.asarray(found[name], dtype=float) for name in PARAMETERS}


def reference() -> str:
    """The text of the reference file."""
    version = importlib.metadata.version
    lines = [
        f'source = "NUTS by numpyro {version("numpyro")} (jax {version("jax")}), {CHAINS} chains of {DRAWS} draws '
        f'after {WARMUP} of warm-up, seed {SEED}; made by bg_nbd_posterior_nuts.py beside this file"',
        f"probabilities = {list(PROBABILITIES)}",
    ]
    for name, draws in sample().items():
        quantiles = np.quantile(draws, PROBABILITIES)
        errors = [float(array_stats.mcse(draws, method="quantile", prob=p)) for p in PROBABILITIES]
        lines += [
            f"\n[parameters.{name}]",
            f"mean = {draws.mean():.6f}",
            f"sd = {draws.std():.6f}",
            f"quantiles = {[round(float(value), 6) for value in quantiles]}",
            f"monte_carlo_errors = {[round(value, 7) for value in errors]}",
            f"effective_draws = {float(array_stats.ess(draws)):.0f}",
            f"r_hat = {float(array_stats.rhat(draws)):.5f}",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    numpyro.enable_x64()
    Path(__file__).with_suffix(".toml").write_text(reference())
