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
# # Why does an agency stop growing, and when does another rep pay?
#
# A rep brings a client of 10,000 dollars a month every six months. Clients stay for a year on average. *Where does the
# revenue stop, what would move it, and what may another rep cost?*
#
# For a class: every number below can be worked by hand, and each one is checked against a second way of getting it.

# %%
# %matplotlib inline
import numpy as np
import pandas as pd

import retention_metrics as rm
from retention_metrics import contracts, growth

REP = {"new_clients_per_month": 1 / 6, "monthly_fee": 10_000}

# %% [markdown]
# ## The plateau
#
# Whoever is there leaves with a chance of one in twelve a month. First clients are lost, then others arrive. The more
# there are the more leave, until as many leave as come.

# %%
level = growth.plateau(**REP, lifetime_months=12)
print(level.explain())

# %%
for month in (6, 12, 24):
    print(f"month {month:2}  {level.rows()[month - 1]['revenue']:,.0f}")
print(f"half in {level.months_to(0.5)} months, 90 % in {level.months_to(0.9)}")

# %%
level.plot().figure

# %% [markdown]
# The same by rolling dice for 20,000 reps:

# %%
rng = np.random.default_rng(2019)
clients = np.zeros(20_000, dtype=int)
for month in range(1, 25):
    clients = rng.binomial(clients, 1 - 1 / 12) + rng.binomial(1, 1 / 6, clients.size)
    if month in (6, 12, 24):
        print(f"month {month:2}  {10_000 * clients.mean():,.0f}")

# %% [markdown]
# The mean is smooth; a single rep is not. How many clients does a rep have after two years?

# %%
for number, share in enumerate(np.bincount(clients, minlength=5)[:5] / clients.size):
    print(f"{number} clients  {share:.0%}")

# %% [markdown]
# ## What moves it
#
# More sales raise the level and not the pace; a longer lifetime raises the level and takes longer. In money, half as
# much again of anything is worth the same:

# %%
level.levers(by=0.5).to_frame()[["lever", "now", "moved", "plateau", "months_to_half", "months_to_90_percent"]].round(2)

# %% [markdown]
# Lifetimes are not known but estimated. Had 10 of 120 clients left in a month:

# %%
churn = rm.churn.rate(start=120, lost=10)
uncertain = growth.plateau(**REP, monthly_churn=churn)
print(f"plateau {uncertain.estimate:,.0f}, from {uncertain.interval.low:,.0f} to {uncertain.interval.high:,.0f}")

# %% [markdown]
# ## Another rep
#
# A rule of thumb says: hire while the rep costs less than one client pays. The plateau says: while the rep costs less
# than all of the rep's clients pay.

# %%
rep = growth.hire(**REP, monthly_cost=8_000, lifetime_months=12)
print(f"break-even attainment {rep.break_even_attainment:.0%}")
print(f"cost covered in month {rep.months_to_cover}, all recovered in month {rep.months_to_recover}")

# %%
rep.plot().figure

# %%
for cost in (8_000, 15_000, 25_000):
    rep = growth.hire(**REP, monthly_cost=cost, monthly_churn=churn, rng=np.random.default_rng(2019))
    print(f"{cost:6,}  short rule {rep.short_form_pays!s:5}  plateau {rep.pays!s:5}  chance {rep.probability_pays:.0%}")

# %% [markdown]
# ## Deals are not clients
#
# One rep signs 200 clients who leave within half a year; another signs 40 who stay. Winning a client costs 4,000
# dollars, serving one 300 a month, and each pays 1,000.

# %%
rng = np.random.default_rng(1956)
fast = pd.DataFrame({"rep": "fast", "months": rng.integers(4, 7, 200), "left": True})
calm = pd.DataFrame({"rep": "calm", "months": rng.integers(18, 40, 40), "left": rng.random(40) < 0.5})
ranking = growth.reps(
    pd.concat([fast, calm]),
    rep="rep",
    duration="months",
    churned="left",
    monthly_fee=1_000,
    acquisition_cost=4_000,
    monthly_service_cost=300,
)
shown = ["rep", "clients", "lifetime_months", "low", "high", "value_per_client", "total_value", "probability_longest"]
ranking.to_frame()[shown].round(1)

# %% [markdown]
# A bonus for clients who stay pays for what counts. One of 500 dollars for every six months that a client has stayed
# costs, per client signed:

# %%
bonus = contracts.longevity_bonus(every_months=6, amount=500, monthly_churn=1 / 12)
print(f"{bonus.estimate:.2f} dollars, {bonus.estimate / 500:.3f} bonuses")
bonus.plot().figure

# %% [markdown]
# ## The answer
#
# Revenue stops at 20,000 dollars a month, half of it after 8 months and 90 % after 27, because then clients leave as
# fast as they come. A longer lifetime is worth as much as more sales. A rep at 8,000 dollars pays from 40% of the quota
# on, is covered in month 6 and has returned everything in month 12; the short rule would turn away one at 15,000, who
# pays as well, with a chance of 83%.
#
# ## Exercises
#
# 1. A lifetime of exactly twelve months, one client every six months, the first at once: `survival=[1] * 12 + [0]` and
#    `arrivals="whole"`. Why is the plateau there in month 6?
# 2. A rep is paid 24,000 dollars for each client signed and nothing else, at a margin of 0.4. From which lifetime on
#    does that pay? Work it by hand, then with `growth.hire`.
