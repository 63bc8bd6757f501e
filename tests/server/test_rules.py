"""Filters, re-ranking, similar candidates, attributes of today and histories, over HTTP."""

from __future__ import annotations

import os
import threading
import types

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from server import attributes, catalogue_calls, histories, openapi
from server.attributes import Attributes, Categories, Overrides
from server.corpus import Corpus
from server.known import Event, Known
from server.model import LoadedModel
from server.requests import SimilarRequest
from shortlist.config.serve import Serve
from shortlist.errors import BadInputError
from shortlist.serving import rules
from tests.server import running

# `running.write_model`: the genre of row 0 is Even, of row 1 Odd, and so on.
GENRES = {item: ["Even", "Odd"][row % 2] for row, item in enumerate(running.IDS)}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp("rules")
    (root / "shop").mkdir()
    table = {
        "candidate_id": ["item-3", "item-5", "item-new"],
        "price": [3.0, None, 9.0],
        "in_stock": [True, False, True],
    }
    pq.write_table(pa.table(table), root / "attributes.parquet")
    rows = [("user-1", "item-4", 20), ("user-1", "item-3", 10), ("user-2", "item-5", 5), ("user-1", "item-9", 20)]
    events = pa.table(
        dict(zip(["query_id", "candidate_id", "timestamp"], map(list, zip(*rows, strict=True)), strict=True))
    )
    pq.write_table(events, root / "histories.parquet")
    return root


@pytest.fixture(scope="module")
def server(model_folder, paths):
    running.push(model_folder, paths / "shop", 1)
    settings = Serve(
        attributes=str(paths / "attributes.parquet"),
        poll_seconds=0.1,
        limits={"max_filter_values": 6, "max_exclude": 50},
    )
    known = histories.read(paths / "histories.parquet", 1)
    with running.running(paths / "shop", settings, known=known) as found:
        yield found


@pytest.fixture
def client(server):
    return server.client()


def ids(answer):
    return [item["id"] for item in answer["items"]]


def test_filtered_answers_are_the_best_that_pass(client):
    history = [{"id": "item-3"}]
    everything = client.recommend(history=history, k=10)
    even = client.recommend(history=history, k=10, filter={"genre": {"any": ["Even"]}})
    assert {GENRES[item] for item in ids(even)} == {"Even"}
    assert len(even["items"]) == 10
    best_even = [item for item in everything["items"] if GENRES[item["id"]] == "Even"]
    found = even["items"][: len(best_even)]
    assert [(item["id"], item["near"]) for item in found] == [(item["id"], item["near"]) for item in best_even]
    assert [item["score"] for item in found] == pytest.approx([item["score"] for item in best_even], rel=1e-5)
    odd = client.recommend(history=history, k=10, filter={"genre": {"none": ["Even"]}}, exclude=ids(even))
    assert {GENRES[item] for item in ids(odd)} == {"Odd"}
    assert "item-3" not in ids(odd)
    both = client.recommend(history=history, k=10, filter={"genre": {"any": ["Even"], "none": ["Even"]}})
    assert (both["items"], "fallback" in both) == ([], False)


def test_a_filter_and_an_allow_list_hold_together(client):
    allow = running.IDS[:6]
    found = client.recommend(k=10, allow=allow, filter={"genre": {"any": ["Odd"]}})
    assert sorted(ids(found)) == [item for item in allow if GENRES[item] == "Odd"]


def test_attributes_of_today_are_filtered_by_and_read_again(client, paths):
    assert sorted(ids(client.recommend(filter={"price": {"max": 5}}))) == ["item-3"]
    assert sorted(ids(client.recommend(filter={"in_stock": {"max": 0}}))) == ["item-5"]
    table = pa.table({"candidate_id": ["item-5", "item-7"], "genre": ["New", None], "price": [1, 2]})
    pq.write_table(table, paths / "next.parquet")
    os.replace(paths / "next.parquet", paths / "attributes.parquet")
    deadline = 200
    while ids(client.recommend(filter={"genre": {"any": ["New"]}})) != ["item-5"]:
        deadline -= 1
        assert deadline
    assert "item-7" not in ids(client.recommend(filter={"genre": {"any": ["Even", "Odd"]}}, k=10))
    assert client.post("/v1/recommend", {"filter": {"in_stock": {"min": 1}}})[0] == 400
    # A file that is half written leaves the attributes as they were.
    (paths / "attributes.parquet").write_bytes(b"PAR1")
    assert ids(client.recommend(filter={"genre": {"any": ["New"]}})) == ["item-5"]


