"""Execute notebooks/NN_title.py into notebooks/NN_title.ipynb, from a clean kernel each.

What would differ from machine to machine and says nothing (times of execution, the kernel's display name) is left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def execute(source: Path) -> None:
    """Run one notebook in its folder and write it beside its source."""
    notebook = jupytext.read(source)
    notebook.metadata["kernelspec"] = KERNEL
    NotebookClient(
        notebook, timeout=120, record_timing=False, resources={"metadata": {"path": str(source.parent)}}
    ).execute()
    notebook.metadata["kernelspec"] = KERNEL
    notebook.metadata["language_info"] = {"name": "python"}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02}"
    nbformat.validate(notebook)
    nbformat.write(notebook, source.with_suffix(".ipynb"))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        execute(Path(name))
        print(name)
