"""The readers' languages: words in English, Arabic, Persian and Traditional Chinese."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Literal

from retention_metrics import _checks

Locale = Literal["en", "ar", "fa", "zh-Hant"]

LOCALES: tuple[Locale, ...] = ("en", "ar", "fa", "zh-Hant")


def words(section: str, *, locale: str) -> Mapping[str, str]:
    """The words of one section, by identifier, in one language."""
    name = _checks.choice(locale, LOCALES, name="locale")
    text = resources.files("retention_metrics.locales").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    found: Mapping[str, Mapping[str, str]] = tomllib.loads(text)
    return found.get(section, {})
