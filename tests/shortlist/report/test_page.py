"""The report's page: one self-contained file for any data and any outcome of the run."""

from __future__ import annotations

import dataclasses
import html as html_parser
import pathlib
import re
from xml.etree import ElementTree

import lxml.html
import pytest

from benchmarks.lineage_store import NODES
from shortlist.report import html, sections
from shortlist.report.blocks import TableBlock
from shortlist.report.facts import read
from shortlist.report.write import write_report
from shortlist.sanitize import plain
from shortlist.verdicts import Result
from tests.browser import every_look, prints_all
from tests.shortlist.report.conftest import EVIL
from tests.shortlist.report.test_plots import HOSTILE

_CHAPTERS = [
    *("verdict", "accuracy", "slices", "training", "index", "variety", "examples", "data", "costs", "lineage"),
    "settings",
]


def _report(shop, run_id):
    return sections.run_page(read(shop.workspace, run_id))


def test_a_complete_run_has_all_chapters(shop):
    assert [section.key for section in _report(shop, shop.pushed).sections] == _CHAPTERS


def test_page_is_one_small_file_and_asks_no_network_for_anything(page):
    text = page.read_text(encoding="utf-8")
    assert page.stat().st_size < 3_000_000
    assert "default-src 'none'" in text
    # The XML namespace of SVG is a name; browsers do not request it.
    assert set(re.findall(r"https?://[^\s\"')]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|img|iframe|script src)|@import|url\((?!#)", text)
    # Ids are unique, also across plots.
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_nothing_in_the_data_is_markup(page):
    text = page.read_text(encoding="utf-8")
    assert "Alien" in text
    assert EVIL not in text
    assert "<b>Alien" not in text
    # The graph's data, the graph and the page's own.
    assert text.count("<script") == 3


@pytest.fixture(scope="module")
def hostile_page(shop, tmp_path_factory):
    """The report of the complete run with hostile names and values of slices, and one plot twice."""
    facts = read(shop.workspace, shop.pushed)
    assert facts.measurements is not None
    [first, *_] = facts.measurements.slices
    slices = [
        dataclasses.replace(first, name=name, value=value)
        for name in ("job", HOSTILE[0], HOSTILE[2], HOSTILE[4])
        for value in HOSTILE[:8]
    ] + [dataclasses.replace(first, name="other", value=value) for value in HOSTILE[8:]]
    # A cached property: the measurements are the only part that changes.
    facts.__dict__["measurements"] = dataclasses.replace(facts.measurements, slices=slices)
    made = sections.run_page(facts)
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    path.write_text(html.render(dataclasses.replace(made, title=HOSTILE[-2])), encoding="utf-8")
    return path


def test_hostile_slices_break_no_id_of_the_page(hostile_page, page):
    text = hostile_page.read_text(encoding="utf-8")
    tree = lxml.html.document_fromstring(text)
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z][\w-]*", name) for name in ids)
    assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]
    # The same elements as the page without them has.
    plain_tree = lxml.html.document_fromstring(page.read_text(encoding="utf-8"))
    assert {element.tag for element in tree.iter()} == {element.tag for element in plain_tree.iter()}
    drawn = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(drawn) > 10
    for one in drawn:
        ElementTree.fromstring(one)
    shown = {cell.text_content() for cell in tree.iter("th")}
    assert set(map(plain, HOSTILE)) <= shown
    assert not set(text) & set("\x00\x1b\u202e\ud800")


def test_hostile_slices_in_a_browser(browser, hostile_page):
    with browser.opened(hostile_page) as tab:
        assert (tab.said, tab.violations()) == ([], [])
        doubled = "(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id); "
        assert tab.page.evaluate(f"{doubled} return ids.length - new Set(ids).size; }})()") == 0
        broken = "[...document.querySelectorAll('use')].filter((e) => !document.querySelector(e.getAttribute('href')))"
        assert tab.page.evaluate(f"{broken}.length") == 0


def test_every_table_is_on_the_page(shop, page):
    captions = {
        block.caption
        for section in _report(shop, shop.pushed).sections
        for block in section.blocks
        if isinstance(block, TableBlock)
    }
    text = html_parser.unescape(page.read_text(encoding="utf-8"))
    assert len(captions) > 5
    assert [caption for caption in captions if f"<caption>{caption}</caption>" not in text] == []


def test_a_template_with_an_unknown_kind_of_block_is_an_error():
    with pytest.raises(ValueError, match="'Table' is not a kind of block"):
        html._is_kind(TableBlock("", [], []), "Table")


def test_same_facts_make_the_same_page(shop, page):
    assert html.render(_report(shop, shop.pushed)) == page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("status", "outcome", "chapters"),
    [
        ("not_blessed", "not blessed, nothing pushed", {"verdict", "accuracy", "costs", "lineage", "settings"}),
        ("index_rejected", "index rejected, nothing pushed", {"verdict", "accuracy", "costs", "lineage", "settings"}),
        ("refused", "data refused, nothing pushed", {"costs", "lineage", "settings"}),
        ("failed", "failed, nothing pushed", {"costs", "lineage", "settings"}),
        ("killed", "killed, nothing pushed", {"lineage", "settings"}),
    ],
)
def test_runs_that_ended_early_have_fewer_chapters(shop, status, outcome, chapters):
    report = _report(shop, shop.runs[status])
    assert report.status == outcome
    assert report.reasons or [gate for gate in report.gates if gate.result is Result.FAILED]
    assert {section.key for section in report.sections} >= chapters
    assert outcome in write_report(shop.workspace, shop.runs[status]).read_text(encoding="utf-8")


@every_look
def test_page_in_a_browser(browser, page, width, scheme):
    with browser.opened(page, width, scheme) as tab:
        assert tab.said == []
        assert not tab.overflows()
        # The checks must also hold with all tables and boxes open.
        tab.page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        tab.page.click("#unfold")
        assert tab.page.locator("#graph .box").count() == len(NODES)
        assert tab.violations() == []
        assert not tab.overflows()


def test_every_plot_follows_the_colour_scheme(browser, page):
    seen = {}
    for scheme in ("light", "dark"):
        with browser.opened(page, scheme=scheme) as tab:
            script = "[...document.querySelectorAll('.plot text')].map((text) => getComputedStyle(text).fill)"
            seen[scheme] = set(tab.page.evaluate(script))
    assert seen["light"]
    assert not seen["light"] & seen["dark"]


def test_all_of_it_is_printed_on_a4(browser, page):
    with browser.opened(page) as tab:
        pdf = prints_all(tab, controls="nav, .skip, .bar, .instruction, details:not(.folded) > summary")
    assert 2 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 14
    assert set(re.findall(rb"/MediaBox \[([^\]]+)\]", pdf)) <= {b"0 0 594.95996 841.91998", b"0 0 595.91998 842.88"}


@pytest.mark.parametrize("status", ["refused", "killed"])
def test_page_of_a_run_that_ended_early_in_a_browser(browser, shop, status):
    with browser.opened(write_report(shop.workspace, shop.runs[status])) as tab:
        assert (tab.said, tab.violations()) == ([], [])


def test_colours_stand_out_from_their_ground_in_light_and_dark():
    css = pathlib.Path("shortlist/report/templates/report.css").read_text(encoding="utf-8")
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)[:2]
    )
    for colours in (light, dark):
        for name in (name for name in colours if name.startswith("series-")):
            assert _contrast(colours[name], colours["card"]) >= 3, name


def _contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
