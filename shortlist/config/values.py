"""Sections with some of their values replaced, by dotted name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union

from shortlist.config.section import Section

Value = Union[bool, int, float, str]

Sections = Mapping[str, Section]
"""`model` and `train`."""


def with_values(sections: Sections, values: Mapping[str, Value]) -> dict[str, Section]:
    """Returns the sections with some settings replaced, validated again.

    Args:
      sections: By name.
      values: By dotted name, `train.loss.temperature`; each must exist.

    Raises:
      pydantic.ValidationError: A setting cannot have its value.
    """
    raw = replaced(sections, values)
    return {name: type(section).model_validate(raw[name]) for name, section in sections.items()}


def replaced(sections: Sections, values: Mapping[str, Value]) -> dict[str, dict[str, Any]]:
    """Returns the sections as plain dicts with some settings replaced, not validated."""
    raw = {name: section.model_dump() for name, section in sections.items()}
    for name, value in values.items():
        top, *parents, last = name.split(".")
        node = raw[top]
        for parent in parents:
            node = node[parent]
        node[last] = value
    return raw
