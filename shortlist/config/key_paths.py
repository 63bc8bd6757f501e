"""Paths of keys, and the declared types of their values.

Pydantic's location of an error is not the path of the key. It has an extra part for the member of a union of sections
(`train.loss.corpus.parts`), and another one for a wrong key of a mapping. Only the types distinguish these parts
from keys, because a kind and a key can have the same name (`features`).
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pydantic

from shortlist.config.section import Section

KEY_MARKER = "[key]"
"""Last part of a pydantic location if a mapping's key is wrong, not its value."""

ANY_NAME = "<name>"
"""Placeholder for a mapping's key, which the user chooses."""


_ELEMENTS: dict[Any, str] = {dict: ANY_NAME, tuple: "0"}


class Declared(NamedTuple):
    """The declared type of a key's value."""

    type: Any
    """The type without `Annotated` and without None."""
    constraints: tuple[Any, ...] = ()
    """Limits and patterns, in pydantic's form."""
    tag: str | None = None
    """The key that chooses a member of a union of sections: `kind` or `engine`."""

    @property
    def section(self) -> type[Section] | None:
        """The type itself if it is a section, else None."""
        if isinstance(self.type, type) and issubclass(self.type, Section):
            return self.type
        return None

    @property
    def members(self) -> dict[str, type[Section]]:
        """The sections of a union by their tags; empty for other types."""
        if self.tag is None:
            return {}
        return {section.model_fields[self.tag].default: section for section in typing.get_args(self.type)}

    def child(self, part: object) -> Declared | None:
        """Returns the type at the next part of a pydantic location; None if this type has no such part."""
        if self.tag is not None:
            member = self.members.get(str(part))
            return Declared(member) if member else None
        if self.section is not None:
            return fields(self.section).get(str(part))
        origin, arguments = typing.get_origin(self.type), typing.get_args(self.type)
        if origin is dict and arguments:
            return declared(arguments[1])
        if origin is tuple and arguments:
            return declared(arguments[0])
        return None


class Location(NamedTuple):
    """The key that an error is about."""

    path: tuple[str, ...]
    """Path of the key in the config file."""
    declared: Declared
    """Declared type of the key's value."""
    is_key: bool = False
    """Whether the last part of the path is wrong, a mapping's key, instead of its value."""


class Key(NamedTuple):
    """A key that a config can have."""

    path: tuple[str, ...]
    """Path of the key in the config file."""
    tag: str | None = None
    """Key that chooses a member of a union of sections, if the key belongs to one member."""
    kind: str | None = None
    """Name of that member."""


def declared(annotation: Any, constraints: Sequence[Any] = (), tag: str | None = None) -> Declared:
    """Returns a type without its `Annotated` and `| None`.

    Args:
      annotation: The type as written in the section.
      constraints: Limits and patterns from an enclosing type or field.
      tag: The discriminator from an enclosing type or field.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        for extra in arguments[1:]:
            if isinstance(extra, pydantic.fields.FieldInfo):
                constraints = [*constraints, *extra.metadata]
                tag = tag or typing.cast("str | None", extra.discriminator)
            else:
                constraints = [*constraints, extra]
        return declared(arguments[0], constraints, tag)
    if origin in (typing.Union, types.UnionType):
        members = [argument for argument in arguments if argument is not type(None)]
        if len(members) == 1:
            return declared(members[0], constraints, tag)
    return Declared(annotation, tuple(constraints), tag)


@functools.cache
def fields(section: type[Section]) -> dict[str, Declared]:
    """Returns the types of a section's keys."""
    return {
        name: declared(field.annotation, field.metadata, typing.cast("str | None", field.discriminator))
        for name, field in section.model_fields.items()
    }


def locate(root: type[Section], loc: Sequence[int | str]) -> Location:
    """Returns the path and the type of a pydantic location.

    Pydantic adds parts for the members of a union of plain types. They are not keys and are left out.

    Args:
      root: The validated section.
      loc: The location of an error.
    """
    here = Declared(root)
    path: list[str] = []
    for position, part in enumerate(loc):
        below = here.child(part)
        if below is None:
            break
        if here.tag is None:
            path.append(str(part))
        if typing.get_origin(here.type) is dict and tuple(loc[position + 1 :]) == (KEY_MARKER,):
            return Location(tuple(path), declared(typing.get_args(here.type)[0]), is_key=True)
        here = below
    return Location(tuple(path), here)


@functools.cache
def keys_of(root: type[Section]) -> tuple[Key, ...]:
    """Returns all keys of a section and of the sections below it, the section's own first."""
    return tuple(_keys(Declared(root), Key(())))


def _keys(here: Declared, at: Key) -> Iterator[Key]:
    if here.tag is not None:
        for kind, section in here.members.items():
            yield from _keys(Declared(section), Key(at.path, here.tag, kind))
    elif here.section is not None:
        children = [(at._replace(path=(*at.path, name)), type_) for name, type_ in fields(here.section).items()]
        yield from (key for key, _ in children)
        for key, type_ in children:
            yield from _keys(type_, key)
    else:
        part = _ELEMENTS.get(typing.get_origin(here.type), "")
        below = here.child(part)
        if part and below is not None:
            yield from _keys(below, at._replace(path=(*at.path, part)))
