import json
import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf

from components.evaluator.ranks import target_ranks
from components.trainer.export import export
from shortlist import keys
from shortlist.model_files import TRAINED_FILE
from tests.components.trainer import tiny_dataset as worlds

_ROOT = pathlib.Path(__file__).parents[3]


def _export(world, path, model, reader, corpus, settings):
    module = worlds.serving_module(world, model, reader, corpus, settings)
    export(module, path, settings, corpus, "split-1", {"epochs": 0}, test_from=1_700_000_000)


@pytest.fixture(scope="module")
def saved(world, trained, tmp_path_factory):
    model, reader, corpus, settings = trained
    path = str(tmp_path_factory.mktemp("model") / "Format-Serving")
    _export(world, path, model, reader, corpus, settings)
    return path


@pytest.fixture(scope="module")
def loaded(saved):
    return tf.saved_model.load(saved)


def _inputs(**changed):
    inputs = {
        "query_id": ["q03"],
        "history_ids": [["c01", "c02"]],
        "history_times": np.array([[1, 2]], np.int64),
        "query_time": np.array([3], np.int64),
        "age": np.array([23.0], np.float32),
        "bio": ["likes G0"],
        "city": ["town1"],
        "joined": np.array([1003], np.int64),
        "tags": [["t0", "t0"]],
    } | changed
    return {name: tf.constant(value) for name, value in inputs.items()}


def _embed(loaded, **changed):
    return loaded.signatures["query_embedding"](**_inputs(**changed))["embedding"].numpy()


def test_the_corpus_is_there_sorted_by_id(loaded):
    assert loaded.candidate_ids.numpy().tolist() == [b"c%02d" % number for number in range(worlds.NUM_CANDIDATES)]
    assert loaded.candidate_embeddings.shape == [worlds.NUM_CANDIDATES, 8]


def test_a_candidate_embedding_is_its_row_and_zeros_where_unknown(loaded):
    embedding = loaded.signatures["candidate_embedding"](candidate_id=tf.constant(["c02", "nope"]))["embedding"]
    np.testing.assert_array_equal(embedding[0], loaded.candidate_embeddings[2])
    np.testing.assert_array_equal(embedding[1], np.zeros(8))


def _described(loaded, number, name):
    """Returns the outputs of `embed_candidates` for candidate `number`, described as `worlds.candidate_row` does."""
    genres = [f"g{number % 3}", "odd"] if number % 2 else [f"g{number % 3}", ""]
    return loaded.signatures["embed_candidates"](
        candidate_id=tf.constant([name]),
        title=tf.constant([f"Title W{number % 4}"]),
        genres=tf.constant([genres]),
        year=tf.constant([np.nan if number % 5 == 0 else 1990.0 + number], tf.float32),
    )


@pytest.mark.parametrize("number", [3, 5, 19])
def test_a_described_candidate_of_the_catalogue_has_its_own_embedding(loaded, number):
    found = _described(loaded, number, f"c{number:02}")
    np.testing.assert_allclose(found["embedding"][0], loaded.candidate_embeddings[number], rtol=1e-5, atol=1e-6)
    assert found["known"].numpy().tolist() == [True]


def test_a_new_candidate_is_embedded_by_its_features_alone(loaded):
    # c19 has no train interactions, so that its features are all that the model knows of it, too.
    new = _described(loaded, 19, "newer than the model")
    np.testing.assert_allclose(new["embedding"][0], loaded.candidate_embeddings[19], rtol=1e-5, atol=1e-6)
    assert new["known"].numpy().tolist() == [False]
    known, same_features = _described(loaded, 3, "c03"), _described(loaded, 3, "new")
    assert np.abs(known["embedding"] - same_features["embedding"]).max() > 1e-3


def test_padding_and_unknown_ids_in_a_history_change_nothing(loaded):
    plain = _embed(loaded)
    for ids, times in (
        (["c01", "c02", "", ""], [1, 2, 0, 0]),
        (["c01", "?", "c02", ""], [1, 9, 2, 0]),
    ):
        found = _embed(loaded, history_ids=[ids], history_times=np.array([times], np.int64))
        np.testing.assert_allclose(found, plain, atol=1e-6)
    assert np.abs(_embed(loaded, history_ids=[["c02", "c01"]]) - plain).max() > 1e-3


def test_of_a_long_history_the_last_ones_count(loaded):
    times = np.array([[1, 2, 3, 4, 5, 6]], np.int64)
    long = _embed(loaded, history_ids=[["c09", "c08", "c01", "c02", "c03", "c04"]], history_times=times)
    last = _embed(loaded, history_ids=[["c01", "c02", "c03", "c04"]], history_times=times[:, 2:])
    np.testing.assert_allclose(long, last, atol=1e-6)


