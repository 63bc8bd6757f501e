"""Plots of hostile names: each label is shown as it is, and ids and references stay matplotlib's own."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import hypothesis
import pytest
from hypothesis import strategies as st

from shortlist.report import histograms, plots, svg
from shortlist.sanitize import plain

HOSTILE = [
    'x" id="axes_1" y="',
    "' onload='alert(1)",
    "url(#clip)",
    "url(#p1) #p1 href='#p1'",
    "<script>alert(1)</script>",
    "]]></text></svg><b>",
    "--><!--",
    "&amp; &#x3c; &nope;",
    "#010101 #010200",
    "font-family: x; fill: red",
    "a b\tc",
    "$x^2$ \\frac{a}{b}",
    "_hidden",
    "{{ x }} {% raw %}",
    "\u202egnp.exe",
    "\x00\x1b[2J\ufffe\ud800",
]
# The characters that end a part of an SVG or have a meaning in one.
_NAMES = st.text(st.sampled_from("ab01 \"'<>&;#()/!-=_{}$\\\x00\x1b\u202e\ud800\u00e9\u5bbf"), min_size=1, max_size=12)


def drawn(names: list[str]) -> dict[str, str]:
    """Returns one SVG per kind of plot, with the names wherever it takes names."""
    values = [float(place + 1) for place in range(len(names))]
    series = [plots.Series(name, values, [(0.5, 2.0)] * len(names)) for name in names[:3]]
    return {
        "dots": plots.dots(names, series, names[0]),
        "rows": plots.rows(names, series, names[0]),
        "bars": plots.bars(names, values, names[0]),
        "stacks": plots.stacks(names, [(name, [0.3] * len(names)) for name in names[:3]]),
        "lines": plots.lines([plots.PlotLine(name, [1, 2, 3], [1, 2, 3], 1) for name in names[:3]], names[0], names[0]),
        "distribution": histograms.distribution(
            histograms.Distribution(names[0], values=[(name, 2.0) for name in names])
        ),
    }


def as_shown(name: str) -> str:
    return plain(name).strip().replace("\ufffe", "\ufffd")


def check(text: str) -> ElementTree.Element:
    """Checks ids and references of one SVG and returns its root."""
    root = ElementTree.fromstring(text)
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    references = {
        target
        for element in root.iter()
        for value in element.attrib.values()
        for target in re.findall(r"url\(#([^)]*)\)", value)
    } | {element.get("href", "")[1:] for element in root.iter() if element.get("href")}
    assert len(ids) == len(set(ids))
    assert set(ids) == references
    assert all(re.fullmatch(r"p[0-9a-f]{6}-\w+(-\d+)?", name) for name in ids)
    assert {name for element in root.iter() for name in element.attrib if name.startswith("on")} == set()
    names = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert names <= {"svg", "g", "path", "text", "tspan", "use", "defs", "clipPath", "rect", "pattern"}
    return root


@pytest.mark.parametrize("names", [HOSTILE[:8], HOSTILE[8:]], ids=["first", "second"])
def test_every_hostile_name_is_shown_as_it_is(names):
    for kind, text in drawn(names).items():
        shown = {"".join(element.itertext()).strip() for element in check(text).iter() if element.tag.endswith("}text")}
        if kind != "distribution":  # Its names are shortened.
            assert {as_shown(name) for name in (names if kind != "lines" else names[:3])} <= shown, kind


@hypothesis.given(st.lists(_NAMES, min_size=1, max_size=3))
@hypothesis.settings(max_examples=10)
def test_no_name_breaks_a_plot(names):
    for text in drawn(names).values():
        check(text)


def test_a_second_copy_of_a_plot_has_other_ids():
    one = plots.bars(["a"], [1.0], "x")
    one = one if " id=" in one else plots.dots(["a"], [plots.Series("s", [1.0])], "x")
    other = svg.with_number(one, 2)
    ids = [set(re.findall(r' id="([^"]+)"', text)) for text in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert {f"{name}-2" for name in ids[0]} == ids[1]
    check(other)
