"""What holds for the project as a whole: light to import, layered, documented, honest about what it skips."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

import retention_metrics as rm
from places import ROOT

PACKAGE = ROOT / "retention_metrics"
SOURCES = sorted(PACKAGE.rglob("*.py"))
MODULES = [name for name in rm.__all__ if inspect.ismodule(getattr(rm, name))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.py"))

HEAVY = ("numpy", "pandas", "scipy", "narwhals", "matplotlib", "lifetimes", "polars", "pyarrow", "duckdb")


def public_names(module_name: str) -> list[str]:
    return [f"retention_metrics.{module_name}.{name}" for name in getattr(rm, module_name).__all__]


def public_objects() -> dict[str, object]:
    """Every documented name with what it stands for; names that two modules share appear once under each."""
    found: dict[str, object] = {}
    for module_name in MODULES:
        found.update({name: resolve(name) for name in public_names(module_name)})
    top = {f"retention_metrics.{name}": getattr(rm, name) for name in rm.__all__ if name not in MODULES}
    return found | top


def resolve(name: str) -> object:
    """The object of a dotted name, where the package ends found by importing."""
    module, rest = importlib.import_module("retention_metrics"), name.split(".")[1:]
    found: object = module
    for part in rest:
        found = getattr(found, part)
    return found


def imports(tree: ast.AST) -> list[tuple[str, int]]:
    """Top-level package names imported anywhere below, with the line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module.split(".")[0], node.lineno))
    return found