def test_the_newcomer_signature_is_a_query_without_id_features_and_history(loaded):
    nothing = _embed(
        loaded,
        query_id=[""],
        history_ids=[[""]],
        history_times=np.zeros([1, 1], np.int64),
        query_time=np.array([0], np.int64),
        age=np.array([np.nan], np.float32),
        bio=[""],
        city=[""],
        joined=np.array([0], np.int64),
        tags=[[""]],
    )
    np.testing.assert_allclose(loaded.signatures["newcomer"]()["embedding"], nothing, atol=1e-6)


def test_missing_features_and_an_unknown_query_have_an_embedding(loaded):
    embedding = _embed(
        loaded,
        query_id=["nobody"],
        history_ids=np.zeros([1, 0], object).astype(str),
        history_times=np.zeros([1, 0], np.int64),
        age=np.array([np.nan], np.float32),
        bio=[""],
        city=[""],
        joined=np.array([0], np.int64),
        tags=[[""]],
    )
    assert np.isfinite(embedding).all()


def test_evaluation_ranks_serialized_windows_as_the_embeddings_do(loaded, world):
    records = worlds.read(world.windows["test"])
    ranks = loaded.signatures["evaluation"](examples=tf.constant(records))
    assert set(ranks) == {"rank", "rank_with_seen", "popularity_rank", "popularity_rank_with_seen"}
    corpus = loaded.candidate_ids.numpy().tolist()
    for place, record in enumerate(records[:5]):
        columns = tf.train.Example.FromString(record).features.feature
        history = [columns[keys.HISTORY_IDS].bytes_list.value[:]]
        query = _embed(
            loaded,
            query_id=columns[keys.QUERY_ID].bytes_list.value[:],
            history_ids=history,
            history_times=np.zeros([1, len(history[0])], np.int64),
            age=np.array(columns["age"].float_list.value[:] or [np.nan], np.float32),
            bio=columns["bio"].bytes_list.value[:] or [""],
            city=columns["city"].bytes_list.value[:],
            joined=np.array(columns["joined"].int64_list.value[:], np.int64),
            tags=[columns["tags"].bytes_list.value[:] or [""]],
        )
        target = corpus.index(columns[keys.TARGET_IDS].bytes_list.value[0])
        seen = [corpus.index(candidate) for candidate in columns[keys.SEEN_IDS].bytes_list.value]
        expected = target_ranks(query, loaded.candidate_embeddings, tf.constant([target]), tf.constant([seen]))
        assert (ranks["rank"][place], ranks["rank_with_seen"][place]) == (expected[0][0], expected[1][0])


def test_an_empty_batch_has_empty_ranks_and_slices(loaded):
    ranks = loaded.signatures["evaluation"](examples=tf.constant([], tf.string))
    assert all(value.shape == [0] and value.dtype == tf.int64 for value in ranks.values())
    slices = loaded.signatures["slices"](examples=tf.constant([], tf.string))
    assert all(value.shape == [0] and value.dtype == tf.string for value in slices.values())


def test_each_row_has_its_slices(loaded, world):
    slices = loaded.signatures["slices"](examples=tf.constant(worlds.read(world.windows["test"])))
    # Eight interactions per query: the last one is the target, and the four before it are the history.
    assert set(slices["history_length"].numpy()) == {b"2 to 5"}
    assert set(slices["target_seen_before"].numpy()) == {b"no"}
    assert set(slices["target_popularity"].numpy()) <= {b"head", b"middle", b"tail"}


def test_metadata_is_saved_with_the_model(saved):
    metadata = json.loads((pathlib.Path(saved) / TRAINED_FILE).read_text())
    assert metadata["contract_version"] == 1
    assert metadata["corpus_size"] == worlds.NUM_CANDIDATES
    assert (metadata["split_fingerprint"], metadata["test_from"]) == ("split-1", 1_700_000_000)
    assert metadata["query_features"] == {name: kind["type"] for name, kind in worlds.QUERY_FEATURES.items()}
    assert (metadata["embedding_dim"], metadata["max_history"]) == (8, 4)
    assert len(metadata["catalogue_sha256"]) == len(metadata["features_sha256"]) == 64


