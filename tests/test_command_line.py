"""The command line: what it writes, what it prints, and how it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pandas as pd
import pytest

import retention_metrics as rm
from places import ROOT
from retention_metrics.__main__ import main

ROWS = [("ann", "2024-01-03", 5.0), ("ann", "2024-02-09", 7.5), ("bob", "2024-01-20", 2.0), ("cy", "2024-03-31", 4.0)]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    pd.DataFrame(ROWS, columns=["customer_id", "day", "paid"]).to_csv(path, index=False)
    return path


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line on the standard error stream of a command that exits with 2."""
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("retention-metrics: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    return said.err


def run(*words: object, **settings: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [sys.executable, "-m", "retention_metrics", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **settings)


# ---------------------------------------------------------------- what it writes


def test_a_report_is_written_and_said_in_short(shop, tmp_path, capsys):
    out = tmp_path / "page.html"
    words = ["report", shop, "--customer", "customer_id", "--time", "day", "--value", "paid", "--out", out]
    assert main([str(word) for word in words]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "3 customers made 4 purchases from 2024-01-03 to 2024-03-31." in said.out
    assert "They spent 18.50 in all." in said.out
    assert said.out.endswith(f"The whole report: {out}\n")
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_page_goes_to_report_html_unless_told_otherwise(shop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", "shop.csv", "--customer", "customer_id", "--time", "day"]) == 0
    assert (tmp_path / "report.html").is_file()


def test_options_reach_the_report(tmp_path, capsys):
    path = tmp_path / "kunden.csv"
    rows = "Müller;03.01.2024 10:00;5,25\nMüller;04.03.2024 10:00;1,00\nOtto;05.01.2024 09:30;1,50\n"
    path.write_text(f"wer;wann;Preis\n{rows}", encoding="cp1252")
    words = ["report", path, "--customer", "wer", "--time", "wann", "--value", "Preis", "--out", tmp_path / "p.html"]
    words += ["--date-format", "%d.%m.%Y %H:%M", "--decimal", ",", "--encoding", "cp1252", "--separator", ";"]
    words += ["--period", "quarter", "--as-of", "2024-02-29", "--since", "2024-01-01", "--level", "0.8"]
    assert main([str(word) for word in words]) == 0
    assert "2 customers made 2 purchases from 2024-01-03 to 2024-02-29.\nThey spent 6.75" in capsys.readouterr().out
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "Who stays, quarter by quarter" in page
    assert "Ranges are 80\u00a0% intervals." in page
    assert "1 after the end of observation" in page
    assert "Müller" not in page  # no customer bought twice: there is no table of them


def test_times_with_a_zone_are_cut_in_the_zone_given(tmp_path, capsys):
    path = tmp_path / "log.csv"
    path.write_text("who,when\na,2024-01-31T23:30:00Z\nb,2024-02-01T12:00:00Z\n", encoding="utf-8")
    words = ["report", str(path), "--customer", "who", "--time", "when", "--out", str(tmp_path / "p.html")]
    assert main([*words, "--time-zone", "Asia/Tokyo"]) == 0
    said = capsys.readouterr().out
    assert "from 2024-02-01 to 2024-02-01" in said
    assert "days are those of Asia/Tokyo" in said


def test_parquet_needs_no_other_option(tmp_path, capsys):
    path = tmp_path / "orders.parquet"
    frame = pd.DataFrame(ROWS, columns=["customer_id", "day", "paid"])
    frame.assign(day=pd.to_datetime(frame["day"])).to_parquet(path)
    words = ["report", path, "--customer", "customer_id", "--time", "day", "--out", tmp_path / "p.html"]
    assert main([str(word) for word in words]) == 0
    assert "3 customers made 4 purchases" in capsys.readouterr().out


def test_the_demo_tells_of_the_bundled_purchases(tmp_path, capsys, cdnow):
    out = tmp_path / "demo.html"
    assert main(["demo", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    repeat = (cdnow.groupby("customer_id")["date"].nunique() > 1).mean()
    assert "2,357 customers made 6,696 purchases from 1997-01-01 to 1998-06-30." in said
    assert f"They spent {cdnow['amount'].sum():,.0f} in all." in said
    assert f"{100 * repeat:.1f} % of them bought more than once" in said
    assert "\u00a0" not in said
    assert str(out) in said
    assert "CDNOW sample" in out.read_text(encoding="utf-8")


# ---------------------------------------------------------------- how it refuses


def test_a_wrong_column_answers_with_the_nearest_names(shop, capsys):
    line = refused(capsys, "report", shop, "--customer", "custmer_id", "--time", "day")
    assert "--customer 'custmer_id' is not a column; columns are ['customer_id', 'day', 'paid']" in line
    assert "Did you mean 'customer_id'?" in line


def test_an_unreadable_date_says_its_line(shop, capsys):
    shop.write_text(shop.read_text(encoding="utf-8").replace("2024-02-09", "9 Feb"), encoding="utf-8")
    line = refused(capsys, "report", shop, "--customer", "customer_id", "--time", "day")
    assert "1 unreadable date in 4 rows (line 3: '9 Feb')" in line


def test_a_missing_file_answers_with_the_nearest(shop, capsys):
    words = ("--customer", "customer_id", "--time", "day")
    assert f"there is no file {shop.parent / 'shp.csv'}. Did you mean {shop}?" in refused(
        capsys, "report", shop.parent / "shp.csv", *words
    )
    assert "is a folder" in refused(capsys, "report", shop.parent, *words)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--period", "fortnight"), "invalid choice: 'fortnight'"),
        (("--as-of", "yesterday"), "a date is written 2024-01-31; got 'yesterday'"),
        (("--since", "2025-01-01"), "--since 2025-01-01 leaves no customer"),
        (("--as-of", "2020-01-01"), "no purchase is left to report on: 4 rows, 4 after --as-of"),
        (("--level", "95"), "level is a probability in (0, 1), e.g. 0.95; got 95.0"),
        (("--date-format", "day first"), "--date-format is written as"),
        (("--encoding", "klingon"), "--encoding is a name such as utf-8"),
        (("--separator", "::"), "--separator is one character"),
        (("--value", "day"), "--time and --value name the same column, 'day'"),
        (("--value", "customer_id"), "--customer and --value name the same column"),
        (("--cohorts", "2"), "unrecognized arguments: --cohorts 2"),
    ],
)
def test_bad_options_are_refused_in_one_line(shop, tmp_path, capsys, more, said):
    out = tmp_path / "p.html"
    line = refused(capsys, "report", shop, "--customer", "customer_id", "--time", "day", "--out", out, *more)
    assert said in line
    assert not out.exists()


def test_what_is_missing_is_asked_for(capsys):
    assert "required: COMMAND" in refused(capsys)
    assert "required: FILE, --customer, --time" in refused(capsys, "report")
    assert "invalid choice: 'retort'" in refused(capsys, "retort")


def test_a_page_that_cannot_be_written_is_an_error_of_one_line(shop, capsys):
    words = ("report", shop, "--customer", "customer_id", "--time", "day", "--out")
    missing = shop.parent / "missing" / "p.html"
    assert f"{missing}: No such file or directory." in refused(capsys, *words, missing)
    assert "Is a directory." in refused(capsys, *words, shop.parent)


def test_the_page_never_replaces_the_purchases(shop, capsys):
    before = shop.read_bytes()
    line = refused(capsys, "report", shop, "--customer", "customer_id", "--time", "day", "--out", shop)
    assert "which the page would replace" in line
    assert shop.read_bytes() == before


def test_without_matplotlib_it_says_what_to_install(shop, tmp_path, capsys, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    out = tmp_path / "p.html"
    line = refused(capsys, "report", shop, "--customer", "customer_id", "--time", "day", "--out", out)
    assert "needs matplotlib: pip install 'retention-metrics[plot]'." in line
    assert not out.exists()


def test_an_error_with_newlines_stays_one_line(tmp_path, capsys):
    assert "there is no file" in refused(capsys, "report", tmp_path / "a\nb.csv", "--customer", "c", "--time", "t")


# ---------------------------------------------------------------- as a process


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as done:
        main(["--version"])
    assert done.value.code == 0
    assert capsys.readouterr().out == f"retention-metrics {rm.__version__}\n"
    assert tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"] == rm.__version__


def test_the_console_script_is_main():
    scripts = {script.name: script for script in entry_points(group="console_scripts")}
    assert scripts["retention-metrics"].load() is main


def test_bad_input_exits_with_2_and_no_traceback(shop):
    done = run("report", shop, "--customer", "nobody", "--time", "day")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_a_reader_who_leaves_early_sees_no_traceback(shop, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "retention_metrics", "report", shop, "--customer", "customer_id", "--time", "day"]
    done = subprocess.run(
        [*command, "--out", tmp_path / "p.html"], stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")
    assert (tmp_path / "p.html").is_file()


def test_a_terminal_without_the_letters_still_gets_the_summary(tmp_path, shop):
    out = tmp_path / "größe.html"
    done = run(
        *("report", shop, "--customer", "customer_id", "--time", "day", "--out", out),
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "gr??e.html" in done.stdout


def test_help_loads_no_dataframe_library():
    code = (
        "import sys; from retention_metrics.__main__ import main\n"
        "try: main(['report', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'numpy', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--customer COLUMN" in done.stdout
