"""Which indicators go with staying and leaving: strength of association, ranked, with intervals."""

from retention_metrics.drivers.crosses import DriverCross, cross
from retention_metrics.drivers.ranking import DriverRanking, rank

__all__ = ["DriverCross", "DriverRanking", "cross", "rank"]
