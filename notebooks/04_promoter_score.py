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
# # Would they recommend us?
#
# San Francisco International Airport asks its passengers how likely they are to recommend it, from 0 to 10. *What is
# its score, and does it differ between the terminals?*
#
# The data are real: 2,831 interviews of May 2017.

# %%
# %matplotlib inline
import retention_metrics as rm

survey = rm.datasets.sfo_survey()
survey[["respondent_id", "terminal_area", "nps_raw", "weight"]].head()

# %% [markdown]
# ## First, the answers that are none
#
# The scale ends at 10. What stands beyond it?

# %%
survey["nps_raw"].value_counts().sort_index()

# %%
try:
    rm.nps.score(survey, rating="nps_raw")
except rm.errors.InputError as error:
    print(error)

# %% [markdown]
# The questionnaire codes a blank as 11. Counted as promoters these would lift the score; they are set to missing, and
# the result says how many were left out.

# %%
survey["rating"] = survey["nps_raw"].mask(survey["nps_raw"] == 11)
airport = rm.nps.score(survey, rating="rating")
airport

# %%
airport.explain()

# %%
airport.plot().figure

# %%
flattered = rm.nps.score(survey["nps_raw"].dropna().clip(upper=10).to_numpy(dtype=int))
print(f"{flattered.estimate:.1f} with the blanks as promoters, {airport.estimate:.1f} without")

# %% [markdown]
# ## Whom do they stand for?
#
# Passengers were not sampled evenly, and `weight` corrects for it. Uneven weights cost precision: the answers are
# worth as many even ones as the effective number says.

# %%
weighted = rm.nps.score(survey, rating="rating", survey_weights="weight")
print(f"{weighted.estimate:.1f} points ({weighted.interval.low:.1f} to {weighted.interval.high:.1f})")
print(f"{weighted.responses} answers, worth {weighted.effective_n:.0f} even ones")

# %% [markdown]
# ## The terminals

# %%
areas = {area: rm.nps.score(rows, rating="rating") for area, rows in survey.groupby("terminal_area")}
for area, score in sorted(areas.items(), key=lambda item: -item[1].estimate):
    low, high = score.interval.low, score.interval.high
    print(f"{area}  {score.estimate:5.1f}  ({low:5.1f} to {high:5.1f})  {score.responses:4} answers")

# %% [markdown]
# Intervals that overlap do not settle whether two scores differ; the difference has an interval of its own. Seven areas
# make 21 pairs, and at the level of 95 % one of 20 pairs seems to differ where none does. So the level is raised to
# 1 − 0.05/21 for each (Bonferroni).

# %%
names = sorted(areas)
pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
gaps = {(a, b): rm.nps.difference(areas[a], areas[b], level=1 - 0.05 / len(pairs)) for a, b in pairs}
print(sum(gap.p_value < 0.05 for gap in gaps.values()), "of", len(gaps), "pairs differ with p below 0.05,")
print(sum(0 not in gap.interval for gap in gaps.values()), "once all the comparisons are allowed for")

# %%
(a, b), widest = min(gaps.items(), key=lambda item: item[1].p_value)
low, high = widest.interval.low, widest.interval.high
print(f"{a} − {b}: {widest.estimate:.1f} points ({low:.1f} to {high:.1f}), p = {widest.p_value:.4f}")

# %% [markdown]
# ## How many to ask
#
# To know a terminal's score to 5 points either way, with shares like the airport's:

# %%
rm.nps.sample_size(margin=5, promoters=airport.promoter_share, detractors=airport.detractor_share)

# %% [markdown]
# ## The answer
#
# The airport scores 39.8 points, and the score of all its passengers lies between 37.5 and 43.2 with 40.4 as the best
# guess once the answers are weighted; with the blanks counted as promoters it would have claimed 41.6. The terminals
# run from 33.0 to 46.9, but of 21 pairs 3 differ with p below 0.05 and 0 once all are allowed for: no terminal is shown
# to be better than another.
#
# ## Exercises
#
# 1. Score the answers by `times_flown`. Do those who fly often recommend the airport less?
# 2. Compare `method="wald"` with `"score"` for the first ten answers, and for ten promoters. What goes wrong?