def top_level_imports(path: Path) -> list[str]:
    """What importing the module imports at once: not inside functions, not for type checkers only."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found += [name for name, _ in imports(node)]
    return found


# ---------------------------------------------------------------- importing


def test_importing_the_package_loads_nothing_heavy():
    code = f"import sys, retention_metrics; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


def test_an_error_can_be_caught_without_loading_anything_heavy():
    code = f"import sys; from retention_metrics import errors; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


def test_every_public_name_of_the_package_resolves():
    assert sorted(rm.__all__) == rm.__all__
    assert set(rm.__all__) <= set(dir(rm))
    for name in rm.__all__:
        assert getattr(rm, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="retension"):
        rm.retension  # noqa: B018


def test_type_checkers_see_the_names_that_the_lazy_map_serves():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    guarded = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for block in guarded for node in block.body for alias in node.names}
    assert seen == set(rm.__all__)


def test_the_version_is_the_distribution_s():
    assert rm.__version__ == importlib.metadata.version("retention-metrics")


def test_five_packages_are_required_and_no_more():
    required = [line for line in importlib.metadata.requires("retention-metrics") if "extra ==" not in line]
    assert sorted(re.split(r"[<>=!~ ]", line)[0] for line in required) == [
        "lifetimes",
        "narwhals",
        "numpy",
        "pandas",
        "scipy",
    ]


def test_the_package_says_that_it_is_typed():
    assert (PACKAGE / "py.typed").is_file()


# ---------------------------------------------------------------- layers


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_narwhals_and_matplotlib_stay_where_they_belong(path):
    tree, where = ast.parse(path.read_text(encoding="utf-8")), path.relative_to(PACKAGE).parts[0]
    used = {name for name, _ in imports(tree)}
    assert "narwhals" not in used or where == "_engine"
    assert "lifetimes" not in top_level_imports(path), "lifetimes changes global options: import it where it is used"
    assert "matplotlib" not in top_level_imports(path), "matplotlib is an extra: import it inside the function"
    assert not {"polars", "pyarrow", "duckdb"} & set(top_level_imports(path)), "an extra is imported at the top"
    assert path.stem not in {"utils", "helpers", "common", "misc"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_matplotlib_is_named_by_plotting_alone(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if path.relative_to(PACKAGE).parts[0].removesuffix(".py") == "plotting":
        return
    # a return annotation may name the class; nothing outside plotting runs matplotlib
    guarded = {line for node in ast.walk(tree) if is_type_checking(node) for _, line in imports(node)}
    assert not [line for name, line in imports(tree) if name == "matplotlib" and line not in guarded]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


GLOBAL_STATE = {
    ("warnings", "simplefilter"),
    ("warnings", "filterwarnings"),
    ("np", "seterr"),
    ("random", "seed"),
    ("pd", "set_option"),
    ("plt", "rcParams"),
    ("pyplot", "rcParams"),
    ("matplotlib", "use"),
    ("os", "chdir"),
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_changes_global_state(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            assert (owner, node.attr) not in GLOBAL_STATE, f"line {node.lineno}: {owner}.{node.attr}"
    calls = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert "print" not in calls or path.name == "__main__.py"


# ---------------------------------------------------------------- documentation


def documented_names() -> list[str]:
    text = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    found, module = [], None
    for line in text.splitlines():
        if named := re.fullmatch(r"\s*\.\. currentmodule:: (\S+)", line):
            module = named.group(1)
        elif module and (entry := re.fullmatch(r"\s+([A-Za-z_]\w*)", line)):
            found.append(f"{module}.{entry.group(1)}")
    return found


@pytest.mark.parametrize("module_name", MODULES)
def test_the_reference_lists_what_a_module_makes_public(module_name):
    listed = [name for name in documented_names() if name.startswith(f"retention_metrics.{module_name}.")]
    assert sorted(listed) == sorted(public_names(module_name))


def test_the_reference_lists_what_the_package_makes_public():
    listed = [name for name in documented_names() if name.count(".") == 1]
    assert sorted(listed) == sorted(f"retention_metrics.{name}" for name in rm.__all__ if name not in MODULES)


@pytest.mark.parametrize(("name", "found"), public_objects().items(), ids=list(public_objects()))
def test_every_public_name_says_what_it_is(name, found):
    if not (inspect.isclass(found) or inspect.isroutine(found)):
        return  # a constant or an alias has no docstring of its own
    summary = (inspect.getdoc(found) or "").splitlines()[0]
    assert summary.endswith("."), summary
    assert len(summary) < 80, summary


@pytest.mark.parametrize(("name", "found"), public_objects().items(), ids=list(public_objects()))
def test_every_public_function_shows_an_example(name, found):
    if inspect.isfunction(found):
        assert ">>> " in (inspect.getdoc(found) or "")


# ---------------------------------------------------------------- notebooks


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_executed_notebook_is_the_one_that_the_source_describes(source):
    executed = jupytext.read(source.with_suffix(".ipynb"))
    written = jupytext.read(source)
    assert [(cell.cell_type, cell.source) for cell in executed.cells] == [
        (cell.cell_type, cell.source) for cell in written.cells
    ], "run `make notebooks`"
    code = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source.strip()]
    assert all(cell.execution_count for cell in code), "run `make notebooks`"


NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_answer_of_a_notebook_quotes_what_the_notebook_shows(source):
    executed = jupytext.read(source.with_suffix(".ipynb"))
    text = executed.cells[-1].source
    answer = text[text.index("## The answer") : text.index("## Exercises")]
    shown = {
        number.replace(",", "")
        for cell in executed.cells
        if cell.cell_type == "code"
        for number in NUMBER.findall("\n".join([cell.source, *said(cell)]))
    }
    quoted = {number.replace(",", "") for number in NUMBER.findall(answer)}
    assert quoted
    assert quoted <= shown


def said(cell) -> list[str]:
    """What a cell printed and showed, as text."""
    return [output.get("text") or output["data"].get("text/plain", "") for output in cell.outputs]


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_executed_notebook_names_no_folder_of_a_machine(source):
    text = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert not re.search(r"(?:/(?:home|Users|root|tmp|work)/)|site-packages|[A-Z]:\\\\", text)


# ---------------------------------------------------------------- skipping


def run_pytest(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "conftest.py", folder / "conftest.py")
    (folder / "test_it.py").write_text(f"import pytest\n{test}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_a_skip_with_an_agreed_reason_passes(tmp_path):
    done = run_pytest(tmp_path, "def test_it():\n    pytest.skip('shared data folder is absent')")
    assert (done.returncode, "1 skipped" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(
    "test",
    [
        "def test_it():\n    pytest.skip('not today')",
        "@pytest.mark.skip(reason='not today')\ndef test_it():\n    pass",
        "@pytest.mark.skipif(True, reason='not today')\ndef test_it():\n    pass",
        "pytest.importorskip('no_such_engine', reason='not today')",
    ],
    ids=["call", "mark", "condition", "module"],
)
def test_any_other_skip_fails(tmp_path, test):
    done = run_pytest(tmp_path, test)
    assert done.returncode != 0, done.stdout
    assert "not today" in done.stdout
