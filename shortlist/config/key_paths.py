"""Paths of keys, and the types that sections declare at them.

Pydantic's location of an error is not the path of the key: it has a further part where a union of sections is entered
(`train.loss.corpus.parts`) and where a mapping's key is wrong. Names cannot tell these parts from keys, since kinds
and keys share names (`features`); types can.
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
"""Last part of a location that is about a mapping's key instead of its value."""

ANY_NAME = "<name>"
"""In place of a mapping's key, which the user chooses."""


class Declared(NamedTuple):
    """A type as a section declares it."""

    type: Any
    """Without `Annotated` and without None."""
    constraints: tuple[Any, ...] = ()
    """Limits and patterns, as pydantic keeps them."""
    tag: str | None = None
    """The key that chooses a member of a union of sections: `kind` or `engine`."""

    @property
    def section(self) -> type[Section] | None:
        """The section that this type is, if it is one."""
        return self.type if isinstance(self.type, type) and issubclass(self.type, Section) else None

    @property
    def members(self) -> dict[str, type[Section]]:
        """The sections of a union by their tags; empty for other types."""
        if self.tag is None:
            return {}
        return {section.model_fields[self.tag].default: section for section in typing.get_args(self.type)}

    def child(self, part: object) -> Declared | None:
        """Returns the type at a part of a pydantic location below this type, None where it has no such part."""
        if self.tag is not None:
            member = self.members.get(str(part))
            return None if member is None else Declared(member)
        if self.section is not None:
            return fields(self.section).get(str(part))
        arguments = typing.get_args(self.type)
        if typing.get_origin(self.type) in (dict, tuple) and arguments:
            return declared(arguments[1] if typing.get_origin(self.type) is dict else arguments[0])
        return None


class Location(NamedTuple):
    """The place of an error."""

    path: tuple[str, ...]
    """Keys as the config file has them."""
    declared: Declared
    is_key: bool = False
    """Whether it is about the last part of the path itself, a mapping's key, instead of its value."""


class Key(NamedTuple):
    """A key that a config can have."""

    path: tuple[str, ...]
    tag: str | None = None
    """Where only one member of a union has it: the key that chooses the member."""
    kind: str | None = None
    """Where only one member of a union has it: the member."""


def declared(annotation: Any, constraints: Sequence[Any] = (), tag: str | None = None) -> Declared:
    """Returns a type without what `Annotated` and `| None` add to it."""
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
        some = [argument for argument in arguments if argument is not type(None)]
        if len(some) == 1:
            return declared(some[0], constraints, tag)
    return Declared(annotation, tuple(constraints), tag)


@functools.cache
def fields(section: type[Section]) -> dict[str, Declared]:
    """Returns the types of a section's keys."""
    return {
        name: declared(field.annotation, field.metadata, typing.cast("str | None", field.discriminator))
        for name, field in section.model_fields.items()
    }


def located(root: type[Section], loc: Sequence[int | str]) -> Location:
    """Returns the path and the type of a pydantic location.

    The parts of `loc` beyond the types, as a union of plain types has them, are no keys and are left out.
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
    """Returns all keys below a section, its own first."""
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
    elif typing.get_origin(here.type) in (dict, tuple):
        part = ANY_NAME if typing.get_origin(here.type) is dict else "0"
        below = here.child(part)
        if below is not None:
            yield from _keys(below, at._replace(path=(*at.path, part)))
