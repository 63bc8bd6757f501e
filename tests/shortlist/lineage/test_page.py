"""The page is self-contained, and no data can act as markup."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import re

import pytest

from shortlist.lineage import page
from shortlist.lineage.serving import serving_state
from shortlist.lineage.trace import trace_pushed
from tests.browser import every_look, prints_all


@pytest.fixture
def rendered(shop):
    return page.render("shop", trace_pushed(shop.store), serving_state(shop.store, shop.rolled_back))


def _data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_page_asks_no_network_for_anything(rendered):
    assert "default-src 'none'" in rendered
    # The name of SVG's elements is no address that anybody asks.
    assert set(re.findall(r"https?://[^\s\"']+", rendered)) == {"http://www.w3.org/2000/svg"}
    # Arrows use a marker of the page itself.
    assert not re.search(r"<(link|img|iframe|script src)|@import|url\((?!#)", rendered)
    assert "{{" not in rendered.partition('id="data">')[0]
    assert len(rendered) < 300_000


def test_page_holds_every_step_and_push(rendered, shop):
    data = _data(rendered)
    assert [step["node"] for step in data["trace"]["steps"]][:2] == ["Rollback", "Pusher"]
    assert [push["version"] for push in data["served"]["pushes"]] == [shop.rolled_back, shop.forced, 1_700_000_000]


def test_the_layout_is_the_library_of_its_origin_with_its_licence(rendered):
    folder = pathlib.Path(page.__file__).parent / "vendor/dagre"
    content = (folder / "dagre.min.js").read_bytes()
    # dist/dagre.min.js of @dagrejs/dagre 3.1.3 without its last line, the name of a source map.
    assert hashlib.sha256(content).hexdigest() == "7f751ea7f1695a56c55845e4415b8ce7d65620b10a15bf1ea806f70af10f97f2"
    assert (folder / "LICENSE").read_text(encoding="utf-8") in rendered


def test_nothing_in_the_data_ends_its_script_or_is_a_placeholder(shop):
    trace = trace_pushed(shop.store)
    evil = "</script><script>alert(1)</script><!-- {{ css }} {% raw %} <b> & \u2028 \u2029"
    first = dataclasses.replace(trace.steps[0], facts=[evil])
    text = page.render(f"{evil}", dataclasses.replace(trace, steps=[first]), serving_state(shop.store, None))
    assert text.count("<script") == 2
    assert "<title>&lt;/script&gt;" in text
    script = text.partition('id="data">')[2].partition("</script>")[0]
    assert not set(script) & set("<>&\u2028\u2029")
    assert _data(text)["trace"]["steps"][0]["facts"] == [evil]


@pytest.fixture
def path(rendered, tmp_path):
    found = tmp_path / "page.html"
    found.write_text(rendered, encoding="utf-8")
    return found


def test_page_draws_itself_in_a_browser(browser, path):
    with browser.opened(path) as tab:
        boxes = [", ".join(box.locator("text").all_text_contents()) for box in tab.page.locator("#graph .box").all()]
        assert tab.page.inner_text("#details h3") == "Rollback"
        title = tab.page.inner_text("h1")
    assert boxes == [
        *("queries, + 4 steps", "interactions, + 4 steps", "candidates, + 4 steps"),
        *("DataGate, 0.0 s", "Windows, 0.0 s", "features, + 2 steps", "Trainer, 0.0 s", "verdict, + 2 steps"),
        *("Indexer, 0.0 s", "ServingCheck, 0.0 s", "push, + 2 steps"),
    ]
    assert title == "shop, version 1700000101"


@every_look
def test_everybody_can_read_it(browser, path, width, scheme):
    with browser.opened(path, width, scheme) as tab:
        tab.page.fill("#search", "trainer")
        tab.page.click("#unfold")
        assert tab.said == []
        assert not tab.overflows()
        assert tab.violations() == []


# Lengths of 2 pixels along each arrow that lie inside of a box, but for its two ends.
_CROSSINGS = """() => {
  const boxes = [...document.querySelectorAll("#graph .box rect")].map((rect) => rect.getBoundingClientRect());
  return [...document.querySelectorAll("#graph .edge")].flatMap((edge) => {
    const screen = edge.getScreenCTM();
    const found = [];
    for (let at = 2; at < edge.getTotalLength() - 2; at += 2) {
      const { x, y } = edge.getPointAtLength(at).matrixTransform(screen);
      const inside = (box) => x > box.left + 1 && x < box.right - 1 && y > box.top + 1 && y < box.bottom - 1;
      if (boxes.some(inside)) found.push([x, y]);
    }
    return found;
  });
}"""


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("button", ["fold", "unfold"])
def test_arrows_go_around_boxes_with_full_names(browser, path, width, button):
    with browser.opened(path, width) as tab:
        tab.page.click(f"#{button}")
        assert tab.page.evaluate(_CROSSINGS) == []
        edges = tab.page.locator("#graph .edge")
        assert edges.count() > 10
        assert all(edge.get_attribute("marker-end").startswith("url(#arrow") for edge in edges.all())
        # No line of a box is longer than the box, and together its lines are the whole name.
        assert tab.page.evaluate(
            "[...document.querySelectorAll('#graph .box')].every((box) => [...box.querySelectorAll('text')].every("
            "(text) => text.getBBox().width <= box.querySelector('rect').getBBox().width - 4))"
        )
        names = ["".join(box.locator("text:not(.small)").all_text_contents()) for box in tab.page.locator(".box").all()]
        labels = [box.get_attribute("aria-label") for box in tab.page.locator(".box").all()]
        assert all(label.startswith(name) for label, name in zip(labels, names, strict=True))
        assert ("InteractionsValidator" in names) == (button == "unfold")
        # The graph fills its card or scrolls in it.
        assert (
            tab.page.evaluate(
                "(() => { const card = document.getElementById('graph'); "
                "return card.firstChild.getBoundingClientRect().width / card.clientWidth; })()"
            )
            > 0.9
        )


def test_an_arrow_of_a_circle_points_up(browser, path):
    with browser.opened(path) as tab:
        laid = tab.page.evaluate(
            """(() => {
              const box = (key, ...above) => ({ key, title: key, under: "", above });
              return layout.place([box("A", "B"), box("B", "A")], 300).arrows.map(({ from, to, up }) => [from, to, up]);
            })()"""
        )
    assert sorted(up for _, _, up in laid) == [False, True]


def test_all_of_it_is_printed_on_a4(browser, path):
    with browser.opened(path) as tab:
        prints_all(tab, controls=".bar, .instruction")
