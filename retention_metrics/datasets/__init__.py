"""Real data to try the library on, each with its source, its licence and its pitfalls."""

from __future__ import annotations

from retention_metrics.datasets.loaders import cdnow, cdnow_master, sfo_survey, telco

__all__ = ["cdnow", "cdnow_master", "sfo_survey", "telco"]
