# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Where do the formulas come from?
#
# Two models carry most of customer-base analysis: the shifted beta-geometric for customers under contract, the BG/NBD
# for customers without. *Can we derive their formulas from a story that fits in three sentences, and check each by
# playing the story out?*
#
# We derive by hand, simulate with NumPy alone, and ask the library last.

# %%
# %matplotlib inline
import numpy as np
import pandas as pd
from scipy import special

import retention_metrics as rm

# %% [markdown]
# ## Part one: a coin at every renewal
#
# **The story.** At each renewal a customer tosses a coin of their own and leaves with probability $\theta$. The coin
# never changes. Coins differ between customers as $\theta \sim \mathrm{Beta}(\alpha, \beta)$.
#
# One customer is still there after $t$ renewals with probability $(1 - \theta)^t$. We do not know the coin, so we
# average over all coins:
#
# $$
# S(t) = \int_0^1 (1-\theta)^t \, \frac{\theta^{\alpha-1} (1-\theta)^{\beta-1}}{B(\alpha,\beta)} \, \mathrm{d}\theta
#      = \frac{B(\alpha, \beta+t)}{B(\alpha, \beta)} ,
# $$
#
# for the integrand is a beta density again, but for its constant. Let 100,000 customers toss.

# %%
rng = np.random.default_rng(2005)
alpha, beta = 0.668, 3.806
customers = 100_000
coins = rng.beta(alpha, beta, size=customers)
tosses = rng.random((12, customers)) < coins  # True: leaves
stays = ~np.logical_or.accumulate(tosses, axis=0)

t = np.arange(1, 13)
formula = special.beta(alpha, beta + t) / special.beta(alpha, beta)
survival = pd.DataFrame({"t": t, "simulated": stays.mean(axis=1), "S(t)": formula})
survival.iloc[[0, 1, 6, 11]].round(4)

# %% [markdown]
# ## Why retention rises although nobody changes
#
# The retention rate is $r_t = S(t)/S(t-1)$. One step of the beta function is a ratio,
#
# $$
# r_t = \frac{B(\alpha, \beta+t)}{B(\alpha, \beta+t-1)} = \frac{\beta+t-1}{\alpha+\beta+t-1} ,
# $$
#
# which rises. Look at the coins of those who are still there: a survivor's coin is $\mathrm{Beta}(\alpha, \beta+t)$
# by Bayes' rule, so the mean coin falls. The customers did not grow loyal; the others left.

# %%
still = [coins.mean(), *(coins[row].mean() for row in stays)]
by_tenure = np.arange(13)
survivors = pd.DataFrame(
    {
        "renewals_passed": by_tenure,
        "mean_coin": still,
        "alpha / (alpha + beta + t)": alpha / (alpha + beta + by_tenure),
    }
)
survivors.iloc[[0, 1, 6, 12]].round(4)

# %% [markdown]
# ## Back from the counts to the coins
#
# Nobody sees a coin. What one sees is how many are left, and that is enough: from the counts of eight points in time
# the likelihood finds the two parameters again.

# %%
seen = [customers, *stays[:7].sum(axis=1)]
fit = rm.clv.ShiftedBetaGeometric.fit_survivors(seen)
for name, interval in fit.intervals().items():
    print(f"{name} = {getattr(fit.model, name):.3f} ({interval.low:.3f} to {interval.high:.3f})")
print("both intervals hold the truth:", alpha in fit.intervals()["alpha"] and beta in fit.intervals()["beta"])

# %% [markdown]
# One churn rate for all can be made to agree at the seventh renewal. Five renewals later it is far off:

# %%
constant = 1 - (seen[7] / seen[0]) ** (1 / 7)
later = pd.DataFrame(
    {
        "renewals": [7, 12],
        "simulated": stays.mean(axis=1)[[6, 11]],
        "shifted_beta_geometric": fit.model.survival([7, 12]),
        "one_churn_rate": (1 - constant) ** np.array([7, 12]),
    }
)
later.round(3)

# %% [markdown]
# ## Part two: a coin after every purchase
#
# **The story.** While alive a customer buys at random at rate $\lambda$. After each repeat purchase they toss a coin
# and leave with probability $p$. Rates differ as $\lambda \sim \Gamma(r, \alpha)$, coins as
# $p \sim \mathrm{Beta}(a, b)$, independently.
#
# Play it out: times between purchases are exponential, the purchase at which a customer leaves is geometric. That is
# all the code below says.

# %%
rng = np.random.default_rng(2005)
r, alpha, a, b = 0.243, 4.414, 0.793, 2.426
T, ahead = 39.0, 39.0
customers = 100_000
rate = rng.gamma(r, 1 / alpha, size=customers)
coin = rng.beta(a, b, size=customers)
leaves_at = rng.geometric(coin)  # the repeat purchase after which the customer is gone

frequency, recency, bought_later = np.zeros(customers, int), np.zeros(customers), np.zeros(customers, int)
who, now = np.arange(customers), np.zeros(customers)
while who.size:
    now = now + rng.exponential(1 / rate[who])
    before = now <= T
    frequency[who[before]] += 1
    recency[who[before]] = now[before]
    bought_later[who[~before & (now <= T + ahead)]] += 1
    goes_on = (frequency[who] + bought_later[who] < leaves_at[who]) & (now <= T + ahead)
    who, now = who[goes_on], now[goes_on]
alive = frequency < leaves_at
played = pd.DataFrame({"frequency": frequency, "recency": recency, "alive": alive, "bought_later": bought_later})
played.head(4).round(2)

# %% [markdown]
# ## Nothing at all
#
# No purchase in $(0, T]$ has probability $e^{-\lambda T}$; the gamma average of it is $(\alpha/(\alpha+T))^r$.

