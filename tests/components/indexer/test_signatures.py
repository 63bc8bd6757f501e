"""The served signatures, the product's API, on a ScaNN export and its exact copy."""

import json
import pathlib

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from tensorflow.core.protobuf import saved_model_pb2

from components.indexer import export
from components.indexer.exact import ExactIndex
from shortlist.serving.input_tensors import signature_inputs
from tests.components.indexer import stand_in
from tests.components.indexer.conftest import MAX_EXCLUSIONS, SIZE, K

LOWEST = np.finfo(np.float32).min
KINDS = ["scann", "brute_force"]
IDS = stand_in.candidate_ids(SIZE)

some_ids = st.lists(st.sampled_from([*IDS, "item-unknown", ""]), max_size=12)
many_ids = st.one_of(some_ids, st.permutations(IDS).flatmap(lambda ids: st.integers(0, SIZE).map(lambda n: ids[:n])))
one_query = st.fixed_dictionaries(
    {
        "query_id": st.sampled_from(["user-1", "user-2", "stranger", ""]),
        "history_ids": some_ids,
        "k": st.sampled_from([1, 2, K - 1, K, K + 1, 1000, 0, -1]),
        "exclude": many_ids,
        "allow": st.one_of(st.just([]), many_ids),
    }
)


def check(exported, rows, answer, excluded, limits=None, allowed=None):
    """Asserts all rules of the contract for an answer, against scores by NumPy."""
    ids, scores, counts = answer
    assert ids.shape == scores.shape == (len(rows), K)
    assert np.isfinite(scores).all()
    all_scores = exported.query_embeddings(rows) @ exported.embeddings.T
    for row, (line, line_scores, count) in enumerate(zip(ids, scores, counts, strict=True)):
        names = set(allowed[row]) - {""} if allowed else set()
        # "" alone is no restriction; an unknown id is one.
        left = [rank for rank, item in enumerate(IDS) if item not in excluded[row] and (not names or item in names)]
        limit = K if limits is None else min(K, max(0, limits[row]))
        assert count == min(limit, len(left))
        assert (line[count:] == "").all()
        assert (line_scores[count:] == LOWEST).all()
        found = [IDS.index(item) for item in line[:count]]
        assert len(set(found)) == count
        assert set(found) <= set(left)
        np.testing.assert_allclose(line_scores[:count], all_scores[row, found], rtol=1e-4, atol=1e-4)
        assert (np.diff(line_scores[:count]) <= 0).all()
        for (first, second), step in zip(zip(found, found[1:], strict=False), np.diff(line_scores), strict=False):  # noqa: RUF007
            assert step < 0 or first < second
        missed = [all_scores[row, rank] for rank in left if rank not in found]
        if count and missed:
            assert line_scores[count - 1] >= max(missed) - 1e-4


def check_agreement(exported, signature, rows):
    (ids, scores, counts), (exact_ids, exact_scores, exact_counts) = (
        exported.ask(kind, signature, rows) for kind in KINDS
    )
    np.testing.assert_array_equal(counts, exact_counts)
    np.testing.assert_array_equal(scores, exact_scores)
    np.testing.assert_array_equal(ids, exact_ids)


@hypothesis.settings(max_examples=40)
@hypothesis.given(st.lists(one_query, min_size=1, max_size=4))
def test_every_answer_keeps_the_contract_and_the_exact_copy_agrees(exported, rows):
    for kind in KINDS:
        check(exported, rows, exported.ask(kind, "serving_default", rows), [row["history_ids"] for row in rows])
        check(
            exported,
            rows,
            exported.ask(kind, "recommend", rows),
            excluded=[row["exclude"] for row in rows],
            limits=[row["k"] for row in rows],
            allowed=[row["allow"] for row in rows],
        )
    check_agreement(exported, "serving_default", rows)
    check_agreement(exported, "recommend", rows)