_RESAVE = """
    import os
    import sys
    import numpy as np
    import tensorflow as tf

    inner = tf.saved_model.load(sys.argv[1])

    class Outer(tf.Module):
        def __init__(self):
            super().__init__()
            self.query = inner

    outer = Outer()
    spec = inner.signatures["query_embedding"].structured_input_signature[1]

    @tf.function(input_signature=[spec])
    def by_signature(inputs):
        vectors = outer.query.signatures["query_embedding"](**inputs)["embedding"]
        return {"scores": tf.matmul(vectors, outer.query.candidate_embeddings, transpose_b=True)}

    @tf.function(input_signature=[spec])
    def by_method(inputs):
        vectors = outer.query.query_embedding(inputs)["embedding"]
        return {"scores": tf.matmul(vectors, outer.query.candidate_embeddings, transpose_b=True)}

    tf.saved_model.save(outer, sys.argv[2], signatures={"by_signature": by_signature, "by_method": by_method})
    os.rename(sys.argv[2], sys.argv[3])
    inputs = {name: tf.constant(value) for name, value in np.load(sys.argv[4]).items()}
    loaded = tf.saved_model.load(sys.argv[3])
    scores = {name: function(**inputs)["scores"].numpy() for name, function in loaded.signatures.items()}
    assert not {"components", "shortlist"} & set(sys.modules)
    np.savez(sys.argv[5], **scores)
"""


