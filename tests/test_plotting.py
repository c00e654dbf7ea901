"""Plots: what is drawn is what the answer says, on the axes asked for, and nothing else is touched."""

from __future__ import annotations

import inspect
import itertools
import math
import subprocess
import sys

import duckdb
import matplotlib as mpl
import numpy as np
import pandas as pd
import polars as pl
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

import retention_metrics as rm
from examples import EXAMPLES, purchases
from places import ROOT
from retention_metrics import plotting
from retention_metrics.errors import InputError
from retention_metrics.plotting import _BY_KIND, canvas

approx = pytest.approx
MATHS = "a$x_1$ & <b>$b$</b> \\frac"


def visits():
    """Five customers from the first week on, some of whom come back; two groups with awkward names."""
    seen = {"A": [0, 8, 15], "B": [0, 9], "C": [1, 22], "D": [7, 16], "E": [14]}
    start = pd.Timestamp("2024-01-01")
    rows = [
        (who, start + pd.Timedelta(days=day), MATHS if who in "AB" else "plain") for who in seen for day in seen[who]
    ]
    return pd.DataFrame(rows, columns=["who", "day", "group"])


LOG = {"customer": "who", "time": "day"}
WEEKS = {**LOG, "period": "week", "since": "2024-01-01", "as_of": "2024-01-24"}


def cohorts(**options):
    return rm.retention.cohorts(visits(), **WEEKS, **options)


def by_period(**options):
    return rm.retention.by_period(visits(), **WEEKS, **options)


def day_n(**options):
    return rm.retention.day_n(visits(), **LOG, days=range(1, 9), since="2024-01-01", as_of="2024-01-24", **options)


def churn(**options):
    clients = pd.DataFrame({"rep": [MATHS] * 4 + ["Bo"] * 6, "left": [1, 1, 0, 0, 1, 0, 0, 0, 0, 0]})
    return rm.churn.by_group(clients, churned="left", group="rep", **options)


def subscriptions():
    """Ten customers from January on; six leave in February and March, for reasons with awkward names."""
    ends = ["2024-02-10"] * 3 + ["2024-02-20", "2024-03-08", "2024-03-09"] + [None] * 4
    plans = {"who": [f"c{n}" for n in range(10)], "start": "2024-01-01", "end": ends, "price": 20.0}
    why = [MATHS, MATHS, "price", None, "price", "price", *[None] * 4]
    return pd.DataFrame({**plans, "why": why, "side": [MATHS, "plain"] * 5})


SPELLS = {"customer": "who", "start": "start", "end": "end"}
PLANS = {**SPELLS, "as_of": "2024-03-31"}


def churn_by_month(**options):
    return rm.churn.by_period(subscriptions(), **PLANS, **options)


def reconciled(**options):
    return rm.churn.reconcile(subscriptions(), **SPELLS, window=("2024-02-01", "2024-03-01"), **options)


def reasons():
    return rm.churn.reasons(subscriptions(), **PLANS, reason="why")


def bridge():
    return rm.revenue.movements(subscriptions(), **PLANS, amount="price")


def revenue_cohorts():
    return rm.revenue.by_cohort(subscriptions(), **PLANS, amount="price")


def spread():
    return rm.revenue.concentration([100.0, 200.0, 50.0, 1000.0], resamples=100, rng=2005)


def score(**options):
    return rm.nps.from_counts(promoters=18, passives=11, detractors=2, **options)


def terms():
    named = [rm.contracts.Term(MATHS, 1, fee_rate=0.1, monthly_churn=0.1)]
    named.append(rm.contracts.Term("12 months", 12, fee_rate=0.06, monthly_churn=0.05))
    return rm.contracts.compare(named, monthly_spend=50_000, horizon_months=24, acquisition_cost=60_000)


def plateau():
    return rm.growth.plateau(new_clients_per_month=1 / 6, monthly_fee=10_000, lifetime_months=12)


def predicted():
    return pd.DataFrame(
        {
            "frequency": [0, 0, 1, 2, 9, 12],
            "frequency_holdout": [0, 1, 1, 3, 4, 6],
            "expected_purchases": [0.3, 0.3, 0.9, 2.1, 3.8, 5.5],
        }
    )


