"""Where the tests find things: the project, its reference numbers, the data that comes with lifetimes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "tests" / "reference"
SHARED_DATA = ROOT.parent / "shared" / "data"


def lifetimes_file(name: str) -> Path:
    """A file of the installed lifetimes package, found without importing it."""
    spec = importlib.util.find_spec("lifetimes")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("lifetimes, a required dependency, is not installed.")
    return Path(spec.origin).parent / "datasets" / name
