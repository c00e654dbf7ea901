"""The report: a file read, its numbers found, and the page that shows them."""

from __future__ import annotations

import datetime as dt
import html
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from retention_metrics.errors import ColumnError, InputError
from retention_metrics.report import findings, orders, page, summary, wording
from retention_metrics.report.orders import Orders, Reading

SINCE = dt.date(1997, 1, 1)
SAY = wording.wording()
SECTIONS = ("summary", "period", "cohorts", "average", "days", "buying", "check", "value", "top", "data", "method")
NAMES = {"customer": "who", "time": "when", "value": "paid"}


def purchases(rows: list[tuple[str, str, float]]) -> Orders:
    """Orders of a few rows of customer, day and value."""
    frame = pd.DataFrame(rows, columns=["customer", "time", "value"])
    return Orders(frame=frame.assign(time=pd.to_datetime(frame["time"])), source="shop.csv", names=NAMES)


def written(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    """A file with this text."""
    path = folder / "orders.csv"
    path.write_bytes(text.encode(encoding))
    return path


def read(folder: Path, text: str, *, encoding: str = "utf-8", **how: object) -> pd.DataFrame:
    """The rows of a CSV file of who, when and, where there is money, paid."""
    columns = {"customer": "who", "time": "when", "value": "paid" if "paid" in text else None}
    return orders.read(written(folder, text, encoding=encoding), Reading(**columns | how)).frame


def refusal(folder: Path, text: str, **how: object) -> InputError:
    """The error of a file that cannot be read."""
    with pytest.raises(InputError) as caught:
        read(folder, text, **how)
    assert "\n" not in str(caught.value)
    return caught.value


def section(text: str, name: str) -> str:
    """The words of one section of a page, without its marks and drawings."""
    inner = re.search(rf'<section id="{name}">(.*?)</section>', text, re.DOTALL).group(1)
    plain = re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", " ", inner, flags=re.DOTALL))
    return " ".join(html.unescape(plain).replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def music() -> findings.Findings:
    return findings.find(orders.cdnow(), since=SINCE)


@pytest.fixture(scope="module")
def music_page(music: findings.Findings) -> str:
    return page.render(music, SAY)


# ---------------------------------------------------------------- numbers


def test_retention_on_the_page_is_that_of_the_library(music, music_page, cdnow):
    log = {"customer": "customer_id", "time": "date", "since": "1997-01-01"}
    table = rm.retention.by_period(cdnow, **log)
    curve = rm.retention.cohorts(cdnow, **log).average()
    days = rm.retention.day_n(cdnow, days=(30,), kind="cumulative", **log)

    assert music.by_period.value.to_dict()["columns"] == table.to_dict()["columns"]
    last, second, month = table.rows()[-1], curve.rows()[1], days.rows()[0]
    assert f"{100 * last['rate']:.1f} % ({100 * last['low']:.1f} to {100 * last['high']:.1f} %)" in section(
        music_page, "period"
    )
    assert f"{100 * second['rate']:.1f} % {100 * second['low']:.1f} to" in section(music_page, "average")
    assert f"30 {month['size']:,} {month['retained']} {100 * month['rate']:.1f} %" in section(music_page, "days")


def test_the_purchase_model_on_the_page_is_the_librarys_fit(music_page, cdnow):
    history = rm.clv.rfm_summary(cdnow, customer="customer_id", time="date", value="amount", unit="week")
    fit = rm.clv.BGNBD.fit(history)
    ahead = fit.predict(history, horizon=52).frame["expected_purchases"].sum()
    words = section(music_page, "buying")
    for name, interval in fit.intervals().items():
        error = fit.standard_errors[name]
        row = f"{name} {getattr(fit.model, name):#.4g} {error:#.4g} {interval.low:#.4g} to {interval.high:#.4g}"
        assert row in words
    assert f"in the next 52 weeks {ahead:,.0f} (" in words
    assert "nobody stops before a second purchase" in words


def test_the_check_repeats_the_published_holdout_of_cdnow(music, music_page):
    # Calibration to 1997-09-30, 39 weeks held out: Fader, Hardie and Lee (2005).
    check = music.check.value
    assert (check.end, check.horizon, check.actual) == (dt.date(1997, 9, 30), 39.0, 1882)
    assert check.expected.value == pytest.approx(1653.4, abs=0.3)
    assert "1,653 (" in section(music_page, "check")
    assert "13.8 % more" in section(music_page, "check")


def test_the_interval_of_a_total_agrees_with_the_posterior(music):
    fit = music.buying.value.fit
    history = rm.clv.rfm_summary(music.orders.frame, customer="customer", time="time", unit="week", as_of=music.as_of)
    frame = history.frame
    log_theta = np.random.default_rng(1902).multivariate_normal(np.log(fit.model.theta), fit.log_covariance, 400)
    totals = [
        fit.model.with_theta(np.exp(theta))
        .expected_purchases(frame["frequency"], frame["recency"], frame["T"], horizon=music.later)
        .sum()
        for theta in log_theta
    ]
    interval = music.buying.value.later.interval
    # The ends of 400 draws wander by about a tenth of the interval's width.
    width = interval.high - interval.low
    assert np.quantile(totals, [0.025, 0.975]) == pytest.approx([interval.low, interval.high], abs=0.15 * width)


def test_value_and_top_customers_are_those_of_the_library(music, music_page, cdnow):
    history = rm.clv.rfm_summary(cdnow, customer="customer_id", time="date", value="amount", unit="week")
    worth = rm.clv.lifetime_value(rm.clv.BGNBD.fit(history), rm.clv.GammaGamma.fit(history), history, horizon=52)
    assert music.spending.value.total.value == pytest.approx(worth.frame["clv"].sum(), rel=1e-9)
    assert f"{worth.frame['clv'].sum():,.0f} (" in section(music_page, "value")
    assert f"{cdnow['amount'].sum():,.0f}" in section(music_page, "value")
    best = worth.frame.nlargest(20, "clv")
    assert music.top.value["customer"].tolist() == best["customer_id"].astype(str).tolist()
    latest = cdnow[cdnow["customer_id"] == best["customer_id"].iloc[0]]["date"].max().date().isoformat()
    assert f"{best['customer_id'].iloc[0]} {best['frequency'].iloc[0] + 1} {latest}" in section(music_page, "top")


def test_the_summary_says_the_findings(music):
    said = " ".join(summary.sentences(music, SAY)).replace("\u00a0", " ")
    assert "2,357 customers made 6,696 purchases from 1997-01-01 to 1998-06-30." in said
    assert "48.3 % of them bought more than once (46.3 to 50.3 %)." in said
    assert "1,882 came, 13.8 % more" in said


def test_the_level_moves_every_interval(music):
    wide = findings.find(orders.cdnow(), since=SINCE, level=0.99)
    for name in ("soon", "later", "alive"):
        narrow, far = getattr(music.buying.value, name).interval, getattr(wide.buying.value, name).interval
        assert far.low < narrow.low < narrow.high < far.high


def test_a_log_is_reported_alike_in_any_order_of_rows(music):
    shuffled = orders.cdnow()
    frame = shuffled.frame.sample(frac=1, random_state=1997)
    again = findings.find(Orders(frame=frame, source=shuffled.source, names=shuffled.names), since=SINCE)
    assert summary.sentences(again, SAY) == summary.sentences(music, SAY)


def test_an_interval_around_one_per_cent_sign():
    assert SAY.span(0.133, 0.161, wording.share) == "13.3 to 16.1\u00a0%"
    assert SAY.between(None, wording.share) == "–"


def test_periods_are_named_by_their_unit():
    spring = dt.date(2024, 4, 1)
    names = [wording.period_name(spring, unit) for unit in ("day", "week", "month", "quarter", "year")]
    assert names == ["2024-04-01", "2024-04-01", "2024-04", "2024 Q2", "2024"]


# ---------------------------------------------------------------- the page


def test_every_section_stands_on_the_page_once(music_page):
    assert tuple(re.findall(r'<section id="(\w+)">', music_page)) == SECTIONS
    assert music_page.count("<svg") == music_page.count("</svg>") == 6


class Balance(HTMLParser):
    """Which elements are open, and the identifiers met."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_its_links_lead_somewhere(music_page):
    parser = Balance()
    parser.feed(music_page)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    targets = set(re.findall(r'href="#([^"]+)"', music_page)) | set(re.findall(r"url\(#([^)]+)\)", music_page))
    assert targets <= set(parser.ids)


@pytest.mark.parametrize(
    "outside",
    [
        r"<script",
        r"<(img|iframe|image|object|embed|link|source|video|audio)\b[^>]*(src|href|data)\s*=\s*(?![\"']?(data:|#))",
        r"url\(\s*(?![\"']?#)",
        r"@import",
        r"\bon[a-z]+\s*=\s*[\"']",
        r"href=[\"'](?!#|data:)",
    ],
)
def test_the_page_fetches_and_runs_nothing(music_page, outside):
    assert re.search(outside, music_page) is None


def test_the_page_follows_the_readers_colours(music_page):
    style = re.search(r"<style>(.*?)</style>", music_page, re.DOTALL).group(1)
    dark = style[style.index("prefers-color-scheme: dark") :]
    used = set(re.findall(r"var\(--([a-z]+)\)", music_page))
    light = set(re.findall(r"--([a-z]+):", style[: style.index("@media")]))
    assert {"ink", "muted", "grid", "primary"} <= used <= light
    assert {"page", "paper", "ink", "muted", "grid", "primary"} <= set(re.findall(r"--([a-z]+):", dark))
    assert "@media print" in style
    assert "max-width: 760px" in style


def test_the_page_is_the_same_on_every_run(music, music_page):
    assert page.render(music, SAY) == music_page


def test_names_from_the_data_stay_text():
    evil = "<script>alert('x')</script>"
    rows = [(evil, f"2024-01-{day:02}", 5.0 + day) for day in (1, 5, 9, 20)]
    rows += [(f"& c{k} $x_1$", f"2024-01-{1 + k:02}", 3.0 * k) for k in range(1, 9)]
    rows += [(f"& c{k} $x_1$", f"2024-01-{12 + 2 * k:02}", 4.0 * k) for k in range(1, 6)]
    frame = purchases(rows).frame
    names = {"customer": "<b>who</b>", "time": '"when"', "value": "<img src=x onerror=alert(1)>"}
    found = findings.find(Orders(frame=frame, source="<i>shop</i>.csv", names=names), period="week")
    text = page.render(found, SAY)
    for raw in (evil, "<b>who", "<img", "<i>shop", "<script"):
        assert raw not in text
    assert html.escape(evil) in text
    assert "<i>shop</i>.csv" in section(text, "data")
    assert '"when"' in section(text, "data")


def test_values_in_braces_are_no_places_to_fill():
    found = findings.find(Orders(frame=purchases([("a", "2024-01-01", 1.0)]).frame, source="{as_of}.csv", names=NAMES))
    assert "{as_of}.csv: 2024-01-01" in page.render(found, SAY)


def test_a_table_of_many_cohorts_is_drawn_as_one_image():
    days = pd.date_range("2020-01-01", periods=500, freq="3D")
    rows = [(f"c{k % 90}", day.isoformat(), 1.0 + k % 7) for k, day in enumerate(days)]
    found = findings.find(purchases(rows), period="week")
    text = page.render(found, SAY)
    assert "data:image/png;base64," in text
    assert len(text) < 1_000_000


@pytest.mark.parametrize(
    ("period", "ahead"), [("day", "30 days"), ("week", "13 weeks"), ("quarter", "52 weeks"), ("year", "104 weeks")]
)
def test_every_period_has_its_words_and_its_horizon(period, ahead):
    rows = [(f"c{k % 45}", f"20{21 + k % 4}-{1 + k % 11:02}-{1 + k % 28:02}", 1.0 + k % 7) for k in range(160)]
    text = page.render(findings.find(purchases(rows), period=period), SAY)
    assert f"Who stays, {period} by {period}" in section(text, "period")
    assert f"in the next {ahead}" in section(text, "buying")


def test_every_sentence_of_a_report_exists():
    code = "".join(path.read_text(encoding="utf-8") for path in Path(orders.__file__).parent.glob("*.py"))
    named = set(re.findall(r'(?:Remark|say|self)\(\s*"(\w+)"', code))
    assert len(named) > 60
    assert named <= set(SAY.words)


# ---------------------------------------------------------------- sections without an answer


def test_one_purchase_leaves_sections_that_say_why():
    found = findings.find(purchases([("a", "2024-01-01", 1.0)]))
    text = page.render(found, SAY)
    assert section(text, "days").endswith("No answer: the log spans a single day.")
    for name in ("buying", "value", "top"):
        assert "1 customer cannot show how customers differ" in section(text, name)
    assert "too short to hide half of it" in section(text, "check")
    assert text.count("no answer, see below") == 3


def test_without_a_repeat_purchase_retention_is_zero_and_models_say_why():
    found = findings.find(purchases([(f"c{k}", f"2024-0{k}-10", 1.0) for k in range(1, 7)]))
    assert found.repeat.estimate == 0.0
    text = page.render(found, SAY)
    assert "0.0 % of them bought more than once" in section(text, "summary")
    assert "none of 6 customers made a repeat purchase" in section(text, "buying")


def test_one_customer_has_retention_and_no_model():
    found = findings.find(purchases([("a", f"2024-0{k}-10", 1.0 + k) for k in range(1, 7)]))
    text = page.render(found, SAY)
    assert found.by_period.value is not None
    assert "100.0 %" in section(text, "period")
    assert "1 customer cannot show" in section(text, "buying")
    assert "Customers who bought more than once: 1." in section(text, "summary")


def test_without_money_the_value_says_what_to_add(cdnow):
    frame = orders.cdnow().frame[["customer", "time"]]
    found = findings.find(Orders(frame=frame, source="log", names={"customer": "who", "time": "when"}), since=SINCE)
    text = page.render(found, SAY)
    assert "Add --value" in section(text, "value")
    assert "spend to come" not in section(text, "top")
    order = found.top.value["expected_purchases"].tolist()
    assert len(order) == 20
    assert order == sorted(order, reverse=True)


def test_a_simpler_model_stands_in_and_says_so():
    # Everybody buys twice at most: no dropout can be told from the next purchase.
    rows = [(f"c{k}", "2024-01-01", 2.0) for k in range(40)]
    rows += [(f"c{k}", f"2024-{1 + k % 6:02}-{2 + k % 20:02}", 3.0 + k) for k in range(20)]
    found = findings.find(purchases(rows), as_of=dt.date(2024, 7, 31))
    assert found.buying.value.limit
    assert "a simpler model" in section(page.render(found, SAY), "buying")


def test_a_simpler_model_of_spend_stands_in_and_says_so():
    # All spend the same on average: no difference between customers can be told from that between purchases.
    rng = np.random.default_rng(2013)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 200, 900), unit="D")
    paid = np.round(rng.gamma(4.0, 10.0, 900), 2)
    rows = [(f"c{k % 150}", str(day.date()), paid[k]) for k, day in enumerate(days)]
    found = findings.find(purchases(rows), as_of=dt.date(2024, 8, 31))
    assert found.spending.value.limit
    text = section(page.render(found, SAY), "value")
    assert "Gamma-Gamma itself has no best fit" in text
    assert type(found.spending.value.fit.model).__name__ == "GammaSpend"


def test_too_many_periods_ask_for_a_longer_one():
    rows = [("a", "1990-01-01", 1.0), ("b", "2024-01-01", 1.0), ("b", "2024-02-01", 2.0)]
    found = findings.find(purchases(rows), period="day")
    assert "the log spans 12,450 days" in SAY.tell(found.by_period.reason)
    assert "Choose a longer --period" in section(page.render(found, SAY), "cohorts")
    assert found.average.reason == found.cohorts.reason


# ---------------------------------------------------------------- what is left out


def test_rows_without_customer_time_or_value_are_counted():
    rows = [("a", "2024-01-01", 1.0), ("a", "2024-02-01", 2.0), ("b", "2024-01-03", 3.0), ("b", "2024-04-03", 3.0)]
    frame = purchases([*rows, ("x", "2024-01-01", 1.0), ("y", "2024-01-01", 1.0), ("z", "2024-01-01", 1.0)]).frame
    frame.loc[4, "customer"] = None
    frame.loc[5, "time"] = pd.NaT
    frame.loc[6, "value"] = np.nan
    found = findings.find(Orders(frame=frame, source="s", names=NAMES), as_of=dt.date(2024, 3, 31))
    assert found.excluded == {"missing_customer": 1, "missing_time": 1, "missing_value": 1, "after_as_of": 1}
    assert (found.rows, found.customers, found.purchases) == (7, 2, 3)
    words = section(page.render(found, SAY), "data")
    assert "1 without a customer; 1 without a time; 1 without a value; 1 after the end of observation" in words


def test_returns_reduce_the_value_and_are_no_purchases():
    bought = [(f"c{k}", f"2024-0{m}-0{1 + k}", 10.0 + k) for k in range(6) for m in (1, 3)]
    returned = [("c1", "2024-04-01", -4.0), ("only-returns", "2024-02-01", -9.0)]
    found = findings.find(purchases(bought + returned))
    assert (found.customers, found.purchases) == (6, 12)
    assert found.revenue == pytest.approx(sum(value for *_, value in bought) - 4.0)
    assert found.excluded == {"no_purchase": 1}
    assert "Rows of negative value: 2." in " ".join(map(SAY.tell, found.warnings))


def test_customers_who_have_all_stopped_are_expected_to_buy_nothing():
    # Everybody came back exactly once: the model sees nobody left to buy again.
    found = findings.find(purchases([(f"c{k}", f"2024-0{m}-0{1 + k}", 10.0 + k) for k in range(6) for m in (1, 3)]))
    assert found.buying.value.alive.value == found.buying.value.later.value == 0.0
    text = page.render(found, SAY)
    assert "Customers who have not stopped 0.00" in section(text, "buying")
    assert "nan" not in section(text, "top")


def test_customers_before_since_are_left_out_with_their_rows():
    rows = [("old", "2023-12-01", 1.0), ("old", "2024-02-01", 1.0), ("new", "2024-01-05", 1.0)]
    found = findings.find(purchases(rows), since=dt.date(2024, 1, 1))
    assert (found.customers, found.first) == (1, dt.date(2024, 1, 5))
    assert found.excluded == {"before_since": 2}
    with pytest.raises(InputError, match="--since 2025-01-01 leaves no customer"):
        findings.find(purchases(rows), since=dt.date(2025, 1, 1))


def test_nothing_left_says_what_took_it():
    with pytest.raises(InputError, match="2 rows, 1 after --as-of, 1 of negative value"):
        findings.find(purchases([("a", "2024-01-01", -1.0), ("b", "2024-03-01", 1.0)]), as_of=dt.date(2024, 2, 1))


def test_order_numbers_in_place_of_customers_raise_a_doubt():
    rows = [(f"order-{k}", f"2024-01-{1 + k % 28:02}", 1.0) for k in range(120)]
    warnings = " ".join(map(SAY.tell, findings.find(purchases(rows)).warnings))
    assert "Does the column “who” really hold the customer" in warnings


# ---------------------------------------------------------------- CSV


PLAIN = "who,when,paid\na,2024-01-31,1.50\nb,2024-02-01 09:30,2\n"


def test_customers_are_text_times_are_dates_and_money_is_numbers(tmp_path):
    frame = read(tmp_path, PLAIN)
    assert frame["customer"].tolist() == ["a", "b"]
    assert frame["time"].tolist() == [pd.Timestamp("2024-01-31"), pd.Timestamp("2024-02-01 09:30")]
    assert frame["value"].tolist() == [1.5, 2.0]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_the_separator_is_found_from_the_first_line(tmp_path, separator):
    pd.testing.assert_frame_equal(read(tmp_path, PLAIN.replace(",", separator)), read(tmp_path, PLAIN))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path, encoding):
    pd.testing.assert_frame_equal(read(tmp_path, PLAIN, encoding=encoding), read(tmp_path, PLAIN))


def test_quoted_fields_hold_separators_and_newlines(tmp_path):
    text = 'who,note,when\n"Doe, Jane","two\nlines",2024-01-01\nb,"a ""word""",2024-01-02\n\nc,,soon\n'
    error = refusal(tmp_path, text)
    assert "(line 6: 'soon')" in str(error)
    kept = read(tmp_path, text.replace("c,,soon\n", ""))
    assert kept["customer"].tolist() == ["Doe, Jane", "b"]


def test_leading_zeros_and_blanks_of_customers_are_kept_apart(tmp_path):
    frame = read(tmp_path, "who,when\n007,2024-01-01\n7,2024-01-01\n ,2024-01-02\n")
    assert frame["customer"].tolist()[:2] == ["007", "7"]
    assert pd.isna(frame["customer"].iloc[2])


def test_a_decimal_comma_is_read_where_it_is_said_and_guessed_where_not(tmp_path):
    text = "who;when;paid\na;2024-01-01;1,50\nb;2024-01-02;-3\n"
    assert read(tmp_path, text, decimal=",")["value"].tolist() == [1.5, -3.0]
    assert str(refusal(tmp_path, text)).endswith("For a decimal comma give --decimal ','.")
    assert "line 2: '1.500,00'" in str(refusal(tmp_path, text.replace("1,50", "1.500,00"), decimal=","))


def test_money_with_signs_is_refused_with_its_line(tmp_path):
    error = refusal(tmp_path, "who,when,paid\na,2024-01-01,5\nb,2024-01-01,$7\n")
    assert "holds 1 entry that is no number in 2 rows (line 3: '$7')" in str(error)
    assert error.count == 1


def test_unreadable_dates_are_counted_and_shown_with_their_lines(tmp_path):
    error = refusal(tmp_path, "who,when\na,2024-01-01\nb,2024-13-01\nc,yesterday\n")
    assert "2 unreadable dates in 3 rows (line 3: '2024-13-01', line 4: 'yesterday')" in str(error)


@pytest.mark.parametrize(
    ("dates", "form"),
    [
        (("31/01/2024", "02/02/2024"), "'%d/%m/%Y'"),
        (("01/31/2024", "02/02/2024"), "'%m/%d/%Y'"),
        (("20240131", "20240201"), "'%Y%m%d'"),
        (("03/02/2024", "04/02/2024"), "'%d/%m/%Y' or '%m/%d/%Y'"),
    ],
)
def test_the_form_of_other_dates_is_proposed_and_never_guessed(tmp_path, dates, form):
    text = f"who,when\na,{dates[0]}\nb,{dates[1]}\n"
    assert f"give --date-format {form}." in str(refusal(tmp_path, text))
    given = form.split("'")[1]
    expected = [dt.datetime.strptime(date, given) for date in dates]
    assert read(tmp_path, text, date_format=given)["time"].tolist() == expected


def test_missing_times_stay_missing(tmp_path):
    assert read(tmp_path, "who,when\na,2024-01-01\nb,\nc,NULL\n")["time"].isna().tolist() == [False, True, True]


def test_times_with_a_zone_are_cut_to_days_in_the_zone_asked_for(tmp_path):
    text = "who,when\na,2024-01-31T23:30:00Z\nb,2024-01-31T23:30:00+02:00\n"
    assert read(tmp_path, text)["time"].dt.day.tolist() == [31, 31]
    assert read(tmp_path, text, time_zone="Europe/Berlin")["time"].dt.strftime("%d %H").tolist() == ["01 00", "31 22"]


def test_times_with_and_without_a_zone_do_not_mix(tmp_path):
    error = refusal(tmp_path, "who,when\na,2024-01-31T23:30:00Z\nb,2024-01-31T23:30:00\n")
    assert "mixes times with a zone and times without one (line 3: '2024-01-31T23:30:00')" in str(error)
    assert "carry a zone" in str(refusal(tmp_path, PLAIN, time_zone="Europe/Berlin"))
    assert "IANA name" in str(refusal(tmp_path, PLAIN, time_zone="Mars/Olympus"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("who,when\n", "has a header and no rows"),
        ("who,when\na,2024-01-01\nb,2024-01-02,5\n", "line 3 of .* has 3 fields, where the header has 2"),
        ("who,when\na\n", "line 2 of .* has 1 fields"),
        ("hello\nworld\n", "does not read as CSV: its first line is the single field 'hello'"),
        ('who,when\na,"2024-01-01\nb,2024-01-02\n', "line 2"),
        ("who,who,when\na,b,2024-01-01\n", "'who' is the name of 2 columns"),
    ],
)
def test_a_file_that_is_no_table_says_where(tmp_path, text, said):
    assert re.search(said, str(refusal(tmp_path, text)))


def test_a_wrong_column_answers_with_the_nearest(tmp_path):
    path = written(tmp_path, "customer_id,date\n1,2024-01-01\n")
    with pytest.raises(ColumnError, match=r"--customer 'custmer_id' is not a column.*Did you mean 'customer_id'"):
        orders.read(path, Reading(customer="custmer_id", time="date"))
    with pytest.raises(ColumnError, match="name the same column"):
        orders.read(path, Reading(customer="date", time="date"))


def test_bytes_that_are_no_utf8_name_their_line(tmp_path):
    text = "who,when\nZoë,2024-01-01\n"
    path = written(tmp_path, text, encoding="cp1252")
    with pytest.raises(InputError, match=r"is not UTF-8 text \(line 2\).*--encoding"):
        orders.read(path, Reading(customer="who", time="when"))
    assert read(tmp_path, text)["customer"].tolist() == ["Zoë"]
    how = Reading(customer="who", time="when", encoding="cp1252")
    assert orders.read(written(tmp_path, text, encoding="cp1252"), how).frame["customer"].tolist() == ["Zoë"]


@pytest.mark.parametrize(
    ("head", "said"),
    [(b"PK\x03\x04rest", "Excel workbook"), (b"\x1f\x8brest", "gzip"), (b"a\x00b", "binary"), (b"PAR1bad", "Parquet")],
)
def test_other_kinds_of_files_are_recognised(tmp_path, head, said):
    path = tmp_path / "orders.csv"
    path.write_bytes(head)
    with pytest.raises(InputError, match=said):
        orders.read(path, Reading(customer="who", time="when"))


# ---------------------------------------------------------------- Parquet


def test_parquet_is_read_as_the_same_table(tmp_path, cdnow):
    path = tmp_path / "orders.parquet"
    cdnow.to_parquet(path)
    how = Reading(customer="customer_id", time="date", value="amount", decimal=",")
    stored, bundled = orders.read(path, how).frame, orders.cdnow().frame
    assert stored["customer"].tolist() == bundled["customer"].tolist()
    assert stored["time"].tolist() == bundled["time"].tolist()
    assert stored["value"].tolist() == bundled["value"].tolist()


def test_parquet_dates_zones_and_nulls(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table(
        {
            "who": pa.array([1, None, 3], pa.int64()),
            "day": pa.array([dt.date(2024, 1, 1), dt.date(2024, 1, 2), None], pa.date32()),
            "when": pa.array([dt.datetime(2024, 1, 1, 23)] * 3, pa.timestamp("us", tz="UTC")),
            "text": ["2024-01-01", "soon", "2024-01-03"],
        }
    )
    parquet.write_table(table, tmp_path / "p.parquet")
    frame = orders.read(tmp_path / "p.parquet", Reading(customer="who", time="day")).frame
    assert frame["customer"].tolist()[::2] == ["1", "3"]
    assert frame["customer"].isna().tolist() == [False, True, False]
    assert frame["time"].isna().tolist() == [False, False, True]
    zoned = orders.read(tmp_path / "p.parquet", Reading(customer="who", time="when", time_zone="Asia/Tokyo"))
    assert zoned.frame["time"].iloc[0] == pd.Timestamp("2024-01-02 08:00")
    with pytest.raises(InputError, match="row 2: 'soon'"):
        orders.read(tmp_path / "p.parquet", Reading(customer="who", time="text"))
