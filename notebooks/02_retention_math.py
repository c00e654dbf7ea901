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
# # Why does an agency stop growing?
#
# It wins a client of \$10,000 a month every six months, and every client stays a year on average. *Where does the
# revenue level off, and what would lift it?* On the way: the retention rate, churn, and lifetime, each with its
# working.

# %%
# %matplotlib inline
import retention_metrics as rm

# %% [markdown]
# ## The retention rate
#
# A hundred customers at the start, ninety of them left at the end. New customers do not count.

# %%
rate = rm.retention.rate(start=100, end=90)
rate

# %%
rate.explain()

# %% [markdown]
# Ninety of a hundred is one draw of a process: with another hundred like them it might have been 85 or 94. The Wilson
# interval says how far the rate behind the count may lie from it.

# %%
rate.plot().figure

# %% [markdown]
# A count of joiners that includes those who left again understates the rate. Take a March in which 12 of 100 customers
# leave and 2 of those return, while 20 join and 2 of them leave again. From the subscriptions themselves:

# %%
import pandas as pd

rows = [(client, "2024-01-01", "2024-03-10" if client < 12 else None) for client in range(100)]
rows += [(client, "2024-03-20", None) for client in (0, 1)]
rows += [(client, "2024-03-05", "2024-03-15" if client < 102 else None) for client in range(100, 120)]
subscriptions = pd.DataFrame(rows, columns=["client", "start", "end"])
march = rm.retention.from_subscriptions(
    subscriptions, customer="client", start="start", end="end", as_of="2024-03-31"
).rows()[-1]
march

# %% [markdown]
# 90 of the 100 are there at the end, and 108 in all. With the 18 joiners who stayed the counts give the same rate; with
# all 20 they do not:

# %%
by_id = rm.retention.rate(start=100, end=108, new=18)
by_count = rm.retention.rate(start=100, end=108, new=20)
march["rate"], by_id.estimate, by_count.estimate

# %% [markdown]
# ## Churn, and churn of another period
#
# Five percent a month is not sixty percent a year: who left in January cannot leave again in February.

# %%
yearly = rm.churn.convert(0.05, per="month", to="year")
yearly.explain()

# %% [markdown]
# ## Lifetime
#
# With the same churn in every month the mean lifetime is its reciprocal. Twelve months mean 8.33 % a month.

# %%
monthly = rm.churn.from_lifetime(12)
monthly.explain()

# %%
band = rm.benchmarks.get("client_lifetime.agency")
band.classify(12).label("en"), band.source.publisher, band.source.tier

# %% [markdown]
# And what is such a client worth, at a margin of \$3,000 a month and 1 % of interest a month?

# %%
rm.clv.simple_value(margin=3_000, retention_rate=1 - monthly.estimate, discount_rate=0.01).explain()

# %% [markdown]
# ## The plateau
#
# Each month a twelfth of the clients leave and a sixth of a client joins. Where the two are equal, growth ends.

# %%
agency = rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12)
agency.explain()

# %%
agency.plot().figure

# %%
path = {row["month"]: row["revenue"] for row in agency.rows()}
{month: round(path[month]) for month in (6, 12, 24)}

# %%
agency.months_to(0.5), agency.months_to(0.9)

# %% [markdown]
# ## What lifts it
#
# A second rep doubles the level and leaves the pace as it is. A longer lifetime raises the level and takes longer to
# get there.

# %%
two_reps = rm.growth.plateau(new_clients_per_month=2 / 6, monthly_fee=10_000, lifetime_months=12)
longer = rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=18)
for name, case in (("as it is", agency), ("two reps", two_reps), ("18 months", longer)):
    print(f"{name:10} {case.estimate:8,.0f} a month, 90 % of it after {case.months_to(0.9)} months")

# %% [markdown]
# Churn need not be the same in every month. Counted shares do as well: of a cohort 80 % are there after three months,
# and 70 % after six. Past the counts something must be assumed, and the result says what.

# %%
counted = rm.growth.plateau(
    new_clients_per_month=1 / 6,
    monthly_fee=10_000,
    survival=[1, 0.92, 0.85, 0.80, 0.76, 0.73, 0.70],
    tail="constant_hazard",
)
round(counted.estimate), round(counted.lifetime_months, 1), counted.notes

# %% [markdown]
# ## How sure is the lifetime?
#
# A year on average, but measured on how many clients? Of 24 clients 2 left last month.

# %%
churned = rm.churn.rate(start=24, lost=2)
lifetime = rm.churn.lifetime(churned)
lifetime.estimate, lifetime.interval

# %% [markdown]
# Which band is that? With so few clients it may be any of the four:

# %%
place = band.classify(lifetime)
place.band, place.bands

# %% [markdown]
# Every result goes to JSON and back, so it can be kept and compared later.

# %%
import json

stored = json.dumps(lifetime.to_dict())
restored = rm.from_dict(json.loads(stored))
type(restored).__name__, restored == lifetime

# %% [markdown]
# ## The answer
#
# The agency levels off at \$20,000 a month, two clients, because there a twelfth of them equals a sixth of a client:
# it loses what it wins. Half of that is reached in 8 months and 90 % in 27. More reps raise the level, a longer
# lifetime raises it too, and the lifetime itself is known only roughly from a few clients.
#
# ## Exercises
#
# 1. At which lifetime does one rep reach \$30,000 a month? Solve it with the formula, then check with `plateau`.
# 2. Of 200 customers 190 stay in a month. Give the yearly retention rate and its interval in two ways.
