"""YAML without tags that make objects, without repeated keys, and with one kind of error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from shortlist.scalars import short_repr

_PREFIX = "tag:yaml.org,2002:"
_PLAIN = ("null", "bool", "int", "float", "timestamp", "str", "seq", "map")
_NOUNS = {"bool": "true or false", "int": "a whole number", "float": "a number", "timestamp": "a date or time"}
# The time for a number in base 60, such as 1:30:00, grows with the square of its length.
_MAX_DIGITS = 400
MAX_VALUES = 20_000
"""Most keys and values of a text; what an alias stands for counts again. PyYAML needs 2 seconds for them."""


class NotPlainYaml(ValueError):
    """A text that is not plain YAML; the message is the reason on one line, without the text around it."""


class _Loader(yaml.SafeLoader):
    """The safe loader, for texts, numbers, booleans, dates, lists and mappings only."""

    # Other types of the safe loader (binary, set, omap) would be accepted where pydantic converts them.
    yaml_constructors = {
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.removeprefix(_PREFIX) in _PLAIN
    }

    def __init__(self, stream: str):
        super().__init__(stream)
        self._values = 0
        self._values_of: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        before, mark = self._values, event.start_mark
        node: yaml.Node | None = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self._values_of:
                reason = f"the alias {short_repr(event.anchor)} is part of what it stands for"
                raise ConstructorError(None, None, reason, mark)
            self._values += self._values_of[id(node)]
        else:
            self._values += 1
            self._values_of[id(node)] = self._values - before
        if self._values > MAX_VALUES:
            reason = (
                f"expected at most {MAX_VALUES:,} keys and values, aliases counted as what they stand for, got more"
            )
            raise ConstructorError(None, None, reason, event.start_mark)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                raise ConstructorError(None, None, f"the key {short_repr(key.value)} is repeated", key.start_mark)
            seen.add((key.tag, key.value))
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> object:
        kind = node.tag.removeprefix(_PREFIX)
        if kind in ("int", "float") and len(node.value) > _MAX_DIGITS:
            reason = f"expected {_NOUNS[kind]} of at most {_MAX_DIGITS} characters, got {len(node.value):,}"
            raise ConstructorError(None, None, reason, node.start_mark)
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, IndexError, AttributeError, OverflowError):
            # PyYAML converts unchecked: 2024-13-01, `!!bool abc` and `!!int ''` raise whatever the conversion raises.
            reason = f"expected {_NOUNS.get(kind, 'a value')}, got {short_repr(node.value)}"
            raise ConstructorError(None, None, reason, node.start_mark) from None


def parse(text: str) -> object:
    """Returns the value of a YAML text.

    Raises:
      NotPlainYaml: The text is not YAML, has other tags than those of texts, numbers, booleans, dates, lists and
        mappings, repeats a key of a mapping, has over 20,000 values, or is nested deeper than Python's stack.
    """
    with _one_error():
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a subclass of the safe loader


def parse_all(text: str) -> list[object]:
    """Returns the values of all documents of a YAML text.

    Raises:
      NotPlainYaml: As for `parse`.
    """
    with _one_error():
        return list(yaml.load_all(text, Loader=_Loader))


@contextlib.contextmanager
def _one_error() -> Iterator[None]:
    try:
        yield
    except yaml.MarkedYAMLError as error:
        reason = " ".join(part for part in (error.context, error.problem) if part)
        mark = error.problem_mark or error.context_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise NotPlainYaml(" ".join(f"{reason}{where}".split())) from None
    except yaml.reader.ReaderError as error:
        raise NotPlainYaml(f"{error.reason} (character {error.position + 1})") from None
    except RecursionError:
        raise NotPlainYaml("it is nested too deeply") from None
