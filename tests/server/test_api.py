"""The HTTP API of a running server, with a ScaNN model."""

from __future__ import annotations

import json
import socket
import time

import pytest

from server import openapi
from server.requests import RecommendRequest
from shortlist import keys
from shortlist.config.serve import Serve
from shortlist.serving import client as serving
from shortlist.serving import input_tensors
from tests.components.indexer import stand_in
from tests.server import running

SETTINGS = Serve.model_validate(
    {
        "limits": {
            "max_history": 20,
            "max_exclude": 12,
            "max_rows": 3,
            "max_body_bytes": 20_000,
            "max_concurrent": 8,
            "body_seconds": 1.0,
        },
        "max_age_days": 1,
    }
)


@pytest.fixture(scope="module")
def server(model_folder, tmp_path_factory):
    serving_dir = tmp_path_factory.mktemp("serving") / "shop"
    serving_dir.mkdir()
    running.push(model_folder, serving_dir, 1795)
    with running.running(serving_dir, SETTINGS) as found:
        yield found


@pytest.fixture
def client(server):
    return server.client()


@pytest.fixture(scope="module")
def recommender(server):
    return serving.Recommender(server.rollout.path)


def test_an_answer_is_the_models_with_titles_and_near(client, recommender):
    answer = client.recommend(query="user-1", history=[{"id": "item-3", "time": 5}, {"id": "item-4"}], at=9, k=4)
    expected = recommender.recommend("user-1", [("item-3", 5), ("item-4", 0)], k=4, query_time=9)
    assert [item["id"] for item in answer["items"]] == [row.id for row in expected]
    assert [item["score"] for item in answer["items"]] == pytest.approx([row.score for row in expected])
    assert [item["title"] for item in answer["items"]] == [f"Title of {row.id}" for row in expected]
    embeddings = recommender.embed_candidates([row.id for row in expected] + ["item-3", "item-4"])
    unit = embeddings / (embeddings**2).sum(1, keepdims=True) ** 0.5
    closest = ["item-3" if first > second else "item-4" for first, second in unit[:4] @ unit[4:].T]
    assert [item["near"] for item in answer["items"]] == closest
    assert (answer["version"], answer["variant"], answer["as_of"]) == ("1795", "latest", "9")


