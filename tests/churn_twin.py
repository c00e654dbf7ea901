"""Churn counted by Python sets, customer by customer and instant by instant: what the engine is held against."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from fractions import Fraction

NEVER = dt.date.max
DEFINITIONS = (
    "standard",
    "chartmogul",
    "stripe",
    "gross",
    "midpoint",
    "all_over_start",
    "baremetrics",
    "profitwell",
    "recurly",
)


def spells_of(rows, as_of):
    """Each customer's days as a customer, cut into runs: (first day, first day after)."""
    intervals = defaultdict(list)
    for who, start, end, *_ in rows:
        if start <= as_of and start != end:
            intervals[who].append((start, NEVER if end is None or end > as_of else end))
    found = {}
    for who, listed in intervals.items():
        spells = []
        for start, end in sorted(listed):
            if spells and start <= spells[-1][1]:
                spells[-1] = (spells[-1][0], max(spells[-1][1], end))
            else:
                spells.append((start, end))
        found[who] = spells
    return found


def there(spells, edge):
    """Who is a customer at the last instant before a day."""
    return {who for who, listed in spells.items() if any(start < edge <= end for start, end in listed)}


def facts(spells, first, after):
    """The sets and the endings from which every definition follows."""
    endings = [(who, end) for who, listed in spells.items() for _, end in listed if first <= end < after]
    starts = {who for who, listed in spells.items() for start, _ in listed if first <= start < after}
    joined = {who for who, listed in spells.items() if first <= listed[0][0] < after}
    return {
        "start": there(spells, first),
        "end": there(spells, after),
        "endings": endings,
        "joined": joined,
        "came_back": {who for who in starts for start, _ in spells[who][1:] if first <= start < after},
    }


def churn(spells, first, after, definition):
    """Numerator and denominator of a definition, in the words of its formula."""
    known = facts(spells, first, after)
    start, end, endings, joined, back = (known[name] for name in ("start", "end", "endings", "joined", "came_back"))
    leavers = {who for who, _ in endings}
    numerators = {
        "standard": len(start - end),
        "chartmogul": len(endings) - sum(who in joined or who in back for who, _ in endings),
        "gross": len(start & leavers),
        "baremetrics": len(leavers),
        "profitwell": len(leavers - joined),
        "recurly": len(leavers - end),
    }
    denominators = {"stripe": len(start) + len(joined), "midpoint": Fraction(len(start) + len(end), 2)}
    return numerators.get(definition, len(endings)), denominators.get(definition, len(start))