@pytest.mark.parametrize("kind", KINDS)
def test_the_history_comes_back_from_recommend_unless_it_is_excluded(exported, kind):
    top = exported.ask(kind, "recommend", [{"query_id": "user-1"}])[0][0].tolist()
    row = {"query_id": "user-1", "history_ids": top[:3]}
    assert set(top[:3]) & set(exported.ask(kind, "recommend", [row])[0][0])
    assert not set(top[:3]) & set(exported.ask(kind, "serving_default", [row])[0][0])
    assert not set(top[:3]) & set(exported.ask(kind, "recommend", [row | {"exclude": top[:3]}])[0][0])


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_ids_change_nothing(exported, kind):
    known = {"query_id": "user-1", "history_ids": IDS[:2], "exclude": IDS[5:7], "allow": IDS[:20]}
    more = {name: value if name == "query_id" else [*value, "nothing", "\x00"] for name, value in known.items()}
    for signature in ("recommend", "serving_default"):
        for one, other in zip(
            exported.ask(kind, signature, [known]), exported.ask(kind, signature, [more]), strict=True
        ):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "row",
    [
        {"exclude": IDS},
        {"allow": IDS[:5], "exclude": IDS[:5]},
        {"allow": ["unknown"]},
        {"k": 0},
        {"k": -3},
    ],
    ids=["all excluded", "all allowed are excluded", "only strangers allowed", "k=0", "k<0"],
)
def test_an_answer_may_be_empty(exported, kind, row):
    ids, scores, counts = exported.ask(kind, "recommend", [{"query_id": "user-1", **row}, {"query_id": "user-2"}])
    assert counts.tolist()[0] == 0
    assert (ids[0] == "").all()
    assert (scores[0] == LOWEST).all()
    assert counts[1] == K


@pytest.mark.parametrize("kind", KINDS)
def test_a_history_of_the_whole_corpus_leaves_nothing(exported, kind):
    assert exported.ask(kind, "serving_default", [{"query_id": "user-1", "history_ids": IDS}])[2].tolist() == [0]


@pytest.mark.parametrize("kind", KINDS)
def test_more_exclusions_than_are_over_fetched_for_are_still_exact(exported, kind):
    rows = [{"query_id": "user-1", "exclude": IDS[: MAX_EXCLUSIONS + extra]} for extra in (0, 1, 20)]
    check(exported, rows, exported.ask(kind, "recommend", rows), [row["exclude"] for row in rows])


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_without_any_column_are_empty_lists(exported, kind):
    signature = exported.models[kind].signatures["recommend"]
    inputs = signature_inputs(signature.structured_input_signature[1], [{"query_id": "user-1"}])
    bare = {name: value[:, :0] if value.shape.rank == 2 else value for name, value in inputs.items()}
    np.testing.assert_array_equal(signature(**bare)["ids"], signature(**inputs)["ids"])
    serve = exported.models[kind].signatures["serving_default"]
    wanted = {name: value for name, value in bare.items() if name in serve.structured_input_signature[1]}
    assert serve(**wanted)["count"].numpy().tolist() == [K]


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_without_a_finite_embedding_gets_no_answer_and_harms_no_other(exported, kind):
    rows = [{"query_id": "user-1", "age": float("inf")}, {"query_id": "user-1"}]
    ids, scores, counts = exported.ask(kind, "serving_default", rows)
    assert counts.tolist() == [0, K]
    assert (ids[0] == "").all()
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(ids[1], exported.ask(kind, "serving_default", rows[1:])[0][0])