def test_the_time_of_a_request_is_now_by_default(client):
    before = int(time.time())
    as_of = client.recommend(k=1)["as_of"]
    assert before - 1 <= time.mktime(time.strptime(as_of, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone <= time.time() + 1


def test_history_excluded_and_not_allowed_candidates_stay_out(client):
    best = [item["id"] for item in client.recommend(history=[{"id": "item-3"}], k=4)["items"]]
    assert "item-3" not in best
    without = client.recommend(history=[{"id": "item-3"}], k=4, exclude=best[:2])
    assert [item["id"] for item in without["items"]][:2] == best[2:]
    only = client.recommend(history=[{"id": "item-3"}], k=4, allow=best[1:3])
    assert [item["id"] for item in only["items"]] == best[1:3]


def test_features_of_the_query_change_scores(client):
    scores = [
        [item["score"] for item in client.recommend(query="user-1", context=context)["items"]]
        for context in ({}, {"age": 80}, {"tags": ["a", "b"]}, {"age": None})
    ]
    assert scores[0] == scores[3]
    assert scores[0] != scores[1] != scores[2]


def test_what_the_model_cannot_answer_gets_the_most_popular_and_says_so(server, client):
    # The query's embedding is not finite, so the model returns nothing. The last row is the most popular one.
    answer = client.recommend(history=[{"id": running.IDS[-1]}], context={"age": 1e30}, k=3)
    assert [item["id"] for item in answer["items"]] == running.IDS[-2:-5:-1]
    assert answer["fallback"] == "popularity"
    assert {item["score"] for item in answer["items"]} == {None}
    assert server.metric("shortlist_fallback_answers_total") >= 1
    assert "fallback" not in client.recommend()


def test_candidates_are_found_by_title_and_id(client):
    status, answer = client.get("/v1/candidates?search=title%20OF%20item-1&limit=3")
    assert (status, [item["id"] for item in answer["candidates"]]) == (200, ["item-1", "item-10", "item-11"])
    assert [item["title"] for item in client.get("/v1/candidates?search=of%20item-39")[1]["candidates"]] == [
        "Title of item-39"
    ]
    assert client.get("/v1/candidates?search=nothing")[1]["candidates"] == []
    assert len(client.get("/v1/candidates")[1]["candidates"]) == 20
    for limit in ("0", "-1", "201", "x", "9" * 30):
        assert client.get(f"/v1/candidates?limit={limit}")[0] == 400


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (b"{", 400, "The body is not JSON: "),
        (b"\xff\xfe", 400, "The body is not JSON: "),
        (b'{"query": "\\ud800"}', 400, "The body is not JSON: "),
        (b"[]", 400, "The body: "),
        ({"histori": []}, 400, "histori is not a field of this request."),
        ({"history": [{"id": 5}]}, 400, "history[0].id: input should be a valid string, got 5."),
        (
            {"history": [{"id": "a", "time": "soon"}]},
            400,
            "history: expected seconds since 1970 or ISO 8601 text",
        ),
        ({"history": [{"id": "a", "time": 2**63}]}, 400, "history[0].time: "),
        ({"history": [{"id": "a", "time": True}]}, 400, "history[0].time: "),
        ({"history": [{"id": "a"}] * 21}, 400, "history has 21 entries; this server takes at most 20."),
        ({"exclude": ["a"] * 13}, 400, "exclude has 13 entries; this server takes at most 12."),
        ({"k": 0}, 400, "k: input should be greater than or equal to 1, got 0."),
        ({"k": 11}, 400, "k is 11; this model returns at most 10."),
        ({"k": "3"}, 400, "k: "),
        (
            {"context": {"height": 1}},
            400,
            "The model has no feature 'height'; it has ['age', 'gender', 'joined', 'tags']",
        ),
        ({"context": {"age": "old"}}, 400, "Age takes numbers; got 'old'."),
        ({"context": {"joined": 2**70}}, 400, ""),
        (b'{"context": {"age": NaN, "joined": 0.5}}', 400, "Joined takes whole numbers; got 0.5."),
        (b'{"context": {"age": -Infinity}}', 400, "Age takes finite numbers; got -inf."),
        ({"context": {"age": [30, 31]}}, 400, "Age takes one value; got the list"),
        ({"context": {"tags": ["a", 3]}}, 400, "Tags takes strings; got 3 at position 1, counted from 0."),
        ({"context": {"tags": {"a": 3}}}, 400, "Tags takes strings; got {'a': 3}."),
        ({"context": {"age": True}}, 400, "Age takes numbers; got True."),
        (
            {"history": [{"id": "a", "features": {"rating": 3}}]},
            400,
            "The model has no feature 'rating' of interactions",
        ),
        ({"exclude": ["x" * 900] * 12, "allow": ["x" * 900] * 12}, 413, "The body has more than 20,000 bytes."),
    ],
)
def test_a_wrong_request_is_answered_with_one_sentence(client, body, status, sentence):
    found, answer = client.post("/v1/recommend", body)
    assert found == status
    assert set(answer) == {"error"}
    assert answer["error"].startswith(sentence)
    assert len(answer["error"]) < 500
    assert "/" not in answer["error"].replace("and/or", "")


def test_paths_and_methods_that_do_not_exist(client):
    assert client.get("/nope") == (404, {"error": "There is no such path."})
    assert client.get("/v1/recommend") == (405, {"error": "This path does not take that method."})


