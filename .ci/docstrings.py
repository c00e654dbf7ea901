"""Check the docstring of every public name, method and property against numpydoc's rules.

The rules that are set aside stand in pyproject.toml. Two things differ from the plain validator: a class documents the
fields that it declares itself, under Parameters or Attributes (what it inherits is documented where it is declared),
and a method that overrides a documented one needs no second list of parameters and returns.
"""

from __future__ import annotations

import inspect
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import retention_metrics

ROOT = Path(__file__).resolve().parent.parent
SIGNATURE = {"PR01", "PR02", "PR03"}  # parameters that are missing, unknown or out of order
OVERRIDING = {"PR01", "RT01"}


def names() -> Iterator[tuple[str, object]]:
    """Every public object by its dotted name, each once."""
    seen: set[int] = set()
    for name in retention_metrics.__all__:
        found = getattr(retention_metrics, name)
        listed = (
            [(f"{name}.{inner}", getattr(found, inner)) for inner in found.__all__] if inspect.ismodule(found) else []
        )
        for dotted, thing in listed or [(name, found)]:
            if (inspect.isclass(thing) or inspect.isroutine(thing)) and id(thing) not in seen:
                seen.add(id(thing))
                yield f"retention_metrics.{dotted}", thing


def members(cls: type) -> Iterator[tuple[str, bool]]:
    """Public methods and properties that a class defines, and whether a documented one is overridden."""
    for name, member in vars(cls).items():
        if not name.startswith("_") and isinstance(member, (property, staticmethod, classmethod, type(members))):
            inherited = [getattr(base, name, None) for base in cls.__mro__[1:]]
            yield name, any(inspect.getdoc(method) for method in inherited if method is not None)


def undocumented_fields(cls: type) -> list[str]:
    """Fields that a class declares and does not describe."""
    sections = NumpyDocString(inspect.getdoc(cls) or "")
    described = {
        part.strip()
        for kind in ("Parameters", "Attributes")
        for entry in sections[kind]
        for part in entry.name.split(",")
    }
    declared = [name for name, hint in inspect.get_annotations(cls).items() if "ClassVar" not in str(hint)]
    return [name for name in declared if not name.startswith("_") and name not in described]


def shortfalls(name: str, *, leave: set[str]) -> list[str]:
    return [f"{name}: {code} {text}" for code, text in validate(name)["errors"] if code not in leave]


def main() -> int:
    with (ROOT / "pyproject.toml").open("rb") as file:
        set_aside = set(tomllib.load(file)["tool"]["numpydoc_validation"]["checks"]) - {"all"}
    found, checked = [], 0
    for name, thing in names():
        checked += 1
        is_class = inspect.isclass(thing)
        made_init = hasattr(thing, "__dataclass_fields__") or getattr(thing, "_is_protocol", False)
        own_init = is_class and "__init__" in vars(thing) and not made_init
        found += shortfalls(name, leave=set_aside | (SIGNATURE if is_class and not own_init else set()))
        if is_class:
            found += [f"{name}: field {field!r} is not described" for field in undocumented_fields(thing)]
            for member, overrides in members(thing):
                checked += 1
                found += shortfalls(f"{name}.{member}", leave=set_aside | (OVERRIDING if overrides else set()))
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{checked} docstrings checked, {len(found)} shortfalls")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
