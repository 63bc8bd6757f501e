"""Writes `docs/configuration.md` from the typed config: `python -m shortlist.config.reference`."""

from __future__ import annotations

import enum
import functools
import operator
import pathlib
import re
import types as types_module
import typing

import pydantic

from shortlist.config import key_paths, problems
from shortlist.config.config import Config
from shortlist.config.key_paths import Declared
from shortlist.config.section import Section, own_values

PATH = pathlib.Path("docs/configuration.md")

_HEAD = """# Configuration reference

Generated from `shortlist/config/` by `make docs`; do not edit.

One YAML file per pipeline. Unknown keys are refused, and the whole config is checked before a run starts.
Any value can be overridden on the command line: `shortlist run --set train.seed=2`.
[Concepts](concepts.md) explains the terms.
"""


def render() -> str:
    """Returns the reference as Markdown, with one table per section."""
    places: dict[type[Section], list[str]] = {}
    by_key: dict[type[Section], set[str]] = {}
    waiting: list[tuple[str, type[Section]]] = [("(top)", Config)]
    while waiting:
        key, section = waiting.pop(0)
        is_new = section not in places
        places.setdefault(section, []).append(key)
        if not is_new:
            continue
        prefix = "" if key == "(top)" else f"{key}."
        for name, field in section.model_fields.items():
            if isinstance(field.default, Section):
                by_key.setdefault(type(field.default), set()).update(own_values(field.default))
            for nested in _nested(field.annotation):
                waiting.append((f"{prefix}{name}", nested))
    return "\n".join(
        [_HEAD, *(_section(keys, section, by_key.get(section, set())) for section, keys in places.items())]
    )


def _section(keys: list[str], section: type[Section], by_key: set[str]) -> str:
    """Returns the table of a section, which may be the value of several keys.

    Args:
      keys: Dotted keys whose value the section is.
      section: The section.
      by_key: Names whose default differs between those keys; the table of the section above has it.
    """
    title = ", ".join(keys)
    tag = _tag(section)
    kind = section.model_fields.get(tag)
    # The `kind` of `index` is an ordinary setting, not the tag of a union.
    if kind is not None and kind.default is not None and title != "index":
        title = f"{title} with {tag}: {kind.default}"
    lines = [
        f"## {title}",
        "",
        " ".join((section.__doc__ or "").split()),
        "",
        "| key | type | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in section.model_fields.items():
        type_ = f"{_type_name(field.annotation)}{_limits(key_paths.fields(section)[name])}"
        meaning = (field.description or "").replace("|", "\\|").replace("\n", " ")
        default = "by key, see above" if name in by_key else _default(field)
        lines.append(f"| `{name}` | {type_} | {default} | {meaning} |")
    return "\n".join([*lines, ""])


def _tag(section: type[Section]) -> str:
    """Returns the name of the key that chooses a member of a union of sections."""
    return "engine" if "engine" in section.model_fields else "kind"


def _nested(annotation: object) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [nested for argument in typing.get_args(annotation) for nested in _nested(argument)]


def _type_name(annotation: object) -> str:
    sections = _nested(annotation)
    if len(sections) == 1:
        return "section"
    if sections:
        return f"section, by `{_tag(sections[0])}`"
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return " or ".join(f"`{value.value}`" for value in annotation)
    if any(typing.get_origin(part) is typing.Literal for part in typing.get_args(annotation)):
        return " or ".join(_type_name(part) for part in typing.get_args(annotation))
    annotation = _plain(annotation)
    name = str(annotation).replace("typing.", "")
    if isinstance(annotation, type) and not typing.get_args(annotation):
        name = annotation.__name__
    return name.replace("|", "or").replace("NoneType", "null").replace("None", "null")


def _limits(declared: Declared) -> str:
    """Returns the limits of a key's value, or of each value in a list or mapping."""
    own = re.sub(r"that matches (\S+)", r"that matches `\1`", problems.limits(declared.constraints))
    own = own.replace("|", "\\|")
    for part in ("0", key_paths.ANY_NAME):
        element = declared.child(part)
        if element is not None and element.section is None and element.constraints:
            own = f"{own}; each{problems.limits(element.constraints).removeprefix(',')}"
            break
    return own.removesuffix("; each")


def _plain(annotation: typing.Any) -> typing.Any:
    """Returns a type without `Annotated` and its checks, also in the type's parts."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    parts = typing.get_args(annotation)
    if not parts:
        return annotation
    plain = tuple(_plain(part) for part in parts)
    if typing.get_origin(annotation) in (typing.Union, types_module.UnionType):
        return functools.reduce(operator.or_, plain)
    return typing.get_origin(annotation)[plain]


def _default(field: pydantic.fields.FieldInfo) -> str:
    if field.is_required():
        return "required"
    if isinstance(field.default, Section):
        for tag in ("kind", "engine"):
            kind = getattr(field.default, tag, None)
            if kind and kind != "auto":
                return f"`{tag}: {kind}`"
        return _own_values(field.default) or "its defaults"
    if field.default is None:
        return "`null`"
    return f"`{field.default}`"


def _own_values(section: Section) -> str:
    """Returns the values of a default section that differ from its class's defaults; all values if one is required."""
    fields = type(section).model_fields
    show_all = any(field.is_required() for field in fields.values())
    values = {name: getattr(section, name) for name in fields}
    return ", ".join(
        f"`{name}: {value}`" for name, value in values.items() if show_all or value != fields[name].default
    )


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
