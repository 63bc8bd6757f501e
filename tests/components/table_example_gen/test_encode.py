from __future__ import annotations

import tensorflow as tf

from components.table_example_gen.encode import Encoder
from shortlist.config.features import Feature
from shortlist.config.table import Interactions
from shortlist.tables.spec import table_spec

TABLE = Interactions(
    path="x.csv",
    features={
        "genres": Feature(type="multi_category"),
        "price": Feature(type="numeric"),
        "released": Feature(type="timestamp"),
        "title": Feature(type="text"),
    },
)
EMPTY: dict[str, list] = {"genres": [], "price": [], "released": [], "title": []}


def encoded(values, row=0, path="a/ü.csv"):
    [serialized] = Encoder(table_spec("interactions", TABLE)).encode([(row, values)], path)
    return tf.train.Example.FromString(serialized).features.feature


def test_values_have_the_type_of_their_column():
    features = encoded(
        {
            "query_id": ["007"],
            "candidate_id": ["🦊"],
            "timestamp": [5],
            "genres": ["a", "ü"],
            "price": [2.5],
            "released": [-1],
            "title": ["x"],
        },
        row=3,
    )
    assert list(features["query_id"].bytes_list.value) == [b"007"]
    assert list(features["candidate_id"].bytes_list.value) == ["🦊".encode()]
    assert list(features["timestamp"].int64_list.value) == [5]
    assert list(features["genres"].bytes_list.value) == [b"a", "ü".encode()]
    assert list(features["price"].float_list.value) == [2.5]
    assert list(features["released"].int64_list.value) == [-1]
    assert list(features["source_path"].bytes_list.value) == ["a/ü.csv".encode()]
    assert list(features["source_row"].int64_list.value) == [3]


def test_missing_values_are_empty_lists_of_their_type():
    features = encoded({"query_id": ["u"], "candidate_id": ["i"], "timestamp": [0], **EMPTY})
    kinds = {name: features[name].WhichOneof("kind") for name in EMPTY}
    assert kinds == {"genres": "bytes_list", "price": "float_list", "released": "int64_list", "title": "bytes_list"}
    assert list(features["timestamp"].int64_list.value) == [0]
