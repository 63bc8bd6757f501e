"""The model of TensorFlow Recommenders' "basic retrieval" tutorial, copied as its readers would.

https://www.tensorflow.org/recommenders/examples/basic_retrieval: two embeddings of width 32, Adagrad at 0.1, batches
of 8,192, 3 epochs, FactorizedTopK also computed in training. Only the tables differ: items have ids instead of the
tutorial's titles, which are not unique.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence

# tensorflow-recommenders needs Keras 2.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tensorflow_recommenders as tfrs

from benchmarks.quality import exchange


class MovielensModel(tfrs.Model):
    """The tutorial's model."""

    def __init__(self, user_model: tf.keras.Model, movie_model: tf.keras.Model, movies: tf.data.Dataset) -> None:
        super().__init__()
        self.movie_model = movie_model
        self.user_model = user_model
        metrics = tfrs.metrics.FactorizedTopK(candidates=movies.batch(128).map(movie_model))
        self.task = tfrs.tasks.Retrieval(metrics=metrics)

    def compute_loss(self, features: dict[str, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Returns the loss of a batch."""
        user_embeddings = self.user_model(features["user_id"])
        positive_movie_embeddings = self.movie_model(features["movie_id"])
        return self.task(user_embeddings, positive_movie_embeddings)


def fit(split: exchange.Split, grid: Sequence[exchange.Setting], seed: int) -> Iterator[exchange.Fitted]:
    """Yields the tutorial's model. A query is its id alone, so that the eval item is not used in test."""
    for setting in grid:
        tf.keras.utils.set_random_seed(seed)
        start = time.monotonic()
        users, movies = _names("user", split.num_queries), _names("movie", split.num_candidates)
        ratings = tf.data.Dataset.from_tensor_slices(
            {"user_id": users[split.train.query], "movie_id": movies[split.train.candidate]}
        )
        user_model, movie_model = _tower(users, setting["dimension"]), _tower(movies, setting["dimension"])
        model = MovielensModel(user_model, movie_model, tf.data.Dataset.from_tensor_slices(movies))
        model.compile(optimizer=tf.keras.optimizers.Adagrad(learning_rate=setting["learning_rate"]))
        train = ratings.shuffle(len(split.train.query), seed=seed, reshuffle_each_iteration=False)
        model.fit(train.batch(setting["batch_size"]).cache(), epochs=setting["epochs"], verbose=0)
        seconds = time.monotonic() - start

        def score(
            phase: str,
            queries: tf.keras.Model = user_model,
            candidates: tf.keras.Model = movie_model,
            users: np.ndarray = users,
            movies: np.ndarray = movies,
        ) -> np.ndarray:
            embeddings = queries(tf.constant(users[split.queries(phase)])).numpy().astype(np.float64)
            return embeddings @ candidates(tf.constant(movies)).numpy().astype(np.float64).T

        yield exchange.Fitted(setting, seconds, score, setting["epochs"] * len(split.train.query))


def _tower(names: np.ndarray, dimension: int) -> tf.keras.Model:
    return tf.keras.Sequential(
        [
            tf.keras.layers.StringLookup(vocabulary=names, mask_token=None),
            tf.keras.layers.Embedding(len(names) + 1, dimension),
        ]
    )


def _names(kind: str, number: int) -> np.ndarray:
    return np.array([f"{kind} {index}" for index in range(number)], object)


if __name__ == "__main__":
    exchange.main(fit, "tensorflow-recommenders", "tensorflow")