@pytest.mark.parametrize("kind", KINDS)
def test_examples_answers_as_serving_default_does(exported, kind):
    histories = [IDS[:3], [], IDS[7:19]]
    windows = [stand_in.window(f"user-{row}", history, IDS[30]) for row, history in enumerate(histories)]
    rows = [
        {
            "query_id": f"user-{row}",
            "history_ids": history,
            "history_times": list(range(1, len(history) + 1)),
            "query_time": len(history) + 1,
            "age": 30.0,
            "gender": "F",
            "tags": ["a", "b"],
        }
        for row, history in enumerate(histories)
    ]
    answer = exported.models[kind].signatures["examples"](examples=tf.constant(windows))
    for name, expected in zip(("ids", "scores", "count"), exported.ask(kind, "serving_default", rows), strict=True):
        found = answer[name].numpy()
        np.testing.assert_array_equal(found.astype(str) if name == "ids" else found, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_examples_excludes_the_whole_past_and_takes_an_empty_example(exported, kind):
    examples = exported.models[kind].signatures["examples"]
    seen = IDS[:25]
    past = examples(examples=tf.constant([stand_in.window("user-1", IDS[:2], IDS[30], seen), b""]))
    assert not set(past["ids"].numpy()[0].astype(str)) & set(seen)
    assert past["count"].numpy().tolist() == [K, K]


@pytest.mark.parametrize("kind", KINDS)
def test_embeddings_are_those_of_the_trained_model(exported, kind):
    signature = exported.models[kind].signatures["candidate_embedding"]
    found = signature(candidate_id=tf.constant([IDS[3], "unknown"]))["embedding"].numpy()
    np.testing.assert_allclose(found, [exported.embeddings[3], np.zeros(8)])
    scores = exported.ask(kind, "serving_default", [{"query_id": "user-3"}])[1]
    products = np.sort(exported.query_embeddings([{"query_id": "user-3"}]) @ exported.embeddings.T)[0, ::-1]
    np.testing.assert_allclose(scores[0], products[:K], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_described_candidates_are_embedded_by_the_trained_model(exported, kind):
    signature = exported.models[kind].signatures["embed_candidates"]
    found = signature(candidate_id=tf.constant([IDS[3], "unknown"]), price=tf.constant([np.nan, 2.0]))
    np.testing.assert_allclose(found["embedding"], [exported.embeddings[3], np.full(8, 2.0)])
    assert found["known"].numpy().tolist() == [True, False]
    with pytest.raises(tf.errors.InvalidArgumentError, match="one row per candidate in every input"):
        signature(candidate_id=tf.constant([IDS[3], "unknown"]), price=tf.constant([1.0]))


def ops(directory):
    proto = saved_model_pb2.SavedModel.FromString(pathlib.Path(directory, "saved_model.pb").read_bytes())
    graph = proto.meta_graphs[0].graph_def
    return {node.op for nodes in (graph.node, *(item.node_def for item in graph.library.function)) for node in nodes}


def test_only_the_scann_model_has_scann_ops(model_dirs):
    scann_dir, exact_dir = model_dirs
    assert any("Scann" in op for op in ops(scann_dir))
    assert not any("scann" in op.lower() for op in ops(exact_dir))


def test_signatures_are_the_contract_s(exported):
    query = {"query_id", "history_ids", "history_times", "query_time", *stand_in.FEATURES}
    inputs = {
        "serving_default": query,
        "recommend": query | {"k", "exclude", "allow"},
        "recommend_filtered": query | {"k", "exclude", "allow"},
        "similar": {"candidate_ids", "k", "exclude"},
        "examples": {"examples"},
        "query_embedding": query,
        "candidate_embedding": {"candidate_id"},
        "embed_candidates": {"candidate_id", "price"},
    }
    for model in exported.models.values():
        found = {name: set(item.structured_input_signature[1]) for name, item in model.signatures.items()}
        assert found == inputs
        for name in ("serving_default", "recommend", "examples"):
            outputs = model.signatures[name].structured_outputs
            shapes = {key: (spec.dtype, spec.shape.as_list()) for key, spec in outputs.items()}
            assert shapes == {
                "ids": (tf.string, [None, K]),
                "scores": (tf.float32, [None, K]),
                "count": (tf.int32, [None]),
            }


def test_the_trainers_file_is_copied(model_dirs):
    for directory in model_dirs:
        trained = json.loads(pathlib.Path(directory, "assets.extra/shortlist.json").read_text())
        assert trained["query_features"] == stand_in.FEATURES


def empty_inputs(signature):
    """Returns the inputs of no query, with two columns in each list."""
    specs = signature.structured_input_signature[1]
    return {name: tf.zeros([0, 2][: spec.shape.rank], spec.dtype) for name, spec in specs.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_batch_gets_an_empty_answer(exported, kind):
    for name, signature in exported.models[kind].signatures.items():
        answer = signature(**empty_inputs(signature))
        if "embed" in name:
            assert answer["embedding"].shape == [0, 8]
            continue
        assert {key: value.shape.as_list() for key, value in answer.items()} == {
            "ids": [0, K],
            "scores": [0, K],
            "count": [0],
        }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [0, 1, 3])
def test_an_empty_batch_without_and_with_columns(exported, kind, columns):
    signature = exported.models[kind].signatures["recommend"]
    inputs = empty_inputs(signature)
    inputs |= {name: tf.zeros([0, columns], value.dtype) for name, value in inputs.items() if value.shape.rank == 2}
    assert signature(**inputs)["ids"].shape == [0, K]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("rows", "wrong"), [(1, 3), (3, 1), (3, 2), (2, 0), (0, 2)])
def test_an_input_of_another_length_than_the_batch_is_refused(exported, kind, rows, wrong):
    """Also where TensorFlow would broadcast: one `k` or one `exclude` is not that of every query."""
    for name in ("serving_default", "recommend", "query_embedding"):
        signature = exported.models[kind].signatures[name]
        specs = signature.structured_input_signature[1]
        queries = [{"query_id": f"user-{row}", "k": 3, "history_ids": IDS[:2]} for row in range(3)]
        inputs, others = (signature_inputs(specs, queries[:length] or queries[:1]) for length in (rows, wrong))
        inputs = {key: value[:rows] for key, value in inputs.items()}
        for changed in specs:
            with pytest.raises(tf.errors.InvalidArgumentError, match="one row per query") as refused:
                signature(**inputs | {changed: others[changed][:wrong]})
            assert changed in str(refused.value)


@pytest.mark.parametrize("kind", KINDS)
def test_k_beyond_the_model_or_the_corpus_gives_what_there_is(exported, kind):
    limits = [0, -1, -(2**31), 1, K, K + 1, SIZE, SIZE + 1, 2**31 - 1]
    rows = [{"query_id": "user-1", "k": k} for k in limits]
    counts = exported.ask(kind, "recommend", rows)[2]
    assert counts.tolist() == [0, 0, 0, 1, K, K, K, K, K]


@pytest.mark.parametrize("kind", KINDS)
def test_lists_of_different_lengths_are_each_query_s_own(exported, kind):
    rows = [
        {"query_id": "user-1"},
        {"query_id": "user-1", "exclude": IDS[:1]},
        {"query_id": "user-1", "exclude": [*IDS[:30], "unknown", ""]},
        {"query_id": "user-1", "allow": [*IDS[:2], IDS[0], "unknown"]},
        {"query_id": "user-1", "allow": [""]},
    ]
    together = exported.ask(kind, "recommend", rows)
    check(
        exported,
        rows,
        together,
        excluded=[row.get("exclude", []) for row in rows],
        allowed=[row.get("allow", []) for row in rows],
    )
    for number, row in enumerate(rows):
        for one, all_ in zip(exported.ask(kind, "recommend", [row]), together, strict=True):
            np.testing.assert_array_equal(one[0], all_[number])


def test_a_model_without_its_own_table_of_ids_is_served_with_one(tmp_path):
    # As models were that an earlier version trained.
    trained = tf.saved_model.load(str(stand_in.save_stand_in(tmp_path / "trained", SIZE)))
    with_table = export.ServedModel(trained, ExactIndex(k=K).index(trained.candidate_embeddings), K)
    ids = tf.constant([[IDS[3], "unknown"], ["", IDS[0]]])
    np.testing.assert_array_equal(with_table._rows(ids), [[3, -1], [-1, 0]])
    del trained.candidate_rows
    without = export.ServedModel(trained, ExactIndex(k=K).index(trained.candidate_embeddings), K)
    np.testing.assert_array_equal(without._rows(ids), [[3, -1], [-1, 0]])
    export.save(without, str(tmp_path / "trained"), str(tmp_path / "served"))
    loaded = tf.saved_model.load(str(tmp_path / "served"))
    signature = loaded.signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    answer = signature(**signature_inputs(specs, [{"query_id": "user-1", "history_ids": IDS[:3]}]))
    assert not set(answer["ids"].numpy()[0].astype(str)).intersection(IDS[:3])