# %%
print(f"simulated {np.mean(frequency == 0):.4f}, by the formula {(alpha / (alpha + T)) ** r:.4f}")

# %% [markdown]
# ## How many by time t
#
# The customer's $j$-th purchase comes if $j$ arrivals fit into $t$ and the coin allowed $j - 1$ times. Summed over
# $j$ and averaged over rates and coins this is equation 9 of Fader, Hardie and Lee (2005):
#
# $$
# E[X(t)] = \frac{a+b-1}{a-1} \left[ 1 - \left(\frac{\alpha}{\alpha+t}\right)^r
#           {}_2F_1\!\left(r, b; a+b-1; \tfrac{t}{\alpha+t}\right) \right] .
# $$


# %%
def expected_by(t: float) -> float:
    """Equation 9."""
    series = special.hyp2f1(r, b, a + b - 1, t / (alpha + t))
    return (a + b - 1) / (a - 1) * (1 - (alpha / (alpha + t)) ** r * series)


print(f"39 weeks: simulated {frequency.mean():.3f}, by the formula {expected_by(T):.3f}")
print(f"78 weeks: simulated {(frequency + bought_later).mean():.3f}, by the formula {expected_by(T + ahead):.3f}")

# %% [markdown]
# ## Two ways to be silent
#
# A customer with $x$ purchases, the last at $t_x$, has been silent for $T - t_x$. Either the coin let them stay $x$
# times and no purchase came since, or it made them leave at the last. For given $\lambda$ and $p$ these have the
# likelihoods
#
# $$
# (1-p)^x \lambda^x e^{-\lambda T} \quad \text{and} \quad p\,(1-p)^{x-1} \lambda^x e^{-\lambda t_x} .
# $$
#
# Averages of such products over a beta and a gamma distribution are ratios of beta functions and powers again. The
# second over the first is the odds of being gone:
#
# $$
# \frac{P(\text{gone})}{P(\text{alive})}
#   = \frac{B(a+1, b+x-1)}{B(a, b+x)} \left(\frac{\alpha+T}{\alpha+t_x}\right)^{r+x}
#   = \frac{a}{b+x-1} \left(\frac{\alpha+T}{\alpha+t_x}\right)^{r+x} .
# $$
#
# The customers above know whether they are alive. We sort them by frequency and last purchase, and count.


# %%
def probability_alive(x: np.ndarray, t_x: np.ndarray) -> np.ndarray:
    """One over one plus the odds of being gone, of customers with a repeat purchase."""
    return 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x))


again = frequency > 0
table = pd.DataFrame(
    {
        "frequency": pd.cut(frequency[again], [0, 1, 3, 7, np.inf], labels=["1", "2-3", "4-7", "8 or more"]),
        "last_purchase": pd.cut(recency[again], [0, 13, 26, 39], labels=["week 0-13", "14-26", "27-39"]),
        "alive": alive[again],
        "formula": probability_alive(frequency[again], recency[again]),
    }
)
counted = table.groupby(["frequency", "last_purchase"], observed=True)[["alive", "formula"]].mean()
counted.unstack().round(2)

# %%
print(f"largest difference: {(counted['alive'] - counted['formula']).abs().max():.3f}")

# %% [markdown]
# Read along a row: the later the last purchase, the more alive. Read down the first column: of customers who have
# long been silent, the frequent ones are *less* likely alive, for silence is unlike them.
#
# ## What comes next
#
# Who is alive at $T$ starts over, with rates $\Gamma(r+x, \alpha+T)$ and coins $\mathrm{Beta}(a, b+x)$: the
# expectation above with those in the place of the old ones, times the probability of being alive, is equation 10. The
# library has it as `expected_purchases`.

# %%
model = rm.clv.BGNBD(r=r, alpha=alpha, a=a, b=b, unit="week")
assert np.allclose(model.probability_alive(frequency[again], recency[again], T), table["formula"])
forecast = model.expected_purchases(frequency, recency, T, horizon=ahead)
groups = pd.cut(frequency, [-1, 0, 1, 3, 7, np.inf], labels=["0", "1", "2-3", "4-7", "8 or more"])
both = pd.DataFrame({"expected": forecast, "simulated": bought_later}).groupby(groups, observed=True).mean()
both.round(3)

# %% [markdown]
# And back: from frequency, recency and T the likelihood, which is the sum of the two averages above, finds the four
# parameters.

# %%
fit = rm.clv.BGNBD.fit(played.assign(T=T))
truth = {"r": r, "alpha": alpha, "a": a, "b": b}
found = pd.DataFrame({"truth": truth, "estimate": dict(zip(truth, fit.model.theta, strict=True))})
found["standard_errors_off"] = (found["estimate"] - found["truth"]) / pd.Series(fit.standard_errors)
found.round(3)

# %%
rm.plotting.probability_alive_matrix(model, T=T).figure

# %% [markdown]
# ## The answer
#
# Yes. A survivor of seven renewals is a beta function away from the story: 0.4888 of the simulated customers were
# left where the formula says 0.4889, and at the twelfth renewal one churn rate for all would have it at 0.293 in
# place of 0.376. Without a contract, the probability of being alive by frequency and last purchase was within 0.009
# of the shares counted, expected purchases were 1.197 where 1.203 came, and the likelihood found $r$ as 0.244 where
# we had put 0.243. Nothing changed in any customer: all that rises and falls is who is left.
#
# ## Exercises
#
# 1. Let the coin be tossed after the first purchase too. Which line of the simulation changes, and what becomes of
#    the probability of being alive at frequency 0? Check with `rm.clv.MBGNBD`.
# 2. Give all customers the same coin, $\theta = 0.15$, in part one, for a few seeds. What does `fit_survivors` say
#    then, and what do $\alpha$ and $\beta$ do where it finds a maximum?