def alive(ax=None):
    model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    return plotting.probability_alive_matrix(model, ax, T=39.0)


def drivers():
    parts = {"kept": [1, 1, 0, 1, 0, 0, 1, 0] * 4, "plan": [MATHS, "Bo"] * 16, MATHS: [5, 4, 2, 3, 1, 2, 4, 3] * 4}
    return pd.DataFrame(parts)


def ranking(**options):
    return rm.drivers.rank(drivers(), outcome="kept", indicators=["plan", MATHS], rng=1, **options)


def crossed(**options):
    return rm.drivers.cross(drivers(), outcome="kept", row="plan", column=MATHS, **options)


def placed():
    return rm.benchmarks.get("nps.agency").classify(score())


def segment_moves() -> object:
    roles = {"customer": "who", "time": "when", "value": "paid"}
    return rm.customers.migrations(purchases(), **roles, before="2024-02-15", after="2024-04-20")


def segment_sizes() -> object:
    return rm.customers.segment_sizes(rm.customers.segments(purchases(), customer="who", time="when", value="paid"))


PLOTS = {
    "churn_by_group": lambda ax=None: plotting.churn_by_group(churn(), ax),
    "churn_by_period": lambda ax=None: plotting.churn_by_period(churn_by_month(by="side", kind="why"), ax),
    "churn_definitions": lambda ax=None: plotting.churn_definitions(reconciled(), ax),
    "churn_reasons": lambda ax=None: plotting.churn_reasons(reasons(), ax),
    "cohort_heat_map": lambda ax=None: plotting.cohort_heat_map(cohorts(), ax),
    "contract_comparison": lambda ax=None: plotting.contract_comparison(terms(), ax),
    "draw": lambda ax=None: plotting.draw(score(), ax),
    "driver_cross": lambda ax=None: plotting.driver_cross(crossed(), ax),
    "driver_forest": lambda ax=None: plotting.driver_forest(ranking(), ax),
    "estimate_with_interval": lambda ax=None: plotting.estimate_with_interval(rm.retention.rate(start=100, end=90), ax),
    "expected_against_actual": lambda ax=None: plotting.expected_against_actual(predicted(), ax),
    "lorenz_curve": lambda ax=None: plotting.lorenz_curve(spread(), ax),
    "migration_flow": lambda ax=None: plotting.migration_flow(segment_moves(), ax),
    "net_retention_by_cohort": lambda ax=None: plotting.net_retention_by_cohort(revenue_cohorts(), ax),
    "placement_bullet": lambda ax=None: plotting.placement_bullet(placed(), ax),
    "plateau_path": lambda ax=None: plotting.plateau_path(plateau(), ax),
    "probability_alive_matrix": alive,
    "promoter_score": lambda ax=None: plotting.promoter_score(score(), ax),
    "retention_curve": lambda ax=None: plotting.retention_curve(by_period(by="group"), ax),
    "revenue_bridge": lambda ax=None: plotting.revenue_bridge(bridge(), ax),
    "revenue_layers": lambda ax=None: plotting.revenue_layers(revenue_cohorts(), ax),
    "segment_map": lambda ax=None: plotting.segment_map(segment_sizes(), ax),
}
MODEL = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
PLOTS |= {
    "expected_purchases_matrix": lambda ax=None: plotting.expected_purchases_matrix(MODEL, ax, T=39.0, horizon=39.0),
    "heterogeneity": lambda ax=None: plotting.heterogeneity(MODEL, ax),
    "answer_shares": lambda ax=None: plotting.answer_shares(EXAMPLES["nps.by_group"][0](), ax),
    "score_funnel": lambda ax=None: plotting.score_funnel(EXAMPLES["nps.by_group"][0](), ax),
}


def by_kind(name):
    """The plot of the first example of a kind that this function draws."""
    kind = next(kind for kind, place in _BY_KIND.items() if place.endswith(f":{name}"))
    return lambda ax=None: getattr(plotting, name)(EXAMPLES[kind][0](), ax)


