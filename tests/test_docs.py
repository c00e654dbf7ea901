"""Every session that the README, the docs and CONTRIBUTING.md show is run, errors included."""

from __future__ import annotations

import doctest
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import retention_metrics as rm
from places import ROOT

GENERATED = {"_build", "_static", "api", "notebooks"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if not GENERATED & set(page.relative_to(ROOT).parts)),
]
SESSION = re.compile(r"^```(?:pycon|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.FAIL_FAST


def by_path(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def sessions(page: Path) -> str:
    """The page's sessions as one text, each at its own line of the page."""
    text = page.read_text(encoding="utf-8")
    lines = [""] * text.count("\n")
    for found in SESSION.finditer(text):
        if ">>> " in found.group(1):
            first = text[: found.start(1)].count("\n")
            block = found.group(1).splitlines()
            lines[first : first + len(block)] = block
    return "\n".join(lines) + "\n"


SHOWN = {page: sessions(page) for page in PAGES}
WITH_SESSIONS = [page for page, text in SHOWN.items() if text.strip()]


@pytest.mark.parametrize("page", WITH_SESSIONS, ids=by_path)
def test_what_a_page_shows_is_what_happens(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(SHOWN[page], {}, page.name, str(page), 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
    assert not said, "".join(said)


def commands(page: Path) -> list[tuple[str, str]]:
    """Each command that the page shows, with what it says."""
    blocks = re.findall(r"^```console\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    shown = [part.partition("\n") for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(command, said) for command, _, said in shown]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=by_path)
def test_what_a_command_says_is_what_a_page_shows(page, tmp_path):
    for command, shown in commands(page):
        program, *words = shlex.split(command)
        assert program == "python"
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, text=True, encoding="utf-8", cwd=tmp_path, check=False
        )
        said = (done.stdout + done.stderr).replace(f"{tmp_path.resolve()}{os.sep}", "")
        assert said == shown, command
        assert done.returncode == (2 if done.stderr else 0), command


def test_the_readme_shows_a_session():
    assert ROOT / "README.md" in WITH_SESSIONS


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_an_error_is_only_quoted_by_a_session_that_raises_it(page):
    outside = SESSION.sub("", page.read_text(encoding="utf-8"))
    assert not re.findall(
        r"^(?:\S+\.)?(?:Input|Column|Fit|MissingDependency|BenchmarkUnavailable)Error: .*", outside, re.M
    )


# ---------------------------------------------------------------- what is there is named, what is named is there


@pytest.mark.parametrize("page", PAGES, ids=by_path)
def test_a_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)#\s]+)", text):
        assert (page.parent / target).exists(), target


FUNCTIONS = [
    (module_name, name)
    for module_name in rm.__all__
    if inspect.ismodule(module := getattr(rm, module_name))
    for name in module.__all__
    if inspect.isfunction(getattr(module, name))
]


@pytest.mark.parametrize(("module_name", "name"), FUNCTIONS, ids=[".".join(pair) for pair in FUNCTIONS])
def test_the_guide_names_every_function(module_name, name):
    guide = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.parent.name == "guide")
    assert re.search(rf"\b(?:{module_name}|rm)\.{name}\b", guide)


def test_the_changelog_names_what_exists():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    names = re.findall(r"`([a-z_]+(?:\.[A-Za-z_]+)+)`", changelog)
    assert names
    for name in names:
        found = rm
        for part in name.split("."):
            found = getattr(found, part)
