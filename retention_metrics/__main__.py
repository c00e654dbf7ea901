"""The command line: a report on a file of purchases, or on bundled ones."""

from __future__ import annotations

import argparse
import dataclasses
import datetime as dt
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import retention_metrics
from retention_metrics.errors import InputError, RetentionMetricsError

if TYPE_CHECKING:
    from retention_metrics.report.findings import Findings

_PROGRAM = "retention-metrics"
_PERIODS = ("day", "week", "month", "quarter", "year")


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like all others."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words after the program's name; by default those of the process.

    Returns
    -------
    int
        0 where the report was written; 2, after one line on the standard error stream, where it was not.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a sign still shows the rest
    try:
        return _run(_parser().parse_args(argv))
    except BrokenPipeError:
        return _unread()
    except KeyboardInterrupt:
        return 130
    except RetentionMetricsError as error:
        return _refuse(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}.")


def _refuse(message: str) -> int:
    print(f"{_PROGRAM}: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _unread() -> int:
    """The reader of the output has gone: let Python's own last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


# ---------------------------------------------------------------- what can be asked


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=_PROGRAM, description="Customer retention, from a file of purchases to one page.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {retention_metrics.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    report = commands.add_parser(
        "report", help="report on a CSV or Parquet file with a row per purchase", allow_abbrev=False
    )
    _add_file(report)
    _add_questions(report)
    demo = commands.add_parser("demo", help="report on a music shop's purchases of 1997-98", allow_abbrev=False)
    for command in (report, demo):
        command.add_argument(
            "--out", type=Path, default=Path("report.html"), metavar="PAGE", help="page to write (default: %(default)s)"
        )
    return parser


def _add_file(report: argparse.ArgumentParser) -> None:
    report.add_argument("file", type=Path, metavar="FILE", help="CSV with a header, or Parquet")
    report.add_argument("--customer", required=True, metavar="COLUMN", help="who bought")
    report.add_argument("--time", required=True, metavar="COLUMN", help="when, as 2024-01-31 or 2024-01-31T09:30:00")
    report.add_argument("--value", metavar="COLUMN", help="for how much; negative amounts are returns")
    report.add_argument("--date-format", metavar="FORM", help="form of the times, such as %%d/%%m/%%Y")
    report.add_argument("--time-zone", metavar="ZONE", help="zone of the days, for times that carry one (default: UTC)")
    report.add_argument("--separator", metavar="CHARACTER", help="what parts the fields (default: found by itself)")
    report.add_argument("--decimal", choices=(".", ","), default=".", help="decimal mark (default: %(default)s)")
    report.add_argument("--encoding", metavar="NAME", help="of the text, such as cp1252 (default: UTF-8)")


def _add_questions(report: argparse.ArgumentParser) -> None:
    report.add_argument("--period", choices=_PERIODS, default="month", help="of the cohorts (default: %(default)s)")
    report.add_argument("--as-of", type=_day, metavar="DATE", help="last day observed (default: the file's last)")
    report.add_argument("--since", type=_day, metavar="DATE", help="leave out customers first seen before it")
    report.add_argument(
        "--level", type=float, default=0.95, metavar="SHARE", help="content of the intervals (default: %(default)s)"
    )


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a date is written 2024-01-31; got {text!r}") from None


# ---------------------------------------------------------------- what is done


def _run(options: argparse.Namespace) -> int:
    # What the work needs is imported here: --help and a misspelt option answer at once.
    from retention_metrics.report import findings, orders

    if options.command == "demo":
        _write(findings.find(orders.cdnow(), since=dt.date(1997, 1, 1)), options.out)
        return 0
    _spare(options.file, options.out)
    how = orders.Reading(**{field.name: getattr(options, field.name) for field in dataclasses.fields(orders.Reading)})
    found = findings.find(
        orders.read(options.file, how),
        period=options.period,
        as_of=options.as_of,
        since=options.since,
        level=options.level,
    )
    _write(found, options.out)
    return 0


def _spare(file: Path, out: Path) -> None:
    """Refuse to write the page over the purchases."""
    if out.exists() and file.exists() and out.samefile(file):
        raise InputError(f"--out {out} is the file of purchases, which the page would replace.", argument="out")


def _write(found: Findings, out: Path) -> None:
    """Write the page, and say in short what it says."""
    from retention_metrics.report import page, summary, wording

    say = wording.wording()
    # A file name may hold bytes that are no text.
    out.write_bytes(page.render(found, say).encode("utf-8", errors="replace"))
    for line in (*summary.sentences(found, say), *map(say.tell, found.warnings), say("written", page=out.resolve())):
        print(line.replace("\u00a0", " "))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