def test_promoted_and_boosted_candidates_are_marked(client):
    history = [{"id": "item-3"}]
    plain = client.recommend(history=history, k=4)
    last = client.recommend(history=history, k=10)["items"][-1]["id"]
    promoted = client.recommend(history=history, k=4, promote=[{"ids": [last], "at_least": 1}])
    assert ids(promoted) == [*ids(plain)[:3], last]
    assert [item["promoted"] for item in promoted["items"]] == [False, False, False, True]
    boosted = client.recommend(history=history, k=4, boost=[{"ids": [last], "factor": 1e6}])
    assert (boosted["items"][0]["id"], boosted["items"][0]["boost"]) == (last, 1e6)
    diverse = client.recommend(history=history, k=4, diversity=1.0)
    assert ids(diverse)[0] == ids(plain)[0]
    assert ids(diverse) != ids(plain)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"filter": {"colour": {"any": ["red"]}}}, "Filter: expected one of the attributes"),
        ({"filter": {"genre": {"min": 3}}}, "Filter.genre: "),
        ({"filter": {"genre": {"any": ["a", "b", "c", "d", "e", "f"]}}}, "The filters have 7 entries"),
        ({"filter": {"genre": {"all": []}}}, "filter.genre.all is not a field"),
        ({"diversity": 2}, "diversity: "),
        ({"diversity": True}, "diversity: "),
        ({"boost": [{"ids": ["a"], "factor": 0}]}, "Boost[0].factor: "),
        ({"boost": [{"factor": 2}]}, "Boost: "),
        ({"promote": [{"ids": ["a"], "at_least": 11}]}, "Promote: expected at most k=10 places in all, got 11"),
        ({"promote": [{"ids": ["a"] * 51, "at_least": 1}]}, "The ids of boost and promote have 51 entries"),
    ],
)
def test_a_wrong_rule_is_answered_with_one_sentence(client, body, sentence):
    status, answer = client.post("/v1/recommend", body)
    assert (status, answer["error"][: len(sentence)]) == (400, sentence)


def test_similar_candidates_are_by_cosine_and_never_the_candidate(server, client):
    corpus = LoadedModel(server.rollout.newest.facts.folder).corpus
    unit = corpus.embeddings / np.linalg.norm(corpus.embeddings, axis=1, keepdims=True)
    cosines = unit @ unit[corpus.rows["item-3"]]
    expected = [corpus.ids[row] for row in np.argsort(-cosines)[1:6]]
    status, answer = client.post("/v1/similar", {"id": "item-3", "k": 5})
    assert (status, ids(answer)) == (200, expected)
    assert answer["items"][0]["title"] == f"Title of {expected[0]}"
    status, answer = client.post("/v1/similar", {"ids": ["item-3", expected[0]], "k": 100})
    assert len(answer["items"]) == running.SIZE - 2
    assert client.post("/v1/similar", {"id": "item-3", "filter": {"genre": {"any": ["None"]}}})[1]["items"] == []
    for body, status in (({}, 400), ({"id": "a", "ids": ["b"]}, 400), ({"id": "nope"}, 404), ({"ids": []}, 400)):
        assert client.post("/v1/similar", body)[0] == status


class Spy:
    """A signature that notes the lengths of the lists that it is asked for."""

    def __init__(self, signature):
        self._signature = signature
        self.structured_input_signature = signature.structured_input_signature
        self.lengths = []

    def __call__(self, **inputs):
        self.lengths += inputs["k"].numpy().tolist()
        return self._signature(**inputs)


@pytest.fixture(scope="module")
def model(model_folder):
    return LoadedModel(model_folder)