OF_A_KIND = {place.split(":")[1] for place in _BY_KIND.values()} - set(PLOTS)
PLOTS |= {name: by_kind(name) for name in sorted(OF_A_KIND)}
every_plot = pytest.mark.parametrize("name", PLOTS)


def texts(ax):
    return [text for text in ax.figure.findobj(Text) if text.get_text()]


def said(ax):
    return [text.get_text() for text in texts(ax)]


# ---------------------------------------------------------------- the convention


def test_every_public_plot_is_drawn_here_and_takes_axes():
    assert set(plotting.__all__) == set(PLOTS)
    for name in plotting.__all__:
        ax = inspect.signature(getattr(plotting, name)).parameters["ax"]
        assert ax.default is None


@every_plot
def test_a_plot_makes_axes_of_its_own_or_uses_those_given(name):
    given = Figure().add_subplot()
    assert PLOTS[name](given) is given
    assert any(part.has_data() for part in (given, *given.child_axes))
    own = PLOTS[name]()
    assert isinstance(own, Axes)
    assert own.figure is not given.figure
    own.figure.canvas.draw()


@every_plot
def test_a_plot_leaves_the_settings_of_matplotlib_alone(name):
    before = dict(mpl.rcParams)
    PLOTS[name]().figure.canvas.draw()
    assert dict(mpl.rcParams) == before


@every_plot
def test_a_plot_leaves_other_axes_of_the_figure_alone(name):
    left, right = Figure(figsize=(10, 4), layout="constrained").subplots(1, 2)
    PLOTS[name](right)
    assert not left.has_data()
    assert left.get_title() == left.get_xlabel() == left.get_ylabel() == ""


def test_pyplot_is_neither_loaded_nor_given_a_figure():
    code = """
import sys
import retention_metrics as rm
rm.nps.from_counts(promoters=6, passives=3, detractors=1).plot().figure.canvas.draw()
rm.growth.plateau(new_clients_per_month=1, monthly_fee=1, lifetime_months=12).plot()
assert "matplotlib.figure" in sys.modules and "matplotlib.pyplot" not in sys.modules
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
rm.retention.rate(start=100, end=90).plot()
assert plt.get_fignums() == []
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_without_matplotlib_a_plot_says_what_to_install():
    code = """
import sys
sys.modules["matplotlib"] = None
sys.modules["matplotlib.figure"] = None
import retention_metrics as rm
try:
    rm.retention.rate(start=100, end=90).plot()
except rm.errors.MissingDependencyError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "plot() needs matplotlib: pip install 'retention-metrics[plot]'.\n"


# ---------------------------------------------------------------- words from the data


@pytest.mark.parametrize("name", ["churn_by_group", "contract_comparison", "retention_curve"])
def test_words_from_the_data_are_drawn_as_they_stand(name):
    ax = PLOTS[name]()
    ours = [text for text in texts(ax) if "$" in text.get_text()]
    assert ours
    assert all(MATHS in text.get_text() and not text.get_parse_math() for text in ours)
    ax.figure.canvas.draw()


@every_plot
def test_a_page_gets_a_picture_that_escapes_words_and_says_what_it_shows(name):
    from xml.etree import ElementTree

    page = canvas.svg(PLOTS[name]().figure, name="first", label='<what> "it" shows')
    assert 'aria-label="&lt;what&gt; &quot;it&quot; shows"' in page
    assert "<b>" not in page
    assert "<style" not in page
    ElementTree.fromstring(page)
    identifiers = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert all(identifier.startswith("first-") for identifier in identifiers)


# ---------------------------------------------------------------- retention


def test_the_heat_map_writes_complete_cells_and_hatches_incomplete_ones():
    table = cohorts()
    ax = table.plot()
    rows = table.rows()
    cohort = list(dict.fromkeys(row["cohort"] for row in rows))
    hatched = {
        (round(patch.get_y() + 0.5), round(patch.get_x() + 0.5))
        for patch in ax.patches
        if isinstance(patch, Rectangle) and patch.get_hatch()
    }
    incomplete = {(cohort.index(row["cohort"]), row["age"]) for row in rows if row["status"] == "incomplete"}
    assert hatched == incomplete
    assert incomplete
    written = {(round(text.get_position()[1]), round(text.get_position()[0])): text.get_text() for text in ax.texts}
    complete = {
        (cohort.index(row["cohort"]), row["age"]): f"{100 * row['rate']:.0f}" for row in rows if row["rate"] is not None
    }
    assert written == complete


