"""No test is skipped for a reason that nobody has agreed to.

This stands at the root so that doctests in the package and notebooks are held to it as well as ``tests/``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

ALLOWED_SKIPS = (
    "shared data folder is absent",  # larger data sets live beside the project, not in it
)


def _refuse_unlisted_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = reason.removeprefix("Skipped: ")
    if reason not in ALLOWED_SKIPS:
        report.outcome = "failed"
        report.longrepr = (
            f"{report.nodeid} was skipped for a reason that is not in ALLOWED_SKIPS of conftest.py: {reason}"
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    report = yield
    _refuse_unlisted_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    _refuse_unlisted_skip(report)
    return report
