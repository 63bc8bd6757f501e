"""The page is self-contained, and no data can act as markup."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from shortlist.lineage import page
from shortlist.lineage.serving import serving_state
from shortlist.lineage.trace import trace_pushed
from tests.browser import every_look


@pytest.fixture
def rendered(shop):
    return page.render("shop", trace_pushed(shop.store), serving_state(shop.store, shop.rolled_back))


def _data(text):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


def test_page_asks_no_network_for_anything(rendered):
    assert "default-src 'none'" in rendered
    # The name of SVG's elements is no address that anybody asks.
    assert set(re.findall(r"https?://[^\s\"']+", rendered)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|img|iframe|script src)|@import|url\(", rendered)
    assert "{{" not in rendered.partition('id="data">')[0]
    assert len(rendered) < 300_000


def test_page_holds_every_step_and_push(rendered, shop):
    data = _data(rendered)
    assert [step["node"] for step in data["trace"]["steps"]][:2] == ["Rollback", "Pusher"]
    assert [push["version"] for push in data["served"]["pushes"]] == [shop.rolled_back, shop.forced, 1_700_000_000]


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
        title = tab.page.inner_text("h1")
    assert boxes == [
        *("interactions, + 4 steps", "candidates, + 4 steps", "queries, + 4 steps"),
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
