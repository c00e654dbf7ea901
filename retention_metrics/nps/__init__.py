"""Net Promoter Score: from answers or counts, with intervals, differences and sample sizes."""

from __future__ import annotations

from retention_metrics.nps.comparisons import ScoreDifference, difference
from retention_metrics.nps.scores import PromoterScore, from_counts, score
from retention_metrics.nps.sizes import SampleSize, sample_size

__all__ = ["PromoterScore", "SampleSize", "ScoreDifference", "difference", "from_counts", "sample_size", "score"]