def test_a_request_keeps_its_id(client):
    status, headers, body = client.raw("POST", "/v1/recommend", b"{}", {"X-Request-ID": "abc-1"})
    assert (status, headers["x-request-id"], json.loads(body)["request_id"]) == (200, "abc-1", "abc-1")
    _, headers, body = client.raw("POST", "/v1/recommend", b"{}", {"X-Request-ID": "<b>"})
    assert headers["x-request-id"] == json.loads(body)["request_id"]
    assert len(headers["x-request-id"]) == 32


def test_health_and_metrics(server, client):
    assert client.get("/healthz") == (200, {"status": "ok"})
    assert client.get("/readyz") == (200, {"status": "ok", "version": "1795"})
    client.recommend(history=[{"id": "item-unknown"}])
    status, _, text = client.raw("GET", "/metrics")
    assert status == 200
    assert b'shortlist_request_seconds_count{route="/v1/recommend",status="200"}' in text
    assert b"shortlist_batch_size_bucket" in text
    assert server.metric("shortlist_unknown_ids_total") >= 1
    assert server.metric("shortlist_cold_start_answers_total") >= 1
    assert server.metric("shortlist_newest_version_too_old") == 0


def test_while_it_drains_it_answers_and_says_that_it_is_not_ready(server):
    server.drain.is_draining = True
    try:
        client = server.client()
        assert client.get("/readyz")[0] == 503
        status, headers, _ = client.raw("POST", "/v1/recommend", b"{}")
        assert (status, headers["connection"]) == (200, "close")
    finally:
        server.drain.is_draining = False


def predict_inputs(**values):
    return {
        keys.QUERY_ID: ["", ""],
        "gender": ["", ""],
        keys.HISTORY_IDS: [["item-3", "item-4"], ["item-5", ""]],
        keys.HISTORY_TIMES: [[5, 7], [5, 0]],
        keys.QUERY_TIME: [9, 0],
        "age": [30.0, float("nan")],
        "tags": [["a"], [""]],
        "joined": [0, 0],
        **values,
    }


def test_predict_by_column_and_by_row_is_the_signatures_answer(server, client, recommender):
    inputs = predict_inputs()
    status, columns = client.post("/v1/models/shop:predict", {"inputs": inputs})
    assert status == 200
    signature = recommender._model.signatures["serving_default"]
    expected = signature(**input_tensors.signature_inputs(signature.structured_input_signature[1], _rows(inputs)))
    assert columns["outputs"]["ids"] == [[item.decode() for item in line] for line in expected["ids"].numpy()]
    assert columns["outputs"]["count"] == [10, 10]
    instances = [{name: values[row] for name, values in inputs.items()} for row in range(2)]
    status, rows = client.post("/v1/models/shop/versions/1795:predict", {"instances": instances})
    assert status == 200
    outputs = columns["outputs"]
    assert rows["predictions"] == [{name: outputs[name][row] for name in outputs} for row in range(2)]


def _rows(inputs):
    return [{name: values[row] for name, values in inputs.items()} for row in range(2)]


def test_a_signature_with_one_input_and_one_output_needs_no_names(client):
    body = {"signature_name": "candidate_embedding", "instances": ["item-3", {"b64": "aXRlbS0z"}]}
    status, answer = client.post("/v1/models/shop/labels/latest:predict", body)
    assert status == 200
    first, second = answer["predictions"]
    assert first == second
    assert len(first) == 8
    body = {"signature_name": "candidate_embedding", "inputs": ["item-3"]}
    assert client.post("/v1/models/shop:predict", body)[1]["outputs"] == [first]
    window = {"b64": _base64(stand_in.window("user-1", ["item-3"], "item-5"))}
    body = {"signature_name": "examples", "instances": [window]}
    status, answer = client.post("/v1/models/shop:predict", body)
    assert (status, answer["predictions"][0]["count"]) == (200, 10)


