"""Features of the log's rows in training, evaluation and requests."""

import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.indexer import export as served
from components.indexer import queries
from components.indexer.exact import ExactIndex
from components.trainer import export, portable
from components.trainer.batch import flat_targets
from components.trainer.losses.in_batch import explode
from shortlist import keys
from shortlist.config.split import LeaveLastOut, WindowsSection
from shortlist.errors import BadInputError
from shortlist.serving.client import Recommender
from tests.components.trainer import tiny_dataset as worlds

_SIZES = WindowsSection(max_history=4, max_targets=4)
_KIND = {"event": "bytes_list", "device": "bytes_list", "hour": "float_list", "rating": "float_list"}
_OTHER = {"event": b"event1", "device": b"device0", "hour": 99.0, "rating": -50.0}


@pytest.fixture(scope="module")
def logged():
    return worlds.build(LeaveLastOut(), _SIZES, True)


@pytest.fixture(scope="module")
def bundle(logged):
    settings = worlds.settings(interactions=worlds.INTERACTIONS)
    model, reader, corpus = worlds.assemble(logged, settings)
    worlds.shake(model)
    return types.SimpleNamespace(model=model, reader=reader, corpus=corpus, settings=settings)


@pytest.fixture(scope="module")
def trained_dir(logged, bundle, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("logged") / "trained")
    module = worlds.serving_module(logged, bundle.model, bundle.reader, bundle.corpus, bundle.settings)
    export.export(module, path, bundle.settings, bundle.corpus, "split", {})
    return path


@pytest.fixture(scope="module")
def loaded(trained_dir):
    return tf.saved_model.load(trained_dir)


@pytest.fixture(scope="module")
def recommender(loaded, trained_dir, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("served") / "1")
    served.save(served.ServedModel(loaded, ExactIndex(k=5).index(loaded.candidate_embeddings), 5), trained_dir, path)
    served.write_index_file(path, {"kind": "brute_force", "k": 5})
    return Recommender(path)


def _records(world, split):
    return worlds.read(world.windows[split])


def _changed(record, name, place):
    """Returns a window in which the feature of the target row at a place has another value."""
    example = tf.train.Example.FromString(record)
    getattr(example.features.feature[keys.CONTEXT_FEATURE + name], _KIND[name]).value[place] = _OTHER[name]
    return example.SerializeToString()


def _target_queries(bundle, records):
    """Returns {(window, place of the target): its query} of train windows."""
    batch = bundle.reader.train_batch(tf.constant(records), tf.constant(worlds.SEED))
    targets = flat_targets(batch)
    candidates = bundle.model.embed_candidates()
    embedded = bundle.model.embed_targets(batch, targets, candidates, batch.items, None).numpy()
    places = np.argwhere(batch.targets.numpy() >= 0)
    return {(int(window), int(place)): query for (window, place), query in zip(places, embedded, strict=True)}


def _queries(bundle, records):
    batch = bundle.reader.eval_batch(tf.constant(records))
    candidates = bundle.model.embed_candidates()
    return bundle.model.embed_queries(
        batch.features, batch.history, candidates, batch.times, batch.clock, batch.item_features, batch.context
    ).numpy()


def test_each_item_has_the_features_of_its_own_row(logged, bundle):
    record = _records(logged, "train")[0]
    batch = bundle.reader.train_batch(tf.constant([record]), tf.constant(worlds.SEED))
    # q00 takes c00 to c03; of their events, that of c00 is missing, and those of c01 to c03 are 1, 2 and 0.
    assert batch.items.numpy().tolist() == [[0, 1, 2]]
    # Events 1 and 2 are in 38 train rows each, event 0 in 36; equal counts sort downward.
    events = batch.item_features["event"].numpy()[0].tolist()
    assert events[0] == -1
    assert len(set(events)) == 3
    ratings = batch.item_features["rating"].numpy()[0]
    # The rating of c00 is missing, which is the mean; those of c01 and c02 are 1 and 2, of which the mean is 2.
    assert ratings[0] == 0.0
    assert ratings[1] < ratings[2]
    assert {name: column.shape for name, column in batch.context.items()} == {"device": [1, 4], "hour": [1, 4]}


