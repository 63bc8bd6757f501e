"""Signatures called without TensorFlow's Python, compared with TensorFlow's own calls of the same model."""

import numpy as np
import pytest
import tensorflow as tf

from shortlist.serving.saved_model import ServedSavedModel


class Model(tf.Module):
    def __init__(self):
        super().__init__()
        self.trained = tf.Module()
        self.trained.table = tf.Variable([10.0, 20.0, 30.0])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.int32, "row"),
            tf.TensorSpec([None, 2], tf.float32, "vector"),
            tf.TensorSpec([None, None], tf.string, "history"),
        ]
    )
    def answer(self, row, vector, history):
        # Named so that the order of the outputs is not that of their names.
        return {
            "zero": tf.gather(tf.convert_to_tensor(self.trained.table), row),
            "both": tf.reduce_sum(vector, axis=1),
            "ids": tf.strings.reduce_join(history, axis=1),
        }


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    """The quick signature and TensorFlow's own, and the model of the latter, which owns their variables."""
    folder = str(tmp_path_factory.mktemp("signatures"))
    model = Model()
    tf.saved_model.save(model, folder, signatures={"answer": model.answer})
    loaded = tf.saved_model.load(folder)
    return ServedSavedModel(folder).signatures["answer"], loaded.signatures["answer"], loaded


def inputs(rows=2):
    return {
        "vector": tf.reshape(tf.range(2.0 * rows), [rows, 2]),
        "history": tf.constant([["a", "b"]] * rows),
        "row": tf.range(rows),
    }


def test_outputs_are_those_of_the_hand(signatures):
    # Rows 0 and 1 of the table; 0 + 1 and 2 + 3.
    for call in signatures[:2]:
        found = call(**inputs())
        assert set(found) == {"zero", "both", "ids"}
        np.testing.assert_array_equal(found["zero"], [10.0, 20.0])
        np.testing.assert_array_equal(found["both"], [1.0, 5.0])
        assert found["ids"].numpy().tolist() == [b"ab", b"ab"]


def test_specs_are_those_of_the_function(signatures):
    quick, own, _ = signatures
    assert quick.structured_input_signature == own.structured_input_signature
    assert {name: (it.shape, it.dtype) for name, it in quick.structured_outputs.items()} == {
        name: (it.shape, it.dtype) for name, it in own.structured_outputs.items()
    }


def test_a_fitting_call_converts_nothing(signatures, monkeypatch):
    def refuse(*_):
        raise AssertionError

    monkeypatch.setattr(signatures[0], "_converted", refuse)
    assert signatures[0](**inputs(3))["zero"].shape == [3]
    with pytest.raises(AssertionError):
        signatures[0](**{**inputs(), "row": [0, 1]})


def test_arrays_are_converted(signatures):
    found = signatures[0](**{name: value.numpy() for name, value in inputs().items()})
    np.testing.assert_array_equal(found["zero"], [10.0, 20.0])


@pytest.mark.parametrize("value", [tf.constant([0, 1], tf.int64), "a", [0.5], [[0], [0, 1]], None])
def test_a_value_of_another_type_is_named(signatures, value):
    with pytest.raises(TypeError, match="row: expected int32"):
        signatures[0](**{**inputs(), "row": value})


def test_an_unknown_input_is_named(signatures):
    with pytest.raises(TypeError, match=r"expected the inputs \['history', 'row', 'vector'\].*'other'"):
        signatures[0](**inputs(), other=tf.constant([0]))


def test_a_missing_input_is_named(signatures):
    given = inputs()
    del given["vector"]
    with pytest.raises(TypeError, match="vector"):
        signatures[0](**given)


def test_shapes_are_left_to_the_graph_as_by_tensorflow(signatures):
    # 0 + 1 + 2 and 3 + 4 + 5, although the signature has two columns.
    wide = tf.reshape(tf.range(6.0), [2, 3])
    for call in signatures[:2]:
        np.testing.assert_array_equal(call(**{**inputs(), "vector": wide})["both"], [3.0, 12.0])


def test_values_that_the_graph_refuses_raise_its_error(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError):
        signatures[0](**{**inputs(), "row": tf.constant([0, 7])})


def test_a_call_within_a_graph_is_refused(signatures):
    with pytest.raises(RuntimeError, match="within a graph"):
        tf.function(lambda row: signatures[0](**{**inputs(), "row": row})["zero"])(tf.constant([2, 1]))
