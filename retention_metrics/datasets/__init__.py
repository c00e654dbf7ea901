"""Data to try the library on: real, with source, licence and pitfalls, and simulated, with its truth."""

from __future__ import annotations

from retention_metrics.datasets.loaders import cdnow, cdnow_master, sfo_survey, telco
from retention_metrics.datasets.simulated import simulate_subscriptions

__all__ = ["cdnow", "cdnow_master", "sfo_survey", "simulate_subscriptions", "telco"]