@pytest.mark.parametrize(
    ("wanted", "k", "lengths"),
    [
        ({}, 6, [6]),
        ({"genre": {"any": ["Odd"]}}, 6, [6]),
        # Nothing passes.
        ({"genre": {"any": ["None"]}}, 6, [6]),
        # Half of the candidates are cheap today: twice as many are fetched, times two.
        ({"price": {"max": 5}}, 4, [16]),
        # The model knows one of two rules: of 20 odd candidates 10 are cheap.
        ({"price": {"max": 5}, "genre": {"any": ["Odd"]}}, 4, [16]),
        # One of 40 is new today: the pool may lack it, and then all that pass are compared.
        ({"price": {"min": 100}}, 4, [running.POOL]),
        # `release_year` is of today for all candidates, so the model is not asked for it.
        ({"release_year": {"min": 2000}}, 4, [16]),
        ({}, running.POOL, [running.POOL]),
        ({}, running.POOL + 1, []),
    ],
)
def test_similar_candidates_are_those_of_the_models_signature(model, monkeypatch, wanted, k, lengths):
    spy = Spy(model.signatures["similar"])
    monkeypatch.setattr(model, "signatures", {**model.signatures, "similar": spy})
    monkeypatch.setattr(model, "attributes", model.attributes)
    price = np.array([[1.0, 1.0, 9.0, 9.0][row % 4] for row in range(running.SIZE)])
    price[39] = 100.0
    model.override(Overrides(running.IDS, {"price": price, "release_year": 1980.0 + np.arange(running.SIZE)}))
    conditions = rules.parse_filter(wanted, model.attributes.kinds)
    for asked in (["item-3"], ["item-3", "item-20", "item-3"]):
        spy.lengths.clear()
        found = catalogue_calls.similar(model, asked, conditions, k)
        assert spy.lengths == lengths
        mask = model.attributes.mask(conditions) if wanted else None
        expected = model.corpus.similar([model.corpus.rows[item] for item in asked], mask, k)
        assert [item["id"] for item in found] == [item.id for item in expected]
        assert [item["score"] for item in found] == pytest.approx([item.score for item in expected], abs=1e-6)
        assert [item["title"] for item in found] == [item.title for item in expected]


def test_an_earlier_version_without_the_signature_compares_by_itself(model, monkeypatch):
    expected = catalogue_calls.similar(model, ["item-3"], {}, 5)
    monkeypatch.setattr(model, "signatures", {name: it for name, it in model.signatures.items() if name != "similar"})
    found = catalogue_calls.similar(model, ["item-3"], {}, 5)
    assert [item["id"] for item in found] == [item["id"] for item in expected]


def test_a_known_query_has_its_history(client):
    status, answer = client.get("/v1/queries/user-1")
    assert status == 200
    assert [(event["id"], event["time"]) for event in answer["history"]] == [
        ("item-3", 10),
        ("item-4", 20),
        ("item-9", 20),
    ]
    assert answer["history"][0]["title"] == "Title of item-3"
    assert client.get("/v1/queries/nobody")[0] == 404
    # Events of the request come after those of the table, which end before the time of the request.
    known = client.recommend(query="user-1", history=[{"id": "item-5", "time": 15}], at=20, k=10)
    assert {item["near"] for item in known["items"]} == {"item-3", "item-5"}
    assert not {"item-3", "item-5"} & set(ids(known))
    assert not {"item-3", "item-4", "item-9"} & set(ids(client.recommend(query="user-1", at=21, k=10)))


def test_examples_of_similar_have_the_form_of_the_request():
    for example in openapi.examples(SimilarRequest).values():
        SimilarRequest.model_validate(example)


ROWS = [(*row, 0, b"") for row in [("b", "x", 3), ("a", "y", 2), ("a", "x", 2), ("b", "z", 1), ("a", "z", 1)]]


@pytest.mark.parametrize("kind", [histories.MemoryHistories, histories.SqliteHistories])
def test_histories_are_by_time_and_then_in_the_order_of_the_table(kind):
    found = kind(ROWS)
    try:
        assert found.find("a", 10).events == [("z", 1, {}), ("y", 2, {}), ("x", 2, {})]
        assert found.find("a", 2).events == [("z", 1, {})]
        assert found.find("b", 0).events == []
        assert found.find("c", 10) is None
    finally:
        found.close()


@pytest.mark.parametrize("kind", [histories.MemoryHistories, histories.SqliteHistories])
def test_of_a_long_history_the_newest_are_read_and_the_others_known_as_seen(kind, monkeypatch):
    monkeypatch.setattr(histories, "MAX_EVENTS", 3)
    rows = [("bot", item, time, 0, b"") for time, item in enumerate(["z", "x", "y", "x", "w", "v"])]
    found = kind(rows) if kind is histories.SqliteHistories else kind(rows, max_events=3)
    try:
        known = found.find("bot", 10)
        assert [(event.id, event.time) for event in known.events] == [("x", 3), ("w", 4), ("v", 5)]
        assert sorted(known.seen) == ["y", "z"]
        known = found.find("bot", 3)
        assert ([event.id for event in known.events], known.seen) == (["z", "x", "y"], ())
    finally:
        found.close()


