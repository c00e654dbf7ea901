"""Sphinx configuration: built with warnings as errors and without a network; the pages fetch nothing either."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import SphinxError

HERE = Path(__file__).resolve().parent
with (HERE.parent / "pyproject.toml").open("rb") as file:
    metadata = tomllib.load(file)["project"]

# The worked notebooks are pages of the documentation, with the outputs that they were committed with.
shutil.copytree(
    HERE.parent / "notebooks", HERE / "notebooks", ignore=shutil.ignore_patterns("*.py"), dirs_exist_ok=True
)

project = "retention_metrics"
author = copyright = "retention_metrics developers"
version = release = metadata["version"]

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
]
exclude_patterns = ["_build", "_static/mathjax/README.md"]
templates_path = ["_templates"]
nitpicky = False

# Every output on a page comes from running the page: an error in a cell fails the build.
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_execution_excludepatterns = ["notebooks/*"]
nb_execution_show_tb = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

mathjax_path = "mathjax/tex-svg.js"
# The menu of a formula could fetch speech rules from a server.
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "pydata_sphinx_theme"
html_title = f"retention_metrics {version}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_sidebars = {page: [] for page in ("index", "installation", "reference", "contributing", "changelog")}
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_toc_level": 2,
    "show_prev_next": False,
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

FETCHES = {
    "*.html": re.compile(
        r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"'](?:https?:)?//[^\"']+", re.IGNORECASE
    ),
    "*.css": re.compile(r"(?:@import\s+|url\()\s*[\"']?(?:https?:)?//[^\"')]+", re.IGNORECASE),
}


def refuse_pages_that_fetch(app: Sphinx, exception: Exception | None) -> None:
    """Fail the build when a page would load something from elsewhere."""
    if exception is not None or app.builder.format != "html":
        return
    for pattern, fetches in FETCHES.items():
        for page in sorted(Path(app.outdir).rglob(pattern)):
            found = fetches.search(page.read_text(encoding="utf-8"))
            if found and 'rel="canonical"' not in found.group():
                raise SphinxError(f"{page.relative_to(app.outdir)} fetches something: {found.group()}")


def setup(app: Sphinx) -> None:
    app.connect("build-finished", refuse_pages_that_fetch)
