"""A two-phase preprocessing_fn runs on the pinned Beam, analysed as TFX's Transform does it.

TFX 1.16 hard-codes tft's deep-copy optimisation. If a phase reads results of an earlier phase, it copies applied
transforms, which fails on Beam 2.64: `AppliedPTransform.__init__() missing ... 'environment_id'`.
"""

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

ROWS = [
    {"word": b"a", "number": 1.0},
    {"word": b"a", "number": 2.0},
    {"word": b"a", "number": 3.0},
    {"word": b"b", "number": 4.0},
]
METADATA = dataset_metadata.DatasetMetadata(
    schema_utils.schema_from_feature_spec(
        {"word": tf.io.FixedLenFeature([], tf.string), "number": tf.io.FixedLenFeature([], tf.float32)}
    )
)


def _z_score_of_vocabulary_ids(inputs):
    ids = tft.compute_and_apply_vocabulary(inputs["word"])
    return {"output": tft.scale_to_z_score(tf.cast(ids, tf.float32))}


def _z_score_of_buckets(inputs):
    buckets = tft.bucketize(inputs["number"], num_buckets=2)
    return {"output": tft.scale_to_z_score(tf.cast(buckets, tf.float32))}


@pytest.mark.parametrize(
    ("preprocessing_fn", "expected"),
    [
        # `a` is the more frequent word, so the ids are 0 0 0 1: mean 1/4, deviation sqrt(3)/4.
        (_z_score_of_vocabulary_ids, [-1 / 3**0.5, -1 / 3**0.5, -1 / 3**0.5, 3**0.5]),
        # Split in the middle the buckets are 0 0 1 1: mean 1/2, deviation 1/2.
        (_z_score_of_buckets, [-1.0, -1.0, 1.0, 1.0]),
    ],
)
def test_two_phases(preprocessing_fn, expected, tmp_path):
    location = str(tmp_path / "transform_graph")
    with (
        beam.Pipeline() as pipeline,
        tft_beam.Context(temp_dir=str(tmp_path / "temp"), use_deep_copy_optimization=True),
    ):
        dataset = (pipeline | beam.Create(ROWS), METADATA)
        transform_fn = dataset | tft_beam.AnalyzeDataset(preprocessing_fn)
        _ = transform_fn | tft_beam.WriteTransformFn(location)
    layer = tft.TFTransformOutput(location).transform_features_layer()
    columns = {name: tf.constant([row[name] for row in ROWS]) for name in ROWS[0]}
    np.testing.assert_allclose(layer(columns)["output"], expected, rtol=1e-5)
