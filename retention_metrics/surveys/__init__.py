"""Satisfaction, effort and any other survey item: shares, means, segments, and who answers."""

from retention_metrics.surveys.items import SurveyItem, ces, csat, likert
from retention_metrics.surveys.replies import ResponseTable, response_rate
from retention_metrics.surveys.segments import SegmentAnswers, crosstab

__all__ = ["ResponseTable", "SegmentAnswers", "SurveyItem", "ces", "crosstab", "csat", "likert", "response_rate"]
