"""Matplotlib's SVG, made fit for a page with other SVGs.

The SVG is changed as a tree of elements. A label may look like an id, a reference or a colour, and must stay as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from shortlist.report import theme

_NAMESPACE = "http://www.w3.org/2000/svg"
_LINK = "{http://www.w3.org/1999/xlink}href"
_REMOVED = ("metadata", "style")
_REFERENCE = re.compile(r"(?<=url\(#)[^)]+(?=\))")
_FONT = re.compile(r"font-family: [^;]+")
# Characters that XML does not allow, not even escaped.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def for_page(svg: str) -> str:
    """Returns an SVG with the page's fonts and colours, and with ids that differ from those of other SVGs.

    Ids that nothing refers to are removed. Only equal SVGs have equal ids; see `with_number`.
    """
    root = _parsed(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            # A style element would apply to the whole page.
            if child.tag in _REMOVED:
                parent.remove(child)
    targets = {target for element in root.iter() for target in _targets(element)}
    for element in root.iter():
        if element.get("id") not in targets:
            element.attrib.pop("id", None)
        for name, value in element.attrib.items():
            element.set(name, theme.apply_theme(_FONT.sub("font-family: inherit", value)))
        if "d" in element.attrib:
            element.set("d", " ".join(element.attrib["d"].split()))
        element.text, element.tail = _without_indent(element.text), _without_indent(element.tail)
    width = root.attrib.pop("width").removesuffix("pt")
    del root.attrib["height"]
    root.set("width", "100%")
    root.set("style", f"max-width: {width}pt")
    digest = hashlib.sha256(ElementTree.tostring(root)).hexdigest()[:6]
    return _renamed(root, lambda name: f"p{digest}-{name}")


def with_number(svg: str, number: int) -> str:
    """Returns a copy of an SVG `for_page` with other ids, for a page that has the same SVG more than once."""
    return _renamed(_parsed(svg), lambda name: f"{name}-{number}")


def _parsed(svg: str) -> Element:
    """Returns the root element, with names of elements and attributes as in HTML, without namespaces."""
    # S314: matplotlib wrote it, and escapes the text of labels; a label cannot declare an entity.
    root = ElementTree.fromstring(_ILLEGAL.sub("\ufffd", svg))  # noqa: S314
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        if _LINK in element.attrib:
            element.set("href", element.attrib.pop(_LINK))
    return root


def _targets(element: Element) -> Iterator[str]:
    """Yields the ids that an element refers to."""
    link = element.get("href", "")
    if link.startswith("#"):
        yield link[1:]
    for value in element.attrib.values():
        yield from _REFERENCE.findall(value)


def _renamed(root: Element, rename: Callable[[str], str]) -> str:
    """Returns the text of an SVG with other ids."""
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, rename(value))
            elif name == "href":
                element.set(name, f"#{rename(value[1:])}")
            else:
                element.set(name, _REFERENCE.sub(lambda match: rename(match[0]), value))
    root.set("xmlns", _NAMESPACE)
    return ElementTree.tostring(root, encoding="unicode")


def _without_indent(text: str | None) -> str | None:
    return "\n" if text and not text.strip() else text
