import math
import tempfile

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform import beam as tft_beam

from components.transform import outputs, preprocessing

_FEATURES = {
    "title": {"type": "text"},
    "genres": {"type": "multi_category"},
    "year": {"type": "numeric"},
    "kind": {"type": "category", "max_vocabulary": 1},
}
_SPEC = {
    "candidate_id": tf.io.VarLenFeature(tf.string),
    "title": tf.io.VarLenFeature(tf.string),
    "genres": tf.io.VarLenFeature(tf.string),
    "year": tf.io.VarLenFeature(tf.float32),
    "kind": tf.io.VarLenFeature(tf.string),
}
_ROWS = [
    {"candidate_id": [b"a"], "title": [b"Toy Story"], "genres": [b"Comedy", b"Kids"], "year": [1990.0], "kind": [b"x"]},
    {"candidate_id": [b"b"], "title": [b"  "], "genres": [], "year": [], "kind": [b"x"]},
    {"candidate_id": [b"c"], "title": [], "genres": [b"Comedy"], "year": [2000.0], "kind": [b"y"]},
]


def _analyze(rows, spec, fn, features, batch_size=None, **more):
    metadata = tft.DatasetMetadata.from_feature_spec(spec)
    path = tempfile.mkdtemp()
    with tft_beam.Context(temp_dir=tempfile.mkdtemp(), desired_batch_size=batch_size):
        custom_config = {"features": features, **more}
        transform_fn = (rows, metadata) | tft_beam.AnalyzeDataset(lambda inputs: fn(inputs, custom_config))
        _ = transform_fn | tft_beam.WriteTransformFn(path)
    return tft.TFTransformOutput(path)


@pytest.fixture(scope="module")
def candidates():
    return _analyze(_ROWS, _SPEC, preprocessing.candidates_preprocessing_fn, _FEATURES)


