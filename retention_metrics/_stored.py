"""Values that stay as they are made, and that are read back only as what they were."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

from retention_metrics import _checks
from retention_metrics.errors import InputError


class Frozen:
    """Base of the frozen dataclasses with slots: no name can be set, whether it is a field or not."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # With slots the decorator makes the class a second time, and what it wrote for the first one answers
        # a name that is no field with a TypeError about super() (CPython issue 90562).
        if "__setattr__" in vars(cls):
            cls.__setattr__ = _refuse_to_set  # type: ignore[method-assign]
            cls.__delattr__ = _refuse_to_delete  # type: ignore[method-assign]


def _refuse_to_set(self: object, name: str, value: object) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> NoReturn:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


class Stored(Frozen):
    """Base of everything that goes to a dictionary with its ``kind`` and the version of its ``schema``."""

    __slots__ = ()

    kind: ClassVar[str] = ""
    schema: ClassVar[int] = 1

    @classmethod
    def _refuse_others(cls, data: Mapping[str, Any]) -> None:
        """Refuse the dictionary of another kind, and one of a newer schema."""
        if data.get("kind") != cls.kind:
            raise InputError(f"{cls.__name__} reads kind {cls.kind!r}; got {data.get('kind')!r}.", argument="kind")
        if _checks.count(data.get("schema", 0), name="schema") > cls.schema:
            raise InputError(
                f"{cls.kind} is read up to schema {cls.schema}; got {data['schema']}.",
                argument="schema",
                fix="Upgrade retention-metrics.",
            )

    @classmethod
    def _stored_fields(cls, data: Mapping[str, Any]) -> dict[str, Any]:
        """The entries of a dictionary of this kind that are fields; a field without an entry is refused."""
        cls._refuse_others(data)
        declared = dataclasses.fields(cls)  # type: ignore[arg-type]
        lacking = [entry.name for entry in declared if _is_required(entry) and entry.name not in data]
        if lacking:
            raise InputError(
                f"a dictionary of {cls.kind} has all its fields; {lacking[0]!r} is missing.",
                argument=lacking[0],
                count=len(lacking),
                first=lacking[:3],
            )
        return {entry.name: data[entry.name] for entry in declared if entry.name in data}


def _is_required(entry: dataclasses.Field[Any]) -> bool:
    return entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