def test_it_can_be_saved_again_inside_another_module_without_our_code(saved, loaded, tmp_path):
    arrays = {name: value.numpy() for name, value in _inputs().items()}
    arrays = {name: value.astype("U") if value.dtype == object else value for name, value in arrays.items()}
    np.savez(tmp_path / "inputs.npz", **arrays)
    paths = [saved, *(str(tmp_path / name) for name in ("outer", "moved", "inputs.npz", "scores.npz"))]
    command = [sys.executable, "-c", textwrap.dedent(_RESAVE), *paths]
    environment = os.environ | {"PYTHONPATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    expected = _embed(loaded) @ loaded.candidate_embeddings.numpy().T
    scores = np.load(tmp_path / "scores.npz")
    np.testing.assert_allclose(scores["by_signature"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores["by_method"], expected, rtol=1e-5, atol=1e-6)


def test_a_model_with_query_time_reads_the_request_s_and_the_target_s(world, tmp_path):
    settings = worlds.settings(model={"query_time": {"knots": 3}})
    model, reader, corpus = worlds.assemble(world, settings)
    table = next(weight for weight in model.trainable_weights if "query_time" in weight.name)
    table.assign(tf.random.stateless_normal(table.shape, (1, 2)))
    export(
        worlds.serving_module(world, model, reader, corpus, settings),
        str(tmp_path),
        settings,
        corpus,
        "split-1",
        {"epochs": 0},
    )
    loaded = tf.saved_model.load(str(tmp_path))

    # Train targets are at 100 to 102.
    at = {time: _embed(loaded, query_time=np.array([time], np.int64)) for time in (0, 50, 100, 101, 102, 999)}
    np.testing.assert_allclose(at[101] - at[100], (table[1] - table[0])[tf.newaxis], atol=1e-5)
    np.testing.assert_array_equal(at[50], at[100])
    np.testing.assert_array_equal(at[0], at[102])
    np.testing.assert_array_equal(at[999], at[102])
    moments = loaded.signatures["newcomer"]()["embedding"].numpy()
    assert moments.shape == (32, 8)
    np.testing.assert_allclose(moments[-1] - moments[0], table[2] - table[0], atol=1e-5)

    ranks = {}
    for time in (100, 102):
        records = [_at(record, time) for record in worlds.read(world.windows["test"])]
        batch = reader.eval_batch(tf.constant(records))
        queries = model.embed_queries(batch.features, batch.history, loaded.candidate_embeddings, batch.times)
        expected = target_ranks(queries, loaded.candidate_embeddings, batch.target, batch.seen)[0]
        ranks[time] = loaded.signatures["evaluation"](examples=tf.constant(records))["rank"].numpy()
        np.testing.assert_array_equal(ranks[time], expected)
    assert (ranks[100] != ranks[102]).any()


@pytest.fixture(scope="module")
def timed(world, tmp_path_factory):
    """Returns (model, reader, loaded SavedModel) of a model whose interval tables are not zero."""
    settings = worlds.settings()
    model, reader, corpus = worlds.assemble(world, settings)
    worlds.shake(model.query_tower)
    path = str(tmp_path_factory.mktemp("timed"))
    _export(world, path, model, reader, corpus, settings)
    return model, reader, tf.saved_model.load(path)


def test_a_request_with_a_window_s_times_is_ranked_as_that_window(timed):
    model, reader, loaded = timed
    window = {
        "history_ids": [b"c03", b"c98", b"c05", b"c07"],
        "history_times": [1_000, 1_050, 1_100, 5_000],
        "target_ids": [b"c09"],
        "target_times": [9_000],
        "query_id": [b"q03"],
    }
    request = {name: [window[name]] for name in ("history_ids", "history_times", "query_id")}
    features = {"age": [np.nan], "bio": [""], "city": [""], "joined": [0], "tags": [[""]]}
    request = {**features, **request, "query_id": [b"q03"], "query_time": [9_000]}
    query = loaded.signatures["query_embedding"](
        **{name: tf.constant(value, _inputs()[name].dtype) for name, value in request.items()}
    )["embedding"]
    serialized = tf.constant([worlds.example(**window)])
    batch = reader.eval_batch(serialized)
    # c98 is not in the catalogue, so its time is dropped, too.
    assert batch.clock.numpy().tolist() == [[1_000, 1_100, 5_000, 9_000]]
    expected = model.embed_queries(batch.features, batch.history, loaded.candidate_embeddings, batch.times, batch.clock)
    np.testing.assert_allclose(query, expected, atol=1e-5)
    rank = loaded.signatures["evaluation"](examples=serialized)["rank"]
    assert rank.numpy() == target_ranks(query, loaded.candidate_embeddings, batch.target, batch.seen)[0].numpy()
    # The times do matter.
    untimed = model.embed_queries(batch.features, batch.history, loaded.candidate_embeddings, batch.times)
    assert np.abs(untimed - expected).max() > 1e-3


def test_without_query_time_a_history_s_times_have_no_effect(timed):
    loaded = timed[2]
    nothing = _embed(loaded, history_times=np.zeros([1, 2], np.int64), query_time=np.array([0], np.int64))
    np.testing.assert_array_equal(_embed(loaded, query_time=np.array([0], np.int64)), nothing)
    assert np.abs(_embed(loaded) - nothing).max() > 1e-3


def test_fewer_times_than_items_belong_to_the_first_items(timed):
    loaded = timed[2]
    padded = _embed(loaded, history_times=np.array([[1, 0]], np.int64))
    np.testing.assert_array_equal(_embed(loaded, history_times=np.array([[1]], np.int64)), padded)
    more = _embed(loaded, history_times=np.array([[1, 2, 3]], np.int64))
    np.testing.assert_array_equal(more, _embed(loaded))


def _at(record, time):
    example = tf.train.Example.FromString(record)
    example.features.feature[keys.TARGET_TIMES].int64_list.value[:] = [time]
    return example.SerializeToString()


@pytest.mark.parametrize("columns", [0, 1, 3])
def test_an_empty_batch_gets_an_empty_answer(loaded, columns):
    """Of every signature; an evaluator's or a client's last batch may be empty."""
    answered = set()
    for name, signature in loaded.signatures.items():
        specs = signature.structured_input_signature[1]
        inputs = {key: tf.zeros([0, columns][: spec.shape.rank], spec.dtype) for key, spec in specs.items()}
        if not inputs:
            continue
        for value in signature(**inputs).values():
            assert value.shape[0] == 0
        answered.add(name)
    assert answered == {"query_embedding", "candidate_embedding", "embed_candidates", "evaluation", "slices"}


@pytest.mark.parametrize("name", ["history_ids", "history_times", "query_time", "age", "bio", "tags", "query_id"])
def test_an_input_of_another_length_than_the_batch_is_refused(loaded, name):
    inputs = {key: tf.repeat(value, 2, axis=0) for key, value in _inputs().items()}
    for length in (0, 1, 3):
        changed = tf.repeat(inputs[name][:1], length, axis=0)
        with pytest.raises(tf.errors.InvalidArgumentError, match="one row per query"):
            loaded.signatures["query_embedding"](**inputs | {name: changed})


def test_values_that_mean_missing_are_those_of_the_documentation(loaded):
    """docs/concepts.md has the table."""
    no_tags = np.zeros([1, 0], object).astype(str)
    same = [({"query_id": [""]}, {"query_id": ["nobody"]}), ({"tags": [["", ""]]}, {"tags": no_tags})]
    # Train had no value outside of the vocabulary: the embedding of such values is still zero.
    same += [({"city": [""]}, {"city": ["elsewhere"]})]
    same += [({"history_ids": [["c01", "c02"]]}, {"history_ids": [["c01", "c02", ""]]})]
    for one, other in same:
        np.testing.assert_allclose(_embed(loaded, **one), _embed(loaded, **other), atol=1e-6)
    nan, zero = np.array([np.nan], np.float32), np.array([0.0], np.float32)
    different = [({"age": nan}, {"age": zero}), ({"city": [""]}, {"city": ["town1"]})]
    different += [({"joined": np.array([0], np.int64)}, {"joined": np.array([1], np.int64)})]
    for one, other in different:
        assert np.abs(_embed(loaded, **one) - _embed(loaded, **other)).max() > 1e-4