def _base64(content):
    import base64

    return base64.b64encode(content).decode()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        [],
        {"instances": []},
        {"instances": [1], "inputs": {}},
        {"signature_name": "nope", "inputs": {}},
        {"signature_name": 3, "inputs": {}},
        {"inputs": {}},
        {"inputs": predict_inputs(extra=[1])},
        {"inputs": predict_inputs(age=["x", "y"])},
        {"inputs": predict_inputs(age=[[1.0], [2.0]])},
        {"inputs": predict_inputs(age=[1.0])},
        {"inputs": predict_inputs(history_ids=[["a"], ["b", "c"]])},
        {"inputs": predict_inputs(gender=[{"b64": "%"}, ""])},
        {"inputs": predict_inputs(gender=[{"x": 1}, ""])},
        {"signature_name": "candidate_embedding", "instances": ["a"] * 4},
        {"signature_name": "examples", "instances": [{"b64": "AAAA"}]},
        b"[" * 10_000,
    ],
)
def test_a_wrong_predict_request_is_refused(client, body):
    status, answer = client.post("/v1/models/shop:predict", body)
    assert status == 400
    assert set(answer) == {"error"}


def test_status_and_metadata(client):
    status, answer = client.get("/v1/models/shop")
    state = {"version": "1795", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert (status, answer) == (200, {"model_version_status": [state]})
    assert client.get("/v1/models/shop/versions/1795") == (status, answer)
    assert client.get("/v1/models/shop/versions/3")[0] == 404
    assert client.get("/v1/models/other")[0] == 404
    status, answer = client.get("/v1/models/shop/metadata")
    assert answer["model_spec"] == {"name": "shop", "signature_name": "", "version": "1795"}
    inputs = answer["metadata"]["signature_def"]["signature_def"]["recommend"]["inputs"]
    assert inputs["k"]["dtype"] == "DT_INT32"


def test_the_description_has_every_path_and_its_examples_are_answered(client):
    status, described = client.get("/openapi.json")
    assert status == 200
    assert {"/v1/recommend", "/v1/candidates", "/v1/models/{name}:predict", "/readyz"} <= set(described["paths"])
    assert "HTTPValidationError" not in described["components"]["schemas"]
    for name, example in openapi.examples(RecommendRequest).items():
        assert client.post("/v1/recommend", example)[0] == 200, name


def send_slowly(port, first, second, seconds):
    """Returns what a server sends to a client that pauses within its request."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(first)
        time.sleep(seconds)
        try:
            connection.sendall(second)
            return connection.recv(65_536)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def test_a_body_that_takes_too_long_ends_the_connection(server):
    head = b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n{}"
    assert b"200 OK" in send_slowly(server.port, head, b"  ", 0.1)
    assert b"200 OK" not in send_slowly(server.port, head, b"  ", 2.0)
    assert b"200 OK" not in send_slowly(server.port, b"GET /heal", b"thz HTTP/1.1\r\nhost: x\r\n\r\n", 2.0)


def test_endless_headers_end_the_connection(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        sent = 0
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
            while sent < 10_000_000:
                connection.sendall(b"x-filler: " + b"a" * 10_000 + b"\r\n")
                sent += 10_000
            answer = connection.recv(100)
        except (BrokenPipeError, ConnectionResetError):
            answer = b""
    assert b"200 OK" not in answer
    assert sent < 10_000_000


def test_a_token_is_asked_for_where_there_is_one(model_folder, tmp_path):
    (tmp_path / "shop").mkdir()
    running.push(model_folder, tmp_path / "shop", 1)
    with running.running(tmp_path / "shop", Serve(), token="correct horse") as found:
        for token in (None, "", "correct hors"):
            client = found.client(token)
            assert client.post("/v1/recommend", {})[0] == 401
            assert client.raw("GET", "/metrics")[0] == 401
            assert client.get("/readyz")[0] == 200
        assert found.client("correct horse").post("/v1/recommend", {})[0] == 200
        assert found.client("correct horse").get("/openapi.json")[1]["security"] == [{"token": []}]
