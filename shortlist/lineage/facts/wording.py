"""Settings as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shortlist.lineage.settings import flat

YES_OR_NO = {True: "yes", False: "no"}


def join_settings(settings: Mapping[str, Any]) -> str:
    """Returns settings in one line, nested ones by dotted name."""
    return ", ".join(f"{name} {_as_text(value)}" for name, value in flat(settings).items())


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return YES_OR_NO[value]
    return "none" if value in ([], {}, None) else str(value)
