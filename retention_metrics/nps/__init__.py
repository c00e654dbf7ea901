"""Net Promoter Score: of answers, counts and groups, over time, and from the score to who leaves and whom to call."""

from __future__ import annotations

from retention_metrics.nps.changes import ScoreChange, change
from retention_metrics.nps.comparisons import ScoreDifference, difference
from retention_metrics.nps.groups import GroupRanks, GroupScores, by_group
from retention_metrics.nps.leaving import LeavingOrder, StayingTable, ordering, recovery, retention
from retention_metrics.nps.lifetimes import Concordance, HazardRatio, concordance, hazard_ratio, retention_curves
from retention_metrics.nps.loops import LoopTable, closed_loop
from retention_metrics.nps.recoveries import recovery_curves
from retention_metrics.nps.responding import Nonresponse, ResponseRates, nonresponse, response_rates
from retention_metrics.nps.scores import PromoterScore, from_counts, score
from retention_metrics.nps.sizes import SampleSize, sample_size
from retention_metrics.nps.trends import ScoreTrend, trend
from retention_metrics.nps.worklists import follow_up, referrals

__all__ = [
    "Concordance",
    "GroupRanks",
    "GroupScores",
    "HazardRatio",
    "LeavingOrder",
    "LoopTable",
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
    "closed_loop",
    "concordance",
    "difference",
    "follow_up",
    "from_counts",
    "hazard_ratio",
    "nonresponse",
    "ordering",
    "recovery",
    "recovery_curves",
    "referrals",
    "response_rates",
    "retention",
    "retention_curves",
    "sample_size",
    "score",
    "trend",
]
