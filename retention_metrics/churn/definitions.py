"""The definitions of churn in use, each with its formula and who published it.

A definition is a numerator over a denominator, both counted in one window. What the numerators count is said by
``WindowCounts`` of the engine; customers at the start are S, those at the end E.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from retention_metrics import _checks

DefinitionName = Literal[
    "standard",
    "chartmogul",
    "stripe",
    "gross",
    "midpoint",
    "all_over_start",
    "baremetrics",
    "profitwell",
    "recurly",
]
Denominator = Literal["start", "start_and_joined", "midpoint"]

DENOMINATORS: Mapping[str, str] = MappingProxyType(
    {
        "start": "start_customers",
        "start_and_joined": "start_customers + joined",
        "midpoint": "(start_customers + end_customers) / 2",
    }
)
"""Each denominator as an expression of the counts."""


@dataclass(frozen=True)
class Definition:
    """One way to count churn: ``proportion`` where the churned are among those of the denominator."""

    name: DefinitionName
    numerator: str
    denominator: Denominator
    formula: str
    publisher: str
    title: str
    proportion: bool = False

    @property
    def source(self) -> str:
        """Publisher and title in one line."""
        return f"{self.publisher}: {self.title}."


_OURS = "retention-metrics"

DEFINITIONS: Mapping[str, Definition] = MappingProxyType(
    {
        definition.name: definition
        for definition in (
            Definition(
                name="standard",
                numerator="gone",
                denominator="start",
                formula="customers at the start who are gone at the end / customers at the start",
                publisher=_OURS,
                title="one less the retention of the customers at the start",
                proportion=True,
            ),
            Definition(
                name="chartmogul",
                numerator="once",
                denominator="start",
                formula="(endings - endings of customers who joined in the window - endings of customers who came back "
                "in it) / customers at the start",
                publisher="ChartMogul",
                title="Customer Churn Rate",
                proportion=True,
            ),
            Definition(
                name="stripe",
                numerator="endings",
                denominator="start_and_joined",
                formula="endings / (customers at the start + customers who joined in the window)",
                publisher="Stripe",
                title="Calculating churn rate in Billing",
            ),
            Definition(
                name="gross",
                numerator="carried",
                denominator="start",
                formula="customers at the start with an ending, back or not / customers at the start",
                publisher=_OURS,
                title="leavers among the customers at the start",
                proportion=True,
            ),
            Definition(
                name="midpoint",
                numerator="endings",
                denominator="midpoint",
                formula="endings / mean of the customers at the start and at the end",
                publisher=_OURS,
                title="endings over the mean of both ends",
            ),
            Definition(
                name="all_over_start",
                numerator="endings",
                denominator="start",
                formula="endings / customers at the start",
                publisher=_OURS,
                title="all endings over the customers at the start",
            ),
            Definition(
                name="baremetrics",
                numerator="leavers",
                denominator="start",
                formula="customers with an ending, joiners too / customers at the start",
                publisher="Baremetrics",
                title="User and Revenue Churn; Churn Update",
            ),
            Definition(
                name="profitwell",
                numerator="older",
                denominator="start",
                formula="customers with an ending who did not join in the window / customers at the start",
                publisher="ProfitWell",
                title="Are cancellations in the first month counted as churn?",
            ),
            Definition(
                name="recurly",
                numerator="final",
                denominator="start",
                formula="customers whose last subscription ended in the window / customers at the start",
                publisher="Recurly",
                title="Key terms related to churn, defined",
            ),
        )
    }
)


def definition_of(name: DefinitionName) -> Definition:
    """A definition by its name."""
    return DEFINITIONS[_checks.choice(name, tuple(DEFINITIONS), name="definition")]