def test_the_heat_map_names_cohorts_with_their_sizes_and_shows_one_group():
    names = [label.get_text() for label in cohorts().plot().get_yticklabels()]
    assert names == ["2024-01-01  (3)", "2024-01-08  (1)", "2024-01-15  (1)"]
    with pytest.raises(InputError, match="one group"):
        cohorts(by="group").plot()


def test_the_heat_map_leaves_numbers_out_when_told():
    assert not plotting.cohort_heat_map(cohorts(), annotate=False).texts


@pytest.mark.parametrize("table", [by_period, day_n, lambda **options: cohorts().average()])
def test_the_band_of_a_curve_is_the_interval(table):
    result = table()
    ax = result.plot()
    rows = [row for row in result.rows() if row["rate"] is not None and row.get("age") != 0]
    (line,) = ax.lines
    drawn = np.asarray(line.get_ydata(), dtype=float)
    assert drawn[np.isfinite(drawn)].tolist() == [row["rate"] for row in rows]
    (bars,) = [part for part in ax.collections if hasattr(part, "get_segments")]
    ends = [(segment[0][1], segment[1][1]) for segment in bars.get_segments()]
    assert ends == [(row["low"], row["high"]) for row in rows]


def test_a_curve_has_a_line_per_group_and_none_where_no_rate_is_known():
    ax = by_period(by="group").plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [MATHS, "plain"]
    assert len(ax.lines) == 2
    unknown = rm.retention.by_period(visits().iloc[:1], **LOG)
    with pytest.raises(InputError, match="rate"):
        unknown.plot()


def test_a_curve_without_a_level_has_no_band():
    ax = by_period(level=None).plot()
    assert not [part for part in ax.collections if part.get_paths() and part.get_facecolor().size]


# ---------------------------------------------------------------- estimates


def test_bars_of_churn_are_the_rates_with_their_intervals():
    table = churn(order=["Bo", MATHS, "nobody"])
    ax = table.plot()
    rows = table.rows()
    assert [bar.get_width() for bar in ax.patches] == [row["rate"] for row in rows[:2]]
    whiskers = [segment for part in ax.collections for segment in part.get_segments()]
    assert [(low, high) for (low, _), (high, _) in whiskers] == [approx((row["low"], row["high"])) for row in rows[:2]]
    assert "no_customers" in said(ax)
    assert [label.get_text() for label in ax.get_yticklabels()][2] == "nobody  (0 of 0)"


def test_churn_by_month_is_its_rates_within_their_band():
    table = churn_by_month(by="side")
    ax = table.plot()
    rows = [row for row in table.rows() if row["group"] == "plain"]
    line = next(line for line in ax.get_lines() if line.get_label() == "plain")
    drawn = [rate for rate in line.get_ydata() if np.isfinite(rate)]
    assert drawn == approx([row["rate"] for row in rows if row["rate"] is not None])
    assert ax.get_ylabel() == "churn (standard)"
    with pytest.raises(InputError, match="no period is complete"):
        rm.churn.by_period(subscriptions(), **SPELLS, as_of="2024-01-15").plot()


def test_definitions_are_points_with_their_intervals():
    table = reconciled()
    ax = table.plot()
    rows = table.rows()
    assert list(ax.get_lines()[0].get_xdata()) == approx([row["rate"] for row in rows])
    ends = [segment for part in ax.collections for segment in part.get_segments()]
    assert [(low, high) for (low, _), (high, _) in ends] == [approx((row["low"], row["high"])) for row in rows]
    assert [label.get_text() for label in ax.get_yticklabels()] == [row["definition"] for row in rows]
    assert not reconciled(level=None).plot().collections
    unfinished = rm.churn.reconcile(subscriptions(), **SPELLS, window=("2024-02-01", "2024-03-01"), as_of="2024-02-03")
    with pytest.raises(InputError, match="no definition has one"):
        unfinished.plot()