def _apply(output, rows, spec, names):
    examples = []
    for row in rows:
        feature = {}
        for name in names:
            value = row[name]
            if spec[name].dtype == tf.string:
                feature[name] = tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
            else:
                feature[name] = tf.train.Feature(float_list=tf.train.FloatList(value=value))
        examples.append(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    parsed = tf.io.parse_example(examples, {name: spec[name] for name in names})
    return output.transform_features_layer()(parsed)


def test_words_are_lower_case_and_blank_or_missing_text_has_none(candidates):
    result = _apply(candidates, _ROWS, _SPEC, list(_SPEC))
    ids = tf.sparse.to_dense(result["title"], default_value=-1).numpy().tolist()
    assert sorted(ids[0]) == [0, 1]
    assert set(ids[1]) == set(ids[2]) == {-1}
    assert outputs.vocabulary_size(candidates, "title") == 2


def test_numeric_is_a_z_score_and_missing_is_the_mean(candidates):
    # mean 1995, deviation 5: 1990 -> -1, missing -> 0, 2000 -> +1.
    result = _apply(candidates, _ROWS, _SPEC, list(_SPEC))
    assert result["year"].numpy().ravel().tolist() == pytest.approx([-1.0, 0.0, 1.0])


def test_a_value_outside_the_vocabulary_gets_the_size_as_id(candidates):
    result = _apply(candidates, _ROWS, _SPEC, list(_SPEC))
    # max_vocabulary 1 keeps the more frequent `x`.
    assert tf.sparse.to_dense(result["kind"], -1).numpy().ravel().tolist() == [0, 0, 1]


def test_the_layer_takes_a_subset_of_the_raw_features(candidates):
    result = _apply(candidates, _ROWS, _SPEC, ["genres"])
    assert tf.sparse.to_dense(result["genres"], -1).numpy().tolist() == [[0, 1], [-1, -1], [0, -1]]


_WINDOWS_SPEC = {
    "query_id": tf.io.VarLenFeature(tf.string),
    "target_ids": tf.io.VarLenFeature(tf.string),
    "target_times": tf.io.VarLenFeature(tf.int64),
    "target_weights": tf.io.VarLenFeature(tf.float32),
}


def _window(query_id, target_ids, target_times, target_weights):
    return {
        "query_id": [query_id],
        "target_ids": target_ids,
        "target_times": target_times,
        "target_weights": target_weights,
    }


def test_counts_are_those_of_the_train_targets():
    rows = [
        # A row of weight 0 is no target; a row of weight 10 is one target.
        _window(b"u", [b"a", b"b b", b"c", b"a"], [1, 2, 3, 4], [1.0, 10.0, 0.0, 0.5]),
        _window(b"u", [b"a"], [5], [1.0]),
        _window(b"v", ["ü".encode()], [1], [1.0]),
    ]
    output = _analyze(rows, _WINDOWS_SPEC, preprocessing.queries_preprocessing_fn, {})
    assert outputs.candidate_counts(output) == {b"a": 3, b"b b": 1, "ü".encode(): 1}
    assert outputs.vocabulary_size(output, "query_id") == 2


def test_without_a_vocabulary_equal_query_ids_have_equal_fingerprints():
    rows = [_window(query, [b"a"], [1], [1.0]) for query in (b"u", b"v", b"u")]
    output = _analyze(rows, _WINDOWS_SPEC, preprocessing.queries_preprocessing_fn, {}, query_ids=False)
    assert output.vocabulary_file_by_name("query_id") is None
    ids = tf.sparse.from_dense(tf.constant([[b"u"], [b"v"], [b"u"], [b"not in train"]]))
    found = output.transform_features_layer()({"query_id": ids})["query_id"].numpy()
    assert found.shape == (4, 1)
    assert found.dtype == np.int64
    assert found[0] == found[2]
    assert len(set(found.ravel())) == 3


@pytest.mark.parametrize(
    ("rows", "asked", "expected"),
    [
        # The targets' times are 1,000,000,000 to 1,000,000,200; a row of weight 0 before them is no target.
        (
            [
                _window(b"u", [b"a", b"b"], [999_999_000, 1_000_000_000], [0.0, 1.0]),
                _window(b"v", [b"a"], [1_000_000_200], [1.0]),
            ],
            [999_999_000, 1_000_000_000, 1_000_000_050, 1_000_000_200, 2_000_000_000],
            [0.0, 0.0, 0.25, 1.0, 1.0],
        ),
        # A single time counts as the last one. So does the time 0 of a log without times.
        ([_window(b"u", [b"a"], [0], [1.0])], [0, 5], [1.0, 1.0]),
    ],
)
def test_times_are_shares_of_the_train_targets_span(rows, asked, expected):
    output = _analyze(rows, _WINDOWS_SPEC, preprocessing.queries_preprocessing_fn, {})
    times = tf.sparse.from_dense(tf.constant([asked], tf.int64) + 1)
    times = tf.SparseTensor(times.indices, times.values - 1, times.dense_shape)
    shares = output.transform_features_layer()({"target_times": times})["target_times"]
    assert tf.sparse.to_dense(shares, -1.0).numpy().tolist() == [pytest.approx(expected)]


def test_a_constant_numeric_column_gives_zero_not_nan():
    spec = {"candidate_id": tf.io.VarLenFeature(tf.string), "year": tf.io.VarLenFeature(tf.float32)}
    rows = [{"candidate_id": [b"a"], "year": [7.0]}, {"candidate_id": [b"b"], "year": [7.0]}]
    output = _analyze(rows, spec, preprocessing.candidates_preprocessing_fn, {"year": {"type": "numeric"}})
    values = _apply(output, rows, spec, list(spec))["year"].numpy().ravel().tolist()
    assert values == [0.0, 0.0]
    assert not any(math.isnan(value) for value in values)


def test_how_beam_batches_the_rows_does_not_change_a_digit():
    spec = {"candidate_id": tf.io.VarLenFeature(tf.string), "year": tf.io.VarLenFeature(tf.float32)}
    random = np.random.default_rng(0)
    rows = [{"candidate_id": [b"%d" % n], "year": [year]} for n, year in enumerate(random.normal(1987, 13, 300))]
    fn, features = preprocessing.candidates_preprocessing_fn, {"year": {"type": "numeric"}}
    outputs_by_size = [_analyze(rows, spec, fn, features, size) for size in (7, 1000)]
    first, second = [_apply(output, rows, spec, list(spec))["year"].numpy().tolist() for output in outputs_by_size]
    assert first == second


def test_the_first_values_of_a_text_and_of_a_list_are_read():
    features = {
        "title": {"type": "text", "max_tokens": 2},
        "genres": {"type": "multi_category", "max_tokens": 1},
    }
    spec = {name: _SPEC[name] for name in ("candidate_id", *features)}
    rows = [
        {"candidate_id": [b"a"], "title": [b"one two three " * 5_000], "genres": [b"x", b"y"]},
        {"candidate_id": [b"b"], "title": [b"two"], "genres": [b"x"]},
    ]
    output = _analyze(rows, spec, preprocessing.candidates_preprocessing_fn, features)
    # The words and values beyond are not even in the vocabularies.
    assert [outputs.vocabulary_size(output, name) for name in ("title", "genres")] == [2, 1]
    transformed = _apply(output, rows, spec, features)
    title, genres = (tf.sparse.to_dense(transformed[name], -1).numpy().tolist() for name in ("title", "genres"))
    assert title == [[1, 0], [0, -1]]
    assert genres == [[0], [0]]
