"""The page at `/` in a browser, with a real server, a ScaNN model and hostile titles."""

from __future__ import annotations

import contextlib
import fnmatch
import pathlib
import re
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from server import description, histories, page, request_log
from server.page.report import report_of
from shortlist.config.serve import Serve, ServeLog
from shortlist.model_files import CANDIDATES_FILE
from shortlist.report.write import FILE as REPORT_FILE
from shortlist.serving.evaluation import ServedEvaluation
from tests.browser import every_look
from tests.compatibility import restored
from tests.server import running

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"
LONG = "Incomprehensibilities" * 15
TITLES = {"item-0": SCRIPT, "item-1": None, "item-2": "  ", "item-3": LONG, "item-4": "evil\u202etxt\u0007"}
ROWS = [
    (*event, 0, b"")
    for event in [
        ("user/1", "item-0", 5),
        ("user/1", "item-7", 10),
        ("user/1", "item-8", 20),
        ("user/1", "item-12", 20),
    ]
]
# The console says this of each answer that is no success.
STATUS = re.compile("error: Failed to load resource")


@pytest.fixture(scope="module")
def titled_model(model_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("titled") / "model"
    shutil.copytree(model_folder, folder)
    table = pq.read_table(folder / CANDIDATES_FILE)
    column = table.column_names.index("title")
    titles = [TITLES.get(item, f"Title of {item}") for item in table.column("id").to_pylist()]
    pq.write_table(table.set_column(column, table.schema.field("title"), pa.array(titles)), folder / CANDIDATES_FILE)
    return folder


@pytest.fixture(scope="module")
def server(titled_model, tmp_path_factory):
    serving_dir = tmp_path_factory.mktemp("page") / "shop"
    serving_dir.mkdir()
    running.push(titled_model, serving_dir, 1795)
    with running.running(serving_dir, Serve(poll_seconds=0.1), known=histories.MemoryHistories(ROWS)) as found:
        yield found


def address_of(server):
    return f"http://127.0.0.1:{server.port}/"


@contextlib.contextmanager
def opened(browser, server, width=1280, scheme="light"):
    with browser.opened(address_of(server), width, scheme) as tab:
        tab.page.wait_for_selector("#answers li")
        yield tab


def shown_ids(tab):
    return tab.page.eval_on_selector_all("#answers li", "lines => lines.map((line) => line.dataset.id)")


def answered(tab, act):
    """Does something that changes the answer, and waits for it."""
    with tab.page.expect_response("**/v1/recommend"):
        act()
    tab.page.wait_for_timeout(50)


def add(tab, text):
    tab.page.fill("#search", text)
    tab.page.wait_for_selector("#found li")
    answered(tab, lambda: tab.page.press("#search", "Enter"))


def test_each_click_updates_the_answer_of_the_api(browser, server):
    client = server.client()
    with opened(browser, server) as tab:
        assert shown_ids(tab) == [item["id"] for item in client.recommend()["items"]]
        assert tab.page.inner_text("#answers-status") == "10 recommendations for somebody without a history."
        add(tab, "title of ITEM-17")
        add(tab, "item-23")
        expected = client.recommend(history=[{"id": "item-17"}, {"id": "item-23"}])["items"]
        assert shown_ids(tab) == [item["id"] for item in expected]
        first = tab.page.inner_text("#answers li >> nth=0")
        assert f"score\u00a0{expected[0]['score']:.2f} · near Title of {expected[0]['near']}" in first
        assert tab.page.inner_text("#answers-status") == "10 recommendations after 2 items."
        answered(tab, lambda: tab.page.click("#answers li >> nth=0 >> text=Add"))
        expected_chips = [f"Title of {item}" for item in ("item-17", "item-23", expected[0]["id"])]
        assert tab.page.locator("#history-list bdi").all_inner_texts() == expected_chips
        answered(tab, lambda: tab.page.click("#history-list button >> nth=0"))
        expected = client.recommend(history=[{"id": "item-23"}, {"id": expected[0]["id"]}])["items"]
        assert shown_ids(tab) == [item["id"] for item in expected]
        answered(tab, lambda: tab.page.click("#clear"))
        assert shown_ids(tab) == [item["id"] for item in client.recommend()["items"]]
        assert tab.said == []


def test_the_keyboard_alone_is_sufficient(browser, server):
    with opened(browser, server) as tab:
        press = tab.page.keyboard.press
        press("Tab")
        assert tab.page.inner_text(":focus") == "To the recommendations"
        press("Tab")
        assert tab.page.evaluate("document.activeElement.id") == "search"
        tab.page.keyboard.type("item-1")
        tab.page.wait_for_selector("#found li")
        press("ArrowUp")
        last = tab.page.get_attribute("#search", "aria-activedescendant")
        press("ArrowDown")
        press("ArrowDown")
        assert (last, tab.page.get_attribute("#search", "aria-activedescendant")) == ("found-10", "found-1")
        answered(tab, lambda: press("Enter"))
        assert tab.page.inner_text("#history-list li").startswith("Title of item-10")
        tab.page.keyboard.type("item-2")
        tab.page.wait_for_selector("#found li")
        press("Escape")
        assert tab.page.get_attribute("#search", "aria-expanded") == "false"
        tab.page.focus("#history-list button")
        answered(tab, lambda: press("Enter"))
        assert tab.page.evaluate("document.activeElement.id") == "search"
        tab.page.focus("#answers li:nth-child(3) button:last-child")
        press("Enter")
        tab.page.wait_for_selector("#similar-list li")
        assert tab.page.evaluate("document.activeElement.id") == "similar-title"
        press("Escape")
        # The focus is where it was.
        assert tab.page.inner_text(":focus") == "Similar"


def test_filters_and_diversity_are_those_of_the_version(browser, server):
    client = server.client()
    with opened(browser, server) as tab:
        assert tab.page.locator("#filters legend").all_inner_texts() == ["genre", "genres", "release year"]
        answered(tab, lambda: tab.page.select_option("#filter-any-genre", label="Odd (20)"))
        answered(tab, lambda: tab.page.fill("#filter-min-release_year", "1990"))
        wanted = {"genre": {"any": ["Odd"]}, "release_year": {"min": 1990}}
        assert shown_ids(tab) == [item["id"] for item in client.recommend(filter=wanted)["items"]]
        answered(tab, lambda: tab.page.fill("#diversity", "0.7"))
        assert shown_ids(tab) == [item["id"] for item in client.recommend(filter=wanted, diversity=0.7)["items"]]
        assert tab.page.inner_text("#answers-status").startswith("10 recommendations that pass the filters")
        tab.page.click("#answers li >> nth=0 >> text=Similar")
        tab.page.wait_for_selector("#similar-list li")
        status, similar = client.post("/v1/similar", {"id": shown_ids(tab)[0], "filter": wanted})
        found = tab.page.eval_on_selector_all("#similar-list li", "lines => lines.map((line) => line.dataset.id)")
        assert (status, found) == (200, [item["id"] for item in similar["items"]])
        tab.page.click("#similar-close")
        answered(tab, lambda: tab.page.fill("#filter-min-release_year", "2500"))
        assert tab.page.inner_text("#answers-status") == "No candidate passes the filters."
        assert tab.page.locator("#answers li").count() == 0
        answered(tab, lambda: tab.page.click("#clear-rules"))
        assert shown_ids(tab) == [item["id"] for item in client.recommend()["items"]]
        assert tab.said == []


def test_the_hidden_item_of_a_known_user_is_looked_for(browser, server):
    client = server.client()
    with opened(browser, server) as tab:
        tab.page.fill("#known", "user/1")
        answered(tab, lambda: tab.page.press("#known", "Enter"))
        # Two items are of the last moment; the model gets neither.
        assert tab.page.locator("#history-list li").all_inner_texts() == [SCRIPT, "Title of item-7"]
        answer = client.recommend(query="user/1", at=20, k=10)
        ids = [item["id"] for item in answer["items"]]
        rank = ids.index("item-12") + 1 if "item-12" in ids else None
        text = tab.page.inner_text("#truth")
        assert "Hidden: Title of item-12." in text
        assert f"Found at rank {rank}: a hit at 10." in text if rank else "Not among the first 10." in text
        assert tab.page.locator("#answers li.target").count() == (rank is not None)
        assert shown_ids(tab) == ids
        answered(tab, lambda: tab.page.uncheck("#hide"))
        assert shown_ids(tab) == [item["id"] for item in client.recommend(query="user/1")["items"]]
        assert not tab.page.is_visible("#truth")
        assert tab.said == []
        tab.page.fill("#known", "nobody")
        tab.page.press("#known", "Enter")
        tab.page.wait_for_selector("#problem:not([hidden])")
        assert "There is no history of query 'nobody'." in tab.page.inner_text("#problem")


def test_titles_are_text_and_items_without_one_have_their_id(browser, server):
    with opened(browser, server) as tab:
        for item in TITLES:
            add(tab, item)
        assert tab.page.locator("#history-list bdi").all_inner_texts() == [
            SCRIPT,
            "item-1",
            "item-2",
            LONG,
            "evil\ufffdtxt\ufffd",
        ]
        tab.page.click("#history-list button >> nth=0")
        tab.page.fill("#search", "<script>")
        tab.page.wait_for_selector("#found li")
        assert SCRIPT in tab.page.inner_text("#found li")
        tab.page.fill("#search", "<b>nothing</b>")
        tab.page.wait_for_selector("#search-status:has-text('No title')")
        assert tab.page.inner_text("#search-status") == "No title or id contains “<b>nothing</b>”."
        assert tab.page.title() == "shop: try the model"
        assert tab.page.locator("main script, main img").count() == 0
        assert tab.said == []


@every_look
def test_everybody_can_read_it(browser, server, width, scheme):
    with opened(browser, server, width, scheme) as tab:
        for item in TITLES:
            add(tab, item)
        tab.page.evaluate("document.getElementById('rules').open = true")
        tab.page.fill("#search", "item")
        tab.page.wait_for_selector("#found li")
        assert tab.violations() == []
        assert not tab.overflows()
        tab.page.press("#search", "Escape")
        assert tab.page.evaluate(_CUT) == []
        tab.page.click("#answers li >> nth=0 >> text=Similar")
        tab.page.wait_for_selector("#similar-list li")
        assert tab.violations() == []
        assert not tab.overflows()
        assert tab.said == []


# A select shows its own arrow over its text, and an input scrolls.
_CUT = """[...document.querySelectorAll("main *, header *")].filter((element) => {
  if (!element.getClientRects().length || element.matches("select, option, input")) return false;
  const isInline = getComputedStyle(element).display === "inline";
  const isCut = !isInline && element.scrollWidth > element.clientWidth + 1;
  return isCut || element.getBoundingClientRect().right > innerWidth + 1;
}).map((element) => element.outerHTML.slice(0, 90))"""


def test_versions_take_over_while_the_page_is_open(browser, titled_model, model_folder, tmp_path):
    serving_dir = tmp_path / "shop"
    serving_dir.mkdir()
    running.push(titled_model, serving_dir, 1)
    bare = shutil.copytree(model_folder, tmp_path / "bare")
    (bare / CANDIDATES_FILE).unlink()

    def push(model, version):
        running.push(model, serving_dir, version)
        while server.rollout.newest.facts.version != str(version):
            tab.page.wait_for_timeout(100)

    with running.running(serving_dir, Serve(poll_seconds=0.1)) as server, opened(browser, server) as tab:
        add(tab, "item-17")
        assert not tab.page.is_visible("#known-form")
        push(titled_model, 2)
        answered(tab, lambda: tab.page.click("#answers li >> nth=0 >> text=Add"))
        tab.page.wait_for_selector("#notice:not([hidden])")
        assert tab.page.inner_text("#notice").startswith("Version 2 has taken over from 1.")
        assert "Version 2 " in tab.page.inner_text("#facts")
        tab.page.wait_for_selector("#answers-status:text-is('10 recommendations after 2 items.')")
        assert tab.said == []
        answered(tab, lambda: tab.page.select_option("#filter-any-genre", label="Odd (20)"))
        push(bare, 3)
        # A version without titles and attributes refuses the filter, and the page asks again without it.
        tab.page.click("#answers li >> nth=0 >> text=Add")
        tab.page.wait_for_selector("#notice:has-text('Version 3 has taken over from 2.')")
        tab.page.wait_for_selector("#answers-status:text-is('10 recommendations after 3 items.')")
        assert tab.page.locator("#filters *").count() == 0
        assert tab.page.inner_text("#search-label") == "Search for an id"
        assert not tab.page.is_visible("#problem")
        chips = tab.page.locator("#history-list bdi").all_inner_texts()
        history = [{"id": chip.removeprefix("Title of ")} for chip in chips]
        expected = [item["id"] for item in server.client().recommend(history=history)["items"]]
        assert tab.page.locator("#answers bdi.title").all_inner_texts() == shown_ids(tab) == expected
        assert [text for text in tab.said if not STATUS.match(text)] == []


def test_a_look_for_versions_leaves_the_focus(browser, server):
    with opened(browser, server) as tab:
        tab.page.focus("#popular-list button >> nth=2")
        with tab.page.expect_response("**/v1/version"):
            tab.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        tab.page.wait_for_timeout(100)
        assert tab.page.evaluate("document.activeElement.closest('#popular-list') !== null")


def test_requests_of_the_page_are_not_logged(browser, server, tmp_path):
    log = request_log.RequestLog(ServeLog(folder=str(tmp_path)), b"a key of 24 characters..", None)
    ids = []
    with opened(browser, server) as tab:
        tab.page.on("request", lambda request: ids.append(request.headers.get("x-request-id")))
        add(tab, "item-17")
    log.close()
    asked = [found for found in ids if found]
    assert len(asked) >= 2
    assert [found for found in asked if log.has(found)] == []
    assert log.has("any-other")


def test_a_server_that_does_not_answer_is_named_and_asked_again(browser, server):
    with opened(browser, server) as tab:
        before = shown_ids(tab)
        tab.page.context.set_offline(True)
        tab.page.click("#answers li >> nth=0 >> text=Add")
        tab.page.wait_for_selector("#problem:not([hidden])")
        assert "The server does not answer." in tab.page.inner_text("#problem")
        # The old answer stays, as one that is no longer up to date.
        assert shown_ids(tab) == before
        assert tab.page.locator("#answers.stale").count() == 1
        assert tab.violations() == []
        tab.page.context.set_offline(False)
        # Without a click: the page asks again.
        tab.page.wait_for_selector("#problem", state="hidden")
        assert before[0] not in shown_ids(tab)
        assert tab.page.inner_text("#answers-status").startswith("10 recommendations after ")


def test_an_answer_of_the_popularity_list_is_named(browser, server):
    def spoil(route):
        # The embedding is then not finite, and the model has no answer.
        route.continue_(post_data={"k": 4, "context": {"age": 1e30}})

    with opened(browser, server) as tab:
        tab.page.route("**/v1/recommend", spoil)
        add(tab, "item-17")
        assert tab.page.inner_text("#answers-status") == (
            "The model has no answer here. These are the most popular items."
        )
        assert "score" not in tab.page.inner_text("#answers")


def test_a_refusal_of_the_server_is_shown(browser, titled_model, tmp_path):
    serving_dir = tmp_path / "shop"
    serving_dir.mkdir()
    running.push(titled_model, serving_dir, 1)
    settings = Serve(limits={"max_history": 1})
    with running.running(serving_dir, settings, token="right") as server, browser.opened(address_of(server)) as tab:
        tab.page.wait_for_selector("#token-form:not([hidden])")
        tab.page.fill("#token", "wrong")
        with tab.page.expect_response("**/v1/version"):
            tab.page.press("#token", "Enter")
        assert tab.page.is_visible("#token-form")
        tab.page.fill("#token", "right")
        tab.page.press("#token", "Enter")
        tab.page.wait_for_selector("#answers li")
        assert not tab.page.is_visible("#token-form")
        add(tab, "item-17")
        add(tab, "item-18")
        assert tab.page.inner_text("#problem-text") == "history has 2 entries; this server takes at most 1."
        assert [text for text in tab.said if not STATUS.match(text)] == []


def test_nothing_but_the_server_itself_may_be_loaded(server):
    client = server.client()
    for path in ("/", *(f"/page/{name}" for name in page.files())):
        status, headers, body = client.raw("GET", path)
        assert status == 200
        assert headers["content-security-policy"] == page.POLICY
        assert headers["x-content-type-options"] == "nosniff"
        # The name of SVG's elements is no address that anybody asks.
        assert set(re.findall(rb"https?://[^\s\"']+", body)) <= {b"http://www.w3.org/2000/svg"}
        assert not re.search(rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|\bstyle=| on\w+=", body)
    assert "unsafe" not in page.POLICY
    assert set(page.files()) >= {"page.html", "page.css", "main.js", "icon.svg"}


def test_the_description_names_the_served_version(server):
    status, found = server.client().get("/v1/version")
    assert (status, found["name"], found["version"], found["candidates"], found["max_k"]) == (
        200,
        "shop",
        "1795",
        40,
        10,
    )
    assert (found["has_histories"], found["report"], found["metric"]) == (True, None, None)
    assert found["attributes"] == [
        {
            "name": "genre",
            "kind": "category",
            "values": [{"value": "Even", "count": 20}, {"value": "Odd", "count": 20}],
            "num_values": 2,
        },
        {
            "name": "genres",
            "kind": "category",
            "values": [{"value": "Comedy", "count": 40}, {"value": "Romance", "count": 40}],
            "num_values": 2,
        },
        {"name": "release_year", "kind": "number", "min": 1980.0, "max": 2019.0},
    ]
    # The last row is the most popular one.
    assert found["popular"][0] == {"id": running.IDS[-1], "title": f"Title of {running.IDS[-1]}"}


def test_numbers_and_categories_are_summarised():
    # Each candidate counts once per value; the most frequent value is the first.
    assert description.categories_of([["b", "b"], ["a", "b"], []]) == {
        "values": [{"value": "b", "count": 2}, {"value": "a", "count": 1}],
        "num_values": 2,
    }
    assert description.categories_of([[str(number)] for number in range(300)])["num_values"] == 300
    assert description.range_of([float("nan"), 3.0, -1.0]) == {"min": -1.0, "max": 3.0}
    assert description.range_of([float("nan")]) == {"min": None, "max": None}


def test_the_hit_rate_is_that_of_the_gates():
    metrics = {
        "factorized_top_k/top_10_categorical_accuracy": 0.25,
        "factorized_top_k/top_10_categorical_accuracy_with_seen": 0.5,
        "popularity/top_10_categorical_accuracy_with_seen": 0.125,
        "example_count": 90.0,
        "new_target_count": 70.0,
    }

    def metric(exclude_seen, metrics=metrics):
        return description.metric_of(ServedEvaluation(metrics, [], None, True, [], [], [], exclude_seen, False))

    assert metric(True) == {"name": "HR@10", "k": 10, "value": 0.25, "most_popular": None, "rows": 70}
    assert metric(False) == {"name": "HR@10", "k": 10, "value": 0.5, "most_popular": 0.125, "rows": 90}
    assert metric(True, {"factorized_top_k/top_5_categorical_accuracy": 0.5})["name"] == "HR@5"
    assert metric(True, {}) is None


def test_the_report_is_that_of_the_run_that_pushed_the_version(tmp_path):
    restored.restore(tmp_path)
    root = tmp_path / "workspace"
    serving_dir = root / "serving" / "circle"
    version = min(path.name for path in serving_dir.iterdir() if path.name.isdigit())
    found = report_of(serving_dir, version)
    assert found is not None
    assert (found.name, found.parent.parent) == (REPORT_FILE, root / "runs")
    assert version in (found.parent / "summary.json").read_text(encoding="utf-8")
    assert report_of(serving_dir / version, version) == found
    assert report_of(serving_dir, "12") is None
    # A folder that is no workspace is not looked at.
    (root / "workspace.json").unlink()
    report_of.cache_clear()
    assert report_of(serving_dir, version) is None


def test_both_distributions_have_the_files():
    for path in ("setup.py", "server/pyproject.toml"):
        [patterns] = re.findall(r'"server\.page"(?:: | = )\[(.*?)\]', (ROOT / path).read_text(encoding="utf-8"))
        globs = re.findall(r'"(.*?)"', patterns)
        assert [name for name in page.files() if not any(fnmatch.fnmatch(name, glob) for glob in globs)] == []


def test_the_colours_are_those_of_the_report():
    def colours(*paths):
        text = "".join((ROOT / path).read_text(encoding="utf-8") for path in paths)
        return set(re.findall(r"^ *--([\w-]+): (#\w+);", text, re.MULTILINE))

    own = colours("server/page/page.css")
    house = colours("shortlist/lineage/page/page.css", "shortlist/report/templates/report.css")
    assert {name for name, _ in own - house} == {"on-chosen"}