@pytest.mark.parametrize("split", ["leave_last_out", "leave_last_basket"])
def test_the_target_s_own_features_never_reach_its_query(logged, split):
    settings = worlds.settings(split=split, interactions=worlds.INTERACTIONS.model_copy(update={"context": {}}))
    model, reader, corpus = worlds.assemble(logged, settings)
    worlds.shake(model)
    subject = types.SimpleNamespace(model=model, reader=reader, corpus=corpus)
    records = _records(logged, "train")[:6]
    before = _target_queries(subject, records)
    for name in ("event", "rating"):
        for place in range(3):
            lengths = [len(queries.parse_window(record)[keys.TARGET_IDS]) for record in records]
            changed = [
                _changed(record, name, place) if place < length else record
                for record, length in zip(records, lengths, strict=True)
            ]
            after = _target_queries(subject, changed)
            earlier = [key for key in before if key[1] <= place]
            np.testing.assert_array_equal([before[key] for key in earlier], [after[key] for key in earlier])
            # They are history for later targets. In a basket of two rows, the next row is not later.
            later = [key for key in before if key[1] > place // 2 * 2 + 1]
            assert not later or any(np.abs(before[key] - after[key]).max() > 1e-4 for key in later)


def test_a_held_out_window_has_only_the_features_that_a_request_knows(logged, bundle):
    record = _records(logged, "test")[3]
    names = set(tf.train.Example.FromString(record).features.feature)
    assert {name for name in names if name.startswith(keys.CONTEXT_FEATURE)} == {"context_device", "context_hour"}
    own = _queries(bundle, [record])
    for name in ("event", "rating"):
        example = tf.train.Example.FromString(record)
        getattr(example.features.feature[keys.CONTEXT_FEATURE + name], _KIND[name]).value.append(_OTHER[name])
        np.testing.assert_array_equal(_queries(bundle, [example.SerializeToString()]), own)
    for name in ("device", "hour"):
        assert np.abs(_queries(bundle, [_changed(record, name, 0)]) - own).max() > 1e-4


def test_a_request_with_a_window_s_values_is_answered_as_that_window(logged, bundle, loaded):
    records = _records(logged, "test")
    signature = loaded.signatures["query_embedding"]
    inputs = {name: spec.shape.rank for name, spec in signature.structured_input_signature[1].items()}
    assert inputs["history_event"] == inputs["history_rating"] == 2
    assert inputs["context_device"] == inputs["context_hour"] == 1
    rows = [queries.parse_window(record) for record in records]
    np.testing.assert_allclose(queries.embed(signature, rows), _queries(bundle, records), atol=1e-5)
    without = [{name: value for name, value in row.items() if name != "history_event"} for row in rows]
    assert np.abs(queries.embed(signature, without) - _queries(bundle, records)).max() > 1e-3
    assert np.isfinite(loaded.signatures["newcomer"]()["embedding"].numpy()).all()


def test_the_client_and_the_examples_of_windows_get_one_answer(logged, recommender):
    assert recommender.history_features == ["event", "rating"]
    assert recommender.context_features == ["device", "hour"]
    assert recommender.query_features == sorted(worlds.QUERY_FEATURES)
    record = _records(logged, "test")[3]
    row = queries.parse_window(record)
    by_example = recommender._model.signatures["examples"](examples=tf.constant([record]))
    count = int(by_example["count"][0])

    def asked(**changed):
        values = {
            "item_features": {"event": row["history_event"], "rating": row["history_rating"]},
            "context": {"device": row["context_device"], "hour": row["context_hour"]},
            **changed,
        }
        return recommender.recommend(
            query_id=row["query_id"][0].decode(),
            history=list(zip([item.decode() for item in row["history_ids"]], row["history_times"], strict=True)),
            k=5,
            query_features={name: row[name] for name in worlds.QUERY_FEATURES},
            query_time=row["query_time"][0],
            exclude=[item.decode() for item in row["seen_ids"]],
            **values,
        )

    found = asked()
    assert [item.id.encode() for item in found][:count] == by_example["ids"][0, :count].numpy().tolist()
    np.testing.assert_allclose([item.score for item in found], by_example["scores"][0, :count], rtol=1e-4)
    for changed in ({"item_features": None}, {"item_features": {"event": [None]}}, {"context": {}}):
        assert [item.score for item in asked(**changed)] != [item.score for item in found]
    with pytest.raises(BadInputError, match="no history feature 'evnt'; it has .'event', 'rating'."):
        asked(item_features={"evnt": ["view"]})
    with pytest.raises(BadInputError, match="no context feature 'month'; it has .'device', 'hour'."):
        asked(context={"month": 1})


def test_an_item_that_the_model_does_not_know_leaves_with_its_features(bundle, loaded):
    signature = loaded.signatures["query_embedding"]
    known = {"history_ids": ["c01", "c02"], "history_event": ["event0", "event1"], "history_rating": [1.0, 2.0]}
    more = {
        "history_ids": ["c01", "c98", "c02"],
        "history_event": ["event0", "event2", "event1"],
        "history_rating": [1.0, 9.0, 2.0],
    }
    first, second = queries.embed(signature, [known, more])
    np.testing.assert_allclose(first, second, atol=1e-6)
    # Fewer features than items belong to the first items.
    shorter, padded = queries.embed(
        signature, [{**known, "history_event": ["event0"]}, {**known, "history_event": ["event0", ""]}]
    )
    np.testing.assert_array_equal(shorter, padded)


def test_the_portable_towers_embed_windows_alike(logged, bundle, tmp_path):
    transform = tft.TFTransformOutput(logged.candidate_transform)
    towers = portable.PortableTowers(bundle.model, bundle.reader, bundle.corpus, bundle.settings, transform)
    records = _records(logged, "eval")
    history = [queries.parse_window(record)[keys.HISTORY_IDS] for record in records]
    rows = bundle.reader.rows(tf.ragged.constant(history).to_tensor())
    embedded = towers._embed_windows(tf.constant(records), rows, bundle.model.embed_candidates())["embedding"]
    np.testing.assert_allclose(embedded, _queries(bundle, records), atol=1e-5)


def test_a_target_in_a_window_of_its_own_is_predicted_alike(logged, bundle):
    batch = bundle.reader.train_batch(tf.constant(_records(logged, "train")[:3]), tf.constant(worlds.SEED))
    # A window has at most four items of history and four targets, so that no item is cut off.
    single = explode(batch, 8)
    candidates = bundle.model.embed_candidates()
    both = [
        bundle.model.embed_targets(each, flat_targets(each), candidates, each.items, None) for each in (batch, single)
    ]
    np.testing.assert_allclose(*both, atol=1e-5)


def test_features_that_no_model_reads_change_nothing(world, logged):
    plain = worlds.settings()
    for split in ("train", "eval"):
        model, reader, _ = worlds.assemble(world, plain)
        other_model, other_reader, _ = worlds.assemble(logged, plain)
        names = [(weight.name, weight.shape) for weight in model.weights]
        assert [(weight.name, weight.shape) for weight in other_model.weights] == names
        for weight, other in zip(model.weights, other_model.weights, strict=True):
            np.testing.assert_array_equal(weight, other)
        if split == "train":
            read = [
                each.train_batch(tf.constant(_records(where, split)), tf.constant(worlds.SEED))
                for each, where in ((reader, world), (other_reader, logged))
            ]
        else:
            read = [
                each.eval_batch(tf.constant(_records(where, split)))
                for each, where in ((reader, world), (other_reader, logged))
            ]
        for column, other in zip(*map(tf.nest.flatten, read), strict=True):
            np.testing.assert_array_equal(column, other)
    assert plain.to_json()["data"].keys().isdisjoint({"interaction_features"})


def test_models_with_other_features_of_the_log_are_not_compared():
    plain, read = worlds.settings(), worlds.settings(interactions=worlds.INTERACTIONS)
    context = worlds.settings(interactions=worlds.INTERACTIONS.model_copy(update={"history": {}}))
    assert len({each.features_sha256() for each in (plain, read, context)}) == 3
    assert type(read).from_json(read.to_json()) == read