def test_reasons_are_stacked_to_the_customers_lost():
    table = reasons()
    ax = table.plot()
    lost = {row["period"]: row["lost"] for row in table.rows() if row["status"] == "ok"}
    heights = [sum(bar.get_height() for bar in bars.patches) for bars in ax.containers]
    tops = [sum(bars.patches[place].get_height() for bars in ax.containers) for place in range(2)]
    assert heights == [2, 3, 1]
    assert tops == list(lost.values()) == [4, 2]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [MATHS, "price", "(missing)"]
    stayed = rm.churn.reasons(subscriptions()[6:], **PLANS, reason="why")
    with pytest.raises(InputError, match="no customer was lost"):
        stayed.plot()


def test_the_score_is_drawn_with_its_shares_and_interval():
    result = score()
    ax = result.plot()
    shares = [100 * share for share in (result.detractor_share, result.passive_share, result.promoter_share)]
    assert [bar.get_width() for bar in ax.patches] == approx(shares)
    ((low, _), (high, _)) = ax.collections[0].get_segments()[0]
    assert (low, high) == approx((result.interval.low, result.interval.high))
    assert f"{result.estimate:.1f}  ({result.interval.low:.1f} to {result.interval.high:.1f})" in said(ax)


def test_an_infinite_end_runs_past_the_estimate_and_stays_on_the_page():
    ratio = rm.ratio(rm.churn.rate(start=20, lost=5), rm.churn.rate(start=20, lost=1))
    endless = rm.ratio(rm.churn.rate(start=20, lost=5), rm.churn.rate(start=20, lost=0))
    assert endless.interval.high == math.inf
    assert all(math.isfinite(end) for end in ratio.plot().get_xlim())
    with pytest.raises(InputError, match="has no estimate to draw"):
        endless.plot()


@pytest.mark.parametrize(
    "result", [rm.churn.rate(start=0, lost=0), rm.nps.from_counts(promoters=0, passives=0, detractors=0)]
)
def test_what_is_undefined_is_not_drawn_and_says_why(result):
    with pytest.raises(InputError, match=r"has no estimate to draw: .* undefined"):
        result.plot()


def test_a_result_without_a_plot_names_those_with_one():
    with pytest.raises(InputError, match=r"'churn.lifetime' has no plot; .*churn.by_group"):
        rm.churn.lifetime(0.05).plot()


def test_a_log_rank_test_has_losses_and_those_expected():
    curve = rm.survival.kaplan_meier([1, 2, 3, 4], [True] * 4, by=[MATHS, MATHS, "b", "b"])
    test = curve.log_rank()
    ax = test.plot()
    rows = {text.get_text(): test.groups["group"].index(text.get_text()) for text in ax.get_yticklabels()}
    assert set(rows) == {MATHS, "b"}
    assert [bar.get_width() for bar in ax.patches] == list(test.groups["observed"])
    assert ax.lines[0].get_xdata().tolist() == pytest.approx(list(test.groups["expected"]))
    assert f"{test.p_value:.3g}" in ax.get_title(loc="left") + ax.get_title()


def test_a_break_even_is_drawn_and_one_that_is_none_says_why():
    table = terms()
    ax = table.break_even_fee("12 months", MATHS).plot()
    assert "break_even_fee" in ax.get_xlabel()
    with pytest.raises(InputError, match="has no estimate to draw"):
        table.break_even_spend(MATHS, "12 months").plot()


# ---------------------------------------------------------------- money and purchases


def test_terms_have_a_bar_of_fees_and_one_of_present_value():
    table = terms()
    ax = table.plot()
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == [*table.columns["expected_fees"], *table.columns["present_value"]]
    assert min(widths) < 0  # what costs more to win than it pays runs to the left
    assert [label.get_text().split("\n")[0] for label in ax.get_yticklabels()] == [MATHS, "12 months"]


