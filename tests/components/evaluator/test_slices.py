import numpy as np
import pytest
import tensorflow as tf

from components.evaluator import slices


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # 90 targets: 30 of the first, 30 of the second, the others a tail; candidates without targets are unseen.
        ([30, 30, 20, 10, 0], [0, 1, 2, 2, 3]),
        # The first one alone has more than two thirds.
        ([1, 1, 100, 1], [2, 2, 0, 2]),
        # Equal counts: the lower row first.
        ([5, 5, 5], [0, 1, 2]),
        ([0, 0], [3, 3]),
        ([7], [0]),
    ],
)
def test_popularity_is_by_thirds_of_the_train_targets(counts, expected):
    assert slices.popularity_buckets(np.array(counts)).tolist() == expected


def test_labels_by_history_popularity_and_repeat():
    labels = slices.labels(
        history=tf.constant([[-1] * 6, [4, -1, -1, -1, -1, -1], [1, 2, -1, -1, -1, -1], [0, 1, 2, 3, 4, 5]]),
        target=tf.constant([0, 1, -1, 3]),
        seen=tf.constant([[-1, -1], [4, 1], [-1, 1], [-1, -1]]),
        popularity=tf.constant([0, 1, 2, 3]),
    )
    assert {name: [text.decode() for text in column.numpy()] for name, column in labels.items()} == {
        "history_length": ["0", "1", "2 to 5", "6 or more"],
        "target_popularity": ["head", "middle", "unseen in train", "unseen in train"],
        # A target outside the corpus, -1, does not match the padding of `seen`.
        "target_seen_before": ["no", "yes", "no", "no"],
    }
    assert tuple(labels) == slices.NAMES
