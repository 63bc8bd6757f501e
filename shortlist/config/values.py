"""Sections with some values replaced, by dotted name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Union

import pydantic

from shortlist.config.section import Section

Value = Union[bool, int, float, str]

Sections = Mapping[str, Section]
"""`model` and `train`, by name."""


class RefusedValue(ValueError):
    """A value that a setting cannot have.

    `shortlist.config.problems` makes the full sentence. Nodes do not import it, so that no message is part of a cache
    key.
    """

    def __init__(self, where: str, section: type[Section], error: pydantic.ValidationError):
        self.where = where
        self.section = section
        self.error = error
        problem = error.errors()[0]
        reason = problem.get("ctx", {}).get("error")
        super().__init__(f"{where}: {reason or 'expected another value'}")


def with_values(sections: Sections, values: Mapping[str, Value], where: str = "") -> dict[str, Section]:
    """Returns the sections with some values replaced, after validating them again.

    Args:
      sections: Sections by name.
      values: Values by dotted name, such as `train.loss.temperature`. Each name must exist.
      where: Beginning of the error message; the values by default.

    Raises:
      RefusedValue: A setting cannot have its value.
    """
    raw = {name: section.model_dump() for name, section in sections.items()}
    for name, value in values.items():
        top, *parents, last = name.split(".")
        node = raw[top]
        for parent in parents:
            node = node[parent]
        node[last] = value
    changed: dict[str, Section] = {}
    for name, section in sections.items():
        try:
            changed[name] = type(section).model_validate(raw[name])
        except pydantic.ValidationError as error:
            raise RefusedValue(where or one_line(values), type(section), error) from None
    return changed


def one_line(values: Mapping[str, Value]) -> str:
    """Returns the values with their names on one line: "train.seed 1, train.epochs 2"."""
    return ", ".join(f"{name} {value}" for name, value in values.items())