def test_the_path_ends_below_the_line_of_the_plateau():
    level = plateau()
    ax = level.plot()
    path, line = ax.lines
    assert tuple(path.get_ydata()) == level.columns["revenue"]
    assert set(line.get_ydata()) == {float(level)}
    assert "plateau 20,000" in said(ax)


def test_classes_of_buyers_show_what_came_and_what_was_expected():
    ax = plotting.expected_against_actual(predicted(), most=7)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "1", "2", "7+"]
    assert [bar.get_height() for bar in ax.patches] == [0.5, 1, 3, 5]
    assert list(ax.lines[-1].get_ydata()) == approx([0.3, 0.9, 2.1, 4.65])
    for lazy in (pl.from_pandas(predicted()).lazy(), duckdb.from_df(predicted())):
        with pytest.raises(InputError, match=r"is an eager frame\. Collect"):
            plotting.expected_against_actual(lazy)
    with pytest.raises(InputError, match="no customer"):
        plotting.expected_against_actual(predicted().iloc[:0])


def test_the_matrix_holds_the_models_own_probabilities():
    model = rm.clv.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426, unit="week")
    ax = plotting.probability_alive_matrix(model, T=40, frequency_max=3, steps=4)
    drawn = np.asarray(ax.collections[0].get_array()).reshape(3, 4)
    expected = model.probability_alive(np.array([[1], [2], [3]]), np.array([[5.0, 15.0, 25.0, 35.0]]), 40.0)
    assert drawn == approx(np.asarray(expected))


@pytest.mark.parametrize(
    ("share", "words"), [(0.146, "14.6 %"), (0.5, "50 %"), (0, "0 %"), (1, "100 %"), (0.9996, "100 %"), (-0.1, "-10 %")]
)
def test_shares_are_written_as_per_cent(share, words):
    assert canvas.percent(share) == words


def test_the_forest_draws_associations_with_their_intervals():
    found = ranking()
    ax = found.plot()
    points = [float(line.get_xdata()[0]) for line in ax.lines if line.get_marker() in ("o", "s")]
    assert points == approx([row["association"] for row in found.rows()])
    assert "not effect" in ax.get_xlabel()


def test_the_cross_draws_a_line_per_group_through_the_rates():
    table = crossed()
    lines = [line.get_ydata().tolist() for line in table.plot().lines if line.get_marker() == "o"]
    assert sorted(rate for line in lines for rate in line) == approx(sorted(row["rate"] for row in table.rows()))
    assert len(lines) == len({row["column"] for row in table.rows()})


def test_the_bullet_stands_over_the_bands_of_the_table():
    place = placed()
    ax = place.plot()
    bands = [patch for patch in ax.patches if patch.get_height() == approx(0.9)]
    assert [band.get_x() for band in bands] == approx([-100, 0, 20, 30])
    assert {"bad", "needs improvement", "good", "unicorn"} <= set(said(ax))
    bar = next(patch for patch in ax.patches if patch.get_height() == approx(0.28))
    assert bar.get_x() + bar.get_width() == approx(place.estimate)
    far = rm.benchmarks.get("quick_ratio.saas.2015").classify(9.0).plot()
    assert far.get_xlim()[1] > 9


def test_the_bridge_hangs_a_bar_for_the_exchange_rate_where_it_changes():
    rates = {"EUR": {"2023-01-01": 1.0, "2024-02-01": 1.5}}
    plans = subscriptions().assign(price=10.0, cur="EUR")
    table = rm.revenue.movements(plans, **PLANS, amount="price", currency="cur", rates=rates)
    ax = plotting.revenue_bridge(table)
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    assert names == ["start", "new", "reactivation", "expansion", "contraction", "churn", "fx", "end"]
    bar = ax.patches[names.index("fx")]
    assert bar.get_height() == pytest.approx(abs(sum(row["fx"] for row in table.rows() if row["status"] == "ok")))
    assert bar.get_height() > 0


def paying(*rows):
    """Subscriptions: (who, from, until, price)."""
    plans = pd.DataFrame(rows, columns=["who", "start", "end", "price"])
    return plans.assign(**{name: pd.to_datetime(plans[name]) for name in ("start", "end")})


