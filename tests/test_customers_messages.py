"""Which triggered messages are followed by a purchase: against a loop over the rows, in every kind of frame."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import retention_metrics as rm
from frames import CONVERT, together
from leaving_out import ratio_ends
from retention_metrics.errors import ColumnError, InputError

ROLES = {"customer": "who", "time": "day", "trigger": "why"}
OPTIONS = {**ROLES, "purchase_time": "bought", "within_days": 5, "as_of": "2024-06-30"}


@pytest.fixture
def logs() -> tuple[pd.DataFrame, pd.DataFrame]:
    """400 messages to 60 customers in two segments, some without a trigger, and their purchases."""
    rng = np.random.default_rng(24)
    start = pd.Timestamp("2024-01-01")
    who = rng.integers(0, 60, 400)
    why = rng.choice(np.array(["cart", "birthday", "none", None], dtype=object), 400, p=[0.4, 0.3, 0.27, 0.03])
    sent = pd.DataFrame(
        {
            "who": who,
            "day": start + pd.to_timedelta(rng.integers(0, 182, 400), unit="D"),
            "why": why,
            "side": np.where(who % 3 == 0, "web", "shop"),
        }
    )
    bought = pd.DataFrame(
        {"who": rng.integers(0, 70, 500), "bought": start + pd.to_timedelta(rng.integers(0, 182, 500), unit="D")}
    )
    return sent, bought


def by_hand(sent, bought, *, within, same_day):
    """Whether each observed message with a trigger was followed by a purchase."""
    end = pd.Timestamp("2024-06-30")
    known = sent[sent["why"].notna() & (sent["day"] + pd.Timedelta(days=within) <= end)]
    days = bought.groupby("who")["bought"].apply(set).to_dict()
    steps = range(0 if same_day else 1, within + 1)
    hits = [
        any(day + pd.Timedelta(days=step) in days.get(who, ()) for step in steps)
        for who, day in zip(known["who"], known["day"], strict=True)
    ]
    return known.assign(hit=hits)


def converted(convert, logs):
    """Both logs in one kind; of DuckDB in one connection."""
    if convert is not CONVERT["duckdb"]:
        return [convert(log) for log in logs]
    return together(sent=logs[0], bought=logs[1]).values()


@pytest.mark.parametrize("same_day", [False, True])
@pytest.mark.parametrize("by", [None, "side"])
def test_messages_are_matched_as_a_loop_matches_them(frame, logs, same_day, by):
    sent, bought = logs
    table = rm.customers.message_response(*converted(frame, logs), **OPTIONS, same_day=same_day, by=by)
    known = by_hand(sent, bought, within=5, same_day=same_day)
    rows = {(row.get("group"), row["trigger"]): row for row in table.rows()}
    keys = ["side", "why"] if by else ["why"]
    for key, mine in known.groupby(keys):
        row = rows.pop(tuple(key) if by else (None, *key))
        each = mine.groupby("who")["hit"].agg(["size", "sum"])
        assert (row["messages"], row["followed"], row["customers"]) == (len(mine), mine["hit"].sum(), len(each))
        assert (row["low"], row["high"]) == pytest.approx(ratio_ends(each["size"], each["sum"], logit=True))
    assert not rows
    young = (sent["day"] + pd.Timedelta(days=5) > pd.Timestamp("2024-06-30")) & sent["why"].notna()
    assert dict(table.excluded) == {"missing_label": sent["why"].isna().sum(), "observed_too_short": young.sum()}
    assert "no effect" in table.notes[0]


@pytest.mark.parametrize("kind", CONVERT)
def test_a_control_is_what_the_others_are_compared_with(kind, logs):
    table = rm.customers.message_response(*converted(CONVERT[kind], logs), **OPTIONS, control="none", by="side")
    for group in ("shop", "web"):
        control, *others = (row for row in table.rows() if row["group"] == group)
        assert (control["trigger"], control["difference"]) == ("none", None)
        for row in others:
            assert row["difference"] == row["rate"] - control["rate"]
            reach = math.hypot(row["rate"] - row["low"], control["high"] - control["rate"])
            assert row["difference_low"] == pytest.approx(row["difference"] - reach)
            assert row["difference_low"] < row["difference"] < row["difference_high"]
    assert table.notes == ()


def test_without_a_level_there_are_no_intervals(logs):
    table = rm.customers.message_response(*logs, **OPTIONS, control="none", level=None)
    assert {row["low"] for row in table.rows()} == {row["difference_low"] for row in table.rows()} == {None}


def test_what_cannot_be_matched_is_refused(logs):
    sent, bought = logs
    with pytest.raises(InputError, match="control='nobody' is no trigger"):
        rm.customers.message_response(sent, bought, **OPTIONS, control="nobody")
    with pytest.raises(InputError, match=r"^messages has no rows"):
        rm.customers.message_response(sent[:0], bought, **OPTIONS)
    with pytest.raises(InputError, match=r"^purchases has no rows"):
        rm.customers.message_response(sent, bought[:0], **OPTIONS)
    with pytest.raises(InputError, match="no message has a trigger and 5 days"):
        rm.customers.message_response(sent.assign(day=pd.Timestamp("2024-06-29")), bought, **OPTIONS)
    with pytest.raises(InputError, match="library"):
        rm.customers.message_response(sent, CONVERT["polars"](bought), **OPTIONS)
    with pytest.raises(InputError, match="within_days"):
        rm.customers.message_response(sent, bought, **{**OPTIONS, "within_days": 0})
    with pytest.raises(ColumnError, match="trigger='reason' is not a column"):
        rm.customers.message_response(sent, bought, **{**OPTIONS, "trigger": "reason"})
