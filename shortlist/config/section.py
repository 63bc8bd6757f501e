"""Base class of the config's sections."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

import pydantic
import pydantic_core

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
"""A host name or an IP address, without a port."""


def _refuse_bool(value: object) -> object:
    # Pydantic would read `true` as 1, although YAML also reads `yes` and `on` as true.
    if isinstance(value, bool):
        raise pydantic_core.PydanticCustomError("bool_as_number", "expected a number")
    return value


Whole = Annotated[int, pydantic.BeforeValidator(_refuse_bool)]
"""A whole number. `int` would accept true and false, too."""

Number = Annotated[float, pydantic.BeforeValidator(_refuse_bool)]
"""A finite number. `float` would accept true and false, too."""

MAX_SEED = 2**31 - 2
"""TensorFlow takes seeds modulo 2**31 - 1."""

Seed = Annotated[Whole, pydantic.Field(ge=1, le=MAX_SEED)]
"""A seed of TensorFlow. With a global seed of 0, its `shuffle` refuses seeds that are tensors."""


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError(f"expected a text that is not blank, got {text[:20]!r}")
    return text


def _check_line(text: str) -> str:
    # Tabs, line ends and escape sequences: in paths and names they are accidents, and they break logs and URIs.
    unprintable = [character for character in text if unicodedata.category(character) in ("Cc", "Zl", "Zp")]
    if unprintable:
        raise ValueError(f"expected a text on one line without control characters, got one with {unprintable[0]!r}")
    return text


Text = Annotated[str, pydantic.AfterValidator(_check_text)]
"""A text that is not blank."""

Line = Annotated[Text, pydantic.AfterValidator(_check_line)]
"""A text on one line, without control characters: a path, an address or a name."""


class Section(pydantic.BaseModel):
    """Base of all sections: frozen, typed, and without unknown keys."""

    # Attribute docstrings become field descriptions, from which docs/configuration.md is made.
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _complete_sections(cls, values: object) -> object:
        """Gives a nested section the absent keys from that key's own default, not from the nested class alone.

        `drift: {threshold: 0.5}` thus keeps the documented `action: warn`.
        """
        if not isinstance(values, dict):
            return values
        completed = dict(values)
        for name, field in cls.model_fields.items():
            given, default = values.get(name), field.default
            # A section of a union has its values by `kind`, which may be another one than the default's.
            if isinstance(given, dict) and isinstance(default, Section) and field.annotation is type(default):
                completed[name] = {**own_values(default), **given}
        return completed


def own_values(section: Section) -> dict[str, object]:
    """Returns the values that a section does not share with every other section of its class."""
    fields = type(section).model_fields
    values = {name: getattr(section, name) for name in fields}
    return {
        name: value for name, value in values.items() if fields[name].is_required() or value != fields[name].default
    }
