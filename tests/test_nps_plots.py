"""Plots of scores show the numbers of the table."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from matplotlib.figure import Figure

import retention_metrics as rm
from retention_metrics import plotting
from retention_metrics.errors import InputError

approx = pytest.approx
COUNTS = {"$x_1$": (30, 10, 2), "Bo": (20, 20, 60), "Cy": (0, 0, 0)}


def answers():
    rows = [(rep, score) for rep, (p, s, d) in COUNTS.items() for score in [10] * p + [7] * s + [2] * d]
    return pd.DataFrame([*rows, ("Cy", None)], columns=["rep", "score"])


def table(**options):
    return rm.nps.by_group(answers(), rating="score", group="rep", **options)


def test_bars_end_at_the_scores_with_a_diamond_at_the_shrunk_ones():
    axes = table().plot()
    shown = [row for row in table().rows() if row["nps"] is not None]
    assert [bar.get_width() for bar in axes.patches] == approx([row["nps"] for row in shown])
    diamonds = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() == "D"]
    assert diamonds == approx([row["shrunk"] for row in shown])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$x_1$  (42)", "Bo  (100)", "Cy  (0)"]
    assert axes.texts[0].get_text() == "no_responses"


def test_answers_diverge_about_the_passives():
    axes = plotting.answer_shares(table())
    bars = axes.patches
    assert bars[0].get_x() == approx(-100 * (2 / 42 + 5 / 42))
    assert bars[6].get_x() + bars[6].get_width() == approx(100 * (30 / 42 + 5 / 42))


def test_the_funnel_narrows_with_the_root_of_the_answers():
    axes = plotting.score_funnel(table(), level=0.9, outer=0.99)
    points = next(line for line in axes.lines if line.get_marker() == "o")
    assert list(points.get_xdata()) == [42, 100]
    inner_low, inner_high = axes.lines[0], axes.lines[1]
    n, low = inner_low.get_xdata(), inner_low.get_ydata()
    centre = float(axes.lines[4].get_ydata()[0])
    assert centre == approx(100 * (50 - 62) / 142)
    variance = 112 / 142 - (12 / 142) ** 2
    assert centre - low[-1] == approx(1.6448536 * 100 * math.sqrt(variance / n[-1]))
    assert inner_high.get_ydata()[-1] - centre == approx(centre - low[-1])
    assert [text.get_text() for text in axes.texts] == ["$x_1$", "Bo"]
    with pytest.raises(InputError, match="no group"):
        plotting.score_funnel(_emptied(table()))


def _emptied(found):
    data = found.to_dict()
    for column in data["columns"]:
        if column["name"] == "nps":
            column["values"] = [None] * len(column["values"])
    return rm.from_dict(data)


@pytest.mark.parametrize("level", [0.95, None])
def test_a_trend_marks_signals_and_cut_periods(level):
    days = pd.date_range("2024-01-01", periods=130)
    scores = [10, 9, 8, 3] * 23 + [2, 3, 9, 5] * 9 + [3] * 2
    found = rm.nps.trend(
        pd.DataFrame({"day": days, "score": scores}), rating="score", time="day", baseline=3, level=level
    )
    axes = found.plot()
    shapes = [line.get_marker() for line in axes.lines if len(line.get_xdata()) == 1]
    assert shapes == ["s" if row["signal"] else "o" for row in found.rows()]
    assert "s" in shapes
    faces = [line.get_markerfacecolor() for line in axes.lines if len(line.get_xdata()) == 1]
    assert [face == "white" for face in faces] == [row["status"] == "incomplete" for row in found.rows()]


def test_who_stayed_is_drawn_on_the_axes_given():
    clients = pd.DataFrame({"score": [10, 9, 7, 3], "left": [0, 1, 0, 1]})
    axes = Figure().subplots()
    found = rm.nps.retention(clients, rating="score", churned="left")
    assert found.plot(ax=axes) is axes
    assert [bar.get_width() for bar in axes.patches] == [0.5, 1.0, 0.0]