class OnDisk:
    """Histories that must not be read by the thread that answers."""

    is_in_memory = False

    def __init__(self):
        self.threads = []

    def misfits(self, features):
        return []

    def find(self, query_id, before):
        self.threads.append(threading.current_thread().name)
        return Known([Event("item-3", 5)])


def test_histories_on_disk_do_not_hold_up_other_requests(serving_dir):
    known = OnDisk()
    with running.running(serving_dir, Serve(), known=known) as server:
        answer = server.client().recommend(query="user-1", at=9)
    assert {item["near"] for item in answer["items"]} == {"item-3"}
    assert [name.partition("_")[0] for name in known.threads] == ["histories"]


def test_a_large_table_of_histories_goes_to_sqlite(tmp_path):
    path = tmp_path / "log.parquet"
    columns = {
        "query_id": [f"{number % 1000}" for number in range(200_000)],
        "candidate_id": [os.urandom(8).hex() for _ in range(200_000)],
        "timestamp": list(range(200_000)),
    }
    pq.write_table(pa.table(columns), path)
    small, large = histories.read(path, 1_000), histories.read(path, 1)
    try:
        assert isinstance(small, histories.MemoryHistories)
        assert isinstance(large, histories.SqliteHistories)
        assert small.find("7", 10**9) == large.find("7", 10**9)
        assert len(small.find("7", 10**9).events) == 200
    finally:
        large.close()
    pq.write_table(pa.table({"query_id": ["a"]}), path)
    with pytest.raises(BadInputError, match=r"expected the columns"):
        histories.read(path, 1)
    path.write_bytes(b"no")
    with pytest.raises(BadInputError, match="a Parquet file"):
        histories.read(path, 1)


class Variable:
    def __init__(self, value):
        self._value = value

    def numpy(self):
        return np.array(self._value)


def test_embeddings_of_any_length_have_a_cosine():
    vectors = [[1e-25, 0.0], [3e-25, 4e-25], [0.0, 2.0], [0.0, 0.0]]
    trained = types.SimpleNamespace(
        candidate_ids=Variable([b"a", b"b", b"c", b"d"]), candidate_embeddings=Variable(vectors)
    )
    found = Corpus(trained, None).similar([0], None, 3)
    # 3 / 5, and 0 for what is at a right angle or has no length.
    assert [(item.id, item.score) for item in found] == [("b", pytest.approx(0.6)), ("c", 0.0), ("d", 0.0)]


def test_categories_are_the_lists_of_the_catalogue():
    rows = [["a", "b"], None, [], ["b", None], ["a"]]
    kind = pa.list_(pa.string())
    # A part of an array, and several arrays.
    values = pa.chunked_array([pa.array([["x"], *rows, ["y"]], kind).slice(1, 5), pa.array([["c"]], kind)])
    assert attributes._categories(values).values == [("a", "b"), (), (), ("b",), ("a",), ("c",)]
    assert attributes._categories(pa.chunked_array([], kind)).values == []


def test_masks_agree_with_the_rules():
    values = [["a"], ["a", "b"], [], ["c"]]
    attributes = Attributes({"kind": Categories(values), "year": np.array([1.0, 2.0, np.nan, 4.0])}, 4)
    for wanted in (
        {"kind": {"any": ["a", "c"]}},
        {"kind": {"none": ["b"]}},
        {"kind": {"any": ["a"], "none": ["b"]}, "year": {"max": 3}},
        {"year": {"min": 2, "max": 4}},
        {},
    ):
        conditions = rules.parse_filter(wanted, attributes.kinds)
        expected = rules.matches(conditions, {"kind": values, "year": [1.0, 2.0, None, 4.0]}, 4)
        assert attributes.mask(conditions).tolist() == expected.tolist()


def test_overrides_replace_values_of_their_candidates_alone():
    attributes = Attributes({"kind": Categories([["a"], ["b"]])}, 2)
    table = Overrides(["y", "unknown"], {"kind": Categories([["c"], ["d"]]), "price": np.array([5.0, 6.0])})
    found = attributes.overridden(table, {"x": 0, "y": 1})
    assert found.of_rows(["kind"], np.array([0, 1]))["kind"] == [["a"], ["c"]]
    assert found.kinds == {"kind": "multi_category", "price": "numeric"}
    assert found.mask(rules.parse_filter({"price": {"min": 5}}, found.kinds)).tolist() == [False, True]
