"""Models loaded without Python graphs, compared with TensorFlow's own loader."""

import gc

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_object_graph_pb2, trackable_object_graph_pb2
from tensorflow.python.eager import context

from components.id_table import make_id_table
from shortlist.serving import saved_model
from shortlist.serving.saved_model import ServedSavedModel

IDS = ["a", "b", "c"]


class Model(tf.Module):
    """A model with all kinds of objects that a signature captures, and nested functions."""

    def __init__(self, vocabulary, factor):
        super().__init__()
        self.trained = tf.Module()
        self.trained.ids = tf.Variable(IDS)
        self.trained.values = tf.Variable([1.0, 2.0, 3.0])
        self.trained.unused = tf.Variable([7.0, 8.0])
        self._rows = make_id_table(self.trained.ids)
        reader = tf.lookup.TextFileInitializer(
            vocabulary, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
        )
        self._lines = tf.lookup.StaticVocabularyTable(reader, num_oov_buckets=1)
        self._factor = tf.constant(factor)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "id")])
    def answer(self, id):
        rows = self._rows.lookup(id)

        @tf.function(experimental_attributes={"_noinline": True})
        def known():
            return tf.gather(tf.convert_to_tensor(self.trained.values), tf.maximum(rows, 0)) * self._factor

        scores = tf.cond(tf.reduce_all(rows >= 0), known, lambda: tf.fill(tf.shape(rows), -1.0))
        return {"scores": scores, "lines": self._lines.lookup(id)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "id")])
    def evaluation(self, id):
        return {"length": tf.strings.length(id)}


def save(folder, factor=2.0):
    vocabulary = folder / "lines.txt"
    folder.mkdir()
    vocabulary.write_text("c\nb\n")
    model = Model(str(vocabulary), factor)
    tf.saved_model.save(model, str(folder / "model"), signatures={"answer": model.answer})
    vocabulary.unlink()
    return str(folder / "model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save(tmp_path_factory.mktemp("saved") / "first")


def ask(model, *ids):
    found = model.signatures["answer"](id=tf.constant(ids))
    return found["scores"].numpy().tolist(), found["lines"].numpy().tolist()


def functions():
    return set(context.context().list_function_names())


@pytest.mark.parametrize("load", [ServedSavedModel, tf.saved_model.load])
def test_answers(folder, load):
    model = load(folder)
    # Twice the values 1 and 3; c is line 0 of the vocabulary, and a is in the only bucket after its two lines.
    assert ask(model, "a", "c") == ([2.0, 6.0], [2, 0])
    # The other branch: one of them is unknown.
    assert ask(model, "b", "x") == ([-1.0, -1.0], [1, 2])


def test_variables_of_the_trained_model(folder):
    trained = ServedSavedModel(folder).trained
    assert trained.ids.numpy().tolist() == [b"a", b"b", b"c"]
    # No signature reads it.
    assert trained.unused.numpy().tolist() == [7.0, 8.0]
    assert not hasattr(trained, "other")


def test_a_model_without_variables(tmp_path):
    model = tf.Module()
    model.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([], tf.int32, "x")])
    tf.saved_model.save(model, str(tmp_path), signatures={"double": model.double})
    loaded = ServedSavedModel(str(tmp_path))
    assert loaded.trained is None
    assert loaded.signatures["double"](x=tf.constant(4))["y"].numpy() == 8


def test_two_models_of_a_process_answer_for_themselves(folder, tmp_path):
    first = ServedSavedModel(folder)
    second = ServedSavedModel(save(tmp_path / "second", factor=10.0))
    again = ServedSavedModel(folder)
    assert ask(first, "b")[0] == ask(again, "b")[0] == [4.0]
    assert ask(second, "b")[0] == [20.0]
    del second, again
    gc.collect()
    assert ask(first, "b") == ([4.0], [1])


def test_a_dropped_model_frees_its_functions(folder):
    before = functions()
    model = ServedSavedModel(folder)
    added = functions() - before
    assert added
    # No signature calls it.
    assert not any("evaluation" in name for name in added)
    answer = model.signatures["answer"]
    del model
    gc.collect()
    # A signature keeps what it calls.
    assert answer(id=tf.constant(["a"]))["scores"].numpy().tolist() == [2.0]
    del answer
    gc.collect()
    assert not functions() & added


def test_a_model_dropped_while_a_function_is_traced_leaves_it_alone(folder):
    before = functions()
    models = [ServedSavedModel(folder)]
    # TensorFlow adds functions of its own at the first call of an operation.
    added = {name for name in functions() - before if "_served_" in name}

    @tf.function(autograph=False)
    def twice(value):
        models.clear()
        gc.collect()
        return value * 2.0

    graph = twice.get_concrete_function(tf.TensorSpec([])).graph
    assert not graph.captures
    assert "DestroyResourceOp" not in {operation.type for operation in graph.get_operations()}
    # What the model had is free all the same.
    assert added
    assert not functions() & added


def test_variables_are_found_by_their_names_not_their_numbers():
    def graph(kind, children):
        made = kind()
        for named in children:
            node = made.nodes.add()
            for name, number in named.items():
                node.children.add(local_name=name, node_id=number)
        return made.nodes

    # The checkpoint lacks a function, numbers the others in another way, and has a loop.
    saved = graph(
        saved_object_graph_pb2.SavedObjectGraph, [{"a": 1, "call": 2, "b": 3}, {"c": 4, "root": 0}, {}, {}, {}]
    )
    other = graph(trackable_object_graph_pb2.TrackableObjectGraph, [{"b": 1, "a": 2}, {}, {"c": 3, "root": 0}, {}])
    assert saved_model._pairs(saved, other) == {0: 0, 1: 2, 3: 1, 4: 3}