PAYING = {**PLANS, "amount": "price"}
LOGS = {
    "all leave": paying(*((who, "2024-01-05", "2024-03-01", 10.0) for who in "abcde")),
    "one is huge": paying(
        ("a", "2024-01-01", None, 1.0), ("b", "2024-02-03", None, 1e9), ("c", "2024-01-03", "2024-03-03", 2)
    ),
    "cents": paying(
        ("a", "2024-01-01", None, 0.02), ("b", "2024-02-03", None, 0.5), ("c", "2024-01-03", "2024-03-03", 0.13)
    ),
}


@pytest.mark.parametrize("log", LOGS)
def test_a_bridge_has_room_for_its_numbers_whatever_the_money(log):
    table = rm.revenue.movements(LOGS[log], **PAYING | {"as_of": "2024-04-30"})
    ax = table.plot()
    assert ax.get_title(loc="left") == "months from 2024-01-01 to 2024-04-01"
    tops = [bar.get_y() + bar.get_height() for bar in ax.patches]
    assert ax.get_ylim() == (0.0, approx(1.12 * max(tops)))
    assert tops[-1] == approx(table.rows()[-1]["end_mrr"])
    moved = {name: sum(row[name] for row in table.rows()) for name in ("new", "churn")}
    shown = [float(text.get_text().replace(",", "")) for text in ax.texts]
    assert [shown[1], shown[5]] == approx(list(moved.values()), rel=1e-3)
    ticks = [text.get_text() for text in ax.get_yticklabels()]
    assert len(set(ticks)) == len(ticks)


def test_a_bridge_of_one_period_names_it_and_one_of_none_is_refused():
    roles = PAYING | {"as_of": "2024-01-31"}
    assert rm.revenue.movements(LOGS["all leave"], **roles).plot().get_title(loc="left") == "month of 2024-01-01"
    roles["as_of"] = "2024-01-15"
    bridge, table = (name(LOGS["all leave"], **roles) for name in (rm.revenue.movements, rm.revenue.by_cohort))
    for drawn in (bridge.plot, table.plot, table.average().plot, lambda: plotting.net_retention_by_cohort(table)):
        with pytest.raises(InputError, match="no period is complete"):
            drawn()


def test_a_layer_cake_of_one_period_is_a_bar_and_names_its_first_and_last_cohort():
    table = rm.revenue.by_cohort(LOGS["all leave"], **PAYING | {"as_of": "2024-01-31"})
    assert [bar.get_height() for bar in table.plot().patches] == [50.0]
    ax = rm.revenue.by_cohort(LOGS["one is huge"], **PAYING | {"as_of": "2024-04-30"}).plot()
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["cohort of 2024-02-01", "cohort of 2024-01-01"]


@pytest.mark.parametrize("periods", [8, 15, 60])
def test_dates_below_a_picture_do_not_run_into_each_other(periods):
    plans = paying(
        *((who, "2024-01-05", pd.Timestamp("2024-01-07") + who * pd.Timedelta("7D"), 9) for who in range(61))
    )
    roles = PAYING | {"period": "week", "as_of": pd.Timestamp("2023-12-31") + periods * pd.Timedelta("7D")}
    cohorts = rm.revenue.by_cohort(plans, **roles)
    lost = rm.churn.reasons(
        plans.assign(why="price"), **{k: v for k, v in roles.items() if k != "amount"}, reason="why"
    )
    for ax in (cohorts.plot(), lost.plot()):
        ax.figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in ax.get_xticklabels() if text.get_text()]
        assert len(boxes) > 2
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_a_dozen_segments_have_lines_of_their_own_and_a_legend_beside_them():
    plans = pd.concat([subscriptions().assign(side=f"{place:02}") for place in range(12)])
    plans["who"] = plans["who"] + plans["side"]
    visited = pd.concat([visits().assign(group=f"{place:02}") for place in range(12)])
    visited["who"] = visited["who"] + visited["group"]
    for table in (
        rm.churn.by_period(plans, **PLANS, by="side"),
        rm.retention.by_period(visited, **WEEKS, by="group"),
    ):
        ax = table.plot()
        ax.figure.draw_without_rendering()
        assert len({(line.get_color(), line.get_marker()) for line in ax.get_lines()}) == len(ax.get_lines()) == 12
        assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1 - 1


