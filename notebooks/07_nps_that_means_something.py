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
# # Which differences in an NPS mean something?
#
# San Francisco International Airport asks its passengers how likely they are to recommend it, from 0 to 10. *What is
# its score, and which of the differences between terminals and purposes of travel are more than chance?*
#
# The data are real: 2,831 interviews of May 2017.

# %%
# %matplotlib inline
import retention_metrics as rm

survey = rm.datasets.sfo_survey()
survey[["respondent_id", "terminal_area", "trip_purpose", "nps_raw", "weight"]].head()

# %% [markdown]
# ## The trap: 11 is a blank
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
flattered = rm.nps.score(survey["nps_raw"].dropna().clip(upper=10).to_numpy(dtype=int))
print(f"{flattered.estimate:.1f} with the blanks as promoters, {airport.estimate:.1f} without")
airport

# %%
airport.plot().figure

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
#
# Each area against all the others, with the weights. Seven tests find something by chance more often than one, so that
# `p_adjusted` is raised by Holm's method; `shrunk` draws the areas together as far as they differ by chance.

# %%
areas = rm.nps.by_group(survey, rating="rating", group="terminal_area", survey_weights="weight")
shown = ["group", "responses", "nps", "low", "high", "shrunk", "difference_from_rest", "p_value", "p_adjusted"]
areas.to_frame()[shown].round(3)

# %%
areas.plot().figure

# %%
rm.plotting.score_funnel(areas).figure

# %% [markdown]
# Which area is the best? The probability that it is, given all the answers:

# %%
areas.best(rng=2017).to_frame().round(2)

# %%
last = areas.rows()[-1]
low, high = last["difference_low"], last["difference_high"]
print(f"{last['group']} against the rest: {last['difference_from_rest']:.1f} points ({low:.1f} to {high:.1f}), "
      f"adjusted p = {last['p_adjusted']:.3f}")  # fmt: skip

# %% [markdown]
# ## The purposes of travel
#
# By the questionnaire's number of the purpose; 0 is a blank. The small ones are drawn furthest to the mean.

# %%
stated = survey.assign(trip_purpose=survey["trip_purpose"].mask(survey["trip_purpose"] == 0))
purposes = rm.nps.by_group(stated, rating="rating", group="trip_purpose", survey_weights="weight")
purposes.to_frame()[shown].round(3)

# %%
rm.plotting.answer_shares(purposes).figure

# %%
for name, table in (("terminals", areas), ("purposes", purposes)):
    raw, kept = (sum(p < 0.05 for p in table.columns[column]) for column in ("p_value", "p_adjusted"))
    print(
        f"{name}: {raw} of {len(table.columns['group'])} differ from the rest with p below 0.05, {kept} once adjusted"
    )

# %% [markdown]
# ## What does a change of 5 points mean?
#
# Next year's survey shows 5 points more. With as many answers as the smallest area, and as all of them:

# %%
for n in (min(areas.columns["responses"]), airport.responses):
    shares = [airport.promoter_share, airport.detractor_share]
    before = {"promoters": round(n * shares[0]), "detractors": round(n * shares[1])}
    moved = round(0.025 * n)
    after = {"promoters": before["promoters"] + moved, "detractors": before["detractors"] - moved}
    scores = [rm.nps.from_counts(**c, passives=n - sum(c.values())) for c in (before, after)]
    gap = rm.nps.difference(scores[1], scores[0])
    print(f"{n} answers: {gap.estimate:.1f} ({gap.interval.low:.1f} to {gap.interval.high:.1f}), p = {gap.p_value:.3f}")

# %%
plan = rm.nps.sample_size(difference=5, power=0.8, promoters=airport.promoter_share, detractors=airport.detractor_share)
print(f"{plan.estimate:.0f} answers in each year to find 5 points with a probability of 80 %")

# %% [markdown]
# ## The answer
#
# The airport scores 39.8 points, and the score of all its passengers lies between 37.5 and 43.2 with 40.4 as the best
# guess once the answers are weighted; with the blanks counted as promoters it would have claimed 41.6. Of the terminals
# 1 of 7 differs from the rest once all are allowed for: G, by 11.2 points. Of the purposes of travel 0 of 10 do, though
# the scores of the small ones run to the top of the scale.
#
# Some 5 points more mean nothing on 166 answers, where the interval runs from -10.0 to 19.6, and something on 2746;
# to find it with a probability of 80 % takes 3070 answers in each year.
#
# ## Exercises
#
# 1. Score the answers by `times_flown`. Do those who fly often recommend the airport less?
# 2. Compare `method="wald"` with `"score"` for the first ten answers, and for ten promoters. What goes wrong?
