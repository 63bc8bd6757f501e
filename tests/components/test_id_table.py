"""Ids of any bytes, stored once, also in a module that contains the loaded one and in TF Serving's loader."""

import pathlib

import numpy as np
import tensorflow as tf

from components.id_table import make_id_table

IDS = [b"two\nlines", b"", b"\xff\x00", b"an id that is found in a file"]
ASKED = np.array([[b"two\nlines", b"unknown"], [b"\xff\x00", b""]], object)
ROWS = [[0, -1], [2, 1]]


class Table(tf.Module):
    def __init__(self):
        super().__init__()
        self.ids = tf.Variable(IDS)
        self.table = make_id_table(self.ids)

    @tf.function(input_signature=[tf.TensorSpec(None, tf.string)])
    def rows(self, ids):
        return self.table.lookup(ids)


class Outer(tf.Module):
    """As a served model contains the trained one."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, "ids")])
    def serve(self, ids):
        return {"rows": self.inner.rows(ids)}


def test_ids_of_any_bytes_are_stored_once_and_found_after_each_load(tmp_path):
    module = Table()
    np.testing.assert_array_equal(module.rows(tf.constant(ASKED)), ROWS)
    tf.saved_model.save(module, str(tmp_path / "inner"))
    inner = tf.saved_model.load(str(tmp_path / "inner"))
    np.testing.assert_array_equal(inner.rows(tf.constant(ASKED)), ROWS)

    containing = Outer(inner)
    tf.saved_model.save(containing, str(tmp_path / "outer"), signatures=containing.serve)
    outer = tf.saved_model.load(str(tmp_path / "outer"))
    np.testing.assert_array_equal(outer.signatures["serving_default"](tf.constant(ASKED))["rows"], ROWS)
    files = [file for file in pathlib.Path(tmp_path, "outer").rglob("*") if file.is_file()]
    assert sum(file.read_bytes().count(IDS[3]) for file in files) == 1

    # TF Serving restores the checkpoint and then runs the initializers in a session.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "outer")).signature_def
        served = signature["serving_default"]
        rows = session.run(served.outputs["rows"].name, {served.inputs["ids"].name: ASKED})
    np.testing.assert_array_equal(rows, ROWS)