def test_measures_of_one_spread_are_told_apart():
    found = rm.revenue.concentration([1.0, 2.0, 5.0, 9.0])
    labels = [each.plot().get_xlabel() for each in (found.gini, found.hhi, found.top_share(0.2))]
    assert labels == [f"revenue.concentration/{name} (share)" for name in ("gini", "hhi", "top_share")]


def test_a_single_period_is_the_only_date_below_its_picture():
    table = rm.churn.by_period(LOGS["all leave"], **SPELLS, as_of="2024-02-29")
    ax = table.plot()
    ax.figure.draw_without_rendering()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2024-02-01"]


def test_a_wide_band_leaves_the_lines_of_retention_their_room():
    plans = paying(
        *((who, "2024-01-05", None, 10.0) for who in "abc"), ("d", "2024-01-05", "2024-02-05", 1.0),
        ("d", "2024-02-05", None, 1e5), ("e", "2024-02-05", None, 5.0)
    )  # fmt: skip
    table = rm.revenue.by_cohort(plans, **PAYING | {"as_of": "2024-04-30"})
    highest = max(row["net_retention"] for row in table.rows())
    assert max(row["high"] or 0 for row in table.average().rows()) > 10 * highest
    for ax in (plotting.net_retention_by_cohort(table), table.average().plot()):
        assert highest < ax.get_ylim()[1] <= 1.5 * highest
        assert ax.get_xlabel() == "months since the first payment"


def test_names_in_the_flow_stand_apart_and_carry_their_customers():
    moves = rm.customers.migrations(
        rm.datasets.cdnow(),
        customer="customer_id",
        time="date",
        value="amount",
        before="1997-02-15",
        after="1998-06-30",
    )
    ax = moves.plot()
    ax.figure.draw_without_rendering()
    for side in ("right", "left"):
        boxes = [text.get_window_extent() for text in ax.texts if text.get_ha() == side]
        assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))
    counted = [int(text.get_text().rsplit("  ")[1].replace(",", "")) for text in ax.texts if text.get_ha() == "right"]
    assert sum(counted) == 2357
    assert ax.get_title(loc="left") == "2,357 customers"
    assert not ax.get_yticks().size


def test_many_reasons_are_told_apart_and_their_legend_hides_no_bar():
    plans = subscriptions().head(6).assign(why=[f"reason {place}" for place in range(6)])
    plans = pd.concat([plans, plans.assign(who=plans["who"] + "!", why=plans["why"] + "!")])
    ax = plotting.churn_reasons(rm.churn.reasons(plans, **PLANS, reason="why"))
    looks = [(bars.patches[0].get_facecolor(), bars.patches[0].get_hatch()) for bars in ax.containers]
    assert len(set(looks)) == len(looks) == 12
    ax.figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().x0 >= ax.get_window_extent().x1 - 1


def test_words_after_a_name_written_from_right_to_left_stay_in_order():
    clients = pd.DataFrame({"rep": ["مشتریان", "Ana"], "left": [1, 0]})
    labels = plotting.churn_by_group(rm.churn.by_group(clients, churned="left", group="rep")).get_yticklabels()
    assert {label.get_text() for label in labels} == {"\u200eمشتریان  (1 of 1)", "Ana  (0 of 1)"}


def test_definitions_and_reasons_are_drawn_by_group():
    table = rm.churn.reconcile(subscriptions(), **SPELLS, window=("2024-02-01", "2024-03-01"), by="side")
    labels = plotting.churn_definitions(table).get_yticklabels()
    assert [label.get_text() for label in labels[:2]] == [f"{MATHS}: standard", f"{MATHS}: chartmogul"]
    assert not any(label.get_parse_math() for label in labels)
    grouped = plotting.churn_reasons(rm.churn.reasons(subscriptions(), **PLANS, reason="why", by="side"))
    whole = plotting.churn_reasons(reasons())
    assert sum(bar.get_height() for bar in grouped.patches) == sum(bar.get_height() for bar in whole.patches) == 6
