"""Net Promoter Score: of answers, counts and groups, over time, and from the score to who leaves and whom to call."""

from __future__ import annotations

from retention_metrics.nps.changes import ScoreChange, change
from retention_metrics.nps.comparisons import ScoreDifference, difference
from retention_metrics.nps.groups import GroupRanks, GroupScores, by_group
from retention_metrics.nps.leaving import LeavingOrder, StayingTable, ordering, recovery, retention
from retention_metrics.nps.responding import Nonresponse, ResponseRates, nonresponse, response_rates
from retention_metrics.nps.scores import PromoterScore, from_counts, score
from retention_metrics.nps.sizes import SampleSize, sample_size
from retention_metrics.nps.trends import ScoreTrend, trend
from retention_metrics.nps.worklists import follow_up, referrals

__all__ = [
    "GroupRanks",
    "GroupScores",
    "LeavingOrder",
    "Nonresponse",
    "PromoterScore",
    "ResponseRates",
    "SampleSize",
    "ScoreChange",
    "ScoreDifference",
    "ScoreTrend",
    "StayingTable",
    "by_group",
    "change",
    "difference",
    "follow_up",
    "from_counts",
    "nonresponse",
    "ordering",
    "recovery",
    "referrals",
    "response_rates",
    "retention",
    "sample_size",
    "score",
    "trend",
]
